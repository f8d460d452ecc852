"""A trained network as one ONNX graph from raw values to what is predicted, and the proof that it gives what torch
gives.

Scaling, network, calibration and activation are inside the graph (the family's ``wrap``); its metadata property
``polynya`` carries the description as JSON.
"""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import families, io
from .description import Description
from .errors import PolynyaError, UsageError
from .io import onnx_files

OPSET = 17
PARITY = 1e-4
"""Largest difference between what torch and the exported graph give, relative to values above 1."""
MOST_DRAWS = 100
"""Calls of a graph with dropout until it counts as one that never draws."""


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


def whole(network: nn.Module, description: Description) -> nn.Module:
    """Return a network with all that the graph holds around it, in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        The bare network.
    description : Description
        What it is.

    Raises
    ------
    UsageError
        If there is no such family.
    """
    return families.named(description.family).wrap(network, description).eval()


def write(network: nn.Module, description: Description, *, path: Path) -> float:
    """Write the ONNX file and return the largest difference to torch on random inputs of other sizes.

    Parameters
    ----------
    network : torch.nn.Module
        The bare network.
    description : Description
        What it is.
    path : Path
        The file.

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


def write_drawn(network: nn.Module, description: Description, *, path: Path) -> bool:
    """Write the graph that draws its dropout anew at every call, for Monte-Carlo dropout; return False, and write
    nothing, where there is none.

    Parameters
    ----------
    network : torch.nn.Module
        The bare network.
    description : Description
        What it is.
    path : Path
        The file.

    Raises
    ------
    PolynyaError
        If calls of the graph give the same, or no finite numbers.
    UsageError
        If the onnx package is missing.
    """
    import onnxruntime

    twin = with_drawn_dropout(network)
    if twin is None:
        return False
    inputs = families.named(description.family).example(description, batch=1, length=2)
    with io.writing(path) as temporary:
        _to_onnx(whole(twin, description), description.model_copy(update={"is_drawn": True}), path=temporary)
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        one = session.run(None, {"inputs": inputs})[0]
        varies = any(
            not np.array_equal(session.run(None, {"inputs": inputs})[0], one) for _ in range(MOST_DRAWS)
        )  # few channels may all stay more than once
        if not varies or not np.isfinite(one).all():
            raise PolynyaError(
                f"{path.name}: {MOST_DRAWS} calls give the same, or no numbers; expected draws of dropout. The"
                " network uses something that does not export; please report it."
            )
    return True


def _to_onnx(graph_of: nn.Module, description: Description, *, path: Path) -> None:
    """Export a graph with its description."""
    try:
        import onnx
    except ImportError as error:
        raise UsageError(
            "export: the package onnx is not installed; expected the extra [train]. pip install 'polynya[train]'."
        ) from error
    family = families.named(description.family)
    axes = family.axes(description) if hasattr(family, "axes") else {0: "batch"}
    inputs = torch.from_numpy(family.example(description, batch=2, length=1))
    with torch.inference_mode():
        out_axes = {k: v for k, v in axes.items() if k < graph_of(inputs).ndim}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the exporter that needs no further package is called legacy; its result is checked by whoever calls
        torch.onnx.export(
            graph_of,
            (inputs,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["inputs"],
            output_names=["probability"],
            dynamic_axes={"inputs": axes, "probability": out_axes},
        )
    graph = onnx.load(str(path))
    words = json.dumps(description.as_json())
    bound = onnx_files.digest(graph.graph.SerializeToString(), words)
    onnx.helper.set_model_props(graph, {"polynya": words, onnx_files.HASH: bound})
    onnx.save(graph, str(path))


def parity(graph_of: nn.Module, description: Description, *, path: Path) -> float:
    """Return the largest difference between torch and onnxruntime over a few sizes, missing values included.

    Parameters
    ----------
    graph_of : torch.nn.Module
        The network with all that the graph holds.
    description : Description
        What it is.
    path : Path
        The ONNX file.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    family = families.named(description.family)
    worst = 0.0
    for batch, length in getattr(family, "SIZES", ((1, 1), (3, 2))):
        inputs = family.example(description, batch=batch, length=length)
        with torch.inference_mode():
            expected = graph_of(torch.from_numpy(inputs)).numpy()
        gap = np.abs(session.run(None, {"inputs": inputs})[0] - expected) / np.maximum(1.0, np.abs(expected))
        worst = max(worst, float(gap.max()))
    return worst
