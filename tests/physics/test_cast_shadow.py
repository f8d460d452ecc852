"""Shadow of walls and towers in closed form, on oblong pixels too; slopes that turn away; holes."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import cast_shadow


@pytest.mark.parametrize(("azimuth", "axis", "sign"), [(0.0, 0, 1), (180.0, 0, -1), (90.0, 1, -1), (270.0, 1, 1)])
def test_a_wall_on_oblong_pixels(azimuth, axis, sign):
    """A wall of 100 m, the sun 30 degrees high: the edge falls by a pixel's side times tan 30 a pixel."""
    side = {0: 15.0, 1: 25.0}[axis]
    ground = np.zeros((60, 60))
    ground[(30, slice(None)) if axis == 0 else (slice(None), 30)] = 100.0
    depth = cast_shadow.depth_m(ground, east_m=25.0, south_m=15.0, sun_elevation=30.0, sun_azimuth=azimuth)
    line = depth[:, 20] if axis == 0 else depth[20]
    for k in range(1, 20):
        assert line[30 + sign * k] == pytest.approx(max(100.0 - k * side * np.tan(np.radians(30.0)), 0.0), abs=1e-3)
        assert line[30 - sign * k] == 0.0


@pytest.mark.parametrize("azimuth", [20.0, 63.0, 117.0, 205.0, 250.0, 312.0])
def test_a_tower_on_oblong_pixels_shades_away_from_the_sun(azimuth):
    ground = np.zeros((161, 161))
    ground[79:82, 79:82] = 80.0
    dark = cast_shadow.depth_m(ground, east_m=10.0, south_m=20.0, sun_elevation=25.0, sun_azimuth=azimuth) > 0
    rows, columns = np.nonzero(dark)
    east, north = (columns - 80) * 10.0, -(rows - 80) * 20.0
    a = np.radians(azimuth)
    away, aside = -(east * np.sin(a) + north * np.cos(a)), np.abs(east * np.cos(a) - north * np.sin(a))
    assert away.max() == pytest.approx(80.0 / np.tan(np.radians(25.0)), abs=45.0) and away.min() > -45.0
    assert aside.max() < 60.0  # the tower is 30 by 60 m


def test_unknown_ground_is_unknown_and_casts_nothing():
    ground = np.zeros((30, 30))
    ground[10] = 50.0
    ground[12:14, 5:9] = np.nan
    ground[10, 20:25] = np.nan  # a gap in the wall
    depth = cast_shadow.depth_m(ground, east_m=10.0, south_m=10.0, sun_elevation=45.0, sun_azimuth=0.0)
    assert np.array_equal(np.isnan(depth), np.isnan(ground))
    assert (depth[14, 5:9] == 10.0).all()  # carried on behind the hole: 50 - 4 * 10
    assert (depth[11:, 21:24] == 0.0).all()
    shaded = cast_shadow.shaded(ground, east_m=10.0, south_m=10.0, sun_elevation=45.0, sun_azimuth=0.0)
    assert shaded.dtype == bool and not shaded[np.isnan(ground)].any()


@pytest.mark.parametrize(("tilt", "expected"), [(20.0, False), (50.0, True)])
def test_a_slope_turns_away_where_it_is_steeper_than_the_sun_is_high(tilt, expected):
    down_north = np.tan(np.radians(tilt)) * 10.0 * np.arange(40)[:, None] * np.ones((1, 40))  # falls to the north
    shaded = cast_shadow.shaded(down_north, east_m=10.0, south_m=10.0, sun_elevation=35.0, sun_azimuth=180.0)
    assert (shaded[5:-5, 5:-5] == expected).all()
    cosine = cast_shadow.cosine_of_incidence(
        down_north, east_m=10.0, south_m=10.0, sun_elevation=35.0, sun_azimuth=180.0
    )
    assert cosine[5:-5, 5:-5] == pytest.approx(np.full((30, 30), np.cos(np.radians(90.0 - 35.0 + tilt))))
