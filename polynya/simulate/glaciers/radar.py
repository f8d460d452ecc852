"""A glacier scene in two passes of a C-band radar: coherence, and backscatter with foreshortening, layover, shadow and
speckle.

Power is summed in slant range along every line of sight and mapped back to the ground, as in an image that is geocoded
with a DEM but not terrain-flattened (Small 2011, doi:10.1109/TGRS.2011.2120616). Speckle is gamma-distributed.
Coherence falls with the ice's motion and with melting snow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy.ndimage import gaussian_filter, shift

from .cover import Cover, Weather
from .light import Sun, cast_shadow, cosine
from .noise import fractal, gradient
from .presets import RADAR

INCIDENCE = 39.0
"""Degrees, middle of the IW swath."""
LOOKS_TO = {"ascending": 78.0, "descending": 282.0}
"""Look direction (azimuth) of the radar, degrees."""
NOISE_FLOOR = 10.0**-2.4
"""Noise-equivalent sigma0 of IW, linear."""


@dataclass(frozen=True, kw_only=True)
class Passes:
    """Backscatter and coherence of two passes.

    Attributes
    ----------
    co_pol, cross_pol, coherence : numpy.ndarray, float32, shape (2, rows, columns)
        Ascending, descending; sigma0 linear.
    layover : numpy.ndarray, bool, shape (rows, columns)
        Layover in one of them.
    """

    co_pol: np.ndarray
    cross_pol: np.ndarray
    coherence: np.ndarray
    layover: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Properties of the two passes.

    Attributes
    ----------
    looks, coherence_looks : float
        Equivalent numbers of looks.
    memory_m : float
        Ice speed, m per year, at which coherence over 12 days falls by a factor e.
    melt_loss : float
        Loss of coherence by surface lowering on thinly covered ice, 0 to 1.
    shift_m : tuple of float
        Misregistration to the east and the north, m.
    """

    looks: float
    coherence_looks: float
    memory_m: float
    melt_loss: float
    shift_m: tuple[float, float]


def observe(
    cover: Cover, pixel_m: float, *, weather: Weather, acquisition: Acquisition, rng: np.random.Generator
) -> Passes:
    """Return the scene in an ascending and a descending pass.

    Parameters
    ----------
    cover : Cover
        The land cover at the date.
    pixel_m : float
        Pixel size, m.
    weather : Weather
        Whether the snow is wet.
    acquisition : Acquisition
        Looks, decorrelation and misregistration.
    rng : numpy.random.Generator
        Draws offsets, texture and speckle.
    """
    looks, shift_m = acquisition.looks, acquisition.shift_m
    snow = RADAR["wet_snow"] if weather.wet else RADAR["dry_snow"]
    kinds = {
        "rock": RADAR["rock"],
        "till": RADAR["till"],
        "plants": RADAR["plants"],
        "water": RADAR["water"],
        "bare_ice": RADAR["bare_ice"],
        "debris": RADAR["debris"],
        "snow": snow,
    }
    offset = {name: rng.normal(0.0, 1.0, 2) for name in kinds}
    texture = fractal(rng, cover.surface.shape, longest=400.0 / pixel_m, beta=2.0)
    moved = np.exp(-cover.speed / acquisition.memory_m) * (
        1.0
        - acquisition.melt_loss * (cover.shares["debris"] * (0.45 + 0.55 * cover.thinness) + cover.shares["bare_ice"])
    )
    still = sum(cover.shares[n] * k.coherence for n, k in kinds.items()) * np.clip(1.0 + 0.16 * texture, 0.4, 1.2)
    rolls = (-shift_m[1] / pixel_m, shift_m[0] / pixel_m)
    co, cross, coherent = (np.empty((2, *cover.surface.shape), np.float32) for _ in range(3))
    layover = np.zeros(cover.surface.shape, bool)
    season = rng.uniform(0.55, 1.0)
    surface = gaussian_filter(cover.surface, 20.0 / pixel_m)  # the radar's own resolution
    for i, azimuth in enumerate(LOOKS_TO.values()):
        sight = Sun(elevation=90.0 - INCIDENCE, azimuth=(azimuth + 180.0) % 360.0)
        facing = cosine(surface, pixel_m, sight)
        local = np.degrees(np.arccos(np.clip(facing, 0.0, 1.0)))
        hidden = (facing <= 0.0) | (cast_shadow(surface, pixel_m, sight) > 0.0)
        east, north = gradient(surface, pixel_m)
        area = np.sqrt(1.0 + east**2 + north**2) * ~hidden
        powers = []
        for channel in range(2):
            power = np.zeros(cover.surface.shape, np.float32)
            for name, kind in kinds.items():
                level = (kind.co, kind.cross)[channel] + offset[name][channel]
                power += cover.shares[name] * 10.0 ** (
                    0.1 * (level - kind.fall * (np.clip(local, 5.0, 85.0) - INCIDENCE))
                )
            powers.append(power * area * 10.0 ** (0.1 * (0.8 * texture)))
        seen, crossed, times = _slant(
            surface.astype(np.float64), *(p.astype(np.float64) for p in powers), pixel_m, azimuth, np.radians(INCIDENCE)
        )
        folded = times > 1.6
        layover |= folded
        for out, power in ((co, seen), (cross, crossed)):
            speckle = rng.gamma(looks, 1.0 / looks, power.shape).astype(np.float32)
            out[i] = shift(
                gaussian_filter((power + NOISE_FLOOR * (1.0 if out is co else 0.5)) * speckle, 9.0 / pixel_m),
                rolls,
                order=1,
                mode="nearest",
            )
        true = np.clip(
            still * moved * season * np.where(folded | hidden, 0.45, 1.0) * np.clip(facing / 0.5, 0.5, 1.0), 0.0, 0.97
        )
        true = gaussian_filter(true, 30.0 / pixel_m)
        coherent[i] = shift(
            _estimated(true, acquisition.coherence_looks, 25.0 / pixel_m, rng), rolls, order=1, mode="nearest"
        )
    return Passes(co_pol=co, cross_pol=cross, coherence=np.clip(coherent, 0.0, 1.0), layover=layover)


def _estimated(true: np.ndarray, looks: float, width: float, rng: np.random.Generator) -> np.ndarray:
    """Return the sample coherence: noise of (1 - c^2) / sqrt(2 L) per component, which also raises low values (Touzi
    et al. 1999, doi:10.1109/36.739146)."""
    noise = [gaussian_filter(rng.standard_normal(true.shape, dtype=np.float32), max(width, 0.4)) for _ in range(2)]
    a, b = (n / n.std() * (1.0 - true**2) / np.sqrt(2.0 * looks) for n in noise)
    return np.hypot(true + a, b)


@numba.njit(cache=True)
def _slant(z, first, second, pixel, azimuth, incidence):
    """Sum two powers in slant range along lines of sight; return them at the ground, and how often each range cell is
    covered."""
    rows, columns = z.shape
    a = np.radians(azimuth)
    eastward = np.sin(a) > 0.0
    tilt = -np.cos(a) / abs(np.sin(a))  # rows per column
    step = pixel * np.sqrt(1.0 + tilt * tilt)
    sin_i, cos_i = np.sin(incidence), np.cos(incidence)
    size = step * sin_i
    low, high = z.min(), z.max()
    start = -high * cos_i - 2.0 * size
    bins = int((columns * step * sin_i + (high - low) * cos_i) / size) + 6
    one, two, times = np.zeros_like(z), np.zeros_like(z), np.zeros_like(z)
    ranges = np.zeros(columns)
    reach = int(abs(tilt) * columns) + 2
    for r0 in range(-reach, rows + reach):
        x, y, n = np.zeros(bins), np.zeros(bins), np.zeros(bins)
        begin, end = columns, -1
        for k in range(columns):
            r = r0 + int(np.round(tilt * k))
            if r < 0 or r >= rows:
                continue
            c = k if eastward else columns - 1 - k
            ranges[k] = k * step * sin_i - z[r, c] * cos_i
            begin, end = min(begin, k), max(end, k)
        if end <= begin:
            continue
        for k in range(begin, end + 1):
            r = r0 + int(np.round(tilt * k))
            c = k if eastward else columns - 1 - k
            before = ranges[k - 1] if k > begin else ranges[k] - size
            after = ranges[k + 1] if k < end else ranges[k] + size
            p, q = 0.5 * (before + ranges[k]), 0.5 * (ranges[k] + after)
            if p > q:
                p, q = q, p
            length = max(q - p, 1e-3 * size)
            i0, i1 = int((p - start) / size), int((p + length - start) / size)
            for i in range(max(i0, 0), min(i1, bins - 1) + 1):
                overlap = min(p + length, start + (i + 1) * size) - max(p, start + i * size)
                if overlap > 0.0:
                    x[i] += first[r, c] * overlap / length
                    y[i] += second[r, c] * overlap / length
                    n[i] += overlap / size
        for k in range(begin, end + 1):
            r = r0 + int(np.round(tilt * k))
            c = k if eastward else columns - 1 - k
            at = (ranges[k] - start) / size - 0.5
            i = min(max(int(at), 0), bins - 2)
            t = min(max(at - i, 0.0), 1.0)
            one[r, c] = x[i] * (1.0 - t) + x[i + 1] * t
            two[r, c] = y[i] * (1.0 - t) + y[i + 1] * t
            times[r, c] = max(n[i], n[i + 1])
    return one, two, times
