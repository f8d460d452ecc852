"""Small networks of echoes whose answers are known, and simulated tracks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polynya.simulate.altika import files
from polynya.simulate.altika.track import Track, draw_track

from ...onnx_networks import helper, save

FEATURES = ("peakiness", "agc")
HEADS = {
    "kind": "heads",
    "heads": {
        "lead": {"kind": "one_of", "classes": ["no_lead", "lead"], "positive": "lead"},
        "distance": {"kind": "quantiles", "name": "lead_distance", "levels": [0.16, 0.5, 0.84]},
    },
}


def described(**changes: object) -> dict[str, object]:
    about = {
        "description_version": 1,
        "name": "test-echoes",
        "kind": "echoes",
        "family": "echoes",
        "model": {"name": "echo_lstm"},
        "predicts": HEADS,
        "features": list(FEATURES),
        "mean": [0.0, 0.0],
        "std": [1.0, 1.0],
        "window": 100,
        "margin": 20,
        "threshold_m": 300.0,
        "belt": 3.0,
        "missions": ["SARAL"],
        "modes": ["lrm"],
        "is_simulated": True,
    }
    return {**about, **changes}


def around(path: Path, *, reach: int = 35, **changes: object) -> Path:
    """Write a network whose probability rises with the mean peakiness of ``reach`` echoes to each side, in its window.

    All distances are 200, 500 and 900 m.
    """
    kernel = np.zeros((5, len(FEATURES) + 1, 2 * reach + 1), np.float32)
    kernel[1, 0] = 5.0 / (2 * reach + 1)  # log1p of the peakiness: 1.6 over ice, 3 over leads
    kernel[1, 2] = -10.5 / (2 * reach + 1)
    fixed = np.log1p([2.0, 5.0, 9.0]).astype(np.float32).reshape(1, 3, 1)
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["bad"]),
        helper.make_node("Where", ["bad", "zero", "inputs"], ["x"]),
        helper.make_node("Conv", ["x", "kernel"], ["raw"], pads=[reach, reach]),
        helper.make_node("Sigmoid", ["raw"], ["p"]),
        helper.make_node("Slice", ["p", "at1", "at2", "axis"], ["lead"]),
        helper.make_node("Sub", ["one", "lead"], ["ice"]),
        helper.make_node("Mul", ["lead", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "fixed"], ["distance"]),
        helper.make_node("Concat", ["ice", "lead", "distance"], ["probability"], axis=1),
    ]
    weights = {
        "kernel": kernel,
        "zero": np.zeros(1, np.float32),
        "one": np.ones(1, np.float32),
        "fixed": fixed,
        "at1": np.array([1], np.int64),
        "at2": np.array([2], np.int64),
        "axis": np.array([1], np.int64),
    }
    return save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", len(FEATURES) + 1, "length"],
        output_shape=["batch", 5, "length"],
        about=described(**changes),
    )


def track(path: Path, *, seed: int = 3, echoes: int = 800) -> Track:
    """Write a simulated track; return what is true of it."""
    drawn = draw_track(seed, echoes=echoes)
    files.write_echoes(drawn, path)
    return drawn
