"""Attributes of outlines against a tilted plane, whose elevation, slope and aspect have closed forms."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box

from polynya.errors import UsageError
from polynya.glaciers import attributes
from tests.real_files import real

UTM = GeoBox(
    (120, 150), Affine(20.0, 0, 400_000.0, 0, -20.0, 5_190_000.0), "EPSG:32632"
)  # 1.3 degrees west of the zone's middle


def plane(grid: GeoBox, east: float, north: float) -> np.ndarray:
    """Elevation that rises by east and north metres a metre of the map."""
    rows, columns = np.mgrid[0 : grid.shape[0], 0 : grid.shape[1]] + 0.5
    t = grid.transform
    x, y = t.a * columns + t.b * rows, t.d * columns + t.e * rows
    return 2000.0 + east * x + north * y


def reader(**arrays):
    return lambda rows, columns: {k: v[rows, columns] for k, v in arrays.items()}


def frame(*boxes, crs="EPSG:32632"):
    return gpd.GeoDataFrame(geometry=[box(*b) for b in boxes], crs=crs)


def convergence(x: float, y: float) -> float:
    """Bearing of grid north from true north, by pyproj's own factors."""
    lon, lat = pyproj.Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
    return pyproj.Proj(32632).get_factors(lon, lat).meridian_convergence


@pytest.mark.parametrize("block", [16, 37, 500])
def test_a_plane_has_the_slope_and_aspect_it_was_given(block):
    z = plane(UTM, -0.3, 0.4)  # falls to the east and south: downslope is (0.6, -0.8)
    ice = frame((400_200, 5_188_000, 401_400, 5_189_600))
    confidence = np.where(np.arange(150)[None] * np.ones((120, 1)) < 50, 0.9, 0.6)
    found = attributes.describe(ice, reader(elevation=z, confidence=confidence), geobox=UTM, block=block).iloc[0]
    inside = z[20:100, 10:70]
    assert found["zmin_m"] == pytest.approx(inside.min()) and found["zmax_m"] == pytest.approx(inside.max())
    assert found["zmean_m"] == pytest.approx(inside.mean())
    assert found["zmed_m"] == pytest.approx(np.median(inside), abs=1.0)
    assert found["slope_deg"] == pytest.approx(np.degrees(np.arctan(0.5)), rel=1e-3)  # the map's scale is within 4e-4
    grid_bearing = np.degrees(np.arctan2(0.6, -0.8))
    assert found["aspect_deg"] == pytest.approx(
        grid_bearing + convergence(400_800, 5_188_800), abs=0.02
    )  # 0.95 degrees here
    assert found["confidence"] == pytest.approx(0.9 * 40 / 60 + 0.6 * 20 / 60)


def test_aspect_is_from_true_north_where_the_map_is_turned():
    """In a polar map on the 90 degree meridian grid east is not true east: a slope that falls towards the pole faces
    north."""
    grid = GeoBox((60, 60), Affine(30.0, 0, 1_000_000.0, 0, -30.0, 900.0), "EPSG:3413")
    rows, columns = np.mgrid[0:60, 0:60] + 0.5
    x, y = 1_000_000 + 30 * columns, 900 - 30 * rows
    found = attributes.describe(
        frame((1_000_300, -600, 1_001_500, 600), crs="EPSG:3413"), reader(elevation=0.1 * np.hypot(x, y)), geobox=grid
    ).iloc[0]
    assert min(found["aspect_deg"], 360 - found["aspect_deg"]) < 0.2
    south = attributes.describe(
        frame((1_000_300, -600, 1_001_500, 600), crs="EPSG:3413"), reader(elevation=-0.1 * np.hypot(x, y)), geobox=grid
    ).iloc[0]
    assert south["aspect_deg"] == pytest.approx(180, abs=0.2)


def test_degrees_are_metres_on_the_ground():
    grid = GeoBox((100, 100), Affine(0.0005, 0, 10.0, 0, -0.00025, 60.0), "EPSG:4326")
    rows, columns = np.mgrid[0:100, 0:100] + 0.5
    geod = pyproj.Geod(ellps="WGS84")
    _, _, tall = geod.inv(10.0, 59.9875, 10.0, 59.98775)
    z = 3000.0 - 0.2 * rows * -tall  # rises to the south, so it faces north
    found = attributes.describe(
        frame((10.01, 59.98, 10.04, 59.99), crs="EPSG:4326"), reader(elevation=z), geobox=grid
    ).iloc[0]
    assert found["slope_deg"] == pytest.approx(np.degrees(np.arctan(0.2)), rel=1e-4)
    assert min(found["aspect_deg"], 360 - found["aspect_deg"]) < 0.05
    _, _, wide = geod.inv(10.025, 59.9875, 10.0255, 59.9875)
    east = attributes.describe(
        frame((10.01, 59.98, 10.04, 59.99), crs="EPSG:4326"),
        reader(elevation=3000.0 - 0.2 * columns * wide),
        geobox=grid,
    ).iloc[0]
    assert east["slope_deg"] == pytest.approx(np.degrees(np.arctan(0.2)), rel=2e-3) and east[
        "aspect_deg"
    ] == pytest.approx(90, abs=0.05)


def test_a_given_slope_is_taken_and_missing_values_are_left_out():
    z = plane(UTM, 0.1, 0.0)
    z[:, :40] = np.nan
    slope = np.full(z.shape, 33.0)
    two = frame((400_200, 5_188_000, 401_400, 5_189_600), (400_000, 5_188_000, 400_100, 5_189_000))
    found = attributes.describe(two, reader(elevation=z, slope=slope), geobox=UTM, block=32)
    assert found["slope_deg"].tolist() == [33.0, 33.0]
    assert found["zmin_m"][0] == pytest.approx(np.nanmin(z[20:100, 40:70]))
    assert np.isnan(
        found.loc[1, ["zmin_m", "zmax_m", "zmed_m", "zmean_m", "aspect_deg", "confidence"]].astype(float)
    ).all()


def test_place_is_on_the_ellipsoid_and_inside():
    horseshoe = box(400_000, 5_188_000, 403_000, 5_189_000).difference(box(400_500, 5_188_300, 403_000, 5_188_700))
    found = attributes.place(
        gpd.GeoDataFrame(geometry=[horseshoe, box(400_000, 5_180_000, 401_000, 5_181_000)], crs="EPSG:32632"),
        src_date="2018-08-01",
    )
    assert list(found["rgi_id"]) == ["", ""] and set(found["src_date"]) == {"2018-08-01"}
    to_map = pyproj.Transformer.from_crs(4326, 32632, always_xy=True)
    x, y = to_map.transform(found["cenlon"].to_numpy(), found["cenlat"].to_numpy())
    assert horseshoe.buffer(0.01).contains(gpd.points_from_xy(x, y)[0])
    assert (x[1], y[1]) == pytest.approx((400_500, 5_180_500), abs=0.01)
    factor = pyproj.Proj(32632).get_factors(found["cenlon"][1], found["cenlat"][1]).areal_scale
    assert found["area_km2"][1] == pytest.approx(1.0 / factor, rel=1e-5)


def test_no_outline_and_a_wrong_window():
    empty = attributes.describe(frame(), reader(), geobox=UTM)
    assert len(empty) == 0 and "zmed_m" in empty
    with pytest.raises(UsageError, match="the window asked for"):
        attributes.describe(
            frame((400_200, 5_188_000, 401_400, 5_189_600)),
            lambda rows, columns: {"elevation": np.zeros((2, 2))},
            geobox=UTM,
        )


@pytest.mark.real
def test_attributes_agree_with_the_inventory():
    """Twenty glaciers of the RGI on a real DEM: another DEM and date, so metres and degrees, not decimals."""
    import rasterio

    inventory = gpd.read_file(real("../glaciers/oggm/oetztal/rgi/rgi_oetztal.shp"))
    with rasterio.open(real("../glaciers/oggm/oetztal/srtm_oetztal.tif")) as data:
        z, grid = data.read(1).astype(float), GeoBox(data.shape, data.transform, data.crs)
    found = attributes.describe(attributes.place(inventory), reader(elevation=z), geobox=grid, block=200)
    assert np.median(np.abs(found["area_km2"] / inventory["Area"] - 1)) < 0.005
    assert (
        np.abs(found["zmed_m"] - inventory["Zmed"]).max() < 60
        and np.median(np.abs(found["zmed_m"] - inventory["Zmed"])) < 20
    )
    assert np.median(np.abs(found["slope_deg"] - inventory["Slope"])) < 1.0
    whole = ~inventory["RGIId"].str.contains("_d")  # divided glaciers carry the aspect of the undivided one
    turn = (found["aspect_deg"] - inventory["Aspect"] + 180) % 360 - 180
    assert np.abs(turn[whole]).max() < 15 and np.abs(turn[whole]).median() < 4
    assert np.abs(found["cenlat"] - inventory["CenLat"]).max() < 0.01
