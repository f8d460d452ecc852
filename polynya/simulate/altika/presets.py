"""What a simulated AltiKa track is drawn from: leads, floes, bright ice, receiver, radar map of leads, places.

Widths of leads follow a power law (Wernecke and Kaleschke 2015, doi:10.5194/tc-9-1955-2015). Contrasts, slopes and the
settings of the receiver are set so that the tracks resemble what is published: 6 to 10 % of the data over leads are
lost to saturation, and leads of 200 m to 4 km are seen (Zakharova et al. 2015, doi:10.1080/01490419.2015.1019655); a
radar lead map has a precision above 0.9 at a recall of 0.6 (Murashkin et al. 2018, Annals of Glaciology 59).
``benchmarks/score_altika_simulator.py`` prints how near they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

GATES = 128
GATE_M = 0.3123
"""Range between two gates: 2.0833 ns."""
NOMINAL_GATE = 50
"""From 0: where the tracker puts the surface."""
PER_ROW = 40
"""Echoes in a record of 1 Hz."""
STEP_M = 175.0
"""Distance on the ground between two echoes."""
LOOKS = 96
"""Pulses averaged in an echo."""
HEIGHT_M = 800_000.0
EARTH_RADIUS_M = 6_371_000.0
BEAMWIDTH_DEG = 0.605
"""Of the antenna, between its points of half power."""
PULSE_GATES = 0.513
"""Standard deviation of the pulse after compression, gates."""
REACH_M = 6000.0
"""Beyond this distance from nadir nothing of a lead reaches the 128 gates: its delay is 81 gates."""
STRIP_M = 9000.0
"""Half the width of the strip around the track that has leads and that maps cover."""
LEAD_DISTANCE_M = 300.0
"""An echo is one of a lead if the nearest lead is nearer than this."""
EPSG = 3413
SMALLEST_WIDTH_M, LARGEST_WIDTH_M = 100.0, 4000.0
LARGEST_LENGTH_M = 60_000.0
WIDE_M = 300.0
"""A radar map sees open leads wider than this more often than narrower ones."""
SATURATED = 1023
"""Largest count of 10 bits."""
INCLINATION_DEG = 98.54


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """Ranges that what lies along a track is drawn from; a pair is the limits of an even distribution.

    Attributes
    ----------
    density : tuple of float
        Leads per kilometre of track, in the strip of 18 km.
    direction_sd : float
        Standard deviation of the leads' direction about the track's main one, degrees.
    second_share, second_angle : float
        Share of the leads of a second direction, and its angle from the main one, degrees.
    length_m, length_sd : float
        Median of the lengths, and standard deviation of their logarithm.
    width_exponent : tuple of float
        Of the power law of widths.
    refrozen_share : float
        Of the leads.
    open_db, refrozen_db : tuple of float
        Peak of the echo of a lead without end over that of the floes, dB.
    slope_deg : tuple of float
        Standard deviation of the slope of the leads' surface, in each direction, degrees.
    freeboard_m : tuple of float
        Height of the floes' reflecting surface above the leads'.
    sigma0_sd, sigma0_m : tuple of float
        Two scales of floe backscatter, before the footprint averages them: standard deviations, dB, and correlation
        lengths.
    rms_height_m : tuple of float
        Roughness of the floes, a track's median, log-even.
    noise_db : tuple of float
        Thermal noise over the peak of the floes.
    patch_km : float
        Distance between patches of smooth bright ice without a lead.
    patch_echoes : tuple of int
        Their length along the track.
    patch_db : tuple of float
        Peak of their echo over that of the floes.
    patch_slope_deg : tuple of float
        As ``slope_deg``.
    jitter_gates : float
        Standard deviation of the tracker's place.
    seen_wide, seen_narrow, seen_refrozen : float
        Share of the leads that the radar map has: open ones above and below 300 m, refrozen ones.
    drift_m : float
        Standard deviation of the map's error of drift, in each direction.
    hours : float
        The map is taken up to this long before or after.
    """

    density: tuple[float, float] = (0.10, 0.45)
    direction_sd: float = 20.0
    second_share: float = 0.30
    second_angle: float = 60.0
    length_m: float = 8000.0
    length_sd: float = 0.6
    width_exponent: tuple[float, float] = (2.2, 2.8)
    refrozen_share: float = 0.25
    open_db: tuple[float, float] = (15.0, 28.0)
    refrozen_db: tuple[float, float] = (4.0, 14.0)
    slope_deg: tuple[float, float] = (0.06, 0.22)
    freeboard_m: tuple[float, float] = (0.1, 0.4)
    sigma0_sd: tuple[float, float] = (3.8, 1.5)
    sigma0_m: tuple[float, float] = (5000.0, 700.0)
    rms_height_m: tuple[float, float] = (0.05, 0.60)
    noise_db: tuple[float, float] = (-30.0, -22.0)
    patch_km: float = 50.0
    patch_echoes: tuple[int, int] = (3, 40)
    patch_db: tuple[float, float] = (2.0, 9.0)
    patch_slope_deg: tuple[float, float] = (0.08, 0.16)
    jitter_gates: float = 1.5
    seen_wide: float = 0.95
    seen_narrow: float = 0.80
    seen_refrozen: float = 0.40
    drift_m: float = 120.0
    hours: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Ranges(Scenery):
    """Ranges that a track of AltiKa is drawn from: :class:`Scenery`, and the loop of the gain control.

    Attributes
    ----------
    loop_gain : float
        Share of the difference from the target that the gain control corrects in a step.
    lag : int
        Echoes between a measurement and its effect on the gain.
    target : float
        Counts that the gain control aims at.
    """

    loop_gain: float = 0.2
    lag: int = 2
    target: float = 450.0


STANDARD = Ranges()
RANGES = {
    "standard": STANDARD,
    "stress": replace(STANDARD, refrozen_share=0.40, patch_km=25.0, drift_m=500.0),
    "varied": STANDARD,
}
"""What tracks usually look like; harder, to see where a method fails; and as :func:`ranges_of` varies it."""


def ranges_of(name: str, seed: int) -> Ranges:
    """Return what a track is drawn from: in ``varied`` receiver, slopes and contrasts differ from track to track.

    A network that has learned from one receiver and one kind of surface knows these too well. The limits are wide
    guesses about the standard ranges, and no measurements.

    Parameters
    ----------
    name : str
        Key of :data:`RANGES`.
    seed : int
        Of the track.
    """
    if name != "varied":
        return RANGES[name]
    rng = np.random.default_rng([seed, 8])
    # Leads as flat as mirrors show no hyperbola and are bright for a few echoes: every second track has such.
    is_flat = rng.uniform() < 0.5
    lower, upper = ((0.015, 0.04), (0.06, 0.14)) if is_flat else ((0.02, 0.10), (0.10, 0.28))
    low, high = rng.uniform(*lower), rng.uniform(*upper)
    brighter, patches = rng.uniform(-5.0, 4.0), rng.uniform(-1.0, 2.0)
    return replace(
        RANGES[name],
        refrozen_share=float(rng.uniform(0.15, 0.40)),
        open_db=(15.0 + brighter, 28.0 + brighter),
        refrozen_db=(max(4.0 + brighter, 2.0), 14.0 + brighter),
        slope_deg=(float(low), float(max(high, low + 0.04))),
        sigma0_sd=(float(rng.uniform(2.0, 5.0)), float(rng.uniform(0.5, 2.5))),
        patch_km=float(rng.uniform(20.0, 60.0)),
        patch_db=(2.0 + patches, 9.0 + patches),
        patch_slope_deg=(float(rng.uniform(0.02, 0.10)), float(rng.uniform(0.10, 0.20))),
        loop_gain=float(rng.uniform(0.10, 0.40)),
        lag=int(rng.integers(1, 4)),
        target=float(rng.uniform(300.0, 520.0)),
        jitter_gates=float(rng.uniform(0.5, 2.5)),
    )


PLACES: dict[str, tuple[float, float]] = {
    "Beaufort Sea": (74.5, -142.0),
    "Chukchi Sea": (74.0, -168.0),
    "Canada Basin": (79.0, -148.0),
    "Barents Sea": (78.0, 45.0),
    "Kara Sea": (77.0, 78.0),
    "Laptev Sea": (77.5, 126.0),
    "East Siberian Sea": (76.5, 168.0),
    "Fram Strait": (79.5, -3.0),
}
"""Latitude and longitude of the middle of a track; up to a degree of each is added."""
