"""The page of maps of tags: the share of each phenomenon among imagettes, for each period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..physics.gridding.occurrence import LEAST_IMAGETTES, DegreeGrid, Occurrences
from ..schema.imagettes import TAGS
from . import html, polar_map, world_map
from .html import Markup, escape, number

LEAST_TOP = 0.1
"""The colours of a share end at least here."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    grid : DegreeGrid
    found : Occurrences
    names : mapping of int to str
        First day of a period -> what it is called.
    periods : sequence of dict
        One row per period, of the workflow.
    facts : mapping of str to object
    messages : tuple of str
    """

    grid: DegreeGrid
    found: Occurrences
    names: Mapping[int, str]
    periods: Sequence[Mapping[str, object]]
    facts: Mapping[str, object]
    messages: tuple[str, ...]


def write(path: Path, page: Page) -> Path:
    """Write the page.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    names = list(page.names.values())
    title = f"Tags, {names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'}"
    body = [
        world_map.land_symbol(),
        f'<p class="brand">polynya grid</p><h1>{escape(title)}</h1>',
        html.fact_list(page.facts.items()),
        html.warnings(page.messages),
        _table(page),
        *(_maps(page, period, name) for period, name in page.names.items()),
        _words(),
    ]
    return html.write_text(path, html.page(title=title, body=body))


def _table(page: Page) -> Markup:
    head = ("period", "imagettes", "passes", "cells", "masked", "not assessed", *(t.replace("_", " ") for t in TAGS))
    rows = [
        (
            p["period"],
            number(p["n_imagettes"], 0),
            number(p["n_tracks"], 0),
            number(p["n_cells"], 0),
            number(p["n_cells_masked"], 0),
            number(p["n_not_assessed"], 0),
            *(html.percent(float(str(p[f"n_{t}"])), float(str(p["n_imagettes"]))) for t in TAGS),
        )
        for p in page.periods
    ]
    return Markup(f"<section><h2>Periods</h2>{html.table(head, rows)}</section>")


def _maps(page: Page, period: int, name: str) -> str:
    here = page.found.period == period
    cell = page.found.cell[here]
    latitude, longitude = page.grid.latitude[cell // page.grid.columns], page.grid.longitude[cell % page.grid.columns]
    values = {k: np.asarray(v[here], np.float64) for k, v in page.found.values.items()}
    drawn = []
    for key, title, decimals, least in (
        *((f"occurrence_{t}", t.replace("_", " ").capitalize(), 2, LEAST_TOP) for t in TAGS),
        ("n_imagettes", "Assessed imagettes", 0, 1.0),
    ):
        value = values[key]
        if not np.isfinite(value).any():
            drawn.append(f"<figure><figcaption>{title}: no cell has a share.</figcaption></figure>")
            continue
        top = max(float(np.nanmax(value)), least)
        cells = world_map.coloured_cells(longitude, latitude, value, side=page.grid.side, low=0.0, high=top)
        picture = world_map.world_svg(cells, identifier=f"{key}-{period}", label=f"{title}, {name}")
        missing = f"fewer than {LEAST_IMAGETTES}" if key != "n_imagettes" else ""
        label = "share of imagettes" if missing else "imagettes"
        bar = polar_map.colour_bar(
            low=0.0, high=top, label=label, decimals=decimals, missing=missing, missing_colour=world_map.MASKED
        )
        drawn.append(f"<figure>{picture}<figcaption>{title}</figcaption>{bar}</figure>")
    return f"<section><h2>{escape(name)}</h2><div class=figures>{''.join(drawn)}</div></section>"


def _words() -> str:
    return (
        "<section><h2>What the numbers are</h2><p class=note>The share is that of assessed imagettes of a cell that"
        " have the tag; an imagette may have several. The interval (in the NetCDF and the GeoTIFFs) is Wilson's of 95 %"
        " for independent imagettes; those of one pass are not quite independent, so look at the number of passes too."
        f" It holds no errors of the tags. Cells with fewer than {LEAST_IMAGETTES} assessed imagettes are masked."
        " Wave mode is taken over the open ocean only, and not everywhere equally often: shares are of what was"
        " taken.</p></section>"
    )
