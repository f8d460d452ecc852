"""SAFE folders and GeoTIFFs, written here in the published layout, read back."""

from __future__ import annotations

import os
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from rasterio.windows import Window

from polynya.errors import ProductError, UsageError
from polynya.io import opening
from polynya.readers import sentinel2, sentinel2_safe
from tests.readers import safe_tree

SHAPE = (120, 180)
BANDS_2A = ("B01", "B02", "B03", "B04", "B05", "B08", "B8A", "B09", "B11", "B12")


def noise(shape, low, high, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape)


@pytest.fixture(scope="module")
def level_1c(tmp_path_factory):
    """Baseline 05.09: offsets of -1000, but -900 for B04; TCI; two counts of 0 in B04."""
    red = noise(SHAPE, 1000, 9000, 1).astype(np.uint16)
    red[0, :2] = 0
    counts = {
        "B04": red,
        "B11": noise((60, 90), 1000, 9000, 2).astype(np.uint16),
        "B01": noise((20, 30), 1000, 9000, 3).astype(np.uint16),
    }
    tci = noise((*SHAPE, 3), 1, 256, 4).astype(np.uint8)
    tci[0, :2] = 0
    offsets = {**dict.fromkeys(safe_tree.ORDER, -1000), "B04": -900}
    folder = safe_tree.write_safe(tmp_path_factory.mktemp("l1c"), counts=counts, tci=tci, offsets=offsets)
    return folder, counts, tci


@pytest.fixture(scope="module")
def level_2a(tmp_path_factory):
    """Baseline 05.09, with a dark-water pixel that Sen2Cor wrote as black."""
    tci = noise((*SHAPE, 3), 1, 256, 5).astype(np.uint8)
    tci[10:12, 20:24] = 0
    scl = noise((60, 90), 1, 12, 6).astype(np.uint8)
    scl[5, 10], scl[5, 11] = 6, 0
    return safe_tree.write_safe(tmp_path_factory.mktemp("l2a"), level="2A", tci=tci, scl=scl), tci, scl


def test_what_a_level_1c_scene_says_of_itself(level_1c):
    scene = sentinel2.open_scene(level_1c[0])
    assert scene.product == "S2MSI1C" and scene.scene_id == level_1c[0].name.removesuffix(".SAFE")
    # The tile was sensed seven minutes after the datatake began: the tile's own time counts.
    assert scene.time == np.datetime64("2019-11-04T19:52:07.471949", "ns") and scene.time.dtype == np.dtype(
        "datetime64[ns]"
    )
    assert tuple(scene.geobox.shape) == SHAPE and scene.geobox.crs.epsg == safe_tree.EPSG
    assert tuple(scene.geobox.affine)[:6] == (10.0, 0.0, safe_tree.CORNER[0], 0.0, -10.0, safe_tree.CORNER[1])
    assert scene.sun_elevation == pytest.approx(90 - 61.25) and scene.sun_azimuth == pytest.approx(48.5)
    assert scene.bands == safe_tree.ORDER and not scene.has_classification
    assert "true colour: the product's own TCI" in [n.text for n in scene.notes]


def test_the_metadata_file_names_the_scene_too(level_1c):
    folder = level_1c[0]
    assert sentinel2.open_scene(folder / "MTD_MSIL1C.xml") == sentinel2.open_scene(folder)


def test_reflectance_takes_the_products_own_offset_band_by_band(level_1c):
    folder, counts, _ = level_1c
    scene = sentinel2.open_scene(folder)
    found = sentinel2.reflectance(scene, ("B04", "B11", "B12"))
    assert found.dtype == np.float32 and found.shape == (3, *SHAPE)
    assert np.isnan(found[0, 0, :2]).all() and np.isnan(found).sum() == 2
    np.testing.assert_allclose(found[0, 1:], (counts["B04"][1:] - 900.0) / 10000, atol=1e-6)
    np.testing.assert_allclose(found[1], np.kron(counts["B11"], np.ones((2, 2))) / 1e4 - 0.1, atol=1e-6)
    np.testing.assert_allclose(found[2], (12500 - 1000) / 1e4, atol=1e-6)


def test_before_baseline_4_there_is_no_offset(tmp_path):
    folder = safe_tree.write_safe(tmp_path, baseline="02.04")
    scene = sentinel2.open_scene(folder)
    np.testing.assert_allclose(sentinel2.reflectance(scene, ["B03"])[0], 0.25, atol=1e-7)
    assert "true colour: 255 * reflectance / 0.3558, no TCI in the product" in [n.text for n in scene.notes]


def test_level_2a_reads_the_finest_file_of_a_band_and_its_own_offset_element(level_2a, tmp_path):
    scene = sentinel2.open_scene(level_2a[0])
    assert scene.product == "S2MSI2A" and "B10" not in scene.bands and scene.has_classification
    # B02 is there at 10, 20 and 60 m; the coarser copies hold other counts.
    np.testing.assert_allclose(
        sentinel2.reflectance(scene, ["B02", "B01"])[:, 0, 0], [(1500 - 1000) / 1e4, (500 - 1000) / 1e4], atol=1e-7
    )
    old = sentinel2.open_scene(safe_tree.write_safe(tmp_path, level="2A", baseline="02.08", tci=level_2a[1]))
    np.testing.assert_allclose(sentinel2.reflectance(old, ["B02"])[0], 0.15, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_window_is_a_cut_of_the_whole(level_1c, data):
    scene = sentinel2.open_scene(level_1c[0])
    r0, c0 = data.draw(st.integers(0, SHAPE[0] - 1)), data.draw(st.integers(0, SHAPE[1] - 1))
    r1, c1 = data.draw(st.integers(r0 + 1, SHAPE[0])), data.draw(st.integers(c0 + 1, SHAPE[1]))
    whole = sentinel2.reflectance(scene, ("B04", "B11", "B01"))
    part = sentinel2.reflectance(scene, ("B04", "B11", "B01"), window=((r0, r1), (c0, c1)))
    np.testing.assert_array_equal(part, whole[:, r0:r1, c0:c1])
    np.testing.assert_array_equal(
        sentinel2.true_colour(scene, window=Window(c0, r0, c1 - c0, r1 - r0)), level_1c[2][r0:r1, c0:c1]
    )


def test_level_2a_colours_are_on_level_1c_s_scale(level_2a):
    """Its own TCI saturates at 0.2; made from the bands, one threshold means one reflectance in both levels."""
    scene = sentinel2.open_scene(level_2a[0])
    bands = sentinel2.reflectance(scene, sentinel2.TRUE_COLOUR).astype(np.float64)
    expected = np.clip(np.rint(np.moveaxis(bands, 0, -1) / 0.3558 * 255), 1, 255)
    known = np.isfinite(bands).all(axis=0)
    np.testing.assert_array_equal(sentinel2.true_colour(scene)[known], expected[known])
    assert any("255 * reflectance / 0.3558 as in Level-1C, from the bands" in n.text for n in scene.notes)


@pytest.fixture
def only_tci(level_2a, tmp_path):
    folder = Path(shutil.copytree(level_2a[0], tmp_path / level_2a[0].name))
    for file in folder.rglob("*_B0[234]_*.jp2"):
        file.unlink()
    return folder, level_2a[1]


def test_dark_water_that_level_2a_wrote_as_black_is_not_missing(only_tci):
    folder, tci = only_tci
    scene = sentinel2.open_scene(folder)
    found = sentinel2.true_colour(scene)
    assert (found[10:12, 20:22] == 1).all()  # the scene classification says water
    assert (found[10:12, 22:24] == 0).all()  # it says no data
    there = np.ones(SHAPE, bool)
    there[10:12, 20:24] = False
    np.testing.assert_array_equal(found[there], tci[there])
    assert any("255 is reflectance 0.2 and not 0.3558" in n.text for n in scene.notes)


@pytest.mark.parametrize("level", ["1C", "2A"])
def test_without_a_tci_it_is_made_as_the_agency_makes_it(tmp_path, level):
    red = np.full(SHAPE, 1000, np.uint16)
    red[0, :5] = [0, 1001, 1000 + round(0.3558 * 4e3), 1000 + round(0.3558 * 1e4), 60000]
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, level=level, counts={"B04": red}))
    found = sentinel2.true_colour(scene)
    assert (found[0, 0] == 0).all()  # no data in one band is no data
    assert found[0, 1:5, 0].tolist() == [1, 102, 255, 255]  # never 0 where there is data; 0.4 of the scale is 102
    assert any("true colour: 255 * reflectance / 0.3558" in n.text for n in scene.notes)


def test_scene_classification_on_the_10_m_grid(level_2a):
    folder, _, scl = level_2a
    scene = sentinel2.open_scene(folder)
    np.testing.assert_array_equal(sentinel2.scene_classification(scene), np.kron(scl, np.ones((2, 2), np.uint8)))
    np.testing.assert_array_equal(
        sentinel2.scene_classification(scene, window=((3, 8), (7, 12))),
        np.kron(scl, np.ones((2, 2), np.uint8))[3:8, 7:12],
    )


def test_level_1c_has_no_scene_classification(level_1c):
    with pytest.raises(
        ProductError,
        match=r"has no scene classification \(product S2MSI1C\); expected a Level-2A product with SCL\. Take another",
    ):
        sentinel2.scene_classification(sentinel2.open_scene(level_1c[0]))


def test_the_pilot_level_2a_of_2017_with_its_own_element_names(level_2a, tmp_path):
    folder = Path(shutil.copytree(level_2a[0], tmp_path / level_2a[0].name))
    main = folder / "MTD_MSIL2A.xml"
    text = main.read_text()
    for old, new in (
        ("S2MSI2A<", "S2MSI2Ap<"),
        ("IMAGE_FILE>", "IMAGE_FILE_2A>"),
        ("PRODUCT_URI>", "PRODUCT_URI_2A>"),
        ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
    ):
        text = text.replace(old, new)
    main.write_text(text)
    pilot, today = sentinel2.open_scene(folder), sentinel2.open_scene(level_2a[0])
    assert (pilot.product, pilot.scene_id, pilot.bands, pilot.time) == (
        today.product,
        today.scene_id,
        today.bands,
        today.time,
    )
    np.testing.assert_array_equal(sentinel2.reflectance(pilot, ["B8A"]), sentinel2.reflectance(today, ["B8A"]))


def test_a_grid_that_is_no_multiple_of_60_m(tmp_path):
    shape = (100, 131)
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, shape=shape))
    assert sentinel2.reflectance(scene, ("B01", "B05", "B02")).shape == (3, *shape)
    assert np.isfinite(sentinel2.reflectance(scene, ("B01", "B05"), window=((99, 100), (130, 131)))).all()


def test_overview_covers_the_same_ground_in_fewer_pixels(level_1c):
    scene = sentinel2.open_scene(level_1c[0])
    rgb, box = sentinel2.overview(scene, most=60)
    assert rgb.shape == (40, 60, 3) and rgb.dtype == np.uint8 and tuple(box.shape) == (40, 60)
    assert box.extent.boundingbox == scene.geobox.extent.boundingbox
    same, box = sentinel2.overview(scene)
    np.testing.assert_array_equal(same, level_1c[2])
    assert box == scene.geobox


def test_windows_cover_every_pixel_once(level_1c):
    seen = np.zeros(SHAPE, int)
    for w in sentinel2.windows(sentinel2.open_scene(level_1c[0]), 50):
        seen[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("window", [((0, 121), (0, 10)), ((-1, 5), (0, 10)), ((5, 5), (0, 10)), Window(0.5, 0, 10, 10)])
def test_windows_outside_are_refused(level_1c, window):
    with pytest.raises(UsageError, match=r"expected whole pixels inside 120 x 180\. Clip it to the scene\."):
        sentinel2.true_colour(sentinel2.open_scene(level_1c[0]), window=window)


def test_read_gives_a_dataset_with_its_grid(level_1c):
    data = sentinel2.read(level_1c[0], bands=("B04",), window=((10, 20), (30, 45)))
    assert data["reflectance"].shape == (1, 10, 15) and "UTM zone 2S" in data["spatial_ref"].attrs["crs_wkt"]
    assert float(data.x[0]) == safe_tree.CORNER[0] + 305 and float(data.y[0]) == safe_tree.CORNER[1] - 105


def test_decoded_tiles_stay_in_the_cache(level_1c):
    """rasterio takes the cache in bytes, GDAL itself takes small numbers as megabytes: with too few, a tile is decoded
    again for every row."""
    file = sentinel2.open_scene(level_1c[0]).file("B04")
    with opening.open_raster(file.path):
        assert rasterio.env.getenv()["GDAL_CACHEMAX"] >= 64 << 20


# ---- damage


@pytest.fixture
def copy(level_1c, tmp_path) -> Path:
    return Path(shutil.copytree(level_1c[0], tmp_path / level_1c[0].name))


def image(folder: Path, band: str) -> Path:
    return next(folder.glob(f"GRANULE/*/IMG_DATA/**/*_{band}.jp2"))


def refused(path: Path) -> str:
    with pytest.raises(ProductError) as caught:
        sentinel2.open_scene(path)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and "expected" in text
    return text


def test_not_a_safe(tmp_path):
    assert "no such scene" in refused(tmp_path / "nothing.SAFE")
    (tmp_path / "x.SAFE").mkdir()
    assert "x.SAFE: is not a SAFE folder: no MTD_MSIL1C.xml and no MTD_MSIL2A.xml in it" in refused(tmp_path / "x.SAFE")
    assert f"Name {tmp_path.name}/x.SAFE." in refused(tmp_path)
    (tmp_path / "x.SAFE" / "S2A_OPER_MTD_SAFL1C_PDMC_20151125.xml").write_text("<a/>")
    assert "the format of before December 2016" in refused(tmp_path / "x.SAFE")
    (tmp_path / "y.zip").write_bytes(b"PK")
    assert "y.zip: is no zip or tar archive inside, or is cut" in refused(tmp_path / "y.zip")
    (tmp_path / "page.tif").write_text("<html>log in</html>")
    assert "page.tif: cannot be read as a raster" in refused(tmp_path / "page.tif")


def test_another_product_and_damaged_metadata(copy):
    main = copy / "MTD_MSIL1C.xml"
    text = main.read_text()
    main.write_text(text.replace("S2MSI1C<", "S2MSI1B<"))
    assert "says product S2MSI1B; expected S2MSI1C or S2MSI2A" in refused(copy)
    main.write_text(text.replace(">10000<", ">many<"))
    assert "the quantification value is 'many'" in refused(copy)
    main.write_text(text.replace('band_id="3"', 'band_id="13"'))
    assert "an offset is for band_id '13'; expected 0 to 12" in refused(copy)
    main.write_text(text[: len(text) // 2])
    assert "MTD_MSIL1C.xml: cannot be read as XML" in refused(copy)
    main.write_text(re.sub(r"GRANULE/[^/]*/(IMG_DATA/[^<]*_B12)", r"GRANULE/L1C_T02CND/\1", text))
    assert "lists images of 2 granules; expected one" in refused(copy)


def test_damaged_tile_metadata(copy):
    tile = next(copy.glob("GRANULE/*/MTD_TL.xml"))
    text = tile.read_text()
    tile.write_text(text.replace("EPSG:32702", "UTM 2"))
    assert "gives the coordinate system 'UTM 2'; expected EPSG:326xx" in refused(copy)
    tile.write_text(text.replace(safe_tree.SENSED, "yesterday"))
    assert "the sensing time is 'yesterday'; expected UTC" in refused(copy)
    tile.write_text(text.replace("<NROWS>120", "<NROWS>1098"))
    assert "expected the tile's 1098 x 180 of 10 m" in refused(copy)
    tile.unlink()
    assert "MTD_TL.xml is missing" in refused(copy)


def test_no_sun_angle_is_said_not_invented(tmp_path):
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, sun=False))
    assert (
        scene.sun_elevation is None
        and scene.sun_azimuth is None
        and "no mean sun angle in MTD_TL.xml" in [n.text for n in scene.notes]
    )


def test_missing_band_files(copy, level_1c):
    image(copy, "B11").unlink()
    scene = sentinel2.open_scene(copy)
    assert "listed in the metadata, but not in the folder: B11" in [n.text for n in scene.notes]
    with pytest.raises(
        ProductError, match=r"the file of B11, .*_B11\.jp2, is missing; the metadata list it\. Download"
    ):
        sentinel2.reflectance(scene, ["B11"])
    with pytest.raises(UsageError, match=r"has no band B99; found B01, "):
        sentinel2.reflectance(scene, ["B99"])
    image(copy, "TCI").unlink()
    assert any("no TCI in the product" in n.text for n in sentinel2.open_scene(copy).notes)
    image(copy, "B03").unlink()
    assert "the image files of B03, TCI are missing" in refused(copy).replace("TCI, B03", "B03, TCI")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("band", ["TCI", "B04"])
def test_a_cut_jp2_is_refused(copy, band, share):
    path = image(copy, band)
    os.truncate(path, int(path.stat().st_size * share))
    assert f"{path.name} is cut short or no JPEG 2000 file" in refused(copy)


def test_whole_jp2_files_are_not_called_cut(level_1c):
    for path in level_1c[0].rglob("*.jp2"):
        assert not sentinel2_safe.jp2_is_cut(path)


def test_paths_that_leave_the_folder_are_not_followed(copy):
    main = copy / "MTD_MSIL1C.xml"
    main.write_text(
        main.read_text().replace(
            "GRANULE/L1C_T02CNC_A013890_20191104T195208/IMG_DATA/T02CNC_20191104T194511_B11",
            "GRANULE/L1C_T02CNC_A013890_20191104T195208/../../../x_B11",
        )
    )
    assert "B11" not in sentinel2.open_scene(copy).bands


# ---- GeoTIFF


def write_tif(
    path,
    data,
    *,
    crs="EPSG:3976",
    names=None,
    nodata=None,
    scale=None,
    offset=None,
    tags=None,
    colours=None,
    transform=None,
    mask=None,
):
    count, height, width = data.shape
    transform = transform or from_origin(-300000, 1e6, 10, 10)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=count,
        dtype=data.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as out:
        out.write(data)
        for i, name in enumerate(names or ()):
            out.set_band_description(i + 1, name)
        if colours:
            out.colorinterp = colours
        if scale is not None:
            out.scales, out.offsets = [scale] * count, [offset] * count
        out.update_tags(**(tags or {}))
        if mask is not None:
            out.write_mask(mask)
    return path


def test_8_bit_geotiff_as_it_is(tmp_path):
    data = noise((3, 30, 40), 0, 256).astype(np.uint8)
    data[:, 0, 0] = 0
    tags = {"SENSING_TIME": "2019-11-04T19:52:01.5Z", "sun_elevation": "23.5", "sun_azimuth": "nonsense"}
    scene = sentinel2.open_scene(write_tif(tmp_path / "a.tif", data, tags=tags))
    assert scene.product == "GeoTIFF" and scene.bands == () and scene.scene_id == "a"
    assert (
        scene.time == np.datetime64("2019-11-04T19:52:01.500", "ns")
        and scene.sun_elevation == 23.5
        and scene.sun_azimuth is None
    )
    np.testing.assert_array_equal(sentinel2.true_colour(scene), np.moveaxis(data, 0, -1))
    with pytest.raises(UsageError, match="has no band B04"):
        sentinel2.reflectance(scene, ["B04"])


@pytest.mark.parametrize("tag", ["SENSING_TIME", "acquisition_time"])
def test_time_of_a_geotiff_is_never_the_files_own_date(tmp_path, tag):
    data = np.ones((3, 8, 8), np.uint8)
    scene = sentinel2.open_scene(
        write_tif(
            tmp_path / "a.tif", data, tags={tag: "2019-11-04T19:52:01Z", "TIFFTAG_DATETIME": "2024:01:01 00:00:00"}
        )
    )
    assert scene.time == np.datetime64("2019-11-04T19:52:01", "ns")
    scene = sentinel2.open_scene(write_tif(tmp_path / "b.tif", data, tags={"TIFFTAG_DATETIME": "2024:01:01 00:00:00"}))
    assert scene.time is None and any(n.code == "time_unknown" for n in scene.notes)


@pytest.mark.parametrize("how", ["nodata", "mask"])
def test_8_bit_black_is_there_where_the_file_says_what_is_missing(tmp_path, how):
    data = noise((3, 30, 40), 1, 256).astype(np.uint8)
    data[:, 0, 0] = 0
    data[:, 0, 1] = 7
    mask = np.ones((30, 40), bool)
    mask[0, 1] = False
    path = write_tif(
        tmp_path / "a.tif", data, nodata=7 if how == "nodata" else None, mask=mask if how == "mask" else None
    )
    found = sentinel2.true_colour(sentinel2.open_scene(path))
    assert found[0, 0].tolist() == [1, 1, 1] and found[0, 1].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found[1:], np.moveaxis(data, 0, -1)[1:])


@pytest.mark.parametrize(("scale", "offset", "factor", "shift"), [(None, None, 1e-4, 0.0), (2e-4, -0.1, 2e-4, -0.1)])
def test_16_bit_geotiff_by_name_with_its_scale(tmp_path, scale, offset, factor, shift):
    data = noise((4, 30, 40), 1, 4000).astype(np.uint16)
    data[:, 3, 4] = 0
    scene = sentinel2.open_scene(
        write_tif(tmp_path / "b.tif", data, names=("B2", "B03", "Band 4", "B8A_20m"), scale=scale, offset=offset)
    )
    assert scene.bands == ("B04", "B03", "B02", "B8A")
    found = sentinel2.reflectance(scene, ("B04", "B02", "B8A"), window=((2, 9), (0, 40)))
    assert np.isnan(found[:, 1, 4]).all()
    np.testing.assert_allclose(found[:, 2:], data[[2, 0, 3]][:, 4:9] * factor + shift, atol=1e-6)
    rgb = sentinel2.true_colour(scene)
    expected = np.clip(np.rint((data[2, 4] * factor + shift) / 0.3558 * 255), 1, 255)
    assert np.abs(rgb[4, :, 0] - expected).max() <= 1 and (rgb[3, 4] == 0).all()


def test_colour_interpretation_and_first_three(tmp_path):
    data = noise((3, 30, 40), 1, 4000).astype(np.uint16)
    by_colour = sentinel2.open_scene(
        write_tif(tmp_path / "c.tif", data, colours=(ColorInterp.blue, ColorInterp.green, ColorInterp.red))
    )
    np.testing.assert_allclose(sentinel2.reflectance(by_colour, ["B04"])[0], data[2] / 1e4, atol=1e-6)
    on_trust = sentinel2.open_scene(write_tif(tmp_path / "d.tif", data, names=("x", "y", "z")))
    np.testing.assert_allclose(sentinel2.reflectance(on_trust, ["B04"])[0], data[0] / 1e4, atol=1e-6)
    assert "red, green, blue: the first three bands, taken on trust" in [n.text for n in on_trust.notes]


def test_geotiffs_that_cannot_serve(tmp_path):
    data = np.ones((3, 8, 8), np.uint8)
    assert "has 2 band(s); expected at least three" in refused(write_tif(tmp_path / "a.tif", data[:2]))
    assert "has no coordinate system" in refused(write_tif(tmp_path / "b.tif", data, crs=None))
    assert "is in degrees" in refused(
        write_tif(tmp_path / "c.tif", data, crs="EPSG:4326", transform=from_origin(0, 0, 0.1, 0.1))
    )
    assert "rotated" in refused(
        write_tif(tmp_path / "d.tif", data, transform=from_origin(0, 0, 10, 10) * rasterio.Affine.rotation(20))
    )
    assert "bands of type int32" in refused(write_tif(tmp_path / "e.tif", data.astype(np.int32)))
    assert "tag sensing_time is 'soon'" in refused(write_tif(tmp_path / "f.tif", data, tags={"SENSING_TIME": "soon"}))


def test_flipped_bytes_in_a_geotiff_are_an_error_not_a_traceback(tmp_path):
    path = write_tif(tmp_path / "a.tif", noise((3, 64, 64), 0, 256).astype(np.uint8))
    raw = bytearray(path.read_bytes())
    rng = np.random.default_rng(zlib.crc32(b"flip"))
    for _ in range(40):
        hurt = bytearray(raw)
        for place in rng.integers(0, 400, 4):
            hurt[place] ^= 1 << rng.integers(8)
        path.write_bytes(hurt)
        try:
            sentinel2.true_colour(sentinel2.open_scene(path))
        except (ProductError, UsageError) as error:
            assert "\n" not in str(error)


def test_a_granule_in_the_scene_s_place_is_one_line_and_nothing_is_printed(tmp_path, capfd):
    path = tmp_path / "ATL03.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(
        ProductError, match=r"ATL03.h5: is an HDF5 file, not a scene; expected a .SAFE folder or a GeoTIFF"
    ):
        sentinel2.open_scene(path)
    assert capfd.readouterr().err == ""


def test_published_numbers():
    """Sentinel-2 Products Specification Document: a Level-1C true colour saturates at a reflectance of 0.3558, a
    Level-2A one at 0.2; the quantification value is 10000; B02, B03, B04 and B08 have 10 m, B01, B09 and B10 60 m."""
    assert (sentinel2.FULL_SCALE, sentinel2.LEVEL_2A_FULL_SCALE) == (0.3558, 0.2)
    assert sentinel2_safe.QUANTIFICATION == 10_000.0
    fine = {b for b, m in sentinel2_safe.NATIVE_M.items() if m == 10}
    assert fine - {"TCI"} == {"B02", "B03", "B04", "B08"}
    assert {b for b, m in sentinel2_safe.NATIVE_M.items() if m == 60} == {"B01", "B09", "B10"}


def test_an_address_is_no_scene():
    with pytest.raises(ProductError, match=r"^https://x\.org/S2A\.SAFE: is an address, not a file"):
        sentinel2.open_scene(Path("https://x.org/S2A.SAFE"))
