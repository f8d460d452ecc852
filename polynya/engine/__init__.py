"""Engines: run one task over many items, by name (see ``protocol`` for what an engine is)."""

from __future__ import annotations

import inspect
import os
import pkgutil
from dataclasses import asdict

from .. import modules
from ..errors import UsageError
from .protocol import Engine, Options

DEFAULT = "local"
PARTS = ("protocol", "claims", "child")
"""Files of this folder that engines are made of."""


def names() -> list[str]:
    """Return the names of the engines that come with polynya: the other files of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in PARTS)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(name: str, *, workers: int, options: Options | None = None) -> Engine:
    """Return an engine by its name.

    Parameters
    ----------
    name : str
        A file of this folder (``local``), or the dotted name of a module that can be imported
        (``mylab.engines.slurm``); it has ``build(*, workers) -> Engine``.
    workers : int
        Items at a time; at least 1.
    options : Options, optional
        What else the user asks for.

    Raises
    ------
    UsageError
        If there is no such module, it builds no engine, or it knows nothing of an option.
    """
    module, why = None, ""
    if "." in name or name in names():
        try:
            module = modules.find(name, folder=__name__)
        except ImportError as error:
            why = f" ({error.name} cannot be imported)" if error.name else ""
    if module is None:
        raise UsageError(
            f"--engine {name}: no such engine{why}; expected {', '.join(names())}, or the dotted name of a module with"
            " build(*, workers). Check the name, or install what it needs."
        )
    if not callable(getattr(module, "build", None)):
        raise UsageError(
            f"--engine {name}: the module has no build(*, workers) that returns an engine; expected one. See"
            " polynya/engine/local.py."
        )
    asked = {k: v for k, v in asdict(options or Options()).items() if v}
    taken = inspect.signature(module.build).parameters
    for option in asked:
        if option not in taken:
            raise UsageError(
                f"--{option.replace('_', '-')} {asked[option]}: the engine {name} has no such option; expected one of"
                f" {', '.join(o for o in taken if o != 'workers') or 'none'}. Leave it out, or choose another --engine."
            )
    return module.build(workers=max(workers, 1), **asked)
