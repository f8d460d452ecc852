"""``polynya segment`` from a SAFE folder and a GeoTIFF to the map, its picture and its record."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import OutputError, PolynyaError, UsageError
from polynya.readers import sentinel2
from polynya.scenes import tiling
from polynya.scenes.classes import scene_classes
from polynya.workflows import segment
from tests.readers import safe_tree
from tests.readers.test_sentinel2 import write_tif
from tests.scenes.test_classes import SHAPE, colours


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    scl = np.full((-(-SHAPE[0] // 2), SHAPE[1] // 2), 11, np.uint8)
    scl[40:70, 60:90] = 9
    scl[:15, :22] = 0
    return safe_tree.write_safe(tmp_path_factory.mktemp("s"), level="2A", tci=colours(), scl=scl, shape=SHAPE, bands=())


def test_the_map_holds_the_classes_and_says_what_they_mean(safe, tmp_path, monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 96)
    result = segment.run(safe, out=tmp_path / "map.tif", config=segment.Config(method="percentile", with_value=True))
    expected = scene_classes(sentinel2.open_scene(safe), method="percentile")
    flat = np.where(expected.classes < 0, 255, np.where(expected.is_cloud, 3, expected.classes.astype(int)))
    with rasterio.open(tmp_path / "map.tif") as found:
        np.testing.assert_array_equal(found.read(1), flat)
        assert found.nodata == 255 and found.dtypes == ("uint8",) and found.crs.to_epsg() == safe_tree.EPSG
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and found.descriptions == ("surface_class",)
        tags = found.tags()
        assert (
            tags["flag_values"] == "0 1 2 3"
            and tags["flag_meanings"] == "thick_ice thin_ice open_water cloud_or_shadow"
        )
        assert (
            tags["method"] == "percentile"
            and tags["cloud_mask"] == "scl"
            and tags["scene"] == safe.name.removesuffix(".SAFE")
        )
        palette = found.colormap(1)
        assert {palette[v] for v in range(4)} == {(*segment.COLOURS[v], 255) for v in range(4)}
        assert tuple(found.transform)[:6] == (10.0, 0.0, safe_tree.CORNER[0], 0.0, -10.0, safe_tree.CORNER[1])
    with rasterio.open(tmp_path / "map_value.tif") as found:
        np.testing.assert_array_equal(found.read(1), expected.value)
        assert found.nodata == 0
    assert result.counts == {n: int((flat == v).sum()) for v, n in (*segment.FLAGS, (255, "no_data"))}
    assert sum(result.counts.values()) == SHAPE[0] * SHAPE[1] and result.counts["no_data"] == 30 * 44
    record = io.read_json(tmp_path / "map.run.json")
    assert record["config"] == {"method": "percentile", "cloud_mask": "auto", "weights": None, "with_value": True}
    assert (
        record["cloud_mask"] == "scl"
        and record["thresholds"] == list(expected.statistics.thresholds)
        and record["pixels"] == result.counts
    )
    with rasterio.open(tmp_path / "map.png") as picture:
        assert picture.count == 3 and picture.width == 2 * SHAPE[1] + 10 and picture.height == SHAPE[0]
        both = picture.read()
        np.testing.assert_array_equal(
            both[:, :, SHAPE[1] + 10 :][:, flat == 2].T, np.broadcast_to(segment.COLOURS[2], ((flat == 2).sum(), 3))
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.png", "map.run.json", "map.tif", "map_value.tif"]


@pytest.mark.parametrize("method", ["published", "filtered"])
def test_tiles_of_the_workflow_change_nothing(safe, tmp_path, monkeypatch, method):
    maps = []
    for size in (70, 1024):
        monkeypatch.setattr(tiling, "TILE", size)
        segment.run(safe, out=tmp_path / f"{size}.tif", config=segment.Config(method=method))
        with rasterio.open(tmp_path / f"{size}.tif") as found:
            maps.append(found.read(1))
    np.testing.assert_array_equal(*maps)


def test_a_geotiff_of_reflectances(tmp_path):
    """16 bits in the agency's counts: 0.3558 is 255."""
    v = np.full((40, 50), 250.0)
    v[5:9], v[20:22] = 100, 20
    counts = np.repeat(np.rint(v / 255 * 3558)[None], 3, 0).astype(np.uint16)
    segment.run(write_tif(tmp_path / "scene.tif", counts), out=tmp_path / "map.tif", config=segment.Config())
    with rasterio.open(tmp_path / "map.tif") as found:
        data = found.read(1)
        assert found.crs.to_epsg() == 3976
    assert (data[5:9] == 1).all() and (data[20:22] == 2).all() and (data == 0).sum() == 50 * (40 - 6)


def run(*words) -> tuple[int, str, str]:
    from polynya import errors

    result = CliRunner().invoke(app, ["segment", *map(str, words)])
    if isinstance(result.exception, PolynyaError):
        return result.exception.exit_code, result.stdout, errors.one_line(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, result.stderr


def test_command_line(safe, tmp_path):
    out = tmp_path / "new" / "map.tif"
    code, text, _ = run(safe, "-o", out)
    assert code == 0 and "method published (V <= 30 water, <= 204 thin ice), cloud mask scl" in text
    assert all(f"wrote {out.with_suffix(e)}" in text for e in (".tif", ".png", ".run.json"))
    code, _, error = run(safe, "-o", out)
    assert code == 2 and "exists already" in error and "--overwrite" in error
    code, text, _ = run(safe, "-o", out, "--overwrite", "--json", "--cloud-mask", "none")
    found = json.loads(text)
    assert (
        code == 0
        and found["cloud_mask"] == "none"
        and found["pixels"]["cloud_or_shadow"] == 0
        and found["outputs"]["classes"] == str(out)
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "magic"), "--method magic"),
        (("--method", "unet"), "--weights: is missing with --method unet"),
        (("--weights", "a.onnx"), "--weights: is a.onnx with --method published"),
        (("--cloud-mask", "s2cloudless"), "s2cloudless expected top-of-atmosphere reflectance"),
    ],
)
def test_options_that_do_not_fit(safe, tmp_path, words, message):
    code, _, error = run(safe, "-o", tmp_path / "map.tif", *words)
    assert code == 2 and message in error and "\n" not in error
    assert not list(tmp_path.iterdir())


def test_names_and_places_that_cannot_be(safe, tmp_path):
    with pytest.raises(UsageError, match=r"map\.png: the map is a GeoTIFF; expected a name that ends in \.tif"):
        segment.run(safe, out=tmp_path / "map.png", config=segment.Config())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        segment.run(safe, out=tmp_path / "file" / "map.tif", config=segment.Config())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_record_of_another_tool_is_not_replaced(safe, tmp_path):
    (tmp_path / "map.run.json").write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no record of polynya"):
            segment.run(safe, out=tmp_path / "map.tif", config=segment.Config(), overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ["map.run.json"]


def test_a_scene_that_breaks_half_way_leaves_nothing(safe, tmp_path, monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 64)
    real = sentinel2.true_colour

    def breaks(scene, *, window=None):
        if window is not None and window.row_off >= 128:
            raise UsageError("broken")
        return real(scene, window=window)

    monkeypatch.setattr(sentinel2, "true_colour", breaks)
    with pytest.raises(UsageError, match="broken"):
        segment.run(safe, out=tmp_path / "map.tif", config=segment.Config())
    assert not list(tmp_path.iterdir())
