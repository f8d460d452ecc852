"""Floes and leads of maps that are drawn by hand, in one piece and in tiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage

from polynya.scenes import areas, floes, lead_lines
from polynya.scenes.image_plane import Plane

CLASSES = ("water", "thin_ice", "thick_ice", "melt_pond", "land")
RULE = floes.Rule(ice=(2, 3), land=(4,))
LEADS = lead_lines.Rule(water=(0,), thin=(1,), ice=(2, 3))


def read_of(codes):
    return lambda rows, columns: codes[rows, columns]


def find(codes, tmp_path, *, rule=RULE, plane=None):
    return floes.find(
        read_of(codes), rule, plane=plane or Plane(shape=codes.shape, geobox=None), classes=CLASSES, scratch=tmp_path
    )


def discs(shape, *places):
    y, x = np.mgrid[: shape[0], : shape[1]]
    codes = np.zeros(shape, np.uint8)
    for row, column, radius in places:
        codes[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = 2
    return codes


def test_touching_floes_are_parted_at_thin_necks_only(tmp_path):
    codes = discs((120, 200), (60, 40, 25), (60, 100, 25), (60, 160, 25))
    codes[58:62, 60:80] = 2  # a neck of 4 pixels
    codes[50:71, 120:140] = 2  # one of 21
    found = find(codes, tmp_path)
    assert len(found) == 2
    assert found["mean_caliper_px"][1] == pytest.approx(51.0, abs=2.0)  # the disc that the thin neck held
    together = find(codes, tmp_path, rule=floes.Rule(ice=(2, 3), part_px=0.0))
    assert len(together) == 1 and together["n_pixels"][0] == (codes == 2).sum()


def test_sizes_shares_and_flags(tmp_path):
    codes = discs((100, 160), (50, 50, 30), (50, 150, 20))
    codes[45:55, 45:55] = 3
    codes[:, :12] = 4
    codes[50:56, 12:21] = 4
    found = find(codes, tmp_path)
    large, cut = found.iloc[0], found.iloc[1]
    assert large["share_melt_pond"] == pytest.approx(100 / large["n_pixels"])
    assert large["share_thick_ice"] + large["share_melt_pond"] == pytest.approx(1.0)
    assert large["touches_land"] and not large["touches_border"]
    assert cut["touches_border"] and not cut["touches_land"]
    assert large["area_px2"] == large["n_pixels"] == pytest.approx(large.geometry.area)
    assert found.crs is not None and not found.crs.is_projected


def test_pixels_without_a_class_cut_floes(tmp_path):
    codes = discs((80, 80), (40, 40, 20))
    codes[:, 60:] = 255
    assert find(codes, tmp_path)["touches_border"].tolist() == [True]


@pytest.mark.parametrize("tile", [64])
def test_tiles_change_nothing(tmp_path, monkeypatch, tile):
    noise = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(150, 180)), 3)
    codes = np.where(noise > 0.01, 2, 0).astype(np.uint8)
    whole = find(codes, tmp_path)
    monkeypatch.setattr(floes, "TILE", tile)
    tiled = find(codes, tmp_path)
    assert len(whole) > 8
    pd.testing.assert_frame_equal(tiled.drop(columns="geometry"), whole.drop(columns="geometry"), rtol=0.02)
    assert (tiled["n_pixels"] == whole["n_pixels"]).all()
    assert tiled.geometry.geom_equals(whole.geometry).all()
    assert not list(tmp_path.iterdir())


def _plane(codes):
    return Plane(shape=codes.shape, geobox=None)


def test_areas_are_those_on_the_ellipsoid(tmp_path):
    codes = discs((120, 120), (60, 60, 40))
    geobox = GeoBox(codes.shape, Affine(100.0, 0.0, -500_000.0, 0.0, -100.0, -900_000.0), "EPSG:3413")
    found = find(codes, tmp_path, plane=Plane(shape=codes.shape, geobox=geobox))
    assert found["area_m2"][0] == pytest.approx(1e6 * areas.area_km2(found)[0], rel=1e-4)
    assert found["mean_caliper_m"][0] == pytest.approx(
        np.sqrt(found["area_m2"][0] / found["n_pixels"][0]) * found["mean_caliper_px"][0], rel=1e-3
    )


def test_a_map_without_ice_has_no_floes(tmp_path):
    found = find(np.zeros((40, 40), np.uint8), tmp_path)
    assert len(found) == 0 and "area_px2" in found.columns


def lead_map():
    """Return a map of thick ice with a lead of 10 pixels in direction 60 degrees, a frozen one of 5, and a bay."""
    y, x = np.mgrid[:300, :400]
    codes = np.full((300, 400), 2, np.uint8)
    away = abs((x - 40) * np.sin(np.deg2rad(30.0)) + (y - 280) * np.cos(np.deg2rad(30.0)))
    codes[away <= 5.0] = 0
    codes[60:65, 30:200] = 1
    codes[200:, 290:] = 0
    return codes


@pytest.mark.parametrize("tile", [1024, 130])
def test_leads_have_length_width_and_direction(monkeypatch, tile):
    monkeypatch.setattr(lead_lines, "TILE", tile)
    codes = lead_map()
    found = lead_lines.find(read_of(codes), LEADS, plane=_plane(codes))
    first, frozen = found.iloc[0], found.iloc[1]
    assert first["orientation_deg"] == pytest.approx(60.0, abs=1.5)
    assert first["mean_width_px"] == pytest.approx(10.0, abs=1.0)
    left = 40.0 - 20.0 / np.tan(np.deg2rad(30.0))  # where it leaves the map below
    assert first["length_px"] == pytest.approx((400.0 - left) / np.cos(np.deg2rad(30.0)), rel=0.03)
    assert first["frozen_share"] < 0.05 and frozen["frozen_share"] > 0.95
    assert frozen["mean_width_px"] == pytest.approx(5.0, abs=0.6)
    assert frozen["orientation_deg"] == pytest.approx(90.0, abs=1.0)
    assert frozen["length_px"] == pytest.approx(170.0, abs=8.0)


def test_broad_water_and_water_among_little_ice_are_no_leads():
    broad = np.full((300, 300), 2, np.uint8)
    broad[100:200] = 0
    sparse = np.zeros((300, 300), np.uint8)
    sparse[::12, :] = 2
    for codes in (broad, sparse, np.zeros((50, 50), np.uint8), np.full((50, 50), 2, np.uint8)):
        assert len(lead_lines.find(read_of(codes), LEADS, plane=_plane(codes))) == 0


def test_directions_are_those_from_true_north():
    codes = np.full((200, 200), 2, np.uint8)
    codes[:, 98:103] = 0  # along the grid's y axis; 90 degrees east of the axis's meridian it points east
    geobox = GeoBox(codes.shape, Affine(20.0, 0.0, 1_000_000.0, 0.0, -20.0, 2000.0), "EPSG:3413")
    found = lead_lines.find(read_of(codes), LEADS, plane=Plane(shape=codes.shape, geobox=geobox))
    assert found["orientation_deg"][0] == pytest.approx(90.0, abs=1.0)
    mean, agreement = lead_lines.mean_orientation(np.array([1.0, 179.0]), np.array([1.0, 1.0]))
    assert min(mean, 180.0 - mean) == pytest.approx(0.0, abs=1e-6) and agreement > 0.99
