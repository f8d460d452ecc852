"""Optical sea-ice scenes with their classes beside them, as tiles for training: ``NAME_truth.tif`` and
``NAME_tci.tif``.

``polynya simulate pair`` writes such files; so may anyone who has drawn classes over a scene: band 1 of the truth holds
0 thick ice, 1 thin ice, 2 open water, 255 unknown, band 2 (if there is one) is not 0 where cloud or shadow hides the
surface. Cloud carries no label.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..physics import thin_cloud
from ..readers import sentinel2
from ..sensors import UNLABELLED
from . import class_bits

CLASSES_FILE = "a GeoTIFF of classes. Make it again"
TRUTH, IMAGE = "_truth.tif", "_tci.tif"
CLASSES = ("thick_ice", "thin_ice", "open_water")
TARGET = "surface_class"


@dataclass(frozen=True, kw_only=True)
class ImageTile:
    """A whole scene as one tile; see :class:`polynya.samples.scene_windows.Tile`."""

    path: Path
    image: Path
    name: str
    scene: str
    shape: tuple[int, int]
    grid: str
    corner: tuple[float, float]
    pixel: tuple[float, float]
    latitude: float
    longitude: float
    region: str | None = None
    is_simulated: bool = False

    def values(self, sensors: Sequence[str], rows: slice, columns: slice) -> np.ndarray:
        """Return grey of 0 to 1, float32 (1, h, w), NaN where the image has no data.

        Raises
        ------
        UsageError
            If another sensor is asked for.
        """
        if tuple(sensors) != ("grey",):
            raise UsageError(
                f"{self.path.name}: holds a true-colour image; expected a recipe with the one sensor grey, found"
                f" {list(sensors)}. Give tile sets for other sensors."
            )
        rgb = sentinel2.true_colour(_scene(self.image), window=((rows.start, rows.stop), (columns.start, columns.stop)))
        grey = thin_cloud.grey(rgb).astype(np.float32) / np.float32(255)
        grey[(rgb == 0).all(axis=-1)] = np.nan
        return grey[None]

    def target(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return a bit for each pixel's class, 0 under cloud and where nobody knows."""
        from rasterio.windows import Window

        found = _bands(
            self.path, Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        )
        bits = class_bits.bits_of(
            found[0], {k: (k,) for k in range(len(CLASSES))}, unlabelled=(UNLABELLED,), where=self.path.name
        )
        return np.where(found[1] == 0, bits, 0).astype(bits.dtype) if len(found) > 1 else bits


def open_images(folder: Path) -> list[ImageTile]:
    """Return the scenes of a folder and the folders below that have their classes beside them.

    Raises
    ------
    ProductError
        If an image is missing or of another size.
    """
    from pyproj import Transformer

    out = []
    for truth in sorted(folder.rglob(f"*{TRUTH}")):
        image = truth.with_name(truth.name.removesuffix(TRUTH) + IMAGE)
        if not image.is_file():
            raise ProductError(
                f"{truth.name}: the image {image.name} is missing beside it; expected both. Put it there."
            )
        scene = _scene(image)
        shape = tuple(int(v) for v in scene.geobox.shape)
        a, crs = scene.geobox.affine, scene.geobox.crs
        with opening.open_raster(truth, expected=CLASSES_FILE) as source:
            is_simulated = "simulated_by" in source.tags()
            if (source.height, source.width) != shape:
                raise ProductError(
                    f"{truth.name}: is {source.height} x {source.width} pixels; expected those of {image.name},"
                    f" {shape[0]} x {shape[1]}. Make it on the image's grid."
                )
        # not the centroid of the extent in degrees, which lies on the far side of the Earth where a scene crosses 180
        # degrees
        longitude, latitude = Transformer.from_crs(crs.to_wkt(), "EPSG:4326", always_xy=True).transform(
            *(a @ (shape[1] / 2, shape[0] / 2))
        )
        stem = truth.name.removesuffix(TRUTH)
        out.append(
            ImageTile(
                path=truth,
                image=image,
                name=stem,
                scene=f"{truth.parent.name}/{stem}",
                shape=shape,
                grid=f"EPSG:{crs.epsg}",
                corner=(a.c, a.f),
                pixel=(abs(a.a), abs(a.e)),
                latitude=float(latitude),
                longitude=float(longitude),
                is_simulated=is_simulated,
            )
        )
    return out


@functools.lru_cache(maxsize=8)
def _scene(image: Path) -> sentinel2.Scene:
    return sentinel2.open_scene(image)


def _bands(path: Path, window) -> np.ndarray:
    with opening.open_raster(path, expected=CLASSES_FILE) as source:
        return source.read(window=window)
