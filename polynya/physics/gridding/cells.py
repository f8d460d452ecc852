"""The polar grids of NSIDC, on which ATL20 and ATL21 lie too, and the cell of a place.

The outer edges are those of NSIDC's polar stereographic grids (nsidc.org/data/user-resources/help-center, "A guide to
NSIDC's polar stereographic projection"): 304 x 448 cells of 25 km in the north, 316 x 332 in the south. Cells of
another size start from the same upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NORTH, SOUTH = (
    (-3_850_000.0, 5_850_000.0, 3_750_000.0, -5_350_000.0),
    (
        -3_950_000.0,
        4_350_000.0,
        3_950_000.0,
        -3_950_000.0,
    ),
)
"""Left, top, right, bottom of the grids, m."""
EXTENTS = {"EPSG:3413": NORTH, "EPSG:3411": NORTH, "EPSG:3976": SOUTH, "EPSG:3412": SOUTH}
"""By CRS: 3413 and 3976 on WGS 84; 3411 and 3412 on the Hughes ellipsoid, as ATL20 has them."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A regular grid in a projection.

    Attributes
    ----------
    crs : str
        EPSG code.
    cell_m : float
        Side of a cell, m.
    left, top : float
        Outer corner of the first cell, m.
    rows, columns : int
    """

    crs: str
    cell_m: float
    left: float
    top: float
    rows: int
    columns: int

    @property
    def is_north(self) -> bool:
        """Whether it lies around the north pole."""
        return EXTENTS[self.crs] is NORTH

    @property
    def x(self) -> np.ndarray:
        """Centres of the columns, m, shape (columns,), rising."""
        return self.left + (np.arange(self.columns) + 0.5) * self.cell_m

    @property
    def y(self) -> np.ndarray:
        """Centres of the rows, m, shape (rows,), falling."""
        return self.top - (np.arange(self.rows) + 0.5) * self.cell_m


def nsidc_grid(crs: str, *, cell_m: float) -> Grid:
    """Return NSIDC's polar grid in cells of any size.

    Parameters
    ----------
    crs : str
        One of :data:`EXTENTS`.
    cell_m : float
        Side of a cell, m.

    Returns
    -------
    Grid
        It covers NSIDC's extent; where the size does not divide it, the last row and column reach beyond.

    Raises
    ------
    ValueError
        If the CRS has no such grid or the size is not positive.
    """
    if crs not in EXTENTS or not cell_m > 0:
        raise ValueError(
            f"nsidc_grid: {crs}, cell {cell_m} m; expected one of {', '.join(EXTENTS)} and a positive size."
        )
    left, top, right, bottom = EXTENTS[crs]
    return Grid(
        crs=crs,
        cell_m=float(cell_m),
        left=left,
        top=top,
        rows=int(np.ceil((top - bottom) / cell_m - 1e-9)),
        columns=int(np.ceil((right - left) / cell_m - 1e-9)),
    )


def cell_of(x: np.ndarray, y: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the cell of places, int64, shape (n,): row times columns plus column, -1 outside the grid.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Easting and northing, m; not finite is outside.
    grid : Grid
        The grid.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    good = np.isfinite(x) & np.isfinite(y)
    column = np.floor((np.where(good, x, 0.0) - grid.left) / grid.cell_m)
    row = np.floor((grid.top - np.where(good, y, 0.0)) / grid.cell_m)
    good &= (column >= 0) & (column < grid.columns) & (row >= 0) & (row < grid.rows)
    return np.where(good, row * grid.columns + column, -1).astype(np.int64)
