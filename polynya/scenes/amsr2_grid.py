"""Brightness temperatures of AMSR2 on the map grid of a Sentinel-1 scene, each pixel at its true position.

The file (:mod:`polynya.readers.amsr2_swath`) has cells of 50 x 50 pixels of the radar image. A pixel of the map gets
the line and sample where it lies in that image, and the channels there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError
from ..readers import amsr2_swath
from ..readers.sentinel1_grd import Product

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

SPACING_M = 40.0
"""Of the pixels that the cells count."""
LATEST_S = 2.0
"""Start times of one image differ by less."""


def on_grid(path: Path | str, product: Product, geobox: GeoBox, *, channels: Sequence[str]) -> dict[str, np.ndarray]:
    """Bring channels of a file to the grid of a scene.

    Parameters
    ----------
    path : Path or str
        Of :func:`polynya.readers.amsr2_swath.read`.
    product : Product
        The Sentinel-1 image that the file was made for.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    channels : sequence of str
        Of :data:`polynya.readers.amsr2_swath.CHANNELS`.

    Returns
    -------
    dict of str to numpy.ndarray of float32, shape (h, w)
        K; NaN outside the image and where a cell has no value.

    Raises
    ------
    ProductError
        If the file lacks a channel, or was made for another image.
    """
    data = amsr2_swath.read(path)
    name = Path(path).name
    lacks = [c for c in channels if c not in data]
    if lacks:
        raise ProductError(f"{name}: lacks {', '.join(lacks)}; expected all of {', '.join(channels)}. Check the file.")
    _check(data.attrs["time"], (data.sizes["y"], data.sizes["x"]), product, name)
    line, sample = _places(product, geobox)
    stacked = np.stack([data[c].to_numpy() for c in channels])
    found = amsr2_swath.to_positions(stacked, line=line, sample=sample)
    return dict(zip(channels, found, strict=True))


def _check(time: str, cells: tuple[int, int], product: Product, name: str) -> None:
    """Reject a file of another image."""
    if time:
        apart = abs(np.datetime64(time.rstrip("Z"), "ns") - product.start) / np.timedelta64(1, "s")
        if apart > LATEST_S:
            raise ProductError(
                f"{name}: was made for a scene of {time}, {product.product_id} starts at"
                f" {np.datetime_as_string(product.start, unit='s')}Z; expected the file of this scene. Give that one."
            )
    size = amsr2_swath.CELL_PIXELS
    is_fine = max(abs(s - SPACING_M) for s in product.spacing_m) < 0.01 * SPACING_M
    if not is_fine or any(abs(n * size - pixels) > size for n, pixels in zip(cells, product.shape, strict=True)):
        (rows, columns), (lines, samples) = cells, product.shape
        raise ProductError(
            f"{name}: has {rows} x {columns} cells of {size} pixels of {SPACING_M:g} m, {product.product_id}"
            f" {lines} x {samples} pixels of {max(product.spacing_m):g} m; expected cells that cover it. Give the file"
            " of this scene."
        )


def _places(product: Product, geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return line and sample of the middle of every pixel of a grid, NaN outside the image."""
    from pyproj import Transformer

    t, (rows, columns) = geobox.affine, geobox.shape
    x, y = np.meshgrid(t.c + t.a * (np.arange(columns) + 0.5), t.f + t.e * (np.arange(rows) + 0.5))
    longitude, latitude = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True).transform(x, y)
    return product.swath.locate(latitude, longitude)
