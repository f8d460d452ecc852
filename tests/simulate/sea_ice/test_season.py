"""When a granule is flown: the sun stands as asked, winter has none, summer keeps its own hour."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import solar
from polynya.simulate.icesat2 import atl03 as simulator
from polynya.simulate.sea_ice.presets import ICE, SEASONS
from polynya.simulate.sea_ice.season import at_time, season_at


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("season", "elevation"),
    [
        ("spring", 5.0),
        ("spring", 15.0),
        ("spring", 25.0),
        ("summer", 10.0),
        ("summer", 35.0),
        ("melt", 15.0),
        ("melt", 35.0),
    ],
)
def test_the_sun_stands_as_asked(season, elevation):
    """Against the solar theory that has published examples of its own, on several days, mornings and afternoons."""
    hours = []
    for seed in range(8):
        place = season_at(season, rng(seed), sun_elevation=elevation)
        time = np.datetime64(place.date, "ns")
        found = solar.solar_elevation(
            np.array([time]), latitude=np.array([place.latitude]), longitude=np.array([180.0])
        )[0]
        assert found == pytest.approx(elevation, abs=0.25)
        day = np.datetime64(place.date, "D")
        assert (
            np.datetime64(place.days[0]) - 1 <= day <= np.datetime64(place.days[1]) + 1
        )  # the morning or evening may be the next date's
        assert place.background[0] == pytest.approx(
            SEASONS[season].background[0] * np.sin(np.radians(elevation)) / 0.5, rel=0.05
        )
        hours.append(place.date[11:13])
    assert len(set(hours)) > 1


def test_spring_draws_its_sun_and_winter_and_summer_do_not_change():
    suns = [season_at("spring", rng(s)).background[1] for s in range(20)]
    assert max(suns) > 1.5 * min(suns)
    assert season_at("winter", rng(1)) is SEASONS["winter"]
    assert season_at("summer", rng(1)) is SEASONS["summer"]


def test_the_melt_season_is_drawn_between_75_and_80_north():
    places = [season_at("melt", rng(s)) for s in range(30)]
    latitude = np.array([p.latitude for p in places])
    assert latitude.min() >= 75.0 and latitude.max() <= 80.0 and np.ptp(latitude) > 3.0
    # A polar orbit keeps cos(latitude) * sin(heading) (Clairaut); the small-angle form is within a degree.
    heading = [
        np.degrees(np.arcsin(np.sin(np.radians(-11.0)) * np.cos(np.radians(75.0)) / np.cos(np.radians(a))))
        for a in latitude
    ]
    assert [p.heading for p in places] == pytest.approx(heading, abs=0.5)


def test_background_follows_the_sun_of_the_new_time():
    noon, evening = (at_time(SEASONS["summer"], np.datetime64(t)) for t in ("2019-11-16T00:00", "2019-11-16T09:00"))
    assert noon.background[0] > 2.0 * evening.background[0]


@pytest.mark.parametrize(
    ("season", "elevation", "words"),
    [
        ("winter", 10.0, "polar night"),
        ("summer", 60.0, "expected 3 to 3"),
        ("spring", -4.0, "out of reach"),
        ("autumn", None, "winter, summer, spring"),
    ],
)
def test_what_the_sun_cannot_do_is_named(season, elevation, words):
    with pytest.raises(UsageError, match=words):
        season_at(season, rng(0), sun_elevation=elevation)


def test_every_season_has_its_ice():
    assert set(ICE) == set(SEASONS)


def test_a_spring_granule_has_low_sun_and_less_background_than_summer(tmp_path):
    rates = {}
    for season, elevation in (("spring", 8.0), ("summer", 30.0)):
        made = simulator.simulate(
            tmp_path / f"{season}.h5", length_km=2.0, beams="gt2r", season=season, seed=4, sun_elevation=elevation
        )
        with h5py.File(made.granule) as handle:
            assert handle["gt2r/geolocation/solar_elevation"][()].mean() == pytest.approx(elevation, abs=0.4)
            rates[season] = handle["gt2r/bckgrd_atlas/bckgrd_rate"][()].mean()
    assert rates["spring"] < 0.6 * rates["summer"]
