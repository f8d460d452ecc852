"""Edge and zones of a concentration against shapes whose lengths and areas are known."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod, Proj, Transformer

from polynya.scenes import ice_edge

PIXEL = 400.0


def grid(rows=200, columns=200, *, x=-200_000.0, y=-1_500_000.0) -> GeoBox:
    return GeoBox((rows, columns), Affine(PIXEL, 0.0, x, 0.0, -PIXEL, y), "EPSG:3413")


def places(box):
    t, (rows, columns) = box.affine, box.shape
    return np.meshgrid(t.c + PIXEL * (np.arange(columns) + 0.5), t.f - PIXEL * (np.arange(rows) + 0.5))


def slope(box, *, width_m=30_000.0):
    """Concentration rises linearly from 0 in the west to 1 in the east over a width."""
    x, _ = places(box)
    return np.clip((x - x.mean()) / width_m + 0.5, 0.0, 1.0), x


def test_a_straight_edge_lies_where_the_concentration_crosses():
    box = grid()
    c, x = slope(box)
    field = ice_edge.without_small_parts(ice_edge.smooth(c, box))
    lines = ice_edge.edge(field)
    assert len(lines) == 1 and list(lines["concentration"]) == [0.15]
    at = np.array(lines.geometry[0].coords)
    assert np.abs(at[:, 0] - (x.mean() + (0.15 - 0.5) * 30_000.0)).max() < 1.0
    # the length on the ellipsoid, from the ends alone: the meridian is nearly straight on the map
    lon, lat = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(at[[0, -1], 0], at[[0, -1], 1])
    expected = Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2] / 1e3
    assert lines["length_km"][0] == pytest.approx(expected, rel=1e-4)
    assert 0.97 * (199 * PIXEL / 1e3) < expected < 1.03 * (199 * PIXEL / 1e3)


def test_ice_lies_left_of_the_edge():
    box = grid()
    c, _ = slope(box)
    at = np.array(ice_edge.edge(ice_edge.smooth(c, box)).geometry[0].coords)
    assert at[-1, 1] < at[0, 1]  # southwards on the map, with the ice in the east on its left


def test_zones_share_the_map_and_have_the_areas_of_strips():
    box = grid()
    c, _ = slope(box)
    zones = ice_edge.zones(ice_edge.smooth(c, box))
    assert list(zones["zone"]) == ["open_water", "marginal_ice_zone", "pack_ice"]
    # a strip of the width that the slope needs from 15 to 80 %
    middle = zones.geometry[1].bounds
    assert middle[2] - middle[0] == pytest.approx(0.65 * 30_000.0, abs=2.0)
    assert zones.geometry[1].area == pytest.approx(0.65 * 30_000.0 * 199 * PIXEL, rel=1e-3)
    whole = zones.geometry.area.sum()
    assert whole == pytest.approx((199 * PIXEL) ** 2, rel=1e-9)  # middles of the outer pixels
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert zones.geometry[a].intersection(zones.geometry[b]).area < 1.0
    lon, lat = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(
        *(v.mean() for v in places(box))
    )
    scale = Proj("EPSG:3413").get_factors(lon, lat).areal_scale
    assert zones["area_km2"].sum() == pytest.approx(whole / 1e6 / scale, rel=1e-3)


def test_a_round_polynya_is_a_closed_edge_of_the_right_length():
    box = grid()
    x, y = places(box)
    radius = np.hypot(x - x.mean(), y - y.mean())
    c = np.clip((radius - 20_000.0) / 4_000.0 + 0.15, 0.0, 1.0)
    lines = ice_edge.edge(ice_edge.without_small_parts(ice_edge.smooth(c, box, side_m=1.0)))
    assert len(lines) == 1 and lines.geometry[0].is_closed
    assert lines.geometry[0].length == pytest.approx(2 * np.pi * 20_000.0, rel=1e-3)


@pytest.mark.parametrize(("radius_m", "n"), [(2_600.0, 0), (3_100.0, 1)])
@pytest.mark.parametrize("is_hole", [False, True])
def test_parts_below_25_km2_have_no_edge(radius_m, n, is_hole):
    """21 and 30 km² of ice in water, and of water in ice."""
    box = grid()
    x, y = places(box)
    inside = np.hypot(x - x.mean(), y - y.mean()) < radius_m
    c = np.where(inside != is_hole, 1.0, 0.0)
    field = ice_edge.without_small_parts(ice_edge.smooth(c, box, side_m=1.0))
    assert len(ice_edge.edge(field)) == n


def test_borders_with_land_and_swath_are_no_edge():
    box = grid()
    c = np.ones(box.shape)
    c[:, :50] = np.nan
    c[150:] = np.nan
    field = ice_edge.smooth(c, box)
    assert np.array_equal(np.isfinite(field.values), np.isfinite(c))
    assert len(ice_edge.edge(field)) == 0
    zones = ice_edge.zones(field)
    assert list(zones["zone"]) == ["pack_ice"]


def test_what_is_not_known_does_not_count_in_means():
    """A plain computation, pixel by pixel."""
    box = grid(30, 25)
    draw = np.random.default_rng(4)
    c = draw.random(box.shape)
    c[draw.random(box.shape) < 0.3] = np.nan
    got = ice_edge.smooth(c, box).values
    for r in range(30):
        for k in range(25):
            part = c[max(r - 2, 0) : r + 3, max(k - 2, 0) : k + 3]
            share = np.isfinite(part).mean()
            if not np.isfinite(c[r, k]) or share < 0.25 - 1e-9:
                assert np.isnan(got[r, k])
            elif share > 0.25 + 1e-9:
                assert got[r, k] == pytest.approx(np.nanmean(part))


def test_distances_between_edges():
    box = grid()
    x, _ = places(box)
    one, other = (
        ice_edge.edge(ice_edge.smooth(np.clip((x - x.mean() - d) / 30_000.0 + 0.15, 0, 1), box)) for d in (0.0, 3_000.0)
    )
    got = ice_edge.distances_km(one, other)
    assert got.size == 79 and got == pytest.approx(np.full(got.size, 3.0), abs=0.01)
    assert ice_edge.distances_km(one, other.iloc[:0]).size == 0


def test_values_that_meet_a_level_exactly_leave_areas_alone():
    """Contours then collapse to points and lines, which have no area; the zones still share the map."""
    rng = np.random.default_rng(0)
    box = GeoBox((12, 12), Affine(400, 0, 0, 0, -400, -2.2e6), "EPSG:3413")
    whole = ice_edge.zones(ice_edge.Smooth(values=np.zeros((12, 12)), geobox=box))["area_km2"].sum()
    for _ in range(60):
        values = rng.choice([0.0, 0.15, 0.5, 0.8, 1.0], size=(12, 12), p=[0.5, 0.3, 0.05, 0.1, 0.05])
        found = ice_edge.zones(ice_edge.Smooth(values=values, geobox=box))
        assert set(found.geom_type) <= {"Polygon", "MultiPolygon"}
        assert found["area_km2"].sum() == pytest.approx(whole, rel=1e-6)
