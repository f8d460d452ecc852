"""Echoes of SAR mode without noise: what a strip across the track sends back, gate by gate.

After the migration of range is corrected, all looks of a stack see the same strip of about 300 m along the track. Power
from the distance y across it arrives later than nadir by y^2 (1 + h/R) / (2 h) (Raney 1998, doi:10.1109/36.718861;
Wingham et al. 2006, doi:10.1016/j.asr.2005.07.027). The strip has soft edges; side lobes of the Doppler beam, which
let a bright lead ahead leak into an echo, are left out.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..altika.leads import Leads
from . import presets, stack
from .presets import CURVATURE

FINE = 4
"""Bins in a gate where power is added up."""
PAD = 64
"""Gates after the window, so that nothing comes round from its end to its beginning."""
SPACING_M = 25.0
"""Between the points that a lead is made of."""
STRIP_M = presets.STRIP_LENGTH_M * np.sqrt(np.pi / (4.0 * np.log(2.0)))
"""Length of a strip with sharp edges and the same power."""
BLOCK = 500
"""Echoes that are worked on at once."""


def delay_gates(across_m: np.ndarray | float) -> np.ndarray:
    """Return how much later than nadir a point of the same height answers, gates: y^2 (1 + h/R) / (2 h)."""
    return np.asarray(across_m) ** 2 * (CURVATURE / (2.0 * presets.HEIGHT_M * presets.GATE_M))


def across_of(delay: np.ndarray | float) -> np.ndarray:
    """Return the distance across the track that answers later by some gates, m: the inverse of :func:`delay_gates`."""
    return np.sqrt(np.asarray(delay) * (2.0 * presets.HEIGHT_M * presets.GATE_M / CURVATURE))


def antenna_gain(across_m: np.ndarray | float) -> np.ndarray:
    """Return the two-way gain of the antenna across the track, 1 at nadir: exp(-8 ln 2 (y/h)^2 / beamwidth^2)."""
    angle = np.asarray(across_m) / presets.HEIGHT_M
    return np.exp(-8.0 * np.log(2.0) * (angle / np.deg2rad(presets.BEAM_ACROSS_DEG)) ** 2)


def slope_gain(across_m: np.ndarray | float, slope: np.ndarray | float) -> np.ndarray:
    """Return the share of a Gaussian surface's facets that mirror back, 1 at nadir: exp(-a^2 / (2 slope^2)).

    Parameters
    ----------
    across_m : numpy.ndarray or float
        From nadir on the ground; a is the angle to the local vertical there, y (1 + h/R) / h.
    slope : numpy.ndarray or float
        Standard deviation of the slope in each direction, radians.
    """
    angle = np.asarray(across_m) * (CURVATURE / presets.HEIGHT_M)
    return np.exp(-0.5 * (angle / slope) ** 2)


def strip_gain(along_m: np.ndarray | float) -> np.ndarray:
    """Return the two-way gain of a Doppler beam along the track, 1 in its middle, 1/2 at 150 m from it."""
    return np.exp(-4.0 * np.log(2.0) * (np.asarray(along_m) / presets.STRIP_LENGTH_M) ** 2)


def ring_edges() -> np.ndarray:
    """Return distances across the track between which a fine bin of delay lies, m, shape (bins + 1,)."""
    bins = int(np.ceil(delay_gates(presets.REACH_M))) * FINE
    return across_of(np.arange(bins + 1) / FINE)


def strips(slope: np.ndarray, backscatter: np.ndarray | None = None) -> np.ndarray:
    """Return the power of strips over the delay, in fine bins, m^2, shape (n, bins).

    Parameters
    ----------
    slope : numpy.ndarray, shape (n,)
        Standard deviation of the facets' slopes, radians.
    backscatter : numpy.ndarray, shape (n, cells), optional
        Relative to the mean, on cells of a step across the track, the middle one at nadir; 1 if left out.
    """
    edges = ring_edges()
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    found = slope_gain(middle, np.asarray(slope)[:, None]) * (antenna_gain(middle) * width * STRIP_M)
    if backscatter is None:
        return 2.0 * found
    half = (backscatter.shape[1] - 1) // 2
    # Linear between the centres of cells, the same on both sides
    place = np.minimum(middle / presets.STEP_M, half - 1e-9)
    cell, part = place.astype(np.int64), place - np.floor(place)
    both = sum(
        backscatter[:, half + sign * cell] * (1.0 - part) + backscatter[:, half + sign * (cell + 1)] * part
        for sign in (-1, 1)
    )
    return found * both


def echoes(
    bins: np.ndarray, gate: np.ndarray, *, slope: np.ndarray | float, rms_height_m: np.ndarray | float
) -> np.ndarray:
    """Return echoes on the gates: bins of delay under the pulse, the surface's heights, and the blur of the looks.

    A look at the angle a sees the near edge of the strip before the far one: x along the strip is x a nearer. So looks
    far from nadir are blurred by the standard deviation of the strip times a, and what only few looks see is sharp.

    Parameters
    ----------
    bins : numpy.ndarray, shape (n, bins)
        Power in fine bins of delay after nadir.
    gate : numpy.ndarray, shape (n,)
        Gate of the surface at nadir.
    slope : numpy.ndarray, shape (n,), or float
        Standard deviation of the facets' slopes, radians: decides how many looks see the surface.
    rms_height_m : numpy.ndarray, shape (n,), or float
        Standard deviation of the surface's height.

    Returns
    -------
    numpy.ndarray, shape (n, gates)
        The pulse has a peak of 1 where nothing widens it.
    """
    count = (presets.GATES + PAD) * FINE
    slope, rms = (np.broadcast_to(np.asarray(v, np.float64), len(bins)) for v in (slope, rms_height_m))
    width = rms[:, None] * (FINE / presets.GATE_M)
    frequency = 2.0 * np.pi * np.fft.rfftfreq(count)
    blur = np.exp(-0.5 * (blur_gates()[:, None] * FINE * frequency) ** 2) / presets.LOOKS
    # Of sinc(g / PULSE_GATES)^2, which has the area PULSE_GATES: a triangle
    pulse = np.maximum(1.0 - frequency * (FINE * presets.PULSE_GATES / (2.0 * np.pi)), 0.0)
    pulse *= FINE * presets.PULSE_GATES
    late = (np.asarray(gate)[:, None] * FINE + 0.5) % count
    out = np.empty((len(bins), presets.GATES))
    for first in range(0, len(bins), BLOCK):
        rows = slice(first, first + BLOCK)
        # What would arrive after the padding does not come round
        cut = np.where(np.arange(bins.shape[1]) + late[rows] < count - 0.5 * PAD * FINE, bins[rows], 0.0)
        spectrum = np.fft.rfft(cut, count, axis=1) * (stack.shapes(slope[rows]) @ blur)
        spectrum *= pulse * np.exp(-0.5 * (width[rows] * frequency) ** 2 - 1j * frequency * late[rows])
        out[rows] = np.fft.irfft(spectrum, count, axis=1)[:, : presets.GATES * FINE : FINE]
    return np.maximum(out, 0.0)


def blur_gates() -> np.ndarray:
    """Return by how much each look blurs the strip, standard deviation in gates, shape (LOOKS,)."""
    sd = presets.STRIP_LENGTH_M / np.sqrt(8.0 * np.log(2.0))
    angle = np.abs(stack.look_number()) * (presets.LOOK_M * CURVATURE / presets.HEIGHT_M)
    return sd * angle / presets.GATE_M


def plane_peak(slope: np.ndarray) -> np.ndarray:
    """Return the largest gate of a flat plane without end, m^2, shape (n,).

    Parameters
    ----------
    slope : numpy.ndarray, shape (n,)
        Standard deviation in each direction, radians; 0.001 to 10 degrees.
    """
    known, peak = _peaks()
    return np.exp(np.interp(np.log(slope), known, peak))


@cache
def _peaks() -> tuple[np.ndarray, np.ndarray]:
    """Return logarithms of slopes and of the largest gates of their planes."""
    slope = np.deg2rad(np.geomspace(0.001, 10.0, 161))
    bins = strips(slope)
    parts = [
        echoes(bins, np.full(len(slope), presets.NOMINAL_GATE + part), slope=slope, rms_height_m=0.0).max(axis=1)
        for part in (0.0, 0.25, 0.5, 0.75)
    ]
    return np.log(slope), np.log(np.max(parts, axis=0))


def specular(leads: Leads, gate: np.ndarray, *, rms_height_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the echoes of the leads, floes having a peak of 1.

    A lead answers where it lies in the strip, with antenna gain, slopes, and the delay of that place. One that is wider
    than the zone that mirrors back has its largest gate at ``peak_db``; a narrow one is weaker.

    Parameters
    ----------
    leads : Leads
        Of the track.
    gate : numpy.ndarray, shape (n,)
        Where a lead at nadir answers; echoes are a step apart from 0.
    rms_height_m : float
        Standard deviation of the leads' height.

    Returns
    -------
    echoes : numpy.ndarray, shape (n, gates)
    total : numpy.ndarray, shape (n, leads)
        Power of each lead in the strips, in the units of :func:`strips`.
    """
    count, rows = len(ring_edges()) - 1, len(gate)
    found, total = np.zeros((rows, presets.GATES)), np.zeros((rows, len(leads)))
    level = 10.0 ** (leads.peak_db / 10.0) / plane_peak(leads.slope)
    for k in range(len(leads)):
        x, y, area = points(leads, k)
        place = np.floor(delay_gates(y) * FINE).astype(np.int64)
        near = (place < count) & (np.abs(y) < 4.3 * leads.slope[k] * presets.HEIGHT_M / CURVATURE)
        near &= (x > -presets.STEP_M) & (x < presets.STEP_M * rows)
        x, y, place = x[near], y[near], place[near]
        if len(x) == 0:
            continue
        gain = level[k] * area * antenna_gain(y) * slope_gain(y, leads.slope[k])
        nearest = np.rint(x / presets.STEP_M).astype(np.int64)
        first, some = int(nearest.min()) - 1, int(np.ptp(nearest)) + 3
        bins = np.zeros(some * count)
        for row in (nearest - 1, nearest, nearest + 1):
            answer = gain * strip_gain(x - presets.STEP_M * row)
            bins += np.bincount((row - first) * count + place, weights=answer, minlength=len(bins))
        inside = np.arange(max(first, 0), min(first + some, rows))
        own = bins.reshape(some, count)[inside - first]
        found[inside] += echoes(own, gate[inside], slope=leads.slope[k], rms_height_m=rms_height_m)
        total[inside, k] = own.sum(axis=1)
    return found, total


def points(leads: Leads, k: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points along and across the track that fill a lead, at most 25 m apart, m; and the area of each, m^2."""
    along, across = (max(int(np.ceil(v / SPACING_M)), 1) for v in (leads.length[k], leads.width[k]))
    u = leads.length[k] * ((np.arange(along) + 0.5) / along - 0.5)
    v = leads.width[k] * ((np.arange(across) + 0.5) / across - 0.5)
    u, v = (a.ravel() for a in np.meshgrid(u, v))
    cos, sin = np.cos(leads.direction[k]), np.sin(leads.direction[k])
    area = leads.length[k] * leads.width[k] / u.size
    return leads.along[k] + u * cos - v * sin, leads.across[k] + u * sin + v * cos, area
