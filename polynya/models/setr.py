"""SETR-PUP: a plain vision transformer over 16 x 16 patches, and a decoder that doubles the grid four times.

Zheng et al. (2021), arXiv:2012.15840; sizes of ViT-B/16 (Dosovitskiy et al., 2021, arXiv:2010.11929), decoder of 256
channels. With two sensors and the gated fusion of 64 channels it has 101,721,346 parameters; 101.8 million are
published for the comparison with GlaViTU.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from .glavitu import BlockSettings, Pup, Tokens
from .unet import Entry, SceneConfig

KIND = "scene"


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    tile : int
        Pixels per side of the training tiles: the learned positions are for this size (interpolated for others).
    width, blocks, heads, mlp : int
        Channels of a token, transformer blocks, attention heads, channels inside the MLP.
    decoder : int
        Channels of the decoder.
    dropout : float
        In every transformer block.
    """

    entry: Literal["bands", "presence", "branches"] = "branches"
    tile: int = Field(default=384, ge=16, multiple_of=16)
    width: int = Field(default=768, ge=1)
    blocks: int = Field(default=12, ge=1)
    heads: int = Field(default=12, ge=1)
    mlp: int = Field(default=3072, ge=1)
    decoder: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}; expected one")
        return self

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 16


class Setr(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        self.entry = Entry(config)
        self.tokens = Tokens(
            self.entry.channels,
            config.width,
            tile=config.tile,
            patch=16,
            blocks=config.blocks,
            settings=BlockSettings(heads=config.heads, mlp=config.mlp, dropout=config.dropout, gelu_twice=False),
        )
        self.decoder = Pup(config.width, config.decoder, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tokens(self.entry(x))  # (batch, width, h / 16, w / 16)
        return self.decoder(x)  # (batch, classes, h, w)


def build(config: Config) -> Setr:
    """Return the network with weights drawn by torch's current seed."""
    return Setr(config)
