"""The colour rule at its edges, Otsu by its definition, and the published filter's tables against OpenCV."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.errors import UsageError
from polynya.physics import ice_colour, thin_cloud
from tests.physics.test_thin_cloud import smooth

COUNTS = st.lists(st.integers(0, 60), min_size=256, max_size=256).map(np.array).filter(lambda c: c.sum() > 0)


def test_the_published_rule_is_inclusive_at_both_edges():
    v = np.array([1, 30, 31, 204, 205, 255, 0], np.uint8)
    assert ice_colour.class_table()[v].tolist() == [2, 2, 1, 1, 0, 0, -1]
    assert ice_colour.class_table()[v].dtype == np.int8


def test_value_is_the_brightest_colour():
    assert ice_colour.value(np.array([[[1, 200, 3], [9, 8, 7], [0, 0, 30]]], np.uint8)).tolist() == [[200, 9, 30]]


@pytest.mark.parametrize("thresholds", [(204, 30), (0, 204), (30, 255), (30, 30)])
def test_thresholds_that_make_no_sense(thresholds):
    with pytest.raises(UsageError, match=r"expected two rising numbers of 1 to 254, as 30, 204"):
        ice_colour.class_table(thresholds)


@settings(deadline=None)
@given(counts=COUNTS, q=st.floats(1, 100))
def test_percentile_by_its_definition(counts, q):
    found = ice_colour.percentile(counts, q)
    need = q / 100 * counts.sum()
    assert counts[: found + 1].sum() >= need
    assert found == 0 or counts[:found].sum() < need


@settings(deadline=None)
@given(image=st.integers(0, 10**6), cut=st.integers(1, 39))
def test_histograms_of_tiles_add_up(image, cut):
    data = np.random.default_rng(image).integers(0, 256, (40, 30)).astype(np.uint8)
    np.testing.assert_array_equal(
        ice_colour.histogram(data[:cut]) + ice_colour.histogram(data[cut:]), ice_colour.histogram(data)
    )
    odd = data % 2 == 1
    assert (
        ice_colour.histogram(data, where=odd)[::2].sum() == 0
        and ice_colour.histogram(data, where=odd).sum() == odd.sum()
    )


def scene(water, thin, thick, n=1000):
    """Histogram of a scene: 5 % water, 15 % thin ice, 80 % thick ice at given V."""
    counts = np.zeros(256, np.int64)
    counts[0] = 77  # no data
    for v, share in ((water, 0.05), (thin, 0.15), (thick, 0.80)):
        counts[v] += int(share * n)
    return counts


def test_bright_ice_is_brought_to_its_reference():
    assert ice_colour.thresholds_from_bright(scene(10, 120, 255)) == ice_colour.PUBLISHED
    assert ice_colour.thresholds_from_bright(scene(10, 60, 153)) == (18, 122)  # 153 / 255 = 0.6


def test_a_scene_of_water_is_not_stretched_into_ice():
    assert ice_colour.thresholds_from_bright(scene(20, 20, 25)) == ice_colour.PUBLISHED
    assert ice_colour.thresholds_from_bright(np.zeros(256, np.int64)) == ice_colour.PUBLISHED


def test_sun_thresholds():
    assert ice_colour.thresholds_from_sun(30.0) == ice_colour.thresholds_from_sun(55.0) == ice_colour.PUBLISHED
    # sin(14.4775 degrees) is a quarter: half of the reference's
    assert ice_colour.thresholds_from_sun(14.4775) == (15, 102)
    with pytest.raises(UsageError, match="sun elevation -2 degrees; expected above 0"):
        ice_colour.thresholds_from_sun(-2.0)


def otsu_by_definition(counts):
    """Largest between-class variance, by the two groups' own means."""
    best, place = 0.0, 0
    values = np.repeat(np.arange(256), counts).astype(float)
    for t in range(255):
        low, high = values[values <= t], values[values > t]
        if low.size and high.size:
            between = low.size * high.size * (low.mean() - high.mean()) ** 2
            if between > best * (1 + 1e-12):
                best, place = between, t
    return place


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_otsu_by_its_definition(seed):
    rng = np.random.default_rng(seed)
    values = np.clip(
        np.concatenate([rng.normal(rng.integers(20, 120), 12, 300), rng.normal(rng.integers(130, 240), 20, 500)]),
        0,
        255,
    )
    counts = ice_colour.histogram(values.astype(np.uint8))
    assert ice_colour.otsu(counts) == otsu_by_definition(counts)


def test_otsu_of_one_value():
    counts = np.zeros(256, np.int64)
    counts[99] = 5
    assert ice_colour.otsu(counts) == 0


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 235), (10, 60), (3, 4), (7, 7)])
def test_stretch(low, high):
    table = ice_colour.stretch_table(low, high)
    assert table[low] == 0 and (table[high] == 255 or low == high)
    assert (np.diff(table[low : high + 1].astype(int)) >= 0).all()
    if high > low:
        exact = (np.arange(low, high + 1) - low) * 255 / (high - low)
        assert np.abs(table[low : high + 1] - exact).max() <= 0.5 + 1e-4


def published_with_opencv(cv2, rgb):
    """The filter's steps in the order of the paper, with OpenCV."""
    v = rgb.max(axis=2)
    white = rgb.copy()
    white[v <= 30] = 255
    image = cv2.cvtColor(white, cv2.COLOR_RGB2GRAY)
    background = cv2.medianBlur(cv2.dilate(image, np.ones((7, 7), np.uint8)), 155)
    diff = 255 - cv2.absdiff(image, background)
    _, mask = cv2.threshold(diff, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    for_norm = cv2.bitwise_and(diff, mask)
    first = cv2.normalize(for_norm, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8UC1)
    _, cut = cv2.threshold(first, 235, 0, cv2.THRESH_TRUNC)
    last = cv2.normalize(cut, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8UC1)
    classes = np.where(last <= 204, 1, 0)
    classes[v <= 30] = 2
    return last, classes


def test_the_whole_filter_equals_opencv():
    cv2 = pytest.importorskip("cv2")
    for seed in range(6):
        grey = smooth((260, 300), seed, wave=3.0 + 5 * seed, noise=5.0)
        rgb = np.stack([np.clip(grey.astype(int) + d, 1, 255) for d in (0, 4, 9)], -1).astype(np.uint8)
        rgb[40:60, :, :] = 12 + seed
        last, classes = published_with_opencv(cv2, rgb)
        v = ice_colour.value(rgb)
        white = np.where((v <= 30)[..., None], 255, rgb).astype(np.uint8)
        diff = thin_cloud.difference(thin_cloud.grey(white))
        filtered = ice_colour.filtered_table(ice_colour.histogram(diff))[diff]
        np.testing.assert_array_equal(filtered, last)
        np.testing.assert_array_equal(ice_colour.classes_from_filtered(filtered, v), classes)


@pytest.mark.parametrize("low", [0, 1, 40])
def test_stretch_equals_opencv(low):
    cv2 = pytest.importorskip("cv2")
    for high in range(low + 1, 256):
        image = np.arange(low, high + 1, dtype=np.uint8)[None]
        np.testing.assert_array_equal(
            cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8UC1), ice_colour.stretch_table(low, high)[image]
        )


def test_filtered_table_by_hand():
    """Two groups, 100 and 200 ... 250: the lower becomes 0, 250 becomes 255, truncation at 235 lifts 230 and above to
    white."""
    counts = np.zeros(256, np.int64)
    counts[[100, 200, 225, 250]] = (50, 30, 30, 30)
    table = ice_colour.filtered_table(counts)
    first = {
        200: 204,
        225: 230 if round(225 * 255 / 250) == 230 else 229,
        250: 235,
    }  # stretched by 255 / 250, cut at 235
    assert table[100] == 0 and table[250] == 255
    assert table[200] == round(first[200] * 255 / 235)
    v = np.array([200, 200, 20, 0], np.uint8)
    assert ice_colour.classes_from_filtered(table[np.array([100, 250, 250, 250])], v).tolist() == [1, 0, 2, -1]


def test_without_contrast_the_published_filter_calls_everything_thin():
    counts = np.zeros(256, np.int64)
    counts[255] = 1000
    assert ice_colour.filtered_table(counts)[255] == 0


def test_published_numbers():
    """Iqrah et al. (arXiv 2502.02700): water to V 30, thin ice to 204; scenes of November at a sun of 30 degrees."""
    assert ice_colour.PUBLISHED == (30, 204) and ice_colour.SUN_REFERENCE == 30.0
    assert ice_colour.LEAST_BRIGHT == 90  # ours
