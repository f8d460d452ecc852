"""Leads to freeboard: closed forms, and plain-Python re-computation of every formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.errors import UsageError
from polynya.physics import sea_surface as ss
from polynya.schema import SOURCE_LEADS, SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED

NAN = np.nan


def test_runs_of_consecutive_segments():
    flag = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    first, count = ss.lead_runs(flag)
    assert first.tolist() == [0, 3, 6] and count.tolist() == [2, 1, 3]
    breaks = np.zeros(9, bool)
    breaks[[1, 5, 8]] = True
    first, count = ss.lead_runs(flag, breaks=breaks)
    assert first.tolist() == [0, 1, 3, 6, 8] and count.tolist() == [1, 1, 1, 2, 1]
    assert ss.lead_runs(np.zeros(4, bool))[0].size == 0
    assert ss.lead_runs(np.zeros(0, bool))[1].size == 0


def test_lead_of_equal_heights_is_their_mean_with_standard_error():
    h, s = ss.lead_heights(np.full(4, 0.07), np.full(4, 0.02), first=[0], count=[4])
    assert h[0] == pytest.approx(0.07, abs=1e-12)
    assert s[0] == pytest.approx(0.02 / 2.0, abs=1e-12)  # 1 / sqrt(n)


def test_lead_of_two_segments_in_closed_form():
    sigma, step = 0.01, 0.01
    w = math.exp(-1.0)
    h, s = ss.lead_heights(np.array([0.0, step]), np.array([sigma, sigma]), first=[0], count=[2])
    assert h[0] == pytest.approx(step * w / (1 + w), abs=1e-12)
    assert s[0] == pytest.approx(sigma * math.sqrt(1 + w * w) / (1 + w), abs=1e-12)


def plain_lead(heights, sigmas):
    low = min(heights)
    weights = [math.exp(-(((h - low) / s) ** 2)) for h, s in zip(heights, sigmas, strict=True)]
    total = math.fsum(weights)
    share = [w / total for w in weights]
    return (
        math.fsum(a * h for a, h in zip(share, heights, strict=True)),
        math.sqrt(math.fsum((a * s) ** 2 for a, s in zip(share, sigmas, strict=True))),
    )


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0.003, 0.2)), min_size=1, max_size=12),
    st.floats(-30, 30),
)
def test_lead_heights_match_the_formula_and_move_with_the_datum(segments, shift):
    heights, sigmas = [h for h, _ in segments], [s for _, s in segments]
    expected = plain_lead(heights, sigmas)
    h, s = ss.lead_heights(np.array(heights), np.array(sigmas), first=[0], count=[len(heights)])
    assert h[0] == pytest.approx(expected[0], abs=1e-10) and s[0] == pytest.approx(expected[1], abs=1e-10)
    moved, same = ss.lead_heights(np.array(heights) + shift, np.array(sigmas), first=[0], count=[len(heights)])
    assert moved[0] - shift == pytest.approx(h[0], abs=1e-9) and same[0] == pytest.approx(s[0], abs=1e-9)


def test_missing_segments_take_no_part_and_an_empty_lead_is_nan():
    h, s = ss.lead_heights(
        np.array([NAN, 0.1, -5.0, NAN]), np.array([0.01, 0.01, NAN, 0.01]), first=[0, 3], count=[3, 1]
    )
    assert h[0] == pytest.approx(0.1) and s[0] == pytest.approx(0.01)
    assert np.isnan(h[1]) and np.isnan(s[1])


def test_a_lead_outside_the_segments_is_refused():
    with pytest.raises(UsageError, match="outside the 3 rows"):
        ss.lead_heights(np.zeros(3), np.ones(3), first=[2], count=[2])


def test_section_is_the_inverse_variance_mean():
    found = ss.section_references(
        np.array([1000.0, 2000.0, 9000.0]),
        np.array([0.0, 0.3, 9.0]),
        lead_sigma=np.array([0.01, 0.02, 0.01]),
        section_x=np.array([0.0, 30000.0]),
    )
    assert found.height[0] == pytest.approx(0.3 * (1 / 4) / (1 + 1 / 4), abs=1e-12)
    assert found.sigma[0] == pytest.approx(1 / math.sqrt(1 / 0.01**2 + 1 / 0.02**2), abs=1e-12)
    assert found.n_leads.tolist() == [2, 0] and found.first.tolist() == [0, -1]
    assert np.isnan(found.height[1]) and np.isnan(found.sigma[1])


def test_every_lead_belongs_to_exactly_one_adjoining_section():
    x = np.arange(-5000.0, 25001.0, 500.0)
    found = ss.section_references(
        x, np.zeros(x.size), lead_sigma=np.ones(x.size), section_x=np.array([0.0, 10000.0, 20000.0])
    )
    assert found.n_leads.sum() == x.size - 1  # the last lies on the far edge of the last section


def test_too_few_leads_and_unsorted_leads():
    one = ss.section_references(
        np.array([0.0]), np.array([0.1]), lead_sigma=np.array([0.01]), section_x=np.array([0.0]), n_leads_min=2
    )
    assert np.isnan(one.height[0]) and one.n_leads[0] == 0
    with pytest.raises(UsageError, match="not in order"):
        ss.section_references(np.array([5.0, 0.0]), np.zeros(2), lead_sigma=np.ones(2), section_x=np.array([0.0]))


def test_screen_bounds_land_and_steps():
    h = np.array([0.51, 0.5, -0.5, NAN, 0.0, 0.2, 0.45])
    assert ss.screen(h).tolist() == [False, True, False, False, True, True, True]
    assert ss.screen(h, limits=ss.Limits(height_min_m=-1.0, height_max_m=1.0)).tolist() == [
        True,
        True,
        False,
        False,
        True,
        True,
        True,
    ]
    land = np.array([9e4, 9e4, 9e4, 9e4, 24_999.0, 25_000.0, NAN])
    assert ss.screen(h, distance_to_land_m=land).tolist() == [False, True, False, False, False, True, True]
    ice = np.array([1, 1, 1, 1, 0.9, 0.7, 0.49])
    assert ss.screen(h, ice_concentration=ice).tolist() == [False, True, False, False, True, False, False]
    assert ss.screen(h, ice_concentration=np.full(7, NAN)).tolist() == ss.screen(h).tolist()


def filled(t, h, sigma=None, **limits):
    out, error, source = ss.fill(
        np.array(t, float),
        h_ref=np.array(h, float),
        sigma_ref=np.full(len(h), 0.01) if sigma is None else np.array(sigma, float),
        limits=ss.Limits(**limits),
    )
    return out, error, source.tolist()


def test_two_sided_fill_is_linear_in_time_and_so_is_its_variance():
    h, sigma, source = filled([0, 12, 18, 24], [0.10, NAN, NAN, 0.14], [0.005, NAN, NAN, 0.001])
    np.testing.assert_allclose(h, [0.10, 0.12, 0.13, 0.14], atol=1e-12)
    assert source == [SOURCE_LEADS, SOURCE_TWO_SIDED, SOURCE_TWO_SIDED, SOURCE_LEADS]
    np.testing.assert_allclose(sigma, [0.005, math.sqrt(13e-6), math.sqrt(7e-6), 0.001], atol=1e-15)


def test_beyond_thirty_seconds_or_five_centimetres_only_the_adjacent_section_fills():
    h, sigma, source = filled([0, 9, 15, 24, 31], [0.10, NAN, NAN, NAN, 0.12], [0.002, NAN, NAN, NAN, 0.004])
    assert source == [SOURCE_LEADS, SOURCE_ONE_SIDED, SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_LEADS]
    np.testing.assert_array_equal(h, [0.10, 0.10, NAN, 0.12, 0.12])
    np.testing.assert_array_equal(sigma, [0.002, 0.002, NAN, 0.004, 0.004])
    h, _, source = filled([0, 2, 5, 7], [0.10, NAN, NAN, 0.16])
    assert source[1:3] == [SOURCE_ONE_SIDED] * 2
    np.testing.assert_allclose(h[1:3], [0.10, 0.16])


def test_a_copy_comes_from_the_next_place_of_the_list_and_not_from_the_nearest_time():
    h, _, source = filled([0, 6, 7, 7.5], [0.10, NAN, NAN, 0.30])
    assert source == [SOURCE_LEADS, SOURCE_ONE_SIDED, SOURCE_ONE_SIDED, SOURCE_LEADS]
    np.testing.assert_array_equal(h, [0.10, 0.10, 0.30, 0.30])
    h, _, source = filled([0, 6, 7, 7.5], [0.10, NAN, NAN, 0.30], pad_sections=None)
    np.testing.assert_array_equal(h, [0.10, 0.30, 0.30, 0.30])


def test_a_single_missing_section_is_interpolated_across_a_larger_step():
    h, sigma, source = filled([0, 1.4, 2.8], [0.0, NAN, 0.4], [0.001, NAN, 0.007])
    assert source[1] == SOURCE_TWO_SIDED and h[1] == pytest.approx(0.2) and sigma[1] == pytest.approx(0.005)
    h, _, source = filled([0, 4, 15], [0.0, NAN, 0.4])
    assert source[1] == SOURCE_ONE_SIDED and h[1] == 0.0


def test_ends_are_padded_within_ten_seconds_and_by_one_section():
    h, sigma, source = filled([0, 9, 10, 20, 21], [NAN, NAN, 0.2, NAN, NAN])
    assert source == [SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_LEADS, SOURCE_ONE_SIDED, SOURCE_NONE]
    np.testing.assert_array_equal(h, [NAN, 0.2, 0.2, 0.2, NAN])
    assert sigma.tolist() == [0.01] * 5
    assert filled([0, 1.5, 12], [NAN, 0.2, NAN])[2] == [SOURCE_ONE_SIDED, SOURCE_LEADS, SOURCE_NONE]
    further = filled([0, 9, 10, 20, 21], [NAN, NAN, 0.2, NAN, NAN], pad_sections=None)[2]
    assert further == [SOURCE_ONE_SIDED, SOURCE_ONE_SIDED, SOURCE_LEADS, SOURCE_ONE_SIDED, SOURCE_NONE]
    assert filled([0, 1], [NAN, NAN])[2] == [SOURCE_NONE] * 2


def test_fills_have_at_least_the_error_asked_for():
    _, sigma, _ = filled([0, 2, 5, 7], [0.10, NAN, NAN, 0.16], [0.01, NAN, NAN, 0.09], fill_sigma_m=0.05)
    np.testing.assert_array_equal(sigma, [0.01, 0.05, 0.09, 0.09])
    _, sigma, _ = filled([0, 2, 6, 8], [0.10, NAN, NAN, 0.10], [0.01, NAN, NAN, 0.09], fill_sigma_m=0.05)
    np.testing.assert_allclose(sigma[1:3], [0.05, math.sqrt(0.25 * 0.01**2 + 0.75 * 0.09**2)], atol=1e-15)


def test_smoother_mean_ends_and_missing_neighbours():
    h = np.array([0.0, 0.3, 0.6, 0.0, NAN, 0.3, 0.0, 0.3])
    np.testing.assert_allclose(ss.smooth(h), [0.0, 0.3, 0.3, 0.0, NAN, 0.3, 0.2, 0.3], atol=1e-12)
    np.testing.assert_array_equal(ss.smooth(np.array([0.1, 0.4])), [0.1, 0.4])


@given(st.lists(st.one_of(st.floats(-0.5, 0.5), st.just(NAN)), min_size=1, max_size=20), st.floats(-0.3, 0.3))
def test_filling_and_smoothing_never_invent_heights_beyond_their_neighbours(h, slope):
    t = np.arange(len(h)) * 1.4
    out, _, source = ss.fill(t, np.array(h), sigma_ref=np.full(len(h), 0.01))
    assert np.array_equal(np.isfinite(out), source != SOURCE_NONE)
    known = np.array(h)[np.isfinite(h)]
    if known.size:
        inside = out[np.isfinite(out)]
        assert inside.min() >= known.min() - 1e-12 and inside.max() <= known.max() + 1e-12
    line = 0.1 + slope * t
    np.testing.assert_allclose(ss.smooth(line), line, atol=1e-9)


def test_nearest_section_by_brute_force():
    rng = np.random.default_rng(3)
    centre = np.sort(rng.uniform(0, 1e5, 9))
    x = rng.uniform(-1e4, 1.1e5, 500)
    np.testing.assert_array_equal(ss.nearest_section(x, centre), np.argmin(np.abs(x[:, None] - centre), axis=1))
    assert ss.nearest_section(x[:2], np.empty(0)).tolist() == [-1, -1]


def test_freeboard_and_its_uncertainty():
    value, uncertainty = ss.freeboard(
        np.array([0.5, -0.2, NAN, 0.3]),
        np.array([0.03, 0.03, 0.03, 0.03]),
        h_ref=np.array([0.1, 0.1, 0.1, NAN]),
        sigma_ref=np.full(4, 0.04),
    )
    np.testing.assert_allclose(value, [0.4, 0.0, NAN, NAN])
    np.testing.assert_allclose(uncertainty, 0.05)


X = np.array([0.0, 2.0, 4.0, 100.0, 102.0, 6000.0])
H = np.array([0.10, 0.00, 0.05, 0.02, 0.06, -0.40])
S = np.full(6, 0.02)


def window(method, **more):
    return ss.window_reference(X, H, sigma=S, centre=np.array([0.0, 90000.0]), method=method, **more)


def test_the_papers_window_methods():
    low, mean, near = window("minimum"), window("mean"), window("nearest")
    assert low.height[0] == 0.0 and low.sigma[0] == 0.02
    assert mean.height[0] == pytest.approx(0.23 / 5) and mean.sigma[0] == pytest.approx(0.02 / math.sqrt(5))
    assert near.height[0] == 0.10, "fewer than ten: the nearest of all"
    for found in (low, mean, near):
        assert np.isnan(found.height[1]) and found.n_leads.tolist() == [5, 0]


def test_nearest_of_the_ten_lowest():
    rng = np.random.default_rng(8)
    x, h = np.sort(rng.uniform(-4000, 4000, 200)), rng.normal(0, 0.05, 200)
    lowest = sorted(range(200), key=lambda i: h[i])[:10]
    expected = h[min(lowest, key=lambda i: abs(x[i] - 100.0))]
    found = ss.window_reference(x, h, sigma=np.full(200, 0.05), centre=np.array([100.0]), method="nearest")
    assert found.height[0] == expected


def test_nasa_windows_go_through_leads_cut_at_gaps():
    found = window("nasa")
    leads = [plain_lead(H[:3].tolist(), S[:3].tolist()), plain_lead(H[3:5].tolist(), S[3:5].tolist())]
    weights = [1 / s**2 for _, s in leads]
    assert found.n_leads[0] == 2
    assert found.height[0] == pytest.approx(
        sum(w * h for w, (h, _) in zip(weights, leads, strict=True)) / sum(weights), abs=1e-12
    )
    empty = ss.window_reference(np.empty(0), np.empty(0), sigma=np.empty(0), centre=np.array([0.0]), method="nasa")
    assert np.isnan(empty.height[0])
    for method in ("minimum", "mean", "nearest"):
        assert np.isnan(
            ss.window_reference(
                np.empty(0), np.empty(0), sigma=np.empty(0), centre=np.array([0.0]), method=method
            ).height[0]
        )


def test_window_refusals():
    with pytest.raises(UsageError, match="no such method; expected one of nasa, minimum, mean, nearest"):
        window("median")
    with pytest.raises(UsageError, match="not in order"):
        ss.window_reference(X[::-1], H, sigma=S, centre=np.array([0.0]), method="mean")


def test_missing_windows_are_linear_between_neighbours_and_never_beyond():
    h = ss.interpolate_windows(np.array([0.0, 5.0, 10.0, 15.0, 20.0]), np.array([NAN, 0.1, NAN, 0.3, NAN]))
    np.testing.assert_allclose(h, [NAN, 0.1, 0.2, 0.3, NAN])
    assert np.isnan(ss.interpolate_windows(np.array([0.0, 5.0]), np.array([NAN, NAN]))).all()


def test_limits_are_nasas():
    """ATL10 release 006, ``ancillary_data/freeboard_estimation``: lb_refsurf, ub_refsurf, ht_thresh2, ht_thresh1,
    ic_thresh1, ic_thresh2, min_land_dist (km), maxgaptime, maxgapht, maxpadtime; the text of beam_refsurf_interp_flag
    ("previous or next adjacent"); refsurf_sd_fill is stored, not applied."""
    limits = ss.Limits()
    assert (limits.height_min_m, limits.height_max_m) == (-0.5, 0.5)
    assert (limits.step_m, limits.step_low_concentration_m) == (0.5, 0.1)
    assert (limits.concentration_min, limits.concentration_low) == (0.5, 0.8)
    assert limits.land_distance_m == 25_000.0
    assert (limits.gap_time_s, limits.gap_height_m, limits.pad_time_s) == (30.0, 0.05, 10.0)
    assert (limits.pad_sections, limits.fill_sigma_m) == (1, 0.0)
    assert ss.N_LOWEST == 10  # the ten lowest: Iqrah et al. (arXiv 2502.02700)
