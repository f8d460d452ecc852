"""Joins along the track against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.tracks import collocation


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-30, 30), max_size=20), st.sets(st.integers(-30, 30), max_size=20))
def test_match_finds_the_position_or_minus_one(keys, there):
    there = sorted(there)
    expected = [there.index(k) if k in there else -1 for k in keys]
    assert collocation.match(np.array(keys, np.int64), np.array(there, np.int64)).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), max_size=20), st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_nearest_is_the_nearest(x, there):
    there = np.sort(there)
    for value, at in zip(x, collocation.nearest(np.array(x), there), strict=True):
        assert abs(there[at] - value) == np.abs(there - value).min()


def test_means_over_extents_leave_nan_out_and_weigh():
    x = np.array([1.0, 3.0, 5.0, 7.0, 9.0])
    values = np.array([1.0, np.nan, 3.0, 5.0, 7.0])
    first, last = collocation.within(np.array([0.0, 2.0, 2.0, 20.0]), np.array([6.0, 4.0, 8.0, 30.0]), x)
    mean, count = collocation.mean_over(values, first, last)
    assert count.tolist() == [2, 0, 2, 0]
    assert mean[0] == 2.0 and mean[2] == 4.0 and np.isnan(mean[[1, 3]]).all()
    weighted, _ = collocation.mean_over(values, first, last, weights=np.array([3.0, 9.0, 1.0, 1.0, 1.0]))
    assert weighted[0] == 1.5


def test_extents_of_a_grid_and_of_photon_segments():
    start, end = collocation.extents(np.array([11.2, 24.0]), resolution_m=10.0)
    assert start.tolist() == [10.0, 20.0] and end.tolist() == [20.0, 30.0]
    start, end = collocation.extents(np.array([0.0, 20.0, 60.0, 5000.0]), resolution_m=None)
    assert end[0] == 10.0 and start[1] == 10.0 and end[1] == 40.0
    assert end[2] == 160.0 and start[3] == 4900.0  # never far into a gap


def test_resolution_from_spacing():
    rng = np.random.default_rng(0)
    for length in (2.0, 10.0, 30.0):
        x = (np.arange(1000) + rng.uniform(0.2, 0.8, 1000)) * length
        assert collocation.fixed_resolution(x) == length
    assert collocation.fixed_resolution(np.cumsum(rng.uniform(10, 80, 1000))) is None
