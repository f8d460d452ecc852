"""Where a track lies: a straight line on the polar grid (EPSG:3413), scaled so that its steps are right on the ground.

Over the 140 km of a usual track the grid's scale changes by less than 0.5 %: one scale, that of the middle, is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import presets

CENTRAL_MERIDIAN = -45.0
"""Of EPSG:3413: the grid's y axis points away from it."""
FIRST_DAY = np.datetime64("2015-11-15", "ns")
DAYS = 150
"""Winter: melt is not simulated."""


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """How a satellite flies.

    Attributes
    ----------
    step_m : float
        Distance on the ground between two echoes.
    inclination_deg : float
        Of the orbit.
    cycles, passes : tuple of int
        Numbers that are drawn from: the first, and the one after the last.
    """

    step_m: float
    inclination_deg: float
    cycles: tuple[int, int]
    passes: tuple[int, int]


ALTIKA = Orbit(step_m=presets.STEP_M, inclination_deg=presets.INCLINATION_DEG, cycles=(29, 34), passes=(1, 1003))


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A plane along a track.

    Attributes
    ----------
    x, y : float
        First echo on the grid, m.
    angle : float
        Direction of flight on the grid, from x to y, radians.
    scale : float
        Metres of the grid per metre on the ground.
    start : numpy.datetime64
        Time of the first echo, UTC.
    cycle, track : int
        Of the file's name.
    place : str
        Name of the sea.
    step_m : float
        Distance on the ground between two echoes.
    """

    x: float
    y: float
    angle: float
    scale: float
    start: np.datetime64
    cycle: int
    track: int
    place: str
    step_m: float

    def to_grid(self, along: np.ndarray, across: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y on the grid of points of the plane, m."""
        east, north = self.turned(np.asarray(along), across)
        return self.x + self.scale * east, self.y + self.scale * north

    def turned(self, along: np.ndarray | float, across: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return a vector of the plane in the directions of the grid's axes, metres on the ground."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.asarray(along * cos - across * sin), np.asarray(along * sin + across * cos)

    def from_grid(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return along and across of points of the grid, m."""
        east, north = (np.asarray(x) - self.x) / self.scale, (np.asarray(y) - self.y) / self.scale
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return east * cos + north * sin, north * cos - east * sin

    def positions(self, along: np.ndarray, across: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return latitude and longitude of points of the plane, degrees, WGS 84."""
        from pyproj import Transformer

        x, y = self.to_grid(along, across)
        longitude, latitude = Transformer.from_crs(presets.EPSG, 4326, always_xy=True).transform(x, y)
        return np.asarray(latitude), np.asarray(longitude)


def draw_frame(rng: np.random.Generator, echoes: int, *, orbit: Orbit = ALTIKA) -> Frame:
    """Draw place, direction and time of a track.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    echoes : int
        The track's middle lies at the place that is drawn.
    orbit : Orbit
        Gives direction and step.
    """
    from pyproj import Proj, Transformer

    names = list(presets.PLACES)
    place = names[int(rng.integers(len(names)))]
    latitude, longitude = (v + rng.uniform(-1.0, 1.0) for v in presets.PLACES[place])
    # The azimuth of an orbit over a sphere at rest: sin(azimuth) = cos(inclination) / cos(latitude)
    sine = np.cos(np.deg2rad(orbit.inclination_deg)) / np.cos(np.deg2rad(latitude))
    azimuth = np.arcsin(np.clip(sine, -1.0, 1.0))
    azimuth = azimuth if rng.uniform() < 0.5 else np.pi - azimuth
    # At longitude l the grid's north is (-sin, cos) of l + 45 degrees, its east (cos, sin)
    turn = np.deg2rad(longitude - CENTRAL_MERIDIAN)
    angle = float(turn + 0.5 * np.pi - azimuth)
    scale = float(Proj(presets.EPSG).get_factors(longitude, latitude).meridional_scale)
    x, y = Transformer.from_crs(4326, presets.EPSG, always_xy=True).transform(longitude, latitude)
    half = 0.5 * orbit.step_m * (echoes - 1) * scale
    seconds = int(rng.integers(DAYS * 86400))
    return Frame(
        x=float(x - half * np.cos(angle)),
        y=float(y - half * np.sin(angle)),
        angle=angle,
        scale=scale,
        start=FIRST_DAY + np.timedelta64(seconds, "s"),
        cycle=int(rng.integers(*orbit.cycles)),
        track=int(rng.integers(*orbit.passes)),
        place=place,
        step_m=orbit.step_m,
    )
