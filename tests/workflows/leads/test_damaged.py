"""Files with flipped bytes: a result or one line, never a dead program, nothing half-written."""

from __future__ import annotations

import random

import pytest

from polynya import io
from polynya.schema.lead_labels import LEADS
from polynya.workflows import leads
from tests.readers import echo_made

from .echo_networks import track


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    track(folder / "altika.nc", echoes=400)
    return [
        folder / "altika.nc",
        echo_made.altika_groups(folder / "groups.nc"),
        echo_made.cryosat(folder / "cryosat.nc"),
    ]


def test_flipped_bytes(originals, tmp_path):
    rng = random.Random(7)
    files = []
    for case in range(12):
        data = bytearray(originals[case % 3].read_bytes())
        for _ in range(rng.choice((1, 4, 40))):
            data[rng.randrange(len(data) if case % 2 else min(4096, len(data)))] ^= 1 << rng.randrange(8)
        path = tmp_path / f"case{case}.nc"
        path.write_bytes(bytes(data))
        files.append(path)
    out = tmp_path / "out"
    records = leads.run(files, out=out, config=leads.Config(lead_db=38.0), workers=2)
    assert {r.status for r in records} == {"done", "failed"}
    for path, record in zip(files, records, strict=True):
        folder = out / path.stem
        if record.status == "done":
            table = io.read_table(folder / "leads.parquet")
            assert table.num_rows > 0 and set(LEADS.names) <= set(table.column_names)
            continue
        assert not folder.exists() and "\n" not in record.message, record.message
        assert "unexpected" not in record.message and "failed on it" not in record.message, record.message
    assert not [p for p in out.iterdir() if p.name.startswith(".") and not p.name.endswith(".lock")]
