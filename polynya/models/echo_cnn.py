"""A convolutional network on radar-altimeter echoes: first over the gates of each echo, then over neighbouring echoes.

Over the gates: two convolutions with pooling, then mean and largest value, so that a shape counts wherever it lies in
the window. Over the echoes: residual blocks of dilated convolutions (He et al. 2016, arXiv:1512.03385; Yu and Koltun
2016, arXiv:1511.07122). Empty places are set to zero in every layer, so that they change nothing. Without dilations
each echo is answered by itself.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

KIND = "echoes"
PLANES = ("gate", "edge")
"""Prefixes of the columns that are gates."""


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of :data:`polynya.physics.echo_inputs.NAMES`; all gates of a kind, or none.
    gate_width : int
        Channels of the convolutions over gates.
    gate_kernel : int
        Gates of these, odd.
    width : int
        Channels of every layer over echoes.
    kernel : int
        Echoes of every convolution over echoes, odd.
    dilations : tuple of int
        Of the residual blocks over echoes.
    dropout : float
        Before the last layer.
    classes : int
        Outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    gate_width: int = Field(default=16, ge=1)
    gate_kernel: int = Field(default=5, ge=1)
    width: int = Field(default=48, ge=1)
    kernel: int = Field(default=3, ge=1)
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    classes: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.kernel % 2 == 0 or self.gate_kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} and gate_kernel {self.gate_kernel}; expected odd numbers")
        if len({len(columns) for columns in self.gates}) > 1:
            raise ValueError("features hold different numbers of gate_ and edge_ columns; expected all of a kind")
        return self

    @property
    def gates(self) -> tuple[tuple[int, ...], ...]:
        """Columns of the gates, one tuple for each kind that there is."""
        named = {kind: [k for k, f in enumerate(self.features) if _kind(f) == kind] for kind in PLANES}
        return tuple(tuple(columns) for columns in named.values() if columns)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Columns that are no gates."""
        return tuple(k for k, f in enumerate(self.features) if _kind(f) not in PLANES)


def _kind(feature: str) -> str:
    kind, _, place = feature.rpartition("_")
    return kind if place.isdigit() else ""


class Block(nn.Module):
    """Two convolutions, added to a shortcut: (batch, width, length) to the same."""

    def __init__(self, width: int, kernel: int, dilation: int):
        super().__init__()
        pad = dilation * (kernel // 2)
        self.first = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)
        self.second = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)

    def forward(self, x: Tensor, here: Tensor) -> Tensor:
        inner = F.relu(self.first(x)) * here
        return F.relu(x + self.second(inner)) * here


class Gates(nn.Module):
    """Gates (batch, planes, gates, length) to (batch, 2 width, length)."""

    def __init__(self, planes: int, width: int, kernel: int):
        super().__init__()
        self.first = nn.Conv2d(planes, width, (kernel, 1), padding=(kernel // 2, 0))
        self.second = nn.Conv2d(width, width, (kernel, 1), padding=(kernel // 2, 0))

    def forward(self, gates: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.first(gates)), (2, 1))  # (batch, width, gates / 2, length)
        x = F.relu(self.second(x))
        return torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)


class EchoCNN(nn.Module):
    """Echoes (batch, features + 1, length) to outputs (batch, classes, length)."""

    def __init__(self, config: Config):
        super().__init__()
        planes = config.gates
        self.shape = (len(planes), len(planes[0]) if planes else 0)
        self.columns: Tensor
        self.numbers: Tensor
        self.register_buffer("columns", torch.tensor(planes, dtype=torch.long).reshape(-1), persistent=False)
        self.register_buffer("numbers", torch.tensor(config.numbers, dtype=torch.long), persistent=False)
        self.gates = Gates(len(planes), config.gate_width, config.gate_kernel) if planes else None
        before = len(config.numbers) + (2 * config.gate_width if planes else 0)
        self.enter = nn.Conv1d(before, config.width, 1)
        self.blocks = nn.ModuleList(Block(config.width, config.kernel, d) for d in config.dilations)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Conv1d(config.width, config.classes, 1)

    def forward(self, echoes: Tensor) -> Tensor:
        here = echoes[:, -1:]  # (batch, 1, length): 1 where there is an echo
        x = echoes.index_select(1, self.numbers)  # (batch, numbers, length)
        if self.gates is not None:
            gates = echoes.index_select(1, self.columns)
            x = torch.cat([self.gates(gates.reshape(gates.shape[0], *self.shape, -1)), x], dim=1)
        x = F.relu(self.enter(x)) * here  # (batch, width, length)
        for block in self.blocks:
            x = block(x, here)
        return self.head(self.dropout(x))  # (batch, classes, length)


def build(config: Config) -> EchoCNN:
    """Return the network with weights drawn by torch's current seed."""
    return EchoCNN(config)
