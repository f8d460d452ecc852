"""Ice classes of a scene or a part of it, the same in tiles and whole.

Two passes. :func:`scene_statistics` goes over the whole scene once and keeps what is global: a histogram of 256 counts
(of V for the percentile, of the difference to the background for the published filter), which tiles add up to exactly,
and the s2cloudless mask on 60 m cells. :func:`scene_classes` then needs only the pixels of its window and, for the
filter, 80 around it. A window therefore has the classes that the whole scene has there, whatever the tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..physics import ice_colour, thin_cloud
from ..readers import sentinel2
from . import clouds as scene_clouds
from . import tiling

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

METHODS = ("published", "filtered", "percentile", "sun", "unet")


@dataclass(frozen=True, kw_only=True)
class SceneStatistics:
    """What the classes of any part of a scene need to know of the whole.

    Attributes
    ----------
    scene_id, method, cloud_mask : str
        The mask as :func:`polynya.scenes.clouds.resolve` names it.
    thresholds : (int, int)
        Largest V of open water, largest V of thin ice.
    counts : numpy.ndarray of int64, shape (256,), or None
        The histogram that thresholds or filter come from.
    clouds : numpy.ndarray of bool or None
        s2cloudless mask on 60 m cells.
    """

    scene_id: str
    method: str
    cloud_mask: str
    thresholds: tuple[int, int]
    counts: np.ndarray | None = None
    clouds: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class SceneClasses:
    """Classes on a part of a scene's 10 m grid.

    Attributes
    ----------
    classes : numpy.ndarray of int8, shape (h, w)
        0 thick ice, 1 thin ice, 2 open water, -1 no data. Under cloud too: look at ``is_cloud``.
    value : numpy.ndarray of uint8, shape (h, w)
        V of the unfiltered true colour, 0 where there is no data.
    is_cloud : numpy.ndarray of bool, shape (h, w)
        Cloud, or with ``scl`` also shadow; False everywhere without a mask.
    geobox : odc.geo.geobox.GeoBox
        The window's grid.
    statistics : SceneStatistics
    """

    classes: np.ndarray
    value: np.ndarray
    is_cloud: np.ndarray
    geobox: GeoBox
    statistics: SceneStatistics


def scene_statistics(
    scene: sentinel2.Scene,
    *,
    method: str = "published",
    cloud_mask: str = "auto",
    tile: int = tiling.TILE,
    advance: Callable[[int], None] | None = None,
) -> SceneStatistics:
    """Go over a scene once for what its classes need to know of the whole.

    Parameters
    ----------
    scene : sentinel2.Scene
        The scene.
    method : str
        One of :data:`METHODS`. ``published``, ``sun`` and ``unet`` need no pass.
    cloud_mask : str
        One of :data:`polynya.scenes.clouds.MASKS`.
    tile : int
        Pixels a side of a tile; changes nothing but time and memory.
    advance : callable, optional
        Called with the number of pixels done since its last call.

    Returns
    -------
    SceneStatistics

    Raises
    ------
    UsageError
        If method or mask are unknown, or the scene lacks what they need.
    ProductError
        If a file of the scene is damaged.
    """
    if method not in METHODS:
        raise UsageError(f"method {method}: unknown; expected one of {', '.join(METHODS)}. Choose one.")
    mask = scene_clouds.resolve(scene, cloud_mask)
    thresholds, counts = ice_colour.PUBLISHED, None
    if method == "sun":
        if scene.sun_elevation is None:
            raise UsageError(
                f"{scene.scene_id}: does not say where the sun stood; method sun expected its elevation. Take the"
                " method percentile."
            )
        thresholds = ice_colour.thresholds_from_sun(scene.sun_elevation)
    clouds = scene_clouds.s2cloudless(scene, advance=advance) if mask == "s2cloudless" else None
    early = SceneStatistics(
        scene_id=scene.scene_id, method=method, cloud_mask=mask, thresholds=thresholds, counts=None, clouds=clouds
    )
    if method in ("percentile", "filtered"):
        count = _count_value if method == "percentile" else _count_difference
        counts = np.zeros(256, np.int64)
        tiles = tiling.parts(sentinel2.whole(scene), tile)
        with tiling.unpacked(scene) as ready:
            for window, found in zip(tiles, tiling.each(lambda w: count(ready, w, early), tiles), strict=True):
                counts += found
                if advance:
                    advance(window.height * window.width)
        if method == "percentile":
            thresholds = ice_colour.thresholds_from_bright(counts)
    return SceneStatistics(
        scene_id=scene.scene_id, method=method, cloud_mask=mask, thresholds=thresholds, counts=counts, clouds=clouds
    )


def _count_value(scene: sentinel2.Scene, window: Window, statistics: SceneStatistics) -> np.ndarray:
    v = ice_colour.value(sentinel2.true_colour(scene, window=window))
    return ice_colour.histogram(v, where=(v > 0) & ~_clouds(scene, window, statistics))


def _count_difference(scene: sentinel2.Scene, window: Window, statistics: SceneStatistics) -> np.ndarray:
    difference, v = _difference(scene, window)
    return ice_colour.histogram(difference, where=v > 0)


def _difference(scene: sentinel2.Scene, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the difference to the background and V, on a window; water and missing pixels are painted white before."""
    around, inner = tiling.with_halo(window, thin_cloud.HALO, shape=tuple(scene.geobox.shape))
    rgb = sentinel2.true_colour(scene, window=around)
    v = ice_colour.value(rgb)
    image = thin_cloud.grey(rgb)
    image[v <= ice_colour.PUBLISHED[0]] = 255
    return thin_cloud.difference(image, inner=inner), v[inner]


def _clouds(scene: sentinel2.Scene, window: Window, statistics: SceneStatistics) -> np.ndarray:
    if statistics.cloud_mask == "scl":
        return scene_clouds.from_classification(sentinel2.scene_classification(scene, window=window))
    if statistics.cloud_mask == "s2cloudless" and statistics.clouds is not None:
        return scene_clouds.on_window(statistics.clouds, window)
    return np.zeros((window.height, window.width), bool)


def scene_classes(
    scene: sentinel2.Scene,
    *,
    method: str = "published",
    cloud_mask: str = "auto",
    window: sentinel2.AnyWindow = None,
    statistics: SceneStatistics | None = None,
    weights: Path | None = None,
    tile: int = tiling.TILE,
) -> SceneClasses:
    """Classify a scene or a window of it.

    Parameters
    ----------
    scene : sentinel2.Scene
        The scene.
    method : str
        ``published``: V against 30 and 204. ``filtered``: the published thin-cloud and shadow filter. ``percentile``
        and ``sun``: thresholds scaled with the scene's own bright ice, or with the sun's elevation. ``unet``: a
        network.
    cloud_mask : str
        ``auto``, ``scl``, ``s2cloudless`` or ``none``.
    window : optional
        Rows and columns of the 10 m grid; the whole scene by default, at five bytes per pixel.
    statistics : SceneStatistics, optional
        Of :func:`scene_statistics` for the same scene, method and mask; computed where it is missing, over the whole
        scene.
    weights : Path, optional
        ONNX file of the network, for ``unet``.
    tile : int
        Pixels a side of a tile; changes nothing but time and memory.

    Returns
    -------
    SceneClasses

    Raises
    ------
    UsageError
        If method, mask or window do not fit the scene, or ``statistics`` are of something else.
    ProductError
        If a file of the scene, or the network, is damaged.
    """
    place = sentinel2.as_window(scene, window)
    if statistics is None:
        statistics = scene_statistics(scene, method=method, cloud_mask=cloud_mask, tile=tile)
    wanted = (scene.scene_id, method, scene_clouds.resolve(scene, cloud_mask))
    if (statistics.scene_id, statistics.method, statistics.cloud_mask) != wanted:
        raise UsageError(
            f"{scene.scene_id}: the statistics are of {statistics.scene_id}, {statistics.method},"
            f" {statistics.cloud_mask}; expected {', '.join(wanted)}. Compute them again."
        )
    classify, tile = _classifier(scene, statistics, weights, tile)
    classes = np.empty((place.height, place.width), np.int8)
    value = np.empty((place.height, place.width), np.uint8)
    is_cloud = np.empty((place.height, place.width), bool)
    for part in tiling.parts(place, tile):
        cut = tiling.cut(classes, part, within=place)
        cut[:], tiling.cut(value, part, within=place)[:] = classify(part)
        tiling.cut(is_cloud, part, within=place)[:] = _clouds(scene, part, statistics)
    rows, columns = (
        slice(place.row_off, place.row_off + place.height),
        slice(place.col_off, place.col_off + place.width),
    )
    return SceneClasses(
        classes=classes, value=value, is_cloud=is_cloud, geobox=scene.geobox[rows, columns], statistics=statistics
    )


def _classifier(
    scene: sentinel2.Scene, statistics: SceneStatistics, weights: Path | None, tile: int
) -> tuple[Callable[[Window], tuple[np.ndarray, np.ndarray]], int]:
    """Return a function from a window to its classes and V, and the tile it is best called with."""
    if statistics.method == "filtered":
        table = ice_colour.filtered_table(statistics.counts)

        def filtered(window: Window) -> tuple[np.ndarray, np.ndarray]:
            difference, v = _difference(scene, window)
            return ice_colour.classes_from_filtered(table[difference], v), v

        return filtered, tile
    if statistics.method == "unet":
        from . import unet

        network = unet.open_network(weights)
        return (lambda window: unet.classes(scene, network, window=window)), unet.TILE

    table = ice_colour.class_table(statistics.thresholds)

    def by_value(window: Window) -> tuple[np.ndarray, np.ndarray]:
        v = ice_colour.value(sentinel2.true_colour(scene, window=window))
        return table[v], v

    return by_value, tile
