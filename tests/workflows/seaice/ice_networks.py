"""A small network of optical ice with weights set by hand: classes by brightness, so that what a map holds is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polynya.targets import OneOf
from tests import onnx_networks as networks
from tests.onnx_networks import helper

CLASSES = ("water", "thin_ice", "thick_ice", "melt_pond", "land", "pond_grid")
LEVELS = (20.0, 110.0, 225.0)
"""Counts that are surely water, thin ice and thick ice; a class holds up to half way to the next."""


def about(**changes) -> dict:
    found = networks.describe_scene(
        name="by-hand",
        scaling={"sensors": {"rgb": 3, "nir": 1}},
        sensor_table="optical_ice",
        predicts=OneOf(classes=CLASSES).model_dump(),
        size=64,
        stride=16,
        description_version=1,
        family="scenes",
    )
    del found["classes"]
    return {**found, **changes}


def by_brightness(path: Path, *, sharp: float = 0.05, described=None) -> Path:
    """Write a network whose logits are ``-sharp (v - level)² / 200`` but for a term that all classes share, v the mean
    of red, green and blue; ponds, land and pond grids have none."""
    matrix, bias = np.zeros((6, 4), np.float32), np.full(6, -1e3, np.float32)
    for k, level in enumerate(LEVELS):
        matrix[k, :3] = sharp * level / 100.0 / 3.0
        bias[k] = -sharp * level**2 / 200.0
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "inputs"], ["known"]),
        helper.make_node("Conv", ["known", "matrix", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    return networks.save(
        path,
        nodes=nodes,
        weights={"zero": np.zeros(1, np.float32), "matrix": matrix[:, :, None, None], "bias": bias},
        input_shape=["batch", 4, "h", "w"],
        output_shape=["batch", 6, "h", "w"],
        about=described or about(),
    )
