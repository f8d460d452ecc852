"""Where the leads of a simulated scene are: every pixel of the product, and the same on the polar grid as a map."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np

from ...io import grids
from .annotation import Annotation, positions
from .floes import Cover, _at, _between, _floe, _lead
from .pixels import CELL_PIXELS, STRIP_CELLS

ICE, LEAD, WATER, NODATA = 0, 1, 2, 255
GRID_M = 80.0
"""Pixels of the map: two of the product."""
_STEP = 16
"""Pixels between those whose place is computed exactly; between them it is interpolated."""
_LEAST = 2
"""Pixels of the product in a cell of the map: cells with fewer, at the rim of the swath, have no data."""


def pixels(cover: Cover, *, rows: tuple[int, int], samples: int = CELL_PIXELS) -> np.ndarray:
    """Return what lies at each sample, uint8, shape (rows * samples, columns * samples).

    :data:`LEAD` is the network of cracks in the pack, open or refrozen; :data:`WATER` other open water: gaps between
    floes, polynyas, the open sea; :data:`ICE` the rest.

    Parameters
    ----------
    cover : Cover
        The ice.
    rows : tuple of int
        First row of cells, and the row after the last.
    samples : int
        Along each side of a cell.
    """
    first, last = rows
    out = np.zeros(((last - first) * samples, cover.target.shape[1] * samples), np.uint8)
    _pixels(cover, first, samples, out)
    return out


@numba.njit(cache=True, parallel=True)
def _pixels(cover: Cover, first: int, samples: int, out: np.ndarray) -> None:
    for i in numba.prange(out.shape[0]):
        for j in range(out.shape[1]):
            y, x = first + (i + 0.5) / samples, (j + 0.5) / samples
            broken = _at(cover.broken, y, x)
            if _at(cover.target, y, x) <= 0.0 and broken <= 0.0:
                out[i, j] = WATER
                continue
            wy, wx = _between(cover.warp[0], y, x), _between(cover.warp[1], y, x)
            if _floe(y, x, wy, wx, cover)[3] < 0.5:
                out[i, j] = WATER
            elif broken < 0.5 and _lead(y + wy, x + wx, 1.0 / samples, cover)[0] >= 0.5:
                out[i, j] = LEAD


def write_map(path: Path, annotation: Annotation, cover: Cover, *, epsg: int, time: str) -> Path:
    """Write the leads on the polar grid: a cell has the class that at least half of its pixels have, 255 outside.

    Parameters
    ----------
    path : Path
        The GeoTIFF.
    annotation : Annotation
        Positions of the pixels.
    cover : Cover
        The ice.
    epsg : int
        The projection.
    time : str
        When the image begins, UTC.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox

    lines, samples = _knots(annotation.lines), _knots(annotation.samples)
    x, y = _projected(annotation, lines, samples, epsg)
    left, bottom = (GRID_M * np.floor(v.min() / GRID_M) for v in (x, y))
    right, top = (GRID_M * np.ceil(v.max() / GRID_M) for v in (x, y))
    geobox = GeoBox.from_bbox(BoundingBox(left, bottom, right, top, f"EPSG:{epsg}"), resolution=GRID_M, tight=True)
    height, width = (int(n) for n in geobox.shape)
    count, lead, water = (np.zeros(height * width, np.uint16) for _ in range(3))
    columns = cover.target.shape[1] * CELL_PIXELS
    row, column = (top - y) / GRID_M, (x - left) / GRID_M
    for first in range(0, cover.target.shape[0], STRIP_CELLS):
        last = min(first + STRIP_CELLS, cover.target.shape[0])
        here = pixels(cover, rows=(first, last))
        at = CELL_PIXELS * first + np.arange(here.shape[0]), np.arange(columns)
        down, across = (_between_knots(v, lines, samples, *at) for v in (row, column))
        cell = np.clip(down, 0, height - 1).astype(np.int64) * width + np.clip(across, 0, width - 1).astype(np.int64)
        np.add.at(count, cell.ravel(), 1)
        np.add.at(lead, cell[here == LEAD], 1)
        np.add.at(water, cell[here == WATER], 1)
    values = np.where(2 * lead >= count, LEAD, np.where(2 * water >= count, WATER, ICE))
    values = np.where(count >= _LEAST, values, NODATA).astype(np.uint8)
    tags = {
        "long_name": "true leads",
        "flag_values": f"{ICE} {LEAD} {WATER}",
        "flag_meanings": "ice lead open_water",
        "time": time,
        "simulated_by": "polynya; no measurement",
    }
    return grids.write_cog(values.reshape(height, width), path, geobox=geobox, name="is_lead", tags=tags, nodata=NODATA)


def _knots(n: int) -> np.ndarray:
    return np.unique(np.append(np.arange(0, n, _STEP), n - 1)).astype(np.float64)


def _projected(
    annotation: Annotation, lines: np.ndarray, samples: np.ndarray, epsg: int
) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer

    latitude, longitude = positions(annotation, lines, samples)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    return np.asarray(x), np.asarray(y)


def _between_knots(
    values: np.ndarray, lines: np.ndarray, samples: np.ndarray, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Return values on a lattice at all rows and columns, bilinear."""
    first, last = np.searchsorted(lines, row[0], side="right") - 1, np.searchsorted(lines, row[-1]) + 1
    part, at = values[first:last], lines[first:last]
    k = np.clip(np.searchsorted(at, row, side="right") - 1, 0, at.size - 2)
    u = ((row - at[k]) / (at[k + 1] - at[k]))[:, None]
    m = np.clip(np.searchsorted(samples, column, side="right") - 1, 0, samples.size - 2)
    v = (column - samples[m]) / (samples[m + 1] - samples[m])
    across = part[:, m] * (1.0 - v) + part[:, m + 1] * v
    return across[k] * (1.0 - u) + across[k + 1] * u
