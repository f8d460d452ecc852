"""Cloud over a map of glaciers: where it lies, and what it does to the map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ...scenes import quality
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene, only_sensors
from .strips import Strip, masked_strip


def found(scene: Scene, rows: slice, columns: slice) -> np.ndarray:
    """Return where an image shows cloud: by the mask of its product, where it has none by the rule of the quality gate.

    Parameters
    ----------
    scene : Scene
        The scene.
    rows, columns : slice
        Of its grid.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
        Not cloud shadow: masks often take the shadow of mountains for it.
    """
    window = (rows.start, rows.stop), (columns.start, columns.stop)
    if any(s.cloud is not None for s in scene.sources):
        return glacier_scene.read_cloud(scene, window=window) == glacier_scene.CLOUD
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    image = scene.table.of("reflectance")
    if image is None or image.name not in scene.sensors:
        return np.zeros(shape, bool)
    thermal = scene.table.name_of("brightness_temperature")
    return quality.cloud_by_rule(
        glacier_scene.read(only_sensors(scene, (image.name, thermal)), window=window), image, thermal=thermal
    )


def applied(strips: Iterable[Strip], scene: Scene, *, is_masked: bool) -> Iterator[Strip]:
    """Yield strips of a map with their cloud: no data where that is asked for, else less confidence.

    Parameters
    ----------
    strips : iterable of Strip
        Rows in order.
    scene : Scene
        The scene.
    is_masked : bool
        Whether cloud is no data.
    """
    for strip in strips:
        height, width = strip.probability.shape
        cloud = strip.is_cloud
        if cloud is None:
            cloud = found(scene, slice(strip.row, strip.row + height), slice(0, width))
        yield with_cloud(strip, cloud, is_masked=is_masked)


def with_cloud(strip: Strip, cloud: np.ndarray, *, is_masked: bool) -> Strip:
    """Return a strip with its cloud.

    Without a mask the confidence c under cloud becomes (c + 0.5) / 2: half of what it is above a guess. Cloud masks
    call much bright ice cloud, so neither all of it nor nothing is lost; 0.75 is the most that is left, which lies in
    the uncertainty band. It is a convention, not fitted.

    Parameters
    ----------
    strip : Strip
        Rows of a map.
    cloud : numpy.ndarray of bool, shape (h, w)
        Where it is.
    is_masked : bool
        Whether cloud is no data.
    """
    cloud = cloud & strip.is_seen
    if not cloud.any():
        return replace(strip, is_cloud=None)
    if not is_masked:
        return replace(
            strip,
            confidence=np.where(cloud, 0.5 * (strip.confidence + np.float32(0.5)), strip.confidence),
            is_cloud=cloud,
        )
    masked = masked_strip(
        strip.row,
        probability=strip.probability,
        confidence=strip.confidence,
        spread=strip.spread,
        is_seen=strip.is_seen & ~cloud,
    )
    # what the image showed through cloud is no expectation of the other sensors
    return replace(masked, unseen_probability=strip.unseen_probability, is_cloud=cloud, n_clear=strip.n_clear)
