"""SegFormer: a pyramid of transformers without positions (MiT), and a decoder of linear layers.

Xie et al. (2021), arXiv:2105.15203; B0 to B5 are in its table 6. Layer norms have torch's epsilon of 1e-5, as in
``transformers``; the tests compare the logits with it for equal weights. The paper's stochastic depth is left out.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from .unet import Entry, SceneConfig

KIND = "scene"
SIZES = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b1": ((64, 128, 320, 512), (2, 2, 2, 2), 256),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3), 768),
    "b3": ((64, 128, 320, 512), (3, 4, 18, 3), 768),
    "b4": ((64, 128, 320, 512), (3, 8, 27, 3), 768),
    "b5": ((64, 128, 320, 512), (3, 6, 40, 3), 768),
}
"""Channels and blocks of the four stages, channels of the decoder."""
HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)
"""Tokens of a side that become one key."""
KERNELS, STRIDES = (7, 3, 3, 3), (4, 2, 2, 2)


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    size : str
        ``b0`` to ``b5``.
    widths, depths : tuple of int, optional
        Channels and blocks of the four stages, instead of those of the size.
    decoder : int, optional
        Channels of the decoder, instead of that of the size.
    heads : tuple of int
        Attention heads of each stage.
    dropout : float
        Before the classifier.
    """

    size: Literal["b0", "b1", "b2", "b3", "b4", "b5"] = "b0"
    widths: tuple[int, int, int, int] | None = None
    depths: tuple[int, int, int, int] | None = None
    decoder: int | None = Field(default=None, ge=1)
    heads: tuple[int, int, int, int] = HEADS
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        for width, heads in zip(self.widths or SIZES[self.size][0], self.heads, strict=True):
            if width % heads:
                raise ValueError(f"width {width} is no multiple of heads {heads}; expected one in every stage")
        return self

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 32


def to_tokens(grid: Tensor) -> Tensor:
    """(batch, width, h, w) to (batch, h w, width)."""
    return grid.flatten(2).transpose(1, 2)


def to_grid(tokens: Tensor, like: Tensor) -> Tensor:
    """(batch, h w, width) to (batch, width, h, w) of another grid's height and width."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], like.shape[2], like.shape[3])


class Attention(nn.Module):
    """Self-attention with keys and values from a coarser grid: (batch, n, width) to the same."""

    def __init__(self, width: int, heads: int, reduction: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.project = (nn.Linear(width, width) for _ in range(4))
        self.reduce = nn.Conv2d(width, width, reduction, stride=reduction) if reduction > 1 else None
        self.reduce_norm = nn.LayerNorm(width) if reduction > 1 else None

    def forward(self, x: Tensor, grid: Tensor) -> Tensor:
        source = (
            x if self.reduce is None else self.reduce_norm(to_tokens(self.reduce(to_grid(x, grid))))
        )  # (batch, n / reduction^2, width)
        q, k, v = (
            y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for y in (self.query(x), self.key(source), self.value(source))
        )
        return self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, then an MLP with a 3 x 3 depthwise convolution, which encodes positions: (batch, n, width) to the
    same."""

    def __init__(self, width: int, heads: int, reduction: int):
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, reduction)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.depthwise = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width)

    def forward(self, x: Tensor, grid: Tensor) -> Tensor:
        x = x + self.attention(self.before(x), grid)
        inside = self.depthwise(to_grid(self.widen(self.after(x)), grid))  # (batch, 4 width, h, w)
        return x + self.narrow(F.gelu(to_tokens(inside)))


class Stage(nn.Module):
    """Overlapping patches, blocks, norm: (batch, before, h, w) to (batch, width, h / stride, w / stride)."""

    def __init__(self, before: int, width: int, *, depth: int, heads: int, reduction: int, kernel: int, stride: int):
        super().__init__()
        self.embed, self.embed_norm = (
            nn.Conv2d(before, width, kernel, stride=stride, padding=kernel // 2),
            nn.LayerNorm(width),
        )
        self.blocks = nn.ModuleList(Block(width, heads, reduction) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.embed(x)  # (batch, width, h / stride, w / stride)
        x = self.embed_norm(to_tokens(grid))
        for block in self.blocks:
            x = block(x, grid)
        return to_grid(self.norm(x), grid)


class SegFormer(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        widths, depths, decoder = SIZES[config.size]
        widths, depths, decoder = config.widths or widths, config.depths or depths, config.decoder or decoder
        self.entry = Entry(config)
        before = (self.entry.channels, *widths[:-1])
        plan = zip(before, widths, depths, config.heads, REDUCTIONS, KERNELS, STRIDES, strict=True)
        self.stages = nn.ModuleList(
            Stage(b, w, depth=d, heads=h, reduction=r, kernel=k, stride=s) for b, w, d, h, r, k, s in plan
        )
        self.project = nn.ModuleList(nn.Conv2d(w, decoder, 1) for w in widths)
        self.fuse, self.fuse_norm = nn.Conv2d(4 * decoder, decoder, 1, bias=False), nn.BatchNorm2d(decoder)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Conv2d(decoder, config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, levels = self.entry(x), []
        for stage, project in zip(self.stages, self.project, strict=True):
            x = stage(x)  # (batch, width, h / 4, w / 4), then / 8, / 16, / 32
            levels.append(project(x))
        size = levels[0].shape[2:]
        wide = [levels[0], *(F.interpolate(y, size=size, mode="bilinear", align_corners=False) for y in levels[1:])]
        x = torch.relu(self.fuse_norm(self.fuse(torch.cat(wide[::-1], dim=1))))  # (batch, decoder, h / 4, w / 4)
        return F.interpolate(
            self.head(self.dropout(x)), scale_factor=4.0, mode="bilinear", align_corners=False
        )  # (batch, classes, h, w)


def build(config: Config) -> SegFormer:
    """Return the network with weights drawn by torch's current seed."""
    return SegFormer(config)
