"""The U-Net of the AutoICE challenge: bilinear on the way up, so that few weights are left for the coarse levels.

Sizes are those of the organisers' quick-start network (Stokholm et al. 2024, doi:10.5194/tc-18-3471-2024): levels of
16, 32, 64 and 64 channels and a bridge of 64 below them; and of the winner's, MMSeaIce (Chen et al. 2024,
doi:10.5194/tc-18-1621-2024): 32, 32, 64 and 64. Written anew after their descriptions and proved by their numbers of
parameters. After Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with batch norm.

Bilinear steps take the places of pixels as areas (corners are not aligned): what a pixel is given does not depend on
how large the window is, so tiles with a halo equal the whole scene.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from .unet import Entry, Level, SceneConfig

KIND = "scene"


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    classes : int
        Outputs: of a number and its spread two.
    widths : tuple of int
        Channels of each level, from the full grid to the coarsest but one; the bridge below has the last's.
    dropout : float
        On whole channels between the two convolutions of a level.
    """

    classes: int = Field(default=2, ge=1)
    widths: tuple[int, ...] = Field(default=(16, 32, 64, 64), min_length=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 2 ** len(self.widths)

    @property
    def halo(self) -> int:
        """Pixels around a tile that its output depends on, up to a multiple of the stride.

        Two 3 x 3 convolutions a level reach 2 cells, down and up, and 2 cells of the bridge; a bilinear step reaches
        one cell of the coarser level beyond, which are ``2^k`` pixels at the k-th.
        """
        n = len(self.widths)
        reach = 4 * (2**n - 1) + 2 * 2**n + (2 ** (n + 1) - 2)
        return -(-reach // self.stride) * self.stride


class UNet(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to outputs (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        self.entry = Entry(config)
        widths = (*config.widths, config.widths[-1])
        self.down = nn.ModuleList(
            Level(b, a, config.dropout) for b, a in zip((self.entry.channels, *widths), widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up = nn.ModuleList(
            Level(below + beside, beside, config.dropout)
            for below, beside in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, kept = self.down[0](self.entry(x)), []  # (batch, 16, h, w)
        for level in self.down[1:]:
            kept.append(x)
            x = level(self.pool(x))  # (batch, 32, h / 2, w / 2), down to (batch, 64, h / 16, w / 16)
        for level, beside in zip(self.up, reversed(kept), strict=True):
            x = level(torch.cat([self.grow(x), beside], dim=1))  # (batch, 64, h / 8, w / 8), up to (batch, 16, h, w)
        return self.head(x)  # (batch, classes, h, w)


def build(config: Config) -> UNet:
    """Return the network with weights drawn by torch's current seed."""
    return UNet(config)
