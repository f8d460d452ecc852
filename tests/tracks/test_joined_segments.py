"""Segments of neighbours before and behind a beam's own: one track in order, cut where the corrections step."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from polynya.readers import icesat2_atl03
from polynya.tracks import beam_segments
from polynya.tracks.joined_segments import join


@pytest.fixture(scope="module")
def segments(small_granule) -> beam_segments.BeamSegments:
    return beam_segments.beam_segments(icesat2_atl03.index(small_granule, beam="gt1r"))


def moved(beam: beam_segments.BeamSegments, by_m: float, *, higher_m: float = 0.0) -> beam_segments.BeamSegments:
    """Return the beam further on, over a reference that is higher; the reference of all is made level here."""
    found, correction = beam.statistics, beam.correction
    return replace(
        beam,
        statistics=replace(found, x_atc=found.x_atc + by_m, index=found.index + round(by_m / 2.0)),
        middle=beam.middle + by_m,
        correction=replace(correction, total=np.full(correction.total.size, higher_m)),
    )


def test_own_segments_stand_between_those_of_the_neighbours(segments):
    own = moved(segments, 0.0)
    found = join(own, [moved(segments, 3000.0), moved(segments, -3000.0)])
    assert np.all(np.diff(found.x) > 0) and np.all(np.diff(found.statistics.index) > 0)
    np.testing.assert_array_equal(found.x[found.own_rows], own.x)
    np.testing.assert_array_equal(found.surface.height[found.own_rows], own.surface.height)
    assert not found.part.any()
    n = found.x.size
    assert 3 * own.x.size - 4 <= n <= 3 * own.x.size
    for record in (found.surface, found.statistics):
        for field in fields(record):
            value = getattr(record, field.name)
            assert field.name in ("heights", "offsets") or not isinstance(value, np.ndarray) or value.shape[0] == n
    assert found.statistics.offsets[-1] == found.statistics.heights.size
    assert found.middle.size == found.correction.total.size == found.correction.piece.size == 3 * own.middle.size


def test_a_cell_on_the_border_is_the_beams_own(segments):
    """The neighbour's first 40 m lie over the beam's last: they are the beam's."""
    own = moved(segments, 0.0)
    found = join(own, [moved(segments, np.floor(np.ptp(own.x) / 2.0) * 2.0 - 40.0)])
    assert found.own_rows == slice(0, own.x.size) and np.all(np.diff(found.statistics.index) > 0)
    np.testing.assert_array_equal(found.x[: own.x.size], own.x)


@pytest.mark.parametrize(("higher_m", "parts"), [(0.04, 1), (0.3, 2)])
def test_a_step_of_the_reference_at_the_border_cuts_the_track(segments, higher_m, parts):
    own = moved(segments, 0.0)
    found = join(own, [moved(segments, 3000.0, higher_m=higher_m)])
    assert np.unique(found.part).size == np.unique(found.correction.piece).size == parts
    assert not found.part[found.own_rows].any()
    assert (own.x.size in found.starts) == (parts == 2)


def test_without_neighbours_nothing_changes(segments):
    assert join(segments, []) is segments
