"""Attributes of outlines under the names of RGI 7: place, area, elevation, slope, aspect, date, confidence.

Rasters are read block by block; what is kept of a block are sums and a histogram of elevations a glacier.
"""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pyproj
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from ..errors import UsageError
from ..scenes.areas import area_km2, pixel_size_m
from . import outlines as outline_blocks

Read = Callable[[slice, slice], dict[str, np.ndarray]]
"""Takes rows and columns; returns any of elevation (m), slope (degrees), confidence as float arrays of that window, NaN
where missing."""


def place(outlines: gpd.GeoDataFrame, *, src_date: str = "") -> gpd.GeoDataFrame:
    """Return outlines with ``area_km2``, ``cenlon``, ``cenlat`` and ``src_date``.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        With a CRS; other columns stay, ``rgi_id`` is added empty where it is missing.
    src_date : str
        Time of the image, ISO 8601, UTC.
    """
    out = outlines.copy()
    if "rgi_id" not in out.columns:
        out["rgi_id"] = ""
    out["src_date"] = src_date
    out["area_km2"] = area_km2(out)
    flat = out.geometry
    if len(out) and out.crs.is_geographic:
        turns = -360.0 * np.round(
            float(flat.total_bounds[[0, 2]].mean()) / 360.0
        )  # a scene may reach beyond 180 degrees
        flat = flat.translate(xoff=turns)
        flat = flat.to_crs(flat.estimate_utm_crs())
    centre = flat.centroid.where(flat.centroid.within(flat), flat.representative_point()).to_crs("EPSG:4326")
    out["cenlon"], out["cenlat"] = centre.x, centre.y
    return out


def describe(
    outlines: gpd.GeoDataFrame, read: Read, *, geobox: GeoBox, block: int = outline_blocks.BLOCK
) -> gpd.GeoDataFrame:
    """Return outlines with elevation, slope, aspect and confidence of the pixels whose centre lies inside.

    ``zmin_m``, ``zmax_m``, ``zmean_m`` are of the pixels; ``zmed_m`` is their median from a histogram of 1 m;
    ``slope_deg`` the mean of the slope given, or of the slope by central differences; ``aspect_deg`` the direction of
    the summed unit vectors downslope, clockwise from true north (Davis 2002, Statistics and Data Analysis in Geology,
    section 5); ``confidence`` the mean. NaN where a glacier holds no pixel with a value.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        Polygons that do not overlap.
    read : callable
        See :data:`Read`; asked for windows with a halo of one pixel.
    geobox : odc.geo.GeoBox
        Grid of the rasters.
    block : int
        Side of a block, pixels.

    Raises
    ------
    UsageError
        If a window's array has another shape than was asked for.
    """
    n = len(outlines)
    out = outlines.copy()
    names = ("zmin_m", "zmax_m", "zmed_m", "zmean_m", "slope_deg", "aspect_deg", "confidence")
    if not n:
        return out.assign(**{name: np.zeros(0) for name in names})
    grid_outlines = out.geometry.to_crs(geobox.crs.to_wkt()).to_numpy()
    bounds = np.array([g.bounds for g in grid_outlines])
    shape = tuple(int(v) for v in geobox.shape)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    sums = {name: np.zeros((n, 2)) for name in ("elevation", "slope", "confidence")}
    vector = np.zeros((n, 2))
    counts: list[np.ndarray] = []
    for rows, columns in outline_blocks.windows(shape, block=block):
        index = rasterised(grid_outlines, geobox, rows, columns, bounds=bounds)
        if not (index >= 0).any():
            continue
        wide_rows, wide_columns, own = outline_blocks.with_halo(rows, columns, shape, 1)
        found = {k: np.asarray(v, np.float64) for k, v in read(wide_rows, wide_columns).items()}
        expected = (wide_rows.stop - wide_rows.start, wide_columns.stop - wide_columns.start)
        for name, values in found.items():
            if values.shape != expected:
                raise UsageError(
                    f"attributes: {name} has shape {values.shape}; expected {expected}, the window asked for. Fix the"
                    " function that reads it."
                )
        elevation = found.get("elevation")
        if elevation is not None:
            downslope, slope = gradient(elevation, geobox, wide_rows, wide_columns)
            found.setdefault("slope", slope)
            inside = own_values(elevation, own, index)
            np.minimum.at(low, inside[0], inside[1])
            np.maximum.at(high, inside[0], inside[1])
            counts.append(_histogram(*inside))
            for axis in (0, 1):
                where, values = own_values(downslope[axis], own, index)
                vector[:, axis] += np.bincount(where, weights=values, minlength=n)
        for name, total in sums.items():
            if name in found:
                where, values = own_values(found[name], own, index)
                total[:, 0] += np.bincount(where, minlength=n)
                total[:, 1] += np.bincount(where, weights=values, minlength=n)
    mean = {k: np.where(v[:, 0] > 0, v[:, 1] / np.maximum(v[:, 0], 1), np.nan) for k, v in sums.items()}
    has_elevation = sums["elevation"][:, 0] > 0
    out["zmin_m"], out["zmax_m"] = np.where(has_elevation, low, np.nan), np.where(has_elevation, high, np.nan)
    out["zmed_m"] = np.clip(_medians(counts, n), out["zmin_m"], out["zmax_m"])
    out["zmean_m"], out["slope_deg"], out["confidence"] = mean["elevation"], mean["slope"], mean["confidence"]
    out["aspect_deg"] = _true_bearing(vector, grid_outlines, geobox)
    return out


def rasterised(
    polygons: np.ndarray, geobox: GeoBox, rows: slice, columns: slice, *, bounds: np.ndarray | None = None
) -> np.ndarray:
    """Return which polygon each pixel's centre lies in.

    Returns
    -------
    numpy.ndarray of int32, shape (rows, columns)
        Position of the polygon, -1 for none.
    """
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    part = geobox[rows, columns]
    box = part.extent.boundingbox
    bounds = np.array([g.bounds for g in polygons]).reshape(-1, 4) if bounds is None else bounds
    near = np.flatnonzero(
        (bounds[:, 0] < box.right) & (bounds[:, 2] > box.left) & (bounds[:, 1] < box.top) & (bounds[:, 3] > box.bottom)
    )
    if not near.size:
        return np.full(shape, -1, np.int32)
    return rasterize(
        [(polygons[k], int(k)) for k in near], out_shape=shape, transform=part.transform, fill=-1, dtype="int32"
    )


def own_values(values: np.ndarray, own: tuple[slice, slice], index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return polygon and value of the pixels of a window without its halo that lie in a polygon and are not missing."""
    values = values[own]
    good = (index >= 0) & np.isfinite(values)
    return index[good], values[good]


def gradient(elevation: np.ndarray, geobox: GeoBox, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors downslope (grid east, grid north) and the slope in degrees of a window, by central
    differences.

    Parameters
    ----------
    elevation : numpy.ndarray, shape (h, w)
        Metres.
    geobox : odc.geo.GeoBox
        The whole grid.
    rows, columns : slice
        Where the window lies.

    Returns
    -------
    downslope : numpy.ndarray, shape (2, h, w)
        NaN where flat or missing.
    slope : numpy.ndarray, shape (h, w)
    """
    if min(elevation.shape) < 2:
        return np.full((2, *elevation.shape), np.nan), np.full(elevation.shape, np.nan)
    wide, tall = pixel_size_m(geobox[rows, columns])
    grid = geobox.transform
    down, right = np.gradient(elevation)
    # grid axes as unit vectors in (east, north) of the map; a pixel step to the right or down along each, in metres
    along = np.array([[grid.a, grid.d], [grid.b, grid.e]])
    along = along / np.hypot(along[:, 0], along[:, 1])[:, None] * np.array([[wide], [tall]])
    rise = np.linalg.solve(along, np.stack([right.ravel(), down.ravel()])).reshape(2, *elevation.shape)
    steep = np.hypot(rise[0], rise[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(steep > 0, -rise / steep, np.nan), np.degrees(np.arctan(steep))


def _histogram(where: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Return polygon, whole metre and number of pixels of what occurs; (m, 3) int64."""
    if not where.size:
        return np.zeros((0, 3), np.int64)
    metre = np.floor(elevation).astype(np.int64)
    lowest = int(metre.min())
    span = int(metre.max()) - lowest + 1
    first = int(where.min())
    key = (where.astype(np.int64) - first) * span + metre - lowest
    if int(key.max()) < 50_000_000:  # counting is cheaper than sorting
        number = np.bincount(key)
        cell = np.flatnonzero(number)
        number = number[cell]
    else:
        cell, number = np.unique(key, return_counts=True)
    return np.column_stack([cell // span + first, cell % span + lowest, number])


def _medians(counts: list[np.ndarray], n: int) -> np.ndarray:
    out = np.full(n, np.nan)
    if not counts:
        return out
    rows = np.concatenate(counts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    for k in np.unique(rows[:, 0]):
        mine = rows[rows[:, 0] == k]
        total = np.cumsum(mine[:, 2])
        at = int(np.searchsorted(total, 0.5 * total[-1]))
        before = total[at] - mine[at, 2]
        out[k] = mine[at, 1] + (0.5 * total[-1] - before) / mine[at, 2]
    return out


def _true_bearing(vector: np.ndarray, polygons: np.ndarray, geobox: GeoBox) -> np.ndarray:
    """Return bearings clockwise from true north of vectors in a map, at the polygons' places; NaN where there is no
    direction."""
    at = np.array([[p.x, p.y] for p in (g.representative_point() for g in polygons)])
    to_degrees = pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(at[:, 0], at[:, 1])
    x, y = to_degrees.transform(
        lon, np.asarray(lat) + np.where(np.asarray(lat) < 89.9, 1e-4, -1e-4), direction="INVERSE"
    )
    sign = np.where(np.asarray(lat) < 89.9, 1.0, -1.0)
    north = np.degrees(np.arctan2(sign * (np.asarray(x) - at[:, 0]), sign * (np.asarray(y) - at[:, 1])))
    bearing = np.degrees(np.arctan2(vector[:, 0], vector[:, 1])) - north
    return np.where(np.hypot(vector[:, 0], vector[:, 1]) > 0, bearing % 360.0, np.nan)
