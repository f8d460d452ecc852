"""A beam's segments with those of the neighbouring granules beside them: one track, so that leads serve both sides."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from ..physics import corrections, gaps, heights, segments, tracks
from .beam_segments import BeamSegments

MARGIN_M = 40_000.0
"""How much of a neighbour is taken: leads within 10 km serve, and these are compared with others within 30 km."""


def join(own: BeamSegments, others: Sequence[BeamSegments]) -> BeamSegments:
    """Put the segments of neighbours before and behind a beam's own.

    Parameters
    ----------
    own : BeamSegments
        The beam.
    others : sequence of BeamSegments
        Margins of the same beam in the granules before and after it, at most one on either side.

    Returns
    -------
    BeamSegments
        ``own_rows`` says which segments are the beam's. Where the corrections of two granules do not agree at the
        border, the track is cut there.
    """
    before = [_kept(o, own, is_before=True) for o in others if o.x[0] < own.x[0]]
    after = [_kept(o, own, is_before=False) for o in others if o.x[0] >= own.x[0]]
    before, after = [b for b in before if b.x.size], [b for b in after if b.x.size]
    if not before and not after:
        return own
    line = [*before, own, *after]
    shift = [0]
    for a, b in itertools.pairwise(line):
        ends = np.array([a.correction.total[-1], b.correction.total[0]])
        step = gaps.pieces_between(np.array([a.middle[-1], b.middle[0]]), ends, is_cut=np.zeros(2, bool))[-1]
        shift.append(shift[-1] + int(a.correction.piece[-1]) + int(step))
    first = sum(b.x.size for b in before)
    statistics = segments.concatenate([b.statistics for b in line])
    part = np.concatenate([b.part + s for b, s in zip(line, shift, strict=True)])
    return replace(
        own,
        statistics=statistics,
        surface=_concatenated([b.surface for b in line]),
        starts=tracks.pieces(tracks.separate(statistics.x_atc, part), gap_m=own.gap_m),
        part=part,
        is_near_surface=np.concatenate([b.is_near_surface for b in line]),
        solar_elevation=np.concatenate([b.solar_elevation for b in line]),
        correction=_joined_corrections(line, shift, own),
        geosegments={k: np.concatenate([b.geosegments[k] for b in line]) for k in own.geosegments},
        middle=np.concatenate([b.middle for b in line]),
        own_rows=slice(first, first + own.x.size),
    )


def _kept(beam: BeamSegments, own: BeamSegments, *, is_before: bool) -> BeamSegments:
    """Return the segments of a neighbour that lie outside the beam's own: a cell on the border is the beam's."""
    is_outside = beam.x < own.x[0] if is_before else beam.x > own.x[-1]
    index, edge = own.statistics.index, 0 if is_before else -1
    if np.floor(own.x[edge] / own.statistics.length[edge]) == index[edge]:  # cells, not runs of photons
        is_outside &= beam.statistics.index != index[edge]
    return stretch(beam, is_outside)


def stretch(beam: BeamSegments, is_kept: np.ndarray) -> BeamSegments:
    """Return a stretch of a beam.

    Parameters
    ----------
    beam : BeamSegments
        n segments, none of a neighbour.
    is_kept : numpy.ndarray of bool, shape (n,)
        Segments that follow each other.

    Returns
    -------
    BeamSegments
        With the geosegments of the whole beam.
    """
    rows = np.flatnonzero(is_kept)
    numbers = beam.statistics.index[rows]
    low, high = (int(numbers[0]), int(numbers[-1]) + 1) if rows.size else (0, 0)
    names = [f.name for f in fields(heights.SurfaceHeights)]
    return replace(
        beam,
        statistics=segments.select(beam.statistics, low=low, high=high),
        starts=tracks.pieces(beam.x_separate[rows], gap_m=beam.gap_m),
        surface=heights.SurfaceHeights(**{n: getattr(beam.surface, n)[rows] for n in names}),
        part=beam.part[rows],
        is_near_surface=beam.is_near_surface[rows],
        solar_elevation=beam.solar_elevation[rows],
    )


def _concatenated(surfaces: Sequence[heights.SurfaceHeights]) -> heights.SurfaceHeights:
    return heights.SurfaceHeights(
        **{f.name: np.concatenate([getattr(s, f.name) for s in surfaces]) for f in fields(heights.SurfaceHeights)}
    )


def _joined_corrections(
    line: Sequence[BeamSegments], shift: Sequence[int], own: BeamSegments
) -> corrections.Corrections:
    every = [b.correction for b in line]
    arrays = {
        f.name: np.concatenate([getattr(c, f.name) for c in every])
        for f in fields(corrections.Corrections)
        if f.name not in ("piece", "absent")
    }
    piece = np.concatenate([c.piece + s for c, s in zip(every, shift, strict=True)])
    return corrections.Corrections(**arrays, piece=piece, absent=own.correction.absent)
