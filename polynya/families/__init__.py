"""How samples are cut and put together again, one file per family. The folder is the registry: ``tracks`` is a file
here, a dotted name (``mylab.images``) is imported as written.

A family's module holds ``Description`` (a subclass of :class:`polynya.description.Description`) and the functions
``network``, ``data``, ``config``, ``wrap`` and ``example``, as :class:`Family` has them. ``HAS_SMALL_STEPS``,
``SIZES``, ``axes`` and ``scoring_data`` may be added. No other file asks of what family a network is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import modules
from ..errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from ..calibrate import Calibration
    from ..description import Description
    from ..description import Description as AnyOf
    from ..recipes import Recipe
    from ..samples import splits
    from ..targets.protocol import Target


@dataclass(frozen=True, kw_only=True)
class FoldPredictions:
    """Predictions of samples that their network was not trained on.

    Attributes
    ----------
    outputs : numpy.ndarray, shape (n, channels)
        Before calibration.
    targets : numpy.ndarray, shape (n,)
        Encoded labels.
    where : numpy.ndarray of int64, shape (n,)
        What the source says of each sample.
    network, tiles : str
        Names of the files; empty for the network that is being trained.
    scenes : tuple of str
        Scene of each tile.
    ground : tuple
        Labelled ground: grid, left, bottom, right, top.
    """

    outputs: np.ndarray
    targets: np.ndarray
    where: np.ndarray
    network: str = ""
    tiles: str = ""
    scenes: tuple[str, ...] = ()
    ground: tuple[tuple, ...] = ()


class TrainingData(Protocol):
    """What a training learns from.

    ``fit_network(model, *, batch, device)`` may be added: it returns more fields of the description that need the
    trained network itself.
    """

    unit: str
    """What a sample is called: segment, pixel, image."""
    split: Any
    """Has ``is_leaky`` and ``describe()``."""

    @property
    def learned(self) -> dict[str, object]:
        """Return what the training part adds to the description (means and standard deviations, say)."""

    def source(self, part: int, *, is_scored: bool) -> Any:
        """Return the samples of a part for :mod:`polynya.train`: drawn and augmented, or in order to be scored."""

    def counts(self) -> np.ndarray:
        """Return labelled samples of each class (or label) in the training part."""

    def fingerprint(self) -> str:
        """Return a hash of everything here that makes the weights."""

    def groups(self, where: np.ndarray) -> dict[str, np.ndarray]:
        """Return named subsets of scored samples, bool, for the calibration table."""

    def fit_more(self, own: FoldPredictions, others: Sequence[FoldPredictions], fitted: Fitted) -> dict[str, object]:
        """Return what else is fitted on the calibration part, for the description."""

    def more_scores(self, predictions: FoldPredictions, fitted: Fitted, more: dict[str, object]) -> dict[str, object]:
        """Return scores that only this family has."""

    def about(self) -> dict[str, object]:
        """Return counts, parts and what each file says of itself; ``tables`` lists the files."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted on the calibration part.

    Attributes
    ----------
    calibration : polynya.calibrate.Calibration
    weights : tuple of float or None
        The class is that of the largest weight times probability.
    outputs, targets : numpy.ndarray
        What both were fitted on.
    """

    calibration: Calibration
    weights: tuple[float, ...] | None
    outputs: np.ndarray
    targets: np.ndarray


class Family(Protocol):
    """What a family's module holds, beside its ``Description``."""

    def network(self, plan: Recipe) -> AnyOf:
        """Return the description of the untrained network, its settings checked and complete."""

    def data(
        self,
        plan: Recipe,
        description: AnyOf,
        *,
        data: Sequence[Path | str],
        train_only: Sequence[Path | str],
        split: splits.Config,
    ) -> TrainingData:
        """Read and split the data."""

    def config(self, description: AnyOf) -> dict[str, object]:
        """Return the settings of the architecture's Config."""

    def wrap(self, network: nn.Module, description: AnyOf) -> nn.Module:
        """Return the network with scaling, calibration and activation around it: raw inputs to what is predicted."""

    def example(self, description: AnyOf, *, batch: int, length: int) -> np.ndarray:
        """Return raw inputs, float32, to trace and to compare with; some missing."""


def named(name: str) -> Any:
    """Return a family's module.

    Parameters
    ----------
    name : str
        A file of this folder, or a dotted module.

    Raises
    ------
    UsageError
        If there is no such module, or something is missing in it.
    """
    full, module = modules.dotted(name, folder=__name__), modules.find(name, folder=__name__)
    if module is None:
        raise UsageError(
            f"family {name}: no module {full}; expected a file of polynya/families or a dotted module. Check the recipe"
            " and PYTHONPATH."
        )
    missing = [n for n in ("Description", "network", "data", "config", "wrap", "example") if not hasattr(module, n)]
    if missing:
        raise UsageError(f"family {name}: {full} has no {', '.join(missing)}; expected them. See docs/add_a_family.md.")
    return module


def config_of(module: Any, settings: dict[str, object], *, recipe: str, name: str) -> Any:
    """Return an architecture's checked Config.

    Parameters
    ----------
    module : module
        Of the architecture.
    settings : dict
        Settings.
    recipe, name : str
        Of the recipe and the architecture, for the error.

    Raises
    ------
    UsageError
        If a setting does not fit.
    """
    from pydantic import ValidationError

    try:
        return module.Config(**settings)
    except (ValidationError, TypeError) as error:
        first: Any = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, first["loc"]))
        full = name if "." in name else f"polynya.models.{name}"
        raise UsageError(
            f"recipe {recipe}: model.{where}: {first['msg']}; expected the settings of {full}. Fix the recipe."
        ) from error


def classes_key(module: Any, description: Description) -> dict[str, object]:
    """Return the number of the network's outputs under the name that its Config has for it.

    Parameters
    ----------
    module : module
        Of the architecture.
    description : Description
        What the network is.

    Returns
    -------
    dict
        ``classes`` or empty.
    """
    return {"classes": description.predicts.channels} if "classes" in module.Config.model_fields else {}


def affine(target: Target, calibration: Calibration, *, dims: int) -> tuple[Any, ...]:
    """Return factor and offset of a calibration as tensors that fit outputs (batch, channels, ...).

    Parameters
    ----------
    target : target
        What is predicted.
    calibration : polynya.calibrate.Calibration
        The fitted calibration.
    dims : int
        Dimensions of the outputs.
    """
    import torch

    shape = (1, target.channels, *([1] * (dims - 2)))
    return tuple(torch.tensor(v, dtype=torch.float32).reshape(shape) for v in (calibration.scale, calibration.offset))
