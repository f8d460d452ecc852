"""The mean of differences along a track, with an uncertainty that errors shared by a section cannot make small.

Segments of one 10 km section share its sea surface, its mean sea surface and its tides, and so do all beams that cross
it: a section is one sample, however many segments it holds. A sea surface that is smoothed over three sections shares
its errors with two more. The mean is therefore drawn again in runs of neighbouring sections (moving block bootstrap:
Künsch 1989, doi 10.1214/aos/1176347265), made wider for the few runs there are. Where there are too few, the stated
uncertainties of the samples are taken as one error that all of them share, and no less than the sections' scatter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SECTION_M = 10_000.0
SMOOTHED_SECTIONS = 3
"""Sections that the smoother of the sea surface joins, ours and NASA's."""
FROM_BOOTSTRAP, FROM_STATED, FROM_NOTHING = "bootstrap", "stated", "none"
N_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Bias:
    """A mean difference.

    Attributes
    ----------
    value : float
        NaN without a sample.
    uncertainty : float
        One standard uncertainty; NaN where none can be given.
    low, high : float
        95 % interval; NaN without an uncertainty.
    n, n_sections : int
        Samples, and sections of 10 km that hold one.
    source : str
        ``bootstrap``, ``stated`` or ``none``: where the uncertainty comes from.
    """

    value: float
    uncertainty: float
    low: float
    high: float
    n: int
    n_sections: int
    source: str


def bias(
    x: np.ndarray,
    difference: np.ndarray,
    *,
    stated: np.ndarray | None = None,
    run: int = 1,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Bias:
    """Return the mean of differences and its uncertainty.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) along-track distance, m; of all beams together, which share a section.
    difference : numpy.ndarray
        (n,) value minus reference; NaN is left out.
    stated : numpy.ndarray, optional
        (n,) one standard uncertainty of the difference as the two products state it.
    run : int
        Neighbouring sections that share their errors: :data:`SMOOTHED_SECTIONS` for a smoothed sea surface and what
        rests on it, 1 for others.
    seed : int
        Random seed.
    n_resamples : int
        Bootstrap replicates.

    Returns
    -------
    Bias
        At least ``max(3, 2 run)`` sections give a bootstrap.
    """
    good = np.isfinite(difference)
    d, at = np.asarray(difference, np.float64)[good], np.floor(np.asarray(x, np.float64)[good] / SECTION_M)
    if d.size == 0:
        nan = float("nan")
        return Bias(value=nan, uncertainty=nan, low=nan, high=nan, n=0, n_sections=0, source=FROM_NOTHING)
    _, index = np.unique(at, return_inverse=True)
    sums = np.stack([np.bincount(index), np.bincount(index, weights=d)], axis=1)
    m = len(sums)
    if m >= max(3, 2 * run):
        sigma, freedom, source = (
            _drawn(sums, run=run, seed=seed, n_resamples=n_resamples),
            m / run - 1.0,
            FROM_BOOTSTRAP,
        )
    else:
        sigma, freedom, source = _stated(sums, None if stated is None else np.asarray(stated, np.float64)[good])
    value = float(d.mean())
    wide = _quantile(freedom) * sigma
    return Bias(
        value=value, uncertainty=sigma, low=value - wide, high=value + wide, n=d.size, n_sections=m, source=source
    )


def _drawn(sums: np.ndarray, *, run: int, seed: int, n_resamples: int) -> float:
    """Return the standard error of the ratio of sums (m, 2) = (n, sum), drawn in runs of neighbouring sections."""
    m = len(sums)
    runs = sum(np.roll(sums, -k, axis=0) for k in range(run))
    n_runs = -(-m // run)
    drawn = np.random.default_rng(seed).integers(0, m, size=(n_resamples, n_runs))
    total = np.asarray(runs)[drawn].sum(axis=1)
    spread = float(np.std(total[:, 1] / total[:, 0]))
    # More sections than there are may have been drawn; runs lean on the mean that they are compared with; and runs as
    # long as the smoother cut its correlation, which falls as 1 - k / run with the lag k, off at their ends.
    lag = 1.0 - np.abs(np.arange(1 - run, run)) / run
    return spread * float(np.sqrt(n_runs * run / m / (1.0 - run / m) * run / np.sum(lag**2)))


def _stated(sums: np.ndarray, stated: np.ndarray | None) -> tuple[float, float, str]:
    """Return the samples' own uncertainty as one shared error, at least the scatter of the sections."""
    known = np.zeros(0) if stated is None else stated[np.isfinite(stated)]
    if known.size == 0:
        return float("nan"), np.inf, FROM_NOTHING
    means = sums[:, 1] / sums[:, 0]
    scatter = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return max(float(np.sqrt(np.mean(known**2))), scatter), np.inf, FROM_STATED


def _quantile(freedom: float) -> float:
    """Return Student's 97.5 % quantile."""
    if np.isinf(freedom):
        return 1.959964
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(freedom, 0.975))
