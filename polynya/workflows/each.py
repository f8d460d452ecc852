"""Many inputs, each with a result of its own: names that differ, and records in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import engine as engines
from ..engine.protocol import AnyItem, Engine, Record, Task
from ..errors import UsageError
from ..report import terminal


def check_names(names: Sequence[str], *, what: str) -> None:
    """Raise unless names differ: each gets its own folder.

    Parameters
    ----------
    names : sequence of str
        Of the inputs.
    what : str
        What the command line calls an input.

    Raises
    ------
    UsageError
        If one is there twice.
    """
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(
            f"{what}: {', '.join(double[:3])} is given more than once; expected names that differ, since each gets its"
            " own folder. Name it once."
        )


def records_of(
    items: Sequence[AnyItem], task: Task[AnyItem], *, engine: Engine | str, workers: int, show_progress: bool
) -> list[Record]:
    """Run a task over items; return the records in the order of the items.

    Parameters
    ----------
    items : sequence
        Of an engine.
    task : callable
        What is done with each.
    engine : Engine or str
        What runs it, or its name.
    workers : int
        Items at a time.
    show_progress : bool
        A bar on stderr.
    """
    if isinstance(engine, str):
        engine = engines.load(engine, workers=min(max(workers, 1), len(items)))
    found: dict[str, Record] = {}
    with terminal.progress(len(items), show=show_progress) as bar:
        for record in engine.map(task, items):
            found[record.item] = record
            bar.advance(text=f"{Path(record.item).stem[:40]} {record.status}")
    return [found[i.name] for i in items]
