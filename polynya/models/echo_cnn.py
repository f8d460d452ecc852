"""A one-dimensional convolutional network along sequences of radar-altimeter echoes.

Residual blocks of dilated convolutions over neighbouring echoes (residual blocks: He et al. 2016, arXiv:1512.03385;
dilation: Yu and Koltun 2016, arXiv:1511.07122). Empty places are set to zero in every layer, so that they change
nothing. A kernel of 1 answers each echo by itself.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

KIND = "echoes"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of :data:`polynya.physics.echo_inputs.NAMES`.
    width : int
        Channels of every layer.
    kernel : int
        Echoes of every convolution, odd.
    dilations : tuple of int
        Of the residual blocks.
    dropout : float
        On whole channels before the last layer.
    classes : int
        Outputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    width: int = Field(default=48, ge=1)
    kernel: int = Field(default=3, ge=1)
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    classes: int = Field(default=2, ge=1)

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"kernel is {value}; expected an odd number")
        return value


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


class EchoCNN(nn.Module):
    """Echoes (batch, features + 1, length) to outputs (batch, classes, length)."""

    def __init__(self, config: Config):
        super().__init__()
        self.enter = nn.Conv1d(len(config.features), config.width, 1)
        self.blocks = nn.ModuleList(Block(config.width, config.kernel, d) for d in config.dilations)
        self.dropout = nn.Dropout1d(config.dropout)
        self.head = nn.Conv1d(config.width, config.classes, 1)

    def forward(self, echoes: Tensor) -> Tensor:
        here = echoes[:, -1:]  # (batch, 1, length): 1 where there is an echo
        x = F.relu(self.enter(echoes[:, :-1])) * here  # (batch, width, length)
        for block in self.blocks:
            x = block(x, here)
        return self.head(self.dropout(x))  # (batch, classes, length)


def build(config: Config) -> EchoCNN:
    """Return the network with weights drawn by torch's current seed."""
    return EchoCNN(config)
