"""Scenes whose answer is known and networks that are a formula, for tests of ``polynya glaciers``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import PolynyaError
from polynya.sensors.glaciers import REGIONS, TABLE
from polynya.workflows import glaciers

from ... import onnx_networks

helper = onnx_networks.helper
TIME = "2021-08-14T10:12:30Z"
BRIGHT = {("optical", 1): 12.0, ("optical", 4): -12.0}
"""Green minus short-wave infrared."""
RADIUS = 700.0
"""Of the glacier of the fixture ``disc``, m."""


def grid(
    rows: int,
    columns: int,
    *,
    pixel_m: float = 20.0,
    crs: str = "EPSG:32632",
    left: float = 640_000.0,
    top: float = 5_190_000.0,
) -> GeoBox:
    return GeoBox((rows, columns), Affine(pixel_m, 0, left, 0, -pixel_m, top), crs)


def write_tiff(
    path: Path, values: np.ndarray, geobox: GeoBox, *, names: tuple[str, ...] = (), nodata: float | None = np.nan
) -> Path:
    values = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[1],
        width=values.shape[2],
        count=values.shape[0],
        dtype=values.dtype,
        crs=str(geobox.crs),
        transform=geobox.affine,
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
    ) as file:
        file.write(values)
        for k, name in enumerate(names, 1):
            file.set_band_description(k, name)
    return path


def write_scene(folder: Path, geobox: GeoBox, *, about: dict | None = None, **sensors: np.ndarray) -> Path:
    """Write a scene folder from arrays (bands, h, w)."""
    folder.mkdir(parents=True)
    for name, values in sensors.items():
        write_tiff(folder / f"{name}.tif", values.astype(np.float32), geobox, names=TABLE[name].band_names)
    (folder / "scene.json").write_text(
        json.dumps({"name": folder.name, "time": TIME, "region": "ALP", **(about or {})})
    )
    return folder


def optical_of(logit: np.ndarray) -> np.ndarray:
    """Return optical bands whose blue carries a logit (as 0.5 + logit / 40, a reflectance) and whose others are those
    of rock."""
    return np.stack([0.5 + logit / 40.0, *(np.full(logit.shape, v) for v in (0.15, 0.17, 0.2, 0.25, 0.2))]).astype(
        np.float32
    )


def linear_network(
    path: Path,
    weights: dict[tuple[str, int], float] | None = None,
    *,
    bias: float = 0.0,
    sensors: tuple[str, ...] = TABLE.names,
    regions: dict[str, float] | None = None,
    size: int = 64,
    kernel: int = 1,
    **about: object,
) -> Path:
    """Write a network with probability of glacier 1 / (1 + exp(-(weights . bands + bias + regions))), each band
    averaged over ``kernel``² pixels; a missing band counts 0.

    Without weights it undoes :func:`optical_of`.
    """
    weights, bias = ({("optical", 0): 40.0}, -20.0) if weights is None else (weights, bias)
    order = [(s, k) for s in sensors for k in range(len(TABLE[s].bands))]
    planes = len(order) + (len(REGIONS) + 1 if regions is not None else 0)
    matrix = np.zeros((2, planes, kernel, kernel), np.float32)
    for key, value in weights.items():
        matrix[1, order.index(key)] = value / kernel**2
    for name, value in (regions or {}).items():
        matrix[1, len(order) + [*REGIONS, "unknown"].index(name)] = value / kernel**2
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "inputs"], ["known"]),
        helper.make_node("Conv", ["known", "matrix", "bias"], ["logits"], pads=[kernel // 2] * 4),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    told = onnx_networks.describe_scene(
        name=path.stem,
        size=size,
        scaling={"sensors": {s: len(TABLE[s].bands) for s in sensors}},
        location=planes - len(order),
        location_kind="none" if regions is None else "region",
        **about,
    )
    values = {"zero": np.zeros(1, np.float32), "matrix": matrix, "bias": np.array([0.0, bias], np.float32)}
    return onnx_networks.save(
        path,
        nodes=nodes,
        weights=values,
        input_shape=["batch", planes, "h", "w"],
        output_shape=["batch", 2, "h", "w"],
        about=told,
    )


def discs(shape: tuple[int, int], *, pixel_m: float, centres: list[tuple[float, float]], radius_m: float) -> np.ndarray:
    """Return the distance, m, of every pixel inside (positive) or outside the nearest of some discs; centres in metres
    from the upper left."""
    y, x = ((np.arange(n) + 0.5) * pixel_m for n in shape)
    return np.max([radius_m - np.hypot(x[None, :] - cx, y[:, None] - cy) for cx, cy in centres], axis=0)


def values_of(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def cli(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(done.exception, PolynyaError):  # what main() does with it
        return done.exception.exit_code, done.stdout, f"{done.stderr}polynya: {done.exception}"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def config(*networks: Path, **more: object) -> glaciers.Config:
    return glaciers.Config.checked(network=tuple(str(n) for n in networks), runtime="onnxruntime", **more)
