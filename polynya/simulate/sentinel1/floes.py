"""Floes, leads and their backscatter at any point of a scene: the same at 400 m as at 40 m.

Floes are cells of random polygons of several sizes, each half of the one before. A polygon is one floe, or it is broken
into polygons of the next size, with the probabilities that give a power law of sizes. Everything about a floe follows
from a hash of its place in the lattice, so that any part of a scene is drawn without the rest and always alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11, _S16 = (np.uint64(n) for n in (27, 30, 31, 11, 16))
_LOW16, _LOW20 = np.uint64(0xFFFF), np.uint64(0xFFFFF)
_FAR, _TO_LOG = 1.0e9, math.log(10.0) / 10.0
WHOLE = 8
"""Samples along a side of a cell from which a sample is ice or water; fewer hold shares of both."""
_SQUARES = np.array([(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)])


class Cover(NamedTuple):
    """An ice cover as the compiled kernel takes it; lengths in cells of 400 m.

    Attributes
    ----------
    key : int
        Seed of every hash.
    sizes : numpy.ndarray, float64, shape (n,)
        Diameters of the polygons, each half of the one before.
    kept : numpy.ndarray, float64, shape (n,)
        Probability that a polygon is one floe, away from the marginal ice zone; 1 for the last.
    target : numpy.ndarray, float32, shape (rows, columns)
        Concentration that the floes are to have, 0 to 1.
    broken : numpy.ndarray, float32
        1 at the ice edge, where waves leave only the smallest floes, 0 in the pack.
    mixed : float
        Share of broken ice whose floes are smaller than a pixel.
    warp : numpy.ndarray, float32, shape (2, rows, columns)
        Displacement of rows and columns that makes straight borders crooked.
    leads : numpy.ndarray, float64, shape (n, 8)
        One row per network: size, share of borders that are open, least and greatest width, and the 2 x 2 matrix that
        turns and squeezes rows and columns, so that most leads run one way.
    refrozen : float
        Share of the leads under new or young ice.
    odds : numpy.ndarray, float64, shape (4,)
        Cumulative shares of the ice types.
    """

    key: np.uint64
    sizes: np.ndarray
    kept: np.ndarray
    target: np.ndarray
    broken: np.ndarray
    mixed: float
    warp: np.ndarray
    leads: np.ndarray
    refrozen: float
    odds: np.ndarray


class Backscatter(NamedTuple):
    """Backscatter as the compiled kernel takes it.

    Attributes
    ----------
    water : numpy.ndarray, float32, shape (2, rows, columns)
        HH and HV of open water, dB.
    texture : numpy.ndarray, float32, shape (2, rows, columns)
        Added to the ice, dB.
    incidence : numpy.ndarray, float32, shape (columns,)
        Minus the reference angle, degrees.
    ice : numpy.ndarray, float64, shape (4, 2)
        Types at the reference angle, dB.
    slope : numpy.ndarray, float64, shape (4, 2)
        dB per degree.
    floe_db : float
        Standard deviation between floes.
    """

    water: np.ndarray
    texture: np.ndarray
    incidence: np.ndarray
    ice: np.ndarray
    slope: np.ndarray
    floe_db: float


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """Some rows of cells: backscatter at the samples, truth on the cells.

    Attributes
    ----------
    power : numpy.ndarray, float32, shape (2, rows * n, columns * n)
        HH and HV, linear.
    concentration : numpy.ndarray, float32, shape (rows, columns)
    stage : numpy.ndarray, uint8
        Place in ``presets.TYPES`` plus 1 of the type with the largest area; 0 without ice.
    floe : numpy.ndarray, uint8
        Code of AutoICE of the floe size with the largest area; 0 without ice.
    """

    power: np.ndarray
    concentration: np.ndarray
    stage: np.ndarray
    floe: np.ndarray


def render(cover: Cover, backscatter: Backscatter, *, rows: tuple[int, int], samples: int) -> Rendered:
    """Evaluate some rows of cells.

    Parameters
    ----------
    cover : Cover
        The ice.
    backscatter : Backscatter
        What it looks like.
    rows : tuple of int
        First row, and the row after the last.
    samples : int
        Along each side of a cell, see :data:`WHOLE`.
    """
    first, last = rows
    columns = cover.target.shape[1]
    shape = (last - first, columns)
    power = np.empty((2, shape[0] * samples, columns * samples), np.float32)
    concentration = np.empty(shape, np.float32)
    stage, floe = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    _render(cover, backscatter, first, samples, power, concentration, stage, floe)
    return Rendered(power=power, concentration=concentration, stage=stage, floe=floe)


@numba.njit(cache=True, inline="always")
def _mix(z: np.uint64) -> np.uint64:
    """Return a 64-bit hash (the finaliser of SplitMix64; Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195)."""
    z = z + _A
    z = (z ^ (z >> _S30)) * _B
    z = (z ^ (z >> _S27)) * _C
    return z ^ (z >> _S31)


@numba.njit(cache=True, inline="always")
def _unit(z: np.uint64) -> float:
    """Return a number of [0, 1)."""
    return (z >> _S11) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True, inline="always")
def _normal(z: np.uint64) -> float:
    """Return nearly a standard normal number: the sum of four even ones."""
    total = 0.0
    for _ in range(4):
        total += (z & _LOW16) * (1.0 / 65536.0)
        z = z >> _S16
    return (total - 2.0) * 1.7320508


@numba.njit(cache=True)
def _polygon(y: float, x: float, size: float, key: np.uint64) -> tuple[np.uint64, np.uint64, float, float, float]:
    """Return the polygon that holds a point, its neighbour, the distance to their border, and the polygon's centre.

    The centres lie in the squares of a lattice, a tenth of the side or more from their border.
    """
    y, x = y / size, x / size
    row, column = math.floor(y), math.floor(x)
    best = second = _FAR
    own, other = key, key
    own_y = own_x = other_y = other_x = 0.0
    for n in range(9):  # nearest squares first, so that most of the others need no look
        down, along = _SQUARES[n, 0], _SQUARES[n, 1]
        gap_y = y - row + 0.1 if down < 0 else row + 1.1 - y if down > 0 else 0.0
        gap_x = x - column + 0.1 if along < 0 else column + 1.1 - x if along > 0 else 0.0
        if gap_y * gap_y + gap_x * gap_x >= second:
            continue
        i, j = row + down, column + along
        z = _mix(key ^ (np.uint64(i + 1048576) << _S31 | np.uint64(j + 1048576)))
        sy = i + 0.1 + 0.8 * ((z & _LOW20) * (1.0 / 1048576.0))
        sx = j + 0.1 + 0.8 * ((z >> _S30 & _LOW20) * (1.0 / 1048576.0))
        d = (sy - y) * (sy - y) + (sx - x) * (sx - x)
        if d < best:
            second, other, other_y, other_x = best, own, own_y, own_x
            best, own, own_y, own_x = d, z, sy, sx
        elif d < second:
            second, other, other_y, other_x = d, z, sy, sx
    apart = math.sqrt((own_y - other_y) ** 2 + (own_x - other_x) ** 2)
    return own, other, 0.5 * size * (second - best) / max(apart, 1e-6), own_y * size, own_x * size


@numba.njit(cache=True, inline="always")
def _at(field: np.ndarray, y: float, x: float) -> float:
    """Return the value of the nearest cell; beyond the border that of the border."""
    i = min(max(int(y), 0), field.shape[0] - 1)
    j = min(max(int(x), 0), field.shape[1] - 1)
    return field[i, j]


@numba.njit(cache=True, inline="always")
def _between(field: np.ndarray, y: float, x: float) -> float:
    """Interpolate linearly between the centres of cells."""
    fy = min(max(y - 0.5, 0.0), field.shape[0] - 1.0)
    fx = min(max(x - 0.5, 0.0), field.shape[1] - 1.0)
    i, j = min(int(fy), max(field.shape[0] - 2, 0)), min(int(fx), max(field.shape[1] - 2, 0))
    k, m = min(i + 1, field.shape[0] - 1), min(j + 1, field.shape[1] - 1)
    fy, fx = fy - i, fx - j
    top = field[i, j] * (1.0 - fx) + field[i, m] * fx
    return top * (1.0 - fy) + (field[k, j] * (1.0 - fx) + field[k, m] * fx) * fy


@numba.njit(cache=True)
def _lead(y: float, x: float, spacing: float, cover: Cover) -> tuple[float, np.uint64]:
    """Return the share of a sample that leads cover, and the hash of the widest."""
    share, found = 0.0, cover.key
    for n in range(cover.leads.shape[0]):
        z, border, width = _crack(y, x, n, cover)
        if width <= 0.0:
            continue
        covered = min(max((0.5 * width - border) / spacing + 0.5, 0.0), 1.0) * min(width / spacing, 1.0)
        if covered > share:
            share, found = covered, z
    return share, found


@numba.njit(cache=True)
def _crack(y: float, x: float, n: int, cover: Cover) -> tuple[np.uint64, float, float]:
    """Return hash, distance and width of the border of a network's polygons next to a point; width 0 where closed."""
    size, likely, least, greatest = cover.leads[n, 0], cover.leads[n, 1], cover.leads[n, 2], cover.leads[n, 3]
    down = cover.leads[n, 4] * y + cover.leads[n, 5] * x
    along = cover.leads[n, 6] * y + cover.leads[n, 7] * x
    own, other, border, _, _ = _polygon(down, along, size, _mix(cover.key + np.uint64(n)))
    z = _mix(own ^ other)
    if _unit(z) >= likely:
        return z, border, 0.0
    u = _unit(_mix(z))
    return z, border, 1.0 / (1.0 / least + u * (1.0 / greatest - 1.0 / least))  # density of width ** -2


@numba.njit(cache=True)
def _floe(y: float, x: float, wy: float, wx: float, cover: Cover) -> tuple[np.uint64, np.uint64, int, float, float]:
    """Return what floe lies at a point.

    Hash of the floe, hash of the largest polygon around it, its size, its concentration, and the distance to the next
    border. The size is the place in ``sizes``, or -1 for floes smaller than a pixel; the concentration is then a share,
    else 0 or 1.
    """
    parent, nearest = cover.key, _FAR
    last = cover.sizes.shape[0] - 1
    for level in range(last + 1):
        key = _mix(cover.key ^ np.uint64(level + 17))
        own, _, border, cy, cx = _polygon(y + wy, x + wx, cover.sizes[level], key)
        nearest = min(nearest, border)
        if level == 0:
            parent = own
        wave = _at(cover.broken, cy - wy, cx - wx)
        z = _mix(own)
        if level == last or _unit(z) < cover.kept[level] * (1.0 - wave) ** 2:
            wanted = _at(cover.target, cy - wy, cx - wx)
            z = _mix(z)
            if level == last and _unit(z) < cover.mixed * wave:
                share = wanted + 0.3 * math.sqrt(wanted * (1.0 - wanted)) * _normal(_mix(z))
                return own, parent, -1, min(max(share, 0.0), 1.0), nearest
            closed = wanted + 0.6 * (1.0 - wanted) * (1.0 - wave) if wanted > 0.8 else wanted
            return own, parent, level, 1.0 if _unit(_mix(z + _B)) < closed else 0.0, nearest
    return cover.key, cover.key, 0, 0.0, nearest


@numba.njit(cache=True)
def _is_uniform(y: float, x: float, cover: Cover) -> bool:
    """Return whether the cell around a point lies within one floe and has no lead: then one look does for it all."""
    if _at(cover.target, y, x) <= 0.0 and _at(cover.broken, y, x) <= 0.0:
        return True
    wy, wx = _between(cover.warp[0], y, x), _between(cover.warp[1], y, x)
    # Half a diagonal, drawn out by the displacement's gradient.
    reach = 0.0
    for dy, dx in ((0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5)):
        ty, tx = _between(cover.warp[0], y + dy, x + dx), _between(cover.warp[1], y + dy, x + dx)
        reach = max(reach, math.hypot(dy + ty - wy, dx + tx - wx))
    reach *= 1.4  # the second nearest centre is not always across the nearest border
    _, _, size, share, border = _floe(y, x, wy, wx, cover)
    if size < 0 or border < reach:
        return False
    if share > 0.0 and _at(cover.broken, y, x) < 0.5:
        for n in range(cover.leads.shape[0]):
            _, border, width = _crack(y + wy, x + wx, n, cover)
            if width > 0.0 and border < reach + 0.5 * width + 0.5:
                return False
    return True


@numba.njit(cache=True)
def _type(own: np.uint64, parent: np.uint64, odds: np.ndarray) -> int:
    """Return the ice type of a floe: mostly that of the largest polygon around it."""
    z = _mix(own ^ _A)
    u = _unit(_mix(parent ^ _B)) if _unit(z) < 0.6 else _unit(_mix(z))
    kind = 0
    while kind < 3 and u >= odds[kind]:
        kind += 1
    return kind


@numba.njit(cache=True)
def _point(y: float, x: float, samples: int, cover: Cover) -> tuple[np.uint64, int, int, int, float, float]:
    """Return floe, its type, type of the lead (-1 open), size, share of the floe, share of the lead's ice."""
    own, kind, young, size, share, opened = cover.key, 0, -1, -1, 0.0, 0.0
    if _at(cover.target, y, x) <= 0.0 and _at(cover.broken, y, x) <= 0.0:
        return own, kind, young, size, share, opened
    wy, wx = _between(cover.warp[0], y, x), _between(cover.warp[1], y, x)
    own, parent, size, share, _ = _floe(y, x, wy, wx, cover)
    kind = _type(own, parent, cover.odds)
    if samples >= WHOLE and size < 0:
        z = _mix(own ^ _mix(np.uint64(int(y * samples)) * _B + np.uint64(int(x * samples))))
        share = 1.0 if _unit(z) < share else 0.0
    if share > 0.0 and _at(cover.broken, y, x) < 0.5:
        opened, z = _lead(y + wy, x + wx, 1.0 / samples, cover)
        if samples >= WHOLE:
            opened = 1.0 if opened >= 0.5 else 0.0
        z = _mix(z + _C)
        if _unit(z) < cover.refrozen:
            young = 0 if _unit(_mix(z)) < 0.7 else 1
    return own, kind, young, size, share * (1.0 - opened), share * opened if young >= 0 else 0.0


@numba.njit(cache=True)
def _ice_db(own: np.uint64, kind: int, p: int, y: float, x: float, look: Backscatter) -> float:
    """Return backscatter of ice of a type at a point, dB."""
    db = look.ice[kind, p] + look.slope[kind, p] * look.incidence[int(x)] + _at(look.texture[p], y, x)
    return db + look.floe_db * _normal(_mix(own + np.uint64(p)))


@numba.njit(cache=True, parallel=True)
def _render(
    cover: Cover,
    look: Backscatter,
    first: int,
    samples: int,
    power: np.ndarray,
    concentration: np.ndarray,
    stage: np.ndarray,
    floe: np.ndarray,
) -> None:
    """Fill the arrays of :class:`Rendered`, from row ``first`` of the cells on."""
    for row in numba.prange(concentration.shape[0]):
        area, form = np.zeros(4), np.zeros(6)
        for column in range(concentration.shape[1]):
            area[:] = 0.0
            form[:] = 0.0
            steps = samples
            if _is_uniform(first + row + 0.5, column + 0.5, cover):
                steps = 1
            for k in range(steps * steps):
                i, j = k // steps, k % steps
                y, x = first + row + (i + 0.5) / steps, column + (j + 0.5) / steps
                own, kind, young, size, ice, frozen = _point(y, x, samples, cover)
                each = samples // steps
                for p in range(2):
                    solid = 0.0
                    if ice > 0.0:
                        solid += ice * math.exp(_TO_LOG * _ice_db(own, kind, p, y, x, look))
                    if frozen > 0.0:
                        solid += frozen * math.exp(_TO_LOG * _ice_db(own, young, p, y, x, look))
                    wet = 1.0 - ice - frozen
                    for m in range(each * each):
                        down, along = i * each + m // each, j * each + m % each
                        total = solid
                        if wet > 0.0:
                            sy, sx = first + row + (down + 0.5) / samples, column + (along + 0.5) / samples
                            total += wet * math.exp(_TO_LOG * _between(look.water[p], sy, sx))
                        power[p, row * samples + down, column * samples + along] = total
                area[kind] += ice / (steps * steps)
                area[max(young, 0)] += frozen / (steps * steps)
                form[_form(size, cover.sizes)] += ice + frozen
            total = area.sum()
            concentration[row, column] = min(total, 1.0)
            stage[row, column] = np.argmax(area) + 1 if total > 0.0 else 0
            floe[row, column] = np.argmax(form) if total > 0.0 else 0


@numba.njit(cache=True)
def _form(size: int, sizes: np.ndarray) -> int:
    """Return AutoICE's floe class: 2 small to 100 m, 3 medium to 500 m, 4 big to 2 km, 5 vast."""
    if size < 0:
        return 2
    if sizes[size] < 1.25:
        return 3
    return 4 if sizes[size] < 5.0 else 5
