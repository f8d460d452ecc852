"""The one rule for what is done: settings, networks, version, and the content of every input."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from polynya import io
from polynya.errors import OutputError, ProductError
from polynya.io import records


def key(tmp_path: Path, **changes: object) -> io.Key:
    values = {
        "workflow": "freeboard",
        "version": 1,
        "settings": {"beams": "all", "bbox": None, "resolution": 2},
        "networks": {"classifier": "ab12"},
        "inputs": {"granule": tmp_path / "g.h5", "scene": tmp_path / "s.SAFE"},
    }
    return io.Key(**{**values, **changes})


@pytest.fixture
def done(tmp_path) -> Path:
    """A finished result of a granule and a scene folder."""
    (tmp_path / "g.h5").write_bytes(b"photons")
    (tmp_path / "s.SAFE/IMG").mkdir(parents=True)
    (tmp_path / "s.SAFE/IMG/B02.jp2").write_bytes(b"pixels")
    (tmp_path / "s.SAFE/MTD.xml").write_bytes(b"<x/>")
    folder = tmp_path / "out" / "g"
    with io.writing_folder(folder) as temporary:
        (temporary / "table").write_text("numbers")
        with io.hashing(key(tmp_path)) as hashed:
            record = io.run_record(command=[], config={}, inputs=[], key=hashed(), numbers={"n": 1})
        io.write_json(record, temporary / "run.json")
    return folder


def test_the_same_run_is_done(done, tmp_path):
    held = io.finished(done, key(tmp_path))
    assert held is not None and held["numbers"] == {"n": 1} and held["contents"] == ["run.json", "table"]
    assert io.finished(tmp_path / "nothing", key(tmp_path)) is None
    (tmp_path / "empty").mkdir()
    assert io.finished(tmp_path / "empty", key(tmp_path)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"beams": "gt1r", "resolution": 2, "bbox": None}}, r"of other settings \(beams\);"),
        ({"settings": {"beams": "all", "resolution": 2}}, r"of other settings \(bbox\);"),
        ({"settings": {"beams": "all", "bbox": None, "resolution": 2, "x": None}}, r"of other settings \(x\);"),
        ({"networks": {"classifier": "cd34"}}, "of another network;"),
        ({"networks": {}}, "of another network;"),
        ({"version": 2}, "of another version of the method;"),
        ({"workflow": "label"}, "of polynya freeboard;"),
        ({"inputs": {}}, "of another granule and of another scene;"),
    ],
)
def test_what_differs_is_named(done, tmp_path, changes, words):
    with pytest.raises(OutputError, match="holds a result " + words) as caught:
        io.finished(done, key(tmp_path, **changes))
    assert "Pass --overwrite" in str(caught.value) and "\n" not in str(caught.value)


def test_an_input_more_is_another_result(done, tmp_path):
    inputs = {**key(tmp_path).inputs, "mss": tmp_path / "g.h5"}
    with pytest.raises(OutputError, match="of another mss;"):
        io.finished(done, key(tmp_path, inputs=inputs))
    inputs = {**key(tmp_path).inputs, "echoes": tmp_path / "g.h5", "sums of a file": tmp_path / "g.h5"}
    with pytest.raises(OutputError, match="a result of other echoes and of other sums of a file;"):
        io.finished(done, key(tmp_path, inputs=inputs))


def test_content_decides_not_time_and_not_name(done, tmp_path):
    os.utime(tmp_path / "g.h5", (1, 1))
    assert io.finished(done, key(tmp_path)) is not None
    (tmp_path / "g.h5").rename(tmp_path / "moved.h5")
    (tmp_path / "s.SAFE").rename(tmp_path / "t.SAFE")
    moved = {"granule": tmp_path / "moved.h5", "scene": tmp_path / "t.SAFE"}
    assert io.finished(done, key(tmp_path, inputs=moved)) is not None


@pytest.mark.parametrize(
    ("file", "content", "role"),
    [
        ("g.h5", b"PHOTONS", "granule"),  # the same size
        ("g.h5", b"photons and more", "granule"),
        ("s.SAFE/IMG/B02.jp2", b"PIXELS", "scene"),
        ("s.SAFE/IMG/B03.jp2", b"", "scene"),
    ],
)
def test_changed_content_is_another_result(done, tmp_path, file, content, role):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(OutputError, match=f"holds a result of another {role};"):
        io.finished(done, key(tmp_path))


def test_a_file_renamed_inside_a_folder_is_another_result(done, tmp_path):
    (tmp_path / "s.SAFE/IMG/B02.jp2").rename(tmp_path / "s.SAFE/IMG/B03.jp2")
    with pytest.raises(OutputError, match="of another scene"):
        io.finished(done, key(tmp_path))


def test_hidden_files_and_results_inside_a_folder_do_not_count(done, tmp_path):
    (tmp_path / "s.SAFE/.DS_Store").write_text("x")
    (tmp_path / "s.SAFE/mapped").mkdir()
    (tmp_path / "s.SAFE/mapped/run.json").write_text("{}")
    assert io.finished(done, key(tmp_path)) is not None


def test_a_time_that_was_set_back_hides_no_change(done, tmp_path):
    """As a copy that keeps times does: same name, same size, same time of content, other content."""
    path = tmp_path / "g.h5"
    before = path.stat()
    path.write_bytes(b"PHOTONS")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(OutputError, match="of another granule"):
        io.finished(done, key(tmp_path))


def test_an_input_that_is_gone_has_not_changed(done, tmp_path):
    (tmp_path / "g.h5").unlink()
    assert io.finished(done, key(tmp_path)) is not None


def test_another_input_that_is_missing_is_an_error(done, tmp_path):
    for inputs in (key(tmp_path).inputs, {**key(tmp_path).inputs, "mss": tmp_path / "mistyped.nc"}):
        if "mss" not in inputs:
            (tmp_path / "s.SAFE").rename(tmp_path / "moved.SAFE")
        with pytest.raises(ProductError, match=r"no such file at .*; expected the (scene|mss)\. Check the path"):
            io.finished(done, key(tmp_path, inputs=inputs))
        if "mss" not in inputs:
            (tmp_path / "moved.SAFE").rename(tmp_path / "s.SAFE")


def test_content_is_read_again_only_where_size_or_time_differ(done, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(records, "_sha256", lambda path, *_: read.append(path.name) or "")
    assert io.finished(done, key(tmp_path)) is not None and read == []
    os.utime(tmp_path / "s.SAFE/MTD.xml", (1, 1))
    with pytest.raises(OutputError, match="of another scene"):
        io.finished(done, key(tmp_path))
    assert read == ["MTD.xml"]


@pytest.mark.parametrize("case", ["a file is gone", "no record", "half a record", "no list", "no key"])
def test_what_is_no_finished_result(done, tmp_path, case):
    words = "is no finished result"
    if case == "a file is gone":
        (done / "table").unlink()
        words = "holds a result that misses table"
    elif case == "no record":
        (done / "run.json").unlink()
    elif case == "half a record":
        (done / "run.json").write_text('{"key')
    else:
        held = json.loads((done / "run.json").read_text())
        del held["contents" if case == "no list" else "key"]
        (done / "run.json").write_text(json.dumps(held))
        words = words if case == "no list" else "of an earlier version of polynya"
    with pytest.raises(OutputError, match=words):
        io.finished(done, key(tmp_path))


def test_single_files_have_their_record_beside_them(done, tmp_path):
    record = tmp_path / "labels.run.json"
    assert io.finished(record, key(tmp_path)) is None
    io.write_json({"key": io.key_as_dict(key(tmp_path)), "contents": ["labels.parquet"]}, record)
    with pytest.raises(OutputError, match=r"misses labels\.parquet"):
        io.finished(record, key(tmp_path))
    (tmp_path / "labels.parquet").write_text("numbers")
    assert io.finished(record, key(tmp_path)) is not None


def test_a_file_that_changes_while_it_is_hashed_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "g.h5"
    path.write_bytes(b"photons")

    def slow(file: Path, *_: object) -> str:
        file.write_bytes(b"photons, more of them")
        return "half"

    monkeypatch.setattr(records, "_sha256", slow)
    with (
        pytest.raises(ProductError, match=r"g\.h5: changed while it was read"),
        io.hashing(key(tmp_path, inputs={"granule": path})) as hashed,
    ):
        hashed()


def test_hashing_ends_with_a_block_that_fails(tmp_path, monkeypatch):
    path = tmp_path / "g.h5"
    path.write_bytes(bytes(30_000_000))
    monkeypatch.setattr(records, "_BLOCK", 1)  # thirty million reads: most of a minute, if nothing ended them
    before, started = threading.active_count(), time.monotonic()
    with pytest.raises(ZeroDivisionError), io.hashing(key(tmp_path, inputs={"granule": path})):
        raise ZeroDivisionError
    assert threading.active_count() == before and time.monotonic() - started < 3.0
    monkeypatch.setattr(records, "_BLOCK", 1 << 22)
    found = io.key_as_dict(key(tmp_path, inputs={"granule": path}))["inputs"]["granule"][0]
    assert found["sha256"] == hashlib.sha256(bytes(30_000_000)).hexdigest()  # not what the first one had come to


def test_versions_are_those_of_the_packages():
    from importlib import metadata

    found = records.versions()
    assert {n: found[n] for n in ("numpy", "h5py", "pyarrow")} == {
        n: metadata.version(n) for n in ("numpy", "h5py", "pyarrow")
    }


def test_a_record_beside_a_file_knows_what_was_written(tmp_path):
    """A file of which a byte was changed, or that was cut or emptied, is not done."""
    table, key = tmp_path / "a.parquet", records.Key(workflow="w", version=1, settings={}, inputs={})
    record = records.run_record(
        command=["x"], config={}, inputs=[], key=records.key_as_dict(key), contents=[table.name]
    )
    with records.atomic.writing(table) as temporary:
        temporary.write_bytes(b"0123456789")
        records.write_json(record, tmp_path / "a.run.json", files={table.name: temporary})
    assert records.finished(tmp_path / "a.run.json", key) is not None
    for content, words in (
        (b"0123456780", "was changed since"),
        (b"012345678", "9 bytes and not 10"),
        (b"", "has 0 bytes"),
    ):
        table.write_bytes(content)
        with pytest.raises(OutputError, match=f"a.parquet .*{words}"):
            records.finished(tmp_path / "a.run.json", key)
    table.write_bytes(b"0123456789")
    assert records.finished(tmp_path / "a.run.json", key) is not None


@pytest.mark.parametrize("change", ["written", "gone", "new"])
def test_an_input_that_changes_after_it_was_hashed(tmp_path, change):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_text("1")
    key = records.Key(workflow="w", version=1, settings={}, inputs={"scene": folder})
    with records.hashing(key) as known:
        assert known()["inputs"]["scene"][0]["size"] == 1
        if change == "gone":
            (folder / "a").unlink()
        else:
            (folder / ("b" if change == "new" else "a")).write_text("22")
        with pytest.raises(ProductError, match="changed while it was read; expected a file at rest"):
            known()
