"""CryoSat-2 L2i: a real SARIn file against xarray, and what is no L2i."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError
from polynya.readers import cryosat2_l2i, echo_files
from polynya.schema.echoes import SARIN
from tests.readers import echo_made
from tests.real_files import altimetry

FILE = "CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc"


@pytest.mark.real
def test_real_file_against_xarray():
    path = altimetry(FILE)
    assert echo_files.reader_of(path) is cryosat2_l2i
    found = cryosat2_l2i.read(path)
    assert (len(found), found.gates, found.release, found.unknown) == (2176, 0, "D", ())
    assert set(found.mode) == {SARIN} and np.unique(found.surface_type).tolist() == [0, 2]
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        for ours, theirs, factor in (
            ("latitude", "lat_20_ku", 1.0),
            ("product_peakiness", "peakiness_20_ku", 1.0),
            ("stack_std", "stack_std_20_ku", 1.0),
            ("stack_kurtosis", "stack_kurtosis_20_ku", 1.0),
            ("sigma0", "sig0_1_20_ku", 1.0),
            ("range", "range_1_20_ku", 1.0),
            ("sea_ice_concentration", "sea_ice_concentration_20_ku", 0.01),
        ):
            expected = factor * data[theirs].to_numpy()
            np.testing.assert_allclose(getattr(found, ours), expected, rtol=3e-7, err_msg=ours)
        np.testing.assert_array_equal(found.product_class_flag, data["flag_surf_type_class_20_ku"].to_numpy())
    assert str(found.time[0])[:22] == "2019-05-04T12:25:45.50"  # the file's sensing_start, UTC
    table = found.to_table()
    assert table.column("waveform")[0].as_py() == []


def test_an_l1b_file_is_none(tmp_path):
    with pytest.raises(
        ProductError, match="flag_surf_type_class_20_ku is missing; a file of cryosat2_l2i must have it"
    ):
        cryosat2_l2i.read(echo_made.cryosat(tmp_path / "a.nc"))
