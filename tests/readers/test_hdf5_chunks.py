"""The fast path must give what h5py gives, or an error: never other numbers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.errors import PolynyaError
from polynya.readers import hdf5_chunks, inflating
from polynya.readers.hdf5_chunks import Column, Kept, has_fast_path, read_columns

FILTERS = [
    {},
    {"compression": "gzip", "compression_opts": 6},
    {"compression": "gzip", "shuffle": True},
    {"shuffle": True},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "gzip", "fletcher32": True},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u4", "i2", "u1", "i1"])
def test_equal_to_h5py(tmp_path, filters, dtype):
    rng = np.random.default_rng(3)
    n = 25_007  # not a multiple of the chunk
    data = (
        rng.integers(-100, 100, (n, 5)).astype(dtype) if dtype[0] != "u" else rng.integers(0, 200, (n, 5)).astype(dtype)
    )
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("one", data=data[:, 0], chunks=(10_000,), **filters)
        f.create_dataset("five", data=data, chunks=(10_000, 5), **filters)
        f.create_dataset("whole", data=data[:, 1])
    with h5py.File(path) as f:
        assert has_fast_path(f["one"]) and has_fast_path(f["five"]) and not has_fast_path(f["whole"])
        for start, stop in [(0, None), (9_999, 20_001), (24_000, 25_007), (5, 5)]:
            for threads in (1, 2):
                got = read_columns(
                    f,
                    path,
                    columns=[Column(name="one"), Column(name="five", column=2), Column(name="whole")],
                    start=start,
                    stop=stop,
                    threads=threads,
                )
                np.testing.assert_array_equal(got["one"], f["one"][start:stop])
                np.testing.assert_array_equal(got["five"], f["five"][start:stop, 2])
                np.testing.assert_array_equal(got["whole"], f["whole"][start:stop])
                assert got["one"].dtype == f["one"].dtype


@pytest.mark.parametrize("is_written_with", [True, False], ids=["written with it", "put before a file"])
@pytest.mark.parametrize("size", [512, 2048])
def test_user_block(tmp_path, size, is_written_with):
    """Offsets of chunks count from the end of the user block; damage is still seen."""
    path = tmp_path / "a.h5"
    data = np.random.default_rng(4).normal(size=(25_007, 5))
    with h5py.File(path, "w", userblock_size=size if is_written_with else 0) as f:
        f.create_dataset("one", data=data[:, 0], chunks=(10_000,), compression="gzip", shuffle=True)
        f.create_dataset("five", data=data, chunks=(10_000, 5), compression="gzip")
    if not is_written_with:
        path.write_bytes(b"x" * size + path.read_bytes())
    columns = [Column(name="one"), Column(name="five", column=2)]
    with h5py.File(path) as f:
        assert has_fast_path(f["one"])
        got = read_columns(f, path, columns=columns, start=9_000, stop=21_000)
        np.testing.assert_array_equal(got["one"], data[9_000:21_000, 0])
        np.testing.assert_array_equal(got["five"], data[9_000:21_000, 2])
        info, chunk = f["one"].id.get_chunk_info(1), f["one"].id.read_direct_chunk((10_000,))[1]
    intact = path.read_bytes()
    at = intact.index(chunk)
    assert at in (info.byte_offset, info.byte_offset + size)
    broken = bytearray(intact)
    broken[at + len(chunk) // 2] ^= 8
    path.write_bytes(broken)
    with h5py.File(path) as f, pytest.raises(PolynyaError, match="one is damaged in the chunk at row 10000"):
        read_columns(f, path, columns=columns)


@pytest.mark.parametrize("reported_from", ["start of the file", "end of the user block"])
def test_user_block_whatever_the_library_reports(tmp_path, reported_from, monkeypatch):
    """Versions of libhdf5 differ in where they count the offsets of chunks from."""
    path = tmp_path / "a.h5"
    data = np.random.default_rng(5).normal(size=20_000)
    with h5py.File(path, "w", userblock_size=1024) as f:
        f.create_dataset("x", data=data, chunks=(10_000,), compression="gzip", shuffle=True)
    with h5py.File(path) as f:
        is_from_start = path.read_bytes().index(f["x"].id.read_direct_chunk((0,))[1]) == (
            f["x"].id.get_chunk_info(0).byte_offset
        )
        move = 0 if is_from_start == (reported_from == "start of the file") else 1024 if not is_from_start else -1024
        found = hdf5_chunks.Chunk

        def moved(first: int, offset: int, size: int, mask: int) -> hdf5_chunks.Chunk:
            return found(first=first, offset=offset + move, size=size, mask=mask)

        monkeypatch.setattr(hdf5_chunks, "Chunk", moved)
        np.testing.assert_array_equal(read_columns(f, path, columns=[Column(name="x")])["x"], data)


@pytest.mark.parametrize("width", [1, 3])
def test_all_columns_of_a_table(tmp_path, width):
    data = np.random.default_rng(width).normal(size=(2_503, width))
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("x", data=data, chunks=(100, width), compression="gzip", shuffle=True)
    with h5py.File(path) as f:
        for start, stop in [(0, None), (150, 1_777)]:
            got = read_columns(f, path, columns=[Column(name="x")], start=start, stop=stop)["x"]
            np.testing.assert_array_equal(got, data[start:stop])


def test_other_pipelines_fall_back(tmp_path):
    path = tmp_path / "a.h5"
    data = np.arange(20_000, dtype=">f4")
    with h5py.File(path, "w") as f:
        f.create_dataset("lzf", data=data.astype("f4"), chunks=(10_000,), compression="lzf")
        f.create_dataset("big", data=data, chunks=(10_000,), compression="gzip")
        f.create_dataset("offset", data=data.astype("i4"), chunks=(10_000,), scaleoffset=0)
    with h5py.File(path) as f:
        for name in ("lzf", "big", "offset"):
            assert not has_fast_path(f[name])
            np.testing.assert_array_equal(read_columns(f, path, columns=[Column(name=name)])[name], f[name][()])


def test_chunks_never_written_hold_the_fill_value(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        d = f.create_dataset("x", shape=(30_000,), dtype="f4", chunks=(10_000,), compression="gzip", fillvalue=-7.0)
        d[10_000:20_000] = 1.0
    with h5py.File(path) as f:
        np.testing.assert_array_equal(read_columns(f, path, columns=[Column(name="x")])["x"], f["x"][()])


@pytest.mark.parametrize("inflater", ["libdeflate", "isal", "zlib"])
@pytest.mark.parametrize("filters", [FILTERS[1], FILTERS[2], FILTERS[4]], ids=str)
def test_a_flipped_byte_in_a_chunk_is_never_read(tmp_path, filters, inflater, monkeypatch):
    known = inflating.available()
    if inflater not in known:
        pytest.skip(f"{inflater} is not installed")
    monkeypatch.setattr(hdf5_chunks, "inflate", known[inflater])
    rng = np.random.default_rng(0)
    data = rng.normal(size=20_000).astype("f4")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("x", data=data, chunks=(10_000,), **filters)
    with h5py.File(path) as f:
        info = f["x"].id.get_chunk_info(1)
        original = path.read_bytes()
    for k in range(60):
        at = info.byte_offset + int(rng.integers(info.size)) if k > 4 else info.byte_offset + info.size - 1 - k
        broken = bytearray(original)
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        with h5py.File(path) as f:
            try:
                got = read_columns(f, path, columns=[Column(name="x")])["x"]
            except PolynyaError as error:
                assert "x is damaged" in str(error) and "row 10000" in str(error)
            else:  # a few bits of a deflate stream carry no meaning (e.g. the header's level)
                np.testing.assert_array_equal(got, data)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 70), st.integers(0, 2**31 - 1))
def test_any_length_and_chunk(tmp_path_factory, n, rows, seed):
    path = tmp_path_factory.mktemp("h") / "a.h5"
    data = np.random.default_rng(seed).integers(0, 1000, n).astype("i4")
    with h5py.File(path, "w") as f:
        f.create_dataset("x", data=data, chunks=(min(rows, n),), compression="gzip", shuffle=True)
    with h5py.File(path) as f:
        np.testing.assert_array_equal(read_columns(f, path, columns=[Column(name="x")], threads=2)["x"], data)


def test_an_index_serves_other_rows_and_keeps_files_apart(tmp_path):
    kept = Kept()
    for seed in (0, 1):
        data = np.random.default_rng(seed).integers(0, 1000, 1000).astype("i4")
        path = tmp_path / f"{seed}.h5"
        with h5py.File(path, "w") as f:
            f.create_dataset("x", data=data, chunks=(70 + seed,), compression="gzip", shuffle=True)
        with h5py.File(path) as f:
            for start, stop in ((0, 100), (433, 700), (999, 1000), (0, 1000)):
                found = read_columns(f, path, columns=[Column(name="x")], start=start, stop=stop, kept=kept)
                np.testing.assert_array_equal(found["x"], data[start:stop])
    assert [len(v) for v in kept.chunks.values()] == [15, 15]


def test_memory_is_used_again_where_it_is_enough(tmp_path):
    """Shorter, longer, a hole after other values, another type: the values are those of a call without memory."""
    path, arrays = tmp_path / "a.h5", {}
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as f:
        for name, dtype in (("x", "f8"), ("y", "i2")):
            f.create_dataset(name, data=rng.integers(0, 1000, 1000).astype(dtype), chunks=(70,), compression="gzip")
        f.create_dataset("z", shape=(1000,), dtype="f8", chunks=(70,), compression="gzip", fillvalue=-1.0)
    with h5py.File(path) as f:
        for name in "xyz":
            for start, stop in ((0, 500), (433, 700), (0, 900), (0, 1000)):
                arrays = {"x": arrays.get("x", np.empty(0))}
                kept = Kept(arrays=arrays)
                before = arrays["x"]
                found = read_columns(f, path, columns=[Column(name=name)], start=start, stop=stop, kept=kept)[name]
                np.testing.assert_array_equal(found, f[name][start:stop])
                assert found.base is arrays[name]
                assert name != "x" or (arrays["x"] is before) == (before.size >= stop - start)
