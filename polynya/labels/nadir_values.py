"""Values of a grid at places along a track: the cell that holds each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


def at_places(values: np.ndarray, geobox: GeoBox, *, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return the value of the cell that holds each place.

    Parameters
    ----------
    values : numpy.ndarray, shape (h, w)
        On the grid.
    geobox : odc.geo.geobox.GeoBox
        The grid; in degrees its longitudes may run from -180 or from 0.
    latitude, longitude : numpy.ndarray, shape (n,)
        WGS 84, degrees.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        NaN outside the grid, and where a place is not known.
    """
    from pyproj import CRS, Transformer

    crs, back = CRS.from_user_input(str(geobox.crs)), ~geobox.affine
    known = np.isfinite(latitude) & np.isfinite(longitude)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(longitude[known], latitude[known])
    if crs.is_geographic:
        left = min(geobox.affine.c, geobox.affine.c + geobox.affine.a * geobox.shape[1])
        x = left + (np.asarray(x) - left) % 360.0
    column = np.floor(back.a * np.asarray(x) + back.b * np.asarray(y) + back.c)
    row = np.floor(back.d * np.asarray(x) + back.e * np.asarray(y) + back.f)
    rows, columns = (int(n) for n in geobox.shape)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    found = np.full(latitude.shape, np.nan)
    taken = np.full(inside.shape, np.nan)
    taken[inside] = values[row[inside].astype(np.int64), column[inside].astype(np.int64)]
    found[known] = taken
    return found
