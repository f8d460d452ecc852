"""A small network of imagettes whose answers are known, and sets of simulated imagettes for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polynya.samples.imagette_pictures import SCALARS
from polynya.schema.imagettes import TAGS
from polynya.simulate.wave_mode.product import Options, simulate_imagettes

from ...onnx_networks import helper, save

SIZE = 128
FAR = 12.0
"""Limit of the distance, which is the size of the mean in dB."""
STEEP, MIDDLE = 8.0, -0.75
"""The probability of tag k is that of the variance in band k: sigmoid(8 (log10 share + 0.75)); the last two tags take
anisotropy (0 to 1) less 0.75 in place of it, and the standard deviation in dB less 4."""


def described(**changes: object) -> dict[str, object]:
    n = len(SCALARS)
    about = {
        "description_version": 1,
        "name": "test-tags",
        "kind": "pictures",
        "family": "images",
        "model": {"name": "wave_cnn"},
        "predicts": {"kind": "many_of", "labels": list(TAGS)},
        "size": SIZE,
        "pixel_m": 50.0,
        "scalars": list(SCALARS),
        "mean": [0.0] * n,
        "std": [1.0] * n,
        "decision": {
            "best_f1": [0.5] * 10,
            "precise": [0.8] * 9 + [None],
            "precision": 0.9,
            "unknown_below": 0.5,
            "n": 10,
            "untagged": 1,
        },
        "open_set": {
            "mean": [0.0],
            "directions": [[1.0]],
            "sd": [1.0],
            "rest_sd": 1.0,
            "limits": [FAR - 1, FAR],
            "n": 10,
        },
        "satellites": ["S1A"],
        "beams": ["wv1", "wv2"],
        "is_simulated": True,
    }
    return {**about, **changes}


def by_scalars(path: Path, **changes: object) -> Path:
    """Write a network whose probabilities follow from the numbers beside the picture; see :data:`STEEP`."""
    n = len(SCALARS)
    weight, bias = np.zeros((n, 10), np.float32), np.zeros(10, np.float32)
    for k in range(8):
        weight[SCALARS.index(f"band_{k}"), k], bias[k] = STEEP, -STEEP * MIDDLE
    weight[SCALARS.index("anisotropy"), 8], bias[8] = STEEP, STEEP * MIDDLE
    weight[SCALARS.index("sd_db"), 9], bias[9] = 1.0, -4.0
    mean = np.zeros((n, 1), np.float32)
    mean[SCALARS.index("mean_db")] = 1.0
    nodes = [
        helper.make_node("Slice", ["inputs", "from", "to", "axes"], ["line"]),
        helper.make_node("Reshape", ["line", "flat"], ["raw"]),
        helper.make_node("IsNaN", ["raw"], ["bad"]),
        helper.make_node("Where", ["bad", "zero", "raw"], ["x"]),
        helper.make_node("MatMul", ["x", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
        helper.make_node("MatMul", ["x", "mean"], ["level"]),
        helper.make_node("Abs", ["level"], ["distance"]),
        helper.make_node("Concat", ["p", "distance"], ["probability"], axis=1),
    ]
    weights = {
        "weight": weight,
        "bias": bias,
        "mean": mean,
        "zero": np.zeros(1, np.float32),
        "from": np.array([SIZE, 0], np.int64),
        "to": np.array([SIZE + 1, n], np.int64),
        "axes": np.array([1, 2], np.int64),
        "flat": np.array([-1, n], np.int64),
    }
    return save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", SIZE + 1, SIZE],
        output_shape=["batch", 11],
        about=described(**changes),
    )


def imagettes(folder: Path, *, count: int, seed: int = 62, form: str = "tiff") -> Path:
    """Write simulated imagettes with a table of tags; return the folder, or the product for ``safe``."""
    simulate_imagettes(folder, Options(seed=seed, count=count, form=form, spacing_m=25.0))
    return next(iter(folder.glob("*.SAFE")), folder)
