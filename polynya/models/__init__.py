"""Networks, one architecture per file: ``KIND``, a frozen ``Config``, ``build(config)``. The folder is the registry."""

from __future__ import annotations

from typing import Any

from .. import modules
from ..errors import UsageError


def named(name: str) -> Any:
    """Return the module of an architecture.

    Parameters
    ----------
    name : str
        A file of this folder, or a dotted module.

    Raises
    ------
    UsageError
        If there is none, or it lacks ``KIND``, ``Config`` or ``build``.
    """
    full, module = modules.dotted(name, folder=__name__), modules.find(name, folder=__name__)
    if module is None:
        raise UsageError(
            f"model {name}: no module {full}; expected a file of polynya/models or a dotted module. Check model.name in"
            " the recipe."
        )
    missing = [n for n in ("KIND", "Config", "build") if not hasattr(module, n)]
    if missing:
        raise UsageError(
            f"model {name}: {full} has no {', '.join(missing)}; expected KIND, Config and build(config). See"
            " docs/add_a_network.md."
        )
    return module
