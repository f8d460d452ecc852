"""``polynya leads`` as a command: several files, finished ones, options and files that are refused."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import PolynyaError, UsageError
from polynya.workflows import leads

from .results import run


def test_a_finished_file_is_skipped_and_settings_are_told_apart(tmp_path, simulated, network):
    path, _ = simulated
    done = run(path, tmp_path, network=str(network))
    assert done.status == "done"
    again = run(path, tmp_path, network=str(network))
    assert again.status == "skipped" and again.numbers["n_echoes"] == 800
    first, *notes = again.message.split("\n")
    assert first.startswith("done before") and "\n".join(notes) == done.message and len(notes) > 2
    text = leads.as_text([again])
    assert text.count("track: skipped") == 1 and all(f"\n  - {n}\n" in text for n in notes)
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
