"""Swaths against an analytic orbit: a satellite on a circle over a sphere looks to its right, which crosses the
antimeridian and passes a pole."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pyproj import Geod

from polynya.errors import ProductError
from polynya.physics import swath

RADIUS_M = 6371000.0
LINE_M, SAMPLE_M = 40.0, 40.0


def orbit(line, sample, *, inclination, start, node):
    """Return latitude and longitude: ``line`` along a great circle, ``sample`` along the great circle across it."""
    along, across = start + np.asarray(line) * LINE_M / RADIUS_M, np.asarray(sample) * SAMPLE_M / RADIUS_M
    i, n = np.radians(inclination), np.radians(node)
    ahead = np.stack([np.cos(along), np.sin(along) * np.cos(i), np.sin(along) * np.sin(i)])  # under the satellite
    pole = np.array([0.0, -np.sin(i), np.cos(i)]).reshape(3, *(1,) * (ahead.ndim - 1))  # of the orbit's plane
    x, y, z = np.cos(across) * ahead - np.sin(across) * pole
    x, y = x * np.cos(n) - y * np.sin(n), x * np.sin(n) + y * np.cos(n)
    return np.degrees(np.arcsin(z)), np.degrees(np.arctan2(y, x))


PLACES = {
    "mid latitude": {"inclination": 98.2, "start": 1.0, "node": 40.0},
    "over the antimeridian": {"inclination": 98.2, "start": 1.2, "node": -161.0},
    "over the pole": {"inclination": 90.0, "start": np.pi / 2 - 0.03, "node": 10.0},
    "along the equator": {"inclination": 0.0, "start": 0.0, "node": 179.0},
}
SHAPE = (9000, 6000)


def made(place, *, step=500):
    lines, samples = np.arange(0.0, SHAPE[0] + step, step), np.arange(0.0, SHAPE[1] + step, step)
    lat, lon = orbit(lines[:, None], samples[None, :], **PLACES[place])
    return swath.Swath(shape=SHAPE, lines=lines, samples=samples, latitude=lat, longitude=lon)


def apart_m(lat, lon, other_lat, other_lon):
    geod = Geod(a=RADIUS_M, b=RADIUS_M)
    return geod.inv(lon, lat, other_lon, other_lat)[2]


@pytest.mark.parametrize("place", PLACES)
def test_every_pixel_lies_where_the_orbit_has_it(place):
    """20 km between geolocation points; the middles between them are hit to a hundredth of a pixel."""
    rng = np.random.default_rng(0)
    line, sample = rng.uniform(0, SHAPE[0] - 1, 400), rng.uniform(0, SHAPE[1] - 1, 400)
    lat, lon = made(place).positions(line, sample)
    assert apart_m(lat, lon, *orbit(line, sample, **PLACES[place])).max() < 0.4


@pytest.mark.parametrize("place", PLACES)
def test_there_and_back(place):
    rng = np.random.default_rng(1)
    line, sample = rng.uniform(0, SHAPE[0] - 1, 300), rng.uniform(0, SHAPE[1] - 1, 300)
    grid = made(place)
    back = grid.locate(*grid.positions(line, sample))
    np.testing.assert_allclose(back[0], line, atol=1e-4)
    np.testing.assert_allclose(back[1], sample, atol=1e-4)
    true = grid.locate(*orbit(line, sample, **PLACES[place]))  # the orbit itself, not our interpolation of it
    np.testing.assert_allclose(true, (line, sample), atol=0.01)


def test_bilinear_positions_do_not_swing_beside_a_step():
    """Terrain moves the points of some columns by 800 m: between points that it left alone nothing moves."""
    lines, samples = np.arange(0.0, 5001.0, 500.0), np.arange(0.0, 5001.0, 500.0)
    place = PLACES["mid latitude"]
    shifted = np.where(samples >= 2500, samples + 20.0, samples)
    lat, lon = orbit(lines[:, None], shifted[None, :], **place)
    points = {"shape": (5001, 5001), "lines": lines, "samples": samples, "latitude": lat, "longitude": lon}
    line, sample = np.full(30, 2250.0), np.linspace(600, 1950, 30)
    true = orbit(line, sample, **place)
    grid = swath.Swath(**points, degree=1)
    assert apart_m(*grid.positions(line, sample), *true).max() < 10.0  # 20 km of a great circle across
    assert apart_m(*swath.Swath(**points).positions(line, sample), *true).max() > 40.0
    back = grid.locate(*grid.positions(line + 0.25, sample))
    np.testing.assert_allclose(back, (line + 0.25, sample), rtol=0, atol=1e-3)
    at_points = grid.positions(lines[3:5], samples[3:5])
    assert apart_m(*at_points, lat[[3, 4], [3, 4]], lon[[3, 4], [3, 4]]).max() < 1e-3


def test_longitudes_do_not_jump_through_zero_at_the_antimeridian():
    grid = made("over the antimeridian")
    _, lon = grid.window(slice(0, SHAPE[0]), slice(2999, 3000))
    assert lon.min() < -179 and lon.max() > 179  # it is crossed
    assert np.abs(lon).min() > 150


def test_a_window_is_a_piece_of_the_whole():
    grid = made("over the pole")
    lat, lon = grid.window(slice(4000, 4040), slice(100, 130))
    line, sample = np.mgrid[4000:4040, 100:130]
    expected = grid.positions(line, sample)
    np.testing.assert_allclose(lat, expected[0], atol=1e-12)
    assert apart_m(lat, lon, *expected).max() < 1e-4
    assert lat.shape == (40, 30)


def test_places_outside_the_image_are_in_no_pixel():
    grid = made("mid latitude")
    out = orbit(np.array([-5.0, 100.0, SHAPE[0] + 5.0]), np.array([100.0, -5.0, 100.0]), **PLACES["mid latitude"])
    for numbers in (grid.locate(*out), grid.locate(np.array([-60.0]), np.array([12.0]))):
        assert np.isnan(numbers).all()
    assert np.isnan(grid.locate(np.array([np.nan]), np.array([0.0]))).all()


def test_the_size_of_a_pixel():
    """On the ellipsoid a degree is not what it is on the sphere: to 1 %."""
    assert made("along the equator").pixel_m == pytest.approx((SAMPLE_M, LINE_M), rel=0.01)


def test_two_points_are_enough_for_a_small_image():
    lat, lon = np.array([[60.0, 60.0], [59.99, 59.99]]), np.array([[10.0, 10.02], [10.0, 10.02]])
    grid = swath.Swath(
        shape=(11, 11), lines=np.array([0.0, 10.0]), samples=np.array([0.0, 10.0]), latitude=lat, longitude=lon
    )
    assert grid.positions(5.0, 5.0) == pytest.approx((59.995, 10.01), abs=1e-5)


def test_it_travels_to_other_processes():
    """Engines send records to workers."""
    grid = made("over the pole")
    grid.positions(0.0, 0.0)
    again = pickle.loads(pickle.dumps(grid))
    assert again.positions(3.0, 4.0) == grid.positions(3.0, 4.0)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"lines": np.array([0.0])}, "expected two or more of each"),
        ({"latitude": np.zeros((2, 3))}, "one position per point"),
        ({"samples": np.array([10.0, 0.0])}, "do not increase"),
        ({"latitude": np.array([[0.0, 91.0], [0.0, 0.0]])}, "1 geolocation points have no position"),
        ({"longitude": np.array([[0.0, np.nan], [0.0, np.nan]])}, "2 geolocation points have no position"),
    ],
)
def test_points_that_are_no_grid(change, says):
    good = {
        "shape": (11, 11),
        "lines": np.array([0.0, 10.0]),
        "samples": np.array([0.0, 10.0]),
        "latitude": np.zeros((2, 2)),
        "longitude": np.zeros((2, 2)),
    }
    swath.Swath(**good)
    with pytest.raises(ProductError, match=says):
        swath.Swath(**{**good, **change})
