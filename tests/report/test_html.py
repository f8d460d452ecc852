"""The page frame: nothing from a file becomes markup, nothing half-written stays."""

from __future__ import annotations

import json
import math
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya.errors import OutputError
from polynya.report import html


@given(st.text())
def test_escaped_text_holds_no_markup(text):
    out = html.escape(text)
    assert not re.search(r"[<>\"']", out)
    assert html.escape(out) == out  # already markup: not escaped twice


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_script_json_cannot_close_its_element_and_reads_back(value):
    text = html.script_json(value)
    assert not re.search("[<>&\u2028\u2029]", text)

    def plain(v):
        if isinstance(v, float) and not math.isfinite(v):
            return None
        if isinstance(v, list):
            return [plain(x) for x in v]
        return {k: plain(x) for k, x in v.items()} if isinstance(v, dict) else v

    assert json.loads(text) == plain(value)


@pytest.mark.parametrize(
    "value, decimals, unit, expected",
    [
        (0.3456, 3, "", "0.346"),
        (-0.0004, 3, "", "0.000"),
        (-0.5, 2, "m", "\u22120.50\u202fm"),
        (float("nan"), 2, "m", "\u2013"),
        (None, 2, "", "\u2013"),
        ("x", 2, "", "\u2013"),
        (1234567, 0, "", "1,234,567"),
        (float("inf"), 1, "", "\u2013"),
    ],
)
def test_numbers_read_well(value, decimals, unit, expected):
    assert html.number(value, decimals, unit) == expected


@pytest.mark.parametrize(
    "part, whole, expected",
    [
        (1, 4, "25.0\u202f%"),
        (0, 10, "0.0\u202f%"),
        (10, 10, "100.0\u202f%"),
        (1, 10**6, "<0.1\u202f%"),
        (10**6 - 1, 10**6, ">99.9\u202f%"),
        (0, 0, "\u2013"),
    ],
)
def test_percent_never_rounds_some_to_none_or_all(part, whole, expected):
    assert html.percent(part, whole) == expected


def test_table_escapes_heads_cells_and_keys():
    out = html.table(("<a>", "b"), [["<i>", ("5", '"><x>')]], sort_keys=True, caption="<c>")
    assert "<a>" not in out and "<i>" not in out and "<x>" not in out and "<c>" not in out
    assert 'data-v="&quot;&gt;&lt;x&gt;"' in out


def test_writing_replaces_whole_files_only(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    html.write_text(target, "first")
    assert html.write_text(target, "second").read_text(encoding="utf-8") == "second"

    def broken(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OutputError, match=r"report\.html: the report cannot be written .*No space left"):
        html.write_text(target, "third")
    assert target.read_text(encoding="utf-8") == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_writing_into_no_folder_is_one_line(tmp_path):
    with pytest.raises(OutputError) as caught:
        html.write_text(tmp_path / "missing" / "report.html", "x")
    assert "\n" not in str(caught.value)
