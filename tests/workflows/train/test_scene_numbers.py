"""``polynya train`` on tile sets whose labels are numbers, or numbers and classes side by side: partly labelled, partly
without data."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, export  # noqa: E402
from polynya.errors import ProductError, UsageError  # noqa: E402
from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.readers import glacier_tiles  # noqa: E402
from polynya.samples import scene_windows  # noqa: E402
from polynya.targets import Heads, OneOf, Value  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

SIDE, SIZE = 32, 16
KINDS = ("grass", "forest", "rock")
DEPTH = Value(name="depth", units="m", centre=2.0, scale=1.0)
BOTH = Heads(heads={"depth": DEPTH, "cover": OneOf(classes=KINDS)})
RECIPE = {
    "name": "depth",
    "model": {"name": "unet", "widths": [4, 8], "entry": "presence"},
    "sensors": ["optical", "dem"],
    "target": "depth",
    "predicts": DEPTH.model_dump(),
    "scene": {"size": SIZE, "draws": 1.0, "augment": {"crop": 0.0, "gamma": 0.0, "occlusion_px": 0}},
    "optimiser": {"kind": "adamw", "rate": 0.02},
    "stop": {"metric": "rmse"},
    "batch": 4,
    "epochs": 10,
    "calibration": "vector",
}
SPLIT = workflow.split_config(method="granule", shares=(0.5, 0.2, 0.1, 0.2), block_km=10.0, gap_km=1.0, seed=0)


def depth_of(seed: int) -> np.ndarray:
    """Return 0 to 4 m, smooth."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE)) / SIDE
    return (2.0 + 2.0 * np.sin(6 * x + rng.uniform(0, 6)) * np.cos(4 * y + rng.uniform(0, 6))).astype(np.float32)


def write(path: Path, *, scenes: int = 10) -> Path:
    """Write tiles whose first optical band is the depth with noise: a corner without data, rows without label; no tile
    of an odd number has classes."""
    with h5py.File(path, "w") as file:
        for k in range(scenes):
            rng, depth, group = np.random.default_rng([k, 1]), depth_of(k), file.create_group(f"t{k}")
            optical = rng.normal(0.5, 0.1, (SIDE, SIDE, 6)).astype(np.float32)
            optical[:, :, 0] = 0.4 * depth + rng.normal(0, 0.02, depth.shape)
            optical[:8, :8] = np.nan
            group["optical"] = optical
            labelled = depth.copy()
            labelled[: 4 + k % 3] = np.nan
            group["depth"] = labelled[:, :, None]
            if k % 2 == 0:
                cover = np.digitize(depth, (1.0, 3.0))
                group["cover"] = (cover[:, :, None] == np.arange(3)).astype(np.uint8)
            about = {"units": "physical", "scene": f"s{k}", "crs": "EPSG:32632", "region": "ALP"}
            for key, value in {**about, "transform": [10.0, 0.0, 5e5 + 1e4 * k, 0.0, -10.0, 5e6]}.items():
                group.attrs[key] = value
    return path


def run(settings: dict, folder: Path, data: Path, *, name: str = "out", **options) -> workflow.Result:
    recipe = folder / f"{settings['name']}.yaml"
    recipe.write_text(yaml.safe_dump(settings, sort_keys=False))
    return workflow.run(recipe, data=[data], out=folder / name, split=SPLIT, device="cpu", threads=1, **options)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("tiles") / "tiles.h5")


@pytest.fixture(scope="module")
def trained(tiles, tmp_path_factory) -> workflow.Result:
    return run(RECIPE, tmp_path_factory.mktemp("trained"), tiles)


def test_labels_of_a_tile_are_its_numbers(tiles):
    record = glacier_tiles.open_tiles(tiles, target="depth")[1]
    window = slice(2, 20), slice(0, 11)
    expected = np.where(np.arange(SIDE)[:, None] < 5, np.nan, depth_of(1))[window]
    found = DEPTH.of_tile(record, "depth", *window)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    both = BOTH.of_tile(record, "depth", *window)
    np.testing.assert_array_equal(both["depth"], found)
    assert not both["cover"].any(), "tile 1 has no classes"
    labelled = BOTH.of_tile(glacier_tiles.open_tiles(tiles, target="depth")[0], "depth", *window)["cover"]
    assert np.array_equal(labelled, 1 << np.digitize(depth_of(0), (1.0, 3.0))[window])


def test_numbers_that_a_tile_does_not_have_are_an_error(tiles):
    record = glacier_tiles.open_tiles(tiles, target="depth")[0]
    every = slice(0, SIDE), slice(0, SIDE)
    with pytest.raises(ProductError, match=r"t0 has no height; expected it beside the sensors"):
        record.plane("height", *every)
    with pytest.raises(ProductError, match=r"t0/cover is \(32, 32, 3\); expected \(h, w, 1\)"):
        record.plane("cover", *every)


def test_labels_of_other_parts_are_unknown_and_the_others_untouched():
    numbers = depth_of(0)
    mine = np.arange(SIDE)[None, :] < np.arange(SIDE)[:, None]
    out = scene_windows.own(numbers, is_mine=mine, labels=DEPTH)
    np.testing.assert_array_equal(out, np.where(mine, numbers, np.nan))
    pairs = BOTH.encode({"depth": numbers, "cover": np.full(numbers.shape, 2, np.uint32)})
    both = scene_windows.own(pairs, is_mine=mine, labels=BOTH)
    assert np.array_equal(BOTH.known(both), mine) and np.array_equal(both["cover"] == 2, mine)
    assert not DEPTH.known(scene_windows.own(numbers, is_mine=False, labels=DEPTH)).any()


def test_a_number_is_learned_from_partly_labelled_tiles(trained):
    about = json.loads(trained.outputs["description"].read_text())
    assert about["classes"] == ["depth", "depth_spread"] and about["predicts"]["kind"] == "value"
    assert about["data"]["labels"]["test"] == {"depth": trained.numbers["n"]}
    assert trained.numbers["n"] in [SIDE * (2 * SIDE - a - b) for a in (4, 5, 6) for b in (4, 5, 6)]
    assert trained.numbers["rmse"] < 0.6 * trained.numbers["rmse_of_mean"], trained.numbers


def test_the_file_gives_the_number_and_its_spread_in_metres(trained, tiles):
    network = predict_scenes.load(trained.outputs["onnx"], runtime="onnxruntime")
    record = glacier_tiles.open_tiles(tiles, target="depth")[3]
    every = slice(0, SIDE), slice(0, SIDE)
    inputs = record.values(("optical", "dem"), *every)
    depth, spread = network.evaluate(inputs[None])[0]
    error = (depth - depth_of(3))[8:, 8:]
    assert np.sqrt((error**2).mean()) < 0.8 and (spread > 0).all()
    model, description = checkpoint.load(trained.outputs["weights"])
    with torch.inference_mode():
        same = export.whole(model, description)(torch.from_numpy(inputs[None]))[0].numpy()
    np.testing.assert_allclose(np.stack([depth, spread]), same, atol=1e-4)
    strips = predict_scenes.strips([network], lambda r, c: inputs[:, r, c], shape=(SIDE, SIDE))
    blended = np.concatenate([s.probability for s in strips], axis=1)
    assert blended.shape == (2, SIDE, SIDE)
    assert np.isnan(blended[:, :8, :8]).all() and np.isfinite(blended[:, 8:, 8:]).all()


def test_it_goes_on_to_the_same_bits(trained, tiles, tmp_path):
    """A training of fewer epochs and one that goes on see the same numbers: nothing of the labels is random."""
    one = run(RECIPE, tmp_path, tiles)
    history = [json.loads(r.outputs["history"].read_text())["history"] for r in (one, trained)]
    assert [h["validation_loss"] for h in history[0]] == [h["validation_loss"] for h in history[1]]


def test_what_nobody_saw_is_told_from_what_is_zero(trained):
    """A missing pixel is no pixel of value low: the presence plane tells them apart."""
    model, description = checkpoint.load(trained.outputs["weights"])
    graph = export.whole(model, description)
    inputs = torch.full((1, 8, SIZE, SIZE), 0.5)
    hole, low = inputs.clone(), inputs.clone()
    hole[:, :6, 4:12, 4:12] = torch.nan
    low[:, :6, 4:12, 4:12] = torch.tensor(description.scaling.low[:6]).reshape(1, 6, 1, 1)
    with torch.inference_mode():
        assert (graph(hole) - graph(low)).abs().max() > 1e-3


def test_numbers_and_classes_are_learned_side_by_side(tiles, tmp_path):
    settings = {**RECIPE, "name": "both", "predicts": BOTH.model_dump(), "stop": {"metric": "depth.rmse"}}
    result = run(settings, tmp_path, tiles)
    about = json.loads(result.outputs["description"].read_text())
    assert about["classes"] == ["depth.depth", "depth.depth_spread", *(f"cover.{k}" for k in KINDS)]
    heads = result.numbers["heads"]
    assert heads["depth"]["rmse"] < 0.8 * heads["depth"]["rmse_of_mean"]
    counts = about["data"]["labels"]
    classes = {k: sum(part[f"cover.{k}"] for part in counts.values()) for k in KINDS}
    depths = np.concatenate([depth_of(k).ravel() for k in range(0, 10, 2)])
    assert list(classes.values()) == np.bincount(np.digitize(depths, (1.0, 3.0)), minlength=3).tolist()


def test_what_tiles_cannot_hold_is_an_error(tiles, tmp_path):
    settings = {**RECIPE, "predicts": {"kind": "many_of", "labels": ["a", "b"]}, "stop": {"metric": "loss"}}
    with pytest.raises(UsageError, match="t0: tiles hold no labels of this kind of target; expected one_of, value"):
        run(settings, tmp_path, tiles)
