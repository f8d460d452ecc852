"""TenGeoP-SARwv as its loaders read it: letters, coordinates by their range, GeoTIFF or PNG."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from polynya.errors import ProductError
from polynya.io import pictures
from polynya.readers import tengeop_sarwv
from polynya.schema.imagettes import SHORT_NAMES

NAMES = [
    "s1a-wv1-slc-vv-20160101t051525-20160101t051528-009300-00d6fe-001",
    "s1a-wv2-slc-vv-20160102t051540-20160102t051543-009315-00d77e-002",
    "s1a-wv1-slc-vv-20160103t051555-20160103t051558-009330-00d7fe-003",
]
CLASSES = "F Pure Ocean Waves\nK Sea Ice\nO Oceanic Front\n"


def write(folder, rows, *, classes=CLASSES):
    folder.mkdir(exist_ok=True)
    (folder / "58682.txt").write_text(classes)
    (folder / "58683.txt").write_text("\n".join(rows) + "\n")


def picture(folder, letter, name, *, kind="GeoTIFF", values=None):
    path = folder / kind / letter
    path.mkdir(parents=True, exist_ok=True)
    values = np.arange(12, dtype=np.float32).reshape(3, 4) + 0.5 if values is None else values
    if kind == "PNG":
        pictures.write_png(path / f"{name}.png", values.astype(np.uint8))
    else:
        pictures.write_tiff(path / f"{name}.tiff", values)


def rows(order="longitude first", letters="FKO"):
    places = [(-150.25, 12.5), (170.0, -60.25), (20.0, 5.0)]
    out = []
    for name, letter, (longitude, latitude) in zip(NAMES, letters, places, strict=True):
        pair = (longitude, latitude) if order == "longitude first" else (latitude, longitude)
        out.append(f"{name}.tiff {letter} {name[4:7]} 20160101T051525 {pair[0]} {pair[1]}")
    return out


@pytest.mark.parametrize("order", ["longitude first", "latitude first"])
def test_latitude_and_longitude_are_found_by_their_range(tmp_path, order):
    write(tmp_path, rows(order))
    found = tengeop_sarwv.read_table(tmp_path)
    assert [(r.latitude, r.longitude) for r in found] == [(12.5, -150.25), (-60.25, 170.0), (5.0, 20.0)]
    assert [SHORT_NAMES[r.phenomenon] for r in found] == ["POW", "SI", "OF"]
    assert found[1].beam == "wv2" and found[1].time == np.datetime64("2016-01-02T05:15:40", "ns")


def test_letters_name_the_ten_classes():
    wanted = dict(zip("FGHIJKLMNO", ["POW", "WS", "MCC", "RC", "BS", "SI", "IB", "LWA", "AF", "OF"], strict=True))
    assert dict(zip(tengeop_sarwv.LETTERS, SHORT_NAMES, strict=True)) == wanted


def test_names_of_classes_and_a_line_of_titles(tmp_path):
    lines = [r.replace(" F ", " PureOceanWaves ") for r in rows()]
    write(tmp_path, ["name label swath time X Y", *lines])
    assert tengeop_sarwv.read_table(tmp_path)[0].phenomenon == 0


def test_floating_point_16_bit_and_png(tmp_path):
    write(tmp_path, rows())
    whole = (1000.0 * np.arange(12).reshape(3, 4)).astype(np.uint16)
    picture(tmp_path, "F", NAMES[0])
    picture(tmp_path, "F", NAMES[0], kind="PNG", values=np.zeros((3, 4)))  # the GeoTIFF is taken
    picture(tmp_path, "K", NAMES[1], values=whole)
    picture(tmp_path, "O", NAMES[2], kind="PNG", values=np.full((3, 4), 7))
    found = list(tengeop_sarwv.read(tmp_path))
    np.testing.assert_array_equal(found[0].picture, np.arange(12).reshape(3, 4) + 0.5)
    np.testing.assert_array_equal(found[1].picture, whole)
    assert (found[2].picture == 7).all()
    for k, (imagette, phenomenon) in enumerate(zip(found, (0, 5, 9), strict=True)):
        assert imagette.tags[phenomenon] == 1 and (np.delete(imagette.tags, phenomenon) == -1).all()
        assert imagette.name == NAMES[k] and imagette.quantity == "grey" and not imagette.has_level
        assert (imagette.satellite, imagette.azimuth_pixel_m) == ("S1A", 50.0)
    assert [i.group for i in found] == ["S1A-009300", "S1A-009315", "S1A-009330"]


def test_values_that_are_no_numbers_are_masked(tmp_path):
    write(tmp_path, rows()[:1])
    values = np.ones((3, 4), np.float32)
    values[0, 0] = np.nan
    picture(tmp_path, "F", NAMES[0], values=values)
    assert (~next(tengeop_sarwv.read(tmp_path)).mask).sum() == 1
    picture(tmp_path, "F", NAMES[0], values=np.full((3, 4), np.nan, np.float32))
    with pytest.raises(ProductError, match="no pixel is valid"):
        list(tengeop_sarwv.read(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: [r[0].replace("-150.25", "nan"), *r[1:]], "line 1 has the coordinates nan 12.5, 1 such lines"),
        (lambda r: [r[0].replace("-150.25", "west"), *r[1:]], "coordinates are no numbers"),
        (lambda r: [r[0].replace("-150.25", "-50.25"), r[1].replace("170.0", "17.0"), r[2]], "cannot be distinguished"),
        (lambda r: [r[0].replace("12.5", "112.5"), *r[1:]], "both coordinates go beyond 90"),
        (lambda r: [r[0], "name F", r[2]], "line 2 is 'name F'"),
        (lambda r: [r[0].replace(" F ", " Q "), *r[1:]], "line 1 has the class 'Q'"),
        (lambda r: [], "names no image"),
    ],
)
def test_damaged_lists_are_one_line(tmp_path, change, words):
    write(tmp_path, change(rows()))
    with pytest.raises(ProductError, match=words) as error:
        tengeop_sarwv.read_table(tmp_path)
    assert "\n" not in str(error.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ProductError, match=r"58683\.txt: no such file"):
        tengeop_sarwv.read_table(tmp_path)
    write(tmp_path, rows())
    picture(tmp_path, "F", NAMES[0])
    with pytest.raises(ProductError, match=f"no image {NAMES[1]}; expected it in GeoTIFF/K or PNG/K"):
        list(tengeop_sarwv.read(tmp_path))
    path = tmp_path / "GeoTIFF" / "F" / f"{NAMES[0]}.tiff"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ProductError, match="cannot be read as a picture"):
        next(tengeop_sarwv.read(tmp_path))


def test_not_a_raster_in_disguise(tmp_path):
    """A virtual raster under a picture's name opens nothing elsewhere."""
    path = tmp_path / "a.png"
    path.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    with pytest.raises(ProductError, match="cannot be read as a picture"):
        pictures.read_picture(path)


def test_colours_are_averaged_and_alpha_is_a_mask(tmp_path):
    path = tmp_path / "a.png"
    bands = np.zeros((4, 2, 2), np.uint8)
    bands[0], bands[1], bands[2], bands[3] = 30, 60, 90, [[255, 0], [255, 255]]
    with rasterio.open(path, "w", driver="PNG", width=2, height=2, count=4, dtype="uint8") as file:
        file.write(bands)
    found = pictures.read_picture(path).values
    assert np.isnan(found[0, 1]) and found[0, 0] == 60.0
