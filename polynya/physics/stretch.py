"""Percentile stretch of a picture: what makes patterns visible, and loses its level."""

from __future__ import annotations

import numpy as np

LOW, HIGH = 1.0, 99.0
"""Percentiles that become 0 and 1."""


def limits(picture: np.ndarray, mask: np.ndarray | None = None, *, low: float = LOW, high: float = HIGH) -> np.ndarray:
    """Return the values at two percentiles, linear between ranks.

    Parameters
    ----------
    picture : numpy.ndarray of float, shape (rows, columns)
        NaN is left out.
    mask : numpy.ndarray of bool, shape (rows, columns), optional
        True where it is valid.
    low, high : float
        Percentiles.

    Returns
    -------
    numpy.ndarray of float64, shape (2,)
        NaN without a valid pixel.
    """
    valid = picture[np.isfinite(picture) if mask is None else np.isfinite(picture) & mask]
    return np.percentile(valid, (low, high)) if valid.size else np.full(2, np.nan)


def stretch(picture: np.ndarray, mask: np.ndarray | None = None, *, low: float = LOW, high: float = HIGH) -> np.ndarray:
    """Return a picture from 0 to 1, linear between two percentiles.

    Parameters
    ----------
    picture, mask, low, high
        As of :func:`limits`.

    Returns
    -------
    numpy.ndarray of float32, shape (rows, columns)
        0 where it is not valid; a half everywhere else where all values are one.
    """
    bottom, top = limits(picture, mask, low=low, high=high)
    valid = np.isfinite(picture) if mask is None else np.isfinite(picture) & mask
    out = np.zeros(picture.shape, np.float32)
    if top > bottom:
        np.divide(picture - bottom, top - bottom, out=out, where=valid, casting="same_kind")
        return np.clip(out, 0.0, 1.0, out=out)
    out[valid] = 0.5
    return out
