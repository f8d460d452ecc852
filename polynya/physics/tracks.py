"""Running statistics along a track that never reach across a gap.

A track is cut into pieces wherever two neighbouring segments are further apart than a gap length;
every function here works inside pieces. Windows are in metres or in segments, weights are photons.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .. import compiled

APART_M = 1.0e8
"""Distance between separate parts of a track: more than two orbits."""


def pieces(x: np.ndarray, *, gap_m: float) -> np.ndarray:
    """Return where pieces start, and the end.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, not decreasing, metres.
    gap_m : float
        Neighbours further apart than this belong to different pieces.

    Returns
    -------
    numpy.ndarray of int64, shape (pieces + 1,)
        Piece k is ``starts[k]:starts[k + 1]``; ``[0]`` for an empty track.
    """
    n = x.size
    if n == 0:
        return np.zeros(1, np.int64)
    cuts = np.flatnonzero(np.diff(x) > gap_m) + 1
    return np.concatenate([[0], cuts, [n]]).astype(np.int64)


def separate(x: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Move parts of a track apart: what is decided by distance then never joins two of them.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, not decreasing, metres; within one orbit.
    part : numpy.ndarray of int64, shape (n,)
        Number of the part, not decreasing; 0 stays in its place.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Not decreasing, parts :data:`APART_M` further on than they are. It is a multiple of the lengths of cells,
        blocks and sections, so these keep their edges.
    """
    return x + APART_M * part


def together(x: np.ndarray) -> np.ndarray:
    """Return distances of :func:`separate` where they were, metres."""
    return x - APART_M * np.rint(x / APART_M)


def rank(edges: np.ndarray, x: np.ndarray, *, side: Literal["left", "right"] = "left") -> np.ndarray:
    """Return ``numpy.searchsorted(edges, x, side)``, fast for many places in order along a track.

    Parameters
    ----------
    edges : numpy.ndarray, shape (m,)
        In order, metres.
    x : numpy.ndarray, shape (n,)
        Metres; where they are in order and more than the edges, the edges are looked for among them.
    side : str
        ``left`` counts the edges below each place, ``right`` those at it too.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
    """
    if x.size <= 2 * edges.size or not (np.all(x[1:] >= x[:-1]) and np.all(edges[1:] >= edges[:-1])):
        return np.searchsorted(edges, x, side=side)
    at = np.searchsorted(x, edges, side="right" if side == "left" else "left")
    return np.repeat(np.arange(edges.size + 1), np.diff(at, prepend=0, append=x.size))


def near_gap(starts: np.ndarray, n: int) -> np.ndarray:
    """Return True for the first and last segment of every piece, shape (n,)."""
    out = np.zeros(n, bool)
    if n:
        out[starts[:-1]] = True
        out[starts[1:] - 1] = True
    return out


def running_mean(
    x: np.ndarray, values: np.ndarray, weights: np.ndarray, starts: np.ndarray, half_width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of values within ±half_width metres of each segment, inside its piece.

    Parameters
    ----------
    x, values, weights : numpy.ndarray, shape (n,)
        NaN values are left out.
    starts : numpy.ndarray
        Of :func:`pieces`.
    half_width : float
        Metres.

    Returns
    -------
    mean, weight : numpy.ndarray, shape (n,)
        NaN and 0 where no weight is in the window.
    """
    mean, total = np.empty(x.size), np.empty(x.size)
    x, values, weights = (np.ascontiguousarray(a) for a in (x, values, weights))
    weighted_mean(x, values, weights, starts, float(half_width), mean, total)
    return mean, total


@compiled.kernel
def weighted_mean(x, values, weights, starts, half_width, mean, total):  # pragma: no cover - compiled
    """Put what :func:`running_mean` returns."""
    for p in range(starts.size - 1):
        lo = starts[p]
        hi = starts[p]
        s = 0.0
        w = 0.0
        for i in range(starts[p], starts[p + 1]):
            while hi < starts[p + 1] and x[hi] <= x[i] + half_width:
                if np.isfinite(values[hi]) and weights[hi] > 0:
                    s += values[hi] * weights[hi]
                    w += weights[hi]
                hi += 1
            while x[lo] < x[i] - half_width:
                if np.isfinite(values[lo]) and weights[lo] > 0:
                    s -= values[lo] * weights[lo]
                    w -= weights[lo]
                lo += 1
            mean[i] = s / w if w > 1e-9 else np.nan
            total[i] = w if w > 1e-9 else 0.0


def running_median(values: np.ndarray, starts: np.ndarray, half_count: int) -> np.ndarray:
    """Median over the segment and half_count neighbours on each side, inside its piece.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        NaN are left out.
    starts : numpy.ndarray
        Of :func:`pieces`.
    half_count : int
        Segments on each side.

    Returns
    -------
    numpy.ndarray, shape (n,)
    """
    out = np.empty(values.size)
    _median_within(np.ascontiguousarray(values), starts, half_count, np.empty(2 * half_count + 2), out)
    return out


@compiled.kernel
def _median_within(values, starts, half_count, window, out):  # pragma: no cover - compiled
    for p in range(starts.size - 1):
        first, last = starts[p], starts[p + 1]
        size = 0
        lo = first
        hi = first
        for i in range(first, last):
            while hi < last and hi <= i + half_count:
                v = values[hi]
                if np.isfinite(v):
                    j = size
                    while j > 0 and window[j - 1] > v:
                        window[j] = window[j - 1]
                        j -= 1
                    window[j] = v
                    size += 1
                hi += 1
            while lo < i - half_count:
                v = values[lo]
                if np.isfinite(v):
                    j = 0
                    while window[j] != v:
                        j += 1
                    while j + 1 < size:
                        window[j] = window[j + 1]
                        j += 1
                    size -= 1
                lo += 1
            if size % 2:
                out[i] = window[size // 2]
            else:
                out[i] = 0.5 * (window[size // 2 - 1] + window[size // 2]) if size > 0 else np.nan


def block_quantile(
    x: np.ndarray, values: np.ndarray, *, block_m: float, window_m: float, inner: float, outer: float
) -> np.ndarray:
    """Quantile over a wide window of quantiles of short blocks: a robust level, fast to compute.

    Parameters
    ----------
    x, values : numpy.ndarray, shape (n,)
        Along-track distance (m), not decreasing; NaN values are left out.
    block_m, inner : float
        Blocks of this length are summed up by their ``inner`` quantile.
    window_m, outer : float
        Each block gets the ``outer`` quantile of the blocks within ± this distance, taken at every 25th
        part of it and linear between.

    Returns
    -------
    numpy.ndarray, shape (n,)
        The level at each segment: that of its block. NaN where no block within reach has a value.

    Notes
    -----
    This level does look across gaps, on purpose: it is a reference (water level, clear-sky rate), not
    a smoothed observation, and depends on distance only.
    """
    if x.size == 0:
        return np.empty(0)
    number = np.floor(x / block_m).astype(np.int64)
    heads = np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1, [x.size]]).astype(np.int64)
    middle = (number[heads[:-1]] + 0.5) * block_m
    level = np.empty(heads.size - 1)
    _block_levels(
        np.ascontiguousarray(values, np.float64), heads, float(inner), np.empty(int(np.max(np.diff(heads)))), level
    )
    # The level changes over its window, not over a block: every 25th of the window is enough, linear between.
    place, wide = _running_quantile(middle, level, window_m, outer, max(int(window_m / 25.0 / block_m), 1))
    between = np.interp(middle, place, wide)
    nearest = np.clip(np.searchsorted((place[1:] + place[:-1]) / 2, middle), 0, place.size - 1)
    return np.repeat(np.where(np.isfinite(between), between, wide[nearest]), np.diff(heads))


@compiled.kernel
def _block_levels(values, heads, q, scratch, out):  # pragma: no cover - compiled
    """Put the quantile of the finite values between consecutive heads; insertion sort, since blocks are short."""
    for b in range(heads.size - 1):
        size = 0
        out[b] = np.nan
        for i in range(heads[b], heads[b + 1]):
            v = values[i]
            if np.isfinite(v):
                j = size
                while j > 0 and scratch[j - 1] > v:
                    scratch[j] = scratch[j - 1]
                    j -= 1
                scratch[j] = v
                size += 1
        if size:
            place = q * (size - 1)
            low = int(place)
            high = min(low + 1, size - 1)
            out[b] = scratch[low] + (place - low) * (scratch[high] - scratch[low])


def _running_quantile(
    x: np.ndarray, values: np.ndarray, half_width: float, q: float, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Quantile of values within ±half_width of every stride-th place; returns places and quantiles."""
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    rank = np.full(values.size, -1, np.int64)
    rank[order] = np.arange(order.size)
    place, out = np.empty((2, -(-values.size // stride)))
    is_held, counts = np.zeros(values.size + 1, np.uint8), np.zeros((values.size >> _RANKS) + 1, np.int64)
    _quantile_by_rank(x, values[order], rank, float(half_width), float(q), stride, is_held, counts, place, out)
    return place, out


_RANKS = 6
"""Ranks are counted in groups of two to this power."""


@compiled.kernel
def _quantile_by_rank(  # noqa: C901, PLR0913
    x, ordered, rank, half_width, q, stride, is_held, counts, place, out
):  # pragma: no cover - compiled
    """Slide the window over the track: it holds ranks, counted in groups, and knows in which group the quantile lay.

    A value that comes or goes changes one count; the quantile is found from the last one's group in a few steps,
    however wide the window.
    """
    n = x.size
    size = 0
    lo = 0
    hi = 0
    group = 0
    below = 0  # held ranks of the groups before it
    for k in range(place.size):
        i = min(k * stride + stride // 2, n - 1)
        place[k], out[k] = x[i], np.nan
        while hi < n and x[hi] <= x[i] + half_width:
            r = rank[hi]
            if r >= 0:
                is_held[r] = 1
                counts[r >> _RANKS] += 1
                below += (r >> _RANKS) < group
                size += 1
            hi += 1
        while x[lo] < x[i] - half_width:
            r = rank[lo]
            if r >= 0:
                is_held[r] = 0
                counts[r >> _RANKS] -= 1
                below -= (r >> _RANKS) < group
                size -= 1
            lo += 1
        if size == 0:
            continue
        wanted = q * (size - 1)
        a = int(wanted)
        while below > a:
            group -= 1
            below -= counts[group]
        while below + counts[group] <= a:
            below += counts[group]
            group += 1
        r = group << _RANKS
        left = a - below
        while left > 0 or is_held[r] == 0:
            left -= is_held[r]
            r += 1
        low = ordered[r]
        high = low
        if a + 1 < size:
            r += 1
            if below + counts[group] == a + 1:  # the next one lies in a later group
                g = group + 1
                while counts[g] == 0:
                    g += 1
                r = g << _RANKS
            while is_held[r] == 0:
                r += 1
            high = ordered[r]
        out[k] = low + (wanted - a) * (high - low)


def pooled_ratio(
    numerator: np.ndarray, denominator: np.ndarray, starts: np.ndarray, target: float, most: int
) -> np.ndarray:
    """Ratio of sums over as many neighbours as hold a target amount, evenly on both sides, inside the piece.

    Parameters
    ----------
    numerator, denominator : numpy.ndarray, shape (n,)
        Photons and laser shots of each segment, say; the ratio is then photons per shot.
    starts : numpy.ndarray
        Of :func:`pieces`.
    target : float
        The window grows on both sides until it holds this much of the numerator.
    most : int
        At most this many segments on either side.

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN where the denominator is 0.
    """
    out = np.empty(numerator.size)
    _ratio_within(
        np.ascontiguousarray(numerator), np.ascontiguousarray(denominator), starts, float(target), int(most), out
    )
    return out


@compiled.kernel
def _ratio_within(numerator, denominator, starts, target, most, out):  # noqa: C901  # pragma: no cover - compiled
    for p in range(starts.size - 1):
        first, last = starts[p], starts[p + 1]
        reach = 0
        for i in range(first, last):
            # The reach changes by little from one segment to the next: start from the last one and adjust.
            reach = max(reach - 1, 0)
            lo, hi = max(i - reach, first), min(i + reach, last - 1)
            a = 0.0
            b = 0.0
            for j in range(lo, hi + 1):
                a += numerator[j]
                b += denominator[j]
            while a < target and reach < most and (lo > first or hi < last - 1):
                reach += 1
                if i - reach >= first:
                    lo = i - reach
                    a += numerator[lo]
                    b += denominator[lo]
                if i + reach < last:
                    hi = i + reach
                    a += numerator[hi]
                    b += denominator[hi]
            while reach > 0:
                less_a = a
                if i - reach >= first:
                    less_a -= numerator[i - reach]
                if i + reach < last:
                    less_a -= numerator[i + reach]
                if less_a < target:
                    break
                if i - reach >= first:
                    b -= denominator[i - reach]
                if i + reach < last:
                    b -= denominator[i + reach]
                a = less_a
                reach -= 1
            out[i] = a / b if b > 0.0 else np.nan
