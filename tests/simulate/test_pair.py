"""Pairs on disk: the product's layout and units, granule and image of the same ice, drift's sign, errors."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from pyproj import Transformer
from scipy.ndimage import maximum_filter, minimum_filter
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import OutputError, UsageError
from polynya.physics import solar
from polynya.simulate import pair as simulator
from polynya.simulate.pair import Options
from polynya.simulate.sea_ice.surfaces import Surfaces
from polynya.simulate.sentinel2 import scene

DRIFT = (310.0, -140.0)
L1C_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]


@pytest.fixture(scope="module")
def clear(tmp_path_factory) -> simulator.Pair:
    """A clear scene at moderate sun, both formats."""
    folder = tmp_path_factory.mktemp("pairs") / "clear"
    return simulator.simulate_pair(
        folder,
        Options(
            length_km=5.0, seed=21, drift_m=DRIFT, minutes=-33.0, sun_elevation=30.0, cloud_cover=0.0, image="both"
        ),
    )


@pytest.fixture(scope="module")
def surface(tmp_path_factory) -> simulator.Pair:
    """A Level-2A scene at low sun under some cloud."""
    folder = tmp_path_factory.mktemp("pairs") / "surface"
    return simulator.simulate_pair(
        folder,
        Options(length_km=1.0, season="spring", seed=5, beams="gt2r", sun_elevation=12.0, cloud_cover=0.5, level="2A"),
    )


def image_file(pair: simulator.Pair, ending: str) -> Path:
    found = list(pair.safe.glob(f"GRANULE/*/IMG_DATA/**/*{ending}.jp2"))
    assert len(found) == 1, (ending, found)
    return found[0]


def element(root: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(e for e in root.iter() if e.tag.endswith(name))


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as handle:
        return handle.read()


def on_image(pair: simulator.Pair, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth table's classes and the image truth's classes at the shifted places, by pyproj and rasterio
    alone."""
    truth = pq.read_table(pair.truth).to_pandas()
    with rasterio.open(pair.image_truth) as handle:
        easting, northing = Transformer.from_crs(4326, handle.crs, always_xy=True).transform(
            truth.longitude.to_numpy(), truth.latitude.to_numpy()
        )
        columns, rows = ~handle.transform * (easting + shift[0], northing + shift[1])
        picture = handle.read(1)
    rows, columns = np.floor(rows).astype(int), np.floor(columns).astype(int)
    inside = (rows >= 0) & (rows < picture.shape[0]) & (columns >= 0) & (columns < picture.shape[1])
    assert inside.mean() > 0.9
    values = np.zeros(rows.size, picture.dtype)
    values[inside] = picture[rows[inside], columns[inside]]
    return truth.surface_class.to_numpy(), values


def test_granule_and_image_show_the_same_ice_once_shifted(clear):
    track, image = on_image(clear, DRIFT)
    assert np.mean(track == image) > 0.97
    wide = minimum_filter((track > 0).astype(np.int8), 13) > 0  # 12 m inside a lead on either side
    assert wide.sum() > 150
    assert np.mean(image[wide] > 0) > 0.98
    for wrong in ((0.0, 0.0), (-DRIFT[0], -DRIFT[1]), (DRIFT[0] + 100.0, DRIFT[1]), (DRIFT[0], DRIFT[1] + 100.0)):
        track, image = on_image(clear, wrong)
        assert np.mean(image[track > 0] > 0) < 0.6, wrong


def test_the_record_tells_the_truth(clear):
    about = json.loads(clear.record.read_text())
    assert about["simulated"] is True
    assert (about["shift_east_m"], about["shift_north_m"]) == DRIFT
    assert about["minutes"] == pytest.approx(-33.0, abs=0.05)
    with h5py.File(clear.granule) as handle:
        middle = np.median(handle["gt2r/geolocation/delta_time"][()])
    image = (np.datetime64(about["image_time"].rstrip("Z"), "ns") - np.datetime64("2018-01-01", "ns")) / np.timedelta64(
        1, "s"
    )
    assert (image - middle) / 60.0 == pytest.approx(about["minutes"], abs=0.02)
    names = [about["granule"], about["truth"], *about["files"].values()]
    assert sorted([*names, "pair.json"]) == sorted(p.name for p in clear.record.parent.iterdir())
    assert about["sun_elevation"] == pytest.approx(30.0, abs=0.3)


def test_the_published_rule_fits_a_clear_scene_at_moderate_sun(clear):
    """V <= 30 water, 31-204 thin, >= 205 thick, where five by five pixels are of one class."""
    value = read(image_file(clear, "_TCI")).max(axis=0)
    rule = np.where(value <= 30, 2, np.where(value <= 204, 1, 0))
    truth = read(clear.image_truth)[0]
    pure = maximum_filter(truth, 5) == minimum_filter(truth, 5)
    assert np.mean(rule[pure] == truth[pure]) > 0.97
    for code, least in ((0, 0.99), (1, 0.6), (2, 0.95)):
        at = pure & (truth == code)
        assert at.sum() > 300
        assert np.mean(rule[at] == code) > least, code


def test_narrow_leads_make_mixed_pixels(clear):
    value = read(image_file(clear, "_TCI")).max(axis=0)
    truth = read(clear.image_truth)[0]
    edge = (maximum_filter(truth, 3) == 2) & (minimum_filter(truth, 3) == 0)
    assert np.mean((value[edge] > 40) & (value[edge] < 250)) > 0.3


def test_digital_numbers_carry_the_offset_and_agree_with_the_true_colour(clear):
    colour = read(image_file(clear, "_TCI"))
    for i, band in enumerate(("B04", "B03", "B02")):
        numbers = read(image_file(clear, f"_{band}"))[0].astype(np.float64)
        assert numbers.min() >= 1.0
        reflectance = (numbers - 1000.0) / 10000.0
        expected = np.clip(np.rint(255.0 * reflectance / 0.3558), 1, 255)
        assert np.abs(expected - colour[i]).max() <= 1.0
    snow = (read(image_file(clear, "_B02"))[0][read(clear.image_truth)[0] == 0] - 1000.0) / 1e4
    assert 0.45 < np.median(snow) < 0.95


def test_true_colour_saturates_where_the_specification_says():
    found = scene.true_colour(np.array([0.0, 0.042, 0.0426, 0.1779, 0.2853, 0.2861, 0.3558, 1.2]))
    assert found.tolist() == [1, 30, 31, 128, 204, 205, 255, 255]
    assert scene.digital_numbers(np.array([0.0, 0.5, -0.2, 9.0])).tolist() == [1000, 6000, 1, 32767]


def test_product_metadata_reads_with_plain_xml(clear):
    root = ElementTree.parse(clear.safe / "MTD_MSIL1C.xml").getroot()
    assert root.tag.endswith("Level-1C_User_Product")
    assert element(root, "PRODUCT_TYPE").text == "S2MSI1C" and element(root, "PRODUCT_URI").text == clear.safe.name
    assert element(root, "QUANTIFICATION_VALUE").text == "10000"
    offsets = [e for e in root.iter() if e.tag == "RADIO_ADD_OFFSET"]
    assert [int(e.attrib["band_id"]) for e in offsets] == list(range(13)) and {e.text for e in offsets} == {"-1000"}
    files = [e.text for e in root.iter() if e.tag == "IMAGE_FILE"]
    assert all((clear.safe / f"{f}.jp2").is_file() for f in files)
    assert [f[-3:] for f in files] == [*L1C_BANDS, "TCI"]
    assert "simulation" in element(root, "SIMULATED_BY").text


def test_tile_metadata_is_the_images_grid_and_the_suns_place(clear):
    root = ElementTree.parse(next(clear.safe.glob("GRANULE/*/MTD_TL.xml"))).getroot()
    code = element(root, "HORIZONTAL_CS_CODE").text
    sizes = {
        e.attrib["resolution"]: (int(e.find("NROWS").text), int(e.find("NCOLS").text))
        for e in root.iter()
        if e.tag == "Size"
    }
    corner = {
        e.attrib["resolution"]: (float(e.find("ULX").text), float(e.find("ULY").text))
        for e in root.iter()
        if e.tag == "Geoposition"
    }
    for band, resolution in (("B02", "10"), ("B11", "20"), ("B09", "60")):
        with rasterio.open(image_file(clear, f"_{band}")) as handle:
            assert (handle.height, handle.width) == sizes[resolution]
            assert (handle.transform.c, handle.transform.f) == corner[resolution]
            assert handle.transform.a == float(resolution) == -handle.transform.e
            assert f"EPSG:{handle.crs.to_epsg()}" == code == clear.about["crs"]
            assert handle.dtypes[0] == "uint16"
    time = np.datetime64(element(root, "SENSING_TIME").text.rstrip("Z"), "ns")
    sun = solar.solar_elevation(np.array([time]), latitude=np.array([-73.0]), longitude=np.array([180.0]))[0]
    mean = element(root, "Mean_Sun_Angle")
    assert 90.0 - float(mean.find("ZENITH_ANGLE").text) == pytest.approx(sun, abs=0.1)


def test_geotiffs_hold_the_same_picture(clear):
    with rasterio.open(clear.bands) as handle:
        assert handle.descriptions == ("B04", "B03", "B02", "B08")
        values, scale, tags = handle.read(), handle.scales[0], handle.tags()
    assert values.dtype == np.uint16 and scale == 1e-4
    for i, band in enumerate(("B04", "B03", "B02", "B08")):
        numbers = read(image_file(clear, f"_{band}"))[0].astype(np.int64) - 1000
        assert np.abs(np.maximum(numbers, 1) - values[i]).max() <= 1
    assert tags["acquisition_time"] == clear.about["image_time"]
    np.testing.assert_array_equal(read(clear.colour), read(image_file(clear, "_TCI")))


def test_surface_level_has_its_layout(surface):
    root = ElementTree.parse(surface.safe / "MTD_MSIL2A.xml").getroot()
    assert element(root, "PRODUCT_TYPE").text == "S2MSI2A"
    assert element(root, "BOA_QUANTIFICATION_VALUE").text == "10000"
    assert {e.text for e in root.iter() if e.tag == "BOA_ADD_OFFSET"} == {"-1000"}
    assert not list(surface.safe.glob("GRANULE/*/IMG_DATA/**/*B10*"))
    assert (
        image_file(surface, "_B02_10m").parent.name == "R10m" and image_file(surface, "_B11_20m").parent.name == "R20m"
    )
    classes = read(image_file(surface, "_SCL_20m"))[0]
    truth = read(surface.image_truth)[:, ::2, ::2]
    assert set(np.unique(classes)) <= {3, 6, 8, 9, 10, 11}
    cloudy = (truth[1] == 1) | (truth[1] == 2)
    np.testing.assert_array_equal(np.isin(classes, (8, 9, 10)), cloudy)
    assert cloudy.mean() == pytest.approx(0.5, abs=0.12)


def test_the_same_seed_gives_the_same_pair_whatever_the_format(tmp_path):
    arguments = {"length_km": 1.0, "seed": 8, "beams": "gt1r"}
    one = simulator.simulate_pair(tmp_path / "one", Options(image="geotiff", **arguments))
    two = simulator.simulate_pair(tmp_path / "two", Options(image="both", level="2A", **arguments))
    assert one.safe is None and two.safe is not None
    np.testing.assert_array_equal(read(one.bands), read(two.bands))
    np.testing.assert_array_equal(read(one.image_truth), read(two.image_truth))
    with h5py.File(one.granule) as a, h5py.File(two.granule) as b:
        np.testing.assert_array_equal(a["gt1r/heights/h_ph"][()], b["gt1r/heights/h_ph"][()])
    other = simulator.draw_conditions(Options(seed=9, length_km=1.0))
    assert other.shift_east != one.about["shift_east_m"]


def test_ponds_are_dark_in_the_image_and_thick_ice_in_both_truths(tmp_path):
    made = {}
    for ponds in (0.0, 12.0):
        surfaces = Surfaces(leads="none", dark_ponds=ponds, specular_ponds=0.0, melt_patches=0.0)
        options = Options(
            length_km=2.0, season="melt", seed=6, beams="gt2r", cloud_cover=0.0, image="geotiff", surfaces=surfaces
        )
        made[ponds] = simulator.simulate_pair(tmp_path / f"{ponds:g}", options)
    bare, ponded = (read(made[p].bands)[0].astype(float) for p in made)
    assert np.mean(ponded[bare > 0] < 0.8 * bare[bare > 0]) > 0.1
    for pair in made.values():
        assert set(pq.read_table(pair.truth)["surface_class"].to_pylist()) == {0}
        assert pair.about["settings"]["surfaces"]["leads"] == "none"
        classes = read(pair.image_truth)[0]
        assert set(np.unique(classes)) <= {0, 255}


def test_conditions_cover_their_ranges():
    many = [simulator.draw_conditions(Options(season=s, seed=k)) for s in ("spring", "summer") for k in range(40)]
    drift = np.array([np.hypot(c.shift_east, c.shift_north) for c in many])
    minutes = np.array([c.minutes for c in many])
    assert drift.min() < 80.0 and 450.0 < drift.max() <= 550.0
    assert np.abs(minutes).min() > 7.9 and np.abs(minutes).max() < 80.1 and 0.3 < np.mean(minutes > 0) < 0.7
    suns = np.array([c.sky.sun_elevation for c in many])
    assert 4.5 < suns[:40].min() < 9.0 and 20.0 < suns[:40].max() < 25.5 and suns[40:].max() > 28.0
    cover = np.array([c.sky.cloud_cover for c in many])
    assert 0.2 < np.mean(cover == 0.0) < 0.6 and cover.max() > 0.5
    assert all((c.skin > 0.0) == (k < 40 and c.minutes > 0.0) for k, c in enumerate(many))


@pytest.mark.parametrize("how", [{"cloud_cover": 1.0}, {"ice": "closed", "cloud_cover": 0.0}])
def test_there_are_scenes_without_contrast(tmp_path, how):
    pair = simulator.simulate_pair(
        tmp_path / "blank",
        Options(length_km=1.0, seed=2, beams="gt2r", sun_elevation=25.0, image="geotiff", **how),
    )
    value = read(pair.colour).max(axis=0)
    assert np.mean(value >= 205) > 0.995
    if "ice" in how:
        assert read(pair.image_truth)[0].max() == 0
        assert (pq.read_table(pair.truth)["surface_class"].to_numpy() == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"season": "winter"}, "polar night.*Sentinel-2 needs sun"),
        ({"season": "monsoon"}, "monsoon.*expected summer or spring"),
        ({"length_km": 80.0}, "expected 1 to 60"),
        ({"cloud_cover": 40.0}, "expected 0 to 1"),
        ({"drift_m": (2000.0, 0.0)}, "at most 1500"),
        ({"minutes": 4000.0}, "expected -720"),
        ({"sun_elevation": 70.0}, "out of reach"),
        ({"beams": "gt9"}, "gt9"),
        ({"level": "3A"}, "1C, 2A"),
        ({"image": "png"}, "safe, geotiff, both"),
        ({"ice": "none"}, "drawn, closed"),
        ({"seed": -3}, "seed is -3"),
        ({"minutes": float("nan")}, "minutes is nan"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(tmp_path, arguments, words):
    with pytest.raises(UsageError, match=words):
        simulator.simulate_pair(tmp_path / "x", Options(**arguments))
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"mine: is no result of polynya \(its pair\.json is missing"):
        simulator.simulate_pair(tmp_path / "mine", Options(length_km=1.0))
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_failing_run_leaves_nothing_and_keeps_the_old(tmp_path, monkeypatch):
    old = simulator.simulate_pair(tmp_path / "p", Options(length_km=1.0, seed=1, beams="gt1r", image="geotiff"))
    before = old.record.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scene, "write_truth", fail)
    with pytest.raises(OutputError, match="No space left"):
        simulator.simulate_pair(
            tmp_path / "p", Options(length_km=1.0, seed=2, beams="gt1r", image="geotiff"), overwrite=True
        )
    assert old.record.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


def test_the_command_says_what_it_wrote(tmp_path):
    arguments = [
        "simulate",
        "pair",
        str(tmp_path / "p"),
        "--length-km",
        "1",
        "--beams",
        "gt2r",
        "--drift-m",
        "-50",
        "20",
        "--image",
        "geotiff",
    ]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    lines = [Path(line) for line in done.output.split("\n") if line]
    assert all(p.exists() for p in lines) and lines[-1].name == "pair.json" and len(lines) == 6
    assert json.loads(lines[-1].read_text())["shift_east_m"] == -50.0
    again = CliRunner().invoke(cli.app, [*arguments, "--json", "--overwrite"])
    assert json.loads(again.output)["shift_north_m"] == 20.0
