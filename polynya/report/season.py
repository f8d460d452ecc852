"""The page of a season: maps per period, chords of leads and floes, tables; one file that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..physics import gridding
from ..schema import counted
from ..schema.gridded import FLOE_EDGES_M, GRID_VARIABLES, LEAD_EDGES_M, SAMPLING_FLAGS
from .histograms import Scale, nice_scale, nice_top
from .html import Markup, escape, fact_list, number, page, percent, table, write_text
from .map_cells import coloured_cells, dots
from .polar_map import (
    NORTH,
    SOUTH,
    Frame,
    colour_bar,
    frame_around,
    graticule,
    land,
    scale_bar,
    svg,
)

MAP_PIXELS = (540, 430)
CHORD_PIXELS = (540, 250)
LEFT, RIGHT, TOP, BOTTOM = 52, 26, 26, 42
LEAST_DOTTED = 5.0
"""Flagged cells smaller than this, pixels, have a muted colour in place of a dot, which would hide theirs."""


@dataclass(frozen=True, kw_only=True)
class Season:
    """What a page shows.

    Attributes
    ----------
    grid : gridding.Grid
    estimates : gridding.Estimates
    names : mapping of int to str
        First day of a period, days since 1970 -> what it is called.
    periods : tuple of dict
        One row per period, of the workflow.
    granules : tuple of dict
        ``granule``, ``status``, ``message`` and ``numbers`` of each.
    messages : tuple of str
    leave_out : tuple of str
        Quality bits that were left out.
    """

    grid: gridding.Grid
    estimates: gridding.Estimates
    names: Mapping[int, str]
    periods: tuple[dict, ...]
    granules: tuple[dict, ...]
    messages: tuple[str, ...]
    leave_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Map:
    """One map: which variable, its title, and how its scale is found."""

    name: str
    title: str
    label: str
    decimals: int = 3
    least: float = 0.1
    is_signed: bool = False
    is_number: bool = False


MAPS = (
    _Map(name="total_freeboard", title="Total freeboard of ice", label="m", least=0.2),
    _Map(name="total_freeboard_uncertainty", title="Its standard uncertainty", label="m", least=0.02),
    _Map(name="lead_fraction", title="Share of leads", label="share of segments", least=0.01),
    _Map(name="thin_ice_fraction", title="Share of thin ice", label="share of segments", least=0.01),
    _Map(name="sea_surface_height", title="Sea surface above the mean sea surface", label="m", is_signed=True),
    _Map(name="roughness", title="Roughness within 1 km", label="m"),
    _Map(name="floe_length", title="Mean chord of floes", label="m", decimals=0, least=100.0),
    _Map(name="n_tracks", title="Passes", label="passes in the cell", decimals=0, least=4.0, is_number=True),
)


def write(path: Path, season: Season) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The file to write.
    season : Season
        What it shows.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    return write_text(path, render(season))


def render(season: Season) -> str:
    """Return the page as text.

    Parameters
    ----------
    season : Season
        What it shows.
    """
    frame = _frame(season)
    body: list[str] = [_header(season), *(_sentence(row) for row in season.periods)]
    if season.messages:
        body.append(f'<ul class="messages">{"".join(f"<li>{escape(m)}</li>" for m in season.messages)}</ul>')
    for period, name in season.names.items():
        body.append(_maps(season, period, name=name, frame=frame))
        body.append(_chords(season, period, name=name))
    body += [_period_table(season), _granule_table(season), _words(season)]
    return page(title=_title(season), body=body)


def _title(season: Season) -> str:
    names = list(season.names.values())
    when = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return "Sea ice of the whole season" if when == "all" else f"Sea ice, {when}"


def _header(season: Season) -> str:
    grid = season.grid
    used = sum(g["status"] != "failed" for g in season.granules)
    facts = (
        ("granules", f"{used} of {len(season.granules)}"),
        ("cells", f"{grid.cell_m / 1000:g} km, {grid.crs}"),
        ("periods", str(len(season.names))),
    )
    return f'<header><p class="brand">polynya grid</p><h1>{escape(_title(season))}</h1>{fact_list(facts)}</header>'


def _sentence(row: dict) -> str:
    name = "" if row["period"] == "all" else f"{row['period']}: "
    mean = row.get("total_freeboard")
    if mean is None or not np.isfinite(mean):
        return f'<p class="result">{escape(name)}no freeboard: no ice segment has a sea surface.</p>'
    parts = ", ".join(
        f"{number(row[f'total_freeboard_uncertainty_{k}'], decimals)} {text}"
        for k, text, decimals in (("random", "random", 5), ("track", "per pass", 4), ("common", "common", 4))
    )
    return (
        f'<p class="result">{escape(name)}mean total freeboard <strong>{number(mean, 3)} ±'
        f" {number(row['total_freeboard_uncertainty'], 3, 'm')}</strong> ({parts}) over all ice segments of"
        f" {counted(row['n_tracks'], 'pass')} on {counted(row['n_days'], 'day')}, in {counted(row['n_cells'], 'cell')};"
        f" {row['n_cells_flagged']:,} flagged.</p>"
    )


def _frame(season: Season) -> Frame:
    grid, cell = season.grid, season.estimates.cell
    x, y = grid.x[cell % grid.columns], grid.y[cell // grid.columns]
    half = 0.5 * grid.cell_m
    x, y = np.concatenate([x - half, x + half]), np.concatenate([y - half, y + half])
    return frame_around(
        x,
        y,
        NORTH if grid.is_north else SOUTH,
        width=MAP_PIXELS[0],
        height=MAP_PIXELS[1],
        least_m=12 * grid.cell_m,
    )


def _maps(season: Season, period: int, *, name: str, frame: Frame) -> str:
    here = season.estimates.period == period
    cell = season.estimates.cell[here]
    grid = season.grid
    x, y = grid.x[cell % grid.columns], grid.y[cell // grid.columns]
    values = {k: np.asarray(v[here], np.float64) for k, v in season.estimates.values.items()}
    coast, lines = land(frame), graticule(frame)
    is_small = grid.cell_m * frame.scale < LEAST_DOTTED
    out = []
    for shown in MAPS:
        value = (
            np.where(values["n_tracks"] > 0, values["n_tracks"], np.nan)
            if shown.name == "n_tracks"
            else values[shown.name]
        )
        if not np.isfinite(value).any():
            out.append(f"<figure><figcaption>{shown.title}: no cell has a value.</figcaption></figure>")
            continue
        scale = _scale(value, shown)
        flagged = np.isfinite(value) & (values["sampling_flag"] != 0) & (shown.name != "n_tracks")
        inside = [
            f'<path class="land" d="{coast}"/>',
            coloured_cells(
                frame,
                x,
                y,
                value,
                side=grid.cell_m,
                low=scale.low,
                high=scale.high,
                is_muted=flagged if is_small else None,
            ),
            lines,
            scale_bar(frame),
        ]
        if not is_small:
            inside.insert(2, dots(frame, x[flagged], y[flagged], side=grid.cell_m))
        picture = svg(frame, inside, identifier=f"map-{name}-{shown.name}", label=f"{shown.title}, {name}")
        bar = colour_bar(
            low=scale.low,
            high=scale.high,
            label=f"{shown.label} (ends: {scale.low:g} and below, {scale.high:g} and above)"
            if shown.is_signed
            else f"{shown.label} (last colour: {scale.high:g} and above)",
            decimals=scale.decimals,
            missing="",
        )
        n = int(np.isfinite(value).sum())
        out.append(
            f"<figure><h3>{shown.title}</h3>{picture}{bar}<figcaption>{counted(n, 'cell')}; median"
            f" {number(np.nanmedian(value), shown.decimals)}.</figcaption></figure>"
        )
    head = "Maps" if name == "all" else f"Maps of {name}"
    note = (
        f'<p class="note">{"Greyish colours mark" if is_small else "A dot marks"} a flagged cell: few passes, one day,'
        " few segments, or doubt about its sea surface (see the table of flags): all its means are less certain than"
        " they look. Cells without a value are not drawn.</p>"
    )
    return f'<section><h2>{escape(head)}</h2>{note}<div class="figures">{"".join(out)}</div></section>'


def _scale(value: np.ndarray, shown: _Map) -> Scale:
    low, high = (float(q) for q in np.nanquantile(value, [0.02, 0.98]))
    low = low if shown.is_signed else 0.0
    return nice_scale(low, max(high, low + shown.least), is_whole=shown.is_number)


def _chords(season: Season, period: int, *, name: str) -> str:
    here = season.estimates.period == period
    cut = int(season.estimates.values["n_floes_cut"][here].sum())
    leads = _bars(
        season.estimates.lead_count[here].sum(axis=0), LEAD_EDGES_M, title="Chords of leads", noun="lead", style="c2"
    )
    floes = _bars(
        season.estimates.floe_count[here].sum(axis=0),
        FLOE_EDGES_M,
        title="Chords of floes",
        noun="whole floe",
        note=f"; {cut:,} more cut by gaps, cloud or the ends of tracks, long ones more often",
        style="c0",
    )
    head = "Leads and floes" if name == "all" else f"Leads and floes of {name}"
    return f'<section><h2>{escape(head)}</h2><div class="figures">{leads}{floes}</div></section>'


def _bars(count: np.ndarray, edges: Sequence[float], *, title: str, noun: str, style: str, note: str = "") -> Markup:
    """Return a bar per length bin, all of one width; their edges are labelled."""
    total = int(count.sum())
    if total == 0:
        return Markup(f"<figure><figcaption>{escape(title)}: none.</figcaption></figure>")
    wide, tall = CHORD_PIXELS[0] - LEFT - RIGHT, CHORD_PIXELS[1] - TOP - BOTTOM
    share = 100.0 * count / total
    top, tick = nice_top(float(share.max()))
    out = [
        f'<figure><svg viewBox="0 0 {CHORD_PIXELS[0]} {CHORD_PIXELS[1]}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="{LEFT}" y="15">{escape(title)}</text>'
    ]
    for k in range(round(top / tick) + 1):
        y = TOP + tall * (1 - k * tick / top)
        out.append(
            f'<path class="rule" d="M{LEFT} {y:.1f}h{wide}"/><text x="{LEFT - 5}" y="{y + 4:.1f}"'
            f' text-anchor="end">{k * tick:g}</text>'
        )
    step = wide / count.size
    for k, value in enumerate(share.tolist()):
        high = tall * value / top
        out.append(
            f'<rect class="{style}" x="{LEFT + k * step + 1:.1f}" y="{TOP + tall - high:.1f}" width="{step - 2:.1f}"'
            f' height="{high:.1f}"><title>{edges[k]:g}-{edges[k + 1]:g} m: {int(count[k]):,}</title></rect>'
        )
    for k, edge in enumerate(edges):
        label = f"{edge / 1000:g} km" if edge >= 1000 else f"{edge:g} m" if edge else "0"
        is_last = k == len(edges) - 1
        out.append(
            f'<path class="axis" d="M{LEFT + k * step:.1f} {TOP + tall}v4"/><text x="{LEFT + k * step:.1f}"'
            f' y="{TOP + tall + 16}" text-anchor="middle">{label}{"+" * is_last}</text>'
        )
    out.append(
        f'<path class="axis" d="M{LEFT} {TOP + tall}h{wide}"/><text x="{LEFT + wide / 2}" y="{CHORD_PIXELS[1] - 6}"'
        f' text-anchor="middle">length along the track</text><text x="12" y="{TOP + tall / 2}" text-anchor="middle"'
        f' transform="rotate(-90 12 {TOP + tall / 2})">% of chords</text></svg>'
        f"<figcaption>{counted(total, noun)}{escape(note)}.</figcaption></figure>"
    )
    return Markup("".join(out))


def _period_table(season: Season) -> str:
    rows = []
    for p in season.periods:
        seen = p["n_classified"] + p["n_left_out"] + p["n_unclassified"]
        rows.append(
            [
                p["period"],
                f"{p['n_cells']:,}",
                f"{p['n_cells_flagged']:,}",
                f"{p['n_tracks']:,}",
                p["n_days"],
                f"{p['n_segments']:,}",
                percent(p["n_left_out"], seen),
                percent(p["n_unclassified"], seen),
                *(_plus_minus(p, k, d) for k, d in (("total_freeboard", 3), ("sea_surface_height", 3))),
                *(_plus_minus(p, k, d) for k, d in (("roughness", 3), ("lead_fraction", 3), ("thin_ice_fraction", 3))),
            ]
        )
    head = ["period", "cells", "flagged", "passes", "days", "ice segments", "left out", "cloud", "freeboard, m"]
    head += ["sea surface, m", "roughness, m", "leads", "thin ice"]
    note = (
        '<p class="note">Means over all segments of the period, not weighted by area; ± one standard uncertainty.</p>'
    )
    return f"<section><h2>Periods</h2>{table(head, rows)}{note}</section>"


def _plus_minus(row: dict, name: str, decimals: int) -> str:
    return f"{number(row.get(name), decimals)} ± {number(row.get(f'{name}_uncertainty'), decimals)}"


def _granule_table(season: Season) -> str:
    rows = []
    for g in season.granules:
        n = g["numbers"]
        rows.append(
            [
                g["granule"],
                "summed" if g["status"] != "failed" else f"failed: {g['message']}",
                *(f"{int(n[k]):,}" if k in n else "" for k in ("n_cells", "n_segments", "n_freeboard", "n_left_out")),
            ]
        )
    head = ["granule", "result", "cells", "segments", "with freeboard", "left out"]
    return f"<section><h2>Granules</h2>{table(head, rows, text_columns=2)}</section>"


def _words(season: Season) -> str:
    flags = {
        "few_tracks": "fewer than three passes",
        "one_day": "all data are of one day",
        "few_segments": "fewer than 500 ice segments with a freeboard",
        "mostly_left_out": "more than half of the segments were left out or are under cloud",
        "mostly_filled": "most sea surfaces were filled from neighbouring sections",
        "melt_season": "most segments are of the melt season: ponds look like leads",
        "leads_scatter_or_swell": "at most segments leads differ by more than their errors, or there is swell",
    }
    here = season.estimates.values["sampling_flag"].astype(np.int64)
    has = np.isfinite(season.estimates.values["total_freeboard"])
    rows = [
        [bit, name.replace("_", " "), flags[name], percent(int(np.sum(has & ((here & bit) > 0))), int(has.sum()))]
        for bit, name in SAMPLING_FLAGS
    ]
    words = (
        ("random", "What each segment has for itself: photon noise. It falls with the number of segments."),
        (
            "per pass",
            "Sea surface and corrections. Beams and sections of a pass are taken as one: only more passes reduce it.",
        ),
        ("common", "Of one cause for all passes: leads frozen over, first-photon bias. Nothing reduces it."),
        (
            "not in it",
            "Passes do not see every place and day of a cell: see passes, and total_freeboard_between_tracks.",
        ),
        (
            "left out",
            "Segments without a class, and those with a quality bit: " + (", ".join(season.leave_out) or "none"),
        ),
        ("roughness", "Height spread of ice in windows of 1 km; the trend and the noise of segments are taken off."),
        ("chord", "A length along the track. It is not a diameter: a track seldom meets the middle of a floe."),
        ("files", f"grid.nc holds all {len(GRID_VARIABLES)} variables; cog/PERIOD/VARIABLE.tif one each."),
    )
    items = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in words)
    shown = table(["bit", "flag", "meaning", "cells with freeboard"], rows, text_columns=3)
    return (
        f"<section><h2>Flags of cells</h2>{shown}</section>"
        f'<section><h2>Words</h2><dl class="words">{items}</dl></section>'
    )
