"""Small and narrow regions join the neighbour that they resemble; classes stay apart; nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from polynya.physics import region_merging
from polynya.physics.region_merging import Limits, merge

HALF = np.array([0.5])


def ones(shape):
    return np.ones(shape)


def test_a_small_region_joins_the_neighbour_that_it_resembles():
    values = np.zeros((12, 20))
    values[:, 10:] = 1.0
    values[5:7, 9:11] = 0.8  # lies in both halves, nearer to the right one
    labels = np.where(values == 0.8, 2, (values == 1.0).astype(int))
    found = merge(labels, values, ones(values.shape), limits=Limits(area=5, width=0), bounds=HALF)
    assert np.array_equal(found == found[0, 19], values > 0)
    assert sorted(np.unique(found)) == [0, 1]


def test_bands_of_a_smoothed_step_go_back_to_their_sides():
    """The step is sharp; its mean over 9 pixels crosses all classes. Only the step itself is left."""
    truth = np.zeros((60, 60))
    truth[:, 23:] = 1.0
    smooth = ndimage.uniform_filter1d(truth, 9, axis=1)
    labels = np.unique(np.rint(10 * smooth), return_inverse=True)[1].reshape(truth.shape)
    assert labels.max() > 5
    found = merge(labels, truth, ones(truth.shape), limits=Limits(area=0, width=4), bounds=HALF)
    assert np.array_equal(found == found[0, 59], truth == 1.0) and found.max() == 1


def test_width_is_that_of_a_ribbon():
    values = np.zeros((40, 60))
    values[10:13] = 0.4
    values[25:32] = 0.4
    labels = ndimage.label(values == 0.0)[0] - 1
    labels[10:13], labels[25:32] = 3, 4
    bounds = np.array([0.2])
    found = merge(labels, values, ones(values.shape), limits=Limits(area=0, width=4), bounds=bounds)
    assert found[11, 5] == found[5, 5] and found[28, 5] != found[20, 5]  # 3 pixels wide goes, 7 stay


def test_a_long_border_draws_more_than_a_like_neighbour():
    """Errors count per length of the border that goes: 20 sides to what is a little less alike win over one side."""
    values = np.zeros((14, 20))
    values[1:6, 1:6], values[3, 6:16] = 0.9, 0.5
    labels = np.select([values == 0.9, values == 0.5], [1, 2], 0)
    found = merge(labels, values, ones(values.shape), limits=Limits(area=11, width=0), bounds=np.array([0.7]))
    assert found[3, 10] == found[13, 19] != found[2, 2]


def test_two_ribbons_side_by_side_are_a_region_that_is_wide_enough():
    """8 x 2 pixels each are 1.6 wide, both together 8 x 4, 2.7 wide."""
    values = np.zeros((20, 20))
    values[5:13, 5:7], values[5:13, 7:9] = 0.80, 0.81
    labels = np.select([values == 0.80, values == 0.81], [1, 2], 0)
    found = merge(labels, values, ones(values.shape), limits=Limits(area=0, width=2.3), bounds=HALF)
    assert found[8, 5] == found[8, 8] != found[0, 0]


def test_neighbours_of_one_class_become_one_and_others_do_not():
    values = np.repeat([0.1, 0.3, 0.7, 0.9], 10)[None].repeat(10, axis=0)
    labels = np.repeat(np.arange(4), 10)[None].repeat(10, axis=0)
    found = merge(labels, values, ones(values.shape), limits=Limits(area=0, width=0), bounds=HALF)
    assert np.array_equal(found == found[0, 0], values < 0.5) and found.max() == 1


def test_what_is_alone_stays_and_what_is_unknown_stays_unknown():
    labels = np.full((9, 9), -1)
    labels[1, 1], labels[5:8, 5:8] = 0, 1
    found = merge(
        labels, np.where(labels >= 0, 0.9, np.nan), ones(labels.shape), limits=Limits(area=5, width=3), bounds=HALF
    )
    assert np.array_equal(found, labels)
    nothing = np.full((3, 3), -1)
    assert np.array_equal(
        merge(nothing, nothing * np.nan, ones((3, 3)), limits=Limits(area=1, width=1), bounds=HALF), nothing
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 14), st.integers(3, 14), st.floats(0, 30))
def test_regions_are_connected_whole_and_of_different_classes(seed, rows, columns, least):
    rng = np.random.default_rng(seed)
    values = ndimage.uniform_filter(rng.random((rows, columns)), 3)
    areas = rng.uniform(0.9, 1.1, values.shape)
    bounds = np.array([0.4, 0.5, 0.6])
    unknown = rng.random(values.shape) < 0.1
    labels, count = np.full(values.shape, -1), 0
    for k in range(4):
        part, n = ndimage.label((np.searchsorted(bounds, values, side="right") == k) & ~unknown)
        labels[part > 0] = part[part > 0] + count - 1
        count += n
    found = merge(labels, np.where(unknown, np.nan, values), areas, limits=Limits(area=least, width=0), bounds=bounds)
    assert np.array_equal(found < 0, unknown)
    if not count:
        return
    means, sizes = [], []
    for k in range(found.max() + 1):
        assert ndimage.label(found == k)[1] == 1
        means.append(np.average(values[found == k], weights=areas[found == k]))
        sizes.append(areas[found == k].sum())
    classes = np.searchsorted(bounds, means, side="right")
    for a, b in ((found[:, :-1], found[:, 1:]), (found[:-1], found[1:])):
        border = (a != b) & (a >= 0) & (b >= 0)
        assert (classes[a[border]] != classes[b[border]]).all()
        touching = np.unique(np.concatenate([a[border], b[border]]))
        assert all(sizes[k] >= least for k in touching)


def test_perimeters_are_sides_of_pixels():
    labels = np.zeros((4, 6), int)
    labels[1:3, 2:4] = 1
    graph = region_merging._Regions.of(labels, labels * 1.0, ones(labels.shape), 2)
    assert graph.perimeter == [2 * (4 + 6) + 8, 8] and graph.borders == [{1: 8}, {0: 8}]
    assert graph.mean(1) == pytest.approx(1.0)
