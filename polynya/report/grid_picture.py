"""Maps of a grid as pictures on a page: an image under lines and polygons, a scale bar, a key of colours."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import shapely

from ..scenes.areas import pixel_size_m
from .html import Markup, escape
from .polar_map import VIRIDIS
from .review_picture import png

if TYPE_CHECKING:
    import geopandas as gpd
    from odc.geo.geobox import GeoBox

WIDTH = 640
"""Width of a map on the page, in its own units."""
ICE = ("#0b2e5c", "#14487f", "#2766a0", "#4d88b8", "#7ba9cb", "#a7c6dc", "#cddfea", "#e8f0f5", "#f7fafc")
"""Water to ice: dark blue to white."""


def coloured(values: np.ndarray, *, low: float, high: float, colours: Sequence[str] = VIRIDIS) -> np.ndarray:
    """Return values as colours, 0 where nothing is known.

    Parameters
    ----------
    values : numpy.ndarray, shape (h, w)
        NaN where nothing is known.
    low, high : float
        Values of the first and the last colour; what lies beyond has these.
    colours : sequence of str
        ``#rrggbb`` each.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w, 3)
    """
    table = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in colours], np.float64)
    known = np.isfinite(values)
    at = np.clip((np.nan_to_num(values) - low) / (high - low), 0.0, 1.0) * (len(table) - 1)
    k = np.minimum(at.astype(int), len(table) - 2)
    mixed = table[k] + (table[k + 1] - table[k]) * (at - k)[..., None]
    return np.where(known[..., None], np.maximum(mixed, 1), 0).round().astype(np.uint8)


def key(marks: Sequence[float], *, low: float, high: float, colours: Sequence[str] = VIRIDIS, unit: str = "") -> str:
    """Return the key of :func:`coloured`.

    Parameters
    ----------
    marks : sequence of float
        Values to name.
    low, high, colours
        As there.
    unit : str
        Behind each value.
    """
    places = [round(min(max((m - low) / (high - low), 0.0), 1.0) * (len(colours) - 1)) for m in marks]
    return "".join(
        f'<span><span class="sw" style="background:{colours[p]};outline:1px solid #c9ced6"></span>{m:g}{unit}</span>'
        for m, p in zip(marks, places, strict=True)
    )


def figure(
    rgb: np.ndarray, geobox: GeoBox, layers: list[tuple[gpd.GeoDataFrame, str]], *, title: str, key: str
) -> Markup:
    """Return an image of a grid under lines and polygons.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        Black where nothing is known: transparent.
    geobox : odc.geo.geobox.GeoBox
        Its grid.
    layers : list of (geopandas.GeoDataFrame, str)
        Lines or polygons, with the attributes of their SVG path.
    title : str
        Below the picture, and for those who cannot see it.
    key : str
        HTML below the title.
    """
    rows, columns = rgb.shape[:2]
    wide, tall = pixel_size_m(geobox)
    height = WIDTH * rows * tall / (columns * wide)
    data = base64.b64encode(png(rgb)).decode()
    out = [
        (
            f'<figure><svg viewBox="0 0 {WIDTH} {height:.1f}" role="img" aria-label="{escape(title)}"><rect'
            f' width="{WIDTH}" height="{height:.1f}" fill="#e6e9ed"/>'
        ),
        (
            f'<image href="data:image/png;base64,{data}" width="{WIDTH}" height="{height:.1f}"'
            ' preserveAspectRatio="none"/>'
        ),
    ]
    out += [
        f'<path d="{outline_path(frame, geobox, (WIDTH / columns, height / rows))}" {style} fill-rule="evenodd"'
        ' stroke-linejoin="round"/>'
        for frame, style in layers
    ]
    return Markup(
        "".join(out)
        + scale_bar(columns * wide, height)
        + f'</svg><figcaption>{escape(title)}</figcaption><div class="swatches">{key}</div></figure>'
    )


def outline_path(
    frame: gpd.GeoDataFrame, geobox: GeoBox, scale: tuple[float, float], *, tolerance: float = 0.33
) -> str:
    """Return polygons or lines as the ``d`` of an SVG path, simplified to ``tolerance`` units; ``scale`` is units per
    pixel, across and down."""
    if not len(frame):
        return ""
    back = ~geobox.transform

    def place(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(
            [
                (back.a * xy[:, 0] + back.b * xy[:, 1] + back.c) * scale[0],
                (back.d * xy[:, 0] + back.e * xy[:, 1] + back.f) * scale[1],
            ]
        )

    drawn = shapely.simplify(shapely.transform(frame.geometry.to_crs(geobox.crs.to_wkt()).to_numpy(), place), tolerance)
    out = []
    for part in shapely.get_parts(drawn):
        if part.is_empty:
            continue
        is_line = part.geom_type != "Polygon"
        for ring in (part,) if is_line else (part.exterior, *part.interiors):
            xy = shapely.get_coordinates(ring)
            words = "L".join(f"{x:.1f} {y:.1f}" for x, y in (xy if is_line else xy[:-1]))
            out.append(f"M{words}" if is_line else f"M{words}Z")
    return "".join(out)


def scale_bar(across_m: float, height: float) -> str:
    """Return a bar of a round length, at most a quarter of the map."""
    power = 10.0 ** math.floor(math.log10(across_m / 4.0))
    length = max(f for f in (1, 2, 5) if f * power <= across_m / 4.0) * power
    wide = WIDTH * length / across_m
    words = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    style = 'style="paint-order:stroke;stroke:#fff;stroke-width:3px"'
    return (
        f'<path d="M10 {height - 10:.1f}h{wide:.1f}" stroke="#fff" stroke-width="5"/><path d="M10'
        f' {height - 10:.1f}h{wide:.1f}" stroke="#1c2430" stroke-width="2"/><text x="10" y="{height - 16:.1f}"'
        f" {style}>{words}</text>"
    )
