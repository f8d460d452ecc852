"""What every network over a scene's sensors must do, found by walking the folder: shapes, gradients, export,
repeatability, missing sensors."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import polynya.models  # noqa: E402

SENSORS = {"optical": 3, "dem": 2, "thermal": 1}
SMALL = {
    "glavitu": {"width": 8, "blocks": 2, "heads": 2, "levels": 2, "tile": 32},
    "unet": {"widths": (4, 6, 8)},
    "unet_autoice": {"widths": (4, 6)},
    "resunet": {"width": 4, "levels": 2, "entry_width": 6},
    "setr": {"width": 12, "blocks": 2, "heads": 3, "mlp": 16, "decoder": 8, "entry_width": 6, "tile": 32},
    "deeplabv3plus": {"stem": 4, "width": 4, "blocks": (1, 1, 2, 2), "rates": (1, 2), "decoder": 8, "beside": 3},
    "transunet": {
        "root": 4,
        "units": (1, 1, 2),
        "width": 8,
        "blocks": 2,
        "heads": 2,
        "mlp": 12,
        "decoder": (16, 8, 8, 4, 4),
        "tile": 32,
    },
    "gdgt": {"widths": (4, 6, 8, 8), "blocks": (1, 1, 1, 1), "has_pool": False, "decoder": 8, "heads": 2},
    "surroundings": {"width": 6, "scales": (1.0, 3.0), "tile": 32},
    "segformer": {"widths": (4, 8, 10, 16), "depths": (1, 1, 2, 1), "decoder": 12},
}


def scene_networks() -> dict[str, object]:
    """Return every module of polynya/models that takes sensors."""
    modules = {
        p.stem: importlib.import_module(f"polynya.models.{p.stem}")
        for p in sorted(Path(polynya.models.__file__).parent.glob("[!_]*.py"))
    }
    return {
        k: m for k, m in modules.items() if getattr(m, "KIND", "") == "scene" and "sensors" in m.Config.model_fields
    }


NETWORKS = scene_networks()


def make(name: str, **more):
    torch.manual_seed(0)
    module = NETWORKS[name]
    config = module.Config(**{"sensors": SENSORS, "location": 2, "classes": 4, **SMALL.get(name, {}), **more})
    return config, module.build(config)


def planes(config, *, batch=2, h=32, w=32, absent=()):
    """Return an input with every sensor present but those named."""
    rng = torch.Generator().manual_seed(3)
    values = torch.rand(batch, sum(config.sensors.values()), h, w, generator=rng)
    presence = torch.ones(batch, len(config.sensors), h, w)
    for k, sensor in enumerate(config.sensors):
        if sensor in absent:
            presence[:, k] = 0.0
    place = torch.rand(batch, config.location, 1, 1, generator=rng).expand(-1, -1, h, w)
    return torch.cat([values, presence, place], dim=1)


def size(config) -> tuple[int, int]:
    side = max(32, config.stride)
    return side, side


def jolt(network) -> None:
    """Give batch norms statistics of their own, so that none is an identity."""
    rng = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.copy_(torch.rand(module.running_mean.shape, generator=rng) - 0.5)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=rng) + 0.5)
            module.bias.data.copy_(torch.rand(module.bias.shape, generator=rng) - 0.3)


def test_the_walk_finds_the_networks_and_each_has_small_settings():
    assert {"glavitu", "unet", "resunet", "deeplabv3plus", "setr", "transunet", "segformer"} <= set(NETWORKS)
    assert set(NETWORKS) <= set(SMALL), "a new scene network needs small settings here"


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_have_the_tile_s_shape(name):
    config, network = make(name)
    h, w = size(config)
    network.eval()
    for batch, height, width in ((1, h, w), (2, h, w + config.stride), (1, 2 * h, w)):
        with torch.no_grad():
            out = network(planes(config, batch=batch, h=height, w=width))
        assert out.shape == (batch, 4, height, width) and torch.isfinite(out).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name):
    config, network = make(name)
    h, w = size(config)
    network.train()
    out = network(planes(config, h=2 * h, w=2 * w))
    logits, *auxiliary = out if isinstance(out, tuple) else (out,)
    target = torch.randint(0, 4, logits.shape[:1] + logits.shape[2:], generator=torch.Generator().manual_seed(1))
    sum(torch.nn.functional.cross_entropy(o, target) for o in (logits, *auxiliary)).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
        if parameter.ndim > 1:  # biases before a batch norm, and those of keys, change nothing
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one_trains(name):
    config, network = make(name)
    h, w = size(config)
    out = network.train()(planes(config, batch=1, h=2 * h, w=2 * w))
    assert all(torch.isfinite(o).all() for o in (out if isinstance(out, tuple) else (out,)))


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_repeats_itself_and_dropout_only_trains(name):
    config, network = make(name, dropout=0.5)
    x = planes(config, h=size(config)[0], w=size(config)[1])
    with torch.no_grad():
        a, b = network.eval()(x), network(x)
        assert torch.equal(a, b)
        for module in network.modules():  # Monte-Carlo dropout: these alone are switched on
            if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
                module.train()
        assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("entry", ["bands", "presence", "branches"])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_of_an_absent_sensor_change_nothing(name, entry):
    if "entry" not in NETWORKS[name].Config.model_fields:
        if entry != "branches":
            pytest.skip(f"{name} has branches only")
        config, network = make(name)
    else:
        config, network = make(name, entry=entry)
    jolt(network)
    network.eval()
    h, w = size(config)
    x = planes(config, h=h, w=w, absent=["dem"])
    x[:, 6 + 2, :, : w // 2] = 0.0  # thermal sees the right half only
    other = x.clone()
    other[:, 3:5] = torch.nan
    other[:, 5, :, : w // 2] = 1e9
    with torch.no_grad():
        a = network(x)
        assert torch.equal(a, network(other)) and torch.isfinite(a).all()
        other[:, 5] += 1.0
        assert not torch.equal(a, network(other))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_sensor_at_all_gives_numbers(name):
    config, network = make(name)
    x = planes(config, h=64, w=64, absent=SENSORS)
    x[:, :6] = torch.nan
    with torch.no_grad():
        out = network.train()(x)
        assert all(torch.isfinite(o).all() for o in (out if isinstance(out, tuple) else (out,)))
        assert torch.isfinite(network.eval()(x)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_export_says_the_same(name, tmp_path):
    """Dynamic batch everywhere; height and width too where no positions are learned."""
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    config, network = make(name)
    jolt(network)
    network.eval()
    h, w = size(config)
    free = "tile" not in type(config).model_fields
    axes = {0: "batch", **({2: "y", 3: "x"} if free else {})}
    path = tmp_path / "network.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (planes(config, h=h, w=w),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["inputs"],
            output_names=["logits"],
            dynamic_axes={"inputs": axes, "logits": axes},
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, h, w), (3, h, w), *(((2, 2 * h, 3 * w),) if free else ())):
        x = planes(config, batch=batch, h=height, w=width, absent=["thermal"])
        x[:, 6, : h // 2] = 0.0
        with torch.no_grad():
            expected = network(x).numpy()
        found = session.run(None, {"inputs": x.numpy()})[0]
        assert found.shape == expected.shape and np.abs(found - expected).max() <= 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_settings_are_frozen_and_unknown_ones_refused(name):
    config, _ = make(name)
    assert config.stride >= 1
    with pytest.raises(ValueError, match="extra"):
        NETWORKS[name].Config(unknown=1)
    with pytest.raises(ValueError, match="at least one band"):
        NETWORKS[name].Config(sensors={"optical": 0})
    with pytest.raises(ValueError, match="frozen"):
        config.classes = 3


def test_surroundings_are_means_under_gaussians_of_what_is_there():
    """Against sums over all pixels, the edge pixels repeated beyond the border."""
    from polynya.models import surroundings

    side, scale = 12, 1.5
    rng = np.random.default_rng(2)
    values, seen = rng.random((side, side)), (rng.random((side, side)) < 0.7).astype(float)
    reach = 5  # ceil(3 * 1.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / scale) ** 2)
    weights /= weights.sum()
    expected = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            rows, columns = (np.clip(at + steps, 0, side - 1) for at in (row, column))
            w = weights[:, None] * weights[None, :] * seen[np.ix_(rows, columns)]
            expected[row, column] = (w * values[np.ix_(rows, columns)]).sum() / w.sum()
    mean = surroundings.Mean(side, scale)
    x, there = (torch.tensor(a, dtype=torch.float32)[None, None] for a in (values * seen, seen))
    np.testing.assert_allclose(mean(x, there)[0, 0].numpy(), expected, atol=1e-5)


def test_surroundings_look_at_no_unused_band():
    config, network = make("surroundings", unused=(0, 3))
    jolt(network)
    network.eval()
    x = planes(config)
    other = x.clone()
    other[:, [0, 3]] = 7.0
    with torch.no_grad():
        assert torch.equal(network(x), network(other))
        other[:, 1] = 7.0
        assert not torch.equal(network(x), network(other))
