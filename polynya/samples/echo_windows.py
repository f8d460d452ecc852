"""Windows of consecutive echoes, for training and for prediction alike.

A sequence longer than a window is covered by windows that overlap; each echo is answered by the window in whose middle
it lies best. A shorter sequence is one window with empty places at its end. The last channel of a window's inputs is 1
where there is an echo: networks must not let empty places change anything.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows over the echoes of a file or of many, k windows.

    Attributes
    ----------
    first, size : numpy.ndarray of int64, shape (k,)
        Row of the first echo, and echoes in the window.
    begin, end : numpy.ndarray of int64, shape (k,)
        Rows that the window answers for; over all windows each row once.
    """

    first: np.ndarray
    size: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def runs(sequence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first row and length of every run of equal numbers.

    Parameters
    ----------
    sequence : numpy.ndarray of int, shape (n,)
        One number per echo.
    """
    if sequence.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = np.concatenate([[0], np.flatnonzero(np.diff(sequence)) + 1])
    return first, np.diff(np.append(first, sequence.size))


def cover(sequence: np.ndarray, *, length: int, margin: int) -> Windows:
    """Cover every sequence with windows.

    Parameters
    ----------
    sequence : numpy.ndarray of int, shape (n,)
        Number of the sequence of each echo; each is one run of rows.
    length : int
        Echoes of a window.
    margin : int
        Echoes at either end of a window that it does not answer for, unless the sequence ends there; below half the
        length.

    Returns
    -------
    Windows
        As few as keep the margins; the last of a sequence ends with it.
    """
    rows: list[tuple[int, int, int, int]] = []
    for start, n in zip(*(v.tolist() for v in runs(sequence)), strict=True):
        if n <= length:
            rows.append((start, n, start, start + n))
            continue
        places = [*range(0, n - length, length - 2 * margin), n - length]
        middles = [(a + length + b) // 2 for a, b in itertools.pairwise(places)]
        borders = [0, *middles, n]
        rows += [(start + p, length, start + borders[k], start + borders[k + 1]) for k, p in enumerate(places)]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Windows(first=table[:, 0], size=table[:, 1], begin=table[:, 2], end=table[:, 3])


def draw(sequence: np.ndarray, used: np.ndarray, *, length: int, rng: np.random.Generator) -> Windows:
    """Draw windows for an epoch: those of :func:`cover` without margins, each sequence shifted at random.

    Parameters
    ----------
    sequence : numpy.ndarray of int, shape (n,)
        Number of the sequence of each echo.
    used : numpy.ndarray of bool, shape (n,)
        Echoes that count; windows without any are left out.
    length : int
        Echoes of a window.
    rng : numpy.random.Generator
        Draws shifts and order.
    """
    first, size = [], []
    for start, n in zip(*(v.tolist() for v in runs(sequence)), strict=True):
        shift = int(rng.integers(length)) if n > length else 0
        places = np.arange(shift - length if shift else 0, n, length)
        begin, end = np.maximum(places, 0), np.minimum(places + length, n)
        first += (start + begin).tolist()
        size += (end - begin).tolist()
    a, b = np.array(first, np.int64), np.array(size, np.int64)
    total = np.concatenate([[0], np.cumsum(used)])
    keep = rng.permutation(np.flatnonzero(total[a + b] > total[a]))
    return Windows(first=a[keep], size=b[keep], begin=a[keep], end=(a + b)[keep])


def gather(values: np.ndarray, windows: Windows, items: np.ndarray, *, length: int) -> np.ndarray:
    """Return the inputs of some windows, float32 (k, columns + 1, length): empty places 0, the last channel 1 else.

    Parameters
    ----------
    values : numpy.ndarray of float32, shape (n, columns)
        One row per echo.
    windows : Windows
        All of them.
    items : numpy.ndarray of int
        Which.
    length : int
        Places of a window.
    """
    place = np.arange(length)
    here = place < windows.size[items, None]
    rows = np.where(here, windows.first[items, None] + place, 0)
    out = np.zeros((len(items), values.shape[1] + 1, length), np.float32)
    out[:, :-1] = np.where(here[:, None], values[rows].transpose(0, 2, 1), 0.0)
    out[:, -1] = here
    return out


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs (k, columns + 1, length), encoded labels and rows (k, length)."""

    inputs: np.ndarray
    targets: np.ndarray
    where: np.ndarray


@dataclass(frozen=True, kw_only=True)
class WindowSource:
    """The windows of a part for :mod:`polynya.train`.

    Attributes
    ----------
    inputs : numpy.ndarray of float32, shape (n, columns)
        Scaled, 0 where unknown.
    targets : numpy.ndarray, shape (n,)
        Encoded labels.
    sequence : numpy.ndarray of int, shape (n,)
        Number of the sequence of each echo.
    used : numpy.ndarray of bool, shape (n,)
        Echoes of the part.
    target : target
        What is predicted.
    length, margin : int
        As of :func:`cover`.
    mirror : bool
        Half of the drawn windows run backwards.
    """

    inputs: np.ndarray
    targets: np.ndarray
    sequence: np.ndarray
    used: np.ndarray
    target: Any
    length: int
    margin: int
    mirror: bool = False

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return windows (k, 5): first row, size, rows answered for, and 1 to run backwards."""
        known = self.used & self.target.known(self.targets)
        if rng is None:
            found = cover(self.sequence, length=self.length, margin=self.margin)
            total = np.concatenate([[0], np.cumsum(known)])
            keep = np.flatnonzero(total[found.end] > total[found.begin])
            turned = np.zeros(len(keep), np.int64)
        else:
            found = draw(self.sequence, known, length=self.length, rng=rng)
            keep = np.arange(len(found))
            turned = rng.integers(2, size=len(keep)) if self.mirror else np.zeros(len(keep), np.int64)
        columns = (found.first[keep], found.size[keep], found.begin[keep], found.end[keep], turned)
        return np.stack(columns, axis=1)

    def batch(self, items: np.ndarray) -> Batch:
        """Return inputs and labels of windows; places that a window does not answer for are unlabelled."""
        found = Windows(first=items[:, 0], size=items[:, 1], begin=items[:, 2], end=items[:, 3])
        place = np.arange(self.length)
        rows = found.first[:, None] + place
        inside = (rows >= found.begin[:, None]) & (rows < found.end[:, None])
        inside &= place < found.size[:, None]
        rows = np.where(inside, rows, 0)
        inside &= self.used[rows]
        targets = np.where(inside, self.targets[rows], self.target.nothing(rows.shape))
        inputs = gather(self.inputs, found, np.arange(len(items)), length=self.length)
        where = np.where(inside, rows, -1)
        for k in np.flatnonzero(items[:, 4]):
            n = items[k, 1]
            inputs[k, :, :n] = inputs[k, :, :n][:, ::-1].copy()
            targets[k, :n], where[k, :n] = targets[k, :n][::-1].copy(), where[k, :n][::-1].copy()
        return Batch(inputs=inputs, targets=targets, where=where)
