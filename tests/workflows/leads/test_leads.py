"""From files of echoes to tables: which network answers, blocks, ranges to remove, gaps."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from polynya.errors import ProductError, UsageError
from polynya.readers import altika_sgdr, echo_files
from polynya.schema import lead_labels
from polynya.schema.echoes import LEAD, SEA_ICE, UNKNOWN
from polynya.schema.lead_labels import BITS, LEADS
from polynya.workflows import leads
from polynya.workflows.leads import halo, track
from tests.real_files import altimetry

from .echo_networks import track as write_track
from .results import columns, run, run_json, table


def test_a_network_answers_for_its_mission(tmp_path, simulated, network):
    path, _ = simulated
    record = run(path, tmp_path, network=str(network))
    assert record.status == "done", record.message
    c = columns(tmp_path, "track")
    p = c["lead_probability"]
    assert c["echo"].tolist() == list(range(800))
    expected = np.where(p >= 0.5, LEAD, np.where(p <= 0.2, SEA_ICE, UNKNOWN))
    assert (c["surface_class"] == expected).all() and len(np.unique(expected)) == 3
    assert (c["unknown_cause"] == np.where(expected == UNKNOWN, lead_labels.BETWEEN_LIMITS, 0)).all()
    np.testing.assert_allclose(c["lead_distance"], 500.0, rtol=1e-4)
    np.testing.assert_allclose(c["lead_distance_low"], 200.0, rtol=1e-4)
    np.testing.assert_allclose(c["lead_distance_high"], 900.0, rtol=1e-4)
    assert (np.isfinite(c["lead_width"]) == (c["surface_class"] == LEAD)).all()
    assert not (c["lead_quality"] & BITS["mode_or_mission_not_in_training"]).any()
    about = table(tmp_path, "track").schema.metadata
    assert about[b"threshold_m"] == b"300.0"
    assert about[b"mission"] == b"SARAL" and about[b"network"] == b"near" and about[b"is_simulated"] == b"true"
    n = run_json(tmp_path, "track")["numbers"]
    assert n["n_lead"] + n["n_sea_ice"] + n["n_unknown"] + n["n_ocean"] == n["n_echoes"] == 800


def test_simulated_echoes_are_named_everywhere(tmp_path, simulated, network):
    path, _ = simulated
    record = run(path, tmp_path, network=str(network))
    report = (tmp_path / "track" / "report.html").read_text()
    said = run_json(tmp_path, "track")
    for text in (
        record.message,
        report,
        " ".join(said["messages"]),
        table(tmp_path, "track").schema.metadata[b"comment"],
    ):
        assert b"simulated" in (text if isinstance(text, bytes) else text.encode())
    assert said["inputs"][0]["is_simulated"] is True and "(simulated)" in report
    assert "has learned from simulated echoes" in record.message


def test_range_flags_mark_bent_ranges_beside_nadir(tmp_path, simulated, network):
    """The network puts every lead 500 m away: then those are marked whose range is longer than those around."""
    path, _ = simulated
    record = run(path, tmp_path, network=str(network))
    c = columns(tmp_path, "track")
    marked = c["range_flag"] == lead_labels.OFF_NADIR
    assert ((c["lead_quality"] & BITS["off_nadir_lead"]) > 0).tolist() == marked.tolist()
    assert 0 < marked.sum() < 400 and f"remove {marked.sum():,} echoes" in record.message
    echoes = altika_sgdr.read(path)
    height = echoes.altitude - echoes.range  # of the product's own range, half of the largest count
    level = np.array([np.median(height[max(k - 100, 0) : k + 101]) for k in range(800)])
    late = level - height
    assert np.median(late[marked]) > 0.156 and np.median(np.abs(late[~marked])) < 0.156
    assert np.mean(late[marked] > 0.1) > 0.8  # the product takes the first rise, the flag that of the largest peak
    assert run_json(tmp_path, "track")["numbers"]["n_off_nadir"] == marked.sum()


def test_without_tracker_all_beside_nadir_count(tmp_path, network):
    path = altimetry("altika_sim/sim_track_0.nc")
    record = run(path, tmp_path, network=str(network))
    assert (columns(tmp_path, "sim_track_0")["range_flag"] == lead_labels.OFF_NADIR).all()
    assert "lacks tracker or altitude, so all of them count" in record.message


@pytest.mark.parametrize("records", [800, 1000, 1720])
def test_blocks_change_nothing(tmp_path, network, records):
    """A network that sees farther than its margin: windows must lie alike, sequences must go on."""
    path = tmp_path / "long.nc"
    write_track(path, seed=5, echoes=4000)
    config = leads.Config(network=str(network), lead_db=35.0)
    for name, size in (("whole", 100_000), ("cut", records)):
        task = track.Item(path=str(path), folder=str(tmp_path / name))
        assert track.process(task, config=config, records=size).status == "done"
    whole, cut = (pq.read_table(tmp_path / n / "leads.parquet") for n in ("whole", "cut"))
    for name in LEADS.names:
        a, b = whole[name].to_numpy(), cut[name].to_numpy()
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-5, err_msg=name)
        else:
            assert (a == b).all(), name
    assert run_json(tmp_path, "whole")["counts"] == run_json(tmp_path, "cut")["counts"]
    assert run_json(tmp_path, "whole")["numbers"]["n_leads"] == run_json(tmp_path, "cut")["numbers"]["n_leads"]


@pytest.mark.parametrize("order", ["reversed", "shuffled", "halves"])
def test_files_in_another_order_than_time_have_the_same_answers(tmp_path, simulated, network, order):
    path, n = simulated[0], 800
    place = {
        "reversed": np.arange(n)[::-1],
        "shuffled": np.random.default_rng(4).permutation(n),
        "halves": np.roll(np.arange(n), 400),
    }[order]
    other = tmp_path / "track.nc"
    shutil.copy(path, other)
    with h5py.File(other, "a") as file:
        for node in file.values():
            if node.shape[:2] == (20, 40):
                values = node[...]
                node[...] = values.reshape(n, *values.shape[2:])[place].reshape(values.shape)
    straight = run(path, tmp_path / "a", network=str(network), lead_db=38.0)
    record = run(other, tmp_path / "b", network=str(network), lead_db=38.0)
    assert "not in the order of time" in record.message and "order of time" not in straight.message
    a, b = (table(tmp_path / k, "track") for k in ("a", "b"))
    for name in LEADS.names:
        if name != "echo":
            np.testing.assert_array_equal(a[name].to_numpy(), b[name].to_numpy(), err_msg=name)
    assert place[b["echo"].to_numpy()].tolist() == a["echo"].to_numpy().tolist()  # the number in the file as it is
    assert {k: v for k, v in record.numbers.items() if k != "seconds"} == pytest.approx(
        {k: v for k, v in straight.numbers.items() if k != "seconds"}, nan_ok=True
    )


def test_memory_holds_one_block_and_its_neighbours(tmp_path):
    path = tmp_path / "long.nc"
    write_track(path, seed=5, echoes=4000)
    sizes = [(len(p.echoes), p.first, p.own) for p in halo.padded(echo_files.blocks(path, records=1000), stride=60)]
    assert [s[1] for s in sizes] == [0, 1000, 2000, 3000] and all(n <= 1000 + 2 * halo.HALO + 60 for n, _, _ in sizes)
    assert all((first - own.start) % 60 == 0 for _, first, own in sizes)
    assert all(own.stop - own.start == 1000 for _, _, own in sizes)


def test_the_table_is_geoparquet_with_boxes(tmp_path, simulated, network):
    geopandas = pytest.importorskip("geopandas")
    path, _ = simulated
    run(path, tmp_path, network=str(network))
    frame = geopandas.read_parquet(tmp_path / "track" / "leads.parquet")
    assert frame.crs.is_geographic and len(frame) == 800
    box = frame.total_bounds
    part = geopandas.read_parquet(tmp_path / "track" / "leads.parquet", bbox=(box[0], box[1], box[2], box[1] + 0.1))
    assert 0 < len(part) <= 800


def test_a_gap_is_unknown_and_removed(tmp_path, network):
    """A row of the file without position, time and waveform stays in the table, with its cause."""
    path = tmp_path / "gap.nc"
    write_track(path, echoes=400)
    with h5py.File(path, "a") as file:
        for name in ("lat_40hz", "lon_40hz", "time_40hz"):
            data = file[name]
            data[5] = data.attrs.get("_FillValue", np.nan)
        file["waveforms_40hz"][5] = 0
    record = run(path, tmp_path / "out", network=str(network))
    assert record.status == "done", record.message
    c = columns(tmp_path / "out", "gap")
    gap = slice(200, 240)
    assert (c["unknown_cause"][gap] == lead_labels.CAUSE_NO_ECHO).all() and (
        c["range_flag"][gap] == lead_labels.EMPTY
    ).all()
    assert np.isnan(c["lead_probability"][gap]).all() and (c["surface_class"][gap] == UNKNOWN).all()
    assert "40 without an echo or a position" in record.message
    assert (c["lead_quality"][:200] & BITS["sequence_shorter_than_training"] == 0).all()


def test_no_network_of_echoes_is_refused(tmp_path, simulated):
    path, _ = simulated
    with pytest.raises((ProductError, UsageError)):
        leads.run([path], out=tmp_path, config=leads.Config(network="glavitu-narrow"))
