"""What besides brightness says that leads are water: a common cause of error that many leads do not average away.

A classifier gives every lead its own probability of being water. But what it takes for water may be wrong everywhere
for one reason: melt ponds, smooth bright floes, leads that have all frozen over. Ten such "leads" are no more certain
than one. The evidence that does not rest on brightness is height: water is the lowest surface around, and it lies at
one level, where ponds and floes lie at the level of their floes. Here each lead is compared with the thick ice within a
kilometre; around each section, the leads that stand lower are compared with those that do not.

The rule, its constants and what they were chosen on: ``docs/decisions/0020-common-cause-of-false-leads.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..schema import THICK_ICE
from .lead_error import APART_M
from .leads import Leads
from .quality import BITS

BLOCK_M, BESIDE_M, AROUND_M, FAR_M = 20.0, 20.0, 1_000.0, 5_000.0
"""Ice around a lead: means over blocks, from so far beside its edge to one kilometre, to five where there are few."""
LEAST_BLOCKS = 10
LEADS_AT_ONCE = 256
"""Leads whose surroundings are gathered in one table."""
LOW_QUANTILE = 0.1
LOWER_M = 0.06
"""A lead is lower than the ice around it if it stands this much below the low quantile of that ice. In simulated
granules all probable leads over water do, none of those on smooth bright floes, and one to four in ten of those on
ponds."""
REACH_M, NEAR_M = 25_000.0, 15_000.0
"""Leads within reach of a section's centre are judged together: within the shorter distance where they are eight."""
SMOOTH_M, REGION_M = 12_000.0, 50_000.0
"""A section is doubted no less than those this near on average: by chance, ponds of one stretch stand at one level."""
ENOUGH = 8
ONE_FLOE_M = 1_000.0
"""Leads this close and at one level may be ponds of one floe."""
LEVEL_M, KERNEL_M = 0.05, 0.02
"""Leads this close to the lowest level share it; the level is the lowest mode of a kernel density of that width."""
MODE_SHARE = 0.15
"""A mode holds this share of the leads, and two of them where there are five."""
FALSE_HEIGHT_M = 0.19
"""How high ponds and smooth floes stand above the water where all of a section's leads are such."""
MOST_DOUBT = 0.5
"""More probably than this the leads are no water: there is no sea surface."""
SAID_DOUBT = 0.05
"""From this doubt on, leads of two levels get the bit of leads that scatter."""
MANY_HIGH, MANY_DOUBT = 0.5, 0.25
"""Where more than half of the leads are not lower than the ice, the others are doubted at least so much."""
LONE_DOUBT = 0.1
"""Least doubt of a sea surface that rests on one body of water, where no calibrated probability says how sure it is:
it has none to agree with."""
MELT_DOUBT, CONCENTRATION_DOUBT = 0.05, 0.25
"""Least doubt in the melt season, and where there is more water than the ice concentration leaves room for."""
REFROZEN_M = 0.02
"""Leads may all be frozen over: 0.05 to 0.45 m of ice float 0.005 to 0.045 m above the water, 0.025 m on average, and
look like water while they are smooth and bright. Twice this reaches 0.04 m."""
SCATTER_M, SCATTER_SHARE = 0.03, 0.5
"""Leads that scatter by more than this beyond their errors get a bit; this share of the scatter is common to all."""
SWELL_SHARE = 0.5
"""So much of the swell's standard deviation all leads may share: what is bright and low enough for a lead is found in
troughs rather than on crests. On simulated granules the sea surface stood 0.2 to 0.7 of it too low."""
MOST_TILT = 4e-6
"""Tilt of the sea surface that is no scatter: 2.0 to 3.8 cm per 10 km (Kwok and Morison, 2016), m/m."""
CONCENTRATION_ROOM = 0.05
"""Open water may cover so much more than the ice concentration says before the two contradict each other."""
MELT_SUN = 15.0
"""Solar elevation above which snow melts in the melt season, degrees."""
MELT_NORTH, MELT_SOUTH = (5, 6, 7, 8, 9), (12, 1)
"""Months of the melt season."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """What is known of a beam's m leads and s sections besides brightness.

    Attributes
    ----------
    is_usable : numpy.ndarray of bool, shape (m,)
        Leads that stand lower than the ice around them, or have no thick ice around them, and share the lowest level.
    common : numpy.ndarray, shape (s,)
        One standard uncertainty of the reference that all leads share, metres.
    has_evidence : numpy.ndarray of bool, shape (s,)
        Whether the evidence is enough for a sea surface at all.
    flag : numpy.ndarray of int16, shape (s,)
        Bits of ``schema.QUALITY_BITS``: melt season, ice concentration, scatter, only brightness.
    """

    is_usable: np.ndarray
    common: np.ndarray
    has_evidence: np.ndarray
    flag: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of the place and time of s sections, arrays of shape (s,).

    Attributes
    ----------
    is_melt : numpy.ndarray of bool
        Of :func:`is_melt_season`.
    water_share : numpy.ndarray
        Share of the track around that is classified as open water.
    ice_concentration : numpy.ndarray, optional
        Fraction 0-1, NaN where unknown.
    swell_rms : numpy.ndarray, optional
        Standard deviation of the surface by swell, metres.
    is_chosen_by_height : bool
        Whether the leads were classified by their height (the rule does): then that they are low is no evidence, and
        where more than half of the bright and smooth bodies are not, there is no sea surface.
    """

    is_melt: np.ndarray
    water_share: np.ndarray
    ice_concentration: np.ndarray | None = None
    swell_rms: np.ndarray | None = None
    is_chosen_by_height: bool = False


def is_melt_season(time: np.ndarray, *, latitude: np.ndarray, solar_elevation: np.ndarray) -> np.ndarray:
    """Return whether snow and ice may melt.

    Parameters
    ----------
    time : numpy.ndarray of datetime64, shape (n,)
        UTC.
    latitude, solar_elevation : numpy.ndarray, shape (n,)
        Degrees.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        May to September in the north, December and January in the south, with the sun above 15 degrees.
    """
    month = np.asarray(time).astype("datetime64[M]").astype(np.int64) % 12 + 1
    season = np.where(np.asarray(latitude) > 0.0, np.isin(month, MELT_NORTH), np.isin(month, MELT_SOUTH))
    return season & (np.asarray(solar_elevation) > MELT_SUN)


def contrast(
    leads: Leads,
    x: np.ndarray,
    height: np.ndarray,
    *,
    surface_class: np.ndarray,
    segment_m: float = 2.0,
    swell_rms: np.ndarray | None = None,
) -> np.ndarray:
    """Return how high leads stand against the low parts of the thick ice around them.

    Parameters
    ----------
    leads : Leads
        m of them.
    x, height : numpy.ndarray, shape (n,)
        Segments: along-track distance and height, metres.
    surface_class : numpy.ndarray of int8, shape (n,)
        Of the segments; thick ice counts.
    segment_m : float
        Usual length of a segment, metres: a mean is over three and more.
    swell_rms : numpy.ndarray, shape (m,), optional
        Standard deviation of the surface by swell at each lead, metres: it lowers the low quantile of the ice, which is
        put back.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Lead minus the 10 % quantile of 20 m means of the ice, metres; NaN where no thick ice is within 5 km.
    """
    out = np.full(leads.x.size, np.nan)
    ice = np.flatnonzero((surface_class == THICK_ICE) & np.isfinite(height))
    if ice.size == 0:
        return out
    block = max(BLOCK_M, 3.0 * segment_m)
    number = np.floor(x[ice] / block).astype(np.int64)
    start = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    count = np.diff(np.append(start, ice.size))
    full = count >= min(3, round(block / segment_m))
    place = ((number[start] + 0.5) * block)[full]
    level = (np.add.reduceat(height[ice].astype(np.float64), start) / count)[full]
    added = np.zeros(leads.x.size) if swell_rms is None else np.asarray(swell_rms, np.float64)
    low = _low_around(place, level, leads.x, half=0.5 * leads.length, reach=AROUND_M, swell_rms=added)
    few = np.flatnonzero(np.isnan(low))
    low[few] = _low_around(place, level, leads.x[few], half=0.5 * leads.length[few], reach=FAR_M, swell_rms=added[few])
    return leads.height - low


def _low_around(
    place: np.ndarray, level: np.ndarray, x: np.ndarray, *, half: np.ndarray, reach: float, swell_rms: np.ndarray
) -> np.ndarray:
    """Return the low quantile of the blocks of ice beside leads, as it would be without swell.

    Parameters
    ----------
    place, level : numpy.ndarray, shape (b,)
        Of the blocks: along-track distance, increasing, and height, metres.
    x, half, swell_rms : numpy.ndarray, shape (m,)
        Of the leads: place, half their length and the standard deviation of the surface by swell, metres.
    reach : float
        Blocks count so far from a lead's edge, metres.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Metres; NaN where there are fewer than ten blocks.
    """
    first, end = np.searchsorted(place, x - (half + reach)), np.searchsorted(place, x + (half + reach))
    out = np.full(x.size, np.nan)
    order = np.argsort(end - first)  # the rows of a table are of like length
    for start in range(0, x.size, LEADS_AT_ONCE):
        k = order[start : start + LEADS_AT_ONCE]
        at = first[k, None] + np.arange(np.max(end[k] - first[k]))
        is_out = at >= end[k, None]
        at[is_out] = 0
        is_out |= ~(np.abs(place[at] - x[k, None]) > half[k, None] + BESIDE_M)
        heights = np.sort(np.where(is_out, np.inf, level[at]), axis=1)
        n = at.shape[1] - np.count_nonzero(is_out, axis=1)
        k, heights, n = k[n >= LEAST_BLOCKS], heights[n >= LEAST_BLOCKS], n[n >= LEAST_BLOCKS]
        middle = _quantile(heights, n, 0.5)
        below = middle - _quantile(heights, n, LOW_QUANTILE)
        out[k] = middle - np.sqrt(np.maximum(below**2 - (1.2816 * swell_rms[k]) ** 2, 0.0))
    return out


def _quantile(values: np.ndarray, n: np.ndarray, q: float) -> np.ndarray:
    """Return a quantile of the first n values of each sorted row, linear between two, as ``numpy.quantile``."""
    row, place = np.arange(n.size), (n - 1) * q
    low = np.floor(place).astype(np.int64)
    a, b, share = values[row, low], values[row, np.minimum(low + 1, n - 1)], place - low
    return np.where(share < 0.5, a + (b - a) * share, b - (b - a) * (1.0 - share))


def assess(
    leads: Leads,
    centre: np.ndarray,
    *,
    is_candidate: np.ndarray,
    contrast: np.ndarray,
    setting: Setting,
    probability: np.ndarray | None = None,
) -> Doubt:
    """Judge leads and sections by the evidence that brightness does not give.

    Parameters
    ----------
    leads : Leads
        m leads along one beam, in order.
    centre : numpy.ndarray, shape (s,)
        Section centres, metres along the track.
    is_candidate : numpy.ndarray of bool, shape (m,)
        Leads that the classifier calls probable, at whatever level.
    contrast : numpy.ndarray, shape (m,)
        Of :func:`contrast`.
    setting : Setting
        Place and time of the sections.
    probability : numpy.ndarray, shape (m, 3), optional
        Of thick ice, thin ice and water, calibrated: where water is middling for all, they may all be wrong for one
        reason; and where thick ice is the likelier of the two others, that is ponds or smooth floes.

    Returns
    -------
    Doubt
    """
    s = centre.size
    is_high = is_candidate & (contrast > -LOWER_M)
    is_low = is_candidate & ~is_high
    doubt, level, flag = np.zeros(s), np.full(s, np.nan), np.zeros(s, np.int16)
    crowded = np.zeros(s, bool)
    if setting.ice_concentration is not None:
        crowded = setting.water_share > 1.0 - setting.ice_concentration + CONCENTRATION_ROOM
    flag[setting.is_melt] |= BITS["melt_season"]
    flag[crowded] |= BITS["water_contradicts_ice_concentration"]
    scatter, is_seen, has_low = np.zeros(s), np.zeros(s, bool), np.zeros(s, bool)
    candidate = np.flatnonzero(is_candidate)
    x, height, error, low = leads.x[candidate], leads.height[candidate], leads.uncertainty[candidate], is_low[candidate]
    n_low = np.concatenate([[0], np.cumsum(low)])
    all_wrong = _AllWrong.of(x[low], None if probability is None else probability[candidate, 2][low])
    ice = _ice_around(leads.x, centre, probability)
    for k, (a, b) in enumerate(zip(*_around(x, centre), strict=True)):
        if a == b:
            continue
        is_seen[k], lows = True, n_low[b] - n_low[a]
        has_low[k] = lows > 0
        if lows < b - a:
            doubt[k], level[k] = _mixture(x[a:b], height[a:b], low[a:b])
        if (b - a - lows) / (b - a) > MANY_HIGH:
            doubt[k] = 1.0 if setting.is_chosen_by_height else max(doubt[k], MANY_DOUBT)
        if probability is None and x[b - 1] - x[a] <= APART_M:
            doubt[k] = max(doubt[k], LONE_DOUBT)
        doubt[k] = max(doubt[k], ice[k] * all_wrong.between(n_low[a], n_low[b]))
        chosen = slice(a, b) if lows == b - a else a + np.flatnonzero(low[a:b])
        scatter[k] = _scatter(x[chosen], height[chosen], error[chosen])
    near, around = (_mean_around(centre, doubt, is_seen, reach) for reach in (SMOOTH_M, REGION_M))
    worst = np.maximum(near, around)
    doubt = np.maximum(near, np.where(setting.is_melt, MELT_DOUBT, 0.0))
    doubt = np.maximum(doubt, np.where(crowded, CONCENTRATION_DOUBT, 0.0))
    has_evidence = ~is_seen | (has_low & (worst <= MOST_DOUBT))
    flag[(scatter > SCATTER_M) | (near > SAID_DOUBT)] |= BITS["leads_scatter"]
    flag[~has_evidence] |= BITS["leads_only_bright"]
    swell = 0.0 if setting.swell_rms is None else SWELL_SHARE * setting.swell_rms
    common = np.sqrt(REFROZEN_M**2 + (SCATTER_SHARE * scatter) ** 2 + doubt * FALSE_HEIGHT_M**2 + swell**2)
    usable = is_low.copy()
    if s:
        near = np.searchsorted(0.5 * (centre[1:] + centre[:-1]), leads.x)
        off = leads.height - level[near]
        usable &= ~(np.abs(off) > LEVEL_M + 2.0 * leads.uncertainty)
    return Doubt(is_usable=usable, common=common, has_evidence=has_evidence, flag=flag)


@dataclass(frozen=True, kw_only=True)
class _AllWrong:
    """The chance that none of the low leads in a row is water."""

    body: np.ndarray
    log_wrong: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, probability: np.ndarray | None) -> _AllWrong:
        """Take leads in order along the track; those within 500 m of the next are one body, as probable as the
        likeliest of them."""
        if probability is None or x.size == 0:
            return cls(body=np.zeros(x.size, np.int64), log_wrong=np.zeros(1))
        heads = np.flatnonzero(np.diff(x, prepend=-np.inf) > APART_M)
        body = np.searchsorted(heads, np.arange(x.size), side="right") - 1
        best = np.clip(np.maximum.reduceat(np.asarray(probability, np.float64), heads), 0.5, 1.0 - 1e-6)
        return cls(body=body, log_wrong=np.concatenate([[0.0], np.cumsum(np.log((1.0 - best) / best))]))

    def between(self, first: int, last: int) -> float:
        """Return the chance for the leads ``first:last``, 0 where there are none or nothing is known of them."""
        if first == last or self.log_wrong.size == 1:
            return 0.0
        total = self.log_wrong[self.body[last - 1] + 1] - self.log_wrong[self.body[first]]
        return float(np.exp(total))


def _ice_around(x: np.ndarray, centre: np.ndarray, probability: np.ndarray | None) -> np.ndarray:
    """Return the share of thick ice in what all leads within reach of each section are where they are no water, 0 to
    1."""
    if probability is None:
        return np.zeros(centre.size)
    low, high = np.searchsorted(x, centre - REACH_M), np.searchsorted(x, centre + REACH_M, side="right")
    sums = (np.concatenate([[0.0], np.cumsum(np.nan_to_num(v))]) for v in (probability[:, 0], probability[:, 1]))
    thick, thin = (total[high] - total[low] for total in sums)
    return thick / np.maximum(thick + thin, 1e-6)


def _mean_around(centre: np.ndarray, doubt: np.ndarray, is_seen: np.ndarray, reach: float) -> np.ndarray:
    """Return the mean doubt of the sections with leads within reach (m) of each."""
    low = np.searchsorted(centre, centre - reach)
    high = np.searchsorted(centre, centre + reach, side="right")
    total, count = (np.concatenate([[0.0], np.cumsum(v)]) for v in (np.where(is_seen, doubt, 0.0), is_seen))
    return (total[high] - total[low]) / np.maximum(count[high] - count[low], 1.0)


def _around(x: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidates are judged together with sections, ``first:last``: within 15 km where they are eight,
    else within 25 km."""
    first, last = np.searchsorted(x, centre - NEAR_M), np.searchsorted(x, centre + NEAR_M, side="right")
    few = last - first < ENOUGH
    first[few] = np.searchsorted(x, centre[few] - REACH_M)
    last[few] = np.searchsorted(x, centre[few] + REACH_M, side="right")
    return first, last


def _of_one_floe(x: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return how many of k leads may be ponds of one floe with each, itself among them: ponds of one floe lie at one
    height, so those within a kilometre at one level count as one."""
    count = np.ones(x.size, np.int64)
    for step in range(1, x.size):
        is_near = x[step:] - x[:-step] <= ONE_FLOE_M
        if not is_near.any():
            break
        is_alike = is_near & (np.abs(height[step:] - height[:-step]) <= LEVEL_M)
        count[step:] += is_alike
        count[:-step] += is_alike
    return count


def _mixture(x: np.ndarray, height: np.ndarray, is_low: np.ndarray) -> tuple[float, float]:
    """Return the chance that the lowest leads belong to those that stand higher, and their level.

    Two ways to belong: the leads above the lowest level, taken for one normal population, would put so many leads at
    that level; or nothing parts the two, so that the lowest are but the lower end of the others.

    Parameters
    ----------
    x, height : numpy.ndarray, shape (k,)
        Of the leads around a section, in order along the track, metres.
    is_low : numpy.ndarray of bool, shape (k,)
        Those lower than the ice around them; others are among them.

    Returns
    -------
    chance, level : float
        0 to 1, and metres: NaN where no lead is low.
    """
    if not is_low.any():
        return 1.0, np.nan
    weight = 1.0 / _of_one_floe(x, height)
    grid = np.arange(height[is_low].min() - KERNEL_M, height.max() + 3.0 * KERNEL_M, 0.25 * KERNEL_M)
    density = np.exp(-0.5 * ((grid[:, None] - height[None, :]) / KERNEL_M) ** 2) @ weight
    at = _lowest_mode(grid, density, height, weight)
    level = float(grid[at])
    members = weight[is_low & (np.abs(height - level) <= LEVEL_M)].sum()
    others = ~is_low & (np.abs(height - level) > LEVEL_M)  # at the level of the low ones they do no harm
    if members == 0.0 or not others.any():
        return (1.0 if members == 0.0 else 0.0), level
    middle = float(np.average(height[others], weights=weight[others]))
    between = density[at : max(int(np.searchsorted(grid, middle)), at) + 1]
    joined = between.min() / density[at] * min(weight[others].sum() / members, 1.0)
    spread = max(float(np.sqrt(np.average((height[others] - middle) ** 2, weights=weight[others]))), LEVEL_M)
    low, high = ((level + side * LEVEL_M - middle) / spread for side in (-1.0, 1.0))
    above = weight[others | (height > level + LEVEL_M)].sum()
    expected = above * (_normal_below(high) - _normal_below(low)) / members
    return float(min(max(expected, joined), 1.0)), level


def _normal_below(value: float) -> float:
    """Return the share of a standard normal distribution below a value: ``scipy.special`` is slow to import."""
    return 0.5 * math.erfc(-value / math.sqrt(2.0))


def _lowest_mode(grid: np.ndarray, density: np.ndarray, height: np.ndarray, weight: np.ndarray) -> int:
    """Return where on the grid the lowest mode of a density lies that holds enough of the leads."""
    peaks = np.flatnonzero((density[1:-1] >= density[:-2]) & (density[1:-1] > density[2:])) + 1
    least = max(MODE_SHARE * weight.sum(), 2.0 if weight.sum() >= ENOUGH else 0.5)
    for peak in peaks:
        if weight[np.abs(height - grid[peak]) <= LEVEL_M].sum() >= least:
            return int(peak)
    return int(np.argmax(density))


def _scatter(x: np.ndarray, height: np.ndarray, error: np.ndarray) -> float:
    """Return the scatter of leads about a line along the track beyond their errors, metres: robust, 0 for fewer than
    five."""
    if x.size < 5:
        return 0.0
    away = x - np.mean(x)
    tilt = np.clip(np.sum(away * height) / np.sum(away**2), -MOST_TILT, MOST_TILT)
    level = height - tilt * away
    spread = 1.4826 * _median(np.abs(level - _median(level)))
    return float(np.sqrt(max(spread**2 - _median(error) ** 2, 0.0)))


def _median(values: np.ndarray) -> float:
    """Return the median of a few values: ``numpy.median`` takes five times as long to check them."""
    ordered = np.sort(values)
    n = ordered.size
    return 0.5 * float(ordered[(n - 1) // 2] + ordered[n // 2])
