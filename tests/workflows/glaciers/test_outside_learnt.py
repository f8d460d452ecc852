"""Maps outside what a network learnt: resampled and said, without an interval, or rejected."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.workflows import glaciers

from . import pieces

RADIUS, CENTRE = 900.0, (1500.0, 1300.0)


def scene(folder, pixel_m, **more):
    shape = (int(2600 / pixel_m), int(3000 / pixel_m))
    inside = pieces.discs(shape, pixel_m=pixel_m, centres=[CENTRE], radius_m=RADIUS)
    optical = pieces.optical_of(np.clip(inside / 30.0, -8, 8))
    return pieces.write_scene(folder, pieces.grid(*shape, pixel_m=pixel_m), optical=optical, **more)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return pieces.linear_network(tmp_path_factory.mktemp("net") / "undo.onnx")


def run(path, out, *networks, **more):
    names = tuple(str(n) for n in networks)
    return glaciers.run([path], out=out, config=glaciers.Config.checked(network=names, runtime="onnxruntime", **more))


@pytest.mark.parametrize(("pixel_m", "mapped_m", "has_interval"), [(4.0, 12.0, True), (45.0, 22.5, False)])
def test_pixels_that_it_does_not_know_are_resampled(network, tmp_path, pixel_m, mapped_m, has_interval):
    result = run(scene(tmp_path / "s", pixel_m), tmp_path / "out", network)
    truth = np.pi * RADIUS**2 * 1e-6
    assert result.total.value == pytest.approx(truth, rel=0.02)
    assert any(f"to {mapped_m:.3g} x {mapped_m:.3g} m: undo was trained on 10 to 30 m" in n for n in result.notes)
    assert np.isfinite(result.total.low) == has_interval
    record, page = io.read_json(tmp_path / "out/run.json"), (tmp_path / "out/report.html").read_text()
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet")
    if has_interval:
        assert result.total.low < truth < result.total.high and record["no_interval"] == ""
    else:
        assert "pixels are larger than those that undo learnt" in record["no_interval"]
        assert "No intervals: pixels are larger" in page and table["area_low_km2"].isna().all()


def test_too_coarse_is_rejected_and_the_rule_takes_it(network, tmp_path):
    path = scene(tmp_path / "s", 100.0)
    words = ["glaciers", path, "-o", tmp_path / "out", "--network", network]
    done = CliRunner().invoke(app, [str(w) for w in words])
    assert "pixels of 100 x 100 m" in str(done.exception) and not (tmp_path / "out").exists()
    glaciers.run([path], out=tmp_path / "rule", config=glaciers.Config.checked(network=("rule",)))


def test_without_the_image_that_was_always_there_no_interval(tmp_path):
    dem = np.stack([np.full((130, 150), 3000.0), np.full((130, 150), 3.0)])
    path = scene(tmp_path / "s", 20.0, dem=dem)
    recipe = {"scene": {"always": ["optical"]}}
    net = pieces.linear_network(tmp_path / "net.onnx", {("dem", 1): 0.5}, recipe=recipe)
    result = run(path, tmp_path / "out", net, sensors=("dem",))
    assert result.total.value > 5 and np.isnan(result.total.low)
    why = io.read_json(tmp_path / "out/run.json")["no_interval"]
    assert why == "without an optical image net is outside what it learnt"
    assert any(n == f"no intervals: {why}" for n in result.notes)
    with_image = run(path, tmp_path / "with", net)
    assert np.isfinite(with_image.total.low)


def test_json_says_that_there_is_no_interval(network, tmp_path):
    words = ["glaciers", scene(tmp_path / "s", 50.0), "-o", tmp_path / "o", "--network", network, "--json"]
    done = CliRunner().invoke(app, [str(w) for w in [*words, "--runtime", "onnxruntime"]])
    told = json.loads(done.stdout)
    assert told["area_km2"] > 2 and told["area_low_km2"] is None and told["area_high_km2"] is None
