"""Patches on thick ice that look like leads: melt patches, melt ponds and bright smooth stretches.

Their class stays thick ice, and their lead type stays no lead. Ranges and sources: :mod:`.presets`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .presets import PATCH, Range
from .random_fields import red_noise

MELT_PATCH, DARK_POND, SPECULAR_POND, BRIGHT_PATCH = 0, 1, 2, 3
MELT_LENGTH = (6.0, 40.0)
"""Length of a melt patch along the track, m."""
MELT_RATE, MELT_LEVEL, MELT_ALBEDO = (0.12, 0.45), (0.6, 0.95), 0.45
"""Of melt patches: share of the snow's photon rate, level between the sea and their lowest place, albedo."""
CHORD = np.pi / 4.0
"""Mean chord of a disc, in diameters."""
RIM = 40.0
"""Distance around a pond over which the low surface is found, m."""
MEAN_POND_LENGTH = PATCH.pond_length[0] * float(np.exp(PATCH.pond_length[1] ** 2 / 2.0))
"""Mean length of ponds, m (without the limits)."""


@dataclass(frozen=True, kw_only=True)
class PatchDensities:
    """Patches per kilometre of track, and how a granule's ponds stand.

    Attributes
    ----------
    melt, dark_ponds, specular_ponds, bright : float
        Per kilometre.
    drained_share : float
        Share of ponds at sea level.
    pond_level : float
        Mean level of the other ponds between the sea (0) and the low surface around them (1).
    """

    melt: float
    dark_ponds: float
    specular_ponds: float
    bright: float
    drained_share: float
    pond_level: float


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Patches along a track or on the plane: arrays of one length.

    Attributes
    ----------
    start : numpy.ndarray
        Beginning along the track; on the plane, the centre; m.
    length : numpy.ndarray
        Along the track; on the plane, the diameter; m.
    kind : numpy.ndarray of int8
        ``MELT_PATCH``, ``DARK_POND``, ``SPECULAR_POND`` or ``BRIGHT_PATCH``.
    level : numpy.ndarray
        Between the sea (0) and the low surface around (1); bright patches are level with their floe.
    rate : numpy.ndarray
        Photons per shot; of melt patches and dark ponds, as a share of that of the ice around.
    across : numpy.ndarray
        Of the centre on the plane, m left of the track; 0 along a track.
    """

    start: np.ndarray
    length: np.ndarray
    kind: np.ndarray
    level: np.ndarray
    rate: np.ndarray
    across: np.ndarray

    def crossed(self, across: float, *, begin: float) -> Patches:
        """Return the chords along a line ``across`` metres left of the track, positions from ``begin`` (m)."""
        chord = np.sqrt(np.maximum((self.length / 2.0) ** 2 - (self.across - across) ** 2, 0.0))
        on = chord > 0.0
        return Patches(
            start=(self.start - chord)[on] - begin,
            length=2.0 * chord[on],
            kind=self.kind[on],
            level=self.level[on],
            rate=self.rate[on],
            across=np.zeros(int(on.sum())),
        )


def draw_patches(of: PatchDensities, rng: np.random.Generator, *, along: Range, across: Range | None = None) -> Patches:
    """Draw the patches along a track, or those of a box of the plane.

    Parameters
    ----------
    of : PatchDensities
        Patches per kilometre of any line along the track.
    rng : numpy.random.Generator
        Draws everything.
    along : tuple of float
        Beginning and end, m.
    across : tuple of float, optional
        Sides of the box, m. Patches are then discs, whose number and size are such that a line along the track crosses
        them as often as a track without a map, with the same mean length.

    Returns
    -------
    Patches
        In the order melt patches, dark ponds, specular ponds, bright patches.
    """
    parts = [
        _draw_kind(kind, density, of, rng, along, across)
        for kind, density in (
            (MELT_PATCH, of.melt),
            (DARK_POND, of.dark_ponds),
            (SPECULAR_POND, of.specular_ponds),
            (BRIGHT_PATCH, of.bright),
        )
    ]
    return Patches(**{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})


def _draw_kind(
    kind: int, per_km: float, of: PatchDensities, rng: np.random.Generator, along: Range, across: Range | None
) -> dict[str, np.ndarray]:
    least = {MELT_PATCH: MELT_LENGTH[0], BRIGHT_PATCH: PATCH.bright_length[0]}.get(kind, PATCH.pond_length[2])
    # A line crosses a disc with a probability proportional to its diameter: discs are drawn like crossings, and the
    # large ones are thinned. The mean chord of a disc is pi / 4 of its diameter.
    width = 1.0 if across is None else (across[1] - across[0]) / (least / CHORD)
    n = int(rng.poisson(per_km * (along[1] - along[0]) / 1000.0 * width))
    if kind == MELT_PATCH:
        length, rate = rng.uniform(*MELT_LENGTH, n), rng.uniform(*MELT_RATE, n)
        level = rng.uniform(*MELT_LEVEL, n)
    elif kind == BRIGHT_PATCH:
        length, rate, level = rng.uniform(*PATCH.bright_length, n), rng.uniform(*PATCH.bright_rate, n), np.ones(n)
    else:
        median, spread, least, most = PATCH.pond_length
        length = np.clip(median * np.exp(spread * rng.standard_normal(n)), least, most)
        mirror = np.clip(PATCH.pond_rate * np.exp(PATCH.pond_rate_spread * rng.standard_normal(n)), 10.0, 80.0)
        rate = mirror if kind == SPECULAR_POND else rng.uniform(*PATCH.dark_pond_rate, n)
        level = np.clip(of.pond_level + PATCH.pond_level_spread * rng.standard_normal(n), 0.1, 1.0)
        level = np.where(rng.random(n) < of.drained_share, 0.0, level)
    drawn = {
        "start": rng.uniform(*along, n),
        "length": length if across is None else length / CHORD,
        "kind": np.full(n, kind, np.int8),
        "level": level,
        "rate": rate,
        "across": np.zeros(n) if across is None else rng.uniform(*across, n),
    }
    if across is None:
        return drawn
    keep = rng.random(n) < least / length
    return {name: values[keep] for name, values in drawn.items()}


@dataclass(frozen=True, kw_only=True)
class Ice:
    """The arrays of an ice field that patches change: freeboard (m), roughness (m), photons per shot, albedo."""

    freeboard: np.ndarray
    roughness: np.ndarray
    rate: np.ndarray
    albedo: np.ndarray
    step: float


def add_patches(ice: Ice, patches: Patches, rng: np.random.Generator) -> None:
    """Lay patches over thick ice, in place.

    Parameters
    ----------
    ice : Ice
        Changed where patches lie.
    patches : Patches
        Along the track.
    rng : numpy.random.Generator
        Draws waves on ponds and the relief of bright patches.
    """
    before, rate = ice.freeboard.copy(), ice.rate.copy()
    n, rim = before.size, int(RIM / ice.step)
    for i in range(patches.start.size):
        first = int(np.floor(patches.start[i] / ice.step))
        low, high = max(first, 0), min(first + max(int(patches.length[i] / ice.step), 1), n)
        if low >= high:
            continue
        cells, kind = slice(low, high), patches.kind[i]
        if kind == MELT_PATCH:
            ice.freeboard[cells] = max(before[cells].min() * patches.level[i], 0.04)
            ice.roughness[cells] = 0.005
            ice.rate[cells] *= patches.rate[i]
            ice.albedo[cells] = MELT_ALBEDO
        elif kind == BRIGHT_PATCH:
            ice.freeboard[cells] = before[cells].mean() + 0.008 * red_noise(high - low, 30, rng)
            ice.roughness[cells] = 0.005
            ice.rate[cells] = patches.rate[i]
        else:
            around = before[max(low - rim, 0) : high + rim]
            surface = np.partition(around, around.size // 10)[around.size // 10]
            is_mirror = kind == SPECULAR_POND
            ice.freeboard[cells] = surface * patches.level[i]
            ice.roughness[cells] = rng.uniform(0.0, 0.010) if is_mirror else rng.uniform(0.005, 0.030)
            ice.rate[cells] = patches.rate[i] if is_mirror else rate[cells].mean() * patches.rate[i]
            ice.albedo[cells] = rng.uniform(*PATCH.pond_albedo)
