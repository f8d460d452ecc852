"""Where a neighbouring granule continues a beam (``--join``): whether the two sea surfaces agree, what is joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import NoSeaIceError, ProductError, one_line
from ...physics import local_sea_surface, order, sea_surface, tracks
from ...readers import icesat2_atl03
from ...schema import SOURCE_LEADS, Note
from ...tracks import beam_segments, joined_segments
from ...tracks.beam_segments import BeamSegments
from .local_reference import Reference
from .missing_reference import LEADS_REACH_M

MOST_SIGMA = 3.0
"""Sea surfaces on two sides that differ by more than this many combined uncertainties do not agree."""
MOST_M = sea_surface.Limits().height_max_m
"""Leads further from the mean sea surface give no section (NASA's limit), but could screen those of the other side."""


def join(
    own: BeamSegments,
    margins: Sequence[icesat2_atl03.BeamIndex],
    *,
    settings: beam_segments.Settings,
    reference: Callable[[BeamSegments], Reference],
    threads: int,
) -> tuple[BeamSegments, list[Note]]:
    """Put the segments of neighbours beside a beam's own, but for those whose sea surface does not agree with it.

    Parameters
    ----------
    own : BeamSegments
        The beam.
    margins : sequence of icesat2_atl03.BeamIndex
        Stretches of the neighbours next to its ends.
    settings : beam_segments.Settings
        Of the segments.
    reference : callable
        Returns the sea surface of segments by the default method.
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    segments : BeamSegments
        Of :func:`polynya.tracks.joined_segments.join`.
    notes : list of Note
        What of the neighbours was left out, and why.
    """
    others, notes = [], []
    for data in margins:
        try:
            other = beam_segments.beam_segments(data, settings, threads=threads)
        except NoSeaIceError:
            continue
        except ProductError as error:
            notes.append(left_out(data.granule.path.name, own.beam.name, one_line(error)))
            continue
        is_before = other.x[0] < own.x[0]
        edge = own.x[0] if is_before else own.x[-1]
        near = joined_segments.stretch(own, np.abs(own.x - edge) <= joined_segments.MARGIN_M)
        reason = disagreement(reference(other), reference(near), edge=float(edge))
        if reason:
            notes.append(left_out(other.granule_id, own.beam.name, reason))
        else:
            others.append(other)
    return joined_segments.join(own, others), notes


def left_out(granule: str, beam: str, reason: str) -> Note:
    """Return the note of a neighbour's beam that is not used.

    Parameters
    ----------
    granule, beam : str
        Its names.
    reason : str
        Why, as a phrase.
    """
    return Note(code="neighbour_left_out", text=f"{beam} of the neighbour {granule} was left out: {reason.rstrip('.')}")


def disagreement(theirs: Reference, mine: Reference, *, edge: float) -> str:
    """Return why a neighbour must not be joined, as a phrase; empty where nothing speaks against it.

    Parameters
    ----------
    theirs, mine : Reference
        Of the neighbour's margin, and of the beam's own end.
    edge : float
        Along-track distance of the border, metres.
    """
    found = difference(theirs, mine, edge=edge)
    if found is not None:
        if abs(found[0]) <= MOST_SIGMA * found[1]:
            return ""
        side = "above" if found[0] > 0 else "below"
        return (
            f"its sea surface lies {abs(found[0]):.2f} ± {found[1]:.2f} m {side} that of this granule's own leads"
            " beside the border, and one of the two is wrong"
        )
    for reference, whose in ((theirs, "its"), (mine, "this granule's own")):
        level = float(order.median(reference.lead.height)) if reference.lead.x.size else 0.0
        if abs(level) > MOST_M and _nearest(reference, edge) is None:
            side = "above" if level > 0 else "below"
            return (
                f"{whose} leads beside the border lie {abs(level):.2f} m {side} the mean sea surface, too far for water"
            )
    return ""


def difference(one: Reference, other: Reference, *, edge: float) -> tuple[float, float] | None:
    """Return how high one sea surface lies above another at a border, and one standard uncertainty of that.

    Parameters
    ----------
    one, other : Reference
        Of the two sides.
    edge : float
        Along-track distance of the border, metres.

    Returns
    -------
    tuple of float or None
        Metres, of the sections with leads that are nearest to the border; the sea surface may tilt between them. None
        where a side has none.
    """
    a, b = (_nearest(r, edge) for r in (one, other))
    if a is None or b is None:
        return None
    tilt = local_sea_surface.SLOPE * abs(a[0] - b[0])
    return a[1] - b[1], float(np.sqrt(a[2] ** 2 + b[2] ** 2 + tilt**2))


def _nearest(reference: Reference, edge: float) -> tuple[float, float, float] | None:
    """Return place, height and uncertainty of the section with leads that is nearest to a border; None without one."""
    s = reference.sections
    rows = np.flatnonzero((s.source == SOURCE_LEADS) & np.isfinite(s.height) & np.isfinite(s.uncertainty))
    if rows.size == 0:
        return None
    place = tracks.together(s.centre[rows])
    k = int(np.argmin(np.abs(place - edge)))
    return float(place[k]), float(s.height[rows[k]]), float(s.uncertainty[rows[k]])


def serving(segments: BeamSegments, reference: Reference, neighbours: Sequence[icesat2_atl03.BeamIndex]) -> list[str]:
    """Return the granules whose leads were used within reach of the beam's ends.

    Parameters
    ----------
    segments : BeamSegments
        Joined.
    reference : Reference
        Of these.
    neighbours : sequence of icesat2_atl03.BeamIndex
        What was to be joined.
    """
    if not neighbours:
        return []
    own, x = segments.own_rows, segments.x
    first, last = own.start or 0, (x.size if own.stop is None else own.stop) - 1
    lead = reference.lead
    rows = ((lead.first + lead.last) // 2)[reference.sections.is_lead_used]
    here = segments.part[[first, last]]
    before = np.any((rows < first) & (x[rows] >= x[first] - LEADS_REACH_M) & (segments.part[rows] == here[0]))
    after = np.any((rows > last) & (x[rows] <= x[last] + LEADS_REACH_M) & (segments.part[rows] == here[1]))
    out = []
    for n in neighbours:
        is_before = float(n.geosegments["segment_dist_x"][0].as_py()) < x[first]
        if before if is_before else after:
            out.append(n.granule.granule_id)
    return out
