"""Ice on a bed: a shallow-ice model with an elevation-dependent mass balance, grown to a given size, then in retreat.

Thickness follows dH/dt = b - div q with q = -Gamma H^(n+2) |grad s|^(n-1) grad s, n = 3 (Hutter 1983; Cuffey and
Paterson 2010, ch. 8), the flux taken from the upstream thickness so that ice-free ground gives none (Jarosch, Schoof
and Anslow 2013, doi:10.5194/tc-7-229-2013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.ndimage import gaussian_filter

from .noise import gradient, resize, smoothstep

RATE_FACTOR = 2.4e-24
"""Glen's A of temperate ice, Pa^-3 s^-1 (Cuffey and Paterson 2010, table 3.4)."""
SEARCH_STEPS = 10
"""Corrections of the equilibrium line."""
YEAR = 3.156e7
GAMMA = 2.0 * RATE_FACTOR * (910.0 * 9.81) ** 3 / 5.0 * YEAR
"""Deformation alone, m^-3 a^-1; an enhancement factor adds sliding."""
STEP = 0.016
"""Years per step on cells of 100 m; the diffusivity is limited for stability."""


@dataclass(frozen=True, kw_only=True)
class Climate:
    """A mass balance linear in height, limited at both ends.

    Attributes
    ----------
    ela_m : float
        Equilibrium line altitude, m, on the bed's own level.
    melt_gradient, snow_gradient : float
        Metres of ice per year and metre of height, below and above the line.
    max_accumulation, max_melt : float
        Limits, m of ice per year; ``max_melt`` is low where debris protects the tongues.
    """

    ela_m: float
    melt_gradient: float
    snow_gradient: float
    max_accumulation: float
    max_melt: float


@dataclass(frozen=True, kw_only=True)
class Ice:
    """Ice at one time, on the model's cells.

    Attributes
    ----------
    thickness : numpy.ndarray, float64, shape (rows, columns)
        Metres.
    speed : numpy.ndarray, float64
        Of the surface, m per year.
    """

    thickness: np.ndarray
    speed: np.ndarray


def grow_to_share(
    bed: np.ndarray,
    cell_m: float,
    *,
    climate: Climate,
    share: float,
    inner: tuple[slice, slice],
    enhancement: float,
    settle_years: float = 20.0,
) -> tuple[Ice, Climate]:
    """Grow ice from nothing and move the equilibrium line until it covers the given share of the ground.

    The ice is decades from equilibrium, like real glaciers.

    Parameters
    ----------
    bed : numpy.ndarray, shape (rows, columns)
        Height, m.
    cell_m : float
        Cell size, m.
    climate : Climate
        Its equilibrium line is the first guess.
    share : float
        Share of the inner ground under more than 8 m of ice.
    inner : tuple of slice
        Cells that are counted.
    enhancement : float
        Factor on the deformation of ice, for sliding and soft ice.
    settle_years : float
        Years on the full grid, after the search on a grid of half the resolution.

    Returns
    -------
    ice : Ice
    climate : Climate
        With the resulting equilibrium line.
    """
    coarse = tuple(int(np.ceil(n / 2)) for n in bed.shape)
    ground = resize(bed, coarse).astype(np.float64)
    size = cell_m * bed.shape[0] / coarse[0]
    half = tuple(slice(s.start // 2, s.stop // 2) for s in inner)
    low, high = float(ground.min()), float(ground.max())
    heights = ground[half]
    line = float(np.quantile(heights, np.clip(1.0 - 0.5 * share, 0.02, 0.995)))
    thickness = np.zeros(coarse)
    best = (np.inf, thickness, climate)
    pace, before = 0.5 * (high - low), 0.0
    for turn in range(SEARCH_STEPS):
        climate = replace(climate, ela_m=line)
        thickness = _grow(thickness, ground, size, climate, 120.0 if turn == 0 else 60.0, enhancement)
        miss = float(np.mean(thickness[half] > 8.0)) - share
        if abs(miss) < best[0]:
            best = (abs(miss), thickness, climate)
        pace *= 0.6 if miss * before < 0.0 else 1.0
        before = miss
        line += float(np.clip(miss * pace, -0.07 * (high - low), 0.07 * (high - low)))
    _, thickness, climate = best
    thickness = np.maximum(resize(thickness, bed.shape).astype(np.float64), 0.0)
    return (
        evolve(
            Ice(thickness=thickness, speed=thickness),
            bed,
            cell_m,
            climate=climate,
            years=settle_years,
            enhancement=enhancement,
        ),
        climate,
    )


def evolve(ice: Ice, bed: np.ndarray, cell_m: float, *, climate: Climate, years: float, enhancement: float) -> Ice:
    """Return the ice some years later under a climate."""
    thickness = _grow(ice.thickness, bed.astype(np.float64), cell_m, climate, years, enhancement)
    surface = bed + thickness
    east, north = gradient(gaussian_filter(surface, 0.7), cell_m)
    slope2 = (east**2 + north**2).astype(np.float64)
    h = gaussian_filter(thickness, 0.7)
    # Surface speed of deformation is (n + 2) / (n + 1) of the depth mean q / H.
    speed = np.minimum(1.25 * enhancement * GAMMA * h**4 * slope2 * np.sqrt(slope2), 800.0)
    return Ice(thickness=thickness, speed=np.where(thickness > 1.0, speed, 0.0))


def shelter(bed: np.ndarray, cell_m: float) -> np.ndarray:
    """Return the share of snow that stays, 0 to 2: none on steep faces and crests, more than the snowfall below them,
    where avalanches end."""
    east, north = gradient(bed, cell_m)
    slope = np.degrees(np.arctan(np.hypot(east, north)))
    above = bed - gaussian_filter(bed, 450.0 / cell_m)
    keeps = (1.0 - smoothstep(slope, 28.0, 45.0)) * (1.0 - smoothstep(above, 15.0, 90.0))
    return (keeps * (1.0 + smoothstep(-above, 15.0, 130.0))).astype(np.float64)


def balance(surface: np.ndarray, holds: np.ndarray, climate: Climate) -> np.ndarray:
    """Return the mass balance, m of ice per year; ``holds`` is :func:`shelter` of the bed."""
    d = surface - climate.ela_m
    b = np.where(
        d > 0.0,
        np.minimum(d * climate.snow_gradient, climate.max_accumulation),
        np.maximum(d * climate.melt_gradient, -climate.max_melt),
    )
    return np.where(b > 0.0, b * holds - 0.6 * np.maximum(1.0 - holds, 0.0), b)


def _grow(thickness, bed, cell_m, climate, years, enhancement):
    step = STEP * (cell_m / 100.0) ** 2
    most = 0.08 * cell_m**2 / step
    holds = shelter(bed, cell_m)
    steps = int(np.ceil(years / step))
    out = thickness.astype(np.float64)
    every = max(int(2.0 / step), 1)
    done = 0
    while done < steps:
        now = min(every, steps - done)
        b = balance(bed + out, holds, climate)
        out = _advance(out, bed, b, cell_m, step, now, enhancement * GAMMA, most)
        done += now
    return out


@numba.njit(cache=True, fastmath=True)
def _advance(thickness, bed, b, size, step, steps, gamma, most):
    rows, columns = bed.shape
    h = thickness.copy()
    s = bed + h
    qx = np.zeros((rows, columns + 1))
    qy = np.zeros((rows + 1, columns))
    inverse = 1.0 / size
    for _ in range(steps):
        for r in range(rows):
            up, down = max(r - 1, 0), min(r + 1, rows - 1)
            for c in range(1, columns):
                dx = (s[r, c] - s[r, c - 1]) * inverse
                above = h[r, c] if dx > 0.0 else h[r, c - 1]
                if above <= 0.0:
                    qx[r, c] = 0.0
                    continue
                dy = 0.25 * (s[down, c] + s[down, c - 1] - s[up, c] - s[up, c - 1]) * inverse
                mean = min(above, 0.5 * (h[r, c] + h[r, c - 1]) + 20.0)
                h2 = mean * mean
                d = min(gamma * h2 * h2 * above * (dx * dx + dy * dy), most)
                qx[r, c] = -d * dx
        for r in range(1, rows):
            for c in range(columns):
                left, right = max(c - 1, 0), min(c + 1, columns - 1)
                dy = (s[r, c] - s[r - 1, c]) * inverse
                above = h[r, c] if dy > 0.0 else h[r - 1, c]
                if above <= 0.0:
                    qy[r, c] = 0.0
                    continue
                dx = 0.25 * (s[r, right] + s[r - 1, right] - s[r, left] - s[r - 1, left]) * inverse
                mean = min(above, 0.5 * (h[r, c] + h[r - 1, c]) + 20.0)
                h2 = mean * mean
                d = min(gamma * h2 * h2 * above * (dx * dx + dy * dy), most)
                qy[r, c] = -d * dy
        for r in range(rows):
            for c in range(columns):
                out = max(
                    h[r, c] + step * (b[r, c] - (qx[r, c + 1] - qx[r, c] + qy[r + 1, c] - qy[r, c]) * inverse), 0.0
                )
                h[r, c] = out
                s[r, c] = bed[r, c] + out
    return h
