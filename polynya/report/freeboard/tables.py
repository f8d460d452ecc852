"""The tables of the freeboard report: beams, leads, means, sea surface, quality, provenance."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...schema import QUALITY_BITS, SEA_SURFACE_SOURCES
from ..beams import BeamNumbers, BeamTable, array, beam_codes, quantile
from ..html import DASH, Markup, escape, number, percent, table

CLASS_LABELS = ("thick or snow-covered ice", "thin ice", "open water", "unclassified")
LEAD_ROWS = 200
"""Leads listed in the page; the widest where there are more."""

QUALITY_WORDS = {
    "few_photons": "few photons: the height's own uncertainty is a weak estimate",
    "geoid_instead_of_mean_sea_surface": (
        "no mean sea surface here: the geoid stands in, moved to the mean sea surface around where there is one"
    ),
    "no_first_photon_bias_correction": "first-photon bias not corrected: bright surfaces may read centimetres high",
    "correction_missing": "a correction is missing over more than 10 km: held, or 0 where there is none",
    "background_contaminated": "background photons are a large share of the segment",
    "next_to_gap": "next to a gap in the data",
    "sea_surface_filled": "sea surface filled from neighbouring sections, not from leads within reach",
    "saturated_shots": "saturated shots, as over mirror-like water",
    "degraded_pointing": "the satellite's orbit or pointing is degraded: heights may be wrong by decimetres",
    "correction_interpolated": "a correction or the mean sea surface is interpolated or held, or cuts the track nearby",
    "melt_season": "melt season: ponds return light as leads do, so the sea surface is less certain",
    "water_contradicts_ice_concentration": "more water found than the ice concentration leaves room for",
    "leads_scatter": "leads differ in height by more than their errors: some may be ice",
    "leads_only_bright": "only brightness speaks for water: too few leads are lower than the ice around them",
    "swell": "swell runs through the ice: leads lie on crests and in troughs",
}


def strength(*, is_strong: bool) -> str:
    """Return the word for a beam's strength."""
    return "strong" if is_strong else "weak"


def key_numbers(stats: dict[str, BeamNumbers], *, n_leads: int) -> Markup:
    """Return the row of large numbers under the summary."""
    total = sum(int(s.counts.sum()) for s in stats.values())
    photons = sum(s.n_photons for s in stats.values())
    pairs = [
        ("segments", f"{total:,}"),
        ("photons in them", f"{photons:,}"),
        ("leads", f"{n_leads:,}"),
        ("open water", percent(sum(int(s.counts[2]) for s in stats.values()), total)),
        ("with sea surface", percent(sum(s.with_sea_surface for s in stats.values()), total)),
        ("unclassified", percent(sum(int(s.counts[3]) for s in stats.values()), total)),
    ]
    return Markup(
        '<dl class="key">' + "".join(f"<div><dd>{escape(v)}</dd><dt>{escape(k)}</dt></div>" for k, v in pairs) + "</dl>"
    )


def class_table(beams: Sequence[BeamTable], stats: dict[str, BeamNumbers], *, leads: pa.Table | None) -> Markup:
    """Return class shares, freeboard and leads, one row per beam and one for each strength."""
    counted: dict[str, int] = {}
    if leads is not None and leads.num_rows:
        names, codes = beam_codes(leads)
        counted = dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))
    rows = [_class_row(b.name, strength(is_strong=b.is_strong), [stats[b.name]], counted.get(b.name, 0)) for b in beams]
    for strong in (True, False):
        group = [b for b in beams if b.is_strong == strong]
        if len(group) > 1:
            rows.append(
                _class_row(
                    "all",
                    strength(is_strong=strong),
                    [stats[b.name] for b in group],
                    sum(counted.get(b.name, 0) for b in group),
                )
            )
    head = (
        "beam",
        "strength",
        "segments",
        "thick ice",
        "thin ice",
        "open water",
        "unclassified",
        "sea surface",
        "leads",
        "mean freeboard",
        "median",
        "5\u201395 %",
        "mean \u03c3 of a segment",
    )
    if not rows:
        return Markup("")
    return Markup(
        '<section id="classes"><h2>Surface classes and freeboard by'
        f" beam</h2>{table(head, rows, text_columns=2, identifier='class-table')}</section>"
    )


def _class_row(name: str, kind: str, group: Sequence[BeamNumbers], n_leads: int) -> list[object]:
    counts = np.sum([s.counts for s in group], axis=0)
    total = int(counts.sum())
    with_free = int(np.sum([s.freeboard_counts for s in group]))
    freeboard = float(np.sum([s.freeboard_sums for s in group])) / with_free if with_free else None
    histogram = np.sum([s.freeboard_histogram.sum(axis=0) for s in group], axis=0)
    low, middle, high = (quantile(histogram, q) for q in (0.05, 0.5, 0.95))
    span = f"{number(low, 2)} to {number(high, 2, 'm')}" if with_free else DASH
    sigma = sum(s.sigma_sum for s in group) / with_free if with_free else None
    shares = [percent(int(c), total) for c in counts]
    return [
        name,
        kind,
        f"{total:,}",
        *shares,
        percent(sum(s.with_sea_surface for s in group), total),
        f"{n_leads:,}",
        number(freeboard, 3, "m"),
        number(middle, 3, "m"),
        span,
        number(sigma, 3, "m"),
    ]


def lead_table(leads: pa.Table | None, *, origin: float) -> Markup:
    """Return the leads, the widest where there are many; a click on a row shows it in the panel."""
    title = "<h2>Leads</h2>"
    if leads is None or leads.num_rows == 0:
        why = (
            "The folder holds no leads.parquet."
            if leads is None
            else "No lead was found: no run of open-water segments passed the lead criteria."
        )
        return Markup(f'<section id="leads">{title}<p>{why}</p></section>')
    names, codes = beam_codes(leads)
    c = {
        n: array(leads, n)
        for n in (
            "is_strong",
            "x_atc",
            "time",
            "latitude",
            "longitude",
            "length",
            "n_segments",
            "n_photons",
            "height",
            "height_uncertainty",
            "photon_rate",
            "is_specular",
            "is_used",
        )
    }
    n = leads.num_rows
    chosen = np.arange(n)
    if n > LEAD_ROWS:
        chosen = np.argsort(-np.nan_to_num(c["length"], nan=-1.0), kind="stable")[:LEAD_ROWS]
    chosen = chosen[np.lexsort((c["x_atc"][chosen], codes[chosen]))]
    rows = []
    for k in chosen.tolist():
        km = (c["x_atc"][k] - origin) / 1000.0
        stamp = (
            ""
            if c["time"][k] == np.iinfo(np.int64).min
            else str(np.datetime64(int(c["time"][k]), "ns").astype("datetime64[ms]")).split("T")[1]
        )
        link = (
            Markup(f'<a href="#profile" data-beam="{escape(names[codes[k]])}" data-km="{km:.4f}">{number(km, 3)}</a>')
            if np.isfinite(km)
            else DASH
        )
        rows.append(
            [
                names[codes[k]],
                strength(is_strong=bool(c["is_strong"][k])),
                stamp or DASH,
                (link, f"{km:.4f}"),
                number(c["latitude"][k], 4),
                number(c["longitude"][k], 4),
                number(c["length"][k], 0),
                f"{c['n_segments'][k]:,}",
                f"{c['n_photons'][k]:,}",
                number(c["height"][k], 3),
                number(c["height_uncertainty"][k], 3),
                number(c["photon_rate"][k], 1),
                "specular" if c["is_specular"][k] else "weaker",
                "yes" if c["is_used"][k] else "no",
            ]
        )
    head = (
        "beam",
        "strength",
        "UTC",
        "along track, km",
        "latitude",
        "longitude",
        "length, m",
        "segments",
        "photons",
        "height, m",
        "\u03c3, m",
        "photons per shot",
        "return",
        "used",
    )
    more = (
        f"<p>The {LEAD_ROWS} widest are listed; {n - LEAD_ROWS:,} more in leads.parquet.</p>" if n > LEAD_ROWS else ""
    )
    used = int(np.count_nonzero(c["is_used"]))
    return Markup(
        f'<section id="leads">{title}<p>{n:,} lead{"s" if n != 1 else ""}; {used:,} entered a sea-surface section.'
        " Height is above the mean sea surface. A return is specular above 11 photons per shot of a strong beam (a weak"
        " beam's are multiplied by 4): calm water. Weaker ones come from dark, rough or narrow leads. "
        "Click a column to sort, a distance to see the lead in the"
        f" panel.</p>{table(head, rows, text_columns=3, identifier='lead-table', sort_keys=True)}{more}</section>"
    )


def mean_table(means: object) -> Markup:
    """Return freeboard over fixed lengths with the random and the correlated part of its uncertainty.

    A row of ``means`` says ``beam``, ``length_km`` (a number, or ``track``), ``freeboard``, ``uncertainty`` and its two
    parts, ``n`` segments in a mean, and perhaps ``n_bins`` means; several rows of one beam and length are averaged.
    """
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in means if isinstance(means, list) else []:
        if isinstance(row, dict) and row.get("length_km") is not None:
            length = _float(row["length_km"])
            groups.setdefault(
                (str(row.get("beam", "")), f"{length:g} km" if length is not None else str(row["length_km"])), []
            ).append(row)
    rows = []
    for (beam, length), group in groups.items():
        n = _weighted(group, "n")
        bins = [v for v in (_float(r.get("n_bins")) for r in group) if v is not None]
        cells = [
            number(_weighted(group, key), 4)
            for key in ("freeboard", "uncertainty_random", "uncertainty_correlated", "uncertainty")
        ]
        rows.append([beam, length, number(sum(bins) if bins else len(group), 0), number(n, 0), *cells])
    if not rows:
        return Markup("")
    head = (
        "beam",
        "mean over",
        "means",
        "segments in each",
        "freeboard, m",
        "random part, m",
        "correlated part, m",
        "uncertainty, m",
    )
    return Markup(
        '<section id="means"><h2>Mean freeboard over 1, 10 and 25'
        f" km</h2>{table(head, rows, text_columns=2, identifier='mean-table')}<p class=note>Photon noise averages away"
        " with the number of segments (random part). What neighbouring segments share does not: the sea surface, the"
        " mean sea surface, the tides and the atmosphere correction (correlated part). All are one standard"
        " uncertainty of one such mean.</p></section>"
    )


def _weighted(group: list[dict], key: str) -> float | None:
    pairs = [(_float(r.get("n_bins")) or 1.0, _float(r.get(key))) for r in group]
    pairs = [(n, v) for n, v in pairs if v is not None]
    return sum(n * v for n, v in pairs) / sum(n for n, _ in pairs) if pairs else None


def _float(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None


def difference_table(differences: object) -> Markup:
    """Return beam-to-beam differences of the sea surface."""
    found = [r for r in (differences if isinstance(differences, list) else []) if isinstance(r, dict)]
    if not found:
        return Markup("")
    more = [
        (k, w)
        for k, w in (("expected_sd", "expected sd, m"), ("chi2", "mean square over expected"))
        if any(k in r for r in found)
    ]
    rows = [
        [
            f"{r.get('beam_a', '')} \u2212 {r.get('beam_b', '')}",
            number(r.get("n"), 0),
            number(r.get("mean"), 4),
            number(r.get("sd"), 4),
            *(number(r.get(k), 2 if k == "chi2" else 4) for k, _ in more),
        ]
        for r in found
    ]
    head = ("beams", "sections", "mean difference, m", "sd, m", *(w for _, w in more))
    return Markup(
        '<section id="differences"><h2>Sea surface, beam against'
        f" beam</h2>{table(head, rows, identifier='difference-table')}<p class=note>Beams a few kilometres apart see"
        " nearly the same sea surface. A mean difference well beyond its uncertainty points at a range bias or at"
        " leads that are not water.</p></section>"
    )


def source_table(beams: Sequence[BeamTable], stats: dict[str, BeamNumbers], *, sea_surface: pa.Table | None) -> Markup:
    """Return where the sea surface of the segments and of the sections comes from."""
    if not beams:
        return Markup("")
    sections: dict[str, np.ndarray] = {}
    if sea_surface is not None and sea_surface.num_rows:
        names, codes = beam_codes(sea_surface)
        source = array(sea_surface, "sea_surface_source").clip(0, 3)
        sections = {n: np.bincount(source[codes == k], minlength=4) for k, n in enumerate(names)}
    words = {
        "none": "none",
        "leads": "leads in reach",
        "two_sided_fill": "filled, two sides",
        "one_sided_fill": "filled, one side",
    }
    rows = []
    for b in beams:
        part = stats[b.name].sources
        held = sections.get(b.name)
        rows.append(
            [
                b.name,
                strength(is_strong=b.is_strong),
                *(percent(int(part[v]), int(part.sum())) for v, _ in SEA_SURFACE_SOURCES),
                *(
                    (f"{int(held[1]):,}", f"{int(held[2] + held[3]):,}", f"{int(held[0]):,}")
                    if held is not None
                    else (DASH, DASH, DASH)
                ),
            ]
        )
    head = (
        "beam",
        "strength",
        *(f"segments: {words[n]}" for _, n in SEA_SURFACE_SOURCES),
        "sections from leads",
        "filled",
        "without",
    )
    return Markup(
        '<section id="sources"><h2>Where the sea surface comes'
        f" from</h2>{table(head, rows, text_columns=2, identifier='source-table')}</section>"
    )


def quality_table(beams: Sequence[BeamTable], stats: dict[str, BeamNumbers]) -> Markup:
    """Return how many segments carry each quality bit, by strength."""
    groups = [(strength(is_strong=s), [stats[b.name] for b in beams if b.is_strong == s]) for s in (True, False)]
    groups = [(name, g) for name, g in groups if g]
    if not groups:
        return Markup("")
    totals = [sum(int(s.counts.sum()) for s in g) for _, g in groups]
    rows: list[list[object]] = [
        ["0", "no flag", "best", *_pairs([sum(s.unflagged for s in g) for _, g in groups], totals)]
    ]
    for k, (bit, name) in enumerate(QUALITY_BITS):
        rows.append(
            [
                str(bit),
                name,
                QUALITY_WORDS.get(name, ""),
                *_pairs([sum(int(s.quality[k]) for s in g) for _, g in groups], totals),
            ]
        )
    head = ("bit", "name", "meaning", *(cell for name, _ in groups for cell in (f"{name}: segments", "share")))
    return Markup(
        f'<section id="quality"><h2>Quality flags</h2>{table(head, rows, text_columns=3, identifier="quality-table")}<p'
        " class=note>A segment may carry several bits.</p></section>"
    )


def _pairs(counts: Sequence[int], totals: Sequence[int]) -> list[str]:
    return [cell for c, t in zip(counts, totals, strict=True) for cell in (f"{c:,}", percent(c, t))]


def legend() -> Markup:
    """Return what the words and the missing values mean."""
    items = (
        (
            "Total freeboard",
            (
                "height of the snow or ice surface above the local sea surface. The laser sees the snow, so snow is"
                " included. It is not sea-ice freeboard."
            ),
        ),
        (
            "Height",
            (
                "corrected surface height above the mean sea surface, tides and atmosphere removed as the configuration"
                " below says."
            ),
        ),
        (
            "Missing freeboard (NaN)",
            (
                "no sea surface within reach of the segment, too little evidence that its leads are water, or no"
                " height. Such segments are grey on the map and leave gaps in the panel."
            ),
        ),
        (
            "Unclassified (\u22121)",
            (
                "too few photons, too much background, or cloud: the return does not say what the surface is. It is not"
                " a fourth kind of surface."
            ),
        ),
        ("\u00b1 and \u03c3", "one standard uncertainty. Bands in the panel are \u00b11\u03c3."),
        (
            "Lead",
            (
                "a run of neighbouring open-water segments. Calm water returns many photons (specular); dark, rough and"
                " narrow leads fewer."
            ),
        ),
    )
    return Markup(
        '<section id="legend"><h2>How to read this page</h2><dl class="words">'
        + "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in items)
        + "</dl></section>"
    )


def provenance(run: dict, *, title: str) -> Markup:
    """Return inputs, command, versions and configuration, as far as the run says them."""
    if not run:
        return Markup(
            '<section id="provenance"><h2>Provenance</h2><p>The folder holds no run.json: how these numbers were made'
            " is not recorded.</p></section>"
        )
    parts = ['<section id="provenance"><h2>Provenance</h2>']
    command = run.get("command")
    if isinstance(command, list) and command:
        parts.append(f"<h3>Command</h3><pre>{escape(shlex.join(str(c) for c in command))}</pre>")
    elif command:
        parts.append(f"<h3>Command</h3><pre>{escape(command)}</pre>")
    facts = [
        ("polynya", run.get("polynya")),
        ("made", run.get("time")),
        ("seed", run.get("seed")),
        ("classifier", run.get("classifier")),
        ("sea surface", run.get("sea_surface_method")),
    ]
    for key, value in run.items():
        if "versions" in key and isinstance(value, dict):
            facts += [(str(k), v) for k, v in value.items() if k != "polynya"]
    rows = [[k, v] for k, v in facts if v is not None]
    if rows:
        parts.append("<h3>Versions and methods</h3>" + table(("what", "value"), rows, text_columns=2))
    inputs = [r for r in run.get("inputs") or [] if isinstance(r, dict)] if isinstance(run.get("inputs"), list) else []
    if inputs:
        keys = [
            k
            for k in ("granule", "product", "release", "orientation", "size", "sha256")
            if any(r.get(k) is not None for r in inputs)
        ]
        cells = [[_plain(r.get(k)) for k in keys] for r in inputs]
        parts.append(
            "<h3>Inputs</h3>" + table(["bytes" if k == "size" else k for k in keys], cells, text_columns=len(keys))
        )
        notes = [str(n) for r in inputs if isinstance(r.get("notes"), list) for n in r["notes"]]
        parts.append(f"<ul>{''.join(f'<li>{escape(n)}</li>' for n in notes)}</ul>" if notes else "")
    if isinstance(run.get("beams"), dict) and run["beams"]:
        known = [(k, v) for k, v in run["beams"].items() if isinstance(v, dict)]
        keys = list(
            dict.fromkeys(key for _, v in known for key, x in v.items() if isinstance(x, (int, float, str, bool)))
        )
        parts.append(
            "<h3>Beams as processed</h3>"
            + table(("beam", *keys), [[k, *(_plain(v.get(key)) for key in keys)] for k, v in known])
        )
    if run.get("config"):
        config = json.dumps(run["config"], indent=1, default=str, ensure_ascii=False)
        parts.append(f"<details><summary>Configuration</summary><pre>{escape(config)}</pre></details>")
    parts.append(
        "<p class=note>Coastline: Natural Earth 1:50m, public domain; ice shelves are not in it. Colours: viridis"
        f" (CC0). Cite the ICESat-2 product named above with its release when figures of {escape(title)} are"
        " shown.</p></section>"
    )
    return Markup("".join(parts))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value, 3)
    return DASH if value is None else str(value)
