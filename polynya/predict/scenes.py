"""Class probabilities of a scene from an exported network: overlapping windows, blended, a strip of the scene in memory
at a time; no torch.

A window as large as the network's training windows moves by half its side. Each gives probabilities weighted by the
bell of Maslov et al. 2025, lowered so that it ends in 0 at the window's border: theirs still weighs .61 there, and a
window that begins or ends leaves a seam (:func:`blend_weight`). Rows are given out as soon as no later window touches
them: memory goes with the scene's width, not with its area.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import calibrate
from ..description import OfScenes
from ..errors import ProductError, UsageError
from . import fading
from . import runtime as predict_runtime

TURNS = tuple((turns, is_mirrored) for turns in range(4) for is_mirrored in (False, True))
"""The eight ways to lay a window down; the first is as it is."""
Read = Callable[[slice, slice], np.ndarray]
"""Gives float32 (bands, h, w) of rows and columns, physical units, NaN where missing, bands in the network's order."""


Description = OfScenes


@dataclass(frozen=True, kw_only=True)
class SceneNetwork:
    """A network that is ready to run; several threads may use it at once.

    Attributes
    ----------
    path : Path
    sha256 : str
    description : OfScenes
    about : dict
        The whole JSON of the file.
    runtime : str
    evaluate : callable
        (batch, bands + location, size, size) float32 to probabilities (batch, classes, size, size).
    """

    path: Path
    sha256: str
    description: OfScenes
    about: dict[str, object]
    runtime: str
    evaluate: Callable[[np.ndarray], np.ndarray]

    @property
    def sensors(self) -> tuple[str, ...]:
        return tuple(self.description.scaling.sensors)

    @property
    def bands(self) -> int:
        return sum(self.description.scaling.sensors.values())


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """How often each window is given to each network.

    Attributes
    ----------
    turns : int
        1 or 8: how many of the ways to lay a window down are averaged (test-time augmentation).
    draws : int
        How often each window is given to a network with dropout (Monte-Carlo dropout).
    fade : fading.Fade or None
        A sensor that may end inside the scene: beside its edge, the maps with and without it are averaged
        (:mod:`polynya.predict.fading`).
    overlap : float
        Share of their side that neighbouring windows have in common. A half evens out more, a quarter takes half the
        time.
    """

    turns: int = 1
    draws: int = 1
    fade: fading.Fade | None = None
    overlap: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Finished rows of a scene.

    Attributes
    ----------
    row : int
        First row.
    probability : numpy.ndarray of float32, shape (classes, h, width)
        NaN where no sensor saw anything.
    spread : numpy.ndarray of float32, shape (h, width)
        Standard deviation of the positive class's probability over networks, rotations and draws of dropout (where
        windows overlap, the root of their blended variances); 0 where there is one of each. Of a target without a
        positive class, the largest over its classes.
    values : numpy.ndarray of float32, shape (bands, h, width)
        What the network was given.
    """

    row: int
    probability: np.ndarray
    spread: np.ndarray
    values: np.ndarray


def load(name: Path | str, *, runtime: str = "auto", threads: int = 1) -> SceneNetwork:
    """Load an exported network of scenes.

    Parameters
    ----------
    name : Path or str
        A shipped name or an ``.onnx`` file.
    runtime : str
        ``onnxruntime``, ``openvino``, or ``auto``: OpenVINO where it is installed.
    threads : int
        How many threads will call it at once.

    Raises
    ------
    UsageError
        If there is no such network or runtime.
    ProductError
        If the file is no export of a scene network.
    """
    predict_runtime.check_runtime(runtime)
    path = predict_runtime.locate(name, family="scenes")
    with predict_runtime.LOADING:
        return _load(path.resolve(), path.stat().st_mtime_ns, runtime, max(threads, 1))


@functools.lru_cache(maxsize=4)
def _load(path: Path, stamp: int, runtime: str, threads: int) -> SceneNetwork:
    session = predict_runtime.session(path)
    description, about = predict_runtime.described(session, path, wanted=OfScenes)
    expected = sum(description.scaling.sensors.values()) + description.location
    shape = list(session.get_inputs()[0].shape)
    if len(session.get_inputs()) != 1 or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != expected):
        raise ProductError(
            f"{path.name}: takes {shape}; expected one input of (batch, {expected}, h, w) as its description says."
            " Export it again."
        )
    used, evaluate = predict_runtime.evaluator(session, path, runtime=runtime, threads=threads)
    return SceneNetwork(
        path=path,
        sha256=predict_runtime.sha256(path),
        description=description,
        about=about,
        runtime=used,
        evaluate=predict_runtime.checked(evaluate, description, path),
    )


def same_shape(networks: Sequence[SceneNetwork]) -> None:
    """Check that networks can be averaged.

    Raises
    ------
    UsageError
        If their sensors, classes, sizes or locations differ.
    """
    first = networks[0]
    for other in networks[1:]:
        a, b = first.description, other.description
        if (a.scaling, a.classes, a.location_kind, a.size) != (b.scaling, b.classes, b.location_kind, b.size):
            raise UsageError(
                f"{other.path.name}: has other sensors, classes, window or location than {first.path.name}; expected"
                " networks of one recipe. Give them one by one."
            )


def confidence(network: SceneNetwork, probability: np.ndarray) -> np.ndarray:
    """Return how probable it is that the most probable class is right, float32 (h, w), of probabilities (classes, h,
    w)."""
    c = network.description.confidence
    found = calibrate.Confidence(method=c.method, x=c.x, y=c.y).of(np.moveaxis(probability, 0, -1))
    return np.where(np.isfinite(probability[0]), found, np.nan).astype(np.float32)


def strips(
    networks: Sequence[SceneNetwork],
    read: Read,
    *,
    shape: tuple[int, int],
    location: np.ndarray | None = None,
    averaging: Averaging | None = None,
    threads: int = 2,
    batch: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Iterator[Strip]:
    """Go over a scene and give out finished rows.

    Parameters
    ----------
    networks : sequence of SceneNetwork
        Their probabilities are averaged.
    read : callable
        See :data:`Read`; asked for every pixel once.
    shape : (int, int)
        Height and width.
    location : numpy.ndarray, shape (planes,), optional
        Location vector.
    averaging : Averaging, optional
        What else is averaged; nothing by default.
    threads : int
        Windows at a time.
    batch : int
        Windows of one call.
    advance : callable, optional
        Called with pixels done.

    Yields
    ------
    Strip

    Raises
    ------
    UsageError
        If the location does not fit the networks.
    """
    same_shape(networks)
    d = networks[0].description
    place = np.zeros(0, np.float32) if location is None else np.asarray(location, np.float32)
    if place.size != d.location:
        raise UsageError(
            f"location: {place.size} values; network {d.name} takes {d.location} ({d.location_kind}). Give the region"
            " or the coordinates that it was trained with."
        )
    members = _Members(networks=networks, place=place, averaging=averaging or Averaging(), positive=d.positive)
    size, (height, width) = d.size, shape
    weight = blend_weight(size)
    overlap = members.averaging.overlap
    rows, columns = (starts(n, size, overlap=overlap) for n in (height, width))
    held = np.full((networks[0].bands, size, width), np.nan, np.float32)
    sums = np.zeros(
        (len(d.classes) + 1, size, width), np.float64
    )  # weighted probabilities; last the variance over members
    total = np.zeros((size, width))
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        before = None
        for k, row in enumerate(rows):
            stays = 0 if before is None else size - (row - before)
            if before is not None:
                held[:, :stays] = held[:, size - stays :]
                sums[:, :stays], total[:stays] = sums[:, size - stays :], total[size - stays :]
                sums[:, stays:], total[stays:] = 0.0, 0.0
            held[:, stays:] = np.nan
            end = min(row + size, height)
            if end > row + stays:
                held[:, stays : end - row] = read(slice(row + stays, end), slice(0, width))
            jobs = [columns[i : i + batch] for i in range(0, len(columns), batch)]
            share = None if members.averaging.fade is None else fading.weights(held, members.averaging.fade)
            for part, (mean, variance) in zip(
                jobs,
                pool.map(functools.partial(_windows, members, held, share, size), jobs),
                strict=True,
            ):
                for i, column in enumerate(part):
                    w = min(size, width - column)
                    sums[:-1, :, column : column + w] += weight[:, :w] * mean[i, :, :, :w]
                    sums[-1, :, column : column + w] += weight[:, :w] * variance[i, :, :w]
                    total[:, column : column + w] += weight[:, :w]
            done = (rows[k + 1] if k + 1 < len(rows) else height) - row
            yield _finish(row, sums[:, :done], total[:done], held[:, :done].copy())
            if advance is not None:
                advance(done * width)
            before = row


def _finish(row: int, sums: np.ndarray, total: np.ndarray, values: np.ndarray) -> Strip:
    is_seen = np.isfinite(values).any(axis=0)
    probability = sums[:-1] / total
    spread = np.sqrt(sums[-1] / total)
    return Strip(
        row=row,
        probability=np.where(is_seen, probability, np.nan).astype(np.float32),
        spread=np.where(is_seen, spread, np.nan).astype(np.float32),
        values=values,
    )


@dataclass(frozen=True, kw_only=True)
class _Members:
    """What is averaged: networks, each with its location vector, and how often."""

    networks: Sequence[SceneNetwork]
    place: np.ndarray
    averaging: Averaging
    positive: int | None


def _windows(
    members: _Members, held: np.ndarray, share: np.ndarray | None, size: int, columns: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean probabilities (n, classes, size, size) of windows of a strip, and the variance of the positive
    class's over members (without one, the largest over classes)."""
    width, place = held.shape[2], members.place
    inputs = np.full((len(columns), held.shape[0] + place.size, size, size), np.nan, np.float32)
    faded = np.ones((len(columns), 1, size, size), np.float32)
    for i, column in enumerate(columns):
        w = min(size, width - column)
        inputs[i, : held.shape[0], :, :w] = held[:, :, column : column + w]
        if share is not None:
            faded[i, 0, :, :w] = share[:, column : column + w]
    inputs[:, held.shape[0] :] = place[:, None, None]
    chosen = slice(None) if members.positive is None else slice(members.positive, members.positive + 1)
    mean, square, n = np.zeros(()), np.zeros(()), 0
    for turn, is_mirrored in TURNS[: members.averaging.turns]:
        laid, weight = (np.rot90(a, turn, axes=(2, 3)) for a in (inputs, faded))
        laid, weight = (np.ascontiguousarray(a[..., ::-1] if is_mirrored else a) for a in (laid, weight))
        for network in members.networks:
            for _ in range(members.averaging.draws):
                out = _evaluate(network, laid, weight, members.averaging.fade)
                out = out[..., ::-1] if is_mirrored else out
                out = np.rot90(out, -turn, axes=(2, 3)).astype(np.float64)
                mean, square, n = mean + out, square + out[:, chosen] ** 2, n + 1
    mean = mean / n
    return mean, np.maximum(square / n - mean[:, chosen] ** 2, 0.0).max(axis=1)


def _evaluate(network: SceneNetwork, inputs: np.ndarray, weight: np.ndarray, fade: fading.Fade | None) -> np.ndarray:
    """Return probabilities (n, classes, size, size) with a sensor, without it, or both blended by the weight of the
    first."""
    if fade is None or weight.min() == 1.0:
        return network.evaluate(inputs)
    without = inputs.copy()
    without[:, fade.bands] = np.nan
    alone = network.evaluate(without)
    return alone if weight.max() == 0.0 else alone + weight * (network.evaluate(inputs) - alone)


def blend_weight(size: int) -> np.ndarray:
    """Return w(x) w(y) at the middles of a window's pixels, w(x) = exp(-x^2 / 2) - exp(-1 / 2) with x in half sides;
    shape (size, size)."""
    middles = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    across = np.exp(-0.5 * middles**2) - np.exp(-0.5)
    return across[:, None] * across[None, :]


def starts(length: int, size: int, *, overlap: float = 0.5) -> list[int]:
    """Return where windows of a size begin so that they overlap by a share and the last one ends at the end."""
    if length <= size:
        return [0]
    step = max(int(size * (1.0 - overlap)), 1)
    return [*range(0, length - size, step), length - size]
