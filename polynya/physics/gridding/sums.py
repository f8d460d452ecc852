"""Exact sums: integers that count a small quantum, so that any order and any partition give the same bits.

A value is rounded to its quantum once (1e-6 m: a thousandth of the smallest error of a segment); after that nothing
is rounded until the last division. Every segment has the same weight: weights like inverse variances would have to
be rounded too, and they would favour bright and smooth surfaces, which biases a mean of freeboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...schema.gridded import QUANTUM, SUM_NAMES

LARGEST = float(2**62)
"""Sums stay below this in magnitude; int64 would wrap at twice as much."""


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums per period, cell, pass and day; arrays of shape (n,), sorted by these four, each combination once.

    Attributes
    ----------
    period, cell, day : numpy.ndarray of int64
        First day of the period; cell of :func:`polynya.physics.gridding.cell_of`; day. Days since 1970.
    track : numpy.ndarray of str
        The pass.
    values : mapping of str to numpy.ndarray of int64
        Every name of ``schema.gridded.SUM_NAMES``, in counts of its quantum.
    """

    period: np.ndarray
    cell: np.ndarray
    track: np.ndarray
    day: np.ndarray
    values: Mapping[str, np.ndarray]


def fixed(name: str, values: np.ndarray) -> np.ndarray:
    """Return values as counts of the quantum of a sum, int64, shape (n,).

    Parameters
    ----------
    name : str
        One of ``schema.gridded.SUM_NAMES``.
    values : numpy.ndarray, shape (n,)
        In the sum's units, finite.

    Raises
    ------
    ValueError
        If a value is not finite or too large.
    """
    counts = np.rint(np.asarray(values, np.float64) / QUANTUM[name])
    if not np.all(np.abs(counts) < LARGEST):  # NaN compares false
        raise ValueError(f"sum {name}: holds a value that is not finite or too large; expected finite values.")
    return counts.astype(np.int64)


def add(keys: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], *, names: Sequence[str] = SUM_NAMES) -> Sums:
    """Add integers that have the same period, cell, pass and day.

    Parameters
    ----------
    keys : mapping of str to numpy.ndarray, shape (n,)
        ``period``, ``cell``, ``track`` and ``day``.
    values : mapping of str to numpy.ndarray of int64 or bool, shape (n,)
        Counts; a name that is not there counts as 0.
    names : sequence of str
        The sums that come out.

    Returns
    -------
    Sums

    Raises
    ------
    ValueError
        If a sum comes near the limit of 64 bits.
    """
    period, cell, day = (np.asarray(keys[k], np.int64) for k in ("period", "cell", "day"))
    track = np.asarray(keys["track"], dtype=str)
    # Along a beam the keys come in long runs: these first, so that only a few rows are sorted.
    runs = _starts(period, cell, track, day)
    period, cell, day, track = period[runs], cell[runs], day[runs], track[runs]
    code = np.unique(track, return_inverse=True)[1] if track.size else np.empty(0, np.int64)
    order = np.lexsort((day, code, cell, period))
    period, cell, day, track = period[order], cell[order], day[order], track[order]
    start = _starts(period, cell, track, day)
    out = {}
    for name in names:
        if name in values:
            out[name] = _added(name, _added(name, np.asarray(values[name]), runs)[order], start)
        else:
            out[name] = np.zeros(start.size, np.int64)
    return Sums(period=period[start], cell=cell[start], track=track[start], day=day[start], values=out)


def _starts(*keys: np.ndarray) -> np.ndarray:
    """Return where runs of equal keys begin."""
    new = np.ones(keys[0].size, bool)
    new[1:] = False
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def _added(name: str, counts: np.ndarray, start: np.ndarray) -> np.ndarray:
    if counts.dtype.kind not in "biu":
        raise ValueError(f"sum {name}: has values of type {counts.dtype}; expected integers, see fixed().")
    if start.size == 0:
        return np.zeros(0, np.int64)
    if np.any(np.add.reduceat(np.abs(counts.astype(np.float64)), start) >= LARGEST):
        raise ValueError(f"sum {name}: is too large for 64 bits; expected less than 2**62 counts of {QUANTUM[name]:g}.")
    return np.add.reduceat(counts.astype(np.int64), start)


def merge(parts: Sequence[Sums]) -> Sums:
    """Return the sums of several parts, the same bits in whatever order and grouping they come.

    Parameters
    ----------
    parts : sequence of Sums
        In any order; none gives empty sums.

    Raises
    ------
    ValueError
        If a sum comes near the limit of 64 bits.
    """
    keys = {
        k: np.concatenate([np.empty(0, np.int64 if k != "track" else "U1"), *(getattr(p, k) for p in parts)])
        for k in ("period", "cell", "track", "day")
    }
    values = {n: np.concatenate([np.empty(0, np.int64), *(p.values[n] for p in parts)]) for n in SUM_NAMES}
    return add(keys, values)
