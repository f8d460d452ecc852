"""Recipes: everything that makes a training, in one YAML file. The folder holds one per published result, and ours.

A recipe names a network (a file of :mod:`polynya.models`, or a dotted module of your own), its settings, the features,
the loss, the optimiser and how long to train. What a recipe leaves out has the default written here.
"""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .. import schema, sensors
from ..errors import ProductError, UsageError, one_line
from ..io import yaml_text
from ..samples.scene_samples import Augment as Augment
from ..samples.scene_samples import SceneSamples
from ..sensors.glaciers import GLACIER_CLASSES
from ..targets import AnyTarget

FOLDER = Path(__file__).parent
PUBLISHED = "maslov2025"
"""Scaling of glacier scenes: a file of ``recipes/scaling``."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Loss(_Settings):
    """``cross_entropy``, ``weighted`` or ``focal``; ``alpha`` a weight per class, ``balanced`` from the training part,
    or none.

    ``smoothing`` is the share of a label that is spread over all classes; ``auxiliary`` weighs the loss of a
    deep-supervision head. ``teacher`` is the share of a teacher's answers in the loss of distillation, where
    ``polynya train --teacher`` gives one (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).
    """

    kind: Literal["cross_entropy", "weighted", "focal"] = "cross_entropy"
    alpha: tuple[float, ...] | Literal["balanced"] | None = None
    gamma: float = Field(2.0, ge=0)
    smoothing: float = Field(0.0, ge=0, lt=1)
    auxiliary: float = Field(0.5, ge=0)
    teacher: float = Field(0.5, gt=0, le=1)


class Optimiser(_Settings):
    """Adam or AdamW with its rate and how the rate moves.

    Attributes
    ----------
    kind : str
        ``adam`` or ``adamw``.
    rate : float
        Highest learning rate.
    weight_decay : float
    schedule : str
        ``constant``; ``cosine`` (to 0); ``onecycle`` (cosine up from rate/25 over the first 30 %, then down to
        rate/10000); ``restarts`` (a cosine to 0 between each two of ``restarts``).
    restarts : tuple of float
        Shares of the training at which the rate starts again from the top, increasing.
    warmup : float
        Share of the training in which ``constant`` and ``cosine`` rise from 0.
    clip_norm : float or None
        Gradients are shortened to this norm.
    precision : str
        ``float32``; ``bfloat16``: products of the training in mixed precision, weights and judging in float32, faster
        where the processor has such products and several times slower where it has not; ``auto``: bfloat16 where it has
        them.
    """

    kind: Literal["adam", "adamw"] = "adam"
    rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "cosine", "onecycle", "restarts"] = "constant"
    restarts: tuple[float, ...] = ()
    warmup: float = Field(0.0, ge=0, lt=1)
    clip_norm: float | None = Field(None, gt=0)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    @field_validator("restarts")
    @classmethod
    def _increasing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < v < 1 for v in value) or any(b <= a for a, b in pairwise(value)):
            raise ValueError("expected increasing shares between 0 and 1")
        return value


class Emphasis(_Settings):
    """Rows with such labels are drawn more often.

    Attributes
    ----------
    source : str
        Who gave the label: a name of ``schema.LABEL_SOURCES``.
    label : str
        Name of ``schema.LABEL_CLASSES``.
    times : float
        A segment so labelled counts this many times.
    """

    source: str
    label: str
    times: float = Field(gt=0)

    @field_validator("source")
    @classmethod
    def _source(cls, value: str) -> str:
        if value not in dict((n, k) for k, n in schema.LABEL_SOURCES):
            raise ValueError(f"expected one of {', '.join(n for _, n in schema.LABEL_SOURCES)}")
        return value

    @field_validator("label")
    @classmethod
    def _label(cls, value: str) -> str:
        if value not in dict((n, k) for k, n in schema.LABEL_CLASSES):
            raise ValueError(f"expected one of {', '.join(n for _, n in schema.LABEL_CLASSES)}")
        return value


class Jitter(_Settings):
    """A constant added to features over a whole row, anew each time: errors that training data hold too little of.

    Attributes
    ----------
    features : tuple of str
        They get the same constant (heights above one wrong water level, say).
    sd : float
        Standard deviation, in the features' own unit.
    chance : float
        Share of rows that get one.
    """

    features: tuple[str, ...] = Field(min_length=1)
    sd: float = Field(gt=0)
    chance: float = Field(1.0, gt=0, le=1)


class Samples(_Settings):
    """How samples are made and drawn.

    Attributes
    ----------
    length : int
        Cells of a row (sequence networks; a window's length is the network's setting).
    gap_m : float
        A longer gap ends a stretch (sequence networks).
    balance : str
        ``none``; ``class``, ``beam`` (strong and weak) or ``both``: drawn equally often, with replacement.
    per_epoch : int or None
        Samples of an epoch; all by default. The rest is not lost: every epoch mixes anew.
    emphasis : tuple of Emphasis
        Rare labels that should be seen more often (sequence networks).
    jitter : tuple of Jitter
        Constants added to rows of the training part (sequence networks).
    mirror : bool
        Half of the training part's rows run backwards (sequence networks): ice does not know which way the satellite
        flies. Not with features that do, as ``photon_rate_change``.
    cell_m : float
        Grid of the segments, m.
    labels : dict of int to tuple of str
        Classes that each code of the label tables admits, for a target of one's own; code k is class k by default.
    """

    length: int = Field(2048, ge=16)
    gap_m: float = Field(20.0, gt=0)
    balance: Literal["none", "class", "beam", "both"] = "none"
    per_epoch: int | None = Field(None, ge=1)
    emphasis: tuple[Emphasis, ...] = ()
    jitter: tuple[Jitter, ...] = ()
    mirror: bool = False
    cell_m: float = Field(2.0, gt=0)
    labels: dict[int, tuple[str, ...]] = Field(default_factory=dict)


class Stop(_Settings):
    """When to stop early and which epoch is kept: the best ``metric`` of the validation part.

    Attributes
    ----------
    metric : str
        ``loss`` (lowest), or a metric of the target: ``macro_f1``, ``iou`` (of the positive class),
        ``average_precision`` (highest), ``rmse``, ``pinball`` (lowest); ``HEAD.METRIC`` of several heads.
    patience : int or None
        Epochs without a better value; None trains all epochs.
    keep : str
        ``best`` or ``last`` epoch.
    """

    metric: str = "macro_f1"
    patience: int | None = Field(None, ge=1)
    keep: Literal["best", "last"] = "best"


class Recipe(_Settings):
    """A training. ``model`` holds ``name`` and the settings of that network's Config but ``features`` (or ``sensors``,
    ``location``, ``classes``, ``tile``).

    A network of tracks names its ``features``; one of scenes its ``sensors``, the ``target`` (a dataset of the tiles,
    one plane per class), the ``classes`` and which ``location`` it is given: the ``region``, or the ``coordinates``.
    Other families (:mod:`polynya.families`) are named by ``family`` and have their own ``settings``. ``predicts`` is
    the target (:mod:`polynya.targets`) where it is not one of the classes.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    about: str = ""
    family: str | None = None
    """A file of :mod:`polynya.families` or a dotted module; by default ``tracks`` with features, ``scenes`` with
    sensors."""
    settings: dict[str, object] = Field(default_factory=dict)
    """Settings of a family that is neither."""
    model: dict[str, object]
    features: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    sensor_table: str | None = None
    """Table of :mod:`polynya.sensors` that the sensors are of, or a dotted module; ``glaciers`` by default."""
    scaling: str | dict[str, tuple[tuple[float, float], ...]] | None = None
    """What is scaled to 0 and 1 of every band: a file of ``recipes/scaling``, or pairs for each sensor; by default the
    published one for glacier scenes, and the range that the table of sensors gives for others."""
    target: str = "outlines"
    classes: tuple[str, ...] = Field(GLACIER_CLASSES, min_length=2)
    positive: str | None = None
    """The class that IoU, balance, areas and spread are about; ``glacier`` where it is among the classes."""
    predicts: AnyTarget | None = None
    location: Literal["none", "region", "coordinates"] = "none"
    samples: Samples = Samples()
    scene: SceneSamples = SceneSamples()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    stop: Stop = Stop()
    batch: int = Field(256, ge=1)
    epochs: int = Field(20, ge=1)
    average: float | None = Field(None, gt=0, lt=1)
    """Decay per step of the exponential average of the weights that is scored and kept; None for the weights
    themselves."""
    batch_norm: Literal["running", "recomputed"] = "running"
    """``recomputed``: means and variances of batch norms are taken anew from the training part when the training is
    over, with the weights that are kept: running ones lag behind, averaged ones belong to no weights."""
    calibration: Literal["none", "temperature", "vector"] = "temperature"
    calibrated_on: Literal["pooled", "held_out"] = "pooled"
    """``held_out``: where there are out-of-fold predictions (``--cross-fit``), the calibration and the errors of areas
    are fitted on these alone, not on the calibration part too."""
    decision: Literal["most_probable", "macro_f1"] = "most_probable"
    """``macro_f1``: class weights for naming the class, fitted on the calibration part; probabilities stay
    calibrated."""

    @model_validator(mode="after")
    def _one_family(self) -> Recipe:
        given = {
            "tracks": (bool(self.features), bool(self.sensors)) == (True, False),
            "scenes": (bool(self.features), bool(self.sensors)) == (False, True),
        }
        if not given.get(self.family_name, True):
            raise ValueError(
                f"features {list(self.features)} and sensors {list(self.sensors)}; expected the one (tracks) or the"
                " other (scenes)"
            )
        if self.settings and self.family_name in given:
            raise ValueError(f"settings {list(self.settings)}: are for families in files of their own; expected none")
        return self

    @property
    def family_name(self) -> str:
        """Name of the family."""
        return self.family or ("scenes" if self.sensors else "tracks")

    @property
    def sensor_table_name(self) -> str:
        """Name of the table of sensors; recipes before there were several named none for grey images of sea ice."""
        return self.sensor_table or ("sea_ice" if self.sensors == ("grey",) else "glaciers")

    def as_dict(self) -> dict:
        """Return the settings as JSON's types. Those of other families are left out, and late ones at their defaults:
        hashes of older recipes stay."""
        unused = _UNUSED.get(self.family_name, ())
        fields = type(self).model_fields
        out = {
            k: v
            for k, v in json.loads(self.model_dump_json()).items()
            if k not in unused and (k not in _LATE_KEYS or v != fields[k].get_default(call_default_factory=True))
        }
        for part, settings in (("loss", Loss), ("optimiser", Optimiser), ("samples", Samples)):
            defaults = json.loads(settings().model_dump_json())
            if part in out:
                out[part] = {k: v for k, v in out[part].items() if k not in _LATE or v != defaults[k]}
        if "scene" in out:
            augment = out["scene"]["augment"]
            out["scene"]["augment"] = {k: v for k, v in augment.items() if k not in _LATE_AUGMENT or v}
        return out

    def shown(self) -> dict:
        """Return the settings that a reader of a report needs: :meth:`as_dict` without those of tracks and scenes,
        where the family is another and they are at their defaults."""
        found = self.as_dict()
        if self.family_name in _UNUSED:
            return found
        fields = type(self).model_fields
        plain = {n: fields[n].get_default(call_default_factory=True) for n in _TRACKS_AND_SCENES}
        return {n: v for n, v in found.items() if n not in plain or getattr(self, n) != plain[n]}

    def digest(self) -> str:
        """Return a hash of all settings but the text about them."""
        return hashlib.sha256(json.dumps({**self.as_dict(), "about": ""}, sort_keys=True).encode()).hexdigest()[:16]


_UNUSED = {
    "scenes": ("features", "settings"),
    "tracks": ("sensors", "target", "classes", "positive", "location", "scene", "sensor_table", "scaling", "settings"),
}
_TRACKS_AND_SCENES = (
    "features",
    "sensors",
    "sensor_table",
    "scaling",
    "target",
    "classes",
    "positive",
    "location",
    "samples",
    "scene",
    "decision",
)
_LATE_KEYS = ("family", "settings", "predicts", "positive", "sensor_table", "scaling", "batch_norm", "calibrated_on")
_LATE_AUGMENT = ("gain_db", "swath_db", "patch_dropout")
_LATE = ("smoothing", "auxiliary", "teacher", "restarts", "precision", "cell_m", "labels")


def scaling_of(plan: Recipe) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return what is scaled to 0 and 1 of the bands of each sensor, where the recipe says so.

    Parameters
    ----------
    plan : Recipe
        Its sensors are scaled.

    Raises
    ------
    UsageError
        If it names a file that is not there.
    """
    chosen = plan.scaling
    if chosen is None:
        if plan.sensor_table_name != "glaciers":
            return {}
        chosen = PUBLISHED
    return published(chosen) if isinstance(chosen, str) else chosen


def published(name: str = PUBLISHED) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the constants of a published scaling, pairs for the bands of each sensor.

    Parameters
    ----------
    name : str
        A file of ``recipes/scaling``.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = FOLDER / "scaling" / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(
            f"scaling {name}: no such file; expected one of"
            f" {', '.join(sorted(p.stem for p in path.parent.glob('*.yaml')))}, or pairs for each sensor. Fix the"
            " recipe."
        )
    found = yaml_text.read(path, expected="constants of a scaling")
    return {sensor: tuple((float(a), float(b)) for a, b in pairs) for sensor, pairs in found.items()}


def sensors_of(plan: Recipe) -> sensors.SensorTable:
    """Return the table that a recipe's sensors are of."""
    return sensors.table(plan.sensor_table_name)


def names() -> list[str]:
    """Return the recipes that come with the package."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def load(name: Path | str, *, epochs: int | None = None) -> Recipe:
    """Read a recipe by its name or its path.

    Parameters
    ----------
    name : Path or str
        One of :func:`names`, or a YAML file.
    epochs : int, optional
        Instead of the recipe's own.

    Raises
    ------
    UsageError
        If there is none, or a setting does not fit.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(
            f"recipe {name}: no such recipe; expected one of {', '.join(names())}, or a YAML file. Check the name."
        )
    try:
        found = yaml_text.read(path, expected="a recipe")
        if not isinstance(found, dict):
            raise UsageError(
                f"{path.name}: holds no settings; expected a YAML mapping with name, model and features or sensors. See"
                " docs/training.md."
            )
        return Recipe.model_validate({**found, **({"epochs": epochs} if epochs is not None else {})})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path.name}: {where}: {first['msg']}; found {str(first['input'])[:60]!r}. Fix this setting."
        ) from error
    except ProductError as error:
        raise UsageError(one_line(error)) from error
