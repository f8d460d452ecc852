"""A small convolutional network of imagettes: a 4 x 4 space-to-depth stem, four stages, mean and maximum.

Made for two cores: at the full grid it computes nothing but a reordering. Scalars that the stretch of a picture loses
(level, standard deviation) and spectral ones join the pooled features.
"""

from __future__ import annotations

import itertools

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

KIND = "image"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    bands : int
        Of the input.
    scalars : int
        Numbers beside the picture; 0 for none.
    classes : int
        Logits.
    widths : tuple of int
        Channels of each stage; each after the first halves the grid.
    step : int
        Of the first stage: 1 works on the grid of the stem, where a third of the time is spent; 2 halves it.
    depth : int
        Convolutions in each stage.
    hidden : int
        Units between the pooled features and the logits.
    dropout : float
        Before both of the last layers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: int = Field(default=1, ge=1)
    scalars: int = Field(default=0, ge=0)
    classes: int = Field(default=10, ge=1)
    widths: tuple[int, ...] = Field(default=(24, 48, 96, 192), min_length=1)
    step: int = Field(default=1, ge=1, le=2)
    depth: int = Field(default=2, ge=1)
    hidden: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that a cell of the last stage stands for; a picture must not be smaller."""
        return 4 * self.step * 2 ** (len(self.widths) - 1)


class Stage(nn.Module):
    """Convolutions with batch norm and GELU: (batch, before, h, w) to (batch, after, h / stride, w / stride)."""

    def __init__(self, before: int, after: int, depth: int, stride: int):
        super().__init__()
        pairs = itertools.pairwise((before, *[after] * depth))
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(b, a, 3, stride=stride if k == 0 else 1, padding=1, bias=False), nn.BatchNorm2d(a), nn.GELU()
            )
            for k, (b, a) in enumerate(pairs)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x)
        for layer in self.layers[1:]:
            x = x + layer(x)
        return x


class WaveCNN(nn.Module):
    """Pictures (batch, bands, h, w) from 0 to 1, and scalars (batch, n), to logits (batch, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.scalars = config.scalars
        widths = (16 * config.bands, *config.widths)
        self.stages = nn.ModuleList(
            Stage(b, a, config.depth, config.step if k == 0 else 2)
            for k, (b, a) in enumerate(itertools.pairwise(widths))
        )
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(2 * widths[-1] + config.scalars, config.hidden)
        self.head = nn.Linear(config.hidden, config.classes)

    def features(self, images: Tensor, scalars: Tensor | None = None) -> Tensor:
        """Return what the logits are a linear function of, (batch, hidden): for distances to what was trained on."""
        down, right = (-images.shape[k] % 4 for k in (2, 3))
        x = F.pad(2.0 * images - 1.0, (0, right, 0, down), mode="replicate") if down or right else 2.0 * images - 1.0
        x = F.pixel_unshuffle(x, 4)  # (batch, 16 bands, h / 4, w / 4)
        for stage in self.stages:
            x = stage(x)  # (batch, 24, h / 4, w / 4), down to (batch, 192, h / 32, w / 32), as the defaults have it
        pooled = [x.mean(dim=(2, 3)), x.amax(dim=(2, 3))]
        if self.scalars:
            pooled.append(x.new_zeros(len(x), self.scalars) if scalars is None else scalars)
        return F.gelu(self.hidden(self.dropout(torch.cat(pooled, dim=1))))  # (batch, hidden)

    def with_features(self, images: Tensor, scalars: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits and the features."""
        found = self.features(images, scalars)
        return self.head(self.dropout(found)), found  # (batch, classes), (batch, hidden)

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> Tensor:
        return self.with_features(images, scalars)[0]


def build(config: Config) -> WaveCNN:
    """Return the network with weights drawn by torch's current seed."""
    return WaveCNN(config)
