"""Which leads, sections and segments of an ATL10 beam belong together, in whole granules and subsets.

A subset keeps ``leads`` of the whole granule and cuts segments and sections to the box, while the
indices go on counting over the whole granule. Leads are found again through ``lead_dist_x`` (the
mean ``seg_dist_x`` of their segments), sections through ``fbswath_ndx``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ...physics import sea_surface

POSITION_M = 0.02
"""A lead lies where its segments' mean distance agrees with ``lead_dist_x`` to this; segments are metres apart."""
NO_SURFACE, FROM_LEADS, INFERRED, ONE_POINT, END_POINT = -1, 0, 1, 2, 3
FILLED = (INFERRED, ONE_POINT, END_POINT)


@dataclass(frozen=True, kw_only=True)
class Beam:
    """One beam's arrays, as stored; segments (n,), leads (m,), sections (k,)."""

    name: str
    x: np.ndarray
    height: np.ndarray
    sigma: np.ndarray
    is_sea_surface: np.ndarray
    freeboard: np.ndarray
    freeboard_unc: np.ndarray
    section_index: np.ndarray
    lead_x: np.ndarray
    lead_h: np.ndarray
    lead_sigma: np.ndarray
    lead_first: np.ndarray
    lead_n: np.ndarray
    section_x: np.ndarray
    section_time: np.ndarray
    section_h: np.ndarray
    section_sigma: np.ndarray
    section_flag: np.ndarray
    section_number: np.ndarray
    section_lead: np.ndarray
    section_n: np.ndarray

    @classmethod
    def from_tables(cls, name: str, *, segments: pa.Table, leads: pa.Table, sections: pa.Table) -> Beam:
        """Take the columns out of the reader's three tables."""

        def real(table: pa.Table, column: str) -> np.ndarray:
            return table[column].to_numpy().astype(np.float64)

        def whole(table: pa.Table, column: str, otherwise: int) -> np.ndarray:
            return table[column].fill_null(otherwise).to_numpy().astype(np.int64)

        height, n_leads = real(sections, "beam_refsurf_height"), whole(sections, "beam_lead_n", 0)
        flag = whole(sections, "beam_refsurf_interp_flag", -99)
        inferred = np.where(np.isfinite(height), np.where(n_leads > 0, FROM_LEADS, -99), NO_SURFACE)
        return cls(
            name=name,
            x=real(segments, "seg_dist_x"),
            height=real(segments, "height_segment_height"),
            sigma=real(segments, "height_segment_sigma"),
            is_sea_surface=whole(segments, "height_segment_ssh_flag", 0) > 0,
            freeboard=real(segments, "beam_fb_height"),
            freeboard_unc=real(segments, "beam_fb_unc"),
            section_index=whole(segments, "beam_refsurf_ndx", 0),
            lead_x=real(leads, "lead_dist_x"),
            lead_h=real(leads, "lead_height"),
            lead_sigma=real(leads, "lead_sigma"),
            lead_first=whole(leads, "ssh_ndx", 0) - 1,
            lead_n=whole(leads, "ssh_n", 0),
            section_x=real(sections, "beam_refsurf_dist_x"),
            section_time=real(sections, "delta_time"),
            section_h=height,
            section_sigma=real(sections, "beam_refsurf_sigma"),
            section_flag=np.where(flag == -99, inferred, flag),
            section_number=whole(sections, "fbswath_ndx", 0),
            section_lead=whole(sections, "beam_lead_ndx", 0) - 1,
            section_n=n_leads,
        )


def locate_leads(beam: Beam) -> tuple[np.ndarray, np.ndarray]:
    """Return where each lead starts in the file's segments.

    Parameters
    ----------
    beam : Beam
        Segments, leads and sections of one beam.

    Returns
    -------
    place : int64 array, shape (m,)
        0-based first segment, -1 where the lead's segments are not (all) in the file.
    error : float64 array, shape (m,)
        ``|mean(seg_dist_x) - lead_dist_x|``, m, NaN where not located.

    Notes
    -----
    Inside one contiguous box the stored index minus the index in the file is one constant. It is
    found from the leads whose distance fits; a lead whose index lies between two leads of the same
    constant must be in the file too and is placed by it, so that a wrong distance shows as an error.
    Without ``lead_dist_x`` (before release 005) the index is taken as it stands.
    """
    n, m = beam.x.size, beam.lead_x.size
    place, error = np.full(m, -1, np.int64), np.full(m, np.nan)
    if n == 0 or m == 0:
        return place, error
    sums = np.concatenate([[0.0], np.cumsum(beam.x - beam.x[0])])
    if not np.isfinite(beam.lead_x).any():
        inside = (beam.lead_first >= 0) & (beam.lead_n > 0) & (beam.lead_first + beam.lead_n <= n)
        place[inside], error[inside] = beam.lead_first[inside], 0.0
        return place, error
    candidates: list[list[int]] = [[] for _ in range(m)]
    for size in np.unique(beam.lead_n[(beam.lead_n > 0) & (beam.lead_n <= n)]):
        means = (sums[size:] - sums[:-size]) / size + beam.x[0]
        order = np.argsort(means, kind="stable")
        for k in np.flatnonzero((beam.lead_n == size) & np.isfinite(beam.lead_x)).tolist():
            a, b = np.searchsorted(means[order], [beam.lead_x[k] - POSITION_M, beam.lead_x[k] + POSITION_M])
            candidates[k] = order[a:b].tolist()
    votes = Counter(int(beam.lead_first[k]) - j for k in range(m) for j in candidates[k])
    offset = np.full(m, np.iinfo(np.int64).min)
    for k, places in enumerate(candidates):
        if places:
            offset[k] = max((int(beam.lead_first[k]) - j for j in places), key=lambda o: votes[o])
    found = np.flatnonzero(offset > np.iinfo(np.int64).min)
    for a, b in pairwise(found.tolist()):
        if offset[a] == offset[b]:
            offset[a + 1 : b] = offset[a]
    for k in np.flatnonzero(offset > np.iinfo(np.int64).min).tolist():
        start = int(beam.lead_first[k] - offset[k])
        if beam.lead_n[k] > 0 and start >= 0 and start + beam.lead_n[k] <= n:
            place[k] = start
            error[k] = abs((sums[start + beam.lead_n[k]] - sums[start]) / beam.lead_n[k] + beam.x[0] - beam.lead_x[k])
    return place, error


def section_positions(beam: Beam) -> np.ndarray:
    """Return the 0-based section in the file of each segment, -1 where that section is outside.

    By ``fbswath_ndx`` where the file has it; else by one constant between ``beam_refsurf_ndx`` and
    the nearest section; else as it stands.
    """
    n, k = beam.x.size, beam.section_h.size
    if n == 0 or k == 0:
        return np.full(n, -1, np.int64)
    if np.all(beam.section_number > 0):
        order = np.argsort(beam.section_number, kind="stable")
        at = np.searchsorted(beam.section_number[order], beam.section_index)
        at = order[np.minimum(at, k - 1)]
        return np.where(beam.section_number[at] == beam.section_index, at, -1)
    offset = 1
    if np.isfinite(beam.section_x).all():
        near = sea_surface.nearest_section(beam.x, beam.section_x)
        offset = Counter((beam.section_index - near).tolist()).most_common(1)[0][0]
    index = beam.section_index - offset
    return np.where((index >= 0) & (index < k), index, -1)


def freeboard_reference(beam: Beam, index: np.ndarray, *, release: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the sea surface and its error under each segment, and how it was taken where that matters.

    Up to release 006 a segment takes its section's value; from 007 on NASA interpolates it to the
    segment where both neighbours exist (linear in distance is taken here; not checked on a real file).
    """
    known = index >= 0
    at = np.maximum(index, 0)
    if beam.section_h.size == 0:
        nothing = np.full(beam.x.size, np.nan)
        return nothing, nothing, ""
    h = np.where(known, beam.section_h[at], np.nan)
    sigma = np.where(known, beam.section_sigma[at], np.nan)
    if release and release >= "007" and np.isfinite(beam.section_x).all() and beam.section_h.size > 1:
        right = np.clip(np.searchsorted(beam.section_x, beam.x), 1, beam.section_x.size - 1)
        left = right - 1
        share = (beam.x - beam.section_x[left]) / (beam.section_x[right] - beam.section_x[left])
        between = beam.section_h[left] + share * (beam.section_h[right] - beam.section_h[left])
        use = known & np.isfinite(between) & (share >= 0) & (share <= 1)
        return (
            np.where(use, between, h),
            sigma,
            "release 007: sea surface interpolated to the segment; not checked on a real file",
        )
    return h, sigma, ""


def section_leads(beam: Beam, *, half_width_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the 0-based first lead and number of leads of each section, 0 leads where they are not in the file.

    The stored index is used where it points at leads inside the section; where it does not (leads
    cut with the box) the leads inside the section are taken if they are as many as stored.
    """
    first, count = beam.section_lead.copy(), beam.section_n.copy()
    m = beam.lead_h.size
    for i in np.flatnonzero(count > 0):
        a, n = int(first[i]), int(count[i])
        fits = a >= 0 and a + n <= m
        if np.isfinite(beam.section_x[i]) and np.isfinite(beam.lead_x).all():
            centre = beam.section_x[i]
            fits = fits and bool(np.all(np.abs(beam.lead_x[a : a + n] - centre) <= half_width_m + 1.0))
            if not fits:
                inside = np.flatnonzero((beam.lead_x >= centre - half_width_m) & (beam.lead_x < centre + half_width_m))
                if inside.size == n:
                    a, fits = int(inside[0]), True
        first[i], count[i] = (a, n) if fits else (-1, 0)
    return first, np.where(first >= 0, count, 0)


def follows(beam: Beam) -> np.ndarray:
    """Return, for each section, whether the one before it in the file is the one before it in the granule."""
    number = beam.section_number
    if number.size and np.all(number > 0):
        return np.concatenate([[False], np.diff(number) == 1])
    return np.concatenate([[False], np.ones(max(number.size - 1, 0), bool)])
