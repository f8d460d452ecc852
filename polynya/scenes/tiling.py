"""A scene in tiles: decoded once to a scratch file, read with the surroundings a tile needs, worked on several
threads."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .. import io
from ..errors import OutputError, one_line
from ..readers import sentinel2
from ..readers.sentinel2_safe import BandFile

if TYPE_CHECKING:
    from rasterio.windows import Window

TILE = 1024
"""Pixels a side of a tile; the agency's JPEG 2000 files are cut so."""
T = TypeVar("T")
R = TypeVar("R")


def parts(window: Window, size: int) -> list[Window]:
    """Return the cuts of a window by a grid of tiles that starts at the scene's upper left corner.

    Parameters
    ----------
    window : rasterio.windows.Window
        In whole pixels.
    size : int
        Pixels a side.

    Returns
    -------
    list of rasterio.windows.Window
        They cover the window once; where the window lies changes no tile's borders inside it.
    """
    from rasterio.windows import Window

    rows = _cuts(window.row_off, window.row_off + window.height, size)
    columns = _cuts(window.col_off, window.col_off + window.width, size)
    return [Window(c0, r0, c1 - c0, r1 - r0) for r0, r1 in rows for c0, c1 in columns]


def _cuts(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    edges = [start, *range((start // size + 1) * size, stop, size), stop]
    return list(itertools.pairwise(edges))


def with_halo(window: Window, halo: int, *, shape: tuple[int, int]) -> tuple[Window, tuple[slice, slice]]:
    """Return a window with a halo on all sides, as far as the scene goes, and where the window lies in it.

    Parameters
    ----------
    window : rasterio.windows.Window
        In whole pixels.
    halo : int
        Its width, pixels.
    shape : (int, int)
        Rows and columns of the scene.
    """
    from rasterio.windows import Window

    r0, c0 = max(window.row_off - halo, 0), max(window.col_off - halo, 0)
    r1 = min(window.row_off + window.height + halo, shape[0])
    c1 = min(window.col_off + window.width + halo, shape[1])
    top, left = window.row_off - r0, window.col_off - c0
    return Window(c0, r0, c1 - c0, r1 - r0), (slice(top, top + window.height), slice(left, left + window.width))


def cut(array: np.ndarray, window: Window, *, within: Window) -> np.ndarray:
    """Return the view of ``array``, which lies on ``within``, that lies on ``window``."""
    r0, c0 = window.row_off - within.row_off, window.col_off - within.col_off
    return array[r0 : r0 + window.height, c0 : c0 + window.width]


def workers() -> int:
    """Return how many tiles are worked at once: the cores, four at most, for every one holds its memory."""
    return max(1, min(os.cpu_count() or 1, 4))


def each(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield ``function(item)`` in order, computed on threads that run only a little ahead, so that results do not pile
    up."""
    count = workers()
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def unpacked(scene: sentinel2.Scene, *, advance: Callable[[int], None] | None = None) -> Iterator[sentinel2.Scene]:
    """Yield the scene with its true colour decoded into a scratch file, for work that reads tiles more than once.

    Parameters
    ----------
    scene : sentinel2.Scene
        The scene.
    advance : callable, optional
        Called with the number of pixels that were decoded since its last call.

    Raises
    ------
    OutputError
        If the temporary folder has no room: three bytes per pixel, 360 MB for a whole product.

    Notes
    -----
    JPEG 2000 is decoded in tiles of 1024 pixels, and a tile's surroundings reach into eight others. A GeoTIFF that
    holds the colours is used as it is.
    """
    import rasterio
    from rasterio.errors import RasterioError

    colours = scene.file("TCI")
    if colours is not None and colours.path.is_file() and colours.path.suffix.lower() != ".jp2":
        yield scene
        return
    rows, columns = scene.geobox.shape
    with io.scratch() as folder:
        path = folder / "true_colour.tif"
        tiles = parts(sentinel2.whole(scene), TILE)
        try:
            with rasterio.open(
                path,
                "w",
                driver="GTiff",
                width=columns,
                height=rows,
                count=3,
                dtype="uint8",
                tiled=True,
                blockxsize=256,
                blockysize=256,
                photometric="RGB",
                interleave="pixel",
                crs=scene.geobox.crs.to_wkt(),
                transform=scene.geobox.affine,
                BIGTIFF="IF_SAFER",
            ) as out:
                for window, rgb in zip(
                    tiles, each(lambda w: sentinel2.true_colour(scene, window=w), tiles), strict=True
                ):
                    out.write(np.moveaxis(rgb, -1, 0), window=window)
                    if advance:
                        advance(window.height * window.width)
        except (OSError, RasterioError) as error:
            raise OutputError(
                f"{scene.scene_id}: cannot be decoded into {folder} ({one_line(error)[:120]}); expected room for"
                f" {rows * columns * 3 >> 20} MB. Free space there, or set TMPDIR."
            ) from error
        scratch = BandFile(name="TCI", path=path, index=1, resolution_m=abs(scene.geobox.affine.a))
        yield replace(scene, files=(*(f for f in scene.files if f.name != "TCI"), scratch))
