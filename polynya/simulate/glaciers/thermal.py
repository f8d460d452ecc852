"""Brightness temperature of a glacier scene: lapse rate, sun, melting ice at 0 C, debris that is cool where thin."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from .cover import Cover
from .light import Clouds, Sun, cast_shadow, cosine

MELTING = 273.15
LAPSE = 0.0065
"""Kelvin per metre."""
WARMING = 0.026
"""Kelvin per W/m2 of absorbed sunlight on dry rock in the morning; debris temperatures of 20 to 30 C under full sun
(Foster et al. 2012, doi:10.3189/2012JoG11J194)."""


def brightness_temperature(
    cover: Cover,
    pixel_m: float,
    *,
    reflecting: np.ndarray,
    sun: Sun,
    clouds: Clouds,
    air_k: float,
    level_m: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the brightness temperature in the thermal infrared.

    Parameters
    ----------
    cover : Cover
        The land cover at the date.
    pixel_m : float
        Pixel size, m.
    reflecting : numpy.ndarray, float32, shape (6, rows, columns)
        Albedo.
    sun : Sun
        Direction to the sun.
    clouds : Clouds
        Opacity and shade.
    air_k : float
        Air temperature at ``level_m``, K.
    level_m : float
        Reference height, m above the sea.
    rng : numpy.random.Generator
        Draws emissivity, atmosphere and noise.

    Returns
    -------
    numpy.ndarray, float32, shape (rows, columns)
        Kelvin, blurred to the 100 m pixels of Landsat's thermal bands.
    """
    lit = (
        np.maximum(cosine(cover.surface, pixel_m, sun), 0.0)
        * (cast_shadow(cover.surface, pixel_m, sun) <= 0.0)
        * (1.0 - 0.8 * clouds.shade)
    )
    absorbed = 1000.0 * lit * (1.0 - reflecting[[1, 3]].mean(axis=0))
    air = air_k - LAPSE * (cover.surface - level_m)
    dry = air - 3.0 + WARMING * absorbed
    cooled = 0.5 * dry + 0.5 * np.minimum(MELTING, air)
    temperature = {
        "rock": dry,
        "till": dry - 1.0,
        "plants": air + 0.45 * WARMING * absorbed,
        "water": np.clip(air + 1.0, MELTING + 0.3, 285.0),
        "bare_ice": np.minimum(MELTING, air + 0.3 * WARMING * absorbed),
        "snow": np.minimum(MELTING, air - 2.0 + 0.3 * WARMING * absorbed),
        "debris": dry * (1.0 - 0.8 * cover.thinness) + cooled * 0.8 * cover.thinness - 1.0,
    }
    out = sum(cover.shares[n] * t for n, t in temperature.items())
    out = out * rng.uniform(0.980, 0.995) - rng.uniform(0.0, 2.5)
    out = out * (1.0 - clouds.opacity) + rng.uniform(235.0, 262.0) * clouds.opacity
    out = gaussian_filter(out, 42.0 / pixel_m)
    noise = gaussian_filter(rng.standard_normal(out.shape, dtype=np.float32), 40.0 / pixel_m)
    return (out + rng.uniform(0.1, 0.4) * noise / noise.std()).astype(np.float32)
