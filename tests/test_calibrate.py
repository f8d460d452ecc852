"""Calibration: known temperatures and offsets are found again, sets of classes count, errors come down on data kept
back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from polynya import calibrate
from polynya.errors import ProductError

NAMES = ("thick_ice", "thin_ice", "open_water")


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is right: the classes are drawn from it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, 3)) + np.array([1.5, 0.0, -0.5])
    p = softmax(z, axis=1)
    truth = (rng.random(n)[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    return z, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.7])
def test_a_temperature_is_found_again(temperature):
    z, truth = draw(40_000, 1)
    found = calibrate.fit(z * temperature, 1 << truth, method="temperature")
    assert (
        found.temperature == pytest.approx(temperature, rel=0.03)
        and found.offset == (0.0, 0.0, 0.0)
        and found.n == 40_000
    )
    assert np.array_equal(
        found.probabilities(z * temperature).argmax(axis=1), z.argmax(axis=1)
    )  # a temperature changes no class


def test_vector_scaling_takes_back_a_shifted_prior():
    z, truth = draw(60_000, 2)
    scale, offset = np.array([1.4, 0.8, 2.0]), np.array([-1.0, 0.7, 1.3])
    shifted = (z - offset) / scale
    found = calibrate.fit(shifted, 1 << truth, method="vector")
    assert np.allclose(found.scale, scale, rtol=0.05)
    assert np.allclose(np.array(found.offset) - found.offset[0], offset - offset[0], atol=0.08)
    other, kept = draw(60_000, 3)
    after = calibrate.scores(found.probabilities((other - offset) / scale), kept, names=NAMES)
    before = calibrate.scores(softmax((other - offset) / scale, axis=1), kept, names=NAMES)
    assert all(a.calibration_error < 0.01 for a in after) and all(b.calibration_error > 0.03 for b in before)
    assert all(a.brier_skill > b.brier_skill for a, b in zip(after, before, strict=True))


def test_a_set_of_classes_tells_as_much_as_it_holds():
    """Where every ice label is 'thick or thin' only ice against water can be calibrated, and is."""
    z, truth = draw(40_000, 4)
    targets = np.where(truth == 2, 0b100, 0b011)
    found = calibrate.fit(3.0 * z, targets, method="temperature")
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    mixed = np.where(np.arange(truth.size) % 2, targets, 1 << truth)
    assert calibrate.fit(3.0 * z, mixed, method="temperature").temperature == pytest.approx(3.0, rel=0.04)


def test_unlabelled_samples_are_left_out():
    z, truth = draw(5000, 5)
    junk = np.concatenate([z, 100 * np.ones((999, 3))])
    targets = np.concatenate([1 << truth, np.zeros(999, np.int64)])
    one, two = calibrate.fit(z, 1 << truth, method="vector"), calibrate.fit(junk, targets, method="vector")
    assert np.allclose(one.scale, two.scale) and np.allclose(one.offset, two.offset) and two.n == 5000
    with pytest.raises(ProductError, match="holds no labelled segment"):
        calibrate.fit(z, np.zeros(5000), method="temperature")


def test_a_class_nobody_saw_is_not_pushed_away():
    z, truth = draw(5000, 6)
    seen = truth != 1
    found = calibrate.fit(z[seen], 1 << truth[seen], method="vector")
    assert np.all(np.abs(found.offset) < 6) and np.isfinite(found.scale).all()


def test_decision_weights_raise_macro_f1_and_leave_probabilities_alone():
    rng = np.random.default_rng(7)
    truth = rng.choice(3, 20_000, p=[0.9, 0.07, 0.03])
    z = np.log([0.9, 0.07, 0.03]) + 1.2 * rng.normal(size=(20_000, 3))
    z[np.arange(truth.size), truth] += 2.0
    p = softmax(z, axis=1)
    weights = calibrate.fit_decision(p[:10_000], truth[:10_000])
    from polynya import metrics

    plain = metrics.macro_f1(metrics.confusion(truth[10_000:], p[10_000:].argmax(axis=1)))
    weighted = metrics.macro_f1(metrics.confusion(truth[10_000:], (p[10_000:] * weights).argmax(axis=1)))
    assert weights[0] == 1.0 and weighted > plain + 0.02
    assert calibrate.fit_decision(p, np.full(truth.size, -1)) == (1.0, 1.0, 1.0)


def test_scores_of_a_hand_made_case():
    """Ten samples of p = 0.8 for thick with 8 hits, ten of p = 0.1 with 1: nothing is off."""
    p = np.array([[0.8, 0.2, 0.0]] * 10 + [[0.1, 0.9, 0.0]] * 10 + [[0.0, 0.0, 1.0]])
    truth = np.array([0] * 8 + [1] * 2 + [0] + [1] * 9 + [-1])
    thick, thin, water = calibrate.scores(p, truth, names=NAMES)
    assert thick.calibration_error == pytest.approx(0.0, abs=1e-12) and thick.n == 20 and thick.events == 9
    brier = (8 * 0.04 + 2 * 0.64 + 0.81 + 9 * 0.01) / 20
    assert thick.brier_skill == pytest.approx(1 - brier / (0.45 * 0.55)) and thin.brier_skill == pytest.approx(
        thick.brier_skill
    )
    assert np.isnan(water.brier_skill) and water.events == 0
    assert [row[0] for row in thick.reliability] == [10.0, 10.0]


# Confidence of a map.


def under_confident(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes that are three times too cold: the truth is drawn from the sharp ones."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 4.0, n)
    p = 1.0 / (1.0 + np.exp(-z))
    said = 1.0 / (1.0 + np.exp(-z / 3.0))
    return np.stack([1 - said, said], axis=1), (rng.random(n) < p).astype(int)


def test_certainty_is_one_minus_entropy():
    p = np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]])
    bits = 0.25 * 2 + 0.75 * np.log2(4 / 3)
    np.testing.assert_allclose(calibrate.certainty(p), [0.0, 1.0, 1.0 - bits], atol=1e-10)
    np.testing.assert_allclose(calibrate.certainty(np.full((4, 3), 1 / 3)), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    "curve", [lambda v: 0.5 + 0.5 * v**0.5, lambda v: 0.9 - 0.5 * v, lambda v: np.where(v < 0.3, 0.55, 0.95)]
)
def test_a_known_curve_is_found_again(curve):
    rng = np.random.default_rng(1)
    value = rng.random(200_000)
    x, y = calibrate.kernel_ridge(value, rng.random(value.size) < curve(value))
    inside = (x > 0.02) & (x < 0.98) & (np.abs(x - 0.3) > 0.03)
    assert x.shape == y.shape == (101,) and x[0] == 0 and x[-1] == 1
    assert np.abs(y - curve(x))[inside].max() < 0.025


def test_bins_with_few_samples_bend_the_curve_little():
    value, is_right = np.full(100_001, 0.8), np.ones(100_001, bool)
    value[0], is_right[0] = 0.1, False  # one pixel is no evidence
    _, y = calibrate.kernel_ridge(value, is_right)
    assert y[10] > 0.97 and y[80] == pytest.approx(1.0, abs=1e-3)


def test_an_underconfident_network_is_calibrated_on_held_out_data():
    confidence = calibrate.fit_confidence(*under_confident(60_000, 2))
    assert (
        confidence.method == "entropy_kernel"
        and confidence.held_out_error["probability"] > 0.1
        and confidence.held_out_error["entropy_kernel"] < 0.02
    )
    probability, truth = under_confident(60_000, 3)
    scored = calibrate.confidence_scores(probability, truth, confidence)
    assert scored["calibration_error"] < 0.02 and scored["calibration_error_of_entropy"] > 0.1 and scored["n"] == 60_000
    assert scored["right_above_0.95"] > 0.95 and 0.1 < scored["share_above_0.95"] < 0.9
    same = calibrate.Confidence(**{**confidence.as_dict(), "x": tuple(confidence.x), "y": tuple(confidence.y)})
    assert np.array_equal(same.of(probability), confidence.of(probability))


def test_of_two_ways_the_one_that_errs_less_is_taken():
    """Where the probability means what it says it is kept: fitting noise only adds to it."""
    rng = np.random.default_rng(4)
    p = np.clip(rng.beta(0.5, 0.5, 3000), 1e-3, 1 - 1e-3)
    confidence = calibrate.fit_confidence(np.stack([1 - p, p], axis=1), (rng.random(p.size) < p).astype(int))
    errors = confidence.held_out_error
    assert confidence.method == min(errors, key=errors.get)
    constant = np.tile([0.3, 0.7], (1000, 1))
    exact = calibrate.fit_confidence(constant, (np.arange(1000) % 10 < 7).astype(int))
    assert exact.held_out_error["probability"] == pytest.approx(0.0, abs=1e-9)
    assert np.allclose(exact.of(constant), 0.7, atol=1e-3)


def test_confidence_scores_of_a_hand_made_case():
    p = np.array([[0.2, 0.8]] * 10 + [[0.97, 0.03]] * 4 + [[0.5, 0.5]])
    truth = np.array([1] * 6 + [0] * 4 + [0] * 4 + [-1])
    scored = calibrate.confidence_scores(p, truth, calibrate.Confidence(method="probability"))
    assert scored["n"] == 14 and scored["calibration_error"] == pytest.approx((10 * 0.2 + 4 * 0.03) / 14)
    assert scored["share_above_0.95"] == pytest.approx(4 / 14) and scored["right_above_0.95"] == 1.0
    none = calibrate.confidence_scores(p[:10], truth[:10], calibrate.Confidence(method="probability"))
    assert none["share_above_0.95"] == 0.0 and none["right_above_0.95"] is None


def test_a_confidence_needs_labels():
    with pytest.raises(ProductError, match="holds no labelled sample"):
        calibrate.fit_confidence(np.full((5, 2), 0.5), np.full(5, -1))


def test_thresholds_are_those_of_a_plain_search():
    """Best F1 over the grid, and the lowest threshold whose calls are right in nine of ten cases."""
    rng = np.random.default_rng(0)
    p = rng.random((600, 2))
    present = rng.random(p.shape) < p**2
    known = rng.random(p.shape) < 0.8
    found = calibrate.fit_thresholds(p, present, known, untagged=0.1, precision=0.8)
    for k in range(2):
        q, y = p[known[:, k], k], present[known[:, k], k]
        f1 = {t: 2 * (y & (q >= t)).sum() / ((q >= t).sum() + y.sum()) for t in np.linspace(0.2, 0.95, 76)}
        assert f1[min(f1, key=lambda t: abs(t - found.best_f1[k]))] == max(f1.values())
        good = [t for t in q if (q >= t).sum() >= 10 and y[q >= t].mean() >= 0.8]
        assert found.precise[k] == min(good)
    assert calibrate.fit_thresholds(p, present & False, known, untagged=0.1).precise == (None, None)


def test_untagged_images_keep_most_of_their_nothing():
    """A tenth of 100 untagged images may get a tag; without enough of them nothing is held back."""
    rng = np.random.default_rng(1)
    p = np.concatenate([rng.uniform(0.1, 0.6, (100, 1)), rng.uniform(0.3, 0.9, (100, 1))])
    present = np.arange(200)[:, None] >= 100
    found = calibrate.fit_thresholds(p, present, np.ones_like(present), untagged=0.1)
    called = (p[:100] >= found.best_f1) & (p[:100] >= found.unknown_below)
    assert called.sum() <= 10 and found.untagged == 100
    few = calibrate.fit_thresholds(p[90:], present[90:], np.ones_like(present[90:]), untagged=0.1)
    assert few.unknown_below == 0.0


def test_nothing_more_is_held_back_where_thresholds_leave_the_untagged_alone():
    p = np.concatenate([np.full((30, 1), 0.1), np.full((30, 1), 0.9)])
    present = np.arange(60)[:, None] >= 30
    assert calibrate.fit_thresholds(p, present, np.ones_like(present), untagged=0.1).unknown_below == 0.0
