"""Random fields by their spectra, on a grid somewhat larger than an imagette, so that the cut-out has no period."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from .presets import PIXEL_M, SIZE

PADDED = 432
"""Side of the periodic grid that fields are made on: 2^4 3^3."""


@functools.lru_cache(maxsize=1)
def wave_numbers() -> tuple[np.ndarray, np.ndarray]:
    """Return wave number, cycles per metre, and direction from the samples' axis, radians, float32, (432, 217)."""
    down = np.fft.fftfreq(PADDED, PIXEL_M)[:, None]
    across = np.fft.rfftfreq(PADDED, PIXEL_M)[None, :]
    k = np.hypot(down, across)
    k[0, 0] = 1e-9
    return k.astype(np.float32), np.arctan2(down, across + 0.0 * down).astype(np.float32)


@functools.lru_cache(maxsize=1)
def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return lines and samples of an imagette, pixels from its middle, float32, shapes (400, 1) and (1, 400)."""
    at = (np.arange(SIZE) - 0.5 * (SIZE - 1)).astype(np.float32)
    return at[:, None], at[None, :]


def of_spectrum(rng: np.random.Generator, amplitude: np.ndarray) -> np.ndarray:
    """Return a field of mean 0 and standard deviation 1 on the imagette.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    amplitude : numpy.ndarray of float32, shape (432, 217)
        Of every wave number.

    Returns
    -------
    numpy.ndarray of float32, shape (400, 400)
    """
    noise = rng.standard_normal((2, *amplitude.shape), dtype=np.float32)
    transform = noise[0] + 1j * noise[1]
    transform *= amplitude
    transform[0, 0] = 0.0
    row, column = rng.integers(0, PADDED - SIZE, 2)
    found = fft.irfft2(transform, s=(PADDED, PADDED))[row : row + SIZE, column : column + SIZE]
    found -= found.mean()
    return found / max(float(found.std()), 1e-12)


def red(rng: np.random.Generator, *, longest_m: float, slope: float, shortest_m: float = 2 * PIXEL_M) -> np.ndarray:
    """Return a field whose amplitudes fall as a power of the wave number, flat beyond a longest wavelength.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    longest_m, shortest_m : float
        Wavelengths, m; shorter ones fade out.
    slope : float
        The exponent.
    """
    k, _ = wave_numbers()
    return of_spectrum(rng, (k**2 + longest_m**-2) ** (-0.5 * slope) * np.exp(-((k * shortest_m) ** 2)))


def smooth(rng: np.random.Generator, scale_m: float) -> np.ndarray:
    """Return a field without structure below a scale, m."""
    k, _ = wave_numbers()
    return of_spectrum(rng, np.exp(-0.5 * (k * scale_m) ** 2))


@dataclass(frozen=True, kw_only=True)
class Lobe:
    """A peak of a directional spectrum.

    Attributes
    ----------
    wavelength_m : float
        Of the peak.
    width : float
        Standard deviation of the logarithm of the wavelength.
    direction, spread : float
        Of the wave numbers, from the samples' axis, radians; a spread of 0 means all directions alike.
    cutoff_m : float
        Azimuth cut-off, m: waves along the flight that are shorter are blurred. 0 for none.
    """

    wavelength_m: float
    width: float
    direction: float = 0.0
    spread: float = 0.0
    cutoff_m: float = 0.0

    def amplitude(self) -> np.ndarray:
        """Return the amplitudes on the grid of wave numbers."""
        k, angle = wave_numbers()
        out = np.exp(-0.5 * (np.log(k * self.wavelength_m) / self.width) ** 2)
        if self.spread > 0.0:
            off = np.abs((angle - self.direction + 0.5 * np.pi) % np.pi - 0.5 * np.pi)
            out *= np.exp(-0.5 * (off / self.spread) ** 2)
        if self.cutoff_m > 0.0:
            out *= np.exp(-0.5 * (k * np.sin(angle) * self.cutoff_m) ** 2)
        return out / np.maximum(k, 1e-6)


def lobe(rng: np.random.Generator, peak: Lobe) -> np.ndarray:
    """Return a field of a directional peak, mean 0 and standard deviation 1."""
    return of_spectrum(rng, peak.amplitude())


def warped(values: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return a field read at displaced places, bilinear; reflected at the borders.

    Parameters
    ----------
    values : numpy.ndarray, shape (400, 400)
        The field.
    down, across : numpy.ndarray, shape (400, 400)
        Displacement, pixels.
    """
    lines, samples = grid()
    middle = 0.5 * (SIZE - 1)
    places = np.stack([lines + middle + down, samples + middle + across])
    return ndimage.map_coordinates(values, places, order=1, mode="reflect")


def speckle(rng: np.random.Generator, looks: float) -> np.ndarray:
    """Return multiplicative speckle of mean 1, gamma distributed, correlated over two lines, float32, (400, 400).

    Of correlated normal numbers by Wilson and Hilferty (1931, doi:10.1073/pnas.17.12.684).
    """
    white = rng.standard_normal((SIZE + 1, SIZE), dtype=np.float32)
    z = (white[1:] + white[:-1]) * np.float32(np.sqrt(0.5))
    part = 1.0 / (9.0 * looks)
    return np.maximum(1.0 - part + np.float32(np.sqrt(part)) * z, 0.05) ** 3


def soft(values: np.ndarray) -> np.ndarray:
    """Return a step from 0 to 1 about zero."""
    return 0.5 + 0.5 * np.tanh(values)
