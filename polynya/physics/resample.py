"""Bilinear resampling of grids with holes; a value depends on its place alone, not on the window it was read in."""

from __future__ import annotations

import numpy as np

LEAST_WEIGHT = 0.5
"""A value is known where at least this share of its weight lies on known pixels."""


def bilinear(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate at places given in pixels.

    Parameters
    ----------
    values : numpy.ndarray of float32, shape (bands, h, w)
        NaN where unknown.
    rows, columns : numpy.ndarray, shape (m, n)
        Where; 0, 0 is the centre of the first pixel. Up to half a pixel beyond the outer centres the edge counts.

    Returns
    -------
    numpy.ndarray of float32, shape (bands, m, n)
        NaN outside, and where more than half of the weight lies on unknown pixels; elsewhere these do not count.
    """
    bands, height, width = values.shape
    out = np.full((bands, *rows.shape), np.nan, np.float32)
    slack = 0.5 + 1e-6
    with np.errstate(invalid="ignore"):
        inside = (rows >= -slack) & (rows <= height - 1 + slack) & (columns >= -slack) & (columns <= width - 1 + slack)
    if not inside.any() or not values.size:
        return out
    r, c = np.clip(rows[inside], 0, height - 1), np.clip(columns[inside], 0, width - 1)
    r0, c0 = np.minimum(r.astype(np.intp), max(height - 2, 0)), np.minimum(c.astype(np.intp), max(width - 2, 0))
    r1, c1 = np.minimum(r0 + 1, height - 1), np.minimum(c0 + 1, width - 1)
    down, right = (r - r0).astype(np.float32), (c - c0).astype(np.float32)
    corners = (
        (r0, c0, (1 - down) * (1 - right)),
        (r0, c1, (1 - down) * right),
        (r1, c0, down * (1 - right)),
        (r1, c1, down * right),
    )
    for band in range(bands):
        if not np.isnan(values[band]).any():
            out[band, inside] = sum(values[band, i, j] * weight for i, j, weight in corners)
            continue
        total, known = np.zeros(r.shape, np.float32), np.zeros(r.shape, np.float32)
        for i, j, weight in corners:
            value = values[band, i, j]
            there = ~np.isnan(value)
            total += np.where(there, value, np.float32(0)) * weight
            known += np.where(there, weight, np.float32(0))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[band, inside] = np.where(known >= LEAST_WEIGHT, total / known, np.nan)
    return out


def block_mean(values: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of pixels.

    Parameters
    ----------
    values : numpy.ndarray of float32, shape (bands, h, w)
        NaN where unknown.
    factor : int
        Side of a block in pixels; an incomplete block at the end counts its own pixels.

    Returns
    -------
    numpy.ndarray of float32, shape (bands, ceil(h / factor), ceil(w / factor))
        NaN where fewer than half of a block's pixels are known.
    """
    if factor == 1:
        return values
    bands, height, width = values.shape
    down, right = -height % factor, -width % factor
    there = ~np.isnan(values)
    shape = (bands, (height + down) // factor, factor, (width + right) // factor, factor)
    edges = ((0, 0), (0, down), (0, right))
    total = np.pad(np.where(there, values, np.float32(0)), edges).reshape(shape).sum((2, 4), dtype=np.float64)
    known = np.pad(there, edges).reshape(shape).sum((2, 4))
    size = np.pad(np.ones((1, height, width), bool), edges).reshape(1, *shape[1:]).sum((2, 4))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known >= LEAST_WEIGHT * size, total / known, np.nan).astype(np.float32)
