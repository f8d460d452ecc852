"""The grids of NSIDC, and which cell a place is in."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.physics import gridding


@pytest.mark.parametrize(
    ("crs", "shape", "corner"),
    [
        ("EPSG:3413", (448, 304), (-3_850_000.0, 5_850_000.0)),
        ("EPSG:3411", (448, 304), (-3_850_000.0, 5_850_000.0)),
        ("EPSG:3976", (332, 316), (-3_950_000.0, 4_350_000.0)),
        ("EPSG:3412", (332, 316), (-3_950_000.0, 4_350_000.0)),
    ],
)
def test_cells_of_25_km_are_those_of_nsidc(crs, shape, corner):
    grid = gridding.nsidc_grid(crs, cell_m=25_000)
    assert (grid.rows, grid.columns) == shape and (grid.left, grid.top) == corner
    assert grid.x[0] == corner[0] + 12_500 and grid.y[0] == corner[1] - 12_500
    assert np.all(np.diff(grid.x) == 25_000) and np.all(np.diff(grid.y) == -25_000)
    assert grid.is_north == (crs in ("EPSG:3413", "EPSG:3411"))


def test_smaller_cells_share_the_corner_and_cover_the_extent():
    for cell in (12_500.0, 10_000.0, 40_000.0):
        grid = gridding.nsidc_grid("EPSG:3976", cell_m=cell)
        assert grid.left + grid.columns * cell >= 3_950_000.0 and grid.top - grid.rows * cell <= -3_950_000.0
        assert grid.left + (grid.columns - 1) * cell < 3_950_000.0


def test_the_south_pole_lies_between_four_cells_of_the_grid():
    grid = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    x, y = pyproj.Transformer.from_crs(4326, 3976, always_xy=True).transform(0.0, -90.0)
    row, column = divmod(int(gridding.cell_of(np.array([x + 1]), np.array([y + 1]), grid)[0]), grid.columns)
    assert (row, column) == (173, 158)  # (4350 - 25 * 174, -3950 + 25 * 158) km is the pole


@given(st.integers(0, 331), st.integers(0, 315), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_place_inside_a_cell_is_in_that_cell(row, column, down, right):
    grid = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    x, y = grid.left + (column + right) * 25_000, grid.top - (row + down) * 25_000
    assert gridding.cell_of(np.array([x]), np.array([y]), grid)[0] == row * 316 + column


def test_outside_is_minus_one():
    grid = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    x = np.array([-4e6, 0.0, 4e6, 0.0, np.nan, np.inf])
    y = np.array([0.0, 4.4e6, 0.0, -4e6, 0.0, 0.0])
    assert gridding.cell_of(x, y, grid).tolist() == [-1] * 6


def test_another_crs_has_no_grid():
    with pytest.raises(ValueError, match="expected one of EPSG:3413"):
        gridding.nsidc_grid("EPSG:4326", cell_m=25_000)
    with pytest.raises(ValueError, match="positive size"):
        gridding.nsidc_grid("EPSG:3976", cell_m=0)
