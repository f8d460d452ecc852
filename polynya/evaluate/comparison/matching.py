"""Our segments, leads and sea surface brought to NASA's, beam by beam, as the tables that are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ... import metrics, schema
from ...schema import TableSpec
from ...tracks import collocation
from ..collocated import Reference, collocate, column, nasa_leads
from ..rows import LEAD_COLUMNS, SEGMENT_COLUMNS, Track, track
from . import tables
from .sea_level import sea_level

COLUMNS = (*SEGMENT_COLUMNS, "mean_sea_surface")
"""Columns of our segments that a comparison reads, beside beam and x_atc."""
NEAR_M = 2_500.0
"""Our sea surface is that of NASA's section where we have one this near to its centre; ours lie every 5 km."""
LEAST_WITHIN = 5
"""Fewer of our segments in one of NASA's say nothing of the roughness in it."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One result of ours, of one granule.

    Attributes
    ----------
    label : str
        Its resolution: ``2 m``, ``150ph``.
    resolution_m : float or None
        Length of the segments, m; None where they hold a number of photons.
    segments : Track
        Of :data:`COLUMNS`.
    leads : Track
    """

    label: str
    resolution_m: float | None
    segments: Track
    leads: Track

    @classmethod
    def of(cls, segments: pa.Table, leads: pa.Table, *, resolution_m: float | None) -> Result:
        """Take the columns out of the tables of a granule.

        Parameters
        ----------
        segments, leads : pyarrow.Table
            Of :data:`polynya.schema.SEGMENTS` and :data:`polynya.schema.LEADS`.
        resolution_m : float or None
            Length of the segments, m; None where they hold a number of photons.
        """
        return cls(
            label="150ph" if resolution_m is None else f"{resolution_m:g} m",
            resolution_m=resolution_m,
            segments=track(segments, COLUMNS, what="segments"),
            leads=track(leads, LEAD_COLUMNS, what="leads"),
        )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A result of ours and a product of NASA of the same track.

    Attributes
    ----------
    ours : Result
    reference : Reference
    """

    ours: Result
    reference: Reference

    @property
    def beams(self) -> list[str]:
        """Beams on which both have segments."""
        theirs = self.reference.segments
        return [b for b in self.ours.segments.slices if b in theirs and theirs[b].num_rows]

    @property
    def about(self) -> dict[str, str]:
        """The columns that say which comparison a row is of."""
        return {"reference": self.reference.product, "resolution": self.ours.label}

    def is_strong(self, beam: str) -> bool:
        """Return whether a beam of ours is strong."""
        return bool(self.ours.segments["is_strong"][self.ours.segments.slices[beam]][0])

    def common_range(self, beam: str) -> tuple[float, float]:
        """Return the stretch of one of the beams (m) in which both have segments, whatever lies between."""
        x = self.ours.segments["x_atc"][self.ours.segments.slices[beam]]
        theirs = column(self.reference.segments[beam], "seg_dist_x").astype(np.float64)
        half = 0.5 * column(self.reference.segments[beam], "height_segment_length_seg").astype(np.float64)
        return max(float(x[0]), float(np.nanmin(theirs - half))), min(float(x[-1]), float(np.nanmax(theirs + half)))


def segments(pair: Pair) -> pa.Table:
    """Return NASA's segments that ours cover, with what ours say together.

    Parameters
    ----------
    pair : Pair
        The two to compare.

    Returns
    -------
    pyarrow.Table
        Of :data:`.tables.SEGMENTS`; empty where none is covered at the same time.
    """
    parts = [_segments_of(pair, beam) for beam in pair.beams]
    return _table(tables.SEGMENTS, [p for p in parts if len(p["x_atc"])], pair)


def _segments_of(pair: Pair, beam: str) -> dict[str, object]:
    ours, table = pair.ours, pair.reference.segments[beam]
    found = collocate(ours.segments, beam, table, ours.resolution_m)
    rows = np.flatnonzero(found["matched"]) if found is not None else np.zeros(0, np.int64)
    if found is None or rows.size == 0:
        return {"x_atc": rows}
    first, last, order = found["first"][rows], found["last"][rows], found["order"][rows]
    where = ours.segments.slices[beam]

    def mean(name: str) -> np.ndarray:
        return collocation.mean_over(ours.segments[name][where], first, last)[0]

    def stored(name: str) -> np.ndarray:
        if name not in table.column_names:
            return np.full(rows.size, np.nan)
        return column(table, name)[order].astype(np.float64)

    spread, noise, n = _within(ours, where, first, last)
    level, height = mean("sea_surface_height"), found["height_mean"][rows]
    return {
        "beam": beam,
        "is_strong": found["strong"][rows],
        "time": column(table, "time")[order],
        "latitude": stored("latitude"),
        "longitude": stored("longitude"),
        "x_atc": found["x"][rows],
        "length": found["length"][rows],
        "surface_type": found["type"][rows],
        "n_ours": n,
        "height_theirs": found["height"][rows],
        "height_ours": height,
        "height_sd_within": spread,
        "height_noise_within": noise,
        "mean_sea_surface_theirs": stored("height_segment_mss"),
        "mean_sea_surface_ours": mean("mean_sea_surface"),
        "sea_level_ours": level,
        "sea_level_uncertainty_ours": mean("sea_surface_uncertainty"),
        "freeboard_theirs": stored("beam_fb_height"),
        "freeboard_uncertainty_theirs": stored("beam_fb_unc"),
        "freeboard_ours": found["freeboard_mean"][rows],
        "freeboard_same_scale": np.where(height < level, 0.0, height - level),
        "surface_class_ours": found["class"][rows],
        "surface_class_nearest": np.where(found["n_nearest"][rows] > 0, found["class_nearest"][rows], -1),
    }


def _within(
    ours: Result, where: slice, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard deviation and stated noise of our heights in each range, NaN for few, and their number."""
    height = ours.segments["height"][where].astype(np.float64)
    good = np.isfinite(height)
    height = height - (np.median(height[good]) if good.any() else 0.0)
    n = np.rint(collocation.sums_over(good, first, last))
    total, squares = collocation.sums_over(height, first, last), collocation.sums_over(height**2, first, last)
    sigma = np.where(good, ours.segments["height_uncertainty"][where], 0.0).astype(np.float64)
    enough = n >= LEAST_WITHIN
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(squares - total**2 / n, 0.0) / (n - 1.0))
        noise = np.sqrt(collocation.sums_over(sigma**2, first, last) / n)
    return np.where(enough, spread, np.nan), np.where(enough, noise, np.nan), n.astype(np.int64)


def sections(pair: Pair) -> pa.Table:
    """Return NASA's sections inside the common range, and our sea surface there.

    Parameters
    ----------
    pair : Pair
        The two to compare.

    Returns
    -------
    pyarrow.Table
        Of :data:`.tables.SECTIONS`; NaN where we have no sea surface within :data:`NEAR_M`.
    """
    ours = pair.ours
    parts = []
    for beam in pair.beams:
        low, high = pair.common_range(beam)
        theirs = sea_level(pair.reference, beam)
        keep = (theirs.x >= low - NEAR_M) & (theirs.x <= high + NEAR_M)
        where = ours.segments.slices[beam]
        mine = np.flatnonzero(np.isfinite(ours.segments["sea_surface_height"][where])) + where.start
        x = theirs.x[keep]
        level, sigma = np.full(x.size, np.nan), np.full(x.size, np.nan)
        if mine.size and x.size:
            partner = mine[collocation.nearest(x, ours.segments["x_atc"][mine])]
            near = np.abs(ours.segments["x_atc"][partner] - x) <= NEAR_M
            level = np.where(near, ours.segments["sea_surface_height"][partner], np.nan)
            sigma = np.where(near, ours.segments["sea_surface_uncertainty"][partner], np.nan)
        parts.append(
            {
                "beam": beam,
                "is_strong": np.full(x.size, pair.is_strong(beam)),
                "x_atc": x,
                "n_leads_theirs": theirs.n_leads[keep],
                "sea_level_theirs": theirs.height[keep],
                "sea_level_uncertainty_theirs": theirs.sigma[keep],
                "sea_level_ours": level,
                "sea_level_uncertainty_ours": sigma,
            }
        )
    return _table(tables.SECTIONS, parts, pair)


def leads(pair: Pair) -> pa.Table:
    """Return the leads that either has inside the common range.

    NASA's are ATL10's list, or runs of specular segments of ATL07. A lead is found by both where extents overlap; of
    ours that lie in one of NASA's none is listed again.

    Parameters
    ----------
    pair : Pair
        The two to compare.

    Returns
    -------
    pyarrow.Table
        Of :data:`.tables.LEADS`.
    """
    ours = pair.ours
    parts = []
    for beam in pair.beams:
        low, high = pair.common_range(beam)
        start, end, height = nasa_leads(pair.reference, beam)
        inside = (end > low) & (start < high)
        start, end, height = start[inside], end[inside], height[inside]
        mine = ours.leads.slices.get(beam, slice(0, 0))
        x, half = ours.leads["x_atc"][mine], 0.5 * ours.leads["length"][mine].astype(np.float64)
        kept = (x + half > low) & (x - half < high)
        x, half, own_height = x[kept], half[kept], ours.leads["height"][mine][kept].astype(np.float64)
        both = metrics.overlaps(start, end, x - half, x + half)
        alone = ~metrics.overlaps(x - half, x + half, start, end)
        paired = np.full(start.size, np.nan)
        if x.size and start.size:
            # The nearest one that overlaps: a short lead beside a long one may have the nearer centre.
            touching = (x - half < end[:, None]) & (x + half > start[:, None])
            distance = np.where(touching, np.abs(x - 0.5 * (start + end)[:, None]), np.inf)
            paired = np.where(touching.any(axis=1), own_height[distance.argmin(axis=1)], np.nan)
        parts.append(
            {
                "beam": beam,
                "is_strong": np.full(start.size + int(alone.sum()), pair.is_strong(beam)),
                "x_atc": np.concatenate([0.5 * (start + end), x[alone]]),
                "length": np.concatenate([end - start, 2.0 * half[alone]]),
                "found_by": np.concatenate([np.where(both, "both", "theirs"), np.full(int(alone.sum()), "ours")]),
                "height_theirs": np.concatenate([height, np.full(int(alone.sum()), np.nan)]),
                "height_ours": np.concatenate([paired, own_height[alone]]),
            }
        )
    return _table(tables.LEADS, parts, pair)


def _table(spec: TableSpec, parts: Sequence[dict[str, object]], pair: Pair) -> pa.Table:
    """Return parts, one per beam, as one table in order of beam and distance."""
    made = [schema.table(spec, {**part, **pair.about}) for part in parts]
    return pa.concat_tables(made) if made else spec.schema().empty_table()
