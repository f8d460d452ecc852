"""Where the sun stands, for products that do not store it."""

from __future__ import annotations

import numpy as np

J2000 = np.datetime64("2000-01-01T12:00:00", "ns")
TT_MINUS_UTC_S = 69.184
"""Terrestrial time minus UTC since 2017 (37 leap seconds + 32.184 s)."""


def solar_position(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sun's apparent right ascension and declination.

    Parameters
    ----------
    time : array of datetime64
        UTC.

    Returns
    -------
    right_ascension, declination : numpy.ndarray
        Degrees, of date; about 0.01 degree (the sun's "low accuracy" theory), 1950-2050.

    Notes
    -----
    Meeus, Astronomical Algorithms, 2nd ed., chapter 25: mean longitude and anomaly, equation of the
    centre, aberration and the largest term of nutation.
    """
    days = _days(time) + TT_MINUS_UTC_S / 86400.0
    t = days / 36525.0
    mean_longitude = 280.46646 + t * (36000.76983 + 0.0003032 * t)
    anomaly = np.radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    centre = (
        (1.914602 - t * (0.004817 + 0.000014 * t)) * np.sin(anomaly)
        + (0.019993 - 0.000101 * t) * np.sin(2.0 * anomaly)
        + 0.000289 * np.sin(3.0 * anomaly)
    )
    node = np.radians(125.04 - 1934.136 * t)
    longitude = np.radians(mean_longitude + centre - 0.00569 - 0.00478 * np.sin(node))
    obliquity = np.radians(_obliquity(t) + 0.00256 * np.cos(node))
    right_ascension = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))) % 360.0
    declination = np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))
    return right_ascension, declination


def solar_elevation(time: np.ndarray, *, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return the sun's elevation above the ellipsoid's tangent plane, no refraction.

    Parameters
    ----------
    time : array of datetime64
        UTC; UT1 is taken as UTC (0.004 degree at most).
    latitude, longitude : array_like
        Geodetic, degrees.

    Returns
    -------
    numpy.ndarray
        Degrees, negative below the horizon; NaN where an input is missing. Within 0.01 degree of a
        full almanac. ATL07's stored value, which its data dictionary calls low precision, differs by up
        to 0.015 degree, ATL03's by up to 0.062 (three real granules).

    Notes
    -----
    Sidereal time: Meeus, chapter 12, with nutation in right ascension to its largest term.
    """
    time = np.asarray(time, dtype="datetime64[ns]")
    right_ascension, declination = solar_position(time)
    days = _days(time)
    t = days / 36525.0
    node = np.radians(125.04 - 1934.136 * t)
    nutation = -0.00478 * np.sin(node) * np.cos(np.radians(_obliquity(t)))
    sidereal = 280.46061837 + 360.98564736629 * days + 0.000387933 * t * t + nutation
    hour_angle = np.radians(sidereal + np.asarray(longitude, dtype=np.float64) - right_ascension)
    phi, delta = np.radians(np.asarray(latitude, dtype=np.float64)), np.radians(declination)
    sine = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour_angle)
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


def _days(time: np.ndarray) -> np.ndarray:
    time = np.asarray(time, dtype="datetime64[ns]")
    return np.where(np.isnat(time), np.nan, (time - J2000).astype(np.int64) / 86400e9)


def _obliquity(t: np.ndarray) -> np.ndarray:
    """Mean obliquity of the ecliptic, degrees (Meeus, equation 22.2)."""
    return 23.4392911 - t * (0.0130042 + t * (1.64e-7 - 5.04e-7 * t))
