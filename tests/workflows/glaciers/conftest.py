"""Scenes and a network that tests of ``polynya glaciers`` share, written once a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from . import pieces


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A simulated scene of High Mountain Asia, 2.9 km wide, all six sensors."""
    from polynya.simulate.glaciers import files
    from polynya.simulate.glaciers.scene import Config, simulate_scene

    folder = tmp_path_factory.mktemp("simulated") / "sim"
    files.write(
        simulate_scene(Config(region="HMA", size=144, pixel_m=20.0, sun_elevation=35.0, cloud_cover=0.0), seed=5),
        folder,
    )
    return folder


@pytest.fixture(scope="module")
def disc(tmp_path_factory) -> Path:
    """A scene with one glacier, a disc of 700 m, its probability a logistic of the distance to the margin with 20 m."""
    geobox = pieces.grid(120, 130)
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=pieces.RADIUS)
    dem = np.stack([3000.0 + np.add.outer(np.arange(120), np.zeros(130)), np.full((120, 130), 3.0)])
    return pieces.write_scene(
        tmp_path_factory.mktemp("disc") / "disc",
        geobox,
        optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8)),
        dem=dem,
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return pieces.linear_network(tmp_path_factory.mktemp("networks") / "undo.onnx")
