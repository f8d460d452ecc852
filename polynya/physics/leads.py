"""Leads and local sea surface of the 2 m product: unbiased where NASA's estimator leans low.

NASA weights a lead's segments towards the lowest one. Its segments hold 150 photons each, so the
lowest is hardly lower than the mean; of fifty 2 m segments with 0.05 m of noise each the lowest is
0.11 m below it. Here a lead's height is the mean of its inner segments, weighted by their inverse
variance: linear in the heights, so noise does not bias it. What can still bias a reference is ice
taken for water, always upwards, so sections combine leads around a low quantile and drop those that
stand out above. Equations in ``docs/freeboard.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from .. import compiled
from . import order

MIDDLE = 0.5
"""Quantile of leads that takes the place of the low ones where swell moves them."""


@dataclass(frozen=True, kw_only=True)
class LeadRule:
    """Constants of leads and sections.

    Attributes
    ----------
    join_m : float
        Water segments closer than this belong to one lead (one missing 2 m cell is bridged).
    min_length_m : float
        Shorter runs of water are not used: an 11 m footprint never sees them clean.
    min_photons : int
        Fewer photons do not make a lead: a few that lie low by chance would.
    edge_m : float
        Left out at either end of a lead, as far as the lead is long enough: half a footprint.
    floor_m : float
        Error of a single lead that does not fall with its photons: footprint edges, waves, brash ice.
    section_length_m, section_step_m : float
        Windows of 10 km every 5 km (the paper's; NASA's are every 10 km).
    scatter_m : float
        Scatter of true lead heights within 10 km.
    quantile : float
        Where in the weighted distribution of leads the iteration starts.
    reject_above, reject_below : float
        In combined standard deviations; above is tighter, since ice taken for water is always too high.
    section_floor_m : float
        Error of a section that does not fall with its leads: the trimmed mean stands about 1 cm high
        (docs/freeboard.md).
    section_floor_with_lead_error_m : float
        The same where the error of false leads is counted by itself: what ice in leads had in ``section_floor_m`` is
        taken out.
    level_window_m, level_quantile, level_tolerance_m : float
        A lead that stands above this weighted quantile of the leads within ± the window by more than the
        tolerance and two of its errors is a low floe or thin ice: left out.
    level_tilt : float
        Leads are compared as if the sea surface could tilt by this much, m/m: 6 mm a kilometre is about three
        times the usual slope (2.0 to 3.8 cm per 10 km; Kwok and Morison, 2016, doi:10.1002/2015JC011357).
    """

    join_m: float = 5.0
    min_length_m: float = 8.0
    min_photons: int = 15
    edge_m: float = 4.0
    floor_m: float = 0.015
    section_length_m: float = 10_000.0
    section_step_m: float = 5_000.0
    scatter_m: float = 0.015
    quantile: float = 0.35
    reject_above: float = 2.0
    reject_below: float = 3.0
    section_floor_m: float = 0.012
    section_floor_with_lead_error_m: float = 0.011
    level_window_m: float = 30_000.0
    level_quantile: float = 0.3
    level_tolerance_m: float = 0.05
    level_tilt: float = 6e-6


@dataclass(frozen=True, kw_only=True)
class Leads:
    """m leads, arrays of shape (m,).

    Attributes
    ----------
    first, last : numpy.ndarray of int64
        Segments ``first:last`` (half-open) of the track.
    x, length : numpy.ndarray
        Centre and extent along the track, metres.
    height, uncertainty : numpy.ndarray
        Water height above the mean sea surface, metres.
    n_segments, n_photons : numpy.ndarray
    swell : numpy.ndarray, optional
        Part of the uncertainty that is swell, metres: of :func:`with_swell`.
    """

    first: np.ndarray
    last: np.ndarray
    x: np.ndarray
    length: np.ndarray
    height: np.ndarray
    uncertainty: np.ndarray
    n_segments: np.ndarray
    n_photons: np.ndarray
    swell: np.ndarray | None = None


def with_swell(leads: Leads, swell: np.ndarray) -> Leads:
    """Return the leads with what swell adds to the error of their heights.

    Parameters
    ----------
    leads : Leads
        m of them.
    swell : numpy.ndarray, shape (m,)
        One standard deviation of their heights by swell, metres: of :func:`polynya.physics.swell.of_leads`. Where there
        is swell, leads are screened about their middle: a low quantile would be a trough.
    """
    return replace(leads, uncertainty=np.hypot(leads.uncertainty, swell), swell=np.asarray(swell, np.float64))


def find_leads(
    x: np.ndarray,
    height: np.ndarray,
    *,
    uncertainty: np.ndarray,
    n_photons: np.ndarray,
    is_water: np.ndarray,
    cell_m: float | np.ndarray = 2.0,
    rule: LeadRule | None = None,
) -> Leads:
    """Join water segments to leads and estimate each lead's height.

    Parameters
    ----------
    x, height, uncertainty : numpy.ndarray, shape (n,)
        Along-track distance, height above the mean sea surface and its error, metres.
    n_photons : numpy.ndarray, shape (n,)
        Photons of each segment's height.
    is_water : numpy.ndarray of bool, shape (n,)
        Segments classified as open water.
    cell_m : float or numpy.ndarray
        Length of a segment.
    rule : LeadRule, optional
        Constants of leads.

    Returns
    -------
    Leads
    """
    rule = rule or LeadRule()
    rows = np.flatnonzero(is_water & np.isfinite(height) & (uncertainty > 0))
    if rows.size == 0:
        empty, index = np.empty(0), np.empty(0, np.int64)
        return Leads(
            first=index,
            last=index,
            x=empty,
            length=empty,
            height=empty,
            uncertainty=empty,
            n_segments=index,
            n_photons=index,
        )
    cell = np.broadcast_to(np.asarray(cell_m, np.float64), x.shape)
    # A lead ends where the next water segment is further than join_m away (edge to edge) or ice lies between.
    step = np.diff(x[rows]) - 0.5 * (cell[rows][1:] + cell[rows][:-1]) + 2.0
    cut = np.flatnonzero((step > rule.join_m) | (np.diff(rows) > 2)) + 1
    heads = np.concatenate([[0], cut])
    tails = np.concatenate([cut, [rows.size]])
    centre, length, mean, sigma, photons = np.zeros((5, heads.size))
    _lead_means(
        x[rows].astype(np.float64),
        height[rows].astype(np.float64),
        uncertainty[rows].astype(np.float64),
        n_photons[rows].astype(np.float64),
        cell[rows].astype(np.float64),
        heads.astype(np.int64),
        tails.astype(np.int64),
        float(rule.edge_m),
        centre,
        length,
        mean,
        sigma,
        photons,
    )
    keep = (length >= rule.min_length_m) & (photons >= rule.min_photons) & np.isfinite(mean)
    sigma = np.sqrt(sigma**2 + rule.floor_m**2)
    return Leads(
        first=rows[heads][keep],
        last=rows[tails - 1][keep] + 1,
        x=centre[keep],
        length=length[keep],
        height=mean[keep],
        uncertainty=sigma[keep],
        n_segments=(tails - heads)[keep].astype(np.int64),
        n_photons=photons[keep].astype(np.int64),
    )


@compiled.kernel
def _lead_means(  # noqa: PLR0913
    x, h, s, n, cell, heads, tails, edge, centre, length, mean, sigma, photons
):  # pragma: no cover - compiled
    for k in range(heads.size):
        a, b = heads[k], tails[k]
        left = x[a] - 0.5 * cell[a]
        right = x[b - 1] + 0.5 * cell[b - 1]
        centre[k] = 0.5 * (left + right)
        length[k] = right - left
        inset = min(edge, 0.3 * length[k])
        weight = 0.0
        total = 0.0
        for i in range(a, b):
            photons[k] += n[i]
            if x[i] < left + inset or x[i] > right - inset:
                continue
            w = 1.0 / (s[i] * s[i])
            weight += w
            total += w * h[i]
        if weight > 0.0:
            mean[k] = total / weight
            sigma[k] = np.sqrt(1.0 / weight)
        else:
            mean[k] = np.nan
            sigma[k] = np.nan


def joined(one: Leads, other: Leads) -> Leads:
    """Return the bodies of two sets along one beam together, by their place.

    Parameters
    ----------
    one, other : Leads
        That share no segment. What swell adds is that of the one, 0 for the other.
    """
    order = np.argsort(np.concatenate([one.x, other.x]), kind="stable")

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name), getattr(other, name)])[order]

    swell = None if one.swell is None else np.concatenate([one.swell, np.zeros(other.x.size)])[order]
    return Leads(swell=swell, **{f.name: together(f.name) for f in fields(Leads) if f.name != "swell"})


def mean_over(leads: Leads, values: np.ndarray) -> np.ndarray:
    """Return the mean of a segment quantity over each lead, shape (m,); NaN values are left out."""
    good = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(good, values, 0.0), dtype=np.float64)])
    count = np.concatenate([[0], np.cumsum(good)])
    n = count[leads.last] - count[leads.first]
    return np.where(n > 0, (total[leads.last] - total[leads.first]) / np.maximum(n, 1), np.nan)


def screen_leads(leads: Leads, *, ceiling: np.ndarray | None = None, rule: LeadRule | None = None) -> np.ndarray:
    """Return which leads are usable: at the level of those around them.

    Parameters
    ----------
    leads : Leads
        Along one beam, m of them.
    ceiling : numpy.ndarray, shape (m,), optional
        Height that no water reaches at each lead, from the lowest surfaces nearby: it screens a lone lead too.
    rule : LeadRule, optional
        Constants of leads.

    Returns
    -------
    numpy.ndarray of bool, shape (m,)
        False for leads that stand above the low quantile of their neighbourhood: a sea surface changes
        by centimetres over the window, a floe mistaken for water stands a decimetre above it.
    """
    rule = rule or LeadRule()
    weight = 1.0 / (leads.uncertainty**2 + rule.scatter_m**2)
    lo = np.searchsorted(leads.x, leads.x - rule.level_window_m)
    hi = np.searchsorted(leads.x, leads.x + rule.level_window_m)
    quantile = np.where(_in_swell(leads), MIDDLE, rule.level_quantile)
    level = np.array(
        [
            weighted_quantile(leads.height[a:b] + rule.level_tilt * np.abs(leads.x[a:b] - x), weight[a:b], q)
            for x, a, b, q in zip(leads.x, lo, hi, quantile, strict=True)
        ]
    )
    if leads.x.size == 0:
        return np.empty(0, bool)
    keep = leads.height - level < rule.level_tolerance_m + 2.0 * leads.uncertainty
    if ceiling is not None:
        keep &= ~(leads.height - 2.0 * leads.uncertainty > ceiling)
    return keep


def _in_swell(leads: Leads) -> np.ndarray:
    """Return which leads swell moves, bool, shape (m,)."""
    return np.zeros(leads.x.size, bool) if leads.swell is None else leads.swell > 0.0


def section_centres(x: np.ndarray, *, step_m: float) -> np.ndarray:
    """Return centres at multiples of the step that cover the track, only where it has segments within a step.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, not decreasing.
    step_m : float
        Distance of the centres, metres.

    Returns
    -------
    numpy.ndarray
        Increasing.
    """
    number = order.distinct(np.floor(x / step_m).astype(np.int64))
    return order.distinct(np.concatenate([number, number + 1])) * step_m


def combine(
    leads: Leads,
    centres: np.ndarray,
    *,
    is_usable: np.ndarray | None = None,
    added_variance: Callable[[np.ndarray, np.ndarray], float] | None = None,
    rule: LeadRule | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Combine the leads around each section centre to a reference height.

    Parameters
    ----------
    leads : Leads
        Along one beam, m of them.
    centres : numpy.ndarray, shape (s,)
        Section centres along the track, metres.
    is_usable : numpy.ndarray of bool, shape (m,), optional
        Leads that may be used, of :func:`screen_leads`; all by default.
    added_variance : callable, optional
        Variance (m²) of a section's reference beyond noise and scatter, from the numbers of the leads that made it and
        their weights: :func:`polynya.physics.lead_error.reference_variance`.
    rule : LeadRule, optional
        Constants of leads and sections.

    Returns
    -------
    height, uncertainty, n_leads : numpy.ndarray, shape (s,)
        NaN and 0 without a lead.
    is_used : numpy.ndarray of bool, shape (m,)
        Leads that entered any section.
    """
    rule = rule or LeadRule()
    s = centres.size
    height, sigma = np.full(s, np.nan), np.full(s, np.nan)
    count = np.zeros(s, np.int64)
    used = np.zeros(leads.x.size, bool)
    lo = np.searchsorted(leads.x, centres - rule.section_length_m / 2)
    hi = np.searchsorted(leads.x, centres + rule.section_length_m / 2)
    variance = leads.uncertainty**2 + rule.scatter_m**2
    moved = _in_swell(leads)
    usable = np.ones(leads.x.size, bool) if is_usable is None else is_usable
    floor = rule.section_floor_m if added_variance is None else rule.section_floor_with_lead_error_m
    for k in np.flatnonzero(hi > lo):
        rows = lo[k] + np.flatnonzero(usable[lo[k] : hi[k]])
        if rows.size == 0:
            continue
        h, v = leads.height[rows], variance[rows]
        level = weighted_quantile(h, 1.0 / v, MIDDLE if moved[rows].any() else rule.quantile)
        keep = np.ones(h.size, bool)
        for _ in range(6):
            z = (h - level) / np.sqrt(v)
            new = (z < rule.reject_above) & (z > -rule.reject_below)
            if not new.any():
                new = np.abs(z) == np.abs(z).min()
            w = new / v
            level = float(np.sum(w * h) / np.sum(w))
            if np.array_equal(new, keep):
                break
            keep = new
        w = keep / v
        scatter = np.sum(w * (h - level) ** 2) / np.sum(w)
        formal = 1.0 / np.sum(w)
        n = int(keep.sum())
        # the scatter that the leads show, if it is more than their errors allow
        inflation = max(scatter * n / max(n - 1, 1) / (np.sum(w * v) / np.sum(w)), 1.0)
        height[k], sigma[k], count[k] = level, np.sqrt(formal * inflation + floor**2), n
        if added_variance is not None:
            sigma[k] = np.sqrt(sigma[k] ** 2 + added_variance(rows[keep], 1.0 / v[keep]))
        used[rows] |= keep
    return height, sigma, count, used


def weighted_quantile(values: np.ndarray, weights: np.ndarray, q: float) -> float:
    """Return the smallest value below which at least a share q of the weight lies."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, q * total[-1])])


def water_level(
    x: np.ndarray, centres: np.ndarray, *, height: np.ndarray, uncertainty: np.ndarray, rule: LeadRule | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a first guess of the water level everywhere, for the classifier, not for freeboard.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Segments, metres along the track.
    centres, height, uncertainty : numpy.ndarray, shape (s,)
        Sections of :func:`combine`, increasing; NaN heights are skipped.
    rule : LeadRule, optional
        Constants of sections.

    Returns
    -------
    level, error : numpy.ndarray, shape (n,)
        Linear between sections and held beyond them; the error grows by 1 mm a kilometre outside the
        section's own window. NaN where no section has a height.
    """
    rule = rule or LeadRule()
    good = np.isfinite(height)
    if not good.any():
        return np.full(x.size, np.nan), np.full(x.size, np.nan)
    c, h, s = centres[good], height[good], uncertainty[good]
    right = np.clip(np.searchsorted(c, x), 0, c.size - 1)
    left = np.maximum(right - 1, 0)
    away = np.minimum(np.abs(x - c[left]), np.abs(x - c[right]))
    away = np.maximum(away - rule.section_length_m / 2, 0.0)
    return np.interp(x, c, h), np.hypot(np.interp(x, c, s), 0.02 + 1e-6 * away)
