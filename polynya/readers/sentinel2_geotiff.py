"""A scene as a plain GeoTIFF or COG: which band is red, green, blue, and how its counts become reflectance.

Checked on files that the tests write. An 8-bit file is a true-colour image as it is; 16-bit counts are
reflectance times 10000 unless the file gives its own scale and offset; floating point is reflectance.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..schema import Note
from .sentinel2_safe import BAND_IDS, QUANTIFICATION, BandFile

if TYPE_CHECKING:
    import rasterio
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

COLOURS = {"red": "B04", "green": "B03", "blue": "B02", "nir": "B08"}
TRUE_COLOUR_NOTE = "true_colour"
"""Code of the note on where the true colour comes from."""
TIME_TAGS = ("sensing_time", "acquisition_time", "acquisitiondatetime", "product_start_time")
"""Tags that may hold the time of the image, UTC; the first that is there counts. The file's own date says when it was
written."""
_BAND = re.compile(r"^B(?:AND)?[ _]?0?(\d{1,2}|8A)(?:[ _]\d\dM)?$")


@dataclass(frozen=True, kw_only=True)
class GeotiffMetadata:
    """A GeoTIFF's metadata; ``files`` begin with red, green, blue, or with one ``TCI`` of 8 bits."""

    time: np.datetime64 | None
    geobox: GeoBox
    sun_elevation: float | None
    sun_azimuth: float | None
    files: tuple[BandFile, ...]
    notes: tuple[Note, ...]


def read_metadata(path: Path) -> GeotiffMetadata:
    """Read a GeoTIFF's header.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    GeotiffMetadata

    Raises
    ------
    ProductError
        If it has no coordinate system, a rotated grid, fewer than three bands, or bands of another type.
    """
    from odc.geo.geobox import GeoBox

    with opening.open_raster(path, expected="JPEG 2000 or GeoTIFF, whole. Download it again") as source:
        _check(source, path)
        kind, names = source.dtypes[0], _names(source)
        is_named = {"B04", "B03", "B02"} <= set(names)
        order = [names.index(b) for b in ("B04", "B03", "B02")] if is_named else [0, 1, 2]
        notes = [
            Note(code="bands_by_name", text="red, green, blue: by name")
            if is_named
            else Note(code="bands_by_order", text="red, green, blue: the first three bands, taken on trust")
        ]
        epsg = source.crs.to_epsg()
        geobox = GeoBox(
            (source.height, source.width), source.transform, source.crs.to_wkt() if epsg is None else f"EPSG:{epsg}"
        )
        files = _colours_8_bit(source, path, order, names) if kind == "uint8" else _bands(source, path, order, names)
        notes.append(Note(code=TRUE_COLOUR_NOTE, text=_true_colour_text(source, files[0])))
        tags = {k.lower(): v for k, v in {**source.tags(), **source.tags(ns="IMAGERY")}.items()}
    time, elevation, azimuth = _tags(tags, path)
    if time is None:
        text = f"time unknown: none of the tags {', '.join(TIME_TAGS)}"
        notes.append(Note(code="time_unknown", text=text))
    return GeotiffMetadata(
        time=time,
        geobox=geobox,
        sun_elevation=elevation,
        sun_azimuth=azimuth,
        files=tuple(files),
        notes=tuple(notes),
    )


def _check(source: rasterio.DatasetReader, path: Path) -> None:
    """Reject a raster that is no image on a map grid in metres."""
    if source.count < 3:
        raise ProductError(
            f"{path.name}: has {source.count} band(s); expected at least three: red, green, blue. Stack them"
            " (gdal_merge -separate, gdalbuildvrt -separate)."
        )
    if source.crs is None:
        raise ProductError(
            f"{path.name}: has no coordinate system; expected a georeferenced GeoTIFF. Assign one with gdal_edit"
            " -a_srs."
        )
    t = source.transform
    if t.b or t.d or t.a <= 0 or t.e >= 0:
        raise ProductError(
            f"{path.name}: the grid is rotated or upside down; expected rows from north to south. Warp it first"
            " (gdalwarp)."
        )
    if not source.crs.is_projected:
        raise ProductError(
            f"{path.name}: is in degrees ({source.crs.to_string()[:40]}); expected a projected system in metres,"
            " UTM for example. Warp it first (gdalwarp -t_srs)."
        )
    if len(set(source.dtypes[:3])) > 1 or source.dtypes[0] not in ("uint8", "uint16", "int16", "float32", "float64"):
        raise ProductError(
            f"{path.name}: bands of type {', '.join(source.dtypes[:3])}; expected 8-bit colours, 16-bit counts or"
            " floating point. Convert it (gdal_translate -ot)."
        )


def _colours_8_bit(
    source: rasterio.DatasetReader, path: Path, order: list[int], names: list[str | None]
) -> list[BandFile]:
    if order != [order[0], order[0] + 1, order[0] + 2]:
        raise ProductError(
            f"{path.name}: 8-bit bands in the order {names[:3]}; expected red, green, blue next to each other. Reorder"
            " them (gdal_translate -b)."
        )
    width = source.transform.a
    return [BandFile(name="TCI", path=path, index=order[0] + 1, resolution_m=width, nodata=source.nodata)]


def _bands(source: rasterio.DatasetReader, path: Path, order: list[int], names: list[str | None]) -> list[BandFile]:
    colours = ("red", "green", "blue")
    first = [_band(source, path, i, names[i] or COLOURS[colours[k]]) for k, i in enumerate(order)]
    others = [i for i in range(source.count) if i not in order]
    return first + [_band(source, path, i, names[i] or f"band_{i + 1}") for i in others]


def _true_colour_text(source: rasterio.DatasetReader, first: BandFile) -> str:
    """Return where the true colour comes from."""
    if first.name != "TCI":
        return f"true colour: 255 * reflectance / 0.3558; reflectance = counts * {first.scale:g} + {first.offset:g}"
    is_marked = source.nodata is not None or any(_has_own_mask(source, i) for i in (1, 2, 3))
    missing = "no data as the file says" if is_marked else "black (0, 0, 0) is taken as no data"
    return f"true colour: 8-bit values as they are; {missing}"


def _names(source: rasterio.DatasetReader) -> list[str | None]:
    """Return the bands' names from descriptions, else from colour interpretation."""
    out: list[str | None] = []
    for text, colour in zip(source.descriptions, source.colorinterp, strict=True):
        plain = (text or "").strip()
        found = _BAND.match(plain.upper())
        name = (
            f"B{found[1].zfill(2)}"
            if found
            else COLOURS.get(plain.lower()) or (None if text else COLOURS.get(colour.name))
        )
        out.append(name if name in BAND_IDS and name not in out else None)
    return out


def _band(source: rasterio.DatasetReader, path: Path, i: int, name: str) -> BandFile:
    scale, offset = source.scales[i], source.offsets[i]
    if (scale, offset) == (1.0, 0.0) and np.issubdtype(np.dtype(source.dtypes[i]), np.integer):
        scale = 1.0 / QUANTIFICATION
    nodata = source.nodatavals[i]
    if nodata is None and np.issubdtype(np.dtype(source.dtypes[i]), np.integer):
        nodata = 0.0
    return BandFile(
        name=name,
        path=path,
        index=i + 1,
        resolution_m=source.transform.a,
        scale=float(scale),
        offset=float(offset),
        nodata=nodata,
    )


def _tags(tags: dict[str, str], path: Path) -> tuple[np.datetime64 | None, float | None, float | None]:
    time = None
    for key in TIME_TAGS:
        if key in tags and time is None:
            try:
                time = np.datetime64(tags[key].strip().removesuffix("Z").removesuffix("+00:00"), "ns")
            except ValueError as error:
                raise ProductError(
                    f"{path.name}: tag {key} is {tags[key]!r}; expected UTC like 2019-11-04T19:52:01Z. Set it with"
                    " gdal_edit -mo."
                ) from error
    angles: list[float | None] = []
    for key in ("sun_elevation", "sun_azimuth"):
        value = None
        with contextlib.suppress(KeyError, ValueError):
            value = float(tags[key])
        angles.append(value if value is not None and np.isfinite(value) else None)
    return time, angles[0], angles[1]


def _has_own_mask(source: rasterio.DatasetReader, index: int) -> bool:
    from rasterio.enums import MaskFlags

    return MaskFlags.all_valid not in source.mask_flag_enums[index - 1]


def mark_missing(rgb: np.ndarray, file: BandFile, window: Window) -> np.ndarray:
    """Return an 8-bit image with (0, 0, 0) exactly where there is no data.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        The image.
    file : BandFile
        Where it comes from.
    window : rasterio.windows.Window
        Which part of it.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w, 3)
        Where the file says by nodata, mask or alpha what is missing, black pixels that are there become (1, 1, 1);
        where it says nothing, black is missing.
    """
    rgb = np.ascontiguousarray(rgb)
    with opening.open_raster(file.path) as source:
        if file.nodata is None and not any(_has_own_mask(source, file.index + i) for i in range(3)):
            return rgb
        if file.nodata is not None:
            there = ~(rgb == file.nodata).all(axis=2)
        else:
            there = source.read_masks(file.index, window=window) > 0
    rgb[there & ~rgb.any(axis=2)] = 1
    rgb[~there] = 0
    return rgb
