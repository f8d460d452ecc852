"""What a network of scenes learns from: tile sets (HDF5) with their truth, for :mod:`polynya.workflows.train`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ... import recipes
from ...errors import UsageError
from ...readers import glacier_tiles
from ...samples import image_tiles, labelled_tracks, scene_scaling, scene_split, scene_windows, splits

OURS = ("sensors", "location", "classes", "tile")
"""Settings of a network's Config that the recipe's other parts give."""


@dataclass(frozen=True)
class Material:
    """Tiles, split and scaled; see :class:`polynya.workflows.train.Material`."""

    plan: recipes.Recipe
    tiles: scene_windows.Tiles
    split: scene_split.SceneSplit
    files: tuple[dict[str, object], ...]
    also: tuple[int, ...] = ()
    unit: str = "pixel"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.plan.classes

    @property
    def description(self) -> dict[str, object]:
        return {}

    def source(self, part: int, *, is_judged: bool) -> scene_windows.SceneSource:
        """Return the windows of a part."""
        return scene_windows.SceneSource(
            self.tiles, split=self.split, part=part, settings=self.plan.scene, is_judged=is_judged, also=self.also
        )

    def counts(self) -> np.ndarray:
        """Return labelled pixels of each class in the training part."""
        return self._counts(splits.TRAIN)

    def _counts(self, part: int) -> np.ndarray:
        out = np.zeros(len(self.classes), np.int64)
        for k, tile in enumerate(self.tiles.tiles):
            if self.split.has(k, part):
                rows, columns = (slice(0, n) for n in tile.shape)
                targets = np.where(
                    self.split.mask(k, part, rows, columns), tile.target(self.plan.target, rows, columns), 0
                )
                if (targets >> len(self.classes)).any():
                    raise UsageError(
                        f"recipe {self.plan.name}: the target {self.plan.target} of {tile.name} has more classes than"
                        f" {', '.join(self.classes)}; expected a class each. Name them all in classes, or take another"
                        " target."
                    )
                out += [np.count_nonzero(targets == 1 << c) for c in range(len(self.classes))]
        return out

    def fingerprint(self) -> str:
        """Return a hash of names, sizes and times of the files, and of the split."""
        h = hashlib.sha256(json.dumps([self.files, [t.name for t in self.tiles.tiles]], sort_keys=True).encode())
        for part in self.split.maps:
            h.update(np.ascontiguousarray(part))
        return h.hexdigest()

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return regions."""
        region = np.array([t.region or "unknown" for t in self.tiles.tiles])[scene_windows.tile_of(where)]
        names = np.unique(region)
        return {str(n): region == n for n in names} if names.size > 1 else {}

    def more_scores(self, targets: np.ndarray, called: np.ndarray) -> dict[str, object]:
        """Score what needs no network: calling everything the last class."""
        truth = labelled_tracks.classes_of(targets)
        last = np.count_nonzero(truth == len(self.classes) - 1)
        return {"all_of_last_class_iou": last / max(np.count_nonzero(truth >= 0), 1)}

    @property
    def scenes(self) -> tuple[str, ...]:
        """Return the scene of each tile."""
        return tuple(t.scene for t in self.tiles.tiles)

    def about(self) -> dict[str, object]:
        """Return counts, parts and the tile sets."""
        labels = {
            name: dict(zip(self.classes, self._counts(k).tolist(), strict=True)) for k, name in enumerate(splits.PARTS)
        }
        tiles = self.tiles.tiles
        return {
            "scenes": len({t.scene for t in tiles}),
            "tiles": len(tiles),
            "pixels": sum(t.shape[0] * t.shape[1] for t in tiles),
            "regions": sorted({t.region or "unknown" for t in tiles}),
            "ground": labelled_ground(tiles, self.plan.target),
            "labelled": sum(sum(v.values()) for v in labels.values()),
            "labels": labels,
            "split": self.split.describe(),
            "tables": [{k: v for k, v in f.items() if k != "changed"} for f in self.files],
        }


def network(plan: recipes.Recipe) -> dict[str, object]:
    """Return what the recipe says of its network, its settings checked and complete.

    Raises
    ------
    UsageError
        If a setting does not fit.
    """
    from ... import checkpoint

    name = str(plan.model.get("name", ""))
    module = checkpoint.architecture(name)
    if module.KIND != "scene":
        raise UsageError(
            f"recipe {plan.name}: {name} is a network of tracks; expected one of scenes, since the recipe names"
            " sensors. Mend the recipe."
        )
    scaling = scene_scaling.of(plan.sensors)
    settings = {k: v for k, v in plan.model.items() if k != "name"}
    given = {
        "sensors": scaling.sensors,
        "location": scene_scaling.LOCATIONS[plan.location],
        "classes": len(plan.classes),
        "tile": plan.scene.size,
    }
    doubled = [k for k in settings if k in OURS]
    if doubled:
        raise UsageError(
            f"recipe {plan.name}: model names {doubled}; expected them from sensors, location, classes and scene.size."
            " Leave them out of model."
        )
    given = {k: v for k, v in given.items() if k in module.Config.model_fields}
    try:
        config = module.Config(**settings, **given)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise UsageError(
            f"recipe {plan.name}: model.{'.'.join(map(str, first['loc']))}: {first['msg']}; expected the settings of"
            f" polynya.models.{name}. Mend the recipe."
        ) from error
    stride = int(getattr(config, "stride", 1))
    if plan.scene.size % stride:
        raise UsageError(
            f"recipe {plan.name}: scene.size {plan.scene.size} is no multiple of the network's stride {stride};"
            f" expected one. Take {stride * max(1, round(plan.scene.size / stride))}."
        )
    return {
        "name": plan.name,
        "kind": "scene",
        "model": {"name": name, **json.loads(config.model_dump_json())},
        "classes": list(plan.classes),
        "target": plan.target,
        "scaling": {"sensors": scaling.sensors, "low": scaling.low, "high": scaling.high, "is_log": scaling.is_log},
        "limit": scene_scaling.LIMIT,
        "location": scene_scaling.LOCATIONS[plan.location],
        "location_kind": plan.location,
        "size": plan.scene.size,
        "stride": stride,
        "halo": int(getattr(config, "halo", 0)),
        "is_fixed": "tile" in module.Config.model_fields,
    }


def material(
    plan: recipes.Recipe,
    description: dict[str, object],
    *,
    data: Sequence[Path | str],
    also: Sequence[Path | str],
    split: splits.Config,
) -> Material:
    """Open tile sets and split them.

    Parameters
    ----------
    plan : recipes.Recipe
    description : dict
        Of :func:`network`.
    data, also : sequence of Path or str
        Tile sets, or folders of them: to be split, and to be trained on whatever the split.
    split : splits.Config
        ``granule`` means scene here.

    Returns
    -------
    Material

    Raises
    ------
    UsageError
        If tiles and split do not fit.
    ProductError
        If a file is damaged.
    """
    tiles = _open(data, plan)
    is_also = [False] * len(tiles)
    tiles += _open(also, plan, option="--train-only")
    is_also += [True] * (len(tiles) - len(is_also))
    if plan.scene.regions:
        kept = [k for k, t in enumerate(tiles) if t.region in plan.scene.regions]
        if not kept:
            raise UsageError(
                f"recipe {plan.name}: no tile is of {', '.join(plan.scene.regions)}; found"
                f" {', '.join(sorted({t.region or 'unknown' for t in tiles}))}. Give tiles of these regions, or mend"
                " scene.regions."
            )
        tiles, is_also = [tiles[k] for k in kept], [is_also[k] for k in kept]
    parts = scene_split.split(tiles, config=split, also=is_also)
    files = sorted({t.path for t in tiles})
    told = tuple(
        {
            "file": f.name,
            "tiles": sum(1 for t in tiles if t.path == f),
            "bytes": f.stat().st_size,
            "changed": f.stat().st_mtime_ns,
        }
        for f in files
    )
    return Material(
        plan,
        scene_windows.Tiles(tiles, scene_scaling.of(plan.sensors), plan.target, plan.location),
        parts,
        told,
        tuple(k for k, more in enumerate(is_also) if more),
    )


def labelled_ground(tiles: Sequence[scene_windows.Tile], target: str) -> list[list[object]]:
    """Return grid, left, bottom, right and top (metres) of what is labelled of every tile with a place; simulated ones
    have none."""
    out = []
    for t in tiles:
        if getattr(t, "is_simulated", False) or t.grid == scene_split.UNPLACED:
            continue
        rows, columns = np.nonzero(t.target(target, slice(0, t.shape[0]), slice(0, t.shape[1])))
        if rows.size:
            x, y = (
                (t.corner[0] + t.pixel[0] * np.array([columns.min(), columns.max() + 1])),
                (t.corner[1] - t.pixel[1] * np.array([rows.max() + 1, rows.min()])),
            )
            out.append([t.grid, *(round(float(v), 2) for v in (x[0], y[0], x[1], y[1]))])
    return out


def judging(
    plan: recipes.Recipe, tiles: Path
) -> tuple[scene_windows.SceneSource, tuple[str, ...], set[tuple[str, int]]]:
    """Open tiles to be judged only; return their windows, the scene of each tile, and names and sizes of the files."""
    found = _open([tiles], plan, option="--cross-fit")
    split = scene_split.SceneSplit(
        (splits.TEST,) * len(found), "kept back", False, (0, 0, 0, len({t.scene for t in found}))
    )
    source = scene_windows.SceneSource(
        scene_windows.Tiles(found, scene_scaling.of(plan.sensors), plan.target, plan.location),
        split=split,
        part=splits.TEST,
        settings=plan.scene,
        is_judged=True,
    )
    return source, tuple(t.scene for t in found), {(t.path.name, t.path.stat().st_size) for t in found}


def _open(paths: Sequence[Path | str], plan: recipes.Recipe, *, option: str = "--data") -> list[scene_windows.Tile]:
    """Open tile sets, or for a target of sea ice images with their classes."""
    if plan.target != image_tiles.TARGET:
        return [t for file in _files(paths, option) for t in glacier_tiles.open_tiles(file)]
    if plan.classes != image_tiles.CLASSES:
        raise UsageError(
            f"recipe {plan.name}: classes are {list(plan.classes)}; expected {list(image_tiles.CLASSES)} for the target"
            f" {plan.target}. Mend the recipe."
        )
    out = []
    for path in map(Path, paths):
        found = image_tiles.open_images(path) if path.is_dir() else []
        if not found:
            raise UsageError(
                f"--data {path}: no image with its classes there; expected a folder with NAME{image_tiles.IMAGE} and"
                f" NAME{image_tiles.TRUTH}. polynya simulate pair writes such files."
            )
        out += found
    return out


def _files(paths: Sequence[Path | str], option: str) -> list[Path]:
    """Return the tile sets that paths name, folders searched.

    Raises
    ------
    UsageError
        If there is none.
    """
    out: list[Path] = []
    for given in paths:
        path = Path(given)
        found = sorted(p for p in path.rglob("*") if p.suffix in (".h5", ".hdf5")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise UsageError(
                f"{option} {path}: no tile set there; expected an HDF5 file of tiles, or a folder of them. polynya"
                " tiles makes them."
            )
        out += found
    return out
