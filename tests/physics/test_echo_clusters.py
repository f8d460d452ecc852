"""K-medoids: the best medoids of small sets by trying all, groups that lie apart, and clusters without a name."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import echo_clusters
from polynya.schema.echoes import LEAD, SEA_ICE, UNKNOWN


def groups(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [40.0, 0.0, 1.0], [0.0, 60.0, -1.0], [30.0, 50.0, 2.0]])
    kind = rng.integers(0, 4, n)
    return centres[kind] + rng.normal(size=(n, 3)), kind


@pytest.mark.parametrize("seed", range(4))
def test_small_sets_get_the_best_medoids_of_all(seed):
    features = np.random.default_rng(seed).normal(size=(14, 2))
    found = echo_clusters.fit(features, clusters=3, restarts=60)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    apart = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    best = min(apart[:, list(c)].min(axis=1).sum() for c in itertools.combinations(range(14), 3))
    assert found.cost == pytest.approx(best)
    for centre in found.centres:  # a medoid is a sample
        assert np.isclose(scaled, centre).all(axis=1).any()


def test_groups_that_lie_apart_are_found_and_named():
    features, kind = groups(600)
    classes = np.array([LEAD, SEA_ICE, SEA_ICE, UNKNOWN])[kind]
    medoids = echo_clusters.fit(features, clusters=4)
    nearest = medoids.nearest(features)
    assert len({(a, b) for a, b in zip(nearest, kind, strict=True)}) == 4
    rule = echo_clusters.name_clusters(medoids, features, classes)
    others, of = groups(300, seed=1)
    answer = rule.answer(others)
    assert (answer.classes == np.array([LEAD, SEA_ICE, SEA_ICE, UNKNOWN])[of]).all()
    others[0, 1] = np.nan
    assert rule.answer(others).classes[0] == UNKNOWN


def test_a_cluster_without_a_majority_or_with_few_samples_stays_unknown():
    features, kind = groups(400)
    medoids = echo_clusters.fit(features, clusters=4)
    classes = np.where(kind == 0, np.where(np.arange(400) % 2 == 0, LEAD, SEA_ICE), SEA_ICE)
    of = medoids.nearest(features)[np.argmax(kind == 0)]
    share = (classes[kind == 0] == LEAD).mean()
    rule = echo_clusters.name_clusters(medoids, features, classes, share=max(share, 1 - share))
    assert rule.classes[of] == UNKNOWN
    few = echo_clusters.name_clusters(medoids, features, classes, fewest=401)
    assert (few.classes == UNKNOWN).all()


def test_seed_gives_the_same_and_large_sets_are_drawn_from(monkeypatch):
    features, _ = groups(500)
    monkeypatch.setattr(echo_clusters, "MOST_SAMPLES", 120)
    one, other = (echo_clusters.fit(features, clusters=4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centres, other.centres)
    monkeypatch.setattr(echo_clusters, "CHUNK", 7)
    np.testing.assert_array_equal(
        one.nearest(features[:50]), np.concatenate([one.nearest(f[None]) for f in features[:50]])
    )


def test_more_clusters_than_samples_are_rejected():
    with pytest.raises(UsageError, match="25 clusters of 2 distinct samples"):
        echo_clusters.fit(np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [np.nan, 1.0]]))
