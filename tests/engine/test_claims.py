"""Claims: who works on an item, seen by others; those of the dead are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from polynya.engine import claims
from polynya.errors import UsageError
from polynya.io import atomic


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_claim_is_there_while_the_block_works_and_no_longer(tmp_path):
    place = tmp_path / "out" / "granule"
    with claims.holding(place, run="a") as is_free:
        assert is_free and claims.is_held(place, run="a") and not claims.is_held(place, run="b")
        assert [p.name for p in place.parent.iterdir()] == [".granule.claim"]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_claimed_at_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with claims.holding("memory://bucket/a", run="a") as first, claims.holding("memory://bucket/a", run="b") as second:
        assert first and second
    claims.sweep(["memory://bucket/a"])
    assert not claims.can_be_claimed("s3://bucket/a") and list(tmp_path.iterdir()) == []


def test_what_was_there_or_written_stays(tmp_path):
    place = tmp_path / "out" / "granule"
    with claims.holding(place):
        place.write_text("a result")
    assert [p.name for p in place.parent.iterdir()] == ["granule"]


def test_another_run_is_told_and_the_same_run_goes_on(tmp_path):
    with claims.holding(tmp_path / "x", run="a"):
        with claims.holding(tmp_path / "x", run="b", wait=False) as is_free:
            assert not is_free
        with claims.holding(tmp_path / "x", run="a", wait=False) as is_free:
            assert is_free
    assert list(tmp_path.iterdir()) == []


def test_runs_without_a_name_are_different_runs(tmp_path):
    with claims.holding(tmp_path / "x"), claims.holding(tmp_path / "x", wait=False) as is_free:
        assert not is_free


def test_who_waits_gets_it_afterwards(tmp_path):
    order = []

    def second():
        with claims.holding(tmp_path / "x", run="b") as is_free:
            order.append(("second", is_free))

    with claims.holding(tmp_path / "x", run="a"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.4)
        order.append("first ends")
    thread.join(10)
    assert order == ["first ends", ("second", True)]


@pytest.mark.parametrize("host", ["here", "elsewhere"])
def test_the_claim_of_a_dead_process_is_broken(tmp_path, monkeypatch, host):
    """Here it is known at once; of another computer, when its time has stood still."""
    monkeypatch.setattr(claims, "STALE_S", 0.6)
    words = {"host": atomic.host() if host == "here" else "other", "process": dead_process(), "run": "a"}
    claims.path_of(tmp_path / "x").write_text(json.dumps(words))
    began = time.monotonic()
    with claims.holding(tmp_path / "x", run="b") as is_free:
        assert is_free and claims.is_held(tmp_path / "x", run="b")
    assert (time.monotonic() - began > 0.5) == (host == "elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_a_claim_with_a_heartbeat_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "STALE_S", 1.5)
    monkeypatch.setattr(claims, "BEAT_S", 0.1)
    came = []

    def second():
        with claims.holding(tmp_path / "x", run="b"):
            came.append(time.monotonic())

    with claims.holding(tmp_path / "x", run="a"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(2.5)
        assert not came
    thread.join(10)
    assert came


def test_only_the_own_claim_is_given_back_for_a_process(tmp_path):
    path = claims.path_of(tmp_path / "x")
    with claims.holding(tmp_path / "x", run="a"):
        claims.give_back(path, process=os.getpid() + 1)
        assert path.exists()
        claims.give_back(path, process=os.getpid())
        assert not path.exists()


def test_where_nothing_can_be_written_the_task_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with claims.holding(tmp_path / "file" / "x", run="a", wait=False) as is_free:
        assert is_free


def test_who_would_wait_for_itself_is_told(tmp_path):
    with claims.holding(tmp_path / "x", run="a"):
        expected = pytest.raises(UsageError, match=r"held by the same thread.*another output folder")
        with expected, claims.holding(tmp_path / "x", run="b"):
            raise AssertionError("it went on")
        assert claims.is_held(tmp_path / "x", run="a")
    with claims.holding(tmp_path / "x", run="b") as is_free:
        assert is_free


def test_a_dead_claim_that_cannot_be_removed_holds_nobody_up(tmp_path, monkeypatch):
    """As in a folder of somebody else's with the sticky bit: the result itself can be written, or says why not."""
    path = claims.path_of(tmp_path / "x")
    path.write_text(json.dumps({"host": atomic.host(), "process": dead_process(), "run": "a"}))

    def refuse(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr(claims.os, "rename", refuse)
    came = []

    def work():
        with claims.holding(tmp_path / "x", run="b") as is_free:
            came.append(is_free)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert came == [True] and path.exists()


def test_a_claim_that_cannot_be_replaced_leaves_no_other_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours")

    with claims.holding(tmp_path / "x", run="a"):
        monkeypatch.setattr(claims.os, "replace", refuse)
        with claims.holding(tmp_path / "x", run="a") as is_free:
            assert is_free and [p.name for p in tmp_path.iterdir()] == [".x.claim"]


def test_a_broken_claim_that_was_another_one_comes_back(tmp_path):
    path = claims.path_of(tmp_path / "x")
    path.write_text("of another, who came in between")
    assert claims._break(path, "of the dead")
    assert path.read_text() == "of another, who came in between"
    assert [p.name for p in tmp_path.iterdir()] == [".x.claim"]


def test_who_listens_is_told_when_the_waiting_is_over(tmp_path):
    told = []
    with atomic.listening(told.append):
        with claims.holding(tmp_path / "x", run="a"):
            assert told == [claims.path_of(tmp_path / "x")]
            with claims.holding(tmp_path / "x", run="b", wait=False) as is_free:
                assert not is_free and len(told) == 1
        with claims.holding("", run="a"):
            assert len(told) == 1
