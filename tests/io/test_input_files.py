"""Every file that a result depends on counts."""

from __future__ import annotations

import pytest

from polynya import io
from polynya.errors import OutputError
from polynya.io.input_files import files_of


def names(path):
    return [name for name, _ in files_of(path)]


def vrt(path, *sources):
    bands = "".join(f'<SourceFilename relativeToVRT="1">{s}</SourceFilename>' for s in sources)
    path.write_text(f"<VRTDataset>{bands}</VRTDataset>")
    return path


def test_the_sources_of_a_vrt_count_with_theirs(tmp_path):
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles/a.tif").write_bytes(b"a")
    (tmp_path / "tiles/a.tfw").write_text("10")
    vrt(tmp_path / "tiles/inner.vrt", "a.tif", "../m.vrt")
    path = vrt(tmp_path / "m.vrt", "tiles/inner.vrt", "tiles/none.tif")
    assert names(path) == ["m.vrt", "tiles/a.tfw", "tiles/a.tif", "tiles/inner.vrt"]


@pytest.mark.parametrize("more", ["a.tif.aux.xml", "a.tif.ovr", "a.tif.msk", "a.tfw", "a.TFW", "a.tifw", "a.wld"])
def test_files_beside_a_raster_count(tmp_path, more):
    for name in ("a.tif", more, "a.txt", "b.tfw"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path / "a.tif") == sorted(["a.tif", more])


def test_the_parts_of_a_shapefile_count(tmp_path):
    for name in ("a.shp", "a.dbf", "a.shp.xml", "b.dbf"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path / "a.shp") == ["a.dbf", "a.shp", "a.shp.xml"]


def test_links_to_folders_are_followed_and_end(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/B02.jp2").write_text("x")
    folder = tmp_path / "scene"
    folder.mkdir()
    (folder / "IMG").symlink_to(tmp_path / "real")
    (tmp_path / "real/back").symlink_to(folder)
    assert names(folder) == ["IMG/B02.jp2"]


def test_another_source_of_a_vrt_is_another_result(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"pixels")
    key = io.Key(workflow="glaciers", version=1, settings={}, inputs={"scene": vrt(tmp_path / "m.vrt", "a.tif")})
    with io.writing_folder(tmp_path / "out") as folder:
        io.write_json(io.run_record(command=[], config={}, inputs=[], key=io.key_as_dict(key)), folder / "run.json")
    assert io.finished(tmp_path / "out", key) is not None
    (tmp_path / "a.tif").write_bytes(b"PIXELS")
    with pytest.raises(OutputError, match="of another scene"):
        io.finished(tmp_path / "out", key)


@pytest.mark.parametrize(
    "name",
    ["B02.tif.aux.xml", "Thumbs.db", "desktop.ini", "B02.qml", "outlines.qix", "outlines.sbn", "outlines.gpkg-wal"],
)
def test_what_programs_leave_behind_makes_no_other_input(tmp_path, name):
    (tmp_path / "B02.tif").write_bytes(b"pixels")
    before = files_of(tmp_path)
    (tmp_path / name).write_text("x")
    assert files_of(tmp_path) == before


def test_metadata_without_a_raster_beside_it_counts(tmp_path):
    (tmp_path / "product.aux.xml").write_text("x")
    assert [n for n, _ in files_of(tmp_path)] == ["product.aux.xml"]


def test_an_index_beside_a_shapefile_is_no_part_of_it(tmp_path):
    for name in ("a.shp", "a.dbf", "a.qix", "a.sbn"):
        (tmp_path / name).write_text("x")
    assert [n for n, _ in files_of(tmp_path / "a.shp")] == ["a.dbf", "a.shp"]
