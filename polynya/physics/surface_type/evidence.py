"""What the surface type of 2 m segments is decided from: rate, width, background and height above the lowest surface.

NASA's surface-type tree asks for the first three at the scale of 150 photons; here they are kept at the segment's scale
and pooled to NASA's. Nothing here knows a class. Constants are NASA's thresholds (ATL07/ATL10 ATBD,
doi:10.5067/KPMXUOH7TNIY) and published ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import tracks

WEAK_RATIO = 4.0
"""Strong to weak pulse energy (n_spec_scale of ATL07)."""
GAIN_SPOT3 = 0.82
"""ATL07's beam_gain: it belongs to spot 3."""
CLEAR_RATE = 8.0
"""Photons per shot over snow under a clear sky; NASA's class of snow and ice is 2.5 to 11."""
LEAST_RATE = 0.7
"""References come from segments at least this bright: darker ones are noise or nearly so."""
CLOUD_RATE = 0.5
"""Below this (strong-beam photons per shot) NASA says cloud; here: unclassified."""
WIDTH_SMOOTH, WIDTH_ROUGH = 0.13, 0.17
"""NASA's bounds on the Gaussian width of smooth and rough leads, metres."""
RATE_SPECULAR = 11.0
"""NASA's bound: a smooth surface brighter than this may be water."""
POOLED_PHOTONS = 75.0
"""Half of an ATL07 segment's 150 photons on either side of a segment's middle."""
SPECULAR_RATE = 12.0
"""Photons per shot that a flat mirror-like surface alone returns: between NASA's 11 and 14."""
ABOVE_LOWEST_M = 0.15
"""Nothing floats below the water: what stands higher than this above the lowest surfaces within 25 km is none. Room is
left for the tilt of the sea surface and for the noise of a low quantile."""
DAY_ELEVATION = 15.0
"""Solar elevation from which the background counts (theta_cntl of ATL07), degrees."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Constants of the rule besides the kinds.

    Attributes
    ----------
    pulse_sd : float
        Standard deviation of photon heights over a flat mirror, metres (ATLAS pulse of about 1.5 ns).
    evidence : float
        Share of a segment's log-likelihood that counts: footprints of 11 m overlap, so neighbouring
        2 m segments are not independent.
    clear_window_m, clear_quantile, clear_least, bright_least : float
        Cloud dims everything alike: this quantile of the rates of 100 m blocks within ± the window, against
        snow under a clear sky, is taken for the transmission and rates are divided by it. So a stretch that
        is dark for kilometres counts as cloud rather than lead (NASA's dark leads under cloud stand half a
        metre above the sea surface in real granules). Never below ``clear_least``, and for bright kinds never
        below ``bright_least``: they are compared with the rate nearly as it is.
    width_softness_m : float
        How soft NASA's width bound of 0.17 m is.
    rate_softness, guard_most : float
        How soft NASA's rate bounds are, in the logarithm, and the most standard deviations they count.
    rate_ice : float
        From this pooled rate up to NASA's 11 photons per shot nothing is water: above NASA's 2.5, since thin
        cloud and the scatter of rough leads reach it.
    pool_most : int
        The rate is pooled over at most so many segments on either side.
    low_window_m, low_quantile : float
        The first reference for height: this quantile of the medians of 20 m blocks within ± the window.
        The window is wide because some 10 km hold no water at all, and the sea surface changes by
        centimetres over 25 km where floes stand decimetres above it.
    low_error_m : float
        How well that quantile marks the water: it may be floe where no lead is near.
    """

    pulse_sd: float = 0.10
    evidence: float = 0.8
    clear_window_m: float = 3000.0
    clear_quantile: float = 0.8
    clear_least: float = 0.4
    bright_least: float = 0.95
    width_softness_m: float = 0.01
    rate_softness: float = 0.03
    rate_ice: float = 4.5
    guard_most: float = 3.0
    pool_most: int = 100
    low_window_m: float = 25_000.0
    low_quantile: float = 0.02
    low_error_m: float = 0.04


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the rule knows of n segments before it knows the water level; arrays of shape (n,).

    Attributes
    ----------
    x, height, height_uncertainty, n_photons, height_sd : numpy.ndarray
        As in :class:`Observations`.
    rate, bright : numpy.ndarray
        Photons per shot of a strong beam under a clear sky: for dark and ordinary kinds, and for bright ones.
    counts : numpy.ndarray
        Photons that the rate rests on.
    background : numpy.ndarray
        Background relative to its median nearby; NaN by night.
    not_water, only_water : numpy.ndarray
        How far NASA's bounds say so, in standard deviations.
    is_cloud : numpy.ndarray of bool
    water_level, water_level_error : numpy.ndarray
        First guess of the water's height and its standard error, metres.
    lowest : numpy.ndarray
        Level of the lowest surfaces nearby, metres: water does not stand much above it.
    starts : numpy.ndarray
        Pieces of the track.
    transmission : numpy.ndarray
        How much cloud dims the stretch, 0.4 to 1.
    rate_pooled, width_pooled : numpy.ndarray
        Photons per shot (for bright kinds) and surface spread (pulse removed, m) at NASA's own scale.
    """

    x: np.ndarray
    height: np.ndarray
    height_uncertainty: np.ndarray
    n_photons: np.ndarray
    height_sd: np.ndarray
    rate: np.ndarray
    bright: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    not_water: np.ndarray
    only_water: np.ndarray
    is_cloud: np.ndarray
    water_level: np.ndarray
    water_level_error: np.ndarray
    lowest: np.ndarray
    starts: np.ndarray
    transmission: np.ndarray
    rate_pooled: np.ndarray
    width_pooled: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What ATLAS measured of n segments along a beam; arrays of shape (n,).

    Attributes
    ----------
    x, height, height_uncertainty : numpy.ndarray
        Along-track distance, corrected height and its standard error, metres; NaN heights are cloud.
    n_photons, height_sd : numpy.ndarray
        Photons of the height and their standard deviation (population), metres.
    spread : numpy.ndarray
        The same standard deviation pooled over the neighbourhood, metres.
    rate, n_shots : numpy.ndarray
        Signal photons per shot as measured, and shots.
    background_rate : numpy.ndarray
        Hz, NaN where unknown.
    solar_elevation : numpy.ndarray
        Degrees.
    starts : numpy.ndarray of int64
        Pieces of :func:`polynya.physics.tracks.pieces`; the chain starts afresh at each.
    """

    x: np.ndarray
    height: np.ndarray
    height_uncertainty: np.ndarray
    n_photons: np.ndarray
    height_sd: np.ndarray
    spread: np.ndarray
    rate: np.ndarray
    n_shots: np.ndarray
    background_rate: np.ndarray
    solar_elevation: np.ndarray
    starts: np.ndarray


def strong_equivalent(*, is_strong: bool, spot: int) -> float:
    """Return what to multiply a beam's photons per shot by to have those of a strong beam of gain 1."""
    return (1.0 if is_strong else WEAK_RATIO) / (GAIN_SPOT3 if spot == 3 else 1.0)


def gather(observed: Observations, *, is_strong: bool, spot: int = 0, rule: Rule | None = None) -> Evidence:
    """Gather what classes are decided from.

    Parameters
    ----------
    observed : Observations
        What ATLAS measured along the beam.
    is_strong : bool
        Whether the beam is a strong one.
    spot : int
        ATLAS spot 1-6 of the beam; 0 where unknown.
    rule : Rule, optional
        Constants of the rule.

    Returns
    -------
    Evidence
    """
    rule = rule or Rule()
    x, height, sigma = (np.asarray(a, np.float64) for a in (observed.x, observed.height, observed.height_uncertainty))
    n_photons, height_sd, spread = (
        np.asarray(a, np.float64) for a in (observed.n_photons, observed.height_sd, observed.spread)
    )
    rate, starts, background_rate = observed.rate, observed.starts, observed.background_rate
    scale = strong_equivalent(is_strong=is_strong, spot=spot)
    shots = np.maximum(np.asarray(observed.n_shots, np.float64), 1.0)
    bright = np.where(np.isfinite(rate), rate, n_photons / shots).astype(np.float64) * scale
    transmission = cloud_transmission(x, bright, rule=rule)
    clear = np.maximum(transmission, rule.bright_least)
    level, level_error, lowest = first_water_level(
        x, height, height_uncertainty=sigma, bright=bright, clear=clear, spread=spread, starts=starts, rule=rule
    )
    day = observed.solar_elevation > DAY_ELEVATION
    relative = np.full(x.size, np.nan)
    if day.any():
        usual = tracks.block_quantile(x, background_rate, block_m=200.0, window_m=2500.0, inner=0.5, outer=0.5)
        relative = np.where(day & (usual > 0), background_rate / np.where(usual > 0, usual, 1.0), np.nan)
    # NASA's bounds, at NASA's own scale: as many neighbours as hold 75 photons (half of that for weak beams, or a
    # 2 m product would know nothing below a few hundred metres).
    wanted = POOLED_PHOTONS if is_strong else POOLED_PHOTONS / 2
    pooled = tracks.pooled_ratio(bright / scale * shots, shots, starts, wanted, rule.pool_most) * scale / clear
    log_rate = np.log(np.maximum(np.nan_to_num(pooled), 0.05))
    between = np.minimum(log_rate - np.log(rule.rate_ice), np.log(RATE_SPECULAR) - log_rate) / rule.rate_softness
    degrees = np.maximum(n_photons - 1.0, 0.0)
    squares = np.where(degrees > 0, np.maximum(np.nan_to_num(height_sd) ** 2 * n_photons, 1e-6), 0.0)
    variance = 1.0 / tracks.pooled_ratio(degrees, squares, starts, wanted, rule.pool_most)
    width = np.sqrt(np.maximum(np.where(np.isfinite(variance), variance, spread**2) - rule.pulse_sd**2, 0.0))
    too_wide = np.clip((width - WIDTH_ROUGH) / rule.width_softness_m, 0.0, rule.guard_most)
    not_water = np.hypot(too_wide, np.clip(between, 0.0, rule.guard_most))
    mirror = np.clip((log_rate - np.log(RATE_SPECULAR)) / rule.rate_softness, 0.0, rule.guard_most)
    is_cloud = (
        (bright < CLOUD_RATE) | ~np.isfinite(height + sigma) | (n_photons < 1) | ~np.isfinite(level)
    )  # no level: no surface is bright enough
    return Evidence(
        x=x,
        height=height,
        height_uncertainty=sigma,
        n_photons=n_photons,
        height_sd=height_sd,
        rate=bright / transmission,
        bright=bright / clear,
        counts=np.maximum(shots * bright / scale, 1.0),
        background=relative,
        not_water=not_water,
        only_water=np.where(width < WIDTH_SMOOTH, mirror, 0.0),
        is_cloud=is_cloud,
        water_level=level,
        water_level_error=level_error,
        lowest=lowest,
        starts=starts,
        transmission=transmission,
        rate_pooled=pooled,
        width_pooled=width,
    )


def cloud_transmission(x: np.ndarray, bright: np.ndarray, *, rule: Rule) -> np.ndarray:
    """Return how much a stretch is dimmed against snow under a clear sky.

    Parameters
    ----------
    x, bright : numpy.ndarray, shape (n,)
        Along-track distance (m) and photons per shot of a strong beam.
    rule : Rule
        Constants of the rule.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Between ``clear_least`` and 1.
    """
    usual = tracks.block_quantile(
        x, bright, block_m=100.0, window_m=rule.clear_window_m, inner=0.5, outer=rule.clear_quantile
    )
    return np.clip(np.where(np.isfinite(usual), usual, CLEAR_RATE) / CLEAR_RATE, rule.clear_least, 1.0)


def first_water_level(
    x: np.ndarray,
    height: np.ndarray,
    *,
    height_uncertainty: np.ndarray,
    bright: np.ndarray,
    clear: np.ndarray,
    spread: np.ndarray,
    starts: np.ndarray,
    rule: Rule,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Guess the water level before any class is known.

    Mirror-like returns are water whatever their height (NASA's specular leads): where some lie within
    reach, their low quantile is the level. Elsewhere it is the low quantile of all 20 m blocks, with
    the bias that noise gives a low quantile put back.

    Parameters
    ----------
    x, height, height_uncertainty, bright, clear, spread : numpy.ndarray, shape (n,)
        ``bright`` is photons per shot of a strong beam, ``clear`` what to divide it by for cloud.
    starts : numpy.ndarray of int64
        Pieces of the track.
    rule : Rule
        Constants of the rule.

    Returns
    -------
    level, error, lowest : numpy.ndarray, shape (n,)
        Metres.
    """
    one = np.ones(x.size)
    seen, _ = tracks.running_mean(x, bright, one, starts, 10.0)
    height = np.where(seen > LEAST_RATE, height, np.nan)  # stretches of noise have no surface to be low
    low = tracks.block_quantile(x, height, block_m=20.0, window_m=rule.low_window_m, inner=0.5, outer=rule.low_quantile)
    noise = tracks.block_quantile(x, height_uncertainty, block_m=20.0, window_m=rule.low_window_m, inner=0.5, outer=0.5)
    in_block = x.size / (1 + np.count_nonzero(np.diff(np.floor(x / 20.0)))) if x.size else 1.0
    # A 2 % quantile of blocks that scatter by s lies 2 s below their level where all is water, less where little is;
    # a median scatters 1.25 times as much as a mean.
    low = low + 1.4 * 1.25 * noise / np.sqrt(max(in_block, 1.0))
    smooth, _ = tracks.running_mean(x, bright / clear, one, starts, 6.0)
    mirror = (
        (smooth > SPECULAR_RATE) & (spread < np.hypot(rule.pulse_sd, WIDTH_SMOOTH)) & (height - low < ABOVE_LOWEST_M)
    )
    seeds = tracks.block_quantile(
        x, np.where(mirror, height, np.nan), block_m=20.0, window_m=rule.low_window_m, inner=0.5, outer=0.3
    )
    known = np.isfinite(seeds)
    return np.where(known, seeds, low), np.where(known, 0.75 * rule.low_error_m, rule.low_error_m), low
