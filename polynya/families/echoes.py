"""Echoes: footprints along a track with a waveform each, given to the network as windows of consecutive echoes.

The labels are tables of echoes with the distance to the nearest lead of a map (``polynya label`` writes them), or
simulated files. What is predicted is heads: ``lead`` (one of two classes) and, where the recipe wants it, ``distance``.
The split is by pass: the echoes of a pass never stand in two parts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import description as descriptions
from .. import models, recipes
from ..errors import UsageError
from ..physics import echo_inputs
from ..samples import echo_windows, labelled_echoes, labelled_tracks, splits
from ..schema import lead_labels
from ..targets.protocol import Target
from . import Fitted, FoldPredictions, affine, classes_key, config_of

if TYPE_CHECKING:
    from torch import nn

LEAD, DISTANCE = "lead", "distance"
"""Names of the heads."""
NEAR_M = 100.0
"""The distance head learns log1p(distance / this)."""
CLASSES = ("no_lead", "lead")
SIZES = ((1, 1), (3, 2), (5, 1))
"""Batch and length, in windows, of the inputs on which torch and the exported graph are compared."""
MODES = {"with_power": echo_inputs.WITH_POWER, "without_power": echo_inputs.WITHOUT_POWER}


class Settings(BaseModel):
    """``settings`` of a recipe.

    Attributes
    ----------
    inputs : str or tuple of str
        ``with_power``; ``without_power``: neither gain control nor tracker; or names of
        :data:`polynya.physics.echo_inputs.NAMES`.
    window, margin : int
        Echoes of a window, and those at its ends that it does not answer for.
    gap_steps : float
        A sequence ends where the next echo is more steps of the track away.
    threshold_m : float
        Nearer is a lead: the labels are made from the distances, whatever threshold the label tables have.
    belt : float
        From one to so many thresholds a label is ambiguous: not learned by the head of classes.
    mirror : bool
        Half of the training windows run backwards. Not with the gain control: it lags behind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Literal["with_power", "without_power"] | tuple[str, ...] = "with_power"
    window: int = Field(100, ge=4)
    margin: int = Field(20, ge=0)
    gap_steps: float = Field(2.0, ge=1)
    threshold_m: float = Field(labelled_echoes.THRESHOLD_M, gt=0)
    belt: float = Field(labelled_echoes.BELT, ge=1)
    mirror: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Inputs of the network."""
        return MODES[self.inputs] if isinstance(self.inputs, str) else self.inputs


class Description(descriptions.Description):
    """A network along sequences of echoes.

    Attributes
    ----------
    kind : str
        ``echoes``.
    features : tuple of str
        Inputs, in the graph's order, of :data:`polynya.physics.echo_inputs.NAMES`.
    mean, std : tuple of float
        Of each input in the training part; a missing (NaN) value is replaced by the mean.
    limit : float
        Scaled values are held within +- this.
    window, margin, gap_steps, threshold_m, belt
        As the recipe's settings have them.
    missions, modes : tuple of str
        That the training's echoes are of.
    is_simulated : bool
        Whether any echo of the training is simulated.
    """

    FAMILY: ClassVar[str] = "echoes"

    kind: Literal["echoes"] = "echoes"
    family: str = "echoes"
    features: tuple[str, ...] = Field(min_length=1)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    limit: float = 10.0
    window: int = Field(100, ge=4)
    margin: int = Field(20, ge=0)
    gap_steps: float = 2.0
    threshold_m: float = Field(gt=0)
    belt: float = Field(ge=1)
    missions: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    is_simulated: bool = False

    @property
    def is_without_power(self) -> bool:
        """Whether neither gain control nor tracker is among the inputs."""
        known_by_tracker = (*echo_inputs.GATES, *echo_inputs.POWERS, "ocog_position")
        return not set(self.features) & set(known_by_tracker)


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
    if module.KIND != "echoes":
        raise UsageError(f"recipe {plan.name}: {name} is no network of echoes; expected one. Fix the recipe.")
    if target is None or _lead(target) is None:
        raise UsageError(
            f"recipe {plan.name}: predicts has no head {LEAD} of the classes {', '.join(CLASSES)}; expected it first."
            " See recipes/leads.yaml."
        )
    shown = Description(features=settings.names, predicts=target, threshold_m=settings.threshold_m, belt=settings.belt)
    given = {**classes_key(module, shown), **{k: v for k, v in plan.model.items() if k != "name"}}
    config = config_of(module, {**given, "features": settings.names}, recipe=plan.name, name=name)
    kept = json.loads(config.model_dump_json())
    kept.pop("features")
    return shown.model_copy(
        update={
            "name": plan.name,
            "model": {"name": name, **kept},
            "window": settings.window,
            "margin": settings.margin,
            "gap_steps": settings.gap_steps,
        }
    )


def _settings(plan: recipes.Recipe) -> Settings:
    try:
        found = Settings.model_validate(plan.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"recipe {plan.name}: settings.{where}: {first['msg']}. Fix the recipe.") from error
    if 2 * found.margin >= found.window:
        raise UsageError(
            f"recipe {plan.name}: settings.margin {found.margin} is half of the window {found.window} or more; expected"
            " less. Fix the recipe."
        )
    if found.mirror and "agc" in found.names:
        raise UsageError(
            f"recipe {plan.name}: settings.mirror with the input agc; expected inputs without_power, since the gain"
            " control lags behind. Fix the recipe."
        )
    return found


def _lead(target: Target) -> Target | None:
    heads = getattr(target, "heads", {})
    first = next(iter(heads), None)
    head = heads.get(LEAD)
    return head if first == LEAD and getattr(head, "classes", ()) == CLASSES else None


def data(
    plan: recipes.Recipe,
    description: Description,
    *,
    data: Sequence[Path | str],
    train_only: Sequence[Path | str],
    split: splits.Config,
) -> EchoData:
    """Read labelled echoes and split them by pass.

    Parameters
    ----------
    plan : recipes.Recipe
        The recipe.
    description : Description
        Of :func:`network`.
    data, train_only : sequence of Path or str
        Label tables, labelled files, or folders of them: to be split, and to be trained on whatever the split.
    split : splits.Config
        How they are split; by granule, which is a pass here.

    Returns
    -------
    EchoData

    Raises
    ------
    UsageError
        If there are no labels, the split is not by pass, or a pass is in both.
    ProductError
        If a file is damaged.
    """
    if split.method != "granule":
        raise UsageError(
            f"--split {split.method}: echoes are split by pass (granule): neighbours see the same leads. Leave it out."
        )
    options: dict[str, Any] = {"names": description.features, "most_steps": description.gap_steps}
    echoes = labelled_echoes.read([*data, *train_only], **options)
    n = sum(int(str(t["echoes"])) for t in echoes.about[: len(labelled_echoes.files(data))])
    both = set(np.unique(echoes.passed[:n]).tolist()) & set(np.unique(echoes.passed[n:]).tolist())
    if both:
        raise UsageError(
            f"--train-only: pass {echoes.passes[both.pop()]} is in --data too; expected passes that no other part may"
            " see. Give it once."
        )
    parts = splits.split(echoes.passed[:n], np.zeros(n), config=split)
    part = np.concatenate([parts.part, np.full(len(echoes) - n, splits.TRAIN, np.int8)])
    groups = tuple(int(np.unique(echoes.passed[part == k]).size) for k in range(4))
    parts = splits.Split(part=part, is_leaky=False, method="granule", groups=groups)  # type: ignore[arg-type]
    label = labelled_echoes.relabelled(  # tables may be of another threshold than the network
        echoes.label, echoes.distance, threshold_m=description.threshold_m, belt=description.belt
    )
    scaling = labelled_tracks.fit_scaling(echoes.values[part == splits.TRAIN])
    return EchoData(
        plan=plan,
        network=description,
        echoes=echoes,
        label=label,
        split=parts,
        config=split,
        scaling=scaling,
        inputs=scaling.apply(echoes.values),
    )


def config(description: Description) -> dict[str, object]:
    """Return the settings of the architecture's Config."""
    return {**{k: v for k, v in description.model.items() if k != "name"}, "features": description.features}


def has_small_steps(description: Description) -> bool:
    """Return whether steps are too small for more than one thread of a processor."""
    return True


def axes(description: Description) -> dict[int, str]:
    """Return the axes of the graph's input that may have any size."""
    return {0: "batch", 2: "length"}


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
        Windows (batch, features + 1, length), the last channel 1 where there is an echo, to (batch, planes, length).
    """
    import torch
    from torch import nn

    target, limit = description.predicts, float(description.limit)

    class Raw(nn.Module):
        """Scaling, network, calibration, activation."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.mean: torch.Tensor
            self.std: torch.Tensor
            self.register_buffer("mean", torch.tensor(description.mean, dtype=torch.float32).reshape(1, -1, 1))
            self.register_buffer("std", torch.tensor(description.std, dtype=torch.float32).reshape(1, -1, 1))
            scale, offset = affine(target, description.fitted, dims=3)
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raw, here = inputs[:, :-1], inputs[:, -1:]
            scaled = torch.where(torch.isnan(raw), torch.zeros_like(raw), (raw - self.mean) / self.std)
            scaled = torch.cat([scaled.clamp(-limit, limit) * here, here], dim=1)
            return target.activate(self.network(scaled) * self.scale + self.offset)

    return Raw()


def example(description: Description, *, batch: int, length: int) -> np.ndarray:
    """Return raw inputs drawn from the training's mean and standard deviation, a tenth of them missing; all but the
    first window end early.

    Parameters
    ----------
    description : Description
        What the network is.
    batch, length : int
        Size of the inputs; the length is in halves of a window.
    """
    rng = np.random.default_rng(batch)
    mean, std = np.array(description.mean), np.array(description.std)
    places = max(1, length * description.window // 2)
    values = mean[:, None] + std[:, None] * rng.normal(size=(batch, mean.size, places))
    values[rng.random(values.shape) < 0.1] = np.nan
    size = np.where(np.arange(batch) == 0, places, rng.integers(1, places + 1, batch))
    here = np.arange(places) < size[:, None]
    values = np.where(here[:, None], values, 0.0)
    return np.concatenate([values, here[:, None]], axis=1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class EchoData:
    """Labelled echoes, split and scaled; see :class:`polynya.families.TrainingData`."""

    plan: recipes.Recipe
    network: Description
    echoes: labelled_echoes.LabelledEchoes
    label: np.ndarray
    split: splits.Split
    config: splits.Config
    scaling: labelled_tracks.Scaling
    inputs: np.ndarray
    unit: str = "echo"

    @property
    def learned(self) -> dict[str, object]:
        """Return mean and standard deviation of the inputs, and what the training part holds."""
        return {
            "mean": self.scaling.mean,
            "std": self.scaling.std,
            "limit": self.scaling.limit,
            "missions": self.echoes.missions,
            "modes": self.echoes.modes,
            "is_simulated": self.echoes.simulated,
        }

    def targets(self, *, is_scored: bool) -> np.ndarray:
        """Return encoded labels; the ambiguous belt is nothing where networks learn.

        Where they are scored and calibrated, every second echo of it is no lead: left out, probabilities would be too
        high beside leads; counted in full, too low, for some of it is lead that the map has missed or displaced.
        """
        target: Any = self.network.predicts
        label = self.label
        classes = np.select([label == lead_labels.LEAD_NEAR, label == lead_labels.NO_LEAD], [1, 0], -1)
        if is_scored:
            classes[np.flatnonzero(label == lead_labels.AMBIGUOUS)[::2]] = 0
        found = {LEAD: target.heads[LEAD].encode(classes)}
        if DISTANCE in target.heads:
            far = np.where(label == lead_labels.UNLABELLED, np.nan, self.echoes.distance)
            found[DISTANCE] = target.heads[DISTANCE].encode(np.log1p(far / NEAR_M))
        return target.encode(found)

    def source(self, part: int, *, is_scored: bool) -> echo_windows.WindowSource:
        """Return the windows of a part."""
        return echo_windows.WindowSource(
            inputs=self.inputs,
            targets=self.targets(is_scored=is_scored),
            sequence=self.echoes.sequence,
            used=self.split.part == part,
            target=self.network.predicts,
            length=self.network.window,
            margin=self.network.margin,
            mirror=_settings(self.plan).mirror,
        )

    def counts(self) -> np.ndarray:
        """Return labelled echoes of the training part: no lead, lead, and one for each channel of the other heads."""
        mine = self.label[self.split.part == splits.TRAIN]
        counts = [int(np.count_nonzero(mine == k)) for k in (lead_labels.NO_LEAD, lead_labels.LEAD_NEAR)]
        return np.array(counts + [sum(counts)] * (self.network.predicts.channels - 2))

    def fingerprint(self) -> str:
        """Return a hash of echoes and labels."""
        return f"{self.echoes.fingerprint()}{int(np.sum(self.label == lead_labels.LEAD_NEAR))}"

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return no subsets."""
        return {}

    def fit_more(self, own: FoldPredictions, others: Sequence[FoldPredictions], fitted: Fitted) -> dict[str, object]:
        """Return nothing: calibration is all."""
        return {}

    def more_scores(self, predictions: FoldPredictions, fitted: Fitted, more: dict[str, object]) -> dict[str, object]:
        """Return nothing: heads have their own scores."""
        return {}

    def about(self) -> dict[str, object]:
        """Return counts, parts, and what each file says of itself."""
        codes = dict(lead_labels.LABELS)
        per_part = {
            name: {codes[c]: int(np.count_nonzero(self.label[self.split.part == k] == c)) for c in codes}
            for k, name in enumerate(splits.PARTS)
        }
        return {
            "passes": len(self.echoes.passes),
            "echoes": len(self.echoes),
            "simulated": self.echoes.simulated,
            "labels": per_part,
            "split": {**self.config.model_dump(), **self.split.describe()},
            "tables": list(self.echoes.about),
        }
