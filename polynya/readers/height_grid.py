"""A user's grid (mean sea surface, land mask, ice concentration): GeoTIFF/COG or NetCDF, sampled at points.

Checked on GeoTIFF and NetCDF files that the tests write; no agency product is checked yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import PolynyaError, ProductError, one_line
from ..io import opening

PRODUCT = "grid"
RELEASES: tuple[str, ...] = ()
CHECKED: tuple[str, ...] = ()

FILE = "GeoTIFF or NetCDF. Check the file"
LATITUDE_NAMES = ("lat", "latitude", "y_lat", "nav_lat")
LONGITUDE_NAMES = ("lon", "longitude", "x_lon", "nav_lon")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A regular grid in memory.

    Attributes
    ----------
    path : Path
    values : numpy.ndarray, shape (ny, nx)
        NaN where the file has no value.
    x, y : numpy.ndarray, shape (nx,), (ny,)
        Cell centres in the grid's CRS, either direction.
    crs : str
        Anything pyproj takes; ``EPSG:4326`` means x is longitude and y latitude.
    """

    path: Path
    values: np.ndarray
    x: np.ndarray
    y: np.ndarray
    crs: str


def read(path: Path | str, *, variable: str | None = None) -> Grid:
    """Read a grid.

    Parameters
    ----------
    path : Path or str
        ``.tif``/``.tiff`` through rasterio (first band), ``.nc`` through xarray.
    variable : str, optional
        NetCDF variable; by default the only two-dimensional one on latitude/longitude or y/x.

    Raises
    ------
    ProductError
        If the file is missing, has no CRS, or its grid cannot be found.
    """
    path = Path(path)
    if not path.exists():
        raise ProductError(f"{path.name}: no such grid at {path}; expected a GeoTIFF or NetCDF file. Check the path.")
    try:
        grid = _netcdf(path, variable) if path.suffix.lower() in (".nc", ".nc4", ".cdf") else _raster(path)
    except PolynyaError:
        raise
    except Exception as error:
        raise ProductError(
            f"{path.name}: cannot be read as a grid ({one_line(error)[:160]}); expected {FILE}."
        ) from error
    if grid.values.ndim != 2 or min(grid.values.shape) < 2:
        raise ProductError(
            f"{path.name}: the grid has shape {grid.values.shape}; expected two dimensions of at least 2. Name the"
            " variable as FILE.nc:NAME."
        )
    return grid


def _raster(path: Path) -> Grid:
    with opening.open_raster(path, expected=FILE) as source:
        if source.crs is None:
            raise ProductError(
                f"{path.name}: has no coordinate system; expected a georeferenced GeoTIFF. Assign one with gdal_edit"
                " -a_srs."
            )
        if source.transform.b or source.transform.d:
            raise ProductError(
                f"{path.name}: the grid is rotated; expected rows and columns along the axes. Warp it first (gdalwarp)."
            )
        values = source.read(1, masked=True).astype(np.float64).filled(np.nan)
        t = source.transform
        x = t.c + t.a * (np.arange(source.width) + 0.5)
        y = t.f + t.e * (np.arange(source.height) + 0.5)
        crs = "EPSG:4326" if source.crs.is_geographic else source.crs.to_wkt()
    return Grid(path=path, values=values, x=x, y=y, crs=crs)


def _netcdf(path: Path, variable: str | None) -> Grid:
    with opening.open_netcdf(path, expected=FILE) as data:
        names = (
            [variable]
            if variable
            else [n for n, v in data.data_vars.items() if v.squeeze().ndim == 2 and v.dtype.kind in "fiu"]
        )
        if len(names) != 1 or names[0] not in data:
            raise ProductError(
                f"{path.name}: has the grids {names or list(data.data_vars)}; expected one. Name it as FILE.nc:NAME."
            )
        values = data[names[0]].squeeze()
        row, column = (str(d) for d in values.dims)
        if row.lower() in LONGITUDE_NAMES or column.lower() in LATITUDE_NAMES:
            values = values.transpose()
            row, column = column, row
        y, x = np.asarray(data[row], np.float64), np.asarray(data[column], np.float64)
        crs = "EPSG:4326"
        if row.lower() not in LATITUDE_NAMES:
            mapping = values.attrs.get("grid_mapping")
            wkt = (
                data[mapping].attrs.get("crs_wkt") or data[mapping].attrs.get("spatial_ref")
                if mapping in data
                else None
            )
            if not wkt:
                raise ProductError(
                    f"{path.name}: the dimensions are {row}, {column} and no grid_mapping with crs_wkt says their"
                    " system; expected latitude/longitude or a CF grid mapping. Convert it with gdalwarp."
                )
            crs = wkt
        return Grid(path=path, values=np.asarray(values, np.float64), x=x, y=y, crs=crs)


def sample(grid: Grid, *, longitude: np.ndarray, latitude: np.ndarray, nearest: bool = False) -> np.ndarray:
    """Return the grid's values at points.

    Parameters
    ----------
    grid : Grid
        Of :func:`read`.
    longitude, latitude : numpy.ndarray, shape (n,)
        EPSG:4326 degrees.
    nearest : bool
        Nearest cell (masks, classes) instead of bilinear.

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN outside the grid or, bilinear, where one of the four cells has no value.
    """
    if grid.crs == "EPSG:4326":
        x, y = np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)
        low = min(grid.x[0], grid.x[-1])
        x = low + np.mod(x - low, 360.0)
        period = 360.0
    else:
        from pyproj import Transformer

        x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(longitude, latitude)
        period = None
    values, gx, gy = grid.values, grid.x, grid.y
    if gx[0] > gx[-1]:
        values, gx = values[:, ::-1], gx[::-1]
    if gy[0] > gy[-1]:
        values, gy = values[::-1], gy[::-1]
    if period and abs(gx[-1] - gx[0] + (gx[1] - gx[0]) - period) < 0.5 * (gx[1] - gx[0]):  # global: close the seam
        values, gx = np.hstack([values, values[:, :1]]), np.append(gx, gx[0] + period)
    fx = np.interp(x, gx, np.arange(gx.size), left=np.nan, right=np.nan)
    fy = np.interp(y, gy, np.arange(gy.size), left=np.nan, right=np.nan)
    ok = np.isfinite(fx) & np.isfinite(fy)
    out = np.full(np.shape(x), np.nan)
    if nearest:
        out[ok] = values[np.rint(fy[ok]).astype(int), np.rint(fx[ok]).astype(int)]
        return out
    i, j = np.minimum(fy[ok].astype(int), gy.size - 2), np.minimum(fx[ok].astype(int), gx.size - 2)
    u, v = fy[ok] - i, fx[ok] - j
    out[ok] = (1 - u) * ((1 - v) * values[i, j] + v * values[i, j + 1]) + u * (
        (1 - v) * values[i + 1, j] + v * values[i + 1, j + 1]
    )
    return out


def is_land_near(grid: Grid, *, longitude: np.ndarray, latitude: np.ndarray, within_km: float) -> np.ndarray:
    """Return whether a mask has anything but 0 within a distance of points.

    Parameters
    ----------
    grid : Grid
        Land mask: anything but 0 and NaN is land.
    longitude, latitude : numpy.ndarray, shape (n,)
        EPSG:4326 degrees.
    within_km : float
        The mask is looked up on rings 2.5 km apart, every 15 degrees of bearing.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
    """
    near = np.zeros(latitude.size, bool)
    for radius in np.linspace(0.0, within_km, int(np.ceil(within_km / 2.5)) + 1):
        for bearing in np.radians(np.arange(0, 360, 15)) if radius else (0.0,):
            step = np.degrees(radius / 6371.0)
            north = np.clip(latitude + step * np.cos(bearing), -90.0, 90.0)
            east = longitude + step * np.sin(bearing) / np.maximum(np.cos(np.radians(latitude)), 1e-3)
            near |= np.nan_to_num(sample(grid, longitude=east, latitude=north, nearest=True)) != 0
    return near
