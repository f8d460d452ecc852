"""The ice on the plane: what a track cuts from it has the statistics of a track, and curves are where they were
drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.schema import OPEN_WATER, THICK_ICE, THIN_ICE
from polynya.simulate.sea_ice import ice_map, patches, presets, profile
from polynya.simulate.sea_ice.presets import LEAD_WIDTHS, MAP
from polynya.simulate.sea_ice.surfaces import Surfaces, closed, with_surfaces


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def straight(
    *, x: float, y: float, slope: float, width: float, reach: float, water_share: float = 1.0
) -> ice_map.LeadCurves:
    """Return one straight lead ``along = x + slope * (across - y)``."""
    n = round(reach / ice_map.KNOT) + 1
    d = (np.arange(n) - (n - 1) / 2.0) * ice_map.KNOT
    one = np.ones(1)
    leads = profile.Leads(
        centre=x * one,
        width=width * one,
        water_share=water_share * one,
        kind=np.array([2], np.int8),
        water_rate=one,
        wave=0.0 * one,
        thickness=0.1 * one,
        snow=0.0 * one,
        is_bright=one < 0,
        ice_rate=np.nan * one,
        split=0.5 * one,
        offset=0.0 * one,
    )
    return ice_map.LeadCurves(
        leads=leads,
        first=np.array([0]),
        count=np.array([n]),
        begin=np.array([y + d[0]]),
        along=x + slope * d,
        width=np.full(n, width),
        split=np.full(n, 0.5),
    )


@pytest.fixture(scope="module")
def cuts() -> dict[str, list]:
    """Cuts of 60 km along two lines 6.7 km apart from 24 maps, with the field under each."""
    out: dict[str, list] = {"leads": [], "fields": [], "cuts": [], "parameters": []}
    for seed in range(24):
        parameters = profile.draw_parameters("winter", rng(seed))
        cover = ice_map.draw_map(parameters, rng(seed, 1), along=(-2000.0, 62000.0), across=(-4000.0, 4000.0))
        for line in (-3345.0, 3345.0):
            leads, cut = ice_map.cut(cover, rng(seed, 2), across=line, begin=0.0, length=60000.0)
            out["leads"].append(leads)
            out["cuts"].append(cut)
            out["parameters"].append(parameters)
            out["fields"].append(profile.ice_field(parameters, leads, rng(seed, 3), length=60000.0, cut=cut))
    return out


def test_class_shares_along_a_track_are_those_without_a_map(cuts):
    shares = np.array(
        [[np.mean(f.surface_class == c) for c in (THICK_ICE, THIN_ICE, OPEN_WATER)] for f in cuts["fields"]]
    )
    assert shares.mean(axis=0) == pytest.approx([0.922, 0.056, 0.022], abs=0.02)


def test_widths_along_a_track_keep_the_power_law(cuts):
    """Of the leads wider than 40 m the share wider than 120 m is that of the power law, within 15 %."""
    width = np.concatenate([leads.width for leads in cuts["leads"]])
    _, most, exponent = LEAD_WIDTHS
    a = 1.0 - exponent
    expected = (120.0**a - most**a) / (40.0**a - most**a)
    assert np.sum(width > 120.0) / np.sum(width > 40.0) == pytest.approx(expected, rel=0.15)
    assert np.median(width) == pytest.approx(22.4, abs=3.0)  # (0.5 (14^a + 2500^a))^(1/a) is 22.4 m


def test_a_track_crosses_the_asked_number_of_ridges(cuts):
    found = np.array([np.sum((c.ridge_centre >= 0) & (c.ridge_centre < 60000.0)) for c in cuts["cuts"]]) / 60.0
    asked = np.array([p.ridges_per_km for p in cuts["parameters"]])
    assert np.mean(found / asked) == pytest.approx(1.0, abs=0.08)
    assert np.concatenate([c.ridge_sail for c in cuts["cuts"]]).min() >= 0.4


def test_floes_along_a_track_are_hundreds_of_metres_and_wide_apart_in_size(cuts):
    chords = np.concatenate([np.diff(np.flatnonzero(np.diff(c.level))) * profile.STEP for c in cuts["cuts"]])
    assert 400.0 < chords.mean() < 900.0
    assert np.quantile(chords, 0.95) / np.quantile(chords, 0.25) > 5.0


def test_a_straight_lead_is_crossed_where_geometry_says():
    curves = straight(x=5000.0, y=200.0, slope=0.75, width=60.0, reach=6000.0)
    for across in (-2500.0, 0.0, 1234.5):
        at, along, width, _ = curves.crossings(across)
        assert at.tolist() == [0]
        assert along[0] == pytest.approx(5000.0 + 0.75 * (across - 200.0), abs=1e-6)
        assert width[0] == pytest.approx(60.0)
    assert curves.crossings(3300.0)[0].size == 0  # beyond its tip


def test_both_beams_of_a_pair_cross_the_same_leads():
    parameters = profile.draw_parameters("summer", rng(4))
    cover = ice_map.draw_map(parameters, rng(4, 1), along=(0.0, 30000.0), across=(-4000.0, 4000.0))
    left, right = (cover.curves.crossings(a) for a in (45.0, -45.0))
    both = np.intersect1d(left[0], right[0])
    assert both.size > 0.85 * max(left[0].size, right[0].size)
    moved = dict(zip(left[0], left[1], strict=True))
    shift = np.array([moved[i] - x for i, x in zip(right[0], right[1], strict=True) if i in moved])
    assert np.abs(shift).max() < 90.0 * np.tan(np.radians(MAP.lead_bearing)) * 2.0
    assert np.abs(shift).mean() > 10.0


def test_a_patch_is_cut_along_its_chord():
    parameters = profile.draw_parameters("summer", rng(5))
    cover = ice_map.draw_map(parameters, rng(5, 1), along=(0.0, 4000.0), across=(-500.0, 500.0))
    one = np.ones(1)
    disc = patches.Patches(
        start=1000.0 * one,
        across=30.0 * one,
        length=50.0 * one,
        kind=np.array([patches.DARK_POND], np.int8),
        level=0.5 * one,
        rate=0.2 * one,
    )
    _, cut = ice_map.cut(replace(cover, patches=disc), rng(6), across=15.0, begin=400.0, length=2000.0)
    assert cut.patches.length.tolist() == pytest.approx([40.0])  # 2 sqrt(25^2 - 15^2)
    assert cut.patches.start.tolist() == pytest.approx([580.0])
    assert cut.patches.kind.tolist() == [patches.DARK_POND]
    beside = ice_map.cut(replace(cover, patches=disc), rng(6), across=60.0, begin=400.0, length=2000.0)[1]
    assert beside.patches.length.size == 0


def test_a_closed_cover_has_no_lead_and_no_patch():
    drawn = profile.draw_parameters("summer", rng(7))
    parameters = with_surfaces(drawn, closed(Surfaces()))
    cover = ice_map.draw_map(parameters, rng(7, 1), along=(0.0, 20000.0), across=(-4000.0, 4000.0))
    leads, cut = ice_map.cut(cover, rng(8), across=0.0, begin=0.0, length=20000.0)
    field = profile.ice_field(parameters, leads, rng(9), length=20000.0, cut=cut)
    assert np.all(field.surface_class == THICK_ICE)
    assert drawn.melt_patches_per_km > 0.0 and cut.patches.length.size == 0


def test_published_numbers():
    """Widths of leads: power law of exponent 2.47 (Wernecke and Kaleschke 2015); chords of floes 1.9 (Rothrock and
    Thorndike 1984); drift to 550 m and 8 to 80 minutes between the passes (Iqrah et al., arXiv 2502.02700)."""
    assert LEAD_WIDTHS == (14.0, 2500.0, 2.47) and presets.FLOE_CHORDS == (120.0, 10_000.0, 1.9)
    assert presets.DRIFT == (0.0, 550.0) and presets.MINUTES == (8.0, 80.0)
