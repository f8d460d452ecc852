"""Random numbers along a line: smooth fields, red noise, power laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class SmoothField:
    """A smooth function of along-track distance: offset, slope and a few long waves."""

    offset: float
    slope: float
    amplitudes: np.ndarray
    wavelengths: np.ndarray
    phases: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Evaluate at distances ``x`` (m), same shape out."""
        x = np.asarray(x, dtype=np.float64)
        out = self.offset + self.slope * x
        for amplitude, wavelength, phase in zip(self.amplitudes, self.wavelengths, self.phases, strict=True):
            out = out + amplitude * np.sin(2.0 * np.pi * x / wavelength + phase)
        return out


def smooth_field(
    rng: np.random.Generator,
    *,
    offset: tuple[float, float],
    slope: float,
    rms: float,
    wavelengths: tuple[float, float],
    waves: int = 6,
) -> SmoothField:
    """Draw a smooth field whose waves have a red spectrum.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the field.
    offset : tuple of float
        Range of the constant, m.
    slope : float
        Standard deviation of the mean slope, m/m.
    rms : float
        Root mean square of the sum of the waves, m.
    wavelengths : tuple of float
        Shortest and longest wave, m; drawn evenly in the logarithm, amplitude proportional to the wavelength.
    waves : int
        Number of waves.
    """
    lengths = np.exp(rng.uniform(np.log(wavelengths[0]), np.log(wavelengths[1]), waves))
    amplitudes = lengths * rng.uniform(0.5, 1.0, waves)
    amplitudes *= rms / np.sqrt(np.sum(amplitudes**2) / 2.0)
    return SmoothField(
        offset=rng.uniform(*offset),
        slope=slope * rng.standard_normal(),
        amplitudes=amplitudes,
        wavelengths=lengths,
        phases=rng.uniform(0.0, 2.0 * np.pi, waves),
    )


def power_law(rng: np.random.Generator, n: int, *, low: float, high: float, exponent: float) -> np.ndarray:
    """Draw from a density proportional to x**-exponent between two limits, by inverting its distribution."""
    a = 1.0 - exponent
    return (low**a + rng.random(n) * (high**a - low**a)) ** (1.0 / a)


def red_noise(n: int, scale: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a unit-variance Gaussian field of ``n`` cells, correlated over ``scale`` cells.

    White noise at knots of random phase, interpolated linearly and divided by the standard deviation of the
    interpolation.
    """
    at = (np.arange(n) + rng.uniform(0.0, scale)) / scale
    knot = at.astype(np.int64)
    share = at - knot
    noise = rng.standard_normal(int(n / scale) + 3)
    return (noise[knot] * (1.0 - share) + noise[knot + 1] * share) / np.sqrt(share**2 + (1.0 - share) ** 2)
