"""The command line as a user meets it: help without heavy imports, exit codes, one-line errors, JSON on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import polynya
from polynya import cli
from polynya.cli import root
from polynya.errors import OutputError, PolynyaError, ProductError, UsageError

# pydantic is not among them: typer itself may load it.
HEAVY = {
    "numpy",
    "numba",
    "scipy",
    "h5py",
    "pyarrow",
    "pandas",
    "xarray",
    "geopandas",
    "matplotlib",
    "rasterio",
    "torch",
    "pyspark",
    "onnxruntime",
    "shapely",
    "pyproj",
}


def polynya_command(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polynya.cli", *map(str, words)], capture_output=True, text=True, cwd=cwd, check=False
    )


def run_main(monkeypatch, capsys, *words: object) -> tuple[int, str, str]:
    """Run main() in this process: quicker than a subprocess, and the same code."""
    monkeypatch.setattr(sys, "argv", ["polynya", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("freeboard",),
        ("simulate", "atl03"),
        ("simulate", "pair"),
        ("label",),
        ("review",),
        ("segment",),
        ("train",),
        ("verify",),
        ("evaluate",),
        ("grid",),
        ("info",),
    ],
)
def test_help_imports_nothing_heavy(command):
    program = (
        "import sys\nfrom polynya import cli\n"
        f"sys.argv = ['polynya', *{list(command)!r}, '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as stop:\n    code = stop.code or 0\n"
        "print('\\nLOADED', code, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    words = done.stdout.split("LOADED")[-1].split()
    assert words[0] == "0", done.stderr
    assert sorted({m.split(".")[0] for m in words[1:]} & HEAVY) == []
    assert "Usage" in done.stdout and done.stderr == ""


def test_help_lists_every_command(monkeypatch, capsys):
    code, out, _ = run_main(monkeypatch, capsys, "--help")
    assert code == 0
    for word in ("freeboard", "simulate", "evaluate", "verify", "info"):
        assert word in out


def test_freeboard_help_names_every_option(monkeypatch, capsys):
    code, out, _ = run_main(monkeypatch, capsys, "freeboard", "-h")
    assert code == 0
    for option in (
        "--beams",
        "--bbox",
        "--sea-surface",
        "--mss",
        "--workers",
        "--overwrite",
        "--json",
        "--resolution",
        "--netcdf",
        "--no-dac",
        "--land",
        "--ice-concentration",
        "--out",
    ):
        assert option in out, option


def test_version(monkeypatch, capsys):
    assert run_main(monkeypatch, capsys, "--version") == (0, f"polynya {polynya.__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("freeboard",),
        ("freeboard", "a.h5"),
        ("freeboard", "a.h5", "-o", "x", "--nonsense"),
        ("freeboard", "a.h5", "-o", "x", "--workers", "-1"),
        ("info",),
    ],
)
def test_usage_errors_exit_2(monkeypatch, capsys, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_main(monkeypatch, capsys, *words)
    assert code == 2 and out == "" and "Traceback" not in err and err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProductError("a.h5: is\nbroken. Mend it."), 1),
        (OutputError("out: full. Free space."), 1),
        (UsageError("--x 1: no. Try 2."), 2),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (PermissionError(13, "Permission denied", "out"), 1),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_every_error_is_one_line(monkeypatch, capsys, error, code):
    def fail():
        raise error

    monkeypatch.delenv("POLYNYA_DEBUG", raising=False)
    monkeypatch.setattr(cli.root, "app", fail)
    got, out, err = run_main(monkeypatch, capsys)
    assert got == code and out == ""
    assert err.startswith("polynya: ") and err.count("\n") == 1 and err.endswith("\n")


class FailsAtItsEnd:
    def __del__(self):
        raise AttributeError("half open")


@pytest.mark.parametrize("debug", ["", "1"])
def test_what_a_library_cannot_raise_is_no_traceback_beside_the_line(monkeypatch, capsys, debug):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # main sets it: back afterwards
    monkeypatch.setenv("POLYNYA_DEBUG", debug)

    def fail():
        FailsAtItsEnd()
        raise ProductError("a.nc: is damaged")

    monkeypatch.setattr(root, "app", fail)
    with pytest.raises(SystemExit):
        root.main()
    said = capsys.readouterr().err
    assert said.splitlines()[-1] == "polynya: a.nc: is damaged"
    assert ("half open" in said) == bool(debug) == (len(said.splitlines()) > 1)


def test_debug_shows_where(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setenv("POLYNYA_DEBUG", "1")
    monkeypatch.setattr(cli.root, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_freeboard_from_the_shell(small_granule, tmp_path):
    """Once as a real process: exit 0, JSON alone on stdout, and what it names is there."""
    done = polynya_command("freeboard", small_granule, "-o", "out", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["exit_code"] == 0 and len(said["granules"]) == 1
    record = said["granules"][0]
    assert record["status"] == "done" and set(record["outputs"]) == {
        "segments",
        "leads",
        "sea_surface",
        "report",
        "run",
    }
    for path in record["outputs"].values():
        assert (tmp_path / path).stat().st_size > 0
    run = json.loads((tmp_path / record["outputs"]["run"]).read_text())
    assert run["polynya"] == polynya.__version__ and run["command"][1:] == [
        "freeboard",
        str(small_granule),
        "-o",
        "out",
        "--json",
    ]
    assert (
        run["inputs"][0]["granule"] == small_granule.stem
        and run["config"]["beams"] == "all"
        and run["versions"]["numpy"]
    )
    assert os.sep not in run["command"][0]


def test_what_is_printed_is_what_was_written(monkeypatch, capsys, small_granule, tmp_path):
    out = tmp_path / "out"
    code, said, _ = run_main(monkeypatch, capsys, "freeboard", small_granule, "-o", out, "--netcdf")
    assert code == 0 and small_granule.name in said
    for name in ("segments.parquet", "leads.parquet", "sea_surface.parquet", "report.html", "run.json"):
        assert str(out / small_granule.stem / name) in said
        assert (out / small_granule.stem / name).exists()
    assert (out / small_granule.stem / "segments_gt1r.nc").exists()


def test_json_of_a_failure(monkeypatch, capsys, tmp_path):
    bad = tmp_path / "a.h5"
    bad.write_text("text")
    code, out, err = run_main(monkeypatch, capsys, "freeboard", bad, "-o", tmp_path / "out", "--json")
    said = json.loads(out)
    assert code == said["exit_code"] == 1 and said["granules"][0]["status"] == "failed"
    assert "a.h5" in said["granules"][0]["message"] and "a.h5" in err and err.count("\n") == 1


def test_exit_codes_of_several(monkeypatch, capsys, small_granule, tmp_path):
    bad, worse = tmp_path / "a.h5", tmp_path / "b.h5"
    bad.write_text("text")
    worse.write_text("text")
    code, _, err = run_main(
        monkeypatch, capsys, "freeboard", small_granule, bad, "-o", tmp_path / "out", "--workers", 1
    )
    assert code == cli.FINISHED_WITH_FAILURES == 3 and err.count("\n") == 1
    code, said, err = run_main(monkeypatch, capsys, "freeboard", bad, worse, "-o", tmp_path / "none", "--workers", 1)
    assert code == 3 and err.count("\n") == 2 and "0 of 2 granules" in said


def test_info_in_words_and_json(monkeypatch, capsys, small_granule):
    code, out, err = run_main(monkeypatch, capsys, "info", small_granule)
    assert code == 0 and err == "" and out.startswith(f"{small_granule.name}: ATL03, release 006")
    code, out, _ = run_main(monkeypatch, capsys, "info", small_granule, "--json")
    assert code == 0 and json.loads(out)["product"] == "ATL03"


def test_simulate_writes_what_it_names(monkeypatch, capsys, tmp_path):
    code, out, _ = run_main(
        monkeypatch, capsys, "simulate", "atl03", tmp_path / "s.h5", "--length-km", 1, "--beams", "gt1l", "--seed", 4
    )
    assert code == 0
    assert [Path(p).name for p in out.split()] == ["s.h5", "s_truth.parquet"]
    assert all(Path(p).exists() for p in out.split())
    code, _, err = run_main(
        monkeypatch, capsys, "simulate", "atl03", tmp_path / "t.h5", "--season", "autumn", "--length-km", 1
    )
    assert code == 2 and err.count("\n") == 1 and "autumn" in err and not (tmp_path / "t.h5").exists()


def test_surfaces_are_asked_for_by_name(monkeypatch, capsys, tmp_path):
    import pyarrow.parquet as pq

    simulate = ("simulate", "atl03", tmp_path / "s.h5", "--length-km", 1, "--beams", "gt1l")
    words = ("--surface", "bright-patches:5", "--surface", "swell:.3:200,mss-bumps", "--ice", "closed")
    code, out, _ = run_main(monkeypatch, capsys, *simulate, *words)
    about = pq.read_schema(out.split()[1]).metadata
    asked, ice = json.loads(about[b"surfaces"]), json.loads(about[b"ice"])
    assert code == 0 and asked["swell"] == {"height": 0.3, "wavelength": 200.0, "decay_km": None}
    assert ice["bright_patches_per_km"] == 5.0 and ice["lead_share"] == 0.0
    code, _, err = run_main(monkeypatch, capsys, *simulate, "--overwrite", "--surface", "puddles")
    assert code == 2 and err.count("\n") == 1 and "there is no surface 'puddles'; expected specular-ponds" in err
    code, _, err = run_main(monkeypatch, capsys, *simulate, "--from-atl07", "x.h5", "--surface", "swell")
    assert code == 2 and "--surface and --ice belong to drawn ice" in err


def test_evaluate_against_the_simulations_truth(monkeypatch, capsys, small_granule, tmp_path):
    out = tmp_path / "out"
    assert run_main(monkeypatch, capsys, "freeboard", small_granule, "-o", out)[0] == 0
    truth = small_granule.with_name(small_granule.stem + "_truth.parquet")
    code, said, _ = run_main(monkeypatch, capsys, "evaluate", out / small_granule.stem, "--reference", truth, "--json")
    rows = json.loads(said)
    assert code == 0 and {"metric", "class", "region", "value", "low", "high", "n"} <= set(rows[0])


def test_a_pair_is_not_replaced_unasked(monkeypatch, capsys, tmp_path):
    folder = tmp_path / "pair"
    folder.mkdir()
    (folder / "pair.json").write_text("{}")
    code, _, err = run_main(monkeypatch, capsys, "simulate", "pair", folder, "--length-km", 1)
    assert code == 1 and "contains a pair; expected a new or empty folder. Pass --overwrite" in err
    assert [p.name for p in folder.iterdir()] == ["pair.json"]


def test_only_a_truth_table_is_truth(monkeypatch, capsys, small_granule, tmp_path):
    """Predictions have the same columns: taken as truth they would train a network on its own output."""
    assert (
        run_main(monkeypatch, capsys, "freeboard", small_granule, "-o", tmp_path / "out", "--classifier", "rule")[0]
        == 0
    )
    segments = tmp_path / "out" / small_granule.stem / "segments.parquet"
    code, _, err = run_main(
        monkeypatch, capsys, "label", small_granule, "--truth", segments, "-o", tmp_path / "labels.parquet"
    )
    assert code == 1 and "segments.parquet: holds the table segments; expected the truth of a simulated granule" in err
    assert not (tmp_path / "labels.parquet").exists()


@pytest.mark.parametrize("name", ["labels.csv", "folder.parquet", "file.txt/labels.parquet"])
def test_labels_go_to_a_parquet_file_or_nothing_is_worked(monkeypatch, capsys, small_granule, tmp_path, name):
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file.txt").write_text("")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    code, _, err = run_main(
        monkeypatch, capsys, "label", small_granule, "--truth", small_granule, "-o", tmp_path / name
    )
    assert code == 2 and err.count("\n") == 1 and "expected a f" in err
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("command", "old"), [(c, o) for c, names in root.RENAMED_OPTIONS.items() for o in names])
def test_an_option_of_an_earlier_release_names_the_new_one(command, old, monkeypatch, capsys):
    new = root.RENAMED_OPTIONS[command][old].split()[0]
    for words in ([old, "2"], [f"{old}=2"]):
        code, out, err = run_main(monkeypatch, capsys, command, "x", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"polynya: {old}: is an option of an earlier release; expected its new name {new}.")
    options = {o for p in typer.main.get_command(cli.app).commands[command].params for o in p.opts}
    assert new in options and old not in options


def test_what_follows_two_dashes_is_no_option(monkeypatch, capsys):
    _, _, err = run_main(monkeypatch, capsys, "train", "-o", "out", "--data", "x", "--", "--also")
    assert "earlier release" not in err


def test_simulations_offer_no_option_that_they_lack(tmp_path):
    """Their output is an argument: where it is taken, the line names --overwrite and another name, and no -o."""
    for name in ("tracks", "track.nc"):
        words = ["simulate", "altika", str(tmp_path / name), "--echoes", "40"]
        assert CliRunner().invoke(cli.app, words).exit_code == 0
        again = CliRunner().invoke(cli.app, words)
        line = str(again.exception)
        assert isinstance(again.exception, UsageError) and "--overwrite" in line and " -o" not in line, line
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    foreign = CliRunner().invoke(cli.app, ["simulate", "altika", str(tmp_path / "mine"), "--echoes", "40"])
    assert isinstance(foreign.exception, PolynyaError) and " -o" not in str(foreign.exception)
