"""Pictures of scored scenes: radar, truth, what each method gave, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from concentration_scenes import Radar

from polynya.report import grid_picture
from polynya.report.review_picture import png

GAP = 6
"""White pixels between two maps."""


def draw(scene: Radar, given: dict[str, np.ndarray], path: Path) -> None:
    """Draw HH, HV and the truth, and below them the maps in the order given, into a PNG.

    Parameters
    ----------
    scene : Radar
        With its truth.
    given : dict of str to numpy.ndarray, shape (h, w)
        Concentrations by method.
    path : Path
        The picture.
    """
    rows = [[*(_grey(c) for c in scene.channels), _ice(scene.truth)], [_ice(v) for v in given.values()]]
    wide = max(len(r) for r in rows)
    height, width = scene.truth.shape
    sheet = np.full((2 * height + GAP, wide * (width + GAP) - GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for k, picture in enumerate(row):
            top, left = i * (height + GAP), k * (width + GAP)
            sheet[top : top + height, left : left + width] = picture
    path.write_bytes(png(sheet))


def _grey(values: np.ndarray) -> np.ndarray:
    low, high = np.nanpercentile(values, (2, 98)) if np.isfinite(values).any() else (0.0, 1.0)
    return grid_picture.coloured(values, low=low, high=max(high, low + 1e-3), colours=("#000000", "#ffffff"))


def _ice(values: np.ndarray) -> np.ndarray:
    return grid_picture.coloured(values, low=0.0, high=1.0, colours=grid_picture.ICE)
