"""CryoSat-2 L1b: watts, UTC, surface types by their 1 Hz records; made SARIn files and real LRM and SAR files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError
from polynya.readers import cryosat2_l1b, echo_files
from polynya.schema.echoes import ECHOES, LRM, SAR, SARIN, WATTS
from tests.readers import echo_made
from tests.real_files import altimetry

LRM_FILE = "CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc"
SAR_FILE = "CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc"


@pytest.mark.parametrize(
    ("mode", "gates", "width"), [(3, 1024, 0.2342), (3, 512, 0.4684), (2, 256, 0.2342), (1, 128, 0.4684)]
)
def test_made_files_of_every_mode(tmp_path, mode, gates, width):
    path = echo_made.cryosat(tmp_path / "a.nc", mode=mode, gates=gates)
    assert echo_files.reader_of(path) is cryosat2_l1b
    found = cryosat2_l1b.read(path)
    assert (len(found), found.gates, found.units, found.release) == (6, gates, WATTS, "C")
    assert set(found.mode) == {mode} and found.gate_width_m == pytest.approx(width, abs=5e-5)
    k = np.arange(6)
    counts = np.arange(gates)[None] + 10 * k[:, None] + 1
    watts = counts * ((2_000_000_000 + k) * 1e-9 * 2.0 ** (-60 + k % 2))[:, None]
    np.testing.assert_allclose(found.power(), watts, rtol=1e-12)
    np.testing.assert_allclose(found.longitude, -179.0 - 1e-4 * k, atol=1e-9)
    np.testing.assert_allclose(found.tracker, (4_800_000_000 + 1000 * k) * 1e-12 * 299_792_458 / 2, rtol=1e-12)
    assert found.surface_type.tolist() == [3, 3, 3, 0, 0, -1]
    assert found.quality_flag.tolist() == [0, 4, -1, 12, 16, 20]
    np.testing.assert_allclose(found.stack_std, [5.0, np.nan, 5.02, 5.03, 5.04, 5.05])
    assert np.isnan(found.stack_skewness).all() and found.agc[0] == 31.5


def test_times_of_tai_become_utc(tmp_path):
    """5e8 s after 2000 is 2015-11-05 00:53:20 TAI, and TAI was 36 s ahead of UTC."""
    found = cryosat2_l1b.read(echo_made.cryosat(tmp_path / "a.nc"))
    assert str(found.time[0])[:23] == "2015-11-05T00:52:44.000"
    assert str(found.time[1])[:23] == "2015-11-05T00:52:44.050"


def test_mode_comes_from_the_name_where_no_flag_is(tmp_path):
    path = echo_made.cryosat(tmp_path / "CS_OFFL_SIR_SIN_1B_20151105T083000_20151105T083100_C001.nc")
    with h5py.File(path, "a") as file:
        del file["flag_instr_mode_op_20_ku"]
    assert set(cryosat2_l1b.read(path).mode) == {SARIN}


def test_bad_files_are_one_line(tmp_path):
    def fails(words: str, name: str | None, data: object = None) -> None:
        path = echo_made.cryosat(tmp_path / "CS.nc")
        with h5py.File(path, "a") as file:
            if name is not None and data is None:
                del file[name]
            elif name is not None:
                file[name][...] = data
        with pytest.raises(ProductError, match=words) as raised:
            cryosat2_l1b.read(path)
        assert "\n" not in str(raised.value) and str(raised.value).startswith("CS.nc: ")

    fails("echo_scale_pwr_20_ku is missing", "echo_scale_pwr_20_ku")
    fails("pwr_waveform_20_ku is missing", "pwr_waveform_20_ku")
    fails("none of its 6 echoes has a sample above zero", "pwr_waveform_20_ku", 0)
    fails("echo 0 has latitude nan", "lat_20_ku", -(2**31))
    fails("ind_meas_1hz_20_ku reaches 9, but surf_type_01 has 2 records", "ind_meas_1hz_20_ku", 9)
    whole = echo_made.cryosat(tmp_path / "whole.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProductError, match=r"^cut.nc: cannot be read as HDF5"):
        cryosat2_l1b.read(tmp_path / "cut.nc")


def test_other_lengths_are_rejected(tmp_path):
    path = echo_made.cryosat(tmp_path / "CS.nc")
    with h5py.File(path, "a") as file:
        del file["alt_20_ku"]
        file["alt_20_ku"] = np.arange(4)
    with pytest.raises(ProductError, match=r"alt_20_ku has the shape \(4,\) where the file states 6 echoes"):
        cryosat2_l1b.read(path)


def test_table_has_all_columns_and_the_waveform(tmp_path):
    found = cryosat2_l1b.read(echo_made.cryosat(tmp_path / "a.nc", gates=128))
    table = found.to_table()
    assert table.column_names == ECHOES.names and table.num_rows == 6
    assert table.column("waveform")[2].as_py() == (np.arange(128) + 21).tolist()
    assert table.schema.metadata[b"units"] == b"W" and table.schema.metadata[b"polynya_table"] == b"echoes"
    np.testing.assert_array_equal(table.column("scale").to_numpy(), found.scale)
    part = found.take(np.array([4, 1]))
    np.testing.assert_array_equal(part.power(), found.power()[[4, 1]])


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "n", "gates", "mode", "start"),
    [
        (LRM_FILE, 2597, 128, LRM, "2022-12-14T02:03:21.351062"),
        (SAR_FILE, 300, 256, SAR, "2014-11-18T09:23:36.908703"),
    ],
)
def test_real_files_against_xarray_and_h5py(name, n, gates, mode, start):
    path = altimetry(name)
    found = cryosat2_l1b.read(path)
    assert found.waveform.shape == (n, gates) and set(found.mode) == {mode} and found.unknown == ()
    assert str(found.time[0])[:26] == start  # of LRM: sensing_start, which the file states in UTC
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        by_xarray = (
            data["pwr_waveform_20_ku"].astype(float)
            * data["echo_scale_factor_20_ku"]
            * 2.0 ** data["echo_scale_pwr_20_ku"].astype(float)
        ).to_numpy()
        index = data["ind_meas_1hz_20_ku"].to_numpy().astype(int)
        np.testing.assert_array_equal(found.surface_type, data["surf_type_01"].to_numpy()[index])
        for ours, theirs in (
            ("latitude", "lat"),
            ("longitude", "lon"),
            ("altitude", "alt"),
            ("agc", "agc_ch1"),
            ("stack_std", "stack_std"),
        ):
            np.testing.assert_allclose(getattr(found, ours), data[f"{theirs}_20_ku"].to_numpy(), rtol=3e-7)
    with h5py.File(path, "r", locking=False) as file:
        factor = file["echo_scale_factor_20_ku"][()] * 1e-9 * np.exp2(file["echo_scale_pwr_20_ku"][()].astype(float))
        by_h5py = file["pwr_waveform_20_ku"][()] * factor[:, None]
    np.testing.assert_allclose(found.power(), by_xarray, rtol=1e-12)
    np.testing.assert_allclose(found.power(), by_h5py, rtol=1e-12)


@pytest.mark.real
def test_published_numbers():
    lrm, sar = cryosat2_l1b.read(altimetry(LRM_FILE)), cryosat2_l1b.read(altimetry(SAR_FILE))
    assert [f"{v:.5f}" for v in lrm.latitude[[0, 2500]]] == ["74.63773", "67.55201"]
    assert lrm.waveform[0].max() == 65535
    assert [f"{v:.6e}" for v in lrm.power().max(axis=1)[[0, 2500]]] == ["4.632775e-13", "5.535498e-13"]
    assert [f"{v:.5f}" for v in sar.latitude[[0, 299]]] == ["-67.27221", "-66.44977"]
    assert [f"{v:.3f}" for v in sar.stack_std[[0, 299]]] == ["34.270", "51.930"]
    assert np.unique(sar.surface_type, return_counts=True)[1].tolist() == [100, 200]
    assert (sar.surface_type[0], sar.surface_type[299]) == (2, 0)
    assert [f"{v:.6e}" for v in sar.power().max(axis=1)[[0, 299]]] == ["3.603612e-15", "6.482040e-15"]
    assert np.isnan(lrm.stack_std).all()


@pytest.mark.real
def test_blocks_of_a_real_file_are_the_file():
    parts = list(cryosat2_l1b.blocks(altimetry(LRM_FILE), records=1000))
    assert [len(p) for p in parts] == [1000, 1000, 597]
    whole = cryosat2_l1b.read(altimetry(LRM_FILE))
    np.testing.assert_array_equal(np.concatenate([p.power() for p in parts]), whole.power())
