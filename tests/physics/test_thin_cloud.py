"""The filter's background against brute force and OpenCV, and tiles against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from polynya.physics import thin_cloud


def smooth(shape, seed, *, wave=12.0, noise=8.0):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), wave)
    return np.clip(field / field.std() * 60 + 150 + rng.normal(0, noise, shape), 0, 255).astype(np.uint8)


def test_grey_is_the_rounded_luminance():
    rgb = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    exact = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(thin_cloud.grey(rgb) - exact).max() < 0.51
    level = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(thin_cloud.grey(np.stack([level] * 3, -1)), level)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    h=st.integers(1, 40),
    w=st.integers(1, 40),
    size=st.sampled_from([1, 3, 9, 31]),
    few=st.booleans(),
)
def test_running_median_is_the_median(seed, h, w, size, few):
    rng = np.random.default_rng(seed)
    padded = rng.integers(0, 3 if few else 256, (h + size - 1, w + size - 1)).astype(np.uint8)
    squares = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    np.testing.assert_array_equal(
        thin_cloud.running_median(padded, size), np.median(squares, axis=(2, 3)).astype(np.uint8)
    )


def test_a_step_as_wide_as_half_the_median_is_background_and_a_narrow_line_is_not():
    image = np.full((400, 400), 250, np.uint8)
    image[:, 200:] = 180  # a wide veil: its inside is its own background
    image[100:103, :] = 100  # a lead of three pixels
    found = thin_cloud.difference(image)
    assert (found[300, :120] == 255).all() and (found[300, 280:] == 255).all()
    assert (found[101, 20:120] == 255 - 150).all()


def test_difference_equals_opencv():
    cv2 = pytest.importorskip("cv2")
    for seed, shape in ((1, (300, 420)), (2, (90, 50)), (3, (1, 200))):
        image = smooth(shape, seed)
        background = cv2.medianBlur(cv2.dilate(image, np.ones((7, 7), np.uint8)), 155)
        np.testing.assert_array_equal(thin_cloud.difference(image), 255 - cv2.absdiff(image, background))
    rgb = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    np.testing.assert_array_equal(thin_cloud.grey(rgb), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_tile_with_its_halo_equals_the_whole(data):
    image = smooth((230, 260), 7)
    whole = thin_cloud.difference(image)
    r0, c0 = data.draw(st.integers(0, 229)), data.draw(st.integers(0, 259))
    r1, c1 = data.draw(st.integers(r0 + 1, 230)), data.draw(st.integers(c0 + 1, 260))
    top, left = max(r0 - thin_cloud.HALO, 0), max(c0 - thin_cloud.HALO, 0)
    tile = image[top : r1 + thin_cloud.HALO, left : c1 + thin_cloud.HALO]
    part = thin_cloud.difference(tile, inner=(slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)))
    np.testing.assert_array_equal(part, whole[r0:r1, c0:c1])


def test_the_halo_is_as_wide_as_it_must_be_and_no_wider():
    """Row 120 sees rows 43 to 197 of the dilated image: 77 bright ones above, and row 197, which is bright only through
    row 200."""
    image = np.full((330, 200), 10, np.uint8)
    image[46:117] = 200  # dilated: 43 to 119
    image[200] = 200  # dilated: 197 to 203
    row = slice(120, 121), slice(0, 200)
    whole = thin_cloud.difference(image)[row]
    assert (whole == 255 - 190).all()
    assert (thin_cloud.difference(image[: 121 + thin_cloud.HALO], inner=row) == whole).all()
    assert (thin_cloud.difference(image[: 120 + thin_cloud.HALO], inner=row) == 255).all()
