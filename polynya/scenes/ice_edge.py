"""The ice edge and the marginal ice zone of a map of sea-ice concentration: contours of its mean over 2 km."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    import geopandas
    import shapely
    from odc.geo.geobox import GeoBox

EDGE, PACK = 0.15, 0.80
"""Concentration at the ice edge, and where the marginal ice zone ends (WMO; NSIDC and OSI SAF use the same)."""
SMOOTH_M = 2000.0
"""Side of the square over which concentration is averaged before contours are drawn."""
LEAST_KM2 = 25.0
"""Smaller parts of ice or of water are left out of the edge."""
ZONES = ("open_water", "marginal_ice_zone", "pack_ice")
_LEAST_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """A concentration averaged over a square, and what was left out of it.

    Attributes
    ----------
    values : numpy.ndarray of float64, shape (h, w)
        0 to 1; NaN where less than a quarter of the square is known, or the pixel itself is not.
    geobox : odc.geo.geobox.GeoBox
    """

    values: np.ndarray
    geobox: GeoBox


def smooth(concentration: np.ndarray, geobox: GeoBox, *, side_m: float = SMOOTH_M) -> Smooth:
    """Average a concentration over squares; pixels that are not known do not count.

    Parameters
    ----------
    concentration : numpy.ndarray, shape (h, w)
        0 to 1, NaN where not known (land included).
    geobox : odc.geo.geobox.GeoBox
        Its grid, in a projection in metres.
    side_m : float
        Side of the square, m.
    """
    size = max(round(side_m / abs(geobox.affine.a)) // 2 * 2 + 1, 1)
    known = np.isfinite(concentration)
    total = ndimage.uniform_filter(np.where(known, concentration, 0.0).astype(np.float64), size, mode="constant")
    share = ndimage.uniform_filter(known.astype(np.float64), size, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / share
    # at the rim of the map the square reaches outside: what lies inside it counts
    inside = ndimage.uniform_filter(np.ones(known.shape), size, mode="constant")
    values = np.where(known & (share >= _LEAST_SHARE * inside), np.clip(mean, 0.0, 1.0), np.nan)
    return Smooth(values=values, geobox=geobox)


def without_small_parts(
    field: Smooth, *, level: float = EDGE, least_km2: float = LEAST_KM2, is_lower_too: bool = True
) -> Smooth:
    """Move small patches of ice, and small holes in it, to the other side of a level: they have no edge.

    Parameters
    ----------
    field : Smooth
        Of :func:`smooth`.
    level : float
        Concentration from which a pixel is ice.
    least_km2 : float
        Smaller parts are moved, km² in the projection.
    is_lower_too : bool
        Holes as well as patches.

    Returns
    -------
    Smooth
        Patches have a value just below the level, holes just above it.
    """
    values = field.values.copy()
    least = least_km2 * 1e6 / abs(field.geobox.affine.a * field.geobox.affine.e)
    known = np.isfinite(values)
    for part, other in ((known & (values >= level), level - 1e-3), (known & (values < level), level + 1e-3)):
        if other > level and not is_lower_too:
            continue
        names, n = ndimage.label(part)
        if n:
            sizes = np.bincount(names.reshape(-1), minlength=n + 1)
            is_small = sizes < least
            is_small[0] = False
            values[is_small[names]] = other
    return Smooth(values=values, geobox=field.geobox)


def edge(field: Smooth, *, level: float = EDGE) -> geopandas.GeoDataFrame:
    """Return the lines where a concentration crosses a level; borders with what is not known are no edge.

    Parameters
    ----------
    field : Smooth
        Of :func:`without_small_parts`.
    level : float
        Concentration.

    Returns
    -------
    geopandas.GeoDataFrame
        A line a row, the longest first, ice on its left; ``length_km`` on the ellipsoid, ``concentration``. In the
        grid's CRS.
    """
    import geopandas as gpd
    import shapely

    lines = [
        shapely.LineString(_on_map(np.asarray(c)[::-1], field.geobox))  # rows run southwards: the sense turns
        for c in _contours(field.values).lines(level)
        if len(c) >= 2
    ]
    lines = [line for line in lines if line.length > 0]
    frame = gpd.GeoDataFrame({"concentration": np.full(len(lines), level)}, geometry=lines, crs=str(field.geobox.crs))
    frame["length_km"] = lengths_km(frame)
    frame = frame.sort_values("length_km", ascending=False, ignore_index=True)
    return frame[["concentration", "length_km", "geometry"]]


def zones(field: Smooth, *, edge_at: float = EDGE, pack_at: float = PACK) -> geopandas.GeoDataFrame:
    """Return open water, marginal ice zone and pack ice as one multipolygon each.

    Parameters
    ----------
    field : Smooth
        Of :func:`without_small_parts`, or of :func:`smooth`.
    edge_at, pack_at : float
        Concentrations where the zones meet.

    Returns
    -------
    geopandas.GeoDataFrame
        ``zone`` (of :data:`ZONES`), ``least`` and ``most`` (concentration), ``area_km2`` on the ellipsoid; zones that
        do not occur are left out. In the grid's CRS.
    """
    import geopandas as gpd

    from .areas import area_km2

    filled = _contours(field.values)
    bounds = ((-1.0, edge_at), (edge_at, pack_at), (pack_at, 2.0))
    rows = []
    for name, (least, most) in zip(ZONES, bounds, strict=True):
        found = _polygon(filled.filled(least, most), field.geobox)
        if found is not None:
            rows.append({"zone": name, "least": max(least, 0.0), "most": min(most, 1.0), "geometry": found})
    frame = gpd.GeoDataFrame(rows, columns=["zone", "least", "most", "geometry"], crs=str(field.geobox.crs))
    frame["area_km2"] = area_km2(frame) if len(frame) else np.zeros(0)
    return frame[["zone", "least", "most", "area_km2", "geometry"]]


def lengths_km(frame: geopandas.GeoDataFrame) -> np.ndarray:
    """Return the lengths of lines on the WGS 84 ellipsoid, km.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Lines in any CRS.
    """
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    return np.array([geod.geometry_length(g) * 1e-3 for g in frame.geometry.to_crs("EPSG:4326")], np.float64)


def distances_km(lines: geopandas.GeoDataFrame, others: geopandas.GeoDataFrame, *, every_km: float = 1.0) -> np.ndarray:
    """Return how far points along lines lie from other lines.

    Parameters
    ----------
    lines, others : geopandas.GeoDataFrame
        In one projection in metres.
    every_km : float
        Spacing of the points, km.

    Returns
    -------
    numpy.ndarray, shape (n,)
        km in the projection; empty where one has no line.
    """
    import shapely

    if not len(lines) or not len(others):
        return np.zeros(0)
    points = np.concatenate([_along(g, every_km * 1e3) for g in lines.geometry.to_numpy()])
    return shapely.distance(points, shapely.union_all(others.geometry.to_numpy())) * 1e-3


def _along(line: shapely.LineString, step: float) -> np.ndarray:
    import shapely

    n = max(int(line.length // step), 1)
    return shapely.line_interpolate_point(line, (np.arange(n) + 0.5) * line.length / n)


def _contours(values: np.ndarray):
    import contourpy

    masked = np.ma.masked_invalid(values)
    return contourpy.contour_generator(
        z=masked, name="serial", line_type="Separate", fill_type="OuterOffset", corner_mask=False
    )


def _on_map(points: np.ndarray, geobox: GeoBox) -> np.ndarray:
    """Return map coordinates of (n, 2) positions in pixels, whose middles are whole numbers."""
    t, column, row = geobox.affine, points[:, 0] + 0.5, points[:, 1] + 0.5
    return np.column_stack([t.c + t.a * column + t.b * row, t.f + t.d * column + t.e * row])


def _polygon(filled: tuple, geobox: GeoBox) -> shapely.Geometry | None:
    import shapely

    parts = list(_rings(filled, geobox))
    if not parts:
        return None
    found = shapely.union_all(shapely.make_valid(np.array(parts, object), method="structure", keep_collapsed=False))
    return found if not found.is_empty else None


def _rings(filled: tuple, geobox: GeoBox) -> Iterator[shapely.Polygon]:
    import shapely

    for points, offsets in zip(*filled, strict=True):
        rings = [_on_map(points[a:b], geobox) for a, b in itertools.pairwise(offsets) if b - a >= 4]
        if rings:
            yield shapely.Polygon(rings[0], rings[1:])
