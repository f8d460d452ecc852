"""Where land lies on a map grid, and how far it is: from a file of polygons, or the shipped coastline."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy import ndimage

from ..errors import ProductError
from ..io import polygons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odc.geo.geobox import GeoBox

COASTLINE = "coastline_natural_earth_50m.npz"
SHIPPED_ERROR_M = 5_000.0
"""How far the shipped coastline (Natural Earth, 1 : 50 million) may lie from the coast: it is no land mask."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Land:
    """Land on a grid.

    Attributes
    ----------
    is_land : numpy.ndarray of bool, shape (h, w)
        Middles of pixels on land; of the shipped coastline some kilometres off.
    distance_m : numpy.ndarray of float32, shape (h, w)
        To the nearest land pixel in the projection, also of those around the grid; 0 on land, ``reach_m`` at most.
    is_mask : bool
        Whether it came from a file of the user's, and is good enough to leave land out.
    """

    is_land: np.ndarray
    distance_m: np.ndarray
    is_mask: bool


def on_grid(geobox: GeoBox, *, path: Path | str | None = None, reach_m: float = 50_000.0) -> Land:
    """Return the land of a grid.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        In a projection in metres.
    path : Path or str, optional
        Polygons of land in any CRS; by default the shipped coastline.
    reach_m : float
        How far around the grid land is looked for.

    Raises
    ------
    ProductError
        If the file cannot be read, or holds no polygon.
    """
    pixel = abs(geobox.affine.a)
    margin = int(np.ceil(reach_m / pixel))
    wide = geobox.pad(margin)
    shipped = path is None
    is_land = _even_odd(_shipped_rings(wide), wide) if shipped else _filled(_polygons(Path(str(path)), wide), wide)
    inner = (slice(margin, margin + geobox.shape[0]), slice(margin, margin + geobox.shape[1]))
    distance = np.full(is_land.shape, reach_m)
    if is_land.any():
        distance = np.minimum(ndimage.distance_transform_edt(~is_land) * pixel, reach_m)
    return Land(is_land=is_land[inner], distance_m=distance[inner].astype(np.float32), is_mask=not shipped)


def _polygons(path: Path, wide: GeoBox) -> np.ndarray:
    frame = polygons.read(path)
    if not len(frame):
        raise ProductError(f"{path.name}: holds no polygon; expected polygons of land. Check the file.")
    outline = shapely.box(*wide.boundingbox)
    there = shapely.make_valid(frame.geometry.to_crs(str(wide.crs)).to_numpy())
    return there[shapely.intersects(there, outline)]


def _filled(geometries: np.ndarray, geobox: GeoBox) -> np.ndarray:
    from rasterio.features import rasterize

    if not len(geometries):
        return np.zeros(geobox.shape, bool)
    found = rasterize(((g, 1) for g in geometries), out_shape=geobox.shape, transform=geobox.affine, dtype="uint8")
    return found.astype(bool)


def _even_odd(rings: Sequence[np.ndarray], geobox: GeoBox) -> np.ndarray:
    """Return where an odd number of rings lies around a pixel: holes are rings, too."""
    from rasterio.enums import MergeAlg
    from rasterio.features import rasterize

    shapes = [(shapely.Polygon(r), 1) for r in rings]
    if not shapes:
        return np.zeros(geobox.shape, bool)
    count = rasterize(
        shapes, out_shape=geobox.shape, transform=geobox.affine, dtype="int16", merge_alg=MergeAlg.add, fill=0
    )
    return np.asarray(count % 2 == 1)


def _shipped_rings(geobox: GeoBox) -> list[np.ndarray]:
    """Return the rings of the shipped coastline that reach a grid, in its projection."""
    from pyproj import Transformer

    with as_file(files("polynya") / "data" / COASTLINE) as path, np.load(path, allow_pickle=False) as held:
        longitude = held["longitude"].astype(np.float64) * (180.0 / 32767.0)
        latitude = held["latitude"].astype(np.float64) * (90.0 / 32767.0)
        start = held["start"]
    _, middle = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True).transform(*_middle(geobox))
    x, y = Transformer.from_crs("EPSG:4326", str(geobox.crs), always_xy=True).transform(longitude, latitude)
    box, found = geobox.boundingbox, []
    for a, b in itertools.pairwise(start):
        if latitude[a] * middle <= 0:  # of the other hemisphere
            continue
        xy = np.column_stack([x[a:b], y[a:b]])
        low, high = xy.min(axis=0), xy.max(axis=0)
        if low[0] < box.right and high[0] > box.left and low[1] < box.top and high[1] > box.bottom and b - a >= 4:
            found.append(xy)
    return found


def _middle(geobox: GeoBox) -> tuple[float, float]:
    box = geobox.boundingbox
    return 0.5 * (box.left + box.right), 0.5 * (box.bottom + box.top)
