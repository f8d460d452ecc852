"""Times, satellite positions and the polynomials between slant and ground range that an annotation lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .annotation import Annotation, Orbit

SPEED_OF_LIGHT = 299792458.0
PIXEL_M = 40.0
STEP_S = 10.0
"""Between two state vectors."""
DEGREE = 8


@dataclass(frozen=True, kw_only=True)
class GroundRange:
    """Polynomials at one line: slant range of the first pixel, m; coefficients, constant first, of both directions."""

    first: float
    to_ground: np.ndarray
    to_slant: np.ndarray


def time_of(orbit: Orbit, line: float) -> str:
    """Return the time of a line, ISO with microseconds, UTC.

    Parameters
    ----------
    orbit : Orbit
        Start and line interval.
    line : float
        May lie outside the image.
    """
    time = np.datetime64(orbit.start, "us") + np.timedelta64(round(float(line) * orbit.line_s * 1e6), "us")
    return str(time)


def ground_range(annotation: Annotation, row: int) -> GroundRange:
    """Fit slant range and ground range to each other at a row of the geolocation grid.

    Parameters
    ----------
    annotation : Annotation
        The product.
    row : int
        Of the grid.
    """
    points = annotation.points
    ground = points.pixels * PIXEL_M
    slant = 0.5 * SPEED_OF_LIGHT * points.slant_range_time[row]
    first = float(slant[0])
    return GroundRange(first=first, to_ground=_fit(slant - first, ground), to_slant=_fit(ground, slant))


def state_vectors(annotation: Annotation) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return time, position (m) and velocity (m/s) of the satellite in the Earth's frame, every ten seconds.

    The satellite lies where the slant range and the elevation angle of the first pixel put it; before and after the
    scene it goes on along the same circle.

    Parameters
    ----------
    annotation : Annotation
        The product.
    """
    points, orbit = annotation.points, annotation.orbit
    duration = (annotation.lines - 1) * orbit.line_s
    at = np.arange(-60.0, duration + 70.0, STEP_S)
    ends = np.stack([_satellite(annotation, row) for row in (0, -1)])
    radius = np.linalg.norm(ends, axis=1)
    ways = ends / radius[:, None]
    angle = float(np.arccos(np.clip(ways[0] @ ways[1], -1.0, 1.0)))
    onward = ways[1] - ways[0] * np.cos(angle)
    onward /= np.linalg.norm(onward)
    span = (points.lines[-1] - points.lines[0]) * orbit.line_s
    rate = angle / span
    out = []
    for t in at:
        way = ways[0] * np.cos(rate * t) + onward * np.sin(rate * t)
        along = onward * np.cos(rate * t) - ways[0] * np.sin(rate * t)
        out.append((time_of(orbit, t / orbit.line_s), way * radius.mean(), along * radius.mean() * rate))
    return out


def _satellite(annotation: Annotation, row: int) -> np.ndarray:
    """Return where the satellite was when it saw the first pixel of a row of the grid, m, Earth-fixed."""
    p = annotation.points
    first, second = (_on_sphere(p.latitude[row, j], p.longitude[row, j]) for j in (0, 1))
    away = first - second  # towards the satellite's track, along the ground
    away -= first * (away @ first)
    away /= np.linalg.norm(away)
    incidence = np.radians(p.incidence[row, 0])
    slant = 0.5 * SPEED_OF_LIGHT * p.slant_range_time[row, 0]
    return first * 6371.0e3 + slant * (first * np.cos(incidence) + away * np.sin(incidence))


def _on_sphere(latitude: float, longitude: float) -> np.ndarray:
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return coefficients, constant first, of the polynomial through most of the points."""
    scale = float(np.abs(x).max())
    degree = min(DEGREE, len(x) - 1)
    found = np.polynomial.polynomial.polyfit(x / scale, y, degree)
    return found / scale ** np.arange(degree + 1)
