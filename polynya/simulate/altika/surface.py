"""What lies along a track besides leads: roughness of the floes, bright ice that is no lead, heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from . import presets

PATCH_CLEARANCE_M = 600.0
"""A patch lies where leads are further away than this, if there is such a place."""
TRIES = 40


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Smooth bright ice without a lead, arrays of shape (n,).

    Attributes
    ----------
    power : numpy.ndarray
        Peak of its echo over that of the floes; 0 where there is none.
    slope : numpy.ndarray
        Standard deviation of the slope in each direction, radians.
    count : int
        Number of patches.
    """

    power: np.ndarray
    slope: np.ndarray
    count: int


def draw_patches(rng: np.random.Generator, true: np.ndarray, ranges: presets.Scenery, *, step_m: float) -> Patches:
    """Draw patches of smooth bright ice away from leads.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    true : numpy.ndarray, shape (n,)
        Distance of each echo to the nearest lead, m.
    ranges : Scenery
        What is drawn from.
    step_m : float
        Between two echoes.
    """
    n = len(true)
    power, slope = np.zeros(n), np.full(n, np.deg2rad(ranges.patch_slope_deg[1]))
    count = int(rng.poisson(n * step_m / 1000.0 / ranges.patch_km))
    for _ in range(count):
        size, peak = (
            int(rng.integers(ranges.patch_echoes[0], ranges.patch_echoes[1] + 1)),
            rng.uniform(*ranges.patch_db),
        )
        own = rng.uniform(*ranges.patch_slope_deg)
        starts = rng.integers(0, max(n - size, 1), TRIES)
        clear = [true[s : s + size].min() > PATCH_CLEARANCE_M for s in starts]
        start = int(starts[int(np.argmax(clear))])
        power[start : start + size] = 10.0 ** (peak / 10.0)
        slope[start : start + size] = np.deg2rad(own)
    return Patches(power=power, slope=slope, count=count)


def draw_roughness(rng: np.random.Generator, n: int, ranges: presets.Scenery, *, step_m: float) -> np.ndarray:
    """Return the standard deviation of the floes' height around each echo, m, shape (n,).

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    n : int
        Echoes.
    ranges : Scenery
        What is drawn from.
    step_m : float
        Between two echoes.
    """
    low, high = ranges.rms_height_m
    level = rng.uniform(np.log(low), np.log(high))
    return np.clip(np.exp(level + 0.3 * correlated(rng, n, ranges.sigma0_m[0], step_m=step_m)), low, high)


def correlated(rng: np.random.Generator, n: int, length_m: float, *, step_m: float = presets.STEP_M) -> np.ndarray:
    """Return a first-order autoregressive series of mean 0 and variance 1, shape (n,).

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    n : int
        Echoes.
    length_m : float
        Distance at which the correlation is 1/e.
    step_m : float
        Between two echoes.
    """
    keep = np.exp(-step_m / length_m)
    noise = rng.standard_normal(n) * np.sqrt(1.0 - keep**2)
    noise[0] /= np.sqrt(1.0 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise)


def draw_heights(
    rng: np.random.Generator, along: np.ndarray, freeboard: float, *, height_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return heights of the satellite and of the floes above the ellipsoid, m, shape (n,) each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    along : numpy.ndarray, shape (n,)
        Points of the track, m.
    freeboard : float
        Height of the floes above the sea, m.
    height_m : float
        Mean height of the satellite.
    """
    km = along / 1000.0
    slope, phase = rng.uniform(-5.0, 5.0), rng.uniform(0.0, 2.0 * np.pi, 2)
    altitude = height_m + rng.uniform(-300.0, 300.0) + slope * km
    sea = rng.uniform(-20.0, 30.0) + 0.3 * np.sin(km / 40.0 + phase[0]) + 0.05 * np.sin(km / 6.0 + phase[1])
    return altitude, sea + freeboard
