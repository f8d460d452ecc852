"""Bad input, bad output, killed runs: one line that says what to do, the right exit code, nothing left behind."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import PolynyaError
from polynya.workflows import freeboard

BEAMS = ("gt1l", "gt1r")


def command(*words: object) -> tuple[int, str, str]:
    """Run the command line as a user does, in this process; return exit code, stdout, stderr."""
    from polynya import errors

    runner = CliRunner()
    result = runner.invoke(app, [str(w) for w in words])
    error = result.stderr
    if isinstance(result.exception, PolynyaError):  # what main() does with it
        return result.exception.exit_code, result.stdout, error + f"polynya: {errors.one_line(result.exception)}\n"
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, error


def refused(out: Path, code: int, *words: object) -> str:
    """Run ``freeboard``; assert exit code, one line on stderr, and that nothing is left; return the line."""
    got, _, error = command("freeboard", *words, "-o", out)
    lines = error.strip().splitlines()
    assert got == code, error
    assert len(lines) == 1 and lines[0].startswith("polynya: "), error
    assert "Traceback" not in error and "unexpected error" not in error and "polynya failed on it" not in error
    assert not out.is_dir() or not list(out.iterdir())
    assert lines[0].rstrip().endswith(".")  # a sentence that says what to do comes last
    return lines[0]


@pytest.fixture
def granule(small_granule, tmp_path) -> Path:
    """A copy of the small granule, to damage."""
    return Path(shutil.copy(small_granule, tmp_path / small_granule.name))


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.9, 0.999])
def test_truncated_file(granule, out, share):
    size = granule.stat().st_size
    os.truncate(granule, int(size * share))
    line = refused(out, 1, granule)
    assert granule.name in line and re.search("download it again|fetch it again|Download the file again", line)


def test_text_renamed(tmp_path, out):
    page = tmp_path / "ATL03_20200115091200_02800603_006_02.h5"
    page.write_text("<html>Please log in</html>\n")
    line = refused(out, 1, page)
    assert f"{page.name}: the file is text" in line and "expected an HDF5 granule" in line and "fetch it again" in line


def test_no_such_file_and_folder(tmp_path, out):
    assert "no such file" in refused(out, 1, tmp_path / "nothing.h5")
    assert "is a folder" in refused(out, 1, tmp_path)


def test_hdf5_of_something_else(tmp_path, out):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as f:
        f["weights"] = np.zeros(3)
    line = refused(out, 1, path)
    assert "model.h5: is HDF5, but not an ICESat-2 product" in line and "expected ATL03" in line


@pytest.mark.real
def test_wrong_product(out):
    from tests.real_files import real

    line = refused(out, 1, real("processed_ATL07-01_20190222003738_08490201_003_02.h5"))
    assert "holds ATL07; expected ATL03" in line and "Give an ATL03 granule" in line


@pytest.mark.parametrize(
    ("beams", "message"),
    [
        ("gt9x", "no such beam gt9x"),
        ("gt2r", "has no beam gt2r; found gt1l, gt1r"),
        ("", "no such beam"),
        ("gt1l,,nonsense", "no such beam nonsense"),
    ],
)
def test_no_such_beam(granule, out, beams, message):
    line = refused(out, 2, granule, "--beams", beams)
    assert message in line and "--beams" in line


def test_transition_orientation(granule, out):
    with h5py.File(granule, "r+") as f:
        f["orbit_info/sc_orient"][...] = 2
    line = refused(out, 1, granule)
    assert granule.name in line and "transition" in line and "leave this granule out" in line


def test_land_granule(granule, out):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            confidence = f[f"{beam}/heights/signal_conf_ph"][()]
            confidence[:, 0], confidence[:, 2] = confidence[:, 2], -1
            f[f"{beam}/heights/signal_conf_ph"][...] = confidence
            kind = f[f"{beam}/geolocation/surf_type"][()]
            kind[:] = (1, 0, 0, 0, 0)
            f[f"{beam}/geolocation/surf_type"][...] = kind
    line = refused(out, 1, granule)
    assert granule.name in line and "no beam holds sea ice" in line and "Choose another granule" in line


def test_one_beam_over_land_does_not_stop_the_other(granule, out):
    with h5py.File(granule, "r+") as f:
        confidence = f["gt1l/heights/signal_conf_ph"][()]
        confidence[:, 2] = -1
        f["gt1l/heights/signal_conf_ph"][...] = confidence
    code, said, _ = command("freeboard", granule, "-o", out)
    assert code == 0 and "gt1l has no photon that ATL03 considered for sea ice" in said
    assert set(io.read_table(out / granule.stem / "segments.parquet")["beam"].to_pylist()) == {"gt1r"}


def test_all_noise_beams(granule, out):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            confidence = f[f"{beam}/heights/signal_conf_ph"][()]
            confidence[:, 2] = 0
            f[f"{beam}/heights/signal_conf_ph"][...] = confidence
    line = refused(out, 1, granule)
    assert "none of medium or high sea-ice confidence" in line and granule.name in line


def test_beams_without_photons(granule, out):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            del f[f"{beam}/heights"]
    line = refused(out, 1, granule)
    assert "no photons" in line and granule.name in line


def test_bbox_outside_and_malformed(granule, out):
    line = refused(out, 1, granule, "--bbox", 10, -70, 20, -60)
    assert "no photon lies inside --bbox 10 -70 20 -60" in line and "polynya info" in line
    assert "--bbox" in refused(out, 2, granule, "--bbox", 10, 60, 20, -60)


def test_options_that_do_not_exist(granule, out, tmp_path):
    assert "--sea-surface guess" in refused(out, 2, granule, "--sea-surface", "guess")
    assert "--resolution 3" in refused(out, 2, granule, "--resolution", "3")
    missing = tmp_path / "mss.tif"
    assert "no such file; expected a GeoTIFF or NetCDF grid" in refused(out, 2, granule, "--mss", missing)
    text = tmp_path / "text.tif"
    text.write_text("no grid")
    line = refused(out, 1, granule, "--mss", text)
    assert "text.tif: cannot be read as a raster" in line and "Check the file" in line


def test_same_name_twice(granule, out, tmp_path):
    (tmp_path / "other").mkdir()
    twin = shutil.copy(granule, tmp_path / "other" / granule.name)
    line = refused(out, 2, granule, twin)
    assert granule.stem in line and "Name it once" in line


def test_output_where_a_file_is(granule, tmp_path):
    wall = tmp_path / "wall"
    wall.write_text("a file")
    for place in (wall, wall / "below"):
        line = refused(place, 1, granule)
        assert "cannot be written" in line and "Choose another name" in line
    assert wall.read_text() == "a file"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_output_where_nothing_can_be_made(granule):
    assert "cannot be written" in refused(Path("/proc/polynya"), 1, granule)


def test_granule_folder_is_a_file(granule, out):
    out.mkdir()
    (out / granule.stem).write_text("in the way")
    code, _, error = command("freeboard", granule, "-o", out)
    assert code == 1 and "is a file; expected a folder" in error and len(error.strip().splitlines()) == 1
    assert [p.name for p in out.iterdir()] == [granule.stem] and (out / granule.stem).read_text() == "in the way"


@pytest.mark.parametrize("after", range(4))
def test_writes_that_fail(granule, out, monkeypatch, after):
    """The disk fills after so many tables: no folder, no part of one."""
    real_write, calls = io.TableWriter.write, []

    def write(self, table):
        calls.append(1)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(self, table)

    monkeypatch.setattr(io.TableWriter, "write", write)
    line = refused(out, 1, granule)
    assert granule.stem in line and "No space left on device" in line and "free space" in line


def test_report_that_cannot_be_written_leaves_nothing(granule, out, monkeypatch):
    def write(folder, **parts):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("polynya.report.freeboard.write", write)
    assert "Input/output error" in refused(out, 1, granule)


@pytest.mark.parametrize("kilobytes", [1, 40, 150])
def test_a_file_size_limit(granule, out, kilobytes):
    """The kernel refuses to let files grow: what a full quota does."""
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes * 1024},) * 2); "
        "from polynya.cli import main; sys.argv = ['polynya', *sys.argv[1:]]; main()"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, "freeboard", str(granule), "-o", str(out)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "cannot be written" in done.stderr and "-o" in done.stderr
    assert not out.exists() or not list(out.iterdir())


def test_finished_granules_are_skipped_and_other_settings_refused(granule, out):
    assert command("freeboard", granule, "-o", out, "--beams", "gt1r")[0] == 0
    folder = out / granule.stem
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()}
    code, said, _ = command("freeboard", granule, "-o", out, "--beams", "gt1r")
    assert code == 0 and "done before" in said
    code, _, error = command("freeboard", granule, "-o", out, "--beams", "gt1l")
    assert (
        code == 1 and "holds a result of other settings" in error and "--overwrite" in error and granule.stem in error
    )
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.iterdir()} == before
    code, _, _ = command("freeboard", granule, "-o", out, "--beams", "gt1l", "--overwrite")
    assert code == 0 and set(io.read_table(folder / "segments.parquet")["beam"].to_pylist()) == {"gt1l"}
    assert [p.name for p in out.iterdir()] == [granule.stem]


def test_a_failed_overwrite_keeps_the_old_result(granule, out, monkeypatch):
    assert command("freeboard", granule, "-o", out)[0] == 0
    folder = out / granule.stem
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    os.truncate(granule, granule.stat().st_size // 2)
    code, _, error = command("freeboard", granule, "-o", out, "--overwrite")
    assert code == 1 and len(error.strip().splitlines()) == 1
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before and len(list(out.iterdir())) == 1


def test_a_folder_that_is_no_result_is_never_replaced(granule, out):
    """Only a whole run.json that lists its files says that a folder is ours; nobody else's work is deleted."""
    folder = out / granule.stem
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{half")
    (folder / "thesis.tex").write_text("years of work")
    for more in ((), ("--overwrite",)):
        code, _, error = command("freeboard", granule, "-o", out, *more)
        assert code == 1 and "no" in error and str(folder) in error and len(error.strip().splitlines()) == 1
    assert sorted(p.name for p in folder.iterdir()) == ["run.json", "thesis.tex"]
    assert [p.name for p in out.iterdir()] == [granule.stem]


@pytest.mark.parametrize("name", ["..h5", "...h5"])
def test_a_granule_whose_name_is_no_folder_wipes_nothing(granule, out, name):
    strange = granule.rename(granule.with_name(name))
    out.mkdir(parents=True, exist_ok=True)
    (out / "thesis.tex").write_text("years of work")
    before = sorted(out.parent.rglob("*"))
    for more in ((), ("--overwrite",)):
        code, _, error = command("freeboard", strange, "-o", out, *more)
        assert code == 2 and "expected one that can name a folder" in error and len(error.strip().splitlines()) == 1
    assert sorted(out.parent.rglob("*")) == before and (out / "thesis.tex").read_text() == "years of work"


def test_some_of_several_fail(granule, out, tmp_path):
    broken = tmp_path / "ATL03_20200115091200_02800604_006_01.h5"
    broken.write_bytes(granule.read_bytes()[:5000])
    code, said, error = command("freeboard", granule, broken, "-o", out, "--workers", 1)
    assert code == 3 and broken.name in error and "1 of 2 granules" in said
    page = ["index.html", "index.run.json", "runs.parquet"]  # of the batch
    assert sorted(p.name for p in out.iterdir()) == sorted([granule.stem, *page])


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with interrupts ignored
from pathlib import Path
from polynya.report import freeboard as report
from polynya.workflows import freeboard
def wait(folder, **parts):
    Path(sys.argv[3]).write_text("here")
    time.sleep(60)
report.write = wait
freeboard.run([sys.argv[1]], out=sys.argv[2], workers=1)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle(granule, out, tmp_path, sign):
    """All tables are written, the report is not: then the run is killed."""
    mark = tmp_path / "mark"
    child = subprocess.Popen([sys.executable, "-c", SLOW, str(granule), str(out), str(mark)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        assert mark.exists()
        child.send_signal(sign)
        child.wait(30)
    finally:
        child.kill()
        child.wait()
    assert not (out / granule.stem).exists()
    left = sorted(out.iterdir()) if out.exists() else []
    assert all(p.name.startswith(f".{granule.stem}.") for p in left)
    assert [p.suffix for p in left] == ([".claim", ".part"] if sign == signal.SIGKILL else [])
    record = freeboard.run([granule], out=out, workers=1)[0]
    assert record.status == "done"
    assert [p.name for p in out.iterdir()] == [granule.stem]
    assert sorted(p.name for p in (out / granule.stem).iterdir()) == [
        "leads.parquet",
        "report.html",
        "run.json",
        "sea_surface.parquet",
        "segments.parquet",
    ]


def test_info_verify_and_evaluate_refuse_in_one_line(granule, tmp_path):
    text = tmp_path / "a.h5"
    text.write_text("hello")
    for words in (("info", text), ("verify", text), ("verify", granule), ("evaluate", tmp_path, "--reference", text)):
        code, said, error = command(*words)
        assert code == 1 and said == "" and len(error.strip().splitlines()) == 1, (words, error)
        assert error.rstrip().endswith(".")
