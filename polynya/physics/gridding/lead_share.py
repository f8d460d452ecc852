"""Counts of echoes per cell and pass to the share of leads with its interval.

Echoes of a pass are not independent: a lead is seen by many of them. Their variance is that of independent echoes times
a design effect (Kish 1965, Survey Sampling), which the passes of all cells of a period tell together: the variance
between passes over that of independent echoes. The interval is Wilson's (1927, doi:10.1080/01621459.1927.10502953) with
the number of echoes over the design effect; it stays between 0 and 1 and is wide for few passes even without a lead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...schema.lead_grids import COUNTS, FEW_ECHOES, FEW_PASSES, MOSTLY_UNKNOWN, ONE_DAY

LEAST_ECHOES = 50
"""Fewer lead and ice echoes give no share: less than half a pass through a cell of 25 km."""
LEAST_PASSES = 3
LEAST_DEGREES = 20
"""Passes beyond the first of their cells, over all cells of a period, that can tell a design effect."""
GAUSS_95 = 1.959964


@dataclass(frozen=True, kw_only=True)
class LeadCounts:
    """Counts per period, cell, pass and day, arrays of shape (k,).

    Attributes
    ----------
    period, day : numpy.ndarray of int64
        Days since 1970.
    cell : numpy.ndarray of int64
    track : numpy.ndarray of str
    counts : dict of str to numpy.ndarray of int64
        Those of :data:`polynya.schema.lead_grids.COUNTS`.
    """

    period: np.ndarray
    cell: np.ndarray
    track: np.ndarray
    day: np.ndarray
    counts: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class LeadShares:
    """Shares per period and cell, arrays of shape (m,).

    Attributes
    ----------
    period, cell : numpy.ndarray of int64
    values : dict of str to numpy.ndarray
        Those of :data:`polynya.schema.lead_grids.LEAD_GRID_VARIABLES`.
    design_effect : dict of int to float
        By period.
    """

    period: np.ndarray
    cell: np.ndarray
    values: dict[str, np.ndarray]
    design_effect: dict[int, float]


def merged(parts: list[LeadCounts]) -> LeadCounts:
    """Return counts of many files as one."""
    return LeadCounts(
        **{n: np.concatenate([getattr(p, n) for p in parts]) for n in ("period", "cell", "track", "day")},
        counts={n: np.concatenate([p.counts[n] for p in parts]) for n in COUNTS},
    )


def shares(counts: LeadCounts, *, least_echoes: int = LEAST_ECHOES) -> LeadShares:
    """Return the share of leads in each cell and period.

    Parameters
    ----------
    counts : LeadCounts
        Of all files.
    least_echoes : int
        Cells with fewer lead and ice echoes have no share.
    """
    key = np.stack([counts.period, counts.cell])
    place, where = np.unique(key, axis=1, return_inverse=True)
    where = where.reshape(-1)
    m = place.shape[1]
    total = {n: np.bincount(where, counts.counts[n], m).astype(np.int64) for n in COUNTS}
    n = total["n_lead"] + total["n_sea_ice"]
    used = counts.counts["n_lead"] + counts.counts["n_sea_ice"] > 0
    tracks, days = (_distinct(where[used], c[used], m) for c in (counts.track, counts.day))
    fraction = np.divide(total["n_lead"], n, out=np.full(m, np.nan), where=n > 0)
    effect = {int(p): _design_effect(counts, where, fraction, place[0] == p) for p in np.unique(place[0])}
    low, high = wilson(fraction, n / np.array([effect[int(p)] for p in place[0]]))
    is_few = n < least_echoes
    everything = n + total["n_ocean"] + total["n_unknown"]
    unknown = np.divide(total["n_unknown"], everything, out=np.full(m, np.nan), where=everything > 0)
    flag = np.where(tracks < LEAST_PASSES, FEW_PASSES, 0) | np.where(days < 2, ONE_DAY, 0)
    flag |= np.where(is_few, FEW_ECHOES, 0) | np.where(np.nan_to_num(unknown) > 0.5, MOSTLY_UNKNOWN, 0)
    values = {
        "lead_fraction": np.where(is_few, np.nan, fraction),
        "lead_fraction_low": np.where(is_few, np.nan, low),
        "lead_fraction_high": np.where(is_few, np.nan, high),
        "unknown_share": unknown,
        "n_echoes": n,
        **{k: total[k] for k in ("n_lead", "n_ocean", "n_unknown", "n_left_out")},
        "n_tracks": tracks,
        "n_days": days,
        "sampling_flag": flag,
    }
    return LeadShares(period=place[0], cell=place[1], values=values, design_effect=effect)


def _distinct(where: np.ndarray, names: np.ndarray, m: int) -> np.ndarray:
    """Return how many different names each cell has."""
    if not names.size:
        return np.zeros(m, np.int64)
    _, number = np.unique(names, return_inverse=True)
    pairs = np.unique(np.stack([where, number.reshape(-1)]), axis=1)
    return np.bincount(pairs[0], minlength=m)


def _design_effect(counts: LeadCounts, where: np.ndarray, fraction: np.ndarray, here: np.ndarray) -> float:
    """Return the variance between passes over that of independent echoes, over all cells of a period; at least 1.

    Where cells of several passes are too few to tell, a pass counts as one echo: its mean number of echoes is the
    effect, if it is the larger one.
    """
    mine = here[where]
    n = (counts.counts["n_lead"] + counts.counts["n_sea_ice"])[mine]
    lead, cell = counts.counts["n_lead"][mine], where[mine]
    _, number = np.unique(counts.track[mine], return_inverse=True)
    key, group = np.unique(np.stack([cell, number.reshape(-1)]), axis=1, return_inverse=True)
    group = group.reshape(-1)
    n, lead = np.bincount(group, n), np.bincount(group, lead)
    cell, n, lead = key[0][n > 0], n[n > 0], lead[n > 0]
    if not n.size:
        return 1.0
    m = fraction.size
    passes, size = np.bincount(cell, minlength=m), np.bincount(cell, n, m)
    apart = np.bincount(cell, (lead - fraction[cell] * n) ** 2, m)
    with np.errstate(invalid="ignore"):
        expected = size * fraction * (1.0 - fraction)
    several = (passes >= 2) & (expected > 0)
    least = 1.0 if (passes - 1)[several].sum() >= LEAST_DEGREES else max(float(n.mean()), 1.0)
    if not several.any():
        return least
    between = (apart * passes / np.maximum(passes - 1, 1))[several].sum()
    return max(float(between / expected[several].sum()), least)


def wilson(share: np.ndarray, n: np.ndarray, *, z: float = GAUSS_95) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of a share.

    Parameters
    ----------
    share, n : numpy.ndarray, shape (m,)
        The share, and of how many independent echoes; NaN and 0 give NaN.
    z : float
        Gaussian quantile.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.where(n > 0, n, np.nan)
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)
