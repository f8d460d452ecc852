"""Means over the cells of a map grid of the pixels of an image in the sensor's own geometry, a strip at a time.

Every pixel counts in the cell that holds its middle. Where a cell has many pixels this is the area mean; powers are
added as they are, so a mean of decibels is never formed. Positions are exact on a lattice of pixels and linear between.
"""

from __future__ import annotations

import numba
import numpy as np

OUTSIDE = -1
"""Cell of a pixel that lies on none."""


def knots(count: int, step: int, *, known: np.ndarray | None = None) -> np.ndarray:
    """Return the pixels of a lattice that covers an image: every ``step``-th, the last, and those known.

    Parameters
    ----------
    count : int
        Lines or samples of the image.
    step : int
        Pixels between them.
    known : numpy.ndarray, optional
        Pixels at which positions are given and bend; those outside the image are left out.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        At least two, increasing, even for an image of one pixel.
    """
    last = max(count - 1, 1)
    given = np.empty(0) if known is None else known[(known > 0) & (known < last)]
    return np.unique(np.concatenate([np.arange(0.0, last, step), given, [last]]))


def between(known: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lattice interval of pixels and how far in it they lie, 0 to 1.

    Parameters
    ----------
    known : numpy.ndarray of float64, shape (n,)
        Of :func:`knots`.
    pixels : numpy.ndarray of int64, shape (h,)
        Lines or samples.

    Returns
    -------
    interval : numpy.ndarray of int64, shape (h,)
    fraction : numpy.ndarray of float64, shape (h,)
    """
    interval = np.clip(np.searchsorted(known, pixels, side="right") - 1, 0, known.size - 2)
    return interval, (pixels - known[interval]) / (known[interval + 1] - known[interval])


@numba.njit(cache=True, nogil=True)
def spread(out, lattice, row_interval, row_fraction, column_interval, column_fraction):
    """Interpolate a lattice at all pixels of a strip.

    Parameters
    ----------
    out : numpy.ndarray of float64, shape (h, w)
        Written.
    lattice : numpy.ndarray of float64, shape (n, m)
        Values at its knots.
    row_interval, row_fraction : numpy.ndarray, shape (h,)
        Of :func:`between`.
    column_interval, column_fraction : numpy.ndarray, shape (w,)
        The same across.
    """
    line = np.empty(lattice.shape[1])
    for i in range(out.shape[0]):
        a, t = row_interval[i], row_fraction[i]
        for j in range(lattice.shape[1]):
            line[j] = lattice[a, j] + t * (lattice[a + 1, j] - lattice[a, j])
        for j in range(out.shape[1]):
            b = column_interval[j]
            out[i, j] = line[b] + column_fraction[j] * (line[b + 1] - line[b])


@numba.njit(cache=True, nogil=True)
def cells(out, column, row, shape):
    """Turn positions on a map grid into the numbers of its cells.

    Parameters
    ----------
    out : numpy.ndarray of int32, shape (h, w)
        Written: row * columns + column, :data:`OUTSIDE` beyond the grid.
    column, row : numpy.ndarray of float64, shape (h, w)
        Position on the grid; 0 to 1 is the first cell.
    shape : (int, int)
        Rows and columns of the grid.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            r, c = np.floor(row[i, j]), np.floor(column[i, j])
            inside = r >= 0 and c >= 0 and r < shape[0] and c < shape[1]
            out[i, j] = int(r) * shape[1] + int(c) if inside else OUTSIDE


@numba.njit(cache=True, nogil=True)
def add(cell, values, total, count):
    """Add the values of pixels to their cells.

    Parameters
    ----------
    cell : numpy.ndarray of int32, shape (h, w)
        Of :func:`cells`.
    values : numpy.ndarray, shape (h, w)
        NaN is left out.
    total : numpy.ndarray of float32, shape (n,)
        Sums; changed.
    count : numpy.ndarray of uint16, shape (n,)
        Pixels; changed.
    """
    for i in range(cell.shape[0]):
        for j in range(cell.shape[1]):
            k, v = cell[i, j], values[i, j]
            if k >= 0 and not np.isnan(v):
                total[k] += v
                count[k] += 1


@numba.njit(cache=True, nogil=True)
def add_pair(cell, values, others, total, other_total, count):
    """Add two values of each pixel to its cell, as :func:`add`.

    Parameters
    ----------
    cell : numpy.ndarray of int32, shape (h, w)
        Of :func:`cells`.
    values, others : numpy.ndarray, shape (h, w)
        Pixels whose first value is NaN are left out.
    total, other_total : numpy.ndarray of float32, shape (n,)
        Sums; changed.
    count : numpy.ndarray of uint16, shape (n,)
        Pixels; changed.
    """
    for i in range(cell.shape[0]):
        for j in range(cell.shape[1]):
            k, v = cell[i, j], values[i, j]
            if k >= 0 and not np.isnan(v):
                total[k] += v
                other_total[k] += others[i, j]
                count[k] += 1


@numba.njit(cache=True, nogil=True)
def mark(cell, values, out):
    """Write the values of pixels into their cells; of several the last holds.

    Parameters
    ----------
    cell : numpy.ndarray of int32, shape (h, w)
        Of :func:`cells`.
    values : numpy.ndarray of uint8, shape (h, w)
        0 is left out.
    out : numpy.ndarray of uint8, shape (n,)
        Changed.
    """
    for i in range(cell.shape[0]):
        for j in range(cell.shape[1]):
            if cell[i, j] >= 0 and values[i, j] > 0:
                out[cell[i, j]] = values[i, j]
