"""What an engine is: it runs one task over many items and yields one small record each.

A task is a picklable callable (a module-level function, or ``functools.partial`` of one over frozen
configuration) that takes one item (a path as text), reads files, writes files and returns a
:class:`Record`. It is idempotent: temporary name, rename, skipped when done. No array crosses an
engine, so the same task runs in worker processes here and on a cluster elsewhere.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from .. import io
from ..errors import PolynyaError, one_line

DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclass(frozen=True)
class Record:
    """What a task says of one item: small, and plain enough for any engine to carry.

    Attributes
    ----------
    item : str
    status : str
        ``done``, ``skipped`` (it was done before) or ``failed``.
    message : str
        One line: the error, or what the user should know of the result.
    outputs : dict of str to str
        Name -> path of what was written.
    numbers : dict of str to float
        Counts and times worth printing.
    exit_code : int
        What the command line would exit with, were this the only item.
    seconds : float
    """

    item: str
    status: str
    message: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    exit_code: int = 0
    seconds: float = 0.0


Task = Callable[[str], Record]


class Engine(Protocol):
    """Runs a task over items; order of the records is the order in which they finish."""

    def map(self, task: Task, items: Sequence[str]) -> Iterator[Record]:
        """Yield one record per item; an item that breaks its worker becomes a failed record."""
        ...


def _stop_behind(error: BaseException | None) -> BaseException | None:
    """Return the interrupt that a compiled function turned into an ordinary error, if there is one."""
    for _ in range(20):
        if error is None or not isinstance(error, Exception):
            return error
        error = error.__cause__ or error.__context__
    return None


def attempt(task: Task, item: str) -> Record:
    """Run a task on one item; whatever goes wrong becomes a failed record with one line.

    Parameters
    ----------
    task : callable
    item : str

    Returns
    -------
    Record
    """
    started = time.perf_counter()
    try:
        record = task(item)
    except PolynyaError as error:
        record = Record(item, FAILED, one_line(error), exit_code=error.exit_code)
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError:
        record = Record(item, FAILED, f"{item}: not enough memory. Use fewer --workers, or a --bbox.", exit_code=1)
    except Exception as error:
        stop = _stop_behind(error)
        if stop is not None:
            raise stop from None
        where = traceback.extract_tb(error.__traceback__)[-1]
        record = Record(
            item,
            FAILED,
            f"{item}: polynya failed on it ({one_line(error)}, at {where.name} line {where.lineno}); expected every"
            " readable granule to work. Please report it with this line.",
            exit_code=1,
        )
    return replace(record, seconds=time.perf_counter() - started)


def as_json(record: Record) -> dict[str, object]:
    """Return a record for machines: numbers that are not finite become null."""
    return io.plain(asdict(record))
