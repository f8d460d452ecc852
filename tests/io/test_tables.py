"""Writing: all or nothing, under failures and kills; reading what is not ours; provenance."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polynya import __version__, io
from polynya.errors import ProductError


def test_point_wkb_is_shapely_wkb():
    import shapely

    lon, lat = np.array([-180.0, 12.5, np.nan]), np.array([90.0, -77.25, np.nan])
    got = io.point_wkb(lon, lat)
    points = shapely.from_wkb([v.as_py() for v in got])
    assert [p.geom_type for p in points] == ["Point"] * 3
    np.testing.assert_array_equal([[p.x, p.y] for p in points[:2]], [[-180.0, 90.0], [12.5, -77.25]])
    assert len(io.point_wkb(np.empty(0), np.empty(0))) == 0


def test_read_table_refuses_in_one_line(tmp_path):
    with pytest.raises(ProductError, match=r"no such file .*Run polynya freeboard first"):
        io.read_table(tmp_path / "none.parquet")
    (tmp_path / "a.parquet").write_text("not parquet at all")
    with pytest.raises(ProductError, match=r"a\.parquet: cannot be read as Parquet") as caught:
        io.read_table(tmp_path / "a.parquet")
    assert "\n" not in str(caught.value)


def test_json_has_no_nan_and_keeps_text(tmp_path):
    data = {
        "a": np.float32(0.5),
        "b": float("nan"),
        "c": np.int64(3),
        "d": [np.inf, 1.0],
        "e": Path("x") / "y",
        "f": dt.datetime(2020, 1, 1),
        7: ("ü", None, True),
    }
    path = io.write_json(data, tmp_path / "a.json")
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text and "Infinity" not in text and "ü" in text
    assert json.loads(text) == {
        "a": 0.5,
        "b": None,
        "c": 3,
        "d": [None, 1.0],
        "e": str(Path("x") / "y"),
        "f": "2020-01-01 00:00:00",
        "7": ["ü", None, True],
    }
    assert io.read_json(path) == json.loads(text)


@pytest.mark.parametrize("content", ["", "{", "\udcff"])
def test_read_json_refuses_in_one_line(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ProductError, match=r"run\.json: cannot be read .*Run it again"):
        io.read_json(path)


def test_run_record_says_what_was_done(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/polynya", "freeboard", "a.h5"])
    record = io.run_record(
        command=io.command_line(), config={"beams": "all"}, inputs=[{"granule": "a"}], seed=3, more=1
    )
    assert record["polynya"] == __version__ and record["command"] == ["polynya", "freeboard", "a.h5"]
    assert record["seed"] == 3 and record["more"] == 1 and record["config"] == {"beams": "all"}
    assert record["versions"]["numpy"] == np.__version__ and record["versions"]["pyarrow"] == pa.__version__
    when = dt.datetime.fromisoformat(record["time"])
    assert when.utcoffset() == dt.timedelta(0) and abs(dt.datetime.now(dt.UTC) - when) < dt.timedelta(minutes=1)
    json.dumps(record)


def test_a_pipe_is_no_table_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(ProductError, match=r"a\.parquet: is a pipe or a device; expected a table"):
        io.read_table(tmp_path / "a.parquet")
