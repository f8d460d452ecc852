"""The local sea surface along one beam: from water segments or leads to a reference at every segment.

This joins the steps of :mod:`polynya.physics.leads` (the default) and :mod:`polynya.physics.sea_surface`
(NASA's estimator and the paper's three window methods) with NASA's screening, filling and smoothing.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace

import numpy as np

from ..schema import OPEN_WATER, SOURCE_NONE, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED
from . import lead_error, leads, sea_surface, tracks, water_evidence
from .heights import HeightErrors

GROUND_SPEED = 7000.0
"""Metres per second: NASA's limits on filling are times."""
DEFAULT = "leads"
FILL_SIGMA_M = 0.05
"""Least error of a filled section, metres, but for ``nasa``: ATL10's constant, which NASA itself does not apply."""
SLOPE = 2.5e-6
"""Slope of the sea surface that a fill does not know, m/m: 2.0 to 3.8 cm per 10 km (Kwok and Morison, 2016)."""
PAD_S = 1.5
"""One-sided fill of the default method reaches 10 km (NASA: 10 s, 70 km): further on, the surface may have tilted by
half a decimetre and more."""
METHODS = (DEFAULT, *sea_surface.METHODS)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Segments along a beam, arrays of shape (n,): distance, height, its error, photons, segment length.

    Parts of the track that share no sea surface lie apart in ``x`` (:func:`polynya.physics.tracks.separate`).
    """

    x: np.ndarray
    height: np.ndarray
    uncertainty: np.ndarray
    n_photons: np.ndarray
    length: np.ndarray

    def leads(self, surface_class: np.ndarray) -> leads.Leads:
        """Return the leads that a classification makes of these segments."""
        return leads.find_leads(
            self.x,
            self.height,
            uncertainty=self.uncertainty,
            n_photons=self.n_photons,
            is_water=surface_class == OPEN_WATER,
            cell_m=self.length,
        )


@dataclass(frozen=True, kw_only=True)
class LeadAssessment:
    """What is known of a beam's leads besides their heights, arrays of shape (leads,).

    Attributes
    ----------
    is_usable : numpy.ndarray of bool, optional
        Leads that the default method may use; by default those of :func:`polynya.physics.leads.screen_leads`.
    error : lead_error.LeadError, optional
        How probable the leads are: it widens the errors of the default method's sections and moves no height.
    doubt : water_evidence.Doubt, optional
        What besides brightness speaks for water: the default method gives no sea surface where it is too little, and
        widens the errors by what all leads share.
    """

    is_usable: np.ndarray | None = None
    error: lead_error.LeadError | None = None
    doubt: water_evidence.Doubt | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What lies around s section centres, arrays of shape (s,).

    Attributes
    ----------
    land_distance : numpy.ndarray, optional
        Metres to the nearest land.
    ice_concentration : numpy.ndarray, optional
        Fraction 0-1.
    """

    land_distance: np.ndarray | None = None
    ice_concentration: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Sea surface sections along one beam.

    Attributes
    ----------
    centre : numpy.ndarray, shape (s,)
        Along-track distance, metres, increasing.
    length : float
        Length of a section's window, metres.
    height, uncertainty : numpy.ndarray, shape (s,)
        Above the mean sea surface, metres; NaN where there is none.
    common : numpy.ndarray, shape (s,)
        The part of the uncertainty that sections share, so that averaging does not reduce it, metres; NaN without a
        height.
    source : numpy.ndarray of int8, shape (s,)
        As ``schema.SEA_SURFACE_SOURCES``.
    n_leads : numpy.ndarray, shape (s,)
        Leads (water segments for the window methods) in the section.
    height_unsmoothed : numpy.ndarray, shape (s,)
        Before filling and smoothing.
    is_lead_used : numpy.ndarray of bool, shape (leads,)
    """

    centre: np.ndarray
    length: float
    height: np.ndarray
    uncertainty: np.ndarray
    common: np.ndarray
    source: np.ndarray
    n_leads: np.ndarray
    height_unsmoothed: np.ndarray
    is_lead_used: np.ndarray


def section_centres(x: np.ndarray, *, method: str) -> np.ndarray:
    """Return section centres: every 10 km for ``nasa``, every 5 km for the others."""
    rule = leads.LeadRule()
    return leads.section_centres(x, step_m=rule.section_length_m if method == "nasa" else rule.section_step_m)


def sections(
    surface: Surface,
    *,
    surface_class: np.ndarray,
    lead: leads.Leads,
    centre: np.ndarray,
    method: str = DEFAULT,
    assessment: LeadAssessment | None = None,
    surroundings: Surroundings | None = None,
    limits: sea_surface.Limits | None = None,
) -> Sections:
    """Estimate section heights by one method, then screen, fill and smooth them under NASA's limits.

    Parameters
    ----------
    surface : Surface
        Segments along the beam, n of them.
    surface_class : numpy.ndarray of int8, shape (n,)
        Their classes.
    lead : leads.Leads
        Of :meth:`Surface.leads`.
    centre : numpy.ndarray, shape (s,)
        Of :func:`section_centres`.
    method : str
        One of :data:`METHODS`.
    assessment : LeadAssessment, optional
        Which leads are usable, and how probable they are.
    surroundings : Surroundings, optional
        Land and ice concentration, for the screening.
    limits : sea_surface.Limits, optional
        NASA's limits; the default method fills less far by default.

    Returns
    -------
    Sections
    """
    rule = leads.LeadRule()
    known, around = assessment or LeadAssessment(), surroundings or Surroundings()
    limits = limits or _limits(method)
    x = surface.x
    used = np.zeros(lead.x.size, bool)
    if method == DEFAULT:
        more = None if known.error is None else functools.partial(_false_lead_variance, lead, known.error)
        height, sigma, count, used = leads.combine(
            lead,
            centre,
            is_usable=leads.screen_leads(lead) if known.is_usable is None else known.is_usable,
            added_variance=more,
            rule=rule,
        )
    else:
        rows = np.flatnonzero((surface_class == OPEN_WATER) & np.isfinite(surface.height))
        apart = (np.diff(rows) > 1) | (np.diff(x[rows]) > rule.join_m + surface.length[rows][1:])
        found = sea_surface.window_reference(
            x[rows],
            surface.height[rows],
            sigma=surface.uncertainty[rows],
            centre=centre,
            method=method,
            half_width_m=rule.section_length_m / 2,
            breaks=np.concatenate([[True], apart]) if rows.size else np.empty(0, bool),
        )
        height, sigma, count = found.height, found.sigma, found.n_leads
        used[:] = np.min(np.abs(lead.x[:, None] - centre[None, :]), axis=1, initial=np.inf) <= rule.section_length_m / 2
    parts = [slice(a, b) for a, b in itertools.pairwise(tracks.pieces(centre, gap_m=tracks.APART_M / 2))]
    for part in parts:  # neighbours in the list, whatever the distance: but never of another part of the track
        height[part] = np.where(
            sea_surface.screen(
                height[part],
                distance_to_land_m=None if around.land_distance is None else around.land_distance[part],
                ice_concentration=None if around.ice_concentration is None else around.ice_concentration[part],
                limits=limits,
            ),
            height[part],
            np.nan,
        )
    doubt = known.doubt if method == DEFAULT else None
    if doubt is not None:
        height = np.where(doubt.has_evidence, height, np.nan)
    measured = np.isfinite(height)
    used &= np.any(measured[:, None] & (np.abs(lead.x[None, :] - centre[:, None]) <= rule.section_length_m / 2), axis=0)
    filled, sigma, source = sea_surface.fill(
        centre / GROUND_SPEED, height, sigma_ref=np.where(measured, sigma, np.nan), limits=limits
    )
    if method in ("minimum", "mean", "nearest"):  # the paper fills linearly between its neighbours, however far
        linear = np.full(centre.size, np.nan)
        for part in parts:
            linear[part] = sea_surface.interpolate_windows(centre[part], height[part])
        extra = np.isfinite(linear) & ~np.isfinite(filled)
        filled, source = np.where(extra, linear, filled), np.where(extra, SOURCE_TWO_SIDED, source)
        sigma = np.where(extra, limits.fill_sigma_m, sigma)
    if method == DEFAULT and measured.any():  # 0.05 m holds near certain leads; further away the surface has tilted
        filled_in = (source == SOURCE_ONE_SIDED) | (source == SOURCE_TWO_SIDED)
        near = np.flatnonzero(measured)[sea_surface.nearest_section(centre, centre[measured])]
        sigma = np.where(
            filled_in, np.hypot(np.maximum(sigma, sigma[near]), SLOPE * np.abs(centre - centre[near])), sigma
        )
    smoothed = filled.copy()
    for part in parts:
        smoothed[part] = sea_surface.smooth(filled[part])
    # Nothing is filled nearer to land, nor where leads are there that may all be ice.
    blocked = np.zeros(centre.size, bool) if doubt is None else ~doubt.has_evidence
    if around.land_distance is not None:
        blocked = blocked | (around.land_distance < limits.land_distance_m)
    smoothed, sigma = np.where(blocked, np.nan, smoothed), np.where(blocked, np.nan, sigma)
    source = np.where(blocked, SOURCE_NONE, source)
    common = np.zeros(centre.size) if doubt is None else doubt.common
    return Sections(
        centre=centre,
        length=rule.section_length_m,
        height=smoothed,
        uncertainty=np.hypot(sigma, common),
        common=np.where(np.isfinite(smoothed), common, np.nan),
        source=source.astype(np.int8),
        n_leads=count,
        height_unsmoothed=height,
        is_lead_used=used,
    )


def _limits(method: str) -> sea_surface.Limits:
    nasa = sea_surface.Limits()
    if method == "nasa":
        return nasa
    reach = PAD_S if method == DEFAULT else nasa.pad_time_s  # in time only: sections are 5 km apart
    return replace(nasa, pad_time_s=reach, pad_sections=None, fill_sigma_m=FILL_SIGMA_M)


def _false_lead_variance(lead: leads.Leads, error: lead_error.LeadError, rows: np.ndarray, weight: np.ndarray) -> float:
    return lead_error.reference_variance(
        lead.x[rows],
        lead.height[rows],
        weight=weight,
        error=lead_error.LeadError(
            probability=error.probability[rows], ice_height_if_not_water=error.ice_height_if_not_water[rows]
        ),
    )


def at_segments(x: np.ndarray, found: Sections, *, is_stepped: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each segment's reference: of the nearest section (stepped, as NASA), or linear between sections.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance of the segments, metres.
    found : Sections
        Of :func:`sections`.
    is_stepped : bool
        Whether each segment takes its nearest section as it is, as NASA's do.

    Returns
    -------
    height, uncertainty : numpy.ndarray, shape (n,)
        NaN where the nearest section has none.
    source : numpy.ndarray of int8, shape (n,)
        That of the nearest section.
    """
    centre = found.centre
    if centre.size == 0:
        return np.full(x.size, np.nan), np.full(x.size, np.nan), np.zeros(x.size, np.int8)
    nearest = sea_surface.nearest_section(x, centre)
    height, sigma, source = found.height[nearest], found.uncertainty[nearest], found.source[nearest]
    if not is_stepped and centre.size > 1:
        right = np.clip(tracks.rank(centre, x), 1, centre.size - 1)
        left = right - 1
        f = (x - centre[left]) / (centre[right] - centre[left])
        both = np.isfinite(found.height[left]) & np.isfinite(found.height[right]) & (f >= 0) & (f <= 1)
        height = np.where(both, (1 - f) * found.height[left] + f * found.height[right], height)
        sigma = np.where(both, (1 - f) * found.uncertainty[left] + f * found.uncertainty[right], sigma)
    return height, sigma, np.where(np.isfinite(height), source, SOURCE_NONE).astype(np.int8)


def freeboard_uncertainty(
    sigma: np.ndarray, sigma_ref: np.ndarray, *, common_m: float = HeightErrors.tail_m
) -> np.ndarray:
    """Return the uncertainty of freeboard where both heights carry the same error, m.

    Parameters
    ----------
    sigma, sigma_ref : numpy.ndarray, shape (n,)
        Standard uncertainties of the segment's height and of the sea surface there, metres.
    common_m : float
        The part of both that is the same: late photons lift the mean of ice and of water alike
        (:class:`polynya.physics.heights.HeightErrors`), and a difference does not see it.

    Returns
    -------
    numpy.ndarray, shape (n,)
        ``sqrt(sigma^2 + sigma_ref^2 - 2 common^2)``, never less than the larger of the two without its common part.
    """
    sigma, sigma_ref = np.asarray(sigma, np.float64), np.asarray(sigma_ref, np.float64)
    least = np.maximum(sigma, sigma_ref) ** 2 - common_m**2
    return np.sqrt(np.maximum(sigma**2 + sigma_ref**2 - 2.0 * common_m**2, np.maximum(least, 0.0)))
