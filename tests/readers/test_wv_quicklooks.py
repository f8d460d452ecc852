"""Quick-looks with a table of tags, and folders of images without one."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.io import pictures
from polynya.readers import image_folder, wave_mode_names, wv_quicklooks
from polynya.schema.imagettes import SHORT_NAMES, known_tags, table_of
from tests.real_files import sar

NAME = "s1a-wv2-QL-vv-20190929t033915-20190929t033918-029230-03520d-056"


def folder_of(path, table, *, names=("a.png",)):
    for name in names:
        pictures.write_png(path / name, np.arange(20, dtype=np.uint8).reshape(4, 5))
    (path / "tags.csv").write_text(table)
    return path


@pytest.mark.real
def test_real_quicklooks():
    found = list(wv_quicklooks.read(sar("wv_quicklooks")))
    assert [i.picture.shape for i in found] == [(489, 559), (492, 557), (489, 567), (478, 437), (477, 449)]
    assert [(i.azimuth_pixel_m, i.range_pixel_m) for i in found] == [(42.0, 37.0)] * 3 + [(41.0, 46.0)] * 2
    assert [i.labels for i in found] == [("AB",), ("UN", "WS", "MC"), ("RC",), ("UN", "MC"), ("UN", "MC")]
    assert all(i.quantity == "grey" and i.satellite == "S1A" and not i.is_simulated for i in found)
    assert len({i.group for i in found}) == 5 and found[0].time == np.datetime64("2019-02-13T13:06:55", "ns")
    of_ten = [[SHORT_NAMES[k] for k in np.flatnonzero(i.tags == 1)] for i in found]
    assert of_ten == [["AF"], ["WS", "MCC"], ["RC"], ["MCC"], ["MCC"]]
    assert all(i.tags[0] == -1 for i in found)  # no swell says nothing about pure ocean waves
    assert table_of(found).num_rows == 5


@pytest.mark.real
def test_real_counts_of_tags_are_those_counted_by_hand():
    with (sar("wv_quicklooks") / "tags.csv").open() as file:
        rows = list(csv.DictReader(file))
    counts = {code: sum(int(r[code]) for r in rows) for code in wv_quicklooks.CODES}
    found = [label for i in wv_quicklooks.read(sar("wv_quicklooks")) for label in i.labels]
    assert {code: found.count(code) for code in wv_quicklooks.CODES} == counts
    assert {c: n for c, n in counts.items() if n} == {"UN": 3, "WS": 1, "MC": 3, "RC": 1, "AB": 1}


@pytest.mark.real
def test_real_thumbnails_are_a_folder_of_images():
    found = list(image_folder.read(sar("tengeop_thumbs_95px")))
    assert len(found) == 16 and all(i.picture.shape == (95, 95) for i in found)
    assert all((i.tags == -1).all() and np.isnat(i.time) and i.beam == "" for i in found)


def test_the_ten_phenomena_as_columns(tmp_path):
    folder_of(
        tmp_path,
        "filename,POW,sea_ice,latitude,longitude,azimuth_pixel_m,simulated\na.png,1,0,12.5,-170,30,1\nb.png,,-1,,,,\n",
        names=("a.png", "b.png"),
    )
    a, b = wv_quicklooks.read(tmp_path)
    assert (a.tags == known_tags(["POW"], absent=["SI"])).all() and (b.tags == -1).all()
    assert (a.latitude, a.longitude) == (12.5, -170.0) and np.isnan(b.latitude)
    assert (a.azimuth_pixel_m, a.range_pixel_m, b.azimuth_pixel_m) == (30.0, 50.0, 50.0)
    assert a.is_simulated and not b.is_simulated


def test_known_tags_knows_both_names():
    assert (known_tags(["icebergs"]) == known_tags(["IB"])).all() and known_tags(["IB"])[6] == 1
    with pytest.raises(KeyError):
        known_tags(["penguins"])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("filename,POW\na.png,maybe\n", "line 2: POW is 'maybe'"),
        ("filename,POW,latitude\na.png,1,nan\n", "latitude is 'nan'"),
        ("filename,POW,latitude\na.png,1,95\n", "latitude is '95'"),
        ("filename,POW,longitude\na.png,1,east\n", "longitude is 'east'"),
        ("filename,a,b\na.png,1,0\n", "has the columns filename, a, b; expected filename and tags"),
        ("name,POW\na.png,1\n", "expected filename and tags"),
        ("filename,POW\n,1\n", "line 2 names no file"),
        ("filename,POW\n", "holds no row"),
        ("", "has the columns none"),
        ("filename,POW\nb.png,1\n", "no such file"),
        ("filename,POW\n../a.png,1\n", "lies outside the folder"),
    ],
)
def test_damaged_tables_are_one_line(tmp_path, table, words):
    (tmp_path / "set").mkdir()
    pictures.write_png(tmp_path / "a.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(ProductError, match=words) as error:
        list(wv_quicklooks.read(folder_of(tmp_path / "set", table)))
    assert "\n" not in str(error.value)


def test_folders_without_images_and_cut_images(tmp_path):
    with pytest.raises(ProductError, match="holds 0 images"):
        list(image_folder.read(tmp_path))
    with pytest.raises(ProductError, match="no such folder"):
        list(image_folder.read(tmp_path / "none"))
    with pytest.raises(ProductError, match="is an address"):
        list(image_folder.read("https://example.org/images"))
    path = tmp_path / "a.png"
    pictures.write_png(path, np.random.default_rng(0).integers(0, 255, (90, 90), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ProductError, match=r"a\.png: cannot be read as a picture"):
        list(image_folder.read(tmp_path))


def test_pixels_of_a_folder_can_be_given(tmp_path):
    pictures.write_png(tmp_path / f"{NAME}.png", np.zeros((4, 5), np.uint8))
    (found,) = image_folder.read(tmp_path)
    assert (found.azimuth_pixel_m, found.range_pixel_m, found.beam) == (41.0, 46.0, "wv2")
    (found,) = image_folder.read(tmp_path, azimuth_pixel_m=20.0)
    assert (found.azimuth_pixel_m, found.range_pixel_m) == (20.0, 46.0)


def test_decibels_of_a_tiff_become_linear(tmp_path):
    numbers = np.array([[0, 40_000], [43_010, 30_000]], np.uint16)
    tags = {"quantity": "roughness_db", "azimuth_pixel_m": "50", "incidence_angle": "23.8", "simulated_by": "x"}
    pictures.write_tiff(tmp_path / "a.tiff", numbers, scale=0.001, offset=-40.0, nodata=0, tags=tags)
    (found,) = image_folder.read(tmp_path)
    np.testing.assert_allclose(found.picture, [[np.nan, 1.0], [2.0, 0.1]], rtol=1e-3)
    assert found.quantity == "roughness" and found.has_level and found.incidence_angle == 23.8 and found.is_simulated


def test_parts_of_a_name():
    found = wave_mode_names.parse(f"folder/{NAME}.png")
    assert (found.satellite, found.beam, found.kind, found.polarisation) == ("S1A", "wv2", "ql", "VV")
    assert (found.absolute_orbit, found.number) == (29230, 56)
    assert found.stop - found.start == np.timedelta64(3, "s")
    assert wave_mode_names.parse("00_H.png") is None
    assert wave_mode_names.parse(NAME.replace("20190929t", "20191929t")) is None
