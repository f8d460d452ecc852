"""Tables: GeoParquet and CF NetCDF, read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import __version__, schema
from ..errors import ProductError, one_line
from .atomic import writing
from .opening import regular_file

if TYPE_CHECKING:  # heavy, and only for the signatures
    import geopandas
    import xarray


GEOMETRY = pa.field("geometry", pa.binary(), metadata={"long_name": "point, well-known binary, EPSG:4326"})


_CRS84 = {
    "$schema": "https://proj.org/schemas/v0.7/projjson.schema.json",
    "type": "GeographicCRS",
    "name": "WGS 84 (CRS84)",
    "datum_ensemble": {
        "name": "World Geodetic System 1984 ensemble",
        "members": [{"name": "World Geodetic System 1984 (G1762)"}, {"name": "World Geodetic System 1984 (G2139)"}],
        "ellipsoid": {"name": "WGS 84", "semi_major_axis": 6378137, "inverse_flattening": 298.257223563},
        "accuracy": "2.0",
        "id": {"authority": "EPSG", "code": 6326},
    },
    "coordinate_system": {
        "subtype": "ellipsoidal",
        "axis": [
            {"name": "Geodetic longitude", "abbreviation": "Lon", "direction": "east", "unit": "degree"},
            {"name": "Geodetic latitude", "abbreviation": "Lat", "direction": "north", "unit": "degree"},
        ],
    },
    "id": {"authority": "OGC", "code": "CRS84"},
}


def point_wkb(longitude: np.ndarray, latitude: np.ndarray) -> pa.Array:
    """Return points as well-known binary.

    Parameters
    ----------
    longitude, latitude : numpy.ndarray, shape (n,)
        Degrees.

    Returns
    -------
    pyarrow.BinaryArray, length n
    """
    n = len(longitude)
    raw = np.empty(n, np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    raw["order"], raw["kind"], raw["x"], raw["y"] = 1, 1, longitude, latitude
    offsets = np.arange(n + 1, dtype=np.int32) * 21
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(raw)])


def _geo_metadata(bounds: list[float] | None) -> bytes:
    column: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"], "crs": _CRS84}
    if bounds:
        column["bbox"] = bounds
    return json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}).encode()


class TableWriter:
    """Write a table's pieces (one per beam) to one GeoParquet file, one row group per piece.

    Parameters
    ----------
    path : Path
        Written as it is: use inside :func:`writing` or :func:`writing_folder`.
    spec : schema.TableSpec
    about : dict
        Granule, product, release ...
    """

    def __init__(self, path: Path, *, spec: schema.TableSpec, about: dict[str, object]):
        self._spec = spec
        self._has_points = {"longitude", "latitude"} <= set(spec.names)
        target = spec.schema(about=about)
        if self._has_points:
            target = target.append(GEOMETRY)
        self._schema = target
        self._bounds: list[float] | None = None
        plain = [
            v.name for v in spec.variables if not (pa.types.is_floating(v.dtype) or pa.types.is_timestamp(v.dtype))
        ]
        split = [v.name for v in spec.variables if v.dtype == pa.float32()]
        self._writer = pq.ParquetWriter(
            path,
            target,
            compression="zstd",
            compression_level=1,
            use_dictionary=[n for n in plain if n != "geometry"],
            write_statistics=[v.name for v in spec.variables],
            use_byte_stream_split=split,
            store_schema=True,
        )

    def write(self, table: pa.Table) -> None:
        """Append one piece that matches the spec."""
        if table.num_rows == 0:
            return
        if self._has_points:
            lon, lat = schema.to_numpy(table["longitude"]), schema.to_numpy(table["latitude"])
            table = table.append_column(GEOMETRY, point_wkb(lon, lat))
            bounds = [float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())]
            if self._bounds:
                old = self._bounds
                bounds = [
                    min(old[0], bounds[0]),
                    min(old[1], bounds[1]),
                    max(old[2], bounds[2]),
                    max(old[3], bounds[3]),
                ]
            self._bounds = bounds
        self._writer.write_table(table.cast(self._schema), row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        """Write the footer, with GeoParquet's metadata."""
        try:
            if self._has_points and self._writer.is_open:
                self._writer.add_key_value_metadata({"geo": _geo_metadata(self._bounds)})
            self._writer.close()
        finally:
            self._writer.is_open = False  # pyarrow would try again when it is collected, and print a traceback


def write_table(table: pa.Table, path: Path, *, spec: schema.TableSpec, about: dict[str, object] | None = None) -> Path:
    """Write one table as (Geo)Parquet under a temporary name, then rename.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with writing(Path(path)) as temporary:
        writer = TableWriter(temporary, spec=spec, about=about or {})
        writer.write(table)
        writer.close()
    return Path(path)


def read_table(path: Path | str, *, columns: list[str] | None = None) -> pa.Table:
    """Read a (Geo)Parquet table that polynya wrote.

    Parameters
    ----------
    path : Path or str
        The file.
    columns : list of str, optional
        Columns to read; all but ``geometry`` by default.

    Raises
    ------
    ProductError
        If the file is missing or is not Parquet.
    """
    path = regular_file(path, expected="a table that polynya wrote. Run polynya freeboard first, or check the path")
    try:
        file = pq.ParquetFile(path)
        names = columns or [n for n in file.schema_arrow.names if n != "geometry"]
        return file.read(columns=names)
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as Parquet ({one_line(error)[:160]}); expected a table polynya wrote. Make it"
            " again."
        ) from error


def to_geopandas(table: pa.Table) -> geopandas.GeoDataFrame:
    """Return a table of points as a GeoDataFrame in EPSG:4326.

    Parameters
    ----------
    table : pyarrow.Table
        With ``longitude`` and ``latitude``; NaN stays NaN.
    """
    import geopandas as gpd

    frame = table.select([n for n in table.column_names if n != "geometry"]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["longitude"], frame["latitude"]), crs="EPSG:4326")


def to_xarray(table: pa.Table) -> xarray.Dataset:
    """Return a table as a CF dataset with dimension ``obs``; attributes come from the field metadata."""
    import xarray as xr

    out = {}
    for field in table.schema:
        if field.name == "geometry":
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
    data = xr.Dataset(out, attrs={"Conventions": "CF-1.11", "source": f"polynya {__version__}", **about})
    return data.set_coords([n for n in ("time", "latitude", "longitude", "x_atc") if n in data])


def write_netcdf(table: pa.Table, path: Path) -> Path:
    """Write a table as compressed CF NetCDF-4."""
    data = to_xarray(table)
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
