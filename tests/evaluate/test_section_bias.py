"""The uncertainty of a bias against what is known of the errors that were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.evaluate.section_bias import bias

PER_SECTION = 200
SD = 0.04


def differences(rng, *, sections: int, smoothed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Segments whose errors are those of their section, smoothed over three or not, and small noise of their own."""
    error = rng.normal(0, SD, sections + 2)
    error = np.convolve(error, np.ones(3) / 3, mode="valid") if smoothed else error[1:-1]
    x = (np.arange(sections * PER_SECTION) + 0.5) * 1e4 / PER_SECTION
    return x, np.repeat(error, PER_SECTION) + rng.normal(0, 0.01, x.size)


@pytest.mark.parametrize(("smoothed", "run"), [(False, 1), (True, 3)])
def test_the_uncertainty_is_that_of_the_sections_not_of_the_segments(smoothed, run):
    rng = np.random.default_rng(1)
    found = [bias(*differences(rng, sections=60, smoothed=smoothed), run=run, n_resamples=300) for _ in range(120)]
    true = SD / np.sqrt(60)  # the same for both: a smoother moves errors about, it does not remove them from the mean
    assert np.std([b.value for b in found]) == pytest.approx(true, rel=0.2)
    assert np.sqrt(np.mean([b.uncertainty**2 for b in found])) == pytest.approx(true, rel=0.12)
    covered = np.mean([b.low <= 0.0 <= b.high for b in found])
    assert 0.88 <= covered <= 1.0
    assert found[0].n_sections == 60 and found[0].n == 60 * PER_SECTION and found[0].source == "bootstrap"


def test_runs_of_one_section_would_be_too_sure_of_a_smoothed_surface():
    rng = np.random.default_rng(2)
    pairs = [differences(rng, sections=60, smoothed=True) for _ in range(40)]
    one = np.mean([bias(*p, run=1, n_resamples=300).uncertainty for p in pairs])
    three = np.mean([bias(*p, run=3, n_resamples=300).uncertainty for p in pairs])
    assert three / one == pytest.approx(np.sqrt(3), rel=0.15)


def test_more_segments_or_beams_in_a_section_do_not_make_it_smaller():
    x, d = differences(np.random.default_rng(3), sections=30, smoothed=False)
    once = bias(x, d)
    six = bias(np.tile(x, 6), np.tile(d, 6))
    assert six.uncertainty == pytest.approx(once.uncertainty) and six.n == 6 * once.n


def test_few_sections_take_the_stated_uncertainty_as_shared():
    x, d = differences(np.random.default_rng(4), sections=4, smoothed=True)
    found = bias(x, d, stated=np.full(x.size, 0.05), run=3)
    assert found.source == "stated" and found.uncertainty == pytest.approx(0.05)
    assert found.high - found.value == pytest.approx(1.96 * 0.05, rel=1e-3)
    step = np.where(x < 1e4, 0.0, 1.0)
    wide = bias(x[x < 2e4], step[x < 2e4], stated=np.full((x < 2e4).sum(), 0.05), run=3)
    assert wide.uncertainty == pytest.approx(np.sqrt(0.5))  # two sections, 1 m apart
    unknown = bias(x, d, run=3)
    assert unknown.source == "none" and np.isnan(unknown.uncertainty) and np.isnan(unknown.low)


def test_nothing_to_compare_is_nan():
    found = bias(np.zeros(2), np.full(2, np.nan))
    assert np.isnan(found.value) and found.n == 0 and found.n_sections == 0 and found.source == "none"
