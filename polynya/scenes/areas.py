"""Areas on the ellipsoid: of polygons, and of a grid's pixels."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from odc.geo.geobox import GeoBox

GEOD = pyproj.Geod(ellps="WGS84")
EDGE_M = 2000.0
"""Longer edges are divided before they are laid on the ellipsoid, for a straight line in a map is not the shortest
one."""


def area_km2(frame: gpd.GeoDataFrame) -> np.ndarray:
    """Return the area of every polygon on the WGS 84 ellipsoid (Karney 2013, doi:10.1007/s00190-012-0578-z).

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Polygons in any CRS.

    Returns
    -------
    numpy.ndarray, shape (n,)
        km², holes taken off.
    """
    fine = frame.geometry.segmentize(EDGE_M if not frame.crs.is_geographic else EDGE_M / 111_320.0)
    out = np.zeros(len(frame))
    for k, geometry in enumerate(fine.to_crs("EPSG:4326").to_numpy()):
        for part in shapely.get_parts(geometry):
            out[k] += ring_m2(part.exterior) - sum(ring_m2(r) for r in part.interiors)
    return out * 1e-6


def ring_m2(ring: shapely.LinearRing) -> float:
    """Return the area inside a ring of longitude and latitude, m²."""
    xy = shapely.get_coordinates(ring)
    return abs(GEOD.polygon_area_perimeter(xy[:, 0], xy[:, 1])[0])


def pixel_area_m2(geobox: GeoBox, row: float, column: float) -> float:
    """Return the area of the pixel at a row and column on the ellipsoid, m²."""
    lon, lat = _degrees(geobox, column + np.array([0.0, 1.0, 1.0, 0.0]), row + np.array([0.0, 0.0, 1.0, 1.0]))
    return abs(GEOD.polygon_area_perimeter(lon, lat)[0])


def row_areas_m2(geobox: GeoBox, rows: slice, column: float) -> np.ndarray:
    """Return the pixel area of every row of a block, m², shape (rows,): linear between the first and the last.

    Over a block of some tens of kilometres the areas of a map projection or of degrees differ from a line by less than
    1e-5.
    """
    first, last = pixel_area_m2(geobox, rows.start, column), pixel_area_m2(geobox, rows.stop - 1, column)
    return np.linspace(first, last, rows.stop - rows.start)


def pixel_size_m(geobox: GeoBox) -> tuple[float, float]:
    """Return width and height of a pixel in the middle of the grid, metres."""
    row, column = geobox.shape[0] / 2.0, geobox.shape[1] / 2.0
    lon, lat = _degrees(geobox, column + np.array([0.0, 1.0, 0.0]), row + np.array([0.0, 0.0, 1.0]))
    _, _, metres = GEOD.inv([lon[0], lon[0]], [lat[0], lat[0]], [lon[1], lon[2]], [lat[1], lat[2]])
    return float(metres[0]), float(metres[1])


def _degrees(geobox: GeoBox, column: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid = geobox.transform
    to_degrees = pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    return to_degrees.transform(grid.a * column + grid.b * row + grid.c, grid.d * column + grid.e * row + grid.f)
