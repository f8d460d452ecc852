"""Backscatter of floes: the field's correlation, and what the footprint does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.simulate.altika import floes, presets


def test_a_field_has_the_correlation_of_its_length_along_both_axes():
    field = floes.correlated_field(np.random.default_rng(1), (400, 1600), 1750.0)
    assert field.mean() == pytest.approx(0.0, abs=0.06) and field.std() == pytest.approx(1.0, abs=0.04)
    for apart in (5, 10):
        expected = np.exp(-apart * presets.STEP_M / 1750.0)
        assert (field[:, apart:] * field[:, :-apart]).mean() == pytest.approx(expected, abs=0.05)
        assert (field[apart:] * field[:-apart]).mean() == pytest.approx(expected, abs=0.05)


def test_the_first_column_and_row_are_as_variable_as_the_others():
    fields = [floes.correlated_field(np.random.default_rng(k), (8, 8), 5000.0) for k in range(600)]
    assert np.std(fields, axis=0) == pytest.approx(1.0, abs=0.12)


def test_the_disc_is_that_of_a_gate():
    """sqrt(2 h 0.3123 / (1 + h/R)) is 666 m: 3.8 steps."""
    east, north = floes._disc()
    assert np.hypot(east, north).max() * 175.0 <= 666.3
    assert len(east) == sum(np.hypot(x, y) * 175.0 < 666.3 for x in range(-9, 10) for y in range(-9, 10))


def test_the_footprint_evens_out_what_is_smaller_than_it_and_keeps_what_is_larger():
    def spread(length_m):
        ranges = replace(presets.STANDARD, sigma0_sd=(1.0,), sigma0_m=(length_m,))
        found = np.concatenate([floes.draw(np.random.default_rng(k), 800, ranges) for k in range(6)])
        return found.std(), np.diff(found).std()

    fine, wide = spread(100.0), spread(20_000.0)
    assert fine[0] < 0.35 and wide[0] > 0.75
    assert wide[1] < 0.1


def test_successive_echoes_differ_less_than_the_field_below_them():
    """Points of the field that are a step apart differ by sqrt(2 (1 - exp(-175/700))) = 0.67 of its spread."""
    ranges = replace(presets.STANDARD, sigma0_sd=(1.0,), sigma0_m=(700.0,))
    found = floes.draw(np.random.default_rng(2), 4000, ranges)
    assert np.diff(found).std() < 0.5 * 0.67


def test_a_field_without_spread_is_zero():
    ranges = replace(presets.STANDARD, sigma0_sd=(0.0, 0.0))
    np.testing.assert_allclose(floes.draw(np.random.default_rng(3), 50, ranges), 0.0, atol=1e-12)
