"""Scenes in pieces with a halo: what comes out is one pass over the whole scene, and memory goes with a piece."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from polynya import spread
from polynya.errors import UsageError
from polynya.predict import halo, runtime
from polynya.predict import scenes as predict_scenes
from polynya.targets import Concentration

from .. import onnx_networks as networks

STRIDE, HALO = 8, 24
SENSORS = {"hh": 1, "hv": 1, "incidence": 1}


def network(evaluate, **more) -> predict_scenes.SceneNetwork:
    """Return a network of radar scenes that is a function of inputs (batch, 3, h, w)."""
    about = networks.describe_scene(
        scaling={"sensors": SENSORS},
        classes=["concentration", "concentration_spread"],
        sensor_table="radar_ice",
        predicts=Concentration().model_dump(),
        stride=STRIDE,
        halo=HALO,
        description_version=1,
        family="scenes",
    )
    del about["classes"]
    return predict_scenes.SceneNetwork(
        path=Path("fake.onnx"),
        sha256="0" * 64,
        description=predict_scenes.Description.model_validate({**about, **more}),
        about=about,
        runtime="none",
        evaluate=evaluate,
    )


def far_sighted(inputs: np.ndarray) -> np.ndarray:
    """See 24 pixels far, and pool blocks of 8 that begin where the input begins, zeros beyond it as in a padded
    convolution."""
    x = np.nan_to_num(inputs.astype(np.float64), nan=-3.0)
    assert not any(n % STRIDE for n in x.shape[2:])
    pooled = x.reshape(*x.shape[:2], x.shape[2] // 8, 8, x.shape[3] // 8, 8).max(axis=(3, 5))
    wide = uniform_filter(pooled, size=(1, 1, 5, 5), mode="constant")  # two blocks to a side: 16 + 7 pixels
    first = np.kron(wide, np.ones((1, 1, 8, 8))).sum(axis=1) + x[:, 0]
    return np.stack([first, np.abs(first)], axis=1).astype(np.float32)


def reader(scene: np.ndarray, asked: list | None = None):
    def read(rows: slice, columns: slice) -> np.ndarray:
        assert 0 <= rows.start < rows.stop <= scene.shape[1] and 0 <= columns.start < columns.stop <= scene.shape[2]
        if asked is not None:
            asked.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return scene[:, rows, columns]

    return read


def draw(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return a scene with scattered holes, without HH above, and a corner that nobody saw."""
    rng = np.random.default_rng(seed)
    scene = rng.normal(size=(3, *shape)).astype(np.float32)
    scene[rng.random(scene.shape) < 0.1] = np.nan
    scene[0, : shape[0] // 3] = np.nan
    scene[:, shape[0] // 2 :, : shape[1] // 4] = np.nan
    return scene


def put_together(found: list[halo.Piece], shape: tuple[int, int]) -> np.ndarray:
    out, times = np.full((2, *shape), -9.0, np.float32), np.zeros(shape, int)
    for piece in found:
        out[:, piece.rows, piece.columns] = piece.planes
        times[piece.rows, piece.columns] += 1
    assert (times == 1).all(), "every pixel is predicted once"
    return out


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), side=st.integers(56, 110), threads=st.integers(1, 3))
def test_pieces_are_the_whole_scene(height, width, side, threads):
    scene = draw((height, width), height * 200 + width)
    asked: list = []
    found = list(
        halo.pieces(
            network(far_sighted),
            reader(scene, asked),
            shape=(height, width),
            most_pixels=side**2,
            threads=threads,
        )
    )
    out = put_together(found, (height, width))
    padded = np.full((3, *(-(-n // 8) * 8 for n in (height, width))), np.nan, np.float32)
    padded[:, :height, :width] = scene
    expected = far_sighted(padded[None])[0][:, :height, :width]
    expected = np.where(np.isfinite(scene).any(axis=0), expected, np.nan)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert max(asked) <= max(side**2, (2 * HALO + STRIDE) ** 2), "a piece with its halo is as large as was allowed"


def test_a_network_of_one_value_comes_back():
    def constant(inputs: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.float32([0.3, 0.05])[:, None, None], (len(inputs), 2, *inputs.shape[2:]))

    scene = draw((170, 90), 2)
    seen = np.isfinite(scene).any(axis=0)
    one = network(constant)
    pieces = put_together(list(halo.pieces(one, reader(scene), shape=(170, 90), most_pixels=60**2)), (170, 90))
    strips = np.concatenate(
        [s.probability for s in predict_scenes.strips([one], reader(scene), shape=(170, 90))], axis=1
    )
    for found in (pieces, strips):
        assert np.array_equal(np.isfinite(found[0]), seen)
        np.testing.assert_allclose(found[:, seen].T, np.tile([0.3, 0.05], (seen.sum(), 1)), atol=1e-6)


def test_an_angle_alone_is_no_radar():
    scene = np.ones((3, 16, 16), np.float32)
    scene[:2, :8] = np.nan
    scene[0, 8:12] = np.nan
    found = halo.whole(network(far_sighted), reader(scene), shape=(16, 16), needs=("hh", "hv"))
    assert np.isnan(found[:, :8]).all() and np.isfinite(found[:, 8:]).all()
    assert np.isfinite(halo.whole(network(far_sighted), reader(scene), shape=(16, 16))).all()
    with pytest.raises(UsageError, match="has no sensor vv; expected some of hh, hv, incidence"):
        halo.whole(network(far_sighted), reader(scene), shape=(16, 16), needs=("vv",))


@pytest.mark.parametrize("more", [{"halo": 0}, {"is_fixed": True}, {"halo": 20}])
def test_a_network_that_does_not_say_how_far_it_sees_is_an_error(more):
    with pytest.raises(UsageError, match=r"states halo .*; expected free sizes and a halo that is a multiple"):
        halo.whole(network(far_sighted, **more), reader(draw((20, 20), 1)), shape=(20, 20))


def test_the_spread_and_intervals_are_those_of_the_description():
    rng = np.random.default_rng(3)
    fitted = spread.fit(rng.random(4000), rng.uniform(0.01, 0.3, 4000), rng.random(4000))
    one = network(far_sighted, spread={"concentration": fitted.as_dict()})
    again = json.loads(json.dumps(one.description.as_json()))
    one = dataclasses.replace(one, description=predict_scenes.Description.model_validate(again))
    planes = np.stack([rng.random((6, 5)), rng.uniform(0.01, 0.3, (6, 5))]).astype(np.float32)
    planes[:, 0, 0] = np.nan
    found = halo.uncertain(one, planes, name="concentration")
    seen = np.isfinite(planes[0])
    said = fitted.of(planes[1][seen])
    np.testing.assert_allclose(found.spread[seen], said, rtol=1e-6)
    ends = fitted.intervals(planes[0][seen], said)
    np.testing.assert_allclose(np.stack([found.lower, found.upper], axis=1)[:, :, seen], ends, rtol=1e-6)
    assert np.isnan(found.spread[~seen]).all() and np.isnan(found.lower[:, ~seen]).all()
    with pytest.raises(UsageError, match="has no spread of stage; expected one of concentration"):
        halo.uncertain(one, planes, name="stage")


def shipped_of_ice() -> list[str]:
    found = [n for n in runtime.shipped(family="scenes") if predict_scenes.load(n).description.halo]
    return [n for n in found if predict_scenes.load(n).description.sensor_table == "radar_ice"]


@pytest.mark.parametrize("name", shipped_of_ice())
def test_the_shipped_network_in_pieces_is_the_whole_scene(name):
    """Trained weights: with untrained ones a short halo passes."""
    loaded = predict_scenes.load(name, runtime="onnxruntime")
    rng = np.random.default_rng(5)
    y, x = np.indices((420, 400)) / 60.0
    ice = np.sin(x) * np.cos(y) > 0.2
    scene = np.stack([np.where(ice, -14.0, -22.0), np.where(ice, -24.0, -32.0), 20.0 + 4.0 * x]).astype(np.float32)
    scene[:2] += rng.normal(0, 1.0, (2, 420, 400)).astype(np.float32)
    scene[:, 200:240, 180:260] = np.nan
    whole = halo.whole(loaded, reader(scene), shape=(420, 400))
    side = 2 * loaded.description.halo + 4 * loaded.description.stride
    pieces = put_together(list(halo.pieces(loaded, reader(scene), shape=(420, 400), most_pixels=side**2)), (420, 400))
    assert np.nanstd(whole[0]) > 0.1
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
