"""Shifts between images: made ones are found, absent ones are not claimed, the radar's geometry has its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from polynya.errors import UsageError
from polynya.physics import misregistration, slope

PIXEL = (25.0, 20.0)


def terrain(seed, shape=(300, 280), roughness=2.2):
    """A random surface with a power-law spectrum, 400 m of standard deviation."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :])
    f[0, 0] = np.inf
    z = np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) * f**-roughness).real
    return 3000 + 400 * (z - z.mean()) / z.std()


def structure(z):
    east, north = slope.gradients(z, east_m=PIXEL[0], south_m=PIXEL[1])
    return np.stack([east, north, np.hypot(east, north)])


def lit(z, seed):
    """Brightness of a slope lit from the south-east, over patches of dark and bright ground, with noise."""
    east, north, _ = structure(z)
    cosine = (0.6 - 0.6 * (-east * 0.7 + north * -0.7)) / np.sqrt(1 + east**2 + north**2)
    rng = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(rng.normal(size=z.shape), 12)
    return np.log(np.clip(cosine, 0.05, None)) + 0.7 * ground / ground.std() + rng.normal(0, 0.2, z.shape)


@pytest.mark.parametrize("down, right", [(0, 0), (3, -5), (-20, 31), (44, 12)])
def test_a_made_shift_is_found_to_half_a_pixel(down, right):
    z = terrain(1)
    response = np.roll(lit(z, 2), (down, right), (0, 1))
    shift = misregistration.estimate([(structure(z), response)], pixel_m=PIXEL)
    assert shift.is_confident
    assert shift.east_m == pytest.approx(right * PIXEL[0], abs=0.5 * PIXEL[0])
    assert shift.north_m == pytest.approx(-down * PIXEL[1], abs=0.5 * PIXEL[1])
    assert shift.pixels == pytest.approx(max(abs(down), abs(right)), abs=0.5)


def test_holes_on_both_sides_do_not_move_it():
    z = terrain(3)
    response = np.roll(lit(z, 4), (10, -14), (0, 1))
    response[:, :60] = np.nan
    known = structure(z)
    known[:, 150:] = np.nan
    shift = misregistration.estimate([(known, response)], pixel_m=PIXEL)
    assert shift.is_confident
    assert (shift.east_m, shift.north_m) == (pytest.approx(-14 * 25, abs=15), pytest.approx(-200, abs=12))


def test_unrelated_images_are_not_believed():
    believed = [
        misregistration.estimate([(structure(terrain(s)), lit(terrain(100 + s), s))], pixel_m=PIXEL).is_confident
        for s in range(12)
    ]
    assert sum(believed) == 0


def test_two_windows_say_more_than_one():
    z = terrain(5)
    response = np.roll(lit(z, 6), (0, 8), (0, 1)) + np.random.default_rng(0).normal(0, 1.5, z.shape)
    halves = [(structure(z)[:, rows], response[rows]) for rows in (slice(0, 150), slice(150, 300))]
    one, both = (misregistration.estimate(p, pixel_m=PIXEL) for p in (halves[:1], halves))
    assert both.score > one.score
    assert both.east_m == pytest.approx(200, abs=15)


def test_too_little_to_say_is_none():
    z = terrain(7)
    assert misregistration.estimate([], pixel_m=PIXEL) is None
    assert misregistration.estimate([(structure(z), np.full(z.shape, np.nan))], pixel_m=PIXEL) is None
    assert misregistration.estimate([(structure(z), np.ones(z.shape))], pixel_m=PIXEL) is None
    assert misregistration.estimate([(structure(z)[:, :5, :5], z[:5, :5])], pixel_m=PIXEL) is None
    with pytest.raises(UsageError, match="Cut them alike"):
        misregistration.estimate([(structure(z), z[1:])], pixel_m=PIXEL)


@pytest.mark.parametrize("rise", [-0.3, 0.0, 0.3, 0.5])
def test_a_slope_that_faces_the_radar_is_squeezed_as_geometry_says(rise):
    """Ground range of a point x on a slope z = r x away from the sensor is x (1 - r / tan incidence)."""
    x = np.arange(200)
    z = np.tile(rise * x * 10.0, (60, 1))
    image = misregistration.radar_image(z, pixel_m=(10.0, 10.0), look_azimuth=90.0, incidence=40.0, pad=80, finer=8)
    middle = np.nanmedian(10 ** (image[100:120, 170:190] / 10)) - 0.1
    assert middle == pytest.approx(1 / (1 - rise / np.tan(np.radians(40.0))), rel=0.05)


def test_what_is_high_is_displaced_towards_the_sensor():
    """A hill on a plain, seen from the west (looking east), leaves its place nearly empty and piles up west of it."""
    z = np.zeros((81, 121))
    z[30:51, 50:71] = 300.0
    image = misregistration.radar_image(z, pixel_m=(20.0, 20.0), look_azimuth=90.0, incidence=45.0, pad=20)
    rows = slice(20 + 32, 20 + 49)
    piled = image[rows, 20 + 50 - 15 + 1 : 20 + 50 - 1]  # 300 m / tan 45 / 20 m = 15 pixels
    assert np.nanmedian(piled) == pytest.approx(10 * np.log10(2.1), abs=0.1)
    left = (
        10 ** (image[rows, 20 + 58 : 20 + 68] / 10) - 0.1
    )  # only the far cliff, one pixel of ground on sixteen of the image
    assert np.nanmean(left) == pytest.approx(1 / 16, abs=0.02)


def test_look_directions_are_those_of_sentinel_1():
    """Heading 348 degrees ascending at the equator (mission document), turning towards west with latitude; looks to the
    right."""
    up, down = misregistration.look_azimuths(0.0)
    assert up == pytest.approx(78.0, abs=1.0) and down == pytest.approx(282.0, abs=1.0)
    assert misregistration.look_azimuths(60.0)[0] < misregistration.look_azimuths(40.0)[0] < up
    assert misregistration.look_azimuths(-40.0) == misregistration.look_azimuths(40.0)


def test_an_image_never_corrected_is_matched_by_the_simulated_one():
    z = terrain(9, shape=(200, 220))
    pad = 60
    seen = misregistration.radar_image(z, pixel_m=PIXEL, look_azimuth=282.0, incidence=41.0, pad=pad)
    seen = np.roll(seen, (0, -30), (0, 1)) + np.random.default_rng(1).normal(0, 2.0, seen.shape)
    fits = {
        look: misregistration.estimate(
            [(misregistration.radar_image(z, pixel_m=PIXEL, look_azimuth=look, incidence=39.0, pad=pad)[None], seen)],
            pixel_m=PIXEL,
        )
        for look in (78.0, 282.0)
    }
    assert fits[282.0].is_confident and fits[282.0].confidence > fits[78.0].confidence
    assert fits[282.0].east_m == pytest.approx(-30 * 25.0, abs=30.0)
    assert fits[282.0].north_m == pytest.approx(0.0, abs=30.0)


def test_band_pass_keeps_holes_and_removes_the_mean():
    image = np.full((40, 50), 5.0)
    image[3, 4] = np.nan
    out = misregistration.band_pass(image, fine=1.0, coarse=6.0)
    assert np.isnan(out[3, 4]) and np.isnan(out).sum() == 1
    np.testing.assert_allclose(out[~np.isnan(out)], 0.0, atol=1e-12)


def test_what_is_believed():
    """Real Khumbu scenes: true peaks reach a confidence of 0.58 and a score of 27 and more; mirrored images, which have
    no true shift, at most 0.50."""
    assert (misregistration.LEAST_CONFIDENCE, misregistration.LEAST_SCORE) == (0.55, 20.0)
    for confidence, score, believed in ((0.55, 20.0, True), (0.54, 90.0, False), (0.9, 19.9, False)):
        shift = misregistration.Shift(
            east_m=0.0, north_m=0.0, pixels=0.0, r_squared=0.1, score=score, confidence=confidence
        )
        assert shift.is_confident == believed
