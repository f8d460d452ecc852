"""``polynya info`` and ``polynya glaciers`` on what agencies give: known by content, bad files in one line."""

from __future__ import annotations

import json
import os
import zipfile

import geopandas as gpd
import numpy as np
import pytest
from shapely import box
from typer.testing import CliRunner

from polynya import errors
from polynya.cli import app
from polynya.workflows.glaciers import batch
from tests.readers.scene_rasters import write
from tests.readers.test_stac_item import sentinel2


def command(*words: object) -> tuple[int, str, str]:
    """Run the command line as a user does, in this process; return exit code, stdout, stderr."""
    result = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(result.exception, errors.PolynyaError):  # what main() does with it
        line = f"polynya: {errors.one_line(result.exception)}\n"
        return result.exception.exit_code, result.stdout, result.stderr + line
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def item(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return sentinel2(folder)


def packed(path, folder, names=None):
    with zipfile.ZipFile(path, "w") as out:
        for file in folder.iterdir():
            if names is None or file.name in names:
                out.write(file, file.name)
    return path


@pytest.mark.parametrize("kind", ["item", "named geojson", "zip", "no ending", "place in a zip"])
def test_info_knows_a_scene_by_its_content(tmp_path, item, kind):
    given = item
    if kind == "named geojson":
        given = item.rename(item.with_name("item.geojson"))
    elif kind != "item":
        given = packed(tmp_path / ("scene" if kind == "no ending" else "scene.zip"), item.parent)
        given = given / "item.json" if kind == "place in a zip" else given
    code, said, error = command("info", given, "--json")
    assert code == 0 and not error
    about = json.loads(said)
    assert about["kind"] == "scene" and about["sensors"][0]["bands"][:2] == ["blue", "green"]
    assert about["next_commands"][0].startswith(f"polynya glaciers {given} -o OUT")


def test_info_knows_an_inventory(tmp_path):
    about = {"rgi_id": ["RGI2000-v7.0-G-11-00001"] * 2, "src_date": ["2003-08-01T00:00:00", "2004-08-01T00:00:00"]}
    frame = gpd.GeoDataFrame(about, geometry=[box(10, 46, 10.1, 46.1), box(11, 46, 11.1, 46.1)], crs="EPSG:4326")
    (tmp_path / "rgi").mkdir()
    frame.to_file(tmp_path / "rgi" / "rgi.shp")
    frame.to_file(tmp_path / "rgi.gpkg", layer="glaciers")
    whole = packed(tmp_path / "rgi.zip", tmp_path / "rgi")
    for given in (tmp_path / "rgi.gpkg", tmp_path / "rgi.gpkg" / "glaciers", whole):
        code, said, _ = command("info", given)
        assert code == 0 and "2 outlines of glaciers" in said and "RGI 7.0" in said and "2003 to 2004" in said
        assert f"--inventory {given}" in said
    frame.to_file(tmp_path / "rgi.gpkg", layer="again", mode="a")
    code, said, error = command("info", tmp_path / "rgi.gpkg")
    assert code == 1 and "holds 2 layers of polygons, glaciers, again; expected one. Name it" in error


@pytest.mark.parametrize("verb", ["info", "glaciers"])
@pytest.mark.parametrize("kind", ["cut", "page", "nested", "empty", "no bands", "bomb", "two"])
def test_bad_files_are_one_line(tmp_path, item, verb, kind):
    path = tmp_path / "scene.zip"
    if kind in ("cut", "nested", "bomb"):
        packed(path, item.parent)
    if kind == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "page":
        path.write_text("<html>log in</html>")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "no bands":
        packed(path, item.parent, names=("item.json",))
    elif kind == "bomb":
        data = bytearray(path.read_bytes())
        place = data.index(b"PK\x01\x02")
        data[place + 24 : place + 28] = b"\xf0\xff\xff\xff"
        path.write_bytes(data)
    elif kind == "nested":
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as out:
            out.write(path, "scene.zip")
        path = tmp_path / "outer.zip"
    elif kind == "two":
        with zipfile.ZipFile(path, "w") as out:
            for name in ("a", "b"):
                out.write(write(tmp_path / "x.tif", np.ones((1, 9, 9), np.float32)), f"{name}/optical.tif")
    words = ("glaciers", path, "-o", tmp_path / "out", "--network", "rule") if verb == "glaciers" else ("info", path)
    code, _, error = command(*words)
    lines = error.strip().splitlines()
    name = "item.json" if kind == "no bands" else path.name
    assert code == 1 and len(lines) == 1 and lines[0].startswith(f"polynya: {name}: "), error
    assert "expected" in lines[0] and lines[0].endswith(".") and not (tmp_path / "out").exists()


def test_folders_of_many_scenes_have_the_products_names():
    given = ["a/S2A_1.SAFE.zip", "a/LC08_1.tar", "a/LT05_1.tar.gz", "a/x.SAFE", "a/item.json"]
    assert list(batch.folder_names(given).values()) == ["S2A_1", "LC08_1", "LT05_1", "x", "item"]
