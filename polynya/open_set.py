"""How far an image lies from those that a network was trained on, by the network's last features.

Mahalanobis distance to the mean of the training's features (Lee et al. 2018, arXiv:1807.03888, with one Gaussian, since
images have several tags). The covariance is that of probabilistic principal components (Tipping and Bishop 1999,
doi:10.1111/1467-9868.00196): some directions with a variance of their own, one variance in all others. So a few
thousand images suffice, and a direction without variance cannot make everything infinitely far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import nn

NUMBERS = 8192
"""Directions times features that are kept, at most."""
MOST_DIRECTIONS = 32
LEAST_SHARE = 1e-3
"""The rest's variance is at least this share of the mean variance."""
QUANTILES = (0.95, 0.99)
DIGITS = 6


class FeatureSpace(BaseModel):
    """Where features of the training lie.

    Attributes
    ----------
    mean : tuple of float
        Of h features.
    directions : tuple of tuple of float
        k orthonormal directions of h numbers.
    sd : tuple of float
        Standard deviation along each.
    rest_sd : float
        Along all others.
    limits : tuple of float
        95 and 99 % of images that the network was not trained on are nearer.
    n : int
        Images it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, ...]
    directions: tuple[tuple[float, ...], ...]
    sd: tuple[float, ...]
    rest_sd: float = Field(gt=0)
    limits: tuple[float, float]
    n: int

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return the distance of features (n, h), float64 (n,)."""
        away = np.asarray(features, np.float64) - np.array(self.mean)
        along = away @ np.array(self.directions).T
        rest = np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        return np.sqrt(((along / np.array(self.sd)) ** 2).sum(axis=1) + rest / self.rest_sd**2)

    def module(self) -> nn.Module:
        """Return the same for torch: (batch, h) to (batch, 1)."""
        import torch
        from torch import nn

        mean, directions, sd = (torch.tensor(v, dtype=torch.float32) for v in (self.mean, self.directions, self.sd))
        rest_sd = self.rest_sd

        class Distance(nn.Module):
            """Features to their distance."""

            def __init__(self) -> None:
                super().__init__()
                self.mean: torch.Tensor
                self.directions: torch.Tensor
                self.sd: torch.Tensor
                self.register_buffer("mean", mean)
                self.register_buffer("directions", directions.T.contiguous())
                self.register_buffer("sd", sd)

            def forward(self, features: torch.Tensor) -> torch.Tensor:
                away = features - self.mean
                along = away @ self.directions
                rest = away - along @ self.directions.T
                squared = ((along / self.sd) ** 2).sum(1, keepdim=True) + (rest**2).sum(1, keepdim=True) / rest_sd**2
                return torch.sqrt(squared)

        return Distance()


def fit(taught: np.ndarray, held: np.ndarray) -> FeatureSpace:
    """Describe where features lie.

    Parameters
    ----------
    taught, held : numpy.ndarray, shape (n, h), (m, h)
        Features of the training part, and of another one for the limits.
    """
    taught = np.asarray(taught, np.float64)
    n, h = taught.shape
    mean = taught.mean(axis=0)
    _, singular, right = np.linalg.svd(taught - mean, full_matrices=False)
    variance = singular**2 / max(n - 1, 1)
    total = float(variance.sum())
    k = int(min(MOST_DIRECTIONS, max(1, NUMBERS // h), max(1, (variance > 1e-9 * max(total, 1e-30)).sum() - 1)))
    left = max(h - k, 1)
    rest = max((total - float(variance[:k].sum())) / left, LEAST_SHARE * total / h, 1e-12)
    space = FeatureSpace(
        mean=_rounded(mean),
        directions=tuple(_rounded(row) for row in right[:k]),
        sd=_rounded(np.sqrt(np.maximum(variance[:k], rest))),
        rest_sd=float(np.sqrt(rest)),
        limits=(1.0, 1.0),
        n=n,
    )
    low, high = np.quantile(space.distance(held if len(held) else taught), QUANTILES).tolist()
    return space.model_copy(update={"limits": (low, high)})


def features_of(model: nn.Module, source: Any, *, batch: int, device: Any) -> np.ndarray:
    """Return a network's last features of the samples of a source, float32 (n, h).

    Parameters
    ----------
    model : torch.nn.Module
        With ``with_features``.
    source : polynya.train.Source
        In order, unchanged.
    batch : int
        Samples per call.
    device : torch.device
        Where the network is.
    """
    import torch

    plan, found = source.plan(None), []
    model.eval()
    with torch.inference_mode():
        for begin in range(0, len(plan), batch):
            inputs = source.batch(plan[begin : begin + batch]).inputs
            given = (torch.from_numpy(part).to(device) for part in inputs)
            found.append(model.with_features(*given)[1].float().cpu().numpy())  # type: ignore[operator]
    return np.concatenate(found) if found else np.zeros((0, 1), np.float32)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{v:.{DIGITS}g}") for v in values)
