"""Stacks: the power of the looks at one strip, and the numbers that the product gives of them.

A look is at an angle along the track; looks follow each other every 80 m of flight. A diffuse surface is limited by the
antenna, a mirror by its slopes: its standard deviation is that of its slopes divided by the angle between two looks.
On real files the product's skewness and kurtosis agree with those of the values of power (0 for a Gaussian), and its
standard deviation with that of a Gaussian over the looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import presets
from .presets import CURVATURE

FITS = 4
"""Rounds of the Gaussian fit."""
FLOOR = 1e-6
"""Of the largest look: below it a logarithm is cut."""


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """The product's numbers of n stacks, shape (n,).

    Attributes
    ----------
    std : numpy.ndarray
        Of the Gaussian that fits the power over the looks, looks; NaN where none does.
    skewness, kurtosis : numpy.ndarray
        Of the values of power; the kurtosis is 0 for a Gaussian.
    peakiness : numpy.ndarray
        Power at nadir over the mean power (Passaro et al. 2018, doi:10.1016/j.asr.2017.07.039).
    """

    std: np.ndarray
    skewness: np.ndarray
    kurtosis: np.ndarray
    peakiness: np.ndarray


def look_number() -> np.ndarray:
    """Return the looks' numbers from nadir, shape (LOOKS,)."""
    return np.arange(presets.LOOKS) - 0.5 * (presets.LOOKS - 1)


def antenna_std() -> float:
    """Return the standard deviation of a stack that only the antenna limits, looks: 50.7.

    The two-way gain exp(-8 ln 2 (a / beamwidth)^2) has the standard deviation beamwidth / (4 sqrt(ln 2)).
    """
    width = np.deg2rad(presets.BEAM_ALONG_DEG) / (4.0 * np.sqrt(np.log(2.0)))
    return float(width * presets.HEIGHT_M / presets.LOOK_M)


def slope_std(slope: np.ndarray | float) -> np.ndarray:
    """Return the standard deviation of a stack that only slopes limit, looks.

    Parameters
    ----------
    slope : numpy.ndarray or float
        Standard deviation in each direction, radians; a look changes the angle to the local vertical by
        (1 + h/R) 80 m / h, 0.0071 degrees.
    """
    return np.asarray(slope) / (presets.LOOK_M * CURVATURE / presets.HEIGHT_M)


def shapes(slope: np.ndarray) -> np.ndarray:
    """Return stacks of surfaces without noise, with a mean of 1, shape (n, LOOKS).

    Parameters
    ----------
    slope : numpy.ndarray, shape (n,)
        Standard deviation of the slopes, radians.
    """
    both = 1.0 / np.sqrt(1.0 / antenna_std() ** 2 + 1.0 / slope_std(slope) ** 2)
    width = np.hypot(both, presets.BEAM_LOOKS)[..., None]
    found = np.exp(-0.5 * (look_number() / width) ** 2)
    return found / found.mean(axis=-1, keepdims=True)


def speckled(rng: np.random.Generator, power: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return stacks with gamma noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    power : numpy.ndarray, shape (n, LOOKS)
        Without noise.
    samples : numpy.ndarray, shape (n,)
        Independent samples in range that the power of a look is summed over.
    """
    shape = np.maximum(samples, presets.SPECULAR_LOOKS)[:, None]
    return power * (rng.standard_gamma(np.broadcast_to(shape, power.shape)) / shape)


def statistics(power: np.ndarray) -> Stacks:
    """Return the product's numbers of stacks.

    Parameters
    ----------
    power : numpy.ndarray, shape (n, LOOKS)
        Thermal noise taken off.
    """
    mean = power.mean(axis=1)
    apart = power - mean[:, None]
    second, third, fourth = ((apart**k).mean(axis=1) for k in (2, 3, 4))
    middle = power[:, presets.LOOKS // 2 - 1 : presets.LOOKS // 2 + 1].mean(axis=1)
    return Stacks(
        std=gaussian_std(power),
        skewness=third / second**1.5,
        kurtosis=fourth / second**2 - 3.0,
        peakiness=middle / mean,
    )


def gaussian_std(power: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the Gaussian that fits each stack, looks, shape (n,); NaN where none does.

    A parabola is fitted to the logarithm with the squared power as weight, which is then taken from the fit (Guo 2011,
    doi:10.1109/MSP.2011.941846), so looks with little power do not count.

    Parameters
    ----------
    power : numpy.ndarray, shape (n, looks)
        Of the looks.
    """
    x = (np.arange(power.shape[1]) - 0.5 * (power.shape[1] - 1)) / (0.5 * power.shape[1])
    largest = power.max(axis=1, keepdims=True)
    value = np.maximum(power / np.where(largest > 0, largest, 1.0), FLOOR)
    logarithm, base = np.log(value), x[:, None] ** np.arange(3)
    weight, fitted = value**2, np.full((len(power), 3), np.nan)
    for _ in range(FITS):
        matrix = np.einsum("nl,li,lj->nij", weight, base, base)
        right = np.einsum("nl,li->ni", weight * logarithm, base)
        # A little on the diagonal: one look alone gives no parabola
        fitted = np.linalg.solve(matrix + 1e-12 * np.eye(3), right[..., None])[..., 0]
        weight = np.exp(2.0 * np.clip(fitted @ base.T, -20.0, 0.5))
    narrow = fitted[:, 2] < 0
    out = np.full(len(power), np.nan)
    out[narrow] = 0.5 * power.shape[1] / np.sqrt(-2.0 * fitted[narrow, 2])
    return out
