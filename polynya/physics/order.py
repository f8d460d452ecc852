"""Median and distinct values: ``numpy.median`` and ``numpy.unique`` import ``numpy.ma`` and check much."""

from __future__ import annotations

import numpy as np


def median(values: np.ndarray) -> np.ndarray:
    """Return the median along the last axis.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., n)
        Numbers.

    Returns
    -------
    numpy.ndarray, shape (...)
        NaN where one of the values is NaN, or there is none.
    """
    n = values.shape[-1]
    if n == 0:
        return np.full(values.shape[:-1], np.nan)[()]
    ordered = np.partition(values, sorted({(n - 1) // 2, n // 2, n - 1}), axis=-1)
    middle = ordered[..., n // 2] if n % 2 else (ordered[..., n // 2 - 1] + ordered[..., n // 2]) / 2
    return np.where(np.isnan(ordered[..., -1]), np.nan, middle)[()]


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the distinct values in order, quickly where they are in order.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        Numbers, no NaN.
    """
    if not np.all(values[1:] >= values[:-1]):
        values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if values.size else values
