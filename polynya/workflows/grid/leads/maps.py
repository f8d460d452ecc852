"""Shares of leads as a CF dataset on the whole grid, and as GeoTIFFs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....io import grids
from ....physics.gridding.lead_share import LEAST_ECHOES, LeadShares
from ....schema.lead_grids import FEW_ECHOES, FEW_PASSES, LEAD_GRID_VARIABLES, ONE_DAY
from ..config import bounds_of, period_name
from ..products import space_axes, time_axis
from .config import LeadConfig

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray

NOTHING = FEW_PASSES | ONE_DAY | FEW_ECHOES
"""``sampling_flag`` of a cell without an echo."""


def dataset(
    found: LeadShares, *, config: LeadConfig, days: tuple[int, int], about: Mapping[str, object]
) -> xarray.Dataset:
    """Return the shares on the whole grid, as a CF dataset.

    Parameters
    ----------
    found : LeadShares
        Of m cells and periods.
    config : LeadConfig
        With a CRS.
    days : (int, int)
        First and last day with data, days since 1970.
    about : mapping of str to object
        Further global attributes.
    """
    import xarray as xr

    grid = config.grid()
    first = np.unique(found.period)
    place = (np.searchsorted(first, found.period), found.cell // grid.columns, found.cell % grid.columns)
    out: dict[str, tuple] = {}
    for spec in LEAD_GRID_VARIABLES:
        dtype = np.dtype(spec.dtype.to_pandas_dtype())
        empty = np.nan if dtype.kind == "f" else NOTHING if spec.name == "sampling_flag" else 0
        whole = np.full((first.size, grid.rows, grid.columns), empty, dtype)
        whole[place] = found.values[spec.name].astype(dtype)
        attributes: dict[str, object] = {
            **spec.attributes(),
            "grid_mapping": "crs",
            "coordinates": "latitude longitude",
        }
        if spec.flags:
            attributes["flag_masks"] = np.array([v for v, _ in spec.flags], dtype)
        if spec.name == "lead_fraction":
            attributes["ancillary_variables"] = "lead_fraction_low lead_fraction_high n_echoes sampling_flag"
        out[spec.name] = (("time", "y", "x"), whole, attributes)
    bounds = [bounds_of(int(f), period=config.period, days=days) for f in first]
    data = xr.Dataset(out | time_axis(bounds) | space_axes(grid), attrs=_about(config, bounds, about))
    return data.set_coords(["time", "x", "y", "latitude", "longitude"])


def _about(config: LeadConfig, bounds: list, about: Mapping[str, object]) -> dict[str, object]:
    return {
        "title": f"Leads from radar-altimeter echoes in cells of {config.cell:g} km",
        "summary": "Share of lead echoes among lead and sea-ice echoes. An echo counts as a lead where one is near"
        " nadir, so the share is not the area of open water. Intervals hold the differences between passes, not what"
        f" classes have wrong. Cells with fewer than {LEAST_ECHOES} echoes are masked.",
        "comment": f"Echoes with one of these quality bits are left out: {', '.join(config.leave_out) or 'none'}.",
        "time_coverage_start": str(bounds[0][0]) if bounds else "",
        "time_coverage_end": str(bounds[-1][1]) if bounds else "",
        **about,
    }


def write_cogs(data: xarray.Dataset, folder: Path, *, config: LeadConfig) -> None:
    """Write each variable of each period as a GeoTIFF: ``PERIOD/VARIABLE.tif``.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`dataset`.
    folder : Path
        Where the periods' folders go.
    config : LeadConfig
        With a CRS.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grid = config.grid()
    affine = Affine(grid.cell_m, 0.0, grid.left, 0.0, -grid.cell_m, grid.top)
    geobox = GeoBox((grid.rows, grid.columns), affine, grid.crs)
    for k, bounds in enumerate(data["time_bnds"].values.astype("datetime64[D]")):
        name = period_name(int(bounds[0].astype(np.int64)), period=config.period)
        for spec in LEAD_GRID_VARIABLES:
            tags = {**spec.attributes(), "source": str(data.attrs.get("source", "")), "period": str(bounds[0])}
            values = data[spec.name].values[k]
            grids.write_cog(values, folder / name / f"{spec.name}.tif", geobox=geobox, name=spec.name, tags=tags)
