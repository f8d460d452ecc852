"""Land on a grid: places whose land is known, distances against plain geometry, a file of the user's."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from polynya.errors import ProductError
from polynya.scenes import land

FAR_M = 50_000.0


def around(longitude: float, latitude: float, *, epsg: int = 3413, side_m: float = 100_000.0, pixel_m: float = 1000.0):
    x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True).transform(longitude, latitude)
    n = int(side_m / pixel_m)
    return GeoBox((n, n), Affine(pixel_m, 0, x - side_m / 2, 0, -pixel_m, y + side_m / 2), f"EPSG:{epsg}")


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg", "is_land"),
    [
        (-40.0, 75.0, 3413, True),  # the Greenland ice sheet
        (17.5, 78.9, 3413, True),  # the ice fields of Spitsbergen
        (0.0, 85.0, 3413, False),  # the Arctic Ocean
        (180.0, 78.0, 3413, False),
        (90.0, -80.0, 3976, True),  # East Antarctica
        (-150.0, -70.0, 3976, False),  # the Amundsen Sea
    ],
)
def test_the_shipped_coastline_knows_land_from_sea(longitude, latitude, epsg, is_land):
    found = land.on_grid(around(longitude, latitude, epsg=epsg, side_m=20_000.0))
    assert found.is_land.mean() == (1.0 if is_land else 0.0) and not found.is_mask
    assert (found.distance_m == 0).all() if is_land else (found.distance_m == FAR_M).all()


def test_a_lake_is_no_land_and_what_lies_outside_the_grid_counts(tmp_path):
    box = around(0.0, 85.0)
    edges = box.boundingbox
    middle = np.array([0.5 * (edges.left + edges.right), 0.5 * (edges.bottom + edges.top)])
    island = shapely.Point(middle).buffer(30_000.0, 200).difference(shapely.Point(middle).buffer(10_000.0, 200))
    beyond = shapely.box(edges.right + 20_000.0, -5e6, edges.right + 30_000.0, 5e6)
    gpd.GeoDataFrame(geometry=[island, beyond], crs="EPSG:3413").to_crs("EPSG:4326").to_file(tmp_path / "land.gpkg")
    found = land.on_grid(box, path=tmp_path / "land.gpkg")
    assert found.is_mask
    x, y = np.meshgrid(*(np.arange(100) * 1000.0 + 500.0 - 50_000.0,) * 2)
    radius = np.hypot(x, y)
    sure = (np.abs(radius - 10_000.0) > 800.0) & (np.abs(radius - 30_000.0) > 800.0)
    assert np.array_equal(found.is_land[sure], ((radius > 10_000.0) & (radius < 30_000.0))[sure])
    in_lake = radius < 8_000.0
    assert found.distance_m[in_lake] == pytest.approx(10_000.0 - radius[in_lake], abs=1_000.0)
    at_rim = found.distance_m[50, -1]  # 19.5 km from the island, 20.5 km from what lies beyond
    assert at_rim == pytest.approx(19_500.0, abs=1_000.0)
    corner = found.distance_m[0, -1]  # the island is 40 km away here
    assert corner == pytest.approx(20_500.0, abs=1_000.0)


def test_a_file_without_polygons_is_one_line(tmp_path):
    gpd.GeoDataFrame(geometry=[shapely.Point(0, 80)], crs="EPSG:4326").to_file(tmp_path / "points.gpkg")
    with pytest.raises(ProductError, match=r"points\.gpkg"):
        land.on_grid(around(0.0, 85.0), path=tmp_path / "points.gpkg")
    gpd.GeoDataFrame({"a": []}, geometry=[], crs="EPSG:4326").to_file(tmp_path / "none.gpkg")
    with pytest.raises(ProductError, match="holds no polygon"):
        land.on_grid(around(0.0, 85.0), path=tmp_path / "none.gpkg")
