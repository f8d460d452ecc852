"""Maps of all items, coloured by their result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np

from ...schema import counted
from ...schema.runs import FAILED
from ..histograms import nice_scale
from ..html import Markup, escape, number
from ..polar_map import (
    NORTH,
    SOUTH,
    VIRIDIS,
    Frame,
    Projection,
    colour_bar,
    frame_around,
    graticule,
    land,
    path,
    project,
    scale_bar,
    svg,
)
from .totals import is_count

GREY, RED = "#8b939c", "#c2185b"
WIDTH, HEIGHT = 820, 560
LEAST_PX = 7.0
"""An item smaller than this on the map gets a dot."""
Placed = tuple[int, Mapping, np.ndarray, np.ndarray]
"""Number of a row, the row, latitude and longitude of its points, degrees."""


def maps(rows: Sequence[Mapping], *, is_sum: Mapping[str, bool] | None = None) -> Markup:
    """Return a map for each hemisphere that has items, and for each quantity: two of them have no scale in common.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :data:`polynya.schema.runs.RUNS`.
    is_sum : mapping of str to bool, optional
        Quantity -> whether it adds up over items: a mean of numbers without units is a share, no count.
    """
    placed = [(k, r, *_points(r)) for k, r in enumerate(rows)]
    nowhere = sum(lat.size == 0 for _, _, lat, _ in placed)
    drawn = [p for p in placed if p[2].size]
    quantities = list(dict.fromkeys((r["quantity"], r["units"]) for _, r, _, _ in drawn))
    if not quantities:
        return Markup("")
    parts = "".join(
        _of_quantity(
            [p for p in drawn if (p[1]["quantity"], p[1]["units"]) == q], *q, nth=k, is_whole=is_count(*q, is_sum or {})
        )
        for k, q in enumerate(quantities)
    )
    words = f"{counted(nowhere, 'item')} without a place." if nowhere else ""
    return Markup(
        f'<section id="map"><h2>Where</h2>{parts}<p class="note">Click an item for its report; hold the pointer over it'
        f" for its name. {escape(words)}</p></section>"
    )


def _of_quantity(placed: Sequence[Placed], quantity: str, units: str, *, nth: int, is_whole: bool) -> str:
    """Return the maps of the items that are ranked by one quantity, with their colours."""
    values = [r["value"] for _, r, _, _ in placed if r["value"] is not None]
    scale = nice_scale(min(values, default=0.0), max(values, default=0.0), is_whole=is_whole)
    ending = f"-{nth + 1}" if nth else ""
    out = []
    for projection in (NORTH, SOUTH):
        part = [p for p in placed if (np.nanmedian(p[2]) >= 0) == (projection.sign > 0)]
        if part:
            out.append(f"<figure>{_map(part, projection, low=scale.low, high=scale.high, ending=ending)}</figure>")
    bar = ""
    if values:
        label = quantity if units == "1" else f"{quantity}, {units}"
        bar = colour_bar(low=scale.low, high=scale.high, label=label, decimals=scale.decimals, missing="done, no value")
    failed = f'<span><i class="sw" style="background:{RED}"></i>failed</span>'
    return f'{"".join(out)}<div class="caption">{bar}<div class="swatches">{failed}</div></div>'


def _points(row: Mapping) -> tuple[np.ndarray, np.ndarray]:
    found = [
        np.array([np.nan if v is None else v for v in row[n]], np.float64)
        for n in ("track_latitude", "track_longitude")
    ]
    return found[0], found[1]


def _map(part: Sequence[Placed], projection: Projection, *, low: float, high: float, ending: str) -> Markup:
    where = {k: project(lat, lon, projection) for k, _, lat, lon in part}
    x = np.concatenate([v[0] for v in where.values()])
    y = np.concatenate([v[1] for v in where.values()])
    good = np.isfinite(x) & np.isfinite(y)
    frame = frame_around(x[good], y[good], projection, width=WIDTH, height=HEIGHT, least_m=30_000.0)
    drawn = [_item(frame, k, row, where[k], low=low, high=high) for k, row, _, _ in part]
    name = "North" if projection.sign > 0 else "South"
    inside = [f'<path class="land" d="{land(frame)}"/>', graticule(frame), *drawn, scale_bar(frame)]
    return svg(frame, inside, identifier=f"map-{name.lower()}{ending}", label=f"{name}: {counted(len(part), 'item')}")


def _item(frame: Frame, k: int, row: Mapping, where: tuple[np.ndarray, np.ndarray], *, low: float, high: float) -> str:
    """Return one item: a link to its report, with its name."""
    px, py = frame.pixels(*where)
    tint = _tint(row, low=low, high=high)
    good = np.flatnonzero(np.isfinite(px) & np.isfinite(py))
    runs = [r for r in np.split(good, np.flatnonzero(np.diff(good) > 1) + 1) if r.size]
    size = max(float(np.ptp(px[good])), float(np.ptp(py[good])))
    d = "".join(path(px[r], py[r]) for r in runs)
    if size < LEAST_PX:
        shape = f'<circle cx="{px[good].mean():.1f}" cy="{py[good].mean():.1f}" r="4.5" fill="{tint}" stroke="#fff"/>'
    elif row["is_area"]:
        shape = f'<path d="{d}Z" fill="{tint}" fill-opacity=".35" stroke="{tint}" stroke-width="1.5"/>'
    else:
        shape = (
            f'<path d="{d}" fill="none" stroke="#fff" stroke-opacity=".01" stroke-width="11"/>'
            f'<path d="{d}" fill="none" stroke="{tint}" stroke-width="3" stroke-linecap="round"/>'
        )
    value = number(row["value"], 3) if row["value"] is not None else row["state"]
    words = f"<title>{escape(row['name'])}: {escape(value)}</title>"
    inner = f'<g class="item" data-item="{k}">{words}{shape}</g>'
    return f'<a href="{escape(quote(row["report"]))}">{inner}</a>' if row["report"] else inner


def _tint(row: Mapping, *, low: float, high: float) -> str:
    if row["state"] == FAILED:
        return RED
    if row["value"] is None:
        return GREY
    return VIRIDIS[round(float(np.clip((row["value"] - low) / (high - low), 0, 1)) * (len(VIRIDIS) - 1))]
