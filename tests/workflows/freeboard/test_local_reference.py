"""Grids along a beam: how near land may lie, and what an ice concentration means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polynya.physics import local_sea_surface
from polynya.readers.height_grid import Grid
from polynya.workflows.freeboard import local_reference

KM = 180.0 / (np.pi * 6371.0)
"""Degrees of latitude per kilometre."""


def grid(values) -> Grid:
    """Return a grid of 0.02 degrees (2.2 km) about 75 N, 0 E; values is a function of longitude and latitude."""
    x, y = np.arange(-3.0, 3.001, 0.02), np.arange(74.0, 76.001, 0.02)
    return Grid(
        path=Path("grid.tif"),
        values=np.broadcast_to(values(*np.meshgrid(x, y)), (y.size, x.size)),
        x=x,
        y=y,
        crs="EPSG:4326",
    )


@pytest.mark.parametrize(("away_km", "is_near"), [(3.0, True), (10.0, True), (22.0, True), (30.0, False)])
def test_land_within_25_km_is_near(away_km, is_near):
    """NASA computes no sea surface within 25 km of land (ATL10 ATBD, ``land_distance_m``). Land lies north of 75 N."""
    land = local_reference.Grids(land=grid(lambda lon, lat: (lat >= 75.0).astype(float)))
    found = local_reference.land_distance(land, np.array([75.0 - away_km * KM]), np.zeros(1))
    assert (found[0] == 0.0) == is_near and (found[0] == np.inf) != is_near


def test_no_land_grid_is_no_distance():
    assert local_reference.land_distance(local_reference.Grids(), np.array([75.0]), np.zeros(1)) is None


def test_ice_concentration_in_per_cent_and_as_a_fraction_are_one_thing():
    """0 to 1 in either unit; flags above the full value (land, coast, missing) are NaN."""
    place = (np.array([74.5, 75.0, 75.5]), np.zeros(3))
    for full in (1.0, 100.0):
        for north, expected in ((0.0, 0.0), (254.0, np.nan)):
            ice = grid(lambda lon, lat, full=full, north=north: np.where(lat < 75.2, 0.8 * full, north))
            found = local_reference.ice_concentration(local_reference.Grids(ice_concentration=ice), *place)
            np.testing.assert_allclose(found, [0.8, 0.8, expected])


def test_flags_of_fractions_are_no_per_cent():
    """A grid in fractions whose byte flags became 2.51 to 2.54 (251 to 254 times 0.01) stays one in fractions, and a
    flag does not mix with its neighbours."""
    ice = grid(lambda lon, lat: np.where(lat < 75.2, 0.97, 2.54))
    grids = local_reference.Grids(ice_concentration=ice)
    found = local_reference.ice_concentration(grids, np.array([74.5, 75.0, 75.19, 75.5]), np.zeros(4))
    np.testing.assert_allclose(found[:2], 0.97)
    assert np.isnan(found[3]) and (np.isnan(found[2]) or abs(found[2] - 0.97) < 1e-6)


def test_one_lead_within_25_km_stands_alone():
    """Leads within 500 m of each other are one body of water; where none is near nothing rests on one."""
    x = np.arange(0.0, 200_000.0, 1000.0)
    found = local_reference.is_of_one_lead(x, np.array([50_000.0, 50_400.0, 110_000.0, 150_000.0]))
    alone = (
        (np.abs(x - 50_200.0) <= 25_200.0) | (np.abs(x - 110_000.0) <= 25_000.0) | (np.abs(x - 150_000.0) <= 25_000.0)
    )
    both = (x >= 125_000.0) & (x <= 135_000.0)  # within 25 km of the last two
    np.testing.assert_array_equal(found, alone & ~both)
    assert not local_reference.is_of_one_lead(x, np.empty(0)).any()


def test_the_common_part_beside_a_section_without_a_height_is_that_of_the_next():
    """Every segment that has a reference has it: means leave out segments where a part of the error is missing."""
    some = np.array([np.nan, 0.1, 0.2, np.nan])
    sections = local_sea_surface.Sections(
        centre=np.arange(4) * 5000.0,
        length=10_000.0,
        height=some,
        uncertainty=some,
        common=some / 5.0,
        source=np.zeros(4, np.int8),
        n_leads=np.ones(4, np.int64),
        height_unsmoothed=some,
        is_lead_used=np.empty(0, bool),
    )
    x = np.array([1000.0, 3000.0, 5000.0, 7500.0, 12_000.0, 14_000.0])
    height, _, _ = local_sea_surface.at_segments(x, sections, is_stepped=False)
    found = local_reference.common_at(x, height, sections)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(height))
    np.testing.assert_allclose(found[1:5], [0.02, 0.02, 0.03, 0.04])
