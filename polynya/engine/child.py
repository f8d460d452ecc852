"""One worker process: it does one item at a time, and whatever ends it ends nothing else.

Engines put their work into such processes, so that a crash in a C library, an item that hangs and one that takes too
much memory cost that item alone. The process tells what it writes under temporary names; when it dies, that is removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, one_line
from ..io import atomic
from . import claims
from .protocol import AnyItem, Record, Task, attempt, failed

if TYPE_CHECKING:  # one item runs in the process of the command, which then does without
    from multiprocessing import connection

_LOOK_S = 0.1
_READY, _WRITING, _RECORD, _UNKNOWN = "ready", "writing", "record", "unknown"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the work on one item may take.

    Attributes
    ----------
    timeout_s : float
        Seconds; 0 for no limit.
    memory_gb : float
        Memory of its own that the process may hold, GB; 0 for no limit.
    """

    timeout_s: float = 0.0
    memory_gb: float = 0.0

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return bool(self.timeout_s or self.memory_gb)


class DiedError(Exception):
    """The process ended while it worked on an item."""


class StoppedError(Exception):
    """The process was ended by :meth:`Child.stop`."""


class Child:
    """A worker process, started when it is needed first, and again after it died.

    Parameters
    ----------
    limits : Limits
        Of every item.
    argv : list of str, optional
        Command line of the run, for its records; by default that of this process.
    """

    def __init__(self, *, limits: Limits, argv: list[str] | None = None) -> None:
        self._limits = limits
        self._argv = list(sys.argv if argv is None else argv)
        self._process: Any = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def configure(self, *, limits: Limits, argv: list[str]) -> None:
        """Set what holds for the next items; a process of another command line ends.

        Parameters
        ----------
        limits : Limits
            Of every item.
        argv : list of str
            Command line of the run, for its records.
        """
        if argv != self._argv:
            self.close()
        self._limits, self._argv = limits, list(argv)

    def run(self, task: Task[AnyItem], item: AnyItem, *, run: str, wait: bool) -> Record:
        """Run a task on one item in the process.

        Parameters
        ----------
        task : callable
            Takes the item and returns a record.
        item : Item
            What it works on.
        run : str
            Of :func:`polynya.engine.claims.new_run`.
        wait : bool
            Wait where another command works on the item.

        Returns
        -------
        Record
            Failed where the item took more than the limits allow.

        Raises
        ------
        DiedError
            If the process died.
        StoppedError
            If another thread called :meth:`stop`.
        """
        written: list[Path] = []
        try:
            self._start()
            self._connection.send((functools.partial(attempt, task, run=run, wait=wait), item, item.name))
            return self._answer(item, written, waits=wait and claims.can_be_claimed(getattr(item, "place", "")))
        except (EOFError, OSError) as error:
            code = self._end(written)
            if self._stopped.is_set():
                raise StoppedError from error
            raise DiedError(f"exit code {code}" if code is None or code >= 0 else _signal_name(-code)) from error
        except BaseException:
            self._end(written)
            raise

    def stop(self) -> None:
        """End the process at once, from any thread; who waits for it cleans up behind it."""
        self._stopped.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the process while nothing runs in it."""
        if self._process is not None:
            self._end([])

    def _start(self) -> None:
        if self._process is not None:
            return
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        lifeline, held = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(there, lifeline, self._argv), daemon=True, name="polynya-item")
        with self._lock:
            if self._stopped.is_set():
                raise EOFError
            process.start()
            self._process, self._connection, self._held = process, here, held
        there.close()
        lifeline.close()
        self._next(Limits())  # imports are no part of an item's time and memory

    def _answer(self, item: AnyItem, written: list[Path], *, waits: bool) -> Record:
        limit = self._limits.timeout_s
        deadline = time.monotonic() + limit if limit and not waits else 0.0
        while True:
            try:
                kind, value = self._next(self._limits, deadline=deadline)
            except TimeoutError:
                self._end(written)
                return failed(
                    item,
                    f"{item.name}: took longer than {limit:g} s (--timeout-s); expected an item to end within it. Raise"
                    " --timeout-s, or look whether the file can be read.",
                )
            except MemoryError as error:
                self._end(written)
                return failed(
                    item,
                    f"{item.name}: needed {error} GB of memory, more than {self._limits.memory_gb:g} GB (--memory-gb);"
                    " expected to stay below. Raise --memory-gb, or use a --bbox.",
                )
            if kind == _RECORD:
                return value
            if kind == _UNKNOWN:
                return failed(
                    item, f"{item.name}: the worker cannot import the task ({value}); expected polynya as it is here."
                )
            written.append(Path(value))
            if limit and value.endswith(".claim"):
                deadline = time.monotonic() + limit  # until then it waited for another command

    def _next(self, limits: Limits, *, deadline: float = 0.0) -> tuple[str, Any]:
        from multiprocessing.connection import wait

        while True:
            wait_s = _LOOK_S if deadline or limits.memory_gb else 3600.0
            ready = wait([self._connection, self._process.sentinel], timeout=wait_s)
            if self._connection in ready or self._connection.poll():
                return self._connection.recv()
            if ready:
                raise EOFError
            if deadline and time.monotonic() > deadline:
                raise TimeoutError
            used = _memory_gb(self._process.pid) if limits.memory_gb else 0.0
            if used > limits.memory_gb:
                raise MemoryError(f"{used:.2f}")

    def _end(self, written: list[Path]) -> int | None:
        """Kill the process, remove what it left behind, and return its exit code."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        process.join()
        with contextlib.suppress(EOFError, OSError):
            while self._connection.poll():
                kind, value = self._connection.recv()
                if kind == _WRITING:
                    written.append(Path(value))
        for path in reversed(written):
            claims.give_back(path, process=process.pid)
        self._connection.close()
        self._held.close()
        code = process.exitcode
        process.close()
        return code


def check(limits: Limits) -> Limits:
    """Return limits that can be kept on this computer.

    Parameters
    ----------
    limits : Limits
        As asked for.

    Raises
    ------
    UsageError
        If one is negative, or memory cannot be measured here.
    """
    for option, value in (("timeout-s", limits.timeout_s), ("memory-gb", limits.memory_gb)):
        if not value >= 0:
            raise UsageError(f"--{option} {value:g}: expected 0 (no limit) or more. Correct it.")
    if limits.memory_gb and not Path("/proc/self/status").exists():
        raise UsageError("--memory-gb: needs /proc, which this system has not; expected Linux. Leave it out.")
    return limits


def died(item: AnyItem, error: DiedError, *, tries: int) -> Record:
    """Return the record of an item whose process died, every time.

    Parameters
    ----------
    item : Item
        What it worked on.
    error : DiedError
        The last one.
    tries : int
        How often it was tried.
    """
    return failed(
        item,
        f"{item.name}: the worker process died on it, {tries} times of {tries} ({error}; out of memory, or a crash"
        " while reading); expected it to finish. Use fewer --workers or a --bbox, or download the file again.",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _memory_gb(process: int) -> float:
    """Return the memory of its own that a process holds, GB: pages of files do not count."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(s.split()[1]) * 1024 / 1e9 for s in lines if s.startswith("RssAnon:")), 0.0)


def _serve(pipe: connection.Connection, lifeline: connection.Connection, argv: list[str]) -> None:
    """Work in the process: who started it decides when it ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sys.argv[:] = argv
    written: list[Path] = []
    lock = threading.Lock()

    def told(path: Path) -> None:
        written.append(path)
        with lock:
            pipe.send((_WRITING, str(path)))

    threading.Thread(target=_end_with, args=(lifeline, written), daemon=True).start()
    with atomic.listening(told), contextlib.suppress(EOFError, OSError):
        pipe.send((_READY, ""))
        while True:
            try:
                work, item, _ = pipe.recv()
            except (ImportError, AttributeError) as error:
                pipe.send((_UNKNOWN, one_line(error)))
                continue
            answer: Callable[..., Record] = work
            record = answer(item)
            with lock:
                pipe.send((_RECORD, record))
            written.clear()


def _end_with(lifeline: connection.Connection, written: list[Path]) -> None:
    """End when the starter is gone: a process alone would hold memory, and write results that nobody waits for."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    for _ in range(5):
        for path in reversed(list(written)):
            claims.give_back(path, process=os.getpid())
        time.sleep(0.02)
    os._exit(1)
