"""Polygons around the jittered points of a lattice, each with a number of its own, for any place: no picture is kept.

Every pixel belongs to its nearest point (Voronoi). A point's place and number are a hash of its square of the lattice,
so windows of one world fit together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import compiled

_A, _B, _C = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_PART = np.uint64(0xFFFFF)
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
    y, x = (np.ascontiguousarray(v) for v in np.broadcast_arrays(*(np.asarray(v, np.float64) / size for v in (y, x))))
    own, other = np.zeros(y.shape, np.uint64), np.zeros(y.shape, np.uint64)
    apart, places = np.empty((2, y.size)), np.empty((4, y.size))
    _two_nearest(y.ravel(), x.ravel(), np.atleast_1d(mix(np.uint64(key))), own.ravel(), other.ravel(), apart, places)
    between = np.hypot(places[0] - places[2], places[1] - places[3])
    border = 0.5 * size * (apart[1] - apart[0]) / np.maximum(between, 1e-6)
    at_y, at_x = (places[k].reshape(y.shape) * size for k in (0, 1))
    return Polygons(own=own, next=other, border=border.astype(np.float32).reshape(y.shape), y=at_y, x=at_x)


@compiled.kernel
def _two_nearest(y, x, start, own, other, apart, places):
    """Fill in the two nearest points of every place, in squares of the lattice around it; lengths in squares."""
    for p in range(y.size):
        row, column = int(np.floor(y[p])), int(np.floor(x[p]))
        apart[0, p] = apart[1, p] = np.inf
        for n in range(9):
            i, j = row + (n // 3 + 1) % 3 - 1, column + (n % 3 + 1) % 3 - 1
            z = np.uint64(i + 1048576) << np.uint64(31) | np.uint64(j + 1048576)
            z = (start[0] ^ z) + _A
            z = (z ^ (z >> np.uint64(30))) * _B
            z = (z ^ (z >> np.uint64(27))) * _C
            z = z ^ (z >> np.uint64(31))
            at_y = i + 0.1 + 0.8 * ((z & _PART) / 1048576.0)
            at_x = j + 0.1 + 0.8 * (((z >> np.uint64(30)) & _PART) / 1048576.0)
            square = (at_y - y[p]) ** 2 + (at_x - x[p]) ** 2
            if square < apart[0, p]:
                other[p], apart[1, p], places[2, p], places[3, p] = own[p], apart[0, p], places[0, p], places[1, p]
                own[p], apart[0, p], places[0, p], places[1, p] = z, square, at_y, at_x
            elif square < apart[1, p]:
                other[p], apart[1, p], places[2, p], places[3, p] = z, square, at_y, at_x
