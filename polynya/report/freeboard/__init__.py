"""The report of one granule's freeboard: one HTML file that explains itself and opens without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import ProductError, one_line
from ...physics import order
from ...schema import CLASS_NAMES, LEADS, QUALITY_BITS, SEA_SURFACE, SEA_SURFACE_SOURCES, SEGMENTS
from .. import profile
from ..beams import SEGMENT_COLUMNS, BeamNumbers, BeamTable, PreparedBeam, array, beam_codes, prepare, quantile, read
from ..html import Markup, escape, fact_list, number, page, percent, script_json, write_text
from ..polar_map import NORTH, SERIES, SOUTH
from .figures import CLASS_LABELS, histograms, maps, profile_panel
from .tables import (
    class_table,
    difference_table,
    key_numbers,
    lead_table,
    legend,
    mean_table,
    provenance,
    quality_table,
    source_table,
)


def write(
    folder: Path | str,
    *,
    out: Path | None = None,
    beams: Sequence[PreparedBeam] | None = None,
    leads: pa.Table | None = None,
    sea_surface: pa.Table | None = None,
    threads: int = 1,
) -> Path:
    """Write ``report.html`` from a granule's output folder.

    Parameters
    ----------
    folder : Path or str
        Holds ``segments.parquet``, and, where they exist, ``leads.parquet``, ``sea_surface.parquet`` and
        ``run.json``.
    out : Path, optional
        Where to write; ``report.html`` in the folder by default.
    beams : sequence of PreparedBeam, optional
        The segments of that folder, where the caller prepared them (:func:`prepare`): they are then not read again.
    leads, sea_surface : pyarrow.Table, optional
        The tables of that folder where the caller still holds them, in place of the files.
    threads : int
        Beams that are encoded at a time.

    Returns
    -------
    Path
        The file written. It appears under its name only when it is whole.

    Raises
    ------
    ProductError
        If the segments are missing or a file cannot be read.
    OutputError
        If the report cannot be written.
    """
    folder = Path(folder)
    name = folder.name
    if beams is None:
        segments = read(folder, SEGMENTS, columns=SEGMENT_COLUMNS, required=True)
        known = (segments.schema.metadata or {}).get(b"granule")
        name = known.decode("utf-8", "replace") if known else name
        beams = prepare(segments)
    leads = read(folder, LEADS) if leads is None else leads
    sea_surface = read(folder, SEA_SURFACE) if sea_surface is None else sea_surface
    text = render(
        beams, leads=leads, sea_surface=sea_surface, run=read_run(folder / "run.json"), name=name, threads=threads
    )
    return write_text(Path(out) if out is not None else folder / "report.html", text)


def read_run(path: Path) -> dict:
    """Return a ``run.json``, an empty dict where there is none.

    Raises
    ------
    ProductError
        If it is there and is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProductError(
            f"{path}: cannot be read ({one_line(error)[:160]}); expected the JSON that polynya wrote. Run polynya"
            " freeboard --overwrite again."
        ) from error
    if not isinstance(run, dict):
        raise ProductError(
            f"{path}: holds a {type(run).__name__}; expected a JSON object. Run polynya freeboard --overwrite again."
        )
    return run


def render(
    prepared: Sequence[PreparedBeam],
    *,
    leads: pa.Table | None,
    sea_surface: pa.Table | None,
    run: dict,
    name: str,
    threads: int = 1,
) -> str:
    """Return the page as text.

    Parameters
    ----------
    prepared : sequence of PreparedBeam
        The granule's segments, of :func:`prepare`.
    leads, sea_surface : pyarrow.Table or None
        Columns of ``schema.LEADS`` and ``schema.SEA_SURFACE``.
    run : dict
        What ``run.json`` holds; every key may be missing.
    name : str
        The granule's name where ``run`` does not say it.
    threads : int
        Beams that are encoded at a time.

    Returns
    -------
    str
    """
    prepared = sorted(prepared, key=lambda b: b.table.name)
    beams = [b.table for b in prepared]
    stats = {b.table.name: b.numbers for b in prepared}
    title = granule_name(run, name)
    facts = facts_of(beams, run=run)
    n_leads = leads.num_rows if leads is not None else 0
    n_used = int(array(leads, "is_used").sum()) if leads is not None else 0
    body: list[str] = [header(title, facts), summary(beams, stats, n_leads=n_leads, n_used=n_used, run=run)]
    body.append(key_numbers(stats, n_leads=n_leads))
    data: list[tuple[str, str, str]] = []
    projection = facts["projection"]
    if beams:
        body.append(maps(beams, projection=projection))
        blocks, about = encode_beams(
            beams, leads=leads, sea_surface=sea_surface, projection=projection, threads=threads
        )
        body.append(profile_panel(beams, about))
        data = [*blocks, ("about", "application/json", script_json(about))]
        body.append(histograms(beams, stats))
    body.append(class_table(beams, stats, leads=leads))
    body.append(lead_table(leads, origin=about["origin"] if beams else 0.0))
    body.append(mean_table(run.get("means")))
    body.append(difference_table(run.get("beam_differences")))
    body.append(source_table(beams, stats, sea_surface=sea_surface))
    body.append(quality_table(beams, stats))
    body.append(legend())
    body.append(provenance(run, title=title))
    return page(
        title=f"Freeboard of {title}",
        body=body,
        scripts=("freeboard_profile.js", "freeboard_page.js") if beams else (),
        data=data,
    )


def granule_name(run: dict, name: str) -> str:
    """Return the granule's name from the run, else the name given."""
    inputs = run.get("inputs")
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) and inputs[0].get("granule"):
        return str(inputs[0]["granule"])
    return name


def facts_of(beams: Sequence[BeamTable], *, run: dict) -> dict[str, object]:
    """Return what the head of the page says: projection, time span, region, sun, product and release."""
    facts: dict[str, object] = {"projection": NORTH}
    inputs = run.get("inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    facts["is_simulated"] = first.get("is_simulated") is True
    facts["product"] = " ".join(
        str(v) for v in (first.get("product"), f"release {first['release']}" if first.get("release") else None) if v
    )
    if not beams:
        return facts
    latitude = np.concatenate([b.columns["latitude"][:: max(1, len(b) // 200)] for b in beams])
    longitude = np.concatenate([b.columns["longitude"][:: max(1, len(b) // 200)] for b in beams])
    good = np.isfinite(latitude) & np.isfinite(longitude)
    if good.any():
        facts["projection"] = NORTH if order.median(latitude[good]) >= 0 else SOUTH
        facts["region"] = region(latitude[good], longitude[good])
    unknown = np.iinfo(np.int64).min
    times = [b.columns["time"][[0, -1]] for b in beams]
    known = np.array([t for pair in times for t in pair if t != unknown], np.int64)
    if len(known):
        facts["time"] = (np.datetime64(int(known.min()), "ns"), np.datetime64(int(known.max()), "ns"))
    sun = np.concatenate([b.columns["solar_elevation"][:: max(1, len(b) // 200)] for b in beams])
    sun = sun[np.isfinite(sun)]
    if len(sun):
        facts["sun"] = (float(sun.min()), float(sun.max()))
    return facts


ANTARCTIC_SECTORS = (
    (-60, 20, "Weddell Sea sector"),
    (20, 90, "Indian Ocean sector"),
    (90, 160, "western Pacific sector"),
    (-130, -60, "Bellingshausen and Amundsen Seas sector"),
)
"""Longitudes of the sectors of Antarctic sea ice (Zwally et al. 1983, NASA SP-459); the rest is the Ross Sea sector."""


def region(latitude: np.ndarray, longitude: np.ndarray) -> str:
    """Return where a track lies: the sector in the south, the hemisphere in the north, and its extent."""
    south = order.median(latitude) < 0
    name = "Arctic"
    if south:
        turn = np.radians(longitude)
        middle = float(np.degrees(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean())))
        sector = next((n for low, high, n in ANTARCTIC_SECTORS if low <= middle < high), "Ross Sea sector")
        name = f"Antarctic, {sector}"
    low, high = float(latitude.min()), float(latitude.max())
    if south:
        low, high = -high, -low
    span = f"{low:.2f}\u00b0" if high - low < 0.005 else f"{low:.2f}\u2013{high:.2f}\u00b0"
    return f"{name}, {span}\u202f{'S' if south else 'N'}, {_meridian(longitude[0])} to {_meridian(longitude[-1])}"


def _meridian(value: float) -> str:
    return f"{abs(value):.2f}\u00b0\u202f{'E' if value >= 0 else 'W'}"


def header(title: str, facts: dict[str, object]) -> Markup:
    """Return the title and the line of facts below it."""
    parts = []
    if facts.get("product"):
        parts.append(
            (
                "Product",
                (
                    f"SIMULATED in the layout of {facts['product']}: not satellite data"
                    if facts.get("is_simulated")
                    else f"ICESat-2 {facts['product']}"
                ),
            )
        )
    if "time" in facts:
        start, stop = (np.datetime_as_string(t, unit="s") for t in facts["time"])  # type: ignore[attr-defined]
        date, clock = start.split("T")
        end = stop.split("T")[1] if stop.startswith(date) else stop.replace("T", " ")
        parts.append(("Time", f"{date} {clock} to {end} UTC" if end != clock else f"{date} {clock} UTC"))
    if "region" in facts:
        parts.append(("Where", str(facts["region"])))
    if "sun" in facts:
        low, high = facts["sun"]  # type: ignore[misc]
        kind = "day" if low > 0 else "night" if high < 0 else "twilight"
        span = (
            f"{number(low, 0)}\u00b0"
            if round(low) == round(high)
            else f"{number(low, 0)}\u00b0 to {number(high, 0)}\u00b0"
        )
        parts.append(("Light", f"{kind}, sun at {span}"))
    return Markup(
        f'<header><p class="brand">polynya \u00b7 freeboard</p><h1>{escape(title)}</h1>{fact_list(parts)}</header>'
    )


def summary(
    beams: Sequence[BeamTable], stats: dict[str, BeamNumbers], *, n_leads: int, n_used: int, run: dict
) -> Markup:
    """Return the result in plain words, with the run's own messages behind it."""
    messages = run.get("messages")
    messages = [str(m) for m in messages] if isinstance(messages, list) else []
    total = sum(int(s.counts.sum()) for s in stats.values())
    with_sea = sum(s.with_sea_surface for s in stats.values())
    with_free = sum(int(s.freeboard_counts.sum()) for s in stats.values())
    if total == 0:
        words = [
            Markup(
                "<strong>No segment.</strong> The output table is empty: no sea-ice photon of the granule made a"
                " segment, so there is nothing to draw."
            )
        ]
    elif with_free == 0:
        n_water = sum(int(s.counts[2]) for s in stats.values())
        what = (
            f"{n_leads:,} lead{'s' if n_leads != 1 else ''}"
            if n_leads
            else ("no lead" if not n_water else f"{n_water:,} open-water segments but no lead")
        )
        words = [
            Markup("<strong>No freeboard.</strong> "),
            (
                f"{total:,} segments on {len(beams)} beam{'s' if len(beams) != 1 else ''} hold {what}, and none of them"
                " has a sea surface. Freeboard is height above the local sea surface, so it is left missing rather"
                " than guessed; heights above the mean sea surface and classes are below."
            ),
        ]
    else:
        freeboard_sum = sum(float(s.freeboard_sums.sum()) for s in stats.values())
        ice = sum(float(s.freeboard_sums[:2].sum()) for s in stats.values())
        ice_n = sum(int(s.freeboard_counts[:2].sum()) for s in stats.values())
        spread = uncertainty_of_mean(run.get("means"))
        pooled = sum((s.freeboard_histogram.sum(axis=0) for s in stats.values()), np.zeros(1, np.int64))
        words = [
            Markup(f'Mean total freeboard <strong id="mean-freeboard">{number(freeboard_sum / with_free, 3)}</strong>'),
            (
                Markup(f' <strong>\u00b1 <span id="mean-uncertainty">{number(spread[0], 3)}</span>\u202fm</strong>')
                if spread
                else Markup("<strong>\u202fm</strong>")
            ),
            (
                " (snow included, water counted as zero; over ice alone"
                f" {number(ice / ice_n if ice_n else None, 3, 'm')};"
                f" 5\u201395 % of segments {number(quantile(pooled, 0.05), 2)} to"
                f" {number(quantile(pooled, 0.95), 2, 'm')}). The sea surface comes from {n_used:,}"
                f" lead{'s' if n_used != 1 else ''} and reaches {percent(with_sea, total)} of {total:,} segments on"
                f" {len(beams)} beam{'s' if len(beams) != 1 else ''}. "
            ),
        ]
        if spread:
            words.append(
                f"The \u00b1 is one standard uncertainty of the mean over {spread[1]}: its correlated part (sea"
                " surface, tides, mean sea surface) does not shrink with more segments. "
            )
        else:
            words.append(
                f"A single segment has \u00b1{number(sum(s.sigma_sum for s in stats.values()) / with_free, 3, 'm')} on"
                " average. "
            )
    items = "".join(f"<li>{escape(m)}</li>" for m in messages)
    messages_list = f"<ul class=messages>{items}</ul>" if items else ""
    result = "".join(escape(w) for w in words)
    return Markup(f'<section id="result"><p class="result">{result}</p>{messages_list}</section>')


def uncertainty_of_mean(means: object) -> tuple[float, str] | None:
    """Return the uncertainty (m) of the run's longest means, weighted by their number (those of whole tracks by their
    segments), and what they are means over.

    Beams share tides, mean sea surface and often leads, so the uncertainty is averaged over beams and not divided by
    the root of their number.
    """
    rows = [m for m in means if isinstance(m, dict)] if isinstance(means, list) else []
    found = []
    for row in rows:
        try:
            length = np.inf if row["length_km"] == "track" else float(row["length_km"])
            count = row.get("n") if np.isinf(length) else row.get("n_bins")  # one mean a beam, or many
            n, value = float(count or row.get("n") or 0), float(row["uncertainty"])
        except (KeyError, TypeError, ValueError):
            continue
        if np.isfinite(value) and n > 0:
            found.append((length, n, value))
    if not found:
        return None
    longest = max(f[0] for f in found)
    n, value = np.array([f[1:] for f in found if f[0] == longest]).T
    return float((n * value).sum() / n.sum()), "one beam's whole track" if np.isinf(longest) else f"{longest:g} km"


def encode_beams(
    beams: Sequence[BeamTable],
    *,
    leads: pa.Table | None,
    sea_surface: pa.Table | None,
    projection: object,
    threads: int = 1,
) -> tuple[list[tuple[str, str, str]], dict]:
    """Return the data blocks of the along-track panel and what describes them."""
    chosen = profile.plan(list(beams))
    by_beam = _rows_by_beam(leads)
    sections = _rows_by_beam(sea_surface)
    about: dict[str, object] = {
        "origin": chosen.origin,
        "bin_m": chosen.bin_m,
        "rate_unit": profile.RATE_UNIT,
        "classes": CLASS_LABELS,
        "class_names": [CLASS_NAMES[k] for k in (0, 1, 2, -1)],
        "sources": [n for _, n in SEA_SURFACE_SOURCES],
        "quality": [[b, n] for b, n in QUALITY_BITS],
        "beams": [],
        "series": list(SERIES),
        "projection": {
            "name": projection.name,
            "sign": projection.sign,
            "radius": projection.scale,
            "central": projection.central_longitude,
        },  # type: ignore[attr-defined]
    }

    def encode(beam: BeamTable) -> tuple[dict[str, object], str]:
        lead_x = by_beam.get(beam.name, {}).get("x_atc", np.zeros(0))
        return profile.encode(beam, plan=chosen, projection=projection, lead_x=lead_x)  # type: ignore[arg-type]

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        encoded = list(pool.map(encode, beams))
    blocks = []
    for beam, (head, text) in zip(beams, encoded, strict=True):
        rows = by_beam.get(beam.name, {})
        lead_x = rows.get("x_atc", np.zeros(0))
        order = np.argsort(lead_x, kind="stable")
        order = order[np.isfinite(lead_x[order])]
        if len(order) > 4000:
            order = np.sort(order[np.argsort(-rows["length"][order], kind="stable")[:4000]])
        head["leads"] = (
            {
                "x": np.rint((lead_x[order] - chosen.origin) / profile.UNIT_M).astype(int).tolist(),
                "h": [round(float(v), 4) for v in rows["height"][order]],
                "s": [round(float(v), 4) for v in rows["height_uncertainty"][order]],
                "l": [round(float(v), 1) for v in rows["length"][order]],
                "used": rows["is_used"][order].astype(int).tolist(),
            }
            if len(order)
            else {"x": [], "h": [], "s": [], "l": [], "used": []}
        )
        part = sections.get(beam.name, {})
        shown = (
            np.flatnonzero(np.isfinite(part["sea_surface_height"]) & np.isfinite(part["x_atc"]))[:2000] if part else []
        )
        head["sections"] = [
            [
                round(float((part["x_atc"][k] - chosen.origin) / profile.UNIT_M)),
                round(float(part["sea_surface_height"][k]), 4),
                round(float(part["sea_surface_uncertainty"][k]), 4),
                int(part["sea_surface_source"][k]),
            ]
            for k in shown
        ]
        about["beams"].append(head)  # type: ignore[attr-defined]
        blocks.append((f"data-{len(blocks)}", "text/plain", text))
    return blocks, about


def _rows_by_beam(table: pa.Table | None) -> dict[str, dict[str, np.ndarray]]:
    if table is None or table.num_rows == 0:
        return {}
    names, codes = beam_codes(table)
    wanted = [
        n
        for n in table.column_names
        if n
        in (
            "x_atc",
            "height",
            "height_uncertainty",
            "length",
            "is_used",
            "sea_surface_height",
            "sea_surface_uncertainty",
            "sea_surface_source",
        )
    ]
    columns = {n: array(table, n) for n in wanted}
    return {name: {n: v[codes == k] for n, v in columns.items()} for k, name in enumerate(names)}
