"""What an engine is: it runs one task over many items and yields one small record each.

A task is a picklable callable (a module-level function, or ``functools.partial`` of one over frozen configuration) that
takes one item, reads files, writes files and returns a :class:`Record`. It is idempotent: temporary name, rename,
skipped when done. An item is a small frozen record with a ``name``: what the task must know of this item and of no
other. No array crosses an engine, so the same task runs in worker processes here and on a cluster elsewhere.

An engine is one file with ``build(*, workers) -> Engine``. What else a user may ask of it are further parameters of
``build``, each with a default, named as in :class:`Options`.
"""

from __future__ import annotations

import datetime as dt
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol, TypeVar

from .. import io
from ..errors import PolynyaError, UsageError, one_line, unreadable
from ..io import atomic
from . import claims

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
BUSY = "busy"
"""Another command works on the item: never the last word, see :func:`around_others`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may ask of an engine; an engine takes those that its ``build`` has parameters for.

    Attributes
    ----------
    master : str
        Address of a cluster; empty for the engine's own choice.
    timeout_s : float
        Seconds that one item may take; 0 for no limit.
    memory_gb : float
        Memory that the work on one item may use, GB; 0 for no limit.
    """

    master: str = ""
    timeout_s: float = 0.0
    memory_gb: float = 0.0


class Item(Protocol):
    """What a task gets: a small frozen record, no array in it.

    One whose result has one file or folder says it as ``place`` (str): two commands with one output then share the
    items between them, see :mod:`polynya.engine.claims`.
    """

    @property
    def name(self) -> str:
        """What tells it from the other items of a run: a path, for most."""
        ...


@dataclass(frozen=True, kw_only=True)
class Record:
    """The result of a task for one item: small, and plain enough for any engine to carry.

    Attributes
    ----------
    item : str
        The item's name.
    status : str
        ``done``, ``skipped`` (it was done before) or ``failed``.
    message : str
        The error, in one line; or what the user should know of the result, one line per sentence.
    outputs : dict of str to str
        Name -> path of what was written.
    numbers : dict of str to float
        Counts and times worth printing.
    exit_code : int
        What the command line would exit with, were this the only item.
    seconds : float
    started : str
        When, UTC.
    worker : str
        Computer and process that worked on it.
    tries : int
        How often it was begun in this run, as far as the engine knows.
    """

    item: str
    status: str
    message: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float = 0.0
    started: str = ""
    worker: str = ""
    tries: int = 1


AnyItem = TypeVar("AnyItem", bound=Item)
Task = Callable[[AnyItem], Record]


class Engine(Protocol):
    """Runs a task over items; order of the records is the order in which they finish."""

    def map(self, task: Task[AnyItem], items: Sequence[AnyItem]) -> Iterator[Record]:
        """Yield one record per item; an item that breaks its worker becomes a failed record."""
        ...


def _stop_behind(error: BaseException | None) -> BaseException | None:
    """Return the interrupt that a compiled function turned into an ordinary error, if there is one."""
    for _ in range(20):
        if error is None or not isinstance(error, Exception):
            return error
        error = error.__cause__ or error.__context__
    return None


def attempt(task: Task[AnyItem], item: AnyItem, *, run: str = "", wait: bool = True) -> Record:
    """Run a task on one item; whatever goes wrong becomes a failed record with one line.

    Parameters
    ----------
    task : callable
        Takes the item and returns a record.
    item : Item
        What it works on.
    run : str
        Of :func:`polynya.engine.claims.new_run`, where an item may be tried twice at a time.
    wait : bool
        Where another command works on the item, wait for it; otherwise the record is ``busy``.

    Returns
    -------
    Record
    """
    started, now = time.perf_counter(), dt.datetime.now(dt.UTC)
    try:
        with claims.holding(getattr(item, "place", ""), run=run, wait=wait) as is_free:
            if is_free:
                started, now = time.perf_counter(), dt.datetime.now(dt.UTC)
                record = _attempted(task, item)
            else:
                record = Record(item=item.name, status=BUSY, message="another command works on it")
    except UsageError as error:  # of the claim: the work itself raises nothing
        record = failed(item, one_line(error), exit_code=error.exit_code)
    return replace(
        record,
        seconds=time.perf_counter() - started,
        started=now.isoformat(timespec="milliseconds"),
        worker=f"{atomic.host()}:{os.getpid()}",
    )


def _attempted(task: Task[AnyItem], item: AnyItem) -> Record:
    try:
        return task(item)
    except PolynyaError as error:
        return failed(item, one_line(error), exit_code=error.exit_code)
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError:
        return failed(item, f"{item.name}: not enough memory. Use fewer --workers, or a --bbox.")
    except Exception as error:
        stop = _stop_behind(error)
        if stop is not None:
            raise stop from None
        shown = unreadable(error)
        if shown is not None:
            return failed(item, one_line(shown), exit_code=shown.exit_code)
        where = traceback.extract_tb(error.__traceback__)[-1]
        return failed(
            item,
            f"{item.name}: polynya failed on it ({one_line(error)}, at {where.name} line {where.lineno}); expected"
            " every readable input to work. Please report it with this line.",
        )


def around_others(once: Callable[..., Iterator[Record]], items: Sequence[AnyItem]) -> Iterator[Record]:
    """Yield one record per item: those that other commands work on are left to the end, and then waited for.

    Parameters
    ----------
    once : callable
        ``once(items, wait=False)`` yields one record per item; ``wait`` as of :func:`attempt`.
    items : sequence of Item
        All of the run.
    """
    busy = set()
    for record in once(items, wait=False):
        if record.status == BUSY:
            busy.add(record.item)
        else:
            yield record
    if busy:
        yield from once([i for i in items if i.name in busy], wait=True)
    # a copy that was lost with its worker after the other one was done: nobody works on the item again
    claims.sweep(getattr(i, "place", "") for i in items)


def failed(item: Item, message: str, *, exit_code: int = 1) -> Record:
    """Return the record of an item that failed.

    Parameters
    ----------
    item : Item
        What failed.
    message : str
        One line: what, where, found, expected, what to do.
    exit_code : int
        What the command line would exit with, were this the only item.
    """
    return Record(item=item.name, status=FAILED, message=message, exit_code=exit_code)


def as_json(record: Record) -> dict[str, object]:
    """Return a record for machines: numbers that are not finite become null."""
    return dict(io.plain(asdict(record)))
