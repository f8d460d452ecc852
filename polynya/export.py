"""A trained network as one ONNX graph from raw values to calibrated probabilities, and the proof that it gives what
torch gives.

Scaling, network, calibration and softmax are inside the graph; its metadata property ``polynya`` carries the
description as JSON.
"""

from __future__ import annotations

import copy
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import io
from .errors import PolynyaError, UsageError

OPSET = 17
PARITY = 1e-4
"""Largest difference between the probabilities of torch and of the exported graph."""
KINDS = ("window", "sequence", "scene")
MOST_DRAWS = 100
"""Calls of a graph with dropout until it counts as one that never draws."""


class Exported(nn.Module):
    """A network between raw feature values and probabilities.

    Parameters
    ----------
    network : torch.nn.Module
    description : dict
        ``kind``, ``mean``, ``std``, ``limit`` and ``calibration`` (``scale``, ``offset``).
    """

    def __init__(self, network: nn.Module, description: dict):
        super().__init__()
        self.network, self.is_window, self.limit = network, description["kind"] == "window", float(description["limit"])
        self.axes = {0: "batch"} if self.is_window else {0: "batch", 2: "length"}
        row = (1, 1, -1) if self.is_window else (1, -1, 1)
        out = (1, -1) if self.is_window else (1, -1, 1)
        for name, values, shape in (
            ("mean", description["mean"], row),
            ("std", description["std"], row),
            ("scale", description["calibration"]["scale"], out),
            ("offset", description["calibration"]["offset"], out),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        raw = inputs if self.is_window else inputs[:, :-1]
        scaled = torch.where(torch.isnan(raw), torch.zeros_like(raw), (raw - self.mean) / self.std).clamp(
            -self.limit, self.limit
        )
        if not self.is_window:
            here = inputs[:, -1:]
            scaled = torch.cat([scaled * here, here], dim=1)
        return torch.softmax(self.network(scaled) * self.scale + self.offset, dim=1)


class ExportedScene(nn.Module):
    """A network between a scene's physical values and probabilities.

    Inputs (batch, bands + location, h, w): bands in the order of the description's sensors, NaN where missing; then the
    planes that say where the scene is. Presence planes are made from what is missing.

    Parameters
    ----------
    network : torch.nn.Module
    description : dict
        ``scaling`` (``sensors``, ``low``, ``high``, ``is_log``), ``limit``, ``size``, ``is_fixed`` and ``calibration``.
    """

    def __init__(self, network: nn.Module, description: dict):
        super().__init__()
        s = description["scaling"]
        self.network, self.limit, self.counts, self.bands = (
            network,
            float(description["limit"]),
            list(s["sensors"].values()),
            sum(s["sensors"].values()),
        )
        self.axes = {0: "batch"} if description["is_fixed"] else {0: "batch", 2: "height", 3: "width"}
        begin = [0, *list(itertools.accumulate(self.counts))]
        self.logarithmic = [s["is_log"][b] for b in begin[:-1]]
        plane = (1, -1, 1, 1)
        for name, values in (
            ("low", s["low"]),
            ("range", [h - low for low, h in zip(s["low"], s["high"], strict=True)]),
            ("scale", description["calibration"]["scale"]),
            ("offset", description["calibration"]["offset"]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).reshape(plane))

    def forward(self, inputs: Tensor) -> Tensor:
        *raw, place = torch.split(inputs, [*self.counts, inputs.shape[1] - self.bands], dim=1)
        known, there = [], []
        for part, is_log in zip(raw, self.logarithmic, strict=True):
            seen = ~torch.isnan(part)
            filled = torch.where(seen, part, torch.zeros_like(part))
            known.append(torch.log10(filled.clamp(min=0.0) + 1e-6) if is_log else filled)
            there.append(seen.to(part.dtype))
        scaled = ((torch.cat(known, dim=1) - self.low) / self.range).clamp(-self.limit, self.limit) * torch.cat(
            there, dim=1
        )
        planes = [part.amax(dim=1, keepdim=True) for part in there]
        return torch.softmax(self.network(torch.cat([scaled, *planes, place], dim=1)) * self.scale + self.offset, dim=1)


class Drawn(nn.Module):
    """Dropout that draws at every call, in evaluation too: x times (uniform >= p) / (1 - p) (Gal and Ghahramani 2016,
    arXiv:1506.02142).

    Written in plain operations since exporters leave dropout out of a graph for evaluation.

    Parameters
    ----------
    p : float
        Share that is dropped.
    is_channel : bool
        True to drop whole channels of (batch, channels, h, w).
    """

    def __init__(self, p: float, *, is_channel: bool):
        super().__init__()
        self.p, self.is_channel = p, is_channel

    def forward(self, x: Tensor) -> Tensor:
        like = x[:, :, :1, :1] if self.is_channel else x
        return x * (torch.rand_like(like) >= self.p).to(x.dtype) / (1.0 - self.p)


def with_drawn_dropout(network: nn.Module) -> nn.Module | None:
    """Return a copy of a network whose dropout draws in evaluation; None where it drops nothing."""
    twin = copy.deepcopy(network)
    found = 0
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (nn.Dropout, nn.Dropout2d)) and child.p > 0:
                setattr(parent, name, Drawn(child.p, is_channel=isinstance(child, nn.Dropout2d)))
                found += 1
    return twin.eval() if found else None


def whole(network: nn.Module, description: dict) -> Exported | ExportedScene:
    """Return a network with all that the graph holds around it, in evaluation mode.

    Raises
    ------
    UsageError
        If the description's kind is unknown.
    """
    if description["kind"] not in KINDS:
        raise UsageError(f"kind {description['kind']}: expected one of {', '.join(KINDS)}. Export knows these.")
    return (ExportedScene if description["kind"] == "scene" else Exported)(network, description).eval()


def write(network: nn.Module, description: dict, *, path: Path) -> float:
    """Write the ONNX file and return the largest difference to torch on random inputs of other sizes.

    Raises
    ------
    PolynyaError
        If it is above 1e-4.
    UsageError
        If the onnx package is missing.
    """
    graph_of = whole(network, description)
    with io.writing(path) as temporary:
        _to_onnx(graph_of, description, path=temporary)
        worst = parity(graph_of, description, path=temporary)
        if not worst <= PARITY:
            raise PolynyaError(
                f"{path.name}: onnxruntime differs from torch by {worst:.1e}; expected at most {PARITY:g}. The network"
                " uses something that does not export; please report it."
            )
    return worst


def write_drawn(network: nn.Module, description: dict, *, path: Path) -> bool:
    """Write the graph that draws its dropout anew at every call, for Monte-Carlo dropout; return False, and write
    nothing, where there is none.

    Raises
    ------
    PolynyaError
        If calls of the graph give the same, or what it gives is no probability.
    UsageError
        If the onnx package is missing.
    """
    import onnxruntime

    twin = with_drawn_dropout(network)
    if twin is None:
        return False
    inputs = _example(description, batch=1, length=2).numpy()
    with io.writing(path) as temporary:
        _to_onnx(whole(twin, description), {**description, "is_drawn": True}, path=temporary)
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        one = session.run(None, {"inputs": inputs})[0]
        varies = any(
            not np.array_equal(session.run(None, {"inputs": inputs})[0], one) for _ in range(MOST_DRAWS)
        )  # few channels may all stay more than once
        if not varies or not np.allclose(one.sum(axis=1), 1.0, atol=1e-4):
            raise PolynyaError(
                f"{path.name}: {MOST_DRAWS} calls give the same, or no probabilities; expected draws of dropout. The"
                " network uses something that does not export; please report it."
            )
    return True


def _to_onnx(graph_of: nn.Module, description: dict, *, path: Path) -> None:
    """Export a graph with its description."""
    try:
        import onnx
    except ImportError as error:
        raise UsageError(
            "export: the package onnx is not installed; expected the extra [train]. pip install 'polynya[train]'."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the exporter that needs no further package is called legacy; its result is checked by whoever calls
        torch.onnx.export(
            graph_of,
            (_example(description, batch=2, length=1),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["inputs"],
            output_names=["probability"],
            dynamic_axes={"inputs": graph_of.axes, "probability": graph_of.axes},
        )
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {"polynya": json.dumps(description)})
    onnx.save(graph, str(path))


def parity(graph_of: Exported | ExportedScene, description: dict, *, path: Path) -> float:
    """Return the largest difference between torch and onnxruntime over a few sizes, missing values included."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, length in ((1, 1), (2, 2)) if description["kind"] == "scene" else ((1, 1), (3, 2), (17, 5)):
        inputs = _example(description, batch=batch, length=length)
        with torch.inference_mode():
            expected = graph_of(inputs).numpy()
        worst = max(worst, float(np.abs(session.run(None, {"inputs": inputs.numpy()})[0] - expected).max()))
    return worst


def _example(description: dict, *, batch: int, length: int) -> Tensor:
    """Return raw inputs drawn from the training's mean and std (scenes: their scaling), a tenth of them missing."""
    rng = np.random.default_rng(batch)
    if description["kind"] == "scene":
        return _example_scene(description, rng, batch=batch, length=length)
    mean, std = np.array(description["mean"]), np.array(description["std"])
    cells = description["window_length"] if description["kind"] == "window" else length * max(description["stride"], 8)
    values = mean + std * rng.normal(size=(batch, cells, mean.size))
    values[rng.random(values.shape) < 0.1] = np.nan
    if description["kind"] == "window":
        return torch.from_numpy(values.astype(np.float32))
    here = (rng.random((batch, cells, 1)) < 0.9).astype(float)
    values = np.where(here > 0, values, 0.0)
    return torch.from_numpy(np.concatenate([values, here], axis=2).transpose(0, 2, 1).astype(np.float32).copy())


def _example_scene(description: dict, rng: np.random.Generator, *, batch: int, length: int) -> Tensor:
    s = description["scaling"]
    side = description["size"] if description["is_fixed"] else length * max(description["stride"], 16)
    shape = (batch, len(s["low"]), side, side)
    low, high = (np.array(s[k]).reshape(1, -1, 1, 1) for k in ("low", "high"))
    scaled = low + (high - low) * rng.random(shape)
    is_log = np.broadcast_to(np.array(s["is_log"]).reshape(1, -1, 1, 1), shape)
    values = np.power(10.0, scaled, where=is_log, out=scaled.copy())
    values[rng.random(shape) < 0.1] = np.nan
    begin = np.cumsum([0, *s["sensors"].values()])
    if len(begin) > 2:
        values[0, begin[1] : begin[2]] = np.nan  # a whole sensor is away
    place = np.zeros((batch, description["location"], side, side))
    place[:, :1] = 1.0
    return torch.from_numpy(np.concatenate([values, place], axis=1).astype(np.float32))
