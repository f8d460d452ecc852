"""Means of fine cells over coarse ones: half of a cell has to be known."""

from __future__ import annotations

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from polynya.evaluate.concentration import pairs


def boxes() -> tuple[GeoBox, GeoBox]:
    fine = GeoBox((4, 4), Affine(100, 0, 0, 0, -100, 400), "EPSG:3413")
    return fine, GeoBox((2, 2), Affine(200, 0, 0, 0, -200, 400), "EPSG:3413")


def test_a_cell_counts_from_half_known():
    """Of the four fine cells of each coarse one 4, 3, 2 and 1 are known."""
    values = np.arange(16.0).reshape(4, 4)
    values[0, 3] = values[2, 1] = values[3, 1] = values[3, 2] = values[2, 2] = values[2, 3] = np.nan
    found = pairs._averaging(*boxes(), expected=4.0)(values)
    expected = [[(0 + 1 + 4 + 5) / 4, (2 + 6 + 7) / 3], [(8 + 12) / 2, np.nan]]
    assert np.array_equal(found, expected, equal_nan=True)
