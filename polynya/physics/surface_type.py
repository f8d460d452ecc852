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

from dataclasses import dataclass

import numba as nb
import numpy as np

from ..schema import OPEN_WATER, THICK_ICE, THIN_ICE, UNCLASSIFIED
from . import tracks

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
RATE_DARK, RATE_SPECULAR = 2.5, 11.0
"""NASA's bounds: darker than the first or brighter than the second may be water, what lies between is snow or ice."""
POOLED_PHOTONS = 75.0
"""Half of an ATL07 segment's 150 photons on either side of a segment's middle."""
SPECULAR_RATE = 12.0
"""Photons per shot that a flat mirror-like surface alone returns: between NASA's 11 and 14."""
ABOVE_LOWEST_M = 0.15
"""Nothing floats below the water: what stands higher than this above the lowest surfaces within 25 km is none. Room is
left for the tilt of the sea surface and for the noise of a low quantile."""
DAY_ELEVATION = 15.0
"""Solar elevation from which the background counts (theta_cntl of ATL07), degrees."""


@dataclass(frozen=True)
class Kind:
    """One kind of surface: its class, share, and distributions of the four variables.

    Attributes
    ----------
    name : str
    surface_class : int
    share : float
        Prior share of the track.
    rate, rate_spread : float
        Median photons per shot of a strong beam, and standard deviation of its logarithm.
    width, width_spread : float
        Median standard deviation of surface height inside the footprint (m), pulse removed, and of its logarithm.
    height, height_spread : float
        Height above the local water (m), normal.
    background, background_spread : float
        Background relative to its median nearby, by day.
    length : float
        How far one such patch goes on, metres.
    """

    name: str
    surface_class: int
    share: float
    rate: float
    rate_spread: float
    width: float
    width_spread: float
    height: float
    height_spread: float
    background: float
    background_spread: float
    length: float


# Rates: NASA's bounds 0.5, 2.5, 11, 14. Widths: NASA's 0.13 (smooth) and 0.17 m (rough). Heights: thin ice up to
# about 0.3 m thick floats 0 to 0.1 m high (buoyancy), laser freeboard of thick ice 0.1 to 0.8 m and ridges above
# (Kwok et al. 2019, doi:10.1029/2019JC015486; Petty et al. 2020). Lengths: leads of tens to hundreds of metres.
KINDS = (
    Kind("specular lead", OPEN_WATER, 0.015, 14.0, 0.20, 0.020, 0.7, 0.00, 0.030, 0.75, 0.25, 40.0),
    Kind("dark smooth lead", OPEN_WATER, 0.008, 1.3, 0.30, 0.030, 0.7, 0.00, 0.030, 0.70, 0.30, 60.0),
    Kind("rough lead", OPEN_WATER, 0.003, 1.7, 0.25, 0.080, 0.5, 0.00, 0.040, 0.70, 0.30, 80.0),
    Kind("nilas", THIN_ICE, 0.025, 3.0, 0.45, 0.030, 0.6, 0.03, 0.025, 0.75, 0.25, 60.0),
    Kind("grey-white ice", THIN_ICE, 0.025, 5.5, 0.40, 0.040, 0.6, 0.07, 0.040, 0.85, 0.20, 60.0),
    Kind("shiny thin ice", THIN_ICE, 0.012, 8.5, 0.20, 0.030, 0.6, 0.03, 0.030, 0.80, 0.25, 40.0),
    Kind("snow-covered ice", THICK_ICE, 0.700, 7.5, 0.25, 0.060, 0.6, 0.35, 0.150, 1.00, 0.12, 500.0),
    Kind("low floe", THICK_ICE, 0.150, 7.5, 0.25, 0.050, 0.6, 0.16, 0.080, 1.00, 0.12, 500.0),
    Kind("ridge", THICK_ICE, 0.050, 7.0, 0.35, 0.300, 0.6, 0.90, 0.500, 1.00, 0.15, 20.0),
    Kind("wet or dark patch on thick ice", THICK_ICE, 0.020, 2.2, 0.60, 0.030, 0.8, 0.25, 0.100, 0.85, 0.20, 30.0),
)


@dataclass(frozen=True)
class Rule:
    """Constants of the rule beside the kinds.

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
        below ``bright_least``: they are judged by the rate nearly as it is.
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


@dataclass(frozen=True)
class Evidence:
    """What the rule knows of n segments before it knows the water level; arrays of shape (n,).

    Attributes
    ----------
    x, height, height_uncertainty, n_photons, height_sd : numpy.ndarray
        As given to :func:`gather`.
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


@dataclass(frozen=True)
class SurfaceTypes:
    """Classes of n segments.

    Attributes
    ----------
    surface_class : numpy.ndarray of int8, shape (n,)
        0 thick ice, 1 thin ice, 2 open water, -1 unclassified (cloud, or no height).
    probability : numpy.ndarray of float32, shape (n, 3)
        Scores of thick, thin, water; they add up to 1, NaN where unclassified.
    """

    surface_class: np.ndarray
    probability: np.ndarray


def strong_equivalent(*, is_strong: bool, spot: int) -> float:
    """Return what to multiply a beam's photons per shot by to have those of a strong beam of gain 1."""
    return (1.0 if is_strong else WEAK_RATIO) / (GAIN_SPOT3 if spot == 3 else 1.0)


def gather(
    x: np.ndarray,
    height: np.ndarray,
    *,
    height_uncertainty: np.ndarray,
    n_photons: np.ndarray,
    height_sd: np.ndarray,
    spread: np.ndarray,
    rate: np.ndarray,
    n_shots: np.ndarray,
    background_rate: np.ndarray,
    solar_elevation: np.ndarray,
    is_strong: bool,
    spot: int = 0,
    starts: np.ndarray,
    rule: Rule | None = None,
) -> Evidence:
    """Gather what classes are decided from.

    Parameters
    ----------
    x, height, height_uncertainty : numpy.ndarray, shape (n,)
        Along-track distance, corrected height and its standard error, metres; NaN heights are cloud.
    n_photons, height_sd : numpy.ndarray, shape (n,)
        Photons of the height and their standard deviation (population), metres.
    spread : numpy.ndarray, shape (n,)
        The same standard deviation pooled over the neighbourhood, metres.
    rate, n_shots : numpy.ndarray, shape (n,)
        Signal photons per shot as measured, and shots.
    background_rate : numpy.ndarray, shape (n,)
        Hz, NaN where unknown.
    solar_elevation : numpy.ndarray, shape (n,)
        Degrees.
    is_strong, spot : bool, int
        The beam; spot 0 where unknown.
    starts : numpy.ndarray
        Pieces of :func:`polynya.physics.tracks.pieces`; the chain starts afresh at each.
    rule : Rule, optional

    Returns
    -------
    Evidence
    """
    rule = rule or Rule()
    x, height, sigma = (np.asarray(a, np.float64) for a in (x, height, height_uncertainty))
    n_photons, height_sd, spread = (np.asarray(a, np.float64) for a in (n_photons, height_sd, spread))
    scale = strong_equivalent(is_strong=is_strong, spot=spot)
    shots = np.maximum(np.asarray(n_shots, np.float64), 1.0)
    bright = np.where(np.isfinite(rate), rate, n_photons / shots).astype(np.float64) * scale
    transmission = cloud_transmission(x, bright, rule=rule)
    clear = np.maximum(transmission, rule.bright_least)
    level, level_error, lowest = first_water_level(
        x, height, height_uncertainty=sigma, bright=bright, clear=clear, spread=spread, starts=starts, rule=rule
    )
    day = solar_elevation > DAY_ELEVATION
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
        x,
        height,
        sigma,
        n_photons,
        height_sd,
        bright / transmission,
        bright / clear,
        np.maximum(shots * bright / scale, 1.0),
        relative,
        not_water,
        np.where(width < WIDTH_SMOOTH, mirror, 0.0),
        is_cloud,
        level,
        level_error,
        lowest,
        starts,
        transmission,
        pooled,
        width,
    )


def classify(
    evidence: Evidence,
    *,
    water_level: np.ndarray | None = None,
    water_level_error: np.ndarray | None = None,
    rule: Rule | None = None,
    kinds: tuple[Kind, ...] = KINDS,
) -> SurfaceTypes:
    """Classify segments.

    Parameters
    ----------
    evidence : Evidence
        Of :func:`gather`.
    water_level, water_level_error : numpy.ndarray, shape (n,), optional
        Height of the local water where it is known better than from the first guess, and its standard error;
        NaN elsewhere. Metres.
    rule, kinds : optional

    Returns
    -------
    SurfaceTypes
    """
    rule = rule or Rule()
    e = evidence
    if e.x.size == 0:
        return SurfaceTypes(np.empty(0, np.int8), np.empty((0, 3), np.float32))
    level, error = e.water_level, e.water_level_error
    if water_level is not None:
        known = np.isfinite(water_level)
        level = np.where(known, water_level, level)
        error = np.where(known, 0.02 if water_level_error is None else water_level_error, error)
    table = np.array(
        [
            [
                k.rate,
                k.rate_spread,
                k.width,
                k.width_spread,
                k.height,
                k.height_spread,
                k.background,
                k.background_spread,
                k.share,
                k.length,
                k.surface_class,
            ]
            for k in kinds
        ],
        np.float64,
    )
    probability = _chain(
        e.x,
        e.height - level,
        np.hypot(e.height_uncertainty, error),
        e.n_photons,
        e.height_sd,
        e.rate,
        e.bright,
        e.counts,
        e.background,
        e.not_water,
        e.only_water,
        e.is_cloud,
        e.starts,
        table,
        rule.pulse_sd,
        rule.evidence,
    )
    surface = np.argmax(probability, axis=1).astype(np.int8)
    surface[e.is_cloud] = UNCLASSIFIED
    probability[e.is_cloud] = np.nan
    return SurfaceTypes(surface, probability)


def cloud_transmission(x: np.ndarray, bright: np.ndarray, *, rule: Rule) -> np.ndarray:
    """Return how much a stretch is dimmed against snow under a clear sky.

    Parameters
    ----------
    x, bright : numpy.ndarray, shape (n,)
        Along-track distance (m) and photons per shot of a strong beam.
    rule : Rule

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
    starts : numpy.ndarray
    rule : Rule

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


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
def _chain(
    x,
    above,
    sigma,
    n,
    sd,
    rate,
    bright,
    counts,
    relative,
    not_water,
    only_water,
    cloud,
    starts,
    kinds,
    pulse_sd,
    evidence,
):  # pragma: no cover - compiled
    """Forward-backward over the kinds; a step either stays or draws a new kind by its share and length."""
    m = x.size
    k = kinds.shape[0]
    like = _likelihoods(
        above, sigma, n, sd, rate, bright, counts, relative, not_water, only_water, cloud, kinds, pulse_sd, evidence
    )
    out = np.zeros((m, 3), np.float32)
    share = kinds[:, 8] / kinds[:, 8].sum()
    enter = share / kinds[:, 9]
    enter /= enter.sum()
    # Stay probabilities for steps of whole metres, up to 64 m: a table spares an exponential per kind and step.
    stay = np.empty((65, k))
    for metres in range(65):
        for j in range(k):
            stay[metres, j] = np.exp(-metres / kinds[j, 9])
    scratch = np.empty(k)
    class_of = kinds[:, 10].astype(np.int64)
    forward = np.empty((m, k), np.float32)
    back = np.ones(k)
    for p in range(starts.size - 1):
        first, last = starts[p], starts[p + 1]
        for i in range(first, last):
            total = 0.0
            if i == first:
                for j in range(k):
                    scratch[j] = share[j] * like[i, j]
                    total += scratch[j]
            else:
                s = min(max(int(x[i] - x[i - 1] + 0.5), 1), 64)
                moved = 0.0
                for j in range(k):
                    moved += forward[i - 1, j] * (1.0 - stay[s, j])
                for j in range(k):
                    scratch[j] = (forward[i - 1, j] * stay[s, j] + moved * enter[j]) * like[i, j]
                    total += scratch[j]
            total = 1.0 / total
            for j in range(k):
                forward[i, j] = scratch[j] * total
        back[:] = 1.0
        for i in range(last - 1, first - 1, -1):
            total = 0.0
            for j in range(k):
                total += forward[i, j] * back[j]
            total = 1.0 / total
            for j in range(k):
                out[i, class_of[j]] += forward[i, j] * back[j] * total
            if i > first:
                s = min(max(int(x[i] - x[i - 1] + 0.5), 1), 64)
                arrive = 0.0
                for j in range(k):
                    scratch[j] = like[i, j] * back[j]
                    arrive += enter[j] * scratch[j]
                peak = 0.0
                for j in range(k):
                    back[j] = stay[s, j] * scratch[j] + (1.0 - stay[s, j]) * arrive
                    peak = max(peak, back[j])
                peak = 1.0 / peak
                for j in range(k):
                    back[j] *= peak
    return out


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
def _likelihoods(
    above, sigma, n, sd, rate, bright, counts, relative, not_water, only_water, cloud, kinds, pulse_sd, evidence
):  # pragma: no cover - compiled
    """Likelihood of each kind for each segment, the largest scaled to 1, shape (m, k)."""
    m = above.size
    k = kinds.shape[0]
    like = np.empty((m, k), np.float32)
    log_rate_of = np.log(kinds[:, 0])
    rate_variance = kinds[:, 1] ** 2
    is_bright = (kinds[:, 0] > 7.0) & (kinds[:, 10] > 0.0)
    photon_variance = pulse_sd * pulse_sd + kinds[:, 2] ** 2
    log_variance_of = np.log(photon_variance)
    # The logarithm of the width spreads; so does that of the photon variance, by the width's share of it.
    variance_spread = (2.0 * kinds[:, 3] * kinds[:, 2] ** 2 / photon_variance) ** 2 + 0.05
    height_variance = kinds[:, 5] ** 2
    dark_variance = kinds[:, 7] ** 2
    height_of = kinds[:, 4].copy()
    is_open = kinds[:, 5] > 0.3
    dark_of = kinds[:, 6].copy()
    is_water = kinds[:, 10] == 2.0
    square = np.empty(k)
    product = np.empty(k)
    for i in range(m):
        if cloud[i]:
            like[i, :] = 1.0
            continue
        log_rate = np.log(max(rate[i], 0.05))
        log_bright = np.log(max(bright[i], 0.05))
        free = n[i] - 1.0
        log_variance = np.log(max(sd[i] * sd[i] * n[i] / max(free, 1.0), 1e-5))
        has_width = free >= 1.0
        has_dark = np.isfinite(relative[i])
        rate_noise = 1.0 / counts[i]
        width_noise = 2.0 / max(free, 1.0)
        height_noise = sigma[i] * sigma[i]
        no_water = not_water[i] * not_water[i]
        no_ice = only_water[i] * only_water[i]
        for j in range(k):
            s2 = rate_variance[j] + rate_noise
            d = (log_bright if is_bright[j] else log_rate) - log_rate_of[j]
            square[j] = d * d / s2 + (no_water if is_water[j] else no_ice)
            product[j] = s2
        if has_width:
            for j in range(k):
                s2 = variance_spread[j] + width_noise
                d = log_variance - log_variance_of[j]
                square[j] += d * d / s2
                product[j] *= s2
        for j in range(k):
            s2 = height_variance[j] + height_noise
            d = above[i] - height_of[j]
            if is_open[j]:  # ridges have no upper end
                d = min(d, 0.0)
            square[j] += d * d / s2
            product[j] *= s2
        if has_dark:
            for j in range(k):
                d = relative[i] - dark_of[j]
                square[j] += d * d / dark_variance[j]
                product[j] *= dark_variance[j]
        best = 1e300
        for j in range(k):
            square[j] += np.log(product[j])
            best = min(best, square[j])
        for j in range(k):
            like[i, j] = np.exp(max(-0.5 * evidence * (square[j] - best), -40.0)) + 1e-12
    return like
