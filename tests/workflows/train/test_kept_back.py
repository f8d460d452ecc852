"""Scores of ground that a network did not see: what may calibrate them, and what may not."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.samples import scene_windows
from polynya.workflows.train import kept_back

NAMES = ("other", "glacier")
METHOD = "vector"
HERE = ("EPSG:32632", 0.0, 0.0, 1000.0, 1000.0)
APART = ("EPSG:32632", 5000.0, 0.0, 6000.0, 1000.0)


def answers(name: str, *, sign: float, ground: tuple, seed: int) -> kept_back.Judged:
    """Return 4000 answers of a tile set: logits that are right (sign 1) or the wrong way round (sign -1)."""
    rng = np.random.default_rng(seed)
    n = 4000
    truth = rng.integers(0, 2, n)
    glacier = sign * (2.0 * truth - 1.0) + rng.normal(0.0, 1.0, n)
    return kept_back.Judged(
        network=f"{name}.safetensors",
        tiles=name,
        logits=np.stack([np.zeros(n), glacier], axis=1).astype(np.float32),
        targets=(1 << truth).astype(np.uint8),
        where=np.zeros(n, np.int64),
        scenes=(name,),
        ground=(ground,),
    )


OWN = answers("own", sign=1.0, ground=("EPSG:32632", 9e4, 9e4, 9.1e4, 9.1e4), seed=1)
WEST = answers("west", sign=1.0, ground=HERE, seed=2)


def score(*others: kept_back.Judged) -> dict[str, object]:
    return next(r for r in kept_back.scores(OWN, others, method=METHOD, names=NAMES) if r["tiles"] == "west")


@pytest.mark.parametrize(
    ("ground", "may_calibrate"),
    [
        (APART, True),
        (HERE, False),
        (("EPSG:32632", 900.0, 900.0, 2000.0, 2000.0), False),  # a corner in common
        (("EPSG:32632", 1000.0, 0.0, 2000.0, 1000.0), True),  # a border in common
        (("EPSG:32633", 0.0, 0.0, 1000.0, 1000.0), True),  # another zone
    ],
)
def test_ground_that_overlaps_the_scored_ground_does_not_calibrate_it(ground, may_calibrate):
    """The other tiles' answers are the wrong way round: a calibration that had them is another one."""
    alone = score(WEST)
    both = score(WEST, answers("east", sign=-1.0, ground=ground, seed=3))
    assert (both == alone) != may_calibrate
    if may_calibrate:
        assert both["brier_skill"] < alone["brier_skill"] - 0.01


def test_other_tiles_of_the_same_file_do_not_calibrate_it():
    twice = answers("west", sign=-1.0, ground=APART, seed=4)
    assert score(WEST, twice) == score(WEST)


def test_scores_are_those_of_the_right_answers():
    """Of the logits themselves: a calibration keeps their order, and the one that is right halves them nowhere."""
    found = score(WEST)
    truth, called = WEST.targets == 2, WEST.logits[:, 1] > 0
    both, either = np.count_nonzero(truth & called), np.count_nonzero(truth | called)
    assert found["n"] == truth.size and found["iou"] == pytest.approx(both / either, abs=0.02)
    assert found["everything_iou"] == pytest.approx(truth.mean())
    assert found["area_deviation"] == pytest.approx(called.sum() / truth.sum() - 1.0, abs=0.05)
    assert scene_windows.tile_of(WEST.where).max() == 0
