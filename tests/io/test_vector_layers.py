"""Which layer of a vector file is read, and vector files in archives."""

from __future__ import annotations

import zipfile

import geopandas as gpd
import pytest
from shapely import Point, box

from polynya.errors import ProductError
from polynya.io import input_files, opening
from polynya.readers import rgi_outlines


def layer(path, name, shapes, value):
    frame = gpd.GeoDataFrame({"name": [value] * len(shapes)}, geometry=shapes, crs="EPSG:4326")
    frame.to_file(path, layer=name, driver="GPKG")


@pytest.fixture
def layers(tmp_path):
    path = tmp_path / "inventory.gpkg"
    layer(path, "centre points", [Point(10, 46)], "point")
    layer(path, "glaciers", [box(10, 46, 10.1, 46.1)], "outline")
    return path


def test_the_only_layer_of_polygons(layers):
    assert opening.read_vectors(layers)["name"].tolist() == ["outline"]
    assert opening.read_vectors(layers / "centre points")["name"].tolist() == ["point"]
    assert len(rgi_outlines.read(layers)) == 1


def test_of_several_layers_one_is_asked_for(layers):
    layer(layers, "lakes", [box(11, 46, 11.1, 46.1)], "lake")
    with pytest.raises(ProductError) as error:
        opening.read_vectors(layers)
    text = str(error.value)
    assert "holds 2 layers of polygons, glaciers, lakes; expected one" in text and "\n" not in text
    assert text.endswith(f"Name it: {layers}/glaciers.")
    assert opening.read_vectors(layers / "lakes")["name"].tolist() == ["lake"]
    assert [f for _, f in input_files.files_of(layers / "lakes")] == [layers]  # the file is what a result depends on
    with pytest.raises(ProductError, match=r"has no layer ice; it holds centre points, glaciers, lakes"):
        opening.read_vectors(layers / "ice")


def test_a_shapefile_in_a_zip_archive(tmp_path):
    """As the Randolph Glacier Inventory is delivered."""
    gpd.GeoDataFrame(
        {"rgi_id": ["a"], "src_date": ["2000"]}, geometry=[box(10, 46, 10.1, 46.1)], crs="EPSG:4326"
    ).to_file(tmp_path / "rgi.shp")
    whole = tmp_path / "rgi.zip"
    with zipfile.ZipFile(whole, "w") as out:
        for part in tmp_path.glob("rgi.*"):
            if part != whole:
                out.write(part, f"RGI2000-v7.0-G-11/{part.name}")
    found = rgi_outlines.read(whole)
    assert found["rgi_id"].tolist() == ["a"] and found.crs.to_epsg() == 4326
    with zipfile.ZipFile(whole, "a") as out:
        out.write(tmp_path / "rgi.shp", "other.shp")
    with pytest.raises(ProductError, match=r"holds 2 vector files \(rgi.shp, other.shp\); expected one\. Name it: "):
        rgi_outlines.read(whole)
    assert len(rgi_outlines.read(whole / "RGI2000-v7.0-G-11" / "rgi.shp")) == 1


def test_an_archive_without_vectors(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("readme.txt", "x")
    with pytest.raises(ProductError, match=r"a\.zip: holds 0 vector files \(none\); expected one"):
        opening.read_vectors(tmp_path / "a.zip")
