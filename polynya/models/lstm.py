"""The LSTM of the published sea-ice work, with the settings of the paper and of the notebook.

Iqrah, Koo, Wang, Xie and Prasad (2025), arXiv:2502.02700. Five adjacent segments are the input of one LSTM layer; dense
layers follow its last state. The paper: 16 units with ELU, dropout 0.2, dense ELU 32, 96, 32, 16, 112, 48, 64. The
authors' notebook: 48 units with tanh, dropout 0.4, dense ELU 16 and 16 with dropout 0.4 after each.

``activation`` replaces both tanh of the cell (candidate and output), as in Keras; the gates stay sigmoids. ``tanh``
uses torch's layer; ``elu`` is computed step by step.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

KIND = "window"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of ``schema.FEATURES`` columns.
    length : int
        Segments in a window; the class is that of the middle one.
    units : int
        Units of the LSTM layer.
    activation : str
        ``tanh`` or ``elu``.
    dropout : float
        After the LSTM layer.
    dense : tuple of int
        Units of the dense layers, each with ELU.
    dense_dropout : float
        After each dense layer.
    classes : int
        Classes predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    length: int = Field(default=5, ge=1)
    units: int = Field(default=16, ge=1)
    activation: Literal["tanh", "elu"] = "tanh"
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    dense: tuple[int, ...] = ()
    dense_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    classes: int = Field(default=3, ge=2)


class EluCell(nn.Module):
    """One LSTM layer whose two tanh are ELU: (batch, length, features) to the last state (batch, units)."""

    def __init__(self, features: int, units: int):
        super().__init__()
        self.units = units
        self.input = nn.Linear(features, 4 * units)
        self.state = nn.Linear(units, 4 * units, bias=False)
        for q in range(4):  # one orthogonal block per gate, as torch's and Keras' layers are initialised
            nn.init.orthogonal_(self.state.weight[q * units : (q + 1) * units])
        nn.init.xavier_uniform_(self.input.weight)
        nn.init.zeros_(self.input.bias)
        nn.init.ones_(self.input.bias[units : 2 * units])  # forget gates start open

    def forward(self, windows: Tensor) -> Tensor:
        steps = self.input(windows)  # (batch, length, 4 * units)
        h = windows.new_zeros(windows.shape[0], self.units)
        c = h
        for t in range(windows.shape[1]):
            i, f, g, o = (steps[:, t] + self.state(h)).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * F.elu(g)
            h = torch.sigmoid(o) * F.elu(c)  # (batch, units)
        return h


class TanhLayer(nn.Module):
    """torch's LSTM layer: (batch, length, features) to the last state (batch, units)."""

    def __init__(self, features: int, units: int):
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)
        with torch.no_grad():
            self.lstm.bias_ih_l0[units : 2 * units].fill_(1.0)

    def forward(self, windows: Tensor) -> Tensor:
        steps, _ = self.lstm(windows)  # (batch, length, units)
        return steps[:, -1]


class LSTM(nn.Module):
    """Windows (batch, length, features) to logits (batch, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        layer = TanhLayer if config.activation == "tanh" else EluCell
        self.recurrent = layer(len(config.features), config.units)
        self.dropout = nn.Dropout(config.dropout)
        widths = (config.units, *config.dense)
        layers = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ELU(), nn.Dropout(config.dense_dropout)]
        self.dense = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], config.classes)

    def forward(self, windows: Tensor) -> Tensor:
        x = self.dropout(self.recurrent(windows))  # (batch, units)
        return self.head(self.dense(x))  # (batch, classes)


def build(config: Config) -> LSTM:
    """Return the network with weights drawn by torch's current seed."""
    return LSTM(config)
