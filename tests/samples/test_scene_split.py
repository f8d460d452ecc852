"""Splits of tiles: blocks of ground with a gap in metres, whole scenes, tiles that only train, the leaky one says
so."""

from __future__ import annotations

import dataclasses
import logging
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from polynya.errors import UsageError
from polynya.samples import scene_split, splits

from .scene_pieces import Piece


def config(method: str, shares=(0.5, 0.2, 0.1, 0.2), **more) -> splits.Config:
    return splits.Config(method=method, **dict(zip(splits.PARTS, shares, strict=True)), **more)


def tile(corner=(0.0, 0.0), shape=(20, 20), pixel=(100.0, 100.0), name="t", scene="s", grid="EPSG:32632") -> Piece:
    return Piece({}, np.ones(shape, np.uint8), name=name, scene=scene, corner=corner, pixel=pixel, grid=grid)


def ground(t: Piece) -> np.ndarray:
    """Return the map coordinates of a tile's pixels, (h, w, 2)."""
    x = t.corner[0] + (np.arange(t.shape[1]) + 0.5) * t.pixel[0]
    y = t.corner[1] - (np.arange(t.shape[0]) + 0.5) * t.pixel[1]
    return np.stack(np.meshgrid(x, y), axis=-1)


def parts(found: scene_split.SceneSplit, tiles: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places and parts of all pixels."""
    maps = [np.broadcast_to(found.maps[k], t.shape) for k, t in enumerate(tiles)]
    return np.concatenate([ground(t).reshape(-1, 2) for t in tiles]), np.concatenate([m.reshape(-1) for m in maps])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), gap_km=st.sampled_from([0.0, 0.3, 0.9, 1.9]), n=st.integers(1, 9))
def test_pixels_of_different_parts_are_a_gap_apart(seed, gap_km, n):
    """Tiles anywhere, overlapping or apart, of unequal pixels; distances by a search tree."""
    rng = np.random.default_rng(seed)
    tiles = [
        tile(tuple(rng.uniform(-6e3, 6e3, 2)), tuple(rng.integers(5, 40, 2)), tuple(rng.uniform(60, 200, 2)))
        for _ in range(n)
    ]
    tiles.append(tile((-4000.0, 4000.0), (80, 80)))
    found = scene_split.split(tiles, config=config("block", block_km=2.0, gap_km=gap_km, seed=seed))
    place, part = parts(found, tiles)
    for a, b in combinations(range(4), 2):
        one, two = place[part == a], place[part == b]
        if len(one) and len(two):
            assert cKDTree(one).query(two)[0].min() >= 1000 * gap_km - 1e-6, (a, b)
    block = np.floor(place / 2000.0).astype(int)
    for key in np.unique(block, axis=0):  # a block is in one part, whatever the tile
        here = part[(block == key).all(axis=1)]
        assert len(set(here[here >= 0].tolist())) <= 1
    if gap_km == 0:
        assert (part >= 0).all()


def test_parts_that_meet_at_the_corner_of_a_hole_keep_the_gap():
    """Two tiles diagonal to each other, the other two blocks at their common corner hold nothing: the gap runs across
    them."""
    tiles = [
        tile((0.0, 2000.0)),
        tile((2000.0, 4000.0)),
        tile((9000.0, 2000.0), (20, 70)),
        tile((20000.0, 2000.0), (20, 60)),
    ]
    met = 0
    for seed in range(30):
        found = scene_split.split(tiles, config=config("block", block_km=2.0, gap_km=1.0, seed=seed))
        one, two = (ground(t)[np.asarray(found.maps[k]) >= 0] for k, t in enumerate(tiles[:2]))
        own = [set(np.asarray(found.maps[k])[np.asarray(found.maps[k]) >= 0].tolist()) for k in (0, 1)]
        if own[0] != own[1]:
            met += 1
            assert cKDTree(one).query(two)[0].min() >= 1000.0
    assert met > 5


def test_the_gap_takes_no_more_than_half_on_either_side():
    tiles = [tile((0.0, 8000.0), (80, 80))]
    found = scene_split.split(tiles, config=config("block", (0.5, 0.5, 0, 0), block_km=2.0, gap_km=0.6, seed=1))
    place, part = parts(found, tiles)
    block = np.floor(place / 2000.0).astype(int)
    whole = {tuple(b): int(part[(block == b).all(axis=1) & (part >= 0)][0]) for b in np.unique(block, axis=0)}
    assert set(whole.values()) == {0, 1} and len(whole) == 16
    for (x, y), p in zip(place, part, strict=True):
        near = {
            whole.get((int((x + i) // 2000), int((y + j) // 2000))) for i in (-300, 0, 300) for j in (-300, 0, 300)
        } - {None}
        assert (p == splits.LEFT_OUT) == (len(near) > 1)


def test_blocks_and_gaps_are_metres_whatever_the_pixel():
    """Twice as coarse a tile of the same ground has the same parts."""
    fine, coarse = tile((0.0, 8000.0), (160, 160), (50.0, 50.0)), tile((0.0, 8000.0), (40, 80), (100.0, 200.0))
    found = scene_split.split([fine, coarse], config=config("block", block_km=2.0, gap_km=0.4, seed=2))
    one, two = found.maps
    rows, columns = np.arange(40) * 4 + 1, np.arange(80) * 2
    agree = one[np.ix_(rows, columns)] == two
    assert agree.mean() > 0.98 and len(np.unique(two)) == 5


def test_other_grids_are_other_ground():
    same = [
        tile((0.0, 6000.0), (60, 60)),
        tile((0.0, 6000.0), (60, 60)),
        tile((0.0, 6000.0), (60, 60), grid="EPSG:32633"),
    ]
    found = scene_split.split(same, config=config("block", block_km=2.0, gap_km=0.2, seed=0))
    assert np.array_equal(found.maps[0], found.maps[1]) and not np.array_equal(found.maps[0], found.maps[2])
    assert sum(found.groups) == 18


def test_a_scene_is_in_one_part():
    tiles = [tile(name=f"t{k}", scene=f"s{k % 10}", corner=(2000.0 * k, 0.0)) for k in range(40)]
    found = scene_split.split(tiles, config=config("granule"))
    assert found.groups == (5, 2, 1, 2) and not found.is_leaky
    for s in range(10):
        assert len({found.maps[k] for k in range(s, 40, 10)}) == 1


def test_the_random_split_tears_scenes_apart_and_says_so(caplog):
    tiles = [tile(name=f"t{k}", scene="one") for k in range(40)]
    with caplog.at_level(logging.WARNING, logger="polynya.splits"):
        found = scene_split.split(tiles, config=config("random"))
    assert found.is_leaky and "leak" in caplog.text and found.groups == (20, 8, 4, 8)
    assert found.describe() == {
        "method": "random",
        "is_leaky": True,
        "groups": {"train": 20, "validation": 8, "calibration": 4, "test": 8},
    }


@pytest.mark.parametrize("method", ["granule", "block", "random"])
def test_tiles_of_also_train_only_and_leave_the_others_alone(method):
    data = [tile((3000.0 * k, 2000.0), name=f"d{k}", scene=f"d{k}") for k in range(10)]
    more = [tile((3000.0 * k, 9000.0), name=f"a{k}", scene=f"a{k}") for k in range(5)]
    settings_ = config(method, block_km=2.0, gap_km=0.2)
    alone, both = (
        scene_split.split(data, config=settings_),
        scene_split.split([*data, *more], config=settings_, train_only=[False] * 10 + [True] * 5),
    )
    assert (
        all(np.array_equal(a, b) for a, b in zip(alone.maps, both.maps[:10], strict=True))
        and alone.groups == both.groups
    )
    for k in range(10, 15):
        assert both.has(k, splits.TRAIN) and not any(
            both.has(k, p) for p in (splits.VALIDATION, splits.CALIBRATION, splits.TEST)
        )
        assert both.mask(k, splits.TRAIN, slice(0, 3), slice(0, 3)) is True


def test_a_scene_that_only_trains_is_no_scene_that_is_split():
    tiles = [tile(name=f"t{k}", scene=f"s{k}") for k in range(8)] + [tile(name="more", scene="s3")]
    with pytest.raises(UsageError, match=r"--train-only: s3 is a scene of --data too"):
        scene_split.split(tiles, config=config("granule"), train_only=[False] * 8 + [True])


def test_the_seed_decides():
    tiles = [tile((2000.0 * k, 2000.0), name=f"t{k}", scene=f"s{k}") for k in range(12)]
    for method in ("granule", "block", "random"):
        one, same, other = (
            scene_split.split(tiles, config=config(method, block_km=2.0, seed=s)).maps for s in (4, 4, 5)
        )
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("granule", r"found 1 scenes \(those that share ground are one\); .* Give more scenes, or take --split block"),
        ("block", r"found 1 blocks of ground; .*smaller blocks"),
    ],
)
def test_too_few_groups_is_one_clear_line(method, words):
    with pytest.raises(UsageError, match=words):
        scene_split.split([tile((100.0, 2100.0)), tile((100.0, 2100.0))], config=config(method, block_km=10.0))


def test_other_images_of_one_place_go_with_it():
    """Two dates under two names share a part, whatever the draw; so does what overlaps either, and neither neighbours
    side by side nor simulated places do."""
    places = {
        "a-2000": (0.0, 0.0),
        "z-2020": (0.0, 0.0),
        "half": (3200.0, 0.0),
        "beside": (0.0, 6400.0),
        "far": (9e4, 0.0),
        "also-far": (9e4, 9e4),
    }
    tiles = [tile(corner=c, shape=(64, 64), name=n, scene=n) for n, c in places.items()]
    found = scene_split.same_ground(tiles)
    assert found == {
        "a-2000": "a-2000",
        "z-2020": "a-2000",
        "half": "a-2000",
        "beside": "beside",
        "far": "far",
        "also-far": "also-far",
    }
    for seed in range(8):
        parts = scene_split.split(tiles, config=config("granule", (0.4, 0.2, 0.2, 0.2), seed=seed)).maps
        assert parts[0] == parts[1] == parts[2] and len({parts[k] for k in (0, 3, 4, 5)}) == 4
    drawn = [dataclasses.replace(t, is_simulated=True) for t in tiles]
    assert set(scene_split.same_ground(drawn).values()) == set(places)


@pytest.mark.parametrize("method", ["granule", "block"])
def test_ground_that_only_trains_is_not_judged_under_another_name(method):
    tiles = [tile(corner=(9000.0 * k, 0.0), name=f"t{k}", scene=f"s{k}") for k in range(8)]
    again = dataclasses.replace(tiles[2], name="other", scene="other")
    with pytest.raises(UsageError, match="other shows ground of s2, a scene of --data"):
        scene_split.split([*tiles, again], config=config(method, block_km=5.0), train_only=[False] * 8 + [True])
