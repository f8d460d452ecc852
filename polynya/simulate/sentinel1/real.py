"""The annotation of a real Sentinel-1 EW GRDM product: its noise, calibration, sub-swaths, angles and positions."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np

from ...errors import ProductError
from ...io.opening import read_xml
from .annotation import Annotation, Block, Calibration, NoiseVector, Orbit, Points
from .metadata import SWATHS

SPACING_M = 40.0
KINDS = {"product": "annotation", "calibration": "calibration", "noise": "noise"}
"""Root elements, and what they are called in messages."""


def read_annotation(safe: Path | str) -> Annotation:
    """Read the annotation of both polarisations; the pixels may be missing.

    Parameters
    ----------
    safe : Path or str
        The product's folder.

    Raises
    ------
    ProductError
        If it is no EW GRDM product in HH and HV with range noise, or a part of it is missing or cannot be read.
    """
    safe = Path(safe)
    parts = _parts(safe)
    product = parts["product", "HH"]
    header = product.find("adsHeader")
    mode = "" if header is None else f"{header.findtext('mode')} {header.findtext('productType')}"
    spacing = float(product.findtext("imageAnnotation/imageInformation/rangePixelSpacing") or 0.0)
    if mode != "EW GRD" or spacing != SPACING_M:
        raise ProductError(
            f"{safe.name}: is a product of {mode or 'unknown mode'} with pixels of {spacing:g} m; expected EW GRD with"
            " 40 m (EW_GRDM). Choose another with --annotation."
        )
    information = product.find("imageAnnotation/imageInformation")
    if information is None:
        raise ProductError(f"{safe.name}: its annotation has no imageInformation; expected it. Choose another product.")
    try:
        return Annotation(
            lines=int(_text(information, "numberOfLines")),
            samples=int(_text(information, "numberOfSamples")),
            orbit=_orbit(safe, product, information),
            blocks=_blocks(product, {p: parts["noise", p] for p in ("HH", "HV")}),
            noise=_noise({p: parts["noise", p] for p in ("HH", "HV")}),
            calibration=_calibration(parts["calibration", "HH"]),
            points=_points(product),
        )
    except (ValueError, KeyError, AttributeError) as error:
        raise ProductError(
            f"{safe.name}: its annotation does not read ({error}); expected the files of an EW GRDM product as ESA"
            " writes them. Get it again, or choose another with --annotation."
        ) from error


def _parts(safe: Path) -> dict[tuple[str, str], xml.Element]:
    """Return the annotation files by root element and polarisation; names say nothing, headers do."""
    folder = safe / "annotation"
    if not folder.is_dir():
        raise ProductError(
            f"{safe.name}: has no folder annotation/; expected a Sentinel-1 product (.SAFE). Check the path after"
            " --annotation."
        )
    found: dict[tuple[str, str], xml.Element] = {}
    for path in sorted(folder.glob("*.xml")) + sorted((folder / "calibration").glob("*.xml")):
        root = read_xml(path, expected="annotation of a Sentinel-1 product. Get it again")
        if root.tag in KINDS:
            found[root.tag, root.findtext("adsHeader/polarisation") or ""] = root
    for polarisation in ("HH", "HV"):
        for tag, name in KINDS.items():
            if (tag, polarisation) not in found:
                raise ProductError(
                    f"{safe.name}: has no {name} of {polarisation}; expected annotation, calibration and noise of HH"
                    " and HV. Choose another with --annotation."
                )
    return found


def _orbit(safe: Path, product: xml.Element, information: xml.Element) -> Orbit:
    header, general = product.find("adsHeader"), product.find("generalAnnotation/productInformation")
    return Orbit(
        mission=_text(header, "missionId"),
        start=_text(information, "productFirstLineUtcTime"),
        line_s=float(_text(information, "azimuthTimeInterval")),
        number=int(_text(header, "absoluteOrbitNumber")),
        data_take=int(_text(header, "missionDataTakeId")),
        heading=float(_text(general, "platformHeading")),
        ascending=_text(general, "pass").lower().startswith("asc"),
        software=_software(safe / "manifest.safe"),
    )


def _software(manifest: Path) -> str:
    """Return the processor's version; 003.71 where the manifest does not tell."""
    if manifest.is_file():
        for node in read_xml(manifest, expected="a manifest. Get it again").iter():
            if node.tag.endswith("}software") and node.get("version"):
                return str(node.get("version"))
    return "003.71"


def _blocks(product: xml.Element, noise: dict[str, xml.Element]) -> tuple[Block, ...]:
    """Return the blocks of the azimuth noise; those of the merging, with a factor of 1, where there is none."""
    by_polarisation = {p: root.findall("noiseAzimuthVectorList/noiseAzimuthVector") for p, root in noise.items()}
    nodes = by_polarisation["HH"]
    if not nodes:
        merged = product.findall("swathMerging/swathMergeList/swathMerge")
        empty = {p: np.zeros(0) for p in noise}
        return tuple(
            Block(swath=_swath(m), lines=np.zeros(0, np.int64), factors=empty, **_limits(b))
            for m in merged
            for b in m.findall("swathBoundsList/swathBounds")
        )
    if len(by_polarisation["HV"]) != len(nodes):
        raise ValueError(f"HH has {len(nodes)} azimuth noise blocks, HV {len(by_polarisation['HV'])}")
    blocks = []
    for hh, hv in zip(nodes, by_polarisation["HV"], strict=True):
        lines, other = _array(hh, "line").astype(np.int64), _array(hv, "line").astype(np.int64)
        factors = {
            "HH": _array(hh, "noiseAzimuthLut"),
            "HV": np.interp(lines, other, _array(hv, "noiseAzimuthLut")),
        }
        blocks.append(Block(swath=_swath(hh), lines=lines, factors=factors, **_limits(hh)))
    return tuple(blocks)


def _noise(noise: dict[str, xml.Element]) -> tuple[NoiseVector, ...]:
    by_polarisation = {p: root.findall("noiseRangeVectorList/noiseRangeVector") for p, root in noise.items()}
    if not by_polarisation["HH"] or len(by_polarisation["HH"]) != len(by_polarisation["HV"]):
        raise ValueError("noiseRangeVectorList is empty, or of another length in HV")
    vectors = []
    for hh, hv in zip(by_polarisation["HH"], by_polarisation["HV"], strict=True):
        pixels, other = _array(hh, "pixel").astype(np.int64), _array(hv, "pixel").astype(np.int64)
        if not np.array_equal(pixels, other) or _text(hh, "line") != _text(hv, "line"):
            raise ValueError(f"the range noise of HH and HV stands at other pixels in line {_text(hh, 'line')}")
        values = {"HH": _array(hh, "noiseRangeLut"), "HV": _array(hv, "noiseRangeLut")}
        vectors.append(NoiseVector(line=int(_text(hh, "line")), pixels=pixels, values=values))
    return tuple(vectors)


def _calibration(root: xml.Element) -> Calibration:
    vectors = root.findall("calibrationVectorList/calibrationVector")
    pixels = _array(vectors[0], "pixel").astype(np.int64) if vectors else np.zeros(0, np.int64)
    if not len(pixels):
        raise ValueError("calibrationVectorList is empty")
    grids = {
        name: np.stack([np.interp(pixels, _array(v, "pixel"), _array(v, name)) for v in vectors])
        for name in ("sigmaNought", "gamma")
    }
    return Calibration(
        lines=np.array([int(_text(v, "line")) for v in vectors]),
        pixels=pixels,
        sigma=grids["sigmaNought"],
        gamma=grids["gamma"],
        beta=float(_array(vectors[0], "betaNought")[0]),
    )


def _points(product: xml.Element) -> Points:
    nodes = product.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    lines, pixels = (np.array([float(_text(n, name)) for n in nodes]) for name in ("line", "pixel"))
    shape = (len(np.unique(lines)), len(np.unique(pixels)))
    if shape[0] * shape[1] != len(nodes) or min(shape) < 4:
        raise ValueError(f"the geolocation grid has {len(nodes)} points, which are no grid")
    names = ("latitude", "longitude", "height", "incidenceAngle", "elevationAngle", "slantRangeTime")
    grids = [np.array([float(_text(n, name)) for n in nodes]).reshape(shape) for name in names]
    return Points(
        lines=np.unique(lines),
        pixels=np.unique(pixels),
        latitude=grids[0],
        longitude=grids[1],
        height=grids[2],
        incidence=grids[3],
        elevation=grids[4],
        slant_range_time=grids[5],
    )


def _swath(node: xml.Element) -> int:
    return SWATHS.index(_text(node, "swath")) + 1


def _limits(node: xml.Element) -> dict[str, int]:
    return {
        "first_line": int(_text(node, "firstAzimuthLine")),
        "last_line": int(_text(node, "lastAzimuthLine")),
        "first_sample": int(_text(node, "firstRangeSample")),
        "last_sample": int(_text(node, "lastRangeSample")),
    }


def _text(node: xml.Element | None, name: str) -> str:
    text = None if node is None else node.findtext(name)
    if text is None:
        raise ValueError(f"{name} is missing")
    return text.strip()


def _array(node: xml.Element, name: str) -> np.ndarray:
    return np.array(_text(node, name).split(), np.float64)
