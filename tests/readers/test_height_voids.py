"""Voids of DEMs that no file declares are found and masked; seas, lakes, plains and whole metres are not."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.readers import height_voids, scene_geotiff
from polynya.scenes import scene as glacier_scene
from tests.real_files import ROOT

from . import scene_rasters

SHAPE = (120, 140)


def terrain(low: float, high: float, seed: int = 0, dtype=np.float32) -> np.ndarray:
    """Return smooth hills."""
    from scipy.ndimage import gaussian_filter

    rough = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 12.0)
    rough = (rough - rough.min()) / np.ptp(rough)
    return (low + (high - low) * rough).astype(dtype)


def blocks() -> np.ndarray:
    row, column = np.indices(SHAPE)
    return ((row // 17) % 5 == 1) & ((column // 23) % 4 == 2)


def write(path, heights, **more):
    return scene_rasters.write(path, heights[None], names=("elevation",), resolution=30.0, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("mark", [0.0, 1.0, 3000.0])
def test_a_value_that_its_neighbours_contradict_is_a_void(tmp_path, mark, dtype):
    heights = terrain(700.0, 1900.0, dtype=dtype)
    void = blocks()
    heights[void] = mark
    path = write(tmp_path / "dem.tif", heights)
    found = height_voids.find(path, 1)
    assert found.counts == (mark,) and found.share == pytest.approx(void.mean())
    scene = glacier_scene.open_scene([f"dem={path}"])
    dem = glacier_scene.read(scene)["dem"]
    np.testing.assert_array_equal(np.isnan(dem[0]), void)
    assert np.isnan(dem[1][void]).all() and np.nanmax(dem[1]) < 70.0  # no wall about a void
    words = f"undeclared voids: {void.mean():.1%} of the heights are exactly {mark:g}"
    assert any(words in n.text and "taken as missing" in n.text for n in scene.notes)


@pytest.mark.parametrize(
    ("mark", "dtype"), [(3.4028234663852886e38, np.float32), (32767, np.int16), (9999.0, np.float64)]
)
def test_heights_above_the_highest_mountain_are_voids(tmp_path, mark, dtype):
    heights = terrain(4000.0, 8800.0, dtype=dtype)
    heights[blocks()] = mark
    scene = glacier_scene.open_scene([f"dem={write(tmp_path / 'dem.tif', heights)}"])
    dem = glacier_scene.read(scene)["dem"]
    np.testing.assert_array_equal(np.isnan(dem[0]), blocks())
    assert any("beyond -1000 to 9000 m" in n.text for n in scene.notes)


def test_slopes_in_the_file_made_of_voids_are_computed_again(tmp_path):
    heights = terrain(700.0, 1900.0)
    heights[blocks()] = 0.0
    down, right = np.gradient(heights, 30.0)
    steep = np.degrees(np.arctan(np.hypot(down, right))).astype(np.float32)
    assert steep.max() > 80.0
    path = scene_rasters.write(
        tmp_path / "d.tif", np.stack([heights, steep]), names=("elevation", "slope"), resolution=30
    )
    assert np.nanmax(glacier_scene.read(glacier_scene.open_scene([path]))["dem"][1]) < 70.0


def sea(dtype=np.float32):
    """A fjord: sea level, and shores that rise 20 m a pixel."""
    heights = terrain(-400.0, 1200.0, seed=3, dtype=np.float32)
    return np.maximum(heights, 0.0).astype(dtype)


def lake():
    heights = terrain(500.0, 2400.0, seed=5)
    heights[heights < 900.0] = 900.0
    return heights


@pytest.mark.parametrize(
    "heights",
    [sea(), sea(np.int16), lake(), terrain(500.0, 2500.0, dtype=np.int16), np.zeros(SHAPE, np.float32), terrain(0, 8)],
    ids=["fjord", "fjord in whole metres", "lake", "whole metres", "all sea", "plain"],
)
def test_water_and_plains_are_no_voids(tmp_path, heights):
    path = write(tmp_path / "dem.tif", heights)
    found = height_voids.find(path, 1)
    assert not found.any and found.lines == []
    dem = glacier_scene.read(glacier_scene.open_scene([f"dem={path}"]))["dem"]
    assert np.isfinite(dem[0]).all()


def test_declared_voids_are_nobodys_news(tmp_path):
    heights = terrain(700.0, 1900.0)
    heights[blocks()] = 0.0
    assert not height_voids.find(write(tmp_path / "dem.tif", heights, nodata=0.0), 1).any


def test_a_large_dem_is_looked_at_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(height_voids, "WHOLE_PX", 1000)
    monkeypatch.setattr(height_voids, "PIECE_PX", 20)
    monkeypatch.setattr(height_voids, "PIECES", 5)
    heights = terrain(700.0, 1900.0)
    heights[blocks()] = 0.0
    found = height_voids.find(write(tmp_path / "large.tif", heights), 1)
    assert found.counts == (0.0,)


@pytest.mark.skipif(ROOT is None or not (ROOT / "glaciers/oggm").is_dir(), reason="no real files")
@pytest.mark.parametrize(
    "name", ["baltoro/baltoro_srtm_clip.tif", "columbia/dem_Columbia.tif", "oetztal/srtm_oetztal.tif"]
)
def test_real_dems_keep_their_seas_and_valleys(name):
    path = ROOT / "glaciers/oggm" / name
    assert not height_voids.find(path, 1).any
    assert [n for s in scene_geotiff.open_geotiff(path, role="dem") for n in s.notes if n.code == "height_voids"] == []


@pytest.mark.parametrize(("pixel_m", "degrees"), [(1000.0, 25.0), (1000.0, 35.0), (500.0, 40.0), (90.0, 60.0)])
def test_the_sea_of_a_fjord_is_no_void_in_pixels_of_any_length(tmp_path, pixel_m, degrees):
    """Its shore rises by the slope times the pixel from one height to the next: 840 m in pixels of a kilometre."""
    column = np.arange(SHAPE[1])[None, :] * np.ones((SHAPE[0], 1))
    heights = np.minimum(np.tan(np.deg2rad(degrees)) * pixel_m * np.maximum(np.abs(column - 70) - 19, 0), 4000.0)
    path = scene_rasters.write(
        tmp_path / "dem.tif", heights[None].astype(np.float32), names=("elevation",), resolution=pixel_m
    )
    assert height_voids.find(path, 1).counts == ()


def test_values_that_repeat_are_those_of_a_plain_count():
    rng = np.random.default_rng(4)
    for n in (0, 3, 4, 500):
        sample = rng.integers(0, 90, n).astype(np.float32)
        values, times = height_voids._repeated(sample.copy())
        every, count = np.unique(sample, return_counts=True)
        kept = count >= height_voids.LEAST_PX
        np.testing.assert_array_equal(values, every[kept])
        np.testing.assert_array_equal(times, count[kept])


def test_memory_is_a_few_copies_of_the_heights(tmp_path):
    """Heights that all differ, as those of a filtered DEM: the list of values must not be as large as the DEM."""
    import tracemalloc

    import rasterio
    from affine import Affine

    side = 1024
    heights = np.random.default_rng(5).permutation(side * side).reshape(side, side).astype(np.float32) / 1024 + 500
    path = tmp_path / "dem.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=1,
        dtype="float32",
        crs="EPSG:32632",
        transform=Affine(10, 0, 6e5, 0, -10, 5.2e6),
    ) as file:
        file.write(heights, 1)
    tracemalloc.start()
    found = height_voids.find(path, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.any and peak < 4 * heights.nbytes
