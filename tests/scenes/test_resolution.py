"""Scenes on the pixels that a network knows: the same ground, averaged or interpolated, and rejected beyond."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.scenes import resolution
from polynya.scenes import scene as glacier_scene
from tests.readers.scene_rasters import write

from ..workflows.glaciers import pieces


def opened(tmp_path, pixel_m, shape=(60, 80), crs="EPSG:32632", values=None):
    box = pieces.grid(*shape, pixel_m=pixel_m, crs=crs)
    optical = np.full((6, *shape), 0.3) if values is None else np.broadcast_to(values, (6, *shape))
    return glacier_scene.open_scene(pieces.write_scene(tmp_path / f"p{pixel_m:g}", box, optical=optical))


@pytest.mark.parametrize(
    ("pixel_m", "expected", "how"),
    [
        (1.0, 10.0, "averaged"),
        (3.0, 12.0, "averaged"),
        (5.0, 10.0, "averaged"),
        (8.0, 16.0, "averaged"),
        (9.5, 9.5, ""),
        (10.0, 10.0, ""),
        (30.0, 30.0, ""),
        (32.0, 32.0, ""),
        (40.0, 20.0, "interpolated"),
        (60.0, 30.0, "interpolated"),
    ],
)
def test_pixels_get_into_the_range(tmp_path, pixel_m, expected, how):
    scene = opened(tmp_path, pixel_m)
    done = resolution.fitted(scene, name="net")
    assert done.scene.pixel_m == pytest.approx((expected, expected), rel=2e-3)
    assert done.is_coarser == (how == "interpolated") and (how in done.text if how else done.text == "")
    a, b = scene.geobox.boundingbox, done.scene.geobox.boundingbox
    assert (a.left, a.top) == (b.left, b.top)
    assert 0 <= b.right - a.right < expected and 0 <= a.bottom - b.bottom < expected  # no ground is lost


def test_fine_pixels_are_means_of_blocks(tmp_path):
    values = np.random.default_rng(2).uniform(0.1, 0.6, (61, 83)).astype(np.float32)
    done = resolution.fitted(opened(tmp_path, 5.0, shape=(61, 83), values=values), name="net").scene
    found = glacier_scene.read(done)["optical"][0]
    assert found.shape == (31, 42)
    expected = values[:60, :82].reshape(30, 2, 41, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found[:30, :41], expected, atol=1e-6)
    part = glacier_scene.read(done, window=((7, 20), (11, 30)))["optical"][0]
    np.testing.assert_array_equal(part, found[7:20, 11:30])


@pytest.mark.parametrize("pixel_m", [63.0, 100.0, 515.0])
def test_coarser_than_60_m_is_rejected(tmp_path, pixel_m):
    with pytest.raises(UsageError, match=r"net was trained on 10 to 30 m.*up to 60 m.*--network rule"):
        resolution.fitted(opened(tmp_path, pixel_m), name="net")


def test_a_network_of_other_pixels_is_taken_at_its_word(tmp_path):
    assert resolution.fitted(opened(tmp_path, 5.0), name="net", learnt_m=(2.0, 6.0)).text == ""
    assert resolution.fitted(opened(tmp_path, 10.0), name="net", learnt_m=(2.0, 6.0)).is_coarser
    with pytest.raises(UsageError, match="up to 12 m"):
        resolution.fitted(opened(tmp_path, 20.0), name="net", learnt_m=(2.0, 6.0))
    assert resolution.fitted(opened(tmp_path, 90.0), name="net", learnt_m=(50.0, 100.0)).text == ""


def test_narrow_pixels_of_degrees_near_the_pole_are_averaged_along_one_side(tmp_path):
    from affine import Affine

    step = 1.0 / 3600.0
    data = np.full((6, 40, 90), 0.3, np.float32)
    path = write(
        tmp_path / "o.tif",
        data,
        names=("blue", "green", "red", "nir", "swir1", "swir2"),
        crs=4326,
        transform=Affine(step, 0, 15.0, 0, -step, 80.0),
    )
    scene = glacier_scene.open_scene([path])
    wide, tall = scene.pixel_m
    assert wide < 6 and 30 < tall < 32
    done = resolution.fitted(scene, name="net").scene
    assert done.pixel_m == pytest.approx((2 * wide, tall), rel=1e-3)
