"""The sun: almanac instants, a published worked example, and the products' own stored elevation."""

import h5py
import numpy as np
import pytest

from polynya.physics.solar import solar_elevation, solar_position
from polynya.readers.icesat2 import utc
from tests.real_files import real


def at(text: str) -> np.ndarray:
    return np.array([text], dtype="datetime64[ns]")


@pytest.mark.parametrize(
    ("instant", "declination"),
    [
        ("2019-03-20T21:58:00", 0.0),  # equinoxes and solstices as almanacs give them, to the minute
        ("2020-09-22T13:31:00", 0.0),
        ("2019-06-21T15:54:00", 23.4366),
        ("2022-12-21T21:48:00", -23.4383),
    ],
)
def test_declination_at_equinoxes_and_solstices(instant, declination):
    assert solar_position(at(instant))[1][0] == pytest.approx(declination, abs=0.004)


def test_worked_example_of_meeus():
    """Astronomical Algorithms, example 25.a: 13 October 1992, 0 h dynamical time, by the low accuracy theory that the
    module follows; its last digits."""
    right_ascension, declination = solar_position(
        at("1992-10-12T23:58:50.816")
    )  # 69.184 s before, as the module has it
    assert right_ascension[0] == pytest.approx(198.38083, abs=1e-5)
    assert declination[0] == pytest.approx(-7.78507, abs=1e-5)


def test_worked_example_of_the_nrel_solar_position_algorithm():
    # Reda & Andreas, NREL/TP-560-34302, appendix: 17 October 2003, 12:30:30 at UTC-7, elevation before refraction.
    # Its elevation is topocentric: the parallax, 8.794" cos(e), is taken off here.
    expected = 39.872046 + 8.794 / 3600 * np.cos(np.radians(39.87))
    time = at("2003-10-17T19:30:30")
    found = solar_elevation(time, latitude=np.array([39.742476]), longitude=np.array([-105.1786]))
    assert found[0] == pytest.approx(expected, abs=0.002)
    geocentric = solar_position(time)
    assert geocentric[0][0] == pytest.approx(202.22741, abs=0.01) and geocentric[1][0] == pytest.approx(
        -9.31434, abs=0.01
    )


def test_at_the_pole_elevation_is_the_declination():
    times = np.arange("2019-01-01", "2021-01-01", np.timedelta64(31, "h"), dtype="datetime64[h]").astype(
        "datetime64[ns]"
    )
    north = solar_elevation(times, latitude=np.full(times.size, 90.0), longitude=np.linspace(-180, 180, times.size))
    south = solar_elevation(times, latitude=np.full(times.size, -90.0), longitude=np.zeros(times.size))
    np.testing.assert_allclose(north, solar_position(times)[1], atol=1e-9)
    np.testing.assert_allclose(south, -north, atol=1e-9)


def test_longitude_turns_with_time_and_wraps():
    time = at("2019-11-04T05:00:00")
    a = solar_elevation(time, latitude=np.array([-75.0]), longitude=np.array([-180.0]))
    b = solar_elevation(time, latitude=np.array([-75.0]), longitude=np.array([180.0]))
    np.testing.assert_allclose(a, b, atol=1e-9)
    hour = np.timedelta64(1, "h")
    later = solar_elevation(time + hour, latitude=np.array([-75.0]), longitude=np.array([165.0]))
    np.testing.assert_allclose(later, a, atol=0.02)


def test_missing_time_or_place_is_nan():
    found = solar_elevation(
        np.array(["NaT", "2019-01-01", "2019-01-01"], dtype="datetime64[ns]"),
        latitude=np.array([0.0, np.nan, 0.0]),
        longitude=np.array([0.0, 0.0, np.nan]),
    )
    assert np.isnan(found).all()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("processed_ATL07-01_20190226002919_09100201_003_02.h5", "gt3l/sea_ice_segments"),
        ("processed_ATL07-01_20190222003738_08490201_003_02.h5", "gt3r/sea_ice_segments"),
        ("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5", "gt1l"),
    ],
)
def test_stored_elevation_of_real_granules_within_a_tenth_of_a_degree(name, group):
    with h5py.File(real(name), "r") as f:
        place = f[group]["geolocation"]
        if "reference_photon_lat" in place:
            lat, lon, seconds = (place[k][()] for k in ("reference_photon_lat", "reference_photon_lon", "delta_time"))
        else:
            lat, lon, seconds = (f[group][k][()] for k in ("latitude", "longitude", "delta_time"))
        stored = place["solar_elevation"][()]
    good = np.isfinite(stored) & (np.abs(stored) < 90) & (np.abs(lat) <= 90)
    assert good.any()
    found = solar_elevation(utc(seconds), latitude=lat, longitude=lon)
    # The data dictionaries call the stored value low precision; it is off by up to 0.015 (ATL07) and 0.062 degree
    # (ATL03).
    np.testing.assert_allclose(found[good], stored[good], atol=0.1)
