"""Scenes mirrored beyond their border."""

from __future__ import annotations

import numpy as np

from polynya.predict import borders


def test_a_straight_border_is_a_mirror():
    values = np.full((2, 6, 12), np.nan, np.float32)
    values[:, :, :5] = np.arange(2 * 6 * 5, dtype=np.float32).reshape(2, 6, 5)
    seen = np.isfinite(values[0])
    out = borders.mirrored(values, seen, reach=3)
    np.testing.assert_array_equal(out[:, :, :5], values[:, :, :5])
    for beyond in (1, 2, 3):  # column 4 is the last that was seen: 5 shows 3, 6 shows 2
        np.testing.assert_array_equal(out[:, :, 4 + beyond], values[:, :, 4 - beyond])
    assert np.isnan(out[:, :, 8:]).all() and np.isnan(values[:, :, 5:]).all()


def test_where_the_mirror_shows_nothing_the_nearest_cell_is_shown():
    values = np.full((1, 1, 7), np.nan, np.float32)
    values[0, 0, 3] = 4.0
    out = borders.mirrored(values, np.isfinite(values[0]), reach=2)
    np.testing.assert_array_equal(out[0, 0], [np.nan, 4, 4, 4, 4, 4, np.nan])


def test_a_channel_that_is_missing_inside_stays_missing():
    values = np.ones((2, 4, 4), np.float32)
    values[1] = np.nan
    values[:, 3] = np.nan
    out = borders.mirrored(values, np.isfinite(values).any(axis=0))
    assert np.isnan(out[1]).all() and (out[0] == 1).all()


def test_all_or_nothing_stays_as_it_is():
    for values in (np.ones((1, 3, 3), np.float32), np.full((1, 3, 3), np.nan, np.float32)):
        np.testing.assert_array_equal(borders.mirrored(values, np.isfinite(values[0])), values)
