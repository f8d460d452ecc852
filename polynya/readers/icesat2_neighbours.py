"""Which ATL03 granules follow each other along one orbit, and the part of a neighbour that lies next to a border.

ATL03 is cut into 14 regions per orbit at fixed latitudes, 80° N and 79° S among them. ``segment_dist_x`` runs on across
a border, so place and time say which granules belong together: no other orbit is at the same place within seconds.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ..schema import to_numpy
from . import icesat2
from .icesat2 import Granule, reading
from .icesat2_atl03 import BeamIndex

GAP_M, GAP_S = 10_000.0, 5.0
"""Granules further apart than this along the track, or in time, are no neighbours."""
OVERLAP_M = 100.0
"""Borders of beams may overlap by this: geosegments are 20 m long."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Where a granule lies along its orbit.

    Attributes
    ----------
    granule : Granule
    ends : dict of str to tuple of float
        For every beam with geosegments: ``segment_dist_x`` (m) of the first and last one, and their ``delta_time`` (s).
    """

    granule: Granule
    ends: dict[str, tuple[float, float, float, float]]

    @property
    def start_s(self) -> float:
        """Earliest ``delta_time``, seconds; NaN without a beam."""
        return min((e[2] for e in self.ends.values()), default=float("nan"))

    @property
    def end_s(self) -> float:
        """Latest ``delta_time``, seconds; NaN without a beam."""
        return max((e[3] for e in self.ends.values()), default=float("nan"))


def extent(granule: Granule) -> Extent:
    """Read where a granule begins and ends.

    Parameters
    ----------
    granule : Granule
        Of :func:`polynya.readers.icesat2_atl03.open_granule`.

    Returns
    -------
    Extent

    Raises
    ------
    ProductError
        If the file cannot be read.
    """
    ends = {}
    with icesat2.open_hdf5(granule.path) as handle, reading(granule.path, "geolocation"):
        for beam in granule.beams:
            names = [f"{beam}/geolocation/{n}" for n in ("segment_dist_x", "delta_time")]
            if all(n in handle and handle[n].ndim == 1 and handle[n].shape[0] > 0 for n in names):
                x, time = (handle[n] for n in names)
                found = (float(x[0]), float(x[-1]), float(time[0]), float(time[-1]))
                if np.isfinite(found).all():
                    ends[beam] = found
    return Extent(granule=granule, ends=ends)


def follows(first: Extent, second: Extent) -> bool:
    """Return whether the second granule continues where the first one ends, with the same release and orientation."""
    a, b = first.granule, second.granule
    if a.path == b.path or a.release != b.release or a.orientation != b.orientation:
        return False
    return any(
        -OVERLAP_M <= second.ends[beam][0] - end[1] <= GAP_M and abs(second.ends[beam][2] - end[3]) <= GAP_S
        for beam, end in first.ends.items()
        if beam in second.ends
    )


def neighbours(extents: Sequence[Extent]) -> list[tuple[Granule | None, Granule | None]]:
    """Return the granule before and the one after each granule, None where there is none among them.

    Parameters
    ----------
    extents : sequence of Extent
        In any order. Where several versions of a neighbour are there, the last by name is taken.
    """
    order = sorted((e for e in extents if e.ends), key=lambda e: e.start_s)
    starts = [e.start_s for e in order]
    after: dict[int, Granule] = {}
    before: dict[int, Granule] = {}
    for this in order:
        low, high = bisect.bisect_left(starts, this.end_s - GAP_S), bisect.bisect_right(starts, this.end_s + GAP_S)
        for other in order[low:high]:
            if follows(this, other):
                after[id(this)] = _later(after.get(id(this)), other.granule)
                before[id(other)] = _later(before.get(id(other)), this.granule)
    return [(before.get(id(e)), after.get(id(e))) for e in extents]


def _later(one: Granule | None, other: Granule) -> Granule:
    return other if one is None or other.granule_id > one.granule_id else one


def margin(own: BeamIndex, other: BeamIndex, *, length_m: float) -> BeamIndex | None:
    """Return the part of a neighbour's beam within a distance of a beam's end.

    Parameters
    ----------
    own : BeamIndex
        The beam.
    other : BeamIndex
        The same beam of a neighbour.
    length_m : float
        How far beyond the beam's end, metres.

    Returns
    -------
    BeamIndex or None
        None where the two are no neighbours, or nothing with photons is left.
    """
    x, there = to_numpy(own.geosegments["segment_dist_x"]), to_numpy(other.geosegments["segment_dist_x"])
    if there[0] >= x[-1] - OVERLAP_M:
        is_near, gap = (there > x[-1] + 1.0) & (there < x[-1] + length_m), there[0] - x[-1]
    else:
        is_near, gap = (there < x[0] - 1.0) & (there > x[0] - length_m), x[0] - there[-1]
    count = to_numpy(other.geosegments["segment_ph_cnt"])
    used = np.flatnonzero(is_near & (count > 0))
    if not -OVERLAP_M <= gap <= GAP_M or used.size == 0 or own.beam.is_strong != other.beam.is_strong:
        return None
    first = to_numpy(other.geosegments["first_photon"])
    return replace(
        other,
        geosegments=other.geosegments.filter(pa.array(is_near)),
        start=int(first[used].min()),
        stop=int((first[used] + count[used]).max()),
    )
