"""The family of echoes: a small training to its ONNX file, labels by part, the split by pass, settings that do not
fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from polynya import checkpoint, export, families, recipes  # noqa: E402
from polynya.errors import UsageError  # noqa: E402
from polynya.families import echoes as family  # noqa: E402
from polynya.physics import echo_inputs  # noqa: E402
from polynya.predict import echoes as predict_echoes  # noqa: E402
from polynya.readers import altika_sgdr  # noqa: E402
from polynya.samples import splits  # noqa: E402
from polynya.simulate.altika import files  # noqa: E402
from polynya.simulate.altika.track import draw_track  # noqa: E402
from polynya.workflows import train as workflow  # noqa: E402

from ..samples.test_labelled_echoes import write_table  # noqa: E402

SPLIT = workflow.split_config(method="granule", shares=(0.5, 0.25, 0.25, 0.0), block_km=10.0, gap_km=1.0, seed=0)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    for seed in range(8):
        files.write_echoes(draw_track(seed, echoes=240), folder / f"track_{seed}.nc")
    return folder


@pytest.fixture(scope="module")
def trained(tracks, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "leads"
    return workflow.run("leads", data=[tracks], out=out, split=SPLIT, epochs=2, device="cpu", threads=1)


def changed(**settings):
    plan = recipes.load("leads").model_dump(mode="json", exclude_defaults=True)
    return recipes.Recipe.model_validate({**plan, "settings": {**plan["settings"], **settings}})


def data_of(plan, tracks, **more):
    return family.data(plan, family.network(plan), data=[tracks], train_only=more.pop("train_only", ()), split=SPLIT)


def test_a_training_ends_in_a_network_that_says_what_it_is(trained):
    about = json.loads(trained.outputs["description"].read_text())
    assert about["classes"] == [
        "lead.no_lead",
        "lead.lead",
        *(f"distance.lead_distance_q{k}" for k in (16, 50, 84)),
    ]
    assert (about["missions"], about["modes"], about["is_simulated"]) == (["SARAL"], ["lrm"], True)
    assert about["features"] == list(echo_inputs.WITH_POWER) and len(about["mean"]) == len(about["features"])
    assert about["data"]["split"]["groups"] == {"train": 4, "validation": 2, "calibration": 2, "test": 0}
    assert trained.numbers["onnx_parity"] < 1e-4 and trained.numbers["unit"] == "echo"
    assert not re.search(r"/(tmp|home|root)/", json.dumps(about))
    assert recipes.load("leads").as_dict()["settings"] == about["recipe"]["settings"]


def test_the_report_shows_settings_of_echoes_alone(trained):
    page = Path(trained.outputs["report"]).read_text()
    shown = json.loads(unescape(page.partition("<pre>")[2].partition("</pre>")[0]))
    assert not {"sensors", "scene", "classes", "target", "location", "samples", "features"} & set(shown)
    assert {"settings", "model", "predicts", "optimiser", "epochs", "batch"} <= set(shown)
    assert "glacier" not in page.lower() and "echos" not in page
    unusual = recipes.Recipe.model_validate({**recipes.load("leads").model_dump(), "decision": "macro_f1"})
    assert unusual.shown()["decision"] == "macro_f1"  # what was set is shown
    track = recipes.load("track-unet")
    assert track.shown() == track.as_dict()


def test_the_graph_gives_what_torch_gives_on_a_whole_track(trained, tracks):
    echoes = altika_sgdr.read(tracks / "track_1.nc")
    found = predict_echoes.predict(predict_echoes.load(trained.outputs["onnx"], runtime="onnxruntime"), echoes)
    network, about = checkpoint.load(trained.outputs["weights"])
    module = export.whole(network, about)

    class Torch:
        description, path = about, trained.outputs["onnx"]

        @staticmethod
        def evaluate(batch):
            with torch.inference_mode():
                return module(torch.from_numpy(batch)).numpy()

    other = predict_echoes.predict(Torch, echoes)
    for name in ("probability", "distance", "distance_low", "distance_high"):
        np.testing.assert_allclose(getattr(found, name), getattr(other, name), rtol=1e-3, atol=1e-4)
    assert (found.distance_low <= found.distance).all() and (found.distance <= found.distance_high).all()
    assert ((found.probability >= 0) & (found.probability <= 1)).all()


def test_prediction_needs_no_torch(trained, tracks):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from polynya.predict import echoes; from polynya.readers import altika_sgdr\n"
        "found = echoes.predict(echoes.load(sys.argv[1], runtime='onnxruntime'), altika_sgdr.read(sys.argv[2]))\n"
        "print(len(found.probability))"
    )
    root = str(Path(family.__file__).resolve().parents[2])
    words = [sys.executable, "-c", program, str(trained.outputs["onnx"]), str(tracks / "track_0.nc")]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": root}, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "240", done.stderr[-800:]


def test_no_pass_is_in_two_parts_and_the_scaling_is_of_the_training(tracks):
    data = data_of(recipes.load("leads"), tracks)
    for number in range(8):
        assert len(set(data.split.part[data.echoes.passed == number].tolist())) == 1
    mine = data.echoes.values[data.split.part == splits.TRAIN].astype(float)
    np.testing.assert_allclose(data.learned["mean"], np.nanmean(mine, axis=0), rtol=1e-4, atol=1e-5)
    for part in range(3):
        source = data.source(part, is_scored=True)
        rows = source.batch(source.plan(None)).where
        assert set(data.split.part[rows[rows >= 0]].tolist()) == {part}


def test_the_belt_teaches_distance_but_no_class_and_half_of_it_is_scored_as_no_lead(tracks):
    data = data_of(recipes.load("leads"), tracks)
    far = data.echoes.distance
    learned, scored = data.targets(is_scored=False), data.targets(is_scored=True)
    belt = (far >= 300) & (far < 900)
    assert belt.sum() > 20
    np.testing.assert_array_equal(learned["lead"], np.select([far < 300, belt], [2, 0], 1))
    np.testing.assert_array_equal(scored["lead"][~belt], np.where(far < 300, 2, 1)[~belt])
    assert scored["lead"][belt].tolist() == [1, 0] * (belt.sum() // 2) + [1] * (belt.sum() % 2)
    for targets in (learned, scored):
        np.testing.assert_allclose(targets["distance"], np.log1p(far / 100.0), rtol=1e-5)


def test_another_threshold_is_learned_from_the_distances(tracks):
    data = data_of(changed(threshold_m=100.0), tracks)
    far = data.echoes.distance
    expected = np.select([far < 100, far < 300], [2, 0], 1)
    np.testing.assert_array_equal(data.targets(is_scored=False)["lead"], expected)
    assert data.network.threshold_m == 100.0
    assert data.fingerprint() != data_of(recipes.load("leads"), tracks).fingerprint()


def test_tracks_for_training_only_are_in_no_other_part(tracks, tmp_path):
    files.write_echoes(draw_track(50, echoes=80, ranges="varied"), tmp_path / "track_50.nc")
    plan = recipes.load("leads")
    alone, more = data_of(plan, tracks), data_of(plan, tracks, train_only=[tmp_path])
    np.testing.assert_array_equal(more.split.part[: len(alone.echoes)], alone.split.part)
    assert (more.split.part[len(alone.echoes) :] == splits.TRAIN).all() and len(more.echoes) == len(alone.echoes) + 80
    with pytest.raises(UsageError, match=r"--train-only: pass track_3 is in --data too"):
        data_of(plan, tracks, train_only=[tracks / "track_3.nc"])


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"margin": 50}, r"settings.margin 50 is half of the window 100 or more"),
        ({"mirror": True}, r"settings.mirror with the input agc"),
        ({"window": 2}, r"settings.window: Input should be greater than or equal to 4"),
        ({"inputs": ["peakiness", "colour"]}, None),
    ],
)
def test_settings_that_do_not_fit_are_rejected(plan, message, tracks):
    with pytest.raises(UsageError, match=message or r"inputs \['colour'\]: there are none of these names"):
        data_of(changed(**plan), tracks)


def test_a_random_split_is_refused(tracks):
    plan, split = recipes.load("leads"), SPLIT.model_copy(update={"method": "random"})
    with pytest.raises(UsageError, match=r"--split random: echoes are split by pass"):
        family.data(plan, family.network(plan), data=[tracks], train_only=(), split=split)


def test_a_recipe_of_another_kind_is_refused():
    plan = recipes.load("leads")
    with pytest.raises(UsageError, match=r"predicts has no head lead of the classes no_lead, lead"):
        family.network(plan.model_copy(update={"predicts": None}))
    with pytest.raises(UsageError, match=r"lstm is no network of echoes"):
        family.network(plan.model_copy(update={"model": {"name": "lstm"}}))


@pytest.mark.parametrize("name", ["leads", "leads-shape", "leads-cnn"])
def test_recipes_build_their_networks(name):
    plan = recipes.load(name)
    description = families.named(plan.family_name).network(plan)
    n = len(description.features)
    description = description.model_copy(update={"mean": (0.0,) * n, "std": (1.0,) * n})
    module = export.whole(checkpoint.build(description), description)
    inputs = family.example(description, batch=3, length=2)
    assert inputs.shape == (3, n + 1, 100) and np.isnan(inputs).any()
    with torch.inference_mode():
        out = module(torch.from_numpy(inputs)).numpy()
    assert out.shape == (3, 5, 100) and np.isfinite(out).all()
    np.testing.assert_allclose(out[:, :2].sum(axis=1), 1.0, rtol=1e-5)
    assert description.is_without_power == (name == "leads-shape")


def test_labels_of_a_table_of_another_threshold_are_made_anew(tracks, tmp_path):
    """A table of 700 m must not teach a network that says 300 m."""
    for seed in range(4):
        echoes = altika_sgdr.read(tracks / f"track_{seed}.nc", extra=("sar_lead_distance_m",))
        far = echoes.extra["sar_lead_distance_m"].astype(float)
        label = np.where(far < 700.0, 1, np.where(far < 2100.0, 2, 0)).astype(np.int8)
        write_table(tmp_path / f"{seed}.parquet", echoes, label=label, distance=far, passes=[str(seed)] * len(far))
    found = data_of(recipes.load("leads"), tmp_path)
    far = found.echoes.distance
    assert ((found.label == 1) == (far < 300.0)).all() and ((found.label == 0) == (far >= 900.0)).all()
    assert ((far >= 300.0) & (far < 700.0)).any()
