"""The local engine: worker processes on this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from .protocol import FAILED, Record, Task, attempt


@dataclass(frozen=True)
class LocalEngine:
    """Run tasks in worker processes, or in this one.

    Attributes
    ----------
    workers : int
        Processes; 1 runs everything in the calling process.
    """

    workers: int = 1

    def map(self, task: Task, items: Sequence[str]) -> Iterator[Record]:
        """Yield one record per item, as they finish."""
        if self.workers <= 1 or len(items) <= 1:
            for item in items:
                yield attempt(task, item)
            return
        yield from self._pool(task, list(items))

    def _pool(self, task: Task, items: list[str]) -> Iterator[Record]:
        # A worker that dies (killed for memory, a crash in a C library) breaks the whole pool, and the
        # pool cannot say which item did it: those under way are tried again, each alone.
        waiting = list(reversed(items))
        suspects: list[str] = []
        while waiting or suspects:
            alone = bool(suspects)
            with ProcessPoolExecutor(1 if alone else self.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
                running: dict[Future[Record], str] = {}
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
                            yield Record(
                                item, FAILED,
                                f"{item}: the worker process died on it (out of memory, or a crash while reading); expected it to finish. "
                                "Use fewer --workers or a --bbox, or download the file again.", exit_code=1,
                            )
                    else:
                        suspects.extend(running.values())
