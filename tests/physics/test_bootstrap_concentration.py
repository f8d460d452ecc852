"""Bootstrap concentration: mixtures of known tie points come back."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import bootstrap_concentration as bootstrap

WATER = np.array([184.0, 210.0])
OLD, YOUNG = np.array([223.0, 187.0]), np.array([252.0, 247.0])


def cells(share, age):
    """Return the two temperatures of mixtures: radiances add up by area."""
    ice = OLD + age[:, None] * (YOUNG - OLD)
    return (WATER + share[:, None] * (ice - WATER)).T


def taught(rng, *, noise=0.0):
    share, age = np.repeat([0.0, 1.0], 200), rng.random(400)
    values = cells(share, age) + noise * rng.standard_normal((2, 400))
    return bootstrap.fit(*values, share)


def test_mixtures_of_any_age_come_back():
    ties = taught(np.random.default_rng(1))
    share, age = (g.ravel() for g in np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 1, 7)))
    assert np.allclose(bootstrap.concentration(ties, *cells(share, age)), share, atol=1e-9)


def test_the_line_and_the_point_are_those_of_the_cells():
    ties = taught(np.random.default_rng(2))
    assert np.allclose(ties.water, WATER)
    assert abs(np.dot(ties.normal, YOUNG - OLD)) < 1e-9
    area = abs(np.linalg.det(np.stack([YOUNG - OLD, WATER - OLD])))  # of the parallelogram: base times height
    assert ties.contrast_k == pytest.approx(area / np.linalg.norm(YOUNG - OLD))


def test_noise_of_the_channels_moves_it_little():
    ties = taught(np.random.default_rng(3), noise=2.0)
    share = np.linspace(0, 1, 11)
    assert np.abs(bootstrap.concentration(ties, *cells(share, np.full(11, 0.5))) - share).max() < 0.03


def test_it_ends_at_0_and_1_and_missing_stays_missing():
    ties = taught(np.random.default_rng(4))
    outside = cells(np.array([-0.5, 1.5, 0.5]), np.full(3, 0.3))
    outside[0, 2] = np.nan
    assert np.array_equal(bootstrap.concentration(ties, *outside), [0.0, 1.0, np.nan], equal_nan=True)


def test_too_few_cells_of_ice_are_refused():
    share = np.r_[np.zeros(50), np.ones(9)]
    with pytest.raises(UsageError, match="50 cells of at most 1 % ice and 9 of at least 90 %"):
        bootstrap.fit(*cells(share, np.linspace(0, 1, 59)), share)


def test_water_on_the_ice_line_is_refused():
    share, age = np.repeat([0.0, 1.0], 50), np.tile(np.linspace(0, 1, 50), 2)
    values = (OLD + age[:, None] * (YOUNG - OLD)).T
    values[:, :50] = (OLD + 0.4 * (YOUNG - OLD))[:, None]
    with pytest.raises(UsageError, match=r"lies 0\.00 K from the ice line"):
        bootstrap.fit(*values, share)
