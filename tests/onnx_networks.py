"""Small ONNX networks with random weights in the layout that polynya exports, for tests that need a network but no
skill."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="tests build their networks with the onnx package (extra [dev])")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FEATURES = ("height", "photon_rate", "height_sd")
MEAN, STD = (0.3, 7.0, 0.15), (0.2, 3.0, 0.05)
STRIDE, HALO = 4, 12
"""Of the sequence network: one pooling by 4; an output depends on at most 2 + 3 + 4 + 2 cells to a side."""


def describe(kind: str, **changes: object) -> dict[str, object]:
    """Return the description of a network of this file."""
    return {
        "name": f"test-{kind}",
        "kind": kind,
        "features": list(FEATURES),
        "mean": list(MEAN),
        "std": list(STD),
        "temperature": 1.0,
        "classes": ["thick_ice", "thin_ice", "open_water"],
        "window_length": 5,
        "stride": STRIDE,
        "halo": HALO,
        **changes,
    }


def save(
    path: Path, *, nodes: list, weights: dict[str, np.ndarray], input_shape: list, output_shape: list, about: object
) -> Path:
    """Write a graph with its description; ``about`` None leaves the description out, text is written as it stands."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, output_shape)],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if about is not None:
        helper.set_model_props(model, {"polynya": about if isinstance(about, str) else json.dumps(about)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def window_network(path: Path, *, about: object = "default", length: int = 5) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write softmax(W z + b) over a flattened window z of scaled features; returns the path, W (length * features, 3)
    and b (3,)."""
    rng = np.random.default_rng(5)
    n = length * len(FEATURES)
    matrix, bias = rng.normal(0, 0.5, (n, 3)).astype(np.float32), rng.normal(0, 0.5, 3).astype(np.float32)
    nodes = [
        helper.make_node("Sub", ["inputs", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    weights = {"mean": np.array(MEAN, np.float32), "std": np.array(STD, np.float32), "matrix": matrix, "bias": bias}
    about = describe("window", window_length=length) if about == "default" else about
    save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", length, len(FEATURES)],
        output_shape=["batch", 3],
        about=about,
    )
    return path, matrix, bias


def sequence_network(path: Path, *, about: object = "default", bias_m: float = 0.0) -> Path:
    """Write a little U-Net: convolution 5, pooling 4, convolution 3, up by 4, skip, convolution 5, softmax.

    Its inner layers have biases and are not emptied where no segment is, so that a result shows what it leans on.
    ``bias_m`` is added to the water logit.
    """
    rng = np.random.default_rng(6)
    f, wide = len(FEATURES), 6

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 1.0 / np.sqrt(shape[1] * shape[2]), shape).astype(np.float32)

    column = (1, f, 1)
    weights = {
        "mean": np.array(MEAN, np.float32).reshape(column),
        "std": np.array(STD, np.float32).reshape(column),
        "first": np.array([0], np.int64),
        "last": np.array([f], np.int64),
        "end": np.array([f + 1], np.int64),
        "axis": np.array([1], np.int64),
        "w1": draw(wide, f + 1, 5),
        "b1": rng.normal(0, 0.5, wide).astype(np.float32),
        "w2": draw(wide, wide, 3),
        "b2": rng.normal(0, 0.5, wide).astype(np.float32),
        "w3": draw(wide, wide, 4),
        "w4": 3 * draw(3, 2 * wide, 5),
        "b4": np.array([0.0, 0.0, bias_m], np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["inputs", "first", "last", "axis"], ["raw"]),
        helper.make_node("Slice", ["inputs", "last", "end", "axis"], ["mask"]),
        helper.make_node("Sub", ["raw", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "mask"], ["shown"]),
        helper.make_node("Concat", ["shown", "mask"], ["all"], axis=1),
        helper.make_node("Conv", ["all", "w1", "b1"], ["c1"], pads=[2, 2]),
        helper.make_node("Tanh", ["c1"], ["h1"]),
        helper.make_node("MaxPool", ["h1"], ["low"], kernel_shape=[4], strides=[4]),
        helper.make_node("Conv", ["low", "w2", "b2"], ["c2"], pads=[1, 1]),
        helper.make_node("Tanh", ["c2"], ["h2"]),
        helper.make_node("ConvTranspose", ["h2", "w3"], ["up"], strides=[4]),
        helper.make_node("Concat", ["h1", "up"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w4", "b4"], ["logits"], pads=[2, 2]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    about = describe("sequence") if about == "default" else about
    return save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", f + 1, "length"],
        output_shape=["batch", 3, "length"],
        about=about,
    )


def describe_scene(**changes: object) -> dict[str, object]:
    """Return the description of :func:`scene_network`."""
    return {
        "name": "test-scene",
        "kind": "scene",
        "scaling": {
            "sensors": {"optical": 2, "dem": 1},
            "low": [0.0, 0.0, 0.0],
            "high": [1.0, 1.0, 1.0],
            "is_log": [False, False, False],
        },
        "limit": 2.0,
        "classes": ["other", "glacier"],
        "location_kind": "none",
        "location": 0,
        "size": 16,
        "stride": 1,
        "is_fixed": False,
        **changes,
    }


def scene_network(path: Path, *, about: object = "default", planes: int = 3) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write softmax(W z + b) of every pixel by itself, z the planes with 0 where missing; returns the path, W (2,
    planes) and b (2,)."""
    rng = np.random.default_rng(8)
    matrix, bias = rng.normal(0, 1.5, (2, planes)).astype(np.float32), rng.normal(0, 0.5, 2).astype(np.float32)
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "inputs"], ["known"]),
        helper.make_node("Conv", ["known", "matrix", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    weights = {"zero": np.zeros(1, np.float32), "matrix": matrix[:, :, None, None], "bias": bias}
    about = describe_scene() if about == "default" else about
    save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", planes, "h", "w"],
        output_shape=["batch", 2, "h", "w"],
        about=about,
    )
    return path, matrix, bias


def step_network(path: Path, *, sureness: float, level_m: float = 0.06) -> Path:
    """Write a network that calls water what lies less than ``level_m`` above the first guess of the water, with
    probability 1 / (1 + exp(−2 sureness))."""
    nodes = [
        helper.make_node("Flatten", ["inputs"], ["above"]),
        helper.make_node("Sub", ["level", "above"], ["below"]),
        helper.make_node("Mul", ["below", "steep"], ["scaled"]),
        helper.make_node("Tanh", ["scaled"], ["step"]),
        helper.make_node("Gemm", ["step", "matrix", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    weights = {
        "level": np.array([level_m], np.float32),
        "steep": np.array([1e6], np.float32),
        "matrix": np.array([[-sureness, 0.0, sureness]], np.float32),
        "bias": np.array([0.0, -30.0, 0.0], np.float32),
    }
    about = describe("window", window_length=1, features=["height_above_water"], mean=[0.0], std=[1.0], name="step")
    return save(path, nodes=nodes, weights=weights, input_shape=["batch", 1, 1], output_shape=["batch", 3], about=about)
