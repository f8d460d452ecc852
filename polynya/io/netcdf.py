"""Tables as CF NetCDF."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .. import __version__, schema
from .atomic import writing
from .records import command_line
from .tables import MADE

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray

CONVENTIONS = "CF-1.11"


def to_xarray(table: pa.Table) -> xarray.Dataset:
    """Return a table as a CF dataset with dimension ``obs``; attributes come from the field metadata."""
    import xarray as xr

    out = {}
    for field in table.schema:
        if field.name in MADE:
            continue
        attributes = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        for key in ("flag_values", "flag_masks"):
            if key in attributes:
                attributes[key] = np.array(
                    [int(v) for v in attributes[key].split()], dtype=field.type.to_pandas_dtype()
                )
        column = table[field.name]
        if pa.types.is_dictionary(field.type):
            column = column.cast(pa.string())
        if pa.types.is_timestamp(field.type):
            values = column.cast(pa.timestamp("ns")).to_numpy()
            attributes["units_metadata"] = "leap_seconds: utc"
        elif pa.types.is_string(column.type):
            values = np.array(column.to_pylist(), dtype=str) if len(column) else np.empty(0, "U1")
        else:
            values = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
        out[field.name] = ("obs", values, attributes)
    about = {
        k.decode(): v.decode()
        for k, v in (table.schema.metadata or {}).items()
        if k not in (b"geo", b"pandas", b"ARROW:schema")
    }
    spec = schema.TABLES.get(about.get("polynya_table", ""))
    title = spec.title if spec else "polynya table"
    data = xr.Dataset(
        out, attrs={"Conventions": CONVENTIONS, "title": title, "source": f"polynya {__version__}", **about}
    )
    return data.set_coords([n for n in ("time", "latitude", "longitude", "x_atc") if n in data])


def write_netcdf(table: pa.Table, path: Path) -> Path:
    """Write a table as compressed CF NetCDF-4, with title and history."""
    data = to_xarray(table)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    data.attrs["history"] = f"{now} polynya {__version__}: {' '.join(command_line())}"
    encoding: dict[str, dict[str, object]] = {
        str(n): {"zlib": True, "complevel": 1, "shuffle": True}
        for n, v in data.variables.items()
        if v.dtype.kind in "fiu"
    }
    if "time" in data.variables:
        encoding["time"] = {
            "units": "nanoseconds since 2018-01-01T00:00:00",
            "dtype": "int64",
            "zlib": True,
            "complevel": 1,
        }
    for name, variable in data.variables.items():
        if variable.dtype.kind == "b":
            data[name] = variable.astype("int8")
    with writing(Path(path)) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
    return Path(path)
