"""The page of a daily mosaic: concentration with the ice edge, uncertainty, disagreement, number and time of scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..schema import mosaics
from ..schema.sea_ice_maps import CONCENTRATION, UNCERTAINTY
from . import grid_picture, html
from .html import Markup, escape, number

if TYPE_CHECKING:
    import geopandas
    from odc.geo.geobox import GeoBox

PICTURE_PX = 900
"""Longer side of a picture, at most."""
EDGE = "#e4572e"
MARKS = (0, 0.15, 0.5, 0.8, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    title : str
    facts : dict
        In words, in order.
    geobox : odc.geo.geobox.GeoBox
        Of the layers.
    layers : dict of str to numpy.ndarray, shape (h, w)
        Of :data:`polynya.schema.mosaics.VARIABLES`, by name.
    edge : geopandas.GeoDataFrame
        The ice edge.
    totals : dict
        Areas, km², and what scenes differ by.
    scenes : tuple of (str, str, float)
        Name, time, and share of the area with the scene in its mean.
    messages : tuple of str
    """

    title: str
    facts: Mapping[str, object]
    geobox: GeoBox
    layers: Mapping[str, np.ndarray]
    edge: geopandas.GeoDataFrame
    totals: Mapping[str, float]
    scenes: tuple[tuple[str, str, float], ...]
    messages: tuple[str, ...]


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
    body = [
        f'<p class="brand">polynya concentration --mosaic</p><h1>{escape(page.title)}</h1>',
        html.fact_list(page.facts.items()),
        _result(page.totals),
        f"<section><h2>Map</h2><div class=figures>{_maps(page)}</div></section>",
    ]
    rows = [(name, time.replace("T", " "), html.percent(share, 1.0)) for name, time, share in page.scenes]
    table = html.table(("scene", "start, UTC", "share of the area"), rows, text_columns=2)
    body += [html.warnings(page.messages), f"<section><h2>Scenes</h2>{table}</section>", _words()]
    return html.write_text(path, html.page(title=page.title, body=body))


def _result(totals: Mapping[str, float]) -> Markup:
    overlap = (
        f" Two scenes or more: {number(totals['overlap_area_km2'], 0)}\u202fkm², where they differ by"
        f" {number(100 * totals['disagreement_rms'], 1)}\u202f% (standard deviation)."
    )
    return Markup(
        f'<section id="result"><p class="result"><strong>{number(totals["ice_area_km2"], 0)}\u202fkm²</strong> of sea'
        f" ice in {number(totals['mapped_area_km2'], 0)}\u202fkm² ("
        f"±{number(totals['ice_area_uncertainty_km2'], 0)}, if all pixels err alike); extent"
        f" {number(totals['ice_extent_km2'], 0)}\u202fkm²."
        f"{overlap if totals['overlap_area_km2'] > 0 else ''}</p></section>"
    )


def _maps(page: Page) -> str:
    shape = page.layers[CONCENTRATION.name].shape
    step = max(1, -(-max(shape) // PICTURE_PX))
    box = page.geobox if step == 1 else page.geobox.zoom_out(step)
    thin = {k: v[step // 2 :: step, step // 2 :: step] for k, v in page.layers.items()}
    line = [(page.edge, f'fill="none" stroke="{EDGE}" stroke-width="1.6"')] if len(page.edge) else []
    ice = {"low": 0.0, "high": 1.0, "colours": grid_picture.ICE}
    key = grid_picture.key(MARKS, **ice)
    key += f'<span><span class="sw" style="background:{EDGE}"></span>ice edge</span>'
    c = grid_picture.coloured(thin[CONCENTRATION.name], **ice)
    out = [grid_picture.figure(c, box, line, title="Sea-ice concentration", key=key)]
    for name, title in (
        (UNCERTAINTY.name, "One standard uncertainty of a pixel"),
        (mosaics.DISAGREEMENT.name, "Disagreement: standard deviation among scenes"),
    ):
        values = thin[name]
        if np.isfinite(values).any():
            out.append(_figure(values, box, title, top=max(float(np.ceil(10 * np.nanmax(values)) / 10), 0.1)))
    n = np.where(thin[mosaics.SCENES.name] > 0, thin[mosaics.SCENES.name], np.nan)
    if np.isfinite(n).any() and np.nanmax(n) > 1:
        out.append(_figure(n, box, "Scenes in the mean", low=1.0, top=float(np.nanmax(n))))
        out.append(_figure(thin[mosaics.MEAN_TIME.name], box, "Mean time of the scenes, UTC", top=24.0, unit=" h"))
    return "".join(out)


def _figure(values: np.ndarray, box: GeoBox, title: str, *, low: float = 0.0, top: float, unit: str = "") -> str:
    steps = int(top - low) if low and top - low <= 4 else 4  # whole numbers of scenes
    marks = np.round(np.linspace(low, top, steps + 1), 3).tolist()
    key = grid_picture.key(marks, low=low, high=top, unit=unit)
    return grid_picture.figure(grid_picture.coloured(values, low=low, high=top), box, [], title=title, key=key)


def _words() -> str:
    return (
        "<section><h2>What the numbers are</h2><p class=note>Mean of the scenes with weights 1/σ²; pixels with flags"
        " that depend on the scene count only where no other is. Scenes of one day are not independent: one network"
        " mapped the same ice. So σ does not fall with their number: its square is that of the mean σ plus the"
        " variance among scenes, whatever made it (drift, opening, freezing, errors). Edge and pictures are drawn from"
        " means over blocks of at most 2 km. Areas are those on the ellipsoid.</p></section>"
    )
