"""Scenes with their labels in physical units, written as tile sets: radar or optical images of sea ice.

A tile is a group of an HDF5 file: a dataset (h, w, bands) per sensor of a table of :mod:`polynya.sensors` in physical
units, NaN where missing, and labels beside them: shares and numbers of regions as one plane, classes one plane each.
:func:`polynya.samples.tile_sets.open_all` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError, UsageError, one_line
from ..schema.sea_ice_maps import FLOES, STAGES
from ..sensors import table

if TYPE_CHECKING:
    import h5py
    from affine import Affine

__all__ = ["CHUNK", "FLOES", "STAGES", "UNITS", "one_hot", "write"]

CHUNK = 128
UNITS = "physical"


def one_hot(codes: np.ndarray, n: int) -> np.ndarray:
    """Return classes as planes, uint8 (n, h, w): all 0 where a code is no class.

    Parameters
    ----------
    codes : numpy.ndarray of int, shape (h, w)
        Classes from 0.
    n : int
        Number of classes.
    """
    return (np.asarray(codes)[None] == np.arange(n)[:, None, None]).astype(np.uint8)


def write(
    file: h5py.File,
    name: str,
    *,
    sensors: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    scene: str,
    grid: tuple[str, Affine] | None = None,
    simulated: str = "",
    sensor_table: str = "radar_ice",
) -> None:
    """Write one tile into an open file.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    name : str
        The group's; must be new.
    sensors : mapping of str to numpy.ndarray, shape (bands, h, w)
        Physical units, NaN where missing.
    labels : mapping of str to numpy.ndarray, shape (planes, h, w)
        One plane of numbers, NaN where nobody knows; or of each class a plane of 0 and 1, all 0 where nobody knows.
    scene : str
        Name of the scene it comes from: a split keeps scenes together.
    grid : (str, Affine), optional
        Coordinate reference system in metres and transform; a tile without lies nowhere.
    simulated : str
        What made it, where it is no measurement.
    sensor_table : str
        Whose sensors they are.

    Raises
    ------
    UsageError
        If shapes or names do not fit.
    OutputError
        If the disk is full.
    """
    known = table(sensor_table)
    shapes = {v.shape[1:] for v in (*sensors.values(), *labels.values())}
    wrong = [s for s, v in sensors.items() if s not in known or v.shape[0] != len(known[s].bands)]
    wrong += [n for n in labels if n in known]
    if wrong or len(shapes) != 1 or not sensors or not labels:
        raise UsageError(
            f"{name}: {', '.join(wrong) or 'shapes'} found {sorted(shapes)}; expected sensors of"
            f" {', '.join(known.names)} and labels of other names, all (planes, h, w) on one grid. Cut them alike."
        )
    if name in file:
        raise UsageError(f"{name}: the file has a tile of this name; expected a new one. Name the scenes differently.")
    try:
        group = file.create_group(name)
        for key, values in {**sensors, **labels}.items():
            kept = np.moveaxis(np.asarray(values, np.float32 if key in sensors else None), 0, -1)
            chunks = (min(CHUNK, kept.shape[0]), min(CHUNK, kept.shape[1]), kept.shape[2])
            group.create_dataset(
                key, data=kept, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True, fletcher32=True
            )
        group.attrs["units"], group.attrs["scene"] = UNITS, scene
        if grid is not None:
            group.attrs["crs"], group.attrs["transform"] = grid[0], list(grid[1])[:6]
        if simulated:
            group.attrs["simulated"] = simulated
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written ({one_line(error)[:120]}); expected room on the disk. Free space."
        ) from error
