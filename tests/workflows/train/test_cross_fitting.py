"""Out-of-fold scores: what may calibrate them, and what may not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polynya import calibrate
from polynya.families import FoldPredictions
from polynya.families import scenes as family
from polynya.samples import scene_windows
from polynya.targets import OneOf
from polynya.workflows.train import cross_fitting

TARGET = OneOf(classes=("other", "glacier"), positive="glacier")
METHOD = "vector"
HERE = ("EPSG:32632", 0.0, 0.0, 1000.0, 1000.0)
APART = ("EPSG:32632", 5000.0, 0.0, 6000.0, 1000.0)


def predictions(name: str, *, sign: float, ground: tuple, seed: int) -> FoldPredictions:
    """Return 4000 predictions of a tile set: logits that are right (sign 1) or the wrong way round (sign -1)."""
    rng = np.random.default_rng(seed)
    n = 4000
    truth = rng.integers(0, 2, n)
    glacier = sign * (2.0 * truth - 1.0) + rng.normal(0.0, 1.0, n)
    return FoldPredictions(
        network=f"{name}.safetensors",
        tiles=name,
        outputs=np.stack([np.zeros(n), glacier], axis=1).astype(np.float32),
        targets=(1 << truth).astype(np.uint32),
        where=np.zeros(n, np.int64),
        scenes=(name,),
        ground=(ground,),
    )


OWN = predictions("own", sign=1.0, ground=("EPSG:32632", 9e4, 9e4, 9.1e4, 9.1e4), seed=1)
WEST = predictions("west", sign=1.0, ground=HERE, seed=2)


def score(*others: FoldPredictions) -> dict[str, object]:
    return next(r for r in cross_fitting.scores(OWN, others, method=METHOD, target=TARGET) if r["tiles"] == "west")


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
    """The other tiles' predictions are the wrong way round: a calibration that had them is another one."""
    alone = score(WEST)
    both = score(WEST, predictions("east", sign=-1.0, ground=ground, seed=3))
    assert (both == alone) != may_calibrate
    if may_calibrate:
        assert both["brier_skill"] < alone["brier_skill"] - 0.01


def test_a_recipe_may_calibrate_on_held_out_ground_alone():
    """The calibration part, of which every second label is turned round, takes no part then."""
    wrong = np.arange(len(OWN.targets)) % 2 == 0
    own = dataclasses.replace(OWN, targets=np.where(wrong, 3 - OWN.targets, OWN.targets).astype(np.uint32))
    outputs, targets = cross_fitting.pool(own, [WEST], calibrated_on="held_out")
    np.testing.assert_array_equal(outputs, WEST.outputs)
    np.testing.assert_array_equal(targets, WEST.targets)
    east = predictions("east", sign=1.0, ground=APART, seed=3)
    pooled, alone = (
        next(
            r
            for r in cross_fitting.scores(own, [WEST, east], method=METHOD, target=TARGET, calibrated_on=on)
            if r["tiles"] == "west"
        )
        for on in ("pooled", "held_out")
    )
    assert alone["calibration_error"] < 0.03 < pooled["calibration_error"]


def test_other_tiles_of_the_same_file_do_not_calibrate_it():
    twice = predictions("west", sign=-1.0, ground=APART, seed=4)
    assert score(WEST, twice) == score(WEST)


def test_files_of_one_name_in_two_folders_are_two_sets(tmp_path):
    """Else the halves of one chip, everest.h5 twice, would not calibrate each other."""
    names = set()
    for half in ("east", "west"):
        (tmp_path / half).mkdir()
        (tmp_path / half / "chip.h5").touch()
        names.add(cross_fitting.Pair(network=tmp_path / "n.safetensors", tiles=tmp_path / half / "chip.h5").tiles_name)
    assert names == {"east/chip.h5", "west/chip.h5"}
    assert cross_fitting.Pair(network=tmp_path / "n.safetensors", tiles=tmp_path / "east").tiles_name == "east"


def test_scores_are_those_of_the_right_predictions():
    """Of the logits themselves: a calibration keeps their order, and the one that is right halves them nowhere."""
    found = score(WEST)
    truth, called = WEST.targets == 2, WEST.outputs[:, 1] > 0
    both, either = np.count_nonzero(truth & called), np.count_nonzero(truth | called)
    assert found["n"] == truth.size and found["iou"] == pytest.approx(both / either, abs=0.02)
    assert found["everything_iou"] == pytest.approx(truth.mean())
    assert found["area_deviation"] == pytest.approx(called.sum() / truth.sum() - 1.0, abs=0.05)
    assert scene_windows.tile_of(WEST.where).max() == 0


def set_of(name: str, *, per_scene: float, per_block: float, seed: int, scenes: int = 12) -> FoldPredictions:
    """Return predictions over scenes of 36 blocks of 400 pixels, whose logits are off by one number per scene and one
    per block; with neither, the probabilities are those by which the truth was drawn."""
    rng = np.random.default_rng(seed)
    blocks, pixels = 36, 400
    logit = rng.normal(0.0, 1.5, (scenes, blocks, pixels))
    truth = rng.random(logit.shape) < 1.0 / (1.0 + np.exp(-logit))
    stated = (
        logit
        + per_scene * rng.choice([-1.0, 1.0], (scenes, 1, 1))
        + per_block * rng.choice([-1.0, 1.0], (scenes, blocks, 1))
    )
    where = np.arange(scenes)[:, None, None] * scene_windows.BLOCKS**2 + np.arange(blocks)[None, :, None]
    return FoldPredictions(
        network=f"{name}.safetensors",
        tiles=name,
        outputs=np.stack([np.zeros(stated.size), stated.ravel()], axis=1).astype(np.float32),
        targets=(1 << truth.ravel().astype(np.uint32)).astype(np.uint32),
        where=np.broadcast_to(where, logit.shape).ravel(),
        scenes=tuple(f"{name}{k}" for k in range(scenes)),
        ground=(HERE,),
    )


def errors_of(*sets: FoldPredictions) -> dict[str, object]:
    return family.area_errors([[s] for s in sets], calibration=calibrate.identity(2), positive=1)


def test_errors_of_a_scene_go_together_and_errors_of_blocks_do_not():
    """Off by one logit, either way: the same number for a scene is one error over all its blocks, a number each is
    none; both make areas more wrong than pixels that err by themselves."""
    own, common, apart = (errors_of(set_of("s", per_scene=a, per_block=b, seed=5)) for a, b in ((0, 0), (1, 0), (0, 1)))
    assert common["between_blocks"] > 0.8 and apart["between_blocks"] < 0.15
    assert own["sd"] < 0.1 and min(common["sd"], apart["sd"]) > 0.5
    assert [(s["scenes"], s["blocks"]) for s in common["sets"]] == [(12, 12 * 36)]


def test_of_several_sets_the_largest_of_each_number_is_taken():
    """A few real scenes do not drown in many simulated ones."""
    common, apart = (
        set_of("c", per_scene=0.5, per_block=0, seed=6, scenes=6),
        set_of("a", per_scene=0, per_block=1.5, seed=7),
    )
    one, two = errors_of(common), errors_of(apart)
    assert one["between_blocks"] > two["between_blocks"] and one["sd"] < two["sd"]
    for both in (errors_of(common, apart), errors_of(apart, common)):
        assert (both["between_blocks"], both["sd"]) == (one["between_blocks"], two["sd"])


def test_too_few_blocks_tell_nothing():
    """Below 20 nothing is stated."""
    part = set_of("few", per_scene=1, per_block=0, seed=8, scenes=1)
    few = part.where < 19  # of 36
    part = dataclasses.replace(part, outputs=part.outputs[few], targets=part.targets[few], where=part.where[few])
    assert errors_of(part) is None


def test_errors_of_areas_are_fitted_on_held_out_ground_alone_where_a_recipe_wants_that():
    """The calibration part is far worse: it must not widen the intervals, and no held-out set counts twice."""
    own, west, east = (
        set_of(n, per_scene=0, per_block=b, seed=k) for k, (n, b) in enumerate({"own": 1, "west": 0, "east": 0}.items())
    )
    found = {}
    for on in ("pooled", "held_out"):
        kept = cross_fitting.counted(own, [west, east], calibrated_on=on)
        found[on] = family.area_errors([[kept], [west, east]], calibration=calibrate.identity(2), positive=1)
    assert [s["scenes"] for s in found["pooled"]["sets"]] == [12, 24]
    assert [s["scenes"] for s in found["held_out"]["sets"]] == [24]
    assert found["held_out"]["sd"] < 0.1 < 0.5 < found["pooled"]["sd"]
    assert cross_fitting.counted(own, [], calibrated_on="held_out") is own
