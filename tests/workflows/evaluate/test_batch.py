"""Many results against their references: a table each, all in one, on every engine; what is done is not done again."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import OutputError, ProductError, UsageError
from polynya.workflows import evaluate
from polynya.workflows.evaluate import batch
from tests.evaluate.tracks import lead_table, section_table, segment_table, truth_table

ERRORS_M = {"near": 0.01, "far": 0.04}


@pytest.fixture
def season(tmp_path):
    """Two results of freeboard with known height errors, their truths, and a table of them."""
    lines = ["result,reference"]
    for n, (name, error) in enumerate(ERRORS_M.items()):
        truth = truth_table(lead_cells=range(500 + n, 540))
        pq.write_table(truth, tmp_path / f"{name}_truth.parquet")
        folder = tmp_path / name
        folder.mkdir()
        pq.write_table(segment_table(truth, height_error=error), folder / "segments.parquet")
        pq.write_table(lead_table([]), folder / "leads.parquet")
        pq.write_table(section_table([]), folder / "sea_surface.parquet")
        lines.append(f"{name},{name}_truth.parquet")
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_each_equals_that_of_one_alone_and_all_are_in_one(season, workers):
    items = batch.read_pairs(season / "pairs.csv", out=season / "scores")
    records = batch.run(items, workers=workers)
    assert [r.status for r in records] == ["done", "done"]
    together = pq.read_table(season / "scores/scores.parquet")
    for name in ERRORS_M:
        alone = evaluate.run(season / name, reference=season / f"{name}_truth.parquet")
        assert pq.read_table(season / f"scores/{name}.parquet").to_pylist().__repr__() == alone.to_pylist().__repr__()
        rows = [r for r in together.to_pylist() if r.pop("result") == name]
        assert rows.__repr__() == alone.to_pylist().__repr__()
        [record] = [r for r in records if r.item.endswith(f"{name}.parquet")]
        [bias] = [
            r["value"]
            for r in rows
            if (r["metric"], r["class"], r["region"], r["reference"])
            == ("freeboard_bias", "all", "all", "truth: footprint mean")
        ]
        assert record.numbers["freeboard_bias"] == bias and record.numbers["n_compared"] > 100
        assert f"{bias:.3f}" in batch.text(records)
    assert (season / "scores/index.html").exists() and (season / "scores/runs.parquet").exists()


def test_what_is_done_is_skipped_and_what_changed_is_said(season):
    items = batch.read_pairs(season / "pairs.csv", out=season / "scores")
    first = batch.run(items, workers=1)
    before = {p: p.stat().st_ino for p in (season / "scores").glob("*.parquet")}
    again = batch.run(items, workers=1)
    assert [r.status for r in again] == ["skipped", "skipped"]
    assert [r.numbers for r in again] == [r.numbers for r in first]
    assert {p: p.stat().st_ino for p in before if p.stem in ERRORS_M} == {
        p: i for p, i in before.items() if p.stem in ERRORS_M
    }
    table = pq.read_table(season / "near/segments.parquet")
    pq.write_table(table.slice(0, table.num_rows - 7), season / "near/segments.parquet")
    records = batch.run(items, workers=1)
    assert [r.status for r in records] == ["failed", "skipped"] and "--overwrite" in records[0].message
    assert [r.status for r in batch.run(items, workers=1, overwrite=True)] == ["done", "done"]
    assert [r.status for r in batch.run(items, workers=1, seed=1)] == ["failed", "failed"]


def test_one_bad_pair_costs_itself_only(season):
    with (season / "pairs.csv").open("a") as file:
        file.write("gone,near_truth.parquet\n")
    records = batch.run(batch.read_pairs(season / "pairs.csv", out=season / "scores"), workers=1)
    assert [r.status for r in records] == ["done", "done", "failed"]
    assert "gone: no such file or folder" in records[2].message and not (season / "scores/gone.parquet").exists()
    assert set(pq.read_table(season / "scores/scores.parquet")["result"].to_pylist()) == set(ERRORS_M)


def test_maps_of_concentration_are_scored_too(tmp_path):
    profile = {"driver": "GTiff", "width": 60, "height": 60, "count": 1, "crs": "EPSG:3413", "dtype": "float32"}
    profile["transform"] = rasterio.transform.from_origin(0, -1_000_000, 10_000, 10_000)
    truth = np.clip((np.arange(60) - 20) / 20.0, 0.0, 1.0)[None, :].repeat(60, axis=0).astype(np.float32)
    for name, values in (("sea_ice_concentration", np.clip(truth - 0.1, 0, 1)), ("truth", truth)):
        with rasterio.open(tmp_path / f"{name}.tif", "w", **profile) as file:
            file.write(values, 1)
            file.set_band_description(1, "sea_ice_concentration")
            file.update_tags(1, units="1", standard_name="sea_ice_area_fraction")
    (tmp_path / "pairs.csv").write_text("result,reference\nsea_ice_concentration.tif,truth.tif\n")
    [record] = batch.run(batch.read_pairs(tmp_path / "pairs.csv", out=tmp_path / "scores"), workers=1)
    assert record.status == "done", record.message
    error = 100 * (np.clip(truth - 0.1, 0, 1) - truth)
    assert record.numbers["bias"] == pytest.approx(error.mean(), abs=0.3)
    assert record.numbers["rmse"] == pytest.approx(np.sqrt((error**2).mean()), abs=0.3)
    assert record.numbers["r2"] < 1 and "rmse" in batch.text([record])


def test_other_peoples_files_stay(season):
    items = batch.read_pairs(season / "pairs.csv", out=season / "scores")
    (season / "scores").mkdir()
    (season / "scores/scores.parquet").write_text("mine")
    with pytest.raises(OutputError, match=r"scores\.parquet: exists already"):
        batch.run(items, workers=1)
    (season / "scores/scores.parquet").unlink()
    (season / "scores/near.parquet").write_text("mine")
    records = batch.run(items, workers=1, overwrite=True)
    assert [r.status for r in records] == ["failed", "done"]
    assert (season / "scores/near.parquet").read_text() == "mine"


def test_glaciers_and_tracks_in_one_batch(season):
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "crs": "EPSG:32633"}
    profile["transform"] = rasterio.transform.from_origin(500_000, 8_700_000, 10, 10)
    classes = np.zeros((64, 64), np.uint8)
    classes[10:40, 10:40] = 1
    ours = classes.astype(np.float32) * 0.9
    ours[:20] = 0.1  # a third of the glacier is missed: 900 pixels, 300 of them
    for name, values in (("map", ours), ("map_truth", classes)):
        with rasterio.open(season / f"{name}.tif", "w", dtype=values.dtype, **profile) as file:
            file.write(values, 1)
    (season / "pairs.csv").write_text(
        "result,reference,region,name\nmap.tif,map_truth.tif,Svalbard,glacier\nnear,near_truth.parquet,,\n"
    )
    records = batch.run(batch.read_pairs(season / "pairs.csv", out=season / "scores"), workers=1)
    assert [r.status for r in records] == ["done", "done"], [r.message for r in records]
    assert records[0].numbers["iou"] == pytest.approx(600 / 900)
    rows = pq.read_table(season / "scores/scores.parquet").to_pylist()
    assert {r["region"] for r in rows if r["result"] == "glacier"} == {"Svalbard"}
    assert all(r["stratum"] is None for r in rows if r["result"] == "near")
    (season / "pairs.csv").write_text("result,reference,region\nnear,near_truth.parquet,Svalbard\n")
    [record] = batch.run(batch.read_pairs(season / "pairs.csv", out=season / "other"), workers=1)
    assert record.exit_code == 2 and "region do not apply; expected glaciers" in record.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("result,truth\na,b\n", "expected result, reference, and perhaps scene"),
        ("result,reference\na,\n", "line 2: reference is empty"),
        ("result,reference\n", "holds no pair"),
        ("result,reference\na,b\nx/a,b\n", "a occurs more than once"),
        ("result,reference,name\na,b,../c\n", "line 2: name '../c'"),
        ("result,reference,name\na,b,scores\n", "line 2: name 'scores'"),
    ],
)
def test_tables_that_do_not_fit_are_one_line(tmp_path, text, words):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        batch.read_pairs(tmp_path / "pairs.csv", out=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ProductError, match=r"cannot be read|no such file"):
        batch.read_pairs(tmp_path / "gone.parquet", out=tmp_path)


def test_the_command(season):
    words = ["evaluate", "--pairs", str(season / "pairs.csv"), "-o", str(season / "scores"), "--workers", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and "freeboard bias" in done.output and "near" in done.output
    shutil.rmtree(season / "far")
    found = CliRunner().invoke(app, [*words[:4], str(season / "others"), *words[5:], "--json"])
    answer = json.loads(found.stdout)
    assert (found.exit_code, answer["exit_code"]) == (3, 3)
    assert [r["status"] for r in answer["pairs"]] == ["done", "failed"]
    for more, text in (
        ([str(season / "near")], "--pairs: goes with no OUT"),
        (["--brief"], "--pairs: goes with no OUT"),
        (["--engine", "nowhere"], "--engine nowhere: no such engine"),
    ):
        refused = CliRunner().invoke(app, [*words, *more])
        assert isinstance(refused.exception, UsageError) and text in str(refused.exception)
    for alone, text in (
        (["evaluate"], "OUT: a result and its --reference are needed"),
        (words[:3], "-o: is missing"),
        (["evaluate", "x", "-r", "y", "-o", "z"], "-o: goes with --pairs only"),
    ):
        refused = CliRunner().invoke(app, alone)
        assert isinstance(refused.exception, UsageError) and text in str(refused.exception)


def test_the_page_says_where_the_tracks_lie(season):
    batch.run(batch.read_pairs(season / "pairs.csv", out=season / "scores"), workers=1)
    rows = io.read_table(season / "scores/runs.parquet").to_pylist()
    assert [r["quantity"] for r in rows] == ["freeboard, bias to the reference"] * 2
    assert all(len(r["track_latitude"]) > 3 for r in rows)
    again = batch.run(batch.read_pairs(season / "pairs.csv", out=season / "scores"), engine="local", workers=1)
    assert {round(r["value"], 6) for r in rows} == {round(r.numbers["freeboard_bias"], 6) for r in again}


def test_scores_at_an_address_are_those_of_a_local_run(season, tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    from ... import stores

    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    batch.run(batch.read_pairs(season / "pairs.csv", out=season / "scores"), workers=1)
    with stores.in_memory() as files:
        items = batch.read_pairs(season / "pairs.csv", out="memory://bucket/scores")
        assert [r.status for r in batch.run(items, workers=1)] == ["done", "done"]
        copy = stores.copy_of(files, tmp_path / "copy") / "bucket/scores"
        assert {p.name for p in copy.iterdir()} == {p.name for p in (season / "scores").iterdir()}
        for name in ("near", "far", "scores"):
            assert (copy / f"{name}.parquet").read_bytes() == (season / f"scores/{name}.parquet").read_bytes()
        before = files.cat("/bucket/scores/near.parquet"), files.created("/bucket/scores/near.parquet")
        assert [r.status for r in batch.run(items, workers=1)] == ["skipped", "skipped"]
        assert before == (files.cat("/bucket/scores/near.parquet"), files.created("/bucket/scores/near.parquet"))
        files.pipe("/bucket/scores/scores.run.json", b"theirs")
        with pytest.raises(OutputError, match=r"scores\.run\.json: exists already and is no record of polynya"):
            batch.run(items, workers=1)
