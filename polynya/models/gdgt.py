"""GDGT: a residual encoder, and a decoder that looks at windows and their surroundings and is guided by fine detail.

Huang, Hong and Su (2024), arXiv:2405.13197, and Hong, Huang et al. (2024), IEEE TGRS (SeaIceNet), from their texts. The
encoder is ResNet-18 (He et al. 2016, arXiv:1512.03385) without its classifier. A decoder block adds a global branch
(attention in windows of 8 x 8 with relative positions, then means along rows and columns) to a local one
(convolutions, then a bank of oriented filters and a high-pass). Between blocks the features of the encoder, split by
Haar's wavelet into means and details at half the size, guide the way up (guided filter of He et al. 2013,
doi:10.1109/TPAMI.2012.213, its coefficients through convolutions as Wu et al. 2018, arXiv:1803.05619).

With three bands and six classes the encoder has 11,176,512 parameters; 1,557,172 are published for the decoder of
SeaIceNet. The texts leave open how the oriented filters and the last attention are arranged: here as said below, and
with nearly as many parameters. The high-pass subtracts a smooth field, where SeaIceNet cuts its spectrum: it exports.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from .unet import Entry, SceneConfig

KIND = "scene"
WINDOW = 8
"""Pixels per side of a window of attention, and reach of the means after it."""
ORIENTATIONS = 4
EPSILON = 1e-3
"""Of the guided filter: details with less variance than this are smoothed."""


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels of the four stages of the encoder.
    blocks : tuple of int
        Residual blocks of each.
    has_pool : bool
        True: the stem quarters the grid (7 x 7 convolution, then a pool), as ResNet-18's; False: it halves it (3 x 3),
        for edges of a pixel or two.
    decoder : int
        Channels of the decoder.
    heads : int
        Of the attention.
    has_texture : bool
        The bank of oriented filters and the high-pass of SeaIceNet.
    has_gates : bool
        The gates over channels and places of SeaIceNet's last step.
    dropout : float
        On whole channels before the last convolution.
    """

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    has_pool: bool = True
    decoder: int = Field(default=64, ge=1)
    heads: int = Field(default=8, ge=1)
    has_texture: bool = True
    has_gates: bool = True
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.decoder % self.heads:
            raise ValueError(f"decoder {self.decoder} is no multiple of heads {self.heads}; expected one")
        return self

    @property
    def stride(self) -> int:
        """Pixels of the coarsest grid; other heights and widths are filled up with their last pixels, and cut again."""
        return 32 if self.has_pool else 16


def _conv(before: int, after: int, size: int = 1, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution and batch norm."""
    conv = nn.Conv2d(before, after, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after))


class Residual(nn.Module):
    """Two 3 x 3 convolutions and their input: (batch, before, h, w) to (batch, after, h / stride, w / stride)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first, self.second = _conv(before, after, 3, stride=stride), _conv(after, after, 3)
        same = stride == 1 and before == after
        self.beside = nn.Identity() if same else _conv(before, after, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.beside(x))


class Encoder(nn.Module):
    """(batch, bands, h, w) to features of four grids, each half as fine as the one before."""

    def __init__(self, bands: int, config: Config):
        super().__init__()
        widths = config.widths
        self.stem = _conv(bands, widths[0], 7 if config.has_pool else 3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if config.has_pool else nn.Identity()
        self.stages = nn.ModuleList()
        for k, (after, count) in enumerate(zip(widths, config.blocks, strict=True)):
            before = widths[max(k - 1, 0)]
            steps = [Residual(before if n == 0 else after, after, 2 if k and n == 0 else 1) for n in range(count)]
            self.stages.append(nn.Sequential(*steps))

    def forward(self, x: Tensor) -> list[Tensor]:
        x, found = self.pool(torch.relu(self.stem(x))), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def haar(x: Tensor) -> Tensor:
    """Return Haar's wavelet of fields: means, and details along rows, columns and diagonals.

    Parameters
    ----------
    x : torch.Tensor, shape (batch, channels, h, w)
        Height and width even.

    Returns
    -------
    torch.Tensor, shape (batch, 4 channels, h / 2, w / 2)
        Orthonormal: of a block [[a, b], [c, d]] (a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2 and
        (a - b - c + d) / 2, each for all channels.
    """
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], dim=1) * 0.5


def from_haar(x: Tensor) -> Tensor:
    """Return the fields that :func:`haar` was given.

    Parameters
    ----------
    x : torch.Tensor, shape (batch, 4 channels, h, w)
        Means and details.

    Returns
    -------
    torch.Tensor, shape (batch, channels, 2 h, 2 w)
    """
    mean, down, along, across = x.chunk(4, dim=1)
    rows = [
        torch.stack([mean + down + along + across, mean + down - along - across], dim=-1),
        torch.stack([mean - down + along - across, mean - down - along + across], dim=-1),
    ]
    return torch.stack([r.flatten(-2) for r in rows], dim=-2).flatten(-3, -2) * 0.5


def box_mean(x: Tensor) -> Tensor:
    """Return the mean of 3 x 3 pixels, fewer at borders; shape (batch, channels, h, w)."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def moments(guide: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return means of guide and fields over 3 x 3 pixels, their covariance, and the guide's variance."""
    mean, own = box_mean(guide), box_mean(x)
    return mean, own, box_mean(guide * x) - mean * own, F.relu(box_mean(guide * guide) - mean * mean)


def guided(guide: Tensor, x: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    """Return fields as straight lines of a guide, over 3 x 3 pixels (He et al. 2013).

    Parameters
    ----------
    guide : torch.Tensor, shape (batch, channels, h, w)
        Whose detail the answer has.
    x : torch.Tensor, shape (batch, channels, h, w)
        The fields.
    epsilon : float
        Variance of the guide below which it is smoothed.

    Returns
    -------
    torch.Tensor, shape (batch, channels, h, w)
    """
    mean, own, together, spread = moments(guide, x)
    slope = together / (spread + epsilon)
    return box_mean(slope) * guide + box_mean(own - slope * mean)


def _up(x: Tensor, times: int) -> Tensor:
    return F.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)


def _double(x: Tensor) -> Tensor:
    return _up(x, 2)


class Attention(nn.Module):
    """Attention in windows, with learned values for relative positions, then means along rows and columns.

    Windows that reach beyond the field are filled up with pixels that no other looks at.
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (channels // heads) ** -0.5
        self.words = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.positions = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        nn.init.trunc_normal_(self.positions, std=0.02)
        y, x = torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
        down, along = (v.flatten()[:, None] - v.flatten()[None, :] + WINDOW - 1 for v in (y, x))
        self.register_buffer("places", down * (2 * WINDOW - 1) + along, persistent=False)

    def _windows(self, x: Tensor, parts: int) -> Tensor:
        """Cut (batch, parts * heads * d, h, w) into (parts, batch * windows, heads, 64, d)."""
        b, c, h, w = x.shape
        x = x.reshape(b, parts, self.heads, c // (parts * self.heads), h // WINDOW, WINDOW, w // WINDOW, WINDOW)
        x = x.permute(1, 0, 4, 6, 2, 5, 7, 3)  # parts, batch, rows, columns, heads, 8, 8, d
        return x.reshape(parts, -1, self.heads, WINDOW * WINDOW, c // (parts * self.heads))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        more = (0, (-w) % WINDOW, 0, (-h) % WINDOW)
        words = F.pad(self.words(x), more)
        tall, wide = words.shape[-2], words.shape[-1]
        query, key, value = self._windows(words, 3).unbind(0)
        beyond = F.pad(torch.zeros_like(x[:, : self.heads]), more, value=1.0)
        hidden = self._windows(beyond, 1)[0].transpose(-1, -2) * -1e4  # (batch * windows, heads, 1, 64)
        place = self.positions[self.places.flatten()].reshape(WINDOW * WINDOW, WINDOW * WINDOW, self.heads)
        looks = (query * self.scale) @ key.transpose(-1, -2) + place.permute(2, 0, 1) + hidden
        seen = torch.softmax(looks, dim=-1) @ value  # (batch * windows, heads, 64, d)
        seen = seen.reshape(b, tall // WINDOW, wide // WINDOW, self.heads, WINDOW, WINDOW, c // self.heads)
        seen = seen.permute(0, 3, 6, 1, 4, 2, 5).reshape(b, c, tall, wide)[..., :h, :w]
        before, after = (WINDOW - 1) // 2, WINDOW // 2
        rows = F.avg_pool2d(F.pad(seen, (0, 0, before, after), mode="replicate"), (WINDOW, 1), stride=1)
        columns = F.avg_pool2d(F.pad(seen, (before, after, 0, 0), mode="replicate"), (1, WINDOW), stride=1)
        return rows + columns


def gabor(channels: int, *, wave_px: float = 3.0, sigma_px: float = 1.2) -> Tensor:
    """Return one oriented 3 x 3 filter per orientation (Gabor 1946): shape (orientations, 3, 3), each of sum 0."""
    y, x = torch.meshgrid(torch.arange(-1.0, 2.0), torch.arange(-1.0, 2.0), indexing="ij")
    angle = torch.arange(ORIENTATIONS)[:, None, None] * (math.pi / ORIENTATIONS)
    along = x * torch.cos(angle) + y * torch.sin(angle)
    found = torch.exp(-(x * x + y * y) / (2 * sigma_px**2)) * torch.cos(2 * math.pi * along / wave_px)
    return (found - found.mean(dim=(1, 2), keepdim=True)) / math.sqrt(channels)


class Texture(nn.Module):
    """Oriented filters, learned from Gabor's on, and what a smooth field leaves: (batch, c, h, w) to the same."""

    def __init__(self, channels: int):
        super().__init__()
        self.bank = nn.Conv2d(channels, ORIENTATIONS * channels, 3, padding=1, bias=False)
        signs = torch.randn(ORIENTATIONS, channels, channels, 1, 1)
        with torch.no_grad():
            self.bank.weight.copy_((signs * gabor(channels)[:, None, None]).flatten(0, 1))
        self.mix = _conv(ORIENTATIONS * channels, channels)
        self.sharp = _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        high = x - box_mean(box_mean(x))
        return x + self.mix(F.relu6(self.bank(x))) + self.sharp(high)


class Block(nn.Module):
    """Global and local branch, and a network per pixel, each added to its input: (batch, c, h, w) to the same."""

    def __init__(self, config: Config):
        super().__init__()
        c = config.decoder
        self.before, self.between = nn.BatchNorm2d(c), nn.BatchNorm2d(c)
        self.wide = Attention(c, config.heads)
        self.near, self.point = _conv(c, c, 3), _conv(c, c)
        self.texture = Texture(c) if config.has_texture else nn.Identity()
        self.spread = nn.Conv2d(c, c, WINDOW, groups=c, bias=False)
        self.norm, self.out = nn.BatchNorm2d(c), nn.Conv2d(c, c, 1, bias=False)
        self.mlp = nn.Sequential(nn.Conv2d(c, 4 * c, 1), nn.ReLU6(), nn.Conv2d(4 * c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        y = self.wide(y) + self.texture(self.near(y) + self.point(y))
        before, after = (WINDOW - 1) // 2, WINDOW // 2
        y = self.out(self.norm(self.spread(F.pad(y, (before, after, before, after), mode="replicate"))))
        x = x + y
        return x + self.mlp(self.between(x))


class Sum(nn.Module):
    """Two fields weighted by learned shares that sum to one, and a 3 x 3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.shares = nn.Parameter(torch.ones(2))
        self.after = _conv(channels, channels, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        shares = torch.relu(self.shares)
        shares = shares / (shares.sum() + 1e-8)
        return F.relu6(self.after(shares[0] * x + shares[1] * y))


class GuidedUp(nn.Module):
    """Coarse features (batch, c, h, w), guided by fine ones (batch, skip, 2 h, 2 w), to (batch, c, 2 h, 2 w)."""

    def __init__(self, skip: int, channels: int):
        super().__init__()
        c = channels
        self.narrow = nn.Conv2d(skip, c, 1, bias=False)
        self.guide = _conv(4 * c, c)
        self.slope = nn.Sequential(_conv(2 * c, c), nn.ReLU6(), nn.Conv2d(c, c, 1))
        self.sum = Sum(c)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        fine = self.narrow(skip)
        mean, own, together, spread = moments(self.guide(haar(fine)), x)
        slope = self.slope(torch.cat([together, spread], dim=1))
        lines = _double(slope) * fine + _double(own - slope * mean)
        return self.sum(fine, lines)


class Gates(nn.Module):
    """Gates of every channel and of every place (Liu et al. 2021, arXiv:2112.05561): (batch, c, h, w) to the same."""

    def __init__(self, channels: int):
        super().__init__()
        c = channels
        self.channels = nn.Sequential(nn.Conv2d(c, 2 * c, 1), nn.ReLU6(), nn.Conv2d(2 * c, c, 1))
        self.places = nn.Sequential(_conv(c, c, 7), nn.ReLU6(), _conv(c, c, 7))

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.channels(x))
        return x * torch.sigmoid(self.places(x))


class Refine(nn.Module):
    """The finest features (batch, skip, 2 h, 2 w) join: gates over places and channels, then the sum of both."""

    def __init__(self, skip: int, config: Config):
        super().__init__()
        c = config.decoder
        self.narrow, self.sum = nn.Conv2d(skip, c, 1, bias=False), Sum(c)
        self.place = nn.Conv2d(c, c, 3, padding=1, groups=c)
        less = max(c // 16, 1)
        self.channel = nn.Sequential(nn.Conv2d(c, less, 1, bias=False), nn.ReLU6(), nn.Conv2d(less, c, 1, bias=False))
        self.gates = Gates(c) if config.has_gates else nn.Identity()
        self.beside, self.after = _conv(c, c), nn.Sequential(_conv(c, c, 3, groups=c), nn.Conv2d(c, c, 1, bias=False))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.sum(self.narrow(skip), _double(x))
        gated = torch.sigmoid(self.place(x)) * x
        gated = self.gates(gated + torch.sigmoid(self.channel(x.mean(dim=(2, 3), keepdim=True))) * x)
        return F.relu6(self.after(gated) + self.beside(x))


def _head(config: Config) -> nn.Sequential:
    c = config.decoder
    return nn.Sequential(
        _conv(c, c, 3), nn.ReLU6(), nn.Dropout2d(config.dropout), nn.Conv2d(c, config.classes, 1, bias=False)
    )


class Gdgt(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w).

    In training a second answer comes from the coarser grids, for the auxiliary loss.
    """

    def __init__(self, config: Config):
        super().__init__()
        widths, c = config.widths, config.decoder
        self.stride, self.entry = config.stride, Entry(config)
        self.encoder = Encoder(self.entry.channels, config)
        self.narrow = _conv(widths[3], c)
        self.blocks = nn.ModuleList(Block(config) for _ in range(3))
        self.ups = nn.ModuleList(GuidedUp(w, c) for w in (widths[2], widths[1]))
        self.refine = Refine(widths[0], config)
        self.head, self.second = _head(config), _head(config)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        h, w = x.shape[-2:]
        x = F.pad(x, (0, (-w) % self.stride, 0, (-h) % self.stride), mode="replicate")
        fine, half, quarter, coarse = self.encoder(self.entry(x))
        a = self.blocks[0](self.narrow(coarse))  # (batch, c, h / 32, w / 32)
        b = self.blocks[1](self.ups[0](a, quarter))  # (batch, c, h / 16, w / 16)
        d = self.blocks[2](self.ups[1](b, half))  # (batch, c, h / 8, w / 8)
        answer = _up(self.head(self.refine(d, fine)), self.stride // 8)[..., :h, :w]
        if not self.training:
            return answer
        second = self.second(d + _double(b) + _double(_double(a)))
        return answer, _up(second, self.stride // 4)[..., :h, :w]


def build(config: Config) -> Gdgt:
    """Return the network with weights drawn by torch's current seed."""
    return Gdgt(config)
