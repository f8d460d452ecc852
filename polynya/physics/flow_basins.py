"""Drainage basins of ice: every pixel flows to one outlet on the margin, found by flooding from the margin upwards.

Priority-flood with labels (Barnes, Lehman and Mulla 2014, doi:10.1016/j.cageo.2013.04.024): the margin waits in a
queue, lowest first; a pixel that is taken from it gives its label to its neighbours, which wait at their own height or
at that of the pixel that reached them, if that is higher. So depressions are filled. A pixel of the margin that nothing
lower reached is an outlet and has a new label.

Basins that only noise or a shallow step parts are one glacier: they are merged where the pass between them is little
higher than the higher outlet. Merging by the depth of the divide follows the merging of basins over "gorges" by Bolch,
Menounos and Wheate (2010), doi:10.1016/j.rse.2009.08.015, and Kienholz, Hock and Arendt (2013),
doi:10.3189/2013JoG12J138.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numba
import numpy as np

from ..errors import UsageError


def basins(elevation: np.ndarray, ice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the basin of every ice pixel and the height of each basin's outlet.

    Parameters
    ----------
    elevation : numpy.ndarray, shape (h, w)
        Metres; finite where there is ice.
    ice : numpy.ndarray of bool, shape (h, w)
        Ice. A pixel beside other ground, or at the edge of the grid, belongs to the margin.

    Returns
    -------
    label : numpy.ndarray of int32, shape (h, w)
        -1 outside the ice, else from 0.
    outlet : numpy.ndarray of float64, shape (n,)
        Height of the outlet of each basin, metres.

    Raises
    ------
    UsageError
        If the arrays differ in shape, or ice has no height.
    """
    if elevation.shape != ice.shape:
        raise UsageError(
            f"basins: heights have shape {elevation.shape}, ice {ice.shape}; expected the same. Give one grid."
        )
    if not np.isfinite(elevation[ice]).all():
        raise UsageError("basins: some ice has no height; expected a DEM without voids there. Fill it first.")
    inner = np.pad(np.asarray(ice, bool), 1)
    core = inner[1:-1, :-2] & inner[1:-1, 2:] & inner[:-2, 1:-1] & inner[2:, 1:-1]
    margin = inner[1:-1, 1:-1] & ~core
    heights = np.where(ice, elevation, 0.0).astype(np.float64)
    label, outlet = _flood(heights, np.asarray(ice, bool), margin)
    return label, outlet


@numba.njit(cache=True)
def _flood(heights: np.ndarray, ice: np.ndarray, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = heights.shape
    label = np.full((rows, columns), -1, np.int32)
    outlet = np.zeros(max(1, margin.sum()), np.float64)
    waiting = [(0.0, np.int64(0), np.int64(0)) for _ in range(0)]
    order = np.int64(0)
    for r in range(rows):
        for c in range(columns):
            if margin[r, c]:
                heapq.heappush(waiting, (heights[r, c], order, np.int64(r * columns + c)))
                order += 1
    n = 0
    done = np.zeros((rows, columns), np.bool_)
    while waiting:
        level, _, at = heapq.heappop(waiting)
        r, c = at // columns, at % columns
        if done[r, c]:
            continue
        done[r, c] = True
        if label[r, c] < 0:
            label[r, c] = n
            outlet[n] = heights[r, c]
            n += 1
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                a, b = r + dr, c + dc
                if 0 <= a < rows and 0 <= b < columns and ice[a, b] and label[a, b] < 0:
                    label[a, b] = label[r, c]
                    heapq.heappush(waiting, (max(level, heights[a, b]), order, np.int64(a * columns + b)))
                    order += 1
    return label, outlet[:n].copy()


def merged(
    label: np.ndarray, outlet: np.ndarray, elevation: np.ndarray, *, least_depth_m: float, least_pixels: int
) -> np.ndarray:
    """Return basins merged over shallow divides, and small ones with the neighbour of the longest common edge.

    Two basins that touch are one where the lowest pass between them lies less than ``least_depth_m`` above the higher
    of their outlets; the shallowest divide is taken off first, and the merged basin has the lower outlet. Then each
    basin of fewer than ``least_pixels`` pixels joins the neighbour that it has the longest edge with, the smallest
    first; one without a neighbour stays.

    Parameters
    ----------
    label : numpy.ndarray of int32, shape (h, w)
        Of :func:`basins`.
    outlet : numpy.ndarray of float64, shape (n,)
        Heights of the outlets, metres.
    elevation : numpy.ndarray, shape (h, w)
        Metres.
    least_depth_m : float
        Depth of a divide.
    least_pixels : int
        Size of a basin.

    Returns
    -------
    numpy.ndarray of int32, shape (h, w)
        -1 outside the ice, else from 0 without gaps.
    """
    passes, edges = _neighbours(label, elevation)
    size = {k: int(n) for k, n in enumerate(np.bincount(label[label >= 0], minlength=len(outlet)))}
    low = {k: float(z) for k, z in enumerate(outlet)}
    graph = _Graph(passes=passes, edges=edges, size=size, low=low, into={k: k for k in low})
    _join_shallow(graph, least_depth_m)
    _join_small(graph, least_pixels)
    roots = np.array([graph.root(k) for k in range(len(outlet))], np.int64)
    _, number = np.unique(roots, return_inverse=True)
    return np.where(label >= 0, number[np.maximum(label, 0)] if len(outlet) else -1, -1).astype(np.int32)


@dataclass(frozen=True, kw_only=True)
class _Graph:
    """Basins that touch: lowest pass and common edges of every pair, pixels and outlet of each basin, and what a basin
    became a part of."""

    passes: dict[int, dict[int, float]]
    edges: dict[int, dict[int, int]]
    size: dict[int, int]
    low: dict[int, float]
    into: dict[int, int]

    def join(self, a: int, b: int) -> None:
        """Make basin a part of b."""
        self.into[a] = b
        self.size[b] += self.size.pop(a)
        self.low[b] = min(self.low[b], self.low.pop(a))
        for c in list(self.passes[a]):
            height, edge = self.passes[a].pop(c), self.edges[a].pop(c)
            del self.passes[c][a], self.edges[c][a]
            if c != b:
                self.passes[b][c] = self.passes[c][b] = min(height, self.passes[b].get(c, np.inf))
                self.edges[b][c] = self.edges[c][b] = edge + self.edges[b].get(c, 0)

    def depth(self, a: int, b: int) -> float:
        """Return how far the lowest pass between two basins lies above the higher outlet, metres."""
        return self.passes[a][b] - max(self.low[a], self.low[b])

    def root(self, k: int) -> int:
        """Return the basin that one is part of in the end."""
        while self.into[k] != k:
            k = self.into[k]
        return k


def _join_shallow(graph: _Graph, least_depth_m: float) -> None:
    """Join basins over divides that are not deep, the shallowest first."""
    queue = [(graph.depth(a, b), a, b) for a in graph.passes for b in graph.passes[a] if a < b]
    heapq.heapify(queue)
    while queue:
        depth, a, b = heapq.heappop(queue)
        if a not in graph.low or b not in graph.low or b not in graph.passes[a]:
            continue
        if graph.depth(a, b) != depth:
            heapq.heappush(queue, (graph.depth(a, b), a, b))
            continue
        if depth >= least_depth_m:
            return
        a, b = (a, b) if graph.low[a] >= graph.low[b] else (b, a)
        graph.join(a, b)
        for c in graph.passes[b]:
            heapq.heappush(queue, (graph.depth(b, c), min(b, c), max(b, c)))


def _join_small(graph: _Graph, least_pixels: int) -> None:
    """Join small basins to the neighbour with the longest common edge, the smallest first."""
    queue = [(n, k) for k, n in graph.size.items() if n < least_pixels]
    heapq.heapify(queue)
    while queue:
        n, k = heapq.heappop(queue)
        if graph.size.get(k) != n or not graph.edges[k]:
            continue
        b = max(graph.edges[k], key=lambda c, edges=graph.edges[k]: (edges[c], -c))  # type: ignore[misc]
        graph.join(k, b)
        if graph.size[b] < least_pixels:
            heapq.heappush(queue, (graph.size[b], b))


def _neighbours(
    label: np.ndarray, elevation: np.ndarray
) -> tuple[dict[int, dict[int, float]], dict[int, dict[int, int]]]:
    """Return for every basin the lowest pass to each neighbour, and the number of pixel edges that they share."""
    pairs, heights = [], []
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        a, b = label[one], label[other]
        at = (a != b) & (a >= 0) & (b >= 0)
        pairs.append(np.sort(np.column_stack([a[at], b[at]]), axis=1))
        heights.append(np.maximum(elevation[one][at], elevation[other][at]))
    every, height = np.concatenate(pairs), np.concatenate(heights)
    n = int(label.max(initial=-1)) + 1
    passes: dict[int, dict[int, float]] = {k: {} for k in range(n)}
    edges: dict[int, dict[int, int]] = {k: {} for k in range(n)}
    if not len(every):
        return passes, edges
    unique, where, counts = np.unique(every, axis=0, return_inverse=True, return_counts=True)
    lowest = np.full(len(unique), np.inf)
    np.minimum.at(lowest, where.ravel(), height)
    for (a, b), h, m in zip(unique.tolist(), lowest.tolist(), counts.tolist(), strict=True):
        passes[a][b] = passes[b][a] = h
        edges[a][b] = edges[b][a] = m
    return passes, edges
