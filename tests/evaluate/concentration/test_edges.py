"""Ice edges of maps whose edge is known, and distances between them."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.evaluate.concentration import edges
from polynya.evaluate.concentration.edges import EdgeRules

SHARP = EdgeRules(smoothing_m=0.0, smallest_km2=0.0)


def ramp(edge: float, *, shape=(60, 100), slope: float = 10.0) -> np.ndarray:
    """Return a concentration that rises along the columns and is 15 % at one place."""
    columns = np.arange(shape[1], dtype=float)
    return np.broadcast_to(np.clip(15.0 + slope * (columns - edge), 0.0, 100.0), shape).copy()


def test_an_edge_lies_where_the_concentration_is_15_percent():
    points = edges.edge_points(ramp(40.3), cell_m=400.0, rules=SHARP)
    assert len(points) == 60 and np.allclose(points[:, 1], 40.3, atol=1e-9)
    points = edges.edge_points(ramp(40.3).T, cell_m=400.0, rules=SHARP)
    assert np.allclose(points[:, 0], 40.3, atol=1e-9)
    other = edges.edge_points(
        ramp(40.3), cell_m=400.0, rules=EdgeRules(ice_percent=25.0, smoothing_m=0, smallest_km2=0)
    )
    assert np.allclose(other[:, 1], 41.3, atol=1e-9)


def test_two_straight_edges_lie_their_distance_apart():
    ours, theirs = (edges.edge_points(ramp(e), cell_m=400.0) for e in (40.3, 47.3))
    there, back = edges.distances_km(ours, theirs, cell_m=400.0)
    assert len(there) == len(back) == 60
    assert np.allclose(there, 7.0 * 0.4, atol=1e-6) and np.allclose(back, 7.0 * 0.4, atol=1e-6)


def test_small_patches_of_ice_and_of_water_make_no_edge():
    percent = np.where(np.arange(200)[None, :] >= 100, 100.0, 0.0) * np.ones((200, 1))
    with_parts = percent.copy()
    with_parts[50:60, 30:40] = 100.0  # 16 km2 of ice
    with_parts[50:60, 130:140] = 0.0  # 16 km2 of water
    rules = EdgeRules(smoothing_m=0.0)
    expected = edges.edge_points(percent, cell_m=400.0, rules=rules)
    assert np.array_equal(edges.edge_points(with_parts, cell_m=400.0, rules=rules), expected)
    smaller = edges.edge_points(with_parts, cell_m=400.0, rules=EdgeRules(smoothing_m=0.0, smallest_km2=10.0))
    assert len(smaller) == len(expected) + 2 * 4 * 10


def test_unknown_cells_make_no_edge_and_do_not_move_it():
    percent = ramp(40.3)
    percent[:, 70:] = np.nan
    percent[20:25] = np.nan
    points = edges.edge_points(percent, cell_m=400.0, rules=SHARP)
    assert len(points) == 55 and np.allclose(points[:, 1], 40.3) and not np.isin(points[:, 0], range(20, 25)).any()
    assert len(edges.edge_points(np.full((20, 20), np.nan), cell_m=400.0)) == 0


def test_smoothing_is_the_mean_of_known_cells_in_the_square():
    rng = np.random.default_rng(1)
    percent = rng.uniform(0, 100, (12, 14))
    percent[rng.random((12, 14)) < 0.3] = np.nan
    found = edges.smoothed(percent, cell_m=400.0)  # 5 x 5 cells
    for i in range(12):
        for j in range(14):
            square = percent[max(0, i - 2) : i + 3, max(0, j - 2) : j + 3]
            enough = np.isfinite(square).mean() >= 0.5 and np.isfinite(percent[i, j])
            assert np.isnan(found[i, j]) if not enough else found[i, j] == pytest.approx(np.nanmean(square))
    assert np.array_equal(edges.smoothed(percent, cell_m=10_000.0), percent, equal_nan=True)


def test_without_an_edge_there_is_no_distance():
    nothing = edges.edge_points(np.zeros((30, 30)), cell_m=400.0)
    there, back = edges.distances_km(nothing, np.array([[1.0, 2.0]]), cell_m=400.0)
    assert len(nothing) == len(there) == len(back) == 0
