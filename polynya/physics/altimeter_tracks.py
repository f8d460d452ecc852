"""Leads along a track of echoes: classes of probabilities, widths, and ranges that a lead beside nadir makes too long.

A lead at the distance d from nadir reflects like a mirror and answers late: its way is longer than that to nadir by
d² (1 + h/R) / 2h (h the height of the satellite, R the radius of the earth). Over successive echoes that draws a
hyperbola, and the ranges of such echoes are too long. Source of the edit: PEACHI handbook of SARAL/AltiKa (CLS/CNES),
Zakharova et al. (2015), doi:10.1080/01490419.2015.1019655.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..schema.echoes import LEAD, SEA_ICE, UNKNOWN
from .echo_inputs import sequences
from .tracks import running_median

EARTH_RADIUS_M = 6_371_000.0
USUAL_ALTITUDE_M = 800_000.0
OFF_NADIR_M = (300.0, 3000.0)
"""Leads between these distances bend ranges: nearer ones are below the satellite, farther ones are too weak."""
BEND_GATES = 0.5
"""A range is bent where it is longer than those around it by more than this."""
LEVEL_ECHOES = 100
"""Echoes to each side that give the level: 17 km for AltiKa."""
LEAST_LATITUDE = {1: 40.0, -1: 50.0}
"""Nearer to the equator sea ice is looked for only where a concentration says that there is some: the Bohai Sea freezes
at 37 to 41 degrees."""
MOST_STEPS = 2.0
"""Echoes that lie more than two steps apart belong to two sequences."""


def classes_of(probability: np.ndarray, *, lead: float, ice: float) -> np.ndarray:
    """Return classes of probabilities of a lead.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n,)
        NaN is unknown.
    lead, ice : float
        Leads have at least, sea ice at most these; between them an echo is unknown.

    Returns
    -------
    numpy.ndarray of int8, shape (n,)
    """
    p = np.asarray(probability, np.float64)
    out = np.full(p.shape, UNKNOWN, np.int8)
    out[p <= ice] = SEA_ICE
    out[p >= lead] = LEAD
    return out


def starts_of(time: np.ndarray, *, is_echo: np.ndarray) -> np.ndarray:
    """Return where sequences of echoes begin: at the first, after gaps, at echoes that are missing and after them.

    Parameters
    ----------
    time : numpy.ndarray of datetime64, shape (n,)
        NaT where missing.
    is_echo : numpy.ndarray of bool, shape (n,)
        False where there is no echo.

    Returns
    -------
    numpy.ndarray of int64
    """
    number = sequences(time, most_steps=MOST_STEPS)
    is_cut = (np.diff(number) != 0) | (is_echo[1:] != is_echo[:-1])
    return np.concatenate([[0], np.flatnonzero(is_cut) + 1]).astype(np.int64)


def order_of(time: np.ndarray) -> np.ndarray | None:
    """Return the order that sorts echoes by time; None where they are in it.

    Parameters
    ----------
    time : numpy.ndarray of datetime64, shape (n,)
        NaT where missing: left out of the question, and last where echoes must be sorted.

    Returns
    -------
    numpy.ndarray of int64, shape (n,), or None
        Echoes of the same time stay in the order of the file.
    """
    known = time[~np.isnat(time)].astype(np.int64)
    if (np.diff(known) >= 0).all():
        return None
    return np.argsort(time, kind="stable")  # NaT comes last


def step_lengths(latitude: np.ndarray, longitude: np.ndarray, *, starts: np.ndarray) -> np.ndarray:
    """Return the length of track that each echo stands for: half of the ways to its neighbours in the sequence.

    Parameters
    ----------
    latitude, longitude : numpy.ndarray, shape (n,)
        Degrees.
    starts : numpy.ndarray of int64
        Of :func:`starts_of`.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Metres on the sphere; at the ends of a sequence the one way counts whole. NaN for an echo alone.
    """
    lat, lon = np.radians(latitude), np.radians(longitude)
    a = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    way = 2.0 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(a, 0.0, 1.0)))
    way[starts[1:] - 1] = np.nan
    sides = np.stack([np.concatenate([[np.nan], way]), np.concatenate([way, [np.nan]])])
    known = np.isfinite(sides)
    n = known.sum(axis=0)
    return np.where(n > 0, np.where(known, sides, 0.0).sum(axis=0) / np.maximum(n, 1), np.nan)


def widths(is_lead: np.ndarray, *, length: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the length of the track in the lead below: that of the run of lead echoes that an echo is part of.

    Parameters
    ----------
    is_lead : numpy.ndarray of bool, shape (n,)
        Which echoes are of leads.
    length : numpy.ndarray, shape (n,)
        Of :func:`step_lengths`.
    starts : numpy.ndarray of int64
        A run ends where a sequence does.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Metres, NaN outside leads.
    """
    if is_lead.size == 0:
        return np.zeros(0)
    begins = np.zeros(is_lead.size, bool)
    begins[starts] = True
    begins[1:] |= is_lead[1:] != is_lead[:-1]
    run = np.cumsum(begins) - 1
    total = np.bincount(run, np.nan_to_num(length))
    return np.where(is_lead & np.isfinite(length), total[run], np.nan)


def range_delay(distance: np.ndarray, altitude: np.ndarray) -> np.ndarray:
    """Return how much longer the way to a point beside nadir is, d² (1 + h/R) / 2h, metres.

    Parameters
    ----------
    distance : numpy.ndarray, shape (n,)
        From nadir on the ground, m.
    altitude : numpy.ndarray, shape (n,)
        Of the satellite, m; 800 km where unknown.
    """
    h = np.where(np.isfinite(altitude), altitude, USUAL_ALTITUDE_M)
    return np.asarray(distance, np.float64) ** 2 * (1.0 + h / EARTH_RADIUS_M) / (2.0 * h)


def half_power_gate(waveform: np.ndarray, *, fill: int | None = None) -> np.ndarray:
    """Return the place where an echo rises through half of its largest value, before it.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Any scale.
    fill : int, optional
        Count that means "no value".

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Gate from 0, linear between gates; NaN where the echo is above half from its first gate, or has no power.
    """
    w = np.asarray(waveform, np.float64)
    if fill is not None:
        w = np.where(w == fill, np.nan, w)
    w = np.where(np.isfinite(w), w, 0.0)
    n, gates = w.shape
    rows, peak = np.arange(n), np.argmax(w, axis=1)
    half = 0.5 * w[rows, peak]
    is_below = (w < half[:, None]) & (np.arange(gates)[None, :] < peak[:, None])
    last = gates - 1 - np.argmax(is_below[:, ::-1], axis=1)
    good = is_below.any(axis=1) & (half > 0)
    k = np.where(good, last, 0)
    low, high = w[rows, k], w[rows, np.minimum(k + 1, gates - 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(good, k + (half - low) / (high - low), np.nan)


@dataclass(frozen=True, kw_only=True)
class Ranging:
    """What ranges are measured with, arrays of shape (n,), NaN where unknown.

    Attributes
    ----------
    gate : numpy.ndarray
        Of :func:`half_power_gate`.
    altitude, tracker : numpy.ndarray
        Metres; the tracker's range is that of the nominal gate.
    gate_width_m : float
    starts : numpy.ndarray of int64
        Of :func:`starts_of`.
    """

    gate: np.ndarray
    altitude: np.ndarray
    tracker: np.ndarray
    gate_width_m: float
    starts: np.ndarray


def is_bent(ranging: Ranging) -> tuple[np.ndarray, np.ndarray]:
    """Return whether a range is longer than those around it, and whether that could be checked.

    Parameters
    ----------
    ranging : Ranging
        Of n echoes.

    Returns
    -------
    bent : numpy.ndarray of bool, shape (n,)
        The height of the reflecting surface is more than half a gate below the running median.
    known : numpy.ndarray of bool, shape (n,)
        False where tracker, altitude or leading edge is unknown.
    """
    height = ranging.altitude - ranging.tracker - ranging.gate * ranging.gate_width_m
    known = np.isfinite(height)
    if not known.any():
        return np.zeros(height.shape, bool), known
    middle = float(np.median(height[known]))
    rows = np.flatnonzero(known)
    pieces = np.unique(np.append(np.searchsorted(rows, ranging.starts), rows.size))
    level = running_median(np.ascontiguousarray(height[rows] - middle), pieces, LEVEL_ECHOES)
    bent = np.zeros(height.shape, bool)
    bent[rows] = height[rows] - middle < level - BEND_GATES * ranging.gate_width_m
    return bent, known


def is_too_low(latitude: np.ndarray, concentration: np.ndarray | None = None, *, least: float = 0.15) -> np.ndarray:
    """Return whether echoes lie where no sea ice is looked for, bool, shape (n,).

    Parameters
    ----------
    latitude : numpy.ndarray, shape (n,)
        Degrees; NaN is not too low.
    concentration : numpy.ndarray, shape (n,), optional
        Of sea ice, 0 to 1, NaN where unknown. Where it has at least ``least``, no latitude is too low.
    least : float
        Share of ice.
    """
    lat = np.asarray(latitude, np.float64)
    with np.errstate(invalid="ignore"):
        is_low = (lat > -LEAST_LATITUDE[-1]) & (lat < LEAST_LATITUDE[1])
        return is_low if concentration is None else is_low & ~(np.asarray(concentration) >= least)
