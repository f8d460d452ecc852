"""The U-Net of the published colour labels: grey tiles to thick ice, thin ice and open water.

Iqrah, Koo, Wang, Xie and Prasad (2023), arXiv:2303.12719, used in arXiv:2502.02700: 256 x 256 tiles,
16-32-64-128-256-512 channels. After Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with padded convolutions,
so that the output has the input's size. The papers give no dropout; ours grows with depth from 0.1 to 0.3.
No trained weights are shipped.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

KIND = "scene"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    bands : int
        Bands of the input; 1 is grey.
    channels : tuple of int
        From the full grid to the coarsest; each step halves the grid.
    dropout : tuple of float
        Between the two convolutions of a level, as many as ``channels``.
    classes : int
        Classes predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: int = Field(default=1, ge=1)
    channels: tuple[int, ...] = Field(default=(16, 32, 64, 128, 256, 512), min_length=2)
    dropout: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2, 0.3, 0.3)
    classes: int = Field(default=3, ge=2)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 2 ** (len(self.channels) - 1)

    @property
    def halo(self) -> int:
        """Pixels around a tile that its output depends on, up to a multiple of the stride.

        Two 3 x 3 convolutions per level reach two cells; down and up again this is ``2 (2^n - 1) + 2 (2^(n-1) - 1)``
        pixels for n levels, and a coarsest cell reaches ``2^(n-1) - 1`` further.
        """
        n = len(self.channels)
        reach = 2 * (2**n - 1) + 2 * (2 ** (n - 1) - 1) + self.stride - 1
        return -(-reach // self.stride) * self.stride


class Level(nn.Module):
    """Two 3 x 3 convolutions with ReLU and dropout between them."""

    def __init__(self, before: int, after: int, dropout: float):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(torch.relu(self.first(x)))  # (batch, after, h, w)
        return torch.relu(self.second(x))  # (batch, after, h, w)


class UNet(nn.Module):
    """Tiles (batch, bands, h, w) of 0 to 1 to logits (batch, classes, h, w); h and w multiples of the stride."""

    def __init__(self, config: Config):
        super().__init__()
        if len(config.dropout) != len(config.channels):
            raise ValueError(f"dropout has {len(config.dropout)} values for {len(config.channels)} levels")
        widths = config.channels
        self.bands = config.bands
        self.down = nn.ModuleList(
            Level(b, a, d) for b, a, d in zip((config.bands, *widths[:-1]), widths, config.dropout, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(Level(2 * b, b, d) for b, d in zip(widths[-2::-1], config.dropout[-2::-1], strict=True))
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def forward(self, tiles: Tensor) -> Tensor:
        x = self.down[0](tiles[:, : self.bands])  # (batch, 16, h, w); planes of presence are not used
        kept = []
        for level in self.down[1:]:
            kept.append(x)
            x = level(self.pool(x))  # (batch, 2 c, h / 2, w / 2), down to (batch, 512, h / 32, w / 32)
        for grow, level, beside in zip(self.grow, self.up, reversed(kept), strict=True):
            x = level(torch.cat([grow(x), beside], dim=1))  # (batch, c / 2, 2 h, 2 w), up to (batch, 16, h, w)
        return self.head(x)  # (batch, classes, h, w)


def build(config: Config) -> UNet:
    """Return the network with weights drawn by torch's current seed."""
    return UNet(config)
