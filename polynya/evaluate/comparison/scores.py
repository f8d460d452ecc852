"""The numbers of a comparison: differences, coverage, roughness and leads, by beam strength and beam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ... import schema
from ...tracks import collocation
from ..collocated import SPECULAR, TYPE_GROUPS, column
from ..section_bias import FROM_NOTHING, SECTION_M, SMOOTHED_SECTIONS, bias
from . import tables
from .matching import Pair

CELL_M = 50.0
"""Coverage is counted in cells of this length: weak beams leave many 2 m segments empty, evenly."""
MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number: a row of :data:`.tables.SCORES` without reference and resolution."""

    quantity: str
    statistic: str
    region: str
    value: float
    units: str
    n: int
    surface: str = "all"
    uncertainty: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n_sections: int = -1
    uncertainty_from: str = FROM_NOTHING


def table(pair: Pair, scores: list[Score]) -> pa.Table:
    """Return scores as a table of :data:`.tables.SCORES`.

    Parameters
    ----------
    pair : Pair
        The two that were compared.
    scores : list of Score
        In any order.
    """
    columns = {n: [getattr(s, n) for s in scores] for n in Score.__dataclass_fields__}
    return schema.table(tables.SCORES, {**columns, **pair.about})


def regions(part: pa.Table) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every region of a table and its rows: all, strong, weak, then each beam that is there.

    Parameters
    ----------
    part : pyarrow.Table
        With ``beam`` and ``is_strong``.
    """
    strong = schema.to_numpy(part["is_strong"]).astype(bool)
    beam = np.array(part["beam"].to_pylist(), dtype=str)
    yield "all", np.ones(strong.size, bool)
    yield "strong", strong
    yield "weak", ~strong
    for name in schema.BEAM_NAMES:
        if (beam == name).any():
            yield name, beam == name


def differences(matched: pa.Table, sections: pa.Table, leads: pa.Table, *, seed: int = 0) -> Iterator[Score]:
    """Yield how far ours lie from NASA's: height, mean sea surface, freeboard, sea level and leads.

    Parameters
    ----------
    matched, sections, leads : pyarrow.Table
        Of :mod:`.matching`.
    seed : int
        Of the bootstrap.
    """
    kind = schema.to_numpy(matched["surface_type"])
    surfaces = {"all": np.ones(kind.size, bool), **{n: np.isin(kind, t) for n, t in TYPE_GROUPS.items()}}
    level_sigma = _real(matched, "sea_level_uncertainty_ours")
    stated = np.hypot(level_sigma, _real(matched, "freeboard_uncertainty_theirs"))
    for quantity, ours, theirs, sigma, run in (
        ("height", "height_ours", "height_theirs", None, 1),
        ("mean_sea_surface", "mean_sea_surface_ours", "mean_sea_surface_theirs", None, 1),
        ("freeboard", "freeboard_ours", "freeboard_theirs", stated, SMOOTHED_SECTIONS),
        ("freeboard_same_scale", "freeboard_same_scale", "freeboard_theirs", stated, SMOOTHED_SECTIONS),
    ):
        for surface, member in surfaces.items():
            if surface == "all" or quantity in ("height", "freeboard"):
                yield from _difference(
                    quantity, matched, (ours, theirs), stated=sigma, run=run, member=member, surface=surface, seed=seed
                )
    both = np.hypot(_real(sections, "sea_level_uncertainty_ours"), _real(sections, "sea_level_uncertainty_theirs"))
    yield from _difference(
        "sea_level", sections, ("sea_level_ours", "sea_level_theirs"), stated=both, run=SMOOTHED_SECTIONS, seed=seed
    )
    yield from _difference("lead_height", leads, ("height_ours", "height_theirs"), seed=seed)


def _difference(
    quantity: str,
    part: pa.Table,
    names: tuple[str, str],
    *,
    stated: np.ndarray | None = None,
    run: int = 1,
    member: np.ndarray | None = None,
    surface: str = "all",
    seed: int = 0,
) -> Iterator[Score]:
    mine, theirs = (_real(part, n) for n in names)
    x, d = _real(part, "x_atc"), mine - theirs
    use = np.isfinite(d) if member is None else np.isfinite(d) & member
    for region, rows in regions(part):
        at = use & rows
        found = bias(x[at], d[at], stated=None if stated is None else stated[at], run=run, seed=seed)
        base: dict[str, Any] = {"quantity": quantity, "region": region, "surface": surface, "units": "m", "n": found.n}
        yield Score(
            statistic="bias",
            value=found.value,
            uncertainty=found.uncertainty,
            low=found.low,
            high=found.high,
            n_sections=found.n_sections,
            uncertainty_from=found.source,
            **base,
        )
        for statistic, value in _spread(d[at], mine[at], theirs[at]).items():
            yield Score(statistic=statistic, value=value, **base)


def _spread(d: np.ndarray, mine: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    if d.size == 0:
        return dict.fromkeys(("median", "rmse", "robust_sd", "mean_ours", "mean_theirs"), float("nan"))
    return {
        "median": float(np.median(d)),
        "rmse": float(np.sqrt(np.mean(d**2))),
        "robust_sd": float(MAD_TO_SD * np.median(np.abs(d - np.median(d)))),
        "mean_ours": float(mine.mean()),
        "mean_theirs": float(theirs.mean()),
    }


def coverage(pair: Pair) -> Iterator[Score]:
    """Yield the track (km, and share of the stretch that both products reach) with a value in ours, theirs, both.

    Cells of :data:`CELL_M`: one is covered where its middle lies in a segment with a value, and by ours also where one
    has its centre in it.

    Parameters
    ----------
    pair : Pair
        The two to compare.
    """
    values = {"height": ("height", "height_segment_height")}
    if pair.reference.product == "ATL10":
        values["freeboard"] = ("total_freeboard", "beam_fb_height")
    for quantity, names in values.items():
        counts = {b: _cells(pair, b, names) for b in pair.beams}
        strong = {b: pair.is_strong(b) for b in counts}
        groups = {"all": list(counts), "strong": [b for b in counts if strong[b]]}
        groups |= {"weak": [b for b in counts if not strong[b]]} | {b: [b] for b in counts}
        for region, beams in groups.items():
            mine, theirs, both, cells = np.sum([counts[b] for b in beams], axis=0) if beams else (0, 0, 0, 0)
            for name, n in (
                ("ours", mine),
                ("theirs", theirs),
                ("both", both),
                ("ours_only", mine - both),
                ("theirs_only", theirs - both),
            ):
                base: dict[str, Any] = {"quantity": f"coverage_{quantity}", "region": region, "n": int(cells)}
                share = n / cells if cells else float("nan")
                yield Score(statistic=f"{name}_km", value=float(n * CELL_M / 1e3), units="km", **base)
                yield Score(statistic=f"{name}_share", value=float(share), units="1", **base)


def _cells(pair: Pair, beam: str, names: tuple[str, str]) -> np.ndarray:
    """Return how many cells of the common range have a value in ours, in theirs, in both, and how many there are."""
    low, high = pair.common_range(beam)
    ours = pair.ours
    first = int(np.floor(low / CELL_M))
    count = max(int(np.ceil(high / CELL_M)) - first, 0)
    middle = (first + np.arange(count) + 0.5) * CELL_M
    where = ours.segments.slices[beam]
    x, has = ours.segments["x_atc"][where], np.isfinite(ours.segments[names[0]][where])
    start, end = collocation.extents(x, resolution_m=ours.resolution_m)
    mine = collocation.covered(middle, start[has], end[has])
    cell = np.floor(x[has] / CELL_M).astype(np.int64) - first
    mine[cell[(cell >= 0) & (cell < count)]] = True
    part = pair.reference.segments[beam]
    good = np.isfinite(column(part, names[1])) & np.isfinite(column(part, "seg_dist_x"))
    centre = column(part, "seg_dist_x").astype(np.float64)[good]
    half = 0.5 * column(part, "height_segment_length_seg").astype(np.float64)[good]
    theirs = collocation.covered(middle, centre - half, centre + half)
    return np.array([mine.sum(), theirs.sum(), (mine & theirs).sum(), count], np.int64)


def roughness(matched: pa.Table) -> Iterator[Score]:
    """Yield how rough the surface is within NASA's segments, which their one height leaves out, and between them.

    Standard deviations in m over ice (type 1): of our heights inside one segment, what their stated noise alone would
    give, and the rest (``within_rms``: the roughness that is kept); of NASA's heights about the mean of their 10 km
    section (``between_rms``). ``share_within`` is the part of the variance of both that NASA's segments leave out.

    Parameters
    ----------
    matched : pyarrow.Table
        Of :func:`.matching.segments`.
    """
    spread, noise = _real(matched, "height_sd_within"), _real(matched, "height_noise_within")
    theirs, x = _real(matched, "height_theirs"), _real(matched, "x_atc")
    ice = (schema.to_numpy(matched["surface_type"]) == 1) & np.isfinite(spread) & np.isfinite(theirs)
    for region, rows in regions(matched):
        at = ice & rows
        n = int(at.sum())
        inside = max(float(np.mean(spread[at] ** 2 - noise[at] ** 2)), 0.0) if n else float("nan")
        between = _about_sections(x[at], theirs[at])
        whole = inside + between
        for statistic, value, units in (
            ("sd_within_median", float(np.median(spread[at])) if n else float("nan"), "m"),
            ("noise_rms", float(np.sqrt(np.mean(noise[at] ** 2))) if n else float("nan"), "m"),
            ("within_rms", float(np.sqrt(inside)), "m"),
            ("between_rms", float(np.sqrt(between)), "m"),
            ("share_within", inside / whole if whole > 0 else float("nan"), "1"),
        ):
            yield Score(
                quantity="roughness", statistic=statistic, region=region, surface="ice", value=value, units=units, n=n
            )


def _about_sections(x: np.ndarray, height: np.ndarray) -> float:
    """Return the variance of heights about the mean of their section."""
    if x.size == 0:
        return float("nan")
    _, index = np.unique(np.floor(x / SECTION_M), return_inverse=True)
    mean = np.bincount(index, weights=height) / np.bincount(index)
    return float(np.mean((height - mean[index]) ** 2))


def found_leads(leads: pa.Table, matched: pa.Table) -> Iterator[Score]:
    """Yield leads found by either, and NASA's specular segments that ours call water.

    Parameters
    ----------
    leads : pyarrow.Table
        Of :func:`.matching.leads`.
    matched : pyarrow.Table
        Of :func:`.matching.segments`.
    """
    by = np.array(leads["found_by"].to_pylist(), dtype=str)
    for region, rows in regions(leads):
        n = int(rows.sum())
        for name in ("both", "ours", "theirs"):
            value = float((by[rows] == name).sum())
            yield Score(quantity="leads", statistic=f"by_{name}", region=region, value=value, units="1", n=n)
    kind = schema.to_numpy(matched["surface_type"])
    is_lead, is_ice = np.isin(kind, SPECULAR), kind == 1
    for way in ("ours", "nearest"):
        water = schema.to_numpy(matched[f"surface_class_{way}"]) == schema.OPEN_WATER
        for region, rows in regions(matched):
            hits, misses = int((rows & is_lead & water).sum()), int((rows & is_lead & ~water).sum())
            false = int((rows & is_ice & water).sum())
            name = "extents" if way == "ours" else "nearest"
            base: dict[str, Any] = {
                "quantity": f"specular_segments_{name}",
                "region": region,
                "surface": "specular_lead",
                "units": "1",
            }
            yield Score(statistic="recall", value=_over(hits, hits + misses), n=hits + misses, **base)
            yield Score(statistic="precision", value=_over(hits, hits + false), n=hits + false, **base)


def _over(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _real(part: pa.Table, name: str) -> np.ndarray:
    return schema.to_numpy(part[name]).astype(np.float64)
