"""The true leads of a simulated Sentinel-1 scene: on its pixels and on the polar grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from polynya.readers import lead_map, sentinel1_grd
from polynya.scenes import radar_grid
from polynya.simulate.sentinel1 import leads, presets
from polynya.simulate.sentinel1.floes import render
from polynya.simulate.sentinel1.product import Options, simulate_product
from polynya.simulate.sentinel1.world import draw_world

ANGLES = np.linspace(20.0, 46.0, 80)


@pytest.fixture(scope="module")
def world():
    return draw_world(5, (60, 80), ANGLES, ranges=presets.STANDARD, kind="pack")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s1") / "scene"
    return simulate_product(folder, Options(seed=5, kind="pack", size=(600, 700), has_lead_map=True))


def test_ice_free_pixels_make_the_concentration(world):
    """Where no lead is frozen, ice and water of the pixels add up to the concentration of the cells."""
    found = leads.pixels(world.cover, rows=(0, 60))
    assert found.shape == (600, 800) and set(np.unique(found)) == {0, 1, 2}
    shares = [(found == k).reshape(60, 10, 80, 10).mean(axis=(1, 3)) for k in (leads.ICE, leads.LEAD)]
    true = render(world.cover, world.backscatter, rows=(0, 60), samples=10).concentration
    # Ice is at least what is no opening, and at most that and all leads; whole cells are asked at one point only
    assert ((shares[0] - true) < 0.15).mean() > 0.99 and ((true - shares[0] - shares[1]) < 0.15).mean() > 0.99
    assert np.mean(shares[0]) <= true.mean() + 0.01 <= np.mean(shares[0] + shares[1]) + 0.02


def test_rows_do_not_depend_on_where_a_strip_begins(world):
    whole = leads.pixels(world.cover, rows=(0, 60))
    assert np.array_equal(whole[200:400], leads.pixels(world.cover, rows=(20, 40)))


def test_open_water_is_no_lead():
    sea = draw_world(5, (60, 80), ANGLES, ranges=presets.STANDARD, kind="water")
    assert (leads.pixels(sea.cover, rows=(0, 60)) == leads.WATER).all()


def test_the_map_lies_on_the_grid_of_the_product_and_tells_its_time(written):
    with rasterio.open(written.leads) as source:
        values, place, tags = source.read(1), source.transform, source.tags()
        assert source.crs.to_epsg() == 3413 and source.nodata == 255
    product = sentinel1_grd.open_product(written.safe)
    grid = radar_grid.polar_geobox(product, pixel_m=80.0)
    assert values.shape == tuple(grid.shape) and (place.c, place.f) == (grid.affine.c, grid.affine.f)
    assert "no measurement" in tags["simulated_by"]
    held = lead_map.read(written.leads)
    assert np.array_equal(held.states == lead_map.LEAD, values == 1)
    assert abs(held.header.time - product.start) < np.timedelta64(2, "s")
    covered = values != 255
    data = radar_grid.on_grid(product, pixel_m=80.0)
    valid = data["valid"].values.max(axis=0) > 0
    assert (covered & valid).sum() > 0.97 * valid.sum()


def test_leads_of_the_map_are_where_the_image_is_dark(written):
    """Registration: shifted by three pixels, the contrast between leads and ice is smaller."""
    with rasterio.open(written.leads) as source:
        values = source.read(1)
    data = radar_grid.on_grid(sentinel1_grd.open_product(written.safe), pixel_m=80.0)
    hh = radar_grid.decibels(data["sigma0"].sel(channel="HH").values)

    def contrast(down: int, right: int) -> float:
        moved = np.roll(values, (down, right), (0, 1))
        known = np.isfinite(hh) & (moved != 255)
        return float(hh[known & (moved == 1)].mean() - hh[known & (moved == 0)].mean())

    here = contrast(0, 0)
    assert here < -3.0
    assert all(here < contrast(d, r) for d, r in ((3, 0), (-3, 0), (0, 3), (0, -3)))


def test_it_is_written_only_where_it_is_asked_for(tmp_path, written):
    plain = simulate_product(tmp_path / "plain", Options(seed=5, kind="pack", size=(160, 160)))
    assert plain.leads is None and not (tmp_path / "plain" / "leads.tif").exists()
    assert json.loads(written.record.read_text())["files"]["leads"] == "leads.tif"
