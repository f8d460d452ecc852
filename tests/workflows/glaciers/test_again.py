"""``polynya glaciers`` again: what is there is skipped or kept, nothing half written stays, ``--each`` goes on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import rasterio

from polynya import io
from polynya.errors import OutputError, PolynyaError, UsageError
from polynya.report import glacier_map
from polynya.workflows import glaciers

from . import pieces
from .pieces import cli, config

PAGE = ("index.html", "index.run.json", "runs.parquet")


def test_nothing_half_written_stays(disc, network, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise PolynyaError("the page cannot be written")

    monkeypatch.setattr(glacier_map, "write", broken)
    with pytest.raises(PolynyaError, match="the page"):
        glaciers.run([disc], out=tmp_path / "out", config=config(network))
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_by_chance(disc, network, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    glaciers.run([disc], out=out, config=config(network))  # an empty folder is as good as none
    before = (out / "run.json").read_bytes()
    with pytest.raises(UsageError, match="exists already; expected a new name"):
        glaciers.run([disc], out=out, config=config(network))
    assert (out / "run.json").read_bytes() == before
    glaciers.run([disc], out=out, config=config(network, threshold=0.9), overwrite=True)
    assert io.read_json(out / "run.json")["config"]["threshold"] == 0.9
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no result of polynya"):
            glaciers.run([disc], out=other, config=config(network), overwrite=overwrite)
    assert (other / "chapter1.tex").read_text() == "years of work"


def test_each_skips_what_is_done_and_goes_on_after_a_bad_scene(disc, network, tmp_path):
    scenes = tmp_path / "scenes"
    for name in ("a", "b"):
        shutil.copytree(disc, scenes / name)
    (scenes / "bad").mkdir()
    (scenes / "bad/optical.tif").write_bytes(b"no picture")
    words = [
        "glaciers",
        *(scenes / n for n in ("a", "bad", "b")),
        "--each",
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
        "--json",
    ]
    code, said, _ = cli(*words)
    assert code == 3 and [r["status"] for r in json.loads(said)] == ["done", "failed", "done"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a", "b", *PAGE} and "optical.tif" in json.loads(said)[1][
        "message"
    ]
    first = (tmp_path / "out/a/run.json").stat().st_mtime_ns
    shutil.rmtree(tmp_path / "out/b")
    code, said, _ = cli(*words)
    assert code == 3 and [r["status"] for r in json.loads(said)] == ["skipped", "failed", "done"]
    assert (tmp_path / "out/a/run.json").stat().st_mtime_ns == first
    code, said, _ = cli(*words, "--threshold", 0.7)
    assert code == 1 and "holds a result of other settings (threshold)" in json.loads(said)[0]["message"]
    code, said, _ = cli(*words, "--threshold", 0.7, "--overwrite")
    assert code == 3 and io.read_json(tmp_path / "out/a/run.json")["config"]["threshold"] == 0.7


def test_scenes_of_one_name_get_folders_of_their_own(disc, network, tmp_path):
    for name in ("one/date1", "two/date1"):
        shutil.copytree(disc, tmp_path / name)
    code, _, _ = cli(
        "glaciers",
        tmp_path / "one/date1",
        tmp_path / "two/date1",
        "--each",
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
    )
    assert code == 0 and {p.name for p in (tmp_path / "out").iterdir()} == {"one_date1", "two_date1", *PAGE}
    code, _, said = cli(
        "glaciers",
        tmp_path / "one/date1",
        tmp_path / "one/date1",
        "--each",
        "-o",
        tmp_path / "out2",
        "--network",
        network,
    )
    assert code == 2 and "is given twice" in said


def test_each_does_not_take_another_scene_of_one_name_for_done(disc, network, tmp_path):
    for name in ("one/date1", "two/date1"):
        shutil.copytree(disc, tmp_path / name)
    told = io.read_json(tmp_path / "two/date1/scene.json")
    (tmp_path / "two/date1/scene.json").write_text(json.dumps({**told, "time": "2023-08-01T10:00:00Z"}))
    words = ["--each", "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime", "--json"]
    assert cli("glaciers", tmp_path / "one/date1", *words)[0] == 0
    assert json.loads(cli("glaciers", tmp_path / "one/date1", *words)[1])[0]["status"] == "skipped"
    code, said, _ = cli("glaciers", tmp_path / "two/date1", *words)
    assert code == 1 and "holds a result of another scene" in json.loads(said)[0]["message"]


def test_one_scene_is_mapped_once(disc, network, tmp_path):
    """The same command again maps nothing; other settings say what is there and replace nothing but on --overwrite."""
    words = ["glaciers", disc, "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime"]
    assert cli(*words)[0] == 0
    before = (tmp_path / "out/run.json").read_bytes()
    code, said, _ = cli(*words)
    assert code == 0 and "done before from the same files and settings" in said
    code, said, _ = cli(*words, "--json")
    assert code == 0 and json.loads(said)["status"] == "skipped" and json.loads(said)["area_km2"] > 1.0
    code, _, error = cli(*words, "--threshold", "0.9")
    assert code != 0 and "--overwrite" in error and (tmp_path / "out/run.json").read_bytes() == before
    assert cli(*words, "--threshold", "0.9", "--overwrite")[0] == 0
    assert io.read_json(tmp_path / "out/run.json")["config"]["threshold"] == 0.9


def test_each_maps_a_scene_anew_whose_pixels_changed(disc, network, tmp_path):
    """The same name, time and size of file: only the pixels tell that the result is not of this scene any more."""
    scene = shutil.copytree(disc, tmp_path / "scenes/a")
    words = ["glaciers", scene, "--each", "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime"]
    code, said, _ = cli(*words, "--json")
    (first,) = json.loads(said)
    assert code == 0 and first["numbers"]["area_km2"] > 1.0
    assert json.loads(cli(*words, "--json")[1])[0]["status"] == "skipped"
    with rasterio.open(scene / "optical.tif", "r+") as file:
        file.write(np.full((file.count, *file.shape), 0.02, np.float32))
    code, said, _ = cli(*words, "--json")
    (record,) = json.loads(said)
    assert code == 1 and record["status"] == "failed" and "holds a result of another scene;" in record["message"]
    assert io.read_json(tmp_path / "out/a/run.json")["area_km2"] == first["numbers"]["area_km2"]
    code, said, _ = cli(*words, "--json", "--overwrite")
    assert code == 0 and json.loads(said)[0]["numbers"]["area_km2"] == 0.0


def test_another_network_inventory_or_file_of_the_scene_is_another_result(disc, network, tmp_path):
    scene = shutil.copytree(disc, tmp_path / "scenes/a")
    words = ["glaciers", scene, "--each", "-o", tmp_path / "out", "--runtime", "onnxruntime", "--json"]
    assert cli(*words, "--network", network)[0] == 0
    other = pieces.linear_network(tmp_path / "other.onnx", {("optical", 0): 40.0}, bias=-18.0)
    moved = shutil.copy(network, tmp_path / "moved.onnx")
    assert json.loads(cli(*words, "--network", moved)[1])[0]["status"] == "skipped"
    assert "of another network;" in json.loads(cli(*words, "--network", other)[1])[0]["message"]
    inventory = tmp_path / "out/a/outlines.gpkg"
    said = json.loads(cli(*words, "--network", network, "--inventory", inventory)[1])
    assert "of another inventory;" in said[0]["message"]
    (scene / "more.txt").write_text("a file more in the folder")
    assert "of another scene;" in json.loads(cli(*words, "--network", network)[1])[0]["message"]
