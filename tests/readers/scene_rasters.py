"""Writes small rasters of scenes with values that the test chooses; independent of the simulator on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

OPTICAL = ("blue", "green", "red", "nir", "swir1", "swir2")
CORNER = (600000.0, 5200000.0)
EPSG = 32632


def write(
    path: Path,
    data,
    *,
    names=(),
    crs: object = EPSG,
    transform: Affine | None = None,
    resolution=10.0,
    corner=CORNER,
    nodata=None,
    scale=None,
    offset=None,
    tags=None,
    unit=None,
) -> Path:
    """Write (bands, h, w) as a tiled GeoTIFF in its own type."""
    data = np.asarray(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # the driver would delete a Landsat MTL beside it, too
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=data.shape[2],
        height=data.shape[1],
        count=data.shape[0],
        dtype=data.dtype,
        crs=f"EPSG:{crs}" if crs else None,
        transform=transform or Affine(resolution, 0.0, corner[0], 0.0, -resolution, corner[1]),
        nodata=nodata,
    ) as out:
        out.write(data)
        if names:
            out.descriptions = tuple(names)
        if scale is not None:
            out.scales, out.offsets = (scale,) * data.shape[0], (offset or 0.0,) * data.shape[0]
        if unit is not None:
            out.units = (unit,) * data.shape[0]
        if tags:
            out.update_tags(**tags)
    return path


def centres(shape, *, resolution=10.0, corner=CORNER):
    """Return x and y of pixel centres, two (h, w) arrays."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    return corner[0] + (column + 0.5) * resolution, corner[1] - (row + 0.5) * resolution


def folder(
    path: Path,
    *,
    shape=(60, 80),
    seed=0,
    sensors=("optical", "dem", "co_pol_sar", "cross_pol_sar", "in_sar", "thermal"),
    about=None,
) -> Path:
    """Write a scene folder of random values inside the sensors' limits."""
    rng = np.random.default_rng(seed)
    values = {
        "optical": (OPTICAL, rng.uniform(0.02, 0.9, (6, *shape))),
        "dem": (("elevation", "slope"), rng.uniform(0, 80, (2, *shape))),
        "co_pol_sar": (("co_pol_ascending", "co_pol_descending"), rng.uniform(0.01, 1, (2, *shape))),
        "cross_pol_sar": (("cross_pol_ascending", "cross_pol_descending"), rng.uniform(0.01, 0.2, (2, *shape))),
        "in_sar": (("coherence_ascending", "coherence_descending"), rng.uniform(0, 1, (2, *shape))),
        "thermal": (("brightness_temperature",), rng.uniform(250, 290, (1, *shape))),
    }
    for sensor in sensors:
        names, data = values[sensor]
        write(path / f"{sensor}.tif", data.astype(np.float32), names=names, nodata=np.nan)
    if about is not None:
        (path / "scene.json").write_text(json.dumps(about))
    return path
