"""A U-Net over a scene: fixed tiles with as much around them as the network sees, through onnxruntime; no torch.

Tiles lie on a grid that starts at the scene's upper left corner, whatever window is asked for, and a window takes its
part of whole tiles: its classes are those of the whole scene to the bit. That tiles leave no seam against one pass over
the whole scene rests on the halo: it is at least the network's receptive field, and a multiple of its total stride, so
that pooling groups the same pixels.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import schema
from ..errors import ProductError, UsageError, one_line
from ..io import onnx_files
from ..physics import ice_colour, thin_cloud
from ..readers import sentinel2
from . import tiling

if TYPE_CHECKING:
    from rasterio.windows import Window

TILE = 1024
PROPERTY = "polynya"
"""Name of the ONNX metadata property that may hold ``{"stride": ..., "halo": ...}``."""
STRIDE, HALO = 32, 224
"""Of the published network (:mod:`polynya.models.unet_grey`), for files that say nothing."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """An ONNX file ready to run: (batch, 1, h, w) grey of 0 to 1 to (batch, 3, h, w) scores of thick, thin, water."""

    path: Path
    session: Any
    stride: int
    halo: int


def open_network(path: Path | str | None) -> Network:
    """Open a network.

    Parameters
    ----------
    path : Path or str or None
        ONNX file.

    Returns
    -------
    Network

    Raises
    ------
    UsageError
        If no file is given: none is shipped.
    ProductError
        If it cannot be read or takes or gives something else.
    """
    if path is None:
        raise UsageError(
            "method unet: no weights; expected an ONNX file of a trained network, for polynya ships none. Pass"
            " --weights FILE.onnx, or another method."
        )
    path = Path(path)
    if not path.is_file():
        raise ProductError(f"{path.name}: no such file at {path}; expected the network as ONNX. Check the path.")
    return _open(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _open(path: Path, changed: int) -> Network:
    """Open a network once, however many tiles ask for it."""
    import onnxruntime

    onnx_files.check(path, description=PROPERTY)
    onnx_files.try_out(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # tiles run on threads of their own
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = json.loads(session.get_modelmeta().custom_metadata_map.get(PROPERTY, "{}"))
        stride, halo = int(metadata.get("stride", STRIDE)), int(metadata.get("halo", HALO))
    except Exception as error:  # onnxruntime's exceptions share no base of their own
        raise ProductError(
            f"{path.name}: cannot be read as ONNX ({one_line(error)[:120]}); expected an exported network. Export it"
            " again."
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape, scores = list(inputs[0].shape), list(outputs[0].shape)
    if (
        len(inputs) != 1
        or inputs[0].type != "tensor(float)"
        or len(shape) != 4
        or shape[1] != 1
        or len(scores) != 4
        or scores[1] != 3
    ):
        raise ProductError(
            f"{path.name}: takes {[i.shape for i in inputs]} and gives {scores}; expected (batch, 1, h, w) grey of 0 to"
            " 1 and (batch, 3, h, w). Give a network for grey scenes."
        )
    if stride < 1 or TILE % stride or halo % stride:
        raise ProductError(
            f"{path.name}: says stride {stride} and halo {halo}; expected a stride that divides {TILE} and a halo that"
            " is a multiple of it. Export it again."
        )
    return Network(path=path, session=session, stride=stride, halo=halo)


def scores(grey: np.ndarray, network: Network) -> np.ndarray:
    """Run a network on one grey image, edges repeated up to a multiple of its stride below and to the right.

    Parameters
    ----------
    grey : numpy.ndarray of uint8, shape (h, w)
        The image.
    network : Network
        The network.

    Returns
    -------
    numpy.ndarray of float32, shape (3, h, w)

    Raises
    ------
    ProductError
        If the network gives another shape.
    """
    h, w = grey.shape
    padded = np.pad(grey, ((0, -h % network.stride), (0, -w % network.stride)), mode="edge").astype(
        np.float32
    ) / np.float32(255)
    try:
        out = network.session.run(None, {network.session.get_inputs()[0].name: padded[None, None]})[0][0]
    except Exception as error:
        raise ProductError(
            f"{network.path.name}: fails on a tile of {padded.shape} pixels ({one_line(error)[:120]}); expected free"
            " height and width. Export it with dynamic axes."
        ) from error
    if out.shape != (3, *padded.shape):
        raise ProductError(
            f"{network.path.name}: gives {out.shape} for {padded.shape} pixels; expected (3, h, w). Give a network for"
            " grey scenes."
        )
    return out[:, :h, :w]


def classes(scene: sentinel2.Scene, network: Network, *, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Classify a window.

    Parameters
    ----------
    scene : sentinel2.Scene
        The scene.
    network : Network
        The network.
    window : rasterio.windows.Window
        Rows and columns of the 10 m grid.

    Returns
    -------
    classes : numpy.ndarray of int8, shape (h, w)
        The highest score: 0 thick ice, 1 thin ice, 2 open water; -1 where there is no data.
    value : numpy.ndarray of uint8, shape (h, w)
        V.
    """
    from rasterio.windows import Window

    shape = tuple(scene.geobox.shape)
    out = np.empty((window.height, window.width), np.int8)
    value = np.empty(out.shape, np.uint8)
    for part in tiling.parts(window, TILE):
        r0, c0 = part.row_off // TILE * TILE, part.col_off // TILE * TILE
        tile = Window(c0, r0, min(TILE, shape[1] - c0), min(TILE, shape[0] - r0))
        around, inner = tiling.with_halo(tile, network.halo, shape=shape)
        rgb = sentinel2.true_colour(scene, window=around)
        found = scores(thin_cloud.grey(rgb), network)[:, inner[0], inner[1]].argmax(axis=0).astype(np.int8)
        v = ice_colour.value(rgb[inner])
        found[v == 0] = schema.UNCLASSIFIED
        tiling.cut(out, part, within=window)[:] = tiling.cut(found, part, within=tile)
        tiling.cut(value, part, within=window)[:] = tiling.cut(v, part, within=tile)
    return out, value
