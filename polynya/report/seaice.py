"""The page of a map of optical sea ice: picture, classes, confidence, floes and their sizes, leads, shares. One page,
nothing to fetch."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from odc.geo.geobox import GeoBox

from ..io import opening
from ..physics.power_law import FEWEST, PowerLaw
from ..scenes.image_plane import Plane
from ..scenes.lead_lines import mean_orientation
from ..schema.optical_ice_maps import BITS, CONFIDENCE_SCALE, NO_CLASS, colour
from . import grid_picture, html
from .floe_sizes import plot
from .html import Markup, escape, number
from .review_picture import png

if TYPE_CHECKING:
    import geopandas

WIDTH = grid_picture.WIDTH
FLOE, CUT, LEAD = "#e4572e", "#f2b134", "#c2185b"
MARKS = (0, 0.25, 0.5, 0.75, 1)
ROWS = 12
MOST_DRAWN = 4000
"""Floes that are drawn: more hide the picture."""
FLAG_COLOURS = {
    "cloud": "#8a8f98",
    "saturated": "#d33f2f",
    "low_confidence": "#c9893a",
    "pixel_size_not_learned": "#6f5bd0",
    "unlike_training": "#b0417a",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    title : str
    facts : mapping
        Scene, grid and settings in words, in order.
    plane : Plane
        The grid.
    classes, roles : tuple of str
        Names of the codes, and what they mean.
    folder : Path
        With ``classes.tif`` and ``quality_flag.tif``.
    picture : numpy.ndarray of uint8, shape (h, w, 3)
        The image with fewer pixels.
    floes, leads : geopandas.GeoDataFrame
    law : PowerLaw or None
        Of the sizes in pixels.
    n_whole : int
        Floes that count in the distribution.
    resolvable_px : float
    fraction : (float, float, float)
        Share of ice in the sea, and the ends of its interval.
    shares, rule_shares : mapping of str to float
        By class, by what mapped and by thresholds of brightness.
    compared : sequence of mapping
        Rows of the comparison with a chart.
    difference : float
        Mean of map minus chart, percent.
    messages : tuple of str
    is_simulated : bool
    """

    title: str
    facts: Mapping[str, object]
    plane: Plane
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    folder: Path
    picture: np.ndarray
    floes: geopandas.GeoDataFrame
    leads: geopandas.GeoDataFrame
    law: PowerLaw | None
    n_whole: int
    resolvable_px: float
    fraction: tuple[float, float, float]
    shares: Mapping[str, float]
    rule_shares: Mapping[str, float]
    compared: Sequence[Mapping[str, object]]
    difference: float
    messages: tuple[str, ...]
    is_simulated: bool


def write(path: Path, page: Page) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The HTML file.
    page : Page
        What it shows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    shape = page.picture.shape[:2]
    with opening.open_raster(page.folder / "classes.tif") as source:
        codes, confidence = source.read(out_shape=(2, *shape))
    with opening.open_raster(page.folder / "quality_flag.tif") as source:
        bits = source.read(1, out_shape=shape)
    mark = " (simulated)" if page.is_simulated else ""
    body = [
        f'<p class="brand">polynya seaice</p><h1>{escape(page.title)}{mark}</h1>',
        html.fact_list(page.facts.items()),
        _result(page),
        html.warnings(page.messages),
        f"<section><h2>Map</h2><div class=figures>{_maps(page, codes, confidence, bits)}</div></section>",
        _shares(page),
        _floes(page),
        _leads(page),
        _chart(page),
        _words(page),
    ]
    return html.write_text(path, html.page(title=f"{page.title}: sea ice", body=body))


def _result(page: Page) -> Markup:
    value, low, high = (100.0 * v for v in page.fraction)
    ends = (
        f" ({number(low, 1)} to {number(high, 1)}\u202f%, if all pixels err alike)"
        if np.isfinite(low)
        else " (uncertainty unknown: thresholds of brightness take land and cloud for ice)"
    )
    law = page.law
    sizes = (
        f"; floe sizes fall with exponent {number(law.exponent, 2)} ({number(law.low, 2)} to {number(law.high, 2)})"
        if law is not None
        else ""
    )
    return Markup(
        f'<section id="result"><p class="result"><strong>{number(value, 1, "%")}</strong> of the sea is ice{ends}.'
        f" {len(page.floes):,} floes{sizes}; {len(page.leads):,} leads.</p></section>"
    )


def _figure(
    rgb: np.ndarray, page: Page, layers: list[tuple[geopandas.GeoDataFrame, str]], *, title: str, key: str
) -> Markup:
    """Return a picture of the image's grid under polygons and lines."""
    rows, columns = page.plane.shape
    wide, tall = page.plane.pixel_sizes(np.array([rows / 2.0]), np.array([columns / 2.0]))
    height = WIDTH * rows * float(tall[0]) / (columns * float(wide[0]))
    data = base64.b64encode(png(rgb)).decode()
    out = [
        (
            f'<figure><svg viewBox="0 0 {WIDTH} {height:.1f}" role="img" aria-label="{escape(title)}"><rect'
            f' width="{WIDTH}" height="{height:.1f}" fill="#e6e9ed"/><image href="data:image/png;base64,{data}"'
            f' width="{WIDTH}" height="{height:.1f}" preserveAspectRatio="none"/>'
        )
    ]
    grid = GeoBox(page.plane.shape, page.plane.transform, page.plane.crs)
    out += [
        f'<path d="{grid_picture.outline_path(frame, grid, (WIDTH / columns, height / rows))}" {style}'
        ' fill-rule="evenodd" stroke-linejoin="round"/>'
        for frame, style in layers
        if len(frame)
    ]
    bar = grid_picture.scale_bar(columns * float(wide[0]), height) if page.plane.unit == "m" else ""
    return Markup(
        f'{"".join(out)}{bar}</svg><figcaption>{escape(title)}</figcaption><div class="swatches">{key}</div></figure>'
    )


def _swatch(tint: str, words: str) -> str:
    return f'<span><span class="sw" style="background:{tint};outline:1px solid #c9ced6"></span>{escape(words)}</span>'


def _maps(page: Page, codes: np.ndarray, confidence: np.ndarray, bits: np.ndarray) -> str:
    line = 'fill="none" stroke-width="1.1" stroke='
    drawn = page.floes.head(MOST_DRAWN)
    cut = drawn["touches_border"].to_numpy(bool)
    layers = [(drawn[~cut], f'{line}"{FLOE}"'), (drawn[cut], f'{line}"{CUT}"'), (page.leads, f'{line}"{LEAD}"')]
    more = f" (the largest {MOST_DRAWN:,})" if len(page.floes) > MOST_DRAWN else ""
    key = _swatch(FLOE, f"floe{more}") + _swatch(CUT, "cut by the border") + _swatch(LEAD, "lead")
    parts = [
        _figure(page.picture, page, [], title="The image as it was read", key=""),
        _figure(_class_picture(page, codes), page, [], title="Classes", key=_class_key(page)),
        _figure(page.picture, page, layers, title="Floes and leads on the image", key=key),
    ]
    known = confidence != NO_CLASS
    if known.any():
        values = np.where(known, confidence * CONFIDENCE_SCALE, np.nan)
        parts.append(
            _figure(
                grid_picture.coloured(values, low=0.0, high=1.0),
                page,
                [],
                title="Confidence: how probable it is that the class is right",
                key=grid_picture.key(MARKS, low=0.0, high=1.0),
            )
        )
    return "".join([*parts, _flags(page, bits)])


def _rgb(tint: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{v:02x}" for v in tint)


def _class_picture(page: Page, codes: np.ndarray) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    for k, (name, role) in enumerate(zip(page.classes, page.roles, strict=True)):
        table[k] = colour(name, role)
    return table[codes]


def _class_key(page: Page) -> str:
    return "".join(
        _swatch(_rgb(colour(c, r)), f"{c.replace('_', ' ')} {html.percent(page.shares[c], 1.0, 0)}")
        for c, r in zip(page.classes, page.roles, strict=True)
        if page.shares[c] > 0
    )


def _flags(page: Page, bits: np.ndarray) -> str:
    """Return a map of the quality flags; nothing where none is set."""
    seen = (bits & BITS["no_data"]) == 0
    rgb = np.zeros((*bits.shape, 3), np.uint8)
    rgb[seen] = 238
    key = ""
    for name, tint in reversed(FLAG_COLOURS.items()):
        where = seen & ((bits & BITS[name]) > 0)
        if where.any():
            rgb[where] = [int(tint[i : i + 2], 16) for i in (1, 3, 5)]
            key = _swatch(tint, f"{name.replace('_', ' ')} {html.percent(where.sum(), bits.size, 0)}") + key
    return _figure(rgb, page, [], title="Quality flags", key=key) if key else ""


def _shares(page: Page) -> str:
    names = list(dict.fromkeys([*page.classes, *page.rule_shares]))
    rows = [
        (
            name.replace("_", " "),
            html.percent(page.shares[name], 1.0) if name in page.shares else html.DASH,
            html.percent(page.rule_shares[name], 1.0) if name in page.rule_shares else html.DASH,
        )
        for name in names
        if page.shares.get(name) or page.rule_shares.get(name)
    ]
    table = html.table(("class", "this map", "thresholds 30 and 204"), rows)
    return (
        f"<section><h2>Shares of the classes</h2>{table}<p class=note>The thresholds are those of the brightest of red,"
        " green and blue; they know no ponds and no land. Where both differ much, look at the picture.</p></section>"
    )


def _floes(page: Page) -> str:
    unit, floes = page.plane.unit, page.floes
    words = "km²" if unit == "m" else "pixels"
    scale = 1e-6 if unit == "m" else 1.0
    digits = 3 if unit == "m" else 0
    shares = [c for c in floes.columns if c.startswith("share_")]
    rows = [
        (
            f"{r['floe']}",
            number(r[f"area_{unit}2"] * scale, digits),
            number(r[f"perimeter_{unit}"], 0),
            number(r[f"mean_caliper_{unit}"], 0),
            number(r[f"max_caliper_{unit}"], 0),
            *(html.percent(r[c], 1.0, 0) for c in shares),
            "yes" if r["touches_border"] else "no",
        )
        for r in floes.head(ROWS).to_dict("records")
    ]
    head = (
        "floe",
        f"area, {words}",
        f"perimeter, {unit}",
        f"mean caliper, {unit}",
        f"longest, {unit}",
        *(c.removeprefix("share_").replace("_", " ") for c in shares),
        "cut by the border",
    )
    table = html.table(head, rows) if rows else "<p class=note>No floe is large enough.</p>"
    more = f"<p class=note>and {len(floes) - ROWS:,} smaller ones in floes.gpkg</p>" if len(floes) > ROWS else ""
    whole = ~(floes["touches_border"] | floes["touches_land"]).to_numpy(bool)
    sizes = floes[f"mean_caliper_{unit}"].to_numpy()[whole]
    picture = plot(sizes, page.law, scale=page.plane.side, unit=unit, resolvable=page.resolvable_px * page.plane.side)
    return (
        f"<section><h2>Floes</h2>{table}{more}<div class=figures><div>{picture}</div><div>{_law(page)}</div></div>"
        "</section>"
    )


def _law(page: Page) -> str:
    law, unit, side = page.law, page.plane.unit, page.plane.side
    least = f"{number(page.resolvable_px * side, 0, unit)}"
    if law is None:
        return (
            f"<p>No exponent: {page.n_whole} whole floes have a mean caliper of {least} or more, and {FEWEST} are"
            " needed.</p>"
        )
    fits = "poorly: the floes follow another law" if law.p_value < 0.1 else "as well as such samples do"
    return (
        f"<p>The number of floes wider than d falls as d to the power of \u2212{number(law.exponent, 2)}"
        f" ({number(law.low, 2)} to {number(law.high, 2)}, 95\u202f%), from {number(law.smallest * side, 0, unit)} on,"
        f" by {law.n:,} floes. It fits {fits} (p = {number(law.p_value, 2)}).</p><p class=note>Left out: floes cut by"
        f" the border, by land or by pixels without a class, and those with a mean caliper below {least}. Large floes"
        " are cut more often; each floe counts by one over the probability that it fits into the image. The interval"
        " takes the floes as independent.</p>"
    )


def _leads(page: Page) -> str:
    unit, leads = page.plane.unit, page.leads
    if not len(leads):
        return "<section><h2>Leads</h2><p class=note>No lead was found.</p></section>"
    rows = [
        (
            f"{r['lead']}",
            number(r[f"length_{unit}"], 0),
            number(r[f"mean_width_{unit}"], 1),
            number(r[f"max_width_{unit}"], 1),
            f"{number(r['orientation_deg'], 0)}°",
            html.percent(r["frozen_share"], 1.0, 0),
        )
        for r in leads.head(ROWS).to_dict("records")
    ]
    head = ("lead", f"length, {unit}", f"mean width, {unit}", f"widest, {unit}", "direction", "thin ice")
    length = leads[f"length_{unit}"].to_numpy()
    mean, agreement = mean_orientation(leads["orientation_deg"].to_numpy(), length)
    north = "clockwise from north" if page.plane.has_place else "clockwise from the top of the picture"
    more = f" {len(leads) - ROWS:,} shorter ones are in leads.gpkg." if len(leads) > ROWS else ""
    note = (
        f"<p class=note>{len(leads):,} leads, together {number(length.sum(), 0, unit)}; mean direction"
        f" {number(mean, 0)}° {north} (agreement {number(agreement, 2)}: 1 all parallel, 0 all directions). Widths are"
        f" known to half a pixel.{more}</p>"
    )
    return f"<section><h2>Leads</h2>{html.table(head, rows)}{note}</section>"


def _chart(page: Page) -> str:
    if not page.compared:
        return ""
    rows = [
        (
            f"{r['polygon']}",
            number(r["area_km2"], 1),
            number(r["chart_percent"], 0),
            number(r["map_percent"], 0),
        )
        for r in sorted(page.compared, key=lambda r: -float(r["area_km2"]))[:ROWS]  # type: ignore[arg-type]
    ]
    table = html.table(("polygon of the chart", "area in the image, km²", "chart, %", "this map, %"), rows)
    return (
        f"<section><h2>Beside the ice chart</h2>{table}<p class=note>Map minus chart:"
        f" {number(page.difference, 0)}\u202f% of ice, polygons weighted by their area. A chart's tenths are those of"
        " a whole polygon, of which the image may show a part.</p></section>"
    )


def _words(page: Page) -> str:
    size = (
        "Areas are those of the pixels on the ellipsoid; lengths are those on the ground."
        if page.plane.has_place
        else "Areas and lengths are those of a plane."
    )
    return (
        "<section><h2>What the numbers are</h2><p class=note>The ice fraction is the mean probability of ice over the"
        " pixels that are no land. Neighbouring pixels err together, so their number makes it no better: the interval"
        " takes one cause to move all of them alike, as far as the network's probabilities are right."
        f" {size} The mean caliper is the mean width over all directions. A perimeter has the staircase of the pixels"
        " smoothed, and grows with finer pixels.</p></section>"
    )
