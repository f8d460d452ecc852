"""Scores of classes, heights and probabilities, each with n and a 95 % interval that respects the track.

Neighbouring segments share leads, floes and clouds, so they are not independent samples. Every score
here is a function of sums that add up over *blocks* of track; the intervals come from drawing whole
blocks again (block bootstrap: Künsch 1989, doi 10.1214/aos/1176347265). Because only the block sums are
drawn, the price does not depend on the number of segments.

Classes are numbered as in :mod:`polynya.schema`: 0 thick ice, 1 thin ice, 2 open water, -1 unclassified.
An unclassified prediction is a miss of the true class; it is never dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .schema import Estimate

N_CLASSES = 3
N_BINS = 15
"""Equal-width bins of probability for the calibration error."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks of track, and how often each is drawn in every bootstrap replicate.

    Attributes
    ----------
    index : numpy.ndarray
        (n,) int64; block of each sample, 0 ... count - 1.
    count : int
        Number of blocks that hold a sample.
    weights : numpy.ndarray
        (n_resamples, count) float64; multiplicity of each block in each replicate.
    """

    index: np.ndarray
    count: int
    weights: np.ndarray

    def take(self, chosen: np.ndarray | slice) -> Blocks:
        """Return the same blocks for a subset of the samples (mask, positions or slice)."""
        return Blocks(index=self.index[chosen], count=self.count, weights=self.weights)


def make_blocks(
    x: np.ndarray, *, track: np.ndarray | int = 0, block_m: float = 1000.0, n_resamples: int = 500, seed: int = 0
) -> Blocks:
    """Cut tracks into blocks and draw them again, with replacement.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) along-track distance, m.
    track : numpy.ndarray or int
        (n,) small non-negative integers: samples of different tracks never share a block. Beams that see
        the same leads (a strong and weak pair, 90 m apart) should carry one number.
    block_m : float
        Length of a block, m; at least 1 km, and longer than the errors are correlated.
    n_resamples : int
        Bootstrap replicates.
    seed : int
        Random seed.

    Returns
    -------
    Blocks
    """
    cell = np.floor(np.asarray(x, np.float64) / block_m).astype(np.int64)
    track = np.broadcast_to(np.asarray(track, np.int64), cell.shape)
    if cell.size == 0:
        return Blocks(index=np.zeros(0, np.int64), count=0, weights=np.zeros((n_resamples, 0)))
    cell = cell - cell.min()
    key = track * (int(cell.max()) + 1) + cell
    if int(key.max()) <= 4 * key.size + 1_000_000:  # dense numbering is much cheaper than a sort
        present = np.zeros(int(key.max()) + 1, bool)
        present[key] = True
        index = (np.cumsum(present) - 1)[key]
        count = int(present.sum())
    else:
        _, index = np.unique(key, return_inverse=True)
        count = int(index.max()) + 1
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, count, size=(n_resamples, count)) + count * np.arange(n_resamples)[:, None]
    weights = np.bincount(draws.ravel(), minlength=n_resamples * count).reshape(n_resamples, count).astype(np.float64)
    return Blocks(index=index.astype(np.int64), count=count, weights=weights)


def block_sums(blocks: Blocks, *columns: np.ndarray) -> np.ndarray:
    """Sum columns over blocks.

    Returns
    -------
    numpy.ndarray
        (count, k) float64.
    """
    out = np.zeros((blocks.count, len(columns)))
    for k, column in enumerate(columns):
        out[:, k] = np.bincount(blocks.index, weights=column, minlength=blocks.count)
    return out


def estimate(
    sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, blocks: Blocks, n: np.ndarray | None = None
) -> Estimate:
    """Give a statistic of block sums with its 95 % bootstrap interval.

    The interval is made wider for few blocks (Hesterberg 2015, doi 10.1080/00031305.2015.1089789): with m
    blocks the tail is Phi(-sqrt(m / (m - 1)) t) with t the Student quantile of m - 1 degrees. Fewer than
    two blocks give no interval.

    Parameters
    ----------
    sums : numpy.ndarray
        (count, ...) block sums.
    statistic : callable
        Takes sums (..., shape of one block) and returns (...) values; it must give NaN where undefined.
    blocks : Blocks
        Blocks of track.
    n : numpy.ndarray, optional
        (count,) samples in each block that the value rests on; by default ``sums[:, 0]``.

    Returns
    -------
    Estimate
    """
    per_block = (
        sums.reshape(blocks.count, -1)[:, 0] if n is None and sums.size else np.zeros(blocks.count) if n is None else n
    )
    total = round(float(per_block.sum()))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        m = int(np.count_nonzero(per_block))
        if m < 2 or not np.isfinite(value):
            return Estimate(value=value, low=np.nan, high=np.nan, n=total)
        drawn = statistic((blocks.weights @ sums.reshape(blocks.count, -1)).reshape(-1, *sums.shape[1:]))
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < 20:
        return Estimate(value=value, low=np.nan, high=np.nan, n=total)
    from scipy.special import ndtr
    from scipy.stats import t as student_t  # takes a second to import

    tail = float(ndtr(-np.sqrt(m / (m - 1)) * student_t.ppf(0.975, m - 1)))
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Estimate(value=value, low=float(low), high=float(high), n=total)


def ratio(sums: np.ndarray) -> np.ndarray:
    """Statistic for :func:`estimate`: sums hold (denominator, numerator)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[..., 1] / np.where(sums[..., 0] > 0, sums[..., 0], np.nan)


# Classes: c[t, p] counts samples of true class t called p; column 3 holds the unclassified.


def confusion_sums(
    truth: np.ndarray, predicted: np.ndarray, blocks: Blocks, *, n_classes: int = N_CLASSES
) -> np.ndarray:
    """Count samples by block, true class and predicted class.

    Parameters
    ----------
    truth, predicted : numpy.ndarray
        (n,) classes 0, 1, ...; any other prediction counts as unclassified, samples of any other truth
        (unknown) are left out.
    blocks : Blocks
        Blocks of track.
    n_classes : int
        Number of classes.

    Returns
    -------
    numpy.ndarray
        (count, classes, classes + 1) float64; the last column holds unclassified predictions.
    """
    truth = np.asarray(truth, np.int64)
    predicted = np.asarray(predicted, np.int64)
    known = (truth >= 0) & (truth < n_classes)
    column = np.where((predicted >= 0) & (predicted < n_classes), predicted, n_classes)
    cells = n_classes * (n_classes + 1)
    key = blocks.index * cells + truth * (n_classes + 1) + column
    counts = np.bincount(key if known.all() else key[known], minlength=blocks.count * cells)
    return counts.reshape(blocks.count, n_classes, n_classes + 1).astype(np.float64)


def confusion(truth: np.ndarray, predicted: np.ndarray, *, n_classes: int = N_CLASSES) -> np.ndarray:
    """Return the (classes, classes + 1) confusion matrix of one sample: rows are true classes, the last column is
    unclassified."""
    index = np.zeros(len(np.asarray(truth)), np.int64)
    return confusion_sums(
        truth, predicted, Blocks(index=index, count=1, weights=np.zeros((0, 1))), n_classes=n_classes
    )[0]


def _over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _hits(c: np.ndarray) -> np.ndarray:
    return np.diagonal(c[..., :-1], axis1=-2, axis2=-1)


def support(c: np.ndarray) -> np.ndarray:
    """Samples of each true class, unclassified predictions included; (..., classes)."""
    return c.sum(axis=-1)


def called(c: np.ndarray) -> np.ndarray:
    """Samples of each predicted class; (..., classes)."""
    return c[..., :-1].sum(axis=-2)


def precision(c: np.ndarray) -> np.ndarray:
    """Share of the predictions of a class that are right; NaN where nothing was predicted; (..., classes)."""
    return _over(_hits(c), called(c))


def recall(c: np.ndarray) -> np.ndarray:
    """Share of a true class that was found; NaN where the class does not occur; (..., classes)."""
    return _over(_hits(c), support(c))


def f1(c: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, 2 TP / (support + called); (..., classes)."""
    return _over(2.0 * _hits(c), support(c) + called(c))


def iou(c: np.ndarray) -> np.ndarray:
    """Intersection over union, TP / (support + called - TP); (..., classes)."""
    return _over(_hits(c), support(c) + called(c) - _hits(c))


def macro_f1(c: np.ndarray, *, classes: np.ndarray | None = None) -> np.ndarray:
    """Mean F1 over classes; (...).

    Parameters
    ----------
    c : numpy.ndarray
        (..., classes, classes + 1) confusion matrices.
    classes : numpy.ndarray, optional
        (classes,) bool, the classes to average; NaN where one of them does not occur in the truth. By default
        the classes that occur, in each matrix.
    """
    occurs = support(c) > 0
    chosen = occurs if classes is None else np.broadcast_to(classes, occurs.shape)
    mean = _over(np.where(chosen, np.nan_to_num(f1(c)), 0.0).sum(axis=-1), chosen.sum(axis=-1))
    return np.where((chosen & ~occurs).any(axis=-1), np.nan, mean)


def accuracy(c: np.ndarray) -> np.ndarray:
    """Share of samples called right; to be read beside :func:`majority_accuracy` only; (...)."""
    return _over(_hits(c).sum(axis=-1), c.sum(axis=(-2, -1)))


def majority_accuracy(c: np.ndarray) -> np.ndarray:
    """Accuracy of always saying the most frequent true class; (...)."""
    return _over(support(c).max(axis=-1), c.sum(axis=(-2, -1)))


def unclassified_share(c: np.ndarray) -> np.ndarray:
    """Share of samples without a predicted class; (...)."""
    return _over(c[..., -1].sum(axis=-1), c.sum(axis=(-2, -1)))


def merge_ice(c: np.ndarray) -> np.ndarray:
    """Merge thick and thin ice into row and column 0, leaving class 1 empty; (..., 3, 4)."""
    out = np.array(c, dtype=np.float64)
    out[..., 0, :] += out[..., 1, :]
    out[..., 1, :] = 0.0
    out[..., :, 0] += out[..., :, 1]
    out[..., :, 1] = 0.0
    return out


# Differences: sums hold (n, sum d, sum d²).


def bias(sums: np.ndarray) -> np.ndarray:
    """Mean difference from sums (n, sum d, sum d²); (...)."""
    return _over(sums[..., 1], sums[..., 0])


def rmse(sums: np.ndarray) -> np.ndarray:
    """Root mean square difference from sums (n, sum d, sum d²); (...)."""
    return np.sqrt(_over(sums[..., 2], sums[..., 0]))


def difference_scores(
    difference: np.ndarray, blocks: Blocks, *, sigma: np.ndarray | None = None
) -> dict[str, Estimate]:
    """Score differences: bias, RMSE, median absolute difference and, with sigma, the shares inside it.

    Parameters
    ----------
    difference : numpy.ndarray
        (n,) value minus reference; NaN is left out.
    blocks : Blocks
        Blocks of track.
    sigma : numpy.ndarray, optional
        (n,) stated standard uncertainty; samples with NaN or a value not above zero have none and are
        left out of the shares.

    Returns
    -------
    dict of str to Estimate
        ``bias``, ``rmse``, ``median_absolute_difference``; with sigma also ``coverage_1sigma``,
        ``coverage_2sigma`` (68.3 % and 95.4 % for an honest Gaussian sigma) and ``median_sigma``.
    """
    difference = np.asarray(difference, np.float64)
    good = np.isfinite(difference)
    if not good.all():
        difference, blocks = difference[good], blocks.take(good)
        sigma = None if sigma is None else np.asarray(sigma)[good]
    absolute = np.abs(difference)
    sums = block_sums(blocks, np.ones_like(difference), difference, difference * difference)
    out = {
        "bias": estimate(sums, bias, blocks=blocks),
        "rmse": estimate(sums, rmse, blocks=blocks),
        "median_absolute_difference": median(absolute, blocks),
    }
    if sigma is not None:
        sigma = np.asarray(sigma, np.float64)
        stated = np.isfinite(sigma) & (sigma > 0)
        if not stated.all():
            absolute, sigma, blocks = absolute[stated], sigma[stated], blocks.take(stated)
        inside = block_sums(blocks, np.ones_like(sigma), absolute <= sigma, absolute <= 2.0 * sigma)
        out["coverage_1sigma"] = estimate(inside[:, [0, 1]], ratio, blocks=blocks)
        out["coverage_2sigma"] = estimate(inside[:, [0, 2]], ratio, blocks=blocks)
        out["median_sigma"] = median(sigma, blocks)
    return out


def median(values: np.ndarray, blocks: Blocks, *, n_levels: int = 256) -> Estimate:
    """Give the median with a block-bootstrap interval.

    The value is exact. The replicates' medians are read from block counts between ``n_levels`` quantiles
    of the pooled values, for long tracks of every k-th value: close enough for an interval.

    Parameters
    ----------
    values : numpy.ndarray
        (n,) finite values.
    blocks : Blocks
        Blocks of track.
    n_levels : int
        Number of levels.

    Returns
    -------
    Estimate
    """
    values = np.asarray(values, np.float64)
    if values.size == 0:
        return Estimate(value=np.nan, low=np.nan, high=np.nan, n=0)
    value, size = float(np.median(values)), values.size
    step = max(1, size // 300_000)
    values, blocks = values[::step], blocks.take(slice(None, None, step))
    levels = np.unique(np.quantile(values, np.linspace(0.0, 1.0, n_levels)))
    n = np.bincount(blocks.index, minlength=blocks.count).astype(np.float64)
    if levels.size < 2:
        edge = value if np.count_nonzero(n) > 1 else np.nan
        return Estimate(value=value, low=edge, high=edge, n=size)
    k = levels.size - 1
    position = np.clip(np.searchsorted(levels, values, side="right") - 1, 0, k - 1)
    counts = (
        np.bincount(blocks.index * k + position, minlength=blocks.count * k).reshape(blocks.count, k).astype(np.float64)
    )

    def middle(c: np.ndarray) -> np.ndarray:
        c = np.atleast_2d(c)
        total = np.cumsum(c, axis=-1)
        half = 0.5 * total[:, -1:]
        at = np.minimum((total < half).sum(axis=-1), k - 1)
        rows = np.arange(len(c))
        inside = c[rows, at]
        part = np.where(inside > 0, (half[:, 0] - (total[rows, at] - inside)) / np.where(inside > 0, inside, 1.0), 0.5)
        found = levels[at] + part * (levels[at + 1] - levels[at])
        found = np.where(total[:, -1] > 0, found, np.nan)
        return found if len(found) > 1 else found[0]

    rough = estimate(counts, middle, blocks=blocks, n=n)
    if not np.isfinite(rough.low):
        return Estimate(value=value, low=np.nan, high=np.nan, n=size)
    return Estimate(value=value, low=min(rough.low, value), high=max(rough.high, value), n=size)


# Probabilities: sums are (bins, 4) = n, sum p, events, sum (p - y)².


def reliability_sums(probability: np.ndarray, event: np.ndarray, blocks: Blocks, *, n_bins: int = N_BINS) -> np.ndarray:
    """Sum what reliability needs, by block and bin of probability.

    Parameters
    ----------
    probability : numpy.ndarray
        (n,) in 0..1, no NaN.
    event : numpy.ndarray
        (n,) bool, what happened.
    blocks : Blocks
        Blocks of track.
    n_bins : int
        Equal-width bins of probability.

    Returns
    -------
    numpy.ndarray
        (count, n_bins, 4): samples, sum of probability, events, sum of squared error.
    """
    p = np.asarray(probability, np.float64)
    y = np.asarray(event, np.float64)
    cell = np.clip((p * n_bins).astype(np.int64), 0, n_bins - 1)
    key = blocks.index * n_bins + cell
    size = blocks.count * n_bins
    columns = [np.bincount(key, minlength=size)] + [
        np.bincount(key, weights=w, minlength=size) for w in (p, y, (p - y) ** 2)
    ]
    return np.stack(columns, axis=-1).reshape(blocks.count, n_bins, 4).astype(np.float64)


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error: sum over bins of n_b / n |mean p - frequency|; (...)."""
    gap = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return _over(gap, sums[..., 0].sum(axis=-1))


def brier_score(sums: np.ndarray) -> np.ndarray:
    """Mean squared error of the probability; (...)."""
    return _over(sums[..., 3].sum(axis=-1), sums[..., 0].sum(axis=-1))


def brier_skill(sums: np.ndarray) -> np.ndarray:
    """Brier skill against always giving the sample's own frequency: 1 is perfect, 0 no better; (...)."""
    frequency = _over(sums[..., 2].sum(axis=-1), sums[..., 0].sum(axis=-1))
    return 1.0 - _over(brier_score(sums), frequency * (1.0 - frequency))


# Leads: runs and intervals along the track.


def runs(member: np.ndarray, *, breaks: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Find runs of consecutive members.

    Parameters
    ----------
    member : numpy.ndarray
        (n,) bool, in order along the track.
    breaks : numpy.ndarray, optional
        (n,) bool; true where a sample does not continue its predecessor (a gap, another beam).

    Returns
    -------
    first, count : numpy.ndarray
        (n_runs,) int64 position of the first member and number of members.
    """
    member = np.asarray(member, bool)
    before = np.zeros_like(member)
    before[1:] = member[:-1]
    if breaks is not None:
        before &= ~np.asarray(breaks, bool)
    first = np.flatnonzero(member & ~before)
    total = np.concatenate([[0], np.cumsum(member)])
    # A run ends where the next begins: members in between all belong to it.
    upto = np.append(first[1:], member.size)
    return first.astype(np.int64), (total[upto] - total[first]).astype(np.int64)


def overlaps(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    """Tell which intervals overlap any other interval by more than a point.

    Parameters
    ----------
    start, end : numpy.ndarray
        (n,) intervals, m; in any order, they may overlap each other.
    other_start, other_end : numpy.ndarray
        (m,) the others; likewise.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    begun = np.searchsorted(np.sort(other_start), end, side="left")
    ended = np.searchsorted(np.sort(other_end), start, side="right")
    return begun > ended
