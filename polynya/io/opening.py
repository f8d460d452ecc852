"""Opening what users give: rasters, vectors, HDF5, NetCDF, text; one function each, so one place says what is safe.

A file is opened only if it is a regular file on this machine, or lies in an archive that is one
(:mod:`.archives`), and is one of a short list of formats. Nothing is fetched from a network, whatever the path or the
file says: an address, a virtual path of GDAL, or a VRT whose sources lie outside its folder is an error.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import re
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.etree import ElementTree

from ..errors import PolynyaError, ProductError, one_line
from . import archives, geojson_doors, hdf5_doors, raster_doors, vector_formats, vrt_text

if TYPE_CHECKING:  # heavy, and only for the signatures
    import geopandas
    import h5py
    import rasterio
    import xarray

RASTER_DRIVERS = (*vrt_text.SOURCES, "VRT")
"""GDAL's names of the raster formats that are read."""
VECTOR_DRIVERS = {
    ".gpkg": "GPKG",
    ".shp": "ESRI Shapefile",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".parquet": "Parquet",
    ".geoparquet": "Parquet",
}
"""Vector formats that are read, by the ending of the file's name."""
CACHE_BYTES = 256 << 20
"""For decoded blocks of rasters, whatever the machine's memory."""
TEXT_BYTES = 64 << 20
"""A larger text file is no metadata."""
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = tuple(512 << k for k in range(16))
"""Bytes that may lie before the HDF5 signature: a user block of 512, 1024, 2048 ... bytes."""
_VRT_SEARCHED = 1 << 16  # bytes; GDAL looks for a VRT's root element in the first 1024
_ADDRESS = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]+:/|/vsi)")
GDAL_OPTIONS: dict[str, str | int] = {
    "GDAL_NUM_THREADS": "1",  # with more, the error of a damaged JPEG 2000 tile is lost and zeros come back
    "GDAL_CACHEMAX": CACHE_BYTES,
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # files beside the raster are asked for by name
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO",  # a file of its own beside the user's .tar.gz
}


def reject_address(path: Path | str) -> None:
    """Reject an address on a network or a virtual path of GDAL.

    Parameters
    ----------
    path : Path or str
        What a user gave; a path object may have lost a slash of ``https://``.

    Raises
    ------
    ProductError
        If it is no path on this machine.
    """
    if _ADDRESS.match(str(path)):
        text = re.sub(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?=[^/])", r"\1://", str(path))
        raise ProductError(
            f"{text[:80]}: is an address, not a file; expected a file on this machine. Download it first: nothing is"
            " fetched from a network here."
        )


def regular_file(path: Path | str, *, expected: str = "a file on this machine. Check the path") -> Path:
    """Return a path that is a regular file.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Returns
    -------
    Path

    Raises
    ------
    ProductError
        If it is an address or a virtual path, is missing, or is no regular file (a folder, a pipe, a device).
    """
    reject_address(path)
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise ProductError(f"{path.name}: no such file at {path}; expected {expected}.") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ProductError(f"{path.name}: is {kind}; expected {expected}.")
    return path


def _in_archive(path: Path | str) -> bool:
    """Return whether a path leads to a file in an archive."""
    return not Path(path).exists() and not _ADDRESS.match(str(path)) and archives.is_file(Path(path))


def is_hdf5(path: Path | str) -> bool:
    """Return whether a file holds the signature of HDF5: at its start, or behind a user block.

    Raises
    ------
    ProductError
        If it is no regular file or cannot be read.
    """
    with open_binary(path) as handle:
        for place in (0, *_USER_BLOCKS):
            handle.seek(place)
            start = handle.read(len(HDF5_MAGIC))
            if start == HDF5_MAGIC:
                return True
            if len(start) < len(HDF5_MAGIC):
                return False
    return False


@contextlib.contextmanager
def open_binary(path: Path | str, *, expected: str = "a readable file. Get it again") -> Iterator[IO[bytes]]:
    """Open a regular file for reading bytes here and there.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Yields
    ------
    file object

    Raises
    ------
    ProductError
        If it is no regular file or cannot be read.
    """
    if _in_archive(path):
        with archives.open_binary(Path(path)) as handle:
            yield handle
        return
    path = regular_file(path, expected=expected)
    try:
        with path.open("rb") as handle:
            yield handle
    except OSError as error:
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:140]}); expected {expected}.") from error


def starts_with(path: Path | str, count: int) -> bytes:
    """Return a file's first bytes.

    Parameters
    ----------
    path : Path or str
        The file.
    count : int
        Bytes; fewer come back from a shorter file.

    Raises
    ------
    ProductError
        If it is no regular file or cannot be read.
    """
    with open_binary(path) as handle:
        return handle.read(count)


@contextlib.contextmanager
def open_raster(
    path: Path | str, *, expected: str = "GeoTIFF or JPEG 2000, whole. Get it again"
) -> Iterator[rasterio.DatasetReader]:
    """Open a raster for reading.

    Errors of the raster library inside the ``with`` block become one line too. A raster without coordinates is not
    warned about: who needs them says so.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Yields
    ------
    rasterio.DatasetReader

    Raises
    ------
    ProductError
        If it is no file, of no format of :data:`RASTER_DRIVERS`, damaged, or a VRT that reads from elsewhere or lies in
        an archive.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import DatasetReader

    is_inside = _in_archive(path)
    path = Path(path) if is_inside else regular_file(path, expected=expected)
    try:
        with rasterio.Env(**GDAL_OPTIONS), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            is_vrt = _is_vrt(path)
            if is_vrt and is_inside:
                raise ProductError(
                    f"{path.name}: is a VRT in an archive; expected GeoTIFF or JPEG 2000 there. Unpack the archive."
                )
            if is_vrt:
                about = path.stat()
                _check_vrt(path.resolve(), about.st_mtime_ns, about.st_size)
            raster_doors.check_beside(path)
            drivers = ["VRT"] if is_vrt else list(vrt_text.SOURCES)
            with DatasetReader(archives.gdal_name(path) if is_inside else str(path), driver=drivers) as source:
                raster_doors.check_opened(source, path.name)
                parts = vrt_sources(path) if is_vrt else [path]
                raster_doors.check_size(source, path.name, sum(archives.size_of(p) for p in parts))
                yield source
    except (RasterioError, OSError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as a raster ({one_line(error)[:160]}); expected {expected}."
        ) from error


def _is_vrt(path: Path) -> bool:
    """Return whether a file is a VRT by its content or its name; any other is opened without GDAL's VRT driver."""
    start = starts_with(path, _VRT_SEARCHED)
    is_xml = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")
    return path.suffix.lower() == ".vrt" or (is_xml and b"<VRTDataset" in start)


def vrt_sources(path: Path) -> list[Path]:
    """Return the files that a VRT reads; none of a file that is no VRT.

    Raises
    ------
    ProductError
        If it cannot be read.
    """
    if not _is_vrt(path):
        return []
    return [inner for _, inner in vrt_text.sources(parse_xml(read_bytes(path), path.name), path.parent)]


@functools.lru_cache(maxsize=256)
def _check_vrt(path: Path, changed_ns: int, size: int) -> None:
    """Check a VRT; kept while the file does not change."""
    root = parse_xml(read_bytes(path), path.name)
    vrt_text.check(path, root, is_vrt=_is_vrt, is_elsewhere=lambda text: _ADDRESS.match(text) is not None)


def read_vectors(
    path: Path | str, *, expected: str = "an intact file of polygons. Make or fetch it again"
) -> geopandas.GeoDataFrame:
    """Read a vector file whole: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet, also in a zip archive.

    Parameters
    ----------
    path : Path or str
        The file, an archive that holds one, or ``FILE.gpkg/LAYER`` for a layer of several.
    expected : str
        What should be there and what to do, for the message.

    Returns
    -------
    geopandas.GeoDataFrame
        With the file's own columns and coordinate system. Of a file with several layers, the only one of polygons.

    Raises
    ------
    ProductError
        If it is no regular file, of no format of :data:`VECTOR_DRIVERS`, damaged, a table without geometry, or has
        several layers of polygons.
    """
    import geopandas as gpd

    reject_address(path)
    path, layer = vector_formats.split_layer(Path(path))
    path = vector_formats.in_archive(path, tuple(VECTOR_DRIVERS))
    path = path if _in_archive(path) else regular_file(path, expected=expected)
    driver = VECTOR_DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise ProductError(
            f"{path.name}: ends in {path.suffix or 'nothing'}; expected one of {', '.join(VECTOR_DRIVERS)}. Unpack an"
            " archive; convert another format with ogr2ogr."
        )
    vector_formats.check_driver(
        path, vector_formats.format_of(starts_with(path, vector_formats.SEARCHED)), driver
    )  # before a library opens it: it would follow what a file says
    if driver == "GeoJSON":
        geojson_doors.check(path)
    for ending in vector_formats.SIDE_ENDINGS:
        for side in (f"{path.stem}{ending}", f"{path.name}{ending}"):
            raster_doors.check_regular(path, path.with_name(side))
    try:
        if driver == "Parquet":
            from . import parquet

            frame = gpd.read_parquet(path, **parquet.CHECKED)
        else:
            frame = vector_formats.read(path, driver=driver, layer=layer, options=GDAL_OPTIONS)
    except PolynyaError:
        raise
    except Exception as error:  # drivers throw what they like
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:160]}); expected {expected}.") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise ProductError(f"{path.name}: is a table without geometry; expected {expected}.")
    return frame


@contextlib.contextmanager
def open_hdf5(
    path: Path | str, *, expected: str = "a whole HDF5 file. Get it again", kind: str = "HDF5"
) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, without a lock, so that read-only and network disks work.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.
    kind : str
        What it is called in the message.

    Yields
    ------
    h5py.File

    Raises
    ------
    ProductError
        If it is no regular file or no HDF5, or damaged.
    """
    import h5py

    path = regular_file(path, expected=expected)
    try:
        handle = h5py.File(path, "r", locking=False)
    except Exception as error:  # libhdf5 raises OSError for most damage, but not only
        raise ProductError(
            f"{path.name}: cannot be read as {kind} ({one_line(error)[:160]}); expected {expected}."
        ) from error
    with handle:
        hdf5_doors.check(handle, path)
        yield handle


@contextlib.contextmanager
def open_netcdf(
    path: Path | str, *, decode_times: bool = False, expected: str = "NetCDF. Check the file"
) -> Iterator[xarray.Dataset]:
    """Open a NetCDF file for reading, version 3 or 4.

    Parameters
    ----------
    path : Path or str
        The file.
    decode_times : bool
        Whether times become datetime64.
    expected : str
        What should be there and what to do, for the message.

    Yields
    ------
    xarray.Dataset

    Raises
    ------
    ProductError
        If it is no regular file or no NetCDF, or damaged.
    """
    import xarray as xr

    path = regular_file(path, expected=expected)
    engine = "h5netcdf" if is_hdf5(path) else "scipy"
    if engine == "h5netcdf":
        with open_hdf5(path, expected=expected, kind="NetCDF"):
            pass  # by it is known that all values lie in the file
    try:
        data = xr.open_dataset(path, engine=engine, decode_times=decode_times)
    except Exception as error:  # engines throw what they like
        raise ProductError(
            f"{path.name}: cannot be read as NetCDF ({one_line(error)[:160]}); expected {expected}."
        ) from error
    with data:
        yield data


def read_bytes(path: Path | str, *, expected: str = "a readable file. Get it again", most: int = TEXT_BYTES) -> bytes:
    """Read a small file whole.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.
    most : int
        Bytes it may hold.

    Raises
    ------
    ProductError
        If it is no regular file, larger, or cannot be read.
    """
    with open_binary(path, expected=expected) as handle:
        found = handle.read(most + 1)
    if len(found) > most:
        raise ProductError(f"{Path(path).name}: holds more than {most >> 20} MB; expected {expected}.")
    return found


def read_text(path: Path | str, *, expected: str = "text. Get it again", most: int = TEXT_BYTES) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.
    most : int
        Bytes it may hold.

    Raises
    ------
    ProductError
        If it is no regular file, larger, cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path, expected=expected, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProductError(
            f"{Path(path).name}: is not text in UTF-8 ({one_line(error)[:100]}); expected {expected}."
        ) from error


def read_xml(path: Path | str, *, expected: str = "XML. Get it again") -> ElementTree.Element:
    """Read an XML file.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Returns
    -------
    xml.etree.ElementTree.Element
        The root.

    Raises
    ------
    ProductError
        If it is no regular file, no XML, or declares entities, which can fill the memory.
    """
    return parse_xml(read_bytes(path, expected=expected), "/".join(Path(path).parts[-2:]), expected=expected)


def parse_xml(data: bytes, name: str, *, expected: str = "XML. Get it again") -> ElementTree.Element:
    """Parse XML, as :func:`read_xml` does; the name is for its messages."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ProductError(f"{name}: declares entities or a document type; expected {expected}.")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError) as error:
        raise ProductError(f"{name}: cannot be read as XML ({one_line(error)[:120]}); expected {expected}.") from error
