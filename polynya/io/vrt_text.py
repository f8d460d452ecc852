"""What the text of a VRT says: the rasters that it reads, and bands that are computed instead of read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ProductError, one_line
from . import raster_doors

SOURCES = ("GTiff", "JP2OpenJPEG", "SRTMHGT", "HFA")
"""GDAL's names of the formats that a VRT may read: GeoTIFF and COG, JPEG 2000, SRTM tiles, Erdas Imagine."""
PLAIN = ("vrtsourcedrasterband", "vrtwarpeddataset", "vrtwarpedrasterband")
"""Kinds of data sets and bands that only read rasters, lower case."""
NAMING = ("geoloctransformer", "rpctransformer")
"""Elements whose settings name further files, lower case."""


def sources(root: ElementTree.Element, folder: Path) -> list[tuple[str, Path]]:
    """Return what a VRT reads, as it stands there and as a path; GDAL takes no notice of case and namespaces.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The VRT.
    folder : Path
        The folder it lies in.
    """
    found = []
    for element in root.iter():
        names = [element.tag, *element.attrib]
        if not any(n.rpartition("}")[2].lower() in ("sourcefilename", "sourcedataset") for n in names):
            continue
        text = (element.text or "").strip()
        is_relative = any(k.lower() == "relativetovrt" and v.strip() == "1" for k, v in element.attrib.items())
        found.append((text, folder / text if is_relative else Path(text)))
    return found


def computed_bands(root: ElementTree.Element) -> Iterator[str]:
    """Yield what a VRT holds that is no plain reading of rasters, as it spells it.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The VRT.
    """
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name.lower() in NAMING:
            yield name
        for key, value in element.attrib.items():
            if key.rpartition("}")[2].lower() == "subclass" and value.lower() not in PLAIN:
                yield value


def check(
    path: Path,
    root: ElementTree.Element,
    *,
    is_vrt: Callable[[Path], bool],
    is_elsewhere: Callable[[str], bool],
) -> None:
    """Check that a VRT holds plain bands, all from rasters in its folder or below.

    Parameters
    ----------
    path : Path
        The file, resolved.
    root : xml.etree.ElementTree.Element
        What it holds.
    is_vrt : callable
        Whether a file is a VRT.
    is_elsewhere : callable
        Whether a name is an address.

    Raises
    ------
    ProductError
        If it does not.
    """
    for kind in computed_bands(root):
        raise ProductError(
            f"{path.name}: holds a {kind}; expected plain bands made of rasters. Write it out with gdal_translate."
        )
    for text, inner in sources(root, path.parent):
        if is_elsewhere(text) or not inner.resolve().is_relative_to(path.parent) or not inner.is_file():
            raise ProductError(
                f"{path.name}: its source {text[:80] or 'without a name'} is no file in the folder of the VRT; expected"
                " sources beside it or below. Copy them there, or write it out with gdal_translate."
            )
        if is_vrt(inner):
            raise ProductError(
                f"{path.name}: its source {inner.name} is a VRT, too; expected GeoTIFF or JPEG 2000. Write one of them"
                " out with gdal_translate."
            )
        _check_source(path, inner)


def _check_source(path: Path, inner: Path) -> None:
    from rasterio.errors import RasterioError
    from rasterio.io import DatasetReader

    raster_doors.check_beside(inner)
    try:
        with DatasetReader(str(inner), driver=list(SOURCES)) as source:
            raster_doors.check_opened(source, inner.name)
    except RasterioError as error:
        raise ProductError(
            f"{path.name}: its source {inner.name} cannot be read ({one_line(error)[:120]}); expected GeoTIFF or"
            " JPEG 2000. Get it again, or write the VRT out with gdal_translate."
        ) from error
