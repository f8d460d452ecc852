"""What a network predicts, one file per target: one class of several, several labels at once, a value with its spread,
quantiles, a share of the area, or named heads of these.

A target holds all that depends on what is predicted: how labels are encoded, the loss, the activation inside the
exported graph, the calibration, the scores and the metrics that training may stop on. Only its loss needs torch. What
all targets have is :class:`polynya.targets.protocol.Target`. The folder is the registry, and a dotted name is imported
as written: a new target is a new file.
"""

from __future__ import annotations

from .concentration import Concentration
from .heads import Heads
from .many_of import ManyOf
from .one_of import OneOf
from .quantiles import Quantiles
from .registry import AnyTarget, named, read
from .value import Value

__all__ = ["AnyTarget", "Concentration", "Heads", "ManyOf", "OneOf", "Quantiles", "Value", "named", "read"]
