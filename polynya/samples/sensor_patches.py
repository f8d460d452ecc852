"""Sensors that end inside a window: beyond the edge of a DEM, of a swath, in voids.

A network that met sensors only whole or not at all steps where one of them ends, along a straight line that is no
margin. In training, windows of all kinds get such edges: half-planes in any direction, and patches with a bent border.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .scene_samples import SceneSamples


def blank(
    scaled: np.ndarray, present: Sequence[tuple[str, slice]], *, settings: SceneSamples, rng: np.random.Generator
) -> None:
    """Blank sensors in a part of a window, in place; nothing is drawn where ``augment.patch_dropout`` is 0.

    Each sensor but those of ``always`` ends with that chance; one that is not asked for keeps its pixels. At least one
    sensor stays whole.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (bands, size, size)
        NaN where missing.
    present : sequence of (str, slice)
        Sensors that the window has, with their bands.
    settings : SceneSamples
        ``augment.patch_dropout`` and ``always``.
    rng : numpy.random.Generator
        Random generator.
    """
    chance = settings.augment.patch_dropout
    if not chance or len(present) < 2:
        return
    may_end = [band for sensor, band in present if sensor not in settings.always]
    if len(may_end) == len(present):
        del may_end[int(rng.integers(len(may_end)))]
    for band in may_end:
        if rng.random() < chance:
            scaled[band, patch(scaled.shape[1], rng)] = np.nan


def patch(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a part of a square: in half of the cases all of one side of a straight line through it, else a patch whose
    border is bent, up to about half as wide as the square.

    Parameters
    ----------
    size : int
        Side, pixels.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    numpy.ndarray of bool, shape (size, size)
    """
    y, x = np.indices((size, size)) + 0.5 - rng.uniform(0.15, 0.85, 2)[:, None, None] * size
    if rng.random() < 0.5:  # tiles of DEMs lie along the grid, swaths do not
        angle = rng.choice([0.0, 0.5, 1.0, 1.5]) * np.pi if rng.random() < 0.5 else rng.uniform(0.0, 2.0 * np.pi)
        return x * np.cos(angle) + y * np.sin(angle) > 0.0
    waves = sum(
        rng.normal(0.0, 0.25 / k) * np.cos(k * np.arctan2(y, x) + rng.uniform(0.0, 2.0 * np.pi)) for k in (1, 2, 3)
    )
    return np.hypot(x, y) < rng.uniform(0.06, 0.25) * size * np.exp(waves)
