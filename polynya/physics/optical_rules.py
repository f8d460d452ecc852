"""Water, thin ice and thick ice by the brightness of an image: the published thresholds, and three ways to fit them.

The rule is that of :mod:`.ice_colour` (Iqrah et al., arXiv 2502.02700): V, the brightest of the three colours, is at
most 30 over water and at least 205 over thick ice. It was made for the true colour of Sentinel-2; other stretches need
``percentile``, a low sun ``sun``, thin cloud and shadow ``filtered``.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from . import ice_colour, thin_cloud

WATER, THIN, THICK, UNKNOWN = 0, 1, 2, 255
"""Codes of the classes, as those of the network."""
METHODS = ("published", "sun", "percentile", "filtered")
_WHITE = 255


def classes(rgb: np.ndarray, *, method: str = "published", sun_elevation: float | None = None) -> np.ndarray:
    """Return the class of every pixel of a whole image.

    Parameters
    ----------
    rgb : numpy.ndarray, shape (3, h, w)
        Counts of 0 to 255, NaN where nothing was seen.
    method : str
        Of :data:`METHODS`. ``percentile`` and ``filtered`` depend on the whole image.
    sun_elevation : float, optional
        Degrees; ``sun`` needs it.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        0 water, 1 thin ice, 2 thick ice, 255 not seen.

    Raises
    ------
    UsageError
        If the method is not known, or the sun is not given or down.
    """
    v, seen = value(rgb)
    if method == "filtered":
        return _filtered(rgb, v, seen)
    water, thin = thresholds(v[seen], method=method, sun_elevation=sun_elevation)
    out = np.digitize(v, (water, thin), right=True).astype(np.uint8)
    out[~seen] = UNKNOWN
    return out


def value(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return V, rounded to uint8, and whether a pixel was seen; parameters as :func:`classes`."""
    seen = np.isfinite(rgb).all(axis=0)
    v = np.where(seen, rgb.max(axis=0), 0.0)
    return np.clip(np.floor(v + 0.5), 0, 255).astype(np.uint8), seen


def thresholds(v: np.ndarray, *, method: str, sun_elevation: float | None = None) -> tuple[int, int]:
    """Return the largest V of water and of thin ice.

    Parameters
    ----------
    v : numpy.ndarray of uint8
        Of the pixels that were seen.
    method : str
        ``published``, ``sun`` or ``percentile``.
    sun_elevation : float, optional
        Degrees.

    Raises
    ------
    UsageError
        If the method is not known, or the sun is not given or down.
    """
    if method == "published":
        return ice_colour.PUBLISHED
    if method == "percentile":
        return ice_colour.thresholds_from_bright(ice_colour.histogram(v))
    if method != "sun":
        raise UsageError(f"method {method}: not known; expected one of {', '.join(METHODS)}. Choose one.")
    if sun_elevation is None:
        raise UsageError(
            "method sun: the elevation of the sun is not known; expected degrees. Take percentile instead."
        )
    return ice_colour.thresholds_from_sun(sun_elevation)


def _filtered(rgb: np.ndarray, v: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return classes after the published filter of thin cloud and shadow."""
    colours = np.clip(np.floor(np.nan_to_num(np.moveaxis(rgb, 0, -1)) + 0.5), 0, 255).astype(np.uint8)
    is_water = v <= ice_colour.PUBLISHED[0]
    grey = np.where(is_water | ~seen, np.uint8(_WHITE), thin_cloud.grey(colours))
    difference = thin_cloud.difference(grey)
    table = ice_colour.filtered_table(ice_colour.histogram(difference))
    out = np.where(table[difference] <= ice_colour.PUBLISHED[1], THIN, THICK).astype(np.uint8)
    out[is_water] = WATER
    out[~seen] = UNKNOWN
    return out
