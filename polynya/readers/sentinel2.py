"""Sentinel-2 scenes: SAFE folders of Level-1C and 2A (JPEG 2000), and GeoTIFFs with at least three bands; read in
windows.

Checked on metadata of real products of baselines 02.12 to 05.09, with images that the tests write. Reflectance is
``(DN + offset) / quantification`` with the product's own numbers; from baseline 04.00 on the offset is -1000. The 8-bit
true colour is that of a Level-1C TCI, in which 255 stands for reflectance 0.3558 and 0 for no data (Sentinel-2 MSI user
guide, definitions). A Level-2A TCI saturates at 0.2, so there it is made from the bands: one threshold means one
reflectance in both levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..io import archives, opening
from . import sentinel2_geotiff
from .sentinel2_geotiff import TRUE_COLOUR_NOTE
from .sentinel2_safe import BandFile
from .sentinel2_scene import (
    FULL_SCALE,
    INTACT,
    LEVEL_2A_FULL_SCALE,
    TRUE_COLOUR,
    Scene,
    as_window,
    open_scene,
    whole,
    windows,
)

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

    from .sentinel2_scene import AnyWindow

__all__ = [
    "FULL_SCALE",
    "LEVEL_2A_FULL_SCALE",
    "TRUE_COLOUR",
    "TRUE_COLOUR_NOTE",
    "Scene",
    "as_window",
    "open_scene",
    "overview",
    "read",
    "reflectance",
    "scene_classification",
    "stretch",
    "true_colour",
    "whole",
    "windows",
]
PRODUCT = "Sentinel-2 MSI"
RELEASES = ("S2MSI1C", "S2MSI2A")
CHECKED: tuple[str, ...] = ()
DOI = {"S2MSI1C": "10.5270/S2_-742ikth", "S2MSI2A": "10.5270/S2_-znk9xsj"}
SCENE_CLASSES = (
    (0, "no_data"),
    (1, "saturated_or_defective"),
    (2, "dark_area"),
    (3, "cloud_shadow"),
    (4, "vegetation"),
    (5, "not_vegetated"),
    (6, "water"),
    (7, "unclassified"),
    (8, "cloud_medium_probability"),
    (9, "cloud_high_probability"),
    (10, "thin_cirrus"),
    (11, "snow_or_ice"),
)
"""Values of the Level-2A scene classification."""


def _file(scene: Scene, name: str) -> BandFile:
    found = scene.file(name)
    if found is None:
        raise UsageError(
            f"{scene.scene_id}: has no band {name}; found {', '.join(f.name for f in scene.files)}. Name one of these."
        )
    if not archives.is_file(found.path):
        raise ProductError(
            f"{scene.scene_id}: the file of {name}, {found.path.name}, is missing; the metadata list it. Download the"
            " product again, whole."
        )
    return found


def _counts(scene: Scene, file: BandFile, window: Window, *, count: int = 1) -> np.ndarray:
    """Read counts, shape (count, h, w): coarser pixels are repeated, so that a value does not depend on the window."""
    from rasterio.windows import Window

    factor = round(file.resolution_m / abs(scene.geobox.affine.a)) if scene.product != "GeoTIFF" else 1
    r0, c0 = window.row_off // factor, window.col_off // factor
    r1 = -(-(window.row_off + window.height) // factor)
    c1 = -(-(window.col_off + window.width) // factor)
    with opening.open_raster(file.path, expected=INTACT) as source:
        data = source.read(list(range(file.index, file.index + count)), window=Window(c0, r0, c1 - c0, r1 - r0))
    if factor > 1:
        data = data.repeat(factor, axis=1).repeat(factor, axis=2)
        top, left = window.row_off - r0 * factor, window.col_off - c0 * factor
        data = data[:, top : top + window.height, left : left + window.width]
    return data


def reflectance(scene: Scene, bands: tuple[str, ...] | list[str], *, window: AnyWindow = None) -> np.ndarray:
    """Read reflectances on the 10 m grid.

    Parameters
    ----------
    scene : Scene
        Of :func:`open_scene`.
    bands : sequence of str
        Of ``scene.bands``, ``B04`` for example.
    window : optional
        Rows and columns of the 10 m grid; the whole scene by default, which is large.

    Returns
    -------
    numpy.ndarray of float32, shape (len(bands), h, w)
        Top-of-atmosphere (Level-1C) or surface (Level-2A) reflectance, NaN where there is no data. Pixels of 20
        and 60 m are repeated.

    Raises
    ------
    UsageError
        If a band is unknown or the window reaches outside.
    ProductError
        If a file is missing or damaged, or an 8-bit image has no reflectances.
    """
    place = as_window(scene, window)
    out = np.empty((len(bands), place.height, place.width), np.float32)
    for i, name in enumerate(bands):
        file = _file(scene, name)
        counts = _counts(scene, file, place)[0]
        if counts.dtype == np.uint8 and file.scale == 1.0:
            raise ProductError(
                f"{scene.path.name}: is an 8-bit image, no reflectance in it; expected 16-bit or floating-point bands."
                " Give the reflectances."
            )
        out[i] = counts.astype(np.float32) * np.float32(file.scale) + np.float32(file.offset)
        if file.nodata is not None:
            out[i][counts == file.nodata] = np.nan
    return out


def true_colour(scene: Scene, *, window: AnyWindow = None) -> np.ndarray:
    """Read the 8-bit true colour that the published colour rule expects.

    Parameters
    ----------
    scene : Scene
        Of :func:`open_scene`.
    window : optional
        Rows and columns of the 10 m grid; the whole scene by default, which is large.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w, 3)
        Red, green, blue; 1 to 255, and (0, 0, 0) where there is no data. The own TCI of a Level-1C product, an 8-bit
        GeoTIFF as it is, else ``255 * reflectance / FULL_SCALE`` rounded; ``scene.notes`` says which.

    Raises
    ------
    ProductError, UsageError
        As :func:`reflectance`.

    Notes
    -----
    Level-2A true colour can hold 0 over dark water although 0 is kept for missing data: where the scene
    classification knows the pixel it becomes 1.
    """
    place = as_window(scene, window)
    file = _own_colour(scene)
    if file is not None:
        rgb = np.moveaxis(_counts(scene, file, place, count=3), 0, -1)
        if scene.product == "GeoTIFF":
            return sentinel2_geotiff.mark_missing(rgb, file, place)
        black = ~rgb.any(axis=2)
        if scene.has_classification and black.any():
            rgb[black & (scene_classification(scene, window=place) > 0)] = 1
        return np.ascontiguousarray(rgb)
    names = TRUE_COLOUR if scene.product != "GeoTIFF" else tuple(f.name for f in scene.files[:3])
    return stretch(reflectance(scene, names, window=place), full_scale=FULL_SCALE)


def _own_colour(scene: Scene) -> BandFile | None:
    """Return the product's own true colour where it is on Level-1C's scale, or where there is nothing else."""
    file = scene.file("TCI")
    if file is None or not archives.is_file(file.path):
        return None
    bands = [scene.file(name) for name in TRUE_COLOUR]
    return (
        None if scene.product == "S2MSI2A" and all(b is not None and archives.is_file(b.path) for b in bands) else file
    )


def stretch(reflectances: np.ndarray, *, full_scale: float) -> np.ndarray:
    """Return reflectances as 8-bit colours in the TCI's way.

    Parameters
    ----------
    reflectances : numpy.ndarray, shape (3, h, w)
        Red, green, blue; a pixel with NaN in one of them is missing.
    full_scale : float
        Reflectance that becomes 255.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w, 3)
        1 to 255; (0, 0, 0) is missing.
    """
    missing = np.isnan(reflectances).any(axis=0)
    out = np.clip(np.rint(np.nan_to_num(reflectances) * np.float32(255.0 / full_scale)), 1, 255).astype(np.uint8)
    out[:, missing] = 0
    return np.ascontiguousarray(np.moveaxis(out, 0, -1))


def scene_classification(scene: Scene, *, window: AnyWindow = None) -> np.ndarray:
    """Read the Level-2A scene classification on the 10 m grid.

    Parameters
    ----------
    scene : Scene
        Of :func:`open_scene`.
    window : optional
        Rows and columns of the 10 m grid; the whole scene by default, which is large.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        Values of :data:`SCENE_CLASSES`; pixels of 20 m are repeated.

    Raises
    ------
    ProductError
        If the scene has none.
    """
    if not scene.has_classification:
        raise ProductError(
            f"{scene.scene_id}: has no scene classification (product {scene.product}); expected a Level-2A product with"
            " SCL. Take another cloud mask."
        )
    return _counts(scene, _file(scene, "SCL"), as_window(scene, window))[0].astype(np.uint8, copy=False)


def overview(scene: Scene, *, most: int = 2048) -> tuple[np.ndarray, GeoBox]:
    """Read the true colour of the whole scene, made smaller by the driver, for pictures.

    Parameters
    ----------
    scene : Scene
        Of :func:`open_scene`.
    most : int
        Pixels of the longer side, at most.

    Returns
    -------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        Nearest pixels.
    geobox : odc.geo.geobox.GeoBox
        Its grid: the scene's extent in fewer pixels.

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    rows, columns = scene.geobox.shape
    factor = max(max(rows, columns) / most, 1.0)
    shape = (max(int(rows / factor), 1), max(int(columns / factor), 1))
    small = GeoBox(shape, scene.geobox.affine * Affine.scale(columns / shape[1], rows / shape[0]), scene.geobox.crs)

    def read(file: BandFile, count: int) -> np.ndarray:
        with opening.open_raster(file.path, expected=INTACT) as source:
            return source.read(list(range(file.index, file.index + count)), out_shape=(count, *shape))

    file = _own_colour(scene)
    if file is not None:
        return np.ascontiguousarray(np.moveaxis(read(file, 3), 0, -1)), small
    names = TRUE_COLOUR if scene.product != "GeoTIFF" else tuple(f.name for f in scene.files[:3])
    out = np.empty((3, *shape), np.float32)
    for i, name in enumerate(names):
        found = _file(scene, name)
        counts = read(found, 1)[0]
        out[i] = counts * np.float32(found.scale) + np.float32(found.offset)
        if found.nodata is not None:
            out[i][counts == found.nodata] = np.nan
    return stretch(out, full_scale=FULL_SCALE), small


def read(path: Path | str, *, bands: tuple[str, ...] = TRUE_COLOUR, window: AnyWindow = None) -> xarray.Dataset:
    """Read reflectances as a dataset.

    Parameters
    ----------
    path : Path or str
        As :func:`open_scene` takes it.
    bands : tuple of str
        ``B04`` for example.
    window : optional
        Rows and columns of the 10 m grid; the whole scene by default, which is large.

    Returns
    -------
    xarray.Dataset
        ``reflectance`` (band, y, x), with ``spatial_ref``; NaN where there is no data.

    Raises
    ------
    ProductError, UsageError
        As :func:`open_scene` and :func:`reflectance`.
    """
    import xarray as xr

    scene = open_scene(path)
    place = as_window(scene, window)
    grid = scene.geobox.affine
    x = grid.c + grid.a * (place.col_off + 0.5 + np.arange(place.width))
    y = grid.f + grid.e * (place.row_off + 0.5 + np.arange(place.height))
    attributes = {"units": "1", "long_name": "reflectance", "grid_mapping": "spatial_ref"}
    crs = scene.geobox.crs
    coords = {
        "band": list(bands),
        "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
        "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
        "spatial_ref": ((), 0, {} if crs is None else crs.proj.to_cf()),
    }
    data = xr.DataArray(reflectance(scene, bands, window=place), dims=("band", "y", "x"), attrs=attributes)
    about = {"Conventions": "CF-1.11", "scene": scene.scene_id, "product": scene.product, "time": str(scene.time)}
    return xr.Dataset({"reflectance": data}, coords=coords, attrs=about)
