"""Where the mapped area is not what the probabilities expect, a note says so; the hatching of a doubtful map waits."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from polynya.report import glacier_layers
from polynya.workflows import glaciers

from . import pieces


@pytest.fixture(scope="module")
def disc(tmp_path_factory):
    """One glacier with a wide margin: the probability is a logistic of the distance to it, with 60 m."""
    folder = tmp_path_factory.mktemp("wide")
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=700.0)
    image = pieces.optical_of(np.clip(inside / 60.0, -8, 8))
    return pieces.write_scene(folder / "disc", pieces.grid(120, 130), optical=image), pieces.linear_network(
        folder / "undo.onnx"
    )


def notes(scene, network, out, threshold):
    config = glaciers.Config.checked(network=(str(network),), runtime="onnxruntime", threshold=threshold)
    result = glaciers.run([scene], out=out, config=config)
    return result, [n for n in result.notes if "the probabilities expect" in n]


def test_a_threshold_that_maps_more_than_is_expected_is_said(disc, tmp_path):
    usual, said = notes(*disc, tmp_path / "half", 0.5)
    assert said == []
    wide, said = notes(*disc, tmp_path / "tenth", 0.1)
    (line,) = said
    assert f"the outlines hold {wide.total.value:.2f} km2" in line
    expected = float(line.split("expect ")[1].split(" km2")[0])
    assert wide.total.value > 1.3 * usual.total.value and expected == pytest.approx(usual.total.value, rel=0.15)


@pytest.mark.parametrize(("doubtful", "is_on"), [(0.2, True), (0.8, False)])
def test_a_hatching_that_would_hide_the_image_is_not_shown_at_first(doubtful, is_on):
    frame = gpd.GeoDataFrame(geometry=[box(0, 0, 100, 100)], crs=32645)
    band = glacier_layers.over(frame, numbers=("1",), band=frame, doubtful=doubtful)[0]
    assert band.name == "band" and band.is_on is is_on
    assert ("80% of the map" in band.title) is not is_on
