"""From a map with a sensor to a map without it, where that sensor ends inside a scene; no torch.

Beside the edge of a DEM a network sees heights on one side only, which it hardly met in training, and its probabilities
step along the edge: a straight line in the map that is no margin. There the network is run twice, with the sensor and
without it, and the map goes over from one to the other along ``width`` pixels. Where the sensor ends, and beyond, the
map is the one without it on both sides of the edge, so nothing steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH_PX = 32
"""Pixels over which a map fades from without to with a sensor."""
LEAST_PX = 4
"""Voids that are nowhere further than this from data are left to the network: single pixels, cracks between tiles."""


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A sensor whose edges must leave no seam.

    Attributes
    ----------
    bands : slice
        Its places among the network's bands.
    image : tuple of int
        Places of the bands that must have seen a pixel for it to count; empty where any pixel counts.
    width_px : int
        Pixels over which the map fades.
    """

    bands: slice
    image: tuple[int, ...] = ()
    width_px: int = WIDTH_PX


def weights(values: np.ndarray, fade: Fade) -> np.ndarray | None:
    """Return the weight of the map with the sensor for every pixel, None where it is 1 everywhere.

    Parameters
    ----------
    values : numpy.ndarray, shape (bands, h, w)
        All bands of a network; NaN where missing.
    fade : Fade
        The sensor.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w), or None
        0 in a void and at its edge, 1 from ``width_px`` pixels outside every void on, without a step in value or slope
        between.
    """
    from scipy.ndimage import distance_transform_edt

    has = np.isfinite(values[fade.bands]).any(axis=0)
    if has.all() or not has.any():
        return None  # nothing of it is missing, or everything: nothing fades
    seen = np.isfinite(values[list(fade.image)]).any(axis=0) if fade.image else np.ones(has.shape, bool)
    around = 2 * LEAST_PX + 2  # beyond the window a void goes on as it meets the window's edge
    missing, counts = (np.pad(a, around, mode="edge") for a in (~has, seen))
    core = (distance_transform_edt(missing) > LEAST_PX) & counts
    if not core.any():
        return None
    void = (missing & (distance_transform_edt(~core) <= LEAST_PX + 1))[(slice(around, -around),) * 2]
    if not void.any():
        return None
    share = np.clip((distance_transform_edt(~void) - 1.0) / fade.width_px, 0.0, 1.0)
    return (share * share * (3.0 - 2.0 * share)).astype(np.float32)
