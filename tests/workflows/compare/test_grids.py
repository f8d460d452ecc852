"""Grids of ours beside files with the layout of ATL20: what is known to differ is found."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from polynya import io
from polynya.errors import ProductError
from polynya.workflows import grid
from polynya.workflows.compare import grids
from tests.readers import atl20_file
from tests.workflows.grid import results


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """November 2019: two passes through a few cells."""
    place = tmp_path_factory.mktemp("ours")
    for day, track, board in ((4, 1, 0.3), (9, 2, 0.4)):
        results.write(place / "out", results.name_of(f"2019-11-{day:02d}", track=track), board=board, n=20_000)
    grid.run([place / "out"], out=place / "grid", workers=1, config=grid.Config(cog=False))
    return place / "grid"


@pytest.fixture(scope="module")
def means(ours) -> np.ndarray:
    with xr.open_dataset(ours / "maps" / "grid.nc", engine="h5netcdf") as data:
        return data["total_freeboard"].values[0].astype(float)


def test_a_known_difference_is_found(ours, means, tmp_path):
    reference = atl20_file.write(tmp_path / atl20_file.NAME, freeboard=means - 0.05)
    found = grids.compare(ours, reference)
    n = int(np.isfinite(means).sum())
    assert n >= 2 and found.period == "2019-11-01 to 2019-12-01"
    assert found.messages == ("Ours: simulated, not satellite data: 2 of 2 granules.",)
    assert (found.n_ours_only, found.n_theirs_only) == (0, 0)
    assert 0 < found.largest_offset_m < 200  # the Hughes ellipsoid against WGS 84
    ice = found.differences[0]
    assert (ice.variable, ice.cells, ice.n) == ("total_freeboard", "all", n)
    assert ice.bias == pytest.approx(0.05, abs=1e-6) and ice.rmse == pytest.approx(0.05, abs=1e-6)
    assert ice.bias_uncertainty > 0.03 and ice.within_2_sigma == 1.0
    unflagged = found.differences[1]
    assert unflagged.cells == "unflagged" and unflagged.n == 0 and np.isnan(unflagged.bias)  # two passes are few


def test_every_cell_goes_where_its_place_is(ours, means, tmp_path):
    """One cell of NASA's, beside ours: it stays alone."""
    row, column = np.argwhere(np.isfinite(means))[0]
    other = np.full_like(means, np.nan)
    other[row, column + 7] = 0.1
    found = grids.compare(ours / "maps" / "grid.nc", atl20_file.write(tmp_path / atl20_file.NAME, freeboard=other))
    assert (found.n_ours_only, found.n_theirs_only) == (int(np.isfinite(means).sum()), 1)
    alone = found.cells.filter(np.isfinite(found.cells["nasa_freeboard"].to_numpy())).to_pylist()[0]
    assert alone["x"] == -3_950_000 + (column + 7.5) * 25_000 and alone["y"] == 4_350_000 - (row + 0.5) * 25_000
    assert alone["n_tracks"] == 0 and np.isnan(alone["total_freeboard"])


def test_files_are_written_and_text_says_it(ours, means, tmp_path):
    reference = atl20_file.write(tmp_path / atl20_file.NAME, freeboard=means)
    found = grids.run_grids(ours, reference=reference, out=tmp_path / "out")
    record = io.read_json(tmp_path / "out" / "run.json")
    assert record["comparison"]["differences"][0]["bias"] == pytest.approx(0.0, abs=1e-6)
    assert io.read_table(tmp_path / "out" / "grid_comparison.parquet").num_rows == found.cells.num_rows
    text = grids.as_text(found)
    assert "total_freeboard, all cells: " in text and "unflagged cells: none in common" in text


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (atl20_file.NAME, {"shift_m": 9_000.0}, "expected the same grid. Make it with --cell 25km"),
        (atl20_file.NAME, {"cell_m": 12_500.0}, "expected the same grid"),
        (atl20_file.NAME.replace("-02", "-01"), {"crs": "EPSG:3411"}, "has no cell on our grid|expected the same grid"),
        (atl20_file.NAME.replace("201911", "201912"), {}, "is of 2019-12, our grid of 2019-11-01 to 2019-12-01"),
    ],
)
def test_what_does_not_fit_is_not_compared(ours, tmp_path, name, options, message):
    with pytest.raises(ProductError, match=message):
        grids.compare(ours, atl20_file.write(tmp_path / name, **options))


def test_a_month_that_the_name_does_not_say_is_said_to_be_unknown(ours, means, tmp_path):
    found = grids.compare(ours, atl20_file.write(tmp_path / "renamed.h5", freeboard=means))
    assert "month of NASA's file is unknown" in found.messages[0]


def test_one_cell_has_no_correlation(ours, means, tmp_path):
    one = np.full_like(means, np.nan)
    one[tuple(np.argwhere(np.isfinite(means))[0])] = 0.2
    found = grids.compare(ours, atl20_file.write(tmp_path / atl20_file.NAME, freeboard=one))
    text = grids.as_text(found)
    assert "of ours (n 1)" in text and "nan" not in text and "correlation" not in text


def test_a_folder_that_is_no_grid_is_one_line(tmp_path):
    reference = atl20_file.write(tmp_path / atl20_file.NAME)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProductError, match=r"grid\.nc"):
        grids.compare(tmp_path / "empty", reference)
