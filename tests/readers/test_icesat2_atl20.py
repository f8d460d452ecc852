"""ATL20: gridded freeboard, from files with its layout."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import icesat2_atl20

from . import atl20_file


def some() -> np.ndarray:
    board = np.full((332, 316), np.nan)
    board[100, 200], board[100, 201] = 0.25, 0.0
    return board


def test_a_month_is_read_with_its_places(tmp_path):
    found = icesat2_atl20.read(atl20_file.write(tmp_path / atl20_file.NAME, freeboard=some()))
    assert (found.month, found.release, found.freeboard.shape) == ("2019-11", "004", (332, 316))
    assert np.isfinite(found.freeboard).sum() == 2
    assert found.freeboard[100, 200] == 0.25 and found.freeboard[100, 201] == 0.0
    assert found.sigma[100, 200] == pytest.approx(0.1) and np.isnan(found.sigma[0, 0])
    assert found.n_segments[100, 200] == 1234
    # upper left corner of NSIDC's southern grid: 39.23 S, 42.24 W (its own help page)
    assert found.latitude[0, 0] == pytest.approx(-39.3, abs=0.2) and found.longitude[0, 0] == pytest.approx(
        -42.2, abs=0.1
    )


def test_a_day_and_a_file_of_another_name_without_the_optional_variables(tmp_path):
    path = atl20_file.write(tmp_path / "renamed.h5", freeboard=some(), with_sigma=False)
    found = icesat2_atl20.read(path, day=4)
    assert (found.month, found.release) == ("", "") and found.freeboard[100, 200] == 0.25
    assert np.isnan(found.sigma).all() and (found.n_segments == -1).all()
    with pytest.raises(ProductError, match="daily/day05/mean_fb is missing; expected an ATL20 granule"):
        icesat2_atl20.read(path, day=5)


def test_another_file_and_another_shape_are_one_line(tmp_path):
    path = atl20_file.write(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["grid_lat"]
        file["grid_lat"] = np.zeros((10, 20))
    with pytest.raises(ProductError, match=r"a\.h5: monthly/mean_fb has the shape \(332, 316\), its places \(10, 20\)"):
        icesat2_atl20.read(path)
    (tmp_path / "b.h5").write_bytes(b"nothing")
    with pytest.raises(ProductError, match=r"b\.h5: cannot be read as HDF5"):
        icesat2_atl20.read(tmp_path / "b.h5")
