"""Classes of a scene in tiles, in windows and whole, against the rules applied to the whole image at once."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window
from scipy import ndimage

from polynya.errors import UsageError
from polynya.physics import ice_colour, thin_cloud
from polynya.readers import sentinel2
from polynya.scenes import clouds, tiling
from polynya.scenes.classes import METHODS, scene_classes, scene_statistics
from tests.readers import safe_tree

SHAPE = (261, 338)
DIM = 0.7  # the scene's light: snow lies at V = 178


def colours(shape=SHAPE, seed=3, dim=DIM):
    """An 8-bit scene: floes of snow, leads of thin ice and water, a soft veil, a corner without data."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 9)
    field /= field.std()
    level = np.where(field > 1.6, 14.0, np.where(field > 0.9, 110.0, 250.0)) * dim
    veil = ndimage.gaussian_filter(rng.normal(size=shape), 60)
    level = level + 25 * (veil - veil.min()) / np.ptp(veil) + rng.normal(0, 3, shape)
    rgb = np.stack([level - 4, level, level + 3], -1)
    rgb = np.clip(np.rint(rgb), 1, 255).astype(np.uint8)
    rgb[:30, :44] = 0
    return rgb


@pytest.fixture(scope="module")
def scl():
    out = np.full((-(-SHAPE[0] // 2), SHAPE[1] // 2), 11, np.uint8)
    out[40:70, 60:90] = 9
    out[80:90, 60:90] = 3
    out[:15, :22] = 0
    return out


@pytest.fixture(scope="module")
def scene(tmp_path_factory, scl):
    return sentinel2.open_scene(
        safe_tree.write_safe(tmp_path_factory.mktemp("s"), level="2A", tci=colours(), scl=scl, shape=SHAPE, bands=())
    )


@pytest.fixture(scope="module")
def level_1c(tmp_path_factory):
    return sentinel2.open_scene(safe_tree.write_safe(tmp_path_factory.mktemp("s"), tci=colours(), shape=SHAPE))


def whole_image(method, rgb, clear):
    """The method on the whole image at once, without any of the tiling code."""
    v = rgb.max(axis=2)
    if method == "filtered":
        white = rgb.copy()
        white[v <= 30] = 255
        diff = thin_cloud.difference(thin_cloud.grey(white))
        filtered = ice_colour.filtered_table(np.bincount(diff[v > 0], minlength=256))[diff]
        out = np.where(filtered <= 204, 1, 0)
        out[v <= 30] = 2
    else:
        water, thin = 30, 204
        if method == "percentile":
            bright = np.sort(v[clear & (v > 0)])
            bright = int(bright[int(np.ceil(0.98 * bright.size)) - 1])
            water, thin = round(30 * bright / 255), round(204 * bright / 255)
        if method == "sun":
            factor = np.sin(np.radians(90 - 61.25)) / 0.5
            water, thin = round(30 * factor), round(204 * factor)
        out = np.select([v <= water, v <= thin], [2, 1], 0)
    out[v == 0] = -1
    return out


RULES = [m for m in METHODS if m != "unet"]


@pytest.mark.parametrize("method", RULES)
def test_whole_scene_against_the_whole_image(scene, scl, method):
    rgb = colours()
    cloud = np.isin(np.kron(scl, np.ones((2, 2), int))[: SHAPE[0], : SHAPE[1]], (3, 8, 9, 10))
    found = scene_classes(scene, method=method, tile=100)
    expected = whole_image(method, rgb, ~cloud)
    np.testing.assert_array_equal(found.classes, expected)
    np.testing.assert_array_equal(found.value, rgb.max(axis=2))
    np.testing.assert_array_equal(found.is_cloud, cloud)
    assert found.geobox == scene.geobox and found.classes.dtype == np.int8
    assert {*np.unique(expected)} == {-1, 0, 1, 2} or method in ("published", "sun")


@settings(max_examples=12, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("method", ["filtered", "percentile"])
def test_no_tile_size_and_no_window_changes_a_pixel(scene, method, data):
    whole = scene_classes(scene, method=method)
    tile = data.draw(st.integers(37, 400))
    r0, c0 = data.draw(st.integers(0, SHAPE[0] - 1)), data.draw(st.integers(0, SHAPE[1] - 1))
    r1, c1 = data.draw(st.integers(r0 + 1, SHAPE[0])), data.draw(st.integers(c0 + 1, SHAPE[1]))
    statistics = scene_statistics(scene, method=method, tile=tile)
    np.testing.assert_array_equal(statistics.counts, whole.statistics.counts)
    part = scene_classes(scene, method=method, window=((r0, r1), (c0, c1)), statistics=statistics, tile=tile)
    for name in ("classes", "value", "is_cloud"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[r0:r1, c0:c1], err_msg=name)
    assert tuple(part.geobox.shape) == (r1 - r0, c1 - c0)
    assert (part.geobox.affine.c, part.geobox.affine.f) == (
        safe_tree.CORNER[0] + 10 * c0,
        safe_tree.CORNER[1] - 10 * r0,
    )


def test_a_window_without_statistics_takes_the_whole_scenes(scene):
    window = Window(200, 150, 50, 60)
    np.testing.assert_array_equal(
        scene_classes(scene, method="filtered", window=window).classes,
        scene_classes(scene, method="filtered").classes[150:210, 200:250],
    )


def test_percentile_finds_the_snow_that_the_published_rule_misses_in_dim_light(scene):
    published = scene_classes(scene, method="published").classes
    scaled = scene_classes(scene, method="percentile")
    bright = colours().max(axis=2) > 0.85 * 255 * DIM
    assert (published[bright] == 0).mean() < 0.1 and (scaled.classes[bright] == 0).mean() > 0.9
    assert scaled.statistics.thresholds[1] < 204


def test_filter_removes_a_veil_that_the_published_rule_calls_thin_ice(tmp_path):
    """A wide, soft shadow over snow, and a narrow lead of thin ice outside it."""
    level = np.full((400, 400), 240.0)
    y, x = np.mgrid[:400, :400]
    level -= 60 * np.exp(-(((x - 200) / 150.0) ** 2 + ((y - 250) / 150.0) ** 2) / 2)
    level[40:44] = 120
    level[350:352] = 15
    rgb = np.repeat(np.rint(level)[..., None], 3, 2).astype(np.uint8)
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, tci=rgb, shape=(400, 400), bands=()))
    truth = np.zeros((400, 400), int)
    truth[40:44], truth[350:352] = 1, 2
    raw = (scene_classes(scene, method="published").classes == truth).mean()
    filtered = scene_classes(scene, method="filtered").classes
    assert raw < 0.7 and (filtered == truth).mean() > 0.98
    assert (filtered[40:44] == 1).all() and (filtered[350:352] == 2).all()


# ---- clouds


def test_auto_is_the_scene_classification_or_nothing(scene, level_1c):
    assert clouds.resolve(scene, "auto") == "scl" and clouds.resolve(level_1c, "auto") == "none"
    assert not scene_classes(level_1c).is_cloud.any()


def test_what_counts_as_cloud():
    names = dict(sentinel2.SCENE_CLASSES)
    cloud = clouds.from_classification(np.arange(12, dtype=np.uint8))
    assert [names[i] for i in np.flatnonzero(cloud)] == [
        "cloud_shadow",
        "cloud_medium_probability",
        "cloud_high_probability",
        "thin_cirrus",
    ]


def test_masks_that_cannot_be_had(scene, level_1c, tmp_path):
    with pytest.raises(
        UsageError,
        match=r"has no scene classification \(product S2MSI1C\); expected a Level-2A product for the mask scl",
    ):
        scene_classes(level_1c, cloud_mask="scl")
    with pytest.raises(UsageError, match=r"lacks B01, .*; s2cloudless expected top-of-atmosphere reflectance"):
        scene_classes(scene, cloud_mask="s2cloudless")
    with pytest.raises(UsageError, match=r"cloud mask clouds: unknown; expected one of auto, scl, s2cloudless, none"):
        scene_classes(scene, cloud_mask="clouds")
    with pytest.raises(
        UsageError, match=r"method colours: unknown; expected one of published, filtered, percentile, sun, unet"
    ):
        scene_classes(scene, method="colours")


def test_s2cloudless_missing_is_said(level_1c, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("s2cloudless"):
            raise ImportError("No module named 's2cloudless'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        UsageError, match=r"cloud mask s2cloudless: the package cannot be imported .* pip install 'polynya\[cloud\]'"
    ):
        scene_statistics(level_1c, cloud_mask="s2cloudless")


def test_s2cloudless_equals_the_package_on_60_m_means(tmp_path):
    package = pytest.importorskip("s2cloudless")
    rng = np.random.default_rng(5)
    shape = (126, 240)
    counts = {}
    for band, resolution in safe_tree.NATIVE_1C.items():
        small = (shape[0] * 10 // resolution, shape[1] * 10 // resolution)
        bright = np.linspace(0.02, 0.9, small[1])[None] * np.ones((small[0], 1))
        counts[band] = (1000 + 1e4 * bright * (0.02 if band == "B10" else 1.0) + rng.integers(0, 200, small)).astype(
            np.uint16
        )
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, counts=counts, tci=colours(shape), shape=shape))
    data = []
    for band in clouds.S2CLOUDLESS_BANDS:
        resolution = safe_tree.NATIVE_1C[band]
        k = 60 // resolution
        c = (counts[band] - 1000.0) / 1e4
        data.append(c.reshape(c.shape[0] // k, k, c.shape[1] // k, k).mean(axis=(1, 3)))
    detector = package.S2PixelCloudDetector(threshold=0.4, average_over=4, dilation_size=2)
    expected = detector.get_cloud_masks(np.stack(data, -1)[None].astype(np.float32))[0].astype(bool)
    assert 0.05 < expected.mean() < 0.95
    found = scene_classes(scene, cloud_mask="s2cloudless", window=((50, 126), (0, 240)))
    np.testing.assert_array_equal(found.is_cloud, np.kron(expected, np.ones((6, 6), bool))[50:])


# ---- the rest of the errors, and what keeps tiles apart


def test_statistics_of_something_else_are_refused(scene, level_1c):
    statistics = scene_statistics(scene, method="percentile")
    with pytest.raises(
        UsageError, match=r"the statistics are of .*, percentile, scl; expected .*, published, scl\. Compute them again"
    ):
        scene_classes(scene, method="published", statistics=statistics)


def test_sun_method_needs_a_sun(tmp_path):
    scene = sentinel2.open_scene(safe_tree.write_safe(tmp_path, tci=colours(), shape=SHAPE, sun=False, bands=()))
    with pytest.raises(UsageError, match=r"does not say where the sun stood; .* Take the method percentile"):
        scene_classes(scene, method="sun")


@given(
    r0=st.integers(0, 500),
    c0=st.integers(0, 500),
    h=st.integers(1, 300),
    w=st.integers(1, 300),
    size=st.integers(1, 400),
)
@settings(max_examples=50, deadline=None)
def test_parts_cover_a_window_once_on_the_scenes_grid(r0, c0, h, w, size):
    seen = np.zeros((800, 800), int)
    for part in tiling.parts(Window(c0, r0, w, h), size):
        seen[part.row_off : part.row_off + part.height, part.col_off : part.col_off + part.width] += 1
        assert (
            part.row_off // size == (part.row_off + part.height - 1) // size
            and part.col_off // size == (part.col_off + part.width - 1) // size
        )
    assert (seen[r0 : r0 + h, c0 : c0 + w] == 1).all() and seen.sum() == h * w


def test_unpacked_holds_the_same_colours_and_leaves_nothing(level_1c):
    with tiling.unpacked(level_1c) as ready:
        path = ready.file("TCI").path
        assert path != level_1c.file("TCI").path and path.exists()
        np.testing.assert_array_equal(sentinel2.true_colour(ready), sentinel2.true_colour(level_1c))
    assert not path.parent.exists()


def test_each_keeps_order_and_passes_errors_on():
    assert list(tiling.each(lambda x: x * x, range(40))) == [x * x for x in range(40)]

    def fail(x):
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        list(tiling.each(fail, range(40)))


def test_unet_without_weights(scene):
    with pytest.raises(
        UsageError, match=r"method unet: no weights; expected an ONNX file of a trained network, for polynya ships none"
    ):
        scene_classes(scene, method="unet")
    assert Path(scene.path).exists()
