"""Fast reading of one-dimensional HDF5 variables: raw chunks, inflated on several threads.

libhdf5 holds one lock while it inflates, so h5py reads on one core. This module asks it only where
the chunks lie, takes the bytes from the file itself, inflates them outside Python's lock, undoes the
byte shuffle in a compiled loop, and writes into the result in place.

Every chunk is verified: zlib streams end in an Adler-32 checksum that the inflater compares, a
Fletcher-32 filter is compared here, and the inflated length must be the chunk's. Where a dataset is
not chunked, or its filter pipeline is not made of shuffle, deflate and fletcher32, h5py reads it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from .. import compiled
from ..errors import ChecksumError, ProductError, one_line
from . import inflating

inflate = next(iter(inflating.available().values()))
"""The fastest that is installed."""

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
_KNOWN_PIPELINES = {
    (),
    (DEFLATE,),
    (SHUFFLE, DEFLATE),
    (SHUFFLE,),
    (DEFLATE, FLETCHER32),
    (SHUFFLE, DEFLATE, FLETCHER32),
}
_CHUNKS_PER_JOB = 64


@dataclass(frozen=True, kw_only=True)
class Column:
    """What to read: a dataset, and for two-dimensional ones which column of it.

    Attributes
    ----------
    name : str
        Path of the dataset inside the file.
    column : int, optional
        Of a two-dimensional dataset.
    node : h5py.Dataset, optional
        The dataset, where it is open already.
    """

    name: str
    column: int | None = None
    node: h5py.Dataset | None = None


class Chunk(NamedTuple):
    """Where a chunk lies in the file."""

    first: int  # row of the dataset this chunk starts at
    offset: int
    size: int
    mask: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What calls for other rows of the same datasets share; each fills it for the next.

    Attributes
    ----------
    chunks : dict of (path, name) to numpy.ndarray of int64, shape (chunks, 4)
        Where the chunks of each dataset lie, rows of :class:`Chunk` in order of their first row.
    arrays : dict of str to numpy.ndarray, optional
        Memory for the values of each dataset: the next call overwrites what the last one returned. None gives each
        call memory of its own, which the machine clears page by page.
    """

    chunks: dict[tuple[Path, str], np.ndarray] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] | None = None

    def room(self, name: str, n: int, dtype: np.dtype) -> np.ndarray:
        """Return an array for n values."""
        if self.arrays is None:
            return np.empty(n, dtype)
        held = self.arrays.get(name)
        if held is None or held.size < n or held.dtype != dtype:
            held = self.arrays[name] = np.empty(n, dtype)
        return held[:n]


def has_fast_path(node: h5py.Dataset) -> bool:
    """Return whether :func:`read_columns` inflates this dataset itself."""
    return _layout(node) is not None


class _Layout(NamedTuple):
    """How a dataset lies in the file; h5py asks libhdf5 anew whenever one of these is looked at."""

    shape: tuple[int, ...]
    dtype: np.dtype
    rows: int  # of a chunk
    filters: tuple[int, ...]


def _layout(node: h5py.Dataset) -> _Layout | None:
    """Return a dataset's layout, None where libhdf5 must read it."""
    shape, dtype, plist = node.shape, node.dtype, node.id.get_create_plist()
    if len(shape) not in (1, 2) or dtype.kind not in "fiu" or dtype.byteorder == ">":
        return None
    if plist.get_layout() != h5py.h5d.CHUNKED or plist.get_chunk()[1:] != shape[1:]:
        return None
    if not node.id.get_type().equal(_own_type(dtype)):  # bits laid out otherwise: libhdf5 converts them
        return None
    filters = tuple(int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters()))
    return _Layout(shape, dtype, plist.get_chunk()[0], filters) if filters in _KNOWN_PIPELINES else None


@functools.cache
def _own_type(dtype: np.dtype) -> h5py.h5t.TypeID:
    """Return HDF5's type of numbers as numpy has them."""
    return h5py.h5t.py_create(dtype)


def read_whole(handle: h5py.File, path: Path | str, *, name: str, node: h5py.Dataset | None = None) -> np.ndarray:
    """Read one dataset of any shape, open already or not; chunks are verified as :func:`read_columns` does.

    libhdf5 does not compare the length a chunk inflates to with the chunk's: a damaged index makes it
    return whatever lies in memory. So it reads only what this module cannot.
    """
    node = handle[name] if node is None else node
    if node.shape and has_fast_path(node):
        return read_columns(handle, path, columns=[Column(name=name, node=node)], threads=1)[name]
    return np.asarray(node[()])


def read_columns(
    handle: h5py.File,
    path: Path | str,
    *,
    columns: Sequence[Column],
    start: int = 0,
    stop: int | None = None,
    threads: int = 2,
    allow_holes: bool = True,
    kept: Kept | None = None,
) -> dict[str, np.ndarray]:
    """Read rows ``start:stop`` of several datasets of equal length, each compressed byte once.

    Parameters
    ----------
    handle : h5py.File
        Open on ``path``.
    path : Path or str
        The same file.
    columns : sequence of Column
        What to read.
    start, stop : int, optional
        Rows to read; only the chunks that hold them are touched.
    threads : int
        Threads that inflate; 1 keeps everything on the calling thread.
    allow_holes : bool
        Whether rows of chunks that the file does not hold become the fill value, as HDF5 has it. Where a
        product writes every row, a hole is a damaged index: pass False to reject it.
    kept : Kept, optional
        Shared with calls for other rows of the same datasets.

    Returns
    -------
    dict of str to numpy.ndarray
        In the file's type, keyed by the dataset's name; one-dimensional, but for two-dimensional
        datasets of which no column was named.

    Raises
    ------
    ChecksumError
        If a chunk's checksum or length does not fit: nothing of that dataset is returned.
    ProductError
        If a dataset cannot be read at all.
    """
    path = Path(path)
    kept = kept or Kept()
    size, user_block = path.stat().st_size, handle.userblock_size
    out: dict[str, np.ndarray] = {}
    jobs = []
    fd = os.open(path, os.O_RDONLY)
    try:
        for column in columns:
            node = handle[column.name] if column.node is None else column.node
            layout = _layout(node)
            shape = layout.shape if layout else node.shape
            last = shape[0] if stop is None else min(stop, shape[0])
            n = max(last - start, 0)
            if layout is not None and n:
                is_column = len(shape) == 1 or column.column is not None
                target = kept.room(column.name, n, layout.dtype) if is_column else np.empty((n, shape[1]), layout.dtype)
                rows = layout.rows
                if (path, column.name) not in kept.chunks:
                    kept.chunks[path, column.name] = _all_chunks(node)
                every = kept.chunks[path, column.name]
                held = every[np.searchsorted(every[:, 0], start - rows, side="right") :]
                held = held[: np.searchsorted(held[:, 0], last)]
                _check(held, node, path, size, layout)
                covered = int(np.sum(np.minimum(held[:, 0] + rows, last) - np.maximum(held[:, 0], start)))
                chunks = [Chunk(*c) for c in held[np.argsort(held[:, 1], kind="stable")].tolist()]
                base = _base_address(node, path, chunks[0], user_block) if chunks and user_block else 0
                chunks = [c._replace(offset=c.offset + base) for c in chunks] if base else chunks
                if covered != n and not allow_holes:
                    raise ProductError(
                        f"{path.name}: {column.name} lacks {n - covered} of {n} rows (a chunk is not in the file);"
                        " expected all of them. The file is damaged: download it again."
                    )
                if covered != n:  # chunks that were never written hold the fill value
                    target[:] = node.fillvalue
                job = _Job(
                    fd=fd,
                    file=path.name,
                    column=column,
                    pipeline=layout.filters,
                    dtype=layout.dtype,
                    rows=rows,
                    width=shape[1] if len(shape) == 2 else 1,
                    start=start,
                    stop=last,
                    target=target,
                )
                jobs += [(job, chunks[i : i + _CHUNKS_PER_JOB]) for i in range(0, len(chunks), _CHUNKS_PER_JOB)]
                out[column.name] = target
            else:
                out[column.name] = _slow(node, path, column, start, last)
        if threads > 1 and len(jobs) > 1:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(lambda j: j[0].run(j[1]), jobs):
                    pass
        else:
            for job, chunks in jobs:
                job.run(chunks)
    finally:
        os.close(fd)
    return out


def _slow(node: h5py.Dataset, path: Path, column: Column, start: int, stop: int) -> np.ndarray:
    try:
        data = node[start:stop] if column.column is None else node[start:stop, column.column]
    except (OSError, RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ProductError(
            f"{path.name}: {column.name} cannot be read ({one_line(error)[:160]}); expected an intact dataset. "
            "Download the file again."
        ) from error
    return np.ascontiguousarray(data)


def _all_chunks(node: h5py.Dataset) -> np.ndarray:
    """Return the chunks of a dataset as rows of an array: Python looks through tens of thousands of tuples often."""
    found: list[tuple[int, int, int, int]] = []

    def visit(info: h5py.h5d.StoreInfo) -> None:
        found.append((info.chunk_offset[0], info.byte_offset or 0, info.size, info.filter_mask))

    node.id.chunk_iter(visit)
    table = np.array(found, np.int64).reshape(-1, 4)
    return table[np.argsort(table[:, 0], kind="stable")]


def _check(found: np.ndarray, node: h5py.Dataset, path: Path, file_size: int, layout: _Layout) -> None:
    """Raise where a chunk cannot be where the index says."""
    first, offset, length, mask = found.T
    # Deflate is skipped where it does not shrink a chunk; no writer skips the others.
    skippable = sum(1 << i for i, f in enumerate(layout.filters) if f == DEFLATE)
    wrong = mask & ~skippable
    if wrong.any():
        k = np.flatnonzero(wrong)[0]
        raise ChecksumError(
            f"{path.name}: {node.name.lstrip('/')} is damaged in the chunk at row {first[k]}: its filter mask is"
            f" {mask[k]}; expected a chunk whose checksum fits. Download the file again."
        )
    wrong = (first % layout.rows != 0) | (length <= 0) | (offset <= 0) | (offset + length > file_size)
    wrong |= np.diff(first, prepend=-1) == 0
    if wrong.any():
        k = np.flatnonzero(wrong)[0]
        raise ProductError(
            f"{path.name}: {node.name} points to a chunk of {length[k]} bytes at {offset[k]}, row"
            f" {first[k]}; expected each chunk once and inside the file's {file_size} bytes. The file is cut"
            " short or damaged: download it again."
        )


def _base_address(node: h5py.Dataset, path: Path, chunk: Chunk, user_block: int) -> int:
    """Return what to add to the offsets of chunks in a file with a user block.

    Offsets in the file count from the end of the user block. Some versions of libhdf5 report them so, others count
    from the start of the file: the bytes of one chunk, read by libhdf5, say which.
    """
    stored = node.id.read_direct_chunk((chunk.first,) + (0,) * (node.ndim - 1))[1]
    with path.open("rb") as file:
        file.seek(chunk.offset)
        return 0 if file.read(chunk.size) == stored else user_block


@dataclass(frozen=True, kw_only=True)
class _Job:
    fd: int
    file: str
    column: Column
    pipeline: tuple[int, ...]
    dtype: np.dtype
    rows: int
    width: int
    start: int
    stop: int
    target: np.ndarray

    def run(self, chunks: Sequence[Chunk]) -> None:
        item = self.dtype.itemsize
        expected = self.rows * self.width * item
        is_plain = self.width == 1 and SHUFFLE in self.pipeline and item > 1
        target = self.target.reshape(-1).view(np.uint8) if is_plain else self.target
        for chunk in chunks:
            data = self._decode(os.pread(self.fd, chunk.size, chunk.offset), chunk, expected)
            if is_plain and not chunk.mask and self.start <= chunk.first <= self.stop - self.rows:
                at = (chunk.first - self.start) * item
                _unshuffle(np.frombuffer(data, np.uint8), target[at : at + expected], item)
            else:
                self._place(np.frombuffer(data, np.uint8), chunk)

    def _place(self, flat: np.ndarray, chunk: Chunk) -> None:
        """Put the bytes of a chunk of which not every row or column is wanted."""
        lo, hi = max(chunk.first, self.start), min(chunk.first + self.rows, self.stop)
        into = self.target[lo - self.start : hi - self.start]
        is_shuffled = any(f == SHUFFLE and not chunk.mask >> i & 1 for i, f in enumerate(self.pipeline))
        if is_shuffled and self.dtype.itemsize > 1:
            scratch = np.empty(flat.size, np.uint8)
            _unshuffle(flat, scratch, self.dtype.itemsize)
            flat = scratch
        values = flat.view(self.dtype)
        if self.width > 1:
            values = values.reshape(self.rows, self.width)
            values = values if self.column.column is None else values[:, self.column.column]
        into[:] = values[lo - chunk.first : hi - chunk.first].reshape(into.shape)

    def _decode(self, raw: bytes, chunk: Chunk, expected: int) -> bytes | bytearray:
        if len(raw) != chunk.size:
            self._broken(chunk, f"only {len(raw)} of {chunk.size} bytes are in the file")
        data: bytes | bytearray = raw
        for i in reversed(range(len(self.pipeline))):
            if chunk.mask >> i & 1:
                continue
            if self.pipeline[i] == FLETCHER32:
                body, stored = data[:-4], int.from_bytes(data[-4:], "little")
                found = np.zeros(1, np.uint32)
                _fletcher32(np.frombuffer(body, np.uint8), found)
                if found[0] != stored:
                    self._broken(chunk, "its Fletcher-32 checksum does not fit")
                data = body
            elif self.pipeline[i] == DEFLATE:
                try:
                    data = inflate(data, expected)
                except Exception as error:  # each library has its own error: all mean a damaged stream
                    self._broken(chunk, f"it does not inflate ({one_line(error)})")
        if len(data) != expected:
            self._broken(chunk, f"it inflates to {len(data)} bytes instead of {expected}")
        return data

    def _broken(self, chunk: Chunk, why: str) -> None:
        raise ChecksumError(
            f"{self.file}: {self.column.name} is damaged in the chunk at row {chunk.first}: {why}; "
            "expected a chunk whose checksum fits. Download the file again."
        )


@compiled.kernel
def _unshuffle(source, target, item):  # pragma: no cover - compiled
    """Undo HDF5's byte shuffle: byte j of every value lies together in the j-th stretch.

    The stretches are cut out as arrays of their own, so that the compiler sees plain forward loops.
    """
    n = source.size // item
    if item == 8:
        a, b, c, d = source[:n], source[n : 2 * n], source[2 * n : 3 * n], source[3 * n : 4 * n]
        e, f, g, h = source[4 * n : 5 * n], source[5 * n : 6 * n], source[6 * n : 7 * n], source[7 * n : 8 * n]
        out = target.view(np.uint32)
        for i in range(n):
            out[2 * i] = (
                np.uint32(a[i])
                | np.uint32(b[i]) << np.uint32(8)
                | np.uint32(c[i]) << np.uint32(16)
                | np.uint32(d[i]) << np.uint32(24)
            )
            out[2 * i + 1] = (
                np.uint32(e[i])
                | np.uint32(f[i]) << np.uint32(8)
                | np.uint32(g[i]) << np.uint32(16)
                | np.uint32(h[i]) << np.uint32(24)
            )
    elif item == 4:
        a, b, c, d = source[:n], source[n : 2 * n], source[2 * n : 3 * n], source[3 * n : 4 * n]
        out4 = target.view(np.uint32)
        for i in range(n):
            out4[i] = (
                np.uint32(a[i])
                | np.uint32(b[i]) << np.uint32(8)
                | np.uint32(c[i]) << np.uint32(16)
                | np.uint32(d[i]) << np.uint32(24)
            )
    else:
        for j in range(item):
            part = source[j * n : (j + 1) * n]
            for i in range(n):
                target[i * item + j] = part[i]


@compiled.kernel
def _fletcher32(data, out):  # pragma: no cover - compiled
    """Put HDF5's Fletcher-32: over big-endian 16-bit words, an odd last byte as the high byte of a word."""
    sum1 = np.uint32(0)
    sum2 = np.uint32(0)
    n = data.size // 2
    for i in range(n):
        word = np.uint32(data[2 * i]) << np.uint32(8) | np.uint32(data[2 * i + 1])
        sum1 = (sum1 + word) % np.uint32(65535)
        sum2 = (sum2 + sum1) % np.uint32(65535)
    if data.size % 2:
        sum1 = (sum1 + (np.uint32(data[data.size - 1]) << np.uint32(8))) % np.uint32(65535)
        sum2 = (sum2 + sum1) % np.uint32(65535)
    out[0] = sum2 << np.uint32(16) | sum1
