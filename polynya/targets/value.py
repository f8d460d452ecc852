"""A value and its spread: Gaussian negative log likelihood (Nix and Weigend 1994, doi:10.1109/ICNN.1994.374138), the
spread scaled by one factor so that errors are as large as it states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import calibrate
from ..errors import ProductError, UsageError
from .protocol import Settings, Tile, Weighting, merit_of, metric_error

if TYPE_CHECKING:
    from torch import Tensor

LOG_LIMIT = 7.0
"""Logarithms of the spread are held within +- this, in units of the typical size."""


class Value(Settings):
    """A number with its standard deviation. The network gives two channels: (value - centre) / scale, and the logarithm
    of spread / scale.

    Attributes
    ----------
    name : str
    units : str
    centre, scale : float
        A typical value and the typical size of deviations from it, in ``units``.
    """

    kind: Literal["value"] = "value"
    name: str
    units: str
    centre: float = 0.0
    scale: float = Field(1.0, gt=0)

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("rmse", "loss")

    @property
    def channels(self) -> int:
        """Outputs of the network: value and logarithm of the spread."""
        return 2

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of value and spread."""
        return (self.name, f"{self.name}_spread")

    @property
    def dtype(self) -> np.dtype:
        """The value; NaN where nobody knows it."""
        return np.dtype(np.float32)

    def encode(self, values: np.ndarray, *, where: str = "values") -> np.ndarray:
        """Return values as float32, NaN where unknown.

        Parameters
        ----------
        values : numpy.ndarray of float, shape (...)
            Numbers; NaN where nobody knows.
        where : str
            Where they stand, for the error.

        Raises
        ------
        UsageError
            If a value is infinite.
        """
        return finite_or_unknown(values, where=where)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""
        return np.full(shape, np.nan, self.dtype)

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples have a value."""
        return np.isfinite(targets)

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the numbers of a tile's plane."""
        return self.encode(tile.plane(name, rows, columns), where=f"{tile.name}/{name}")

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return how many samples have a value."""
        return {self.name: int(self.known(targets).sum())}

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the negative log likelihood of every sample, in units of ``scale``, without its constant."""
        import torch

        z = torch.from_numpy(((targets - self.centre) / self.scale).astype(np.float32)).to(outputs.device)
        known = torch.isfinite(z)
        log_spread = outputs[..., 1].clamp(-LOG_LIMIT, LOG_LIMIT)
        error = torch.where(known, z, torch.zeros_like(z)) - outputs[..., 0]
        loss = 0.5 * (error * torch.exp(-log_spread)) ** 2 + log_spread
        return torch.where(known, loss, torch.zeros_like(loss))

    def activate(self, outputs: Tensor) -> Tensor:
        """Return value and spread in ``units`` (batch, 2, ...)."""
        import torch

        value = outputs[:, :1] * self.scale + self.centre
        return torch.cat([value, torch.exp(outputs[:, 1:].clamp(-LOG_LIMIT, LOG_LIMIT)) * self.scale], dim=1)

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return value and spread (n, 2) in ``units``."""
        z = calibration.apply(outputs)
        spread = np.exp(np.clip(z[:, 1], -LOG_LIMIT, LOG_LIMIT)) * self.scale
        return np.stack([z[:, 0] * self.scale + self.centre, spread], axis=1)

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Scale the spread so that the mean squared error in units of it is 1.

        Raises
        ------
        ProductError
            If no sample has a value.
        """
        if method == "none":
            return calibrate.identity(2)
        known = self.known(targets)
        if not known.any():
            raise ProductError(
                "calibration: the part holds no known value; expected some. Give more data, or a larger share."
            )
        value, spread = self.values(outputs[known], calibrate.identity(2)).T
        factor = float(np.sqrt(np.mean(((targets[known] - value) / spread) ** 2)))
        return calibrate.Calibration(
            method="spread", scale=(1.0, 1.0), offset=(0.0, math.log(max(factor, 1e-6))), n=int(known.sum())
        )

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return n, sum of errors, of squared errors, and how many lie within the spread."""
        value, spread = self.values(outputs, calibrate.identity(2)).T
        error = np.asarray(targets, np.float64) - value
        return np.array([error.size, error.sum(), (error**2).sum(), (np.abs(error) <= spread).sum()], np.float64)

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return bias, RMSE and the share of errors within the spread."""
        n = max(float(sums[0]), 1.0)
        return {
            "rmse": float(np.sqrt(sums[2] / n)),
            "bias": float(-sums[1] / n),
            "coverage_1sigma": float(sums[3] / n),
        }

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric."""
        if metric not in self.STOP_METRICS:
            raise metric_error(metric, self.kind, self.STOP_METRICS)

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""
        return merit_of(row, metric, lowest=("rmse",))

    def scores(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        calibration: calibrate.Calibration,
        weights: tuple[float, ...] | None = None,
    ) -> dict[str, object]:
        """Score values and their spread.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, 2)
            What the network gives, channels last.
        targets : numpy.ndarray of float32, shape (n,)
            Encoded labels.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        weights : tuple of float, optional
            Not used.

        Returns
        -------
        dict
            ``n``, ``bias``, ``rmse``, ``rmse_of_mean`` (of always giving the sample's own mean), shares of errors
            within one and two spreads after the calibration and within one before; all in ``units``.
        """
        known = self.known(targets)
        truth = np.asarray(targets, np.float64)[known]
        value, spread = self.values(outputs[known], calibration).T
        first = self.values(outputs[known], calibrate.identity(2))[:, 1]
        error = value - truth
        return {
            "n": int(truth.size),
            "units": self.units,
            "bias": float(error.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "rmse_of_mean": float(truth.std()),
            "coverage_1sigma_before": float((np.abs(error) <= first).mean()),
            "coverage_1sigma": float((np.abs(error) <= spread).mean()),
            "coverage_2sigma": float((np.abs(error) <= 2.0 * spread).mean()),
            "median_spread": float(np.median(spread)),
        }


def finite_or_unknown(values: np.ndarray, *, where: str) -> np.ndarray:
    """Return values as float32, NaN where unknown.

    Parameters
    ----------
    values : numpy.ndarray of float
        Numbers; NaN where nobody knows.
    where : str
        Where they stand, for the error.

    Raises
    ------
    UsageError
        If a value is infinite.
    """
    out = np.asarray(values, np.float32)
    if np.isinf(out).any():
        raise UsageError(
            f"{where}: holds infinite values; expected finite ones, or NaN where nobody knows. Clean the labels."
        )
    return out


TARGET = Value
