"""Twenty numbers of an imagette for a classical classifier: the baseline that a network must be better than."""

from __future__ import annotations

import numba
import numpy as np

from .imagette_spectrum import BANDS, spectrum

NAMES = (
    "mean",
    "sd",
    "skewness",
    "kurtosis",
    "coefficient_of_variation",
    "quantile_05",
    "quantile_25",
    "quantile_75",
    "quantile_95",
    "gradient",
    *(f"band_{k}" for k in range(BANDS)),
    "anisotropy",
    "orientation",
)
"""Of the un-stretched picture. ``kurtosis`` is 3 for a normal distribution; ``gradient`` is the mean of the absolute
differences between neighbours along both axes; bands are variances, from short to long waves."""


def features(
    picture: np.ndarray, *, azimuth_pixel_m: float, range_pixel_m: float, mask: np.ndarray | None = None
) -> np.ndarray:
    """Return the numbers of one picture.

    Parameters
    ----------
    picture : numpy.ndarray of float, shape (rows, columns)
        Linear, un-stretched; NaN counts as not valid.
    azimuth_pixel_m, range_pixel_m : float
        Distances between lines and between samples, m.
    mask : numpy.ndarray of bool, shape (rows, columns), optional
        True where it is valid.

    Returns
    -------
    numpy.ndarray of float64, shape (20,)
        In the order of :data:`NAMES`; NaN without a valid pixel.
    """
    picture = np.ascontiguousarray(picture, np.float32)
    if mask is not None and not mask.all():
        picture = np.where(mask, picture, np.float32(np.nan))
    moments = np.zeros(6)
    _moments(picture, moments)
    count, mean, second, third, fourth, gradient = moments
    if count == 0.0:
        return np.full(len(NAMES), np.nan)
    sd = np.sqrt(second)
    found = spectrum(picture, azimuth_pixel_m=azimuth_pixel_m, range_pixel_m=range_pixel_m)
    valid = np.sort(picture.ravel() if count == picture.size else picture[np.isfinite(picture)])
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.nan_to_num(np.array([third / sd**3, fourth / sd**4, sd / mean]), posinf=0.0, neginf=0.0)
    quantiles = np.interp((0.05, 0.25, 0.75, 0.95), np.linspace(0.0, 1.0, valid.size), valid)  # linear between ranks
    return np.concatenate(
        [[mean, sd], shape, quantiles, [gradient], found.power, [found.anisotropy, found.orientation]]
    )


@numba.njit(cache=True, nogil=True)
def _moments(picture, out):
    """Fill number of values, mean, central moments 2 to 4, and the mean absolute difference between neighbours."""
    rows, columns = picture.shape
    count, total, steps, pairs = 0.0, 0.0, 0.0, 0.0
    for i in range(rows):
        for j in range(columns):
            v = picture[i, j]
            if v - v != 0.0:  # NaN or infinite
                continue
            count += 1.0
            total += v
            across = np.float32(0.0) if j == 0 else abs(v - picture[i, j - 1])
            down = np.float32(0.0) if i == 0 else abs(v - picture[i - 1, j])
            if j > 0 and across - across == 0.0:
                steps += float(across)
                pairs += 1.0
            if i > 0 and down - down == 0.0:
                steps += float(down)
                pairs += 1.0
    out[0] = count
    if count == 0.0:
        return
    mean = total / count
    second, third, fourth = 0.0, 0.0, 0.0
    for i in range(rows):
        for j in range(columns):
            d = picture[i, j] - mean
            if d - d == 0.0:
                square = d * d
                second += square
                third += square * d
                fourth += square * square
    out[1], out[2], out[3], out[4] = mean, second / count, third / count, fourth / count
    out[5] = steps / pairs if pairs > 0.0 else 0.0
