"""Maps of all items, coloured by their result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np

from ...schema import counted
from ...schema.runs import FAILED
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

GREY, RED = "#8b939c", "#c2185b"
WIDTH, HEIGHT = 820, 560
LEAST_PX = 7.0
"""An item smaller than this on the map gets a dot."""


def maps(rows: Sequence[Mapping]) -> Markup:
    """Return a map for each hemisphere that has items.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :data:`polynya.schema.runs.RUNS`.
    """
    placed = [(k, r, *_points(r)) for k, r in enumerate(rows)]
    nowhere = sum(lat.size == 0 for _, _, lat, _ in placed)
    values = np.array([r["value"] for r in rows if r["value"] is not None], np.float64)
    low, high = _range(values)
    figures = []
    for projection in (NORTH, SOUTH):
        part = [p for p in placed if p[2].size and (np.nanmedian(p[2]) >= 0) == (projection.sign > 0)]
        if part:
            figures.append(f"<figure>{_map(part, projection, low=low, high=high)}</figure>")
    if not figures:
        return Markup("")
    bar = ""
    if values.size:
        first = next(r for r in rows if r["value"] is not None)
        units = "" if first["units"] == "1" else f", {first['units']}"
        bar = colour_bar(low=low, high=high, label=f"{first['quantity']}{units}", missing="done, no value")
    failed = f'<span><i class="sw" style="background:{RED}"></i>failed</span>'
    words = f"{counted(nowhere, 'item')} without a place." if nowhere else ""
    return Markup(
        f'<section id="map"><h2>Where</h2>{"".join(figures)}<div class="caption">{bar}<div'
        f' class="swatches">{failed}</div>'
        f"<p>Click a track for its report; hold the pointer over it for its name. {escape(words)}</p></div></section>"
    )


def _points(row: Mapping) -> tuple[np.ndarray, np.ndarray]:
    found = [
        np.array([np.nan if v is None else v for v in row[n]], np.float64)
        for n in ("track_latitude", "track_longitude")
    ]
    return found[0], found[1]


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return values of the first and last colour."""
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _map(
    part: Sequence[tuple[int, Mapping, np.ndarray, np.ndarray]], projection: Projection, *, low: float, high: float
) -> Markup:
    where = {k: project(lat, lon, projection) for k, _, lat, lon in part}
    x = np.concatenate([v[0] for v in where.values()])
    y = np.concatenate([v[1] for v in where.values()])
    good = np.isfinite(x) & np.isfinite(y)
    frame = frame_around(x[good], y[good], projection, width=WIDTH, height=HEIGHT, least_m=30_000.0)
    drawn = [_item(frame, k, row, where[k], low=low, high=high) for k, row, _, _ in part]
    name = "North" if projection.sign > 0 else "South"
    inside = [f'<path class="land" d="{land(frame)}"/>', graticule(frame), *drawn, scale_bar(frame)]
    return svg(frame, inside, identifier=f"map-{name.lower()}", label=f"{name}: {counted(len(part), 'item')}")


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
