"""The report of mapped glaciers: scene with outlines and uncertainty band, probability, areas, parts by colour, scores,
reliability. One page, nothing to fetch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
from odc.geo.geobox import GeoBox

from ..glaciers.agreement import CAUTION, MEANING, Agreement
from ..metrics import Estimate
from . import glacier_layers, grid_picture, html, layered_map, training
from .html import Markup, escape, number

KINDS = {
    "bright_ice": "#4aa8e0",
    "dark_ice": "#c9733a",
    "ice_without_colour": "#9aa0a8",
    "bright_ground_left_out": "#f2d541",
}
"""Colours of the parts in :data:`polynya.glaciers.agreement.NAMES`, in that order."""
MOST_GLACIERS = 200
ENDS = ("low", "high")
SIMULATED = "Simulated scene: no satellite measured it. Nothing here is a result about real glaciers."
SCORES = ("iou", "precision", "recall", "area_deviation", "false_alarm_rate")
WORDS = {
    "iou": "IoU",
    "f1": "F1",
    "area_deviation": "area deviation",
    "false_alarm_rate": "false alarms",
    "polis": "PoLiS distance",
    "p95_distance": "95th percentile of distances",
    "given": "this map",
    "all_glacier": "all glacier",
    "dem_only": "DEM only",
    "boundary_f1_1px": "boundary F1, 1 pixel",
    "boundary_f1_2px": "boundary F1, 2 pixels",
}


@dataclass(frozen=True, kw_only=True)
class MappedScene:
    """What the page of a mapped scene shows.

    Attributes
    ----------
    title : str
        Name of the scene.
    facts : dict
        Scene, model and settings in words, in order.
    outlines : geopandas.GeoDataFrame
        With the attributes of :data:`polynya.io.polygons.ATTRIBUTES` that are known.
    geobox : odc.geo.GeoBox
        Grid of the pictures: decimate large scenes first (``geobox.zoom_out``), to 1000 pixels or so.
    optical : numpy.ndarray or None, shape (6, h, w)
        Reflectance on that grid; NaN where missing.
    probability : numpy.ndarray or None, shape (h, w)
        Of glacier, on that grid.
    confidence : numpy.ndarray or None, shape (h, w)
        Probability that the class is right, on that grid.
    differences : numpy.ndarray of uint8 or None, shape (h, w)
        1 where only the map has ice, 2 where only the reference has it, 0 elsewhere, on that grid.
    cover : numpy.ndarray of uint8 or None, shape (h, w)
        1 clean ice, 2 debris-covered ice, on that grid.
    cover_text : str
        How much that is, in words.
    not_seen : numpy.ndarray of bool or None, shape (h, w)
        Pixels that the image does not show, on that grid; None where it shows all.
    not_seen_text : str
        How much that is, in words.
    band : geopandas.GeoDataFrame or None
        The uncertainty band.
    inventory, reference : geopandas.GeoDataFrame or None
        Outlines of others.
    confident : float
        Confidence below which a pixel lies in the band.
    total : Estimate or None
        Total area with its interval, km².
    no_interval : str
        Why there is none, in words.
    agreement : polynya.glaciers.agreement.Agreement or None
        Parts of the map by colour.
    notes : tuple of str
        Findings of the quality checks and other warnings.
    evaluation : pyarrow.Table or None
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    reliability : sequence of (n, mean probability, frequency) or None
        Bins of a reliability diagram.
    is_simulated : bool
        Whether the scene was simulated.
    """

    title: str
    facts: dict[str, object]
    outlines: gpd.GeoDataFrame
    geobox: GeoBox
    optical: np.ndarray | None = None
    probability: np.ndarray | None = None
    confidence: np.ndarray | None = None
    differences: np.ndarray | None = None
    cover: np.ndarray | None = None
    cover_text: str = ""
    not_seen: np.ndarray | None = None
    not_seen_text: str = ""
    band: gpd.GeoDataFrame | None = None
    inventory: gpd.GeoDataFrame | None = None
    reference: gpd.GeoDataFrame | None = None
    confident: float = 0.95
    total: Estimate | None = None
    no_interval: str = ""
    agreement: Agreement | None = None
    notes: tuple[str, ...] = ()
    evaluation: pa.Table | None = None
    reliability: Sequence[tuple[float, float, float]] | None = None
    is_simulated: bool = False


def write(path: Path, mapped: MappedScene) -> Path:
    """Write the page: total area, map, what to know before using it, glaciers, parts by colour, scores.

    Parameters
    ----------
    path : Path
        The HTML file.
    mapped : MappedScene
        What it shows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    outlines = mapped.outlines.sort_values("area_km2", ascending=False)
    body = [
        f'<p class="brand">polynya glaciers</p><h1>{escape(mapped.title)}</h1>',
        f'<p class="simulated">{SIMULATED}</p>' if mapped.is_simulated else "",
        html.fact_list(mapped.facts.items()),
        result(outlines, mapped.total, not_seen=mapped.not_seen_text, cover=mapped.cover_text),
    ]
    layers = _layers(mapped, outlines)
    has_map = any(isinstance(x, layered_map.Picture) and x.is_base for x in layers)
    if has_map:
        body.append(
            f"<section><h2>Map</h2>{layered_map.figure(layers, mapped.geobox, title='Map of glaciers')}</section>"
        )
    body.append(html.warnings(mapped.notes))
    about = interval_text(mapped.total, reason=mapped.no_interval)
    body.append(f"<section><h2>Glaciers</h2>{area_table(outlines, has_map=has_map)}{about}</section>")
    if mapped.agreement is not None and mapped.agreement.strata:
        body.append(colour_section(mapped.agreement, mapped.optical, mapped.geobox, not_seen=mapped.not_seen))
    if mapped.evaluation is not None:
        scores = f"{score_table(mapped.evaluation)}{boundary_table(mapped.evaluation)}"
        body.append(f"<section><h2>Against {escape(_reference(mapped.evaluation))}</h2>{scores}</section>")
    if mapped.reliability:
        figure = reliability_figure(mapped.reliability)
        body.append(f"<section><h2>Calibration</h2><div class=figures>{figure}</div></section>")
    parts = layered_map.page_parts(mapped.geobox) if has_map else {}
    return html.write_text(path, html.page(title=f"{mapped.title}: glaciers", body=body, **parts))


def _layers(mapped: MappedScene, outlines: gpd.GeoDataFrame) -> list[layered_map.Layer]:
    """Return the layers of the map from below to above."""
    numbers = tuple(str(k) for k in range(1, min(len(outlines), MOST_GLACIERS) + 1))
    seen = np.empty(0) if mapped.confidence is None else mapped.confidence[np.isfinite(mapped.confidence)]
    doubtful = float(np.mean(seen < mapped.confident)) if seen.size else 0.0
    differences = {"name": "differences", "title": "where map and reference differ"}
    return [
        *glacier_layers.bases(mapped.optical, mapped.probability, mapped.confidence),
        *glacier_layers.of_classes(mapped.cover, glacier_layers.CLASSES, name="cover", title="what covers the ice"),
        *glacier_layers.of_classes(mapped.differences, glacier_layers.DIFFERENCES, **differences),
        *glacier_layers.not_seen(mapped.not_seen),
        *glacier_layers.over(
            outlines,
            numbers=numbers,
            band=mapped.band,
            confident=mapped.confident,
            doubtful=doubtful,
            inventory=mapped.inventory,
            reference=mapped.reference,
        ),
    ]


def _reference(evaluation: pa.Table) -> str:
    names = evaluation["reference"].to_pylist()
    return str(names[0]) if names else "the reference"


def result(outlines: gpd.GeoDataFrame, total: Estimate | None, *, not_seen: str = "", cover: str = "") -> Markup:
    """Return the sentence that says what was found, and the one that says what was not seen."""
    area = total.value if total is not None else float(outlines["area_km2"].sum()) if len(outlines) else 0.0
    interval = (
        f" (95 % interval {number(total.low, 2)} to {number(total.high, 2)})"
        if total is not None and math.isfinite(total.low)
        else ""
    )
    n = len(outlines)
    return Markup(
        f'<section id="result"><p class="result"><strong>{number(area, 2)}\u202fkm²</strong> of ice in {n:,}'
        f" outline{'' if n == 1 else 's'}{interval}.</p>"
        + (f"<p>{escape(cover[:1].upper() + cover[1:])}, by red / SWIR1.</p>" if cover else "")
        + (f"<p>{escape(not_seen[:1].upper() + not_seen[1:])}.</p>" if not_seen else "")
        + "</section>"
    )


NO_PROBABILITIES = "the map has no probabilities that they could rest on"


def interval_text(total: Estimate | None, *, reason: str = "") -> Markup:
    """Return what the intervals contain, or why there are none, in words."""
    if total is None:
        return Markup("")
    if not math.isfinite(total.low):
        return Markup(f'<p class="note">No intervals: {escape(reason or NO_PROBABILITIES)}.</p>')
    return Markup(
        '<p class="note">Intervals cover the uncertainty of the margins, as far as the probabilities are calibrated on'
        " scenes like this one. They cover neither glaciers that were missed altogether, nor ice divides, nor an image"
        " taken on a bad day.</p>"
    )


def colour_section(
    agreement: Agreement, optical: np.ndarray | None, geobox: GeoBox, *, not_seen: np.ndarray | None = None
) -> Markup:
    """Return the parts of a map by colour: a map, their areas, and what they are not."""
    rows = []
    for s in agreement.strata:
        swatch = Markup(
            f'<span class="sw" style="background:{KINDS[s.name]}"></span>{escape(s.name.replace("_", " "))}'
        )
        rows.append(
            (
                swatch,
                number(s.area_km2, 3),
                html.percent(s.shaded, 1.0) if math.isfinite(s.shaded) else html.DASH,
                html.percent(s.cloudy, 1.0) if math.isfinite(s.cloudy) else html.DASH,
            )
        )
    table = html.table(("part", "area, km²", "without sun", "under cloud"), rows)
    words = "".join(
        f"<div><dt>{escape(n.replace('_', ' '))}</dt><dd>{escape(MEANING[n])}</dd></div>"
        for n in (s.name for s in agreement.strata)
    )
    rule, shadow = escape(agreement.rule), escape(agreement.shadow)
    note = f'<p class="note">Rule: {rule}. Without sun: {shadow}. {escape(CAUTION)}</p>'
    has_map = agreement.kinds is not None and optical is not None
    figure = kind_map(agreement.kinds, optical, geobox, not_seen=not_seen) if has_map else ""
    return Markup(
        f'<section><h2>By colour</h2><div class=figures>{figure}<div>{table}<dl class="words"'
        f' style="margin-top:14px">{words}</dl>{note}</div></div></section>'
    )


def kind_map(kinds: np.ndarray, optical: np.ndarray, geobox: GeoBox, *, not_seen: np.ndarray | None = None) -> Markup:
    """Return the parts by colour over the scene in grey, hatched where it was not seen."""
    pair = optical[[2, 3]]
    seen = np.isfinite(pair)
    grey = np.where(seen.any(axis=0), np.where(seen, pair, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan)
    known = np.isfinite(grey)
    low, high = np.quantile(grey[known], [0.02, 0.98]) if known.any() else (0.0, 1.0)
    level = np.clip((np.nan_to_num(grey) - low) / max(high - low, 1e-6), 0.0, 1.0)
    rgb = np.repeat(np.where(known, 40 + 200 * level, 0.0)[..., None], 3, axis=2)
    for k, name in enumerate(KINDS, 1):
        colour = np.array([int(KINDS[name][i : i + 2], 16) for i in (1, 3, 5)], float)
        rgb[kinds == k] = (0.45 + 0.55 * level[kinds == k][:, None]) * colour
    rgb, key = glacier_layers.hatched(np.clip(rgb, 0, 255).astype(np.uint8), not_seen)
    return grid_picture.figure(rgb, geobox, [], title="Parts by colour, over red and near infrared", key=key)


def area_table(outlines: gpd.GeoDataFrame, *, most: int = MOST_GLACIERS, has_map: bool = False) -> Markup:
    """Return the largest outlines with area and interval, elevation, slope, aspect and confidence; numbered, the
    numbers lead to the map where there is one."""
    shown = outlines.sort_values("area_km2", ascending=False).head(most).to_dict("records")
    has = {c: any(row.get(c) for row in shown) for c in ("rgi_id", "glac_name")}
    has_cover = "debris_km2" in outlines.columns and outlines["debris_km2"].notna().any()
    head = (
        "number",
        *(("glacier",) if has["rgi_id"] else ()),
        *(("name",) if has["glac_name"] else ()),
        "area, km²",
        "95 % interval",
        *(("debris-covered, km²", "95 % interval") if has_cover else ()),
        "elevation, m",
        "median",
        "slope, °",
        "aspect, °",
        "confidence",
    )
    rows = [
        (
            Markup(f'<button type="button" data-k="{k}" title="show on the map">{k}</button>') if has_map else k,
            *((row.get("rgi_id") or "not in the inventory",) if has["rgi_id"] else ()),
            *((row.get("glac_name") or "",) if has["glac_name"] else ()),
            number(row["area_km2"], 3),
            _range(row.get("area_low_km2"), row.get("area_high_km2"), 3),
            *((number(row["debris_km2"], 3), _range(*(row[f"debris_{e}_km2"] for e in ENDS), 3)) if has_cover else ()),
            _range(row.get("zmin_m"), row.get("zmax_m"), 0),
            number(row.get("zmed_m"), 0),
            number(row.get("slope_deg"), 1),
            number(row.get("aspect_deg"), 0),
            number(row.get("confidence"), 2),
        )
        for k, row in enumerate(shown, 1)
    ]
    more = (
        f"<p>The {most} largest of {len(outlines):,}; the outline files hold all.</p>" if len(outlines) > most else ""
    )
    return Markup(html.table(head, rows, text_columns=1 + sum(has.values())) + more)


def _range(low: object, high: object, decimals: int) -> str:
    a, b = number(low, decimals), number(high, decimals)
    return html.DASH if html.DASH in (a, b) else f"{a} to {b}"


def score_table(evaluation: pa.Table) -> Markup:
    """Return the scores by stratum, and those of the rules beside."""
    found = {(r["prediction"], r["stratum"], r["metric"]): r for r in evaluation.to_pylist()}
    columns = [c for c in SCORES if any(k[2] == c for k in found)]
    rows = []
    for prediction, stratum in dict.fromkeys(k[:2] for k in found if k[2] in SCORES):
        cells = [_cell(found.get((prediction, stratum, c))) for c in columns]
        if any(c != html.DASH for c in cells):
            n = max((r["n"] for k, r in found.items() if k[:2] == (prediction, stratum)), default=0)
            rows.append(
                (WORDS.get(prediction, prediction.replace("_", " ")), stratum.replace("_", " "), *cells, f"{n:,}")
            )
    table = html.table(("map", "stratum", *(WORDS.get(c, c) for c in columns), "n"), rows, text_columns=2)
    note = (
        "n counts pixels, or outlines. Clean and debris-covered: pixels whose nearest ice is of that kind. In brackets:"
        " 95 % intervals from blocks of 3.2 km drawn again."
    )
    return Markup(f'{table}<p class="note">{note}</p>')


def boundary_table(evaluation: pa.Table) -> Markup:
    """Return areas, distances between boundaries and calibration."""
    rows = [
        (
            WORDS.get(r["metric"], r["metric"].replace("_", " ")),
            _cell(r),
            "" if r["units"] == "1" else r["units"],
            f"{r['n']:,}",
        )
        for r in evaluation.to_pylist()
        if r["prediction"] == "given" and r["stratum"] == "all" and r["metric"] not in (*SCORES, "share_of_reference")
    ]
    return html.table(("measure", "value, 95 % interval", "unit", "n"), rows)


def _cell(row: dict | None) -> str:
    if row is None or not row["n"] or row["value"] is None or not math.isfinite(row["value"]):
        return html.DASH
    digits = 3 if abs(row["value"]) < 100 and row["units"] != "m" else 1
    value = number(row["value"], digits)
    return (
        f"{value} ({number(row['low'], min(digits, 2))} to {number(row['high'], min(digits, 2))})"
        if row["low"] is not None and math.isfinite(row["low"])
        else value
    )


def reliability_figure(
    bins: Sequence[tuple[float, float, float]], *, title: str = "How often it was ice at a mapped probability"
) -> Markup:
    """Return the reliability diagram of (n, mean probability, frequency) bins."""
    return training.reliability_figure([{"reliability": list(bins)}], title, ["glacier"])
