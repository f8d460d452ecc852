"""Where a scene was seen: pixels that its image has, and pixels that only other sensors know.

A DEM is no view of the ice: where the image shows nothing (a swath's edge, the stripes of Landsat 7 after May 2003,
a missing tile), no map of glaciers can be drawn for the date of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .scene import Scene


def of_image(image: np.ndarray) -> np.ndarray:
    """Return which pixels an image shows: half of its bands or more have a value, and not all of them are exactly 0.

    Bands of one sensor end some pixels apart at a swath's edge and in stripes, so one band alone is no view. Exactly 0
    in every band is fill: no ground is that dark.

    Parameters
    ----------
    image : numpy.ndarray, shape (bands, h, w)
        Reflectance; NaN where missing. Bands that the image does not have are left out, or missing everywhere.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
    """
    there = np.isfinite(image)
    count = there.sum(axis=0)
    is_fill = (~there | (image == 0)).all(axis=0)
    return (2 * count >= max(len(image), 1)) & (count > 0) & ~is_fill


def of_scene(scene: Scene, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which pixels of a window are seen: by the image where the scene has one, else by any sensor.

    Parameters
    ----------
    scene : Scene
        The scene.
    values : dict of str to numpy.ndarray
        A window of it, as :func:`polynya.scenes.scene.read` gives it.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
    """
    image = scene.table.name_of("reflectance")
    if image in values:
        bands = [k for k in range(len(values[image])) if scene.has_band(image, k)]
        return of_image(values[image][bands])
    return np.logical_or.reduce([np.isfinite(v).any(axis=0) for v in values.values()])
