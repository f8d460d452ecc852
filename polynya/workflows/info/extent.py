"""The box of longitudes and latitudes around points, also across the antimeridian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Points(Protocol):
    """What has ``latitude`` and ``longitude``, arrays of degrees of one shape."""

    @property
    def latitude(self) -> np.ndarray:
        """Degrees."""

    @property
    def longitude(self) -> np.ndarray:
        """Degrees."""


def extent(tracks: Sequence[Points]) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of all points: the shortest arc of longitudes that holds them.

    The arc is the complement of the widest gap between neighbouring longitudes on the circle, so a
    track across the antimeridian has west > east.

    Parameters
    ----------
    tracks : sequence
        With ``latitude`` and ``longitude``, arrays of degrees; NaN is left out.

    Returns
    -------
    tuple of float or None
        None where there is no point.
    """
    lat = np.concatenate([t.latitude.ravel() for t in tracks]) if tracks else np.empty(0)
    lon = np.concatenate([t.longitude.ravel() for t in tracks]) if tracks else np.empty(0)
    good = np.isfinite(lat) & np.isfinite(lon) & (np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0)
    if not good.any():
        return None
    around = np.unique(np.mod(lon[good], 360.0))
    gaps = np.diff(np.append(around, around[0] + 360.0))
    last = int(np.argmax(gaps))
    west, east = around[(last + 1) % around.size], around[last]
    west, east = _half_circle(west), _half_circle(east)
    if east == -180.0 < west:  # points that end at the antimeridian do not go across it
        east = 180.0
    return west, float(lat[good].min()), east, float(lat[good].max())


def in_words(box: Sequence[float]) -> str:
    """Return west, south, east, north as one line; it says where the box goes across the antimeridian."""
    west, south, east, north = box
    crosses = ", crosses the antimeridian" if west > east else ""
    return f"W {west:.4f}  S {south:.4f}  E {east:.4f}  N {north:.4f}{crosses}"


def _half_circle(longitude: float) -> float:
    return float((longitude + 180.0) % 360.0 - 180.0)
