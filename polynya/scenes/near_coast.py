"""Which places are on land or near it, by the shipped outlines of land: anywhere on the globe, without a grid."""

from __future__ import annotations

import functools
from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np
import shapely
from scipy.spatial import cKDTree

LAND = "land_natural_earth_50m_world.npz"

EARTH_RADIUS_M = 6_371_000.0
STEP_M = 5_000.0
"""Longest piece of coast between two points: as far as the coastline itself may be off."""


def is_near_land(latitude: np.ndarray, longitude: np.ndarray, *, reach_m: float) -> np.ndarray:
    """Return which places are on land or nearer to it than a distance, bool (n,); False where a place is not known.

    Parameters
    ----------
    latitude, longitude : numpy.ndarray, shape (n,)
        Degrees.
    reach_m : float
        Distance, m, on a sphere of 6,371 km. The outlines (Natural Earth, 1 : 50 million) may be 5 km off, and lack
        small islands.
    """
    out = np.zeros(latitude.shape, bool)
    known = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    if not known.size:
        return out
    lat, lon = latitude[known], (longitude[known] + 180.0) % 360.0 - 180.0
    coast, rings = _coast()
    far, _ = coast.query(_on_sphere(lat, lon))
    chord = 2.0 * np.sin(0.5 * reach_m / EARTH_RADIUS_M)
    around, _ = rings.query(shapely.points(lon, lat), predicate="intersects")
    inside = np.bincount(around, minlength=known.size) % 2 == 1
    out[known] = (far <= chord) | inside
    return out


@functools.cache
def _coast() -> tuple[cKDTree, shapely.STRtree]:
    """Return points along the coast on the unit sphere, and the rings in degrees: holes are rings, too."""
    with as_file(files("polynya") / "data" / LAND) as path, np.load(path, allow_pickle=False) as held:
        longitude = held["longitude"].astype(np.float64) * (180.0 / 32767.0)
        latitude = held["latitude"].astype(np.float64) * (90.0 / 32767.0)
        start = held["start"].tolist()
    points = _on_sphere(latitude, longitude)
    rings = []
    denser = [points]
    for a, b in pairwise(start):
        if b - a >= 4:
            rings.append(shapely.Polygon(np.column_stack([longitude[a:b], latitude[a:b]])))
        denser.append(_between(points[a:b][np.abs(longitude[a:b]) < 179.99]))  # the cut at 180 degrees is no coast
    return cKDTree(np.concatenate(denser)), shapely.STRtree(rings)


def _between(ring: np.ndarray) -> np.ndarray:
    """Return points on the chords between the points of a ring, at most 5 km apart, (m, 3)."""
    first, last = ring[:-1], ring[1:]
    pieces = np.ceil(np.linalg.norm(last - first, axis=1) * EARTH_RADIUS_M / STEP_M).astype(int)
    which = np.repeat(np.arange(pieces.size), pieces)
    share = (np.arange(which.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[which]
    found = first[which] + share[:, None] * (last - first)[which]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
