"""``polynya leads`` on several files that is stopped: nothing half-written, and the same command does the rest."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time

import pytest

from polynya.workflows import leads

SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with interrupts ignored
from pathlib import Path
from polynya.report import leads as report
from polynya.workflows import leads
written, write = [], report.write
def wait(path, page):
    if written:
        Path(sys.argv[2]).write_text("here")
        time.sleep(60)
    written.append(path)
    return write(path, page)
report.write = wait
if __name__ == "__main__":
    leads.run(sys.argv[3:], out=sys.argv[1], config=leads.Config(network="rule", lead_db=38.0), workers=1)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes(tmp_path, simulated, sign):
    """The first file is done, the second has its table and no report: then the run is stopped."""
    files = [tmp_path / f"{name}.nc" for name in "abc"]
    for file in files:
        shutil.copy(simulated[0], file)
    out, mark = tmp_path / "out", tmp_path / "mark"
    child = subprocess.Popen([sys.executable, "-c", SLOW, str(out), str(mark), *map(str, files)])
    try:
        deadline = time.monotonic() + 240
        while not mark.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        assert mark.exists()
        child.send_signal(sign)
        child.wait(60)
    finally:
        child.kill()
        child.wait()
    assert sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) == ["a"]
    if sign == signal.SIGINT:
        assert not [p for p in out.iterdir() if p.name.startswith(".")]
    config = leads.Config(network="rule", lead_db=38.0)
    records = leads.run(files, out=out, config=config)
    assert [r.status for r in records] == ["skipped", "done", "done"]
    whole = tmp_path / "whole"
    assert [r.status for r in leads.run(files, out=whole, config=config)] == ["done"] * 3
    for name in "abc":
        table = (out / name / "leads.parquet").read_bytes()
        assert table == (whole / name / "leads.parquet").read_bytes(), name
    assert not [p for p in out.rglob("*") if p.suffix in (".part", ".claim")]
