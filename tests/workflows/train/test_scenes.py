"""``polynya train`` on tile sets: learns, scores what the ONNX file says, goes on, shares out, starts from another;
sea-ice images too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import load_file  # noqa: E402

from polynya import checkpoint, description, io, recipes, train  # noqa: E402
from polynya.errors import OutputError, ProductError, UsageError  # noqa: E402
from polynya.families import scenes as family  # noqa: E402
from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.readers import glacier_tiles  # noqa: E402
from polynya.samples import scene_scaling, scene_windows, splits  # noqa: E402
from polynya.sensors.glaciers import REGIONS  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

from ...samples.scene_pieces import PIXEL, cut_images, piece, write_tiles  # noqa: E402

SIZE = 24
STILL = {"flip": False, "crop": 0.0, "gamma": 0.0, "shift": 0.0, "noise": 0.0, "occlusion_px": 0}
UNET = {
    "name": "u",
    "model": {"name": "unet", "widths": [4, 8], "entry": "presence"},
    "sensors": ["optical", "dem", "co_pol_sar"],
    "location": "region",
    "batch": 4,
    "epochs": 4,
    "scene": {"size": SIZE, "draws": 1.0, "balance": True, "sensor_dropout": 0.2, "augment": {"occlusion_px": 8}},
    "loss": {"kind": "focal", "smoothing": 0.05},
    "optimiser": {"rate": 0.02, "schedule": "onecycle"},
    "stop": {"metric": "iou"},
    "average": 0.8,
}
PLAIN = {  # no batch norm, which would see a process's share only
    "name": "p",
    "model": {"name": "unet_grey", "bands": 8, "channels": [4, 6], "dropout": [0.0, 0.0]},
    "sensors": ["optical", "dem"],
    "batch": 3,
    "epochs": 3,
    "scene": {"size": SIZE, "draws": 1.0, "augment": {"occlusion_px": 8}},
    "optimiser": {"rate": 0.01},
    "calibration": "vector",
    "stop": {"keep": "last"},
}
SHARES = (0.5, 0.2, 0.1, 0.2)
SPLIT = workflow.split_config(method="granule", shares=SHARES, block_km=10.0, gap_km=1.0, seed=0)


def make_tiles(folder: Path) -> Path:
    """Write ten scenes of two regions, a tile each, larger than a window and no multiple of it."""
    pieces = [piece((40, 34), k, region=("ALP", "HMA")[k % 2], corner=(5000.0 * k, 5e6)) for k in range(10)]
    return write_tiles(folder / "tiles.h5", pieces)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    return make_tiles(tmp_path_factory.mktemp("tiles"))


def run(settings: dict, folder: Path, data: Path, *, name: str = "out", split=SPLIT, **options) -> workflow.Result:
    folder.mkdir(exist_ok=True)
    recipe = folder / f"{settings['name']}.yaml"
    recipe.write_text(yaml.safe_dump(settings))
    return workflow.run(recipe, data=[data], out=folder / name, split=split, device="cpu", threads=1, **options)


def data_of(plan: recipes.Recipe, **options) -> family.SceneData:
    return family.data(plan, family.network(plan), **options)


@pytest.fixture(scope="module")
def trained(tiles, tmp_path_factory) -> workflow.Result:
    return run({**UNET, "epochs": 12}, tmp_path_factory.mktemp("trained"), tiles)


@pytest.fixture(scope="module")
def plain(tiles, tmp_path_factory) -> workflow.Result:
    return run(PLAIN, tmp_path_factory.mktemp("plain"), tiles)


def history(out: Path) -> list[dict]:
    return [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in json.loads((out / "history.json").read_text())["history"]
    ]


def test_everything_it_names_is_there_and_says_one_thing(trained):
    assert set(trained.outputs) == {"onnx", "weights", "description", "history", "report", "run"} and sorted(
        p.name for p in trained.out.iterdir()
    ) == sorted(p.name for p in trained.outputs.values())
    about = json.loads(trained.outputs["description"].read_text())
    loaded = predict_scenes.load(trained.outputs["onnx"], runtime="onnxruntime")
    assert (
        loaded.about == about
        and loaded.description.confidence.method in ("probability", "entropy_kernel")
        and loaded.description.location_kind == "region"
    )
    assert about["data"]["scenes"] == about["data"]["tiles"] == 10 and about["data"]["split"]["groups"] == dict(
        zip(splits.PARTS, (5, 2, 1, 2), strict=True)
    )
    assert (
        about["data"]["tables"][0]["file"] == "tiles.h5"
        and about["data"]["pixel_m"] == [PIXEL, PIXEL]
        and str(trained.out.parent)
        not in trained.outputs["report"].read_text() + trained.outputs["description"].read_text()
    )
    page = trained.outputs["report"].read_text()
    assert (
        "IoU" in page
        and "labelled pixel" in page
        and "Calling everything glacier" in page
        and "regions ALP, HMA" in page
    )
    assert trained.numbers["unit"] == "pixel" and trained.numbers["onnx_parity"] <= 1e-4


def test_the_scores_are_those_of_the_onnx_file_on_the_test_tiles(trained, tiles):
    """Cut the test scenes' tiles into windows by hand, run the file on raw values, count IoU, error and what all
    glacier would score."""
    records = glacier_tiles.open_tiles(tiles)
    plan = recipes.load(trained.out.parent / "u.yaml")
    parts = data_of(plan, data=[tiles], train_only=(), split=SPLIT).split
    network = predict_scenes.load(trained.outputs["onnx"], runtime="onnxruntime")
    called, truth = [], []
    for k, tile in enumerate(records):
        if not parts.has(k, splits.TEST):
            continue
        values = np.full((10 + 12, 48, 48), np.nan, np.float32)
        values[:10, :40, :34] = tile.values(tuple(plan.sensors), slice(0, 40), slice(0, 34))
        values[10:] = scene_scaling.region_vector(tile.region)[:, None, None]
        bits = np.zeros((48, 48), np.uint8)
        bits[:40, :34] = tile.target("outlines", slice(0, 40), slice(0, 34))
        for r in (0, 24):
            for c in (0, 24):
                called.append(network.evaluate(values[None, :, r : r + 24, c : c + 24])[0].argmax(axis=0))
                truth.append(bits[r : r + 24, c : c + 24])
    called, truth = np.array(called), np.array(truth)
    known, ice = truth > 0, truth == 2
    iou = (ice & (called == 1)).sum() / (known & (ice | (called == 1))).sum()
    assert trained.numbers["n"] == known.sum() == 2 * 38 * 34
    assert (
        trained.numbers["iou"][1] == pytest.approx(iou, abs=5e-3) and iou > 0.8
    )  # the classes of these tiles are easy to tell
    assert trained.numbers["all_positive_iou"] == pytest.approx(ice.sum() / known.sum())
    assert trained.numbers["confidence"]["n"] == known.sum()


def test_it_goes_on_to_the_same_bits(tiles, tmp_path, monkeypatch):
    """Dropout of sensors, balanced windows, turns, averages and batch norms go on as if nothing had been."""
    whole = run(UNET, tmp_path, tiles, name="whole")
    save, count = train.checkpoint.save_state, []

    def stop_at_the_third(path, state, *, digest):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        save(path, state, digest=digest)

    monkeypatch.setattr(train.checkpoint, "save_state", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(UNET, tmp_path, tiles, name="killed")
    monkeypatch.setattr(train.checkpoint, "save_state", save)
    assert not (tmp_path / "killed" / "run.json").exists()
    with pytest.raises(UsageError, match="state of a training with other data, recipe, seed or split"):
        run(UNET, tmp_path, tiles, name="killed", seed=1, resume=True)
    again = run(UNET, tmp_path, tiles, name="killed", resume=True)
    one, two = load_file(whole.outputs["weights"]), load_file(again.outputs["weights"])
    assert (
        all(torch.equal(one[k], two[k]) for k in one)
        and history(whole.out) == history(again.out)
        and len(history(again.out)) == 4
    )


def test_streamed_tiles_train_to_the_same_bits(plain, tiles, tmp_path, monkeypatch):
    monkeypatch.setattr(family.scene_windows, "KEEP_BYTES", 0)
    streamed = run(PLAIN, tmp_path, tiles)
    one, two = load_file(plain.outputs["weights"]), load_file(streamed.outputs["weights"])
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_it_starts_from_the_weights_it_is_given(plain, tiles, tmp_path):
    """With steps of nearly nothing the first epoch is judged as the other's last was."""
    small = {**PLAIN, "name": "again", "epochs": 1, "optimiser": {"rate": 1e-12}}
    result = run(small, tmp_path, tiles, start_from=plain.outputs["weights"])
    assert history(result.out)[0]["validation_loss"] == pytest.approx(
        history(plain.out)[-1]["validation_loss"], abs=1e-6
    )
    fresh = run({**small, "name": "fresh"}, tmp_path, tiles, name="fresh")
    assert abs(history(fresh.out)[0]["validation_loss"] - history(plain.out)[-1]["validation_loss"]) > 1e-3
    about = json.loads(result.outputs["description"].read_text())
    first = json.loads(plain.outputs["description"].read_text())
    assert (
        about["start_from"]
        == {
            "file": "p.safetensors",
            "weights_sha256": first["weights_sha256"],
            "ground": first["data"]["ground"],
        }
        and len(first["data"]["ground"]) == 10
    )
    with pytest.raises(OutputError, match="holds a result of another network;"):
        run(small, tmp_path, tiles, resume=True)


def test_weights_of_another_shape_are_refused(plain, trained, tiles, tmp_path):
    with pytest.raises(
        UsageError, match=r"--start-from u.safetensors: is a unet of another shape; expected the recipe's unet_grey"
    ):
        run(PLAIN, tmp_path, tiles, start_from=trained.outputs["weights"])


def test_blocks_of_one_scene_and_tiles_that_only_train(tmp_path):
    data = write_tiles(tmp_path / "data.h5", [piece((100, 100), 1, corner=(0.0, 1000.0))])
    more = write_tiles(tmp_path / "more" / "more.h5", [piece((30, 30), 50 + k) for k in range(3)])
    split = workflow.split_config(method="block", shares=(0.4, 0.2, 0.2, 0.2), block_km=0.25, gap_km=0.05, seed=1)
    result = run({**PLAIN, "epochs": 1}, tmp_path, data, split=split, train_only=[more.parent])
    told = json.loads(result.outputs["description"].read_text())["data"]
    assert (
        told["split"]["method"] == "block"
        and sum(told["split"]["groups"].values()) == 16
        and told["tiles"] == 4
        and told["scenes"] == 4
    )
    alone = data_of(recipes.load(tmp_path / "p.yaml"), data=[data], train_only=(), split=split)
    both = data_of(recipes.load(tmp_path / "p.yaml"), data=[data], train_only=[more], split=split)
    extra = np.array(
        [np.count_nonzero(np.concatenate([piece((30, 30), 50 + k).truth for k in range(3)]) == b) for b in (1, 2)]
    )
    source = alone.source(splits.TRAIN, is_scored=True)
    seen = source.batch(source.plan(None)).targets
    assert (
        alone.counts().tolist() == [np.count_nonzero(seen == b) for b in (1, 2)]
        and 0 < alone.counts().sum() < 0.6 * 100 * 94
    )
    assert np.array_equal(both.counts(), alone.counts() + extra) and alone.fingerprint() != both.fingerprint()
    for part in (splits.VALIDATION, splits.CALIBRATION, splits.TEST):
        plans = [m.source(part, is_scored=True).plan(None) for m in (alone, both)]
        assert len(plans[0]) and np.array_equal(*plans)


def test_a_regional_recipe_sees_its_region_only(tiles, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**PLAIN, "scene": {**PLAIN["scene"], "regions": ["HMA"]}}))
    found = data_of(recipes.load(recipe), data=[tiles], train_only=(), split=SPLIT)
    assert {t.region for t in found.tiles.tiles} == {"HMA"} and len(found.tiles) == 5
    recipe.write_text(yaml.safe_dump({**PLAIN, "scene": {**PLAIN["scene"], "regions": ["NZL"]}}))
    with pytest.raises(UsageError, match=r"no tile is of NZL; found ALP, HMA"):
        data_of(recipes.load(recipe), data=[tiles], train_only=(), split=SPLIT)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sensors": ["optical", "sonar"]}, "sensors ['sonar']: unknown"),
        ({"features": ["height"]}, "expected the one (tracks) or the other (scenes)"),
        ({"model": {"name": "unet", "depth": 3}}, "model.depth"),
        (
            {"model": {"name": "unet", "classes": 2}},
            "model names ['classes']; expected them from sensors, location, classes and scene.size",
        ),
        ({"model": {"name": "mlp"}}, "mlp is a network of tracks; expected one of scenes"),
        ({"model": {"name": "nosuch"}}, "no module polynya.models.nosuch"),
        ({"scene": {"size": 25}}, "scene.size 25 is no multiple of the network's stride 2; expected one. Take 24"),
        ({"scene": {"size": 24, "crop": 0.1}}, "scene.crop"),
        ({"location": "planet"}, "location"),
        ({"classes": ["glacier"]}, "classes"),
        ({"loss": {"kind": "focal", "alpha": [1.0, 2.0, 3.0]}}, "loss.alpha holds 3 numbers; expected 2"),
        ({"target": "bright_dark_outlines"}, "has no bright_dark_outlines"),
        ({"optimiser": {"restarts": [0.5, 0.1]}}, "increasing shares"),
    ],
)
def test_recipes_that_do_not_fit_are_one_line(tmp_path, tiles, change, text):
    with pytest.raises((UsageError, ProductError)) as error:
        run({**UNET, **change}, tmp_path / "here", tiles)
    assert text in str(error.value) and "\n" not in str(error.value) and not (tmp_path / "here" / "out").exists()


def test_a_target_of_more_classes_than_the_recipe_names_is_refused(tmp_path):
    import h5py

    data = write_tiles(tmp_path / "t.h5", [piece(seed=k, corner=(5000.0 * k, 5e6)) for k in range(10)])
    with h5py.File(data, "r+") as file:
        for tile in file.values():
            tile["bright_dark_outlines"] = np.stack(
                [np.zeros(tile["outlines"].shape[:2]), *np.moveaxis(tile["outlines"][:], -1, 0)], axis=-1
            ).astype(np.uint8)
    with pytest.raises(
        UsageError,
        match=r"the target bright_dark_outlines of tile0: holds class 2; expected classes 0 to 1 \(other, glacier\)",
    ):
        run({**PLAIN, "target": "bright_dark_outlines"}, tmp_path, data)
    result = run(
        {**PLAIN, "epochs": 1, "target": "bright_dark_outlines", "classes": ["other", "bright", "dark"]},
        tmp_path,
        data,
        name="three",
    )
    assert len(result.numbers["recall"]) == 3 and result.numbers["classes"] == ["other", "bright", "dark"]


def test_data_that_are_not_there_are_one_line(tmp_path, tiles):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "no.h5"):
        with pytest.raises(UsageError, match="no tile set there; expected an HDF5 file of tiles, or a folder of them"):
            run(UNET, tmp_path / "here", path)
    with pytest.raises(UsageError, match=r"--data .*empty: no image with its classes there"):
        ice = {
            "model": {"name": "unet_grey"},
            "sensors": ["grey"],
            "target": "surface_class",
            "classes": ["thick_ice", "thin_ice", "open_water"],
            "scene": {"size": 32},
        }
        run({**PLAIN, **ice}, tmp_path / "here", tmp_path / "empty")
    one = write_tiles(tmp_path / "one.h5", [piece(seed=1)])
    with pytest.raises(UsageError, match=r"split by scenes: found 1 scenes .*; .*--split block"):
        run(UNET, tmp_path / "here", one)


# The recipes.


@pytest.mark.parametrize("name", [n for n in recipes.names() if recipes.load(n).sensors])
def test_every_scene_recipe_builds_its_network_and_is_understood_at_prediction(name):
    plan = recipes.load(name)
    about = family.network(plan)
    assert plan.name == name and plan.about and set(plan.scene.regions) <= set(REGIONS)
    with torch.device("meta"):
        network = checkpoint.build(about)
        network.eval()
        planes = sum(about.scaling.sensors.values()) + len(about.scaling.sensors) + about.location
        out = network(torch.zeros(1, planes, plan.scene.size, plan.scene.size))
    assert out.shape == (1, about.predicts.channels, plan.scene.size, plan.scene.size)
    told = description.read(io.plain({**about.as_json(), "confidence": {"method": "probability"}}))
    assert tuple(told.scaling.sensors) == plan.sensors and told.size == plan.scene.size and told.size % told.stride == 0
    assert told.location == scene_scaling.LOCATIONS[plan.location]


def test_the_published_glacier_recipes_are_as_published():
    """Numbers of the paper and its code (methods note, sections 3 and 4)."""
    for name in ("glavitu", "glavitu-region", "glavitu-coordinates"):
        p = recipes.load(name)
        assert (p.loss.kind, p.loss.gamma, p.loss.smoothing, p.loss.auxiliary) == ("focal", 2.0, 0.1, 0.5)
        assert (p.batch, p.scene.size, p.scene.draws, p.optimiser.kind, p.optimiser.rate) == (8, 384, 4.0, "adam", 5e-4)
        assert (
            [round(150 * e) for e in p.optimiser.restarts] == [10, 30, 70]
            and p.epochs == 150
            and p.stop.metric == "iou"
        )
        a = p.scene.augment
        assert (a.flip, a.crop, a.gamma, a.shift, a.noise, a.occlusion_px, a.gain, a.elevation_m) == (
            True,
            0.2,
            0.2,
            0.025,
            0.005,
            192,
            0.0,
            0.0,
        )
    assert (
        recipes.load("glavitu-region").location == "region"
        and recipes.load("glavitu-region").scene.unknown_region == 0.1
        and recipes.load("glavitu-coordinates").location == "coordinates"
    )
    fine = recipes.load("glavitu-finetune")
    assert (fine.optimiser.rate, fine.optimiser.schedule, fine.epochs) == (5e-5, "cosine", 80)


# Sea-ice images.


def test_the_sea_ice_recipe_trains_on_a_simulated_pair_and_segments_with_its_export(tmp_path):
    from polynya.simulate.pair import Options, simulate_pair
    from polynya.workflows import segment

    pair = simulate_pair(
        tmp_path / "whole", Options(length_km=1.0, seed=4, beams="gt2r", image="geotiff", cloud_cover=0.1)
    )
    image, _ = cut_images(tmp_path / "pairs" / "a", [pair.colour, pair.image_truth], row=60, column=300, size=384)
    recipe = tmp_path / "ice-unet.yaml"
    settings = yaml.safe_load((recipes.FOLDER / "ice-unet.yaml").read_text())
    recipe.write_text(yaml.safe_dump({**settings, "samples": {"per_epoch": 2}, "batch": 2, "epochs": 1}))
    split = workflow.split_config(method="block", shares=(0.25, 0.25, 0.25, 0.25), block_km=1.0, gap_km=0.1, seed=0)
    result = workflow.run(recipe, data=[tmp_path / "pairs"], out=tmp_path / "out", split=split, device="cpu", threads=1)
    about = json.loads(result.outputs["description"].read_text())
    assert (
        about["classes"] == ["thick_ice", "thin_ice", "open_water"]
        and (about["stride"], about["halo"]) == (32, 224)
        and about["data"]["labelled"] > 0
    )
    made = segment.run(
        image, out=tmp_path / "map.tif", config=segment.Config(method="unet", weights=str(result.outputs["onnx"]))
    )
    network = predict_scenes.load(result.outputs["onnx"], runtime="onnxruntime")
    with rasterio.open(made.classes) as found, rasterio.open(image) as colour:
        classes, rgb = found.read(1), colour.read().astype(float)
    assert classes.shape == rgb.shape[1:] and set(np.unique(classes)) <= {0, 1, 2, 3, 255}
    grey = np.rint(rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114).astype(np.float32) / 255
    height, width = grey.shape
    padded = np.pad(grey, ((0, -height % 32), (0, -width % 32)), mode="edge")
    said = network.evaluate(padded[None, None])[0][:, :height, :width]
    sure = (np.sort(said, axis=0)[-1] - np.sort(said, axis=0)[-2] > 1e-3) & (classes <= 2)
    assert sure.mean() > 0.5 and np.array_equal(classes[sure], said.argmax(axis=0)[sure])


def test_held_out_ground_is_predicted_by_a_network_that_was_not_trained_on_it(tiles, trained, tmp_path):
    """The scores are those of the other network's file on the other tiles, and half of the calibration is fitted on
    them."""
    apart = write_tiles(
        tmp_path / "apart.h5",
        [piece((40, 34), 100 + k, region=("ALP", "HMA")[k % 2], corner=(5000.0 * k, 6e6)) for k in range(3)],
    )
    pair = f"{trained.outputs['weights']}={apart}"
    result = run({**UNET, "epochs": 1}, tmp_path, tiles, train_only=[apart], cross_fit=[pair])
    found = result.numbers["cross_fitting"]
    names = [t.scene for t in glacier_tiles.open_tiles(apart)]
    assert (
        [f["scene"] for f in found] == sorted(names)
        and {f["network"] for f in found} == {"u.safetensors"}
        and {f["tiles"] for f in found} == {f"{tmp_path.name}/apart.h5"}
    )
    network, _ = checkpoint.load(trained.outputs["weights"])
    plan = recipes.load(trained.out.parent / "u.yaml")
    held_out = family.scoring_data(plan, family.network(plan), data=apart)
    source, scenes = held_out.source(splits.TEST, is_scored=True), held_out.scenes
    given = train.outputs(network, source, target=held_out.network.predicts, batch=4)
    logits, targets, where = given.outputs, given.targets, given.where
    first = scene_windows.tile_of(where) == scenes.index(found[0]["scene"])
    ice = targets[first] == 2
    assert found[0]["n"] == first.sum() and found[0]["everything_iou"] == pytest.approx(ice.mean()) and ice.any()
    called = (
        logits[first].argmax(axis=1) == 1
    )  # before calibration, which moves few pixels of these easy scenes over the half
    assert found[0]["iou"] == pytest.approx((called & ice).sum() / (called | ice).sum(), abs=0.05)
    own = json.loads(result.outputs["description"].read_text())
    alone = json.loads(
        run({**UNET, "epochs": 1}, tmp_path, tiles, train_only=[apart], name="alone").outputs["description"].read_text()
    )
    assert (
        own["weights_sha256"] == alone["weights_sha256"]
        and own["calibration"] != alone["calibration"]
        and alone["metrics"]["cross_fitting"] == []
    )
    assert (
        "areas" not in own  # a block per scene: too few to tell
        and predict_scenes.load(result.outputs["onnx"], runtime="onnxruntime").description.areas is None
    )
    with pytest.raises(
        UsageError, match=r"trained on apart\.h5, or on ground of it; expected a network that was not trained"
    ):
        run(
            {**UNET, "epochs": 1},
            tmp_path,
            tiles,
            train_only=[apart],
            name="seen",
            cross_fit=[f"{result.outputs['weights']}={apart}"],
        )
    with pytest.raises(UsageError, match="another model and scaling"):
        run(
            {**UNET, "sensors": ["optical"], "epochs": 1},
            tmp_path,
            tiles,
            train_only=[apart],
            name="other",
            cross_fit=[pair],
        )
    with pytest.raises(UsageError, match="is no pair"):
        run({**UNET, "epochs": 1}, tmp_path, tiles, name="none", cross_fit=["nothing"])


def test_of_too_many_judged_samples_every_so_many_are_kept(tiles, trained):
    """Whatever the batches: the third part of the samples is every third of them all."""
    network, _ = checkpoint.load(trained.outputs["weights"])
    plan = recipes.load(trained.out.parent / "u.yaml")
    source = family.scoring_data(plan, family.network(plan), data=tiles).source(splits.TEST, is_scored=True)
    options = {"target": family.network(plan).predicts}
    every = train.outputs(network, source, batch=4, **options)
    for batch in (1, 4):
        some = train.outputs(network, source, batch=batch, most=len(source.plan(None)) * SIZE**2 // 3, **options)
        for name in ("outputs", "targets", "where"):
            np.testing.assert_allclose(getattr(some, name), getattr(every, name)[::3], atol=1e-5)


def test_mixed_precision_is_another_training_and_has_evidence(tiles, tmp_path):
    """bfloat16 products round otherwise than float32 ones; ``auto`` becomes one of both, and the record says which."""
    found = {}
    for kind in ("float32", "bfloat16", "auto"):
        settings = {**UNET, "epochs": 1, "optimiser": {**UNET["optimiser"], "precision": kind}}
        result = run(settings, tmp_path, tiles, name=kind)
        told = json.loads(result.outputs["description"].read_text())
        found[kind] = (
            told["weights_sha256"],
            told["recipe"]["optimiser"].get("precision", "float32"),
            result.numbers["iou"][1],
        )
    assert (
        found["float32"][0] != found["bfloat16"][0]
        and found["bfloat16"][1] == "bfloat16"
        and found["bfloat16"][2] == pytest.approx(found["float32"][2], abs=0.15)
    )
    assert found["auto"] == found[found["auto"][1]] and found["auto"][1] in ("float32", "bfloat16")
