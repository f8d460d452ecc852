"""Phenomena of the sea surface: pure ocean waves, biological slicks, low wind, oceanic fronts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from . import fields
from .fields import Lobe
from .pattern import Pattern
from .presets import DECIBEL, PIXEL_M, SIZE, Pair, Ranges

Limits = dict[str, Pair]


def draw_waves(rng: np.random.Generator, ranges: Ranges, *, sd: float) -> np.ndarray:
    """Return waves with a standard deviation, relative.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    ranges : Ranges
        Wavelength, spread and cut-off.
    sd : float
        After the cut-off.
    """
    peak = Lobe(
        wavelength_m=float(np.exp(rng.uniform(*np.log(ranges.peak_m)))),
        width=rng.uniform(0.12, 0.25),
        direction=rng.uniform(0.0, np.pi),
        spread=np.radians(rng.uniform(*ranges.spread_deg)),
        cutoff_m=rng.uniform(*ranges.cutoff_m),
    )
    return np.float32(sd) * fields.lobe(rng, peak)


def ocean_waves(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Pure ocean waves: swell that the radar sees clearly, over the whole image."""
    log = draw_waves(rng, ranges, sd=rng.uniform(*ranges.modulation))
    return Pattern(log=log, support=np.ones(log.shape, bool))


def slicks(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Biological slicks: dark filaments along streamlines, which meander, spiral and merge."""
    limits = ranges.others["BS"]
    count = round(float(np.exp(rng.uniform(*np.log(limits["number"])))))
    streams = fields.smooth(rng, rng.uniform(3000.0, 14_000.0))
    down, across = np.gradient(streams)
    speed = np.hypot(down, across) + 1e-6
    flow = np.stack([across / speed, -down / speed])  # along the lines of equal stream function
    place = rng.uniform(0.0, SIZE, (2, count))
    steps = rng.integers(60, 420, count)
    number = np.full((SIZE, SIZE), -1, np.int32)
    for step in range(int(steps.max())):
        inside = ((place >= 0.0) & (place < SIZE)).all(axis=0) & (step < steps)
        if not inside.any():
            break
        row, column = np.clip(place, 0, SIZE - 1).astype(np.int64)
        number[row[inside], column[inside]] = np.flatnonzero(inside)
        place = np.where(inside, place + flow[:, row, column], place)
    far, nearest = ndimage.distance_transform_edt(number < 0, return_indices=True)
    owner = number[nearest[0], nearest[1]]
    half = 0.5 * rng.uniform(*limits["width_m"], count)[owner] / PIXEL_M
    depth = DECIBEL * rng.uniform(*limits["depth_db"], count)[owner]
    half = half * np.exp(0.35 * fields.smooth(rng, 1200.0))  # filaments swell and thin out
    inside = fields.soft((half - far) / 0.7)
    log = (-depth * inside).astype(np.float32)
    return Pattern(log=log, support=inside > 0.5, damping=(1.0 - 0.6 * inside).astype(np.float32))


def low_wind(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Low wind area: a smooth dark part with an irregular edge."""
    limits = ranges.others["LWA"]
    large = fields.smooth(rng, rng.uniform(10_000.0, 22_000.0))
    shape = large + rng.uniform(0.05, 0.3) * fields.red(rng, longest_m=6000.0, slope=1.8, shortest_m=300.0)
    border = np.quantile(shape, rng.uniform(*limits["share"]))
    inside = fields.soft((border - shape) / rng.uniform(0.08, 0.5))
    depth = DECIBEL * rng.uniform(*limits["depth_db"])
    return Pattern(
        log=(-depth * inside).astype(np.float32),
        support=inside > 0.5,
        damping=(1.0 - 0.8 * inside).astype(np.float32),
    )


def front_line(rng: np.random.Generator, *, bend_m: Pair, along_m: Pair, rag_m: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance across a curved line through the image and the place along it, pixels, (400, 400) each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    bend_m, along_m : Pair
        Standard deviation of the bends and their length, m.
    rag_m : Pair
        Standard deviation of short irregularities, m.
    """
    lines, samples = fields.grid()
    angle = rng.uniform(0.0, np.pi)
    along = samples * np.cos(angle) + lines * np.sin(angle)
    across = lines * np.cos(angle) - samples * np.sin(angle) + rng.uniform(-110.0, 110.0)
    at = np.arange(-300.0, 301.0)
    wiggle = ndimage.gaussian_filter1d(rng.standard_normal(at.size + 400), rng.uniform(*along_m) / PIXEL_M / 2.5)
    wiggle = wiggle[200:-200]
    wiggle *= rng.uniform(*bend_m) / PIXEL_M / max(float(wiggle.std()), 1e-9)
    across = across - np.interp(along, at, wiggle - wiggle[300])
    ragged = fields.red(rng, longest_m=3000.0, slope=1.5) * (rng.uniform(*rag_m) / PIXEL_M)
    return across + ragged, along


def oceanic_front(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Oceanic front: a thin bright or dark line that meanders; both sides look alike."""
    limits = ranges.others["OF"]
    log = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(rng.integers(1, 3)):
        across, along = front_line(rng, bend_m=(600.0, 3000.0), along_m=(4000.0, 12_000.0), rag_m=(0.0, 60.0))
        half = 0.5 * float(np.exp(rng.uniform(*np.log(limits["width_m"])))) / PIXEL_M
        height = DECIBEL * rng.uniform(*limits["height_db"]) * rng.choice([-1.0, 1.0])
        ends = fields.soft((along + rng.uniform(60.0, 260.0)) / 20.0) * fields.soft(
            (rng.uniform(60.0, 260.0) - along) / 20.0
        )
        log += (height * np.exp(-((across / max(half, 0.8)) ** 2)) * ends).astype(np.float32)
    return Pattern(log=log, support=np.abs(log) > 0.4 * np.abs(log).max())
