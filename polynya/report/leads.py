"""The page of the leads of a track: echograms of the stretches with most leads, profiles, map, counts, what to know.

One page, nothing to fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..schema import counted
from ..schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from . import echogram, html, polar_map
from .echogram import COLOURS, REMOVE, WORDS, Stretch
from .html import Markup, escape, number

__all__ = ["Page", "Places", "Stretch", "write"]

MAP_PX = (560, 460)
ORDER = (SEA_ICE, OCEAN, UNKNOWN, LEAD)
"""Of drawing on the map: leads last."""
RANGE_WORDS = {
    "keep": "keep",
    "remove_off_nadir_lead": "remove: lead beside nadir",
    "remove_no_echo": "remove: no echo",
    "not_checked_no_distance": "not checked: no distance",
}
QUALITY_WORDS = {
    "no_echo": "no echo or no position",
    "off_nadir_lead": "a lead beside nadir bends the range",
    "melt_season": "melt season: classes mean nothing",
    "open_ocean_or_low_ice_concentration": "open ocean or low ice concentration",
    "sequence_shorter_than_training": "sequence shorter than in training",
    "mode_or_mission_not_in_training": "mode or mission not in training",
    "saturated": "saturated",
    "few_sea_echoes_around": "land around: the level of power rests on few echoes",
    "latitude_not_searched": "latitude where no ice is looked for without a concentration",
}


HYPERBOLAS = (
    " A lead beside nadir answers late: over successive echoes it draws a hyperbola. Power is in dB, dark to bright."
)
BANDS = " The grey band of probabilities is unknown, the blue band of distances holds 68 %."


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The track, thinned, arrays of shape (n,).

    Attributes
    ----------
    latitude, longitude : numpy.ndarray
        Degrees; NaN at gaps.
    classes : numpy.ndarray of int8
    probability : numpy.ndarray
        NaN without a network.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    classes: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What the page shows.

    Attributes
    ----------
    title : str
    facts : dict
        File and settings in words, in order.
    counts : dict of str to dict of str to int
        ``classes``, ``unknown_by_cause``, ``quality``, ``range``, ``rule``, ``product``: echoes by name.
    numbers : dict
        As run.json has them.
    stretches : tuple of Stretch
        Drawn one below the other.
    places : Places
    messages : tuple of str
    limits : (float, float)
        Probabilities up to which there is ice and from which there are leads.
    is_simulated : bool
    """

    title: str
    facts: Mapping[str, object]
    counts: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, float]
    stretches: tuple[Stretch, ...]
    places: Places
    messages: tuple[str, ...]
    limits: tuple[float, float]
    is_simulated: bool = False


def write(path: Path, page: Page) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
        The HTML file.
    page : Page
        What it shows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    simulated = " (simulated)" if page.is_simulated else ""
    body = [
        f'<p class="brand">polynya leads</p><h1>{escape(page.title)}{simulated}</h1>',
        html.fact_list(page.facts.items()),
        _result(page),
        html.warnings(page.messages),
        _drawings(page),
        f"<section><h2>Map and counts</h2><div class=figures><div>{_map(page)}</div><div>{_counts(page)}</div></div>"
        "</section>",
        _words(page),
    ]
    return html.write_text(path, html.page(title=f"{page.title}: leads{simulated}", body=body))


def _result(page: Page) -> Markup:
    n = page.numbers
    leads = f"<strong>{number(n['n_lead'], 0)}</strong> of {counted(int(n['n_echoes']), 'echo')}"
    leads += " is a lead" if n["n_lead"] == 1 else " are leads"
    share = html.percent(n["n_lead"], n["n_lead"] + n["n_sea_ice"])
    of = (
        f" ({share} of those that are lead or ice; {counted(int(n['n_leads']), 'separate lead')})"
        if n["n_lead"]
        else ""
    )
    unknown = html.percent(n["n_unknown"], n["n_echoes"])
    remove = f" Remove {number(n['n_remove'], 0)} from ranges before freeboard is computed." if n["n_remove"] else ""
    return Markup(f'<section id="result"><p class="result">{leads}{of}; {unknown} are unknown.{remove}</p></section>')


def _key() -> str:
    return "".join(
        f'<span><span class="sw" style="background:{COLOURS[c]}"></span>{escape(WORDS[c])}</span>'
        for c in (LEAD, SEA_ICE, OCEAN, UNKNOWN)
    )


def _drawings(page: Page) -> str:
    if not page.stretches:
        return ""
    drawn = [
        echogram.draw(s, limits=page.limits, identifier=f"stretch-{k}") for k, s in enumerate(page.stretches, start=1)
    ]
    whole = sum(len(s.time) for s in page.stretches) >= page.numbers["n_echoes"]
    first = "Stretches with most lead echoes" if page.numbers["n_lead"] else "The first stretch: no echo is a lead"
    which = "The whole track." if whole else f"{first}; the map shows the whole track."
    has_echoes = any(s.power_db.size for s in page.stretches)
    has_distance = any(np.isfinite(s.columns["lead_distance"]).any() for s in page.stretches)
    remove = f'<span><span class="sw" style="background:{REMOVE}"></span>remove from ranges: lead beside nadir</span>'
    note = which + HYPERBOLAS * has_echoes + BANDS * has_distance
    remove = remove if has_distance else ""
    return (
        f'<section><h2>Echoes</h2><p class="note">{note}</p><div class="swatches">{_key()}{remove}</div>'
        f"{''.join(drawn)}</section>"
    )


def _map(page: Page) -> str:
    p = page.places
    known = np.isfinite(p.latitude) & np.isfinite(p.longitude)
    if not known.any():
        return '<p class="note">No position is known.</p>'
    projection = polar_map.NORTH if float(np.median(p.latitude[known])) >= 0 else polar_map.SOUTH
    x, y = polar_map.project(p.latitude[known], p.longitude[known], projection)
    frame = polar_map.frame_around(x, y, projection, width=MAP_PX[0], height=MAP_PX[1], least_m=20_000.0)
    px, py = frame.pixels(x, y)
    classes = p.classes[known]
    inside = [f'<path class="land" d="{polar_map.land(frame)}"/>', polar_map.graticule(frame)]
    radius = 2.2 if px.size < 1500 else 1.6
    for value in ORDER:
        at = np.flatnonzero(classes == value)
        if at.size:
            dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(px[at], py[at], strict=True))
            wide = 2 * radius * (1.5 if value == LEAD else 1.0)
            inside.append(
                f'<path d="{dots}" stroke="{COLOURS[value]}" stroke-width="{wide:g}" stroke-linecap="round"'
                ' fill="none"/>'
            )
    inside.append(polar_map.scale_bar(frame))
    picture = polar_map.svg(frame, inside, identifier="map", label="Track by class")
    return f"<figure>{picture}<figcaption>Track by class, {projection.name}</figcaption></figure>{_swatches()}"


def _swatches() -> str:
    return f'<div class="swatches">{_key()}</div>'


def _counts(page: Page) -> str:
    n = page.numbers["n_echoes"]
    c = page.counts

    def rows(found: Mapping[str, int], words: Mapping[str, str] | None = None) -> list[tuple[str, str, str]]:
        return [
            ((words or {}).get(name, name.replace("_", " ")), number(count, 0), html.percent(count, n))
            for name, count in found.items()
        ]

    head = ("echoes", "share")
    parts = []
    beside = [(title, c[key]) for title, key in (("rule", "rule"), ("product", "product")) if c[key]]
    columns = ("class", *head, *(t for t, _ in beside))
    table = [
        (name, count, share, *(number(found[key], 0) for _, found in beside))
        for (name, count, share), key in zip(rows(c["classes"]), c["classes"], strict=True)
    ]
    parts.append(html.table(columns, table))
    for title, key, words in (
        ("Why unknown", "unknown_by_cause", None),
        ("Use of ranges", "range", RANGE_WORDS),
        ("Quality", "quality", QUALITY_WORDS),
    ):
        if c[key]:
            parts.append(Markup(f"<h3>{title}</h3>{html.table(('', *head), rows(c[key], words))}"))
    return "".join(parts)


def _words(page: Page) -> str:
    parts = [
        "A lead echo has a lead within the distance that the network learned (above; 300 m for the shipped one), or"
        " fulfils"
        " the rule. Unknown is a class: it is counted, and shares of leads are of lead and ice echoes only.",
        "Widths are along the track, not across the lead. Rows and columns: docs/leads.",
    ]
    if page.counts["rule"] or page.counts["product"]:
        parts.append(
            "The rule's and the product's classes are outputs of thresholds on the same echoes: that they agree is no"
            " skill."
        )
    return f"<section><h2>What the numbers are</h2><p class=note>{' '.join(parts)}</p></section>"
