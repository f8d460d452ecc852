"""Outlines of masks: the same whatever the blocks, areas as the ellipsoid has them, small ones and specks left out."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.ndimage import label, median_filter

from polynya.errors import ProductError, UsageError
from polynya.glaciers import outlines
from polynya.scenes import areas

UTM = GeoBox((300, 260), Affine(30.0, 0, 640_000.0, 0, -30.0, 5_190_000.0), "EPSG:32632")


def blobs(shape, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.random(shape)
    return median_filter(noise, 5) > 0.5


def geometry_set(frame) -> set:
    return {shapely.to_wkb(shapely.normalize(g)) for g in frame.geometry}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 70), st.integers(5, 60), st.integers(5, 60), st.booleans())
def test_blocks_leave_no_seam(seed, block, high, wide, is_smoothed):
    mask = np.random.default_rng(seed).random((high, wide)) > 0.42
    grid = UTM[:high, :wide]
    whole = outlines.vectorise(mask, geobox=grid, min_area_km2=0.0, is_smoothed=is_smoothed, block=10_000)
    cut = outlines.vectorise(mask, geobox=grid, min_area_km2=0.0, is_smoothed=is_smoothed, block=block)
    assert cut.geometry.is_valid.all()
    assert geometry_set(whole) == geometry_set(cut)


def test_the_polygons_are_the_pixels():
    mask = blobs(UTM.shape, 1)
    frame = outlines.vectorise(mask, geobox=UTM, min_area_km2=0.0, is_smoothed=False, block=64)
    assert frame.crs.to_epsg() == 32632
    assert len(frame) == label(mask)[1]  # scipy joins over edges only, as we do
    assert frame.geometry.area.sum() == pytest.approx(mask.sum() * 900.0, rel=1e-12)
    back = rasterio.features.rasterize(list(frame.geometry), out_shape=mask.shape, transform=UTM.transform)
    np.testing.assert_array_equal(back, mask)
    assert any(len(g.interiors) for g in frame.geometry), "holes are kept"


def test_smoothing_is_the_median():
    mask = np.random.default_rng(3).random((90, 80)) > 0.5
    frame = outlines.vectorise(mask, geobox=UTM[:90, :80], min_area_km2=0.0, block=17)
    back = rasterio.features.rasterize(list(frame.geometry), out_shape=mask.shape, transform=UTM.transform)
    np.testing.assert_array_equal(back, median_filter(mask.astype(np.uint8), 3, mode="nearest"))


def test_small_ones_are_left_out_after_merging():
    mask = np.zeros(UTM.shape, np.uint8)
    mask[10:12, 10:15] = 1  # 0.009 km2
    mask[30:33, 60:68] = 1  # 0.0216 km2, cut by blocks of 64 into halves below the limit
    mask[100:103, 100:105] = 255  # unlabelled is no glacier
    frame = outlines.vectorise(mask, geobox=UTM, is_smoothed=False, block=64)
    assert len(frame) == 1
    assert frame["area_km2"][0] == pytest.approx(0.0216, rel=2e-3)  # the map's scale is 0.9996 to 1.0004 here


def test_simplified_polygons_stay_valid_and_near():
    mask = blobs(UTM.shape, 2)
    exact = outlines.vectorise(mask, geobox=UTM)
    light = outlines.vectorise(mask, geobox=UTM, simplify_m=30.0)
    assert light.geometry.is_valid.all()
    assert (
        shapely.get_num_coordinates(light.geometry.to_numpy()).sum()
        < 0.7 * shapely.get_num_coordinates(exact.geometry.to_numpy()).sum()
    )
    assert shapely.hausdorff_distance(exact.geometry.union_all(), light.geometry.union_all()) < 60.0


def test_areas_on_the_ellipsoid():
    """The zone between two parallels and meridians has a closed form (Snyder 1987, equation 3-12)."""
    e = np.sqrt(0.0066943799901413165)

    def q(latitude):
        s = np.sin(np.radians(latitude))
        return (1 - e**2) * (s / (1 - (e * s) ** 2) - np.log((1 - e * s) / (1 + e * s)) / (2 * e))

    expected = 6378137.0**2 / 2 * np.radians(0.4) * (q(47.0) - q(46.8)) * 1e-6
    grid = GeoBox((200, 400), Affine(0.001, 0, 10.6, 0, -0.001, 47.0), "EPSG:4326")
    frame = outlines.vectorise(np.ones((200, 400), np.uint8), geobox=grid)
    assert frame["area_km2"][0] == pytest.approx(expected, rel=1e-6)
    rows = np.array([areas.pixel_area_m2(grid, r, 100) for r in range(200)])
    assert rows.sum() * 400e-6 == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(areas.row_areas_m2(grid, slice(0, 200), 100), rows, rtol=1e-5)
    wide, tall = areas.pixel_size_m(grid)
    assert wide * tall == pytest.approx(areas.pixel_area_m2(grid, 100, 200), rel=1e-4)


def test_the_band_is_where_confidence_is_low():
    confidence = np.full((40, 50), 0.99)
    confidence[10:20, 5:15] = 0.5
    confidence[30:, 40:] = np.nan
    band = outlines.uncertainty_band(confidence, geobox=UTM[:40, :50], block=8)
    assert len(band) == 1
    assert band.geometry.area[0] == 100 * 900.0


def test_a_raster_is_read_block_by_block(tmp_path):
    mask = blobs((120, 130), 5)
    path = tmp_path / "p.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=120,
        width=130,
        count=1,
        dtype="float32",
        crs="EPSG:32632",
        transform=UTM.transform,
        nodata=float("nan"),
    ) as out:
        values = np.where(mask, 0.5, 0.49).astype(np.float32)
        values[:5] = np.nan
        out.write(values, 1)
    read, grid = outlines.from_raster(path, threshold=0.5)
    mask[:5] = False
    direct = outlines.vectorise(mask, geobox=UTM[:120, :130], block=50)
    assert geometry_set(outlines.vectorise(read, geobox=grid, block=50)) == geometry_set(direct)
    with pytest.raises(ProductError, match="band 2"):
        outlines.from_raster(path, band=2)


def test_no_ice_is_no_outline_and_nonsense_is_refused():
    empty = outlines.vectorise(np.zeros(UTM.shape, bool), geobox=UTM)
    assert len(empty) == 0 and empty.crs.to_epsg() == 32632 and "area_km2" in empty
    with pytest.raises(UsageError, match="expected the grid's"):
        outlines.vectorise(np.zeros((3, 3), bool), geobox=UTM)
    with pytest.raises(UsageError, match="out of range"):
        outlines.vectorise(np.zeros(UTM.shape, bool), geobox=UTM, min_area_km2=-1.0)


def test_the_uncertainty_band_begins_at_95_per_cent():
    """Maslov et al. (2025, doi:10.1038/s41467-024-54956-x)."""
    assert outlines.CONFIDENT == 0.95
