"""Occurrences of tags as a CF dataset on the globe, and as GeoTIFFs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....io import grids
from ....physics.gridding.occurrence import LEAST_IMAGETTES, DegreeGrid, Occurrences
from ....schema.imagettes import TAGS
from ....schema.tag_grids import FEW_IMAGETTES, FEW_PASSES, ONE_DAY, TAG_GRID_VARIABLES
from ..config import bounds_of, period_name
from ..products import time_axis
from .config import TagConfig

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray

NOTHING = FEW_IMAGETTES | FEW_PASSES | ONE_DAY
"""``sampling_flag`` of a cell without an imagette."""


def dataset(
    found: Occurrences, *, config: TagConfig, days: tuple[int, int], about: Mapping[str, object]
) -> xarray.Dataset:
    """Return the occurrences on the whole globe, as a CF dataset.

    Parameters
    ----------
    found : Occurrences
        Of m cells and periods.
    config : TagConfig
        Settings.
    days : (int, int)
        First and last day with data, days since 1970.
    about : mapping of str to object
        Further global attributes.
    """
    import xarray as xr

    grid = config.grid()
    first = np.unique(found.period)
    place = (np.searchsorted(first, found.period), found.cell // grid.columns, found.cell % grid.columns)
    shape = (first.size, grid.rows, grid.columns)
    out: dict[str, tuple] = {}
    for spec in TAG_GRID_VARIABLES:
        dtype = np.dtype(spec.dtype.to_pandas_dtype())
        empty = np.nan if dtype.kind == "f" else NOTHING if spec.name == "sampling_flag" else 0
        whole = np.full(shape, empty, dtype)
        whole[place] = found.values[spec.name].astype(dtype)
        attributes: dict[str, object] = dict(spec.attributes())
        if spec.flags:
            attributes["flag_masks"] = np.array([v for v, _ in spec.flags], dtype)
        attributes |= {"grid_mapping": "crs", "cell_measures": "area: cell_area"}
        tag = spec.name.removeprefix("occurrence_")
        if tag in TAGS:
            beside = (f"occurrence_low_{tag}", f"occurrence_high_{tag}", f"n_{tag}", "n_imagettes", "sampling_flag")
            attributes["ancillary_variables"] = " ".join(beside)
        out[spec.name] = (("time", "latitude", "longitude"), whole, attributes)
    bounds = [bounds_of(int(f), period=config.period, days=days) for f in first]
    data = xr.Dataset(out | time_axis(bounds) | _axes(grid), attrs=_about(config, bounds, about))
    return data.set_coords(["time", "latitude", "longitude"])


def _axes(grid: DegreeGrid) -> dict[str, tuple]:
    """Return places and areas of the cells as variables of a dataset."""
    from pyproj import CRS, Geod

    out: dict[str, tuple] = {}
    half = 0.5 * grid.side
    for name, values, units in (
        ("latitude", grid.latitude, "degrees_north"),
        ("longitude", grid.longitude, "degrees_east"),
    ):
        about = {"standard_name": name, "units": units, "axis": "Y" if name == "latitude" else "X"}
        about |= {"long_name": f"{name} of the cell's centre", "bounds": f"{name}_bnds"}
        out[name] = ((name,), values, about)
        out[f"{name}_bnds"] = ((name, "bnds"), np.column_stack([values - half, values + half]))
    geod = Geod(ellps="WGS84")
    area = [_cell_area(geod, float(v), grid.side) for v in grid.latitude]
    about = {"standard_name": "cell_area", "units": "m2", "long_name": "area of the cell on the ellipsoid"}
    whole = np.repeat(np.array(area, np.float32)[:, None], grid.columns, axis=1)
    out["cell_area"] = (("latitude", "longitude"), whole, {**about, "grid_mapping": "crs"})
    mapping = {k: v for k, v in CRS.from_epsg(4326).to_cf().items() if v is not None}
    out["crs"] = ((), np.int32(0), {**mapping, "long_name": "WGS 84, EPSG:4326"})
    return out


def _cell_area(geod, latitude: float, side: float) -> float:
    """Return the area between two parallels and meridians, m2: the parallels in small steps."""
    steps = np.linspace(0.0, side, 41)
    south, north = latitude - 0.5 * side, latitude + 0.5 * side
    lons = np.concatenate([steps, steps[::-1]])
    lats = np.concatenate([np.full(41, south), np.full(41, north)])
    return abs(geod.polygon_area_perimeter(lons, lats)[0])


def _about(config: TagConfig, bounds: list, about: Mapping[str, object]) -> dict[str, object]:
    return {
        "title": f"Occurrence of phenomena in Sentinel-1 wave-mode imagettes, cells of {config.cell:g} degrees",
        "summary": "Share of assessed imagettes that have a tag. Intervals are Wilson's of 95 %, for independent"
        f" imagettes; they hold nothing of what tags have wrong. Cells with fewer than {LEAST_IMAGETTES} assessed"
        " imagettes are masked. Wave mode is taken over the open ocean only: shares are of what was taken.",
        "comment": "Imagettes near land, or unlike those of the training, are not assessed and do not count.",
        "time_coverage_start": str(bounds[0][0]) if bounds else "",
        "time_coverage_end": str(bounds[-1][1]) if bounds else "",
        **about,
    }


def write_cogs(data: xarray.Dataset, folder: Path, *, config: TagConfig) -> None:
    """Write GeoTIFFs of each period: a file per kind of number with a band per tag, and the counts of imagettes.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`dataset`.
    folder : Path
        Where the periods' folders go.
    config : TagConfig
        Settings.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grid = config.grid()
    affine = Affine(grid.side, 0.0, -180.0, 0.0, -grid.side, 90.0)
    geobox = GeoBox((grid.rows, grid.columns), affine, "EPSG:4326")
    source = {"source": str(data.attrs.get("source", ""))}
    for k, bounds in enumerate(data["time_bnds"].values.astype("datetime64[D]")):
        name = period_name(int(bounds[0].astype(np.int64)), period=config.period)
        tags = {**source, "period": f"{bounds[0]} to {bounds[1]}", "units": "1"}
        for kind in ("occurrence", "occurrence_low", "occurrence_high", "n"):
            values = np.stack([data[f"{kind}_{t}"].values[k] for t in TAGS])
            grids.write_cog(values, folder / name / f"{kind}.tif", geobox=geobox, name=TAGS, tags=tags)
        for one in ("n_imagettes", "sampling_flag"):
            values = data[one].values[k]
            grids.write_cog(values, folder / name / f"{one}.tif", geobox=geobox, name=one, tags=tags)
