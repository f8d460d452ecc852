"""Scenes from files of every kind on one grid: values, units, holes, windows, and what the notes and errors say."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.transform import Affine, from_origin

from polynya.errors import PolynyaError, ProductError, UsageError
from polynya.scenes import align
from polynya.scenes import scene as glacier_scene
from polynya.sensors.glaciers import TABLE
from tests.readers import safe_tree, scene_rasters
from tests.readers.scene_rasters import CORNER, OPTICAL, centres, folder, write
from tests.real_files import ROOT


def optical(path, shape=(40, 50), **more):
    rng = np.random.default_rng(7)
    data = rng.uniform(0.05, 0.8, (6, *shape)).astype(np.float32)
    return write(path, data, names=OPTICAL, **more), data


def test_a_folder_comes_back_exactly_with_its_json(tmp_path):
    about = {
        "name": "made",
        "time": "2020-08-01T10:30:00Z",
        "region": "ALP",
        "sun_elevation": 50.5,
        "sun_azimuth": 150.0,
    }
    scene = glacier_scene.open_scene(folder(tmp_path / "s", about=about))
    assert (scene.name, scene.region, scene.sun_elevation, scene.sun_azimuth) == ("made", "ALP", 50.5, 150.0)
    assert scene.time == np.datetime64("2020-08-01T10:30:00", "ns")
    assert scene.sensors == TABLE.names and scene.shape == (60, 80) and scene.notes == ()
    found = glacier_scene.read(scene)
    for sensor in TABLE.names:
        with rasterio.open(tmp_path / "s" / f"{sensor}.tif") as file:
            np.testing.assert_array_equal(found[sensor], file.read())
        assert found[sensor].dtype == np.float32


def test_a_subset_and_missing_pixels_stay_missing(tmp_path):
    path, data = optical(tmp_path / "s" / "optical.tif")
    with rasterio.open(path, "r+") as file:
        data[:, 3:9, 4:6] = np.nan
        file.write(data)
    scene = glacier_scene.open_scene(tmp_path / "s")
    assert scene.sensors == ("optical",) and scene.name == "s"
    np.testing.assert_array_equal(glacier_scene.read(scene)["optical"], data)


def test_another_grid_is_interpolated_where_it_lies(tmp_path):
    """A height linear in longitude and latitude on a grid of degrees: bilinear interpolation must meet it at every UTM
    pixel."""
    path, _ = optical(tmp_path / "o.tif", shape=(120, 90))
    lon0, lat0 = 10.31, 46.955
    degrees = Affine(0.0004, 0, lon0, 0, -0.0003, lat0)
    row, column = np.mgrid[:120, :120]
    height = (1000 + 9e3 * ((column + 0.5) * 0.0004) - 7e3 * ((row + 0.5) * 0.0003)).astype(np.float32)
    dem = write(tmp_path / "dem.tif", height[None], names=("elevation",), crs=4326, transform=degrees)
    found = glacier_scene.read(glacier_scene.open_scene([path, dem]))["dem"][0]
    x, y = centres((120, 90))
    lon, lat = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
    np.testing.assert_allclose(found, 1000 + 9e3 * (lon - lon0) - 7e3 * (lat0 - lat), atol=0.01)


def test_a_slope_on_a_grid_of_degrees_is_in_metres(tmp_path):
    """A plane in UTM that rises 3 in 10 to the east, given as heights at 60 north in degrees, where a degree east is
    half a degree north."""
    transform = from_origin(10.0, 60.0, 0.0005, 0.00025)
    row, column = np.mgrid[:80, :60]
    lon, lat = 10.0 + (column + 0.5) * 0.0005, 60.0 - (row + 0.5) * 0.00025
    x, y = Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, lat)
    dem = write(
        tmp_path / "copdem.tif",
        (0.3 * (x - x.mean()) + 0.4 * (y - y.mean())).astype(np.float32)[None] + 2000,
        crs=4326,
        transform=transform,
    )
    scene = glacier_scene.open_scene(dem)
    slope = glacier_scene.read(scene)["dem"][1]
    np.testing.assert_allclose(slope[2:-2, 2:-2], np.degrees(np.arctan(0.5)), atol=0.05)
    assert any("slope from its heights" in n.text for n in scene.notes)


def test_web_mercator_does_not_flatten_slopes(tmp_path):
    """At 60 north a Mercator metre is half a metre: a rise of 0.2 a map metre is 0.4 on the ground."""
    corner = Transformer.from_crs(4326, 3857, always_xy=True).transform(10.0, 60.0)
    x, _ = centres((30, 30), resolution=50.0, corner=corner)
    dem = write(
        tmp_path / "dem.tif",
        (0.2 * (x - corner[0])).astype(np.float32)[None] + 100,
        crs=3857,
        resolution=50.0,
        corner=corner,
    )
    slope = glacier_scene.read(glacier_scene.open_scene(dem))["dem"][1]
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.2 / np.cos(np.radians(60.0)))), atol=0.1)


def test_a_finer_grid_is_averaged_not_sampled(tmp_path):
    path, _ = optical(tmp_path / "o.tif", shape=(20, 24))
    fine = np.random.default_rng(1).uniform(0.1, 1, (1, 80, 96)).astype(np.float32)
    sar = write(tmp_path / "s.tif", fine, names=("VV",), resolution=2.5)
    found = glacier_scene.read(glacier_scene.open_scene([path, sar]))["co_pol_sar"]
    np.testing.assert_allclose(found[0], fine[0].reshape(20, 4, 24, 4).mean((1, 3)), rtol=1e-5)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("case", ["same", "degrees", "finer", "shifted"])
def test_a_window_reads_what_the_whole_holds(tmp_path, case):
    path, _ = optical(tmp_path / "o.tif", shape=(150, 130))
    rng = np.random.default_rng(3)
    grid = {
        "same": {},
        "degrees": {"crs": 4326, "transform": from_origin(10.312, 46.951, 0.00023, 0.00019)},
        "finer": {"resolution": 3.7},
        "shifted": {"resolution": 14.0, "corner": (CORNER[0] - 33.3, CORNER[1] + 21.7)},
    }[case]
    z = rng.uniform(500, 700, (1, 420, 400)).astype(np.float32)
    z[0, 50:60, 30:90] = np.nan
    scene = glacier_scene.open_scene(
        [path, write(tmp_path / "dem.tif", z, names=("elevation",), nodata=np.nan, **grid)]
    )
    whole = glacier_scene.read(scene)
    assert np.isfinite(whole["dem"]).any()
    for window in (((0, 64), (0, 64)), ((37, 101), (5, 130)), ((149, 150), (129, 130))):
        piece = glacier_scene.read(scene, window=window)
        for sensor in scene.sensors:
            np.testing.assert_allclose(
                piece[sensor], whole[sensor][:, slice(*window[0]), slice(*window[1])], atol=2e-3, rtol=1e-6
            )


def test_a_huge_source_is_read_in_parts(tmp_path, monkeypatch):
    path, _ = optical(tmp_path / "o.tif", shape=(40, 50))
    z = np.random.default_rng(3).uniform(500, 700, (1, 220, 260)).astype(np.float32)
    scene = glacier_scene.open_scene([path, write(tmp_path / "dem.tif", z, names=("elevation",), resolution=2.0)])
    at_once = glacier_scene.read(scene)["dem"]
    monkeypatch.setattr(align, "MOST_PIXELS", 4000)
    np.testing.assert_array_equal(glacier_scene.read(scene)["dem"], at_once)


def test_decibels_become_linear_before_they_are_averaged(tmp_path):
    path, _ = optical(tmp_path / "o.tif", shape=(10, 10))
    decibel = np.zeros((2, 20, 20), np.float32)
    decibel[:, ::2] = -30.0  # a mean of decibels would be -15 dB, the mean power is half of 1.001
    sar = write(tmp_path / "s1.tif", decibel, names=("VV_dB", "VH_dB"), resolution=5.0)
    found = glacier_scene.read(glacier_scene.open_scene([path, sar]))
    np.testing.assert_allclose(found["co_pol_sar"][0], (1 + 1e-3) / 2, rtol=1e-5)
    np.testing.assert_allclose(found["cross_pol_sar"][0], (1 + 1e-3) / 2, rtol=1e-5)


def test_radar_passes_are_told_by_name_tag_or_user_and_guessed_with_a_note(tmp_path):
    data = np.full((1, 8, 8), 0.2, np.float32)
    up = write(tmp_path / "S1_asc_vv.tif", data, names=("VV",))
    down = write(tmp_path / "b.tif", data * 2, names=("VV",), tags={"ORBIT_DIRECTION": "DESCENDING"})
    scene = glacier_scene.open_scene([up, down])
    assert glacier_scene.read(scene)["co_pol_sar"][:, 0, 0].tolist() == pytest.approx([0.2, 0.4])
    assert not any("no file says from which pass" in n.text for n in scene.notes)
    plain = write(tmp_path / "c.tif", data * 3, names=("HH",))
    other = write(tmp_path / "d.tif", data * 4, names=("HH",))
    scene = glacier_scene.open_scene([plain, other])
    assert glacier_scene.read(scene)["co_pol_sar"][:, 0, 0].tolist() == pytest.approx([0.6, 0.8])
    assert any("ascending and descending, in this order" in n.text for n in scene.notes)
    said = glacier_scene.open_scene([f"sar:descending={plain}"])
    assert np.isnan(glacier_scene.read(said)["co_pol_sar"][0]).all() and glacier_scene.read(said)["co_pol_sar"][
        1, 0, 0
    ] == pytest.approx(0.6)


def test_the_optical_grid_rules_whatever_comes_first(tmp_path):
    path, _ = optical(tmp_path / "o.tif", shape=(12, 14))
    dem = write(tmp_path / "dem.tif", np.full((1, 9, 9), 500, np.int16), resolution=30.0)
    assert glacier_scene.open_scene([dem, path]).shape == (12, 14)
    alone = glacier_scene.open_scene(dem)
    assert alone.shape == (9, 9) and alone.sensors == ("dem",)


def test_an_optical_product_without_swir_has_empty_bands_and_8_bit_is_noted(tmp_path):
    data = np.array([[[0, 51], [102, 255]]] * 4, np.uint8)
    scene = glacier_scene.open_scene(write(tmp_path / "etm.tif", data, names=("blue", "green", "red", "nir_B4")))
    found = glacier_scene.read(scene)["optical"]
    np.testing.assert_allclose(found[:4], data / 255.0, rtol=1e-6)
    assert np.isnan(found[4:]).all()
    assert "etm.tif: digital numbers, scaled by 255: no reflectances" in [
        n.text for n in scene.notes
    ] and "optical has no swir1, swir2" in [n.text for n in scene.notes]


def test_scaled_counts_follow_the_file(tmp_path):
    counts = np.array([[[0, 1000], [5000, 65535]]] * 6, np.uint16)
    found = glacier_scene.read(
        glacier_scene.open_scene(write(tmp_path / "l2a.tif", counts, names=OPTICAL, scale=1e-4, offset=-0.1))
    )["optical"][0]
    np.testing.assert_allclose(found, [[np.nan, 0.0], [0.4, 6.4535]], atol=1e-6)


def test_old_voids_of_height_models_are_missing(tmp_path):
    z = np.full((1, 6, 6), 1200, np.int16)
    z[0, 2, 2], z[0, 4, 4], z[0, 0, 0] = -32768, -9999, -12
    found = glacier_scene.read(glacier_scene.open_scene(write(tmp_path / "srtm_x.tif", z)))["dem"]
    assert np.isnan(found[0]).sum() == 2 and found[0, 0, 0] == -12 and np.isnan(found[1]).sum() == 2


def test_days_between_sensors_are_noted(tmp_path):
    path, _ = optical(tmp_path / "o.tif", tags={"datetime": "2021-08-20T10:00:00Z"})
    sar = write(
        tmp_path / "s.tif",
        np.full((1, 40, 50), 0.1, np.float32),
        names=("VV ascending",),
        tags={"datetime": "2021-08-08T05:00:00Z"},
    )
    scene = glacier_scene.open_scene([path, sar])
    assert any(n.text == "co_pol_sar was taken 12 days before optical" for n in scene.notes)
    assert scene.time == np.datetime64("2021-08-20T10:00", "ns")


def test_a_safe_folder_is_read_at_10_m_with_its_cloud_mask(tmp_path):
    scl = np.zeros((60, 90), np.uint8)
    scl[:30, :45], scl[:30, 45:], scl[30:, :45] = 9, 3, 11
    ramp = np.tile(np.arange(90, dtype=np.uint16) * 20 + 2000, (60, 1))
    scene = glacier_scene.open_scene(safe_tree.write_safe(tmp_path, level="2A", scl=scl, counts={"B11": ramp}))
    found = glacier_scene.read(scene)["optical"]
    assert found.shape == (6, 120, 180) and scene.sun_elevation == pytest.approx(90 - 61.25)
    for i, band in enumerate(("B02", "B03", "B04", "B08")):
        np.testing.assert_allclose(found[i], (1000 * safe_tree.ORDER.index(band) + 500 - 1000) / 10000.0, atol=1e-6)
    # 20 m pixels lie 0.5 of a 10 m pixel away from theirs: column c of 10 m is c / 2 - 0.25 of 20 m.
    inner = np.arange(1, 179)
    np.testing.assert_allclose(
        found[4][:, 1:179], np.tile(((inner / 2 - 0.25) * 20 + 2000 - 1000) / 1e4, (120, 1)), atol=1e-6
    )
    cloud = glacier_scene.read_cloud(scene)
    assert cloud[0, 0] == glacier_scene.CLOUD and cloud[0, -1] == glacier_scene.SHADOW
    assert cloud[-1, 0] == glacier_scene.CLEAR and cloud[-1, -1] == glacier_scene.CLOUD_UNKNOWN
    assert any("surface reflectance (Level-2A)" in n.text for n in scene.notes)


def test_without_a_mask_cloud_is_unknown_and_classes_are_nearest(tmp_path):
    path = folder(tmp_path / "s", shape=(6, 8))
    scene = glacier_scene.open_scene(path)
    assert (glacier_scene.read_cloud(scene) == glacier_scene.CLOUD_UNKNOWN).all()
    truth = write(path / "truth.tif", np.arange(12, dtype=np.uint8).reshape(1, 3, 4), resolution=20.0, nodata=11)
    found = glacier_scene.read_classes(scene, truth)
    expected = np.repeat(np.repeat(np.arange(12).reshape(3, 4), 2, 0), 2, 1)
    expected[expected == 11] = 255
    np.testing.assert_array_equal(found, expected)
    small = write(path / "small.tif", np.ones((1, 2, 2), np.uint8))
    assert (glacier_scene.read_classes(scene, small) == 255).sum() == 48 - 4


REFUSED = [
    ("nothing", lambda t: t / "gone.tif", "no such scene"),
    ("counts", lambda t: write(t / "a.tif", np.full((6, 4, 4), 3000, np.uint16), names=OPTICAL), "without a scale"),
    ("percent", lambda t: write(t / "a.tif", np.full((6, 4, 4), 35.0, np.float32), names=OPTICAL), "without a scale"),
    ("complex numbers", lambda t: write(t / "a.tif", np.ones((6, 4, 4), np.complex64), names=OPTICAL), "real numbers"),
    ("unnamed", lambda t: write(t / "a.tif", np.ones((3, 4, 4), np.float32)), "say nothing of a sensor"),
    (
        "counts of radar",
        lambda t: write(t / "a.tif", np.full((1, 4, 4), 300, np.uint16), names=("VV",)),
        "expected sigma0",
    ),
    (
        "coherence in percent",
        lambda t: write(t / "a.tif", np.full((1, 4, 4), 55.0, np.float32), names=("coherence",)),
        "from 0 to 1",
    ),
    ("celsius", lambda t: write(t / "a.tif", np.full((1, 4, 4), -5.0, np.float32), names=("thermal",)), "kelvin"),
    ("no system", lambda t: write(t / "dem.tif", np.ones((1, 4, 4), np.float32), crs=None), "no coordinate system"),
    (
        "upside down",
        lambda t: write(t / "dem.tif", np.ones((1, 4, 4), np.float32), transform=Affine(10, 0, 0, 0, 10, 0)),
        "upside down",
    ),
    ("twice in one file", lambda t: write(t / "a.tif", np.ones((2, 4, 4), np.float32), names=("VV", "VV")), "are both"),
    ("a text", lambda t: _text(t / "dem.tif"), "cannot be read as a raster"),
    ("an empty folder", lambda t: _empty(t / "f"), "expected a scene folder"),
    ("a role that is none", lambda t: f"lidar={write(t / 'a.tif', np.ones((1, 4, 4), np.float32))}", "no such role"),
    (
        "a bad time",
        lambda t: write(t / "dem.tif", np.ones((1, 4, 4), np.float32), tags={"datetime": "yesterday"}),
        "expected UTC",
    ),
    ("scene.json that is none", lambda t: _broken_json(t / "f"), "scene.json"),
]


@pytest.mark.parametrize("make, says", [(m, s) for _, m, s in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_cannot_be_told_is_refused_in_one_line(tmp_path, make, says):
    with pytest.raises(PolynyaError, match=says) as error:
        glacier_scene.open_scene(make(tmp_path))
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value).split(";")[1]


def test_two_images_of_one_sensor_and_a_wrong_region(tmp_path):
    one, _ = optical(tmp_path / "a.tif")
    two, _ = optical(tmp_path / "b.tif")
    with pytest.raises(UsageError, match="given twice, by a and b"):
        glacier_scene.open_scene([one, two])
    with pytest.raises(UsageError, match="no such region"):
        glacier_scene.open_scene(one, region="MOON")
    with pytest.raises(UsageError, match="no scene given"):
        glacier_scene.open_scene([])
    with pytest.raises(UsageError, match="inside 40 x 50"):
        glacier_scene.read(glacier_scene.open_scene(one), window=((0, 41), (0, 10)))


def test_a_file_that_vanishes_is_said(tmp_path):
    path, _ = optical(tmp_path / "a.tif")
    scene = glacier_scene.open_scene(path)
    path.unlink()
    with pytest.raises(ProductError, match="no such file"):
        glacier_scene.read(scene)


GLACIERS = ROOT / "glaciers"


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [p.relative_to(GLACIERS).as_posix() for p in sorted(GLACIERS.glob("[!c]*/**/*.tif")) if "mask" not in p.name]
    or ["none"],
)
def test_every_real_raster_opens_in_its_units(name):
    if not (GLACIERS / name).is_file():
        pytest.skip("the real rasters are not beside this checkout (set POLYNYA_REAL_DATA)")
    scene = glacier_scene.open_scene(GLACIERS / name)
    for sensor, values in glacier_scene.read(scene).items():
        for band, value in zip(TABLE[sensor].bands, values, strict=True):
            known = value[np.isfinite(value)]
            assert known.size == 0 or (
                np.quantile(known, 0.001) >= band.low and np.quantile(known, 0.999) <= band.high
            ), band.name
        assert np.isfinite(values[0]).any()
    if "dem_slope" in name:  # its slope was made by others, on an 8 m grid
        with rasterio.open(GLACIERS / name) as file:
            np.testing.assert_array_equal(glacier_scene.read(scene)["dem"], file.read())


@pytest.mark.real
def test_our_slope_agrees_with_that_of_the_real_height_model(tmp_path):
    path = GLACIERS / "everest_landsat7_2000" / "everest_l7_dem_slope_hma_west.tif"
    if not path.is_file():
        pytest.skip("the real height model is not beside this checkout (set POLYNYA_REAL_DATA)")
    with rasterio.open(path) as file:
        height, given, profile = file.read(1), file.read(2), file.profile
    alone = scene_rasters.write(
        tmp_path / "dem.tif",
        height[None],
        names=("elevation",),
        crs=32645,
        transform=profile["transform"],
        nodata=np.nan,
    )
    own = glacier_scene.read(glacier_scene.open_scene(alone))["dem"][1]
    both = np.isfinite(own) & np.isfinite(given)
    assert np.median(np.abs(own - given)[both]) < 1.0 and np.corrcoef(own[both], given[both])[0, 1] > 0.97


def _text(path):
    path.write_text("no raster")
    return path


def _empty(path):
    path.mkdir()
    return path


def _broken_json(path):
    folder(path, shape=(4, 4))
    (path / "scene.json").write_text("{")
    return path


def test_a_large_band_is_never_decoded_whole_to_tell_its_unit():
    """Pieces spread over the band: fewer pixels than a hundredth of it, corners included."""
    from polynya.readers import band_sample, scene_geotiff

    asked = []

    class Source:
        height, width, shape = 9000, 7000, (9000, 7000)

        def read(self, band, *, window, masked):
            asked.append(window)
            return np.ma.masked_array(
                np.full((int(window.height), int(window.width)), float(window.row_off + window.col_off))
            )

    low, high = scene_geotiff._range(Source(), 0)
    assert (
        sum(w.height * w.width for w in asked) < 9000 * 7000 / 100
        and low == 0.0
        and high == 9000 + 7000 - 2 * band_sample.PIECE_PX
    )


@pytest.mark.parametrize("text", ["http://x.org/a.tif", "optical=https://x.org/a.tif", "s3://bucket/a.tif"])
def test_an_address_is_no_scene(text):
    """The message shows the address as it was written, though a path object loses a slash of it."""
    with pytest.raises(ProductError, match=rf"^{text.partition('=')[2] or text}: is an address, not a file"):
        glacier_scene.open_scene([text])
