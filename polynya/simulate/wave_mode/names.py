"""Where and when simulated imagettes are, and their names in the agency's form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...physics.swath import degrees, n_vector

FIRST_ORBIT = 900_000
"""No satellite has flown so many orbits: such a name is a simulation's."""
PER_ORBIT = 12
"""Imagettes of one orbit in a set: splits are by orbit."""
START = np.datetime64("2024-01-01T00:00:00", "s")
EARTH_RADIUS_M = 6_371_000.0
STEP_M = 105_000.0
"""Distance along the flight between two imagettes, of either beam."""
ACROSS_M = {"wv1": 0.0, "wv2": 180_000.0}
"""How far an imagette lies to the right of the first beam's, m."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where, when and in which orbit an imagette was taken; degrees, UTC."""

    orbit: int
    number: int
    time: np.datetime64
    latitude: float
    longitude: float
    heading: float


def place_of(seed: int, orbit: int, number: int, beam: str) -> Place:
    """Return the place of an imagette: all of one orbit lie along one track.

    Parameters
    ----------
    seed, orbit : int
        Give the track.
    number : int
        In the orbit, from 1.
    beam : str
        ``wv1`` or ``wv2``.
    """
    rng = np.random.default_rng([seed, orbit, 77])
    latitude, longitude = rng.uniform(-60.0, 72.0), rng.uniform(-180.0, 180.0)
    heading = float(rng.choice([-167.0, -13.0]))
    day = int(rng.integers(0, 366 * 86_400))
    far = STEP_M * (number - 1) * np.sign(-latitude * np.cos(np.radians(heading)) + 1e-9)  # towards the equator
    middle = moved(latitude, longitude, heading, far)
    latitude, longitude = moved(*middle, heading + 90.0, ACROSS_M[beam])
    return Place(
        orbit=FIRST_ORBIT + orbit % 100_000,
        number=number,
        time=START + day + 15 * (number - 1),
        latitude=float(latitude),
        longitude=float(longitude),
        heading=heading,
    )


def moved(
    latitude: np.ndarray | float, longitude: np.ndarray | float, bearing: float, metres: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude at a distance along great circles, degrees.

    Parameters
    ----------
    latitude, longitude : numpy.ndarray or float
        Degrees.
    bearing : float
        Degrees clockwise from north.
    metres : numpy.ndarray or float
        Distance.
    """
    latitude, longitude, metres = np.broadcast_arrays(latitude, longitude, metres)
    here = n_vector(latitude.astype(np.float64), longitude.astype(np.float64))
    east = np.stack([-here[1], here[0], 0.0 * here[2]])
    east = east / np.maximum(np.linalg.norm(east, axis=0), 1e-12)
    north = np.cross(here, east, axis=0)
    towards = np.cos(np.radians(bearing)) * north + np.sin(np.radians(bearing)) * east
    angle = metres / EARTH_RADIUS_M
    return degrees(here * np.cos(angle) + towards * np.sin(angle))


def name_of(place: Place, beam: str, *, kind: str = "slc") -> str:
    """Return the name of an imagette's files.

    Parameters
    ----------
    place : Place
        Of :func:`place_of`.
    beam : str
        ``wv1`` or ``wv2``.
    kind : str
        ``slc`` or ``QL``.
    """
    start, stop = (_stamp(place.time + k).lower() for k in (0, 3))
    return f"s1a-{beam}-{kind}-vv-{start}-{stop}-{place.orbit:06d}-{place.orbit % 0xFFFFFF:06x}-{place.number:03d}"


def _stamp(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")


def product_name(first: Place, last: Place) -> str:
    """Return the name of a product's folder.

    Parameters
    ----------
    first, last : Place
        Of its first and last imagette.
    """
    unique = f"{(first.orbit * 31 + last.number) % 0xFFFF:04X}"
    times = f"{_stamp(first.time)}_{_stamp(last.time + 3)}"
    return f"S1A_WV_SLC__1SSV_{times}_{first.orbit:06d}_{first.orbit % 0xFFFFFF:06X}_{unique}.SAFE"
