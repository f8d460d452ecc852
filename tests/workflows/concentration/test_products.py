"""Edge and zones with their ranges: an edge whose place is known to some kilometres."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Proj

from polynya.workflows.concentration import products

CELL_M, SIDE = 400.0, 100
TRUE_LATITUDE = GeoBox((SIDE, SIDE), Affine(CELL_M, 0, -20_000, 0, -CELL_M, -2_180_000), "EPSG:3413")
"""About 70 degrees north, where the projection is true to scale."""


def steps(*columns: int) -> np.ndarray:
    """Return maps of water, with ice from a column on."""
    return np.stack([np.where(np.arange(SIDE) >= c, 1.0, 0.0) * np.ones((SIDE, 1)) for c in columns])


def drawn(middle: int, low: int, high: int, box: GeoBox = TRUE_LATITUDE) -> products.Lines:
    c, lower, upper = steps(middle, low, high)
    return products.lines(c, np.stack([lower, upper]), box, edge_at=0.15, pack_at=0.8)


def cells_km2(box: GeoBox = TRUE_LATITUDE) -> float:
    x, y = (float(v.values.mean()) for v in (box.coords["x"], box.coords["y"]))
    longitude, latitude = Proj(3413)(x, y, inverse=True)
    return CELL_M**2 * 1e-6 / Proj(3413).get_factors(longitude, latitude).areal_scale


def test_zones_range_between_what_the_ends_give():
    """Ice from column 50, at the least from 60, at the most from 45: so the pack is 40 to 55 columns wide.

    The mean over 5 cells moves each border by up to 2.5 of them. Outlines end in the middle of the outermost cells.
    """
    found, column = drawn(50, 60, 45), (SIDE - 1) * cells_km2()
    assert found.ranges["pack_ice"] == pytest.approx((40 * column, 55 * column), abs=2.5 * column)
    assert found.ranges["open_water"] == pytest.approx((45 * column, 60 * column), abs=2.5 * column)
    table = found.zones.set_index("zone")
    for zone, (low, high) in found.ranges.items():
        assert low <= table.area_km2[zone] <= high
        assert (table.area_low_km2[zone], table.area_high_km2[zone]) == (low, high)


def test_the_edge_lies_between_its_limits():
    found = drawn(50, 60, 45)
    places = {name: part.geometry.union_all().centroid.x for name, part in found.limits.groupby("bound")}
    edge = found.edge.geometry.union_all().centroid.x
    assert places["outer"] < edge < places["inner"]
    assert places["inner"] - edge == pytest.approx(10 * CELL_M, abs=CELL_M)
    assert edge - places["outer"] == pytest.approx(5 * CELL_M, abs=CELL_M)
    assert found.band_km2 == pytest.approx(15 * SIDE * cells_km2(), rel=0.07)  # one column more: cells are counted


def test_a_map_without_doubt_has_no_range():
    found = drawn(50, 50, 50)
    assert found.band_km2 == 0.0
    for low, high in found.ranges.values():
        assert low == pytest.approx(high)


def test_ice_that_may_be_there_has_a_range_but_no_outline():
    """Water, where the upper ends are ice everywhere: nothing is drawn, and the range says what may be."""
    found = drawn(SIDE, SIDE, 0)
    whole = SIDE**2 * cells_km2()
    assert list(found.zones["zone"]) == ["open_water"] and len(found.edge) == 0
    assert found.ranges["pack_ice"] == (0.0, pytest.approx((SIDE - 1) ** 2 * cells_km2(), rel=0.01))
    assert found.numbers["pack_ice_km2"] == 0.0
    assert found.band_km2 == pytest.approx(whole, rel=0.01)


def test_ends_are_those_of_the_95_percent_interval():
    ends = np.stack([np.full((2, 2), v) for v in (0.3, 0.5, 0.1, 0.9)])
    assert np.array_equal(products.ends(np.full((2, 2), 0.4), np.full((2, 2), 0.1), ends), ends[2:])


def test_ends_without_intervals_are_two_standard_uncertainties():
    found = products.ends(np.array([[0.5, 0.9, np.nan]]), np.array([[0.1, 0.1, np.nan]]), None)
    assert found[0] == pytest.approx(np.array([[0.3, 0.7, np.nan]]), nan_ok=True)
    assert found[1] == pytest.approx(np.array([[0.7, 1.0, np.nan]]), nan_ok=True)


def test_files_are_written_where_there_is_something(tmp_path):
    products.write_lines(tmp_path, drawn(50, 60, 45))
    limits = gpd.read_file(tmp_path / "ice_edge_limits.gpkg")
    assert set(limits["bound"]) == {"inner", "outer"} and limits.crs.to_epsg() == 3413
    assert {p.name for p in tmp_path.iterdir()} == {"ice_edge.gpkg", "ice_edge_limits.gpkg", "ice_zones.gpkg"}
    empty = tmp_path / "water"
    empty.mkdir()
    products.write_lines(empty, drawn(SIDE, SIDE, SIDE))
    assert {p.name for p in empty.iterdir()} == {"ice_zones.gpkg"}
