"""GeoParquet 1.1: points as well-known binary, a box of each row that readers prune by, and the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from .. import schema

GEOMETRY = pa.field("geometry", pa.binary(), metadata={"long_name": "point, well-known binary, EPSG:4326"})
FOOTPRINT = pa.field("geometry", pa.binary(), metadata={"long_name": "footprint, well-known binary, EPSG:4326"})
FOOTPRINT_TYPES = ("Polygon", "MultiPolygon", "Point")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
BBOX = pa.field(
    "bbox",
    pa.struct([pa.field(name, pa.float32(), nullable=False) for name in CORNERS]),
    metadata={"long_name": "bounding box of geometry, rounded outward: readers skip row groups by it"},
)
BBOX_PATHS = tuple(f"{BBOX.name}.{name}" for name in CORNERS)


_CRS84 = {
    "$schema": "https://proj.org/schemas/v0.7/projjson.schema.json",
    "type": "GeographicCRS",
    "name": "WGS 84 (CRS84)",
    "datum_ensemble": {
        "name": "World Geodetic System 1984 ensemble",
        "members": [{"name": "World Geodetic System 1984 (G1762)"}, {"name": "World Geodetic System 1984 (G2139)"}],
        "ellipsoid": {"name": "WGS 84", "semi_major_axis": 6378137, "inverse_flattening": 298.257223563},
        "accuracy": "2.0",
        "id": {"authority": "EPSG", "code": 6326},
    },
    "coordinate_system": {
        "subtype": "ellipsoidal",
        "axis": [
            {"name": "Geodetic longitude", "abbreviation": "Lon", "direction": "east", "unit": "degree"},
            {"name": "Geodetic latitude", "abbreviation": "Lat", "direction": "north", "unit": "degree"},
        ],
    },
    "id": {"authority": "OGC", "code": "CRS84"},
}


def point_wkb(longitude: np.ndarray, latitude: np.ndarray) -> pa.Array:
    """Return points as well-known binary.

    Parameters
    ----------
    longitude, latitude : numpy.ndarray, shape (n,)
        Degrees.

    Returns
    -------
    pyarrow.BinaryArray, length n
    """
    n = len(longitude)
    raw = np.empty(n, np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    raw["order"], raw["kind"], raw["x"], raw["y"] = 1, 1, longitude, latitude
    offsets = np.arange(n + 1, dtype=np.int32) * 21
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(raw)])


def bounding_boxes(longitude: np.ndarray, latitude: np.ndarray) -> pa.StructArray:
    """Return each point's bounding box in single precision, rounded outward.

    Parameters
    ----------
    longitude, latitude : numpy.ndarray, shape (n,)
        Degrees; NaN stays NaN.

    Returns
    -------
    pyarrow.StructArray, length n
        Of the type of :data:`BBOX`: a point is never outside its box.
    """
    (xmin, xmax), (ymin, ymax) = _around(longitude), _around(latitude)
    corners = (xmin, ymin, xmax, ymax)
    return pa.StructArray.from_arrays([schema.from_numpy(c) for c in corners], fields=list(BBOX.type))


def _around(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest numbers of single precision that are not above and not below each value."""
    near = value.astype(np.float32)
    is_above, is_below = near > value, near < value
    other = np.nextafter(near, np.where(is_above, np.float32(-np.inf), np.float32(np.inf)))
    return np.where(is_above, other, near), np.where(is_below, other, near)


class Bounds:
    """The box around all points that were added, across the antimeridian where that is narrower."""

    def __init__(self) -> None:
        self._west = self._south = self._east_of_greenwich = np.inf
        self._east = self._north = self._west_of_greenwich = -np.inf

    def add(self, longitude: np.ndarray, latitude: np.ndarray) -> None:
        """Add points; those without a position are left out.

        Parameters
        ----------
        longitude, latitude : numpy.ndarray, shape (n,)
            Degrees, -180 to 180.
        """
        known = np.isfinite(longitude) & np.isfinite(latitude)
        lon, lat = longitude[known], latitude[known]
        self._west, self._east = min(self._west, lon.min(initial=np.inf)), max(self._east, lon.max(initial=-np.inf))
        self._south, self._north = min(self._south, lat.min(initial=np.inf)), max(self._north, lat.max(initial=-np.inf))
        self._east_of_greenwich = min(self._east_of_greenwich, lon.min(initial=np.inf, where=lon >= 0.0))
        self._west_of_greenwich = max(self._west_of_greenwich, lon.max(initial=-np.inf, where=lon < 0.0))

    def join(self, other: Bounds) -> None:
        """Add all points of another."""
        self._west, self._south = min(self._west, other._west), min(self._south, other._south)
        self._east, self._north = max(self._east, other._east), max(self._north, other._north)
        self._east_of_greenwich = min(self._east_of_greenwich, other._east_of_greenwich)
        self._west_of_greenwich = max(self._west_of_greenwich, other._west_of_greenwich)

    def box(self) -> list[float] | None:
        """Return xmin, ymin, xmax, ymax, degrees; xmin > xmax across the antimeridian. None without a point."""
        if not self._west <= self._east:
            return None
        west, east = self._west, self._east
        gap = self._east_of_greenwich - self._west_of_greenwich  # around Greenwich
        if np.isfinite(gap) and gap > 360.0 - (east - west):
            west, east = self._east_of_greenwich, self._west_of_greenwich
        return [float(v) for v in (west, self._south, east, self._north)]


def geo_metadata(bounds: Bounds, *, types: Sequence[str] = ("Point",)) -> bytes:
    """Return the value of the key ``geo`` of the file's metadata.

    Parameters
    ----------
    bounds : Bounds
        Of all points in the file.
    types : sequence of str
        Kinds of geometries in it.
    """
    column: dict[str, object] = {
        "encoding": "WKB",
        "geometry_types": list(types),
        "crs": _CRS84,
        "covering": {"bbox": {name: [BBOX.name, name] for name in CORNERS}},
    }
    box = bounds.box()
    if box:
        column["bbox"] = box
    return json.dumps(
        {"version": "1.1.0", "primary_column": GEOMETRY.name, "columns": {GEOMETRY.name: column}}
    ).encode()
