"""Echoes of floes and leads as the altimeter would see them without speckle, receiver and counts.

Sources: Brown (1977), doi:10.1109/TAP.1977.1141536, for the echo of a rough surface; Chelton et al. (1989), Journal of
Atmospheric and Oceanic Technology 6, 407-438, for the curvature of the Earth.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from .leads import Leads
from .presets import BEAMWIDTH_DEG, EARTH_RADIUS_M, GATE_M, GATES, HEIGHT_M, NOMINAL_GATE, PULSE_GATES, REACH_M

CURVATURE = 1.0 + HEIGHT_M / EARTH_RADIUS_M
SPACING_M = 60.0
"""Between the points that a lead is made of: less than 2 gates apart at 5 km."""
FINE = 4
"""Bins in a gate where the echoes of points are added up."""
MARGIN = 4
"""Gates before the window from where the pulse reaches into it."""


def delay_gates(distance_m: np.ndarray | float) -> np.ndarray:
    """Return how much later than nadir a point of the same height answers, gates: d^2 (1 + h/R) / (2 h).

    Parameters
    ----------
    distance_m : numpy.ndarray or float
        From nadir on the ground.
    """
    return np.asarray(distance_m) ** 2 * (CURVATURE / (2.0 * HEIGHT_M * GATE_M))


def antenna_gain(distance_m: np.ndarray | float) -> np.ndarray:
    """Return the two-way gain of the antenna, 1 at nadir: exp(-8 ln 2 (d/h)^2 / beamwidth^2).

    Parameters
    ----------
    distance_m : numpy.ndarray or float
        From nadir on the ground.
    """
    angle = np.asarray(distance_m) / HEIGHT_M
    return np.exp(-8.0 * np.log(2.0) * (angle / np.deg2rad(BEAMWIDTH_DEG)) ** 2)


def slope_gain(distance_m: np.ndarray | float, slope: np.ndarray | float) -> np.ndarray:
    """Return the share of a Gaussian surface's facets that mirror back, 1 at nadir: exp(-angle^2 / (2 slope^2)).

    Parameters
    ----------
    distance_m : numpy.ndarray or float
        From nadir on the ground; the angle is that to the local vertical, d (1 + h/R) / h.
    slope : numpy.ndarray or float
        Standard deviation of the slope in each direction, radians.
    """
    angle = np.asarray(distance_m) * (CURVATURE / HEIGHT_M)
    return np.exp(-0.5 * (angle / slope) ** 2)


def antenna_decay() -> float:
    """Return the decay of the trailing edge by the antenna, per gate: 4 c / (gamma h (1 + h/R)) times a gate's time."""
    gamma = np.sin(np.deg2rad(BEAMWIDTH_DEG)) ** 2 / (2.0 * np.log(2.0))
    return float(8.0 * GATE_M / (gamma * HEIGHT_M * CURVATURE))


def slope_decay(slope: np.ndarray | float) -> np.ndarray:
    """Return the decay of the trailing edge by the slopes of a smooth surface, per gate.

    Parameters
    ----------
    slope : numpy.ndarray or float
        Standard deviation in each direction, radians.
    """
    return GATE_M * CURVATURE / HEIGHT_M / np.asarray(slope) ** 2


def brown(gate: np.ndarray, decay: np.ndarray | float, rms_height_m: np.ndarray | float) -> np.ndarray:
    """Return echoes of a rough surface, scaled to a largest value of about 1, shape (n, gates).

    Parameters
    ----------
    gate : numpy.ndarray, shape (n, gates)
        Gates after the mean surface at nadir.
    decay : numpy.ndarray, shape (n,), or float
        Of the trailing edge, per gate.
    rms_height_m : numpy.ndarray, shape (n,), or float
        Standard deviation of the surface's height.
    """
    a = np.atleast_1d(np.asarray(decay, np.float64))[:, None]
    width = np.hypot(PULSE_GATES, np.atleast_1d(np.asarray(rms_height_m, np.float64))[:, None] / GATE_M)

    def echo(x: np.ndarray) -> np.ndarray:
        late = x - a * width**2
        return 0.5 * (1.0 + erf(late / (np.sqrt(2.0) * width))) * np.exp(-a * (x - 0.5 * a * width**2))

    # The largest value lies within some widths of the edge for every decay that occurs here.
    peak = echo(width * np.linspace(-1.0, 5.0, 61)).max(axis=1, keepdims=True)
    return echo(gate) / peak


def specular(leads: Leads, along: np.ndarray, shift: np.ndarray, *, below_m: float) -> np.ndarray:
    """Return the echoes of all leads, floes having a peak of 1, shape (n, gates).

    The answer of each lead is the integral over its surface of antenna gain, slopes and delay, under the pulse. A lead
    that is wider than the zone that mirrors back has its largest gate at ``peak_db``; a narrow one is weaker.

    Parameters
    ----------
    leads : Leads
        Of the track.
    along : numpy.ndarray, shape (n,)
        Nadir of the echoes, m.
    shift : numpy.ndarray, shape (n,)
        Gates that the floes' surface lies after the nominal gate.
    below_m : float
        Height of the floes above the leads.
    """
    bins = np.zeros((len(along), (GATES + MARGIN) * FINE))
    late = NOMINAL_GATE + shift + below_m / GATE_M
    kernel = pulse_kernel()
    level = 10.0 ** (leads.peak_db / 10.0) / plane_peak(leads.slope)
    for k in range(len(leads)):
        rows, answer = _response(leads, k, along, late)
        bins[rows] += level[k] * answer
    return bins @ kernel


def pulse_kernel() -> np.ndarray:
    """Return the weights of the fine bins in the gates, shape (bins, gates): a Gaussian pulse with a peak of 1."""
    centre = (np.arange((GATES + MARGIN) * FINE) + 0.5) / FINE - MARGIN
    return np.exp(-0.5 * ((np.arange(GATES) - centre[:, None]) / PULSE_GATES) ** 2)


def plane_peak(slope: np.ndarray) -> np.ndarray:
    """Return the largest gate of a plane without end, in the units of points that count with their area, m^2.

    Between two gates lies the same area at every delay, 2 pi h GATE_M / (1 + h/R); antenna and slopes let it decay.

    Parameters
    ----------
    slope : numpy.ndarray
        Standard deviation in each direction, radians.
    """
    a = (antenna_decay() + slope_decay(slope))[..., None]
    late = np.linspace(-1.0, 8.0, 181) * PULSE_GATES
    under = 0.5 * (1.0 + erf((late - a * PULSE_GATES**2) / (np.sqrt(2.0) * PULSE_GATES)))
    peak = (under * np.exp(-a * (late - 0.5 * a * PULSE_GATES**2))).max(axis=-1)
    return peak * np.sqrt(2.0 * np.pi) * PULSE_GATES * 2.0 * np.pi * HEIGHT_M * GATE_M / CURVATURE


def _points(leads: Leads, k: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points that fill a lead, at most SPACING_M apart along it and across, m; and the area of each, m^2."""
    along, across = (max(int(np.ceil(v / SPACING_M)), 1) for v in (leads.length[k], leads.width[k]))
    u = leads.length[k] * ((np.arange(along) + 0.5) / along - 0.5)
    v = leads.width[k] * ((np.arange(across) + 0.5) / across - 0.5)
    u, v = (a.ravel() for a in np.meshgrid(u, v))
    cos, sin = np.cos(leads.direction[k]), np.sin(leads.direction[k])
    area = leads.length[k] * leads.width[k] / u.size
    return leads.along[k] + u * cos - v * sin, leads.across[k] + u * sin + v * cos, area


def _response(leads: Leads, k: int, along: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which echoes a lead reaches, and their fine bins, m^2, shape (rows, bins)."""
    # Beyond 4.3 standard deviations of the slope the answer is below 1e-4.
    reach = min(REACH_M, 4.3 * leads.slope[k] * HEIGHT_M / CURVATURE)
    x, y, area = _points(leads, k)
    near = np.abs(y) < reach
    x, y = x[near], y[near]
    count = (GATES + MARGIN) * FINE
    if len(x) == 0:
        return np.zeros(0, np.int64), np.zeros((0, count))
    rows = np.flatnonzero((along > x.min() - reach) & (along < x.max() + reach))
    distance = np.hypot(along[rows, None] - x, y)
    place = np.floor((late[rows, None] + delay_gates(distance) + MARGIN) * FINE).astype(np.int64)
    row, point = np.nonzero((distance < reach) & (place >= 0) & (place < count))
    distance = distance[row, point]
    answer = area * antenna_gain(distance) * slope_gain(distance, leads.slope[k])
    flat = np.bincount(row * count + place[row, point], weights=answer, minlength=len(rows) * count)
    return rows, flat.reshape(len(rows), count)
