"""A scene by a network that states how far it sees: in one piece where that fits, else in tiles with as much around
them as an output can depend on; no torch.

Nothing is blended, so nothing differs from one pass over the whole scene but the order of sums: tiles begin at
multiples of the network's stride, so that pooling groups the same pixels, and a scene is filled up to such a multiple
below and to the right with pixels that nobody saw. Memory goes with a tile. Networks that state no halo go through
:func:`polynya.predict.scenes.strips`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from .scenes import Read, SceneNetwork

MOST_PIXELS = 1300 * 1300
"""Of one piece, its halo included: about 700 MB for 64 channels. A Sentinel-1 EW scene at 400 m is smaller."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A finished part of a scene.

    Attributes
    ----------
    rows, columns : slice
        Where it lies.
    planes : numpy.ndarray of float32, shape (planes, h, w)
        What the network predicts; NaN where no sensor saw anything.
    """

    rows: slice
    columns: slice
    planes: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """Values with what is known of their errors.

    Attributes
    ----------
    value, spread : numpy.ndarray of float32, shape (h, w)
        The value, and the root mean square error of such values on scenes that the network was not trained on.
    levels : tuple of float
        Shares of the true values within the intervals.
    lower, upper : numpy.ndarray of float32, shape (levels, h, w)
        Ends of the intervals.
    """

    value: np.ndarray
    spread: np.ndarray
    levels: tuple[float, ...]
    lower: np.ndarray
    upper: np.ndarray


def pieces(
    network: SceneNetwork,
    read: Read,
    *,
    shape: tuple[int, int],
    location: np.ndarray | None = None,
    needs: Sequence[str] = (),
    most_pixels: int = MOST_PIXELS,
    threads: int = 1,
) -> Iterator[Piece]:
    """Go over a scene and give out finished parts.

    Parameters
    ----------
    network : SceneNetwork
        States its halo.
    read : callable
        See :data:`polynya.predict.scenes.Read`.
    shape : (int, int)
        Height and width.
    location : numpy.ndarray, shape (planes,), optional
        Location vector.
    needs : sequence of str
        Sensors of which one must have seen a pixel; any by default. An angle alone says nothing of the ice.
    most_pixels : int
        Of a piece with its halo.
    threads : int
        Pieces at a time.

    Yields
    ------
    Piece
        In order of rows, then columns; together they are the scene.

    Raises
    ------
    UsageError
        If the network states no halo, takes windows of one size only, or is given another location than it was
        trained with.
    """
    d = network.description
    if d.is_fixed or not d.halo or d.halo % d.stride:
        raise UsageError(
            f"{network.path.name}: network {d.name} states halo {d.halo} and stride {d.stride}; expected free sizes and"
            " a halo that is a multiple of the stride. Predict it in blended windows."
        )
    place = np.zeros(0, np.float32) if location is None else np.asarray(location, np.float32)
    if place.size != d.location:
        raise UsageError(
            f"location: {place.size} values; network {d.name} takes {d.location} ({d.location_kind}). Give what it was"
            " trained with."
        )
    job = _Job(network=network, read=read, shape=shape, place=place, bands=_bands(network, needs))
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        waiting: deque[Future[Piece]] = deque()
        for rows, columns in cuts(shape, stride=d.stride, halo=d.halo, most_pixels=most_pixels):
            waiting.append(pool.submit(_piece, job, rows, columns))
            if len(waiting) >= max(threads, 1):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def cuts(shape: tuple[int, int], *, stride: int, halo: int, most_pixels: int) -> list[tuple[slice, slice]]:
    """Return the parts that a scene is predicted in: all of it, or squares that begin at multiples of the stride.

    Parameters
    ----------
    shape : (int, int)
        Height and width.
    stride, halo : int
        Of the network, pixels.
    most_pixels : int
        Of a part with its halo; a part is one stride wide at least.
    """
    if np.prod([-(-n // stride) * stride for n in shape]) <= most_pixels:
        return [(slice(0, shape[0]), slice(0, shape[1]))]
    side = max((int(most_pixels**0.5) - 2 * halo) // stride, 1) * stride
    rows, columns = ([slice(k, min(k + side, n)) for k in range(0, n, side)] for n in shape)
    return [(r, c) for r in rows for c in columns]


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What all pieces share."""

    network: SceneNetwork
    read: Read
    shape: tuple[int, int]
    place: np.ndarray
    bands: np.ndarray


def _bands(network: SceneNetwork, needs: Sequence[str]) -> np.ndarray:
    """Return which bands tell that a pixel was seen, bool (bands,).

    Raises
    ------
    UsageError
        If the network has no such sensor.
    """
    sensors = network.description.scaling.sensors
    unknown = [s for s in needs if s not in sensors]
    if unknown:
        raise UsageError(
            f"{network.path.name}: has no sensor {', '.join(unknown)}; expected some of {', '.join(sensors)}. Give"
            " another network."
        )
    return np.repeat([not needs or s in needs for s in sensors], list(sensors.values()))


def _piece(job: _Job, rows: slice, columns: slice) -> Piece:
    """Predict one piece."""
    d = job.network.description
    outer, inner, inside = [], [], []
    for part, n in zip((rows, columns), job.shape, strict=True):
        begin, end = max(part.start - d.halo, 0), min(part.stop + d.halo, n)
        outer.append((begin, begin + -(-(end - begin) // d.stride) * d.stride))
        inner.append(slice(begin, end))
        inside.append(slice(part.start - begin, part.stop - begin))
    values = job.read(*inner)
    inputs = np.full((1, values.shape[0] + job.place.size, *(b - a for a, b in outer)), np.nan, np.float32)
    inputs[0, : values.shape[0], : values.shape[1], : values.shape[2]] = values
    inputs[0, values.shape[0] :] = job.place[:, None, None]
    found = job.network.evaluate(inputs)[0][:, inside[0], inside[1]]
    is_seen = np.isfinite(values[job.bands][:, inside[0], inside[1]]).any(axis=0)
    return Piece(rows=rows, columns=columns, planes=np.where(is_seen, found, np.float32(np.nan)).astype(np.float32))


def whole(
    network: SceneNetwork,
    read: Read,
    *,
    shape: tuple[int, int],
    location: np.ndarray | None = None,
    needs: Sequence[str] = (),
    threads: int = 1,
) -> np.ndarray:
    """Return the planes of a scene, float32 (planes, h, w); see :func:`pieces`."""
    out = np.full((len(network.description.classes), *shape), np.nan, np.float32)
    for piece in pieces(network, read, shape=shape, location=location, needs=needs, threads=threads):
        out[:, piece.rows, piece.columns] = piece.planes
    return out


def uncertain(network: SceneNetwork, planes: np.ndarray, *, name: str) -> Uncertain:
    """Return a value of a network with its spread and intervals, as they were fitted when it was trained.

    Parameters
    ----------
    network : SceneNetwork
        Its description holds them.
    planes : numpy.ndarray, shape (planes, h, w)
        What it predicts.
    name : str
        Of the value: ``concentration``, or ``HEAD.concentration`` of several heads.

    Raises
    ------
    UsageError
        If the network has no such value, or nothing was fitted for it.
    """
    d = network.description
    if name not in d.spread or name not in d.classes:
        raise UsageError(
            f"{network.path.name}: has no spread of {name}; expected one of {', '.join(d.spread) or 'none'}. Train it"
            " with a calibration part that holds enough of it."
        )
    fitted, k = d.spread[name].fitted, d.classes.index(name)
    value, stated = planes[k], planes[k + 1]
    missing = ~np.isfinite(value)
    spread = fitted.of(np.where(missing, 1.0, stated))
    ends = np.where(missing, np.nan, fitted.intervals(np.where(missing, 0.0, value), spread)).astype(np.float32)
    spread = np.where(missing, np.nan, spread).astype(np.float32)
    return Uncertain(value=value, spread=spread, levels=fitted.levels, lower=ends[:, 0], upper=ends[:, 1])
