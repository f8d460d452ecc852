"""Options that every command over many items has: what runs them, where, and what an item may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..engine.protocol import Engine

Name = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="What runs many items: local (processes here), spark, or a module of your own with build().",
    ),
]
Master = Annotated[
    str,
    typer.Option(
        "--master",
        metavar="URL",
        help="With --engine spark: local[4], spark://HOST:7077, yarn, k8s://...; by default Spark's own, or local[*].",
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout-s", metavar="S", help="An item that takes longer fails, the others go on; 0: no limit."),
]
Memory = Annotated[
    float,
    typer.Option("--memory-gb", metavar="GB", help="An item that needs more memory fails, the others go on; 0: none."),
]


def load(name: str, *, workers: int, master: str, timeout_s: float, memory_gb: float) -> Engine:
    """Return the engine that a command line asks for.

    Parameters
    ----------
    name : str
        As of ``--engine``.
    workers : int
        As of ``--workers``; 0: one per core.
    master : str
        As of ``--master``.
    timeout_s, memory_gb : float
        Limits of an item; 0 for none.

    Raises
    ------
    UsageError
        If there is no such engine, or an option that it does not know.
    """
    from .. import engine as engines
    from ..engine.protocol import Options
    from ..errors import UsageError

    if workers and name == "spark":
        raise UsageError(
            f"--workers {workers}: Spark has the cores of its cluster; expected --master 'local[{workers}]' on one"
            " machine, or executors as the cluster gives them. Leave --workers out."
        )
    options = Options(master=master, timeout_s=timeout_s, memory_gb=memory_gb)
    return engines.load(name, workers=workers or engines.cores(), options=options)
