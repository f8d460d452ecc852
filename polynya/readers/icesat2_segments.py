"""What the sea-ice products ATL07 and ATL10 share: a table of variables, read into Arrow columns.

A product's file lists :class:`Variable` records; the same list reads, validates and documents. A
beam of which nothing that is required is there (the group is missing, empty, or holds only the
histogram's dimension scale, as real beams do) gives a table of no rows with the right columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from ..errors import ProductError
from ..schema import UTC_NS
from . import icesat2_releases
from .icesat2 import Granule, attribute, open_hdf5, reading, strength_name, utc, values

TYPES = {
    "f4": pa.float32(),
    "f8": pa.float64(),
    "i1": pa.int8(),
    "i2": pa.int16(),
    "i4": pa.int32(),
}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of a product.

    Attributes
    ----------
    name : str
        The product's own name, which is also the column's.
    group : str
        Role of the group that holds it, a key of the layout (``segments``, ``heights`` ...).
    units : str
        UDUNITS text.
    dtype : str
        ``f4``, ``f8``, ``i1``, ``i2`` or ``i4``: the column's type.
    required : bool
        Whether a beam with data must hold it; a missing optional one is NaN or null.
    long_name : str
    width : int
        Values per row; more than one gives a fixed-size list column.
    other_names : tuple of str
        Names in other releases.
    """

    name: str
    group: str
    units: str
    dtype: str = "f4"
    required: bool = True
    long_name: str = ""
    width: int = 1
    other_names: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.dtype[0]

    @property
    def arrow_type(self) -> pa.DataType:
        one = TYPES[self.dtype]
        return pa.list_(one, self.width) if self.width > 1 else one


def variable(
    name: str,
    group: str,
    units: str,
    dtype: str = "f4",
    *,
    required: bool = True,
    long_name: str = "",
    width: int = 1,
    other_names: tuple[str, ...] = (),
) -> Variable:
    """Return one row of a product's table; the parameters are the attributes of :class:`Variable`."""
    return Variable(
        name=name,
        group=group,
        units=units,
        dtype=dtype,
        required=required,
        long_name=long_name,
        width=width,
        other_names=other_names,
    )


SECONDS = "seconds since 2018-01-01T00:00:00Z"
POSSIBLE = {
    "degrees_north": (-90.0, 90.0),
    "degrees_east": (-180.0, 180.0),
    SECONDS: (-4.0e9, 4.0e9),
    "m": (-1.0e5, 4.2e7),
}
"""Values that numbers of these units can have: the earth, this century, and one orbit along the track."""
HEIGHTS = (-2.0e4, 2.0e4)
"""m: of variables of which :data:`AS_HEIGHTS` matches the name."""
AS_HEIGHTS = (
    "height_segment_height",
    "height_segment_mss",
    "height_segment_geoid",
    "lead_height",
    "beam_fb_height",
    "beam_refsurf_height",
)


def time_and_place(group: str, *, requires_time: bool = True, requires_place: bool = True) -> tuple[Variable, ...]:
    """Return the time, latitude and longitude of a group's rows, which both products have.

    Parameters
    ----------
    group : str
        Role of the group.
    requires_time, requires_place : bool
        Whether a beam with data must hold them.
    """
    return (
        variable("delta_time", group, SECONDS, "f8", required=requires_time),
        variable("latitude", group, "degrees_north", "f8", required=requires_place),
        variable("longitude", group, "degrees_east", "f8", required=requires_place),
    )


SEGMENT_NUMBERS = (
    variable("height_segment_id", "segments", "1", "i4"),
    variable("geoseg_beg", "segments", "1", "i4", required=False),
    variable("geoseg_end", "segments", "1", "i4", required=False),
)
"""Numbers of a segment and of the 20 m geosegments it spans."""


def background_rates(group: str) -> tuple[Variable, ...]:
    """Return the measured and the calculated background rates of a group's rows."""
    return tuple(variable(name, group, "Hz", required=False) for name in ("backgr_r_200", "backgr_r_25", "backgr_calc"))


TIDES = (
    variable("height_segment_ocean", "geophysical", "m", required=False, long_name="ocean tide"),
    variable("height_segment_lpe", "geophysical", "m", required=False, long_name="long-period equilibrium tide"),
    variable("height_segment_dac", "geophysical", "m", required=False, long_name="dynamic atmosphere correction"),
)
"""What is subtracted from heights besides the mean sea surface."""
GEOID = (
    variable("height_segment_geoid", "geophysical", "m", required=False),
    variable("height_segment_geoid_free2mean", "geophysical", "m", required=False),
)
"""The geoid and what makes it mean-tide."""


def read_table(
    granule: Granule,
    *,
    beam: str,
    variables: Iterable[Variable],
    layout: dict[str, str],
    name: str,
) -> pa.Table:
    """Read the variables of one beam as a table, one column each, plus ``time`` from ``delta_time``.

    Parameters
    ----------
    granule : Granule
        An ATL07 or ATL10 granule.
    beam : str
        Beam group, present or not.
    variables : iterable of Variable
        The columns to read.
    layout : dict of str to str
        Role of a group to its path below the beam group in this file.
    name : str
        Name of the table, for its metadata.

    Returns
    -------
    pyarrow.Table
        Columns named and ordered as ``variables`` with ``time`` (UTC, nanoseconds) after
        ``delta_time``; ``units`` and ``long_name`` in the field metadata; no rows where the beam
        holds none of the required variables.

    Raises
    ------
    ProductError
        If a required variable is missing beside others, a length differs, or the file is damaged.
    """
    variables = tuple(variables)
    with open_hdf5(granule.path) as handle, reading(granule.path, beam):
        paths = {v.name: _path(handle, beam, v, layout) for v in variables}
        is_empty = not any(paths[v.name][1] for v in variables if v.required)
        columns: dict[str, pa.Array] = {}
        length: int | None = None
        for v in variables:
            path, is_there = paths[v.name]
            if is_empty or (not is_there and not v.required):
                columns[v.name] = None
                continue
            array = _column(handle, granule, path, v)
            if length is None:
                length, first = len(array), path
            elif len(array) != length:
                raise ProductError(
                    f"{granule.path.name}: {path} has {len(array)} values and {first} {length}; expected one length. "
                    "The file is damaged or was cut by hand: order it again."
                )
            columns[v.name] = array
        length = length or 0
        fields, arrays = [], []
        for v in variables:
            node_name, is_there = paths[v.name]
            label = attribute(handle[node_name], "long_name") if is_there else ""
            column = columns[v.name] if columns[v.name] is not None else _missing(v, length)
            fields.append(
                pa.field(v.name, v.arrow_type, metadata={"units": v.units, "long_name": v.long_name or label})
            )
            arrays.append(column)
            if v.name == "delta_time":
                seconds = column.to_numpy(zero_copy_only=False)
                fields.append(pa.field("time", UTC_NS, metadata={"long_name": "time, UTC", "standard_name": "time"}))
                arrays.append(pa.array(utc(seconds)).cast(UTC_NS))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=_about(granule, beam, name)))


def _path(handle: h5py.File, beam: str, v: Variable, layout: dict[str, str]) -> tuple[str, bool]:
    """Return where the variable is, or where its current name should be, and whether it is there."""
    group = layout[v.group]
    for name in (v.name, *v.other_names):
        path = f"{beam}/{group}/{name}"
        if path in handle:
            return path, True
    return f"{beam}/{group}/{v.name}", False


def _column(handle: h5py.File, granule: Granule, path: str, v: Variable) -> pa.Array:
    array = values(handle, granule.path, path, release=granule.release, kind=v.kind)
    expected = 1 if v.width == 1 else 2
    if array.ndim != expected or (v.width > 1 and array.shape[1] != v.width):
        shape = "(n,)" if v.width == 1 else f"(n, {v.width})"
        raise ProductError(
            f"{granule.path.name}: {path} has shape {array.shape}; expected {shape}. "
            "It is of an unknown release, or was cut by hand: order it again."
        )
    wanted = np.dtype(v.dtype)
    if wanted.kind == "i" and array.size and (array.min() < np.iinfo(wanted).min or array.max() > np.iinfo(wanted).max):
        raise ProductError(
            f"{granule.path.name}: {path} holds {array.min()} to {array.max()}; expected values that fit {wanted}. "
            "The file is damaged: download it again."
        )
    _check_possible(array, granule, path, v)
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, dtype=wanted)
    if v.width == 1:
        return pa.array(array, TYPES[v.dtype])
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel(), TYPES[v.dtype]), v.width)


def _check_possible(array: np.ndarray, granule: Granule, path: str, v: Variable) -> None:
    """Reject values that cannot be, fill values left out: the checksums of their chunks fit, yet they are wrong."""
    low, high = HEIGHTS if v.name in AS_HEIGHTS else POSSIBLE.get(v.units, (-np.inf, np.inf))
    if v.kind != "f" or not array.size or not np.isfinite(low):
        return
    known = array[~np.isnan(array)]
    if known.size and not (known.min() >= low and known.max() <= high):
        raise ProductError(
            f"{granule.path.name}: {path} holds {known.min():g} to {known.max():g} {v.units}; expected {low:g} to"
            f" {high:g}. The file is damaged: download it again."
        )


def _missing(v: Variable, n: int) -> pa.Array:
    if v.width == 1 and v.kind == "f":
        return pa.array(np.full(n, np.nan, v.dtype), TYPES[v.dtype])
    return pa.nulls(n, v.arrow_type)


def _about(granule: Granule, beam: str, name: str) -> dict[str, str]:
    known = granule.beams.get(beam)
    return {
        "polynya_table": name,
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "datum": icesat2_releases.datum(granule.release),
        "height_datum": "mean sea surface; tide-free from release 004 on",
        "beam": beam,
        "beam_strength": strength_name(known) if known else "unknown",
        "spot": str(known.spot) if known else "0",
    }


def first_layout(
    path: Path | str,
    *,
    beam: str,
    layouts: Iterable[dict[str, str]],
    is_there: Callable[[h5py.File, str, dict[str, str]], bool],
) -> dict[str, str]:
    """Return the first layout that a file's beam matches, else the first of all.

    Parameters
    ----------
    path : Path or str
        An ATL07 or ATL10 granule.
    beam : str
        Beam group, present or not.
    layouts : iterable of dict
        Roles of groups to their paths, one dict per release.
    is_there : callable
        ``is_there(handle, beam, layout)``.
    """
    layouts = tuple(layouts)
    with open_hdf5(path) as handle, reading(path, beam):
        for layout in layouts:
            if is_there(handle, beam, layout):
                return layout
    return layouts[0]
