"""Faults of real granules: degraded pointing, release 007, subsets cut wrongly, one bad beam among good ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard
from tests.workflows.freeboard.test_freeboard import Result, work

WEAK, STRONG = "gt1l", "gt1r"
RULE = {"classifier": "rule"}
DEGRADED = 256


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Path:
    """12 km of Arctic winter, one weak and one strong beam."""
    folder = tmp_path_factory.mktemp("faults")
    name = "ATL03_20200115091200_02800603_006_01.h5"
    return simulate(folder / name, length_km=12, beams=f"{WEAK},{STRONG}", seed=11).granule


@pytest.fixture(scope="module")
def usual(intact, tmp_path_factory) -> Result:
    return work(intact, tmp_path_factory.mktemp("usual"), **RULE)


@pytest.fixture
def granule(intact, tmp_path) -> Path:
    return Path(shutil.copy(intact, tmp_path / intact.name))


def release_007(handle: h5py.File) -> None:
    """Make a granule say that it is of release 007."""
    handle["ancillary_data/release"][...] = b"007"
    for name in ("DatasetIdentification", "SeriesIdentification"):
        handle[f"METADATA/{name}"].attrs["VersionID"] = b"007"


def messages(result: Result) -> str:
    return " ".join(result.run["messages"])


def check_equal(a: Result, b: Result, *, leave_out: tuple[str, ...] = ()) -> None:
    assert a.tables["segments"].num_rows == b.tables["segments"].num_rows
    for name in a.tables["segments"].column_names:
        if name not in (*leave_out, "geometry"):
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


# --- degraded orbit and pointing


@pytest.fixture
def degraded(granule) -> tuple[Path, np.ndarray]:
    """2 km of the strong beam whose photons lie 0.35 m too high and carry podppd_flag 2 and 5; and that stretch."""
    with h5py.File(granule, "r+") as f:
        g = f[STRONG]
        x = g["geolocation/segment_dist_x"][()]
        stretch = (x[0] + 4000.0, x[0] + 6000.0)
        bad = (x >= stretch[0]) & (x < stretch[1])
        flag = g["geolocation/podppd_flag"][()]
        flag[bad] = 2
        flag[np.flatnonzero(bad)[:10]] = 5
        g["geolocation/podppd_flag"][...] = flag
        count = g["geolocation/segment_ph_cnt"][()]
        g["heights/h_ph"][...] = g["heights/h_ph"][()] + np.repeat(np.where(bad, 0.35, 0.0), count).astype("f4")
    return granule, np.array([x[bad][0], x[bad][-1] + 20.0057])


def test_degraded_stretches_are_left_out(degraded, usual, tmp_path):
    granule, (low, high) = degraded
    found = work(granule, tmp_path, **RULE)
    x, beam = found["x_atc"], found.beam(STRONG)
    assert not np.any(beam & (x > low) & (x < high))  # no photon of theirs makes a segment
    n = round((high - low) / 20.0057)
    note = f"{STRONG}: {n} geosegments ({n * 0.02:.1f} km) with podppd_flag 2 ({n - 10}), 5 (10)"
    assert [w for w in found.run["notes"] if w.startswith(note)] and note in messages(found)
    assert found.run["beams"][STRONG]["n_geosegments_degraded"] == n
    assert found.run["beams"][WEAK]["n_geosegments_degraded"] == 0
    assert not np.any(found["quality_flag"] & DEGRADED)
    # beside the gap heights are those of the intact granule, and the gap is one like any other
    before, ours = (r.beam(STRONG) & (r["x_atc"] < low - 2.0) for r in (usual, found))
    np.testing.assert_array_equal(usual["height_mean"][before], found["height_mean"][ours])
    edge = np.flatnonzero(beam & (x < low))[-1]
    assert found["quality_flag"][edge] & 32 and found["quality_flag"][edge + 1] & 32
    np.testing.assert_array_equal(found["height"][found.beam(WEAK)], usual["height"][usual.beam(WEAK)])


def test_degraded_stretches_can_be_kept(degraded, usual, tmp_path):
    granule, (low, high) = degraded
    found = work(granule, tmp_path, keep_degraded=True, **RULE)
    x, flag = found["x_atc"], found["quality_flag"] & DEGRADED
    inside = found.beam(STRONG) & (x > low + 20.0) & (x < high - 20.0)
    outside = ~found.beam(STRONG) | (x < low - 20.0) | (x > high + 20.0)
    assert inside.sum() > 500 and np.all(flag[inside] == DEGRADED) and not flag[outside].any()
    assert found.tables["segments"].num_rows == usual.tables["segments"].num_rows
    same = usual["height_mean"][inside] + 0.35
    np.testing.assert_allclose(found["height_mean"][inside], same, atol=1e-3)
    assert "kept, with the quality bit degraded_pointing" in messages(found)


@pytest.mark.parametrize("value", [1, 3, 4, 6, 7])
def test_a_beam_that_is_degraded_throughout_gives_nothing(granule, usual, tmp_path, value):
    with h5py.File(granule, "r+") as f:
        f[f"{STRONG}/geolocation/podppd_flag"][...] = value
    found = work(granule, tmp_path, **RULE)
    assert set(found["beam"]) == {WEAK} and f"podppd_flag {value}" in messages(found)
    np.testing.assert_array_equal(found["total_freeboard"], usual["total_freeboard"][usual.beam(WEAK)])


def test_a_granule_that_is_degraded_throughout_says_what_to_do(granule, tmp_path):
    with h5py.File(granule, "r+") as f:
        for beam in (WEAK, STRONG):
            f[f"{beam}/geolocation/podppd_flag"][...] = 3
    (record,) = freeboard.run([granule], out=tmp_path, config=freeboard.Config(**RULE))
    assert record.status == "failed" and "podppd_flag 3" in record.message and "--keep-degraded" in record.message


def test_a_granule_without_the_flag_is_as_before(granule, usual, tmp_path):
    with h5py.File(granule, "r+") as f:
        for beam in (WEAK, STRONG):
            del f[f"{beam}/geolocation/podppd_flag"]
    found = work(granule, tmp_path, keep_degraded=True, **RULE)
    check_equal(found, usual)
    assert any("without podppd_flag" in n for n in found.run["notes"])


# --- release 007


def test_saturated_surface_returns_of_release_007_are_kept(granule, usual, tmp_path):
    """Every nominal photon is given 10 or 20: freeboard must not change; artefacts in saturated pulses stay out."""
    with h5py.File(granule, "r+") as f:
        release_007(f)
        for beam, tens in ((WEAK, 10), (STRONG, 20)):
            quality = f[f"{beam}/heights/quality_ph"][()]
            assert set(np.unique(quality)) == {0, 1}
            f[f"{beam}/heights/quality_ph"][...] = quality + tens
    found = work(granule, tmp_path, **RULE)
    check_equal(found, usual)
    assert found.run["doi"] == "10.5067/ATLAS/ATL03.007"
    assert "ITRF2020" in found.run["reference_frame"] and "FES2014b" in found.run["tide_model"]
    metadata = found.tables["segments"].schema.metadata
    assert b"ITRF2020" in metadata[b"datum"] and b"ATL03.007" in metadata[b"source"]
    assert b"ITRF2014" in usual.tables["segments"].schema.metadata[b"datum"] and usual.run["doi"].endswith(".006")


def test_artefacts_of_release_007_are_left_out(granule, tmp_path):
    """Every tenth photon is raised by 0.4 m and marked, with 1 or with the codes of 007: it must not count."""
    with h5py.File(granule, "r+") as f:
        release_007(f)
        for beam in (WEAK, STRONG):
            heights, quality = f[f"{beam}/heights/h_ph"][()], f[f"{beam}/heights/quality_ph"][()]
            quality[::10] = 1
            f[f"{beam}/heights/quality_ph"][...] = quality
            heights[::10] += 0.4
            f[f"{beam}/heights/h_ph"][...] = heights
    expected = work(granule, tmp_path / "expected", **RULE)
    with h5py.File(granule, "r+") as f:
        for beam in (WEAK, STRONG):
            quality = f[f"{beam}/heights/quality_ph"][()]
            marked = np.flatnonzero(quality)
            quality[marked] = np.resize([4, 5, 11, 12, 14, 22, 24, 25], marked.size)
            f[f"{beam}/heights/quality_ph"][...] = quality
    check_equal(work(granule, tmp_path / "found", **RULE), expected)


def test_before_release_007_only_nominal_photons_count(granule, tmp_path):
    with h5py.File(granule, "r+") as f:
        quality = f[f"{STRONG}/heights/quality_ph"][()]
        f[f"{STRONG}/heights/quality_ph"][...] = quality + 10
    found = work(granule, tmp_path, **RULE)
    assert set(found["beam"]) == {WEAK}


def test_filters_of_photons(granule, usual, tmp_path):
    """Photons that do not pass make no heights but count in the photon rate."""
    rng = np.random.default_rng(1)
    with h5py.File(granule, "r+") as f:
        release_007(f)
        for beam in (WEAK, STRONG):
            n = f[f"{beam}/heights/h_ph"].shape[0]
            passing = rng.random(n) < 0.7
            f[f"{beam}/heights"].create_dataset(
                "signal_class_ph", data=np.where(passing, rng.integers(4, 6, n), 1).astype("i1"), chunks=(10_000,)
            )
            del f[f"{beam}/heights/weight_ph"]
            f[f"{beam}/heights"].create_dataset(
                "weight_ph", data=np.where(passing, 12_900, 2_650).astype("u2"), chunks=(10_000,)
            )
    by_class = work(granule, tmp_path / "a", signal_class="4,5", **RULE)
    by_weight = work(granule, tmp_path / "b", min_weight=3000, **RULE)
    check_equal(by_class, by_weight)
    share = by_class["n_photons"].sum() / usual["n_photons"].sum()
    assert 0.65 < share < 0.75
    both = np.intersect1d(usual["x_atc"].round(), by_class["x_atc"].round()).size
    assert both > 0.3 * usual["x_atc"].size
    assert abs(np.nanmean(by_class["photon_rate"]) / np.nanmean(usual["photon_rate"]) - 1.0) < 0.03
    assert np.nanmean(by_class["photon_rate_high"]) < 0.8 * np.nanmean(usual["photon_rate_high"])
    check_equal(work(granule, tmp_path / "c", **RULE), usual)


def test_a_filter_that_the_granule_cannot_serve(granule, tmp_path):
    config = freeboard.Config.checked(signal_class="4,5", **RULE)
    (record,) = freeboard.run([granule], out=tmp_path, config=config)
    assert record.status == "failed" and "\n" not in record.message
    assert "heights/signal_class_ph is missing in release 006" in record.message
    assert "Leave --signal-class out" in record.message


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"signal_class": "7"}, "--signal-class"),
        ({"signal_class": "best"}, "numbers from -1 to 5"),
        ({"min_weight": -1}, "--min-weight"),
    ],
)
def test_filters_that_do_not_exist(options, word):
    from polynya.errors import UsageError

    with pytest.raises(UsageError, match=word):
        freeboard.Config.checked(**options)


# --- one bad beam


@pytest.mark.parametrize("bad", [WEAK, STRONG])
@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_beam_does_not_refuse_the_other(granule, usual, tmp_path, bad, workers):
    with h5py.File(granule, "r+") as f:
        f[f"{bad}/heights/lat_ph"].resize(100, axis=0)
    (record,) = freeboard.run([granule], out=tmp_path, config=freeboard.Config(**RULE), workers=workers)
    assert record.status == "done"
    found, good = Result(record), WEAK if bad == STRONG else STRONG
    assert set(found["beam"]) == {good}
    np.testing.assert_array_equal(found["total_freeboard"], usual["total_freeboard"][usual.beam(good)])
    assert f"{bad} was left out: {granule.name}: {bad}/heights/lat_ph has shape (100,)" in record.message


def test_a_granule_without_any_good_beam_fails_with_a_beams_own_line(granule, tmp_path):
    with h5py.File(granule, "r+") as f:
        f[f"{STRONG}/heights/lat_ph"].resize(100, axis=0)
        f[f"{WEAK}/heights/signal_conf_ph"][...] = -1
    (record,) = freeboard.run([granule], out=tmp_path, config=freeboard.Config(**RULE))
    assert record.status == "failed"
    assert f"{STRONG}/heights/lat_ph has shape (100,)" in record.message and "download" not in record.message
    assert not (tmp_path / granule.stem).exists()


# --- subsets


def test_one_photon_too_many_is_clipped(granule, usual, tmp_path):
    """The subsetter's fault: the last segment counts one photon more than heights holds."""
    with h5py.File(granule, "r+") as f:
        for beam in (WEAK, STRONG):
            count = f[f"{beam}/geolocation/segment_ph_cnt"][()]
            count[np.flatnonzero(count)[-1]] += 1
            f[f"{beam}/geolocation/segment_ph_cnt"][...] = count
    found = work(granule, tmp_path, **RULE)
    check_equal(found, usual)
    assert f"{STRONG}: segment_ph_cnt counts one photon more than heights holds" in messages(found)


def test_variables_that_a_subset_may_drop(granule, usual, tmp_path):
    with h5py.File(granule, "r+") as f:
        for beam in (WEAK, STRONG):
            for name in ("segment_id", "segment_length", "solar_elevation"):
                del f[f"{beam}/geolocation/{name}"]
    found = work(granule, tmp_path, **RULE)
    assert found.tables["segments"].num_rows == usual.tables["segments"].num_rows
    np.testing.assert_allclose(found["solar_elevation"], usual["solar_elevation"], atol=0.07)
    np.testing.assert_allclose(found["height"], usual["height"], atol=1e-4)  # the reference holds 3 mm further on
    near = np.isfinite(found["total_freeboard"]) & np.isfinite(usual["total_freeboard"])
    assert near.any() and np.nanmax(np.abs((found["total_freeboard"] - usual["total_freeboard"])[near])) < 0.005
    assert any("without segment_id, segment_length, solar_elevation" in n for n in found.run["notes"])


@pytest.mark.parametrize("size", [512, 1024])
def test_a_granule_with_a_user_block(granule, usual, tmp_path, size):
    granule.write_bytes(b"\0" * size + granule.read_bytes())
    check_equal(work(granule, tmp_path, **RULE), usual)


# --- time


def test_an_epoch_of_another_mission_is_refused(granule, tmp_path):
    with h5py.File(granule, "r+") as f:
        f["ancillary_data/atlas_sdp_gps_epoch"][...] = 1198800000.0
    with pytest.raises(ProductError, match=r"atlas_sdp_gps_epoch is 1198800000; expected 1198800018") as caught:
        freeboard.process(
            freeboard.Item(path=str(granule), folder=str(tmp_path / "out")), config=freeboard.Config(**RULE)
        )
    assert "download" not in str(caught.value)


@pytest.mark.parametrize("seconds", [18.0, -86400.0])
def test_times_that_contradict_the_granules_own_are_said(granule, tmp_path, seconds):
    with h5py.File(granule, "r+") as f:
        for group in ("geolocation", "heights", "bckgrd_atlas"):
            f[f"{STRONG}/{group}/delta_time"][...] = f[f"{STRONG}/{group}/delta_time"][()] + seconds
    found = work(granule, tmp_path, **RULE)
    said = [m for m in found.run["messages"] if "delta_time says" in m]
    assert len(said) == 1 and said[0].startswith(f"{STRONG}: ") and "data_start_utc" in said[0]


def test_times_that_agree_are_not_mentioned(usual):
    assert "delta_time" not in messages(usual)
