"""One simulated track in memory: echoes, gain, tracker and the truth, drawn from a seed.

:func:`draw_track` writes nothing; training data can be drawn with it directly. Simulated data trains, tests and
demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from . import echo, floes, presets, receiver, surface
from .frame import ALTIKA
from .lead_track import (
    Course,
    LeadTrack,
    Seen,
    check_ranges,
    check_seed,
    draw_course,
    draw_seen,
    with_map_distance,
)

FEWEST, MOST = 40, 8000
"""Echoes of a track: 7 to 1400 km."""
PATCH_HEIGHT_M = 0.03
"""Standard deviation of the height of smooth ice."""


@dataclass(frozen=True, kw_only=True)
class Track(LeadTrack):
    """One track of n echoes of AltiKa.

    Attributes
    ----------
    tracker, range : numpy.ndarray, shape (n,)
        Range of the nominal gate; range of half of the largest count, m.
    agc : numpy.ndarray, shape (n,)
        Attenuation, dB; floes have about 0.
    significant_wave_height : numpy.ndarray, shape (n,)
        Four times the standard deviation of the floes' height, with an error of 0.2 m.
    waveform : numpy.ndarray of uint16, shape (n, 128)
        Counts, at most 1023.
    saturated : numpy.ndarray of uint8, shape (n,)
        Gates at the largest count.
    """

    tracker: np.ndarray
    range: np.ndarray
    agc: np.ndarray
    significant_wave_height: np.ndarray
    waveform: np.ndarray
    saturated: np.ndarray


def draw_track(seed: int, *, echoes: int = 800, ranges: str = "standard") -> Track:
    """Draw one track; the same arguments give the same arrays.

    Parameters
    ----------
    seed : int
        0 or more. Everything is drawn from it.
    echoes : int
        Whole records of 1 Hz: a multiple of 40, from 40 to 8000.
    ranges : str
        ``standard``, ``stress`` or ``varied``.

    Raises
    ------
    UsageError
        If an argument is none of these.
    """
    check_arguments(seed=seed, echoes=echoes, ranges=ranges)
    chosen = presets.ranges_of(ranges, seed)
    course = draw_course(seed, echoes=echoes, ranges=ranges, chosen=chosen, orbit=ALTIKA)
    floe_db, seen = _draw_surface(np.random.default_rng([seed, 3]), course.true_distance, chosen)
    rng = np.random.default_rng([seed, 4])
    jitter = rng.normal(0.0, chosen.jitter_gates, echoes)
    power = _power(course, floe_db, seen, jitter)
    power = receiver.speckled(rng, power + seen.noise)
    agc = receiver.gains(power.max(axis=1), chosen)
    waveform = receiver.counts(power, agc, chosen.target)
    heights = np.random.default_rng([seed, 5])
    place = surface.draw_heights(heights, course.along, seen.freeboard_m, height_m=presets.HEIGHT_M)
    tracker = place[0] - place[1] - presets.GATE_M * jitter
    retracked = presets.GATE_M * (receiver.half_power_gate(waveform) - presets.NOMINAL_GATE)
    track = Track(
        **course.fields(seen, more={}),
        time=course.frame.start + (np.arange(echoes) * 25_000_000).astype("timedelta64[ns]"),
        altitude=place[0],
        tracker=tracker,
        range=tracker + retracked,
        agc=agc,
        significant_wave_height=np.maximum(4.0 * seen.rms_height + rng.normal(0.0, 0.2, echoes), 0.0),
        waveform=waveform,
        saturated=(waveform >= presets.SATURATED).sum(axis=1).astype(np.uint8),
        floe_db=floe_db,
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
    if not FEWEST <= echoes <= MOST or echoes % presets.PER_ROW:
        raise UsageError(
            f"echoes is {echoes}; expected a multiple of {presets.PER_ROW} from {FEWEST} to {MOST}: a record of 1 Hz"
            f" has {presets.PER_ROW}. Choose another."
        )
    check_ranges(ranges, presets.RANGES)


def _draw_surface(rng: np.random.Generator, true: np.ndarray, ranges: presets.Ranges) -> tuple[np.ndarray, Seen]:
    """Return backscatter of the floes, dB, shape (n,), and the rest."""
    floe_db = floes.draw(rng, len(true), ranges)
    return floe_db, draw_seen(rng, true, ranges, step_m=presets.STEP_M)


def _power(course: Course, floe_db: np.ndarray, seen: Seen, jitter: np.ndarray) -> np.ndarray:
    """Return the echoes without noise, floes having a peak of 1 on average, shape (n, gates)."""
    gate = np.arange(presets.GATES) - presets.NOMINAL_GATE - jitter[:, None]
    decay = echo.antenna_decay()
    power = 10.0 ** (floe_db / 10.0)[:, None] * echo.brown(gate, decay, seen.rms_height)
    patch = np.flatnonzero(seen.patches.power)
    if len(patch):
        steep = decay + echo.slope_decay(seen.patches.slope[patch])
        power[patch] += seen.patches.power[patch, None] * echo.brown(gate[patch], steep, PATCH_HEIGHT_M)
    return power + echo.specular(course.leads, course.along, jitter, below_m=seen.freeboard_m)
