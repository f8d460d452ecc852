"""Where the pixels of a swath lie: an image in the sensor's own geometry, with geolocation points for a map grid.

Positions are interpolated as n-vectors, the unit normals of the ellipsoid (Gade 2010, doi:10.1017/S0373463309990415),
by bicubic splines, or bilinearly. Neither the antimeridian nor a pole is a special place for them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RectBivariateSpline
from scipy.spatial import cKDTree

from ..errors import ProductError

SEMI_MAJOR_M, FLATTENING = 6378137.0, 1 / 298.257223563
"""The WGS 84 ellipsoid."""
_E2 = FLATTENING * (2.0 - FLATTENING)
_STEPS = 12
"""Newton steps, at most, from a geolocation point to a position; three or four are usual."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Swath:
    """The grid of an image in the sensor's own geometry.

    Attributes
    ----------
    shape : (int, int)
        Lines and samples of the image.
    lines : numpy.ndarray of float64, shape (n,)
        Lines of the geolocation points, increasing, 0 is the middle of the first line; at least two. The first must
        not lie after the image's first line, nor the last before its last one, by more than one interval.
    samples : numpy.ndarray of float64, shape (m,)
        Samples of the geolocation points, in the same way.
    latitude, longitude : numpy.ndarray of float64, shape (n, m)
        Geodetic, WGS 84, degrees.
    degree : int
        Of the splines: 3, or 1 where positions jump between points, as those of a radar do at a coast: they are those
        of terrain, and a cubic spline of such a step swings over the sea beside it.

    Raises
    ------
    ProductError
        If shapes do not fit, points do not increase, or a position is missing or impossible.
    """

    shape: tuple[int, int]
    lines: np.ndarray
    samples: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    degree: int = 3

    def __post_init__(self) -> None:
        points = (len(self.lines), len(self.samples))
        if min(points) < 2 or self.latitude.shape != points or self.longitude.shape != points:
            raise ProductError(
                f"swath: {points[0]} lines and {points[1]} samples with latitudes {self.latitude.shape} and longitudes"
                f" {self.longitude.shape}; expected two or more of each and one position per point. Look at the"
                " product's geolocation grid."
            )
        if not (np.diff(self.lines) > 0).all() or not (np.diff(self.samples) > 0).all():
            raise ProductError(
                "swath: lines or samples of the geolocation points do not increase; expected them sorted."
            )
        known = np.isfinite(self.latitude) & np.isfinite(self.longitude) & (np.abs(self.latitude) <= 90.0)
        if not known.all():
            raise ProductError(
                f"swath: {int((~known).sum())} geolocation points have no position; expected latitudes of -90 to 90 and"
                " longitudes. Look at the product's geolocation grid."
            )

    @functools.cached_property
    def _splines(self) -> tuple[RectBivariateSpline, ...]:
        """Splines of the three components of the n-vector."""
        order = tuple(min(self.degree, n - 1) for n in self.latitude.shape)
        vectors = n_vector(self.latitude, self.longitude)
        return tuple(RectBivariateSpline(self.lines, self.samples, v, kx=order[0], ky=order[1]) for v in vectors)

    @functools.cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(n_vector(self.latitude, self.longitude).reshape(3, -1).T)

    def positions(self, line: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where pixels lie.

        Parameters
        ----------
        line, sample : numpy.ndarray, one shape
            Whole numbers are the middles of pixels; fractions lie between.

        Returns
        -------
        latitude, longitude : numpy.ndarray of float64, same shape
            Degrees; longitude from -180 to 180.
        """
        line, sample = np.broadcast_arrays(np.asarray(line, np.float64), np.asarray(sample, np.float64))
        return degrees(np.stack([s.ev(line, sample) for s in self._splines]))

    def window(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return where the pixels of a window lie.

        Parameters
        ----------
        rows, columns : slice
            Start and stop, of the image.

        Returns
        -------
        latitude, longitude : numpy.ndarray of float64, shape (h, w)
            Degrees.
        """
        return self.grid(np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop))

    def grid(self, lines: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the crossings of lines and samples lie.

        Parameters
        ----------
        lines, samples : numpy.ndarray, shape (h,), (w,)
            Increasing; fractions of pixels are allowed.

        Returns
        -------
        latitude, longitude : numpy.ndarray of float64, shape (h, w)
            Degrees.
        """
        line, sample = np.asarray(lines, np.float64), np.asarray(samples, np.float64)
        return degrees(np.stack([s(line, sample) for s in self._splines]))

    def locate(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which pixels hold positions: the inverse of :meth:`positions`.

        Parameters
        ----------
        latitude, longitude : numpy.ndarray, one shape
            Degrees.

        Returns
        -------
        line, sample : numpy.ndarray of float64, same shape
            Fractions of pixels; NaN for positions more than half a pixel outside the image.
        """
        latitude, longitude = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(longitude, float))
        shape, wanted = latitude.shape, n_vector(latitude.ravel(), longitude.ravel())
        nearest = self._tree.query(np.nan_to_num(wanted.T))[1]
        i, j = np.divmod(nearest, len(self.samples))
        line, sample = self.lines[i].astype(float), self.samples[j].astype(float)
        reach = (np.ptp(self.lines), np.ptp(self.samples))
        for _ in range(_STEPS):
            off = wanted - np.stack([s.ev(line, sample) for s in self._splines])
            down, right = self._slopes(line, sample)
            a, b, c = (down * down).sum(0), (down * right).sum(0), (right * right).sum(0)
            p, q = (down * off).sum(0), (right * off).sum(0)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = ((c * p - b * q) / (a * c - b * b), (a * q - b * p) / (a * c - b * b))
            line = np.clip(line + step[0], self.lines[0] - reach[0], self.lines[-1] + reach[0])
            sample = np.clip(sample + step[1], self.samples[0] - reach[1], self.samples[-1] + reach[1])
            if np.nanmax(np.abs(step), initial=0.0) < 1e-9:
                break
        inside = (line >= -0.5) & (line <= self.shape[0] - 0.5) & (sample >= -0.5) & (sample <= self.shape[1] - 0.5)
        found = np.stack([s.ev(line, sample) for s in self._splines])
        fits = np.abs(wanted - found / np.linalg.norm(found, axis=0)).max(axis=0) < 1e-6
        is_known = inside & fits
        return np.where(is_known, line, np.nan).reshape(shape), np.where(is_known, sample, np.nan).reshape(shape)

    def _slopes(self, line: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the change of the n-vector per line and per sample; a spline of degree 1 has none at its knots, so a
        difference stands in."""
        if self.degree > 1:
            down = [s.ev(line, sample, dx=1) for s in self._splines]
            return np.stack(down), np.stack([s.ev(line, sample, dy=1) for s in self._splines])
        top = np.clip(line - 0.5, self.lines[0], self.lines[-1] - 1.0)
        left = np.clip(sample - 0.5, self.samples[0], self.samples[-1] - 1.0)
        down = [s.ev(top + 1.0, sample) - s.ev(top, sample) for s in self._splines]
        return np.stack(down), np.stack([s.ev(line, left + 1.0) - s.ev(line, left) for s in self._splines])

    @property
    def pixel_m(self) -> tuple[float, float]:
        """Distances from sample to sample and from line to line in the middle of the image, m."""
        line, sample = self.shape[0] / 2 - 0.5, self.shape[1] / 2 - 0.5
        lat, lon = self.positions(
            np.array([line, line, line - 0.5, line + 0.5]), np.array([sample - 0.5, sample + 0.5, sample, sample])
        )
        place = cartesian_m(lat, lon)
        return float(np.linalg.norm(place[:, 1] - place[:, 0])), float(np.linalg.norm(place[:, 3] - place[:, 2]))


def n_vector(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return the unit normals of the ellipsoid at positions, shape (3, ...).

    Parameters
    ----------
    latitude, longitude : numpy.ndarray
        Geodetic, degrees.
    """
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def degrees(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude, degrees, of normals of any length, shape (3, ...).

    Parameters
    ----------
    vectors : numpy.ndarray, shape (3, ...)
        As of :func:`n_vector`.
    """
    x, y, z = vectors
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def middle_of(latitude: np.ndarray, longitude: np.ndarray) -> tuple[float, float]:
    """Return latitude and longitude, degrees, in the middle of positions that lie near each other.

    Parameters
    ----------
    latitude, longitude : numpy.ndarray, shape (n,)
        Geodetic, degrees.
    """
    north, east = degrees(n_vector(latitude, longitude).mean(axis=1))
    return float(north), float(east)


def cartesian_m(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return Earth-centred coordinates of positions on the WGS 84 ellipsoid, m, shape (3, ...).

    Parameters
    ----------
    latitude, longitude : numpy.ndarray
        Geodetic, degrees.
    """
    n = n_vector(latitude, longitude)
    radius = SEMI_MAJOR_M / np.sqrt(1.0 - _E2 * n[2] ** 2)
    return np.stack([radius * n[0], radius * n[1], radius * (1.0 - _E2) * n[2]])
