"""Leads to local sea surface to freeboard: NASA's estimator, step by step, and the paper's others.

Every function is one step, so that the check against ATL10 and the 2 m product walk the same road:
:func:`lead_runs` → :func:`lead_heights` → :func:`section_references` → :func:`screen` →
:func:`fill` → :func:`smooth` → :func:`freeboard`. Heights are metres above one and the same mean
sea surface; distances are metres along the track; a missing value is NaN.

Sources: ATL07/ATL10 ATBD (doi:10.5067/KPMXUOH7TNIY), chapter on freeboard; constants as stored in
ATL10 granules (``ancillary_data/freeboard_estimation``, release 006); the four window methods:
Iqrah et al. (arXiv 2502.02700). On segments far shorter than NASA's 150 photons the lead estimator
is biased low, because its weights lean on the lowest of many noisy values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import compiled
from ..errors import UsageError
from ..schema import SOURCE_LEADS, SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED
from . import tracks

METHODS = ("nasa", "minimum", "mean", "nearest")
N_LOWEST = 10
"""``nearest`` takes the nearest of this many lowest water segments."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """NASA's limits on sections and their filling (ATL10 release 006).

    ``pad_sections`` is how many places of the list an end-point fill may be away from the section it copies: NASA's
    flag says "adjacent". None leaves only the limit in time. ``fill_sigma_m`` is the least error of a filled section:
    ATL10 stores 0.05 m among its constants (``refsurf_sd_fill``) but does not apply it.
    """

    height_min_m: float = -0.5
    height_max_m: float = 0.5
    step_m: float = 0.5
    step_low_concentration_m: float = 0.1
    concentration_min: float = 0.5
    concentration_low: float = 0.8
    land_distance_m: float = 25_000.0
    gap_time_s: float = 30.0
    gap_height_m: float = 0.05
    pad_time_s: float = 10.0
    pad_sections: int | None = 1
    fill_sigma_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Reference sea surfaces of sections, all arrays of shape (n_sections,).

    Attributes
    ----------
    height, sigma : numpy.ndarray
        Metres; NaN without a lead.
    n_leads, first : numpy.ndarray of int
        How many leads, and the first of them (0-based; -1 without a lead).
    """

    height: np.ndarray
    sigma: np.ndarray
    n_leads: np.ndarray
    first: np.ndarray


def lead_runs(is_lead: np.ndarray, *, breaks: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the runs of consecutive lead segments.

    Parameters
    ----------
    is_lead : bool array, shape (n,)
        Whether each segment belongs to a lead.
    breaks : bool array, shape (n,), optional
        True where a gap lies before the segment: a run ends there.

    Returns
    -------
    first, count : int64 arrays, shape (n_leads,)
        0-based.
    """
    flag = np.asarray(is_lead, dtype=bool)
    before = np.concatenate([[False], flag[:-1]])
    starts = flag & ~before
    if breaks is not None:
        starts |= flag & np.asarray(breaks, dtype=bool)
    first = np.flatnonzero(starts)
    label = np.cumsum(starts)[flag] - 1
    return first, np.bincount(label, minlength=first.size).astype(np.int64)


@compiled.later
def _lead_heights(height, sigma, first, count):
    n = first.size
    h_lead, sigma_lead = np.full(n, np.nan), np.full(n, np.nan)
    for k in range(n):
        a, b = first[k], first[k] + count[k]
        low = np.inf
        for i in range(a, b):
            if np.isfinite(height[i]) and sigma[i] > 0.0 and np.isfinite(sigma[i]) and height[i] < low:
                low = height[i]
        total = weighted = squared = 0.0
        for i in range(a, b):
            if np.isfinite(height[i]) and sigma[i] > 0.0 and np.isfinite(sigma[i]):
                z = (height[i] - low) / sigma[i]
                w = np.exp(-z * z)
                total += w
                weighted += w * (height[i] - low)
                squared += (w * sigma[i]) ** 2
        if total > 0.0:
            h_lead[k] = low + weighted / total
            sigma_lead[k] = np.sqrt(squared) / total
    return h_lead, sigma_lead


def lead_heights(
    height: np.ndarray, sigma: np.ndarray, *, first: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the height of each lead by NASA's weights, and its formal error.

    ``w_i = exp(-((h_i - h_min) / sigma_i)^2)``, ``a_i = w_i / sum(w)``, ``h = sum(a_i h_i)``,
    ``sigma^2 = sum(a_i^2 sigma_i^2)``.

    Parameters
    ----------
    height, sigma : array, shape (n,)
        Segment heights and their errors (``height_segment_sigma``: the error of the height, not the
        width of its distribution), m. Segments where either is missing or the error is not
        positive take no part.
    first, count : int array, shape (n_leads,)
        0-based first segment and number of segments of each lead.

    Returns
    -------
    h_lead, sigma_lead : float64 arrays, shape (n_leads,)
        Metres, NaN where no segment of the lead can be used.

    Raises
    ------
    UsageError
        If a lead reaches outside the segments.
    """
    height, sigma = np.asarray(height, np.float64), np.asarray(sigma, np.float64)
    first, count = np.asarray(first, np.int64), np.asarray(count, np.int64)
    _check_spans(first, count, height.size)
    return _lead_heights(height, sigma, first, count)


def combine_leads(
    lead_height: np.ndarray, lead_sigma: np.ndarray, *, first: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return inverse-variance means over spans of consecutive leads.

    ``h = sum(alpha_k h_k)``, ``alpha_k = (1 / sigma_k^2) / sum(1 / sigma^2)``,
    ``sigma^2 = sum(alpha_k^2 sigma_k^2)``.

    Parameters
    ----------
    lead_height, lead_sigma : array, shape (n_leads,)
        Metres; leads without a height or a positive error take no part.
    first, count : int array, shape (n_sections,)
        0-based spans.

    Returns
    -------
    height, sigma : float64 arrays, shape (n_sections,)
        NaN for an empty span.
    """
    h, s = np.asarray(lead_height, np.float64), np.asarray(lead_sigma, np.float64)
    first, count = np.asarray(first, np.int64), np.asarray(count, np.int64)
    _check_spans(first, count, h.size)
    good = np.isfinite(h) & np.isfinite(s) & (s > 0)
    height, sigma = np.full(first.size, np.nan), np.full(first.size, np.nan)
    for k, (a, n) in enumerate(zip(first, count, strict=True)):
        use = good[a : a + n]
        if use.any():
            inverse = 1.0 / s[a : a + n][use] ** 2
            height[k] = np.sum(inverse * h[a : a + n][use]) / inverse.sum()
            sigma[k] = 1.0 / np.sqrt(inverse.sum())
    return height, sigma


def _check_spans(first: np.ndarray, count: np.ndarray, size: int) -> None:
    if first.size and (np.any(count < 0) or np.any((count > 0) & ((first < 0) | (first + count > size)))):
        raise UsageError(
            f"leads: spans reach outside the {size} rows that are there; expected 0 <= first and first + count <="
            f" {size}. Re-base the index."
        )


def section_references(
    lead_x: np.ndarray,
    lead_h: np.ndarray,
    *,
    lead_sigma: np.ndarray,
    section_x: np.ndarray,
    half_width_m: float = 5000.0,
    n_leads_min: int = 1,
) -> Sections:
    """Return each section's sea surface from the leads around its centre.

    Parameters
    ----------
    lead_x, lead_h, lead_sigma : array, shape (n_leads,)
        Centre along the track (ascending), height and error of the leads, m.
    section_x : array, shape (n_sections,)
        Section centres, m: every 10 km in ATL10.
    half_width_m : float
        A lead belongs where ``-half_width <= lead_x - section_x < half_width``.
    n_leads_min : int
        Fewer leads give no sea surface.

    Returns
    -------
    Sections

    Raises
    ------
    UsageError
        If the leads are not in order along the track.
    """
    lead_x, section_x = np.asarray(lead_x, np.float64), np.asarray(section_x, np.float64)
    if lead_x.size > 1 and np.any(np.diff(lead_x) < 0):
        raise UsageError("leads: not in order along the track; expected ascending lead_x. Sort the leads first.")
    first = np.searchsorted(lead_x, section_x - half_width_m, side="left")
    count = np.searchsorted(lead_x, section_x + half_width_m, side="left") - first
    count = np.where(count >= max(n_leads_min, 1), count, 0)
    height, sigma = combine_leads(lead_h, lead_sigma, first=first, count=count)
    return Sections(height=height, sigma=sigma, n_leads=count, first=np.where(count > 0, first, -1))


def screen(
    h_ref: np.ndarray,
    *,
    distance_to_land_m: np.ndarray | None = None,
    ice_concentration: np.ndarray | None = None,
    limits: Limits | None = None,
) -> np.ndarray:
    """Return which sections pass NASA's limits.

    Parameters
    ----------
    h_ref : array, shape (n_sections,)
        Heights in list order, NaN without a lead.
    distance_to_land_m, ice_concentration : array, shape (n_sections,), optional
        Metres; fraction 0-1. Without them (or where NaN) that limit is not applied.
    limits : Limits, optional
        NASA's limits.

    Returns
    -------
    bool array, shape (n_sections,)
        True where the section keeps its height: inside the bounds, far enough from land, ice
        concentration at least 0.5, and not further from the last section kept than 0.5 m (0.1 m
        where the concentration is 0.5-0.8).

    Notes
    -----
    The ATBD does not say which of two differing neighbours goes; here the later one does.
    """
    limits = limits or Limits()
    h = np.asarray(h_ref, np.float64)
    keep = np.isfinite(h) & (h >= limits.height_min_m) & (h <= limits.height_max_m)
    if distance_to_land_m is not None:
        land = np.asarray(distance_to_land_m, np.float64)
        keep &= ~(land < limits.land_distance_m)
    step = np.full(h.shape, limits.step_m)
    if ice_concentration is not None:
        ice = np.asarray(ice_concentration, np.float64)
        keep &= ~(ice < limits.concentration_min)
        step = np.where(
            (ice >= limits.concentration_min) & (ice < limits.concentration_low), limits.step_low_concentration_m, step
        )
    last = np.nan
    for i in np.flatnonzero(keep):
        if np.isfinite(last) and abs(h[i] - last) > step[i]:
            keep[i] = False
        else:
            last = h[i]
    return keep


def fill(
    time_s: np.ndarray, h_ref: np.ndarray, *, sigma_ref: np.ndarray, limits: Limits | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fill sections without a sea surface from their neighbours, under NASA's limits.

    In this order: linear in time between the two valid sections around a gap, where they lie at
    most 30 s and 0.05 m apart; linear between the two neighbours of a single missing section, each
    within 10 s; else a copy of the valid section next to it in the list, within 10 s (the nearer one
    of two).

    Parameters
    ----------
    time_s : array, shape (n_sections,)
        Seconds, ascending.
    h_ref, sigma_ref : array, shape (n_sections,)
        Metres, NaN where missing.
    limits : Limits, optional
        NASA's limits.

    Returns
    -------
    h_ref, sigma_ref : float64 arrays, shape (n_sections,)
        Filled. As in ATL10, the error of a copy is that of the section copied, and between two
        sections the variance is linear in time; both are at least ``limits.fill_sigma_m``.
    source : int8 array, shape (n_sections,)
        ``SOURCE_LEADS``, ``SOURCE_TWO_SIDED``, ``SOURCE_ONE_SIDED`` or ``SOURCE_NONE``.
    """
    limits = limits or Limits()
    t, h = np.asarray(time_s, np.float64), np.array(h_ref, np.float64)
    sigma = np.array(sigma_ref, np.float64)
    good = np.flatnonzero(np.isfinite(h))
    source = np.where(np.isfinite(h), SOURCE_LEADS, SOURCE_NONE).astype(np.int8)
    out = h.copy()
    reach = h.size if limits.pad_sections is None else limits.pad_sections
    for i in np.flatnonzero(source == SOURCE_NONE):
        place = np.searchsorted(good, i)
        left = good[place - 1] if place > 0 else -1
        right = good[place] if place < good.size else -1
        if left >= 0 and right >= 0:
            span = t[right] - t[left]
            is_close = span <= limits.gap_time_s and abs(h[right] - h[left]) <= limits.gap_height_m
            is_single = (
                right - left == 2 and t[i] - t[left] <= limits.pad_time_s and t[right] - t[i] <= limits.pad_time_s
            )
            if is_close or is_single:
                share = (t[i] - t[left]) / span if span > 0 else 0.5
                out[i], source[i] = h[left] + share * (h[right] - h[left]), SOURCE_TWO_SIDED
                sigma[i] = np.sqrt((1.0 - share) * sigma[left] ** 2 + share * sigma[right] ** 2)
                continue
        sides = [(abs(t[i] - t[j]), j) for j in (left, right) if j >= 0 and abs(i - j) <= reach]
        near = min(sides) if sides else (np.inf, -1)
        if near[0] <= limits.pad_time_s:
            out[i], sigma[i], source[i] = h[near[1]], sigma[near[1]], SOURCE_ONE_SIDED
    filled = (source == SOURCE_TWO_SIDED) | (source == SOURCE_ONE_SIDED)
    sigma[filled] = np.maximum(sigma[filled], limits.fill_sigma_m)
    return out, sigma, source


def smooth(h_ref: np.ndarray) -> np.ndarray:
    """Return the unweighted mean of each section and its two neighbours in the list.

    Neighbours in the list, whatever the distance between them. A section with a missing neighbour,
    or at an end of the list, stays as it is; a missing one stays missing.

    Parameters
    ----------
    h_ref : array, shape (n_sections,)
        Filled heights, m.

    Returns
    -------
    float64 array, shape (n_sections,)
    """
    h = np.asarray(h_ref, np.float64)
    out = h.copy()
    if h.size >= 3:
        mean = (h[:-2] + h[1:-1] + h[2:]) / 3.0
        out[1:-1] = np.where(np.isfinite(mean), mean, h[1:-1])
    return out


def nearest_section(x: np.ndarray, section_x: np.ndarray) -> np.ndarray:
    """Return the 0-based section whose centre is nearest to each segment, -1 where there is none.

    Parameters
    ----------
    x : array, shape (n,)
        Along-track distance of the segments, metres.
    section_x : array, shape (n_sections,)
        Ascending.
    """
    x, centre = np.asarray(x, np.float64), np.asarray(section_x, np.float64)
    if centre.size == 0:
        return np.full(x.shape, -1, np.int64)
    return tracks.rank((centre[1:] + centre[:-1]) / 2.0, x, side="right")


def freeboard(
    height: np.ndarray, sigma: np.ndarray, *, h_ref: np.ndarray, sigma_ref: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return freeboard ``max(h - h_ref, 0)`` and its uncertainty ``sqrt(sigma^2 + sigma_ref^2)``, m, NaN where an input
    is."""
    height, h_ref = np.asarray(height, np.float64), np.asarray(h_ref, np.float64)
    value = height - h_ref
    return np.where(value < 0, 0.0, value), np.hypot(np.asarray(sigma, np.float64), np.asarray(sigma_ref, np.float64))


def window_reference(
    x: np.ndarray,
    height: np.ndarray,
    *,
    sigma: np.ndarray,
    centre: np.ndarray,
    method: str,
    half_width_m: float = 5000.0,
    breaks: np.ndarray | None = None,
) -> Sections:
    """Return the sea surface of windows over water segments, by one of four methods.

    Parameters
    ----------
    x, height, sigma : array, shape (n,)
        Water segments only, in order along the track: centre, height, error of the height, m.
    centre : array, shape (n_windows,)
        Window centres; the paper takes 10 km windows every 5 km.
    method : str
        ``minimum``: the lowest; ``mean``: the plain mean; ``nearest``: of the ten lowest, the one
        nearest to the centre; ``nasa``: lead heights, then their inverse-variance mean.
    half_width_m : float
        Half a window's length, metres.
    breaks : bool array, shape (n,), optional
        For ``nasa``: True where a new lead starts. By default every row after a step of more than
        twice the median spacing starts one.

    Returns
    -------
    Sections
        ``n_leads`` counts water segments, leads for ``nasa``.

    Raises
    ------
    UsageError
        If the method is unknown or the segments are not in order.

    Notes
    -----
    Errors are formal: that of the segment taken, or of the mean of independent values.
    """
    if method not in METHODS:
        raise UsageError(
            f"sea surface method {method!r}: no such method; expected one of {', '.join(METHODS)}. Choose one of these."
        )
    x, h = np.asarray(x, np.float64), np.asarray(height, np.float64)
    s, centre = np.asarray(sigma, np.float64), np.asarray(centre, np.float64)
    use = np.isfinite(x) & np.isfinite(h)
    if x.size > 1 and np.any(np.diff(x[use]) < 0):
        raise UsageError("water segments: not in order along the track; expected ascending x. Sort them first.")
    if method == "nasa":
        if breaks is None:
            step = np.diff(x)
            breaks = np.concatenate([[True], step > 2.0 * np.median(step)]) if x.size > 1 else np.ones(x.size, bool)
        first, count = lead_runs(np.ones(x.size, bool), breaks=breaks)
        lead_h, lead_s = lead_heights(h, s, first=first, count=count)
        lead_x = np.add.reduceat(x, first) / count if first.size else np.empty(0)
        return section_references(lead_x, lead_h, lead_sigma=lead_s, section_x=centre, half_width_m=half_width_m)
    rows = np.flatnonzero(use)
    a = np.searchsorted(x[rows], centre - half_width_m, side="left")
    b = np.searchsorted(x[rows], centre + half_width_m, side="left")
    value, error = np.full(centre.size, np.nan), np.full(centre.size, np.nan)
    for k in np.flatnonzero(b > a):
        span = rows[a[k] : b[k]]
        if method == "mean":
            value[k], error[k] = h[span].mean(), np.sqrt(np.sum(s[span] ** 2)) / span.size
            continue
        if method == "minimum":
            pick = span[np.argmin(h[span])]
        else:
            lowest = span[np.argsort(h[span], kind="stable")[:N_LOWEST]]
            pick = lowest[np.argmin(np.abs(x[lowest] - centre[k]))]
        value[k], error[k] = h[pick], s[pick]
    n = b - a
    return Sections(
        height=value,
        sigma=error,
        n_leads=n,
        first=np.where(n > 0, rows[np.minimum(a, max(rows.size - 1, 0))] if rows.size else -1, -1),
    )


def interpolate_windows(centre: np.ndarray, h_ref: np.ndarray) -> np.ndarray:
    """Return window heights with missing ones linear between their neighbours, as the paper does; none beyond the ends.

    Parameters
    ----------
    centre, h_ref : array, shape (n_windows,)
        Ascending centres, m; heights, m, NaN where the window holds no water.
    """
    centre, h = np.asarray(centre, np.float64), np.asarray(h_ref, np.float64)
    good = np.isfinite(h)
    if not good.any():
        return h.copy()
    return np.where(good, h, np.interp(centre, centre[good], h[good], left=np.nan, right=np.nan))
