"""The local engine: worker processes on this machine."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from . import claims
from .child import Child, DiedError, Limits, StoppedError, check, died
from .protocol import AnyItem, Record, Task, around_others, attempt

TRIES = 2
"""How often an item is begun whose process dies: the second time alone, with the memory of all."""


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Run tasks in worker processes, or in this one.

    Attributes
    ----------
    workers : int
        Processes; 1 runs everything in the calling process, unless there are limits.
    limits : Limits
        Of every item.
    """

    workers: int = 1
    limits: Limits = field(default_factory=Limits)

    def map(self, task: Task[AnyItem], items: Sequence[AnyItem]) -> Iterator[Record]:
        """Yield one record per item, as they finish."""
        run = claims.new_run()
        if (self.workers <= 1 or len(items) <= 1) and not self.limits:
            once = functools.partial(_here, task, run=run)
        else:
            once = functools.partial(self._pool, task, run=run)
        yield from around_others(once, items)

    def _pool(self, task: Task[AnyItem], items: Sequence[AnyItem], *, run: str, wait: bool) -> Iterator[Record]:
        waiting: queue.SimpleQueue[AnyItem] = queue.SimpleQueue()
        for item in items:
            waiting.put(item)
        found: queue.SimpleQueue[Record | tuple[AnyItem, DiedError] | BaseException] = queue.SimpleQueue()
        children = [Child(limits=self.limits) for _ in range(min(max(self.workers, 1), len(items)))]
        threads = [
            threading.Thread(
                target=_work, args=(functools.partial(c.run, task, run=run, wait=wait), waiting, found), daemon=True
            )
            for c in children
        ]
        suspects: list[AnyItem] = []
        try:
            for thread in threads:
                thread.start()
            for _ in items:
                got = found.get()
                if isinstance(got, BaseException):
                    raise got
                if isinstance(got, Record):
                    yield got
                else:
                    suspects.append(got[0])
            for thread in threads:
                thread.join()
            for item in suspects:
                yield _alone(children[0], task, item, run=run, wait=wait)
        finally:
            for child in children:  # stopped, or the caller lost interest: what is under way can be done again
                child.stop()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            for child in children:
                child.close()


def build(*, workers: int, timeout_s: float = 0.0, memory_gb: float = 0.0) -> LocalEngine:
    """Return the engine of this file.

    Parameters
    ----------
    workers : int
        Processes; 1 runs everything in the calling process, unless there are limits.
    timeout_s : float
        Seconds that one item may take; 0 for no limit.
    memory_gb : float
        Memory that the work on one item may use, GB; 0 for no limit.

    Raises
    ------
    UsageError
        If a limit cannot be kept.
    """
    return LocalEngine(workers=workers, limits=check(Limits(timeout_s=timeout_s, memory_gb=memory_gb)))


def _here(task: Task[AnyItem], items: Sequence[AnyItem], *, run: str, wait: bool) -> Iterator[Record]:
    for item in items:
        yield attempt(task, item, run=run, wait=wait)


def _work(one: Task[AnyItem], waiting: queue.SimpleQueue[AnyItem], found: queue.SimpleQueue) -> None:
    """Take items until none is left: the thread of one worker process."""
    while True:
        try:
            item = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            found.put(one(item))
        except DiedError as error:
            found.put((item, error))
        except StoppedError:
            return
        except BaseException as error:
            found.put(error)
            return


def _alone(child: Child, task: Task[AnyItem], item: AnyItem, *, run: str, wait: bool) -> Record:
    try:
        record = child.run(task, item, run=run, wait=wait)
    except DiedError as error:
        record = died(item, error, tries=TRIES)
    return replace(record, tries=TRIES)
