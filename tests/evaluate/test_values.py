"""Scores of values with their spread, against plain formulas and errors whose spread is known."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.evaluate import values
from polynya.evaluate.scene_rows import draw_blocks


def blocks(n: int, count: int = 40):
    return draw_blocks(count, index=np.arange(n) * count // n, n_resamples=200, seed=1)


def test_scores_are_those_of_the_formulas():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, 2000)
    value = truth + rng.normal(2.0, 10.0, 2000)
    found = values.value_scores(value, truth, blocks(2000))
    d = value - truth
    assert found["rmse"].value == pytest.approx(np.sqrt((d**2).mean()))
    assert found["mae"].value == pytest.approx(np.abs(d).mean()) and found["bias"].value == pytest.approx(d.mean())
    assert found["r2"].value == pytest.approx(1 - (d**2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert all(e.low < e.value < e.high and e.n == 2000 for e in found.values())


def test_the_mean_has_an_r2_of_zero_and_one_value_has_none():
    truth = np.array([0.0, 0.0, 100.0, 100.0])
    assert values.value_scores(np.full(4, 50.0), truth, blocks(4, 2))["r2"].value == pytest.approx(0.0)
    assert np.isnan(values.value_scores(truth, np.full(4, 30.0), blocks(4, 2))["r2"].value)


def test_coverage_of_gaussian_errors_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(2)
    sigma = rng.uniform(1.0, 5.0, 200_000)
    found = values.coverage_scores(rng.normal(0.0, sigma), sigma, blocks(200_000))
    assert found["coverage_1sigma"].value == pytest.approx(values.GAUSS_1SIGMA, abs=0.005)
    assert found["coverage_2sigma"].value == pytest.approx(values.GAUSS_2SIGMA, abs=0.003)
    half = values.coverage_scores(rng.normal(0.0, sigma), 2 * sigma, blocks(200_000))
    assert half["coverage_1sigma"].value == pytest.approx(values.GAUSS_2SIGMA, abs=0.003)


def test_samples_without_a_sigma_are_left_out():
    sigma = np.array([1.0, 0.0, np.nan, 2.0])
    found = values.coverage_scores(np.array([0.5, 9.0, 9.0, 9.0]), sigma, blocks(4, 2))
    assert found["coverage_1sigma"].value == 0.5 and found["coverage_1sigma"].n == 2
    assert values.sigma_bins(np.zeros(4), np.full(4, np.nan), blocks(4, 2)) == []


def test_errors_stand_beside_sigma_in_eight_bins():
    rng = np.random.default_rng(4)
    sigma = rng.uniform(1.0, 9.0, 80_000)
    found = values.sigma_bins(rng.normal(0.0, 1.2 * sigma), sigma, blocks(80_000))
    assert len(found) == 8 and all(e.value == pytest.approx(1.2, abs=0.03) and e.n == 10_000 for _, _, e in found)
    ends = [low for low, _, _ in found] + [found[-1][1]]
    assert np.allclose(ends, np.linspace(1.0, 9.0, 9), atol=0.1)
    one = values.sigma_bins(np.full(10, 3.0), np.full(10, 2.0), blocks(10, 2))
    assert len(one) == 1 and one[0][2].value == pytest.approx(1.5) and one[0][2].n == 10


def test_an_interval_holds_the_share_that_lies_in_it():
    truth = np.arange(10.0)
    low, high = np.full(10, 2.0), np.full(10, 6.0)
    low[9] = np.nan
    found = values.interval_score(truth, low, high, blocks(10, 5))
    assert found.value == pytest.approx(5 / 9) and found.n == 9
