"""Mapped ice cut into glaciers along ice divides of the DEM, where no inventory gives them.

Each polygon is drawn on the DEM's grid, its heights are smoothed, every pixel is led to its outlet on the margin
(:mod:`polynya.physics.flow_basins`), and the polygon is cut along the borders of the basins.
"""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize, shapes
from scipy import ndimage

from ..io.polygons import only_area
from ..physics import flow_basins
from ..scenes.areas import area_km2, pixel_size_m
from .divides import overlay_grid

LEAST_DEPTH_M = 60.0
"""Depth of a divide below which it parts no glaciers."""
LEAST_KM2 = 0.05
"""Smaller basins join a neighbour."""
SMOOTH_M = 60.0
"""Standard deviation of the Gaussian that takes noise off the DEM."""
MOST_PIXELS = 4_000_000
"""A polygon with a larger box is cut on a coarser grid."""
LEAST_KNOWN = 0.5
"""A polygon of whose ice a smaller share has heights stays whole."""
STRIP = 512
"""Rows of the DEM that are read at a time."""

Read = Callable[[slice, slice], np.ndarray]
"""Takes rows and columns; returns heights of that window, m, NaN where missing."""


def divide(
    outlines: gpd.GeoDataFrame,
    read: Read,
    *,
    geobox: GeoBox,
    least_depth_m: float = LEAST_DEPTH_M,
    least_km2: float = LEAST_KM2,
) -> gpd.GeoDataFrame:
    """Cut outlines along the divides of the ice's surface.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        Polygons that do not overlap, in the grid's CRS.
    read : callable
        See :data:`Read`.
    geobox : odc.geo.GeoBox
        Grid of the DEM.
    least_depth_m : float
        Depth of a divide: the height of the lowest pass above the higher of both outlets, m.
    least_km2 : float
        Smaller basins join the neighbour with the longest common edge.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per glacier, with ``area_km2``. No area is lost or counted twice. Voids have the nearest height; a
        polygon with less than :data:`LEAST_KNOWN` of heights stays as it is.
    """
    grid = overlay_grid(outlines)
    parts: list[shapely.Geometry] = []
    for polygon in outlines.geometry:
        parts += _cut(polygon, read, geobox, least_depth_m=least_depth_m, least_km2=least_km2, grid=grid)
    frame = gpd.GeoDataFrame(geometry=gpd.GeoSeries(parts, crs=outlines.crs), crs=outlines.crs)
    frame["area_km2"] = area_km2(frame) if len(frame) else np.zeros(0)
    return frame


def _cut(
    polygon: shapely.Geometry, read: Read, geobox: GeoBox, *, least_depth_m: float, least_km2: float, grid: float
) -> list[shapely.Geometry]:
    """Return the parts of a polygon, or the polygon itself where nothing parts it."""
    rows, columns = _box(polygon, geobox)
    step = max(1, int(np.ceil(((rows.stop - rows.start) * (columns.stop - columns.start) / MOST_PIXELS) ** 0.5)))
    heights = _every(read, rows, columns, step=step)
    own = geobox[rows, columns]
    transform = own.transform * own.transform.scale(step, step)
    if not heights.size:
        return [polygon]
    ice = rasterize([(polygon, 1)], out_shape=heights.shape, transform=transform, dtype="uint8") == 1
    known = np.isfinite(heights)
    if not ice.any() or known[ice].mean() < LEAST_KNOWN:
        return [polygon]
    wide, tall = (v * step for v in pixel_size_m(own))
    smooth = _smoothed(_filled(heights, known), (SMOOTH_M / tall, SMOOTH_M / wide))
    label, outlet = flow_basins.basins(smooth, ice)
    least = max(1, int(least_km2 * 1e6 / (wide * tall)))
    label = flow_basins.merged(label, outlet, smooth, least_depth_m=least_depth_m, least_pixels=least)
    if label.max() < 1:
        return [polygon]
    near = ndimage.distance_transform_edt(label < 0, return_distances=False, return_indices=True)
    cells = label[tuple(near)]  # the polygon's edge may lie half a pixel outside the pixels
    found: dict[int, list] = {}
    for shape, value in shapes(cells, transform=transform, connectivity=4):
        found.setdefault(int(value), []).append(shapely.geometry.shape(shape))
    whole = shapely.set_precision(polygon, grid)
    out = []
    for k in sorted(found):
        part = only_area(shapely.intersection(whole, shapely.union_all(found[k], grid_size=grid), grid_size=grid))
        if not part.is_empty:
            out.append(part)
    return out


def _box(polygon: shapely.Geometry, geobox: GeoBox) -> tuple[slice, slice]:
    """Return rows and columns of the grid that a polygon covers, with a pixel around."""
    back = ~geobox.transform
    xy = shapely.get_coordinates(polygon)
    column = back.a * xy[:, 0] + back.b * xy[:, 1] + back.c
    row = back.d * xy[:, 0] + back.e * xy[:, 1] + back.f
    return tuple(  # type: ignore[return-value]
        slice(int(np.clip(np.floor(v.min()) - 1, 0, n)), int(np.clip(np.ceil(v.max()) + 1, 0, n)))
        for v, n in zip((row, column), geobox.shape, strict=True)
    )


def _every(read: Read, rows: slice, columns: slice, *, step: int) -> np.ndarray:
    """Return every ``step``-th height of a window, read in strips: a polygon may be as large as the scene."""
    tall, first = max(STRIP // step, 1) * step, slice(step // 2, None, step)
    strips = [slice(top, min(top + tall, rows.stop)) for top in range(rows.start, rows.stop, tall)]
    parts = [read(strip, columns)[first, first].astype(np.float64) for strip in strips]
    return np.concatenate(parts) if parts else np.zeros((0, 0))


def _filled(heights: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return heights whose voids have the nearest known one."""
    if known.all():
        return heights
    near = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return heights[tuple(near)]


def _smoothed(heights: np.ndarray, sigma: tuple[float, float]) -> np.ndarray:
    return ndimage.gaussian_filter(heights, sigma, mode="nearest", truncate=3.0)


def complexes(outlines: gpd.GeoDataFrame, edges: gpd.GeoDataFrame, *, names: list[str]) -> gpd.GeoDataFrame:
    """Return glacier complexes: glaciers that share an edge, dissolved, as the product C of the RGI 7 has them.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        Glaciers that do not overlap.
    edges : geopandas.GeoDataFrame
        Of :func:`intersects`.
    names : list of str
        An identifier for each.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per complex, the largest first: ``complex_id``, ``glaciers`` (identifiers, separated by blanks),
        ``count`` and ``area_km2``.
    """
    parent = {n: n for n in names}

    def root(n: str) -> str:
        while parent[n] != n:
            n = parent[n]
        return n

    for a, b in zip(edges["rgi_g_id_i"], edges["rgi_g_id_j"], strict=True):
        parent[root(a)] = root(b)
    members: dict[str, list[int]] = {}
    for k, n in enumerate(names):
        members.setdefault(root(n), []).append(k)
    grid, geometry = overlay_grid(outlines), outlines.geometry.to_numpy()
    frame = gpd.GeoDataFrame(
        {
            "glaciers": [" ".join(names[k] for k in rows) for rows in members.values()],
            "count": np.array([len(rows) for rows in members.values()], np.int64),
        },
        geometry=gpd.GeoSeries(
            [shapely.union_all(geometry[rows], grid_size=grid) for rows in members.values()], crs=outlines.crs
        ),
        crs=outlines.crs,
    )
    frame["area_km2"] = area_km2(frame) if len(frame) else np.zeros(0)
    frame = frame.sort_values("area_km2", ascending=False).reset_index(drop=True)
    frame.insert(0, "complex_id", [f"C{k + 1:05d}" for k in range(len(frame))])
    return frame


def intersects(outlines: gpd.GeoDataFrame, *, names: list[str]) -> gpd.GeoDataFrame:
    """Return the lines along which two glaciers touch, as the product I of the RGI 7 has them.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        Glaciers that do not overlap.
    names : list of str
        An identifier for each.

    Returns
    -------
    geopandas.GeoDataFrame
        One line per pair of neighbours: ``rgi_g_id_i``, ``rgi_g_id_j``.
    """
    geometry = outlines.geometry.to_numpy()
    rows = []
    for a, b in zip(*shapely.STRtree(geometry).query(geometry, predicate="intersects"), strict=True):
        if a >= b:
            continue
        shared = shapely.intersection(geometry[a].boundary, geometry[b].boundary)
        lines = [p for p in shapely.get_parts(shared) if p.geom_type == "LineString" and p.length > 0]
        if lines:
            line = shapely.line_merge(shapely.MultiLineString(lines))
            rows.append((names[a], names[b], line))
    return gpd.GeoDataFrame(
        {"rgi_g_id_i": [r[0] for r in rows], "rgi_g_id_j": [r[1] for r in rows]},
        geometry=gpd.GeoSeries([r[2] for r in rows], crs=outlines.crs),
        crs=outlines.crs,
    )
