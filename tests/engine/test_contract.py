"""What every engine promises, for each file of the folder, and how one is found by its name."""

from __future__ import annotations

import dataclasses
import os
import pickle
import sys

import pytest

from polynya import engine
from polynya.engine.protocol import DONE, FAILED, Record
from polynya.errors import ProductError, UsageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """A small item."""

    name: str


def task(item: Item) -> Record:
    """Fail where the item says so; module-level, so that other processes can import it."""
    if item.name.startswith("bad"):
        raise ProductError(f"{item.name}: is damaged. Download it again.")
    if item.name.startswith("bug"):
        raise ZeroDivisionError("division by zero")
    return Record(item=item.name, status=DONE, outputs={"process": str(os.getpid())}, numbers={"n": 1.0})


def available(name: str, workers: int) -> object:
    try:
        return engine.load(name, workers=workers)
    except UsageError as error:
        if "cannot be imported" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", engine.names())
def test_an_engine_gives_one_record_per_item_whatever_happens(name, workers):
    names = ["good1", "bad", "good2", "bug", "good3"]
    records = {r.item: r for r in available(name, workers).map(task, [Item(name=n) for n in names])}
    assert {n: r.status for n, r in records.items()} == {n: DONE if n.startswith("good") else FAILED for n in names}
    assert records["bad"].message == "bad: is damaged. Download it again."
    assert "polynya failed on it" in records["bug"].message and "\n" not in records["bug"].message


@pytest.mark.parametrize("name", engine.names())
def test_an_engine_without_items_gives_nothing(name):
    assert list(available(name, 2).map(task, [])) == []


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
    assert [r.status for r in mine.map(task, [Item(name="good"), Item(name="bad")])] == [DONE, FAILED]
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
