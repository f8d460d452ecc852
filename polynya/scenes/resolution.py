"""A scene on pixels of a size that a network knows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from affine import Affine
from odc.geo.geobox import GeoBox

from ..errors import UsageError
from .scene import Scene

LEARNT_M = (10.0, 30.0)
"""Pixel sizes of the training data of networks that do not state theirs, m: Sentinel-2 to Landsat."""
COARSEST_M = 60.0
"""Twice the coarsest that was learnt; scenes of larger pixels are rejected."""
SLACK = 0.1
"""Share by which a pixel may leave the range before it is resampled: grids in degrees have pixels of 27 x 31 m."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A scene on pixels that a network knows.

    Attributes
    ----------
    scene : Scene
        On its own grid, or on one with the same edges and other pixels.
    text : str
        What was done, empty where nothing was.
    is_coarser : bool
        Whether its own pixels are larger than any that the network learnt: what is interpolated is no new detail.
    """

    scene: Scene
    text: str
    is_coarser: bool


def fitted(scene: Scene, *, name: str, learnt_m: tuple[float, float] = LEARNT_M) -> Fitted:
    """Bring a scene to pixels of a size that a network learnt.

    Finer pixels are averaged in blocks when they are read, coarser ones are interpolated; both a window at a time.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    name : str
        Of the network, for messages.
    learnt_m : (float, float)
        Least and largest pixel size of its training data, m.

    Returns
    -------
    Fitted

    Raises
    ------
    UsageError
        If the pixels are larger than twice the largest that was learnt.
    """
    low, high = learnt_m
    most = max(COARSEST_M, 2.0 * high) if high >= LEARNT_M[1] else 2.0 * high
    sizes = scene.pixel_m
    learnt = f"{low:g} to {high:g} m"
    if max(sizes) > most * 1.02:
        raise UsageError(
            f"{scene.name}: pixels of {_size(sizes)}; {name} was trained on {learnt}, and scenes of up to {most:g} m"
            " are resampled to that; expected finer pixels. Give an image of higher resolution, or --network rule."
        )
    factors = [_factor(s, low, high) for s in sizes]
    if factors == [1.0, 1.0]:
        return Fitted(scene=scene, text="", is_coarser=False)
    box, (height, width) = scene.geobox, scene.shape
    shape = (max(math.ceil(height / factors[1] - 1e-9), 1), max(math.ceil(width / factors[0] - 1e-9), 1))
    grid = GeoBox(shape, box.affine * Affine.scale(*factors), box.crs)
    done = replace(scene, grid=grid)
    is_coarser = max(sizes) > high * (1.0 + SLACK)
    how = "interpolated" if is_coarser else "averaged"
    return Fitted(
        scene=done,
        text=f"pixels of {_size(sizes)} were {how} to {_size(done.pixel_m)}: {name} was trained on {learnt}",
        is_coarser=is_coarser,
    )


def _factor(size: float, low: float, high: float) -> float:
    """Return by how much a pixel's side grows."""
    if size < low * (1.0 - SLACK):
        return float(math.ceil(low / size - SLACK))
    if size > high * (1.0 + SLACK):
        return 1.0 / math.ceil(size / high - SLACK)
    return 1.0


def _size(sizes: tuple[float, float]) -> str:
    return f"{sizes[0]:.3g} x {sizes[1]:.3g} m"
