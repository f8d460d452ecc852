"""What a network predicts, one file per target: one class of several, several labels at once, a value with its spread,
quantiles, a share of the area, or named heads of these.

A target holds all that depends on what is predicted: how labels are encoded, the loss, the activation inside the
exported graph, the calibration, the scores and the metrics that training may stop on. Only its loss needs torch. What
all targets have is :class:`polynya.targets.protocol.Target`. The folder is the registry, and a dotted name is imported
as written: a new target is a new file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .one_of import OneOf
from .registry import AnyTarget, named, read

if TYPE_CHECKING:
    from .concentration import Concentration
    from .heads import Heads
    from .many_of import ManyOf
    from .quantiles import Quantiles
    from .value import Value

__all__ = ["AnyTarget", "Concentration", "Heads", "ManyOf", "OneOf", "Quantiles", "Value", "named", "read"]

_IN_FILES = {
    "Concentration": "concentration",
    "Heads": "heads",
    "ManyOf": "many_of",
    "Quantiles": "quantiles",
    "Value": "value",
}
"""Targets that few networks have, and the files that are imported for them."""


def __getattr__(name: str) -> Any:
    if name in _IN_FILES:
        return getattr(importlib.import_module(f"{__name__}.{_IN_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
