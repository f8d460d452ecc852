"""Bands as Earth Engine names them: which satellite, which colour, which factors."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.scenes import scene as glacier_scene
from tests.readers.scene_rasters import write

SIX = ("blue", "green", "red", "nir", "swir1", "swir2")
RHO = {"blue": 0.6, "green": 0.61, "red": 0.55, "nir": 0.5, "swir1": 0.07, "swir2": 0.05}


def reflectances(shape=(40, 50)):
    rng = np.random.default_rng(3)
    return {k: np.clip(rng.gamma(2.0, v / 3, shape), 0.004, 1.3) for k, v in RHO.items()}


def stacked(names, values):
    """Return (bands, h, w): the colour of each name, noise of its own for a name that is none of the six."""
    other = np.random.default_rng(9).uniform(0.2, 0.4, (40, 50))
    return np.stack([values.get(c, other) for c in names])


EXPORTS = {
    "sentinel 2": {"B2": "blue", "B3": "green", "B4": "red", "B8": "nir", "B11": "swir1", "B12": "swir2"},
    "all of sentinel 2": {
        **{"B1": "aerosol", "B2": "blue", "B3": "green", "B4": "red", "B5": "edge", "B6": "edge", "B7": "edge"},
        **{"B8": "nir", "B8A": "narrow", "B9": "vapour", "B11": "swir1", "B12": "swir2"},
    },
    "sentinel 2 of 20 m": {"B2": "blue", "B3": "green", "B4": "red", "B8A": "nir", "B11": "swir1", "B12": "swir2"},
    "landsat 8 toa": {"B2": "blue", "B3": "green", "B4": "red", "B5": "nir", "B6": "swir1", "B7": "swir2"},
    "landsat 5 toa": {"B1": "blue", "B2": "green", "B3": "red", "B4": "nir", "B5": "swir1", "B7": "swir2"},
    "landsat 8 level 2": {f"SR_B{n}": c for n, c in zip("1234567", ("aerosol", *SIX), strict=True)},
    "landsat 5 level 2": {f"SR_B{n}": c for n, c in zip("123457", SIX, strict=True)},
}


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_reflectance_by_its_names(tmp_path, name):
    rho = reflectances()
    export = EXPORTS[name]
    data = stacked(export.values(), rho).astype(np.float32)
    path = write(tmp_path / "export.tif", data, names=tuple(export))
    found = glacier_scene.read(glacier_scene.open_scene(path))["optical"]
    for place, colour in enumerate(SIX):
        np.testing.assert_allclose(found[place], rho[colour], atol=1e-6)


@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize(("stem", "numbers"), [("LC08_1", "234567"), ("LT05_1", "123457"), ("x", "123457")])
def test_counts_of_landsat_level_2_by_their_names(tmp_path, stem, numbers, kind):
    rho = reflectances()
    names = tuple(f"SR_B{n}" for n in numbers)
    counts = np.rint((stacked(SIX, rho) + 0.2) / 2.75e-05)
    heat = np.full((1, 40, 50), np.rint((268.0 - 149.0) / 0.00341802))
    data = np.concatenate([counts, heat]).astype(kind)
    path = write(tmp_path / f"{stem}.tif", data, names=(*names, "ST_B10" if stem == "LC08_1" else "ST_B6"))
    scene = glacier_scene.open_scene(path)
    found = glacier_scene.read(scene)
    np.testing.assert_allclose(found["optical"], stacked(SIX, rho), atol=3e-5)
    np.testing.assert_allclose(found["thermal"][0], 268.0, atol=0.01)
    assert any("factors of Landsat Level 2" in n.text for n in scene.notes)


@pytest.mark.parametrize("offset", [0, 1000])
def test_counts_of_sentinel_2_that_tell_their_offset(tmp_path, offset):
    rho = reflectances()
    export = EXPORTS["sentinel 2"]
    data = np.rint(stacked(export.values(), rho) * 1e4 + offset).astype(np.uint16)
    scene = glacier_scene.open_scene(write(tmp_path / "export.tif", data, names=tuple(export)))
    np.testing.assert_allclose(glacier_scene.read(scene)["optical"], stacked(SIX, rho), atol=6e-5)
    assert any(("with the offset" in n.text) == bool(offset) for n in scene.notes if n.code == "offset_decided")


def test_counts_that_do_not_tell_are_rejected(tmp_path):
    data = np.random.default_rng(0).integers(3000, 9000, (6, 40, 50)).astype(np.uint16)
    path = write(tmp_path / "export.tif", data, names=tuple(EXPORTS["sentinel 2"]))
    with pytest.raises(ProductError, match=r"holds uint16 up to [\d.]+ without a scale; expected reflectance"):
        glacier_scene.open_scene(path)


def test_a_temperature_among_the_numbers_says_which_satellite(tmp_path):
    rho = reflectances()
    export = {"B1": "blue", "B2": "green", "B3": "red", "B4": "nir", "B5": "swir1", "B6": "heat", "B7": "swir2"}
    data = stacked(export.values(), {**rho, "heat": np.full((40, 50), 265.0)}).astype(np.float32)
    found = glacier_scene.read(glacier_scene.open_scene(write(tmp_path / "toa.tif", data, names=tuple(export))))
    np.testing.assert_allclose(found["optical"], stacked(SIX, rho), atol=1e-6)
    assert (found["thermal"] == 265.0).all()


@pytest.mark.parametrize("form", ["download.{}.tif", "S2_{}.tif", "T32TPS_20220801T102031_{}_10m.tif"])
def test_one_file_a_band(tmp_path, form):
    """As a download of Earth Engine: a zip of one file per band."""
    rho = reflectances()
    names = EXPORTS["sentinel 2"]
    if "T32" in form:
        names = {f"B{n[1:].zfill(2)}": c for n, c in names.items()}
    files = [write(tmp_path / form.format(n), rho[c][None].astype(np.float32)) for n, c in names.items()]
    found = glacier_scene.read(glacier_scene.open_scene(files))["optical"]
    np.testing.assert_allclose(found, stacked(SIX, rho), atol=1e-6)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as out:
        for file in files:
            out.write(file, file.name)
    found = glacier_scene.read(glacier_scene.open_scene(tmp_path / "all.zip"))["optical"]
    np.testing.assert_allclose(found, stacked(SIX, rho), atol=1e-6)
