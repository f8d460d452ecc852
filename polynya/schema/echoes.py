"""The vocabulary of radar-altimeter echoes: one record for all missions, and the table it becomes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import UsageError
from . import arrow
from .records import Note, TableSpec, variable

F8, I1 = pa.float64(), pa.int8()
UTC_NS = pa.timestamp("ns", tz="UTC")

UNKNOWN, OCEAN, LEAD, SEA_ICE = 0, 1, 2, 3
CLASSES = ((UNKNOWN, "unknown"), (OCEAN, "ocean"), (LEAD, "lead"), (SEA_ICE, "sea_ice"))
"""What an echo came from. Unknown is a class of its own: it is counted, never dropped."""
CLASS_NAMES = dict(CLASSES)
MODE_UNKNOWN, LRM, SAR, SARIN = 0, 1, 2, 3
MODES = ((MODE_UNKNOWN, "unknown"), (LRM, "lrm"), (SAR, "sar"), (SARIN, "sarin"))
MODE_NAMES = dict(MODES)
SURFACE_TYPES = ((-1, "unknown"), (0, "ocean"), (1, "lake_or_enclosed_sea"), (2, "continental_ice"), (3, "land"))
SURFACE_TYPE_NAMES = dict(SURFACE_TYPES)
NOT_SEA_TYPES = (2, 3)
"""Surface types where there is no sea ice."""
WATTS, COUNTS = "W", "count"
_NAMES = ("source", "mission", "product", "release", "units")
_PER_FILE = ("gate_width_m", "nominal_gate")

ECHOES = TableSpec(
    name="echoes",
    title="Radar-altimeter echoes along a track",
    variables=(
        variable("time", UTC_NS, "", "time of the echo, UTC", standard_name="time"),
        variable("latitude", F8, "degrees_north", "latitude of nadir", standard_name="latitude"),
        variable("longitude", F8, "degrees_east", "longitude of nadir, -180 to 180", standard_name="longitude"),
        variable("altitude", F8, "m", "height of the satellite above the ellipsoid"),
        variable("tracker", F8, "m", "range from the satellite to the gate of reference, as the tracker set it"),
        variable("range", F8, "m", "range of the product's first retracker, without geophysical corrections"),
        variable("agc", F8, "dB", "automatic gain control: attenuation that the receiver applied"),
        variable("scale", F8, "", "what one stored count of the waveform stands for: waveform * scale is in units"),
        variable("mode", I1, "1", "mode of the radar", flags=MODES),
        variable("quality_flag", pa.int64(), "1", "the product's own quality bits, 0 is best, -1 where it has none"),
        variable("surface_type", I1, "1", "surface of the product's map", flags=SURFACE_TYPES),
        variable("surface_class", I1, "1", "class that the product gives the echo", flags=CLASSES),
        variable("sea_ice_concentration", F8, "1", "the product's", standard_name="sea_ice_area_fraction"),
        variable("sigma0", F8, "dB", "backscatter of the product's first retracker"),
        variable("significant_wave_height", F8, "m", "the product's"),
        variable("product_peakiness", F8, "1", "peakiness that the product gives, by its own definition"),
        variable("stack_std", F8, "1", "standard deviation of the power over the looks of the stack"),
        variable("stack_skewness", F8, "1", "skewness of the same"),
        variable("stack_kurtosis", F8, "1", "kurtosis of the same"),
        variable("stack_peakiness", F8, "1", "peakiness of the same"),
        variable("waveform", pa.list_(pa.uint32()), "1", "stored counts on the gates of the range window"),
    ),
)
COLUMNS = tuple(n for n in ECHOES.names if n != "waveform")
"""The columns of one number per echo."""


@dataclass(frozen=True, kw_only=True)
class Echoes:
    """Echoes of one file or of a block of it, equal for all missions; n echoes on the same gates.

    Missing numbers are NaN, missing flags -1 (``mode`` and ``surface_class``: 0). Attributes that are not listed here
    are the columns of :data:`ECHOES`, shape (n,), with its units.

    Attributes
    ----------
    source, mission, product, release : str
        Name of the file, satellite, product, and release or baseline (empty where unknown).
    units : str
        Of ``waveform * scale``: ``W``, or ``count`` where the product has no absolute power.
    waveform : numpy.ndarray, shape (n, gates)
        Counts as stored: unsigned integers, or float32. No gates in products without echoes.
    fill : int, optional
        Stored count that means "no value".
    saturation : float, optional
        Stored count at which the receiver clips; None where the product has no such count.
    gate_width_m : float
        Range between two gates, NaN where unknown.
    nominal_gate : float
        Gate, from 0, that the tracker aims at, NaN where unknown.
    product_class_flag : numpy.ndarray of int64, shape (n,)
        The product's own class flag before it is mapped to ``surface_class``; -1 where it has none.
    extra : dict of str to numpy.ndarray
        Variables of the file that the caller named.
    unknown : tuple of str
        Variables of the file that the product's documents do not have.
    absent : tuple of str
        Columns that the file has no variable for.
    notes : tuple of Note
        What a user should know: simulated data, gaps.
    """

    source: str
    mission: str
    product: str
    release: str
    units: str
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    tracker: np.ndarray
    range: np.ndarray
    agc: np.ndarray
    scale: np.ndarray
    mode: np.ndarray
    quality_flag: np.ndarray
    surface_type: np.ndarray
    surface_class: np.ndarray
    sea_ice_concentration: np.ndarray
    sigma0: np.ndarray
    significant_wave_height: np.ndarray
    product_peakiness: np.ndarray
    stack_std: np.ndarray
    stack_skewness: np.ndarray
    stack_kurtosis: np.ndarray
    stack_peakiness: np.ndarray
    waveform: np.ndarray
    product_class_flag: np.ndarray
    fill: int | None = None
    saturation: float | None = None
    gate_width_m: float = np.nan
    nominal_gate: float = np.nan
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        return f"Echoes({self.source}: {self.mission} {self.product}, {len(self):,} echoes of {self.gates} gates)"

    @property
    def gates(self) -> int:
        """Number of gates."""
        return self.waveform.shape[1]

    @property
    def is_simulated(self) -> bool:
        """Whether no satellite measured them."""
        return any(n.code == "simulated" for n in self.notes)

    def power(self, rows: slice = slice(None)) -> np.ndarray:
        """Return echoes in ``units``: stored counts times ``scale``, NaN at gates without a value.

        Parameters
        ----------
        rows : slice
            Which echoes.

        Returns
        -------
        numpy.ndarray of float64, shape (k, gates)
        """
        counts = self.waveform[rows]
        out = counts.astype(np.float64) * self.scale[rows, None]
        if self.fill is not None:
            out[counts == self.fill] = np.nan
        return out

    def gain(self) -> np.ndarray:
        """Return what is to be added to the power of counts to compare echoes, dB, shape (n,): NaN where not known.

        Watts need nothing: the gain control is in them.
        """
        return np.asarray(self.agc, np.float64) if self.units == COUNTS else np.zeros(len(self))

    def is_sea(self) -> np.ndarray:
        """Return which echoes are not over land or continental ice, bool, shape (n,); unknown surfaces are sea."""
        return ~np.isin(self.surface_type, NOT_SEA_TYPES)

    def take(self, rows: np.ndarray | slice) -> Echoes:
        """Return some of the echoes.

        Parameters
        ----------
        rows : numpy.ndarray or slice
            Places or a mask.
        """
        arrays: dict[str, Any] = {
            f.name: getattr(self, f.name)[rows] for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, **arrays, extra={k: v[rows] for k, v in self.extra.items()})

    def to_table(self) -> pa.Table:
        """Return the echoes as a table of :data:`ECHOES`; what is one per file goes into the metadata."""
        about: dict[str, Any] = {n: getattr(self, n) for n in _NAMES}
        about |= {"waveform_fill": self.fill, "saturation": self.saturation, "unknown_variables": list(self.unknown)}
        about["absent_columns"] = list(self.absent)
        about |= {n: v if np.isfinite(v := getattr(self, n)) else None for n in _PER_FILE}
        about["notes"] = [n.text for n in self.notes]
        about["remarks"] = [asdict(n) for n in self.notes]
        columns: dict[str, Any] = {n: getattr(self, n) for n in COLUMNS}
        columns["waveform"] = self._lists()
        return arrow.table(_spec(self.waveform.dtype), columns, about=about)

    @classmethod
    def from_table(cls, table: pa.Table) -> Echoes:
        """Return the echoes of a table that :meth:`to_table` gave, or that has more columns than that.

        Parameters
        ----------
        table : pyarrow.Table
            All echoes have as many gates as the first.

        Raises
        ------
        UsageError
            If columns or metadata are missing, or echoes differ in their gates.
        """
        about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        missing = [n for n in (*COLUMNS, "waveform") if n not in table.column_names]
        missing += [n for n in ("mission", "units", "waveform_fill") if n not in about]
        if missing:
            raise UsageError(
                f"table of echoes: {', '.join(missing)} missing; expected the columns and metadata of polynya.schema"
                ".echoes. Give a table that polynya wrote."
            )
        lists = table["waveform"].combine_chunks()
        ends, flat = arrow.to_numpy(lists.offsets), arrow.to_numpy(lists.flatten())
        gates = np.unique(np.diff(ends))
        if gates.size > 1:
            raise UsageError(
                f"table of echoes: echoes of {gates.min()} to {gates.max()} gates; expected one number. Give missions"
                " and modes apart."
            )
        columns: dict[str, Any] = {n: arrow.to_numpy(table[n]) for n in COLUMNS}
        columns["time"] = table["time"].cast(pa.int64()).to_numpy().astype("datetime64[ns]")
        fill, saturation = (json.loads(about.get(n, "null")) for n in ("waveform_fill", "saturation"))
        numbers: dict[str, Any] = {
            n: np.nan if (v := json.loads(about.get(n, "null"))) is None else v for n in _PER_FILE
        }
        return cls(
            **{n: about.get(n, "") for n in _NAMES},
            **columns,
            **numbers,
            waveform=flat.reshape(len(table), gates[0] if gates.size else 0),
            product_class_flag=np.full(len(table), -1, np.int64),
            fill=fill,
            saturation=saturation,
            unknown=tuple(json.loads(about.get("unknown_variables", "[]"))),
            absent=tuple(json.loads(about.get("absent_columns", "[]"))),
            notes=tuple(Note(**n) for n in json.loads(about.get("remarks", "[]"))),
        )

    def _lists(self) -> pa.Array:
        kind = np.float32 if self.waveform.dtype.kind == "f" else np.uint32
        flat = arrow.from_numpy(self.waveform.astype(kind, copy=False).ravel())
        ends = self.gates * np.arange(len(self) + 1, dtype=np.int32)
        return pa.ListArray.from_arrays(arrow.from_numpy(ends), flat)


def _spec(dtype: np.dtype) -> TableSpec:
    """Return the table's specification for the counts of a product."""
    if dtype.kind != "f":
        return ECHOES
    rows = [replace(v, dtype=pa.list_(pa.float32())) if v.name == "waveform" else v for v in ECHOES.variables]
    return replace(ECHOES, variables=tuple(rows))


def joined(parts: list[Echoes]) -> Echoes:
    """Return blocks of one file as one record.

    Parameters
    ----------
    parts : list of Echoes
        At least one, of the same file and gates, in order.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(first)
        if isinstance(getattr(first, f.name), np.ndarray)
    }
    extra = {k: np.concatenate([p.extra[k] for p in parts]) for k in first.extra}
    return replace(first, **arrays, extra=extra)
