"""Reading and writing what polynya exchanges: GeoParquet, CF NetCDF, run.json. Nothing is left half-written."""

from __future__ import annotations

from .records import command_line, plain, read_json, run_record, versions, write_json, writing, writing_folder
from .tables import GEOMETRY, TableWriter, point_wkb, read_table, to_geopandas, to_xarray, write_netcdf, write_table

__all__ = [
    "GEOMETRY",
    "TableWriter",
    "command_line",
    "plain",
    "point_wkb",
    "read_json",
    "read_table",
    "run_record",
    "to_geopandas",
    "to_xarray",
    "versions",
    "write_json",
    "write_netcdf",
    "write_table",
    "writing",
    "writing_folder",
]
