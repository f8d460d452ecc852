"""Tracks: one-dimensional footprints along a beam, given as windows of neighbouring segments or as stretches.

The labels are tables of segments (``polynya label`` writes them for ICESat-2); classes, features and spacing may be
one's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics, models, recipes, schema
from ..description import SURFACE, OfTracks
from ..errors import UsageError
from ..samples import class_bits, labelled_tracks, splits, track_windows
from ..targets import OneOf
from . import Fitted, FoldPredictions, affine, classes_key, config_of

if TYPE_CHECKING:
    from torch import nn

Description = OfTracks
SURFACE_TARGET = OneOf(classes=SURFACE, positive="open_water")
ANY_ICE = 0b011
"""Ice of unknown thickness, as a set of surface classes."""
SIZES = ((1, 1), (3, 2), (17, 5))
"""Batch and length of the inputs on which torch and the exported graph are compared."""


def network(plan: recipes.Recipe) -> OfTracks:
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
    if module.KIND not in ("window", "sequence"):
        raise UsageError(
            f"recipe {plan.name}: {name} is no network of tracks; expected one, since the recipe names features. Fix"
            " the recipe."
        )
    target = plan.predicts or SURFACE_TARGET
    if not isinstance(target, OneOf):
        raise UsageError(
            f"recipe {plan.name}: predicts {target.kind}; expected one_of, which is what label tables hold. Change it."
        )
    settings = {k: v for k, v in plan.model.items() if k != "name"}
    shown = OfTracks(kind=module.KIND, features=plan.features, predicts=target)
    settings = {**classes_key(module, shown), **settings}
    config = config_of(module, {**settings, "features": plan.features}, recipe=plan.name, name=name)
    settings = json.loads(config.model_dump_json())
    settings.pop("features")
    if settings.get("classes", target.channels) != target.channels:
        raise UsageError(
            f"recipe {plan.name}: model.classes is {settings['classes']}; expected the {target.channels} of the target."
            " Leave it out."
        )
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
    return OfTracks(
        name=plan.name,
        kind=module.KIND,
        model={"name": name, **settings},
        predicts=target,
        features=plan.features,
        cell_m=plan.samples.cell_m,
        gap_m=plan.samples.gap_m,
        window_length=int(settings.get("length", 1)),
        stride=stride,
        halo=halo,
        separation=getattr(config, "separation", None),
    )


def data(
    plan: recipes.Recipe,
    description: OfTracks,
    *,
    data: Sequence[Path | str],
    train_only: Sequence[Path | str],
    split: splits.Config,
) -> TrackData:
    """Read label tables and split them.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.
    description : OfTracks
        Of :func:`network`.
    data, train_only : sequence of Path or str
        Label tables or folders: to be split, and to be trained on whatever the split.
    split : splits.Config
        How they are split.

    Returns
    -------
    TrackData

    Raises
    ------
    UsageError
        If tables and split do not fit, or a label is outside the target.
    ProductError
        If a table is damaged.
    """
    options: dict[str, Any] = {"admits": _admits(plan, description.predicts), "cell_m": description.cell_m}
    tracks = labelled_tracks.read([*data, *train_only], features=plan.features, **options)
    parts = splits.split(tracks.group[tracks.granule], tracks.x, config=split)
    if train_only:
        names = labelled_tracks.read(train_only, features=plan.features[:1], **options).granules
        parts = _with_train_only(tracks, parts, split, names=names)
    scaling = labelled_tracks.fit_scaling(tracks.values[parts.part == splits.TRAIN])
    return TrackData(
        plan=plan,
        network=description,
        tracks=tracks,
        split=parts,
        config=split,
        scaling=scaling,
        inputs=scaling.apply(tracks.values),
    )


def _admits(plan: recipes.Recipe, target: Any) -> dict[int, tuple[int, ...]]:
    """Return the numbers of the classes that each code of the label tables admits."""
    if target.classes == SURFACE and not plan.samples.labels:
        return labelled_tracks.ADMITS
    if not plan.samples.labels:
        return {k: (k,) for k in range(target.channels)}
    unknown = sorted({n for names in plan.samples.labels.values() for n in names} - set(target.classes))
    if unknown:
        raise UsageError(
            f"recipe {plan.name}: samples.labels names {unknown}; expected classes of the target:"
            f" {', '.join(target.classes)}. Fix the recipe."
        )
    return {code: tuple(target.classes.index(n) for n in names) for code, names in plan.samples.labels.items()}


def config(description: OfTracks) -> dict[str, object]:
    """Return the settings of the architecture's Config."""
    return {**{k: v for k, v in description.model.items() if k != "name"}, "features": description.features}


def has_small_steps(description: OfTracks) -> bool:
    """Return whether steps are too small for more than one thread of a processor."""
    return description.is_window


def axes(description: OfTracks) -> dict[int, str]:
    """Return the axes of the graph's input that may have any size."""
    return {0: "batch"} if description.is_window else {0: "batch", 2: "length"}


def wrap(network: nn.Module, description: OfTracks) -> nn.Module:
    """Return a network between raw feature values and what is predicted.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    description : OfTracks
        What it is.

    Returns
    -------
    torch.nn.Module
        Windows (batch, length, features) to (batch, planes); stretches (batch, features + 1, length), the last channel
        1 where there is a segment, to (batch, planes, length).
    """
    import torch
    from torch import nn

    is_window, limit, target = description.is_window, float(description.limit), description.predicts

    class Raw(nn.Module):
        """Scaling, network, calibration, activation."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            row = (1, 1, -1) if is_window else (1, -1, 1)
            self.mean: torch.Tensor
            self.std: torch.Tensor
            self.register_buffer("mean", torch.tensor(description.mean, dtype=torch.float32).reshape(row))
            self.register_buffer("std", torch.tensor(description.std, dtype=torch.float32).reshape(row))
            scale, offset = affine(target, description.fitted, dims=2 if is_window else 3)
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raw = inputs if is_window else inputs[:, :-1]
            scaled = torch.where(torch.isnan(raw), torch.zeros_like(raw), (raw - self.mean) / self.std).clamp(
                -limit, limit
            )
            if not is_window:
                here = inputs[:, -1:]
                scaled = torch.cat([scaled * here, here], dim=1)
            return target.activate(self.network(scaled) * self.scale + self.offset)

    return Raw()


def example(description: OfTracks, *, batch: int, length: int) -> np.ndarray:
    """Return raw inputs drawn from the training's mean and standard deviation, a tenth of them missing.

    Parameters
    ----------
    description : OfTracks
        What the network is.
    batch, length : int
        Size of the inputs; the length is in strides.
    """
    rng = np.random.default_rng(batch)
    mean, std = np.array(description.mean), np.array(description.std)
    cells = description.window_length if description.is_window else length * max(description.stride, 8)
    values = mean + std * rng.normal(size=(batch, cells, mean.size))
    values[rng.random(values.shape) < 0.1] = np.nan
    if description.is_window:
        return values.astype(np.float32)
    here = (rng.random((batch, cells, 1)) < 0.9).astype(float)
    values = np.where(here > 0, values, 0.0)
    return np.concatenate([values, here], axis=2).transpose(0, 2, 1).astype(np.float32).copy()


@dataclass(frozen=True, kw_only=True)
class TrackData:
    """Labelled segments, split and scaled; see :class:`polynya.families.TrainingData`."""

    plan: recipes.Recipe
    network: OfTracks
    tracks: labelled_tracks.Tracks
    split: splits.Split
    config: splits.Config
    scaling: labelled_tracks.Scaling
    inputs: np.ndarray
    unit: str = "segment"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.network.classes

    @property
    def learned(self) -> dict[str, object]:
        """Return mean and standard deviation of the features in the training part."""
        return {"mean": self.scaling.mean, "std": self.scaling.std, "limit": self.scaling.limit}

    def source(self, part: int, *, is_scored: bool) -> track_windows.WindowSource | track_windows.SequenceSource:
        """Return the windows or rows of a part."""
        samples, tracks = self.plan.samples, self.tracks
        weights = None
        if not is_scored:
            by_class, by_beam = samples.balance in ("class", "both"), samples.balance in ("beam", "both")
            weights = labelled_tracks.sampling_weights(
                tracks, split=self.split, part=part, by_class=by_class, by_beam=by_beam, emphasis=_emphasis(self.plan)
            )
        options: dict[str, Any] = {"inputs": self.inputs, "split": self.split, "part": part, "weights": weights}
        if self.network.is_window:
            return track_windows.WindowSource(
                tracks, length=self.network.window_length, fill_edges=is_scored, **options
            )
        return track_windows.SequenceSource(
            tracks,
            layout=track_windows.Layout(
                length=samples.length,
                gap_m=samples.gap_m,
                halo=self.network.halo,
                stride=self.network.stride,
                separation=self.network.separation,
            ),
            jitter=() if is_scored else _jitter(self.plan, self.scaling),
            mirror=samples.mirror and not is_scored,
            **options,
        )

    def counts(self) -> np.ndarray:
        """Return ordinary labels of each class in the training part; where it holds only sets of classes, their
        number."""
        targets = self.tracks.targets[
            (self.split.part == splits.TRAIN) & (self.tracks.targets != labelled_tracks.UNKNOWN)
        ]
        classes = class_bits.single(targets)
        found = np.bincount(classes[classes >= 0], minlength=len(self.classes))
        return found if found.any() else np.full(len(self.classes), targets.size)

    def fingerprint(self) -> str:
        """Return a hash of tables and scaling."""
        h = hashlib.sha256(json.dumps([list(self.tracks.granules), asdict(self.scaling)], sort_keys=True).encode())
        targets = self.tracks.targets  # as bytes where they fit: hashes of earlier releases stay
        targets = targets.astype(np.uint8) if len(self.classes) <= 8 else targets
        for column in (self.tracks.x, targets, self.tracks.values):
            h.update(np.ascontiguousarray(column).data)
        return h.hexdigest()

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return strong and weak beams."""
        strong = self.tracks.is_strong[where]
        return {"strong": strong, "weak": ~strong}

    def fit_more(self, own: FoldPredictions, others: Sequence[FoldPredictions], fitted: Fitted) -> dict[str, object]:
        """Return nothing: a track network has its calibration and no more."""
        return {}

    def more_scores(self, predictions: FoldPredictions, fitted: Fitted, more: dict[str, object]) -> dict[str, object]:
        """Score ice against water, with the segments whose ice is of unknown thickness."""
        if self.classes != SURFACE:
            return {}
        probability = self.network.predicts.values(predictions.outputs, fitted.calibration)
        called = np.argmax(probability * np.asarray(fitted.weights or (1.0,) * 3), axis=1)
        targets = predictions.targets
        two = metrics.merge_ice(metrics.confusion(class_bits.single(targets), called)) + _any_ice(targets, called)
        return {
            "n_ice_of_unknown_thickness": int(np.count_nonzero(targets == ANY_ICE)),
            "water_recall": float(metrics.recall(two)[2]),
            "water_precision": float(metrics.precision(two)[2]),
        }

    def about(self) -> dict[str, object]:
        """Return counts, parts, and what each table says of itself."""
        return _about(self.tracks, self.split, self.config, self.classes)


def _with_train_only(
    tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config, *, names: Sequence[str]
) -> splits.Split:
    """Put the granules of ``--train-only`` into the training part and count the groups of each part again."""
    codes = np.array([tracks.granules.index(n) for n in names])
    others = np.setdiff1d(np.arange(len(tracks.granules)), codes)
    both = np.intersect1d(tracks.group[codes], tracks.group[others])
    if both.size and not parts.is_leaky:
        one, two = (next(tracks.granules[g] for g in side if tracks.group[g] == both[0]) for side in (codes, others))
        raise UsageError(
            f"--train-only: {one} shows the same ice as {two} of --data (they name one source); expected ice that no"
            " other part may see. Give both with --data, or both with --train-only."
        )
    part = np.where(np.isin(tracks.granule, codes), np.int8(splits.TRAIN), parts.part)
    unit = tracks.group[tracks.granule].astype(np.int64)
    if split.method == "block":
        unit = (unit << 32) + np.floor(tracks.x / (1000.0 * split.block_km)).astype(np.int64)
    groups = (
        np.count_nonzero(part == k) if split.method == "random" else np.unique(unit[part == k]).size
        for k in range(len(splits.PARTS))
    )
    return replace(parts, part=part, groups=_four(groups))


def _four(counts: Iterable[Any]) -> tuple[int, int, int, int]:
    a, b, c, d = (int(n) for n in counts)
    return a, b, c, d


def _emphasis(plan: recipes.Recipe) -> tuple[tuple[int, int, float], ...]:
    """Return the recipe's emphasis in codes."""
    sources, labels = {n: k for k, n in schema.LABEL_SOURCES}, {n: k for k, n in schema.LABEL_CLASSES}
    return tuple(
        (sources[e.source], sum(1 << k for k in labelled_tracks.ADMITS.get(labels[e.label], ())), e.times)
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
                f"recipe {plan.name}: samples.jitter names {unknown}; expected features of the recipe. Fix the recipe."
            )
        columns = tuple(plan.features.index(f) for f in jitter.features)
        out.append(
            track_windows.Shift(
                columns=columns, sd=tuple(jitter.sd / scaling.std[c] for c in columns), chance=jitter.chance
            )
        )
    return tuple(out)


def _any_ice(targets: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Return a (3, 4) matrix of the segments known to be ice of unknown thickness, called ice or water."""
    mine = called[targets == ANY_ICE]
    out = np.zeros((3, 4))
    out[0, 0], out[0, 2] = np.count_nonzero(mine != 2), np.count_nonzero(mine == 2)
    return out


def _about(
    tracks: labelled_tracks.Tracks, parts: splits.Split, split: splits.Config, names: tuple[str, ...]
) -> dict[str, object]:
    """Return what the network was trained on: counts, parts, and what each table says of itself."""
    classes = class_bits.single(tracks.targets)
    per_part = {}
    for k, name in enumerate(splits.PARTS):
        mine = parts.part == k
        per_part[name] = {c: int(np.count_nonzero(classes[mine] == v)) for v, c in enumerate(names)}
        if names == SURFACE:
            per_part[name]["ice_thick_or_thin"] = int(np.count_nonzero(tracks.targets[mine] == ANY_ICE))
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
