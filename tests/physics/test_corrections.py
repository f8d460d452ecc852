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
    found = corrections(geosegments(dem_flag=np.array([3, 1, 3, 2]), dem_h=np.array([12.0, 12.0, np.nan, 12.0])))
    assert found.mss_source.tolist() == [module.MSS_DEM, module.MSS_GEOID, module.MSS_GEOID, module.MSS_GEOID]
    np.testing.assert_allclose(found.mean_sea_surface, [12.25, 11.0, 11.0, 11.0])  # ATL03's geoid is tide-free already
    grid = corrections(geosegments(), mss_grid=np.array([5.0, np.nan, 5.0, 5.0]))
    assert grid.mss_source.tolist() == [module.MSS_GRID, module.MSS_GEOID, module.MSS_GRID, module.MSS_GRID]


def test_neither_surface_is_nan():
    found = corrections(geosegments(dem_flag=np.array([3, 0, 0, 3]), geoid=np.full(4, np.nan)))
    assert found.mss_source.tolist() == [module.MSS_DEM, module.MSS_NONE, module.MSS_NONE, module.MSS_DEM]
    assert np.isnan(found.total).tolist() == [False, True, True, False]


def test_a_missing_correction_counts_as_nothing_and_is_flagged():
    tide = np.array([0.3, np.nan, 0.3, 0.3])
    found = corrections(geosegments(tide_ocean=tide))
    assert found.is_missing.tolist() == [False, True, False, False]
    np.testing.assert_allclose(found.total, 12.25 + np.array([0.3, 0.0, 0.3, 0.3]) + 0.02 - 0.15)
    assert np.isnan(found.tide_ocean[1])
    assert not corrections(geosegments(tide_ocean=tide), use_tide_ocean=False).is_missing.any()


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
        geo["reference_photon_lat"] = f["gt1l/geolocation/reference_photon_lat"][:]
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
