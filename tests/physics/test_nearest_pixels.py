"""Distances to marked pixels against all pixels one by one and scipy's transform; lengths against hand-drawn lines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from polynya.physics import nearest_pixels
from polynya.physics.nearest_pixels import Marked


@pytest.fixture
def mask() -> np.ndarray:
    rng = np.random.default_rng(4)
    return ndimage.binary_dilation(rng.random((60, 90)) < 0.004, iterations=2)


def slowly(mask: np.ndarray, row: float, column: float) -> float:
    return min(np.hypot(row - r - 0.5, column - c - 0.5) for r, c in zip(*np.nonzero(mask), strict=True))


def test_distances_are_those_to_the_nearest_of_all_centres(mask):
    rng = np.random.default_rng(5)
    row, column = rng.uniform(-5, 65, 300), rng.uniform(-5, 95, 300)
    outside = nearest_pixels.states_at(mask.astype(np.uint8), row, column) != 1
    found = Marked.of(mask).distances(row, column)
    expected = np.array([slowly(mask, r, c) for r, c in zip(row, column, strict=True)])
    assert np.allclose(found[outside], expected[outside], rtol=0, atol=1e-12)


def test_from_the_middle_of_pixels_it_is_the_euclidean_distance_transform(mask):
    row, column = np.nonzero(~mask)
    found = Marked.of(mask).distances(row + 0.5, column + 0.5)
    assert np.allclose(found, ndimage.distance_transform_edt(~mask)[row, column], rtol=0, atol=1e-12)


def test_a_place_in_its_pixel_counts():
    mask = np.zeros((5, 9), bool)
    mask[2, 6] = True
    found = Marked.of(mask).distances(np.array([2.5, 2.5, 2.0, 2.9999]), np.array([2.0, 2.9999, 6.5, 2.5]))
    assert np.allclose(found, [4.5, 3.5001, 0.5, np.hypot(4.0, 0.4999)])


def test_nothing_marked_nothing_near_nothing_known():
    at = np.array([1.5, np.nan]), np.array([1.5, 1.5])
    assert np.isinf(Marked.of(np.zeros((4, 4), bool)).distances(*at)).all()
    mask = np.zeros((4, 40), bool)
    mask[1, 39] = True
    assert np.isinf(Marked.of(mask).distances(*at, most=30.0)).all()
    assert np.isfinite(Marked.of(mask).distances(*at, most=39.0)).tolist() == [True, False]


def test_the_rim_is_where_pixels_end():
    found = nearest_pixels.to_rim((10, 20), np.array([1.0, 9.5, 5.0, -2.0, np.nan]), np.array([5.0, 5, 19.25, 5, 5]))
    assert found.tolist() == [1.0, 0.5, 0.75, -2.0, -np.inf]


def test_states_outside_and_at_corners():
    states = np.array([[0, 1], [2, 0]], np.uint8)
    row, column = np.array([0.5, 0.999, 1.0, 2.0, -0.1, np.nan]), np.array([1.5, 0.999, 0.5, 0.5, 0.5, 0.5])
    assert nearest_pixels.states_at(states, row, column).tolist() == [1, 0, 2, 2, 2, 2]


def crossed(states, row, column, breaks=()):
    apart = np.isin(np.arange(len(row) - 1), breaks)
    return nearest_pixels.lengths_within(np.asarray(states, np.uint8), np.array(row), np.array(column), is_apart=apart)


def test_a_straight_line_through_two_marked_pixels():
    states = np.zeros((3, 12), np.uint8)
    states[1, 4:6] = 1
    found = crossed(states, [1.5] * 5, [1.5, 3.5, 4.2, 5.7, 8.5])
    assert np.isnan(found[[0, 1, 4]]).all() and np.allclose(found[2:4], 2.0)


def test_a_slanted_line_is_longer_by_its_angle():
    states = np.zeros((20, 20), np.uint8)
    states[:, 8:11] = 1  # three columns wide
    found = crossed(states, [1.0, 9.0, 17.0], [1.5, 9.5, 17.5])
    assert found[1] == pytest.approx(3.0 * np.sqrt(2.0))


def test_a_lead_between_two_points_is_no_points_lead():
    states = np.zeros((3, 12), np.uint8)
    states[1, 5] = 1
    assert np.isnan(crossed(states, [1.5] * 3, [2.5, 4.5, 7.5])).all()


@pytest.mark.parametrize(
    ("line", "states", "breaks"),
    [
        pytest.param([4.5, 5.5, 8.5], [0, 0, 0, 0, 1, 1, 0, 0, 0, 0], (), id="it begins in the lead"),
        pytest.param([2.5, 4.5, 5.5], [0, 0, 0, 0, 1, 1, 0, 0, 0, 0], (), id="it ends in the lead"),
        pytest.param([2.5, 4.5, 5.5, 8.5], [0, 0, 0, 0, 1, 1, 0, 0, 0, 0], (1,), id="it is broken in the lead"),
        pytest.param([2.5, 4.5, 5.5, 8.5], [0, 0, 0, 0, 1, 1, 2, 0, 0, 0], (), id="nothing is known beyond the lead"),
        pytest.param([2.5, 4.5, 5.5, 12.5], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1], (), id="the map ends in the lead"),
    ],
)
def test_a_lead_that_is_not_crossed_whole_has_no_width(line, states, breaks):
    assert np.isnan(crossed(np.tile(states, (3, 1)), [1.5] * len(line), line, breaks)).all()


def test_a_break_beside_the_lead_leaves_its_width():
    states = np.zeros((3, 12), np.uint8)
    states[1, 4:6] = 1
    assert crossed(states, [1.5] * 5, [1.5, 3.5, 4.5, 6.5, 9.5], breaks=(0, 3))[2] == pytest.approx(2.0)
