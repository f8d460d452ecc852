"""Footprints of images as GeoParquet geometries: polygons where corners are known, points where the middle is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.polygon import orient

from .. import schema
from .geoparquet import BBOX, Bounds

COLUMNS = ("corner_longitude", "corner_latitude", "longitude", "latitude")
"""What a table needs for footprints."""


def geometries(table: pa.Table) -> tuple[pa.Array, pa.StructArray, Bounds]:
    """Return footprints of a table's rows as well-known binary, their boxes, and the box around all.

    A footprint across the antimeridian is cut there into two polygons, and its box reaches around the globe. Where the
    corners are not known, the middle is a point; where that is not known either, there is no geometry.

    Parameters
    ----------
    table : pyarrow.Table
        With :data:`COLUMNS`, degrees.
    """
    longitudes, latitudes = (table[n].to_pylist() for n in COLUMNS[:2])
    middle = np.column_stack([schema.to_numpy(table[n]) for n in COLUMNS[2:]])
    shapes = [footprint(x or (), y or (), m) for x, y, m in zip(longitudes, latitudes, middle, strict=True)]
    boxes = shapely.bounds(np.array(shapes, object)).reshape(-1, 4)
    low = np.nextafter(boxes[:, :2].astype(np.float32), np.float32(-np.inf))
    high = np.nextafter(boxes[:, 2:].astype(np.float32), np.float32(np.inf))
    corners = [schema.from_numpy(np.ascontiguousarray(c)) for c in (*low.T, *high.T)]
    bounds = Bounds()
    for x, y in zip(longitudes, latitudes, strict=True):
        bounds.add(np.array(x or (), np.float64), np.array(y or (), np.float64))
    bounds.add(middle[:, 0], middle[:, 1])
    wkb = [None if s is None else shapely.to_wkb(s) for s in shapes]
    return pa.array(wkb, pa.binary()), pa.StructArray.from_arrays(corners, fields=list(BBOX.type)), bounds


def footprint(longitude: Sequence[float], latitude: Sequence[float], middle: np.ndarray) -> shapely.Geometry | None:
    """Return one footprint, counter-clockwise; None where nothing is known.

    Parameters
    ----------
    longitude, latitude : sequence of float
        Of the corners, degrees; empty where not known.
    middle : numpy.ndarray, shape (2,)
        Longitude and latitude of the middle, degrees.
    """
    x, y = np.array(longitude, np.float64), np.array(latitude, np.float64)
    if x.size < 3:
        return shapely.Point(*middle) if np.isfinite(middle).all() else None
    if np.ptp(x) <= 180.0:
        return orient(shapely.Polygon(np.column_stack([x, y])))
    whole = shapely.Polygon(np.column_stack([np.where(x < 0.0, x + 360.0, x), y]))
    west = shapely.intersection(whole, shapely.box(0.0, -90.0, 180.0, 90.0))
    east = shapely.transform(
        shapely.intersection(whole, shapely.box(180.0, -90.0, 360.0, 90.0)), lambda p: p - np.array([360.0, 0.0])
    )
    return shapely.MultiPolygon([orient(p) for p in (west, east) if p.geom_type == "Polygon" and not p.is_empty])
