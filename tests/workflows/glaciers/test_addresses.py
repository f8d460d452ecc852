"""Glaciers with object stores: images fetched from addresses, results written to them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import ProductError, UsageError
from polynya.io import remote
from polynya.workflows import glaciers
from polynya.workflows.glaciers import batch, scene_files

pytest.importorskip("fsspec")
from ... import stores
from . import pieces

OUT = "memory://bucket/mapped"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_PAUSE_S", 0.0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A folder with the two files of a scene, and a network for them."""
    folder = tmp_path_factory.mktemp("scene")
    inside = pieces.discs((90, 100), pixel_m=20.0, centres=[(1000.0, 900.0)], radius_m=500.0)
    dem = np.stack([3000.0 + np.add.outer(np.arange(90), np.zeros(100)), np.full((90, 100), 3.0)])
    pieces.write_scene(
        folder / "disc", pieces.grid(90, 100), optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8)), dem=dem
    )
    pieces.linear_network(folder / "undo.onnx")
    return folder


@pytest.fixture
def files(scene):
    with stores.in_memory() as made:
        for name in ("optical", "dem"):
            made.put_file(str(scene / f"disc/{name}.tif"), f"/in/{name}.tif")
        yield made


def config(scene):
    return glaciers.Config.checked(network=(str(scene / "undo.onnx"),), runtime="onnxruntime")


def test_a_scene_at_addresses_gives_the_map_of_its_files_and_is_done_once(files, scene, tmp_path):
    here = [str(scene / "disc/optical.tif"), f"dem={scene / 'disc/dem.tif'}"]
    there = ["memory://in/optical.tif", "dem=memory://in/dem.tif"]
    local = glaciers.run(here, out=tmp_path / "here", config=config(scene), threads=1)
    result = glaciers.run(there, out=f"{OUT}/one", config=config(scene), threads=1)
    assert result.total == local.total and result.scene == local.scene and result.n_outlines == 1
    assert set(result.files) == {p.name for p in (tmp_path / "here").iterdir()}
    copy = stores.copy_of(files, tmp_path / "copy") / "bucket/mapped/one"
    for name in ("probability.tif", "confidence.tif", "outlines.parquet"):
        assert (copy / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert str(result.files["report.html"]) == f"{OUT}/one/report.html"
    assert glaciers.done_before(there, out=f"{OUT}/one", config=config(scene)) is not None
    assert glaciers.done_before(there, out=f"{OUT}/two", config=config(scene)) is None
    assert glaciers.done_before(here, out=f"{OUT}/one", config=config(scene)) is not None  # the content decides


def test_many_scenes_at_addresses(files, scene, tmp_path):
    files.cp_file("/in/optical.tif", "/in/other.tif")
    network = str(scene / "undo.onnx")
    words = ["glaciers", "memory://in/o*.tif", "memory://in/none.tif", "--each", "-o", OUT, "--network", network]
    for status in ("done", "skipped"):
        done = CliRunner().invoke(app, [*words, "--runtime", "onnxruntime", "--threads", "1", "--json"])
        records = json.loads(done.stdout)
        assert done.exit_code == 3 and [r["status"] for r in records] == [status, status, "failed"]
        assert [r["item"] for r in records[:2]] == ["memory:///in/optical.tif", "memory:///in/other.tif"]
        assert records[0]["outputs"] == {"folder": f"{OUT}/optical"}
        assert records[2]["message"].startswith("memory://in/none.tif: is not there")
    copy = stores.copy_of(files, tmp_path / "copy") / "bucket/mapped"
    rows = {r["name"]: r for r in pq.read_table(copy / "runs.parquet").to_pylist()}
    assert {n: r["state"] for n, r in rows.items()} == {"optical": "done", "other": "done", "none": "failed"}
    assert rows["optical"]["is_area"] and rows["optical"]["report"] == "optical/report.html"
    assert 8.0 < rows["optical"]["track_longitude"][0] < 13.0 and (copy / "index.html").exists()


def test_addresses_have_folders_of_their_own():
    names = batch.folder_names(["s3://a/one/x.tif", "s3://a/two/x.tif", "https://h/y.tif?token=b/c"])
    assert list(names.values()) == ["one_x", "two_x", "h_y"]
    with pytest.raises(UsageError, match=r"s3://a/x\.tif is given twice"):
        batch.folder_names(["s3://a/x.tif", "s3://a/x.tif"])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("s3://b/x.tif", ("", "s3://b/x.tif")),
        ("https://h/x.tif?a=s3://b", ("", "https://h/x.tif?a=s3://b")),
        ("sar:descending=gs://b/s1.tif", ("sar:descending=", "gs://b/s1.tif")),
        ("dem=dem.tif", ("", "")),
        ("folder/a=s3://b/x.tif", ("", "")),
    ],
)
def test_an_address_is_told_from_a_path(entry, expected):
    assert scene_files.split_address(entry) == expected


@pytest.mark.parametrize("name", ["scene", "S2A.SAFE", "item.json", "scene.vrt"])
def test_what_refers_to_other_files_is_one_line(name):
    with (
        pytest.raises(UsageError, match=f"dem=s3://b/{name}: names a folder, a STAC item or a VRT"),
        scene_files.fetched([f"dem=s3://b/{name}"]),
    ):
        pass


def test_a_scene_that_is_not_there_is_one_line(files, scene):
    with pytest.raises(ProductError, match=r"memory://in/none\.tif: is not there"):
        glaciers.run(["memory://in/none.tif"], out=OUT, config=config(scene))
    assert not [n for n in files.store if "mapped" in n]
