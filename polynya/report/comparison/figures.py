"""The figures of a comparison: sea level and freeboard along a beam, and distributions, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..histograms import nice_top
from ..html import Markup, escape
from ..polar_map import path

WIDTH, HEIGHT = 1100, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 26, 38
BINS = 300
"""Bins along a beam; each shows the mean inside it."""
COLOURS = {"2 m": "#14507a", "150ph": "#e69f00", "ATL10": "#c2185b", "ATL07": "#5a8f29"}
OTHER = "#6a4fa3"


def colour(name: str) -> str:
    """Return the colour of a product or a resolution."""
    return COLOURS.get(name, OTHER)


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The frame of a plot: the values at its edges, and its size in pixels."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: int = WIDTH
    height: int = HEIGHT

    def pixels(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixel positions of values, those beyond the frame on its edge."""
        wide, tall = self.width - LEFT - RIGHT, self.height - TOP - BOTTOM
        px = LEFT + wide * (np.asarray(x, np.float64) - self.x0) / (self.x1 - self.x0)
        py = TOP + tall * (1.0 - (np.asarray(y, np.float64) - self.y0) / (self.y1 - self.y0))
        return np.clip(px, LEFT, self.width - RIGHT), np.clip(py, TOP, self.height - BOTTOM)

    def frame(self, *, title: str, x_label: str, y_label: str) -> str:
        """Return rules, ticks, labels and the title."""
        out = [f'<text class="title" x="{LEFT}" y="15">{escape(title)}</text>']
        for value in _ticks(self.y0, self.y1, 5):
            _, y = self.pixels(np.array([self.x0]), np.array([value]))
            out.append(
                f'<path class="rule" d="M{LEFT} {y[0]:.1f}h{self.width - LEFT - RIGHT}"/><text x="{LEFT - 5}"'
                f' y="{y[0] + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        base = self.height - BOTTOM
        for value in _ticks(self.x0, self.x1, 9 if self.width > 700 else 6):
            x, _ = self.pixels(np.array([value]), np.array([self.y0]))
            out.append(
                f'<path class="axis" d="M{x[0]:.1f} {base}v4"/><text x="{x[0]:.1f}" y="{base + 16}"'
                f' text-anchor="middle">{value:g}</text>'
            )
        middle = TOP + (self.height - TOP - BOTTOM) / 2
        out.append(f'<path class="axis" d="M{LEFT} {base}h{self.width - LEFT - RIGHT}"/>')
        out.append(
            f'<text x="{(LEFT + self.width - RIGHT) / 2}" y="{self.height - 6}" text-anchor="middle">{escape(x_label)}'
            f'</text><text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">'
            f"{escape(y_label)}</text>"
        )
        return "".join(out)


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    _, step = nice_top((high - low) * 4 / wanted)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(k * step, 9) for k in range(first, last + 1)]


@dataclass(frozen=True, kw_only=True)
class Line:
    """Values along a beam.

    Attributes
    ----------
    name, style : str
        For the legend and the colour.
    x, y : numpy.ndarray, shape (n,)
        km from the origin of the plot; m.
    low, high : numpy.ndarray, shape (n,), optional
        A band, m.
    is_points : bool
        Points with bars in place of a line.
    """

    name: str
    style: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    is_points: bool = False


def along(lines: Sequence[Line], *, x_range: tuple[float, float], title: str, y_label: str) -> Markup:
    """Return a plot of values along a beam.

    Parameters
    ----------
    lines : sequence of Line
        Those without a finite value are left out.
    x_range : tuple of float
        Ends of the axis, km.
    title, y_label : str
        Above it, and beside it.
    """
    drawn = [v for v in lines if np.isfinite(v.y).any()]
    if not drawn:
        return Markup(f"<figure><figcaption>{escape(title)}: no value.</figcaption></figure>")
    low, high = _y_range(drawn)
    axes = Axes(x0=x_range[0], x1=x_range[1], y0=low, y1=high)
    parts = [axes.frame(title=title, x_label="km along the track", y_label=y_label)]
    parts += [_band(axes, v) for v in drawn if v.low is not None and not v.is_points]
    parts += [_points(axes, v) if v.is_points else _line(axes, v) for v in drawn]
    return Markup(
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f"{legend(drawn)}</figure>"
    )


def legend(lines: Sequence[Line]) -> Markup:
    """Return the names beside their colours."""
    spans = "".join(
        f'<span><i class="sw" style="background:{colour(v.style)}{";border-radius:50%" if v.is_points else ""}"></i>'
        f"{escape(v.name)}</span>"
        for v in lines
    )
    return Markup(f'<div class="swatches">{spans}</div>')


def _y_range(lines: Sequence[Line]) -> tuple[float, float]:
    """Return a range that holds 98 % of every line's values, and points whole."""
    ends = []
    for line in lines:
        q = (0.0, 1.0) if line.is_points else (0.01, 0.99)
        for values in (line.y, line.low, line.high):
            if values is not None and np.isfinite(values).any():
                ends += np.quantile(values[np.isfinite(values)], q).tolist()
    low, high = min(ends), max(ends)
    pad = max(0.12 * (high - low), 0.02)
    return low - pad, high + pad


def _runs(y: np.ndarray) -> list[np.ndarray]:
    """Return the positions of each unbroken run of finite values."""
    good = np.flatnonzero(np.isfinite(y))
    return [r for r in np.split(good, np.flatnonzero(np.diff(good) > 1) + 1) if r.size]


def _line(axes: Axes, line: Line) -> str:
    px, py = axes.pixels(line.x, line.y)
    runs = _runs(line.y)
    d = "".join(path(px[r], py[r]) for r in runs if r.size > 1)
    dots = "".join(f'<circle cx="{px[r[0]]:.1f}" cy="{py[r[0]]:.1f}" r="1.6"/>' for r in runs if r.size == 1)
    tint = colour(line.style)
    return f'<path d="{d}" fill="none" stroke="{tint}" stroke-width="1.6"/><g fill="{tint}">{dots}</g>'


def _band(axes: Axes, line: Line) -> str:
    if line.low is None or line.high is None:
        return ""
    out = []
    for run in _runs(line.low + line.high):
        px, top = axes.pixels(line.x[run], line.high[run])
        _, base = axes.pixels(line.x[run], line.low[run])
        out.append(path(np.concatenate([px, px[::-1]]), np.concatenate([top, base[::-1]]), close=True))
    return f'<path d="{"".join(out)}" fill="{colour(line.style)}" fill-opacity=".16"/>'


def _points(axes: Axes, line: Line) -> str:
    good = np.isfinite(line.y)
    px, py = axes.pixels(line.x[good], line.y[good])
    bars = ""
    if line.low is not None and line.high is not None:
        _, top = axes.pixels(line.x[good], line.high[good])
        _, base = axes.pixels(line.x[good], line.low[good])
        d = "".join(f"M{x:.1f} {a:.1f}V{b:.1f}" for x, a, b in zip(px, top, base, strict=True))
        bars = f'<path d="{d}" stroke="{colour(line.style)}" fill="none"/>'
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in zip(px, py, strict=True))
    return f'{bars}<g fill="{colour(line.style)}">{dots}</g>'


def binned(
    x: np.ndarray, y: np.ndarray, *, x_range: tuple[float, float], weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of the bins along a beam and the mean in each, NaN in an empty one.

    Parameters
    ----------
    x, y : numpy.ndarray
        (n,) km and m; NaN is left out.
    x_range : tuple of float
        Ends of the plot, km.
    weights : numpy.ndarray, optional
        (n,) weights, not negative.
    """
    edges = np.linspace(*x_range, BINS + 1)
    good = np.isfinite(y) & (x >= edges[0]) & (x <= edges[-1])
    index = np.clip(np.searchsorted(edges, x[good], side="right") - 1, 0, BINS - 1)
    w = np.ones(index.size) if weights is None else np.asarray(weights, np.float64)[good]
    total = np.bincount(index, weights=w, minlength=BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(index, weights=w * np.asarray(y, np.float64)[good], minlength=BINS) / total
    return 0.5 * (edges[1:] + edges[:-1]), np.where(total > 0, mean, np.nan)


def bridged(x: np.ndarray, y: np.ndarray, *, gap_km: float) -> np.ndarray:
    """Return values with gaps filled by straight lines where their sides lie near each other.

    Parameters
    ----------
    x, y : numpy.ndarray
        (n,) km, ascending, and m; NaN is a gap.
    gap_km : float
        Sides further apart than this stay apart.
    """
    good = np.flatnonzero(np.isfinite(y))
    if good.size < 2:
        return y
    filled = np.interp(x, x[good], y[good], left=np.nan, right=np.nan)
    after = np.clip(np.searchsorted(good, np.arange(x.size)), 1, good.size - 1)
    apart = x[good[after]] - x[good[after - 1]]
    return np.where(np.isfinite(y), y, np.where(apart <= gap_km, filled, np.nan))


def steps(series: Sequence[tuple[str, str, np.ndarray]], edges: np.ndarray, *, title: str, x_label: str) -> Markup:
    """Return distributions as outlines over each other, in percent per bin.

    Parameters
    ----------
    series : sequence of (name, style, shares)
        Shares (bins,) of each; the first one is filled.
    edges : numpy.ndarray
        (bins + 1,) m.
    title, x_label : str
        Above it, and under its axis.
    """
    width, height = 540, 270
    whole = sum(s for _, _, s in series)
    used = np.flatnonzero(np.asarray(whole) > 0.002)
    first, last = (
        (max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, edges.size - 1)) if used.size else (0, edges.size - 1)
    )
    top, _ = nice_top(100.0 * max(float(s[first:last].max()) for _, _, s in series))
    axes = Axes(x0=edges[first], x1=edges[last], y0=0.0, y1=top, width=width, height=height)
    step_cm = (edges[1] - edges[0]) * 100
    parts = [axes.frame(title=title, x_label=x_label, y_label=f"% of the track per {step_cm:g} cm")]
    for k, (_, style, shares) in enumerate(series):
        x = np.repeat(edges[first : last + 1], 2)[1:-1]
        px, py = axes.pixels(x, np.repeat(100.0 * shares[first:last], 2))
        if k == 0:
            base = height - BOTTOM
            closed = path(np.concatenate([[px[0]], px, [px[-1]]]), np.concatenate([[base], py, [base]]), close=True)
            parts.append(f'<path d="{closed}" fill="{colour(style)}" fill-opacity=".22"/>')
        parts.append(f'<path d="{path(px, py)}" fill="none" stroke="{colour(style)}" stroke-width="1.6"/>')
    names = [Line(name=n, style=s, x=np.zeros(0), y=np.zeros(0)) for n, s, _ in series]
    return Markup(
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f"{legend(names)}</figure>"
    )
