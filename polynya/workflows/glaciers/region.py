"""Regions: those of the RGI for OGGM, and the mixture of regions with the least entropy of a network on a scene.

The mixture is the optimised vector of Maslov et al. 2025, section on region encoding. The network stays as it is; a
free vector of twelve numbers goes through a softmax into the place of the one-hot region, and is moved (Adam, rate 0.1;
the paper's 1e-4 needs thousands of steps for the same) until the mean entropy of the output over some windows of the
scene is least. Gradients need torch and the network's weights beside its ONNX file.
"""

from __future__ import annotations

import importlib.util

import geopandas as gpd
import numpy as np

from ...errors import NoRegionError, UsageError
from ...io import polygons
from ...predict import scenes as predict_scenes
from ...sensors.glaciers import REGIONS

STEPS, RATE, WINDOWS = 40, 0.1, 4
RGI = {
    "ALP": "11",
    "ANT": "19",
    "CAU": "12",
    "GRL": "05",
    "TRP": "16",
    "NZL": "18",
    "SAN": "17",
    "SCA": "08",
    "SVAL": "07",
}
"""First-order regions of the RGI 7 that regions of the training data lie in. Alaska and Western America are two (01,
02), High Mountain Asia three (13, 14, 15)."""


def for_oggm(table: gpd.GeoDataFrame, *, region: str | None = None, o1region: str = "") -> gpd.GeoDataFrame:
    """Return outlines as OGGM reads them (:func:`polynya.io.polygons.to_oggm`).

    Parameters
    ----------
    table : geopandas.GeoDataFrame
        Outlines with attributes.
    region : str, optional
        Of :data:`polynya.sensors.glaciers.REGIONS`.
    o1region : str
        First-order region of the RGI; goes before ``region``.

    Raises
    ------
    NoRegionError
        If no region of the RGI is known.
    """
    known = o1region or RGI.get(region or "", "")
    if "o1region" in table.columns:  # what is no number is another vocabulary
        table = table.assign(o1region=[RGI.get(str(r), str(r) if str(r).isdigit() else "") for r in table["o1region"]])
    try:
        return polygons.to_oggm(table, o1region=known)
    except NoRegionError as error:
        raise NoRegionError(
            "no first-order region of the RGI is known; expected an inventory with RGI identifiers, or one such region."
            " Pass --rgi-region, two digits: 15 is South Asia East."
        ) from error


def optimise(
    network: predict_scenes.SceneNetwork, read: predict_scenes.Read, *, shape: tuple[int, int], steps: int = STEPS
) -> tuple[np.ndarray, str]:
    """Find the mixture of regions with the least mean entropy.

    Parameters
    ----------
    network : predict_scenes.SceneNetwork
        With region encoding; ``NAME.safetensors`` lies beside it.
    read : callable
        See :data:`polynya.predict.scenes.Read`.
    shape : (int, int)
        Of the scene.
    steps : int
        Of the optimiser.

    Returns
    -------
    vector : numpy.ndarray of float32, shape (12,)
    words : str
        Its largest shares.

    Raises
    ------
    UsageError
        If torch or the weights are missing.
    """
    weights = network.path.with_suffix(".safetensors")
    if importlib.util.find_spec("torch") is None or not weights.is_file():
        raise UsageError(
            f"--region optimised: needs torch and {weights.name} beside the network; found"
            f" {'no torch' if weights.is_file() else 'no such file'}. pip install 'polynya[train]', or take --region"
            " auto."
        )
    import torch

    from ... import checkpoint, export

    module, about = checkpoint.load(weights)
    whole = export.whole(module, about)
    whole.requires_grad_(requires_grad=False)
    size = network.description.size
    corners = [(r, c) for r in predict_scenes.starts(shape[0], size) for c in predict_scenes.starts(shape[1], size)]
    corners = [corners[k] for k in np.unique(np.linspace(0, len(corners) - 1, WINDOWS).round().astype(int))]
    values = np.full((len(corners), network.bands, size, size), np.nan, np.float32)
    for k, (row, column) in enumerate(corners):
        part = read(slice(row, min(row + size, shape[0])), slice(column, min(column + size, shape[1])))
        values[k, :, : part.shape[1], : part.shape[2]] = part
    seen = torch.from_numpy(np.isfinite(values).any(axis=1))
    bands = torch.from_numpy(values)
    free = torch.zeros(len(REGIONS) + 1, requires_grad=True)
    adam = torch.optim.Adam([free], lr=RATE)
    for _ in range(steps):
        vector = torch.softmax(free, 0)
        p = whole(torch.cat([bands, vector.reshape(1, -1, 1, 1).expand(len(corners), -1, size, size)], dim=1))
        entropy = -(p * p.clamp(min=1e-9).log()).sum(dim=1)[seen].mean()
        adam.zero_grad()
        entropy.backward()
        adam.step()
    vector = torch.softmax(free.detach(), 0).numpy().astype(np.float32)
    names = (*REGIONS, "unknown")
    top = np.argsort(-vector)[:3]
    return vector, "optimised: " + ", ".join(f"{names[k]} {100 * vector[k]:.0f} %" for k in top)
