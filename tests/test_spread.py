"""Spread and intervals: errors of a known size are found again, and intervals hold what they say on other samples."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import spread
from polynya.errors import ProductError


def ice(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, stated spread and truth: nearly certain water and ice, and edges with errors of any shape. The
    spread is stated three times too small, and the root of what it should be."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.5, 0.35, 0.15])
    scale = np.where(kind == 2, rng.uniform(0.1, 0.4, n), rng.uniform(0.002, 0.02, n))
    value = np.clip(np.select([kind == 0, kind == 1], [scale, 1 - scale], rng.uniform(0.1, 0.9, n)), 0, 1)
    error = scale * rng.choice([-1.0, 1.0], n) * rng.gamma(0.7, 1.0, n)
    truth = np.clip(value + error, 0, 1)
    return value, scale**0.5 / 3, truth


@pytest.fixture(scope="module")
def fitted() -> spread.Spread:
    return spread.fit(*ice(200_000, 1))


def test_errors_are_as_large_as_it_says_on_other_samples(fitted):
    value, stated, truth = ice(200_000, 2)
    said = fitted.of(stated)
    edges = np.quantile(said, np.arange(1, 8) / 8)
    for k in range(8):
        mine = np.searchsorted(edges, said) == k
        rms = np.sqrt(np.mean((truth - value)[mine] ** 2))
        assert rms == pytest.approx(np.sqrt(np.mean(said[mine] ** 2)), rel=0.1), k
    assert (np.diff(fitted.of(np.geomspace(1e-4, 1, 50))) >= 0).all()


def test_intervals_hold_what_they_say_on_other_samples(fitted):
    value, stated, truth = ice(200_000, 3)
    ends = fitted.intervals(value, fitted.of(stated))
    assert ends.shape == (2, 2, 200_000) and ends.min() >= 0 and ends.max() <= 1
    for (low, high), level in zip(ends, (0.68, 0.95), strict=True):
        inside = (truth >= low) & (truth <= high)
        assert inside.mean() == pytest.approx(level, abs=0.01)
        edge = (value > 0.15) & (value < 0.8)
        assert inside[edge].mean() == pytest.approx(level, abs=0.02)
    assert (ends[1, 0] <= ends[0, 0]).all() and (ends[1, 1] >= ends[0, 1]).all()


def test_a_gaussian_of_one_spread_would_not():
    """The samples are such that errors of the usual assumption hold far too many values."""
    value, _, truth = ice(200_000, 3)
    assert np.mean(np.abs(truth - value) <= np.std(truth - value)) > 0.85


def test_scores_count_by_hand(fitted):
    value, stated, truth = (v[:800] for v in ice(5000, 4))
    found = spread.scores(fitted, value, stated, truth)
    ends = fitted.intervals(value, fitted.of(stated))
    assert found["coverage"] == [sum(a <= t <= b for a, b, t in zip(*e, truth, strict=True)) / 800 for e in ends]
    assert [b["n"] for b in found["bins"]] == [100] * 8
    said = fitted.of(stated)
    last = np.argsort(said)[-100:]
    assert found["bins"][-1]["rms_error"] == pytest.approx(np.sqrt(np.mean((truth - value)[last] ** 2)))
    assert found["bins"][-1]["spread"] == pytest.approx(np.sqrt(np.mean(said[last] ** 2)))


def test_it_comes_back_from_its_record(fitted):
    again = spread.Spread(**fitted.as_dict())
    value, stated, _ = ice(500, 5)
    assert np.array_equal(again.intervals(value, again.of(stated)), fitted.intervals(value, fitted.of(stated)))


def test_few_samples_are_an_error_and_a_constant_spread_is_none():
    with pytest.raises(ProductError, match="calibration: 399 known values; expected 400"):
        spread.fit(*ice(399, 1))
    value, _, truth = ice(20_000, 6)
    one = spread.fit(value, np.full(20_000, 0.1), truth)
    rms = np.sqrt(np.mean((truth - value) ** 2))
    assert one.of(np.array([0.01, 0.1, 3.0])) == pytest.approx([rms] * 3)


def test_errors_that_fall_where_the_spread_rises_are_averaged():
    """Least squares with the values in order, by trying all ways to group neighbours."""
    values, weights = np.array([1.0, 3.0, 2.0, 2.5, 0.5, 4.0]), np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    best, cost = None, np.inf
    for cuts in range(2**5):
        groups = np.cumsum([0, *(cuts >> k & 1 for k in range(5))])
        means = np.array([np.average(values[groups == g], weights=weights[groups == g]) for g in groups])
        now = (weights * (values - means) ** 2).sum()
        if (np.diff(means) >= 0).all() and now < cost:
            best, cost = means, now
    np.testing.assert_allclose(spread._increasing(values, weights), best)
