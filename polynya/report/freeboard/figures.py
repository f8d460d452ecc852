"""The figures of the freeboard report: two maps, the along-track panel's frame, histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..beams import MISSING, BeamNumbers, BeamTable
from ..histograms import Series, axis_range, histogram
from ..html import Markup, escape
from ..polar_map import (
    Frame,
    Projection,
    colour_bar,
    coloured_track,
    frame_around,
    graticule,
    land,
    project,
    scale_bar,
    svg,
)
from .tables import CLASS_LABELS, strength

TRACK_CELLS = 360
"""Cells along the granule that the map colours; each shows the mean freeboard inside it."""


def maps(beams: Sequence[BeamTable], *, projection: Projection) -> Markup:
    """Return the overview and the close map of the track coloured by freeboard.

    Parameters
    ----------
    beams : sequence of BeamTable
        Segments of each beam.
    projection : Projection
        Of the maps.
    """
    pieces = track_pieces(beams, projection=projection)
    if not pieces:
        return Markup('<section id="map"><h2>Where</h2><p>No segment has a latitude and longitude.</p></section>')
    means = np.concatenate([p[2] for p in pieces])
    means = means[np.isfinite(means)]
    high = max(0.2, float(np.ceil(np.quantile(means, 0.98) * 5) / 5)) if len(means) else 0.6
    x = np.concatenate([p[0] for p in pieces])
    y = np.concatenate([p[1] for p in pieces])
    near = frame_around(x, y, projection, width=640, height=420)
    reach = max(4.2e6, float(np.hypot(x, y).max()) * 1.08)
    far = Frame(projection=projection, left=-reach, top=reach, scale=420 / (2 * reach), width=420, height=420)
    left, top = far.pixels(np.array([near.left]), np.array([near.top]))
    wide, tall = near.width / near.scale * far.scale, near.height / near.scale * far.scale
    grow = max(0.0, 9.0 - wide) / 2
    box = (
        f'<rect class="box" x="{left[0] - grow:.1f}" y="{top[0] - grow:.1f}" width="{wide + 2 * grow:.1f}"'
        f' height="{tall + 2 * grow:.1f}"/>'
    )
    overview = svg(
        far,
        [
            f'<path class="land" d="{land(far)}"/>',
            graticule(far, meridians=30, parallels=10, labels=False),
            _far_labels(far),
            coloured_track(far, pieces[:: max(1, len(pieces) // 400)], low=0.0, high=high, width=2.5),
            box,
        ],
        identifier="map-overview",
        label="Overview map with the track",
    )
    close = svg(
        near,
        [
            f'<path class="land" d="{land(near)}"/>',
            graticule(near),
            coloured_track(near, pieces, low=0.0, high=high, width=4.0),
            scale_bar(near),
        ],
        identifier="map-close",
        label="Map of the track coloured by total freeboard",
    )
    shelf = " Ice shelves are not drawn." if projection.sign < 0 else ""
    bar = colour_bar(low=0.0, high=high, label=f"mean total freeboard, m (last colour: {high:g} m and above)")
    return Markup(
        '<section id="map"><h2>Where</h2><div'
        f' class="maps"><figure>{overview}</figure><figure>{close}</figure></div><div'
        f' class="caption">{bar}<p>{escape(projection.name)}.'
        " The box on the left is the map on the right; the ring follows the cursor of the panel"
        f" below.{shelf}</p></div></section>"
    )


def track_pieces(
    beams: Sequence[BeamTable], *, projection: Projection
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (x, y, mean freeboard) of each unbroken piece of every beam, in metres, one point per cell."""
    start = min(float(b.columns["x_atc"][0]) for b in beams)
    stop = max(float(b.columns["x_atc"][-1]) for b in beams)
    cell = max((stop - start) / TRACK_CELLS, 50.0)
    out = []
    for beam in beams:
        index = ((beam.columns["x_atc"] - start) / cell).astype(np.int64)
        first = np.flatnonzero(np.concatenate([[True], np.diff(index) != 0]))
        value = beam.freeboard_mm
        good = value != MISSING
        n = np.add.reduceat(good.astype(np.int32), first)
        total = np.add.reduceat(np.where(good, value, 0).astype(np.int64), first)
        mean = np.where(n > 0, total / np.maximum(n, 1) / 1000.0, np.nan)
        last = np.append(first[1:], len(index)) - 1
        rows = np.column_stack([first, last])
        x, y = project(beam.columns["latitude"][rows], beam.columns["longitude"][rows], projection)
        good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        x, y, mean, held = x[good], y[good], mean[good], index[first][good]
        if not len(held):
            continue
        cuts = np.flatnonzero(np.diff(held) > 1) + 1
        for part in np.split(np.arange(len(held)), cuts):
            tail = part[-1:]
            out.append(
                (
                    np.append(x[part, 0], x[tail, 1]),
                    np.append(y[part, 0], y[tail, 1]),
                    np.append(mean[part], mean[tail]),
                )
            )
    return out


def _far_labels(frame: Frame) -> str:
    sign = frame.projection.sign
    out = []
    for latitude in (60, 70, 80):
        x, y = project(
            np.array([sign * latitude]),
            np.array([frame.projection.central_longitude + (0 if sign > 0 else 180)]),
            frame.projection,
        )
        px, py = frame.pixels(x, y)
        if 10 < py[0] < frame.height - 4:
            out.append(
                f'<text class="gridlabel" x="{px[0] + 2:.1f}"'
                f' y="{py[0] - 2:.1f}">{latitude}\u00b0{"N" if sign > 0 else "S"}</text>'
            )
    for longitude, name in ((0, "0\u00b0"), (90, "90\u00b0E"), (180, "180\u00b0"), (-90, "90\u00b0W")):
        turn = np.radians(longitude - frame.projection.central_longitude)
        dx, dy = np.sin(turn), sign * np.cos(turn)
        reach = min(frame.width / 2 / max(abs(dx), 1e-9), frame.height / 2 / max(abs(dy), 1e-9))
        px = float(np.clip(frame.width / 2 + dx * reach, 20, frame.width - 20))
        py = float(np.clip(frame.height / 2 + dy * reach, 10, frame.height - 10))
        out.append(f'<text class="gridlabel" text-anchor="middle" x="{px:.1f}" y="{py + 4:.1f}">{name}</text>')
    return "".join(out)


def profile_panel(beams: Sequence[BeamTable], about: dict) -> Markup:
    """Return the frame of the along-track panel; the script fills it."""
    buttons = "".join(
        f'<button type="button" role="radio" aria-checked="false" data-beam="{escape(b.name)}">{escape(b.name)}'
        f" <small>{strength(is_strong=b.is_strong)}</small></button>"
        for b in beams
    )
    moves = (
        ("out", "\u2212", "zoom out (\u2212)"),
        ("in", "+", "zoom in (+)"),
        ("back", "\u25c0", "move back (\u2190)"),
        ("forth", "\u25b6", "move forth (\u2192)"),
        ("all", "whole track", "whole track (Home)"),
        ("stretch", "next stretch", "next stretch of data (s)"),
        ("lead-back", "\u25c0 lead", "lead before (p)"),
        ("lead-forth", "lead \u25b6", "next lead (n)"),
    )
    tools = "".join(
        f'<button type="button" data-move="{k}" title="{escape(t)}">{escape(v)}</button>' for k, v, t in moves
    )
    swatches = "".join(f'<span><i class="sw c{k}"></i>{escape(n)}</span>' for k, n in enumerate(CLASS_LABELS))
    swatches += (
        '<span><i class="sw sea-line"></i>sea surface \u00b11\u03c3</span><span><i class="sw lead-mark"></i>lead'
        " (hollow: not used)</span>"
    )
    stored = "every segment" if not about["bin_m"] else f"{about['bin_m']:g} m bins, and single segments around leads"
    return Markup(
        '<section id="profile"><h2>Along the track</h2><div class="tools"><div class="group" role="radiogroup"'
        f' aria-label="beam">{buttons}</div><div class="group">{tools}</div></div><div'
        f' class="swatches">{swatches}</div><div id="readout" aria-live="off"></div><div id="panel"><canvas id="plot"'
        ' tabindex="0" role="img" aria-label="Heights, classes, freeboard and photon rates along the'
        ' track"></canvas><canvas id="cursor"></canvas></div><canvas id="strip" role="img" aria-label="Classes of the'
        ' whole track; drag to move"></canvas><p class="note"><span id="view-note"></span> Stored in this page:'
        f" {escape(stored)}. Wheel or +/\u2212 to zoom, drag or arrows to move, shift and drag for a range, double"
        " click to come closer, Home for the whole track, n and p for leads. The address keeps the"
        ' view.</p><noscript><p class="note">The panel needs JavaScript; all tables and maps do'
        " not.</p></noscript></section>"
    )


def histograms(beams: Sequence[BeamTable], stats: dict[str, BeamNumbers]) -> Markup:
    """Return histograms of freeboard and height for strong and weak beams, stacked by class."""
    freeboard = np.sum([s.freeboard_histogram.sum(axis=0) for s in stats.values()], axis=0)
    height = np.sum([s.height_histogram.sum(axis=0) for s in stats.values()], axis=0)
    free_range, height_range = axis_range(freeboard, from_zero=True), axis_range(height, from_zero=False)
    figures = []
    for strong in (True, False):
        group = [stats[b.name] for b in beams if b.is_strong == strong]
        if not group:
            continue
        for name, span, label in (
            ("freeboard", free_range, "total freeboard, m"),
            ("height", height_range, "height above the mean sea surface, m"),
        ):
            counts = np.sum([getattr(s, f"{name}_histogram") for s in group], axis=0)
            series = [Series(name=CLASS_LABELS[k], style=f"c{k}", counts=counts[k]) for k in (2, 1, 0, 3)]
            width = 0.02 if span[1] - span[0] <= 2.0 else 0.05
            figures.append(
                histogram(
                    series,
                    title=f"{name.capitalize()}, {strength(is_strong=strong)} beams",
                    label=label,
                    low=span[0],
                    high=span[1],
                    bin_m=width,
                    identifier=f"hist-{name}-{strength(is_strong=strong)}",
                )
            )
    swatches = "".join(f'<span><i class="sw c{k}"></i>{escape(n)}</span>' for k, n in enumerate(CLASS_LABELS))
    return Markup(
        f'<section id="histograms"><h2>Distributions</h2><div class="swatches">{swatches}</div><div'
        f' class="figures">{"".join(figures)}</div></section>'
    )
