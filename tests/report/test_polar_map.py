"""The projection against pyproj, clipping against shapely, the coastline against geography."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.report import polar_map
from polynya.report.polar_map import NORTH, SOUTH


@pytest.mark.parametrize("projection", [NORTH, SOUTH], ids=lambda p: p.name)
def test_projection_agrees_with_pyproj_to_a_micrometre(projection):
    rng = np.random.default_rng(1)
    latitude = projection.sign * np.append(rng.uniform(40, 90, 400), [90.0, 70.0, 89.9999])
    longitude = np.append(rng.uniform(-180, 180, 400), [12.0, 180.0, -180.0])
    x, y = polar_map.project(latitude, longitude, projection)
    forward = pyproj.Transformer.from_crs("EPSG:4326", projection.name, always_xy=True)
    expected = forward.transform(longitude, latitude)
    np.testing.assert_allclose(x, expected[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(y, expected[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("projection", [NORTH, SOUTH], ids=lambda p: p.name)
@settings(max_examples=50, deadline=None)
@given(latitude=st.floats(45, 89.999), longitude=st.floats(-180, 179.999))
def test_inverse_returns_the_place(projection, latitude, longitude):
    x, y = polar_map.project(np.array([projection.sign * latitude]), np.array([longitude]), projection)
    back = polar_map.unproject(x, y, projection)
    assert back[0][0] == pytest.approx(projection.sign * latitude, abs=1e-9)
    assert abs((back[1][0] - longitude + 180) % 360 - 180) < 1e-7


def test_scale_factor_agrees_with_pyproj_and_is_one_at_the_true_latitude():
    for latitude in (55.0, 70.0, 85.0):
        factors = pyproj.Proj("EPSG:3413").get_factors(-45.0, latitude)
        assert polar_map._point_scale(latitude, NORTH) == pytest.approx(factors.meridional_scale, abs=1e-7)
    assert polar_map._point_scale(-70.0, SOUTH) == pytest.approx(1.0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 30))
def test_clipping_keeps_the_area_that_shapely_finds(seed, n):
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, n))
    ring = np.column_stack([np.cos(turn), np.sin(turn)]) * rng.uniform(0.3, 3.0, n)[:, None]
    polygon = shapely.Polygon(ring)
    if not polygon.is_valid:
        return
    cut = polar_map.clip_ring(ring, low=(-1.0, -0.7), high=(0.8, 1.2))
    expected = polygon.intersection(shapely.box(-1.0, -0.7, 0.8, 1.2)).area
    area = (
        0.0
        if len(cut) < 3
        else 0.5 * abs(float(np.sum(cut[:, 0] * np.roll(cut[:, 1], -1) - cut[:, 1] * np.roll(cut[:, 0], -1))))
    )
    assert area == pytest.approx(expected, abs=1e-9)
    if len(cut):
        assert cut[:, 0].min() >= -1.0 - 1e-12 and cut[:, 0].max() <= 0.8 + 1e-12


PLACES = [
    ("Greenland", 72.0, -40.0, True),
    ("Lapland", 67.5, 27.0, True),
    ("Taymyr", 74.0, 100.0, True),
    ("Alaska", 65.0, -150.0, True),
    ("Chukotka, west of 180", 67.0, 178.0, True),
    ("Chukotka, east of 180", 66.5, -178.0, True),
    ("North Pole", 89.99, 0.0, False),
    ("Greenland Sea", 75.0, -5.0, False),
    ("Hudson Bay", 60.0, -86.0, False),
    ("Bering Sea", 58.0, 180.0, False),
    ("South Pole", -89.99, 0.0, True),
    ("Dome C", -75.1, 123.3, True),
    ("Ross Sea", -75.0, 180.0, False),
    ("Weddell Sea", -70.0, -35.0, False),
    ("Southern Ocean", -60.0, 100.0, False),
]


@pytest.mark.parametrize("name, latitude, longitude, is_land", PLACES, ids=[p[0] for p in PLACES])
def test_coastline_has_land_where_the_earth_has(name, latitude, longitude, is_land):
    projection = NORTH if latitude > 0 else SOUTH
    x, y = polar_map.project(np.array([latitude]), np.array([longitude]), projection)
    place = shapely.Point(x[0], y[0])
    rings = sum(shapely.Polygon(ring).contains(place) for ring in polar_map.coastline(projection))
    assert (rings % 2 == 1) is is_land


def test_coastline_is_small_bounded_and_says_where_it_comes_from():
    folder = files("polynya") / "data"
    assert len((folder / "coastline_natural_earth_50m.npz").read_bytes()) <= 400_000
    words = (folder / "coastline_natural_earth_50m.txt").read_text(encoding="utf-8")
    assert "Natural Earth" in words and "public domain" in words and "sha256" in words
    for projection in (NORTH, SOUTH):
        points = np.concatenate(polar_map.coastline(projection))
        latitude, _ = polar_map.unproject(points[:, 0], points[:, 1], projection)
        assert (projection.sign * latitude).min() > 44.9


def test_a_track_is_coloured_by_value_and_grey_where_it_has_none():
    frame = polar_map.Frame(projection=NORTH, left=0.0, top=100.0, scale=1.0, width=100, height=100)
    x, y = np.array([10.0, 40.0, 70.0, 90.0]), np.array([50.0, 50.0, 50.0, 50.0])
    text = polar_map.coloured_track(frame, [(x, y, np.array([0.0, 1.0, np.nan, np.nan]))], low=0.0, high=1.0, width=3.0)
    assert 'd="M10 50L40 50" stroke="#440154"' in text
    assert 'd="M40 50L70 50" stroke="#fde725"' in text
    assert 'd="M70 50L90 50" stroke="#9aa0a6"' in text


def test_frame_holds_all_points_and_one_point_alone():
    x, y = np.array([1e5, 3e5]), np.array([-2e5, 4e5])
    frame = polar_map.frame_around(x, y, NORTH, width=640, height=420)
    px, py = frame.pixels(x, y)
    assert (px > 0).all() and (px < 640).all() and (py > 0).all() and (py < 420).all()
    alone = polar_map.frame_around(x[:1], y[:1], NORTH, width=640, height=420)
    assert alone.pixels(x[:1], y[:1]) == (pytest.approx(320), pytest.approx(210))


@pytest.mark.parametrize("x, y", [(0.0, 0.0), (2e6, -1e6), (3e4, 2e4)])
def test_graticule_of_any_place_is_finite(x, y):
    frame = polar_map.frame_around(np.array([x - 2e4, x + 2e4]), np.array([y, y + 1e4]), NORTH, width=640, height=420)
    text = polar_map.graticule(frame)
    assert "nan" not in text and "inf" not in text and text.count("gridlabel") >= 2
