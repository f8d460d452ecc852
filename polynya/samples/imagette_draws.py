"""Which imagettes an epoch sees, and how they are changed: class balance, flips and turns, crops, gain, mixing of two.

Mixing gives images with the tags of both (after CutMix, Yun et al. 2019, arXiv:1905.04899): the logarithms of
roughness are added, since patterns on the sea surface multiply its backscatter, or one takes half of the picture. Tags
that both lack are absent, those that one has are present. Sea ice is not mixed: it has no sea around it. The level of a
mixture is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..physics.stretch import stretch
from ..schema.imagettes import ABSENT, PRESENT, TAGS, UNKNOWN
from .imagette_pictures import LEVEL, shape_of
from .labelled_imagettes import LabelledImagettes

SEA_ICE = TAGS.index("sea_ice")
STEP = 8
"""Sides of crops are multiples of this."""
EDGE_M = 1500.0
"""Width of the border between two halves, so that it looks like no front."""
DARKEST = 0.3
"""Lowest over highest value of a picture whose limits are not known, where logarithms are added."""
LEVEL_DB = 0.5
"""Standard deviation of a constant on the level: satellites differ by tenths of a decibel."""


class Augment(BaseModel):
    """How pictures of the training part are changed.

    Attributes
    ----------
    turns : bool
        Flips and quarter turns.
    crop : float
        Smallest share of a side that is seen.
    gain, offset : float
        The stretched picture is multiplied by 1 +- gain around a half, and shifted by up to the offset.
    mix : float
        Share of pictures that are mixed with another.
    halves : float
        Share of the mixtures that are two halves.
    most_tags : int
        Tags that a mixture may have.
    level_unknown : float
        Share of pictures whose level is withheld, as it is of quick-looks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: bool = True
    crop: float = Field(0.8, gt=0, le=1)
    gain: float = Field(0.15, ge=0, lt=1)
    offset: float = Field(0.05, ge=0, lt=1)
    mix: float = Field(0.25, ge=0, le=1)
    halves: float = Field(0.3, ge=0, le=1)
    most_tags: int = Field(3, ge=1)
    level_unknown: float = Field(0.3, ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs (pictures (k, 1, h, w) and numbers (k, n), or numbers alone), encoded tags (k,) and rows (k,)."""

    inputs: tuple[np.ndarray, ...]
    targets: np.ndarray
    where: np.ndarray


def weights(tags: np.ndarray) -> np.ndarray:
    """Return how often each image is drawn so that all tags, and images without any, come about equally often.

    Parameters
    ----------
    tags : numpy.ndarray of int8, shape (n, labels)
        1 present, 0 absent, -1 unknown.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        They add up to 1.
    """
    present = tags == PRESENT
    groups = np.column_stack([present, ~present.any(axis=1)])
    rarity = groups / np.maximum(groups.sum(axis=0), 1)
    out = rarity.sum(axis=1) / np.maximum(groups.sum(axis=1), 1)
    return out / out.sum()


def partners(tags: np.ndarray, rows: np.ndarray, augment: Augment, rng: np.random.Generator) -> np.ndarray:
    """Draw with which image of the rows each of them is mixed; -1 for none.

    Parameters
    ----------
    tags : numpy.ndarray of int8, shape (n, 10)
        Of all images.
    rows : numpy.ndarray of int, shape (k,)
        Those of the epoch.
    augment : Augment
        Share of mixtures, and how many tags they may have.
    rng : numpy.random.Generator
        Draws them.
    """
    other = rng.permutation(rows)
    both = (tags[rows] == PRESENT) | (tags[other] == PRESENT)
    fits = (both.sum(axis=1) <= augment.most_tags) & ~both[:, SEA_ICE] & (other != rows)
    chance = augment.mix / max(float(fits.mean()), augment.mix, 1e-9)
    return np.where(fits & (rng.random(rows.size) < chance), other, -1)


def mixed_tags(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the tags of mixtures, int8: present where one has it, absent where both lack it.

    Parameters
    ----------
    first, second : numpy.ndarray of int8, shape (..., 10)
        1 present, 0 absent, -1 unknown.
    """
    out = np.where((first == ABSENT) & (second == ABSENT), ABSENT, UNKNOWN)
    return np.where((first == PRESENT) | (second == PRESENT), PRESENT, out).astype(np.int8)


def logarithm(grey: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the logarithm of roughness, without its mean, of a stretched picture; float32 of the same shape.

    Parameters
    ----------
    grey : numpy.ndarray of uint8
        The picture.
    limits : numpy.ndarray, shape (2,)
        What 0 and 255 stand for; where the first is 0 it is not known.
    """
    low, high = (float(v) for v in limits)
    if not 0.0 < low < high:
        low, high = DARKEST, 1.0
    table = np.log(low + (high - low) * np.arange(256) / 255.0).astype(np.float32)
    out = table[grey]
    return out - out.mean()


def mix(
    first: np.ndarray, second: np.ndarray, *, is_halved: bool, pixel_m: float, rng: np.random.Generator
) -> np.ndarray:
    """Mix two logarithms of roughness; return the stretched picture, uint8.

    Parameters
    ----------
    first, second : numpy.ndarray of float32, shape (size, size)
        Of :func:`logarithm`.
    is_halved : bool
        Each takes a side of a line through the middle; else they are added.
    pixel_m : float
        Side of a pixel, m.
    rng : numpy.random.Generator
        Draws the line.
    """
    if is_halved:
        size = len(first)
        place = np.arange(size, dtype=np.float32) - 0.5 * (size - 1)
        angle, shift = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(-0.2, 0.2) * size
        far = (np.cos(angle) * place[:, None] + np.sin(angle) * place - shift) * (4.0 * pixel_m / EDGE_M)
        share = 1.0 / (1.0 + np.exp(-far, dtype=np.float32))
        log = second + share * (first - second)
    else:
        log = first + second
    return np.round(255.0 * stretch(np.exp(log, dtype=np.float32))).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSource:
    """The imagettes of a part for :mod:`polynya.train`.

    Attributes
    ----------
    data : LabelledImagettes
        All of them.
    rows : numpy.ndarray of int64
        Those of the part.
    scaled : callable
        Brings numbers to the network's scale: float32 (k, n) to (k, m).
    encode : callable
        Brings tags int8 (k, 10) to encoded labels.
    pixel_m : float
        Side of a pixel, m.
    augment : Augment
        Used only where samples are drawn.
    is_balanced : bool
        Whether rare tags are drawn more often.
    """

    data: LabelledImagettes
    rows: np.ndarray
    scaled: Any
    encode: Any
    pixel_m: float
    augment: Augment
    is_balanced: bool = False

    def plan(self, rng: np.random.Generator | None) -> np.ndarray:
        """Return images (k, 3): row, the row that it is mixed with, and a seed of its changes; -1 for none."""
        rows = self.rows
        if rng is None:
            return np.stack([rows, np.full_like(rows, -1), np.full_like(rows, -1)], axis=1)
        if self.is_balanced:
            rows = rng.choice(rows, rows.size, p=weights(self.data.tags[rows]))
        rows = rng.permutation(rows)
        is_picture = self.data.grey.shape[1] > 0
        other = partners(self.data.tags, rows, self.augment, rng) if is_picture else np.full_like(rows, -1)
        return np.stack([rows, other, rng.integers(0, 2**62, rows.size)], axis=1)

    def batch(self, items: np.ndarray) -> Batch:
        """Return pictures, numbers and tags; pictures of a batch that is drawn are cropped to one size."""
        row, other, seed = items.T
        tags = self.data.tags[row]
        tags = np.where(other[:, None] >= 0, mixed_tags(tags, self.data.tags[other]), tags)
        scalars = self.data.scalars[row].copy()
        targets = self.encode(tags)
        size = self.data.grey.shape[1]
        if size == 0:
            return Batch(inputs=(self.scaled(scalars),), targets=targets, where=row)
        if len(seed) and seed[0] >= 0:
            most = size // STEP
            least = min(most, int(np.ceil(self.augment.crop * size / STEP)))
            side = int(np.random.default_rng([int(seed[0]), 1]).integers(least, most + 1))
            size = size if side == most else STEP * side
        images = np.empty((len(items), 1, size, size), np.float32)
        for k in range(len(items)):
            self._fill(images[k, 0], scalars[k], int(row[k]), int(other[k]), int(seed[k]))
        return Batch(inputs=(images, self.scaled(scalars)), targets=targets, where=row)

    def _fill(self, image: np.ndarray, scalars: np.ndarray, row: int, other: int, seed: int) -> None:
        """Fill in one picture, and change the numbers beside it, in place."""
        grey = self.data.grey[row]
        if seed < 0:
            np.multiply(grey, np.float32(1.0 / 255.0), out=image)
            return
        rng, a = np.random.default_rng(seed), self.augment
        if other >= 0:
            pair = [logarithm(self.data.grey[k], self.data.limits[k]) for k in (row, other)]
            second = turned(pair[1], int(rng.integers(8))) if a.turns else pair[1]
            grey = mix(pair[0], second, is_halved=bool(rng.random() < a.halves), pixel_m=self.pixel_m, rng=rng)
            scalars[len(LEVEL) :] = shape_of(grey, pixel_m=self.pixel_m)
        if other >= 0 or rng.random() < a.level_unknown:
            scalars[: len(LEVEL)] = np.nan
        scalars[0] += LEVEL_DB * rng.normal()
        i, j = rng.integers(0, grey.shape[0] - image.shape[0] + 1, 2)
        seen = grey[i : i + image.shape[0], j : j + image.shape[1]]
        if a.turns:
            seen = turned(seen, int(rng.integers(8)))
        gain = 1.0 + a.gain * rng.uniform(-1.0, 1.0)
        offset = 0.5 - 0.5 * gain + a.offset * rng.uniform(-1.0, 1.0)
        np.multiply(seen, np.float32(gain / 255.0), out=image)
        np.clip(image + np.float32(offset), 0.0, 1.0, out=image)


def turned(picture: np.ndarray, number: int) -> np.ndarray:
    """Return one of the eight flips and quarter turns of a square picture.

    Parameters
    ----------
    picture : numpy.ndarray, shape (size, size)
        Any.
    number : int
        0 to 7; 0 leaves it as it is.
    """
    flipped = picture[:, ::-1] if number >= 4 else picture
    return np.rot90(flipped, number % 4)
