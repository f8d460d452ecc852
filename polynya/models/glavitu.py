"""GlaViTU: one branch per sensor, a light transformer for the context, a residual U-Net for the edges.

Maslov, Persello, Schellenberger and Stein (2025), doi:10.1038/s41467-024-54956-x; first at IGARSS 2023 (pages
1233-1236). Written anew and checked against the published count: 10,031,938 numbers for optical and DEM, with
batch-norm statistics, without the head of the deep supervision. The transformer is SETR-PUP (Zheng et al., 2021,
arXiv:2012.15840), the gates are squeeze-and-excitation (Hu et al., 2018, arXiv:1709.01507).

The rule for missing sensors is ours. Where a sensor has no data, its branch is exactly zero after every layer, as
beyond the edge of the tile. Its gate and its batch statistics use only pixels with data. Without a sensor, the network
therefore equals one that never had that branch; with all sensors everywhere, it is the published network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

KIND = "scene"
SLOPE = 0.2
"""Of every leaky ReLU below zero."""
PATCH = 16
"""Pixels of a side of a token; the decoder doubles the grid four times."""


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    sensors : dict of str to int
        Bands of each sensor, in the order of the input.
    location : int
        Values of the location vector: 12 for regions, 4 for coordinates, 0 for none.
    classes : int
        Classes predicted.
    tile : int
        Pixels per side of the training tiles: the learned positions are for this size (interpolated for others).
    width : int
        Channels on the full grid, and of a token.
    blocks, heads : int
        Transformer blocks and attention heads; a token is 16 x 16 pixels.
    levels : int
        Halvings of the grid in the U-Net; each doubles the channels.
    dropout : float
        In every transformer block, and on whole channels after every level of the U-Net; the published runs use none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensors: dict[str, int] = Field(default={"optical": 6, "dem": 2}, min_length=1)
    location: int = Field(default=0, ge=0)
    classes: int = Field(default=2, ge=2)
    tile: int = Field(default=384, ge=1)
    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=12, ge=1)
    heads: int = Field(default=4, ge=1)
    levels: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if min(self.sensors.values()) < 1:
            raise ValueError(f"sensors is {self.sensors}; expected at least one band of each")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}; expected one")
        if self.tile % self.stride:
            raise ValueError(f"tile {self.tile} is no multiple of the stride {self.stride}; expected one")
        return self

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return max(PATCH, 2**self.levels)


# 1 Fusion
# --------------------------------------------------------------------------------------------------------------------


class PresentNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of the pixels that have data: (batch, width, h, w) to the same."""

    def forward(self, x: Tensor, here: Tensor) -> Tensor:
        if not self.training or bool((here > 0).all()):
            return super().forward(x)
        inside = here[:, 0] > 0  # (batch, h, w)
        rows = x.movedim(1, -1)[inside]  # (present pixels, width)
        enough = len(rows) > 1
        self.num_batches_tracked += int(enough)
        out = x.new_zeros(*inside.shape, x.shape[1])
        out[inside] = F.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, enough, self.momentum, self.eps
        )
        return out.movedim(-1, 1)


class Branch(nn.Module):
    """One sensor: bands (batch, bands, h, w) and presence (batch, 1, h, w) to gated features (batch, width, h, w), zero
    where absent."""

    def __init__(self, bands: int, width: int):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(bands, width, 3, padding=1), PresentNorm(width)
        self.second, self.second_norm = nn.Conv2d(width, width, 3, padding=1), PresentNorm(width)
        self.squeeze, self.excite = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, here: Tensor) -> Tensor:
        x = F.leaky_relu(self.first_norm(self.first(x), here), SLOPE) * here  # (batch, width, h, w)
        x = F.leaky_relu(self.second_norm(self.second(x), here), SLOPE) * here
        mean = x.sum(dim=(2, 3)) / here.sum(dim=(2, 3)).clamp(min=1.0)  # (batch, width), over present pixels
        gate = torch.sigmoid(self.excite(F.leaky_relu(self.squeeze(mean), SLOPE)))  # (batch, width)
        return x * gate[:, :, None, None]


class Fusion(nn.Module):
    """All sensors: (batch, bands + sensors, h, w), values then presence planes, to the sum of the branches (batch,
    width, h, w)."""

    def __init__(self, sensors: dict[str, int], width: int):
        super().__init__()
        self.bands = list(sensors.values())
        self.branches = nn.ModuleDict({name: Branch(bands, width) for name, bands in sensors.items()})

    def forward(self, x: Tensor) -> Tensor:
        n = len(self.bands)
        parts = torch.split(
            x, [*self.bands, *[1] * n, x.shape[1] - sum(self.bands) - n], dim=1
        )  # values, presence planes, location
        fused = None
        for values, seen, branch in zip(parts, parts[n:], self.branches.values(), strict=False):
            here = (seen > 0.5).to(x.dtype)  # (batch, 1, h, w)
            part = branch(
                torch.where(here > 0, values, 0.0), here
            )  # (batch, width, h, w); not a product: NaN must not pass
            fused = part if fused is None else fused + part
        return fused


# 2 Location
# ------------------------------------------------------------------------------------------------------------------


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of vectors; a batch of one has no variance and uses the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) < 2:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, momentum=0.0, eps=self.eps
            )
        return super().forward(x)


class Location(nn.Module):
    """Location on Earth: planes (batch, values, h, w), constant over the tile, to features (batch, width, 1, 1) for
    every pixel."""

    def __init__(self, values: int, width: int):
        super().__init__()
        self.first, self.first_norm = nn.Linear(values, width), BatchNorm(width)
        self.second, self.second_norm = nn.Linear(width, width), BatchNorm(width)

    def forward(self, planes: Tensor) -> Tensor:
        x = planes.mean(dim=(2, 3))  # (batch, values)
        x = F.leaky_relu(self.first_norm(self.first(x)), SLOPE)  # (batch, width)
        x = F.leaky_relu(self.second_norm(self.second(x)), SLOPE)
        return x[:, :, None, None]


# 3 Transformer
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BlockSettings:
    """Settings of a transformer block.

    Attributes
    ----------
    heads, mlp : int
        Attention heads, channels inside the MLP.
    dropout : float
        After the attention and after the MLP.
    gelu_twice : bool
        Whether a GELU also follows the second layer of the MLP, as in GlaViTU.
    """

    heads: int
    mlp: int
    dropout: float = 0.0
    gelu_twice: bool = True


class Block(nn.Module):
    """One pre-norm transformer block: tokens (batch, n, width) to the same."""

    def __init__(self, width: int, settings: BlockSettings):
        super().__init__()
        self.heads, self.gelu_twice = settings.heads, settings.gelu_twice
        self.before, self.after = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.query, self.key, self.value, self.project = (nn.Linear(width, width) for _ in range(4))
        self.widen, self.narrow = nn.Linear(width, settings.mlp), nn.Linear(settings.mlp, width)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.before(tokens)
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )  # (batch, heads, n, width / heads)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (batch, n, width)
        tokens = tokens + self.dropout(self.project(x))
        x = self.narrow(F.gelu(self.widen(self.after(tokens))))  # (batch, n, width), by way of (batch, n, mlp)
        return tokens + self.dropout(F.gelu(x) if self.gelu_twice else x)


class Tokens(nn.Module):
    """Transformer over patches with learned positions: (batch, before, h, w) to (batch, width, h / patch, w /
    patch)."""

    def __init__(self, before: int, width: int, *, tile: int, patch: int, blocks: int, settings: BlockSettings):
        super().__init__()
        self.embed = nn.Conv2d(before, width, patch, stride=patch)
        self.positions = nn.Parameter(torch.empty(1, width, tile // patch, tile // patch))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.ModuleList(Block(width, settings) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        grid = self.embed(x)  # (batch, width, h / patch, w / patch)
        positions = self.positions
        if grid.shape[2:] != positions.shape[2:]:
            positions = F.interpolate(positions, size=grid.shape[2:], mode="bilinear", align_corners=False)
        tokens = (grid + positions).flatten(2).transpose(1, 2)  # (batch, n, width)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens.transpose(1, 2).unflatten(2, grid.shape[2:])


class Pup(nn.Module):
    """Decoder of progressive upsampling: (batch, before, h / 16, w / 16) to (batch, out, h, w)."""

    def __init__(self, before: int, width: int, out: int):
        super().__init__()
        self.convolve = nn.ModuleList(nn.Conv2d(before if k == 0 else width, width, 3, padding=1) for k in range(4))
        self.norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(4))
        self.last = nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        for k, (convolve, norm) in enumerate(zip(self.convolve, self.norm, strict=True)):
            x = norm(convolve(x))  # (batch, width, h / 16, w / 16), then / 8, / 4, / 2; linear, as published
            if k < 3:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.interpolate(self.last(x), scale_factor=2.0, mode="bilinear", align_corners=False)  # (batch, out, h, w)


# 4 Residual U-Net
# ------------------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Twice (convolution, norm, leaky ReLU), added to a linear map: (batch, before, h, w) to (batch, after, h, w)."""

    def __init__(self, before: int, after: int, dropout: float):
        super().__init__()
        self.shortcut = nn.Conv2d(before, after, 1, bias=False)
        self.first, self.first_norm = nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)
        self.second, self.second_norm = nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.first_norm(self.first(x)), SLOPE)
        y = F.leaky_relu(self.second_norm(self.second(y)), SLOPE)
        return self.shortcut(x) + self.dropout(y)


class Grow(nn.Module):
    """Upsampling: (batch, before, h, w) to (batch, after, 2 h, 2 w)."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.convolve, self.norm = nn.Conv2d(before, after, 2, bias=False), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.norm(
            self.convolve(F.pad(x, (0, 1, 0, 1)))
        )  # a 2 x 2 kernel keeps the size with one pixel at right and bottom


class ResUNet(nn.Module):
    """Residual U-Net: (batch, before, h, w) to (batch, out, h, w); h and w multiples of 2^levels."""

    def __init__(self, before: int, width: int, *, levels: int, out: int, dropout: float):
        super().__init__()
        widths = [width * 2**k for k in range(levels + 1)]
        self.down = nn.ModuleList(Residual(b, a, dropout) for b, a in zip((before, *widths), widths, strict=False))
        self.grow = nn.ModuleList(Grow(2 * w, w) for w in reversed(widths[:-1]))
        self.up = nn.ModuleList(Residual(2 * w, w, dropout) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, kept = self.down[0](x), []  # (batch, width, h, w)
        for level in self.down[1:]:
            kept.append(x)
            x = level(
                F.max_pool2d(x, 2)
            )  # (batch, 2 c, h / 2, w / 2), down to (batch, 8 width, h / 8, w / 8) at three levels
        for grow, level, beside in zip(self.grow, self.up, reversed(kept), strict=True):
            x = level(torch.cat([grow(x), beside], dim=1))  # (batch, c / 2, 2 h, 2 w), up to (batch, width, h, w)
        return self.last(x)  # (batch, out, h, w)


# The whole
# -------------------------------------------------------------------------------------------------------------------


class GlaViTU(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w); in training also the logits of
    the deep supervision."""

    def __init__(self, config: Config):
        super().__init__()
        width = config.width
        self.planes = sum(config.sensors.values()) + len(config.sensors)
        self.fusion = Fusion(config.sensors, width)
        self.location = Location(config.location, width) if config.location else None
        self.tokens = Tokens(
            width,
            width,
            tile=config.tile,
            patch=PATCH,
            blocks=config.blocks,
            settings=BlockSettings(heads=config.heads, mlp=4 * width, dropout=config.dropout),
        )
        self.decoder = Pup(width, width, width)
        self.auxiliary = nn.Conv2d(width, config.classes, 1)
        self.unet = ResUNet(width, width, levels=config.levels, out=width, dropout=config.dropout)
        self.head = nn.Conv2d(width, config.classes, 1)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        fused = self.fusion(x[:, : self.planes])  # (batch, width, h, w)
        if self.location is not None:
            fused = fused + self.location(x[:, self.planes :])
        coarse = (
            self.decoder(self.tokens(fused)) + fused
        )  # (batch, width, h, w), by way of (batch, width, h / 16, w / 16)
        logits = self.head(coarse + self.unet(coarse))  # (batch, classes, h, w)
        return (logits, self.auxiliary(coarse)) if self.training else logits


def build(config: Config) -> GlaViTU:
    """Return the network with weights drawn by torch's current seed."""
    return GlaViTU(config)
