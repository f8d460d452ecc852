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

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .. import schema
from ..errors import UsageError, one_line
from ..sensors import GLACIER_CLASSES

FOLDER = Path(__file__).parent


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Loss(_Settings):
    """``cross_entropy``, ``weighted`` or ``focal``; ``alpha`` a weight per class, ``balanced`` from the training part,
    or none.

    ``smoothing`` is the share of a label that is spread over all classes; ``auxiliary`` weighs the loss of a
    deep-supervision head.
    """

    kind: Literal["cross_entropy", "weighted", "focal"] = "cross_entropy"
    alpha: tuple[float, ...] | Literal["balanced"] | None = None
    gamma: float = Field(2.0, ge=0)
    smoothing: float = Field(0.0, ge=0, lt=1)
    auxiliary: float = Field(0.5, ge=0)


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
    """

    length: int = Field(2048, ge=16)
    gap_m: float = Field(20.0, gt=0)
    balance: Literal["none", "class", "beam", "both"] = "none"
    per_epoch: int | None = Field(None, ge=1)
    emphasis: tuple[Emphasis, ...] = ()
    jitter: tuple[Jitter, ...] = ()
    mirror: bool = False


class Augment(_Settings):
    """What happens to a drawn window of a scene. 0 or false leaves a change out.

    Attributes
    ----------
    flip : bool
        One of the eight turns and mirror images.
    crop : float
        A window of 1 - crop to 1 of the size is stretched to the size.
    gamma : float
        Reflectances to a power of 1 - gamma to 1 + gamma, a sensor each.
    gain : float
        Standard deviation of the logarithm of a factor on all reflectances of a window: sensors and atmospheres differ.
    saturation : float
        Chance that the visible and near-infrared bands of a window are amplified and cut at a reflectance of 1, as
        eight-bit sensors set for darker ground show snow.
    shift, noise : float
        Standard deviation of a constant a band, and of noise a pixel, in scaled units.
    occlusion_px : int
        Side up to which a rectangle of each sensor is blanked.
    elevation_m : float
        Standard deviation of a constant added to heights: a snow line is no height above the sea.
    """

    flip: bool = True
    crop: float = Field(0.2, ge=0, lt=1)
    gamma: float = Field(0.2, ge=0, lt=1)
    gain: float = Field(0.0, ge=0)
    saturation: float = Field(0.0, ge=0, le=1)
    shift: float = Field(0.025, ge=0)
    noise: float = Field(0.005, ge=0)
    occlusion_px: int = Field(192, ge=0)
    elevation_m: float = Field(0.0, ge=0)


class SceneSamples(_Settings):
    """How windows are drawn from tiles.

    Attributes
    ----------
    size : int
        Side of a window, pixels.
    draws : float
        Windows an epoch for every window that fits; ``samples.per_epoch`` limits them.
    balance : bool
        Half of the windows are centred on the last class (the glacier), where the tile has any.
    sensor_dropout : float
        Chance of each sensor but one to be blanked in a window, so that one network serves any subset.
    always : tuple of str
        Sensors that are never blanked so.
    band_dropout : float
        Chance that the two shortwave-infrared bands are blanked: old and cheap sensors have none.
    unknown_region : float
        Chance that the region is told as unknown.
    also_share : float or None
        Share of the windows that come from the tiles of ``--train-only``, tiles drawn by the root of their size; by default
        every tile is drawn equally often.
    regions : tuple of str
        Only tiles of these regions are used; all by default (the regional strategy names one).
    augment : Augment
    """

    size: int = Field(384, ge=16)
    draws: float = Field(4.0, gt=0)
    balance: bool = False
    sensor_dropout: float = Field(0.0, ge=0, lt=1)
    always: tuple[str, ...] = ()
    band_dropout: float = Field(0.0, ge=0, lt=1)
    unknown_region: float = Field(0.1, ge=0, le=1)
    also_share: float | None = Field(None, gt=0, lt=1)
    regions: tuple[str, ...] = ()
    augment: Augment = Augment()


class Stop(_Settings):
    """When to stop early and which epoch is kept: the best ``metric`` of the validation part.

    Attributes
    ----------
    metric : str
        ``macro_f1`` (highest), ``iou`` (of the last class, highest) or ``loss`` (lowest).
    patience : int or None
        Epochs without a better value; None trains all epochs.
    keep : str
        ``best`` or ``last`` epoch.
    """

    metric: Literal["macro_f1", "iou", "loss"] = "macro_f1"
    patience: int | None = Field(None, ge=1)
    keep: Literal["best", "last"] = "best"


class Recipe(_Settings):
    """A training. ``model`` holds ``name`` and the settings of that network's Config but ``features`` (or ``sensors``,
    ``location``, ``classes``, ``tile``).

    A network of tracks names its ``features``; one of scenes its ``sensors``, the ``target`` (a dataset of the tiles,
    one plane a class), the ``classes`` and whether it is told a ``location``: the ``region``, or the ``coordinates``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    about: str = ""
    model: dict[str, object]
    features: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    target: str = "outlines"
    classes: tuple[str, ...] = Field(GLACIER_CLASSES, min_length=2)
    location: Literal["none", "region", "coordinates"] = "none"
    samples: Samples = Samples()
    scene: SceneSamples = SceneSamples()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    stop: Stop = Stop()
    batch: int = Field(256, ge=1)
    epochs: int = Field(20, ge=1)
    average: float | None = Field(None, gt=0, lt=1)
    """Decay a step of the exponential average of the weights that is judged and kept; None for the weights
    themselves."""
    calibration: Literal["none", "temperature", "vector"] = "temperature"
    decision: Literal["most_probable", "macro_f1"] = "most_probable"
    """``macro_f1``: class weights for naming the class, fitted on the calibration part; probabilities stay
    calibrated."""

    @model_validator(mode="after")
    def _one_family(self) -> Recipe:
        if bool(self.features) == bool(self.sensors):
            raise ValueError(
                f"features {list(self.features)} and sensors {list(self.sensors)}; expected the one (tracks) or the"
                " other (scenes)"
            )
        return self

    @property
    def n_classes(self) -> int:
        return len(self.classes) if self.sensors else 3

    def as_dict(self) -> dict:
        """Return the settings as JSON's types. Those of the other family are left out, and late ones at their defaults:
        hashes of older recipes stay."""
        out = {
            k: v
            for k, v in json.loads(self.model_dump_json()).items()
            if k not in (_OF_TRACKS if self.sensors else _OF_SCENES)
        }
        for part, fields in (("loss", Loss.model_fields), ("optimiser", Optimiser.model_fields)):
            out[part] = {
                k: v for k, v in out[part].items() if k not in _LATE or v != json.loads(json.dumps(fields[k].default))
            }
        return out

    def digest(self) -> str:
        """Return a hash of all settings but the text about them."""
        return hashlib.sha256(json.dumps({**self.as_dict(), "about": ""}, sort_keys=True).encode()).hexdigest()[:16]


_OF_SCENES = ("sensors", "target", "classes", "location", "scene")
_OF_TRACKS = ("features",)
_LATE = ("smoothing", "auxiliary", "restarts", "precision")


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
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
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
            f"{path.name}: {where}: {first['msg']}; found {str(first['input'])[:60]!r}. Mend this setting."
        ) from error
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: cannot be read as YAML ({one_line(error)[:160]}). Mend the file.") from error
