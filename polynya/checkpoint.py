"""What training leaves: a state to go on from, the weights, and one ONNX file that needs nothing else. No pickle
anywhere.

A network is three files: ``NAME.safetensors`` (weights), ``NAME.json`` (:mod:`polynya.description`) and ``NAME.onnx``,
whose graph takes raw values to what is predicted (scaling, network, calibration and activation are inside) and whose
metadata property ``polynya`` carries the same JSON.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import export, families, io, models
from .description import Description, from_text, must_be_imported
from .errors import ProductError, UsageError, one_line

DROPOUT = "-dropout"
"""Ends the name of the graph that draws its dropout."""


@dataclass(frozen=True, kw_only=True)
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
        weights=parts["weights"],
        optimiser=parts["optimiser"],
        average=parts["average"],
        best=parts["best"],
        best_epoch=record["best_epoch"],
        steps=record["steps"],
        history=record["history"],
    )


def build(description: Description) -> nn.Module:
    """Return the untrained network that a description names."""
    module = models.named(str(description.model["name"]))
    return module.build(module.Config(**families.named(description.family).config(description)))


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The files of a network, and the largest difference between torch and onnxruntime; ``drawn`` is the graph that
    draws its dropout, if any."""

    weights: Path
    description: Path
    onnx: Path
    parity: float
    drawn: Path | None = None


def save(folder: Path, *, network: nn.Module, description: Description) -> Saved:
    """Write weights, description and ONNX graph.

    A network with dropout, of a family that has use for it, gets a second graph, ``NAME-dropout.onnx``, that draws it
    at every call.

    Parameters
    ----------
    folder : Path
        The folder.
    network : torch.nn.Module
        On the CPU.
    description : Description
        Its ``name`` names the files. ``weights_sha256`` is added.

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
    name = description.name
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    digest = hashlib.sha256(b"".join(k.encode() + v.numpy().tobytes() for k, v in sorted(weights.items()))).hexdigest()
    description = description.model_copy(update={"weights_sha256": digest})
    weights_path = folder / f"{name}.safetensors"
    with io.writing(weights_path) as temporary:
        save_file(weights, temporary, metadata={"polynya": json.dumps(description.as_json())})
    worst = export.write(network, description, path=folder / f"{name}.onnx")
    drawn = folder / f"{name}{DROPOUT}.onnx"
    has_use = getattr(families.named(description.family), "has_dropout_graph", None)
    if has_use is None or not has_use(description) or not export.write_drawn(network, description, path=drawn):
        drawn.unlink(missing_ok=True)  # of an earlier network of the name
        drawn = None
    return Saved(
        weights=weights_path,
        description=io.write_json(description.as_json(), folder / f"{name}.json"),
        onnx=folder / f"{name}.onnx",
        parity=worst,
        drawn=drawn,
    )


def load(path: Path | str) -> tuple[nn.Module, Description]:
    """Return a trained network and its description from ``NAME.safetensors``.

    Raises
    ------
    ProductError
        If the file is damaged or no network of polynya.
    """
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            description = from_text((file.metadata() or {})["polynya"])
        must_be_imported(str(description.model.get("name", "")))
        network = build(description)
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, ProductError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:240]}); expected a network that polynya train wrote. Train"
            " it again."
        ) from error
    network.eval()
    return network, description
