"""Exponents of floe sizes against samples of known laws, and the correction for the border."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import power_law


@pytest.mark.parametrize("alpha", [1.2, 2.3])
def test_exponents_of_known_laws_lie_in_their_intervals(alpha, monkeypatch):
    monkeypatch.setattr(power_law, "DRAWS", 1)
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(20):
        found = power_law.fit(10.0 * rng.uniform(size=400) ** (-1.0 / alpha), resolvable=10.0)
        inside += found.low < alpha < found.high
        assert abs(found.exponent - alpha) < 0.4 * alpha
    assert inside >= 16  # 95 % of them, less for the choice of the smallest size


def test_a_law_that_holds_only_for_large_floes_is_found_there():
    rng = np.random.default_rng(4)
    small, large = rng.uniform(10.0, 40.0, 1500), 40.0 * rng.uniform(size=800) ** (-1.0 / 2.0)
    found = power_law.fit(np.concatenate([small, large]), resolvable=10.0)
    assert found.smallest > 30.0 and found.low < 2.0 < found.high and found.p_value > 0.05


def test_other_laws_are_told():
    rng = np.random.default_rng(5)
    found = power_law.fit(rng.uniform(100.0, 120.0, 3000), resolvable=10.0)
    assert found is None or found.p_value < 0.1


def test_too_few_floes_have_no_exponent():
    sizes = np.linspace(10.0, 100.0, power_law.FEWEST - 1)
    assert power_law.fit(sizes, resolvable=10.0) is None
    assert power_law.fit(np.full(500, 20.0), resolvable=10.0) is None
    assert power_law.fit(np.linspace(1.0, 9.0, 500), resolvable=10.0) is None


def test_floes_that_a_border_cuts_bias_nothing():
    """Squares thrown onto an image: those that lie inside, weighted, give back how many of each size there are."""
    rng = np.random.default_rng(6)
    side, sizes = 100, np.repeat([10, 60], 4000)
    corner = rng.integers(-60, side, (sizes.size, 2))
    inside = (corner >= 0).all(axis=1) & (corner + sizes[:, None] <= side).all(axis=1)
    weight = power_law.fits_weight(np.column_stack([sizes, sizes])[inside], (side, side))
    small, large = (weight[sizes[inside] == s].sum() for s in (10, 60))
    assert large / small == pytest.approx(1.0, rel=0.1)
    assert (sizes[inside] == 60).sum() < 0.4 * (sizes[inside] == 10).sum()
