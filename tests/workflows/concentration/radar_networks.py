"""Small networks of radar scenes with weights set by hand, so that what a map must hold is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polynya.targets import Concentration, Heads, OneOf
from tests import onnx_networks as networks
from tests.onnx_networks import helper

STRIDE, HALO = 4, 12
SENSORS = {"hh": 1, "hv": 1, "incidence": 1}
DROPOUT = {"scene": {"sensor_dropout": 0.1, "always": ["incidence"]}}
STATED, ERROR = 0.1, 0.07
"""The spread that every network here states, and the error that was found where it does."""
SPREAD = {
    "stated": [STATED],
    "error": [ERROR],
    "spread_edges": [],
    "value_edges": [],
    "half_widths": [[[1.0]], [[2.0]]],
    "levels": [0.68, 0.95],
    "limits": [0.0, 1.0],
    "n": 1000,
}
STAGES = ("water", "new", "young", "thin_first_year", "thick_first_year", "old")
FLOES = ("water", "cake", "small", "medium", "big", "vast", "bergs")


def logit(share: float) -> float:
    """Return the inverse of the logistic function."""
    return float(np.log(share / (1.0 - share)))


def expit(x):
    """Return the logistic function."""
    return 1.0 / (1.0 + np.exp(-np.asarray(x, float)))


def about(predicts=None, *, name="concentration", **changes) -> dict:
    """Return the description of a network of concentration."""
    found = networks.describe_scene(
        name="by-hand",
        scaling={"sensors": SENSORS},
        sensor_table="radar_ice",
        predicts=(predicts or Concentration()).model_dump(),
        stride=STRIDE,
        halo=HALO,
        description_version=1,
        family="scenes",
        recipe=DROPOUT,
        spread={name: SPREAD},
    )
    del found["classes"]
    return {**found, **changes}


def two_heads() -> Heads:
    """Return concentration, stage and floe size."""
    return Heads(heads={"concentration": Concentration(), "stage": OneOf(classes=STAGES), "floe": OneOf(classes=FLOES)})


def pixelwise(path: Path, *, weights=(0.0, 0.0, 0.0), bias: float = 0.0, more=(), described=None) -> Path:
    """Write a network that gives every pixel ``expit(weights . z + bias)``, z its bands with 0 where missing, then the
    spread, then constants.

    Parameters
    ----------
    path : Path
        The file.
    weights : sequence of float
        Of the bands, in physical units.
    bias : float
        Added to their sum.
    more : sequence of float
        Constant planes.
    described : dict
        What it says of itself.
    """
    constants = [STATED, *more]
    matrix = np.zeros((1 + len(constants), len(weights), 1, 1), np.float32)
    matrix[0, :, 0, 0] = weights
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "inputs"], ["known"]),
        helper.make_node("Conv", ["known", "matrix", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probability"]),
    ]
    return networks.save(
        path,
        nodes=nodes,
        weights={
            "zero": np.zeros(1, np.float32),
            "matrix": matrix,
            "bias": np.array([bias, *(logit(c) for c in constants)], np.float32),
        },
        input_shape=["batch", len(weights), "h", "w"],
        output_shape=["batch", len(matrix), "h", "w"],
        about=about() if described is None else described,
    )


def far_sighted(path: Path, *, described=None) -> Path:
    """Write a network that sees 9 pixels far: a convolution, a pooling by 4 and a convolution of the blocks."""
    rng = np.random.default_rng(4)
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "inputs"], ["known"]),
        helper.make_node("Conv", ["known", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["c1"], ["h1"]),
        helper.make_node("MaxPool", ["h1"], ["low"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["low", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["c2"], ["h2"]),
        helper.make_node("ConvTranspose", ["h2", "w3"], ["up"], strides=[4, 4]),
        helper.make_node("Concat", ["h1", "up"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w4", "b4"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probability"]),
    ]

    def draw(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    last = draw(2, 8, 1, 1)
    last[1] = 0.0
    weights = {
        "zero": np.zeros(1, np.float32),
        "w1": draw(4, 3, 3, 3, scale=0.02),
        "b1": draw(4),
        "w2": draw(4, 4, 3, 3, scale=0.5),
        "b2": draw(4),
        "w3": draw(4, 4, 4, 4, scale=0.5),
        "w4": last,
        "b4": np.array([0.0, logit(STATED)], np.float32),
    }
    return networks.save(
        path,
        nodes=nodes,
        weights=weights,
        input_shape=["batch", 3, "h", "w"],
        output_shape=["batch", 2, "h", "w"],
        about=about() if described is None else described,
    )
