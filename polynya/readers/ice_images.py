"""Open optical images of sea ice of any product; the content of a path decides which product it is.

Sentinel-3 OLCI (``.SEN3`` folder or a radiance file), Sentinel-2 (``.SAFE`` and what :mod:`.sentinel2` reads), MODIS
corrected reflectance, and any raster or picture with red, green and blue.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import archives, opening
from . import gaofen2_bohai, modis_corrected, optical_raster, sentinel2, sentinel2_scene, sentinel3_olci
from .ice_image import IceImage, Read, as_counts, check_valid

__all__ = ["IceImage", "Read", "open_image"]
NIR = "B08"
CLOUD, SHADOW = (8, 9, 10), 3
"""Codes of Sentinel-2's scene classification."""


def open_image(path: Path | str) -> IceImage:
    """Open an image.

    Parameters
    ----------
    path : Path or str
        A file or folder; see the module.

    Returns
    -------
    IceImage
        Holds no pixels; windows of it are read.

    Raises
    ------
    ProductError
        If it is no such product, damaged or cut, lacks a band, has no valid pixel, or a mask of another size.
    """
    opening.reject_address(path)
    path = Path(path)
    if not archives.exists(path):
        raise ProductError(f"{path.name}: no such image at {path}; expected a file or folder. Check the path.")
    if sentinel2_scene.is_metadata(path.name):
        path = path.resolve().parent
    if archives.is_dir(path):
        return _folder(path)
    if sentinel3_olci.is_product(path):
        return sentinel3_olci.read(path)
    if opening.is_hdf5(path):
        raise ProductError(
            f"{path.name}: is an HDF5 or NetCDF file; expected an image of three colours, or a radiance file of OLCI"
            " (Oa08_radiance.nc). Name that one."
        )
    if modis_corrected.kind_of(path):
        return modis_corrected.read(path)
    if path.suffix.lower() in gaofen2_bohai.SUFFIXES and gaofen2_bohai.mask_beside(path):
        return gaofen2_bohai.read(path)
    return optical_raster.read(path)


def _folder(path: Path) -> IceImage:
    if not path.is_dir():
        return _archived(path)
    if sentinel3_olci.is_product(path):
        return sentinel3_olci.read(path)
    if sentinel2_scene.is_product(path) or (not modis_corrected.true_colours(path) and path.suffix == ".SAFE"):
        return _sentinel2(path)
    if modis_corrected.true_colours(path):
        return modis_corrected.read(path)
    raise ProductError(
        f"{path.name}: is a folder without an image that is known; expected a .SAFE or .SEN3 folder, or MODIS true"
        " colour. Name the file."
    )


def _archived(path: Path) -> IceImage:
    """Return the image of an archive: products of Sentinel-2 are read there, others are not."""
    found = [path] if sentinel2_scene.is_product(path) else sentinel2_scene.products_in(path)
    if len(found) == 1:
        return _sentinel2(found[0])
    raise ProductError(
        f"{path.name}: holds {len(found)} Sentinel-2 products; expected one, since no other image is read from an"
        " archive. Unpack it, and name the image."
    )


def _sentinel2(path: Path) -> IceImage:
    """Return a product of Sentinel-2: reflectance 1 becomes 255 counts."""
    scene = sentinel2.open_scene(path)

    def bands(names: tuple[str, ...]) -> Read:
        def read_window(rows: slice, columns: slice) -> np.ndarray:
            window = ((rows.start, rows.stop), (columns.start, columns.stop))
            values = sentinel2.reflectance(scene, names, window=window)
            values[:, ~np.isfinite(values).all(axis=0)] = np.nan
            return as_counts(values, 1.0)

        return read_window

    def cloud(rows: slice, columns: slice) -> np.ndarray:
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        return np.isin(sentinel2.scene_classification(scene, window=window), (*CLOUD, SHADOW))

    sensors = {"rgb": bands(sentinel2.TRUE_COLOUR)}
    if NIR in scene.bands:
        sensors["nir"] = bands((NIR,))
    return check_valid(
        IceImage(
            name=scene.scene_id,
            shape=(int(scene.geobox.shape[0]), int(scene.geobox.shape[1])),
            geobox=scene.geobox,
            sensors=sensors,
            cloud=cloud if scene.has_classification else None,
            time=scene.time,
            full_scale=1.0,
            notes=(*(n.text for n in scene.notes), "reflectance: 1 becomes 255 counts"),
            product=scene.product,
        )
    )
