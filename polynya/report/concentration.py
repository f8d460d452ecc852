"""The page of a map of sea-ice concentration: map with ice edge, uncertainty, flags, the radar before and after noise
removal, a profile across the swath. One page, nothing to fetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..schema import Variable
from ..schema.sea_ice_maps import BITS, LEVELS
from . import grid_picture, html
from .html import Markup, escape, number

if TYPE_CHECKING:
    import geopandas
    import xarray
    from odc.geo.geobox import GeoBox

PICTURE_PX = 900
"""Longer side of a picture, at most."""
EDGE, PACK = "#e4572e", "#f2b134"
GREYS = ("#000000", "#404040", "#808080", "#c0c0c0", "#ffffff")
MARKS = (0, 0.15, 0.5, 0.8, 1)
FLAG_COLOURS = {
    "low_signal_to_noise": "#6f5bd0",
    "incidence_angle_outside": "#b0417a",
    "near_land": "#c9893a",
    "melt_season": "#d33f2f",
    "channel_missing": "#8a8f98",
    "noise_unknown": "#5c6470",
}
"""Of the flags that a picture can show; the first that holds gives the colour."""
CLASS_COLOURS = ("#14487f", "#8fd0c5", "#b8a1d9", "#f2b134", "#e4773f", "#a83232", "#5b4636")
"""Water, then each class of ice."""
SPAN = {True: "95 % intervals", False: "concentration plus and minus two standard uncertainties"}
ZONE_NAMES = {
    "open_water": "open water, below 15 %",
    "marginal_ice_zone": "marginal ice zone, 15 to 80 %",
    "pack_ice": "pack ice, from 80 %",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    title : str
    facts : dict
        Scene, grid and settings in words, in order.
    geobox : odc.geo.geobox.GeoBox
    concentration, uncertainty : numpy.ndarray, shape (h, w)
    intervals : numpy.ndarray, shape (4, h, w), or None
        Ends of the intervals of 68 % and 95 %.
    classes : tuple of (Variable, numpy.ndarray, numpy.ndarray)
        What a map of classes is, its codes and their probabilities, shape (h, w).
    bits : numpy.ndarray of uint8, shape (h, w)
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    edge, zones : geopandas.GeoDataFrame
    totals : dict
        Of :func:`polynya.workflows.concentration.products.totals`.
    messages : tuple of str
    """

    title: str
    facts: dict[str, object]
    geobox: GeoBox
    concentration: np.ndarray
    uncertainty: np.ndarray
    bits: np.ndarray
    data: xarray.Dataset
    edge: geopandas.GeoDataFrame
    zones: geopandas.GeoDataFrame
    totals: Mapping[str, float]
    messages: tuple[str, ...]
    intervals: np.ndarray | None = None
    classes: tuple[tuple[Variable, np.ndarray, np.ndarray], ...] = ()


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
    step = max(1, -(-max(page.concentration.shape) // PICTURE_PX))
    small = page.geobox if step == 1 else page.geobox.zoom_out(step)
    thin = (slice(step // 2, None, step),) * 2
    body = [
        f'<p class="brand">polynya concentration</p><h1>{escape(page.title)}</h1>',
        html.fact_list(page.facts.items()),
        _result(page.totals),
        f"<section><h2>Map</h2><div class=figures>{_maps(page, small, thin)}</div></section>",
    ]
    body.append(html.warnings(page.messages))
    body += [
        _classes(page, small, thin),
        _zones(page),
        _radar(page, small, thin),
        _across(page),
        _words(page),
    ]
    return html.write_text(path, html.page(title=f"{page.title}: sea-ice concentration", body=body))


def _result(totals: Mapping[str, float]) -> Markup:
    most = totals["ice_area_uncertainty_km2"]
    return Markup(
        f'<section id="result"><p class="result"><strong>{number(totals["ice_area_km2"], 0)}\u202fkm²</strong> of sea'
        f" ice in {number(totals['mapped_area_km2'], 0)}\u202fkm² (±{number(most, 0)}, if all pixels err"
        f" alike); extent {number(totals['ice_extent_km2'], 0)}\u202fkm², ice edge"
        f" {number(totals['ice_edge_km'], 0)}\u202fkm.</p></section>"
    )


def _maps(page: Page, geobox: GeoBox, thin: tuple[slice, slice]) -> str:
    line = f'fill="none" stroke="{EDGE}" stroke-width="1.6"'
    values = {"low": 0.0, "high": 1.0, "colours": grid_picture.ICE}
    key = grid_picture.key(MARKS, **values)
    key += f'<span><span class="sw" style="background:{EDGE}"></span>ice edge</span>'
    concentration = grid_picture.figure(
        grid_picture.coloured(page.concentration[thin], **values),
        geobox,
        [(page.edge, line)] if len(page.edge) else [],
        title="Sea-ice concentration",
        key=key,
    )
    sigma = page.uncertainty[thin]
    top = max(float(np.ceil(10 * np.nanmax(sigma)) / 10) if np.isfinite(sigma).any() else 0.1, 0.1)
    uncertainty = grid_picture.figure(
        grid_picture.coloured(sigma, low=0.0, high=top),
        geobox,
        [],
        title="One standard uncertainty of a pixel",
        key=grid_picture.key(np.round(np.linspace(0, top, 5), 3).tolist(), low=0.0, high=top),
    )
    return f"{concentration}{uncertainty}{_width_map(page, geobox, thin)}{_flag_map(page, geobox, thin)}"


def _width_map(page: Page, geobox: GeoBox, thin: tuple[slice, slice]) -> str:
    """Return how wide the widest interval is; nothing where the map has none."""
    if page.intervals is None:
        return ""
    low, high = page.intervals[-2:]
    return grid_picture.figure(
        grid_picture.coloured((high - low)[thin], low=0.0, high=1.0),
        geobox,
        [],
        title=f"Width of the {LEVELS[-1]} % interval",
        key=grid_picture.key(MARKS, low=0.0, high=1.0),
    )


def _classes(page: Page, geobox: GeoBox, thin: tuple[slice, slice]) -> str:
    """Return the maps of classes, each beside its probability; nothing where there are none."""
    parts = []
    for spec, codes, probability in page.classes:
        rgb = np.zeros((*codes[thin].shape, 3), np.uint8)
        key = []
        known = np.isfinite(probability)
        for (code, meaning), colour in zip(spec.flags, CLASS_COLOURS, strict=False):
            where = known & (codes == code)
            if where.any():
                rgb[where[thin]] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
                words = f"{escape(meaning.replace('_', ' '))} {html.percent(float(where.sum()), float(known.sum()), 0)}"
                key.append(f'<span><span class="sw" style="background:{colour}"></span>{words}</span>')
        title = spec.name.replace("_", " ").capitalize()
        parts.append(grid_picture.figure(rgb, geobox, [], title=title, key="".join(key)))
        parts.append(
            grid_picture.figure(
                grid_picture.coloured(probability[thin], low=0.0, high=1.0),
                geobox,
                [],
                title=f"{title}: probability of the class shown",
                key=grid_picture.key(MARKS, low=0.0, high=1.0),
            )
        )
    return f"<section><h2>Classes</h2><div class=figures>{''.join(parts)}</div></section>" if parts else ""


def _flag_map(page: Page, geobox: GeoBox, thin: tuple[slice, slice]) -> str:
    bits = page.bits[thin]
    seen = (bits & BITS["no_data"]) == 0
    rgb = np.zeros((*bits.shape, 3), np.uint8)
    rgb[seen] = 238
    held = []
    for name, colour in reversed(FLAG_COLOURS.items()):
        where = seen & ((bits & BITS[name]) > 0)
        if where.any():
            rgb[where] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            held.append((name, colour, float(where.sum()) / max(int(seen.sum()), 1)))
    if not held:
        return ""
    key = "".join(
        f'<span><span class="sw" style="background:{c}"></span>{escape(n.replace("_", " "))}'
        f" {html.percent(share, 1.0, 0)}</span>"
        for n, c, share in reversed(held)
    )
    return grid_picture.figure(rgb, geobox, [], title="Flags", key=key)


def _zones(page: Page) -> str:
    rows = [
        (
            ZONE_NAMES.get(str(r.zone), str(r.zone)),
            number(r.area_km2, 0),
            f"{number(r.area_low_km2, 0)}\u2013{number(r.area_high_km2, 0)}",
            html.percent(r.area_km2, page.zones.area_km2.sum()),
        )
        for r in page.zones.itertuples()
    ]
    table = html.table(("zone", "area, km²", "range, km²", "share"), rows)
    band = page.totals["ice_edge_band_km2"]
    limits = Markup(
        f"<p class=note>Ranges are drawn from the ends of the pixels' {SPAN[page.intervals is not None]}. The ice edge"
        f" lies between the lines of ice_edge_limits.gpkg, which enclose {number(band, 0)}\u202fkm²; its length is"
        " known less well than its place.</p>"
    )
    lines = page.edge.head(10)
    edges = html.table(
        ("part of the ice edge", "length, km"), [(k + 1, number(v, 1)) for k, v in enumerate(lines["length_km"])]
    )
    more = f'<p class="note">and {len(page.edge) - 10} shorter ones in ice_edge.gpkg</p>' if len(page.edge) > 10 else ""
    return (
        f"<section><h2>Zones and ice edge</h2><div class=figures><div>{table}{limits}</div>"
        f"<div>{edges if len(lines) else '<p class=note>No ice edge in the scene.</p>'}{more}</div></div></section>"
    )


def _radar(page: Page, geobox: GeoBox, thin: tuple[slice, slice]) -> str:
    """Return every channel as it was and with the noise left in."""
    parts = []
    for k, name in enumerate(str(c) for c in page.data["channel"].values):
        sigma0, nesz = page.data["sigma0"].values[k][thin], page.data["nesz"].values[k][thin]
        with np.errstate(invalid="ignore", divide="ignore"):
            clean = 10 * np.log10(np.where(sigma0 > 0, sigma0, 1e-5))
            noisy = 10 * np.log10(np.where(sigma0 + nesz > 0, sigma0 + nesz, 1e-5))
        clean = np.where(np.isfinite(sigma0), clean, np.nan)
        if not np.isfinite(clean).any():
            continue
        shown = [(clean, f"{name}, noise subtracted")]
        if np.isfinite(nesz).any():
            shown.insert(0, (np.where(np.isfinite(sigma0), noisy, np.nan), f"{name} with its noise"))
        for values, title in shown:
            low, high = np.nanquantile(values, [0.02, 0.98])
            low, high = float(np.floor(low)), float(np.ceil(max(high, low + 1)))
            rgb = grid_picture.coloured(values, low=low, high=high, colours=GREYS)
            key = grid_picture.key((low, high), low=low, high=high, colours=GREYS, unit=" dB")
            parts.append(grid_picture.figure(rgb, geobox, [], title=title, key=key))
    return f"<section><h2>Radar</h2><div class=figures>{''.join(parts)}</div></section>"


def _across(page: Page) -> str:
    """Return means over bins of the incidence angle: bands along the swath would show here as steps."""
    angle = page.data["incidence_angle"].values
    seen = np.isfinite(angle) & np.isfinite(page.concentration)
    edges = np.arange(np.floor(np.nanmin(angle[seen])), np.ceil(np.nanmax(angle[seen])) + 1.0)
    k = np.clip(np.digitize(angle[seen], edges) - 1, 0, edges.size - 2)
    n = np.bincount(k, minlength=edges.size - 1)
    rows = []
    mean = np.bincount(k, page.concentration[seen], edges.size - 1) / np.maximum(n, 1)
    columns = [mean]
    names = ["concentration"]
    for c, name in enumerate(str(v) for v in page.data["channel"].values):
        for what in ("sigma0", "nesz"):
            values = page.data[what].values[c][seen]
            good = np.isfinite(values)
            sums = np.bincount(k[good], values[good], edges.size - 1)
            count = np.bincount(k[good], minlength=edges.size - 1)
            with np.errstate(invalid="ignore", divide="ignore"):
                columns.append(10 * np.log10(sums / count))
            names.append(f"{name}, dB" if what == "sigma0" else "its noise, dB")
    for i in range(edges.size - 1):
        if n[i]:
            cells = [number(columns[0][i], 2), *(number(c[i], 1) for c in columns[1:])]
            rows.append((f"{edges[i]:.0f}\u2013{edges[i + 1]:.0f}°", *cells, f"{n[i]:,}"))
    table = html.table(("incidence angle", *names, "pixels"), rows)
    return f"<section><h2>Across the swath</h2>{table}</section>"


def _words(page: Page) -> str:
    """Return what the numbers are, as far as this map has them."""
    parts = [
        "Concentration is the share of a pixel that ice covers. The uncertainty is that of a pixel alone, as large as"
        " errors were on simulated scenes; where such errors say nothing (see above), it is that of a value of which"
        " nothing is known. Neighbouring pixels share errors, so a mean over pixels is not as much better as their"
        " number suggests."
    ]
    if page.intervals is not None:
        parts.append(
            "An interval of 68 or 95 % held the true concentration in that share of the pixels of simulated scenes that"
            " the network was not trained on, many scenes together; in a single scene it may hold far fewer. It ends at"
            " 0 and 1, so it need not be symmetric about the value."
        )
    if page.classes:
        parts.append("A class is the most probable one of its pixel; water is one of them.")
    parts.append(
        "Edge and zones are contours of the mean over 2 km, without parts below 25 km²; they carry no uncertainty, and"
        " in closed pack or open water doubtful places make the marginal zone too large. Areas and lengths are those on"
        " the ellipsoid."
    )
    return f"<section><h2>What the numbers are</h2><p class=note>{' '.join(parts)}</p></section>"
