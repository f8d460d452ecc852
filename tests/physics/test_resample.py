"""Bilinear resampling: exact on linear fields, honest about holes, blind to the window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.physics import resample


def field(shape=(12, 15)):
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.stack([2 + 3 * x - y, 0.5 * y])


@given(st.floats(0, 11), st.floats(0, 14))
def test_a_linear_field_is_met_exactly(row, column):
    got = resample.bilinear(field(), np.array([[row]]), np.array([[column]]))
    np.testing.assert_allclose(got[:, 0, 0], [2 + 3 * column - row, 0.5 * row], atol=2e-5)


def test_outside_is_missing_and_the_outer_half_pixel_counts_the_edge():
    got = resample.bilinear(field(), np.array([[-0.4, -0.6, 11.4, 11.6]]), np.full((1, 4), 3.0))
    assert np.isnan(got[0, 0]).tolist() == [False, True, False, True]
    assert got[0, 0, 0] == field()[0, 0, 3] and got[0, 0, 2] == field()[0, 11, 3]


def test_holes_take_no_part_and_win_beyond_half_the_weight():
    values = np.array([[[1.0, np.nan], [1.0, np.nan]]], np.float32)
    near, far = resample.bilinear(values, np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]]))[0, 0]
    assert near == 1.0 and np.isnan(far)


def test_a_single_pixel_and_no_pixel():
    assert resample.bilinear(np.full((1, 1, 1), 7, np.float32), np.zeros((1, 1)), np.zeros((1, 1)))[0, 0, 0] == 7
    assert np.isnan(
        resample.bilinear(np.full((1, 3, 3), 7, np.float32), np.full((2, 2), np.nan), np.zeros((2, 2)))
    ).all()


def test_blocks_are_means_of_what_is_known():
    values = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    values[0, 0, 0] = np.nan
    values[0, 2:, :2] = np.nan
    values[0, 3, 1] = 16
    got = resample.block_mean(values, 2)[0]
    assert got.shape == (2, 3)
    assert got[0, 0] == pytest.approx((1 + 5 + 6) / 3)  # three of four
    assert np.isnan(got[1, 0])  # one of four
    assert got[0, 2] == pytest.approx((4 + 9) / 2)  # the half block at the edge
    assert resample.block_mean(values, 1) is values
