"""Scenes in degrees across 180: mapped as anywhere else, with the DEM and the inventory of either side."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from pyproj import Geod
from rasterio.transform import Affine
from shapely import box

from polynya.scenes import scene as glacier_scene
from polynya.workflows import glaciers, info
from tests.readers.scene_rasters import write

ICE = {"blue": 0.75, "green": 0.75, "red": 0.7, "nir": 0.6, "swir1": 0.06, "swir2": 0.05}
ROCK = {"blue": 0.1, "green": 0.11, "red": 0.12, "nir": 0.2, "swir1": 0.3, "swir2": 0.3}
STEP = (0.0002, 0.0001)
SIDE = 160


def image(path, west):
    """A disc of ice around 180 degrees, 40 pixels wide; 180 lies at column 50."""
    down, across = np.mgrid[:SIDE, :SIDE]
    is_ice = np.abs(across - 49.5) ** 2 + np.abs(down - 80) ** 2 < 400
    data = np.stack([np.where(is_ice, ICE[k], ROCK[k]) for k in ICE]).astype(np.float32)
    grid = Affine(STEP[0], 0, west, 0, -STEP[1], 67.0)
    return write(path, data, names=tuple(ICE), crs=4326, transform=grid), int(is_ice.sum())


@pytest.mark.parametrize("west", [179.99, -180.01])
def test_a_map_across_180_degrees(tmp_path, west):
    path, pixels = image(tmp_path / "optical.tif", west)
    sides = [box(179.99, 66.985, 180.0, 66.999), box(-180.0, 66.985, -179.99, 66.999)]
    about = {"rgi_id": ["RGI2000-v7.0-G-10-00001", "RGI2000-v7.0-G-10-00002"], "src_date": ["2000-07-01"] * 2}
    gpd.GeoDataFrame(about, geometry=sides, crs="EPSG:4326").to_file(tmp_path / "inventory.gpkg")
    config = glaciers.Config(network=("rule",))
    glaciers.run([path], out=tmp_path / "out", config=config, inventory=tmp_path / "inventory.gpkg")
    found = gpd.read_file(tmp_path / "out" / "outlines.gpkg")
    assert sorted(found["rgi_id"]) == about["rgi_id"]
    pixel_m2 = Geod(ellps="WGS84").polygon_area_perimeter(
        [0, STEP[0], STEP[0], 0], [66.992, 66.992, 66.992 + STEP[1], 66.992 + STEP[1]]
    )[0]
    assert found["area_km2"].sum() == pytest.approx(pixels * pixel_m2 * 1e-6, rel=0.02)
    assert (np.abs(found["cenlon"]) <= 180).all() and (np.abs(found["cenlon"]) > 179.99).all()


@pytest.mark.parametrize(("west", "other"), [(179.99, -180.02), (-180.01, 179.98)])
def test_a_dem_on_the_other_turn(tmp_path, west, other):
    path, _ = image(tmp_path / "optical.tif", west)
    columns = 900.0 + np.arange(300.0)
    data = np.broadcast_to(columns, (1, 200, 300)).astype(np.float32)
    dem = write(
        tmp_path / "dem.tif",
        data,
        names=("elevation",),
        crs=4326,
        transform=Affine(STEP[0], 0, other, 0, -STEP[1], 67.001),
    )
    found = glacier_scene.read(glacier_scene.open_scene([path, dem]))["dem"][0]
    start = round(((west - other + 180) % 360 - 180) / STEP[0])
    np.testing.assert_allclose(found, np.broadcast_to(columns[start : start + SIDE], found.shape), atol=0.01)


@pytest.mark.parametrize("west", [179.99, -180.01])
def test_info_says_that_a_scene_crosses_180_degrees(tmp_path, west):
    path, _ = image(tmp_path / "optical.tif", west)
    about, text = info.describe([str(path)])
    assert about["extent"] == [179.99, 66.984, -179.978, 67.0] and "crosses the antimeridian" in text


def test_info_of_a_tile_across_180_degrees(tmp_path):
    """Zone 1 begins at 180 degrees; tiles near the pole reach over its edge."""
    data, corner = np.full((1, 50, 50), 0.3, np.float32), (199980.0, 2000020.0)
    path = write(tmp_path / "b.tif", data, names=("B03",), crs=32701, resolution=8000.0, corner=corner)
    about, text = info.describe([str(path)])
    west, _, east, _ = about["extent"]
    assert 170 < west < 179 and -179 < east < -170 and "crosses the antimeridian" in text
