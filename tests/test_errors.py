"""What an exception that nobody thought of becomes."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from polynya.engine import protocol
from polynya.errors import ProductError, unreadable

CODE = """
def open_product(path):
    return inner(path.read_text())

def inner(text):
    import json
    return json.loads(text)["rows"][3]
"""


@pytest.fixture
def new_reader(monkeypatch):
    """A reader that somebody added and that checks nothing."""
    names = {"__name__": "polynya.readers.new_product"}
    exec(compile(CODE, "new_product.py", "exec"), names)
    return names["open_product"]


def caught(function, path):
    try:
        function(path)
    except Exception as error:
        return unreadable(error)
    return None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"rows": [1]}', "unexpected: IndexError: list index out of range, in inner line 7"),
        ("{}", "unexpected: KeyError: 'rows', in inner"),
        ('{"rows": 1x}', "unexpected: JSONDecodeError: .*, byte 10, in inner"),
    ],
)
def test_a_reader_that_stumbles_names_file_product_and_place(new_reader, tmp_path, text, words):
    path = tmp_path / "scene.new"
    path.write_text(text)
    error = caught(new_reader, path)
    assert isinstance(error, ProductError) and "\n" not in str(error)
    assert re.search(words, str(error))
    assert str(error).startswith("scene.new: cannot be read as new product (") and "expected" in str(error)


def test_other_mistakes_are_no_files_fault(tmp_path):
    assert caught(lambda path: json.loads("{"), tmp_path / "a") is None


def test_an_item_fails_with_that_line(new_reader, tmp_path):
    (tmp_path / "scene.new").write_text("{}")
    item = SimpleNamespace(name="scene")
    record = protocol.attempt(lambda _: new_reader(tmp_path / "scene.new"), item, run="x", wait=False)
    assert record.status == protocol.FAILED and "scene.new: cannot be read as new product" in record.message
