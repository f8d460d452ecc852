"""A map where one sensor ends inside the scene: no seam, the full map away from the edge, the other map beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.predict import fading
from polynya.predict import scenes as predict_scenes

from ..workflows.glaciers import pieces

SHAPE = (170, 190)
DEM = slice(6, 8)


def edge(kind: str) -> np.ndarray:
    """Return where the DEM is missing."""
    row, column = np.indices(SHAPE)
    return {
        "below": row >= 97,
        "left": column < 61,
        "slanted": row + column // 2 > 160,
        "hole": np.hypot(row - 80, column - 90) < 30,
    }[kind]


def bands(void: np.ndarray) -> np.ndarray:
    """Return optical and DEM bands; the DEM alone adds 2 to the logit."""
    slope = 0.02 * (np.indices(SHAPE)[1] - 95.0)
    optical = pieces.optical_of(slope - 1.0)
    dem = np.where(void, np.nan, 2.0)[None].repeat(2, axis=0)
    return np.concatenate([optical, dem]).astype(np.float32)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "both.onnx"
    weights = {("optical", 0): 40.0, ("dem", 0): 1.0}
    pieces.linear_network(path, weights, bias=-20.0, sensors=("optical", "dem"), size=64)
    return predict_scenes.load(path, runtime="onnxruntime")


def mapped(network, values: np.ndarray, **averaging: object) -> np.ndarray:
    how = predict_scenes.Averaging(**averaging)
    strips = predict_scenes.strips([network], lambda r, c: values[:, r, c], shape=SHAPE, threads=1, averaging=how)
    return np.concatenate([s.probability[1] for s in strips])


FADE = fading.Fade(bands=DEM, image=tuple(range(6)))


@pytest.mark.parametrize("kind", ["below", "left", "slanted", "hole"])
def test_no_seam_along_an_edge(network, kind):
    void = edge(kind)
    values = bands(void)
    blank = values.copy()
    blank[DEM] = np.nan
    without, plain, faded = mapped(network, blank), mapped(network, values), mapped(network, values, fade=FADE)
    np.testing.assert_allclose(faded[void], without[void], atol=1e-6)
    across = [(void[1:] != void[:-1], 0), (void[:, 1:] != void[:, :-1], 1)]
    for at, axis in across:
        if at.any():
            assert np.abs(np.diff(plain, axis=axis))[at].min() > 0.1  # what it was
            assert np.abs(np.diff(faded, axis=axis))[at].max() < 0.02
    from scipy.ndimage import distance_transform_edt

    far = distance_transform_edt(~void) > FADE.width_px + 1
    np.testing.assert_allclose(faded[far], plain[far], atol=1e-6)
    step = max(np.abs(np.diff(faded, axis=a)).max() for a in (0, 1))
    assert step < 0.5 * 2.0 / FADE.width_px  # the logit gains 2 over the width, 1.5 times as fast in its middle


def test_rotations_fade_alike(network):
    values = bands(edge("slanted"))
    once = mapped(network, values, fade=FADE)
    turned = mapped(network, values, fade=FADE, turns=8)
    np.testing.assert_allclose(turned, once, atol=1e-5)


def test_what_is_whole_or_absent_or_a_crack_is_left_to_the_network(network):
    crack = np.zeros(SHAPE, bool)
    crack[:, 50:56] = True
    for void in (np.zeros(SHAPE, bool), np.ones(SHAPE, bool), crack):
        values = bands(void)
        assert fading.weights(values, FADE) is None
        np.testing.assert_array_equal(mapped(network, values, fade=FADE), mapped(network, values))


def test_ground_without_an_image_is_no_edge():
    """The DEM ends where the image ends: there is no map beyond, so nothing fades."""
    void = edge("below")
    values = bands(void)
    values[:6, void] = np.nan
    assert fading.weights(values, FADE) is None
    assert fading.weights(values, fading.Fade(bands=DEM)) is not None
