"""Parts of a map by colour: areas by hand, shadow of a wall, bearings on turned grids, the reduced picture."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box

from polynya.glaciers import agreement
from polynya.scenes import scene as glacier_scene
from polynya.scenes.areas import area_km2

from ..workflows.glaciers import pieces

SNOW, ROCK = (0.8, 0.8, 0.8, 0.7, 0.1, 0.1), (0.15, 0.15, 0.17, 0.2, 0.25, 0.2)


def scene(folder, *, dem=None, about=None, missing=None, shape=(60, 80)):
    """Snow in columns 0 to 29, rock beside it; ``missing`` cuts out the bands of some columns."""
    optical = np.repeat(np.array(ROCK)[:, None, None], shape[0], axis=1).repeat(shape[1], axis=2)
    optical[:, :, :30] = np.array(SNOW)[:, None, None]
    if missing is not None:
        optical[:, :, missing] = np.nan
    return glacier_scene.open_scene(
        pieces.write_scene(
            folder, pieces.grid(*shape), optical=optical, about=about, **({} if dem is None else {"dem": dem})
        )
    )


def polygon(found, rows: tuple[int, int], columns: tuple[int, int]) -> gpd.GeoDataFrame:
    t = found.geobox.affine
    return gpd.GeoDataFrame(
        geometry=[box(t.c + 20 * columns[0], t.f - 20 * rows[1], t.c + 20 * columns[1], t.f - 20 * rows[0])],
        crs="EPSG:32632",
    )


def test_areas_by_hand(tmp_path):
    found = scene(tmp_path / "s", missing=slice(45, 50))
    mapped = polygon(found, (10, 30), (20, 50))  # 10 columns of snow, 15 of rock, 5 without data, over 20 rows
    look = agreement.compare(found, mapped)
    by_name = {s.name: s for s in look.strata}
    pixel = 400e-6
    expected = {"bright_ice": 200, "dark_ice": 300, "ice_without_colour": 100, "bright_ground_left_out": 60 * 30 - 200}
    assert {k: s.area_km2 for k, s in by_name.items()} == pytest.approx(
        {k: n * pixel for k, n in expected.items()}, rel=2e-3
    )
    mapped_km2 = sum(by_name[n].area_km2 for n in expected if n != "bright_ground_left_out")
    assert mapped_km2 == pytest.approx(area_km2(mapped)[0], rel=1e-5)
    assert (
        all(np.isnan(s.shaded) and np.isnan(s.cloudy) for s in look.strata)
        and look.shadow == "unknown: the scene has no DEM"
    )
    assert (
        look.kinds[15, 25] == 1
        and look.kinds[15, 40] == 2
        and look.kinds[15, 47] == 3
        and look.kinds[5, 5] == 4
        and look.kinds[50, 60] == 0
    )
    assert look.as_json()["strata"]["dark_ice"]["meaning"] == agreement.MEANING["dark_ice"]


def test_blocks_change_nothing(tmp_path, monkeypatch):
    found = scene(tmp_path / "s")
    mapped = polygon(found, (3, 57), (11, 66))
    whole = agreement.compare(found, mapped, step=3)
    monkeypatch.setattr(agreement, "BLOCK", 17)
    parts = agreement.compare(found, mapped, step=3)
    assert [s.area_km2 for s in parts.strata] == pytest.approx([s.area_km2 for s in whole.strata], rel=1e-5)
    assert np.array_equal(parts.kinds, whole.kinds) and np.array_equal(parts.picture, whole.picture)


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_the_picture_is_every_so_manieth_pixel(step, tmp_path):
    found = scene(tmp_path / "s")
    whole = glacier_scene.read(found)["optical"]
    look = agreement.compare(found, polygon(found, (0, 10), (0, 10)), step=step)
    small = found.geobox if step == 1 else found.geobox.zoom_out(step)
    assert look.picture.shape[1:] == tuple(small.shape) == look.kinds.shape
    at = [
        np.minimum(np.arange(n) * step + step // 2, full - 1) for n, full in zip(small.shape, found.shape, strict=True)
    ]
    assert np.array_equal(look.picture, whole[:, at[0][:, None], at[1]])


def test_shadow_of_a_wall(tmp_path):
    """The sun stands 45 degrees high in the west; a wall of 400 m in column 35 shades the 20 columns of 20 m behind
    it."""
    height = np.full((60, 80), 1000.0)
    height[:, 35] = 1400.0
    found = scene(
        tmp_path / "s",
        dem=np.stack([height, np.zeros_like(height)]),
        about={"sun_elevation": 45.0, "sun_azimuth": 270.0},
    )
    mapped = polygon(found, (20, 40), (36, 76))
    dark = next(s for s in agreement.compare(found, mapped).strata if s.name == "dark_ice")
    assert dark.shaded == pytest.approx(
        0.5, abs=0.03
    )  # half of 40 columns; the grid's west is off the map's by 0.9 degrees
    high = replace(found, sun_elevation=None)
    assert agreement.shading(high)[1] == "unknown: no file gives the sun's position"
    assert agreement.shading(replace(found, sun_elevation=-3.0))[0] is None


def test_shadow_on_averaged_pixels(tmp_path, monkeypatch):
    height = np.full((60, 80), 1000.0)
    height[:, 32:36] = 1400.0
    found = scene(
        tmp_path / "s",
        dem=np.stack([height, np.zeros_like(height)]),
        about={"sun_elevation": 45.0, "sun_azimuth": 270.0},
    )
    monkeypatch.setattr(agreement, "SHADOW_PIXELS", 20)
    read, told = agreement.shading(found)
    assert "pixels of 80 m" in told
    dark = read(slice(10, 50), slice(0, 80))
    assert dark.shape == (40, 80) and dark[:, 40:52].all() and not dark[:, :28].any() and not dark[:, 64:].any()


def test_where_colour_cannot_tell(tmp_path):
    dem = np.stack([np.full((30, 30), 3000.0), np.full((30, 30), 4.0)])
    found = glacier_scene.open_scene(pieces.write_scene(tmp_path / "s", pieces.grid(30, 30), dem=dem))
    look = agreement.compare(found, polygon(found, (0, 10), (0, 10)))
    assert look.strata == () and look.picture is None and look.rule == "none: no optical bands"
    ours = agreement.compare(scene(tmp_path / "t"), polygon(found, (0, 10), (0, 10)), is_rule=True)
    assert ours.strata == () and ours.picture is not None


GRIDS = {
    "utm": GeoBox(
        (100, 100), Affine(20.0, 0, 500_000.0 - 1000, 0, -20.0, 5_190_000.0), "EPSG:32632"
    ),  # on the middle meridian
    "degrees": GeoBox((118, 256), Affine(0.00025, 0, 86.8, 0, -0.0002, 28.0), "EPSG:4326"),
    "polar": GeoBox((100, 100), Affine(30.0, 0, 300_000.0, 0, -30.0, -1_500_000.0), "EPSG:3413"),
    "upside down": GeoBox((100, 100), Affine(20.0, 0, 499_000.0, 0, 20.0, 5_190_000.0), "EPSG:32632"),
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("bearing", [0.0, 75.0, 158.0, 290.0])
def test_bearings_on_grids(name, bearing):
    """Going from the middle along the grid's angle leads along the bearing on the ground."""
    geobox = GRIDS[name]
    angle = np.radians(agreement.grid_azimuth(geobox, bearing))
    wide, tall = agreement.glacier_scene.pixel_metres(geobox, np.array([geobox.shape[0] / 2]))
    column, row = geobox.shape[1] / 2, geobox.shape[0] / 2
    t, degrees = geobox.affine, pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    ends = [
        degrees.transform(t.a * c + t.c, t.e * r + t.f)
        for c, r in ((column, row), (column + 500 * np.sin(angle) / wide[0], row - 500 * np.cos(angle) / tall[0]))
    ]
    found = pyproj.Geod(ellps="WGS84").inv(*ends[0], *ends[1])[0]
    assert abs((found - bearing + 180) % 360 - 180) < 0.3
