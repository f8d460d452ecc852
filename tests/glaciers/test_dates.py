"""Several dates to one: a weighted median that one snowy or clouded date does not move, and what disagreement does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from polynya.glaciers import dates


def one(*values) -> np.ndarray:
    """Return one pixel of several dates."""
    return np.array(values, float).reshape(-1, 1, 1)


def clear(n: int) -> np.ndarray:
    return np.zeros((n, 1, 1), bool)


def test_equal_weights_give_the_usual_median():
    rng = np.random.default_rng(0)
    for n in range(1, 7):
        values = rng.uniform(0, 1, (n, 3, 4))
        found = dates.weighted_median(values, np.full(values.shape, 1.0 / n))
        np.testing.assert_allclose(found, np.median(values, axis=0), atol=1e-12)


def test_a_weight_of_two_is_the_value_twice():
    """An independent computation: repeat each value as often as its weight says and take the middle one."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        values, times = rng.uniform(0, 1, 4), rng.integers(1, 4, 4)
        found = dates.weighted_median(one(*values), one(*(times / times.sum())))[0, 0]
        repeated = np.sort(np.repeat(values, times))
        low, high = repeated[(len(repeated) - 1) // 2], repeated[len(repeated) // 2]
        near = np.sort(values)
        k = np.searchsorted(near, low), np.searchsorted(near, high)
        # between the neighbours of the repeated median: linear there instead of a step
        assert near[max(k[0] - 1, 0)] <= found <= near[min(k[1] + 1, 3)]


def test_order_of_dates_does_not_matter_and_weight_zero_is_absent():
    rng = np.random.default_rng(2)
    p, snow = rng.uniform(0, 1, (4, 5, 5)), rng.uniform(-0.5, 0.9, (4, 5, 5))
    order = [2, 0, 3, 1]
    none = np.zeros(p.shape, bool)
    a, b = dates.merge(p, snow, none), dates.merge(p[order], snow[order], none)
    np.testing.assert_allclose(a.probability, b.probability, rtol=1e-5)
    gone = p.copy()
    gone[1] = np.nan
    np.testing.assert_allclose(
        dates.merge(gone, snow, none).probability,
        dates.merge(p[[0, 2, 3]], snow[[0, 2, 3]], none[:3]).probability,
        rtol=1e-5,
    )


def test_two_snowy_dates_of_three_do_not_make_rock_a_glacier():
    """Rock (NDSI -0.3) is under snow (0.8) at two of three dates: a plain median would be 0.95."""
    p, snow = one(0.95, 0.04, 0.96), one(0.8, -0.3, 0.8)
    found = dates.merge(p, snow, clear(3))
    assert np.median(p) > 0.9 and found.probability[0, 0] == pytest.approx(0.04, abs=0.01)
    assert found.weight[1, 0, 0] > 0.999 and found.n_clear[0, 0] == 3


def test_unknown_snow_counts_dates_alike():
    found = dates.merge(one(0.9, 0.1, 0.2), one(0.8, np.nan, 0.1), clear(3), is_map=False)
    assert found.probability[0, 0] == pytest.approx(0.2)
    np.testing.assert_allclose(found.weight, 1 / 3, rtol=1e-6)


def test_cloud_counts_only_where_nothing_else_was_seen():
    p, snow = one(0.02, 0.9, 0.9), one(0.0, 0.8, 0.8)
    found = dates.merge(p, snow, one(1, 0, 0) > 0)
    assert found.probability[0, 0] == pytest.approx(0.9) and found.n_clear[0, 0] == 2
    found = dates.merge(one(0.02, np.nan), one(0.0, 0.8), one(1, 0) > 0)
    assert found.probability[0, 0] == pytest.approx(0.02) and found.n_clear[0, 0] == 0
    assert np.isnan(dates.merge(one(np.nan, np.nan), one(0.0, 0.8), clear(2)).probability[0, 0])


@pytest.mark.parametrize("threshold", [0.5, 0.35])
def test_disagreement_is_the_mean_over_a_normal_error_and_changes_no_class(threshold):
    """At threshold 0.5 the result is the mean of Phi(m + s e) over a standard normal e, by numerical integration."""
    p = one(0.7, 0.9, 0.97)
    score = norm.ppf(p.ravel())
    found = float(dates.merge(p, np.full(p.shape, 0.5), clear(3), threshold=threshold).probability[0, 0])
    s = score.std()
    mean = quad(lambda e: norm.cdf(norm.ppf(0.9) + s * e) * norm.pdf(e), -8, 8)[0]
    if threshold == 0.5:
        assert found == pytest.approx(mean, abs=1e-5)
    assert threshold < found < 0.9
    below = dates.merge(one(0.1, 0.2, 0.3), np.full(p.shape, 0.5), clear(3), threshold=threshold)
    assert 0.2 < below.probability[0, 0] < threshold


def test_dates_that_agree_are_left_as_they_are():
    found = dates.merge(np.full((3, 2, 2), 0.8), np.zeros((3, 2, 2)), np.zeros((3, 2, 2), bool))
    np.testing.assert_allclose(found.probability, 0.8, rtol=1e-6)
    np.testing.assert_array_equal(found.spread, 0.0)
