"""One simulated track of CryoSat-2's SAR mode in memory: echoes, stacks and the truth, drawn from a seed.

:func:`draw_track` writes nothing. Simulated data trains, tests and demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.constants import speed_of_light

from ...errors import UsageError
from ..altika import surface
from ..altika.floes import correlated_field
from ..altika.lead_track import (
    LeadTrack,
    Seen,
    check_ranges,
    check_seed,
    draw_course,
    draw_seen,
    with_map_distance,
)
from ..altika.leads import Leads
from . import echo, presets, stack

PATCH_HEIGHT_M = 0.03
"""Standard deviation of the height of smooth ice, and of water in leads."""
SMOOTHING = np.array([0.25, 0.5, 0.25])
"""Padding by two makes the speckle of neighbouring gates alike: their correlation is 0.67, in the real file 0.6."""
SAMPLE_GATES = 1.5 * presets.PULSE_GATES
"""Gates of an independent sample: sum(w)^2 / sum(w^2) of the pulse sinc^2."""


@dataclass(frozen=True, kw_only=True)
class Track(LeadTrack):
    """One track of n echoes of CryoSat-2 in SAR mode.

    Attributes
    ----------
    waveform : numpy.ndarray of uint16, shape (n, 256)
        Counts, the largest of each echo 65535.
    scale : numpy.ndarray, shape (n,)
        Watts of a count.
    window_delay : numpy.ndarray, shape (n,)
        Two-way time to the middle of the window, seconds.
    stack : Stacks
        The product's numbers of the stacks.
    """

    waveform: np.ndarray
    scale: np.ndarray
    window_delay: np.ndarray
    stack: stack.Stacks


@dataclass(frozen=True, kw_only=True)
class _Surface(Seen):
    """What the track looks at besides leads, with backscatter and slope of the floes."""

    backscatter: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Power:
    """Echoes and stacks without speckle, floes having an echo with a peak of 1 on average."""

    echo: np.ndarray
    stack: np.ndarray


def draw_track(seed: int, *, echoes: int = 800, ranges: str = "standard") -> Track:
    """Draw one track; the same arguments give the same arrays.

    Parameters
    ----------
    seed : int
        0 or more. Everything is drawn from it.
    echoes : int
        From 40 to 8000.
    ranges : str
        ``standard``, ``stress`` or ``varied``.

    Raises
    ------
    UsageError
        If an argument is none of these.
    """
    check_arguments(seed=seed, echoes=echoes, ranges=ranges)
    chosen = presets.ranges_of(ranges, seed)
    course = draw_course(seed, echoes=echoes, ranges=ranges, chosen=chosen, orbit=presets.ORBIT)
    seen = _draw_surface(np.random.default_rng([seed, 3]), course.true_distance, chosen)
    rng = np.random.default_rng([seed, 4])
    jitter = rng.normal(0.0, chosen.jitter_gates, echoes)
    power = _power(course.leads, seen, jitter)
    waveform, scale = counts(_speckled(rng, power.echo + seen.noise) * presets.FLOE_W)
    heights = np.random.default_rng([seed, 5])
    altitude, height = surface.draw_heights(heights, course.along, seen.freeboard_m, height_m=presets.HEIGHT_M)
    to_middle = presets.GATE_M * (presets.GATES // 2 - presets.NOMINAL_GATE - jitter)
    slope = round(float(np.rad2deg(np.median(seen.slope))), 3)
    track = Track(
        **course.fields(seen, more={"floe_slope_deg": slope}),
        time=course.frame.start + np.round(np.arange(echoes) * (1e9 * presets.STEP_S)).astype("timedelta64[ns]"),
        altitude=altitude,
        floe_db=10.0 * np.log10(seen.backscatter[:, seen.backscatter.shape[1] // 2]),
        waveform=waveform,
        scale=scale,
        window_delay=(altitude - height + to_middle) * (2.0 / speed_of_light),
        stack=_stacks(np.random.default_rng([seed, 9]), power, seen.noise),
    )
    return with_map_distance(track, course.along)


def check_arguments(*, seed: int, echoes: int, ranges: str) -> None:
    """Raise unless a track can be drawn so.

    Parameters
    ----------
    seed, echoes, ranges
        As of :func:`draw_track`.

    Raises
    ------
    UsageError
        If one of them is not what is expected.
    """
    check_seed(seed)
    if not presets.FEWEST <= echoes <= presets.MOST:
        raise UsageError(f"echoes is {echoes}; expected {presets.FEWEST} to {presets.MOST}. Choose another.")
    check_ranges(ranges, presets.RANGES)


def counts(watts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return echoes as counts whose largest is 65535, uint16, and the watts of a count, shape (n,).

    Parameters
    ----------
    watts : numpy.ndarray, shape (n, gates)
        With a gate above zero in every echo.
    """
    scale = watts.max(axis=1) / presets.LARGEST_COUNT
    return np.round(watts / scale[:, None]).astype(np.uint16), scale


def _draw_surface(rng: np.random.Generator, true: np.ndarray, ranges: presets.Ranges) -> _Surface:
    n, step = len(true), presets.STEP_M
    half = int(np.ceil(presets.REACH_M / step)) + 1
    field = np.zeros((n, 2 * half + 1))
    for sd, length in zip(ranges.sigma0_sd, ranges.sigma0_m, strict=True):
        field += sd * correlated_field(rng, field.shape, length, step_m=step)
    low, high = np.log(ranges.floe_slope_deg)
    slope = rng.uniform(low, high) + 0.3 * surface.correlated(rng, n, ranges.sigma0_m[0], step_m=step)
    seen = draw_seen(rng, true, ranges, step_m=step)
    return _Surface(**vars(seen), backscatter=10.0 ** (field / 10.0), slope=np.deg2rad(np.exp(slope)))


def _power(leads: Leads, seen: _Surface, jitter: np.ndarray) -> _Power:
    gate, below = presets.NOMINAL_GATE + jitter, seen.freeboard_m / presets.GATE_M
    level = 1.0 / echo.plane_peak(seen.slope)[:, None]
    bins = level * echo.strips(seen.slope, seen.backscatter)
    found = echo.echoes(bins, gate, slope=seen.slope, rms_height_m=seen.rms_height)
    stacks = bins.sum(axis=1)[:, None] * stack.shapes(seen.slope)
    patch = np.flatnonzero(seen.patches.power)
    if len(patch):
        slope = seen.patches.slope[patch]
        bins = (seen.patches.power[patch] / echo.plane_peak(slope))[:, None] * echo.strips(slope)
        found[patch] += echo.echoes(bins, gate[patch], slope=slope, rms_height_m=PATCH_HEIGHT_M)
        stacks[patch] += bins.sum(axis=1)[:, None] * stack.shapes(slope)
    mirrored, total = echo.specular(leads, gate + below, rms_height_m=PATCH_HEIGHT_M)
    return _Power(echo=found + mirrored, stack=stacks + total @ stack.shapes(leads.slope))


def _speckled(rng: np.random.Generator, power: np.ndarray) -> np.ndarray:
    """Return echoes with speckle that neighbouring gates share."""
    shape = presets.EFFECTIVE_LOOKS * float(np.sum(SMOOTHING**2))
    wide = rng.standard_gamma(shape, (len(power), power.shape[1] + 2)) / shape
    first, middle, last = SMOOTHING
    return power * (first * wide[:, :-2] + middle * wide[:, 1:-1] + last * wide[:, 2:])


def _stacks(rng: np.random.Generator, power: _Power, noise: float) -> stack.Stacks:
    """Return the numbers of the stacks with speckle and thermal noise, the mean of which is taken off."""
    # Bins hold areas and the pulse has a peak of 1, so an echo sums to PULSE_GATES times its bins
    floor = noise * presets.GATES / presets.PULSE_GATES
    samples = power.echo.sum(axis=1) ** 2 / (power.echo**2).sum(axis=1) / SAMPLE_GATES
    noisy = stack.speckled(rng, power.stack, samples)
    noisy += floor * (rng.standard_gamma(presets.GATES / 2.0, noisy.shape) / (presets.GATES / 2.0) - 1.0)
    return stack.statistics(np.maximum(noisy, 0.0))
