"""Means of looks that share errors: sigma covers the truth whether errors are shared or not, and grows with what looks
differ by."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import overlaps
from polynya.physics.overlaps import Look, Sums, add, combined, preferred

ALL = (slice(None), slice(None))


def of(values, sigmas, *, times=None, bits=None):
    """Combine looks of shape (n, h, w)."""
    values, sigmas = np.atleast_3d(values), np.atleast_3d(sigmas)
    sums = Sums.empty(values.shape[1:])
    for k, (x, s) in enumerate(zip(values, sigmas, strict=True)):
        flags = np.full(x.shape, 0 if bits is None else bits[k], np.uint8)
        look = Look(values=x, sigma=s, bits=flags, time=0.0 if times is None else times[k])
        add(sums, look, at=ALL, where=np.isfinite(x))
    return combined(sums)


def one(values, sigmas, **more):
    found = of(np.reshape(values, (-1, 1, 1)), np.reshape(sigmas, (-1, 1, 1)), **more)
    return {k: float(getattr(found, k)[0, 0]) for k in ("mean", "sigma", "disagreement", "n", "time", "newest")}


def by_hand(x, s):
    """The formulas of the module, written for a list of numbers with loops."""
    w = [1 / v**2 for v in s]
    mean = sum(a * b for a, b in zip(w, x, strict=True)) / sum(w)
    chi2 = sum(a * (b - mean) ** 2 for a, b in zip(w, x, strict=True))
    shared = sum(a * v for a, v in zip(w, s, strict=True)) / sum(w)
    c = sum(w) - sum(a * a for a in w) / sum(w)
    return mean, (shared**2 + chi2 / c) ** 0.5, (chi2 / c) ** 0.5


def test_numbers_by_hand():
    x, s = [0.2, 0.9, 0.55], [0.1, 0.2, 0.05]
    found = one(x, s, times=[1.0, 5.0, 3.0])
    assert (found["mean"], found["sigma"], found["disagreement"]) == pytest.approx(by_hand(x, s), rel=1e-6)
    assert found["n"] == 3 and found["newest"] == 5.0
    w = 1 / np.square(s)
    assert found["time"] == pytest.approx((w * [1, 5, 3]).sum() / w.sum(), rel=1e-6)


def test_looks_that_agree_promise_no_more_than_the_best_of_them():
    assert one([0.4] * 9, [0.1] * 9)["sigma"] == pytest.approx(0.1, rel=1e-6)
    two = one([0.4, 0.4], [0.1, 0.3])
    assert 0.1 <= two["sigma"] < 0.3 and two["disagreement"] == 0.0
    alone = one([0.7], [0.2])
    assert (
        alone["sigma"] == pytest.approx(0.2) and np.isnan(alone["disagreement"]) and alone["mean"] == pytest.approx(0.7)
    )


def test_looks_that_disagree_widen_sigma():
    for gap in (0.0, 0.1, 0.14, 0.2, 0.5, 1.0):
        found = one([0.0, gap], [0.1, 0.1])
        assert found["disagreement"] == pytest.approx(np.std([0, gap], ddof=1), abs=1e-6)
        assert found["sigma"] == pytest.approx(np.hypot(0.1, gap / np.sqrt(2)), rel=1e-5)
    # a sure and an unsure look far apart: the sure one does not win without a trace
    assert one([0.0, 1.0], [0.02, 0.3])["sigma"] > 0.5


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("drift", [0.0, 0.15])
def test_sigma_covers_one_look_of_the_day_however_errors_are_shared(shared, drift):
    """Truth differs between looks by drift; the mean is to hold for any of them: 68 % within sigma, or more."""
    rng = np.random.default_rng(5)
    shape, sigma = (4, 100, 200), np.array([0.1, 0.1, 0.15, 0.2])[:, None, None] + np.zeros((4, 100, 200))
    truth = 0.5 + drift * rng.normal(size=shape)
    errors = np.sqrt(shared) * rng.normal(size=shape[1:]) + np.sqrt(1 - shared) * rng.normal(size=shape)
    found = of(truth + sigma * errors, sigma)
    inside = np.mean([np.abs(found.mean - t) <= found.sigma for t in truth])
    assert 0.66 < inside < 1.0


def test_sigmas_of_nothing_do_not_take_all():
    found = one([0.0, 1.0], [0.0, 0.01])
    assert found["mean"] == pytest.approx(0.5) and np.isfinite(found["sigma"])


def test_better_looks_are_preferred_where_they_are():
    good, bad = Sums.empty((1, 2)), Sums.empty((1, 2))
    values, sigma = np.array([[0.2, np.nan]]), np.array([[0.1, 0.1]])
    bits = np.zeros((1, 2), np.uint8)
    add(good, Look(values=values, sigma=sigma, bits=bits, time=1.0), at=ALL, where=np.isfinite(values))
    flagged = Look(values=np.array([[0.9, 0.8]]), sigma=sigma, bits=bits + 2, time=2.0)
    add(bad, flagged, at=ALL, where=np.ones((1, 2), bool))
    found = combined(preferred(good, bad))
    assert found.mean.tolist()[0] == pytest.approx([0.2, 0.8]) and found.bits.tolist() == [[0, 2]]
    assert found.n.tolist() == [[1, 1]] and found.newest.tolist() == [[1.0, 2.0]]
    nothing = combined(Sums.empty((1, 1)))
    assert np.isnan(nothing.mean).all() and np.isnan(nothing.newest).all() and nothing.n[0, 0] == 0


def test_a_part_of_the_grid_takes_a_look():
    sums = Sums.empty((3, 4))
    look = Look(values=np.full((2, 2), 0.5), sigma=np.full((2, 2), 0.1), bits=np.full((2, 2), 8, np.uint8), time=0.0)
    add(sums, look, at=(slice(1, 3), slice(2, 4)), where=np.array([[True, False], [True, True]]))
    assert sums.n.tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert overlaps.combined(sums).bits[2].tolist() == [0, 0, 8, 8]
