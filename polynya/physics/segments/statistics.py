"""Statistics of a segment's photon heights, compiled."""

from __future__ import annotations

import numba as nb
import numpy as np

from .records import Segments


@nb.njit(cache=True, nogil=True, inline="always")
def _sort(a):  # pragma: no cover - compiled
    """Insertion sort: faster than a general one for the few values a segment holds."""
    if a.size > 64:
        a.sort()
        return
    for i in range(1, a.size):
        v = a[i]
        j = i - 1
        while j >= 0 and a[j] > v:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = v


@nb.njit(cache=True, nogil=True, inline="always")
def _quantile(a, q):  # pragma: no cover - compiled
    """Linear quantile of a sorted array (Hyndman and Fan's type 7, as numpy's default)."""
    place = q * (a.size - 1)
    low = int(place)
    high = min(low + 1, a.size - 1)
    return a[low] + (place - low) * (a[high] - a[low])


@nb.njit(cache=True, nogil=True)
def height_statistics(heights, offsets):  # pragma: no cover - compiled
    m = offsets.size - 1
    mean = np.empty(m, np.float32)
    median = np.empty(m, np.float32)
    sd = np.empty(m, np.float32)
    for k in range(m):
        a = heights[offsets[k] : offsets[k + 1]]
        _sort(a)
        s = 0.0
        for v in a:
            s += v
        s /= a.size
        q = 0.0
        for v in a:
            q += (v - s) * (v - s)
        mean[k] = s
        sd[k] = np.sqrt(q / a.size)
        median[k] = _quantile(a, 0.5)
    return mean, median, sd


def window_statistics(
    segments: Segments, *, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take statistics of each segment's photons inside a height window.

    Parameters
    ----------
    segments : Segments
        Segments with their photon heights.
    low, high : numpy.ndarray, shape (n,)
        Window above the reference, metres.

    Returns
    -------
    n, mean, sd : numpy.ndarray, shape (n,)
        Photons inside and their statistics; NaN where none is inside. sd is the population's.
    """
    return _window(
        segments.heights,
        segments.offsets,
        np.ascontiguousarray(low, np.float64),
        np.ascontiguousarray(high, np.float64),
    )


@nb.njit(cache=True, nogil=True)
def _window(heights, offsets, low, high):  # pragma: no cover - compiled
    m = offsets.size - 1
    count = np.zeros(m, np.int32)
    mean = np.full(m, np.nan, np.float32)
    sd = np.full(m, np.nan, np.float32)
    for k in range(m):
        a = heights[offsets[k] : offsets[k + 1]]
        i = 0
        while i < a.size and a[i] < low[k]:
            i += 1
        j = a.size
        while j > i and a[j - 1] > high[k]:
            j -= 1
        size = j - i
        count[k] = size
        if size == 0:
            continue
        w = a[i:j]
        s = 0.0
        for v in w:
            s += v
        s /= size
        q = 0.0
        for v in w:
            q += (v - s) * (v - s)
        mean[k] = s
        sd[k] = np.sqrt(q / size)
    return count, mean, sd
