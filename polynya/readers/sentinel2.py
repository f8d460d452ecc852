"""Sentinel-2 scenes: SAFE folders of Level-1C and 2A (JPEG 2000), and GeoTIFFs with at least three bands; read in
windows.

Checked on no real product yet (none lies beside the project): on SAFE folders in the published layout
that the tests write, of baselines before and after 04.00. Reflectance is ``(DN + offset) / quantification``
with the product's own numbers; from baseline 04.00 on the offset is -1000. The 8-bit true colour is that of a
Level-1C TCI, in which 255 stands for reflectance 0.3558 and 0 for no data (Sentinel-2 MSI user guide, definitions). A
Level-2A TCI saturates at 0.2, so there it is made from the bands: one threshold means one reflectance in both levels.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError, one_line
from . import sentinel2_geotiff, sentinel2_safe
from .sentinel2_safe import BandFile

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

    AnyWindow = Window | tuple[tuple[int, int], tuple[int, int]] | None

PRODUCT = "Sentinel-2 MSI"
RELEASES = ("S2MSI1C", "S2MSI2A")
CHECKED: tuple[str, ...] = ()
DOI = {"S2MSI1C": "10.5270/S2_-742ikth", "S2MSI2A": "10.5270/S2_-znk9xsj"}
CACHE_BYTES = 256 << 20
"""For decoded tiles, whatever the machine's memory."""
TRUE_COLOUR = ("B04", "B03", "B02")
FULL_SCALE = 0.3558
"""Reflectance at which the 8-bit true colour saturates: that of a Level-1C TCI."""
LEVEL_2A_FULL_SCALE = 0.2
"""That of a Level-2A TCI."""
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


@dataclass(frozen=True)
class Scene:
    """A scene that can be read in windows; holds no pixels.

    Attributes
    ----------
    path : Path
    scene_id : str
        The product's name without ``.SAFE``, or the file's stem.
    product : str
        ``S2MSI1C``, ``S2MSI2A`` or ``GeoTIFF``.
    time : numpy.datetime64 or None
        UTC, ns: when this tile was sensed.
    geobox : odc.geo.geobox.GeoBox
        The 10 m grid (of a GeoTIFF its own); windows count its pixels.
    sun_elevation, sun_azimuth : float or None
        Mean over the tile, degrees; azimuth clockwise from north.
    bands : tuple of str
        Bands that :func:`reflectance` can read.
    has_classification : bool
        Whether there is a Level-2A scene classification.
    notes : tuple of str
        What a careful user wants to know, the source of the true colour among it.
    files : tuple of BandFile
    """

    path: Path
    scene_id: str
    product: str
    time: np.datetime64 | None
    geobox: GeoBox
    sun_elevation: float | None
    sun_azimuth: float | None
    bands: tuple[str, ...]
    has_classification: bool
    notes: tuple[str, ...]
    files: tuple[BandFile, ...]

    def file(self, name: str) -> BandFile | None:
        """Return a band's file, None where the scene has none."""
        return next((f for f in self.files if f.name == name), None)


def open_scene(path: Path | str) -> Scene:
    """Describe a scene.

    Parameters
    ----------
    path : Path or str
        A ``.SAFE`` folder (or the metadata file in it), or a GeoTIFF with red, green, blue as first three bands or
        named so.

    Returns
    -------
    Scene

    Raises
    ------
    ProductError
        If it is neither, or a file is missing, cut or without coordinate system.
    """
    path = Path(path)
    if not path.exists():
        raise ProductError(
            f"{path.name}: no such scene at {path}; expected a .SAFE folder or a GeoTIFF. Check the path."
        )
    if path.name in sentinel2_safe.PRODUCTS.values():
        path = path.resolve().parent
    if path.is_dir():
        return _open_safe(path)
    if path.suffix.lower() == ".zip":
        raise ProductError(f"{path.name}: is a zip archive; expected the .SAFE folder in it. Unpack it first.")
    with path.open("rb") as handle:
        if handle.read(8) == b"\x89HDF\r\n\x1a\n":  # ICESat-2 granules are; GDAL would try, and print a page of its own
            raise ProductError(
                f"{path.name}: is an HDF5 file, not a scene; expected a .SAFE folder or a GeoTIFF. Granule and scene"
                " may have changed places."
            )
    from rasterio.errors import NotGeoreferencedWarning

    with _reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # an error of our own says it
        return _open_geotiff(path)


def _open_safe(folder: Path) -> Scene:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    about = sentinel2_safe.read_metadata(folder)
    geobox = GeoBox(about.shape, Affine(10.0, 0.0, about.corner[0], 0.0, -10.0, about.corner[1]), f"EPSG:{about.epsg}")
    present = tuple(f for f in about.files if f.path.is_file())
    missing = [f.name for f in about.files if f not in present]
    notes = [
        *about.notes,
        *([f"listed in the metadata, but not in the folder: {', '.join(missing)}"] if missing else []),
    ]
    names = {f.name for f in present}
    if "TCI" not in names and not names >= set(TRUE_COLOUR):
        lost = [f.name for f in about.files if f.name in (*TRUE_COLOUR, "TCI") and f not in present] or ["TCI"]
        raise ProductError(
            f"{folder.name}: the image files of {', '.join(lost)} are missing; expected the true colour image (TCI) or"
            " B04, B03 and B02 in GRANULE/*/IMG_DATA. Download the product again, whole."
        )
    for file in present:
        _check_jp2(file, folder, about.shape)
    if about.product == "S2MSI2A" and names >= set(TRUE_COLOUR):
        notes.append(
            f"true colour: 255 * reflectance / {FULL_SCALE:g} as in Level-1C, from the bands (the TCI of Level-2A"
            f" saturates at {LEVEL_2A_FULL_SCALE:g})"
        )
    elif about.product == "S2MSI2A":
        notes.append(
            f"true colour: the product's own TCI, where 255 is reflectance {LEVEL_2A_FULL_SCALE:g} and not"
            f" {FULL_SCALE:g} as in Level-1C, since B04, B03 and B02 are missing: thresholds cut lower"
        )
    else:
        notes.append(
            "true colour: the product's own TCI"
            if "TCI" in names
            else f"true colour: 255 * reflectance / {FULL_SCALE:g}, no TCI in the product"
        )
    if about.baseline:
        notes.append(f"processing baseline {about.baseline}")
    return Scene(
        folder,
        about.uri.removesuffix(".SAFE"),
        about.product,
        about.time,
        geobox,
        about.sun_elevation,
        about.sun_azimuth,
        tuple(f.name for f in about.files if f.name not in ("TCI", "SCL")),
        "SCL" in names,
        tuple(notes),
        about.files,
    )


def _check_jp2(file: BandFile, folder: Path, shape: tuple[int, int]) -> None:
    """Refuse a file that is cut or of another size; reads headers only."""
    import rasterio

    if sentinel2_safe.jp2_is_cut(file.path):
        raise ProductError(
            f"{folder.name}: {file.path.name} is cut short or no JPEG 2000 file ({file.path.stat().st_size} bytes);"
            " expected a whole one. Download it again."
        )
    with _reading(file.path), rasterio.open(file.path) as source:
        found = (source.height * file.resolution_m / 10.0, source.width * file.resolution_m / 10.0)
        # A 20 or 60 m band of a grid that is no multiple of 6 reaches over its edge.
        if not all(n <= f < n + file.resolution_m / 10.0 for n, f in zip(shape, found, strict=True)):
            raise ProductError(
                f"{folder.name}: {file.path.name} has {source.height} x {source.width} pixels of {file.resolution_m:g}"
                f" m; expected the tile's {shape[0]} x {shape[1]} of 10 m. Download it again."
            )
        if file.name == "TCI" and source.count < 3:
            raise ProductError(
                f"{folder.name}: {file.path.name} has {source.count} band; expected red, green and blue. Download it"
                " again."
            )


def _open_geotiff(path: Path) -> Scene:
    about = sentinel2_geotiff.read_metadata(path)
    return Scene(
        path,
        path.stem,
        "GeoTIFF",
        about.time,
        about.geobox,
        about.sun_elevation,
        about.sun_azimuth,
        tuple(f.name for f in about.files if f.name != "TCI"),
        False,
        about.notes,
        about.files,
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever the raster library throws into one line.

    One thread decodes: with more, the library loses the error of a damaged JPEG 2000 tile and returns zeros.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=CACHE_BYTES):
            yield
    except (RasterioError, OSError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as an image ({one_line(error)[:160]}); expected JPEG 2000 or GeoTIFF, whole."
            " Download it again."
        ) from error


def whole(scene: Scene) -> Window:
    """Return the window that is the scene."""
    from rasterio.windows import Window

    return Window(0, 0, scene.geobox.shape[1], scene.geobox.shape[0])


def as_window(scene: Scene, window: AnyWindow) -> Window:
    """Return a window in whole pixels inside the scene; None is the whole scene.

    Parameters
    ----------
    scene : Scene
    window : rasterio.windows.Window, ((row0, row1), (col0, col1)) or None

    Returns
    -------
    rasterio.windows.Window

    Raises
    ------
    UsageError
        If it is empty, reaches outside, or is not in whole pixels.
    """
    from rasterio.windows import Window

    rows, columns = scene.geobox.shape
    if window is None:
        return whole(scene)
    if not isinstance(window, Window):
        (r0, r1), (c0, c1) = window
        window = Window(c0, r0, c1 - c0, r1 - r0)
    numbers = (window.row_off, window.col_off, window.height, window.width)
    r0, c0, height, width = (int(v) for v in numbers)
    if (
        (r0, c0, height, width) != numbers
        or min(r0, c0) < 0
        or min(height, width) < 1
        or r0 + height > rows
        or c0 + width > columns
    ):
        raise UsageError(
            f"{scene.scene_id}: window of rows {numbers[0]:g} + {numbers[2]:g}, columns {numbers[1]:g} +"
            f" {numbers[3]:g}; expected whole pixels inside {rows} x {columns}. Clip it to the scene."
        )
    return Window(c0, r0, width, height)


def windows(scene: Scene, size: int = 1024) -> Iterator[Window]:
    """Yield windows that cover the scene, row by row from the upper left; those at the far edges are smaller.

    Parameters
    ----------
    scene : Scene
    size : int
        Pixels a side; 1024 is the tile of the agency's JPEG 2000 files.
    """
    from rasterio.windows import Window

    rows, columns = scene.geobox.shape
    for row in range(0, rows, size):
        for column in range(0, columns, size):
            yield Window(column, row, min(size, columns - column), min(size, rows - row))


def _file(scene: Scene, name: str) -> BandFile:
    found = scene.file(name)
    if found is None:
        raise UsageError(
            f"{scene.scene_id}: has no band {name}; found {', '.join(f.name for f in scene.files)}. Name one of these."
        )
    if not found.path.is_file():
        raise ProductError(
            f"{scene.scene_id}: the file of {name}, {found.path.name}, is missing; the metadata list it. Download the"
            " product again, whole."
        )
    return found


def _counts(scene: Scene, file: BandFile, window: Window, *, count: int = 1) -> np.ndarray:
    """Read counts, shape (count, h, w): coarser pixels are repeated, so that a value does not depend on the window."""
    import rasterio
    from rasterio.windows import Window

    factor = round(file.resolution_m / abs(scene.geobox.affine.a)) if scene.product != "GeoTIFF" else 1
    r0, c0 = window.row_off // factor, window.col_off // factor
    r1 = -(-(window.row_off + window.height) // factor)
    c1 = -(-(window.col_off + window.width) // factor)
    with _reading(file.path), rasterio.open(file.path) as source:
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
    window : optional

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
            return sentinel2_geotiff.mark_missing(rgb, file, place, reader=_reading)
        black = ~rgb.any(axis=2)
        if scene.has_classification and black.any():
            rgb[black & (scene_classification(scene, window=place) > 0)] = 1
        return np.ascontiguousarray(rgb)
    names = TRUE_COLOUR if scene.product != "GeoTIFF" else tuple(f.name for f in scene.files[:3])
    return stretch(reflectance(scene, names, window=place), full_scale=FULL_SCALE)


def _own_colour(scene: Scene) -> BandFile | None:
    """Return the product's own true colour where it is on Level-1C's scale, or where there is nothing else."""
    file = scene.file("TCI")
    if file is None or not file.path.is_file():
        return None
    bands = [scene.file(name) for name in TRUE_COLOUR]
    return None if scene.product == "S2MSI2A" and all(b is not None and b.path.is_file() for b in bands) else file


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
    window : optional

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
    import rasterio
    from affine import Affine
    from odc.geo.geobox import GeoBox

    rows, columns = scene.geobox.shape
    factor = max(max(rows, columns) / most, 1.0)
    shape = (max(int(rows / factor), 1), max(int(columns / factor), 1))
    small = GeoBox(shape, scene.geobox.affine * Affine.scale(columns / shape[1], rows / shape[0]), scene.geobox.crs)

    def read(file: BandFile, count: int) -> np.ndarray:
        with _reading(file.path), rasterio.open(file.path) as source:
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
    bands : tuple of str
    window : optional

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
    coords = {
        "band": list(bands),
        "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
        "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
        "spatial_ref": ((), 0, scene.geobox.crs.proj.to_cf()),
    }
    data = xr.DataArray(reflectance(scene, bands, window=place), dims=("band", "y", "x"), attrs=attributes)
    about = {"Conventions": "CF-1.11", "scene": scene.scene_id, "product": scene.product, "time": str(scene.time)}
    return xr.Dataset({"reflectance": data}, coords=coords, attrs=about)
