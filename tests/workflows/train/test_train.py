"""``polynya train`` as a user meets it: files, scores that can be recomputed, splits, refusals, and a network that
predicts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, cli, description, families, io, recipes, schema  # noqa: E402
from polynya.errors import OutputError, UsageError  # noqa: E402
from polynya.predict import tracks as predict_tracks  # noqa: E402
from polynya.samples import class_bits, labelled_tracks, splits  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

from ...samples.label_tables import label_table, write_labels  # noqa: E402

FEATURES = ["height", "photon_rate_high", "background_rate"]
RECIPES = {
    "window": {
        "name": "w",
        "model": {"name": "mlp", "length": 5, "hidden": [12]},
        "features": FEATURES,
        "batch": 64,
        "epochs": 4,
        "optimiser": {"rate": 0.01},
        "calibration": "vector",
    },
    "sequence": {
        "name": "s",
        "model": {
            "name": "track_unet",
            "widths": [8, 12],
            "strides": [4],
            "kernel": 3,
            "dilations": [1, 2],
            "dropout": 0.0,
        },
        "features": FEATURES,
        "batch": 4,
        "epochs": 8,
        "samples": {"length": 128},
        "optimiser": {"rate": 0.01, "schedule": "onecycle"},
        "decision": "macro_f1",
    },
}
SPLIT = workflow.split_config(method="granule", shares=(0.5, 0.2, 0.1, 0.2), block_km=10.0, gap_km=1.0, seed=0)


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    return write_labels(tmp_path_factory.mktemp("labels"), granules=8, n=700, beams=("gt1r", "gt1l"), noise=0.3)


@pytest.fixture(scope="module", params=list(RECIPES))
def trained(request, labels, tmp_path_factory) -> workflow.Result:
    folder = tmp_path_factory.mktemp(request.param)
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPES[request.param]))
    return workflow.run(recipe, data=[labels], out=folder / "out", split=SPLIT, device="cpu", threads=1)


def called_by_predict(result: workflow.Result, labels: Path) -> tuple[labelled_tracks.Tracks, np.ndarray]:
    """Probabilities of every segment from the ONNX file alone, beam by beam, as freeboard does it."""
    tracks = labelled_tracks.read([labels], features=tuple(FEATURES))
    classifier = predict_tracks.load(result.outputs["onnx"], runtime="onnxruntime")
    out = np.empty((len(tracks), 3))
    for track in np.unique(tracks.track):
        mine = tracks.track == track
        features = {f: tracks.values[mine, k] for k, f in enumerate(FEATURES)}
        out[mine] = predict_tracks.classify(classifier, features, x=tracks.x[mine])
    return tracks, out


def test_everything_it_names_is_there(trained):
    assert set(trained.outputs) == {"onnx", "weights", "description", "history", "report", "run"}
    assert all(p.stat().st_size > 0 for p in trained.outputs.values())
    assert sorted(p.name for p in trained.out.iterdir()) == sorted(p.name for p in trained.outputs.values())
    run = json.loads(trained.outputs["run"].read_text())
    assert (
        run["config"]["split"]["method"] == "granule"
        and run["numbers"]["onnx_parity"] <= 1e-4
        and len(run["inputs"]) == 8
    )


def test_the_scores_are_those_of_the_onnx_file_on_the_test_granules(trained, labels):
    """Read the exported file as freeboard does, and count macro-F1 and recall by hand: training and prediction see the
    same."""
    tracks, probability = called_by_predict(trained, labels)
    about = json.loads(trained.outputs["description"].read_text())
    parts = about["data"]["granule_parts"]
    assert sorted(parts.values()) == [
        "calibration",
        "test",
        "train",
        "train",
        "train",
        "train",
        "validation",
        "validation",
    ]
    of_granule = np.array([parts[g] for g in tracks.granules])[tracks.granule]
    truth = class_bits.single(tracks.targets)
    mine = (of_granule == "test") & (truth >= 0)
    called = np.argmax(probability[mine] * about["decision_weights"], axis=1)
    f1 = []
    for k in range(3):
        hit, said, there = np.sum((called == k) & (truth[mine] == k)), np.sum(called == k), np.sum(truth[mine] == k)
        f1.append(2 * hit / (said + there))
        assert trained.numbers["recall"][k] == pytest.approx(hit / there, abs=2e-3)
    assert trained.numbers["n"] == mine.sum() and trained.numbers["macro_f1"] == pytest.approx(np.mean(f1), abs=2e-3)
    brier = np.mean((probability[mine, 2] - (truth[mine] == 2)) ** 2)
    share = np.mean(truth[mine] == 2)
    assert trained.numbers["calibration"]["all"]["after"][2]["brier_skill"] == pytest.approx(
        1 - brier / (share * (1 - share)), abs=1e-3
    )
    assert trained.numbers["macro_f1"] > 0.8  # the classes of these tables are easy to tell


def test_the_scaling_is_of_the_training_granules_alone(trained, labels):
    about = json.loads(trained.outputs["description"].read_text())
    tracks = labelled_tracks.read([labels], features=tuple(FEATURES))
    of_granule = np.array([about["data"]["granule_parts"][g] for g in tracks.granules])[tracks.granule]
    values = tracks.values[of_granule == "train"].astype(np.float64)
    assert np.allclose(about["mean"], values.mean(axis=0), rtol=1e-5) and np.allclose(
        about["std"], values.std(axis=0), rtol=1e-4
    )
    again, _ = checkpoint.load(trained.outputs["weights"])
    assert sum(p.numel() for p in again.parameters()) == trained.numbers["parameters"]


def test_a_finished_training_is_left_alone(trained, labels):
    recipe = trained.out.parent / "recipe.yaml"
    stamp = trained.outputs["onnx"].stat().st_mtime_ns
    with pytest.raises(UsageError, match="holds a finished training"):
        workflow.run(recipe, data=[labels], out=trained.out, split=SPLIT, device="cpu")
    done = workflow.run(recipe, data=[labels], out=trained.out, split=SPLIT, device="cpu", resume=True)
    with pytest.raises(OutputError, match=r"holds a result of other settings \(seed\); expected that of this command"):
        workflow.run(recipe, data=[labels], out=trained.out, split=SPLIT, seed=1, device="cpu", resume=True)
    with pytest.raises(OutputError, match=r"of other settings \(recipe, split\)"):
        workflow.run(
            recipe,
            data=[labels],
            out=trained.out,
            split=SPLIT.model_copy(update={"seed": 7}),
            epochs=1,
            device="cpu",
            resume=True,
        )
    assert done.outputs == trained.outputs and done.numbers["macro_f1"] == trained.numbers["macro_f1"]
    assert trained.outputs["onnx"].stat().st_mtime_ns == stamp


def test_changed_data_are_noticed_and_only_a_training_is_replaced(tmp_path):
    """Another label of the same size, and a file of somebody else in the folder."""
    labels = write_labels(tmp_path / "labels", granules=8, n=400)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["window"], "epochs": 1}))
    out = tmp_path / "net"
    usual = {"data": [labels], "out": out, "split": SPLIT, "device": "cpu", "epochs": 1}
    first = workflow.run(recipe, **usual)
    assert workflow.run(recipe, **usual, resume=True).numbers["macro_f1"] == first.numbers["macro_f1"]
    write_labels(labels, granules=8, n=400, noise=0.3)
    with pytest.raises(OutputError, match="holds a result of another data set 1;"):
        workflow.run(recipe, **usual, resume=True)
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds thesis\.tex that its run\.json does not list"):
        workflow.run(recipe, **usual, overwrite=True)
    (out / "thesis.tex").unlink()
    assert workflow.run(recipe, **usual, overwrite=True).outputs == first.outputs


@pytest.mark.parametrize("name", ["track-unet.onnx", "history.json", "report.html", "state.safetensors", "notes.txt"])
def test_a_folder_of_the_user_is_never_taken(tmp_path, name):
    from polynya.workflows.train import folder

    (tmp_path / name).write_text("precious")
    key = io.Key(workflow="train", version=1, settings={}, inputs={})
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with pytest.raises(OutputError, match=r"expected a new or empty folder|is no result of polynya"):
            folder.claim(tmp_path, key=key, resume=resume, overwrite=overwrite)
    assert (tmp_path / name).read_text() == "precious"


def test_a_stopped_training_is_continued_or_begun_anew(tmp_path):
    from polynya.workflows.train import folder

    state = checkpoint.State(weights={}, optimiser={}, average={}, best={}, best_epoch=0, steps=0, history=[])
    checkpoint.save_state(tmp_path / folder.STATE, state, digest="d")
    (tmp_path / "history.json").write_text("{}")
    key = io.Key(workflow="train", version=1, settings={}, inputs={})
    with pytest.raises(UsageError, match="holds a training that was stopped"):
        folder.claim(tmp_path, key=key, resume=False, overwrite=False)
    for resume in (True, False):
        assert folder.claim(tmp_path, key=key, resume=resume, overwrite=not resume) is None


def test_two_trainings_do_not_write_into_one_folder(tmp_path, labels):
    from polynya.workflows.train import folder

    with folder.locked(tmp_path / "net"), pytest.raises(OutputError, match="another polynya train writes into it"):
        workflow.run("track-unet", data=[labels], out=tmp_path / "net", epochs=1, device="cpu", overwrite=True)
    assert list(tmp_path.iterdir()) == []
    with folder.locked(tmp_path / "net"), folder.locked(tmp_path / "other"):
        pass


def test_ice_of_unknown_thickness_teaches_water(tmp_path):
    """Labels as ATL07 gives them, ice or water: the network tells water, and says nothing of thin ice it never saw."""
    labels = write_labels(tmp_path / "labels", granules=8, n=400, any_ice=True, noise=0.2)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["window"], "calibration": "temperature"}))
    numbers = workflow.run(recipe, data=[labels], out=tmp_path / "out", split=SPLIT, device="cpu", threads=1).numbers
    assert (
        numbers["n_ice_of_unknown_thickness"] > 100
        and numbers["water_recall"] > 0.8
        and numbers["water_precision"] > 0.8
    )
    assert np.isnan(numbers["recall"][0]) and np.isnan(numbers["recall"][1])


def test_the_leaky_split_is_marked_everywhere(tmp_path, labels, caplog):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["sequence"], "epochs": 1}))
    split = workflow.split_config(method="random", shares=(0.7, 0.1, 0.1, 0.1), block_km=10.0, gap_km=1.0, seed=0)
    result = workflow.run(recipe, data=[labels], out=tmp_path / "out", split=split, device="cpu", threads=1)
    assert splits.LEAK_WARNING in caplog.text and result.numbers["is_leaky"]
    assert (
        "leaks" in result.outputs["report"].read_text()
        and json.loads(result.outputs["description"].read_text())["data"]["split"]["is_leaky"]
    )


def test_blocks_split_one_long_granule(tmp_path):
    labels = write_labels(tmp_path / "labels", granules=1, n=3000, beams=("gt1r", "gt1l"), noise=0.2)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["window"], "epochs": 2}))
    split = workflow.split_config(method="block", shares=(0.5, 0.2, 0.1, 0.2), block_km=0.5, gap_km=0.05, seed=0)
    result = workflow.run(recipe, data=[labels], out=tmp_path / "out", split=split, device="cpu", threads=1)
    told = json.loads(result.outputs["description"].read_text())["data"]["split"]
    assert told["method"] == "block" and told["left_out_in_gaps"] > 0 and sum(told["groups"].values()) == 13
    with pytest.raises(UsageError, match="found 1 granules"):
        workflow.run(recipe, data=[labels], out=tmp_path / "no", split=SPLIT, device="cpu")
    assert not (tmp_path / "no").exists()


def run_main(monkeypatch, capsys, *words: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["polynya", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_the_command(monkeypatch, capsys, labels, tmp_path):
    out = tmp_path / "out"
    words = ("train", "mlp", "--data", labels, "-o", out, "--epochs", 1, "--shares", 0.5, 0.2, 0.1, 0.2, "--seed", 3)
    code, said, err = run_main(monkeypatch, capsys, *words)
    assert code == 0, err
    assert (
        "macro-F1" in said
        and "open water" in said
        and str(out / "mlp.onnx") in said
        and "epoch   1  loss" in err
        and "epoch" not in said.splitlines()[1]
    )
    code, said, err = run_main(monkeypatch, capsys, *words, "--overwrite", "--json")
    found = json.loads(said)
    assert (
        code == 0
        and found["outputs"]["onnx"] == str(out / "mlp.onnx")
        and found["numbers"]["macro_f1"] == io.read_json(out / "mlp.json")["metrics"]["macro_f1"] > 1 / 3
        and "loss" not in err
    )
    assert io.read_json(out / "run.json")["seed"] == 3


def test_a_small_network_learns_from_a_large_one(trained, labels, tmp_path):
    """All of the loss from the teacher: the pupil's probabilities come near its teacher's, and its files say whose."""
    name = trained.outputs["onnx"].stem
    plan = RECIPES["window" if name == "w" else "sequence"]
    recipe = tmp_path / "pupil.yaml"
    recipe.write_text(yaml.safe_dump({**plan, "name": "pupil", "epochs": 1, "loss": {"teacher": 1.0}}))

    def run(folder: str, epochs: int) -> tuple[dict, np.ndarray]:
        result = workflow.run(
            recipe,
            data=[labels],
            out=tmp_path / folder,
            split=SPLIT,
            device="cpu",
            threads=1,
            seed=5,
            epochs=epochs,
            teacher=trained.outputs["weights"],
        )
        return io.read_json(result.outputs["description"]), called_by_predict(result, labels)[1]

    (about, near), (_, far) = run("out", 12), run("one", 1)
    teacher = called_by_predict(trained, labels)[1]
    assert about["teacher"] == {
        "file": f"{name}.safetensors",
        "weights_sha256": io.read_json(trained.outputs["description"])["weights_sha256"],
    }
    assert np.abs(near - teacher).mean() < min(0.1, np.abs(far - teacher).mean())
    with pytest.raises(UsageError, match=r"its mean is another; expected"):  # scaled otherwise: other granules
        workflow.run(
            recipe,
            data=[labels],
            out=tmp_path / "other",
            split=SPLIT.model_copy(update={"seed": 1}),
            device="cpu",
            teacher=trained.outputs["weights"],
        )
    with pytest.raises(UsageError, match=r"its features is another; expected .*height'\], found .*background_rate"):
        recipe.write_text(yaml.safe_dump({**plan, "name": "blind", "features": ["height"]}))
        workflow.run(
            recipe,
            data=[labels],
            out=tmp_path / "blind",
            split=SPLIT,
            device="cpu",
            teacher=trained.outputs["weights"],
        )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nosuch",), "recipe nosuch: no such recipe; expected one of "),
        (("mlp", "--split", "half"), "split: method"),
        (("mlp", "--shares", 0.9, 0.9, 0, 0), "add up to 1.8; expected 1"),
        (("mlp", "--split", "block", "--gap-km", 30), "gap_km 30 is not below block_km 10"),
        (("mlp", "--device", "abacus"), "--device abacus: no such device"),
    ],
)
def test_usage_errors_are_one_line_and_leave_nothing(monkeypatch, capsys, labels, tmp_path, words, text):
    code, said, err = run_main(monkeypatch, capsys, "train", *words, "--data", labels, "-o", tmp_path / "out")
    assert code == 2 and said == "" and err.count("\n") == 1 and text in err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"features": ["height", "label"]}, "features ['label']"),
        ({"model": {"name": "mlp", "depth": 3}}, "model.depth"),
        ({"model": {"name": "nosuch"}}, "no module polynya.models.nosuch"),
        ({"loss": {"kind": "focal", "alpha": [1.0, 2.0]}}, "loss.alpha holds 2 numbers; expected 3"),
        ({"epochs": 0}, "epochs"),
        ({"colour": 1}, "colour"),
        ({"samples": {"mirror": True}}, "are for sequence networks; found the window network mlp"),
        (
            {"model": {"name": "track_unet", "widths": [4, 4], "strides": [4]}, "samples": {"length": 130}},
            "no multiple of the network's stride 4",
        ),
    ],
)
def test_recipes_that_do_not_fit_are_one_line(tmp_path, labels, change, text):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["window"], **change}))
    with pytest.raises(UsageError) as error:
        workflow.run(recipe, data=[labels], out=tmp_path / "out", split=SPLIT, device="cpu")
    assert text in str(error.value) and "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_without_torch_it_says_what_to_install(monkeypatch, labels, tmp_path):
    found = workflow.importlib.util.find_spec
    monkeypatch.setattr(workflow.importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    with pytest.raises(
        UsageError, match=r"torch cannot be imported; expected the extra \[train\]. pip install 'polynya\[train\]'"
    ):
        workflow.run("mlp", data=[labels], out=tmp_path / "out")


def test_the_published_recipes_are_as_published():
    """Numbers from the paper and the notebook (methods note, section 5); nothing here computes them."""
    paper, notebook, mlp = (recipes.load(n) for n in ("lstm-paper", "lstm-notebook", "mlp"))
    assert (
        paper.model["units"] == 16
        and paper.model["activation"] == "elu"
        and paper.model["dense"] == [32, 96, 32, 16, 112, 48, 64]
        and paper.model["dropout"] == 0.2
    )
    assert (
        paper.optimiser.kind,
        paper.optimiser.rate,
        paper.batch,
        paper.epochs,
        paper.loss.kind,
        len(paper.features),
    ) == ("adam", 0.003, 32, 20, "focal", 6)
    assert (
        notebook.model["units"],
        notebook.model["activation"],
        notebook.model["dropout"],
        notebook.model["dense"],
        notebook.model["dense_dropout"],
    ) == (48, "tanh", 0.4, [16, 16], 0.4)
    assert (
        notebook.optimiser.rate,
        notebook.loss.alpha,
        notebook.loss.gamma,
        notebook.epochs,
        len(notebook.features),
    ) == (8.886e-4, (0.05, 0.45, 0.60), 2.0, 50, 8)
    assert mlp.model["hidden"] == [32] and mlp.model["dropout"] == 0.2 and mlp.features == paper.features


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_builds_its_network(name):
    plan = recipes.load(name)
    about = families.named(plan.family_name).network(plan)
    assert plan.name == name and plan.about
    if plan.family is None:  # other families say in settings what a network sees
        assert list(about.scaling.sensors if plan.sensors else about.features) == list(plan.sensors or plan.features)
    assert sum(p.numel() for p in checkpoint.build(about).parameters()) > 100


@pytest.mark.parametrize("name", [n for n in recipes.names() if recipes.load(n).features])
def test_prediction_understands_what_a_recipe_of_tracks_says_of_itself(name):
    about = families.named("tracks").network(recipes.load(name))
    told = description.read({**about.as_json(), "mean": [0.0] * len(about.features)})
    assert told.features == about.features and told.classes == predict_tracks.CLASSES and told.kind == about.kind


def write_drawn(folder: Path, sources: list[str], seed: int) -> Path:
    """A label table for each source, as draws from real files are."""
    folder.mkdir()
    for k, source in enumerate(sources):
        name = f"{folder.name}{k}"
        io.write_table(
            label_table(name, n=300, seed=seed + k),
            folder / f"{name}.parquet",
            spec=schema.LABELS,
            about={"granule": name, "source": source, "scene": f"/home/someone/{name}.SAFE"},
        )
    return folder


def test_what_is_trained_on_also_is_in_no_other_part_and_is_counted(tmp_path):
    data = write_drawn(tmp_path / "data", [f"file{k}.h5" for k in range(8)], 0)
    more = write_drawn(tmp_path / "more", ["real.h5"] * 3 + ["short.h5"], 100)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPES["window"], "epochs": 1}))
    result = workflow.run(
        recipe, data=[data], train_only=[more], out=tmp_path / "out", split=SPLIT, device="cpu", threads=1
    )
    about = json.loads(result.outputs["description"].read_text())["data"]
    parts = about["granule_parts"]
    assert all(parts[f"more{k}"] == "train" for k in range(4))
    counted = {
        p: len({"real" if g in ("more0", "more1", "more2") else g for g, q in parts.items() if q == p})
        for p in splits.PARTS
    }
    assert about["split"]["groups"] == counted and sum(counted.values()) == 10
    assert (
        about["tables"][0]["scene"] == "data0.SAFE"
        and "/home/someone" not in result.outputs["report"].read_text() + result.outputs["run"].read_text()
    )
    shared = write_drawn(tmp_path / "shared", ["file3.h5"], 200)
    with pytest.raises(UsageError, match=r"--train-only: shared0 shows the same ice as data3 of --data"):
        workflow.run(recipe, data=[data], train_only=[shared], out=tmp_path / "no", split=SPLIT, device="cpu")
    assert not (tmp_path / "no").exists()
