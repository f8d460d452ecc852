"""Ground that a network trains on, judged by networks of the same recipe that did not: its honest score, and what its
calibration is fitted on.

Where labelled ground is too little to keep some of it back for good, the recipe is trained once more without each part
in turn, and the network without a part judges it (cross-validation; Stone 1974). The network that trained on all of it
takes its calibration from these answers: its own would be too sure of themselves. That it is as good on new ground as
the others were on theirs is an assumption, and a cautious one: it saw more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import calibrate, metrics, recipes
from ...errors import UsageError
from ...glaciers import intervals
from ...samples import labelled_tracks, scene_windows
from . import scenes as train_scenes

WEIGHTS = ".safetensors"
LEAST_BLOCKS = 20
"""Fewer tell nothing of how areas err."""
MOST_TIMES = 10
"""A pixel of the ground kept back is taken up to so many times, lest a little of it throws most of the calibration part
away."""
OWN = 2
"""Samples of the calibration part for each of the ground kept back. With as many of both, simulated scenes were as
wrong after the calibration as real ones without any real sample were before."""


@dataclass(frozen=True)
class Pair:
    """A network and the tiles that it did not see.

    Attributes
    ----------
    network : Path
        ``NAME.safetensors``.
    tiles : Path
        Tile set, or a folder of them.
    """

    network: Path
    tiles: Path

    @classmethod
    def of(cls, text: str) -> Pair:
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
                " did not see."
            )
        if not Path(network).is_file():
            raise UsageError(
                f"--cross-fit {network}: no such network; expected NAME.safetensors of polynya train. Train it first,"
                f" without {tiles}."
            )
        return cls(Path(network), Path(tiles))


@dataclass(frozen=True)
class Judged:
    """Answers of a network on ground that it did not see.

    Attributes
    ----------
    network, tiles : str
        Names of the files.
    logits : numpy.ndarray, shape (n, classes)
    targets : numpy.ndarray of uint8, shape (n,)
    where : numpy.ndarray, shape (n,)
        Of :class:`polynya.samples.scene_windows.Batch`.
    scenes : tuple of str
        Of each tile.
    ground : tuple
        Of :func:`polynya.workflows.train.scenes.labelled_ground`.
    """

    network: str
    tiles: str
    logits: np.ndarray
    targets: np.ndarray
    where: np.ndarray
    scenes: tuple[str, ...]
    ground: tuple[tuple, ...] = ()


def open_pairs(
    pairs: Sequence[Pair], *, plan: recipes.Recipe, description: dict[str, object]
) -> list[tuple[Pair, object, scene_windows.SceneSource, tuple[str, ...], list[list[object]]]]:
    """Load networks and open tiles before a training, so that what does not fit is said before hours have gone.

    Raises
    ------
    UsageError
        If a network takes other inputs than the recipe's, or has seen the tiles.
    ProductError
        If a file is damaged.
    """
    from ... import checkpoint

    out = []
    for pair in pairs:
        model, told = checkpoint.load(pair.network)
        differs = [
            k
            for k in ("kind", "model", "classes", "target", "scaling", "location_kind", "size")
            if told.get(k) != _plain(description.get(k))
        ]
        if differs:
            raise UsageError(
                f"--cross-fit {pair.network.name}: has another {' and '.join(differs)} than recipe {plan.name};"
                " expected a network of this recipe. Train it by the recipe."
            )
        source, scenes, files = train_scenes.judging(plan, pair.tiles)
        if not len(source.plan(None)):
            raise UsageError(
                f"--cross-fit {pair.tiles.name}: holds no labelled pixel; expected some. Give other tiles, or leave the"
                " pair out."
            )
        seen = {(t["file"], t["bytes"]) for t in told.get("data", {}).get("tables", [])}
        here = train_scenes.labelled_ground(source.tiles.tiles, plan.target)
        trained = [*told.get("data", {}).get("ground", []), *told.get("start_from", {}).get("ground", [])]
        doubled = [name for name, _ in sorted(files & seen)] or [pair.tiles.name] * any(
            meets(a, b) for a in here for b in trained
        )
        if doubled:
            raise UsageError(
                f"--cross-fit {pair.network.name}: trained on {doubled[0]}, or on ground of it; expected a network that"
                f" did not see {pair.tiles.name}. Train it without."
            )
        out.append((pair, model, source, scenes, here))
    return out


def meets(one: Sequence, other: Sequence) -> bool:
    """Return whether two pieces of labelled ground, (grid, left, bottom, right, top), share more than a border."""
    return (
        one[0] == other[0]
        and min(one[3], other[3]) - max(one[1], other[1]) > 1.0
        and min(one[4], other[4]) - max(one[2], other[2]) > 1.0
    )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def judge(opened: Sequence[tuple], *, batch: int, device: object) -> list[Judged]:
    """Return the answers of all pairs."""
    from ... import train

    return [
        Judged(
            pair.network.name,
            pair.tiles.name,
            *train.logits(model.to(device), source, batch=batch, device=device),
            scenes,
            tuple(map(tuple, ground)),
        )
        for pair, model, source, scenes, ground in opened
    ]


def mixed(own: Judged, others: Sequence[Judged]) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and targets of the calibration part and of the ground kept back, one of the latter to two of the
    former, evenly taken and mixed: halves of them hold both."""
    if not others:
        return own.logits, own.targets
    more, more_targets = (np.concatenate([getattr(j, name) for j in others]) for name in ("logits", "targets"))
    n = min(len(own.logits) // OWN, MOST_TIMES * len(more))
    one, two = (
        np.linspace(0, len(part) - 1, count).round().astype(int) for part, count in ((own.logits, OWN * n), (more, n))
    )
    both = np.concatenate([own.logits[one].reshape(n, OWN, -1), more[two][:, None]], axis=1).reshape((OWN + 1) * n, -1)
    return both, np.concatenate([own.targets[one].reshape(n, OWN), more_targets[two][:, None]], axis=1).reshape(-1)


def scores(own: Judged, others: Sequence[Judged], *, method: str, names: tuple[str, ...]) -> list[dict[str, object]]:
    """Score every scene of the ground kept back, its probabilities calibrated on the calibration part and the other
    ground.

    Parameters
    ----------
    own : Judged
        The calibration part, by the network itself.
    others : sequence of Judged
    method : str
        Of :func:`polynya.calibrate.fit`.
    names : tuple of str
        Classes; the last is scored.

    Returns
    -------
    list of dict
        ``network``, ``tiles``, ``scene``, ``n``, ``iou``, ``everything_iou``, ``precision``, ``recall``,
        ``area_deviation``, ``calibration_error``, ``brier_skill``.
    """
    out = []
    for k, here in enumerate(others):
        rest = [
            j
            for i, j in enumerate(others)
            if i != k and j.tiles != here.tiles and not any(meets(a, b) for a in j.ground for b in here.ground)
        ]
        probability = calibrate.fit(*mixed(own, rest), method=method).probabilities(here.logits)
        truth, tile = labelled_tracks.classes_of(here.targets), scene_windows.tile_of(here.where)
        for scene in sorted(set(here.scenes)):
            mine = np.isin(tile, [i for i, s in enumerate(here.scenes) if s == scene]) & (truth >= 0)
            if not mine.any():
                continue
            t, p = truth[mine], probability[mine]
            last, called = len(names) - 1, p.argmax(axis=1)
            c, s = metrics.confusion(t, called, n_classes=len(names)), calibrate.scores(p, t, names=names)[last]
            everything, found = np.count_nonzero(t == last), np.count_nonzero(called == last)
            with np.errstate(invalid="ignore"):
                out.append(
                    {
                        "network": here.network,
                        "tiles": here.tiles,
                        "scene": scene,
                        "n": int(mine.sum()),
                        "iou": float(metrics.iou(c)[last]),
                        "everything_iou": float(everything / t.size),
                        "precision": float(metrics.precision(c)[last]),
                        "recall": float(metrics.recall(c)[last]),
                        "area_deviation": float(found / everything - 1.0) if everything else float("nan"),
                        "calibration_error": s.calibration_error,
                        "brier_skill": s.brier_skill,
                    }
                )
    return out


def area_errors(sets: Sequence[Sequence[Judged]], *, calibration: calibrate.Calibration) -> dict[str, object]:
    """Fit how large errors of areas of the last class are, block by block, and how they go together over the blocks of
    a scene.

    Each set is fitted for itself and the largest of each number is taken: a few real scenes shall not drown in many
    simulated ones.

    Parameters
    ----------
    sets : sequence of sequence of Judged
    calibration : polynya.calibrate.Calibration

    Returns
    -------
    dict
        ``between_blocks`` (0 where no set can tell), ``sd`` (about zero, of the normal scores of
        :func:`polynya.glaciers.intervals.scores_of_blocks`; 1 where fewer than ``LEAST_BLOCKS`` blocks tell), and the
        same with ``scenes`` and ``blocks`` for every set.
    """
    rows = []
    for judged in sets:
        lists = [np.array(v) for j in judged for v in _of_scenes(j, calibration).values()]
        every = intervals.normal_scores(np.concatenate(lists)) if lists else np.zeros(0)
        if every.size < LEAST_BLOCKS:
            continue
        rho = intervals.fit_between_blocks(lists)
        rows.append(
            {
                "between_blocks": round(rho, 3) if np.isfinite(rho) else 0.0,
                "sd": round(float(np.sqrt((every**2).mean())), 3),
                "scenes": len(lists),
                "blocks": every.size,
            }
        )
    return {
        "between_blocks": max((r["between_blocks"] for r in rows), default=0.0),
        "sd": max((r["sd"] for r in rows), default=1.0),
        "sets": rows,
    }


def _of_scenes(judged: Judged, calibration: calibrate.Calibration) -> dict[str, list[float]]:
    """Return the scores of the blocks of each scene."""
    truth = labelled_tracks.classes_of(judged.targets)
    last = judged.logits.shape[1] - 1
    found = intervals.scores_of_blocks(
        calibration.probabilities(judged.logits)[:, last], np.where(truth < 0, -1, truth == last), judged.where
    )
    out: dict[str, list[float]] = {}
    for place, score in found.items():
        out.setdefault(judged.scenes[int(scene_windows.tile_of(place))], []).append(score)
    return out
