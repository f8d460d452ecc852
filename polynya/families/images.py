"""Images: whole imagettes with numbers beside them, and any number of tags.

The data are folders with a table of tags (:mod:`polynya.samples.labelled_imagettes`). What is predicted is ``many_of``
the ten phenomena. The split is by orbit: imagettes of one pass never stand in two parts. ``random`` puts neighbours of
the training into the test, as published scores did, and is named as leaky. The graph takes one array: the pictures from
0 to 1, and below their last line one more whose first values are the numbers; a network of feature vectors takes these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import calibrate, models, recipes
from .. import description as descriptions
from .. import open_set as feature_spaces
from ..errors import UsageError
from ..samples import imagette_draws, labelled_imagettes, labelled_tracks, splits
from ..samples.imagette_pictures import LEVEL, SCALARS
from ..schema.imagettes import ABSENT, PRESENT, TAGS
from ..targets import ManyOf
from . import Fitted, FoldPredictions, affine, config_of

if TYPE_CHECKING:
    from torch import nn

SIZES = ((1, 1), (3, 1))
"""Batch of the inputs on which torch and the exported graph are compared."""
MOST_FITTED = 2000
"""Images of the training part from which features are described, at most."""
UNTAGGED = 0.1
"""Share of the untagged images of the calibration part that may get a tag."""
KINDS = {"image": "pictures", "vector": "vectors"}
"""What networks of this family take, by what their files say."""


class Settings(BaseModel):
    """``settings`` of a recipe.

    Attributes
    ----------
    size : int
        Pixels on a side of the pictures.
    pixel_m : float
        Side of a pixel on the ground, m.
    vectors : str
        Name of the NPY file with feature vectors in each folder, for networks that take these.
    augment : Augment
        How pictures of the training part are changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(400, ge=32, le=2048)
    pixel_m: float = Field(50.0, gt=0)
    vectors: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*\.npy)?$")
    augment: imagette_draws.Augment = imagette_draws.Augment()


class Decision(BaseModel):
    """From which probability on a tag is given; see :func:`polynya.calibrate.fit_thresholds`.

    Attributes
    ----------
    best_f1 : tuple of float
        Thresholds of the highest F1 on the calibration part, one per tag.
    precise : tuple of float or None
        Lowest thresholds with the wanted precision there; None where no threshold reaches it.
    precision : float
        That precision.
    unknown_below : float
        An image whose largest probability is lower gets no tag.
    n, untagged : int
        Images of the calibration part, and those without any tag.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    best_f1: tuple[float, ...]
    precise: tuple[float | None, ...]
    precision: float
    unknown_below: float
    n: int
    untagged: int


class Description(descriptions.Description):
    """A network of imagettes.

    Attributes
    ----------
    kind : str
        ``pictures`` or ``vectors``.
    size, pixel_m, vectors
        As the recipe's settings have them.
    scalars : tuple of str
        Numbers beside the pictures; the vector's for networks of vectors.
    mean, std : tuple of float
        Of each number in the training part; one that is not known (NaN) counts as the mean.
    limit : float
        Scaled numbers are held within +- this.
    decision : Decision or None
    open_set : polynya.open_set.FeatureSpace or None
        None for architectures that do not give their features.
    satellites, beams : tuple of str
        That the training's images are of.
    is_simulated : bool
        Whether any image of the training is simulated.
    """

    FAMILY: ClassVar[str] = "images"

    kind: Literal["pictures", "vectors"] = "pictures"
    family: str = "images"
    size: int = Field(400, ge=32)
    pixel_m: float = Field(50.0, gt=0)
    vectors: str = ""
    scalars: tuple[str, ...] = SCALARS
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    limit: float = 10.0
    decision: Decision | None = None
    open_set: feature_spaces.FeatureSpace | None = None
    satellites: tuple[str, ...] = ()
    beams: tuple[str, ...] = ()
    is_simulated: bool = False

    @property
    def inputs(self) -> int:
        """Numbers that the network takes: those beside the picture, and whether the level is known."""
        return len(self.scalars) + (self.kind == "pictures")


def network(plan: recipes.Recipe) -> Description:
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
    settings = _settings(plan)
    name, target = str(plan.model.get("name", "")), plan.predicts
    module = models.named(name)
    kind = KINDS.get(module.KIND)
    if kind is None or (kind == "vectors") != bool(settings.vectors):
        raise UsageError(
            f"recipe {plan.name}: {name} takes {kind or 'neither pictures nor vectors'}, settings.vectors is"
            f" {settings.vectors!r}; expected the name of an NPY file for a network of vectors, none for one of"
            " pictures. Fix the recipe."
        )
    if not isinstance(target, ManyOf) or not set(target.labels) <= set(TAGS):
        raise UsageError(
            f"recipe {plan.name}: predicts is no many_of of {', '.join(TAGS)}; expected some of these. See"
            " recipes/tags.yaml."
        )
    given: dict[str, object] = {"classes": target.channels}
    if kind == "pictures":
        given["scalars"] = len(SCALARS) + 1
    config = config_of(
        module, {**given, **{k: v for k, v in plan.model.items() if k != "name"}}, recipe=plan.name, name=name
    )
    features = int(getattr(config, "features", 0))
    return Description(
        name=plan.name,
        kind=kind,
        model={"name": name, **json.loads(config.model_dump_json())},
        predicts=target,
        size=settings.size,
        pixel_m=settings.pixel_m,
        vectors=settings.vectors,
        scalars=SCALARS if kind == "pictures" else tuple(f"feature_{k}" for k in range(features)),
    )


def _settings(plan: recipes.Recipe) -> Settings:
    try:
        return Settings.model_validate(plan.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"recipe {plan.name}: settings.{where}: {first['msg']}. Fix the recipe.") from error


def data(
    plan: recipes.Recipe,
    description: Description,
    *,
    data: Sequence[Path | str],
    train_only: Sequence[Path | str],
    split: splits.Config,
) -> ImageData:
    """Read labelled imagettes and split them by orbit.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.
    description : Description
        Of :func:`network`.
    data, train_only : sequence of Path or str
        Folders: to be split, and to be trained on whatever the split.
    split : splits.Config
        ``granule``, which is an orbit here, or ``random``.

    Raises
    ------
    UsageError
        If there are no tags, the split is by block, or an orbit is in both.
    ProductError
        If a folder is damaged.
    """
    if split.method == "block":
        raise UsageError(
            "--split block: imagettes are split by orbit (granule), or at random as published scores were. Leave it"
            " out."
        )
    images = labelled_imagettes.read(
        [*data, *train_only],
        size=description.size,
        pixel_m=description.pixel_m,
        vectors=description.vectors,
        features=len(description.scalars),
    )
    n = sum(int(str(t["imagettes"])) for t in images.about[: len(labelled_imagettes.folders(data))])
    both = set(images.passed[:n].tolist()) & set(images.passed[n:].tolist())
    if both and split.method == "granule":
        raise UsageError(
            f"--train-only: orbit {images.passes[both.pop()]} is in --data too; expected orbits that no other part may"
            " see. Give it once."
        )
    parts = splits.split(images.passed[:n], np.zeros(n), config=split)
    part = np.concatenate([parts.part, np.full(len(images) - n, splits.TRAIN, np.int8)])
    found = tuple(int(np.unique(images.passed[part == k]).size) for k in range(4))
    groups: Any = found if parts.method == "granule" else parts.groups
    parts = splits.Split(part=part, is_leaky=parts.is_leaky, method=parts.method, groups=groups)
    return ImageData(
        plan=plan,
        network=description,
        images=images,
        split=parts,
        config=split,
        scaling=labelled_tracks.fit_scaling(images.scalars[part == splits.TRAIN]),
    )


def config(description: Description) -> dict[str, object]:
    """Return the settings of the architecture's Config."""
    return {k: v for k, v in description.model.items() if k != "name"}


def axes(description: Description) -> dict[int, str]:
    """Return the axes of the graph's input that may have any size."""
    return {0: "batch"}


def wrap(network: nn.Module, description: Description) -> nn.Module:
    """Return a network between raw inputs and what is predicted.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    description : Description
        What it is.

    Returns
    -------
    torch.nn.Module
        Pictures with a line of numbers (batch, size + 1, size), or vectors (batch, features), to (batch, tags), and one
        more column with the distance from the training's features where that is described.
    """
    import torch
    from torch import nn

    target, limit, space = description.predicts, float(description.limit), description.open_set
    is_picture, n = description.kind == "pictures", len(description.scalars)

    class Raw(nn.Module):
        """Scaling, network, calibration, activation, distance."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.mean: torch.Tensor
            self.std: torch.Tensor
            self.register_buffer("mean", torch.tensor(description.mean, dtype=torch.float32))
            self.register_buffer("std", torch.tensor(description.std, dtype=torch.float32))
            scale, offset = affine(target, description.fitted, dims=2)
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)
            self.distance = None if space is None else space.module()

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raw = inputs[:, -1, :n] if is_picture else inputs
            scaled = torch.where(torch.isnan(raw), torch.zeros_like(raw), (raw - self.mean) / self.std)
            scaled = scaled.clamp(-limit, limit)
            given: tuple[torch.Tensor, ...] = (scaled,)
            if is_picture:
                has_level = (~torch.isnan(raw[:, :1])).to(scaled.dtype)
                given = (inputs[:, None, :-1], torch.cat([scaled, has_level], dim=1))
            if self.distance is None:
                return target.activate(self.network(*given) * self.scale + self.offset)
            logits, features = self.network.with_features(*given)  # type: ignore[operator]
            found = target.activate(logits * self.scale + self.offset)
            return torch.cat([found, self.distance(features)], dim=1)

    return Raw()


def example(description: Description, *, batch: int, length: int) -> np.ndarray:
    """Return raw inputs: smooth random pictures, numbers drawn from the training's, some of them missing.

    Parameters
    ----------
    description : Description
        What the network is.
    batch, length : int
        Images; the length is not used.
    """
    rng = np.random.default_rng(batch)
    mean, std = np.array(description.mean), np.array(description.std)
    scalars = (mean + std * rng.normal(size=(batch, mean.size))).astype(np.float32)
    if description.kind == "vectors":
        return scalars
    scalars[1:, : len(LEVEL)] = np.nan
    coarse = rng.random((batch, 1 + description.size // 16, 1 + description.size // 16))
    pictures = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, : description.size, : description.size]
    return packed(pictures.astype(np.float32), scalars)


def packed(pictures: np.ndarray, scalars: np.ndarray) -> np.ndarray:
    """Return pictures with their numbers in one more line, float32 (batch, h + 1, w).

    Parameters
    ----------
    pictures : numpy.ndarray of float32, shape (batch, h, w)
        0 to 1.
    scalars : numpy.ndarray of float32, shape (batch, n)
        At most w; NaN where not known.
    """
    out = np.zeros((pictures.shape[0], pictures.shape[1] + 1, pictures.shape[2]), np.float32)
    out[:, :-1] = pictures
    out[:, -1, : scalars.shape[1]] = scalars
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """Labelled imagettes, split; see :class:`polynya.families.TrainingData`."""

    plan: recipes.Recipe
    network: Description
    images: labelled_imagettes.LabelledImagettes
    split: splits.Split
    config: splits.Config
    scaling: labelled_tracks.Scaling
    unit: str = "imagette"

    @property
    def learned(self) -> dict[str, object]:
        """Return mean and standard deviation of the numbers, and what the training part holds."""
        return {
            "mean": self.scaling.mean,
            "std": self.scaling.std,
            "limit": self.scaling.limit,
            "satellites": self.images.satellites,
            "beams": self.images.beams,
            "is_simulated": self.images.simulated,
        }

    def encode(self, tags: np.ndarray) -> np.ndarray:
        """Return encoded labels (k,) of tags, int8 (k, 10)."""
        target: Any = self.network.predicts
        mine = tags[:, [TAGS.index(label) for label in target.labels]]
        return target.encode(mine == PRESENT, (mine == PRESENT) | (mine == ABSENT))

    def scaled(self, scalars: np.ndarray) -> np.ndarray:
        """Return numbers as the network takes them: scaled, 0 where not known, and whether the level is known."""
        out = self.scaling.apply(scalars)
        if self.network.kind == "vectors":
            return out
        return np.concatenate([out, np.isfinite(scalars[:, :1])], axis=1, dtype=np.float32)

    def rows(self, part: int) -> np.ndarray:
        """Return the images of a part of which a tag is known."""
        return np.flatnonzero((self.split.part == part) & self.network.predicts.known(self.encode(self.images.tags)))

    def source(self, part: int, *, is_scored: bool) -> imagette_draws.PictureSource:
        """Return the images of a part."""
        return self._source(self.rows(part))

    def _source(self, rows: np.ndarray) -> imagette_draws.PictureSource:
        return imagette_draws.PictureSource(
            data=self.images,
            rows=rows,
            scaled=self.scaled,
            encode=self.encode,
            pixel_m=self.network.pixel_m,
            augment=_settings(self.plan).augment,
            is_balanced=self.plan.samples.balance == "class",
        )

    def counts(self) -> np.ndarray:
        """Return images of the training part with each tag."""
        mine = self.encode(self.images.tags[self.split.part == splits.TRAIN])
        return np.array(list(self.network.predicts.tally(mine).values()))

    def fingerprint(self) -> str:
        """Return a hash of images, tags and parts."""
        return f"{self.images.fingerprint()}{int(np.count_nonzero(self.split.part == splits.TRAIN))}"

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return no subsets."""
        return {}

    def fit_more(self, own: FoldPredictions, others: Sequence[FoldPredictions], fitted: Fitted) -> dict[str, object]:
        """Return from which probability on each tag is given."""
        target: Any = self.network.predicts
        present, known = target.decode(fitted.targets)
        found = calibrate.fit_thresholds(
            target.values(fitted.outputs, fitted.calibration), present, known, untagged=UNTAGGED
        )
        return {"decision": found.as_dict()}

    def fit_network(self, model: nn.Module, *, batch: int, device: Any) -> dict[str, object]:
        """Return where the features of the training part lie, for architectures that give their features.

        Parameters
        ----------
        model : torch.nn.Module
            The trained network.
        batch : int
            Images per call.
        device : torch.device
            Where it is.
        """
        if not hasattr(model, "with_features"):
            return {}
        fit_part = splits.CALIBRATION if self.config.calibration > 0 else splits.VALIDATION
        taught, held = self.rows(splits.TRAIN), self.rows(fit_part)
        taught = taught[:: max(1, len(taught) // MOST_FITTED)][:MOST_FITTED]
        features = [
            feature_spaces.features_of(model, self._source(rows), batch=batch, device=device) for rows in (taught, held)
        ]
        return {"open_set": feature_spaces.fit(*features).model_dump()}

    def more_scores(self, predictions: FoldPredictions, fitted: Fitted, more: dict[str, object]) -> dict[str, object]:
        """Return scores of the tags that are given."""
        target: Any = self.network.predicts
        present, known = target.decode(predictions.targets)
        decision = Decision.model_validate(more["decision"])
        given = decided(target.values(predictions.outputs, fitted.calibration), decision)
        hits, called, real = ((v & known).sum(axis=0) for v in (given & present, given, present))
        untagged = known.all(axis=1) & ~present.any(axis=1)
        share = float(given[untagged].any(axis=1).mean()) if untagged.any() else float("nan")
        return {
            "macro_f1_of_given_tags": float(np.mean(2 * hits[real > 0] / (called + real)[real > 0])),
            "untagged": int(untagged.sum()),
            "untagged_with_a_tag": share,
        }

    def about(self) -> dict[str, object]:
        """Return counts, parts, and what each folder says of itself."""
        return {
            "passes": len(self.images.passes),
            "imagettes": len(self.images),
            "simulated": self.images.simulated,
            "split": {**self.config.model_dump(), **self.split.describe()},
            "tables": list(self.images.about),
        }


def decided(probability: np.ndarray, decision: Decision, *, is_precise: bool = False) -> np.ndarray:
    """Return which tags are given, bool (n, tags).

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, tags)
        Calibrated.
    decision : Decision
        The thresholds.
    is_precise : bool
        Those that reach the threshold of the wanted precision as well as that of the best F1.
    """
    limits = np.array(decision.best_f1, np.float64)
    if is_precise:
        limits = np.maximum(limits, [np.inf if v is None else v for v in decision.precise])
    return (probability >= limits) & (probability.max(axis=1, keepdims=True) >= decision.unknown_below)
