"""Quantiles of a value: pinball loss (Koenker and Bassett 1978, doi:10.2307/1913643), each level shifted so that it
covers what it states (conformal; Romano, Patterson and Candes 2019, arXiv:1905.03222)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from .. import calibrate
from ..errors import ProductError
from .protocol import Settings, Tile, Weighting, merit_of, metric_error
from .value import finite_or_unknown

if TYPE_CHECKING:
    from torch import Tensor


class Quantiles(Settings):
    """Quantiles of a number, one channel per level: (quantile - centre) / scale.

    Attributes
    ----------
    name : str
    levels : tuple of float
        Between 0 and 1, increasing.
    units : str
    centre, scale : float
        A typical value and the typical size of deviations from it, in ``units``.
    """

    kind: Literal["quantiles"] = "quantiles"
    name: str
    levels: tuple[float, ...] = Field(min_length=1)
    units: str = "1"
    centre: float = 0.0
    scale: float = Field(1.0, gt=0)

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("pinball", "loss")

    @field_validator("levels")
    @classmethod
    def _increase(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < v < 1 for v in value) or any(b <= a for a, b in pairwise(value)):
            raise ValueError("expected increasing levels between 0 and 1")
        return value

    @property
    def channels(self) -> int:
        """Outputs of the network: one per level."""
        return len(self.levels)

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the quantiles: ``NAME_q10`` for the level 0.1."""
        return tuple(f"{self.name}_q{100 * v:g}" for v in self.levels)

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
        """Return the pinball loss of every sample, the mean over levels, in units of ``scale``."""
        import torch

        z = torch.from_numpy(((targets - self.centre) / self.scale).astype(np.float32)).to(outputs.device)
        known = torch.isfinite(z)
        level = torch.tensor(self.levels, dtype=outputs.dtype, device=outputs.device)
        error = torch.where(known, z, torch.zeros_like(z)).unsqueeze(-1) - outputs
        loss = torch.maximum(level * error, (level - 1.0) * error).mean(-1)
        return torch.where(known, loss, torch.zeros_like(loss))

    def activate(self, outputs: Tensor) -> Tensor:
        """Return quantiles in ``units`` (batch, levels, ...); none lies below that of a lower level."""
        import torch

        planes = [outputs[:, :1]]
        for k in range(1, self.channels):
            planes.append(torch.maximum(planes[-1], outputs[:, k : k + 1]))
        return torch.cat(planes, dim=1) * self.scale + self.centre

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return quantiles (n, levels) in ``units``."""
        return np.maximum.accumulate(calibration.apply(outputs), axis=1) * self.scale + self.centre

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Shift every level by the quantile of its errors, so that as many values lie below it as it states.

        Raises
        ------
        ProductError
            If no sample has a value.
        """
        if method == "none":
            return calibrate.identity(self.channels)
        known = self.known(targets)
        n = int(known.sum())
        if not n:
            raise ProductError(
                "calibration: the part holds no known value; expected some. Give more data, or a larger share."
            )
        z = (np.asarray(targets, np.float64)[known] - self.centre) / self.scale
        errors = np.sort(z[:, None] - np.asarray(outputs, np.float64)[known], axis=0)
        rank = [min(max(int(np.ceil(v * (n + 1))) - 1, 0), n - 1) for v in self.levels]
        shift = [float(errors[r, k]) for k, r in enumerate(rank)]
        return calibrate.Calibration(method="shift", scale=(1.0,) * self.channels, offset=tuple(shift), n=n)

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return n, then for each level the sum of pinball losses and how many values lie below it."""
        given = self.values(outputs, calibrate.identity(self.channels))
        loss, below = self._pinball(given, targets)
        return np.concatenate([[float(len(targets))], loss.sum(0), below.sum(0)])

    def _pinball(self, given: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error, level = np.asarray(targets, np.float64)[:, None] - given, np.array(self.levels)
        return np.maximum(level * error, (level - 1.0) * error), error <= 0

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return the mean pinball loss in ``units``, and the share of values below every level."""
        n = max(float(sums[0]), 1.0)
        loss, below = sums[1 : 1 + self.channels], sums[1 + self.channels :]
        return {"pinball": float(loss.mean() / n), "coverage": (below / n).tolist()}

    def check_metric(self, metric: str) -> None:
        """Raise UsageError where training cannot stop on a metric."""
        if metric not in self.STOP_METRICS:
            raise metric_error(metric, self.kind, self.STOP_METRICS)

    def merit(self, row: dict[str, object], metric: str) -> float:
        """Return a number of an epoch's row that is higher for a better one."""
        return merit_of(row, metric, lowest=("pinball",))

    def scores(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        calibration: calibrate.Calibration,
        weights: tuple[float, ...] | None = None,
    ) -> dict[str, object]:
        """Score quantiles.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, levels)
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
            ``n``, ``pinball`` (mean, in ``units``), ``pinball_of_sample`` (of always giving the sample's own
            quantiles), ``levels`` and the share of values below each before and after the calibration.
        """
        known = self.known(targets)
        truth = np.asarray(targets, np.float64)[known]
        loss, below = self._pinball(self.values(outputs[known], calibration), truth)
        _, first = self._pinball(self.values(outputs[known], calibrate.identity(self.channels)), truth)
        own, _ = self._pinball(np.broadcast_to(np.quantile(truth, self.levels), loss.shape), truth)
        return {
            "n": int(truth.size),
            "units": self.units,
            "levels": list(self.levels),
            "pinball": float(loss.mean()),
            "pinball_of_sample": float(own.mean()),
            "coverage_before": first.mean(0).tolist(),
            "coverage": below.mean(0).tolist(),
        }


TARGET = Quantiles
