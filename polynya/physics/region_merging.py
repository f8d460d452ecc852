"""Regions of a labelled grid merged until none is small or narrow: what a map at a smaller scale needs.

A region that is too small, or too narrow for its length, joins the neighbour for which the piecewise constant map gets
worse least: by the increase of the squared error per length of the border that goes (Koepfler, Lopez and Morel 1994,
SIAM J. Numer. Anal. 31, 282-299: the simplified Mumford and Shah functional). So thin bands that smoothing leaves along
a sharp border go to the side that they came from.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a region is too small to stay.

    Attributes
    ----------
    area : float
        Smaller regions are merged, in the unit of the pixels' areas.
    width : float
        Narrower ones too, in pixels: twice the area over the perimeter, which is the width of a ribbon.
    """

    area: float
    width: float


def merge(
    labels: np.ndarray, values: np.ndarray, areas: np.ndarray, *, limits: Limits, bounds: np.ndarray
) -> np.ndarray:
    """Merge regions until each is large enough and neighbours are of different classes.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (h, w)
        Number of the region, from 0 without gaps; -1 where nothing is known.
    values : numpy.ndarray, shape (h, w)
        What the regions are to stand for; finite where the label is not -1.
    areas : numpy.ndarray, shape (h, w)
        Of the pixels.
    limits : Limits
        What is too small.
    bounds : numpy.ndarray, shape (k,)
        Values at which a class ends, ascending: neighbours whose means lie between the same two become one.

    Returns
    -------
    numpy.ndarray of int32, shape (h, w)
        New numbers, from 0 without gaps; -1 as before. A region without neighbours stays, however small.
    """
    count = int(labels.max()) + 1 if labels.size else 0
    if count <= 0:
        return labels.astype(np.int32)
    regions = _Regions.of(labels, values, areas, count)
    regions.merge_small(limits)
    regions.merge_alike(bounds)
    root = np.array([regions.root(k) for k in range(count)])
    numbers = np.unique(root, return_inverse=True)[1].astype(np.int32)
    return np.where(labels >= 0, numbers[labels], np.int32(-1))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Regions:
    """The graph of regions; its lists change as they merge."""

    parent: list[int]
    area: list[float]
    total: list[float]
    pixels: list[int]
    perimeter: list[int]
    borders: list[dict[int, int]]

    @classmethod
    def of(cls, labels: np.ndarray, values: np.ndarray, areas: np.ndarray, count: int) -> _Regions:
        """Return the graph of a labelled grid."""
        known = labels >= 0
        flat, area = labels[known], areas[known].astype(np.float64)
        first, second, n = _adjacent(labels)
        perimeter = np.bincount(np.concatenate([first, second]), np.concatenate([n, n]), minlength=count + 1)
        borders: list[dict[int, int]] = [{} for _ in range(count)]
        for a, b, border in zip(first.tolist(), second.tolist(), n.tolist(), strict=True):
            if a < count and b < count:
                borders[a][b] = borders[b][a] = border
        return cls(
            parent=list(range(count)),
            area=np.bincount(flat, area, count).tolist(),
            total=np.bincount(flat, area * values[known], count).tolist(),
            pixels=np.bincount(flat, minlength=count).tolist(),
            perimeter=perimeter[:count].astype(int).tolist(),
            borders=borders,
        )

    def root(self, k: int) -> int:
        """Return the region that a region has become part of."""
        while self.parent[k] != k:
            self.parent[k] = self.parent[self.parent[k]]
            k = self.parent[k]
        return k

    def mean(self, k: int) -> float:
        """Return the mean value of a region."""
        return self.total[k] / self.area[k]

    def merge_small(self, limits: Limits) -> None:
        """Merge regions below the limits, the smallest first."""
        waiting = [(a, k) for k, a in enumerate(self.area)]
        heapq.heapify(waiting)
        while waiting:
            area, k = heapq.heappop(waiting)
            is_old = self.parent[k] != k or area != self.area[k]
            if is_old or not self.borders[k] or not self._is_small(k, limits):
                continue
            new = self._join(k, min(self.borders[k], key=lambda other: (self._cost(k, other), other)))
            heapq.heappush(waiting, (self.area[new], new))

    def merge_alike(self, bounds: np.ndarray) -> None:
        """Merge neighbours of one class."""
        waiting = [k for k in range(len(self.parent)) if self.parent[k] == k]
        while waiting:
            k = self.root(waiting.pop())
            own = np.searchsorted(bounds, self.mean(k), side="right")
            for other in sorted(self.borders[k]):
                if np.searchsorted(bounds, self.mean(other), side="right") == own:
                    waiting.append(self._join(k, other))
                    break

    def _is_small(self, k: int, limits: Limits) -> bool:
        return self.area[k] < limits.area or 2.0 * self.pixels[k] < limits.width * self.perimeter[k]

    def _cost(self, a: int, b: int) -> float:
        both = self.area[a] * self.area[b] / (self.area[a] + self.area[b])
        return both * (self.mean(a) - self.mean(b)) ** 2 / self.borders[a][b]

    def _join(self, a: int, b: int) -> int:
        """Make two neighbours one; return its number, that of the one with more neighbours."""
        kept, gone = (a, b) if len(self.borders[a]) >= len(self.borders[b]) else (b, a)
        shared = self.borders[kept].pop(gone)
        self.borders[gone].pop(kept)
        for other, border in self.borders[gone].items():
            self.borders[other].pop(gone)
            both = self.borders[kept].get(other, 0) + border
            self.borders[kept][other] = self.borders[other][kept] = both
        self.borders[gone].clear()
        self.parent[gone] = kept
        self.area[kept] += self.area[gone]
        self.total[kept] += self.total[gone]
        self.pixels[kept] += self.pixels[gone]
        self.perimeter[kept] += self.perimeter[gone] - 2 * shared
        return kept


def _adjacent(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of regions that share sides of pixels, and how many; the outside is a region after the last."""
    outside = int(labels.max()) + 1
    framed = np.pad(np.where(labels < 0, outside, labels).astype(np.int64), 1, constant_values=outside)
    pairs = []
    for a, b in ((framed[:, :-1], framed[:, 1:]), (framed[:-1], framed[1:])):
        differ = a != b
        low, high = np.minimum(a[differ], b[differ]), np.maximum(a[differ], b[differ])
        pairs.append(low * (outside + 1) + high)
    keys, n = np.unique(np.concatenate(pairs), return_counts=True)
    return keys // (outside + 1), keys % (outside + 1), n
