"""Echoes of a stretch of track as one drawing: classes, echogram, probability, maximum power and distance, one axis."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..schema.echoes import CLASS_NAMES, LEAD, OCEAN, SEA_ICE, UNKNOWN
from ..schema.lead_labels import OFF_NADIR
from . import grid_picture
from .html import Markup, escape
from .polar_map import paths
from .review_picture import png

COLOURS = {LEAD: "#c8102e", SEA_ICE: "#a9cbe3", OCEAN: "#0b3c6f", UNKNOWN: "#a7adb5"}
WORDS = {value: name.replace("_", " ") for value, name in CLASS_NAMES.items()}
REMOVE = "#7b2d8b"
LEFT, RIGHT, WIDTH = 62, 18, 1120
"""Margins and width of the drawing, in its own units."""
STRIP, PICTURE, PANEL, GAP = 14, 230, 92, 12
QUANTILES = (0.02, 0.995)
"""Of the powers: first and last colour."""
LEAST_M, MOST_M = 100.0, 10_000.0
"""Distances that the axis shows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """A stretch of track with its echoes.

    Attributes
    ----------
    first_echo : int
        Number of the first echo in the file.
    time : numpy.ndarray of datetime64, shape (n,)
    distance_km : numpy.ndarray, shape (n,)
        Along the track from the first echo.
    latitude, longitude : numpy.ndarray, shape (n,)
    columns : dict of str to numpy.ndarray, shape (n,)
        Some of :data:`polynya.schema.lead_labels.LEADS`.
    power_db : numpy.ndarray of float32, shape (gates, n)
        The nearest gate first; no gates for products without echoes.
    gate_width_m : float
        NaN where unknown.
    """

    first_echo: int
    time: np.ndarray
    distance_km: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    columns: dict[str, np.ndarray]
    power_db: np.ndarray
    gate_width_m: float


def draw(stretch: Stretch, *, limits: tuple[float, float], identifier: str) -> Markup:
    """Return the drawing of a stretch.

    Parameters
    ----------
    stretch : Stretch
        Of n echoes.
    limits : (float, float)
        Probabilities up to which there is ice and from which there are leads.
    identifier : str
        Of the element.
    """
    x = _positions(stretch)
    parts, top = [_strip(stretch, x, top=0)], float(STRIP + 4)
    if stretch.power_db.size:
        parts.append(_picture(stretch, top=top))
        top += PICTURE
    marks = _marks(stretch, x, top=top)
    if marks:
        parts.append(marks)
        top += 9
    top += GAP
    for panel in (_probability(stretch, x, limits), _power(stretch, x), _distance(stretch, x)):
        if panel is not None:
            parts.append(f'<g transform="translate(0 {top:.1f})">{panel}</g>')
            top += PANEL + GAP
    parts.append(_axis(stretch, top=top - GAP))
    height = top - GAP + 36
    first, last = stretch.first_echo, stretch.first_echo + len(x) - 1
    label = f"echoes {first:,} to {last:,}"
    return Markup(
        f'<figure><svg id="{identifier}" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg><figcaption>{escape(_caption(stretch))}</figcaption></figure>"
    )


def _place(latitude: float, longitude: float) -> str:
    return (
        f"{abs(latitude):.3f}° {'N' if latitude >= 0 else 'S'} {abs(longitude):.3f}° {'E' if longitude >= 0 else 'W'}"
    )


def _caption(stretch: Stretch) -> str:
    first, last = stretch.first_echo, stretch.first_echo + len(stretch.time) - 1
    known = np.flatnonzero(np.isfinite(stretch.latitude) & np.isfinite(stretch.longitude))
    where = ""
    if known.size:
        ends = [_place(stretch.latitude[k], stretch.longitude[k]) for k in (known[0], known[-1])]
        where = f"; {ends[0]} to {ends[1]}"
    times = stretch.time[~np.isnat(stretch.time)]
    when = f"; from {np.datetime_as_string(times[0], unit='s').replace('T', ' ')} UTC" if times.size else ""
    return f"Echoes {first:,} to {last:,}{when}{where}"


def _positions(stretch: Stretch) -> np.ndarray:
    """Return the left edge of each echo: evenly spaced, as the pixels of the picture."""
    n = len(stretch.time)
    return LEFT + (WIDTH - LEFT - RIGHT) * np.arange(n + 1) / n


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Return first and stop of runs of equal values."""
    cuts = np.flatnonzero(np.diff(values) != 0) + 1
    edges = np.concatenate([[0], cuts, [values.size]]).tolist()
    return list(pairwise(edges))


def _strip(stretch: Stretch, x: np.ndarray, *, top: float) -> str:
    classes = stretch.columns["surface_class"]
    boxes = [
        f'<rect x="{x[a]:.1f}" y="{top}" width="{max(x[b] - x[a], 0.8):.1f}" height="{STRIP}"'
        f' fill="{COLOURS[int(classes[a])]}"/>'
        for a, b in _runs(classes)
    ]
    return f'<text x="{LEFT - 6}" y="{top + 11}" text-anchor="end">class</text>{"".join(boxes)}'


def _marks(stretch: Stretch, x: np.ndarray, *, top: float) -> str:
    flags = stretch.columns["range_flag"] == OFF_NADIR
    boxes = [
        f'<rect x="{x[a]:.1f}" y="{top + 2}" width="{max(x[b] - x[a], 0.8):.1f}" height="6" fill="{REMOVE}"/>'
        for a, b in _runs(flags.astype(int))
        if flags[a]
    ]
    return f'<text x="{LEFT - 6}" y="{top + 9}" text-anchor="end">remove</text>{"".join(boxes)}' if boxes else ""


def _picture(stretch: Stretch, *, top: float) -> str:
    values = stretch.power_db.astype(np.float64)
    known = np.isfinite(values)
    low, high = np.quantile(values[known], QUANTILES) if known.any() else (0.0, 1.0)
    rgb = grid_picture.coloured(np.where(known, values, low), low=float(low), high=float(max(high, low + 1.0)))
    data = base64.b64encode(png(rgb)).decode()
    gates = len(values)
    out = [
        f'<image href="data:image/png;base64,{data}" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}"'
        f' height="{PICTURE}" preserveAspectRatio="none" style="image-rendering:pixelated"/>'
    ]
    step = next(s for s in (5, 10, 20, 50, 100) if gates / s <= 8 or s == 100)
    width = stretch.gate_width_m
    marks = [(float(k), f"{k}") for k in range(0, gates, step)]
    name = "gate"
    if np.isfinite(width):
        span = gates * width
        metres = next((s for s in (2, 5, 10, 20, 50) if span / s <= 8), 100)
        marks = [(m / width, f"{m}") for m in range(0, int(span) + 1, metres)]
        name = "range, m"
    for gate, word in marks:
        y = top + PICTURE * gate / gates
        out.append(
            f'<path class="axis" d="M{LEFT - 4} {y:.1f}h4"/><text x="{LEFT - 7}" y="{y + 4:.1f}"'
            f' text-anchor="end">{word}</text>'
        )
    middle = top + PICTURE / 2
    out.append(f'<text transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">{name}</text>')
    return "".join(out)


def _frame(name: str, ticks: Sequence[tuple[float, str]]) -> str:
    """Return the frame of a panel; ticks are (share of the height from above, word)."""
    wide = WIDTH - LEFT - RIGHT
    out = [
        f'<rect class="rule" x="{LEFT}" y="0" width="{wide}" height="{PANEL}"/>',
        f'<text transform="translate(14 {PANEL / 2}) rotate(-90)" text-anchor="middle">{escape(name)}</text>',
    ]
    for share, word in ticks:
        y = PANEL * share
        out.append(
            f'<path class="rule" d="M{LEFT} {y:.1f}h{wide}"/><text x="{LEFT - 7}" y="{y + 4:.1f}"'
            f' text-anchor="end">{word}</text>'
        )
    return "".join(out)


def _line(x: np.ndarray, share: np.ndarray, *, colour: str) -> str:
    """Return a line through shares of the height from above, broken at NaN."""
    known = np.isfinite(share)
    middle = 0.5 * (x[:-1] + x[1:])
    pieces = [(a, b) for a, b in _runs(known.astype(int)) if known[a]]
    drawn = paths(middle, PANEL * np.clip(np.nan_to_num(share), 0.0, 1.0), pieces)
    return f'<path d="{"".join(drawn)}" fill="none" stroke="{colour}" stroke-width="1.2" stroke-linecap="round"/>'


def _probability(stretch: Stretch, x: np.ndarray, limits: tuple[float, float]) -> str | None:
    p = stretch.columns["lead_probability"]
    if not np.isfinite(p).any():
        return None
    ice, lead = limits
    wide = WIDTH - LEFT - RIGHT
    band = (
        f'<rect x="{LEFT}" y="{PANEL * (1 - lead):.1f}" width="{wide}" height="{PANEL * (lead - ice):.1f}"'
        ' fill="#a7adb5" fill-opacity=".25"/>'
    )
    return band + _frame("probability", [(0.0, "1"), (0.5, "0.5"), (1.0, "0")]) + _line(x, 1.0 - p, colour="#c8102e")


def _power(stretch: Stretch, x: np.ndarray) -> str | None:
    power = stretch.columns["maximum_power_db"]
    known = np.isfinite(power)
    if not known.any():
        return None
    low, high = float(np.floor(power[known].min() / 5) * 5), float(np.ceil(power[known].max() / 5) * 5)
    high = max(high, low + 5.0)
    ticks = [((high - v) / (high - low), f"{v:g}".replace("-", "\u2212")) for v in np.linspace(low, high, 3)]
    return _frame("max power, dB", ticks) + _line(x, (high - power) / (high - low), colour="#14507a")


def _distance(stretch: Stretch, x: np.ndarray) -> str | None:
    c = stretch.columns
    if not np.isfinite(c["lead_distance"]).any():
        return None

    def share(metres: np.ndarray) -> np.ndarray:
        limited = np.clip(metres, LEAST_M, MOST_M)
        return np.log(MOST_M / limited) / np.log(MOST_M / LEAST_M)

    middle = 0.5 * (x[:-1] + x[1:])
    low, high = share(c["lead_distance_low"]) * PANEL, share(c["lead_distance_high"]) * PANEL
    known = np.isfinite(low) & np.isfinite(high)
    shapes = []
    for a, b in _runs(known.astype(int)):
        if known[a]:
            there = paths(middle[a:b], low[a:b], [(0, b - a)])[0]
            back = paths(middle[a:b][::-1], high[a:b][::-1], [(0, b - a)])[0]
            shapes.append(f"{there}L{back[1:].replace('h0', '')}Z")
    band = f'<path d="{"".join(shapes)}" fill="#14507a" fill-opacity=".22"/>'
    ticks = [(float(share(np.array(m))), w) for m, w in ((100.0, "0.1"), (300.0, "0.3"), (1e3, "1"), (3e3, "3"))]
    ticks.append((0.0, "10"))
    return band + _frame("distance, km", ticks) + _line(x, share(c["lead_distance"]), colour="#14507a")


def _axis(stretch: Stretch, *, top: float) -> str:
    total = float(stretch.distance_km[-1])
    n = len(stretch.distance_km)
    if not total > 0:
        return ""
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if total / s <= 10), 5000)
    out = []
    for km in np.arange(0.0, total + 1e-9, step):
        at = float(np.interp(km, stretch.distance_km, np.arange(n))) + 0.5
        px = LEFT + (WIDTH - LEFT - RIGHT) * at / n
        out.append(
            f'<path class="axis" d="M{px:.1f} {top}v5"/><text x="{px:.1f}" y="{top + 18}"'
            f' text-anchor="middle">{km:g}</text>'
        )
    return f'{"".join(out)}<text x="{(LEFT + WIDTH) / 2}" y="{top + 33}" text-anchor="middle">km along the track</text>'
