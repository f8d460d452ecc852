"""NASA's sea level along a beam: ATL10's sections, or what NASA's formulas make of the leads in an ATL07."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...physics import sea_surface, tracks
from ...physics.leads import section_centres
from ...physics.local_sea_surface import GROUND_SPEED
from ..collocated import SPECULAR, Reference, column
from ..section_bias import SECTION_M


@dataclass(frozen=True, kw_only=True)
class SeaLevel:
    """NASA's sections with a sea level, arrays of shape (k,), in order of the track.

    Attributes
    ----------
    x : numpy.ndarray
        Along-track distance of the centre, m.
    height, sigma : numpy.ndarray
        Above NASA's mean sea surface, m; the formal error.
    n_leads : numpy.ndarray of int64
    """

    x: np.ndarray
    height: np.ndarray
    sigma: np.ndarray
    n_leads: np.ndarray


def sea_level(reference: Reference, beam: str) -> SeaLevel:
    """Return NASA's sea level along one beam.

    Parameters
    ----------
    reference : Reference
        NASA's tables.
    beam : str
        A beam that ``reference.segments`` holds.
    """
    stored = reference.sections.get(beam)
    if stored is None:
        return from_atl07(reference.segments[beam])
    x, height = (column(stored, n).astype(np.float64) for n in ("beam_refsurf_dist_x", "beam_refsurf_height"))
    sigma, n = column(stored, "beam_refsurf_sigma").astype(np.float64), np.nan_to_num(column(stored, "beam_lead_n"))
    return _sorted(x, height, sigma, n)


def from_atl07(table: pa.Table) -> SeaLevel:
    """Return the sections that NASA's formulas give from an ATL07's own sea surface segments.

    Leads are runs of segments with ``height_segment_ssh_flag``, where no segment has it of specular ones (types 2-5);
    sections are 10 km long, their centres at multiples of 10 km, screened, filled and smoothed as in ATL10. NASA's own
    centres are not stored in ATL07, and ATL10 leaves out what lies near land or in little ice.

    Parameters
    ----------
    table : pyarrow.Table
        One beam of ATL07; without ``height_segment_surface_error_est`` there is no sea level.
    """
    nothing = np.zeros(0)
    if table.num_rows == 0 or "height_segment_surface_error_est" not in table.column_names:
        return SeaLevel(x=nothing, height=nothing, sigma=nothing, n_leads=np.zeros(0, np.int64))
    x = column(table, "seg_dist_x").astype(np.float64)
    order = np.argsort(x, kind="stable")
    order = order[np.isfinite(x[order])]
    x = x[order]
    height, sigma, length = (
        column(table, n).astype(np.float64)[order]
        for n in ("height_segment_height", "height_segment_surface_error_est", "height_segment_length_seg")
    )
    is_lead = column(table, "height_segment_ssh_flag")[order] > 0
    if not is_lead.any():
        is_lead = np.isin(column(table, "height_segment_type")[order], SPECULAR)
    first, count = sea_surface.lead_runs(is_lead, breaks=_gaps(x, length))
    lead_h, lead_sigma = sea_surface.lead_heights(height, sigma, first=first, count=count)
    lead_x = np.array([x[a : a + n].mean() for a, n in zip(first.tolist(), count.tolist(), strict=True)])
    centre = section_centres(x, step_m=SECTION_M)
    found = sea_surface.section_references(
        lead_x, lead_h, lead_sigma=lead_sigma, section_x=centre, half_width_m=SECTION_M / 2
    )
    filled, error = found.height.copy(), found.sigma.copy()
    edges = tracks.pieces(centre, gap_m=1.5 * SECTION_M)  # never across a gap
    for part in (slice(a, b) for a, b in itertools.pairwise(edges.tolist())):
        kept = np.where(sea_surface.screen(found.height[part]), found.height[part], np.nan)
        kept, error[part], _ = sea_surface.fill(
            centre[part] / GROUND_SPEED, kept, sigma_ref=np.where(np.isfinite(kept), found.sigma[part], np.nan)
        )
        filled[part] = sea_surface.smooth(kept)
    return _sorted(centre, filled, error, found.n_leads)


def _gaps(x: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return where a segment does not touch the one before it."""
    half = 0.5 * length
    return np.concatenate([[True], x[1:] - half[1:] > x[:-1] + half[:-1]])[: x.size]


def _sorted(x: np.ndarray, height: np.ndarray, sigma: np.ndarray, n: np.ndarray) -> SeaLevel:
    order = np.argsort(x, kind="stable")
    order = order[np.isfinite(x[order]) & np.isfinite(height[order])]
    return SeaLevel(x=x[order], height=height[order], sigma=sigma[order], n_leads=n[order].astype(np.int64))
