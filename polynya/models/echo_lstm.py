"""A bidirectional LSTM along sequences of radar-altimeter echoes: every echo is answered with its neighbours in view.

A lead off the track draws a hyperbola over successive echoes, and the gain control answers a lead some echoes late:
both are seen in a sequence, not in one echo. A linear layer, one LSTM in each direction (Hochreiter and Schmidhuber
1997, doi:10.1162/neco.1997.9.8.1735; Graves and Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042), a linear layer on
both states.

The backward LSTM reads each sequence turned around from its own last echo, so empty places after a short sequence
change nothing.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

KIND = "echoes"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of :data:`polynya.physics.echo_inputs.NAMES`.
    width : int
        Units of the first linear layer.
    units : int
        Of each LSTM.
    dropout : float
        Before the LSTMs and after them.
    classes : int
        Outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    width: int = Field(default=64, ge=1)
    units: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    classes: int = Field(default=2, ge=1)


class EchoLSTM(nn.Module):
    """Echoes (batch, features + 1, length) to outputs (batch, classes, length)."""

    def __init__(self, config: Config):
        super().__init__()
        self.enter = nn.Linear(len(config.features), config.width)
        self.forwards = nn.LSTM(config.width, config.units, batch_first=True)
        self.backwards = nn.LSTM(config.width, config.units, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.units, config.classes)
        with torch.no_grad():
            for lstm in (self.forwards, self.backwards):
                lstm.bias_ih_l0[config.units : 2 * config.units].fill_(1.0)  # forget gates start open

    def forward(self, echoes: Tensor) -> Tensor:
        steps = echoes.transpose(1, 2)  # (batch, length, features + 1)
        here = steps[:, :, -1:]  # (batch, length, 1): 1 where there is an echo, these first
        x = self.dropout(torch.relu(self.enter(steps[:, :, :-1])))  # (batch, length, width)
        place = torch.cumsum(torch.ones_like(here), dim=1)  # (batch, length, 1): 1, 2 ...
        turn = (here.sum(dim=1, keepdim=True) - place).clamp(min=0.0).long()  # the last echo first
        there, _ = self.forwards(x)  # (batch, length, units)
        back, _ = self.backwards(x.gather(1, turn.expand(-1, -1, x.shape[2])))
        back = back.gather(1, turn.expand(-1, -1, back.shape[2]))  # (batch, length, units)
        both = self.dropout(torch.cat([there, back], dim=2))
        return self.head(both).transpose(1, 2)  # (batch, classes, length)


def build(config: Config) -> EchoLSTM:
    """Return the network with weights drawn by torch's current seed."""
    return EchoLSTM(config)
