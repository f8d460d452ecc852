"""Divides of the DEM: a ridge parts two glaciers, tributaries stay one, no area is lost; complexes and intersects."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box

from polynya.glaciers import flow_divides
from polynya.scenes.areas import area_km2

GRID = GeoBox((80, 120), Affine(30.0, 0, 500_000.0, 0, -30.0, 5_200_000.0), "EPSG:32632")
ICE = gpd.GeoDataFrame(geometry=[box(500_150, 5_197_800, 503_450, 5_199_850)], crs="EPSG:32632")


def cut(heights: np.ndarray, frame=ICE, **more) -> gpd.GeoDataFrame:
    return flow_divides.divide(frame, lambda rows, columns: heights[rows, columns], geobox=GRID, **more)


def roof(ridge: int = 60) -> np.ndarray:
    row, column = np.indices((80, 120))
    return 4000.0 - 6.0 * np.abs(column - ridge) + 0.02 * row


def test_a_ridge_parts_two_glaciers_where_it_lies():
    found = cut(roof(70))
    assert len(found) == 2
    assert found["area_km2"].sum() == pytest.approx(area_km2(ICE).sum(), rel=1e-6)
    west, east = sorted(found.geometry, key=lambda g: g.centroid.x)
    assert west.intersection(east).area == pytest.approx(0.0, abs=1e-3)
    ridge = 500_000 + 30.0 * 70.5
    assert west.bounds[2] == pytest.approx(ridge, abs=60.0) and east.bounds[0] == pytest.approx(ridge, abs=60.0)


def test_one_valley_with_two_arms_is_one_glacier():
    row, column = np.indices((80, 120))
    valley = np.minimum(np.abs(column - 60 - (40 - row)), np.abs(column - 60 + (40 - row)))  # two arms that meet
    valley = np.where(row < 40, valley, np.abs(column - 60))
    heights = 3000.0 + 8.0 * (80 - row) + 12.0 * valley
    one = gpd.GeoDataFrame(geometry=ICE.geometry, crs=ICE.crs)
    assert len(cut(heights, one)) == 1
    assert len(cut(roof() + 0.0, one, least_depth_m=1000.0)) == 1  # no divide is as deep as that


def test_ice_without_heights_stays_as_it_is():
    found = cut(np.full((80, 120), np.nan))
    assert len(found) == 1 and found.geometry.iloc[0].equals(ICE.geometry.iloc[0])
    some = roof(70)
    some[:20] = np.nan
    assert cut(some)["area_km2"].sum() == pytest.approx(area_km2(ICE).sum(), rel=1e-6)


def test_ice_with_few_heights_is_not_cut_by_what_fills_the_rest():
    """The ridge has heights, but six of ten columns of the ice have none."""
    some = roof(60)
    some[:, 5:35] = some[:, 80:117] = np.nan
    assert len(cut(some)) == 1
    some = roof(60)
    some[:, 5:20] = some[:, 100:117] = np.nan
    assert len(cut(some)) == 2


@pytest.mark.parametrize("pixels", [10_000_000, 1200])
def test_the_dem_is_read_in_strips(monkeypatch, pixels):
    """Of a large polygon every third height counts; strips of any height give the same glaciers."""
    found = []
    for strip in (512, 7):
        monkeypatch.setattr(flow_divides, "MOST_PIXELS", pixels)
        monkeypatch.setattr(flow_divides, "STRIP", strip)
        asked: list[int] = []

        def read(rows, columns, asked=asked):
            asked.append(rows.stop - rows.start)
            return roof(70)[rows, columns]

        found.append(flow_divides.divide(ICE, read, geobox=GRID))
        assert max(asked) <= strip
    one, other = found
    assert len(one) == 2 and one.geometry.geom_equals(other.geometry).all()
    assert max(g.bounds[0] for g in one.geometry) == pytest.approx(500_000 + 30.0 * 70.5, abs=100.0)


def test_complexes_and_intersects():
    frame = gpd.GeoDataFrame(
        geometry=[
            box(0, 0, 1000, 1000),
            box(1000, 0, 2000, 1000),
            box(2000, 1000, 3000, 2000),
            box(5000, 0, 6000, 500),
        ],
        crs="EPSG:32632",
    )
    names = ["a", "b", "c", "d"]
    lines = flow_divides.intersects(frame, names=names)
    assert list(zip(lines["rgi_g_id_i"], lines["rgi_g_id_j"], strict=True)) == [("a", "b")]  # c touches b in a point
    assert lines.geometry.length.tolist() == [1000.0]
    found = flow_divides.complexes(frame, lines, names=names)
    assert found["glaciers"].tolist() == ["a b", "c", "d"] and found["count"].tolist() == [2, 1, 1]
    assert found["area_km2"].sum() == pytest.approx(area_km2(frame).sum(), rel=1e-9)
    assert found["complex_id"].is_unique and found.geometry.iloc[0].geom_type == "Polygon"
    none = flow_divides.intersects(frame.iloc[:0], names=[])
    assert not len(none) and not len(flow_divides.complexes(frame.iloc[:0], none, names=[]))
