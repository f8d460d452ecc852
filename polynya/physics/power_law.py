"""The size distribution of floes as a power law: exponent, interval, and from which size it holds.

The number of floes wider than d falls as d to minus alpha (Rothrock and Thorndike 1984, doi:10.1029/JC089iC04p06477).
Alpha is the maximum-likelihood estimate, and the size from which the law holds is that of the least distance of
Kolmogorov and Smirnov (Clauset, Shalizi and Newman 2009, doi:10.1137/070710111). Large floes are cut by the border of
an image more often than small ones and are then left out: every whole floe counts by one over the probability that it
fits (Lantuejoul's correction, in Serra 1982, Image Analysis and Mathematical Morphology).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

FEWEST = 50
"""Floes from which an exponent is given."""
LEVEL = 0.95
CANDIDATES = 30
DRAWS = 200
MOST_DRAWN = 20_000
"""Sizes of one draw of the test of the law."""


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """A fitted law.

    Attributes
    ----------
    exponent, low, high : float
        Alpha of the number of floes wider than d, and the ends of its 95 % interval. The interval takes the floes as
        independent and the size from which the law holds as known.
    smallest : float
        Size from which the law holds, in the units of the sizes.
    n : int
        Floes from there on.
    distance : float
        Largest difference between the cumulative distributions of floes and law.
    p_value : float
        Share of samples drawn from the law that lie at least as far from it: below 0.1 the floes follow another one.
    """

    exponent: float
    low: float
    high: float
    smallest: float
    n: int
    distance: float
    p_value: float


def fits_weight(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return one over the probability that a floe lies whole in an image, float64 (n,).

    Parameters
    ----------
    boxes : numpy.ndarray, shape (n, 2)
        Height and width of each floe's upright box, pixels.
    shape : (int, int)
        Height and width of the image.
    """
    room = np.maximum(np.asarray(shape, float) - np.asarray(boxes, float).reshape(-1, 2) + 1.0, 1.0)
    return np.prod(np.asarray(shape, float) / room, axis=1)


def fit(sizes: np.ndarray, *, resolvable: float, weights: np.ndarray | None = None, seed: int = 0) -> PowerLaw | None:
    """Fit a power law to sizes.

    Parameters
    ----------
    sizes : numpy.ndarray, shape (n,)
        Of whole floes.
    resolvable : float
        Smaller ones are left out.
    weights : numpy.ndarray, shape (n,), optional
        Of :func:`fits_weight`; 1 each by default.
    seed : int
        Of the samples of the test.

    Returns
    -------
    PowerLaw or None
        None of fewer than :data:`FEWEST` floes.
    """
    sizes = np.asarray(sizes, np.float64)
    weights = np.ones(sizes.size) if weights is None else np.asarray(weights, np.float64)
    kept = np.isfinite(sizes) & (sizes >= resolvable)
    order = np.argsort(sizes[kept])
    sizes, weights = sizes[kept][order], weights[kept][order]
    if sizes.size < FEWEST or sizes[-FEWEST] >= sizes[-1]:
        return None
    starts = np.unique(np.linspace(0, sizes.size - FEWEST, CANDIDATES).astype(int))
    starts = np.unique(np.searchsorted(sizes, sizes[starts]))
    found = [
        (_distance(sizes[k:], weights[k:], exponent := _exponent(sizes[k:], weights[k:])), exponent, k) for k in starts
    ]
    distance, exponent, k = min(found)
    n = sizes.size - int(k)
    free = _effective(weights[k:])
    low, high = (exponent * stats.chi2.ppf(q, 2 * free) / (2 * free) for q in (0.5 - LEVEL / 2, 0.5 + LEVEL / 2))
    return PowerLaw(
        exponent=exponent,
        low=float(low),
        high=float(high),
        smallest=float(sizes[k]),
        n=n,
        distance=distance,
        p_value=_p_value(distance, min(max(round(free), 2), MOST_DRAWN), seed),
    )


def _exponent(sizes: np.ndarray, weights: np.ndarray) -> float:
    total = float((weights * np.log(sizes / sizes[0])).sum())
    return float(weights.sum() / total) if total > 0 else float("inf")


def _effective(weights: np.ndarray) -> float:
    """Return how many floes of equal weight say as much (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _distance(sizes: np.ndarray, weights: np.ndarray, exponent: float) -> float:
    """Return the distance of Kolmogorov and Smirnov of sorted sizes to their law."""
    law = 1.0 - (sizes / sizes[0]) ** -exponent
    upper = np.cumsum(weights) / weights.sum()
    lower = upper - weights / weights.sum()
    return float(np.maximum(np.abs(upper - law), np.abs(law - lower)).max())


def _p_value(distance: float, n: int, seed: int) -> float:
    """Return the share of fitted samples of a law that lie at least as far from theirs; no exponent matters to it."""
    rng = np.random.default_rng(seed)
    same = np.ones(n)
    far = 0
    for _ in range(DRAWS):
        drawn = np.sort(np.exp(rng.exponential(size=n)))
        far += _distance(drawn, same, _exponent(drawn, same)) >= distance
    return far / DRAWS
