"""TransU-Net, R50-ViT-B/16: a ResNet for the edges, a transformer for the context, and a cascaded upsampler.

Chen et al. (2021), arXiv:2102.04306. The ResNet is that of hybrid vision transformers (Dosovitskiy et al., 2021,
arXiv:2010.11929; Kolesnikov et al., 2020, arXiv:1912.11370): standardised weights, group norm, units 3, 4, 9. Two
details differ from the authors' code: pooling halves the grid exactly, and bilinear upsampling does not align
corners.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from .glavitu import BlockSettings, Tokens
from .unet import Entry, Level, SceneConfig

KIND = "scene"


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    tile : int
        Pixels per side of the training tiles: the learned positions are for this size (interpolated for others).
    root : int
        Channels of the first convolution; the three stages end with 4, 8 and 16 times as many.
    units : tuple of int
        Blocks of the three stages.
    width, blocks, heads, mlp : int
        Channels of a token, transformer blocks, attention heads, channels inside the MLP.
    decoder : tuple of int
        Channels after the transformer, and at 1/8, 1/4, 1/2 and the full resolution.
    dropout : float
        In every transformer block.
    """

    tile: int = Field(default=384, ge=16, multiple_of=16)
    root: int = Field(default=64, ge=1)
    units: tuple[int, int, int] = (3, 4, 9)
    width: int = Field(default=768, ge=1)
    blocks: int = Field(default=12, ge=1)
    heads: int = Field(default=12, ge=1)
    mlp: int = Field(default=3072, ge=1)
    decoder: tuple[int, int, int, int, int] = (512, 256, 128, 64, 16)
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


class StandardConv(nn.Conv2d):
    """Convolution without bias whose filters have mean 0 and variance 1."""

    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1):
        super().__init__(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight
        w = (w - w.mean(dim=(1, 2, 3), keepdim=True)) * torch.rsqrt(
            w.var(dim=(1, 2, 3), unbiased=False, keepdim=True) + 1e-5
        )
        return F.conv2d(x, w, None, self.stride, self.padding)


def group_norm(width: int) -> nn.GroupNorm:
    """Group norm of 32 groups, or fewer where 32 does not divide the channels."""
    return nn.GroupNorm(math.gcd(32, width), width, eps=1e-6)


class Unit(nn.Module):
    """One residual block: (batch, before, h, w) to (batch, after, h / stride, w / stride)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        inner = after // 4
        self.first, self.first_norm = StandardConv(before, inner, 1), group_norm(inner)
        self.second, self.second_norm = StandardConv(inner, inner, 3, stride=stride), group_norm(inner)
        self.third, self.third_norm = StandardConv(inner, after, 1), group_norm(after)
        changes = stride > 1 or before != after
        self.shortcut = (
            nn.Sequential(StandardConv(before, after, 1, stride=stride), nn.GroupNorm(after, after))
            if changes
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        y = torch.relu(self.second_norm(self.second(y)))
        return torch.relu(self.shortcut(x) + self.third_norm(self.third(y)))


class ResNet(nn.Module):
    """(batch, bands, h, w) to four grids, from (batch, root, h / 2, w / 2) to (batch, 16 root, h / 16, w / 16)."""

    def __init__(self, bands: int, root: int, units: tuple[int, int, int]):
        super().__init__()
        self.root, self.root_norm = StandardConv(bands, root, 7, stride=2), group_norm(root)
        stages, before = [], root
        for s, count in enumerate(units):
            after = 4 * root * 2**s
            stages.append(
                nn.Sequential(
                    *(Unit(before if k == 0 else after, after, 2 if s > 0 and k == 0 else 1) for k in range(count))
                )
            )
            before = after
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        grids = [torch.relu(self.root_norm(self.root(x)))]  # (batch, root, h / 2, w / 2)
        x = F.max_pool2d(grids[0], 3, stride=2, padding=1)
        for stage in self.stages:
            x = stage(x)  # (batch, 4 root, h / 4, w / 4), then 8 root at / 8, 16 root at / 16
            grids.append(x)
        return grids


class TransUNet(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        root, wide = config.root, config.decoder
        self.entry = Entry(config)
        self.resnet = ResNet(self.entry.channels, root, config.units)
        self.tokens = Tokens(
            16 * root,
            config.width,
            tile=config.tile // 16,
            patch=1,
            blocks=config.blocks,
            settings=BlockSettings(heads=config.heads, mlp=config.mlp, dropout=config.dropout, gelu_twice=False),
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.enter, self.enter_norm = (
            nn.Conv2d(config.width, wide[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(wide[0]),
        )
        beside = (8 * root, 4 * root, root, 0)
        self.up = nn.ModuleList(Level(b + s, a, 0.0) for b, s, a in zip(wide[:-1], beside, wide[1:], strict=True))
        self.head = nn.Conv2d(wide[-1], config.classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        half, quarter, eighth, x = self.resnet(self.entry(x))
        x = self.tokens(x)  # (batch, width, h / 16, w / 16)
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = torch.relu(self.enter_norm(self.enter(x)))  # (batch, 512, h / 16, w / 16)
        for level, beside in zip(self.up, (eighth, quarter, half, None), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = level(
                x if beside is None else torch.cat([x, beside], dim=1)
            )  # (batch, 256, h / 8, w / 8), up to (batch, 16, h, w)
        return self.head(x)  # (batch, classes, h, w)


def build(config: Config) -> TransUNet:
    """Return the network with weights drawn by torch's current seed."""
    return TransUNet(config)
