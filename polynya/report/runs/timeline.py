"""When the workers of the last batch worked on what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from ...schema import counted
from ...schema.runs import FAILED
from ..html import Markup, escape, number
from ..polar_map import VIRIDIS
from .map import RED

WIDTH, LANE, LEFT, TOP = 1100, 20, 150, 8
MOST_LANES = 60
"""Workers that are drawn."""


def timeline(rows: Sequence[Mapping]) -> Markup:
    """Return the timeline of the last batch: a bar per item, a lane per worker; how evenly, and how often again.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of :data:`polynya.schema.runs.RUNS`. Items that were done before have no bar.
    """
    last = max((r["batch"] for r in rows if r["batch"] is not None), default=None)
    worked = [r for r in rows if last is not None and r["batch"] == last and r["started"] is not None]
    if len(worked) < 2:
        return Markup("")
    begin = np.array([_seconds(r["started"]) for r in worked])
    length = np.array([float(r["seconds"] or 0.0) for r in worked])
    begin -= begin.min()
    wall, workers = float((begin + length).max()), sorted({r["worker"] for r in worked})
    again = sum(int(r["tries"] or 1) - 1 for r in worked)
    middle = float(np.median(length))
    words = (
        f"{counted(len(worked), 'item')} on {counted(len(workers), 'worker')} in"
        f" {number(wall, 1, 's')}: {number(float(length.sum()), 1, 's')} of work, {number(length.sum() / wall, 1)} at a"
        f" time. The longest {number(float(length.max()), 1, 's')},"
        f" {number(length.max() / middle, 1) if middle > 0 else 'many'} times the median."
        f" {again:,} {'retry' if again == 1 else 'retries'}."
        if wall > 0
        else ""
    )
    bars = _bars(worked, begin, length, wall=max(wall, 1e-3), workers=workers[:MOST_LANES])
    return Markup(
        f'<section id="timeline"><h2>Workers</h2><p class="note">Last batch. {escape(words)}</p>'
        f"<figure>{bars}</figure></section>"
    )


def _seconds(time: dt.datetime) -> float:
    return time.timestamp()


def _bars(
    rows: Sequence[Mapping], begin: np.ndarray, length: np.ndarray, *, wall: float, workers: Sequence[str]
) -> str:
    lane = {w: k for k, w in enumerate(workers)}
    scale = (WIDTH - LEFT - 10) / wall
    height = TOP + LANE * len(workers) + 26
    out = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Items by worker and time">']
    for name, k in lane.items():
        y = TOP + LANE * k
        short = name if len(name) < 24 else f"\u2026{name[-22:]}"
        out.append(f'<text x="{LEFT - 6}" y="{y + 14}" text-anchor="end">{escape(short)}</text>')
    for k, r in enumerate(rows):
        if r["worker"] not in lane:
            continue
        x, y = LEFT + begin[k] * scale, TOP + LANE * lane[r["worker"]]
        tint = RED if r["state"] == FAILED else VIRIDIS[12 + 6 * (k % 2)]
        words = f"{r['name']}: {length[k]:.1f} s" + (f", try {r['tries']}" if (r["tries"] or 1) > 1 else "")
        out.append(
            f'<rect x="{x:.1f}" y="{y + 2}" width="{max(length[k] * scale, 1.0):.1f}" height="{LANE - 4}" fill="{tint}"'
            f' stroke="#fff" stroke-width=".5"><title>{escape(words)}</title></rect>'
        )
    base = TOP + LANE * len(workers)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = LEFT + share * wall * scale
        anchor = "end" if share == 1.0 else "middle"
        out.append(
            f'<path class="axis" d="M{x:.1f} {base}v4"/><text x="{x:.1f}" y="{base + 17}" text-anchor="{anchor}">'
            f"{escape(number(share * wall, 1, 's'))}</text>"
        )
    out.append("</svg>")
    return "".join(out)
