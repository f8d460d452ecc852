"""The page of maps of leads: share, interval, unknown share and number of echoes for each period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..physics.gridding import Grid
from ..physics.gridding.lead_share import LEAST_ECHOES, LeadShares
from . import html, polar_map
from .html import Markup, escape, number, percent
from .map_cells import coloured_cells

PIXELS = (540, 430)
MAPS = (
    ("lead_fraction", "Share of leads", 0.02, 2),
    ("width", "Width of its 95 % interval", 0.02, 2),
    ("unknown_share", "Share of unknown echoes", 0.1, 2),
    ("n_echoes", "Lead and ice echoes", 10.0, 0),
)
"""Variable, title, least upper end of the colours, decimals."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    grid : polynya.physics.gridding.Grid
    shares : LeadShares
    names : mapping of int to str
        First day of a period -> what it is called.
    periods : sequence of dict
        One row per period, of the workflow.
    facts : mapping of str to object
    messages : tuple of str
    """

    grid: Grid
    shares: LeadShares
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
    title = f"Leads, {names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'}"
    body = [
        f'<p class="brand">polynya grid</p><h1>{escape(title)}</h1>',
        html.fact_list(page.facts.items()),
        html.warnings(page.messages),
        _table(page),
        *(_maps(page, period, name) for period, name in page.names.items()),
        _words(),
    ]
    return html.write_text(path, html.page(title=title, body=body))


def _table(page: Page) -> Markup:
    head = (
        "period",
        "cells",
        "masked",
        "lead and ice echoes",
        "leads",
        "unknown",
        "left out",
        "echoes per independent one",
    )
    rows = [
        (
            p["period"],
            number(p["n_cells"], 0),
            number(p["n_cells_masked"], 0),
            number(p["n_echoes"], 0),
            number(100 * float(str(p["lead_fraction"])), 1, "%"),
            number(100 * float(str(p["unknown_share"])), 1, "%"),
            number(p["n_left_out"], 0),
            number(p["design_effect"], 1),
        )
        for p in page.periods
    ]
    return Markup(f"<section><h2>Periods</h2>{html.table(head, rows)}</section>")


def _maps(page: Page, period: int, name: str) -> str:
    here = page.shares.period == period
    grid, cell = page.grid, page.shares.cell[here]
    x, y = grid.x[cell % grid.columns], grid.y[cell // grid.columns]
    values = {k: np.asarray(v[here], np.float64) for k, v in page.shares.values.items()}
    values["width"] = values["lead_fraction_high"] - values["lead_fraction_low"]
    half = 0.5 * grid.cell_m
    frame = polar_map.frame_around(
        np.concatenate([x - half, x + half]),
        np.concatenate([y - half, y + half]),
        polar_map.NORTH if grid.is_north else polar_map.SOUTH,
        width=PIXELS[0],
        height=PIXELS[1],
        least_m=12 * grid.cell_m,
    )
    base = [f'<path class="land" d="{polar_map.land(frame)}"/>']
    drawn = []
    for variable, title, least, decimals in MAPS:
        value = values[variable]
        if not np.isfinite(value).any():
            drawn.append(f"<figure><figcaption>{title}: no cell has a value.</figcaption></figure>")
            continue
        top = max(float(np.nanmax(value)), least)
        cells = coloured_cells(frame, x, y, value, side=grid.cell_m, low=0.0, high=top)
        inside = [*base, cells, polar_map.graticule(frame), polar_map.scale_bar(frame)]
        picture = polar_map.svg(frame, inside, identifier=f"{variable}-{period}", label=f"{title}, {name}")
        bar = polar_map.colour_bar(low=0.0, high=top, label=title, decimals=decimals, missing="")
        masked = percent(float((~np.isfinite(value)).sum()), float(value.size), 0)
        note = f" (masked: {masked} of the cells)" if variable == "lead_fraction" else ""
        drawn.append(f"<figure>{picture}<figcaption>{title}{note}</figcaption>{bar}</figure>")
    return f"<section><h2>{escape(name)}</h2><div class=figures>{''.join(drawn)}</div></section>"


def _words() -> str:
    return (
        "<section><h2>What the numbers are</h2><p class=note>The share is that of lead echoes among lead and sea-ice"
        " echoes: an echo is a lead where one is near nadir, so it is not the area of open water, and shares of"
        " different missions or rules are not alike. Echoes of a pass see the same leads: the interval is that of the"
        " number of echoes over the design effect (echoes per independent one), which passes through one cell tell. It"
        f" holds no errors of the classes. Cells with fewer than {LEAST_ECHOES} lead and ice echoes are masked.</p>"
        "</section>"
    )
