"""Counts of tagged imagettes per cell and pass to the share of each tag, with its interval.

The interval is Wilson's (1927, doi:10.1080/01621459.1927.10502953) for independent imagettes. Those of one pass and
cell are not quite independent, so the number of passes stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...schema.imagettes import TAGS
from ...schema.tag_grids import COUNTS, FEW_IMAGETTES, FEW_PASSES, MOSTLY_ASIDE, ONE_DAY
from .lead_share import wilson

LEAST_IMAGETTES = 10
"""Cells with fewer assessed imagettes have no share."""
LEAST_PASSES = 3
DEGREES = 2.0
"""Side of a cell."""


@dataclass(frozen=True, kw_only=True)
class DegreeGrid:
    """Cells of equal sides in latitude and longitude, row by row from the north-west.

    Attributes
    ----------
    side : float
        Degrees; 180 is a multiple of it.
    """

    side: float = DEGREES

    @property
    def columns(self) -> int:
        """Cells around the globe."""
        return round(360.0 / self.side)

    @property
    def rows(self) -> int:
        """Cells from pole to pole."""
        return round(180.0 / self.side)

    @property
    def latitude(self) -> np.ndarray:
        """Middles of the rows, from the north, degrees."""
        return 90.0 - self.side * (np.arange(self.rows) + 0.5)

    @property
    def longitude(self) -> np.ndarray:
        """Middles of the columns, from 180 degrees west."""
        return -180.0 + self.side * (np.arange(self.columns) + 0.5)

    def cell_of(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Return the cell of places, int64 (n,): its south and its west side belong to it; -1 where none is known.

        Parameters
        ----------
        latitude, longitude : numpy.ndarray, shape (n,)
            Degrees.
        """
        with np.errstate(invalid="ignore"):
            known = np.isfinite(longitude) & (np.abs(latitude) <= 90.0)
        lat, lon = (np.where(known, v, 0.0) for v in (latitude, longitude))
        column = np.floor(((lon + 180.0) % 360.0) / self.side).astype(np.int64) % self.columns
        row = self.rows - 1 - np.minimum(np.floor((lat + 90.0) / self.side).astype(np.int64), self.rows - 1)
        return np.where(known, row * self.columns + column, -1)


@dataclass(frozen=True, kw_only=True)
class TagCounts:
    """Counts per period, cell, pass and day, arrays of shape (k,).

    Attributes
    ----------
    period, day : numpy.ndarray of int64
        Days since 1970.
    cell : numpy.ndarray of int64
    track : numpy.ndarray of str
    counts : dict of str to numpy.ndarray of int64
        Those of :data:`polynya.schema.tag_grids.COUNTS`.
    """

    period: np.ndarray
    cell: np.ndarray
    track: np.ndarray
    day: np.ndarray
    counts: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Shares per period and cell, arrays of shape (m,).

    Attributes
    ----------
    period, cell : numpy.ndarray of int64
    values : dict of str to numpy.ndarray
        Those of :data:`polynya.schema.tag_grids.TAG_GRID_VARIABLES`.
    """

    period: np.ndarray
    cell: np.ndarray
    values: dict[str, np.ndarray]


def merged(parts: list[TagCounts]) -> TagCounts:
    """Return counts of many products as one."""
    return TagCounts(
        **{n: np.concatenate([getattr(p, n) for p in parts]) for n in ("period", "cell", "track", "day")},
        counts={n: np.concatenate([p.counts[n] for p in parts]) for n in COUNTS},
    )


def occurrences(counts: TagCounts, *, least: int = LEAST_IMAGETTES) -> Occurrences:
    """Return the share of each tag in each cell and period.

    Parameters
    ----------
    counts : TagCounts
        Of all products.
    least : int
        Cells with fewer assessed imagettes have no share.
    """
    place, where = np.unique(np.stack([counts.period, counts.cell]), axis=1, return_inverse=True)
    where, m = where.reshape(-1), place.shape[1]
    total = {n: np.bincount(where, counts.counts[n], m).astype(np.int64) for n in COUNTS}
    n = total["n_imagettes"]
    used = counts.counts["n_imagettes"] > 0
    passes, days = (_distinct(where[used], v[used], m) for v in (counts.track, counts.day))
    is_few = n < least
    flag = np.where(is_few, FEW_IMAGETTES, 0) | np.where(passes < LEAST_PASSES, FEW_PASSES, 0)
    flag |= np.where(days < 2, ONE_DAY, 0) | np.where(total["n_not_assessed"] > n, MOSTLY_ASIDE, 0)
    values = {**total, "n_tracks": passes, "n_days": days, "sampling_flag": flag}
    for tag in TAGS:
        share = np.divide(total[f"n_{tag}"], n, out=np.full(m, np.nan), where=~is_few & (n > 0))
        low, high = wilson(share, np.where(is_few, 0, n).astype(np.float64))
        values |= {f"occurrence_{tag}": share, f"occurrence_low_{tag}": low, f"occurrence_high_{tag}": high}
    return Occurrences(period=place[0], cell=place[1], values=values)


def _distinct(where: np.ndarray, names: np.ndarray, m: int) -> np.ndarray:
    """Return how many different names each cell has."""
    if not names.size:
        return np.zeros(m, np.int64)
    _, number = np.unique(names, return_inverse=True)
    pairs = np.unique(np.stack([where, number.reshape(-1)]), axis=1)
    return np.bincount(pairs[0], minlength=m)
