"""What training leaves: a state to go on from, the weights, and one ONNX file that needs nothing else. No pickle anywhere.

A network is three files: ``NAME.safetensors`` (weights), ``NAME.json`` (what they are: network, features, scaling, calibration,
data, recipe, scores) and ``NAME.onnx``, whose graph takes raw feature values to probabilities (scaling, network, calibration and softmax are inside)
and whose metadata property ``polynya`` carries the same JSON.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import io
from .errors import PolynyaError, ProductError, UsageError, one_line

OPSET = 17
PARITY = 1e-4
"""Largest difference between the probabilities of torch and of the exported graph."""
KINDS = ("window", "sequence")


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
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, temporary, metadata={"polynya": json.dumps(record)})


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
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:120]}); expected the state of a training. Start anew with --overwrite.") from error
    if record["digest"] != digest:
        raise UsageError(f"{path.name}: is the state of a training with other data, recipe, seed or split; expected {digest}, found {record['digest']}. Give the same again, or --overwrite.")
    parts: dict[str, dict] = {"weights": {}, "average": {}, "best": {}, "optimiser": {}}
    for key, value in tensors.items():
        part, _, name = key.partition("/")
        if part == "optimiser":
            index, _, name = name.partition("/")
            parts[part].setdefault(int(index), {})[name] = value
        else:
            parts[part][name] = value
    return State(parts["weights"], parts["optimiser"], parts["average"], parts["best"], record["best_epoch"], record["steps"], record["history"])


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
        raise UsageError(f"model {name}: no module {full}; expected a file of polynya/models or a dotted module. Check model.name in the recipe.") from error
    missing = [n for n in ("KIND", "Config", "build") if not hasattr(module, n)]
    if missing:
        raise UsageError(f"model {name}: {full} has no {', '.join(missing)}; expected KIND, Config and build(config). See docs/training.md.")
    return module


def build(description: dict) -> nn.Module:
    """Return the untrained network that a description names."""
    module = architecture(description["model"]["name"])
    settings = {k: v for k, v in description["model"].items() if k != "name"}
    return module.build(module.Config(**settings, features=tuple(description["features"])))


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
        kind = description["kind"]
        if kind not in KINDS:
            raise UsageError(f"kind {kind}: expected one of {', '.join(KINDS)}. Export knows these.")
        self.network, self.is_window, self.limit = network, kind == "window", float(description["limit"])
        row = (1, 1, -1) if self.is_window else (1, -1, 1)
        out = (1, -1) if self.is_window else (1, -1, 1)
        for name, values, shape in (
            ("mean", description["mean"], row), ("std", description["std"], row),
            ("scale", description["calibration"]["scale"], out), ("offset", description["calibration"]["offset"], out),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        raw = inputs if self.is_window else inputs[:, :-1]
        scaled = torch.where(torch.isnan(raw), torch.zeros_like(raw), (raw - self.mean) / self.std).clamp(-self.limit, self.limit)
        if not self.is_window:
            here = inputs[:, -1:]
            scaled = torch.cat([scaled * here, here], dim=1)
        return torch.softmax(self.network(scaled) * self.scale + self.offset, dim=1)


@dataclass(frozen=True)
class Saved:
    """The files of a network, and the largest difference between torch and onnxruntime."""

    weights: Path
    description: Path
    onnx: Path
    parity: float


def save(folder: Path, *, network: nn.Module, description: dict) -> Saved:
    """Write weights, description and ONNX graph.

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
    worst = export(Exported(network, description), description, path=folder / f"{name}.onnx")
    return Saved(weights_path, io.write_json(description, folder / f"{name}.json"), folder / f"{name}.onnx", worst)


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
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:160]}); expected a network that polynya train wrote. Train it again.") from error
    network.eval()
    return network, description


def export(whole: Exported, description: dict, *, path: Path) -> float:
    """Write the ONNX file and return the largest difference to torch on random inputs of other sizes.

    Raises
    ------
    PolynyaError
        If it is above 1e-4.
    UsageError
        If the onnx package is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise UsageError("export: the package onnx is not installed; expected the extra [train]. pip install 'polynya[train]'.") from error
    whole.eval()
    axes = {0: "batch"} if whole.is_window else {0: "batch", 2: "length"}
    answer = {0: "batch"} if whole.is_window else {0: "batch", 2: "length"}
    with io.writing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is called legacy; its result is checked below
        torch.onnx.export(
            whole, (_example(description, batch=2, length=1),), str(temporary), dynamo=False, opset_version=OPSET,
            input_names=["inputs"], output_names=["probability"], dynamic_axes={"inputs": axes, "probability": answer},
        )
        graph = onnx.load(str(temporary))
        onnx.helper.set_model_props(graph, {"polynya": json.dumps(description)})
        onnx.save(graph, str(temporary))
        worst = parity(whole, description, path=temporary)
        if not worst <= PARITY:
            raise PolynyaError(f"{path.name}: onnxruntime differs from torch by {worst:.1e}; expected at most {PARITY:g}. The network uses something that does not export; please report it.")
    return worst


def parity(whole: Exported, description: dict, *, path: Path) -> float:
    """Return the largest difference between torch and onnxruntime over a few sizes, missing values included."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, length in ((1, 1), (3, 2), (17, 5)):
        inputs = _example(description, batch=batch, length=length)
        with torch.inference_mode():
            expected = whole(inputs).numpy()
        worst = max(worst, float(np.abs(session.run(None, {"inputs": inputs.numpy()})[0] - expected).max()))
    return worst


def _example(description: dict, *, batch: int, length: int) -> Tensor:
    """Return raw inputs drawn from the training's mean and std, a tenth of them missing."""
    rng = np.random.default_rng(batch)
    mean, std = np.array(description["mean"]), np.array(description["std"])
    cells = description["window_length"] if description["kind"] == "window" else length * max(description["stride"], 8)
    values = mean + std * rng.normal(size=(batch, cells, mean.size))
    values[rng.random(values.shape) < 0.1] = np.nan
    if description["kind"] == "window":
        return torch.from_numpy(values.astype(np.float32))
    here = (rng.random((batch, cells, 1)) < 0.9).astype(float)
    values = np.where(here > 0, values, 0.0)
    return torch.from_numpy(np.concatenate([values, here], axis=2).transpose(0, 2, 1).astype(np.float32).copy())
