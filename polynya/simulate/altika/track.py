"""One simulated track in memory: echoes, gain, tracker and the truth, drawn from a seed.

:func:`draw_track` writes nothing; training data can be drawn with it directly. Simulated data trains, tests and
demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from ...errors import UsageError
from . import echo, floes, presets, receiver
from .frame import Frame, draw_frame
from .leads import Leads, crossings, distances, draw_leads

FEWEST, MOST = 40, 8000
"""Echoes of a track: 7 to 1400 km."""
PATCH_HEIGHT_M = 0.03
"""Standard deviation of the height of smooth ice."""
PATCH_CLEARANCE_M = 600.0
"""A patch lies where leads are further away than this, if there is such a place."""
TRIES = 40


@dataclass(frozen=True, kw_only=True)
class Track:
    """One track of n echoes; distances are on the ground.

    Attributes
    ----------
    frame : Frame
        Where it lies.
    time : numpy.ndarray of datetime64[ns], shape (n,)
    latitude, longitude : numpy.ndarray, shape (n,)
        Degrees, WGS 84.
    altitude, tracker, range : numpy.ndarray, shape (n,)
        Height of the satellite above the ellipsoid; range of the nominal gate; range of half of the largest count, m.
    agc : numpy.ndarray, shape (n,)
        Attenuation, dB; floes have about 0.
    significant_wave_height : numpy.ndarray, shape (n,)
        Four times the standard deviation of the floes' height, with an error of 0.2 m.
    waveform : numpy.ndarray of uint16, shape (n, 128)
        Counts, at most 1023.
    leads : Leads
        All of them, numbered from 0.
    true_distance, map_distance : numpy.ndarray, shape (n,)
        To the nearest lead, and to the nearest of the radar map (as drifted), m; at most 9000.
    nearest : numpy.ndarray of int32, shape (n,)
        Number of the nearest lead; -1 where none is within 9 km.
    crossed : numpy.ndarray, shape (n,)
        Length of the track in the lead that nadir is in, m; 0 where nadir is on a floe. In overlaps the longest.
    is_patch : numpy.ndarray of bool, shape (n,)
        Smooth bright ice that is no lead.
    saturated : numpy.ndarray of uint8, shape (n,)
        Gates at the largest count.
    floe_db, rms_height : numpy.ndarray, shape (n,)
        Backscatter of the floes over the mean in dB, in the disc at nadir; standard deviation of their height, m.
    drift : tuple of float
        Error of the radar map along and across the track, m.
    about : dict
        What was drawn.
    """

    frame: Frame
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    tracker: np.ndarray
    range: np.ndarray
    agc: np.ndarray
    significant_wave_height: np.ndarray
    waveform: np.ndarray
    leads: Leads
    true_distance: np.ndarray
    map_distance: np.ndarray
    nearest: np.ndarray
    crossed: np.ndarray
    is_patch: np.ndarray
    saturated: np.ndarray
    floe_db: np.ndarray
    rms_height: np.ndarray
    drift: tuple[float, float]
    about: dict[str, object]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def is_lead(self) -> np.ndarray:
        """Whether the nearest lead is nearer than 300 m."""
        return self.true_distance < presets.LEAD_DISTANCE_M

    @property
    def map_leads(self) -> Leads:
        """The leads of the radar map, where it has them."""
        keep = self.leads.is_seen
        found = Leads(**{name: values[keep] for name, values in vars(self.leads).items()})
        return replace(found, along=found.along + self.drift[0], across=found.across + self.drift[1])


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
    true, nearest = _nearest(leads, along)
    surface = _draw_surface(np.random.default_rng([seed, 3]), true, chosen)
    rng = np.random.default_rng([seed, 4])
    jitter = rng.normal(0.0, chosen.jitter_gates, echoes)
    power = _power(leads, along, surface, jitter)
    power = receiver.speckled(rng, power + surface.noise)
    agc = receiver.gains(power.max(axis=1), chosen)
    waveform = receiver.counts(power, agc, chosen.target)
    place = _draw_heights(np.random.default_rng([seed, 5]), along, surface.freeboard_m)
    tracker = place[0] - place[1] - presets.GATE_M * jitter
    retracked = presets.GATE_M * (receiver.half_power_gate(waveform) - presets.NOMINAL_GATE)
    latitude, longitude = frame.positions(along)
    drift = np.random.default_rng([seed, 6]).normal(0.0, chosen.drift_m, 2)
    track = Track(
        frame=frame,
        time=frame.start + (np.arange(echoes) * 25_000_000).astype("timedelta64[ns]"),
        latitude=latitude,
        longitude=longitude,
        altitude=place[0],
        tracker=tracker,
        range=tracker + retracked,
        agc=agc,
        significant_wave_height=np.maximum(4.0 * surface.rms_height + rng.normal(0.0, 0.2, echoes), 0.0),
        waveform=waveform,
        leads=leads,
        true_distance=true,
        map_distance=true,
        nearest=nearest,
        crossed=_crossed(leads, along),
        is_patch=surface.is_patch,
        saturated=(waveform >= presets.SATURATED).sum(axis=1).astype(np.uint8),
        floe_db=surface.floe_db,
        rms_height=surface.rms_height,
        drift=(float(drift[0]), float(drift[1])),
        about=_about(seed, ranges, frame, leads, surface, drift, chosen),
    )
    return replace(track, map_distance=_nearest(track.map_leads, along)[0])


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
    patch_power: np.ndarray
    patch_slope: np.ndarray
    is_patch: np.ndarray
    patches: int
    freeboard_m: float
    noise: float


def _draw_surface(rng: np.random.Generator, true: np.ndarray, ranges: presets.Ranges) -> _Surface:
    n = len(true)
    floe = floes.draw(rng, n, ranges)
    low, high = ranges.rms_height_m
    rough = np.exp(rng.uniform(np.log(low), np.log(high)) + 0.3 * correlated(rng, n, ranges.sigma0_m[0]))
    power, slope = np.zeros(n), np.full(n, np.deg2rad(ranges.patch_slope_deg[1]))
    patches = int(rng.poisson(n * presets.STEP_M / 1000.0 / ranges.patch_km))
    for _ in range(patches):
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
    return _Surface(
        floe_db=floe,
        rms_height=np.clip(rough, low, high),
        patch_power=power,
        patch_slope=slope,
        is_patch=power > 0,
        patches=patches,
        freeboard_m=float(rng.uniform(*ranges.freeboard_m)),
        noise=float(10.0 ** (rng.uniform(*ranges.noise_db) / 10.0)),
    )


def correlated(rng: np.random.Generator, n: int, length_m: float) -> np.ndarray:
    """Return a first-order autoregressive series of mean 0 and variance 1, shape (n,).

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    n : int
        Echoes.
    length_m : float
        Distance at which the correlation is 1/e.
    """
    keep = np.exp(-presets.STEP_M / length_m)
    noise = rng.standard_normal(n) * np.sqrt(1.0 - keep**2)
    noise[0] /= np.sqrt(1.0 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise)


def _power(leads: Leads, along: np.ndarray, surface: _Surface, jitter: np.ndarray) -> np.ndarray:
    """Return the echoes without noise, floes having a peak of 1 on average, shape (n, gates)."""
    gate = np.arange(presets.GATES) - presets.NOMINAL_GATE - jitter[:, None]
    decay = echo.antenna_decay()
    power = 10.0 ** (surface.floe_db / 10.0)[:, None] * echo.brown(gate, decay, surface.rms_height)
    patch = np.flatnonzero(surface.is_patch)
    if len(patch):
        steep = decay + echo.slope_decay(surface.patch_slope[patch])
        power[patch] += surface.patch_power[patch, None] * echo.brown(gate[patch], steep, PATCH_HEIGHT_M)
    return power + echo.specular(leads, along, jitter, below_m=surface.freeboard_m)


def _draw_heights(rng: np.random.Generator, along: np.ndarray, freeboard: float) -> tuple[np.ndarray, np.ndarray]:
    """Return heights of the satellite and of the floes above the ellipsoid, m."""
    km = along / 1000.0
    slope, phase = rng.uniform(-5.0, 5.0), rng.uniform(0.0, 2.0 * np.pi, 2)
    altitude = presets.HEIGHT_M + rng.uniform(-300.0, 300.0) + slope * km
    sea = rng.uniform(-20.0, 30.0) + 0.3 * np.sin(km / 40.0 + phase[0]) + 0.05 * np.sin(km / 6.0 + phase[1])
    return altitude, sea + freeboard


def _nearest(leads: Leads, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distance to the nearest lead, at most 9 km, and its number, -1 beyond."""
    if len(leads) == 0:
        return np.full(len(along), presets.STRIP_M), np.full(len(along), -1, np.int32)
    apart = distances(leads, along)
    number = np.argmin(apart, axis=1)
    found = apart[np.arange(len(along)), number]
    is_near = found < presets.STRIP_M
    return np.where(is_near, found, presets.STRIP_M), np.where(is_near, number, -1).astype(np.int32)


def _crossed(leads: Leads, along: np.ndarray) -> np.ndarray:
    start, stop = crossings(leads)
    found = np.zeros(len(along))
    for a, b in zip(start, stop, strict=True):
        inside = (along >= a) & (along <= b)
        found[inside] = np.maximum(found[inside], b - a)
    return found


def _about(
    seed: int,
    ranges: str,
    frame: Frame,
    leads: Leads,
    surface: _Surface,
    drift: np.ndarray,
    chosen: presets.Ranges,
) -> dict[str, object]:
    hours = np.random.default_rng([seed, 7]).uniform(-chosen.hours, chosen.hours)
    return {
        "simulated": "polynya; no measurement",
        "seed": seed,
        "ranges": ranges,
        "place": frame.place,
        "time": str(frame.start),
        "leads": len(leads),
        "patches": surface.patches,
        "freeboard_m": round(surface.freeboard_m, 3),
        "noise_db": round(float(10.0 * np.log10(surface.noise)), 2),
        "map_hours_after": round(float(hours), 2),
        "map_drift_error_m": [round(float(v), 1) for v in frame.turned(drift[0], drift[1])],
    }
