"""Ratios of brightness temperatures that depend on the surface more than on its temperature.

Cavalieri, Gloersen and Campbell 1984 (doi:10.1029/JD089iD04p05355): the polarisation ratio is large over water and
small over ice; the gradient ratio tells weather and old ice.
"""

from __future__ import annotations

import numpy as np


def polarisation_ratio(vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """Return (V - H) / (V + H) of one frequency.

    Parameters
    ----------
    vertical, horizontal : numpy.ndarray, one shape
        Brightness temperatures, K; NaN where missing.
    """
    return _ratio(vertical, horizontal)


def gradient_ratio(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return (high - low) / (high + low) of two frequencies of one polarisation.

    Parameters
    ----------
    high, low : numpy.ndarray, one shape
        Brightness temperatures at the higher and the lower frequency, K; NaN where missing.
    """
    return _ratio(high, low)


def _ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return (first - second) / (first + second)
