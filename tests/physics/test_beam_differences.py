"""Sea surfaces of two beams: pairs of positions, and what their differences say of the stated uncertainties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polynya.physics.beam_differences import beam_differences


def test_beam_differences_pair_the_same_positions():
    x = np.tile(np.arange(5) * 10_000.0, 3)
    beam = np.repeat(["gt1r", "gt2r", "gt3r"], 5)
    height = np.concatenate([np.zeros(5), [0.01, 0.03, np.nan, 0.01, 0.03], np.full(5, np.nan)])
    found = {(d.beam_a, d.beam_b): d for d in beam_differences(x, height, uncertainty=np.full(15, 0.02), beam=beam)}
    d = found["gt1r", "gt2r"]
    assert d.n == 4 and d.mean == pytest.approx(-0.02) and d.median == pytest.approx(-0.02)
    assert d.sd == pytest.approx(np.std([0.01, 0.03, 0.01, 0.03], ddof=1))
    assert d.expected_sd == pytest.approx(0.02 * math.sqrt(2)) and d.chi2 == pytest.approx(0.0005 / 0.0008)
    assert found["gt1r", "gt3r"].n == 0 and math.isnan(found["gt1r", "gt3r"].mean)


def test_beam_differences_do_not_reach_further_than_the_tolerance():
    x = np.array([0.0, 2000.0, 30_000.0])
    out = beam_differences(
        x, np.array([0.0, 0.1, 0.2]), uncertainty=np.full(3, 0.1), beam=np.array(["gt1l", "gt1r", "gt1r"])
    )
    assert out[0].n == 1 and out[0].mean == pytest.approx(-0.1) and math.isnan(out[0].sd)


def test_honest_uncertainties_have_chi2_of_one():
    rng = np.random.default_rng(0)
    x = np.tile(np.arange(4000) * 10_000.0, 2)
    out = beam_differences(
        x, rng.normal(0, 0.03, 8000), uncertainty=np.full(8000, 0.03), beam=np.repeat(["gt1l", "gt1r"], 4000)
    )
    assert out[0].chi2 == pytest.approx(1.0, abs=0.1)
