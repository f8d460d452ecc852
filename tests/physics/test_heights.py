"""Segment heights by Monte Carlo: unbiased, robust to background, with an error that says what it should."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import heights, segments, tracks
from polynya.physics.first_photon_bias import CalibrationTable

NO_FLOOR = heights.HeightErrors(instrument_m=0.0, tail_m=0.0, first_photon_share=0.3, first_photon_unknown_m=0.0)
FLAT = CalibrationTable(
    strength=np.array([0.1, 50.0]), width_ns=np.array([0.1, 50.0]), bias_m=np.full((2, 2), 0.04), dead_time_ns=3.0
)


def cells(
    n_photons: np.ndarray,
    surface: np.ndarray,
    *,
    seed: int,
    sd: float = 0.12,
    noise: float = 0.0,
    x: np.ndarray | None = None,
    confident: float = 1.0,
):
    """Segments of 2 m with so many Gaussian photons about a surface each, three shots a cell, and a share of uniform
    background within ± 3 m."""
    rng = np.random.default_rng(seed)
    m = n_photons.size
    x = 2.0 * np.arange(m) if x is None else x
    own = np.repeat(np.arange(m), n_photons)
    h = surface[own] + sd * rng.standard_normal(own.size)
    is_noise = rng.random(own.size) < noise
    h = np.where(is_noise, surface[own] + rng.uniform(-3.0, 3.0, own.size), h)
    place = np.sort(rng.integers(0, 3, own.size) + 3 * own) - 3 * own
    shot = 3 * np.round(x[own] / 2.0).astype(np.int64) + place
    photons = {
        "h_ph": h.astype(np.float32),
        "dist_ph_along": (0.3 + 0.6 * place + (x[own] - 20.0 * np.floor(x[own] / 20.0))).astype(np.float32),
        "lat_ph": np.full(own.size, 80.0),
        "lon_ph": np.zeros(own.size),
        "delta_time": 1e-4 * shot,
        "signal_conf_ph": np.full(own.size, 4, np.int8),
        "quality_ph": np.zeros(own.size, np.int8),
        "pce_mframe_cnt": (shot // 200).astype(np.uint32),
        "ph_id_pulse": (1 + shot % 200).astype(np.uint8),
    }
    ids, count = np.unique(np.floor(x[own] / 20.0).astype(np.int64), return_counts=True)
    found = segments.resample(
        photons,
        geosegments=segments.Geosegments(first=np.cumsum(count) - count, count=count, x=20.0 * ids),
        reference=segments.Reference(x=20.0 * ids, height=np.zeros(ids.size)),
    )
    return found, tracks.pieces(found.x_atc, gap_m=heights.GAP_M)


def estimate(found, starts, *, table=None, errors=NO_FLOOR):
    return heights.surface_heights(found, table=table, starts=starts, errors=errors)


@pytest.mark.parametrize("n", [3, 8, 16])
def test_gaussian_photons_give_unbiased_heights_with_honest_errors(n):
    m = 6000
    truth = 0.3 + 0.1 * np.sin(np.arange(m) / 40.0)
    found, starts = cells(np.full(m, n), truth, seed=n)
    got = estimate(found, starts)
    error = got.height - truth
    assert np.isfinite(got.height).all()
    assert abs(error.mean()) < 4 * 0.12 / np.sqrt(n * m) + 5e-4
    # about as good as the mean of n Gaussian photons: trimming costs something, neighbours lend a little where photons
    # are few
    assert 0.85 * 0.12 / np.sqrt(n) < error.std() < 1.2 * 0.12 / np.sqrt(n)
    inside = np.abs(error) <= got.uncertainty
    assert abs(inside.mean() - 0.683) < 0.05
    assert abs(np.mean(np.abs(error) <= 2 * got.uncertainty) - 0.954) < 0.04
    assert np.median(got.spread) == pytest.approx(0.12, rel=0.06)
    assert got.is_contaminated.mean() < 0.02  # of three photons two outside, not one: more than a third


def test_uneven_counts_keep_the_coverage():
    rng = np.random.default_rng(4)
    n = rng.poisson(6.0, 8000)
    n[n == 0] = 1
    truth = np.full(n.size, -0.2)
    found, starts = cells(n, truth, seed=5)
    got = estimate(found, starts)
    error = got.height - truth
    for low, high in ((1, 2), (3, 5), (6, 20)):
        rows = (n >= low) & (n <= high)
        allowed = 0.05 + 3 * np.sqrt(0.683 * 0.317 / rows.sum())
        assert abs(np.mean(np.abs(error[rows]) <= got.uncertainty[rows]) - 0.683) < allowed, (low, high)
    assert abs(np.nanmean(error)) < 0.004 and np.isfinite(error).mean() > 0.995


def test_a_fifth_of_background_does_not_move_the_surface():
    m = 5000
    truth = 0.25 + 0.1 * np.sin(np.arange(m) / 60.0)
    found, starts = cells(np.full(m, 12), truth, seed=9, noise=0.2)
    got = estimate(found, starts)
    error = got.height - truth
    plain = found.mean - truth
    assert abs(np.mean(error)) < 0.005 and error.std() < 0.06
    assert plain.std() > 0.2  # what a plain mean does
    assert got.n_photons.mean() < 0.9 * 12


def test_contamination_is_flagged():
    for share, low, high in ((0.0, 0.0, 0.01), (0.55, 0.5, 1.0)):
        found, starts = cells(np.full(300, 14), np.zeros(300), seed=3, noise=share)
        assert low <= estimate(found, starts).is_contaminated.mean() <= high


def test_first_photon_bias_lowers_the_surface():
    found, starts = cells(np.full(500, 10), np.zeros(500), seed=11)
    without, with_ = estimate(found, starts), estimate(found, starts, table=FLAT)
    np.testing.assert_allclose(without.height - with_.height, 0.04, atol=1e-6)
    np.testing.assert_allclose(with_.first_photon_bias, 0.04, atol=1e-6)
    assert np.isnan(without.first_photon_bias).all()
    # the uncertainty grows by the stated share of the correction, or by the unknown bias
    np.testing.assert_allclose(with_.uncertainty, np.hypot(without.uncertainty, 0.3 * 0.04), rtol=1e-5)
    unknown = estimate(
        found,
        starts,
        errors=heights.HeightErrors(instrument_m=0.0, tail_m=0.0, first_photon_share=0.3, first_photon_unknown_m=0.017),
    )
    np.testing.assert_allclose(unknown.uncertainty, np.hypot(without.uncertainty, 0.017), rtol=1e-5)


def test_the_bias_is_looked_up_at_rate_and_width():
    """A table that is a plane: strength and 10-90 % width (2.563 standard deviations) come back out of the bias."""
    strength, width = np.array([0.0, 40.0]), np.array([0.0, 20.0])
    found, starts = cells(np.full(2000, 12), np.zeros(2000), seed=12)
    by_strength = CalibrationTable(
        strength=strength, width_ns=width, bias_m=np.array([[0.0, 0.0], [0.4, 0.4]]), dead_time_ns=3.0
    )
    by_width = CalibrationTable(
        strength=strength, width_ns=width, bias_m=np.array([[0.0, 0.2], [0.0, 0.2]]), dead_time_ns=3.0
    )
    rate = estimate(found, starts, table=by_strength).first_photon_bias.astype(float) * 100.0
    assert np.mean(rate) == pytest.approx(
        4.0, rel=0.05
    )  # 12 photons in three shots, some cells' shots without a photon
    ns = estimate(found, starts, table=by_width).first_photon_bias.astype(float) * 100.0
    assert np.median(ns) == pytest.approx(2.563 * 0.12 * 2 / 0.299792458, rel=0.06)


def test_documented_floor():
    found, starts = cells(np.full(300, 10), np.zeros(300), seed=13)
    bare = estimate(found, starts)
    floor = estimate(
        found,
        starts,
        errors=heights.HeightErrors(instrument_m=0.03, tail_m=0.04, first_photon_share=0.0, first_photon_unknown_m=0.0),
    )
    np.testing.assert_allclose(floor.uncertainty, np.hypot(bare.uncertainty, 0.05), rtol=1e-5)


def test_photons_beyond_a_gap_are_never_used():
    m = 240
    x = np.where(np.arange(m) < 120, 2.0 * np.arange(m), 400.0 + 2.0 * np.arange(m))
    rng = np.random.default_rng(14)
    n = rng.integers(1, 9, m)
    got = []
    for level in (np.zeros(m), np.where(np.arange(m) < 120, 0.0, 2.5)):
        found, starts = cells(n, level, seed=15, sd=0.1, x=x, noise=0.1)
        assert starts.tolist() == [0, 120, 240]
        got.append(estimate(found, starts, table=FLAT))
    for name in ("height", "uncertainty", "n_photons", "spread", "rate", "first_photon_bias"):
        np.testing.assert_array_equal(getattr(got[0], name)[:120], getattr(got[1], name)[:120], err_msg=name)
    assert np.nanmean(np.abs(got[1].height[120:] - got[0].height[120:])) > 2.0


def test_shifting_all_photons_shifts_heights_alone():
    n = np.random.default_rng(16).integers(1, 12, 600)
    a, starts = cells(n, np.zeros(600), seed=17, noise=0.1)
    b, _ = cells(n, np.full(600, 1.5), seed=17, noise=0.1)
    one, two = estimate(a, starts), estimate(b, starts)
    close = np.isfinite(one.height)
    assert (
        np.mean(np.abs(two.height - one.height - 1.5)[close] < 1e-4) > 0.99
    )  # a photon on the edge of a window may fall on either side
    np.testing.assert_allclose(np.median(two.uncertainty), np.median(one.uncertainty), rtol=1e-3)


def test_a_step_is_not_smeared():
    """A lead's edge 0.4 m high: segments with photons enough keep their own surface."""
    m = 400
    truth = np.where(np.arange(m) < 200, 0.4, 0.0)
    found, starts = cells(np.full(m, 16), truth, seed=18, sd=0.1)
    got = estimate(found, starts, errors=NO_FLOOR)
    error = (got.height - truth)[195:205]
    assert np.abs(error).max() < 0.12


def test_one_segment():
    found, starts = cells(np.array([1]), np.array([0.7]), seed=19)
    got = estimate(found, starts, table=FLAT)
    assert (
        got.height.shape == (1,)
        and got.height[0] == pytest.approx(found.mean[0] - 0.04, abs=1e-6)
        and np.isfinite(got.uncertainty[0])
        and got.uncertainty[0] > 0.1
    )


def test_a_lone_photon_metres_away_is_noise():
    """One photon 9 m above a surface of many is dropped; a ridge of many photons 3 m above it stays."""
    counts, level = np.full(200, 12), np.zeros(200)
    counts[100], level[100], level[60] = 1, 9.0, 3.0
    surface = estimate(*cells(counts, level, seed=5))
    assert np.isnan(surface.height[100]) and np.isnan(surface.uncertainty[100])
    assert surface.height[60] == pytest.approx(3.0, abs=0.2)
    assert np.isfinite(np.delete(surface.height, 100)).all()


def test_a_lone_photon_inside_a_gap_is_noise():
    """Cloud leaves a hole of 60 m with one photon in its middle, 9 m above the ice: nothing near it tells where the
    surface is, so only the median of 250 m can. The same photon at the level of the ice is a surface."""
    x = np.concatenate([2.0 * np.arange(60), [150.0], 180.0 + 2.0 * np.arange(60)])
    counts = np.full(x.size, 12)
    counts[60] = 1
    for above, is_kept in ((9.0, False), (0.1, True)):
        level = np.zeros(x.size)
        level[60] = above
        got = estimate(*cells(counts, level, seed=20, x=x))
        assert np.isfinite(got.height[60]) == np.isfinite(got.uncertainty[60]) == is_kept
        assert np.isfinite(np.delete(got.height, 60)).all()


def test_terms_of_the_uncertainty_by_default():
    """Each term in quadrature, with the numbers that docs/freeboard.md states: shot-to-shot range bias 8 mm (Magruder
    et al. 2020; Brunt et al. 2019), pulse tail 10 mm, 30 % of the first-photon correction, 17 mm without CAL-19."""
    found, starts = cells(np.full(300, 10), np.zeros(300), seed=21)
    bare = estimate(
        found,
        starts,
        table=FLAT,
        errors=heights.HeightErrors(instrument_m=0.0, tail_m=0.0, first_photon_share=0.0, first_photon_unknown_m=0.0),
    ).uncertainty
    corrected = estimate(found, starts, table=FLAT, errors=None).uncertainty
    np.testing.assert_allclose(corrected**2 - bare**2, 0.008**2 + 0.010**2 + (0.3 * 0.04) ** 2, rtol=1e-3)
    uncorrected = estimate(found, starts, errors=None).uncertainty
    np.testing.assert_allclose(uncorrected**2 - bare**2, 0.008**2 + 0.010**2 + 0.017**2, rtol=1e-3)


def test_what_means_of_freeboard_reduce_and_what_not():
    """The first-photon error is shared along a beam: 30 % of the bias, 0.017 m where none is subtracted. Late photons
    are shared by ice and water. What is left of the uncertainty is each segment's own."""
    bias = np.array([0.02, -0.01, np.nan])
    shared = heights.first_photon_error(bias)
    np.testing.assert_allclose(shared, [0.006, 0.003, 0.017])
    own = np.array([0.04, 0.05, 0.06])
    whole = np.sqrt(own**2 + shared**2 + 0.010**2)
    np.testing.assert_allclose(heights.independent_error(whole, bias), own)
    assert heights.independent_error(np.array([0.001]), np.array([0.1]))[0] == 0.0
