"""The published thin-cloud and shadow filter of Sentinel-2 colours: how much a pixel differs from its background.

Iqrah, Koo, Wang, Xie, Prasad (arXiv 2502.02700, and arXiv 2303.12719 for the filter): open water is painted white, the
grey image is dilated (7 x 7) and smoothed by a median (155 x 155), which is the background; the difference to it is
what veil and shadow, being wide and soft, do not change. Borders are treated as OpenCV does, which the authors used:
the dilation sees nothing outside the image, the median repeats the edge.

Every pixel of :func:`difference` depends on the pixels within :data:`HALO` only, so a tile read with that much around
it gives what the whole scene gives.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import ndimage

DILATION = 7
MEDIAN = 155
HALO = DILATION // 2 + MEDIAN // 2
"""Pixels around a tile that its differences depend on: 80."""


def grey(rgb: np.ndarray) -> np.ndarray:
    """Return the luminance of 8-bit colours.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        8-bit colours.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        ``0.299 R + 0.587 G + 0.114 B`` (ITU-R BT.601), rounded, in 15-bit fixed-point weights.
    """
    total = rgb[..., 0].astype(np.uint32) * 9798
    total += rgb[..., 1].astype(np.uint32) * 19235
    total += rgb[..., 2].astype(np.uint32) * 3735
    return ((total + 16384) >> 15).astype(np.uint8)


def difference(image: np.ndarray, *, inner: tuple[slice, slice] | None = None) -> np.ndarray:
    """Return 255 less the absolute difference to the background.

    Parameters
    ----------
    image : numpy.ndarray of uint8, shape (h, w)
        Grey, open water and missing pixels painted white: of the whole scene, or of a tile with :data:`HALO`
        pixels around it wherever the scene continues.
    inner : tuple of slice, optional
        Rows and columns (with start and stop) to return; everything by default.

    Returns
    -------
    numpy.ndarray of uint8, shape of ``image[inner]``
        255 where a pixel equals its background.
    """
    rows, columns = inner or (slice(0, image.shape[0]), slice(0, image.shape[1]))
    dilated = ndimage.maximum_filter(image, size=DILATION, mode="constant", cval=0)
    reach = MEDIAN // 2
    top, bottom = max(rows.start - reach, 0), min(rows.stop + reach, image.shape[0])
    left, right = max(columns.start - reach, 0), min(columns.stop + reach, image.shape[1])
    pad = (
        (top - rows.start + reach, rows.stop + reach - bottom),
        (left - columns.start + reach, columns.stop + reach - right),
    )
    background = running_median(np.pad(dilated[top:bottom, left:right], pad, mode="edge"), MEDIAN)
    own = image[rows, columns]
    return 255 - np.where(own > background, own - background, background - own)


@nb.njit(cache=True, nogil=True)
def running_median(padded, size):  # noqa: C901 - a compiled kernel
    """Median of every ``size`` x ``size`` square of an 8-bit image, in time that does not depend on ``size``.

    Parameters
    ----------
    padded : numpy.ndarray of uint8, shape (h + size - 1, w + size - 1)
        The image with half a window around it.
    size : int
        Odd, at most 255.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)

    Notes
    -----
    One histogram a column moves down the image, their sum moves along the row (Perreault and Hebert 2007,
    doi:10.1109/TIP.2007.902329). Each has 16 coarse bins of 16 fine ones; of the sum only the coarse bin that holds the
    median has its fine ones brought up to date.
    """
    width = padded.shape[1]
    h, w = padded.shape[0] - size + 1, width - size + 1
    half = size * size // 2
    out = np.empty((h, w), np.uint8)
    coarse = np.zeros((width, 16), np.uint16)
    fine = np.zeros((16, width, 16), np.uint16)
    for i in range(size):
        for j in range(width):
            v = padded[i, j]
            coarse[j, v >> 4] += 1
            fine[v >> 4, j, v & 15] += 1
    total = np.empty(16, np.int32)
    part = np.zeros((16, 16), np.int32)
    done = np.empty(16, np.int64)
    for i in range(h):
        if i > 0:
            for j in range(width):
                v = padded[i - 1, j]
                coarse[j, v >> 4] -= 1
                fine[v >> 4, j, v & 15] -= 1
                v = padded[i + size - 1, j]
                coarse[j, v >> 4] += 1
                fine[v >> 4, j, v & 15] += 1
        total[:] = 0
        for j in range(size):
            for b in range(16):
                total[b] += coarse[j, b]
        done[:] = 0
        for j in range(w):
            if j > 0:
                for b in range(16):
                    total[b] += np.int32(coarse[j + size - 1, b]) - np.int32(coarse[j - 1, b])
            below = 0
            k = 0
            while below + total[k] <= half:
                below += total[k]
                k += 1
            # columns j ... j + size - 1 belong to the square; part[k] holds those before done[k]
            if done[k] <= j:
                for b in range(16):
                    part[k, b] = 0
                for c in range(j, j + size):
                    for b in range(16):
                        part[k, b] += fine[k, c, b]
            else:
                for c in range(done[k], j + size):
                    for b in range(16):
                        part[k, b] += np.int32(fine[k, c, b]) - np.int32(fine[k, c - size, b])
            done[k] = j + size
            m = 0
            while below + part[k, m] <= half:
                below += part[k, m]
                m += 1
            out[i, j] = k * 16 + m
    return out
