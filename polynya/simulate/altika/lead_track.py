"""What simulated tracks of all altimeters have: where they lie, the leads, and the truth. The echoes are their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ...errors import UsageError
from . import presets, surface
from .frame import Frame, Orbit, draw_frame
from .leads import Leads, crossed, draw_leads, nearest


@dataclass(frozen=True, kw_only=True)
class LeadTrack:
    """One track of n echoes; distances are on the ground.

    Attributes
    ----------
    frame : Frame
        Where it lies.
    time : numpy.ndarray of datetime64[ns], shape (n,)
        UTC.
    latitude, longitude : numpy.ndarray, shape (n,)
        Degrees, WGS 84.
    altitude : numpy.ndarray, shape (n,)
        Height of the satellite above the ellipsoid, m.
    leads : Leads
        All of them, numbered from 0.
    true_distance, map_distance : numpy.ndarray, shape (n,)
        To the nearest lead, and to the nearest of the radar map (as drifted), m; at most 9000.
    nearest : numpy.ndarray of int32, shape (n,)
        Number of the nearest lead; -1 where none is within 9 km.
    crossed : numpy.ndarray, shape (n,)
        Length of the track in the lead that nadir is in, m; 0 where nadir is on a floe. In overlaps the longest.
    is_patch : numpy.ndarray of bool, shape (n,)
        Smooth bright ice that is no lead.
    floe_db, rms_height : numpy.ndarray, shape (n,)
        Backscatter of the floes over the mean in dB, as seen at nadir; standard deviation of their height, m.
    drift : tuple of float
        Error of the radar map along and across the track, m.
    about : dict
        What was drawn.
    """

    frame: Frame
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    leads: Leads
    true_distance: np.ndarray
    map_distance: np.ndarray
    nearest: np.ndarray
    crossed: np.ndarray
    is_patch: np.ndarray
    floe_db: np.ndarray
    rms_height: np.ndarray
    drift: tuple[float, float]
    about: dict[str, object]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def length_m(self) -> float:
        """Distance from the first echo to the last, m."""
        return self.frame.step_m * (len(self) - 1)

    @property
    def is_lead(self) -> np.ndarray:
        """Whether the nearest lead is nearer than 300 m."""
        return self.true_distance < presets.LEAD_DISTANCE_M

    @property
    def map_leads(self) -> Leads:
        """The leads of the radar map, where it has them."""
        keep = self.leads.is_seen
        found = Leads(**{name: values[keep] for name, values in vars(self.leads).items()})
        return replace(found, along=found.along + self.drift[0], across=found.across + self.drift[1])


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a track looks at besides leads; per echo, or one number.

    Attributes
    ----------
    rms_height : numpy.ndarray, shape (n,)
        Standard deviation of the floes' height, m.
    patches : surface.Patches
        Smooth bright ice.
    freeboard_m : float
        Height of the floes above the water in leads.
    noise : float
        Thermal noise over the peak of the floes.
    """

    rms_height: np.ndarray
    patches: surface.Patches
    freeboard_m: float
    noise: float


def draw_seen(rng: np.random.Generator, true: np.ndarray, ranges: presets.Scenery, *, step_m: float) -> Seen:
    """Draw what a track looks at besides leads.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    true : numpy.ndarray, shape (n,)
        Distance to the nearest lead, m.
    ranges : presets.Scenery
        What it is drawn from.
    step_m : float
        From echo to echo.
    """
    return Seen(
        rms_height=surface.draw_roughness(rng, len(true), ranges, step_m=step_m),
        patches=surface.draw_patches(rng, true, ranges, step_m=step_m),
        freeboard_m=float(rng.uniform(*ranges.freeboard_m)),
        noise=float(10.0 ** (rng.uniform(*ranges.noise_db) / 10.0)),
    )


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a track of n echoes lies, and the leads along it: what altimeters of any kind look at.

    Attributes
    ----------
    seed : int
    ranges : str
        Name of what it is drawn from.
    chosen : presets.Scenery
        That itself.
    frame : Frame
    along : numpy.ndarray, shape (n,)
        Distance from the first echo, m.
    leads : Leads
    true_distance, nearest : numpy.ndarray, shape (n,)
        As of :class:`LeadTrack`.
    """

    seed: int
    ranges: str
    chosen: presets.Scenery
    frame: Frame
    along: np.ndarray
    leads: Leads
    true_distance: np.ndarray
    nearest: np.ndarray

    def fields(self, seen: Seen, *, more: Mapping[str, object]) -> dict[str, Any]:
        """Return what a :class:`LeadTrack` holds of it, but time, altitude and ``floe_db``.

        Parameters
        ----------
        seen : Seen
            Besides leads.
        more : mapping of str to object
            What else was drawn, for ``about``.
        """
        latitude, longitude = self.frame.positions(self.along)
        drift = draw_drift(self.seed, self.chosen)
        about = {
            "simulated": "polynya; no measurement",
            "seed": self.seed,
            "ranges": self.ranges,
            "place": self.frame.place,
            "time": str(self.frame.start),
            "leads": len(self.leads),
            "patches": seen.patches.count,
            "freeboard_m": round(seen.freeboard_m, 3),
            "noise_db": round(float(10.0 * np.log10(seen.noise)), 2),
            **more,
            "map_hours_after": round(draw_hours(self.seed, self.chosen), 2),
            "map_drift_error_m": [round(float(v), 1) for v in self.frame.turned(*drift)],
        }
        return {
            "frame": self.frame,
            "latitude": latitude,
            "longitude": longitude,
            "leads": self.leads,
            "true_distance": self.true_distance,
            "map_distance": self.true_distance,
            "nearest": self.nearest,
            "crossed": crossed(self.leads, self.along),
            "is_patch": seen.patches.power > 0,
            "rms_height": seen.rms_height,
            "drift": drift,
            "about": about,
        }


def draw_course(seed: int, *, echoes: int, ranges: str, chosen: presets.Scenery, orbit: Orbit) -> Course:
    """Draw where a track lies, and its leads.

    Parameters
    ----------
    seed, echoes, ranges
        Of the track.
    chosen : presets.Scenery
        What ``ranges`` stands for.
    orbit : Orbit
        Of the satellite: it has the step from echo to echo.
    """
    frame = draw_frame(np.random.default_rng([seed, 1]), echoes, orbit=orbit)
    along = orbit.step_m * np.arange(echoes)
    leads = draw_leads(np.random.default_rng([seed, 2]), float(along[-1]), chosen)
    true, number = nearest(leads, along)
    return Course(
        seed=seed,
        ranges=ranges,
        chosen=chosen,
        frame=frame,
        along=along,
        leads=leads,
        true_distance=true,
        nearest=number,
    )


T = TypeVar("T", bound=LeadTrack)


def with_map_distance(track: T, along: np.ndarray) -> T:
    """Return a track with the distances to the leads of its radar map, as drifted.

    Parameters
    ----------
    track : LeadTrack
        With its drift.
    along : numpy.ndarray, shape (n,)
        Distance of its echoes from the first, m.
    """
    return replace(track, map_distance=nearest(track.map_leads, along)[0])


def check_seed(seed: int) -> None:
    """Raise UsageError unless a track can be drawn from a seed."""
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more. Choose another.")


def check_ranges(ranges: str, known: Iterable[str]) -> None:
    """Raise UsageError unless ranges are known by that name."""
    names = list(known)
    if ranges not in names:
        raise UsageError(f"ranges is {ranges!r}; expected {', '.join(names)}. Choose one of them.")


def draw_drift(seed: int, ranges: presets.Scenery) -> tuple[float, float]:
    """Return the error of drift of a track's radar map along and across the track, m."""
    along, across = np.random.default_rng([seed, 6]).normal(0.0, ranges.drift_m, 2)
    return float(along), float(across)


def draw_hours(seed: int, ranges: presets.Scenery) -> float:
    """Return how long after the echoes the radar map of a track was taken, hours."""
    return float(np.random.default_rng([seed, 7]).uniform(-ranges.hours, ranges.hours))
