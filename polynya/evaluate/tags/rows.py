"""Tags against a reference, to rows of scores, beside two answers that know nothing of a picture.

Imagettes of a pass are not independent: intervals come from drawing whole passes again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ... import metrics
from ...errors import ProductError
from ...metrics import Estimate, block_sums, estimate
from ..scene_rows import SCORES, Row, draw_blocks
from . import scores
from .scores import Answer, Truth

ALL, DOMINANT = "all", "dominant class"
GIVEN, PRECISE, COMMONEST, SHARES = "given", "precise", "commonest tag", "shares"
"""The tags; those of the wanted precision; the reference's commonest tag for every image; the tags' shares as
probabilities, which are calibrated and know nothing."""
PER_TAG = ("f1", "precision", "recall")
EVERY = "all tags"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Answers and reference of n images.

    Attributes
    ----------
    labels : tuple of str
        Names of the tags.
    answer : Answer
        Probabilities without NaN; confidence -1 where an image was not assessed.
    precise : numpy.ndarray of bool, shape (n, tags)
        Tags of the wanted precision.
    is_assessed : numpy.ndarray of bool, shape (n,)
    truth : Truth
    """

    labels: tuple[str, ...]
    answer: Answer
    precise: np.ndarray
    is_assessed: np.ndarray
    truth: Truth


def compare(sample: Sample, *, draws: int = 200, seed: int = 0) -> list[Row]:
    """Score tags against a reference.

    Parameters
    ----------
    sample : Sample
        Both.
    draws, seed : int
        Of passes, for the intervals.

    Raises
    ------
    ProductError
        If no tag of any image is known.
    """
    truth = sample.truth
    if not truth.known.any():
        raise ProductError("tags: the reference knows no tag of any imagette; expected some. Check the reference.")
    n = len(truth.tags)
    rows = [
        Row(metric="imagettes", estimate=_certain(n, n), name=EVERY),
        Row(metric="passes", estimate=_certain(np.unique(truth.passed).size, n), name=EVERY),
        Row(metric="not_assessed", estimate=_certain(1.0 - sample.is_assessed.mean(), n), name=EVERY),
    ]
    if is_single(truth):
        return rows + _dominant_rows(sample, draws=draws, seed=seed)
    answers = {GIVEN: sample.answer, PRECISE: _precise(sample)} | constants(truth)
    drawn = scores.bootstrap(answers, truth, draws=draws, seed=seed)
    for prediction, answer in answers.items():
        found = scores.scores(answer, truth, labels=sample.labels)
        found |= _unassessed(answer, sample) if prediction in (GIVEN, PRECISE) else {}
        rows += _summary_rows(found, drawn[prediction], prediction, truth)
        rows += _tag_rows(found, answer, sample, prediction, draws=draws, seed=seed)
    return rows


def _precise(sample: Sample) -> Answer:
    """Return the precise tags as an answer, with a confidence of their own."""
    own = scores.confidence_of(sample.answer.probability, sample.precise)
    return replace(sample.answer, given=sample.precise, confidence=np.where(sample.is_assessed, own, -1.0))


def is_single(truth: Truth) -> bool:
    """Return whether the reference names one tag of each image and says nothing of the others."""
    return bool((truth.known.sum(axis=1) <= 1).all() and (truth.tags & truth.known).sum() == truth.known.sum())


def constants(truth: Truth) -> dict[str, Answer]:
    """Return answers that are the same for every image: the commonest tag of the reference, and the tags' shares.

    Parameters
    ----------
    truth : Truth
        The reference.
    """
    n, k = truth.tags.shape
    real, known = (truth.tags & truth.known).sum(axis=0), truth.known.sum(axis=0)
    share = np.where(known > 0, real / np.maximum(known, 1), 0.0)
    p = np.tile(share, (n, 1))
    first = np.zeros((n, k), bool)
    first[:, int(share.argmax())] = True
    none = np.zeros((n, k), bool)
    return {
        COMMONEST: Answer(probability=first.astype(float), given=first, confidence=np.ones(n)),
        SHARES: Answer(probability=p, given=none, confidence=scores.confidence_of(p, none)),
    }


def _unassessed(answer: Answer, sample: Sample) -> dict[str, float]:
    """Return what is other where images were not assessed: they are never right, and never covered."""
    seen = sample.truth.known.all(axis=1)
    if not seen.any():
        return {}
    right = (scores.top_is_right(answer, sample.truth) & sample.is_assessed)[seen]
    coverage, accuracy = scores.coverage_curve(answer.confidence[seen], right)
    reached = coverage[accuracy >= scores.ACCURACY]
    at = min(int(np.searchsorted(coverage, scores.COVERAGE)), len(accuracy) - 1)
    return {
        "top_or_none_accuracy": float(right.mean()),
        "accuracy_at_70_percent": float(accuracy[at]),
        "coverage_at_95_percent": float(reached.max()) if reached.size else 0.0,
    }


def _summary_rows(found: dict, drawn: dict[str, np.ndarray], prediction: str, truth: Truth) -> list[Row]:
    n = {"top_or_none_accuracy": int(truth.known.all(axis=1).sum()), "untagged_with_a_tag": int(found["untagged"])}
    n |= dict.fromkeys(("accuracy_at_70_percent", "coverage_at_95_percent"), n["top_or_none_accuracy"])
    out = []
    for metric, value in found.items():
        if isinstance(value, float):
            low, high = scores.interval(drawn[metric]) if metric in drawn else (np.nan, np.nan)
            if np.unique(truth.passed).size < 2:
                low = high = np.nan
            whole = Estimate(value=value, low=low, high=high, n=n.get(metric, int(found["n"])))
            out.append(Row(metric=metric, estimate=whole, prediction=prediction, name=EVERY))
    return out


def _tag_rows(found: dict, answer: Answer, sample: Sample, prediction: str, *, draws: int, seed: int) -> list[Row]:
    passed = np.unique(sample.truth.passed, return_inverse=True)[1].reshape(-1)
    blocks = draw_blocks(int(passed.max()) + 1, index=passed, n_resamples=draws, seed=seed)
    out = []
    for k, label in enumerate(sample.labels):
        known, given, real = sample.truth.known[:, k], answer.given[:, k], sample.truth.tags[:, k]
        if not (known & real).any():
            continue
        parts = (given & real, given & ~real, ~given & real, ~given & ~real)
        sums = block_sums(blocks, *(known & p for p in parts))
        for metric in PER_TAG:
            score = estimate(sums, SCORES[metric], blocks=blocks, n=sums.sum(axis=1))
            out.append(Row(metric=metric, estimate=score, prediction=prediction, name=label))
        for metric in ("auroc", "ece"):
            value = _certain(found["tags"][label][metric], int(known.sum()))
            out.append(Row(metric=metric, estimate=value, prediction=prediction, name=label))
        share = _certain((known & real).sum() / known.sum(), int(known.sum()))
        if prediction == GIVEN:
            out.append(Row(metric="share_of_reference", estimate=share, prediction=prediction, name=label))
    return out


def _dominant_rows(sample: Sample, *, draws: int, seed: int) -> list[Row]:
    """Return scores of the most probable tag where the reference has one class per image, with the confusion."""
    rows = np.flatnonzero(sample.truth.known.any(axis=1))
    truth = sample.truth.tags[rows].argmax(axis=1)
    k = len(sample.labels)
    top = np.where(sample.is_assessed[rows], sample.answer.probability[rows].argmax(axis=1), k)
    passed = np.unique(sample.truth.passed[rows], return_inverse=True)[1].reshape(-1)
    blocks = draw_blocks(int(passed.max()) + 1, index=passed, n_resamples=draws, seed=seed)
    commonest = np.full(rows.size, np.bincount(truth, minlength=k).argmax())
    out = []
    for prediction, called in ((GIVEN, top), (COMMONEST, commonest)):
        sums = metrics.confusion_sums(truth, called, blocks, n_classes=k)
        n = sums.sum(axis=(1, 2))
        for metric, score in (("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1)):
            found = estimate(sums, score, blocks=blocks, n=n)
            out.append(Row(metric=metric, estimate=found, stratum=DOMINANT, prediction=prediction, name=EVERY))
        for j, label in enumerate(sample.labels):
            if not (truth == j).any():
                continue
            parts = ((called == j) & (truth == j), (called == j) & (truth != j), (called != j) & (truth == j))
            counts = block_sums(blocks, *parts, (called != j) & (truth != j))
            for metric in PER_TAG:
                found = estimate(counts, SCORES[metric], blocks=blocks, n=counts.sum(axis=1))
                out.append(Row(metric=metric, estimate=found, stratum=DOMINANT, prediction=prediction, name=label))
    whole = metrics.confusion(truth, top, n_classes=k)
    for j, label in enumerate(sample.labels):
        for i, other in enumerate((*sample.labels, "not_assessed")):
            if whole[j].sum():
                found = _certain(whole[j, i], int(whole[j].sum()))
                out.append(Row(metric=f"called_{other}", estimate=found, stratum=DOMINANT, name=label))
    return out


def _certain(value: float, n: int) -> Estimate:
    return Estimate(value=float(value), low=np.nan, high=np.nan, n=n)
