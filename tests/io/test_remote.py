"""Files at an address: fetched whole, once, into a cache that keeps to its size."""

from __future__ import annotations

import os
import threading
import time

import pytest

from polynya.errors import ProductError, UsageError
from polynya.io import remote

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_PAUSE_S", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def store():
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, size in (("a.h5", 1000), ("b.h5", 600_000), ("c.h5", 600_000)):
        files.pipe(f"/bucket/{name}", bytes([len(name)]) * size)
    yield files
    files.store.clear()


def kept(cache) -> list[str]:
    return sorted(p.name for p in cache.glob("*/*.h5"))


@pytest.mark.parametrize(
    ("text", "expected", "name"),
    [
        ("s3://bucket/x/a.h5", True, "a.h5"),
        ("https://host/a.h5?token=b/c", True, "a.h5"),
        ("memory://a.h5", True, "a.h5"),
        ("granules/a.h5", False, "a.h5"),
        ("C:/a.h5", False, "a.h5"),
    ],
)
def test_addresses_and_paths(text, expected, name):
    assert remote.is_address(text) is expected and remote.name_of(text) == name


def test_a_path_is_left_alone(tmp_path, cache):
    with remote.fetched(str(tmp_path / "nothing.h5")) as path:
        assert path == tmp_path / "nothing.h5"
    assert not cache.exists()


def test_a_file_is_fetched_whole_and_only_once(store, cache, monkeypatch):
    with remote.fetched("memory://bucket/a.h5") as path:
        assert path == remote.local_path("memory://bucket/a.h5") and path.name == "a.h5"
        assert path.read_bytes() == store.cat("/bucket/a.h5")
    got = []
    monkeypatch.setattr(type(store), "get_file", lambda self, *a, **k: got.append(a))
    with remote.fetched("memory://bucket/a.h5") as path:
        assert path.stat().st_size == 1000 and not got


def test_a_file_of_the_file_protocol(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"photons")
    with remote.fetched(f"file://{tmp_path / 'a.h5'}") as path:
        assert path.read_bytes() == b"photons" and path != tmp_path / "a.h5"


def test_a_changed_file_is_fetched_again(store):
    with remote.fetched("memory://bucket/a.h5"):
        pass
    store.pipe("/bucket/a.h5", b"new")
    with remote.fetched("memory://bucket/a.h5") as path:
        assert path.read_bytes() == b"new"


def test_the_cache_keeps_to_its_size_and_to_what_was_used_last(store, cache, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE_GB", "0.001")
    for name in ("a", "b"):
        with remote.fetched(f"memory://bucket/{name}.h5"):
            pass
        time.sleep(0.02)
    with remote.fetched("memory://bucket/a.h5"):
        pass
    with remote.fetched("memory://bucket/c.h5"):
        assert kept(cache) == ["a.h5", "c.h5"]


def test_what_is_in_use_is_not_evicted(store, cache, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE_GB", "0.001")
    with remote.fetched("memory://bucket/b.h5") as path, remote.fetched("memory://bucket/c.h5"):
        assert path.exists() and kept(cache) == ["b.h5", "c.h5"]
    with remote.fetched("memory://bucket/a.h5"):
        assert "b.h5" not in kept(cache)


def test_what_the_cache_cannot_hold_is_one_line(store, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE_GB", "0.0001")
    with (
        pytest.raises(UsageError, match=r"b\.h5: is 0\.0 GB, and the cache holds 0\.0001 GB"),
        remote.fetched("memory://bucket/b.h5"),
    ):
        pass
    monkeypatch.setenv("POLYNYA_CACHE_GB", "much")
    with pytest.raises(UsageError, match="POLYNYA_CACHE_GB=much"), remote.fetched("memory://bucket/b.h5"):
        pass


def test_what_cannot_be_fetched_is_one_line_and_leaves_nothing(store, cache):
    with (
        pytest.raises(ProductError, match=r"memory://bucket/none\.h5: is not there") as caught,
        remote.fetched("memory://bucket/none.h5"),
    ):
        pass
    assert "\n" not in str(caught.value) and kept(cache) == []
    with (
        pytest.raises(UsageError, match=r"nowhere://x/a\.h5: no such kind of address"),
        remote.fetched("nowhere://x/a.h5"),
    ):
        pass


def test_a_store_that_fails_for_a_moment_is_asked_again(store, monkeypatch):
    calls, real = [], type(store).get_file

    def flaky(self, *words, **more):
        calls.append(words)
        if len(calls) < 3:
            raise ConnectionError("reset by peer")
        return real(self, *words, **more)

    monkeypatch.setattr(type(store), "get_file", flaky)
    with remote.fetched("memory://bucket/a.h5") as path:
        assert path.stat().st_size == 1000 and len(calls) == 3


def test_half_a_file_is_no_file(store, cache, monkeypatch):
    def half(self, inner, place, **more):
        with open(place, "wb") as file:
            file.write(self.cat(inner)[:500])

    monkeypatch.setattr(type(store), "get_file", half)
    with (
        pytest.raises(ProductError, match=r"500 bytes came, the address says 1,000"),
        remote.fetched("memory://bucket/a.h5"),
    ):
        pass
    assert kept(cache) == []


def test_two_at_once_fetch_once(store, monkeypatch):
    calls, real = [], type(store).get_file

    def slow(self, *words, **more):
        calls.append(words)
        time.sleep(0.2)
        return real(self, *words, **more)

    monkeypatch.setattr(type(store), "get_file", slow)
    sizes = []

    def use():
        with remote.fetched("memory://bucket/a.h5") as path:
            sizes.append(os.path.getsize(path))

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sizes == [1000] * 3 and len(calls) == 1
