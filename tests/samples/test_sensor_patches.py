"""Sensors that end inside a window: where, how often, and never the one that is always there."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import recipes
from polynya.samples import sensor_patches

from .test_scene_windows import SCALING, SIZE, augment, numbered, samples, still

BANDS = {"optical": slice(0, 6), "dem": slice(6, 8), "co_pol_sar": slice(8, 10)}
WHOLE = np.ones((SCALING.bands, SIZE, SIZE), np.float32), np.ones((SIZE, SIZE), np.uint8)


def ends(out: np.ndarray) -> list[bool]:
    """Return which sensors miss a part."""
    return [bool(np.isnan(out[b]).any()) for b in BANDS.values()]


def test_each_sensor_but_the_one_that_is_always_there_ends_with_the_chance_given():
    settings = samples(still(patch_dropout=0.4), always=("optical",))
    found = np.array([ends(augment(*WHOLE, settings, seed)[0]) for seed in range(900)])
    assert not found[:, 0].any()
    assert found[:, 1:].mean(axis=0) == pytest.approx(0.4, abs=5 * 0.5 / 30)
    both = found[:, 1] & found[:, 2]
    assert both.mean() == pytest.approx(0.16, abs=5 * 0.37 / 30)  # independent of each other


def test_one_sensor_stays_whole_and_a_lonely_one_too():
    found = np.array([ends(augment(*WHOLE, samples(still(patch_dropout=1.0)), seed)[0]) for seed in range(300)])
    assert (found.sum(axis=1) == 2).all() and found.mean(axis=0) == pytest.approx(2 / 3, abs=5 * 0.5 / 17)
    alone = WHOLE[0].copy()
    alone[:8] = np.nan
    out = augment(alone, WHOLE[1], samples(still(patch_dropout=1.0)), 3)[0]
    assert np.isfinite(out[8:]).all()


def test_all_bands_of_a_sensor_end_alike_and_nothing_else_changes():
    scaled, targets = numbered()
    out, same = augment(scaled, targets, samples(still(patch_dropout=1.0), always=("optical",)), 5)
    np.testing.assert_array_equal(same, targets)
    gone = np.isnan(out[6])
    assert 0 < gone.sum() < gone.size
    np.testing.assert_array_equal(np.isnan(out[7]), gone)
    np.testing.assert_array_equal(out[6:8][:, ~gone], scaled[6:8][:, ~gone])
    np.testing.assert_array_equal(out[:6], scaled[:6])


def test_nothing_is_drawn_where_it_is_not_asked_for():
    """Recipes without it give the windows that they gave before there was such a setting."""
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    present = list(BANDS.items())
    sensor_patches.blank(WHOLE[0].copy(), present, settings=samples(still()), rng=one)
    assert one.random() == other.random()
    assert "patch_dropout" not in recipes.load("glavitu-narrow").as_dict()["scene"]["augment"]
    assert recipes.load("glavitu-edges").scene.augment.patch_dropout > 0


@pytest.mark.parametrize("size", [64, 129])
def test_half_of_the_parts_are_half_planes_along_the_grid_and_across_it(size):
    rng = np.random.default_rng(4)
    parts = [sensor_patches.patch(size, rng) for _ in range(400)]
    share = np.array([p.mean() for p in parts])
    assert share.min() > 0 and share.max() < 0.99
    corners = np.array([[p[r, c] for r in (0, -1) for c in (0, -1)] for p in parts])
    is_plane = corners.any(axis=1)  # a line through the inner square leaves a corner on either side
    assert is_plane.mean() == pytest.approx(0.5, abs=0.15)
    along = [p for p, plane in zip(parts, is_plane, strict=True) if plane and _is_along(p)]
    assert len(along) / is_plane.sum() == pytest.approx(0.5, abs=0.2)
    widest = max(np.sqrt(p.sum()) for p, plane in zip(parts, is_plane, strict=True) if not plane)
    assert 0.2 * size < widest < 0.95 * size


def _is_along(part: np.ndarray) -> bool:
    return bool((part == part[:1]).all() or (part == part[:, :1]).all())
