"""What besides brightness says that leads are water: their height against the ice, and one level."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polynya.physics import leads, water_evidence
from polynya.physics.lead_error import APART_M
from polynya.physics.quality import BITS
from polynya.schema import OPEN_WATER, THICK_ICE, THIN_ICE


def some_leads(x, height, *, length: float = 30.0, error: float = 0.02) -> leads.Leads:
    x = np.asarray(x, np.float64)
    one = np.ones(x.size, np.int64)
    return leads.Leads(
        first=one,
        last=one + 1,
        x=x,
        length=length * np.ones(x.size),
        height=np.asarray(height, np.float64) * np.ones(x.size),
        uncertainty=error * np.ones(x.size),
        n_segments=10 * one,
        n_photons=100 * one,
    )


def assess(lead, contrast, *, centre=(0.0,), **setting) -> water_evidence.Doubt:
    s = len(centre)
    given = {"is_melt": np.zeros(s, bool), "water_share": np.zeros(s), **setting}
    return water_evidence.assess(
        lead,
        np.asarray(centre, np.float64),
        is_candidate=np.ones(lead.x.size, bool),
        contrast=np.asarray(contrast, np.float64) * np.ones(lead.x.size),
        setting=water_evidence.Setting(**given),
    )


def places(n: int, seed: int = 0) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).uniform(-12_000.0, 12_000.0, n))


# ---------------------------------------------------------------------------------------------- contrast


def track(freeboard: float = 0.3, length_m: float = 4000.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, heights and classes of thick ice that is level but for a tenth of it, which is 0.1 m lower."""
    x = np.arange(1.0, length_m, 2.0)
    height = np.where(np.floor(x / 20.0) % 10 == 0, freeboard - 0.1, freeboard)
    return x, height, np.full(x.size, THICK_ICE, np.int8)


def test_contrast_is_against_the_low_ice_and_leaves_the_lead_and_thin_ice_out():
    x, height, kind = track()
    water, thin = np.abs(x - 2000.0) < 15.0, np.abs(x - 2100.0) < 50.0
    height, kind = np.where(water, 0.0, height), np.where(water, OPEN_WATER, kind)
    height, kind = np.where(thin, 0.03, height), np.where(thin, THIN_ICE, kind)
    lead = some_leads([2000.0, 3000.0], [0.0, 0.31])
    found = water_evidence.contrast(lead, x, height, surface_class=kind)
    np.testing.assert_allclose(found, [-0.2, 0.11], atol=0.101)  # the 10 % quantile is 0.2 to 0.3
    assert found[0] < -0.15 and found[1] > 0.0


def test_without_thick_ice_in_five_kilometres_there_is_no_contrast():
    x, height, kind = track()
    lead = some_leads([2000.0], [0.0])
    assert np.isnan(water_evidence.contrast(lead, x, height, surface_class=np.full_like(kind, THIN_ICE))).all()
    assert np.isnan(water_evidence.contrast(lead, x + 9000.0, height, surface_class=kind)).all()
    assert np.isfinite(water_evidence.contrast(lead, x + 5000.0, height, surface_class=kind)).all()


@pytest.mark.parametrize("length", [2.0, 10.0, 30.0])
def test_contrast_is_found_with_segments_of_any_length(length):
    """Means over three segments and more: 30 m segments fill no block of 20 m."""
    x = np.arange(0.5 * length, 4000.0, length)
    kind = np.full(x.size, THICK_ICE, np.int8)
    found = water_evidence.contrast(
        some_leads([2000.0], [0.0]), x, np.full(x.size, 0.3), surface_class=kind, segment_m=length
    )
    np.testing.assert_allclose(found, [-0.3])


def test_swell_is_taken_out_of_the_low_ice():
    """Normal heights with a wave on them: the low quantile sinks by the wave and is put back."""
    rng = np.random.default_rng(0)
    x = np.arange(1.0, 2000.0, 2.0)
    block = np.floor(x / 20.0).astype(int)
    flat = 0.3 + 0.05 * rng.standard_normal(100)[block]
    moved = flat + 0.1 * rng.standard_normal(100)[block]
    kind, lead = np.full(x.size, THICK_ICE, np.int8), some_leads([1000.0], [0.0])
    plain = water_evidence.contrast(lead, x, flat, surface_class=kind)[0]
    wrong = water_evidence.contrast(lead, x, moved, surface_class=kind)[0]
    right = water_evidence.contrast(lead, x, moved, surface_class=kind, swell_rms=np.array([0.1]))[0]
    assert wrong - plain > 0.04 and abs(right - plain) < 0.03


# ------------------------------------------------------------------------------------------------ assess


def test_leads_lower_than_the_ice_are_believed():
    doubt = assess(some_leads(places(12), 0.01 * np.random.default_rng(1).standard_normal(12)), -0.2)
    assert doubt.has_evidence.all() and doubt.is_usable.all() and (doubt.flag == 0).all()
    np.testing.assert_allclose(doubt.common, water_evidence.REFROZEN_M)


@pytest.mark.parametrize("n", [1, 3, 30, 300])
def test_no_number_of_bright_patches_at_the_level_of_the_ice_gives_a_sea_surface(n):
    height = 0.3 + 0.08 * np.random.default_rng(n).standard_normal(n)
    doubt = assess(some_leads(places(n), height), 0.0)
    assert not doubt.has_evidence.any() and not doubt.is_usable.any()
    assert doubt.flag[0] & BITS["leads_only_bright"]


@pytest.mark.parametrize("seed", range(8))
def test_ponds_alone_give_none_though_some_are_lower_than_the_ice(seed):
    """Pond levels follow their floes: one broad population, a third of it lower than the ice around."""
    rng = np.random.default_rng(seed)
    height = 0.25 + 0.09 * rng.standard_normal(40)
    contrast = -0.02 + 0.06 * rng.standard_normal(40) + 0.3 * (height - 0.25)
    doubt = assess(some_leads(places(40, seed), height), contrast)
    assert not doubt.has_evidence.any() or doubt.common[0] >= 0.07


@pytest.mark.parametrize("seed", range(4))
def test_leads_among_ponds_are_told_apart(seed):
    rng = np.random.default_rng(seed)
    height = np.concatenate([0.012 * rng.standard_normal(15), 0.3 + 0.06 * rng.standard_normal(15)])
    contrast = np.repeat([-0.2, 0.0], 15)
    order = rng.permutation(30)
    doubt = assess(some_leads(places(30, seed), height[order]), contrast[order])
    assert doubt.has_evidence.all() and doubt.common[0] < 0.06
    np.testing.assert_array_equal(doubt.is_usable, (order < 15))


def test_all_leads_may_be_frozen_over():
    """Ice of 0.05 to 0.45 m floats a tenth of that above the water: 0.005 to 0.045 m. Two standard uncertainties reach
    where leads of 0.25 to 0.45 m stand on average, 0.035 m."""
    doubt = assess(some_leads(places(12), 0.0), -0.2)
    assert doubt.common[0] == water_evidence.REFROZEN_M and 0.035 <= 2.0 * doubt.common[0] <= 0.045


def test_ponds_of_one_floe_count_as_one():
    """Six low leads within half a kilometre say less than six over the whole stretch."""
    rng = np.random.default_rng(2)
    height = np.concatenate([np.full(6, 0.10), 0.28 + 0.07 * rng.standard_normal(5)])
    contrast = np.repeat([-0.1, 0.0], [6, 5])
    far = np.linspace(-12_000.0, 12_000.0, 5) + 700.0
    found = []
    for x in (np.linspace(0.0, 500.0, 6), np.linspace(-11_000.0, 11_000.0, 6)):
        place = np.concatenate([x, far])
        order = np.argsort(place)
        found.append(assess(some_leads(place[order], height[order]), contrast[order]).common[0])
    assert found[0] > found[1] + 0.01


def test_doubt_is_said():
    """A third of the leads stand 0.15 m above the others, at the level of the ice: σ grows by more than the errors, and
    the bit says so; without them there is neither."""
    x = places(18)
    height = np.where(np.arange(18) % 3 == 0, 0.10, 0.0) + np.linspace(-0.02, 0.02, 18)
    contrast = np.where(np.arange(18) % 3 == 0, 0.0, -0.1)
    doubt = assess(some_leads(x, height), contrast)
    assert doubt.common[0] > 2.0 * water_evidence.REFROZEN_M and doubt.flag[0] & BITS["leads_scatter"]
    assert assess(some_leads(x, height - 0.1 * (contrast == 0.0)), -0.1).flag[0] == 0


def test_one_body_of_water_has_none_to_agree_with():
    lone = assess(some_leads([0.0, 300.0], [0.0, 0.01]), -0.3)
    two = assess(some_leads([0.0, 3000.0], [0.0, 0.01]), -0.3)
    assert lone.has_evidence.all() and two.has_evidence.all() and lone.common[0] > 2.0 * two.common[0]


def test_where_most_leads_are_not_low_the_others_are_doubted():
    """Two levels far apart: nothing else speaks against the low ones, but six in ten leads are no water."""
    height = np.where(np.arange(20) % 5 < 2, 0.0, 0.5)
    many = assess(some_leads(places(20), height), np.where(height == 0.0, -0.3, 0.0))
    fewer = assess(some_leads(places(20), 0.5 - height), np.where(height == 0.5, -0.3, 0.0))
    assert many.has_evidence.all() and many.common[0] > 0.09 > fewer.common[0]


@pytest.mark.parametrize(("n_high", "has_surface"), [(4, True), (6, False)])
def test_leads_that_were_chosen_because_they_are_low_are_no_evidence_among_others(n_high, has_surface):
    x = places(5 + n_high)
    height = np.r_[np.zeros(5), np.full(n_high, 0.3)]
    found = assess(some_leads(x, height), height - 0.2, is_chosen_by_height=True)
    assert found.has_evidence[0] == has_surface
    assert assess(some_leads(x, height), height - 0.2).has_evidence[0]  # a classifier that does not see the height


def common_of(doubt: float) -> float:
    return float(np.hypot(water_evidence.REFROZEN_M, water_evidence.FALSE_HEIGHT_M * np.sqrt(doubt)))


def with_probability(x, water, thick_share: float) -> water_evidence.Doubt:
    """Judge level leads of such probabilities; the rest is thick ice by this share, else thin."""
    water = np.asarray(water)
    probability = np.column_stack([thick_share * (1 - water), (1 - thick_share) * (1 - water), water])
    lead = some_leads(x, 0.0)
    nowhere = {"is_melt": np.zeros(1, bool), "water_share": np.zeros(1)}
    return water_evidence.assess(
        lead,
        np.zeros(1),
        is_candidate=np.ones(lead.x.size, bool),
        contrast=np.full(lead.x.size, -0.2),
        setting=water_evidence.Setting(**nowhere),
        probability=probability,
    )


@pytest.mark.parametrize("thick_share", [0.0, 0.3, 1.0])
def test_middling_leads_may_all_be_ponds(thick_share):
    """The odds against water multiply over bodies of water; only the part that would be thick ice stands high."""
    far, near = [-3000.0, 0.0, 3000.0], [-300.0, 0.0, 300.0]
    three = with_probability(far, [0.6, 0.75, 0.8], thick_share)
    assert three.common[0] == pytest.approx(common_of(thick_share * (4 / 6) * (1 / 3) * (1 / 4)))
    one = with_probability(near, [0.6, 0.75, 0.8], thick_share)  # one body, as probable as its likeliest lead
    assert one.common[0] == pytest.approx(common_of(thick_share / 4))
    sure = with_probability(far, [0.999, 0.999, 0.999], thick_share)
    assert sure.common[0] == pytest.approx(common_of(0.0), rel=1e-4)


def test_even_odds_of_thick_ice_give_no_sea_surface():
    assert not with_probability([0.0, 3000.0], [0.55, 0.56], 1.0).has_evidence[0]
    assert with_probability([0.0, 3000.0], [0.55, 0.56], 0.2).has_evidence[0]


def test_melt_and_ice_concentration_widen_the_error():
    lead = some_leads(places(12), 0.0)
    plain = assess(lead, -0.2)
    melt = assess(lead, -0.2, is_melt=np.array([True]))
    assert melt.has_evidence.all() and melt.common[0] > 2.0 * plain.common[0] and melt.flag[0] == BITS["melt_season"]
    for concentration, is_crowded in ((0.7, False), (0.99, True), (np.nan, False)):
        found = assess(lead, -0.2, water_share=np.array([0.2]), ice_concentration=np.array([concentration]))
        assert ((found.flag[0] & BITS["water_contradicts_ice_concentration"]) > 0) == is_crowded
        assert (found.common[0] > 4.0 * plain.common[0]) == is_crowded


def test_leads_share_a_part_of_the_swell():
    found = assess(some_leads(places(12), 0.0), -0.2, swell_rms=np.array([0.1]))
    assert found.common[0] == pytest.approx(np.hypot(water_evidence.REFROZEN_M, 0.05))


def test_scatter_beyond_errors_is_common_and_a_tilt_is_none():
    rng = np.random.default_rng(5)
    x = places(30)
    tilted = assess(some_leads(x, 3e-6 * x, error=0.01), -0.2)
    assert tilted.flag[0] == 0 and tilted.common[0] == pytest.approx(water_evidence.REFROZEN_M)
    loose = assess(some_leads(x, 0.08 * rng.standard_normal(30), error=0.01), -0.3)
    assert loose.flag[0] == BITS["leads_scatter"] and loose.common[0] > 0.03


def test_one_told_stretch_among_doubted_ones_is_doubted():
    """By chance the ponds of one stretch stand at one low level; the stretches around it say what they are."""
    rng = np.random.default_rng(6)
    centre = np.array([0.0, 30_000.0, 60_000.0])
    x = np.concatenate([c + np.linspace(-12e3, 12e3, 12) for c in centre])
    is_middle = np.abs(x - 30_000.0) < 13_000.0
    height = np.where(is_middle, 0.1, 0.25 + 0.09 * rng.standard_normal(x.size))
    contrast = np.where(is_middle, -0.08, 0.0)
    assert not assess(some_leads(x, height), contrast, centre=centre).has_evidence.any()
    alone = some_leads(x[is_middle], height[is_middle])
    assert assess(alone, contrast[is_middle], centre=centre[1:2]).has_evidence.all()


def test_sections_without_leads_are_not_doubted():
    doubt = assess(some_leads([], []), [], centre=(0.0, 5000.0))
    assert doubt.has_evidence.all() and (doubt.flag == 0).all() and doubt.is_usable.size == 0


@pytest.mark.parametrize(
    ("when", "latitude", "sun", "is_melt"),
    [
        ("2020-06-15", 80.0, 20.0, True),
        ("2020-06-15", 80.0, 14.0, False),
        ("2020-04-30", 80.0, 20.0, False),
        ("2020-09-30", 80.0, 20.0, True),
        ("2020-10-01", 80.0, 20.0, False),
        ("2020-06-15", -70.0, 20.0, False),
        ("2019-12-01", -70.0, 20.0, True),
        ("2020-01-31", -70.0, 20.0, True),
        ("2019-11-30", -70.0, 30.0, False),
    ],
)
def test_melt_season(when, latitude, sun, is_melt):
    found = water_evidence.is_melt_season(
        np.array([when], "datetime64[ns]"), latitude=np.array([latitude]), solar_elevation=np.array([sun])
    )
    assert found[0] == is_melt


# ------------------------------------------------------------------------------- the same, lead by lead and plainly


def plain_contrast(lead, place, level, swell_rms) -> np.ndarray:
    out = np.full(lead.x.size, np.nan)
    for k, half in enumerate(0.5 * lead.length):
        for reach in (water_evidence.AROUND_M, water_evidence.FAR_M):
            away = np.abs(place - lead.x[k])
            beside = level[(away > half + water_evidence.BESIDE_M) & (away <= half + reach)]
            if beside.size >= water_evidence.LEAST_BLOCKS:
                middle, low = np.quantile(beside, (0.5, water_evidence.LOW_QUANTILE))
                swell = 1.2816 * swell_rms[k]
                out[k] = lead.height[k] - (middle - np.sqrt(max((middle - low) ** 2 - swell**2, 0.0)))
                break
    return out


def many_leads(m: int, rng: np.random.Generator) -> leads.Leads:
    height = np.where(rng.random(m) < 0.5, 0.01 * rng.standard_normal(m), 0.25 + 0.09 * rng.standard_normal(m))
    x = np.sort(np.concatenate([rng.uniform(0.0, 2e5, m // 2), rng.uniform(9e4, 9.5e4, m - m // 2)]))
    found = some_leads(x, height)
    length = np.where(rng.random(m) < 0.1, rng.uniform(8.0, 3000.0, m), 20.0)
    return dataclasses.replace(found, length=length, uncertainty=rng.uniform(0.01, 0.03, m))


@pytest.mark.parametrize("m", [0, 1, 700])
def test_contrast_of_many_leads_is_that_of_each(m):
    """Quantiles of a table of sorted rows are those of ``numpy.quantile`` lead by lead, but for the last digit of a
    square."""
    rng = np.random.default_rng(m)
    lead = many_leads(m, rng)
    place = np.flatnonzero(np.sin(np.arange(10_000) / 400.0) > -0.4) * 20.0 + 10.0
    level = 0.3 + 0.1 * rng.standard_normal(place.size)
    x = (place[:, None] + np.array([-4.0, -2.0, 0.0, 2.0, 4.0])).ravel()
    swell_rms = np.where(rng.random(m) < 0.5, 0.0, 0.1 * rng.random(m))
    found = water_evidence.contrast(
        lead, x, np.repeat(level, 5), surface_class=np.full(x.size, THICK_ICE, np.int8), swell_rms=swell_rms
    )
    level = np.add.reduce(np.repeat(level, 5).reshape(-1, 5), axis=1) / 5.0
    np.testing.assert_allclose(found, plain_contrast(lead, place, level, swell_rms), rtol=0.0, atol=1e-15)
    assert m < 2 or 0.05 < np.isnan(found).mean() < 0.5


def plain_scatter(x, height, error) -> float:
    if x.size < 5:
        return 0.0
    away = x - np.mean(x)
    tilt = np.clip(np.sum(away * height) / np.sum(away**2), -water_evidence.MOST_TILT, water_evidence.MOST_TILT)
    level = height - tilt * away
    spread = 1.4826 * np.median(np.abs(level - np.median(level)))
    return float(np.sqrt(max(spread**2 - np.median(error) ** 2, 0.0)))


@pytest.mark.parametrize("m", [0, 1, 12, 700])
def test_sections_are_judged_by_the_leads_around_each(m):
    """Every section against leads chosen by masks, medians by ``numpy.median``: the same scatter and bits where all
    leads are low."""
    rng = np.random.default_rng(m)
    lead = many_leads(m, rng)
    is_candidate, centre = rng.random(m) < 0.7, np.arange(0.0, 2.05e5, 5000.0)
    scatter, doubt, is_seen = np.zeros(centre.size), np.zeros(centre.size), np.zeros(centre.size, bool)
    for k, c in enumerate(centre):
        away = np.abs(lead.x - c)
        rows = np.flatnonzero(is_candidate & (away <= water_evidence.NEAR_M))
        if rows.size < water_evidence.ENOUGH:
            rows = np.flatnonzero(is_candidate & (away <= water_evidence.REACH_M))
        is_seen[k] = rows.size > 0
        scatter[k] = plain_scatter(lead.x[rows], lead.height[rows], lead.uncertainty[rows])
        if rows.size and np.ptp(lead.x[rows]) <= APART_M:
            doubt[k] = water_evidence.LONE_DOUBT
    near = np.array(
        [
            doubt[at & is_seen].sum() / max((at & is_seen).sum(), 1)
            for at in (np.abs(centre - c) <= water_evidence.SMOOTH_M for c in centre)
        ]
    )
    found = water_evidence.assess(
        lead,
        centre,
        is_candidate=is_candidate,
        contrast=np.full(m, -0.3),
        setting=water_evidence.Setting(is_melt=np.zeros(centre.size, bool), water_share=np.zeros(centre.size)),
    )
    common = np.sqrt(
        water_evidence.REFROZEN_M**2
        + (water_evidence.SCATTER_SHARE * scatter) ** 2
        + near * water_evidence.FALSE_HEIGHT_M**2
    )
    np.testing.assert_allclose(found.common, common, rtol=1e-15, atol=1e-16)
    is_loose = (scatter > water_evidence.SCATTER_M) | (near > water_evidence.SAID_DOUBT)
    np.testing.assert_array_equal(found.flag, np.where(is_loose, BITS["leads_scatter"], 0))
    assert m < 12 or is_loose.any()
