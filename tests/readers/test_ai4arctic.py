"""Scenes of AI4Arctic: both forms give the same physical values, places and charts."""

from __future__ import annotations

import csv
import json

import h5py
import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError, UsageError
from polynya.readers import ai4arctic, ai4arctic_preparation
from polynya.readers.ai4arctic_preparation import STATISTICS
from tests.real_files import sar

from . import ai4arctic_files as files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("ai4arctic")
    files.raw(where / files.RAW_NAME)
    files.prepared(where / files.NAME, statistics=STATISTICS)
    return where


def test_both_forms_are_described(folder):
    ready, raw = ai4arctic.open_scene(folder / files.NAME), ai4arctic.open_scene(folder / files.RAW_NAME)
    assert (ready.form, ready.shape, ready.cells, ready.pixel_m) == ("ready to train", (60, 69), (2, 2), 80.0)
    assert (raw.form, raw.shape, raw.cells, raw.pixel_m) == ("raw", (120, 139), (2, 2), 40.0)
    for scene in (ready, raw):
        assert scene.time == "2018-07-21T12:01:56Z" and scene.service == "cis" and scene.name == "20180721T120156_cis"
        assert set(scene.variables) == set(ai4arctic.UNITS) and scene.original == files.RAW_NAME
    assert ai4arctic.is_scene(ready.path) and ai4arctic.is_scene(raw.path)


def test_ready_to_train_values_become_physical(folder):
    found = ai4arctic.read(folder / files.NAME)
    assert found["nersc_sar_primary"].dims == ai4arctic.IMAGE_DIMS and found["btemp_89_0v"].dims == ai4arctic.CELL_DIMS
    hh = found["nersc_sar_primary"].to_numpy()
    assert np.isnan(hh[:2]).all() and np.allclose(hh[2:, 5], -20.0 + (2 * np.arange(2, 60) + 0.5) / 100.0, atol=1e-4)
    inc = found["sar_incidenceangle"].to_numpy()
    assert np.isnan(inc[:2]).all() and inc[10, 40] == pytest.approx(20.0 + 0.1 * 80.5, abs=1e-4)
    assert np.all(found["distance_map"].to_numpy()[2:] == 41.0)
    assert np.allclose(found["btemp_89_0v"], 163.0, atol=1e-3) and np.allclose(found["tclw"], 0.05, atol=1e-5)
    assert found["SIC"].to_numpy()[5].tolist().count(10) == 23 and found["FLOE"].to_numpy()[5, -1] == 255
    assert found["nersc_sar_primary"].attrs["units"] == "dB" and found["t2m"].attrs["units"] == "K"


def test_a_zero_in_one_radar_channel_is_a_value(tmp_path):
    path = files.prepared(tmp_path / files.NAME, statistics=STATISTICS)
    with h5py.File(path, "a") as file:
        file["nersc_sar_primary"][30, 40] = 0.0
        file["nersc_sar_primary"][31, 40] = file["nersc_sar_secondary"][31, 40] = 0.0
    found = ai4arctic.read(path, variables=["nersc_sar_primary", "sar_incidenceangle"])
    hh = found["nersc_sar_primary"].to_numpy()
    assert hh[30, 40] == pytest.approx(STATISTICS["nersc_sar_primary"][0]) and np.isnan(hh[31, 40])
    assert np.isfinite(found["sar_incidenceangle"].to_numpy()[30:32, 40]).all()


def test_the_raw_form_gives_the_same(folder):
    raw = ai4arctic.read(folder / files.RAW_NAME)
    ready = ai4arctic.read(folder / files.NAME)
    for name in ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle", "distance_map"):
        ours, theirs = ai4arctic_preparation.mean_of_four(raw[name].to_numpy()), ready[name].to_numpy()
        assert ours.shape == theirs.shape == (60, 69)
        assert np.allclose(ours[2:], theirs[2:], atol=2e-3), name
    assert np.isnan(ai4arctic_preparation.mean_of_four(raw["nersc_sar_primary"].to_numpy())[:2]).all()
    for name in ("btemp_6_9h", "u10m_rotated", "skt"):
        assert np.allclose(raw[name], ready[name], atol=1e-3), name
    sic = raw["SIC"].to_numpy()
    assert (sic[-2:] == 255).all() and sic[0, [0, 70, 138]].tolist() == [10, 0, 5]
    assert raw["SOD"].to_numpy()[0, [0, 70, 138]].tolist() == [4, 0, 5]
    assert raw["FLOE"].to_numpy()[0, [0, 70, 138]].tolist() == [5, 0, 255]


def test_charts_of_a_raw_scene_at_80_m_take_the_largest_of_four_and_the_radar_s_mask(folder):
    raw, ready = (ai4arctic.read_charts(folder / n) for n in (files.RAW_NAME, files.NAME))
    full = ai4arctic.read(folder / files.RAW_NAME, variables=["SIC"])["SIC"].to_numpy()
    for row in (0, 1, 2, 30, 59):
        for column in range(69):
            four = full[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            expected = 255 if row < 2 else four.max()  # lines 0 to 2 have no radar
            assert raw["SIC"][row, column] == expected
    assert all(raw[n].dtype == np.uint8 and raw[n].shape == ready[n].shape for n in ai4arctic.CHARTS)


@pytest.mark.parametrize("name", [files.NAME, files.RAW_NAME])
def test_pixels_lie_where_the_points_put_them(folder, name):
    scene = ai4arctic.open_scene(folder / name)
    step = int(scene.pixel_m / 40.0)
    line, sample = np.array([0.0, 13.0, scene.shape[0] - 1.0]), np.array([0.0, 41.0, scene.shape[1] - 1.0])
    found = scene.swath.positions(line, sample)
    # the middle of a pixel of 80 m lies half a pixel of 40 m after that of its first one
    expected = files.position(step * line + (step - 1) / 2.0, step * sample + (step - 1) / 2.0)
    assert np.allclose(found, expected, atol=2e-6)  # 0.2 m


@pytest.mark.parametrize("odd", [0, 1])
def test_an_odd_line_of_the_raw_image_is_noticed(tmp_path, odd):
    """401 lines have points 21 lines apart, 400 have them 20 apart; both become 200 lines."""
    path = files.prepared(tmp_path / files.NAME, shape=(200, 200), statistics=STATISTICS, odd=odd)
    line = np.array([0.0, 100.0, 199.0])
    found = ai4arctic.open_scene(path).swath.positions(line, line)
    assert np.allclose(found, files.position(2 * line + 0.5, 2 * line + 0.5), atol=2e-6)


def test_a_window_is_the_same_part_of_the_whole(folder):
    for name in (files.NAME, files.RAW_NAME):
        whole = ai4arctic.read(folder / name)
        part = ai4arctic.read(folder / name, window=((11, 30), (5, 50)), variables=["sar_incidenceangle", "SIC", "skt"])
        assert part["SIC"].shape == (19, 45) and part["skt"].shape == (2, 2)
        for variable in ("sar_incidenceangle", "SIC"):
            cut = whole[variable].to_numpy()[11:30, 5:50]
            assert np.array_equal(part[variable], cut, equal_nan=True)


def test_charts_of_a_test_scene_lie_in_the_file_beside_it(tmp_path):
    path = files.prepared(tmp_path / files.NAME, statistics=STATISTICS, with_charts=False)
    with pytest.raises(ProductError, match=r"has no chart, and no 20180721T120156_cis_prep_reference\.nc lies beside"):
        ai4arctic.read_charts(path)
    beside = files.reference(tmp_path / "20180721T120156_cis_prep_reference.nc")
    assert ai4arctic.open_scene(path).reference == beside
    found, own = ai4arctic.read_charts(path), ai4arctic.read_charts(beside)
    assert all(np.array_equal(found[n], own[n]) for n in ai4arctic.CHARTS) and found["SIC"].max() == 255
    assert ai4arctic.open_scene(beside).form == "reference"
    files.reference(beside, shape=(59, 69))
    with pytest.raises(ProductError, match=r"has no SIC, SOD and FLOE of 60 x 69 pixels"):
        ai4arctic.read_charts(path)


def test_points_stand_a_whole_number_of_pixels_apart():
    """A raw scene of 10006 x 10458 pixels has points whose mean line is 5009.29 and mean sample 5229.86 (published)."""
    assert ai4arctic.point_positions(10006, 21).mean() == pytest.approx(5009.29, abs=0.005)
    assert ai4arctic.point_positions(10458, 21).mean() == pytest.approx(5229.86, abs=0.005)
    assert ai4arctic.point_positions(10458, 21)[[0, -1]].tolist() == [0.0, 10457.0]


PUBLISHED = """
btemp_6_9h 79.148 -1.131 234.367 1.387
btemp_6_9v 159.102 -1.149 253.656 1.297
btemp_7_3h 80.367 -1.127 235.328 1.385
btemp_7_3v 159.398 -1.159 254.078 1.290
btemp_10_7h 83.266 -1.160 240.656 1.425
btemp_10_7v 166.828 -1.161 256.352 1.309
btemp_18_7h 96.609 -1.313 243.875 1.486
btemp_18_7v 183.188 -1.262 256.266 1.343
btemp_23_8h 113.406 -1.604 246.945 1.509
btemp_23_8v 193.383 -1.493 256.094 1.343
btemp_36_5h 129.180 -1.449 249.172 1.656
btemp_36_5v 206.727 -1.217 255.141 1.526
btemp_89_0h 166.320 -2.046 249.875 1.653
btemp_89_0v 193.758 -2.912 257.781 1.013
u10m_rotated -3.622 -0.905 12.804 2.554
v10m_rotated -10.196 -2.079 8.721 1.561
t2m 252.765 -1.675 275.5 0.726
skt 247.483 -2.079 279.294 1.008
tcwv 1.747 -1.139 5.823 -0.365
tclw 0.000 -0.580 0.021 -0.291
distance_map 0.0 -1.576 41.0 1.159
"""
"""Least and largest value of one scene, raw and ready to train, from a published listing of both files."""


@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_standardised_values_are_the_published_ones(line):
    name, *numbers = line.split()
    low, ready_low, high, ready_high = (float(v) for v in numbers)
    found = ai4arctic_preparation.standardised(np.array([low, high, np.nan]), name)
    step = 0.0006 / STATISTICS[name][1]  # raw values are printed to a thousandth
    assert found[:2].tolist() == pytest.approx([ready_low, ready_high], abs=6e-4 + step) and found[2] == 0.0
    assert ai4arctic_preparation.physical(found[:2], name).tolist() == pytest.approx([low, high], abs=1e-3)


@pytest.mark.real
def test_names_of_the_real_set():
    """Ready-to-train names follow from raw ones for all 512 scenes."""
    listed = json.loads(sar("ai4arctic/ai4arctic_dataset_list.json").read_text(encoding="utf-8"))
    with sar("ai4arctic/ai4arctic_class_pixel_counts.csv").open(encoding="utf-8") as file:
        counted = {row["scene"] for row in csv.DictReader(file)}
    names = {ai4arctic_preparation.prepared_name(n) for n in listed}
    assert len(listed) == len(names) == 512 and {n.removesuffix("_prep.nc") for n in names} <= counted


def test_other_files_and_damage_are_one_line(tmp_path, folder):
    xr.Dataset({"z": (("y", "x"), np.zeros((2, 2)))}).to_netcdf(tmp_path / "z.nc", engine="h5netcdf")
    with pytest.raises(ProductError, match=r"z\.nc: holds z; expected a scene of AI4Arctic"):
        ai4arctic.read(tmp_path / "z.nc")
    assert not ai4arctic.is_scene(tmp_path / "z.nc") and not ai4arctic.is_scene(tmp_path / "gone.nc")
    with pytest.raises(UsageError, match=r"has no wind; expected variables of nersc_sar_primary"):
        ai4arctic.read(folder / files.NAME, variables=["wind"])
    with pytest.raises(UsageError, match="expected whole pixels inside 60 x 69"):
        ai4arctic.read(folder / files.NAME, window=((0, 61), (0, 5)))
    bad = (files.HEADER, "26;xx;-9;93;06;-9;-9;-9;-9;-9;-9;-9;-9;08-9;I")
    with pytest.raises(ProductError, match="polygon_codes holds a code that is no number"):
        ai4arctic.read(files.raw(tmp_path / "a.nc", codes=bad))
    with pytest.raises(ProductError, match=r"b\.nc: polygon_codes begins with 'poly_id;CT"):
        ai4arctic.read(files.raw(tmp_path / "b.nc", codes=(files.HEADER, "26;91")))
    cut = tmp_path / "cut.nc"
    cut.write_bytes((folder / files.NAME).read_bytes()[:30_000])
    with pytest.raises(ProductError, match=r"cut\.nc: cannot be read"):
        ai4arctic.read(cut)
