"""The page of a comparison with NASA's products: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...schema import counted
from ..html import DASH, Markup, escape, fact_list, number, page, percent, table, write_text
from .figures import BINS, Line, along, binned, bridged, steps

Beams = Mapping[str, Mapping[str, np.ndarray]]
"""Columns along each beam."""

QUANTITIES = {
    "freeboard": "freeboard",
    "freeboard_same_scale": "freeboard, cut after",
    "sea_level": "sea level",
    "height": "height",
    "lead_height": "lead height",
    "mean_sea_surface": "mean sea surface",
}
"""In the order of the page."""
SECTION_KM = 10.0
"""Our sea level is drawn through gaps no longer than this: it is one plane over a section."""


def write(
    out: Path, *, tables: Mapping[str, pa.Table], tracks: Mapping[str, Beams], about: Mapping[str, object]
) -> Path:
    """Write the page.

    Parameters
    ----------
    out : Path
        The HTML file.
    tables : mapping of str to pyarrow.Table
        Those of a comparison: ``comparison``, ``compared_segments``, ``compared_leads``, ``compared_sections``,
        ``distributions``.
    tracks : mapping
        Resolution -> beam -> ``x_atc``, ``sea_surface_height``, ``sea_surface_uncertainty``, ``total_freeboard``.
    about : mapping
        ``granule``, ``results``, ``references``, ``messages``.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    title = str(about["granule"])
    scores = tables["comparison"].to_pylist()
    body = [
        _head(title, about),
        _summary(scores, about),
        _beams(tables, tracks),
        _distributions(tables["distributions"]),
        _differences(scores),
        _coverage(scores),
        _leads(scores),
        _roughness(scores),
        _by_beam(scores),
        _words(),
    ]
    return write_text(Path(out), page(title=f"Comparison of {title} with NASA", body=body))


def _head(title: str, about: Mapping[str, object]) -> Markup:
    parts = [("Result", f"{r['resolution']}: {r['folder']}") for r in about["results"]]  # type: ignore[attr-defined]
    parts += [
        (str(r["product"]), f"{r['granule']}{', simulated' if r.get('is_simulated') else ''}")
        for r in about["references"]  # type: ignore[attr-defined]
    ]
    return Markup(
        f'<header><p class="brand">polynya \u00b7 compare</p><h1>{escape(title)}</h1>{fact_list(parts)}</header>'
    )


def _chosen(scores: list[dict], **wanted: str) -> list[dict]:
    return [s for s in scores if all(s[k] == v for k, v in wanted.items())]


def _pairs(scores: list[dict]) -> list[tuple[str, str]]:
    """Return reference and resolution of each comparison, in order."""
    return list(dict.fromkeys((s["reference"], s["resolution"]) for s in scores))


def _value(
    scores: list[dict], quantity: str, statistic: str, *, region: str = "all", surface: str | None = None
) -> dict:
    wanted = {"quantity": quantity, "statistic": statistic, "region": region}
    found = _chosen(scores, **wanted, **({} if surface is None else {"surface": surface}))
    return found[0] if found else {"value": float("nan"), "n": 0, "uncertainty": float("nan"), "n_sections": 0}


def _plus_minus(score: dict, decimals: int = 3) -> str:
    if not score["n"]:
        return DASH
    return f"{number(score['value'], decimals)} \u00b1 {number(score['uncertainty'], decimals, 'm')}"


def _summary(scores: list[dict], about: Mapping[str, object]) -> Markup:
    lines = []
    for reference, resolution in _pairs(scores):
        part = _chosen(scores, reference=reference, resolution=resolution)
        words = []
        for quantity, name in (("freeboard", "freeboard"), ("sea_level", "sea level"), ("height", "height")):
            score = _value(part, quantity, "bias", surface="all")
            if score["n"]:
                words.append(f"{name} {_plus_minus(score)}")
        gained = _value(part, "coverage_freeboard", "ours_km")
        if gained["n"]:
            theirs = _value(part, "coverage_freeboard", "theirs_km")
            words.append(f"freeboard on {number(gained['value'], 1, 'km')} (NASA {number(theirs['value'], 1, 'km')})")
        text = "; ".join(words) if words else "nothing in common has a value"
        lines.append(f"<div><strong>{escape(resolution)} \u2212 {escape(reference)}:</strong> {escape(text)}</div>")
    messages = "".join(f"<li>{escape(m)}</li>" for m in about["messages"])  # type: ignore[attr-defined]
    return Markup(
        f'<section id="result"><div class="result">{"".join(lines)}</div><p class="note">Ours minus NASA\u2019s;'
        f" \u00b1 is one"
        " standard uncertainty of the mean difference, in which all segments of a 10 km section count as one sample."
        f"</p>{f'<ul class=messages>{messages}</ul>' if messages else ''}</section>"
    )


def _differences(scores: list[dict]) -> Markup:
    rows = []
    for quantity, name in QUANTITIES.items():
        for reference, resolution in _pairs(scores):
            part = _chosen(scores, quantity=quantity, reference=reference, resolution=resolution, surface="all")
            for region in ("all",) if quantity == "mean_sea_surface" else ("all", "strong", "weak"):
                bias = _value(part, quantity, "bias", region=region)
                if bias["n"]:
                    rows.append([name, reference, resolution, region, *_numbers(part, quantity, region, bias)])
    head = ("quantity", "product", "ours", "beams", *_NUMBERS)
    note = (
        '<p class="note">Robust sd is 1.4826 times the median absolute deviation. Uncertainty: b bootstrap of 10 km'
        " sections (in runs of three for what rests on a smoothed sea surface), s the products\u2019 own, taken as"
        " one shared"
        " error, where there are too few sections.</p>"
    )
    return Markup(
        f"<section"
        f' id="differences"><h2>Differences</h2>{table(head, rows, text_columns=4, identifier="difference-table")}'
        f"{note}</section>"
        if rows
        else '<section id="differences"><h2>Differences</h2><p>No quantity has a value in both.</p></section>'
    )


_NUMBERS = ("mean ours", "NASA", "bias", "\u00b1", "95 %", "median", "RMSE", "robust sd", "n", "sections")


def _numbers(part: list[dict], quantity: str, region: str, bias: dict) -> list[object]:
    def get(statistic: str) -> str:
        return number(_value(part, quantity, statistic, region=region)["value"], 3)

    mark = {"bootstrap": "b", "stated": "s"}.get(bias["uncertainty_from"], "")
    known = np.isfinite(bias["low"])
    return [
        get("mean_ours"),
        get("mean_theirs"),
        number(bias["value"], 3),
        f"{number(bias['uncertainty'], 3)} {mark}".strip(),
        f"{number(bias['low'], 3)} to {number(bias['high'], 3)}" if known else DASH,
        get("median"),
        get("rmse"),
        get("robust_sd"),
        f"{bias['n']:,}",
        f"{bias['n_sections']:,}",
    ]


def _coverage(scores: list[dict]) -> Markup:
    rows = []
    for quantity in ("freeboard", "height"):
        for reference, resolution in _pairs(scores):
            part = _chosen(scores, reference=reference, resolution=resolution)
            for region in ("all", "strong", "weak"):
                score = _value(part, f"coverage_{quantity}", "ours_km", region=region)
                if not score["n"]:
                    continue
                row: list[object] = [quantity, reference, resolution, region]
                for name in ("ours", "theirs", "both", "ours_only", "theirs_only"):
                    km, share = (
                        _value(part, f"coverage_{quantity}", f"{name}_{s}", region=region)["value"]
                        for s in ("km", "share")
                    )
                    row.append(f"{number(km, 1)} ({percent(share, 1.0)})")
                rows.append(row)
    head = ("value", "product", "ours", "beams", "in ours, km", "in NASA\u2019s", "in both", "gained", "lost")
    return Markup(
        f'<section id="coverage"><h2>Track with a value</h2>{table(head, rows, text_columns=4)}<p class="note">Share'
        f" of the"
        " stretch that both files reach, in cells of 50 m, summed over beams. Gained: in ours only; lost: in"
        " NASA\u2019s"
        " only.</p></section>"
    )


def _leads(scores: list[dict]) -> Markup:
    rows = []
    for reference, resolution in _pairs(scores):
        part = _chosen(scores, reference=reference, resolution=resolution)
        for region in ("all", "strong", "weak"):
            if not _value(part, "leads", "by_both", region=region)["n"]:
                continue
            counts = [int(_value(part, "leads", f"by_{n}", region=region)["value"]) for n in ("both", "ours", "theirs")]
            row: list[object] = [reference, resolution, region, *counts]
            for way in ("extents", "nearest"):
                recall, precision = (
                    _value(part, f"specular_segments_{way}", n, region=region) for n in ("recall", "precision")
                )
                row.append(f"{number(recall['value'], 3)}, {number(precision['value'], 3)} (n {recall['n']:,})")
            rows.append(row)
    head = (
        "product",
        "ours",
        "beams",
        "leads in both",
        "ours only",
        "NASA only",
        "specular segments, by extents",
        "by nearest segment",
    )
    shown = table(head, rows, text_columns=3) if rows else Markup("<p>Neither has a lead where both have segments.</p>")
    return Markup(
        f'<section id="leads"><h2>Leads</h2>{shown}<p class="note">A lead is in both where the extents overlap.'
        f" Specular"
        " segments: recall, precision of our water against NASA\u2019s types 2\u20135 (water) and 1 (ice);"
        " NASA\u2019s types are a"
        " reference, not the truth.</p></section>"
    )


def _roughness(scores: list[dict]) -> Markup:
    names = ("sd_within_median", "noise_rms", "within_rms", "between_rms")
    rows = []
    for reference, resolution in _pairs(scores):
        part = _chosen(scores, reference=reference, resolution=resolution, quantity="roughness")
        for region in ("all", "strong", "weak"):
            score = _value(part, "roughness", names[0], region=region)
            if score["n"]:
                values = [number(_value(part, "roughness", n, region=region)["value"], 3) for n in names]
                share = _value(part, "roughness", "share_within", region=region)["value"]
                rows.append([reference, resolution, region, *values, percent(share, 1.0), f"{score['n']:,}"])
    if not rows:
        return Markup("")
    head = (
        "product",
        "ours",
        "beams",
        "sd of ours in a segment, m",
        "its noise",
        "roughness kept",
        "NASA\u2019s, about 10 km",
        "variance kept",
        "segments",
    )
    return Markup(
        f'<section id="roughness"><h2>Roughness kept</h2>{table(head, rows, text_columns=3)}<p class="note">Over ice.'
        " Roughness kept: standard deviation of our heights inside one NASA segment, their stated noise taken off;"
        " its one"
        " height leaves this out. Variance kept: its share of the variance inside and between segments.</p></section>"
    )


def _distributions(found: pa.Table) -> Markup:
    rows = found.to_pylist()
    figures = []
    labels = {"freeboard": "total freeboard, m", "height": "height, m", "freeboard_difference": "ours minus NASA, m"}
    for quantity, label in labels.items():
        for reference in dict.fromkeys(r["reference"] for r in rows):
            series, edges = _series(rows, quantity, reference)
            if series:
                title = f"{quantity.replace('_', ' ').capitalize()}, {reference}"
                figures.append(steps(series, edges, title=title, x_label=label))
    if not figures:
        return Markup("")
    return Markup(
        f'<section id="distributions"><h2>Distributions</h2><div class="figures">{"".join(figures)}</div><p'
        f' class="note">In'
        " shares of the length of track where both have a value. Averaged: our segments averaged over NASA\u2019s;"
        " noise widens"
        " the distribution of ours as they are.</p></section>"
    )


def _series(rows: list[dict], quantity: str, reference: str) -> tuple[list[tuple[str, str, np.ndarray]], np.ndarray]:
    """Return the distributions of one figure, NASA's first, and the edges of their bins."""
    part = [r for r in rows if r["quantity"] == quantity and r["reference"] == reference]
    groups: dict[tuple[str, str], list[dict]] = {}
    for r in part:
        groups.setdefault((r["source"], r["resolution"]), []).append(r)
    series, edges = [], np.zeros(0)
    order = {"theirs": 0, "ours_averaged": 1, "ours": 2, "ours_minus_theirs": 1}
    has_theirs = False
    for (source, resolution), bins in sorted(groups.items(), key=lambda g: (order[g[0][0]], g[0][1] != "2 m")):
        if source == "theirs" and has_theirs:
            continue
        if source == "ours" and resolution == "150ph":
            continue
        has_theirs |= source == "theirs"
        names = {
            "theirs": reference,
            "ours_averaged": f"ours, {resolution}, averaged",
            "ours": f"ours, {resolution}",
            "ours_minus_theirs": f"{resolution}, averaged",
        }
        style = {"theirs": reference, "ours": "as they are"}.get(source, resolution)
        series.append((names[source], style, np.array([b["share"] for b in bins])))
        edges = np.array([b["low"] for b in bins] + [bins[-1]["high"]])
    return series, edges


def _beams(tables: Mapping[str, pa.Table], tracks: Mapping[str, Beams]) -> Markup:
    segments = tables["compared_segments"]
    strong = dict(zip(segments["beam"].to_pylist(), segments["is_strong"].to_pylist(), strict=True))
    known = segments.filter(pc.is_finite(segments["sea_level_ours"]))
    rows = {b: pc.sum(pc.equal(known["beam"], b)).as_py() or 0 for b in strong}
    names = sorted(strong, key=lambda b: (-rows[b], b))
    parts = []
    for k, beam in enumerate(names):
        figures = _beam(beam, tables, tracks)
        kind = "strong" if strong[beam] else "weak"
        parts.append(
            f"<details{' open' if k == 0 else ''}><summary>{escape(beam)}, {kind}</summary>{figures}</details>"
        )
    return Markup(f'<section id="along"><h2>Along the track</h2>{"".join(parts)}</section>') if parts else Markup("")


def _beam(beam: str, tables: Mapping[str, pa.Table], tracks: Mapping[str, Beams]) -> Markup:
    segments, sections = (_of_beam(tables[n], beam) for n in ("compared_segments", "compared_sections"))
    x = _real(segments, "x_atc")
    origin = float(np.floor(x.min() / 1e4) * 1e4)
    x_range = (float((x.min() - origin) / 1e3 - 0.1), float((x.max() - origin) / 1e3 + 0.1))
    level, board = [], []
    for resolution, beams in tracks.items():
        if beam not in beams:
            continue
        column = {n: np.asarray(v, np.float64) for n, v in beams[beam].items()}
        km = (column["x_atc"] - origin) / 1e3
        at, mean = binned(km, column["sea_surface_height"], x_range=x_range)
        _, sigma = binned(km, column["sea_surface_uncertainty"], x_range=x_range)
        mean, sigma = (bridged(at, v, gap_km=SECTION_KM) for v in (mean, sigma))
        name = f"ours, {resolution}"
        level.append(
            Line(name=f"{name} \u00b11\u03c3", style=resolution, x=at, y=mean, low=mean - sigma, high=mean + sigma)
        )
        at, mean = binned(km, column["total_freeboard"], x_range=x_range)
        board.append(Line(name=name, style=resolution, x=at, y=mean))
    for reference in dict.fromkeys(sections["reference"].to_pylist()):
        part = _first_of(sections, reference)
        y, sigma = _real(part, "sea_level_theirs"), _real(part, "sea_level_uncertainty_theirs")
        at = (_real(part, "x_atc") - origin) / 1e3
        name = f"{reference} \u00b11\u03c3" + (", from its leads" if reference == "ATL07" else "")
        level.append(Line(name=name, style=reference, x=at, y=y, low=y - sigma, high=y + sigma, is_points=True))
    atl10 = _first_of(segments, "ATL10")
    if atl10.num_rows:
        km, y = (_real(atl10, "x_atc") - origin) / 1e3, _real(atl10, "freeboard_theirs")
        at, mean = binned(km, y, x_range=x_range, weights=_real(atl10, "length"))
        board.append(Line(name="ATL10", style="ATL10", x=at, y=mean))
    width = (x_range[1] - x_range[0]) / BINS
    figures = along(level, x_range=x_range, title=f"Sea level above the mean sea surface, {beam}", y_label="m")
    figures += along(
        board, x_range=x_range, title=f"Total freeboard, means of {number(width, 2)} km, {beam}", y_label="m"
    )
    return Markup(f'{figures}<p class="note">km from x_atc {origin / 1e3:,.0f} km.</p>')


def _first_of(part: pa.Table, reference: str) -> pa.Table:
    """Return one reference's rows at the first of the resolutions: NASA's values are the same in all of them."""
    part = part.filter(pc.equal(part["reference"], reference))
    return part.filter(pc.equal(part["resolution"], part["resolution"][0])) if part.num_rows else part


def _of_beam(part: pa.Table, beam: str) -> pa.Table:
    return part.filter(pc.equal(part["beam"], beam))


def _real(part: pa.Table, name: str) -> np.ndarray:
    return part[name].to_numpy().astype(np.float64)


def _by_beam(scores: list[dict]) -> Markup:
    rows = []
    for quantity in ("freeboard", "sea_level", "height"):
        for reference, resolution in _pairs(scores):
            part = _chosen(scores, quantity=quantity, reference=reference, resolution=resolution, surface="all")
            for region in sorted({s["region"] for s in part} - {"all", "strong", "weak"}):
                bias = _value(part, quantity, "bias", region=region)
                if bias["n"]:
                    row = [QUANTITIES[quantity], reference, resolution, region]
                    rows.append([*row, *_numbers(part, quantity, region, bias)])
    if not rows:
        return Markup("")
    head = ("quantity", "product", "ours", "beam", *_NUMBERS)
    return Markup(
        f'<section id="beams"><h2>By beam</h2><details><summary>{counted(len(rows), "row")}</summary>'
        f"{table(head, rows, text_columns=4)}</details></section>"
    )


def _words() -> Markup:
    words = (
        (
            "Freeboard",
            "The mean of our freeboards inside one NASA segment. Each is at least 0, so over water noise makes this"
            " mean"
            " positive.",
        ),
        (
            "Freeboard, cut after",
            "Our mean height less our mean sea level, cut at 0 after averaging, as NASA does on its longer segments.",
        ),
        (
            "Sea level",
            "Local sea surface above the mean sea surface: ATL10\u2019s sections, or NASA\u2019s formulas on the sea"
            " surface"
            " segments of ATL07; ours at the middle of the section.",
        ),
        ("Height", "Above each product\u2019s own mean sea surface, tides and atmosphere taken off."),
    )
    cells = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in words)
    return Markup(f'<section id="words"><h2>Words</h2><dl class="words">{cells}</dl></section>')
