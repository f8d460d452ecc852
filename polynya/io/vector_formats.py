"""What a vector file is by its first bytes, before a library opens it, and the options of the library that does."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator, Mapping

SEARCHED = 4096
"""Bytes that tell a format."""
_MAGIC = {
    b"SQLite format 3\0": "GPKG",
    b"\x00\x00\x27\x0a": "ESRI Shapefile",
    b"fgb": "FlatGeobuf",
    b"PAR1": "Parquet",
}


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
