"""CMOD5.N against the method sheet's numbers and the model's own symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import cmod5n


@pytest.mark.parametrize(
    ("incidence", "expected"), [(23.8, 0.275787), (30.0, 0.100735), (36.8, 0.0441658), (40.0, 0.0323082)]
)
def test_ten_metres_per_second_at_45_degrees(incidence, expected):
    assert cmod5n.sigma_nought(incidence, 10.0, 45.0) == pytest.approx(expected, rel=1e-5)


def test_in_decibels_as_another_implementation():
    found = 10 * np.log10(cmod5n.sigma_nought(np.array([23.8, 30.0, 36.8, 40.0]), 10.0, 45.0))
    np.testing.assert_allclose(found, [-5.594, -9.968, -13.549, -14.907], atol=5e-4)


def test_isotropic_part_by_hand():
    """B0 at 40 degrees (x = 0), where only the constant terms count, in its steep and its low branch."""
    for wind in (5.0, 1.0):
        s, s0 = 0.1103 * wind, 0.4971
        logistic = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
        a3 = logistic(s) if s >= s0 else logistic(s0) * (s / s0) ** (s0 * (1 - logistic(s0)))
        expected = a3**6.7329 * 10 ** (-0.6878)
        assert float(cmod5n._isotropic(np.array(0.0), np.array(wind))) == pytest.approx(expected, rel=1e-12)


def test_symmetric_about_the_wind_and_brightest_upwind():
    angles = np.arange(0.0, 181.0, 15.0)
    value = cmod5n.sigma_nought(35.0, 9.0, angles)
    np.testing.assert_allclose(value, cmod5n.sigma_nought(35.0, 9.0, -angles))
    assert value.argmax() == 0 and 75.0 <= angles[value.argmin()] <= 105.0 and value[0] > value[-1]


def test_roughness_of_the_model_sea_is_one_and_scales():
    incidence = np.array([[23.0, 24.0], [36.0, 37.5]])
    sea = cmod5n.sigma_nought(incidence, 10.0, 45.0)
    np.testing.assert_allclose(cmod5n.roughness(2.0 * sea, incidence), 2.0)


def test_more_wind_is_brighter_and_steeper_angles_too():
    assert (np.diff(cmod5n.sigma_nought(30.0, np.arange(1.0, 20.0), 45.0)) > 0).all()
    assert (np.diff(cmod5n.sigma_nought(np.arange(20.0, 50.0), 10.0, 45.0)) < 0).all()
