"""Segments against plain numpy and pandas: the slow way, written from the definitions, on random photons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.physics import segments

SHOT_M = 0.7
HEIGHTS = ("mean", "median", "sd")
SHOTS = ("photon_rate", "photon_rate_high", "background_counts", "background_rate")


def beam(
    seed: int,
    *,
    n_shots: int = 1500,
    per_shot: float = 8.0,
    start: float = 1.1e6,
    lon0: float = 10.0,
    hole: tuple[int, int] | None = None,
    step: float = 0.0,
):
    """Photons of a random beam in file order, with the 20 m segments they are stored in."""
    rng = np.random.default_rng(seed)
    shot = np.repeat(np.arange(n_shots), rng.poisson(per_shot, n_shots))
    x = shot * SHOT_M + rng.uniform(-0.3, 0.3, shot.size)
    if hole:
        keep = (shot < hole[0]) | (shot >= hole[1])
        shot, x = shot[keep], x[keep]
        x = np.where(shot >= hole[1], x + step, x)
    x = np.maximum(x, 0.0)
    stored = np.argsort(np.floor(x / 20.0), kind="stable")  # segment after segment, shots in order inside
    shot, x = shot[stored], x[stored]
    n = shot.size
    number = 7 + shot  # the count of pulses does not start at a major frame
    photons = {
        "h_ph": (20.0 + 0.3 * rng.standard_normal(n)).astype(np.float32),
        "dist_ph_along": (x % 20.0).astype(np.float32),
        "lat_ph": 70.0 + x * 1e-5,
        "lon_ph": (lon0 + x * 1e-4 + 180.0) % 360.0 - 180.0,
        "delta_time": 6e7 + shot * 1e-4,
        "signal_conf_ph": rng.choice(np.array([-2, 0, 1, 2, 3, 4], np.int8), n, p=[0.02, 0.1, 0.05, 0.08, 0.15, 0.6]),
        "quality_ph": rng.choice(np.array([0, 1, 3], np.int8), n, p=[0.96, 0.02, 0.02]),
        "pce_mframe_cnt": (1000 + number // 200).astype(np.uint32),
        "ph_id_pulse": (1 + number % 200).astype(np.uint8),
    }
    cell = np.floor(x / 20.0).astype(int)
    ids, count = np.unique(cell, return_counts=True)
    geo = {"first": np.cumsum(count) - count, "count": count, "segment_x": start + 20.0 * ids}
    return photons, geo


def positions(photons, geo) -> np.ndarray:
    return np.repeat(geo["segment_x"], geo["count"]) + photons["dist_ph_along"].astype(np.float64)


def resample(photons, geo, *, reference=None, reference_x=None, **more):
    if reference is None:
        reference, reference_x = np.zeros(geo["segment_x"].size), geo["segment_x"]
    return segments.resample(
        photons,
        geosegments=segments.Geosegments(first=geo["first"], count=geo["count"], x=geo["segment_x"]),
        reference=segments.Reference(x=reference_x, height=reference),
        **more,
    )


def slow(photons, geo, *, cell=2.0, above=None, background=None, min_confidence=3):
    """The same statistics by definition; shots that have no photon are listed one by one."""
    x = positions(photons, geo)
    frame = pd.DataFrame({k: np.asarray(v) for k, v in photons.items()})
    frame["x"], frame["h"] = x, photons["h_ph"] if above is None else above
    frame = frame[(frame.quality_ph == 0) & (frame.signal_conf_ph != -2) & np.isfinite(frame.h) & np.isfinite(frame.x)]
    frame["cell"] = np.floor(frame.x / cell).astype(np.int64)
    frame["high"] = frame.signal_conf_ph >= min_confidence
    frame["shot"] = frame.pce_mframe_cnt.astype(np.int64) * 200 + frame.ph_id_pulse.astype(np.int64)
    shots = []
    last = None
    for number, group in frame.groupby("shot", sort=False):
        here, place, time = group.x.iloc[0], group.cell.iloc[0], group.delta_time.iloc[0]
        if last is not None and 1 < number - last[0] <= segments.MAX_EMPTY_SHOTS:
            gap = number - last[0]
            for j in range(1, gap):
                xe = last[1] + (here - last[1]) * j / gap
                shots.append((int(np.floor(xe / cell)), 0.0, 0.0, time - 1e-4 * (gap - j)))
        shots.append((place, float(len(group)), float(group.high.sum()), time))
        last = (number, here)
    shots = pd.DataFrame(shots, columns=["cell", "photon_rate", "photon_rate_high", "time"])
    if background is not None:
        block = np.searchsorted(background["delta_time"], shots.time + 1e-6) - 1
        block = np.clip(block, 0, None)
        near = np.abs(shots.time - background["delta_time"][block]) <= 2 * segments.BLOCK_SECONDS
        for name in ("counts", "rate"):
            shots[f"background_{name}"] = np.where(near, background[f"bckgrd_{name}"][block], np.nan)
    used = frame[frame.high].groupby("cell")
    return used, shots[shots.cell.isin(used.groups)].groupby("cell"), used.size()


def blocks(photons, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(photons["delta_time"].min() - 0.02, photons["delta_time"].max() + 0.02, segments.BLOCK_SECONDS)
    return {"delta_time": t, "bckgrd_counts": rng.poisson(20, t.size), "bckgrd_rate": rng.uniform(1e5, 6e6, t.size)}


@pytest.mark.parametrize(("seed", "per_shot", "cell"), [(0, 8.0, 2.0), (1, 0.4, 2.0), (2, 3.0, 10.0), (3, 6.0, 30.0)])
def test_every_statistic_equals_the_slow_way(seed, per_shot, cell):
    photons, geo = beam(seed, per_shot=per_shot)
    sky = blocks(photons, seed)
    found = resample(photons, geo, background=sky, resolution_m=cell)
    used, shots, size = slow(photons, geo, cell=cell, background=sky)
    np.testing.assert_array_equal(found.index, size.index)
    np.testing.assert_array_equal(found.n_photons, size)
    assert np.all(found.length == cell)
    for name, column in (("x_atc", "x"), ("latitude", "lat_ph"), ("longitude", "lon_ph")):
        np.testing.assert_allclose(getattr(found, name), used[column].mean(), rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.delta_time, used.delta_time.mean(), rtol=0, atol=2e-8)
    h = {
        "mean": used.h.mean(),
        "median": used.h.median(),
        "sd": used.h.std(ddof=0),
    }
    for name in HEIGHTS:
        np.testing.assert_allclose(getattr(found, name), h[name], rtol=0, atol=5e-6, err_msg=name)
    np.testing.assert_array_equal(np.diff(found.offsets), size)
    for k, (_, group) in enumerate(used):
        np.testing.assert_array_equal(
            found.heights[found.offsets[k] : found.offsets[k + 1]], np.sort(group.h.to_numpy())
        )
    rows = np.searchsorted(size.index, shots.size().index)
    np.testing.assert_array_equal(found.n_shots[rows], shots.size())
    assert found.n_shots.sum() == shots.size().sum()
    for name in SHOTS:
        statistic = getattr(found, name)
        np.testing.assert_allclose(statistic[rows], shots[name].mean(), rtol=2e-6, atol=1e-6, err_msg=name)
        others = np.setdiff1d(np.arange(size.size), rows)
        assert np.isnan(statistic[others]).all()


def test_empty_shots_lower_the_rate():
    """Ten shots in 7 m, photons only in the first and the last: the mean over shots is 2/10, not 2/2."""
    photons, geo = one_cell(np.zeros(2), shot=[0, 9], x=[0.1, 6.4])
    found = resample(photons, geo, resolution_m=10.0)
    assert found.n_shots[0] == 10 and found.photon_rate[0] == pytest.approx(0.2)


def one_cell(h, *, shot, x, confidence=4, quality=0, lon=0.0):
    """Photons inside one 20 m segment that starts at 1000 m."""
    n = len(h)
    shot = np.asarray(shot)
    photons = {
        "h_ph": np.asarray(h, np.float32),
        "dist_ph_along": np.asarray(x, np.float32),
        "lat_ph": np.full(n, 80.0),
        "lon_ph": np.broadcast_to(np.asarray(lon, np.float64), n).copy(),
        "delta_time": 1e-4 * shot.astype(float),
        "signal_conf_ph": np.broadcast_to(np.asarray(confidence, np.int8), n).copy(),
        "quality_ph": np.broadcast_to(np.asarray(quality, np.int8), n).copy(),
        "pce_mframe_cnt": (1 + shot // 200).astype(np.uint32),
        "ph_id_pulse": (1 + shot % 200).astype(np.uint8),
    }
    return photons, {"first": np.array([0]), "count": np.array([n]), "segment_x": np.array([1000.0])}


def test_more_empty_shots_than_photons():
    """A weak beam in thin cloud: one photon in fifteen shots. Every shot is there, none is lost or invented."""
    n = 400
    shot = 15 * np.arange(n)
    x = shot * SHOT_M
    ids, count = np.unique(np.floor(x / 20.0).astype(int), return_counts=True)
    photons, _ = one_cell(np.zeros(n), shot=shot, x=x % 20.0)
    geo = {"first": np.cumsum(count) - count, "count": count, "segment_x": 20.0 * ids}
    found = resample(photons, geo, resolution_m=3000.0)
    assert found.n_shots.sum() == 15 * (n - 1) + 1
    total = np.sum(found.photon_rate.astype(float) * found.n_shots)
    assert total == pytest.approx(n, rel=1e-5)


def test_a_long_stretch_without_shots_is_a_gap_not_empty_shots():
    photons, geo = one_cell(np.zeros(2), shot=[0, segments.MAX_EMPTY_SHOTS + 1], x=[0.0, 15.0])
    assert resample(photons, geo, resolution_m=100.0).n_shots.sum() == 2
    photons, geo = one_cell(np.zeros(2), shot=[0, segments.MAX_EMPTY_SHOTS], x=[0.0, 14.0])
    assert resample(photons, geo, resolution_m=100.0).n_shots.sum() == segments.MAX_EMPTY_SHOTS + 1


def test_longitude_mean_across_the_antimeridian():
    photons, geo = one_cell(
        np.zeros(4), shot=range(4), x=[0.1, 0.2, 0.3, 0.4], lon=[179.999, -179.999, 179.997, -179.995]
    )
    found = resample(photons, geo)
    assert found.longitude[0] == pytest.approx(-179.9995, abs=1e-9)
    photons, geo = beam(5, lon0=179.95)
    found = resample(photons, geo)
    assert np.all((found.longitude >= -180) & (found.longitude < 180))
    x = found.x_atc - geo["segment_x"][0]
    np.testing.assert_allclose((found.longitude - 179.95 - x * 1e-4 + 180) % 360 - 180, 0.0, atol=1e-9)
    assert (found.longitude > 0).any() and (found.longitude < 0).any()


def test_one_photon():
    photons, geo = one_cell([3.25], shot=[4], x=[5.1])
    found = resample(photons, geo, reference=np.array([3.0]), reference_x=np.array([0.0]))
    assert found.index.tolist() == [502] and found.n_photons.tolist() == [1]
    assert [float(getattr(found, k)[0]) for k in HEIGHTS] == [0.25, 0.25, 0.0]
    assert found.reference[0] == 3.0 and found.mean[0] + found.reference[0] == 3.25


def test_quality_confidence_and_tep_leave_photons_out():
    photons, geo = one_cell(
        [1, 2, 4, 8, 16, 32], shot=[0] * 6, x=[0.5] * 6, confidence=[4, 3, 2, 4, -2, 4], quality=[0, 0, 0, 1, 0, 3]
    )
    found = resample(photons, geo)
    assert found.n_photons[0] == 2 and found.mean[0] == 1.5
    assert (
        found.photon_rate[0] == 3 and found.photon_rate_high[0] == 2
    )  # bad quality and the calibration echo count nowhere
    assert resample(photons, geo, min_confidence=2).n_photons[0] == 3


def test_no_photon_of_confidence_gives_no_segment():
    photons, geo = one_cell([1.0, 2.0], shot=[0, 1], x=[0.5, 1.2], confidence=1)
    for rule in (2.0, segments.PhotonRuns()):
        found = resample(photons, geo, resolution_m=rule)
        assert found.x_atc.size == 0 and found.offsets.tolist() == [0] and found.heights.size == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38])
@pytest.mark.parametrize("name", ["h_ph", "dist_ph_along"])
def test_values_that_cannot_be_are_ignored(name, bad):
    photons, geo = beam(6, n_shots=300)
    clean = resample(photons, geo)
    rows = np.arange(3, photons["h_ph"].size, 7)
    dirty = {k: v.copy() for k, v in photons.items()}
    dirty[name][rows] = bad
    found = resample(dirty, geo)
    left = {k: v.copy() for k, v in photons.items()}
    left["quality_ph"][rows] = 1  # the same photons left out in the regular way
    expected = resample(left, geo)
    for key in ("index", "n_photons", "mean", "sd", "x_atc", "n_shots"):
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key))
    assert found.n_photons.sum() < clean.n_photons.sum()


def test_pieces_400_km_apart():
    photons, geo = beam(7, n_shots=600, hole=(300, 400), step=400_000.0)
    photons["pce_mframe_cnt"] = photons["pce_mframe_cnt"] + np.where(positions(photons, geo) > 1.2e6, 300, 0).astype(
        np.uint32
    )
    found = resample(photons, geo)
    used, _, size = slow(photons, geo)
    np.testing.assert_array_equal(found.index, size.index)
    np.testing.assert_allclose(found.mean, used.h.mean(), atol=5e-6)
    assert np.diff(found.x_atc).max() > 399_000


def test_order_inside_a_shot_does_not_matter_to_heights():
    photons, geo = beam(8)
    rng = np.random.default_rng(1)
    shot = photons["pce_mframe_cnt"].astype(np.int64) * 200 + photons["ph_id_pulse"]
    place = np.repeat(np.arange(geo["count"].size), geo["count"])
    order = np.lexsort((rng.random(shot.size), shot, place))
    found, other = resample(photons, geo), resample({k: v[order] for k, v in photons.items()}, geo)
    for name in ("index", "n_photons", "median", "heights"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other, name))
    np.testing.assert_allclose(found.mean, other.mean, atol=2e-6)
    assert found.n_shots.sum() == other.n_shots.sum()


def test_reference_is_linear_and_constant_beyond_its_ends():
    photons, geo = beam(9)
    x = positions(photons, geo)
    ref_x = x.min() + np.array([300.0, 320.0, 500.0, 700.0])
    ref = np.array([10.0, 11.0, np.nan, 14.0])
    good = np.isfinite(ref)
    expected = photons["h_ph"] - np.interp(x, ref_x[good], ref[good])
    used, _, _ = slow(photons, geo, above=expected.astype(np.float32))
    shuffled = np.array([2, 0, 3, 1])
    found = resample(photons, geo, reference=ref[shuffled], reference_x=ref_x[shuffled])
    np.testing.assert_allclose(found.mean, used.h.mean(), atol=2e-5)
    at = pd.Series(np.interp(x, ref_x[good], ref[good])).groupby(np.floor(x / 2.0)).mean()
    assert found.reference[0] == 10.0 and found.reference[-1] == 14.0
    np.testing.assert_allclose(
        found.reference, at.reindex(found.index).to_numpy(), atol=0.02
    )  # the mean over all photons, not the used ones
    np.testing.assert_allclose(
        found.mean + found.reference,
        pd.Series(photons["h_ph"], dtype=float)[np.isin(np.arange(x.size), used.obj.index)]
        .groupby(np.floor(x / 2.0)[used.obj.index])
        .mean()
        .to_numpy(),
        atol=2e-5,
    )


@pytest.mark.parametrize("x", [-5.0e6, 0.0, 4.0e7])
def test_any_place_on_the_orbit(x):
    photons, geo = beam(10, n_shots=200, start=x)
    found = resample(photons, geo)
    assert found.index[0] == np.floor(found.x_atc[0] / 2) and found.n_photons.sum() == slow(photons, geo)[2].sum()


def test_distances_far_outside_their_segment_are_ignored():
    photons, geo = beam(11, n_shots=300)
    photons["dist_ph_along"][::5] = np.where(np.arange(photons["h_ph"][::5].size) % 2, 1e9, -1e9)
    found = resample(photons, geo)
    assert found.n_photons.sum() > 0 and np.ptp(found.x_atc) < 1000.0


def test_background_blocks_go_by_time():
    photons, geo = one_cell(np.zeros(3), shot=[0, 60, 400], x=[0.0, 5.0, 9.0])
    sky = {"delta_time": np.array([0.0, 0.005]), "bckgrd_counts": np.array([3, 9]), "bckgrd_rate": np.array([1e6, 2e6])}
    found = resample(photons, geo, background=sky)
    assert found.background_counts[:2].tolist() == [3.0, 9.0]
    assert np.isnan(found.background_rate[2])  # 0.035 s after the last block began: its background is unknown
    assert np.isnan(resample(photons, geo).background_rate).all()


def test_photon_runs_hold_150_photons_and_break_at_gaps():
    photons, geo = beam(12, n_shots=900, hole=(450, 600))
    found = resample(photons, geo, resolution_m=segments.PhotonRuns())
    high = (photons["signal_conf_ph"] >= 3) & (photons["quality_ph"] == 0)
    x = positions(photons, geo)[high]
    h = photons["h_ph"][high]
    cut = np.flatnonzero(np.diff(x) > 50.0)
    assert cut.size == 1
    edge = int(cut[0]) + 1
    sizes = [150] * (edge // 150) + [edge % 150] + [150] * ((x.size - edge) // 150) + [(x.size - edge) % 150]
    assert found.n_photons.tolist() == [s for s in sizes if s]
    ends = np.cumsum(found.n_photons)
    for k, (a, b) in enumerate(zip(ends - found.n_photons, ends, strict=True)):
        assert found.mean[k] == pytest.approx(h[a:b].astype(float).mean(), abs=5e-6)
        assert found.x_atc[k] == pytest.approx(x[a:b].mean(), abs=1e-6)
        assert found.length[k] == pytest.approx(np.ptp(x[a:b]), abs=1e-3)
    assert found.index.tolist() == list(range(len(ends)))


def test_photon_runs_end_at_their_greatest_length():
    photons, geo = beam(13, n_shots=2000, per_shot=0.3)
    found = resample(photons, geo, resolution_m=segments.PhotonRuns(max_length_m=100.0))
    assert found.length.max() <= 100.0 and found.n_photons.max() < 150
    assert found.n_photons.sum() == np.sum((photons["signal_conf_ph"] >= 3) & (photons["quality_ph"] == 0))


def test_window_statistics_equal_numpy():
    photons, geo = beam(14, per_shot=3.0)
    s = resample(photons, geo, reference=np.full(geo["segment_x"].size, 20.0), reference_x=geo["segment_x"])
    rng = np.random.default_rng(0)
    low, high = rng.uniform(-0.5, 0.1, s.index.size), rng.uniform(0.0, 0.6, s.index.size)
    low[:3], high[:3] = 5.0, 6.0  # nothing inside
    n, mean, sd = segments.window_statistics(s, low=low, high=high)
    for k in range(s.index.size):
        a = s.heights[s.offsets[k] : s.offsets[k + 1]].astype(np.float64)
        a = a[(a >= low[k]) & (a <= high[k])]
        assert n[k] == a.size
        expected = [a.mean(), a.std()] if a.size else [np.nan] * 2
        np.testing.assert_allclose([mean[k], sd[k]], expected, atol=2e-6)
    assert (n == 0).sum() >= 3


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-50.0, 50.0), per_shot=st.sampled_from([0.5, 5.0]))
def test_a_shift_of_all_heights_shifts_means_only(seed, shift, per_shot):
    photons, geo = beam(seed, n_shots=150, per_shot=per_shot)
    photons["signal_conf_ph"][0], photons["quality_ph"][0] = 4, 0
    moved = dict(photons, h_ph=(photons["h_ph"].astype(np.float64) + shift).astype(np.float32))
    a, b = resample(photons, geo), resample(moved, geo)
    assert a.n_photons.sum() == np.sum((photons["signal_conf_ph"] >= 3) & (photons["quality_ph"] == 0))
    np.testing.assert_array_equal(a.n_photons, b.n_photons)
    np.testing.assert_array_equal(a.n_shots, b.n_shots)
    for name in ("mean", "median"):
        np.testing.assert_allclose(getattr(b, name) - getattr(a, name), shift, atol=2e-5)
    np.testing.assert_allclose(a.sd, b.sd, atol=2e-5)
    # shifting the reference instead is the same with the other sign
    c = resample(photons, geo, reference=np.full(geo["segment_x"].size, -shift), reference_x=geo["segment_x"])
    np.testing.assert_allclose(c.mean, b.mean, atol=2e-5)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_coarse_cells_are_sums_of_fine_ones(seed):
    photons, geo = beam(seed, n_shots=200)
    photons["signal_conf_ph"][0], photons["quality_ph"][0] = 4, 0
    fine, coarse = resample(photons, geo, resolution_m=2.0), resample(photons, geo, resolution_m=10.0)
    parent = np.floor(fine.index / 5).astype(np.int64)
    np.testing.assert_array_equal(pd.Series(fine.n_photons).groupby(parent).sum().to_numpy(), coarse.n_photons)
    sums = pd.Series(fine.mean.astype(float) * fine.n_photons).groupby(parent).sum().to_numpy()
    np.testing.assert_allclose(sums / coarse.n_photons, coarse.mean, atol=1e-5)
