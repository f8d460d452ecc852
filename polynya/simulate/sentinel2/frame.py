"""The grid of a simulated scene: a UTM box around the track, and the transformation to the track's coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyproj import CRS, Transformer

from ...errors import UsageError
from ..icesat2.ground_track import PAIR_OFFSET, beam_position

PIXEL = 10.0
GRID = 60.0
"""The box begins and ends on multiples of the coarsest bands' pixels, m."""
MARGIN = 2000.0
"""Scene beyond the outer beams and the track's ends, m: room for the drift and for the search of it."""
_ORDER = 3


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A north-up grid of 10 m pixels.

    Attributes
    ----------
    epsg : int
    left, top : float
        Easting and northing of the outer corner of the first pixel, m.
    rows, columns : int
        Multiples of six.
    to_map, to_track : tuple of arrays
        Polynomials (along, across) -> (easting, northing) and back: two coefficient arrays each, with the scaling in
        front.
    """

    epsg: int
    left: float
    top: float
    rows: int
    columns: int
    to_map: tuple[np.ndarray, np.ndarray]
    to_track: tuple[np.ndarray, np.ndarray]

    def position(self, along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return easting and northing, m, of places given along and left of the track, m."""
        return _evaluate(self.to_map, along, across)

    def track(self, easting: np.ndarray, northing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distance along and left of the track, m, of places on the map."""
        return _evaluate(self.to_track, easting, northing)

    def pixel_track(self, *, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return where each pixel's ice was under the laser: along, across, float32, shape (rows, columns).

        Parameters
        ----------
        shift : tuple of float
            East and north, m: what must be added to an ICESat-2 position to find the same ice in the image.
        """
        easting = self.left + (np.arange(self.columns) + 0.5) * PIXEL - shift[0]
        along = np.empty((self.rows, self.columns), np.float32)
        across = np.empty_like(along)
        for row in range(self.rows):
            along[row], across[row] = self.track(easting, np.float64(self.top - (row + 0.5) * PIXEL - shift[1]))
        return along, across

    def extent(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the range along and across the track that the box covers, m, with a margin of 1600 m for the drift."""
        edge = np.linspace(0.0, 1.0, 21)
        east = self.left + np.concatenate([edge, edge, np.zeros(21), np.ones(21)]) * self.columns * PIXEL
        north = self.top - np.concatenate([np.zeros(21), np.ones(21), edge, edge]) * self.rows * PIXEL
        along, across = self.track(east, north)
        return (along.min() - 1600.0, along.max() + 1600.0), (across.min() - 1600.0, across.max() + 1600.0)


def scene_frame(track: np.ndarray, *, length: float) -> Frame:
    """Return the grid of a scene around a track.

    Parameters
    ----------
    track : numpy.ndarray
        Knots of the reference track, as :func:`.ground_track.reference_track` returns them.
    length : float
        Of the track, m.

    Raises
    ------
    UsageError
        If the track is too long for one zone's plane.
    """
    x = np.linspace(0.0, length, 41)
    y = np.linspace(PAIR_OFFSET["gt3"], PAIR_OFFSET["gt1"], 9)
    along, across = (g.ravel() for g in np.meshgrid(x, y))
    places = [beam_position(track, x, aside) for aside in y]
    latitude, longitude = (np.concatenate([p[i] for p in places]) for i in (0, 1))
    epsg = utm_zone(float(latitude[latitude.size // 2]), float(longitude[longitude.size // 2]))
    easting, northing = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    to_map, to_track = _fit((along, across), (easting, northing)), _fit((easting, northing), (along, across))
    there, back = _evaluate(to_map, along, across), _evaluate(to_track, easting, northing)
    off = max(
        float(np.abs(f - t).max()) for f, t in zip((*there, *back), (easting, northing, along, across), strict=True)
    )
    if off > 0.5:
        raise UsageError(
            f"a track of {length / 1000.0:g} km bends by {off:.1f} m in EPSG:{epsg}; expected less than 0.5 m. Choose a"
            " shorter one."
        )
    left, bottom = (GRID * np.floor((v.min() - MARGIN) / GRID) for v in (easting, northing))
    right, top = (GRID * np.ceil((v.max() + MARGIN) / GRID) for v in (easting, northing))
    return Frame(
        epsg=epsg,
        left=float(left),
        top=float(top),
        rows=round((top - bottom) / PIXEL),
        columns=round((right - left) / PIXEL),
        to_map=to_map,
        to_track=to_track,
    )


def utm_zone(latitude: float, longitude: float) -> int:
    """Return the EPSG code of the UTM zone of a place."""
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    return (32600 if latitude >= 0.0 else 32700) + zone


def tile_name(latitude: float, epsg: int) -> str:
    """Return a tile name with the true zone and latitude band; no real tile has the square ``XX``."""
    band = "CDEFGHJKLMNPQRSTUVWX"[int(np.clip((latitude + 80.0) // 8.0, 0, 19))]
    return f"{epsg % 100:02d}{band}XX"


def crs_name(epsg: int) -> str:
    """Return the name as the product's metadata writes it."""
    return CRS.from_epsg(epsg).name.replace("WGS 84 / UTM zone", "WGS84 / UTM zone")


def _terms(u: np.ndarray, v: np.ndarray) -> list[np.ndarray]:
    powers_u, powers_v = [np.ones(())], [np.ones(())]
    for _ in range(_ORDER):
        powers_u.append(powers_u[-1] * u)
        powers_v.append(powers_v[-1] * v)
    return [powers_u[i] * powers_v[j] for i in range(_ORDER + 1) for j in range(_ORDER + 1 - i)]


def _fit(source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    middle = [float(np.mean(s)) for s in source]
    scale = 1e4
    terms = np.stack(
        [
            np.broadcast_to(t, source[0].shape)
            for t in _terms((source[0] - middle[0]) / scale, (source[1] - middle[1]) / scale)
        ],
        axis=1,
    )
    solved = [np.concatenate([[*middle, scale], np.linalg.lstsq(terms, t, rcond=None)[0]]) for t in target]
    return solved[0], solved[1]


def _evaluate(
    polynomial: tuple[np.ndarray, np.ndarray], first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    u0, v0, scale = polynomial[0][:3]
    u, v = (np.asarray(first, np.float64) - u0) / scale, (np.asarray(second, np.float64) - v0) / scale
    terms = _terms(u, v)
    out = []
    for coefficients in polynomial:
        total = np.zeros(np.broadcast(u, v).shape)
        for c, term in zip(coefficients[3:], terms, strict=True):
            total += c * term
        out.append(total)
    return out[0], out[1]
