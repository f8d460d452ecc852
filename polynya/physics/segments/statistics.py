"""Statistics of a segment's photon heights, compiled."""

from __future__ import annotations

import numpy as np

from ... import compiled
from .records import Segments


@compiled.part
def _sort(a):  # pragma: no cover - compiled
    """Insertion sort: faster than a general one for the few values a segment holds; more are sorted roughly before."""
    gap = 1
    while a.size > 64 and gap < a.size // 9:
        gap = 3 * gap + 1
    while gap > 1:  # Shell's sort, Knuth's gaps
        for i in range(gap, a.size):
            v = a[i]
            j = i - gap
            while j >= 0 and a[j] > v:
                a[j + gap] = a[j]
                j -= gap
            a[j + gap] = v
        gap //= 3
    for i in range(1, a.size):
        v = a[i]
        j = i - 1
        while j >= 0 and a[j] > v:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = v


@compiled.part
def _quantile(a, q):  # pragma: no cover - compiled
    """Linear quantile of a sorted array (Hyndman and Fan's type 7, as numpy's default)."""
    place = q * (a.size - 1)
    low = int(place)
    high = min(low + 1, a.size - 1)
    return a[low] + (place - low) * (a[high] - a[low])


def height_statistics(heights: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort each segment's heights in place and take their mean, median and standard deviation (the population's).

    Parameters
    ----------
    heights : numpy.ndarray of float32
        Photon heights, metres, segment after segment.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Segment k's heights are ``heights[offsets[k]:offsets[k + 1]]``, at least one.

    Returns
    -------
    mean, median, sd : numpy.ndarray of float32, shape (n,)
        Metres.
    """
    mean, median, sd = np.empty((3, offsets.size - 1), np.float32)
    _statistics(heights, offsets, mean, median, sd)
    return mean, median, sd


@compiled.kernel
def _statistics(heights, offsets, mean, median, sd):  # pragma: no cover - compiled
    for k in range(offsets.size - 1):
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
    low, high = np.ascontiguousarray(low, np.float64), np.ascontiguousarray(high, np.float64)
    count, mean, sd = np.empty(low.size, np.int32), np.empty(low.size, np.float32), np.empty(low.size, np.float32)
    _window(segments.heights, segments.offsets, low, high, count, mean, sd)
    return count, mean, sd


@compiled.kernel
def _window(heights, offsets, low, high, count, mean, sd):  # pragma: no cover - compiled
    for k in range(offsets.size - 1):
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
            mean[k] = sd[k] = np.nan
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
