"""Simulated granules through freeboard and grid: means against the known truth of the same cells."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import xarray as xr

from polynya import io
from polynya.physics import gridding
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard, grid


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    """12 km with leads, and 12 km of a later day of which no network finds a certain lead."""
    place = tmp_path_factory.mktemp("truth")
    made = [
        simulate(place / f"{name}.h5", length_km=12, beams="gt2l,gt2r", season="summer", seed=seed)
        for name, seed in (
            ("ATL03_20191104195311_05940510_006_01", 8),
            ("ATL03_20191108194453_06550510_006_01", 3),
        )
    ]
    records = freeboard.run([m.granule for m in made], out=place / "out", workers=1)
    assert [r.status for r in records] == ["done", "done"]
    outputs = grid.run([place / "out"], out=place / "grid", workers=1, config=grid.Config(cog=False))
    with xr.open_dataset(outputs.files["netcdf"], engine="h5netcdf") as data:
        return made, outputs, data.load()


def truth_of_cells(path) -> dict[int, tuple[float, float, float]]:
    """Return mean freeboard of ice as the footprint sees it, sea surface, and share of water, for each cell."""
    table = io.read_table(path)
    to_grid = pyproj.Transformer.from_crs(4326, 3976, always_xy=True)
    whole = gridding.nsidc_grid("EPSG:3976", cell_m=25_000)
    cell = gridding.cell_of(*to_grid.transform(table["longitude"].to_numpy(), table["latitude"].to_numpy()), whole)
    board, sea = (table[n].to_numpy().astype(float) for n in ("total_freeboard_footprint", "sea_surface_height"))
    kind = table["surface_class"].to_numpy()
    out = {}
    for c in np.unique(cell):
        here = cell == c
        out[int(c)] = (board[here & (kind < 2)].mean(), sea[here].mean(), float(np.mean(kind[here] == 2)))
    return out


def test_means_agree_with_the_truth_within_their_uncertainty(season):
    made, _, maps = season
    truth = truth_of_cells(made[0].truth)
    found = 0
    for cell, (board, sea, water) in truth.items():
        here = maps.isel(time=0, y=cell // 316, x=cell % 316)
        if int(here.n_segments) < 500:
            continue
        found += 1
        assert abs(float(here.total_freeboard) - board) < 2.5 * float(here.total_freeboard_uncertainty)
        assert abs(float(here.sea_surface_height) - sea) < 2.5 * float(here.sea_surface_height_uncertainty)
        assert abs(float(here.open_water_fraction) - water) < 2.5 * float(here.open_water_fraction_uncertainty)
        assert float(here.total_freeboard_uncertainty) < 0.1
    assert found >= 1


def test_a_cell_without_sea_surface_has_classes_and_no_freeboard(season):
    _, outputs, maps = season
    assert outputs.periods[0]["n_tracks"] == 1 and len(outputs.records) == 2
    dry = (maps.n_segments.values == 0) & (maps.n_classified.values > 0)
    if dry.any():
        assert np.isnan(maps.total_freeboard.values[dry]).all()
        assert np.isfinite(maps.thick_ice_fraction.values[dry]).all()
        assert np.isfinite(maps.thick_ice_fraction_uncertainty.values[dry]).all()
    total = sum(r.numbers["n_segments"] for r in outputs.records)
    kept = sum(int(maps[n].sum()) for n in ("n_classified", "n_left_out", "n_unclassified"))
    assert kept == total
