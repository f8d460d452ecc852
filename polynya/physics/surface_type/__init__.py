"""Thick ice, thin ice, open water at 2 m: NASA's tree as a Bayes rule, smoothed along the track.

NASA's surface-type tree (ATL07/ATL10 ATBD; control values stored in every ATL07) asks three things of
a 150-photon segment: how bright (photons per shot), how wide (Gaussian width), how dark the background
by day. A 2 m segment holds a tenth of those photons, so hard thresholds on it flicker. Here the same
variables, plus height above the lowest surface nearby, have a distribution for each kind of surface
(Kind), with the photon noise of the segment added to its width, and a hidden Markov chain along the
track (forward-backward, Rabiner 1989) turns neighbours into evidence. The chain starts afresh after
every gap. It is a rule: nothing in it was trained; its constants are NASA's thresholds and published
ranges, named below.
"""

from __future__ import annotations

from .chain import SurfaceTypes, classify
from .evidence import (
    ABOVE_LOWEST_M,
    CLEAR_RATE,
    RATE_SPECULAR,
    WIDTH_ROUGH,
    WIDTH_SMOOTH,
    Evidence,
    Observations,
    Rule,
    cloud_transmission,
    first_water_level,
    gather,
    strong_equivalent,
)
from .kinds import KINDS, Kind

__all__ = [
    "ABOVE_LOWEST_M",
    "CLEAR_RATE",
    "KINDS",
    "RATE_SPECULAR",
    "WIDTH_ROUGH",
    "WIDTH_SMOOTH",
    "Evidence",
    "Kind",
    "Observations",
    "Rule",
    "SurfaceTypes",
    "classify",
    "cloud_transmission",
    "first_water_level",
    "gather",
    "strong_equivalent",
]
