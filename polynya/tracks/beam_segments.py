"""Photons of one beam to corrected segments: what classes, labels and freeboards are made from.

The same segments serve `freeboard`, `label` and the training tables, so a network sees in training what it
sees later. Nothing here knows a class.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from .. import schema
from ..errors import EmptyBeamError
from ..physics import corrections, heights, order, sea_surface, segments, surface_type, tracks
from ..readers import height_grid, icesat2, icesat2_atl03
from .photon_filter import PhotonFilter, select

BLOCK_PHOTONS = 2_000_000
"""Photons read and resampled at a time: about 160 MB."""
MAX_HEIGHT_M = 10.0
"""Segments further than this from the mean sea surface are icebergs, land or noise."""
RESOLUTIONS = {"2": 2.0, "10": 10.0, "30": 30.0, "150ph": segments.PhotonRuns()}
"""Segment lengths by name: metres, or 150 photons."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the segments of a beam.

    Attributes
    ----------
    resolution : str
        A key of :data:`RESOLUTIONS`.
    mss : height_grid.Grid, optional
        Mean sea surface in place of the granule's own.
    mss_is_mean_tide : bool
        The tide system of ``mss``.
    tide_ocean, tide_equilibrium, dac, first_photon_bias : bool
        Corrections switched on.
    min_confidence : int
        Sea-ice signal confidence of the photons that make heights.
    photon_filter : PhotonFilter
        Further conditions for photons that make heights.
    """

    resolution: str = "2"
    mss: height_grid.Grid | None = None
    mss_is_mean_tide: bool = True
    tide_ocean: bool = True
    tide_equilibrium: bool = True
    dac: bool = True
    first_photon_bias: bool = True
    min_confidence: int = segments.MEDIUM
    photon_filter: PhotonFilter = dataclasses.field(default_factory=PhotonFilter)


@dataclass(frozen=True, kw_only=True)
class BeamSegments:
    """Corrected segments of one beam, n of them, and the geosegments (m) they came from.

    Attributes
    ----------
    granule_id : str
    beam : icesat2.Beam
    statistics : physics.segments.Segments
        Statistics of the photons, heights above the reference that was subtracted.
    surface : physics.heights.SurfaceHeights
        Heights above the mean sea surface with their uncertainty.
    starts : numpy.ndarray
        Pieces of the track: nothing is smoothed across a gap or from one part to the next.
    part : numpy.ndarray of int64, shape (n,)
        Parts of the track between which the corrections do not agree (``corrections.Corrections.piece``).
    gap_m : float
        Neighbours further apart than this have a gap between them, metres.
    is_near_surface : numpy.ndarray of bool, shape (n,)
        Within :data:`MAX_HEIGHT_M` of the mean sea surface, where there is one.
    solar_elevation : numpy.ndarray, shape (n,)
        Degrees.
    correction : physics.corrections.Corrections
        At the geosegments.
    geosegments : dict of str to numpy.ndarray, each of shape (m,)
    middle : numpy.ndarray, shape (m,)
        Along-track distance of the geosegments' middles, metres.
    n_photons_read : int
    has_cal19 : bool
        Whether the granule carries a usable first-photon-bias table for the beam.
    notes : tuple of schema.Note
    own_rows : slice
        The beam's own segments, where those of neighbouring granules stand before and behind them
        (:mod:`polynya.tracks.joined_segments`).
    """

    granule_id: str
    beam: icesat2.Beam
    statistics: segments.Segments
    surface: heights.SurfaceHeights
    starts: np.ndarray
    part: np.ndarray
    gap_m: float
    is_near_surface: np.ndarray
    solar_elevation: np.ndarray
    correction: corrections.Corrections
    geosegments: dict[str, np.ndarray]
    middle: np.ndarray
    n_photons_read: int
    has_cal19: bool
    notes: tuple[schema.Note, ...]
    own_rows: slice = field(default_factory=functools.partial(slice, None))

    @property
    def x(self) -> np.ndarray:
        """Along-track distance, metres, shape (n,)."""
        return self.statistics.x_atc

    @property
    def x_separate(self) -> np.ndarray:
        """Along-track distance with the parts moved apart, metres, shape (n,): none is within reach of another."""
        return tracks.separate(self.x, self.part)

    @property
    def time(self) -> np.ndarray:
        """UTC, datetime64[ns], shape (n,)."""
        return icesat2.utc(self.statistics.delta_time)


def beam_segments(data: icesat2_atl03.BeamIndex, settings: Settings | None = None, *, threads: int = 2) -> BeamSegments:
    """Resample and correct one beam's photons.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        With the photons in memory (``BeamData``), or without: then they are read in blocks.
    settings : Settings, optional
        What decides the segments, the defaults of :class:`Settings` by default.
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    BeamSegments

    Raises
    ------
    EmptyBeamError
        If the beam gives no segment.
    NoSeaIceError
        If no photon was considered for sea ice.
    """
    settings = settings or Settings()
    beam, name = data.beam, data.beam.name
    geo = {c: schema.to_numpy(data.geosegments[c]) for c in data.geosegments.column_names}
    middle = geo["segment_dist_x"] + 0.5 * np.where(np.isfinite(geo["segment_length"]), geo["segment_length"], 20.0)
    mss = None
    if settings.mss is not None:
        mss = height_grid.sample(
            settings.mss, longitude=geo["reference_photon_lon"], latitude=geo["reference_photon_lat"]
        )
    correction = corrections.corrections(
        geo,
        mss_grid=mss,
        mss_is_mean_tide=settings.mss_is_mean_tide,
        use_tide_ocean=settings.tide_ocean,
        use_tide_equilibrium=settings.tide_equilibrium,
        use_dac=settings.dac,
    )
    if not np.isfinite(correction.total).any():
        raise EmptyBeamError.of(
            data.granule.granule_id,
            code="no_reference",
            reason=f"{name}: neither a mean sea surface nor a geoid is in the granule; pass --mss GRID",
        )
    resolution = RESOLUTIONS[settings.resolution]
    if isinstance(resolution, segments.PhotonRuns) and not beam.is_strong:
        resolution = segments.PhotonRuns(max_length_m=800.0)
    found = resample(
        data,
        resolution=resolution,
        reference=segments.Reference(x=middle, height=correction.total),
        settings=settings,
        threads=threads,
    )
    n_read = data.stop - data.start
    if found.x_atc.size == 0:
        raise EmptyBeamError.of(
            data.granule.granule_id,
            code="no_signal",
            reason=f"{name}: {n_read} photons, none of medium or high sea-ice confidence (all noise or cloud)"
            + (f" that passes the filter by {' and '.join(filters)}" if (filters := data.filters) else ""),
        )
    gap_m = max(heights.GAP_M, 3.0 * float(order.median(found.length)))
    is_whole = correction.piece[-1] == 0 and np.isfinite(correction.total).all()
    own = np.zeros(found.x_atc.size, np.int64) if is_whole else sea_surface.nearest_section(found.x_atc, middle)
    part = correction.piece[own]
    starts = tracks.pieces(tracks.separate(found.x_atc, part), gap_m=gap_m)
    surface = heights.surface_heights(
        found, table=data.first_photon if settings.first_photon_bias else None, starts=starts
    )
    if not is_whole:
        has_reference = np.isfinite(correction.total[own])
        surface = replace(surface, height=np.where(has_reference, surface.height, np.float32(np.nan)))
    return BeamSegments(
        granule_id=data.granule.granule_id,
        beam=beam,
        statistics=found,
        surface=surface,
        starts=starts,
        part=part,
        gap_m=gap_m,
        is_near_surface=np.abs(surface.height) <= MAX_HEIGHT_M,
        solar_elevation=np.interp(found.x_atc, middle, geo["solar_elevation"]),
        correction=correction,
        geosegments=geo,
        middle=middle,
        n_photons_read=n_read,
        has_cal19=data.has_cal19,
        notes=(*data.notes, *data.missing_note()),
    )


def evidence(beam: BeamSegments) -> surface_type.Evidence:
    """Gather what classes are decided from: no class enters it.

    Parameters
    ----------
    beam : BeamSegments
        Segments of one beam.

    Returns
    -------
    surface_type.Evidence
    """
    found, surface = beam.statistics, beam.surface
    observed = surface_type.Observations(
        x=beam.x_separate,
        height=np.where(beam.is_near_surface, surface.height, np.nan),
        height_uncertainty=surface.uncertainty,
        n_photons=surface.n_photons,
        height_sd=surface.sd,
        spread=surface.spread,
        rate=found.photon_rate_high,
        n_shots=found.n_shots,
        background_rate=found.background_rate,
        solar_elevation=beam.solar_elevation,
        starts=beam.starts,
    )
    return surface_type.gather(observed, is_strong=beam.beam.is_strong, spot=beam.beam.spot)


def resample(
    data: icesat2_atl03.BeamIndex,
    *,
    resolution: float | segments.PhotonRuns,
    reference: segments.Reference,
    settings: Settings,
    threads: int,
) -> segments.Segments:
    """Resample a beam's photons, in blocks where they are not in memory yet.

    A block is a run of geosegments, read with two more on either side, of which only the cells inside it are
    kept: the same segments come out as from the whole beam, with a fraction of the memory. Runs of photons
    (150ph) depend on where they start, so they are made from the whole beam.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        With the photons in memory (``BeamData``), or without.
    resolution : float or PhotonRuns
        Length of a segment in metres, or the run rule.
    reference : segments.Reference
        Height that is subtracted.
    settings : Settings
        Which photons make heights.
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    segments.Segments

    Raises
    ------
    NoSeaIceError
        If no photon was considered for sea ice.
    """
    geo = {c: schema.to_numpy(data.geosegments[c]) for c in ("first_photon", "segment_ph_cnt", "segment_dist_x")}
    background = {c: schema.to_numpy(data.background[c]) for c in data.background.column_names}
    first, count, x = geo["first_photon"], geo["segment_ph_cnt"], geo["segment_dist_x"]
    make = functools.partial(
        segments.resample,
        background=background,
        resolution_m=resolution,
        min_confidence=settings.min_confidence,
        reference=reference,
    )
    usable = functools.partial(select, chosen=settings.photon_filter, release=data.granule.release)
    if isinstance(data, icesat2_atl03.BeamData):
        photons = {c: schema.to_numpy(data.photons[c]) for c in data.photons.column_names}
        return make(usable(photons), geosegments=segments.Geosegments(first=first, count=count, x=x))
    whole = isinstance(resolution, segments.PhotonRuns) or data.stop - data.start <= BLOCK_PHOTONS
    edges = np.array([0, count.size]) if whole else _block_edges(count, BLOCK_PHOTONS)
    pieces, highest = [], -2
    arrays: dict[str, np.ndarray] = {}  # of one block after the other
    for a, b in itertools.pairwise(edges):
        low, high = max(a - 2, 0), min(b + 2, count.size)
        rows = low + np.flatnonzero(count[low:high] > 0)
        if rows.size == 0:
            continue
        start, stop = int(first[rows].min()), int((first[rows] + count[rows]).max())
        photons = icesat2_atl03.photons(data, start=start, stop=stop, threads=threads, arrays=arrays)
        highest = max(highest, int(photons["signal_conf_ph"].max()))
        piece = make(
            usable(photons), geosegments=segments.Geosegments(first=first[rows] - start, count=count[rows], x=x[rows])
        )
        if not whole:
            cells = np.floor(x[[a, min(b, count.size - 1)]] / resolution).astype(np.int64)
            piece = segments.select(
                piece,
                low=cells[0] if a else np.iinfo(np.int64).min,
                high=cells[1] if b < count.size else np.iinfo(np.int64).max,
            )
        pieces.append(piece)
    icesat2_atl03.reject_without_sea_ice(data, highest)
    return segments.concatenate(pieces)


def _block_edges(count: np.ndarray, most: int) -> np.ndarray:
    """Cut geosegments into runs of about ``most`` photons; returns the first geosegment of each, and the end."""
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(most, total[-1], most)) + 1
    return order.distinct(np.concatenate([[0], cuts, [count.size]]))
