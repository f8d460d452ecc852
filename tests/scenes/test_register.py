"""Shifts between a scene's sensors: what two pixels of tolerance mean."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics.misregistration import Shift
from polynya.scenes import register
from polynya.scenes import scene as glacier_scene
from tests.readers.scene_rasters import folder


@pytest.mark.parametrize(
    ("east_pixels", "north_pixels", "is_flagged"),
    [(0.0, 0.0, False), (1.9, -1.9, False), (2.1, 0.0, True), (0.5, -2.5, True)],
)
def test_a_sensor_more_than_two_pixels_off_is_flagged(tmp_path, monkeypatch, east_pixels, north_pixels, is_flagged):
    """Along either axis; 2.5 pixels are a glacier's margin of 75 m in Landsat's grid."""
    scene = glacier_scene.open_scene(folder(tmp_path / "s", sensors=("optical", "dem")))
    east, south = scene.pixel_m
    shift = Shift(
        east_m=east * east_pixels,
        north_m=south * north_pixels,
        pixels=max(abs(east_pixels), abs(north_pixels)),
        r_squared=0.5,
        score=90.0,
        confidence=0.9,
    )
    monkeypatch.setattr(register.misregistration, "estimate", lambda *args, **more: shift)
    (found,) = register.compare(scene)
    assert found.is_confident and found.is_flagged == is_flagged
    assert found.pixels == pytest.approx(max(abs(east_pixels), abs(north_pixels)))
    assert found.length_m == pytest.approx(np.hypot(shift.east_m, shift.north_m))


def test_a_shift_that_is_not_believed_flags_nothing(tmp_path, monkeypatch):
    scene = glacier_scene.open_scene(folder(tmp_path / "s", sensors=("optical", "dem")))
    for confidence, score, is_flagged in ((0.54, 90.0, False), (0.9, 19.0, False), (0.56, 21.0, True)):
        shift = Shift(east_m=300.0, north_m=0.0, pixels=30.0, r_squared=0.5, score=score, confidence=confidence)
        monkeypatch.setattr(register.misregistration, "estimate", lambda *args, shift=shift, **more: shift)
        assert register.compare(scene)[0].is_flagged == is_flagged
