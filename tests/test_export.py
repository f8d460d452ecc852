"""Exported networks of scenes: scaling, network and calibration of the graph are those of training, in numpy, torch and
ONNX."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from polynya import checkpoint, description, export  # noqa: E402
from polynya.errors import ProductError, UsageError  # noqa: E402
from polynya.families import scenes  # noqa: E402
from polynya.predict import scenes as predict_scenes  # noqa: E402
from polynya.recipes import Recipe, SceneSamples  # noqa: E402
from polynya.samples import scene_scaling, scene_split, scene_windows  # noqa: E402

from .samples.scene_pieces import piece, scaling_of  # noqa: E402

SENSORS = ("optical", "dem", "co_pol_sar")
CALIBRATION = {"method": "vector", "scale": [0.7, 1.3], "offset": [0.2, -0.4]}


def describe(model: dict, *, location: str = "none", sensors=SENSORS, **more) -> description.OfScenes:
    plan = Recipe.model_validate(
        {"name": "n", "model": model, "sensors": sensors, "location": location, "scene": {"size": 32}, **more}
    )
    confidence = {
        "method": "entropy_kernel",
        "x": [0.0, 1.0],
        "y": [0.5, 1.0],
        "held_out_error": {"probability": 0.1},
    }
    found = scenes.network(plan)
    return found.model_validate({**found.as_json(), "calibration": CALIBRATION, "confidence": confidence})


def network(about: description.OfScenes) -> torch.nn.Module:
    torch.manual_seed(1)
    model = checkpoint.build(about)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn(p.shape)
    return model.eval()


def physical(seed: int, batch: int = 2, side: int = 32) -> np.ndarray:
    """Values a scene may have, out of range and infinite ones, holes, a sensor away."""
    rng = np.random.default_rng(seed)
    ranges = (*[(-0.1, 3.0)] * 6, (-500.0, 9000.0), (0.0, 90.0), (-7.0, 3.0), (-7.0, 3.0))
    values = np.stack([rng.uniform(*r, (batch, side, side)) for r in ranges], axis=1)
    values[:, 8:] = 10.0 ** values[:, 8:]
    values[rng.random(values.shape) < 0.1] = np.nan
    values[0, 8, :4, :4], values[0, 0, 0, :3], values[0, 8, 5, 5] = 0.0, 99.0, -1.0
    values[0, 4:6] = np.nan  # no shortwave infrared
    values[-1, 6:8] = np.nan
    values[0, 1, 9, 9], values[0, 1, 9, 10] = np.inf, -np.inf
    return values.astype(np.float32)


def by_hand(model: torch.nn.Module, values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Scale as the training does, run the bare network, calibrate."""
    scaling = scaling_of(SENSORS)
    inputs = np.stack(
        [
            np.concatenate(
                [scaling.inputs(scaling.apply(v)), np.broadcast_to(place[:, None, None], (place.size, *v.shape[1:]))]
            )
            for v in values
        ]
    )
    with torch.inference_mode():
        z = model(torch.from_numpy(inputs.astype(np.float32))).double().numpy()
    z = z * np.array(CALIBRATION["scale"])[:, None, None] + np.array(CALIBRATION["offset"])[:, None, None]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


UNET = {"name": "unet", "widths": [4, 8], "entry": "presence"}


@pytest.mark.parametrize("location", ["none", "region", "coordinates"])
def test_the_graph_scales_as_the_training_does(location, tmp_path):
    import onnxruntime

    about = describe(UNET, location=location)
    model = network(about)
    saved = checkpoint.save(tmp_path, network=model, description=about)
    place = scene_scaling.location_vector(location, region="CAU", latitude=43.0, longitude=42.0)
    session = onnxruntime.InferenceSession(str(saved.onnx), providers=["CPUExecutionProvider"])
    for seed, side in ((0, 32), (1, 48)):  # a convolutional network takes other sizes
        values = physical(seed, side=side)
        inputs = np.concatenate(
            [values, np.broadcast_to(place[None, :, None, None], (2, place.size, side, side))], axis=1
        ).astype(np.float32)
        expected = by_hand(model, values, place)
        with torch.inference_mode():
            ours = export.whole(model, about)(torch.from_numpy(inputs)).numpy()
        found = session.run(None, {"inputs": inputs})[0]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(ours, expected, atol=1e-5)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert saved.parity <= 1e-4 and np.ptp(expected) > 0.05


def test_windows_of_training_and_values_of_a_scene_meet_in_the_same_inputs():
    """A tile through the training's batch and the same pixels raw through the graph: one answer (the batch is rounded
    to half precision)."""
    tile = piece((32, 32), 2, region="ALP")
    about = describe(UNET, location="region")
    model = network(about)
    split = scene_split.SceneSplit(maps=(0,), method="granule", is_leaky=False, groups=(1, 0, 0, 0))
    source = scene_windows.SceneSource(
        scene_windows.Tiles(tiles=[tile], scaling=scaling_of(SENSORS), location="region"),
        split=split,
        part=0,
        settings=SceneSamples(size=32),
        is_scored=True,
    )
    with torch.inference_mode():
        z = (
            model(torch.from_numpy(source.batch(source.plan(None)).inputs))
            * torch.tensor(CALIBRATION["scale"])[:, None, None]
            + torch.tensor(CALIBRATION["offset"])[:, None, None]
        )
        place = scene_scaling.region_vector("ALP")
        raw = np.concatenate(
            [tile.values(SENSORS, slice(0, 32), slice(0, 32)), np.broadcast_to(place[:, None, None], (12, 32, 32))]
        )[None]
        ours = export.whole(model, about)(torch.from_numpy(raw.astype(np.float32)))
    np.testing.assert_allclose(torch.softmax(z, 1).numpy(), ours.numpy(), atol=5e-3)


@pytest.mark.parametrize(
    ("model", "is_fixed"),
    [(UNET, False), ({"name": "glavitu", "width": 8, "blocks": 1, "heads": 2, "levels": 2}, True)],
)
def test_prediction_reads_the_file_and_what_it_says(model, is_fixed, tmp_path):
    about = describe(model, location="region")
    saved = checkpoint.save(tmp_path, network=network(about), description=about)
    loaded = predict_scenes.load(saved.onnx, runtime="onnxruntime")
    d = loaded.description
    assert (
        loaded.sensors == SENSORS
        and loaded.bands == 10
        and (d.location, d.location_kind, d.size, d.is_fixed) == (12, "region", 32, is_fixed)
    )
    assert (
        d.classes == ("other", "glacier")
        and d.confidence.method == "entropy_kernel"
        and loaded.about["weights_sha256"] == json.loads(saved.description.read_text())["weights_sha256"]
    )
    values = physical(3, batch=1)[0]
    out = list(
        predict_scenes.strips(
            [loaded], lambda r, c: values[:, r, c], shape=(32, 32), location=scene_scaling.region_vector("CAU")
        )
    )
    np.testing.assert_allclose(
        out[0].probability,
        by_hand(checkpoint.load(saved.weights)[0], values[None], scene_scaling.region_vector("CAU"))[0],
        atol=1e-4,
    )


def test_the_order_of_sensors_survives_its_files(tmp_path):
    turned = ("co_pol_sar", "optical", "dem")
    about = describe(UNET, sensors=turned)
    saved = checkpoint.save(tmp_path, network=network(about), description=about)
    again, told = checkpoint.load(saved.weights)
    assert (
        tuple(told.scaling.sensors)
        == tuple(told.model["sensors"])
        == predict_scenes.load(saved.onnx, runtime="onnxruntime").sensors
        == turned
    )
    assert tuple(json.loads(saved.description.read_text())["scaling"]["sensors"]) == turned and again.entry.bands == [
        2,
        6,
        2,
    ]


def test_an_unknown_kind_or_family_is_an_error():
    with pytest.raises(
        ProductError, match="kind tree: no such kind of network; expected one of window, sequence, scene"
    ):
        description.read({"kind": "tree"})
    with pytest.raises(UsageError, match=r"family trees: no module polynya\.families\.trees"):
        description.read({"kind": "tree", "family": "trees"})
