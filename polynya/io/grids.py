"""Gridded products as CF NetCDF, and each variable as a cloud-optimised GeoTIFF."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from . import rasters
from .atomic import writing
from .netcdf import CONVENTIONS
from .records import command_line

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray
    from odc.geo.geobox import GeoBox

FILL = {"i": -1.0, "f": float("nan")}
"""Value of missing pixels of a GeoTIFF, by kind of number; unsigned integers have none."""


def write_netcdf(data: xarray.Dataset, path: Path) -> Path:
    """Write a gridded dataset as compressed CF NetCDF-4, with history.

    Parameters
    ----------
    data : xarray.Dataset
        With CF attributes, coordinates, bounds and a grid mapping; times as datetime64. Whole numbers have the
        ``_FillValue`` of their encoding, or none.
    path : Path
        Replaced if it is there.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = data.assign_attrs(
        Conventions=CONVENTIONS,
        source=data.attrs.get("source", f"polynya {__version__}"),
        history=f"{now} polynya {__version__}: {' '.join(command_line())}",
    )
    bounds = {v.attrs["bounds"] for v in data.variables.values() if "bounds" in v.attrs}
    encoding: dict[str, dict[str, object]] = {}
    for name, variable in data.variables.items():
        if variable.dtype.kind in "fiu" and variable.ndim > 1:
            encoding[str(name)] = {"zlib": True, "complevel": 4, "shuffle": True}
        if variable.dtype.kind == "M":
            encoding[str(name)] = {"units": "days since 1970-01-01T00:00:00", "dtype": "float64"}
        fill = None
        if variable.ndim and name not in data.coords and name not in bounds:
            is_float = variable.dtype.kind == "f"
            fill = np.array(np.nan, variable.dtype)[()] if is_float else variable.encoding.get("_FillValue")
        encoding.setdefault(str(name), {})["_FillValue"] = fill
    with writing(Path(path)) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
    return Path(path)


def write_cog(
    values: np.ndarray,
    path: Path,
    *,
    geobox: GeoBox,
    name: str | Sequence[str],
    tags: dict[str, str],
    nodata: int | None = None,
) -> Path:
    """Write one variable of one period, or several of one kind, as a cloud-optimised GeoTIFF.

    Parameters
    ----------
    values : numpy.ndarray, shape (rows, columns) or (bands, rows, columns)
        Floating point, integers whose negative values are missing, or unsigned ones, which are all there.
    path : Path
        The file to write.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    name : str or sequence of str
        Description of the band, or of each.
    tags : dict of str to str
        Units, long name and the like.
    nodata : int, optional
        Value of missing pixels, where it is not the one above.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from rasterio.shutil import delete

    path.parent.mkdir(parents=True, exist_ok=True)
    missing = FILL.get(values.dtype.kind) if nodata is None else nodata
    bands = values.reshape(-1, *values.shape[-2:])
    names = (name,) if isinstance(name, str) else tuple(name)
    plain = Path(f"/vsimem/{secrets.token_hex(8)}.tif")  # some hundred kilobytes: GDAL's own memory, not the disk
    try:
        with rasters.create(plain, geobox=geobox, dtype=str(values.dtype), nodata=missing, bands=len(bands)) as file:
            file.write(bands)
            file.update_tags(**tags)
            for k, own in enumerate(names, start=1):
                file.set_band_description(k, own)
                file.update_tags(k, **tags)
        # A mean of uncertainties is no uncertainty, one of flags no flag: overviews take one pixel of each four.
        return rasters.to_cog(plain, path, overviews="NEAREST")
    finally:
        delete(str(plain))
