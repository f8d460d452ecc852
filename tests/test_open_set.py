"""Distances by features against a covariance written out, and with torch."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import open_set


def features(n, rng):
    sd = np.array([5.0, 3.0, 2.0, *[0.5] * 9])
    turn, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(12, 12)))
    return 4.0 + (rng.normal(size=(n, 12)) * sd) @ turn


def test_the_distance_is_mahalanobis():
    """With as many directions as there are, but one, the covariance is the sample's own up to the last direction."""
    rng = np.random.default_rng(0)
    taught, other = features(5000, rng), features(200, rng)
    space = open_set.fit(taught, other)
    away = other - taught.mean(axis=0)
    plain = np.sqrt(np.einsum("ij,jk,ik->i", away, np.linalg.inv(np.cov(taught.T)), away))
    assert space.distance(other) == pytest.approx(plain, rel=0.01)


def test_limits_are_quantiles_and_far_is_far():
    rng = np.random.default_rng(1)
    space = open_set.fit(features(3000, rng), features(2000, rng))
    fresh = space.distance(features(4000, rng))
    assert (fresh > space.limits[0]).mean() == pytest.approx(0.05, abs=0.02)
    assert (fresh > space.limits[1]).mean() == pytest.approx(0.01, abs=0.01)
    assert (space.distance(features(50, rng) + 10.0) > space.limits[1]).all()


def test_a_direction_without_variance_is_not_infinitely_far():
    taught = np.zeros((100, 6))
    taught[:, :2] = np.random.default_rng(2).normal(size=(100, 2))
    space = open_set.fit(taught, taught)
    assert np.isfinite(space.distance(taught + 1e-3)).all()


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    space = open_set.fit(features(500, rng), features(100, rng))
    other = features(20, rng).astype(np.float32)
    found = space.module()(torch.from_numpy(other)).numpy()[:, 0]
    assert found == pytest.approx(space.distance(other), rel=1e-4)
