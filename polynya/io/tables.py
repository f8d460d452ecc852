"""Tables as (Geo)Parquet, read and written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from .. import schema
from ..errors import ProductError, one_line
from . import parquet, stored
from .addresses import Place
from .atomic import writing
from .geoparquet import (
    BBOX,
    BBOX_PATHS,
    FOOTPRINT,
    FOOTPRINT_TYPES,
    GEOMETRY,
    Bounds,
    bounding_boxes,
    geo_metadata,
    point_wkb,
)
from .opening import regular_file

if TYPE_CHECKING:  # heavy, and only for the signatures
    import geopandas

GROUP_ROWS = 65_536
"""Most rows of a row group, 131 km of 2 m segments: what a reader skips or reads as a whole."""
PRUNED_BY = ("granule", "beam", "time", "latitude", "longitude", "x_atc", "surface_class")
"""Columns with statistics, by which a reader may skip row groups."""

REPETITIVE = (GEOMETRY.name, "photon_rate", "photon_rate_high", "background_rate")
"""Columns that zstd makes smaller by a third and more than lz4 does; elsewhere it takes longer for a few per cent."""

MADE = (GEOMETRY.name, BBOX.name)
"""Columns that are made of longitude and latitude."""


class TableWriter:
    """Write a table's pieces (one per beam) to one GeoParquet file, each in row groups of even size.

    Parameters
    ----------
    path : Path
        Written as it is: use inside :func:`writing` or :func:`writing_folder`.
    spec : schema.TableSpec
    about : dict
        Granule, product, release ...
    """

    def __init__(self, path: Path, *, spec: schema.TableSpec, about: dict[str, object]):
        self._has_points = {"longitude", "latitude"} <= set(spec.names)
        self._has_footprints = {"corner_longitude", "corner_latitude"} <= set(spec.names)
        target = spec.schema(about=about)
        boxes: tuple[str, ...] = ()
        if self._has_points:
            geometry = FOOTPRINT if self._has_footprints else GEOMETRY
            target, boxes = target.append(geometry).append(BBOX), BBOX_PATHS
        self._schema = target
        self._bounds = Bounds()
        real = [v.name for v in spec.variables if pa.types.is_floating(v.dtype)]
        times = [v.name for v in spec.variables if pa.types.is_timestamp(v.dtype)]
        dense = [n for n in target.names if n in REPETITIVE]
        options = {
            "compression": dict.fromkeys((*spec.names, *boxes), "lz4") | dict.fromkeys(dense, "zstd"),
            "compression_level": dict.fromkeys(dense, 1),
            "use_dictionary": [n for n in spec.names if n not in (*real, *times)],
            "write_statistics": [*(n for n in spec.names if n in PRUNED_BY), *boxes],
            "column_encoding": dict.fromkeys((*real, *boxes), "BYTE_STREAM_SPLIT")
            | dict.fromkeys(times, "DELTA_BINARY_PACKED"),
            "store_schema": True,
        }
        self._writer = parquet.writer(path, target, options)

    def write(self, table: pa.Table) -> None:
        """Append one piece that matches the spec."""
        n = table.num_rows
        if n == 0:
            return
        if self._has_footprints:
            from . import footprints  # shapely takes a tenth of a second

            shapes, boxes, bounds = footprints.geometries(table)
            table = table.append_column(GEOMETRY, shapes).append_column(BBOX, boxes)
            self._bounds.join(bounds)
        elif self._has_points:
            lon, lat = schema.to_numpy(table["longitude"]), schema.to_numpy(table["latitude"])
            table = table.append_column(GEOMETRY, point_wkb(lon, lat)).append_column(BBOX, bounding_boxes(lon, lat))
            self._bounds.add(lon, lat)
        rows = math.ceil(n / math.ceil(n / GROUP_ROWS))
        is_alike = table.schema.equals(self._schema)  # but for what the metadata say
        table = pa.Table.from_arrays(table.columns, schema=self._schema) if is_alike else table.cast(self._schema)
        self._writer.write_table(table, row_group_size=rows)

    def close(self) -> None:
        """Write the footer, with GeoParquet's metadata."""
        try:
            if self._has_points and self._writer.is_open:
                types = FOOTPRINT_TYPES if self._has_footprints else ("Point",)
                self._writer.add_key_value_metadata({"geo": geo_metadata(self._bounds, types=types)})
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
        Columns to read; all but ``geometry`` and its ``bbox`` by default.

    Raises
    ------
    ProductError
        If the file is missing or is not Parquet.
    """
    path = regular_file(path, expected="a table that polynya wrote. Run polynya freeboard first, or check the path")
    try:
        file = parquet.opened(path)
        names = columns or [n for n in file.schema_arrow.names if n not in MADE]
        return file.read(columns=names)
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as Parquet ({one_line(error)[:160]}); expected a table polynya wrote. Make it"
            " again."
        ) from error


def table_metadata(place: Place) -> dict[bytes, bytes]:
    """Return what the schema of a (Geo)Parquet table says of it; no row is read, and of an object only its footer.

    Parameters
    ----------
    place : Path or Address
        The file.

    Raises
    ------
    ProductError
        If it is missing or is not Parquet.
    """
    if isinstance(place, Path):
        regular_file(place, expected="a table that polynya wrote. Check the path")
    try:
        with stored.reading(place) as source:
            return dict(parquet.schema_of(source).metadata or {})
    except (pa.ArrowInvalid, OSError) as error:
        raise ProductError(
            f"{place.name}: cannot be read as Parquet ({one_line(error)[:160]}); expected a table polynya wrote. Make"
            " it again."
        ) from error


def read_beams(path: Path | str, *, columns: list[str]) -> Iterator[tuple[str, pa.Table]]:
    """Yield a table of a granule beam by beam: no more than one beam is in memory.

    Parameters
    ----------
    path : Path or str
        A table that polynya wrote, with a column ``beam``: its row groups hold one beam each, beam after beam.
    columns : list of str
        Columns to read.

    Yields
    ------
    beam : str
        Its name.
    table : pyarrow.Table
        Its rows, with the file's metadata.

    Raises
    ------
    ProductError
        If the file is missing, is not Parquet, or lacks a column.
    """
    path = regular_file(path, expected="a table that polynya wrote. Run polynya freeboard first, or check the path")
    names = [*columns, *([] if "beam" in columns else ["beam"])]
    try:
        with parquet.opened(path) as file:
            lacking = [n for n in names if n not in file.schema_arrow.names]
            if lacking:
                raise ProductError(
                    f"{path.name}: has no column {lacking[0]}; expected a table of this release of polynya freeboard."
                    " Make it again."
                )
            name = ""
            held: list[pa.Table] = []
            for k in range(file.num_row_groups):
                group = file.read_row_group(k, columns=names)
                beam = str(group["beam"][0].as_py()) if group.num_rows else name
                if held and beam != name:
                    yield name, pa.concat_tables(held).select(columns)
                    held = []
                name = beam
                held.append(group)
            if held:
                yield name, pa.concat_tables(held).select(columns)
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

    frame = table.select([n for n in table.column_names if n not in MADE]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["longitude"], frame["latitude"]), crs="EPSG:4326")
