"""A one-dimensional U-Net along the track: each segment has kilometres of context, at the cost of a few layers.

Leads stand out against hundreds of metres of ice on either side, but five segments are ten metres. Here each piece of
track is on a 2 m grid. Strided convolutions reduce it to cells of ``2 m * product(strides)``, where a few dilated
residual convolutions cover kilometres; the way up joins the finer levels again (U-Net: Ronneberger,
Fischer and Brox, 2015, arXiv:1505.04597; residual blocks: He et al., 2016, arXiv:1512.03385; dilated context: Yu and
Koltun, 2016, arXiv:1511.07122). Almost all computation is on the finest level, so depth costs little.

Cells without a segment are zero in the input and in every layer: the last input channel states where there are
segments, and coarse cells without any are set to zero too. Nothing passes through empty track, so pieces ``separation``
cells apart do not affect each other. There is no normalisation along the track: a cell's result depends only on its
receptive field, so tiles equal the whole.
"""

from __future__ import annotations

import itertools

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, cat, nn
from torch.nn import functional as F

KIND = "sequence"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : tuple of str
        Names of ``schema.FEATURES`` columns.
    widths : tuple of int
        Channels of each level, finest first.
    strides : tuple of int
        Cells of a level in one of the next; one fewer than ``widths``.
    kernel : int
        Cells of every convolution, odd.
    dilations : tuple of int
        Of the residual blocks at the coarsest level.
    dropout : float
        On whole channels at the coarsest level.
    classes : int
        Classes predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = Field(min_length=1)
    widths: tuple[int, ...] = (24, 48, 64, 96)
    strides: tuple[int, ...] = (4, 4, 4)
    kernel: int = Field(default=5, ge=3)
    dilations: tuple[int, ...] = (1, 2, 4)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    classes: int = Field(default=3, ge=2)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if len(self.strides) != len(self.widths) - 1:
            raise ValueError(
                f"strides has {len(self.strides)} entries; expected {len(self.widths) - 1}, one fewer than widths"
            )
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; expected an odd number")
        return self

    @property
    def stride(self) -> int:
        """Cells of the finest level in one of the coarsest: tiles start at multiples of it."""
        total = 1
        for s in self.strides:
            total *= s
        return total

    @property
    def halo(self) -> int:
        """Cells on either side that a cell's result can depend on, rounded up to whole coarsest cells."""
        half, reach, scale = self.kernel // 2, 0, 1
        for s in self.strides:
            reach += 2 * half * scale + (s + half) * scale
            scale *= s
        reach += sum(2 * half * d for d in self.dilations) * scale
        for s in reversed(self.strides):
            reach += scale + 2 * half * scale // s  # linear upsampling reaches one coarse cell
            scale //= s
        return -(-reach // self.stride) * self.stride

    @property
    def separation(self) -> int:
        """Empty cells that separate two pieces: the reach of one convolution, and a coarse cell."""
        return (self.kernel // 2 * max((1, *self.dilations)) + 1) * self.stride


class Residual(nn.Module):
    """Two convolutions, added to a shortcut: (batch, width, cells) to the same."""

    def __init__(self, width: int, kernel: int, dilation: int):
        super().__init__()
        pad = dilation * (kernel // 2)
        self.first = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)
        self.second = nn.Conv1d(width, width, kernel, padding=pad, dilation=dilation)

    def forward(self, x: Tensor, here: Tensor) -> Tensor:
        inner = F.relu(self.first(x)) * here
        return F.relu(x + self.second(inner)) * here


class Level(nn.Module):
    """One level on the way down: (batch, before, cells) to (batch, width, cells / stride)."""

    def __init__(self, before: int, width: int, kernel: int, stride: int):
        super().__init__()
        half = kernel // 2
        self.enter = nn.Conv1d(before, width, kernel if stride == 1 else stride + 2 * half, stride=stride, padding=half)
        self.inner = nn.Conv1d(width, width, kernel, padding=half)

    def forward(self, x: Tensor, here: Tensor) -> Tensor:
        x = F.relu(self.enter(x)) * here
        return F.relu(self.inner(x)) * here


class TrackUNet(nn.Module):
    """Track (batch, features + 1, cells) to logits (batch, classes, cells); cells a multiple of ``config.stride``."""

    def __init__(self, config: Config):
        super().__init__()
        widths, kernel = config.widths, config.kernel
        self.strides = config.strides
        before = (len(config.features) + 1, *widths[:-1])
        self.down = nn.ModuleList(
            Level(b, w, kernel, s) for b, w, s in zip(before, widths, (1, *config.strides), strict=True)
        )
        self.context = nn.ModuleList(Residual(widths[-1], kernel, d) for d in config.dilations)
        self.dropout = nn.Dropout1d(config.dropout)
        self.narrow = nn.ModuleList(nn.Conv1d(c, f, 1) for f, c in itertools.pairwise(widths))
        self.join = nn.ModuleList(nn.Conv1d(2 * f, f, kernel, padding=kernel // 2) for f in widths[:-1])
        self.head = nn.Conv1d(widths[0], config.classes, 1)

    def forward(self, track: Tensor) -> Tensor:
        here = [track[:, -1:]]  # (batch, 1, cells): 1 where a segment exists
        for stride in self.strides:
            here.append(F.max_pool1d(here[-1], stride))  # (batch, 1, cells / stride so far)
        x, kept = track, []
        for level, mask in zip(self.down, here, strict=True):
            x = level(x, mask)  # (batch, width, cells / stride so far)
            kept.append(x)
        x = kept.pop()
        for block in self.context:
            x = block(x, here[-1])
        x = self.dropout(x)
        for k in range(len(kept) - 1, -1, -1):
            x = F.interpolate(
                self.narrow[k](x), scale_factor=float(self.strides[k]), mode="linear", align_corners=False
            )
            x = (
                F.relu(self.join[k](cat([kept[k], x * here[k]], dim=1))) * here[k]
            )  # (batch, width of level k, cells of level k)
        return self.head(x) * here[0]  # (batch, classes, cells)


def build(config: Config) -> TrackUNet:
    """Return the network with weights drawn by torch's current seed."""
    return TrackUNet(config)
