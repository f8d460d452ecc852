"""What stands between a surface and its counts: the sun's height, shadows, thin cloud, haze, the sensor and JPEG."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .fields import rough
from .presets import Ranges
from .surface import Surface, between

HIGH_SUN_DEG = 35.0


def seen(rng: np.random.Generator, surface: Surface, *, ranges: Ranges) -> tuple[np.ndarray, dict[str, float]]:
    """Return counts as a sensor gives them, and what was drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws it.
    surface : Surface
        What lies there.
    ranges : Ranges
        From where to where numbers are drawn.

    Returns
    -------
    numpy.ndarray of uint8, shape (4, h, w)
        Red, green, blue, near infrared.
    dict
        Sun, haze, cloud, shadow, blur and quality.
    """
    shape = surface.classes.shape
    about = {
        "sun_elevation": between(rng, ranges.sun_deg),
        "haze": ranges.haze[0] + (ranges.haze[1] - ranges.haze[0]) * float(rng.random()) ** 3,
    }
    # the stretch of a picture makes up for the sun's height, not for the colour of a low sun
    low = (HIGH_SUN_DEG - about["sun_elevation"]) / HIGH_SUN_DEG
    light = np.array([1.0, 1.0 - 0.04 * low, 1.0 - 0.12 * low, 1.0])
    counts = surface.counts * light[:, None, None]
    counts = counts * _shade(surface.relief, about["sun_elevation"], rng.uniform(0, 2 * np.pi))
    if rng.random() < ranges.shadow_scenes:
        about["shadow"] = between(rng, (0.3, 0.7))
        dark = ndimage.gaussian_filter(
            (rough(rng, shape, exponent=3.0, longest_px=150.0) > 1.0).astype(np.float32), 2.0
        )
        counts = counts * (1.0 - about["shadow"] * dark)
    if rng.random() < ranges.cloudy_scenes:
        about["cloud"] = between(rng, ranges.cloud)
        veil = np.clip(0.5 + 0.6 * rough(rng, shape, exponent=3.0, longest_px=300.0), 0.0, 1.0) * about["cloud"]
        counts = counts * (1.0 - veil) + 235.0 * veil
    counts = counts * (1.0 - about["haze"] / 255.0) + about["haze"] * np.array([0.85, 0.95, 1.1, 0.6])[:, None, None]
    about["blur_px"] = between(rng, ranges.blur_px)
    counts = ndimage.gaussian_filter(counts, (0, about["blur_px"], about["blur_px"]))
    counts += rng.normal(0.0, between(rng, (0.5, 2.5)), counts.shape)
    counts = np.rint(np.clip(counts, 0.0, 255.0)).astype(np.uint8)
    about["quality"] = float(rng.integers(ranges.quality[0], ranges.quality[1] + 1))
    return _compressed(counts, int(about["quality"])), about


def _shade(relief: np.ndarray, elevation: float, azimuth: float) -> np.ndarray:
    """Return light on slopes, 1 on level ground: Lambert's law, at most by a third either way."""
    down, along = np.gradient(relief)
    toward = down * np.sin(azimuth) + along * np.cos(azimuth)
    return np.clip(1.0 + 0.12 * toward / np.tan(np.radians(elevation)), 0.67, 1.33)


def _compressed(counts: np.ndarray, quality: int) -> np.ndarray:
    """Return the three colours as JPEG leaves them; the near infrared is not compressed."""
    from affine import Affine
    from rasterio.io import MemoryFile

    shape = {"height": counts.shape[1], "width": counts.shape[2], "count": 3, "dtype": "uint8"}
    shape["transform"] = Affine.scale(10.0, -10.0)  # without one rasterio warns
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", compress="jpeg", photometric="ycbcr", jpeg_quality=quality, **shape) as file:
            file.write(counts[:3])
        with memory.open() as file:
            return np.concatenate([file.read(), counts[3:]])
