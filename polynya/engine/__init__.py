"""Engines: run one task over many items, by name (see ``protocol`` for what an engine is)."""

from __future__ import annotations

import pkgutil

from .. import modules
from ..errors import UsageError
from .protocol import Engine

DEFAULT = "local"


def names() -> list[str]:
    """Return the names of the engines that come with polynya: the files of this folder with a ``build``."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "protocol")


def load(name: str, *, workers: int) -> Engine:
    """Return an engine by its name.

    Parameters
    ----------
    name : str
        A file of this folder (``local``), or the dotted name of a module that can be imported
        (``mylab.engines.slurm``); it has ``build(*, workers) -> Engine``.
    workers : int
        Items at a time; at least 1.

    Raises
    ------
    UsageError
        If there is no such module, or it builds no engine.
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
    return module.build(workers=max(workers, 1))
