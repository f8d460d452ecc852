"""The receiver: speckle, thermal noise, the loop of the gain control, counts of 10 bits, and a simple retracker."""

from __future__ import annotations

import numpy as np

from . import presets


def speckled(rng: np.random.Generator, power: np.ndarray) -> np.ndarray:
    """Return power times gamma noise of the looks of an echo: mean 1, variance 1/96.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    power : numpy.ndarray, shape (n, gates)
        Without noise.
    """
    return power * (rng.standard_gamma(presets.LOOKS, power.shape) / presets.LOOKS)


def gains(peak: np.ndarray, ranges: presets.Ranges) -> np.ndarray:
    """Return the attenuation of each echo, whole dB, shape (n,).

    The loop adds ``loop_gain`` times the error in dB, which it knows ``lag`` echoes later. It measures the error on the
    counts: where these are clipped, it sees too small an error and follows more slowly.

    Parameters
    ----------
    peak : numpy.ndarray, shape (n,)
        Largest power of the echoes; 1 gives the target without attenuation.
    ranges : Ranges
        With the loop's settings.
    """
    level, most = 10.0 * np.log10(peak), 10.0 * np.log10(presets.SATURATED / ranges.target)
    found, error = np.empty(len(level)), np.empty(len(level))
    state = float(level[0])
    for i, own in enumerate(level):
        state += ranges.loop_gain * error[i - ranges.lag] if i >= ranges.lag else 0.0
        found[i] = np.floor(state + 0.5)
        error[i] = min(own - found[i], most)
    return found


def counts(power: np.ndarray, attenuation: np.ndarray, target: float) -> np.ndarray:
    """Return counts of 10 bits, uint16, shape (n, gates).

    Parameters
    ----------
    power : numpy.ndarray, shape (n, gates)
        1 is ``target`` counts without attenuation.
    attenuation : numpy.ndarray, shape (n,)
        dB.
    target : float
        Counts.
    """
    scaled = power * (target * 10.0 ** (-attenuation / 10.0))[:, None]
    return np.minimum(np.round(scaled), presets.SATURATED).astype(np.uint16)


def half_power_gate(waveform: np.ndarray) -> np.ndarray:
    """Return where an echo first reaches half of its largest count, gates, shape (n,): a threshold retracker.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Counts; linear between the gates.
    """
    found = waveform.astype(np.float64)
    half = 0.5 * found.max(axis=1)
    gate = np.argmax(found >= half[:, None], axis=1)
    rows, before = np.arange(len(found)), np.maximum(gate - 1, 0)
    rise = found[rows, gate] - found[rows, before]
    part = np.divide(found[rows, gate] - half, rise, out=np.zeros(len(found)), where=rise > 0)
    return gate - part
