"""A result that was cut, emptied or changed is not done."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from polynya import io
from polynya.errors import OutputError
from polynya.io import outputs

FILES = {"table.parquet": b"heights" * 100, "maps/map.tif": b"pixels" * 100, "lines.gpkg": b"lines" * 100}


@pytest.fixture
def key(tmp_path):
    (tmp_path / "g.h5").write_bytes(b"photons")
    return io.Key(workflow="w", version=1, settings={}, inputs={"granule": tmp_path / "g.h5"})


@pytest.fixture
def result(tmp_path, key):
    folder = tmp_path / "out"
    with io.writing_folder(folder) as temporary:
        for name, content in FILES.items():
            (temporary / name).parent.mkdir(exist_ok=True)
            (temporary / name).write_bytes(content)
        io.write_json(io.run_record(command=[], config={}, inputs=[], key=io.key_as_dict(key)), temporary / "run.json")
    return folder


def test_an_untouched_result_is_done_without_reading_it(result, key, monkeypatch):
    monkeypatch.setattr(outputs, "_sha256", lambda path: pytest.fail(f"{path} is read"))
    assert io.finished(result, key) is not None


def test_the_record_says_what_was_written(result):
    written = json.loads((result / "run.json").read_text(encoding="utf-8"))["written"]
    assert {n: v["size"] for n, v in written.items()} == {n: len(c) for n, c in FILES.items()}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("table.parquet", b"", r"whose table.parquet has 0 bytes and not 700 as when it was written"),
        ("table.parquet", b"heights" * 99, "has 693 bytes and not 700"),
        ("table.parquet", b"Heights" * 100, "was changed since it was written"),
        ("maps/map.tif", b"pixelz" * 100, "whose maps/map.tif was changed"),
        ("lines.gpkg", b"", "whose lines.gpkg is empty"),
    ],
)
def test_a_result_with_other_files_is_not_done(result, key, name, content, words):
    (result / name).write_bytes(content)
    with pytest.raises(OutputError, match=f"holds a result {words}|{words}"):
        io.finished(result, key)


def test_a_change_whose_time_was_set_back_is_found(result, key):
    path = result / "table.parquet"
    state = path.stat()
    path.write_bytes(b"Heights" * 100)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(OutputError, match="was changed since"):
        io.finished(result, key)


def test_a_copy_and_a_database_that_was_looked_at_are_done(result, key, tmp_path):
    shutil.copytree(result, tmp_path / "copy")
    assert io.finished(tmp_path / "copy", key) is not None
    (result / "lines.gpkg").write_bytes(b"other journal")
    assert io.finished(result, key) is not None


def test_earlier_results_without_sizes_must_not_be_empty(result, key):
    path = result / "run.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    del held["written"]
    path.write_text(json.dumps(held), encoding="utf-8")
    assert io.finished(result, key) is not None
    (result / "table.parquet").write_bytes(b"")
    with pytest.raises(OutputError, match=r"whose table\.parquet is empty"):
        io.finished(result, key)


@pytest.mark.parametrize("name", ["report.html", "map.qml"])
def test_a_page_or_a_style_that_was_saved_again_is_the_same_result(tmp_path, name):
    path = tmp_path / name
    path.write_text("<html>")
    written = outputs.states(tmp_path, [name])
    path.write_text("<html> saved by a browser")
    assert outputs.damage(tmp_path, [name], written) == ""
    path.write_text("")
    assert "is empty" in outputs.damage(tmp_path, [name], written)
