"""Median and distinct values are numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.physics import order

NUMBERS = st.lists(st.integers(-9, 9) | st.floats(-1e9, 1e9), min_size=1, max_size=20)


@given(NUMBERS, st.sampled_from([np.float64, np.float32]))
def test_median_is_numpys(values, dtype):
    values = np.array(values, np.float64).astype(dtype)
    np.testing.assert_array_equal(order.median(values), np.median(values))
    assert order.median(values).dtype == dtype
    assert np.isnan(order.median(np.append(values, dtype(np.nan))))


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_median_along_rows(n):
    values = np.random.default_rng(n).normal(size=(5, n))
    values[2, 0] = np.nan
    np.testing.assert_array_equal(order.median(values), np.median(values, axis=1))


def test_median_of_whole_numbers():
    assert order.median(np.array([4, 1, 3, 2])) == 2.5
    assert order.median(np.array([3, 1, 2])) == 2


@given(NUMBERS, st.booleans())
def test_distinct_values_are_numpys(values, is_sorted):
    values = np.array(sorted(values) if is_sorted else values)
    np.testing.assert_array_equal(order.distinct(values), np.unique(values))


def test_nothing_has_no_median():
    assert np.isnan(order.median(np.empty(0)))
    assert np.isnan(order.median(np.empty((3, 0)))).tolist() == [True] * 3


def test_nothing_has_no_distinct_values():
    assert order.distinct(np.empty(0)).size == 0
