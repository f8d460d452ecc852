"""The residual U-Net that GlaViTU is compared with: its second half, one level deeper, directly on the fused sensors.

Zhang, Liu and Wang (2018), doi:10.1109/LGRS.2018.2802944 (deep residual U-Net), in the form of Maslov et al. (2025),
doi:10.1038/s41467-024-54956-x. With two sensors and the gated fusion it has 32,586,370 parameters; 32.6 million
are published.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from .glavitu import ResUNet
from .unet import Entry, SceneConfig

KIND = "scene"


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    width : int
        Channels on the full grid; each level doubles them.
    levels : int
        Halvings of the grid.
    dropout : float
        On whole channels after every level.
    """

    entry: Literal["bands", "presence", "branches"] = "branches"
    width: int = Field(default=64, ge=1)
    levels: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 2**self.levels


class FusedResUNet(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        self.entry = Entry(config)
        self.unet = ResUNet(
            self.entry.channels, config.width, levels=config.levels, out=config.classes, dropout=config.dropout
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.unet(self.entry(x))  # (batch, classes, h, w), by way of (batch, entry_width, h, w)


def build(config: Config) -> FusedResUNet:
    """Return the network with weights drawn by torch's current seed."""
    return FusedResUNet(config)
