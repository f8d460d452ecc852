"""Labels of echoes from maps of leads, against geodesics on the ellipsoid and maps drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from polynya.labels import lead_labels
from polynya.labels.lead_labels import Drift, Rule
from polynya.readers import lead_map
from polynya.schema.lead_labels import (
    AMBIGUOUS,
    FEW_ICE,
    LABELLED,
    LEAD_NEAR,
    MAP_ENDS,
    NO_ECHO,
    NO_LEAD,
    TOO_LATE,
    UNLABELLED,
)

from .lead_tracks import TIME, echoes_at, map_around, write_map

GEOD = Geod(ellps="WGS84")
ANY = Rule(max_hours=100.0)
PLACES = [(70.0, -30.0, 3413), (85.0, 160.0, 3413), (61.0, -45.0, 3413), (-70.0, 10.0, 3976), (-78.0, -160.0, 3976)]


def grid_xy(lat: float, lon: float, epsg: int = 3413) -> tuple[float, float]:
    return Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)


def centre_of(held: lead_map.LeadMap, epsg: int) -> tuple[float, float]:
    """Latitude and longitude of the centre of the only lead pixel."""
    ((row, column),) = np.argwhere(held.states == lead_map.LEAD)
    grid = held.header.geobox.affine
    x, y = grid.c + grid.a * (column + 0.5), grid.f + grid.e * (row + 0.5)
    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(x, y)
    return lat, lon


@pytest.mark.parametrize(("lat", "lon", "epsg"), PLACES)
def test_distances_are_metres_on_the_ground(tmp_path, lat, lon, epsg):
    """The grid's scale is 1 at 70 degrees, 0.972 at 85, 1.035 at 61: a grid metre is no metre."""
    x, y = grid_xy(lat, lon, epsg)
    held = map_around(tmp_path / "map.tif", x, y, [(30, -12)], crs=f"EPSG:{epsg}")
    rng = np.random.default_rng(3)
    lons, lats, _ = GEOD.fwd([lon] * 40, [lat] * 40, rng.uniform(0, 360, 40), rng.uniform(0, 4000, 40))
    found = lead_labels.label(echoes_at(lats, lons), [held], rule=ANY)
    there = centre_of(held, epsg)
    expected = np.array([GEOD.inv(o, a, there[1], there[0])[2] for a, o in zip(lats, lons, strict=True)])
    assert np.isfinite(found.lead_distance).all()
    assert np.allclose(found.lead_distance, expected, rtol=1e-3)


def test_the_place_in_the_pixel_counts(tmp_path):
    """Two echoes in opposite corners of one pixel differ by the pixel's diagonal where the lead lies on it."""
    x, y = grid_xy(75.0, -45.0)
    held = map_around(tmp_path / "map.tif", x, y, [(10, 10)])
    left, low = 80.0 * np.floor(x / 80.0), 80.0 * np.floor(y / 80.0)
    back = Transformer.from_crs(3413, 4326, always_xy=True)
    lon, lat = back.transform(np.array([left + 1, left + 79]), np.array([low + 1, low + 79]))
    far, near = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY).lead_distance
    scale = 1 + np.sin(np.deg2rad(70)), 1 + np.sin(np.deg2rad(75))  # sphere: good to some per mille
    assert far - near == pytest.approx(np.sqrt(2) * 78 / (scale[0] / scale[1]), rel=5e-3)


def test_below_the_threshold_in_the_belt_beyond_and_inside(tmp_path):
    x, y = grid_xy(70.0, -45.0)  # scale 1; x is east here
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    east = np.array([0.0, 290.0, 310.0, 890.0, 910.0]) + 80.0 * np.floor(x / 80.0) + 40.0
    north = np.full(5, 80.0 * np.floor(y / 80.0) + 40.0)
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(east, north)
    found = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY)
    assert found.label.tolist() == [LEAD_NEAR, LEAD_NEAR, AMBIGUOUS, AMBIGUOUS, NO_LEAD]
    assert np.allclose(found.lead_distance, [0, 290, 310, 890, 910], atol=1.0)
    wider = lead_labels.label(echoes_at(lat, lon), [held], rule=Rule(threshold_m=100.0, max_hours=9.0))
    assert wider.label.tolist() == [LEAD_NEAR, AMBIGUOUS, NO_LEAD, NO_LEAD, NO_LEAD]


def test_inside_a_lead_the_distance_is_zero_wherever_in_its_pixel(tmp_path):
    x, y = grid_xy(80.0, 30.0)
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)])
    corner = 80.0 * np.floor(x / 80.0) + 1.0, 80.0 * np.floor(y / 80.0) + 1.0
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(*corner)
    assert lead_labels.label(echoes_at(lat, lon), [held], rule=ANY).lead_distance[0] == 0.0


def test_the_circle_of_five_kilometres_must_lie_on_the_map(tmp_path):
    """At 70 N the scale is 1: 4.9 km from the rim there is no label, 5.1 km from it there is one."""
    x, y = grid_xy(70.0, -45.0)
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    left, bottom, right, top = held.header.geobox.boundingbox.bbox
    inside = [
        (left + 4900, y), (left + 5100, y), (right - 4900, y), (right - 5100, y),
        (x, bottom + 4900), (x, bottom + 5100), (x, top - 4900), (x, top - 5100),
    ]  # fmt: skip
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(*np.array(inside).T)
    found = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY)
    assert found.label_flag.tolist() == [MAP_ENDS, LABELLED] * 4
    assert (found.label[::2] == UNLABELLED).all() and np.isnan(found.lead_distance[::2]).all()
    assert np.isnan(found.map_time_lag[::2]).all() and np.isfinite(found.map_time_lag[1::2]).all()


def test_no_data_within_the_circle_takes_the_label(tmp_path):
    x, y = grid_xy(70.0, -45.0)
    values = np.zeros((301, 301), np.uint8)
    values[150, 150] = 255
    values[150, 160] = 1
    left, top = 80.0 * (np.floor(x / 80.0) - 150), 80.0 * (np.floor(y / 80.0) + 151)
    held = lead_map.read(write_map(tmp_path / "map.tif", values, left=left, top=top, time=str(TIME)[:19]))
    middle = left + 80.0 * 150.5, top - 80.0 * 150.5
    away = np.array([0.0, 100.0, 4800.0, 5100.0])
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(middle[0] + 0 * away, middle[1] + away)
    flags = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY).label_flag
    assert flags.tolist() == [MAP_ENDS, MAP_ENDS, MAP_ENDS, LABELLED]


@pytest.mark.parametrize(("lat", "lon"), [(75.0, -45.0), (75.0, 45.0), (80.0, 135.0), (80.0, -135.0)])
def test_the_drift_is_that_of_the_ice_from_map_to_echo(tmp_path, lat, lon):
    """The map shows a lead at nadir. The ice then drifts 1 km to the true east: the lead is now 1 km east of nadir; so
    an echo 1 km east of the first place is over it."""
    x, y = grid_xy(lat, lon)
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    lead = centre_of(held, 3413)
    to_east = GEOD.fwd(lead[1], lead[0], 90.0, 1000.0)[:2]
    to_north = GEOD.fwd(lead[1], lead[0], 0.0, 2000.0)[:2]
    echoes = echoes_at([lead[0], to_east[1], to_north[1]], [lead[1], to_east[0], to_north[0]])
    east = lead_labels.label(echoes, [held], rule=Rule(max_hours=9.0, drift=Drift(first=1000.0)))
    assert east.lead_distance[1] < 45.0
    assert east.lead_distance[0] == pytest.approx(1000.0, abs=3.0)
    assert east.lead_distance[2] == pytest.approx(np.hypot(1000.0, 2000.0), abs=5.0)
    north = lead_labels.label(echoes, [held], rule=Rule(max_hours=9.0, drift=Drift(second=2000.0)))
    assert north.lead_distance[2] < 45.0 and north.lead_distance[0] == pytest.approx(2000.0, abs=5.0)


def test_drift_along_the_grid_and_what_is_stored(tmp_path):
    x, y = grid_xy(75.0, 45.0)  # x points away from east here
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    lat, lon = centre_of(held, 3413)
    along = lead_labels.label(
        echoes_at(lat, lon), [held], rule=Rule(max_hours=9.0, drift=Drift(first=300.0, second=-400.0, is_grid=True))
    )
    assert along.lead_distance[0] == pytest.approx(500.0, abs=1.0)
    assert (along.drift_x[0], along.drift_y[0]) == (300.0, -400.0)
    # At 45 E of the grid with its y axis along 45 W, true north points along -x and east along +y
    east = lead_labels.label(echoes_at(lat, lon), [held], rule=Rule(max_hours=9.0, drift=Drift(first=700.0)))
    assert np.allclose([east.drift_x[0], east.drift_y[0]], [0.0, 700.0], atol=0.5)


def test_a_velocity_is_multiplied_by_the_time_from_map_to_echo(tmp_path):
    x, y = grid_xy(75.0, -45.0)  # x is east, y is south to north
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    lat, lon = centre_of(held, 3413)
    times = TIME + np.array([7200, -3600]).astype("timedelta64[s]")
    found = lead_labels.label(
        echoes_at([lat, lat], [lon, lon], time=times),
        [held],
        rule=Rule(max_hours=3.0, drift=Drift(first=0.1, second=0.0, is_velocity=True)),
    )
    assert np.allclose(found.drift_x, [720.0, -360.0]) and np.allclose(found.drift_y, 0.0, atol=0.1)
    assert np.allclose(found.map_time_lag, [7200.0, -3600.0])
    assert np.allclose(found.lead_distance, [720.0, 360.0], atol=1.0)


def test_maps_too_far_in_time_and_the_nearer_of_two(tmp_path):
    x, y = grid_xy(75.0, -45.0)
    first = map_around(tmp_path / "a.tif", x, y, [(0, 0)])
    later = map_around(tmp_path / "b.tif", x, y, [(20, 0)], time="2016-01-15T14:00:00Z")
    lat, lon = centre_of(first, 3413)
    times = TIME + np.array([0, 3 * 3600, 7 * 3600 + 1]).astype("timedelta64[s]")
    echoes = echoes_at([lat] * 3, [lon] * 3, time=times)
    found = lead_labels.label(echoes, [first, later], rule=Rule())
    assert found.map_used.tolist() == [0, 1, 1]
    assert found.label_flag.tolist() == [LABELLED, LABELLED, TOO_LATE]
    assert found.lead_distance[0] == 0.0 and found.lead_distance[1] > 1500.0 and np.isnan(found.lead_distance[2])
    assert found.map_time_lag.tolist() == [0.0, -3600.0, 3 * 3600.0 + 1]


def test_a_map_beyond_the_rim_does_not_take_an_echo_from_one_that_labels_it(tmp_path):
    x, y = grid_xy(75.0, -45.0)
    whole = map_around(tmp_path / "a.tif", x, y, [(0, 0)], time="2016-01-15T12:00:00Z")
    beside = map_around(tmp_path / "b.tif", x + 80.0 * 145, y, [(0, 0)])  # holds nadir, not its circle; nearer in time
    lat, lon = centre_of(whole, 3413)
    for maps in ([whole, beside], [beside, whole]):
        found = lead_labels.label(echoes_at(lat, lon), maps, rule=Rule())
        assert found.label_flag[0] == LABELLED and found.lead_distance[0] == 0.0


def test_little_ice_unknown_ice_and_no_echo(tmp_path):
    x, y = grid_xy(75.0, -45.0)
    held = map_around(tmp_path / "map.tif", x, y, [(0, 0)])
    lat, lon = centre_of(held, 3413)
    echoes = echoes_at([lat, lat, lat, lat, np.nan], [lon] * 5)
    echoes.waveform[3] = 0
    share = np.array([0.5, 0.49, np.nan, 0.9, 0.9])
    found = lead_labels.label(echoes, [held], rule=ANY, concentration=share)
    assert found.label_flag.tolist() == [LABELLED, FEW_ICE, FEW_ICE, NO_ECHO, NO_ECHO]
    assert found.label.tolist() == [LEAD_NEAR, *[UNLABELLED] * 4]
    assert np.isnan(found.lead_distance[1:]).all()


def test_a_map_without_a_lead_labels_without_a_distance(tmp_path):
    x, y = grid_xy(75.0, -45.0)
    held = map_around(tmp_path / "map.tif", x, y, [])
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, y)
    found = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY)
    assert not held.has_lead and found.label[0] == NO_LEAD and np.isnan(found.lead_distance[0])


def test_the_width_is_the_length_of_the_track_within_the_lead(tmp_path):
    """A track along y at 83 N across a lead of 5 pixels that lies along x: 400 m of the grid, more on the ground."""
    x, y = grid_xy(83.0, -45.0)
    held = map_around(tmp_path / "map.tif", x, y, [(c, r) for c in range(-100, 101) for r in range(5)])
    ys = y + 170.0 * np.arange(-10, 20)
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(np.full(ys.size, x), ys)
    found = lead_labels.label(echoes_at(lat, lon), [held], rule=ANY)
    row_low = 80.0 * np.floor(y / 80.0)
    inside = (ys >= row_low) & (ys < row_low + 400.0)
    assert inside.sum() >= 2
    low = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, row_low)
    high = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, row_low + 400.0)
    true = GEOD.inv(*low, *high)[2]
    assert true > 405.0
    assert np.allclose(found.lead_width_crossed[inside], true, rtol=1e-3)
    assert np.isnan(found.lead_width_crossed[~inside]).all()
