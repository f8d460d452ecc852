"""Scores of a predicted value with its spread, as ``Value`` targets give it, from sums over blocks of ground.

Every score here is a function of sums that add up over blocks of ground, so its interval comes from drawing whole
blocks (:mod:`polynya.metrics`). Sums of a sample: n, t, t², d, d², |d| with t the truth and d the prediction minus it.
"""

from __future__ import annotations

import numpy as np

from ..metrics import Blocks, Estimate, block_sums, estimate
from .scene_rows import over

N_SIGMA_BINS = 8
"""Bins of stated uncertainty, each with the same number of samples."""
GAUSS_1SIGMA, GAUSS_2SIGMA = 0.6827, 0.9545
"""Shares of Gaussian errors within one and two standard deviations."""


def value_sums(value: np.ndarray, truth: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Return n and sums of t, t², d, d² and |d| by block, float64, shape (count, 6).

    Parameters
    ----------
    value, truth : numpy.ndarray of float, shape (n,)
        No NaN.
    blocks : Blocks
        Of the samples.
    """
    truth = np.asarray(truth, np.float64)
    difference = np.asarray(value, np.float64) - truth
    columns = (np.ones_like(truth), truth, truth**2, difference, difference**2, np.abs(difference))
    return block_sums(blocks, *columns)


def r2(sums: np.ndarray) -> np.ndarray:
    """Coefficient of determination, 1 - sum d² / sum (t - mean t)²; NaN where the truth is one value; (...)."""
    spread = sums[..., 2] - over(sums[..., 1] ** 2, sums[..., 0])
    spread = np.where(spread > 1e-9 * np.maximum(sums[..., 2], 1e-300), spread, np.nan)
    return 1.0 - sums[..., 4] / spread


def rmse(sums: np.ndarray) -> np.ndarray:
    """Root mean square difference; (...)."""
    return np.sqrt(over(sums[..., 4], sums[..., 0]))


def mae(sums: np.ndarray) -> np.ndarray:
    """Mean absolute difference; (...)."""
    return over(sums[..., 5], sums[..., 0])


def bias(sums: np.ndarray) -> np.ndarray:
    """Mean difference, prediction minus truth; (...)."""
    return over(sums[..., 3], sums[..., 0])


SCORES = {"r2": r2, "rmse": rmse, "mae": mae, "bias": bias}
"""Scores of a value by name; ``r2`` is a pure number, the others have the value's units."""


def value_scores(value: np.ndarray, truth: np.ndarray, blocks: Blocks) -> dict[str, Estimate]:
    """Return :data:`SCORES` with their 95 % intervals.

    Parameters
    ----------
    value, truth : numpy.ndarray of float, shape (n,)
        No NaN.
    blocks : Blocks
        Of the samples.
    """
    sums = value_sums(value, truth, blocks)
    return {name: estimate(sums, score, blocks=blocks) for name, score in SCORES.items()}


def coverage_scores(difference: np.ndarray, sigma: np.ndarray, blocks: Blocks) -> dict[str, Estimate]:
    """Return the shares of errors within one and two stated standard deviations.

    For Gaussian errors and a right sigma they are :data:`GAUSS_1SIGMA` and :data:`GAUSS_2SIGMA`. Errors of
    concentrations are not Gaussian: near 0 almost everywhere, large at edges.

    Parameters
    ----------
    difference, sigma : numpy.ndarray of float, shape (n,)
        Samples without a sigma above 0 are left out.
    blocks : Blocks
        Of the samples.
    """
    usable = np.isfinite(sigma) & (sigma > 0)
    size, stated, mine = np.abs(difference[usable]), sigma[usable], blocks.take(usable)
    sums = block_sums(mine, np.ones_like(stated), size <= stated, size <= 2.0 * stated)
    names = ("coverage_1sigma", "coverage_2sigma")
    return {n: estimate(sums[:, [0, k]], _share, blocks=mine) for k, n in enumerate(names, 1)}


def interval_score(truth: np.ndarray, low: np.ndarray, high: np.ndarray, blocks: Blocks) -> Estimate:
    """Return the share of truths inside an interval, ends included.

    Parameters
    ----------
    truth, low, high : numpy.ndarray of float, shape (n,)
        Samples without an interval (NaN) are left out.
    blocks : Blocks
        Of the samples.
    """
    usable = np.isfinite(low) & np.isfinite(high)
    inside = (truth[usable] >= low[usable]) & (truth[usable] <= high[usable])
    mine = blocks.take(usable)
    return estimate(block_sums(mine, np.ones(inside.size), inside), _share, blocks=mine)


def sigma_bins(
    difference: np.ndarray, sigma: np.ndarray, blocks: Blocks, *, n_bins: int = N_SIGMA_BINS
) -> list[tuple[float, float, Estimate]]:
    """Return how large errors are beside the sigma that was stated for them, in bins of sigma.

    Parameters
    ----------
    difference, sigma : numpy.ndarray of float, shape (n,)
        Samples without a sigma above 0 are left out.
    blocks : Blocks
        Of the samples.
    n_bins : int
        Bins with the same number of samples each; fewer where many samples share one sigma.

    Returns
    -------
    list of (low, high, Estimate)
        Ends of the bin, and the root mean square error over the root mean square sigma in it: 1 where sigma is right,
        above 1 where it is too small.
    """
    usable = np.isfinite(sigma) & (sigma > 0)
    size, stated, mine = difference[usable], sigma[usable], blocks.take(usable)
    if not stated.size:
        return []
    edges = np.unique(np.quantile(stated, np.linspace(0.0, 1.0, n_bins + 1)))
    if edges.size < 2:
        edges = np.array([edges[0], edges[0]])
    cell = np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, edges.size - 2)
    out = []
    for k in range(edges.size - 1):
        inside = cell == k
        own = mine.take(inside)
        sums = block_sums(own, np.ones(int(inside.sum())), size[inside] ** 2, stated[inside] ** 2)
        ratio = estimate(sums, lambda s: np.sqrt(over(s[..., 1], s[..., 2])), blocks=own)
        out.append((float(edges[k]), float(edges[k + 1]), ratio))
    return out


def _share(sums: np.ndarray) -> np.ndarray:
    return over(sums[..., 1], sums[..., 0])
