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
import shapely
from odc.geo.geobox import GeoBox

from ..glaciers.agreement import CAUTION, MEANING, Agreement
from ..metrics import Estimate
from . import grid_picture, html, training
from .html import Markup, escape, number

OUTLINE, BAND = "#101418", "#ffb000"
NOT_SEEN = ("#8a6fb0", "#c9bfd9")
"""Colours of the hatching of pixels that the image does not show."""
KINDS = {
    "bright_ice": "#4aa8e0",
    "dark_ice": "#c9733a",
    "ice_without_colour": "#9aa0a8",
    "bright_ground_left_out": "#f2d541",
}
"""Colours of the parts in :data:`polynya.glaciers.agreement.NAMES`, in that order."""
WIDE_BAND = 0.3
"""Share of the scene from which the uncertainty band is drawn paler, to leave the scene to be seen."""
MOST_GLACIERS = 200
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
    not_seen : numpy.ndarray of bool or None, shape (h, w)
        Pixels that the image does not show, on that grid; None where it shows all.
    not_seen_text : str
        How much that is, in words.
    band : geopandas.GeoDataFrame or None
        The uncertainty band.
    confident : float
        Confidence below which a pixel lies in it.
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
    """

    title: str
    facts: dict[str, object]
    outlines: gpd.GeoDataFrame
    geobox: GeoBox
    optical: np.ndarray | None = None
    probability: np.ndarray | None = None
    not_seen: np.ndarray | None = None
    not_seen_text: str = ""
    band: gpd.GeoDataFrame | None = None
    confident: float = 0.95
    total: Estimate | None = None
    no_interval: str = ""
    agreement: Agreement | None = None
    notes: tuple[str, ...] = ()
    evaluation: pa.Table | None = None
    reliability: Sequence[tuple[float, float, float]] | None = None


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
    outlines = mapped.outlines
    body = [
        f'<p class="brand">polynya glaciers</p><h1>{escape(mapped.title)}</h1>',
        html.fact_list(mapped.facts.items()),
        result(outlines, mapped.total, not_seen=mapped.not_seen_text),
    ]
    maps = []
    if mapped.optical is not None:
        maps.append(
            scene_map(
                mapped.optical,
                mapped.geobox,
                outlines=outlines,
                band=mapped.band,
                confident=mapped.confident,
                not_seen=mapped.not_seen,
            )
        )
    if mapped.probability is not None:
        maps.append(probability_map(mapped.probability, mapped.geobox, outlines=outlines, not_seen=mapped.not_seen))
    if maps:
        body.append(f"<section><h2>Map</h2><div class=figures>{''.join(maps)}</div></section>")
    body.append(html.warnings(mapped.notes))
    about = interval_text(mapped.total, reason=mapped.no_interval)
    body.append(f"<section><h2>Glaciers</h2>{area_table(outlines)}{about}</section>")
    if mapped.agreement is not None and mapped.agreement.strata:
        body.append(colour_section(mapped.agreement, mapped.optical, mapped.geobox))
    if mapped.evaluation is not None:
        scores = f"{score_table(mapped.evaluation)}{boundary_table(mapped.evaluation)}"
        body.append(f"<section><h2>Against {escape(_reference(mapped.evaluation))}</h2>{scores}</section>")
    if mapped.reliability:
        figure = reliability_figure(mapped.reliability)
        body.append(f"<section><h2>Calibration</h2><div class=figures>{figure}</div></section>")
    return html.write_text(path, html.page(title=f"{mapped.title}: glaciers", body=body))


def _reference(evaluation: pa.Table) -> str:
    names = evaluation["reference"].to_pylist()
    return str(names[0]) if names else "the reference"


def result(outlines: gpd.GeoDataFrame, total: Estimate | None, *, not_seen: str = "") -> Markup:
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


def colour_section(agreement: Agreement, optical: np.ndarray | None, geobox: GeoBox) -> Markup:
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
    figure = kind_map(agreement.kinds, optical, geobox) if agreement.kinds is not None and optical is not None else ""
    return Markup(
        f'<section><h2>By colour</h2><div class=figures>{figure}<div>{table}<dl class="words"'
        f' style="margin-top:14px">{words}</dl>{note}</div></div></section>'
    )


def kind_map(kinds: np.ndarray, optical: np.ndarray, geobox: GeoBox) -> Markup:
    """Return the parts by colour over the scene in grey."""
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
    return grid_picture.figure(
        np.clip(rgb, 0, 255).astype(np.uint8), geobox, [], title="Parts by colour, over red and near infrared", key=""
    )


def false_colour(optical: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a picture of a scene, 0 where nothing is known, and which bands it shows.

    SWIR1, NIR, red (ice turquoise, debris and rock brown) or, without SWIR, NIR, red, green; each band stretched from
    its 2nd to its 98th percentile.

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        Reflectance; NaN where missing.

    Returns
    -------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
    bands : str
    """
    seen = [bool(np.isfinite(b).any()) for b in optical]
    chosen, words = ((4, 3, 2), "SWIR1, NIR, red") if seen[4] else ((3, 2, 1), "NIR, red, green")
    rgb = np.zeros((*optical.shape[1:], 3), np.uint8)
    known = np.isfinite(optical[list(chosen)]).all(axis=0)
    if not known.any():
        return rgb, words
    for k, b in enumerate(chosen):
        low, high = np.quantile(optical[b][known], [0.02, 0.98])
        rgb[..., k] = np.where(
            known, np.clip(1 + 254 * (np.nan_to_num(optical[b]) - low) / max(high - low, 1e-6), 1, 255), 0
        ).astype(np.uint8)
    return rgb, words


def scene_map(
    optical: np.ndarray,
    geobox: GeoBox,
    *,
    outlines: gpd.GeoDataFrame,
    band: gpd.GeoDataFrame | None = None,
    confident: float = 0.95,
    not_seen: np.ndarray | None = None,
) -> Markup:
    """Return the scene in false colour under the outlines and the uncertainty band, hatched where it was not seen."""
    rgb, words = false_colour(optical)
    layers = (
        [(band, f'fill="{BAND}" fill-opacity="{0.45 if _share(band, geobox) < WIDE_BAND else 0.18}" stroke="none"')]
        if band is not None and len(band)
        else []
    )
    layers += [
        (outlines, 'fill="none" stroke="#fff" stroke-opacity=".85" stroke-width="3"'),
        (outlines, f'fill="none" stroke="{OUTLINE}" stroke-width="1.3"'),
    ]
    key = f'<span><span class="sw" style="background:{OUTLINE}"></span>outline</span>'
    key += (
        f'<span><span class="sw" style="background:{BAND}"></span>confidence below {confident:g}</span>'
        if len(layers) > 2
        else ""
    )
    rgb, unseen_key = hatched(rgb, not_seen)
    return grid_picture.figure(rgb, geobox, layers, title=f"Scene: {words}", key=key + unseen_key)


def hatched(rgb: np.ndarray, not_seen: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Return a picture hatched where the scene was not seen, and the key to that; empty where all was seen.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        The picture.
    not_seen : numpy.ndarray of bool or None, shape (h, w)
        Pixels that the image does not show.
    """
    if not_seen is None or not not_seen.any():
        return rgb, ""
    out = rgb.copy()
    line = (np.add.outer(np.arange(rgb.shape[0]), np.arange(rgb.shape[1])) // 3) % 2
    for k, colour in enumerate(NOT_SEEN):
        out[not_seen & (line == k)] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return out, f'<span><span class="sw" style="background:{NOT_SEEN[0]}"></span>not seen by the image</span>'


def _share(frame: gpd.GeoDataFrame, geobox: GeoBox) -> float:
    """Return the share of the grid that polygons cover."""
    return float(shapely.area(frame.geometry.to_crs(geobox.crs.to_wkt()).to_numpy()).sum() / geobox.extent.geom.area)


def probability_map(
    probability: np.ndarray, geobox: GeoBox, *, outlines: gpd.GeoDataFrame, not_seen: np.ndarray | None = None
) -> Markup:
    """Return the probability of glacier, in the colours of viridis, under the outlines, hatched where the scene was not
    seen."""
    rgb, unseen_key = hatched(grid_picture.coloured(probability, low=0.0, high=1.0), not_seen)
    key = grid_picture.key((0, 0.25, 0.5, 0.75, 1), low=0.0, high=1.0) + unseen_key
    return grid_picture.figure(
        rgb, geobox, [(outlines, 'fill="none" stroke="#fff" stroke-width="1"')], title="Probability of glacier", key=key
    )


def area_table(outlines: gpd.GeoDataFrame, *, most: int = MOST_GLACIERS) -> Markup:
    """Return the largest outlines with area and interval, elevation, slope, aspect and confidence."""
    shown = outlines.sort_values("area_km2", ascending=False).head(most).to_dict("records")
    has_ids, has_names = (any(row.get(c) for row in shown) for c in ("rgi_id", "glac_name"))
    head = (
        "glacier",
        *(("name",) if has_names else ()),
        "area, km²",
        "95 % interval",
        "elevation, m",
        "median",
        "slope, °",
        "aspect, °",
        "confidence",
    )
    rows = []
    for k, row in enumerate(shown, 1):
        low, high = row.get("area_low_km2"), row.get("area_high_km2")
        z = (row.get("zmin_m"), row.get("zmax_m"))
        rows.append(
            (
                row.get("rgi_id") or ("not in the inventory" if has_ids else f"{k}"),
                *((row.get("glac_name") or "",) if has_names else ()),
                number(row["area_km2"], 3),
                _range(low, high, 3),
                _range(*z, 0),
                number(row.get("zmed_m"), 0),
                number(row.get("slope_deg"), 1),
                number(row.get("aspect_deg"), 0),
                number(row.get("confidence"), 2),
            )
        )
    more = (
        f"<p>The {most} largest of {len(outlines):,}; the outline files hold all.</p>" if len(outlines) > most else ""
    )
    return Markup(html.table(head, rows, text_columns=2 if has_names else 1) + more)


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
