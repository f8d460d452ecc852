"""Distances from points to the marked pixels of a map, and how long a line runs through them.

Positions are in pixels, (0, 0) the map's upper left corner, so pixel (r, c) is the square from (r, c) to (r+1, c+1).
The distance is that of the Euclidean distance transform, to the centre of the nearest marked pixel, but from where a
point lies within its own pixel, and without a number for every pixel of a map of which few are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

OTHER, MARKED, UNKNOWN = 0, 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Marked:
    """The marked pixels of a map, ready to be asked for distances.

    Attributes
    ----------
    tree : scipy.spatial.cKDTree or None
        Of the centres of marked pixels with an unmarked neighbour, or at the rim of the map: from outside, the nearest
        one is always among them. None where nothing is marked.
    """

    tree: cKDTree | None

    @classmethod
    def of(cls, mask: np.ndarray) -> Marked:
        """Return the marked pixels of a mask.

        Parameters
        ----------
        mask : numpy.ndarray of bool, shape (h, w)
            True where a pixel is marked.
        """
        inner = np.zeros(mask.shape, bool)
        inner[1:-1, 1:-1] = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        rows, columns = np.nonzero(mask & ~inner)
        tree = cKDTree(np.column_stack([rows, columns]) + 0.5) if rows.size else None
        return cls(tree=tree)

    def distances(self, row: np.ndarray, column: np.ndarray, *, most: float = np.inf) -> np.ndarray:
        """Return the distance from points to the centre of the nearest marked pixel, pixels.

        Parameters
        ----------
        row, column : numpy.ndarray of float64, shape (n,)
            Positions, also outside the map; in a marked pixel the answer is not 0 here.
        most : float
            Larger distances need not be known.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            Infinite where nothing is marked within ``most``, and where a position is not finite.
        """
        found = np.full(row.shape, np.inf)
        known = np.isfinite(row) & np.isfinite(column)
        if self.tree is not None and known.any():
            points = np.column_stack([row[known], column[known]])
            found[known] = self.tree.query(points, distance_upper_bound=most)[0]
        return found


def to_rim(shape: tuple[int, int], row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the distance from points to the rim of a map, pixels; negative outside, -inf where not finite.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the map.
    row, column : numpy.ndarray of float64, shape (n,)
        Positions.
    """
    inside = np.minimum(np.minimum(row, shape[0] - row), np.minimum(column, shape[1] - column))
    return np.where(np.isfinite(inside), inside, -np.inf)


def states_at(states: np.ndarray, row: np.ndarray, column: np.ndarray, *, outside: int = UNKNOWN) -> np.ndarray:
    """Return the state of the pixels that hold points.

    Parameters
    ----------
    states : numpy.ndarray of uint8, shape (h, w)
        :data:`OTHER`, :data:`MARKED` or :data:`UNKNOWN`.
    row, column : numpy.ndarray of float64, shape (n,)
        Positions.
    outside : int
        The state of points outside the map or not finite.
    """
    has = to_rim(states.shape, row, column) > 0.0
    r, c = (np.where(has, v, 0.0).astype(np.int64) for v in (row, column))
    return np.where(has, states[r, c], outside).astype(np.uint8)


def lengths_within(states: np.ndarray, row: np.ndarray, column: np.ndarray, *, is_apart: np.ndarray) -> np.ndarray:
    """Return how long a line through points runs through the marked pixels that each point lies in, pixels.

    The line is straight between neighbouring points and is cut exactly where pixels end.

    Parameters
    ----------
    states : numpy.ndarray of uint8, shape (h, w)
        As :func:`states_at` takes them.
    row, column : numpy.ndarray of float64, shape (n,)
        Points in the order of the line.
    is_apart : numpy.ndarray of bool, shape (n - 1,)
        Whether the line is broken between a point and the next.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        NaN outside marked pixels, and where the line ends, is broken or leaves what is known within them: the length
        is then not known.
    """
    found = np.full(row.shape, np.nan)
    if not (states_at(states, row, column) == MARKED).any():
        return found
    length, state, piece_of = _pieces(states, row, column, is_apart=is_apart)
    starts = np.flatnonzero(np.concatenate([[True], state[1:] != state[:-1]]))
    total = np.add.reduceat(length, starts)
    run_of = np.cumsum(np.isin(np.arange(state.size), starts)) - 1
    run_state = state[starts]
    whole = (run_state == MARKED) & np.concatenate([[False], run_state[:-1] == OTHER])
    whole &= np.concatenate([run_state[1:] == OTHER, [False]])
    runs = run_of[piece_of]
    inside = states_at(states, row, column) == MARKED
    found[inside] = np.where(whole[runs], total[runs], np.nan)[inside]
    return found


def _pieces(
    states: np.ndarray, row: np.ndarray, column: np.ndarray, *, is_apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lengths and states of the pieces of a line, point by point a piece of no length, and its number."""
    own = states_at(states, row, column)
    known = np.isfinite(row) & np.isfinite(column)
    lengths: list[np.ndarray] = []
    kinds: list[np.ndarray] = []
    piece_of = np.zeros(row.size, np.int64)
    count = 0
    for k in range(row.size):
        piece_of[k] = count
        lengths.append(np.zeros(1))
        kinds.append(own[k : k + 1])
        count += 1
        if k + 1 == row.size:
            break
        if is_apart[k] or not (known[k] and known[k + 1]):
            lengths.append(np.zeros(1))
            kinds.append(np.full(1, UNKNOWN, np.uint8))
        else:
            cuts = _cuts((row[k], row[k + 1]), (column[k], column[k + 1]))
            middle = 0.5 * (cuts[1:] + cuts[:-1])
            whole = np.hypot(row[k + 1] - row[k], column[k + 1] - column[k])
            lengths.append(np.diff(cuts) * whole)
            kinds.append(
                states_at(
                    states, row[k] + middle * (row[k + 1] - row[k]), column[k] + middle * (column[k + 1] - column[k])
                )
            )
        count += lengths[-1].size
    return np.concatenate(lengths), np.concatenate(kinds), piece_of


def _cuts(row: tuple[float, float], column: tuple[float, float]) -> np.ndarray:
    """Return where between two points, 0 to 1, a line passes from pixel to pixel, with both ends."""
    parts = [np.array([0.0, 1.0])]
    for a, b in (row, column):
        if a != b:
            lines = np.arange(np.ceil(min(a, b)), np.floor(max(a, b)) + 1.0)
            parts.append((lines - a) / (b - a))
    return np.unique(np.clip(np.concatenate(parts), 0.0, 1.0))
