"""Leads around a track: segments with a width, on a plane with the track as its first axis.

Positions are metres on the ground: ``along`` the track from its first echo, ``across`` to its left. A lead is every
point within half its width of a segment; direction 0 lies along the track, 90 degrees to its left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import presets


@dataclass(frozen=True, kw_only=True)
class Leads:
    """The leads of a track, arrays of shape (n,).

    Attributes
    ----------
    along, across : numpy.ndarray
        Middle of the segment, m.
    direction : numpy.ndarray
        From the track, counter-clockwise, radians.
    length, width : numpy.ndarray
        Of the segment; of the lead across it, m.
    is_open : numpy.ndarray of bool
        Open water or nilas; else refrozen.
    peak_db : numpy.ndarray
        Peak of the echo that a surface of the lead's kind without end would have, over that of the floes, dB.
    slope : numpy.ndarray
        Standard deviation of the surface's slope in each direction, radians.
    is_seen : numpy.ndarray of bool
        Whether the radar map has it.
    """

    along: np.ndarray
    across: np.ndarray
    direction: np.ndarray
    length: np.ndarray
    width: np.ndarray
    is_open: np.ndarray
    peak_db: np.ndarray
    slope: np.ndarray
    is_seen: np.ndarray

    def __len__(self) -> int:
        return len(self.along)

    def ends(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return along and across of both ends of the segments, m."""
        u, v = 0.5 * self.length * np.cos(self.direction), 0.5 * self.length * np.sin(self.direction)
        return self.along - u, self.across - v, self.along + u, self.across + v


def draw_leads(rng: np.random.Generator, length_m: float, ranges: presets.Scenery) -> Leads:
    """Draw the leads of a track.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws them.
    length_m : float
        Of the track; leads lie up to 9 km beyond its ends.
    ranges : Scenery
        What is drawn from.

    Returns
    -------
    Leads
    """
    whole = length_m + 2.0 * presets.STRIP_M
    n = int(rng.poisson(rng.uniform(*ranges.density) * whole / 1000.0))
    exponent, main = rng.uniform(*ranges.width_exponent), rng.uniform(0.0, np.pi)
    is_second = rng.uniform(size=n) < ranges.second_share
    turned = np.deg2rad(rng.normal(0.0, ranges.direction_sd, n) + ranges.second_angle * is_second)
    length = np.minimum(ranges.length_m * np.exp(rng.normal(0.0, ranges.length_sd, n)), presets.LARGEST_LENGTH_M)
    width = power_law(rng.uniform(size=n), exponent)
    is_open = rng.uniform(size=n) >= ranges.refrozen_share
    seen = np.where(
        is_open, np.where(width > presets.WIDE_M, ranges.seen_wide, ranges.seen_narrow), ranges.seen_refrozen
    )
    return Leads(
        along=rng.uniform(-presets.STRIP_M, length_m + presets.STRIP_M, n),
        across=rng.uniform(-presets.STRIP_M, presets.STRIP_M, n),
        direction=(main + turned) % np.pi,
        length=length,
        width=width,
        is_open=is_open,
        peak_db=np.where(is_open, rng.uniform(*ranges.open_db, n), rng.uniform(*ranges.refrozen_db, n)),
        slope=np.deg2rad(rng.uniform(*ranges.slope_deg, n)),
        is_seen=rng.uniform(size=n) < seen,
    )


def power_law(u: np.ndarray, exponent: float) -> np.ndarray:
    """Return widths of the density w^-exponent between the smallest and the largest width, m.

    Parameters
    ----------
    u : numpy.ndarray
        Even between 0 and 1: the share of leads that are narrower.
    exponent : float
        Above 1.
    """
    low, high = (w ** (1.0 - exponent) for w in (presets.SMALLEST_WIDTH_M, presets.LARGEST_WIDTH_M))
    return (low + u * (high - low)) ** (1.0 / (1.0 - exponent))


def distances(leads: Leads, along: np.ndarray, across: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the distance from points to every lead, 0 inside it, m, shape (points, leads).

    Parameters
    ----------
    leads : Leads
        Of the track.
    along, across : numpy.ndarray, shape (points,)
        The points, m.
    """
    east = np.asarray(along)[:, None] - leads.along
    north = np.broadcast_to(np.asarray(across, np.float64), np.shape(along))[:, None] - leads.across
    cos, sin = np.cos(leads.direction), np.sin(leads.direction)
    beyond = np.maximum(np.abs(east * cos + north * sin) - 0.5 * leads.length, 0.0)
    return np.maximum(np.hypot(beyond, north * cos - east * sin) - 0.5 * leads.width, 0.0)


def nearest(leads: Leads, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to the nearest lead, at most 9 km, and its number as int32, -1 beyond, both of shape (n,).

    Parameters
    ----------
    leads : Leads
        Of the track.
    along : numpy.ndarray, shape (n,)
        Points of the track, m.
    """
    if len(leads) == 0:
        return np.full(len(along), presets.STRIP_M), np.full(len(along), -1, np.int32)
    apart = distances(leads, along)
    number = np.argmin(apart, axis=1)
    found = apart[np.arange(len(along)), number]
    is_near = found < presets.STRIP_M
    return np.where(is_near, found, presets.STRIP_M), np.where(is_near, number, -1).astype(np.int32)


def crossed(leads: Leads, along: np.ndarray) -> np.ndarray:
    """Return the length of the track in the lead that a point lies in, the longest in overlaps, 0 outside, m.

    Parameters
    ----------
    leads : Leads
        Of the track.
    along : numpy.ndarray, shape (n,)
        Points of the track, m.
    """
    start, stop = crossings(leads)
    found = np.zeros(len(along))
    for a, b in zip(start, stop, strict=True):
        inside = (along >= a) & (along <= b)
        found[inside] = np.maximum(found[inside], b - a)
    return found


def crossings(leads: Leads) -> tuple[np.ndarray, np.ndarray]:
    """Return where the line of the track enters and leaves every lead, m along it; NaN where it does not cross.

    A lead is a rectangle with half a disc at each end: it is convex, so the line is inside once.

    Parameters
    ----------
    leads : Leads
        Of the track.
    """
    radius, cos, sin = 0.5 * leads.width, np.cos(leads.direction), np.sin(leads.direction)
    x1, y1, x2, y2 = leads.ends()
    parts = []
    for x, y in ((x1, y1), (x2, y2)):
        half = np.sqrt(np.where(np.abs(y) <= radius, radius**2 - y**2, np.nan))
        parts.append((x - half, x + half))
    # Of the rectangle: |(s - along) cos - across sin| <= length / 2 and |(s - along) sin + across cos| <= radius
    first = _slab(cos, -leads.across * sin, 0.5 * leads.length)
    second = _slab(sin, leads.across * cos, radius)
    low, high = np.maximum(first[0], second[0]), np.minimum(first[1], second[1])
    crosses = low <= high
    parts.append((np.where(crosses, leads.along + low, np.nan), np.where(crosses, leads.along + high, np.nan)))
    starts, stops = (np.stack([p[k] for p in parts]) for k in (0, 1))
    return np.fmin.reduce(starts, axis=0), np.fmax.reduce(stops, axis=0)


def _slab(slope: np.ndarray, offset: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of t in |slope t + offset| <= half; the first is above the second where there is none."""
    flat = np.abs(slope) < 1e-12
    safe = np.where(flat, 1.0, slope)
    a, b = (-half - offset) / safe, (half - offset) / safe
    inside = np.abs(offset) <= half
    low = np.where(flat, np.where(inside, -np.inf, np.inf), np.minimum(a, b))
    high = np.where(flat, np.where(inside, np.inf, -np.inf), np.maximum(a, b))
    return low, high
