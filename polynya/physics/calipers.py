"""Calipers and perimeter of bodies whose borders follow pixels."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

SMOOTHED = 7
"""Unit steps along a border that are averaged before its length is taken: steps of a staircase go, corners stay."""


def calipers(points: np.ndarray) -> tuple[float, float]:
    """Return mean and largest caliper of a body.

    The mean over all directions is the perimeter of the convex hull over pi (Cauchy 1832); the largest is the largest
    distance of two corners.

    Parameters
    ----------
    points : numpy.ndarray, shape (n, 2)
        Corners of its border, in one unit along both axes.
    """
    points = np.asarray(points, np.float64)
    try:
        hull = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # on one line
        length = float(np.hypot(*np.ptp(points, axis=0)))
        return 2.0 * length / np.pi, length
    around = float(np.hypot(*(hull - np.roll(hull, 1, axis=0)).T).sum())
    return around / np.pi, _longest(hull)


def _longest(hull: np.ndarray) -> float:
    """Return the largest distance of two corners of a convex hull."""
    step = max(1, len(hull) // 400)  # hulls on pixels have few corners; of the others every few suffices
    corners = hull[::step]
    away = corners[:, None, :] - corners[None, :, :]
    return float(np.sqrt((away**2).sum(axis=2).max()))


def perimeter(ring: np.ndarray, *, step: float = 1.0) -> float:
    """Return the length of a closed border that follows pixels, its staircase smoothed.

    Along the pixels' edges a circle is 4/pi times too long. Here the border is divided into steps of a pixel, the mean
    of :data:`SMOOTHED` steps is taken at each, and these are joined.

    Parameters
    ----------
    ring : numpy.ndarray, shape (n, 2)
        Corners, the first one not repeated, in one unit along both axes.
    step : float
        Side of a pixel in that unit.

    Returns
    -------
    float
        In that unit; right within 3 % for circles and straight edges of 20 pixels and more.
    """
    ring = np.asarray(ring, np.float64)
    to = np.roll(ring, -1, axis=0)
    length = np.hypot(*(to - ring).T)
    count = np.maximum(np.rint(length / step).astype(int), 1)
    start = np.repeat(np.arange(len(ring)), count)
    share = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)) / count[start]
    fine = ring[start] + (to - ring)[start] * share[:, None]
    if len(fine) <= 2 * SMOOTHED:
        return float(length.sum()) * np.pi / 4.0
    around = np.vstack([fine[-SMOOTHED:], fine, fine[:SMOOTHED]])
    sums = np.cumsum(around, axis=0)
    mean = (sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED
    mean = mean[: len(fine)]
    return float(np.hypot(*(np.roll(mean, -1, axis=0) - mean).T).sum())
