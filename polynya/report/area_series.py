"""The page of areas at several dates: a plot a glacier with its line, and the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from . import html
from .html import Markup, escape, number

SIZE = (640, 220)
MARGIN = (64, 14, 28, 14)
"""Left, right, below, above."""
MOST = 30
"""Plots at most, the total first, then the largest glaciers."""


def write(path: Path, *, areas: pd.DataFrame, rates: pd.DataFrame, messages: Sequence[str]) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file.
    areas, rates : pandas.DataFrame
        Of :func:`polynya.evaluate.area_series.compare`.
    messages : sequence of str
        What a reader must know: what the errors contain, gaps.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    frame, rates = areas, rates.sort_values("area", ascending=False, na_position="last")
    rates = pd.concat([rates[rates["rgi_id"] == "total"], rates[rates["rgi_id"] != "total"]])
    rows = [
        (
            r.rgi_id,
            r.n,
            number(r.span, 1),
            number(r.area, 3),
            number(r.per_year, 4),
            number(r.sigma, 4),
            number(r.chi2, 1),
        )
        for r in rates.itertuples()
    ]
    head = ("Glacier", "Dates", "Years", "Area, km²", "Rate, km² per year", "Standard error", "Scatter")
    plots = [
        Markup(f"<h3>{escape(r.rgi_id)}</h3>") + plot(frame[frame["rgi_id"] == r.rgi_id], r)
        for r in rates.head(MOST).itertuples()
    ]
    table = [
        (a.rgi_id, a.date, number(a.year, 2), number(a.area_km2, 3), number(a.low_km2, 3), number(a.high_km2, 3))
        for a in frame.itertuples()
    ]
    names = ("Glacier", "Date", "Year", "Area, km²", "Low", "High")
    body = [
        html.warnings(messages),
        Markup("<section><h2>Rates</h2>") + html.table(head, rows) + Markup("</section>"),
        Markup("<section><h2>Series</h2>") + Markup("").join(plots) + Markup("</section>"),
        Markup("<section><h2>Areas</h2>") + html.table(names, table, text_columns=2) + Markup("</section>"),
    ]
    return html.write_text(path, html.page(title="Glacier areas", body=[Markup("<h1>Glacier areas</h1>"), *body]))


def plot(areas: pd.DataFrame, rate: object) -> Markup:
    """Return areas with intervals over time and the fitted line, as SVG.

    Parameters
    ----------
    areas : pandas.DataFrame
        Of one glacier.
    rate : object
        Its row of rates.
    """
    known = areas[np.isfinite(areas["area_km2"]) & np.isfinite(areas["year"])]
    if not len(known):
        return Markup("<p>No area is known.</p>")
    low = known["low_km2"].where(known["low_km2"].notna(), known["area_km2"])
    high = known["high_km2"].where(known["high_km2"].notna(), known["area_km2"])
    t0, t1 = float(areas["year"].min()), float(areas["year"].max())
    a0, a1 = float(low.min()), float(high.max())
    pad = max(0.05 * (a1 - a0), 1e-6)
    (wide, tall), (left, right, below, above) = SIZE, MARGIN

    def x(t: float) -> float:
        return left + (t - t0) / max(t1 - t0, 1e-6) * (wide - left - right)

    def y(a: float) -> float:
        return tall - below - (a - a0 + pad) / (a1 - a0 + 2 * pad) * (tall - below - above)

    parts = [
        f'<svg viewBox="0 0 {wide} {tall}" width="{wide}" role="img" aria-label="area over time">',
        f'<path d="M{left} {above}V{tall - below}H{wide - right}" fill="none" stroke="#888"/>',
        *(f'<text x="{left - 6}" y="{y(a) + 4:.1f}" text-anchor="end" font-size="11">{a:.2f}</text>' for a in (a0, a1)),
        *(
            f'<text x="{x(t):.1f}" y="{tall - 8}" text-anchor="{e}" font-size="11">{t:.1f}</text>'
            for t, e in ((t0, "start"), (t1, "end"))
        ),
        f'<text x="{left + 4}" y="{above + 8}" font-size="11">km²</text>',
    ]
    if np.isfinite(rate.per_year):
        sigma = (known["high_km2"] - known["low_km2"]).to_numpy(float)
        w = np.where(np.isfinite(sigma) & (sigma > 0), np.where(sigma > 0, sigma, 1.0) ** -2.0, 0.0)
        w = w if w.sum() > 0 else np.ones(len(known))
        middle = float((w * known["year"].to_numpy(float)).sum() / w.sum())
        line = [(t, rate.area + rate.per_year * (t - middle)) for t in (t0, t1)]
        points = " ".join(f"{x(t):.1f},{y(a):.1f}" for t, a in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="#1f6fb2" stroke-width="1.5"/>')
    for row, lo, hi in zip(known.itertuples(), low, high, strict=True):
        parts.append(f'<path d="M{x(row.year):.1f} {y(lo):.1f}V{y(hi):.1f}" stroke="#333"/>')
        at = f'cx="{x(row.year):.1f}" cy="{y(row.area_km2):.1f}"'
        parts.append(f'<circle {at} r="3.5"><title>{escape(row.date)}: {row.area_km2:.3f} km²</title></circle>')
    return Markup("".join(parts) + "</svg>")
