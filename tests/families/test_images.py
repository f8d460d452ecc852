"""The family of images: a small training to its ONNX file, splits by orbit, settings that do not fit, prediction
without torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, export, families, recipes  # noqa: E402
from polynya.errors import ProductError, UsageError  # noqa: E402
from polynya.families import images as family  # noqa: E402
from polynya.models import inception_v3  # noqa: E402
from polynya.predict import images as predict_images  # noqa: E402
from polynya.readers import wv_quicklooks  # noqa: E402
from polynya.samples import splits  # noqa: E402
from polynya.samples.imagette_pictures import SCALARS  # noqa: E402
from polynya.schema.imagettes import TAGS  # noqa: E402
from polynya.simulate.wave_mode.product import Options, simulate_imagettes  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402
from polynya.workflows.train import earlier  # noqa: E402

SPLIT = workflow.split_config(method="granule", shares=(0.4, 0.2, 0.4, 0.0), block_km=10.0, gap_km=1.0, seed=0)


def changed(name="tags", model=None, **settings):
    plan = recipes.load(name).model_dump(mode="json", exclude_defaults=True)
    own = {**plan["model"], **(model or {"widths": [8, 8], "hidden": 16})}
    return recipes.Recipe.model_validate({**plan, "model": own, "settings": {**plan["settings"], **settings}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wave") / "set"
    simulate_imagettes(out, Options(seed=62, count=60))
    return out


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(json.dumps(changed(size=128).model_dump(mode="json", exclude_defaults=True)))
    return path


@pytest.fixture(scope="module")
def trained(folder, recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "tags"
    return workflow.run(recipe, data=[folder], out=out, split=SPLIT, epochs=2, device="cpu", threads=1)


def data_of(plan, folders, *, train_only=(), split=SPLIT):
    return family.data(plan, family.network(plan), data=folders, train_only=train_only, split=split)


def test_a_training_ends_in_a_network_that_says_what_it_is(trained):
    about = json.loads(trained.outputs["description"].read_text())
    assert about["classes"] == list(TAGS) and about["family"] == "images" and about["kind"] == "pictures"
    assert about["scalars"] == list(SCALARS) and len(about["mean"]) == len(SCALARS)
    assert (about["satellites"], about["beams"], about["is_simulated"]) == (["S1A"], ["wv1", "wv2"], True)
    assert about["data"]["split"]["groups"] == {"train": 2, "validation": 1, "calibration": 2, "test": 0}
    assert about["decision"]["n"] == 24 and len(about["decision"]["best_f1"]) == 10
    assert all(0.2 <= t <= 0.95 for t in about["decision"]["best_f1"])
    assert about["calibration"]["method"] == "vector" and len(about["open_set"]["mean"]) == 16
    assert trained.numbers["onnx_parity"] < 1e-4 and trained.numbers["unit"] == "imagette"
    assert not re.search(r"/(tmp|home|root)/", json.dumps(about))


def test_the_graph_gives_what_torch_gives_distance_included(trained, folder):
    imagettes = list(wv_quicklooks.read(folder))[:9]
    network = predict_images.load(trained.outputs["onnx"], runtime="onnxruntime")
    found = predict_images.predict(network, imagettes, threads=2)
    bare, about = checkpoint.load(trained.outputs["weights"])
    prepared = [predict_images.prepare(i, size=128, pixel_m=50.0) for i in imagettes]
    raw = np.stack([p.scalars for p in prepared])
    scaled = np.nan_to_num((raw - np.array(about.mean)) / np.array(about.std)).clip(-10, 10)
    given = np.column_stack([scaled, np.ones(9)]).astype(np.float32)
    pictures = np.stack([p.grey for p in prepared])[:, None].astype(np.float32) / 255
    with torch.inference_mode():
        logits, features = bare.with_features(torch.from_numpy(pictures), torch.from_numpy(given))
    z = logits.numpy() * np.array(about.fitted.scale) + np.array(about.fitted.offset)
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-z)), atol=1e-4)
    np.testing.assert_allclose(found.distance, about.open_set.distance(features.numpy()), rtol=1e-3)
    order = predict_images.predict(network, imagettes[::-1])
    np.testing.assert_allclose(order.probability[::-1], found.probability, atol=1e-5)


def test_prediction_needs_no_torch(trained, folder):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from polynya.predict import images; from polynya.readers import wv_quicklooks\n"
        "found = images.predict(images.load(sys.argv[1], runtime='onnxruntime'), wv_quicklooks.read(sys.argv[2]))\n"
        "print(len(found))"
    )
    root = str(Path(family.__file__).resolve().parents[2])
    words = [sys.executable, "-c", program, str(trained.outputs["onnx"]), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": root}, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "60", done.stderr[-800:]


def test_no_orbit_is_in_two_parts_and_the_scaling_is_of_the_training(folder):
    data = data_of(changed(size=64), [folder])
    for number in range(5):
        assert len(set(data.split.part[data.images.passed == number].tolist())) == 1
    mine = data.images.scalars[data.split.part == splits.TRAIN].astype(float)
    np.testing.assert_allclose(data.learned["mean"], np.nanmean(mine, axis=0), rtol=1e-4, atol=1e-5)
    for part in range(3):
        source = data.source(part, is_scored=True)
        assert set(data.split.part[source.batch(source.plan(None)).where].tolist()) == {part}


def test_the_random_split_is_named_as_leaky_and_blocks_are_refused(folder):
    plan = changed(size=64)
    leaky = data_of(plan, [folder], split=SPLIT.model_copy(update={"method": "random"}))
    assert leaky.split.is_leaky and leaky.about()["split"]["is_leaky"]
    assert any(len(set(leaky.split.part[leaky.images.passed == n].tolist())) > 1 for n in range(5))
    with pytest.raises(UsageError, match="--split block"):
        data_of(plan, [folder], split=SPLIT.model_copy(update={"method": "block"}))


def test_imagettes_for_training_only_are_in_no_other_part(folder, tmp_path):
    simulate_imagettes(tmp_path / "more", Options(seed=63, count=3))
    plan = changed(size=64)
    alone, more = data_of(plan, [folder]), data_of(plan, [folder], train_only=[tmp_path / "more"])
    np.testing.assert_array_equal(more.split.part[:60], alone.split.part)
    assert (more.split.part[60:] == splits.TRAIN).all() and more.fingerprint() != alone.fingerprint()
    simulate_imagettes(tmp_path / "again", Options(seed=62, count=3))
    with pytest.raises(UsageError, match=r"--train-only: orbit S1A-9\d+ is in --data too"):
        data_of(plan, [folder], train_only=[tmp_path / "again"])


def test_unknown_tags_cost_nothing(folder):
    data = data_of(changed(size=64), [folder])
    tags = np.full((2, 10), -1, np.int8)
    tags[0, 4] = 1
    found = data.encode(tags)
    present, known = data.network.predicts.decode(found)
    assert known.sum() == 1 and present[0, 4] and data.network.predicts.known(found).tolist() == [True, False]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 8}, r"settings\.size: Input should be greater than or equal to 32"),
        ({"augment": {"mix": 2}}, r"settings\.augment\.mix"),
        ({"vectors": "a.npy"}, r"wave_cnn takes pictures, settings\.vectors is 'a\.npy'"),
        ({"vectors": "../a.npy"}, r"settings\.vectors"),
    ],
)
def test_settings_that_do_not_fit_are_rejected(settings, message):
    with pytest.raises(UsageError, match=message):
        family.network(changed(**settings))


def test_another_target_or_network_is_refused():
    plan = changed()
    other = plan.predicts.model_copy(update={"labels": ("ships",)})
    with pytest.raises(UsageError, match="predicts is no many_of of pure_ocean_waves"):
        family.network(plan.model_copy(update={"predicts": other}))
    with pytest.raises(UsageError, match="lstm takes neither pictures nor vectors"):
        family.network(plan.model_copy(update={"model": {"name": "lstm"}}))


@pytest.mark.parametrize(
    ("name", "most"), [("tags", 1_600_000), ("tags-inception", 25_000_000), ("tags-linear", 21_000)]
)
def test_recipes_build_their_networks(name, most):
    plan = recipes.load(name)
    description = families.named(plan.family_name).network(plan)
    n = len(description.scalars)
    description = description.model_copy(update={"mean": (0.0,) * n, "std": (1.0,) * n})
    bare = checkpoint.build(description)
    assert sum(p.numel() for p in bare.parameters()) <= most
    inputs = family.example(description, batch=2, length=1)
    with torch.inference_mode():
        out = export.whole(bare, description)(torch.from_numpy(inputs)).numpy()
    assert out.shape == (2, 10) and ((out >= 0) & (out <= 1)).all()


def test_a_linear_head_is_trained_on_vectors(folder, tmp_path):
    """Vectors that are the tags themselves, with noise: the tags are found again."""
    rows = wv_quicklooks.read_table(folder)
    vectors = np.array([r.tags for r in rows]) + 0.1 * np.random.default_rng(0).normal(size=(60, 10))
    shutil.copytree(folder, tmp_path / "set")
    np.save(tmp_path / "set" / "vectors.npy", vectors)
    plan = changed("tags-linear", model={"features": 10})
    path = tmp_path / "linear.yaml"
    optimiser = plan.optimiser.model_copy(update={"rate": 0.03, "weight_decay": 0.0})
    plan = plan.model_copy(update={"batch": 8, "optimiser": optimiser})
    path.write_text(json.dumps(plan.model_dump(mode="json", exclude_defaults=True)))
    options = {"split": SPLIT, "device": "cpu", "threads": 1}
    found = workflow.run(path, data=[tmp_path / "set"], out=tmp_path / "out", epochs=150, **options)
    network = predict_images.load(found.outputs["onnx"], runtime="onnxruntime")
    said = predict_images.predict_vectors(network, vectors)
    truth = np.array([r.tags for r in rows]) == 1
    assert ((said.probability > 0.5) == truth).mean() > 0.9 > (~truth).mean()
    with pytest.raises(ProductError, match="takes feature vectors"):
        predict_images.predict(network, wv_quicklooks.read(folder))
    with pytest.raises(ProductError, match="found vectors of the shape"):
        predict_images.predict_vectors(network, vectors[:, :3])


def test_first_weights_of_another_program_are_taken_by_inception(tmp_path):
    from safetensors.torch import save_file

    plan = recipes.load("tags-inception")
    description = family.network(plan)
    theirs, ours = (checkpoint.build(description) for _ in range(2))
    save_file({k: v.clone() for k, v in theirs.state_dict().items() if "head" not in k}, tmp_path / "w.safetensors")
    about = earlier.start_from(tmp_path / "w.safetensors", ours, description)
    assert about["file"] == "w.safetensors" and "head.weight" in about["drawn_anew"]
    torch.testing.assert_close(ours.stem[0].conv.weight, theirs.stem[0].conv.weight)


def test_inception_gives_its_second_answer_in_training_alone():
    network = inception_v3.build(inception_v3.Config(has_auxiliary=True, scalars=2))
    x, s = torch.rand(2, 1, 299, 299), torch.rand(2, 2)
    both = network.train()(x, s)
    assert isinstance(both, tuple) and both[0].shape == both[1].shape == (2, 10)
    with torch.no_grad():
        assert network.eval()(x, s).shape == (2, 10)


def decision(**more):
    return family.Decision(
        **{
            "best_f1": (0.3, 0.5),
            "precise": (0.8, None),
            "precision": 0.9,
            "unknown_below": 0.4,
            "n": 10,
            "untagged": 3,
            **more,
        }
    )


def test_tags_are_given_from_their_thresholds_on():
    p = np.array([[0.35, 0.1], [0.35, 0.6], [0.9, 0.9], [0.2, 0.45]])
    assert family.decided(p, decision()).tolist() == [[False, False], [True, True], [True, True], [False, False]]
    assert family.decided(p, decision(unknown_below=0.0))[0].tolist() == [True, False]
    assert family.decided(p, decision(), is_precise=True).tolist() == [[False, False]] * 2 + [
        [True, False],
        [False] * 2,
    ]


def test_predictions_say_what_is_unknown_and_what_is_far(trained):
    network = predict_images.load(trained.outputs["onnx"], runtime="onnxruntime")
    d = predict_images.described(network)
    own = d.decision.model_copy(update={"best_f1": (0.5,) * 10, "precise": (None,) * 10, "unknown_below": 0.0})
    d = d.model_copy(update={"decision": own})
    outputs = np.full((2, 11), 0.1)
    outputs[0, 3], outputs[0, 5] = 0.9, 0.6
    outputs[:, 10] = (0.0, d.open_set.limits[1] + 1.0)
    found = predict_images.of_outputs(d, outputs)
    assert found.unknown.tolist() == [False, True] and found.is_far.tolist() == [False, True]
    assert found.confidence == pytest.approx([0.9, 0.9**10]) and not found.precise_tags.any()
    without = predict_images.of_outputs(d.model_copy(update={"open_set": None}), outputs[:, :10])
    assert np.isnan(without.distance).all() and not without.is_far.any()
    unfinished = replace(network, description=d.model_copy(update={"decision": None}))
    with pytest.raises(ProductError, match="with thresholds"):
        predict_images.described(unfinished)


def test_nothing_to_predict_gives_nothing(trained):
    network = predict_images.load(trained.outputs["onnx"], runtime="onnxruntime")
    assert len(predict_images.predict(network, iter(()))) == 0
