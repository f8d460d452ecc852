"""Gaps along a track in closed form: straight lines over gaps, spikes, and where two sides do not agree."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import gaps

along = 20.0 * np.arange(2000)
"""40 km of 20 m geosegments."""


def hole(start_m: float, stop_m: float) -> np.ndarray:
    return (along >= start_m) & (along < stop_m)


def test_a_line_is_bridged_by_itself():
    line = 0.3 + 2e-6 * along
    missing = hole(5000, 9000) | hole(12_000, 12_020)
    found = gaps.bridge(along, np.where(missing, np.nan, line), is_known=~missing)
    np.testing.assert_allclose(found.values, line, atol=1e-12)
    np.testing.assert_array_equal(found.values[~missing], line[~missing])  # to the bit
    assert found.is_between[missing].all() and not found.is_between[~missing].any() and not found.is_steep.any()
    np.testing.assert_allclose(found.length, np.select([hole(5000, 9000)], [3980.0], 0.0))


def test_beyond_the_ends_the_nearest_value_is_held():
    missing = ~hole(4000, 10_000)
    found = gaps.bridge(along, np.where(missing, np.nan, 1e-5 * along), is_known=~missing)
    np.testing.assert_allclose(found.values[along < 4000], 0.04)
    np.testing.assert_allclose(found.values[along >= 10_000], 1e-5 * 9980)
    assert not found.is_between.any() and not found.is_steep.any()
    np.testing.assert_allclose(found.length[[0, -1]], [3980.0, along[-1] - 10_000.0])


@pytest.mark.parametrize(
    ("step", "length_m", "is_steep"),
    [(0.04, 100, False), (0.06, 100, True), (0.06, 8000, False), (0.12, 8000, True), (0.25, 30_000, False)],
)
def test_two_sides_agree_within_5_cm_or_1_cm_per_km(step, length_m, is_steep):
    missing = hole(4000, 4000 + length_m)
    found = gaps.bridge(along, np.where(along < 4000, 0.0, step), is_known=~missing)
    assert np.all(found.is_steep[missing] == is_steep) and not found.is_steep[~missing].any()


@pytest.mark.parametrize("places", [[0], [700], [700, 701, 702], [1999], [5, 900, 1500]])
@pytest.mark.parametrize("size", [0.3, -5.0])
def test_spikes_are_found_and_nothing_else(places, size):
    values = 0.2 + 0.1 * np.sin(along / 30_000.0)
    values[places] += size
    found = gaps.is_spike(along, values, is_known=np.ones(along.size, bool))
    np.testing.assert_array_equal(np.flatnonzero(found), places)


def test_a_step_is_no_spike():
    assert not gaps.is_spike(along, np.where(along < 20_000, 0.0, 1.5), is_known=np.ones(along.size, bool)).any()


def test_a_value_alone_in_a_gap_is_compared_across_it():
    """One value inside a gap of 6 km that is a metre off: the values on both sides say so."""
    values, is_known = np.where(along == 12_000, 1.0, 0.1), ~hole(9000, 15_000) | (along == 12_000)
    np.testing.assert_array_equal(np.flatnonzero(gaps.is_spike(along, values, is_known=is_known)), [600])


def test_geosegments_far_apart_may_differ():
    """A subset of the track: clusters of geosegments 100 km apart, each with a tide of its own."""
    x = np.concatenate([start + 20.0 * np.arange(4) for start in (0.0, 1e5, 2e5)])
    values = np.repeat([0.1, 0.9, -0.3], 4)
    every = np.ones(12, bool)
    assert not gaps.is_spike(x, values, is_known=every).any()
    assert gaps.pieces_between(x, values, is_cut=~every).tolist() == [0] * 12


def test_pieces_end_at_cuts_and_steps():
    total = np.where(along < 30_000, 0.0, 0.06)
    found = gaps.pieces_between(along, total, is_cut=hole(5000, 18_000))
    np.testing.assert_array_equal(found, np.select([along < 5000, along < 18_000, along < 30_000], [0, 1, 2], 3))
    assert not gaps.pieces_between(
        along, 1.5e-3 * along, is_cut=np.zeros(along.size, bool)
    ).any()  # a steep geoid is no step


def test_no_reference_is_no_step():
    total = np.where(hole(5000, 9000), np.nan, 1.0)
    assert not gaps.pieces_between(along, total, is_cut=np.zeros(along.size, bool)).any()
