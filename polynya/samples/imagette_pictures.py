"""An imagette as networks see it: a stretched picture of one size, and numbers beside it. Training and prediction
share this.

The stretch between percentiles makes patterns visible and loses the level, so the level stands beside the picture,
NaN where the product does not know it (quick-looks). Shares of the variance by wavelength are the same whatever the
gain; they are those of the stretched picture, so that quick-looks and roughness give the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..physics import cmod5n
from ..physics.imagette_spectrum import BANDS, spectrum
from ..schema.imagettes import ROUGHNESS, SIGMA0, Imagette

LEVEL = ("mean_db", "sd_db", "top_db", "bottom_db", "peak_db", "skewness", "log_kurtosis")
"""Mean of the un-stretched roughness, its standard deviation, how far its 99.9th and 0.1st percentiles and its largest
value lie from the median, decibels; its skewness, and the decimal logarithm of its kurtosis. An iceberg of a few pixels
is white in the stretched picture, as speckle is; the last three tell them apart."""
SHAPE = (*(f"band_{k}" for k in range(BANDS)), "anisotropy")
"""Decimal logarithms of the shares of the variance in the eight bands, and the anisotropy."""
SCALARS = (*LEVEL, *SHAPE)
LEAST_SHARE = 1e-4
SAME = 0.02
"""Pixels that differ by less are not resampled."""
PERCENTILES = (0.1, 1.0, 50.0, 99.0, 99.9)
WIND_M_S, ANGLE_DEG = 10.0, 45.0
"""Roughness is sigma nought over that of this wind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What a network is given of an imagette.

    Attributes
    ----------
    grey : numpy.ndarray of uint8, shape (size, size)
        0 and 255 are the 1st and the 99th percentile.
    scalars : numpy.ndarray of float32, shape (16,)
        In the order of :data:`SCALARS`; NaN where not known.
    limits : tuple of float
        What 0 and 255 stand for, linear; (0, 1) where that is not known.
    """

    grey: np.ndarray
    scalars: np.ndarray
    limits: tuple[float, float]


def prepare(imagette: Imagette, *, size: int, pixel_m: float) -> Prepared:
    """Bring an imagette to the size of a network's pictures.

    Parameters
    ----------
    imagette : Imagette
        With a picture that has a valid pixel.
    size : int
        Pixels on a side: larger pictures are cut around their middle, smaller ones continued by reflection.
    pixel_m : float
        Side of a pixel on the ground, m.
    """
    picture, valid = _linear(imagette), imagette.mask & np.isfinite(imagette.picture)
    factors = (imagette.azimuth_pixel_m / pixel_m, imagette.range_pixel_m / pixel_m)
    if not valid.all():
        picture = np.where(valid, picture, np.float32(picture[valid].mean()))
    if any(abs(f - 1.0) > SAME for f in factors):
        rows, columns = (_weights(n, f) for n, f in zip(picture.shape, factors, strict=True))
        picture = rows @ picture @ columns.T
        valid = (rows @ valid.astype(np.float32) @ columns.T) > 0.5
    picture, valid = (on_canvas(v, size) for v in (picture, valid))
    if not valid.any():
        valid = np.ones_like(valid)
    return measured(picture, valid, pixel_m=pixel_m, has_level=imagette.quantity in (ROUGHNESS, SIGMA0))


def measured(picture: np.ndarray, valid: np.ndarray, *, pixel_m: float, has_level: bool) -> Prepared:
    """Stretch a picture and take its numbers.

    Parameters
    ----------
    picture : numpy.ndarray of float32, shape (size, size)
        Linear.
    valid : numpy.ndarray of bool, shape (size, size)
        What counts; the rest becomes the mean.
    pixel_m : float
        Side of a pixel, m.
    has_level : bool
        Whether the picture is roughness, not stretched by somebody else.
    """
    inside = picture.ravel() if valid.all() else picture[valid]
    lowest, low, middle, high, highest = np.percentile(inside, PERCENTILES).tolist()
    if high > low:
        grey = np.clip((picture - np.float32(low)) * np.float32(255.0 / (high - low)) + np.float32(0.5), 0.0, 255.0)
        grey = grey.astype(np.uint8)
    else:
        grey = np.full(picture.shape, 128, np.uint8)
    if inside.size < picture.size:
        grey[~valid] = round(float(grey[valid].mean()))
    level = np.full(len(LEVEL), np.nan)
    if has_level and lowest > 0.0:
        mean = float(inside.mean(dtype=np.float64))
        sd = float(np.log(inside).std()) * 10.0 / np.log(10.0)
        level[:4] = _db(mean), sd, _db(highest / middle), _db(lowest / middle)
        level[4:] = _db(float(inside.max()) / middle), *_moments(inside, mean)
    limits = (low, high) if has_level and high > low > 0.0 else (0.0, 1.0)
    return Prepared(
        grey=grey, scalars=np.concatenate([level, shape_of(grey, pixel_m=pixel_m)]).astype(np.float32), limits=limits
    )


def shape_of(grey: np.ndarray, *, pixel_m: float) -> np.ndarray:
    """Return the numbers of :data:`SHAPE`, float64, shape (9,), of a stretched picture."""
    found = spectrum(grey.astype(np.float32), azimuth_pixel_m=pixel_m, range_pixel_m=pixel_m)
    return np.append(np.log10(np.maximum(found.shares, LEAST_SHARE)), found.anisotropy)


def on_canvas(picture: np.ndarray, size: int) -> np.ndarray:
    """Return a picture cut around its middle, or continued by reflection, to (size, size).

    Parameters
    ----------
    picture : numpy.ndarray, shape (rows, columns)
        Any.
    size : int
        Pixels on a side.
    """
    for axis, n in enumerate(picture.shape):
        if n > size:
            first = (n - size) // 2
            picture = picture[first : first + size] if axis == 0 else picture[:, first : first + size]
    lack = [size - n for n in picture.shape]
    if any(lack):
        picture = np.pad(picture, [(n // 2, n - n // 2) for n in lack], mode="symmetric")
    return np.ascontiguousarray(picture)


def _linear(imagette: Imagette) -> np.ndarray:
    """Return the picture, sigma nought as roughness where the incidence angle is known."""
    if imagette.quantity != SIGMA0 or not np.isfinite(imagette.incidence_angle):
        return imagette.picture
    model = float(cmod5n.sigma_nought(imagette.incidence_angle, WIND_M_S, ANGLE_DEG))
    return imagette.picture / np.float32(model)


def _weights(n: int, factor: float) -> np.ndarray:
    """Return the matrix (m, n) that brings n pixels to pixels that are 1 / factor as long: linear, without aliases."""
    m = max(1, round(n * factor))
    width = max(1.0, n / m)
    centre = (np.arange(m) + 0.5) * n / m - 0.5
    weight = np.maximum(0.0, 1.0 - np.abs(np.arange(n) - centre[:, None]) / width)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def _moments(values: np.ndarray, mean: float) -> tuple[float, float]:
    """Return skewness and the decimal logarithm of kurtosis (n,); 0 where all values are equal."""
    away = values - np.float32(mean)
    squared = away * away
    variance = float(squared.mean(dtype=np.float64))
    if variance <= 0.0:
        return 0.0, 0.0
    third, fourth = (float((squared * v).mean(dtype=np.float64)) for v in (away, squared))
    return third / variance**1.5, float(np.log10(fourth / variance**2))


def _db(ratio: float) -> float:
    return float(10.0 * np.log10(ratio))
