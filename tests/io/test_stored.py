"""Results at an address: whole or not there, whoever stops them, and nothing of anybody else's replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from polynya import io
from polynya.errors import OutputError, ProductError, UsageError
from polynya.io import atomic, remote, stored

pytest.importorskip("fsspec")
from .. import stores

PLACE = "memory://bucket/season/a"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_PAUSE_S", 0.0)
    return tmp_path / "cache"


@pytest.fixture
def files():
    with stores.in_memory() as made:
        yield made


def key(**settings):
    return io.Key(workflow="test", version=1, settings=settings, inputs={})


def made(place=PLACE, *, names=("table.txt", "report.html"), overwrite=False, text="x", **settings):
    """A result as a workflow makes it."""
    with io.writing_folder(io.place(place), overwrite=overwrite) as folder:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text * 100)
        record = io.run_record(command=["test"], config={}, inputs=[], key=io.key_as_dict(key(**settings)))
        io.write_json(record, folder / "run.json")


def done(place=PLACE, **settings):
    return io.finished(io.place(place), key(**settings))


def names(files, below="/bucket/season/a/"):
    return sorted(n.removeprefix(below) for n in files.store)


def stop_at(monkeypatch, files, number, error, *, method="put_file"):
    """Let the store fail at its n-th write, for good."""
    real, calls = getattr(type(files), method), []

    def failing(self, *words, **more):
        calls.append(words)
        if len(calls) >= number:
            raise error
        return real(self, *words, **more)

    monkeypatch.setattr(type(files), method, failing)
    return lambda: monkeypatch.setattr(type(files), method, real)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("out/season", "out/season"),
        ("memory://bucket/season/", "memory://bucket/season"),
        ("file:///data/a%20b", "/data/a b"),
    ],
)
def test_one_function_says_what_a_place_is(given, expected):
    found = io.place(given)
    assert str(found) == expected and isinstance(found, io.Address) == given.startswith("memory")
    assert io.place(found) == found


def test_names_at_an_address_are_put_together_as_those_of_paths():
    table = io.place("memory://bucket/season") / "gt1r.x.parquet"
    assert str(table) == "memory://bucket/season/gt1r.x.parquet"
    assert (table.name, table.stem, table.suffix) == ("gt1r.x.parquet", "gt1r.x", ".parquet")
    assert str(table.with_suffix(".run.json")) == "memory://bucket/season/gt1r.x.run.json"
    assert str(table.with_name("b.html")) == str(table.parent / "b.html") == "memory://bucket/season/b.html"
    assert str(io.place("memory://bucket").parent) == "memory://bucket"
    others = [table, io.place("memory://bucket/season/deep/b.parquet")]
    assert str(io.common_folder(others)) == "memory://bucket/season"
    assert str(io.common_folder([io.place("memory://a/x/t"), io.place("memory://b/x/t")])) == "memory://"


@pytest.mark.parametrize("given", ["https://host/season", "http://host/season", "memory://"])
def test_where_nothing_can_be_written_is_one_line(given):
    with pytest.raises(UsageError, match=f"{given}: nothing can be written there; expected a folder, or"):
        io.place(given)


def test_an_unknown_kind_of_address_is_one_line():
    with pytest.raises(UsageError, match="nowhere://x: no such kind of address"):
        io.place("nowhere://x")


# ---------------------------------------------------------------- folders


def test_a_result_has_the_bytes_of_a_local_one_and_is_done_only_for_its_own_key(files, tmp_path, cache):
    made(names=("table.txt", "deep/map.tif"), n=1)
    made(tmp_path / "a", names=("table.txt", "deep/map.tif"), n=1)
    assert names(files) == ["deep/map.tif", "run.json", "table.txt"]
    for name in ("table.txt", "deep/map.tif"):
        assert files.cat(f"/bucket/season/a/{name}") == (tmp_path / "a" / name).read_bytes()
    assert done(n=1)["contents"] == ["deep/map.tif", "run.json", "table.txt"] == done(tmp_path / "a", n=1)["contents"]
    with pytest.raises(OutputError, match=r"season/a: holds a result of other settings \(n\); expected that of this"):
        done(n=2)
    assert done("memory://bucket/season/b", n=1) is None
    assert list(remote.results_folder().iterdir()) == []


def test_a_result_that_misses_a_file_is_not_done(files):
    made()
    files.rm_file("/bucket/season/a/table.txt")
    with pytest.raises(OutputError, match=r"holds a result that misses table\.txt"):
        done()


def test_the_record_comes_last_and_the_marker_names_everything_before(files, monkeypatch):
    seen, real = [], type(files).put_file

    def looking(self, local, inner, **more):
        if not inner.endswith(stored.MARKER):
            seen.append((inner.rpartition("/")[2], json.loads(files.cat(f"/bucket/season/a/{stored.MARKER}"))["names"]))
        return real(self, local, inner, **more)

    monkeypatch.setattr(type(files), "put_file", looking)
    made()
    assert [n for n, _ in seen] == ["report.html", "table.txt", "run.json"]
    assert all(m == ["report.html", "run.json", "table.txt"] for _, m in seen)
    assert stored.MARKER not in names(files)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_copy_that_stops_anywhere_is_not_done_and_is_resumed(files, monkeypatch, number):
    heal = stop_at(monkeypatch, files, number, ConnectionError("reset\nby peer"))
    with pytest.raises(
        OutputError, match=r"season/a/.*: cannot be written \(ConnectionError: reset by peer\);"
    ) as caught:
        made()
    assert "\n" not in str(caught.value)
    heal()
    assert "run.json" not in names(files) and done() is None
    made(text="y")
    assert files.cat("/bucket/season/a/table.txt") == b"y" * 100 and done() is not None
    assert names(files) == ["report.html", "run.json", "table.txt"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupt_leaves_nothing_that_is_called_done(files, monkeypatch, stop, cache):
    heal = stop_at(monkeypatch, files, 3, stop)
    with pytest.raises(type(stop)):
        made()
    heal()
    assert names(files) == ["report.html", stored.MARKER] and done() is None
    assert list(remote.results_folder().iterdir()) == []
    made()
    assert done() is not None


def test_a_stop_before_the_copy_leaves_no_object(files):
    with pytest.raises(ProductError), io.writing_folder(io.place(PLACE)) as folder:
        (folder / "table.txt").write_text("half")
        raise ProductError("granule: damaged")
    assert not files.store and list(remote.results_folder().iterdir()) == []


def test_half_an_object_is_an_error_and_no_result(files, monkeypatch):
    real = type(files).put_file

    def half(self, local, inner, **more):
        real(self, local, inner, **more)
        if inner.endswith("table.txt"):
            self.pipe(inner, self.cat(inner)[:50])

    monkeypatch.setattr(type(files), "put_file", half)
    with pytest.raises(OutputError, match=r"table\.txt: 50 bytes are there of 100; expected the whole file"):
        made()
    assert done() is None


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["theirs.txt", "run.json", "deep/theirs.txt", stored.MARKER])
def test_an_object_of_somebody_else_is_never_replaced(files, name, overwrite):
    files.pipe(f"/bucket/season/a/{name}", b'{"names": ["theirs.txt"], "contents": ["theirs.txt"]}')
    before = stores.held(files)
    with pytest.raises(OutputError, match=f"season/a: holds {name} that no run.json of polynya lists"):
        made(overwrite=overwrite)
    with pytest.raises(OutputError, match=r"is no finished result|misses theirs"):
        done()
    assert stores.held(files) == before


def test_an_object_with_the_name_of_the_folder_is_not_replaced(files):
    files.pipe("/bucket/season/a", b"theirs")
    with pytest.raises(OutputError, match=r"season/a: holds an object of this very name that no run\.json"):
        made()
    assert stores.held(files) == {"/bucket/season/a": b"theirs"}


def test_an_object_beside_an_earlier_result_stops_its_replacement(files):
    made()
    files.pipe("/bucket/season/a/notes.txt", b"theirs")
    with pytest.raises(OutputError, match=r"holds notes\.txt that no run\.json"):
        made(overwrite=True)
    files.mv("/bucket/season/a/notes.txt", "/bucket/season/a/table.txt.aux.xml")
    made(overwrite=True, text="z")
    assert files.cat("/bucket/season/a/table.txt") == b"z" * 100


def test_neighbours_whose_names_begin_alike_are_left_alone(files):
    made(PLACE + "b")
    files.pipe("/bucket/season/a.txt", b"theirs")
    assert done() is None
    made()
    assert done(PLACE + "b") is not None and files.cat("/bucket/season/a.txt") == b"theirs"


def test_only_overwrite_replaces_an_earlier_result_and_what_only_that_one_had_goes(files):
    made(names=("table.txt", "old.html"), n=1)
    with pytest.raises(UsageError, match=r"season/a: exists already; expected a new name\. Pass --overwrite"):
        made(n=1)
    made(names=("table.txt", "new.html"), overwrite=True, text="y", n=2)
    assert names(files) == ["new.html", "run.json", "table.txt"] and done(n=2) is not None


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_replacement_that_stops_is_the_old_result_or_none(files, monkeypatch, number):
    made(names=("table.txt", "old.html"), n=1)
    heal = stop_at(monkeypatch, files, number, ConnectionError("gone"))
    with pytest.raises(OutputError, match="cannot be written"):
        made(names=("table.txt", "new.html"), overwrite=True, text="y", n=2)
    heal()
    if number == 1:
        assert done(n=1) is not None and files.cat("/bucket/season/a/table.txt") == b"x" * 100
    else:
        assert done(n=1) is None
    made(names=("table.txt", "new.html"), overwrite=True, text="y", n=2)
    assert names(files) == ["new.html", "run.json", "table.txt"] and done(n=2) is not None


def test_of_two_that_make_one_result_the_first_stays_and_another_result_is_an_error(files):
    with io.writing_folder(io.place(PLACE)) as folder:
        (folder / "table.txt").write_text("second")
        record = io.run_record(command=["test"], config={}, inputs=[], key=io.key_as_dict(key()))
        io.write_json(record, folder / "run.json")
        made()
    assert files.cat("/bucket/season/a/table.txt") == b"x" * 100 and done() is not None
    with (
        pytest.raises(UsageError, match="exists already"),
        io.writing_folder(io.place("memory://bucket/season/b")) as folder,
    ):
        io.write_json({"polynya": "1", "command": []}, folder / "run.json")
        made("memory://bucket/season/b")
    assert done("memory://bucket/season/b") is not None


def test_the_marker_of_another_copy_stays(files, monkeypatch):
    theirs = json.dumps({"polynya": "1", "word": "theirs", "names": ["table.txt"]}).encode()
    real = type(files).put_file

    def beside(self, local, inner, **more):
        real(self, local, inner, **more)
        if inner.endswith("run.json"):
            self.pipe(f"/bucket/season/a/{stored.MARKER}", theirs)

    monkeypatch.setattr(type(files), "put_file", beside)
    made()
    assert stored.MARKER in names(files) and done() is not None


def test_a_store_that_does_not_answer_is_not_an_empty_one(files, monkeypatch):
    made()
    monkeypatch.setattr(type(files), "ls", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no answer")))
    for look in (done, made, lambda: io.is_free(io.place(PLACE))):
        with pytest.raises(ProductError, match=r"season/a: cannot be fetched \(ConnectionError: no answer; 3 tries\)"):
            look()


def test_a_write_that_fails_for_a_moment_is_tried_again(files, monkeypatch):
    real, calls = type(files).put_file, []

    def flaky(self, *words, **more):
        calls.append(words)
        if len(calls) % 3:
            raise ConnectionError("reset")
        return real(self, *words, **more)

    monkeypatch.setattr(type(files), "put_file", flaky)
    made()
    assert done() is not None


def test_what_may_not_be_written_is_known_before_the_work(files, monkeypatch):
    io.check_writable(io.place("memory://bucket/season"))
    assert not files.store
    stop_at(monkeypatch, files, 1, PermissionError("Access Denied"))
    with pytest.raises(OutputError, match=r"cannot be written \(PermissionError: Access Denied\); expected a bucket"):
        io.check_writable(io.place("memory://bucket/season"))
    assert list(remote.results_folder().iterdir()) == []


# ---------------------------------------------------------------- single files


def test_a_file_is_there_whole_or_not_at_all_and_only_a_listed_one_is_replaced(files):
    table, record = io.place("memory://bucket/t.parquet"), io.place("memory://bucket/t.run.json")
    with pytest.raises(ProductError), io.writing(table) as temporary:
        temporary.write_bytes(b"half")
        raise ProductError("granule: damaged")
    assert not files.store and not table.exists()
    with io.writing(table) as temporary:
        temporary.write_bytes(b"table")
        assert not files.store
    assert files.cat("/bucket/t.parquet") == b"table" and table.exists()
    with pytest.raises(OutputError, match=r"t\.parquet: exists already and t\.run\.json does not list it"):
        io.check_files([table], record=record, overwrite=True)
    about = io.run_record(command=["x"], config={}, inputs=[], key=io.key_as_dict(key()), contents=["t.parquet"])
    files.pipe("/bucket/t.run.json", json.dumps(about).encode())
    io.check_files([table], record=record, overwrite=True)
    with pytest.raises(UsageError, match="exists already; expected a new name"):
        io.check_files([table], record=record, overwrite=False)
    assert io.lists(record, table) and io.finished(record, key()) is not None
    files.rm_file("/bucket/t.parquet")
    with pytest.raises(OutputError, match=r"misses t\.parquet"):
        io.finished(record, key())
    assert io.finished(io.place("memory://bucket/none.run.json"), key()) is None


def test_children_are_what_is_right_below(files, tmp_path):
    for name in ("a/run.json", "a/deep/x", "b.parquet"):
        files.pipe(f"/bucket/{name}", b"x")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert io.children(io.place("memory://bucket")) == {"a", "b.parquet"} == io.children(tmp_path) - {"cache"}
    assert io.children(io.place("memory://bucket/none")) == set() == io.children(tmp_path / "none")


def test_only_parts_of_an_object_are_read(files, monkeypatch):
    files.pipe("/bucket/t", b"0123456789")
    monkeypatch.setattr(type(files), "get_file", lambda *_, **__: pytest.fail("fetched"))
    with io.reading(io.place("memory://bucket/t")) as handle:
        handle.seek(4)
        assert handle.read(2) == b"45"
    with pytest.raises(ProductError, match="none: is not there"), io.reading(io.place("memory://bucket/none")):
        pass


# ---------------------------------------------------------------- the room they take here


def test_a_result_on_its_way_counts_in_the_cache(files, cache, monkeypatch):
    files.pipe("/in/a.h5", bytes(600_000))
    with remote.fetched("memory://in/a.h5") as kept:
        pass
    monkeypatch.setenv("POLYNYA_CACHE_GB", "0.001")
    with io.writing_folder(io.place(PLACE)) as folder:
        (folder / "large.bin").write_bytes(bytes(700_000))
        io.write_json({"polynya": "1", "command": []}, folder / "run.json")
        assert kept.exists()
    assert not kept.exists() and files.size("/bucket/season/a/large.bin") == 700_000


def test_a_result_larger_than_the_cache_is_one_line(files, monkeypatch):
    monkeypatch.setenv("POLYNYA_CACHE_GB", "0.0001")
    expected = r"season/a: is 0\.0 GB, and the cache holds 0\.0001 GB; .* POLYNYA_CACHE_GB"
    with pytest.raises(UsageError, match=expected), io.writing_folder(io.place(PLACE)) as folder:
        (folder / "large.bin").write_bytes(bytes(700_000))
    assert not files.store and list(remote.results_folder().iterdir()) == []


def test_what_a_killed_process_left_here_is_removed_by_the_next(files, cache):
    program = (
        "import os, signal; from polynya import io; import fsspec\n"
        f"with io.writing_folder(io.place({PLACE!r})) as f:\n"
        "    (f / 'x').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "POLYNYA_CACHE": str(cache)}, check=False)
    assert len(list(remote.results_folder().iterdir())) == 1
    made("memory://bucket/other")
    assert list(remote.results_folder().iterdir()) == []


def test_who_outlives_a_process_is_told_what_it_leaves_here(files):
    told = []
    with atomic.listening(told.append):
        made()
    assert remote.results_folder() in {p.parent for p in told}
