"""Other files that a raster names or brings along: GDAL would open them with any driver, also those of networks.

GDAL takes the overviews of a raster from the file that its metadata name (``OVERVIEW_FILE``), from ``NAME.ovr`` and
from ``NAME.aux``, its mask from ``NAME.msk``, and asks each of those in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ProductError
from . import archives

if TYPE_CHECKING:
    import rasterio

DOMAINS = {"OVERVIEWS": "overviews", "GEOLOCATION": "positions"}
"""Domains of the metadata in which a raster names other files, and of what."""
MOST_EMPTY = 1 << 30
MOST_INFLATION = 2000
"""A raster of more than :data:`MOST_EMPTY` bytes that is so many times larger than its file holds next to nothing:
deflate makes nothing smaller than by 1032, so most of its blocks were never written."""
DENSER = ("zstd", "lzma", "ccittrle", "ccittfax3", "ccittfax4")
MOST_OF_DENSER = 40_000
"""The same for what packs blocks of one value further: zstd takes 4 bytes for 128 KiB."""
SIDE_ENDINGS = (".ovr", ".msk", ".aux", ".aux.xml", ".ovr.msk", ".msk.ovr")
"""Endings of names that GDAL looks for beside a raster."""
_DEEPEST = 3  # NAME.ovr.msk.ovr: GDAL itself writes two


def check_opened(source: rasterio.DatasetReader, name: str) -> None:
    """Reject a raster whose metadata name another file for its overviews or positions.

    Parameters
    ----------
    source : rasterio.DatasetReader
        Just opened; nothing was asked of it.
    name : str
        Of the file, for the message.

    Raises
    ------
    ProductError
        If they do.
    """
    for domain, what in DOMAINS.items():
        named = source.tags(ns=domain)
        if named:
            value = " ".join(str(next(iter(named.values()))).split())[:80]
            raise ProductError(
                f"{name}: its metadata name another file for its {what} ({value}); expected a raster that needs no"
                " other file. Write it out with gdal_translate -nomd."
            )


def check_size(source: rasterio.DatasetReader, name: str, stored: int) -> None:
    """Reject a raster that claims far more pixels than its files can hold.

    Parameters
    ----------
    source : rasterio.DatasetReader
        Just opened.
    name : str
        Of the file, for the message.
    stored : int
        Bytes of the file, or of all that a VRT reads.

    Raises
    ------
    ProductError
        If it does: work and memory would follow its claims.
    """
    import numpy as np

    sizes = (4 if t == "complex_int16" else np.dtype(t).itemsize for t in source.dtypes)  # numpy has no such complex
    bits = source.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "")
    share = int(bits) / 8 if bits.isdecimal() and 0 < int(bits) < 8 else 1.0  # masks of one bit
    claimed = int(source.width * source.height * sum(sizes) * share)
    packing = source.compression.name if source.compression else ""
    most = MOST_OF_DENSER if packing in DENSER else MOST_INFLATION
    if claimed > MOST_EMPTY and claimed > most * max(stored, 1):
        raise ProductError(
            f"{name}: claims {source.width:,} x {source.height:,} pixels, {claimed / 1e9:,.1f} GB, in"
            f" {stored / 1e6:,.1f} MB; expected a raster that holds what it claims. Cut it to the place in question"
            " (gdal_translate -projwin), or, if most of it is empty, write all of it"
            " (gdal_translate -co COMPRESS=DEFLATE -co TILED=YES)."
        )


def check_beside(path: Path) -> None:
    """Reject a raster beside which a file of overviews or a mask lies that is no plain raster.

    Parameters
    ----------
    path : Path
        The raster, on the disk or in an archive.

    Raises
    ------
    ProductError
        If there is one.
    """
    for ending in SIDE_ENDINGS:
        check_regular(path, path.with_name(f"{path.name}{ending}"))
    for side, driver in _beside(path):
        _check_side(path, side, driver)


def check_regular(path: Path, side: Path) -> None:
    """Reject a file beside which a pipe or a device has the name of a file that is read with it.

    Parameters
    ----------
    path : Path
        The file.
    side : Path
        The name; nothing, a folder, or a regular file may have it.

    Raises
    ------
    ProductError
        If it does: whoever opens it would wait for ever.
    """
    if side.exists() and not (side.is_file() or side.is_dir()):
        raise ProductError(
            f"{path.name}: {side.name} beside it is a pipe or a device; expected a regular file. Remove it."
        )


def _beside(path: Path, depth: int = 0) -> Iterator[tuple[Path, str]]:
    for ending, driver in ((".ovr", "GTiff"), (".msk", "GTiff"), (".aux", "HFA")):
        side = path.with_name(f"{path.name}{ending}")
        if archives.is_file(side):
            yield side, driver
            if depth < _DEEPEST:
                yield from _beside(side, depth + 1)
    auxiliary = path.with_suffix(".aux")
    if depth == 0 and auxiliary != path and archives.is_file(auxiliary):
        yield auxiliary, "HFA"


def _check_side(path: Path, side: Path, driver: str) -> None:
    from rasterio.errors import RasterioError
    from rasterio.io import DatasetReader

    try:
        with DatasetReader(archives.gdal_name(side), driver=[driver]) as source:
            check_opened(source, side.name)
    except RasterioError as error:
        if driver == "HFA" and side.suffix.lower() == ".aux":
            return  # files of LaTeX end so, too; GDAL takes none but its own
        raise ProductError(
            f"{path.name}: {side.name} beside it is no plain GeoTIFF; expected one, as GDAL writes it. Remove it, or"
            " make it again."
        ) from error
