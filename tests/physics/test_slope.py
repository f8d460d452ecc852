"""Slopes against planes, whose gradient is known, and a sphere cap's tangent."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import slope


def plane(shape, east, north, dx, dy):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 100.0 + east * x * dx - north * y * dy


@pytest.mark.parametrize("east, north", [(0.3, 0.0), (0.0, -0.7), (0.2, 0.5), (-1.4, 0.1)])
def test_a_plane_has_its_slope_to_the_edge_on_oblong_pixels(east, north):
    found = slope.gradients(plane((7, 9), east, north, 27.0, 21.0), east_m=27.0, south_m=21.0)
    np.testing.assert_allclose(found[0], east, atol=1e-12)
    np.testing.assert_allclose(found[1], north, atol=1e-12)
    degrees = slope.degrees(plane((7, 9), east, north, 27.0, 21.0), east_m=27.0, south_m=21.0)
    np.testing.assert_allclose(degrees, np.degrees(np.arctan(np.hypot(east, north))), rtol=1e-6)


def test_a_hole_stays_one_and_its_neighbours_keep_the_plane():
    z = plane((9, 9), 0.25, -0.5, 10.0, 10.0)
    z[4, 4] = np.nan
    east, north = slope.gradients(z, east_m=10.0, south_m=10.0)
    assert np.isnan(east[4, 4]) and np.isnan(east).sum() == 1
    np.testing.assert_allclose(east[~np.isnan(east)], 0.25, atol=1e-12)
    np.testing.assert_allclose(north[~np.isnan(north)], -0.5, atol=1e-12)


def test_rows_may_have_pixels_of_their_own_width():
    width = np.array([10.0, 20.0, 40.0, 80.0])
    z = np.tile(np.arange(6.0), (4, 1))  # one metre a pixel in every row
    east, _ = slope.gradients(z, east_m=width, south_m=10.0)
    np.testing.assert_allclose(east, np.tile(1.0 / width[:, None], (1, 6)))


def test_horn_weights_on_a_surface_that_is_no_plane():
    """z = x y: the differences of Horn are exact, dz/dx = y."""
    y, x = np.mgrid[:5, :5].astype(float)
    east, north = slope.gradients(x * y, east_m=1.0, south_m=1.0)
    np.testing.assert_allclose(east[1:-1, 1:-1], y[1:-1, 1:-1])
    np.testing.assert_allclose(north[1:-1, 1:-1], -x[1:-1, 1:-1])  # rows go south


def test_a_pixel_without_size_is_refused():
    with pytest.raises(UsageError, match="sizes above 0"):
        slope.degrees(np.zeros((3, 3)), east_m=0.0, south_m=1.0)
