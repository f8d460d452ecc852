"""Labelled echoes for training: tables of :data:`polynya.schema.lead_labels.LEAD_LABELS`, and files with distances.

``polynya label`` writes the tables from maps of leads. A file of simulated echoes has the distance to the nearest lead
of its radar map in a variable of its own (:data:`MAP_DISTANCE`) and is read as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from .. import io
from ..errors import PolynyaError, ProductError, UsageError
from ..physics import echo_inputs
from ..physics.waveform_features import features
from ..readers import echo_files
from ..schema import arrow, lead_labels
from ..schema.echoes import MODE_NAMES, Echoes
from ..schema.runs import RUNS

MAP_DISTANCE = "sar_lead_distance_m"
"""Variable of simulated files: distance from nadir to the nearest lead of the radar map, m."""
MOST_DISTANCE_M = 9000.0
"""Larger distances are taken as this: no lead within reach of the echo."""
THRESHOLD_M, BELT = 300.0, 3.0
"""Nearer is a lead; up to so many thresholds is ambiguous."""
PATTERNS = ("*.parquet", "*.nc")


@dataclass(frozen=True, kw_only=True)
class LabelledEchoes:
    """Echoes of many passes with labels, in the order of files and times.

    Attributes
    ----------
    features : tuple of str
    values : numpy.ndarray of float32, shape (n, features)
        Raw inputs (:mod:`polynya.physics.echo_inputs`), NaN where unknown.
    label : numpy.ndarray of int8, shape (n,)
        Codes of :data:`polynya.schema.lead_labels.LABELS`.
    distance : numpy.ndarray of float64, shape (n,)
        To the nearest lead of the map, m; NaN where unknown, at most 9 km.
    sequence : numpy.ndarray of int64, shape (n,)
        Number of the unbroken sequence, increasing.
    passed : numpy.ndarray of int32, shape (n,)
        Position in ``passes``.
    passes : tuple of str
    missions, modes : tuple of str
        That the echoes are of.
    simulated : bool
        Whether any file says that no satellite measured it.
    about : tuple of dict
        Of each file: its name, echoes and labels.
    """

    features: tuple[str, ...]
    values: np.ndarray
    label: np.ndarray
    distance: np.ndarray
    sequence: np.ndarray
    passed: np.ndarray
    passes: tuple[str, ...]
    missions: tuple[str, ...]
    modes: tuple[str, ...]
    simulated: bool
    about: tuple[dict[str, object], ...]

    def __len__(self) -> int:
        return len(self.label)

    def fingerprint(self) -> str:
        """Return a hash of inputs, labels and sequences."""
        h = hashlib.sha256(json.dumps([self.features, self.passes]).encode())
        for column in (self.values, self.label, self.distance, self.sequence, self.passed):
            h.update(np.ascontiguousarray(column).data)
        return h.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labels of n echoes; see :class:`LabelledEchoes`."""

    label: np.ndarray
    distance: np.ndarray
    pass_id: np.ndarray


def codes(distance: np.ndarray, *, threshold_m: float = THRESHOLD_M, belt: float = BELT) -> np.ndarray:
    """Return the labels of distances: lead below the threshold, ambiguous up to ``belt`` thresholds, else no lead.

    Parameters
    ----------
    distance : numpy.ndarray, shape (n,)
        m; NaN is unlabelled.
    threshold_m : float
        Below it is a lead.
    belt : float
        In thresholds.
    """
    out = np.full(np.shape(distance), lead_labels.UNLABELLED, np.int8)
    out[distance >= belt * threshold_m] = lead_labels.NO_LEAD
    out[distance < belt * threshold_m] = lead_labels.AMBIGUOUS
    out[distance < threshold_m] = lead_labels.LEAD_NEAR
    return out


def relabelled(label: np.ndarray, distance: np.ndarray, *, threshold_m: float, belt: float = BELT) -> np.ndarray:
    """Return labels by another threshold, where the distance is known; what is unlabelled stays so.

    Parameters
    ----------
    label, distance : numpy.ndarray, shape (n,)
        As :class:`LabelledEchoes` has them.
    threshold_m, belt : float
        As of :func:`codes`.
    """
    has = np.isfinite(distance) & (label != lead_labels.UNLABELLED)
    return np.where(has, codes(distance, threshold_m=threshold_m, belt=belt), label).astype(np.int8)


def inputs_of(echoes: Echoes, names: Sequence[str], *, most_steps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, sequences and which echoes have power; what training and prediction share.

    Parameters
    ----------
    echoes : Echoes
        In the order of the track.
    names : sequence of str
        Columns of :data:`polynya.physics.echo_inputs.NAMES`.
    most_steps : float
        A sequence ends at a longer gap.

    Returns
    -------
    values : numpy.ndarray of float32, shape (n, names)
    sequence : numpy.ndarray of int64, shape (n,)
    has_power : numpy.ndarray of bool, shape (n,)
    """
    waveform = echoes.waveform
    if echoes.fill is not None:
        waveform = np.where(waveform == echoes.fill, np.nan, waveform.astype(np.float32))
    shapes = features(waveform, scale=echoes.scale, agc=echoes.gain(), saturation=echoes.saturation)
    sequence = echo_inputs.sequences(echoes.time, most_steps=most_steps)
    values = echo_inputs.inputs(
        waveform, shapes, agc=echoes.agc, names=names, sequence=sequence, is_sea=echoes.is_sea()
    )
    return values, sequence, echo_inputs.has_power(shapes)


def read(paths: Iterable[Path | str], *, names: Sequence[str], most_steps: float) -> LabelledEchoes:
    """Read label tables and labelled files.

    Parameters
    ----------
    paths : iterable of Path or str
        Files, or folders that are searched for them.
    names : sequence of str
        Inputs wanted.
    most_steps : float
        A sequence ends at a longer gap.

    Returns
    -------
    LabelledEchoes

    Raises
    ------
    UsageError
        If nothing is found, a file has no labels, or a pass is there under two names.
    ProductError
        If a file is damaged.
    """
    parts, about, passes, places = [], [], dict[str, int](), []
    missions, modes, is_simulated, offset = set[str](), set[str](), False, 0
    for file in files(paths):
        for echoes, labels in _opened(file):
            order = np.lexsort((echoes.time.astype("datetime64[ns]").astype(np.int64), labels.pass_id))
            echoes = echoes.take(order)
            labels = Labels(**{k: v[order] for k, v in vars(labels).items()})
            values, sequence, has_power = inputs_of(echoes, names, most_steps=most_steps)
            number = np.array([passes.setdefault(p, len(passes)) for p in labels.pass_id.tolist()], np.int32)
            changes = np.concatenate([[0], np.cumsum(np.diff(number) != 0)]) if len(number) else number
            sequence = np.unique(np.stack([changes, sequence]), axis=1, return_inverse=True)[1].reshape(-1)
            known = np.where(has_power, labels.label, np.int8(lead_labels.UNLABELLED))
            far = np.minimum(np.where(has_power, labels.distance, np.nan), MOST_DISTANCE_M)
            places.append(
                np.stack([echoes.time.astype("datetime64[ms]").astype(np.int64), _ten_metres(echoes), number])
            )
            places[-1] = places[-1][:, has_power]
            parts.append((values, known, far, sequence + offset, number))
            offset += int(sequence.max(initial=-1)) + 1
            missions.add(echoes.mission)
            modes |= {MODE_NAMES[m] for m in np.unique(echoes.mode).tolist()}
            is_simulated |= echoes.is_simulated
            about.append({"file": file.name, "echoes": len(echoes), "labelled": int(np.count_nonzero(known >= 0))})
    if not parts:
        raise UsageError("labelled echoes: the files hold none; expected some. Give other label tables.")
    _check_passes(np.concatenate(places, axis=1), tuple(passes))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return LabelledEchoes(
        features=tuple(names),
        values=columns[0],
        label=columns[1].astype(np.int8),
        distance=columns[2],
        sequence=columns[3],
        passed=columns[4],
        passes=tuple(passes),
        missions=tuple(sorted(missions)),
        modes=tuple(sorted(modes)),
        simulated=is_simulated,
        about=tuple(about),
    )


def _ten_metres(echoes: Echoes) -> np.ndarray:
    """Return latitudes in ten-thousandths of a degree."""
    return np.round(np.nan_to_num(echoes.latitude) * 1e4).astype(np.int64)


def _check_passes(places: np.ndarray, names: Sequence[str]) -> None:
    """Reject two passes of the same echoes: time, latitude and pass, shape (3, n)."""
    found = np.unique(places, axis=1)  # sorted by time, latitude, pass
    same = np.flatnonzero((found[:2, 1:] == found[:2, :-1]).all(axis=0))
    if same.size:
        one, other = (names[k] for k in found[2, same[0] : same[0] + 2])
        raise UsageError(
            f"labelled echoes: the passes {one} and {other} hold the same echoes; expected each pass once, or one of"
            " them is in the training and the other in the test. Leave one out."
        )


def files(paths: Iterable[Path | str]) -> list[Path]:
    """Return the files of paths; of folders all label tables and NetCDF files that are no truth, sorted by name.

    The table of the page that ``polynya label`` writes into a folder is left out.

    Raises
    ------
    UsageError
        If there is no such path, or a folder holds none.
    """
    out: list[Path] = []
    for path in map(Path, paths):
        if path.is_file():
            out.append(path)
            continue
        found = sorted(p for pattern in PATTERNS for p in path.rglob(pattern) if _may_have_labels(p, path))
        if not found:
            raise UsageError(
                f"{path}: holds no label table (.parquet) and no echoes (.nc); expected some. Check the path."
            )
        out += found
    return out


def tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder of ``polynya label``, sorted by name; that of its page is none of labels."""
    return [p for p in sorted(folder.glob("*.parquet")) if not _is_page(p)]


def _is_page(path: Path) -> bool:
    """Return whether a file is the table of a page of runs."""
    if path.suffix != ".parquet":
        return False
    try:
        return io.table_metadata(path).get(b"polynya_table") == RUNS.name.encode()
    except PolynyaError:
        return False


def _may_have_labels(file: Path, folder: Path) -> bool:
    """Tell whether a file of a folder is no truth, not hidden, and not the table of a batch beside its results."""
    if file.stem.endswith("_truth") or any(p.startswith(".") for p in file.relative_to(folder).parts):
        return False
    return not (file.is_file() and _is_page(file))


def _opened(file: Path) -> list[tuple[Echoes, Labels]]:
    """Return echoes and labels of a file; of a table in parts of one mission and mode each."""
    if file.suffix == ".parquet":
        table = io.read_table(file)
        missing = [v.name for v in lead_labels.LABEL_COLUMNS if v.name not in table.column_names]
        if missing:
            raise UsageError(
                f"{file.name}: columns {', '.join(missing)} are missing; expected a label table of echoes. Make it with"
                " polynya label."
            )
        return [_of_table(table, file)]
    echoes = _of_file(file)
    far = np.asarray(echoes.extra[MAP_DISTANCE], np.float64)
    labels = Labels(label=codes(far), distance=far, pass_id=np.full(len(echoes), file.stem, object))
    return [(echoes, labels)]


def _of_table(table: pa.Table, file: Path) -> tuple[Echoes, Labels]:
    try:
        echoes = Echoes.from_table(table)
    except PolynyaError as error:
        raise ProductError(f"{file.name}: {error}") from error
    names = table["pass_id"].cast(pa.string()).to_numpy(zero_copy_only=False).astype(object)
    label = arrow.to_numpy(table["label"]).astype(np.int8)
    far = np.asarray(arrow.to_numpy(table["lead_distance"]), np.float64)
    return echoes, Labels(label=label, distance=np.where(np.isposinf(far), MOST_DISTANCE_M, far), pass_id=names)


def _of_file(file: Path) -> Echoes:
    try:
        return echo_files.read(file, extra=(MAP_DISTANCE,))
    except UsageError as error:
        raise UsageError(
            f"{file.name}: has no {MAP_DISTANCE}; expected a label table of polynya label, or simulated echoes with the"
            " distances of their radar map. Label it first."
        ) from error
