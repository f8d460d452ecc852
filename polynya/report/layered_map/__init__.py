"""A map of a grid on a page: layers that are switched, zoom and pan, coordinates under the cursor, a graticule, north,
a scale bar. Everything is inside the page.

Without its script the map is a picture of the layers that are on.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyproj

from ...scenes.areas import pixel_size_m
from .. import grid_picture, html
from ..html import Markup, escape
from ..review_picture import png

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

WIDTH = 1000
"""Width of the map in its own units."""
NODES = 33
"""Places along each side for which longitude and latitude are given; between them the script interpolates."""
STYLE, SCRIPT = "layered_map/layered_map.css", "layered_map/layered_map.js"
HATCH_PX = 8
"""Distance of the lines of a hatching, pixels of the screen."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A layer of pixels.

    Attributes
    ----------
    name : str
        Of the layer; letters, digits and ``-``.
    title : str
        What it shows.
    colours : numpy.ndarray of uint8, shape (h, w, 3) or (h, w, 4)
        Without alpha, black is transparent.
    key : str
        Its legend, HTML, below the switch.
    mark : str
        A legend of one sign, HTML, in the switch.
    is_base : bool
        One of the pictures of which one is seen at a time; others lie over them.
    is_on : bool
        Whether it is seen at first; of base pictures the first one is.
    """

    name: str
    title: str
    colours: np.ndarray
    key: str = ""
    mark: str = ""
    is_base: bool = False
    is_on: bool = True


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """A layer of polygons or lines.

    Attributes
    ----------
    name, title, is_on
        As of :class:`Picture`.
    frame : geopandas.GeoDataFrame
        With a CRS.
    colour : str
        ``#rrggbb``.
    width : float
        Of the line, pixels of the screen; 0 for a hatching without an edge.
    dash : str
        SVG dashes; empty for a whole line.
    casing : str
        Colour of a wider line below, empty for none.
    is_hatched : bool
        Fill with lines that leave the picture below to be seen.
    numbers : sequence of str
        Text at each of the first shapes; empty for none. These can be picked.
    """

    name: str
    title: str
    frame: gpd.GeoDataFrame
    colour: str
    width: float = 1.4
    dash: str = ""
    casing: str = ""
    is_hatched: bool = False
    numbers: Sequence[str] = ()
    is_on: bool = True


Layer = Picture | Shapes


def figure(layers: Sequence[Layer], geobox: GeoBox, *, title: str) -> Markup:
    """Return the map; the page needs :data:`STYLE`, :data:`SCRIPT` and the data of :func:`place_data`.

    Parameters
    ----------
    layers : sequence of Picture or Shapes
        From below to above.
    geobox : odc.geo.geobox.GeoBox
        Grid of the pictures.
    title : str
        For those who cannot see it.
    """
    rows, columns = (int(n) for n in geobox.shape)
    height = _height(geobox)
    shown = next((x.name for x in layers if isinstance(x, Picture) and x.is_base), "")
    hatches = "".join(_hatch(x) for x in layers if isinstance(x, Shapes) and x.is_hatched)
    drawn = "".join(
        _image(x, height, is_on=x.name == shown if x.is_base else x.is_on)
        if isinstance(x, Picture)
        else _paths(x, geobox, (WIDTH / columns, height / rows))
        for x in layers
    )
    buttons = "".join(
        f'<button type="button" id="{i}" title="{t}" aria-label="{t}">{s}</button>'
        for i, t, s in (
            ("zoom-in", "zoom in", "+"),
            ("zoom-out", "zoom out", "\u2212"),
            ("zoom-all", "whole map", "\u2302"),
        )
    )
    return Markup(
        f'<div class="layered"><div class="frame" id="frame"><svg id="layered-map" viewBox="0 0 {WIDTH} {height:.1f}"'
        f' role="application" tabindex="0" aria-label="{escape(title)}. Arrow keys move, plus and minus zoom, Home'
        f' shows all"><defs>{hatches}</defs><rect width="{WIDTH}" height="{height:.1f}" fill="#e6e9ed"/>{drawn}'
        f'<g id="graticule" class="layer"></g></svg><div class="zoom">{buttons}</div>'
        '<svg id="north" viewBox="-14 -18 28 36" role="img" aria-label="north"><path d="M0 -15L7 9L0 4L-7 9Z"'
        ' fill="#1c2430" stroke="#fff" stroke-width="1.5"/><text y="17" text-anchor="middle">N</text></svg>'
        f'<div id="scale"><span></span><i></i></div></div><output id="where" class="note">{HELP}</output>'
        f'</div><div class="switches">{_switches(layers, shown)}</div>'
    )


HELP = (
    "Drag or use the arrow keys to move; wheel, + and \u2212 to zoom; Home shows all. Click an outline to find its row."
)


def place_data(geobox: GeoBox) -> dict[str, object]:
    """Return what the script needs to say where a place is: unit normals of the ellipsoid at :data:`NODES` squared
    places, the map's axes, and the size of a unit on the ground.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        Grid of the pictures.
    """
    rows, columns = (int(n) for n in geobox.shape)
    u, v = np.meshgrid(np.linspace(0, columns, NODES), np.linspace(0, rows, NODES))
    g = geobox.transform
    x, y = g.a * u + g.b * v + g.c, g.d * u + g.e * v + g.f
    lon, lat = pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    lon, lat = np.radians(np.asarray(lon)), np.radians(np.asarray(lat))
    normals = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    across, down = columns / WIDTH, rows / _height(geobox)
    wide, _ = pixel_size_m(geobox)
    epsg = geobox.crs.epsg
    return {
        "width": WIDTH,
        "height": _height(geobox),
        "nodes": NODES,
        "normals": [[round(float(n), 9) for n in plane.ravel()] for plane in normals],
        "axes": [v * f for v, f in zip(tuple(g)[:6], (across, down, 1.0) * 2, strict=True)],
        "crs": "" if geobox.crs.geographic else f"EPSG:{epsg}" if epsg else "map",
        "metres": columns * wide / WIDTH,
    }


def ramp(marks: Sequence[float], *, low: float, high: float, colours: Sequence[str]) -> Markup:
    """Return the colours of :func:`polynya.report.grid_picture.coloured` as a bar with its values below.

    Parameters
    ----------
    marks : sequence of float
        Values to name.
    low, high, colours
        As there.
    """
    stops = ",".join(colours)
    ticks = "".join(f'<i style="left:{100.0 * (m - low) / (high - low):g}%">{m:g}</i>' for m in marks)
    return Markup(
        f'<span class="ramp"><span style="background:linear-gradient(to right,{stops})"></span>{ticks}</span>'
    )


def swatch(colour: str, text: str) -> Markup:
    """Return a legend of one colour."""
    return Markup(f'<span><span class="sw" style="background:{colour}"></span>{escape(text)}</span>')


def _height(geobox: GeoBox) -> float:
    wide, tall = pixel_size_m(geobox)
    return WIDTH * int(geobox.shape[0]) * tall / (int(geobox.shape[1]) * wide)


def _image(layer: Picture, height: float, *, is_on: bool) -> str:
    data = base64.b64encode(png(layer.colours)).decode()
    kind = ' data-base="yes"' if layer.is_base else ""
    return (
        f'<g id="layer-{layer.name}" class="layer{"" if is_on else " off"}"{kind}><image'
        f' href="data:image/png;base64,{data}" width="{WIDTH}" height="{height:.1f}" preserveAspectRatio="none"/></g>'
    )


def _hatch(layer: Shapes, *, name: str = "", scale: float = 1.0) -> str:
    """Return lines of a layer's colour over a faint tint of it; without a name the one in the map."""
    return (
        f'<pattern id="hatch-{name}{layer.name}" patternUnits="userSpaceOnUse" width="{HATCH_PX}" height="{HATCH_PX}"'
        f' class="{"" if name else "hatch"}" patternTransform="rotate(45) scale({scale:g})"><rect width="{HATCH_PX}"'
        f' height="{HATCH_PX}" fill="{layer.colour}" fill-opacity=".12"/><rect width="{HATCH_PX}" height="2.4"'
        f' fill="{layer.colour}"/></pattern>'
    )


def _paths(layer: Shapes, geobox: GeoBox, scale: tuple[float, float]) -> str:
    frame = layer.frame.reset_index(drop=True)
    n = len(layer.numbers)
    singles = [frame.iloc[k : k + 1] for k in range(min(n, len(frame)))] + ([frame.iloc[n:]] if len(frame) > n else [])
    paths = "".join(
        f'<path d="{grid_picture.outline_path(one, geobox, scale, tolerance=0.2)}" fill-rule="evenodd"'
        + (f' data-k="{k + 1}"/>' if k < n else "/>")
        for k, one in enumerate(singles)
    )
    inner = f'<g id="paths-{layer.name}">{paths}</g>'
    line = f'stroke-width="{layer.width:g}" stroke-linejoin="round"'
    dash = f' stroke-dasharray="{layer.dash}"' if layer.dash else ""
    fill = f"url(#hatch-{layer.name})" if layer.is_hatched else "none"
    casing = (
        f'<use href="#paths-{layer.name}" fill="none" stroke="{layer.casing}" stroke-opacity=".85"'
        f' stroke-width="{layer.width + 1.8:g}"/>'
        if layer.casing
        else ""
    )
    stroke = f'stroke="{layer.colour}" {line}{dash}' if layer.width else 'stroke="none"'
    return (
        f'<g id="layer-{layer.name}" class="layer{"" if layer.is_on else " off"}">{casing}<g fill="{fill}"'
        f' {stroke}>{inner}</g><g class="numbers">{_numbers(layer, frame, geobox, scale)}</g></g>'
    )


def _numbers(layer: Shapes, frame: gpd.GeoDataFrame, geobox: GeoBox, scale: tuple[float, float]) -> str:
    out = []
    back, crs = ~geobox.transform, geobox.crs.to_wkt()
    places = frame.iloc[: len(layer.numbers)].geometry.to_crs(crs).representative_point()
    for k, (point, text) in enumerate(zip(places, layer.numbers, strict=False), 1):
        column = back.a * point.x + back.b * point.y + back.c
        row = back.d * point.x + back.e * point.y + back.f
        out.append(f'<text x="{column * scale[0]:.1f}" y="{row * scale[1]:.1f}" data-k="{k}">{escape(text)}</text>')
    return "".join(out)


def _switches(layers: Sequence[Layer], shown: str) -> str:
    """Return a switch for each layer, with its legend."""
    bases, over = [], []
    for x in layers:
        is_base = isinstance(x, Picture) and x.is_base
        kind = 'type="radio" name="base"' if is_base else 'type="checkbox"'
        on = " checked" if (x.name == shown if is_base else x.is_on) else ""
        key, mark = (x.key, x.mark) if isinstance(x, Picture) else ("", _shape_key(x))
        (bases if is_base else over).append(
            f'<div class="switch"><label><input {kind} data-layer="layer-{x.name}"{on}> '
            f"{mark}{escape(x.title)}</label>" + (f'<div class="swatches">{key}</div>' if key else "") + "</div>"
        )
    over.append(
        '<div class="switch"><label><input type="checkbox" data-layer="graticule" checked> <span class="sw line"'
        ' style="border-color:#3d4f61"></span>longitude and latitude</label></div>'
    )
    return (
        f"<fieldset><legend>Picture</legend>{''.join(bases)}</fieldset><fieldset><legend>Over it</legend>"
        f"{''.join(over[::-1])}</fieldset>"
    )


def _shape_key(layer: Shapes) -> Markup:
    if layer.is_hatched:
        return Markup(
            f'<svg class="key-hatch" viewBox="0 0 26 14" aria-hidden="true"><defs>{_hatch(layer, name="key-")}</defs>'
            f'<rect width="26" height="14" fill="url(#hatch-key-{layer.name})" stroke="#b9c3ce"/></svg>'
        )
    style = "dashed" if layer.dash else "solid"
    return Markup(f'<span class="sw line" style="border-color:{layer.colour};border-top-style:{style}"></span>')


def page_parts(geobox: GeoBox) -> dict[str, object]:
    """Return what :func:`polynya.report.html.page` needs for a page with a map.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        Grid of the pictures.
    """
    return {
        "more_styles": (STYLE,),
        "scripts": (SCRIPT,),
        "data": (("layered-map-data", "application/json", html.script_json(place_data(geobox))),),
    }
