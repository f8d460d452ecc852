"""Where the bands of a scene lie and what their counts mean; how large a pixel of a grid is. They are read by
:mod:`polynya.scenes.align`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..errors import ProductError, UsageError
from ..schema import Note

if TYPE_CHECKING:
    import rasterio
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

    from ..physics.swath import Swath

    AnyWindow: TypeAlias = Window | tuple[tuple[int, int], tuple[int, int]] | None

KINDS = ("linear", "decibel", "thermal", "slope")


SIMULATED = "simulated"
"""Code of the note that a file was simulated."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Where a band lies and what its counts mean.

    Attributes
    ----------
    path : Path
    index : int
        Band in the file, from 1.
    kind : str
        ``linear``: ``counts * scale + offset``; ``decibel``: ten to a tenth of that; ``thermal``: brightness
        temperature ``k2 / ln(k1 / L + 1)`` of the radiance that the line gives; ``slope``: slope in degrees of the
        heights that the line gives.
    scale, offset, k1, k2 : float
    missing : tuple of float
        Counts that mean "no data"; NaN, infinity and the file's own nodata and masks always do.
    valid_min : float
        Values below are no data: marks such as -32768 that a file does not declare.
    valid_max : float
        Values above are no data: 3.4e38.
    saturation : float or None
        Count at which the instrument or the number type saturates.
    """

    path: Path
    index: int = 1
    kind: str = "linear"
    scale: float = 1.0
    offset: float = 0.0
    k1: float = 0.0
    k2: float = 0.0
    missing: tuple[float, ...] = ()
    valid_min: float = -np.inf
    valid_max: float = np.inf
    saturation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """What one product gives to a scene: a sensor, its bands, when.

    Attributes
    ----------
    sensor : str
        Its name in the scene's table (:mod:`polynya.sensors`).
    bands : tuple of (Layer or None)
        In the sensor's order, None where the product lacks one.
    grid : odc.geo.geobox.GeoBox or Swath
        Of its finest band.
    product, name : str
    time : numpy.datetime64 or None
        UTC.
    sun_elevation, sun_azimuth : float or None
        Degrees; azimuth clockwise from north.
    cloud : Layer or None
        A raster that knows clouds.
    cloud_kind : str
        ``landsat_qa`` (QA_PIXEL bits) or ``sentinel2_scl``.
    is_pass_unknown : bool
        True where radar bands stand in the ascending places because nothing says otherwise.
    notes : tuple of polynya.schema.Note
    """

    sensor: str
    bands: tuple[Layer | None, ...]
    grid: GeoBox | Swath
    product: str = "GeoTIFF"
    name: str = ""
    time: np.datetime64 | None = None
    sun_elevation: float | None = None
    sun_azimuth: float | None = None
    cloud: Layer | None = None
    cloud_kind: str = ""
    is_pass_unknown: bool = False
    notes: tuple[Note, ...] = ()


def geobox_of(source: rasterio.DatasetReader) -> GeoBox:
    """Return a raster's grid.

    Parameters
    ----------
    source : rasterio.DatasetReader
        An open raster.

    Returns
    -------
    odc.geo.geobox.GeoBox

    Raises
    ------
    ProductError
        If it has no coordinate system, or is rotated.
    """
    from odc.geo.geobox import GeoBox

    name, t = Path(source.name).name, source.transform
    if source.crs is None:
        raise ProductError(
            f"{name}: has no coordinate system; expected a georeferenced raster. Assign one with gdal_edit -a_srs."
        )
    if t.b or t.d or t.a <= 0 or t.e >= 0:
        raise ProductError(
            f"{name}: the grid is rotated or upside down; expected rows from north to south. Warp it first (gdalwarp)."
        )
    epsg = source.crs.to_epsg()
    return GeoBox((source.height, source.width), t, f"EPSG:{epsg}" if epsg else source.crs.to_wkt())


def as_window(shape: tuple[int, int], window: AnyWindow, *, name: str) -> Window:
    """Return a window in whole pixels inside a grid; None is all of it.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    window : rasterio.windows.Window, ((row0, row1), (col0, col1)) or None
        Rows and columns.
    name : str
        Of the scene, for the message.

    Returns
    -------
    rasterio.windows.Window

    Raises
    ------
    UsageError
        If it is empty, broken or reaches outside.
    """
    from rasterio.windows import Window

    if window is None:
        return Window(0, 0, shape[1], shape[0])
    if isinstance(window, Window):
        numbers = (window.row_off, window.col_off, window.height, window.width)
    else:
        (r0, r1), (c0, c1) = window
        numbers = (r0, c0, r1 - r0, c1 - c0)
    top, left, height, width = (round(n) for n in numbers)
    fits = top >= 0 and left >= 0 and height > 0 and width > 0 and top + height <= shape[0] and left + width <= shape[1]
    if not fits or (top, left, height, width) != numbers:
        raise UsageError(
            f"{name}: window of rows {numbers[0]:g} + {numbers[2]:g}, columns {numbers[1]:g} + {numbers[3]:g}; expected"
            f" whole pixels inside {shape[0]} x {shape[1]}. Clip it."
        )
    return Window(left, top, width, height)


def pixel_metres(geobox: GeoBox, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of a grid's pixels on the ground, measured on the ellipsoid in the middle column.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        The grid.
    rows : numpy.ndarray, shape (n,)
        Rows whose pixels are measured.

    Returns
    -------
    east_m, south_m : numpy.ndarray of float64, shape (n,)
    """
    from pyproj import CRS, Geod, Transformer

    a = geobox.affine
    crs = CRS.from_user_input(str(geobox.crs))
    ends = np.linspace(0, geobox.shape[0] - 1, min(geobox.shape[0], 33))  # the same nodes whatever rows are asked for
    x, y = a.c + a.a * (geobox.shape[1] / 2), a.f + a.e * (ends + 0.5)
    half = (a.a / 2, a.e / 2)
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    geod = crs.get_geod() or Geod(ellps="WGS84")

    def distance(dx: float, dy: float) -> np.ndarray:
        lon0, lat0 = to_degrees.transform(np.full_like(y, x - dx), y - dy)
        lon1, lat1 = to_degrees.transform(np.full_like(y, x + dx), y + dy)
        return geod.inv(lon0, lat0, lon1, lat1)[2]

    return np.interp(rows, ends, distance(half[0], 0.0)), np.interp(rows, ends, distance(0.0, half[1]))
