"""The page of a folder of batches: rows, totals, what it never replaces, and how it looks to a reader of its HTML."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import io, schema
from polynya.engine.protocol import DONE, FAILED, SKIPPED, Record
from polynya.report.runs.totals import total
from polynya.workflows import run_page

HEAD = {"polynya": "1.0", "command": ["polynya", "freeboard"]}


def made(out, name, *, latitude=80.0, mean=0.3, simulated=False):
    """A result folder as freeboard writes it: record, a short track, a page."""
    folder = out / name
    folder.mkdir(parents=True)
    n = 200
    columns = {
        "beam": pa.array(["gt1r"] * n),
        "x_atc": pa.array(np.arange(n) * 2.0),
        "time": pa.array(np.datetime64("2020-01-15T09:00:00", "ns") + np.arange(n), pa.timestamp("ns", tz="UTC")),
        "latitude": pa.array(latitude + np.arange(n) * 1e-3),
        "longitude": pa.array(np.full(n, 30.0)),
    }
    pq.write_table(pa.table(columns), folder / "segments.parquet")
    (folder / "report.html").write_text("<p>report")
    run = HEAD | {
        "time": "2026-01-01T10:00:00+00:00",
        "inputs": [{"granule": name, "is_simulated": simulated}],
        "versions": {"numpy": "2"},
        "messages": ["one <b>message</b>"],
        "contents": ["report.html", "run.json", "segments.parquet"],
        "numbers": numbers(mean),
    }
    (folder / "run.json").write_text(json.dumps(run))
    return Record(item=f"in/{name}.h5", status=DONE, numbers=numbers(mean), outputs={"run": str(folder / "run.json")})


def numbers(mean):
    return {
        "n_segments": 100.0,
        "share_with_freeboard": 1.0,
        "mean_freeboard": mean,
        "mean_freeboard_uncertainty": 0.05,
        "mean_freeboard_uncertainty_correlated": 0.04,
        "seconds": 2.5,
    }


def write(records, out, names=None):
    results = {r.item: str(out / (r.item.split("/")[-1].removesuffix(".h5"))) for r in records}
    return run_page.write(records, out=out, command="freeboard", results=results, quantity=run_page.FREEBOARD)


def rows_of(out):
    return {r["name"]: r for r in io.read_table(out / "runs.parquet").to_pylist()}


def failure(name="broken", text="broken.h5: is text; expected <HDF5>. Get it again."):
    return Record(item=f"in/{name}.h5", status=FAILED, message=text, exit_code=1, seconds=0.2)


def test_page_and_table_say_what_became_of_each(tmp_path):
    records = [made(tmp_path, "a", mean=0.2), made(tmp_path, "b", mean=0.4, simulated=True), failure()]
    page = write(records, tmp_path)
    assert page == tmp_path / "index.html"
    rows = rows_of(tmp_path)
    assert list(pq.read_schema(tmp_path / "runs.parquet").names) == schema.runs.RUNS.names
    assert [(n, r["state"]) for n, r in rows.items()] == [("a", "done"), ("b", "done"), ("broken", "failed")]
    a = rows["a"]
    assert (a["value"], a["units"], a["seconds"], a["report"]) == (0.2, "m", 2.5, "a/report.html")
    assert a["uncertainty_random"] == pytest.approx(0.03) and a["uncertainty_correlated"] == pytest.approx(0.04)
    assert a["data_time"].isoformat() == "2020-01-15T09:00:00+00:00" and json.loads(a["versions"]) == {"numpy": "2"}
    assert a["track_latitude"][0] == pytest.approx(80.0, abs=1e-4) and max(a["track_latitude"]) > 80.15
    assert rows["broken"]["reason"].startswith("broken.h5: is text") and np.isnan(rows["broken"]["value"])
    text = page.read_text()
    assert "2 of 3 items have a result; 1 failed" in text and 'href="a/report.html"' in text
    assert "expected &lt;HDF5&gt;" in text and "<b>message" not in text
    assert 'id="map-north"' in text and "1 of 3 items: not satellite data" in text
    assert "0.300 \u00b1 0.045\u202fm" in text  # mean; 0.03 / sqrt(2) and 0.04 in quadrature
    assert "http" not in text.replace("http-equiv", "") and "src=" not in text


def test_shared_errors_do_not_shrink_with_more_items():
    row = {"value": 0.3, "weight": 100.0, "uncertainty_random": 0.03, "uncertainty_correlated": 0.04}
    for n in (1, 4, 100):
        found = total([row] * n, is_sum=False)
        assert found.random == pytest.approx(0.03 / np.sqrt(n)) and found.correlated == pytest.approx(0.04)
    summed = total([row] * 4, is_sum=True)
    assert (summed.value, summed.random, summed.correlated) == (
        pytest.approx(1.2),
        pytest.approx(0.06),
        pytest.approx(0.16),
    )
    heavy = total([row, row | {"value": 0.6, "weight": 300.0}], is_sum=False)
    assert heavy.value == pytest.approx(0.525)
    unknown = total([row, row | {"uncertainty_random": None}], is_sum=False)
    assert np.isnan(unknown.uncertainty) and unknown.n == 2
    assert np.isnan(total([row | {"value": None}], is_sum=False).value)


def test_earlier_batches_stay_and_a_run_with_nothing_new_writes_nothing(tmp_path):
    first = [made(tmp_path, "a"), failure("b")]
    write(first, tmp_path)
    write([made(tmp_path, "c"), made(tmp_path, "d")], tmp_path)
    assert {n: r["state"] for n, r in rows_of(tmp_path).items()} == dict(a="done", b="failed", c="done", d="done")
    held = {p: p.read_bytes() for p in tmp_path.glob("*.*") if p.is_file()}
    skipped = [
        dataclasses.replace(first[0], status=SKIPPED, message="done before"),
        Record(item="in/c.h5", status=SKIPPED, numbers=numbers(0.3)),
    ]
    write(skipped, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.glob("*.*") if p.is_file()} == held
    # one item alone: added to the page that is there
    write([made(tmp_path, "b")], tmp_path)
    assert rows_of(tmp_path)["b"]["state"] == "done"
    # a result that is gone leaves the page
    for p in (tmp_path / "d").iterdir():
        p.unlink()
    (tmp_path / "d").rmdir()
    write([made(tmp_path, "e")], tmp_path)
    assert set(rows_of(tmp_path)) == {"a", "b", "c", "e"}


def test_one_item_alone_and_a_wrong_command_make_no_page(tmp_path):
    assert write([made(tmp_path, "a")], tmp_path) is None
    usage = [dataclasses.replace(failure(n), exit_code=2) for n in ("b", "c")]
    assert write(usage, tmp_path) is None
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["index.html", "runs.parquet", "index.run.json"])
def test_what_is_not_ours_is_never_replaced(tmp_path, caplog, name):
    records = [made(tmp_path, "a"), made(tmp_path, "b")]
    (tmp_path / name).write_text("mine")
    with caplog.at_level(logging.WARNING):
        assert write(records, tmp_path) is None
    assert (tmp_path / name).read_text() == "mine" and {p.name for p in tmp_path.iterdir()} == {"a", "b", name}
    (line,) = caplog.messages
    assert name in line and "page of this run is not written" in line and "\n" not in line


def test_two_commands_on_one_folder_lose_no_row(tmp_path):
    batches = [[made(tmp_path, f"{n}{k}") for k in range(3)] for n in "abcd"]
    threads = [threading.Thread(target=write, args=(b, tmp_path)) for b in batches]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(rows_of(tmp_path)) == {f"{n}{k}" for n in "abcd" for k in range(3)}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_label_table_named_as_ours_is_safe(tmp_path):
    """A pair may be called runs: its table lies where ours would."""
    records = [made(tmp_path, "a"), made(tmp_path, "b")]
    pq.write_table(pa.table({"label": [1]}, metadata={"polynya_table": "labels"}), tmp_path / "runs.parquet")
    (tmp_path / "runs.run.json").write_text(json.dumps(HEAD | {"contents": ["runs.parquet"]}))
    assert write(records, tmp_path) is None
    assert pq.read_table(tmp_path / "runs.parquet").to_pylist() == [{"label": 1}]


def test_a_granule_that_failed_lies_where_its_photons_are(tmp_path, small_granule):
    record = Record(item=str(small_granule), status=FAILED, message="no sea ice", exit_code=1)
    results = {str(small_granule): str(tmp_path / small_granule.stem), "in/b.h5": str(tmp_path / "b")}
    run_page.write(
        [record, failure("b")], out=tmp_path, command="freeboard", results=results, quantity=run_page.FREEBOARD
    )
    row = rows_of(tmp_path)[small_granule.stem]
    assert len(row["track_latitude"]) > 10 and abs(row["track_latitude"][0]) > 60.0 and not row["is_area"]
    assert "1 item without a place" in (tmp_path / "index.html").read_text()


def test_scenes_are_areas_and_their_areas_add_up(tmp_path):
    import rasterio
    from rasterio.transform import from_origin

    records = []
    for k, name in enumerate(("one", "two")):
        folder = tmp_path / name
        folder.mkdir()
        profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
        with rasterio.open(
            folder / "probability.tif", "w", **profile, transform=from_origin(500_000 + 9000 * k, 8_700_000, 900, 900)
        ) as f:
            f.write(np.zeros((1, 4, 4), np.uint8))
        run = HEAD | {"time": "2026-01-01T10:00:00+00:00", "inputs": [{"scene": name, "time": "2020-07-01T12:00:00"}]}
        run |= {"area_km2": 10.0, "area_low_km2": 8.04, "area_high_km2": 11.96, "contents": ["probability.tif"]}
        (folder / "run.json").write_text(json.dumps(run))
        records.append(Record(item=name, status=DONE, outputs={"folder": str(folder)}))
    results = {r.item: str(tmp_path / r.item) for r in records}
    run_page.write(records, out=tmp_path, command="glaciers", results=results, quantity=run_page.GLACIER_AREA)
    row = rows_of(tmp_path)["one"]
    assert row["is_area"] and row["track_latitude"][0] == pytest.approx(78.36, abs=0.05)
    assert row["uncertainty_correlated"] == pytest.approx(1.0) and row["data_time"].year == 2020
    assert "20.0 \u00b1 2.0\u202fkm\u00b2" in (tmp_path / "index.html").read_text()
