"""The plain U-Net over all bands, and the settings and the entry that all networks but GlaViTU share.

Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, with padded convolutions and batch norm (Ioffe and Szegedy,
2015, arXiv:1502.03167), so that the output has the input's size.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from .glavitu import Fusion, Location

KIND = "scene"


class SceneConfig(BaseModel):
    """Settings that every network of this family has.

    Attributes
    ----------
    sensors : dict of str to int
        Bands of each sensor, in the order of the input.
    location : int
        Values of the location vector; 0 for none.
    classes : int
        Classes predicted.
    entry : str
        ``bands``: all bands as channels, 0 where missing; ``presence``: the presence planes too; ``branches``:
        GlaViTU's fusion, one branch per sensor, so that an absent sensor contributes nothing.
    entry_width : int
        Channels after the branches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensors: dict[str, int] = Field(default={"optical": 6, "dem": 2}, min_length=1)
    location: int = Field(default=0, ge=0)
    classes: int = Field(default=2, ge=2)
    entry: Literal["bands", "presence", "branches"] = "bands"
    entry_width: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def _has_bands(self) -> SceneConfig:
        if min(self.sensors.values()) < 1:
            raise ValueError(f"sensors is {self.sensors}; expected at least one band of each")
        return self


class Entry(nn.Module):
    """Input planes (batch, bands + sensors + location, h, w) to the channels of the network: (batch, channels, h,
    w)."""

    def __init__(self, config: SceneConfig):
        super().__init__()
        self.bands, self.entry = list(config.sensors.values()), config.entry
        self.planes = sum(self.bands) + len(self.bands)
        if config.entry == "branches":
            self.fusion = Fusion(config.sensors, config.entry_width)
            self.location = Location(config.location, config.entry_width) if config.location else None
            self.channels = config.entry_width
        else:
            self.channels = sum(self.bands) + (len(self.bands) if config.entry == "presence" else 0) + config.location

    def forward(self, x: Tensor) -> Tensor:
        seen, location = x[:, : self.planes], x[:, self.planes :]
        if self.entry == "branches":
            fused = self.fusion(seen)  # (batch, entry_width, h, w)
            return fused if self.location is None else fused + self.location(location)
        parts, first, total = [], 0, sum(self.bands)
        for k, bands in enumerate(self.bands):
            here = seen[:, total + k : total + k + 1] > 0.5
            parts.append(torch.where(here, seen[:, first : first + bands], 0.0))
            first += bands
        if self.entry == "presence":
            parts.append((seen[:, total:] > 0.5).to(x.dtype))
        return torch.cat([*parts, location], dim=1)


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels of each level, from the full grid to the coarsest; each step halves the grid.
    dropout : float
        On whole channels between the two convolutions of a level.
    """

    widths: tuple[int, ...] = Field(default=(32, 64, 128, 256, 512), min_length=2)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 2 ** (len(self.widths) - 1)


class Level(nn.Module):
    """Twice (3 x 3 convolution, batch norm, ReLU): (batch, before, h, w) to (batch, after, h, w)."""

    def __init__(self, before: int, after: int, dropout: float):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.second, self.second_norm = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(torch.relu(self.first_norm(self.first(x))))
        return torch.relu(self.second_norm(self.second(x)))


class UNet(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        widths = config.widths
        self.entry = Entry(config)
        self.down = nn.ModuleList(
            Level(b, a, config.dropout) for b, a in zip((self.entry.channels, *widths), widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(Level(2 * w, w, config.dropout) for w in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, kept = self.down[0](self.entry(x)), []  # (batch, 32, h, w)
        for level in self.down[1:]:
            kept.append(x)
            x = level(self.pool(x))  # (batch, 2 c, h / 2, w / 2), down to (batch, 512, h / 16, w / 16)
        for grow, level, beside in zip(self.grow, self.up, reversed(kept), strict=True):
            x = level(torch.cat([grow(x), beside], dim=1))  # (batch, c / 2, 2 h, 2 w), up to (batch, 32, h, w)
        return self.head(x)  # (batch, classes, h, w)


def build(config: Config) -> UNet:
    """Return the network with weights drawn by torch's current seed."""
    return UNet(config)
