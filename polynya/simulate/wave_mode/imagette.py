"""Draw one imagette: which phenomena, the sea or the ice, their patterns, speckle; and how well each can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import UsageError
from ...schema.imagettes import SHORT_NAMES
from . import atmosphere, fields, ice, ocean
from .pattern import Pattern
from .presets import BEAMS, CAN_BE_WEAK, DECIBEL, INVISIBLE, SEA_ICE_JOINS, SIZE, STANDARD, Ranges

DRAW = {
    "POW": ocean.ocean_waves,
    "WS": atmosphere.wind_streaks,
    "MCC": atmosphere.cells,
    "RC": atmosphere.rain_cells,
    "BS": ocean.slicks,
    "SI": ice.sea_ice,
    "IB": ice.icebergs,
    "LWA": ocean.low_wind,
    "AF": atmosphere.atmospheric_front,
    "OF": ocean.oceanic_front,
}
"""What draws the pattern of each phenomenon."""


MAY_BE_WEAK = 0.66
"""Share of the images that have a pattern of :data:`.presets.CAN_BE_WEAK`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A simulated imagette and its truth.

    Attributes
    ----------
    roughness : numpy.ndarray of float32, shape (400, 400)
        Sigma nought over that of a wind of 10 m/s, linear, with speckle; lines along the flight.
    surface : numpy.ndarray of float32, shape (400, 400)
        The same without speckle, on land too.
    mask : numpy.ndarray of bool, shape (400, 400)
        False on land.
    beam : str
        ``wv1`` or ``wv2``.
    incidence_angle : float
        Degrees.
    tags : numpy.ndarray of bool, shape (10,)
        What is in the picture, in the order of ``schema.imagettes.TAGS``.
    contrast : numpy.ndarray of float64, shape (10,)
        Rms of each pattern over its support, weakened where another smooths the surface, over the standard deviation
        of sea and speckle; NaN for absent ones.
    about : dict
        What was drawn.
    """

    roughness: np.ndarray
    surface: np.ndarray
    mask: np.ndarray
    beam: str
    incidence_angle: float
    tags: np.ndarray
    contrast: np.ndarray
    about: dict[str, object] = field(default_factory=dict)

    @property
    def visible(self) -> np.ndarray:
        """Tags as they are scored, int8, shape (10,): 1, 0, and -1 for those that are there but cannot be seen."""
        unseen = self.tags & ~(self.contrast >= INVISIBLE)
        return np.where(unseen, -1, self.tags.astype(np.int8)).astype(np.int8)


def draw_tags(rng: np.random.Generator, ranges: Ranges = STANDARD) -> tuple[str, ...]:
    """Draw which phenomena an imagette shows: the first evenly, the others among those that may join it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    ranges : Ranges
        Shares of images by their number of tags.

    Returns
    -------
    tuple of str
        Short names, in the order of the ten.
    """
    count = int(rng.choice(len(ranges.counts), p=np.array(ranges.counts) / sum(ranges.counts)))
    found: list[str] = []
    while len(found) < count:
        others = [n for n in SHORT_NAMES if _may_join(n, found)]
        found.append(str(rng.choice(others)))
    return tuple(n for n in SHORT_NAMES if n in found)


def _may_join(name: str, found: Sequence[str]) -> bool:
    if name in found:
        return False
    if name == "SI":
        return all(f in SEA_ICE_JOINS for f in found)
    return "SI" not in found or name in SEA_ICE_JOINS


def draw_imagette(
    seed: int | Sequence[int], *, tags: Sequence[str] | None = None, beam: str | None = None, ranges: Ranges = STANDARD
) -> Drawn:
    """Draw an imagette.

    Parameters
    ----------
    seed : int or sequence of int
        The same seed and arguments give the same arrays.
    tags : sequence of str, optional
        Short names of the phenomena; drawn by default.
    beam : str, optional
        ``wv1`` or ``wv2``; drawn by default.
    ranges : Ranges
        Of everything else.

    Raises
    ------
    UsageError
        If a phenomenon or a beam is not known.
    """
    rng = np.random.default_rng(seed)
    wanted = draw_tags(rng, ranges) if tags is None else tuple(n for n in SHORT_NAMES if n in tags)
    unknown = set(tags or ()) - set(SHORT_NAMES)
    if unknown or (beam is not None and beam not in BEAMS):
        raise UsageError(
            f"{', '.join(sorted(unknown)) or beam}: not known; expected phenomena of {', '.join(SHORT_NAMES)} and a"
            f" beam of {', '.join(BEAMS)}. Choose among them."
        )
    beam = beam or str(rng.choice(list(BEAMS)))
    incidence, strength = BEAMS[beam]
    wind = rng.uniform(0.0, np.pi)
    looks = rng.uniform(*ranges.looks)
    sea = _sea(rng, wanted, ranges)
    patterns = {name: _scaled(DRAW[name](rng, ranges, wind), strength) for name in wanted}
    ground = float(np.sqrt(sea.var() + 1.0 / looks))
    weak = _choose_weak(rng, wanted, ranges)
    if weak:
        patterns[weak] = _scaled(patterns[weak], rng.uniform(0.5, 1.0) * ground / max(patterns[weak].rms, 1e-9))
    patterns = {name: _as_seen(name, patterns) for name in patterns}
    log = _together(sea, patterns)
    level, ramp = rng.uniform(*ranges.level_db), rng.uniform(*ranges.ramp_db)
    _, samples = fields.grid()
    log = log + np.float32(DECIBEL) * (level + ramp * samples / SIZE)
    surface = np.exp(log, dtype=np.float32)
    roughness = surface * fields.speckle(rng, looks)
    mask = _sea_mask(rng, ranges)
    contrast = np.array([patterns[n].rms / ground if n in patterns else np.nan for n in SHORT_NAMES])
    return Drawn(
        roughness=np.where(mask, roughness, np.float32(np.nan)).astype(np.float32),
        surface=surface,
        mask=mask,
        beam=beam,
        incidence_angle=incidence,
        tags=np.array([n in wanted for n in SHORT_NAMES]),
        contrast=contrast,
        about={"tags": list(wanted), "weak": weak, "level_db": round(level, 2), "looks": round(looks, 1)},
    )


def _sea(rng: np.random.Generator, wanted: tuple[str, ...], ranges: Ranges) -> np.ndarray:
    """Return the texture of the sea itself: turbulence and weak waves; none of either under sea ice."""
    if "SI" in wanted:
        return np.zeros((SIZE, SIZE), np.float32)
    turbulence = fields.red(
        rng, longest_m=rng.uniform(*ranges.turbulence_m), slope=rng.uniform(*ranges.turbulence_slope)
    )
    sea = np.float32(rng.uniform(*ranges.turbulence)) * turbulence
    if "POW" not in wanted:
        sea = sea + ocean.draw_waves(rng, ranges, sd=rng.uniform(*ranges.waves))
    return sea.astype(np.float32)


def _scaled(pattern: Pattern, factor: float) -> Pattern:
    return Pattern(log=np.float32(factor) * pattern.log, support=pattern.support, damping=pattern.damping)


def _choose_weak(rng: np.random.Generator, wanted: tuple[str, ...], ranges: Ranges) -> str:
    able = [n for n in wanted if n in CAN_BE_WEAK]
    share = ranges.weak / MAY_BE_WEAK
    return str(rng.choice(able)) if able and rng.random() < share else ""


def _as_seen(name: str, patterns: dict[str, Pattern]) -> Pattern:
    """Return a pattern weakened where another smooths the surface; icebergs stay as they are."""
    own = patterns[name]
    log = own.log
    for other, damper in patterns.items():
        if other != name and damper.damping is not None and name != "IB":
            log = log * damper.damping
    return Pattern(log=log, support=own.support, damping=own.damping)


def _together(sea: np.ndarray, patterns: dict[str, Pattern]) -> np.ndarray:
    """Add the patterns to the sea, which is weaker where one of them smooths the surface."""
    log = sea
    for pattern in patterns.values():
        if pattern.damping is not None:
            log = log * pattern.damping
    for pattern in patterns.values():
        log = log + pattern.log
    return log


def _sea_mask(rng: np.random.Generator, ranges: Ranges) -> np.ndarray:
    if rng.random() >= ranges.land:
        return np.ones((SIZE, SIZE), bool)
    lines, samples = fields.grid()
    angle = rng.uniform(-np.pi, np.pi)
    far = lines * np.sin(angle) + samples * np.cos(angle) + 12.0 * fields.smooth(rng, 3000.0)
    return far < np.quantile(far, rng.uniform(0.8, 0.97))
