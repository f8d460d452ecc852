"""Scores against hand-made cases, brute force and the closed forms they estimate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya import metrics


def one_block(n: int) -> metrics.Blocks:
    return metrics.Blocks(index=np.zeros(n, np.int64), count=1, weights=np.zeros((0, 1)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([-1, 0, 1, 2])), min_size=1, max_size=60))
def test_class_scores_equal_counting_by_hand(pairs):
    truth, predicted = np.array(pairs).T
    c = metrics.confusion(truth, predicted)
    assert c.sum() == len(pairs)
    for k in range(3):
        tp = sum(t == k and p == k for t, p in pairs)
        fp = sum(t != k and p == k for t, p in pairs)
        fn = sum(t == k and p != k for t, p in pairs)
        for score, numerator, denominator in (
            (metrics.precision, tp, tp + fp),
            (metrics.recall, tp, tp + fn),
            (metrics.f1, 2 * tp, 2 * tp + fp + fn),
            (metrics.iou, tp, tp + fp + fn),
        ):
            got = score(c)[k]
            if denominator:
                assert got == pytest.approx(numerator / denominator)
            else:
                assert math.isnan(got)


def test_always_saying_thick_scores_92_percent_accuracy_and_a_third_of_the_macro_f1():
    truth = np.repeat([0, 1, 2], [920, 55, 25])
    c = metrics.confusion(truth, np.zeros(1000, int))
    assert metrics.accuracy(c) == pytest.approx(0.92)
    assert metrics.majority_accuracy(c) == pytest.approx(0.92)
    assert metrics.macro_f1(c) == pytest.approx((2 * 0.92 / 1.92) / 3)


def test_unclassified_is_a_miss_and_no_false_alarm():
    c = metrics.confusion(np.array([2, 2, 2, 0]), np.array([2, -1, -1, 0]))
    assert metrics.recall(c)[2] == pytest.approx(1 / 3)
    assert metrics.precision(c)[2] == 1.0
    assert metrics.unclassified_share(c) == 0.5
    assert math.isnan(metrics.recall(c)[1])


def test_unknown_truth_does_not_count():
    assert metrics.confusion(np.array([-1, 2]), np.array([2, 2])).sum() == 1


def test_macro_f1_is_over_the_classes_of_the_truth():
    c = metrics.confusion(np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2]))
    assert metrics.macro_f1(c) == pytest.approx((2 / 3 + 1.0) / 2)


def test_macro_f1_of_given_classes_is_undefined_where_one_is_missing():
    both = metrics.confusion(np.array([0, 2]), np.array([0, 0]))
    only_ice = metrics.confusion(np.array([0, 0]), np.array([0, 0]))
    classes = np.array([True, False, True])
    drawn = metrics.macro_f1(np.stack([both, only_ice]), classes=classes)
    assert drawn[0] == pytest.approx((2 / 3) / 2) and math.isnan(drawn[1])


def test_merging_ice_forgives_thick_for_thin_only():
    c = metrics.merge_ice(metrics.confusion(np.array([0, 1, 2, 1]), np.array([1, 0, 2, 2])))
    assert metrics.recall(c)[0] == pytest.approx(2 / 3)
    assert metrics.recall(c)[2] == 1.0 and metrics.precision(c)[2] == 0.5


def test_block_sums_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    x, track = rng.uniform(0, 50_000, 4000), rng.integers(0, 3, 4000)
    values = rng.normal(size=4000)
    blocks = metrics.make_blocks(x, track=track, block_m=1000.0, n_resamples=10)
    sums = metrics.block_sums(blocks, np.ones(4000), values)
    expected = {(t, c): values[(track == t) & (np.floor(x / 1000) == c)].sum() for t in range(3) for c in range(50)}
    assert blocks.count == len(expected)
    assert np.allclose(np.sort(sums[:, 1]), np.sort(list(expected.values())))
    assert np.all(blocks.weights.sum(axis=1) == blocks.count)


def test_sparse_blocks_are_numbered_as_dense_ones():
    x = np.array([0.0, 500.0, 9e9, 9e9 + 1500.0])
    blocks = metrics.make_blocks(x, block_m=1000.0, n_resamples=5)
    assert blocks.index.tolist() == [0, 0, 1, 2]


def test_same_seed_same_interval_and_another_seed_another():
    x = np.arange(5000) * 2.0
    d = np.sin(x)

    def bounds(seed):
        e = metrics.difference_scores(d, metrics.make_blocks(x, seed=seed))["bias"]
        return e.low, e.high

    assert bounds(3) == bounds(3)
    assert bounds(3) != bounds(4)


def test_block_bootstrap_covers_the_mean_of_correlated_errors_where_the_naive_interval_does_not():
    rng = np.random.default_rng(7)
    n, block = 4000, 100
    x = np.arange(n) * 10.0
    inside = naive = 0
    trials = 250
    for trial in range(trials):
        noise = np.repeat(rng.normal(size=n // block), block) + rng.normal(size=n)  # 40 independent stretches of 1 km
        e = metrics.difference_scores(noise, metrics.make_blocks(x, block_m=1000.0, n_resamples=300, seed=trial))[
            "bias"
        ]
        inside += e.low <= 0.0 <= e.high
        naive += abs(noise.mean()) <= 1.96 * noise.std() / math.sqrt(n)
    assert 0.90 <= inside / trials <= 0.99  # 95 % within sampling error (sd 1.4 %) and the method's own
    assert naive / trials < 0.5


def test_few_blocks_widen_the_interval_and_one_block_gives_none():
    rng = np.random.default_rng(3)
    trials, inside = 400, 0
    x = np.repeat(np.arange(6), 50) * 1000.0
    for trial in range(trials):
        noise = np.repeat(rng.normal(size=6), 50)
        e = metrics.difference_scores(noise, metrics.make_blocks(x, n_resamples=400, seed=trial))["bias"]
        inside += e.low <= 0.0 <= e.high
    assert inside / trials >= 0.90  # the plain percentile interval reaches about 0.85 with six blocks
    single = metrics.difference_scores(rng.normal(size=50), metrics.make_blocks(np.zeros(50)))["bias"]
    assert math.isnan(single.low) and math.isnan(single.high) and single.n == 50


def test_coverage_of_an_honest_gaussian_sigma_is_68_and_95_percent():
    rng = np.random.default_rng(0)
    n = 200_000
    sigma = rng.uniform(0.02, 0.2, n)
    blocks = metrics.make_blocks(np.arange(n) * 2.0, n_resamples=100)
    scores = metrics.difference_scores(0.01 + sigma * rng.normal(size=n) - 0.01, blocks, sigma=sigma)
    assert scores["coverage_1sigma"].value == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.004)
    assert scores["coverage_2sigma"].value == pytest.approx(math.erf(2 / math.sqrt(2)), abs=0.002)
    assert scores["median_sigma"].value == np.median(sigma)


def test_differences_leave_nan_out_and_count_it():
    d = np.array([1.0, np.nan, 3.0, -1.0])
    sigma = np.array([1.0, 1.0, np.nan, 0.4])
    scores = metrics.difference_scores(d, one_block(4), sigma=sigma)
    assert (scores["bias"].value, scores["bias"].n) == (1.0, 3)
    assert scores["rmse"].value == pytest.approx(math.sqrt(11 / 3))
    assert scores["median_absolute_difference"].value == 1.0
    assert (scores["coverage_1sigma"].value, scores["coverage_1sigma"].n) == (0.5, 2)


def test_nothing_to_score_is_nan_with_n_zero():
    for score in metrics.difference_scores(np.full(3, np.nan), one_block(3), sigma=np.ones(3)).values():
        assert math.isnan(score.value) and score.n == 0
    empty = metrics.make_blocks(np.zeros(0))
    for score in metrics.difference_scores(np.zeros(0), empty, sigma=np.zeros(0)).values():
        assert math.isnan(score.value) and score.n == 0


def test_median_interval_equals_a_brute_force_block_bootstrap():
    rng = np.random.default_rng(5)
    values = np.repeat(rng.normal(size=30), 40) + 0.3 * rng.normal(size=1200)
    blocks = metrics.make_blocks(np.arange(1200) * 25.0, block_m=1000.0, n_resamples=400, seed=2)
    e = metrics.median(values, blocks)
    draws = [np.median(np.repeat(values, w[blocks.index].astype(int))) for w in blocks.weights]
    m = blocks.count
    from scipy.stats import norm, t

    tail = norm.cdf(-math.sqrt(m / (m - 1)) * t.ppf(0.975, m - 1))
    low, high = np.quantile(draws, [tail, 1 - tail])
    assert e.value == np.median(values)
    assert e.low == pytest.approx(low, abs=0.02) and e.high == pytest.approx(high, abs=0.02)


def test_calibration_error_of_a_constant_offset_is_the_offset():
    p = np.repeat(np.linspace(0.05, 0.85, 9), 1000)  # nine probabilities, each in a bin of its own of the ten
    events = np.concatenate([np.arange(1000) < round(1000 * (q + 0.1)) for q in np.linspace(0.05, 0.85, 9)])
    sums = metrics.reliability_sums(p, events, one_block(p.size), n_bins=10).sum(axis=0)
    assert metrics.calibration_error(sums) == pytest.approx(0.1)
    honest = np.concatenate([np.arange(1000) < round(1000 * q) for q in np.linspace(0.05, 0.85, 9)])
    assert metrics.calibration_error(
        metrics.reliability_sums(p, honest, one_block(p.size), n_bins=10).sum(axis=0)
    ) == pytest.approx(0.0, abs=1e-12)


def test_brier_skill_is_one_for_the_truth_and_zero_for_climatology():
    y = np.arange(1000) < 250
    for p, skill in ((y.astype(float), 1.0), (np.full(1000, 0.25), 0.0)):
        assert metrics.brier_skill(metrics.reliability_sums(p, y, one_block(1000)).sum(axis=0)) == pytest.approx(
            skill, abs=1e-12
        )
    flat = metrics.reliability_sums(np.full(10, 0.5), np.zeros(10, bool), one_block(10)).sum(axis=0)
    assert math.isnan(metrics.brier_skill(flat))  # climatology is already perfect


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=0, max_size=40))
def test_runs_equal_a_plain_loop(pairs):
    member = np.array([p[0] for p in pairs], bool)
    breaks = np.array([p[1] for p in pairs], bool)
    expected = []
    for i, (m, b) in enumerate(pairs):
        if not m:
            continue
        if i and pairs[i - 1][0] and not b:
            expected[-1][1] += 1
        else:
            expected.append([i, 1])
    first, count = metrics.runs(member, breaks=breaks)
    assert [[int(f), int(c)] for f, c in zip(first, count, strict=True)] == expected


intervals = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=12)


@settings(max_examples=80, deadline=None)
@given(intervals, intervals)
def test_overlaps_equals_comparing_every_pair(a, b):
    start, end = np.array([s for s, _ in a], float), np.array([s + w for s, w in a], float)
    other, upto = np.array([s for s, _ in b], float), np.array([s + w for s, w in b], float)
    expected = [any(s < v and e > u for u, v in zip(other, upto, strict=True)) for s, e in zip(start, end, strict=True)]
    assert metrics.overlaps(start, end, other, upto).tolist() == expected
