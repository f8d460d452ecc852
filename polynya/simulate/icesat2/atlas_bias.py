"""First-photon bias of the simulated detector, and its correction table in the form of CAL-19.

Dead channels favour early photons. The table follows from the detector model of :mod:`.atlas` without random numbers; a
test compares it with counted photons. Its axes are those of the table in full ATL03 granules (ATL03 ATBD, section on
the first-photon bias): dead time, detected strength, 10-90 % width.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numba
import numpy as np

from .atlas import CHANNELS, MEAN_DEAD_TIME, PULSE_TAIL_NS, PULSE_TAIL_SHARE


def pulse_density(t: np.ndarray, sigma: float) -> np.ndarray:
    """Return the received pulse's density on an even time grid (ns), mean zero.

    Parameters
    ----------
    t : numpy.ndarray, shape (n,)
        Time, ns, evenly spaced and wide enough for the pulse.
    sigma : float
        Standard deviation of the Gaussian part, ns: instrument and surface roughness together.
    """
    spacing = t[1] - t[0]
    core = np.exp(-0.5 * (t / sigma) ** 2)
    core /= core.sum() * spacing
    lag = np.arange(0.0, 10.0 * PULSE_TAIL_NS, spacing)
    edges = np.append(lag - spacing / 2.0, lag[-1] + spacing / 2.0).clip(0.0)
    tail = np.diff(-np.exp(-edges / PULSE_TAIL_NS))
    tail /= tail.sum()
    out = (1.0 - PULSE_TAIL_SHARE) * core + PULSE_TAIL_SHARE * np.convolve(core, tail)[: t.size]
    mean = np.sum(t * out) * spacing
    return np.interp(t + mean, t, out, left=0.0, right=0.0)


def detected_density(density: np.ndarray, *, spacing: float, per_channel: float, dead_time: float) -> np.ndarray:
    """Return the density of detections per shot in one channel with a fixed dead time after each detection.

    A channel is dead at ``t`` if it detected a photon in ``(t - dead_time, t)``, at most one. Therefore ``d(t) = r f(t)
    (1 - integral of d over that interval)``, solved forward in time without random numbers.

    Parameters
    ----------
    density : numpy.ndarray, shape (n,)
        Density of arrivals, 1/ns.
    spacing : float
        Of the time grid, ns.
    per_channel : float
        Mean arrivals per shot and channel.
    dead_time : float
        Of the channel, ns.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Detections per shot, channel and nanosecond.
    """
    return _detected(np.asarray(density, np.float64), spacing, per_channel, dead_time)


@numba.njit(cache=True)
def _detected(density, spacing, per_channel, dead_time):
    n = density.size
    lag = int(dead_time / spacing + 0.5)
    total = np.zeros(n + 1)
    out = np.zeros(n)
    for i in range(n):
        dead = total[i] - total[max(i - lag, 0)]
        # Implicit in the half cell: the detections in the cell make the rest of it dead.
        arrival = per_channel * density[i]
        out[i] = arrival * (1.0 - dead) / (1.0 + 0.5 * arrival * spacing)
        total[i + 1] = total[i] + out[i] * spacing
    return out


@dataclass(frozen=True, kw_only=True)
class BiasTable:
    """A first-photon-bias table as in CAL-19.

    Attributes
    ----------
    dead_time : numpy.ndarray, shape (n_dt,)
        ns.
    strength : numpy.ndarray, shape (n_dt, n_s)
        Detected photons per shot in all channels of the beam.
    width : numpy.ndarray, shape (n_dt, n_w)
        10-90 % width of the detected photons, ns.
    correction : numpy.ndarray, shape (n_dt, n_s, n_w)
        Bias of the mean, ps, positive where the detected mean is early (high): subtract it from the height.
    """

    dead_time: np.ndarray
    strength: np.ndarray
    width: np.ndarray
    correction: np.ndarray


@functools.cache
def bias_table(*, is_strong: bool) -> BiasTable:
    """Return the table for a beam of 16 or 4 channels, computed from the detector model once per process.

    For each dead time the model runs over arrival strengths and pulse widths. The detected strength, width and shift of
    the mean are interpolated to an even table, first in strength, then in width. Beyond the widths of the model runs,
    the table repeats the nearest value.
    """
    channels = CHANNELS[is_strong]
    dead_times = MEAN_DEAD_TIME[is_strong] + np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
    strengths = (
        np.array(
            [0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0]
        )
        * channels
        / 16.0
    )
    widths = np.concatenate([np.arange(0.8, 3.0, 0.2), np.arange(3.0, 10.01, 0.5)])
    sigmas = np.concatenate([np.arange(0.25, 1.2, 0.06), np.arange(1.2, 4.6, 0.2)])
    arrivals = strengths[-1] * np.concatenate(
        [np.linspace(0.003, 1.0, 24), np.array([1.2, 1.5, 2.0, 3.0, 5.0, 9.0, 20.0])]
    )
    spacing = 0.03
    t = np.arange(-18.0, 30.0, spacing)
    table = np.empty((dead_times.size, strengths.size, widths.size))
    for i, dead_time in enumerate(dead_times):
        width_at = np.empty((sigmas.size, strengths.size))
        bias_at = np.empty_like(width_at)
        for k, sigma in enumerate(sigmas):
            density = pulse_density(t, sigma)
            moments = np.array(
                [
                    _moments(
                        t,
                        detected_density(density, spacing=spacing, per_channel=a / channels, dead_time=dead_time),
                        spacing,
                    )
                    for a in arrivals
                ]
            )
            detected = moments[:, 0] * channels
            width_at[k] = np.interp(strengths, detected, moments[:, 1])
            bias_at[k] = np.interp(strengths, detected, (_moments(t, density, spacing)[2] - moments[:, 2]) * 1000.0)
        for j in range(strengths.size):
            order = np.argsort(width_at[:, j])
            table[i, j] = np.interp(widths, width_at[order, j], bias_at[order, j])
    shape = (dead_times.size, 1)
    return BiasTable(
        dead_time=dead_times, strength=np.tile(strengths, shape), width=np.tile(widths, shape), correction=table
    )


def _moments(t: np.ndarray, detected: np.ndarray, spacing: float) -> tuple[float, float, float]:
    total = detected.sum() * spacing
    share = (np.cumsum(detected) - 0.5 * detected) * spacing / total
    low, high = np.interp([0.1, 0.9], share, t)
    return total, high - low, float(np.sum(t * detected) * spacing / total)
