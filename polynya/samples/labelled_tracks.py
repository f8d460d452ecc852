"""Label tables read for training: features, sets of admissible classes, and where each segment lies.

Features stay raw but for the z-scores of :class:`Scaling`; NaN becomes 0 after scaling, the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from .. import io, schema
from ..errors import ProductError, UsageError
from ..io import parquet
from . import class_bits
from .splits import Split

RESOLUTION_M = 2.0
UNKNOWN = 0
"""Target of a segment that nobody labelled: no admissible class."""
ADMITS = {schema.THICK_ICE: (0,), schema.THIN_ICE: (1,), schema.OPEN_WATER: (2,), schema.ANY_ICE: (0, 1)}
"""Numbers of the classes that a label of :data:`polynya.schema.LABEL_CLASSES` admits."""
UNLABELLED = (-1,)


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Labelled segments of many granules, sorted by granule, beam and place.

    Attributes
    ----------
    features : tuple of str
    values : numpy.ndarray of float32, shape (n, features)
        Raw, NaN where unknown.
    targets : numpy.ndarray of uint32, shape (n,)
        Admissible classes as bits (1 thick, 2 thin, 4 water; 3 ice of unknown thickness; 0 unlabelled).
    source : numpy.ndarray of int8, shape (n,)
        Who gave the label: codes of ``schema.LABEL_SOURCES``.
    granule, beam : numpy.ndarray of int32, shape (n,)
        Positions in ``granules`` and in :data:`polynya.schema.BEAM_NAMES`.
    is_strong : numpy.ndarray of bool, shape (n,)
    x : numpy.ndarray of float64, shape (n,)
        Along-track distance, m.
    granules : tuple of str
    group : numpy.ndarray of int32, shape (granules,)
        Granules that show the same ice share a number: those whose label table names the same ``source``, else each its
        own.
    about : tuple of dict
        What each file says of itself (simulator, scene, shift ...).
    cell_m : float
        Grid of the segments, m.
    """

    features: tuple[str, ...]
    values: np.ndarray
    targets: np.ndarray
    source: np.ndarray
    granule: np.ndarray
    beam: np.ndarray
    is_strong: np.ndarray
    x: np.ndarray
    granules: tuple[str, ...]
    group: np.ndarray
    about: tuple[dict[str, str], ...] = ()
    cell_m: float = RESOLUTION_M

    def __len__(self) -> int:
        return len(self.x)

    @property
    def cell(self) -> np.ndarray:
        """Number of the cell, ``floor(x / cell_m)``; shape (n,) int64."""
        return np.floor(self.x / self.cell_m).astype(np.int64)

    @property
    def track(self) -> np.ndarray:
        """One number per granule and beam; shape (n,) int64."""
        return self.granule.astype(np.int64) * len(schema.BEAM_NAMES) + self.beam


def read(
    paths: Iterable[Path | str],
    *,
    features: tuple[str, ...],
    admits: Mapping[int, Sequence[int]] | None = None,
    cell_m: float = RESOLUTION_M,
) -> Tracks:
    """Read label tables that ``polynya label`` wrote, or tables of one's own with the same columns.

    Parameters
    ----------
    paths : iterable of Path or str
        Files, or folders that are searched for ``*.parquet`` label tables.
    features : tuple of str
        Columns of :data:`polynya.schema.FEATURES`, or columns that the tables have.
    admits : mapping of int to sequence of int, optional
        Numbers of the classes that each code of ``label`` admits; those of sea-ice segments by default.
    cell_m : float
        Grid of the segments, m.

    Returns
    -------
    Tracks

    Raises
    ------
    UsageError
        If a feature does not exist, a label is outside the target, or nothing is found.
    ProductError
        If a file is damaged, is no label table, or a segment occurs twice.
    """
    columns = ["granule", "beam", "is_strong", "x_atc", "label", "label_source", *features]
    parts, names, about, sources = [], [], [], {}
    for file in _files(paths):
        metadata = _metadata(file)
        _check_features(file, features)
        data = io.read_table(file, columns=list(dict.fromkeys(columns)))
        granule = data["granule"].cast(pa.string()).to_numpy(zero_copy_only=False)
        found, code = np.unique(granule.astype(str), return_inverse=True)
        code = (
            np.array([_number(names, n) for n in found.tolist()], np.int32)[code]
            if found.size
            else np.zeros(0, np.int32)
        )
        beam_names, beam = np.unique(
            data["beam"].cast(pa.string()).to_numpy(zero_copy_only=False).astype(str), return_inverse=True
        )
        strange = [b for b in beam_names.tolist() if b not in schema.BEAM_NAMES]
        if strange:
            raise ProductError(
                f"{file.name}: beam {strange[0]} is unknown; expected {list(schema.BEAM_NAMES)}. Label the granule"
                " again."
            )
        beam = (
            np.array([schema.BEAM_NAMES.index(b) for b in beam_names.tolist()], np.int32)[beam]
            if beam_names.size
            else beam.astype(np.int32)
        )
        values = np.stack([schema.to_numpy(data[f]).astype(np.float32) for f in features], axis=1)
        values[~np.isfinite(values)] = np.nan
        parts.append(
            (
                code,
                beam,
                np.asarray(data["is_strong"].to_numpy(), bool),
                schema.to_numpy(data["x_atc"]),
                class_bits.bits_of(
                    schema.to_numpy(data["label"]),
                    ADMITS if admits is None else admits,
                    unlabelled=UNLABELLED,
                    where=file.name,
                ),
                schema.to_numpy(data["label_source"]),
                values,
            )
        )
        about.append({"file": file.name, **metadata})
        sources |= {n: metadata.get("source") or n for n in found.tolist()}
    if not parts:
        raise UsageError(
            f"{', '.join(map(str, paths))}: no label table found; expected parquet files that polynya label wrote."
            " Check --data."
        )
    granule, beam, strong, x, targets, source, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((x, beam, granule))
    out = Tracks(
        features=tuple(features),
        values=values[order],
        targets=targets[order],
        source=source[order],
        granule=granule[order],
        beam=beam[order],
        is_strong=strong[order],
        x=x[order],
        granules=tuple(names),
        group=_same(names, sources),
        about=tuple(about),
        cell_m=cell_m,
    )
    twice = (np.diff(out.track) == 0) & (np.diff(out.cell) == 0)
    if twice.any():
        k = int(np.argmax(twice))
        raise ProductError(
            f"{names[out.granule[k]]} {schema.BEAM_NAMES[out.beam[k]]}: {int(twice.sum())} segments occur twice, the"
            f" first at x_atc {out.x[k]:.0f} m; expected each segment once. Leave the second label file of this granule"
            " out of --data."
        )
    if not (out.targets != UNKNOWN).any():
        raise ProductError(
            f"{len(parts)} label tables, {len(out)} segments: none is labelled; expected labels 0 to 3. Label with a"
            " scene that overlaps the track."
        )
    return out


def _check_features(file: Path, features: tuple[str, ...]) -> None:
    """Raise UsageError where a feature is neither one of the schema nor a column of the file."""
    known = [*schema.FEATURES.names, *(set(parquet.schema_of(file).names) - set(schema.LABELS.names))]
    unknown = [f for f in features if f not in known]
    if unknown or not features:
        raise UsageError(
            f"features {unknown or 'none'}: expected some of {schema.FEATURES.names}, or other columns of {file.name}."
            " Name the features as polynya.schema does."
        )


def _files(paths: Iterable[Path | str]) -> list[Path]:
    out: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            out += sorted(
                p
                for p in path.rglob("*.parquet")
                if not any(w.startswith(".") for w in p.relative_to(path).parts) and _table(p) == "labels"
            )
        elif path.exists():
            if _table(path) != "labels":
                raise ProductError(
                    f"{path.name}: holds the table {_table(path) or 'unknown'}; expected labels. Give files that"
                    " polynya label wrote."
                )
            out.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder; expected label tables. Check --data.")
    return list(dict.fromkeys(p.resolve() for p in out))


def _metadata(path: Path) -> dict[str, str]:
    if not path.is_file():  # a pipe would be waited for
        return {}
    try:
        metadata = parquet.schema_of(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}
    return {k.decode(): v.decode() for k, v in metadata.items() if k not in (b"geo", b"pandas", b"ARROW:schema")}


def _table(path: Path) -> str:
    return _metadata(path).get("polynya_table", "")


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def _same(names: list[str], sources: dict[str, str]) -> np.ndarray:
    return np.unique([sources[n] for n in names], return_inverse=True)[1].astype(np.int32)


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """z-scores of the training part.

    Attributes
    ----------
    mean, std : tuple of float
        A feature each; std is 1 for a feature that does not vary.
    limit : float
        Scaled values are held within ± this, so that a value never seen cannot run away.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    limit: float = 10.0

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return ``(values - mean) / std`` within the limit, NaN as 0; float32 of the same shape (..., features)."""
        out = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        np.clip(out, -self.limit, self.limit, out=out)
        return np.nan_to_num(out, copy=False, nan=0.0).astype(np.float32, copy=False)


def fit_scaling(values: np.ndarray) -> Scaling:
    """Return the z-scores of (n, features) training values; NaN are left out, constant and empty features keep std
    1."""
    values = np.asarray(values, np.float64)
    good = np.isfinite(values)
    n = np.maximum(good.sum(axis=0), 1)
    mean = np.where(good, values, 0.0).sum(axis=0) / n
    std = np.sqrt(np.where(good, (values - mean) ** 2, 0.0).sum(axis=0) / n)
    std = np.where(std > 1e-6 * np.maximum(np.abs(mean), 1e-6), std, 1.0)
    return Scaling(mean=tuple(mean.astype(np.float32).tolist()), std=tuple(std.astype(np.float32).tolist()))


def sampling_weights(
    tracks: Tracks,
    *,
    split: Split,
    part: int,
    by_class: bool,
    by_beam: bool,
    emphasis: tuple[tuple[int, int, float], ...] = (),
) -> np.ndarray | None:
    """Return how often each segment should be drawn so that classes, beam strengths or both come equally often.

    Parameters
    ----------
    tracks : Tracks
        The segments.
    split : Split
        How the data are split.
    part : int
        Number of the part.
    by_class, by_beam : bool
        Whether strong and weak beams come equally often.
    emphasis : tuple of (source, target, times)
        Segments with this code of ``schema.LABEL_SOURCES`` and these admissible classes come so many times as often.

    Returns
    -------
    numpy.ndarray of float64, shape (n,), or None
        None where nothing is to be balanced. Ice of unknown thickness counts as a class of its own.
    """
    if not (by_class or by_beam or emphasis):
        return None
    group = np.zeros(len(tracks), np.int64)
    if by_class:
        group = np.unique(tracks.targets, return_inverse=True)[1].reshape(-1)
    if by_beam:
        group = group * 2 + tracks.is_strong
    used = (split.part == part) & (tracks.targets != UNKNOWN)
    count = np.bincount(group[used], minlength=int(group.max()) + 1)
    weights = np.where(used, 1.0 / np.maximum(count[group], 1), 0.0)
    for source, target, times in emphasis:
        weights[(tracks.source == source) & (tracks.targets == target)] *= times
    return weights
