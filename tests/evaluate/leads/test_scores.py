"""Scores of leads: against numbers computed by hand and by scikit-learn; intervals come from passes."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.evaluate.leads import scores
from polynya.evaluate.scene_rows import draw_blocks
from polynya.schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN


def sample(n: int = 0, **given) -> scores.Sample:
    n = n or len(next(iter(given.values())))
    nan, none = np.full(n, np.nan), np.zeros(n, np.int8)
    columns = {
        "pass_number": np.zeros(n, np.int64),
        "mission": np.full(n, "SARAL"),
        "surface_class": none,
        "rule_class": none,
        "product_class": none,
        "probability": nan,
        "distance": nan,
        "distance_low": nan,
        "distance_high": nan,
        "maximum_power_db": nan,
        "peakiness": nan,
        "is_melt": np.zeros(n, bool),
        "truth": np.full(n, -1, np.int8),
        "truth_distance": nan,
        "truth_class": none,
        "is_bright_ice": np.zeros(n, bool),
    }
    return scores.Sample(**{**columns, **{k: np.asarray(v) for k, v in given.items()}})


def table(rows):
    return {(r.stratum, r.prediction, r.metric): r.estimate for r in rows}


def test_unknown_is_a_miss_and_coverage_stands_beside():
    found = table(
        scores.compare(
            sample(
                surface_class=[LEAD, LEAD, LEAD, SEA_ICE, UNKNOWN, UNKNOWN, SEA_ICE, OCEAN],
                truth=[1, 1, 0, 1, 1, 0, 0, 0],
            )
        )
    )
    expected = {
        "precision": 2 / 3,
        "recall": 2 / 4,
        "f1": 4 / 7,
        "false_lead_rate": 1 / 4,
        "coverage": 6 / 8,
        "accuracy": 4 / 8,
        "accuracy_of_decided": 4 / 6,
    }
    for metric, value in expected.items():
        assert found["all", "given", metric].value == pytest.approx(value), metric
    assert found["all", "majority", "accuracy"].value == 0.5 and found["all", "given", "recall"].n == 8
    assert ("all", "rule", "recall") not in found  # a rule that says nothing is not scored
    assert np.isnan(found["all", "given", "recall"].low)  # one pass gives no interval


def test_ambiguous_and_unlabelled_echoes_do_not_count():
    found = table(scores.compare(sample(surface_class=[LEAD, LEAD, SEA_ICE], truth=[1, -1, 0])))
    assert found["all", "given", "precision"].value == 1.0 and found["all", "given", "precision"].n == 2
    assert found["all", "given", "share_without_reference"].value == pytest.approx(1 / 3)
    with pytest.raises(ProductError, match="none of 2 echoes has a label"):
        scores.compare(sample(surface_class=[LEAD, LEAD]))


def average_precision(truth, score):
    """Mean precision over the leads, one threshold after the other."""
    total = 0.0
    for limit in np.unique(score[truth]):
        called = score >= limit
        total += np.sum(truth & (score == limit)) * np.mean(truth[called])
    return total / truth.sum()


@pytest.mark.parametrize("levels", [7, 100_000])
def test_the_area_under_the_curve_is_the_mean_precision(levels):
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.1
    score = np.round((rng.normal(size=4000) + 1.5 * truth) * levels) / levels  # ties, or none
    found = scores.pr_auc(score, truth, draw_blocks(1, index=np.zeros(4000, np.int64)))
    assert found.value == pytest.approx(average_precision(truth, score), abs=1e-12 if levels == 7 else 2e-3)


def test_the_area_of_a_perfect_and_of_a_constant_score():
    truth = np.array([True, False, True, False, False])
    blocks = draw_blocks(1, index=np.zeros(5, np.int64))
    assert scores.pr_auc(truth.astype(float), truth, blocks).value == 1.0
    assert scores.pr_auc(np.ones(5), truth, blocks).value == pytest.approx(0.4)  # the share of leads


def test_intervals_are_over_passes_not_echoes():
    """Each pass is all right or all wrong: 20 passes of 500 echoes say as much as 20 echoes."""
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(20) < 0.7, 500)
    given = sample(
        pass_number=np.repeat(np.arange(20), 500),
        surface_class=np.where(right, LEAD, SEA_ICE).astype(np.int8),
        truth=np.ones(10_000, np.int8),
    )
    recall = table(scores.compare(given))["all", "given", "recall"]
    binomial = 1.96 * np.sqrt(recall.value * (1 - recall.value) / 20)
    assert 0.6 * 2 * binomial < recall.high - recall.low < 1.6 * 2 * binomial


def test_by_threshold_a_lead_is_what_is_nearer():
    distance = np.array([50.0, 150.0, 250.0, 450.0, 650.0, 5000.0])
    found = table(
        scores.compare(
            sample(
                surface_class=[LEAD, LEAD, LEAD, SEA_ICE, SEA_ICE, SEA_ICE],
                truth=(distance < 300).astype(np.int8),
                truth_distance=distance,
                distance=[100.0, 150.0, 250.0, 650.0, 650.0, 200.0],
                distance_low=[60.0, 100.0, 200.0, 400.0, 600.0, 100.0],
                distance_high=[150.0, 160.0, 260.0, 800.0, 700.0, 300.0],
            )
        )
    )
    for limit, leads in ((100, 1), (200, 2), (300, 3), (500, 4), (700, 5)):
        key = f"T {limit} m", "given"
        assert found[(*key, "precision")].value == pytest.approx(min(leads, 3) / 3)
        assert found[(*key, "recall")].value == pytest.approx(min(leads, 3) / leads)
    assert found["all", "given", "distance_error_median"].value == 0.0  # 50, 0, 0, 200, 0; the far one is left out
    assert found["all", "given", "distance_error_mean"].value == pytest.approx(50.0)
    assert found["all", "given", "share_in_68_percent_interval"].value == pytest.approx(4 / 5)


def test_missions_seasons_and_bright_ice_are_strata():
    found = table(
        scores.compare(
            sample(
                surface_class=[LEAD, SEA_ICE, LEAD, LEAD],
                truth=[1, 0, 0, 0],
                mission=np.array(["SARAL", "SARAL", "CryoSat-2", "CryoSat-2"]),
                is_melt=[False, False, True, True],
                is_bright_ice=[False, True, True, False],
            )
        )
    )
    assert found["mission SARAL", "given", "f1"].value == 1.0
    assert found["mission CryoSat-2", "given", "false_lead_rate"].value == 1.0
    assert found["melt season", "given", "false_lead_rate"].value == 1.0
    assert found["bright ice without a lead", "given", "false_lead_rate"].value == 0.5


def test_agreement_with_a_rule_counts_all_classes():
    found = table(
        scores.compare(
            sample(
                surface_class=[LEAD, SEA_ICE, UNKNOWN, OCEAN, LEAD],
                truth_class=[LEAD, LEAD, UNKNOWN, OCEAN, UNKNOWN],
                truth=[1, 1, -1, 0, -1],
            )
        )
    )
    assert found["all", "given", "agreement_all_classes"].value == pytest.approx(3 / 5)
    assert found["all", "given", "agreement_where_both_decide"].value == pytest.approx(2 / 3)
    assert found["all", "given", "unknown_share_of_reference"].value == pytest.approx(2 / 5)


def test_calibration_is_that_of_the_probabilities():
    p = np.repeat([0.1, 0.9], 1000)
    truth = np.concatenate([np.arange(1000) < 300, np.arange(1000) < 900]).astype(np.int8)
    found = table(scores.compare(sample(surface_class=np.full(2000, SEA_ICE), probability=p, truth=truth)))
    assert found["all", "given", "calibration_error"].value == pytest.approx(0.1)  # half the echoes are off by 0.2
