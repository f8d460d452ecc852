"""Class rasters to outlines: polygons without seams, glacier by glacier along the divides of an inventory, and the
uncertainty band.

A raster is read block by block; polygons that touch a block's edge are merged over it, so the result does not depend on
the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from rasterio.windows import Window

from ..errors import ProductError, UsageError
from ..io import opening
from ..scenes.areas import area_km2, pixel_area_m2

BLOCK = 2048
"""Side of a block, pixels."""
CONFIDENT = 0.95
"""Confidence below which a pixel belongs to the uncertainty band (Maslov et al. 2025,
doi:10.1038/s41467-024-54956-x)."""

Read = Callable[[slice, slice], np.ndarray]
"""Takes rows and columns, returns that part of a raster."""


def from_raster(path: Path | str, *, band: int = 1, threshold: float | None = None) -> tuple[Read, GeoBox]:
    """Return a raster file as something :func:`vectorise` reads block by block, and its grid.

    Parameters
    ----------
    path : Path or str
        The raster.
    band : int
        Its band, from 1.
    threshold : float, optional
        Values of at least this are 1, others and missing ones 0 (a probability becomes a mask).

    Raises
    ------
    ProductError
        If it cannot be read or has no CRS.
    """
    path = Path(path)
    with opening.open_raster(path) as data:
        if data.crs is None:
            raise ProductError(
                f"{path.name}: has no coordinate reference system; expected a georeferenced raster. Assign one"
                " (gdal_edit -a_srs)."
            )
        if not 1 <= band <= data.count:
            raise ProductError(
                f"{path.name}: holds {data.count} band(s); expected a raster with band {band}. Check the file."
            )
        geobox, nodata = GeoBox((data.height, data.width), data.transform, data.crs), data.nodatavals[band - 1]

    def read(rows: slice, columns: slice) -> np.ndarray:
        with opening.open_raster(path) as data:
            values = data.read(band, window=Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop)))
        if threshold is None:
            return values
        high = values >= threshold
        return high if nodata is None or np.isnan(nodata) else high & (values != nodata)

    return read, geobox


def vectorise(
    mask: np.ndarray | Read,
    *,
    geobox: GeoBox,
    min_area_km2: float = 0.01,
    is_smoothed: bool = True,
    simplify_m: float = 0.0,
    seen: Read | None = None,
    block: int = BLOCK,
) -> gpd.GeoDataFrame:
    """Return the outlines of a mask as polygons along the pixels' edges.

    Pixels belong together where they share an edge; holes are kept. Memory is that of a block and of the polygons.

    Parameters
    ----------
    mask : numpy.ndarray, shape (h, w), or callable
        1 or true is glacier, anything else (also 255, unlabelled) is not. A callable takes rows and columns (slices).
    geobox : odc.geo.GeoBox
        Its grid.
    min_area_km2 : float
        Smaller polygons are left out, after merging; km² on the ellipsoid, holes taken off. 0.01 is the RGI's.
    is_smoothed : bool
        Take the 3 x 3 median first, as published; at the scene's edge the edge pixels are repeated.
    simplify_m : float
        Tolerance of a simplification (Douglas and Peucker 1973) that keeps polygons valid; 0 keeps the pixels.
    seen : callable, optional
        Takes rows and columns, returns which pixels were seen. The others lie in no polygon, and the median is that of
        the seen pixels; without it all are seen.
    block : int
        Side of a block, pixels.

    Returns
    -------
    geopandas.GeoDataFrame
        A polygon a row, in the grid's CRS, sorted from north to south and west to east, with ``area_km2``.

    Raises
    ------
    UsageError
        If mask and grid differ in shape, or a number is out of range.
    """
    height, width = (int(n) for n in geobox.shape)
    if isinstance(mask, np.ndarray) and mask.shape != (height, width):
        raise UsageError(
            f"outlines: the mask has shape {mask.shape}; expected the grid's {(height, width)}. Give the grid that"
            " belongs to it."
        )
    if geobox.crs is None or min_area_km2 < 0 or simplify_m < 0 or block < 4:
        raise UsageError(
            "outlines: the grid has no CRS, or min_area_km2, simplify_m or block is out of range; expected a CRS, none"
            " negative, blocks of 4 pixels or more."
        )
    read = mask if callable(mask) else lambda rows, columns: mask[rows, columns]
    whole: list[np.ndarray] = []
    cut: list[np.ndarray] = []
    for rows, columns in windows((height, width), block=block):
        area = pixel_area_m2(geobox, rows.start, columns.start)
        inside = _smooth(read, seen, rows, columns, (height, width)) if is_smoothed else read(rows, columns) == 1
        found = _polygons(inside if seen is None else inside & seen(rows, columns))
        if not len(found):
            continue
        box = shapely.bounds(found)
        inner = _inside(box, rows, columns, (height, width))
        large = shapely.area(found) * area > 0.8e6 * min_area_km2  # pixels differ in area by far less than a fifth
        whole.append(_moved(found[inner & large], rows, columns))
        cut.append(_moved(found[~inner], rows, columns))
    pixels = np.concatenate([*whole, _merged(np.concatenate(cut))]) if whole else np.empty(0, object)
    grid = geobox.transform
    polygons = shapely.transform(
        pixels,
        lambda xy: np.column_stack(
            [grid.c + grid.a * xy[:, 0] + grid.b * xy[:, 1], grid.f + grid.d * xy[:, 0] + grid.e * xy[:, 1]]
        ),
    )
    frame = gpd.GeoDataFrame(geometry=gpd.GeoSeries(polygons, crs=geobox.crs.to_wkt()), crs=geobox.crs.to_wkt())
    if simplify_m:
        tolerance = simplify_m / (111_320.0 if geobox.crs.geographic else 1.0)
        frame = frame.set_geometry(frame.geometry.simplify(tolerance, preserve_topology=True))
    frame["area_km2"] = area_km2(frame)
    frame = frame[frame["area_km2"] >= min_area_km2]
    bounds = frame.geometry.bounds
    return frame.iloc[np.lexsort((bounds["minx"], -bounds["maxy"]))].reset_index(drop=True)


def uncertainty_band(
    confidence: np.ndarray | Read,
    *,
    geobox: GeoBox,
    threshold: float = CONFIDENT,
    min_area_km2: float = 0.0,
    block: int = BLOCK,
) -> gpd.GeoDataFrame:
    """Return where the confidence is below a threshold, as polygons; missing confidence is no band.

    Parameters
    ----------
    confidence : numpy.ndarray, shape (h, w), or callable
        1 - entropy in bits, calibrated; NaN where nothing was predicted.
    geobox : odc.geo.GeoBox
        Its grid.
    threshold : float
        Confidence below which a pixel belongs to the band.
    min_area_km2 : float
        Smaller pieces are left out.
    block : int
        Side of the blocks in which it is read, pixels.
    """
    read = confidence if callable(confidence) else lambda rows, columns: confidence[rows, columns]
    return vectorise(
        lambda rows, columns: read(rows, columns) < threshold,
        geobox=geobox,
        min_area_km2=min_area_km2,
        is_smoothed=False,
        block=block,
    )


def windows(shape: tuple[int, int], *, block: int = BLOCK) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the blocks of a grid, row by row."""
    for top in range(0, shape[0], block):
        for left in range(0, shape[1], block):
            yield slice(top, min(top + block, shape[0])), slice(left, min(left + block, shape[1]))


def with_halo(
    rows: slice, columns: slice, shape: tuple[int, int], halo: int
) -> tuple[slice, slice, tuple[slice, slice]]:
    """Return a window with a halo inside the grid, and where the window lies in it."""
    top, left = max(rows.start - halo, 0), max(columns.start - halo, 0)
    bottom, right = min(rows.stop + halo, shape[0]), min(columns.stop + halo, shape[1])
    own = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    return slice(top, bottom), slice(left, right), own


def _smooth(read: Read, seen: Read | None, rows: slice, columns: slice, shape: tuple[int, int]) -> np.ndarray:
    """Return the 3 x 3 median of a mask: more than half of the seen pixels about a place are 1."""
    wide_rows, wide_columns, _ = with_halo(rows, columns, shape, 1)
    missing = [
        (1 - (s.start - w.start), 1 - (w.stop - s.stop)) for s, w in ((rows, wide_rows), (columns, wide_columns))
    ]

    def nine(values: np.ndarray) -> np.ndarray:
        part = np.pad(values.astype(np.uint8), missing, mode="edge")
        line = part[:-2] + part[1:-1] + part[2:]
        return line[:, :-2] + line[:, 1:-1] + line[:, 2:]

    mask = np.asarray(read(wide_rows, wide_columns)) == 1
    if seen is None:
        return nine(mask) >= 5
    known = np.asarray(seen(wide_rows, wide_columns))
    return 2 * nine(mask & known) > nine(known)


def _polygons(mask: np.ndarray) -> np.ndarray:
    mask = np.ascontiguousarray(mask, np.uint8)
    if not mask.any():
        return np.empty(0, object)
    return np.array(
        [shapely.geometry.shape(g) for g, _ in shapes(mask, mask=mask.astype(bool), connectivity=4)], object
    )


def _inside(box: np.ndarray, rows: slice, columns: slice, shape: tuple[int, int]) -> np.ndarray:
    """Tell which polygons touch no edge that another block lies behind; boxes are in pixels of the block."""
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    out = np.ones(len(box), bool)
    for at, edge, is_outer in ((box[:, 0], 0, columns.start == 0), (box[:, 1], 0, rows.start == 0)):
        out &= (at > edge) | is_outer
    for at, edge, is_outer in ((box[:, 2], wide, columns.stop == shape[1]), (box[:, 3], tall, rows.stop == shape[0])):
        out &= (at < edge) | is_outer
    return out


def _moved(polygons: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    return (
        shapely.transform(polygons, lambda xy: xy + np.array([columns.start, rows.start], float))
        if len(polygons)
        else polygons
    )


def _merged(polygons: np.ndarray) -> np.ndarray:
    """Return polygons on whole pixels merged over shared edges, without the points that merging leaves on straight
    lines."""
    if not len(polygons):
        return polygons
    parts = shapely.get_parts(shapely.union_all(polygons))
    return np.array(
        [
            shapely.Polygon(_corners(p.exterior), [_corners(r) for r in p.interiors])
            for p in parts
            if p.geom_type == "Polygon"
        ],
        object,
    )


def _corners(ring: shapely.LinearRing) -> np.ndarray:
    points = shapely.get_coordinates(ring)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0] != 0
    return points[turns]
