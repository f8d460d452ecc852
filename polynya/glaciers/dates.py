"""Several dates of one ground to one map: which dates a pixel's answer rests on, and how far they agree.

Seasonal snow makes rock look like glacier, never the other way round, so dates do not count alike. A pixel's dates are
weighted by how much snowier than its least snowy date they look, and the answer is the weighted median of their
probabilities: one bad date of three moves it little, and there is no bias to small glaciers as a low quantile has,
which takes the lowest of the errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

SNOW_SCALE = 0.15
"""Difference of NDSI at which a date has 61 % of the weight of the least snowy one: between two dates the NDSI of one
snow-free surface differs by less (air, sun), that of snow-free and snow-covered rock by more than 0.4 (3 %)."""
SURE = 1e-4
"""Probabilities are kept so far from 0 and 1 where their normal scores are compared."""
RULE = (
    "weighted median of the probabilities of the dates without cloud; the weight of a date falls with the square of how"
    f" far its NDSI lies above that of the pixel's least snowy date (scale {SNOW_SCALE})"
)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """One answer of several dates.

    Attributes
    ----------
    probability : numpy.ndarray, shape (h, w)
        NaN where no date has one.
    spread : numpy.ndarray, shape (h, w)
        Weighted standard deviation of the probability among the dates.
    n_clear : numpy.ndarray of uint8, shape (h, w)
        Dates with a probability and without cloud.
    weight : numpy.ndarray, shape (dates, h, w)
        Sum 1 in every pixel that has a probability, else 0.
    """

    probability: np.ndarray
    spread: np.ndarray
    n_clear: np.ndarray
    weight: np.ndarray


def merge(
    probability: np.ndarray, snow: np.ndarray, is_cloud: np.ndarray, *, threshold: float = 0.5, is_map: bool = True
) -> Merged:
    """Merge the probabilities of several dates.

    The spread among dates goes into the probability: where the normal scores of the dates have the weighted standard
    deviation s, the distance of their median to the threshold's score is divided by sqrt(1 + s²). That is the mean of
    a probability whose score has a normal error of s. It never crosses the threshold, so it changes no outline, only
    how sure it is. s is not divided by the number of dates: their errors have common causes.

    Parameters
    ----------
    probability : numpy.ndarray, shape (dates, h, w)
        NaN where a date has none.
    snow : numpy.ndarray, shape (dates, h, w)
        NDSI; where it is missing at one of a pixel's dates, its dates count alike.
    is_cloud : numpy.ndarray of bool, shape (dates, h, w)
        Such dates count only where a pixel has no other.
    threshold : float
        Probability from which a pixel is glacier.
    is_map : bool
        False for maps of 0 and 1: the spread is left out of them.

    Returns
    -------
    Merged
    """
    known = np.isfinite(probability)
    clear = known & ~is_cloud
    n_clear = clear.sum(axis=0)
    used = np.where(n_clear > 0, clear, known)
    weight = _weights(snow, used)
    median = weighted_median(probability, weight)
    mean = np.where(used, weight * np.nan_to_num(probability), 0.0).sum(axis=0)
    spread = _deviation(np.nan_to_num(probability), weight, mean)
    if is_map:
        score = ndtri(np.clip(np.nan_to_num(probability, nan=0.5), SURE, 1.0 - SURE))
        middle = (weight * score).sum(axis=0)
        wide = np.sqrt(1.0 + _deviation(score, weight, middle) ** 2)
        at, limit = ndtri(np.clip(median, SURE, 1.0 - SURE)), ndtri(threshold)
        median = np.where(wide > 1.0 + 1e-6, ndtr(limit + (at - limit) / wide), median)
    return Merged(
        probability=median.astype(np.float32),
        spread=np.where(known.any(axis=0), spread, np.nan).astype(np.float32),
        n_clear=n_clear.astype(np.uint8),
        weight=weight.astype(np.float32),
    )


def _weights(snow: np.ndarray, used: np.ndarray) -> np.ndarray:
    is_known = (np.isfinite(snow) | ~used).all(axis=0)
    index = np.where(used & np.isfinite(snow), snow, np.inf)
    with np.errstate(invalid="ignore"):
        above = (index - index.min(axis=0)) / SNOW_SCALE
    weight = np.where(used, np.where(is_known, np.exp(-0.5 * np.where(np.isfinite(above), above, 0.0) ** 2), 1.0), 0.0)
    total = weight.sum(axis=0)
    return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)


def _deviation(values: np.ndarray, weight: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.sqrt((weight * (values - mean) ** 2).sum(axis=0))


def weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted median over the first axis.

    Values stand at the middle of their weight in the sorted order, and between them it is linear: of equal weights it
    is the usual median.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, ...)
        Those with weight 0 do not count.
    weight : numpy.ndarray, same shape
        Sum 1; all 0 gives NaN.
    """
    order = np.argsort(np.where(weight > 0, values, np.inf), axis=0)
    v, w = np.take_along_axis(values, order, axis=0), np.take_along_axis(weight, order, axis=0)
    at = np.cumsum(w, axis=0) - 0.5 * w
    below = ((w > 0) & (at <= 0.5)).sum(axis=0) - 1  # last value at or below the middle; -1 for none
    last = (w > 0).sum(axis=0) - 1
    low = np.clip(below, 0, None)[None]
    high = np.clip(below + 1, 0, np.clip(last, 0, None))[None]
    (v0, v1), (a0, a1) = ([np.take_along_axis(x, k, axis=0)[0] for k in (low, high)] for x in (v, at))
    step = np.divide(0.5 - a0, a1 - a0, out=np.zeros_like(a0), where=a1 > a0)
    return np.where(last >= 0, v0 + (v1 - v0) * np.clip(step, 0.0, 1.0), np.nan)
