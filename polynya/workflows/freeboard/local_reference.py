"""One beam's local sea surface: its leads, what says that they are water, sections, the reference at segments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...physics import (
    lead_error,
    leads,
    local_sea_surface,
    order,
    quality,
    sea_surface,
    surface_type,
    swell,
    tracks,
    water_evidence,
)
from ...readers import height_grid, icesat2
from ...schema import OPEN_WATER, THICK_ICE, THIN_ICE
from ...tracks import beam_segments

LAND_KM = 25.0
LARGEST_FLAG = 2.55
"""Byte flags of grids in fractions reach so far (251 to 255 times 0.01): larger values are per cent."""
SHARE_M = 25_000.0
"""The share of open water around a section is counted within this distance of its centre."""


@dataclass(frozen=True, kw_only=True)
class Grids:
    """The user's grids, read once per granule."""

    mss: height_grid.Grid | None = None
    land: height_grid.Grid | None = None
    ice_concentration: height_grid.Grid | None = None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The local sea surface of a beam, at its m leads, s sections and n segments.

    Attributes
    ----------
    lead : leads.Leads
    sections : local_sea_surface.Sections
    height, uncertainty, source : numpy.ndarray, shape (n,)
        Of the reference at each segment: metres above the mean sea surface, and where it comes from.
    common : numpy.ndarray, shape (n,)
        The part of the uncertainty that all segments share, metres.
    flag : numpy.ndarray of int16, shape (n,)
        Bits that the evidence for water sets.
    swell : swell.Swell
        At the segments.
    has_evidence : numpy.ndarray of bool, shape (s,)
        False where leads are there, but only brightness says that they are water.
    is_of_one_lead : numpy.ndarray of bool, shape (n,)
        Of :func:`is_of_one_lead`.
    share_with_ice_concentration : float or None
        Share of the sections where the user's grid has a value; None without a grid.
    """

    lead: leads.Leads
    sections: local_sea_surface.Sections
    height: np.ndarray
    uncertainty: np.ndarray
    source: np.ndarray
    common: np.ndarray
    flag: np.ndarray
    swell: swell.Swell
    has_evidence: np.ndarray
    is_of_one_lead: np.ndarray
    share_with_ice_concentration: float | None

    def has(self, name: str) -> np.ndarray:
        """Return which segments have a bit of ``schema.QUALITY_BITS``, bool, shape (n,)."""
        return (self.flag & quality.BITS[name]) > 0


def at_beam(
    segments: beam_segments.BeamSegments,
    area: local_sea_surface.Surface,
    *,
    types: surface_type.SurfaceTypes,
    evidence: surface_type.Evidence,
    method: str,
    is_calibrated: bool,
    grids: Grids,
) -> Reference:
    """Find the local sea surface of a beam.

    Parameters
    ----------
    segments : beam_segments.BeamSegments
        n segments.
    area : local_sea_surface.Surface
        The same as the sea surface needs them.
    types : surface_type.SurfaceTypes
        Their classes.
    evidence : surface_type.Evidence
        What the classes were decided from.
    method : str
        One of :data:`polynya.physics.local_sea_surface.METHODS`.
    is_calibrated : bool
        Whether the probabilities are calibrated, as a network's are: then only probable leads enter a section. The
        rule's scores widen errors and select nothing.
    grids : Grids
        The user's.

    Returns
    -------
    Reference
    """
    x, geo = area.x, segments.geosegments  # parts of the track lie apart: nothing reaches from one into another
    waves = swell.detect(segments.x, np.where(segments.is_near_surface, area.height, np.nan))
    lead = area.leads(types.surface_class)
    middle = (lead.first + lead.last) // 2
    lead = leads.with_swell(lead, swell.of_leads(waves, middle, lead.length))
    false_height = lead_error.PROBABLE_FALSE_LEAD_HEIGHT if is_calibrated else None
    error = lead_error.lead_error(lead, types.probability, false_lead_height=false_height)
    is_level = is_usable(lead, evidence, swell_rms=waves.rms[middle])
    is_candidate = np.ones(lead.x.size, bool)
    if is_calibrated:
        is_candidate = lead_error.is_probable(error, is_usable=is_candidate)

    centre = local_sea_surface.section_centres(x, method=method)
    near = sea_surface.nearest_section(tracks.together(centre), segments.middle)
    latitude, longitude = geo["reference_photon_lat"][near], geo["reference_photon_lon"][near]
    ice = ice_concentration(grids, latitude, longitude)
    here = np.clip(np.searchsorted(x, centre), 0, x.size - 1)
    judged, is_judged = lead, is_candidate
    if not is_calibrated:
        # The rule calls nothing water that is not low: what is as bright and smooth and stands higher must be seen too.
        others = area.leads(np.where(_is_bright_ice(types, evidence), OPEN_WATER, THICK_ICE))
        judged = leads.joined(lead, others)
        is_judged = np.ones(judged.x.size, bool)
    at_judged = (judged.first + judged.last) // 2
    doubt = water_evidence.assess(
        judged,
        centre,
        is_candidate=is_judged,
        contrast=water_evidence.contrast(
            judged,
            x,
            area.height,
            surface_class=types.surface_class,
            segment_m=float(order.median(area.length)),
            swell_rms=waves.rms[at_judged],
        ),
        setting=water_evidence.Setting(
            is_melt=water_evidence.is_melt_season(
                icesat2.utc(segments.statistics.delta_time[here]),
                latitude=latitude,
                solar_elevation=segments.solar_elevation[here],
            ),
            water_share=_share(x, types.surface_class == OPEN_WATER, centre),
            ice_concentration=ice,
            swell_rms=waves.rms[here],
            is_chosen_by_height=not is_calibrated,
        ),
        probability=_mean_probability(lead, types.probability) if is_calibrated else None,
    )
    sections = local_sea_surface.sections(
        area,
        surface_class=types.surface_class,
        lead=lead,
        centre=centre,
        method=method,
        assessment=local_sea_surface.LeadAssessment(
            is_usable=is_level & is_candidate & doubt.is_usable[np.isin(judged.first, lead.first)],
            error=error,
            doubt=doubt,
        ),
        surroundings=local_sea_surface.Surroundings(
            land_distance=land_distance(grids, latitude, longitude), ice_concentration=ice
        ),
    )
    is_default = method == local_sea_surface.DEFAULT
    height, uncertainty, source = local_sea_surface.at_segments(x, sections, is_stepped=not is_default)
    own = sea_surface.nearest_section(x, centre)
    return Reference(
        lead=lead,
        sections=sections,
        height=height,
        uncertainty=uncertainty,
        source=source,
        common=common_at(x, height, sections),
        flag=doubt.flag[own],
        swell=waves,
        has_evidence=doubt.has_evidence,
        is_of_one_lead=is_of_one_lead(x, lead.x[sections.is_lead_used]) & np.isfinite(height),
        share_with_ice_concentration=None if ice is None or not ice.size else float(np.mean(np.isfinite(ice))),
    )


def is_of_one_lead(x: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return where the sea surface rests on one lead: no other that was used is within reach of a segment.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance of the segments, metres.
    used : numpy.ndarray, shape (k,)
        That of the leads that entered sections, increasing, metres. Leads within
        :data:`polynya.physics.lead_error.APART_M` of each other are one.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        False where no lead is within :data:`polynya.physics.water_evidence.REACH_M`.
    """
    low = np.searchsorted(used, x - water_evidence.REACH_M)
    high = np.searchsorted(used, x + water_evidence.REACH_M, side="right")
    if not used.size:
        return np.zeros(x.size, bool)
    apart = used[np.maximum(high - 1, 0)] - used[np.minimum(low, used.size - 1)]
    return (high > low) & (apart <= lead_error.APART_M)


def _mean_probability(lead: leads.Leads, probability: np.ndarray) -> np.ndarray:
    """Return the mean probability of each class over each lead, shape (m, 3)."""
    return np.column_stack([leads.mean_over(lead, probability[:, k].astype(np.float64)) for k in range(3)])


def _is_bright_ice(types: surface_type.SurfaceTypes, evidence: surface_type.Evidence) -> np.ndarray:
    """Return the segments that NASA's tree would call a specular lead but for their height, and that are none here."""
    is_bright = np.minimum(evidence.bright, evidence.rate_pooled) > surface_type.RATE_SPECULAR
    is_smooth = evidence.width_pooled < surface_type.WIDTH_ROUGH
    return is_bright & is_smooth & ((types.surface_class == THICK_ICE) | (types.surface_class == THIN_ICE))


def is_usable(lead: leads.Leads, evidence: surface_type.Evidence, *, swell_rms: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the leads at the level of others and not above what water can reach, bool, shape (m,).

    Parameters
    ----------
    lead : leads.Leads
        m of them.
    evidence : surface_type.Evidence
        Of the segments: the lowest surfaces nearby.
    swell_rms : numpy.ndarray or float, shape (m,)
        Standard deviation of the surface by swell, metres: the lowest surfaces lie in its troughs.
    """
    lowest = evidence.lowest[(lead.first + lead.last) // 2] if lead.x.size else np.empty(0)
    return leads.screen_leads(lead, ceiling=lowest + surface_type.ABOVE_LOWEST_M + 2.0 * swell_rms)


def common_at(x: np.ndarray, height: np.ndarray, sections: local_sea_surface.Sections) -> np.ndarray:
    """Return the common part of the uncertainty at segments.

    Parameters
    ----------
    x, height : numpy.ndarray, shape (n,)
        Along-track distance and reference height of the segments, metres; NaN where a segment has no reference.
    sections : local_sea_surface.Sections
        Of the beam.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Metres: linear between the sections that have a height, held beyond them; NaN where the segment has none.
    """
    known = np.isfinite(sections.common)
    if not known.any():
        return np.full(x.size, np.nan)
    return np.where(np.isfinite(height), np.interp(x, sections.centre[known], sections.common[known]), np.nan)


def _share(x: np.ndarray, is_water: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the share of water among the segments within 25 km of each centre, shape (s,)."""
    total = np.concatenate([[0], np.cumsum(is_water)])
    low, high = np.searchsorted(x, centre - SHARE_M), np.searchsorted(x, centre + SHARE_M)
    return (total[high] - total[low]) / np.maximum(high - low, 1)


def land_distance(grids: Grids, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray | None:
    """Return the distance of land in the two values that screening needs: 0 within 25 km, else infinity; None without
    a grid.

    Parameters
    ----------
    grids : Grids
        The user's.
    latitude, longitude : numpy.ndarray, shape (s,)
        Degrees.
    """
    if grids.land is None:
        return None
    return np.where(
        height_grid.is_land_near(grids.land, longitude=longitude, latitude=latitude, within_km=LAND_KM), 0.0, np.inf
    )


def ice_concentration(grids: Grids, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray | None:
    """Return the ice concentration as a fraction 0-1, whether the grid holds fractions or per cent; None without one.

    Parameters
    ----------
    grids : Grids
        The user's.
    latitude, longitude : numpy.ndarray, shape (s,)
        Degrees.
    """
    if grids.ice_concentration is None:
        return None
    cells = grids.ice_concentration.values
    full = 100.0 if np.any((cells > LARGEST_FLAG) & (cells <= 100.0)) else 1.0
    # Beyond the full value lie flags (land, coast, missing): they must not mix with their neighbours.
    known = np.where((cells >= 0.0) & (cells <= full), cells, np.nan)
    grid = replace(grids.ice_concentration, values=known)
    return height_grid.sample(grid, longitude=longitude, latitude=latitude) / full
