"""Routing down a surface: debris from rock walls along glaciers, and the drainage basins that divide the ice."""

from __future__ import annotations

import numba
import numpy as np
from scipy.ndimage import gaussian_filter


def debris_share_of_flux(
    surface: np.ndarray, ice: np.ndarray, *, pixel_m: float, rockfall: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """Route rock downhill from where it falls; return the debris flux relative to the ice flux.

    Parameters
    ----------
    surface : numpy.ndarray, float32, shape (rows, columns)
        Height of rock and ice, m.
    ice : numpy.ndarray, bool
        Ice mask.
    pixel_m : float
        Pixel size, m.
    rockfall : numpy.ndarray, float32
        Rock released by a pixel; outside the ice it stays on slopes below 20 degrees.
    gain : numpy.ndarray, float32
        Mass balance of a pixel: accumulation positive.

    Returns
    -------
    numpy.ndarray, float32
        Debris flux over ice flux; 0 outside the ice. It is high along medial moraines.
    """
    flat = surface.ravel()
    debris, flux = _route(
        flat, np.argsort(-flat), ice.ravel(), rockfall.ravel(), gain.ravel(), surface.shape[1], (0.36 * pixel_m) ** 3
    )
    return (debris / (flux + 1.0)).reshape(surface.shape).astype(np.float32)


def basins(surface: np.ndarray, ice: np.ndarray, *, depth_m: float = 40.0, smooth: float = 4.0) -> np.ndarray:
    """Split ice into glaciers at its divides.

    Parameters
    ----------
    surface : numpy.ndarray, float32, shape (rows, columns)
        Height, m.
    ice : numpy.ndarray, bool
        Ice mask.
    depth_m : float
        Two basins are one glacier if the pass between them is less than this above the higher of their lowest points.
    smooth : float
        Smoothing of the surface before routing, pixels.

    Returns
    -------
    numpy.ndarray, int32
        0 outside the ice, glaciers from 1.
    """
    height = gaussian_filter(surface, smooth).astype(np.float64)
    labels = _descend(height.ravel(), np.argsort(height.ravel()), ice.ravel(), height.shape[1]).reshape(ice.shape)
    count = int(labels.max())
    if count < 2:
        return labels.astype(np.int32)
    low = np.full(count + 1, np.inf)
    np.minimum.at(low, labels.ravel(), np.where(ice, height, np.inf).ravel())
    passes: list[np.ndarray] = []
    for a, b, ha, hb in (
        (labels[:, 1:], labels[:, :-1], height[:, 1:], height[:, :-1]),
        (labels[1:], labels[:-1], height[1:], height[:-1]),
    ):
        divide = (a != b) & (a > 0) & (b > 0)
        passes.append(
            np.stack([np.minimum(a, b)[divide], np.maximum(a, b)[divide], np.maximum(ha, hb)[divide]], axis=1)
        )
    edges = np.concatenate(passes)
    edges = edges[np.lexsort((edges[:, 2], edges[:, 1], edges[:, 0]))]
    _, lowest = np.unique(edges[:, :2], axis=0, return_index=True)
    edges = edges[lowest]
    edges = edges[np.argsort(edges[:, 2])]
    root = np.arange(count + 1)
    for a, b, height_of_pass in edges:
        i, j = _root(root, int(a)), _root(root, int(b))
        if i != j and height_of_pass - max(low[i], low[j]) < depth_m:
            root[j] = i
            low[i] = min(low[i], low[j])
    roots = np.array([_root(root, i) for i in range(count + 1)])
    _, out = np.unique(roots[labels], return_inverse=True)
    out = out.reshape(ice.shape)
    return np.where(ice, out, 0).astype(np.int32)


def _root(root: np.ndarray, i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = int(root[i])
    return i


@numba.njit(cache=True)
def _route(z, order, ice, rockfall, gain, columns, stays):
    n = z.size
    debris = rockfall.astype(np.float64)
    flux = np.zeros(n)
    weight = np.zeros(8)
    target = np.zeros(8, np.int64)
    for k in range(n):
        i = order[k]
        if ice[i]:
            flux[i] = max(flux[i] + gain[i], 0.0)
        m, total, top = _downhill(z, i, columns, weight, target)
        if m == 0:
            continue
        moves = debris[i] if ice[i] or top >= stays else 0.0
        for q in range(m):
            share = weight[q] / total
            debris[target[q]] += moves * share
            if ice[i] and ice[target[q]]:
                flux[target[q]] += flux[i] * share
    for i in range(n):
        if not ice[i]:
            debris[i] = 0.0
    return debris, flux


@numba.njit(cache=True)
def _downhill(z, i, columns, weight, target):
    """Write the lower neighbours of cell ``i`` and the cubes of the steps to them; return number, sum and maximum."""
    rows = z.size // columns
    r, c = i // columns, i % columns
    m, total, top = 0, 0.0, 0.0
    for dr in range(-1, 2):
        for dc in range(-1, 2):
            a, b = r + dr, c + dc
            if a < 0 or b < 0 or a >= rows or b >= columns or (dr == 0 and dc == 0):
                continue
            j = a * columns + b
            s = (z[i] - z[j]) / (1.4142135 if dr != 0 and dc != 0 else 1.0)
            if s > 0.0:
                w = s * s * s
                weight[m] = w
                target[m] = j
                total += w
                top = max(top, w)
                m += 1
    return m, total, top


@numba.njit(cache=True)
def _descend(z, order, ice, columns):
    """Label every ice pixel by the lowest pixel its steepest descent on ice leads to."""
    n = z.size
    rows = n // columns
    label = np.zeros(n, np.int64)
    count = 0
    for k in range(n):
        i = order[k]
        if not ice[i]:
            continue
        r, c = i // columns, i % columns
        best, to = 0.0, -1
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                a, b = r + dr, c + dc
                if a < 0 or b < 0 or a >= rows or b >= columns or (dr == 0 and dc == 0):
                    continue
                j = a * columns + b
                if not ice[j]:
                    continue
                s = (z[i] - z[j]) / (1.4142135 if dr != 0 and dc != 0 else 1.0)
                if s > best:
                    best, to = s, j
        if to < 0:
            count += 1
            label[i] = count
        else:
            label[i] = label[to]
    return label
