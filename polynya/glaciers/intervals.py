"""How sure an area is: intervals of glacier areas from calibrated probabilities, drawn again block by block.

What is drawn. Pixels of one margin err together: the mapped margin lies outside the true one, or inside it, over long
stretches. Every block of 3.2 km gets one number u between 0 and 1 in a draw, and its glacier area in that draw is the
area with probability above u. Over many draws every pixel is glacier as often as its probability says, so the draws
agree with the calibration; inside a block all pixels err the same way, which is the widest that the probabilities
allow; different blocks err independently, or with the correlation ``between_blocks``. Where scenes with truth show that
pixels of a block partly make up for one another, u is drawn about the middle, its normal score with the standard
deviation ``sd`` that was found there. A glacier's interval holds the 2.5 % and 97.5 % of its drawn areas, that of the
total those of the sum over glaciers of the same draw. Blocks of this size follow ICEmapper's bootstrap, which draws
blocks with known errors; here nothing but the probabilities is known.

What it covers: where the margins lie, as far as the probabilities are calibrated on scenes like this one. What it does
not: a calibration that is off on this scene (fit ``between_blocks`` on held-out scenes with :func:`fit_between_blocks`
to include what is shared), glaciers missed altogether further than ``reach_m`` from every outline (``elsewhere_km2`` is
their expected area), ice divides, and the date.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from scipy.ndimage import distance_transform_edt
from scipy.special import expit, ndtr, ndtri

from ..errors import UsageError
from ..scenes.areas import pixel_size_m, row_areas_m2
from ..schema import Estimate
from .attributes import rasterised
from .outlines import with_halo

BLOCK_M = 3200.0
"""Side of a block, metres."""
REACH_M = 500.0
"""Ice further outside every outline belongs to none of them."""
BINS = 320
"""Steps of probability, of equal width in its logit: most pixels of a scene are all but certain, and a coarse first
step would lend them ice."""
EDGES = np.concatenate([[0.0], expit(np.linspace(-8.0, 8.0, BINS - 1)), [1.0]])

Read = Callable[[slice, slice], np.ndarray]
"""Takes rows and columns; returns the calibrated probability of glacier, NaN where nothing was predicted."""


@dataclass(frozen=True, kw_only=True)
class Margins:
    """What intervals need of a scene: the area above every probability, by glacier and block.

    Attributes
    ----------
    glacier, block : numpy.ndarray of int64, shape (m,)
        Pairs that occur.
    above : numpy.ndarray, shape (m, BINS + 1)
        km² with probability of at least EDGES[k]; the last column is 0.
    mapped : numpy.ndarray, shape (m,)
        km² inside the outlines.
    n_glaciers, n_blocks : int
    elsewhere_km2 : float
        Expected area outside the outlines: the sum of probability times area further than ``reach_m`` from all.
    """

    glacier: np.ndarray
    block: np.ndarray
    above: np.ndarray
    mapped: np.ndarray
    n_glaciers: int
    n_blocks: int
    elsewhere_km2: float


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Areas with their 95 % intervals.

    Attributes
    ----------
    low, high : numpy.ndarray, shape (n,)
        km², of each glacier.
    expected : numpy.ndarray, shape (n,)
        km², mean of the draws.
    total : polynya.schema.Estimate
        Sum of the areas; ``n`` is the number of blocks.
    elsewhere_km2 : float
    """

    low: np.ndarray
    high: np.ndarray
    expected: np.ndarray
    total: Estimate
    elsewhere_km2: float


def gather(
    read: Read,
    *,
    outlines: gpd.GeoDataFrame,
    geobox: GeoBox,
    block_m: float = BLOCK_M,
    reach_m: float = REACH_M,
    blocks_at_once: int = 6,
) -> Margins:
    """Collect areas above every probability, by glacier and block, window by window.

    A pixel belongs to the outline it lies in, else to the nearest one within reach.

    Parameters
    ----------
    read : callable
        See :data:`Read`.
    outlines : geopandas.GeoDataFrame
        Polygons that do not overlap; row k is glacier k.
    geobox : odc.geo.GeoBox
        Grid of the probabilities.
    block_m : float
        Side of a block of ground, m.
    reach_m : float
        Pixels further from all outlines belong to the expected area outside the outlines.
    blocks_at_once : int
        A window holds so many blocks squared.

    Raises
    ------
    UsageError
        If a block would be smaller than two pixels.
    """
    shape = tuple(int(v) for v in geobox.shape)
    wide, tall = pixel_size_m(geobox)
    side = (max(round(block_m / tall), 1), max(round(block_m / wide), 1))
    if min(side) < 2:
        raise UsageError(
            f"area intervals: a block of {block_m:g} m is {side} pixels; expected two or more. Take larger blocks."
        )
    halo = math.ceil(reach_m / min(wide, tall)) + 1
    polygons = outlines.geometry.to_crs(geobox.crs.to_wkt()).to_numpy()
    bounds = np.array([g.bounds for g in polygons]).reshape(-1, 4)
    across = math.ceil(shape[1] / side[1])
    outside = 0.0
    pieces: list[tuple[np.ndarray, ...]] = []
    for top in range(0, shape[0], side[0] * blocks_at_once):
        for left in range(0, shape[1], side[1] * blocks_at_once):
            rows, columns = (
                slice(top, min(top + side[0] * blocks_at_once, shape[0])),
                slice(left, min(left + side[1] * blocks_at_once, shape[1])),
            )
            wide_rows, wide_columns, own = with_halo(rows, columns, shape, halo)
            index = rasterised(polygons, geobox, wide_rows, wide_columns, bounds=bounds)
            p = np.asarray(read(rows, columns), np.float64)
            area = np.broadcast_to(row_areas_m2(geobox, rows, 0.5 * (left + columns.stop))[:, None] * 1e-6, p.shape)
            nearest = index
            if (index >= 0).any():
                distance, at = distance_transform_edt(index < 0, sampling=(tall, wide), return_indices=True)
                nearest = np.where(distance <= reach_m, index[at[0], at[1]], -1)
            nearest, inside = nearest[own], index[own] >= 0
            seen = np.isfinite(p)
            outside += float((p * area)[seen & (nearest < 0)].sum())
            number = np.add.outer(
                np.arange(rows.start, rows.stop) // side[0] * across, np.arange(columns.start, columns.stop) // side[1]
            )
            kept = nearest >= 0
            if kept.any():
                pieces.append(
                    _sums(nearest[kept], number[kept], np.where(seen, p, inside * 1.0)[kept], area[kept], inside[kept])
                )
    if not pieces:
        return Margins(
            glacier=np.zeros(0, np.int64),
            block=np.zeros(0, np.int64),
            above=np.zeros((0, BINS + 1)),
            mapped=np.zeros(0),
            n_glaciers=len(polygons),
            n_blocks=0,
            elsewhere_km2=outside,
        )
    glacier, block, histogram, mapped = (np.concatenate(c) for c in zip(*pieces, strict=True))
    above = np.concatenate([np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1], np.zeros((len(histogram), 1))], axis=1)
    _, block = np.unique(block, return_inverse=True)
    return Margins(
        glacier=glacier,
        block=block.astype(np.int64),
        above=above,
        mapped=mapped,
        n_glaciers=len(polygons),
        n_blocks=int(block.max()) + 1,
        elsewhere_km2=outside,
    )


def _sums(
    glacier: np.ndarray, block: np.ndarray, p: np.ndarray, area: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, ...]:
    span = int(block.max()) + 1
    cell, at = np.unique(glacier.astype(np.int64) * span + block, return_inverse=True)
    pairs = np.column_stack([cell // span, cell % span])
    key = at * BINS + np.clip(np.searchsorted(EDGES, p, side="right") - 1, 0, BINS - 1)
    histogram = np.bincount(key, weights=area, minlength=len(pairs) * BINS).reshape(len(pairs), BINS)
    return pairs[:, 0], pairs[:, 1], histogram, np.bincount(at, weights=area * inside, minlength=len(pairs))


def draw(
    margins: Margins, *, n_draws: int = 2000, between_blocks: float = 0.0, sd: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Draw the areas of all glaciers less their mapped areas.

    Parameters
    ----------
    margins : Margins
        Of :func:`gather`.
    n_draws : int
        Random draws.
    between_blocks : float
        Between-block correlation of the errors, 0 to 1 (of the normal scores of u).
    sd : float
        Standard deviation of the normal scores of u, which is the within-block correlation: 1 where all pixels of a
        block err together, less where they partly compensate.
    seed : int
        Of the random numbers.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_glaciers)
        km².
    """
    if not 0.0 <= between_blocks <= 1.0:
        raise UsageError(f"between_blocks: is {between_blocks:g}; expected 0 to 1. It is a correlation.")
    if not sd > 0.0:
        raise UsageError(f"sd: is {sd:g}; expected a number above 0. It is a standard deviation.")
    rng = np.random.default_rng(seed)
    out = np.zeros((n_draws, margins.n_glaciers))
    if not len(margins.glacier):
        return out
    order = np.argsort(margins.glacier, kind="stable")
    first = np.flatnonzero(np.diff(margins.glacier[order], prepend=-1))
    owners = margins.glacier[order][first]
    for k in range(n_draws):
        z = math.sqrt(between_blocks) * rng.standard_normal() + math.sqrt(1.0 - between_blocks) * rng.standard_normal(
            margins.n_blocks
        )
        out[k, owners] = np.add.reduceat(
            (_area_above(margins, ndtr(sd * z)[margins.block]) - margins.mapped)[order], first
        )
    return out


def _area_above(margins: Margins, u: np.ndarray) -> np.ndarray:
    """Return the area with probability above u of every pair, linear between the steps."""
    k = np.clip(np.searchsorted(EDGES, u, side="right") - 1, 0, BINS - 1)
    rows = np.arange(len(u))
    low, high = margins.above[rows, k], margins.above[rows, k + 1]
    return low + (high - low) * np.clip((u - EDGES[k]) / (EDGES[k + 1] - EDGES[k]), 0.0, 1.0)


def intervals(
    margins: Margins,
    areas_km2: np.ndarray,
    *,
    n_draws: int = 2000,
    between_blocks: float = 0.0,
    sd: float = 1.0,
    seed: int = 0,
) -> Intervals:
    """Give every glacier's area and their sum a 95 % interval.

    An interval that would not contain the mapped area is extended to it.

    Parameters
    ----------
    margins : Margins
        Of :func:`gather`.
    areas_km2 : numpy.ndarray, shape (n,)
        Areas of the outlines.
    n_draws, between_blocks, sd, seed
        See :func:`draw`.
    """
    areas = np.asarray(areas_km2, np.float64)
    if areas.shape != (margins.n_glaciers,):
        raise UsageError(
            f"area intervals: {areas.size} areas for {margins.n_glaciers} outlines; expected as many. Give the areas of"
            " the outlines gathered."
        )
    if not margins.n_glaciers:
        return Intervals(
            low=areas,
            high=areas,
            expected=areas,
            total=Estimate(value=0.0, low=np.nan, high=np.nan, n=0),
            elsewhere_km2=margins.elsewhere_km2,
        )
    drawn = np.maximum(draw(margins, n_draws=n_draws, between_blocks=between_blocks, sd=sd, seed=seed) + areas, 0.0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    whole = drawn.sum(axis=1)
    total = float(areas.sum())
    t_low, t_high = (float(q) for q in np.quantile(whole, [0.025, 0.975]))
    return Intervals(
        low=np.minimum(low, areas),
        high=np.maximum(high, areas),
        expected=drawn.mean(axis=0),
        total=Estimate(value=total, low=min(t_low, total), high=max(t_high, total), n=margins.n_blocks),
        elsewhere_km2=margins.elsewhere_km2,
    )


def fit_between_blocks(scores: list[np.ndarray]) -> float:
    """Estimate the correlation of errors between blocks of a scene from scenes with truth.

    Parameters
    ----------
    scores : list of numpy.ndarray
        A scene each: where the true area of every block fell among its drawn ones, as a share in 0..1
        (:func:`block_scores`).

    Returns
    -------
    float
        Share of the mean square of the normal scores that the scenes' means hold beyond chance (one-way analysis of
        variance about zero: an error that all scenes share is one that the blocks of each share), 0 to 1; NaN with
        fewer than two scenes, or none with two blocks.
    """
    z = [normal_scores(s[np.isfinite(s)]) for s in scores]
    z = [v for v in z if v.size]
    n = np.array([v.size for v in z], float)
    if len(z) < 2 or n.sum() <= len(z):
        return float("nan")
    between = float((n * np.array([v.mean() for v in z]) ** 2).sum()) / len(z)
    within = sum(float(((v - v.mean()) ** 2).sum()) for v in z) / (n.sum() - len(z))
    size = n.sum() / len(z)
    return (
        float(np.clip((between - within) / (between + (size - 1.0) * within), 0.0, 1.0))
        if between + (size - 1.0) * within > 0
        else 0.0
    )


def normal_scores(score: np.ndarray) -> np.ndarray:
    """Return shares in 0..1 as what a normal distribution has at them, within ±3."""
    return ndtri(np.clip(score, ndtr(-3.0), ndtr(3.0)))


def scores_of_blocks(
    probability: np.ndarray, truth: np.ndarray, block: np.ndarray, *, least_doubt: float = 25.0
) -> dict[int, float]:
    """Return where the true area of every block falls among its areas above 0..1, as a share, for pixels of equal area.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n,)
        Calibrated, of the class whose area it is.
    truth : numpy.ndarray, shape (n,)
        1 for the class, 0 for others, below 0 unknown.
    block : numpy.ndarray of int64, shape (n,)
        Number of each pixel's block.
    least_doubt : float
        Blocks with less than so many pixels in doubt (the sum of p (1 - p)) tell nothing and are left out.
    """
    out: dict[int, float] = {}
    used = (truth >= 0) & np.isfinite(probability)
    probability, truth, block = probability[used], truth[used], block[used]
    if not block.size:
        return out
    order = np.argsort(block, kind="stable")
    numbers, first = np.unique(block[order], return_index=True)
    for number, at in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
        p, n = np.sort(probability[at])[::-1], int(np.count_nonzero(truth[at] == 1))
        if float((p * (1.0 - p)).sum()) >= least_doubt:
            above, below = 1.0 if n == 0 else p[n - 1], 0.0 if n == p.size else p[n]
            out[number] = 1.0 - 0.5 * float(above + below)
    return out


def block_scores(margins: Margins, truth_km2: np.ndarray) -> np.ndarray:
    """Return where the true area of every pair of glacier and block falls among the areas above 0..1, as a share; NaN
    where nothing varies.

    Parameters
    ----------
    margins : Margins
        Of :func:`gather`.
    truth_km2 : numpy.ndarray, shape (m,)
        True area of each pair: ``above[:, -2]`` of the margins gathered from the truth (0 and 1) with the same outlines
        and grid.
    """
    out = np.full(len(margins.glacier), np.nan)
    for k, above in enumerate(margins.above):
        if above[0] > above[-2]:
            out[k] = 1.0 - np.interp(truth_km2[k], above[::-1], EDGES[::-1])
    return out
