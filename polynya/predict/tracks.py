"""Class probabilities along a track from an exported network: onnxruntime or OpenVINO, no torch.

An export is one ONNX file. Scaling of the raw features, temperature and softmax are inside its graph; what
the graph cannot say (which features, in which order, on which grid) is the JSON in its metadata property
``polynya`` (:class:`polynya.description.OfTracks`). Two kinds of network are known:

* ``window``: inputs (batch, length, features) of contiguous segments, outputs (batch, 3) for the middle one.
  Beside a gap the run's own edge segment is repeated; nothing is taken from beyond the gap.
* ``sequence``: inputs (1, features + 1, length) on the 2 m grid, the last channel 1 where a segment exists;
  outputs (1, 3, length). Pieces of the track are laid one after another on one line, with as much empty grid
  between them as keeps them apart, and the line is cut into tiles that overlap by the receptive field. Every
  piece and every tile starts at a multiple of the network's total stride of absolute cell numbers, so that the
  result does not depend on tiles, neighbours or where a track was cut: a segment sees the same cells at the
  same phase.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import compiled
from ..description import SURFACE, OfTracks
from ..errors import ProductError, UsageError
from ..physics import tracks
from ..schema import FEATURES
from . import runtime as predict_runtime

CLASSES = SURFACE


TILE = 49_152
"""Most cells of a tile without its halo: some megabytes for each layer; a halo of two thousand cells costs a tenth."""


BATCH = 16_384
"""Windows given to a window network at once."""


Description = OfTracks


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A network that is ready to run; may be used by several threads at once.

    Attributes
    ----------
    name : str
        As it was asked for: a shipped name, or the file's.
    path : Path
    sha256 : str
        Of the ONNX file.
    description : OfTracks
    about : dict
        The whole JSON of the file.
    runtime : str
        Name and version.
    evaluate : callable
        Graph input (float32) to probabilities (float32).
    """

    name: str
    path: Path
    sha256: str
    description: OfTracks
    about: dict[str, object]
    runtime: str
    evaluate: Callable[[np.ndarray], np.ndarray]


def load(
    name: Path | str, *, runtime: str = "auto", threads: int = 1, classes: tuple[str, ...] | None = CLASSES
) -> Classifier:
    """Load an exported network.

    Parameters
    ----------
    name : str or path
        A shipped name (:func:`shipped`) or an ``.onnx`` file.
    runtime : str
        ``onnxruntime``, ``openvino``, or ``auto``: OpenVINO where it is installed.
    threads : int
        How many threads will call it at once (OpenVINO keeps a stream for each); a call itself runs on one.
    classes : tuple of str or None
        What the network must tell apart. Surface classes (the default) also need features that
        :mod:`polynya.tracks.features` makes; None takes any network of tracks.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        If there is no such network or runtime.
    ProductError
        If the file is not an export of polynya, or does not agree with its own description.
    """
    predict_runtime.check_runtime(runtime)
    path = predict_runtime.locate(name)
    check(path, classes=classes)
    with predict_runtime.LOADING:
        return _load(str(name), path.resolve(), path.stat().st_mtime_ns, runtime, max(threads, 1))


def check(path: Path, *, classes: tuple[str, ...] | None = CLASSES) -> None:
    """Reject a file that :func:`load` would reject; nothing is compiled.

    Parameters
    ----------
    path : Path
        An ``.onnx`` file.
    classes : tuple of str or None
        What the network must tell apart, as for :func:`load`.

    Raises
    ------
    ProductError
        If the file is not an export of polynya, or does not agree with its own description.
    """
    with predict_runtime.LOADING:
        _, description, _ = _open(path.resolve(), path.stat().st_mtime_ns)
    if classes is not None:
        _check_surface(path.name, description, classes)


@functools.lru_cache(maxsize=4)
def _open(path: Path, stamp: int) -> tuple[Any, OfTracks, dict[str, object]]:
    opened = predict_runtime.session(path)
    description, about = predict_runtime.described(opened, path, wanted=OfTracks)
    _agree(path.name, description, opened.get_inputs(), opened.get_outputs())
    return opened, description, about


@functools.lru_cache(maxsize=4)
def _load(name: str, path: Path, stamp: int, runtime: str, threads: int) -> Classifier:
    opened, description, about = _open(path, stamp)
    used, evaluate = predict_runtime.evaluator(opened, path, runtime=runtime, threads=threads)
    return Classifier(
        name=name,
        path=path,
        sha256=predict_runtime.sha256(path),
        description=description,
        about=about,
        runtime=used,
        evaluate=predict_runtime.checked(evaluate, description, path),
    )


def _check_surface(file: str, d: OfTracks, classes: tuple[str, ...]) -> None:
    """Raise ProductError where a network does not tell some classes apart, or its features cannot be made."""
    if d.classes != classes:
        raise ProductError(
            f"{file}: classes are {', '.join(d.classes)}; expected {', '.join(classes)}. Train with these classes."
        )
    unknown = [f for f in d.features if f not in FEATURES.names]
    if classes == CLASSES and unknown:
        raise ProductError(
            f"{file}: features {unknown} are unknown; expected columns of schema.FEATURES. This release cannot make"
            " them: use the release that exported it."
        )


def _agree(file: str, description: OfTracks, inputs: list, outputs: list) -> None:
    """Raise ProductError where graph and description do not fit each other."""
    d = description
    if len(d.mean) != len(d.features) or not np.isfinite(d.mean).all():
        raise ProductError(
            f"{file}: mean holds {len(d.mean)} numbers for {len(d.features)} features; expected one finite number each."
            " Export it again."
        )
    weights = d.decision_weights or (1.0,) * len(d.classes)
    if len(weights) != len(d.classes) or not all(0 < w < np.inf for w in weights):
        raise ProductError(
            f"{file}: decision_weights are {list(weights)}; expected a positive number for each of {len(d.classes)}"
            " classes. Export it again."
        )
    if d.is_window and d.window_length % 2 == 0:
        raise ProductError(
            f"{file}: window_length is {d.window_length}; expected an odd number, since a window is classified at its"
            " middle. Export it again."
        )
    expected = (d.window_length, len(d.features)) if d.is_window else (len(d.features) + 1, None)
    shape = inputs[0].shape if len(inputs) == 1 else []
    fits = (
        len(shape) == 3
        and len(outputs) == 1
        and all(
            want is None or not isinstance(got, int) or got == want
            for got, want in zip(shape[1:], expected, strict=True)
        )
    )
    if not fits:
        text = ", ".join(str(v or "length") for v in ("batch", *expected))
        raise ProductError(
            f"{file}: {len(inputs)} inputs, the first of shape {shape}, and {len(outputs)} outputs; a {d.kind} network"
            f" must have one of ({text}). Export it again."
        )


def classify(
    classifier: Classifier,
    features: dict[str, np.ndarray],
    *,
    x: np.ndarray,
    cell: np.ndarray | None = None,
    threads: int = 1,
    tile: int = TILE,
) -> np.ndarray:
    """Return the probability of each class of every segment of one beam.

    Parameters
    ----------
    classifier : Classifier
        The network.
    features : dict of str to numpy.ndarray, shape (n,)
        At least the columns that the network was trained on, as :data:`polynya.schema.FEATURES` defines them; NaN is
        missing.
    x : numpy.ndarray, shape (n,)
        Along-track distance of the segments, metres.
    cell : numpy.ndarray of int, shape (n,), optional
        Number of each segment's cell, increasing; ``floor(x / 2)`` by default.
    threads : int
        Tiles or batches at a time.
    tile : int
        Most cells of a tile of a sequence network, up to its stride; memory goes with it, results do not.

    Returns
    -------
    numpy.ndarray of float32, shape (n, classes)
        Of surface classes: thick ice, thin ice, open water; rows add up to 1.

    Raises
    ------
    UsageError
        If a feature is missing or of another length, or the segments are not those of the network's grid.
    """
    d = classifier.description
    n = x.size
    missing = [f for f in d.features if f not in features]
    if missing:
        raise UsageError(
            f"features {missing} are missing; network {classifier.name} needs {', '.join(d.features)}. Make them with"
            " polynya.tracks.features."
        )
    columns = [np.ascontiguousarray(features[f], np.float32) for f in d.features]
    wrong = [f for f, c in zip(d.features, columns, strict=True) if c.shape != (n,)]
    if wrong:
        raise UsageError(
            f"features {wrong} are not of shape ({n},); expected one value per segment. Align them with x."
        )
    cell = (
        np.floor(np.asarray(x, np.float64) / d.cell_m).astype(np.int64) if cell is None else np.asarray(cell, np.int64)
    )
    if n > 1 and np.any(np.diff(cell) < 1):
        raise UsageError(
            f"segments: not in order, or more than one in a cell of {d.cell_m:g} m; network {classifier.name} needs one"
            f" beam's {d.cell_m:g} m segments. Use --resolution 2."
        )
    out = np.empty((n, len(d.classes)), np.float32)
    if n == 0:
        return out
    mean = np.array(d.mean, np.float32)
    if d.is_window:
        jobs = _window_jobs(classifier, columns, mean, cell, out)
    else:
        jobs = _sequence_jobs(
            classifier, columns, mean, cell, tracks.pieces(np.asarray(x, np.float64), gap_m=d.gap_m), out, tile
        )
    if threads > 1 and len(jobs) > 1:
        with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
            list(pool.map(lambda job: job(), jobs))
    else:
        for job in jobs:
            job()
    return out


def surface_class(classifier: Classifier, probability: np.ndarray) -> np.ndarray:
    """Return the class that a network decides for, int8, shape (n,), from its probabilities, shape (n, 3)."""
    weights = classifier.description.decision_weights
    return np.argmax(probability if weights is None else probability * np.array(weights, np.float32), axis=1).astype(
        np.int8
    )


def _window_jobs(
    classifier: Classifier, columns: list[np.ndarray], mean: np.ndarray, cell: np.ndarray, out: np.ndarray
) -> list[Callable[[], None]]:
    n, half = cell.size, classifier.description.window_length // 2
    cuts = np.flatnonzero(np.diff(cell) != 1) + 1
    heads, tails = np.concatenate([[0], cuts]), np.concatenate([cuts, [n]])
    run = np.repeat(np.arange(heads.size), tails - heads)

    def job(a: int, b: int) -> None:
        low, high = heads[run[a:b]], tails[run[a:b]] - 1
        batch = np.empty((b - a, 2 * half + 1, len(columns)), np.float32)
        for k, column in enumerate(columns):
            _fill_windows(column, mean[k], low, high, a, half, batch[:, :, k])
        out[a:b] = classifier.evaluate(batch)

    return [functools.partial(job, a, min(a + BATCH, n)) for a in range(0, n, BATCH)]


def _sequence_jobs(
    classifier: Classifier,
    columns: list[np.ndarray],
    mean: np.ndarray,
    cell: np.ndarray,
    starts: np.ndarray,
    out: np.ndarray,
    tile: int,
) -> list[Callable[[], None]]:
    d = classifier.description
    halo = _up(d.halo, d.stride)
    place = lay_out(cell, starts, stride=d.stride, separation=d.halo if d.separation is None else d.separation)
    length = int(place[-1]) + 1
    core = _up(-(-length // -(-length // tile)), d.stride)  # all of one length: the last is as full as the others

    def job(start: int) -> None:
        a, b = np.searchsorted(place, [start, start + core])
        if a == b:
            return  # nothing but empty grid
        low, high = np.searchsorted(place, [start - halo, start + core + halo])
        column = place[low:high] - (start - halo)
        line = np.zeros((1, len(columns) + 1, core + 2 * halo), np.float32)
        line[0, -1, column] = 1.0
        for k, values in enumerate(columns):
            _fill_line(values[low:high], float(mean[k]), column, line[0, k])
        found = classifier.evaluate(line)
        out[a:b] = found[0][:, place[a:b] - (start - halo)].T

    return [functools.partial(job, s) for s in range(0, length, core)]


def _up(value: int, step: int) -> int:
    return -(-max(value, 1) // step) * step


def lay_out(cell: np.ndarray, starts: np.ndarray, *, stride: int, separation: int) -> np.ndarray:
    """Lay the pieces of a track one after another on one line.

    Parameters
    ----------
    cell : numpy.ndarray of int64, shape (n,)
        Absolute number of each segment's cell, increasing.
    starts : numpy.ndarray, shape (pieces + 1,)
        Of :func:`polynya.physics.tracks.pieces`.
    stride : int
        A segment's place and its cell number agree modulo this.
    separation : int
        Empty places between two pieces, at least.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        Place of each segment, increasing from 0 or more.
    """
    first, last = cell[starts[:-1]], cell[starts[1:] - 1]
    shift = np.empty(first.size, np.int64)
    free = 0
    for p in range(first.size):
        at = free + (int(first[p]) - free) % stride
        shift[p] = at - int(first[p])
        free = at + int(last[p] - first[p]) + 1 + separation
    return cell + np.repeat(shift, np.diff(starts))


@compiled.kernel
def _fill_line(values, missing, column, line):  # pragma: no cover - compiled
    for i in range(values.size):
        v = values[i]
        line[column[i]] = v if np.isfinite(v) else missing


@compiled.later
def _fill_windows(values, missing, low, high, first, half, batch):  # pragma: no cover - compiled
    for i in range(low.size):
        for j in range(-half, half + 1):
            v = values[min(max(first + i + j, low[i]), high[i])]
            batch[i, j + half] = v if np.isfinite(v) else missing
