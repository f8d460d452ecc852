"""QGIS styles: the elements that QGIS reads, and the colours of the page."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from polynya.errors import OutputError
from polynya.report import qgis_style


def read(style, tmp_path) -> ElementTree.Element:
    """Write a style and parse the file."""
    path = qgis_style.write(style, tmp_path / "layer.qml")
    assert path.read_text().startswith("<!DOCTYPE qgis PUBLIC")
    root = ElementTree.parse(path).getroot()
    assert root.tag == "qgis" and root.get("version").split(".")[0] == "3"
    return root


def test_a_ramp_has_its_colours_at_even_steps(tmp_path):
    root = read(qgis_style.ramp(("#000000", "#808080", "#ffffff"), low=0.5, high=1.0), tmp_path)
    renderer = root.find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor" and renderer.get("band") == "1"
    shader = renderer.find("rastershader/colorrampshader")
    assert shader.get("colorRampType") == "INTERPOLATED"
    items = [(float(i.get("value")), i.get("color"), i.get("alpha")) for i in shader.findall("item")]
    assert items == [(0.5, "#000000", "255"), (0.75, "#808080", "255"), (1.0, "#ffffff", "255")]


def test_classes_are_a_palette(tmp_path):
    root = read(qgis_style.classes({1: ("#112233", "clean <ice>"), 2: ("#445566", "debris")}), tmp_path)
    renderer = root.find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted"
    entries = [(e.get("value"), e.get("color"), e.get("label")) for e in renderer.findall("colorPalette/paletteEntry")]
    assert entries == [("1", "#112233", "clean <ice>"), ("2", "#445566", "debris")]


def test_polygons_have_a_symbol_for_each_category_and_labels(tmp_path):
    kinds = {"known": ("#0000ff", "glacier"), "new": ("#ff0000", "not in the inventory")}
    root = read(qgis_style.polygons(kinds, attribute='"kind"', label='"rgi_id"'), tmp_path)
    renderer = root.find("renderer-v2")
    assert renderer.get("type") == "categorizedSymbol" and renderer.get("attr") == '"kind"'
    assert root.get("labelsEnabled") == "1"
    colours = {}
    for symbol in renderer.findall("symbols/symbol"):
        layer = symbol.find("layer")
        assert symbol.get("type") == "fill" and layer.get("class") == "SimpleFill"
        options = {o.get("name"): o.get("value") for o in layer.findall("Option/Option")}
        assert options["style"] == "no"
        colours[symbol.get("name")] = options["outline_color"]
    by_value = {c.get("value"): colours[c.get("symbol")] for c in renderer.findall("categories/category")}
    assert by_value == {"known": "0,0,255,255", "new": "255,0,0,255"}
    assert root.find("labeling/settings/text-style").get("fieldName") == '"rgi_id"'
    assert read(qgis_style.polygons(kinds, attribute="''"), tmp_path).find("labeling") is None


def test_a_style_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        qgis_style.write(qgis_style.classes({}), tmp_path / "file" / "layer.qml")
