"""Scores of lead detectors along tracks for benchmarks/score_leads.py: curves, errors, intervals over tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

T = 300.0
"""An echo is one of a lead if the nearest is nearer than this, m."""
NEAR_M, FAR_M = 3000.0, 900.0
"""Distances are scored below the first; bright ice counts as without a lead above the second."""
BINS = 15


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says of the echoes of one track.

    Attributes
    ----------
    score : numpy.ndarray, shape (n,)
        Larger where a lead is more likely; NaN where the method says nothing.
    distance, low, high : numpy.ndarray, shape (n,), or None
        Median and interval of the distance, m.
    is_probability : bool
    """

    score: np.ndarray
    distance: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    is_probability: bool = False


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a track is known to hold: distances to the nearest true and mapped lead, bright ice or None, shape (n,)."""

    true: np.ndarray
    mapped: np.ndarray
    bright: np.ndarray | None


def average_precision(truth: np.ndarray, values: np.ndarray) -> float:
    """Return the area under the precision-recall curve: the mean over true samples of the precision at the rank of
    each; equal values share the precision at their last place.

    Parameters
    ----------
    truth : numpy.ndarray of bool, shape (n,)
        What is to be found.
    values : numpy.ndarray, shape (n,)
        Larger is more likely.
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    hits, ranked = truth[order], values[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(hits)[last]
    return float((np.diff(np.concatenate([[0], found])) * found / (last + 1)).sum() / found[-1])


def best_threshold(truth: np.ndarray, values: np.ndarray) -> float:
    """Return the value from which on calling a lead has the highest F1."""
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)
    f1 = 2.0 * hits[last] / (last + 1 + max(truth.sum(), 1))
    return float(values[order][last[int(np.argmax(f1))]])


def calibration_error(event: np.ndarray, probability: np.ndarray) -> float:
    """Return the expected calibration error over equal bins (Naeini et al. 2015).

    Parameters
    ----------
    event : numpy.ndarray of bool, shape (n,)
        What happened.
    probability : numpy.ndarray, shape (n,)
        Of it.
    """
    bins = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    gap = np.bincount(bins, weights=probability - event, minlength=BINS)
    return float(np.abs(gap).sum() / max(event.size, 1))


def area_under_curve(truth: np.ndarray, values: np.ndarray) -> float:
    """Return the chance that a true sample has a larger value than another, ties half."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place]
    n = int(truth.sum())
    return float((rank[truth].sum() - n * (n + 1) / 2) / max(n * (truth.size - n), 1))


def called(truth: np.ndarray, is_called: np.ndarray) -> dict[str, float]:
    """Return precision, recall, F1 and the share of other samples that are called."""
    both = float((truth & is_called).sum())
    precision, recall = both / max(is_called.sum(), 1), both / max(truth.sum(), 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2.0 * both / max(is_called.sum() + truth.sum(), 1),
        "false_leads": float((~truth & is_called).sum() / max((~truth).sum(), 1)),
    }


def scores(answers: Sequence[Answer], truths: Sequence[Truth], *, threshold: float, t: float = T) -> dict[str, object]:
    """Return the scores of a method over all tracks, pooled.

    Parameters
    ----------
    answers : sequence of Answer
        One per track.
    truths : sequence of Truth
        The same tracks.
    threshold : float
        From this score on an echo is called a lead.
    t : float
        Nearer is a lead, m.
    """
    score, true, mapped = (
        np.concatenate(v) for v in ([a.score for a in answers], [x.true for x in truths], [x.mapped for x in truths])
    )
    has = np.isfinite(score)
    out: dict[str, object] = {
        "n": int(score.size),
        "coverage": float(has.mean()),
        "lead_share": float((true < t).mean()),
        "average_precision": average_precision(true[has] < t, score[has]),
        "average_precision_of_map": average_precision(mapped[has] < t, score[has]),
        "threshold": threshold,
        **called(true < t, np.where(has, score >= threshold, False)),
    }
    if all(x.bright is not None for x in truths):
        bright = np.concatenate([x.bright for x in truths if x.bright is not None]) & (true >= FAR_M) & has
        out["bright_ice"] = int(bright.sum())
        out["false_leads_in_bright_ice"] = float((score[bright] >= threshold).mean()) if bright.any() else float("nan")
    if all(a.is_probability for a in answers):
        belt = (mapped >= t) & (mapped < 3 * t)
        out["calibration_error"] = calibration_error(mapped[has] < t, score[has])
        out["calibration_error_without_belt"] = calibration_error(mapped[has & ~belt] < t, score[has & ~belt])
        out["calibration_error_against_truth"] = calibration_error(true[has] < t, score[has])
    if all(a.distance is not None for a in answers):
        out |= _distances(answers, true, mapped)
    return out


def _distances(answers: Sequence[Answer], true: np.ndarray, mapped: np.ndarray) -> dict[str, object]:
    distance, low, high = (np.concatenate([getattr(a, n) for a in answers]) for n in ("distance", "low", "high"))
    known = np.isfinite(distance)
    near = known & (true < NEAR_M)
    error = np.abs(distance - true)[near]
    out: dict[str, object] = {"distance_n": int(near.sum())}
    out["distance_error_median_m"], out["distance_error_mean_m"] = float(np.median(error)), float(error.mean())
    for name, far in (("map", mapped), ("truth", true)):
        inside = (far >= low) & (far <= high)
        out[f"interval_coverage_{name}"] = float(inside[known].mean())
        out[f"interval_coverage_near_{name}"] = float(inside[near].mean())
    return out


def bootstrap(
    answers: dict[str, Sequence[Answer]], truths: Sequence[Truth], *, draws: int, seed: int = 0, t: float = T
) -> dict[str, np.ndarray]:
    """Return average precisions of draws of tracks with replacement, (draws,) for each method, the same draws for all.

    Parameters
    ----------
    answers : dict of str to sequence of Answer
        By method.
    truths : sequence of Truth
        Of the tracks.
    draws, seed : int
        How many, and of what.
    t : float
        Nearer is a lead, m.
    """
    rng, out = np.random.default_rng(seed), {name: np.full(draws, np.nan) for name in answers}
    for k in range(draws):
        chosen = rng.integers(len(truths), size=len(truths))
        true = np.concatenate([truths[i].true for i in chosen]) < t
        for name, own in answers.items():
            score = np.concatenate([own[i].score for i in chosen])
            has = np.isfinite(score)
            out[name][k] = average_precision(true[has], score[has])
    return out


def interval(values: np.ndarray) -> list[float]:
    """Return the 2.5 and 97.5 % quantiles."""
    return [float(v) for v in np.nanquantile(values, (0.025, 0.975))]
