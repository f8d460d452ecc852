"""polynya seaice from the command line: products, resuming, several scenes, and input that is none."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

pytest.importorskip("onnx")

from polynya.cli import app
from polynya.errors import UsageError
from polynya.io import polygons
from polynya.readers import ice_images
from polynya.schema.optical_ice_maps import BITS
from polynya.workflows import seaice as workflow

from . import ice_networks

SHAPE = (150, 200)
GRID = Affine(10.0, 0.0, 300_000.0, 0.0, -10.0, -900_000.0)
runner = CliRunner()


def invoke(*args):
    return runner.invoke(app, ["seaice", *map(str, args)])


def picture() -> np.ndarray:
    """Return counts (3, h, w): water with two floes, one cut by the border, on thin ice in the right half."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    grey = np.where(x >= 100, 110, 20).astype(np.uint8)
    grey[(y - 60) ** 2 + (x - 60) ** 2 <= 30**2] = 225
    grey[(y - 100) ** 2 + (x - 199) ** 2 <= 20**2] = 225
    return np.repeat(grey[None], 3, axis=0)


def write(path: Path, counts: np.ndarray, *, crs="EPSG:3413", tags=None, driver="GTiff") -> Path:
    place = {"crs": crs, "transform": GRID} if crs else {}
    size = {"width": counts.shape[2], "height": counts.shape[1], "count": len(counts)}
    with rasterio.open(path, "w", driver=driver, dtype=counts.dtype, **size, **place) as file:
        file.write(counts)
        if tags:
            file.update_tags(**tags)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Map one image by the network; return its folder, the image and the network."""
    base = tmp_path_factory.mktemp("seaice")
    network = ice_networks.by_brightness(base / "net.onnx")
    image = write(base / "image.tif", picture())
    found = invoke(image, "-o", base / "out", "--network", network)
    assert found.exit_code == 0, found.output
    return base / "out" / "image", image, network, found.output


def test_classes_and_probabilities_say_what_they_hold(made):
    folder, *_ = made
    truth = np.select([picture()[0] == 20, picture()[0] == 110], [0, 1], 2)
    with rasterio.open(folder / "classes.tif") as file:
        assert (file.read(1) == truth).all()
        assert file.tags()["classes"].startswith("0 water, 1 thin_ice") and file.scales == (1.0, 0.01)
        assert file.colormap(1)[2][:3] == (242, 242, 246) and file.crs.to_epsg() == 3413
        confidence = file.read(2) * 0.01
    with rasterio.open(folder / "probabilities.tif") as file:
        p = file.read() * file.scales[0]
        assert file.descriptions == ice_networks.CLASSES
    assert np.abs(p.sum(axis=0) - 1.0).max() < 0.02
    assert np.abs(p.max(axis=0) - confidence).max() < 0.02
    with rasterio.open(folder / "quality_flag.tif") as file:
        assert not file.read().any()


def test_floes_and_fractions(made):
    folder, _, _, text = made
    floes, run = gpd.read_file(folder / "floes.gpkg"), json.loads((folder / "run.json").read_text())
    assert floes["touches_border"].tolist() == [False, True]
    assert floes["mean_caliper_m"][0] == pytest.approx(610.0, rel=0.03)
    assert floes.geometry[0].area == pytest.approx(100.0 * floes["n_pixels"][0])
    ice = (picture()[0] > 20).mean()
    numbers = run["numbers"]
    assert numbers["ice_fraction"] == pytest.approx(ice, abs=0.02)
    assert numbers["ice_fraction_low"] - 1e-9 <= numbers["ice_fraction"] <= numbers["ice_fraction_high"] + 1e-9
    rule = run["shares"]["rule"]
    assert rule["water"] == pytest.approx((picture()[0] <= 30).mean(), rel=1e-4)
    assert rule["thick_ice"] == pytest.approx((picture()[0] > 204).mean(), rel=1e-4)
    assert "No exponent of the floe sizes" in text and "if all pixels err alike" in text
    assert "thresholds 30 and 204" in (folder / "report.html").read_text()


def test_a_finished_image_is_skipped_and_a_foreign_folder_kept(made, tmp_path):
    folder, image, network, _ = made
    again = invoke(image, "-o", folder.parent, "--network", network)
    assert again.exit_code == 0 and "skipped" in again.output
    other = invoke(image, "-o", folder.parent, "--network", network, "--part-px", "1")
    assert other.exit_code != 0 and "--overwrite" in other.output
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "thesis.txt").write_text("mine")
    foreign = invoke(image, "-o", tmp_path, "--network", network)
    assert foreign.exit_code == 1 and len(foreign.output.strip().splitlines()) == 1
    assert (tmp_path / "image" / "thesis.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image"]


def test_several_scenes_a_failure_among_them(made, tmp_path):
    _, image, network, _ = made
    (tmp_path / "cut.tif").write_bytes(image.read_bytes()[:2000])
    second = write(tmp_path / "second.png", picture(), crs=None, driver="PNG")
    found = invoke(image, tmp_path / "cut.tif", second, "-o", tmp_path / "out", "--network", network, "--json")
    answer = json.loads(found.stdout[: found.stdout.rindex("}") + 1])
    assert found.exit_code == 3 == answer["exit_code"]
    assert [s["status"] for s in answer["scenes"]] == ["done", "failed", "done"]
    assert not (tmp_path / "out" / "cut").exists() and (tmp_path / "out" / "index.html").exists()
    pixels = gpd.read_parquet(tmp_path / "out" / "second" / "floes.parquet")
    assert pixels["mean_caliper_px"][0] == pytest.approx(61.0, rel=0.03) and "area_m2" not in pixels
    run = json.loads((tmp_path / "out" / "second" / "run.json").read_text())
    assert any("all lengths are in pixels" in m for m in run["messages"])


def test_the_rule_has_no_probabilities_and_says_so(made, tmp_path):
    _, _, _, _ = made
    image = write(tmp_path / "a.tif", picture(), crs=None, tags={"simulated_by": "polynya; no measurement"})
    found = invoke(image, "-o", tmp_path / "out", "--method", "rule", "--pixel-m", "4")
    folder = tmp_path / "out" / "a"
    assert found.exit_code == 0 and not (folder / "probabilities.tif").exists()
    assert "no interval" in found.output and "of the sea (uncertainty unknown" in found.output
    assert gpd.read_file(folder / "floes.gpkg")["mean_caliper_m"][0] == pytest.approx(4 * 61.0, rel=0.03)
    with rasterio.open(folder / "classes.tif") as file:
        assert "simulated" in file.tags()
    page = (folder / "report.html").read_text()
    assert "(simulated)" in page and "no satellite took it" in page


def test_thresholds_map_where_no_network_is_named_or_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(workflow.mapper.predict_runtime, "WEIGHTS", tmp_path)
    assert workflow.mapper.load(workflow.Config()).name == "rule"
    for asked in (workflow.Config(method="network"), workflow.Config(network="another")):
        with pytest.raises(UsageError, match="no such network"):
            workflow.mapper.load(asked)


def test_thresholds_of_true_colour_take_reflectance_as_sentinel_2_shows_it(tmp_path):
    # true colour of Sentinel-2 shows 0.3558 as 255: 30 counts are a reflectance of 0.042, 204 of 0.285
    reflectance = np.repeat(np.array([0.03, 0.2, 0.6], np.float32), 20)[None, None].repeat(3, 0).repeat(20, 1)
    write(tmp_path / "r.tif", reflectance, crs="EPSG:3413")
    assert invoke(tmp_path / "r.tif", "-o", tmp_path / "out", "--method", "rule").exit_code == 0
    with rasterio.open(tmp_path / "out" / "r" / "classes.tif") as file:
        assert file.read(1)[5, ::20].tolist() == [0, 1, 2]


def test_a_chart_beside_the_map(made, tmp_path):
    _folder, image, network, _ = made
    left, right = shapely.box(300_000, -901_500, 301_000, -900_000), shapely.box(301_000, -901_500, 302_000, -900_000)
    codes = {"CT": [50, 92], "CA": [-9, -9], "SA": [87, 87], "FA": [4, 4], "POLY_TYPE": ["I", "I"]}
    chart = gpd.GeoDataFrame(codes, geometry=[left, right], crs="EPSG:3413")
    polygons.write(chart, tmp_path / "chart.gpkg")
    found = invoke(image, "-o", tmp_path / "out", "--network", network, "--chart", tmp_path / "chart.gpkg")
    assert found.exit_code == 0 and "map minus chart" in found.output
    rows = json.loads((tmp_path / "out" / "image" / "run.json").read_text())["chart"]
    truth = (picture()[0] > 20)[:, :100].mean(), (picture()[0] > 20)[:, 100:].mean()
    assert [r["map_percent"] for r in rows] == pytest.approx([100 * t for t in truth], abs=1.0)
    assert rows[0]["chart_percent"] == pytest.approx(50.0)
    assert "Beside the ice chart" in (tmp_path / "out" / "image" / "report.html").read_text()
    plain = write(tmp_path / "plain.png", picture(), crs=None, driver="PNG")
    none = invoke(plain, "-o", tmp_path / "out", "--network", network, "--chart", tmp_path / "chart.gpkg")
    assert none.exit_code == 1 and "no coordinate system" in none.output


def fake(monkeypatch, **changes):
    """Let the front door give an image with masks."""
    real = ice_images.open_image

    def opened(path):
        from dataclasses import replace

        return replace(real(path), **changes)

    monkeypatch.setattr(ice_images, "open_image", opened)


def test_land_is_never_ice_and_cloud_has_no_class(made, tmp_path, monkeypatch):
    _, image, network, _ = made
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    land, cloud = x < 50, y > 120
    fake(monkeypatch, land=lambda r, c: land[r, c], cloud=lambda r, c: cloud[r, c])
    assert invoke(image, "-o", tmp_path, "--network", network).exit_code == 0
    with rasterio.open(tmp_path / "image" / "classes.tif") as file:
        codes, confidence = file.read()
    with rasterio.open(tmp_path / "image" / "quality_flag.tif") as file:
        bits = file.read(1)
    assert (codes[cloud] == 255).all() and (codes[land & ~cloud] == 4).all()
    assert (confidence[land | cloud] == 255).all()
    assert ((bits & BITS["land_mask"]) > 0).tolist() == land.tolist() and (bits[cloud] & BITS["cloud"]).all()
    floes = gpd.read_file(tmp_path / "image" / "floes.gpkg")
    assert floes["touches_land"][0] and not floes.intersects(shapely.box(300_000, -902_000, 300_490, -900_000)).any()


def test_pixels_of_another_size_and_colours_that_ice_has_not_widen_the_interval(made, tmp_path, monkeypatch):
    _, _, _, _ = made
    network = ice_networks.by_brightness(tmp_path / "soft.onnx", sharp=0.02)
    run = {}
    for name, size, green in (("large", "200", False), ("green", "10", True)):
        counts = picture()
        if green:
            counts[0, 20:80], counts[2, 20:80] = 10, 10
            counts[1, 20:80] = 250
        image = write(tmp_path / f"{name}.tif", counts, crs=None)
        assert invoke(image, "-o", tmp_path / "out", "--network", network, "--pixel-m", size).exit_code == 0
        run[name] = json.loads((tmp_path / "out" / name / "run.json").read_text())
    width = {k: r["numbers"]["ice_fraction_high"] - r["numbers"]["ice_fraction_low"] for k, r in run.items()}
    assert width["large"] > 0.5  # log odds of 2 or so, halved, lie within the interval everywhere
    assert any("has learned from 1 to 50 m" in m for m in run["large"]["messages"])
    assert any("strongly coloured" in m for m in run["green"]["messages"])
    with rasterio.open(tmp_path / "out" / "green" / "quality_flag.tif") as file:
        assert (file.read() & BITS["unlike_training"]).all()


BAD = {
    "two bands": (lambda p: write(p, picture()[:2]), "expected red, green and blue"),
    "no pixel": (lambda p: write(p, np.zeros((3, 80, 80), np.uint8)), "no pixel can be mapped"),
    "no image": (lambda p: p.write_text("not an image") and p, "bad.tif"),
    "missing": (lambda p: p, "bad.tif"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(made, tmp_path, monkeypatch, case):
    _, _, network, _ = made
    make, words = BAD[case]
    path = make(tmp_path / "bad.tif")
    if case == "no pixel":
        real = ice_images.open_image
        hidden = np.ones((80, 80), bool)

        def opened(path):
            from dataclasses import replace

            return replace(real(path), cloud=lambda r, c: hidden[r, c])

        monkeypatch.setattr(ice_images, "open_image", opened)
    found = invoke(path, "-o", tmp_path / "out", "--network", network)
    assert found.exit_code == 1 and len(found.output.strip().splitlines()) == 1 and words in found.output
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_mask_of_another_size_is_rejected(made, tmp_path, monkeypatch):
    _, image, network, _ = made
    fake(monkeypatch, land=lambda r, c: np.zeros((10, 10), bool))
    found = invoke(image, "-o", tmp_path / "out", "--network", network)
    assert found.exit_code == 1 and "a mask has 10 x 10 pixels" in found.output
    assert not list(tmp_path.glob("out/*"))


def test_networks_and_classes_that_do_not_fit(made, tmp_path):
    _, image, _, _ = made
    from polynya.targets import OneOf

    strange = ice_networks.about(
        predicts=OneOf(classes=("sea", "floe", "thick_ice", "melt_pond", "land", "x")).model_dump()
    )
    network = ice_networks.by_brightness(tmp_path / "n.onnx", described=strange)
    out = ("-o", tmp_path / "out", "--network", network)
    unknown = invoke(image, *out)
    assert unknown.exit_code == 1 and "--classes floe=" in str(unknown.exception)
    named = invoke(image, *out, "--classes", "floe=thin", "--classes", "x=land")
    assert named.exit_code == 0, named.output
    for options in (
        (*out, "--classes", "nothing=thin"),
        (*out, "--classes", "floe"),
        ("-o", tmp_path / "o", "--network", "no-such"),
        ("-o", tmp_path / "o", "--method", "magic"),
    ):
        assert isinstance(invoke(image, *options).exception, UsageError)
    other = ice_networks.by_brightness(tmp_path / "r.onnx", described=ice_networks.about(sensor_table="glaciers"))
    assert "optical_ice" in str(invoke(image, "-o", tmp_path / "o", "--network", other).exception)


def test_names_of_folders():
    assert workflow.name_of("a/S2A_x.SAFE") == "S2A_x"
    assert workflow.name_of("a/day.2024.tif") == "day.2024"
    assert workflow.name_of("a/folder.d") == "folder.d"
