"""Estimates of one quantity from several looks, combined pixel by pixel, with an uncertainty that does not promise more
than the looks agree on.

The mean has weights 1/sigma². The square of its uncertainty is the sum of two parts, and neither falls with the number
of looks:

- what the looks may share. They are maps of one network of the same ice, so that none of their errors need be
  independent: the mean of the sigmas with the weights of the mean, never below the smallest of them;
- what they differ by: the variance among the looks. Ice drifts, opens and freezes between them, and the mean stands for
  no one time. As errors are taken as shared, no difference is put down to sigma. Where they are independent after all,
  the uncertainty is too large, by a factor of at most the square root of 2 for two looks of one sigma.

So sigma is never below that of the best look, nor below the standard deviation among the looks. A Birge ratio, which
widens only where chi² is above its number of degrees of freedom, would be too small where errors are shared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_SIGMA = 0.01
"""Smaller sigmas count as this one: no look takes all the weight."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Sums over looks, shape (h, w) each; written while looks are added.

    Attributes
    ----------
    n : numpy.ndarray of uint16
        Looks.
    w, w2, inverse : numpy.ndarray
        Sums of the weights, of their squares, and of 1/sigma.
    wx, wxx, wt : numpy.ndarray
        Sums of weight times value, its square, and time.
    newest : numpy.ndarray of float32
        Latest time, -inf where there is none.
    bits : numpy.ndarray of uint8
        Flags of all looks.
    """

    n: np.ndarray
    w: np.ndarray
    w2: np.ndarray
    inverse: np.ndarray
    wx: np.ndarray
    wxx: np.ndarray
    wt: np.ndarray
    newest: np.ndarray
    bits: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Sums:
        """Return sums of nothing."""
        return cls(
            n=np.zeros(shape, np.uint16),
            **{name: np.zeros(shape) for name in ("w", "w2", "inverse", "wx", "wxx", "wt")},
            newest=np.full(shape, -np.inf, np.float32),
            bits=np.zeros(shape, np.uint8),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """One look at a part of the grid.

    Attributes
    ----------
    values, sigma : numpy.ndarray, shape (h, w)
        NaN where there is none.
    bits : numpy.ndarray of uint8, shape (h, w)
    time : float
    """

    values: np.ndarray
    sigma: np.ndarray
    bits: np.ndarray
    time: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Combined:
    """What looks have in common, shape (h, w) each; NaN, or 0 looks, where there is none.

    Attributes
    ----------
    mean, sigma : numpy.ndarray of float32
    disagreement : numpy.ndarray of float32
        Weighted standard deviation among looks, without bias for one sigma; NaN for one look.
    n : numpy.ndarray of uint8
        At most 255.
    time, newest : numpy.ndarray of float32
        Weighted mean, and latest.
    bits : numpy.ndarray of uint8
    """

    mean: np.ndarray
    sigma: np.ndarray
    disagreement: np.ndarray
    n: np.ndarray
    time: np.ndarray
    newest: np.ndarray
    bits: np.ndarray


def add(sums: Sums, look: Look, *, at: tuple[slice, slice], where: np.ndarray) -> None:
    """Add a look to sums.

    Parameters
    ----------
    sums : Sums
        Changed.
    look : Look
        Of the part ``at``.
    at : (slice, slice)
        Rows and columns of the sums.
    where : numpy.ndarray of bool
        Pixels of the look that count; value and sigma are finite there.
    """
    sigma = np.maximum(look.sigma[where].astype(np.float64), LEAST_SIGMA)
    x, w = look.values[where].astype(np.float64), sigma**-2
    sums.n[at][where] += 1
    for total, term in (
        (sums.w, w),
        (sums.w2, w * w),
        (sums.inverse, 1.0 / sigma),
        (sums.wx, w * x),
        (sums.wxx, w * x * x),
        (sums.wt, w * look.time),
    ):
        total[at][where] += term
    sums.newest[at][where] = np.maximum(sums.newest[at][where], np.float32(look.time))
    sums.bits[at][where] |= look.bits[where]


def combined(sums: Sums) -> Combined:
    """Return mean, uncertainty and disagreement of sums.

    Parameters
    ----------
    sums : Sums
        Of :func:`add`.
    """
    several = sums.n > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.wx / sums.w
        shared = sums.inverse / sums.w
        chi2 = np.maximum(sums.wxx - sums.wx * mean, 0.0)
        freedom = sums.w - sums.w2 / sums.w  # weights that leave the variance without bias; n - 1 for weights of 1
        between = np.where(several, chi2 / freedom, 0.0)
        out = {
            "mean": mean,
            "sigma": np.sqrt(shared**2 + between),
            "disagreement": np.where(several, np.sqrt(between), np.nan),
            "time": sums.wt / sums.w,
            "newest": np.where(sums.n > 0, sums.newest, np.nan),
        }
    return Combined(
        **{name: values.astype(np.float32) for name, values in out.items()},
        n=np.minimum(sums.n, 255).astype(np.uint8),
        bits=sums.bits.copy(),
    )


def preferred(best: Sums, others: Sums) -> Sums:
    """Return the sums of the better looks where there is one, those of the others elsewhere.

    Parameters
    ----------
    best, others : Sums
        Of the same pixels; the second is changed and returned.
    """
    there = best.n > 0
    for name in ("n", "w", "w2", "inverse", "wx", "wxx", "wt", "newest", "bits"):
        np.copyto(getattr(others, name), getattr(best, name), where=there)
    return others
