"""The ice cover: distributions against closed forms, shares and traps as promised."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.schema import OPEN_WATER, THICK_ICE, THIN_ICE
from polynya.simulate.sea_ice import profile, random_fields


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def fields() -> dict[str, list[profile.IceField]]:
    out: dict[str, list[profile.IceField]] = {}
    for season in ("winter", "summer"):
        out[season] = []
        for seed in range(30):
            parameters = profile.draw_parameters(season, rng(seed))
            leads = profile.draw_leads(parameters, rng(1000 + seed), length=60000.0)
            out[season].append(profile.ice_field(parameters, leads, rng(2000 + seed), length=60000.0))
    return out


def test_power_law_has_its_median():
    drawn = random_fields.power_law(rng(0), 200000, low=14.0, high=2500.0, exponent=2.47)
    a = -1.47
    median = (0.5 * (14.0**a + 2500.0**a)) ** (1.0 / a)
    assert np.median(drawn) == pytest.approx(median, rel=0.01)
    assert drawn.min() >= 14.0 and drawn.max() <= 2500.0


def test_red_noise_has_unit_variance_and_forgets():
    field = random_fields.red_noise(400000, 20, rng(1))
    assert field.std() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(field[:-5], field[5:])[0, 1] > 0.6
    assert abs(np.corrcoef(field[:-60], field[60:])[0, 1]) < 0.05


def test_smooth_field_has_its_rms_and_no_short_wave():
    field = random_fields.smooth_field(rng(2), offset=(0.0, 0.0), slope=0.0, rms=0.05, wavelengths=(3e4, 2.5e5))
    x = np.arange(0.0, 5e7, 500.0)
    assert field(x).std() == pytest.approx(0.05, rel=0.05)
    assert np.abs(np.diff(field(x))).max() / 500.0 < 2.0 * np.pi / 3e4 * 0.05 * 3.0


@pytest.mark.parametrize("season", ["winter", "summer"])
def test_class_shares(fields, season):
    shares = np.array(
        [[np.mean(f.surface_class == c) for c in (THICK_ICE, THIN_ICE, OPEN_WATER)] for f in fields[season]]
    )
    mean = shares.mean(axis=0)
    assert mean[0] == pytest.approx(0.92, abs=0.025)
    assert mean[1] == pytest.approx(0.055, abs=0.02)
    assert mean[2] == pytest.approx(0.025, abs=0.012)
    assert shares[:, 2].std() > 0.004  # granules differ
    assert np.all(np.abs(shares.sum(axis=1) - 1.0) < 1e-9)


def test_summer_has_more_of_its_leads_open(fields):
    def open_share(season: str) -> float:
        water = sum(np.sum(f.surface_class == OPEN_WATER) for f in fields[season])
        return water / (water + sum(np.sum(f.surface_class == THIN_ICE) for f in fields[season]))

    assert open_share("summer") > open_share("winter")


def test_some_ten_kilometres_hold_no_water(fields):
    has = [np.any(f.surface_class.reshape(6, -1) == OPEN_WATER, axis=1) for f in fields["winter"]]
    share = np.mean(has)
    assert 0.5 < share < 0.995


@pytest.mark.parametrize("season", ["winter", "summer"])
def test_heights_by_class(fields, season):
    for field in fields[season]:
        water, thin, thick = (field.surface_class == c for c in (OPEN_WATER, THIN_ICE, THICK_ICE))
        assert np.abs(field.freeboard[water]).max(initial=0.0) < 0.3
        assert field.freeboard[thin].min(initial=0.1) > 0.0 and field.freeboard[thin].max(initial=0.1) <= 0.161
        assert 0.12 < field.freeboard[thick].mean() < 0.9
        assert field.freeboard[thick].max() < 6.0
        assert np.array_equal(field.lead_type > 0, water)


def test_it_is_not_easy(fields):
    """Dark leads are as dim as thin ice, and thin ice reaches both water's and snow's photon rates."""
    every = fields["winter"] + fields["summer"]
    rate = np.concatenate([f.rate for f in every])
    kind = np.concatenate([f.lead_type for f in every])
    surface = np.concatenate([f.surface_class for f in every])
    dark, thin, thick = rate[kind == profile.DARK], rate[surface == THIN_ICE], rate[surface == THICK_ICE]
    assert np.mean((thin > np.percentile(dark, 5)) & (thin < np.percentile(dark, 95))) > 0.25
    assert np.mean(thin > np.percentile(thick, 5)) > 0.05
    assert np.mean(thin > 11.0) > 0.005  # specular thin ice
    assert 0.5 < np.median(dark) < 2.5
    assert np.median(rate[kind == profile.SPECULAR]) > 11.0


def test_neighbour_track_crosses_the_same_leads():
    parameters = profile.draw_parameters("winter", rng(3))
    leads = profile.draw_leads(parameters, rng(4), length=60000.0)
    beside = profile.neighbour_leads(leads, rng(5))
    assert np.abs(beside.centre - leads.centre).max() <= 200.0
    assert np.array_equal(beside.kind, leads.kind)
    assert np.std(np.log(beside.width / leads.width)) == pytest.approx(0.15, rel=0.3)


def test_thin_ice_brightens_with_thickness_and_snow():
    thickness = np.linspace(0.0, 0.4, 20)
    assert np.all(np.diff(profile.thin_ice_albedo(thickness, np.zeros(20))) > 0.0)
    assert profile.thin_ice_albedo(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(0.07)
    assert np.all(
        profile.thin_ice_albedo(thickness, np.full(20, 0.05)) > profile.thin_ice_albedo(thickness, np.zeros(20))
    )
    assert profile.thin_ice_albedo(np.array([0.45]), np.array([0.2]))[0] < profile.SNOW_ALBEDO
