"""The ice cover on the plane: leads as curves, floes as cells, ridges and melt patches. Tracks and scenes are taken
from it.

Coordinates are ``along``, metres from the start of the reference track, and ``across``, metres left of it. A lead is a
curve ``along(across)`` with its width in the direction of the track. The statistics along any parallel track are
therefore those of :class:`~polynya.simulate.sea_ice.presets.Ice`, as in a simulation without a map.
Ranges and sources: :mod:`.presets`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from . import profile
from .patches import Patches, draw_patches
from .presets import MAP, Map
from .profile import Cut, IceParameters, Leads
from .random_fields import red_noise

KNOT = 50.0
"""Distance across the track between two knots of a lead, m."""
MIN_WIDTH = 3.0
"""A lead ends where it is narrower, m."""


@dataclass(frozen=True, kw_only=True)
class LeadCurves:
    """Leads as curves over the across-track coordinate; lead i has knots ``first[i] .. first[i] + count[i]``.

    Attributes
    ----------
    leads : Leads
        What is constant along a lead; ``centre`` and ``width`` are those of its middle.
    first, count : numpy.ndarray of int64, shape (leads,)
        Each lead's first knot and number of knots.
    begin : numpy.ndarray, shape (leads,)
        Across-track coordinate of the first knot, m; knots follow every :data:`KNOT`.
    along, width, split : numpy.ndarray, shape (knots,)
        Middle of the lead (m), width along the track (m, 0 beyond the ends), and position of the water within it.
    """

    leads: Leads
    first: np.ndarray
    count: np.ndarray
    begin: np.ndarray
    along: np.ndarray
    width: np.ndarray
    split: np.ndarray

    def crossings(self, across: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the leads that the line at ``across`` metres crosses: index, along (m), width (m), split."""
        position = (across - self.begin) / KNOT
        knot = np.floor(position).astype(np.int64)
        at = np.flatnonzero((knot >= 0) & (knot < self.count - 1))
        low = self.first[at] + knot[at]
        share = position[at] - knot[at]
        along, width, split = (
            (1.0 - share) * v[low] + share * v[low + 1] for v in (self.along, self.width, self.split)
        )
        wide = width >= MIN_WIDTH
        return at[wide], along[wide], width[wide], split[wide]


@dataclass(frozen=True, kw_only=True)
class Ridges:
    """Ridges as parabolas ``along = x + tan * d + bend * d**2`` with ``d = across - y``, ``|d| <= half``; metres."""

    x: np.ndarray
    y: np.ndarray
    half: np.ndarray
    tan: np.ndarray
    bend: np.ndarray
    sail: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Floes:
    """Cells around ``points`` (shape (floes, 2), m) with freeboard ``level`` (m) and brightness ``bright``; ``warp``
    bends their edges."""

    points: np.ndarray
    level: np.ndarray
    bright: np.ndarray
    warp: np.ndarray

    def at(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Return the index of the floe at each place, same shape."""
        x, y = np.asarray(along, np.float64), np.asarray(across, np.float64)
        bent_x, bent_y = x.copy(), y.copy()
        for amplitude, wave_x, wave_y, phase in self.warp:
            wave = amplitude * np.sin(wave_x * x + wave_y * y + phase)
            bent_x += wave
            bent_y += wave * np.cos(phase)
        return cKDTree(self.points).query(np.stack([bent_x.ravel(), bent_y.ravel()], axis=1))[1].reshape(x.shape)


@dataclass(frozen=True, kw_only=True)
class IceMap:
    """The whole ice cover; ``patches`` are discs."""

    parameters: IceParameters
    curves: LeadCurves
    floes: Floes
    ridges: Ridges
    patches: Patches


def draw_map(
    parameters: IceParameters, rng: np.random.Generator, *, along: tuple[float, float], across: tuple[float, float]
) -> IceMap:
    """Draw the ice cover of a box.

    Parameters
    ----------
    parameters : IceParameters
        Of the granule's ice cover.
    rng : numpy.random.Generator
        Draws everything.
    along, across : tuple of float
        The box, m; leads that extend into it from outside are included.

    Returns
    -------
    IceMap
    """
    curves = _draw_leads(parameters, rng, along, across, MAP)
    return IceMap(
        parameters=parameters,
        curves=curves,
        floes=_draw_floes(parameters, rng, along, across, MAP),
        ridges=_draw_ridges(parameters, rng, along, across, MAP),
        patches=draw_patches(parameters.patches(), rng, along=along, across=across),
    )


def cut(ice: IceMap, rng: np.random.Generator, *, across: float, begin: float, length: float) -> tuple[Leads, Cut]:
    """Return the ice under a track ``across`` metres left of the reference, positions from ``begin`` metres along it.

    Parameters
    ----------
    ice : IceMap
        The ice cover.
    rng : numpy.random.Generator
        Draws the photon rate over the water of each crossing; it varies along a lead.
    across, begin, length : float
        Metres.

    Returns
    -------
    Leads, Cut
        For :func:`.profile.ice_field`.
    """
    at, along, width, split = ice.curves.crossings(across)
    near = (along > begin - width) & (along < begin + length + width)
    at, along, width, split = at[near], along[near], width[near], split[near]
    every = {f.name: getattr(ice.curves.leads, f.name)[at] for f in fields(Leads)}
    every |= {
        "centre": along - begin,
        "width": width,
        "split": split,
        "water_rate": every["water_rate"] * np.exp(0.15 * rng.standard_normal(at.size)),
    }
    cells = round(length / profile.STEP)
    step = 4
    middle = begin + (np.arange(0, cells, step) + step / 2.0) * profile.STEP
    floe = np.repeat(ice.floes.at(middle, np.full(middle.size, across)), step)[:cells]
    ridges = ice.ridges
    aside = across - ridges.y
    crossed = np.abs(aside) <= ridges.half
    ridge = (ridges.x + ridges.tan * aside + ridges.bend * aside**2)[crossed] - begin
    order = np.argsort(ridge, kind="stable")
    return Leads(**every), Cut(
        level=ice.floes.level[floe],
        bright=ice.floes.bright[floe],
        ridge_centre=ridge[order],
        ridge_sail=ridges.sail[crossed][order],
        patches=ice.patches.crossed(across, begin=begin),
    )


def _draw_leads(parameters: IceParameters, rng: np.random.Generator, along, across, of: Map) -> LeadCurves:
    """Draw leads so that a line along the track crosses the same distribution as ``profile.draw_leads``.

    The probability that a line crosses a lead is proportional to the lead's extent across the track, whatever its
    bearing. Leads are therefore drawn with the properties of crossings, at the density of crossings divided by the
    smallest extent, and each is kept with the probability smallest extent / its extent.
    """
    median_reach, power, spread, min_reach, max_reach = of.lead_reach
    side = max_reach / 2.0
    slide = side * np.tan(np.radians(of.lead_bearing))
    box = (along[0] - slide, along[1] + slide, across[0] - side, across[1] + side)
    density = profile.leads_per_metre(parameters, rng) / min_reach
    field, cell = _cluster_field(box, rng), 1000.0
    rows = np.exp(parameters.clustering * field - parameters.clustering**2 / 2.0)
    counts = rng.poisson(density * cell * cell * rows)
    i, j = np.nonzero(counts)
    i, j = np.repeat(i, counts[i, j]), np.repeat(j, counts[i, j])
    x = box[0] + (i + rng.random(i.size)) * cell
    y = box[2] + (j + rng.random(j.size)) * cell
    leads = profile.lead_properties(parameters, rng, centre=x)
    reach = np.clip(
        median_reach * (leads.width / 30.0) ** power * np.exp(spread * rng.standard_normal(x.size)),
        min_reach,
        max_reach,
    )
    bearing = _bearings(rng, x.size, of)
    keep = rng.random(x.size) < min_reach / reach
    extent = np.abs(np.tan(bearing)) * reach / 2.0 + leads.width + 600.0
    keep &= (np.abs(y - np.clip(y, *across)) < reach / 2.0) & (np.abs(x - np.clip(x, *along)) < extent)
    leads = Leads(**{f.name: getattr(leads, f.name)[keep] for f in fields(Leads)})
    return _curves(leads, y[keep], reach[keep], bearing[keep], rng, of)


def _curves(
    leads: Leads, y: np.ndarray, reach: np.ndarray, bearing: np.ndarray, rng: np.random.Generator, of: Map
) -> LeadCurves:
    count = np.ceil(reach / KNOT).astype(np.int64) + 1
    first = np.concatenate([[0], np.cumsum(count)])[:-1]
    begin = y - (count - 1) * KNOT / 2.0
    along, width, split = (np.empty(int(count.sum())) for _ in range(3))
    for i in range(count.size):
        part = slice(first[i], first[i] + count[i])
        n = int(count[i])
        d = (np.arange(n) - (n - 1) / 2.0) * KNOT
        bends = min(reach[i] / 3000.0, 1.0)
        along[part] = (
            leads.centre[i]
            + d * np.tan(bearing[i])
            + sum(bends * size * _red(n, scale, rng) for size, scale in of.meander)
        )
        tip = np.sqrt(np.maximum(1.0 - np.abs(2.0 * d / ((n - 1) * KNOT)) ** 6, 0.0))
        width[part] = leads.width[i] * tip * np.exp(sum(size * _red(n, scale, rng) for size, scale in of.width_changes))
        split[part] = np.clip(leads.split[i] + 0.12 * _red(n, 600.0, rng), 0.0, 1.0)
    return LeadCurves(leads=leads, first=first, count=count, begin=begin, along=along, width=width, split=split)


def _bearings(rng: np.random.Generator, n: int, of: Map) -> np.ndarray:
    """Draw angles from the across-track direction, radians: most near two preferred directions, some random."""
    limit = of.lead_bearing
    one = rng.uniform(-limit, limit)
    other = one + np.where(one > 0.0, -1.0, 1.0) * rng.uniform(*of.bearing_gap)
    near = np.where(rng.random(n) < 0.5, one, other) + of.bearing_spread * rng.standard_normal(n)
    free = rng.uniform(-limit, limit, n)
    return np.radians(np.clip(np.where(rng.random(n) < of.bearing_free, free, near), -limit, limit))


def _cluster_field(box: tuple[float, float, float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw a field of unit variance on cells of 1 km, correlated over 12 km like the density along a track."""
    shape = (int(np.ceil((box[1] - box[0]) / 1000.0)), int(np.ceil((box[3] - box[2]) / 1000.0)))
    sigma = 4.5
    pad = 18
    field = gaussian_filter(rng.standard_normal((shape[0] + 2 * pad, shape[1] + 2 * pad)), sigma)[pad:-pad, pad:-pad]
    return field * (2.0 * np.sqrt(np.pi) * sigma)


def _draw_floes(parameters: IceParameters, rng: np.random.Generator, along, across, of: Map) -> Floes:
    margin = 2500.0
    x0, y0 = along[0] - margin, across[0] - margin
    area = (along[1] - along[0] + 2.0 * margin) * (across[1] - across[0] + 2.0 * margin)
    n = max(int(rng.poisson(3.0 * of.floe_density * area * 1e-6)), 12)
    points = np.stack(
        [x0 + rng.random(n) * (along[1] - x0 + margin), y0 + rng.random(n) * (across[1] - y0 + margin)], axis=1
    )
    size = (int(np.ptp(points[:, 0]) / 1000.0) + 8, int(np.ptp(points[:, 1]) / 1000.0) + 8)
    field = gaussian_filter(rng.standard_normal(size), 2.0, mode="wrap") * (2.0 * np.sqrt(np.pi) * 2.0)
    dense = np.exp(
        of.floe_clustering * map_coordinates(field, (points - points.min(axis=0)).T / 1000.0, order=1, mode="nearest")
    )
    points = points[rng.random(n) < np.minimum(dense / np.exp(of.floe_clustering**2 / 2.0) / 3.0, 1.0)]
    if points.shape[0] < 2:
        points = np.array([[along[0], across[0]], [along[1], across[1]]])
    level, bright = profile.draw_levels(parameters, points.shape[0], rng)
    lengths = np.array([3000.0, 1300.0, 600.0, 280.0, 130.0])
    angle = rng.uniform(0.0, 2.0 * np.pi, lengths.size)
    wave = 2.0 * np.pi / lengths
    warp = np.stack(
        [0.05 * lengths, wave * np.cos(angle), wave * np.sin(angle), rng.uniform(0.0, 2.0 * np.pi, lengths.size)],
        axis=1,
    )
    return Floes(points=points, level=level, bright=bright, warp=warp)


def _draw_ridges(parameters: IceParameters, rng: np.random.Generator, along, across, of: Map) -> Ridges:
    median, spread = of.ridge_reach
    mean = median * np.exp(spread**2 / 2.0)
    margin = 2500.0
    area = (along[1] - along[0] + 2.0 * margin) * (across[1] - across[0] + 2.0 * margin)
    n = int(rng.poisson(parameters.ridges_per_km / 1000.0 / mean * area))
    x = rng.uniform(along[0] - margin, along[1] + margin, n)
    y = rng.uniform(across[0] - margin, across[1] + margin, n)
    half = 0.5 * np.minimum(median * np.exp(spread * rng.standard_normal(n)), 2.0 * margin)
    tan = np.tan(np.radians(rng.uniform(-of.lead_bearing, of.lead_bearing, n)))
    return Ridges(
        x=x,
        y=y,
        half=half,
        tan=tan,
        bend=0.2 * rng.standard_normal(n) / np.maximum(half, 50.0),
        sail=profile.draw_sails(parameters, rng, n),
    )


def _red(n: int, length: float, rng: np.random.Generator) -> np.ndarray:
    return red_noise(n, max(round(length / KNOT), 1), rng)
