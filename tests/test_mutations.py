"""Damaged granules: a clean result or one line, never a traceback, a hang, half an output, or numbers out of a broken
chunk.

A child process works through the cases (see ``tests/mutations.py``); this one watches it, so that a crash
in a C library or a hang is seen and counted.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import pytest

from tests.mutations import KINDS
from tests.real_files import real

ROOT = Path(__file__).resolve().parents[1]
HANG_S = 20.0
START_S = 120.0


def watched(first: int, last: int, sources: list[Path]) -> list[dict]:
    """Run cases in a child process; a case that kills or hangs it becomes a line that says so, and the next child goes
    on."""
    lines: list[dict] = []
    case = first
    while case < last:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.mutations", str(case), str(last), *map(str, sources)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said: queue.Queue[str | None] = queue.Queue()
        errors: list[str] = []
        readers = [
            threading.Thread(target=_drain, args=(child.stdout, said)),
            threading.Thread(target=lambda c=child, e=errors: e.extend(c.stderr)),
        ]
        for reader in readers:
            reader.start()
        limit, reason = START_S, ""
        while not reason:
            try:
                line = said.get(timeout=limit)
            except queue.Empty:
                reason = f"no answer within {limit:.0f} s"
                break
            if line is None:
                break
            found = json.loads(line)
            if found["case"] is None:
                assert not found["wrong"], found["wrong"]
            else:
                lines.append(found)
                case = found["case"] + 1
            limit = HANG_S
        child.kill()
        code = child.wait()
        for reader in readers:
            reader.join()
        if case < last:
            lines.append(
                {
                    "case": case,
                    "kind": "?",
                    "wrong": [reason or f"the process died with {code}: {''.join(errors)[-600:]}"],
                    "warnings": [],
                }
            )
            case += 1
    return lines


def _drain(stream, said: queue.Queue[str | None]) -> None:
    for line in stream:
        said.put(line)
    said.put(None)


def check(lines: list[dict], n: int) -> None:
    assert [r["case"] for r in lines] == list(range(lines[0]["case"], lines[0]["case"] + n))
    wrong = [r for r in lines if r["wrong"]]
    assert not wrong, "\n".join(
        f"{r['case']} {r['kind']} {r.get('source')} {r.get('where')}: {r['wrong']}" for r in wrong[:5]
    )
    noisy = [r for r in lines if r["warnings"]]
    assert not noisy, "\n".join(f"{r['case']} {r['kind']} {r.get('where')}: {r['warnings']}" for r in noisy[:5])
    # The damage must bite, and harmless damage must not stop the work: a run of only one outcome would test nothing.
    assert {r["kind"] for r in lines} == set(KINDS)
    assert {r["status"] for r in lines} == {"done", "failed"}
    assert any(
        "checksum" in r["message"] or "inflate" in r["message"] or "cannot be read" in r["message"]
        for r in lines
        if r["kind"] == "flip_chunk"
    )


def test_simulated_granule(small_granule):
    check(watched(0, 24, [small_granule]), 24)


def one_pair(path: Path, into: Path) -> Path:
    """Write a real granule with one of its three pairs of beams; its chunks, types and attributes stay as they are."""
    with h5py.File(path) as whole, h5py.File(into / path.name, "w") as f:
        f.attrs.update(whole.attrs)
        for name in whole:
            if not name.startswith("gt") or name.startswith("gt1"):
                whole.copy(name, f)
    return into / path.name


@pytest.mark.real
def test_real_granules(tmp_path):
    sources = [
        real("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5"),
        one_pair(real("ATL10_subset_bbox_RossSea.h5"), tmp_path),
        one_pair(real("processed_ATL07-01_20190222003738_08490201_003_02.h5"), tmp_path),
    ]
    check(watched(1008, 1044, sources), 36)


def test_a_crash_and_a_hang_are_seen(tmp_path, monkeypatch):
    """The watchdog itself: a child that dies on a signal and one that says nothing are both reported."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").write_text("")
    (tmp_path / "tests" / "mutations.py").write_text(
        "import json, os, signal, sys, time\n"
        "print(json.dumps({'case': None, 'wrong': []}), flush=True)\n"
        "for case in range(int(sys.argv[1]), int(sys.argv[2])):\n"
        "    if case == 1: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if case == 3: time.sleep(60)\n"
        "    print(json.dumps({'case': case, 'kind': 'x', 'wrong': [], 'warnings': []}), flush=True)\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "HANG_S", 1.0)
    lines = watched(0, 5, [])
    assert [r["case"] for r in lines] == [0, 1, 2, 3, 4]
    assert [bool(r["wrong"]) for r in lines] == [False, True, False, True, False]
    assert "died with -11" in lines[1]["wrong"][0] and "no answer" in lines[3]["wrong"][0]
