"""K-medoids of echoes: clusters without labels, mapped to classes on a reference set.

Source: Mueller et al. (2017), doi:10.3390/rs9060551, and Dettmering et al. (2018), doi:10.3390/rs10081190: 25 clusters
of waveform features, each called lead, ice or ocean by comparison with images. Medoids are found by turns (Park and
Jun, 2009, doi:10.1016/j.eswa.2008.01.039): each sample goes to its nearest medoid, and each cluster's new medoid is its
member with the smallest sum of distances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..schema.echoes import UNKNOWN
from .lead_rules import Answer

CLUSTERS = 25
MOST_SAMPLES = 4000
"""Samples that medoids are sought among: their distances to each other take 8 bytes a pair."""
CHUNK = 20_000


@dataclass(frozen=True, kw_only=True)
class Medoids:
    """Medoids of scaled features.

    Attributes
    ----------
    centres : numpy.ndarray, shape (k, features)
        Scaled features of the medoids, in the order of their places among the samples.
    mean, scale : numpy.ndarray, shape (features,)
        Features were scaled as (x - mean) / scale.
    cost : float
        Sum of the distances of the samples to their medoids.
    """

    centres: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    cost: float

    def nearest(self, features: np.ndarray) -> np.ndarray:
        """Return the nearest medoid of each sample, -1 where a feature is NaN.

        Parameters
        ----------
        features : numpy.ndarray, shape (n, features)
            Not scaled.
        """
        out = np.full(len(features), -1, np.int64)
        usable = np.flatnonzero(np.isfinite(features).all(axis=1))
        for start in range(0, usable.size, CHUNK):
            rows = usable[start : start + CHUNK]
            scaled = (features[rows] - self.mean) / self.scale
            out[rows] = np.argmin(_distances(scaled, self.centres), axis=1)
        return out


def fit(features: np.ndarray, *, clusters: int = CLUSTERS, seed: int = 0, restarts: int = 5) -> Medoids:
    """Find medoids.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, features)
        Rows with NaN are left out; :data:`MOST_SAMPLES` of the others are drawn where there are more.
    clusters : int
        Number of medoids.
    seed : int
        For draws.
    restarts : int
        Starts from other draws; the one of the smallest cost is kept.

    Returns
    -------
    Medoids

    Raises
    ------
    UsageError
        If there are fewer distinct usable samples than clusters.
    """
    usable = features[np.isfinite(features).all(axis=1)].astype(np.float64)
    rng = np.random.default_rng(seed)
    if len(usable) > MOST_SAMPLES:
        usable = usable[np.sort(rng.choice(len(usable), MOST_SAMPLES, replace=False))]
    distinct = len(np.unique(usable, axis=0))
    if not 1 <= clusters <= distinct:
        raise UsageError(f"k-medoids: {clusters} clusters of {distinct} distinct samples; expected 1 to {distinct}.")
    mean, spread = usable.mean(axis=0), usable.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    samples = (usable - mean) / scale
    apart = _distances(samples, samples)
    found = [_by_turns(apart, _start(apart, clusters, rng)) for _ in range(max(restarts, 1))]
    cost, places = min(found, key=lambda f: f[0])
    return Medoids(centres=samples[np.sort(places)], mean=mean, scale=scale, cost=cost)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0.0))


def _start(apart: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the first medoids: each next one with a probability that grows with its squared distance to the others."""
    places = [int(rng.integers(len(apart)))]
    while len(places) < clusters:
        squares = apart[:, places].min(axis=1) ** 2
        squares[places] = 0.0
        total = squares.sum()
        free = np.setdiff1d(np.arange(len(apart)), places)
        places.append(int(rng.choice(len(apart), p=squares / total)) if total > 0 else int(free[0]))
    return np.array(places)


def _by_turns(apart: np.ndarray, places: np.ndarray) -> tuple[float, np.ndarray]:
    """Improve medoids until none moves; return the cost and their places."""
    while True:
        nearest = np.argmin(apart[:, places], axis=1)
        moved = places.copy()
        for k in range(places.size):
            members = np.flatnonzero(nearest == k)
            if members.size:
                moved[k] = members[np.argmin(apart[np.ix_(members, members)].sum(axis=1))]
        if apart[:, moved].min(axis=1).sum() >= apart[:, places].min(axis=1).sum():
            return float(apart[:, places].min(axis=1).sum()), places
        places = moved


@dataclass(frozen=True, kw_only=True)
class ClusterRule:
    """Medoids with a class each.

    Attributes
    ----------
    medoids : Medoids
    classes : numpy.ndarray of int8, shape (k,)
        Unknown where the reference set has too few samples of a cluster.
    """

    medoids: Medoids
    classes: np.ndarray

    def answer(self, features: np.ndarray) -> Answer:
        """Return the classes of echoes: those of their nearest medoid; unknown where a feature is NaN.

        Parameters
        ----------
        features : numpy.ndarray, shape (n, features)
            As those that the medoids were fitted on.
        """
        nearest = self.medoids.nearest(features)
        classes = np.where(nearest >= 0, self.classes[np.clip(nearest, 0, None)], UNKNOWN).astype(np.int8)
        return Answer(rule=f"k-medoids of {len(self.classes)} clusters", classes=classes)


def name_clusters(
    medoids: Medoids, features: np.ndarray, reference: np.ndarray, *, fewest: int = 3, share: float = 0.5
) -> ClusterRule:
    """Give every cluster the class that most of its reference samples have.

    Parameters
    ----------
    medoids : Medoids
        Of the same features.
    features : numpy.ndarray, shape (n, features)
        Reference samples.
    reference : numpy.ndarray of int, shape (n,)
        Their classes; unknown ones do not count.
    fewest : int
        A cluster with fewer known samples stays unknown.
    share : float
        It stays unknown too where its commonest class does not have more than this share.

    Returns
    -------
    ClusterRule
    """
    nearest, known = medoids.nearest(features), np.asarray(reference) != UNKNOWN
    classes = np.full(len(medoids.centres), UNKNOWN, np.int8)
    for k in range(len(classes)):
        values, counts = np.unique(np.asarray(reference)[known & (nearest == k)], return_counts=True)
        if counts.sum() >= fewest and counts.max() > share * counts.sum():
            classes[k] = values[np.argmax(counts)]
    return ClusterRule(medoids=medoids, classes=classes)
