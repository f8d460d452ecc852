"""The chain of the surface rule: likelihoods of every kind, forward-backward along the track, classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import compiled
from ...schema import UNCLASSIFIED
from .evidence import Evidence, Rule
from .kinds import KINDS, Kind

FREEDOMS = frozenset({"reassoc", "contract", "arcp", "nsz"})
"""What the compiler may do to the likelihoods: sums in another order."""


@dataclass(frozen=True, kw_only=True)
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
        Of :func:`polynya.physics.surface_type.evidence.gather`.
    water_level, water_level_error : numpy.ndarray, shape (n,), optional
        Height of the local water where it is known better than from the first guess, and its standard error;
        NaN elsewhere. Metres.
    rule : Rule, optional
        Constants of the rule.
    kinds : tuple of Kind, optional
        Kinds of surface, by default :data:`polynya.physics.surface_type.kinds.KINDS`.

    Returns
    -------
    SurfaceTypes
    """
    rule = rule or Rule()
    e = evidence
    if e.x.size == 0:
        return SurfaceTypes(surface_class=np.empty(0, np.int8), probability=np.empty((0, 3), np.float32))
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
    return SurfaceTypes(surface_class=surface, probability=probability)


@compiled.later(fastmath=FREEDOMS)
def _chain(  # noqa: C901, PLR0913
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


@compiled.later(fastmath=FREEDOMS)
def _likelihoods(  # noqa: PLR0913
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
