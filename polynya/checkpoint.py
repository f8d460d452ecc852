"""What training leaves: a state to go on from, the weights, and one ONNX file that needs nothing else. No pickle
anywhere.

A network is three files: ``NAME.safetensors`` (weights), ``NAME.json`` (what they are: network, features, scaling,
calibration, data, recipe, scores) and ``NAME.onnx``, whose graph takes raw feature values to probabilities (scaling,
network, calibration and softmax are inside) and whose metadata property ``polynya`` carries the same JSON.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import export, io
from .errors import ProductError, UsageError, one_line

DROPOUT = "-dropout"
"""Ends the name of the graph that draws its dropout."""


@dataclass(frozen=True)
class State:
    """A training after a whole epoch: weights, optimiser's moments, averaged and best weights, what happened so far."""

    weights: dict[str, Tensor]
    optimiser: dict[int, dict[str, Tensor]]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    best_epoch: int
    steps: int
    history: list[dict]


def save_state(path: Path, state: State, *, digest: str) -> None:
    """Write a state under a temporary name, then rename: a kill leaves the last whole one."""
    tensors = {f"{part}/{k}": v for part in ("weights", "average", "best") for k, v in getattr(state, part).items()}
    for index, values in state.optimiser.items():
        tensors |= {f"optimiser/{index}/{k}": torch.as_tensor(v).detach().cpu() for k, v in values.items()}
    record = {"digest": digest, "best_epoch": state.best_epoch, "steps": state.steps, "history": state.history}
    with io.writing(path) as temporary:
        save_file(
            {k: v.contiguous().clone() for k, v in tensors.items()}, temporary, metadata={"polynya": json.dumps(record)}
        )


def load_state(path: Path, *, digest: str) -> State:
    """Read a state.

    Raises
    ------
    ProductError
        If the file is damaged.
    UsageError
        If it belongs to another training.
    """
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {})["polynya"])
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:120]}); expected the state of a training. Start anew with"
            " --overwrite."
        ) from error
    if record["digest"] != digest:
        raise UsageError(
            f"{path.name}: is the state of a training with other data, recipe, seed or split; expected {digest}, found"
            f" {record['digest']}. Give the same again, or --overwrite."
        )
    parts: dict[str, dict] = {"weights": {}, "average": {}, "best": {}, "optimiser": {}}
    for key, value in tensors.items():
        part, _, name = key.partition("/")
        if part == "optimiser":
            index, _, name = name.partition("/")
            parts[part].setdefault(int(index), {})[name] = value
        else:
            parts[part][name] = value
    return State(
        parts["weights"],
        parts["optimiser"],
        parts["average"],
        parts["best"],
        record["best_epoch"],
        record["steps"],
        record["history"],
    )


def architecture(name: str) -> object:
    """Return the module of a network: a file of :mod:`polynya.models`, or a dotted module.

    Raises
    ------
    UsageError
        If there is none, or it lacks ``KIND``, ``Config`` or ``build``.
    """
    full = name if "." in name else f"polynya.models.{name}"
    try:
        module = importlib.import_module(full)
    except ModuleNotFoundError as error:
        if error.name and not full.startswith(error.name):
            raise
        raise UsageError(
            f"model {name}: no module {full}; expected a file of polynya/models or a dotted module. Check model.name in"
            " the recipe."
        ) from error
    missing = [n for n in ("KIND", "Config", "build") if not hasattr(module, n)]
    if missing:
        raise UsageError(
            f"model {name}: {full} has no {', '.join(missing)}; expected KIND, Config and build(config). See"
            " docs/training.md."
        )
    return module


def build(description: dict) -> nn.Module:
    """Return the untrained network that a description names."""
    module = architecture(description["model"]["name"])
    settings = {k: v for k, v in description["model"].items() if k != "name"}
    if description["kind"] == "scene":
        return module.build(module.Config(**settings))
    return module.build(module.Config(**settings, features=tuple(description["features"])))


@dataclass(frozen=True)
class Saved:
    """The files of a network, and the largest difference between torch and onnxruntime; ``drawn`` is the graph that
    draws its dropout, if any."""

    weights: Path
    description: Path
    onnx: Path
    parity: float
    drawn: Path | None = None


def save(folder: Path, *, network: nn.Module, description: dict) -> Saved:
    """Write weights, description and ONNX graph; a network of scenes with dropout gets a second graph,
    ``NAME-dropout.onnx``, that draws it at every call.

    Parameters
    ----------
    folder : Path
    network : torch.nn.Module
        On the CPU.
    description : dict
        JSON; its ``name`` names the files. ``weights_sha256`` is added.

    Returns
    -------
    Saved

    Raises
    ------
    PolynyaError
        If torch and onnxruntime disagree by more than 1e-4.
    OutputError
        If a file cannot be written.
    """
    name = description["name"]
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    digest = hashlib.sha256(b"".join(k.encode() + v.numpy().tobytes() for k, v in sorted(weights.items()))).hexdigest()
    description = io.plain({**description, "weights_sha256": digest})
    weights_path = folder / f"{name}.safetensors"
    with io.writing(weights_path) as temporary:
        save_file(weights, temporary, metadata={"polynya": json.dumps(description)})
    worst = export.write(network, description, path=folder / f"{name}.onnx")
    drawn = folder / f"{name}{DROPOUT}.onnx"
    if description["kind"] != "scene" or not export.write_drawn(network, description, path=drawn):
        drawn.unlink(missing_ok=True)  # of an earlier network of the name
        drawn = None
    return Saved(
        weights_path, io.write_json(description, folder / f"{name}.json"), folder / f"{name}.onnx", worst, drawn
    )


def load(path: Path | str) -> tuple[nn.Module, dict]:
    """Return a trained network and its description from ``NAME.safetensors``.

    Raises
    ------
    ProductError
        If the file is damaged or no network of polynya.
    """
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            description = json.loads((file.metadata() or {})["polynya"])
        network = build(description)
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:160]}); expected a network that polynya train wrote. Train"
            " it again."
        ) from error
    network.eval()
    return network, description
