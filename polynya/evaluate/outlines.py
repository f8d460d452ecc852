"""Outlines against reference outlines: overlap, area, and the distance between their boundaries."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from ..errors import ProductError
from ..io.polygons import only_area
from ..metrics import Blocks, Estimate, estimate
from ..scenes.areas import area_km2
from .scene_rows import Bootstrap, Row, distance_rows, draw_blocks, map_rows

DENSIFY_M = 20.0
"""Largest spacing of the points on a boundary, metres."""
PIXEL_M = 10.0


def compare(
    found: gpd.GeoDataFrame,
    reference: gpd.GeoDataFrame,
    *,
    within: gpd.GeoSeries | None = None,
    densify_m: float = DENSIFY_M,
    pixel_m: float = PIXEL_M,
    bootstrap: Bootstrap | None = None,
    prediction: str = "given",
) -> list[Row]:
    """Score outlines against reference outlines.

    Everything is measured in one projected CRS: the outlines' where it is projected, else the UTM zone of the
    reference. Divides inside one set do not count: both sets are dissolved. Points on the edge of ``within`` are no
    boundary. Blocks are squares of 3.2 km.

    Parameters
    ----------
    found, reference : geopandas.GeoDataFrame
        Polygons in any CRS.
    within : geopandas.GeoSeries, optional
        Ground that both cover (the scene, a labelled part); everything by default.
    densify_m : float
        Points are put into boundaries so that none lie further apart.
    pixel_m : float
        Pixel that the tolerances of the boundary F1 are counted in.
    bootstrap : Bootstrap, optional
        Of the intervals.
    prediction : str
        Whose outlines are scored, for the column of that name.

    Returns
    -------
    list of Row
        Areas on the map and on the ellipsoid, overlap, PoLiS and other distances, boundary F1.

    Raises
    ------
    ProductError
        If the reference holds no area inside the ground.
    """
    bootstrap = bootstrap or Bootstrap()
    block_m, n_resamples, seed = bootstrap.block_m, bootstrap.n_resamples, bootstrap.seed
    crs = working_crs(found, reference)
    ours, theirs = _whole(found, crs), _whole(reference, crs)
    ground = None
    if within is not None:
        ground = shapely.union_all(within.to_crs(crs).to_numpy())
        lines = [shapely.intersection(g.boundary, shapely.buffer(ground, -1e-3 * pixel_m)) for g in (ours, theirs)]
        ours, theirs = only_area(shapely.intersection(ours, ground)), only_area(shapely.intersection(theirs, ground))
    else:
        lines = [ours.boundary, theirs.boundary]
    if theirs.is_empty:
        raise ProductError(
            "reference: holds no area on the ground that is compared; expected outlines that reach into it. Check that"
            " both cover the same place."
        )
    rows = []
    sums, cells = _block_sums(ours, theirs, ground, block_m)
    blocks = draw_blocks(len(cells), n_resamples=n_resamples, seed=seed)
    n = np.ones(len(cells)) * max(len(found), 1) / max(len(cells), 1)
    only = ("iou", "f1", "precision", "recall", "area_deviation")
    rows += map_rows(sums, blocks, counts=n, prediction=prediction, only=only)
    for name, geometry, column in (("area", ours, (0, 1)), ("area_of_reference", theirs, (0, 2))):
        of = "" if name == "area" else "_of_reference"
        area = estimate(sums, lambda s, c=column: s[..., c[0]] + s[..., c[1]], blocks=blocks, n=n)
        rows.append(
            Row(
                metric=f"area_map{of}",
                estimate=Estimate(
                    value=area.value * 1e-6, low=np.nan, high=np.nan, n=len(found) if not of else len(reference)
                ),
                units="km2",
                prediction=prediction,
            )
        )
        ellipsoid = (
            float(area_km2(gpd.GeoDataFrame(geometry=[geometry], crs=crs)).sum()) if not geometry.is_empty else 0.0
        )
        rows.append(
            Row(
                metric=f"area_ellipsoid{of}",
                estimate=Estimate(value=ellipsoid, low=np.nan, high=np.nan, n=len(found) if not of else len(reference)),
                units="km2",
                prediction=prediction,
            )
        )
    points = [boundary_points(line, densify_m) for line in lines]
    to_theirs, to_ours = distances(points[0], lines[1]), distances(points[1], lines[0])
    our_blocks, their_blocks = _point_blocks(points, block_m, n_resamples=n_resamples, seed=seed)
    tolerances = {"1px": pixel_m, "2px": 2.0 * pixel_m}
    return rows + distance_rows(
        to_theirs, to_ours, our_blocks, their_blocks, tolerances_m=tolerances, prediction=prediction
    )


def working_crs(found: gpd.GeoDataFrame, reference: gpd.GeoDataFrame) -> object:
    """Return the projected CRS that two sets of outlines are compared in."""
    for frame in (found, reference):
        if frame.crs is None:
            raise ProductError(
                "outlines: have no coordinate reference system; expected one. Assign it before comparing."
            )
    return found.crs if found.crs.is_projected else reference.estimate_utm_crs()


def boundary_points(lines: shapely.Geometry, densify_m: float) -> np.ndarray:
    """Return the points of boundary lines, densified, closing points once; (n, 2)."""
    parts = [
        shapely.get_coordinates(shapely.segmentize(part, densify_m))
        for part in shapely.get_parts(shapely.line_merge(lines))
        if part.geom_type in ("LineString", "LinearRing")
    ]
    parts = [p[:-1] if len(p) > 1 and np.array_equal(p[0], p[-1]) else p for p in parts]
    return np.concatenate(parts) if parts else np.zeros((0, 2))


def distances(points: np.ndarray, lines: shapely.Geometry) -> np.ndarray:
    """Return the distance of every point to the nearest place on lines, m; none where there is no line."""
    if not len(points) or lines.is_empty:
        return np.zeros(0)
    segments = _segments(lines)
    _, found = shapely.STRtree(segments).query_nearest(shapely.points(points), return_distance=True, all_matches=False)
    return found


def _segments(lines: shapely.Geometry) -> np.ndarray:
    """Return lines cut into pieces of at most 32 points, that a tree finds quickly."""
    out = []
    for part in shapely.get_parts(lines):
        xy = shapely.get_coordinates(part)
        out += [shapely.LineString(xy[k : k + 33]) for k in range(0, len(xy) - 1, 32)]
    return np.array(out, object)


def _whole(frame: gpd.GeoDataFrame, crs: object) -> shapely.Geometry:
    geometry = frame.geometry.to_crs(crs).to_numpy()
    return (
        only_area(shapely.union_all([only_area(g) for g in shapely.make_valid(geometry)], grid_size=1e-3))
        if len(geometry)
        else shapely.MultiPolygon()
    )


def _block_sums(
    ours: shapely.Geometry, theirs: shapely.Geometry, ground: shapely.Geometry | None, block_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return areas (m²) that both have, only we, only they, neither, by block; and the blocks."""
    low_x, low_y, high_x, high_y = (shapely.union_all([ours, theirs]) if ground is None else ground).bounds
    columns = np.arange(np.floor(low_x / block_m), np.ceil(high_x / block_m)) * block_m
    rows = np.arange(np.floor(low_y / block_m), np.ceil(high_y / block_m)) * block_m
    x, y = (v.ravel() for v in np.meshgrid(columns, rows))
    boxes = shapely.box(x, y, x + block_m, y + block_m)
    areas = []
    for geometry in (
        ours,
        theirs,
        shapely.intersection(ours, theirs),
        shapely.union_all([ours, theirs]) if ground is None else ground,
    ):
        area = np.zeros(len(boxes))
        for part in shapely.get_parts(geometry):
            if part.area > 0:
                shapely.prepare(part)
                hit = np.flatnonzero(shapely.intersects(part, boxes))
                area[hit] += shapely.area(shapely.intersection(part, boxes[hit]))
        areas.append(area)
    a, b, both, all_ground = areas
    either = a + b - both
    kept = (all_ground > 0) if ground is not None else (either > 0)
    neither = np.maximum(all_ground - either, 0.0) if ground is not None else np.zeros(len(boxes))
    return np.stack([both, a - both, b - both, neither], axis=-1)[kept], np.flatnonzero(kept)


def _point_blocks(points: list[np.ndarray], block_m: float, *, n_resamples: int, seed: int) -> tuple[Blocks, Blocks]:
    xy = np.floor(np.concatenate(points) / block_m).astype(np.int64)
    cells, index = np.unique(xy, axis=0, return_inverse=True) if len(xy) else (xy, np.zeros(0, np.int64))
    blocks = draw_blocks(len(cells), index=index.ravel(), n_resamples=n_resamples, seed=seed)
    first = len(points[0])
    return blocks.take(slice(0, first)), blocks.take(slice(first, None))
