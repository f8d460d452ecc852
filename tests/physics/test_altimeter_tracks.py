"""Classes, sequences, widths and bent ranges of leads along a track, against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import altimeter_tracks as tracks
from polynya.physics import melt_months
from polynya.schema.echoes import LEAD, SEA_ICE, UNKNOWN

STEP_NS = 25_000_000


def times(*steps: float) -> np.ndarray:
    return np.datetime64("2016-01-12T00:00:00", "ns") + (np.array(steps) * STEP_NS).astype("timedelta64[ns]")


def test_between_the_limits_an_echo_is_unknown():
    found = tracks.classes_of(np.array([0.0, 0.2, 0.21, 0.49, 0.5, 1.0, np.nan]), lead=0.5, ice=0.2)
    assert found.tolist() == [SEA_ICE, SEA_ICE, UNKNOWN, UNKNOWN, LEAD, LEAD, UNKNOWN]


def test_sequences_break_at_gaps_and_where_there_is_no_echo():
    time = times(0, 1, 2, 4, 5, 8, 9, 10, 11)
    is_echo = np.array([True, True, True, True, True, True, True, False, True])
    assert tracks.starts_of(time, is_echo=is_echo).tolist() == [0, 5, 7, 8]


def test_a_width_is_the_length_of_the_run_and_ends_with_the_sequence():
    latitude = 80.0 + np.arange(8) * 1e-3  # 111.2 m apart on the sphere
    starts = np.array([0, 5])
    length = tracks.step_lengths(latitude, np.zeros(8), starts=starts)
    assert length == pytest.approx(np.full(8, 6_371_000.0 * np.radians(1e-3)), rel=1e-6)
    is_lead = np.array([False, True, True, False, True, True, True, False])
    found = tracks.widths(is_lead, length=length, starts=starts)
    unit = length[0]
    assert found[[1, 2]] == pytest.approx(2 * unit) and found[4] == pytest.approx(unit)
    assert found[[5, 6]] == pytest.approx(2 * unit) and np.isnan(found[[0, 3, 7]]).all()
    assert np.isnan(tracks.step_lengths(latitude[:1], np.zeros(1), starts=np.array([0]))).all()


@pytest.mark.parametrize(("km", "gates"), [(1, 2.3), (2, 9.0), (3, 20.3), (5, 56.3)])
def test_the_delay_is_that_of_the_sheet(km, gates):
    distance = np.full(2, 1000.0 * km)
    found = tracks.range_delay(distance, np.array([800_000.0, np.nan]))  # 800 km where the altitude is unknown
    assert found / 0.3123 == pytest.approx([gates, gates], abs=0.06)


def test_half_of_the_largest_value_is_found_before_it():
    echo = np.zeros((4, 20))
    echo[0, 9:12] = (0.0, 4.0, 8.0)  # half is 4, at gate 10
    echo[1, 9:12] = (1.0, 3.0, 8.0)  # between gates 10 and 11
    echo[2, 0:3] = (8.0, 2.0, 1.0)  # already above at its first gate
    found = tracks.half_power_gate(echo)
    assert found[:2] == pytest.approx([10.0, 10.2]) and np.isnan(found[2:]).all()
    assert tracks.half_power_gate(np.array([[65535, 0, 2, 8]], np.uint16), fill=65535)[0] == pytest.approx(2 + 2 / 6)


def ranging(late: np.ndarray) -> tracks.Ranging:
    """An orbit that rises by 20 m a second over a sea that slopes, a tracker that jumps, and echoes that come late."""
    n = late.size
    k = np.arange(n)
    rng = np.random.default_rng(1)
    altitude, surface = 800_000.0 + 0.5 * k, 20.0 + 1e-3 * k
    tracker = np.round(altitude - surface + rng.normal(0, 0.5, n), 2)
    gate = 50.0 + (altitude - surface - tracker + late) / 0.3123
    return tracks.Ranging(gate=gate, altitude=altitude, tracker=tracker, gate_width_m=0.3123, starts=np.array([0]))


def test_ranges_are_bent_where_they_are_longer_than_those_around():
    late = np.zeros(600)
    late[200:215] = (1000.0 + 150.0 * np.abs(np.arange(15) - 7)) ** 2 * 1.126 / 1.6e6  # a hyperbola, 0.7 to 3 m
    late[400:405] = 0.10  # less than half a gate
    bent, known = tracks.is_bent(ranging(late))
    assert known.all() and np.flatnonzero(bent).tolist() == list(range(200, 215))
    unknown = tracks.is_bent(tracks.Ranging(**{**vars(ranging(late)), "tracker": np.full(600, np.nan)}))
    assert not unknown[0].any() and not unknown[1].any()


def test_the_order_of_time():
    time = times(0, 1, 1, 2, 5)
    assert tracks.order_of(time) is None and tracks.order_of(time[:0]) is None
    gap = np.append(time, np.datetime64("NaT"))[[0, 5, 1, 2, 3, 4]]
    assert tracks.order_of(gap) is None
    assert tracks.order_of(gap[::-1]).tolist() == [5, 2, 3, 1, 0, 4]  # echoes of one time as in the file, NaT last


def test_where_a_concentration_has_ice_no_latitude_is_too_low():
    latitude = np.array([39.0, 39.0, 39.0, 39.0, 60.0])
    share = np.array([0.9, 0.15, 0.1, np.nan, 0.0])
    assert tracks.is_too_low(latitude, share).tolist() == [False, False, True, True, False]
    assert tracks.is_too_low(latitude, share, least=0.5).tolist() == [False, True, True, True, False]


def test_melt_seasons_and_latitudes():
    time = np.array(
        ["2016-04-30", "2016-05-01", "2016-09-30", "2016-10-01", "2016-12-15", "2016-12-15", "NaT"], "M8[ns]"
    )
    latitude = np.array([80, 80, 80, 80, 80, -70, 80.0])
    assert melt_months.is_melt_season(time, latitude).tolist() == [False, True, True, False, False, True, False]
    assert tracks.is_too_low(np.array([39.0, 41.0, -49.0, -51.0, np.nan])).tolist() == [True, False, True, False, False]
