"""Corrections: merged against a plain loop, undone exactly, and a file that survives what happens to files."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya import schema
from polynya.errors import OutputError, ProductError, UsageError
from polynya.labels import corrections
from polynya.labels import lock as corrections_lock
from polynya.labels.corrections import Correction

GRANULE = "ATL03_A"
N = 12


def table(seed: int = 0):
    rng = np.random.default_rng(seed)
    n = 2 * N
    columns = {v: np.zeros(n) for v in schema.FEATURES.names} | {
        "granule": GRANULE,
        "beam": np.repeat(["gt1r", "gt2r"], N),
        "is_strong": True,
        "time": np.full(n, np.datetime64("2019-11-04", "ns")),
        "latitude": np.zeros(n),
        "longitude": np.zeros(n),
        "x_atc": np.tile(100.0 + 2.0 * np.arange(N), 2),
        "easting": np.zeros(n),
        "northing": np.zeros(n),
        "image_value": np.zeros(n),
        "label": rng.integers(-1, 4, n),
        "label_source": np.full(n, schema.LABEL_IMAGE),
        "label_flag": np.full(n, 1),
    }
    out = schema.table(schema.LABELS, columns, about={"granule": GRANULE, "shift_east_m": 5})
    return out.take(rng.permutation(n))  # rows may come in any order


def label(beam="gt1r", a=0, b=3, to=1, *, identity="", granule=GRANULE) -> Correction:
    return Correction(
        action="label",
        granule=granule,
        who="me",
        to=to,
        beam=beam,
        x_from=100.0 + 2 * a,
        x_to=100.0 + 2 * b,
        was={"0": 1},
        id=identity,
        time="2026-01-01T00:00:00+00:00",
    )


def undo(of: str, identity: str) -> Correction:
    return Correction(action="undo", granule=GRANULE, who="me", to=of, id=identity, time="2026-01-01T00:00:00+00:00")


LABELS = st.builds(
    lambda beam, a, b, to: (beam, min(a, b), max(a, b), to),
    st.sampled_from(["gt1r", "gt2r", "gt3r"]),
    st.integers(-1, N),
    st.integers(-1, N),
    st.sampled_from([-1, 0, 1, 2]),
)


def numbered(drawn) -> list[Correction]:
    return [label(*values, identity=f"c{k}") for k, values in enumerate(drawn)]


@settings(max_examples=60, deadline=None)
@given(st.lists(LABELS, max_size=6))
def test_apply_is_a_loop_over_rows_and_twice_is_once(drawn):
    before, lines = table(), numbered(drawn)
    after = corrections.apply(before, lines)
    rows = before.to_pylist()
    for row in rows:
        for c in lines:
            if c.beam == row["beam"] and c.x_from - 0.01 <= row["x_atc"] <= c.x_to + 0.01:
                row |= {"label": c.to, "label_source": 2, "label_flag": 6 if c.to == -1 else 0}
    assert after.to_pylist() == rows
    assert after.schema.equals(before.schema, check_metadata=True)
    assert corrections.apply(after, lines).equals(after)


@settings(max_examples=60, deadline=None)
@given(st.lists(LABELS, min_size=1, max_size=6), st.data())
def test_undo_restores_exactly_and_redo_brings_back(drawn, data):
    before, lines = table(), numbered(drawn)
    kept = data.draw(st.integers(0, len(lines) - 1))
    undone = list(lines)
    for k, line in enumerate(reversed(lines[kept:])):
        undone.append(undo(line.id, f"u{k}"))
    assert corrections.apply(before, undone).equals(corrections.apply(before, lines[:kept]))
    redone = undone + [undo(f"u{k}", f"r{k}") for k in reversed(range(len(lines) - kept))]
    assert corrections.apply(before, redone).equals(corrections.apply(before, lines))
    can_undo, can_redo = corrections.history(redone)
    assert [c.id for c in can_undo] == [c.id for c in lines] and not can_redo


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["new", "undo", "redo"]), max_size=25))
def test_history_is_two_stacks(steps):
    lines: list[Correction] = []
    done, gone = [], []
    for k, step in enumerate(steps):
        can_undo, can_redo = corrections.history(lines)
        assert [c.id for c in can_undo] == done and [c.id for c, _ in can_redo] == gone
        assert [c.id for c in corrections.active(lines)] == done
        if step == "new":
            lines.append(label(identity=f"n{k}"))
            done, gone = [*done, f"n{k}"], []
        elif step == "undo" and done:
            lines.append(undo(can_undo[-1].id, f"n{k}"))
            gone.append(done.pop())
        elif step == "redo" and gone:
            lines.append(undo(can_redo[-1][1].id, f"n{k}"))
            done.append(gone.pop())


def test_other_granules_change_nothing():
    assert corrections.apply(table(), [label(identity="a", granule="ATL03_B")]).equals(table())


def test_shift_and_done_follow_the_last_line_in_force():
    lines = [
        Correction(action="shift", granule=GRANULE, who="me", to=(10.0, -5.0), id="a"),
        Correction(action="shift", granule=GRANULE, who="me", to=(20.0, 0.0), id="b"),
        Correction(action="done", granule=GRANULE, who="me", to=True, id="c"),
    ]
    assert corrections.shift(lines, granule=GRANULE) == (20.0, 0.0) and corrections.is_done(lines, granule=GRANULE)
    lines += [undo("c", "d"), undo("b", "e")]
    assert corrections.shift(lines, granule=GRANULE) == (10.0, -5.0) and not corrections.is_done(lines, granule=GRANULE)
    assert corrections.shift(lines, granule="ATL03_B") is None


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "labels.corrections.jsonl"
    assert corrections.beside(tmp_path / "labels.parquet") == path
    new = [
        label(to=-1),
        Correction(action="shift", granule=GRANULE, who="Ünal \u201cx\u201d\n", to=(1.5, -2.0), was=(0.0, 0.0)),
        Correction(action="done", granule=GRANULE, who="me", to=True, was=False),
    ]
    written = [corrections.append(path, c) for c in new]
    written.append(corrections.append(path, undo(written[0].id, "")))
    assert corrections.read(path) == written or repr(corrections.read(path)) == repr(written)  # NaN is not NaN
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    assert [r["action"] for r in raw] == ["label", "shift", "done", "undo"]
    assert (
        raw[0]["x_atc"] == [100.0, 106.0]
        and raw[0]["from"] == {"0": 1}
        and raw[0]["to"] == -1
        and raw[0]["who"] == "me"
    )
    assert raw[0]["time"].endswith("+00:00") and len({r["id"] for r in raw}) == 4
    assert corrections.shift(corrections.read(path), granule=GRANULE) == (1.5, -2.0)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_last_line_is_left_out_reported_and_fixed(tmp_path, cut):
    path = tmp_path / "c.jsonl"
    first = corrections.append(path, label(to=0))
    corrections.append(path, label(to=1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    log = corrections.read_log(path)
    if cut == 1:  # only the line's end is missing: the line holds
        assert [c.to for c in log.corrections] == [0, 1] and not log.torn
    else:
        assert log.corrections == (first,) and log.torn
        with pytest.warns(UserWarning, match="is incomplete and is ignored"):
            assert corrections.read(path) == [first]
    third = corrections.append(path, label(to=2))
    log = corrections.read_log(path)
    assert (
        [c.to for c in log.corrections] == ([0, 1, 2] if cut == 1 else [0, 2])
        and log.corrections[-1] == third
        and not log.torn
    )
    assert path.read_bytes().startswith(whole[:-cut])  # nothing is deleted


def test_a_broken_line_inside_stops_with_its_number(tmp_path):
    path = tmp_path / "c.jsonl"
    for to in (0, 1, 2):
        corrections.append(path, label(to=to))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:30], lines[2]]) + "\n")
    with pytest.raises(ProductError, match=r"c\.jsonl: line 2 is no correction"):
        corrections.read_log(path)
    with pytest.raises(ProductError, match="line 2"):  # and nothing is appended to a damaged file
        corrections.append(path, label())
    path.write_text("\n".join([lines[0], lines[0]]) + "\n")
    with pytest.raises(ProductError, match=r"line 2 has the id .* of an earlier line"):
        corrections.read_log(path)


@pytest.mark.parametrize(
    "bad",
    [
        label(to=3),
        label(to=True),
        label(a=3, b=1),
        label(beam=""),
        Correction(action="shift", granule=GRANULE, who="me", to=(float("nan"), 0.0)),
        Correction(action="erase", granule=GRANULE, who="me", to=1),
        undo("", ""),
    ],
)
def test_a_correction_that_does_not_fit_is_not_written(tmp_path, bad):
    with pytest.raises(UsageError, match="Nothing was written"):
        corrections.append(tmp_path / "c.jsonl", bad)
    assert not (tmp_path / "c.jsonl").exists()


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "c.jsonl"
    corrections.append(path, label())
    before, write = path.read_bytes(), os.write

    def some(handle, data):
        if len(data) < 40:
            raise OSError(28, "No space left on device")
        return write(handle, data[:-30])

    monkeypatch.setattr(corrections.os, "write", some)
    with pytest.raises(OutputError, match="NOT saved"):
        corrections.append(path, label(to=2))
    assert path.read_bytes() == before


def test_a_missing_file_is_said_by_read_and_empty_for_the_log(tmp_path):
    assert corrections.read_log(tmp_path / "none.jsonl").corrections == ()
    with pytest.raises(ProductError, match="no such file"):
        corrections.read(tmp_path / "none.jsonl")


def _hold(path, ready):
    with corrections_lock.locked(path):
        ready.set()
        time.sleep(60)


def test_one_process_at_a_time_and_a_killed_one_does_not_count(tmp_path):
    path = tmp_path / "c.jsonl"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(path, ready))
    holder.start()
    assert ready.wait(60)
    with (
        pytest.raises(OutputError, match=rf"another polynya review has it open \(process {holder.pid} on"),
        corrections_lock.locked(path),
    ):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)
    assert corrections_lock.lock_path(path).exists()  # the dead one's lock is still there, and is taken over
    with (
        corrections_lock.locked(path) as lock,
        pytest.raises(OutputError, match="another"),
        corrections_lock.locked(path),
    ):
        pass
    assert not lock.exists()


def test_the_lock_of_another_computer_holds_and_is_named(tmp_path):
    path = tmp_path / "c.jsonl"
    dead = multiprocessing.get_context("spawn").Process(target=int)
    dead.start()
    dead.join(60)
    lock = corrections_lock.lock_path(path)
    lock.write_text(f"{dead.pid}\nanother-computer\n")
    with (
        pytest.raises(OutputError, match=rf"process {dead.pid} on another-computer\).*remove {re.escape(str(lock))}"),
        corrections_lock.locked(path),
    ):
        pytest.fail("the block must not run")
    lock.write_text(f"{dead.pid}\n{socket.gethostname()}\n")
    with corrections_lock.locked(path):
        assert lock.read_text().startswith(f"{os.getpid()}\n")
    assert not lock.exists()
