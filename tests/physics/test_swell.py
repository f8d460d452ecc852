"""Swell: found with its height and wavelength where it is, not found where it is not, and what it does to leads."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import leads, swell


def ice(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return floes of 100 m to kilometres with ridges: a broad spectrum."""
    edges = np.cumsum(rng.pareto(1.0, 4000) * 100.0 + 100.0)
    level = np.clip(0.3 * np.exp(0.4 * rng.standard_normal(edges.size)), 0.1, 1.0)
    height = level[np.searchsorted(edges, x - x[0])] + 0.05 * rng.standard_normal(x.size)
    for middle in rng.uniform(x[0], x[-1], int(np.ptp(x) / 250.0)):
        height += rng.exponential(0.4) * np.maximum(1.0 - np.abs(x - middle) / rng.uniform(4.0, 10.0), 0.0)
    return height


@pytest.mark.parametrize("seed", range(6))
def test_ice_alone_has_no_swell(seed):
    x = np.arange(0.0, 40_000.0, 2.0)
    assert not swell.detect(x, ice(np.random.default_rng(seed), x)).is_there.any()


@pytest.mark.parametrize(("wavelength", "height"), [(100.0, 0.3), (200.0, 0.42), (330.0, 0.5)])
def test_swell_is_found_with_its_height_and_wavelength(wavelength, height):
    """Significant wave height is four standard deviations."""
    x = np.arange(0.0, 40_000.0, 2.0)
    wave = height / np.sqrt(8.0) * np.sin(2.0 * np.pi * x / wavelength)
    found = swell.detect(x, ice(np.random.default_rng(1), x) + wave)
    assert found.is_there.mean() > 0.9
    here = found.is_there
    assert np.median(found.wavelength[here]) == pytest.approx(wavelength, rel=0.1)
    assert 4.0 * np.median(found.rms[here]) == pytest.approx(height, rel=0.2)


def test_swell_that_decays_is_found_where_it_is():
    x = np.arange(0.0, 80_000.0, 2.0)
    wave = 0.2 * np.exp(-x / 10_000.0) * np.sin(2.0 * np.pi * x / 180.0)
    found = swell.detect(x, ice(np.random.default_rng(2), x) + wave)
    assert found.is_there[x < 10_000.0].mean() > 0.8 and not found.is_there[x > 50_000.0].any()


def test_short_and_broken_tracks_have_none():
    assert not swell.detect(np.arange(0.0, 2000.0, 2.0), np.zeros(1000)).is_there.any()
    assert swell.detect(np.empty(0), np.empty(0)).rms.size == 0
    x = np.arange(0.0, 40_000.0, 2.0)
    wave = np.where(x % 4000.0 < 1500.0, 0.3 * np.sin(2.0 * np.pi * x / 200.0), np.nan)
    assert not swell.detect(x, wave).is_there.any()


def test_leads_move_by_the_mean_of_the_wave_over_them():
    """The mean of a wave over a lead of length L is its sinc; long leads follow the envelope λ / (π L)."""
    moving = swell.Swell(rms=np.full(3, 0.1), wavelength=np.full(3, 200.0))
    found = swell.of_leads(moving, np.array([0, 1, 2]), np.array([0.0, 50.0, 1000.0]))
    expected = 0.1 * np.array([1.0, np.sin(np.pi / 4.0) / (np.pi / 4.0), 200.0 / (np.pi * 1000.0)])
    np.testing.assert_allclose(found, expected)
    still = swell.Swell(rms=np.zeros(1), wavelength=np.full(1, np.nan))
    assert swell.of_leads(still, np.array([0]), np.array([30.0]))[0] == 0.0


def test_screening_under_swell_chooses_no_troughs():
    """Leads of one level on crests and in troughs: all stay, and their mean is the level. Without word of the swell the
    crests are dropped."""
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0.0, 10_000.0, 40))
    wave = 0.1 * np.sqrt(2.0) * np.sin(2.0 * np.pi * x / 200.0)
    one = np.ones(x.size, np.int64)
    lead = leads.Leads(
        first=one,
        last=one + 1,
        x=x,
        length=20.0 * one,
        height=wave,
        uncertainty=0.02 * one,
        n_segments=10 * one,
        n_photons=100 * one,
    )
    dropped = leads.screen_leads(lead)
    assert np.mean(wave[dropped]) < -0.03
    # An error of 0.07 m leaves room for crests about the middle, not about a level in the troughs.
    assert leads.screen_leads(leads.with_swell(lead, np.full(x.size, 0.07))).all()
    moved = leads.with_swell(lead, np.full(x.size, 0.1))
    keep = leads.screen_leads(moved)
    assert keep.all()
    height, error, _, used = leads.combine(moved, np.array([5000.0]), is_usable=keep)
    assert used.sum() > 35 and abs(height[0]) < 2.0 * error[0] and error[0] > 0.1 / np.sqrt(40)
