"""The sea under the ice: swell, and the short sea surface that the granule's mean sea surface lacks.

Both are sums of plane waves that every beam crosses. Ranges and sources: :mod:`.presets`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .presets import ICE, WAVES
from .surfaces import Surfaces, Swell

SWELL_WAVES, BUMP_WAVES = 24, 8


@dataclass(frozen=True, kw_only=True)
class PlaneWaves:
    """Waves ``amplitude * sin(2 pi (x + tilt * y) / wavelength + phase)``: arrays of shape (waves,), metres."""

    amplitude: np.ndarray
    wavelength: np.ndarray
    phase: np.ndarray
    tilt: np.ndarray

    def __call__(self, x: np.ndarray, across: float) -> np.ndarray:
        """Return the height at distances ``x`` (m), ``across`` metres left of the track; m, same shape."""
        out = np.zeros(np.shape(x))
        for amplitude, length, phase, tilt in zip(self.amplitude, self.wavelength, self.phase, self.tilt, strict=True):
            out += amplitude * np.sin(2.0 * np.pi / length * (x + tilt * across) + phase)
        return out


@dataclass(frozen=True, kw_only=True)
class Sea:
    """The sea under one granule; positions in metres from the track's start.

    Attributes
    ----------
    bumps : PlaneWaves
        Sea surface of 5-20 km that the granule's mean sea surface lacks.
    bump_height : float
        Twice its standard deviation, m.
    waves : PlaneWaves
        The swell at the ice edge.
    swell : Swell
        Height (0 for none), wavelength and decay.
    edge : float
        Where the ice edge lies, m.
    """

    bumps: PlaneWaves
    bump_height: float
    waves: PlaneWaves
    swell: Swell
    edge: float

    def swell_height(self, x: np.ndarray) -> np.ndarray:
        """Return the significant wave height of the swell at distances ``x`` (m), m."""
        return self.swell.height * np.exp(-np.abs(np.asarray(x) - self.edge) / (1000.0 * self.swell.decay_km))

    def displacement(self, x: np.ndarray, across: float) -> np.ndarray:
        """Return by how much swell lifts ice and water at distances ``x`` (m), m."""
        if self.swell.height <= 0.0:
            return np.zeros(np.shape(x))
        return self.swell_height(x) / self.swell.height * self.waves(np.asarray(x), across)

    def settings(self) -> dict[str, object]:
        """Return what a file states about the sea."""
        return {
            "mss_bumps": self.bump_height,
            "swell_height": self.swell.height,
            "swell_wavelength": self.swell.wavelength,
            "swell_decay_km": self.swell.decay_km if np.isfinite(self.swell.decay_km) else "infinite",
            "ice_edge": "start" if self.edge <= 0.0 else "end",
        }


def draw_sea(season: str, rng: np.random.Generator, *, length: float, surfaces: Surfaces) -> Sea:
    """Draw the sea under a granule; what is asked for changes nothing else.

    Parameters
    ----------
    season : str
        A key of :data:`~polynya.simulate.sea_ice.presets.ICE`.
    rng : numpy.random.Generator
        Draws what is not asked for.
    length : float
        Of the track, m.
    surfaces : Surfaces
        Bumps and swell that are asked for.

    Returns
    -------
    Sea
    """
    of = ICE[season]
    bumps = rng.uniform(*of.mss_bumps)
    chance, low, high = of.swell
    height = rng.uniform(low, high) if rng.random() < chance else 0.0
    drawn = Swell(height=height, wavelength=rng.uniform(*WAVES.swell_length), decay_km=rng.uniform(*WAVES.swell_decay))
    edge = 0.0 if rng.random() < 0.5 else length
    asked = surfaces.swell or drawn
    swell = Swell(
        height=asked.height,
        wavelength=asked.wavelength if asked.wavelength is not None else drawn.wavelength,
        decay_km=asked.decay_km if asked.decay_km is not None else drawn.decay_km,
    )
    bump_height = bumps if surfaces.mss_bumps is None else surfaces.mss_bumps
    spread = np.exp(WAVES.swell_band * rng.standard_normal(SWELL_WAVES))
    waves = _waves(swell.wavelength * spread, rng, deviation=swell.height / 4.0, one_direction=True)
    shortest, longest = np.log(WAVES.bump_length)
    lengths = np.exp(shortest + (np.arange(BUMP_WAVES) + rng.random(BUMP_WAVES)) / BUMP_WAVES * (longest - shortest))
    return Sea(
        bumps=_waves(lengths, rng, deviation=bump_height / 2.0, one_direction=False),
        bump_height=bump_height,
        waves=waves,
        swell=swell,
        edge=edge,
    )


def _waves(wavelength: np.ndarray, rng: np.random.Generator, *, deviation: float, one_direction: bool) -> PlaneWaves:
    """Return waves of equal amplitude, random phase and direction, whose sum has a standard deviation (m)."""
    n = wavelength.size
    angle = np.radians(rng.uniform(-WAVES.largest_angle, WAVES.largest_angle, n))
    return PlaneWaves(
        amplitude=np.full(n, deviation * np.sqrt(2.0 / n)),
        wavelength=wavelength,
        phase=rng.uniform(0.0, 2.0 * np.pi, n),
        tilt=np.tan(np.full(n, angle[0]) if one_direction else angle),
    )
