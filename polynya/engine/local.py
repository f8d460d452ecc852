"""The local engine: worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from .protocol import AnyItem, Record, Task, attempt, failed


@dataclass(frozen=True, kw_only=True)
class LocalEngine:
    """Run tasks in worker processes, or in this one.

    Attributes
    ----------
    workers : int
        Processes; 1 runs everything in the calling process.
    """

    workers: int = 1

    def map(self, task: Task[AnyItem], items: Sequence[AnyItem]) -> Iterator[Record]:
        """Yield one record per item, as they finish."""
        if self.workers <= 1 or len(items) <= 1:
            for item in items:
                yield attempt(task, item)
            return
        yield from self._pool(task, list(items))

    def _pool(self, task: Task[AnyItem], items: list[AnyItem]) -> Iterator[Record]:
        # A worker that dies (killed for memory, a crash in a C library) breaks the whole pool, and the
        # pool cannot say which item did it: those under way are tried again, each alone.
        waiting = list(reversed(items))
        suspects: list[AnyItem] = []
        while waiting or suspects:
            alone = bool(suspects)
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(
                1 if alone else self.workers, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
            ) as pool:
                running: dict[Future[Record], AnyItem] = {}
                try:
                    while True:
                        source = suspects if alone else waiting
                        while source and len(running) < (1 if alone else self.workers):
                            item = source.pop()
                            running[pool.submit(attempt, task, item)] = item
                        if not running:
                            break
                        finished, _ = wait(running, return_when=FIRST_COMPLETED)
                        for future in finished:
                            record = future.result()
                            del running[future]
                            yield record
                except BrokenProcessPool:
                    if alone:
                        for item in running.values():
                            yield failed(
                                item,
                                f"{item.name}: the worker process died on it (out of memory, or a crash while reading);"
                                " expected it to finish. Use fewer --workers or a --bbox, or download the file again.",
                            )
                    else:
                        suspects.extend(running.values())
                except BaseException:  # stopped, or the caller lost interest: what is under way can be done again
                    pool.shutdown(wait=False, cancel_futures=True)
                    for worker in multiprocessing.active_children():
                        worker.terminate()
                    raise


def build(*, workers: int) -> LocalEngine:
    """Return the engine of this file.

    Parameters
    ----------
    workers : int
        Processes; 1 runs everything in the calling process.
    """
    return LocalEngine(workers=workers)


def _end_with(parent: int) -> None:
    """Leave interrupts to the parent, and end when it is gone: a worker alone would hold pipes and memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
