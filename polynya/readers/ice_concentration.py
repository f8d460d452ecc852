"""Gridded sea-ice concentration: OSI SAF and AMSR2 ASI in NetCDF, CF files in general, and maps that polynya wrote.

Checked on no real file: none was available. Names, units and grids are those of the products' manuals (OSI SAF: product
user manuals of OSI-401, OSI-408 and OSI-450, with ``ice_conc`` in percent, ``xc`` and ``yc`` in km; ASI of the
University of Bremen: Spreen et al. 2008, doi:10.1029/2005JC003384, with ``z`` in percent on NSIDC's polar grid). Bremen
states the Hughes ellipsoid (EPSG:3411, 3412) for the same cells until 1 November 2018 and WGS 84 from then on; the file
is believed, which moves cells by 150 m at most.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import PolynyaError, ProductError, one_line
from ..io import opening
from .sigrid3_chart import time_of

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox

PRODUCT = "sea-ice concentration grid"
RELEASES = ("OSI SAF", "ASI")
CHECKED: tuple[str, ...] = ()

NAME, SIGMA = "sea_ice_concentration", "sea_ice_concentration_uncertainty"
"""What the variables are called here, in percent."""
BOUNDS = tuple(f"{NAME}_{side}_{share}" for share in (68, 95) for side in ("low", "high"))
"""Lower and upper ends of the intervals that hold 68 % and 95 %, where a map has them, in percent."""
HEADS = {"SOD": "stage_of_development", "FLOE": "floe_size"}
"""Variables with classes of AutoICE that a map may have beside its concentration; 255 is unknown."""
NAMES = ("ice_conc", NAME, "ice_concentration", "concentration", "sic", "siconc", "sea_ice_area_fraction")
SIGMA_NAMES = (
    "total_standard_uncertainty",
    "total_standard_error",
    "total_uncertainty",
    *(f"{n}_{end}" for n in NAMES for end in ("uncertainty", "sigma", "spread", "standard_error")),
)
ASI_NAME = "z"
STANDARD_NAME = "sea_ice_area_fraction"
PERCENT = ("%", "percent")
SHARES = ("1", "")
RASTERS = (".tif", ".tiff")
GRIDS = (*RASTERS, ".nc", ".nc4")
EXPECTED = "a grid of sea-ice concentration (OSI SAF, ASI, or CF NetCDF). Check the file"
MOST_UNEVEN = 1e-3
"""Spacings of a regular grid differ by less than this share."""


def is_concentration(path: Path | str) -> bool:
    """Return whether a NetCDF or GeoTIFF file has a variable or band of sea-ice concentration.

    Parameters
    ----------
    path : Path or str
        Any file; one that cannot be read has none.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in RASTERS:
            with opening.open_raster(path, expected=EXPECTED) as source:
                return any(d in NAMES for d in source.descriptions)
        if path.suffix.lower() not in GRIDS:
            return False
        with opening.open_netcdf(path, expected=EXPECTED) as data:
            return _variable(data) is not None
    except PolynyaError:
        return False


def read(path: Path | str) -> xarray.Dataset:
    """Read a grid.

    Parameters
    ----------
    path : Path or str
        NetCDF, or a GeoTIFF with a band of one of :data:`NAMES`.

    Returns
    -------
    xarray.Dataset
        :data:`NAME` (float32, percent, NaN where there is none) and, where the file has them, :data:`SIGMA`,
        :data:`BOUNDS` and :data:`HEADS` (uint8); dimensions ``y`` (from north to south of the map) and ``x``, with
        coordinates and ``spatial_ref``. ``attrs``: ``source``, ``product`` (``OSI SAF``, ``ASI``, ``CF`` or
        ``GeoTIFF``), ``time`` (ISO 8601, empty where nothing states it).

    Raises
    ------
    ProductError
        If the file is damaged, has no concentration, several times, no known units, or no regular grid with a
        coordinate system.
    """
    path = Path(path)
    if path.suffix.lower() in RASTERS:
        return _raster(path)
    with opening.open_netcdf(path, decode_times=True, expected=EXPECTED) as data:
        name = _variable(data)
        if name is None:
            found = ", ".join(str(v) for v in list(data.data_vars)[:8])
            raise ProductError(f"{path.name}: holds {found or 'no variable'}; expected {EXPECTED}.")
        try:
            values = _percent(data[name], is_asi=name == ASI_NAME, where=f"{path.name}: {name}")
            sigma = next((n for n in SIGMA_NAMES if n in data.data_vars), None)
            more = {} if sigma is None else {SIGMA: _percent(data[sigma], is_asi=False, where=f"{path.name}: {sigma}")}
            ends = {b: f"{name}{b.removeprefix(NAME)}" for b in BOUNDS}
            more |= {b: _percent(data[n], is_asi=False, where=path.name) for b, n in ends.items() if n in data}
            more |= {h: _classes(data[h].to_numpy()) for h in HEADS.values() if h in data.data_vars}
            geobox, order = _grid(data, name, path.name)
            time = _time(data, path.name)
        except (OSError, RuntimeError) as error:
            raise ProductError(
                f"{path.name}: cannot be read ({one_line(error)[:140]}); expected {EXPECTED}."
            ) from error
    product = "ASI" if name == ASI_NAME else "OSI SAF" if name == "ice_conc" else "CF"
    planes = {n: v[order] for n, v in {NAME: values, **more}.items()}
    return _dataset(planes, geobox, {"source": path.name, "product": product, "time": time})


def geobox_of(data: xarray.Dataset) -> GeoBox:
    """Return the grid of a dataset of :func:`read`.

    Parameters
    ----------
    data : xarray.Dataset
        With ``spatial_ref``.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    about = data["spatial_ref"].attrs
    place = Affine.from_gdal(*(float(v) for v in about["GeoTransform"].split()))
    return GeoBox((data.sizes["y"], data.sizes["x"]), place, about["crs_wkt"])


def _dataset(planes: dict[str, np.ndarray], geobox: GeoBox, attributes: dict[str, str]) -> xarray.Dataset:
    import xarray as xr
    from pyproj import CRS

    words = {NAME: "sea-ice concentration", SIGMA: "standard uncertainty of the sea-ice concentration"}
    variables: dict[str, Any] = {}
    for name, values in planes.items():
        units = "1" if name in HEADS.values() else "%"
        about = {"units": units, "grid_mapping": "spatial_ref", "long_name": words.get(name, name.replace("_", " "))}
        if name == NAME:
            about["standard_name"] = STANDARD_NAME
        variables[name] = (("y", "x"), values, about)
    place, (rows, columns) = geobox.affine, tuple(geobox.shape)
    wkt = CRS.from_user_input(str(geobox.crs)).to_wkt()
    crs = {"crs_wkt": wkt, "GeoTransform": " ".join(repr(float(v)) for v in place.to_gdal())}
    return xr.Dataset(
        variables,
        coords={
            "y": place.f + place.e * (np.arange(rows) + 0.5),
            "x": place.c + place.a * (np.arange(columns) + 0.5),
            "spatial_ref": ((), 0, crs),
        },
        attrs=attributes,
    )


def _variable(data: xarray.Dataset) -> str | None:
    """Return the name of the concentration: a known name, CF's standard name, or ASI's ``z``."""
    names = [str(v) for v in data.data_vars]
    known = [n for n in NAMES if n in names and data[n].ndim >= 2]
    if known:
        return known[0]
    by_standard = [n for n in names if data[n].attrs.get("standard_name") == STANDARD_NAME and data[n].ndim >= 2]
    if by_standard:
        return by_standard[0]
    return ASI_NAME if ASI_NAME in names and "polar_stereographic" in data.variables else None


def _percent(variable: xarray.DataArray, *, is_asi: bool, where: str) -> np.ndarray:
    """Return one plane in percent, NaN where it is missing or impossible."""
    units = "%" if is_asi else str(variable.attrs.get("units", "?")).strip()
    if units not in (*PERCENT, *SHARES):
        raise ProductError(f"{where} has the units {units!r}; expected % or 1. Set the attribute units (ncatted).")
    long = [int(n) for n in variable.shape[:-2] if n != 1]
    if long or variable.ndim < 2:
        raise ProductError(f"{where} has the shape {variable.shape}; expected one time. Take one: ncks -d time,0.")
    values = variable.to_numpy().reshape(variable.shape[-2:]).astype(np.float64)
    values = values if units in PERCENT else 100.0 * values
    return np.where((values >= -1e-3) & (values <= 100.001), np.clip(values, 0.0, 100.0), np.nan).astype(np.float32)


def _classes(stored: np.ndarray) -> np.ndarray:
    """Return one plane of classes, 255 where there is none."""
    return np.nan_to_num(stored.reshape(stored.shape[-2:]), nan=255).astype(np.uint8)


def _grid(data: xarray.Dataset, name: str, file: str) -> tuple[GeoBox, tuple[slice, slice]]:
    """Return the grid from north to south of the map, and how the file's rows and columns get there."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    row, column = (str(d) for d in data[name].dims[-2:])
    if row not in data.variables or column not in data.variables or data[row].ndim != 1 or data[column].ndim != 1:
        raise ProductError(
            f"{file}: {name} lies on {row} and {column}, which have no coordinates; expected a regular grid with x and"
            " y. Grid a swath first."
        )
    crs = _crs(data, name, file)
    y, x = (_metres(data[d], is_degrees=crs.is_geographic) for d in (row, column))
    steps = []
    for axis, values in ((row, y), (column, x)):
        step = np.diff(values)
        if (
            len(values) < 2
            or not np.isfinite(values).all()
            or np.abs(step - step[0]).max() > MOST_UNEVEN * abs(step[0])
        ):
            raise ProductError(f"{file}: {axis} is not evenly spaced; expected a regular grid. Regrid the file.")
        steps.append(abs(float((values[-1] - values[0]) / (len(values) - 1))))
    order = (slice(None, None, -1 if y[0] < y[-1] else 1), slice(None, None, -1 if x[0] > x[-1] else 1))
    corner = Affine(steps[1], 0.0, float(x.min()) - steps[1] / 2, 0.0, -steps[0], float(y.max()) + steps[0] / 2)
    return GeoBox((len(y), len(x)), corner, crs.to_wkt()), order


def _metres(axis: xarray.DataArray, *, is_degrees: bool) -> np.ndarray:
    values = axis.to_numpy().astype(np.float64)
    is_km = str(axis.attrs.get("units", "")).lower() in ("km", "kilometer", "kilometers", "kilometre", "kilometres")
    return values * 1000.0 if is_km and not is_degrees else values


def _crs(data: xarray.Dataset, name: str, file: str):
    """Return the coordinate system: by WKT, proj string or CF parameters of the grid mapping; else by the axes."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    mapping = data[name].attrs.get("grid_mapping") or data[name].encoding.get("grid_mapping")
    known = [v for v in data.variables if "grid_mapping_name" in data[v].attrs]
    if mapping not in data.variables:
        mapping = known[0] if known else None
    if mapping is None:
        row, column = (str(d).lower() for d in data[name].dims[-2:])
        if row in ("lat", "latitude") and column in ("lon", "longitude"):
            return CRS.from_epsg(4326)
        raise ProductError(
            f"{file}: no grid mapping says where {name} lies; expected one with WKT, proj4_string or CF parameters. Add"
            " it, or get the file again."
        )
    about = data[mapping].attrs
    try:
        for key in ("crs_wkt", "spatial_ref", "proj4_string", "proj4"):
            if about.get(key):
                return CRS.from_user_input(str(about[key]))
        return CRS.from_cf(dict(about))
    except (CRSError, KeyError, ValueError) as error:
        raise ProductError(
            f"{file}: its grid mapping {mapping} cannot be understood ({one_line(error)[:100]}); expected WKT,"
            " proj4_string or CF parameters. Correct it."
        ) from error


def _time(data: xarray.Dataset, file: str) -> str:
    """Return the time of the map: its coordinate, else the file's name."""
    if "time" in data.variables and data["time"].size == 1 and data["time"].dtype.kind == "M":
        when = data["time"].to_numpy().ravel()[0]
        if not np.isnat(when):
            return f"{np.datetime_as_string(when, unit='m')}Z"
    return time_of(file) or time_of(re.sub(r"(\d{8})(\d{4})\d{0,2}", r"\1T\2", file))


def _raster(path: Path) -> xarray.Dataset:
    """Read a GeoTIFF whose bands are named."""
    from .scene_layer import geobox_of as raster_geobox

    with opening.open_raster(path, expected=EXPECTED) as source:
        bands = {d: k for k, d in enumerate(source.descriptions, 1) if d}
        name = next((n for n in NAMES if n in bands), None)
        if name is None:
            raise ProductError(
                f"{path.name}: its bands are {', '.join(bands) or 'without names'}; expected one named {NAME}. Set its"
                " description (gdal_edit -d), or give NetCDF."
            )
        wanted = {NAME: name, SIGMA: next((n for n in SIGMA_NAMES if n in bands), None)}
        wanted |= {b: n for b in BOUNDS if (n := f"{name}{b.removeprefix(NAME)}") in bands}
        planes = {}
        for own, theirs in wanted.items():
            if theirs is not None:
                planes[own] = _raster_percent(source, bands[theirs], where=f"{path.name}: {theirs}")
        geobox = raster_geobox(source)
        time = str(source.tags().get("time", "")) or time_of(path.name)
    return _dataset(planes, geobox, {"source": path.name, "product": "GeoTIFF", "time": time})


def _raster_percent(source: Any, band: int, *, where: str) -> np.ndarray:
    units = str(source.units[band - 1] or source.tags(band).get("units", source.tags().get("units", "?"))).strip()
    if units not in (*PERCENT, *SHARES):
        raise ProductError(f"{where} has the units {units!r}; expected % or 1. Set the tag units (gdal_edit -mo).")
    values = source.read(band, masked=True).astype(np.float64).filled(np.nan)
    values = values if units in PERCENT else 100.0 * values
    return np.where((values >= -1e-3) & (values <= 100.001), np.clip(values, 0.0, 100.0), np.nan).astype(np.float32)
