"""The share of a pixel that something covers, 0 to 1, with its spread: labelled pixel by pixel, or by regions that say
only their mean.

The share is the logistic function of the first output; squared errors or their cross-entropy both have their least
value at the mean of what may be there. The second output is the logit of the expected squared error, which lies between
0 and 1 too: the cross-entropy with the squared errors themselves (held constant, so that the spread takes nothing from
the share) is least at their mean, and no outlier outweighs the others as in a Gaussian likelihood.

An ice chart gives one number for a polygon of tens of kilometres. Compared pixel by pixel it teaches a network to blur
floes and leads; so of a region only the mean over its pixels is compared with its label.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from .. import calibrate, spread
from ..errors import ProductError, UsageError
from .protocol import Settings, Tile, Weighting, merit_of, metric_error

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-6
"""Shares of regions are held so far from 0 and 1 in the cross-entropy."""
MARGINAL = (0.15, 0.8)
"""Shares between which ice is marginal."""


class Concentration(Settings):
    """A share of the area with its standard deviation.

    Attributes
    ----------
    name : str
    loss : str
        ``squared`` errors, or their ``cross_entropy``.
    regions : str or None
        Dataset of the tiles with the region of each pixel, whole numbers, negative outside: there the mean over the
        region must match the label.
    has_spread : bool
        False for networks that give the share alone.
    """

    kind: Literal["concentration"] = "concentration"
    name: str = "concentration"
    loss: Literal["squared", "cross_entropy"] = "cross_entropy"
    regions: str | None = None
    has_spread: bool = True

    STOP_METRICS: ClassVar[tuple[str, ...]] = ("rmse", "r2", "loss")

    @property
    def channels(self) -> int:
        """Outputs of the network: logits of the share and of the squared error."""
        return 2 if self.has_spread else 1

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of share and spread."""
        return (self.name, f"{self.name}_spread")[: self.channels]

    @property
    def dtype(self) -> np.dtype:
        """The share, NaN where nobody knows it; with regions their numbers besides."""
        if self.regions is None:
            return np.dtype(np.float32)
        return np.dtype([("share", np.float32), ("region", np.int64)])

    def encode(
        self, shares: np.ndarray, regions: np.ndarray | None = None, *, where: str = "shares", key: str = ""
    ) -> np.ndarray:
        """Return encoded labels.

        Parameters
        ----------
        shares : numpy.ndarray of float, shape (...)
            0 to 1; NaN where nobody knows.
        regions : numpy.ndarray of int, shape (...), optional
            Number of the region that a share is the mean of; negative where it is the pixel's own.
        where : str
            Where they stand, for the error.
        key : str
            Makes the numbers of a tile's regions its own.

        Returns
        -------
        numpy.ndarray, shape (...)

        Raises
        ------
        UsageError
            If a share is outside 0 to 1.
        """
        out = np.asarray(shares, np.float32)
        wrong = out[~np.isnan(out) & ~((out >= 0) & (out <= 1))]
        if wrong.size:
            raise UsageError(
                f"{where}: holds {wrong.flat[0]:g}; expected shares from 0 to 1, or NaN where nobody knows. Clean the"
                " labels."
            )
        if self.regions is None:
            return out
        pairs = self.nothing(out.shape)
        pairs["share"] = out
        if regions is not None:
            numbers = np.nan_to_num(np.asarray(regions, np.float64), nan=-1.0).astype(np.int64)
            pairs["region"] = np.where(numbers >= 0, numbers + (zlib.crc32(key.encode()) << 24), -1)
        return pairs

    def of_tile(self, tile: Tile, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the shares of a tile's plane, and the regions of another."""
        shares, where = tile.plane(name, rows, columns), f"{tile.name}/{name}"
        if self.regions is None:
            return self.encode(shares, where=where)
        return self.encode(shares, tile.plane(self.regions, rows, columns), where=where, key=tile.name)

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return encoded labels of samples that nobody labelled."""
        out = np.empty(shape, self.dtype)
        out[...] = np.nan if self.regions is None else np.array((np.nan, -1), self.dtype)
        return out

    def _shares(self, targets: np.ndarray) -> np.ndarray:
        return targets if self.regions is None else np.ascontiguousarray(targets["share"])

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which samples have a share."""
        return np.isfinite(self._shares(targets))

    def tally(self, targets: np.ndarray, *, where: str = "labels") -> dict[str, int]:
        """Return how many samples have a share."""
        return {self.name: int(self.known(targets).sum())}

    def losses(self, outputs: Tensor, targets: np.ndarray, weighting: Weighting) -> Tensor:
        """Return the loss of every sample; pixels of a region share that of its mean."""
        import torch
        from torch.nn import functional

        labels = torch.from_numpy(self._shares(targets)).to(outputs.device)
        known = torch.isfinite(labels)
        labels = torch.where(known, labels, torch.zeros_like(labels))
        share = torch.sigmoid(outputs[..., 0])
        if self.loss == "squared":
            loss = (share - labels) ** 2
        else:
            loss = functional.binary_cross_entropy_with_logits(outputs[..., 0], labels, reduction="none")
        if self.regions is not None:
            inside = torch.from_numpy((targets["region"] >= 0) & self.known(targets)).to(outputs.device)
            share = torch.where(inside, _means(share, targets["region"], inside), share)
            held = share.clamp(LEAST, 1.0 - LEAST)
            of_region = (share - labels) ** 2
            if self.loss == "cross_entropy":
                of_region = -(labels * torch.log(held) + (1.0 - labels) * torch.log1p(-held))
            loss = torch.where(inside, of_region, loss)
        if self.has_spread:
            squares = ((share - labels) ** 2).detach()
            loss = loss + functional.binary_cross_entropy_with_logits(outputs[..., 1], squares, reduction="none")
        return torch.where(known, loss, torch.zeros_like(loss))

    def activate(self, outputs: Tensor) -> Tensor:
        """Return share and spread (batch, 2, ...)."""
        import torch

        shares = torch.sigmoid(outputs[:, :1])
        return torch.cat([shares, torch.sqrt(torch.sigmoid(outputs[:, 1:]))], dim=1) if self.has_spread else shares

    def values(self, outputs: np.ndarray, calibration: calibrate.Calibration) -> np.ndarray:
        """Return share and spread (n, 2)."""
        shares = expit(calibration.apply(outputs))
        shares[:, 1:] = np.sqrt(shares[:, 1:])
        return shares

    def fit(self, outputs: np.ndarray, targets: np.ndarray, *, method: str) -> calibrate.Calibration:
        """Shift the logit of the squared error so that its mean is that of the squared errors.

        Raises
        ------
        ProductError
            If no sample has a share.
        """
        if method == "none":
            return calibrate.identity(self.channels)
        known = self.known(targets)
        if not known.any():
            raise ProductError(
                "calibration: the part holds no known share; expected some. Give more data, or a larger share."
            )
        if not self.has_spread:
            return replace(calibrate.identity(1), n=int(known.sum()))
        from scipy.optimize import brentq  # takes a second to import, and prediction does without

        share, logit = expit(np.asarray(outputs[known, 0], np.float64)), np.asarray(outputs[known, 1], np.float64)
        mean = float(np.clip(((self._shares(targets)[known] - share) ** 2).mean(), 1e-9, 1.0 - 1e-9))
        shift = float(brentq(lambda b: float(expit(logit + b).mean()) - mean, -60.0, 60.0))
        return calibrate.Calibration(method="spread", scale=(1.0, 1.0), offset=(0.0, shift), n=int(known.sum()))

    def fit_more(self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration) -> dict[str, Any]:
        """Fit how large errors are where the network states a spread, and intervals; see :mod:`polynya.spread`."""
        known = self.known(targets)
        if not self.has_spread or known.sum() < spread.FEWEST:
            return {}
        value, stated = self.values(outputs[known], calibration).T
        return {"spread": {self.name: spread.fit(value, stated, self._shares(targets)[known]).as_dict()}}

    def more_scores(
        self, outputs: np.ndarray, targets: np.ndarray, calibration: calibrate.Calibration, more: dict[str, Any]
    ) -> dict[str, object]:
        """Return the shares of true values within the intervals, and errors beside the spread that is stated."""
        fitted = more.get("spread", {}).get(self.name)
        known = self.known(targets)
        if fitted is None or not known.any():
            return {}
        value, stated = self.values(outputs[known], calibration).T
        return {"intervals": spread.scores(spread.Spread(**fitted), value, stated, self._shares(targets)[known])}

    def sums(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return n, sums of errors and their squares, how many lie within the spread, sums of truth and squares."""
        given, truth = self.values(outputs, calibrate.identity(self.channels)), self._shares(targets).astype(np.float64)
        error = truth - given[:, 0]
        within = (np.abs(error) <= given[:, -1]).sum() if self.has_spread else 0
        return np.array([error.size, error.sum(), (error**2).sum(), within, truth.sum(), (truth**2).sum()], np.float64)

    def summary(self, sums: np.ndarray) -> dict[str, object]:
        """Return RMSE, R2, bias and the share of errors within the spread."""
        n = max(float(sums[0]), 1.0)
        variance = sums[5] - sums[4] ** 2 / n
        return {
            "rmse": math.sqrt(sums[2] / n),
            "r2": float(1.0 - sums[2] / variance) if variance > 0 else float("nan"),
            "bias": float(-sums[1] / n),
            **({"coverage_1sigma": float(sums[3] / n)} if self.has_spread else {}),
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
        """Score shares.

        Parameters
        ----------
        outputs : numpy.ndarray, shape (n, channels)
            What the network gives, channels last.
        targets : numpy.ndarray, shape (n,)
            Encoded labels.
        calibration : polynya.calibrate.Calibration
            The fitted calibration.
        weights : tuple of float, optional
            Not used.

        Returns
        -------
        dict
            ``n``, ``r2``, ``rmse``, ``rmse_of_mean`` (of always giving the sample's own mean), ``mae``, ``bias``,
            ``rmse_marginal`` (of true shares from 15 % to 80 %).
        """
        known = self.known(targets)
        truth = self._shares(targets)[known].astype(np.float64)
        error = self.values(outputs[known], calibration)[:, 0] - truth
        marginal = (truth >= MARGINAL[0]) & (truth <= MARGINAL[1])
        variance = float(truth.var())
        return {
            "n": int(truth.size),
            "units": "1",
            "r2": float(1.0 - (error**2).mean() / variance) if variance > 0 else float("nan"),
            "rmse": float(np.sqrt((error**2).mean())),
            "rmse_of_mean": math.sqrt(variance),
            "mae": float(np.abs(error).mean()),
            "bias": float(error.mean()),
            "rmse_marginal": float(np.sqrt((error[marginal] ** 2).mean())) if marginal.any() else None,
        }


def expit(logits: np.ndarray) -> np.ndarray:
    """Return the logistic function (without scipy, which takes a second to import)."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))


def _means(share: Tensor, regions: np.ndarray, inside: Tensor) -> Tensor:
    """Return for every pixel the mean share over its region's pixels of the batch."""
    import torch

    _, index = np.unique(regions, return_inverse=True)
    place = torch.from_numpy(index.reshape(regions.shape)).to(share.device)
    sums = torch.zeros(int(index.max(initial=0)) + 1, dtype=share.dtype, device=share.device)
    counts = torch.zeros_like(sums)
    sums = sums.index_add(0, place[inside], share[inside])
    counts = counts.index_add(0, place[inside], torch.ones_like(share[inside]))
    return (sums / counts.clamp(min=1.0))[place]


TARGET = Concentration
