"""Real metadata of Sentinel-2 and Landsat with small images beside them, read as the commands read them: folders,
archives of every kind, the layout of the public bucket, MTL files of every form."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile

import numpy as np
import pytest
from rasterio.enums import Resampling

from polynya.errors import ProductError
from polynya.io import opening
from polynya.readers import sentinel2
from polynya.scenes import scene as glacier_scene
from polynya.workflows import info
from tests.readers import real_scenes
from tests.readers.real_scenes import SIDE, SIX, SIZES, counts_of
from tests.real_files import scenes

pytestmark = pytest.mark.real
SAFES = {
    "S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE": (0, "2021-09-08T04:"),
    "S2B_MSIL2A_20191228T210519_N0212_R071_T01CCV_20201003T104658.SAFE": (0, "2019-12-28T21:"),
    "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE": (-1000, "2022-04-13T15:"),
    "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE": (-1000, "2023-08-21T22:"),
}
"""Product to the offset of its counts by the agency's announcement (-1000 from baseline 04.00 on) and its time."""
LATEST = "S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE"


def optical_of(path):
    scene = glacier_scene.open_scene([str(path)])
    return scene, glacier_scene.read(scene)["optical"]


def check(found, *, offset, bands=SIX):
    """Compare the bands that lie on the scene's own grid, pixel by pixel, and the others by their mean."""
    for place, band in enumerate(bands):
        side = found.shape[1]
        counts = counts_of(band, SIDE * 10 // SIZES[band]).astype(float)
        wanted = np.where(counts == 0, np.nan, (counts + offset) / 10000)
        if counts.shape[0] == side:
            np.testing.assert_allclose(found[place], wanted, atol=1e-6)
        else:
            assert np.nanmean(found[place]) == pytest.approx(np.nanmean(wanted), abs=2e-3)


@pytest.mark.parametrize("name", sorted(SAFES))
def test_a_real_safe(tmp_path, name):
    scene, found = optical_of(real_scenes.safe(tmp_path, name))
    offset, time = SAFES[name]
    check(found, offset=offset)
    assert str(scene.time).startswith(time) and scene.shape == (SIDE, SIDE) and 0 < scene.sun_elevation < 90
    assert any("Level-2A" in n.text for n in scene.notes) == ("MSIL2A" in name)
    if "MSIL2A" in name:
        cloud = glacier_scene.read_cloud(scene)
        assert (cloud[2:, : SIDE // 2] == 0).all() and (cloud[2:, SIDE // 2 :] == 1).all()


@pytest.fixture(scope="module")
def latest(tmp_path_factory):
    return real_scenes.safe(tmp_path_factory.mktemp("safe"), LATEST)


@pytest.mark.parametrize("kind", ["zip", "deep", "bare", "windows", "noname", "tar", "tar.gz", "inner", "metadata"])
def test_a_safe_in_an_archive(tmp_path, latest, kind):
    if kind in ("tar", "tar.gz"):
        path = real_scenes.tarred(latest, tmp_path / f"scene.{kind}", root=latest.name)
    else:
        path = real_scenes.zipped(
            latest,
            tmp_path / ("scene" if kind == "noname" else f"{LATEST}.zip"),
            root={"deep": f"a/b c/{LATEST}", "bare": ""}.get(kind),
            windows=kind == "windows",
            method=zipfile.ZIP_STORED if kind == "deep" else zipfile.ZIP_DEFLATED,
        )
    given = {"inner": path / LATEST, "metadata": path / LATEST / "MTD_MSIL2A.xml"}.get(kind, path)
    scene, found = optical_of(given)
    check(found, offset=-1000)
    assert scene.name == LATEST.removesuffix(".SAFE")
    assert os.listdir(tmp_path) == [path.name]
    about, text = info.describe(info.parts([str(given)])[0])
    assert about["kind"] == "scene" and "polynya glaciers" in text and about["sensors"][0]["product"] == "S2MSI2A"


def test_a_safe_zip_for_the_colour_rule(latest, tmp_path):
    scene = sentinel2.open_scene(real_scenes.zipped(latest, tmp_path / "x.zip"))
    counts = counts_of("B04", SIDE).astype(float)
    np.testing.assert_allclose(sentinel2.reflectance(scene, ["B04"])[0, 3:], (counts[3:] - 1000) / 10000, atol=1e-6)


def test_only_the_20_m_bands(tmp_path):
    sizes = {b: 20 for b in SIZES if b != "B08"}
    folder = real_scenes.safe(tmp_path, LATEST, bands=tuple(sizes), sizes=sizes)
    scene, found = optical_of(folder)
    assert scene.shape == (SIDE // 2, SIDE // 2) and scene.geobox.affine.a == 20
    for place, band in enumerate(("B02", "B03", "B04", "B8A", "B11", "B12")):
        counts = counts_of(band, SIDE // 2).astype(float)
        np.testing.assert_allclose(found[place], np.where(counts == 0, np.nan, (counts - 1000) / 1e4), atol=1e-6)
    assert any("nir is B8A (20 m), the product has no other" in n.text for n in scene.notes)


def test_a_safe_without_a_colour(tmp_path):
    folder = real_scenes.safe(tmp_path, LATEST, bands=("B03", "B08", "B11", "SCL"))
    scene, found = optical_of(folder)
    assert np.isnan(found[[0, 2, 5]]).all() and np.isfinite(found[[1, 3, 4], 5, 5]).all()
    assert any("optical has no blue, red, swir2" in n.text for n in scene.notes)
    empty = real_scenes.safe(tmp_path / "empty", LATEST, bands=())
    with pytest.raises(ProductError, match=r"none of the files of B02.* is there"):
        glacier_scene.open_scene(empty)


def test_names_in_lower_case(tmp_path, latest):
    """Some programs write a product's names anew."""
    folder = tmp_path / "x.safe"
    for path in latest.rglob("*"):
        if path.is_file():
            place = folder / str(path.relative_to(latest)).lower()
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    check(optical_of(folder)[1], offset=-1000)
    check(optical_of(real_scenes.zipped(folder, tmp_path / "X.ZIP"))[1], offset=-1000)


def test_another_baseline_and_offset(tmp_path, latest):
    folder = tmp_path / LATEST
    shutil.copytree(latest, folder)
    main = folder / "MTD_MSIL2A.xml"
    main.write_text(
        main.read_text().replace(">05.09<", ">06.77<").replace(">-1000</BOA_ADD_OFFSET>", ">-700</BOA_ADD_OFFSET>")
    )
    check(optical_of(folder)[1], offset=-700)


@pytest.mark.parametrize("kind", ["without product metadata", "level 1", "zip", "tileInfo.json"])
def test_the_layout_of_the_public_bucket(tmp_path, kind):
    names = () if kind in ("without product metadata", "level 1") else ("product_metadata.xml", "tileInfo.json")
    folder = real_scenes.aws(tmp_path, names=names, level_1=kind == "level 1")
    given = folder / "tileInfo.json" if kind == "tileInfo.json" else folder
    if kind == "zip":
        given = real_scenes.zipped(folder, tmp_path / "t.zip", root="34/L/BQ/2022/4/1/0")
    scene, found = optical_of(given)
    check(found, offset=-7000 if names else -1000)  # what this file says; what baseline 04.00 is by the guides
    assert any("add -7000 to the counts; 0 or -1000 is usual" in n.text for n in scene.notes) == bool(names)
    assert str(scene.time).startswith("2022-04-01T09:03:19.283")
    assert scene.sources[0].product == ("S2MSI1C" if kind == "level 1" else "S2MSI2A")
    assert any("by processing baseline 04.00" in n.text for n in scene.notes) == (not names)
    about, _ = info.describe(info.parts([str(given)])[0])
    assert about["kind"] == "scene"


MTLS = [
    "landsat_c2/metadata_only/LC09_L2SP_010065_20220129_20220131_02_T1_MTL.txt",
    "landsat_c2/metadata_only/LC09_L2SP_010065_20220129_20220131_02_T1_MTL.xml",
    "landsat_c2/metadata_only/LE07_L2SP_021030_20100109_20200911_02_T1_MTL.xml",
    "landsat_c2/metadata_only/LT04_L2SP_002026_19830110_20200918_02_T1_MTL.xml",
    "landsat_c2/metadata_only/LT05_L2SP_010067_19860424_20200918_02_T2_MTL.xml",
    "landsat_c2_l1/LC08_L1GT_120038_20210105_20210105_02_RT_MTL.txt",
    "landsat_c2_l1/LE07_L1TP_120038_20210113_20210113_02_RT_MTL.txt",
]
NUMBERS = {"LC08": "234567", "LC09": "234567", "LE07": "123457", "LT04": "123457", "LT05": "123457"}


def landsat_wanted(folder, mtl, number):
    """Return reflectance by a plain reading of the MTL file, (40, 50)."""
    text = mtl.read_text()
    counts = real_scenes.landsat_counts(re.search(rf"FILE_NAME_BAND_{number}\W+?\"?([A-Z0-9_]+\.TIF)", text)[1])
    if "L2SP" in mtl.name:
        out = counts * 2.75e-05 - 0.2
    else:
        keys = [f"REFLECTANCE_{k}_BAND_{number}" for k in ("MULT", "ADD")] + ["SUN_ELEVATION"]
        mult, add, sun = (float(re.search(rf"{k}\W+?(-?[\d.]+(?:E[-+]\d+)?)", text)[1]) for k in keys)
        out = (counts * mult + add) / np.sin(np.radians(sun))
    return np.where(counts == 0, np.nan, out)


@pytest.mark.parametrize("name", MTLS)
def test_a_real_mtl(tmp_path, name):
    mtl = scenes(name)
    folder = real_scenes.landsat(tmp_path, mtl)
    for given in (folder, folder / mtl.name):
        scene, found = optical_of(given)
        for place, number in enumerate(NUMBERS[mtl.name[:4]]):
            np.testing.assert_allclose(found[place], landsat_wanted(folder, mtl, number), atol=2e-6)
    assert scene.sensors == ("optical", "thermal")
    heat = glacier_scene.read(scene)["thermal"][0]
    assert np.isnan(heat[0, 0]) and 100 < np.nanmean(heat) < 400
    assert any("surface reflectance" in n.text for n in scene.notes) == ("L2SP" in name)
    assert (glacier_scene.read_cloud(scene)[1:] == glacier_scene.CLEAR).all()


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip", "lower", "windows"])
def test_landsat_in_an_archive(tmp_path, kind):
    mtl = scenes("landsat_c2/metadata_only/LT05_L2SP_010067_19860424_20200918_02_T2_MTL.xml")
    folder = real_scenes.landsat(tmp_path / "in", mtl, upper=kind != "lower")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / f"LT05_L2SP.{kind if kind.startswith('tar') else 'zip'}"
    if kind.startswith("tar"):
        path = real_scenes.tarred(folder, out)
    else:
        path = real_scenes.zipped(folder, out, root="a" if kind == "zip" else "", windows=kind == "windows")
    for given in (path, path / "a" / mtl.name if kind == "zip" else path / mtl.name):
        scene, found = optical_of(given)
        np.testing.assert_allclose(found[4], landsat_wanted(folder, mtl, "5"), atol=2e-6)
    assert scene.sensors == ("optical", "thermal") and os.listdir(out.parent) == [path.name]
    about, _ = info.describe(info.parts([str(path)])[0])
    assert about["kind"] == "scene" and about["sensors"][0]["product"] == "Landsat 5 L2SP"


def test_a_real_level_2_product(tmp_path):
    """Real pixels: surface reflectance of Greenland lies between shadow and fresh snow, ice is cold."""
    folder = scenes("landsat_c2/assets")
    for given in (folder, next(folder.glob("*_MTL.json")), real_scenes.tarred(folder, tmp_path / "L.tar")):
        scene, found = optical_of(given)
        assert scene.shape == (512, 512) and str(scene.time).startswith("2015-07-10T1")
        low, high = np.nanquantile(found, (0.05, 0.95))
        assert -0.05 < low < high < 1.2
        with opening.open_raster(next(folder.glob("*SR_B2.TIF"))) as source:
            counts = source.read(1, resampling=Resampling.nearest).astype(float)
        np.testing.assert_allclose(found[0], np.where(counts == 0, np.nan, counts * 2.75e-5 - 0.2), atol=2e-6)


def test_several_products_in_one_archive(tmp_path, latest):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name in (LATEST, LATEST.replace("T01KAB", "T01KAC")):
            for file in latest.rglob("*"):
                if file.is_file():
                    out.write(file, f"{name}/{file.relative_to(latest)}")
    with pytest.raises(ProductError, match=rf"holds 2 scenes, .* expected one\. Name it: {path}/{LATEST}\.$"):
        glacier_scene.open_scene(path)
    check(optical_of(path / LATEST)[1], offset=-1000)


def test_archives_that_hold_no_scene(tmp_path, latest):
    whole = real_scenes.zipped(latest, tmp_path / "whole.zip")
    nested = tmp_path / "nested.zip"
    with zipfile.ZipFile(nested, "w") as out:
        out.write(whole, "whole.zip")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as out:
        out.writestr("readme.txt", "x")
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:-400])
    page = tmp_path / "page.tar.gz"
    page.write_text("<html>log in</html>")
    for path, says in (
        (nested, r"nested\.zip: holds whole\.zip; expected one scene"),
        (other, r"other\.zip: holds readme\.txt"),
        (cut, r"cut\.zip: cannot be read as a zip archive .* may be cut"),
        (page, r"page\.tar\.gz: is no zip or tar archive inside"),
        (whole / "none", r"none: no such scene"),
    ):
        with pytest.raises(ProductError, match=says) as error:
            glacier_scene.open_scene(path)
        assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_cut_image_in_a_whole_archive(tmp_path, latest):
    folder = tmp_path / LATEST
    shutil.copytree(latest, folder)
    image = next(folder.rglob("*_B04_10m.jp2"))
    os.truncate(image, image.stat().st_size // 2)
    with pytest.raises(ProductError, match=r"_B04_10m\.jp2 is cut short"):
        glacier_scene.open_scene(real_scenes.zipped(folder, tmp_path / "x.zip"))


def test_an_mtl_of_another_collection(tmp_path):
    path = tmp_path / "X_MTL.json"
    path.write_text(json.dumps({"L1_METADATA_FILE": {"METADATA_FILE_INFO": {"ORIGIN": "x"}}}))
    with pytest.raises(ProductError, match="no PRODUCT_CONTENTS; expected the MTL of Landsat Collection 2"):
        glacier_scene.open_scene(path)
