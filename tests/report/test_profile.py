"""What the page stores of a beam, decoded again as the format says and compared with the table."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya import schema
from polynya.report import beams, profile
from polynya.report.polar_map import SOUTH, unproject

from . import tables


def one_beam(distance: np.ndarray, **options: object) -> tuple[beams.BeamTable, np.ndarray]:
    segments, leads, _ = tables.beam_columns(beam="gt2r", strong=True, distance=distance, **options)
    return beams.split(schema.table(schema.SEGMENTS, segments))[0], np.asarray(leads["x_atc"])


def decode(header: dict, text: str) -> dict[str, np.ndarray]:
    data = base64.b64decode(text)
    out = {k: np.frombuffer(data, "<" + t, count=n, offset=o) for k, (t, o, n) in header["arrays"].items()}
    for layer in ("fine", "bin"):
        if f"{layer}_step" in out:
            jumps, at, position = iter(out[f"{layer}_jump"].tolist()), 0, []
            for step in out[f"{layer}_step"].tolist():
                at = next(jumps) if step == 255 else at + step
                position.append(at)
            out[f"{layer}_at"] = np.array(position, float)
    return out


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 100_000), min_size=0, max_size=60))
def test_positions_survive_their_packing(gaps):
    position = np.cumsum(np.array(gaps, np.int64)) if gaps else np.zeros(0, np.int64)
    step, jump = profile.steps(position)
    at, out, rest = 0, [], iter(jump.tolist())
    for s in step.tolist():
        at = next(rest) if s == 255 else at + s
        out.append(at)
    assert out == position.tolist()


def test_every_segment_of_a_small_granule_is_stored_to_the_millimetre():
    beam, lead_x = one_beam(np.concatenate([tables.with_gaps(8e3, seed=2), 403e3 + np.arange(1.0, 300.0, 2.0)]))
    plan = profile.plan([beam])
    assert plan.bin_m == 0
    header, text = profile.encode(beam, plan=plan, projection=SOUTH, lead_x=lead_x)
    found = decode(header, text)
    c = beam.columns
    assert header["fine_n"] == len(beam)
    np.testing.assert_allclose(found["fine_at"] * profile.UNIT_M + plan.origin, c["x_atc"], atol=0.0501)
    np.testing.assert_allclose(found["fine_height"] / 1000.0, c["height"], atol=0.00051)
    none = found["fine_freeboard"] == -32768
    np.testing.assert_array_equal(none, np.isnan(c["total_freeboard"]))
    np.testing.assert_allclose(found["fine_freeboard"][~none] / 1000.0, c["total_freeboard"][~none], atol=0.00051)
    np.testing.assert_allclose(
        found["fine_sigma"][~none] / 1000.0, c["total_freeboard_uncertainty"][~none], atol=0.00051
    )
    np.testing.assert_array_equal(np.array([0, 1, 2, -1])[found["fine_kind"] & 3], c["surface_class"])
    np.testing.assert_array_equal(found["fine_kind"] >> 2 & 3, c["sea_surface_source"])
    np.testing.assert_array_equal(found["fine_quality"], c["quality_flag"])
    np.testing.assert_allclose(
        found["fine_rate"] * profile.RATE_UNIT, c["photon_rate"], atol=profile.RATE_UNIT / 2 + 1e-5
    )
    assert header["stretches"][-1][0] * profile.UNIT_M + plan.origin == pytest.approx(2.1e7 + 403e3 + 1.0, abs=0.06)


def test_anchors_give_back_place_time_and_sea_surface():
    beam, lead_x = one_beam(tables.with_gaps(30e3, seed=5), start=(-75.0, 179.9), bearing=80.0)
    plan = profile.plan([beam])
    header, text = profile.encode(beam, plan=plan, projection=SOUTH, lead_x=lead_x)
    found = decode(header, text)
    x = found["anchor_x"].astype(float) * profile.UNIT_M + plan.origin
    want = beam.columns["x_atc"]
    map_x = np.interp(want, x, header["map_x"] + found["anchor_map_x"].astype(float))
    map_y = np.interp(want, x, header["map_y"] + found["anchor_map_y"].astype(float))
    latitude, longitude = unproject(map_x, map_y, SOUTH)
    np.testing.assert_allclose(latitude, beam.columns["latitude"], atol=2e-6)  # 0.2 m
    turn = (longitude - beam.columns["longitude"] + 180) % 360 - 180
    np.testing.assert_allclose(turn, 0, atol=1e-5)
    seconds = np.interp(want, x, found["anchor_time"].astype(float))
    np.testing.assert_allclose(seconds, (beam.columns["time"] - int(header["time"])) / 1e9, atol=1e-4)
    sea = np.interp(want, x, found["anchor_sea"].astype(float))
    known = np.isfinite(beam.columns["sea_surface_height"])
    np.testing.assert_allclose(sea[known], beam.columns["sea_surface_height"][known], atol=1e-4)


def test_bins_hold_the_order_statistics_of_their_segments():
    beam, lead_x = one_beam(tables.with_gaps(12e3, seed=7))
    origin = float(beam.columns["x_atc"][0])
    plan = profile.Plan(origin=origin, bin_m=64.0, fine_share=0.05, anchor_every=32)
    header, text = profile.encode(beam, plan=plan, projection=SOUTH, lead_x=lead_x)
    found = decode(header, text)
    index = np.floor(np.rint((beam.columns["x_atc"] - origin) * 10) / 640).astype(int)
    np.testing.assert_array_equal(found["bin_at"], np.unique(index))
    for k, cell in enumerate(np.unique(index)):
        here = index == cell
        assert found["bin_n"][k] == here.sum()
        for name, source in (("height", "height"), ("freeboard", "total_freeboard")):
            value = np.sort(beam.columns[source][here])
            value = value[np.isfinite(value)]
            for label, share in (("min", 0.0), ("low", 0.1), ("mid", 0.5), ("high", 0.9), ("max", 1.0)):
                if name == "freeboard" and label in ("min", "max"):
                    continue
                stored = found[f"bin_{name}_{label}"][k]
                if len(value) == 0:
                    assert stored == -32768
                else:
                    assert stored / 1000.0 == pytest.approx(value[round(share * (len(value) - 1))], abs=0.00051)
        assert found["bin_water"][k] / 255 == pytest.approx(
            (beam.columns["surface_class"][here] == 2).mean(), abs=1 / 255
        )
        assert (found["bin_water"][k] > 0) == bool((beam.columns["surface_class"][here] == 2).any())


def test_a_large_beam_keeps_single_segments_around_leads_within_its_budget():
    beam, lead_x = one_beam(tables.with_gaps(60e3, seed=8))
    plan = profile.plan([beam], fine_segments=1000, bins=1200, fine_beside_bins=3000)
    assert plan.bin_m == 64.0  # 2 m segments: 30,000 / 32 < 1200 bins
    header, text = profile.encode(beam, plan=plan, projection=SOUTH, lead_x=lead_x)
    found = decode(header, text)
    assert 1000 < header["fine_n"] <= 3000
    position = beam.columns["x_atc"] - plan.origin
    for low, high in header["fine_windows"]:
        inside = (found["fine_at"] >= low) & (found["fine_at"] <= high)
        assert inside.sum() == ((position >= low / 10 - 0.06) & (position <= high / 10 + 0.06)).sum()
        assert np.abs(lead_x - plan.origin - np.array([low, high])[:, None] / 10).min() <= 260.0


def test_leadless_large_beam_still_shows_single_segments_somewhere():
    beam, _ = one_beam(tables.with_gaps(40e3, seed=8), leads=False)
    plan = profile.plan([beam], fine_segments=1000, bins=1200, fine_beside_bins=2000)
    header, _ = profile.encode(beam, plan=plan, projection=SOUTH, lead_x=np.zeros(0))
    assert 0 < header["fine_n"] <= 2000


def test_anchor_count_stays_small_when_the_track_is_all_gaps():
    beam, lead_x = one_beam(np.arange(1.0, 900e3, 150.0))
    header, _ = profile.encode(beam, plan=profile.plan([beam]), projection=SOUTH, lead_x=lead_x)
    assert header["arrays"]["anchor_x"][2] < 6000
    assert len(header["stretches"]) <= 400
