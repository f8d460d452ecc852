"""Modules by name: a file of one of polynya's folders, or a dotted module of somebody else."""

from __future__ import annotations

import importlib
from types import ModuleType


def dotted(name: str, *, folder: str) -> str:
    """Return the full name of a module.

    Parameters
    ----------
    name : str
        A file of the folder (``lstm``), or a dotted module (``mylab.nets.tiny``), which is imported as written.
    folder : str
        Full name of the folder's package (``polynya.models``).
    """
    return name if "." in name else f"{folder}.{name}"


def find(name: str, *, folder: str) -> ModuleType | None:
    """Import a module by its name.

    Parameters
    ----------
    name, folder : str
        As :func:`dotted` takes them.

    Returns
    -------
    module or None
        None where there is no such module.

    Raises
    ------
    ImportError
        If the module is there, but something that it imports is not.
    """
    full = dotted(name, folder=folder)
    if full.startswith("."):
        return None
    try:
        return importlib.import_module(full)
    except ModuleNotFoundError as error:
        if error.name and not f"{full}.".startswith(f"{error.name}."):
            raise
        return None
