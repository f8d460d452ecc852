"""Scores of tags: F1, areas under curves, calibration, coverage, intervals over passes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

BINS = 15
COVERAGE, ACCURACY = 0.70, 0.95
DRAWN = ("macro_f1", "micro_auroc", "macro_auroc")
"""Scores that :func:`bootstrap` draws."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What n images show.

    Attributes
    ----------
    tags : numpy.ndarray of bool, shape (n, tags)
        All that is there.
    known : numpy.ndarray of bool, shape (n, tags)
        False where nobody knows, or where it is there but cannot be seen.
    passed : numpy.ndarray of int, shape (n,)
        Number of the pass.
    """

    tags: np.ndarray
    known: np.ndarray
    passed: np.ndarray

    def take(self, rows: np.ndarray) -> Truth:
        """Return some of the images."""
        return Truth(tags=self.tags[rows], known=self.known[rows], passed=self.passed[rows])


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says of n images: probabilities and given tags (n, tags), and how sure it is (n,)."""

    probability: np.ndarray
    given: np.ndarray
    confidence: np.ndarray

    def take(self, rows: np.ndarray) -> Answer:
        """Return some of the images."""
        return Answer(probability=self.probability[rows], given=self.given[rows], confidence=self.confidence[rows])


def confidence_of(probability: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the largest probability of the given tags; without one, the product of those that each is absent."""
    top = np.where(given, probability, 0.0).max(axis=1)
    return np.where(given.any(axis=1), top, np.prod(1.0 - probability, axis=1))


def f1_of(given: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return F1 of every tag over the known images, NaN where the tag does not occur, shape (tags,)."""
    hits, called, real = ((v & known).sum(axis=0).astype(float) for v in (given & truth, given, truth))
    with np.errstate(invalid="ignore"):
        return np.where(real > 0, 2.0 * hits / (called + real), np.nan)


def auroc(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the chance that a true sample has a larger value than another, ties half; NaN without both."""
    positive = int(truth.sum())
    if positive in (0, truth.size):
        return float("nan")
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place]
    return float((rank[truth].sum() - positive * (positive + 1) / 2) / (positive * (truth.size - positive)))


def calibration_error(probability: np.ndarray, event: np.ndarray) -> float:
    """Return the expected calibration error over 15 equal bins (Naeini et al. 2015); NaN without samples."""
    if event.size == 0:
        return float("nan")
    bins = np.clip((probability * BINS).astype(int), 0, BINS - 1)
    gap = np.bincount(bins, weights=probability - event, minlength=BINS)
    return float(np.abs(gap).sum() / event.size)


def top_is_right(answer: Answer, truth: Truth) -> np.ndarray:
    """Return whether the most probable given tag is there, or none is where none is given, bool (n,)."""
    ranked = np.where(answer.given, answer.probability, -1.0)
    top = truth.tags[np.arange(len(ranked)), ranked.argmax(axis=1)]
    return np.where(answer.given.any(axis=1), top, ~truth.tags.any(axis=1))


def coverage_curve(confidence: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coverage and accuracy of the surest images, one pair for each distinct confidence."""
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    right = np.cumsum(is_right[order])[last]
    return (last + 1) / len(order), right / (last + 1)


def main_scores(answer: Answer, truth: Truth) -> dict[str, float]:
    """Return the scores that intervals are drawn of."""
    known = truth.known
    areas = [auroc(answer.probability[known[:, k], k], truth.tags[known[:, k], k]) for k in range(known.shape[1])]
    f1 = f1_of(answer.given, truth.tags, known)
    return {
        "macro_f1": _mean(f1),
        "micro_auroc": auroc(answer.probability[known], truth.tags[known]),
        "macro_auroc": _mean(np.array(areas)),
    }


def scores(answer: Answer, truth: Truth, *, labels: tuple[str, ...]) -> dict[str, object]:
    """Return all scores of a method.

    Parameters
    ----------
    answer : Answer
        What it says.
    truth : Truth
        Of the same images.
    labels : tuple of str
        Names of the tags.
    """
    known, given, tags = truth.known, answer.given, truth.tags
    everything = replace(truth, known=known | tags)
    seen = known.all(axis=1)
    right = top_is_right(answer, truth)[seen]
    coverage, accuracy = coverage_curve(answer.confidence[seen], right) if seen.any() else (np.zeros(1), np.zeros(1))
    reached = coverage[accuracy >= ACCURACY]
    top = answer.probability.argmax(axis=1)
    rows = np.flatnonzero(known[np.arange(len(top)), top])
    per_tag = [calibration_error(answer.probability[known[:, k], k], tags[known[:, k], k]) for k in range(len(labels))]
    untagged = seen & ~tags.any(axis=1)
    hits, called, real = ((v & known).sum(axis=0) for v in (given & tags, given, tags))
    f1 = f1_of(given, tags, known)
    return {
        "n": len(tags),
        **main_scores(answer, truth),
        "macro_f1_all": _mean(f1_of(given, tags, everything.known)),
        "exact_match": float((~((given != tags) & known).any(axis=1)).mean()),
        "hamming": float(((given != tags) & known).sum() / max(int(known.sum()), 1)),
        "top_label_ece": calibration_error(answer.probability[rows, top[rows]], tags[rows, top[rows]]),
        "mean_tag_ece": _mean(np.array(per_tag)),
        "top_or_none_accuracy": float(right.mean()) if right.size else float("nan"),
        "accuracy_at_70_percent": float(accuracy[min(int(np.searchsorted(coverage, COVERAGE)), len(accuracy) - 1)]),
        "coverage_at_95_percent": float(reached.max()) if reached.size else 0.0,
        "untagged": int(untagged.sum()),
        "untagged_with_a_tag": float(given[untagged].any(axis=1).mean()) if untagged.any() else float("nan"),
        "tags": {
            name: {
                "n": int(real[k]),
                "f1": float(f1[k]),
                "precision": float(hits[k] / called[k]) if called[k] else float("nan"),
                "recall": float(hits[k] / real[k]) if real[k] else float("nan"),
                "auroc": auroc(answer.probability[known[:, k], k], tags[known[:, k], k]),
                "ece": per_tag[k],
            }
            for k, name in enumerate(labels)
        },
    }


def bootstrap(
    answers: dict[str, Answer], truth: Truth, *, draws: int, seed: int = 0
) -> dict[str, dict[str, np.ndarray]]:
    """Return scores of draws of passes with replacement, (draws,) for each method and score, the same draws for all.

    Parameters
    ----------
    answers : dict of str to Answer
        By method.
    truth : Truth
        Of the images.
    draws, seed : int
        How many, and of what.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(truth.passed, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(truth.passed[order])) + 1)
    out = {name: {key: np.full(draws, np.nan) for key in DRAWN} for name in answers}
    for k in range(draws):
        rows = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        mine = truth.take(rows)
        for name, answer in answers.items():
            for key, value in main_scores(answer.take(rows), mine).items():
                out[name][key][k] = value
    return out


def interval(values: np.ndarray) -> list[float]:
    """Return the 2.5 and 97.5 % quantiles; NaN where no draw has a value."""
    good = values[np.isfinite(values)]
    return [float(v) for v in np.quantile(good, (0.025, 0.975))] if good.size else [float("nan")] * 2


def _mean(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if good.size else float("nan")
