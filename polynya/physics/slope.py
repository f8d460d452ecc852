"""Slope of a height grid by Horn's 3 x 3 differences, on square or oblong pixels, with holes.

Source: Horn (1981), Hill shading and the reflectance map, Proc. IEEE 69, doi:10.1109/PROC.1981.11918.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError


def gradients(
    height: np.ndarray, *, east_m: float | np.ndarray, south_m: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how a surface rises to the east and to the north.

    Parameters
    ----------
    height : numpy.ndarray, shape (h, w)
        m, rows from north to south; NaN where unknown.
    east_m, south_m : float or numpy.ndarray, shape (h,)
        Width and height of a pixel, m; one of each row where it changes, as on a grid of degrees.

    Returns
    -------
    east, north : numpy.ndarray of float64, shape (h, w)
        Rise per metre. NaN where the height is. At edges and holes one-sided differences, and those lines of three that
        are known.

    Raises
    ------
    UsageError
        If the grid is not two-dimensional or a pixel has no size.
    """
    z = np.asarray(height, float)
    dx, dy = (
        np.broadcast_to(np.asarray(east_m, float), z.shape[:1]),
        np.broadcast_to(np.asarray(south_m, float), z.shape[:1]),
    )
    if z.ndim != 2 or not (np.all(dx > 0) and np.all(dy > 0)):
        raise UsageError(
            f"heights of shape {z.shape} with pixels of {np.min(dx):g} by {np.min(dy):g} m; expected rows and columns"
            " and sizes above 0. Check the grid."
        )
    wide = np.pad(z, 1, constant_values=np.nan)
    rows, columns = z.shape

    def at(down: int, right: int) -> np.ndarray:
        return wide[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]

    east = _weighted([(at(k, -1), at(k, 0), at(k, 1)) for k in (-1, 0, 1)]) / dx[:, None]
    north = _weighted([(at(1, k), at(0, k), at(-1, k)) for k in (-1, 0, 1)]) / dy[:, None]
    return np.where(np.isnan(z), np.nan, east), np.where(np.isnan(z), np.nan, north)


def _weighted(lines: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the rise per pixel along three parallel lines, weights 1, 2, 1; on a line with a hole one side's, without
    any it counts for nothing."""
    total, weights = 0.0, 0.0
    for weight, (before, here, after) in zip((1.0, 2.0, 1.0), lines, strict=True):
        rise = (after - before) / 2.0
        for one_sided in (after - here, here - before):
            rise = np.where(np.isnan(rise), one_sided, rise)
        known = ~np.isnan(rise)
        total = total + np.where(known, weight * rise, 0.0)
        weights = weights + weight * known
    return total / np.maximum(weights, 1.0)


def degrees(height: np.ndarray, *, east_m: float | np.ndarray, south_m: float | np.ndarray) -> np.ndarray:
    """Return the slope.

    Parameters
    ----------
    height : numpy.ndarray, shape (h, w)
        m; NaN where unknown.
    east_m, south_m : float or numpy.ndarray, shape (h,)
        As :func:`gradients` has them.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        Degrees from horizontal, 0 to 90; NaN where the height is.

    Raises
    ------
    UsageError
        As :func:`gradients`.
    """
    east, north = gradients(height, east_m=east_m, south_m=south_m)
    return np.degrees(np.arctan(np.hypot(east, north))).astype(np.float32)
