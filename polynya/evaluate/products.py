"""Our segments against NASA's on the same track: ATL07 and ATL10.

NASA's segments hold 150 photons: some 15 m (strong, over leads) to 400 m (weak) long, and they overlap. Two
comparisons are given, because they answer different questions:

``segment extents``
    all our segments inside centre ± length / 2, weighted by their photons: like for like on real data;
``nearest segment``
    each of our segments goes to the one NASA segment whose centre is nearest, if it lies inside it: no photon
    is used twice. Granules simulated from an ATL07 are drawn in this way.

Types 2-5 (specular leads) are water, 1 is ice (NASA has no thin ice: ours is merged with thick ice), 6-9 (dark
leads, no longer trusted by NASA) and 0 (cloud) are reported apart and enter no score.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from .. import metrics, schema
from ..errors import ProductError
from ..metrics import Blocks
from ..tracks import collocation
from .collocated import (
    CLOUD,
    MAX_TIME_DIFFERENCE,
    TYPE_GROUPS,
    UNKNOWN,
    WATER,
    Reference,
    classes_of,
    collocate,
    column,
    nasa_leads,
    other_orbit,
)
from .rows import (
    CLASS_BLOCK_M,
    LEAD_COLUMNS,
    SECTION_COLUMNS,
    SEGMENT_COLUMNS,
    SURFACE_BLOCK_M,
    Row,
    Track,
    confusion_rows,
    cut,
    difference_rows,
    regions,
    share_row,
    tidy,
    track,
    whole_scores,
)


def against_product(
    segments: pa.Table,
    reference: Reference,
    *,
    leads: pa.Table | None = None,
    sea_surface: pa.Table | None = None,
    resolution_m: float | None = 2.0,
    seed: int = 0,
    n_resamples: int = 500,
) -> pa.Table:
    """Score segments, leads and sea surface against NASA's product of the same track.

    Parameters
    ----------
    segments : pyarrow.Table
        Of :data:`polynya.schema.SEGMENTS`.
    reference : Reference
        NASA's tables of the same granule.
    leads, sea_surface : pyarrow.Table, optional
        Of :data:`polynya.schema.LEADS` and :data:`polynya.schema.SEA_SURFACE`.
    resolution_m : float or None
        Length of our segments, m; None where they hold a number of photons.
    seed : int
        Of the bootstrap.
    n_resamples : int
        Resamples of the bootstrap.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.schema.EVALUATION`; heights above the mean sea surface, m, ours minus NASA's.

    Raises
    ------
    ProductError
        If no NASA segment shares a beam, the along-track distance and the time (± 10 minutes) with ours.
    """
    ours = track(segments, SEGMENT_COLUMNS, what="segments")
    options = {"n_resamples": n_resamples, "seed": seed}
    parts = [
        collocate(ours, beam, reference.segments[beam], resolution_m)
        for beam in ours.slices
        if reference.segments.get(beam) is not None
    ]
    parts = [p for p in parts if p is not None]
    if not any(p["matched"].any() for p in parts):
        raise ProductError(other_orbit(ours, reference))
    nasa = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    product = reference.product
    short = cut(nasa["x"], nasa["beam"], CLASS_BLOCK_M, **options)
    rows = list(share_row("share_matched", "all", nasa["matched"], nasa["strong"], short, reference=product))
    in_extent, in_nearest = f"{product}: segment extents", f"{product}: nearest segment"
    rows += _type_rows(
        nasa["truth"], nasa["class"], nasa["matched"], nasa["type"], nasa["strong"], short, reference=in_extent
    )
    rows += _type_rows(
        nasa["truth"],
        nasa["class_nearest"],
        nasa["n_nearest"] > 0,
        nasa["type"],
        nasa["strong"],
        short,
        reference=in_nearest,
    )
    groups = {name: np.isin(nasa["type"], types) for name, types in TYPE_GROUPS.items()}
    for name, seen in (("height_mean", in_extent), ("height_nearest", in_nearest)):
        rows += difference_rows(
            "height", nasa[name] - nasa["height"], nasa["strong"], short, reference=seen, groups=groups
        )
    rows += _segment_rows(ours, reference, options)
    if "beam_fb_height" in nasa:
        long = cut(nasa["x"], nasa["beam"], SURFACE_BLOCK_M, **options)
        rows += difference_rows(
            "freeboard",
            nasa["freeboard_mean"] - nasa["beam_fb_height"],
            nasa["strong"],
            long,
            reference=in_extent,
            groups=groups,
        )
    if leads is not None:
        rows += _lead_rows(track(leads, LEAD_COLUMNS, what="leads"), ours, reference, options)
    if sea_surface is not None and reference.sections:
        rows += _section_rows(track(sea_surface, SECTION_COLUMNS, what="sea_surface"), reference, options)
    return tidy(rows, about={"reference": product, "seed": seed, "n_resamples": n_resamples})


def _type_rows(truth, predicted, matched, types, strong, blocks: Blocks, *, reference: str) -> Iterator[Row]:
    names = ("ice", "", "specular_lead")
    for region, chosen in regions(strong):
        use = chosen & matched
        sums = metrics.merge_ice(metrics.confusion_sums(truth[use], predicted[use], blocks.take(use)))
        yield from confusion_rows(sums, blocks, region=region, reference=reference, names=names, only=(0, 2))
        n = sums.sum(axis=(1, 2))
        for metric, score in whole_scores(sums.sum(axis=0)):
            yield metric, "all", region, metrics.estimate(sums, score, blocks=blocks, n=n), "1", reference
    for name, members in {**TYPE_GROUPS, "cloud": CLOUD}.items():
        rows = np.flatnonzero(matched & np.isin(types, members))
        yield from share_row(
            "share_called_water", name, predicted[rows] == WATER, strong[rows], blocks.take(rows), reference=reference
        )


def _segment_rows(ours: Track, reference: Reference, options: dict) -> Iterator[Row]:
    """Score our own segments, each against the NASA segment it lies in and whose centre is nearest."""
    truth = np.full(len(ours), UNKNOWN, np.int64)
    types = np.full(len(ours), -1, np.int64)
    height = np.full(len(ours), np.nan)
    inside = np.zeros(len(ours), bool)
    for beam, where in ours.slices.items():
        table = reference.segments.get(beam)
        if table is None or table.num_rows == 0:
            continue
        centre = column(table, "seg_dist_x").astype(np.float64)
        order = np.argsort(centre, kind="stable")
        order = order[np.isfinite(centre[order])]
        own = order[collocation.nearest(ours["x_atc"][where], centre[order])]
        near = np.abs(ours["x_atc"][where] - centre[own]) <= 0.5 * column(table, "height_segment_length_seg")[own]
        near &= np.abs(ours["time"][where] - column(table, "time")[own]) <= MAX_TIME_DIFFERENCE
        types[where] = np.where(near, column(table, "height_segment_type").astype(np.int64)[own], -1)
        truth[where] = classes_of(types[where])
        height[where] = np.where(near, column(table, "height_segment_height")[own], np.nan)
        inside[where] = near
    strong, seen = ours["is_strong"], f"{reference.product}: our segments"
    blocks = cut(ours["x_atc"], ours.beam, CLASS_BLOCK_M, **options)
    yield from _type_rows(truth, ours["surface_class"].astype(np.int64), inside, types, strong, blocks, reference=seen)
    groups = {name: np.isin(types, members) for name, members in TYPE_GROUPS.items()}
    yield from difference_rows(
        "height",
        ours["height"] - height,
        strong,
        blocks,
        reference=seen,
        sigma=ours["height_uncertainty"],
        groups=groups,
    )


def _lead_rows(leads: Track, ours: Track, reference: Reference, options: dict) -> Iterator[Row]:
    """Score lead detection and lead heights against NASA's leads that our segments cover."""
    found = {"x": [], "beam": [], "strong": [], "hit": [], "difference": []}
    right_x, right_beam, right_strong, right = [], [], [], []
    for beam, where in ours.slices.items():
        if reference.segments.get(beam) is None:
            continue
        start, end, height = nasa_leads(reference, beam)
        strong = bool(ours["is_strong"][where][0])
        number = schema.BEAM_NAMES.index(beam)
        x = ours["x_atc"][where]
        first, last = collocation.within(start, end, x)
        keep = last > first
        start, end, height = start[keep], end[keep], height[keep]
        mine = leads.slices.get(beam, slice(0, 0))
        a, b = leads["x_atc"][mine] - 0.5 * leads["length"][mine], leads["x_atc"][mine] + 0.5 * leads["length"][mine]
        # The nearest of our leads stands for the lead's height, if it overlaps.
        middle = 0.5 * (start + end)
        hit = metrics.overlaps(start, end, a, b)
        difference = np.full(middle.size, np.nan)
        if a.size and middle.size:
            partner = collocation.nearest(middle, leads["x_atc"][mine])
            touching = (a[partner] < end) & (b[partner] > start)
            difference = np.where(touching, leads["height"][mine][partner] - height, np.nan)
        for name, value in (
            ("x", middle),
            ("beam", np.full(middle.size, number)),
            ("strong", np.full(middle.size, strong)),
            ("hit", hit),
            ("difference", difference),
        ):
            found[name].append(value)
        table = reference.segments[beam]
        centre, half = (
            column(table, "seg_dist_x").astype(np.float64),
            0.5 * column(table, "height_segment_length_seg").astype(np.float64),
        )
        scored = metrics.overlaps(a, b, centre - half, centre + half)  # where NASA has a segment
        right.append(metrics.overlaps(a, b, start, end)[scored])
        right_x.append(leads["x_atc"][mine][scored])
        right_beam.append(np.full(int(scored.sum()), number))
        right_strong.append(np.full(int(scored.sum()), strong))
    joined = {n: np.concatenate(v) if v else np.zeros(0) for n, v in found.items()}
    blocks = cut(joined["x"], joined["beam"].astype(np.int64), CLASS_BLOCK_M, **options)
    strong = joined["strong"].astype(bool)
    yield from share_row("lead_recall", "all", joined["hit"], strong, blocks, reference=reference.product)
    yield from difference_rows("lead_height", joined["difference"], strong, blocks, reference=reference.product)
    x, beam, strong, hit = (np.concatenate(v) if v else np.zeros(0) for v in (right_x, right_beam, right_strong, right))
    blocks = cut(x, beam.astype(np.int64), CLASS_BLOCK_M, **options)
    yield from share_row("lead_precision", "all", hit, strong.astype(bool), blocks, reference=reference.product)


def _section_rows(sections: Track, reference: Reference, options: dict) -> Iterator[Row]:
    """Compare our sea surface at NASA's section centres, from our nearest section within 5 km."""
    parts = []
    for beam, where in sections.slices.items():
        table = reference.sections.get(beam)
        mine = np.flatnonzero(np.isfinite(sections["sea_surface_height"][where])) + where.start
        if table is None or table.num_rows == 0 or mine.size == 0:
            continue
        x, height = (
            column(table, "beam_refsurf_dist_x").astype(np.float64),
            column(table, "beam_refsurf_height").astype(np.float64),
        )
        partner = mine[collocation.nearest(x, sections["x_atc"][mine])]
        near = np.abs(sections["x_atc"][partner] - x) <= 0.5 * SURFACE_BLOCK_M
        difference = np.where(near, sections["sea_surface_height"][partner] - height, np.nan)
        parts.append((x, np.full(x.size, schema.BEAM_NAMES.index(beam)), difference, sections["is_strong"][partner]))
    x, beam, difference, strong = (
        (np.concatenate(p) for p in zip(*parts, strict=True))
        if parts
        else (np.zeros(0), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))
    )
    blocks = cut(x, beam, SURFACE_BLOCK_M, **options)
    yield from difference_rows("section_height", difference, strong, blocks, reference=reference.product)
