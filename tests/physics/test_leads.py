"""Leads and sections: joined as told, unbiased where NASA's estimator leans low, with errors that hold."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import leads, sea_surface
from polynya.physics.leads import LeadRule


def found(x, water, *, height=None, sigma=0.05, n=10, cell=2.0, rule=None):
    x = np.asarray(x, float)
    height = np.zeros(x.size) if height is None else np.asarray(height, float)
    return leads.find_leads(
        x,
        height,
        uncertainty=np.full(x.size, sigma),
        n_photons=np.full(x.size, n),
        is_water=np.asarray(water, bool),
        cell_m=cell,
        rule=rule,
    )


def lead_list(x, height, uncertainty) -> leads.Leads:
    x, height = np.asarray(x, float), np.asarray(height, float)
    m = x.size
    one = np.ones(m, np.int64)
    return leads.Leads(
        first=np.arange(m),
        last=np.arange(m) + 1,
        x=x,
        length=np.full(m, 20.0),
        height=height,
        uncertainty=np.broadcast_to(np.asarray(uncertainty, float), m),
        n_segments=one,
        n_photons=one,
    )


def test_runs_of_water_are_leads():
    x = 1.0 + 2.0 * np.arange(100)
    water = np.zeros(100, bool)
    water[10:20] = water[50:70] = True
    lead = found(x, water)
    assert lead.first.tolist() == [10, 50] and lead.last.tolist() == [20, 70]
    assert lead.length.tolist() == [20.0, 40.0] and lead.x.tolist() == [30.0, 120.0]
    assert lead.n_segments.tolist() == [10, 20] and lead.n_photons.tolist() == [100, 200]


def test_short_runs_are_left_out_and_exact_ones_kept():
    x = 1.0 + 2.0 * np.arange(40)
    water = np.zeros(40, bool)
    water[5:8] = True  # 6 m
    water[20:24] = True  # 8 m
    assert found(x, water).first.tolist() == [20]
    assert found(x, water, rule=LeadRule(min_length_m=5.0)).first.tolist() == [5, 20]
    assert found(x, np.zeros(40, bool)).x.size == 0


def test_a_few_photons_make_no_lead():
    x, water = 1.0 + 2.0 * np.arange(10), np.ones(10)
    least = LeadRule().min_photons
    assert found(x, water, n=least / 10).x.size == 1 and found(x, water, n=(least - 1) / 10).x.size == 0


def test_one_missing_cell_is_bridged_two_are_not():
    x = 1.0 + 2.0 * np.arange(30)
    for missing, pieces in ((1, 1), (2, 2), (3, 2)):
        keep = np.ones(30, bool)
        keep[15 : 15 + missing] = False
        assert found(x[keep], np.ones(keep.sum())).x.size == pieces, missing
        # the same where the cells are there, but are not water
        assert found(x, keep).x.size == pieces, missing
    assert found(np.append(x, 400.0 + x), np.ones(60)).x.size == 2  # never across a gap


def test_a_bridged_lead_counts_its_water_only():
    keep = np.ones(20, bool)
    keep[9] = False
    lead = found(1.0 + 2.0 * np.arange(20), keep)
    assert lead.n_segments.tolist() == [19] and lead.length.tolist() == [40.0]


@pytest.mark.parametrize("cell", [2.0, 10.0, 30.0])
def test_cells_of_any_length_join(cell):
    x = cell * (0.5 + np.arange(20))
    water = np.zeros(20, bool)
    water[3:9] = True
    lead = found(x, water, cell=cell)
    assert lead.length.tolist() == [6 * cell] and lead.n_segments.tolist() == [6]


def test_edges_are_left_out():
    """Half a footprint at either end sees ice: 4 m, or 30 % of a short lead."""
    x = 1.0 + 2.0 * np.arange(20)
    height = np.zeros(20)
    height[[0, 1, -2, -1]] = 5.0
    assert found(x, np.ones(20), height=height).height.tolist() == [0.0]
    height[[2, -3]] = 5.0
    assert found(x, np.ones(20), height=height).height[0] > 0.1
    short = np.array([5.0, 0.0, 0.0, 5.0])
    assert found(x[:4], np.ones(4), height=short).height.tolist() == [0.0]  # 2.4 m of 8 m


def test_height_is_the_inverse_variance_mean():
    x = 1.0 + 2.0 * np.arange(12)
    rng = np.random.default_rng(0)
    height, sigma = rng.normal(0, 0.05, 12), rng.uniform(0.02, 0.1, 12)
    lead = leads.find_leads(x, height, uncertainty=sigma, n_photons=np.full(12, 9), is_water=np.ones(12, bool))
    h, w = height[2:-2], sigma[2:-2] ** -2.0
    assert lead.height[0] == pytest.approx(np.sum(w * h) / np.sum(w))
    assert lead.uncertainty[0] == pytest.approx(np.hypot(np.sum(w) ** -0.5, LeadRule().floor_m))


def test_missing_heights_and_errors_are_not_water():
    x = 1.0 + 2.0 * np.arange(20)
    height, sigma = np.zeros(20), np.full(20, 0.05)
    height[4], sigma[5], sigma[16] = np.nan, np.nan, 0.0
    lead = leads.find_leads(x, height, uncertainty=sigma, n_photons=np.full(20, 9), is_water=np.ones(20, bool))
    assert np.isfinite(lead.height).all() and lead.n_segments.sum() == 17


@pytest.mark.parametrize("sigma", [0.05, 0.09])
def test_unbiased_where_nasas_weights_lean_low(sigma):
    """The same 3000 leads of forty 2 m segments at height 0, noise alone. Of forty normal numbers the lowest is 2.16 σ
    low on average."""
    rng = np.random.default_rng(1)
    m, size = 3000, 40
    gap = 10
    x = 1.0 + 2.0 * np.arange(m * (size + gap))
    water = (np.arange(x.size) % (size + gap)) < size
    height = rng.normal(0.0, sigma, x.size)
    lead = found(x, water, height=height, sigma=sigma)
    assert lead.x.size == m
    first, count = sea_surface.lead_runs(water)
    theirs, formal = sea_surface.lead_heights(height, np.full(x.size, sigma), first=first, count=count)
    assert abs(lead.height.mean()) < 4 * sigma / np.sqrt(m * (size - 4)) + 1e-6
    assert -2.16 * sigma < theirs.mean() < -1.0 * sigma
    floor = LeadRule().floor_m
    assert np.sqrt(lead.uncertainty**2 - floor**2) == pytest.approx(lead.height.std(), rel=0.05)
    assert np.mean(np.abs(theirs) <= formal) < 0.4  # and its formal error is too small


def test_mean_over_leaves_nan_out():
    lead = found(1.0 + 2.0 * np.arange(20), np.ones(20))
    values = np.arange(20.0)
    values[3] = np.nan
    assert leads.mean_over(lead, values)[0] == pytest.approx((190 - 3) / 19)
    assert np.isnan(leads.mean_over(lead, np.full(20, np.nan))[0])


def test_screen_drops_a_low_floe():
    x = 2000.0 * np.arange(20)
    height = 0.01 * np.sin(x / 20_000.0)
    height[7] += 0.15
    assert leads.screen_leads(lead_list(x, height, 0.02)).tolist() == [k != 7 for k in range(20)]
    low = 0.01 * np.sin(x / 20_000.0)
    low[7] -= 0.3
    assert leads.screen_leads(lead_list(x, low, 0.02)).all()  # ice is never too low
    assert leads.screen_leads(lead_list(x, height, 0.08)).all()  # an uncertain lead is given its errors
    far = lead_list([0.0, 100_000.0], [0.0, 0.3], 0.02)
    assert leads.screen_leads(far).all()  # a hundred kilometres on the sea may stand 0.3 m higher
    assert leads.screen_leads(lead_list([], [], 0.02)).size == 0


def test_screen_allows_a_tilted_sea_surface():
    """5 cm in 10 km all along 40 km is more than the sea usually tilts, and no floe."""
    x = 2000.0 * np.arange(21)
    lead = lead_list(x, 5e-6 * x, 0.02)
    assert leads.screen_leads(lead).all()
    assert not leads.screen_leads(lead, rule=LeadRule(level_tilt=0.0)).all()


def test_combine_is_the_weighted_mean_of_good_leads():
    rng = np.random.default_rng(2)
    h, s = rng.normal(0.0, 0.005, 9), rng.uniform(0.015, 0.05, 9)
    x = np.linspace(500.0, 9500.0, 9)
    height, sigma, n, used = leads.combine(lead_list(x, h, s), np.array([5000.0]))
    w = 1.0 / (s**2 + LeadRule().scatter_m ** 2)
    assert height[0] == pytest.approx(np.sum(w * h) / np.sum(w)) and n.tolist() == [9] and used.all()
    assert sigma[0] == pytest.approx(np.sqrt(1.0 / np.sum(w) + LeadRule().section_floor_m ** 2))


def test_combine_rejects_ice_above_and_takes_only_its_window():
    x = np.array([1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 14_000.0])
    h = np.array([0.0, 0.01, 0.25, -0.01, 0.0, 0.5])
    lead = lead_list(x, h, 0.02)
    height, _, n, used = leads.combine(lead, np.array([3000.0, 14_000.0, 40_000.0]))
    assert abs(height[0]) < 0.005 and n.tolist() == [4, 1, 0]
    assert height[1] == pytest.approx(0.5) and np.isnan(height[2])
    assert used.tolist() == [True, True, False, True, True, True]
    deep = lead_list(x[:5], -h[:5], 0.02)  # a lead far below the others is no water either: noise, or a wrong height
    level, _, n, used = leads.combine(deep, np.array([3000.0]))
    assert abs(level[0]) < 0.005 and n.tolist() == [4] and not used[2]
    fit = np.array([False] * 5 + [True])
    assert leads.combine(lead, np.array([3000.0]), is_usable=fit)[2].tolist() == [0]


def test_combine_section_errors_hold():
    """Sections of one to eight leads that scatter by 15 mm about the level and by their own errors."""
    rng = np.random.default_rng(3)
    inside, bias = [], []
    for k in range(3000):
        n = 1 + k % 8
        s = rng.uniform(0.015, 0.05, n)
        h = rng.normal(0.0, np.hypot(s, 0.015))
        height, sigma, _, _ = leads.combine(lead_list(np.sort(rng.uniform(0, 1e4, n)), h, s), np.array([5000.0]))
        inside.append(np.abs(height[0]) <= sigma[0] * np.array([1, 2]))
        bias.append(height[0])
    one, two = np.mean(inside, axis=0)
    assert 0.63 < one < 0.80 and 0.92 < two < 0.99
    assert abs(np.mean(bias)) < 0.004


def test_combine_stays_near_the_water_with_a_third_of_false_leads():
    rng = np.random.default_rng(4)
    error = []
    for _ in range(500):
        h = rng.normal(0.0, 0.02, 12)
        h[:4] += rng.uniform(0.1, 0.3, 4)
        order = rng.permutation(12)
        error.append(leads.combine(lead_list(np.linspace(0, 1e4, 12), h[order], 0.02), np.array([5000.0]))[0][0])
    assert abs(np.mean(error)) < 0.01 and np.std(error) < 0.015


def test_section_centres_only_near_data():
    x = np.concatenate([np.arange(1000.0, 13_000.0, 2.0), np.arange(401_000.0, 404_000.0, 2.0)])
    assert leads.section_centres(x, step_m=5000.0).tolist() == [0.0, 5000.0, 10_000.0, 15_000.0, 400_000.0, 405_000.0]
    assert leads.section_centres(np.array([-1.0]), step_m=5000.0).tolist() == [-5000.0, 0.0]


def test_water_level_is_linear_held_and_less_sure_far_away():
    centres = np.array([0.0, 5000.0, 10_000.0, 15_000.0])
    height, sigma = np.array([0.0, np.nan, 0.2, 0.2]), np.array([0.01, np.nan, 0.01, 0.03])
    level, error = leads.water_level(
        np.array([-90_000.0, 0.0, 2500.0, 5000.0, 10_000.0, 12_500.0]), centres, height=height, uncertainty=sigma
    )
    np.testing.assert_allclose(level, [0.0, 0.0, 0.05, 0.1, 0.2, 0.2])
    np.testing.assert_allclose(error[[1, 4, 5]], np.hypot([0.01, 0.01, 0.02], 0.02))
    assert error[0] == pytest.approx(np.hypot(0.01, 0.02 + 0.085))
    for part in leads.water_level(centres, centres, height=np.full(4, np.nan), uncertainty=np.full(4, np.nan)):
        assert np.isnan(part).all()


def test_weighted_quantile():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    assert [leads.weighted_quantile(values, weights, q) for q in (0.0, 0.2, 0.25, 0.5, 0.75, 0.8, 1.0)] == [
        1.0,
        1.0,
        1.0,
        2.0,
        2.0,
        3.0,
        3.0,
    ]


def test_a_lone_lead_far_above_the_lowest_surfaces_is_no_water():
    """Nothing floats below the water: a ceiling judges a lead that has no neighbour to compare with."""
    lone = leads.Leads(
        **{
            n: np.array([v])
            for n, v in (
                ("first", 0),
                ("last", 8),
                ("x", 5000.0),
                ("length", 16.0),
                ("height", 0.28),
                ("uncertainty", 0.02),
                ("n_segments", 8),
                ("n_photons", 60),
            )
        }
    )
    assert leads.screen_leads(lone).tolist() == [True]
    assert leads.screen_leads(lone, ceiling=np.array([0.15])).tolist() == [False]
    assert leads.screen_leads(lone, ceiling=np.array([0.30])).tolist() == [True]
    assert leads.screen_leads(lone, ceiling=np.array([np.nan])).tolist() == [True]


def test_leads_that_scatter_more_than_their_errors_widen_the_section():
    """Two leads, each 0.95 of an error from their mean: their sample variance is 2 x 0.95² = 1.8 times what their
    errors allow, and the variance of their mean is as much larger than 1 / sum of weights."""
    own, apart = 0.02, 0.95
    variance = own**2 + LeadRule().scatter_m ** 2
    lead = lead_list([2000.0, 8000.0], apart * np.sqrt(variance) * np.array([1.0, -1.0]), own)
    height, sigma, count, _ = leads.combine(lead, np.array([5000.0]))
    assert count.tolist() == [2] and height[0] == pytest.approx(0.0, abs=1e-12)
    assert sigma[0] == pytest.approx(np.sqrt(variance / 2 * 2 * apart**2 + LeadRule().section_floor_m ** 2))


def test_numbers_of_the_rule():
    """Sections of 10 km every 5 km: Iqrah et al. (arXiv 2502.02700). A tilt of three times 2 cm per 10 km: Kwok and
    Morison (2016, doi:10.1002/2015JC011357). The others are ours, as docs/freeboard.md gives them."""
    rule = LeadRule()
    assert (rule.section_length_m, rule.section_step_m, rule.level_tilt) == (10_000.0, 5_000.0, 6e-6)
    assert (rule.join_m, rule.min_length_m, rule.min_photons, rule.edge_m) == (5.0, 8.0, 15, 4.0)
    assert (rule.floor_m, rule.scatter_m, rule.section_floor_m) == (0.015, 0.015, 0.012)
    assert rule.section_floor_with_lead_error_m == 0.011
    assert (rule.quantile, rule.reject_above, rule.reject_below) == (0.35, 2.0, 3.0)
    assert (rule.level_window_m, rule.level_quantile, rule.level_tolerance_m) == (30_000.0, 0.3, 0.05)


def test_no_number_of_photons_makes_a_lead_surer_than_its_floor():
    """A metre of error over a million segments leaves 1 mm of noise; footprint edges and waves leave 15 mm."""
    lead = found(1.0 + 2.0 * np.arange(400), np.ones(400), sigma=1e-4)
    assert lead.uncertainty[0] == pytest.approx(0.015, rel=1e-4)


@pytest.mark.parametrize(("away_m", "above_m", "is_kept"), [(100, 0.088, True), (100, 0.092, False), (31e3, 0.5, True)])
def test_a_lead_above_the_level_around_it_is_left_out(away_m, above_m, is_kept):
    """Five leads at the level; another stands above it by more than 5 cm and two of its errors of 2 cm, or lies more
    than 30 km from them."""
    x = np.append(np.linspace(0.0, 40.0, 5), 40.0 + away_m)
    lead = lead_list(x, np.append(np.zeros(5), above_m), 0.02)
    assert leads.screen_leads(lead).tolist() == [True] * 5 + [is_kept]


def test_the_sea_surface_may_tilt_by_6_mm_a_kilometre():
    """Twenty kilometres from the others 12 cm of tilt are allowed beside 5 cm and two errors."""
    x = np.append(np.linspace(0.0, 40.0, 5), 20_040.0)
    for above_m, is_kept in ((0.20, True), (0.22, False)):
        lead = lead_list(x, np.append(np.zeros(5), above_m), 0.02)
        assert leads.screen_leads(lead)[-1] == is_kept


@pytest.mark.parametrize(("errors", "n"), [(1.9, 6), (2.1, 5), (-2.9, 6), (-3.1, 5)])
def test_ice_is_rejected_above_two_errors_and_noise_below_three(errors, n):
    """Five leads at 0 and a sixth, weighted by a thousandth, which moves the level by nothing."""
    sigma = np.append(np.full(5, 1e-3), 1.0)
    lead = lead_list(np.linspace(1e3, 9e3, 6), np.append(np.zeros(5), errors * np.hypot(1.0, 0.015)), sigma)
    assert leads.combine(lead, np.array([5000.0]))[2].tolist() == [n]


def test_two_sets_of_bodies_stand_in_the_order_of_the_track():
    one = leads.with_swell(lead_list([100.0, 300.0], [0.0, 0.1], 0.02), np.array([0.03, 0.04]))
    both = leads.joined(one, lead_list([200.0], [0.5], 0.01))
    assert both.x.tolist() == [100.0, 200.0, 300.0] and both.height.tolist() == [0.0, 0.5, 0.1]
    assert both.swell.tolist() == [0.03, 0.0, 0.04] and both.uncertainty[1] == 0.01
    assert leads.joined(one, lead_list([], [], 0.01)).x.tolist() == one.x.tolist()
