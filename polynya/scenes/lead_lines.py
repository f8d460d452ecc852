"""Leads of a class map as lines: water and thin ice that is long and narrow inside ice, with width and direction.

Bodies of water and thin ice wider than ``widest_px`` are no leads: they go by an opening. What is left is thinned to
its middle lines; lines lie where at least :data:`INSIDE` of the surroundings is thick ice or ponds and both sides are.
Lines part at crossings, go on through them where they bend by less than 45 degrees, and are leads where they are at
least :data:`SLENDER` times as long as wide. The map is read tile by tile, lines are traced over the tiles' edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy import ndimage, sparse

from ..physics import thinning
from .image_plane import Plane

if TYPE_CHECKING:
    import geopandas

TILE = 1024
INSIDE = 0.5
MARGIN = 0.15
"""Share of ice below :data:`INSIDE` from which nothing is thinned: so far from a line nothing changes it."""
SLENDER = 3.0
BEND_DEG = 45.0
LOOK_PX = 8
"""Pixels from a crossing over which the direction of a line is taken."""
SMOOTHED_PX = 5
Read = Callable[[slice, slice], np.ndarray]
"""Gives the codes of classes, uint8 (h, w), of rows and columns."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What counts as a lead.

    Attributes
    ----------
    water, thin, ice : tuple of int
        Codes of open water, of thin ice, and of the ice that leads lie in.
    widest_px : int
        Largest width, pixels.
    shortest_px : int
        Least length, pixels.
    """

    water: tuple[int, ...]
    thin: tuple[int, ...]
    ice: tuple[int, ...]
    widest_px: int = 40
    shortest_px: int = 20

    @property
    def halo(self) -> int:
        """Pixels around a tile that decide what is in it."""
        return 2 * self.widest_px + 8


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """Pixels of middle lines: places, width of the lead there in pixels, and whether it is frozen."""

    row: np.ndarray
    column: np.ndarray
    width: np.ndarray
    frozen: np.ndarray


def find(read: Read, rule: Rule, *, plane: Plane) -> geopandas.GeoDataFrame:
    """Return the leads of a class map, the longest first.

    Parameters
    ----------
    read : callable
        See :data:`Read`.
    rule : Rule
        What counts as a lead.
    plane : Plane
        Grid of the map.

    Returns
    -------
    geopandas.GeoDataFrame
        A line per row, in the CRS of the plane: ``length_UNIT``, ``mean_width_UNIT``, ``max_width_UNIT`` (known to
        half a pixel), ``orientation_deg`` (clockwise from north, 0 to 180; from up without a place on the map),
        ``frozen_share`` of its length, ``mean_width_px``.
    """
    import geopandas as gpd

    points = _joined([_tile(read, rule, plane.shape, r, c) for r, c in _tiles(plane.shape)])
    rows = [_described(points, path, plane) for path in _paths(points, plane.shape[1])]
    unit = plane.unit
    rows = [
        r for r in rows if r[f"length_{unit}"] >= max(SLENDER * r[f"mean_width_{unit}"], rule.shortest_px * r["pixel"])
    ]
    rows.sort(key=lambda r: -r[f"length_{unit}"])
    names = [f"length_{unit}", f"mean_width_{unit}", f"max_width_{unit}", "orientation_deg", "frozen_share"]
    columns = {n: np.array([r[n] for r in rows], float) for n in (*names, "mean_width_px")}
    frame = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([r["line"] for r in rows], crs=plane.crs), crs=plane.crs)
    frame.insert(0, "lead", np.arange(1, len(frame) + 1))
    return frame


def mean_orientation(orientation_deg: np.ndarray, length: np.ndarray) -> tuple[float, float]:
    """Return the mean direction of lines, degrees 0 to 180, and how much they agree, 0 to 1 (Mardia and Jupp 2000).

    Parameters
    ----------
    orientation_deg, length : numpy.ndarray, shape (n,)
        Of the lines; directions are axes, so their angles are doubled.
    """
    if not np.sum(length) > 0:
        return float("nan"), float("nan")
    mean = (np.exp(2j * np.radians(orientation_deg)) * length).sum() / np.sum(length)
    return float(np.degrees(np.angle(mean)) / 2.0 % 180.0), float(abs(mean))


def _tiles(shape: tuple[int, int]):
    for row in range(0, shape[0], TILE):
        for column in range(0, shape[1], TILE):
            yield slice(row, min(row + TILE, shape[0])), slice(column, min(column + TILE, shape[1]))


def _is(codes: np.ndarray, among: tuple[int, ...]) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(among)] = True
    return table[codes]


def _tile(read: Read, rule: Rule, shape: tuple[int, int], rows: slice, columns: slice) -> _Points:
    """Return the middle lines of a tile."""
    outer = [
        slice(max(s.start - rule.halo, 0), min(s.stop + rule.halo, n))
        for s, n in zip((rows, columns), shape, strict=True)
    ]
    own = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip((rows, columns), outer, strict=True))
    codes = read(outer[0], outer[1])
    thin, ice = _is(codes, rule.thin), _is(codes, rule.ice)
    body = _is(codes, rule.water) | thin
    none = np.zeros(0)
    if not body.any() or not ice.any():
        return _Points(row=none.astype(int), column=none.astype(int), width=none, frozen=none.astype(bool))
    depth = ndimage.distance_transform_edt(np.pad(body, 1, mode="edge"))[1:-1, 1:-1].astype(np.float32)
    radius = 0.5 * rule.widest_px
    broad = depth > radius
    if broad.any():
        broad = ndimage.distance_transform_edt(~broad) <= radius
    around = ndimage.uniform_filter(ice.astype(np.float32), 2 * rule.widest_px + 1, mode="nearest")
    line = thinning.thinned(body & ~broad & (around >= INSIDE - MARGIN)) & (around >= INSIDE)
    kept = np.zeros(line.shape, bool)
    kept[own] = line[own]
    at = np.nonzero(kept)
    frozen = ndimage.uniform_filter(thin.astype(np.float32), 3)[at] >= 0.5
    # of a width of w pixels the depth of the middle is (w + 1) / 2 or w / 2
    width = np.maximum(2.0 * depth[at] - 0.5, 1.0)
    return _Points(row=at[0] + outer[0].start, column=at[1] + outer[1].start, width=width, frozen=frozen)


def _joined(parts: list[_Points]) -> _Points:
    names = ("row", "column", "width", "frozen")
    row, column, width, frozen = (np.concatenate([getattr(p, n) for p in parts]) for n in names)
    order = np.lexsort((column, row))
    return _Points(row=row[order], column=column[order], width=width[order], frozen=frozen[order])


def _links(points: _Points, wide: int) -> np.ndarray:
    """Return pairs of neighbours (n, 2); a diagonal that goes round a corner of the line is none."""
    place = points.row.astype(np.int64) * (wide + 2) + points.column + 1
    n = place.size

    def at(step: int) -> np.ndarray:
        k = np.minimum(np.searchsorted(place, place + step), n - 1)
        return np.where(place[k] == place + step, k, -1)

    right, below, left = at(1), at(wide + 2), at(-1)
    pairs = []
    for found, corner in (
        (right, None),
        (below, None),
        (at(wide + 3), (right, below)),
        (at(wide + 1), (left, below)),
    ):
        good = found >= 0
        if corner is not None:
            good &= (corner[0] < 0) & (corner[1] < 0)
        pairs.append(np.column_stack([np.flatnonzero(good), found[good]]))
    return np.concatenate(pairs)


def _paths(points: _Points, wide: int) -> list[np.ndarray]:
    """Return the lines as numbers of points in order."""
    n = points.row.size
    if not n:
        return []
    links = _links(points, wide)
    degree = np.bincount(links.ravel(), minlength=n)
    crossing = degree >= 3
    near: list[list[int]] = [[] for _ in range(n)]
    for a, b in links.tolist():
        near[a].append(b)
        near[b].append(a)
    simple = links[~crossing[links].any(axis=1)]
    knots = links[crossing[links].all(axis=1)]
    knot = _components(knots, n)
    part = _components(simple, n)
    order = np.argsort(part, kind="stable")
    order = order[~crossing[order]]
    groups = np.split(order, np.flatnonzero(np.diff(part[order])) + 1) if order.size else []
    paths, ends = [], []
    for group in groups:
        path = _walk(group, near, crossing)
        hooks = [next((int(knot[q]) for q in near[e] if crossing[q]), -1) for e in (path[0], path[-1])]
        if len(path) == 1:
            found = [int(knot[q]) for q in near[path[0]] if crossing[q]]
            hooks = [*found, -1, -1][:2]
        free = hooks.count(-1)
        if free == 1 and len(path) < max(0.75 * float(points.width[path].max()), 3.0):
            continue  # the corner of an end or a bump of the border
        paths.append(path)
        ends.append(hooks)
    return _through(points, paths, ends)


def _components(pairs: np.ndarray, n: int) -> np.ndarray:
    graph = sparse.coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return sparse.csgraph.connected_components(graph, directed=False)[1]


def _walk(group: np.ndarray, near: list[list[int]], crossing: np.ndarray) -> list[int]:
    """Return the points of a simple line in order, from an end where it has one."""
    inside = set(group.tolist())
    start = next((p for p in group.tolist() if sum(q in inside for q in near[p]) < 2), int(group[0]))
    path, seen = [start], {start}
    while True:
        step = next((q for q in near[path[-1]] if q in inside and q not in seen), None)
        if step is None:
            return path
        path.append(step)
        seen.add(step)


def _through(points: _Points, paths: list[list[int]], ends: list[list[int]]) -> list[np.ndarray]:
    """Join lines through crossings where they go straight on."""
    at: dict[int, list[tuple[int, int]]] = {}
    for k, hooks in enumerate(ends):
        for side, hook in enumerate(hooks):
            if hook >= 0:
                at.setdefault(hook, []).append((k, side))
    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for meeting in at.values():
        away = {e: _direction(points, paths[e[0]], e[1]) for e in meeting}
        pairs = [
            (float(away[a] @ away[b]), a, b) for i, a in enumerate(meeting) for b in meeting[i + 1 :] if a[0] != b[0]
        ]
        for cosine, a, b in sorted(pairs):
            is_straight = cosine <= -np.cos(np.radians(BEND_DEG)) or len(meeting) == 2
            if is_straight and a not in partner and b not in partner:
                partner[a], partner[b] = b, a
    out, used = [], set()
    starts = [(k, s) for k in range(len(paths)) for s in (0, 1) if (k, s) not in partner]
    for k, side in [*starts, *((k, 0) for k in range(len(paths)))]:
        line: list[int] = []
        here: tuple[int, int] | None = (k, side)
        while here is not None and here[0] not in used:
            used.add(here[0])
            path = paths[here[0]]
            line += path if here[1] == 0 else path[::-1]
            here = partner.get((here[0], 1 - here[1]))
        if len(line) > 1:
            out.append(np.array(line))
    return out


def _direction(points: _Points, path: list[int], side: int) -> np.ndarray:
    """Return the unit vector from an end of a line into it."""
    near = (path if side == 0 else path[::-1])[: LOOK_PX + 1]
    a, b = near[0], near[-1]
    step = np.array([points.row[b] - points.row[a], points.column[b] - points.column[a]], float)
    return step / max(float(np.hypot(*step)), 1e-9)


def _described(points: _Points, path: np.ndarray, plane: Plane) -> dict[str, object]:
    """Return a lead's line and its numbers."""
    row, column = (_smooth(v[path] + 0.5) for v in (points.row, points.column))
    wide, tall = plane.pixel_sizes(row[:: len(row) - 1], column[:: len(row) - 1])
    size = np.array([wide.mean(), tall.mean()])
    pixel = float(np.sqrt(size.prod()))
    steps = np.hypot(np.diff(column) * size[0], np.diff(row) * size[1])
    every = np.unique(np.append(np.arange(0, len(row), LOOK_PX), len(row) - 1))
    chord = np.hypot(np.diff(column[every]) * size[0], np.diff(row[every]) * size[1])
    orientation, _ = mean_orientation(plane.bearings(row[every], column[every]), chord)
    line = shapely.simplify(shapely.LineString(np.column_stack([column, row])), 0.5)
    unit = plane.unit
    return {
        "line": shapely.transform(line, plane.to_map),
        "pixel": pixel,
        f"length_{unit}": float(steps.sum()) + pixel,
        f"mean_width_{unit}": float(points.width[path].mean()) * pixel,
        f"max_width_{unit}": float(points.width[path].max()) * pixel,
        "orientation_deg": orientation,
        "frozen_share": float(points.frozen[path].mean()),
        "mean_width_px": float(points.width[path].mean()),
    }


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return places along a line without the steps of pixels; its ends stay."""
    if values.size <= SMOOTHED_PX:
        return values.astype(float)
    out = ndimage.uniform_filter1d(values.astype(float), SMOOTHED_PX, mode="nearest")
    out[0], out[-1] = values[0], values[-1]
    return out
