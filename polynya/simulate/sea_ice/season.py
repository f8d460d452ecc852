"""Date of a simulated granule: that of the season, or the hour with the requested sun elevation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import UsageError
from ..icesat2.granule import METRES_PER_DEGREE, solar_position
from .presets import SEASONS, SUN_REFERENCE, Season

NOON_SUM = 112.5
"""Latitude and elevation of the noon sun together, degrees, about the solstice: 90 + 23.4, less some days' decline."""
EPOCH = np.datetime64("2018-01-01", "ns")


def season_at(name: str, rng: np.random.Generator, *, sun_elevation: float | None = None) -> Season:
    """Return a season with its date and background resolved.

    Parameters
    ----------
    name : str
        Of :data:`~polynya.simulate.sea_ice.presets.SEASONS`.
    rng : numpy.random.Generator
        Draws the sun's elevation (if it is not given), the latitude, the day, and morning or afternoon.
    sun_elevation : float, optional
        Degrees, at the middle of the track's meridian (180 degrees) and the track's first latitude.

    Returns
    -------
    Season
        Winter and summer are unchanged if no elevation is given. The melt season draws a latitude.

    Raises
    ------
    UsageError
        If the season is unknown or has no sun, or the sun never reaches the elevation there.
    """
    if name not in SEASONS:
        raise UsageError(f"season {name!r} is unknown; expected one of {', '.join(SEASONS)}. Choose one of them.")
    place = SEASONS[name]
    if sun_elevation is None and not place.always_draws_sun:
        return place
    if not place.days:
        raise UsageError(
            f"season {name} is polar night: the sun is below the horizon at {place.latitude:g} degrees north; expected"
            " spring, summer or melt. Choose one."
        )
    elevation = rng.uniform(*place.sun) if sun_elevation is None else float(sun_elevation)
    place = _somewhere(place, elevation, rng)
    days = np.arange(np.datetime64(place.days[0]), np.datetime64(place.days[1]) + 1).astype("datetime64[ns]")
    reach = np.array([_sun(d + _minutes(), place).max() for d in days])
    able = days[reach > elevation + 0.1]
    if not np.isfinite(elevation) or elevation < 3.0 or able.size == 0:
        raise UsageError(
            f"the sun's elevation {elevation:g} degrees is out of reach; expected 3 to {reach.max() - 0.2:.0f} in"
            f" {name} ({place.days[0]} to {place.days[1]}, latitude {place.latitude:g}). Choose one in that range."
        )
    day = able[int(rng.integers(able.size))]
    noon = day + np.argmax(_sun(day + _minutes(), place)) * np.timedelta64(60, "s")
    half_day = _minutes()[:721]
    times = noon - half_day if rng.random() < 0.5 else noon + half_day
    return at_time(place, times[int(np.argmin(np.abs(_sun(times, place) - elevation)))])


def _somewhere(place: Season, elevation: float, rng: np.random.Generator) -> Season:
    """Return the season at a latitude drawn from its range, at most so far north that the sun reaches its elevation."""
    if not place.latitudes:
        return place
    lowest, highest = place.latitudes
    latitude = rng.uniform(lowest, max(min(highest, NOON_SUM - elevation), lowest))
    turn = np.cos(np.radians(place.latitude)) / np.cos(np.radians(latitude))
    return replace(
        place,
        latitude=latitude,
        heading=place.heading * turn,
        x_start=place.x_start + (latitude - place.latitude) * METRES_PER_DEGREE,
    )


def at_time(place: Season, start: np.datetime64) -> Season:
    """Return a daylight season with another start; the background is scaled with the sun's elevation."""
    elevation, _ = sun_at(place, start)
    factor = np.sin(np.radians(max(elevation, 0.3))) / np.sin(np.radians(SUN_REFERENCE))
    low, high = SEASONS[place.name].background
    return replace(place, date=str(start.astype("datetime64[s]")), background=(low * factor, high * factor))


def sun_at(place: Season, time: np.datetime64) -> tuple[float, float]:
    """Return the sun's elevation and azimuth, degrees, over the middle of the track."""
    seconds = np.array([(time.astype("datetime64[ns]") - EPOCH) / np.timedelta64(1, "s")])
    elevation, azimuth = solar_position(seconds, np.array([place.latitude]), np.array([180.0]))
    return float(elevation[0]), float(azimuth[0])


def seconds_of(date: str) -> float:
    """Return seconds since 2018-01-01 UTC of a date."""
    return float((np.datetime64(date, "ns") - EPOCH) / np.timedelta64(1, "s"))


def _minutes() -> np.ndarray:
    return np.arange(1440) * np.timedelta64(60, "s")


def _sun(times: np.ndarray, place: Season) -> np.ndarray:
    seconds = (times - EPOCH) / np.timedelta64(1, "s")
    return solar_position(seconds, np.full(times.size, place.latitude), np.full(times.size, 180.0))[0]
