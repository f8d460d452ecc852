"""The local sea surface along a beam: what NASA's screening leaves out stays empty, fills get errors that grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.physics import local_sea_surface, tracks
from polynya.schema import OPEN_WATER, SOURCE_LEADS, SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED

SPAN_M = 60_000.0


def beam(places: list[float], *, level: float = 0.0) -> tuple[local_sea_surface.Surface, np.ndarray]:
    """Return 60 km of ice 0.4 m high with a lead of 40 m at each place, and its classes."""
    x = np.arange(1.0, SPAN_M, 2.0)
    is_water = np.any(np.abs(x[:, None] - np.array(places)[None, :]) < 20.0, axis=1)
    one = np.ones(x.size)
    height = np.where(is_water, level, level + 0.4)
    surface = local_sea_surface.Surface(
        x=x, height=height, uncertainty=0.04 * one, n_photons=12 * one, length=2.0 * one
    )
    return surface, np.where(is_water, OPEN_WATER, 0).astype(np.int8)


def sections(places: list[float], *, land_km: np.ndarray | None = None, **more) -> local_sea_surface.Sections:
    surface, classes = beam(places)
    return local_sea_surface.sections(
        surface,
        surface_class=classes,
        lead=surface.leads(classes),
        centre=np.arange(0.0, SPAN_M + 1.0, 5000.0),
        surroundings=local_sea_surface.Surroundings(land_distance=None if land_km is None else 1000.0 * land_km),
        **more,
    )


@pytest.mark.parametrize("method", ["leads", "nasa", "minimum", "mean", "nearest"])
def test_nothing_crosses_from_one_part_of_the_track_to_the_next(method):
    """0.3 m between the levels on both sides of 32 km: each side has its own, to the last segment, and so do fills.
    The part from 40 km on has no lead: it has no sea surface, though leads lie on both sides."""
    surface, classes = beam([8_000.0, 22_000.0, 31_000.0, 33_000.0, 37_000.0, 58_000.0])
    part = np.searchsorted([32_000.0, 40_000.0, 55_000.0], surface.x)
    level = np.array([0.1, -0.2, 9.0, 0.1])[part]
    apart = replace(surface, x=tracks.separate(surface.x, part), height=surface.height + level)
    found = local_sea_surface.sections(
        apart,
        surface_class=classes,
        lead=apart.leads(classes),
        centre=local_sea_surface.section_centres(apart.x, method=method),
        method=method,
    )
    height, _, _ = local_sea_surface.at_segments(apart.x, found, is_stepped=method != "leads")
    np.testing.assert_allclose(height[part == 0], 0.1, atol=1e-9)
    np.testing.assert_allclose(height[part == 1], -0.2, atol=1e-9)
    assert np.isnan(height[part == 2]).all()


@pytest.mark.parametrize("method", ["leads", "nasa", "minimum", "mean", "nearest"])
def test_nothing_is_filled_nearer_to_land_than_25_km(method):
    """Leads at 20 and 40 km, none between: what lies between is filled, but not where land is 10 km away."""
    open_sea = sections([20_000.0, 40_000.0], method=method)
    filled = np.isin(open_sea.source, (SOURCE_ONE_SIDED, SOURCE_TWO_SIDED))
    land = np.where(filled, 10.0, 100.0)
    near = sections([20_000.0, 40_000.0], land_km=land, method=method)
    assert filled.any() and np.isfinite(open_sea.height[filled]).all()
    assert np.isnan(near.height[filled]).all() and np.isnan(near.uncertainty[filled]).all()
    assert (near.source[filled] == SOURCE_NONE).all()
    np.testing.assert_array_equal(near.height[~filled], open_sea.height[~filled])


def test_a_fill_is_less_certain_the_further_its_lead_is():
    """NASA's 0.05 m, and 2.5 cm per 10 km that the sea surface may have tilted on the way (Kwok and Morison 2016)."""
    found = sections([20_000.0, 40_000.0])
    measured = found.source == SOURCE_LEADS
    copies = np.flatnonzero(np.isin(found.source, (SOURCE_ONE_SIDED, SOURCE_TWO_SIDED)))
    away = np.abs(found.centre[copies][:, None] - found.centre[measured]).min(axis=1)
    assert sorted(set(away.tolist())) == [5000.0, 10_000.0]
    assert found.uncertainty[measured].max() < 0.05
    np.testing.assert_allclose(found.uncertainty[copies], np.hypot(0.05, 2.5e-6 * away))


def test_one_sided_fills_reach_10_km_and_no_further():
    """1.5 s at 7 km/s; NASA's method copies to the adjacent section (here 5 km away), the paper's up to 10 s."""
    centre = sections([30_000.0]).centre
    for method, reach in (("leads", 10_500.0), ("nasa", 5_500.0), ("minimum", 70_000.0), ("nearest", 70_000.0)):
        found = sections([30_000.0], method=method)
        measured = centre[found.source == SOURCE_LEADS]
        away = np.abs(centre[:, None] - measured[None, :]).min(axis=1)
        np.testing.assert_array_equal(np.isfinite(found.height), away <= reach)


def test_a_fill_of_nasas_method_is_as_certain_as_the_section_it_copies():
    found = sections([30_000.0], method="nasa")
    measured = found.source == SOURCE_LEADS
    assert found.uncertainty[measured].max() < 0.05
    assert set(found.uncertainty[found.source == SOURCE_ONE_SIDED]) <= set(found.uncertainty[measured])
    papers = sections([30_000.0], method="mean")
    np.testing.assert_array_equal(papers.uncertainty[papers.source == SOURCE_ONE_SIDED], 0.05)


def test_published_numbers():
    """Ground speed of ICESat-2, 7 km/s (Neumann et al. 2019, doi:10.1016/j.rse.2019.111325); slope of the sea surface,
    2.0 to 3.8 cm per 10 km (Kwok and Morison 2016)."""
    assert local_sea_surface.GROUND_SPEED == 7000.0
    assert local_sea_surface.SLOPE == 2.5e-6
    assert local_sea_surface.FILL_SIGMA_M == 0.05  # refsurf_sd_fill, ATL10 release 006
