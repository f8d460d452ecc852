"""Calipers, perimeters and middle lines of bodies with known sizes; the interval of the ice fraction."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from rasterio.features import shapes
from scipy import ndimage

from polynya.physics import calipers, common_cause, thinning


def ring(mask: np.ndarray) -> np.ndarray:
    outline = next(s for s, v in shapes(mask.astype(np.uint8), mask=mask) if v == 1)
    return shapely.get_coordinates(shapely.geometry.shape(outline).exterior)[:-1]


def disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:200, :200]
    return (y - 100.2) ** 2 + (x - 99.7) ** 2 < radius**2


@pytest.mark.parametrize("radius", [20, 60])
def test_a_disc(radius):
    border = ring(disc(radius))
    assert calipers.perimeter(border) == pytest.approx(2 * np.pi * radius, rel=0.03)
    mean, most = calipers.calipers(border)
    assert mean == pytest.approx(2 * radius, abs=1.5) and most == pytest.approx(2 * radius, abs=2.0)


def test_a_turned_rectangle():
    y, x = np.mgrid[:200, :200]
    a = np.deg2rad(25.0)
    u, v = (x - 100) * np.cos(a) + (y - 100) * np.sin(a), (y - 100) * np.cos(a) - (x - 100) * np.sin(a)
    border = ring((abs(u) < 60) & (abs(v) < 25))
    assert calipers.perimeter(border) == pytest.approx(340.0, rel=0.03)
    mean, most = calipers.calipers(border)
    assert mean == pytest.approx(340.0 / np.pi, abs=1.5) and most == pytest.approx(130.0, abs=1.5)


def test_calipers_and_perimeters_grow_with_the_pixel():
    border = ring(disc(30))
    assert calipers.perimeter(border * 12.5, step=12.5) == pytest.approx(12.5 * calipers.perimeter(border))
    assert calipers.calipers(border * 12.5) == pytest.approx(12.5 * np.array(calipers.calipers(border)))


def test_points_on_a_line_have_a_caliper():
    assert calipers.calipers(np.array([[0.0, 0.0], [3.0, 4.0]]))[1] == pytest.approx(5.0)


def test_middle_lines_are_thin_connected_and_in_the_middle():
    mask = np.zeros((60, 80), bool)
    mask[20:27, 5:75] = True
    mask[5:55, 40:45] = True
    line = thinning.thinned(mask)
    assert (line & ~mask).sum() == 0
    assert ndimage.label(line, np.ones((3, 3)))[1] == 1
    assert set(np.flatnonzero(line[:, 15])) <= {22, 23, 24} and line[:, 15].sum() == 1
    assert not thinning.thinned(np.zeros((5, 5), bool)).any()


def test_an_interval_of_sure_pixels_is_narrow_and_of_unsure_ones_wide():
    sums = common_cause.Shares()
    p = np.array([0.999] * 70 + [0.001] * 30)
    sums.add(p, np.ones(100), np.zeros(100, bool))
    assert sums.fraction() == pytest.approx((0.7 * 0.999 + 0.3 * 0.001, 0.7, 0.7), abs=2e-3)
    sums.add(np.full(100, 0.6), np.ones(100), np.zeros(100, bool))
    value, low, high = sums.fraction()
    assert value == pytest.approx((70 * 0.999 + 30 * 0.001 + 60) / 200)
    assert (low, high) == (pytest.approx(70 / 200), pytest.approx(170 / 200))


def test_an_interval_holds_the_share_when_one_cause_moves_all_pixels():
    """All pixels are ice where their probability is above one random number: 95 % of the shares lie in the interval."""
    rng = np.random.default_rng(8)
    p = rng.beta(0.5, 0.4, 2000)
    sums = common_cause.Shares()
    sums.add(p, np.ones(p.size), np.zeros(p.size, bool))
    _, low, high = sums.fraction()
    shares = (p[None, :] > rng.uniform(size=(2000, 1))).mean(axis=1)
    assert ((shares >= low) & (shares <= high)).mean() == pytest.approx(0.95, abs=0.015)


def test_doubt_widens_the_interval_and_areas_weigh():
    p = np.array([0.99, 0.9, 0.1])
    sure, doubtful = common_cause.Shares(), common_cause.Shares()
    sure.add(p, np.array([2.0, 1.0, 1.0]), np.zeros(3, bool))
    doubtful.add(p, np.array([2.0, 1.0, 1.0]), np.ones(3, bool))
    assert sure.fraction()[0] == pytest.approx((2 * 0.99 + 0.9 + 0.1) / 4) == doubtful.fraction()[0]
    assert sure.fraction()[1] > doubtful.fraction()[1]
    assert sure.fraction(all_doubtful=True) == doubtful.fraction()
    assert np.isnan(common_cause.Shares().fraction()).all()
