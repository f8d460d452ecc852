"""Values along a track with gaps: spikes are found, gaps are bridged, and what a bridge cannot be trusted with is cut.

Corrections and sea surfaces change slowly along a track. A value that is missing lies between its neighbours; a value
that leaves them is an error; and two sides that do not agree are of two sources, which nothing may join.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import tracks

REACH_M = 10_000.0
"""Bridges are trusted over this length: tides, the atmosphere and MSS minus geoid change by centimetres over it."""
CUT_M = 20_000.0
"""Nothing is shared across longer bridges, even where both sides agree: the middle may be a decimetre wrong."""
STEP_M = 0.05
"""Values on two sides that differ by more than this over a short distance are of two sources."""
BRIDGE_SLOPE = 1e-5
"""Change of a correction or of MSS minus geoid that is believed beside the trend on both sides of a gap, m/m: 1 cm per
km (the slope of real sea surfaces is 2.0 to 3.8 cm per 10 km; Kwok and Morison, 2016, doi:10.1002/2015JC011357)."""
TREND_M = 5_000.0
"""The trend beside a gap is that of known values this far apart, or as far as there are some."""
SURFACE_SLOPE = 2e-3
"""No sea surface is as steep as this, m/m: the deflection of the vertical at sea stays below 0.5 mm per m."""
SPIKE_M = 0.2
"""A value further than this from the median around it is an error."""
SPIKE_HALF_COUNT = 50
"""Neighbours on either side that make this median: 1 km of 20 m geosegments."""


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """Values with their gaps filled, arrays of shape (g,).

    Attributes
    ----------
    values : numpy.ndarray
        As given where they are known; linear between the nearest known values, held beyond the first and last one.
    length : numpy.ndarray
        Distance from the first to the last missing value of a gap, metres; 0 where the value is known.
    is_between : numpy.ndarray of bool
        Inside a gap that has a known value on either side.
    is_steep : numpy.ndarray of bool
        Inside a gap whose two sides do not agree: they differ by more than :data:`STEP_M` and :data:`BRIDGE_SLOPE`,
        as they are and beside the mean trend of both sides.
    """

    values: np.ndarray
    length: np.ndarray
    is_between: np.ndarray
    is_steep: np.ndarray


def bridge(x: np.ndarray, values: np.ndarray, *, is_known: np.ndarray) -> Bridge:
    """Fill gaps along a track: nothing steps at the edge of a gap.

    Parameters
    ----------
    x : numpy.ndarray, shape (g,)
        Along-track distance, not decreasing, metres.
    values : numpy.ndarray, shape (g,)
        Metres.
    is_known : numpy.ndarray of bool, shape (g,)
        Values to keep; at least one.

    Returns
    -------
    Bridge
    """
    rows, gap = np.flatnonzero(is_known), np.flatnonzero(~is_known)
    place = np.searchsorted(rows, gap)  # the same for all values of one gap
    left, right = rows[np.maximum(place - 1, 0)], rows[np.minimum(place, rows.size - 1)]
    first, last = np.searchsorted(place, place), np.searchsorted(place, place, side="right") - 1
    filled = np.array(values, np.float64)
    filled[gap] = np.interp(x[gap], x[rows], filled[rows])
    length, is_between, is_steep = np.zeros(values.size), np.zeros(values.size, bool), np.zeros(values.size, bool)
    length[gap] = x[gap[last]] - x[gap[first]]
    is_between[gap] = (place > 0) & (place < rows.size)
    across = x[right] - x[left]
    step = filled[right] - filled[left]
    beyond = step - 0.5 * across * (_trend(x, filled, rows, left, -TREND_M) + _trend(x, filled, rows, right, TREND_M))
    is_steep[gap] = np.minimum(np.abs(step), np.abs(beyond)) > np.maximum(STEP_M, BRIDGE_SLOPE * across)
    return Bridge(values=filled, length=length, is_between=is_between, is_steep=is_steep)


def _trend(x: np.ndarray, values: np.ndarray, rows: np.ndarray, at: np.ndarray, away_m: float) -> np.ndarray:
    """Return the slope from known values to those about a distance away from them, m/m; 0 where that is under 1 km."""
    place = x[rows]
    other = np.clip(np.searchsorted(place, x[at] + away_m, side="left" if away_m < 0 else "right"), 0, rows.size)
    other = rows[other if away_m < 0 else np.maximum(other - 1, 0)]
    run = x[other] - x[at]
    return np.where(np.abs(run) >= 1000.0, (values[other] - values[at]) / np.where(run == 0.0, 1.0, run), 0.0)


def is_spike(x: np.ndarray, values: np.ndarray, *, is_known: np.ndarray) -> np.ndarray:
    """Return which values leave the median of those around them, within 1 km of values and no gap over 10 km.

    Parameters
    ----------
    x : numpy.ndarray, shape (g,)
        Along-track distance, not decreasing, metres.
    values : numpy.ndarray, shape (g,)
        Metres, of something that changes by centimetres per kilometre at most.
    is_known : numpy.ndarray of bool, shape (g,)
        Values that are there.

    Returns
    -------
    numpy.ndarray of bool, shape (g,)
    """
    out = np.zeros(values.size, bool)
    rows = slice(None) if is_known.all() else np.flatnonzero(is_known)
    known, place = np.ascontiguousarray(values[rows], np.float64), x[rows]
    jumps = np.flatnonzero(np.abs(np.diff(known)) > STEP_M)
    if np.any(place[jumps + 1] - place[jumps] <= REACH_M):  # else no spike: most tracks end here
        level = tracks.running_median(known, tracks.pieces(place, gap_m=REACH_M), SPIKE_HALF_COUNT)
        out[rows] = np.abs(known - level) > SPIKE_M
    return out


def pieces_between(x: np.ndarray, total: np.ndarray, *, is_cut: np.ndarray) -> np.ndarray:
    """Number the pieces of a track that must not exchange anything.

    Parameters
    ----------
    x : numpy.ndarray, shape (g,)
        Along-track distance, not decreasing, metres.
    total : numpy.ndarray, shape (g,)
        What is subtracted from heights, metres: where it steps, a piece ends.
    is_cut : numpy.ndarray of bool, shape (g,)
        Stretches that are pieces of their own.

    Returns
    -------
    numpy.ndarray of int64, shape (g,)
        Not decreasing from 0.
    """
    step = np.abs(np.diff(total)) > np.maximum(STEP_M, SURFACE_SLOPE * np.diff(x))  # False where a value is NaN
    return np.concatenate([[0], np.cumsum(step | np.diff(is_cut))]).astype(np.int64)[: x.size]
