"""Scenes: two-dimensional grids of several sensors, cut into windows and blended again.

The labels are planes of tile sets (HDF5), or images with their classes beside them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import calibrate, models, recipes
from ..description import OfScenes, SceneScaling
from ..errors import UsageError
from ..glaciers import intervals
from ..samples import class_bits, scene_scaling, scene_split, scene_windows, splits, tile_sets
from ..targets import OneOf
from . import Fitted, FoldPredictions, affine, config_of

if TYPE_CHECKING:
    from torch import nn

Description = OfScenes
GIVEN = ("sensors", "location", "classes", "tile")
"""Settings of a network's Config that the recipe's other parts give."""
GLACIER = "glacier"
SIZES = ((1, 1), (2, 2))
"""Batch and side of the inputs on which torch and the exported graph are compared."""
FEWEST_BLOCKS = 20
"""Fewer say nothing of how areas err."""


def network(plan: recipes.Recipe) -> OfScenes:
    """Return the description of a recipe's network, its settings checked and complete.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.

    Raises
    ------
    UsageError
        If a setting does not fit.
    """
    name = str(plan.model.get("name", ""))
    module = models.named(name)
    if module.KIND != "scene":
        raise UsageError(
            f"recipe {plan.name}: {name} is a network of tracks; expected one of scenes, since the recipe names"
            " sensors. Fix the recipe."
        )
    target = plan.predicts or OneOf(
        classes=plan.classes, positive=plan.positive or (GLACIER if GLACIER in plan.classes else None)
    )
    table, scaling = recipes.sensors_of(plan), _scaling(plan)
    regions = tuple(table.regions)
    settings = {k: v for k, v in plan.model.items() if k != "name"}
    given = {
        "sensors": scaling.sensors,
        "location": scene_scaling.planes(plan.location, regions=regions),
        "classes": target.channels,
        "tile": plan.scene.size,
    }
    doubled = [k for k in settings if k in GIVEN]
    if doubled:
        raise UsageError(
            f"recipe {plan.name}: model names {doubled}; expected them from sensors, location, classes and scene.size."
            " Leave them out of model."
        )
    given = {k: v for k, v in given.items() if k in module.Config.model_fields}
    config = config_of(module, {**settings, **given}, recipe=plan.name, name=name)
    stride = int(getattr(config, "stride", 1))
    if plan.scene.size % stride:
        raise UsageError(
            f"recipe {plan.name}: scene.size {plan.scene.size} is no multiple of the network's stride {stride};"
            f" expected one. Take {stride * max(1, round(plan.scene.size / stride))}."
        )
    return OfScenes(
        name=plan.name,
        kind="scene",
        model={"name": name, **json.loads(config.model_dump_json())},
        predicts=target,
        target=plan.target,
        scaling=SceneScaling(sensors=scaling.sensors, low=scaling.low, high=scaling.high, is_log=scaling.is_log),
        limit=scene_scaling.LIMIT,
        sensor_table=plan.sensor_table_name,
        location=scene_scaling.planes(plan.location, regions=regions),
        location_kind=plan.location,
        regions=regions,
        size=plan.scene.size,
        stride=stride,
        halo=int(getattr(config, "halo", 0)),
        is_fixed="tile" in module.Config.model_fields,
    )


def _scaling(plan: recipes.Recipe) -> scene_scaling.Scaling:
    return scene_scaling.of(plan.sensors, table=recipes.sensors_of(plan), low_high=recipes.scaling_of(plan))


def data(
    plan: recipes.Recipe,
    description: OfScenes,
    *,
    data: Sequence[Path | str],
    train_only: Sequence[Path | str],
    split: splits.Config,
) -> SceneData:
    """Open tile sets and split them.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.
    description : OfScenes
        Of :func:`network`.
    data, train_only : sequence of Path or str
        Tile sets, or folders of them: to be split, and to be trained on whatever the split.
    split : splits.Config
        ``granule`` means scene here.

    Returns
    -------
    SceneData

    Raises
    ------
    UsageError
        If tiles and split do not fit.
    ProductError
        If a file is damaged.
    """
    tiles = _open(data, plan, option="--data")
    is_more = [False] * len(tiles)
    tiles += _open(train_only, plan, option="--train-only")
    is_more += [True] * (len(tiles) - len(is_more))
    if plan.scene.regions:
        kept = [k for k, t in enumerate(tiles) if t.region in plan.scene.regions]
        if not kept:
            raise UsageError(
                f"recipe {plan.name}: no tile is of {', '.join(plan.scene.regions)}; found"
                f" {', '.join(sorted({t.region or 'unknown' for t in tiles}))}. Give tiles of these regions, or fix"
                " scene.regions."
            )
        tiles, is_more = [tiles[k] for k in kept], [is_more[k] for k in kept]
    parts = scene_split.split(tiles, config=split, train_only=is_more)
    files = tuple(
        {
            "file": f.name,
            "tiles": sum(1 for t in tiles if t.path == f),
            "bytes": f.stat().st_size,
            "changed": f.stat().st_mtime_ns,
        }
        for f in sorted({t.path for t in tiles})
    )
    return SceneData(
        plan=plan,
        network=description,
        tiles=_tiles(plan, description, tiles),
        split=parts,
        files=files,
        train_only=tuple(k for k, more in enumerate(is_more) if more),
    )


def _open(paths: Sequence[Path | str], plan: recipes.Recipe, *, option: str) -> list[Any]:
    return tile_sets.open_all(
        paths,
        target=plan.target,
        classes=plan.classes,
        table=recipes.sensors_of(plan),
        recipe=plan.name,
        option=option,
    )


def _tiles(plan: recipes.Recipe, description: OfScenes, tiles: Sequence[Any]) -> scene_windows.Tiles:
    return scene_windows.Tiles(
        tiles=tiles,
        scaling=_scaling(plan),
        target=plan.target,
        location=plan.location,
        regions=description.regions,
        labels=description.predicts,
    )


def config(description: OfScenes) -> dict[str, object]:
    """Return the settings of the architecture's Config."""
    return {k: v for k, v in description.model.items() if k != "name"}


def axes(description: OfScenes) -> dict[int, str]:
    """Return the axes of the graph's input that may have any size."""
    return {0: "batch"} if description.is_fixed else {0: "batch", 2: "height", 3: "width"}


def has_dropout_graph(description: OfScenes) -> bool:
    """Return whether a second graph is exported whose dropout draws at every call."""
    return True


def wrap(network: nn.Module, description: OfScenes) -> nn.Module:
    """Return a network between a scene's physical values and what is predicted.

    Inputs (batch, bands + location, h, w): bands in the order of the description's sensors, NaN where missing; then the
    planes that say where the scene is. Presence planes are made from what is missing.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    description : OfScenes
        What it is.

    Returns
    -------
    torch.nn.Module
    """
    import torch
    from torch import nn

    s, target, limit = description.scaling, description.predicts, float(description.limit)
    counts, bands = list(s.sensors.values()), sum(s.sensors.values())
    begin = [0, *list(itertools.accumulate(counts))]
    logarithmic = [s.is_log[b] for b in begin[:-1]]

    class Raw(nn.Module):
        """Scaling, presence planes, network, calibration, activation."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.low: torch.Tensor
            self.range: torch.Tensor
            width = [h - low for low, h in zip(s.low, s.high, strict=True)]
            plane = (1, -1, 1, 1)
            self.register_buffer("low", torch.tensor(s.low, dtype=torch.float32).reshape(plane))
            self.register_buffer("range", torch.tensor(width, dtype=torch.float32).reshape(plane))
            scale, offset = affine(target, description.fitted, dims=4)
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            *raw, place = torch.split(inputs, [*counts, inputs.shape[1] - bands], dim=1)
            known, there = [], []
            for part, is_log in zip(raw, logarithmic, strict=True):
                seen = ~torch.isnan(part)
                filled = torch.where(seen, part, torch.zeros_like(part))
                known.append(torch.log10(filled.clamp(min=0.0) + 1e-6) if is_log else filled)
                there.append(seen.to(part.dtype))
            scaled = ((torch.cat(known, dim=1) - self.low) / self.range).clamp(-limit, limit) * torch.cat(there, dim=1)
            planes = [part.amax(dim=1, keepdim=True) for part in there]
            out = self.network(torch.cat([scaled, *planes, place], dim=1))
            return target.activate(out * self.scale + self.offset)

    return Raw()


def example(description: OfScenes, *, batch: int, length: int) -> np.ndarray:
    """Return raw inputs drawn from the scaling, a tenth of them missing and a whole sensor away.

    Parameters
    ----------
    description : OfScenes
        What the network is.
    batch, length : int
        Size of the inputs; the length is in strides.
    """
    rng = np.random.default_rng(batch)
    s = description.scaling
    side = description.size if description.is_fixed else length * max(description.stride, 16)
    shape = (batch, len(s.low), side, side)
    low, high = (np.array(v).reshape(1, -1, 1, 1) for v in (s.low, s.high))
    scaled = low + (high - low) * rng.random(shape)
    is_log = np.broadcast_to(np.array(s.is_log).reshape(1, -1, 1, 1), shape)
    values = np.power(10.0, scaled, where=is_log, out=scaled.copy())
    values[rng.random(shape) < 0.1] = np.nan
    begin = np.cumsum([0, *s.sensors.values()])
    if len(begin) > 2:
        values[0, begin[1] : begin[2]] = np.nan  # a whole sensor is away
    place = np.zeros((batch, description.location, side, side))
    place[:, :1] = 1.0
    return np.concatenate([values, place], axis=1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class SceneData:
    """Tiles, split and scaled; see :class:`polynya.families.TrainingData`."""

    plan: recipes.Recipe
    network: OfScenes
    tiles: scene_windows.Tiles
    split: scene_split.SceneSplit
    files: tuple[dict[str, object], ...] = ()
    train_only: tuple[int, ...] = ()
    unit: str = "pixel"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the planes that are predicted."""
        return self.network.classes

    @property
    def learned(self) -> dict[str, object]:
        """Return nothing: the scaling is the recipe's."""
        return {}

    @property
    def scenes(self) -> tuple[str, ...]:
        """Return the scene of each tile."""
        return tuple(t.scene for t in self.tiles.tiles)

    @property
    def ground(self) -> list[list[object]]:
        """Return what is labelled; see :func:`polynya.samples.scene_split.labelled_ground`."""
        return scene_split.labelled_ground(self.tiles.tiles, lambda t: self.network.predicts.known(self._labels(t)))

    def _labels(self, tile: Any) -> np.ndarray:
        every = tuple(slice(0, n) for n in tile.shape)
        return self.network.predicts.of_tile(tile, self.plan.target, *every)

    def source(self, part: int, *, is_scored: bool) -> scene_windows.SceneSource:
        """Return the windows of a part."""
        return scene_windows.SceneSource(
            self.tiles,
            split=self.split,
            part=part,
            settings=self.plan.scene,
            is_scored=is_scored,
            train_only=self.train_only,
            positive=self.network.positive,
        )

    def counts(self) -> np.ndarray:
        """Return labelled pixels of the training part, of each class where the target has classes."""
        return np.array(list(self._tally(splits.TRAIN).values()), np.int64)

    def _tally(self, part: int) -> dict[str, int]:
        target = self.network.predicts
        out = target.tally(target.nothing((0,)))
        for k, tile in enumerate(self.tiles.tiles):
            if self.split.has(k, part):
                mine = self.split.mask(k, part, *(slice(0, n) for n in tile.shape))
                where = f"recipe {self.plan.name}: the target {self.plan.target} of {tile.name}"
                here = target.tally(scene_windows.own(self._labels(tile), is_mine=mine, labels=target), where=where)
                out = {name: n + here[name] for name, n in out.items()}
        return out

    def fingerprint(self) -> str:
        """Return a hash of names, sizes and times of the files, and of the split."""
        h = hashlib.sha256(json.dumps([self.files, [t.name for t in self.tiles.tiles]], sort_keys=True).encode())
        for part in self.split.maps:
            h.update(np.ascontiguousarray(part).data)
        return h.hexdigest()

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return regions."""
        region = np.array([t.region or "unknown" for t in self.tiles.tiles])[scene_windows.tile_of(where)]
        names = np.unique(region)
        return {str(n): region == n for n in names} if names.size > 1 else {}

    def fit_more(self, own: FoldPredictions, others: Sequence[FoldPredictions], fitted: Fitted) -> dict[str, object]:
        """Fit what the target has besides (how sure the named class is), and for glaciers how areas err."""
        found: dict[str, object] = self.network.predicts.fit_more(fitted.outputs, fitted.targets, fitted.calibration)
        if isinstance(self.network.predicts, OneOf) and self.network.predicts.positive == GLACIER:
            areas = area_errors([[own], others], calibration=fitted.calibration, positive=self._positive)
            if areas is not None:
                found["areas"] = areas
        return found

    @property
    def _positive(self) -> int:
        return int(self.network.positive or 0)

    def more_scores(self, predictions: FoldPredictions, fitted: Fitted, more: dict[str, object]) -> dict[str, object]:
        """Score what was fitted besides, and what needs no network: calling everything the positive class."""
        target = self.network.predicts
        out = target.more_scores(predictions.outputs, predictions.targets, fitted.calibration, more)
        if "areas" in more:
            out["areas"] = more["areas"]
        if self.network.positive is not None:
            truth = class_bits.single(predictions.targets)
            everything, known = np.count_nonzero(truth == self.network.positive), int(np.count_nonzero(truth >= 0))
            out["all_positive_iou"] = everything / max(known, 1)
        return out

    def about(self) -> dict[str, object]:
        """Return counts, parts and the tile sets."""
        labels = {name: self._tally(k) for k, name in enumerate(splits.PARTS)}
        tiles = self.tiles.tiles
        return {
            "scenes": len({t.scene for t in tiles}),
            "tiles": len(tiles),
            "pixels": sum(t.shape[0] * t.shape[1] for t in tiles),
            "pixel_m": [round(edge([side for t in tiles for side in t.pixel]), 1) for edge in (min, max)],
            "regions": sorted({t.region or "unknown" for t in tiles}),
            "ground": self.ground,
            "labelled": sum(sum(v.values()) for v in labels.values()),
            "labels": labels,
            "split": self.split.describe(),
            "tables": [{k: v for k, v in f.items() if k != "changed"} for f in self.files],
        }


def scoring_data(plan: recipes.Recipe, description: OfScenes, *, data: Path) -> SceneData:
    """Open tiles that are only scored; all of them are the test part.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.
    description : OfScenes
        Of :func:`network`.
    data : Path
        A tile set, or a folder of them.
    """
    tiles = _open([data], plan, option="--cross-fit")
    parts = scene_split.SceneSplit(
        maps=(splits.TEST,) * len(tiles),
        method="held out",
        is_leaky=False,
        groups=(0, 0, 0, len({t.scene for t in tiles})),
    )
    files = tuple({"file": f.name, "bytes": f.stat().st_size} for f in sorted({t.path for t in tiles}))
    return SceneData(plan=plan, network=description, tiles=_tiles(plan, description, tiles), split=parts, files=files)


def area_errors(
    sets: Sequence[Sequence[FoldPredictions]], *, calibration: calibrate.Calibration, positive: int
) -> dict[str, object] | None:
    """Fit how large errors of areas of the positive class are within blocks, and how they correlate between the blocks
    of a scene.

    Each set is fitted for itself and the largest of each number is taken: a few real scenes shall not drown in many
    simulated ones.

    Parameters
    ----------
    sets : sequence of sequence of FoldPredictions
        Predictions of whole scenes.
    calibration : polynya.calibrate.Calibration
        The fitted calibration.
    positive : int
        Number of the class.

    Returns
    -------
    dict or None
        ``between_blocks``: between-block correlation (0 where no set gives one); ``sd``: within-block size, about zero,
        of the normal scores of :func:`polynya.glaciers.intervals.scores_of_blocks`; and the same with ``scenes`` and
        ``blocks`` for every set. None where no set has ``FEWEST_BLOCKS`` blocks: too few to tell.
    """
    rows = []
    for predictions in sets:
        lists = [np.array(v) for p in predictions for v in _block_scores(p, calibration, positive).values()]
        every = intervals.normal_scores(np.concatenate(lists)) if lists else np.zeros(0)
        if every.size < FEWEST_BLOCKS:
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
    if not rows:
        return None
    return {
        "between_blocks": max(r["between_blocks"] for r in rows),
        "sd": max(r["sd"] for r in rows),
        "sets": rows,
    }


def _block_scores(
    predictions: FoldPredictions, calibration: calibrate.Calibration, positive: int
) -> dict[str, list[float]]:
    """Return the scores of the blocks of each scene."""
    truth = class_bits.single(predictions.targets)
    probability = calibration.probabilities(predictions.outputs)[:, positive]
    found = intervals.scores_of_blocks(probability, np.where(truth < 0, -1, truth == positive), predictions.where)
    out: dict[str, list[float]] = {}
    for place, score in found.items():
        out.setdefault(predictions.scenes[int(scene_windows.tile_of(np.asarray(place)))], []).append(score)
    return out
