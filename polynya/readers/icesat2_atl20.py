"""ATL20: NASA's daily and monthly gridded freeboard, releases 001-005.

Checked on no real file: none was available. Paths, fill value and the shape of the grid are those of public programs
that read it (``grid_lat``, ``grid_lon``, ``monthly/mean_fb``, ``daily/dayNN/mean_fb``); ``sigma`` and ``n_segs`` are
read where they are there. Cells of 25 km of NSIDC's polar stereographic grids (EPSG:3411, EPSG:3412); freeboards of
ATL10, all beams (user guide, doi:10.5067/ATLAS/ATL20.004).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening

PRODUCT = "ATL20"
RELEASES = ("001", "002", "003", "004", "005")
CHECKED = ()
NAME = re.compile(r"ATL20-0(?P<side>[12])_(?P<start>\d{14})_\d{8}_(?P<release>\d{3})_\d{2}")
LARGEST_M = 100.0
"""Freeboards above this are fill values (3.4e38), whatever the file says."""


@dataclass(frozen=True, kw_only=True)
class GriddedFreeboard:
    """Freeboard of one month or day on NASA's grid; arrays of shape (rows, columns).

    Attributes
    ----------
    name : str
        The file's name.
    release : str
        Three digits; empty where the name does not say.
    month : str
        ``yyyy-mm``; empty where the name does not say.
    latitude, longitude : numpy.ndarray
        Centres of the cells, degrees.
    freeboard : numpy.ndarray
        Mean freeboard, m; NaN where there is none.
    sigma : numpy.ndarray
        As ``sigma`` in the file, m; all NaN where the file has none.
    n_segments : numpy.ndarray of int64
        As ``n_segs`` in the file; -1 where the file has none.
    """

    name: str
    release: str
    month: str
    latitude: np.ndarray
    longitude: np.ndarray
    freeboard: np.ndarray
    sigma: np.ndarray
    n_segments: np.ndarray


def read(path: Path | str, *, day: int | None = None) -> GriddedFreeboard:
    """Read the mean of the month, or of one day.

    Parameters
    ----------
    path : Path or str
        An ATL20 file (HDF5).
    day : int, optional
        Day of the month from 1 on; the whole month by default.

    Returns
    -------
    GriddedFreeboard

    Raises
    ------
    ProductError
        If the file is damaged, is another product, or has no such day.
    """
    path = Path(path)
    group = "monthly" if day is None else f"daily/day{day:02d}"
    with opening.open_hdf5(path, expected="an ATL20 granule. Get it again") as file:
        for name in ("grid_lat", "grid_lon", f"{group}/mean_fb"):
            if name not in file:
                raise ProductError(
                    f"{path.name}: {name} is missing; expected an ATL20 granule (gridded freeboard). Check the file, or"
                    " another day."
                )
        latitude, longitude = (np.asarray(file[n][()], np.float64) for n in ("grid_lat", "grid_lon"))
        board = np.asarray(file[f"{group}/mean_fb"][()], np.float64)
        if latitude.ndim != 2 or not latitude.shape == longitude.shape == board.shape:
            raise ProductError(
                f"{path.name}: {group}/mean_fb has the shape {board.shape}, its places {latitude.shape}; expected one"
                " grid of rows and columns. Get the file again."
            )
        sigma = _optional(file, f"{group}/sigma", board.shape, np.nan)
        count = _optional(file, f"{group}/n_segs", board.shape, -1.0)
    found = NAME.search(path.name)
    return GriddedFreeboard(
        name=path.name,
        release=found["release"] if found else "",
        month=f"{found['start'][:4]}-{found['start'][4:6]}" if found else "",
        latitude=latitude,
        longitude=longitude,
        freeboard=np.where(np.abs(board) < LARGEST_M, board, np.nan),
        sigma=np.where(np.abs(sigma) < LARGEST_M, sigma, np.nan),
        n_segments=np.where(np.abs(count) < 2**53, count, -1).astype(np.int64),
    )


def _optional(file, name: str, shape: tuple[int, ...], missing: float) -> np.ndarray:
    if name not in file or file[name].shape != shape:
        return np.full(shape, missing)
    return np.asarray(file[name][()], np.float64)
