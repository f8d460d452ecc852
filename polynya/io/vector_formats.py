"""What a vector file is by its first bytes, before a library opens it; which of its layers is meant; the options of the
library that reads it."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ProductError
from . import archives

if TYPE_CHECKING:
    import geopandas

LAYERED = (".gpkg",)
"""Endings of files that may hold several layers."""
SEARCHED = 4096
"""Bytes that tell a format."""
_MAGIC = {
    b"SQLite format 3\0": "GPKG",
    b"\x00\x00\x27\x0a": "ESRI Shapefile",
    b"fgb": "FlatGeobuf",
    b"PAR1": "Parquet",
}
SIDE_ENDINGS = (".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", "-wal", "-shm", "-journal")
"""Endings of names that GDAL and SQLite look for beside a vector file, in place of its own or after it."""


def format_of(start: bytes) -> str:
    """Return the vector format of a file by GDAL's name; ``something else`` for any other.

    Parameters
    ----------
    start : bytes
        Its first bytes.
    """
    for magic, driver in _MAGIC.items():
        if start.startswith(magic):
            return driver
    return "GeoJSON" if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{") else "something else"


@contextlib.contextmanager
def gdal_options(options: Mapping[str, str | int]) -> Iterator[None]:
    """Set options of pyogrio's GDAL, which is not rasterio's, inside the block.

    Parameters
    ----------
    options : mapping of str to str or int
        As rasterio's GDAL takes them.
    """
    import pyogrio

    before = {name: pyogrio.get_gdal_config_option(name) for name in options}
    pyogrio.set_gdal_config_options({name: str(value) for name, value in options.items()})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def check_driver(path: Path, found: str, driver: str) -> None:
    """Reject a file that is something else inside than its name says.

    Parameters
    ----------
    path : Path
        The file.
    found, driver : str
        GDAL's name of what it is, and of what its name says.

    Raises
    ------
    ProductError
        If they differ.
    """
    if found != driver:
        raise ProductError(
            f"{path.name}: is {found} inside; expected {driver}, as its name says. Rename or convert it."
        )


def split_layer(path: Path) -> tuple[Path, str]:
    """Split ``FILE.gpkg/LAYER``; the layer is empty for any other path.

    Parameters
    ----------
    path : Path
        As given.
    """
    is_layer = path.parent.suffix.lower() in LAYERED and not path.exists() and archives.is_file(path.parent)
    return (path.parent, path.name) if is_layer else (path, "")


def in_archive(path: Path, endings: Sequence[str]) -> Path:
    """Return the vector file that an archive holds; any other path as it is.

    Parameters
    ----------
    path : Path
        Any path.
    endings : sequence of str
        Of the names of vector files.

    Raises
    ------
    ProductError
        If an archive holds none, or several.
    """
    if path.is_dir() or not archives.is_dir(path):
        return path
    found = [p for p in archives.files_below(path) if p.suffix.lower() in endings]
    if len(found) != 1:
        names = ", ".join(p.name for p in found[:4]) or "none"
        more = f" Name it: {found[0]}." if found else " Give the archive of an inventory."
        raise ProductError(f"{path.name}: holds {len(found)} vector files ({names}); expected one.{more}")
    return found[0]


def read(path: Path, *, driver: str, layer: str, options: Mapping[str, str | int]) -> geopandas.GeoDataFrame:
    """Read one layer of a vector file.

    Parameters
    ----------
    path : Path
        The file, on the disk or in an archive.
    driver : str
        GDAL's name of its format.
    layer : str
        The layer; empty for the only one that holds polygons.
    options : mapping of str to str or int
        Of GDAL.

    Raises
    ------
    ProductError
        If it is of another format, there is no such layer, or several hold polygons.
    """
    import geopandas as gpd
    import pyogrio

    name = archives.gdal_name(path)
    with gdal_options(options):
        listed = [(str(n), str(kind)) for n, kind in pyogrio.list_layers(name)]
        chosen = _layer(path, listed, layer)
        check_driver(path, pyogrio.read_info(name, layer=chosen)["driver"], driver)
        return gpd.read_file(name, layer=chosen, engine="pyogrio")


def _layer(path: Path, listed: Sequence[tuple[str, str]], layer: str) -> str:
    names = [n for n, _ in listed]
    if layer and layer not in names:
        raise ProductError(
            f"{path.name}: has no layer {layer}; it holds {', '.join(names[:8])}. Name one: {path}/{names[0]}."
        )
    if layer:
        return layer
    areas = [n for n, kind in listed if "Polygon" in kind or kind in ("Unknown", "Geometry", "GeometryCollection")]
    if len(areas) > 1:
        raise ProductError(
            f"{path.name}: holds {len(areas)} layers of polygons, {', '.join(areas[:8])}; expected one. Name it:"
            f" {path}/{areas[0]}."
        )
    return (areas or names)[0]
