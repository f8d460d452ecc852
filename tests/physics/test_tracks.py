"""Running statistics against brute force inside pieces; nothing may reach across a gap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import tracks


def track(seed: int, n: int = 400, *, gaps: int = 4):
    """Random distances with gaps of 500 m, values with NaN, whole-numbered weights, some 0."""
    rng = np.random.default_rng(seed)
    step = rng.uniform(0.5, 4.0, n)
    step[rng.choice(np.arange(1, n), gaps, replace=False)] += 500.0
    x = 1000.0 + np.cumsum(step)
    values = rng.normal(0.0, 1.0, n)
    values[rng.random(n) < 0.1] = np.nan
    return x, values, rng.integers(0, 9, n).astype(float), tracks.pieces(x, gap_m=20.0)


def piece_of(starts: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(np.arange(starts.size - 1), np.diff(starts)) if n else np.empty(0, int)


def test_parts_lie_apart_and_come_together_again():
    x = np.array([-500.0, 3.0, 3.5, 4.1e7])
    apart = tracks.separate(x, np.array([0, 1, 1, 7]))
    np.testing.assert_array_equal(apart, [-500.0, 1e8 + 3.0, 1e8 + 3.5, 7e8 + 4.1e7])
    np.testing.assert_array_equal(tracks.together(apart), x)
    assert tracks.pieces(apart, gap_m=20.0).tolist() == [0, 1, 3, 4]
    for length in (20.0, 50.0, 500.0, 10_000.0, 25_000.0):  # cells, blocks, sections and bins keep their edges
        assert tracks.APART_M % length == 0


def test_pieces_by_hand():
    assert tracks.pieces(np.array([0.0, 2.0, 4.0, 25.0, 27.0, 90.0]), gap_m=20.0).tolist() == [0, 3, 5, 6]
    assert tracks.pieces(np.array([0.0, 20.0]), gap_m=20.0).tolist() == [0, 2]  # not further than the gap length
    assert tracks.pieces(np.empty(0), gap_m=20.0).tolist() == [0]
    assert tracks.pieces(np.array([5.0]), gap_m=20.0).tolist() == [0, 1]


def test_near_gap_marks_both_ends_of_every_piece():
    starts = np.array([0, 3, 4, 6])
    assert tracks.near_gap(starts, 6).tolist() == [True, False, True, True, True, True]
    assert tracks.near_gap(np.zeros(1, np.int64), 0).size == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("half_width", [0.0, 5.0, 60.0])
def test_running_mean_is_brute_force(seed, half_width):
    x, values, weights, starts = track(seed)
    mean, total = tracks.running_mean(x, values, weights, starts, half_width)
    piece = piece_of(starts, x.size)
    for i in range(x.size):
        rows = (piece == piece[i]) & (np.abs(x - x[i]) <= half_width) & np.isfinite(values) & (weights > 0)
        assert total[i] == weights[rows].sum()
        expected = np.average(values[rows], weights=weights[rows]) if rows.any() else np.nan
        np.testing.assert_allclose(mean[i], expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("half_count", [0, 2, 9])
def test_running_median_is_brute_force(seed, half_count):
    _x, values, _, starts = track(seed)
    values = np.round(values, 1)  # equal values must leave the window one at a time
    found = tracks.running_median(values, starts, half_count)
    for first, last in itertools.pairwise(starts):
        for i in range(first, last):
            window = values[max(i - half_count, first) : min(i + half_count + 1, last)]
            window = window[np.isfinite(window)]
            np.testing.assert_allclose(found[i], np.median(window) if window.size else np.nan)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("target", "most"), [(1.0, 50), (60.0, 50), (60.0, 4), (1e9, 30)])
def test_pooled_ratio_is_the_smallest_even_window_that_holds_the_target(seed, target, most):
    rng = np.random.default_rng(seed)
    _, _, _, starts = track(seed)
    n = starts[-1]
    photons, shots = rng.poisson(4.0, n).astype(float), rng.integers(0, 4, n).astype(float)
    found = tracks.pooled_ratio(photons, shots, starts, target, most)
    for first, last in itertools.pairwise(starts):
        for i in range(first, last):
            for reach in range(most + 1):
                rows = slice(max(i - reach, first), min(i + reach + 1, last))
                if photons[rows].sum() >= target or (rows.start == first and rows.stop == last):
                    break
            expected = photons[rows].sum() / shots[rows].sum() if shots[rows].sum() else np.nan
            np.testing.assert_allclose(found[i], expected, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-5.0, 5.0))
def test_nothing_crosses_a_gap(seed, shift):
    x, values, weights, starts = track(seed, 120, gaps=3)
    cut = int(starts[2])
    for here, there in ((slice(0, cut), slice(cut, None)), (slice(cut, None), slice(0, cut))):
        other = values.copy()
        other[there] = np.nan_to_num(other[there]) * 3.0 + shift + 1.0
        size, changed = np.abs(np.nan_to_num(values)), np.abs(np.nan_to_num(other))
        for one, two in (
            (
                tracks.running_mean(x, values, weights, starts, 400.0)[0],
                tracks.running_mean(x, other, weights, starts, 400.0)[0],
            ),
            (tracks.running_median(values, starts, 30), tracks.running_median(other, starts, 30)),
            (
                tracks.pooled_ratio(size, weights, starts, 40.0, 60),
                tracks.pooled_ratio(changed, weights, starts, 40.0, 60),
            ),
        ):
            np.testing.assert_array_equal(one[here], two[here])
            assert not np.array_equal(one[there], two[there], equal_nan=True)


def quantile_by_hand(x, values, block_m, window_m, inner, outer):
    number = np.floor(x / block_m).astype(int)
    ids = np.unique(number)
    level = np.array(
        [np.quantile(v, inner) if (v := values[(number == k) & np.isfinite(values)]).size else np.nan for k in ids]
    )
    middle = (ids + 0.5) * block_m
    wide = []
    for m in middle:
        near = level[(np.abs(middle - m) <= window_m) & np.isfinite(level)]
        wide.append(np.quantile(near, outer) if near.size else np.nan)
    return np.array(wide)[np.searchsorted(ids, number)], level


@pytest.mark.parametrize(("inner", "outer"), [(0.5, 0.02), (0.3, 0.8), (0.0, 1.0)])
def test_block_quantile_is_exact_where_every_block_is_evaluated(inner, outer):
    x, values, _, _ = track(1, 600)
    settings_ = {
        "block_m": 20.0,
        "window_m": 400.0,
        "inner": inner,
        "outer": outer,
    }  # a 25th of the window is less than a block
    np.testing.assert_allclose(
        tracks.block_quantile(x, values, **settings_), quantile_by_hand(x, values, *settings_.values())[0], atol=1e-12
    )


def test_block_quantile_on_a_coarse_grid_stays_close():
    rng = np.random.default_rng(2)
    x = np.arange(0.0, 60_000.0, 2.0)
    values = 0.05 * np.sin(x / 15_000.0) + rng.exponential(0.2, x.size)
    found = tracks.block_quantile(x, values, block_m=20.0, window_m=10_000.0, inner=0.5, outer=0.1)
    exact, level = quantile_by_hand(x, values, 20.0, 10_000.0, 0.5, 0.1)
    assert np.abs(found - exact).max() < 0.01 < np.std(level)
    assert found.min() >= level.min() and found.max() <= level.max()


def test_block_quantile_depends_on_distance_not_on_gaps():
    x = np.concatenate([np.arange(0.0, 100.0, 2.0), np.arange(300.0, 400.0, 2.0)])
    values = np.where(x < 200.0, 0.0, 1.0)
    near = tracks.block_quantile(x, values, block_m=20.0, window_m=1000.0, inner=0.5, outer=0.5)
    assert np.all(near == 0.5)
    far = tracks.block_quantile(x, values, block_m=20.0, window_m=100.0, inner=0.5, outer=0.5)
    np.testing.assert_array_equal(far, values)


def test_block_quantile_without_values():
    x = np.arange(0.0, 100.0, 2.0)
    assert np.isnan(
        tracks.block_quantile(x, np.full(x.size, np.nan), block_m=20.0, window_m=100.0, inner=0.5, outer=0.5)
    ).all()
    assert tracks.block_quantile(x[:0], x[:0], block_m=20.0, window_m=100.0, inner=0.5, outer=0.5).size == 0
    assert np.all(
        tracks.block_quantile(x[:1], np.array([3.0]), block_m=20.0, window_m=100.0, inner=0.5, outer=0.5) == 3.0
    )


def test_empty_track():
    none, starts = np.empty(0), np.zeros(1, np.int64)
    assert tracks.running_mean(none, none, none, starts, 5.0)[0].size == 0
    assert (
        tracks.running_median(none, starts, 3).size == 0 and tracks.pooled_ratio(none, none, starts, 5.0, 3).size == 0
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 5, 400])
def test_rank_is_a_search_among_the_edges(side, n):
    """In order or not, with ties, with NaN, with fewer places than edges."""
    rng = np.random.default_rng(n)
    edges = np.sort(rng.integers(0, 50, 20)).astype(np.float64)
    for x in (rng.integers(-5, 60, n), np.sort(rng.integers(-5, 60, n)), np.sort(rng.uniform(-5.0, 60.0, n))):
        x = x.astype(np.float64)
        for e in (edges, edges[:1], edges[:0], edges[::-1]):
            np.testing.assert_array_equal(tracks.rank(e, x, side=side), np.searchsorted(e, x, side=side))
        x[n // 2 :] = np.nan
        np.testing.assert_array_equal(tracks.rank(edges, x, side=side), np.searchsorted(edges, x, side=side))
