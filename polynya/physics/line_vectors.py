"""Look-up vectors along image lines, as radar products give them for calibration and noise: bilinear between them.

A product gives values at some pixels of some lines. Between them they are linear along the line and across lines.
Beyond the first and the last of either the nearest value holds: vectors may start before the image and end after it,
and nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Vector:
    """One look-up vector.

    Attributes
    ----------
    line : int
        Line of the image; may lie outside it.
    pixels : numpy.ndarray of int64, shape (n,)
        Samples of the nodes.
    values : numpy.ndarray of float64, shape (n,)
        Values at the nodes.
    """

    line: int
    pixels: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Vectors brought to every sample of a range of samples.

    Attributes
    ----------
    lines : numpy.ndarray of int64, shape (k,)
        Increasing.
    first : int
        Sample of the first column.
    values : numpy.ndarray of float64, shape (k, n)
        NaN where a vector has no valid value.
    """

    lines: np.ndarray
    first: int
    values: np.ndarray

    def weights(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for each line the vector before it and the weight of the one after it, shapes (h,).

        Parameters
        ----------
        rows : numpy.ndarray of int, shape (h,)
            Lines of the image.
        """
        if self.lines.size == 1:
            return np.zeros(rows.size, np.int64), np.zeros(rows.size)
        before = np.clip(np.searchsorted(self.lines, rows, side="right") - 1, 0, self.lines.size - 2)
        start, end = self.lines[before], self.lines[before + 1]
        return before, np.clip((rows - start) / (end - start), 0.0, 1.0)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Return the values in a window of the image.

        Parameters
        ----------
        rows, columns : slice
            Start and stop, inside the image and the table's samples.

        Returns
        -------
        numpy.ndarray of float64, shape (h, w)
        """
        lines = np.arange(rows.start, rows.stop)
        out = np.empty((lines.size, columns.stop - columns.start))
        before, weight = self.weights(lines)
        fill(out, self.values[:, columns.start - self.first : columns.stop - self.first], before, weight)
        return out


def sorted_nodes(vector: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Return a vector's nodes with increasing samples; of nodes at one sample the first.

    Parameters
    ----------
    vector : Vector
        Its nodes in any order.

    Returns
    -------
    pixels : numpy.ndarray of int64, shape (n,)
    values : numpy.ndarray of float64, shape (n,)
    """
    pixels, first = np.unique(vector.pixels, return_index=True)
    return pixels, vector.values[first]


def table(vectors: Sequence[Vector], *, columns: slice) -> Table:
    """Bring vectors to every sample of a range.

    Parameters
    ----------
    vectors : sequence of Vector
        At least one, each with at least one node; of vectors at one line the first is taken.
    columns : slice
        First sample and the one after the last.

    Returns
    -------
    Table
    """
    by_line: dict[int, Vector] = {}
    for vector in vectors:
        by_line.setdefault(vector.line, vector)
    lines = np.array(sorted(by_line), np.int64)
    samples = np.arange(columns.start, columns.stop, dtype=np.float64)
    values = np.stack([np.interp(samples, *sorted_nodes(by_line[int(line)])) for line in lines])
    return Table(lines=lines, first=columns.start, values=values)


@numba.njit(cache=True, nogil=True)
def fill(out, values, before, weight):
    """Interpolate between vectors into ``out``, one row per line.

    Parameters
    ----------
    out : numpy.ndarray of float64, shape (h, w)
        Written.
    values : numpy.ndarray of float64, shape (k, w)
        Vectors at every sample; a NaN of weight 0 has no part in the result.
    before : numpy.ndarray of int64, shape (h,)
        Vector before each line.
    weight : numpy.ndarray of float64, shape (h,)
        Weight of the next vector, 0 to 1.
    """
    for i in range(out.shape[0]):
        t = weight[i]
        if t <= 0.0:
            for j in range(out.shape[1]):
                out[i, j] = values[before[i], j]
        elif t >= 1.0:
            for j in range(out.shape[1]):
                out[i, j] = values[before[i] + 1, j]
        else:
            for j in range(out.shape[1]):
                out[i, j] = values[before[i], j] + t * (values[before[i] + 1, j] - values[before[i], j])
