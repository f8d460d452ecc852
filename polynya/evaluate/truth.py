"""Our segments, leads and sea surface against the truth of a simulated granule."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from .. import metrics, schema
from ..errors import ProductError
from ..physics.averages import CorrelatedErrors, mean_freeboard
from ..physics.heights import first_photon_error, independent_error
from ..tracks import collocation
from .rows import (
    CLASS_BLOCK_M,
    COMMON,
    LEAD_COLUMNS,
    MIN_COVER,
    NAMES,
    SECTION_COLUMNS,
    SEGMENT_COLUMNS,
    SURFACE_BLOCK_M,
    TRUTH_COLUMNS,
    Row,
    Track,
    class_rows,
    cut,
    difference_rows,
    probability_rows,
    share_row,
    tidy,
    track,
)

CELL_M = 2.0
MEAN_LENGTHS_M = (1_000.0, 10_000.0, 25_000.0)
FOOTPRINT_M = 11.0
"""Diameter of the laser footprint (Magruder et al. 2020, doi 10.1029/2020GL089078): shorter leads are blurred."""
MAX_DISTANCE_M = 100.0
"""Median distance of segments from the truth's cells beyond which the truth is another track's."""

WATER = schema.OPEN_WATER
UNKNOWN = schema.UNCLASSIFIED


def against_truth(
    segments: pa.Table,
    truth: pa.Table,
    *,
    leads: pa.Table | None = None,
    sea_surface: pa.Table | None = None,
    resolution_m: float | None = 2.0,
    seed: int = 0,
    n_resamples: int = 500,
) -> pa.Table:
    """Score segments, leads and sea surface against a simulated granule's truth.

    Segments and truth are joined by beam and 2 m cell; longer segments take the truth's mean over their extent
    and its most frequent class. Lead detection counts runs of true water cells: a run is found where a lead
    of the lead table overlaps it.

    Parameters
    ----------
    segments, truth : pyarrow.Table
        Tables of :data:`polynya.schema.SEGMENTS` and :data:`polynya.schema.TRUTH`.
    leads, sea_surface : pyarrow.Table, optional
        Tables of :data:`polynya.schema.LEADS` and :data:`polynya.schema.SEA_SURFACE`.
    resolution_m : float or None
        Length of the segments, m; None where they hold a number of photons.
    seed : int
        Of the bootstrap.
    n_resamples : int
        Resamples of the bootstrap.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.schema.EVALUATION`. Heights, sea surface and freeboard in m above the mean sea surface
        or the local sea surface.

    Raises
    ------
    ProductError
        If no segment lies on a cell of the truth, or the positions of the joined cells differ by more than 100 m.
    """
    ours = track(segments, SEGMENT_COLUMNS, what="segments")
    cells = track(truth, TRUTH_COLUMNS, what="truth")
    joined = _join_truth(ours, cells, resolution_m=resolution_m)
    matched = joined.pop("matched")
    _reject_other_track(ours, joined, matched)
    strong = ours["is_strong"]
    options = {"n_resamples": n_resamples, "seed": seed}
    short = cut(ours["x_atc"], ours.beam, CLASS_BLOCK_M, **options)
    rows = list(share_row("share_matched", "all", matched, strong, short, reference="truth"))
    kept = slice(None) if matched.all() else np.flatnonzero(matched)
    a = {n: v[kept] for n, v in ours.columns.items()}
    t = {n: v[kept] for n, v in joined.items()}
    strong, beam = a["is_strong"], ours.beam[kept]
    short = short.take(kept)
    long = cut(a["x_atc"], beam, SURFACE_BLOCK_M, **options)
    rows += class_rows(t["surface_class"], a["surface_class"], strong, short, reference="truth")
    rows += probability_rows(
        [a["probability_thick"], a["probability_thin"], a["probability_water"]],
        t["surface_class"],
        strong,
        short,
        reference="truth",
    )
    groups = {name: t["surface_class"] == k for k, name in enumerate(NAMES)}
    for height, freeboard, seen in (
        ("surface_height_footprint", "total_freeboard_footprint", "truth: footprint mean"),
        ("surface_height", "total_freeboard", "truth: 2 m cell"),
    ):
        rows += difference_rows(
            "height",
            a["height"] - t[height],
            strong,
            short,
            reference=seen,
            sigma=a["height_uncertainty"],
            groups=groups,
        )
        rows += difference_rows(
            "freeboard",
            a["total_freeboard"] - t[freeboard],
            strong,
            long,
            reference=seen,
            sigma=a["total_freeboard_uncertainty"],
            groups=groups,
        )
    sources = {name: a["sea_surface_source"] == k for k, name in schema.SEA_SURFACE_SOURCES if k}
    rows += share_row(
        "share_with_sea_surface", "all", np.isfinite(a["sea_surface_height"]), strong, long, reference="truth"
    )
    rows += difference_rows(
        "sea_surface",
        a["sea_surface_height"] - t["sea_surface_height"],
        strong,
        long,
        reference="truth",
        sigma=a["sea_surface_uncertainty"],
        groups=sources,
    )
    rows += _mean_rows(a, t["total_freeboard_footprint"], beam, options)
    rows += _observed_rows(cells, ours, resolution_m, options)
    if leads is not None:
        rows += _lead_rows(track(leads, LEAD_COLUMNS, what="leads"), cells, ours, resolution_m, options)
    if sea_surface is not None:
        rows += _section_rows(track(sea_surface, SECTION_COLUMNS, what="sea_surface"), cells, options)
    return tidy(rows, about={"reference": "truth of a simulated granule", "seed": seed, "n_resamples": n_resamples})


def _join_truth(ours: Track, cells: Track, *, resolution_m: float | None) -> dict[str, np.ndarray]:
    names = [n for n in TRUTH_COLUMNS if n not in ("is_strong", "lead_type", "surface_class")]
    out = {n: np.full(len(ours), np.nan, np.float64) for n in names}
    out["surface_class"] = np.full(len(ours), UNKNOWN, np.int8)
    out["matched"] = np.zeros(len(ours), bool)
    for beam, where in ours.slices.items():
        if beam not in cells.slices:
            continue
        there = cells.slices[beam]
        number = np.floor(cells["x_atc"][there] / CELL_M).astype(np.int64)
        if np.any(np.diff(number) <= 0):
            raise ProductError(
                f"truth: beam {beam} holds a 2 m cell twice; expected one row for each cell. Simulate the granule"
                " again."
            )
        x = ours["x_atc"][where]
        if resolution_m == CELL_M:
            at = collocation.match(np.floor(x / CELL_M).astype(np.int64), number)
            found = at >= 0
            for name in (*names, "surface_class"):
                out[name][where] = np.where(found, cells[name][there][np.maximum(at, 0)], out[name][where])
            out["matched"][where] = found
            continue
        start, end = collocation.extents(x, resolution_m=resolution_m)
        first, last = collocation.within(np.floor(start / CELL_M), np.ceil(end / CELL_M), number)
        for name in names:
            out[name][where] = collocation.mean_over(cells[name][there], first, last)[0]
        counts = np.stack([collocation.sums_over(cells["surface_class"][there] == k, first, last) for k in range(3)])
        out["surface_class"][where] = np.where(counts.sum(axis=0) > 0.5, np.argmax(counts, axis=0), UNKNOWN)
        out["matched"][where] = last > first
    return out


def _reject_other_track(ours: Track, joined: dict[str, np.ndarray], matched: np.ndarray) -> None:
    if not matched.any():
        raise ProductError(
            f"reference: no segment lies on a cell of the truth (segments on {', '.join(ours.slices) or 'no beam'});"
            " expected the same granule, beams and along-track distances. Give the _truth.parquet written with this"
            " granule."
        )
    latitude, longitude = joined.pop("latitude"), joined.pop("longitude")
    north = (ours["latitude"] - latitude)[matched] * 111_200.0
    east = ((ours["longitude"] - longitude)[matched] + 180.0) % 360.0 - 180.0
    away = np.hypot(north, east * 111_200.0 * np.cos(np.radians(latitude[matched])))
    away = away[np.isfinite(away)]
    if away.size and float(np.median(away)) > MAX_DISTANCE_M:
        raise ProductError(
            f"reference: the truth's cells lie {np.median(away):.0f} m from the segments with the same along-track"
            " distance; expected under 100 m. It belongs to another track: give the _truth.parquet written with this"
            " granule."
        )


def _mean_rows(a: dict[str, np.ndarray], truth: np.ndarray, beam: np.ndarray, options: dict) -> Iterator[Row]:
    """Score freeboard means over 1, 10 and 25 km against the truth's means over the same segments."""
    noise = a["height_uncertainty"]
    common = np.nan_to_num(a[COMMON])
    usable = (
        np.isfinite(a["total_freeboard"])
        & np.isfinite(truth)
        & np.isfinite(noise)
        & np.isfinite(a["sea_surface_uncertainty"])
    )
    found: dict[float, list[tuple]] = {length: [] for length in MEAN_LENGTHS_M}
    for number in np.unique(beam[usable]):
        rows = np.flatnonzero(usable & (beam == number))
        x = a["x_atc"][rows]
        means = mean_freeboard(
            x,
            a["total_freeboard"][rows] - truth[rows],
            sigma_random=independent_error(noise[rows], a["first_photon_bias"][rows]),
            sigma_sea_surface=np.sqrt(np.maximum(a["sea_surface_uncertainty"][rows] ** 2 - common[rows] ** 2, 0.0)),
            sigma_common=np.hypot(common[rows], first_photon_error(a["first_photon_bias"][rows])),
            lengths_m=MEAN_LENGTHS_M,
            errors=CorrelatedErrors(mss_m=0.0, tide_m=0.0, dac_m=0.0),
        )
        for length, m in means.items():
            full = m.n >= MIN_COVER * np.max(m.n, initial=1)
            strong = bool(a["is_strong"][rows[0]])
            found[length].append(
                (
                    m.x[full],
                    m.freeboard[full],
                    m.uncertainty[full],
                    np.full(int(full.sum()), strong),
                    np.full(int(full.sum()), number),
                )
            )
    for length, parts in found.items():
        x, d, sigma, strong, number = (
            (np.concatenate(p) for p in zip(*parts, strict=True))
            if parts
            else (np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64))
        )
        blocks = cut(x, number, max(SURFACE_BLOCK_M, length), **options)
        yield from difference_rows(
            f"freeboard_mean_{length / 1000:g}km", d, strong, blocks, reference="truth: footprint mean", sigma=sigma
        )


def _observed_rows(cells: Track, ours: Track, resolution_m: float | None, options: dict) -> Iterator[Row]:
    """Give the share of the truth's cells, by class, under a segment: cloud and gaps hide the rest."""
    seen = _seen(cells, ours, resolution_m)
    present = np.isin(cells.beam, [schema.BEAM_NAMES.index(b) for b in ours.slices])
    blocks = cut(cells["x_atc"], cells.beam, CLASS_BLOCK_M, **options)
    for k, name in ((None, "all"), *enumerate(NAMES)):
        rows = np.flatnonzero(present & (cells["surface_class"] == k if k is not None else True))
        yield from share_row(
            "share_observed", name, seen[rows], cells["is_strong"][rows], blocks.take(rows), reference="truth"
        )


def _seen(cells: Track, ours: Track, resolution_m: float | None) -> np.ndarray:
    seen = np.zeros(len(cells), bool)
    for beam, there in cells.slices.items():
        if beam not in ours.slices:
            continue
        start, end = collocation.extents(ours["x_atc"][ours.slices[beam]], resolution_m=resolution_m)
        first, last = collocation.within(start, end, cells["x_atc"][there])
        change = np.bincount(first, minlength=there.stop - there.start + 1) - np.bincount(
            last, minlength=there.stop - there.start + 1
        )
        seen[there] = np.cumsum(change)[:-1] > 0
    return seen


def _lead_rows(leads: Track, cells: Track, ours: Track, resolution_m: float | None, options: dict) -> Iterator[Row]:
    """Score lead detection by runs of true water cells, and lead heights against the true sea surface."""
    x, water = cells["x_atc"], cells["surface_class"] == WATER
    breaks = np.concatenate([[True], (np.diff(cells.beam) != 0) | (np.diff(x) > 1.5 * CELL_M)])
    first, count = metrics.runs(water, breaks=breaks)
    start, end = x[first] - 0.5 * CELL_M, x[first + count - 1] + 0.5 * CELL_M
    lead_start, lead_end = leads["x_atc"] - 0.5 * leads["length"], leads["x_atc"] + 0.5 * leads["length"]
    looked_at = np.isin(cells.beam[first], [schema.BEAM_NAMES.index(b) for b in ours.slices])
    hit, right = np.zeros(first.size, bool), np.zeros(len(leads), bool)
    purity, surface = np.full(len(leads), np.nan), np.full(len(leads), np.nan)
    for beam, there in cells.slices.items():
        number = schema.BEAM_NAMES.index(beam)
        true, found = cells.beam[first] == number, leads.slices.get(beam, slice(0, 0))
        hit[true] = metrics.overlaps(start[true], end[true], lead_start[found], lead_end[found])
        right[found] = metrics.overlaps(lead_start[found], lead_end[found], start[true], end[true])
        a, b = collocation.within(lead_start[found] - 0.5 * CELL_M, lead_end[found] + 0.5 * CELL_M, x[there])
        purity[found] = collocation.mean_over(water[there], a, b)[0]
        surface[found] = collocation.mean_over(cells["sea_surface_height"][there], a, b)[0]
    seen = collocation.sums_over(_seen(cells, ours, resolution_m), first, first + count) > 0
    kind = cells["lead_type"][first + count // 2]
    groups = {"all": looked_at, f"longer_than_{FOOTPRINT_M:g}_m": looked_at & (end - start > FOOTPRINT_M)}
    groups.update({name: looked_at & (kind == k) for k, name in schema.LEAD_TYPES if k})
    blocks = cut(0.5 * (start + end), cells.beam[first], CLASS_BLOCK_M, **options)
    strong = cells["is_strong"][first]
    for name, member in groups.items():
        rows = np.flatnonzero(member)
        yield from share_row("lead_observed", name, seen[rows], strong[rows], blocks.take(rows), reference="truth")
        rows = np.flatnonzero(member & seen)
        yield from share_row("lead_recall", name, hit[rows], strong[rows], blocks.take(rows), reference="truth")
    blocks = cut(leads["x_atc"], leads.beam, CLASS_BLOCK_M, **options)
    yield from share_row("lead_precision", "all", right, leads["is_strong"], blocks, reference="truth")
    yield from share_row(
        "lead_precision_half_water", "all", purity >= 0.5, leads["is_strong"], blocks, reference="truth"
    )
    yield from difference_rows(
        "lead_height",
        leads["height"] - surface,
        leads["is_strong"],
        blocks,
        reference="truth",
        sigma=leads["height_uncertainty"],
    )


def _section_rows(sections: Track, cells: Track, options: dict) -> Iterator[Row]:
    """Score section heights against the true sea surface at their centres."""
    truth = np.full(len(sections), np.nan)
    for beam, where in sections.slices.items():
        if beam in cells.slices:
            there = cells.slices[beam]
            at = collocation.nearest(sections["x_atc"][where], cells["x_atc"][there])
            near = np.abs(cells["x_atc"][there][at] - sections["x_atc"][where]) <= 0.5 * SURFACE_BLOCK_M
            truth[where] = np.where(near, cells["sea_surface_height"][there][at], np.nan)
    blocks = cut(sections["x_atc"], sections.beam, SURFACE_BLOCK_M, **options)
    groups = {name: sections["sea_surface_source"] == k for k, name in schema.SEA_SURFACE_SOURCES if k}
    yield from difference_rows(
        "section_height",
        sections["sea_surface_height"] - truth,
        sections["is_strong"],
        blocks,
        reference="truth",
        sigma=sections["sea_surface_uncertainty"],
        groups=groups,
    )
