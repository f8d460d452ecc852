"""Inputs of networks of echoes: against plain loops, and what gain control, tracker and calibration must not change."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import echo_inputs
from polynya.physics.waveform_features import features


def drawn(n: int = 12, gates: int = 128, seed: int = 0) -> np.ndarray:
    """Return echoes with an edge near gate 40 and a tail, float32."""
    rng = np.random.default_rng(seed)
    k, edge = np.arange(gates), rng.integers(30, 50, (n, 1))
    rise = np.where(k >= edge, np.exp(-0.03 * (k - edge)), 0.002)
    return (rise * rng.uniform(0.8, 1.2, (n, gates)) * rng.uniform(100, 900, (n, 1))).astype(np.float32)


def computed(waveform, *, agc=0.0, names=echo_inputs.NAMES, saturation=1023.0):
    agc = np.broadcast_to(np.asarray(agc, float), (len(waveform),))
    shapes = features(waveform, agc=agc, saturation=saturation)
    return echo_inputs.inputs(waveform, shapes, agc=agc, names=names, sequence=np.zeros(len(waveform), int))


@pytest.mark.parametrize("gates", [32, 96, 104, 128, 256])
def test_pooled_gates_are_the_largest_of_each_group(gates):
    w = np.random.default_rng(1).random((5, gates))
    found = echo_inputs.pooled(w)
    borders = [k * gates // 32 for k in range(33)]
    for i in range(5):
        for k in range(32):
            assert found[i, k] == max(w[i, borders[k] : borders[k + 1]])


def test_the_scale_of_a_waveform_is_logarithmic():
    w = np.array([[0.0, 50.0, 200.0, np.nan, -3.0]])
    expected = [0.0, np.log(6.0) / np.log(21.0), 1.0, 0.0, 0.0]
    np.testing.assert_allclose(echo_inputs.scaled(w)[0], expected, rtol=1e-6)
    assert (echo_inputs.scaled(np.zeros((1, 8))) == 0).all()


def test_aligned_echoes_begin_twelve_gates_before_a_quarter_of_the_maximum():
    w = drawn()
    found = echo_inputs.aligned(echo_inputs.scaled(w))
    for i, row in enumerate(w):
        edge = next(k for k, v in enumerate(row) if v >= 0.25 * row.max())
        for j in range(96):
            k = edge + j - 12
            expected = np.log1p(20 * row[k] / row.max()) / np.log(21) if 0 <= k < 128 else 0.0
            assert found[i, j] == pytest.approx(expected, abs=1e-6)


def test_levels_are_taken_within_a_sequence():
    rng = np.random.default_rng(3)
    values, sequence = rng.normal(size=30), np.repeat([0, 1, 2], [18, 11, 1])
    values[4] = np.nan
    found = echo_inputs.above_level(values, sequence)
    for q in range(3):
        rows = np.flatnonzero(sequence == q)
        own = np.where(np.isnan(values[rows]), np.nanmedian(values[rows]), values[rows])
        mirrored = np.concatenate([own[::-1], own, own[::-1]])
        half = (min(401, 2 * len(own) - 1)) // 2
        for i, row in enumerate(rows):
            around = mirrored[len(own) + i - half : len(own) + i + half + 1]
            level = sorted(around)[len(around) // 4]
            assert found[row] == pytest.approx(own[i] - level) or row == 4


@pytest.mark.parametrize("n", [30, 700])
def test_land_is_no_part_of_levels(n):
    """Against a plain loop over the sea echoes of each window."""
    rng = np.random.default_rng(8)
    values, sequence = rng.normal(size=n), np.zeros(n, int)
    is_sea = (np.arange(n) // 9) % 3 != 1
    values[~is_sea] += 30.0
    found = echo_inputs.above_level(values, sequence, is_sea=is_sea)
    shares = echo_inputs.share_of_sea(is_sea, sequence)
    size = min(401, 2 * n - 1)
    place = np.concatenate([np.arange(n)[::-1], np.arange(n), np.arange(n)[::-1]])
    for i in range(n):
        around = place[n + i - size // 2 : n + i + size // 2 + 1]
        level = sorted(values[k] for k in around if is_sea[k])
        assert found[i] == pytest.approx(values[i] - level[len(level) // 4]), i
        inside = [is_sea[k] for k in range(i - 200, i + 201) if 0 <= k < n]
        assert shares[i] == pytest.approx(np.mean(inside))
    everywhere = echo_inputs.above_level(values, sequence, is_sea=np.ones(n, bool))
    assert (everywhere == echo_inputs.above_level(values, sequence)).all()
    assert np.isnan(echo_inputs.above_level(values, sequence, is_sea=np.zeros(n, bool))).all()


def test_where_no_sea_is_around_there_is_no_level():
    n = 1000
    is_sea = np.arange(n) >= 900
    found = echo_inputs.above_level(np.ones(n), np.zeros(n, int), is_sea=is_sea)
    assert (np.isnan(found) == (np.arange(n) < 700)).all()
    assert echo_inputs.share_of_sea(is_sea, np.arange(n)).tolist() == is_sea.astype(float).tolist()


def test_power_is_known_up_to_a_constant_only():
    """Another absolute calibration of the gain control changes no input."""
    w, agc = drawn(40), np.round(np.random.default_rng(2).normal(5, 3, 40))
    np.testing.assert_allclose(computed(w, agc=agc), computed(w, agc=agc + 31.0), atol=2e-6)


def test_inputs_without_power_know_neither_gain_nor_tracker():
    """Other counts, another gain and a shift of the window change nothing."""
    w, names = drawn(20), echo_inputs.WITHOUT_POWER
    moved = np.concatenate([np.full((20, 5), 0.001, np.float32), w[:, :-5]], axis=1)
    first, gained = computed(w, names=names), computed(w * 0.5, agc=np.arange(20), names=names, saturation=400.0)
    np.testing.assert_allclose(gained, first, rtol=1e-5, atol=1e-6)
    other = computed(moved, names=echo_inputs.EDGES)
    np.testing.assert_allclose(other[:, :20], computed(w, names=echo_inputs.EDGES)[:, :20], atol=1e-6)
    assert not set(names) & {"agc", "max_power_db", "argmax", "saturated_gates", *echo_inputs.GATES}


def test_columns_are_those_that_are_named():
    w, agc = drawn(9), np.arange(9.0)
    whole = computed(w, agc=agc)
    some = ("agc", "gate_07", "edge_31", "peakiness", "argmax")
    found = computed(w, agc=agc, names=some)
    np.testing.assert_array_equal(found, whole[:, [echo_inputs.NAMES.index(n) for n in some]])
    peaky = 128 * w.max(axis=1) / w.sum(axis=1)
    np.testing.assert_allclose(found[:, 3], np.log1p(peaky), rtol=1e-5)
    np.testing.assert_array_equal(found[:, 4], w.argmax(axis=1))


def test_an_echo_without_power_has_no_input():
    w = drawn(4)
    w[2] = 0.0
    found = computed(w, agc=1.0)
    assert np.isnan(found[2]).all() and np.isfinite(found[[0, 1, 3]][:, :64]).all()


def test_an_unknown_name_is_an_error():
    with pytest.raises(
        UsageError, match=r"inputs \['power'\]: there are none of these names; expected some of gate_00"
    ):
        computed(drawn(2), names=("agc", "power"))


def at(seconds) -> np.ndarray:
    return np.datetime64("2016-01-15", "ns") + np.round(np.array(seconds) * 1e9).astype("timedelta64[ns]")


def test_a_gap_of_more_than_two_steps_ends_a_sequence():
    step = 0.025
    places = [0, 1, 2, 4, 5, 8, 9, 10, 9.5, 10.5]  # a gap of 2 stays, one of 3 ends, going back ends
    expected = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
    found = echo_inputs.sequences(at([step * p for p in places]), most_steps=2)
    np.testing.assert_array_equal(found, expected)
    wider = echo_inputs.sequences(at([step * p for p in places]), most_steps=3)
    np.testing.assert_array_equal(wider, [0] * 8 + [1, 1])


def test_jitter_of_a_clock_ends_nothing_and_days_do():
    rng = np.random.default_rng(0)
    times = 0.05 * np.arange(60) + rng.uniform(-0.01, 0.01, 60)
    times[30:] += 86_400.0
    np.testing.assert_array_equal(echo_inputs.sequences(at(times), most_steps=2), np.repeat([0, 1], 30))


def test_echoes_seconds_apart_stand_alone():
    np.testing.assert_array_equal(echo_inputs.sequences(at(1.47 * np.arange(5)), most_steps=2), np.arange(5))
    assert echo_inputs.sequences(at([]), most_steps=2).size == 0
    np.testing.assert_array_equal(echo_inputs.sequences(at([3.0]), most_steps=2), [0])
