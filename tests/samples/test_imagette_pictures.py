"""Pictures of one size with numbers beside them: stretch, level, resampling, reflection."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import cmod5n
from polynya.physics.imagette_spectrum import EDGES_M
from polynya.samples.imagette_pictures import LEVEL, SCALARS, on_canvas, prepare
from polynya.schema.imagettes import GREY, ROUGHNESS, SIGMA0, Imagette


def imagette(picture, *, quantity=ROUGHNESS, pixels=(50.0, 50.0), mask=None, incidence=np.nan):
    picture = np.asarray(picture, np.float32)
    return Imagette(
        name="a",
        source="s",
        product="p",
        picture=picture,
        quantity=quantity,
        azimuth_pixel_m=pixels[0],
        range_pixel_m=pixels[1],
        mask=np.isfinite(picture) if mask is None else mask,
        incidence_angle=incidence,
    )


def wave(size: int, pixel_m: float, length_m: float, *, axis: int) -> np.ndarray:
    place = np.arange(size) * pixel_m
    line = 1.0 + 0.3 * np.sin(2 * np.pi * place / length_m)
    return np.tile(line, (size, 1)) if axis else np.tile(line[:, None], (1, size))


def test_the_stretch_ends_at_the_1st_and_the_99th_percentile():
    ramp = np.linspace(1.0, 2.0, 64 * 64).reshape(64, 64)
    found = prepare(imagette(ramp), size=64, pixel_m=50.0)
    assert found.grey.dtype == np.uint8 and found.limits == pytest.approx((1.01, 1.99), abs=1e-3)
    assert abs((found.grey == 0).mean() - 0.01) < 0.003 and abs((found.grey == 255).mean() - 0.01) < 0.003
    plain = np.clip((ramp - 1.01) / 0.98, 0, 1) * 255
    assert np.abs(found.grey - plain).max() <= 1.0


def test_the_level_is_that_of_the_picture_before_the_stretch():
    """Log-normal roughness: mean exp(m + s^2 / 2), percentiles exp(m + z s)."""
    rng = np.random.default_rng(0)
    m, s = np.log(0.4), 0.2
    found = prepare(imagette(np.exp(m + s * rng.normal(size=(300, 300)))), size=300, pixel_m=50.0)
    to_db = 10 / np.log(10)
    expected = [to_db * (m + s**2 / 2), to_db * s, to_db * 3.09 * s, -to_db * 3.09 * s]
    assert found.scalars[:4] == pytest.approx(expected, abs=0.15)
    w = np.exp(s**2)  # moments of the log-normal distribution; the largest of 90,000 normal values is about 4.3
    assert found.scalars[4] == pytest.approx(to_db * 4.3 * s, abs=0.6)
    assert found.scalars[5] == pytest.approx((w + 2) * np.sqrt(w - 1), abs=0.05)
    assert found.scalars[6] == pytest.approx(np.log10(w**4 + 2 * w**3 + 3 * w**2 - 3), abs=0.03)


def test_an_iceberg_of_four_pixels_is_in_the_numbers_alone():
    rng = np.random.default_rng(5)
    sea = rng.gamma(50.0, 1 / 50.0, size=(200, 200))
    ice = sea.copy()
    ice[100:102, 80:82] = 10.0  # +10 dB
    without, with_ice = (prepare(imagette(v), size=200, pixel_m=50.0) for v in (sea, ice))
    apart = np.abs(without.grey.astype(int) - with_ice.grey) > 1
    assert apart.sum() <= 4 and with_ice.grey[100, 80] == without.grey.max() == 255
    assert with_ice.scalars[LEVEL.index("peak_db")] == pytest.approx(10.0, abs=0.1)
    assert without.scalars[LEVEL.index("peak_db")] < 4.0
    assert with_ice.scalars[LEVEL.index("log_kurtosis")] > without.scalars[LEVEL.index("log_kurtosis")] + 0.5


def test_a_gain_changes_the_mean_alone():
    rng = np.random.default_rng(1)
    picture = np.exp(0.2 * rng.normal(size=(96, 96)))
    one, two = (prepare(imagette(g * picture), size=96, pixel_m=50.0) for g in (1.0, 4.0))
    assert two.scalars[0] - one.scalars[0] == pytest.approx(10 * np.log10(4), abs=1e-3)
    assert np.abs(two.scalars[1:] - one.scalars[1:]).max() < 1e-3
    assert np.abs(two.grey.astype(int) - one.grey).max() <= 1


def test_grey_pictures_have_no_level_and_the_same_shape():
    rng = np.random.default_rng(2)
    picture = np.exp(0.2 * rng.normal(size=(96, 96)))
    full = prepare(imagette(picture), size=96, pixel_m=50.0)
    grey = prepare(imagette(full.grey, quantity=GREY), size=96, pixel_m=50.0)
    assert np.isnan(grey.scalars[: len(LEVEL)]).all() and grey.limits == (0.0, 1.0)
    assert grey.scalars[len(LEVEL) :] == pytest.approx(full.scalars[len(LEVEL) :], abs=0.02)


def test_sigma_nought_becomes_roughness_where_the_angle_is_known():
    rng = np.random.default_rng(3)
    roughness = np.exp(0.2 * rng.normal(size=(64, 64)))
    sigma = roughness * float(cmod5n.sigma_nought(36.8, 10.0, 45.0))
    one = prepare(imagette(roughness), size=64, pixel_m=50.0)
    two = prepare(imagette(sigma, quantity=SIGMA0, incidence=36.8), size=64, pixel_m=50.0)
    assert two.scalars == pytest.approx(one.scalars, abs=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_resampling_keeps_wavelengths_on_pixels_that_are_not_square(axis):
    """A wave of 700 m has its variance in the band of 562 to 1000 m, whatever the pixels."""
    pixels = (42.0, 37.0)
    picture = wave(480, pixels[axis], 700.0, axis=axis)
    found = prepare(imagette(picture, pixels=pixels), size=320, pixel_m=50.0)
    shares = found.scalars[len(LEVEL) : -1]
    band = int(np.searchsorted(EDGES_M, 700.0) - 1)
    assert int(shares.argmax()) == band and 10 ** shares[band] > 0.8 and found.scalars[-1] > 0.8


def test_land_is_filled_and_does_not_count():
    rng = np.random.default_rng(4)
    picture = np.exp(0.2 * rng.normal(size=(64, 64)))
    mask = np.ones((64, 64), bool)
    mask[:20, :20] = False
    with_land = np.where(mask, picture, np.nan)
    found = prepare(imagette(with_land, mask=mask), size=64, pixel_m=50.0)
    assert found.scalars[0] == pytest.approx(10 * np.log10(picture[mask].mean()), abs=1e-4)
    assert np.unique(found.grey[~mask]).size == 1 and 60 < found.grey[0, 0] < 200


def test_larger_pictures_are_cut_and_smaller_ones_reflected():
    picture = np.arange(7 * 9.0).reshape(7, 9)
    assert np.array_equal(on_canvas(picture, 5), picture[1:6, 2:7])
    padded = on_canvas(picture[:3, :3], 5)
    assert np.array_equal(padded, np.pad(picture[:3, :3], 1, mode="symmetric"))
    assert on_canvas(picture[:3, :3], 40).shape == (40, 40)


def test_a_picture_of_one_value_is_a_half():
    found = prepare(imagette(np.full((40, 40), 0.7)), size=40, pixel_m=50.0)
    assert (found.grey == 128).all() and np.isfinite(found.scalars).all() and len(found.scalars) == len(SCALARS)
