"""DeepLabv3+ on a ResNeSt encoder: split attention, dilated spatial pyramid pooling, one skip connection.

Chen et al. (2018), arXiv:1802.02611; Zhang et al. (2020), arXiv:2004.08955 (ResNeSt: radix 2, deep stem, average
pooling where the grid is halved). The defaults are ResNeSt-101; the last stage is dilated, so that the encoder ends at
a sixteenth of the grid. Convolutions of the pyramid and the decoder are not depthwise separable.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from .glavitu import BatchNorm
from .unet import Entry, SceneConfig

KIND = "scene"
EXPANSION = 4
RADIX = 2


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    stem : int
        Channels of the first convolution; the stem ends with twice as many.
    width : int
        Channels inside the first stage's blocks; each stage doubles them.
    blocks : tuple of int
        Blocks of the four stages: (3, 4, 6, 3) is ResNeSt-50 (with ``stem`` 32), (3, 4, 23, 3) ResNeSt-101.
    rates : tuple of int
        Dilations of the pyramid.
    decoder : int
        Channels of the pyramid and the decoder.
    beside : int
        Channels that the fine grid is reduced to.
    dropout : float
        After the pyramid.
    """

    stem: int = Field(default=64, ge=1)
    width: int = Field(default=64, ge=1)
    blocks: tuple[int, int, int, int] = (3, 4, 23, 3)
    rates: tuple[int, ...] = (6, 12, 18)
    decoder: int = Field(default=256, ge=1)
    beside: int = Field(default=48, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 16


def convolution(before: int, after: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(
            before, after, kernel, stride=stride, padding=dilation * (kernel // 2), dilation=dilation, bias=False
        ),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class SplitAttention(nn.Module):
    """Two groups of 3 x 3 features, weighted against each other per channel: (batch, width, h, w) to the same."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        inner = max(32, width * RADIX // 4)
        self.splits = nn.Conv2d(width, RADIX * width, 3, padding=dilation, dilation=dilation, groups=RADIX, bias=False)
        self.splits_norm = nn.BatchNorm2d(RADIX * width)
        self.squeeze, self.squeeze_norm = nn.Linear(width, inner), BatchNorm(inner)
        self.weigh = nn.Linear(inner, RADIX * width)

    def forward(self, x: Tensor) -> Tensor:
        splits = torch.relu(self.splits_norm(self.splits(x))).unflatten(1, (RADIX, -1))  # (batch, radix, width, h, w)
        mean = splits.sum(dim=1).mean(dim=(2, 3))  # (batch, width)
        weight = (
            self.weigh(torch.relu(self.squeeze_norm(self.squeeze(mean)))).unflatten(1, (RADIX, -1)).softmax(dim=1)
        )  # (batch, radix, width)
        return (splits * weight[:, :, :, None, None]).sum(dim=1)


class Bottleneck(nn.Module):
    """One ResNeSt block: (batch, before, h, w) to (batch, 4 width, h / stride, w / stride)."""

    def __init__(self, before: int, width: int, *, stride: int, dilation: int, pooled: bool):
        super().__init__()
        after = EXPANSION * width
        self.enter = convolution(before, width, 1)
        self.attend = SplitAttention(width, dilation)
        self.pool = nn.AvgPool2d(3, stride, padding=1) if pooled else nn.Identity()
        self.leave, self.leave_norm = nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)
        shortcut = [nn.AvgPool2d(stride), nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.shortcut = nn.Sequential(*shortcut) if stride > 1 or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.leave_norm(self.leave(self.pool(self.attend(self.enter(x)))))
        return torch.relu(y + self.shortcut(x))


class ResNeSt(nn.Module):
    """Encoder: (batch, bands, h, w) to the first stage's (batch, 4 width, h / 4, w / 4) and the last's (batch, 32
    width, h / 16, w / 16)."""

    def __init__(self, bands: int, *, stem: int, width: int, blocks: tuple[int, int, int, int]):
        super().__init__()
        self.stem = nn.Sequential(
            convolution(bands, stem, 3, stride=2),
            convolution(stem, stem, 3),
            convolution(stem, 2 * stem, 3),
            nn.MaxPool2d(3, 2, padding=1),
        )
        stages, before = [], 2 * stem
        for s, (count, stride, dilation) in enumerate(zip(blocks, (1, 2, 2, 1), (1, 1, 1, 2), strict=True)):
            inner, stage = width * 2**s, []
            for k in range(count):
                stage.append(
                    Bottleneck(
                        before,
                        inner,
                        stride=stride if k == 0 else 1,
                        dilation=1 if k == 0 else dilation,
                        pooled=k == 0 and s > 0,
                    )
                )
                before = EXPANSION * inner
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.stages[0](self.stem(x))  # (batch, 4 width, h / 4, w / 4)
        x = fine
        for stage in self.stages[1:]:
            x = stage(x)  # (batch, 8 width, h / 8, w / 8), then 16 width and 32 width at / 16
        return fine, x


class Pyramid(nn.Module):
    """Dilated spatial pyramid pooling: (batch, before, h, w) to (batch, width, h, w)."""

    def __init__(self, before: int, width: int, *, rates: tuple[int, ...], dropout: float):
        super().__init__()
        self.looks = nn.ModuleList(
            [convolution(before, width, 1), *(convolution(before, width, 3, dilation=r) for r in rates)]
        )
        self.image, self.image_norm = nn.Linear(before, width, bias=False), BatchNorm(width)
        self.join = convolution((len(rates) + 2) * width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        parts = [look(x) for look in self.looks]
        image = torch.relu(self.image_norm(self.image(x.mean(dim=(2, 3)))))  # (batch, width): the whole tile
        parts.append(image[:, :, None, None].expand_as(parts[0]))
        return self.dropout(self.join(torch.cat(parts, dim=1)))


class DeepLab(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        self.entry = Entry(config)
        self.encoder = ResNeSt(self.entry.channels, stem=config.stem, width=config.width, blocks=config.blocks)
        self.pyramid = Pyramid(8 * EXPANSION * config.width, config.decoder, rates=config.rates, dropout=config.dropout)
        self.beside = convolution(EXPANSION * config.width, config.beside, 1)
        self.refine = nn.Sequential(
            convolution(config.decoder + config.beside, config.decoder, 3),
            convolution(config.decoder, config.decoder, 3),
        )
        self.head = nn.Conv2d(config.decoder, config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine, coarse = self.encoder(self.entry(x))
        context = F.interpolate(
            self.pyramid(coarse), scale_factor=4.0, mode="bilinear", align_corners=False
        )  # (batch, decoder, h / 4, w / 4)
        x = self.refine(torch.cat([context, self.beside(fine)], dim=1))
        return F.interpolate(
            self.head(x), scale_factor=4.0, mode="bilinear", align_corners=False
        )  # (batch, classes, h, w)


def build(config: Config) -> DeepLab:
    """Return the network with weights drawn by torch's current seed."""
    return DeepLab(config)
