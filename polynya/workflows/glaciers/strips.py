"""What a network is given of a scene, and what comes out: the bands of its sensors, and rows of a map without the
pixels that the image does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...predict import fading
from ...predict import scenes as predict_scenes
from ...scenes import quality
from ...scenes import scene as glacier_scene
from ...scenes import seen as scene_seen
from ...scenes.scene import Scene, only_sensors


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Finished rows of a map.

    Attributes
    ----------
    row : int
        First row.
    probability, confidence, spread : numpy.ndarray of float32, shape (h, width)
        NaN where the image saw nothing.
    is_seen : numpy.ndarray of bool, shape (h, width)
        Pixels that the image saw; any sensor, where no image is used.
    unseen_probability : numpy.ndarray of float32, shape (h, width)
        What the other sensors alone make of pixels that the image did not see; NaN elsewhere.
    is_cloud : numpy.ndarray of bool, shape (h, w), or None
        Seen pixels under cloud; None where there are none.
    n_clear : numpy.ndarray of uint8, shape (h, w), or None
        Dates without cloud, of a map of several.
    """

    row: int
    probability: np.ndarray
    confidence: np.ndarray
    spread: np.ndarray
    is_seen: np.ndarray
    unseen_probability: np.ndarray
    is_cloud: np.ndarray | None = None
    n_clear: np.ndarray | None = None


def masked_strip(
    row: int, *, probability: np.ndarray, confidence: np.ndarray, spread: np.ndarray, is_seen: np.ndarray
) -> Strip:
    """Return a strip without its unseen pixels.

    Parameters
    ----------
    row : int
        First row.
    probability, confidence, spread : numpy.ndarray, shape (h, width)
        Of all pixels.
    is_seen : numpy.ndarray of bool, shape (h, width)
        Those that are kept.
    """
    nan = np.float32(np.nan)

    def kept(values: np.ndarray) -> np.ndarray:
        return np.where(is_seen, values, nan).astype(np.float32)

    return Strip(
        row=row,
        probability=kept(probability),
        confidence=kept(confidence),
        spread=kept(spread),
        is_seen=is_seen,
        unseen_probability=np.where(is_seen, nan, probability).astype(np.float32),
    )


def bands(scene: Scene, wanted: Sequence[str], used: Sequence[str]) -> predict_scenes.Read:
    """Return a reader of a network's bands, NaN for sensors that are missing or left out; only those used are read.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    wanted : sequence of str
        The network's sensors.
    used : sequence of str
        Those that it is given.
    """
    only, image = only_sensors(scene, used), scene.table.name_of("reflectance")

    def read(rows: slice, columns: slice) -> np.ndarray:
        values = glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        if image in values:  # fill that a file does not declare is no reflectance
            values[image][:, ~scene_seen.of_scene(only, values)] = np.nan
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return np.concatenate(
            [
                values[s] if s in values else np.full((len(scene.table[s].bands), *shape), np.nan, np.float32)
                for s in wanted
            ]
        )

    return read


def cloud_in(scene: Scene, wanted: Sequence[str], values: np.ndarray) -> np.ndarray | None:
    """Return where bands that were read show cloud by the rule; None where a mask of the product or more bands say it.

    Parameters
    ----------
    scene : Scene
        The scene.
    wanted : sequence of str
        The sensors of the bands.
    values : numpy.ndarray, shape (bands, h, width)
        Of :func:`bands`.

    Returns
    -------
    numpy.ndarray of bool, shape (h, width), or None
    """
    image, thermal = scene.table.of("reflectance"), scene.table.name_of("brightness_temperature")
    if any(s.cloud is not None for s in scene.sources) or image is None or image.name not in wanted:
        return None
    if thermal in scene.sensors and thermal not in wanted:
        return None
    ends = np.cumsum([len(scene.table[s].bands) for s in wanted])
    parts = dict(zip(wanted, np.split(values, ends[:-1]), strict=True))
    return quality.cloud_by_rule(parts, image, thermal=thermal)


def image_bands(scene: Scene, wanted: Sequence[str], used: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the image's bands that a scene has, among all bands of a network; empty where no image is
    used.

    Parameters
    ----------
    scene : Scene
        The scene.
    wanted : sequence of str
        The network's sensors.
    used : sequence of str
        Those that it is given.
    """
    image = scene.table.name_of("reflectance")
    if image not in wanted or image not in used:
        return ()
    first = sum(len(scene.table[s].bands) for s in wanted[: list(wanted).index(image)])
    return tuple(first + k for k in range(len(scene.table[image].bands)) if scene.has_band(image, k))


def fade(scene: Scene, wanted: Sequence[str], used: Sequence[str], image: tuple[int, ...]) -> fading.Fade | None:
    """Return how the map fades where the DEM ends; None where only the DEM is used, or none is.

    Parameters
    ----------
    scene : Scene
        The scene.
    wanted : sequence of str
        The network's sensors.
    used : sequence of str
        Those that it is given.
    image : tuple of int
        Of :func:`image_bands`.
    """
    dem = scene.table.name_of("height")
    if dem not in wanted or dem not in used or len(used) == 1:
        return None
    first = sum(len(scene.table[s].bands) for s in wanted[: list(wanted).index(dem)])
    return fading.Fade(bands=slice(first, first + len(scene.table[dem].bands)), image=image)
