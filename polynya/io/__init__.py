"""Reading and writing what polynya exchanges: GeoParquet, CF NetCDF, run.json. Nothing is left half-written."""

from __future__ import annotations

from .addresses import Address, Place, common_folder, place
from .atomic import check_files, check_replaceable, folder_name, lists, scratch
from .geoparquet import BBOX, GEOMETRY, point_wkb
from .input_lists import expand
from .netcdf import to_xarray, write_netcdf
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
from .remote import fetched, is_address, local_path, name_of
from .stored import check_place, check_writable, children, is_free, reading, writing, writing_folder
from .tables import TableWriter, read_beams, read_table, table_metadata, to_geopandas, write_table

__all__ = [
    "BBOX",
    "GEOMETRY",
    "Address",
    "Key",
    "Place",
    "TableWriter",
    "check_files",
    "check_place",
    "check_replaceable",
    "check_writable",
    "children",
    "command_line",
    "common_folder",
    "digest_of",
    "expand",
    "fetched",
    "finished",
    "folder_name",
    "hashing",
    "is_address",
    "is_free",
    "key_as_dict",
    "lists",
    "local_path",
    "name_of",
    "place",
    "plain",
    "point_wkb",
    "read_beams",
    "read_json",
    "read_table",
    "reading",
    "run_record",
    "scratch",
    "table_metadata",
    "to_geopandas",
    "to_xarray",
    "versions",
    "write_json",
    "write_netcdf",
    "write_table",
    "writing",
    "writing_folder",
]
