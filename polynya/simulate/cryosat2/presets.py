"""What a simulated CryoSat-2 track is drawn from: the geometry of SAR mode, and leads and floes in Ku band.

Geometry: Wingham et al. (2006), doi:10.1016/j.asr.2005.07.027; Raney (1998), doi:10.1109/36.718861. Contrasts, slopes
and looks are set so that peakiness, spread of the stack and power resemble a real table of SAR mode over winter ice of
the Arctic, an L2i file and a stretch of ocean. They are no measurements of ice. ``benchmarks/score_cryosat2_simulator``
prints how near the tracks are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..altika.frame import Orbit
from ..altika.presets import EARTH_RADIUS_M, Scenery

GATES = 256
GATE_M = 0.2342
"""Range between two gates: half of that of a bandwidth of 320 MHz, because the echoes are padded by two."""
NOMINAL_GATE = 70
"""From 0: where the tracker puts the surface."""
STEP_S = 0.0458667
"""Between two echoes, seconds."""
STEP_M = 308.6
"""The same on the ground."""
STRIP_LENGTH_M = 300.0
"""Along the track, between the points where a Doppler beam's two-way gain is half its largest."""
HEIGHT_M = 717_000.0
CURVATURE = 1.0 + HEIGHT_M / EARTH_RADIUS_M
BEAM_ACROSS_DEG, BEAM_ALONG_DEG = 1.2, 1.08
"""Of the antenna, between its points of half power."""
LOOK_M = 80.0
"""Distance on the ground by which the satellite moves from one look of a stack to the next."""
LOOKS = 196
"""In a stack."""
EFFECTIVE_LOOKS = 60.0
"""Mean over standard deviation, squared, of an echo's gate over a diffuse surface."""
SPECULAR_LOOKS = 4.0
"""The same of one look at a mirror: it fades less than speckle."""
PULSE_GATES = 2.0
"""From the peak of the pulse after compression to its first zero: power sinc^2, without a weighting."""
BEAM_LOOKS = 0.5
"""Standard deviation of a Doppler beam, looks: no stack is narrower."""
REACH_M = 7600.0
"""What lies farther across the track answers after the last gate."""
FLOE_W = 2.7e-15
"""Peak of the mean echo of floes: the median of the real stretch of SAR mode, over ocean and an ice sheet."""
LARGEST_COUNT = 65535
"""Every echo is scaled to it."""
FEWEST, MOST = 40, 8000
"""Echoes of a track: 12 to 2500 km."""
ORBIT = Orbit(step_m=STEP_M, inclination_deg=92.0, cycles=(7, 8), passes=(1, 5345))
"""The number of a pass is that of a relative orbit of 369 days."""


@dataclass(frozen=True, kw_only=True)
class Ranges(Scenery):
    """Ranges that a track is drawn from: those of :class:`Scenery` in Ku band, and the floes' slopes.

    Attributes
    ----------
    floe_slope_deg : tuple of float
        Standard deviation of the slopes of the floes' facets, a track's median, log-even, degrees.
    """

    floe_slope_deg: tuple[float, float] = (0.10, 0.50)
    open_db: tuple[float, float] = (14.0, 30.0)
    refrozen_db: tuple[float, float] = (4.0, 14.0)
    slope_deg: tuple[float, float] = (0.003, 0.025)
    sigma0_sd: tuple[float, float] = (2.5, 1.5)
    rms_height_m: tuple[float, float] = (0.03, 0.40)
    patch_km: float = 50.0
    patch_echoes: tuple[int, int] = (2, 23)
    patch_slope_deg: tuple[float, float] = (0.03, 0.10)
    jitter_gates: float = 3.0


STANDARD = Ranges()
RANGES = {
    "standard": STANDARD,
    "stress": replace(STANDARD, refrozen_share=0.40, patch_km=25.0, drift_m=500.0),
    "varied": STANDARD,
}
"""What tracks usually look like; harder, to see where a method fails; and as :func:`ranges_of` varies it."""


def ranges_of(name: str, seed: int) -> Ranges:
    """Return what a track is drawn from: in ``varied`` slopes and contrasts differ from track to track.

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
    low, high = rng.uniform(0.002, 0.006), rng.uniform(0.015, 0.05)
    brighter, patches = rng.uniform(-4.0, 4.0), rng.uniform(-1.0, 2.0)
    return replace(
        RANGES[name],
        refrozen_share=float(rng.uniform(0.15, 0.40)),
        open_db=(14.0 + brighter, 30.0 + brighter),
        refrozen_db=(max(4.0 + brighter, 1.0), 14.0 + brighter),
        slope_deg=(float(low), float(high)),
        sigma0_sd=(float(rng.uniform(1.5, 3.5)), float(rng.uniform(0.5, 2.5))),
        patch_km=float(rng.uniform(20.0, 60.0)),
        patch_db=(2.0 + patches, 9.0 + patches),
        patch_slope_deg=(float(rng.uniform(0.01, 0.05)), float(rng.uniform(0.06, 0.15))),
        jitter_gates=float(rng.uniform(1.0, 5.0)),
    )
