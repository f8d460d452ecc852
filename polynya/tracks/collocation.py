"""Collocation along a track: which reference cells and segments lie under a segment, and their means.

Distances are along-track distances in metres from the equator crossing, as ATL03, ATL07 and ATL10 count
them. Sums over extents use prefix sums, so their price does not depend on the length of the extents.
"""

from __future__ import annotations

import numpy as np


def match(keys: np.ndarray, sorted_keys: np.ndarray) -> np.ndarray:
    """Return each key's position in sorted unique keys, -1 where it is not among them.

    Parameters
    ----------
    keys : numpy.ndarray
        (n,) integers.
    sorted_keys : numpy.ndarray
        (m,) integers, ascending, unique.

    Returns
    -------
    numpy.ndarray
        (n,) int64.
    """
    if sorted_keys.size == 0:
        return np.full(len(keys), -1, np.int64)
    if int(sorted_keys[-1]) - int(sorted_keys[0]) + 1 == sorted_keys.size:  # no hole: the position is a difference
        at = np.asarray(keys, np.int64) - int(sorted_keys[0])
        return np.where((at >= 0) & (at < sorted_keys.size), at, -1)
    at = np.minimum(np.searchsorted(sorted_keys, keys), sorted_keys.size - 1)
    return np.where(sorted_keys[at] == keys, at, -1).astype(np.int64)


def within(start: np.ndarray, end: np.ndarray, sorted_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the half-open range of positions of ``sorted_x`` inside each [start, end); (n,) int64 each."""
    return np.searchsorted(sorted_x, start, side="left"), np.searchsorted(sorted_x, end, side="left")


def nearest(x: np.ndarray, sorted_x: np.ndarray) -> np.ndarray:
    """Return the position of the nearest entry of ``sorted_x`` (not empty); the lower one in a tie; (n,) int64."""
    upper = np.clip(np.searchsorted(sorted_x, x), 1, max(sorted_x.size - 1, 1))
    lower = upper - 1
    upper = np.minimum(upper, sorted_x.size - 1)
    return np.where(np.abs(x - sorted_x[lower]) <= np.abs(sorted_x[upper] - x), lower, upper).astype(np.int64)


def covered(x: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Tell which places lie in any of some intervals, their ends included.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) places, m.
    start, end : numpy.ndarray
        (m,) intervals, m; in any order, they may overlap each other.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    begun = np.searchsorted(np.sort(start), x, side="right")
    return begun > np.searchsorted(np.sort(end), x, side="left")


def sums_over(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sum values over half-open ranges of positions; NaN counts as zero; (n,) float64."""
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(np.asarray(values, np.float64)))])
    return total[last] - total[first]


def mean_over(
    values: np.ndarray, first: np.ndarray, last: np.ndarray, *, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Average values over half-open ranges of positions.

    Parameters
    ----------
    values : numpy.ndarray
        (m,); NaN is left out.
    first, last : numpy.ndarray
        (n,) positions.
    weights : numpy.ndarray, optional
        (m,) weights, not negative.

    Returns
    -------
    mean : numpy.ndarray
        (n,) float64, NaN where nothing was averaged.
    count : numpy.ndarray
        (n,) int64, values that were not NaN.
    """
    values = np.asarray(values, np.float64)
    good = np.isfinite(values)
    weight = good.astype(np.float64) if weights is None else np.where(good, weights, 0.0)
    count = np.rint(sums_over(good, first, last)).astype(np.int64)
    total = sums_over(weight, first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(
            (count > 0) & (total > 0), sums_over(np.where(good, values, 0.0) * weight, first, last) / total, np.nan
        )
    return mean, count


def extents(x: np.ndarray, *, resolution_m: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the start and end of segments along the track.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) ascending positions of one beam's segments, m.
    resolution_m : float or None
        Length of a fixed grid, whose cells are ``floor(x / resolution_m)``; None for segments of a photon
        number, which reach half way to their neighbours, at most 100 m.

    Returns
    -------
    start, end : numpy.ndarray
        (n,) float64, m.
    """
    x = np.asarray(x, np.float64)
    if resolution_m is not None:
        start = np.floor(x / resolution_m) * resolution_m
        return start, start + resolution_m
    half = np.minimum(0.5 * np.diff(x), 100.0)
    typical = float(np.median(half)) if half.size else 1.0
    before = np.concatenate([[typical], half])
    after = np.concatenate([half, [typical]])
    return x - before, x + after


def fixed_resolution(x: np.ndarray, *, candidates: tuple[float, ...] = (2.0, 10.0, 30.0)) -> float | None:
    """Tell the length of the grid that segments lie on, from their spacing; None where none fits.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) ascending positions of one beam's segments, m.
    candidates : tuple of float
        Lengths to try, m.
    """
    if len(x) < 2:
        return candidates[0]
    spacing = float(np.median(np.diff(x)))
    for length in candidates:
        cells = np.floor(np.asarray(x) / length)
        if abs(spacing - length) <= 0.25 * length and bool(np.all(np.diff(cells) > 0)):
            return length
    return None
