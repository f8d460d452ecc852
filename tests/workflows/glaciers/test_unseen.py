"""Ground that the image does not show is in no outline, area or interval, and the map says how much it is."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from polynya import io
from polynya.report import glacier_layers
from polynya.scenes.areas import row_areas_m2
from polynya.workflows import change, glaciers

from . import pieces

SHAPE, PIXEL = (150, 170), 15.0
CENTRE, RADIUS = (1300.0, 1100.0), 800.0
DEM_LOGIT = 3.0
"""What the network makes of the DEM alone: ice, with probability 0.95."""


def gaps(kind: str) -> np.ndarray:
    """Return pixels that an image does not show."""
    row, column = np.indices(SHAPE)
    return {
        "half": column >= 93,
        "stripes": (row + column // 6) % 23 < 5,  # as of Landsat 7, slanted
        "one pixel wide": row % 9 == 4,
        "swath edge": column > 150 - row // 3,
    }[kind]


def scene(folder, kind: str, *, fill: float = np.nan):
    inside = pieces.discs(SHAPE, pixel_m=PIXEL, centres=[CENTRE], radius_m=RADIUS)
    optical = pieces.optical_of(np.clip(inside / 15.0, -8, 8) - DEM_LOGIT)
    optical[:, gaps(kind)] = fill
    dem = np.stack([np.full(SHAPE, 3000.0), np.full(SHAPE, 3.0)])
    return pieces.write_scene(folder, pieces.grid(*SHAPE, pixel_m=PIXEL), optical=optical, dem=dem)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Ice everywhere by the DEM alone: blue counts only its distance from 0, heights are no matter."""
    return pieces.linear_network(
        tmp_path_factory.mktemp("network") / "both.onnx",
        {("optical", 0): 40.0, ("optical", 1): -20.0 / 0.15, ("dem", 0): DEM_LOGIT / 3000.0},
    )


def config(network, **more) -> glaciers.Config:
    return glaciers.Config.checked(network=(str(network),), runtime="onnxruntime", **more)


@pytest.mark.parametrize("fill", [np.nan, 0.0])
@pytest.mark.parametrize("kind", ["half", "stripes", "one pixel wide", "swath edge"])
def test_no_ice_where_nothing_was_seen(network, tmp_path, kind, fill):
    hidden = gaps(kind)
    result = glaciers.run([scene(tmp_path / "scene", kind, fill=fill)], out=tmp_path / "out", config=config(network))
    probability, mask = (pieces.values_of(tmp_path / f"out/{n}.tif") for n in ("probability", "not_seen"))
    np.testing.assert_array_equal(np.isnan(probability), hidden)
    np.testing.assert_array_equal(mask == 1, hidden)
    inside = pieces.discs(SHAPE, pixel_m=PIXEL, centres=[CENTRE], radius_m=RADIUS) > 0
    geobox = pieces.grid(*SHAPE, pixel_m=PIXEL)
    pixel = row_areas_m2(geobox, slice(0, SHAPE[0]), SHAPE[1] / 2)[:, None] * 1e-6
    truth = float((pixel * (inside & ~hidden)).sum())
    assert result.total.value == pytest.approx(truth, rel=0.03)
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet")
    with rasterio.open(tmp_path / "out/not_seen.tif") as file:
        from rasterio.features import geometry_mask

        drawn = ~geometry_mask(table.geometry, out_shape=SHAPE, transform=file.transform)
    assert not (drawn & hidden).any()
    unseen = float((pixel * hidden).sum())
    record = io.read_json(tmp_path / "out/run.json")
    assert record["not_seen_km2"] == pytest.approx(unseen, rel=1e-6)
    expected = unseen / (1.0 + np.exp(-DEM_LOGIT))
    assert record["not_seen_ice_km2"] == pytest.approx(expected, rel=1e-4)
    words = f"not seen: {unseen:.2f} km² ({hidden.mean():.1%} of the scene), of which {expected:.2f} km² expected ice"
    assert any(n.startswith(words) for n in result.notes), result.notes
    page = (tmp_path / "out/report.html").read_text()
    assert page.count(words[1:]) == 1 and "of the pixels have no" not in page and "exactly 0 in every band" not in page
    said = glaciers.as_text(result)
    assert said.count("not seen:") == 1 and "of the pixels have no" not in said and "exactly 0" not in said
    assert page.count(glacier_layers.NOT_SEEN_TITLE) == 2  # the map, and the parts by colour
    assert result.total.high < truth + 0.5 and record["elsewhere_km2"] < 0.2


def test_a_scene_seen_whole_has_no_mask(network, tmp_path):
    folder = scene(tmp_path / "scene", "half", fill=0.4)
    result = glaciers.run([folder], out=tmp_path / "out", config=config(network))
    assert "not_seen.tif" not in result.files and not any("not seen" in n for n in result.notes)
    assert io.read_json(tmp_path / "out/run.json")["not_seen_km2"] == 0.0


def test_one_band_alone_is_no_view_and_half_of_them_is(network, tmp_path):
    folder = scene(tmp_path / "scene", "half", fill=0.4)
    with rasterio.open(folder / "optical.tif", "r+") as file:
        values = file.read()
        values[1:, :40] = np.nan
        values[4:, 60:90] = np.nan
        file.write(values)
    glaciers.run([folder], out=tmp_path / "out", config=config(network))
    hidden = pieces.values_of(tmp_path / "out/not_seen.tif") == 1
    assert hidden[:40].all() and not hidden[40:].any()


def test_the_rule_says_what_it_did_not_see_too(tmp_path):
    folder = scene(tmp_path / "scene", "stripes")
    result = glaciers.run([folder], out=tmp_path / "out", config=glaciers.Config.checked(network=("rule",)))
    np.testing.assert_array_equal(pieces.values_of(tmp_path / "out/not_seen.tif") == 1, gaps("stripes"))
    assert any(n.startswith("not seen:") and "no other sensor says what lies there" in n for n in result.notes)


def test_an_image_that_shows_nothing_is_refused(network, tmp_path):
    folder = scene(tmp_path / "scene", "half")
    with rasterio.open(folder / "optical.tif", "r+") as file:
        file.write(np.full((6, *SHAPE), np.nan, np.float32))
    with pytest.raises(glaciers.ProductError, match="no pixel has data in optical"):
        glaciers.run([folder], out=tmp_path / "out", config=config(network))
    result = glaciers.run([folder], out=tmp_path / "dem", config=config(network, sensors=("dem",)))
    assert "not_seen.tif" not in result.files  # asked for without an image: nothing of it is missing


def test_change_leaves_out_what_one_date_did_not_see(network, tmp_path):
    for name, kind in (("old", "swath edge"), ("new", "stripes")):
        glaciers.run([scene(tmp_path / kind, kind)], out=tmp_path / name, config=config(network))
    found = change.run(tmp_path / "old", tmp_path / "new")
    assert found.lost_km2 < 0.03 and found.gained_km2 < 0.03
    assert abs(found.change.value) < 0.02 and found.new.value < 1.8


def test_json_has_it(network, tmp_path):
    from typer.testing import CliRunner

    from polynya.cli import app

    words = ["glaciers", scene(tmp_path / "s", "half"), "-o", tmp_path / "o", "--network", network, "--json"]
    done = CliRunner().invoke(app, [str(w) for w in [*words, "--runtime", "onnxruntime"]])
    told = json.loads(done.stdout)
    assert told["not_seen_km2"] > 1.0 and told["not_seen_ice_km2"] > 0.9 * told["not_seen_km2"]
