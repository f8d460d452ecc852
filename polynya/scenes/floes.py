"""Floes of a class map: touching ones parted, their polygons without seams, and their sizes.

A floe is what stays connected when ice is eroded by ``part_px``, grown back by as much within the ice; a pixel between
two goes to the nearer one. So necks narrower than 2 ``part_px`` + 1 part floes, and bodies narrower than that are
brash, no floes. The map is read tile by tile; labels are joined over the tiles' edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from scipy import ndimage, sparse

from ..physics import calipers
from ..schema.optical_ice_maps import NO_CLASS
from .image_plane import Plane

if TYPE_CHECKING:
    import geopandas

TILE = 1024
Read = Callable[[slice, slice], np.ndarray]
"""Gives the codes of classes, uint8 (h, w), of rows and columns."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What counts as one floe.

    Attributes
    ----------
    ice : tuple of int
        Codes of the classes that floes are made of.
    land : tuple of int
        Codes of land.
    part_px : float
        Radius of the erosion, pixels.
    least_px : int
        Smaller floes are left out, pixels.
    """

    ice: tuple[int, ...]
    land: tuple[int, ...] = ()
    part_px: float = 2.0
    least_px: int = 30


def find(read: Read, rule: Rule, *, plane: Plane, classes: Sequence[str], scratch: Path) -> geopandas.GeoDataFrame:
    """Return the floes of a class map, the largest first.

    Parameters
    ----------
    read : callable
        See :data:`Read`.
    rule : Rule
        What counts as one floe.
    plane : Plane
        Grid of the map.
    classes : sequence of str
        Names of the codes.
    scratch : Path
        Folder for the labels: 4 bytes per pixel.

    Returns
    -------
    geopandas.GeoDataFrame
        A floe per row, in the CRS of the plane. UNIT is ``m`` or ``px``: ``area_UNIT2`` (pixels on the ellipsoid),
        ``perimeter_UNIT`` (holes included, staircase smoothed), ``mean_caliper_UNIT``, ``max_caliper_UNIT``,
        ``n_pixels``, ``mean_caliper_px``, ``height_px``, ``width_px``, ``touches_border`` (of the image, or of pixels
        without a class), ``touches_land``, and ``share_CLASS`` of the classes of ice.
    """
    halo = int(np.ceil(rule.part_px)) + 2
    labels = _Labels(scratch / "floes.raw", plane.shape)
    try:
        count = _seeds(read, rule, labels, halo)
        roots = _joined(labels, count)
        sums = _Sums(roots, len(classes))
        for rows, columns in _tiles(plane.shape):
            codes, found = _grown(read, rule, labels, roots, halo, rows, columns)
            _add(sums, codes, found, rows, columns, rule, plane)
        kept = np.flatnonzero(sums.pixels >= rule.least_px)
        new = np.zeros(sums.pixels.size, np.int32)
        new[kept] = np.arange(1, kept.size + 1)
        shapes = _polygons(read, rule, labels, roots, new, halo, kept.size)
    finally:
        labels.close()
    return _table(shapes, sums, kept, rule=rule, plane=plane, classes=classes)


class _Labels:
    """A grid of whole numbers in a file, read and written by windows."""

    def __init__(self, path: Path, shape: tuple[int, int]):
        self.path, self.shape = path, shape
        self._file = np.memmap(path, np.int32, "w+", shape=shape)

    def write(self, rows: slice, columns: slice, values: np.ndarray) -> None:
        self._file[rows, columns] = values
        self._file.flush()
        self._reopen()

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        return np.array(self._file[rows, columns])

    def _reopen(self) -> None:
        """Let go of what was written: pages of a mapping count as memory."""
        self._file = np.memmap(self.path, np.int32, "r+", shape=self.shape)

    def close(self) -> None:
        del self._file
        self.path.unlink(missing_ok=True)


def _tiles(shape: tuple[int, int]):
    for row in range(0, shape[0], TILE):
        for column in range(0, shape[1], TILE):
            yield slice(row, min(row + TILE, shape[0])), slice(column, min(column + TILE, shape[1]))


def _wide(rows: slice, columns: slice, shape: tuple[int, int], halo: int):
    """Return a tile with its halo, and where the tile lies in that."""
    outer = [slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip((rows, columns), shape, strict=True)]
    own = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip((rows, columns), outer, strict=True))
    return outer[0], outer[1], own


def _is(codes: np.ndarray, among: Sequence[int]) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(among)] = True
    return table[codes]


def _steps(radius: float) -> list[tuple[int, int]]:
    """Return the steps to all pixels within a radius, the nearest first."""
    n = int(radius)
    found = [(r, c) for r in range(-n, n + 1) for c in range(-n, n + 1) if r * r + c * c <= radius * radius]
    return sorted(found, key=lambda s: (s[0] ** 2 + s[1] ** 2, s))


def _eroded(ice: np.ndarray, radius: float) -> np.ndarray:
    """Return the ice that lies further than a radius from what is none; beyond the border the ice continues."""
    n = int(radius)
    framed, out = np.pad(ice, n, mode="edge"), ice.copy()
    height, width = ice.shape
    for r, c in _steps(radius):
        out &= framed[n + r : n + r + height, n + c : n + c + width]
    return out


def _nearest(seeds: np.ndarray, where: np.ndarray, radius: float) -> np.ndarray:
    """Return seeds grown by a radius within a mask: every pixel gets the number of the nearest one."""
    n = int(radius)
    framed, out = np.pad(seeds, n), seeds.copy()
    height, width = seeds.shape
    for r, c in _steps(radius):
        moved = framed[n + r : n + r + height, n + c : n + c + width]
        np.copyto(out, moved, where=(out == 0) & where & (moved > 0))
    return out


def _seeds(read: Read, rule: Rule, labels: _Labels, halo: int) -> int:
    """Write the labels of eroded ice, tile by tile; return how many there are."""
    count = 0
    for rows, columns in _tiles(labels.shape):
        r, c, own = _wide(rows, columns, labels.shape, halo)
        found, n = ndimage.label(_eroded(_is(read(r, c), rule.ice), rule.part_px)[own])
        labels.write(rows, columns, np.where(found, found + count, 0).astype(np.int32))
        count += n
    return count


def _joined(labels: _Labels, count: int) -> np.ndarray:
    """Return the number of the body of every label, int32 (count + 1,), 0 for 0."""
    pairs = [np.zeros((0, 2), np.int64)]
    height, width = labels.shape
    for row in range(TILE, height, TILE):
        both = labels.read(slice(row - 1, row + 1), slice(0, width))
        pairs.append(both[:, (both > 0).all(axis=0)].T)
    for column in range(TILE, width, TILE):
        both = labels.read(slice(0, height), slice(column - 1, column + 1))
        pairs.append(both[(both > 0).all(axis=1)])
    links = np.unique(np.concatenate(pairs), axis=0)
    graph = sparse.coo_matrix((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count + 1,) * 2)
    _, body = sparse.csgraph.connected_components(graph, directed=False)
    body = body.astype(np.int32)
    if body[0]:  # 0 is joined to nothing: it is the first body
        body = (body - body[0]) % (body.max() + 1)
    return body


def _grown(
    read: Read, rule: Rule, labels: _Labels, roots: np.ndarray, halo: int, rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes of a tile with a frame of one pixel (255 beyond the image), and the bodies grown back."""
    r, c, own = _wide(rows, columns, labels.shape, halo)
    codes, seeds = read(r, c), roots[labels.read(r, c)]
    grown = _nearest(seeds, _is(codes, rule.ice), rule.part_px + 0.5) if seeds.any() else seeds
    framed = np.pad(codes, 1, constant_values=NO_CLASS)
    return framed[own[0].start : own[0].stop + 2, own[1].start : own[1].stop + 2], grown[own]


class _Sums:
    """What is counted of every body."""

    def __init__(self, roots: np.ndarray, classes: int):
        n = int(roots.max()) + 1
        self.pixels, self.area = np.zeros(n, np.int64), np.zeros(n)
        self.by_class = np.zeros((n, classes))
        self.row, self.column = np.zeros(n), np.zeros(n)
        self.border, self.land = np.zeros(n, bool), np.zeros(n, bool)
        self.low, self.high = np.full((n, 2), 1 << 30), np.full((n, 2), -1)


def _add(
    sums: _Sums, framed: np.ndarray, found: np.ndarray, rows: slice, columns: slice, rule: Rule, plane: Plane
) -> None:
    """Count a tile."""
    at = np.nonzero(found)
    body = found[at]
    if not body.size:
        return
    n, codes = sums.pixels.size, framed[1:-1, 1:-1][at]
    row_area = plane.row_areas(rows)
    sums.pixels += np.bincount(body, minlength=n)
    sums.area += np.bincount(body, row_area[at[0]], n)
    classes = sums.by_class.shape[1]
    sums.by_class += np.bincount(body.astype(np.int64) * classes + codes, minlength=n * classes).reshape(n, classes)
    sums.row += np.bincount(body, at[0] + rows.start, n)
    sums.column += np.bincount(body, at[1] + columns.start, n)
    for k, (place, s) in enumerate(zip(at, (rows, columns), strict=True)):
        np.minimum.at(sums.low[:, k], body, place + s.start)
        np.maximum.at(sums.high[:, k], body, place + s.start)
    for mask, flag in ((framed == NO_CLASS, sums.border), (_is(framed, rule.land), sums.land)):
        if mask.any():
            near = ndimage.binary_dilation(mask, np.ones((3, 3), bool))[1:-1, 1:-1]
            flag[np.unique(body[near[at]])] = True


def _polygons(
    read: Read, rule: Rule, labels: _Labels, roots: np.ndarray, numbers: np.ndarray, halo: int, count: int
) -> list[shapely.Geometry]:
    """Return the polygon of every kept body, columns and rows; pieces of several tiles are joined."""
    from rasterio.features import shapes

    pieces: list[list[shapely.Geometry]] = [[] for _ in range(count + 1)]
    for rows, columns in _tiles(labels.shape):
        found = numbers[_grown(read, rule, labels, roots, halo, rows, columns)[1]]
        if not found.any():
            continue
        shift = Affine.translation(columns.start, rows.start)
        for outline, number in shapes(found.astype(np.int32), mask=found > 0, connectivity=4, transform=shift):
            rings = outline["coordinates"]
            pieces[int(number)].append(shapely.Polygon(rings[0], rings[1:]))
    return [p[0] if len(p) == 1 else shapely.union_all(p) for p in pieces[1:]]


def _table(
    shapes: list[shapely.Geometry], sums: _Sums, kept: np.ndarray, *, rule: Rule, plane: Plane, classes: Sequence[str]
) -> geopandas.GeoDataFrame:
    import geopandas as gpd

    pixels = np.maximum(sums.pixels[kept], 1)
    wide, tall = plane.pixel_sizes(sums.row[kept] / pixels + 0.5, sums.column[kept] / pixels + 0.5)
    measured = [_measured(s, np.array([w, t])) for s, w, t in zip(shapes, wide, tall, strict=True)]
    around, mean, most, mean_px = np.array(measured, float).reshape(-1, 4).T
    unit = plane.unit
    columns: dict[str, np.ndarray] = {
        f"area_{unit}2": sums.area[kept],
        f"perimeter_{unit}": around,
        f"mean_caliper_{unit}": mean,
        f"max_caliper_{unit}": most,
        "n_pixels": sums.pixels[kept],
        "mean_caliper_px": mean_px,
        "height_px": sums.high[kept, 0] - sums.low[kept, 0] + 1,
        "width_px": sums.high[kept, 1] - sums.low[kept, 1] + 1,
        "touches_border": sums.border[kept],
        "touches_land": sums.land[kept],
    }
    for code in rule.ice:
        columns[f"share_{classes[code]}"] = sums.by_class[kept, code] / pixels
    geometry = np.array([shapely.transform(s, plane.to_map) for s in shapes], object)
    frame = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(geometry, crs=plane.crs), crs=plane.crs)
    order = np.lexsort((sums.column[kept], sums.row[kept], -frame["n_pixels"].to_numpy()))
    frame = frame.iloc[order].reset_index(drop=True)
    frame.insert(0, "floe", np.arange(1, len(frame) + 1))
    return frame


def _measured(shape: shapely.Geometry, size: np.ndarray) -> tuple[float, float, float, float]:
    """Return perimeter, mean and largest caliper in the unit of ``size``, and the mean caliper in pixels."""
    around, corners = 0.0, []
    for part in shapely.get_parts(shape):
        for ring in (part.exterior, *part.interiors):
            xy = shapely.get_coordinates(ring)[:-1]
            around += calipers.perimeter(xy * size, step=float(size.mean()))
        corners.append(shapely.get_coordinates(part.exterior))
    points = np.concatenate(corners)
    mean, most = calipers.calipers(points * size)
    return around, mean, most, mean / float(np.sqrt(size.prod()))
