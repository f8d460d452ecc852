"""Reference masks of other numbers: understood, or rejected with a way out; and bands that say where data are."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from polynya.errors import ProductError
from polynya.scenes import masks
from polynya.scenes import scene as glacier_scene
from polynya.workflows.evaluate import scene as evaluate_scene
from tests.readers.scene_rasters import write

ICE = np.zeros((1, 50, 60), np.uint8)
ICE[0, 10:30, 15:45] = 1


def iou(given, truth) -> float:
    rows = evaluate_scene.run(given, reference=truth, n_resamples=20).to_pylist()
    return next(r["value"] for r in rows if (r["prediction"], r["stratum"], r["metric"]) == ("given", "all", "iou"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_zero_and_one_of_any_type_score_a_perfect_map(tmp_path, dtype):
    given = write(tmp_path / "p.tif", ICE.astype(np.float32))
    assert iou(given, write(tmp_path / "t.tif", ICE.astype(dtype))) == 1.0


def test_missing_fractions_are_unlabelled(tmp_path):
    truth = ICE.astype(np.float32)
    truth[0, :20] = np.nan
    given = ICE.astype(np.float32)
    given[0, :20] = 0.0
    assert iou(write(tmp_path / "p.tif", given), write(tmp_path / "t.tif", truth)) == 1.0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("what", ["truth", "map"])
def test_zero_and_255_are_rejected_with_a_way_out(tmp_path, dtype, what):
    """255 is unlabelled: a mask of 255 for ice scored 0 without a word."""
    full = write(tmp_path / "m255.tif", (ICE * 255).astype(dtype))
    good = write(tmp_path / "good.tif", ICE)
    if what == "map" and dtype is np.float32:
        return  # a probability of 255 is another story
    with pytest.raises(ProductError, match=r"m255\.tif: holds only 0 and 255.*A//255.*-a_nodata 255"):
        iou(good if what == "truth" else full, full if what == "truth" else good)


def test_declared_255_and_classes_beside_255_are_fine(tmp_path):
    mixed = ICE.copy()
    mixed[0, 40:] = 255
    masks.check(write(tmp_path / "a.tif", mixed))
    masks.check(write(tmp_path / "b.tif", mixed * (mixed == 255), nodata=255))


def test_probabilities_are_no_truth(tmp_path):
    with pytest.raises(ProductError, match=r"holds floating-point numbers; expected classes.*found 0\.3"):
        masks.check(write(tmp_path / "p.tif", np.full((1, 9, 9), 0.3, np.float32)))


@pytest.mark.parametrize("name", ["", "alpha", "Alpha", "mask"])
def test_an_alpha_band_masks(tmp_path, name):
    rng = np.random.default_rng(1)
    data = rng.integers(20, 200, (5, 40, 50)).astype(np.uint8)
    data[4] = 255
    data[4, :12] = 0
    path = write(tmp_path / "rgba.tif", data, names=("blue", "green", "red", "nir", name))
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [
            ColorInterp.blue,
            ColorInterp.green,
            ColorInterp.red,
            ColorInterp.undefined,
            ColorInterp.alpha,
        ]
    seen = np.isfinite(glacier_scene.read(glacier_scene.open_scene([path]))["optical"][:4])
    assert not seen[:, :12].any() and seen[:, 12:].all()


def test_a_fourth_band_of_near_infrared_is_no_alpha(tmp_path):
    data = np.full((4, 40, 50), 90, np.uint8)
    data[3, :12] = 0  # GDAL calls the fourth of four bands alpha
    path = write(tmp_path / "four.tif", data, names=("blue", "green", "red", "nir"))
    with rasterio.open(path) as file:
        assert file.colorinterp[3] == ColorInterp.alpha
    assert np.isfinite(glacier_scene.read(glacier_scene.open_scene([path]))["optical"][0]).all()


def test_a_stray_pixel_makes_no_classes_of_a_mask_of_0_and_255(tmp_path):
    mask = ICE * np.uint8(255)
    mask = np.tile(mask, (1, 3, 3))
    mask[0, 0, 0] = 1
    with pytest.raises(ProductError, match=r"only 0 and 255 and 1 pixel\(s\) of 1 or 2"):
        masks.check(write(tmp_path / "stray.tif", mask))
    mask[0, :20, :20] = 1  # a small glacier in ground that is mostly unlabelled
    masks.check(write(tmp_path / "small.tif", mask))
