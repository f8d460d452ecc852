"""What one beam of one granule adds to the sums of each cell.

*Left out*: segments with one of the chosen quality bits, and those without a class (cloud). *Freeboard* counts where
its height, its sea surface and both errors are there. *Errors* are split as in :mod:`polynya.physics.averages`: each
segment's own, that of the sea surface, which sections and beams of a pass share, and that of one cause for all.

*Roughness*: windows of 1 km of the track, at least half full of ice segments. Their height variance about a straight
line, less the mean variance of the segments' own errors; the window counts in the cell of its middle segment.

*Chords*: a lead's is its length. A floe's is the distance from one lead's end to the next lead's beginning, on one
beam, where no two neighbouring classified segments in between are further apart than 100 m. Others are cut: by a gap,
by cloud, or by the end of the track; they are counted, for long floes are cut more often than short ones. Chords are
lengths along the track, not diameters (Rothrock and Thorndike 1984, doi:10.1029/JC089iC04p06477).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...schema import OPEN_WATER, THICK_ICE, THIN_ICE
from ...schema.gridded import FLOE_EDGES_M, LEAD_EDGES_M
from .. import heights, quality
from .sums import Sums, add, fixed, merge

WINDOW_M = 1_000.0
LEAST_SHARE = 0.5
"""Share of a window that ice segments must fill."""
GAP_M = 100.0
"""Largest distance of neighbouring classified segments inside a floe chord, m."""


@dataclass(frozen=True, kw_only=True)
class BeamSegments:
    """Segments of one beam, sorted along the track, arrays of shape (n,) named as in ``schema.SEGMENTS``.

    Attributes
    ----------
    cell : numpy.ndarray of int64
        Cell of the grid, -1 outside.
    period, day : numpy.ndarray of int64
        Days since 1970: first day of the period, and the day.
    x : numpy.ndarray
        Along-track distance, m.
    length_m : float
        Length of a segment, m.
    surface_class, quality_flag : numpy.ndarray of int
    probability : numpy.ndarray, shape (n, 3)
        Of thick ice, thin ice and water.
    height, height_uncertainty, first_photon_bias : numpy.ndarray
    freeboard, sea_surface, sea_surface_uncertainty, sea_surface_common : numpy.ndarray
        m; NaN where there is none.
    """

    cell: np.ndarray
    period: np.ndarray
    day: np.ndarray
    x: np.ndarray
    length_m: float
    surface_class: np.ndarray
    quality_flag: np.ndarray
    probability: np.ndarray
    height: np.ndarray
    height_uncertainty: np.ndarray
    first_photon_bias: np.ndarray
    freeboard: np.ndarray
    sea_surface: np.ndarray
    sea_surface_uncertainty: np.ndarray
    sea_surface_common: np.ndarray


@dataclass(frozen=True, kw_only=True)
class BeamLeads:
    """Leads of one beam, arrays of shape (m,): centre and length along the track, m."""

    x: np.ndarray
    length: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Some rows of the sums to be: the segment that says where each belongs, and the counts."""

    at: np.ndarray
    values: dict[str, np.ndarray]


def contributions(segments: BeamSegments, leads: BeamLeads, *, track: str, leave_out: int) -> Sums:
    """Return what a beam adds to each cell.

    Parameters
    ----------
    segments : BeamSegments
        Sorted along the track.
    leads : BeamLeads
        Of the same beam.
    track : str
        The pass.
    leave_out : int
        Quality bits: a segment with one of them counts for nothing but ``n_left_out``.

    Returns
    -------
    Sums

    Raises
    ------
    ValueError
        If a value is too large to be counted.
    """
    s = segments
    if s.x.size == 0:
        return add({k: np.empty(0, np.int64) for k in ("period", "cell", "track", "day")}, {})
    clean = (s.quality_flag & leave_out) == 0
    kept = clean & (s.surface_class >= 0) & np.isfinite(s.probability).all(axis=1)
    order = np.argsort(leads.x, kind="stable")
    leads = BeamLeads(x=np.asarray(leads.x, np.float64)[order], length=np.asarray(leads.length, np.float64)[order])
    lead_of = _lead_of(s.x, leads)
    pieces = [
        _of_segments(s, clean=clean, kept=kept, is_in_lead=lead_of >= 0),
        _roughness(s, kept),
        *_chords(s, leads, kept=kept, lead_of=lead_of),
    ]
    out = []
    for piece in pieces:
        inside = s.cell[piece.at] >= 0
        at = piece.at[inside]
        keys = {"period": s.period[at], "cell": s.cell[at], "track": np.full(at.size, track), "day": s.day[at]}
        out.append(add(keys, {n: v[inside] for n, v in piece.values.items()}))
    return merge(out)


def _lead_of(x: np.ndarray, leads: BeamLeads) -> np.ndarray:
    """Return the lead that each place lies in, -1 for none."""
    if leads.x.size == 0:
        return np.full(x.size, -1)
    k = np.searchsorted(leads.x - 0.5 * leads.length, x, side="right") - 1
    end = (leads.x + 0.5 * leads.length)[np.maximum(k, 0)]
    return np.where((k >= 0) & (x <= end), k, -1)


def _of_segments(s: BeamSegments, *, clean: np.ndarray, kept: np.ndarray, is_in_lead: np.ndarray) -> _Rows:
    ice = kept & ((s.surface_class == THICK_ICE) | (s.surface_class == THIN_ICE))
    common = np.hypot(np.nan_to_num(s.sea_surface_common), heights.first_photon_error(s.first_photon_bias))
    own = heights.independent_error(s.height_uncertainty, s.first_photon_bias)
    reference = np.sqrt(np.maximum(s.sea_surface_uncertainty**2 - np.nan_to_num(s.sea_surface_common) ** 2, 0.0))
    has_surface = kept & np.isfinite(s.sea_surface) & np.isfinite(reference)
    has_board = has_surface & np.isfinite(s.freeboard) & np.isfinite(own)
    values = {
        "n_left_out": ~clean,
        "n_unclassified": clean & ~kept,
        "n_thick": kept & (s.surface_class == THICK_ICE),
        "n_thin": kept & (s.surface_class == THIN_ICE),
        "n_water": kept & (s.surface_class == OPEN_WATER),
        "n_in_lead": kept & is_in_lead,
    }
    for k, name in enumerate(("p_thick", "p_thin", "p_water")):
        values[name] = fixed(name, np.where(kept, s.probability[:, k], 0.0))
    for name, value, where in (
        ("freeboard", s.freeboard, has_board & ice),
        ("freeboard_all", s.freeboard, has_board),
        ("sea_surface", s.sea_surface, has_surface),
    ):
        values[f"n_{name}"] = where
        random = np.zeros(s.x.size) if name == "sea_surface" else own**2
        for column, part in ((name, value), (f"{name}_random", random), (f"{name}_track", reference)):
            values[column] = fixed(column, np.where(where, part, 0.0))
        values[f"{name}_common"] = fixed(f"{name}_common", np.where(where, common, 0.0))
    where = has_board & ice
    values["freeboard_squares"] = fixed("freeboard_squares", np.where(where, s.freeboard, 0.0) ** 2)
    for name, bit in (
        ("n_filled", "sea_surface_filled"),
        ("n_melt_season", "melt_season"),
        ("n_leads_scatter", "leads_scatter"),
        ("n_swell", "swell"),
    ):
        values[name] = where & ((s.quality_flag & quality.BITS[bit]) > 0)
    return _Rows(at=np.arange(s.x.size), values=values)


def _roughness(s: BeamSegments, kept: np.ndarray) -> _Rows:
    ice = kept & ((s.surface_class == THICK_ICE) | (s.surface_class == THIN_ICE))
    own = heights.independent_error(s.height_uncertainty, s.first_photon_bias)
    rows = np.flatnonzero(ice & np.isfinite(s.height) & np.isfinite(own))
    window = np.floor(s.x[rows] / WINDOW_M).astype(np.int64)
    start = np.flatnonzero(np.concatenate([[True], np.diff(window) != 0])) if rows.size else np.empty(0, np.int64)
    count = np.diff(np.append(start, rows.size))
    full = count >= max(LEAST_SHARE * WINDOW_M / s.length_m, 3.0)
    if not full.any():
        names = ("n_windows", "variance", "variance_squares", "noise")
        return _Rows(at=np.empty(0, np.int64), values={n: np.empty(0, np.int64) for n in names})
    x, h = s.x[rows] - (window + 0.5) * WINDOW_M, s.height[rows].astype(np.float64)

    def mean(a: np.ndarray) -> np.ndarray:
        return np.add.reduceat(a, start) / count

    x = x - np.repeat(mean(x), count)
    h = h - np.repeat(mean(h), count)
    slope = mean(x * h) / np.maximum(mean(x * x), 1e-9)
    rest = h - np.repeat(slope, count) * x
    noise = mean(own[rows] ** 2)
    variance = np.add.reduceat(rest**2, start) / np.maximum(count - 2, 1) - noise
    return _Rows(
        at=rows[start + count // 2][full],
        values={
            "n_windows": np.ones(int(full.sum()), np.int64),
            "variance": fixed("variance", variance[full]),
            "variance_squares": fixed("variance_squares", variance[full] ** 2),
            "noise": fixed("noise", noise[full]),
        },
    )


def _chords(s: BeamSegments, leads: BeamLeads, *, kept: np.ndarray, lead_of: np.ndarray) -> list[_Rows]:
    """Return leads that hold a segment that counts, and the floes between them."""
    is_held = np.bincount(lead_of[kept & (lead_of >= 0)], minlength=leads.x.size) > 0
    begin, end = leads.x - 0.5 * leads.length, leads.x + 0.5 * leads.length
    lead_rows = _Rows(at=_nearest(s.x, leads.x[is_held]), values=_counted("lead", leads.length[is_held], LEAD_EDGES_M))
    # A step of more than GAP_M between classified segments cuts a floe that any part of it lies in.
    seen = s.x[s.surface_class >= 0]
    step = np.flatnonzero(np.diff(seen) > GAP_M)
    before = np.searchsorted(seen[step], begin[1:], side="left")
    is_whole = before == np.searchsorted(seen[step + 1], end[:-1], side="right")
    is_whole &= is_held[1:] & is_held[:-1]
    chord = begin[1:] - end[:-1]
    middle = 0.5 * (begin[1:] + end[:-1])
    whole, cut = is_whole & (chord > 0), ~is_whole & (chord > 0)
    floe_rows = _Rows(at=_nearest(s.x, middle[whole]), values=_counted("floe", chord[whole], FLOE_EDGES_M))
    ends = np.concatenate([leads.x[:1], middle[cut], leads.x[-1:]])
    cut_rows = _Rows(at=_nearest(s.x, ends), values={"n_floes_cut": np.ones(ends.size, np.int64)})
    return [lead_rows, floe_rows, cut_rows]


def _counted(name: str, length: np.ndarray, edges: tuple[float, ...]) -> dict[str, np.ndarray]:
    place = np.clip(np.searchsorted(edges, length, side="right") - 1, 0, len(edges) - 2)
    return {
        f"n_{name}s": np.ones(length.size, np.int64),
        f"{name}_length": fixed(f"{name}_length", length),
        f"{name}_length_squares": fixed(f"{name}_length_squares", length**2),
        **{f"{name}_bin_{k:02d}": (place == k).astype(np.int64) for k in range(len(edges) - 1)},
    }


def _nearest(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the segment nearest to each place, int64."""
    right = np.clip(np.searchsorted(x, places), 1, max(x.size - 1, 1))
    right = np.minimum(right, x.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(x[left] - places) <= np.abs(x[right] - places), left, right).astype(np.int64)
