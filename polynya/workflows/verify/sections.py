"""Which leads, sections and segments of an ATL10 beam belong together, in whole granules and subsets.

A subset keeps ``leads`` of the whole granule and cuts segments and sections to the box, while the
indices go on counting over the whole granule. Leads are found again through ``lead_dist_x`` (the
mean ``seg_dist_x`` of their segments), sections through ``fbswath_ndx``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ...physics import sea_surface
from ...readers.icesat2_atl10 import Control

POSITION_M = 0.02
"""A lead lies where its segments' mean distance agrees with ``lead_dist_x`` to this; segments are metres apart."""
NO_SURFACE, FROM_LEADS, INFERRED, ONE_POINT, END_POINT = -1, 0, 1, 2, 3
FILLED = (INFERRED, ONE_POINT, END_POINT)
FILL_WAYS = tuple((a, b) for a in ("time", "list position") for b in ("nearest", "previous", "next"))
"""How a fill may interpolate, and which side an end-point fill may take: the product says neither; one way must do for
a whole file."""
SIGMA_WAYS = ("not smoothed", "smoothed as the heights")
"""Whether the three-point smoother also runs over the errors: the product does not say; one way must do for a whole
file."""
LEADS_CHECK = "section height, from leads"
FILLED_CHECK = "section height, filled or next to a filled one"
EDGE_CHECK = "section height, neighbour outside the subset"
SIGMA_CHECK = "section sigma"


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
        for k in np.flatnonzero((beam.lead_n == size) & np.isfinite(beam.lead_x)):
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
    for k in np.flatnonzero(offset > np.iinfo(np.int64).min):
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


def expected_sections(
    beams: list[Beam], control: Control, *, notes: dict[str, list[str]]
) -> dict[tuple[str, str], np.ndarray]:
    """Return the absolute errors of section heights and errors, by check and beam.

    Heights rebuilt from leads, filled as the stored flags say, then smoothed. A section is compared
    only where all that its value rests on is in the file. What the product does not document (see
    :data:`FILL_WAYS` and :data:`SIGMA_WAYS`) is chosen once for the whole file, by the smallest
    largest error, and noted.
    """
    rebuilt = {b.name: (b, *_from_leads(b, control)) for b in beams if b.section_h.size}
    heights, way = _best(FILL_WAYS, lambda w: {n: _height_errors(b, control, h, w) for n, (b, h, _) in rebuilt.items()})
    sigmas, sigma_way = _best(
        SIGMA_WAYS, lambda w: {n: _sigma_errors(b, control, s, w) for n, (b, _, s) in rebuilt.items()}
    )
    out = {
        (check, name): v
        for errors in (heights, sigmas)
        for name, checks in errors.items()
        for check, v in checks.items()
    }
    if any(v.size for (check, _), v in out.items() if check == FILLED_CHECK):
        notes.setdefault(FILLED_CHECK, []).append(f"fills linear in {way[0]}, end points from the {way[1]} section")
    if any(v.size for (check, _), v in out.items() if check == SIGMA_CHECK):
        notes.setdefault(SIGMA_CHECK, []).append(sigma_way)
    return out


def _best(ways: tuple, errors_of: Callable) -> tuple[dict[str, dict[str, np.ndarray]], object]:
    """Return the errors of the first way whose largest counted error is not beaten, and that way."""
    found = []
    for way in ways:
        errors = errors_of(way)
        counted = [v for checks in errors.values() for check, v in checks.items() if check != EDGE_CHECK and v.size]
        found.append(
            (max((float(np.max(np.where(np.isnan(v), np.inf, v))) for v in counted), default=0.0), errors, way)
        )
    least = min(worst for worst, _, _ in found)
    return next((errors, way) for worst, errors, way in found if worst <= least + 1e-6)


def _from_leads(beam: Beam, control: Control) -> tuple[np.ndarray, np.ndarray]:
    """Return the sections' heights and errors from leads alone, NaN where the stored flag says otherwise."""
    first, count = section_leads(beam, half_width_m=control.l / 2.0)
    raw, sigma = sea_surface.combine_leads(beam.lead_h, beam.lead_sigma, first=first, count=count)
    other = beam.section_flag != FROM_LEADS
    raw[other], sigma[other] = np.nan, np.nan
    return raw, sigma


def _height_errors(beam: Beam, control: Control, raw: np.ndarray, way: tuple[str, str]) -> dict[str, np.ndarray]:
    filled = np.isin(beam.section_flag, FILLED)
    follows = _follows(beam)
    value = raw.copy()
    for i in np.flatnonzero(filled):
        value[i] = _filled_value(beam, raw, follows, i, way)
    errors: dict[str, list[float]] = {LEADS_CHECK: [], FILLED_CHECK: [], EDGE_CHECK: []}
    for i in np.flatnonzero(np.isfinite(beam.section_h) & np.isfinite(value)):
        if control.refsurf_3pt_smoother:
            sides = [_neighbour(beam, control, value, follows, i, step) for step in (-1, 1)]
        else:
            sides = [("missing", np.nan)] * 2
        kinds = {kind for kind, _ in sides}
        if "missing" in kinds:
            expected, is_filled = value[i], filled[i]
        elif "unknown" in kinds:
            continue
        else:
            expected = (sides[0][1] + value[i] + sides[1][1]) / 3.0
            is_filled = filled[max(i - 1, 0) : i + 2].any()
        check = (
            EDGE_CHECK if "missing" not in kinds and "outside" in kinds else FILLED_CHECK if is_filled else LEADS_CHECK
        )
        errors[check].append(abs(expected - beam.section_h[i]))
    return {check: np.asarray(v, np.float64) for check, v in errors.items()}


def _sigma_errors(beam: Beam, control: Control, raw: np.ndarray, way: str) -> dict[str, np.ndarray]:
    filled = np.isin(beam.section_flag, FILLED)
    sigma = np.where(filled, control.refsurf_sd_fill, raw)
    if way != SIGMA_WAYS[0]:
        follows = _follows(beam)
        inner = sigma.copy()
        for i in np.flatnonzero(np.isfinite(sigma)):
            kinds = [_neighbour(beam, control, sigma, follows, i, step)[0] for step in (-1, 1)]
            if "missing" in kinds:
                continue
            inner[i] = (sigma[i - 1] + sigma[i] + sigma[i + 1]) / 3.0 if kinds == ["known", "known"] else np.nan
        sigma = inner
    use = np.isfinite(beam.section_sigma) & np.isfinite(beam.section_h) & np.isfinite(sigma)
    return {SIGMA_CHECK: np.abs(sigma - beam.section_sigma)[use]}


def _follows(beam: Beam) -> np.ndarray:
    """Return, for each section, whether the one before it in the file is the one before it in the granule."""
    number = beam.section_number
    if number.size and np.all(number > 0):
        return np.concatenate([[False], np.diff(number) == 1])
    return np.concatenate([[False], np.ones(max(number.size - 1, 0), bool)])


def _neighbour(
    beam: Beam, control: Control, value: np.ndarray, follows: np.ndarray, i: int, step: int
) -> tuple[str, float]:
    """Return what lies beside section i in the granule's list: missing, known, outside (rebuilt from leads) or
    unknown."""
    j = i + step
    is_adjacent = (0 <= j < value.size) and bool(follows[max(i, j)])
    if is_adjacent:
        if beam.section_flag[j] == NO_SURFACE:
            return "missing", np.nan
        return ("known", float(value[j])) if np.isfinite(value[j]) else ("unknown", np.nan)
    if step < 0 and beam.section_number[i] == 1:
        return "missing", np.nan
    if not np.isfinite(beam.section_x[i]) or not np.isfinite(beam.lead_x).all():
        return "unknown", np.nan
    centre = beam.section_x[i] + step * control.l
    half = control.l / 2.0
    inside = np.flatnonzero((beam.lead_x >= centre - half) & (beam.lead_x < centre + half))
    if inside.size == 0:
        return "unknown", np.nan
    h, _ = sea_surface.combine_leads(beam.lead_h, beam.lead_sigma, first=inside[:1], count=np.array([inside.size]))
    return "outside", float(h[0])


def _filled_value(beam: Beam, raw: np.ndarray, follows: np.ndarray, i: int, way: tuple[str, str]) -> float:
    """Return the fill of section i from the nearest sections with leads on either side, NaN where they are not in the
    file."""
    left = _anchor(beam, follows, i, -1)
    right = _anchor(beam, follows, i, 1)
    if beam.section_flag[i] in (INFERRED, ONE_POINT):
        if left < 0 or right < 0:
            return np.nan
        axis = beam.section_time if way[0] == "time" else np.arange(raw.size, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (axis[i] - axis[left]) / (axis[right] - axis[left])
        return float(raw[left] + share * (raw[right] - raw[left]))
    if left < 0 and right < 0:
        return np.nan
    if left < 0 or right < 0:
        return float(raw[max(left, right)])
    if way[1] == "nearest":
        gap = beam.section_time[i] - beam.section_time[left] <= beam.section_time[right] - beam.section_time[i]
        return float(raw[left] if gap else raw[right])
    return float(raw[left] if way[1] == "previous" else raw[right])


def _anchor(beam: Beam, follows: np.ndarray, i: int, step: int) -> int:
    """Return the next section with leads on one side without leaving the granule's list, -1 where there is none in the
    file."""
    j = i
    while 0 <= j + step < beam.section_h.size:
        if not follows[max(j, j + step)]:
            return -1
        j += step
        if beam.section_flag[j] == FROM_LEADS:
            return j
    return -1
