"""NASA's bounds beside a network: odds in closed form, and nothing moved where they have nothing to say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import lead_error, nasa_surface_type, surface_type, water_bounds


def evidence(rate, *, width=0.0, transmission=1.0) -> surface_type.Evidence:
    """Return evidence of a strong beam's measured photons a shot; rates are kept divided by the transmission, 0.95 at
    the least."""
    rate, width, transmission = np.broadcast_arrays(*(np.asarray(v, float) for v in (rate, width, transmission)))
    rate, width, transmission = (np.atleast_1d(v).copy() for v in (rate, width, transmission))
    others = {f.name: np.zeros(rate.size) for f in dataclasses.fields(surface_type.Evidence)}
    return surface_type.Evidence(
        **{
            **others,
            "rate_pooled": rate / np.maximum(transmission, 0.95),
            "width_pooled": width,
            "transmission": transmission,
        }
    )


def water(rate, said, *, width=0.0, transmission=1.0) -> np.ndarray:
    """Return what becomes of a network's probability of water; the rest is one part thick and three parts thin ice."""
    e = evidence(rate, width=width, transmission=transmission)
    said = np.full(e.x.size, said)
    out = water_bounds.within(np.column_stack([0.25 * (1 - said), 0.75 * (1 - said), said]).astype(np.float32), e)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(out[:, 1], 3.0 * out[:, 0], rtol=1e-3, atol=1e-6)
    return out[:, 2]


def chance(odds):
    return odds / (1.0 + odds)


def test_a_smooth_bright_surface_is_water_at_least_as_likely_as_its_rate_says():
    np.testing.assert_allclose(
        water([10.8, 11.0, 11.1], 0.001), [chance((10.8 / 11) ** 13), 0.5, chance((11.1 / 11) ** 13)], rtol=1e-4
    )
    np.testing.assert_allclose(water([12.0, 30.0], 0.001), 0.54, rtol=1e-5)  # no surer by the rate alone
    assert water(30.0, 0.001)[0] < lead_error.PROBABLE  # which names a class and puts no lead into a sea surface
    np.testing.assert_allclose(water(11.5, 0.001, width=0.05), chance((11.5 / 11) ** 13 * np.exp(-0.75)), rtol=1e-4)
    np.testing.assert_allclose(water([11.0, 15.0], 0.99), 0.99, rtol=1e-6)  # a network that is surer is believed


def test_what_the_rate_cannot_decide_is_the_networks():
    below = 11.0 * (0.4 / 0.6) ** (1 / 13)  # where the odds are 0.4 : 0.6
    np.testing.assert_allclose(water([0.2, 3.0, 8.0, below - 0.01], 0.001), 0.001, rtol=1e-5)
    assert water(below + 0.01, 0.001)[0] == pytest.approx(0.4, abs=0.005)
    np.testing.assert_allclose(water([12.0, 14.0], 0.001, width=0.14), 0.001, rtol=1e-5)  # not smooth
    np.testing.assert_allclose(
        water([3.0, 6.0, 9.0], 0.9, transmission=0.9), 0.9, rtol=1e-6
    )  # under thin cloud leads are dimmer
    np.testing.assert_allclose(water(np.nan, 0.3, transmission=0.4), 0.3, rtol=1e-6)


def test_under_thick_cloud_it_is_no_likelier_either():
    np.testing.assert_allclose(
        water([8.0, 10.0], 0.9, transmission=0.4), [chance((8 / 11) ** 13), chance((10 / 11) ** 13)], rtol=1e-3
    )
    np.testing.assert_allclose(water([1.0, 4.4], 0.9, transmission=0.4), 0.9, rtol=1e-6)  # may be a dark lead
    assert water(2.0, 0.9, transmission=0.4, width=0.2)[0] < 1e-4  # but no wide one
    # Five hundredths more light give the network five units of log odds.
    assert water(8.0, 0.9, transmission=0.55)[0] == pytest.approx(chance((8 / 11) ** 13 * np.exp(5.0)), rel=1e-3)


def test_a_network_that_says_nothing_leaves_nasas_tree():
    """With even odds for water the bounds alone are the tree's specular leads of smooth surfaces."""
    rate = np.linspace(3.0, 13.9, 400)
    tree = nasa_surface_type.surface_type(
        rate, np.zeros(400), background_norm=np.zeros(400), solar_elevation=np.full(400, -10.0), spot=1
    )
    np.testing.assert_array_equal(water(rate, 0.0) >= 0.5, np.isin(tree, nasa_surface_type.SPECULAR_TYPES))


@settings(max_examples=80, deadline=None)
@given(st.floats(0.001, 0.999), st.floats(0.0, 0.3), st.floats(0.4, 1.0))
def test_a_brighter_surface_is_never_less_likely_water_among_the_bright(said, width, transmission):
    found = water(np.linspace(4.6, 20.0, 60), said, width=width, transmission=transmission)
    assert np.all(np.diff(found) >= -1e-6)


def test_nothing_in_nothing_out():
    assert water_bounds.within(np.empty((0, 3), np.float32), evidence(np.empty(0))).shape == (0, 3)
