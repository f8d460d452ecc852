"""What runs down a surface: debris from rock walls onto glaciers and along them, and the basins that split ice into
glaciers."""

from __future__ import annotations

import numba
import numpy as np
from scipy.ndimage import gaussian_filter


def debris_share_of_flux(
    surface: np.ndarray, ice: np.ndarray, *, pixel_m: float, rockfall: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """Carry rock down from where it falls; return how much of the ice's flux it is, relative.

    Parameters
    ----------
    surface : numpy.ndarray, float32, shape (rows, columns)
        Of rock and ice, m.
    ice : numpy.ndarray, bool
    pixel_m : float
    rockfall : numpy.ndarray, float32
        Rock released by a pixel; on ground gentler than 20 degrees off the ice it stays.
    gain : numpy.ndarray, float32
        Ice gathered (positive) or melted by a pixel.

    Returns
    -------
    numpy.ndarray, float32
        Debris flux over ice flux; 0 off the ice. Medial moraines are the lines where two glaciers' margins meet.
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
        Metres.
    ice : numpy.ndarray, bool
    depth_m : float
        Two tongues are one glacier where the pass between them is less than this above the higher of them.
    smooth : float
        Pixels, of the surface before the water runs.

    Returns
    -------
    numpy.ndarray, int32
        0 off the ice, glaciers from 1.
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
        met = (a != b) & (a > 0) & (b > 0)
        passes.append(np.stack([np.minimum(a, b)[met], np.maximum(a, b)[met], np.maximum(ha, hb)[met]], axis=1))
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
    rows = n // columns
    debris = rockfall.astype(np.float64)
    flux = np.zeros(n)
    weight = np.zeros(8)
    target = np.zeros(8, np.int64)
    for k in range(n):
        i = order[k]
        if ice[i]:
            flux[i] = max(flux[i] + gain[i], 0.0)
        r, c = i // columns, i % columns
        total = 0.0
        m = 0
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
                    m += 1
        if m == 0:
            continue
        moves = debris[i]
        if not ice[i]:
            top = 0.0
            for q in range(m):
                top = max(top, weight[q])
            if top < stays:
                moves = 0.0
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
