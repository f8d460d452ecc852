"""Scores of the benchmark of simulated imagettes against counts by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parents[1] / "benchmarks" / "score_wave_simulator.py"


@pytest.fixture(scope="module")
def score():
    spec = importlib.util.spec_from_file_location("score_wave_simulator", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_f1_by_hand(score):
    """Two hits, one false alarm, one miss, and one masked miss: 2 * 2 / (3 + 3)."""
    truth = np.array([1, 1, 1, 0, 0, 1], bool)
    predicted = np.array([1, 1, 0, 1, 0, 0], bool)
    known = np.array([1, 1, 1, 1, 1, 0], bool)
    assert score.f1(predicted, truth, known) == pytest.approx(2 / 3)
    assert score.f1(predicted, truth, np.ones(6, bool)) == pytest.approx(4 / 7)
    assert score.f1(np.zeros(3, bool), np.zeros(3, bool), np.ones(3, bool)) == 0.0


def test_area_is_the_share_of_pairs_in_order(score):
    value, truth = np.array([0.1, 0.4, 0.35, 0.8, 0.4]), np.array([0, 0, 1, 1, 1], bool)
    pairs = [(1.0 if p > n else 0.5 if p == n else 0.0) for p in value[truth] for n in value[~truth]]
    assert score.auroc(value, truth) == pytest.approx(np.mean(pairs))


def test_marks_of_a_wave(score):
    """A wave of 400 m has all its variance at 200 to 500 m, and hardly any is left after means over 350 m."""
    picture = np.tile(2.0 + np.sin(2 * np.pi * np.arange(400) / 8.0), (400, 1))
    _, skewness, share, ratio = score.marks(picture)
    assert share > 0.97 and abs(skewness) < 0.05 and ratio < 0.25


@pytest.mark.real
def test_marks_of_the_real_quicklooks_span_what_is_wanted(score):
    """Coefficient of variation and skewness, whole pictures as they are: the sheet's smallest of the five."""
    from polynya.readers import wv_quicklooks
    from tests.real_files import sar

    found = []
    for imagette in wv_quicklooks.read(sar("wv_quicklooks")):
        v = imagette.picture
        found.append((v.std() / v.mean(), ((v - v.mean()) ** 3).mean() / v.std() ** 3))
    lowest = np.min(found, axis=0)
    assert lowest[0] == pytest.approx(score.WANTED["cv"][0], abs=0.005)
    assert lowest[1] == pytest.approx(score.WANTED["skewness"][0], abs=0.005)


def test_one_imagette_gives_44_numbers(score):
    row = score.one(7)
    assert row.shape == (44,) and set(row[20:30]) <= {0.0, 1.0} and set(row[30:40]) <= {-1.0, 0.0, 1.0}
