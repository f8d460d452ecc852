"""Cloud-optimised GeoTIFFs: written window by window into a plain file, then copied in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, one_line

if TYPE_CHECKING:  # heavy, and only for the signatures
    from odc.geo.geobox import GeoBox
    from rasterio.io import DatasetWriter

BLOCK = 512
"""Side of the tiles, pixels."""


def create(path: Path, *, geobox: GeoBox, dtype: str, nodata: float | None = None, bands: int = 1) -> DatasetWriter:
    """Open a new plain GeoTIFF, to be written window by window.

    Parameters
    ----------
    path : Path
        In a scratch folder.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    dtype : str
        ``uint8`` is stored as it is, ``float32`` compressed.
    nodata : float, optional
        Value of missing pixels.
    bands : int
        How many.

    Raises
    ------
    rasterio.errors.RasterioError
        If there is no room.
    """
    import rasterio

    height, width = (int(n) for n in geobox.shape)
    profile: dict[str, object] = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": dtype,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "crs": geobox.crs.to_wkt() if geobox.crs is not None else None,
        "transform": geobox.affine,
        "BIGTIFF": "IF_SAFER",
    }
    if nodata is not None:
        profile["nodata"] = nodata
    if dtype.startswith("float"):
        profile |= {"compress": "DEFLATE", "predictor": 3, "zlevel": 1}
    return rasterio.open(path, "w", **profile)


def to_cog(plain: Path, target: Path, *, overviews: str) -> Path:
    """Copy a plain GeoTIFF with all its metadata into a cloud-optimised one.

    Parameters
    ----------
    plain : Path
        What :func:`create` made, closed.
    target : Path
        The file to write.
    overviews : str
        How pixels are reduced in the overviews: ``AVERAGE``, or ``MODE`` for classes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    import rasterio
    from rasterio._err import CPLE_BaseError  # what copy raises: no part of the public errors
    from rasterio.errors import RasterioError
    from rasterio.shutil import copy

    try:
        with rasterio.open(plain) as source:
            is_float = source.dtypes[0].startswith("float")
        copy(
            plain,
            target,
            driver="COG",
            compress="DEFLATE",
            **({"predictor": "FLOATING_POINT"} if is_float else {}),
            blocksize=BLOCK,
            overview_resampling=overviews,
            num_threads="ALL_CPUS",
        )
    except (RasterioError, CPLE_BaseError, OSError) as error:
        raise OutputError(
            f"{target.name}: cannot be written ({one_line(error)[:120]}); expected a folder with room. Choose another"
            " with -o, or free space."
        ) from error
    return target
