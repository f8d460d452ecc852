"""Every pixel by itself and by its surroundings at a few scales: a network for very little labelled ground.

The planes are fixed: each band, its mean and its standard deviation under Gaussians of a few widths (missing pixels
left out), and how blue to red and red to near infrared differ. Two layers of 1 x 1 convolutions read them. With a few
thousand weights it cannot learn the shapes of one scene by heart, as a network of windows does.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from .unet import SceneConfig

KIND = "scene"
LEAST_WEIGHT = 0.02
"""Where less of a Gaussian lies on pixels with data, its mean is 0: unknown."""
LEAST_VARIANCE = 1e-6
LEAST_SUM = 0.02
"""Added to the sum of two bands that is divided by, scaled units."""


class Config(SceneConfig):
    """Settings of the network.

    Attributes
    ----------
    tile : int
        Side of the windows, pixels.
    scales : tuple of float
        Standard deviations of the Gaussians, pixels.
    unused : tuple of int
        Places of bands, among all, that are not looked at.
    differences : tuple of (int, int)
        Pairs of bands whose difference over their sum is a plane.
    width : int
        Channels of both hidden layers.
    dropout : float
        On the channels of the first hidden layer; half of it on the planes.
    """

    tile: int = Field(default=128, ge=16)
    scales: tuple[float, ...] = Field(default=(1.5, 4.0, 10.0), min_length=1)
    unused: tuple[int, ...] = ()
    differences: tuple[tuple[int, int], ...] = ((0, 2), (2, 3))
    width: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Pixels that height and width must be multiples of."""
        return 1


def blur(side: int, scale: float) -> Tensor:
    """Return the matrix (side, side) that takes the mean under a Gaussian along a line of pixels: ``x @ matrix``.

    Beyond the line its last pixel goes on.

    Parameters
    ----------
    side : int
        Pixels of the line.
    scale : float
        Standard deviation, pixels.
    """
    reach = math.ceil(3.0 * scale)
    steps = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (steps / scale) ** 2)
    weights = weights / weights.sum()
    out = torch.zeros(side, side)
    for column in range(side):
        out[:, column].index_add_(0, (column + steps).clamp(0, side - 1), weights)
    return out


class Mean(nn.Module):
    """Mean under a Gaussian, of pixels with data only: (batch, n, h, w) twice to (batch, n, h, w)."""

    def __init__(self, side: int, scale: float):
        super().__init__()
        self.scale = scale
        self.register_buffer("matrix", blur(side, scale), persistent=False)
        self.matrix: Tensor

    def _matrix(self, side: int) -> Tensor:
        return self.matrix if side == self.matrix.shape[0] else blur(side, self.scale).to(self.matrix)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return the means; 0 where hardly anything was seen. ``x`` must be 0 where it was not seen."""
        down, across = (self._matrix(side) for side in x.shape[-2:])
        share, total = (down.T @ v @ across for v in (seen, x))
        return torch.where(share > LEAST_WEIGHT, total / share.clamp(min=LEAST_WEIGHT), 0.0)


class Surroundings(nn.Module):
    """Tiles (batch, bands + sensors + location, h, w) to logits (batch, classes, h, w)."""

    def __init__(self, config: Config):
        super().__init__()
        counts = list(config.sensors.values())
        self.total, self.n_sensors = sum(counts), len(counts)
        owner = [k for k, n in enumerate(counts) for _ in range(n)]
        self.used = [b for b in range(self.total) if b not in config.unused]
        self.owner = [owner[b] for b in self.used]
        self.differences = [
            (self.used.index(a), self.used.index(b)) for a, b in config.differences if {a, b} <= set(self.used)
        ]
        self.means = nn.ModuleList(Mean(config.tile, s) for s in config.scales)
        planes = len(self.used) * (1 + 2 * len(config.scales)) + len(self.differences) + self.n_sensors
        planes += config.location
        self.norm = nn.BatchNorm2d(planes)
        self.drop_planes, self.drop = nn.Dropout2d(0.5 * config.dropout), nn.Dropout2d(config.dropout)
        self.first, self.second = nn.Conv2d(planes, config.width, 1), nn.Conv2d(config.width, config.width, 1)
        self.head = nn.Conv2d(config.width, config.classes, 1)

    def planes(self, x: Tensor) -> Tensor:
        """Return what is read of every pixel, (batch, planes, h, w)."""
        sensors = (x[:, self.total : self.total + self.n_sensors] > 0.5).to(x.dtype)
        seen = sensors[:, self.owner]
        values = torch.where(seen > 0.5, x[:, self.used], 0.0)
        out = [values, sensors, x[:, self.total + self.n_sensors :]]
        for a, b in self.differences:
            one, other = values[:, a : a + 1], values[:, b : b + 1]
            out.append((one - other) / ((one + other).clamp(min=0.0) + LEAST_SUM))
        for mean in self.means:
            low, square = mean(values, seen), mean(values * values, seen)
            out += [low, torch.sqrt((square - low * low).clamp(min=0.0) + LEAST_VARIANCE)]
        return torch.cat(out, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():  # nothing in them is learnt
            fixed = self.planes(x)
        x = self.drop_planes(self.norm(fixed))
        x = self.drop(torch.relu(self.first(x)))
        return self.head(torch.relu(self.second(x)))  # (batch, classes, h, w)


def build(config: Config) -> Surroundings:
    """Return the network with weights drawn by torch's current seed."""
    return Surroundings(config)
