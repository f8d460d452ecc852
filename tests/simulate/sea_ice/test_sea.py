"""Swell and the short sea surface against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.simulate.sea_ice.sea import draw_sea
from polynya.simulate.sea_ice.surfaces import Surfaces, Swell

X = np.arange(0.0, 60000.0, 2.0)


def sea(seed: int = 0, **asked):
    return draw_sea("winter", np.random.default_rng(seed), length=60000.0, surfaces=Surfaces(**asked))


def swell(**more: float) -> Swell:
    return Swell(**{"height": 0.4, "wavelength": 200.0, "decay_km": float("inf"), **more})


def test_significant_height_is_four_standard_deviations():
    made = sea(swell=swell())
    far = np.arange(0.0, 6.0e5, 5.0)  # the groups of a narrow band are kilometres long
    assert 4.0 * made.displacement(far, 0.0).std() == pytest.approx(0.4, rel=0.05)
    assert np.all(made.swell_height(X) == 0.4)


def test_swell_has_its_wavelength():
    lift = sea(swell=swell()).displacement(X, 0.0)
    power = np.abs(np.fft.rfft(lift)) ** 2
    frequency = np.fft.rfftfreq(X.size, 2.0)
    assert np.sum(power) / np.sum(power * frequency) == pytest.approx(200.0, rel=0.1)


def test_swell_decays_by_e_over_its_length():
    made = sea(swell=swell(decay_km=20.0))
    height = made.swell_height(X)
    inwards = height if made.edge == 0.0 else height[::-1]
    assert inwards[0] == pytest.approx(0.4, rel=0.001)
    assert inwards[10000] / inwards[0] == pytest.approx(np.exp(-1.0), rel=1e-3)
    lift = made.displacement(X, 0.0) if made.edge == 0.0 else made.displacement(X, 0.0)[::-1]
    near, far = lift[:5000].std(), lift[20000:25000].std()
    assert far / near == pytest.approx(np.exp(-2.0), rel=0.25)


def test_no_swell_is_flat():
    made = sea(swell=swell(height=0.0))
    assert not np.any(made.displacement(X, 0.0)) and not np.any(made.swell_height(X))


def test_bumps_have_their_size_and_lengths():
    lengths, sizes = [], []
    for seed in range(8):
        made = sea(seed, mss_bumps=0.10)
        height = made.bumps(np.arange(0.0, 2.0e6, 100.0), 0.0)
        sizes.append(height.std())
        lengths += made.bumps.wavelength.tolist()
    assert sizes == pytest.approx([0.05] * 8, rel=0.05)
    assert min(lengths) >= 5000.0 and max(lengths) <= 20000.0 and max(lengths) - min(lengths) > 12000.0


def test_the_beams_of_a_pair_share_the_sea_and_far_pairs_only_the_waves():
    made = sea(mss_bumps=0.10)
    near, far = made.bumps(X, 45.0) - made.bumps(X, -45.0), made.bumps(X, 3345.0) - made.bumps(X, 0.0)
    assert near.std() < 0.008 < 0.02 < far.std()


def test_what_is_asked_for_changes_nothing_else():
    drawn, asked = sea(3), sea(3, swell=swell())
    assert np.array_equal(drawn.bumps(X, 0.0), asked.bumps(X, 0.0)) and drawn.edge == asked.edge
    assert sea(3, swell=Swell(height=0.3)).swell.wavelength == drawn.swell.wavelength


def test_a_minority_of_granules_has_weak_swell():
    drawn = np.array([sea(seed).swell.height for seed in range(300)])
    assert 0.05 < np.mean(drawn > 0.0) < 0.16
    assert drawn.max() <= 0.2 and drawn[drawn > 0.0].min() >= 0.05
