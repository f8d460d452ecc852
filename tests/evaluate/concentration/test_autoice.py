"""The challenge's scores: the published recipe of random numbers, and a plain computation."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.evaluate.concentration import autoice


def drawn() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return truth and prediction of 5,000 pixels for each chart."""
    r = np.random.RandomState(20261121)
    n = 5000
    sic = r.choice(11, n, p=[0.57, 0.0042, 0.0216, 0.0168, 0.0118, 0.0189, 0.0119, 0.0222, 0.0332, 0.0655, 0.2239])
    ps = np.clip(sic + r.choice([-2, -1, 0, 0, 0, 0, 1, 2], n), 0, 10)
    sod = r.choice(6, n, p=[0.66, 0.02, 0.03, 0.02, 0.15, 0.12])
    pd = np.where(r.rand(n) < 0.8, sod, r.randint(0, 6, n))
    fl = r.choice(7, n, p=[0.66, 0.01, 0.03, 0.04, 0.06, 0.19, 0.01])
    pf = np.where(r.rand(n) < 0.6, fl, r.randint(0, 7, n))
    return {"SIC": (sic, ps), "SOD": (sod, pd), "FLOE": (fl, pf)}


def test_the_test_vector_has_its_scores():
    tables = {k: autoice.counts(t, p, chart=k) for k, (t, p) in drawn().items()}
    assert autoice.scores(tables) == {"SIC": 96.388, "SOD": 84.574, "FLOE": 71.201, "combined": 86.625}


def test_scenes_add_up_and_unknown_pixels_do_not_count():
    tables = {}
    for chart, (truth, predicted) in drawn().items():
        masked = np.append(truth, [255, 255])
        parts = [slice(0, 1234), slice(1234, None)]
        tables[chart] = sum(autoice.counts(masked[s], np.append(predicted, [0, 9])[s], chart=chart) for s in parts)
    assert autoice.scores(tables)["combined"] == 86.625


def test_scores_are_those_of_a_plain_computation():
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(0, 4, 300), rng.integers(0, 6, 300)  # classes 4 and 5 are never true
    c = autoice.counts(truth, predicted, chart="SOD")
    plain = 0.0
    for k in range(6):
        hits = sum((t == k) and (p == k) for t, p in zip(truth, predicted, strict=True))
        size, called = (truth == k).sum(), (predicted == k).sum()
        if size:
            precision, recall = (hits / called if called else 0.0), hits / size
            plain += (2 * precision * recall / (precision + recall) if hits else 0.0) * size / 300
    assert autoice.weighted_f1(c) == pytest.approx(plain, abs=1e-12)
    values = autoice.counts(truth, predicted, chart="SIC")
    expected = 1.0 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert autoice.r2(values) == pytest.approx(expected, abs=1e-12)


def test_a_class_outside_is_a_miss_of_stage_and_an_error_of_concentration():
    truth = np.array([0, 0, 4, 4])
    outside = autoice.counts(truth, np.array([0, 0, 4, 255]), chart="SOD")
    assert autoice.weighted_f1(outside) == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
    with pytest.raises(UsageError, match="AutoICE SIC: 1 pixels with a reference have no concentration of 0 to 10"):
        autoice.counts(truth, np.array([0, 0, 4, 255]), chart="SIC")
    with pytest.raises(UsageError, match="AutoICE FLOE: the reference holds class 9; expected 0 to 6"):
        autoice.counts(np.array([9]), np.array([0]), chart="FLOE")


def test_what_was_not_counted_has_no_score():
    nothing = autoice.counts(np.array([255]), np.array([3]), chart="FLOE")
    some = autoice.counts(np.array([0, 10]), np.array([0, 10]), chart="SIC")
    assert autoice.scores({"SIC": some, "FLOE": nothing}) == {"SIC": 100.0}
    assert np.isnan(autoice.r2(autoice.counts(np.array([3, 3]), np.array([3, 4]), chart="SIC")))
