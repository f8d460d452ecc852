"""Files with the layout of ATL20."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyproj

from polynya.physics import gridding

NAME = "ATL20-02_20191101001332_05100501_004_01.h5"
FILL = np.float32(3.4028235e38)


def write(
    path: Path,
    *,
    freeboard: np.ndarray | None = None,
    crs: str = "EPSG:3412",
    cell_m: float = 25_000.0,
    shift_m: float = 0.0,
    with_sigma: bool = True,
) -> Path:
    """Write one month: ``freeboard`` on the grid, NaN for none, and the same on day 4."""
    grid = gridding.nsidc_grid(crs, cell_m=cell_m)
    x, y = np.meshgrid(grid.x + shift_m, grid.y)
    longitude, latitude = pyproj.Proj(crs)(x, y, inverse=True)
    board = np.full((grid.rows, grid.columns), np.nan) if freeboard is None else freeboard
    with h5py.File(path, "w") as file:
        file["grid_x"], file["grid_y"] = grid.x, grid.y
        file["grid_lat"], file["grid_lon"] = latitude, longitude
        for group in ("monthly", "daily/day04"):
            values = file.create_dataset(f"{group}/mean_fb", data=np.where(np.isfinite(board), board, FILL), dtype="f4")
            values.attrs["_FillValue"] = FILL
            if with_sigma:
                file[f"{group}/sigma"] = np.where(np.isfinite(board), np.float32(0.1), FILL)
                file[f"{group}/n_segs"] = np.where(np.isfinite(board), 1234, 0).astype(np.int32)
    return path
