"""Geophysical corrections in closed form: what is subtracted, in which tide system, and what is flagged."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from polynya.physics import corrections as module
from polynya.physics.corrections import corrections, geoid_free_to_mean
from tests.real_files import real


def geosegments(n: int = 4, **changed) -> dict[str, np.ndarray]:
    out = {
        "segment_dist_x": 20.0 * np.arange(n),
        "dem_h": np.full(n, 12.0),
        "dem_flag": np.full(n, 3),
        "geoid": np.full(n, 11.0),
        "geoid_free2mean": np.full(n, -0.25),
        "tide_ocean": np.full(n, 0.30),
        "tide_equilibrium": np.full(n, 0.02),
        "dac": np.full(n, -0.15),
        "reference_photon_lat": np.full(n, 80.0),
    }
    return {**out, **changed}


def test_everything_is_subtracted_once():
    found = corrections(geosegments())
    # dem_h is mean-tide: 12.0 - (-0.25) makes it tide-free, as h_ph is
    np.testing.assert_allclose(found.mean_sea_surface, 12.25)
    np.testing.assert_allclose(found.total, 12.25 + 0.30 + 0.02 - 0.15)
    assert np.all(found.mss_source == module.MSS_DEM) and not found.is_missing.any()


@pytest.mark.parametrize(("name", "value"), [("tide_ocean", 0.30), ("tide_equilibrium", 0.02), ("dac", -0.15)])
def test_each_switch_takes_out_its_own_term(name, value):
    on, off = corrections(geosegments()), corrections(geosegments(), **{f"use_{name}": False})
    np.testing.assert_allclose(on.total - off.total, value)
    assert np.isnan(getattr(off, name)).all() and not off.is_missing.any()
    for other in {"tide_ocean", "tide_equilibrium", "dac"} - {name}:
        np.testing.assert_array_equal(getattr(off, other), getattr(on, other))


def test_tide_systems_both_ways():
    mean, free = corrections(geosegments(), mss_is_mean_tide=True), corrections(geosegments(), mss_is_mean_tide=False)
    np.testing.assert_allclose(mean.mean_sea_surface - free.mean_sea_surface, 0.25)
    # One sea surface, given in either system, is one surface.
    grid = np.full(4, 13.0)
    same = (
        corrections(geosegments(), mss_grid=grid, mss_is_mean_tide=False),
        corrections(geosegments(), mss_grid=grid - 0.25, mss_is_mean_tide=True),
    )
    np.testing.assert_allclose(same[0].total, same[1].total)
    assert np.all(same[0].mss_source == module.MSS_GRID)


def test_the_geoid_stands_in_and_is_flagged():
    found = corrections(geosegments(dem_flag=np.array([1, 1, 4, 0])))
    assert np.all(found.mss_source == module.MSS_GEOID) and found.is_geoid.all() and not found.is_interpolated.any()
    np.testing.assert_allclose(found.mean_sea_surface, 11.0)  # ATL03's geoid is tide-free already


def track(n: int = 2000, **changed) -> dict[str, np.ndarray]:
    """Return 40 km along which the geoid rises by 0.1 mm/m with a bulge, and the MSS lies 0.8 m and more above it."""
    x = 20.0 * np.arange(n)
    geoid = 11.0 + 1e-4 * x + 0.3 * np.sin(x / 3000.0)
    usual = {"geoid": geoid, "dem_h": geoid + 0.8 + 2e-6 * x - 0.25, "tide_ocean": 0.2 + 1e-6 * x}
    return geosegments(n, **{**usual, **changed})


along = 20.0 * np.arange(2000)
HOLES = {
    "one": along == 20_000,
    "first": along == 0,
    "last": along == along[-1],
    "1 km": (along >= 9000) & (along < 10_000),
    "9 km": (along >= 9000) & (along < 18_000),
    "start": along < 8000,
    "end": along > 33_000,
    "every third": along % 60 == 40,
}


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("kind", ["dem_flag", "dem_h", "grid"])
def test_holes_of_the_mean_sea_surface_are_bridged_along_the_geoid(name, kind):
    """MSS minus geoid is a line here: between two sides the truth comes back, beyond an end it is held."""
    hole, truth = HOLES[name], corrections(track())
    if kind == "grid":
        found = corrections(track(), mss_grid=np.where(hole, np.nan, track()["dem_h"]))
    elif kind == "dem_h":
        found = corrections(track(dem_h=np.where(hole, np.nan, track()["dem_h"])))
    else:  # another DEM is there, metres off
        found = corrections(
            track(dem_flag=np.where(hole, 4, 3), dem_h=np.where(hole, track()["dem_h"] + 30.0, track()["dem_h"]))
        )
    held = 8000 if name == "start" else 7000 if name == "end" else 20
    tolerance = 2e-6 * held if name in ("start", "end", "first", "last") else 1e-9
    np.testing.assert_allclose(found.total, truth.total, atol=1.05 * tolerance)
    np.testing.assert_array_equal(found.total[~hole], truth.total[~hole])  # what is there stays, to the bit
    own = module.MSS_GRID if kind == "grid" else module.MSS_DEM
    np.testing.assert_array_equal(found.mss_source, np.where(hole, module.MSS_BRIDGED, own))
    np.testing.assert_array_equal(found.is_geoid, hole)
    np.testing.assert_array_equal(found.is_interpolated, hole)
    assert not found.is_missing.any() and not found.piece.any()


def test_a_long_hole_is_a_piece_of_its_own_and_nothing_steps():
    hole = (along >= 9000) & (along < 30_000)
    found, truth = corrections(track(dem_flag=np.where(hole, 1, 3))), corrections(track())
    np.testing.assert_allclose(found.total, truth.total, atol=1e-9)
    np.testing.assert_array_equal(found.piece, np.select([along < 9000, along < 30_000], [0, 1], 2))
    np.testing.assert_array_equal(found.is_geoid, hole)
    assert not found.is_interpolated.any()


def test_a_hole_of_15_km_is_bridged_without_a_cut_and_without_the_bit_of_short_ones():
    hole = (along >= 9000) & (along < 24_000)
    found = corrections(track(dem_flag=np.where(hole, 1, 3)))
    np.testing.assert_allclose(found.total, corrections(track()).total, atol=1e-9)
    np.testing.assert_array_equal(found.is_geoid, hole)
    assert not found.piece.any() and not found.is_interpolated.any()


def test_a_geoid_that_steps_in_a_short_hole_is_not_used():
    """The MSS has one trend on both sides of 1 km: it is interpolated itself, and nothing is cut."""
    hole = (along >= 9000) & (along < 10_000)
    geoid = track()["geoid"] - 1.2 * (along >= 9500)
    found, truth = corrections(track(dem_flag=np.where(hole, 1, 3), geoid=geoid)), corrections(track())
    np.testing.assert_allclose(found.total, truth.total, atol=0.01)
    assert not found.piece.any() and np.array_equal(found.is_interpolated, hole)


def test_a_difference_that_rises_along_the_whole_track_is_no_disagreement():
    """MSS - geoid rises by 5 cm per km, on both sides of a hole and in it: 0.45 m over 9 km, and one piece."""
    hole = (along >= 9000) & (along < 18_000)
    geoid = track()["geoid"] - 5e-5 * along
    found = corrections(track(dem_flag=np.where(hole, 1, 3), geoid=geoid))
    np.testing.assert_allclose(found.total, corrections(track()).total, atol=1e-9)
    assert not found.piece.any()


@pytest.mark.parametrize("length_m", [20, 1000, 9000])
def test_two_sides_of_a_hole_that_do_not_agree_are_two_pieces(length_m):
    hole, right = (along >= 9000) & (along < 9000 + length_m), along >= 9000 + length_m
    found = corrections(track(dem_flag=np.where(hole, 0, 3), dem_h=track()["dem_h"] + 0.4 * right))
    np.testing.assert_array_equal(found.piece, np.where(right, 2, np.where(hole, 1, 0)))
    np.testing.assert_array_equal(found.is_interpolated, hole)


def test_a_step_without_a_hole_cuts_the_track():
    found = corrections(track(dem_h=track()["dem_h"] + 0.4 * (along >= 12_000)))
    np.testing.assert_array_equal(found.piece, along >= 12_000)


def test_an_ice_shelf_marked_as_sea_surface_does_not_bend_the_bridge():
    """Heights of a shelf 25 m up that carry flag 3: 200 m at the edge of a hole, and one 20 m segment inside it."""
    hole = (along >= 9000) & (along < 15_000)
    shelf = ((along >= 9000) & (along < 9200)) | (along == 12_000)
    dem = track()["dem_h"] + 25.0 * hole
    found = corrections(track(dem_flag=np.where(hole & ~shelf, 4, 3), dem_h=dem))
    np.testing.assert_allclose(found.total, corrections(track()).total, atol=1e-9)
    np.testing.assert_array_equal(found.is_geoid, hole)


def test_without_a_geoid_the_mean_sea_surface_is_interpolated_over_3_km():
    short, long = (along >= 4000) & (along < 6500), (along >= 12_000) & (along < 16_000)
    found = corrections(track(dem_flag=np.where(short | long, 0, 3), geoid=np.full(along.size, np.nan)))
    np.testing.assert_array_equal(np.isnan(found.total), long)
    np.testing.assert_array_equal(found.is_interpolated, short)
    level = track()["dem_h"] + 0.25
    line = np.interp(along[short], [3980.0, 6500.0], level[np.isin(along, (3980, 6500))])
    np.testing.assert_allclose(found.mean_sea_surface[short], line)
    np.testing.assert_array_equal(found.mss_source[long], module.MSS_NONE)


TERMS = {"tide_ocean": 3.0, "tide_equilibrium": 0.4, "dac": 1.0}


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("hole", ["one", "1 km", "9 km", "every third"])
def test_gaps_of_corrections_are_interpolated(name, hole):
    usual = 0.1 + 2e-6 * along
    found = corrections(track(**{name: np.where(HOLES[hole], np.nan, usual)}))
    np.testing.assert_allclose(getattr(found, name), usual, atol=2e-6 * 21)
    np.testing.assert_array_equal(found.is_interpolated, HOLES[hole])
    assert not found.is_missing.any() and not found.piece.any() and not found.absent and not found.is_geoid.any()


@pytest.mark.parametrize("name", TERMS)
def test_a_correction_that_ends_is_held(name):
    usual, gone = 0.1 + 2e-6 * along, along > 20_000
    found = corrections(track(**{name: np.where(gone, np.nan, usual)}))
    np.testing.assert_allclose(getattr(found, name), np.minimum(usual, 0.1 + 2e-6 * 20_000))
    np.testing.assert_array_equal(found.is_missing, gone)
    assert not found.is_interpolated.any() and not found.piece.any() and not found.absent


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("value", ["spike", "fill", "beyond"])
def test_errors_of_a_correction_count_as_missing(name, value):
    usual = 0.1 + 2e-6 * along
    wrong = {"spike": usual + TERMS[name], "fill": np.full(along.size, 3.4e38), "beyond": np.full(along.size, -16.0)}[
        value
    ]
    bad = np.isin(along, (0, 8000, 30_000, along[-1]))
    found = corrections(track(**{name: np.where(bad, wrong, usual)}))
    np.testing.assert_allclose(getattr(found, name), usual, atol=5e-5)
    np.testing.assert_array_equal(found.is_interpolated, bad)


@pytest.mark.parametrize("n", [4, 2000])
def test_a_single_value_is_held_everywhere(n):
    tide = np.full(n, np.nan)
    tide[1] = 0.3
    found = corrections(geosegments(n, tide_ocean=tide))
    np.testing.assert_allclose(found.tide_ocean, 0.3)
    np.testing.assert_array_equal(found.is_missing, np.arange(n) != 1)


@pytest.mark.parametrize("name", TERMS)
def test_a_correction_that_is_missing_counts_as_nothing_and_is_named(name):
    found = corrections(geosegments(**{name: np.full(4, np.nan)}))
    assert found.absent == (name,) and found.is_missing.all() and np.isnan(getattr(found, name)).all()
    np.testing.assert_allclose(found.total, 12.25 + 0.30 + 0.02 - 0.15 - geosegments()[name])
    off = corrections(geosegments(**{name: np.full(4, np.nan)}), **{f"use_{name}": False})
    assert not off.absent and not off.is_missing.any()


def test_what_is_complete_is_not_touched():
    """Sums of the file's own numbers, to the bit, in one piece."""
    geo = track(geoid_free2mean=np.full(along.size, -0.25))
    found = corrections(geo)
    mss = geo["dem_h"] - geo["geoid_free2mean"]
    np.testing.assert_array_equal(found.total, mss + geo["tide_ocean"] + geo["tide_equilibrium"] + geo["dac"])
    assert not found.piece.any() and not found.is_interpolated.any() and not found.is_missing.any()


def test_without_geoid_free2mean_the_formula_is_used():
    found = corrections(geosegments(geoid_free2mean=np.array([-0.25, np.nan, -0.25, np.nan])))
    formula = 1.3 * (0.099 - 0.296 * np.sin(np.radians(80.0)) ** 2)
    np.testing.assert_allclose(found.mean_sea_surface, 12.0 - np.array([-0.25, formula, -0.25, formula]))


def test_geoid_free_to_mean_at_equator_pole_and_node():
    np.testing.assert_allclose(
        geoid_free_to_mean(np.array([0.0, 90.0, -90.0])), [1.3 * 0.099, -1.3 * 0.197, -1.3 * 0.197], atol=1e-12
    )
    assert abs(geoid_free_to_mean(np.array([35.33]))[0]) < 1e-3  # sin²φ = 0.334


@pytest.mark.real
def test_geoid_free_to_mean_is_the_real_granules():
    with h5py.File(real("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5")) as f:
        theirs = f["gt1l/geophys_corr/geoid_free2mean"][:].astype(float)
        latitude = f["gt1l/geolocation/reference_photon_lat"][:]
    assert theirs.size > 30
    np.testing.assert_allclose(geoid_free_to_mean(latitude), theirs, atol=2e-4)


@pytest.mark.real
def test_the_sea_surface_of_the_real_granule_is_near_its_geoid():
    """Wrong signs would show: tide system 0.5 m apart, the geoid decimetres from the mean sea surface."""
    with h5py.File(real("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5")) as f:
        g = f["gt1l/geophys_corr"]
        geo = {
            k: g[k][:].astype(float)
            for k in ("dem_h", "dem_flag", "geoid", "geoid_free2mean", "tide_ocean", "tide_equilibrium", "dac")
        }
        geo |= {k: f[f"gt1l/geolocation/{k}"][:] for k in ("reference_photon_lat", "segment_dist_x")}
    found = corrections(geo)
    assert np.isfinite(found.total).all() and not found.is_missing.any()
    own = geo["dem_flag"] == 3
    np.testing.assert_array_equal(found.mss_source, np.where(own, module.MSS_DEM, module.MSS_GEOID))
    expected = (
        np.where(own, geo["dem_h"] - geo["geoid_free2mean"], geo["geoid"])
        + geo["tide_ocean"]
        + geo["tide_equilibrium"]
        + geo["dac"]
    )
    np.testing.assert_allclose(found.total, expected, atol=1e-6)
    assert np.abs(found.mean_sea_surface - geo["geoid"]).max() < 2.0  # dynamic topography is decimetres to a metre
