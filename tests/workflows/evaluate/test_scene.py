"""polynya evaluate and polynya change for glaciers, from files and through the command line."""

from __future__ import annotations

import json
import shutil

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import ProductError
from polynya.evaluate import scene_text
from polynya.io import polygons
from polynya.sensors.glaciers import TABLE
from polynya.workflows.evaluate import scene
from tests.real_files import real

GRID = GeoBox((150, 200), Affine(20.0, 0, 500_000.0, 0, -20.0, 5_200_000.0), "EPSG:32632")


def write(path, values, *, grid=GRID, names=(), **profile):
    values = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        crs=str(grid.crs),
        transform=grid.transform,
        **profile,
    ) as out:
        out.write(values)
        for k, name in enumerate(names):
            out.set_band_description(k + 1, name)
    return path


@pytest.fixture
def made(tmp_path):
    """A scene of 4 x 3 km: ice in the upper left, snow elsewhere that the classical rule takes for ice, DEM that knows
    half of it."""
    truth = np.zeros((150, 200), np.uint8)
    truth[20:100, 20:120] = 1
    truth[100:120, 20:120] = 2
    truth[:5] = 255
    strata = np.zeros_like(truth)
    strata[130:, 100:] = 1
    optical = np.full((6, 150, 200), 0.15, np.float32)
    optical[:4, truth == 1] = 0.7
    optical[:4, strata == 1] = 0.8
    optical[4:, (truth == 1) | (strata == 1)] = 0.05
    rows, columns = np.mgrid[0:150, 0:200]
    dem = np.stack([3000.0 - 5 * rows, np.where(columns < 130, 10.0, 40.0)]).astype(np.float32)
    folder = tmp_path / "scene"
    folder.mkdir()
    write(folder / "optical.tif", optical, names=TABLE["optical"].band_names, nodata=float("nan"))
    write(folder / "dem.tif", dem, names=TABLE["dem"].band_names, nodata=float("nan"))
    write(folder / "truth.tif", truth, nodata=255)
    write(folder / "strata.tif", strata)
    (folder / "scene.json").write_text(json.dumps({"name": "made", "time": "2020-08-01T10:00:00Z", "region": "ALP"}))
    probability = np.where((truth == 1) | (truth == 2), 0.9, 0.1).astype(np.float32)
    probability[:, 110:120] = 0.2  # a strip missed
    write(tmp_path / "probability.tif", probability, nodata=float("nan"))
    outline = gpd.GeoDataFrame(
        {"rgi_id": ["a"]}, geometry=[box(500_400, 5_197_600, 502_200, 5_199_600)], crs="EPSG:32632"
    )
    polygons.write(outline, tmp_path / "mapped.gpkg")
    polygons.write(
        outline.set_geometry([box(500_400, 5_197_600, 502_400, 5_199_600)], crs="EPSG:32632"), tmp_path / "rgi.parquet"
    )
    return tmp_path


def lookup(table):
    return {(r["prediction"], r["stratum"], r["metric"]): r for r in table.to_pylist()}


def test_a_probability_against_truth_beside_the_rules(made):
    table = scene.run(made / "probability.tif", reference=made / "scene" / "truth.tif", scene=made / "scene")
    found = lookup(table)
    assert found[("given", "all", "iou")]["value"] == pytest.approx(0.9)
    assert {r["region"] for r in table.to_pylist()} == {"ALP"}
    assert found[("given", "debris_covered_ice", "recall")]["value"] == pytest.approx(0.9)
    assert (
        found[("given", "seasonal_snow", "false_alarm_rate")]["value"] == 0.0
        and found[("given", "seasonal_snow", "iou")]["n"] == 20 * 100
    )
    # NDSI takes the clean ice and the snow, and no debris
    assert found[("classical", "all", "iou")]["value"] == pytest.approx(8000 / (10_000 + 2000))
    assert found[("all_glacier", "all", "iou")]["value"] == pytest.approx(10_000 / (145 * 200))
    assert 0.3 < found[("dem_only", "all", "iou")]["value"] < 1.0
    assert found[("given", "all", "brier_score")]["value"] == pytest.approx(
        (0.01 * (145 * 200 - 1000 - 10 * 45) + 0.04 * 450 + 0.64 * 1000) / (145 * 200), rel=1e-3
    )
    text = scene_text.summary(table)
    assert "classical" in text and "seasonal snow" in text and "brier skill" in text and "0.900" in text


def test_outlines_against_outlines_with_a_scene(made):
    found = lookup(scene.run(made / "mapped.gpkg", reference=made / "rgi.parquet", scene=made / "scene"))
    assert found[("given", "all", "iou")]["value"] == pytest.approx(0.9, rel=1e-6) and found[
        ("given", "all", "area_map")
    ]["value"] == pytest.approx(3.6)
    assert found[("given", "all", "mean_distance_from_reference")]["value"] > 0
    assert ("classical", "all", "iou") in found and ("given", "seasonal_snow", "iou") in found
    alone = lookup(scene.run(made / "mapped.gpkg", reference=made / "rgi.parquet"))
    assert {k[0] for k in alone} == {"given"} and alone[("given", "all", "polis")]["value"] == pytest.approx(
        found[("given", "all", "polis")]["value"]
    )


@pytest.mark.parametrize(("out", "reference"), [("probability.tif", "rgi.parquet"), ("mapped.gpkg", "scene/truth.tif")])
def test_rasters_and_outlines_mix(made, out, reference):
    found = lookup(scene.run(made / out, reference=made / reference))
    assert found[("given", "all", "iou")]["value"] == pytest.approx(0.9)


def test_the_labelled_ground_and_other_grids(made):
    ground = gpd.GeoDataFrame(geometry=[box(500_000, 5_197_000, 502_200, 5_200_000)], crs="EPSG:32632")
    polygons.write(ground, made / "ground.gpkg")
    assert (
        lookup(scene.run(made / "probability.tif", reference=made / "rgi.parquet", within=made / "ground.gpkg"))[
            ("given", "all", "iou")
        ]["value"]
        == 1.0
    )
    coarse = GeoBox((75, 100), GRID.transform * Affine.scale(2), "EPSG:32632")
    truth = np.zeros((75, 100), np.uint8)
    truth[10:60, 10:60] = 1
    write(made / "coarse.tif", truth, grid=coarse, nodata=0)
    found = lookup(scene.run(made / "probability.tif", reference=made / "coarse.tif"))
    assert found[("given", "all", "iou")]["value"] == pytest.approx(0.9) and found[("given", "all", "iou")]["n"] == 7500


def test_what_does_not_fit_is_one_line(made):
    far = write(
        made / "far.tif",
        np.ones((9, 9), np.uint8),
        grid=GeoBox((9, 9), Affine(20, 0, 100_000, 0, -20, 4_000_000), "EPSG:32632"),
    )
    write(made / "strange.tif", np.full((150, 200), 100, np.uint8))
    cases = {
        (made / "none.tif", made / "rgi.parquet"): "no such file",
        (made / "probability.tif", made / "none.tif"): "no such file",
        (made / "scene", made / "rgi.parquet"): "holds neither",
        (made / "mapped.gpkg", made / "probability.tif"): "floating-point numbers; expected classes",
        (far, made / "rgi.parquet"): r"rgi.parquet: lies \d+\.\d km away",
        (made / "mapped.gpkg", far): "far.tif: lies",
        (made / "probability.tif", made / "strange.tif"): "holds the value 100",
    }
    for (out, reference), words in cases.items():
        with pytest.raises(ProductError, match=words) as error:
            scene.run(out, reference=reference)
        assert "\n" not in str(error.value) and "expected" in str(error.value)


def test_a_map_that_misses_every_glacier_is_judged_and_a_reference_beside_the_scene_is_not(made):
    """A map whose ice lies 2 km from the reference's scores 0; a reference that misses the scene is a mistake."""
    beside = made / "beside.gpkg"
    polygons.write(
        gpd.GeoDataFrame(
            {"rgi_id": ["x"], "area_km2": [1.0]},
            geometry=[box(505_000, 5_198_000, 506_000, 5_199_000)],
            crs="EPSG:32632",
        ),
        beside,
    )
    assert lookup(scene.run(beside, reference=made / "rgi.parquet"))[("given", "all", "iou")]["value"] == 0.0
    with pytest.raises(ProductError, match=r"beside.gpkg: lies 1.0 km away from made"):
        scene.run(made / "mapped.gpkg", reference=beside, scene=made / "scene")


def test_a_file_that_is_no_earlier_table_stays(made, tmp_path):
    reference, text = tmp_path / "mine.parquet", tmp_path / "t.parquet"
    shutil.copyfile(made / "rgi.parquet", reference)
    text.write_text("precious")
    words = ["evaluate", str(made / "mapped.gpkg"), "-r", str(reference), "--table"]
    for path in (reference, text, tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        done = CliRunner().invoke(app, [*words, str(path)])
        assert "is no table that polynya evaluate wrote" in str(done.exception) + done.output
        assert before == (path.read_bytes() if path.is_file() else b"")
    for _ in range(2):
        assert CliRunner().invoke(app, [*words, str(tmp_path / "new.parquet")]).exit_code == 0


def test_the_commands(made):
    run = CliRunner().invoke
    done = run(
        app,
        [
            "evaluate",
            str(made / "mapped.gpkg"),
            "-r",
            str(made / "rgi.parquet"),
            "--table",
            str(made / "t.parquet"),
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    assert {"metric", "stratum", "prediction", "low"} <= set(json.loads(done.stdout)[0])
    assert pq.read_schema(made / "t.parquet").metadata[b"polynya_table"] == b"scene_evaluation"
    done = run(app, ["change", str(made / "rgi.parquet"), str(made / "mapped.gpkg"), "--position-error-m", "10"])
    assert (
        done.exit_code == 0
        and "-0.400 km2" in done.stdout
        and "moved by 1.96 x 10 m" in done.stdout
        and "-10.0 %" in done.stdout
    )
    told = json.loads(run(app, ["change", str(made / "rgi.parquet"), str(made / "mapped.gpkg"), "--json"]).stdout)
    assert (
        told["change"]["km2"] == pytest.approx(-0.4, rel=2e-3)
        and told["change"]["low"] is None
        and told["glaciers"][0]["rgi_id"] == "a"
    )
    assert "--position-error-m" in run(app, ["change", str(made / "rgi.parquet"), str(made / "mapped.gpkg")]).stdout


@pytest.mark.real
def test_the_trivial_scores_of_the_real_chips():
    """Everything-is-glacier on the west halves; the mask says how much of the labelled ground is ice."""
    path = real("../glaciers/everest_landsat7_2000/everest_l7_rgi60_mask_west.tif")
    with rasterio.open(path) as data:
        mask = data.read(1)
    found = lookup(scene.run(path, reference=path))
    share = (mask == 1).sum() / (mask != 255).sum()
    assert found[("all_glacier", "all", "iou")]["value"] == pytest.approx(share)
    assert found[("given", "all", "iou")]["value"] == 1.0 and found[("given", "all", "iou")]["n"] == (mask != 255).sum()


def test_the_band_of_several_is_the_one_of_that_name(tmp_path):
    """A name that only begins so is another band; none of the name is an error, not the first band."""
    values = np.zeros((2, *map(int, GRID.shape)), np.float32)
    values[1] = 0.7
    rows, columns = slice(0, 2), slice(0, 3)

    def read(*names: str) -> np.ndarray:
        path = tmp_path / "bands.tif"
        path.unlink(missing_ok=True)
        write(path, values, names=names)
        return scene._raster_reader(path, GRID, is_probability=None)(rows, columns)

    np.testing.assert_array_equal(read("glacier_lake", "glacier"), np.full((2, 3), np.float32(0.7)))
    with pytest.raises(
        ProductError, match=r"bands\.tif: none of its 2 bands is named glacier \(found glacier_lake, ice"
    ):
        read("glacier_lake", "ice")
