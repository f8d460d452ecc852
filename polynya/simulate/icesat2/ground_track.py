"""Ground tracks of a simulated granule: six lines parallel to a geodesic."""

from __future__ import annotations

import numpy as np
from pyproj import Geod

from ..sea_ice.presets import Season

PAIR_OFFSET = {"gt1": 3345.0, "gt2": 0.0, "gt3": -3345.0}
"""Across-track distance of the beam pairs, m, left of the reference track positive (Neumann et al., 2019)."""
BEAM_OFFSET = 45.0


def reference_track(place: Season, length: float) -> np.ndarray:
    """Return a reference track of ``length`` metres: latitude, longitude and azimuth (degrees) of knots every 100 m."""
    geod = Geod(ellps="WGS84")
    distance = np.arange(-200.0, length + 300.0, 100.0)
    n = distance.size
    lon, lat, back = geod.fwd(np.zeros(n), np.full(n, place.latitude), np.full(n, place.heading), distance)
    middle = np.interp(length / 2.0, distance, np.unwrap(lon, period=360.0))
    azimuth = (np.asarray(back) + 180.0) % 360.0
    azimuth[distance < 0] = (azimuth[distance < 0] + 180.0) % 360.0
    return np.stack([lat, np.asarray(lon) + 180.0 - middle, np.full(n, 0.0) + azimuth], axis=1)


def beam_position(track: np.ndarray, along: np.ndarray, across: float) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude of points ``along`` metres from the start, ``across`` metres left of the reference
    track."""
    geod = Geod(ellps="WGS84")
    lon, lat, _ = geod.fwd(track[:, 1], track[:, 0], track[:, 2] - 90.0, np.full(track.shape[0], across))
    at = np.arange(track.shape[0]) * 100.0 - 200.0
    longitude = np.interp(along, at, np.unwrap(np.asarray(lon), period=360.0))
    return np.interp(along, at, lat), (longitude + 180.0) % 360.0 - 180.0


def across_of(name: str) -> float:
    """Return a beam's distance left of the reference track, m, at forward orientation."""
    return PAIR_OFFSET[name[:3]] + (-BEAM_OFFSET if name.endswith("r") else BEAM_OFFSET)
