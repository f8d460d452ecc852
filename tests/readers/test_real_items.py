"""Real STAC items with small images beside them under the names of their hrefs, read as the commands read them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.scenes import scene as glacier_scene
from polynya.workflows import info
from tests.readers.scene_rasters import write
from tests.real_files import scenes

COLOURS = ("blue", "green", "red", "nir", "swir1", "swir2")
BY_NAME = ("blue", "green", "red", "nir08", "swir16", "swir22")
ESA = ("B02", "B03", "B04", "B08", "B11", "B12")
SIZED = ("B02_10m", "B03_10m", "B04_10m", "B08_10m", "B11_20m", "B12_20m")
SENTINEL, LATER, LANDSAT, HEAT = (1e-4, 0.0), (1e-4, -0.1), (2.75e-05, -0.2), (0.00341802, 149.0)
ITEMS = {
    "stac/S2A_28QCH_20200714_0_L2A.json": (ESA, SENTINEL, None),
    "stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json": (ESA, SENTINEL, 52.0871),
    "stac/cdse_S2B_MSIL2A_20200322.featurecollection.json": (SIZED, LATER, 65.9227),
    "stac/cdse_S2C_MSIL2A_20260527.featurecollection.json": (SIZED, LATER, 43.286),
    "stac/LC08_L2SP_028030_20200114_20200824_02_T1_SR.json": (BY_NAME, LANDSAT, 22.5799),
    "stac/LE07_L2SP_044033_20210329_20210424_02_T1_SR.json": (BY_NAME, LANDSAT, 43.3865),
    "stac/LC08_L2SR_081119_20200101_20200823_02_T2.json": (
        tuple(f"SR_B{n}.TIF" for n in "234567"),
        LANDSAT,
        22.7219,
    ),
    "stac/pc_landsat/LC08_L2SP_047027_20201204_02_T1.json": (BY_NAME, LANDSAT, 18.8072),
    "stac/pc_landsat/LC09_L2SP_010065_20220129_02_T1.json": (BY_NAME, LANDSAT, 57.844),
    "stac/pc_landsat/LE07_L2SP_021030_20100109_02_T1.json": (BY_NAME, LANDSAT, 21.3896),
    "stac/pc_landsat/LT04_L2SP_002026_19830110_02_T1.json": (BY_NAME, LANDSAT, 15.1314),
    "stac/pc_landsat/LT05_L2SP_010067_19860424_02_T2.json": (BY_NAME, LANDSAT, 46.9301),
    "landsat_c2/assets/LC08_L2SP_005009_20150710_20200908_02_T2_SR_stac.json": (
        tuple(f"SR_B{n}.TIF" for n in "234567"),
        LANDSAT,
        40.0016,
    ),
    "landsat_c2/metadata_only/LE07_L2SP_021030_20100109_20200911_02_T1_SR_stac.json": (
        tuple(f"SR_B{n}.TIF" for n in "123457"),
        LANDSAT,
        21.3896,
    ),
    "landsat_c2/metadata_only/LT04_L2SP_002026_19830110_20200918_02_T1_SR_stac.json": (BY_NAME, LANDSAT, 15.1314),
    "landsat_c2/metadata_only/LT05_L2SP_010067_19860424_20200918_02_T2_SR_stac.json": (BY_NAME, LANDSAT, 46.9301),
}
"""Item to the keys of the six bands, the product's factors (agencies' guides) and the sun's elevation it states."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection is an error."""

    def refuse(*_args, **_more):
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def item_of(path: Path) -> dict:
    found = json.loads(path.read_text())
    return found["features"][0] if found["type"] == "FeatureCollection" else found


def counts_of(key: str) -> np.ndarray:
    rng = np.random.default_rng(sum(map(ord, key)))
    out = rng.integers(7500, 30000, (24, 32)).astype(np.uint16)
    out[0, 0] = 0
    return out


def beside(folder: Path, name: str, keys) -> Path:
    """Copy an item and write images under the names of its assets' hrefs; return the copy."""
    path = scenes(name)
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    for key in keys:
        href = item_of(path)["assets"][key]["href"].split("?")[0]
        data = np.full((24, 32), 11, np.uint8) if "SCL" in key else counts_of(key)
        write(folder / href.rsplit("/", 1)[-1], data[None], resolution=30.0)
    return copy


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(ITEMS))
def test_a_real_item(tmp_path, name):
    keys, (scale, offset), sun = ITEMS[name]
    scene = glacier_scene.open_scene(beside(tmp_path, name, keys))
    found = glacier_scene.read(scene)["optical"]
    for place, key in enumerate(keys):
        counts = counts_of(key).astype(float)
        np.testing.assert_allclose(found[place], np.where(counts == 0, np.nan, counts * scale + offset), atol=2e-6)
    about = item_of(scenes(name))
    assert scene.name == about["id"] and str(scene.time)[:10] == about["properties"]["datetime"][:10]
    assert scene.sun_elevation == (None if sun is None else pytest.approx(sun, abs=1e-4))
    assert any("surface reflectance" in n.text for n in scene.notes)
    assert not any(n.code == "asset_elsewhere" and "blue" in n.text for n in scene.notes)
    described, text = info.describe(info.parts([str(tmp_path / Path(name).name)])[0])
    assert described["kind"] == "scene" and "polynya glaciers" in text


@pytest.mark.real
@pytest.mark.parametrize("name", [n for n in sorted(ITEMS) if "cdse" in n])
def test_of_several_pixel_sizes_the_finest_that_is_here(tmp_path, name):
    other = ("B02_20m", "B03_20m", "B04_60m", "B8A_20m", "B11_60m", "SCL_20m", "SCL_60m")
    scene = glacier_scene.open_scene(beside(tmp_path, name, (*SIZED, *other)))
    layers = scene.source("optical").bands
    assert [la.path.stem.split("_", 2)[2] for la in layers] == list(SIZED)
    assert scene.source("optical").cloud.path.stem.endswith("SCL_20m")
    assert (glacier_scene.read_cloud(scene) == glacier_scene.CLEAR).all()
    (tmp_path / "only").mkdir()
    scene = glacier_scene.open_scene(beside(tmp_path / "only", name, other))
    ends = [None if la is None else la.path.stem.split("_", 2)[2] for la in scene.source("optical").bands]
    assert ends == ["B02_20m", "B03_20m", "B04_60m", "B8A_20m", "B11_60m", None]
    assert any("left aside, not on this computer: B12_20m (s3://eodata" in n.text for n in scene.notes)


@pytest.mark.real
def test_a_real_item_beside_its_safe_tree(tmp_path):
    """As the Copernicus Data Space delivers: ``file:local_path`` leads into the tree."""
    name = "stac/cdse_S2C_MSIL2A_20260527.featurecollection.json"
    (tmp_path / "item.json").write_text(json.dumps(item_of(scenes(name))))
    for key in SIZED:
        place = tmp_path / item_of(scenes(name))["assets"][key]["file:local_path"]
        write(place.with_suffix(".tif"), counts_of(key)[None])
        place.with_suffix(".tif").rename(place)
    found = glacier_scene.read(glacier_scene.open_scene(tmp_path / "item.json"))["optical"]
    np.testing.assert_allclose(found[5, 3:], counts_of("B12_20m")[3:] * 1e-4 - 0.1, atol=1e-6)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("stac/pc_landsat/LC08_L2SP_047027_20201204_02_T1.json", "lwir11"),
        ("stac/pc_landsat/LT05_L2SP_010067_19860424_02_T2.json", "lwir"),
        ("landsat_c2/metadata_only/LE07_L2SP_021030_20100109_20200911_02_T1_ST_stac.json", "ST_B6.TIF"),
        ("landsat_c2/metadata_only/LT04_L2SP_002026_19830110_20200918_02_T1_ST_stac.json", "lwir"),
    ],
)
def test_surface_temperature_of_a_real_item(tmp_path, name, key):
    scene = glacier_scene.open_scene(beside(tmp_path, name, (key,)))
    counts = counts_of(key).astype(float)
    wanted = np.where(counts == 0, np.nan, counts * HEAT[0] + HEAT[1])
    np.testing.assert_allclose(glacier_scene.read(scene)["thermal"][0], wanted, atol=1e-3)
    assert any("surface temperature" in n.text for n in scene.notes)


@pytest.mark.real
def test_both_items_of_a_real_product_together():
    """The agency's items lie in the product's folder; their hrefs lead to its server."""
    folder = scenes("landsat_c2/assets")
    scene = glacier_scene.open_scene([*folder.glob("*_SR_stac.json"), *folder.glob("*_ST_stac.json")])
    whole = glacier_scene.open_scene(folder)
    assert scene.sensors == whole.sensors == ("optical", "thermal")
    for sensor, values in glacier_scene.read(whole).items():
        np.testing.assert_allclose(glacier_scene.read(scene)[sensor], values, atol=1e-5)
    assert (glacier_scene.read_cloud(scene) == glacier_scene.read_cloud(whole)).all()


@pytest.mark.real
def test_a_real_radar_item_corrected_for_terrain(tmp_path):
    name = "stac/S1A_20200103_17RMJ_ASC.json"
    copy = beside(tmp_path, name, ())
    for key, value in (("gamma0_vv", 0.3), ("gamma0_vh", 0.02), ("incidence", 30.0)):
        data = np.full((1, 24, 32), value, np.float32)
        data[0, 0, 0] = 0
        write(tmp_path / item_of(copy)["assets"][key]["href"].rsplit("/", 1)[-1], data)
    scene = glacier_scene.open_scene(copy)
    found = glacier_scene.read(scene)
    assert scene.sensors == ("co_pol_sar", "cross_pol_sar")
    assert found["co_pol_sar"][0, 3, 3] == np.float32(0.3) and found["cross_pol_sar"][0, 3, 3] == np.float32(0.02)
    assert np.isnan(found["co_pol_sar"][0, 0, 0]) and np.isnan(found["co_pol_sar"][1]).all()  # no descending pass
    assert any("gamma0 (corrected for terrain)" in n.text for n in scene.notes)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("stac/S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13.json", ("vv",), "uint16 without scale"),
        ("stac/S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13.json", (), "none of its 2 bands is on"),
        ("stac/stac_0.9.0_landsat8-sample.json", ("B2", "B3", "B11"), "uint16 without scale"),
        ("stac/S2A_28QCH_20200714_0_L2A.json", (), r"none of its 6 bands .* \(B02 lies at https://sentinel-cogs"),
    ],
)
def test_real_items_that_do_not_say_enough(tmp_path, name, keys, says):
    with pytest.raises(ProductError, match=says) as error:
        glacier_scene.open_scene(beside(tmp_path, name, keys))
    assert "\n" not in str(error.value)


@pytest.mark.real
def test_another_baseline_in_a_real_item(tmp_path):
    """Planetary Computer items give a baseline and no scale: from 04.00 on counts carry 1000 more."""
    name = "stac/S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json"
    copy = beside(tmp_path, name, ESA)
    copy.write_text(copy.read_text().replace('"02.12"', '"05.10"'))
    found = glacier_scene.read(glacier_scene.open_scene(copy))["optical"]
    np.testing.assert_allclose(found[0, 3:], counts_of("B02")[3:] * 1e-4 - 0.1, atol=1e-6)


def earth_search(folder: Path, counts: dict[str, np.ndarray], *, flag, jp2=(), change=None) -> Path:
    """An item as Earth Search v1 lists it: every band twice; images of the keys in ``counts`` and of ``jp2``."""
    names = {
        "blue": "B02",
        "green": "B03",
        "red": "B04",
        "nir": "B08",
        "nir08": "B8A",
        "swir16": "B11",
        "swir22": "B12",
    }
    tile = (
        "https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/32/T/PS/2023/8/S2A_32TPS_20230820_0_L2A"
    )
    assets = {}
    for key, band in names.items():
        fields = {
            "eo:bands": [{"name": key, "common_name": key}],
            "gsd": 10 if key in ("blue", "green", "red", "nir") else 20,
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}],
            "roles": ["data", "reflectance"],
        }
        assets[key] = {"href": f"{tile}/{band}.tif", "type": "image/tiff; application=geotiff", **fields}
        if key in counts:
            write(folder / f"{band}.tif", counts[key][None])
    for key, band in names.items():
        href = f"s3://sentinel-s2-l2a/tiles/32/T/PS/2023/8/20/0/R10m/{band}.jp2"
        assets[f"{key}-jp2"] = {**assets[key], "href": href, "type": "image/jp2"}
        if key in jp2:
            write(folder / f"{band}.tmp", jp2[key][None]).rename(folder / f"{band}.jp2")
    assets["visual"] = {"href": f"{tile}/TCI.tif", "roles": ["visual"], "eo:bands": [{"common_name": "red"}]}
    about = {
        "datetime": "2023-08-20T10:27:59.024000Z",
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "s2:processing_baseline": "05.09",
        "view:sun_elevation": 52.1,
        "view:sun_azimuth": 150.2,
    }
    if flag is not None:
        about["earthsearch:boa_offset_applied"] = flag
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_32TPS_20230820_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": None,
        "properties": about,
        "assets": assets,
        "links": [{"rel": "self", "href": "https://earth-search.aws.element84.com/v1/collections/x"}],
    }
    if change:
        change(item)
    (folder / "item.json").write_text(json.dumps(item))
    return folder / "item.json"


LEVELS = {"blue": 0.7, "green": 0.7, "red": 0.65, "nir": 0.55, "swir16": 0.08, "swir22": 0.06}
"""Reflectance of snow and ice in the middle of their range; rock and shade lie below."""


def ground(*, is_in_counts: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return reflectance of a glacier scene and the counts of it, with the offset still in them or not."""
    rng = np.random.default_rng(5)
    rho = {k: np.clip(rng.gamma(2.0, v / 3, (60, 80)), 0.004, 1.4) for k, v in LEVELS.items()}
    counts = {k: np.rint(v * 1e4 + (1000 if is_in_counts else 0)).astype(np.uint16) for k, v in rho.items()}
    return rho, counts


@pytest.mark.parametrize("flag", [True, False, "true", None])
@pytest.mark.parametrize("is_in_counts", [True, False])
def test_the_offset_is_added_once_whatever_the_flag_says(tmp_path, flag, is_in_counts):
    rho, counts = ground(is_in_counts=is_in_counts)
    scene = glacier_scene.open_scene(earth_search(tmp_path, counts, flag=flag))
    found = glacier_scene.read(scene)["optical"]
    for place, key in enumerate(LEVELS):
        np.testing.assert_allclose(found[place], rho[key], atol=6e-5)
    notes = [n.text for n in scene.notes if n.code == "offset_decided"]
    is_right = (str(flag).lower() == "true") != is_in_counts
    if flag is None and is_in_counts:
        assert notes == []
    else:
        assert len(notes) == 1 and ("the counts agree" in notes[0]) == is_right and ("but " in notes[0]) != is_right
        assert notes[0].endswith("+ 0" if not is_in_counts else "- 0.1")


@pytest.mark.parametrize("flag", [True, False])
def test_where_the_counts_cannot_tell_the_flag_counts(tmp_path, flag):
    flat = {k: np.full((40, 50), 4000 + 100 * i, np.uint16) for i, k in enumerate(LEVELS)}
    bright = {k: np.random.default_rng(1).integers(3000, 9000, (40, 50)).astype(np.uint16) for k in LEVELS}
    for name, counts in (("flat", flat), ("bright", bright)):
        (tmp_path / name).mkdir()
        scene = glacier_scene.open_scene(earth_search(tmp_path / name, counts, flag=flag))
        wanted = counts["blue"] * 1e-4 - (0.0 if flag else 0.1)
        np.testing.assert_allclose(glacier_scene.read(scene)["optical"][0], wanted, atol=1e-6)
        assert any("the counts cannot tell" in n.text for n in scene.notes)


def test_the_agencys_own_images_keep_their_offset(tmp_path):
    """The flag is about the catalogue's GeoTIFFs; its JPEG 2000 are the agency's."""
    rho, counts = ground(is_in_counts=True)
    scene = glacier_scene.open_scene(earth_search(tmp_path, {}, flag=True, jp2=counts))
    np.testing.assert_allclose(glacier_scene.read(scene)["optical"][4], rho["swir16"], atol=6e-5)
    assert {la.path.suffix for la in scene.source("optical").bands} == {".jp2"}


def test_every_band_twice(tmp_path):
    rho, counts = ground(is_in_counts=True)
    wrong = {k: v + 3000 for k, v in counts.items()}
    scene = glacier_scene.open_scene(earth_search(tmp_path, counts, flag=False, jp2=wrong))
    found = glacier_scene.read(scene)["optical"]
    for place, key in enumerate(LEVELS):
        np.testing.assert_allclose(found[place], rho[key], atol=6e-5)


def test_the_older_catalogue(tmp_path):
    """Earth Search v0: bands by number, no factors, the flag under another name."""

    def change(item):
        about = item["properties"]
        about["sentinel:processing_baseline"] = about.pop("s2:processing_baseline")
        about["sentinel:boa_offset_applied"] = about.pop("earthsearch:boa_offset_applied")
        item["stac_version"] = "1.0.0-beta.2"
        names = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir16": "B11", "swir22": "B12"}
        item["assets"] = {band: {"href": item["assets"][key]["href"]} for key, band in names.items()}

    rho, counts = ground(is_in_counts=False)
    scene = glacier_scene.open_scene(earth_search(tmp_path, counts, flag=True, change=change))
    np.testing.assert_allclose(glacier_scene.read(scene)["optical"][0], rho["blue"], atol=6e-5)
