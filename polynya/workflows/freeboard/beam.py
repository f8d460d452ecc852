"""One beam's story: photons, segments, classes, sea surface, freeboard; three tables come out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from ... import schema
from ...errors import EmptyBeamError
from ...physics import (
    averages,
    heights,
    leads,
    local_sea_surface,
    order,
    quality,
    sea_surface,
    surface_type,
    tracks,
    water_bounds,
)
from ...predict import tracks as predict_tracks
from ...readers import icesat2_atl03
from ...tracks import beam_segments, features
from . import border, local_reference, missing_reference
from .local_reference import Grids

MEAN_LENGTHS_KM = (1, 10, 25)


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """What decides a beam's tables.

    Attributes
    ----------
    segments : beam_segments.Settings
    sea_surface : str
        The method: ``leads``, ``nasa``, ``minimum``, ``mean`` or ``nearest``.
    classifier : predict.Classifier, optional
        A network for 2 m segments; the rule of :mod:`polynya.physics.surface_type` by default.
    """

    segments: beam_segments.Settings = field(default_factory=beam_segments.Settings)
    sea_surface: str = local_sea_surface.DEFAULT
    classifier: predict_tracks.Classifier | None = None


@dataclass(frozen=True, kw_only=True)
class BeamTables:
    """What one beam gives: three tables that match the schema, numbers for run.json, and what there is to say.

    ``joined`` names the neighbouring granules whose leads served.
    """

    segments: pa.Table
    leads: pa.Table
    sea_surface: pa.Table
    numbers: dict[str, object]
    means: list[dict[str, object]]
    has_cal19: bool
    joined: tuple[str, ...]
    missing: missing_reference.MissingReference
    notes: tuple[schema.Note, ...]


def beam_tables(
    data: icesat2_atl03.BeamIndex,
    *,
    settings: BeamSettings | None = None,
    grids: Grids | None = None,
    neighbours: Sequence[icesat2_atl03.BeamIndex] = (),
    threads: int = 2,
) -> BeamTables:
    """Turn one beam's photons into segments, leads and sea surface.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        With the photons in memory (``BeamData``), or without: then they are read in blocks.
    settings : BeamSettings, optional
        What decides the tables.
    grids : Grids, optional
        The user's grids of land and ice concentration.
    neighbours : sequence of icesat2_atl03.BeamIndex
        Stretches of neighbouring granules next to the beam's ends: their leads serve the beam's sea surface.
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    BeamTables

    Raises
    ------
    EmptyBeamError
        If the beam gives no segment.
    NoSeaIceError
        If no photon was considered for sea ice.
    """
    settings, grids = settings or BeamSettings(), grids or Grids()
    segments = beam_segments.beam_segments(data, settings.segments, threads=threads)
    notes = list(segments.notes)
    if neighbours:
        segments, left_out = border.join(
            segments,
            neighbours,
            settings=settings.segments,
            reference=functools.partial(_default_reference, settings=settings, grids=grids, threads=threads),
            threads=threads,
        )
        notes += left_out
    beam, name = segments.beam, segments.beam.name
    found, surface, x, apart, middle, geo, correction = (
        segments.statistics,
        segments.surface,
        segments.x,
        segments.x_separate,
        segments.middle,
        segments.geosegments,
        segments.correction,
    )
    types, found_reference = _classes_and_reference(segments, settings, grids, threads)
    lead, sections = found_reference.lead, found_reference.sections
    reference, reference_error, source = found_reference.height, found_reference.uncertainty, found_reference.source
    board, board_error = sea_surface.freeboard(
        surface.height, surface.uncertainty, h_ref=reference, sigma_ref=reference_error
    )
    if settings.sea_surface == local_sea_surface.DEFAULT:  # the other methods' errors hold no part that heights share
        board_error = local_sea_surface.freeboard_uncertainty(surface.uncertainty, reference_error)
        board_error = np.hypot(board_error, found_reference.swell.rms)

    is_own = np.zeros(x.size, bool)
    is_own[segments.own_rows] = True
    rows = np.flatnonzero(segments.is_near_surface & is_own)
    is_next_to_gap = np.zeros(x.size, bool)  # of the segments that stay: what is dropped below leaves a gap too
    is_next_to_gap[rows] = tracks.near_gap(tracks.pieces(apart[rows], gap_m=segments.gap_m), rows.size)
    own = sea_surface.nearest_section(x, middle)
    flag = quality.quality_flag(
        {
            "few_photons": quality.has_few_photons(surface.n_photons),
            "geoid_instead_of_mean_sea_surface": correction.is_geoid[own],
            "no_first_photon_bias_correction": ~np.isfinite(surface.first_photon_bias),
            "correction_missing": correction.is_missing[own],
            "background_contaminated": surface.is_contaminated,
            "next_to_gap": is_next_to_gap,
            "sea_surface_filled": quality.is_filled(source),
            "saturated_shots": quality.is_saturated(geo["full_sat_fract"][own]),
            "degraded_pointing": (geo["podppd_flag"][own] != 0) & (data.n_degraded > 0),
            "correction_interpolated": correction.is_interpolated[own]
            | (np.isnan(reference) & missing_reference.is_beside_cut(x, segments.part)),
            "melt_season": found_reference.has("melt_season"),
            "water_contradicts_ice_concentration": found_reference.has("water_contradicts_ice_concentration"),
            "leads_scatter": found_reference.has("leads_scatter"),
            "leads_only_bright": found_reference.has("leads_only_bright"),
            "swell": found_reference.swell.is_there,
        }
    )
    time_ = segments.time
    corrections_at = functools.partial(_at_segments, x, middle)

    def tide_at(values: np.ndarray) -> np.ndarray:
        return np.where(
            np.isfinite(values[own]), corrections_at(values), np.nan
        )  # where it was missing, nothing was subtracted

    columns = {
        "time": time_,
        "latitude": found.latitude,
        "longitude": found.longitude,
        "x_atc": x,
        "n_photons": surface.n_photons,
        "height_mean": found.mean + found.reference,
        "height_median": found.median + found.reference,
        "height_sd": found.sd,
        "height": surface.height,
        "height_uncertainty": surface.uncertainty,
        "photon_rate": found.photon_rate,
        "photon_rate_high": found.photon_rate_high,
        "background_rate": found.background_rate,
        "solar_elevation": segments.solar_elevation,
        "surface_class": types.surface_class,
        "probability_thick": types.probability[:, 0],
        "probability_thin": types.probability[:, 1],
        "probability_water": types.probability[:, 2],
        "sea_surface_height": reference,
        "sea_surface_uncertainty": reference_error,
        "sea_surface_source": source,
        "total_freeboard": board,
        "total_freeboard_uncertainty": board_error,
        "quality_flag": flag,
        "mean_sea_surface": corrections_at(correction.mean_sea_surface),
        "tide_ocean": tide_at(correction.tide_ocean),
        "tide_equilibrium": tide_at(correction.tide_equilibrium),
        "dac": tide_at(correction.dac),
        "first_photon_bias": surface.first_photon_bias,
        "sea_surface_uncertainty_common": found_reference.common,
    }
    columns = {k: v.take(rows, mode="clip") for k, v in columns.items()} if rows.size < x.size else columns
    if rows.size < np.count_nonzero(is_own):
        notes.append(
            schema.Note(
                code="segments_dropped",
                text=f"{name}: dropped {schema.counted(int(is_own.sum()) - rows.size, 'segment')} without a surface"
                f" within {beam_segments.MAX_HEIGHT_M:g} m of the mean sea surface",
            )
        )
    if rows.size == 0:
        raise EmptyBeamError.of(
            segments.granule_id,
            code="no_surface",
            reason=f"{name}: no segment within {beam_segments.MAX_HEIGHT_M:g} m of the mean sea surface (land, icebergs"
            " or noise)",
        )
    identity = {"granule": segments.granule_id, "beam": name}

    def table_of(spec: schema.TableSpec, values: dict[str, np.ndarray]) -> pa.Table:
        n = len(next(iter(values.values())))
        return schema.table(spec, {**identity, "is_strong": np.full(n, beam.is_strong), **values})

    lead_rows = ((lead.first + lead.last) // 2).astype(np.int64)
    rate = leads.mean_over(lead, found.photon_rate_high)
    chance = leads.mean_over(lead, types.probability[:, 2])
    bright = rate * surface_type.strong_equivalent(is_strong=beam.is_strong, spot=beam.spot)
    lead_table = table_of(
        schema.LEADS,
        {
            "time": time_[lead_rows],
            "latitude": found.latitude[lead_rows],
            "longitude": found.longitude[lead_rows],
            "x_atc": tracks.together(lead.x),
            "length": lead.length,
            "n_segments": lead.n_segments,
            "n_photons": lead.n_photons,
            "height": lead.height,
            "height_uncertainty": lead.uncertainty,
            "photon_rate": rate,
            "is_specular": bright > surface_type.RATE_SPECULAR,
            "probability_water": chance,
            "is_used": sections.is_lead_used,
        },
    )
    centre = sections.centre
    at = np.clip(np.searchsorted(apart, centre), 0, x.size - 1)
    at = np.where((at > 0) & (np.abs(apart[np.maximum(at - 1, 0)] - centre) < np.abs(apart[at] - centre)), at - 1, at)
    place = tracks.together(centre)
    order = np.argsort(place, kind="stable")  # where the track is cut, a section of either side reaches across
    at = at[order]
    section_table = table_of(
        schema.SEA_SURFACE,
        {
            "time": time_[at],
            "latitude": found.latitude[at],
            "longitude": found.longitude[at],
            "x_atc": place[order],
            "section_length": np.full(order.size, sections.length),
            "n_leads": sections.n_leads[order],
            "sea_surface_height": sections.height[order],
            "sea_surface_uncertainty": sections.uncertainty[order],
            "sea_surface_uncertainty_common": sections.common[order],
            "sea_surface_source": sections.source[order],
            "height_unsmoothed": sections.height_unsmoothed[order],
        },
    )
    if neighbours:  # theirs stand in their own tables
        lead_table = lead_table.filter(pa.array(is_own[lead_rows]))
        mine = np.isin(centre, local_sea_surface.section_centres(apart[is_own], method=settings.sea_surface))
        section_table = section_table.filter(pa.array(mine[order]))
    segment_table = table_of(schema.SEGMENTS, columns)
    has = np.isfinite(columns["total_freeboard"])
    numbers = {
        "is_strong": beam.is_strong,
        "spot": beam.spot,
        "n_photons_read": segments.n_photons_read,
        "n_geosegments_degraded": data.n_degraded,
        "n_segments": int(rows.size),
        "n_leads": lead_table.num_rows,
        "n_leads_used": int(schema.to_numpy(lead_table["is_used"]).sum()),
        "n_sections": int(np.isfinite(schema.to_numpy(section_table["sea_surface_height"])).sum()),
        "km_of_one_lead": _kilometres(found.length[rows], found_reference.is_of_one_lead[rows] & has),
        "share_with_ice_concentration": found_reference.share_with_ice_concentration,
        "share_with_freeboard": float(has.mean()),
        "mean_freeboard": float(np.mean(columns["total_freeboard"][has])) if has.any() else None,
        "flags": {n: float(np.mean((columns["quality_flag"] & bit) > 0)) for bit, n in schema.QUALITY_BITS},
        "classes": {c: int(np.sum(columns["surface_class"] == v)) for v, c in schema.SURFACE_CLASSES},
    }
    means = _means(name, columns, section_table)
    return BeamTables(
        segments=segment_table,
        leads=lead_table,
        sea_surface=section_table,
        numbers=numbers,
        means=means,
        has_cal19=segments.has_cal19,
        joined=tuple(border.serving(segments, found_reference, neighbours)),
        missing=missing_reference.missing(correction, own[rows], length=found.length[rows]),
        notes=tuple(notes),
    )


def _classes_and_reference(
    segments: beam_segments.BeamSegments, settings: BeamSettings, grids: Grids, threads: int
) -> tuple[surface_type.SurfaceTypes, local_reference.Reference]:
    """Return the classes of segments, and the sea surface of the leads that they make."""
    surface = segments.surface
    area = local_sea_surface.Surface(
        x=segments.x_separate,
        height=surface.height,
        uncertainty=surface.uncertainty,
        n_photons=surface.n_photons,
        length=segments.statistics.length,
    )
    evidence = beam_segments.evidence(segments)
    types = (
        _classes_by_rule(area, evidence)
        if settings.classifier is None
        else _classes_by_network(segments, evidence, settings.classifier, threads)
    )
    return types, local_reference.at_beam(
        segments,
        area,
        types=types,
        evidence=evidence,
        method=settings.sea_surface,
        is_calibrated=settings.classifier is not None,
        grids=grids,
    )


def _default_reference(
    segments: beam_segments.BeamSegments, *, settings: BeamSettings, grids: Grids, threads: int
) -> local_reference.Reference:
    """Return the sea surface by the default method, whose uncertainty holds what is known of the leads."""
    default = replace(settings, sea_surface=local_sea_surface.DEFAULT)
    return _classes_and_reference(segments, default, grids, threads)[1]


def _classes_by_rule(area: local_sea_surface.Surface, evidence: surface_type.Evidence) -> surface_type.SurfaceTypes:
    """Classify once against the lowest surface around, once more against the water that was found."""
    types = surface_type.classify(evidence)
    centres = leads.section_centres(area.x, step_m=leads.LeadRule().section_step_m)
    lead = area.leads(types.surface_class)
    height, error, _, _ = leads.combine(lead, centres, is_usable=local_reference.is_usable(lead, evidence))
    if not np.isfinite(height).any():
        return types
    level, level_error = leads.water_level(area.x, centres, height=height, uncertainty=error)
    return surface_type.classify(evidence, water_level=level, water_level_error=level_error)


def _classes_by_network(
    segments: beam_segments.BeamSegments,
    evidence: surface_type.Evidence,
    classifier: predict_tracks.Classifier,
    threads: int,
) -> surface_type.SurfaceTypes:
    """Classify in one pass, on features that know no class; what is cloud stays the rule's to say."""
    probability = predict_tracks.classify(
        classifier,
        features.features(segments, evidence),
        x=segments.x_separate,
        cell=segments.statistics.index,
        threads=threads,
    )
    probability = water_bounds.within(probability, evidence)
    surface = predict_tracks.surface_class(classifier, probability)
    surface[evidence.is_cloud] = schema.UNCLASSIFIED
    probability[evidence.is_cloud] = np.nan
    return surface_type.SurfaceTypes(surface_class=surface, probability=probability)


def _kilometres(length: np.ndarray, is_counted: np.ndarray) -> float:
    return float(np.sum(length[is_counted])) / 1000.0


def _at_segments(x: np.ndarray, middle: np.ndarray, values: np.ndarray) -> np.ndarray:
    good = np.isfinite(values)
    return np.interp(x, middle[good], values[good]) if good.any() else np.full(x.size, np.nan)


def _means(beam: str, columns: dict[str, np.ndarray], sections: pa.Table) -> list[dict[str, object]]:
    """Freeboard averaged over 1, 10 and 25 km: medians over the bins, one row per length."""
    centre = schema.to_numpy(sections["x_atc"])
    height = schema.to_numpy(sections["sea_surface_height"])
    spacing = float(order.median(np.diff(centre))) if centre.size > 1 else 10_000.0
    common = columns["sea_surface_uncertainty_common"]
    errors = averages.CorrelatedErrors(section_spacing_m=spacing)
    means = averages.mean_freeboard(
        columns["x_atc"],
        columns["total_freeboard"],
        sigma_random=heights.independent_error(columns["height_uncertainty"], columns["first_photon_bias"]),
        sigma_sea_surface=np.sqrt(np.maximum(columns["sea_surface_uncertainty"] ** 2 - common**2, 0.0)),
        sigma_common=np.hypot(common, heights.first_photon_error(columns["first_photon_bias"])),
        section_x=centre[np.isfinite(height)],
        lengths_m=(*(1000.0 * k for k in MEAN_LENGTHS_KM), np.inf),
        errors=errors,
    )
    rows = []
    for length, m in means.items():
        if m.n.size == 0:
            continue
        rows.append(
            {
                "beam": beam,
                "length_km": length / 1000.0 if np.isfinite(length) else "track",
                "n_bins": int(m.n.size),
                "n": int(order.median(m.n)),
                "freeboard": float(np.mean(m.freeboard)),
                "uncertainty": float(order.median(m.uncertainty)),
                "uncertainty_random": float(order.median(m.uncertainty_random)),
                "uncertainty_correlated": float(order.median(m.uncertainty_correlated)),
            }
        )
    return rows
