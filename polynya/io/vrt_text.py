"""What the text of a VRT says: the rasters that it reads, and bands that are computed instead of read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

COMPUTED = ("vrtrawrasterband", "vrtderivedrasterband")
"""Kinds of bands that are no plain reading of rasters, lower case."""


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
    """Yield the kinds of a VRT's bands that are no plain reading of rasters, as it spells them.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element
        The VRT.
    """
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.lower() == "subclass" and value.lower() in COMPUTED:
                yield value
