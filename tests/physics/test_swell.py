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


def plain_spectra(x, height) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and spectra, window by window."""
    width, step = round(swell.WINDOW_M / swell.CELL_M), round(swell.STEP_M / swell.CELL_M)
    cell = np.floor(x / swell.CELL_M).astype(int)
    place, taper = np.arange(width), np.hanning(width)
    slope = (place - place.mean()) / np.sum((place - place.mean()) ** 2)
    centre, spectra = [], []
    for a in range(cell[0], cell[-1] - width + 2, step):
        is_here = (cell >= a) & (cell < a + width)
        there = np.unique(cell[is_here])
        if there.size < swell.LEAST_COVER * width:
            continue
        y = np.interp(place, there - a, [np.mean(height[cell == c]) for c in there])
        middle = np.median(y)
        spread = 1.4826 * np.median(np.abs(y - middle))
        y = np.clip(y, middle - swell.OUTLIER * spread, middle + swell.OUTLIER * spread)
        y = y - y.mean() - (slope @ y) * (place - place.mean())
        centre.append((a + 0.5 * width) * swell.CELL_M)
        spectra.append(np.abs(np.fft.rfft(y * taper)) ** 2 * 2.0 / (width * np.sum(taper**2)))
    return np.array(centre), np.array(spectra)


def plain_peak(spectrum) -> tuple[float, float, float]:
    """Return ratio, wavelength and standard deviation of the highest peak, wavenumber by wavenumber."""
    number, best = np.arange(spectrum.size), (0.0, 0.0, 0.0)
    logs = np.log(spectrum + 1e-12)
    for k in range(int(np.ceil(swell.WINDOW_M / swell.LONGEST_M)), int(swell.WINDOW_M / swell.SHORTEST_M) + 1):
        band = (number >= k / swell.BAND) & (number <= k * swell.BAND)
        below = (number >= k / swell.SIDE_OUT) & (number < k / swell.SIDE_IN)
        side = below | ((number > k * swell.SIDE_IN) & (number <= k * swell.SIDE_OUT))
        power_law = np.polynomial.Polynomial.fit(np.log(number[side]), logs[side], 1)
        background = np.exp(power_law(np.log(number[band])))
        usual, power = background.sum(), spectrum[band].sum()
        excess = np.maximum(spectrum[band] - background, 0.0)
        if power > best[0] * usual:
            middle = np.sum(excess * number[band]) / max(excess.sum(), 1e-12)
            best = power / usual, swell.WINDOW_M / max(middle, 1.0), np.sqrt(max(power - usual, 0.0))
    return best


def test_windows_taken_together_are_those_taken_one_by_one():
    """Holes in the track, a wave that decays, ridges: the same windows, the same height and wavelength in each."""
    rng = np.random.default_rng(4)
    x = np.arange(0.0, 60_000.0, 2.0)
    x = x[(x % 6000.0 > 700.0) | (x > 35_000.0)]
    height = ice(rng, x) + 0.25 * np.exp(-x / 20_000.0) * np.sin(2.0 * np.pi * x / 150.0)
    found = swell.detect(x, height)
    centre, spectra = plain_spectra(x, height)
    around = [spectra[max(k - swell.AVERAGED, 0) : k + swell.AVERAGED + 1].mean(axis=0) for k in range(centre.size)]
    ratio, wavelength, rms = np.array([plain_peak(s) for s in around]).T
    sure = (ratio >= swell.LEAST_RATIO) & (rms >= swell.LEAST_RMS_M)
    assert sure.sum() > 3 and not sure.all()
    for k in np.flatnonzero(sure):
        at = np.argmin(np.abs(x - centre[k]))
        if abs(x[at] - centre[k]) < 100.0:
            assert found.rms[at] == pytest.approx(rms[k], rel=1e-9)
            assert found.wavelength[at] == pytest.approx(wavelength[k], rel=1e-9)
