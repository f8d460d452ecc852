"""The scene under a track as PNG tiles: a pyramid on the scene's own pixel grid, read where and as finely as it is
looked at."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..readers import sentinel2

TILE = 256
OVERVIEW = 2048
"""Longest side of the decimated scene that coarse tiles are cut from, pixels."""
BLOCK, BLOCKS = 1024, 12
"""Full depth is read in blocks of the agency's JPEG 2000 tiles, and so many of the last ones are kept (3 MB each)."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A scene that is open for display.

    Attributes
    ----------
    scene : sentinel2.Scene
    shape : (int, int)
        Rows and columns at full depth.
    left, top : float
        Outer corner of the first pixel in the scene's CRS, m.
    pixel_m : (float, float)
        Width and height of a pixel, m, both positive.
    small : numpy.ndarray of uint8, shape (h, w, 3)
        The decimated scene.
    levels : int
        Level k has pixels of 2**k scene pixels; the last one is a single tile.
    blocks : dict
        Blocks read last, by row and column; one thread at a time may use a picture.
    """

    scene: sentinel2.Scene
    shape: tuple[int, int]
    left: float
    top: float
    pixel_m: tuple[float, float]
    small: np.ndarray
    levels: int
    blocks: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, compare=False, repr=False)


def open_picture(path: Path | str) -> Picture:
    """Open a scene for display.

    Raises
    ------
    ProductError
        If it cannot be read, or is not north up.
    """
    scene = sentinel2.open_scene(Path(path))
    grid = scene.geobox.transform
    if abs(grid.b) > 1e-9 * abs(grid.a) or abs(grid.d) > 1e-9 * abs(grid.a) or grid.a <= 0 or grid.e >= 0:
        raise ProductError(
            f"{Path(path).name}: its grid is turned; expected rows from north to south. Warp it to a north-up grid"
            " (gdalwarp) to see it here."
        )
    rows, columns = scene.geobox.shape
    small, _ = sentinel2.overview(scene, most=OVERVIEW)
    levels = max(1, math.ceil(math.log2(max(rows, columns) / TILE)) + 1)
    return Picture(
        scene=scene,
        shape=(int(rows), int(columns)),
        left=grid.c,
        top=grid.f,
        pixel_m=(grid.a, -grid.e),
        small=small,
        levels=levels,
    )


def tile(picture: Picture, *, level: int, row: int, column: int) -> bytes | None:
    """Return a tile as PNG, transparent where the scene has no data; None outside the pyramid.

    Parameters
    ----------
    picture : Picture
        The open scene.
    level : int
        0 is full depth.
    row, column : int
        Of the tile at its level.
    """
    rows, columns = picture.shape
    step = 2**level
    r0, c0 = row * TILE * step, column * TILE * step
    if not 0 <= level < picture.levels or row < 0 or column < 0 or r0 >= rows or c0 >= columns:
        return None
    r1, c1 = min(r0 + TILE * step, rows), min(c0 + TILE * step, columns)
    high, wide = math.ceil((r1 - r0) / step), math.ceil((c1 - c0) / step)
    small = picture.small
    if step * max(small.shape[:2]) >= max(rows, columns) and step > 1:  # the decimated scene is fine enough
        at_r = np.minimum(
            ((r0 + (np.arange(high) + 0.5) * step) * small.shape[0] / rows).astype(int), small.shape[0] - 1
        )
        at_c = np.minimum(
            ((c0 + (np.arange(wide) + 0.5) * step) * small.shape[1] / columns).astype(int), small.shape[1] - 1
        )
        return png(small[at_r][:, at_c])
    return png(_reduced(_full_depth(picture, (r0, r1), (c0, c1)), step))


def _full_depth(picture: Picture, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    if rows[1] - rows[0] > BLOCK or columns[1] - columns[0] > BLOCK:
        return sentinel2.true_colour(picture.scene, window=(rows, columns))
    key = rows[0] // BLOCK, columns[0] // BLOCK  # tiles of up to a block lie in one
    block = picture.blocks.pop(key, None)
    if block is None:
        r, c = key[0] * BLOCK, key[1] * BLOCK
        block = sentinel2.true_colour(
            picture.scene, window=((r, min(r + BLOCK, picture.shape[0])), (c, min(c + BLOCK, picture.shape[1])))
        )
    picture.blocks[key] = block  # the newest last
    while len(picture.blocks) > BLOCKS:
        del picture.blocks[next(iter(picture.blocks))]
    return block[
        rows[0] % BLOCK : rows[0] % BLOCK + rows[1] - rows[0],
        columns[0] % BLOCK : columns[0] % BLOCK + columns[1] - columns[0],
    ]


def _reduced(rgb: np.ndarray, step: int) -> np.ndarray:
    """Return means over step x step pixels; a cell without any data stays 0."""
    if step == 1:
        return rgb
    rows, columns = rgb.shape[:2]
    first_r, first_c = np.arange(0, rows, step), np.arange(0, columns, step)
    total = np.add.reduceat(np.add.reduceat(rgb.astype(np.uint32), first_r, axis=0), first_c, axis=1)
    n = np.add.reduceat(np.add.reduceat(rgb.any(axis=2).astype(np.uint32), first_r, axis=0), first_c, axis=1)
    return (total / np.maximum(n, 1)[..., None]).round().astype(np.uint8)


def png(rgb: np.ndarray) -> bytes:
    """Return an 8-bit picture as PNG, transparent by its alpha, or without one where all three values are 0.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3) or (h, w, 4)
        Red, green, blue and perhaps alpha.

    Notes
    -----
    W3C Portable Network Graphics (PNG) Specification, third edition: colour type 6, no filter.
    """
    high, wide = rgb.shape[:2]
    lines = np.zeros((high, 1 + 4 * wide), np.uint8)  # every line begins with its filter: 0, none
    pixels = lines[:, 1:].reshape(high, wide, 4)
    pixels[..., :3] = rgb[..., :3]
    pixels[..., 3] = rgb[..., 3] if rgb.shape[2] == 4 else np.where(rgb.any(axis=2), 255, 0)
    lines[:, 1:] = pixels.reshape(high, 4 * wide)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    ]
    out = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in parts:
        out.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(out)
