"""Errors of radar scenes that a network shall not trust: a gain that is a little wrong, and steps at the borders of
sub-swaths where the noise was not removed to the end.

In scenes of Sentinel-1 EW the sub-swaths side by side have thermal noise that differs by up to 6 dB, so what is left of
it looks like a change of the ice. Which sub-swath a pixel is of follows from its incidence angle, on any grid.
"""

from __future__ import annotations

import numpy as np

from ..sensors.radar_ice import SWATH_BORDERS
from .scene_samples import Augment
from .scene_scaling import LIMIT, Scaling

ANGLE = "incidence"
BORDER_SD = 0.2
"""How much the borders move between products, degrees."""


def add(scaled: np.ndarray, *, settings: Augment, scaling: Scaling, rng: np.random.Generator) -> None:
    """Add constants to the polarisations of a window in place; nothing is drawn where the settings are 0.

    Parameters
    ----------
    scaled : numpy.ndarray, shape (bands, h, w)
        Scaled bands, NaN where missing.
    settings : Augment
        ``gain_db`` and ``swath_db``.
    scaling : Scaling
        How bands are scaled.
    rng : numpy.random.Generator
        Random generator.
    """
    if not (settings.gain_db or settings.swath_db):
        return
    swath = _swaths(scaled, scaling, rng) if settings.swath_db else None
    for k in _bands(scaling, "backscatter_db"):
        decibels = rng.normal(0.0, settings.gain_db)
        if swath is not None:
            decibels = decibels + rng.normal(0.0, settings.swath_db, len(SWATH_BORDERS) + 1)[swath]
        scaled[k] += np.float32(decibels) / np.float32(scaling.high[k] - scaling.low[k])
        np.clip(scaled[k], -LIMIT, LIMIT, out=scaled[k])


def _bands(scaling: Scaling, quantity: str) -> list[int]:
    """Return the numbers of the bands that measure a quantity."""
    sensors = [name for name, count in scaling.sensors.items() for _ in range(count)]
    return [k for k, name in enumerate(sensors) if scaling.quantities.get(name) == quantity]


def _swaths(scaled: np.ndarray, scaling: Scaling, rng: np.random.Generator) -> np.ndarray | None:
    """Return the sub-swath of every pixel, 0 to 4; None where no incidence angle is given."""
    if ANGLE not in scaling.band_names:
        return None
    k = scaling.band_names.index(ANGLE)
    angle = scaled[k] * (scaling.high[k] - scaling.low[k]) + scaling.low[k]
    return np.searchsorted(np.array(SWATH_BORDERS) + rng.normal(0.0, BORDER_SD), np.nan_to_num(angle))
