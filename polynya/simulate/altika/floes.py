"""Backscatter of floes as the footprint sees it.

An echo is no point: its first gate comes from a disc of 0.67 km around nadir. A field in two dimensions is drawn and
averaged over the disc, so successive echoes share most of what they see and differ little. Later gates come from rings
further out; that these see other floes is left out.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from . import echo, presets


def draw(rng: np.random.Generator, n: int, ranges: presets.Ranges) -> np.ndarray:
    """Return the backscatter around each echo over the mean in dB, dB, shape (n,).

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    n : int
        Echoes, a step apart.
    ranges : Ranges
        With the standard deviations and lengths of the field.
    """
    east, north = _disc()
    reach = int(north.max())
    field = np.zeros((2 * reach + 1, n + 2 * reach))
    for sd, length in zip(ranges.sigma0_sd, ranges.sigma0_m, strict=True):
        field += sd * correlated_field(rng, field.shape, length)
    power = 10.0 ** (field / 10.0)
    found = np.mean([power[reach + y, reach + x : reach + x + n] for x, y in zip(east, north, strict=True)], axis=0)
    return 10.0 * np.log10(found)


def correlated_field(
    rng: np.random.Generator, shape: tuple[int, int], length_m: float, *, step_m: float = presets.STEP_M
) -> np.ndarray:
    """Return a field of mean 0 and variance 1 whose correlation along each axis is exp(-distance / length).

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    shape : tuple of int
        Rows and columns.
    length_m : float
        Distance at which the correlation is 1/e.
    step_m : float
        Between rows, and between columns.
    """
    keep = np.exp(-step_m / length_m)
    found = rng.standard_normal(shape)
    for axis in (0, 1):
        found = np.moveaxis(found, axis, 0)
        found[1:] *= np.sqrt(1.0 - keep**2)
        found = np.moveaxis(lfilter([1.0], [1.0, -keep], found, axis=0), 0, axis)
    return found


def _disc() -> tuple[np.ndarray, np.ndarray]:
    """Return steps along and across of the points that answer within a gate of the first, each of shape (points,)."""
    reach = int(np.sqrt(1.0 / echo.delay_gates(presets.STEP_M)))
    east, north = (a.ravel() for a in np.meshgrid(*(np.arange(-reach, reach + 1),) * 2))
    inside = echo.delay_gates(presets.STEP_M * np.hypot(east, north)) < 1.0
    return east[inside], north[inside]
