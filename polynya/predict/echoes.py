"""Leads along a track of echoes from an exported network: no torch.

An export is one ONNX file. Scaling, calibration and activation are inside its graph; the inputs of each echo
(:mod:`polynya.physics.echo_inputs`) are computed here once, and the windows laid as in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..families.echoes import DISTANCE, LEAD, NEAR_M, Description
from ..physics import echo_inputs
from ..samples import echo_windows, labelled_echoes
from ..schema.echoes import Echoes
from ..targets import Quantiles
from . import runtime as predict_runtime

BATCH = 128
"""Windows given to a network at once."""


@dataclass(frozen=True, kw_only=True)
class EchoPredictions:
    """What a network says of n echoes; NaN where there is no echo.

    Attributes
    ----------
    probability : numpy.ndarray of float64, shape (n,)
        That a lead is nearer to nadir than the network's threshold.
    distance, distance_low, distance_high : numpy.ndarray of float64, shape (n,)
        From nadir to the nearest lead, m: the median and the 68 % interval. NaN where the network has no such head.
    short : numpy.ndarray of bool, shape (n,)
        The unbroken sequence is shorter than a window of the training.
    share_of_sea : numpy.ndarray of float64, shape (n,)
        Of the echoes from which the level of power is taken.
    """

    probability: np.ndarray
    distance: np.ndarray
    distance_low: np.ndarray
    distance_high: np.ndarray
    short: np.ndarray
    share_of_sea: np.ndarray


def load(name: Path | str, *, runtime: str = "auto", threads: int = 1) -> predict_runtime.Network:
    """Load an exported network of echoes.

    Parameters
    ----------
    name : str or path
        A shipped name or an ``.onnx`` file.
    runtime : str
        ``onnxruntime``, ``openvino``, or ``auto``: OpenVINO where it is installed.
    threads : int
        How many threads will call it at once.

    Raises
    ------
    UsageError
        If there is no such network or runtime.
    ProductError
        If the file is no network of echoes that polynya exported.
    """
    found = predict_runtime.load(predict_runtime.locate(name, family="echoes"), runtime=runtime, threads=threads)
    _described(found)
    return found


def predict(network: predict_runtime.Network, echoes: Echoes) -> EchoPredictions:
    """Return what a network says of echoes.

    Parameters
    ----------
    network : Network
        Of :func:`load`.
    echoes : Echoes
        Of one pass, in the order of time; sequences are broken at gaps as in training.

    Returns
    -------
    EchoPredictions

    Raises
    ------
    ProductError
        If the network is none of echoes.
    """
    d = _described(network)
    values, sequence, has_power = labelled_echoes.inputs_of(echoes, d.features, most_steps=d.gap_steps)
    windows = echo_windows.cover(sequence, length=d.window, margin=d.margin)
    planes = np.full((len(d.classes), len(echoes)), np.nan)
    for begin in range(0, len(windows), BATCH):
        items = np.arange(begin, min(begin + BATCH, len(windows)))
        out = network.evaluate(echo_windows.gather(values, windows, items, length=d.window))
        rows = windows.first[items, None] + np.arange(d.window)
        mine = (rows >= windows.begin[items, None]) & (rows < windows.end[items, None])
        planes[:, rows[mine]] = out.transpose(1, 0, 2)[:, mine]
    planes[:, ~has_power] = np.nan
    low, median, high = _distances(d, planes)
    _, size = echo_windows.runs(sequence)
    return EchoPredictions(
        probability=planes[d.classes.index(f"{LEAD}.lead")],
        distance=median,
        distance_low=low,
        distance_high=high,
        short=np.repeat(size < d.window, size),
        share_of_sea=echo_inputs.share_of_sea(echoes.is_sea(), sequence),
    )


def _described(network: predict_runtime.Network) -> Description:
    found = network.description
    if not isinstance(found, Description):
        raise ProductError(
            f"{network.path.name}: is a network of {found.family}; expected one of echoes. Choose another."
        )
    return found


def _distances(d: Description, planes: np.ndarray) -> np.ndarray:
    """Return low end, median and high end of the distance, m, shape (3, n)."""
    head = getattr(d.predicts, "heads", {}).get(DISTANCE)
    if not isinstance(head, Quantiles):
        return np.full((3, planes.shape[1]), np.nan)
    names = [f"{DISTANCE}.{p}" for p in head.planes]
    rows = [d.classes.index(n) for n in names]
    return NEAR_M * np.maximum(np.expm1(planes[rows]), 0.0)
