"""Parquet files whose pages carry checksums: a flipped bit is an error when it is read, and no other height.

Everything here raises what pyarrow raises; the callers say what they expected. Files of others, written without
checksums, are read as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CHECKED = {"page_checksum_verification": True}
"""Option of every reader of pyarrow's, and of geopandas's."""


def opened(source: Any) -> pq.ParquetFile:
    """Open a file to read parts of it; a context manager.

    Parameters
    ----------
    source : Path, str or file object
        The file.
    """
    return pq.ParquetFile(source, **CHECKED)


def read(source: Path | str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table as it is: folder names add no columns.

    Parameters
    ----------
    source : Path or str
        The file.
    columns : sequence of str, optional
        Columns to read, all if left out.
    """
    return pq.read_table(source, columns=None if columns is None else list(columns), partitioning=None, **CHECKED)


def schema_of(source: Any) -> pa.Schema:
    """Return columns and metadata; no row is read.

    Parameters
    ----------
    source : Path, str or file object
        The file.
    """
    return pq.read_schema(source)


def writer(path: Path, schema: pa.Schema, options: Mapping[str, Any]) -> pq.ParquetWriter:
    """Return a writer of pieces.

    Parameters
    ----------
    path : Path
        The file.
    schema : pyarrow.Schema
        Of every piece.
    options : mapping of str to object
        Of ``pyarrow.parquet.ParquetWriter``.
    """
    return pq.ParquetWriter(path, schema, write_page_checksum=True, **options)


def write(table: pa.Table, path: Path, *, compression: str) -> None:
    """Write a table.

    Parameters
    ----------
    table : pyarrow.Table
        The table.
    path : Path
        The file.
    compression : str
        ``zstd``, ``lz4`` ...
    """
    pq.write_table(table, path, compression=compression, write_page_checksum=True)
