"""A granule's output tables, split by beam, and the numbers a report says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..errors import ProductError, one_line
from ..io import parquet
from ..schema import QUALITY_BITS, TableSpec, to_numpy

SEGMENT_COLUMNS = (
    "beam",
    "is_strong",
    "time",
    "latitude",
    "longitude",
    "x_atc",
    "n_photons",
    "height",
    "photon_rate",
    "background_rate",
    "solar_elevation",
    "surface_class",
    "sea_surface_height",
    "sea_surface_uncertainty",
    "sea_surface_source",
    "total_freeboard",
    "total_freeboard_uncertainty",
    "quality_flag",
)
DRAWN_COLUMNS = tuple(
    n
    for n in SEGMENT_COLUMNS
    if n not in ("beam", "is_strong", "n_photons", "height", "surface_class", "total_freeboard")
)
"""What a page draws beside the whole millimetres and the classes; the others enter its numbers only."""
MISSING = np.int16(-32768)
"""What a NaN becomes in heights of whole millimetres."""
LOWEST_MM, HIGHEST_MM = -5000, 15000
"""Range of the millimetre histograms; heights beyond count in the end bins."""


@dataclass(frozen=True, kw_only=True)
class BeamTable:
    """The segments of one beam in the order of the track.

    Attributes
    ----------
    name : str
    is_strong : bool
    columns : dict of str to numpy.ndarray
        Columns of :data:`SEGMENT_COLUMNS` without beam and strength; ``time`` as int64 nanoseconds since
        1970 (the smallest int64 is not-a-time).
    height_mm, freeboard_mm : numpy.ndarray of int16
        Whole millimetres, clipped to 32.767 m, :data:`MISSING` for NaN.
    kind : numpy.ndarray of int8
        Class as an index: 0 thick, 1 thin, 2 water, 3 unclassified.
    """

    name: str
    is_strong: bool
    columns: dict[str, np.ndarray]
    height_mm: np.ndarray
    freeboard_mm: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, kw_only=True)
class BeamNumbers:
    """What a report says of one beam.

    Attributes
    ----------
    counts : numpy.ndarray, shape (4,)
        Segments of each class index.
    freeboard_counts, freeboard_sums : numpy.ndarray, shape (4,)
        Segments that carry a freeboard and the sum of it (m), by class index.
    sigma_sum : float
        Sum of the freeboard uncertainties, m.
    height_histogram, freeboard_histogram : numpy.ndarray, shape (4, HIGHEST_MM - LOWEST_MM)
        Segments at each millimetre from LOWEST_MM, by class index.
    quality : numpy.ndarray, shape (8,)
        Segments that carry each bit of ``schema.QUALITY_BITS``.
    unflagged : int
        Segments with no bit set.
    sources : numpy.ndarray, shape (4,)
        Segments by sea_surface_source.
    with_sea_surface : int
        Segments with a finite sea_surface_height.
    n_photons : int
    """

    counts: np.ndarray
    freeboard_counts: np.ndarray
    freeboard_sums: np.ndarray
    sigma_sum: float
    height_histogram: np.ndarray
    freeboard_histogram: np.ndarray
    quality: np.ndarray
    unflagged: int
    sources: np.ndarray
    with_sea_surface: int
    n_photons: int


@dataclass(frozen=True, kw_only=True)
class PreparedBeam:
    """One beam as a report needs it: what it draws, and the numbers it says.

    Attributes
    ----------
    table : BeamTable
        Its columns are :data:`DRAWN_COLUMNS`.
    numbers : BeamNumbers
    """

    table: BeamTable
    numbers: BeamNumbers


def prepare(segments: pa.Table) -> list[PreparedBeam]:
    """Take what a report needs from segments: of a whole granule, or of one beam as soon as it is there.

    Parameters
    ----------
    segments : pyarrow.Table
        Columns of ``schema.SEGMENTS``, at least :data:`SEGMENT_COLUMNS`.

    Returns
    -------
    list of PreparedBeam
        By beam name; a beam without segments is not in it.
    """
    return [
        PreparedBeam(table=replace(b, columns={n: b.columns[n] for n in DRAWN_COLUMNS}), numbers=numbers(b))
        for b in split(segments)
    ]


def read(
    folder: Path, spec: TableSpec, *, columns: tuple[str, ...] | None = None, required: bool = False
) -> pa.Table | None:
    """Return a table of an output folder, None where the file is missing and not required.

    Raises
    ------
    ProductError
        If the file is missing though required, cannot be read, or lacks a column.
    """
    path = Path(folder) / f"{spec.name}.parquet"
    if not path.is_file():
        if not required:
            return None
        raise ProductError(
            f"{path}: no such file; expected a folder that polynya freeboard wrote. Name that folder, or run polynya"
            " freeboard first."
        )
    names = list(columns or spec.names)
    try:
        with parquet.opened(path) as file:
            missing = [n for n in names if n not in file.schema_arrow.names]
            if not missing:
                return file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise ProductError(
            f"{path}: cannot be read ({one_line(error)[:200]}); expected a Parquet table. Run polynya freeboard"
            " --overwrite again."
        ) from error
    raise ProductError(
        f"{path}: columns {missing} are missing; expected those of polynya.schema. Run polynya freeboard --overwrite"
        " again."
    )


def array(table: pa.Table, name: str) -> np.ndarray:
    """Return a column as numpy: time as int64 nanoseconds, floating point with NaN, integers with 0 where null."""
    column = table[name]
    if pa.types.is_timestamp(column.type):
        if column.type.unit != "ns":
            column = column.cast(pa.timestamp("ns", tz=column.type.tz))
        column = pa.chunked_array([c.view(pa.int64()) for c in column.chunks], pa.int64())
        column = column.fill_null(np.iinfo(np.int64).min) if column.null_count else column
    elif column.null_count:
        column = column.fill_null(
            float("nan") if pa.types.is_floating(column.type) else False if pa.types.is_boolean(column.type) else 0
        )
    chunks = [_plain(c) for c in column.chunks]
    return (
        chunks[0]
        if len(chunks) == 1
        else np.concatenate(chunks)
        if chunks
        else np.zeros(0, column.type.to_pandas_dtype())
    )


def _plain(values: pa.Array) -> np.ndarray:
    """Return an array without nulls as numpy from its buffer (``to_numpy``, ``pa.scalar``, ``pa.array`` import pandas:
    0.2 s; ``cast`` imports pyarrow.compute: 0.1 s)."""
    if pa.types.is_boolean(values.type):
        return to_numpy(values).view(np.uint8)
    buffer = values.buffers()[1]
    dtype = np.dtype(values.type.to_pandas_dtype())
    if buffer is None or len(values) == 0:
        return np.zeros(0, dtype)
    return np.frombuffer(buffer, dtype, count=len(values), offset=values.offset * dtype.itemsize)


def beam_codes(table: pa.Table) -> tuple[list[str], np.ndarray]:
    """Return the beam names of a table, sorted, and each row's index into them."""
    if table.num_rows == 0:
        return [], np.zeros(0, np.int64)
    column = table["beam"]
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    words = [str(v) for v in column.chunk(0).dictionary.to_pylist()]
    codes = np.concatenate(
        [_plain(c.indices.fill_null(0) if c.indices.null_count else c.indices) for c in column.chunks]
    )
    names = sorted(words)
    order = np.array([names.index(w) for w in words])
    present = np.bincount(order[codes], minlength=len(names)) > 0
    new = np.cumsum(present) - 1
    return [n for n, p in zip(names, present, strict=True) if p], new[order][codes]


def split(table: pa.Table) -> list[BeamTable]:
    """Return the segments beam by beam, each sorted along the track."""
    names, codes = beam_codes(table)
    if not names:
        return []
    whole = {n: array(table, n) for n in SEGMENT_COLUMNS if n != "beam"}
    edge = np.flatnonzero(np.diff(codes)) + 1
    contiguous = len(edge) + 1 == len(names)
    first = np.concatenate([[0], edge, [len(codes)]])
    out = []
    for k, name in enumerate(names):
        if contiguous:
            run = int(np.flatnonzero(codes[first[:-1]] == k)[0])
            rows: slice | np.ndarray = slice(int(first[run]), int(first[run + 1]))
        else:
            rows = np.flatnonzero(codes == k)
        part = {n: v[rows] for n, v in whole.items()}
        x = part["x_atc"]
        if len(x) > 1 and not (x[1:] >= x[:-1]).all():
            order = np.argsort(x, kind="stable")
            part = {n: v[order] for n, v in part.items()}
        good = np.isfinite(part["x_atc"])
        if not good.all():
            part = {n: v[good] for n, v in part.items()}
        strong = bool(part.pop("is_strong")[:1].any())
        if len(part["x_atc"]):
            kind = (part["surface_class"] & 3).astype(np.int8)
            out.append(
                BeamTable(
                    name=name,
                    is_strong=strong,
                    columns=part,
                    height_mm=millimetres(part["height"]),
                    freeboard_mm=millimetres(part["total_freeboard"]),
                    kind=kind,
                )
            )
    return out


def millimetres(metres: np.ndarray) -> np.ndarray:
    """Return int16 millimetres, clipped to 32.767 m, :data:`MISSING` for NaN."""
    scaled = metres * np.float32(1000.0)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32767.0, 32767.0, out=scaled)
    bad = np.isnan(scaled)
    if bad.any():
        scaled[bad] = float(MISSING)
    return scaled.astype(np.int16)


def numbers(beam: BeamTable) -> BeamNumbers:
    """Return the counts, sums and histograms of one beam."""
    columns, kind = beam.columns, beam.kind
    has = beam.freeboard_mm != MISSING
    freeboard = columns["total_freeboard"]
    kinds_with = kind[has] if not has.all() else kind
    freeboard_with = freeboard[has] if not has.all() else freeboard
    sigma = columns["total_freeboard_uncertainty"]
    n_flags = 2 * max(bit for bit, _ in QUALITY_BITS)
    flags = np.bincount(columns["quality_flag"].astype(np.int64), minlength=n_flags)
    values = np.arange(n_flags)
    return BeamNumbers(
        counts=np.bincount(kind, minlength=4),
        freeboard_counts=np.bincount(kinds_with, minlength=4),
        freeboard_sums=np.bincount(kinds_with, weights=freeboard_with, minlength=4),
        sigma_sum=float(np.nansum(sigma, dtype=np.float64)),
        height_histogram=_histogram(beam.height_mm, kind),
        freeboard_histogram=_histogram(beam.freeboard_mm, kind),
        quality=np.array([flags[(values & bit) != 0].sum() for bit, _ in QUALITY_BITS]),
        unflagged=int(flags[0]),
        sources=np.bincount(columns["sea_surface_source"].clip(0, 3), minlength=4),
        with_sea_surface=int(np.isfinite(columns["sea_surface_height"]).sum()),
        n_photons=int(columns["n_photons"].sum(dtype=np.int64)),
    )


def _histogram(mm: np.ndarray, kind: np.ndarray) -> np.ndarray:
    span = HIGHEST_MM - LOWEST_MM
    code = mm.astype(np.int32)
    bad = mm == MISSING
    np.clip(code, LOWEST_MM, HIGHEST_MM - 1, out=code)
    code -= LOWEST_MM
    code += kind.astype(np.int32) * span
    if bad.any():
        code = code[~bad]
    return np.bincount(code, minlength=4 * span).reshape(4, span)


def quantile(histogram: np.ndarray, share: float) -> float:
    """Return a quantile in metres of a millimetre histogram (one dimension), NaN where it is empty."""
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    wanted = max(1, int(np.ceil(share * total)))
    return (LOWEST_MM + int(np.searchsorted(np.cumsum(histogram), wanted))) / 1000.0
