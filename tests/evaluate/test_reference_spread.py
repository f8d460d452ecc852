"""Squares of known sides as outlines of experts: areas, their standard deviation and distances have closed forms."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ..workflows.glaciers.pieces import cli

SIDES = {"a": 2000.0, "b": 2060.0, "c": 2120.0}


def write(folder, name: str, side: float):
    """Write a square about one centre."""
    half = side / 2
    box = shapely.box(5e5 - half, 5e6 - half, 5e5 + half, 5e6 + half)
    frame = gpd.GeoDataFrame(
        {"rgi_id": [""], "src_date": ["2020-07-01"], "area_km2": [side**2 * 1e-6]}, geometry=[box], crs="EPSG:32632"
    )
    frame.to_file(folder / f"{name}.gpkg")
    return folder / f"{name}.gpkg"


def test_the_spread_among_experts_stands_beside_the_map(tmp_path):
    files = [write(tmp_path, n, s) for n, s in SIDES.items()]
    ours = write(tmp_path, "map", 2060.0 + 60.0)
    words = ["evaluate", ours, *(w for f in files for w in ("-r", f))]
    code, said, _ = cli(*words, "--json")
    found = json.loads(said)
    areas = np.array(list(SIDES.values())) ** 2 * 1e-6
    ratio = 0.9996**-2  # UTM's scale on its central meridian
    assert code == 0
    assert found["sd_km2"] == pytest.approx(areas.std(ddof=1) * ratio, rel=1e-3)
    assert found["mean_km2"] == pytest.approx(areas.mean() * ratio, rel=1e-3)
    pairs = {(p["first"], p["second"]): p for p in found["pairs"]}
    # margins are 30 m apart, and a little more at the corners of the outer square
    assert pairs["a.gpkg", "b.gpkg"]["polis_m"] == pytest.approx(30.0, rel=0.02)
    assert pairs["a.gpkg", "c.gpkg"]["polis_m"] == pytest.approx(60.0, rel=0.02)
    assert pairs["map", "c.gpkg"]["polis_m"] == pytest.approx(0.0, abs=1e-6)
    assert pairs["a.gpkg", "c.gpkg"]["iou"] == pytest.approx((2000 / 2120) ** 2, rel=1e-6)
    assert found["polis_m"] == pytest.approx(40.0, rel=0.02) and found["map_polis_m"] == pytest.approx(30.0, rel=0.02)
    code, said, _ = cli(*words)
    assert code == 0 and "3 references" in said and "this map" in said and "+1.0 standard deviations" in said


def test_several_references_go_with_outlines_only(tmp_path):
    a, b = (write(tmp_path, n, s) for n, s in list(SIDES.items())[:2])
    code, _, said = cli("evaluate", a, "-r", a, "-r", b, "--table", tmp_path / "t.parquet")
    assert code == 2 and "Give one" in said
    code, _, said = cli("evaluate", a, "-r", b, "-r", b)
    assert code == 2 and "given twice" in said
