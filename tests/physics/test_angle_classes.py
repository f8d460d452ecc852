"""Classes of backscatter: what was drawn is found again, and probabilities are Bayes' rule."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from polynya.physics import angle_classes

MEAN = np.array([[-22.0, -31.0], [-14.0, -25.0]])
SLOPE = np.array([[-0.6, -0.2], [-0.25, -0.12]])
COVARIANCE = np.array([[[2.0, 0.6], [0.6, 1.5]], [[1.2, 0.4], [0.4, 0.9]]])


def drawn(n=60_000, seed=0):
    rng = np.random.default_rng(seed)
    kind = (rng.random(n) < 0.7).astype(int)
    angle = rng.uniform(19.0, 47.0, n)
    noise = np.stack([rng.multivariate_normal([0, 0], COVARIANCE[k], n) for k in (0, 1)])[kind, np.arange(n)]
    values = MEAN[kind] + SLOPE[kind] * (angle - 34.5)[:, None] + noise
    return values.T, angle, kind


def made():
    return angle_classes.AngleClasses(
        names=("water", "ice"), prior=np.array([0.3, 0.7]), mean=MEAN, slope=SLOPE, covariance=COVARIANCE
    )


def test_a_fit_finds_what_was_drawn():
    values, angle, kind = drawn()
    found = angle_classes.fit(values, angle, kind, names=("water", "ice"), floor_db=0.0)
    assert found.names == ("water", "ice")
    assert found.prior == pytest.approx([0.3, 0.7], abs=0.01)
    assert found.mean == pytest.approx(MEAN, abs=0.05) and found.slope == pytest.approx(SLOPE, abs=0.006)
    assert found.covariance == pytest.approx(COVARIANCE, abs=0.05)
    assert angle_classes.fit(values, angle, kind, names=("water", "ice"), floor_db=2.0).covariance[:, 0, 0] == (
        pytest.approx(COVARIANCE[:, 0, 0] + 4.0, abs=0.05)
    )


def test_probabilities_are_bayes_rule():
    """Against scipy's densities, pixel by pixel."""
    values, angle, _ = drawn(50, seed=3)
    got = made().probabilities(values, angle)
    for i in range(50):
        p = [
            (0.3, 0.7)[k]
            * stats.multivariate_normal(MEAN[k] + SLOPE[k] * (angle[i] - 34.5), COVARIANCE[k]).pdf(values[:, i])
            for k in (0, 1)
        ]
        assert got[:, i] == pytest.approx(np.array(p) / sum(p), abs=1e-6)


def test_a_missing_channel_is_left_out_and_nothing_known_is_nan():
    values, angle, _ = drawn(4, seed=5)
    values[1, 0] = values[0, 1] = np.nan
    values[:, 2] = np.nan
    angle[3] = np.nan
    got = made().probabilities(values.reshape(2, 2, 2), angle.reshape(2, 2)).reshape(2, 4)
    for i, c in ((0, 0), (1, 1)):
        p = [
            (0.3, 0.7)[k]
            * stats.norm(MEAN[k, c] + SLOPE[k, c] * (angle[i] - 34.5), COVARIANCE[k, c, c] ** 0.5).pdf(values[c, i])
            for k in (0, 1)
        ]
        assert got[:, i] == pytest.approx(np.array(p) / sum(p), abs=1e-6)
    assert np.isnan(got[:, 2:]).all()


def test_far_away_values_have_probabilities_still():
    got = made().probabilities(np.array([[80.0], [-300.0]]), np.array([20.0]))
    assert got.sum() == pytest.approx(1.0)


def test_rare_classes_are_left_out():
    values, angle, kind = drawn(2_000)
    kind[:] = 1
    kind[:19] = 0
    assert angle_classes.fit(values, angle, kind, names=("water", "ice")).names == ("ice",)
    with pytest.raises(ValueError, match="no class has 20 samples"):
        angle_classes.fit(values[:, :10], angle[:10], kind[:10], names=("water", "ice"))


def test_plain_data_and_back():
    back = angle_classes.of_dict(json.loads(json.dumps(angle_classes.as_dict(made()))))
    values, angle, _ = drawn(5)
    assert np.array_equal(back.probabilities(values, angle), made().probabilities(values, angle))
