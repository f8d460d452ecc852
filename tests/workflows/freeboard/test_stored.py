"""Results of freeboard at an address: the bytes of a local run, skipped when done, resumed when stopped, on a page."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import UsageError
from polynya.io import remote
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard

pytest.importorskip("fsspec")
from ... import stores

OUT = "memory://bucket/season"
CONFIG = freeboard.Config(classifier="rule")
TABLES = ("segments.parquet", "leads.parquet", "sea_surface.parquet")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_PAUSE_S", 0.0)


@pytest.fixture
def files():
    with stores.in_memory() as made:
        yield made


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    names = ("ATL03_20191104195311_05940510_006_01.h5", "ATL03_20191105195311_06090510_006_01.h5")
    return [str(simulate(folder / n, length_km=4, beams="strong", seed=k).granule) for k, n in enumerate(names)]


def run(granules, out=OUT, *, config=CONFIG, **options):
    return freeboard.run(granules, out=out, config=config, workers=1, **options)


def test_a_season_at_an_address_has_the_files_of_a_local_one(files, granules, tmp_path):
    there = run(granules)
    here = run(granules, out=tmp_path / "here")
    assert [r.status for r in there] == [r.status for r in here] == ["done", "done"]
    copy = stores.copy_of(files, tmp_path / "copy") / "bucket/season"
    names = {p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*") if p.is_file()}
    assert {p.relative_to(copy) for p in copy.rglob("*") if p.is_file()} == names and len(names) == 13
    for name in names:
        if name.name in TABLES:
            assert (copy / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    for record, local in zip(there, here, strict=True):
        assert set(record.outputs) == set(local.outputs)
        assert all(io.place(p).exists() and p.startswith(OUT) for p in record.outputs.values())
    rows, expected = (pq.read_table(p / "runs.parquet").to_pylist() for p in (copy, tmp_path / "here"))
    same = ("command", "name", "item", "state", "report", "value", "track_latitude", "track_longitude", "data_time")
    assert [[r[n] for n in same] for r in rows] == [[r[n] for n in same] for r in expected]
    assert 'href="ATL03_20191104195311_05940510_006_01/report.html"' in (copy / "index.html").read_text()
    assert list(remote.results_folder().iterdir()) == []


def test_what_is_done_is_skipped_and_untouched_and_earlier_rows_stay(files, granules):
    run(granules)
    before = {n: c for n, c in stores.held(files).items() if "/ATL03" in n}
    table = stores.held(files)["/bucket/season/runs.parquet"]
    again = run(granules[:1])
    assert [r.status for r in again] == ["skipped"]
    assert {n: c for n, c in stores.held(files).items() if "/ATL03" in n} == before
    assert stores.held(files)["/bucket/season/runs.parquet"] == table
    files.rm("/bucket/season/ATL03_20191104195311_05940510_006_01", recursive=True)
    assert [r.status for r in run(granules[1:], overwrite=True)] == ["done"]
    rows = pq.read_table(files.open("/bucket/season/runs.parquet")).to_pylist()
    assert [r["name"] for r in rows] == ["ATL03_20191105195311_06090510_006_01"]


def test_a_copy_that_fails_is_one_line_and_the_same_command_does_it(files, granules, monkeypatch):
    real = type(files).put_file

    def failing(self, local, inner, **more):
        if inner.endswith("05940510_006_01/run.json"):
            raise ConnectionError("reset by peer")
        return real(self, local, inner, **more)

    monkeypatch.setattr(type(files), "put_file", failing)
    first, second = run(granules)
    assert (first.status, first.exit_code, second.status) == ("failed", 1, "done")
    assert "run.json: cannot be written (ConnectionError: reset by peer)" in first.message
    assert "\n" not in first.message
    monkeypatch.setattr(type(files), "put_file", real)
    assert [r.status for r in run(granules)] == ["done", "skipped"]


def test_other_settings_and_foreign_objects_are_not_replaced(files, granules):
    run(granules[:1])
    (other,) = run(granules[:1], config=CONFIG.model_copy(update={"dac": False}))
    assert other.status == "failed" and "holds a result of other settings (dac)" in other.message
    stores.clear(files)
    files.pipe("/bucket/season/ATL03_20191104195311_05940510_006_01/theirs.txt", b"theirs")
    (record,) = run(granules[:1], overwrite=True)
    assert record.status == "failed" and "holds theirs.txt that no run.json of polynya lists" in record.message
    assert list(files.store) == ["/bucket/season/ATL03_20191104195311_05940510_006_01/theirs.txt"]


def test_every_file_of_a_result_is_named_by_its_address(files, granules):
    config = freeboard.Config(classifier="rule", netcdf=True, beams="gt1r")
    for status in ("done", "skipped"):
        (record,) = run(granules[:1], config=config)
        assert record.status == status and all(io.place(p).exists() for p in record.outputs.values())
        assert record.outputs["netcdf_segments_gt1r"] == f"{OUT}/{Path(granules[0]).stem}/segments_gt1r.nc"


def test_a_page_that_cannot_be_written_costs_no_result(files, granules, caplog):
    files.pipe("/bucket/season/index.html", b"theirs")
    assert [r.status for r in run(granules)] == ["done", "done"]
    assert "the page of this run is not written" in caplog.text
    assert files.cat("/bucket/season/index.html") == b"theirs"


def test_a_store_that_cannot_be_written_is_known_before_the_work(files, granules, monkeypatch):
    monkeypatch.setattr(freeboard, "process", lambda *_, **__: pytest.fail("worked"))
    with pytest.raises(UsageError, match="https://host/season: nothing can be written there"):
        run(granules, out="https://host/season")


def test_the_command_takes_an_address_and_says_it_whole(files, granules):
    done = CliRunner().invoke(app, ["freeboard", *granules, "-o", OUT, "--classifier", "rule", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert f"2 of 2 granules are in {OUT}." in done.output
    assert f"all of them on one page: {OUT}/index.html" in done.output
    assert f"{OUT}/ATL03_20191104195311_05940510_006_01/report.html" in done.output
    record = json.loads(files.cat("/bucket/season/ATL03_20191104195311_05940510_006_01/run.json"))
    assert "segments.parquet" in record["contents"]
