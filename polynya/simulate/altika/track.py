"""One simulated track in memory: echoes, gain, tracker and the truth, drawn from a seed.

:func:`draw_track` writes nothing; training data can be drawn with it directly. Simulated data trains, tests and
demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UsageError
from . import echo, floes, presets, receiver, surface
from .frame import Frame, draw_frame
from .lead_track import LeadTrack, draw_drift, draw_hours
from .leads import Leads, crossed, draw_leads, nearest

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
    frame = draw_frame(np.random.default_rng([seed, 1]), echoes)
    along = presets.STEP_M * np.arange(echoes)
    leads = draw_leads(np.random.default_rng([seed, 2]), float(along[-1]), chosen)
    true, number = nearest(leads, along)
    seen = _draw_surface(np.random.default_rng([seed, 3]), true, chosen)
    rng = np.random.default_rng([seed, 4])
    jitter = rng.normal(0.0, chosen.jitter_gates, echoes)
    power = _power(leads, along, seen, jitter)
    power = receiver.speckled(rng, power + seen.noise)
    agc = receiver.gains(power.max(axis=1), chosen)
    waveform = receiver.counts(power, agc, chosen.target)
    heights = np.random.default_rng([seed, 5])
    place = surface.draw_heights(heights, along, seen.freeboard_m, height_m=presets.HEIGHT_M)
    tracker = place[0] - place[1] - presets.GATE_M * jitter
    retracked = presets.GATE_M * (receiver.half_power_gate(waveform) - presets.NOMINAL_GATE)
    latitude, longitude = frame.positions(along)
    drift = draw_drift(seed, chosen)
    track = Track(
        frame=frame,
        time=frame.start + (np.arange(echoes) * 25_000_000).astype("timedelta64[ns]"),
        latitude=latitude,
        longitude=longitude,
        altitude=place[0],
        tracker=tracker,
        range=tracker + retracked,
        agc=agc,
        significant_wave_height=np.maximum(4.0 * seen.rms_height + rng.normal(0.0, 0.2, echoes), 0.0),
        waveform=waveform,
        leads=leads,
        true_distance=true,
        map_distance=true,
        nearest=number,
        crossed=crossed(leads, along),
        is_patch=seen.patches.power > 0,
        saturated=(waveform >= presets.SATURATED).sum(axis=1).astype(np.uint8),
        floe_db=seen.floe_db,
        rms_height=seen.rms_height,
        drift=drift,
        about=_about(seed, ranges, frame, leads, seen, drift, chosen),
    )
    return replace(track, map_distance=nearest(track.map_leads, along)[0])


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
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more. Choose another.")
    if not FEWEST <= echoes <= MOST or echoes % presets.PER_ROW:
        raise UsageError(
            f"echoes is {echoes}; expected a multiple of {presets.PER_ROW} from {FEWEST} to {MOST}: a record of 1 Hz"
            f" has {presets.PER_ROW}. Choose another."
        )
    if ranges not in presets.RANGES:
        raise UsageError(f"ranges is {ranges!r}; expected {', '.join(presets.RANGES)}. Choose one of them.")


@dataclass(frozen=True, kw_only=True)
class _Surface:
    """What the track looks at besides leads; per echo, or one number."""

    floe_db: np.ndarray
    rms_height: np.ndarray
    patches: surface.Patches
    freeboard_m: float
    noise: float


def _draw_surface(rng: np.random.Generator, true: np.ndarray, ranges: presets.Ranges) -> _Surface:
    n, step = len(true), presets.STEP_M
    return _Surface(
        floe_db=floes.draw(rng, n, ranges),
        rms_height=surface.draw_roughness(rng, n, ranges, step_m=step),
        patches=surface.draw_patches(rng, true, ranges, step_m=step),
        freeboard_m=float(rng.uniform(*ranges.freeboard_m)),
        noise=float(10.0 ** (rng.uniform(*ranges.noise_db) / 10.0)),
    )


def _power(leads: Leads, along: np.ndarray, seen: _Surface, jitter: np.ndarray) -> np.ndarray:
    """Return the echoes without noise, floes having a peak of 1 on average, shape (n, gates)."""
    gate = np.arange(presets.GATES) - presets.NOMINAL_GATE - jitter[:, None]
    decay = echo.antenna_decay()
    power = 10.0 ** (seen.floe_db / 10.0)[:, None] * echo.brown(gate, decay, seen.rms_height)
    patch = np.flatnonzero(seen.patches.power)
    if len(patch):
        steep = decay + echo.slope_decay(seen.patches.slope[patch])
        power[patch] += seen.patches.power[patch, None] * echo.brown(gate[patch], steep, PATCH_HEIGHT_M)
    return power + echo.specular(leads, along, jitter, below_m=seen.freeboard_m)


def _about(
    seed: int,
    ranges: str,
    frame: Frame,
    leads: Leads,
    seen: _Surface,
    drift: tuple[float, float],
    chosen: presets.Ranges,
) -> dict[str, object]:
    return {
        "simulated": "polynya; no measurement",
        "seed": seed,
        "ranges": ranges,
        "place": frame.place,
        "time": str(frame.start),
        "leads": len(leads),
        "patches": seen.patches.count,
        "freeboard_m": round(seen.freeboard_m, 3),
        "noise_db": round(float(10.0 * np.log10(seen.noise)), 2),
        "map_hours_after": round(draw_hours(seed, chosen), 2),
        "map_drift_error_m": [round(float(v), 1) for v in frame.turned(*drift)],
    }
