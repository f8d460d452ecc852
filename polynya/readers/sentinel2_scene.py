"""A Sentinel-2 scene described from its metadata: the SAFE folder or GeoTIFF, its bands, its grid, and windows of it.
Pixels are read by :mod:`.sentinel2`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..errors import ProductError, UsageError
from ..io import archives, opening
from ..schema import Note
from . import sentinel2_aws, sentinel2_geotiff, sentinel2_safe
from .sentinel2_geotiff import TRUE_COLOUR_NOTE
from .sentinel2_safe import BandFile

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

    AnyWindow: TypeAlias = Window | tuple[tuple[int, int], tuple[int, int]] | None

TRUE_COLOUR = ("B04", "B03", "B02")
FULL_SCALE = 0.3558
"""Reflectance at which the 8-bit true colour saturates: that of a Level-1C TCI."""
LEVEL_2A_FULL_SCALE = 0.2
"""That of a Level-2A TCI."""
USUAL_OFFSETS = {0, -1000}
"""Counts that products before and since baseline 04.00 say to add."""
INTACT = "JPEG 2000 or GeoTIFF, whole. Download it again"


@dataclass(frozen=True, kw_only=True)
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
    notes : tuple of polynya.schema.Note
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
    notes: tuple[Note, ...]
    files: tuple[BandFile, ...]

    @property
    def is_time_known(self) -> bool:
        """Whether a file says when this tile was sensed."""
        return self.time is not None

    def file(self, name: str) -> BandFile | None:
        """Return a band's file, None where the scene has none."""
        return next((f for f in self.files if f.name == name), None)


def open_scene(path: Path | str, *, needs_colours: bool = True) -> Scene:
    """Describe a scene.

    Parameters
    ----------
    path : Path or str
        A ``.SAFE`` folder (or the metadata file in it), an archive of it, a tile in the layout of the public bucket
        (:mod:`.sentinel2_aws`), or a GeoTIFF with red, green, blue as first three bands or named so.
    needs_colours : bool
        Whether a product without red, green or blue is an error.

    Returns
    -------
    Scene

    Raises
    ------
    ProductError
        If it is neither, or a file is missing, cut or without coordinate system.
    """
    opening.reject_address(path)
    path = Path(path)
    if not archives.exists(path):
        raise ProductError(
            f"{path.name}: no such scene at {path}; expected a .SAFE folder or a GeoTIFF. Check the path."
        )
    if is_metadata(path.name):
        path = path.resolve().parent
    if archives.is_dir(path):
        return _open_product(_product_in(path), needs_colours=needs_colours)
    archives.reject_damaged(path)
    if opening.is_hdf5(path):  # ICESat-2 granules are
        raise ProductError(
            f"{path.name}: is an HDF5 file, not a scene; expected a .SAFE folder or a GeoTIFF. Granule and scene may"
            " have changed places."
        )
    return _open_geotiff(path)


def is_metadata(name: str) -> bool:
    """Return whether a file's name is that of a metadata file at the top of a product."""
    return name.lower() in (*(n.lower() for n in sentinel2_safe.PRODUCTS.values()), *sentinel2_aws.METADATA)


def is_product(folder: Path) -> bool:
    """Return whether a folder, on the disk or in an archive, is a Sentinel-2 product in one of the two layouts."""
    return sentinel2_safe.metadata_file(folder) is not None or sentinel2_aws.is_product(folder)


def products_in(folder: Path) -> list[Path]:
    """Return the products at or below a place of an archive.

    Parameters
    ----------
    folder : Path
        An archive or a folder in it.
    """
    return [f for f in archives.folders_with(folder, is_metadata) if is_product(f)]


def _product_in(folder: Path) -> Path:
    """Return a product's folder: of an archive, the one that it holds."""
    if is_product(folder) or archives.split(folder) is None:
        return folder
    found = products_in(folder)
    if len(found) > 1:
        raise ProductError(
            f"{folder.name}: holds {len(found)} Sentinel-2 products, {found[0].name} and {found[1].name} among them;"
            f" expected one. Name it: {found[0]}."
        )
    return found[0] if found else folder


def _open_product(folder: Path, *, needs_colours: bool) -> Scene:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    is_safe = sentinel2_safe.metadata_file(folder) is not None or not sentinel2_aws.is_product(folder)
    about = sentinel2_safe.read_metadata(folder) if is_safe else sentinel2_aws.read_metadata(folder)
    geobox = GeoBox(about.shape, Affine(10.0, 0.0, about.corner[0], 0.0, -10.0, about.corner[1]), f"EPSG:{about.epsg}")
    present = tuple(f for f in about.files if archives.is_file(f.path))
    missing = [f.name for f in about.files if f not in present]
    notes = list(about.notes)
    if missing:
        text = f"listed in the metadata, but not in the folder: {', '.join(missing)}"
        notes.append(Note(code="band_missing", text=text))
    names = {f.name for f in present}
    if needs_colours and "TCI" not in names and not names >= set(TRUE_COLOUR):
        lost = [f.name for f in about.files if f.name in (*TRUE_COLOUR, "TCI") and f not in present] or ["TCI"]
        raise ProductError(
            f"{folder.name}: the image files of {', '.join(lost)} are missing; expected the true colour image (TCI) or"
            " B04, B03 and B02 in GRANULE/*/IMG_DATA. Download the product again, whole."
        )
    for file in present:
        _check_jp2(file, folder, about.shape)
    notes.append(Note(code=TRUE_COLOUR_NOTE, text=_true_colour_text(about.product, names)))
    unusual = sorted({round(f.offset / f.scale) for f in present} - USUAL_OFFSETS)
    if unusual:
        text = f"the metadata add {unusual[0]:g} to the counts; 0 or -1000 is usual. Check the reflectances"
        notes.append(Note(code="offset_unusual", text=text))
    if about.baseline:
        notes.append(Note(code="processing_baseline", text=f"processing baseline {about.baseline}"))
    return Scene(
        path=folder,
        scene_id=about.uri.removesuffix(".SAFE"),
        product=about.product,
        time=about.time,
        geobox=geobox,
        sun_elevation=about.sun_elevation,
        sun_azimuth=about.sun_azimuth,
        bands=tuple(f.name for f in about.files if f.name not in ("TCI", "SCL")),
        has_classification="SCL" in names,
        notes=tuple(notes),
        files=about.files,
    )


def _true_colour_text(product: str, names: set[str]) -> str:
    """Return where the true colour of a product comes from."""
    scaled = f"true colour: 255 * reflectance / {FULL_SCALE:g}"
    if product == "S2MSI2A" and names >= set(TRUE_COLOUR):
        return f"{scaled} as in Level-1C, from the bands (the TCI of Level-2A saturates at {LEVEL_2A_FULL_SCALE:g})"
    if product == "S2MSI2A":
        return (
            f"true colour: the product's own TCI, where 255 is reflectance {LEVEL_2A_FULL_SCALE:g} and not"
            f" {FULL_SCALE:g} as in Level-1C, since B04, B03 and B02 are missing: thresholds cut lower"
        )
    return "true colour: the product's own TCI" if "TCI" in names else f"{scaled}, no TCI in the product"


def _check_jp2(file: BandFile, folder: Path, shape: tuple[int, int]) -> None:
    """Reject a file that is cut or of another size; reads headers only."""
    if file.path.suffix.lower() == ".jp2" and sentinel2_safe.jp2_is_cut(file.path):
        raise ProductError(
            f"{folder.name}: {file.path.name} is cut short or no JPEG 2000 file ({archives.size_of(file.path)} bytes);"
            " expected a whole one. Download it again."
        )
    with opening.open_raster(file.path, expected=INTACT) as source:
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


def grid_of(scene: Scene, resolution_m: float) -> GeoBox:
    """Return the grid of a product's bands of another pixel size, from the same corner.

    Parameters
    ----------
    scene : Scene
        Of a product.
    resolution_m : float
        10, 20 or 60.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    a = scene.geobox.affine
    rows, columns = (int(-(-n * a.a // resolution_m)) for n in scene.geobox.shape)
    return GeoBox((rows, columns), Affine(resolution_m, 0.0, a.c, 0.0, -resolution_m, a.f), scene.geobox.crs)


def _open_geotiff(path: Path) -> Scene:
    about = sentinel2_geotiff.read_metadata(path)
    return Scene(
        path=path,
        scene_id=path.stem,
        product="GeoTIFF",
        time=about.time,
        geobox=about.geobox,
        sun_elevation=about.sun_elevation,
        sun_azimuth=about.sun_azimuth,
        bands=tuple(f.name for f in about.files if f.name != "TCI"),
        has_classification=False,
        notes=about.notes,
        files=about.files,
    )


def whole(scene: Scene) -> Window:
    """Return the window that is the scene."""
    from rasterio.windows import Window

    return Window(0, 0, scene.geobox.shape[1], scene.geobox.shape[0])


def as_window(scene: Scene, window: AnyWindow) -> Window:
    """Return a window in whole pixels inside the scene; None is the whole scene.

    Parameters
    ----------
    scene : Scene
        Of :func:`open_scene`.
    window : rasterio.windows.Window, ((row0, row1), (col0, col1)) or None
        Rows and columns.

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
    if isinstance(window, Window):
        numbers = (window.row_off, window.col_off, window.height, window.width)
    else:
        (top, bottom), (left, right) = window
        numbers = (top, left, bottom - top, right - left)
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
        Of :func:`open_scene`.
    size : int
        Pixels a side; 1024 is the tile of the agency's JPEG 2000 files.
    """
    from rasterio.windows import Window

    rows, columns = scene.geobox.shape
    for row in range(0, rows, size):
        for column in range(0, columns, size):
            yield Window(column, row, min(size, columns - column), min(size, rows - row))
