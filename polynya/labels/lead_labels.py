"""Labels of radar-altimeter echoes from maps of leads: how far from nadir the nearest lead of the map is.

For every echo: nadir is moved back by the drift of the ice since the map, the distance to the nearest lead pixel is
taken on the map's polar grid and divided by the projection's scale there, and compared with a threshold T. Below T the
echo is ``lead``, from T to 3 T ``ambiguous``, beyond ``no_lead``. An echo has no label where the circle of 5 km around
nadir (what an altimeter may see a lead from) leaves the map or holds pixels without data, where the map is too old or
too new, or where there is too little ice.

The distance is that to the nearest lead **of the map**: a lead that the map misses is not there, and where the distance
is larger than that to the map's rim it is an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..physics import altimeter_tracks, nearest_pixels
from ..readers.lead_map import LeadMap
from ..schema.echoes import Echoes
from ..schema.lead_labels import (
    AMBIGUOUS,
    FEW_ICE,
    LABELLED,
    LEAD_NEAR,
    MAP_ENDS,
    NO_ECHO,
    NO_LEAD,
    TOO_LATE,
    UNLABELLED,
)

CIRCLE_M = 5000.0
"""Around nadir, a lead is seen from so far away: 56 gates late with an altimeter at 800 km."""
BELT = 3.0
"""From one to this many thresholds the label is ambiguous."""
GAP_STEPS = 2.5
"""A track is broken where two echoes are further apart than this many of its usual steps."""
_RANK = np.zeros(8, np.int64)
_RANK[[LABELLED, TOO_LATE, MAP_ENDS]] = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How the ice moved from the time of the map to that of the echo.

    Attributes
    ----------
    first, second : float
        Metres on the ground: to the east and to the north at the echo, or along x and y of the map's grid. With
        ``is_velocity`` metres per second, multiplied by the time of the echo minus that of the map.
    is_grid : bool
        Along x and y.
    is_velocity : bool
    """

    first: float = 0.0
    second: float = 0.0
    is_grid: bool = False
    is_velocity: bool = False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How an echo is labelled.

    Attributes
    ----------
    threshold_m : float
        T: a lead that is nearer makes the label ``lead``.
    max_hours : float
        Largest time between map and echo.
    min_concentration : float
        Share of ice, 0 to 1, below which there is no label.
    drift : Drift
    """

    threshold_m: float = 300.0
    max_hours: float = 3.0
    min_concentration: float = 0.5
    drift: Drift = Drift()


@dataclass(frozen=True, kw_only=True, eq=False)
class EchoLabels:
    """Labels of n echoes: the columns of :data:`polynya.schema.lead_labels.LABEL_COLUMNS` but ``pass_id``.

    Attributes
    ----------
    label, label_flag : numpy.ndarray of int8, shape (n,)
    lead_distance, lead_width_crossed, map_time_lag, drift_x, drift_y : numpy.ndarray of float64, shape (n,)
        Metres and seconds; NaN where unlabelled, the time also where no map holds nadir.
    map_used : numpy.ndarray of int16, shape (n,)
        Number of the map in the order given; -1 where none holds nadir.
    """

    label: np.ndarray
    label_flag: np.ndarray
    lead_distance: np.ndarray
    lead_width_crossed: np.ndarray
    map_time_lag: np.ndarray
    drift_x: np.ndarray
    drift_y: np.ndarray
    map_used: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns by name."""
        return {n: v for n, v in vars(self).items() if n != "map_used"}


def label(
    echoes: Echoes, maps: Sequence[LeadMap], *, rule: Rule | None = None, concentration: np.ndarray | None = None
) -> EchoLabels:
    """Label the echoes of a track.

    Parameters
    ----------
    echoes : Echoes
        In the order of the track; n echoes.
    maps : sequence of LeadMap
        Where several hold an echo, the one that labels it and is nearest in time is taken.
    rule : Rule, optional
        The defaults where left out.
    concentration : numpy.ndarray, shape (n,), optional
        Share of ice at nadir, 0 to 1; below the rule's limit, and where it is NaN, there is no label. Without it there
        is no limit.

    Returns
    -------
    EchoLabels
    """
    rule = rule or Rule()
    best = _nothing(len(echoes))
    for k, lead_map in enumerate(maps):
        best = _better(best, against(echoes, lead_map, rule=rule, number=k))
    flag = best.label_flag.copy()
    if concentration is not None:
        flag[(flag == LABELLED) & ~(concentration >= rule.min_concentration)] = FEW_ICE
    flag[~has_echo(echoes)] = NO_ECHO
    given = flag == LABELLED
    columns = {n: np.where(given, v, np.nan) for n, v in best.columns().items() if v.dtype.kind == "f"}
    columns["map_time_lag"] = np.where(np.isin(flag, (MAP_ENDS, NO_ECHO)), np.nan, best.map_time_lag)
    return EchoLabels(
        label=np.where(given, best.label, UNLABELLED).astype(np.int8),
        label_flag=flag.astype(np.int8),
        **columns,
        map_used=np.where(flag == NO_ECHO, -1, best.map_used).astype(np.int16),
    )


def against(echoes: Echoes, lead_map: LeadMap, *, rule: Rule, number: int = 0) -> EchoLabels:
    """Label the echoes of a track by one map, whatever the echoes and the ice are like.

    Parameters
    ----------
    echoes : Echoes
        n echoes.
    lead_map : LeadMap
        The map.
    rule : Rule
        Thresholds and drift.
    number : int
        Of the map, for ``map_used``.

    Returns
    -------
    EchoLabels
    """
    states = lead_map.states
    ground = Ground.of(echoes, lead_map)
    lag = (echoes.time - lead_map.header.time) / np.timedelta64(1, "s")
    drift_x, drift_y = _displacement(rule.drift, lag, ground)
    row, column = ground.pixels(-drift_x, -drift_y)
    reach = CIRCLE_M * ground.scale / ground.pixel_m
    is_inside = nearest_pixels.to_rim(states.shape, row, column)
    blank = nearest_pixels.Marked.of(states == nearest_pixels.UNKNOWN)
    at = nearest_pixels.states_at(states, row, column)
    far = float(np.nanmax(reach, initial=0.0))
    clear = (is_inside >= reach) & (at != nearest_pixels.UNKNOWN)
    clear[clear] = blank.distances(row[clear], column[clear], most=far + 1.0) - 0.5 >= reach[clear]
    distance = np.full(len(echoes), np.nan)
    distance[clear] = nearest_pixels.Marked.of(states == nearest_pixels.MARKED).distances(row[clear], column[clear])
    distance[clear & (at == nearest_pixels.MARKED)] = 0.0
    distance = distance * ground.pixel_m / ground.scale
    flag = np.full(len(echoes), MAP_ENDS)
    flag[clear] = LABELLED
    flag[clear & ~(np.abs(lag) <= rule.max_hours * 3600.0)] = TOO_LATE
    width = nearest_pixels.lengths_within(states, row, column, is_apart=_is_apart(echoes))
    near, wide = distance < rule.threshold_m, distance < BELT * rule.threshold_m
    return EchoLabels(
        label=np.where(near, LEAD_NEAR, np.where(wide, AMBIGUOUS, NO_LEAD)),
        label_flag=flag,
        lead_distance=np.where(np.isfinite(distance), distance, np.nan),  # a map without a lead: no distance
        lead_width_crossed=width * ground.pixel_m / ground.scale,
        map_time_lag=lag,
        drift_x=drift_x,
        drift_y=drift_y,
        map_used=np.where(is_inside > 0, number, -1),
    )


def has_echo(echoes: Echoes) -> np.ndarray:
    """Return whether an echo has a position, a time, and a sample above zero, bool, shape (n,).

    Parameters
    ----------
    echoes : Echoes
        n echoes.
    """
    usable = echoes.waveform > 0
    if echoes.fill is not None:
        usable &= echoes.waveform != echoes.fill
    known = np.isfinite(echoes.latitude) & np.isfinite(echoes.longitude) & ~np.isnat(echoes.time)
    return known & usable.any(axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """Where echoes lie on a map's grid.

    Attributes
    ----------
    x, y : numpy.ndarray of float64, shape (n,)
        On the grid, m; NaN without a position.
    scale : numpy.ndarray of float64, shape (n,)
        Metres of the grid per metre on the ground: polar stereographic grids have one scale in all directions.
    north : numpy.ndarray of float64, shape (2, n)
        Direction of true north, x and y of a vector of length 1.
    lead_map : LeadMap
    """

    x: np.ndarray
    y: np.ndarray
    scale: np.ndarray
    north: np.ndarray
    lead_map: LeadMap

    @classmethod
    def of(cls, echoes: Echoes, lead_map: LeadMap) -> Ground:
        """Project the echoes."""
        from pyproj import CRS, Proj, Transformer

        crs = CRS.from_user_input(str(lead_map.header.geobox.crs))
        known = np.isfinite(echoes.latitude) & np.isfinite(echoes.longitude)
        x, y, scale = (np.full(len(echoes), np.nan) for _ in range(3))
        north = np.full((2, len(echoes)), np.nan)
        lat, lon = echoes.latitude[known], echoes.longitude[known]
        project = Transformer.from_crs(4326, crs, always_xy=True)
        x[known], y[known] = project.transform(lon, lat)
        factors = Proj(crs).get_factors(lon, lat)
        scale[known] = factors.meridional_scale
        below = project.transform(lon, lat - np.where(lat > -89.9, 1e-4, 0.0))
        step = np.stack([x[known] - below[0], y[known] - below[1]])
        length = np.hypot(*step)
        north[:, known] = step / np.where(length > 0, length, np.nan)
        return cls(x=x, y=y, scale=scale, north=north, lead_map=lead_map)

    @property
    def pixel_m(self) -> float:
        """Side of a pixel on the grid, m."""
        return abs(float(self.lead_map.header.geobox.affine.a))

    def pixels(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of places some metres on the ground, along x and y, from nadir; pixels."""
        back = ~self.lead_map.header.geobox.affine
        x, y = self.x + dx * self.scale, self.y + dy * self.scale
        return back.d * x + back.e * y + back.f, back.a * x + back.b * y + back.c


def _displacement(drift: Drift, lag: np.ndarray, ground: Ground) -> tuple[np.ndarray, np.ndarray]:
    """Return the displacement of the ice from map to echo, metres on the ground along x and y."""
    times = lag if drift.is_velocity else np.ones(lag.shape)
    first, second = drift.first * times, drift.second * times
    if drift.is_grid:
        return first, second
    north = ground.north if drift.first or drift.second else np.zeros_like(ground.north)
    # East is north turned clockwise by a right angle: the grids show the Earth from outside
    return first * north[1] + second * north[0], second * north[1] - first * north[0]


def _is_apart(echoes: Echoes) -> np.ndarray:
    """Return whether the track is broken between an echo and the next, bool, shape (n - 1,)."""
    lat, lon = np.deg2rad(echoes.latitude), np.deg2rad(echoes.longitude)
    half = np.sin(0.5 * np.diff(lat)) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(0.5 * np.diff(lon)) ** 2
    step = 2.0 * altimeter_tracks.EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    known = step[np.isfinite(step)]
    usual = float(np.median(known)) if known.size else 0.0
    return ~(step <= GAP_STEPS * usual)


def _nothing(n: int) -> EchoLabels:
    nan = np.full(n, np.nan)
    return EchoLabels(
        label=np.full(n, UNLABELLED),
        label_flag=np.full(n, MAP_ENDS),
        lead_distance=nan,
        lead_width_crossed=nan,
        map_time_lag=nan,
        drift_x=nan,
        drift_y=nan,
        map_used=np.full(n, -1),
    )


def _better(one: EchoLabels, other: EchoLabels) -> EchoLabels:
    """Return for each echo the labels of the map that labels it; of two, the one nearer in time."""
    rank = [_RANK[e.label_flag] for e in (one, other)]
    lag = [np.nan_to_num(np.abs(e.map_time_lag), nan=np.inf) for e in (one, other)]
    held = [e.map_used >= 0 for e in (one, other)]
    takes = (rank[1] < rank[0]) | ((rank[1] == rank[0]) & ((held[1] & ~held[0]) | (held[1] & (lag[1] < lag[0]))))
    return EchoLabels(**{n: np.where(takes, v, getattr(one, n)) for n, v in vars(other).items()})
