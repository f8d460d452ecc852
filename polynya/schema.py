"""The vocabulary: every variable that stages exchange, with dtype, units and meaning.

A table on disk or between stages is a ``pyarrow.Table`` that matches one :class:`TableSpec` here.
Arrow metadata dies in pandas and Spark, so this module is the source of truth and writing casts to
it. Heights are metres, angles degrees, time UTC; missing values are NaN (floating point) or the
flag value that says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .errors import UsageError

UTC_NS = pa.timestamp("ns", tz="UTC")
TEXT = pa.string()
BEAM_NAMES = ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A remark that travels with data: programs read the code, people the text.

    Attributes
    ----------
    code : str
        What kind of remark it is, in ``snake_case``; the same code for the same fact.
    text : str
        One sentence or phrase; its words may change.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Variable:
    """One exchanged variable.

    Attributes
    ----------
    name : str
    dtype : pyarrow.DataType
    units : str
        UDUNITS text; ``"1"`` for a pure number, ``""`` for text and time.
    long_name : str
    standard_name : str
        CF standard name, empty where CF has none that fits.
    flags : tuple of (int, str)
        Values and meanings, for class and flag variables.
    is_bits : bool
        True where the flags are bits that combine (CF ``flag_masks``).
    """

    name: str
    dtype: pa.DataType
    units: str
    long_name: str
    standard_name: str = ""
    flags: tuple[tuple[int, str], ...] = ()
    is_bits: bool = False

    def attributes(self) -> dict[str, str]:
        """Return the CF attributes as text."""
        out = {"units": self.units, "long_name": self.long_name}
        if self.standard_name:
            out["standard_name"] = self.standard_name
        if self.flags:
            out["flag_masks" if self.is_bits else "flag_values"] = " ".join(str(v) for v, _ in self.flags)
            out["flag_meanings"] = " ".join(m for _, m in self.flags)
        return {k: v for k, v in out.items() if v}

    def field(self) -> pa.Field:
        """Return the Arrow field with its metadata."""
        return pa.field(self.name, self.dtype, metadata=self.attributes())


@dataclass(frozen=True)
class TableSpec:
    """The columns of one table, in order."""

    name: str
    variables: tuple[Variable, ...]

    def __getitem__(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        return [v.name for v in self.variables]

    def schema(self, *, about: dict[str, object] | None = None) -> pa.Schema:
        """Return the Arrow schema; ``about`` (granule, product, release, datum ...) goes into its metadata."""
        metadata = {"polynya_table": self.name, "datum": DATUM}
        metadata.update({k: v if isinstance(v, str) else json.dumps(v) for k, v in (about or {}).items()})
        return pa.schema([v.field() for v in self.variables], metadata=metadata)


DATUM = "WGS 84 ellipsoid in ITRF2014; latitude and longitude EPSG:4326"

# Surface classes. The order is that of the three probabilities.
THICK_ICE, THIN_ICE, OPEN_WATER, UNCLASSIFIED = 0, 1, 2, -1
SURFACE_CLASSES = ((0, "thick_ice"), (1, "thin_ice"), (2, "open_water"), (-1, "unclassified"))
CLASS_NAMES = {value: name for value, name in SURFACE_CLASSES}

# How a segment got its sea surface.
SOURCE_NONE, SOURCE_LEADS, SOURCE_TWO_SIDED, SOURCE_ONE_SIDED = 0, 1, 2, 3
SEA_SURFACE_SOURCES = ((0, "none"), (1, "leads"), (2, "two_sided_fill"), (3, "one_sided_fill"))

# quality_flag: bits, 0 is best.
QUALITY_BITS = (
    (1, "few_photons"),
    (2, "geoid_instead_of_mean_sea_surface"),
    (4, "no_first_photon_bias_correction"),
    (8, "correction_missing"),
    (16, "background_contaminated"),
    (32, "next_to_gap"),
    (64, "sea_surface_filled"),
    (128, "saturated_shots"),
)

_GRANULE = Variable(
    "granule", pa.dictionary(pa.int32(), TEXT), "", "granule identifier, the file name without its extension"
)
_BEAM = Variable("beam", pa.dictionary(pa.int32(), TEXT), "", "ground track group in the granule")
_STRONG = Variable("is_strong", pa.bool_(), "", "true for a strong beam at the granule's orientation")
_TIME = Variable("time", UTC_NS, "", "time of the laser shots, UTC", "time")
_LAT = Variable("latitude", pa.float64(), "degrees_north", "latitude", "latitude")
_LON = Variable("longitude", pa.float64(), "degrees_east", "longitude", "longitude")
_X = Variable("x_atc", pa.float64(), "m", "along-track distance from the equator crossing")
_WHERE = (_GRANULE, _BEAM, _STRONG, _TIME, _LAT, _LON)
_CLASS = Variable("surface_class", pa.int8(), "1", "surface class", flags=SURFACE_CLASSES)

F4 = pa.float32()

SEGMENTS = TableSpec(
    "segments",
    (
        *_WHERE,
        _X,
        Variable("n_photons", pa.int32(), "1", "photons that made height: those inside the window around the surface"),
        Variable(
            "height_mean",
            F4,
            "m",
            "mean height of all the segment's signal photons above the ellipsoid, as in h_ph",
            "height_above_reference_ellipsoid",
        ),
        Variable(
            "height_median",
            F4,
            "m",
            "median height of all the segment's signal photons above the ellipsoid",
            "height_above_reference_ellipsoid",
        ),
        Variable("height_sd", F4, "m", "standard deviation of all the segment's signal photons"),
        Variable("height", F4, "m", "corrected surface height above the mean sea surface"),
        Variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        Variable("photon_rate", F4, "1", "photons per laser shot"),
        Variable("photon_rate_high", F4, "1", "photons of medium or high sea-ice confidence per laser shot"),
        Variable("background_rate", F4, "Hz", "background photon rate of the 50-shot block"),
        Variable("solar_elevation", F4, "degree", "solar elevation", "solar_elevation_angle"),
        _CLASS,
        Variable("probability_thick", F4, "1", "probability-like score of thick ice"),
        Variable("probability_thin", F4, "1", "probability-like score of thin ice"),
        Variable("probability_water", F4, "1", "probability-like score of open water"),
        Variable("sea_surface_height", F4, "m", "local sea surface height above the mean sea surface"),
        Variable("sea_surface_uncertainty", F4, "m", "one standard uncertainty of sea_surface_height"),
        Variable(
            "sea_surface_source", pa.int8(), "1", "where sea_surface_height comes from", flags=SEA_SURFACE_SOURCES
        ),
        Variable(
            "total_freeboard", F4, "m", "height of the snow or ice surface above the local sea surface, snow included"
        ),
        Variable("total_freeboard_uncertainty", F4, "m", "one standard uncertainty of total_freeboard"),
        Variable("quality_flag", pa.int16(), "1", "quality bits, 0 is best", flags=QUALITY_BITS, is_bits=True),
        Variable("mean_sea_surface", F4, "m", "mean sea surface above the ellipsoid that was subtracted"),
        Variable("tide_ocean", F4, "m", "ocean tide that was subtracted, NaN where switched off"),
        Variable(
            "tide_equilibrium", F4, "m", "long-period equilibrium tide that was subtracted, NaN where switched off"
        ),
        Variable("dac", F4, "m", "dynamic atmosphere correction that was subtracted, NaN where switched off"),
        Variable(
            "first_photon_bias", F4, "m", "first-photon bias that was subtracted, NaN where unknown or switched off"
        ),
    ),
)

LEADS = TableSpec(
    "leads",
    (
        *_WHERE,
        Variable("x_atc", pa.float64(), "m", "along-track distance of the lead's centre"),
        Variable("length", F4, "m", "extent of the lead along the track"),
        Variable("n_segments", pa.int32(), "1", "water segments in the lead"),
        Variable("n_photons", pa.int32(), "1", "photons in the lead"),
        Variable("height", F4, "m", "water height above the mean sea surface"),
        Variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        Variable("photon_rate", F4, "1", "mean photons per laser shot"),
        Variable("is_specular", pa.bool_(), "", "true where the photon rate says a mirror-like return"),
        Variable("probability_water", F4, "1", "mean probability-like score of open water"),
        Variable("is_used", pa.bool_(), "", "true where the lead entered a sea surface section"),
    ),
)

SEA_SURFACE = TableSpec(
    "sea_surface",
    (
        *_WHERE,
        Variable("x_atc", pa.float64(), "m", "along-track distance of the section's centre"),
        Variable("section_length", F4, "m", "length of the section along the track"),
        Variable("n_leads", pa.int32(), "1", "leads in the section"),
        Variable("sea_surface_height", F4, "m", "local sea surface height above the mean sea surface"),
        Variable("sea_surface_uncertainty", F4, "m", "one standard uncertainty of sea_surface_height"),
        Variable(
            "sea_surface_source", pa.int8(), "1", "where sea_surface_height comes from", flags=SEA_SURFACE_SOURCES
        ),
        Variable("height_unsmoothed", F4, "m", "section height before the smoother"),
    ),
)

# Truth of a simulated granule: one row for each 2 m cell, whether or not photons came back.
LEAD_TYPES = ((0, "no_lead"), (1, "specular_lead"), (2, "dark_lead"), (3, "rough_lead"))
TRUTH = TableSpec(
    "truth",
    (
        _GRANULE,
        _BEAM,
        _STRONG,
        _LAT,
        _LON,
        Variable("x_atc", pa.float64(), "m", "along-track distance of the cell's centre: 2 * (floor(x / 2) + 0.5)"),
        _CLASS,
        Variable("lead_type", pa.int8(), "1", "kind of open water", flags=LEAD_TYPES),
        Variable(
            "surface_height",
            F4,
            "m",
            "true surface height above the mean sea surface, tides and dac removed, mean over the 2 m cell",
        ),
        Variable("surface_height_footprint", F4, "m", "the same, as the 11 m footprint sees it on average"),
        Variable("sea_surface_height", F4, "m", "true local sea surface height above the mean sea surface"),
        Variable("total_freeboard", F4, "m", "true freeboard, mean over the 2 m cell, 0 over water"),
        Variable("total_freeboard_footprint", F4, "m", "the same, as the 11 m footprint sees it on average"),
        Variable("cloud_transmission", F4, "1", "two-way transmission of cloud, 1 is clear"),
    ),
)

# What a track network sees of a 2 m segment: no label, no class and no truth enters any of these.
FEATURES = TableSpec(
    "features",
    (
        Variable("height", F4, "m", "corrected surface height above the mean sea surface"),
        Variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        Variable("height_sd", F4, "m", "standard deviation of all the segment's signal photons"),
        Variable("mean_minus_median", F4, "m", "mean less median height of all the segment's signal photons"),
        Variable("height_above_low", F4, "m", "height above the running 2 % quantile within 10 km, no classes needed"),
        Variable(
            "height_above_water",
            F4,
            "m",
            "height above the first guess of the local water level: mirror-like returns within 25 km, else a low"
            " quantile",
        ),
        Variable("n_photons", pa.int32(), "1", "photons that made height: those inside the window around the surface"),
        Variable("photon_rate", F4, "1", "photons per laser shot"),
        Variable("photon_rate_high", F4, "1", "photons of medium or high sea-ice confidence per laser shot"),
        Variable("photon_rate_change", F4, "1", "photon_rate_high less that of the segment before, 0 after a gap"),
        Variable("background_count", F4, "1", "background photons of the 50-shot block"),
        Variable("background_rate", F4, "Hz", "background photon rate of the 50-shot block"),
        Variable("background_rate_change", F4, "Hz", "background_rate less that of the segment before, 0 after a gap"),
        Variable("background_relative", F4, "1", "background_rate over its median nearby, 1 by night"),
        Variable("rate_clear", F4, "1", "photons per shot that a strong beam would get without cloud"),
        Variable("transmission", F4, "1", "how much the stretch is dimmed against snow under a clear sky"),
        Variable("rate_pooled", F4, "1", "rate_clear pooled over half an ATL07 segment on either side"),
        Variable(
            "width_pooled",
            F4,
            "m",
            "surface height spread pooled over half an ATL07 segment on either side, pulse removed",
        ),
        Variable("solar_elevation", F4, "degree", "solar elevation", "solar_elevation_angle"),
    ),
)

# Labels of 2 m segments, with where they come from, and the features they are learnt from.
ANY_ICE = 3
LABEL_CLASSES = (*SURFACE_CLASSES[:3], (ANY_ICE, "ice_thick_or_thin"), (-1, "unlabelled"))
LABEL_NONE, LABEL_IMAGE, LABEL_PERSON, LABEL_SIMULATION, LABEL_ATL07 = 0, 1, 2, 3, 4
LABEL_SOURCES = ((0, "none"), (1, "image"), (2, "person"), (3, "simulation_truth"), (4, "atl07_surface_type"))
LABEL_FLAGS = (
    (0, "labelled"),
    (1, "class_transition"),
    (2, "cloud_or_shadow"),
    (3, "outside_scene"),
    (4, "shift_unsure"),
    (5, "no_class"),
    (6, "set_aside_by_person"),
)
LABELS = TableSpec(
    "labels",
    (
        *_WHERE,
        _X,
        Variable("easting", pa.float64(), "m", "easting in the scene's CRS, drift shift added; NaN without a scene"),
        Variable("northing", pa.float64(), "m", "northing in the scene's CRS, drift shift added; NaN without a scene"),
        Variable(
            "image_value", pa.int16(), "1", "V (0-255) of the scene's pixel under the segment, -1 where there is none"
        ),
        Variable("label", pa.int8(), "1", "label of the surface", flags=LABEL_CLASSES),
        Variable("label_source", pa.int8(), "1", "who gave the label", flags=LABEL_SOURCES),
        Variable("label_flag", pa.int8(), "1", "why a segment carries no label", flags=LABEL_FLAGS),
        *FEATURES.variables,
    ),
)

# One tidy row per number that evaluate prints.
EVALUATION = TableSpec(
    "evaluation",
    (
        Variable("metric", TEXT, "", "what was measured"),
        Variable("class", TEXT, "", "surface class, 'all', or the pair of a confusion cell"),
        Variable("region", TEXT, "", "beam strength or beam: strong, weak, all"),
        Variable("value", pa.float64(), "", "the value, in the metric's units"),
        Variable("low", pa.float64(), "", "lower end of the 95 % interval, NaN where none is given"),
        Variable("high", pa.float64(), "", "upper end of the 95 % interval"),
        Variable("n", pa.int64(), "1", "samples the value rests on"),
        Variable("units", TEXT, "", "units of the value"),
        Variable("reference", TEXT, "", "what the value was measured against"),
    ),
)

TABLES = {spec.name: spec for spec in (SEGMENTS, LEADS, SEA_SURFACE, TRUTH, FEATURES, LABELS, EVALUATION)}


def table(spec: TableSpec, columns: dict[str, object], *, about: dict[str, object] | None = None) -> pa.Table:
    """Build a table that matches a spec from arrays.

    Parameters
    ----------
    spec : TableSpec
    columns : dict of str to array
        Every column of the spec, all of one length. Text columns that are constant may be given as
        one ``str``; numpy ``datetime64[ns]`` is taken as UTC.
    about : dict, optional
        Granule, product, release and the like, for the schema's metadata.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        If a column is missing, unknown or of another length.
    """
    missing = [n for n in spec.names if n not in columns]
    unknown = [n for n in columns if n not in spec.names]
    if missing or unknown:
        raise UsageError(
            f"table {spec.name}: missing columns {missing}, unknown columns {unknown}; "
            f"expected exactly {spec.names}. Name the columns as polynya.schema does."
        )
    lengths = {len(v) for v in columns.values() if not isinstance(v, (str, bool))}
    if len(lengths) > 1:
        raise UsageError(
            f"table {spec.name}: columns of lengths {sorted(lengths)}; expected one length. Align them first."
        )
    n = lengths.pop() if lengths else 0
    arrays = []
    for variable in spec.variables:
        arrays.append(_column(variable, columns[variable.name], n))
    return pa.Table.from_arrays(arrays, schema=spec.schema(about=about))


def _column(variable: Variable, value: object, n: int) -> pa.Array:
    dtype = variable.dtype
    if isinstance(value, str) and pa.types.is_dictionary(dtype):
        return pa.DictionaryArray.from_arrays(from_numpy(np.zeros(n, np.int32)), _one_text(value))
    if isinstance(value, (str, bool)):
        return pa.array([value] * n, dtype)
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value.cast(dtype) if value.type != dtype else value
    if pa.types.is_dictionary(dtype):
        return pa.array(list(value), TEXT).dictionary_encode()
    array = np.asarray(value)
    if pa.types.is_timestamp(dtype):
        return from_numpy(array.astype("datetime64[ns]")).cast(dtype)
    if pa.types.is_floating(dtype) or pa.types.is_integer(dtype):
        return from_numpy(array.astype(dtype.to_pandas_dtype(), copy=False))
    if pa.types.is_boolean(dtype):
        return from_numpy(array.astype(bool, copy=False))
    return pa.array(list(value), dtype)


def _one_text(value: str) -> pa.Array:
    data = value.encode()
    return pa.Array.from_buffers(TEXT, 1, [None, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)])


def from_numpy(array: np.ndarray) -> pa.Array:
    """Return a one-dimensional numpy array as an Arrow array, without a copy where numbers allow it.

    Parameters
    ----------
    array : numpy.ndarray, shape (n,)
        Numbers, booleans or ``datetime64[ns]``; NaN stays NaN, NaT becomes null.

    Returns
    -------
    pyarrow.Array

    Notes
    -----
    ``pyarrow.array`` does the same but imports pandas on the way, a quarter of a second.
    """
    n = array.size
    if array.dtype.kind == "b":
        return pa.Array.from_buffers(pa.bool_(), n, [None, pa.py_buffer(np.packbits(array, bitorder="little"))])
    valid = None
    if array.dtype.kind == "M":
        missing = np.isnat(array)
        if missing.any():
            valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
        return pa.Array.from_buffers(
            pa.timestamp("ns"), n, [valid, pa.py_buffer(np.ascontiguousarray(array).view(np.int64))]
        )
    array = np.ascontiguousarray(array)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), n, [None, pa.py_buffer(array)])


def to_numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a column of numbers as numpy, from its buffer where it has no nulls.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray, length n

    Returns
    -------
    numpy.ndarray, shape (n,)
        Read-only where it shares the column's memory.

    Notes
    -----
    ``to_numpy`` of pyarrow does the same but imports pandas on the way, a quarter of a second.
    """
    parts = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not plain or column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
    dtype = np.dtype(column.type.to_pandas_dtype())
    arrays = [
        np.frombuffer(p.buffers()[1], dtype, count=len(p), offset=p.offset * dtype.itemsize) for p in parts if len(p)
    ]
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, dtype), *arrays])


def check(data: pa.Table, spec: TableSpec) -> pa.Table:
    """Return ``data`` cast to a spec's columns and types, extra columns dropped.

    Parameters
    ----------
    data : pyarrow.Table
    spec : TableSpec

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        If a column is missing or cannot be cast.
    """
    missing = [n for n in spec.names if n not in data.column_names]
    if missing:
        raise UsageError(
            f"table {spec.name}: columns {missing} are missing; found {data.column_names}. "
            "Give a table that polynya wrote, or rename the columns."
        )
    about = {k.decode(): v.decode() for k, v in (data.schema.metadata or {}).items() if k not in (b"geo", b"pandas")}
    target = spec.schema(about=about)
    try:
        return data.select(spec.names).cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"table {spec.name}: {error}; expected the types of polynya.schema. Convert the columns first."
        ) from error
