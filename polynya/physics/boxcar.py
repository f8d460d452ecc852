"""Means over rectangles of pixels side by side: a radar image brought to larger pixels."""

from __future__ import annotations

import numba
import numpy as np


def window_of(pixel_m: float, wanted_m: float) -> int:
    """Return how many pixels make about one of the size wanted, at least one.

    Parameters
    ----------
    pixel_m, wanted_m : float
        Sides, m.
    """
    return max(1, round(wanted_m / pixel_m))


def block_means(values: np.ndarray, rows: int, columns: int, *, least: float = 0.5) -> np.ndarray:
    """Return the mean of each rectangle; what does not fill one at the end is left out.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (h, w)
        Powers, not decibels; NaN is left out.
    rows, columns : int
        Pixels of a rectangle.
    least : float
        Share of a rectangle that must be valid; NaN below it.

    Returns
    -------
    numpy.ndarray of float32, shape (h // rows, w // columns)
    """
    out = np.empty((values.shape[0] // rows, values.shape[1] // columns), np.float32)
    _means(values, rows, columns, least * rows * columns, out)
    return out


@numba.njit(cache=True, nogil=True)
def _means(values, rows, columns, least, out):
    total, count = np.empty(out.shape[1]), np.empty(out.shape[1])
    for i in range(out.shape[0]):
        total[:] = 0.0
        count[:] = 0.0
        for k in range(i * rows, (i + 1) * rows):
            for j in range(out.shape[1]):
                for m in range(j * columns, (j + 1) * columns):
                    v = values[k, m]
                    if not np.isnan(v):
                        total[j] += v
                        count[j] += 1.0
        for j in range(out.shape[1]):
            out[i, j] = total[j] / count[j] if count[j] > 0.0 and count[j] >= least else np.nan
