"""Sizes on an image: metres on the ellipsoid where it has a place on the map, metres or pixels of a plane where not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from . import areas

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

PIXELS = (
    'ENGCRS["Image {unit}s",EDATUM["Upper left corner of the image"],CS[Cartesian,2],AXIS["column (x)",east,ORDER[1]],'
    'AXIS["row, negative (y)",north,ORDER[2]],LENGTHUNIT["{unit}",1]]'
)
"""The coordinate system of vector files of an image without a place on the map."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """The grid of an image.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    geobox : odc.geo.geobox.GeoBox or None
        None for a picture without a place on the map.
    pixel_m : float
        Side of a pixel of such a picture, m; NaN where it is not known.
    """

    shape: tuple[int, int]
    geobox: GeoBox | None
    pixel_m: float = float("nan")

    @property
    def has_place(self) -> bool:
        """Whether the image has a place on the map."""
        return self.geobox is not None and self.geobox.crs is not None

    @property
    def unit(self) -> str:
        """``m``, or ``px`` where no size is known."""
        return "m" if self.has_place or np.isfinite(self.pixel_m) else "px"

    @property
    def crs(self) -> str:
        """Of vector files, WKT."""
        if self.has_place:
            return self.geobox.crs.to_wkt()  # type: ignore[union-attr]
        return PIXELS.format(unit="metre" if self.unit == "m" else "pixel")

    @property
    def transform(self) -> Affine:
        """From columns and rows to coordinates of vector files."""
        if self.has_place:
            return self.geobox.affine  # type: ignore[union-attr]
        side = self.pixel_m if self.unit == "m" else 1.0
        return Affine(side, 0.0, 0.0, 0.0, -side, 0.0)

    @property
    def side(self) -> float:
        """Side of a pixel in the middle of the image, the mean of both, in :attr:`unit`."""
        if self.has_place:
            return float(np.mean(areas.pixel_size_m(self.geobox)))  # type: ignore[arg-type]
        return self.pixel_m if self.unit == "m" else 1.0

    def row_areas(self, rows: slice) -> np.ndarray:
        """Return the area of a pixel of every row, in square :attr:`unit`, shape (rows,)."""
        count = rows.stop - rows.start
        if not self.has_place:
            return np.full(count, self.side**2)
        return areas.row_areas_m2(self.geobox, rows, 0.5 * self.shape[1])  # type: ignore[arg-type]

    def pixel_sizes(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return width and height of the pixels at places, in :attr:`unit`, shape (n,) each."""
        row, column = np.asarray(row, float), np.asarray(column, float)
        if not self.has_place:
            return np.full(row.shape, self.side), np.full(row.shape, self.side)
        lon, lat = self.degrees(np.concatenate([row, row, row + 1.0]), np.concatenate([column, column + 1.0, column]))
        n = row.size
        here = np.tile(lon[:n], 2), np.tile(lat[:n], 2)
        _, _, metres = areas.GEOD.inv(*here, lon[n:], lat[n:])
        return np.asarray(metres[:n]), np.asarray(metres[n:])

    def degrees(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return longitude and latitude of places; the image must have a place on the map."""
        import pyproj

        xy = self.to_map(np.column_stack([np.asarray(column, float), np.asarray(row, float)]))
        to_degrees = pyproj.Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        return to_degrees.transform(xy[:, 0], xy[:, 1])

    def bearings(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the direction of every step of a line, degrees clockwise from north, 0 to 180 (up, without a place).

        Parameters
        ----------
        row, column : numpy.ndarray, shape (n,)
            Its points.

        Returns
        -------
        numpy.ndarray, shape (n - 1,)
        """
        if self.has_place:
            lon, lat = self.degrees(row, column)
            azimuth, _, _ = areas.GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
            return np.asarray(azimuth) % 180.0
        return np.degrees(np.arctan2(np.diff(column), -np.diff(row))) % 180.0

    def to_map(self, xy: np.ndarray) -> np.ndarray:
        """Return coordinates of points given as columns and rows, shape (n, 2)."""
        t = self.transform
        return np.column_stack([t.c + t.a * xy[:, 0] + t.b * xy[:, 1], t.f + t.d * xy[:, 0] + t.e * xy[:, 1]])
