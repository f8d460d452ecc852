"""Plain regressions for comparison: ridge, ridge on Gaussian kernels, and a random forest. numpy and numba only.

Each ``fit_`` function takes features (n, p) and targets (n,) and returns a function that predicts for other features.
Features are scaled by the training sample's mean and standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
BINS = 64
"""Quantile bins of a feature between which a tree may split."""


def fit_constant(features: np.ndarray, target: np.ndarray) -> Predict:
    """Return the training mean everywhere."""
    mean = float(target.mean())
    return lambda x: np.full(len(x), mean)


def fit_ridge(features: np.ndarray, target: np.ndarray, *, penalty: float) -> Predict:
    """Fit a ridge regression.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, p)
        Of the training sample.
    target : numpy.ndarray, shape (n,)
        What is predicted.
    penalty : float
        On the squared weights, beside the mean squared error.
    """
    scale = _scaling(features)
    z, mean = scale(features), target.mean()
    weights = np.linalg.solve(z.T @ z / len(z) + penalty * np.eye(z.shape[1]), z.T @ (target - mean) / len(z))
    return lambda x: scale(x) @ weights + mean


def fit_kernel(
    features: np.ndarray, target: np.ndarray, *, penalty: float, width: float, centres: int = 500, seed: int = 0
) -> Predict:
    """Fit a ridge regression on Gaussian kernels around some training samples, and on the features themselves.

    The linear part lets values go beyond those of the training sample.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, p)
        Of the training sample.
    target : numpy.ndarray, shape (n,)
        What is predicted.
    penalty : float
        On the squared norm of the function.
    width : float
        Of the kernels, in standard deviations of a feature times the square root of their number.
    centres : int
        Training samples that carry a kernel (Nyström).
    seed : int
        Of their choice.
    """
    scale = _scaling(features)
    z, mean = scale(features), target.mean()
    chosen = z[np.random.default_rng(seed).choice(len(z), min(centres, len(z)), replace=False)]
    size = z.shape[1]

    def kernel(a: np.ndarray) -> np.ndarray:
        product = a @ chosen.T
        squared = (a**2).sum(axis=1)[:, None] + (chosen**2).sum(axis=1) - 2.0 * product
        return np.exp(-squared / (2.0 * width**2 * size)) + product / size

    k, own = kernel(z), kernel(chosen)
    left = k.T @ k / len(k) + penalty * own + 1e-7 * np.eye(len(chosen))
    weights = np.linalg.solve(left, k.T @ (target - mean) / len(k))
    return lambda x: kernel(scale(x)) @ weights + mean


def fit_forest(
    features: np.ndarray, target: np.ndarray, *, trees: int, least: int, seed: int = 0, share: float = 1 / 3
) -> Predict:
    """Fit a random forest (Breiman 2001, doi:10.1023/A:1010933404324): bootstrap samples, variance reduction.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, p)
        Of the training sample.
    target : numpy.ndarray, shape (n,)
        What is predicted.
    trees : int
        Number of trees.
    least : int
        Samples in a leaf, at least.
    seed : int
        Of the samples and of the features that a split may use.
    share : float
        Of the features that are tried at a split.
    """
    edges = [np.unique(np.quantile(f, np.linspace(0, 1, BINS + 1)[1:-1])) for f in features.T]
    rng = np.random.default_rng(seed)
    binned, y = _binned(features, edges), np.ascontiguousarray(target, np.float64)
    tried = max(1, round(share * features.shape[1]))
    grown = [_grow(binned, y, rng.integers(0, len(y), len(y)), rng, tried, least) for _ in range(trees)]

    def predict(x: np.ndarray) -> np.ndarray:
        cells = _binned(x, edges)
        return np.mean([_drop(cells, *tree) for tree in grown], axis=0)

    return predict


def _scaling(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    return lambda x: (x - mean) / deviation


def _binned(features: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    columns = [np.searchsorted(e, f, side="right") for e, f in zip(edges, features.T, strict=True)]
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.uint8))


@numba.njit(cache=True)
def _best_split(binned, y, members, candidates, least):
    """Return the feature and the last bin left of the split that reduces variance most; -1 where none does."""
    count, total = np.zeros(BINS, np.int64), np.zeros(BINS)
    n, s = len(members), 0.0
    for m in members:
        s += y[m]
    gain, best, place = 1e-9, -1, 0
    for f in candidates:
        count[:] = 0
        total[:] = 0.0
        for m in members:
            b = binned[m, f]
            count[b] += 1
            total[b] += y[m]
        below, sum_below = 0, 0.0
        for b in range(BINS - 1):
            below += count[b]
            sum_below += total[b]
            if below < least or n - below < least:
                continue
            g = sum_below**2 / below + (s - sum_below) ** 2 / (n - below) - s**2 / n
            if g > gain:
                gain, best, place = g, f, b
    return best, place


@numba.njit(cache=True)
def _grow(binned, y, sample, rng, tried, least):
    """Grow one tree; a node is its feature (-1: leaf), the last bin that goes left, the left child, the mean."""
    p, most = binned.shape[1], 2 * len(sample) // least + 3
    feature, split = np.full(most, -1, np.int32), np.zeros(most, np.int32)
    left, mean = np.zeros(most, np.int32), np.zeros(most)
    start, stop = np.zeros(most, np.int64), np.zeros(most, np.int64)
    order, candidates = sample.copy(), np.arange(p)
    stop[0] = len(order)
    number, node = 1, 0
    while node < number:
        first, last = start[node], stop[node]
        mean[node] = y[order[first:last]].mean()
        best, place = -1, 0
        if last - first >= 2 * least and number + 2 <= most:
            for j in range(tried):
                r = rng.integers(j, p)
                candidates[j], candidates[r] = candidates[r], candidates[j]
            best, place = _best_split(binned, y, order[first:last], candidates[:tried], least)
        if best >= 0:
            i, j = first, last - 1
            while i <= j:
                if binned[order[i], best] <= place:
                    i += 1
                else:
                    order[i], order[j] = order[j], order[i]
                    j -= 1
            feature[node], split[node], left[node] = best, place, number
            start[number], stop[number] = first, i
            start[number + 1], stop[number + 1] = i, last
            number += 2
        node += 1
    return feature[:number], split[:number], left[:number], mean[:number]


@numba.njit(cache=True)
def _drop(binned, feature, split, left, mean):
    """Return the mean of the leaf of every sample."""
    out = np.empty(len(binned))
    for i in range(len(binned)):
        node = 0
        while feature[node] >= 0:
            node = left[node] if binned[i, feature[node]] <= split[node] else left[node] + 1
        out[i] = mean[node]
    return out
