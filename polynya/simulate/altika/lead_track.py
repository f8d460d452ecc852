"""What simulated tracks of all altimeters have: where they lie, the leads, and the truth. The echoes are their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import presets
from .frame import Frame
from .leads import Leads


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


def draw_drift(seed: int, ranges: presets.Scenery) -> tuple[float, float]:
    """Return the error of drift of a track's radar map along and across the track, m."""
    along, across = np.random.default_rng([seed, 6]).normal(0.0, ranges.drift_m, 2)
    return float(along), float(across)


def draw_hours(seed: int, ranges: presets.Scenery) -> float:
    """Return how long after the echoes the radar map of a track was taken, hours."""
    return float(np.random.default_rng([seed, 7]).uniform(-ranges.hours, ranges.hours))
