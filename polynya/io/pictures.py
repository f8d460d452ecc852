"""Small pictures of one band: PNG, JPEG and GeoTIFF, read whole, and written for those who make sets of them."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError, ProductError, one_line
from . import opening, raster_doors

if TYPE_CHECKING:
    import rasterio

DRIVERS = ("GTiff", "PNG", "JPEG")
"""GDAL's names of the formats."""
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
ENDS = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}
"""First and last bytes of PNG and JPEG: the library reads a cut one without a word."""
MOST_PIXELS = 64_000_000
"""A larger one is a scene, not a picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture as its file holds it.

    Attributes
    ----------
    values : numpy.ndarray of float32, shape (rows, columns)
        Stored numbers times the file's scale plus its offset; colours are averaged. NaN where there are none.
    dtype : str
        Of the stored numbers.
    tags : mapping of str to str
        The file's own metadata.
    """

    values: np.ndarray
    dtype: str
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_picture(path: Path | str, *, expected: str = "a PNG, JPEG or GeoTIFF, whole. Get it again") -> Picture:
    """Read a picture.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Returns
    -------
    Picture

    Raises
    ------
    ProductError
        If it is no regular file, of no such format, damaged, or too large.
    """
    with open_picture(path, expected=expected) as source:
        values, tags = _values(source), dict(source.tags())
        return Picture(values=values, dtype=source.dtypes[0], tags=MappingProxyType(tags))


@contextlib.contextmanager
def open_picture(
    path: Path | str, *, expected: str = "a PNG, JPEG or GeoTIFF, whole. Get it again"
) -> Iterator[rasterio.DatasetReader]:
    """Open a picture for reading; parameters and errors as of :func:`read_picture`.

    Yields
    ------
    rasterio.DatasetReader
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import DatasetReader

    path = opening.regular_file(path, expected=expected)
    _check_end(path, expected)
    try:
        with rasterio.Env(**opening.GDAL_OPTIONS), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster_doors.check_beside(path)
            with DatasetReader(str(path), driver=list(DRIVERS)) as source:
                raster_doors.check_opened(source, path.name)
                if source.width * source.height > MOST_PIXELS:
                    raise ProductError(
                        f"{path.name}: {source.height} x {source.width} pixels; expected a picture of up to"
                        f" {MOST_PIXELS:,}. Name the small file."
                    )
                yield source
    except (RasterioError, OSError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as a picture ({one_line(error)[:140]}); expected {expected}."
        ) from error


def _check_end(path: Path, expected: str) -> None:
    with opening.open_binary(path, expected=expected) as file:
        start = file.read(4)
        file.seek(max(path.stat().st_size - 1024, 0))
        tail = file.read()
    end = next((e for s, e in ENDS.items() if start.startswith(s)), b"")
    if end not in tail:
        raise ProductError(f"{path.name}: cannot be read as a picture, it is cut; expected {expected}.")


def _values(source) -> np.ndarray:
    from rasterio.enums import ColorInterp

    bands = [k for k, c in zip(source.indexes, source.colorinterp, strict=True) if c != ColorInterp.alpha]
    stored = source.read(bands)
    values = stored.astype(np.float32)
    for k, band in enumerate(bands):
        scale, offset = source.scales[band - 1], source.offsets[band - 1]
        if (scale, offset) != (1.0, 0.0):
            values[k] = values[k] * np.float32(scale) + np.float32(offset)
        nodata = source.nodatavals[band - 1]
        if nodata is not None and np.isfinite(nodata):
            values[k][stored[k] == nodata] = np.nan
    out = values.mean(axis=0) if len(bands) > 1 else values[0]
    if len(bands) < source.count:
        out[source.read(source.count) == 0] = np.nan
    return out


def png_bytes(grey: np.ndarray) -> bytes:
    """Return a picture of 8 bits as PNG.

    Parameters
    ----------
    grey : numpy.ndarray of uint8, shape (rows, columns)
        0 is black.

    Notes
    -----
    W3C Portable Network Graphics (PNG) Specification, third edition: colour type 0, no filter.
    """
    rows, columns = grey.shape
    lines = np.zeros((rows, 1 + columns), np.uint8)  # every line begins with its filter: 0, none
    lines[:, 1:] = grey
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    ]
    out = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in parts:
        out.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(out)


def write_png(path: Path, grey: np.ndarray) -> None:
    """Write a picture of 8 bits.

    Parameters
    ----------
    path : Path
        The file.
    grey : numpy.ndarray of uint8, shape (rows, columns)
        0 is black.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    _write(path, grey, driver="PNG", options={"zlevel": 1}, tags={})


def write_tiff(
    path: Path,
    numbers: np.ndarray,
    *,
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a GeoTIFF without coordinates.

    Parameters
    ----------
    path : Path
        The file.
    numbers : numpy.ndarray, shape (rows, columns)
        As stored.
    scale, offset : float
        Values are numbers times scale plus offset.
    nodata : float, optional
        Number that means "no value".
    tags : mapping of str to str, optional
        Metadata.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    options = {"nodata": nodata, "compress": "deflate", "predictor": 2, "zlevel": 1}
    if numbers.dtype.kind != "u":
        options = {"nodata": nodata}
    _write(path, numbers, driver="GTiff", options=options, tags=dict(tags or {}), packing=(scale, offset))


def _write(
    path: Path,
    numbers: np.ndarray,
    *,
    driver: str,
    options: Mapping[str, object],
    tags: dict[str, str],
    packing: tuple[float, float] = (1.0, 0.0),
) -> None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    rows, columns = numbers.shape
    shape = {"height": rows, "width": columns, "count": 1, "dtype": numbers.dtype.name}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver=driver, **shape, **options) as file:
                file.write(numbers, 1)
                if packing != (1.0, 0.0):
                    file.scales, file.offsets = packing[:1], packing[1:]
                if tags:
                    file.update_tags(**tags)
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{path.name}: cannot be written ({one_line(error)[:120]}); expected room on the disk. Free some."
        ) from error
