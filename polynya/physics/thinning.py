"""Middle lines of narrow bodies: thinning to lines of one pixel (Zhang and Suen 1984, doi:10.1145/357994.358023)."""

from __future__ import annotations

import functools

import numpy as np

AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Neighbours in the order of their bits: from above, clockwise."""


@functools.lru_cache(maxsize=1)
def _removable() -> np.ndarray:
    """Return which of 256 surroundings let a pixel go in the first and in the second pass, bool (2, 256)."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    count = bits.sum(axis=1)
    begins = ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1)
    up, right, down, left = bits[:, 0], bits[:, 2], bits[:, 4], bits[:, 6]
    fits = (count >= 2) & (count <= 6) & (begins == 1)
    first = fits & (up * right * down == 0) & (right * down * left == 0)
    second = fits & (up * right * left == 0) & (up * down * left == 0)
    return np.stack([first, second])


def thinned(mask: np.ndarray) -> np.ndarray:
    """Return the middle lines of a mask.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (h, w)
        Bodies; what lies beyond the border counts as none.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
        Connected where the mask is, one pixel wide but for corners.
    """
    held = np.pad(np.asarray(mask, np.uint8), 1)
    flat, wide = held.ravel(), held.shape[1]
    steps = np.array([r * wide + c for r, c in AROUND])
    table = _removable()
    live = np.flatnonzero(flat)
    while live.size:
        gone = 0
        for k in range(2):
            code = np.zeros(live.size, np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[live + step] << np.uint8(bit)
            goes = table[k][code]
            flat[live[goes]] = 0
            gone += int(goes.sum())
            live = live[~goes]
        if not gone:
            break
    return held[1:-1, 1:-1].astype(bool)
