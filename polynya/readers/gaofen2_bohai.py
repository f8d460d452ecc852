"""Gaofen-2 pictures of the Bohai Sea with masks of six classes, as in the sample of SeaIceNet (IEEE TGRS 2024).

Checked on two pairs of the sample. Pictures are JPEG of 1024 x 1024 pixels in three colours, masks JPEG of one, whose
grey is 51 times the class: thin ice, thick ice, sea, land, pond, background. JPEG moves greys by some counts, so they
are rounded: truncation moves up to a ninth of the pixels to the class below. Between two classes far apart JPEG also
makes greys of classes that are not there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from ..errors import ProductError
from ..io import pictures
from . import optical_raster
from .ice_image import IceImage

PRODUCT = "gaofen2_bohai"
RELEASES = ("SeaIceNet sample",)
CHECKED = ("SeaIceNet sample",)
CLASSES = ("thin_ice", "thick_ice", "sea", "land", "pond", "background")
STEP = 51.0
"""Grey of a class over its number."""
BELT_PX = 2
"""Width of the ignored belt along borders, pixels."""
IGNORED = 255
SUFFIXES = (".jpg", ".jpeg", ".png")
MASK_FOLDERS = ("mask", "masks", "label", "labels")


def read(path: Path | str) -> IceImage:
    """Open a picture.

    Parameters
    ----------
    path : Path or str
        JPEG of three colours.

    Returns
    -------
    IceImage
        Without a place on the map.

    Raises
    ------
    ProductError
        As of :func:`polynya.readers.optical_raster.read`.
    """
    return optical_raster.read(path)


def mask_beside(path: Path) -> Path | None:
    """Return the mask of a picture: the file of its stem in a folder ``mask`` or ``masks`` beside its own, or None."""
    for folder in MASK_FOLDERS:
        for ending in SUFFIXES:
            found = path.parent.parent / folder / (path.stem + ending)
            if found.is_file() and found.resolve() != path.resolve():
                return found
    return None


def read_mask(path: Path | str, *, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Read a mask.

    Parameters
    ----------
    path : Path or str
        Grey of 8 bits, 51 times the class.
    shape : (int, int), optional
        Of the picture.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        Class, rounded; border classes that JPEG made are still there, see :func:`without_ghosts`.

    Raises
    ------
    ProductError
        If it cannot be read or has another size.
    """
    path = Path(path)
    grey = pictures.read_picture(path).values
    if shape is not None and grey.shape != shape:
        raise ProductError(
            f"{path.name}: mask of {grey.shape[0]} x {grey.shape[1]} pixels; expected {shape[0]} x {shape[1]}, as the"
            " picture has. Give the mask of this picture."
        )
    return classes_of(grey)


def classes_of(grey: np.ndarray) -> np.ndarray:
    """Return the classes of greys, uint8: the nearest multiple of 51.

    Parameters
    ----------
    grey : numpy.ndarray
        0 to 255.
    """
    return np.clip(np.floor(np.asarray(grey, np.float64) / STEP + 0.5), 0, len(CLASSES) - 1).astype(np.uint8)


def without_ghosts(classes: np.ndarray) -> np.ndarray:
    """Return classes without those that JPEG made along borders.

    Parameters
    ----------
    classes : numpy.ndarray of uint8, shape (h, w)
        Of :func:`read_mask`.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        The class that most of 3 x 3 pixels have (of two the lower), and 255, ignored, within two pixels of another
        class.
    """
    votes = np.stack(
        [
            ndimage.convolve((classes == k).astype(np.int16), np.ones((3, 3), np.int16), mode="nearest")
            for k in range(len(CLASSES))
        ]
    )
    found = votes.argmax(axis=0).astype(np.uint8)
    size = 2 * BELT_PX + 1
    is_border = ndimage.maximum_filter(found, size, mode="nearest") != ndimage.minimum_filter(
        found, size, mode="nearest"
    )
    return np.where(is_border, np.uint8(IGNORED), found)
