"""Scenes in strips: tiled is whole, windows leave no seam, every pixel is read once, turns and draws and their
spread."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.errors import ProductError, UsageError
from polynya.predict import scenes as predict_scenes

from .. import onnx_networks as networks

SIZE = 16


def fake(evaluate, *, classes=("other", "glacier"), sensors=None, size=SIZE, **more) -> predict_scenes.SceneNetwork:
    """A network that is a function of windows (batch, planes, size, size)."""
    about = networks.describe_scene(scaling={"sensors": sensors or {"optical": 1}}, classes=classes, size=size, **more)
    return predict_scenes.SceneNetwork(
        path=Path("fake.onnx"),
        sha256="0" * 64,
        description=predict_scenes.Description.model_validate(about),
        about=about,
        runtime="none",
        evaluate=evaluate,
    )


def two(glacier: np.ndarray) -> np.ndarray:
    """Return the probabilities of both classes from that of the last, (batch, h, w)."""
    return np.stack([1.0 - glacier, glacier], axis=1).astype(np.float32)


def reader(scene: np.ndarray, asked: list | None = None):
    """Return a function that cuts the scene and notes what it was asked for."""

    def read(rows: slice, columns: slice) -> np.ndarray:
        if asked is not None:
            asked.append((rows, columns))
        assert 0 <= rows.start < rows.stop <= scene.shape[1] and 0 <= columns.start < columns.stop <= scene.shape[2]
        return scene[:, rows, columns]

    return read


def run(found, scene: np.ndarray, *, turns: int = 1, draws: int = 1, **options) -> tuple[np.ndarray, np.ndarray]:
    """Return probability (classes, h, w) and spread (h, w) of a whole scene."""
    out, spread, row = [], [], 0
    averaging = predict_scenes.Averaging(turns=turns, draws=draws)
    for strip in predict_scenes.strips(
        found if isinstance(found, list) else [found],
        reader(scene),
        shape=scene.shape[1:],
        averaging=averaging,
        **options,
    ):
        assert (
            strip.row == row
            and strip.probability.shape[1:] == strip.spread.shape
            and strip.probability.dtype == np.float32
        )
        row += strip.spread.shape[0]
        out.append(strip.probability)
        spread.append(strip.spread)
    assert row == scene.shape[1]
    return np.concatenate(out, axis=1), np.concatenate(spread)


@pytest.fixture(scope="module")
def pointwise(tmp_path_factory) -> tuple[predict_scenes.SceneNetwork, np.ndarray, np.ndarray]:
    path, matrix, bias = networks.scene_network(tmp_path_factory.mktemp("scene") / "pointwise.onnx")
    return predict_scenes.load(path, runtime="onnxruntime"), matrix, bias


def by_hand(scene: np.ndarray, matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    z = np.einsum("kc,chw->khw", matrix.astype(float), np.nan_to_num(scene).astype(float)) + bias[:, None, None]
    p = np.exp(z - z.max(axis=0))
    return np.where(np.isfinite(scene).any(axis=0), p / p.sum(axis=0), np.nan)


def draw(shape: tuple[int, int], seed: int, planes: int = 3) -> np.ndarray:
    """Return a scene with scattered holes, a hole of one plane, and a corner that nobody saw."""
    rng = np.random.default_rng(seed)
    scene = rng.normal(size=(planes, *shape)).astype(np.float32)
    scene[rng.random(scene.shape) < 0.1] = np.nan
    scene[0, : shape[0] // 2] = np.nan
    scene[:, shape[0] // 2 :, : shape[1] // 4] = np.nan
    return scene


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    seed=st.integers(0, 99),
    threads=st.integers(1, 3),
    batch=st.integers(1, 3),
    turns=st.sampled_from([1, 8]),
)
def test_tiled_is_whole_for_a_network_of_single_pixels(pointwise, height, width, seed, threads, batch, turns):
    network, matrix, bias = pointwise
    scene = draw((height, width), seed)
    found, spread = run(network, scene, threads=threads, batch=batch, turns=turns)
    expected = by_hand(scene, matrix, bias)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.nanmax(spread, initial=0.0) < 1e-4 and np.array_equal(np.isnan(spread), np.isnan(expected[0]))


def test_rows_that_nobody_saw_are_missing_and_change_nothing(pointwise):
    network, matrix, bias = pointwise
    scene = draw((50, 20), 3)
    scene[:, 17:41] = np.nan
    found, _ = run(network, scene)
    assert np.isnan(found[:, 17:41]).all()
    np.testing.assert_allclose(found, by_hand(scene, matrix, bias), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 90), (16, 16), (17, 33), (64, 40), (61, 7)])
def test_every_pixel_is_read_once_and_at_most_a_window_of_rows_at_a_time(shape):
    asked = []
    network = fake(lambda x: two(np.full((len(x), SIZE, SIZE), 0.5)))
    done = []
    for _ in predict_scenes.strips(
        [network], reader(np.zeros((1, *shape), np.float32), asked), shape=shape, advance=done.append
    ):
        pass
    times = np.zeros(shape, int)
    for rows, columns in asked:
        times[rows, columns] += 1
        assert rows.stop - rows.start <= SIZE
    assert (times == 1).all() and sum(done) == shape[0] * shape[1]


def test_a_strip_comes_as_soon_as_its_rows_are_done():
    """What is read ahead of what is given out is one window at most: that is what bounds memory."""
    asked = []
    network = fake(lambda x: two(np.full((len(x), SIZE, SIZE), 0.5)))
    for strip in predict_scenes.strips([network], reader(np.zeros((1, 200, 20), np.float32), asked), shape=(200, 20)):
        assert asked[-1][0].stop - strip.row <= SIZE


def test_memory_goes_with_the_width_not_with_the_height():
    import tracemalloc

    network = fake(lambda x: two(np.full((len(x), SIZE, SIZE), 0.5)))
    peaks = []
    for height in (64, 1600):
        tracemalloc.start()
        for _ in predict_scenes.strips(
            [network],
            lambda rows, columns: np.zeros((1, rows.stop - rows.start, columns.stop - columns.start), np.float32),
            shape=(height, 64),
        ):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def leaning(x: np.ndarray) -> np.ndarray:
    """Answer by the window alone: its own mean, and where in it a pixel lies. Nothing is worse for seams."""
    across = np.linspace(-0.3, 0.3, SIZE)
    return two(
        np.clip(
            0.5
            + 0.15 * np.sign(x[:, 0].mean(axis=(1, 2)))[:, None, None]
            + across[None, :, None] * 0.5
            + across[None, None, :] * 0.5,
            0.0,
            1.0,
        )
    )


def test_windows_leave_no_seam():
    """Steps of the map where a window begins or ends are no larger than elsewhere (in a scene where windows disagree by
    up to .6)."""
    rng = np.random.default_rng(4)
    scene = np.kron(rng.choice([-1.0, 1.0], (12, 12)), np.ones((8, 8))).astype(np.float32)[None]
    glacier = run(fake(leaning), scene)[0][1]
    for steps in (np.abs(np.diff(glacier, axis=0)).max(axis=1), np.abs(np.diff(glacier, axis=1)).max(axis=0)):
        at = np.arange(1, 96)
        borders = steps[np.isin(at, np.arange(8, 96, 8))]
        inside = steps[~np.isin(at, np.arange(8, 96, 8))]
        assert inside.max() > 0.02  # the windows do disagree
        assert borders.max() <= inside.max()


def test_weights_are_symmetric_positive_and_end_in_nothing():
    w = predict_scenes.blend_weight(384)
    assert w.shape == (384, 384) and (w > 0).all() and np.allclose(w, w[::-1]) and np.allclose(w, w.T)
    assert w[192, 0] / w[192, 192] < 0.01
    x = (10.5 / 384) * 2 - 1  # the eleventh pixel's middle
    assert w[10, 10] == pytest.approx((np.exp(-(x**2) / 2) - np.exp(-0.5)) ** 2)


@given(length=st.integers(1, 5000), size=st.integers(8, 512))
def test_windows_cover_a_side_and_stay_inside(length, size):
    begin = predict_scenes.starts(length, size)
    assert (
        begin[0] == 0
        and begin == sorted(set(begin))
        and (begin[-1] + size == length or (length <= size and begin == [0]))
    )
    assert all(b - a <= size // 2 for a, b in pairwise(begin))


def test_a_network_that_knows_no_direction_gives_the_same_turned():
    def around(x: np.ndarray) -> np.ndarray:
        """The mean over a pixel's four neighbours: turns with the window."""
        z = np.nan_to_num(x[:, 0])
        out = sum(
            np.roll(np.pad(z, ((0, 0), (1, 1), (1, 1))), s, axis=a)[:, 1:-1, 1:-1] for a in (1, 2) for s in (-1, 1)
        )
        return two(1.0 / (1.0 + np.exp(-out)))

    scene = np.random.default_rng(5).normal(size=(1, 40, 27)).astype(np.float32)
    (plain, none), (turned, spread) = run(fake(around), scene), run(fake(around), scene, turns=8)
    np.testing.assert_allclose(plain, turned, atol=1e-6)
    assert spread.max() < 1e-6 and not none.any()


def test_turns_average_what_depends_on_them():
    """Answers 1 in the upper half of the window as it lies: over the eight ways to lay it every pixel is in that half
    four times."""

    def upper(x: np.ndarray) -> np.ndarray:
        out = np.zeros((len(x), SIZE, SIZE))
        out[:, : SIZE // 2] = 1.0
        return two(out)

    scene = np.zeros((1, SIZE, SIZE), np.float32)
    plain, none = run(fake(upper), scene)
    assert (plain[1, :8] == 1).all() and (plain[1, 8:] == 0).all() and (none == 0).all()
    turned, spread = run(fake(upper), scene, turns=8)
    np.testing.assert_allclose(turned[1], 0.5, atol=1e-6)
    np.testing.assert_allclose(spread, 0.5, atol=1e-6)


def test_each_turn_is_undone():
    """Every pixel carries its own value, so a turn that is not undone shows."""
    scene = np.linspace(0.0, 1.0, 40 * 21).reshape(1, 40, 21).astype(np.float32)
    laid = []

    def same(x: np.ndarray) -> np.ndarray:
        laid.append(x[0, 0, :2, :2].tobytes())
        return two(np.nan_to_num(x[:, 0]))

    found, spread = run(fake(same), scene, turns=8, threads=1)
    np.testing.assert_allclose(found[1], scene[0], atol=1e-6)
    assert spread.max() < 1e-6 and len(set(laid[:8])) == 8


def test_spread_is_the_standard_deviation_over_networks():
    values = (0.2, 0.5, 0.9)
    some = [fake(lambda x, v=v: two(np.full((len(x), SIZE, SIZE), v))) for v in values]
    found, spread = run(some, np.zeros((1, 30, 30), np.float32))
    np.testing.assert_allclose(found[1], np.mean(values), atol=1e-6)
    np.testing.assert_allclose(spread, np.std(values), atol=1e-6)


def test_windows_that_disagree_are_no_spread():
    """One network, one turn, one draw: the spread is 0 even where overlapping windows answer otherwise."""
    scene = np.random.default_rng(6).normal(size=(1, 40, 40)).astype(np.float32)
    assert not run(fake(leaning), scene)[1].any()


def test_draws_ask_a_network_with_dropout_again():
    rng = np.random.default_rng(7)
    calls = []

    def dropout(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return two(np.broadcast_to(np.where(rng.random((len(x), 1, 1)) < 0.5, 0.2, 0.8), (len(x), SIZE, SIZE)))

    found, spread = run(fake(dropout), np.zeros((1, SIZE, SIZE), np.float32), draws=400, threads=1)
    assert len(calls) == 400
    assert found[1] == pytest.approx(0.5, abs=5 * 0.3 / 20)  # five standard errors
    assert spread == pytest.approx(0.3, abs=0.02)


def test_threads_and_batches_change_nothing():
    scene = np.random.default_rng(8).normal(size=(1, 50, 70)).astype(np.float32)
    one = run(fake(leaning), scene, threads=1)
    for threads, batch in ((4, 1), (2, 3), (1, 99)):
        other = run(fake(leaning), scene, threads=threads, batch=batch)
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_the_place_reaches_the_network_and_must_fit(tmp_path):
    told = []

    def listen(x: np.ndarray) -> np.ndarray:
        told.append(x[:, 1:])
        return two(np.full((len(x), SIZE, SIZE), 0.5))

    network = fake(listen, location_kind="coordinates", location=4)
    place = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    run(network, np.full((1, 5, 5), 7.0, np.float32), location=place)
    assert told[0].shape == (1, 4, SIZE, SIZE) and (told[0] == place[None, :, None, None]).all()
    for wrong in (None, place[:3]):
        with pytest.raises(UsageError, match=r"location: \d values; network test-scene takes 4 \(coordinates\)"):
            next(
                predict_scenes.strips([network], reader(np.zeros((1, 5, 5), np.float32)), shape=(5, 5), location=wrong)
            )


def test_what_lies_beyond_the_scene_is_missing_to_the_network():
    seen = []

    def listen(x: np.ndarray) -> np.ndarray:
        seen.append(x.copy())
        return two(np.full((len(x), SIZE, SIZE), 0.5))

    run(fake(listen), np.ones((1, 9, 5), np.float32), threads=1)
    assert len(seen) == 1 and np.isfinite(seen[0]).sum() == 45 and (seen[0][0, 0, :9, :5] == 1).all()


@pytest.mark.parametrize("change", [{"sensors": {"dem": 1}}, {"classes": ("a", "b")}, {"size": 32}])
def test_networks_of_different_recipes_are_not_averaged(change):
    def half(x: np.ndarray) -> np.ndarray:
        return two(np.full((len(x), *x.shape[2:]), 0.5))

    with pytest.raises(UsageError, match="has other sensors, classes, window or location"):
        predict_scenes.same_shape([fake(half), fake(half, **change)])


def test_confidence_is_the_descriptions():
    p = np.array([[[0.5, 0.1, np.nan]], [[0.5, 0.9, np.nan]]], np.float32)
    plain = predict_scenes.confidence(fake(two), p)
    np.testing.assert_allclose(plain, [[0.5, 0.9, np.nan]], atol=1e-6)
    mapped = predict_scenes.confidence(
        fake(two, confidence={"method": "entropy_kernel", "x": [0.0, 1.0], "y": [0.6, 1.0]}), p
    )
    entropy = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))  # in bits: 1 for a coin
    np.testing.assert_allclose(mapped, [[0.6, 0.6 + 0.4 * (1 - entropy), np.nan]], atol=1e-6)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (None, "metadata property 'polynya'"),
        ("not json", "metadata property 'polynya', JSON"),
        (networks.describe("sequence"), "'polynya', kind: "),
        (networks.describe_scene(classes=["glacier"]), "classes"),
        (networks.describe_scene(scaling={"sensors": {}}), "scaling.sensors"),
        (
            networks.describe_scene(location=4, location_kind="coordinates"),
            r"takes .*; expected one input of \(batch, 7, h, w\)",
        ),
    ],
)
def test_files_that_are_no_export_of_a_scene_say_so(about, words, tmp_path):
    path, _, _ = networks.scene_network(tmp_path / "bad.onnx", about=about)
    with pytest.raises(ProductError, match=words) as error:
        predict_scenes.load(path, runtime="onnxruntime")
    assert "\n" not in str(error.value) and str(error.value).startswith("bad.onnx: ")


def test_runtimes_agree_and_unknown_ones_are_refused(tmp_path, pointwise):
    pytest.importorskip("openvino")
    path, _, _ = networks.scene_network(tmp_path / "n.onnx")
    scene = draw((20, 30), 1)
    other = run(predict_scenes.load(path, runtime="openvino", threads=2), scene)[0]
    np.testing.assert_allclose(other, run(pointwise[0], scene)[0], atol=1e-5)
    with pytest.raises(UsageError, match="runtime 'tpu': no such runtime"):
        predict_scenes.load(path, runtime="tpu")


def test_it_needs_no_torch(tmp_path):
    path, _, _ = networks.scene_network(tmp_path / "n.onnx")
    code = (
        f"import sys; from polynya.predict import scenes; scenes.load({json.dumps(str(path))}); print([m for m in"
        " ('torch', 'onnx', 'rasterio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
