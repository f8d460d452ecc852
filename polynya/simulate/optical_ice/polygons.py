"""Polygons around the jittered points of a lattice, each with a number of its own, for any place: no picture is kept.

Every pixel belongs to its nearest point (Voronoi). A point's place and number are a hash of its square of the lattice,
so windows of one world fit together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_A, _B, _C = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_FRACTION = 1.0 / 9007199254740992.0


@dataclass(frozen=True, kw_only=True)
class Polygons:
    """The polygons of some pixels.

    Attributes
    ----------
    own : numpy.ndarray of uint64, shape (h, w)
        Hash of the polygon that holds the pixel.
    next : numpy.ndarray of uint64, shape (h, w)
        Hash of its nearest neighbour.
    border : numpy.ndarray of float32, shape (h, w)
        Distance to the border with that neighbour, in units of y and x.
    y, x : numpy.ndarray of float, shape (h, w)
        Place of the polygon's point.
    """

    own: np.ndarray
    next: np.ndarray
    border: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @property
    def edge(self) -> np.ndarray:
        """Hash of the border, the same from both sides."""
        return mix(self.own ^ self.next)


def mix(z: np.ndarray | np.uint64) -> np.ndarray:
    """Return 64-bit hashes (the finaliser of SplitMix64; Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195)."""
    with np.errstate(over="ignore"):
        z = np.asarray(z, np.uint64) + _A
        z = (z ^ (z >> np.uint64(30))) * _B
        z = (z ^ (z >> np.uint64(27))) * _C
    return z ^ (z >> np.uint64(31))


def unit(z: np.ndarray) -> np.ndarray:
    """Return hashes as numbers of [0, 1)."""
    return (z >> np.uint64(11)) * _FRACTION


def polygons(y: np.ndarray, x: np.ndarray, *, size: float, key: int) -> Polygons:
    """Return the polygons of places.

    Parameters
    ----------
    y, x : numpy.ndarray of float, shape (h, w)
        Places.
    size : float
        Side of a square of the lattice, in the same units: the typical width of a polygon.
    key : int
        Another key, other polygons.
    """
    y, x = np.asarray(y, np.float64) / size, np.asarray(x, np.float64) / size
    row, column = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    shape = np.broadcast_shapes(y.shape, x.shape)
    first, second = np.full(shape, np.inf), np.full(shape, np.inf)
    own, other = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    places = [np.zeros(shape) for _ in range(4)]
    start = mix(np.uint64(key))
    for down in (0, -1, 1):
        for along in (0, -1, 1):
            i, j = row + down, column + along
            z = mix(start ^ ((i + 1048576).astype(np.uint64) << np.uint64(31) | (j + 1048576).astype(np.uint64)))
            sy = i + 0.1 + 0.8 * ((z & np.uint64(0xFFFFF)) / 1048576.0)
            sx = j + 0.1 + 0.8 * ((z >> np.uint64(30) & np.uint64(0xFFFFF)) / 1048576.0)
            apart = (sy - y) ** 2 + (sx - x) ** 2
            nearest, nearer = apart < first, apart < second
            moved = nearer & ~nearest
            for at, new in ((0, sy), (1, sx)):
                places[at + 2] = np.where(nearest, places[at], np.where(moved, new, places[at + 2]))
                places[at] = np.where(nearest, new, places[at])
            other = np.where(nearest, own, np.where(moved, z, other))
            own = np.where(nearest, z, own)
            second = np.where(nearest, first, np.where(moved, apart, second))
            first = np.where(nearest, apart, first)
    between = np.hypot(places[0] - places[2], places[1] - places[3])
    border = 0.5 * size * (second - first) / np.maximum(between, 1e-6)
    return Polygons(own=own, next=other, border=border.astype(np.float32), y=places[0] * size, x=places[1] * size)
