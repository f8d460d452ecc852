"""What every target has, and the settings that its loss takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..calibrate import Calibration
from ..errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


class Tile(Protocol):
    """A piece of a scene with its labels; see :class:`polynya.samples.scene_windows.Tile`."""

    name: str

    def target(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return a bit for the class of each pixel, 0 where nobody knows."""

    def plane(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return float32 numbers, NaN where nobody knows."""

    def has(self, name: str) -> bool:
        """Return whether the tile has labels of a name."""


class Settings(BaseModel):
    """A frozen record of settings that takes no other keys, and what a target may leave out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return encoded labels (h, w) of a window of a tile.

        Parameters
        ----------
        tile : Tile
            Holds the labels.
        name : str
            Of the dataset.
        rows, columns : slice
            The window.

        Raises
        ------
        UsageError
            If tiles hold no labels of this target.
        """
        raise UsageError(
            f"{tile.name}: tiles hold no labels of this kind of target; expected one_of, value, quantiles or heads"
            " of these. Change predicts in the recipe."
        )

    def fit_more(self, outputs: np.ndarray, targets: np.ndarray, calibration: Calibration) -> dict[str, Any]:
        """Return what else is fitted on the calibration part, as fields of a scene network's description."""
        return {}

    def more_scores(
        self, outputs: np.ndarray, targets: np.ndarray, calibration: Calibration, more: dict[str, Any]
    ) -> dict[str, object]:
        """Return scores of what :meth:`fit_more` returned."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """How a loss weighs samples.

    Attributes
    ----------
    kind : str
        ``cross_entropy``, ``weighted`` or ``focal`` (targets of classes).
    gamma : float
        Of ``focal``.
    smoothing : float
        Share of a label that is spread over all classes.
    alpha : tuple of float or None
        Weight of each class.
    """

    kind: str = "cross_entropy"
    gamma: float = 2.0
    smoothing: float = 0.0
    alpha: tuple[float, ...] | None = None


class Target(Protocol):
    """What is predicted.

    Outputs are what the network gives, channels last, before calibration and activation. Calibration is a factor and an
    offset per channel; the activation follows it.
    """

    STOP_METRICS: ClassVar[tuple[str, ...]]
    """What an epoch may be chosen by."""

    @property
    def kind(self) -> str:
        """Name of the target's file."""

    @property
    def channels(self) -> int:
        """Outputs of the network."""

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of what the exported graph gives, in order."""

    @property
    def dtype(self) -> np.dtype:
        """Of encoded labels."""

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples are labelled, bool of the same shape."""

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return encoded labels (h, w) of a window of a tile."""

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return how many samples are labelled, by name: of classes a number each."""

    def fit_more(self, outputs: np.ndarray, targets: np.ndarray, calibration: Calibration) -> dict[str, Any]:
        """Return what else is fitted on the calibration part, as fields of a scene network's description."""

    def more_scores(
        self, outputs: np.ndarray, targets: np.ndarray, calibration: Calibration, more: dict[str, Any]
    ) -> dict[str, object]:
        """Return scores of what :meth:`fit_more` returned."""

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the loss of every sample (...), 0 where it is unlabelled, of outputs (..., channels)."""

    def activate(self, outputs: Tensor) -> Tensor:
        """Return what the exported graph gives, of calibrated outputs (batch, channels, ...)."""

    def values(self, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return what the exported graph gives (n, planes), of outputs (n, channels)."""

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> Calibration:
        """Fit the calibration; ``none`` leaves the outputs as they are."""

    def scores(
        self, outputs: np.ndarray, targets: np.ndarray, *, calibration: Calibration, weights: tuple[float, ...] | None
    ) -> dict[str, object]:
        """Return scores of labelled samples, before and after the calibration."""

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return sums of a batch that add up over batches and processes, float64 of one shape."""

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return the scores of an epoch from its sums."""

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric."""


def merit_of(row: dict[str, object], metric: str, *, lowest: tuple[str, ...]) -> float:
    """Return a number of an epoch's row that is higher for a better one; NaN counts as the worst.

    Parameters
    ----------
    row : dict
        Of the history.
    metric : str
        ``loss`` or a key of the row.
    lowest : tuple of str
        Metrics of which the lowest is best, ``loss`` apart.
    """
    value = float(row["validation_loss" if metric == "loss" else metric])  # type: ignore[arg-type]
    if not np.isfinite(value):
        return -np.inf
    return -value if metric == "loss" or metric in lowest else value


def metric_error(metric: str, target: str, known: tuple[str, ...]) -> UsageError:
    """Return the error for a metric that a target does not have."""
    return UsageError(
        f"stop.metric {metric}: no metric of the target {target}; expected one of {', '.join(known)}. Change it in the"
        " recipe."
    )
