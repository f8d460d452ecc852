"""A Sentinel-2 SAFE folder's metadata: which file holds which band, how counts become reflectance, when, and where the
sun stood.

Checked on no real product yet: none lies beside the project. Paths and elements follow the product
specification (S2-PDGS-TAS-DI-PSD) and metadata files of real products of baselines 02.04, 02.05 (pilot Level-2A), 02.08
and 05.09; only the compact format is read (one granule per product, since December 2016).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..schema import Note

PRODUCTS = {"S2MSI1C": "MTD_MSIL1C.xml", "S2MSI2A": "MTD_MSIL2A.xml"}
"""Product type to the name of its metadata file."""
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands in the order of ``bandId``, which the offsets use."""
NATIVE_M = {**dict.fromkeys(("B02", "B03", "B04", "B08", "TCI"), 10), **dict.fromkeys(("B01", "B09", "B10"), 60)}
"""Pixel size of a band in Level-1C; those not named have 20 m."""
QUANTIFICATION = 10000.0
_IMAGE = re.compile(r"_(B\d\d|B8A|TCI|SCL)(?:_(10|20|60)m)?$")


@dataclass(frozen=True, kw_only=True)
class BandFile:
    """Where a band lies and how its counts become reflectance: ``counts * scale + offset``.

    Attributes
    ----------
    name : str
        ``B01`` ... ``B12``, ``B8A``, ``TCI``, ``SCL``; of a GeoTIFF also ``red`` and the like.
    path : Path
    index : int
        First band in the file, from 1.
    resolution_m : float
        Pixel size; a multiple of the scene's.
    scale, offset : float
        Of reflectance; 1 and 0 for ``TCI`` and ``SCL``.
    nodata : float or None
        Count that means "no data".
    """

    name: str
    path: Path
    index: int
    resolution_m: float
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = 0.0


@dataclass(frozen=True, kw_only=True)
class SafeMetadata:
    """What the two metadata files of a compact product say.

    Attributes
    ----------
    product : str
        ``S2MSI1C`` or ``S2MSI2A``.
    uri : str
        The product's own name.
    baseline : str
        Processing baseline, ``05.11``.
    time : numpy.datetime64
        UTC, ns: when this tile was sensed, else the start of the datatake.
    epsg : int
        Of the grid.
    shape : tuple of int
        Rows and columns of the 10 m grid.
    corner : tuple of float
        Easting and northing of the upper left pixel's outer corner, m.
    sun_elevation, sun_azimuth : float or None
        Mean over the tile, degrees; azimuth clockwise from north.
    files : tuple of BandFile
    notes : tuple of polynya.schema.Note
    """

    product: str
    uri: str
    baseline: str
    time: np.datetime64 | None
    epsg: int
    shape: tuple[int, int]
    corner: tuple[float, float]
    sun_elevation: float | None
    sun_azimuth: float | None
    files: tuple[BandFile, ...]
    notes: tuple[Note, ...]


def metadata_file(folder: Path) -> Path | None:
    """Return a SAFE folder's product metadata file, None where there is none."""
    found = [folder / name for name in PRODUCTS.values() if (folder / name).is_file()]
    return found[0] if found else None


def read_metadata(folder: Path) -> SafeMetadata:
    """Read ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml`` and the granule's ``MTD_TL.xml``.

    Parameters
    ----------
    folder : Path
        The ``.SAFE`` folder.

    Returns
    -------
    SafeMetadata

    Raises
    ------
    ProductError
        If it is no compact SAFE folder of Level-1C or 2A, or a metadata file is damaged.
    """
    main = metadata_file(folder)
    if main is None:
        raise ProductError(_not_safe(folder))
    name, root = folder.name, _xml(main)
    kind = (_text(root, "PRODUCT_TYPE") or "").removesuffix("p")  # S2MSI2Ap: the pilot Level-2A of 2017
    product = kind or ("S2MSI1C" if main.name == PRODUCTS["S2MSI1C"] else "S2MSI2A")
    if product not in PRODUCTS:
        raise ProductError(
            f"{name}: {main.name} says product {product}; expected S2MSI1C or S2MSI2A. Download the Level-1C or"
            " Level-2A product."
        )
    images = [e.text.strip() for e in root.iter() if _tag(e) in ("IMAGE_FILE", "IMAGE_FILE_2A") and e.text]
    granules = {Path(i).parts[1] for i in images if i.startswith("GRANULE/")}
    if len(granules) != 1:
        raise ProductError(
            f"{name}: {main.name} lists images of {len(granules)} granules; expected one (the compact format, since"
            " December 2016). Download the product again in today's format, or give one tile as a GeoTIFF."
        )
    tile = folder / "GRANULE" / granules.pop() / "MTD_TL.xml"
    if not tile.is_file():
        raise ProductError(
            f"{name}: {tile.relative_to(folder)} is missing; expected it to give grid, time and sun angles. Download"
            " the product again, whole."
        )
    head = _xml(tile)
    quantification, offsets = _radiometry(root, product, name)
    epsg, shape, corner = _grid(head, name)
    notes = []
    zenith, azimuth = _sun(head)
    if zenith is None:
        notes.append(Note(code="sun_unknown", text="no mean sun angle in MTD_TL.xml"))
    time = _time(_text(head, "SENSING_TIME"), name)
    if time is None:
        time = _time(_text(root, "PRODUCT_START_TIME"), name)
        text = "time is the datatake's start: no SENSING_TIME in MTD_TL.xml"
        notes.append(Note(code="time_of_datatake", text=text))
    files = _files(folder, images, quantification, offsets)
    return SafeMetadata(
        product=product,
        uri=_text(root, "PRODUCT_URI") or _text(root, "PRODUCT_URI_2A") or name,
        baseline=_text(root, "PROCESSING_BASELINE") or "",
        time=time,
        epsg=epsg,
        shape=shape,
        corner=corner,
        sun_elevation=None if zenith is None else 90.0 - zenith,
        sun_azimuth=azimuth,
        files=files,
        notes=tuple(notes),
    )


def _not_safe(folder: Path) -> str:
    old = sorted(p.name for p in folder.glob("S2*_MTD_*.xml"))
    if old:
        return (
            f"{folder.name}: holds {old[0]}, the format of before December 2016; expected MTD_MSIL1C.xml or"
            " MTD_MSIL2A.xml. Download it again in the compact format."
        )
    inner = [p.name for p in sorted(folder.glob("*.SAFE")) if p.is_dir()]
    if inner:
        return (
            f"{folder.name}: holds the SAFE folder {inner[0]}; expected the SAFE folder itself. Name"
            f" {folder.name}/{inner[0]}."
        )
    return (
        f"{folder.name}: is not a SAFE folder: no MTD_MSIL1C.xml and no MTD_MSIL2A.xml in it; expected a Sentinel-2"
        " product, unpacked. Name its .SAFE folder, or a GeoTIFF."
    )


def _xml(path: Path) -> ElementTree.Element:
    return opening.read_xml(path, expected="the product's metadata. Download it again")


def _tag(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace, which changes with the specification's version."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def _text(root: ElementTree.Element, tag: str) -> str | None:
    for element in root.iter():
        if _tag(element) == tag and element.text:
            return element.text.strip()
    return None


def _number(text: str | None, what: str, name: str) -> float:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ProductError(
            f"{name}: {what} is {text!r} in the metadata; expected a number. Download the product again."
        ) from error
    if not np.isfinite(value):
        raise ProductError(
            f"{name}: {what} is {text!r} in the metadata; expected a finite number. Download the product again."
        )
    return value


def _radiometry(root: ElementTree.Element, product: str, name: str) -> tuple[float, dict[str, float]]:
    """Return the quantification value and the bands' offsets in counts: none before baseline 04.00, usually -1000
    after."""
    level_2a = product == "S2MSI2A"
    value = None
    for tag in ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE") if level_2a else ("QUANTIFICATION_VALUE",):
        value = value or _text(root, tag)
    quantification = _number(value, "the quantification value", name)
    if quantification <= 0:
        raise ProductError(
            f"{name}: the quantification value is {quantification:g}; expected a positive number, usually 10000."
            " Download the product again."
        )
    offsets = {}
    for element in root.iter():
        if _tag(element) != ("BOA_ADD_OFFSET" if level_2a else "RADIO_ADD_OFFSET"):
            continue
        number = element.get("band_id") or element.get("bandId") or ""
        if not number.isdigit() or int(number) >= len(BAND_IDS):
            raise ProductError(
                f"{name}: an offset is for band_id {number!r}; expected 0 to 12. Download the product again."
            )
        offsets[BAND_IDS[int(number)]] = _number(element.text, f"the offset of {BAND_IDS[int(number)]}", name)
    return quantification, offsets


def _grid(head: ElementTree.Element, name: str) -> tuple[int, tuple[int, int], tuple[float, float]]:
    code = _text(head, "HORIZONTAL_CS_CODE") or ""
    number = code.upper().removeprefix("EPSG:")
    if not number.isdigit():
        raise ProductError(
            f"{name}: MTD_TL.xml gives the coordinate system {code or 'of nothing'!r}; expected EPSG:326xx or"
            " EPSG:327xx. Download the product again."
        )
    size = position = None
    for element in head.iter():
        if element.get("resolution") == "10":
            size = element if _tag(element) == "Size" else size
            position = element if _tag(element) == "Geoposition" else position
    if size is None or position is None:
        raise ProductError(
            f"{name}: MTD_TL.xml has no Size or Geoposition of 10 m; expected both in Tile_Geocoding. Download the"
            " product again."
        )
    rows, columns = (int(_number(_text(size, t), t, name)) for t in ("NROWS", "NCOLS"))
    x, y = (_number(_text(position, t), t, name) for t in ("ULX", "ULY"))
    if min(rows, columns) < 1:
        raise ProductError(
            f"{name}: MTD_TL.xml gives {rows} rows and {columns} columns; expected at least one. Download the product"
            " again."
        )
    return int(number), (rows, columns), (x, y)


def _sun(head: ElementTree.Element) -> tuple[float | None, float | None]:
    for element in head.iter():
        if _tag(element) == "Mean_Sun_Angle":
            found = []
            for tag in ("ZENITH_ANGLE", "AZIMUTH_ANGLE"):
                try:
                    found.append(float(_text(element, tag) or "nan"))
                except ValueError:
                    found.append(np.nan)
            if np.isfinite(found).all():
                return float(found[0]), float(found[1])
    return None, None


def _time(text: str | None, name: str) -> np.datetime64 | None:
    if not text:
        return None
    try:
        return np.datetime64(text.strip().removesuffix("Z"), "ns")
    except ValueError as error:
        raise ProductError(
            f"{name}: the sensing time is {text!r}; expected UTC like 2019-11-04T19:52:01Z. Download the product again."
        ) from error


def _files(folder: Path, images: list[str], quantification: float, offsets: dict[str, float]) -> tuple[BandFile, ...]:
    """Return one file per band, the finest that the metadata list, whether or not it is there."""
    finest: dict[str, BandFile] = {}
    for image in images:
        found = _IMAGE.search(image)
        if not found or ".." in Path(image).parts or Path(image).is_absolute():
            continue
        band, size = found[1], found[2]
        resolution = float(size) if size else float(NATIVE_M.get(band, 20))
        if band in finest and finest[band].resolution_m <= resolution:
            continue
        path = folder / f"{image}.jp2"
        if band in ("TCI", "SCL"):
            finest[band] = BandFile(name=band, path=path, index=1, resolution_m=resolution)
        else:
            finest[band] = BandFile(
                name=band,
                path=path,
                index=1,
                resolution_m=resolution,
                scale=1.0 / quantification,
                offset=offsets.get(band, 0.0) / quantification,
            )
    order = {b: i for i, b in enumerate((*BAND_IDS, "TCI", "SCL"))}
    return tuple(sorted(finest.values(), key=lambda f: order[f.name]))


def jp2_is_cut(path: Path) -> bool:
    """Return whether a JPEG 2000 file ends before its boxes say so, or without the end-of-codestream marker.

    The library that decodes JPEG 2000 fills the lost part of a cut file with zeros and may report nothing.

    Parameters
    ----------
    path : Path
        The file.
    """
    size = path.stat().st_size
    with opening.open_binary(path) as file:
        place = 0
        while place < size:
            file.seek(place)
            head = file.read(16)
            if len(head) < 8:
                return True
            length, kind = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                length = struct.unpack(">Q", head[8:])[0]
            if kind == b"jp2c":
                end = place + length if length else size
                if end > size:
                    return True
                file.seek(max(end - 16, place))
                return b"\xff\xd9" not in file.read(16)
            if length < 8:
                return True
            place += length
    return True
