"""What every engine promises, for each file of the folder, and how one is found by its name."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time

import pytest

from polynya import engine
from polynya.engine import claims
from polynya.engine.local import LocalEngine
from polynya.engine.protocol import DONE, FAILED, SKIPPED, Options, Record, attempt
from polynya.errors import UsageError
from polynya.io import atomic

from .tasks import Item, begun, folders, obey, objects, write


def test_one_record_per_item_whatever_happens(make):
    names = ["good1", "bad", "good2", "bug", "good3", "usage"]
    records = {r.item: r for r in make().map(obey, [Item(name=n) for n in names])}
    assert {n: r.status for n, r in records.items()} == {n: DONE if n.startswith("good") else FAILED for n in names}
    assert records["bad"].message == "bad: is damaged. Download it again." and records["bad"].exit_code == 1
    assert records["usage"].exit_code == 2
    assert "polynya failed on it" in records["bug"].message and "\n" not in records["bug"].message
    assert all(r.started.endswith("+00:00") and r.tries == 1 for r in records.values())
    assert {r.worker.rpartition(":")[2] for r in records.values() if r.status == DONE} == {
        r.outputs["process"] for r in records.values() if r.status == DONE
    }
    assert records["good1"].outputs["process"] != str(os.getpid())


def test_no_items_give_no_records(make):
    assert list(make().map(obey, [])) == []


def test_a_crash_costs_its_item_only_and_leaves_nothing(make, tmp_path):
    items = folders(tmp_path, "crash", "good1", "good2", "good3")
    records = {r.item: r for r in make().map(write, items)}
    assert {n: r.status for n, r in records.items()} == {
        "crash": FAILED, "good1": DONE, "good2": DONE, "good3": DONE,
    }  # fmt: skip
    assert "the worker process died on it, 2 times of 2 (SIGKILL;" in records["crash"].message
    assert records["crash"].tries == 2 and records["crash"].exit_code == 1 and begun(tmp_path, "crash") == 2
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["good1", "good2", "good3"]


def test_what_died_once_is_tried_again(make, tmp_path):
    items = folders(tmp_path, "once", "good")
    records = {r.item: r for r in make().map(write, items)}
    assert (records["once"].status, records["once"].tries) == (DONE, 2)
    assert (records["good"].status, records["good"].tries) == (DONE, 1)
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["good", "once"]


def test_what_is_done_is_skipped_and_stays_the_same_file(make, tmp_path):
    items = folders(tmp_path, "a", "b", "c")
    assert [r.status for r in make().map(write, items)] == [DONE] * 3
    before = {p: p.stat().st_ino for p in (tmp_path / "results").rglob("*")}
    assert [r.status for r in make().map(write, items)] == [SKIPPED] * 3
    assert {p: p.stat().st_ino for p in (tmp_path / "results").rglob("*")} == before


def test_results_at_an_address_are_whole_whatever_dies_and_skipped_when_done(make, tmp_path):
    pytest.importorskip("fsspec")
    items = objects(tmp_path, "crash", "once", "cut", "good")
    local = folders(tmp_path / "local", "good")
    records = {r.item: r for r in make().map(write, items)}
    assert {n: (r.status, r.tries) for n, r in records.items()} == {
        "crash": (FAILED, 2), "once": (DONE, 2), "cut": (DONE, 2), "good": (DONE, 1),
    }  # fmt: skip
    assert [r.status for r in make().map(write, local)] == [DONE]
    found = {p.relative_to(tmp_path / "results").as_posix() for p in (tmp_path / "results").rglob("*") if p.is_file()}
    assert found == {f"{n}/{f}" for n in ("once", "cut", "good") for f in ("table.txt", "run.json")}
    table = (tmp_path / "local/results/good/table.txt").read_bytes()
    assert (tmp_path / "results/good/table.txt").read_bytes() == table
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "results").rglob("*") if p.is_file()}
    again = {r.item: r.status for r in make().map(write, items)}
    assert again == {"crash": FAILED, "once": SKIPPED, "cut": SKIPPED, "good": SKIPPED}
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "results").rglob("*") if p.is_file()} == before
    assert (tmp_path / "cache/results").is_dir() and not list((tmp_path / "cache/results").iterdir())


def test_an_item_that_hangs_ends_with_one_line(make, tmp_path):
    items = folders(tmp_path, "hang", "good1", "good2")
    began = time.monotonic()
    records = {r.item: r for r in make(timeout_s=4).map(write, items)}
    assert time.monotonic() - began < 120
    assert {n: r.status for n, r in records.items()} == {"hang": FAILED, "good1": DONE, "good2": DONE}
    assert records["hang"].message.startswith("hang: took longer than 4 s (--timeout-s); expected")
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["good1", "good2"]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured in /proc")
def test_an_item_that_takes_too_much_memory_ends_with_one_line(make, tmp_path):
    items = folders(tmp_path, "hungry", "good1", "good2")
    records = {r.item: r for r in make(memory_gb=1.0).map(write, items)}
    assert {n: r.status for n, r in records.items()} == {"hungry": FAILED, "good1": DONE, "good2": DONE}
    assert re.match(r"hungry: needed \d\.\d+ GB of memory, more than 1 GB \(--memory-gb\)", records["hungry"].message)
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["good1", "good2"]


def test_the_time_that_an_item_waits_for_another_command_is_not_its_own(make, tmp_path):
    items = folders(tmp_path, "good")
    found: list[Record] = []
    with claims.holding(items[0].place, run="another command"):
        thread = threading.Thread(target=lambda: found.extend(make(timeout_s=3).map(write, items)))
        thread.start()
        end = time.monotonic() + 60
        while not list((tmp_path / "results").glob(".good.claim")) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(5)
        assert not found
    thread.join(60)
    assert [r.status for r in found] == [DONE] and found[0].seconds < 3


def test_work_inside_work_on_the_same_result_is_one_line(tmp_path):
    item = folders(tmp_path, "outer")[0]

    def outer(item):
        inner = attempt(write, item, run="b")
        assert inner.status == FAILED and "held by the same thread" in inner.message
        return inner

    began = time.monotonic()
    assert attempt(outer, item, run="a").status == FAILED
    assert time.monotonic() - began < claims.STALE_S / 2


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured in /proc")
def test_a_worker_that_needs_more_than_the_limit_to_begin_costs_its_item_only(make, tmp_path):
    records = list(make(memory_gb=0.001).map(write, folders(tmp_path, "slow1", "slow2")))
    assert [r.status for r in records] == [FAILED] * 2
    assert all("more than 0.001 GB (--memory-gb)" in r.message for r in records)


def test_what_a_lost_copy_left_behind_goes_at_the_end(make, tmp_path):
    """As speculation and a lost worker do it: the other copy was done before, nobody works on the item again."""
    items = folders(tmp_path, "slow1", "slow2")
    (tmp_path / "results").mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    left = tmp_path / f"results/.slow1.{atomic.host()}.{process.pid}.0a1b2c3d.part"
    records = make().map(write, items)
    first = next(records).item
    left = left.with_name(left.name.replace("slow1", first))
    left.mkdir()
    assert len(list(records)) == 1
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["slow1", "slow2"]


def test_who_stops_in_the_middle_leaves_whole_results_and_nothing_else(make, tmp_path):
    items = folders(tmp_path, "good", "hang1", "hang2", "later")
    records = make().map(write, items)
    assert next(records).item == "good"
    while not begun(tmp_path, "hang1"):
        time.sleep(0.02)
    records.close()
    end = time.monotonic() + 20
    while len(list((tmp_path / "results").iterdir())) > 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert {p.name for p in (tmp_path / "results").iterdir()} <= {"good", "later"}


def test_two_commands_share_the_items(make, tmp_path):
    """Both give a record for every item; each item is done once."""
    items = folders(tmp_path, *(f"slow{n}" for n in range(6)))
    found: list[list[Record]] = [[], []]
    threads = [threading.Thread(target=lambda k=k: found[k].extend(make().map(write, items))) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [sorted(r.item for r in f) for f in found] == [sorted(i.name for i in items)] * 2
    done = [r.item for f in found for r in f if r.status == DONE]
    assert sorted(done) == sorted(i.name for i in items)
    assert {begun(tmp_path, i.name) for i in items} == {1}
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == sorted(i.name for i in items)


def test_an_output_that_cannot_be_written_is_one_line_an_item(make, tmp_path):
    items = folders(tmp_path, "a", "b")
    (tmp_path / "results").write_text("a file where a folder is to be")
    for record in make().map(write, items):
        assert record.status == FAILED and "\n" not in record.message
        assert "cannot be written" in record.message and str(tmp_path) in record.message


def test_a_full_disk_is_one_line_and_loses_nothing(make, tmp_path, small_disk):
    items = folders(tmp_path, "good", "large")
    items = [dataclasses.replace(i, place=str(small_disk / i.name)) for i in items]
    assert [r.status for r in make().map(write, items[:1])] == [DONE]
    records = {r.item: r for r in make().map(write, items)}
    assert records["good"].status == SKIPPED and records["large"].status == FAILED
    assert "No space left on device" in records["large"].message and "\n" not in records["large"].message
    assert sorted(p.name for p in small_disk.iterdir()) == ["good"]
    assert sorted(p.name for p in (small_disk / "good").iterdir()) == ["run.json", "table.txt"]


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", place], check=True)


def test_two_attempts_of_one_run_give_one_result(tmp_path):
    """As speculation does it: both work, the first result stays, the other is no error."""
    item = folders(tmp_path, "slow")[0]
    found: list[Record] = []
    threads = [threading.Thread(target=lambda: found.append(attempt(write, item, run="a"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [r.status for r in found] == [DONE, DONE] and begun(tmp_path, "slow") == 2
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["slow"]
    assert sorted(p.name for p in (tmp_path / "results/slow").iterdir()) == ["run.json", "table.txt"]


def test_engines_write_the_same_files_and_records(make, small_granule, tmp_path):
    """Freeboard of two granules, and of one that has gone: as one process alone writes them."""
    from polynya.workflows import freeboard

    second = tmp_path / "ATL03_20200116091200_02900603_006_01.h5"
    shutil.copy(small_granule, second)
    given = [small_granule, second, tmp_path / "ATL03_20200117091200_03000603_006_01.h5"]
    config = freeboard.Config(classifier="rule")
    here, there = tmp_path / "here", tmp_path / "there"
    records = [
        freeboard.run(given, out=o, config=config, workers=1, engine=e)
        for o, e in ((here, LocalEngine(workers=1)), (there, make()))
    ]
    assert [r.status for r in records[1]] == [DONE, DONE, FAILED]
    for mine, theirs in zip(*records, strict=True):
        assert (mine.item, mine.status, mine.message) == (theirs.item, theirs.status, theirs.message)
        assert {**mine.numbers, "seconds": 0} == {**theirs.numbers, "seconds": 0}
    files = sorted(p.relative_to(here) for p in here.glob("*/*"))
    assert files == sorted(p.relative_to(there) for p in there.glob("*/*")) and len(files) == 10
    for file in files:
        if file.suffix == ".parquet":
            assert (here / file).read_bytes() == (there / file).read_bytes()
        elif file.name == "run.json":
            assert timeless(here / file) == timeless(there / file)


CLOCKED = ("time", "written")


def timeless(path) -> dict:
    """Return a record without what a clock says: times of files, and hashes of pages, which say how long it took."""

    def bare(value):
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in CLOCKED and not k.endswith("seconds")}
        return [bare(v) for v in value] if isinstance(value, list) else value

    return bare(json.loads(path.read_text()))


def test_the_folder_is_the_registry():
    assert "local" in engine.names() and "protocol" not in engine.names()
    assert engine.load("local", workers=3).workers == 3 and engine.load("local", workers=0).workers == 1


def test_an_engine_of_ones_own_is_found_by_its_dotted_name(tmp_path, monkeypatch):
    (tmp_path / "enginelab").mkdir()
    (tmp_path / "enginelab/one_by_one.py").write_text(
        "from polynya.engine.protocol import attempt\n"
        "class Mine:\n"
        "    def map(self, task, items):\n"
        "        yield from (attempt(task, i) for i in items)\n"
        "def build(*, workers):\n"
        "    return Mine()\n"
    )
    (tmp_path / "enginelab/empty.py").write_text("")
    (tmp_path / "enginelab/needs.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = engine.load("enginelab.one_by_one", workers=2)
    assert [r.status for r in mine.map(obey, [Item(name="good"), Item(name="bad")])] == [DONE, FAILED]
    with pytest.raises(UsageError, match=r"--engine enginelab\.empty: the module has no build"):
        engine.load("enginelab.empty", workers=1)
    with pytest.raises(UsageError, match=r"no such engine \(nowhere_to_be_found cannot be imported\)"):
        engine.load("enginelab.needs", workers=1)
    assert not [m for m in sys.modules if m.startswith("enginelab.needs")]


@pytest.mark.parametrize("name", ["slurm", "protocol", "", "no.such.engine"])
def test_engines_that_are_not_there(name):
    with pytest.raises(UsageError, match="no such engine") as caught:
        engine.load(name, workers=1)
    assert "expected local" in str(caught.value) and "\n" not in str(caught.value)


def test_options_reach_the_engines_that_know_them(tmp_path, monkeypatch):
    made = engine.load("local", workers=2, options=Options(timeout_s=5, memory_gb=2))
    assert (made.limits.timeout_s, made.limits.memory_gb) == (5, 2)
    with pytest.raises(UsageError, match=r"--master yarn: the engine local has no such option; expected one of"):
        engine.load("local", workers=2, options=Options(master="yarn"))
    with pytest.raises(UsageError, match=r"--timeout-s -1: expected 0"):
        engine.load("local", workers=2, options=Options(timeout_s=-1))
    assert engine.load("spark", workers=2, options=Options(master="yarn", timeout_s=5)).master == "yarn"


def test_a_task_and_its_item_are_small_however_many_there_are():
    """What travels to a worker is the task and one item: it does not grow with the run."""
    import functools
    from pathlib import Path

    from polynya.workflows import freeboard

    config = freeboard.Config(beams="strong", mss="grids/mean_sea_surface.tif")
    work = functools.partial(freeboard.process, config=config, overwrite=False, threads=1)
    path = Path("granules") / ("ATL03_20191104195311_05940510_006_01" + ".h5")
    item = freeboard.Item(path=str(path), folder=f"out/{path.stem}")
    assert len(pickle.dumps((work, item))) < 2_000


@pytest.mark.parametrize("command", ["freeboard", "label", "glaciers"])
def test_commands_over_many_items_take_an_engine_by_name(command, tmp_path):
    from typer.testing import CliRunner

    from polynya.cli import app

    pairs = tmp_path / "pairs.csv"
    pairs.write_text("granule,truth\na.h5,a.parquet\n")
    words = {
        "freeboard": ["a.h5", "--classifier", "rule"],
        "label": ["--pairs", str(pairs)],
        "glaciers": ["a", "--each", "--network", "rule"],
    }[command]
    done = CliRunner().invoke(app, [command, *words, "-o", str(tmp_path / "out"), "--engine", "nowhere"])
    assert isinstance(done.exception, UsageError) and "--engine nowhere: no such engine" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_leads_on_spark_have_the_bytes_of_the_local_engine(tmp_path, spark_session):
    """Here, and not beside the tests of leads: a session of Spark costs as much as all of them."""
    from polynya.engine.spark import SparkEngine
    from polynya.simulate.altika import files
    from polynya.simulate.altika.track import draw_track
    from polynya.workflows import leads

    tracks = [tmp_path / f"track_{seed}.nc" for seed in range(3)]
    for seed, path in enumerate(tracks):
        files.write_echoes(draw_track(seed, echoes=400), path)
    config = leads.Config(network="rule", lead_db=38.0)
    here = leads.run(tracks, out=tmp_path / "local", config=config, workers=1)
    there = leads.run(tracks, out=tmp_path / "spark", config=config, engine=SparkEngine(session=spark_session))
    for one, other in zip(here, there, strict=True):
        assert (one.item, one.status, one.message) == (other.item, other.status, other.message)
        assert one.status == "done"
    for path in tracks:
        local, spark = (tmp_path / k / path.stem / "leads.parquet" for k in ("local", "spark"))
        assert local.read_bytes() == spark.read_bytes()
