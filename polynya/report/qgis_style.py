"""QGIS style files (``.qml``) of rasters and outlines: QGIS draws a file by the style of the same name beside it.

The elements are those of QGIS 3: ``rasterrenderer`` (``singlebandpseudocolor``, ``paletted``) for rasters,
``renderer-v2`` with ``symbols`` and ``labeling`` for polygons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from ..errors import OutputError, one_line
from ..io import atomic

VERSION = "3.28.0"
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def ramp(colours: Sequence[str], *, low: float, high: float) -> Xml.Element:
    """Return the style of a raster of numbers: colours between two values, in between linear.

    Parameters
    ----------
    colours : sequence of str
        ``#rrggbb``, evenly spaced.
    low, high : float
        Values of the first and the last colour.
    """
    root, renderer = _raster("singlebandpseudocolor")
    renderer.attrib |= {"classificationMin": f"{low:g}", "classificationMax": f"{high:g}"}
    shader = Xml.SubElement(
        Xml.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=f"{low:g}",
        maximumValue=f"{high:g}",
        labelPrecision="2",
    )
    for k, colour in enumerate(colours):
        value = low + (high - low) * k / (len(colours) - 1)
        Xml.SubElement(shader, "item", value=f"{value:.6g}", label=f"{value:.2f}", color=colour, alpha="255")
    return root


def classes(kinds: Mapping[int, tuple[str, str]]) -> Xml.Element:
    """Return the style of a raster of classes; values without a colour are not drawn.

    Parameters
    ----------
    kinds : mapping of int to (str, str)
        Colour and words of each value.
    """
    root, renderer = _raster("paletted")
    palette = Xml.SubElement(renderer, "colorPalette")
    for value, (colour, words) in kinds.items():
        Xml.SubElement(palette, "paletteEntry", value=str(value), label=words, color=colour, alpha="255")
    return root


def polygons(
    kinds: Mapping[str, tuple[str, str]], *, attribute: str, label: str = "", width_mm: float = 0.4, fill: str = "no"
) -> Xml.Element:
    """Return the style of polygons by the value of an attribute, perhaps with labels.

    Parameters
    ----------
    kinds : mapping of str to (str, str)
        Colour and words of each value; the value "" stands for all others.
    attribute : str
        A column or an expression of QGIS.
    label : str
        An expression of QGIS; no labels where empty.
    width_mm : float
        Of the line.
    fill : str
        Brush of QGIS in the colour of the line: ``no``, ``b_diagonal``, ``solid``.
    """
    root = Xml.Element(
        "qgis", version=VERSION, styleCategories="Symbology|Labeling", labelsEnabled=str(int(bool(label)))
    )
    renderer = Xml.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=attribute, symbollevels="0")
    renderer.attrib |= {"enableorderby": "0", "forceraster": "0"}
    categories, symbols = Xml.SubElement(renderer, "categories"), Xml.SubElement(renderer, "symbols")
    for k, (value, (colour, words)) in enumerate(kinds.items()):
        Xml.SubElement(categories, "category", symbol=str(k), value=value, label=words, render="true", type="string")
        symbol = Xml.SubElement(
            symbols, "symbol", type="fill", name=str(k), alpha="1", clip_to_extent="1", force_rhr="0"
        )
        layer = Xml.SubElement(symbol, "layer", {"class": "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"})
        options = {"color": _rgba(colour), "style": fill, "outline_color": _rgba(colour), "outline_style": "solid"}
        if not width_mm:
            options["outline_style"] = "no"
        options |= {"outline_width": f"{width_mm:g}", "outline_width_unit": "MM", "joinstyle": "round"}
        _options(layer, options)
    if label:
        settings = Xml.SubElement(Xml.SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
        style = {"fontSize": "9", "fontSizeUnit": "Point", "fontFamily": "Sans Serif", "textColor": "28,36,48,255"}
        text = Xml.SubElement(settings, "text-style", fieldName=label, isExpression="1", **style)
        buffer = {"bufferDraw": "1", "bufferSize": "0.8", "bufferSizeUnits": "MM", "bufferColor": "255,255,255,255"}
        Xml.SubElement(text, "text-buffer", buffer)
        Xml.SubElement(settings, "placement", placement="1", priority="5")
    return root


def write(style: Xml.Element, path: Path) -> Path:
    """Write a style under a temporary name, then rename.

    Parameters
    ----------
    style : xml.etree.ElementTree.Element
        Of :func:`ramp`, :func:`classes` or :func:`polygons`.
    path : Path
        The raster's or the outlines' name with ``.qml``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    Xml.indent(style)
    try:
        with atomic.writing(path) as temporary:
            temporary.write_text(f"{_DOCTYPE}{Xml.tostring(style, encoding='unicode')}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{path.name}: cannot be written ({one_line(error)}); expected a folder that can be written to. Free space."
        ) from error
    return path


def _raster(kind: str) -> tuple[Xml.Element, Xml.Element]:
    root = Xml.Element("qgis", version=VERSION, styleCategories="Symbology")
    pipe = Xml.SubElement(root, "pipe")
    renderer = Xml.SubElement(pipe, "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor="")
    Xml.SubElement(renderer, "rasterTransparency")
    return root, renderer


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"


def _options(layer: Xml.Element, options: Mapping[str, str]) -> None:
    held = Xml.SubElement(layer, "Option", type="Map")
    for name, value in options.items():
        Xml.SubElement(held, "Option", type="QString", name=name, value=value)
