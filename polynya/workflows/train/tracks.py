"""What a network of tracks learns from: label tables of ICESat-2 segments, for :mod:`polynya.workflows.train`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ... import metrics, recipes, schema
from ...errors import UsageError
from ...samples import labelled_tracks, splits, track_windows

CLASSES = tuple(schema.CLASS_NAMES[k] for k in range(3))


@dataclass(frozen=True)
class Material:
    """Labelled segments, split and scaled; see :class:`polynya.workflows.train.Material`."""

    plan: recipes.Recipe
    tracks: labelled_tracks.Tracks
    split: splits.Split
    config: splits.Config
    scaling: labelled_tracks.Scaling
    inputs: np.ndarray
    kind: dict[str, object]
    classes: tuple[str, ...] = CLASSES
    unit: str = "segment"

    @property
    def description(self) -> dict[str, object]:
        return {"mean": self.scaling.mean, "std": self.scaling.std, "limit": self.scaling.limit}

    def source(self, part: int, *, is_judged: bool) -> track_windows.WindowSource | track_windows.SequenceSource:
        """Return the windows or rows of a part."""
        samples, tracks, kind = self.plan.samples, self.tracks, self.kind
        weights = None
        if not is_judged:
            by_class, by_beam = samples.balance in ("class", "both"), samples.balance in ("beam", "both")
            weights = labelled_tracks.sampling_weights(
                tracks, split=self.split, part=part, by_class=by_class, by_beam=by_beam, emphasis=_emphasis(self.plan)
            )
        options = {"inputs": self.inputs, "split": self.split, "part": part, "weights": weights}
        if kind["kind"] == "window":
            return track_windows.WindowSource(tracks, length=kind["window_length"], fill_edges=is_judged, **options)
        return track_windows.SequenceSource(
            tracks,
            length=samples.length,
            gap_m=samples.gap_m,
            halo=kind["halo"],
            stride=kind["stride"],
            separation=kind["separation"],
            jitter=() if is_judged else _jitter(self.plan, self.scaling),
            mirror=samples.mirror and not is_judged,
            **options,
        )

    def counts(self) -> np.ndarray:
        """Return ordinary labels of each class in the training part; where it holds only sets of classes, their
        number."""
        targets = self.tracks.targets[
            (self.split.part == splits.TRAIN) & (self.tracks.targets != labelled_tracks.UNKNOWN)
        ]
        classes = labelled_tracks.classes_of(targets)
        found = np.bincount(classes[classes >= 0], minlength=len(CLASSES))
        return found if found.any() else np.full(len(CLASSES), targets.size)

    def fingerprint(self) -> str:
        """Return a hash of tables and scaling."""
        h = hashlib.sha256(json.dumps([list(self.tracks.granules), asdict(self.scaling)], sort_keys=True).encode())
        for column in (self.tracks.x, self.tracks.targets, self.tracks.values):
            h.update(np.ascontiguousarray(column))
        return h.hexdigest()

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return strong and weak beams."""
        strong = self.tracks.is_strong[where]
        return {"strong": strong, "weak": ~strong}

    def more_scores(self, targets: np.ndarray, called: np.ndarray) -> dict[str, object]:
        """Score ice against water, with the segments whose ice is of unknown thickness."""
        two = metrics.merge_ice(metrics.confusion(labelled_tracks.classes_of(targets), called)) + _any_ice(
            targets, called
        )
        return {
            "n_ice_of_unknown_thickness": int(np.count_nonzero(targets == 0b011)),
            "water_recall": float(metrics.recall(two)[2]),
            "water_precision": float(metrics.precision(two)[2]),
        }

    def about(self) -> dict[str, object]:
        """Return counts, parts, and what each table says of itself."""
        return _data(self.tracks, self.split, self.config)


def material(
    plan: recipes.Recipe,
    description: dict[str, object],
    *,
    data: Sequence[Path | str],
    also: Sequence[Path | str],
    split: splits.Config,
) -> Material:
    """Read label tables and split them.

    Parameters
    ----------
    plan : recipes.Recipe
    description : dict
        Of :func:`network`.
    data, also : sequence of Path or str
        Label tables or folders: to be split, and to be trained on whatever the split.
    split : splits.Config

    Returns
    -------
    Material

    Raises
    ------
    UsageError
        If tables and split do not fit.
    ProductError
        If a table is damaged.
    """
    tracks = labelled_tracks.read([*data, *also], features=plan.features)
    parts = splits.split(tracks.group[tracks.granule], tracks.x, config=split)
    if also:
        parts = _with_also(tracks, parts, split, names=labelled_tracks.read(also, features=plan.features[:1]).granules)
    scaling = labelled_tracks.fit_scaling(tracks.values[parts.part == splits.TRAIN])
    return Material(plan, tracks, parts, split, scaling, scaling.apply(tracks.values), description)


def network(plan: recipes.Recipe) -> dict[str, object]:
    """Return what the recipe says of its network, its settings checked and complete."""
    from ... import checkpoint

    name = str(plan.model.get("name", ""))
    module = checkpoint.architecture(name)
    try:
        config = module.Config(**{k: v for k, v in plan.model.items() if k != "name"}, features=plan.features)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise UsageError(
            f"recipe {plan.name}: model.{'.'.join(map(str, first['loc']))}: {first['msg']}; expected the settings of"
            f" polynya.models.{name}. Mend the recipe."
        ) from error
    settings = json.loads(config.model_dump_json())
    settings.pop("features")
    stride, halo = int(getattr(config, "stride", 1)), int(getattr(config, "halo", 0))
    if module.KIND == "window" and (plan.samples.mirror or plan.samples.jitter):
        raise UsageError(
            f"recipe {plan.name}: samples.mirror and samples.jitter are for sequence networks; found the window network"
            f" {name}. Leave them out."
        )
    if module.KIND == "sequence" and plan.samples.length % stride:
        raise UsageError(
            f"recipe {plan.name}: samples.length {plan.samples.length} is no multiple of the network's stride {stride};"
            f" expected one. Take {stride * max(1, round(plan.samples.length / stride))}."
        )
    return {
        "name": plan.name,
        "kind": module.KIND,
        "model": {"name": name, **settings},
        "features": list(plan.features),
        "classes": list(CLASSES),
        "cell_m": labelled_tracks.RESOLUTION_M,
        "gap_m": plan.samples.gap_m,
        "window_length": int(settings.get("length", 1)),
        "stride": stride,
        "halo": halo,
        "separation": getattr(config, "separation", None),
    }


def _with_also(
    tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config, *, names: Sequence[str]
) -> splits.Split:
    """Put the granules of ``--train-only`` into the training part and count the groups of each part again."""
    codes = np.array([tracks.granules.index(n) for n in names])
    others = np.setdiff1d(np.arange(len(tracks.granules)), codes)
    both = np.intersect1d(tracks.group[codes], tracks.group[others])
    if both.size and not parts.is_leaky:
        one, two = (next(tracks.granules[g] for g in side if tracks.group[g] == both[0]) for side in (codes, others))
        raise UsageError(
            f"--train-only: {one} shows the same ice as {two} of --data (they name one source); expected ice that no other"
            " part may see. Give both with --data, or both with --train-only."
        )
    part = np.where(np.isin(tracks.granule, codes), np.int8(splits.TRAIN), parts.part)
    unit = tracks.group[tracks.granule].astype(np.int64)
    if split.method == "block":
        unit = (unit << 32) + np.floor(tracks.x / (1000.0 * split.block_km)).astype(np.int64)
    groups = (
        np.count_nonzero(part == k) if split.method == "random" else np.unique(unit[part == k]).size
        for k in range(len(splits.PARTS))
    )
    return replace(parts, part=part, groups=tuple(int(n) for n in groups))


def _emphasis(plan: recipes.Recipe) -> tuple[tuple[int, int, float], ...]:
    """Return the recipe's emphasis in codes."""
    sources, labels = {n: k for k, n in schema.LABEL_SOURCES}, {n: k for k, n in schema.LABEL_CLASSES}
    return tuple(
        (sources[e.source], labelled_tracks.ADMISSIBLE.get(labels[e.label], labelled_tracks.UNKNOWN), e.times)
        for e in plan.samples.emphasis
    )


def _jitter(plan: recipes.Recipe, scaling: labelled_tracks.Scaling) -> tuple[track_windows.Shift, ...]:
    """Return the recipe's constants in the scaled features' units."""
    directed = [f for f in plan.features if f.endswith("_change")]
    if plan.samples.mirror and directed:
        raise UsageError(
            f"recipe {plan.name}: samples.mirror with the features {directed}; expected none that knows a direction."
            " Leave them or the mirror out."
        )
    out = []
    for jitter in plan.samples.jitter:
        unknown = [f for f in jitter.features if f not in plan.features]
        if unknown:
            raise UsageError(
                f"recipe {plan.name}: samples.jitter names {unknown}; expected features of the recipe. Mend the recipe."
            )
        columns = tuple(plan.features.index(f) for f in jitter.features)
        out.append(track_windows.Shift(columns, tuple(jitter.sd / scaling.std[c] for c in columns), jitter.chance))
    return tuple(out)


def _any_ice(targets: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Return a (3, 4) matrix of the segments known to be ice of unknown thickness, called ice or water."""
    mine = called[targets == 0b011]
    out = np.zeros((3, 4))
    out[0, 0], out[0, 2] = np.count_nonzero(mine != 2), np.count_nonzero(mine == 2)
    return out


def _data(tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config) -> dict[str, object]:
    """Return what the network was trained on: counts, parts, and what each table says of itself."""
    classes = labelled_tracks.classes_of(tracks.targets)
    per_part = {}
    for k, name in enumerate(splits.PARTS):
        mine = parts.part == k
        per_part[name] = {c: int(np.count_nonzero(classes[mine] == v)) for v, c in enumerate(CLASSES)} | {
            "ice_thick_or_thin": int(np.count_nonzero(tracks.targets[mine] == 0b011))
        }
    granule_parts = None
    if split.method == "granule":
        first = np.unique(tracks.granule, return_index=True)[1]
        granule_parts = {tracks.granules[tracks.granule[i]]: splits.PARTS[parts.part[i]] for i in first.tolist()}
    return {
        "granules": len(tracks.granules),
        "segments": len(tracks),
        "labelled": int(np.count_nonzero(tracks.targets)),
        "strong_share": float(tracks.is_strong.mean()),
        "labels": per_part,
        "split": {**split.model_dump(), **parts.describe()},
        "granule_parts": granule_parts,
        "tables": [
            {k: Path(v).name if k == "scene" else v for k, v in t.items()} for t in tracks.about
        ],  # a network is given away: no path of this machine
    }
