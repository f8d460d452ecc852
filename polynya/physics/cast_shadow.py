"""Where terrain shuts the sun out: shadow that other terrain casts, and slopes that turn away from the sun.

The upper edge of the shadow is carried from row to row (or column to column) away from the sun and falls by the sun's
elevation on the way; ground below it lies in shadow. One pass over the grid, in the manner of the horizon sweeps of
Dozier and Frew (1990, doi:10.1109/36.58986).
"""

from __future__ import annotations

import numba
import numpy as np

from . import slope


def depth_m(
    height: np.ndarray, *, east_m: float, south_m: float, sun_elevation: float, sun_azimuth: float
) -> np.ndarray:
    """Return how far a pixel lies below the upper edge of the shadow that terrain casts on it.

    Parameters
    ----------
    height : numpy.ndarray, shape (rows, columns)
        Metres, NaN where unknown: unknown ground casts no shadow, and what lies behind the grid's edge neither.
    east_m, south_m : float
        Steps of a pixel along a row and down a column, m.
    sun_elevation : float
        Degrees above the horizon.
    sun_azimuth : float
        Degrees clockwise from the grid's up (:func:`polynya.glaciers.agreement.grid_azimuth` turns a true bearing into
        it).

    Returns
    -------
    numpy.ndarray of float32, shape (rows, columns)
        Metres; 0 where no terrain stands before the sun, NaN where the height is unknown.
    """
    azimuth = np.radians(sun_azimuth)
    right, up = (
        float(np.sin(azimuth)) / east_m,
        float(np.cos(azimuth)) / south_m,
    )  # the way to the sun, in pixels per metre
    grid, along, across = (height, -up, right) if abs(up) >= abs(right) else (height.T, right, -up)
    # ``along`` is the sun's direction in rows of ``grid`` (growing), ``across`` in its columns.
    is_flipped = along > 0.0
    grid = np.ascontiguousarray(grid[::-1] if is_flipped else grid, dtype=np.float64)
    fall = np.tan(np.radians(sun_elevation)) / abs(along)
    depth = _sweep(np.where(np.isfinite(grid), grid, -np.inf), across / abs(along), float(fall))
    depth = np.where(np.isfinite(grid), depth, np.nan)
    depth = depth[::-1] if is_flipped else depth
    return np.ascontiguousarray(depth if abs(up) >= abs(right) else depth.T).astype(np.float32)


def cosine_of_incidence(
    height: np.ndarray, *, east_m: float, south_m: float, sun_elevation: float, sun_azimuth: float
) -> np.ndarray:
    """Return the cosine of the angle between the surface's normal and the sun, negative where the slope turns away.

    Parameters
    ----------
    height, east_m, south_m, sun_elevation, sun_azimuth
        As in :func:`depth_m`.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)
        NaN where the slope is unknown.
    """
    east, north = slope.gradients(height, east_m=east_m, south_m=south_m)
    e, a = np.radians(sun_elevation), np.radians(sun_azimuth)
    return (np.sin(e) - np.cos(e) * (np.sin(a) * east + np.cos(a) * north)) / np.sqrt(1.0 + east**2 + north**2)


def shaded(
    height: np.ndarray, *, east_m: float, south_m: float, sun_elevation: float, sun_azimuth: float
) -> np.ndarray:
    """Return where no direct sunlight falls: in cast shadow, or on a slope that turns away from the sun.

    Parameters
    ----------
    height, east_m, south_m, sun_elevation, sun_azimuth
        As in :func:`depth_m`.

    Returns
    -------
    numpy.ndarray of bool, shape (rows, columns)
        False where the height is unknown.
    """
    cast = depth_m(height, east_m=east_m, south_m=south_m, sun_elevation=sun_elevation, sun_azimuth=sun_azimuth)
    away = cosine_of_incidence(
        height, east_m=east_m, south_m=south_m, sun_elevation=sun_elevation, sun_azimuth=sun_azimuth
    )
    with np.errstate(invalid="ignore"):
        return (cast > 0.0) | (away <= 0.0)


@numba.njit(cache=True)
def _sweep(z, across, fall):
    """Carry the shadow's edge down the rows from row 0, where the sun is; ``across`` is the sun's direction in columns
    a row."""
    rows, columns = z.shape
    edge = z.copy()
    depth = np.zeros_like(z)
    for r in range(1, rows):
        for c in range(columns):
            at = c + across
            if at < 0.0 or at > columns - 1:
                continue
            k = min(int(at), columns - 2) if columns > 1 else 0
            t = at - k
            left = edge[r - 1, k]
            right = edge[r - 1, min(k + 1, columns - 1)]
            before = left if t == 0.0 else right if t == 1.0 else left * (1.0 - t) + right * t
            before -= fall
            if before > z[r, c]:
                edge[r, c] = before
                depth[r, c] = before - z[r, c]
    return depth
