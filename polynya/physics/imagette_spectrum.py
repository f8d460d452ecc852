"""Where in wavelength and direction the variance of an imagette lies: eight bands, anisotropy, orientation.

The spectrum is that of the picture without its mean, by a discrete Fourier transform without a window, so that by
Parseval's theorem the powers of all wave numbers add up to the variance of the pixels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numba
import numpy as np
from scipy import fft

BANDS = 8
EDGES_M = tuple(100.0 * 10.0 ** (k / 4.0) for k in range(BANDS + 1))
"""Limits of the bands of wavelength, 100 m to 10 km, m."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """What the spectrum says.

    Attributes
    ----------
    power : numpy.ndarray of float64, shape (8,)
        Variance in the bands of :data:`EDGES_M`, in squared units of the picture.
    variance : float
        Of the picture; more than the sum where there are shorter or longer waves.
    anisotropy : float
        0 where variance is the same in all directions, 1 where all of it lies in one; over the bands.
    orientation : float
        Direction of the wave numbers, degrees from the samples' axis towards the lines', 0 to 180.
    """

    power: np.ndarray
    variance: float
    anisotropy: float
    orientation: float

    @property
    def shares(self) -> np.ndarray:
        """Share of the variance in each band, float64, shape (8,): the same whatever the gain; 0 without variance."""
        return self.power / self.variance if self.variance > 0.0 else np.zeros(BANDS)


@functools.lru_cache(maxsize=16)
def _plan(shape: tuple[int, int], azimuth_pixel_m: float, range_pixel_m: float) -> tuple[np.ndarray, ...]:
    """Return the band (-1 for none) and the cosine and sine of twice the direction of each wave number."""
    down = np.fft.fftfreq(shape[0], azimuth_pixel_m)[:, None]
    across = np.fft.rfftfreq(shape[1], range_pixel_m)[None, :]
    k2 = down**2 + across**2
    k2[0, 0] = np.inf
    band = np.searchsorted(EDGES_M, 1.0 / np.sqrt(k2), side="right").astype(np.int8) - 1
    band[band >= BANDS] = -1
    return band, ((across**2 - down**2) / k2).astype(np.float32), (2.0 * across * down / k2).astype(np.float32)


def spectrum(
    picture: np.ndarray, *, azimuth_pixel_m: float, range_pixel_m: float, mask: np.ndarray | None = None
) -> Spectrum:
    """Return the spectrum of a picture.

    Parameters
    ----------
    picture : numpy.ndarray of float, shape (rows, columns)
        NaN counts as not valid.
    azimuth_pixel_m, range_pixel_m : float
        Distances between lines and between samples, m.
    mask : numpy.ndarray of bool, shape (rows, columns), optional
        True where it is valid; elsewhere the mean stands in.

    Returns
    -------
    Spectrum
    """
    valid = np.isfinite(picture) if mask is None else np.isfinite(picture) & mask
    anomaly = np.zeros(picture.shape, np.float32)
    if valid.any():
        mean = picture.mean(dtype=np.float64) if valid.all() else picture[valid].mean(dtype=np.float64)
        np.subtract(picture, mean, out=anomaly, where=valid, casting="same_kind")
    rows, columns = picture.shape
    transform = fft.rfft2(anomaly)
    band, cosine, sine = _plan((rows, columns), float(azimuth_pixel_m), float(range_pixel_m))
    sums = np.zeros(BANDS + 3)
    _sum(transform, band, cosine, sine, columns % 2 == 0, sums)
    sums /= float(rows * columns) ** 2
    power, (total, along, aside) = sums[:BANDS], sums[BANDS:]
    inside = power.sum()
    angle = 0.5 * np.degrees(np.arctan2(aside, along)) % 180.0
    return Spectrum(
        power=power,
        variance=float(total),
        anisotropy=float(np.hypot(along, aside) / inside) if inside > 0.0 else 0.0,
        orientation=float(angle) if inside > 0.0 else 0.0,
    )


@numba.njit(cache=True, nogil=True)
def _sum(transform, band, cosine, sine, has_middle, sums):
    """Add the power of every wave number: its band, all of them, and twice its direction over the bands."""
    last = transform.shape[1] - 1
    for i in range(transform.shape[0]):
        for j in range(transform.shape[1]):
            value = transform[i, j]
            power = value.real * value.real + value.imag * value.imag
            if j > 0 and not (has_middle and j == last):
                power *= 2.0
            sums[8] += power
            k = band[i, j]
            if k >= 0:
                sums[k] += power
                sums[9] += power * cosine[i, j]
                sums[10] += power * sine[i, j]
