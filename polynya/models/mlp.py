"""The MLP of the published sea-ice work: a window of segments, one hidden layer, three classes.

Iqrah, Koo, Wang, Xie and Prasad (2025), arXiv:2502.02700: dense 32 with ReLU and dropout 0.2, softmax over thick
ice, thin ice and open water (the softmax is in the loss and in the exported graph).
"""

from __future__ import annotations

import itertools

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

KIND = "window"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of ``schema.FEATURES`` columns.
    length : int
        Segments in a window; the class is that of the middle one.
    hidden : tuple of int
        Units of the hidden layers.
    dropout : float
        After each hidden layer.
    classes : int
        Classes predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    length: int = Field(default=5, ge=1)
    hidden: tuple[int, ...] = (32,)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    classes: int = Field(default=3, ge=2)


class MLP(nn.Module):
    """Windows (batch, length, features) to logits (batch, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        widths = (config.length * len(config.features), *config.hidden)
        layers = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(config.dropout)]
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], config.classes)

    def forward(self, windows: Tensor) -> Tensor:
        x = windows.flatten(1)  # (batch, length * features)
        return self.head(self.hidden(x))  # (batch, classes)


def build(config: Config) -> MLP:
    """Return the network with weights drawn by torch's current seed."""
    return MLP(config)
