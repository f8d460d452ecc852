"""Whole tracks: what must come out, the truth against shapes, seeds, ranges, positions."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod

from polynya.errors import UsageError
from polynya.physics.waveform_features import features
from polynya.simulate.altika import presets
from polynya.simulate.altika.frame import draw_frame
from polynya.simulate.altika.leads import crossings
from polynya.simulate.altika.track import Track, draw_track

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("score_altika_simulator")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def tracks():
    return [draw_track(seed) for seed in range(1000, 1016)]


def test_what_must_come_out(benchmark, tracks):
    """The list of the method: shares of saturation, quantiles of peakiness and power, errors of the radar map."""
    found = benchmark.score(tracks)
    assert found["echoes"] == 16 * 800
    for name, low, high in (
        ("lead_share", 0.06, 0.18),
        ("map_precision", 0.82, 0.96),
        ("map_recall", 0.52, 0.76),
        ("saturated_leads", 0.05, 0.14),
        ("saturated_others", 0.03, 0.11),
        ("average_precision_max_power", 0.28, 0.52),
        ("average_precision_peakiness", 0.26, 0.50),
    ):
        assert low <= found[name] <= high, f"{name}: {found[name]}"
    for name, expected, limits in (
        ("peakiness_leads", (8.7, 20.3, 33.3), (3.0, 5.0, 8.0)),
        ("peakiness_far", (4.3, 4.7, 9.7), (0.4, 0.4, 4.0)),
        ("max_power_db_leads", (31.0, 39.0, 45.0), (2.5, 2.5, 2.5)),
        ("max_power_db_far", (23.0, 27.0, 33.0), (2.0, 2.0, 2.0)),
    ):
        apart = np.abs(np.array(found[name]) - expected)
        assert (apart <= limits).all(), f"{name}: {found[name]}"


def test_average_precision_of_a_few_samples(benchmark):
    """Sorted: true, false, true, false: (1/1 + 2/3) / 2."""
    truth, values = np.array([True, False, False, True]), np.array([4.0, 3.0, 1.0, 2.0])
    assert benchmark.average_precision(truth, values) == pytest.approx(5 / 6)


def test_a_seed_gives_one_track_and_another_another(tracks):
    again, other = draw_track(1000), tracks[1]
    for name in ("waveform", "agc", "tracker", "range", "latitude", "true_distance", "map_distance", "crossed"):
        np.testing.assert_array_equal(getattr(tracks[0], name), getattr(again, name))
        assert not np.array_equal(getattr(tracks[0], name), getattr(other, name))
    assert again.about == tracks[0].about


def test_stress_is_harder(benchmark, tracks):
    hard = [draw_track(seed, ranges="stress") for seed in range(1000, 1010)]
    usual, found = benchmark.score(tracks), benchmark.score(hard)
    assert found["map_precision"] < usual["map_precision"] - 0.1 and found["map_recall"] < usual["map_recall"] - 0.1
    refrozen = [np.concatenate([~t.leads.is_open for t in some]).mean() for some in (tracks, hard)]
    assert refrozen == pytest.approx([0.25, 0.40], abs=0.05)
    assert np.mean([t.is_patch.mean() for t in hard]) > 1.3 * np.mean([t.is_patch.mean() for t in tracks])


def test_saturation_is_what_the_counts_show(tracks):
    for track in tracks[:3]:
        assert track.waveform.max() <= 1023 and track.waveform.dtype == np.uint16
        np.testing.assert_array_equal(track.saturated, (track.waveform == 1023).sum(axis=1))


def test_bright_ice_is_bright_and_away_from_leads(tracks):
    def pooled(of):
        return np.concatenate([of(t) for t in tracks])

    patch, distance = pooled(lambda t: t.is_patch), pooled(lambda t: t.true_distance)
    power = pooled(lambda t: features(t.waveform, agc=t.agc)["max_power_db"])
    assert (distance[patch] > 600.0).mean() > 0.9
    far = distance > 3000.0
    assert np.median(power[patch & far]) > np.median(power[~patch & far]) + 3.0


def test_distance_and_crossing_agree(tracks):
    for track in tracks[:4]:
        np.testing.assert_array_equal(track.crossed > 0, track.true_distance == 0)
        assert track.true_distance.max() <= 9000.0 and ((track.nearest < 0) == (track.true_distance == 9000.0)).all()
        start, stop = crossings(track.leads)
        inside = track.crossed > 0
        assert set(np.round(track.crossed[inside], 6)) <= set(np.round((stop - start)[np.isfinite(start)], 6))


def test_the_radar_map_has_leads_that_are_seen_and_moved(tracks):
    track = tracks[0]
    found = track.map_leads
    assert len(found) == track.leads.is_seen.sum() < len(track.leads)
    np.testing.assert_allclose(found.along - track.leads.along[track.leads.is_seen], track.drift[0])
    np.testing.assert_allclose(found.across - track.leads.across[track.leads.is_seen], track.drift[1])
    drifts = np.array([t.drift for t in tracks])
    assert 70.0 < drifts.std() < 180.0


def test_steps_on_the_ground_are_175_m(tracks):
    for track in tracks[:6]:
        back = Geod(ellps="WGS84").inv(
            track.longitude[:-1], track.latitude[:-1], track.longitude[1:], track.latitude[1:]
        )
        np.testing.assert_allclose(back[2], 175.0, rtol=0.006)
        assert (np.diff(track.time) == np.timedelta64(25_000_000, "ns")).all()


def test_plane_and_grid_are_inverse_and_keep_the_left_on_the_left():
    frame = draw_frame(np.random.default_rng(3), 800)
    along, across = np.array([0.0, 5000.0, -300.0]), np.array([0.0, -7000.0, 2000.0])
    np.testing.assert_allclose(frame.from_grid(*frame.to_grid(along, across)), (along, across), atol=1e-6)
    x, y = frame.to_grid(np.array([0.0, 1000.0, 0.0]), np.array([0.0, 0.0, 1000.0]))
    assert (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]) == pytest.approx((1000 * frame.scale) ** 2)


def test_tracks_fly_as_the_orbit_does(tracks):
    """At 98.54 degrees of inclination every track in the Arctic goes west."""
    middles = (399, 400)
    for track in tracks:
        azimuth = Geod(ellps="WGS84").inv(*(v for k in middles for v in (track.longitude[k], track.latitude[k])))[0]
        expected = np.cos(np.deg2rad(98.54)) / np.cos(np.deg2rad(track.latitude[400]))
        assert np.sin(np.deg2rad(azimuth)) == pytest.approx(max(expected, -1.0), abs=0.02)
    assert {np.sign(np.diff(t.latitude[398:402]).mean()) for t in tracks} == {-1.0, 1.0}


def test_tracker_and_echo_move_together(monkeypatch):
    """Without leads the retracked range is that of the surface; the tracker's own place scatters by 1.5 gates."""
    monkeypatch.setitem(presets.RANGES, "standard", replace(presets.STANDARD, density=(0.0, 0.0)))
    track = draw_track(4)
    assert len(track.leads) == 0 and (track.true_distance == 9000.0).all() and (track.crossed == 0).all()
    steps = [np.diff(track.altitude - getattr(track, name)).std() / np.sqrt(2.0) for name in ("tracker", "range")]
    assert steps[0] == pytest.approx(1.5 * 0.3123, rel=0.1)
    assert steps[1] < 0.2
    height = np.median(track.altitude - track.range)
    assert -25.0 < height < 35.0


def test_floes_decay_by_the_antenna(monkeypatch):
    """The mean echo, tracker jitter taken out, falls by exp(-0.0345) per gate behind its edge."""
    chosen = replace(presets.STANDARD, density=(0.0, 0.0), patch_km=1e9, jitter_gates=0.0, noise_db=(-60.0, -60.0))
    monkeypatch.setitem(presets.RANGES, "standard", chosen)
    mean = draw_track(6).waveform.astype(float).mean(axis=0)
    assert -np.polyfit(np.arange(60, 120), np.log(mean[60:120]), 1)[0] == pytest.approx(0.0345, abs=0.001)
    assert np.median(features(draw_track(6).waveform)["peakiness_zakharova_128"]) == pytest.approx(4.7, abs=0.5)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seed": -1}, "0 or more"),
        ({"echoes": 810}, "multiple of 40"),
        ({"echoes": 0}, "40"),
        ({"ranges": "x"}, "stress"),
    ],
)
def test_what_cannot_be_drawn(options, word):
    with pytest.raises(UsageError, match=word):
        draw_track(**{"seed": 1, **options})


def test_the_shortest_track():
    track = draw_track(3, echoes=40)
    assert isinstance(track, Track) and track.waveform.shape == (40, 128)


def test_varied_tracks_have_receivers_and_surfaces_of_their_own():
    """Every range stays ordered and possible, differs from seed to seed, and is the same for a seed; others stay."""
    drawn = [presets.ranges_of("varied", seed) for seed in range(200)]
    assert presets.ranges_of("varied", 7) == drawn[7] and len({r.loop_gain for r in drawn}) == 200
    assert {r.lag for r in drawn} == {1, 2, 3}
    for r in drawn:
        for low, high in (r.slope_deg, r.patch_slope_deg, r.open_db, r.refrozen_db, r.patch_db):
            assert low < high
        assert r.slope_deg[0] > 0.0 and r.patch_slope_deg[0] > 0.0 and r.target < presets.SATURATED
        assert r.density == presets.STANDARD.density and r.drift_m == presets.STANDARD.drift_m
    assert presets.ranges_of("stress", 7) is presets.RANGES["stress"]
    one, two = draw_track(3, ranges="varied"), draw_track(3)
    assert not np.array_equal(one.waveform, two.waveform) and one.about["ranges"] == "varied"
