"""Sentinel-3 SRAL: real enhanced records and hand-labelled echoes against xarray and h5py, and made files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError
from polynya.readers import echo_files, sentinel3_sral
from polynya.schema.echoes import COUNTS, LEAD, OCEAN, SAR, SEA_ICE, UNKNOWN
from tests.real_files import altimetry

ENHANCED, COASTAL = "s3a_sr2_lan_enhanced_50records.nc", "s3a_sral_coastal_echoes_2019.nc"


def made(folder, *, name: str = "enhanced_measurement.nc") -> object:
    """Four echoes with each class, one gate without a value."""
    path = folder / name
    counts = np.arange(4 * 128, dtype=np.uint32).reshape(4, 128) * 1000
    counts[1, 7] = 2**32 - 1
    with h5py.File(path, "w") as file:
        file["waveform_20_ku"] = counts
        file["waveform_20_ku"].attrs.update(
            {"scale_factor": 0.001, "add_offset": 0.0, "_FillValue": np.uint32(2**32 - 1)}
        )
        file["time_20_ku"] = np.arange(4) * 0.05
        file["time_20_ku"].attrs["units"] = "seconds since 2019-03-07 00:58:08.250000"
        for axis, value in (("lat", 80.0), ("lon", 190.0)):
            file[f"{axis}_20_ku"] = np.full(4, value * 1e6, np.int32)
            file[f"{axis}_20_ku"].attrs["scale_factor"] = 1e-6
        file["surf_type_class_20_ku"] = np.array([0, 1, 2, 3], np.int8)
        file["instr_op_mode_20_ku"] = np.array([0, 1, 2, 127], np.int8)
        file["instr_op_mode_20_ku"].attrs["_FillValue"] = np.int8(127)
        file["sea_ice_concentration_20_ku"] = np.array([0, 1550, 10000, 7500], np.int32)
        file["sea_ice_concentration_20_ku"].attrs["scale_factor"] = 0.01
    return path


def test_made_file_in_a_folder(tmp_path):
    folder = (
        tmp_path / "S3B_SR_2_LAN_SI_20190307T005808_20190307T010808_20190401T000000_0600_022_202______LN3_O_NT_005.SEN3"
    )
    folder.mkdir()
    made(folder)
    assert echo_files.reader_of(folder) is sentinel3_sral
    found = sentinel3_sral.read(folder)
    assert (found.mission, found.release, found.units) == ("Sentinel-3B", "NT_005", COUNTS)
    assert found.surface_class.tolist() == [OCEAN, SEA_ICE, LEAD, UNKNOWN]
    assert found.product_class_flag.tolist() == [0, 1, 2, 3] and found.mode.tolist() == [1, SAR, 0, 0]
    np.testing.assert_allclose(found.sea_ice_concentration, [0.0, 0.155, 1.0, 0.75])
    assert found.longitude[0] == pytest.approx(-170.0) and str(found.time[1]) == "2019-03-07T00:58:08.300000000"
    expected = np.arange(4 * 128.0).reshape(4, 128)
    expected[1, 7] = np.nan
    np.testing.assert_allclose(found.power(), expected)


def test_bad_files_are_one_line(tmp_path):
    path = made(tmp_path)
    with h5py.File(path, "a") as file:
        file["time_20_ku"].attrs["units"] = "nothing"
    with pytest.raises(ProductError, match="time has the units 'nothing'; expected seconds or days since a date"):
        sentinel3_sral.read(path)
    with h5py.File(path, "a") as file:
        del file["time_20_ku"]
    with pytest.raises(ProductError, match="time_20_ku is missing; a file of sentinel3_sral must have it"):
        sentinel3_sral.read(path)
    with h5py.File(path, "w") as file:
        file["temperature"] = np.arange(3.0)
    with pytest.raises(ProductError, match=r"holds temperature; expected echoes of AltiKa") as raised:
        echo_files.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.real
@pytest.mark.parametrize(("name", "n"), [(ENHANCED, 50), (COASTAL, 572)])
def test_real_files_against_xarray_and_h5py(name, n):
    path = altimetry(name)
    found = sentinel3_sral.read(path)
    assert found.waveform.shape == (n, 128) and found.waveform.dtype == np.uint32
    with xr.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_allclose(found.power(), data["waveform_20_ku"].to_numpy(), rtol=1e-12)
        np.testing.assert_allclose(found.latitude, data["lat_20_ku"].to_numpy(), rtol=1e-12)
        apart = np.abs((found.time - data["time_20_ku"].to_numpy()).astype(np.int64))
        assert apart.max() <= 1000  # ns: xarray adds days and fractions in its own order
    with h5py.File(path, "r", locking=False) as file:
        np.testing.assert_array_equal(found.waveform, file["waveform_20_ku"][()])


@pytest.mark.real
def test_all_columns_of_the_enhanced_file():
    found = sentinel3_sral.read(altimetry(ENHANCED), extra=("scale_factor_20_ku",))
    with xr.open_dataset(altimetry(ENHANCED), engine="h5netcdf") as data:
        for ours, theirs in (
            ("altitude", "alt_20_ku"),
            ("tracker", "tracker_range_20_ku"),
            ("agc", "agc_20_ku"),
            ("range", "range_ocog_20_ku"),
            ("sigma0", "sig0_ocog_20_ku"),
            ("product_peakiness", "peakiness_2_20_ku"),
        ):
            np.testing.assert_allclose(getattr(found, ours), data[theirs].to_numpy(), rtol=3e-7, err_msg=ours)
        np.testing.assert_allclose(found.extra["scale_factor_20_ku"], data["scale_factor_20_ku"].to_numpy(), rtol=3e-7)
    assert found.mission == "Sentinel-3A" and found.release == "NT_004" and set(found.mode) == {SAR}
    assert "wf_cls" in found.unknown and "alt_20_ku" not in found.unknown


@pytest.mark.real
def test_hand_labels_come_by_name():
    found = sentinel3_sral.read(altimetry(COASTAL), extra=("waveform_cla",))
    labels = found.extra["waveform_cla"]
    assert np.unique(labels, return_counts=True)[1].tolist() == [400, 172] and f"{100 * labels.mean():.2f}" == "30.07"
    assert len(np.unique(found.time.astype("datetime64[D]"))) == 25
    assert {"agc", "altitude", "surface_type"} <= set(found.absent)
