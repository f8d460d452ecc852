"""Names that appear when they are whole; two computers on one folder; what may be replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polynya import io
from polynya.errors import OutputError, UsageError
from polynya.io import atomic, parts

OURS = {"polynya": "1.0", "command": ["polynya"]}


def dead_pid() -> int:
    """Return the number of a process that has ended."""
    return int(
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
        ).stdout
    )


def test_writing_renames_at_the_end(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with io.writing(target) as temporary:
        assert temporary.parent == target.parent and temporary.name.startswith(".")
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new" and [p.name for p in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_writing_leaves_the_old_file_when_it_fails(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    expected = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught, io.writing(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    if expected is OutputError:
        assert (
            str(caught.value).startswith("a.txt: cannot be written in ")
            and "No space left" in str(caught.value)
            and "\n" not in str(caught.value)
        )


def test_writing_folder_replaces_as_a_whole(tmp_path):
    folder = tmp_path / "deep" / "granule"
    for text in ("one", "two"):
        with io.writing_folder(folder, overwrite=text == "two") as temporary:
            (temporary / text).write_text(text)
            (temporary / "run.json").write_text(json.dumps(OURS))
            assert temporary != folder
        assert sorted(p.name for p in folder.iterdir()) == sorted([text, "run.json"])
        held = json.loads((folder / "run.json").read_text())
        assert list(held.pop("written")) == [text] and held == {**OURS, "contents": sorted([text, "run.json"])}
        assert [p.name for p in folder.parent.iterdir()] == ["granule"]
    (tmp_path / "plain").mkdir()
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_writing_folder_keeps_the_old_one_when_it_fails(tmp_path, error):
    folder = tmp_path / "granule"
    with io.writing_folder(folder) as temporary:
        (temporary / "a").write_text("old")
        (temporary / "run.json").write_text(json.dumps(OURS))
    with (
        pytest.raises(OutputError if isinstance(error, OSError) else type(error)),
        io.writing_folder(folder, overwrite=True) as temporary,
    ):
        (temporary / "a").write_text("half")
        raise error
    assert (folder / "a").read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["granule"]


def part(folder: Path, *, host: str | None = None, process: int) -> Path:
    return folder / f".granule.{host or atomic.host()}.{process}.0123abcd.part"


def test_parts_of_dead_runs_on_this_computer_go_and_no_others(tmp_path):
    dead = part(tmp_path, process=dead_pid())
    alive = part(tmp_path, process=os.getpid())
    elsewhere = part(tmp_path, host="node7-abcdef", process=dead_pid())
    longer = tmp_path / dead.name.replace(".granule.", ".granule.2.")
    kept = [alive, elsewhere, longer]
    for folder in (dead, *kept):
        folder.mkdir()
        (folder / "x").write_text("half")
    with io.writing_folder(tmp_path / "granule") as temporary:
        assert temporary.name.startswith(f".granule.{atomic.host()}.{os.getpid()}.")
        (temporary / "a").write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["granule", *(p.name for p in kept)])


KILLED = """
import os, sys
from pathlib import Path
from polynya import io
real, done = os.rename, []
def rename(a, b):
    if done:
        os.kill(os.getpid(), 9)
    done.append(a)
    real(a, b)
with io.writing_folder(Path(sys.argv[1]), overwrite=True) as temporary:
    (temporary / "a").write_text("new")
    (temporary / "run.json").write_text("{}")
    os.rename = rename
"""


def test_an_earlier_result_comes_back_after_a_kill_between_the_two_renames(tmp_path):
    place = result(tmp_path / "place")
    subprocess.run([sys.executable, "-c", KILLED, str(place)], check=False)
    assert not place.exists()
    with pytest.raises(UsageError, match="exists already"), io.writing_folder(place):
        pytest.fail("the block must not run")
    assert (place / "deep/a.tif").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["place"]


def test_an_earlier_result_that_was_replaced_meanwhile_goes(tmp_path):
    place = result(tmp_path / "place")
    old = place.with_name(f".place.{atomic.host()}.{dead_pid()}.0123abcd.old")
    result(tmp_path / "other").rename(old)
    atomic.sweep(place)
    assert (place / "deep/a.tif").exists() and not old.exists()


def test_computers_whose_names_look_alike_have_words_of_their_own(monkeypatch):
    words = set()
    for name in ("node.1", "node-1", "n" * 60 + "1", "n" * 60 + "2", "Knoten ß"):
        monkeypatch.setattr(parts.socket, "gethostname", lambda name=name: name)
        words.add(atomic.host())
    assert len(words) == 5 and all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", w) for w in words)


def test_what_a_dead_writer_of_one_file_left_goes_with_the_next(tmp_path):
    pid = dead_pid()
    left = tmp_path / f".a.nc.{atomic.host()}.{pid}.0123abcd.part"
    left.write_text("half")
    nested = tmp_path / f".{left.name}.{atomic.host()}.{pid}.89abcdef.part"
    nested.write_text("half of it")
    scratch = atomic.temporary_name(tmp_path / "a.nc").with_name(f".a.nc.{atomic.host()}.{pid}.00000000.part")
    scratch.mkdir()
    (scratch / "tile.tif").write_text("tile")
    other = tmp_path / f".b.nc.{atomic.host()}.{pid}.0123abcd.part"
    other.write_text("of another result")
    with io.writing(tmp_path / "a.nc") as temporary:
        temporary.write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [other.name, "a.nc"]


def test_files_and_folders_are_on_the_disk_before_their_names(tmp_path, monkeypatch):
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(atomic.durable, "sync_file", lambda p: calls.append(("sync", p.read_text())))
    monkeypatch.setattr(atomic.durable, "sync_tree", lambda p: calls.append(("tree", (p / "a").read_text())))
    real = {n: getattr(atomic.os, n) for n in ("rename", "replace")}
    for name, done in real.items():
        monkeypatch.setattr(atomic.os, name, lambda a, b, d=done: (calls.append(("name", Path(b).name)), d(a, b))[1])
    with io.writing(tmp_path / "one") as temporary:
        temporary.write_text("1")
    with io.writing_folder(tmp_path / "many") as temporary:
        (temporary / "a").write_text("2")
    assert calls == [("sync", "1"), ("name", "one"), ("tree", "2"), ("name", "many")]


def test_a_run_that_was_stopped_between_its_files_goes_on_without_overwrite(tmp_path):
    files, record = [tmp_path / "map.tif", tmp_path / "map.png"], tmp_path / "map.run.json"
    held = {"polynya": "1", "command": ["polynya"], "contents": ["map.tif", "map.png"]}
    record.write_text(json.dumps(held))
    files[1].write_text("picture")
    atomic.check_files(files, record=record, overwrite=False)  # the map, which comes last, is missing
    files[0].write_text("map")
    with pytest.raises(UsageError, match="exists already"):
        atomic.check_files(files, record=record, overwrite=False)
    files[0].unlink()
    record.write_text(json.dumps({**held, "contents": ["map.tif"]}))
    with pytest.raises(OutputError, match=r"map\.png: exists already and map\.run\.json does not list it"):
        atomic.check_files(files, record=record, overwrite=False)


def test_scratch_lies_in_the_folder_that_is_being_written(tmp_path):
    with io.writing_folder(tmp_path / "place") as temporary:
        (temporary / "run.json").write_text("{}")
        with io.scratch() as scratch:
            assert scratch.parent == temporary and scratch.is_dir()
        assert not scratch.exists()
    with io.scratch(tmp_path / "map.tif") as beside:
        assert beside.parent == tmp_path and atomic.PART.fullmatch(beside.name)
    with io.scratch() as scratch:
        assert not scratch.is_relative_to(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["place"]


def test_long_names_get_temporary_names_that_fit(tmp_path):
    with io.writing(tmp_path / f"{'ü' * 110}.parquet") as temporary:
        assert len(temporary.name.encode()) < 230
        temporary.write_text("x")


WORKER = """
import socket, sys, time
from pathlib import Path
out, name, number, begun, go = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5])
socket.gethostname = lambda: name
from polynya import io
with io.writing_folder(out / "granule", overwrite=len(sys.argv) > 6) as temporary:
    (temporary / "table").write_text("the same")
    io.write_json({"polynya": "1", "command": [], "key": {"version": int(number)}, "by": name}, temporary / "run.json")
    begun.write_text(str(temporary))
    while not go.exists():
        time.sleep(0.01)
"""


def start(tmp_path: Path, name: str, number: int, *more: str) -> tuple[subprocess.Popen, Path, Path]:
    """Start a worker that calls itself another computer; it stops in the middle until ``go`` is there."""
    begun, go = tmp_path / f"{name}.begun", tmp_path / f"{name}.go"
    words = [sys.executable, "-c", WORKER, tmp_path / "out", name, str(number), begun, go, *more]
    worker = subprocess.Popen([str(w) for w in words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (begun.exists() and begun.read_text()) and worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return worker, begun, go


def end(worker: subprocess.Popen, go: Path) -> str:
    go.write_text("")
    return worker.communicate(timeout=60)[1]


@pytest.mark.parametrize("more", [(), ("overwrite",)])
def test_two_computers_on_one_folder_never_delete_each_others_work(tmp_path, more):
    one, first, go_one = start(tmp_path, "node-one", 1, *more)
    two, second, go_two = start(tmp_path, "node-two", 1, *more)
    try:
        parts = [Path(f.read_text()) for f in (first, second)]
        assert parts[0] != parts[1] and all((p / "table").exists() for p in parts)
        errors = end(two, go_two)
        assert two.returncode == 0, errors
        assert (parts[0] / "table").exists()  # the other's work in progress
        assert json.loads((tmp_path / "out/granule/run.json").read_text())["by"] == "node-two"
        errors = end(one, go_one)
        assert one.returncode == 0, errors  # it lost the race: done by another is done
    finally:
        for worker in (one, two):
            worker.kill()
            worker.wait()
    by = json.loads((tmp_path / "out/granule/run.json").read_text())["by"]
    assert by == ("node-one" if more else "node-two")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["granule"]


def test_a_lost_race_against_another_result_is_an_error(tmp_path):
    one, _, go_one = start(tmp_path, "node-one", 1)
    two, _, go_two = start(tmp_path, "node-two", 2)
    assert end(two, go_two) == "" and two.returncode == 0
    errors = end(one, go_one)
    assert one.returncode == 1 and "appeared while polynya worked" in errors
    assert json.loads((tmp_path / "out/granule/run.json").read_text())["by"] == "node-two"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["granule"]


def test_the_part_of_a_killed_worker_of_another_computer_stays(tmp_path):
    worker, begun, _ = start(tmp_path, "node-one", 1)
    worker.kill()
    worker.communicate()
    with io.writing_folder(tmp_path / "out/granule") as temporary:
        (temporary / "a").write_text("new")
    assert (Path(begun.read_text()) / "table").read_text() == "the same"


def result(folder: Path) -> Path:
    with io.writing_folder(folder) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep/a.tif").write_text("old")
        (temporary / "run.json").write_text(json.dumps(OURS))
    return folder


def test_only_a_whole_result_of_ours_is_replaced_and_only_on_overwrite(tmp_path):
    ours = result(tmp_path / "ours")
    with pytest.raises(UsageError, match=r"exists already; expected a new name\. Pass --overwrite"):
        io.check_place(ours, overwrite=False)
    (ours / "deep/a.tif.aux.xml").write_text("made by a viewer")
    (ours / part(tmp_path, process=1).name).write_text("a writer at work")
    io.check_place(ours, overwrite=True)
    for free in (tmp_path / "new", tmp_path / "empty"):
        io.check_place(free, overwrite=False)
        (tmp_path / "empty").mkdir(exist_ok=True)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "case", ["no record", "half a record", "no list", "another program", "a file more", "a file", "a link"]
)
def test_what_is_not_provably_ours_is_never_replaced(tmp_path, case, overwrite):
    place = result(tmp_path / "place")
    if case == "no record":
        (place / "run.json").unlink()
    elif case == "half a record":
        (place / "run.json").write_text('{"contents": ["deep')
    elif case == "no list":
        (place / "run.json").write_text(json.dumps(OURS))
    elif case == "another program":
        (place / "run.json").write_text('{"tool": "x", "contents": ["deep/a.tif", "run.json"]}')
    elif case == "a file more":
        (place / "deep/notes.txt").write_text("years of work")
    else:
        place.rename(tmp_path / "other")
        if case == "a file":
            place.write_text("years of work")
        else:
            place.symlink_to(tmp_path / "other")
    before = sorted(p for p in tmp_path.rglob("*"))
    with (
        pytest.raises(OutputError, match="only a folder that holds an earlier result") as caught,
        io.writing_folder(place, overwrite=overwrite),
    ):
        pytest.fail("the block must not run")
    assert "\n" not in str(caught.value)
    assert case != "a file more" or "holds deep/notes.txt that its run.json does not list" in str(caught.value)
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_what_a_person_adds_during_a_run_is_not_lost(tmp_path):
    place = result(tmp_path / "place")
    with pytest.raises(OutputError, match=r"holds notes\.txt"), io.writing_folder(place, overwrite=True) as temporary:
        (temporary / "run.json").write_text(json.dumps(OURS))
        (place / "notes.txt").write_text("years of work")
    assert (place / "notes.txt").read_text() == "years of work" and (place / "deep/a.tif").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["place"]


def test_files_that_a_record_does_not_list_stay(tmp_path):
    table, record = tmp_path / "a.parquet", tmp_path / "a.run.json"
    io.check_files([table], record=record, overwrite=False)
    table.write_text("somebody's")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no result of polynya"):
            io.check_files([table], record=record, overwrite=overwrite)
    io.write_json({"tool": "x", "contents": ["a.parquet"]}, record)
    with pytest.raises(OutputError, match="is no record of polynya"):
        io.check_files([table], record=record, overwrite=True)
    io.write_json({**OURS, "contents": ["a.parquet"]}, record)
    io.check_files([table], record=record, overwrite=True)
    with pytest.raises(UsageError, match=r"exists already; expected a new name\. Pass --overwrite"):
        io.check_files([table], record=record, overwrite=False)


@pytest.mark.parametrize("text", ["", "{}", '{"contents": ["a.parquet"]}', '{"polynya": "1.0"}', "[1]"])
def test_a_record_of_another_tool_stays(tmp_path, text):
    record = tmp_path / "a.run.json"
    record.write_text(text)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"a\.run\.json: exists already and is no record of polynya"):
            io.check_files([tmp_path / "a.parquet"], record=record, overwrite=overwrite)


@pytest.mark.parametrize("name", ["..h5", "...h5", " .h5", ".", ".."])
def test_names_that_name_no_folder(name):
    with pytest.raises(UsageError, match="expected one that can name a folder") as caught:
        io.folder_name(Path("granules") / name if name.endswith("h5") else name)
    assert "\n" not in str(caught.value)


def test_a_granule_names_its_folder():
    assert io.folder_name("a/ATL03_1.h5") == "ATL03_1" and io.folder_name(".h5") == ".h5"


@pytest.mark.parametrize("make", [io.writing, io.writing_folder])
def test_places_that_cannot_be_written(tmp_path, make):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(
            OutputError, match=r"cannot be written.*expected a folder with room and write permission.*another name"
        ) as caught,
        make(tmp_path / "file" / "x"),
    ):
        pytest.fail("the block must not run")
    assert "\n" not in str(caught.value) and caught.value.exit_code == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the state of a process is read in /proc")
def test_who_ended_and_was_not_asked_after_is_dead():
    """In a container without an init the dead stay listed: what they left behind would stay, too."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    end = time.monotonic() + 30
    while atomic.is_alive(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, 0)  # it is listed still
    assert not atomic.is_alive(process.pid)
    process.wait()
    assert not atomic.is_alive(process.pid) and atomic.is_alive(os.getpid())


def test_a_part_whose_writer_died_during_the_work_goes_too(tmp_path):
    """A worker that is being killed may be alive still when the next one begins."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        part = tmp_path / f".granule.{atomic.host()}.{process.pid}.0a1b2c3d.part"
        part.mkdir()
        with atomic.writing_folder(tmp_path / "granule") as temporary:
            assert part.exists()
            (temporary / "run.json").write_text("{}")
            process.kill()
            process.wait()
    assert [p.name for p in tmp_path.iterdir()] == ["granule"]
