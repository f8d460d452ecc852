"""Labels at an address: the bytes of local tables, skipped when done, no table without its record."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from polynya import io
from polynya.errors import UsageError
from polynya.io import remote
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import label

pytest.importorskip("fsspec")
from ... import stores

OUT = "memory://bucket/labels"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_PAUSE_S", 0.0)


@pytest.fixture
def files():
    with stores.in_memory() as made:
        yield made


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    made = simulate(folder / "ATL03_20191116214000_07170511_006_01.h5", length_km=4, beams="strong", seed=5)
    line = f"{made.granule.name},{made.granule.stem}_truth.parquet"
    (folder / "pairs.csv").write_text(f"granule,truth,name\n{line},a\n{line},b\n")
    return folder / "pairs.csv"


def run(table, out=OUT, **options):
    return label.run(label.read_pairs(table, out=out), workers=1, **options)


def test_tables_at_an_address_are_those_of_a_local_run_and_are_made_once(files, table, tmp_path):
    there, here = run(table), run(table, out=tmp_path / "here")
    assert [r.status for r in there] == ["done", "done"] and [r.item for r in there] == [
        f"{OUT}/{n}.parquet" for n in "ab"
    ]
    copy = stores.copy_of(files, tmp_path / "copy") / "bucket/labels"
    assert {p.name for p in copy.iterdir()} == {p.name for p in (tmp_path / "here").iterdir()}
    for name in "ab":
        assert (copy / f"{name}.parquet").read_bytes() == (tmp_path / "here" / f"{name}.parquet").read_bytes()
    assert there[0].numbers["n_labelled"] == here[0].numbers["n_labelled"] > 0
    before = stores.held(files)
    assert [r.status for r in run(table)] == ["skipped", "skipped"] and stores.held(files) == before
    rows = pq.read_table(copy / "runs.parquet").to_pylist()
    assert [r["name"] for r in rows] == ["a", "b"] and len(rows[0]["track_latitude"]) > 2


@pytest.mark.parametrize("stopped_at", ["a.run.json", "a.parquet"])
def test_a_copy_that_fails_is_done_by_the_next_run(files, table, monkeypatch, stopped_at):
    real = type(files).put_file

    def failing(self, local, inner, **more):
        if inner.endswith(stopped_at):
            raise ConnectionError("reset by peer")
        return real(self, local, inner, **more)

    monkeypatch.setattr(type(files), "put_file", failing)
    first, second = run(table)
    assert first.status == "failed" and f"{stopped_at}: cannot be written (ConnectionError: reset" in first.message
    assert second.status == "done" and not io.place(f"{OUT}/a.parquet").exists()
    monkeypatch.setattr(type(files), "put_file", real)
    assert [r.status for r in run(table)] == ["done", "skipped"]


def test_an_object_of_somebody_else_stays(files, table):
    files.pipe("/bucket/labels/a.parquet", b"theirs")
    first, second = run(table, overwrite=True)
    assert first.status == "failed" and "a.parquet: exists already and a.run.json does not list it" in first.message
    assert second.status == "done" and files.cat("/bucket/labels/a.parquet") == b"theirs"


def test_one_table_at_an_address_needs_its_ending(files, table):
    pair = label.read_pairs(table, out=OUT)[0]
    with pytest.raises(UsageError, match="is no name of a Parquet file"):
        label.run([label.Pair(granule=pair.granule, truth=pair.truth, out=f"{OUT}/a")])
