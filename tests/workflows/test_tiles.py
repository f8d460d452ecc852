"""polynya tiles: what lands in the file is what the scenes and outlines hold."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely.geometry import box
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import OutputError, ProductError, UsageError
from polynya.readers import glacier_tiles
from polynya.scenes import scene
from polynya.workflows import tiles
from tests.readers.scene_rasters import CORNER, folder, write


def outlines(path, *boxes):
    """Boxes of (row0, row1, column0, column1) on the 10 m grid."""
    shapes = [
        box(CORNER[0] + c0 * 10, CORNER[1] - r1 * 10, CORNER[0] + c1 * 10, CORNER[1] - r0 * 10)
        for r0, r1, c0, c1 in boxes
    ]
    gpd.GeoDataFrame({"RGIId": [f"RGI60-11.{i}" for i in range(len(shapes))]}, geometry=shapes, crs=32632).to_file(path)
    return path


def test_tiles_hold_sensors_labels_and_places(tmp_path):
    scene_folder = folder(tmp_path / "s", shape=(150, 200), about={"name": "s1", "region": "ALP"})
    config = tiles.Config.checked(outlines=outlines(tmp_path / "o.gpkg", (10, 90, 20, 150)), tile=128)
    result = tiles.run([scene_folder], out=tmp_path / "t.h5", config=config)
    assert (result.tiles, result.scenes) == (2, ("s1",))  # the strip of 22 rows below is thinner than 32
    records = {r.name: r for r in glacier_tiles.open_tiles(tmp_path / "t.h5")}
    assert set(records) == {"ALP-s1-0-0", "ALP-s1-0-1"}
    whole = scene.read(scene.open_scene(scene_folder))
    truth = np.zeros((150, 200), np.uint8)
    truth[10:90, 20:150] = 1
    for name, place in (
        ("ALP-s1-0-0", (slice(0, 128), slice(0, 128))),
        ("ALP-s1-0-1", (slice(0, 128), slice(128, 200))),
    ):
        tile = glacier_tiles.read_window(records[name])
        np.testing.assert_array_equal(tile.labels, truth[place])
        for sensor, values in whole.items():
            np.testing.assert_array_equal(tile.sensors[sensor], values[(slice(None), *place)])
        assert records[name].corner == (CORNER[0] + 10 * place[1].start, CORNER[1]) and records[name].region == "ALP"
    assert result.glacier == truth[:128].sum() and result.labelled == 128 * 200
    record = json.loads((tmp_path / "t.run.json").read_text())
    assert record["numbers"]["tiles"] == 2 and record["config"]["tile"] == 128


def test_a_mask_limits_labels_as_raster_or_as_polygons(tmp_path):
    scene_folder = folder(tmp_path / "s", shape=(64, 64))
    rgi = outlines(tmp_path / "o.gpkg", (0, 64, 0, 32))
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[0, :, 40:] = 255
    raster = tiles.Config.checked(outlines=rgi, mask=write(tmp_path / "m.tif", mask, nodata=255), tile=64)
    polygons = tiles.Config.checked(outlines=rgi, mask=outlines(tmp_path / "a.gpkg", (0, 64, 0, 40)), tile=64)
    expected = np.zeros((64, 64), np.uint8)
    expected[:, :32], expected[:, 40:] = 1, 255
    for i, config in enumerate((raster, polygons)):
        tiles.run([scene_folder], out=tmp_path / f"{i}.h5", config=config)
        np.testing.assert_array_equal(
            glacier_tiles.read_window(glacier_tiles.open_tiles(tmp_path / f"{i}.h5")[0]).labels, expected
        )


def test_truth_and_strata_of_simulated_folders_are_used_each_folder_a_scene(tmp_path):
    for k in (1, 2):
        path = folder(tmp_path / f"s{k}", shape=(64, 64), seed=k, sensors=("optical", "dem"))
        truth = np.full((1, 64, 64), k, np.uint8)
        truth[0, :16], truth[0, 16:32] = 0, 255
        write(path / "truth.tif", truth)
        write(path / "strata.tif", np.full((1, 64, 64), 8 + k, np.uint8))
    result = tiles.run([tmp_path / "s1", tmp_path / "s2"], out=tmp_path / "t.h5", config=tiles.Config.checked(tile=64))
    assert result.scenes == ("s1", "s2") and result.tiles == 2
    for k, record in enumerate(glacier_tiles.open_tiles(tmp_path / "t.h5"), 1):
        tile = glacier_tiles.read_window(record)
        assert (
            np.unique(tile.labels[32:]).tolist() == [1]
            and np.unique(tile.labels[16:32]).tolist() == [255]
            and np.unique(tile.labels[:16]).tolist() == [0]
        )
        assert np.unique(tile.strata).tolist() == [8 + k] and record.scene == f"s{k}"


def test_append_adds_and_a_failure_leaves_the_file_as_it_was(tmp_path):
    rgi = outlines(tmp_path / "o.gpkg", (0, 30, 0, 30))
    config = tiles.Config.checked(outlines=rgi, tile=64)
    one, two = (folder(tmp_path / n, shape=(64, 64), sensors=("optical",)) for n in ("one", "two"))
    tiles.run([one], out=tmp_path / "t.h5", config=config)
    before = (tmp_path / "t.h5").read_bytes()
    with pytest.raises(UsageError, match="--append"):
        tiles.run([two], out=tmp_path / "t.h5", config=config)
    with pytest.raises(UsageError, match="has a tile of this name"):
        tiles.run([one], out=tmp_path / "t.h5", config=config, append=True)
    assert (tmp_path / "t.h5").read_bytes() == before and not list(tmp_path.glob(".*.part"))
    tiles.run([two], out=tmp_path / "t.h5", config=config, append=True)
    assert [r.scene for r in glacier_tiles.open_tiles(tmp_path / "t.h5")] == ["one", "two"]


def test_the_record_of_another_tool_is_not_replaced(tmp_path):
    config = tiles.Config.checked(outlines=outlines(tmp_path / "o.gpkg", (0, 30, 0, 30)), tile=64)
    one, two = (folder(tmp_path / n, shape=(64, 64), sensors=("optical",)) for n in ("one", "two"))
    out, record = tmp_path / "t.h5", tmp_path / "t.run.json"
    record.write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no record of polynya"):
            tiles.run([one], out=out, config=config, overwrite=overwrite)
    assert not out.exists()
    record.unlink()
    tiles.run([one], out=out, config=config)
    record.write_text("{}")
    with pytest.raises(OutputError, match="is no record of polynya"):
        tiles.run([two], out=out, config=config, append=True)
    assert record.read_text() == "{}" and len(glacier_tiles.open_tiles(out)) == 1


def test_adding_to_tiles_of_somebody_else_does_not_make_them_replaceable(tmp_path):
    config = tiles.Config.checked(outlines=outlines(tmp_path / "o.gpkg", (0, 30, 0, 30)), tile=64)
    one, two, three = (folder(tmp_path / n, shape=(64, 64), sensors=("optical",)) for n in ("one", "two", "three"))
    path = tmp_path / "t.h5"
    tiles.run([one], out=path, config=config)
    (tmp_path / "t.run.json").unlink()
    for name in (two, three):
        tiles.run([name], out=path, config=config, append=True)
    with pytest.raises(OutputError, match="is no result of polynya"):
        tiles.run([one], out=path, config=config, overwrite=True)
    assert len(glacier_tiles.open_tiles(path)) == 3


def test_nothing_to_learn_from_is_said(tmp_path):
    scene_folder = folder(tmp_path / "s", shape=(64, 64), sensors=("optical",))
    with pytest.raises(UsageError, match="nothing says where glaciers are"):
        tiles.run([scene_folder], out=tmp_path / "t.h5", config=tiles.Config.checked())
    far = write(tmp_path / "far.tif", np.ones((1, 5, 5), np.uint8), corner=(100000.0, 100000.0))
    with pytest.raises(ProductError, match="no tile has both"):
        tiles.run([scene_folder], out=tmp_path / "t.h5", config=tiles.Config.checked(mask=far))
    strange = write(tmp_path / "strange.tif", np.full((1, 64, 64), 100, np.uint8))
    with pytest.raises(ProductError, match=r"strange.tif: holds the value 100"):
        tiles.run([scene_folder], out=tmp_path / "t.h5", config=tiles.Config.checked(mask=strange))
    with pytest.raises(UsageError, match="is a raster; expected polygons"):
        tiles.run([scene_folder], out=tmp_path / "t.h5", config=tiles.Config.checked(outlines=strange))
    beside = tiles.run(
        [scene_folder],
        out=tmp_path / "none.h5",
        config=tiles.Config.checked(outlines=outlines(tmp_path / "beside.gpkg", (5000, 5010, 0, 9)), tile=64),
    )
    assert beside.glacier == 0 and any("no outline overlaps" in n for n in beside.notes)
    with pytest.raises(UsageError, match="--tile 10"):
        tiles.Config.checked(tile=10)
    assert not (tmp_path / "t.h5").exists()


def test_the_command_line(tmp_path):
    scene_folder = folder(tmp_path / "s", shape=(64, 64))
    rgi = outlines(tmp_path / "o.gpkg", (0, 32, 0, 64))
    done = CliRunner().invoke(
        app, ["tiles", str(scene_folder), "--outlines", str(rgi), "--region", "ALP", "-o", str(tmp_path / "t.h5")]
    )
    assert (
        done.exit_code == 0
        and "1 tile of s; 100% of the pixels are labelled, 50.0% of these are glacier" in done.stdout
    )
    again = CliRunner().invoke(
        app, ["tiles", str(scene_folder), "--outlines", str(rgi), "-o", str(tmp_path / "t.h5"), "--overwrite", "--json"]
    )
    assert json.loads(again.stdout)["glacier"] == 32 * 64


def labels_of(path):
    return glacier_tiles.read_window(glacier_tiles.open_tiles(path)[0]).labels


def test_what_no_sensor_saw_and_what_lies_under_cloud_is_unlabelled(tmp_path):
    """Rows 0-9 have no image, rows 10-14 are fill of 0, rows 20-39 lie under cloud by the strata of the scene."""
    path = folder(tmp_path / "s", shape=(64, 80), sensors=("optical", "dem"))
    with rasterio.open(path / "optical.tif", "r+") as file:
        image = file.read()
        image[:, :10], image[:, 10:15] = np.nan, 0.0
        file.write(image)
    strata = np.zeros((1, 64, 80), np.uint8)
    strata[0, 20:40] = 4 + 2
    strata[0, 40:50] = 2 + 8  # shadow and water are ground that was seen
    write(path / "strata.tif", strata)
    config = tiles.Config.checked(outlines=outlines(tmp_path / "o.gpkg", (0, 64, 0, 30)), tile=96)
    result = tiles.run([path], out=tmp_path / "t.h5", config=config)
    expected = np.zeros((64, 80), np.uint8)
    expected[:, :30] = 1
    expected[:15] = expected[20:40] = 255
    np.testing.assert_array_equal(labels_of(tmp_path / "t.h5"), expected)
    assert result.labelled == 29 * 80
    assert "s: 1,200 pixels with a label left unlabelled: no image" in result.notes
    assert "s: 1,600 pixels with a label left unlabelled: cloud" in result.notes


def test_a_scene_all_under_cloud_gives_no_tiles(tmp_path):
    path = folder(tmp_path / "s", shape=(64, 64), sensors=("optical",))
    write(path / "strata.tif", np.full((1, 64, 64), 4, np.uint8))
    with pytest.raises(ProductError, match="no tile has both image and labels"):
        config = tiles.Config.checked(outlines=outlines(tmp_path / "o.gpkg", (0, 64, 0, 30)), tile=64)
        tiles.run([path], out=tmp_path / "t.h5", config=config)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_masks_of_fractions_are_understood_and_those_of_255_are_not(tmp_path, dtype):
    path = folder(tmp_path / "s", shape=(64, 64))
    mask = np.zeros((1, 64, 64), dtype)
    mask[0, 5:20, 8:50] = 1
    good = tiles.Config.checked(mask=write(tmp_path / "m.tif", mask), tile=64)
    tiles.run([path], out=tmp_path / "t.h5", config=good)
    np.testing.assert_array_equal(labels_of(tmp_path / "t.h5"), mask[0].astype(np.uint8))
    bad = tiles.Config.checked(mask=write(tmp_path / "m255.tif", mask * 255), tile=64)
    with pytest.raises(ProductError, match=r"m255\.tif: holds only 0 and 255, and 255 means unlabelled"):
        tiles.run([path], out=tmp_path / "u.h5", config=bad)
