"""Land and its neighbourhood anywhere on the globe: places whose distance from land is known, and a plain search."""

from __future__ import annotations

import json
from importlib.resources import as_file, files

import numpy as np
import pytest

from polynya.io.geoparquet import Bounds, geo_metadata
from polynya.scenes import near_coast


def near(latitude, longitude, reach_km):
    return near_coast.is_near_land(np.array([latitude]), np.array([longitude]), reach_m=1000.0 * reach_km).tolist()


@pytest.mark.parametrize(
    ("latitude", "longitude", "nearer_km", "farther_km"),
    [
        (-48.877, -123.393, 2660, 2710),  # the place farthest from land: 2,688 km
        (0.0, 0.0, 520, 620),  # the Gulf of Guinea: Ghana is 570 km away
        (40.0, -50.0, 700, 850),  # Newfoundland
    ],
)
def test_distances_that_are_known(latitude, longitude, nearer_km, farther_km):
    assert near(latitude, longitude, nearer_km) == [False] and near(latitude, longitude, farther_km) == [True]


def test_land_is_land_and_the_cut_at_180_degrees_is_none():
    inland = [(52.0, 10.0), (-25.0, 134.0), (-85.0, 0.0), (75.0, -40.0), (68.0, 180.0), (67.5, -179.0)]
    assert [near(*place, 1) for place in inland] == [[True]] * 6
    assert near(60.0, 180.0, 100) == near(60.0, -179.99, 100) == near(0.0, 180.0, 100) == [False]
    assert near(35.0, 340.0, 100) == near(35.0, -20.0, 100) == [False]
    assert near(np.nan, 10.0, 100) == near(52.0, np.nan, 100) == [False]


def test_a_plain_search_over_the_points_agrees():
    with as_file(files("polynya") / "data" / near_coast.LAND) as path, np.load(path) as held:
        lat, lon = (held[n] * (s / 32767.0) for n, s in (("latitude", 90.0), ("longitude", 180.0)))
    coast = np.radians(np.stack([lat, lon])[:, np.abs(lon) < 179.9])
    rng = np.random.default_rng(0)
    places = np.stack([np.degrees(np.arcsin(rng.uniform(-0.9, 0.9, 60))), rng.uniform(-180, 180, 60)])
    reach = 400.0
    found = near_coast.is_near_land(*places, reach_m=1000.0 * reach)
    for k, (a, b) in enumerate(np.radians(places.T)):
        h = np.sin((coast[0] - a) / 2) ** 2 + np.cos(a) * np.cos(coast[0]) * np.sin((coast[1] - b) / 2) ** 2
        nearest = 2 * 6371.0 * np.arcsin(np.sqrt(h.min()))
        if nearest < reach:
            assert found[k]
        elif nearest > reach + 200 and not near(*places[:, k], 0.001)[0]:  # farther than the points are apart
            assert not found[k]


def test_boxes_of_parts_make_the_box_of_all():
    parts = [Bounds(), Bounds(), Bounds()]
    parts[0].add(np.array([179.0]), np.array([1.0]))
    parts[1].add(np.array([-178.0]), np.array([-3.0]))
    parts[2].join(parts[0])
    parts[2].join(parts[1])
    assert parts[2].box() == [179.0, -3.0, -178.0, 1.0]
    found = json.loads(geo_metadata(parts[2], types=("Polygon", "Point")))["columns"]["geometry"]
    assert found["geometry_types"] == ["Polygon", "Point"] and found["bbox"] == [179.0, -3.0, -178.0, 1.0]
