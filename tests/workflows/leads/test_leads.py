"""From files of echoes to tables: which network or rule answers, why echoes are unknown, messages and refusals."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from typer.testing import CliRunner

from polynya import io, schema
from polynya.cli import app
from polynya.errors import PolynyaError, ProductError, UsageError
from polynya.physics import lead_rules, waveform_features
from polynya.physics.peakiness import CPOM
from polynya.readers import altika_sgdr, cryosat2_l2i, echo_files
from polynya.schema import lead_labels
from polynya.schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from polynya.schema.lead_labels import BITS, LEADS
from polynya.workflows import leads
from polynya.workflows.leads import halo, track
from tests.readers import echo_made
from tests.real_files import altimetry

from .echo_networks import around
from .echo_networks import track as write_track


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return around(tmp_path_factory.mktemp("n") / "near.onnx")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "track.nc"
    return path, write_track(path)


def run(path, out, **config):
    [record] = leads.run([path], out=out, config=leads.Config.checked(**config))
    return record


def table(out, name):
    return schema.check(io.read_table(out / name / "leads.parquet"), LEADS)


def columns(out, name):
    found = table(out, name)
    return {n: schema.to_numpy(found[n]) for n in LEADS.names if n not in ("time", "source")}


def run_json(out, name):
    return json.loads((out / name / "run.json").read_text())


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


def test_memory_holds_one_block_and_its_neighbours(tmp_path):
    path = tmp_path / "long.nc"
    write_track(path, seed=5, echoes=4000)
    sizes = [(len(p.echoes), p.first, p.own) for p in halo.padded(echo_files.blocks(path, records=1000), stride=60)]
    assert [s[1] for s in sizes] == [0, 1000, 2000, 3000] and all(n <= 1000 + 2 * halo.HALO + 60 for n, _, _ in sizes)
    assert all((first - own.start) % 60 == 0 for _, first, own in sizes)
    assert all(own.stop - own.start == 1000 for _, _, own in sizes)


def test_a_foreign_mission_is_asked_for_and_said(tmp_path, network):
    path = altimetry("CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc")
    plain = run(path, tmp_path / "a")
    assert "No network answers for CryoSat-2" in plain.message
    name = path.stem
    assert np.isnan(columns(tmp_path / "a", name)["lead_probability"]).all()
    record = run(path, tmp_path / "b", network=str(network))
    c = columns(tmp_path / "b", name)
    assert "has not learned (it has learned SARAL, lrm)" in record.message
    assert (c["lead_quality"] & BITS["mode_or_mission_not_in_training"] > 0).all()
    over_ice_sheet = echo_files.read(path).surface_type == 2
    assert (np.isfinite(c["lead_probability"]) == ~over_ice_sheet).all() and over_ice_sheet.sum() == 200


def test_cpom_takes_the_concentration_of_a_grid(tmp_path):
    """The rule beside is that of lead_rules on the same numbers; without a concentration ice stays unknown."""
    path = altimetry("CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc")
    grid = tmp_path / "ice.tif"
    profile = {"driver": "GTiff", "height": 40, "width": 40, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    echoes = echo_files.read(path)
    west, north = float(np.floor(echoes.longitude.min())) - 1, -60.0
    with rasterio.open(grid, "w", transform=rasterio.transform.from_origin(west, north, 0.5, 0.5), **profile) as file:
        file.write(np.full((1, 40, 40), 90.0, np.float32))
    run(path, tmp_path / "a", concentration=str(grid))
    f = waveform_features.features(echoes.waveform, scale=echoes.scale, fill=echoes.fill)
    expected = lead_rules.cpom(
        f.peakiness(CPOM),
        stack_std=echoes.stack_std,
        sea_ice_concentration=np.full(300, 0.9),
        rule=lead_rules.CPOM_SAR,
    ).classes
    c = columns(tmp_path / "a", path.stem)
    assert c["rule_class"].tolist() == expected.tolist() and (expected == SEA_ICE).sum() > 50
    over_sea = np.isin(echoes.surface_type, (0, 1))
    assert (c["surface_class"] == np.where(over_sea, expected, UNKNOWN)).all()
    assert (c["unknown_cause"][~over_sea] == lead_labels.NOT_SEA).all()
    np.testing.assert_allclose(c["peakiness"], f["peakiness_cpom"])
    run(path, tmp_path / "b")
    without = columns(tmp_path / "b", path.stem)
    assert (without["unknown_cause"][over_sea] == lead_labels.INPUT_MISSING).all()
    assert (without["rule_class"] != SEA_ICE).all()


def test_lrm_is_unknown_and_says_why(tmp_path):
    path = altimetry("CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc")
    record = run(path, tmp_path)
    c = columns(tmp_path, path.stem)
    assert (c["surface_class"] == UNKNOWN).all() and c["echo"].size == 2597
    assert set(c["unknown_cause"].tolist()) == {lead_labels.NO_NETWORK_OR_RULE, lead_labels.NOT_SEA}
    assert "for whose mission and mode there is no network and no rule" in record.message
    assert "melt season" not in record.message  # December, north


def test_l2i_has_the_product_class_and_summer_and_ocean_are_said(tmp_path):
    path = altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc")
    record = run(path, tmp_path)
    echoes, c = cryosat2_l2i.read(path), columns(tmp_path, path.stem)
    over_sea = ~np.isin(echoes.surface_type, (2, 3))
    assert (c["product_class"] == echoes.surface_class).all()
    assert (c["surface_class"] == np.where(over_sea, echoes.surface_class, UNKNOWN)).all()
    ocean = over_sea & (echoes.sea_ice_concentration < 0.15)
    assert ((c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"]) > 0).tolist() == ocean.tolist()
    assert "open ocean" in record.message and ocean.any()
    with pytest.raises(UsageError, match="has no echoes that a network could take"):
        leads.process(
            leads.Item(path=str(path), folder=str(tmp_path / "x")),
            config=leads.Config(network=str(around(tmp_path / "n.onnx"))),
        )
    assert not (tmp_path / "x").exists()


def test_summer_is_said_in_terminal_page_and_record(tmp_path):
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        seconds = (np.datetime64("2016-07-05") - np.datetime64("2000-01-01")) / np.timedelta64(1, "s")
        file["data_40/time"][...] = file["data_40/time"][...] - file["data_40/time"][0, 0] + seconds
    record = run(path, tmp_path / "out", lead_db=40.0)
    assert "All of the echoes lie in the melt season" in record.message
    assert "melt season" in (tmp_path / "out" / "a" / "report.html").read_text()
    said = run_json(tmp_path / "out", "a")
    assert any("melt season" in m for m in said["messages"])
    assert (columns(tmp_path / "out", "a")["lead_quality"] & BITS["melt_season"] > 0).all()


def test_maximum_power_has_the_users_limits(tmp_path, simulated):
    path, _ = simulated
    record = run(path, tmp_path / "a", network="rule", lead_db=38.0, ice_db=30.0)
    c = columns(tmp_path / "a", "track")
    power = c["maximum_power_db"]
    expected = np.where(power >= 38.0, LEAD, np.where(power < 30.0, SEA_ICE, UNKNOWN))
    assert c["surface_class"].tolist() == expected.tolist()
    echoes = altika_sgdr.read(path)
    np.testing.assert_allclose(power, 10 * np.log10(echoes.waveform.max(axis=1)) + echoes.agc, rtol=1e-6)
    assert (c["unknown_cause"][expected == UNKNOWN] == lead_labels.RULE_UNDECIDED).all()
    assert (c["range_flag"] == lead_labels.RANGE_NOT_CHECKED).all() and "without distances" in record.message
    none = run(path, tmp_path / "b", network="rule")
    assert (columns(tmp_path / "b", "track")["surface_class"] == UNKNOWN).all()
    assert "no published threshold" in none.message


def test_open_ocean_of_a_grid_is_ocean(tmp_path, simulated, network):
    path, _ = simulated
    grid = tmp_path / "ice.tif"
    profile = {"driver": "GTiff", "height": 180, "width": 360, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(grid, "w", transform=rasterio.transform.from_origin(-180, 90, 1, 1), **profile) as file:
        file.write(np.full((1, 180, 360), 0.05, np.float32))
    record = run(path, tmp_path / "o", network=str(network), concentration=str(grid))
    c = columns(tmp_path / "o", "track")
    assert (c["surface_class"] == OCEAN).all() and (c["unknown_cause"] == 0).all()
    assert "that of ice.tif for all echoes; whether it is of their day is not checked" in record.message
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    assert "All of the echoes lie over open ocean" in record.message


def test_the_table_is_geoparquet_with_boxes(tmp_path, simulated, network):
    geopandas = pytest.importorskip("geopandas")
    path, _ = simulated
    run(path, tmp_path, network=str(network))
    frame = geopandas.read_parquet(tmp_path / "track" / "leads.parquet")
    assert frame.crs.is_geographic and len(frame) == 800
    box = frame.total_bounds
    part = geopandas.read_parquet(tmp_path / "track" / "leads.parquet", bbox=(box[0], box[1], box[2], box[1] + 0.1))
    assert 0 < len(part) <= 800


def test_a_finished_file_is_skipped_and_settings_are_told_apart(tmp_path, simulated, network):
    path, _ = simulated
    assert run(path, tmp_path, network=str(network)).status == "done"
    again = run(path, tmp_path, network=str(network))
    assert again.status == "skipped" and again.numbers["n_echoes"] == 800
    other = run(path, tmp_path, network=str(network), lead_probability=0.9)
    assert other.status == "failed" and "--overwrite" in other.message
    [record] = leads.run(
        [path], out=tmp_path, overwrite=True, config=leads.Config(network=str(network), lead_probability=0.9)
    )
    assert record.status == "done"


def test_several_files_one_damaged(tmp_path, simulated):
    path, _ = simulated
    bad = tmp_path / "bad.nc"
    bad.write_bytes(path.read_bytes()[:5000])
    result = CliRunner().invoke(app, ["leads", str(path), str(bad), "-o", str(tmp_path / "out"), "--lead-db", "38"])
    assert result.exit_code == 3
    assert result.stderr.strip().startswith("polynya: bad.nc") and len(result.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "index.html",
        "index.run.json",
        "runs.parquet",
        "track",
    ]
    rows = {r["name"]: r for r in io.read_table(tmp_path / "out" / "runs.parquet").to_pylist()}
    assert (
        rows["track"]["is_simulated"] and len(rows["track"]["track_latitude"]) > 10 and rows["bad"]["state"] != "done"
    )
    answer = CliRunner().invoke(app, ["leads", str(path), "-o", str(tmp_path / "out"), "--lead-db", "38", "--json"])
    found = json.loads(answer.stdout)
    assert answer.exit_code == 0 and found["files"][0]["status"] == "skipped"


def test_a_folder_a_pattern_and_a_list_name_files(tmp_path, simulated):
    path, _ = simulated
    inside = tmp_path / "in"
    inside.mkdir()
    for name in ("a.nc", "b.nc", "a_truth.nc"):
        shutil.copy(path, inside / name)
    (inside / "a.tif").write_bytes(b"")
    (tmp_path / "list.txt").write_text("in/a.nc\nin/b.nc\n")
    for k, word in enumerate(("in", "in/?.nc", "list.txt")):
        out = tmp_path / f"out{k}"
        result = CliRunner().invoke(app, ["leads", str(tmp_path / word), "-o", str(out), "--lead-db", "38"])
        assert result.exit_code == 0, result.stderr
        assert sorted(p.parent.name for p in out.glob("*/leads.parquet")) == ["a", "b"]
    (tmp_path / "none").mkdir()
    assert "is a folder without a file *.nc" in refused(tmp_path / "out", tmp_path / "none")[1]


def test_nothing_is_printed_where_all_files_failed(tmp_path):
    result = CliRunner().invoke(app, ["leads", str(tmp_path / "no.nc"), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1 and not result.stdout and len(result.stderr.splitlines()) == 1


def refused(out, *words):
    """Run the command; assert exit 1 or 2, one line, nothing left; return code and line."""
    result = CliRunner().invoke(app, ["leads", *[str(w) for w in words], "-o", str(out)])
    error = result.stderr
    code = result.exit_code
    if isinstance(result.exception, PolynyaError):
        code, error = result.exception.exit_code, f"polynya: {result.exception}\n"
    lines = error.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("polynya: ") and lines[0].rstrip().endswith("."), (error, result)
    assert "unexpected error" not in error and "failed on it" not in error
    assert not out.is_dir() or not list(out.iterdir())
    return code, lines[0]


def damaged(path, tmp_path, change):
    bad = tmp_path / "bad.nc"
    shutil.copy(path, bad)
    with h5py.File(bad, "a") as file:
        change(file)
    return bad


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95])
def test_cut_files(tmp_path, simulated, share):
    path, _ = simulated
    data = path.read_bytes()
    bad = tmp_path / "bad.nc"
    bad.write_bytes(data[: int(len(data) * share)])
    code, line = refused(tmp_path / "out", bad)
    assert code == 1 and "bad.nc" in line


def no_power(file):
    file["waveforms_40hz"][...] = 0


def nan_places(file):
    file["lat_40hz"][...] = np.nan if file["lat_40hz"].dtype.kind == "f" else -(2**31)


def no_waveforms(file):
    del file["waveforms_40hz"]


def no_time(file):
    del file["time_40hz"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_power, "sample above zero"),
        (nan_places, "expected a position and a time"),
        (no_waveforms, "waveforms_40hz is missing"),
        (no_time, "time_40hz is missing"),
    ],
)
def test_damaged_files(tmp_path, simulated, change, words):
    path, _ = simulated
    code, line = refused(tmp_path / "out", damaged(path, tmp_path, change))
    assert code == 1 and words in line and "bad.nc" in line


def test_other_products_missing_files_and_networks(tmp_path, simulated):
    path, _ = simulated
    other = tmp_path / "other.nc"
    with h5py.File(other, "w") as file:
        file["height"] = np.zeros(3)
    assert refused(tmp_path / "out", other)[0] == 1
    assert "holds height" in refused(tmp_path / "out", other)[1]
    assert refused(tmp_path / "out", tmp_path / "none.nc")[0] == 1
    code, line = refused(tmp_path / "out", path, "--network", tmp_path / "none.onnx")
    assert code == 1 and "no such file" in line
    (tmp_path / "text.onnx").write_text("no network")
    assert refused(tmp_path / "out", path, "--network", tmp_path / "text.onnx")[0] == 1
    code, line = refused(tmp_path / "out", path, "--network", "nothing-of-this-name")
    assert code == 2 and "nothing-of-this-name" in line
    assert refused(tmp_path / "out", path, "--concentration", tmp_path / "none.tif")[0] == 1
    code, line = refused(tmp_path / "out", path, "--network", "track-unet")
    assert code in (1, 2) and "track-unet" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "cpom"), "--rule cpom: does not fit"),
        (("--rule", "maximum-power"), "needs --lead-db"),
        (("--rule", "magic"), "--rule magic"),
        (("--ice-db", "30"), "goes with a --lead-db"),
        (("--lead-db", "30", "--ice-db", "40"), "goes with a --lead-db"),
        (("--lead-probability", "0.1"), "expected the first below the second"),
        (("--lead-probability", "1.5"), "--lead-probability 1.5"),
    ],
)
def test_options_that_do_not_fit(tmp_path, simulated, words, said):
    path, _ = simulated
    code, line = refused(tmp_path / "out", path, *words)
    assert code == 2 and said in line


def test_one_name_twice_and_a_foreign_folder(tmp_path, simulated):
    path, _ = simulated
    with pytest.raises(UsageError, match="given more than once"):
        leads.run([path, path], out=tmp_path / "out")
    foreign = tmp_path / "out" / "track"
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("mine")
    record = run(path, tmp_path / "out", lead_db=38.0)
    assert record.status == "failed" and "is no finished result" in record.message
    [again] = leads.run([path], out=tmp_path / "out", overwrite=True)
    assert again.status == "failed" and (foreign / "thesis.txt").read_text() == "mine"
    assert [p.name for p in foreign.iterdir()] == ["thesis.txt"]


def test_sentinel_classes_and_low_latitudes(tmp_path):
    path = altimetry("s3a_sral_coastal_echoes_2019.nc")
    record = run(path, tmp_path)
    c = columns(tmp_path, path.stem)
    assert (c["surface_class"] == UNKNOWN).all() and (c["unknown_cause"] == lead_labels.NO_NETWORK_OR_RULE).all()
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    assert not (c["lead_quality"] & BITS["melt_season"]).any() and "open ocean" in record.message


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


def test_without_gain_control_there_is_no_power_and_it_is_said(tmp_path, simulated, network):
    """Counts alone say nothing of power: the loop keeps them near its target, over leads too."""
    path = tmp_path / "no_agc.nc"
    shutil.copy(simulated[0], path)
    with h5py.File(path, "a") as file:
        del file["agc_40hz"]
    record = run(path, tmp_path / "a", network="rule", lead_db=38.0)
    c = columns(tmp_path / "a", "no_agc")
    assert np.isnan(c["maximum_power_db"]).all() and (c["surface_class"] == UNKNOWN).all()
    assert (c["unknown_cause"] == lead_labels.INPUT_MISSING).all() and "800 that lack an input" in record.message
    told = run(path, tmp_path / "b", network=str(network))
    assert "All of the echoes have no gain control (agc)" in told.message
    assert "gain control" not in run(simulated[0], tmp_path / "c", network=str(network)).message


def changed(source, path, **values):
    """Copy a track with some of its variables filled with one value, or with what a function makes of them."""
    shutil.copy(source, path)
    with h5py.File(path, "a") as file:
        for name, value in values.items():
            file[name][...] = value(file[name][...]) if callable(value) else value
    return path


def test_land_has_no_lead_beside_nadir_and_no_probability(tmp_path, simulated, network):
    path = changed(simulated[0], tmp_path / "land.nc", surface_type=lambda v: np.where(np.arange(v.size) < 10, 3, 0))
    run(path, tmp_path / "out", network=str(network))
    c, land = columns(tmp_path / "out", "land"), np.arange(800) < 400
    assert (c["unknown_cause"][land] == lead_labels.NOT_SEA).all() and (c["surface_class"][land] == UNKNOWN).all()
    for name in ("lead_probability", "lead_distance", "lead_distance_low", "lead_distance_high", "range_delay"):
        assert (np.isnan(c[name]) == land).all(), name
    assert (c["range_flag"][land] == lead_labels.RANGE_NOT_CHECKED).all()
    assert (c["range_flag"][~land] == lead_labels.OFF_NADIR).any()


def test_a_file_of_land_alone_ends_well(tmp_path, simulated, network):
    record = run(changed(simulated[0], tmp_path / "land.nc", surface_type=3), tmp_path, network=str(network))
    assert record.status == "done" and "All of the echoes are unknown: 800 over land" in record.message
    assert record.numbers["n_off_nadir"] == 0 and np.isnan(record.numbers["lead_fraction"])
    assert "no echo of sea" in record.message and "bends its range" not in record.message


def test_latitudes_without_ice_have_neither_leads_nor_ice(tmp_path, simulated, network):
    """A pass of AltiKa runs from pole to pole: calm water of the tropics is no lead."""
    path = changed(simulated[0], tmp_path / "low.nc", lat_40hz=lambda v: v - 70.0)
    record = run(path, tmp_path / "a", network=str(network))
    c = columns(tmp_path / "a", "low")
    assert (c["surface_class"] == OCEAN).all() and record.numbers["n_off_nadir"] == 0
    assert (c["lead_quality"] & BITS["open_ocean_or_low_ice_concentration"] > 0).all()
    run(path, tmp_path / "b", network="rule", lead_db=38.0)
    c = columns(tmp_path / "b", "low")
    assert (c["surface_class"] == OCEAN).all() and set(c["rule_class"].tolist()) == {LEAD, SEA_ICE}
