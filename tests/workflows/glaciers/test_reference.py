"""``polynya glaciers --reference``: scores by stratum with intervals beside the rules, the reliability diagram, in the
folder and on the page."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from rasterio.features import geometry_mask

from polynya.errors import ProductError
from polynya.io import polygons
from polynya.report import glacier_map
from polynya.workflows import glaciers
from polynya.workflows.evaluate import scene as evaluate_scene
from polynya.workflows.glaciers import reference

from . import pieces
from .pieces import cli, config

PIXEL = 20.0


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A scene of 5 x 6 km whose truth is drawn pixel by pixel with the probability that the network gives; strata and
    outlines beside."""
    folder = tmp_path_factory.mktemp("judged")
    shape = (250, 300)
    inside = pieces.discs(shape, pixel_m=PIXEL, centres=[(1800.0, 1600.0), (4000.0, 3300.0)], radius_m=1100.0)
    logit = np.clip(inside / 150.0, -6, 6)
    p = 1.0 / (1.0 + np.exp(-logit))
    rng = np.random.default_rng(7)
    truth = (rng.random(shape) < p).astype(np.uint8)
    truth[:, :60] = 255
    dem = np.stack([np.full(shape, 3000.0) - inside / 10, np.full(shape, 12.0)])
    scene = pieces.write_scene(folder / "scene", pieces.grid(*shape), optical=pieces.optical_of(logit), dem=dem)
    strata = np.where(np.arange(shape[0])[:, None] < 50, 1, 0) * np.ones(shape, int)
    pieces.write_tiff(scene / "strata.tif", strata.astype(np.uint8), pieces.grid(*shape), nodata=None)
    pieces.write_tiff(scene / "truth.tif", truth, pieces.grid(*shape), nodata=255)
    return scene, pieces.linear_network(folder / "undo.onnx"), truth, p


def test_scores_and_reliability(judged, tmp_path):
    scene, network, truth, p = judged
    code, said, _ = cli(
        "glaciers",
        scene,
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
        "-r",
        scene / "truth.tif",
        "--json",
    )
    assert code == 0 and "evaluation.parquet" in json.loads(said)["outputs"]
    rows = {
        (r["prediction"], r["stratum"], r["metric"]): r
        for r in pq.read_table(tmp_path / "out/evaluation.parquet").to_pylist()
    }
    known = truth != 255
    mapped, ice = p >= 0.5, truth == 1
    for stratum, part in (("all", known), ("seasonal_snow", known & (np.arange(250)[:, None] < 50))):
        row = rows["given", stratum, "iou"]
        assert (
            row["value"] == pytest.approx((mapped & ice & part).sum() / ((mapped | ice) & part).sum(), abs=2e-3)
            and row["low"] < row["value"] < row["high"]
            and row["n"] == part.sum()
        )
    assert (
        rows["all_glacier", "all", "iou"]["value"] == pytest.approx(ice[known].mean())
        and ("classical", "all", "iou") in rows
        and ("dem_only", "all", "iou") in rows
    )
    assert rows["given", "all", "calibration_error"]["value"] < 0.01 < rows["given", "all", "brier_skill"]["value"]
    page = (tmp_path / "out/report.html").read_text()
    assert (
        "Against truth.tif" in page
        and "How often it was ice" in page
        and "seasonal snow" in page
        and "all glacier" in page
    )


def pieces_transform(scene):
    with rasterio.open(scene / "optical.tif") as file:
        return file.transform


def test_the_page_is_given_reliability_and_differences_from_the_truth(judged, tmp_path, monkeypatch):
    scene, network, truth, p = judged
    kept = {}
    monkeypatch.setattr(glacier_map, "write", lambda path, mapped: kept.update(vars(mapped)) or path.write_text(""))
    glaciers.run([scene], out=tmp_path / "out", config=config(network), reference=scene / "truth.tif")
    n, said, found = np.array(kept["reliability"]).T
    assert n.sum() == (truth != 255).sum() and np.abs(said - found)[n > 300].max() < 0.1
    drawn = geometry_mask(
        kept["outlines"].geometry, out_shape=truth.shape, transform=pieces_transform(scene), invert=True
    )
    known = truth != 255
    expected = np.select([known & drawn & (truth != 1), known & ~drawn & (truth == 1)], [1, 2], 0)
    np.testing.assert_array_equal(kept["differences"], expected)
    assert {1, 2} <= set(np.unique(expected))
    middle = (p > 0.4) & (p < 0.6) & (truth != 255)
    assert np.interp(0.5, said, found) == pytest.approx((truth == 1)[middle].mean(), abs=0.06)


def test_outlines_as_reference(judged, tmp_path):
    scene, network, _truth, _p = judged
    glaciers.run([scene], out=tmp_path / "first", config=config(network))
    glaciers.run([scene], out=tmp_path / "out", config=config(network), reference=tmp_path / "first/outlines.gpkg")
    rows = {
        (r["prediction"], r["stratum"], r["metric"]): r
        for r in pq.read_table(tmp_path / "out/evaluation.parquet").to_pylist()
    }
    assert rows["given", "all", "iou"]["value"] > 0.995 and rows["given", "all", "polis"]["value"] < PIXEL
    table = evaluate_scene.run(
        tmp_path / "out", reference=tmp_path / "first", scene=scene, n_resamples=10
    )  # a folder is as good as its outlines
    assert table.num_rows > 10
    assert len(polygons.read(tmp_path / "first/outlines.gpkg")) == 2


def test_the_rule_has_scores_but_no_diagram(judged, tmp_path):
    scene = judged[0]
    glaciers.run(
        [scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",)), reference=scene / "truth.tif"
    )
    page = (tmp_path / "out/report.html").read_text()
    assert "Against truth.tif" in page and "How often it was ice" not in page


def test_a_reference_elsewhere_or_none_leaves_nothing(judged, tmp_path):
    scene, network, _, _ = judged
    far = pieces.write_tiff(
        tmp_path / "far.tif", np.ones((20, 20), np.uint8), pieces.grid(20, 20, left=100_000.0), nodata=255
    )
    with pytest.raises(ProductError, match=r"far\.tif: lies \d+\.\d km away"):
        glaciers.run([scene], out=tmp_path / "out", config=config(network), reference=far)
    blank = pieces.write_tiff(tmp_path / "blank.tif", np.full((20, 20), 255, np.uint8), pieces.grid(20, 20), nodata=255)
    with pytest.raises(ProductError, match="no pixel is labelled"):
        glaciers.run([scene], out=tmp_path / "out", config=config(network), reference=blank)
    (tmp_path / "bad.tif").write_bytes(b"nothing")
    with pytest.raises(ProductError, match=r"bad\.tif: cannot be read"):
        reference.check(tmp_path / "bad.tif")
    assert not (tmp_path / "out").exists()


def test_of_glims_analyses_the_nearest_to_the_scene_or_to_the_date_given_counts(tmp_path):
    shape = (100, 120)
    _old, new = (pieces.discs(shape, pixel_m=PIXEL, centres=[(1200.0, 1000.0)], radius_m=r) for r in (800.0, 600.0))
    scene = pieces.write_scene(
        tmp_path / "s", pieces.grid(*shape, pixel_m=PIXEL), optical=pieces.optical_of(np.clip(new / 20.0, -8, 8))
    )
    centre = shapely.Point(640_000.0 + 1200.0, 5_190_000.0 - 1000.0)
    rows = {
        "glac_id": ["G1"] * 3,
        "anlys_id": [1, 2, 2],
        "line_type": ["glac_bound", "glac_bound", "intrnl_rock"],
        "src_date": ["2000-08-01T00:00:00", "2020-09-01T00:00:00", "2020-09-01T00:00:00"],
    }
    shapes = [centre.buffer(800.0), centre.buffer(600.0), centre.buffer(40.0)]
    gpd.GeoDataFrame(rows, geometry=shapes, crs="EPSG:32632").to_file(tmp_path / "glims.gpkg")
    net = str(pieces.linear_network(tmp_path / "undo.onnx"))
    area = {}
    for date in ("", "2001-01-01"):
        settings = glaciers.Config.checked(network=(net,), runtime="onnxruntime", reference_date=date)
        out = tmp_path / f"out{date}"
        result = glaciers.run([scene], out=out, config=settings, reference=tmp_path / "glims.gpkg")
        nearest = date or pieces.TIME[:10]
        assert any(f"the one nearest to {nearest} is taken" in n for n in result.notes), result.notes
        table = pq.read_table(out / "evaluation.parquet").to_pylist()
        area[date] = next(
            r["value"] for r in table if (r["prediction"], r["stratum"], r["metric"]) == ("given", "all", "iou")
        )
    assert area[""] > 0.97 and area["2001-01-01"] == pytest.approx(600**2 / 800**2, abs=0.02)
