"""The scores of the AutoICE challenge (Stokholm et al. 2024, doi:10.5194/tc-18-3471-2024), exactly as they are defined.

All known pixels of all scenes are pooled: R² of the concentration in tenths, F1 of stage of development and of floe
size weighted by the true share of each class; each in percent, rounded to three digits; then their mean with the
weights 2, 2, 1, rounded again. Everything is counted in confusion matrices, so scenes add up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ... import metrics
from ...errors import UsageError

N_CLASSES = {"SIC": 11, "SOD": 6, "FLOE": 7}
WEIGHTS = {"SIC": 2, "SOD": 2, "FLOE": 1}
UNKNOWN = 255


def counts(truth: np.ndarray, predicted: np.ndarray, *, chart: str) -> np.ndarray:
    """Count pixels by true and predicted class.

    Parameters
    ----------
    truth, predicted : numpy.ndarray of int, one shape
        Classes; pixels whose truth is 255 do not count.
    chart : str
        ``SIC``, ``SOD`` or ``FLOE``.

    Returns
    -------
    numpy.ndarray of float64, shape (classes, classes + 1)
        The last column holds predictions that are no class. Counts of different scenes may be added.

    Raises
    ------
    UsageError
        If the truth has a class that does not exist, or a known pixel has no concentration: R² needs a number there.
    """
    n = N_CLASSES[chart]
    known = np.asarray(truth) != UNKNOWN
    t, p = np.asarray(truth)[known].astype(np.int64), np.asarray(predicted)[known].astype(np.int64)
    is_bad = (t < 0) | (t >= n)
    if is_bad.any():
        raise UsageError(
            f"AutoICE {chart}: the reference holds class {t[is_bad][0]}; expected 0 to {n - 1}, or 255. Look at the"
            " file."
        )
    c = metrics.confusion(t, p, n_classes=n)
    if chart == "SIC" and c[:, -1].any():
        raise UsageError(
            f"AutoICE SIC: {int(c[:, -1].sum())} pixels with a reference have no concentration of 0 to 10; expected one"
            " everywhere. Fill the map there, or mask the reference."
        )
    return c


def r2(c: np.ndarray) -> float:
    """Return R² of classes taken as numbers, from their counts; NaN where the truth is one class."""
    c = c[:, :-1]
    classes = np.arange(len(c), dtype=np.float64)
    n, per_class = c.sum(), c.sum(axis=1)
    if n == 0:
        return float("nan")
    mean = (per_class * classes).sum() / n
    spread = (per_class * (classes - mean) ** 2).sum()
    error = (c * (classes[:, None] - classes[None, :]) ** 2).sum()
    return float(1.0 - error / spread) if spread > 0 else float("nan")


def weighted_f1(c: np.ndarray) -> float:
    """Return the F1 of every true class, weighted by its share, from counts; NaN without a pixel."""
    true = metrics.support(c)
    return float((np.nan_to_num(metrics.f1(c)) * true).sum() / true.sum()) if true.sum() else float("nan")


def scores(tables: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the score of every chart that was counted, percent, and the combined score where all three were.

    Parameters
    ----------
    tables : mapping of str to numpy.ndarray
        Of :func:`counts`, summed over scenes.
    """
    found = {
        chart: round(100.0 * (r2(c) if chart == "SIC" else weighted_f1(c)), 3)
        for chart, c in tables.items()
        if c.sum() > 0
    }
    if set(found) == set(WEIGHTS):
        found["combined"] = round(sum(WEIGHTS[k] * found[k] for k in WEIGHTS) / sum(WEIGHTS.values()), 3)
    return found
