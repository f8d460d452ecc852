"""Packed NetCDF against xarray (which unpacks) and h5py and scipy (which do not)."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from scipy.io import netcdf_file

from polynya.errors import ProductError
from polynya.io.packed_netcdf import open_packed
from tests.real_files import altimetry

REAL = (
    "CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc",
    "CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc",
    "CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc",
    "s3a_sr2_lan_enhanced_50records.nc",
    "s3a_sral_coastal_echoes_2019.nc",
    "altika_sim/sim_track_0.nc",
)


def netcdf4(path: Path, *, engine: str = "h5netcdf") -> Path:
    """Variables packed with a factor, an offset and fill, and one of a group of its own."""
    data = xr.Dataset(
        {
            "height": ("x", [1.5, np.nan, -0.25], {"units": "m"}),
            "counts": (("x", "k"), np.array([[1, 2], [3, 4], [5, 6]], np.int16)),
        }
    )
    packing = {"dtype": "int16", "scale_factor": 0.25, "add_offset": 100.0, "_FillValue": -32768}
    if engine == "scipy":
        data.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT", encoding={"height": packing})
    else:
        data.to_netcdf(path, engine="h5netcdf", encoding={"height": packing})
        xr.Dataset({"agc": ("x", [3.0, 4.0])}).to_netcdf(path, engine="h5netcdf", group="data_40/ka", mode="a")
    return path


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_values_are_unpacked_once_and_raw_ones_not_at_all(tmp_path, engine):
    with open_packed(netcdf4(tmp_path / "a.nc", engine=engine)) as file:
        height = file.variables["height"]
        assert height.raw().tolist() == [-394, -32768, -401] and height.raw().dtype == np.int16
        assert height.raw().dtype.isnative
        np.testing.assert_array_equal(height.values(), [1.5, np.nan, -0.25])
        np.testing.assert_array_equal(height.values(slice(1, 3)), [np.nan, -0.25])
        assert (height.scale, height.fill, height.units) == ((0.25, 100.0), -32768.0, "m")
        assert file.variables["counts"].values(slice(2, 3)).tolist() == [[5.0, 6.0]]
        assert ("data_40/ka/agc" in file.variables) == (engine == "h5netcdf")


def test_dimensions_without_a_variable_are_left_out(tmp_path):
    with open_packed(netcdf4(tmp_path / "a.nc")) as file:
        assert file.names == ("counts", "data_40/ka/agc", "height")


def test_numbers_are_unsigned_where_the_file_says_so(tmp_path):
    path = tmp_path / "a.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("x", 2)
        waveform = file.createVariable("w", "i2", ("x",))
        waveform[:] = [-1, 7]
        waveform._Unsigned = "true"
    with open_packed(path) as file:
        assert file.variables["w"].raw().tolist() == [65535, 7]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_every_variable_of_real_files_as_xarray_and_h5py_read_it(name):
    path = altimetry(name)
    checked = 0
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        by_xarray = data.load()
    with open_packed(path) as file, h5py.File(path, "r", locking=False) as by_h5py:
        for variable in file.variables.values():
            stored = by_h5py[variable.name]
            np.testing.assert_array_equal(variable.raw(), stored[()])
            if stored.dtype.kind not in "iuf" or stored.shape != by_xarray[variable.name].shape:
                continue  # of a dimension that may grow, xarray adds what was never written
            attributes = stored.attrs
            plain = stored[()].astype(float) * attributes.get("scale_factor", 1.0) + attributes.get("add_offset", 0.0)
            if "_FillValue" in attributes:
                plain[stored[()] == attributes["_FillValue"]] = np.nan
            np.testing.assert_allclose(variable.values(), plain, rtol=1e-15, err_msg=variable.name)
            xarrays = by_xarray[variable.name].to_numpy().astype(float)  # float32 for small packed integers
            np.testing.assert_allclose(variable.values(), xarrays, rtol=3e-7, atol=1e-30, err_msg=variable.name)
            checked += 1
    assert checked >= 5


def test_damage_is_one_line(tmp_path):
    path = netcdf4(tmp_path / "a.nc")
    data = path.read_bytes()
    for name, content in (("cut.nc", data[: len(data) // 3]), ("empty.nc", b""), ("text.nc", b"<html>no</html>")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ProductError, match=rf"^{name}: ") as raised, open_packed(tmp_path / name) as file:
            [v.values() for v in file.variables.values()]
        assert "\n" not in str(raised.value)
    old = netcdf4(tmp_path / "old.nc", engine="scipy").read_bytes()
    (tmp_path / "cut3.nc").write_bytes(old[:-10])
    with pytest.raises(ProductError, match=r"^cut3.nc: cannot be read"), open_packed(tmp_path / "cut3.nc"):
        pass
    with pytest.raises(ProductError, match="no such file"), open_packed(tmp_path / "none.nc"):
        pass
