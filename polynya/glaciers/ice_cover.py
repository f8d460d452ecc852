"""Clean and debris-covered ice inside outlines: which pixels, how much of every glacier, and how sure that is.

Inside an outline all is ice, so one ratio tells what covers it: clean ice and snow reflect far more red than short-wave
infrared, rock does not, and shadow changes the ratio little. The limit of red / SWIR1, 1.5, is that of Scherler, Wulf
and Gorelick (2018), doi:10.1029/2018GL080158. Published limits for clean ice reach from about 1.2 to 2.0 (Paul et al.
2013, doi:10.3189/2013AoG63A296, set it scene by scene): areas at these two are the uncertainty of the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox

from ..physics.ice_rules import RED, SWIR1
from ..scenes.areas import row_areas_m2
from ..schema import Estimate
from . import outlines as outline_blocks
from .attributes import rasterised

LIMIT = 1.5
LIMITS = (1.2, 2.0)
"""Least and largest published limit of red / SWIR1."""
NONE, CLEAN, DEBRIS, UNKNOWN, MISSING = 0, 1, 2, 3, 255
"""Values of a raster of cover."""
RULE = f"red / SWIR1 > {LIMIT:g} is clean; {LIMITS[0]:g} and {LIMITS[1]:g} give the uncertainty"
COLUMNS = ("clean_km2", "clean_low_km2", "clean_high_km2", "debris_km2", "debris_low_km2", "debris_high_km2")

Read = Callable[[slice, slice], np.ndarray]
"""Takes rows and columns, returns an array of that window."""


@dataclass(frozen=True, kw_only=True)
class Cover:
    """Clean and debris-covered ice of a map.

    Attributes
    ----------
    table : geopandas.GeoDataFrame
        The outlines with :data:`COLUMNS`; NaN where nothing tells what covers the ice.
    clean, debris : Estimate
        In total, km²; n counts outlines.
    unknown_km2 : float
        Ice under cloud, without both bands, or of outlines without a pixel's centre.
    """

    table: gpd.GeoDataFrame
    clean: Estimate
    debris: Estimate
    unknown_km2: float


def classes(optical: np.ndarray, *, limit: float = LIMIT) -> np.ndarray:
    """Return what covers ice by the ratio of red and SWIR1.

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        Reflectance; NaN where missing.
    limit : float
        Clean ice has a larger ratio.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        :data:`CLEAN`, :data:`DEBRIS`, or :data:`UNKNOWN` where a band is missing or neither is above 0.
    """
    red, swir = optical[RED], optical[SWIR1]
    with np.errstate(invalid="ignore"):
        known = np.isfinite(red) & np.isfinite(swir) & (np.maximum(red, swir) > 0.0)
        clean = red > limit * np.maximum(swir, 0.0)
    return np.where(known, np.where(clean, CLEAN, DEBRIS), UNKNOWN).astype(np.uint8)


def split(
    outlines: gpd.GeoDataFrame,
    *,
    total: Estimate,
    geobox: GeoBox,
    optical: Read,
    cloud: Read,
    probability: Read,
    write: Callable[[slice, slice, np.ndarray], None] | None = None,
    block: int = 1024,
) -> Cover:
    """Split the ice of outlines by what covers it.

    A half interval of a class is, in quadrature, its part of the outline's (by where the probabilities are in doubt)
    and the change that the limits of :data:`LIMITS` make; ice of unknown cover widens the upper ends.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        With ``area_km2``, ``area_low_km2``, ``area_high_km2``.
    total : Estimate
        Their total, km².
    geobox : odc.geo.GeoBox
        Grid of the rasters.
    optical : callable
        Returns reflectance, shape (6, h, w), of a window.
    cloud : callable
        Returns where the image has cloud, bool.
    probability : callable
        Returns the probability of glacier, NaN where not seen.
    write : callable, optional
        Takes rows, columns and the classes of each window.
    block : int
        Side of a block, pixels.

    Returns
    -------
    Cover
    """
    n, shape = len(outlines), tuple(int(v) for v in geobox.shape)
    polygons = outlines.geometry.to_crs(geobox.crs.to_wkt()).to_numpy()
    bounds = np.array([g.bounds for g in polygons]).reshape(-1, 4)
    area = np.zeros((n, 4))  # by class at LIMIT: none, clean, debris, unknown
    doubt = np.zeros((n, 4))
    ends = np.zeros((n, 2))  # clean at the least and at the largest limit
    for rows, columns in outline_blocks.windows(shape, block=block):
        index = rasterised(polygons, geobox, rows, columns, bounds=bounds)
        p = probability(rows, columns)
        kind = np.where(np.isfinite(p), NONE, MISSING).astype(np.uint8)
        if (index >= 0).any():
            values, inside = optical(rows, columns), index >= 0
            hidden = cloud(rows, columns)
            mine = np.where(hidden, UNKNOWN, classes(values))
            kind[inside] = mine[inside]
            km2 = np.broadcast_to(
                row_areas_m2(geobox, rows, 0.5 * (columns.start + columns.stop))[:, None] * 1e-6, index.shape
            )[inside]
            at = index[inside]
            cell = at * 4 + kind[inside]
            area += np.bincount(cell, weights=km2, minlength=4 * n).reshape(n, 4)
            weight = np.nan_to_num(p[inside] * (1.0 - p[inside])) * km2
            doubt += np.bincount(cell, weights=weight, minlength=4 * n).reshape(n, 4)
            for k, limit in enumerate(LIMITS):
                clean = ~hidden & (classes(values, limit=limit) == CLEAN)
                ends[:, k] += np.bincount(at, weights=km2 * clean[inside], minlength=n)
        if write is not None:
            write(rows, columns, kind)
    return _estimates(outlines, total, area, doubt, ends)


def _estimates(
    outlines: gpd.GeoDataFrame, total: Estimate, area: np.ndarray, doubt: np.ndarray, ends: np.ndarray
) -> Cover:
    """Return areas with intervals from the sums over pixels."""
    size, pixels = outlines["area_km2"].to_numpy(float), area.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(pixels > 0, size / pixels, np.nan)  # pixels at the edge count whole or not at all
    area, ends = area * scale[:, None], ends * scale[:, None]
    is_known = area[:, CLEAN] + area[:, DEBRIS] > 0
    below = size - outlines["area_low_km2"].to_numpy(float)
    above = outlines["area_high_km2"].to_numpy(float) - size
    columns: dict[str, np.ndarray] = {}
    for name, kind, down, up in (("clean", CLEAN, 1, 0), ("debris", DEBRIS, 0, 1)):
        value, part = area[:, kind], _part(doubt, area, kind)
        # at the larger limit less is clean and more is debris-covered
        fewer, more = (np.abs(ends[:, k] - area[:, CLEAN]) for k in (down, up))
        low = np.maximum(value - np.hypot(part * below, fewer), 0.0)
        high = value + np.hypot(part * above, more) + area[:, UNKNOWN]
        for key, numbers in (("", value), ("low_", low), ("high_", high)):
            columns[f"{name}_{key}km2"] = np.where(is_known, numbers, np.nan)
    known = np.where(np.isfinite(area), area, 0.0)
    known[pixels == 0, UNKNOWN] = size[pixels == 0]
    return Cover(
        table=outlines.assign(**{c: columns[c] for c in COLUMNS}),
        clean=_total(total, known, doubt, np.nan_to_num(ends), CLEAN),
        debris=_total(total, known, doubt, np.nan_to_num(ends), DEBRIS),
        unknown_km2=float(known[:, UNKNOWN].sum()),
    )


def _part(doubt: np.ndarray, area: np.ndarray, kind: int) -> np.ndarray:
    """Return the share of a class in the doubt about the margin; in the area, where nothing is in doubt."""
    both = [CLEAN, DEBRIS]
    of = np.where(doubt[:, both].sum(axis=1, keepdims=True) > 0, doubt, area)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(of[:, kind] / of[:, both].sum(axis=1))


def _total(total: Estimate, area: np.ndarray, doubt: np.ndarray, ends: np.ndarray, kind: int) -> Estimate:
    """Return a class in total; the errors of the limit are the same for all glaciers."""
    sums, n = area.sum(axis=0), len(area)
    if not sums[CLEAN] + sums[DEBRIS] > 0:
        return Estimate(value=np.nan, low=np.nan, high=np.nan, n=n)
    part = float(_part(doubt.sum(axis=0)[None], sums[None], kind)[0])
    change = np.abs(ends.sum(axis=0) - sums[CLEAN])
    down, up = (change[1], change[0]) if kind == CLEAN else (change[0], change[1])
    value = float(sums[kind])
    low = max(value - float(np.hypot(part * (total.value - total.low), down)), 0.0)
    high = value + float(np.hypot(part * (total.high - total.value), up)) + float(sums[UNKNOWN])
    return Estimate(value=value, low=low, high=high, n=n)
