"""Means with correlated errors: limits in closed form, then the scatter of simulated errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polynya.physics.averages import CorrelatedErrors, mean_freeboard

NONE = CorrelatedErrors(mss_m=0.0, tide_m=0.0, dac_m=0.0, smoother_sections=1)


def track(length_m: float = 100_000.0, step: float = 20.0) -> np.ndarray:
    return np.arange(0.5 * step, length_m, step)


def one(x, *, sr=0.0, sv=0.0, length=np.inf, errors=NONE, **more):
    shape = np.ones_like(x)
    return mean_freeboard(
        x,
        0.3 * shape,
        sigma_random=sr * shape,
        sigma_sea_surface=sv * shape,
        lengths_m=(length,),
        errors=errors,
        **more,
    )[length]


def test_independent_errors_fall_with_the_root_of_n():
    m = one(track(), sr=0.05, length=1000.0)
    assert m.n.tolist() == [50] * 100
    assert np.allclose(m.uncertainty, 0.05 / math.sqrt(50))
    assert np.all(m.uncertainty_correlated == 0.0)


def test_a_shared_sea_surface_error_does_not_fall_inside_a_section():
    m = one(track(), sv=0.02, length=1000.0)
    assert np.allclose(m.uncertainty, 0.02)
    assert np.allclose(m.uncertainty_random, 0.0)


def test_independent_sections_average_and_a_smoother_correlates_them():
    x = track(30_000.0)
    whole = one(x, sv=0.03)
    assert whole.uncertainty[0] == pytest.approx(0.03 / math.sqrt(3))
    # Five sections, three-point mean inside, ends untouched. Reference weights by hand.
    smoother = np.eye(5)
    for i in (1, 2, 3):
        smoother[i] = 0.0
        smoother[i, i - 1 : i + 2] = 1.0 / 3.0
    c = smoother @ smoother.T
    r = c / np.sqrt(np.outer(np.diag(c), np.diag(c)))
    smoothed = one(track(50_000.0), sv=0.03, errors=CorrelatedErrors(mss_m=0, tide_m=0, dac_m=0, smoother_sections=3))
    assert smoothed.uncertainty[0] == pytest.approx(0.03 * math.sqrt(r.sum()) / 5)
    assert r[1, 2] == pytest.approx(2 / 3) and r[1, 3] == pytest.approx(1 / 3)


def test_overlapping_sections_share_leads():
    # Sections 10 km long every 5 km: half the leads are common, correlation 1/2 between neighbours.
    m = one(track(10_000.0), sv=0.02, section_x=np.array([2500.0, 7500.0]))
    assert m.uncertainty[0] == pytest.approx(0.02 * math.sqrt((1 + 1 + 2 * 0.5) / 4))


def test_a_correction_error_common_to_everything_cancels_in_freeboard_and_stays_in_height():
    endless = {"mss_m": 0.1, "mss_length_m": 1e13, "tide_m": 0.0, "dac_m": 0.0}
    assert one(track(), errors=CorrelatedErrors(**endless)).uncertainty[0] < 1e-5
    above_mss = one(track(), errors=CorrelatedErrors(**endless, is_absorbed=False), length=10_000.0)
    assert np.allclose(above_mss.uncertainty, 0.1)


def test_exponential_correlation_without_absorption_has_its_closed_form():
    length, span = 20_000.0, 100_000.0
    ratio = span / length
    expected = math.sqrt(2.0 * (ratio - 1.0 + math.exp(-ratio)) / ratio**2)  # mean of exp(-d/L) over a line
    errors = CorrelatedErrors(mss_m=1.0, mss_length_m=length, tide_m=0.0, dac_m=0.0, is_absorbed=False)
    assert one(track(span), errors=errors).uncertainty[0] == pytest.approx(expected, rel=1e-3)
    ratio = 0.5
    expected = math.sqrt(2.0 * (ratio - 1.0 + math.exp(-ratio)) / ratio**2)
    assert np.allclose(one(track(span), errors=errors, length=10_000.0).uncertainty, expected, rtol=1e-3)


def test_the_long_track_recursion_equals_the_direct_sum():
    errors = CorrelatedErrors(mss_m=0.04, mss_length_m=12_000.0, tide_m=0.0, dac_m=0.0)
    x = track(400_000.0, 100.0)
    x = x[(x < 120_000) | (x > 180_000)]
    m = one(x, errors=errors)  # 800 cells: by recursion
    g = np.arange(0.0, 400_000.0, 500.0) + 250.0
    weight = np.histogram(x, np.append(g - 250.0, 400_000.0))[0] / x.size
    centres = (np.arange(40) + 0.5) * 10_000.0
    share = np.histogram(x, np.arange(41) * 10_000.0)[0] / x.size
    smoother = np.eye(40)
    for i in range(1, 39):
        smoother[i] = 0.0
        smoother[i, i - 1 : i + 2] = 1.0 / 3.0
    box = (np.abs(g[None, :] - centres[:, None]) < 5000.0) / 20.0
    u = weight - share @ smoother @ box
    kernel = np.exp(-np.abs(np.subtract.outer(g, g)) / 12_000.0)
    d = 10_000.0 / 12_000.0
    kappa = 2 * (d - 1 + math.exp(-d)) / d**2
    sampling = share @ smoother @ smoother.T @ share * (1 - kappa)
    assert m.uncertainty_corrections[0] == pytest.approx(0.04 * math.sqrt(u @ kernel @ u + sampling), rel=1e-6)


@pytest.mark.parametrize("leads", [1, 4])
def test_predicted_sigma_is_the_scatter_of_simulated_errors(leads):
    """Noise on segments, leads at random places that see noise and correction errors, smoothed sections."""
    rng = np.random.default_rng(leads)
    step, span, spacing = 100.0, 120_000.0, 10_000.0
    x = track(span, step)
    n, sections = x.size, int(span / spacing)
    sr, lead_noise = 0.20, 0.03
    terms = ((0.03, 15_000.0), (0.05, 100_000.0))
    trials = 6000
    correction = np.zeros((trials, n))
    for sigma, length in terms:
        decay = math.exp(-step / length)
        state = rng.normal(size=trials)
        for i in range(n):
            correction[:, i] += sigma * state
            state = decay * state + math.sqrt(1 - decay**2) * rng.normal(size=trials)
    per = int(spacing / step)
    raw = np.zeros((trials, sections))
    for s in range(sections):
        at = rng.integers(s * per, (s + 1) * per, size=(trials, leads))
        raw[:, s] = np.take_along_axis(correction, at, axis=1).mean(axis=1)
    noise = lead_noise * rng.normal(size=(trials, sections))
    smooth = raw + noise
    smooth[:, 1:-1] = ((raw + noise)[:, :-2] + (raw + noise)[:, 1:-1] + (raw + noise)[:, 2:]) / 3.0
    error = sr * rng.normal(size=(trials, n)) + correction - np.repeat(smooth, per, axis=1)
    # What the product would state: noise of the smoothed reference, without the correction errors.
    stated = np.full(sections, lead_noise / math.sqrt(3.0))
    stated[[0, -1]] = lead_noise
    errors = CorrelatedErrors(
        mss_m=terms[0][0],
        mss_length_m=terms[0][1],
        tide_m=terms[1][0],
        tide_length_m=terms[1][1],
        dac_m=0.0,
        leads_per_section=leads,
    )
    found = mean_freeboard(
        x,
        np.zeros(n),
        sigma_random=np.full(n, sr),
        sigma_sea_surface=np.repeat(stated, per),
        lengths_m=(1000.0, 10_000.0, 20_000.0, np.inf),
        errors=errors,
    )
    for length, m in found.items():
        bins = int(span / length) if np.isfinite(length) else 1
        scatter = error.reshape(trials, bins, -1).mean(axis=2).std(axis=0)
        pooled = math.sqrt((scatter**2).mean()), math.sqrt((m.uncertainty**2).mean())
        assert pooled[1] == pytest.approx(pooled[0], rel=0.03), length
        assert np.allclose(m.uncertainty, scatter, rtol=0.08), length


def test_means_are_of_the_segments_present_in_any_order():
    rng = np.random.default_rng(0)
    x = rng.permutation(track(30_000.0))
    f = rng.normal(0.3, 0.1, x.size)
    f[::7] = np.nan
    m = mean_freeboard(x, f, sigma_random=np.full(x.size, 0.05), sigma_sea_surface=np.full(x.size, 0.02))
    for length in (1000.0, 10_000.0, 25_000.0):
        for i in range(len(m[length].n)):
            inside = np.floor(x / length) == np.floor(m[length].x[i] / length)
            assert m[length].n[i] == np.isfinite(f[inside]).sum()
            assert m[length].freeboard[i] == pytest.approx(np.nanmean(f[inside]))
    assert m[np.inf].n.tolist() == [np.isfinite(f).sum()]
    parts = m[10_000.0]
    assert np.allclose(parts.uncertainty**2, parts.uncertainty_random**2 + parts.uncertainty_correlated**2)


def test_uneven_uncertainties_weigh_by_their_share():
    x = np.array([100.0, 200.0, 300.0])
    m = mean_freeboard(
        x,
        np.ones(3),
        sigma_random=np.array([0.1, 0.2, 0.2]),
        sigma_sea_surface=np.array([0.01, 0.03, 0.05]),
        lengths_m=(1000.0,),
        errors=NONE,
    )[1000.0]
    assert m.uncertainty_random[0] == pytest.approx(0.3 / 3)
    assert m.uncertainty_sea_surface[0] == pytest.approx(0.03)


def test_a_gap_of_400_km_leaves_the_two_pieces_independent():
    piece = track(10_000.0)
    errors = CorrelatedErrors(mss_m=0.03, mss_length_m=15_000.0, tide_m=0.0, dac_m=0.0)
    both = one(
        np.concatenate([piece, piece + 400_000.0]), sv=0.02, errors=errors, section_x=np.array([5000.0, 405_000.0])
    )
    alone = one(piece, sv=0.02, errors=errors, section_x=np.array([5000.0, 405_000.0]))
    assert both.uncertainty[0] == pytest.approx(alone.uncertainty[0] / math.sqrt(2), rel=1e-3)


def test_nothing_to_average_gives_no_bin():
    m = mean_freeboard(np.arange(3.0), np.full(3, np.nan), sigma_random=np.ones(3), sigma_sea_surface=np.ones(3))
    assert all(len(v.n) == 0 and len(v.uncertainty) == 0 for v in m.values())


def test_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match="multiple of 500 m"):
        one(track(), length=750.0)
    with pytest.raises(ValueError, match="expected one shape"):
        mean_freeboard(np.ones(3), np.ones(2), sigma_random=np.ones(3), sigma_sea_surface=np.ones(3))


def test_what_all_segments_share_falls_with_nothing():
    """Half of the bins' segments at 0.02 m, half at 0.04 m, of one cause: their mean is 0.03 m, over any length."""
    x = track()
    shared = np.where(np.arange(x.size) % 2 == 0, 0.02, 0.04)
    for length in (1000.0, 25_000.0, np.inf):
        m = one(x, length=length, sigma_common=shared)
        np.testing.assert_allclose(m.uncertainty_common, 0.03)
        np.testing.assert_allclose(m.uncertainty, 0.03)
        np.testing.assert_allclose(m.uncertainty_correlated, 0.03)
    both = one(x, sr=0.5, length=1000.0, sigma_common=shared)
    np.testing.assert_allclose(both.uncertainty**2, both.uncertainty_random**2 + 0.03**2)


def test_corrections_by_default_are_as_uncertain_as_the_literature_says():
    """Mean sea surface 3 cm over 15 km (Skourup et al. 2017), ocean tide 5 cm over 300 km (between Sun et al. 2022 in
    Drake Passage and in the Ross Sea), dynamic atmosphere 3 cm over 500 km (Carrère and Lyard 2003). Without
    absorption the error of a mean over a line is sigma times the root of the mean of exp(-d/L) over it."""
    off = {"mss_m": 0.0, "tide_m": 0.0, "dac_m": 0.0}
    for name, sigma, length in (("mss_m", 0.03, 15e3), ("tide_m", 0.05, 300e3), ("dac_m", 0.03, 500e3)):
        only = {k: v for k, v in off.items() if k != name}
        ratio = 25e3 / length
        expected = sigma * math.sqrt(2.0 * (ratio - 1.0 + math.exp(-ratio)) / ratio**2)
        found = one(track(), errors=CorrelatedErrors(**only, is_absorbed=False), length=25e3).uncertainty_corrections
        np.testing.assert_allclose(found, expected, rtol=1e-3, err_msg=name)
