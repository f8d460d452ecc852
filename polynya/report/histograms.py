"""Histograms as inline SVG, from counts at every millimetre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .beams import LOWEST_MM, quantile
from .html import Markup, escape, number

WIDTH, HEIGHT = 470, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 24, 40


@dataclass(frozen=True, kw_only=True)
class Series:
    """One stacked part of a histogram: its name, its style class and its counts at each millimetre."""

    name: str
    style: str
    counts: np.ndarray


def histogram(
    series: Sequence[Series], *, title: str, label: str, low: float, high: float, bin_m: float = 0.02, identifier: str
) -> Markup:
    """Return a stacked histogram in percent of all counted segments.

    Parameters
    ----------
    series : sequence of Series
        From the bottom of the stack to its top.
    title, label : str
        Above the plot and under its axis.
    low, high : float
        Range of the axis, m; what lies outside is counted in the text, not drawn.
    bin_m : float
        Width of a bar, m; a whole number of millimetres.
    identifier : str
        Element id, from the program and never from a file.
    """
    step = round(bin_m * 1000)
    first = round(low * 1000) - LOWEST_MM
    n_bars = max(1, round((high - low) * 1000 / step))
    total = sum(int(s.counts.sum()) for s in series)
    if total == 0:
        return Markup(
            f'<figure id="{identifier}" class="none"><figcaption>{escape(title)}: no segment has a'
            " value.</figcaption></figure>"
        )
    bars = [100.0 / total * s.counts[first : first + n_bars * step].reshape(n_bars, step).sum(axis=1) for s in series]
    stacked = np.cumsum(bars, axis=0)
    shown = sum(int(s.counts[first : first + n_bars * step].sum()) for s in series)
    top, tick = nice_top(float(stacked[-1].max()))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    out = [
        f'<figure id="{identifier}"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="{LEFT}" y="15">{escape(title)}</text>'
    ]
    for k in range(round(top / tick) + 1):
        y = TOP + tall * (1 - k * tick / top)
        out.append(
            f'<path class="rule" d="M{LEFT} {y:.1f}h{wide}"/><text x="{LEFT - 5}" y="{y + 4:.1f}"'
            f' text-anchor="end">{k * tick:g}</text>'
        )
    x = LEFT + np.arange(n_bars + 1) * wide / n_bars
    below = np.zeros(n_bars)
    for part, upper in zip(series, stacked, strict=True):
        y_up, y_low = TOP + tall * (1 - upper / top), TOP + tall * (1 - below / top)
        forth = " ".join(f"V{b:.1f}H{a:.1f}" for a, b in zip(x[1:], y_up, strict=True))
        back = " ".join(f"V{b:.1f}H{a:.1f}" for a, b in zip(x[:-1][::-1], y_low[::-1], strict=True))
        out.append(f'<path class="{part.style}" d="M{x[0]:.1f} {y_low[0]:.1f}{forth}{back}Z"/>')
        below = upper
    span = high - low
    tick_x = next(s for s in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0) if span / s <= 8 or s == 5.0)
    for k in range(int(np.ceil(low / tick_x - 1e-9)), int(np.floor(high / tick_x + 1e-9)) + 1):
        px = LEFT + wide * (k * tick_x - low) / span
        out.append(
            f'<path class="axis" d="M{px:.1f} {TOP + tall}v4"/><text x="{px:.1f}" y="{TOP + tall + 16}"'
            f' text-anchor="middle">{k * tick_x:g}</text>'
        )
    out.append(f'<path class="axis" d="M{LEFT} {TOP + tall}h{wide}"/>')
    everything = np.sum([s.counts for s in series], axis=0)
    middle = quantile(everything, 0.5)
    if low <= middle <= high:
        px = LEFT + wide * (middle - low) / span
        anchor, shift = ("start", 4) if px < LEFT + wide * 0.7 else ("end", -4)
        out.append(
            f'<path class="median" d="M{px:.1f} {TOP}v{tall}"/><text x="{px + shift:.1f}" y="{TOP + 10}"'
            f' text-anchor="{anchor}">median {number(middle, 3, "m")}</text>'
        )
    outside = f"; {total - shown:,} outside the axis" if total > shown else ""
    out.append(
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 7}" text-anchor="middle">{escape(label)}</text><text x="12"'
        f' y="{TOP + tall / 2}" text-anchor="middle" transform="rotate(-90 12 {TOP + tall / 2})">% per {step}'
        f" mm</text></svg><figcaption>{total:,} segments{outside}.</figcaption></figure>"
    )
    return Markup("".join(out))


def nice_top(highest: float) -> tuple[float, float]:
    """Return the end of an axis that starts at zero, and the distance of its ticks."""
    if not highest > 0:
        return 1.0, 0.5
    power = 10.0 ** np.floor(np.log10(highest / 4))
    tick = next(float(m * power) for m in (1.0, 2.0, 2.5, 5.0, 10.0) if highest / (m * power) <= 5)
    return float(np.ceil(highest / tick - 1e-9) * tick), tick


_STEPS = (1.0, 1.2, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The ends of a scale with five ticks, and the digits after the point that write all of them exactly."""

    low: float
    high: float
    decimals: int


def nice_scale(low: float, high: float, *, is_whole: bool = False) -> Scale:
    """Return the smallest scale with five round ticks that holds a range.

    Parameters
    ----------
    low, high : float
        Finite. A range that is not negative and begins below half of its end is shown from zero, and so is a single
        value.
    is_whole : bool
        Numbers of something: ticks are whole.
    """
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0)
    elif 0.0 <= low < 0.5 * high:
        low = 0.0
    span = high - low if high > low else 1.0
    power = 10.0 ** np.floor(np.log10(span / 4))
    for step in (float(np.round(m * power * t, 12)) for t in (1.0, 10.0) for m in _STEPS):
        start = float(np.floor(low / step + 1e-9) * step)
        if is_whole and step != round(step):
            continue
        if start + 4 * step >= high - 1e-9 * span:
            break
    digits = next((d for d in range(12) if abs(step * 10**d - round(step * 10**d)) < 1e-6 * step * 10**d), 12)
    return Scale(low=round(start, 12), high=round(start + 4 * step, 12), decimals=digits)


def axis_range(histogram_mm: np.ndarray, *, from_zero: bool) -> tuple[float, float]:
    """Return a range in whole decimetres that holds 99 % of the counts (0.5 % left out at each end)."""
    low, high = quantile(histogram_mm, 0.005), quantile(histogram_mm, 0.995)
    if not (np.isfinite(low) and np.isfinite(high)):
        return (0.0, 1.0) if from_zero else (-0.5, 1.0)
    low = 0.0 if from_zero else np.floor(low * 10 - 0.5) / 10
    high = np.ceil(high * 10 + 0.5) / 10
    low, high = max(low, LOWEST_MM / 1000 + 0.1), min(max(high, low + 0.4), 14.0)
    return float(round(low, 1)), float(round(high, 1))
