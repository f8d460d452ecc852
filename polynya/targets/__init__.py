"""What a network predicts, one file per target: one class of several, several labels at once, a value with its spread,
quantiles, or named heads of these.

A target holds all that depends on what is predicted: how labels are encoded, the loss, the activation inside the
exported graph, the calibration, the scores and the metrics that training may stop on. Only its loss needs torch. What
all targets have is :class:`polynya.targets.protocol.Target`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .heads import Heads
from .many_of import ManyOf
from .one_of import OneOf
from .quantiles import Quantiles
from .value import Value

AnyTarget = Annotated[OneOf | ManyOf | Value | Quantiles | Heads, Field(discriminator="kind")]
"""The union of all targets, by their ``kind``."""

__all__ = ["AnyTarget", "Heads", "ManyOf", "OneOf", "Quantiles", "Value"]
