"""STAC items on disk, in the manner of published ones: which asset is which band, by the item's own factors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.scenes import scene as glacier_scene
from tests.readers.scene_rasters import write
from tests.readers.test_landsat import NAME, product

BANDS = {
    "blue": ("blue", 0),
    "green": ("green", 1),
    "red": ("red", 2),
    "nir": ("nir", 3),
    "nir08": ("nir08", 9),
    "swir16": ("swir16", 4),
    "swir22": ("swir22", 5),
}


def sentinel2(folder, *, version="1.0.0", change=None):
    """An item as of a public Sentinel-2 catalogue; blue holds 3000 counts, green 3100 ..."""
    assets = {
        "visual": {
            "href": "./TCI.tif",
            "roles": ["visual"],
            "eo:bands": [
                {"name": "red", "common_name": "red"},
                {"name": "green", "common_name": "green"},
                {"name": "blue", "common_name": "blue"},
            ],
        },
        "thumbnail": {
            "href": "https://somewhere.org/preview.jpg",
            "roles": ["thumbnail"],
            "eo:bands": [{"common_name": "red"}],
        },
    }
    for key, (common, i) in BANDS.items():
        resolution = 10.0 if key in ("blue", "green", "red", "nir") else 20.0
        size = (1, 24, 32) if resolution == 10.0 else (1, 12, 16)
        counts = np.full(size, 3000 + 100 * i, np.uint16)
        counts[0, 0, 0] = 0
        write(folder / f"{key}.tif", counts, resolution=resolution)
        factors = {"scale": 1e-4, "offset": -0.1, "nodata": 0, "data_type": "uint16"}
        if version == "1.0.0":
            assets[key] = {
                "href": f"./{key}.tif",
                "eo:bands": [{"name": key, "common_name": common}],
                "raster:bands": [factors],
            }
        else:
            assets[key] = {
                "href": f"./{key}.tif",
                "nodata": 0,
                "bands": [{"name": key, "eo:common_name": common, "raster:scale": 1e-4, "raster:offset": -0.1}],
            }
    scl = np.full((1, 12, 16), 11, np.uint8)
    scl[0, :, 8:] = 8
    write(folder / "SCL.tif", scl, resolution=20.0)
    assets["scl"] = {"href": "./SCL.tif"}
    item = {
        "type": "Feature",
        "stac_version": version,
        "id": "S2B_32TPS_20220801_0_L2A",
        "collection": "sentinel-2-l2a",
        "assets": assets,
        "properties": {
            "datetime": "2022-08-01T10:20:30.500Z",
            "view:sun_elevation": 55.5,
            "view:sun_azimuth": 149.0,
            "platform": "sentinel-2b",
        },
    }
    if change:
        change(item)
    (folder / "item.json").write_text(json.dumps(item))
    return folder / "item.json"


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_a_sentinel_2_item_by_its_own_factors(tmp_path, version):
    scene = glacier_scene.open_scene(sentinel2(tmp_path, version=version))
    found = glacier_scene.read(scene)["optical"]
    assert found.shape == (6, 24, 32)
    np.testing.assert_allclose(found[:, 5, 5], (3000 + 100 * np.arange(6)) * 1e-4 - 0.1, atol=1e-6)
    assert np.isnan(found[:4, 0, 0]).all()
    assert scene.time == np.datetime64("2022-08-01T10:20:30.5", "ns") and scene.sun_elevation == 55.5
    assert any("surface reflectance" in n.text for n in scene.notes)
    cloud = glacier_scene.read_cloud(scene)
    assert (cloud[:, :16] == glacier_scene.CLEAR).all() and (cloud[:, 16:] == glacier_scene.CLOUD).all()


def test_one_item_a_sensor_together(tmp_path):
    s2 = sentinel2(tmp_path / "s2" if (tmp_path / "s2").mkdir() is None else tmp_path)
    (tmp_path / "s1").mkdir()
    write(tmp_path / "s1" / "vv.tif", np.full((1, 24, 32), 0.3, np.float32))
    write(tmp_path / "s1" / "vh.tif", np.full((1, 24, 32), -20.0, np.float32))
    (tmp_path / "s1" / "item.json").write_text(
        json.dumps(
            {
                "type": "Feature",
                "id": "S1A_IW_RTC",
                "properties": {"datetime": "2022-08-03T05:00:00Z", "sat:orbit_state": "descending"},
                "assets": {"vv": {"href": "vv.tif"}, "vh": {"href": "vh.tif", "raster:bands": [{"unit": "dB"}]}},
            }
        )
    )
    (tmp_path / "dem").mkdir()
    write(tmp_path / "dem" / "x.tif", np.tile(np.arange(32, dtype=np.float32) * 5 + 900, (1, 24, 1)))
    (tmp_path / "dem" / "item.json").write_text(
        json.dumps(
            {
                "type": "Feature",
                "id": "Copernicus_DSM_COG_10",
                "collection": "cop-dem-glo-30",
                "properties": {"datetime": None},
                "assets": {"data": {"href": "x.tif"}},
            }
        )
    )
    scene = glacier_scene.open_scene([s2, tmp_path / "s1" / "item.json", tmp_path / "dem" / "item.json"])
    found = glacier_scene.read(scene)
    assert scene.sensors == ("optical", "dem", "co_pol_sar", "cross_pol_sar")
    assert np.isnan(found["co_pol_sar"][0]).all() and found["co_pol_sar"][1, 3, 3] == np.float32(0.3)
    assert found["cross_pol_sar"][1, 3, 3] == pytest.approx(0.01)
    np.testing.assert_allclose(found["dem"][1], np.degrees(np.arctan(0.5)), atol=0.05)
    assert not any("no file says from which pass" in n.text for n in scene.notes)


def test_a_landsat_level_1_item_leads_to_its_mtl(tmp_path):
    folder = product(tmp_path / "p", "LANDSAT_8", form="json")
    item = {
        "type": "Feature",
        "id": NAME["LANDSAT_8"],
        "properties": {"datetime": "2020-08-01T10:00:00Z", "landsat:correction": "L1TP"},
        "assets": {
            "MTL.json": {"href": f"{NAME['LANDSAT_8']}_MTL.json"},
            "blue": {"href": f"{NAME['LANDSAT_8']}_B2.TIF", "eo:bands": [{"common_name": "blue"}]},
        },
    }
    (folder / "item.json").write_text(json.dumps(item))
    np.testing.assert_allclose(
        glacier_scene.read(glacier_scene.open_scene(folder / "item.json"))["optical"][:, 3, 3], 0.1, atol=1e-6
    )


def test_what_an_item_may_not_do(tmp_path):
    def no_factors(item):
        del item["assets"]["blue"]["raster:bands"]

    def nothing(item):
        item["assets"] = {"info": {"href": "./info.html"}}

    def collection(item):
        item["type"] = "Collection"

    def elsewhere(item):
        for key, asset in item["assets"].items():
            asset["href"] = f"https://archive.org/x/{key}_none.tif?signature=1"

    def several(item):
        item["features"] = [{}, {}]

    for change, says in (
        (no_factors, "without scale"),
        (nothing, "no asset of it is a band"),
        (collection, "expected a STAC item"),
        (elsewhere, r"none of its 6 bands is on this computer \(blue lies at https://archive.org/x/blue_none.tif\)"),
        (several, "holds 2 STAC items; expected one"),
    ):
        folder = tmp_path / change.__name__
        folder.mkdir()
        with pytest.raises(ProductError, match=says) as error:
            glacier_scene.open_scene(sentinel2(folder, change=change))
        assert "signature" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "href", ["https://archive.org/x/other.tif?signature=1", "s3://bucket/x/other.tif", "./gone.tif"]
)
def test_an_asset_that_is_not_here_is_left_aside(tmp_path, href):
    def change(item):
        item["assets"]["blue"]["href"] = href

    scene = glacier_scene.open_scene(sentinel2(tmp_path, change=change))
    found = glacier_scene.read(scene)["optical"]
    assert np.isnan(found[0]).all() and found[1, 5, 5] == pytest.approx(0.21)
    notes = [n.text for n in scene.notes if n.code == "asset_elsewhere"]
    assert len(notes) == 1 and f"blue ({href.split('?')[0]})" in notes[0] and "signature" not in notes[0]


@pytest.mark.parametrize(
    "href",
    [
        "https://archive.org/x/blue.tif?signature=1",
        "s3://bucket/a/blue.tif",
        "C:\\data\\s2\\blue.tif",
        "../elsewhere/blue.tif",
        "BLUE.TIF",
    ],
)
def test_a_file_beside_the_item_counts_whatever_address_it_has(tmp_path, href):
    def change(item):
        item["assets"]["blue"]["href"] = href

    scene = glacier_scene.open_scene(sentinel2(tmp_path, change=change))
    assert glacier_scene.read(scene)["optical"][0, 5, 5] == pytest.approx(0.2)
    assert not any(n.code == "asset_elsewhere" for n in scene.notes)


def test_an_item_in_an_archive(tmp_path):
    import zipfile

    folder = tmp_path / "s2"
    folder.mkdir()
    sentinel2(folder)
    with zipfile.ZipFile(tmp_path / "item.zip", "w") as out:
        for file in folder.iterdir():
            out.write(file, f"scenes/a/{file.name}")
    for given in (tmp_path / "item.zip", tmp_path / "item.zip" / "scenes" / "a" / "item.json"):
        found = glacier_scene.read(glacier_scene.open_scene(given))["optical"]
        np.testing.assert_allclose(found[:, 5, 5], (3000 + 100 * np.arange(6)) * 1e-4 - 0.1, atol=1e-6)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize("order", [("nir", "nir08"), ("nir08", "nir")])
def test_near_infrared_is_the_10_m_band_wherever_it_stands(tmp_path, order, version):
    """Sentinel-2 items list B8 (nir) and B8A (nir08) in any order; the wide band B8 is meant, 3300 counts here."""

    def sort(item):
        assets = item["assets"]
        first = {k: assets.pop(k) for k in order}
        item["assets"] = {**first, **assets}

    scene = glacier_scene.open_scene(sentinel2(tmp_path, version=version, change=sort))
    np.testing.assert_allclose(glacier_scene.read(scene)["optical"][3, 5, 5], 0.23, atol=1e-6)


def test_the_narrow_near_infrared_is_taken_where_there_is_no_other(tmp_path):
    """Landsat items have nir08 only, 3900 counts here."""
    scene = glacier_scene.open_scene(sentinel2(tmp_path, change=lambda item: item["assets"].pop("nir")))
    np.testing.assert_allclose(glacier_scene.read(scene)["optical"][3, 5, 5], 0.29, atol=1e-6)


@pytest.mark.parametrize("is_link", [False, True])
def test_an_asset_outside_the_items_folder_is_read_only_where_the_user_names_it(tmp_path, monkeypatch, is_link):
    folder, other = tmp_path / "item", tmp_path / "other"
    folder.mkdir()
    other.mkdir()

    def change(item):
        item["assets"]["blue"]["href"] = "blue.tif" if is_link else "../other/private.tif"

    path = sentinel2(folder, change=change)
    (folder / "blue.tif").rename(other / "private.tif")
    if is_link:
        (folder / "blue.tif").symlink_to(other / "private.tif")
    monkeypatch.delenv("POLYNYA_ITEM_FOLDERS", raising=False)
    with pytest.raises(ProductError, match=r"item\.json: its asset .* lies outside the item's folder; expected"):
        glacier_scene.open_scene(path)
    monkeypatch.setenv("POLYNYA_ITEM_FOLDERS", f"/nowhere:{other}")
    assert glacier_scene.read(glacier_scene.open_scene(path))["optical"][0, 5, 5] == pytest.approx(0.2)
