"""Sea-ice classes from the brightness of 8-bit true colour: the published rule, and the global steps of its variants.

The rule is that of Iqrah, Koo, Wang, Xie, Prasad (arXiv 2502.02700): V, the value of hue-saturation-value, is at most
30 over open water, 31 to 204 over thin ice and at least 205 over thick or snow-covered ice. Whatever needs the whole
scene (Otsu's threshold, the stretches, a percentile) needs no more of it than a histogram of 256 counts. Histograms of
tiles add up exactly, so a scene worked in tiles of any size gives the same classes as a scene worked whole.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..schema import OPEN_WATER, THICK_ICE, THIN_ICE, UNCLASSIFIED

PUBLISHED = (30, 204)
"""Largest V of open water, largest V of thin ice; both inclusive."""
BRIGHT_PERCENTILE = 98.0
LEAST_BRIGHT = 3 * PUBLISHED[0]
"""Below this V the brightest pixels are no snow, and the percentile says nothing of the light."""
SUN_REFERENCE = 30.0
"""Sun elevation, degrees, at which the published thresholds hold: the authors' scenes are of the Ross Sea in
November."""
TRUNCATION = 235


def value(rgb: np.ndarray) -> np.ndarray:
    """Return V of hue-saturation-value: the brightest of the three colours.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (..., 3)
        8-bit colours.

    Returns
    -------
    numpy.ndarray of uint8, shape (...)
        0 where there is no data.
    """
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def class_table(thresholds: tuple[int, int] = PUBLISHED) -> np.ndarray:
    """Return the class of every V.

    Parameters
    ----------
    thresholds : (int, int)
        Largest V of open water, largest V of thin ice.

    Returns
    -------
    numpy.ndarray of int8, shape (256,)
        2 water, 1 thin ice, 0 thick ice; -1 for V = 0, which is no data.

    Raises
    ------
    UsageError
        If the thresholds do not rise between 1 and 254.
    """
    water, thin = thresholds
    if not 1 <= water < thin <= 254:
        raise UsageError(
            f"colour thresholds {water}, {thin}; expected two rising numbers of 1 to 254, as {PUBLISHED[0]},"
            f" {PUBLISHED[1]}. Change them."
        )
    table = np.full(256, THICK_ICE, np.int8)
    table[: thin + 1] = THIN_ICE
    table[: water + 1] = OPEN_WATER
    table[0] = UNCLASSIFIED
    return table


def histogram(image: np.ndarray, *, where: np.ndarray | None = None) -> np.ndarray:
    """Return how often each 8-bit value occurs.

    Parameters
    ----------
    image : numpy.ndarray of uint8
        8-bit values, any shape.
    where : numpy.ndarray of bool, optional
        Pixels to count.

    Returns
    -------
    numpy.ndarray of int64, shape (256,)
        Of tiles they may be added.
    """
    return np.bincount((image if where is None else image[where]).ravel(), minlength=256).astype(np.int64)


def percentile(counts: np.ndarray, q: float) -> int:
    """Return the smallest value that at least ``q`` percent of the pixels do not exceed.

    Parameters
    ----------
    counts : numpy.ndarray, shape (256,)
        Histogram of 8-bit values.
    q : float
        0 to 100.

    Returns
    -------
    int
        0 where nothing was counted.
    """
    total = int(counts.sum())
    return int(np.searchsorted(np.cumsum(counts), q / 100.0 * total)) if total else 0


def thresholds_from_bright(counts: np.ndarray, *, q: float = BRIGHT_PERCENTILE) -> tuple[int, int]:
    """Return the published thresholds scaled to the scene's own bright ice.

    Parameters
    ----------
    counts : numpy.ndarray, shape (256,)
        Histogram of V over clear pixels of the whole scene.
    q : float
        Percentile taken as bright, snow-covered ice, whose V is 255 under the light the rule was made for.

    Returns
    -------
    (int, int)
        ``round(published * percentile / 255)``. The published ones where the percentile is below
        :data:`LEAST_BRIGHT`: nothing in such a scene is snow, and scaling would turn its water into ice.

    Notes
    -----
    In a scene without snow-covered ice the brightest surface is taken for it: of thin ice alone, part becomes thick.
    """
    clear = counts.copy()
    clear[0] = 0
    bright = percentile(clear, q)
    return _scaled(bright / 255.0) if bright >= LEAST_BRIGHT else PUBLISHED


def thresholds_from_sun(elevation: float) -> tuple[int, int]:
    """Return the published thresholds scaled with the sine of the sun's elevation.

    Parameters
    ----------
    elevation : float
        Degrees.

    Returns
    -------
    (int, int)
        ``round(published * sin(elevation) / sin(30 degrees))``; the published ones where the sun is higher.

    Raises
    ------
    UsageError
        If the sun is down.

    Notes
    -----
    Meant for images that get darker as the sun sinks, as radiance does. Reflectance is divided by that sine already:
    what is left in it of a low sun is air and shadows, and this scaling is then too strong. The percentile measures
    instead.
    """
    if not 0.0 < elevation <= 90.0:
        raise UsageError(f"sun elevation {elevation:g} degrees; expected above 0. Take another method than sun.")
    return _scaled(min(1.0, np.sin(np.radians(elevation)) / np.sin(np.radians(SUN_REFERENCE))))


def _scaled(factor: float) -> tuple[int, int]:
    water = max(round(PUBLISHED[0] * factor), 1)
    return water, max(round(PUBLISHED[1] * factor), water + 1)


def otsu(counts: np.ndarray) -> int:
    """Return Otsu's threshold: the value that parts a histogram into two groups furthest apart.

    Parameters
    ----------
    counts : numpy.ndarray, shape (256,)
        Histogram of 8-bit values.

    Returns
    -------
    int
        The first group holds values up to it; 0 where all pixels are equal.

    Notes
    -----
    Otsu (1979, doi:10.1109/TSMC.1979.4310076): the largest between-class variance, the first value of several.
    """
    weight = np.cumsum(counts).astype(np.float64)
    moment = np.cumsum(counts * np.arange(256)).astype(np.float64)
    n, total = weight[-1], moment[-1]
    rest = n - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total * weight - n * moment) ** 2 / (weight * rest)
    between[~np.isfinite(between)] = 0.0
    return int(np.argmax(between))


def stretch_table(low: int, high: int) -> np.ndarray:
    """Return the table that stretches ``low`` ... ``high`` to 0 ... 255.

    Parameters
    ----------
    low, high : int
        Smallest and largest value of the image.

    Returns
    -------
    numpy.ndarray of uint8, shape (256,)
        In single precision, rounded to the nearest, halves to even, as OpenCV does; all 0 where ``low`` equals
        ``high``.
    """
    if high <= low:
        return np.zeros(256, np.uint8)
    scale = np.float32(255.0 / (high - low))
    shift = np.float32(-low * (255.0 / (high - low)))
    exact = np.arange(256) * np.float64(scale) + np.float64(shift)  # one rounding, as a fused multiply-add has
    return np.clip(np.rint(exact.astype(np.float32)), 0, 255).astype(np.uint8)


def filtered_table(counts: np.ndarray) -> np.ndarray:
    """Return what the published filter makes of every difference to the background, once the whole scene is counted.

    Parameters
    ----------
    counts : numpy.ndarray, shape (256,)
        Histogram of :func:`polynya.physics.thin_cloud.difference` over the whole scene.

    Returns
    -------
    numpy.ndarray of uint8, shape (256,)
        Filtered brightness: Otsu's mask sets the lower group to 0; stretch to 0 ... 255; truncate at 235; stretch
        again.

    Notes
    -----
    Each step is a function of the pixel's value and of the histogram, so all of them are one table. As published, a
    scene without any difference comes out black, which is thin ice.
    """
    table = np.arange(256, dtype=np.uint8)
    table[: otsu(counts) + 1] = 0
    seen = table[counts > 0]
    if not seen.size:
        return table
    table = stretch_table(int(seen.min()), int(seen.max()))[table]
    table = np.minimum(table, TRUNCATION)
    seen = table[counts > 0]
    return stretch_table(int(seen.min()), int(seen.max()))[table]


def classes_from_filtered(filtered: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return ice classes of filtered brightness and, for open water and missing pixels, of V.

    Parameters
    ----------
    filtered : numpy.ndarray of uint8
        Of :func:`filtered_table`.
    v : numpy.ndarray of uint8, same shape
        Of the unfiltered image.

    Returns
    -------
    numpy.ndarray of int8, same shape
        2 where V is at most 30; else 1 where the filtered brightness is at most 204, 0 above; -1 where V is 0.
    """
    out = np.where(filtered <= PUBLISHED[1], THIN_ICE, THICK_ICE).astype(np.int8)
    out[v <= PUBLISHED[0]] = OPEN_WATER
    out[v == 0] = UNCLASSIFIED
    return out
