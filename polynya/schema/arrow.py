"""Arrow tables that match the vocabulary: build them from arrays, check them, and take arrays out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import UsageError
from .records import TableSpec, Variable

TEXT = pa.string()


def table(spec: TableSpec, columns: dict[str, Any], *, about: dict[str, object] | None = None) -> pa.Table:
    """Build a table that matches a spec from arrays.

    Parameters
    ----------
    spec : TableSpec
        What the table must match.
    columns : dict of str to array
        Every column of the spec, all of one length. Text columns that are constant may be given as
        one ``str``; numpy ``datetime64[ns]`` is taken as UTC.
    about : dict, optional
        Granule, product, release and the like, for the schema's metadata.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        If a column is missing, unknown or of another length.
    """
    missing = [n for n in spec.names if n not in columns]
    unknown = [n for n in columns if n not in spec.names]
    if missing or unknown:
        raise UsageError(
            f"table {spec.name}: missing columns {missing}, unknown columns {unknown}; "
            f"expected exactly {spec.names}. Name the columns as polynya.schema does."
        )
    lengths = {len(v) for v in columns.values() if not isinstance(v, (str, bool))}
    if len(lengths) > 1:
        raise UsageError(
            f"table {spec.name}: columns of lengths {sorted(lengths)}; expected one length. Align them first."
        )
    n = lengths.pop() if lengths else 0
    arrays = [_column(variable, columns[variable.name], n) for variable in spec.variables]
    return pa.Table.from_arrays(arrays, schema=spec.schema(about=about))


def _column(variable: Variable, value: Any, n: int) -> pa.Array:
    dtype = variable.dtype
    if isinstance(value, str) and pa.types.is_dictionary(dtype):
        return pa.DictionaryArray.from_arrays(from_numpy(np.zeros(n, np.int32)), _one_text(value))
    if isinstance(value, (str, bool)):
        return pa.array([value] * n, dtype)
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value.cast(dtype) if value.type != dtype else value
    if pa.types.is_dictionary(dtype):
        return pa.array(list(value), TEXT).dictionary_encode()
    if pa.types.is_list(dtype):
        return pa.array(list(value), dtype)
    array = np.asarray(value)
    if pa.types.is_timestamp(dtype):
        times = from_numpy(array.astype("datetime64[ns]"))
        if dtype.unit != "ns":
            return times.cast(dtype)
        return pa.Array.from_buffers(dtype, n, times.buffers())  # a cast imports pyarrow.compute, a tenth of a second
    if pa.types.is_floating(dtype) or pa.types.is_integer(dtype):
        return from_numpy(array.astype(dtype.to_pandas_dtype(), copy=False))
    if pa.types.is_boolean(dtype):
        return from_numpy(array.astype(bool, copy=False))
    return pa.array(list(value), dtype)


def _one_text(value: str) -> pa.Array:
    data = value.encode()
    return pa.Array.from_buffers(TEXT, 1, [None, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)])


def from_numpy(array: np.ndarray) -> pa.Array:
    """Return a one-dimensional numpy array as an Arrow array, without a copy where numbers allow it.

    Parameters
    ----------
    array : numpy.ndarray, shape (n,)
        Numbers, booleans or ``datetime64[ns]``; NaN stays NaN, NaT becomes null.

    Returns
    -------
    pyarrow.Array

    Notes
    -----
    ``pyarrow.array`` does the same but imports pandas on the way, a quarter of a second.
    """
    n = array.size
    if array.dtype.kind == "b":
        return pa.Array.from_buffers(pa.bool_(), n, [None, pa.py_buffer(np.packbits(array, bitorder="little"))])
    valid = None
    if array.dtype.kind == "M":
        missing = np.isnat(array)
        if missing.any():
            valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
        return pa.Array.from_buffers(
            pa.timestamp("ns"), n, [valid, pa.py_buffer(np.ascontiguousarray(array).view(np.int64))]
        )
    array = np.ascontiguousarray(array)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), n, [None, pa.py_buffer(array)])


def to_numpy(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a column of numbers as numpy, from its buffer where it has no nulls.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray, length n
        Numbers or booleans.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Read-only where it shares the column's memory.

    Notes
    -----
    ``to_numpy`` of pyarrow does the same but imports pandas on the way, a quarter of a second.
    """
    parts = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_boolean(column.type) and not column.null_count:
        bits = [np.unpackbits(np.frombuffer(p.buffers()[1], np.uint8), bitorder="little") for p in parts if len(p)]
        held = [p for p in parts if len(p)]
        return np.concatenate(
            [np.empty(0, bool), *(b[p.offset : p.offset + len(p)].view(bool) for b, p in zip(bits, held, strict=True))]
        )
    plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not plain or column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
    dtype = np.dtype(column.type.to_pandas_dtype())
    arrays = [
        np.frombuffer(p.buffers()[1], dtype, count=len(p), offset=p.offset * dtype.itemsize) for p in parts if len(p)
    ]
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, dtype), *arrays])


def check(data: pa.Table, spec: TableSpec) -> pa.Table:
    """Return ``data`` cast to a spec's columns and types, extra columns dropped.

    Parameters
    ----------
    data : pyarrow.Table
        The table to check.
    spec : TableSpec
        What it must match.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    UsageError
        If a column is missing or cannot be cast.
    """
    missing = [n for n in spec.names if n not in data.column_names]
    if missing:
        raise UsageError(
            f"table {spec.name}: columns {missing} are missing; found {data.column_names}. "
            "Give a table that polynya wrote, or rename the columns."
        )
    about = {k.decode(): v.decode() for k, v in (data.schema.metadata or {}).items() if k not in (b"geo", b"pandas")}
    target = spec.schema(about=about)
    try:
        return data.select(spec.names).cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"table {spec.name}: {error}; expected the types of polynya.schema. Convert the columns first."
        ) from error
