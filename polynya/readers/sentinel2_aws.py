"""A Sentinel-2 tile in the layout of the public bucket: ``metadata.xml`` and ``B02.jp2``, or ``R10m/B02.jp2``.

The tile's ``metadata.xml`` is the granule's MTD_TL.xml under another name. The product's metadata, with quantification
and offsets, may lie beside it (``product_metadata.xml``); else both follow from the processing baseline in the tile's
identifier: 10000, and -1000 from 04.00 on. Checked on the metadata of a real tile of Level-2A (baseline 04.00), with
images that the tests write. Layout: https://roda.sentinel-hub.com/sentinel-s2-l2a/readme.html
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ProductError
from ..io import archives, opening
from ..schema import Note
from .sentinel2_safe import (
    BAND_IDS,
    NATIVE_M,
    QUANTIFICATION,
    SafeMetadata,
    baseline_in,
    described,
    finest,
    offset_of,
    radiometry,
    read_xml,
    tag_of,
    text_of,
)

TILE, PRODUCT_FILE = "metadata.xml", "product_metadata.xml"
METADATA = (TILE, PRODUCT_FILE, "tileinfo.json")
"""Metadata files at the top of a tile, lower case."""
FOLDERS = ("", "R10m", "R20m", "R60m")
"""Where images lie; the first of Level-1C."""
LEVELS = {"Level-1C_Tile_ID": "S2MSI1C", "Level-2A_Tile_ID": "S2MSI2A"}
"""Root element of a tile's metadata to the product type."""
_SEARCHED = 4096
_IMAGE = re.compile(r"^(?:.*_)?(B\d\d|B8A|TCI|SCL)(?:_(?:10|20|60)m)?\.(?:jp2|tiff?)$", re.IGNORECASE)


def is_product(folder: Path) -> bool:
    """Return whether a folder, on the disk or in an archive, is a tile in this layout.

    Parameters
    ----------
    folder : Path
        Any folder.
    """
    tile = archives.named(folder, TILE)
    if tile is None:
        return False
    start = opening.starts_with(tile, _SEARCHED)
    return any(f"{level}".encode() in start for level in LEVELS)


def read_metadata(folder: Path) -> SafeMetadata:
    """Read a tile's metadata, and those of its product where they lie beside it.

    Parameters
    ----------
    folder : Path
        Of :func:`is_product`.

    Returns
    -------
    SafeMetadata

    Raises
    ------
    ProductError
        If a metadata file is damaged.
    """
    name = folder.resolve().name
    head = read_xml(archives.named(folder, TILE) or folder / TILE)
    product = LEVELS.get(tag_of(head), "")
    if not product:
        raise ProductError(
            f"{name}: {TILE} begins with {tag_of(head)}; expected that of a Sentinel-2 tile. Download the tile again."
        )
    beside = archives.named(folder, PRODUCT_FILE)
    root = None if beside is None else read_xml(beside)
    quantification, offsets, notes = _factors(root, head, product, name)
    files = finest(_images(folder), quantification=quantification, offsets=offsets)
    return described(name, product=product, root=root, head=head, files=files, notes=notes)


def _factors(
    root: ElementTree.Element | None, head: ElementTree.Element, product: str, name: str
) -> tuple[float, dict[str, float], tuple[Note, ...]]:
    if root is not None:
        return (*radiometry(root, product, name), ())
    baseline = baseline_in(text_of(head, "TILE_ID") or "")
    if not baseline:
        raise ProductError(
            f"{name}: {TILE} names no processing baseline and there is no {PRODUCT_FILE}; expected one of them to give"
            f" the offset of the counts. Download the product's metadata as {PRODUCT_FILE}."
        )
    offset = offset_of(baseline)
    text = f"counts to reflectance by processing baseline {baseline}: ({{}} {offset:+g}) / {QUANTIFICATION:g}"
    note = Note(code="factors_by_baseline", text=text.format("counts"))
    return QUANTIFICATION, dict.fromkeys(BAND_IDS, offset), (note,)


def _images(folder: Path) -> list[tuple[str, Path, float, bool]]:
    found = []
    for below in FOLDERS:
        place = folder / below
        if not archives.is_dir(place):
            continue
        for path in archives.children(place):
            named = _IMAGE.match(path.name)
            if named:
                band = named[1].upper()
                size = float(below[1:3]) if below else float(NATIVE_M.get(band, 20))
                found.append((band, path, size, True))
    return found
