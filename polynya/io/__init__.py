"""Reading and writing what polynya exchanges: GeoParquet, CF NetCDF, run.json. Nothing is left half-written."""

from __future__ import annotations

from .atomic import check_files, check_place, check_replaceable, folder_name, is_free, lists, writing, writing_folder
from .records import (
    Key,
    command_line,
    digest_of,
    finished,
    hashing,
    key_as_dict,
    plain,
    read_json,
    run_record,
    versions,
    write_json,
)
from .tables import GEOMETRY, TableWriter, point_wkb, read_table, to_geopandas, to_xarray, write_netcdf, write_table

__all__ = [
    "GEOMETRY",
    "Key",
    "TableWriter",
    "check_files",
    "check_place",
    "check_replaceable",
    "command_line",
    "digest_of",
    "finished",
    "folder_name",
    "hashing",
    "is_free",
    "key_as_dict",
    "lists",
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
