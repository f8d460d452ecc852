"""Landsat folders that the tests write: reflectance and temperature worked by hand from the MTL's numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import landsat
from polynya.scenes import scene as glacier_scene
from tests.readers.scene_rasters import write

NAME = {
    "LANDSAT_5": "LT05_L1TP_147038_19980910_20200909_02_T1",
    "LANDSAT_7": "LE07_L1TP_140041_20001030_20200917_02_T1",
    "LANDSAT_8": "LC08_L1TP_195028_20200801_20200908_02_T1",
    "LANDSAT_9": "LC09_L2SP_195028_20220801_20230405_02_T1",
}
SUN = 30.0


def product(folder, craft, *, level="L1TP", count=7500, form="txt", qa=None, leave_out=()):
    """Write a product: every band holds ``count``, 0 in its first pixel."""
    name = NAME[craft]
    old = craft in ("LANDSAT_5", "LANDSAT_7")
    dtype = np.uint8 if old and level.startswith("L1") else np.uint16
    numbers = ("1", "2", "3", "4", "5", "7") if old else ("2", "3", "4", "5", "6", "7")
    hot = {"LANDSAT_5": ("6",), "LANDSAT_7": ("6_VCID_1", "6_VCID_2")}.get(craft, ("10",))
    data = np.full((1, 20, 24), count, dtype)
    data[0, 0, 0] = 0
    contents = {"LANDSAT_PRODUCT_ID": name, "PROCESSING_LEVEL": level, "COLLECTION_NUMBER": "02"}
    for n in numbers:
        ending = f"SR_B{n}" if level.startswith("L2") else f"B{n}"
        contents[f"FILE_NAME_BAND_{n}"] = f"{name}_{ending}.TIF"
        if n not in leave_out:
            write(folder / f"{name}_{ending}.TIF", data, resolution=30.0)
    for n in hot:
        ending = f"ST_B{n}" if level.startswith("L2") else f"B{n}"
        contents[f"FILE_NAME_BAND_{'ST_B' if level.startswith('L2') else ''}{n}"] = f"{name}_{ending}.TIF"
        write(folder / f"{name}_{ending}.TIF", data, resolution=30.0)
    if qa is not None:
        write(folder / f"{name}_QA_PIXEL.TIF", qa[None].astype(np.uint16), resolution=30.0, nodata=1)
        contents["FILE_NAME_QUALITY_L1_PIXEL"] = f"{name}_QA_PIXEL.TIF"
    groups = {
        "PRODUCT_CONTENTS": contents,
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": craft,
            "DATE_ACQUIRED": "2000-10-30",
            "SCENE_CENTER_TIME": "04:34:26.1234567Z",
            "SUN_AZIMUTH": "151.5",
            "SUN_ELEVATION": str(SUN),
        },
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {
            f"REFLECTANCE_{k}_BAND_{n}": v for n in numbers for k, v in (("MULT", "2.75e-05"), ("ADD", "-0.2"))
        },
        "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": {
            "TEMPERATURE_MULT_BAND_ST_B10": "0.00341802",
            "TEMPERATURE_ADD_BAND_ST_B10": "149.0",
        },
        "LEVEL1_RADIOMETRIC_RESCALING": {
            **{
                f"REFLECTANCE_{k}_BAND_{n}": v
                for n in numbers
                for k, v in (("MULT", "2.0000E-05"), ("ADD", "-0.100000"))
            },
            **{f"RADIANCE_{k}_BAND_{n}": v for n in hot for k, v in (("MULT", "3.3420E-04"), ("ADD", "0.10000"))},
        },
        "LEVEL1_THERMAL_CONSTANTS": {
            f"K{k}_CONSTANT_BAND_{n}": v for n in hot for k, v in ((1, "774.8853"), (2, "1321.0789"))
        },
        "LEVEL1_MIN_MAX_PIXEL_VALUE": {
            f"QUANTIZE_CAL_MAX_BAND_{n}": "255" if old else "65535" for n in (*numbers, *hot)
        },
    }
    if not level.startswith("L2"):
        groups = {k: v for k, v in groups.items() if not k.startswith("LEVEL2")}
    if form == "json":
        (folder / f"{name}_MTL.json").write_text(json.dumps({"LANDSAT_METADATA_FILE": groups}))
    else:
        lines = ["GROUP = LANDSAT_METADATA_FILE"]
        for group, values in groups.items():
            lines += [
                f"  GROUP = {group}",
                *(f'    {k} = "{v}"' if "NAME" in k or "_ID" in k else f"    {k} = {v}" for k, v in values.items()),
                f"  END_GROUP = {group}",
            ]
        (folder / f"{name}_MTL.txt").write_text("\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""]))
    return folder


@pytest.mark.parametrize("form", ["txt", "json"])
def test_level_1_reflectance_and_temperature(tmp_path, form):
    scene = glacier_scene.open_scene(product(tmp_path / "p", "LANDSAT_8", form=form))
    found = glacier_scene.read(scene)
    assert scene.sensors == ("optical", "thermal") and scene.name == NAME["LANDSAT_8"]
    # (2e-5 * 7500 - 0.1) / sin(30 degrees) = 0.05 / 0.5
    np.testing.assert_allclose(found["optical"][:, 1:], 0.1, atol=1e-6)
    # L = 3.342e-4 * 7500 + 0.1 = 2.6065; T = 1321.0789 / ln(774.8853 / 2.6065 + 1) = 1321.0789 / ln(298.288...) =
    # 231.87
    np.testing.assert_allclose(found["thermal"][0, 1:], 1321.0789 / np.log(774.8853 / 2.6065 + 1), rtol=1e-6)
    assert 231.5 < found["thermal"][0, 5, 5] < 232.2
    assert np.isnan(found["optical"][:, 0, 0]).all() and np.isnan(found["thermal"][0, 0, 0])
    assert (scene.sun_elevation, scene.sun_azimuth) == (30.0, 151.5)
    assert scene.time == np.datetime64("2000-10-30T04:34:26.123456", "ns")
    assert not any("surface" in n.text for n in scene.notes)


@pytest.mark.parametrize("craft, hot", [("LANDSAT_5", "B6"), ("LANDSAT_7", "B6_VCID_1")])
def test_older_missions_number_their_bands_otherwise(tmp_path, craft, hot):
    folder = product(tmp_path / "p", craft, count=200)
    write(folder / f"{NAME[craft]}_B4.TIF", np.full((1, 20, 24), 100, np.uint8), resolution=30.0)
    sources = landsat.open_folder(folder)
    assert sources[1].bands[0].path.name == f"{NAME[craft]}_{hot}.TIF"
    found = glacier_scene.read(glacier_scene.open_scene(folder))["optical"][:, 5, 5]
    expected = (2e-5 * np.array([200, 200, 200, 100, 200, 200]) - 0.1) / 0.5  # band 4 is the near infrared
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert sources[0].bands[0].saturation == 255.0


def test_level_2_takes_its_own_factors_and_says_so(tmp_path):
    scene = glacier_scene.open_scene(product(tmp_path / "p", "LANDSAT_9", level="L2SP", count=20000))
    found = glacier_scene.read(scene)
    np.testing.assert_allclose(found["optical"][:, 1:], 20000 * 2.75e-05 - 0.2, rtol=1e-6)
    np.testing.assert_allclose(found["thermal"][0, 1:], 20000 * 0.00341802 + 149.0, rtol=1e-6)
    assert any("surface reflectance (Level 2)" in n.text for n in scene.notes) and any(
        "surface temperature" in n.text for n in scene.notes
    )


def test_gaps_of_the_broken_scan_line_corrector_stay_gaps(tmp_path):
    folder = product(tmp_path / "p", "LANDSAT_7", count=180)
    data = np.full((1, 20, 24), 180, np.uint8)
    data[0, 8:11] = 0
    write(folder / f"{NAME['LANDSAT_7']}_B1.TIF", data, resolution=30.0)
    found = glacier_scene.read(glacier_scene.open_scene(folder))["optical"]
    assert np.isnan(found[0, 8:11]).all() and np.isfinite(found[0, 11:]).all() and np.isfinite(found[1, 8:11]).all()


def test_cloud_bits(tmp_path):
    qa = np.full((20, 24), 21824)  # clear
    qa[1], qa[2], qa[3], qa[4], qa[5] = 22280, 23888, 21826, 54596, 1  # cloud; shadow; dilated cloud; cirrus; fill
    scene = glacier_scene.open_scene(product(tmp_path / "p", "LANDSAT_8", qa=qa))
    found = glacier_scene.read_cloud(scene)[:7, 3]
    g = glacier_scene
    assert found.tolist() == [g.CLEAR, g.CLOUD, g.SHADOW, g.CLOUD, g.CLOUD, g.CLOUD_UNKNOWN, g.CLEAR]


def test_missing_bands_are_noted_and_damage_is_refused(tmp_path):
    scene = glacier_scene.open_scene(product(tmp_path / "a", "LANDSAT_8", leave_out=("6",)))
    assert any("without B6" in n.text for n in scene.notes) and np.isnan(glacier_scene.read(scene)["optical"][4]).all()
    with pytest.raises(ProductError, match="none of the files of B2, B3"):
        glacier_scene.open_scene(product(tmp_path / "b", "LANDSAT_8", leave_out=tuple("234567")))
    for word, bad, says in (
        ("SUN_ELEVATION = 30.0", "SUN_ELEVATION = x", "SUN_ELEVATION is 'x'"),
        ("SUN_ELEVATION = 30.0", "SUN_ELEVATION = -3", "image by day"),
        ("LANDSAT_8", "LANDSAT_2", "expected LANDSAT_4"),
        ("GROUP = PRODUCT_CONTENTS", "GROUP = PRODUCT_METADATA", "Collection 2"),
        ("2.0000E-05", "nan", "finite number"),
    ):
        folder = product(tmp_path / says[:6], "LANDSAT_8")
        mtl = folder / f"{NAME['LANDSAT_8']}_MTL.txt"
        mtl.write_text(mtl.read_text().replace(word, bad))
        with pytest.raises(ProductError, match=says):
            glacier_scene.open_scene(folder)


def test_published_factors_and_bits():
    """Landsat Collection 2 Level-2 science product guide (LSDS-1619): reflectance 2.75e-5 x - 0.2, surface temperature
    0.00341802 x + 149; QA_PIXEL bits 0 to 4 are fill, dilated cloud, cirrus, cloud, cloud shadow."""
    assert landsat.LEVEL_2 == {"REFLECTANCE": (2.75e-05, -0.2), "TEMPERATURE": (0.00341802, 149.0)}
    bits = (landsat.QA_FILL, landsat.QA_DILATED, landsat.QA_CIRRUS, landsat.QA_CLOUD, landsat.QA_SHADOW)
    assert bits == tuple(1 << k for k in range(5))
