"""Which files of a Sentinel-1 product belong together, and what its manifest says.

Checked on the folders of real products in three layouts: full names inside, plain names (``ew-hh.xml``), no images.
Calibration and noise find their image by polarisation, swath and number in ``adsHeader``. Only the GeoTIFFs have no
header: they belong to the annotation of the same name (with ``-cog`` at its end in the cloud-optimised variant), else
to that which the manifest names beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from ..errors import ProductError
from ..io.product_files import ProductFiles
from .sentinel1_annotation import Header, read_header
from .sentinel1_xml import AGAIN

Key = tuple[str, str, str]
"""Polarisation, swath and image number."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The files of a product by what they are.

    Attributes
    ----------
    annotations : tuple of str
    calibration, noise : mapping of (polarisation, swath, image number) to str
    measurement : mapping of str to str
        Annotation to its GeoTIFF.
    """

    annotations: tuple[str, ...]
    calibration: Mapping[Key, str]
    noise: Mapping[Key, str]
    measurement: Mapping[str, str]

    def beside(self, kind: str, header: Header) -> str:
        """Return the calibration or noise file of an image, empty where there is none.

        Parameters
        ----------
        kind : str
            ``calibration`` or ``noise``.
        header : Header
            Of the image's annotation.
        """
        known = self.calibration if kind == "calibration" else self.noise
        key = _key(header)
        alike = [name for other, name in known.items() if other[:2] == key[:2]]
        return known.get(key) or (alike[0] if len(alike) == 1 else "")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``manifest.safe`` says.

    Attributes
    ----------
    ipf : str
        Version of the processor, empty where unknown.
    relative_orbit : int or None
    orbit_pass : str
        Lower case, empty where unknown.
    is_simulated : bool
        Whether it says that the product is a simulation.
    """

    ipf: str
    relative_orbit: int | None
    orbit_pass: str
    is_simulated: bool = False


def find_parts(files: ProductFiles) -> Parts:
    """Sort the files of a product.

    Parameters
    ----------
    files : ProductFiles
        The product.

    Raises
    ------
    ProductError
        If it has no annotation, or a header is damaged.
    """
    annotations = _in(files, "annotation", ".xml")
    if not annotations:
        inner = sorted({n.split("/")[0] for n in files.names if "/annotation/" in n and n.count("/") == 2})
        raise ProductError(
            f"{files.name}: holds no annotation/*.xml; expected a Sentinel-1 product with one per image. "
            + (f"Name {inner[0]} in it." if inner else "Name its .SAFE folder, or download the product again, whole.")
        )
    found: dict[str, dict[Key, str]] = {"calibration": {}, "noise": {}}
    for name in _in(files, "annotation/calibration", ".xml"):
        kind = next((k for k in found if PurePosixPath(name).name.startswith(k)), "")
        if kind:
            found[kind].setdefault(_key(read_header(files, name)), name)
    return Parts(
        annotations=annotations,
        calibration=found["calibration"],
        noise=found["noise"],
        measurement=_measurements(files, annotations),
    )


def _in(files: ProductFiles, folder: str, ending: str) -> tuple[str, ...]:
    """Return the files of a folder, none of those below it."""
    return tuple(n for n in files.names if PurePosixPath(n).parent.as_posix() == folder and n.lower().endswith(ending))


def _key(header: Header) -> Key:
    return header.polarisation, header.swath, header.image_number


def _measurements(files: ProductFiles, annotations: tuple[str, ...]) -> dict[str, str]:
    images = (*_in(files, "measurement", ".tiff"), *_in(files, "measurement", ".tif"))
    by_stem = {_stem(n): n for n in images}
    found = {a: by_stem[_stem(a)] for a in annotations if _stem(a) in by_stem}
    if images and len(found) < len(annotations):
        for annotation, image in _named_together(files).items():
            if annotation in annotations and image in images:
                found.setdefault(annotation, image)
    return found


def _stem(name: str) -> str:
    return re.sub(r"[-_]cog$", "", PurePosixPath(name).stem.lower())


def _named_together(files: ProductFiles) -> dict[str, str]:
    """Return the annotation of each image as the manifest links them, none without a manifest."""
    if "manifest.safe" not in files.names:
        return {}
    root = files.read_xml("manifest.safe", expected=AGAIN)
    places = {}
    for item in root.iter("dataObject"):
        place = item.find(".//fileLocation")
        if place is not None:
            places[item.get("ID", "")] = (place.get("href") or "").removeprefix("./")
    described = {
        m.get("ID", ""): p.get("dataObjectID", "")
        for m in root.iter("metadataObject")
        for p in m.iter("dataObjectPointer")
    }
    found = {}
    for unit in root.iter():
        pointer = next((p for p in unit if p.tag == "dataObjectPointer"), None) if "dmdID" in unit.attrib else None
        image = places.get(pointer.get("dataObjectID", ""), "") if pointer is not None else ""
        for word in unit.get("dmdID", "").split():
            annotation = places.get(described.get(word, ""), "")
            if image and PurePosixPath(annotation).parent.as_posix() == "annotation":
                found[annotation] = image
    return found


def read_manifest(files: ProductFiles) -> Manifest:
    """Read the processor's version and the orbit; unknown where there is no manifest.

    Parameters
    ----------
    files : ProductFiles
        The product.

    Raises
    ------
    ProductError
        If the manifest is damaged.
    """
    if "manifest.safe" not in files.names:
        return Manifest(ipf="", relative_orbit=None, orbit_pass="")
    root = files.read_xml("manifest.safe", expected=AGAIN)
    versions = [e.get("version", "") for e in _named(root, "software") if "Sentinel-1 IPF" in e.get("name", "")]
    orbits = [e.text or "" for e in _named(root, "relativeOrbitNumber")]
    passes = [e.text or "" for e in _named(root, "pass")]
    return Manifest(
        ipf=next((v.strip() for v in versions if v.strip()), ""),
        relative_orbit=next((int(o) for o in orbits if o.strip().isdigit()), None),
        orbit_pass=next((p.strip().lower() for p in passes), ""),
        is_simulated=any("simulation" in e.get("site", "") for e in _named(root, "facility")),
    )


def _named(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Return elements by name, whatever their namespace."""
    return [e for e in root.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] == tag]
