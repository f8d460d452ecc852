"""The local engine: one record an item, whatever the task does, in this process and in workers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time
from pathlib import Path

import pytest

from polynya.engine.local import LocalEngine
from polynya.engine.protocol import DONE, FAILED, Record, attempt
from polynya.errors import ProductError, UsageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """What a task of these tests gets."""

    name: str


def items(*names: str) -> list[Item]:
    return [Item(name=n) for n in names]


def task(item: Item) -> Record:
    """Obey the item's name; module-level, so that worker processes can import it."""
    word = Path(item.name).name
    if word.startswith("product"):
        raise ProductError(f"{word}: is\nbroken. Mend it.")
    if word.startswith("usage"):
        raise UsageError(f"{word}: no. Try another.")
    if word.startswith("bug"):
        return Record(item=item.name, status=DONE, numbers={"x": 1 / 0})
    if word.startswith("memory"):
        raise MemoryError
    if word.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    return Record(item=item.name, status=DONE, message="fine", outputs={"a": "b"}, numbers={"n": 3.0})


def test_records_are_small_frozen_and_plain():
    record = task(Item(name="good"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.status = "other"
    assert json.loads(json.dumps(dataclasses.asdict(record)))["numbers"] == {"n": 3.0}


@pytest.mark.parametrize(
    ("item", "code", "words"),
    [
        ("product", 1, "product: is broken. Mend it."),
        ("usage", 2, "usage: no. Try another."),
        ("bug", 1, "bug: polynya failed on it (ZeroDivisionError: division by zero, at task line"),
        ("memory", 1, "memory: not enough memory. Use fewer --workers"),
    ],
)
def test_attempt_turns_errors_into_records(item, code, words):
    record = attempt(task, Item(name=item))
    assert (record.item, record.status, record.exit_code) == (item, FAILED, code)
    assert record.message.startswith(words) and "\n" not in record.message


def sleep(item: Item) -> Record:
    time.sleep(0.2)
    if item.name == "bad":
        raise ValueError
    return Record(item=item.name, status=DONE, seconds=1e9)


@pytest.mark.parametrize("name", ["good", "bad"])
def test_attempt_takes_the_time(name):
    began = time.perf_counter()
    record = attempt(sleep, Item(name=name))
    assert 0.2 <= record.seconds <= time.perf_counter() - began


def test_attempt_lets_the_user_stop():
    def stop(item):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop, Item(name="a"))


def test_one_worker_stays_here_and_keeps_the_order():
    here = []

    def closure(item):  # not picklable: it would not reach another process
        here.append(os.getpid())
        return Record(item=item.name, status=DONE)

    assert [r.item for r in LocalEngine(workers=1).map(closure, items("c", "a", "b"))] == ["c", "a", "b"]
    assert set(here) == {os.getpid()}


def test_workers_give_one_record_an_item():
    names = ["good1", "product", "good2", "bug", "usage"]
    records = {r.item: r for r in LocalEngine(workers=2).map(task, items(*names))}
    assert set(records) == set(names)
    assert {i: r.status for i, r in records.items()} == {
        "good1": DONE,
        "good2": DONE,
        "product": FAILED,
        "bug": FAILED,
        "usage": FAILED,
    }
    assert records["usage"].exit_code == 2 and "polynya failed on it" in records["bug"].message


def test_a_worker_that_dies_costs_only_its_item():
    names = ["crash1", "good1", "good2", "good3"]
    records = {r.item: r for r in LocalEngine(workers=2).map(task, items(*names))}
    assert set(records) == set(names)
    assert (
        records["crash1"].status == FAILED
        and "the worker process died on it" in records["crash1"].message
        and records["crash1"].exit_code == 1
    )
    assert all(records[i].status == DONE for i in names[1:])


def test_no_items():
    assert list(LocalEngine(workers=3).map(task, [])) == []


def test_an_interrupt_inside_a_compiled_function_stops_the_run():
    """Compiled code wraps an interrupt in an ordinary error: it must not pass for a bad granule."""

    def task(item):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise SystemError("returned a result with an exception set") from stop

    with pytest.raises(KeyboardInterrupt):
        attempt(task, Item(name="a"))
