"""Ice edges: where the concentration passes 15 %, and how far the edges of two maps lie apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label, uniform_filter
from scipy.spatial import cKDTree

ICE_PERCENT = 15.0
SMOOTHING_M = 2000.0
"""Concentrations are means over a square of this side before the edge is drawn; on coarser cells they stay as they
are."""
SMALLEST_KM2 = 25.0
"""Smaller patches of ice or of water make no edge."""
LEAST_KNOWN = 0.5
"""Share of the square that must be known."""


@dataclass(frozen=True, kw_only=True)
class EdgeRules:
    """How an edge is drawn.

    Attributes
    ----------
    ice_percent : float
        Concentration from which a cell is ice.
    smoothing_m : float
        Side of the square over which concentrations are averaged, m.
    smallest_km2 : float
        Patches of ice or water below this area are taken as what surrounds them.
    """

    ice_percent: float = ICE_PERCENT
    smoothing_m: float = SMOOTHING_M
    smallest_km2: float = SMALLEST_KM2


def smoothed(percent: np.ndarray, *, cell_m: float, over_m: float = SMOOTHING_M) -> np.ndarray:
    """Return means over squares, of known cells only.

    Parameters
    ----------
    percent : numpy.ndarray of float, shape (rows, columns)
        NaN where unknown.
    cell_m : float
        Width of a cell, m.
    over_m : float
        Side of the square, m; an odd number of cells is taken.

    Returns
    -------
    numpy.ndarray of float64
        NaN where the cell is unknown, or less than half of its square is known.
    """
    cells = max(1, 2 * int(over_m / cell_m / 2) + 1)
    known = np.isfinite(percent).astype(np.float64)
    share = uniform_filter(known, cells, mode="constant")
    total = uniform_filter(np.nan_to_num(percent).astype(np.float64), cells, mode="constant")
    within = uniform_filter(np.ones_like(known), cells, mode="constant")  # less than 1 at the border of the map
    is_good = (known > 0) & (share >= LEAST_KNOWN * within)
    return np.where(is_good, total / np.where(share > 0, share, 1.0), np.nan)


def without_small_parts(is_ice: np.ndarray, known: np.ndarray, *, smallest_cells: float) -> np.ndarray:
    """Return a map in which patches of ice, then of water, smaller than a number of cells are taken as the other.

    Parameters
    ----------
    is_ice, known : numpy.ndarray of bool, shape (rows, columns)
        Patches hang together along sides and corners (ice) or sides (water).
    smallest_cells : float
        Patches of at least so many cells stay.
    """
    out = is_ice & known
    for value, structure in ((True, np.ones((3, 3), bool)), (False, None)):
        parts, count = label((out == value) & known, structure)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        small = sizes < smallest_cells
        small[0] = False
        out = np.where(small[parts], not value, out)
    return out


def edge_points(percent: np.ndarray, *, cell_m: float, rules: EdgeRules | None = None) -> np.ndarray:
    """Return points on the ice edge: between neighbouring cells of ice and water, where a line between the two
    concentrations passes the limit.

    Parameters
    ----------
    percent : numpy.ndarray of float, shape (rows, columns)
        NaN where unknown; no edge lies beside an unknown cell.
    cell_m : float
        Width of a cell, m.
    rules : EdgeRules, optional
        How it is drawn.

    Returns
    -------
    numpy.ndarray of float64, shape (n, 2)
        Row and column, fractions of cells; whole numbers are their middles.
    """
    rules = rules or EdgeRules()
    field = smoothed(percent, cell_m=cell_m, over_m=rules.smoothing_m)
    known = np.isfinite(field)
    is_ice = without_small_parts(
        np.nan_to_num(field) >= rules.ice_percent, known, smallest_cells=rules.smallest_km2 * 1e6 / cell_m**2
    )
    found = []
    for axis in (0, 1):
        before, after = _neighbours(is_ice, axis)
        known_before, known_after = _neighbours(known, axis)
        low, high = _neighbours(field, axis)
        cut = (before != after) & known_before & known_after
        place = np.argwhere(cut).astype(np.float64)
        step = high[cut] - low[cut]
        part = np.where(step != 0, (rules.ice_percent - low[cut]) / np.where(step != 0, step, 1.0), 0.5)
        place[:, axis] += np.clip(part, 0.0, 1.0)
        found.append(place)
    return np.concatenate(found)


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every cell that has a next one along an axis, and that next one."""
    count = values.shape[axis]
    return np.take(values, np.arange(count - 1), axis), np.take(values, np.arange(1, count), axis)


def distances_km(ours: np.ndarray, theirs: np.ndarray, *, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each point of one edge lies from the other edge, and the reverse, km.

    Parameters
    ----------
    ours, theirs : numpy.ndarray, shape (n, 2), (m, 2)
        Of :func:`edge_points`.
    cell_m : float
        Width of a cell, m.

    Returns
    -------
    numpy.ndarray, numpy.ndarray of float64, shape (n,), (m,)
        Empty where one of the edges has no point.
    """
    if not len(ours) or not len(theirs):
        return np.empty(0), np.empty(0)
    scale = cell_m / 1000.0
    return cKDTree(theirs).query(ours)[0] * scale, cKDTree(ours).query(theirs)[0] * scale
