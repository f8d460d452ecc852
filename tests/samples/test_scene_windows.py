"""Windows of tiles: changes keep image and truth together, judged windows cover every label once, no label of another
part is seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.recipes import Augment, SceneSamples
from polynya.samples import scene_split, scene_windows, splits

from .scene_pieces import Piece, piece, scaling_of

STILL = Augment(flip=False, crop=0, gamma=0, gain=0, shift=0, noise=0, occlusion_px=0, elevation_m=0)
SCALING = scaling_of(("optical", "dem", "co_pol_sar"))
SIZE = 24


def samples(augment: Augment = STILL, **more) -> SceneSamples:
    return SceneSamples(**{"size": SIZE, "augment": augment, "unknown_region": 0.0, **more})


def still(**more) -> Augment:
    return STILL.model_copy(update=more)


def augment(scaled, targets, settings_, seed=0, scaling=SCALING):
    return scene_windows.augment(scaled, targets, settings=settings_, scaling=scaling, rng=np.random.default_rng(seed))


def numbered(size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Return a window whose every pixel carries its number in every band (NaN in some), and targets made of the
    number."""
    number = np.arange(size * size).reshape(size, size)
    scaled = np.broadcast_to(number.astype(np.float32), (SCALING.bands, size, size)).copy()
    scaled[:6, number % 5 == 0] = np.nan  # optical
    scaled[8, number % 7 == 0] = np.nan  # one pass of the radar
    return scaled, (number % 3).astype(np.uint8)


def source(
    tiles, settings_, *, part=splits.TRAIN, split=None, is_scored=False, location="none", keep=True, scaling=SCALING
) -> scene_windows.SceneSource:
    held = scene_windows.Tiles(tiles=tiles, scaling=scaling, target="outlines", location=location)
    held.is_kept = keep
    split = split or scene_split.SceneSplit(
        maps=tuple(splits.TRAIN for _ in tiles), method="granule", is_leaky=False, groups=(len(tiles), 0, 0, 0)
    )
    return scene_windows.SceneSource(held, split=split, part=part, settings=settings_, is_scored=is_scored, positive=1)


# Changes of a window.


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    flip=st.booleans(),
    crop=st.sampled_from([0.0, 0.2, 0.6]),
    occlusion=st.sampled_from([0, 9]),
    dropout=st.sampled_from([0.0, 0.7]),
)
def test_pixels_and_their_truth_stay_together_and_missing_stays_missing(seed, flip, crop, occlusion, dropout):
    scaled, targets = numbered()
    out, truth = augment(
        scaled,
        targets,
        samples(still(flip=flip, crop=crop, occlusion_px=occlusion), sensor_dropout=dropout, band_dropout=dropout),
        seed,
    )
    assert out.shape == scaled.shape and truth.shape == targets.shape and truth.dtype == np.uint8
    number = np.nanmax(out.reshape(SCALING.bands, -1), axis=0, initial=-1).reshape(truth.shape).astype(int)
    known = number >= 0
    assert (truth[known] == number[known] % 3).all()
    for band in range(SCALING.bands):
        seen = np.isfinite(out[band])
        assert (out[band][seen] == number[seen]).all()
        assert not (seen & (number % 5 == 0)).any() if band < 6 else True
        assert not (seen & (number % 7 == 0)).any() if band == 8 else True


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_colours_noise_and_heights_move_neither_truth_nor_holes(seed):
    scaled, targets = numbered()
    scaled /= scaled[7].max()
    out, truth = augment(
        scaled, targets, samples(still(gamma=0.2, gain=0.1, shift=0.025, noise=0.005, elevation_m=300.0)), seed
    )
    assert np.array_equal(truth, targets) and np.array_equal(np.isnan(out), np.isnan(scaled))
    assert not np.allclose(np.nan_to_num(out), np.nan_to_num(scaled))


def test_nothing_asked_changes_nothing_and_the_input_is_left_alone():
    scaled, targets = numbered()
    before = scaled.copy(), targets.copy()
    out, truth = augment(scaled, targets, samples())
    assert np.array_equal(out, scaled, equal_nan=True) and np.array_equal(truth, targets)
    for seed in range(5):
        augment(
            scaled, targets, samples(Augment(gain=0.1, elevation_m=100.0, occlusion_px=9), sensor_dropout=0.5), seed
        )
    assert np.array_equal(scaled, before[0], equal_nan=True) and np.array_equal(targets, before[1])


def test_a_window_lies_in_each_of_the_eight_ways():
    scaled, targets = numbered()
    found = {augment(scaled, targets, samples(still(flip=True)), seed)[0][6].tobytes() for seed in range(200)}
    every = {np.ascontiguousarray(np.rot90(v, k)).tobytes() for v in (scaled[6], scaled[6][:, ::-1]) for k in range(4)}
    assert found == every and len(every) == 8


@pytest.mark.parametrize("crop", [0.2, 0.5, 0.99])
def test_a_crop_is_a_part_of_the_window_stretched(crop):
    scaled, targets = numbered(16)
    sides = []
    for seed in range(60):
        out, _ = augment(scaled, targets, samples(still(crop=crop), size=16), seed)
        rows, columns = np.divmod(out[6].astype(int), 16)
        assert (rows == rows[:, :1]).all() and (columns == columns[:1]).all()
        for along in (rows[:, 0], columns[0]):
            steps = np.diff(along)
            assert steps.min() >= 0 and steps.max() <= 1  # nearest pixels of one piece, in order
        assert np.ptp(rows) == np.ptp(columns)
        sides.append(int(np.ptp(rows)) + 1)
    assert min(sides) >= max(round(16 * (1 - crop)), 1) and max(sides) <= 16 and len(set(sides)) > 2


def test_reflectances_become_a_factor_times_a_power():
    """Two values a window give both back: out = a v^g. Nothing but optical moves."""
    scaled = np.full((SCALING.bands, SIZE, SIZE), 0.4, np.float32)
    scaled[:, :, ::2] = 0.1
    targets = np.ones((SIZE, SIZE), np.uint8)
    power, factor = [], []
    for seed in range(400):
        out, _ = augment(scaled, targets, samples(still(gamma=0.2, gain=0.1)), seed)
        assert np.array_equal(out[6:], scaled[6:])
        low, high = out[:6, 0, 0], out[:6, 0, 1]
        assert np.ptp(low) == 0  # the same for all bands
        power.append(math.log(high[0] / low[0]) / math.log(4.0))
        factor.append(math.log(high[0]) - power[-1] * math.log(0.4))
    power, factor = np.array(power), np.array(factor)
    assert (
        power.min() >= 0.8 - 1e-4
        and power.max() <= 1.2 + 1e-4
        and power.std() == pytest.approx(0.4 / math.sqrt(12), rel=0.1)
    )
    assert factor.mean() == pytest.approx(0.0, abs=5 * 0.1 / 20) and factor.std() == pytest.approx(0.1, rel=0.15)


def test_heights_shift_by_metres_and_slopes_do_not():
    scaled = np.full((SCALING.bands, SIZE, SIZE), 0.3, np.float32)
    moved = []
    for seed in range(400):
        out, _ = augment(scaled, np.ones((SIZE, SIZE), np.uint8), samples(still(elevation_m=200.0)), seed)
        assert np.array_equal(np.delete(out, 6, axis=0), np.delete(scaled, 6, axis=0)) and np.ptp(out[6]) == 0
        moved.append(float(out[6, 0, 0] - np.float32(0.3)) * (8349.4 + 103.3))
    assert np.std(moved) == pytest.approx(200.0, rel=0.15) and abs(np.mean(moved)) < 5 * 200 / 20


def test_shift_is_a_constant_a_band_and_noise_is_not():
    scaled = np.zeros((SCALING.bands, SIZE, SIZE), np.float32)
    targets = np.ones((SIZE, SIZE), np.uint8)
    constants = np.array(
        [augment(scaled, targets, samples(still(shift=0.025)), seed)[0][:, 0, 0] for seed in range(200)]
    )
    assert (
        constants.std(axis=0) == pytest.approx(0.025, rel=0.25)
        and abs(np.corrcoef(constants.T) - np.eye(SCALING.bands)).max() < 0.35
    )
    noisy, _ = augment(scaled, targets, samples(still(noise=0.005)), 1)
    assert noisy.std(axis=(1, 2)) == pytest.approx(0.005, rel=0.2)


def test_a_rectangle_of_half_the_sensors_is_blanked():
    scaled, targets = np.ones((SCALING.bands, SIZE, SIZE), np.float32), np.ones((SIZE, SIZE), np.uint8)
    blanked = []
    for seed in range(300):
        out, _ = augment(scaled, targets, samples(still(occlusion_px=10)), seed)
        for a, b in ((0, 6), (6, 8), (8, 10)):
            gone = np.isnan(out[a:b])
            assert (gone == gone[:1]).all()  # all bands of the sensor, the same pixels
            blanked.append(gone[0].any())
            if gone[0].any():
                rows, columns = np.flatnonzero(gone[0].any(axis=1)), np.flatnonzero(gone[0].any(axis=0))
                assert (
                    gone[0].sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
                    and np.ptp(rows) < 10
                    and np.ptp(columns) < 10
                )
    assert np.mean(blanked) == pytest.approx(0.5, abs=5 * 0.5 / 30)


def test_sensors_are_dropped_but_never_all():
    """One of n present sensors stays for sure; each other goes with p: a sensor is dropped with p (n - 1) / n."""
    scaled, targets = np.ones((SCALING.bands, SIZE, SIZE), np.float32), np.ones((SIZE, SIZE), np.uint8)
    gone = np.array(
        [
            [np.isnan(out[b]).all() for b in (0, 6, 8)]
            for out in (augment(scaled, targets, samples(sensor_dropout=0.6), seed)[0] for seed in range(900))
        ]
    )
    assert not gone.all(axis=1).any()
    assert gone.mean(axis=0) == pytest.approx(0.6 * 2 / 3, abs=5 * 0.5 / 30)
    scaled[:8] = np.nan  # only the radar is there: it stays
    assert all(
        np.isfinite(augment(scaled, targets, samples(sensor_dropout=0.9), seed)[0][8:]).all() for seed in range(40)
    )


def test_shortwave_infrared_is_dropped_alone():
    scaled, targets = np.ones((SCALING.bands, SIZE, SIZE), np.float32), np.ones((SIZE, SIZE), np.uint8)
    gone = []
    for seed in range(400):
        out, _ = augment(scaled, targets, samples(band_dropout=0.3), seed)
        assert np.isfinite(np.delete(out, [4, 5], axis=0)).all()
        gone.append(np.isnan(out[4:6]).all())
        assert gone[-1] or np.isfinite(out[4:6]).all()
    assert np.mean(gone) == pytest.approx(0.3, abs=5 * 0.46 / 20)
    turned = scaling_of(("dem", "optical"))  # wherever optical stands
    out = [augment(scaled[:8], targets, samples(band_dropout=0.9), seed, turned)[0] for seed in range(5)]
    assert any(np.isnan(o[6:8]).all() for o in out) and all(np.isfinite(o[:6]).all() for o in out)


# Windows of tiles.


def test_a_batch_is_the_scaled_tile_its_presence_and_its_truth():
    tile = piece((40, 30), 1)
    batch = source([tile], samples(), is_scored=True).batch(np.array([[0, 24, 24, 0]]))
    assert (
        batch.inputs.shape == (1, 13, SIZE, SIZE)
        and batch.inputs.dtype == np.float32
        and np.isfinite(batch.inputs).all()
    )
    optical, dem = tile.data["optical"][:, 24:40, 24:30], tile.data["dem"][:, 24:40, 24:30]
    seen = np.isfinite(optical[0])
    np.testing.assert_allclose(batch.inputs[0, 0, :16, :6], np.where(seen, optical[0] / 2.05, 0.0), atol=1e-3)
    np.testing.assert_allclose(batch.inputs[0, 6, :16, :6], (dem[0] + 103.3) / (8349.4 + 103.3), atol=1e-3)
    log = (np.log10(tile.data["co_pol_sar"][1, 24:40, 24:30] + 1e-6) + 6) / 7.758
    np.testing.assert_allclose(batch.inputs[0, 9, :16, :6], log, atol=1e-3)
    assert np.array_equal(batch.inputs[0, 10, :16, :6], seen) and (batch.inputs[0, 11:, :16, :6] == 1).all()
    assert np.array_equal(batch.targets[0, :16, :6], tile.truth[24:40, 24:30])
    outside = np.ones((SIZE, SIZE), bool)
    outside[:16, :6] = False
    assert not batch.inputs[0][:, outside].any() and not batch.targets[0][outside].any()


def test_a_sensor_that_a_tile_lacks_is_absent():
    tile = piece()
    less = Piece({k: v for k, v in tile.data.items() if k != "co_pol_sar"}, tile.truth)
    batch = source([less], samples(), is_scored=True).batch(np.array([[0, 0, 0, 0]]))
    assert not batch.inputs[0, 8:10].any() and not batch.inputs[0, 12].any() and batch.inputs[0, 11].all()


@pytest.mark.parametrize("is_scored", [True, False])
def test_kept_and_streamed_tiles_give_the_same_batches(is_scored):
    tiles = [piece((48, 40), 1), piece((30, 70), 2)]
    settings_ = samples(Augment(occlusion_px=8), sensor_dropout=0.3, balance=not is_scored)
    kept, streamed = (source(tiles, settings_, is_scored=is_scored, keep=k) for k in (True, False))
    plan = kept.plan(np.random.default_rng(3))
    assert np.array_equal(plan, streamed.plan(np.random.default_rng(3))) and len(plan) > 5
    one, two = kept.batch(plan), streamed.batch(plan)
    assert (
        np.array_equal(one.inputs, two.inputs)
        and np.array_equal(one.targets, two.targets)
        and np.array_equal(one.where, two.where)
    )


def test_streaming_reads_windows_and_plans_read_no_values():
    tile = piece((100, 90), 1)
    streamed = source([tile], samples(), is_scored=True, keep=False)
    plan = streamed.plan(None)
    assert {what for what, _, _ in tile.asked} == {"target"}
    streamed.batch(plan)
    assert all(h <= SIZE and w <= SIZE for _, h, w in tile.asked)
    n = len(tile.asked)
    assert np.array_equal(streamed.plan(None), plan) and len(tile.asked) == n  # judged again, not looked for again


def test_kept_tiles_are_read_once():
    tile = piece((100, 90), 1)
    held = source([tile], samples(balance=True))
    for seed in range(3):
        held.batch(held.plan(np.random.default_rng(seed)))
    assert sorted(what for what, _, _ in tile.asked) == ["target", "values"]
    assert [v.dtype for v in held.tiles._kept[0]] == [np.float16, np.uint8]  # what KEEP_BYTES counts with


@settings(max_examples=30, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    gap_km=st.sampled_from([0.0, 0.1]),
)
def test_judged_windows_hold_every_label_of_a_part_once(shapes, seed, gap_km):
    rng = np.random.default_rng(seed)
    tiles = [
        Piece(
            {"dem": np.zeros((2, *s), np.float32)},
            rng.integers(0, 3, s).astype(np.uint8),
            corner=tuple(rng.uniform(-500, 500, 2)),
        )
        for s in [*shapes, (60, 60)]
    ]
    split = scene_split.split(
        tiles,
        config=splits.Config(
            method="block", block_km=0.2, gap_km=gap_km, train=0.4, validation=0.2, calibration=0.2, test=0.2, seed=seed
        ),
    )
    scaling = scaling_of(("dem",))
    found = [np.zeros(t.shape, int) for t in tiles]
    for part in range(4):
        judged = source(tiles, samples(), part=part, split=split, is_scored=True, scaling=scaling)
        plan = judged.plan(None)
        batch = judged.batch(plan)
        for (k, row, column, _), targets, where in zip(plan, batch.targets, batch.where, strict=True):
            assert (scene_windows.tile_of(where) == k).all()
            own = np.broadcast_to(split.maps[k], tiles[k].shape) == part
            for r, c in np.argwhere(targets):
                assert own[row + r, column + c] and targets[r, c] == tiles[k].truth[row + r, column + c]
                found[k][row + r, column + c] += 1
    for k, tile in enumerate(tiles):
        assert np.array_equal(found[k], (tile.truth != 0) & (np.broadcast_to(split.maps[k], tile.shape) >= 0))


def test_drawn_windows_see_no_label_of_another_part():
    tiles = [piece((90, 90), 1, corner=(0.0, 900.0))]
    split = scene_split.split(
        tiles,
        config=splits.Config(
            method="block", block_km=0.3, gap_km=0.04, train=0.5, validation=0.2, calibration=0.1, test=0.2
        ),
    )
    outside = np.asarray(split.maps[0]) != splits.TRAIN
    drawn = source(tiles, samples(), split=split)
    plan = drawn.plan(np.random.default_rng(0))
    batch = drawn.batch(plan)
    assert len(plan) > 30 and batch.targets.any()
    for (_, row, column, _), targets in zip(plan, batch.targets, strict=True):
        here = outside[row : row + SIZE, column : column + SIZE]
        assert not targets[here].any() and np.array_equal(
            targets[~here], tiles[0].truth[row : row + SIZE, column : column + SIZE][~here]
        )


def test_tiles_of_other_parts_are_not_drawn():
    tiles = [piece(seed=k) for k in range(6)]
    split = scene_split.SceneSplit(maps=(0, 1, 0, 2, 3, 0), method="granule", is_leaky=False, groups=(3, 1, 1, 1))
    assert set(source(tiles, samples(), split=split).plan(np.random.default_rng(0))[:, 0]) == {0, 2, 5}
    assert set(source(tiles, samples(), split=split, part=splits.VALIDATION, is_scored=True).plan(None)[:, 0]) == {1}
    nothing = scene_split.SceneSplit(maps=(1,) * 6, method="granule", is_leaky=False, groups=(0, 6, 0, 0))
    assert source(tiles, samples(), split=nothing).plan(np.random.default_rng(0)).shape == (0, 4)


def test_a_plan_is_made_by_its_seed_and_stays_inside():
    tiles = [piece((48, 40), 1), piece((24, 25), 2), piece((10, 90), 3)]
    drawn = source(tiles, samples(draws=3.0))
    one, same, other = (drawn.plan(np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert len(one) == 3 * (2 * 2 + 1 * 2 + 1 * 4)  # draws for every window that fits side by side
    for k, row, column, _ in one:
        height, width = tiles[k].shape
        assert 0 <= row <= max(height - SIZE, 0) and 0 <= column <= max(width - SIZE, 0)
    assert {tuple(r) for r in one[one[:, 0] == 2][:, 1:2].tolist()} == {(0,)}  # the tile is lower than a window
    again, batch = drawn.batch(one), drawn.batch(one)
    assert np.array_equal(again.inputs, batch.inputs) and np.array_equal(again.targets, batch.targets)


def test_corners_are_uniform_over_a_tile():
    drawn = source([piece((SIZE + 3, SIZE), 1)], samples(draws=400.0))
    plan = drawn.plan(np.random.default_rng(0))
    counts = np.bincount(plan[:, 1], minlength=4)
    assert len(plan) == 800 and (plan[:, 2] == 0).all() and counts == pytest.approx(200, abs=5 * math.sqrt(150))


def test_half_of_balanced_windows_hold_the_glacier():
    truth = np.ones((240, 240), np.uint8)
    truth[100:108, 20:28] = 2  # a small one
    few = Piece({"dem": np.zeros((2, 240, 240), np.float32)}, truth)
    none = Piece({"dem": np.zeros((2, 240, 240), np.float32)}, np.ones((240, 240), np.uint8))
    scaling = scaling_of(("dem",))

    def share(tile: Piece, balance: bool) -> float:
        drawn = source([tile], samples(draws=6.0, balance=balance), scaling=scaling)
        return float((drawn.batch(drawn.plan(np.random.default_rng(0))).targets == 2).any(axis=(1, 2)).mean())

    by_chance = (31 / 217) * (31 / 217)  # 31 rows of corners reach 8 rows of ice
    assert share(few, True) == pytest.approx(0.5 + 0.5 * by_chance, abs=5 * 0.5 / math.sqrt(600))
    assert share(few, False) == pytest.approx(by_chance, abs=5 * 0.15 / math.sqrt(600)) and share(none, True) == 0.0


def test_balanced_windows_are_about_glaciers_of_their_own_part():
    truth = np.ones((60, 200), np.uint8)
    truth[:, 50:53], truth[:, 150:] = 2, 2
    tile = Piece({"dem": np.zeros((2, 60, 200), np.float32)}, truth)
    parts = np.zeros((60, 200), np.int8)
    parts[:, 100:] = splits.TEST
    split = scene_split.SceneSplit(maps=(parts,), method="block", is_leaky=False, groups=(1, 0, 0, 1))
    drawn = source([tile], samples(balance=True, draws=20.0), split=split, scaling=scaling_of(("dem",)))
    share = (drawn.batch(drawn.plan(np.random.default_rng(0))).targets == 2).any(axis=(1, 2)).mean()
    assert share == pytest.approx(
        0.5 + 0.5 * 26 / 177, abs=5 * 0.5 / math.sqrt(540)
    )  # 26 of 177 columns of corners reach the ice


def test_tiles_that_only_train_are_drawn_in_their_share():
    tiles = [piece(seed=k) for k in range(5)]
    held = scene_windows.Tiles(tiles=tiles, scaling=SCALING)
    split = scene_split.SceneSplit(maps=(0,) * 5, method="granule", is_leaky=False, groups=(5, 0, 0, 0))
    drawn = scene_windows.SceneSource(
        held,
        split=split,
        part=splits.TRAIN,
        settings=samples(draws=50.0, also_share=0.3),
        is_scored=False,
        train_only=(4,),
    )
    share = np.bincount(drawn.plan(np.random.default_rng(0))[:, 0], minlength=5) / 1000
    assert share == pytest.approx([0.175, 0.175, 0.175, 0.175, 0.3], abs=5 * 0.46 / math.sqrt(1000))


def test_large_tiles_that_only_train_are_drawn_by_the_root_of_their_windows():
    tiles = [*(piece(seed=k) for k in range(2)), piece((SIZE, SIZE), 2), piece((3 * SIZE, 3 * SIZE), 3)]
    split = scene_split.SceneSplit(maps=(0,) * 4, method="granule", is_leaky=False, groups=(4, 0, 0, 0))
    drawn = scene_windows.SceneSource(
        scene_windows.Tiles(tiles=tiles, scaling=SCALING),
        split=split,
        part=splits.TRAIN,
        settings=samples(draws=300.0, also_share=0.4),
        is_scored=False,
        train_only=(2, 3),
    )
    found = np.bincount(drawn.plan(np.random.default_rng(0))[:, 0], minlength=4)
    assert found[2:] / found.sum() == pytest.approx([0.1, 0.3], abs=0.03)  # one window and nine: as 1 to 3


def test_every_judged_pixel_knows_its_tile_and_its_block_of_ground():
    """Blocks of 3.2 km in a tile of pixels 1000 m wide and 800 m high: three columns (rounded) and four rows each."""
    tiles = [piece((2 * SIZE, SIZE + 5), k, pixel=(1000.0, 800.0)) for k in range(2)]
    judged = source(tiles, samples(), is_scored=True)
    plan = judged.plan(None)
    batch = judged.batch(plan)
    for (number, row, column, _), where in zip(plan, batch.where, strict=True):
        assert (scene_windows.tile_of(where) == number).all()
        r, c = np.arange(row, row + SIZE)[:, None] // 4, np.arange(column, column + SIZE)[None, :] // 3
        together = r * 10_000 + c
        assert (
            all(np.unique(together[where == w]).size == 1 for w in np.unique(where))
            and np.unique(where).size == np.unique(together).size
        )
    across = {
        tuple(p)
        for p in np.stack(
            [
                batch.where.ravel() % scene_windows.BLOCKS,
                batch.where.ravel() // scene_windows.BLOCKS % scene_windows.BLOCKS,
            ],
            axis=1,
        ).tolist()
    }
    assert max(c for c, _ in across) >= (SIZE + 4) // 3 and max(r for _, r in across) >= (2 * SIZE - 1) // 4


def test_saturated_snow_is_cut_at_one():
    """Bright pixels of the visible and near-infrared bands end at a reflectance of one exactly, shortwave infrared is
    left alone."""
    rng = np.random.default_rng(1)
    scaled, targets = np.full((SCALING.bands, SIZE, SIZE), np.nan, np.float32), np.ones((SIZE, SIZE), np.uint8)
    scaled[:6] = (rng.uniform(0.05, 0.9, (6, SIZE, SIZE)) - np.array(SCALING.low[:6])[:, None, None]) / (
        np.array(SCALING.high[:6]) - np.array(SCALING.low[:6])
    )[:, None, None]
    shares = []
    for seed in range(12):
        out, _ = augment(scaled, targets, samples(still(saturation=1.0)), seed)
        reflectance = (
            out[:6] * (np.array(SCALING.high[:6]) - np.array(SCALING.low[:6]))[:, None, None]
            + np.array(SCALING.low[:6])[:, None, None]
        )
        assert reflectance[:4].max() <= 1.0 + 1e-5
        np.testing.assert_array_equal(out[4:6], scaled[4:6])
        shares.append(float((np.abs(reflectance[:4] - 1.0) < 1e-5).mean()))
    assert max(shares) > 0.3 and np.std(shares) > 0.05


def test_the_place_has_evidence_and_sometimes_unknown():
    tile = piece(region="NZL", latitude=-43.0, longitude=170.0)
    told = source([tile], samples(unknown_region=0.25, draws=100.0), location="region")
    batch = told.batch(told.plan(np.random.default_rng(0)))
    place = batch.inputs[:, 13:]
    assert place.shape[1] == 12 and (place == place[:, :, :1, :1]).all()
    which = place[:, :, 0, 0].argmax(axis=1)
    assert set(which.tolist()) == {7, 11} and np.mean(which == 11) == pytest.approx(0.25, abs=5 * 0.43 / 20)
    judged = source([tile], samples(unknown_region=1.0), location="region", is_scored=True).batch(
        np.array([[0, 0, 0, 0]])
    )
    assert judged.inputs[0, 13 + 7].all()  # judged with what is known
    where = (
        source([tile], samples(), location="coordinates", is_scored=True)
        .batch(np.array([[0, 0, 0, 0]]))
        .inputs[0, 13:, 0, 0]
    )
    np.testing.assert_allclose(
        where,
        [
            math.sin(math.radians(-43)),
            math.cos(math.radians(-43)),
            math.sin(math.radians(170)),
            math.cos(math.radians(170)),
        ],
        atol=1e-6,
    )


def test_a_sensor_that_is_always_there_is_never_dropped():
    """The others still go; without ``always`` this one would go in 0.9 x 2 / 3 of the windows."""
    scaled, targets = np.ones((SCALING.bands, SIZE, SIZE), np.float32), np.ones((SIZE, SIZE), np.uint8)
    gone = np.array(
        [
            [np.isnan(out[b]).any() for b in (0, 6, 8)]
            for out in (
                augment(scaled, targets, samples(sensor_dropout=0.9, always=("optical",)), seed)[0]
                for seed in range(60)
            )
        ]
    )
    assert not gone[:, 0].any() and gone[:, 1].any() and gone[:, 2].any()


@pytest.mark.parametrize(("dark", "bright", "factor"), [(0.01, 0.02, 3.0), (0.5, 1.9, 0.8), (0.25, 0.5, 2.0)])
def test_saturation_amplifies_by_0_8_to_3(dark, bright, factor):
    """Seven pixels in ten are bright, so that any share of 0.4 and more asks for 1 / bright: 50, 0.53 and 2 here, of
    which the first two are out of bounds. What the factor is shows in dark pixels, which no cut touches."""
    low, high = (np.array(v[:6])[:, None, None] for v in (SCALING.low, SCALING.high))
    reflectance = np.full((6, SIZE, SIZE), bright)
    reflectance[:, :, : round(0.3 * SIZE)] = dark
    scaled, targets = np.full((SCALING.bands, SIZE, SIZE), np.nan, np.float32), np.ones((SIZE, SIZE), np.uint8)
    scaled[:6] = (reflectance - low) / (high - low)
    for seed in range(5):
        out, _ = augment(scaled, targets, samples(still(saturation=1.0)), seed)
        found = out[:6] * (high - low) + low
        np.testing.assert_allclose(found[:4, :, 0], factor * dark, rtol=1e-4)
        np.testing.assert_allclose(found[:4, :, -1], min(factor * bright, 1.0), rtol=1e-4)
