"""The shipped networks: the three files of each are one network, made by the recipe that is here, and name nobody's
machine."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from polynya import recipes, schema
from polynya.errors import ProductError
from polynya.predict import echoes as predict_echoes
from polynya.predict import images as predict_images
from polynya.predict import runtime as predict_runtime
from polynya.predict import scenes as predict_scenes
from polynya.predict import tracks as predict_tracks
from polynya.workflows.freeboard import classifier

ROOT = Path(__file__).resolve().parents[1]
WHERE = predict_runtime.WEIGHTS
TRACKS, SCENES = predict_runtime.shipped(), predict_runtime.shipped(family="scenes")
ECHOES = predict_runtime.shipped(family="echoes")
IMAGES = predict_runtime.shipped(family="images")
NAMES = [*TRACKS, *SCENES, *ECHOES, *IMAGES]
SCORED_APART = {"concentration": r"train_\d+\.h5", "leads": r"track_(08|18)\d{5}\.nc", "tags": r"part_\d\d"}
"""Networks whose scores are in docs/results, on scenes or tracks that were drawn for that alone; and the names of what
they were trained on."""


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def load(name: str) -> predict_tracks.Classifier | predict_scenes.SceneNetwork | predict_runtime.Network:
    if name in ECHOES:
        return predict_echoes.load(name, runtime="onnxruntime")
    if name in IMAGES:
        return predict_images.load(name, runtime="onnxruntime")
    return (predict_scenes if name in SCENES else predict_tracks).load(name, runtime="onnxruntime")


def described(name: str) -> dict:
    return json.loads((WHERE / f"{name}.json").read_text(encoding="utf-8"))


def test_a_name_alone_says_whether_a_network_is_shipped():
    assert all(predict_runtime.is_shipped(name) for name in (*TRACKS, *SCENES))
    assert not predict_runtime.is_shipped("no-such-network")


def test_every_shipped_network_is_what_was_shipped():
    lines = (predict_runtime.WEIGHTS / predict_runtime.SUMS).read_text().splitlines()
    there = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in predict_runtime.WEIGHTS.glob("*.onnx")}
    assert {f"{digest}  {name}" for name, digest in there.items()} == set(lines)  # else: scripts/ship_sums.py


def test_a_shipped_network_that_was_changed_is_not_used(tmp_path, monkeypatch):
    name = min(predict_runtime.WEIGHTS.glob("*.onnx"), key=lambda p: p.stat().st_size).name
    for file in (name, predict_runtime.SUMS):
        shutil.copyfile(predict_runtime.WEIGHTS / file, tmp_path / file)
    monkeypatch.setattr(predict_runtime, "WEIGHTS", tmp_path)
    predict_runtime.session(tmp_path / name)
    sums = (tmp_path / predict_runtime.SUMS).read_text()
    for lines in (re.sub(rf".(?=  {name})", "x", sums), sums.replace(name, "other.onnx")):
        (tmp_path / predict_runtime.SUMS).write_text(lines)
        with pytest.raises(ProductError, match=f"{name}: its SHA-256 is .* keep a network of your own in another"):
            predict_runtime.session(tmp_path / name)


def test_the_default_is_shipped():
    assert classifier.DEFAULT in NAMES
    chosen = classifier.select(None, resolution="2")
    assert chosen.path == WHERE / f"{classifier.DEFAULT}.onnx" and chosen.message is None


@pytest.mark.parametrize("name", NAMES)
def test_its_files_say_one_thing(name):
    about = described(name)
    with safe_open(WHERE / f"{name}.safetensors", "np") as file:
        inside = json.loads(file.metadata()["polynya"])
    assert about == inside == load(name).about
    weights = load_file(WHERE / f"{name}.safetensors")
    assert sum(w.size for k, w in weights.items() if not k.endswith(STATISTICS)) == about["metrics"]["parameters"]
    assert about["weights_sha256"][:16] in (WHERE / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_that_is_here_made_it(name):
    """Otherwise `make weights` makes another network than the one shipped."""
    made, here = described(name)["recipe"], recipes.load(name).as_dict()
    if here["optimiser"].get("precision") == "auto":  # the record says which it was
        assert made["optimiser"].pop("precision", "float32") in ("float32", "bfloat16")
        del here["optimiser"]["precision"]
    assert {k: v for k, v in made.items() if k != "about"} == {k: v for k, v in here.items() if k != "about"}


@pytest.mark.parametrize("name", NAMES)
def test_it_was_scored_on_an_honest_split(name):
    about = described(name)
    assert not about["data"]["split"]["is_leaky"] and about["metrics"]["calibrated_on"] == "calibration"
    if name in SCORED_APART:  # no part of the training was kept for it
        result = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))
        assert result["networks"][name] == about["weights_sha256"][:16] and "/test" in result["command"]
        trained_on = {t["file"] for t in about["data"]["tables"]}
        assert trained_on and all(re.fullmatch(SCORED_APART[name], file) for file in trained_on)
    else:
        assert about["metrics"]["part"] == "test"
    if name not in TRACKS:
        return
    assert set(about["features"]) <= set(schema.FEATURES.names)
    parts = about["data"]["granule_parts"]
    drawn = {t["granule"] for t in about["data"]["tables"] if t.get("source")}
    assert all(parts[g] == "train" for g in drawn)  # real photons are in no other part


@pytest.mark.parametrize("path", sorted(WHERE.iterdir()), ids=lambda p: p.name)
def test_no_path_of_a_machine_is_in_it(path):
    assert not re.search(rb"/(?:home|root|tmp|work|Users|mnt|usr)/|[A-Z]:\\\\", path.read_bytes())


@pytest.mark.parametrize("name", SCENES)
def test_weights_and_graph_of_a_scene_network_are_one(name):
    torch = pytest.importorskip("torch")
    from polynya import checkpoint, export

    network, about = checkpoint.load(WHERE / f"{name}.safetensors")
    shipped = load(name)
    rng = np.random.default_rng(0)
    raw = rng.random((1, shipped.bands + about.location, about.size, about.size), dtype=np.float32)
    raw[:, 0, :50] = np.nan
    with torch.inference_mode():
        expected = export.whole(network, about)(torch.from_numpy(raw)).numpy()
    assert np.abs(shipped.evaluate(raw) - expected).max() <= 1e-4


@pytest.mark.parametrize("name", TRACKS)
def test_weights_and_graph_are_one_network(name):
    """The safetensors file through torch gives what the ONNX file gives, over more track than one tile's halo."""
    torch = pytest.importorskip("torch")
    from polynya import checkpoint, export

    network, about = checkpoint.load(WHERE / f"{name}.safetensors")
    n = 3 * 64 * max(about.stride, 1) if about.kind == "sequence" else about.window_length
    rng = np.random.default_rng(0)
    raw = (np.array(about.mean) + np.array(about.std) * rng.normal(size=(1, n, len(about.features)))).astype(np.float32)
    if about.kind == "sequence":
        here = (rng.random((1, n, 1)) < 0.95).astype(np.float32)
        raw = np.ascontiguousarray(np.concatenate([raw * here, here], axis=2).transpose(0, 2, 1))
    with torch.inference_mode():
        expected = export.whole(network, about)(torch.from_numpy(raw)).numpy()
    found = predict_tracks.load(name, runtime="onnxruntime").evaluate(raw)
    assert np.abs(found - expected).max() <= 1e-4


def test_a_card_that_names_its_graph_names_the_one_beside_it():
    named = {p.stem: re.search(r"ONNX ([0-9a-f]{16})", p.read_text(encoding="utf-8")) for p in WHERE.glob("*.md")}
    assert named["concentration"]
    for name, found in named.items():
        digest = hashlib.sha256((WHERE / f"{name}.onnx").read_bytes()).hexdigest()
        assert found is None or digest.startswith(found[1]), name


@pytest.mark.parametrize("name", [*ECHOES, *IMAGES])
def test_weights_and_graph_of_a_network_of_echoes_or_images_are_one(name):
    torch = pytest.importorskip("torch")
    from polynya import checkpoint, export, families

    network, about = checkpoint.load(WHERE / f"{name}.safetensors")
    raw = families.named(about.family).example(about, batch=7, length=2)
    with torch.inference_mode():
        expected = export.whole(network, about)(torch.from_numpy(raw)).numpy()
    np.testing.assert_allclose(load(name).evaluate(raw), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ECHOES)
def test_a_network_of_echoes_says_that_it_was_simulated(name):
    about = described(name)
    assert about["is_simulated"] and about["data"]["simulated"] and about["missions"] == ["SARAL"]
    assert "simulated" in (WHERE / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", IMAGES)
def test_a_network_of_images_is_small_and_says_that_it_was_simulated(name):
    about = described(name)
    assert about["is_simulated"] and about["data"]["simulated"] and about["decision"]["untagged"] >= 20
    assert (WHERE / f"{name}.onnx").stat().st_size <= 7e6 and about["metrics"]["parameters"] <= 1_600_000
    assert "simulated" in (WHERE / f"{name}.md").read_text(encoding="utf-8")
