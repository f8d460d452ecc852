"""Granules that follow each other along an orbit: by place and time alone, and the stretch beside a border."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from polynya.readers import icesat2_atl03, icesat2_neighbours
from polynya.readers.icesat2 import Beam, Granule
from polynya.readers.icesat2_neighbours import Extent, follows, neighbours
from polynya.schema import from_numpy, to_numpy

SPEED = 7000.0


def extent(name: str, start_m: float, stop_m: float, *, time_s: float | None = None, **changed) -> Extent:
    """Return a granule of one beam; by default its time is that of one orbit at 7 km/s."""
    usual = {"release": "006", "orientation": 1}
    granule = Granule(
        path=Path(f"{name}.h5"),
        product="ATL03",
        granule_id=name,
        orientation_source="orbit_info",
        beams={"gt1r": Beam(name="gt1r", is_strong=True, spot=1)},
        **{**usual, **changed},
    )
    start_s = start_m / SPEED if time_s is None else time_s
    return Extent(granule=granule, ends={"gt1r": (start_m, stop_m, start_s, start_s + (stop_m - start_m) / SPEED)})


FIRST = extent("a", 8.0e6, 9.0e6)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (extent("b", 9.0e6 + 20, 9.9e6), True),
        (extent("b", 9.0e6 - 60, 9.9e6), True),
        (extent("b", 9.0e6 + 9_900, 9.9e6), True),
        (extent("b", 9.0e6 + 11_000, 9.9e6), False),  # too far on
        (extent("b", 9.0e6 - 5_000, 9.9e6), False),  # overlaps: another cut of the same orbit
        (extent("b", 9.0e6 + 20, 9.9e6, time_s=9.0e6 / SPEED + 5669.0), False),  # the next orbit
        (extent("b", 9.0e6 + 20, 9.9e6, release="007"), False),
        (extent("b", 9.0e6 + 20, 9.9e6, orientation=0), False),
        (FIRST, False),
    ],
)
def test_one_follows_where_a_beam_continues(second, expected):
    assert follows(FIRST, second) is expected
    assert not follows(second, FIRST)


def test_neighbours_on_either_side_in_any_order():
    middle, last, alone = extent("b", 9.0e6, 9.5e6), extent("c", 9.5e6, 9.9e6), extent("d", 2.0e7, 2.1e7)
    empty = replace(alone, ends={})
    found = neighbours([last, empty, FIRST, alone, middle])
    names = [tuple(g and g.granule_id for g in pair) for pair in found]
    assert names == [("b", None), (None, None), (None, "b"), (None, None), ("a", "c")]


def test_of_two_versions_the_later_is_taken():
    versions = [extent(f"b_006_0{k}", 9.0e6, 9.5e6) for k in (2, 1)]
    ((_, after), *_) = neighbours([FIRST, *versions])
    assert after.granule_id == "b_006_02"


def test_extents_are_those_of_the_file(small_granule):
    found = icesat2_neighbours.extent(icesat2_atl03.open_granule(small_granule))
    assert set(found.ends) == {"gt1l", "gt1r"}
    geo = icesat2_atl03.index(small_granule, beam="gt1r").geosegments
    x, time = to_numpy(geo["segment_dist_x"]), to_numpy(geo["delta_time"])
    assert found.ends["gt1r"] == (x[0], x[-1], time[0], time[-1])
    assert found.start_s <= time[0] and found.end_s >= time[-1]


def moved(index: icesat2_atl03.BeamIndex, by_m: float) -> icesat2_atl03.BeamIndex:
    place = index.geosegments.schema.get_field_index("segment_dist_x")
    x = from_numpy(to_numpy(index.geosegments["segment_dist_x"]) + by_m)
    return replace(index, geosegments=index.geosegments.set_column(place, "segment_dist_x", pa.array(x)))


@pytest.mark.parametrize(("by_m", "length_m"), [(3010.0, 1000.0), (-3010.0, 1000.0), (3010.0, 40_000.0)])
def test_the_margin_is_the_stretch_beside_the_border(small_granule, by_m, length_m):
    own = icesat2_atl03.index(small_granule, beam="gt1r")
    other = moved(own, by_m)
    found = icesat2_neighbours.margin(own, other, length_m=length_m)
    x, there = to_numpy(own.geosegments["segment_dist_x"]), to_numpy(found.geosegments["segment_dist_x"])
    beside = there - x[-1] if by_m > 0 else x[0] - there
    assert beside.min() > 0 and beside.max() < length_m
    assert there.size == pytest.approx(min(length_m, 3000.0) / 20.0, abs=2)
    photons = icesat2_atl03.photons(found, start=found.start, stop=found.stop, threads=1)
    assert photons["h_ph"].size == to_numpy(found.geosegments["segment_ph_cnt"]).sum()


@pytest.mark.parametrize("by_m", [0.0, 500.0, 20_000.0, -20_000.0])
def test_no_margin_of_what_does_not_continue(small_granule, by_m):
    own = icesat2_atl03.index(small_granule, beam="gt1r")
    assert icesat2_neighbours.margin(own, moved(own, by_m), length_m=40_000.0) is None


def test_no_margin_of_a_beam_of_other_strength(small_granule):
    own = icesat2_atl03.index(small_granule, beam="gt1r")
    other = replace(moved(own, 3010.0), beam=replace(own.beam, is_strong=False))
    assert icesat2_neighbours.margin(own, other, length_m=1000.0) is None
