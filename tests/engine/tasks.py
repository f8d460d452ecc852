"""Items and tasks of these tests; module-level, so that other processes can import them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from pathlib import Path

import numpy as np

from polynya import io
from polynya.engine.protocol import DONE, SKIPPED, Record
from polynya.errors import ProductError, UsageError
from polynya.io import remote, stored

with contextlib.suppress(ImportError):
    from .. import stores  # noqa: F401  worker processes know its addresses, too


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
    """A small item without a place."""

    name: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder:
    """An item whose result is a folder; its name says what happens."""

    name: str
    place: str
    marks: str


def folders(out: Path, *names: str) -> list[Folder]:
    """Return items with results in ``out/results``, which note in ``out/marks`` that they were begun."""
    (out / "marks").mkdir(parents=True, exist_ok=True)
    return [Folder(name=n, place=str(out / "results" / n), marks=str(out / "marks")) for n in names]


def objects(out: Path, *names: str) -> list[Folder]:
    """Return the same items with results at addresses: the objects lie in ``out/results``."""
    return [dataclasses.replace(f, place=f"disk://{f.place}") for f in folders(out, *names)]


def begun(out: Path, name: str) -> int:
    """Return how often the work on an item was begun."""
    return sum(1 for p in (out / "marks").iterdir() if p.name.startswith(f"{name}."))


def obey(item: Item) -> Record:
    """Do what the name says."""
    word = item.name
    if word.startswith("bad"):
        raise ProductError(f"{word}: is\ndamaged. Download it again.")
    if word.startswith("usage"):
        raise UsageError(f"{word}: no. Try another.")
    if word.startswith("bug"):
        raise ZeroDivisionError("division by zero")
    return Record(item=word, status=DONE, outputs={"process": str(os.getpid())}, numbers={"n": 1.0})


def write(item: Folder) -> Record:
    """Write a folder, and on the way do what the name says."""
    place = io.place(item.place)
    if isinstance(place, io.Address):  # a Spark worker has the environment of the session
        os.environ[remote.CACHE] = str(Path(item.marks).with_name("cache"))
    key = io.Key(workflow="test", version=1, settings={"name": item.name}, inputs={})
    if io.finished(place, key) is not None:
        return Record(item=item.name, status=SKIPPED)
    times = sum(1 for p in Path(item.marks).iterdir() if p.name.startswith(f"{item.name}."))
    (Path(item.marks) / f"{item.name}.{os.getpid()}.{time.monotonic_ns()}").touch()
    with io.writing_folder(place) as temporary:
        (temporary / "table.txt").write_text(item.name * 1000)
        if item.name.startswith("crash") or (item.name.startswith("once") and times == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if item.name.startswith("hang"):
            time.sleep(600)
        if item.name.startswith("cut") and times == 0:
            _kill_at_second_object()
        if item.name.startswith("slow"):
            time.sleep(0.5)
        if item.name.startswith("hungry"):
            held = [np.ones(1 << 20) for _ in range(300)]
            time.sleep(0.01 * len(held))
        if item.name.startswith("large"):
            (temporary / "large.bin").write_bytes(bytes(8 << 20))
        io.write_json(
            io.run_record(command=["test"], config={}, inputs=[], key=io.key_as_dict(key)), temporary / "run.json"
        )
    return Record(item=item.name, status=DONE, outputs={"folder": item.place})


def _kill_at_second_object() -> None:
    """Let this process die while it copies a result to a store."""
    real, calls = stored._put, []

    def put(file: Path, place: io.Address) -> None:
        calls.append(place)
        if len(calls) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        real(file, place)

    stored._put = put
