"""Terrain of a glacier scene: ridges and valleys eroded by rivers, troughs eroded by ice, gullies; or a real DEM.

Rivers follow the stream-power law dz/dt = U - K A^m S, solved implicitly from the outlet upwards (Braun and Willett
2013, doi:10.1016/j.geomorph.2012.10.008), on a surface with filled pits (Barnes et al. 2014,
doi:10.1016/j.cageo.2013.04.024); hillslopes stay below a critical angle that varies in space.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from ...errors import ProductError
from ...io import opening
from .noise import fractal, gradient, resize, smoothstep

DOMAIN = 12_800.0
"""Width of the ground, m, of the regions' relief."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The bed that ice lies on, before any ice.

    Attributes
    ----------
    bed : numpy.ndarray, float32, shape (rows, columns)
        Height on the ice model's cells, m: above the lowest point until the scene sets the level, or above the datum
        of a real DEM.
    cell_m : float
        Cell size, m.
    is_real : bool
        Whether the heights are from a DEM.
    """

    bed: np.ndarray
    cell_m: float
    is_real: bool


def draw_ground(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cell_m: float,
    *,
    relief_m: float,
    plateau: float,
    steepness: float = 40.0,
) -> Ground:
    """Draw a mountain range.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the terrain.
    shape : tuple of int
        Rows and columns of cells.
    cell_m : float
        Cell size, m.
    relief_m : float
        Height between the 0.5th and 99.5th percentile over 12.8 km; scaled by (width / 12.8 km)^0.6.
    plateau : float
        0: sharp ridges; 1: a high plateau cut by valleys, as under ice caps.
    steepness : float
        Mean critical angle of hillslopes, degrees.
    """
    wide = int(np.ceil(1.42 * max(shape))) + 4
    final, shape = (
        shape,
        (wide, wide),
    )  # rotated at the end: the eight directions of the rivers must not follow the grid
    open_sides = np.zeros(4, bool)
    open_sides[rng.choice(4, rng.integers(1, 4), replace=False)] = True
    coarse = tuple(max(int(np.ceil(n / 4)), 8) for n in shape)
    surface = fractal(rng, coarse, longest=max(coarse), beta=3.0) + 0.6 * _tilt(rng, coarse)
    surface = surface - surface.min()
    span = max(shape) * cell_m
    relief = relief_m * (span / DOMAIN) ** 0.6
    surface *= 0.25 * relief / surface.max()
    exponent = float(rng.uniform(0.5, 0.75))
    for divide, steps, blur in ((5, 60, 0.25), (2, 30, 0.4)):
        grid = tuple(max(int(np.ceil(n / divide)), 8) for n in shape)
        surface = resize(surface, grid, order=1).astype(np.float64)
        surface += 0.004 * relief * fractal(rng, grid, longest=8.0, beta=2.0)
        size = span / max(grid)
        uplift = np.exp(0.6 * fractal(rng, grid, longest=max(grid) * 0.6, beta=3.0)).astype(np.float64)
        hardness = np.exp(0.6 * fractal(rng, grid, longest=max(grid) * 0.3, beta=2.5)).astype(np.float64)
        angle = _critical(rng, grid, steepness)
        for _ in range(steps):
            surface = _erode(surface, uplift * relief * 0.05, hardness * 0.32, angle, size, span, exponent, open_sides)
            surface = gaussian_filter(surface, blur, mode="nearest")
    surface = gaussian_filter(resize(surface, shape, order=3).astype(np.float64), 0.7, mode="nearest")
    surface += 0.012 * relief * fractal(rng, shape, longest=max(shape) / 10.0, beta=3.0)
    low, high = np.percentile(surface, (0.5, 99.5))
    surface = (surface - low) * relief / (high - low)
    still = np.zeros(shape)
    surface = _erode(surface, still, still, _critical(rng, shape, steepness), cell_m, span, exponent, open_sides)
    surface = gaussian_filter(surface, 0.4, mode="nearest")
    if plateau > 0.0:
        top = np.percentile(surface, 100.0 - 55.0 * plateau)
        over = np.maximum(surface - top, 0.0)
        surface = (
            np.minimum(surface, top)
            + over * (1.0 - 0.85 * plateau)
            + 0.02 * relief * gaussian_filter(fractal(rng, shape, longest=max(shape) * 0.4), 1.0)
        )
    turn = rng.uniform(0.0, 2.0 * np.pi)
    y, x = (a - (n - 1) / 2.0 for a, n in zip(np.mgrid[: final[0], : final[1]].astype(float), final, strict=True))
    at = np.stack([np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x]) + (wide - 1) / 2.0
    surface = map_coordinates(surface, at, order=3, mode="nearest")
    return Ground(bed=(surface - surface.min()).astype(np.float32), cell_m=cell_m, is_real=False)


def read_ground(path: Path, rng: np.random.Generator, shape: tuple[int, int], cell_m: float) -> Ground:
    """Read a window of a real DEM, randomly rotated and mirrored.

    Parameters
    ----------
    path : Path
        GeoTIFF or another raster of :data:`polynya.io.opening.RASTER_DRIVERS`, heights in
        metres; geographic grids are scaled by the cosine of their latitude.
    rng : numpy.random.Generator
        Draws the window.
    shape : tuple of int
        Rows and columns of cells.
    cell_m : float
        Cell size, m.

    Raises
    ------
    ProductError
        If it cannot be read, or is smaller than half of the window.
    """
    with opening.open_raster(path, expected="a DEM, heights in metres. Check --dem") as handle:
        heights = handle.read(1, masked=True).astype(np.float32).filled(np.nan)
        step = np.array(handle.res, float)
        if handle.crs is not None and handle.crs.is_geographic:
            middle = np.radians(0.5 * (handle.bounds.top + handle.bounds.bottom))
            step = step * 111_195.0 * np.array([np.cos(middle), 1.0])
    holds = np.array(heights.shape) * step[::-1]
    wanted = np.array(shape) * cell_m
    if np.isnan(heights).mean() > 0.5 or np.any(holds < 0.5 * wanted):
        raise ProductError(
            f"{Path(path).name}: covers {holds[1] / 1000:.1f} x {holds[0] / 1000:.1f} km; expected at least half of"
            f" {wanted[1] / 1000:.1f} x {wanted[0] / 1000:.1f} km with valid heights. Ask for a smaller --size or"
            " pixel."
        )
    heights = np.where(np.isnan(heights), np.nanmedian(heights), heights)
    turn = int(rng.integers(0, 4))
    heights = np.rot90(heights, turn)
    step = step[::-1] if turn % 2 else step
    if rng.random() < 0.5:
        heights = heights[:, ::-1]
    # map_coordinates mirrors a DEM that is smaller than the ground.
    first = [
        rng.uniform(0.0, max(n - w * cell_m / s, 0.0))
        for n, w, s in zip(heights.shape, shape, (step[1], step[0]), strict=True)
    ]
    at = np.meshgrid(
        *(f + np.arange(w) * cell_m / s for f, w, s in zip(first, shape, (step[1], step[0]), strict=True)),
        indexing="ij",
    )
    return Ground(
        bed=map_coordinates(heights, at, order=3, mode="reflect").astype(np.float32), cell_m=cell_m, is_real=True
    )


def carve(ground: Ground, thickness: np.ndarray, *, depth: float) -> Ground:
    """Erode troughs where the ice was thick: deeper and wider valleys, basins for lakes, truncated spurs.

    Parameters
    ----------
    ground : Ground
        Before the erosion.
    thickness : numpy.ndarray, float
        Ice of the glacial maximum, m, on the ground's cells.
    depth : float
        Metres of rock eroded per metre of ice.
    """
    smooth = gaussian_filter(thickness, 1.2)
    worn = 1.0 - np.exp(-smooth / 120.0)
    level = gaussian_filter(ground.bed, 2.0)
    bed = ground.bed + 0.55 * worn * (np.minimum(level, ground.bed + 60.0) - ground.bed) - depth * smooth
    return Ground(bed=bed.astype(np.float32), cell_m=ground.cell_m, is_real=ground.is_real)


def add_detail(rng: np.random.Generator, bed: np.ndarray, pixel_m: float, *, roughness: float) -> np.ndarray:
    """Return the bed with gullies and crags, finer than the ice model's cells.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the detail.
    bed : numpy.ndarray, float32, shape (rows, columns)
        Height interpolated to the scene's pixels, m.
    pixel_m : float
        Pixel size, m.
    roughness : float
        About 1.

    Returns
    -------
    numpy.ndarray, float32
    """
    east, north = gradient(bed, pixel_m)
    steep = smoothstep(np.hypot(east, north), 0.12, 0.9)
    longest = 500.0 / pixel_m
    crag = fractal(rng, bed.shape, longest=longest, beta=2.7)
    ridged = 1.0 - 2.0 * np.abs(fractal(rng, bed.shape, longest=0.7 * longest, beta=2.9))
    out = bed + roughness * (0.8 + 11.0 * steep) * (0.7 * crag + 0.4 * ridged)
    out = out.astype(np.float64)
    angle = np.full(out.shape, np.tan(np.radians(70.0)))
    for _ in range(3):
        _gully(out, steep.astype(np.float64), angle, pixel_m, 0.002 * roughness)
    return out.astype(np.float32)


def fill(surface: np.ndarray) -> np.ndarray:
    """Return the surface with every pit filled to its spill point, float64."""
    shape = surface.shape
    filled, *_ = _flood(surface.astype(np.float64).ravel(), shape[0], shape[1], np.ones(4, np.bool_))
    return filled.reshape(shape)


def _tilt(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = np.mgrid[-1.0 : 1.0 : shape[0] * 1j, -1.0 : 1.0 : shape[1] * 1j]
    return np.cos(angle) * x + np.sin(angle) * y


def _critical(rng: np.random.Generator, shape: tuple[int, int], steepness: float) -> np.ndarray:
    degrees = steepness + 10.0 * fractal(rng, shape, longest=max(shape) * 0.25, beta=2.0)
    return np.tan(np.radians(np.clip(degrees, 18.0, 68.0))).astype(np.float64)


def _erode(surface, uplift, erodibility, angle, size, span, exponent, open_sides):
    shape = surface.shape
    flat = surface.ravel()
    filled, order, parent = _flood(flat, shape[0], shape[1], open_sides)
    out = flat + uplift.ravel()
    _stream_power(out, flat, filled, order, parent, erodibility.ravel(), angle.ravel(), shape[1], size, span, exponent)
    return out.reshape(shape)


@numba.njit(cache=True)
def _flood(z, rows, columns, open_sides):
    """Fill pits from the open sides; return the filled surface, the order of flooding and what each cell spills to."""
    n = z.size
    filled = z.copy()
    parent = np.arange(n)
    order = np.empty(n, np.int64)
    seen = np.zeros(n, np.bool_)
    heap = [(0.0, np.int64(0))]
    heap.pop()
    for r in range(rows):
        for c in range(columns):
            on = (
                (open_sides[0] and r == 0)
                or (open_sides[1] and r == rows - 1)
                or (open_sides[2] and c == 0)
                or (open_sides[3] and c == columns - 1)
            )
            if on:
                i = np.int64(r * columns + c)
                seen[i] = True
                heapq.heappush(heap, (z[i], i))
    count = 0
    while len(heap) > 0:
        height, i = heapq.heappop(heap)
        order[count] = i
        count += 1
        r, c = i // columns, i % columns
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                a, b = r + dr, c + dc
                if a < 0 or b < 0 or a >= rows or b >= columns:
                    continue
                j = np.int64(a * columns + b)
                if seen[j]:
                    continue
                seen[j] = True
                parent[j] = i
                filled[j] = max(z[j], height + 1e-5)
                heapq.heappush(heap, (filled[j], j))
    return filled, order, parent


@numba.njit(cache=True)
def _steepest(z, i, columns):
    """Return the neighbour of cell ``i`` with the steepest descent, or ``i`` if there is none lower."""
    rows = z.size // columns
    r, c = i // columns, i % columns
    best, to = 0.0, i
    for dr in range(-1, 2):
        for dc in range(-1, 2):
            a, b = r + dr, c + dc
            if a < 0 or b < 0 or a >= rows or b >= columns or (dr == 0 and dc == 0):
                continue
            j = a * columns + b
            s = (z[i] - z[j]) / (1.4142135 if dr != 0 and dc != 0 else 1.0)
            if s > best:
                best, to = s, j
    return to


@numba.njit(cache=True)
def _stream_power(  # noqa: PLR0913
    out, z, filled, order, parent, erodibility, angle, columns, size, span, exponent
):
    """Make one implicit step; water flows down the steepest descent of the filled surface."""
    n = z.size
    area = np.ones(n)
    receiver = parent.copy()
    for i in range(n):
        if parent[i] != i:
            j = _steepest(filled, i, columns)
            receiver[i] = j if j != i else parent[i]
    for k in range(n - 1, -1, -1):
        i = order[k]
        if receiver[i] != i:
            area[receiver[i]] += area[i]
    unit = size * size / (span * span)
    for k in range(n):
        i = order[k]
        j = receiver[i]
        if j == i:
            out[i] = z[i]
            continue
        d = (1.4142135 if (abs(i - j) != 1 and abs(i - j) != columns) else 1.0) * size
        f = erodibility[i] * (area[i] * unit) ** exponent * span / d
        out[i] = (out[i] + f * out[j]) / (1.0 + f)
        top = out[j] + angle[i] * d
        if out[i] > top:
            out[i] = top


@numba.njit(cache=True)
def _gully(z, steep, angle, pixel, rate):
    """Incise the steep ground once along its steepest descents; cells are visited from the highest."""
    columns = z.shape[1]
    n = z.size
    flat = z.ravel()
    order = np.argsort(-flat)
    area = np.ones(n)
    receiver = np.arange(n)
    for k in range(n):
        i = order[k]
        receiver[i] = _steepest(flat, i, columns)
        if receiver[i] != i:
            area[receiver[i]] += area[i]
    for k in range(n - 1, -1, -1):
        i = order[k]
        j = receiver[i]
        if j == i:
            continue
        r, c = i // columns, i % columns
        d = (1.4142135 if (abs(i - j) != 1 and abs(i - j) != columns) else 1.0) * pixel
        f = rate * min(area[i], 400.0) ** 0.5 * pixel * steep[r, c] * pixel / d
        h = (flat[i] + f * flat[j]) / (1.0 + f)
        top = flat[j] + angle[r, c] * d
        z[r, c] = min(h, top)
        flat[i] = z[r, c]
