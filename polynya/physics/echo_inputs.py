"""Inputs of networks for each radar-altimeter echo: the waveform on few gates, and numbers of its shape and power.

An echo is divided by its maximum, log1p(20 w) / log(21) spreads small values, and its gates are pooled to
:data:`POOLED` (the largest of each group). ``gate`` columns keep the window as the tracker set it; ``edge`` columns
begin :data:`BEFORE` gates before the echo's own leading edge, so that neither tracker nor gain control is in them.
Columns of power count from the lower quartile of the pass around the echo, which is the level of floes even where leads
are many: the absolute level is another for every mission and every calibration. Echoes of land are no part of it.

Source: the use of echoes without gain control and tracker is a wish of Longepe et al. (2019), OSTST meeting; the shape
numbers are those of :mod:`polynya.physics.waveform_features`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import percentile_filter

from ..errors import UsageError
from .waveform_features import Features

POOLED = 32
EDGE_GATES, BEFORE = 96, 12
"""Gates of the aligned window, and how many of them lie before the leading edge."""
EDGE_SHARE = 0.25
"""The leading edge is the first gate that reaches this share of the maximum."""
AROUND, QUARTILE = 401, 25
"""Echoes over which the level of power is taken, centred, 70 km of AltiKa; and which percentile of them."""
LEAST_SHARE = 0.25
"""Where fewer of these echoes are of sea, the level rests on few of them."""
CHUNK = 4000
"""Echoes whose surroundings are in memory at once."""
GATES = tuple(f"gate_{k:02d}" for k in range(POOLED))
EDGES = tuple(f"edge_{k:02d}" for k in range(POOLED))
_LOGARITHMS = {
    "peakiness": "peakiness_zakharova_128",
    "width_at_half": "width_at_half",
    "ocog_width": "ocog_width",
    "trailing_edge_width": "trailing_edge_width",
    "leading_edge_width": "leading_edge_width",
}
"""Taken as log1p: they vary over decades."""
_PLAIN = {
    "argmax": "argmax",
    "ocog_position": "ocog_position",
    "saturated_gates": "saturated_gates",
    "late_tail": "late_tail_to_peak",
    "left_sum": "left_sum",
    "n_peaks": "n_peaks",
    "trailing_edge_slope": "trailing_edge_slope",
}
SHAPES = ("peakiness", "width_at_half", "ocog_width", "late_tail", "left_sum", "n_peaks", "trailing_edge_slope")
"""Numbers that know neither power nor place in the window."""
POWERS = ("max_power_db", "agc", "argmax", "saturated_gates")
"""Numbers of gain control, tracker and receiver."""
NAMES = (*GATES, *EDGES, *dict.fromkeys((*SHAPES, *POWERS, *_LOGARITHMS, *_PLAIN)))
WITH_POWER = (*GATES, *SHAPES, *POWERS)
WITHOUT_POWER = (*EDGES, *SHAPES)
"""What a network sees of echoes without gain control and tracker."""


def inputs(
    waveform: np.ndarray,
    features: Features,
    *,
    agc: np.ndarray,
    names: Sequence[str],
    sequence: np.ndarray,
    is_sea: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the inputs of n echoes along a track.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Counts or powers; NaN is no value.
    features : Features
        Of the same echoes (:func:`polynya.physics.waveform_features.features`), ``max_power_db`` with the AGC.
    agc : numpy.ndarray, shape (n,)
        Gain control, dB; NaN where unknown.
    names : sequence of str
        Columns, of :data:`NAMES`.
    sequence : numpy.ndarray of int, shape (n,)
        Number of the unbroken sequence of each echo, increasing; levels do not cross its borders.
    is_sea : numpy.ndarray of bool, shape (n,), optional
        Which echoes are part of levels; all by default.

    Returns
    -------
    numpy.ndarray of float32, shape (n, len(names))
        NaN where unknown; an echo without power has no known column.

    Raises
    ------
    UsageError
        If a name is none of these.
    """
    unknown = [n for n in names if n not in NAMES]
    if unknown:
        raise UsageError(
            f"inputs {unknown}: there are none of these names; expected some of {', '.join(NAMES[:2])} ..."
            f" {', '.join(NAMES[-len(POWERS) :])}. Change features in the recipe."
        )
    out = np.full((len(waveform), len(names)), np.nan, np.float32)
    blocks = {}
    if any(n in GATES for n in names):
        blocks["gate"] = pooled(scaled(waveform))
    if any(n in EDGES for n in names):
        blocks["edge"] = pooled(aligned(scaled(waveform)))
    for k, name in enumerate(names):
        kind, _, place = name.partition("_")
        if kind in blocks and place.isdigit():
            out[:, k] = blocks[kind][:, int(place)]
        elif name == "max_power_db":
            out[:, k] = above_level(features["max_power_db"], sequence, is_sea=is_sea)
        elif name == "agc":
            out[:, k] = above_level(agc, sequence, is_sea=is_sea)
        elif name in _LOGARITHMS:
            out[:, k] = np.log1p(np.maximum(features[_LOGARITHMS[name]], 0.0))
        else:
            out[:, k] = features[_PLAIN[name]]
    out[~has_power(features)] = np.nan
    return out


def has_power(features: Features) -> np.ndarray:
    """Return which echoes have a value above zero, bool (n,)."""
    return np.isfinite(features["max_power"])


def scaled(waveform: np.ndarray) -> np.ndarray:
    """Return log1p(20 w / max w) / log 21, float32 (n, gates): 0 to 1; gates without a value and below 0 are 0.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Counts or powers.
    """
    w = np.nan_to_num(np.asarray(waveform, np.float32), nan=0.0)
    top = w.max(axis=1, keepdims=True)
    share = np.clip(np.divide(w, top, out=np.zeros_like(w), where=top > 0), 0.0, 1.0)
    return np.log1p(20.0 * share) / np.float32(np.log(21.0))


def pooled(waveform: np.ndarray) -> np.ndarray:
    """Return the largest value of each of :data:`POOLED` groups of gates, (n, POOLED).

    Group k begins at gate ``k * gates // POOLED``; with fewer gates than groups some gates stand in several.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Echoes.
    """
    gates = waveform.shape[1]
    return np.maximum.reduceat(waveform, np.arange(POOLED) * gates // POOLED, axis=1)


def aligned(waveform: np.ndarray) -> np.ndarray:
    """Return echoes shifted by whole gates so that their leading edge is at gate :data:`BEFORE`, (n, EDGE_GATES).

    Gates outside the window are 0.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Of :func:`scaled`: the share of the maximum is undone to find the edge.
    """
    limit = np.float32(np.log1p(20.0 * EDGE_SHARE) / np.log(21.0))
    edge = np.argmax(waveform >= limit, axis=1)
    place = edge[:, None] + np.arange(EDGE_GATES) - BEFORE
    inside = (place >= 0) & (place < waveform.shape[1])
    found = np.take_along_axis(waveform, np.clip(place, 0, waveform.shape[1] - 1), axis=1)
    return np.where(inside, found, np.float32(0.0))


def above_level(values: np.ndarray, sequence: np.ndarray, *, is_sea: np.ndarray | None = None) -> np.ndarray:
    """Return values minus the lower quartile of the :data:`AROUND` echoes around each, within its sequence, shape (n,).

    Near the ends of a sequence the echoes there are mirrored; unknown values are taken as the sequence's median.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        NaN where unknown.
    sequence : numpy.ndarray of int, shape (n,)
        Increasing.
    is_sea : numpy.ndarray of bool, shape (n,), optional
        Which echoes are part of levels; all by default. Where none around is, the answer is NaN.
    """
    out = np.full(len(values), np.nan)
    part = np.ones(len(values), bool) if is_sea is None else is_sea
    borders = np.flatnonzero(np.diff(sequence)) + 1
    for rows in np.split(np.arange(len(values)), borders):
        own = np.asarray(values[rows], np.float64)
        known = np.isfinite(own) & part[rows]
        if not known.any():
            continue
        filled = np.where(np.isfinite(own), own, np.median(own[known]))
        size = min(AROUND, 2 * len(rows) - 1)
        if part[rows].all():
            out[rows] = own - percentile_filter(filled, QUARTILE, size=size, mode="reflect")
        else:
            out[rows] = own - _quartile_of_some(filled, part[rows], size=size)
    return out


def _quartile_of_some(values: np.ndarray, part: np.ndarray, *, size: int) -> np.ndarray:
    """Return the lower quartile of those of the ``size`` values around each that are part, NaN where none is."""
    half, out = size // 2, np.full(values.size, np.nan)
    padded = np.pad(np.where(part, values, np.inf), half, mode="symmetric")
    for begin in range(0, values.size, CHUNK):
        around = np.lib.stride_tricks.sliding_window_view(padded[begin : begin + CHUNK + 2 * half], size)
        ordered = np.sort(around[: values.size - begin], axis=1)  # what is no part comes last
        rank = (np.isfinite(ordered).sum(axis=1) * QUARTILE) // 100
        found = np.take_along_axis(ordered, rank[:, None], axis=1)[:, 0]
        out[begin : begin + found.size] = np.where(np.isfinite(found), found, np.nan)
    return out


def share_of_sea(is_sea: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """Return which share of the :data:`AROUND` echoes around each, within its sequence, is of sea, shape (n,).

    Parameters
    ----------
    is_sea : numpy.ndarray of bool, shape (n,)
        Which echoes are of sea.
    sequence : numpy.ndarray of int, shape (n,)
        Increasing.
    """
    out = np.ones(len(is_sea))
    if is_sea.all():
        return out
    first = np.searchsorted(sequence, sequence, side="left")
    last = np.searchsorted(sequence, sequence, side="right")
    place = np.arange(len(is_sea))
    first, last = np.maximum(first, place - AROUND // 2), np.minimum(last, place + AROUND // 2 + 1)
    total = np.concatenate([[0], np.cumsum(is_sea)])
    return (total[last] - total[first]) / (last - first)


def sequences(time: np.ndarray, *, most_steps: float) -> np.ndarray:
    """Return the number of the unbroken sequence that each echo is of, int64 (n,), from 0.

    A sequence ends where the next echo is more than ``most_steps`` steps later (in whole steps), or earlier. A
    step is the median of the times between neighbours that follow each other within a second; without such neighbours
    every echo stands alone.

    Parameters
    ----------
    time : numpy.ndarray of datetime64, shape (n,)
        In the order of the track.
    most_steps : float
        Largest distance within a sequence.
    """
    gap = np.diff(np.asarray(time).astype("datetime64[ns]").astype(np.int64)).astype(np.float64) / 1e9
    near = gap[(gap > 0) & (gap < 1.0)]
    step = float(np.median(near)) if near.size else 0.0
    ends = ~((gap > 0) & (gap < (np.floor(most_steps) + 0.5) * step))
    return np.concatenate([np.zeros(min(len(time), 1), np.int64), np.cumsum(ends)])
