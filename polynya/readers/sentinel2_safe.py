"""A Sentinel-2 SAFE folder's metadata: which file holds which band, how counts become reflectance, when, and where the
sun stood.

Paths and elements follow the product specification (S2-PDGS-TAS-DI-PSD). Checked on the metadata of real products of
baselines 02.12, 03.01, 04.00 and 05.09 (Level-1C and 2A), with images that the tests write; only the compact format is
read (one granule per product, since December 2016). A folder may lie in an archive.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError
from ..io import archives, opening
from ..schema import Note

PRODUCTS = {"S2MSI1C": "MTD_MSIL1C.xml", "S2MSI2A": "MTD_MSIL2A.xml"}
"""Product type to the name of its metadata file."""
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands in the order of ``bandId``, which the offsets use."""
NATIVE_M = {**dict.fromkeys(("B02", "B03", "B04", "B08", "TCI"), 10), **dict.fromkeys(("B01", "B09", "B10"), 60)}
"""Pixel size of a band in Level-1C; those not named have 20 m."""
QUANTIFICATION = 10000.0
FIRST_WITH_OFFSET, LATER_OFFSET = "04.00", -1000.0
"""The processing baseline from which on counts carry an offset, and the offset that is added to them."""
_BASELINE = re.compile(r"(?:^|_)N(\d\d)\.?(\d\d)(?:_|\.|$)")
IMAGE_ENDINGS = (".jp2", ".tif")
"""The agency's images, and those of catalogues that write them anew in the same tree."""
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
    found = (archives.named(folder, name) for name in PRODUCTS.values())
    return next((f for f in found if f is not None), None)


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
    name, root = folder.name, read_xml(main)
    kind = (text_of(root, "PRODUCT_TYPE") or "").removesuffix("p")  # S2MSI2Ap: the pilot Level-2A of 2017
    product = kind or ("S2MSI1C" if main.name.upper() == PRODUCTS["S2MSI1C"].upper() else "S2MSI2A")
    if product not in PRODUCTS:
        raise ProductError(
            f"{name}: {main.name} says product {product}; expected S2MSI1C or S2MSI2A. Download the Level-1C or"
            " Level-2A product."
        )
    images = [e.text.strip() for e in root.iter() if tag_of(e) in ("IMAGE_FILE", "IMAGE_FILE_2A") and e.text]
    granules = {Path(i).parts[1] for i in images if i.startswith("GRANULE/")}
    if len(granules) != 1:
        raise ProductError(
            f"{name}: {main.name} lists images of {len(granules)} granules; expected one (the compact format, since"
            " December 2016). Download the product again in today's format, or give one tile as a GeoTIFF."
        )
    inner = f"GRANULE/{granules.pop()}/MTD_TL.xml"
    tile = archives.named(folder, inner)
    if tile is None:
        raise ProductError(
            f"{name}: {inner} is missing; expected it to give grid, time and sun angles. Download the product again,"
            " whole."
        )
    quantification, offsets = radiometry(root, product, name)
    return described(
        name,
        product=product,
        root=root,
        head=read_xml(tile),
        files=_files(folder, images, quantification, offsets),
    )


def described(
    name: str,
    *,
    product: str,
    root: ElementTree.Element | None,
    head: ElementTree.Element,
    files: tuple[BandFile, ...],
    notes: tuple[Note, ...] = (),
) -> SafeMetadata:
    """Return what the metadata of a product and of its tile say, beside the files.

    Parameters
    ----------
    name : str
        Of the product, for messages.
    product : str
        ``S2MSI1C`` or ``S2MSI2A``.
    root : xml.etree.ElementTree.Element or None
        The product's metadata; None where there are none.
    head : xml.etree.ElementTree.Element
        The tile's.
    files : tuple of BandFile
        One per band.
    notes : tuple of Note
        What is known of the product so far.

    Raises
    ------
    ProductError
        If the tile's metadata lack the grid or hold no numbers.
    """
    epsg, shape, corner = _grid(head, name)
    more = list(notes)
    zenith, azimuth = _sun(head)
    if zenith is None:
        more.append(Note(code="sun_unknown", text="no mean sun angle in MTD_TL.xml"))
    time = _time(text_of(head, "SENSING_TIME"), name)
    if time is None and root is not None:
        time = _time(text_of(root, "PRODUCT_START_TIME"), name)
        text = "time is the datatake's start: no SENSING_TIME in MTD_TL.xml"
        more.append(Note(code="time_of_datatake", text=text))
    said = {t: None if root is None else text_of(root, t) for t in ("PRODUCT_URI", "PRODUCT_URI_2A")}
    tile_id = text_of(head, "TILE_ID") or ""
    baseline = None if root is None else text_of(root, "PROCESSING_BASELINE")
    return SafeMetadata(
        product=product,
        uri=said["PRODUCT_URI"] or said["PRODUCT_URI_2A"] or (name if root is not None else tile_id or name),
        baseline=baseline or baseline_in(tile_id),
        time=time,
        epsg=epsg,
        shape=shape,
        corner=corner,
        sun_elevation=None if zenith is None else 90.0 - zenith,
        sun_azimuth=azimuth,
        files=files,
        notes=tuple(more),
    )


def baseline_in(name: str) -> str:
    """Return the processing baseline in a product's or tile's name (``N0509``, ``N04.00``), empty where there is none.

    Parameters
    ----------
    name : str
        ``S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825`` for example.
    """
    found = _BASELINE.search(name.upper())
    return f"{found[1]}.{found[2]}" if found else ""


def offset_of(baseline: str) -> float:
    """Return the offset in counts of all bands by the processing baseline: -1000 from 04.00 on.

    Parameters
    ----------
    baseline : str
        ``05.09`` for example.
    """
    return LATER_OFFSET if baseline >= FIRST_WITH_OFFSET else 0.0


def _not_safe(folder: Path) -> str:
    inside = archives.children(folder) if archives.is_dir(folder) else []
    old = [p.name for p in inside if re.fullmatch(r"S2.*_MTD_.*\.xml", p.name)]
    if old:
        return (
            f"{folder.name}: holds {old[0]}, the format of before December 2016; expected MTD_MSIL1C.xml or"
            " MTD_MSIL2A.xml. Download it again in the compact format."
        )
    inner = [p.name for p in inside if p.suffix.upper() == ".SAFE" and archives.is_dir(p)]
    if inner:
        return (
            f"{folder.name}: holds the SAFE folder {inner[0]}; expected the SAFE folder itself. Name"
            f" {folder.name}/{inner[0]}."
        )
    return (
        f"{folder.name}: is not a SAFE folder: no MTD_MSIL1C.xml and no MTD_MSIL2A.xml in it; expected a Sentinel-2"
        " product. Name its .SAFE folder, its .SAFE.zip, or a GeoTIFF."
    )


def read_xml(path: Path) -> ElementTree.Element:
    """Read a metadata file of a product."""
    return opening.read_xml(path, expected="the product's metadata. Download it again")


def tag_of(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace, which changes with the specification's version."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def text_of(root: ElementTree.Element, tag: str) -> str | None:
    """Return the text of the first element of a name, None where there is none."""
    for element in root.iter():
        if tag_of(element) == tag and element.text:
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


def radiometry(root: ElementTree.Element, product: str, name: str) -> tuple[float, dict[str, float]]:
    """Return the quantification value and the bands' offsets in counts: none before baseline 04.00, usually -1000
    after.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The product's metadata.
    product : str
        ``S2MSI1C`` or ``S2MSI2A``.
    name : str
        Of the product, for messages.

    Raises
    ------
    ProductError
        If a number is missing or none.
    """
    level_2a = product == "S2MSI2A"
    value = None
    for tag in ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE") if level_2a else ("QUANTIFICATION_VALUE",):
        value = value or text_of(root, tag)
    quantification = _number(value, "the quantification value", name)
    if quantification <= 0:
        raise ProductError(
            f"{name}: the quantification value is {quantification:g}; expected a positive number, usually 10000."
            " Download the product again."
        )
    offsets = {}
    for element in root.iter():
        if tag_of(element) != ("BOA_ADD_OFFSET" if level_2a else "RADIO_ADD_OFFSET"):
            continue
        number = element.get("band_id") or element.get("bandId") or ""
        if not number.isdigit() or int(number) >= len(BAND_IDS):
            raise ProductError(
                f"{name}: an offset is for band_id {number!r}; expected 0 to 12. Download the product again."
            )
        offsets[BAND_IDS[int(number)]] = _number(element.text, f"the offset of {BAND_IDS[int(number)]}", name)
    return quantification, offsets


def _grid(head: ElementTree.Element, name: str) -> tuple[int, tuple[int, int], tuple[float, float]]:
    code = text_of(head, "HORIZONTAL_CS_CODE") or ""
    number = code.upper().removeprefix("EPSG:")
    if not number.isdigit():
        raise ProductError(
            f"{name}: MTD_TL.xml gives the coordinate system {code or 'of nothing'!r}; expected EPSG:326xx or"
            " EPSG:327xx. Download the product again."
        )
    size = position = None
    for element in head.iter():
        if element.get("resolution") == "10":
            size = element if tag_of(element) == "Size" else size
            position = element if tag_of(element) == "Geoposition" else position
    if size is None or position is None:
        raise ProductError(
            f"{name}: MTD_TL.xml has no Size or Geoposition of 10 m; expected both in Tile_Geocoding. Download the"
            " product again."
        )
    rows, columns = (int(_number(text_of(size, t), t, name)) for t in ("NROWS", "NCOLS"))
    x, y = (_number(text_of(position, t), t, name) for t in ("ULX", "ULY"))
    if min(rows, columns) < 1:
        raise ProductError(
            f"{name}: MTD_TL.xml gives {rows} rows and {columns} columns; expected at least one. Download the product"
            " again."
        )
    return int(number), (rows, columns), (x, y)


def _sun(head: ElementTree.Element) -> tuple[float | None, float | None]:
    for element in head.iter():
        if tag_of(element) == "Mean_Sun_Angle":
            found = []
            for tag in ("ZENITH_ANGLE", "AZIMUTH_ANGLE"):
                try:
                    found.append(float(text_of(element, tag) or "nan"))
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
    """Return one file per band: of those that are there the finest, else the finest that the metadata list."""
    found = []
    for image in images:
        named = _IMAGE.search(image)
        if not named or ".." in Path(image).parts or Path(image).is_absolute():
            continue
        size = float(named[2]) if named[2] else float(NATIVE_M.get(named[1], 20))
        there = next((p for e in IMAGE_ENDINGS if (p := archives.named(folder, f"{image}{e}")) is not None), None)
        found.append((named[1], there or folder / f"{image}{IMAGE_ENDINGS[0]}", size, there is not None))
    return finest(found, quantification=quantification, offsets=offsets)


def finest(
    found: list[tuple[str, Path, float, bool]], *, quantification: float, offsets: dict[str, float]
) -> tuple[BandFile, ...]:
    """Return one file per band, in the order of the bands: one that is there before one that is not, then the finest.

    Parameters
    ----------
    found : list of (str, Path, float, bool)
        Band, file, pixel size in metres, and whether the file is there.
    quantification : float
        What counts are divided by.
    offsets : dict of str to float
        Band to what is added to its counts before; nothing for bands that it lacks.
    """
    order = {b: i for i, b in enumerate((*BAND_IDS, "TCI", "SCL"))}
    best: dict[str, tuple[bool, float, Path]] = {}
    for band, path, size, there in found:
        if band in order and (band not in best or (not there, size) < best[band][:2]):
            best[band] = (not there, size, path)
    return tuple(
        BandFile(name=band, path=path, index=1, resolution_m=size)
        if band in ("TCI", "SCL")
        else BandFile(
            name=band,
            path=path,
            index=1,
            resolution_m=size,
            scale=1.0 / quantification,
            offset=offsets.get(band, 0.0) / quantification,
        )
        for band, (_, size, path) in sorted(best.items(), key=lambda i: order[i[0]])
    )


def jp2_is_cut(path: Path) -> bool:
    """Return whether a JPEG 2000 file ends before its boxes say so, or without the end-of-codestream marker.

    The library that decodes JPEG 2000 fills the lost part of a cut file with zeros and may report nothing.

    Parameters
    ----------
    path : Path
        The file.
    """
    size = archives.size_of(path)
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
