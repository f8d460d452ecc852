"""Maps of leads: values, classes by name, no data, time, grids; and what is rejected in one line."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer

from polynya.errors import ProductError, UsageError
from polynya.readers import lead_map
from polynya.readers.lead_map import ICE, LEAD, NO_DATA

from ..labels.lead_tracks import write_map

TAGS = {"time": "2016-01-15T10:00:00Z"}
SEGMENTS = {"flag_values": "0 1 2 3", "flag_meanings": "thick_ice thin_ice open_water cloud_or_shadow", **TAGS}
VALUES = np.array([[0, 1, 1], [0, 0, 255]], np.uint8)


def made(tmp_path, values=VALUES, name="map.tif", **more):
    return write_map(tmp_path / name, values, left=0.0, top=-1_000_000.0, **(TAGS if not more else {}), **more)


def test_one_is_lead_zero_is_ice_and_nodata_is_neither(tmp_path):
    held = lead_map.read(made(tmp_path))
    assert held.states.tolist() == [[ICE, LEAD, LEAD], [ICE, ICE, NO_DATA]]
    assert held.header.time == np.datetime64("2016-01-15T10:00:00", "ns")
    assert not held.header.is_warped and held.lead_classes == ("1",) and held.has_lead


def test_a_map_of_bytes_without_nodata_value_has_255(tmp_path):
    assert lead_map.read(made(tmp_path, nodata=None, **TAGS)).states.tolist() == [
        [ICE, LEAD, LEAD],
        [ICE, ICE, NO_DATA],
    ]


def test_another_nodata_value_is_honoured(tmp_path):
    values = np.array([[7, 0, 1]], np.uint8)
    assert lead_map.read(made(tmp_path, values, nodata=7, **TAGS)).states.tolist() == [[NO_DATA, ICE, LEAD]]


def test_classes_of_sentinel_2_segments(tmp_path):
    path = made(tmp_path, np.array([[0, 1, 2, 3, 255]], np.uint8), **SEGMENTS)
    held = lead_map.read(path)
    assert held.states.tolist() == [[ICE, LEAD, LEAD, NO_DATA, NO_DATA]]
    assert held.lead_classes == ("thin_ice", "open_water")
    assert lead_map.read(path, lead_classes=["open_water"]).states.tolist() == [[ICE, ICE, LEAD, NO_DATA, NO_DATA]]
    assert lead_map.read(path, lead_classes=["2", "cloud_or_shadow"]).states[0, 3] == LEAD


def test_a_class_named_lead(tmp_path):
    path = made(tmp_path, np.array([[0, 1, 2]], np.uint8), flag_values="1 2", flag_meanings="lead land", **TAGS)
    assert lead_map.read(path).states.tolist() == [[ICE, LEAD, NO_DATA]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15_leads.tif", "2022-11-30T01:43:42"),
        ("SRL_GPS_2PTP021_0424_20150227_001434_20150227_010453.CNES_sar_leads.tif", "2015-02-27T00:14:34"),
        ("leads_20150227001434.tif", "2015-02-27T00:14:34"),
    ],
)
def test_the_time_of_a_name(tmp_path, name, expected):
    path = made(tmp_path, name=name, flag_values="1", flag_meanings="lead")
    assert lead_map.header(path).time == np.datetime64(expected, "ns")


def test_a_given_time_has_priority(tmp_path):
    when = np.datetime64("2020-01-01T00:00:00", "ns")
    assert lead_map.header(made(tmp_path), time=when).time == when


def test_a_map_in_utm_comes_to_the_polar_grid(tmp_path):
    """A lead 200 m wide along the meridian at 80 N, 15 E, drawn at 20 m in UTM."""
    values = np.zeros((1000, 1000), np.uint8)
    values[:, 495:505] = 1
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(15.0, 80.0)
    path = write_map(
        tmp_path / "utm.tif", values, left=x - 10_000, top=y + 10_000, pixel=20.0, crs="EPSG:32633", **TAGS
    )
    held = lead_map.read(path)
    grid = held.header.geobox
    assert grid.crs.epsg == 3413 and held.header.is_warped and 40.0 <= grid.affine.a <= 41.0
    back = Transformer.from_crs(4326, 3413, always_xy=True)
    metres = np.array([0.0, 60.0, 160.0, 3000.0])
    gx, gy = back.transform(15.0 + np.rad2deg(metres / (6399594.0 * np.cos(np.deg2rad(80.0)))), np.full(4, 80.0))
    row, column = ((grid.affine.f - gy) // 40.0).astype(int), ((gx - grid.affine.c) // 40.0).astype(int)
    assert held.states[row, column].tolist() == [LEAD, LEAD, ICE, ICE]
    assert held.states[0, 0] == NO_DATA  # the corners of the turned map
    share = (held.states == LEAD).sum() / (held.states != NO_DATA).sum()
    assert share == pytest.approx(0.01, rel=0.1)


def test_a_southern_map_in_degrees_comes_to_the_southern_grid(tmp_path):
    values = np.zeros((100, 100), np.uint8)
    path = write_map(tmp_path / "deg.tif", values, left=10.0, top=-70.0, pixel=0.001, crs="EPSG:4326", **TAGS)
    assert lead_map.header(path).geobox.crs.epsg == 3976


def test_coarse_maps_are_said(tmp_path):
    assert "500 m" in lead_map.header(made(tmp_path, pixel=500.0, **TAGS)).notes[0].text
    assert lead_map.header(made(tmp_path, name="fine.tif", pixel=100.0, **TAGS)).notes == ()


def bad(tmp_path, kind: str):
    if kind == "crs":
        return made(tmp_path, crs=None, **TAGS)
    if kind == "bands":
        return made(tmp_path, np.zeros((2, 3, 3), np.uint8), **TAGS)
    if kind == "values":
        return made(tmp_path, np.array([[0, 1, 4]], np.uint8), **TAGS)
    if kind == "real":
        return made(tmp_path, np.array([[0.2, 0.9]], np.float32), nodata=None, **TAGS)
    if kind == "doubles":
        return made(tmp_path, np.zeros((2, 2)), **TAGS)
    if kind == "empty":
        return made(tmp_path, np.full((2, 2), 255, np.uint8), **TAGS)
    if kind == "flags":
        return made(tmp_path, flag_values="0 1 2", flag_meanings="ice lead", **TAGS)
    if kind == "classes":
        return made(tmp_path, flag_values="0 1", flag_meanings="forest lake", **TAGS)
    if kind == "tropics":
        return made(tmp_path, crs="EPSG:32633", **TAGS)
    path = tmp_path / "map.tif"
    path.write_text("no raster")
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("crs", "no coordinate system"),
        ("bands", "has 2 bands"),
        ("values", "has the value 4"),
        ("real", "has the value 0.2"),
        ("doubles", "holds float64"),
        ("empty", "no pixel with data"),
        ("flags", "3 values and 2 meanings"),
        ("classes", "its classes are forest, lake"),
        ("tropics", "expected a map of sea ice"),
        ("text", "cannot be read as a raster"),
    ],
)
def test_bad_maps_are_one_line(tmp_path, kind, words):
    path = bad(tmp_path, kind)
    with pytest.raises(ProductError, match=words) as error:
        lead_map.read(path)
    assert str(error.value).startswith("map.tif: ") and "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_a_map_without_time_and_a_class_that_is_not_there(tmp_path):
    path = made(tmp_path, flag_values="1", flag_meanings="lead")
    with pytest.raises(UsageError, match=r"states no time.*--map-time"):
        lead_map.header(path)
    with pytest.raises(UsageError, match="--lead-class nilas"):
        lead_map.read(made(tmp_path, name="b.tif"), lead_classes=["nilas"])
