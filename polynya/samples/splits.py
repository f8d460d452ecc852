"""Which segments train, validate and test: splits by granule or by block of track with a gap.

Neighbouring segments share leads, floes, weather and photons (their footprints overlap), so a random split
puts near copies of the training data into the test (Roberts et al. 2017, doi 10.1111/ecog.02881). Groups here are
whole granules, or blocks of a granule across all its beams, since these see the same ice within a few
kilometres. The random split exists to show its effect on a score; its reports state that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import UsageError

log = logging.getLogger("polynya.splits")

TRAIN, VALIDATION, CALIBRATION, TEST, LEFT_OUT = 0, 1, 2, 3, -1
PARTS = ("train", "validation", "calibration", "test")
LEAK_WARNING = (
    "the random split puts neighbours of every training segment into the other parts: the scores leak and are too high."
    " They are there to compare with publications that split so; quote those of --split granule or block."
)


class Config(BaseModel):
    """How segments are split.

    Attributes
    ----------
    method : str
        ``granule``, ``block`` or ``random`` (leaks).
    train, validation, calibration, test : float
        Shares of the groups; they add up to 1. With ``calibration`` 0 the calibration is fitted on the
        validation part.
    block_km : float
        Length of a block, ``block`` only.
    gap_km : float
        Segments of different parts are at least this far apart along the track, ``block`` only.
    seed : int
        Of the draw; apart from the training's seed, so that several trainings can share a split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["granule", "block", "random"] = "granule"
    train: float = Field(0.7, gt=0, le=1)
    validation: float = Field(0.1, gt=0, le=1)
    calibration: float = Field(0.1, ge=0, lt=1)
    test: float = Field(0.1, ge=0, lt=1)
    block_km: float = Field(10.0, gt=0)
    gap_km: float = Field(1.0, ge=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _adds_up(self) -> Config:
        if abs(sum(self.shares) - 1.0) > 1e-6:
            raise ValueError(f"train, validation, calibration and test add up to {sum(self.shares):g}; expected 1")
        if self.method == "block" and self.gap_km >= self.block_km:
            raise ValueError(
                f"gap_km {self.gap_km:g} is not below block_km {self.block_km:g}; nothing would be left of a block"
            )
        return self

    @property
    def shares(self) -> tuple[float, float, float, float]:
        return (self.train, self.validation, self.calibration, self.test)


@dataclass(frozen=True, kw_only=True)
class Split:
    """The part of every segment.

    Attributes
    ----------
    part : numpy.ndarray of int8, shape (n,)
        TRAIN, VALIDATION, CALIBRATION, TEST, or LEFT_OUT (in a gap between parts).
    is_leaky : bool
        True for the random split: samples may then see inputs of other parts, as they do in published scripts.
    method : str
    groups : tuple of int
        Groups (granules, blocks, segments) in each part.
    """

    part: np.ndarray
    is_leaky: bool
    method: str
    groups: tuple[int, int, int, int]

    def describe(self) -> dict[str, object]:
        """Return counts for run.json and the model card."""
        return {
            "method": self.method,
            "is_leaky": self.is_leaky,
            "groups": dict(zip(PARTS, self.groups, strict=True)),
            "segments": {name: int(np.count_nonzero(self.part == k)) for k, name in enumerate(PARTS)},
            "left_out_in_gaps": int(np.count_nonzero(self.part == LEFT_OUT)),
        }


def split(granule: np.ndarray, x: np.ndarray, *, config: Config) -> Split:
    """Put every segment into a part.

    Parameters
    ----------
    granule : numpy.ndarray of int, shape (n,)
        Number of the granule (or of the pass, where several granules were drawn from one) of each segment.
    x : numpy.ndarray, shape (n,)
        Along-track distance, m.
    config : Config
        Settings.

    Returns
    -------
    Split

    Raises
    ------
    UsageError
        If there are fewer groups than parts.
    """
    granule, x = np.asarray(granule, np.int64), np.asarray(x, np.float64)
    if config.method == "random":
        log.warning(LEAK_WARNING)
        part = draw(granule.size, config, "segments")
        return Split(part=part, is_leaky=True, method="random", groups=_counts(part))
    if config.method == "granule":
        names, group = np.unique(granule, return_inverse=True)
        of_group = draw(names.size, config, "granules")
        return Split(part=of_group[group], is_leaky=False, method="granule", groups=_counts(of_group))
    return _by_block(granule, x, config)


def _by_block(granule: np.ndarray, x: np.ndarray, config: Config) -> Split:
    length, half_gap = 1000.0 * config.block_km, 500.0 * config.gap_km
    block = np.floor(x / length).astype(np.int64)
    keys, group = np.unique(np.stack([granule, block], axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    of_group = draw(len(keys), config, "blocks")
    part = of_group[group]
    # Cut half a gap on either side of a border between blocks of different parts.
    follows = np.zeros(len(keys), bool)
    follows[1:] = (keys[1:, 0] == keys[:-1, 0]) & (keys[1:, 1] == keys[:-1, 1] + 1)
    border_before = np.zeros(len(keys), bool)
    border_before[1:] = follows[1:] & (of_group[1:] != of_group[:-1])
    border_after = np.append(border_before[1:], False)
    inside = x - block * length
    cut = (border_before[group] & (inside < half_gap)) | (border_after[group] & (inside > length - half_gap))
    return Split(part=np.where(cut, np.int8(LEFT_OUT), part), is_leaky=False, method="block", groups=_counts(of_group))


_COUNTED = {"scenes": " (those that share ground are one)"}


def draw(n: int, config: Config, what: str) -> np.ndarray:
    """Give n groups to the parts in the wanted shares, at least one each."""
    wanted = np.array(config.shares)
    needed = wanted > 0
    if n < needed.sum():
        cure = _CURES.get(what, "Give longer tracks, or smaller block_km.")
        names = [name for name, has in zip(PARTS, needed, strict=True) if has]
        raise UsageError(
            f"split by {what}: found {n} {what}{_COUNTED.get(what, '')}; expected at least one for each of"
            f" {', '.join(names)}. {cure}"
        )
    count = np.where(needed, np.maximum(np.floor(wanted * n), 1), 0).astype(np.int64)
    while count.sum() != n:  # give to the part that lacks most, take from the one that has most too much
        lack = np.where(needed, wanted * n - count, np.nan)
        if count.sum() < n:
            count[int(np.nanargmax(lack))] += 1
        else:
            count[int(np.nanargmin(np.where(count > 1, lack, np.nan)))] -= 1
    part = np.repeat(np.arange(4, dtype=np.int8), count)
    return np.random.default_rng(config.seed).permutation(part)


_CURES = {
    "granules": "Label more granules, or take --split block.",
    "scenes": "Give more scenes, or take --split block.",
    "tiles": "Give more tiles.",
    "blocks of ground": "Give more ground, or smaller blocks (--block-km).",
}


def _counts(part: np.ndarray) -> tuple[int, int, int, int]:
    return tuple(int(np.count_nonzero(part == k)) for k in range(4))
