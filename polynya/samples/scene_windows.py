"""Windows of tiles for the training loop: drawn at random with changes, or all in order to be scored.

A tile is a piece of a scene with its truth (:class:`Tile`). Which pixels of it belong to which part is a map
(:mod:`polynya.samples.scene_split`); targets of other parts are unlabelled. Sets that fit into memory are read once
and kept scaled as half precision; larger ones are read window by window and rounded alike, so that what fits changes no
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..errors import UsageError
from ..glaciers.intervals import BLOCK_M
from ..sensors.glaciers import REGIONS
from . import class_bits, radar_jitter, scene_scaling, sensor_patches
from .scene_samples import Augment, SceneSamples
from .scene_split import SceneSplit

KEEP_BYTES = 3_000_000_000
"""Tiles are kept in memory as long as all of them together take less."""
SWIR = ("swir1", "swir2")
"""Optical bands that old and cheap sensors lack."""
BLOCKS = 2**16
"""More blocks than a tile has along a side."""


class Tile(Protocol):
    """A piece of a scene with its truth."""

    name: str
    scene: str
    region: str | None
    shape: tuple[int, int]
    latitude: float
    longitude: float
    pixel: tuple[float, float]

    def values(self, sensors: Sequence[str], rows: slice, columns: slice) -> np.ndarray:
        """Return float32 (bands of these sensors, h, w), physical units, NaN where missing, or where the tile has no
        such sensor."""

    def target(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return unsigned integers (h, w): a bit for the class of each pixel, 0 where nobody knows."""


class Labels(Protocol):
    """How labels are stored; every target of :mod:`polynya.targets` says it."""

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return labels of pixels that nobody labelled."""

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which pixels are labelled."""

    def of_tile(self, tile: Any, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the labels (h, w) of a window of a tile."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """``inputs`` (n, channels, h, w) float32; ``targets`` (n, h, w) labels; ``where`` (n, h, w) tile and block
    (:func:`tile_of`)."""

    inputs: np.ndarray
    targets: np.ndarray
    where: np.ndarray


@dataclass(kw_only=True)
class Tiles:
    """Tiles ready to be cut: scaled values and targets, kept or read each time.

    Parameters
    ----------
    tiles : sequence of Tile
    scaling : scene_scaling.Scaling
    target : str
        Dataset of the truth.
    location : str
        ``none``, ``region`` or ``coordinates``.
    regions : tuple of str
        Order of the region planes.
    labels : Labels
        How labels are stored; sets of classes by default.
    """

    tiles: Sequence[Tile]
    scaling: scene_scaling.Scaling
    target: str = "outlines"
    location: str = "none"
    regions: tuple[str, ...] = tuple(REGIONS)
    labels: Labels = field(default_factory=class_bits.Labels)
    _kept: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pixels = sum(t.shape[0] * t.shape[1] for t in self.tiles)
        self.is_kept = pixels * (2 * self.scaling.bands + self.labels.nothing((0,)).itemsize) < KEEP_BYTES

    def __len__(self) -> int:
        return len(self.tiles)

    def read(self, number: int, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled values (bands, h, w) float32 and targets (h, w) of a window, cut at the tile's edge."""
        rows, columns = self.inside(number, rows, columns)
        if not self.is_kept:
            return self._scaled(number, rows, columns).astype(np.float32), self.truth(number, rows, columns)
        self._keep(number)
        values, targets = self._kept[number]
        return values[:, rows, columns].astype(np.float32), targets[rows, columns]

    def truth(self, number: int, rows: slice, columns: slice) -> np.ndarray:
        """Return targets (h, w) of a window, cut at the tile's edge; values are read only where they are kept."""
        rows, columns = self.inside(number, rows, columns)
        if not self.is_kept:
            return self.labels.of_tile(self.tiles[number], self.target, rows, columns)
        self._keep(number)
        return self._kept[number][1][rows, columns]

    def inside(self, number: int, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Return the part of a window that lies in a tile."""
        return tuple(
            slice(s.start, min(s.stop, n)) for s, n in zip((rows, columns), self.tiles[number].shape, strict=True)
        )

    def _keep(self, number: int) -> None:
        if number not in self._kept:
            every = tuple(slice(0, n) for n in self.tiles[number].shape)
            truth = self.labels.of_tile(self.tiles[number], self.target, *every)
            self._kept[number] = self._scaled(number, *every), truth

    def _scaled(self, number: int, rows: slice, columns: slice) -> np.ndarray:
        return self.scaling.apply(self.tiles[number].values(tuple(self.scaling.sensors), rows, columns)).astype(
            np.float16
        )

    def place(self, number: int, *, region: str | None) -> np.ndarray:
        """Return the location vector of a tile; ``region`` instead of its own, None for unknown."""
        tile = self.tiles[number]
        return scene_scaling.location_vector(
            self.location, region=region, latitude=tile.latitude, longitude=tile.longitude, regions=self.regions
        )


class SceneSource:
    """Windows of one part of the tiles, for :func:`polynya.train.fit`.

    Parameters
    ----------
    tiles : Tiles
    split : SceneSplit
    part : int
        Of :mod:`polynya.samples.splits`.
    settings : SceneSamples
    is_scored : bool
        All windows in order, unchanged, instead of drawn ones.
    train_only : sequence of int
        Numbers of the tiles that ``settings.also_share`` is about.
    positive : int or None
        Number of the class that balanced windows are centred on.
    """

    def __init__(
        self,
        tiles: Tiles,
        *,
        split: SceneSplit,
        part: int,
        settings: SceneSamples,
        is_scored: bool,
        train_only: Sequence[int] = (),
        positive: int | None = None,
    ):
        self.tiles, self.split, self.part, self.settings, self.is_scored = tiles, split, part, settings, is_scored
        self.train_only = frozenset(train_only)
        self.positive = positive
        self.members = [k for k in range(len(tiles)) if split.has(k, part)]
        self._corners = {k: grid(tiles.tiles[k].shape, settings.size) for k in self.members}
        self._every: np.ndarray | None = None
        if not is_scored and settings.balance:
            if positive is None:
                raise UsageError(
                    "scene.balance: centres windows on the positive class, and none is named; expected positive among"
                    " the classes. Name it in the recipe."
                )
            self._labelled = {k: self._pixels_of(positive, k) for k in self.members}

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return windows as rows of (tile, row, column, seed), int64."""
        if rng is None or self.is_scored:
            if self._every is None:  # the same every epoch
                every = [(k, r, c, 0) for k in self.members for r, c in self._corners[k] if self._holds(k, r, c)]
                self._every = np.array(every, np.int64).reshape(-1, 4)
            return self._every
        n = round(self.settings.draws * sum(len(v) for v in self._corners.values()))
        if not self.members:
            return np.empty((0, 4), np.int64)
        tile = rng.choice(self.members, size=max(n, 1), p=self._chances())
        out = np.empty((tile.size, 4), np.int64)
        for i, k in enumerate(tile):
            out[i] = (k, *self._corner(int(k), rng), rng.integers(2**31))
        return out

    def _chances(self) -> np.ndarray | None:
        """Return how likely each tile of the part is drawn, by the root of its windows; None where all are alike."""
        share = self.settings.also_share
        more = np.array([k in self.train_only for k in self.members])
        if share is None or not more.any() or more.all():
            return None
        windows = np.sqrt(
            [len(self._corners[k]) for k in self.members]
        )  # large tiles more often, small ones not hardly ever
        return np.where(more, share * windows / windows[more].sum(), (1.0 - share) * windows / windows[~more].sum())

    def _corner(self, number: int, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a window of a tile: anywhere, or (balanced) every other one about a pixel of the positive class."""
        size, (height, width) = self.settings.size, self.tiles.tiles[number].shape
        limits = (max(height - size, 0), max(width - size, 0))
        if self.settings.balance and self._labelled[number].size and rng.random() < 0.5:
            centre = divmod(int(rng.choice(self._labelled[number])), width)
            return tuple(
                int(np.clip(c - size // 2 + rng.integers(-size // 4, size // 4 + 1), 0, m))
                for c, m in zip(centre, limits, strict=True)
            )
        return int(rng.integers(limits[0] + 1)), int(rng.integers(limits[1] + 1))

    def _pixels_of(self, positive: int, number: int) -> np.ndarray:
        height, width = self.tiles.tiles[number].shape
        targets = self._targets(number, slice(0, height), slice(0, width))
        return np.flatnonzero(targets == 1 << positive)[::16]

    def _holds(self, number: int, row: int, column: int) -> bool:
        size = self.settings.size
        targets = self._targets(number, slice(row, row + size), slice(column, column + size))
        return bool(self.tiles.labels.known(targets).any())

    def _targets(self, number: int, rows: slice, columns: slice) -> np.ndarray:
        return self._own(number, self.tiles.truth(number, rows, columns), rows, columns)

    def _own(self, number: int, targets: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        return own(targets, is_mine=self.split.mask(number, self.part, rows, columns), labels=self.tiles.labels)

    def _blocks(self, number: int, first: int, size: int, axis: int) -> np.ndarray:
        """Return numbers of the blocks of ground that rows (axis 1) or columns (axis 0) of a tile lie in, shape
        (size,)."""
        side = max(round(BLOCK_M / self.tiles.tiles[number].pixel[axis]), 1)
        return np.minimum(np.arange(first, first + size) // side, BLOCKS - 1)

    def batch(self, items: np.ndarray) -> Batch:
        """Return windows as arrays; beyond a tile's edge nothing is present and nothing labelled."""
        size, places = self.settings.size, scene_scaling.planes(self.tiles.location, regions=self.tiles.regions)
        channels = self.tiles.scaling.bands + len(self.tiles.scaling.sensors) + places
        inputs = np.zeros((len(items), channels, size, size), np.float32)
        targets = self.tiles.labels.nothing((len(items), size, size))
        where = np.empty((len(items), size, size), np.int64)
        for i, (number, row, column, seed) in enumerate(np.asarray(items, np.int64).tolist()):
            rows, columns = slice(row, row + size), slice(column, column + size)
            values, truth = self.tiles.read(number, rows, columns)
            truth = self._own(number, truth, rows, columns)
            scaled = np.full((values.shape[0], size, size), np.nan, np.float32)
            scaled[:, : values.shape[1], : values.shape[2]] = values
            targets[i, : truth.shape[0], : truth.shape[1]] = truth
            region = self.tiles.tiles[number].region
            if not self.is_scored:
                rng = np.random.default_rng([seed, number])
                scaled, targets[i] = augment(
                    scaled, targets[i], settings=self.settings, scaling=self.tiles.scaling, rng=rng
                )
                region = None if rng.random() < self.settings.unknown_region else region
            inputs[i, : channels - places] = self.tiles.scaling.inputs(scaled)
            if places:
                inputs[i, channels - places :] = self.tiles.place(number, region=region)[:, None, None]
            where[i] = (
                number * BLOCKS**2
                + self._blocks(number, row, size, 1)[:, None] * BLOCKS
                + self._blocks(number, column, size, 0)[None, :]
            )
        return Batch(inputs=inputs, targets=targets, where=where)


def own(targets: np.ndarray, *, is_mine: np.ndarray | bool, labels: Labels) -> np.ndarray:
    """Return labels without those of other parts.

    Parameters
    ----------
    targets : numpy.ndarray, shape (h, w)
        Labels.
    is_mine : numpy.ndarray of bool, shape (h, w), or bool
        Pixels of the part; one bool for all of them.
    labels : Labels
        How they are stored.
    """
    out = labels.nothing(targets.shape)
    mine = np.broadcast_to(is_mine, targets.shape)
    out[mine] = targets[mine]
    return out


def tile_of(where: np.ndarray) -> np.ndarray:
    """Return the number of the tile of each place."""
    return np.asarray(where) // BLOCKS**2


def grid(shape: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Return corners of windows side by side that cover a tile."""
    return [(r, c) for r in range(0, max(shape[0], 1), size) for c in range(0, max(shape[1], 1), size)]


def augment(
    scaled: np.ndarray,
    targets: np.ndarray,
    *,
    settings: SceneSamples,
    scaling: scene_scaling.Scaling,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a window augmented at random, as :class:`polynya.recipes.Augment` and the dropouts of sensors say.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (bands, size, size)
        NaN where missing.
    targets : numpy.ndarray, shape (size, size)
        Encoded labels.
    settings : SceneSamples
        Settings.
    scaling : scene_scaling.Scaling
        How bands are scaled.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    scaled, targets
        New arrays.
    """
    a: Augment = settings.augment
    scaled, targets = _turned(scaled.copy(), targets.copy(), a, rng)
    begin = 0
    present: list[tuple[str, slice]] = []
    for sensor, count in scaling.sensors.items():
        band = slice(begin, begin + count)
        begin += count
        _augment_sensor(scaled, band, sensor, scaling=scaling, a=a, rng=rng)
        if np.isfinite(scaled[band]).any():
            present.append((sensor, band))
    radar_jitter.add(scaled, settings=a, scaling=scaling, rng=rng)
    sensor_patches.blank(scaled, present, settings=settings, rng=rng)
    _drop(scaled, present, settings=settings, scaling=scaling, rng=rng)
    return scaled, targets


def _turned(
    scaled: np.ndarray, targets: np.ndarray, a: Augment, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a window rotated, mirrored and enlarged at random."""
    if a.flip:
        turns, is_mirrored = int(rng.integers(4)), rng.random() < 0.5
        scaled, targets = np.rot90(scaled, turns, axes=(1, 2)), np.rot90(targets, turns)
        if is_mirrored:
            scaled, targets = scaled[:, :, ::-1], targets[:, ::-1]
        scaled, targets = np.ascontiguousarray(scaled), np.ascontiguousarray(targets)
    size = targets.shape[0]
    if a.crop > 0:
        inner = max(round(size * rng.uniform(1.0 - a.crop, 1.0)), 1)
        row, column = (int(v) for v in rng.integers(0, size - inner + 1, 2))
        # the nearest pixel: NaN and classes stay what they are
        take = np.minimum((np.arange(size) + 0.5) * inner / size, inner - 1).astype(int)
        scaled, targets = scaled[:, row + take][:, :, column + take], targets[row + take][:, column + take]
    return scaled, targets


def _augment_sensor(
    scaled: np.ndarray,
    band: slice,
    sensor: str,
    *,
    scaling: scene_scaling.Scaling,
    a: Augment,
    rng: np.random.Generator,
) -> None:
    """Change the bands of one sensor in place: radiometry, heights, shifts, noise, a blanked rectangle."""
    size, count = scaled.shape[1], band.stop - band.start
    quantity = scaling.quantities.get(sensor, "other")
    if quantity == "reflectance":
        _radiometry(scaled[band], a, rng)
        if a.saturation > 0 and rng.random() < a.saturation:
            visible = slice(band.start, band.stop - sum(n in SWIR for n in scaling.band_names[band]))
            _saturate(scaled[visible], scaling.low[visible], scaling.high[visible], rng)
    if quantity == "height" and a.elevation_m > 0:
        low, high = scaling.low[band.start], scaling.high[band.start]
        scaled[band.start] += rng.normal(0.0, a.elevation_m) / (high - low)
    scaled[band] += rng.normal(0.0, a.shift, (count, 1, 1)).astype(np.float32) if a.shift > 0 else 0.0
    if a.noise > 0:
        scaled[band] += rng.normal(0.0, 1.0, scaled[band].shape).astype(np.float32) * np.float32(a.noise)
    if a.occlusion_px > 0 and rng.random() < 0.5:
        height, width = (int(v) for v in rng.integers(1, min(a.occlusion_px, size) + 1, 2))
        row, column = int(rng.integers(size - height + 1)), int(rng.integers(size - width + 1))
        scaled[band, row : row + height, column : column + width] = np.nan


def _drop(
    scaled: np.ndarray,
    present: list[tuple[str, slice]],
    *,
    settings: SceneSamples,
    scaling: scene_scaling.Scaling,
    rng: np.random.Generator,
) -> None:
    """Blank bands and whole sensors in place."""
    swir = [k for k, name in enumerate(scaling.band_names) if name in SWIR]
    if settings.band_dropout > 0 and swir and rng.random() < settings.band_dropout:
        scaled[swir] = np.nan
    if settings.sensor_dropout > 0 and len(present) > 1:
        stays = int(rng.integers(len(present)))
        for k, (sensor, band) in enumerate(present):
            if k != stays and sensor not in settings.always and rng.random() < settings.sensor_dropout:
                scaled[band] = np.nan


def _radiometry(bands: np.ndarray, a: Augment, rng: np.random.Generator) -> None:
    """Change reflectances in place: a power, and a factor."""
    if a.gamma > 0:
        power = rng.uniform(1.0 - a.gamma, 1.0 + a.gamma)
        np.power(np.maximum(bands, 0.0), np.float32(power), out=bands)
    if a.gain > 0:
        bands *= np.float32(np.exp(rng.normal(0.0, a.gain)))


def _saturate(bands: np.ndarray, low: Sequence[float], high: Sequence[float], rng: np.random.Generator) -> None:
    """Amplify visible and near-infrared reflectances in place, by 0.8 to 3, so that about a random share of the window
    lies below 1, and cut the rest there (noise comes on top)."""
    share = rng.uniform(0.4, 1.0)
    for k in range(len(bands)):
        seen = bands[k][np.isfinite(bands[k])]
        if seen.size:
            zero, one = -low[k] / (high[k] - low[k]), (1.0 - low[k]) / (high[k] - low[k])
            factor = np.clip((one - zero) / max(float(np.quantile(seen, share)) - zero, 1e-3), 0.8, 3.0)
            bands[k] = np.minimum(zero + (bands[k] - zero) * np.float32(factor), np.float32(one))
