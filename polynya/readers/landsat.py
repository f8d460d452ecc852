"""Landsat 4, 5, 7, 8 and 9, Collection 2, Level 1 and 2: a folder or an archive with its MTL file (text, JSON or XML);
counts to reflectance and brightness temperature.

Level 1: top-of-atmosphere reflectance ``(M Q + A) / sin(sun elevation)`` and ``T = K2 / ln(K1 / L + 1)``, with the
product's own numbers. Level 2: surface reflectance and surface temperature by the product's own factors; a note says
so. Sources: Landsat 8-9 Collection 2 Level-1 data format control book (LSDS-1822), Level-2 science product guide
(LSDS-1619), Landsat 4-7 counterparts (LSDS-1414, LSDS-1618). Checked on two real products of Level 2 (Landsat 8), and
on real MTL files of Landsat 4, 5, 7, 8 and 9 with bands that the tests write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError, one_line
from ..io import archives, opening
from ..schema import Note
from ..sensors import Sensor, SensorTable, table
from .scene_layer import Layer, Source, geobox_of
from .times import utc

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

COLOURS = ("blue", "green", "red", "nir", "swir1", "swir2")
BANDS = {"TM": "123457", "ETM": "123457", "OLI": "234567"}
"""Landsat's numbers of the bands of :data:`COLOURS`."""
THERMAL = {"TM": ("6",), "ETM": ("6_VCID_1", "6_VCID_2"), "OLI": ("10",)}
"""Thermal bands, the wanted one first: ETM+ low gain does not saturate over warm rock."""
SPACECRAFT = ("LANDSAT_4", "LANDSAT_5", "LANDSAT_7", "LANDSAT_8", "LANDSAT_9")
LEVEL_2 = {"REFLECTANCE": (2.75e-05, -0.2), "TEMPERATURE": (0.00341802, 149.0)}
"""Factors of Level 2 where the MTL does not repeat them."""
FORMS = (".json", ".txt", ".xml")
"""Endings of MTL files: all three hold the same."""
_METADATA = re.compile(r"(?:^|_)MTL\.(?:json|txt|xml)$", re.IGNORECASE)
QA_FILL, QA_DILATED, QA_CIRRUS, QA_CLOUD, QA_SHADOW = 1, 2, 4, 8, 16
"""Bits of QA_PIXEL that matter here."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """An MTL file: its groups, keys and values as text. Keys repeat between groups of Level 1 and Level 2."""

    path: Path
    groups: dict[str, dict[str, str]]

    def get(self, group: str, key: str) -> str | None:
        """Return a value, None where it is not there; '' as group looks everywhere."""
        if group:
            return self.groups.get(group, {}).get(key)
        return next((g[key] for g in self.groups.values() if key in g), None)

    def number(self, group: str, key: str, *, default: float | None = None) -> float:
        """Return a number.

        Parameters
        ----------
        group, key : str
            Where it stands in the file; '' as group looks everywhere.
        default : float, optional
            What a missing number counts as.

        Raises
        ------
        ProductError
            If it is missing and has no default, or is none.
        """
        text = self.get(group, key)
        if text is None and default is not None:
            return default
        try:
            value = float(text)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ProductError(
                f"{self.path.name}: {group or 'MTL'}/{key} is {text!r}; expected a number (Landsat Collection 2)."
                " Download the product's MTL again."
            ) from error
        if not np.isfinite(value):
            raise ProductError(
                f"{self.path.name}: {group or 'MTL'}/{key} is {text!r}; expected a finite number. Download the"
                " product's MTL again."
            )
        return value


def family_of(craft: str) -> str:
    """Return the instrument of a satellite by the key of :data:`BANDS`.

    Parameters
    ----------
    craft : str
        ``LANDSAT_8`` for example.
    """
    return {"LANDSAT_4": "TM", "LANDSAT_5": "TM", "LANDSAT_7": "ETM"}.get(craft, "OLI")


def is_metadata(name: str) -> bool:
    """Return whether a file's name is that of an MTL file."""
    return _METADATA.search(name) is not None


def metadata_file(folder: Path) -> Path | None:
    """Return a folder's MTL file, JSON before text before XML; None where there is none.

    Parameters
    ----------
    folder : Path
        On the disk or in an archive.
    """
    found = [p for p in archives.children(folder) if is_metadata(p.name) and archives.is_file(p)]
    return min(found, key=lambda p: (FORMS.index(p.suffix.lower()), p.name), default=None)


def read_metadata(path: Path) -> Metadata:
    """Read an MTL file: text, JSON or XML.

    Parameters
    ----------
    path : Path
        ``*_MTL.txt``, ``*_MTL.json`` or ``*_MTL.xml``.

    Returns
    -------
    Metadata

    Raises
    ------
    ProductError
        If it is none of these, or of another collection.
    """
    expected = "a Landsat MTL file. Download it again"
    try:
        if path.suffix.lower() == ".xml":
            groups = _xml_groups(opening.read_xml(path, expected=expected))
        else:
            text = opening.read_text(path, expected=expected)
            groups = _json_groups(text) if text.lstrip().startswith("{") else _text_groups(text)
    except (ValueError, AttributeError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:120]}); expected a Landsat MTL file. Download it again."
        ) from error
    found = Metadata(path=path, groups=groups)
    if "PRODUCT_CONTENTS" not in groups:
        known = ", ".join(list(groups)[:3]) or "no group"
        raise ProductError(
            f"{path.name}: {known}, no PRODUCT_CONTENTS; expected the MTL of Landsat Collection 2. Download the"
            " Collection 2 product."
        )
    return found


def _json_groups(text: str) -> dict[str, dict[str, str]]:
    tree = json.loads(text)
    root = tree.get("LANDSAT_METADATA_FILE", tree)
    return {g: {k: str(v) for k, v in values.items()} for g, values in root.items() if isinstance(values, dict)}


def _xml_groups(root: ElementTree.Element) -> dict[str, dict[str, str]]:
    return {group.tag: {v.tag: (v.text or "").strip() for v in group} for group in root if isinstance(group.tag, str)}


def _text_groups(text: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    stack: list[str] = []
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            stack.append(value)
        elif key == "END_GROUP" and stack:
            stack.pop()
        elif value and stack:
            groups.setdefault(stack[-1], {})[key] = value.strip('"')
    return groups


@dataclass(frozen=True, kw_only=True)
class _Product:
    """A product's metadata, its folder, and what they say of the instrument and the level."""

    about: Metadata
    folder: Path
    family: str
    level: str
    name: str

    @property
    def is_surface(self) -> bool:
        """Whether it is Level 2: reflectance and temperature at the surface."""
        return self.level.startswith("L2")

    def file(self, key: str, ending: str) -> Path | None:
        """Return a file by the MTL's name for it, else by its ending; None where it is not in the folder."""
        named = self.about.get("PRODUCT_CONTENTS", key)
        beside = archives.named(self.folder, named) if named else None
        if beside is not None:
            return beside
        found = [p for p in archives.children(self.folder) if re.search(rf"_{ending}\.tiff?$", p.name, re.IGNORECASE)]
        return found[0] if found else None


def open_folder(folder: Path, *, metadata: Path | None = None, sensors: SensorTable | None = None) -> list[Source]:
    """Describe a Landsat product.

    Parameters
    ----------
    folder : Path
        With the MTL file and the bands' GeoTIFFs beside it.
    metadata : Path, optional
        The MTL file; the folder's own by default.
    sensors : SensorTable, optional
        Sensors of the scene; those of glacier scenes by default.

    Returns
    -------
    list of Source
        The sensor of reflectance, and that of brightness temperature where its band is there.

    Raises
    ------
    ProductError
        If the MTL file or all bands of reflectance are missing, or it is another mission or collection.
    """
    sensors = table("glaciers") if sensors is None else sensors
    path = metadata or metadata_file(folder)
    if path is None:
        raise ProductError(
            f"{folder.name}: no *_MTL.txt, *_MTL.json or *_MTL.xml in it; expected a Landsat Collection 2 product."
            " Download the product again, whole."
        )
    about = read_metadata(path)
    craft = about.get("IMAGE_ATTRIBUTES", "SPACECRAFT_ID") or ""
    if craft not in SPACECRAFT:
        raise ProductError(
            f"{path.name}: SPACECRAFT_ID is {craft!r}; expected {', '.join(SPACECRAFT)}. Older missions carry no band"
            " in the short-wave infrared."
        )
    product = _Product(
        about=about,
        folder=folder,
        family=family_of(craft),
        level=(about.get("PRODUCT_CONTENTS", "PROCESSING_LEVEL") or "L1TP").upper(),
        name=about.get("PRODUCT_CONTENTS", "LANDSAT_PRODUCT_ID") or re.sub(r"_?MTL$", "", path.stem),
    )
    elevation = about.number("IMAGE_ATTRIBUTES", "SUN_ELEVATION")
    if not product.is_surface and elevation <= 0:
        raise ProductError(
            f"{path.name}: the sun stands {elevation:g} degrees high; expected an image by day. Reflectance needs"
            " sunlight."
        )
    shared: dict[str, Any] = {
        "product": f"{craft.replace('_', ' ').title()} {product.level}",
        "name": product.name,
        "time": _time(about, path),
        "sun_elevation": elevation,
        "sun_azimuth": about.number("IMAGE_ATTRIBUTES", "SUN_AZIMUTH"),
    }
    out = []
    optical, thermal = sensors.of("reflectance"), sensors.of("brightness_temperature")
    if optical is not None:
        out.append(Source(**_optical(product, optical, elevation, path), **shared))
    hot, notes = (None, ()) if thermal is None else _thermal(product)
    if thermal is not None and hot is not None:
        out.append(Source(sensor=thermal.name, bands=(hot,), grid=_grid([hot]), notes=notes, **shared))
    if not out:
        raise ProductError(
            f"{folder.name}: none of the sensors {', '.join(sensors.names)} is in a Landsat product; expected"
            " reflectance or brightness temperature. Give other files."
        )
    return out


def _optical(product: _Product, sensor: Sensor, elevation: float, path: Path) -> dict[str, Any]:
    """Return what is special to the source of reflectances."""
    layers: dict[str, Layer] = {}
    missing, wanted = [], [b for b in zip(COLOURS, BANDS[product.family], strict=True) if b[0] in sensor.band_names]
    for colour, number in wanted:
        file = product.file(f"FILE_NAME_BAND_{number}", f"{'SR_' if product.is_surface else ''}B{number}")
        if file is None:
            missing.append(f"B{number}")
        else:
            layers[colour] = _reflectance(product, file, number, elevation)
    bands = tuple(layers.get(b) for b in sensor.band_names)
    if not layers:
        raise ProductError(
            f"{product.folder.name}: none of the files of {', '.join(missing)} is there; expected GeoTIFFs beside"
            f" {path.name}. Download the product again, whole."
        )
    notes = []
    if missing:
        text = f"{product.name}: without {', '.join(missing)}: not in the folder"
        notes.append(Note(code="band_missing", text=text))
    if product.is_surface:
        text = f"{product.name}: surface reflectance (Level 2), no top-of-atmosphere reflectance"
        notes.append(Note(code="surface_reflectance", text=text))
    cloud = product.file("FILE_NAME_QUALITY_L1_PIXEL", "QA_PIXEL")
    return {
        "sensor": sensor.name,
        "bands": bands,
        "grid": _grid(bands),
        "cloud": Layer(path=cloud) if cloud else None,
        "cloud_kind": "landsat_qa" if cloud else "",
        "notes": tuple(notes),
    }


def _reflectance(product: _Product, file: Path, number: str, elevation: float) -> Layer:
    about = product.about
    if product.is_surface:
        group, (mult, add) = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", LEVEL_2["REFLECTANCE"]
        scale, offset = (
            about.number(group, f"REFLECTANCE_{k}_BAND_{number}", default=v) for k, v in (("MULT", mult), ("ADD", add))
        )
        return Layer(path=file, scale=scale, offset=offset, missing=(0.0,), saturation=65535.0)
    high = np.sin(np.radians(elevation))
    scale, offset = (
        about.number("LEVEL1_RADIOMETRIC_RESCALING", f"REFLECTANCE_{k}_BAND_{number}") / high for k in ("MULT", "ADD")
    )
    largest = about.number("LEVEL1_MIN_MAX_PIXEL_VALUE", f"QUANTIZE_CAL_MAX_BAND_{number}", default=0.0)
    return Layer(path=file, scale=float(scale), offset=float(offset), missing=(0.0,), saturation=largest or None)


def _thermal(product: _Product) -> tuple[Layer | None, tuple[Note, ...]]:
    about = product.about
    if product.is_surface:
        band = "ST_B10" if product.family == "OLI" else "ST_B6"
        file = product.file(f"FILE_NAME_BAND_{band}", band)
        if file is None:
            return None, ()
        group, (mult, add) = "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", LEVEL_2["TEMPERATURE"]
        scale, offset = (
            about.number(group, f"TEMPERATURE_{k}_BAND_{band}", default=v) for k, v in (("MULT", mult), ("ADD", add))
        )
        text = f"{product.name}: surface temperature (Level 2), no brightness temperature"
        layer = Layer(path=file, scale=scale, offset=offset, missing=(0.0,), saturation=65535.0)
        return layer, (Note(code="surface_temperature", text=text),)
    for number in THERMAL[product.family]:
        file = product.file(f"FILE_NAME_BAND_{number}", f"B{number}")
        if file is None:
            continue
        scale, offset = (
            about.number("LEVEL1_RADIOMETRIC_RESCALING", f"RADIANCE_{k}_BAND_{number}") for k in ("MULT", "ADD")
        )
        k1, k2 = (about.number("LEVEL1_THERMAL_CONSTANTS", f"K{k}_CONSTANT_BAND_{number}") for k in (1, 2))
        largest = about.number("LEVEL1_MIN_MAX_PIXEL_VALUE", f"QUANTIZE_CAL_MAX_BAND_{number}", default=0.0)
        layer = Layer(
            path=file,
            kind="thermal",
            scale=scale,
            offset=offset,
            k1=k1,
            k2=k2,
            missing=(0.0,),
            saturation=largest or None,
        )
        return layer, ()
    return None, ()


def _grid(layers: Sequence[Layer | None]) -> GeoBox:
    path = next(layer.path for layer in layers if layer is not None)
    with opening.open_raster(path) as source:
        return geobox_of(source)


def _time(about: Metadata, path: Path) -> np.datetime64 | None:
    date, hour = (about.get("IMAGE_ATTRIBUTES", k) for k in ("DATE_ACQUIRED", "SCENE_CENTER_TIME"))
    if date is None:
        return None
    return utc(f"{date}T{hour or '00:00:00Z'}", name=path.name)
