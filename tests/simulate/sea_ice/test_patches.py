"""Ponds and patches on thick ice: how much of the track, at which level, how bright."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.schema import THICK_ICE
from polynya.simulate.sea_ice import patches, profile
from polynya.simulate.sea_ice.presets import ICE
from polynya.simulate.sea_ice.surfaces import Surfaces, with_surfaces

NONE = {"melt": 0.0, "dark_ponds": 0.0, "specular_ponds": 0.0, "bright": 0.0, "drained_share": 0.0, "pond_level": 0.6}


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def level_ice(n: int = 400, *, height: float = 0.3, rate: float = 8.0) -> patches.Ice:
    return patches.Ice(
        freeboard=np.full(n, height),
        roughness=np.full(n, 0.04),
        rate=np.full(n, rate),
        albedo=np.full(n, 0.85),
        step=0.5,
    )


def one(kind: int, *, level: float, rate: float, start: float = 50.0, length: float = 40.0) -> patches.Patches:
    return patches.Patches(
        start=np.array([start]),
        length=np.array([length]),
        kind=np.array([kind], np.int8),
        level=np.array([level]),
        rate=np.array([rate]),
        across=np.zeros(1),
    )


@pytest.mark.parametrize(
    ("kind", "level", "rate", "height", "bright"),
    [
        (patches.SPECULAR_POND, 0.5, 20.0, 0.15, 20.0),
        (patches.SPECULAR_POND, 0.0, 20.0, 0.0, 20.0),
        (patches.DARK_POND, 0.8, 0.25, 0.24, 2.0),
        (patches.MELT_PATCH, 0.7, 0.25, 0.21, 2.0),
        (patches.BRIGHT_PATCH, 1.0, 18.0, 0.30, 18.0),
    ],
)
def test_a_patch_on_level_ice(kind, level, rate, height, bright):
    ice = level_ice()
    patches.add_patches(ice, one(kind, level=level, rate=rate), rng(1))
    inside = slice(100, 180)
    assert ice.freeboard[inside].mean() == pytest.approx(height, abs=0.006)
    assert ice.rate[inside] == pytest.approx(bright)
    assert ice.roughness[inside].max() <= 0.03
    outside = np.ones(400, bool)
    outside[inside] = False
    assert np.all(ice.freeboard[outside] == 0.3) and np.all(ice.rate[outside] == 8.0)


def test_a_pond_stands_at_the_low_surface_around_and_not_on_its_ridge():
    ice = level_ice()
    ice.freeboard[130:140] = 1.5
    ice.freeboard[60:90] = 0.2
    patches.add_patches(ice, one(patches.DARK_POND, level=1.0, rate=0.2), rng(1))
    assert np.all(ice.freeboard[100:180] == 0.2)


def test_a_patch_beyond_the_end_changes_nothing():
    for start in (-60.0, 205.0):
        ice = level_ice()
        patches.add_patches(ice, one(patches.MELT_PATCH, level=0.5, rate=0.2, start=start), rng(1))
        assert np.all(ice.freeboard == 0.3)


def test_ponds_have_their_number_and_share_at_sea_level():
    of = patches.PatchDensities(**{**NONE, "specular_ponds": 5.0, "drained_share": 0.3})
    drawn = patches.draw_patches(of, rng(2), along=(0.0, 1.0e6))
    assert drawn.start.size == pytest.approx(5000, abs=4 * 71)
    assert np.mean(drawn.level == 0.0) == pytest.approx(0.3, abs=0.03)
    assert drawn.level[drawn.level > 0.0].mean() == pytest.approx(0.6, abs=0.02)
    assert np.median(drawn.rate) == pytest.approx(22.0, rel=0.05)
    assert drawn.length.mean() == pytest.approx(patches.MEAN_POND_LENGTH, rel=0.04)


def test_a_line_across_the_plane_meets_the_ponds_of_a_track():
    """As often, and with the same mean length."""
    of = patches.PatchDensities(**{**NONE, "dark_ponds": 8.0, "bright": 1.0})
    track = patches.draw_patches(of, rng(3), along=(0.0, 4.0e5))
    plane = patches.draw_patches(of, rng(4), along=(0.0, 1.0e5), across=(-2000.0, 2000.0))
    lines = [plane.crossed(across, begin=0.0) for across in (-1500.0, -500.0, 500.0, 1500.0)]
    for kind in (patches.DARK_POND, patches.BRIGHT_PATCH):
        length = track.length[track.kind == kind]
        crossed = np.concatenate([line.length[line.kind == kind] for line in lines])
        assert crossed.size == pytest.approx(length.size, rel=0.12)
        assert crossed.mean() == pytest.approx(length.mean(), rel=0.08)


def test_ponds_of_the_melt_season_cover_what_was_drawn_and_stay_thick_ice():
    low, high = ICE["melt"].pond_share
    shares, expected = [], []
    for seed in range(12):
        parameters = with_surfaces(profile.draw_parameters("melt", rng(seed)), Surfaces(leads="none"))
        leads = profile.draw_leads(parameters, rng(seed, 1), length=20000.0)
        field = profile.ice_field(parameters, leads, rng(seed, 2), length=20000.0)
        pond = field.albedo < 0.405
        per_metre = (parameters.dark_ponds_per_km + parameters.specular_ponds_per_km) / 1000.0
        expected.append(1.0 - np.exp(-per_metre * patches.MEAN_POND_LENGTH))
        assert np.all(field.surface_class == THICK_ICE) and np.all(field.lead_type == profile.NO_LEAD)
        assert field.freeboard.min() >= 0.0
        shares.append(pond.mean())
    assert np.sum(shares) == pytest.approx(np.sum(expected), rel=0.08)
    assert low - 0.03 < min(shares) < 0.15 and 0.25 < max(shares) < high + 0.05


def test_most_winter_granules_have_no_bright_patch_and_no_pond():
    drawn = [profile.draw_parameters("winter", rng(seed)) for seed in range(200)]
    assert np.mean([p.bright_patches_per_km > 0.0 for p in drawn]) == pytest.approx(0.3, abs=0.1)
    assert all(p.dark_ponds_per_km == p.specular_ponds_per_km == 0.0 for p in drawn)
    summer = [profile.draw_parameters("summer", rng(seed)).specular_ponds_per_km for seed in range(200)]
    assert 0.05 < np.mean(np.array(summer) > 0.0) < 0.4
