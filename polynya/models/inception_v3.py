"""Inception-v3, of wave-mode imagettes or any other images, with weights of ImageNet by path for fine-tuning.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), Rethinking the Inception Architecture for Computer Vision,
arXiv:1512.00567. Wang et al. (2019), doi:10.1016/j.rse.2019.111457, fine-tuned it to the ten phenomena. Every
convolution has batch norm (epsilon 0.001) and a ReLU. The branches below are listed as the paper's figures draw them:
kernel heights and widths, channels, strides; ``|`` are two convolutions of one input whose outputs are concatenated.

A family of images gives pictures from 0 to 1 and, if the settings ask for them, scalars that join the 2048 features.
"""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ProductError, one_line
from ..io import opening

KIND = "image"
FEATURES = 2048
SMALLEST = 75
"""Pixels below which nothing is left for the last blocks."""


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    bands : int
        Of the input; one band is repeated three times, so that weights of colour images fit.
    scalars : int
        Numbers beside the picture.
    classes : int
        Logits.
    has_auxiliary : bool
        Whether there is a second classifier half-way, which helps training.
    dropout : float
        Before the last layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: int = Field(default=1, ge=1, le=3)
    scalars: int = Field(default=0, ge=0)
    classes: int = Field(default=10, ge=1)
    has_auxiliary: bool = False
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU: (batch, before, h, w) to (batch, after, h', w')."""

    def __init__(self, before: int, after: int, kernel: tuple[int, int], stride: int = 1, *, is_padded: bool = True):
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if is_padded else (0, 0)
        self.conv = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


Step = tuple[int, int, int]
"""Kernel height and width, channels."""


class Split(nn.Module):
    """Two convolutions of one input, side by side: (batch, before, h, w) to (batch, sum of both, h, w)."""

    def __init__(self, before: int, left: Step, right: Step):
        super().__init__()
        self.left = Unit(before, left[2], left[:2])
        self.right = Unit(before, right[2], right[:2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.left(x), self.right(x)], dim=1)


class Mixed(nn.Module):
    """Branches of one input, concatenated, a pooling last: (batch, before, h, w) to (batch, after, h', w').

    ``after_pool`` channels follow a mean over 3 x 3; 0 means a maximum with stride 2, and the last convolution of every
    branch then halves the grid without padding.
    """

    def __init__(self, before: int, branches: list[list[Step | tuple[Step, Step]]], after_pool: int):
        super().__init__()
        self.halves, self.after = after_pool == 0, before if after_pool == 0 else after_pool
        built = []
        for steps in branches:
            units: list[nn.Module] = []
            channels = before
            for k, step in enumerate(steps):
                if len(step) == 2:
                    units.append(Split(channels, *step))
                    channels = step[0][2] + step[1][2]
                else:
                    is_last = self.halves and k == len(steps) - 1
                    units.append(Unit(channels, step[2], step[:2], 2 if is_last else 1, is_padded=not is_last))
                    channels = step[2]
            self.after += channels
            built.append(nn.Sequential(*units))
        self.branches = nn.ModuleList(built)
        self.pool = None if self.halves else Unit(before, after_pool, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        out = [branch(x) for branch in self.branches]
        if self.pool is None:
            out.append(F.max_pool2d(x, 3, stride=2))
        else:
            out.append(self.pool(F.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat(out, dim=1)


def _figure_5(pool: int) -> tuple[list, int]:
    return [[(1, 1, 64)], [(1, 1, 48), (5, 5, 64)], [(1, 1, 64), (3, 3, 96), (3, 3, 96)]], pool


def _figure_6(width: int) -> tuple[list, int]:
    w = width
    long = [(1, 1, w), (7, 1, w), (1, 7, w), (7, 1, w), (1, 7, 192)]
    return [[(1, 1, 192)], [(1, 1, w), (1, 7, w), (7, 1, 192)], long], 192


_FIGURE_7: tuple[list, int] = (
    [
        [(1, 1, 320)],
        [(1, 1, 384), ((1, 3, 384), (3, 1, 384))],
        [(1, 1, 448), (3, 3, 384), ((1, 3, 384), (3, 1, 384))],
    ],
    192,
)
BLOCKS: dict[str, tuple[list, int]] = {
    "5b": _figure_5(32),
    "5c": _figure_5(64),
    "5d": _figure_5(64),
    "6a": ([[(3, 3, 384)], [(1, 1, 64), (3, 3, 96), (3, 3, 96)]], 0),
    "6b": _figure_6(128),
    "6c": _figure_6(160),
    "6d": _figure_6(160),
    "6e": _figure_6(192),
    "7a": ([[(1, 1, 192), (3, 3, 320)], [(1, 1, 192), (1, 7, 192), (7, 1, 192), (3, 3, 192)]], 0),
    "7b": _FIGURE_7,
    "7c": _FIGURE_7,
}
"""Branches and channels after the pooling of every block, by the block's usual name."""
BRANCH_NAMES = {
    "5": ("branch1x1", "branch5x5", "branch3x3dbl"),
    "6a": ("branch3x3", "branch3x3dbl"),
    "6": ("branch1x1", "branch7x7", "branch7x7dbl"),
    "7a": ("branch3x3", "branch7x7x3"),
    "7": ("branch1x1", "branch3x3", "branch3x3dbl"),
}
"""What torchvision calls the branches, by block or by the first sign of its name."""
STEM_NAMES = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")


class Auxiliary(nn.Module):
    """The second classifier: (batch, 768, 17, 17) to logits (batch, classes)."""

    def __init__(self, classes: int):
        super().__init__()
        self.first = Unit(768, 128, (1, 1))
        self.second = Unit(128, 768, (5, 5), is_padded=False)
        self.head = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(F.avg_pool2d(x, 5, stride=3)))  # (batch, 768, 1, 1) of pictures of 299
        return self.head(x.mean(dim=(2, 3)))


class InceptionV3(nn.Module):
    """Pictures (batch, bands, h, w) from 0 to 1, and scalars (batch, n), to logits (batch, classes); made for 299."""

    def __init__(self, config: Config):
        super().__init__()
        self.repeats = 3 // config.bands if config.bands in (1, 3) else 0
        self.inputs = 3 if self.repeats else config.bands
        self.stem = nn.ModuleList(
            [
                Unit(self.inputs, 32, (3, 3), 2, is_padded=False),
                Unit(32, 32, (3, 3), is_padded=False),
                Unit(32, 64, (3, 3)),
                Unit(64, 80, (1, 1)),
                Unit(80, 192, (3, 3), is_padded=False),
            ]
        )
        channels, blocks = 192, {}
        for name, (branches, pool) in BLOCKS.items():
            blocks[name] = Mixed(channels, branches, pool)
            channels = blocks[name].after
        self.mixed = nn.ModuleDict(blocks)
        self.auxiliary = Auxiliary(config.classes) if config.has_auxiliary else None
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(FEATURES + config.scalars, config.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the 2048 features (batch, 2048), and what the auxiliary classifier takes (batch, 768, h, w)."""
        x = 2.0 * images - 1.0
        if self.repeats:
            x = x.repeat(1, self.repeats, 1, 1)  # (batch, 3, 299, 299)
        for k, unit in enumerate(self.stem):
            x = unit(x)
            if k in (2, 4):
                x = F.max_pool2d(x, 3, stride=2)  # (batch, 64, 73, 73), (batch, 192, 35, 35)
        half_way = x
        for name, block in self.mixed.items():
            x = block(x)  # 5: (batch, 256 or 288, 35, 35), 6: (batch, 768, 17, 17), 7: (batch, 1280 or 2048, 8, 8)
            if name == "6e":
                half_way = x
        return x.mean(dim=(2, 3)), half_way

    def with_features(self, images: Tensor, scalars: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits and the 2048 features."""
        features, _ = self.features(images)
        return self._logits(features, scalars), features

    def forward(self, images: Tensor, scalars: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor | None]:
        if self.training and self.auxiliary is not None:  # the training loop weighs the second answer
            return self.forward_with_auxiliary(images, scalars)
        return self.with_features(images, scalars)[0]

    def forward_with_auxiliary(self, images: Tensor, scalars: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the logits, and those of the auxiliary classifier; None where there is none."""
        features, half_way = self.features(images)
        return self._logits(features, scalars), None if self.auxiliary is None else self.auxiliary(half_way)

    def _logits(self, features: Tensor, scalars: Tensor | None) -> Tensor:
        features = self.dropout(features)
        return self.head(features if scalars is None else torch.cat([features, scalars], dim=1))  # (batch, classes)


def build(config: Config) -> InceptionV3:
    """Return the network with weights drawn by torch's current seed."""
    return InceptionV3(config)


def key_of(name: str) -> str:
    """Return what this file calls a parameter of torchvision's network; the name itself where it is none of them.

    Parameters
    ----------
    name : str
        As ``Mixed_5b.branch5x5_1.conv.weight``.
    """
    first, _, rest = name.partition(".")
    if first in STEM_NAMES:
        return f"stem.{STEM_NAMES.index(first)}.{rest}"
    if first == "AuxLogits":
        for theirs, ours in (("conv0", "first"), ("conv1", "second"), ("fc", "head")):
            if rest.startswith(f"{theirs}."):
                return f"auxiliary.{ours}.{rest.partition('.')[2]}"
    if first == "fc" and rest:
        return f"head.{rest}"
    if not first.startswith("Mixed_"):
        return name
    block, (branch, _, rest) = first.removeprefix("Mixed_"), rest.partition(".")
    if branch == "branch_pool":
        return f"mixed.{block}.pool.{rest}"
    names = BRANCH_NAMES.get(block) or BRANCH_NAMES.get(block[:1], ())
    stem, _, place = branch.rpartition("_")
    stem, place = (branch, "1") if branch in names else (stem, place)
    if stem not in names or not place:
        return name
    side = {"a": ".left", "b": ".right"}.get(place[-1], "")
    step = int(place.rstrip("ab")) - 1 if place.rstrip("ab").isdigit() else 0
    return f"mixed.{block}.branches.{names.index(stem)}.{step}{side}.{rest}"


def load_weights(network: InceptionV3, path: Path | str) -> tuple[str, ...]:
    """Load weights from a file, for fine-tuning; nothing in the file is run.

    Parameters
    ----------
    network : InceptionV3
        Changed.
    path : Path or str
        Safetensors, or a state dict that torch wrote (``.pt``, ``.pth``), with torchvision's names or this file's.

    Returns
    -------
    tuple of str
        Parameters of the classifiers that stay as they are drawn, because the file has other classes or none.

    Raises
    ------
    ProductError
        If the file cannot be read, or lacks anything else, or has another shape of it.
    """
    path = opening.regular_file(path, expected="a safetensors file or a state dict of Inception-v3. Check the path")
    given = {key_of(k): v for k, v in _tensors(path).items()}
    own = network.state_dict()
    heads = tuple(k for k in own if k.startswith(("head.", "auxiliary.")))
    fits = {k: v for k, v in given.items() if k in own and tuple(v.shape) == tuple(own[k].shape)}
    lacking = [k for k in own if k not in fits and k not in heads and not k.endswith("num_batches_tracked")]
    if lacking:
        raise ProductError(
            f"{path.name}: {len(lacking)} of {len(own)} tensors of Inception-v3 are missing or have another shape,"
            f" {lacking[0]} first; expected all but those of the classifier. Give weights of Inception-v3."
        )
    network.load_state_dict({**own, **fits})
    return tuple(k for k in heads if k not in fits and not k.endswith("num_batches_tracked"))


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise what they like
        raise ProductError(
            f"{path.name}: cannot be read as weights ({one_line(error)[:160]}); expected safetensors, or a state dict"
            " of tensors alone. Get the file again."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ProductError(f"{path.name}: holds no table of tensors; expected a state dict. Save state_dict() alone.")
    return found
