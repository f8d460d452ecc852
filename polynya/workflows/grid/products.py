"""Means of cells as a CF dataset on the whole grid, and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ...io import grids
from ...physics import gridding
from ...schema import Variable
from ...schema.gridded import FLOE_EDGES_M, GRID_NAMES, GRID_VARIABLES, LEAD_EDGES_M, SAMPLING_FLAGS
from .config import Config, bounds_of, period_name

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray

NOTHING = sum(bit for bit, name in SAMPLING_FLAGS if name in ("few_tracks", "one_day", "few_segments"))
"""``sampling_flag`` of a cell without a segment."""


def dataset(
    found: gridding.Estimates, *, config: Config, days: tuple[int, int], about: Mapping[str, object]
) -> xarray.Dataset:
    """Return the means on the whole grid, as a CF dataset.

    Parameters
    ----------
    found : gridding.Estimates
        Of m cells and periods.
    config : Config
        With a CRS.
    days : (int, int)
        First and last day with data, days since 1970.
    about : mapping of str to str or int
        Further global attributes.

    Returns
    -------
    xarray.Dataset
        Dimensions ``time``, ``y``, ``x``, and the length bins of leads and floes.
    """
    import xarray as xr

    grid = config.grid()
    first = np.unique(found.period)
    place = (np.searchsorted(first, found.period), found.cell // grid.columns, found.cell % grid.columns)
    shape = (first.size, grid.rows, grid.columns)
    out: dict[str, tuple] = {}
    for spec in GRID_VARIABLES:
        dtype = np.dtype(spec.dtype.to_pandas_dtype())
        empty = np.nan if dtype.kind == "f" else NOTHING if spec.name == "sampling_flag" else 0
        whole = np.full(shape, empty, dtype)
        whole[place] = found.values[spec.name].astype(dtype)
        out[spec.name] = (("time", "y", "x"), whole, _attributes(spec))
    for name, edges, count in (
        ("lead", LEAD_EDGES_M, found.lead_count),
        ("floe", FLOE_EDGES_M, found.floe_count),
    ):
        dimension = f"{name}_length_bin"
        whole = np.zeros((len(edges) - 1, *shape), np.int32)
        whole[(slice(None), *place)] = count.T
        attributes = {"long_name": f"number of {name} chords per length bin", "units": "1", "grid_mapping": "crs"}
        out[f"{name}_count"] = (
            (dimension, "time", "y", "x"),
            whole,
            {**attributes, "coordinates": "latitude longitude"},
        )
        out |= _bins(dimension, edges)
    bounds = [bounds_of(int(f), period=config.period, days=days) for f in first]
    out |= time_axis(bounds)
    out |= space_axes(grid)
    data = xr.Dataset(out, attrs=_about(config, bounds, about))
    return data.set_coords(["time", "x", "y", "latitude", "longitude", "lead_length_bin", "floe_length_bin"])


def _attributes(spec: Variable) -> dict[str, object]:
    attributes: dict[str, object] = dict(spec.attributes())
    if spec.flags:
        dtype = spec.dtype.to_pandas_dtype()
        attributes["flag_masks"] = np.array([v for v, _ in spec.flags], dtype)
    attributes |= {"grid_mapping": "crs", "cell_measures": "area: cell_area", "coordinates": "latitude longitude"}
    if (
        pa.types.is_floating(spec.dtype)
        and "uncertainty" not in spec.name
        and not spec.name.endswith(("_sd", "tracks"))
    ):
        attributes["cell_methods"] = "time: mean area: mean (of segments along tracks)"
        parts = [n for n in GRID_NAMES if n.startswith(f"{spec.name}_uncertainty")]
        attributes["ancillary_variables"] = " ".join([*parts, "sampling_flag"])
    return attributes


def _bins(dimension: str, edges: tuple[float, ...]) -> dict[str, tuple]:
    low, high = np.array(edges[:-1]), np.array(edges[1:])
    about = {"units": "m", "long_name": "middle of the length bin; longer chords count in the last one"}
    return {
        dimension: ((dimension,), 0.5 * (low + high), {**about, "bounds": f"{dimension}_bnds"}),
        f"{dimension}_bnds": ((dimension, "bnds"), np.column_stack([low, high])),
    }


def time_axis(bounds: list[tuple[np.datetime64, np.datetime64]]) -> dict[str, tuple]:
    """Return the middles of periods and their bounds as variables of a dataset."""
    edges = np.array(bounds, "datetime64[D]").astype("datetime64[ns]").reshape(-1, 2)
    about = {"standard_name": "time", "long_name": "middle of the period", "axis": "T", "bounds": "time_bnds"}
    about["units_metadata"] = "leap_seconds: utc"
    middle = edges[:, 0] + (edges[:, 1] - edges[:, 0]) // 2
    return {"time": (("time",), middle, about), "time_bnds": (("time", "bnds"), edges)}


def space_axes(grid: gridding.Grid) -> dict[str, tuple]:
    """Return the places and areas of the cells and their projection as variables of a dataset."""
    from pyproj import CRS, Proj, Transformer

    crs = CRS.from_user_input(grid.crs)
    x, y = np.meshgrid(grid.x, grid.y)
    longitude, latitude = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
    factors = Proj(crs).get_factors(longitude, latitude, errcheck=False)
    area = grid.cell_m**2 / np.asarray(factors.areal_scale)
    half = 0.5 * grid.cell_m
    out: dict[str, tuple] = {}
    for name, values in (("x", grid.x), ("y", grid.y)):
        about = {"standard_name": f"projection_{name}_coordinate", "units": "m", "axis": name.upper()}
        about |= {"long_name": f"{name} of the cell's centre in {grid.crs}", "bounds": f"{name}_bnds"}
        out[name] = ((name,), values, about)
        out[f"{name}_bnds"] = ((name, "bnds"), np.column_stack([values - half, values + half]))
    place = {"latitude": (latitude, "degrees_north"), "longitude": (longitude, "degrees_east")}
    for name, (values, units) in place.items():
        about = {"standard_name": name, "units": units, "long_name": f"{name} of the cell's centre"}
        out[name] = (("y", "x"), values, about)
    out["cell_area"] = (
        ("y", "x"),
        area.astype(np.float32),
        {
            "standard_name": "cell_area",
            "units": "m2",
            "long_name": "area of the cell on the ellipsoid",
            "grid_mapping": "crs",
            "coordinates": "latitude longitude",
        },
    )
    mapping = {k: v for k, v in crs.to_cf().items() if v is not None}
    mapping["latitude_of_projection_origin"] = 90.0 if grid.is_north else -90.0  # CF asks for it, PROJ does not give it
    out["crs"] = ((), np.int32(0), {**mapping, "long_name": f"projection {grid.crs}"})
    return out


def _about(config: Config, bounds: list, about: Mapping[str, object]) -> dict[str, object]:
    return {
        "title": f"Sea ice from ICESat-2 in cells of {config.cell:g} km: total freeboard, classes, leads and floes",
        "summary": "Means of segments along tracks. Each mean has its uncertainty: the random part falls with the"
        " number of segments, the part of a pass (track) with the number of passes, the common part with nothing."
        " They are uncertainties of the mean over what was measured, not of a mean over every place and day of a cell.",
        "comment": "Segments with one of these quality bits are left out: "
        + (", ".join(config.leave_out) or "none")
        + "; so are segments without a class. Every other segment has the same weight.",
        "time_coverage_start": str(bounds[0][0]) if bounds else "",
        "time_coverage_end": str(bounds[-1][1]) if bounds else "",
        **about,
    }


def write_cogs(data: xarray.Dataset, folder: Path, *, config: Config) -> int:
    """Write each variable of each period as a GeoTIFF: ``PERIOD/VARIABLE.tif``.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`dataset`.
    folder : Path
        Where the periods' folders go.
    config : Config
        With a CRS.

    Returns
    -------
    int
        Files written.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grid = config.grid()
    affine = Affine(grid.cell_m, 0.0, grid.left, 0.0, -grid.cell_m, grid.top)
    geobox = GeoBox((grid.rows, grid.columns), affine, grid.crs)
    count = 0
    source = {"source": str(data.attrs.get("source", ""))}
    for k, bounds in enumerate(data["time_bnds"].values.astype("datetime64[D]")):
        name = period_name(int(bounds[0].astype(np.int64)), period=config.period)
        for spec in GRID_VARIABLES:
            tags = {**spec.attributes(), **source, "period": f"{bounds[0]} to {bounds[1]}"}
            values = data[spec.name].values[k]
            grids.write_cog(values, folder / name / f"{spec.name}.tif", geobox=geobox, name=spec.name, tags=tags)
            count += 1
    return count
