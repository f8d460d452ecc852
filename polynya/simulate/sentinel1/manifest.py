"""The manifest of a simulated Sentinel-1 product, and the names that it lists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as xml

from ... import __version__
from .annotation import Annotation
from .orbit import time_of
from .presets import POLARISATIONS

SPACES = {
    "xfdu": "urn:ccsds:schema:xfdu:1",
    "gml": "http://www.opengis.net/gml",
    "safe": "http://www.esa.int/safe/sentinel-1.0",
    "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
    "s1sar": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar",
    "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
}
SCHEMAS = {
    "annotation": "s1Level1ProductSchema",
    "calibration": "s1Level1CalibrationSchema",
    "noise": "s1Level1NoiseSchema",
    "measurement": "s1Level1MeasurementSchema",
}


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of a product: its folder, and by polarisation the stem of its files."""

    safe: str
    stems: dict[str, str]

    def path(self, kind: str, polarisation: str) -> str:
        """Return where a file lies in the product.

        Parameters
        ----------
        kind : str
            Key of :data:`SCHEMAS`.
        polarisation : str
            ``HH`` or ``HV``.
        """
        stem = self.stems[polarisation]
        if kind == "measurement":
            return f"measurement/{stem}.tiff"
        return f"annotation/{stem}.xml" if kind == "annotation" else f"annotation/calibration/{kind}-{stem}.xml"


def names_of(annotation: Annotation, seed: int) -> Names:
    """Return the names as the Product Definition (S1-RS-MDA-52-7440, 2/7) builds them.

    Parameters
    ----------
    annotation : Annotation
        The product.
    seed : int
        Gives the four digits at the end, which make names unique.
    """
    orbit = annotation.orbit
    start, stop = (time_of(orbit, line)[:19].replace("-", "").replace(":", "") for line in (0, annotation.lines - 1))
    part = f"{start}_{stop}_{orbit.number:06d}_{orbit.data_take:06X}"
    unique = hashlib.sha256(f"{seed} {part} {annotation.lines} {annotation.samples}".encode()).hexdigest()[:4].upper()
    low = part.replace("_", "-").lower()
    mission = orbit.mission.lower()
    return Names(
        safe=f"{orbit.mission}_EW_GRDM_1SDH_{part}_{unique}.SAFE",
        stems={p: f"{mission}-ew-grd-{p.lower()}-{low}-{k:03d}" for k, p in enumerate(POLARISATIONS, 1)},
    )


def manifest_xml(safe: Path, names: Names, annotation: Annotation, *, settings: str) -> bytes:
    """Return ``manifest.safe`` of a product whose other files are there.

    Parameters
    ----------
    safe : Path
        The product's folder, with files under the names.
    names : Names
        Of its files.
    annotation : Annotation
        Times, orbit, footprint.
    settings : str
        What it was simulated from.
    """
    for prefix, uri in SPACES.items():
        xml.register_namespace(prefix, uri)
    root = xml.Element(_q("xfdu:XFDU"), {"version": "esa/safe/sentinel-1.0/sentinel-1/sar/level-1/grd/standard/ewdp"})
    files = [(kind, p, names.path(kind, p)) for p in POLARISATIONS for kind in SCHEMAS]
    _package(root, files)
    section = _add(root, "metadataSection")
    _processing(section, annotation, settings)
    _platform(section, annotation)
    _orbit(section, annotation)
    _general(section, annotation)
    _period(section, annotation)
    _footprint(section, annotation)
    objects = _add(root, "dataObjectSection")
    for kind, _, path in files:
        digest, size = _md5(safe / path)
        one = _add(objects, "dataObject", ID=_identifier(path), repID=SCHEMAS[kind])
        mime = "application/octet-stream" if kind == "measurement" else "text/xml"
        stream = _add(one, "byteStream", mimeType=mime, size=str(size))
        _add(stream, "fileLocation", locatorType="URL", href=f"./{path}")
        _add(stream, "checksum", digest, checksumName="MD5")
    xml.indent(root)
    return xml.tostring(root, encoding="UTF-8", xml_declaration=True)


def _package(root: xml.Element, files: list[tuple[str, str, str]]) -> None:
    unit = _add(
        _add(root, "informationPackageMap"),
        "xfdu:contentUnit",
        unitType="SAFE Archive Information Package",
        textInfo="Sentinel-1 EW Level-1 GRD Product",
        dmdID="acquisitionPeriod platform generalProductInformation measurementOrbitReference measurementFrameSet",
        pdiID="processing",
    )
    for kind, _, path in files:
        what = "Measurement Data Unit" if kind == "measurement" else "Metadata Unit"
        part = _add(unit, "xfdu:contentUnit", unitType=what, repID=SCHEMAS[kind])
        _add(part, "dataObjectPointer", dataObjectID=_identifier(path))


def _processing(section: xml.Element, annotation: Annotation, settings: str) -> None:
    data = _object(section, "processing", "Processing", kind="PROVENANCE", category="PDI")
    start = time_of(annotation.orbit, annotation.lines)
    processing = _add(data, "safe:processing", name="GRD Post Processing", start=start, stop=start)
    facility = _add(
        processing,
        "safe:facility",
        country="none",
        name="polynya",
        organisation="none",
        site=f"polynya {__version__}: a simulation, no measurement. {settings}",
    )
    _add(facility, "safe:software", name="Sentinel-1 IPF", version=annotation.orbit.software)


def _platform(section: xml.Element, annotation: Annotation) -> None:
    platform = _add(_object(section, "platform", "Platform Description"), "safe:platform")
    _add(platform, "safe:familyName", "SENTINEL-1")
    _add(platform, "safe:number", annotation.orbit.mission[2:])
    instrument = _add(platform, "safe:instrument")
    _add(instrument, "safe:familyName", "Synthetic Aperture Radar", abbreviation="SAR")
    mode = _add(_add(instrument, "safe:extension"), "s1sarl1:instrumentMode")
    _add(mode, "s1sarl1:mode", "EW")
    _add(mode, "s1sarl1:swath", "EW")


def _orbit(section: xml.Element, annotation: Annotation) -> None:
    orbit = annotation.orbit
    reference = _add(_object(section, "measurementOrbitReference", "Orbit Reference"), "safe:orbitReference")
    for kind in ("start", "stop"):
        _add(reference, "safe:orbitNumber", str(orbit.number), type=kind)
    for kind in ("start", "stop"):
        _add(reference, "safe:relativeOrbitNumber", str((orbit.number - 73) % 175 + 1), type=kind)
    _add(reference, "safe:cycleNumber", "0")
    properties = _add(_add(reference, "safe:extension"), "s1:orbitProperties")
    _add(properties, "s1:pass", "ASCENDING" if orbit.ascending else "DESCENDING")
    _add(properties, "s1:ascendingNodeTime", time_of(orbit, -250000))


def _general(section: xml.Element, annotation: Annotation) -> None:
    data = _object(section, "generalProductInformation", "General Product Information")
    general = _add(data, "s1sarl1:standAloneProductInformation")
    _add(general, "s1sarl1:instrumentConfigurationID", "7")
    _add(general, "s1sarl1:missionDataTakeID", str(annotation.orbit.data_take))
    for polarisation in POLARISATIONS:
        _add(general, "s1sarl1:transmitterReceiverPolarisation", polarisation)
    for name, text in {
        "productClass": "S",
        "productClassDescription": "SAR Standard L1 Product",
        "productComposition": "Individual",
        "productType": "GRD",
        "productTimelinessCategory": "Fast-24h",
        "sliceProductFlag": "false",
    }.items():
        _add(general, f"s1sarl1:{name}", text)


def _period(section: xml.Element, annotation: Annotation) -> None:
    period = _add(_object(section, "acquisitionPeriod", "Acquisition Period"), "safe:acquisitionPeriod")
    _add(period, "safe:startTime", time_of(annotation.orbit, 0))
    _add(period, "safe:stopTime", time_of(annotation.orbit, annotation.lines - 1))


def _footprint(section: xml.Element, annotation: Annotation) -> None:
    p = annotation.points
    corners = ((-1, 0), (-1, -1), (0, -1), (0, 0))
    text = " ".join(f"{p.latitude[c]:.6f},{p.longitude[c]:.6f}" for c in corners)
    frame = _add(_add(_object(section, "measurementFrameSet", "Frame Set"), "safe:frameSet"), "safe:frame")
    outline = _add(frame, "safe:footPrint", srsName="http://www.opengis.net/gml/srs/epsg.xml#4326")
    _add(outline, "gml:coordinates", text)


def _object(
    section: xml.Element, name: str, text: str, *, kind: str = "DESCRIPTION", category: str = "DMD"
) -> xml.Element:
    node = _add(section, "metadataObject", ID=name, classification=kind, category=category)
    wrap = _add(node, "metadataWrap", mimeType="text/xml", vocabularyName="SAFE", textInfo=text)
    return _add(wrap, "xmlData")


def _md5(path: Path) -> tuple[str, int]:
    """Return a file's checksum and size, read piece by piece."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest(), path.stat().st_size


def _identifier(path: str) -> str:
    """Return a file's identifier: its name without signs; measurements carry none of the annotation's words before."""
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("-", "")
    return f"product{stem}" if path.startswith("annotation/") and "/calibration/" not in path else stem


def _add(parent: xml.Element, name: str, text: str | None = None, /, **attributes: str) -> xml.Element:
    node = xml.SubElement(parent, _q(name), attributes)
    node.text = text
    return node


def _q(name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{SPACES[prefix]}}}{local}" if prefix else local
