"""AMSR2 channels on the grid of a Sentinel-1 scene: values, places between cells, a real file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError
from polynya.readers import amsr2_swath
from tests.real_files import sar

NAME = "AMSR2_S1A_EW_GRDM_1SDH_20190823T033023_20190823T033127_028691_033F56_7A1D.nc"


def write(path, *, channels=("btemp_6.9h", "btemp_6.9v"), shape=(4, 5), **more):
    values = np.arange(shape[0] * shape[1], dtype=float).reshape(shape) + 200.0
    data = xr.Dataset({n: (("dim_0", "dim_1"), values + k) for k, n in enumerate(channels)}, attrs=more)
    data.to_netcdf(path, engine="h5netcdf")
    return path


def test_channels_have_one_spelling_and_cells_their_place_in_the_image(tmp_path):
    found = amsr2_swath.read(write(tmp_path / NAME, AMSR2_swaths=["a.h5", "b.h5"], delays=[1292, -60]))
    assert list(found.data_vars) == ["btemp_6_9h", "btemp_6_9v"] and found["btemp_6_9h"].dims == ("y", "x")
    assert found["btemp_6_9v"].to_numpy()[1, 2] == 208.0 and found["btemp_6_9v"].dtype == np.float32
    # the first cell holds lines 0 to 49, the second 50 to 99
    assert found["line"].to_numpy()[:2].tolist() == [np.mean(range(50)), np.mean(range(50, 100))]
    assert found.attrs["scene"] == NAME[6:-3] and found.attrs["time"] == "2019-08-23T03:30:23Z"
    assert found.attrs["swaths"] == ["a.h5", "b.h5"] and found.attrs["delays_s"] == [1292.0, -60.0]
    other = amsr2_swath.read(write(tmp_path / "x.nc", channels=("btemp_89_0h",)))
    assert list(other.data_vars) == ["btemp_89_0h"] and other.attrs["scene"] == other.attrs["time"] == ""


def test_impossible_temperatures_are_missing(tmp_path):
    path = write(tmp_path / "x.nc")
    with h5py.File(path, "a") as file:
        file["btemp_6.9h"][0, :3] = (0.0, -9999.0, 400.0)
    found = amsr2_swath.read(path)["btemp_6_9h"].to_numpy()
    assert np.isnan(found[0, :3]).all() and np.isfinite(found).sum() == 17


def test_values_between_cells_are_those_of_a_plane():
    """Bilinear interpolation gives a plane back, wherever a patch begins."""
    lines, samples = np.meshgrid(amsr2_swath.centres(6), amsr2_swath.centres(7), indexing="ij")
    plane = 150.0 + 0.05 * lines + 0.02 * samples
    line, sample = np.arange(137, 190), np.arange(211.0, 260.0)
    found = amsr2_swath.to_pixels(np.stack([plane, 2 * plane]), line=line, sample=sample)
    expected = 150.0 + 0.05 * line[:, None] + 0.02 * sample
    assert found.shape == (2, 53, 49) and np.allclose(found[0], expected, atol=1e-4)
    assert np.allclose(found[1], 2 * expected, atol=1e-4)
    edge = amsr2_swath.to_pixels(plane, line=np.array([0, 24, 299]), sample=amsr2_swath.centres(7)[:1])
    assert edge[:, 0].tolist() == pytest.approx([plane[0, 0], plane[0, 0], plane[-1, 0]], abs=1e-3)


def test_a_missing_cell_spoils_only_what_it_has_a_weight_in():
    values = np.full((4, 4), 200.0)
    values[2, 2] = np.nan
    middle = amsr2_swath.centres(4)
    found = amsr2_swath.to_pixels(values, line=middle, sample=middle)
    assert np.isnan(found).sum() == 1 and np.isnan(found[2, 2])
    between = amsr2_swath.to_pixels(values, line=middle[1:2] + 1.0, sample=middle[1:2] + 1.0)
    assert np.isnan(between).all()


def test_positions_of_their_own_get_what_the_crossings_get():
    rng = np.random.default_rng(1)
    values = rng.uniform(150.0, 280.0, (2, 6, 7))
    values[0, 3, 2] = np.nan
    line, sample = np.sort(rng.uniform(-30.0, 330.0, 40)), np.sort(rng.uniform(-30.0, 380.0, 50))
    line[7], sample[9] = amsr2_swath.centres(6)[3], amsr2_swath.centres(7)[2]
    mesh = np.meshgrid(line, sample, indexing="ij")
    found = amsr2_swath.to_positions(values, line=mesh[0], sample=mesh[1])
    np.testing.assert_allclose(found, amsr2_swath.to_pixels(values, line=line, sample=sample), rtol=1e-6)
    few = amsr2_swath.to_positions(values[1], line=np.array([100.0, np.nan]), sample=np.array([90.0, 90.0]))
    assert np.isfinite(few).tolist() == [True, False]


def test_other_files_are_one_line(tmp_path):
    xr.Dataset({"z": (("y", "x"), np.zeros((2, 2)))}).to_netcdf(tmp_path / "z.nc", engine="h5netcdf")
    with pytest.raises(ProductError, match=r"z\.nc: holds z; expected AMSR2 brightness temperatures"):
        amsr2_swath.read(tmp_path / "z.nc")
    path = write(tmp_path / "cut.nc")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ProductError, match=r"cut\.nc: cannot be read"):
        amsr2_swath.read(path)
    with pytest.raises(ProductError, match=r"gone\.nc: no such file"):
        amsr2_swath.read(tmp_path / "gone.nc")
    flat = xr.Dataset({"btemp_6.9h": ("x", np.full(5, 200.0)), "btemp_6.9v": (("y", "x"), np.full((3, 5), 200.0))})
    flat.to_netcdf(tmp_path / "flat.nc", engine="h5netcdf")
    with pytest.raises(ProductError, match=r"flat\.nc: channels have the shapes \[\(3, 5\), \(5,\)\]"):
        amsr2_swath.read(tmp_path / "flat.nc")


@pytest.mark.real
def test_a_real_file_has_fourteen_channels_of_the_sea():
    path = sar(f"asip_20190823/{NAME}")
    found = amsr2_swath.read(path)
    assert tuple(v for v in found.data_vars if v.startswith("btemp")) == amsr2_swath.CHANNELS
    assert dict(found.sizes) == {"y": 214, "x": 209} and found.attrs["delays_s"] == [1292.0, 1647.0]
    with h5py.File(path) as file:
        theirs = file["btemp_36.5v"][()]
    assert np.allclose(found["btemp_36_5v"], theirs, atol=1e-3) and np.isfinite(found["btemp_36_5v"]).all()
    # vertical polarisation is the brighter one over water and ice
    share = float((found["btemp_18_7v"] > found["btemp_18_7h"]).mean())
    assert share == 1.0
