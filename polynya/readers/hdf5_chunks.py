"""Fast reading of one-dimensional HDF5 variables: raw chunks, inflated on several threads.

libhdf5 holds one lock while it inflates, so h5py reads on one core. This module asks it only where
the chunks lie, takes the bytes from the file itself, inflates them outside Python's lock, undoes the
byte shuffle in a compiled loop, and writes into the result in place.

Every chunk is verified: zlib streams end in an Adler-32 checksum that the inflater compares, a
Fletcher-32 filter is compared here, and the inflated length must be the chunk's. Where a dataset is
not chunked, or its filter pipeline is not made of shuffle, deflate and fletcher32, h5py reads it.
"""

from __future__ import annotations

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
    """What to read: a dataset, and for two-dimensional ones which column of it."""

    name: str
    column: int | None = None


class Chunk(NamedTuple):
    """Where a chunk lies in the file; a granule has tens of thousands, and tuples are made fastest."""

    first: int  # row of the dataset this chunk starts at
    offset: int
    size: int
    mask: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What calls for other rows of the same datasets share; each fills it for the next.

    Attributes
    ----------
    chunks : dict of (path, name) to list of Chunk
        Where the chunks of each dataset lie.
    arrays : dict of str to numpy.ndarray, optional
        Memory for the values of each dataset: the next call overwrites what the last one returned. None gives each
        call memory of its own, which the machine clears page by page.
    """

    chunks: dict[tuple[Path, str], list[Chunk]] = field(default_factory=dict)
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
    return _pipeline(node) is not None


def _pipeline(node: h5py.Dataset) -> tuple[int, ...] | None:
    """Return the filters of a dataset, None where libhdf5 must read it."""
    chunks, dtype = node.chunks, node.dtype
    if chunks is None or node.ndim not in (1, 2) or dtype.kind not in "fiu" or dtype.byteorder == ">":
        return None
    if node.ndim == 2 and chunks[1] != node.shape[1]:
        return None
    if not node.id.get_type().equal(h5py.h5t.py_create(dtype)):  # bits laid out otherwise: libhdf5 converts them
        return None
    plist = node.id.get_create_plist()
    filters = tuple(int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters()))
    return filters if filters in _KNOWN_PIPELINES else None


def read_whole(handle: h5py.File, path: Path | str, *, name: str) -> np.ndarray:
    """Read one dataset of any shape; chunks are verified as :func:`read_columns` does.

    libhdf5 does not compare the length a chunk inflates to with the chunk's: a damaged index makes it
    return whatever lies in memory. So it reads only what this module cannot.
    """
    node = handle[name]
    if node.shape and has_fast_path(node):
        return read_columns(handle, path, columns=[Column(name=name)], threads=1)[name]
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
    size = path.stat().st_size
    out: dict[str, np.ndarray] = {}
    jobs = []
    fd = os.open(path, os.O_RDONLY)
    try:
        for column in columns:
            node = handle[column.name]
            shape = node.shape
            last = shape[0] if stop is None else min(stop, shape[0])
            n = max(last - start, 0)
            pipeline = _pipeline(node) if n else None
            if pipeline is not None:
                is_column = len(shape) == 1 or column.column is not None
                target = kept.room(column.name, n, node.dtype) if is_column else np.empty((n, shape[1]), node.dtype)
                rows = node.chunks[0]
                if (path, column.name) not in kept.chunks:
                    kept.chunks[path, column.name] = _all_chunks(node)
                held = [c for c in kept.chunks[path, column.name] if c.first < last and c.first + rows > start]
                chunks = _checked(held, node, path, size, pipeline)
                covered = sum(min(c.first + rows, last) - max(c.first, start) for c in chunks)
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
                    pipeline=pipeline,
                    dtype=target.dtype,
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


def _all_chunks(node: h5py.Dataset) -> list[Chunk]:
    found: list[Chunk] = []

    def visit(info: h5py.h5d.StoreInfo) -> None:
        found.append(
            Chunk(int(info.chunk_offset[0]), int(info.byte_offset or 0), int(info.size), int(info.filter_mask))
        )

    node.id.chunk_iter(visit)
    return found


def _checked(
    found: list[Chunk], node: h5py.Dataset, path: Path, file_size: int, pipeline: tuple[int, ...]
) -> list[Chunk]:
    """Return chunks in the order of the file, or raise where one cannot be where the index says."""
    rows = node.chunks[0]
    seen: set[int] = set()
    # Deflate is skipped where it does not shrink a chunk; no writer skips the others.
    skippable = sum(1 << i for i, f in enumerate(pipeline) if f == DEFLATE)
    for chunk in found:
        first, offset, length, mask = chunk
        if mask & ~skippable:
            raise ChecksumError(
                f"{path.name}: {node.name.lstrip('/')} is damaged in the chunk at row {chunk.first}: its filter mask is"
                f" {mask}; expected a chunk whose checksum fits. Download the file again."
            )
        if first % rows or first in seen or length <= 0 or offset <= 0 or offset + length > file_size:
            raise ProductError(
                f"{path.name}: {node.name} points to a chunk of {length} bytes at {offset}, row"
                f" {first}; expected each chunk once and inside the file's {file_size} bytes. The file is cut"
                " short or damaged: download it again."
            )
        seen.add(first)
    base = _base_address(node, path, found[0]) if found and node.file.userblock_size else 0
    if base:
        found = [c._replace(offset=c.offset + base) for c in found]
    return sorted(found, key=lambda c: c.offset)


def _base_address(node: h5py.Dataset, path: Path, chunk: Chunk) -> int:
    """Return what to add to the offsets of chunks in a file with a user block.

    Offsets in the file count from the end of the user block. Some versions of libhdf5 report them so, others count
    from the start of the file: the bytes of one chunk, read by libhdf5, say which.
    """
    stored = node.id.read_direct_chunk((chunk.first,) + (0,) * (node.ndim - 1))[1]
    with path.open("rb") as file:
        file.seek(chunk.offset)
        return 0 if file.read(chunk.size) == stored else int(node.file.userblock_size)


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
        scratch = np.empty(expected, np.uint8)
        for chunk in chunks:
            raw = os.pread(self.fd, chunk.size, chunk.offset)
            data = self._decode(raw, chunk, expected)
            flat = np.frombuffer(data, np.uint8)
            applied = [f for i, f in enumerate(self.pipeline) if not chunk.mask >> i & 1]
            lo, hi = max(chunk.first, self.start), min(chunk.first + self.rows, self.stop)
            a, b = lo - chunk.first, hi - chunk.first
            into = self.target[lo - self.start : hi - self.start]
            if SHUFFLE in applied and item > 1:
                if self.width == 1 and a == 0 and b == self.rows:
                    _unshuffle(flat, into.reshape(-1).view(np.uint8), item)
                    continue
                _unshuffle(flat, scratch, item)
                flat = scratch
            values = flat.view(self.dtype)
            if self.width > 1:
                values = values.reshape(self.rows, self.width)
                values = values if self.column.column is None else values[:, self.column.column]
            into[:] = values[a:b].reshape(into.shape)

    def _decode(self, raw: bytes, chunk: Chunk, expected: int) -> bytes | bytearray:
        if len(raw) != chunk.size:
            self._broken(chunk, f"only {len(raw)} of {chunk.size} bytes are in the file")
        data: bytes | bytearray = raw
        for i in reversed(range(len(self.pipeline))):
            if chunk.mask >> i & 1:
                continue
            if self.pipeline[i] == FLETCHER32:
                body, stored = data[:-4], int.from_bytes(data[-4:], "little")
                if _fletcher32(np.frombuffer(body, np.uint8)) != stored:
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


@compiled.later
def _fletcher32(data):  # pragma: no cover - compiled
    """HDF5's Fletcher-32: over big-endian 16-bit words, an odd last byte as the high byte of a word."""
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
    return np.uint32(sum2 << np.uint32(16) | sum1)
