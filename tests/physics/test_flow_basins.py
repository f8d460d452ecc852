"""Basins of ice: every pixel to the outlet that a plain search over paths finds, and merging by depth and size."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import flow_basins


def roof(shape=(41, 61)) -> np.ndarray:
    """A ridge along the middle column, falling to both sides."""
    return 3000.0 - 10.0 * np.abs(np.indices(shape)[1] - shape[1] // 2)


def test_a_roof_has_one_basin_on_either_side():
    heights = roof() + 0.5 * np.indices((41, 61))[0]
    label, outlet = flow_basins.basins(heights, np.ones(heights.shape, bool))
    assert len(outlet) == 2 and sorted(outlet) == [2700.0, 2700.0]
    assert len(set(label[:, :30].ravel())) == 1 and len(set(label[:, 31:].ravel())) == 1
    assert label[0, 0] != label[0, -1]


def cost_from(heights: np.ndarray, ice: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Return the height that water must rise to from a place to reach every other: the plain search of one source."""
    out = np.full(heights.shape, np.inf)
    queue = [(heights[start], start)]
    while queue:
        level, at = heapq.heappop(queue)
        if out[at] <= level:
            continue
        out[at] = level
        for dr in (-1, 0, 1):
            for dc in (-1, 0, 1):
                to = (at[0] + dr, at[1] + dc)
                if 0 <= to[0] < heights.shape[0] and 0 <= to[1] < heights.shape[1] and ice[to]:
                    heapq.heappush(queue, (max(level, heights[to]), to))
    return out


@pytest.mark.parametrize("seed", [0, 1])
def test_every_pixel_belongs_to_an_outlet_that_it_reaches_at_the_least_level(seed):
    rng = np.random.default_rng(seed)
    heights = rng.uniform(0.0, 100.0, (14, 15))
    ice = rng.uniform(size=heights.shape) > 0.15
    label, outlet = flow_basins.basins(heights, ice)
    assert ((label >= 0) == ice).all()
    where = {k: np.argwhere((label == k) & (heights == z))[0] for k, z in enumerate(outlet)}
    costs = np.stack([cost_from(heights, ice, tuple(where[k])) for k in range(len(outlet))])
    own = np.take_along_axis(costs, np.maximum(label, 0)[None], axis=0)[0]
    assert (own[ice] == costs.min(axis=0)[ice]).all()


def test_a_shallow_divide_is_none_and_a_deep_one_stays():
    across = np.abs(np.arange(81) - 40.0)
    step = np.where(np.abs(np.arange(81) - 60) < 4, 20.0 - 5.0 * np.abs(np.arange(81) - 60), 0.0)
    heights = (3000.0 - 10.0 * across + step)[None] + np.indices((31, 81))[0] * 0.1
    label, outlet = flow_basins.basins(heights, np.ones(heights.shape, bool))
    kept = flow_basins.merged(label, outlet, heights, least_depth_m=60.0, least_pixels=1)
    assert kept.max() == 1 and (kept[:, :40] == kept[0, 0]).all() and (kept[:, 41:] == kept[0, -1]).all()
    assert flow_basins.merged(label, outlet, heights, least_depth_m=500.0, least_pixels=1).max() == 0


def test_small_basins_join_the_neighbour_with_the_longest_edge():
    label = np.zeros((10, 10), np.int32)
    label[:, 5:] = 1
    label[2:4, 4:6] = 2  # four edges with 0, four with 1, and two above and below each
    label[2:4, 3] = 2
    heights = np.full((10, 10), 500.0)
    out = flow_basins.merged(label, np.zeros(3), heights, least_depth_m=0.0, least_pixels=7)
    assert len(np.unique(out)) == 2
    assert out[2, 4] == out[0, 0] != out[0, 9]


def test_ice_without_a_height_is_rejected():
    with pytest.raises(UsageError, match="no height"):
        flow_basins.basins(np.full((3, 3), np.nan), np.ones((3, 3), bool))
    with pytest.raises(UsageError, match="shape"):
        flow_basins.basins(np.zeros((3, 3)), np.ones((3, 4), bool))
