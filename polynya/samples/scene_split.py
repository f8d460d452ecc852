"""Which pixels train, validate and test: splits of tiles by scene, or by square blocks of ground with a gap.

Neighbouring pixels, and neighbouring tiles of one scene, share weather, light and ice. Groups are whole scenes, or
blocks of ground whose borders with blocks of another part are cut out by half a gap on either side. The random split of
tiles, as the published data set has it, exists to show what it does to a score.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import shapely

from ..errors import UsageError
from . import splits

EDGE = 0.05
"""Tiles side by side may overlap by so much of their size on each side and still be different ground."""
UNPLACED = "unknown"
"""Grid of tiles that do not say where they are."""
log = logging.getLogger("polynya.splits")


class Placed(Protocol):
    """A tile with its place: ``corner`` is the map coordinate of its upper left corner, ``pixel`` its size there, both
    metres (x, y)."""

    name: str
    scene: str
    shape: tuple[int, int]
    grid: str
    corner: tuple[float, float]
    pixel: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SceneSplit:
    """The part of every pixel.

    Attributes
    ----------
    maps : tuple of int or numpy.ndarray
        A tile each: its part, or int8 (h, w) parts of its pixels.
    method : str
    is_leaky : bool
    groups : tuple of int
        Scenes, blocks or tiles in each part.
    """

    maps: tuple[int | np.ndarray, ...]
    method: str
    is_leaky: bool
    groups: tuple[int, int, int, int]

    def has(self, number: int, part: int) -> bool:
        """Say whether a tile has pixels of a part."""
        here = self.maps[number]
        return here == part if isinstance(here, int) else bool((here == part).any())

    def mask(self, number: int, part: int, rows: slice, columns: slice) -> np.ndarray | bool:
        """Return which pixels of a window belong to a part; one bool where all do or none."""
        here = self.maps[number]
        return here == part if isinstance(here, int) else here[rows, columns] == part

    def describe(self) -> dict[str, object]:
        """Return counts for run.json and the model card."""
        return {
            "method": self.method,
            "is_leaky": self.is_leaky,
            "groups": dict(zip(splits.PARTS, self.groups, strict=True)),
        }


def split(tiles: Sequence[Placed], *, config: splits.Config, train_only: Sequence[bool] = ()) -> SceneSplit:
    """Put every pixel into a part.

    Parameters
    ----------
    tiles : sequence of Placed
        The tiles.
    config : splits.Config
        ``granule`` here means scene; ``random`` draws tiles.
    train_only : sequence of bool
        Tiles that train whatever the split, and are drawn for nothing else.

    Returns
    -------
    SceneSplit

    Raises
    ------
    UsageError
        If there are fewer groups than parts, or a scene, or ground of it, both is split and only trains.
    """
    train_only = list(train_only) or [False] * len(tiles)
    drawn = [k for k, own in enumerate(train_only) if not own]
    both = sorted({tiles[k].scene for k in drawn} & {t.scene for t, own in zip(tiles, train_only, strict=True) if own})
    if both and config.method != "random":
        raise UsageError(
            f"--train-only: {both[0]} is a scene of --data too; expected scenes that no other part may see. Give both"
            " with --data, or both with --train-only."
        )
    ground = {} if config.method == "random" else same_ground(tiles)
    if ground:
        trained = {ground[t.scene]: t.scene for t, own in zip(tiles, train_only, strict=True) if own}
        for k in drawn:
            if (there := trained.get(ground[tiles[k].scene])) is not None:
                raise UsageError(
                    f"--train-only: {there} shows ground of {tiles[k].scene}, a scene of --data; expected ground that"
                    " no other part may see. Give both with --data, or both with --train-only."
                )
    maps: list[int | np.ndarray] = [splits.TRAIN] * len(tiles)
    if config.method == "block":
        groups = _by_block([tiles[k] for k in drawn], drawn, maps, config)
    else:
        is_random = config.method == "random"
        if is_random:
            log.warning(
                "the random split puts neighbours of every training tile into the other parts: the scores leak and are"
                " too high. Quote those of --split granule or block."
            )
        names, group = np.unique(
            [tiles[k].name if is_random else ground[tiles[k].scene] for k in drawn], return_inverse=True
        )
        of_group = splits.draw(names.size, config, "tiles" if is_random else "scenes")
        for k, g in zip(drawn, group, strict=True):
            maps[k] = int(of_group[g])
        groups = tuple(int(np.count_nonzero(of_group == p)) for p in range(4))
    return SceneSplit(maps=tuple(maps), method=config.method, is_leaky=config.method == "random", groups=groups)


def same_ground(tiles: Sequence[Placed]) -> dict[str, str]:
    """Return for every scene the first name among those that share ground with it, directly or through others: another
    date or sensor's image of a place is no other place.

    Scenes share ground where their tiles' rectangles overlap in one grid; simulated ones, whose place is drawn too,
    never do.
    """
    first = {t.scene: t.scene for t in tiles}

    def root(name: str) -> str:
        while first[name] != name:
            name = first[name]
        return name

    of_grid: dict[str, list[Placed]] = {}
    for t in tiles:
        if not getattr(t, "is_simulated", False):
            of_grid.setdefault(t.grid, []).append(t)
    for grid, here in of_grid.items():
        if grid == UNPLACED:
            continue
        left, top = (np.array([t.corner[k] for t in here]) for k in (0, 1))
        wide, high = (np.array([t.shape[axis] * t.pixel[1 - axis] for t in here]) for axis in (1, 0))
        boxes = shapely.box(
            left + EDGE * wide, top - (1.0 - EDGE) * high, left + (1.0 - EDGE) * wide, top - EDGE * high
        )
        tree = shapely.STRtree(boxes)
        for predicate in ("overlaps", "contains"):  # equal ones do not overlap, they contain each other
            for a, b in zip(*tree.query(boxes, predicate=predicate), strict=True):
                one, other = sorted((root(here[a].scene), root(here[b].scene)))
                first[other] = one
    return {name: root(name) for name in first}


def _by_block(
    tiles: Sequence[Placed], numbers: Sequence[int], maps: list[int | np.ndarray], config: splits.Config
) -> tuple[int, int, int, int]:
    length, half_gap = 1000.0 * config.block_km, 500.0 * config.gap_km
    keys = sorted({(t.grid, bx, by) for t in tiles for bx, by in _blocks_of(t, length)})
    of_block = dict(zip(keys, splits.draw(len(keys), config, "blocks of ground").tolist(), strict=True))
    for k, tile in zip(numbers, tiles, strict=True):
        x = tile.corner[0] + (np.arange(tile.shape[1]) + 0.5) * tile.pixel[0]
        y = tile.corner[1] - (np.arange(tile.shape[0]) + 0.5) * tile.pixel[1]
        part = _parts(tile.grid, x, y, of_block, length)
        out = part.copy()
        for dx in (-half_gap, 0.0, half_gap):
            for dy in (-half_gap, 0.0, half_gap):
                near = _parts(tile.grid, x + dx, y + dy, of_block, length)
                out[(near >= 0) & (near != part)] = splits.LEFT_OUT
                if dx and dy:  # two parts that meet at a corner beside a block without tiles
                    far = _parts(tile.grid, x + 2 * dx, y + 2 * dy, of_block, length)
                    is_beside_none = (_parts(tile.grid, x + dx, y, of_block, length) < 0) | (
                        _parts(tile.grid, x, y + dy, of_block, length) < 0
                    )
                    out[is_beside_none & (far >= 0) & (far != part)] = splits.LEFT_OUT
        maps[k] = out
    values = list(of_block.values())
    return tuple(values.count(p) for p in range(4))


def _blocks_of(tile: Placed, length: float) -> list[tuple[int, int]]:
    left, top = tile.corner
    right, bottom = left + tile.shape[1] * tile.pixel[0], top - tile.shape[0] * tile.pixel[1]
    return [
        (bx, by)
        for bx in range(int(left // length), int(np.ceil(right / length)))
        for by in range(int(bottom // length), int(np.ceil(top / length)))
    ]


def _parts(
    grid: str, x: np.ndarray, y: np.ndarray, of_block: dict[tuple[str, int, int], int], length: float
) -> np.ndarray:
    """Return the part of every (y, x), int8; -1 where no tile reaches."""
    bx, by = np.floor(x / length).astype(int), np.floor(y / length).astype(int)
    across, down = np.unique(bx, return_inverse=True), np.unique(by, return_inverse=True)
    table = np.array([[of_block.get((grid, int(i), int(j)), -1) for i in across[0]] for j in down[0]], np.int8)
    return table[down[1].reshape(-1)[:, None], across[1].reshape(-1)[None, :]]


def labelled_ground(tiles: Sequence[Any], known: Callable[[Any], np.ndarray]) -> list[list[object]]:
    """Return grid, left, bottom, right and top (metres) of what is labelled of every tile with a place; simulated ones
    have none.

    Parameters
    ----------
    tiles : sequence of tiles
        With their places.
    known : callable
        Gives the labelled pixels of a tile, bool (h, w).
    """
    out = []
    for t in tiles:
        if getattr(t, "is_simulated", False) or t.grid == UNPLACED:
            continue
        rows, columns = np.nonzero(known(t))
        if rows.size:
            x, y = (
                (t.corner[0] + t.pixel[0] * np.array([columns.min(), columns.max() + 1])),
                (t.corner[1] - t.pixel[1] * np.array([rows.max() + 1, rows.min()])),
            )
            out.append([t.grid, *(round(float(v), 2) for v in (x[0], y[0], x[1], y[1]))])
    return out
