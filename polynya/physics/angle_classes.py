"""Surface classes from radar backscatter whose brightness falls with the incidence angle: a Gaussian a class.

Each class has a mean that is linear in the incidence angle, for every channel, and one covariance around it (Lohse,
Doulgeris and Dierking 2020, doi:10.1017/aog.2020.45). The angle is part of the class, so no slope has to be chosen
for a whole scene: water falls three times as fast as ice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REFERENCE_DEG = 34.5
"""Incidence angle at which means are quoted, degrees."""
FEWEST = 20
"""Samples of a class, below which it cannot be fitted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AngleClasses:
    """Classes of backscatter.

    Attributes
    ----------
    names : tuple of str
    prior : numpy.ndarray, shape (classes,)
        Adds up to 1.
    mean : numpy.ndarray, shape (classes, channels)
        At :data:`REFERENCE_DEG`, dB.
    slope : numpy.ndarray, shape (classes, channels)
        dB per degree of incidence.
    covariance : numpy.ndarray, shape (classes, channels, channels)
        dB².
    """

    names: tuple[str, ...]
    prior: np.ndarray
    mean: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray

    def probabilities(self, backscatter: np.ndarray, incidence: np.ndarray) -> np.ndarray:
        """Return how probable each class is.

        Parameters
        ----------
        backscatter : numpy.ndarray, shape (channels, ...)
            dB; a channel that is NaN is left out where it is.
        incidence : numpy.ndarray, shape (...)
            Degrees.

        Returns
        -------
        numpy.ndarray of float32, shape (classes, ...)
            Adds up to 1; NaN where no channel is known, or the angle is not.
        """
        channels, shape = backscatter.shape[0], incidence.shape
        values = np.asarray(backscatter, np.float64).reshape(channels, -1)
        angle = np.asarray(incidence, np.float64).reshape(-1) - REFERENCE_DEG
        out = np.full((len(self.names), angle.size), np.nan)
        seen = np.isfinite(values)
        pattern = (seen * (1 << np.arange(channels))[:, None]).sum(axis=0)
        pattern[~np.isfinite(angle)] = 0
        for code in np.unique(pattern[pattern > 0]):
            which = [c for c in range(channels) if code >> c & 1]
            at = np.flatnonzero(pattern == code)
            out[:, at] = self._posterior(values[which][:, at], angle[at], which)
        return out.reshape(len(self.names), *shape).astype(np.float32)

    def _posterior(self, values: np.ndarray, angle: np.ndarray, which: Sequence[int]) -> np.ndarray:
        logs = np.empty((len(self.names), angle.size))
        for k in range(len(self.names)):
            inverse = np.linalg.inv(self.covariance[k][np.ix_(which, which)])
            z = values - self.mean[k, which][:, None] - self.slope[k, which][:, None] * angle
            _, log_det = np.linalg.slogdet(inverse)
            logs[k] = np.log(self.prior[k]) + 0.5 * log_det - 0.5 * np.einsum("in,ij,jn->n", z, inverse, z)
        logs -= logs.max(axis=0)
        odds = np.exp(logs)
        return odds / odds.sum(axis=0)


def fit(
    backscatter: np.ndarray, incidence: np.ndarray, classes: np.ndarray, *, names: Sequence[str], floor_db: float = 0.3
) -> AngleClasses:
    """Fit classes to samples by least squares.

    Parameters
    ----------
    backscatter : numpy.ndarray, shape (channels, n)
        dB, finite.
    incidence : numpy.ndarray, shape (n,)
        Degrees.
    classes : numpy.ndarray of int, shape (n,)
        Index into ``names``; others are left out. Classes with fewer than :data:`FEWEST` samples are left out, too.
    names : sequence of str
        Of the classes.
    floor_db : float
        Standard deviation that is added to every channel: no class is narrower.

    Returns
    -------
    AngleClasses
        With priors as the samples have them.

    Raises
    ------
    ValueError
        If no class has enough samples.
    """
    channels = backscatter.shape[0]
    angle = np.asarray(incidence, np.float64) - REFERENCE_DEG
    found = []
    for k, name in enumerate(names):
        mine = classes == k
        n = int(mine.sum())
        if n < FEWEST:
            continue
        design = np.column_stack([np.ones(n), angle[mine]])
        values = np.asarray(backscatter[:, mine], np.float64).T
        solved, *_ = np.linalg.lstsq(design, values, rcond=None)
        left = values - design @ solved
        covariance = left.T @ left / (n - 2) + floor_db**2 * np.eye(channels)
        found.append((name, n, solved[0], solved[1], covariance))
    if not found:
        raise ValueError(f"no class has {FEWEST} samples")
    counts = np.array([f[1] for f in found], np.float64)
    return AngleClasses(
        names=tuple(f[0] for f in found),
        prior=counts / counts.sum(),
        mean=np.array([f[2] for f in found]),
        slope=np.array([f[3] for f in found]),
        covariance=np.array([f[4] for f in found]),
    )


def as_dict(found: AngleClasses) -> dict[str, object]:
    """Return classes as plain data."""
    return {
        "names": list(found.names),
        "prior": found.prior.tolist(),
        "mean": found.mean.tolist(),
        "slope": found.slope.tolist(),
        "covariance": found.covariance.tolist(),
    }


def of_dict(held: dict) -> AngleClasses:
    """Return classes of plain data, as :func:`as_dict` gives them."""
    return AngleClasses(
        names=tuple(held["names"]), **{n: np.array(held[n], float) for n in ("prior", "mean", "slope", "covariance")}
    )
