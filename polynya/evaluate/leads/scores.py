"""Classes, probabilities and distances of echoes against a reference, to rows of scores.

Echoes of a pass are not independent: intervals come from drawing whole passes again, never single echoes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from ... import metrics
from ...errors import ProductError
from ...metrics import Blocks, Estimate, block_sums, estimate
from ...schema import counted
from ...schema.echoes import LEAD, UNKNOWN
from ..scene_rows import Row, draw_blocks, over
from ..values import interval_score

NAME = "lead"
THRESHOLDS_M = (100.0, 200.0, 300.0, 500.0, 700.0)
"""Distances below which an echo of the reference is a lead, for the scores by threshold."""
NEAR_M = 3000.0
"""Errors of distances are those of echoes whose lead of the reference is nearer: farther ones are out of sight."""
GIVEN, RULE, PRODUCT, MAJORITY = "given", "rule", "product", "majority"
MOST_LEVELS = 2000
"""Levels of a score that a precision-recall curve is made of; where there are more values, their quantiles."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Answers and reference, echo by echo, arrays of shape (n,).

    Attributes
    ----------
    pass_number : numpy.ndarray of int64
        Which pass an echo is of, from 0.
    mission : numpy.ndarray of str
    surface_class, rule_class, product_class : numpy.ndarray of int8
        Of :data:`polynya.schema.echoes.CLASSES`; unknown everywhere where there is none.
    probability : numpy.ndarray
        NaN where there is none.
    distance, distance_low, distance_high : numpy.ndarray
        m, NaN where there is none.
    maximum_power_db, peakiness : numpy.ndarray
    is_melt : numpy.ndarray of bool
        Melt season.
    truth : numpy.ndarray of int8
        1 lead, 0 none, -1 unknown or ambiguous.
    truth_distance : numpy.ndarray
        m, NaN where the reference has none, infinite where it knows that there is no lead.
    truth_class : numpy.ndarray of int8
        Class of the reference where it is a rule, unknown elsewhere.
    is_bright_ice : numpy.ndarray of bool
        Bright ice without a lead, in simulations.
    """

    pass_number: np.ndarray
    mission: np.ndarray
    surface_class: np.ndarray
    rule_class: np.ndarray
    product_class: np.ndarray
    probability: np.ndarray
    distance: np.ndarray
    distance_low: np.ndarray
    distance_high: np.ndarray
    maximum_power_db: np.ndarray
    peakiness: np.ndarray
    is_melt: np.ndarray
    truth: np.ndarray
    truth_distance: np.ndarray
    truth_class: np.ndarray
    is_bright_ice: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Sample:
        """Return some of the echoes."""
        return Sample(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def compare(sample: Sample, *, seed: int = 0, n_resamples: int = 500) -> list[Row]:
    """Score answers against a reference.

    Parameters
    ----------
    sample : Sample
        Both, of all passes.
    seed, n_resamples : int
        Of the intervals.

    Returns
    -------
    list of Row
        Precision, recall, F1, false leads, coverage and area under the precision-recall curve, of the answer and of
        what it must beat; calibration; errors of the distance; all of it by threshold, mission and season.

    Raises
    ------
    ProductError
        If no echo has a reference.
    """
    if not ((sample.truth >= 0) | (sample.truth_class != UNKNOWN)).any():
        raise ProductError(
            f"leads: none of {counted(len(sample), 'echo')} has a label in the reference; expected some. Check that"
            " result and"
            " reference are of the same track."
        )
    count = int(sample.pass_number.max()) + 1
    blocks = draw_blocks(count, index=sample.pass_number, n_resamples=n_resamples, seed=seed)
    known = sample.truth >= 0
    rows = [Row(metric="share_without_reference", estimate=_certain(1.0 - known.mean(), len(sample)), name=NAME)]
    rows.append(Row(metric="passes", estimate=_certain(np.unique(sample.pass_number[known]).size, count), name=NAME))
    for stratum, chosen, truth in _strata(sample):
        use = chosen & (truth >= 0)
        if use.any():
            rows += _rows(sample.take(use), truth[use] == 1, blocks.take(use), stratum)
    return rows + _agreement_rows(sample, blocks)


def _strata(sample: Sample) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield parts of the echoes with their truth: all, by mission, by season, bright ice, by threshold."""
    everything = np.ones(len(sample), bool)
    yield "all", everything, sample.truth
    missions = np.unique(sample.mission)
    for mission in missions if missions.size > 1 else ():
        yield f"mission {mission}", sample.mission == mission, sample.truth
    if sample.is_melt.any():
        for name, chosen in (("melt season", sample.is_melt), ("outside the melt season", ~sample.is_melt)):
            if chosen.any():
                yield name, chosen, sample.truth
    if sample.is_bright_ice.any():
        yield "bright ice without a lead", sample.is_bright_ice & (sample.truth == 0), sample.truth
    has = ~np.isnan(sample.truth_distance)
    for limit in THRESHOLDS_M if has.any() else ():
        with np.errstate(invalid="ignore"):
            yield f"T {limit:g} m", has, (sample.truth_distance < limit).astype(np.int8)


def _rows(sample: Sample, is_lead: np.ndarray, blocks: Blocks, stratum: str) -> list[Row]:
    rows: list[Row] = []
    share = block_sums(blocks, np.ones(is_lead.size), is_lead)
    rows.append(_row("share_of_reference", estimate(share, metrics.ratio, blocks=blocks), stratum, GIVEN))
    for prediction, classes in (
        (GIVEN, sample.surface_class),
        (RULE, sample.rule_class),
        (PRODUCT, sample.product_class),
        (MAJORITY, _majority(is_lead)),
    ):
        if (classes != UNKNOWN).any():
            rows += _class_rows(classes, is_lead, blocks, stratum, prediction)
    for prediction, score in (
        (GIVEN, sample.probability),
        ("maximum_power", sample.maximum_power_db),
        ("peakiness", sample.peakiness),
    ):
        usable = np.isfinite(score)
        if usable.any():
            found = pr_auc(score[usable], is_lead[usable], blocks.take(usable))
            rows.append(_row("pr_auc", found, stratum, prediction))
    return rows + _calibration_rows(sample, is_lead, blocks, stratum) + _distance_rows(sample, blocks, stratum)


def _majority(is_lead: np.ndarray) -> np.ndarray:
    """Return the commoner class of the reference for all echoes: what any answer must beat; 3 is sea ice."""
    return np.full(is_lead.size, LEAD if is_lead.mean() > 0.5 else 3, np.int8)


# Sums: hits, false leads, missed leads, right others (all with unknown counted as no lead), known, right and known.
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "precision": lambda s: over(s[..., 0], s[..., 0] + s[..., 1]),
    "recall": lambda s: over(s[..., 0], s[..., 0] + s[..., 2]),
    "f1": lambda s: over(2.0 * s[..., 0], 2.0 * s[..., 0] + s[..., 1] + s[..., 2]),
    "false_lead_rate": lambda s: over(s[..., 1], s[..., 1] + s[..., 3]),
    "accuracy": lambda s: over(s[..., 5], s[..., :4].sum(axis=-1)),
    "accuracy_of_decided": lambda s: over(s[..., 5], s[..., 4]),
    "coverage": lambda s: over(s[..., 4], s[..., :4].sum(axis=-1)),
}
"""Scores of the class lead. An unknown echo is no lead that was found, and never right; coverage is the share of echoes
that have a class."""


def _class_rows(classes: np.ndarray, is_lead: np.ndarray, blocks: Blocks, stratum: str, prediction: str) -> list[Row]:
    called, known = classes == LEAD, classes != UNKNOWN
    right = known & (called == is_lead)
    parts = (called & is_lead, called & ~is_lead, ~called & is_lead, ~called & ~is_lead, known, right)
    sums = block_sums(blocks, *parts)
    n = sums[:, :4].sum(axis=1)
    return [
        _row(metric, estimate(sums, score, blocks=blocks, n=n), stratum, prediction) for metric, score in SCORES.items()
    ]


def pr_auc(score: np.ndarray, is_lead: np.ndarray, blocks: Blocks) -> Estimate:
    """Return the area under the precision-recall curve: the mean precision over the leads, ties as one step.

    Parameters
    ----------
    score : numpy.ndarray, shape (n,)
        The larger, the more a lead; no NaN.
    is_lead : numpy.ndarray of bool, shape (n,)
        The reference.
    blocks : Blocks
        Passes of the echoes.
    """
    levels = np.unique(score)
    if levels.size > MOST_LEVELS:
        levels = np.unique(np.quantile(score, np.linspace(0.0, 1.0, MOST_LEVELS)))
    place = levels.size - 1 - np.clip(np.searchsorted(levels, score, side="right") - 1, 0, levels.size - 1)
    size = levels.size
    key = (blocks.index * size + place) * 2 + is_lead
    sums = np.bincount(key, minlength=blocks.count * size * 2).reshape(blocks.count, size, 2).astype(np.float64)
    return estimate(sums, _average_precision, blocks=blocks, n=sums.sum(axis=(1, 2)))


def _average_precision(sums: np.ndarray) -> np.ndarray:
    hits, all_called = np.cumsum(sums[..., 1], axis=-1), np.cumsum(sums.sum(axis=-1), axis=-1)
    precision = over(hits, all_called)
    leads = hits[..., -1]
    return over((np.nan_to_num(precision) * sums[..., 1]).sum(axis=-1), leads)


def _calibration_rows(sample: Sample, is_lead: np.ndarray, blocks: Blocks, stratum: str) -> list[Row]:
    usable = np.isfinite(sample.probability)
    if not usable.any():
        return []
    sums = metrics.reliability_sums(sample.probability[usable], is_lead[usable], blocks.take(usable))
    n = sums[..., 0].sum(axis=1)
    return [
        _row(metric, estimate(sums, score, blocks=blocks, n=n), stratum, GIVEN)
        for metric, score in (("calibration_error", metrics.calibration_error), ("brier_score", metrics.brier_score))
    ]


def _distance_rows(sample: Sample, blocks: Blocks, stratum: str) -> list[Row]:
    """Return errors of the distance where the lead of the reference is within 3 km."""
    if stratum.startswith("T "):
        return []
    with np.errstate(invalid="ignore"):
        use = (sample.truth_distance < NEAR_M) & np.isfinite(sample.distance)
    if not use.any():
        return []
    near, mine = sample.take(use), blocks.take(use)
    error = np.abs(near.distance - near.truth_distance)
    sums = block_sums(mine, np.ones(error.size), error)
    held = interval_score(near.truth_distance, near.distance_low, near.distance_high, mine)
    return [
        _row("distance_error_median", metrics.median(error, mine), stratum, GIVEN, units="m"),
        _row("distance_error_mean", estimate(sums, metrics.ratio, blocks=mine), stratum, GIVEN, units="m"),
        _row("share_in_68_percent_interval", held, stratum, GIVEN),
    ]


def _agreement_rows(sample: Sample, blocks: Blocks) -> list[Row]:
    """Return how far classes agree with those of a rule: no skill."""
    known = sample.truth_class != UNKNOWN
    if not known.any():
        return []
    rows = []
    for prediction, classes in (
        (GIVEN, sample.surface_class),
        (RULE, sample.rule_class),
        (PRODUCT, sample.product_class),
    ):
        same = classes == sample.truth_class
        both = known & (classes != UNKNOWN)
        if not (classes != UNKNOWN).any():
            continue
        whole = block_sums(blocks, np.ones(len(sample)), same)
        decided = block_sums(blocks, both, same & both)
        for metric, sums in (("agreement_all_classes", whole), ("agreement_where_both_decide", decided)):
            rows.append(_row(metric, estimate(sums, metrics.ratio, blocks=blocks), "all", prediction))
    unknown = block_sums(blocks, np.ones(len(sample)), ~known)
    share = estimate(unknown, metrics.ratio, blocks=blocks)
    return [*rows, _row("unknown_share_of_reference", share, "all", GIVEN)]


def _row(metric: str, found: Estimate, stratum: str, prediction: str, units: str = "1") -> Row:
    return Row(metric=metric, estimate=found, units=units, stratum=stratum, prediction=prediction, name=NAME)


def _certain(value: float, n: int) -> Estimate:
    return Estimate(value=float(value), low=np.nan, high=np.nan, n=n)
