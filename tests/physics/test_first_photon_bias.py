"""CAL-19 look-up: bilinear between nodes, held outside, linear in dead time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from polynya.physics.first_photon_bias import SPEED_OF_LIGHT, CalibrationTable, at_dead_time, lookup

METRE_NS = 2e9 / SPEED_OF_LIGHT  # two-way nanoseconds a metre of width


@pytest.fixture
def table() -> CalibrationTable:
    rng = np.random.default_rng(0)
    return CalibrationTable(
        strength=np.array([0.5, 1.0, 4.0, 9.0, 16.0]),
        width_ns=np.array([0.5, 1.5, 4.0, 10.0]),
        bias_m=rng.uniform(0, 0.2, (5, 4)),
        dead_time_ns=3.0,
    )


def test_nodes_are_exact(table):
    s, w = np.meshgrid(table.strength, table.width_ns, indexing="ij")
    found = lookup(table, strength=s.ravel(), width_m=w.ravel() / METRE_NS)
    np.testing.assert_allclose(found, table.bias_m.ravel(), atol=1e-12)


def test_between_nodes_it_is_bilinear(table):
    rng = np.random.default_rng(1)
    s, w = rng.uniform(0.5, 16.0, 300), rng.uniform(0.5, 10.0, 300)
    expected = RegularGridInterpolator((table.strength, table.width_ns), table.bias_m)(np.stack([s, w], 1))
    np.testing.assert_allclose(lookup(table, strength=s, width_m=w / METRE_NS), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("s", "w", "node"),
    [
        (0.0, 0.0, (0, 0)),
        (99.0, 99.0, (-1, -1)),
        (0.1, 99.0, (0, -1)),
        (99.0, 0.0, (-1, 0)),
        (-5.0, 4.0, (0, 2)),
        (4.0, 1e6, (2, -1)),
    ],
)
def test_outside_it_is_held(table, s, w, node):
    assert lookup(table, strength=np.array([s]), width_m=np.array([w / METRE_NS]))[0] == pytest.approx(
        table.bias_m[node]
    )


def test_missing_inputs_are_missing(table):
    found = lookup(table, strength=np.array([np.nan, 4.0, np.inf, 4.0]), width_m=np.array([0.3, np.nan, 0.3, 0.3]))
    assert np.isnan(found).tolist() == [True, True, True, False]


def test_a_table_of_one_node():
    one = CalibrationTable(
        strength=np.array([3.0]), width_ns=np.array([2.0]), bias_m=np.array([[0.07]]), dead_time_ns=3.0
    )
    np.testing.assert_allclose(lookup(one, strength=np.array([0.1, 3.0, 9.0]), width_m=np.array([0.0, 0.3, 2.0])), 0.07)


def cube():
    rng = np.random.default_rng(2)
    dead = np.array([2.8, 3.0, 3.4])
    strength = np.array([1.0, 5.0, 9.0]) * np.array([[1.0], [1.1], [1.2]])
    width = np.array([1.0, 3.0]) + np.array([[0.0], [0.1], [0.2]])
    return {
        "dead_time_ns": dead,
        "strength": strength,
        "width_ns": width,
        "correction_ps": rng.uniform(0, 900, (3, 3, 2)),
    }


@pytest.mark.parametrize(
    ("dead", "weights"),
    [
        (2.8, (1, 0, 0)),
        (3.0, (0, 1, 0)),
        (3.4, (0, 0, 1)),
        (3.1, (0, 0.75, 0.25)),
        (2.85, (0.75, 0.25, 0)),
        (1.0, (1, 0, 0)),
        (9.0, (0, 0, 1)),
    ],
)
def test_dead_time_is_linear_and_held(dead, weights):
    c = cube()
    for order in ([0, 1, 2], [2, 0, 1]):
        found = at_dead_time(**{k: v[order] for k, v in c.items()}, beam_dead_time_ns=dead)
        np.testing.assert_allclose(found.strength, np.tensordot(weights, c["strength"], 1))
        np.testing.assert_allclose(found.width_ns, np.tensordot(weights, c["width_ns"], 1))
        # two-way picoseconds to one-way metres: 100 ps are 15 mm
        np.testing.assert_allclose(
            found.bias_m, np.tensordot(weights, c["correction_ps"], 1) * 0.0149896229e-2, rtol=1e-6
        )
        assert found.dead_time_ns == dead


def test_one_dead_time():
    c = {k: v[:1] for k, v in cube().items()}
    found = at_dead_time(**c, beam_dead_time_ns=3.3)
    np.testing.assert_allclose(found.bias_m, c["correction_ps"][0] * 1.49896229e-4, rtol=1e-6)
