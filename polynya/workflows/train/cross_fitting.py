"""Cross-fitting: out-of-fold predictions of networks of the same recipe, for honest scores and for the calibration.

Where there is too little labelled ground to hold some of it out for good, the recipe is trained once more without each
part, one part after the other, and the network without a part predicts it (cross-validation; Stone 1974). The network
that trained on all of it is calibrated on these predictions: on its own training data it would be overconfident. We
assume that on new ground it is as good as the others were on theirs. The assumption is cautious: it saw more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import calibrate, families, metrics, recipes
from ...description import Description
from ...errors import UsageError
from ...families import FoldPredictions
from ...samples import class_bits, scene_windows, splits
from ...targets import OneOf

WEIGHTS = ".safetensors"
MOST_TIMES = 10
"""A held-out pixel is taken up to so many times, lest a few of them throw most of the calibration part away."""
OWN = 2
"""Samples of the calibration part for each held-out one. With as many of both, simulated scenes were as wrong after the
calibration as real ones without any real sample were before."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A network and the tiles that it was not trained on.

    Attributes
    ----------
    network : Path
        ``NAME.safetensors``.
    tiles : Path
        Tile set, or a folder of them.
    """

    network: Path
    tiles: Path

    @property
    def tiles_name(self) -> str:
        """Name of the tiles: of a file with its folder, since sets of two halves may have files of one name."""
        return self.tiles.name if self.tiles.is_dir() else "/".join(self.tiles.parts[-2:])

    @classmethod
    def from_text(cls, text: str) -> Pair:
        """Read ``NETWORK=TILES``.

        Raises
        ------
        UsageError
            If there is no such pair, or no such network.
        """
        network, suffix, tiles = text.partition(f"{WEIGHTS}=")
        network += WEIGHTS
        if not (suffix and tiles):
            raise UsageError(
                f"--cross-fit {text}: is no pair; expected NETWORK.safetensors=TILES. Name the network and the tiles it"
                " was not trained on."
            )
        if not Path(network).is_file():
            raise UsageError(
                f"--cross-fit {network}: no such network; expected NAME.safetensors of polynya train. Train it first,"
                f" without {tiles}."
            )
        return cls(network=Path(network), tiles=Path(tiles))


@dataclass(frozen=True, kw_only=True)
class Fold:
    """An opened pair: the network, and its tiles as data that are only scored."""

    pair: Pair
    model: Any
    data: Any


def open_pairs(pairs: Sequence[Pair], *, plan: recipes.Recipe, description: Description) -> list[Fold]:
    """Load networks and open tiles before a training, so that what does not fit is reported before hours have gone.

    Parameters
    ----------
    pairs : sequence of Pair
        Networks and tiles.
    plan : recipes.Recipe
        The recipe of the training.
    description : Description
        Of the recipe's network.

    Raises
    ------
    UsageError
        If the family has no cross-fitting, a network takes other inputs than the recipe's, or it was trained on the
        tiles.
    ProductError
        If a file is damaged.
    """
    from ... import checkpoint

    family = families.named(description.family)
    if pairs and not hasattr(family, "scoring_data"):
        raise UsageError(
            f"--cross-fit: is for networks of scenes; recipe {plan.name} is one of {description.family}. Leave it out."
        )
    out = []
    for pair in pairs:
        model, other = checkpoint.load(pair.network)
        ours, theirs = description.as_json(), other.as_json()
        keys = ("kind", "model", "classes", "target", "scaling", "location_kind", "size")
        differs = [k for k in keys if theirs.get(k) != ours.get(k)]
        if differs:
            raise UsageError(
                f"--cross-fit {pair.network.name}: has another {' and '.join(differs)} than recipe {plan.name};"
                " expected a network of this recipe. Train it by the recipe."
            )
        data = family.scoring_data(plan, description, data=pair.tiles)
        if not len(data.source(splits.TEST, is_scored=True).plan(None)):
            raise UsageError(
                f"--cross-fit {pair.tiles.name}: holds no labelled pixel; expected some. Give other tiles, or leave the"
                " pair out."
            )
        seen = {(t["file"], t["bytes"]) for t in other.data.get("tables", [])}
        files = {(t["file"], t["bytes"]) for t in data.files}
        trained = [*other.data.get("ground", []), *(other.start_from or {}).get("ground", [])]
        doubled = [name for name, _ in sorted(files & seen)] or [pair.tiles.name] * any(
            overlaps(a, b) for a in data.ground for b in trained
        )
        if doubled:
            raise UsageError(
                f"--cross-fit {pair.network.name}: trained on {doubled[0]}, or on ground of it; expected a network that"
                f" was not trained on {pair.tiles.name}. Train it without."
            )
        out.append(Fold(pair=pair, model=model, data=data))
    return out


def overlaps(one: Sequence, other: Sequence) -> bool:
    """Return whether two pieces of labelled ground, (grid, left, bottom, right, top), share more than a border.

    Parameters
    ----------
    one, other : sequence
        Grid and edges, m.
    """
    return (
        one[0] == other[0]
        and min(one[3], other[3]) - max(one[1], other[1]) > 1.0
        and min(one[4], other[4]) - max(one[2], other[2]) > 1.0
    )


def predict(folds: Sequence[Fold], *, description: Description, batch: int, device: object) -> list[FoldPredictions]:
    """Return the out-of-fold predictions of all pairs.

    Parameters
    ----------
    folds : sequence of Fold
        Opened pairs.
    description : Description
        Of the recipe's network.
    batch : int
        Samples per call.
    device : torch.device
        Where the networks run.
    """
    from ... import train

    out = []
    for fold in folds:
        source = fold.data.source(splits.TEST, is_scored=True)
        found = train.outputs(fold.model.to(device), source, target=description.predicts, batch=batch, device=device)
        out.append(
            FoldPredictions(
                outputs=found.outputs,
                targets=found.targets,
                where=found.where,
                network=fold.pair.network.name,
                tiles=fold.pair.tiles_name,
                scenes=fold.data.scenes,
                ground=tuple(map(tuple, fold.data.ground)),
            )
        )
    return out


def counted(
    own: FoldPredictions, others: Sequence[FoldPredictions], *, calibrated_on: str = "pooled"
) -> FoldPredictions:
    """Return what counts of the calibration part: nothing where a recipe wants held-out ground alone, and has some.

    Parameters
    ----------
    own : FoldPredictions
        Of the calibration part.
    others : sequence of FoldPredictions
        Of other networks on the ground that they were not trained on.
    calibrated_on : str
        ``pooled`` or ``held_out``, of :class:`polynya.recipes.Recipe`.
    """
    if calibrated_on != "held_out" or not others:
        return own
    return dataclasses.replace(own, outputs=own.outputs[:0], targets=own.targets[:0], where=own.where[:0])


def pool(
    own: FoldPredictions, others: Sequence[FoldPredictions], *, calibrated_on: str = "pooled"
) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs and targets of the calibration part and of the out-of-fold predictions, one of the latter to two
    of the former, evenly taken and mixed: halves of them hold both. Of the latter alone where a recipe says so.

    Parameters
    ----------
    own : FoldPredictions
        The calibration part, by the network itself.
    others : sequence of FoldPredictions
        Out-of-fold predictions.
    calibrated_on : str
        ``pooled`` or ``held_out``, of :class:`polynya.recipes.Recipe`.
    """
    if not others:
        return own.outputs, own.targets
    more, more_targets = (np.concatenate([getattr(p, name) for p in others]) for name in ("outputs", "targets"))
    if calibrated_on == "held_out":
        return more, more_targets
    n = min(len(own.outputs) // OWN, MOST_TIMES * len(more))
    one, two = (
        np.linspace(0, len(part) - 1, count).round().astype(int) for part, count in ((own.outputs, OWN * n), (more, n))
    )
    both = np.concatenate([own.outputs[one].reshape(n, OWN, -1), more[two][:, None]], axis=1).reshape((OWN + 1) * n, -1)
    return both, np.concatenate([own.targets[one].reshape(n, OWN), more_targets[two][:, None]], axis=1).reshape(-1)


def scores(
    own: FoldPredictions,
    others: Sequence[FoldPredictions],
    *,
    method: str,
    target: OneOf,
    calibrated_on: str = "pooled",
) -> list[dict[str, object]]:
    """Score every held-out scene, its probabilities calibrated on the calibration part and the other ground.

    Parameters
    ----------
    own : FoldPredictions
        The calibration part, by the network itself.
    others : sequence of FoldPredictions
        Out-of-fold predictions.
    method : str
        Of :func:`polynya.calibrate.fit`.
    target : OneOf
        Its positive class is scored.
    calibrated_on : str
        ``pooled`` or ``held_out``, of :class:`polynya.recipes.Recipe`.

    Returns
    -------
    list of dict
        ``network``, ``tiles``, ``scene``, ``n``, ``iou``, ``everything_iou``, ``precision``, ``recall``,
        ``area_deviation``, ``calibration_error``, ``brier_skill``.
    """
    if target.positive_index is None:
        return []
    out = []
    for k, here in enumerate(others):
        rest = [
            p
            for i, p in enumerate(others)
            if i != k and p.tiles != here.tiles and not any(overlaps(a, b) for a in p.ground for b in here.ground)
        ]
        probability = calibrate.fit(*pool(own, rest, calibrated_on=calibrated_on), method=method).probabilities(
            here.outputs
        )
        truth, tile = class_bits.single(here.targets), scene_windows.tile_of(here.where)
        for scene in sorted(set(here.scenes)):
            mine = np.isin(tile, [i for i, s in enumerate(here.scenes) if s == scene]) & (truth >= 0)
            if mine.any():
                row = _scene_scores(probability[mine], truth[mine], target)
                out.append({"network": here.network, "tiles": here.tiles, "scene": scene, **row})
    return out


def _scene_scores(probability: np.ndarray, truth: np.ndarray, target: OneOf) -> dict[str, object]:
    """Score the positive class of one scene."""
    positive, called = target.positive_index or 0, probability.argmax(axis=1)
    c = metrics.confusion(truth, called, n_classes=target.channels)
    s = calibrate.scores(probability, truth, names=target.classes)[positive]
    everything, found = np.count_nonzero(truth == positive), np.count_nonzero(called == positive)
    with np.errstate(invalid="ignore"):
        return {
            "n": int(truth.size),
            "iou": float(metrics.iou(c)[positive]),
            "everything_iou": float(everything / truth.size),
            "precision": float(metrics.precision(c)[positive]),
            "recall": float(metrics.recall(c)[positive]),
            "area_deviation": float(found / everything - 1.0) if everything else float("nan"),
            "calibration_error": s.calibration_error,
            "brier_skill": s.brier_skill,
        }
