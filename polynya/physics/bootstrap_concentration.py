"""Sea-ice concentration from microwave brightness temperatures, of the bootstrap type.

Comiso 1986 (doi:10.1029/JC091iC01p00975): in the plane of two channels, open water is a point and closed ice a line,
because ice of all ages lies along one. A mixture lies between them, and its concentration is the share of the way from
the point to the line. Here both are taken from cells whose concentration is known, so they hold for the sensor, season
and region of these cells only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

LEAST = 10
"""Cells that a tie point and a line need."""


@dataclass(frozen=True, kw_only=True)
class TiePoints:
    """Open water and closed ice in the plane of two channels.

    Attributes
    ----------
    water : (float, float)
        Brightness temperatures of open water, K.
    ice : (float, float)
        A point of the ice line, K.
    normal : (float, float)
        Unit vector across the ice line, towards the ice.
    """

    water: tuple[float, float]
    ice: tuple[float, float]
    normal: tuple[float, float]

    @property
    def contrast_k(self) -> float:
        """Distance of the water point from the ice line, K."""
        return float(np.dot(self.normal, np.subtract(self.ice, self.water)))


def fit(
    first: np.ndarray, second: np.ndarray, share: np.ndarray, *, water: float = 0.01, ice: float = 0.9
) -> TiePoints:
    """Return the water point and the ice line of cells of known concentration.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (n,)
        Brightness temperatures of two channels, K: 18.7 and 36.5 GHz, both vertical, in the frequency mode.
    share : numpy.ndarray, shape (n,)
        Concentration, 0 to 1.
    water, ice : float
        Cells of at most this concentration give the water point, of at least that the ice line. The line is the
        principal axis of its cells.

    Raises
    ------
    UsageError
        If fewer than 10 cells are water or ice, or the water point lies on the ice line.
    """
    points = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)], axis=1)
    known = np.isfinite(points).all(axis=1)
    is_water, is_ice = known & (share <= water), known & (share >= ice)
    if min(is_water.sum(), is_ice.sum()) < LEAST:
        raise UsageError(
            f"bootstrap concentration: {is_water.sum()} cells of at most {100 * water:g} % ice and {is_ice.sum()} of at"
            f" least {100 * ice:g} %; expected {LEAST} of both. Give other scenes."
        )
    point, centre = points[is_water].mean(axis=0), points[is_ice].mean(axis=0)
    _, along = np.linalg.eigh(np.cov((points[is_ice] - centre).T))
    normal = along[:, 0]
    distance = float(normal @ (centre - point))
    if abs(distance) < 1.0:
        raise UsageError(
            f"bootstrap concentration: the water point lies {abs(distance):.2f} K from the ice line; expected 1 K and"
            " more. The channels do not tell water from ice here."
        )
    normal = normal * np.sign(distance)
    return TiePoints(water=tuple(map(float, point)), ice=tuple(map(float, centre)), normal=tuple(map(float, normal)))


def concentration(ties: TiePoints, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the concentration of cells, cut at 0 and 1; NaN where a channel is missing.

    Parameters
    ----------
    ties : TiePoints
        Of :func:`fit`.
    first, second : numpy.ndarray, one shape
        Brightness temperatures of the same channels, K.
    """
    across = ties.normal[0] * (np.asarray(first, np.float64) - ties.water[0])
    across = across + ties.normal[1] * (np.asarray(second, np.float64) - ties.water[1])
    return np.clip(across / ties.contrast_k, 0.0, 1.0)
