"""What an optical image of sea ice is once it is open: bands that are read in windows, masks, when, and how large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Read = Callable[[slice, slice], np.ndarray]
"""Gives float32 (bands, h, w) of rows and columns, counts 0 to 255, NaN where nothing was seen."""
FULL = 255.0
LOOK = 512
"""Rows and columns, at most, of the sample of an image from which a stretch is taken."""
BRIGHT_PERCENTILE = 99.5
BLOCK = 1024
"""Rows read at a time to see whether any pixel is valid."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IceImage:
    """An image that can be read in windows; holds no pixels.

    Attributes
    ----------
    name : str
    shape : (int, int)
        Rows and columns.
    geobox : odc.geo.geobox.GeoBox or None
        None for a picture without a place on the map, and for a swath.
    sensors : mapping of str to callable
        ``rgb`` and perhaps ``nir``: see :data:`Read`.
    land, cloud : callable or None
        Give bool (h, w) of rows and columns.
    time : numpy.datetime64 or None
        UTC.
    pixel_m : float or None
        Side of a pixel where the map does not say it, m.
    simulated : bool
    notes : tuple of str
        What a careful user wants to know: stretches, missing bands.
    product : str
    full_scale : float or None
        Reflectance that 255 counts stand for; None where the counts are those of a picture or stretched by the scene.
    spectra : callable or None
        Gives radiance of all bands of the instrument, float32 (bands, h, w), mW m-2 sr-1 nm-1, where it has many.
    """

    name: str
    shape: tuple[int, int]
    geobox: GeoBox | None
    sensors: Mapping[str, Read]
    land: Read | None = None
    cloud: Read | None = None
    time: np.datetime64 | None = None
    pixel_m: float | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()
    product: str = "raster"
    full_scale: float | None = None
    spectra: Read | None = None


def check_valid(image: IceImage) -> IceImage:
    """Return an image that has a valid pixel.

    Parameters
    ----------
    image : IceImage
        Read block by block until a pixel is valid in all three colours.

    Raises
    ------
    ProductError
        If none is.
    """
    rows, columns = image.shape
    for top in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            window = slice(top, min(top + BLOCK, rows)), slice(left, min(left + BLOCK, columns))
            if np.isfinite(image.sensors["rgb"](*window)).all(axis=0).any():
                return image
    raise ProductError(
        f"{image.name}: no pixel is valid in red, green and blue, of {rows} x {columns}; expected some. Give another"
        " image."
    )


def bright_limit(sample: np.ndarray) -> float:
    """Return the value that becomes 255: the percentile 99.5 of the brightest of the colours.

    Parameters
    ----------
    sample : numpy.ndarray, shape (bands, ...)
        Values of a sample of the image; NaN is passed over.

    Returns
    -------
    float
        1 where nothing is above zero.
    """
    value = sample.max(axis=0)
    value = value[np.isfinite(value)]
    found = float(np.percentile(value, BRIGHT_PERCENTILE)) if value.size else 0.0
    return found if found > 0.0 else 1.0


def as_counts(values: np.ndarray, limit: float) -> np.ndarray:
    """Return counts of 0 to 255, float32: zero stays zero, the limit becomes 255; NaN stays.

    Parameters
    ----------
    values : numpy.ndarray
        Radiance, reflectance or counts of more bits.
    limit : float
        Becomes 255.
    """
    return np.clip(values * np.float32(FULL / limit), 0.0, FULL).astype(np.float32)
