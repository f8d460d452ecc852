"""What training leaves: a state that comes back bit for bit, weights, and an ONNX file that needs nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from polynya import checkpoint, export, models  # noqa: E402
from polynya.description import Description, read  # noqa: E402
from polynya.errors import PolynyaError, ProductError, UsageError  # noqa: E402

FEATURES = ["height", "photon_rate_high", "background_rate"]
NETWORKS = {
    "mlp": {"name": "mlp", "length": 5, "hidden": [8]},
    "lstm-elu": {"name": "lstm", "length": 5, "units": 6, "activation": "elu", "dense": [8, 4]},
    "lstm-tanh": {"name": "lstm", "length": 3, "units": 6, "activation": "tanh"},
    "track-unet": {"name": "track_unet", "widths": [6, 8, 10], "strides": [2, 4], "kernel": 3, "dilations": [1, 2]},
}


def describe(name: str) -> Description:
    """A description with a scaling and a calibration that are not the identity."""
    model = NETWORKS[name]
    module = models.named(model["name"])
    config = module.Config(**{k: v for k, v in model.items() if k != "name"}, features=FEATURES)
    return read(
        {
            "name": name,
            "kind": module.KIND,
            "model": model,
            "features": FEATURES,
            "classes": ["thick_ice", "thin_ice", "open_water"],
            "mean": [0.3, 7.0, 6e6],
            "std": [0.2, 2.5, 1e6],
            "limit": 10.0,
            "window_length": model.get("length", 1),
            "stride": getattr(config, "stride", 1),
            "halo": getattr(config, "halo", 0),
            "calibration": {"method": "vector", "scale": [0.7, 1.1, 0.9], "offset": [0.3, -0.4, 0.1]},
            "temperature": 1.1,
        }
    )


def network(description: Description) -> torch.nn.Module:
    torch.manual_seed(3)
    return checkpoint.build(description).eval()


def probabilities_by_hand(model: torch.nn.Module, description: Description, raw: np.ndarray) -> np.ndarray:
    """Scaling, network, calibration and softmax in numpy around the bare network."""
    values = raw if description.kind == "window" else raw[:, :-1].transpose(0, 2, 1)
    z = np.nan_to_num(np.clip((values - description.mean) / description.std, -10, 10), nan=0.0)
    if description.kind == "sequence":
        here = raw[:, -1:]
        z = np.concatenate([z.transpose(0, 2, 1) * here, here], axis=1)
    with torch.inference_mode():
        out = np.moveaxis(model(torch.tensor(z, dtype=torch.float32)).numpy(), 1, -1)
    out = np.exp(out * description.calibration.scale + description.calibration.offset)
    return np.moveaxis(out / out.sum(axis=-1, keepdims=True), -1, 1)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_onnx_file_alone_gives_torchs_probabilities(name, tmp_path):
    import onnxruntime

    description = describe(name)
    model = network(description)
    saved = checkpoint.save(tmp_path, network=model, description=description)
    assert saved.parity <= 1e-4
    session = onnxruntime.InferenceSession(str(saved.onnx), providers=["CPUExecutionProvider"])
    told = json.loads(session.get_modelmeta().custom_metadata_map["polynya"])
    assert (
        told == json.loads(saved.description.read_text())
        and told["features"] == FEATURES
        and len(told["weights_sha256"]) == 64
    )
    rng = np.random.default_rng(0)
    for batch, cells in ((1, 1), (11, 4)):
        shape = (
            (batch, description.window_length)
            if description.kind == "window"
            else (batch, cells * description.stride * 4)
        )
        raw = rng.normal(size=(*shape, 3)) * np.array(description.std) * 3 + description.mean
        raw[rng.random(raw.shape) < 0.1] = np.nan
        raw[0, 0] = 1e9  # out of anything seen: held at the limit
        if description.kind == "sequence":
            here = rng.random((*shape, 1)) < 0.8
            raw = np.concatenate([np.where(here, raw, 0.0), here], axis=2).transpose(0, 2, 1)
        raw = raw.astype(np.float32)
        found = session.run(None, {session.get_inputs()[0].name: raw})[0]
        expected = probabilities_by_hand(model, description, raw.astype(np.float64))
        assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-4
        assert np.allclose(found.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "track-unet"])
def test_a_saved_network_comes_back(name, tmp_path):
    description = describe(name)
    model = network(description)
    checkpoint.save(tmp_path, network=model, description=description)
    again, told = checkpoint.load(tmp_path / f"{name}.safetensors")
    assert told.mean == description.mean
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ProductError, match=r"bad.safetensors: cannot be read"):
        checkpoint.load(tmp_path / "bad.safetensors")


def test_a_graph_that_differs_is_not_shipped(tmp_path, monkeypatch):
    description = describe("mlp")
    monkeypatch.setattr(export, "parity", lambda *a, **k: 2e-3)
    with pytest.raises(PolynyaError, match=r"onnxruntime differs from torch by 2.0e-03"):
        export.write(network(description), description, path=tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_state_comes_back_bit_for_bit(tmp_path):
    model = network(describe("mlp"))
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(3):
        model(torch.randn(7, 5, 3)).square().sum().backward()
        optimiser.step()
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    history = [{"epoch": 1, "train_loss": 0.1 + 0.2, "recall": [1.0, float("nan"), 0.3]}]
    state = checkpoint.State(
        weights=weights,
        optimiser=optimiser.state_dict()["state"],
        average={},
        best=weights,
        best_epoch=1,
        steps=3,
        history=history,
    )
    checkpoint.save_state(tmp_path / "s.safetensors", state, digest="abc")
    back = checkpoint.load_state(tmp_path / "s.safetensors", digest="abc")
    assert all(torch.equal(back.weights[k], weights[k]) for k in weights) and back.steps == 3 and back.best_epoch == 1
    assert back.history[0]["train_loss"] == 0.1 + 0.2 and np.isnan(back.history[0]["recall"][1])
    for index, values in optimiser.state_dict()["state"].items():
        assert set(values) == set(back.optimiser[index])
        assert all(torch.equal(torch.as_tensor(v), back.optimiser[index][k]) for k, v in values.items())
    with pytest.raises(UsageError, match="state of a training with other data, recipe, seed or split"):
        checkpoint.load_state(tmp_path / "s.safetensors", digest="abd")
    (tmp_path / "s.safetensors").write_bytes((tmp_path / "s.safetensors").read_bytes()[:100])
    with pytest.raises(ProductError, match="cannot be read"):
        checkpoint.load_state(tmp_path / "s.safetensors", digest="abc")


def test_networks_are_found_by_name_or_dotted_module():
    assert models.named("mlp") is models.named("polynya.models.mlp")
    with pytest.raises(UsageError, match=r"model transformer: no module polynya.models.transformer"):
        models.named("transformer")
    with pytest.raises(UsageError, match=r"model json\.tool: json\.tool has no KIND, Config, build"):
        models.named("json.tool")
