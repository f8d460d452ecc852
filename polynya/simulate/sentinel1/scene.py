"""A Sentinel-1 EW scene over sea ice at 400 m, straight from the physics: what a network is trained on.

:func:`draw_scene` gives the channels that a reader makes of a product (sigma0 after noise removal, incidence angle,
mask) with the truth on the same cells, and writes nothing. The product of :mod:`.product` shows the same scene pixel by
pixel. Simulated data trains, tests and demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CELL_PIXELS = 10
"""Pixels of 40 m along a side of a cell of 400 m."""
FULL = (1070, 1048)
"""Lines and samples of a whole scene, cells of 400 m."""
FLOOR_DB = (-35.0, -45.0)
"""What HH and HV become where the noise-free power is smaller, or negative, dB."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One simulated scene on the swath grid: rows are lines (time), columns are range, near range first.

    Attributes
    ----------
    sigma0 : numpy.ndarray, float32, shape (2, rows, columns)
        HH and HV after noise removal, linear; may be negative; NaN where not valid.
    nesz : numpy.ndarray, float32, shape (2, rows, columns)
        Noise equivalent sigma zero as annotated, linear: ``sigma0 + nesz`` is the power without noise removal.
    incidence : numpy.ndarray, float32, shape (rows, columns)
        Incidence angle, degrees.
    valid : numpy.ndarray, bool
        False outside the sub-swaths and where the annotated noise is no number to trust.
    latitude, longitude : numpy.ndarray, float32
        Of the cells' centres, degrees, WGS 84.
    concentration : numpy.ndarray, float32
        Truth: area share of ice in the cell, 0 to 1.
    stage : numpy.ndarray, uint8
        Truth, codes of AutoICE: 0 water, 1 new, 2 young, 4 thick first-year, 5 old ice (3 is not simulated).
    floe : numpy.ndarray, uint8
        Truth, codes of AutoICE: 0 water, 1 cake, 2 small, 3 medium, 4 big, 5 vast.
    swath : numpy.ndarray, uint8
        Sub-swath EW1 to EW5 as 1 to 5; 0 outside.
    polygon : numpy.ndarray, int32
        Index into ``chart``'s polygons, -1 outside the chart.
    chart_concentration : numpy.ndarray, float32
        What the ice chart says of the cell, 0 to 1, with the chart's errors; NaN outside.
    about : dict
        What was drawn: kind, place, time, wind, seed.
    """

    sigma0: np.ndarray
    nesz: np.ndarray
    incidence: np.ndarray
    valid: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    concentration: np.ndarray
    stage: np.ndarray
    floe: np.ndarray
    swath: np.ndarray
    polygon: np.ndarray
    chart_concentration: np.ndarray
    about: dict[str, object]

    def decibels(self, *, remove_noise: bool = True) -> np.ndarray:
        """Return HH and HV in dB, float32, shape (2, rows, columns), not below :data:`FLOOR_DB`; NaN where not valid.

        Parameters
        ----------
        remove_noise : bool
            Without it the annotated noise is left in, as in a product that nobody corrected.
        """
        power = self.sigma0 if remove_noise else self.sigma0 + self.nesz
        floor = np.float32(10.0) ** (np.array(FLOOR_DB, np.float32)[:, None, None] / 10.0)
        return (10.0 * np.log10(np.maximum(power, floor))).astype(np.float32)


def draw_scene(
    seed: int,
    *,
    size: tuple[int, int] = FULL,
    ranges: str = "standard",
    kind: str | None = None,
    hemisphere: str = "north",
) -> Scene:
    """Draw one scene at 400 m with its truth; the same arguments give the same arrays.

    Parameters
    ----------
    seed : int
        0 or more. Everything is drawn from it: place, time, noise, sub-swaths, ice, wind.
    size : tuple of int
        Lines and samples in cells of 400 m, at most :data:`FULL`; a smaller window lies anywhere in the swath.
    ranges : str
        ``standard``, or ``stress``: wider ranges of wind, backscatter and noise residue.
    kind : str, optional
        ``water``, ``edge`` or ``pack``; drawn with shares .30, .45, .25 if left out.
    hemisphere : str
        ``north`` (EPSG:3413) or ``south`` (EPSG:3976).

    Raises
    ------
    UsageError
        If an argument is none of these.
    """
    raise NotImplementedError(seed, size, ranges, kind, hemisphere)
