"""``polynya grid`` on results whose every number is known: maps, files, resuming, refusals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import xarray as xr

from polynya import engine, io
from polynya.errors import OutputError, ProductError, UsageError
from polynya.schema.gridded import GRID_SUMS, GRID_VARIABLES
from polynya.workflows import grid
from polynya.workflows.grid import config as settings
from polynya.workflows.grid.granule import read_sums
from tests.io.test_netcdf import CHECK

from . import results

SMALL = grid.Config(cell=200, cog=False)


class Backwards:
    """An engine that works on the last item first."""

    def map(self, task, items):
        yield from engine.load("local", workers=1).map(task, list(items)[::-1])


SEASON = (
    (results.name_of("2019-11-04", track=201), {"board": 0.40}),
    (results.name_of("2019-11-05", track=202), {"board": 0.30}),
    (results.name_of("2019-11-20", track=203), {"board": 0.20, "n": 3_000}),
    (results.name_of("2019-11-20", track=204), {"start": (1_000.0, 1_500_000.0)}),
    (results.name_of("2019-12-01", track=205), {"board": 0.30}),
    (results.name_of("2019-12-01", track=206), {"start": (1_000.0, 1_500_000.0), "n": 500}),
)
"""November: three passes over one place, one elsewhere; December: one over each."""


@pytest.fixture(scope="module")
def season(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("season") / "out"
    for name, options in SEASON:
        results.write(out, name, **options)
    return out


@pytest.fixture(scope="module")
def made(season) -> grid.Outputs:
    return grid.run([season], out=season.parent / "made", workers=1, config=grid.Config(cog=False))


@pytest.fixture(scope="module")
def maps(made) -> xr.Dataset:
    with xr.open_dataset(made.files["netcdf"], engine="h5netcdf") as data:
        return data.load()


def test_every_file_is_there(made):
    assert made.is_new and [r.status for r in made.records] == ["done"] * 6
    for path in made.files.values():
        assert Path(path).exists()
    run = io.read_json(made.files["run"])
    assert run["n_failed"] == 0 and run["config"]["cell"] == 25.0 and run["config"]["crs"] == "EPSG:3976"
    assert {n for n in run["contents"] if "/" not in n} == {"grid.nc", "index.html", "run.json"}


def test_the_files_say_that_granules_are_simulated(maps, tmp_path):
    """A NetCDF travels without its page and its run.json."""
    assert maps.attrs["source"].endswith("6 granules of simulated ICESat-2 ATL03, not satellite data")
    assert (maps.attrs["n_granules"], maps.attrs["n_simulated_granules"]) == (6, 6)
    folders = [results.write(tmp_path / "out", results.name_of("2019-11-04", track=k), n=600) for k in (1, 2)]
    io.write_json(
        {**io.read_json(folders[1] / "run.json"), "inputs": [{"granule": folders[1].name}]}, folders[1] / "run.json"
    )
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=grid.Config(cell=200))
    with xr.open_dataset(found.files["netcdf"], engine="h5netcdf") as data:
        source = data.attrs["source"]
    assert source.endswith("2 granules of ICESat-2 ATL03, 1 of them simulated, not satellite data")
    with rasterio.open(Path(found.files["cog"]) / "2019-11" / "total_freeboard.tif") as file:
        assert file.tags()["source"] == source


def test_the_layout_is_that_of_atl20(maps):
    assert dict(maps.sizes) == {"time": 2, "y": 332, "x": 316, "lead_length_bin": 9, "floe_length_bin": 11, "bnds": 2}
    assert maps.x[0] == -3_937_500 and maps.y[0] == 4_337_500
    bounds = maps.time_bnds.values.astype("datetime64[D]").astype(str).tolist()
    assert bounds == [["2019-11-01", "2019-12-01"], ["2019-12-01", "2020-01-01"]]
    pole = maps.latitude.values.argmin()
    assert np.hypot(*np.array(np.unravel_index(pole, (332, 316))) - (173.5, 157.5)) < 1
    # 25 km at the latitude of true scale is 625 km2; nearer to the pole a cell of the map is larger on the ground
    assert float(maps.cell_area.sel(x=12_500, y=12_500)) > 625e6
    true_scale = np.abs(maps.latitude.values + 70.0).argmin()
    assert float(maps.cell_area.values.ravel()[true_scale]) == pytest.approx(625e6, rel=1e-3)


def test_means_of_a_cell_are_those_of_its_segments(season, maps):
    """November's cell of three passes, against the tables themselves."""
    import pyproj

    to_grid = pyproj.Transformer.from_crs(4326, 3976, always_xy=True)
    board, counts = [], []
    for name, _ in SEASON[:3]:
        table = results.rows(season / name)
        x, y = to_grid.transform(table["longitude"].to_numpy(), table["latitude"].to_numpy())
        inside = (x >= -2_000_000) & (x < -1_975_000) & (y > -300_000) & (y <= -275_000)
        ice = inside & (table["surface_class"].to_numpy() == 0)
        board.append(table["total_freeboard"].to_numpy()[ice].astype(float))
        counts.append(int(ice.sum()))
    row = int(np.argmin(np.abs(maps.y.values + 287_500)))
    column = int(np.argmin(np.abs(maps.x.values + 1_987_500)))
    cell = maps.isel(time=0, y=row, x=column)
    assert min(counts) > 1_000 and int(cell.n_segments) == sum(counts) and int(cell.n_tracks) == 3
    assert float(cell.total_freeboard) == pytest.approx(np.concatenate(board).mean(), abs=1e-6)
    # closed form: 0.04 m of sea surface per pass (and the corrections), 0.03 m common with 0 of the first photons
    weights = np.array(counts) / sum(counts)
    alone = maps.isel(time=1, y=row, x=column)
    per_pass = float(alone.total_freeboard_uncertainty_track)
    assert 0.04 < per_pass < 0.05 and int(alone.n_tracks) == 1
    assert float(cell.total_freeboard_uncertainty_track) == pytest.approx(per_pass * np.sqrt((weights**2).sum()))
    assert float(cell.total_freeboard_uncertainty_common) == pytest.approx(0.03, abs=1e-6)
    assert int(cell.n_days) == 3 and int(cell.sampling_flag) == 0
    assert int(alone.sampling_flag) == 3  # few_tracks, one_day


def test_a_pass_over_the_pole_and_the_antimeridian_loses_nothing(tmp_path):
    """40 km along x = 0.5 km, over 180 and 0 degrees and within 1 km of the pole: every segment is in its cell."""
    results.write(
        tmp_path / "out", results.name_of("2019-11-04", track=1), start=(500.0, -20_010.0), heading=(0.0, 1.0), n=20_000
    )
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=grid.Config(cog=False))
    with xr.open_dataset(found.files["netcdf"], engine="h5netcdf") as data:
        seen = data.n_classified.values[0]
        rows, columns = np.nonzero(seen)
        # 2 m segments: 10,005 before y = 0 and 9,995 after it, on each of two beams 90 m apart
        assert seen[rows, columns].tolist() == [2 * 9_995, 2 * 10_005]
        assert data.x.values[columns].tolist() == [12_500.0] * 2 and data.y.values[rows].tolist() == [12_500, -12_500]
        assert np.nanmax(np.abs(data.total_freeboard.values[0] - 0.3)) < 1e-6
        assert sorted(data.longitude.values[rows, columns].round(1).tolist()) == [45.0, 135.0]


def test_empty_cells_have_no_mean_and_are_flagged(maps):
    empty = maps.n_segments.values == 0
    assert empty.sum() > 200_000
    for spec in GRID_VARIABLES:
        values = maps[spec.name].values
        if spec.name == "sampling_flag":
            assert np.all((values[empty] & 7) == 7)
    assert np.isnan(maps.total_freeboard.values[empty]).all()
    assert not np.isnan(maps.total_freeboard_uncertainty.values[~empty]).any()


def test_leads_and_floes_add_up(season, maps):
    leads = sum(io.read_table(season / n / "leads.parquet").num_rows for n, _ in SEASON)
    assert int(maps.n_leads.sum()) == leads == int(maps.lead_count.sum())
    assert int(maps.n_floes.sum()) == int(maps.floe_count.sum()) > 0
    assert np.nanmax(maps.lead_length.values) == pytest.approx(60.0)
    assert np.nanmax(maps.floe_length.values) == pytest.approx(5_940.0)
    here = maps.floe_count.sum(("time", "x", "y")).values
    assert here.tolist() == [0] * 8 + [int(here.sum())] + [0] * 2  # 5 to 10 km


def test_geotiffs_hold_what_the_netcdf_holds(season, tmp_path):
    """One map of everything, in large cells."""
    found = grid.run([season], out=tmp_path, workers=1, config=grid.Config(cell=200, period="all"))
    (folder,) = Path(found.files["cog"]).iterdir()
    assert folder.name == "all"
    assert sorted(p.stem for p in folder.glob("*.tif")) == sorted(v.name for v in GRID_VARIABLES)
    with xr.open_dataset(found.files["netcdf"], engine="h5netcdf") as maps:
        assert maps.time_bnds.values.astype("datetime64[D]").astype(str).tolist() == [["2019-11-04", "2019-12-02"]]
        assert int(maps.n_tracks.max()) == 4
        for name in ("total_freeboard", "total_freeboard_uncertainty", "n_tracks", "sampling_flag"):
            with rasterio.open(folder / f"{name}.tif") as file:
                np.testing.assert_array_equal(file.read(1), maps[name].values[0])
                assert file.crs.to_epsg() == 3976 and (file.bounds.left, file.bounds.top) == (-3_950_000, 4_350_000)
                assert file.tags()["period"] == "2019-11-04 to 2019-12-02" and file.descriptions == (name,)


def test_any_order_and_engine_gives_the_same_bytes(season, made, maps, tmp_path):
    other = grid.run(
        [season / n for n, _ in SEASON[::-1]],
        out=tmp_path / "other",
        config=grid.Config(cog=False),
        engine=Backwards(),
    )
    with xr.open_dataset(other.files["netcdf"], engine="h5netcdf") as data:
        for name in data.variables:
            assert data[name].values.tobytes() == maps[name].values.tobytes(), name
    for name, _ in SEASON:
        mine, theirs = (Path(o.folder).parent / "sums" / name / "sums.parquet" for o in (made, other))
        assert mine.read_bytes() == theirs.read_bytes()


def test_the_compliance_checker_has_nothing_to_correct(made, tmp_path):
    pytest.importorskip("compliance_checker", reason="of the extra [dev]")
    path = str(made.files["netcdf"])
    words = [sys.executable, "-c", CHECK, str(tmp_path / "found.json"), path]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (checks,) = json.loads((tmp_path / "found.json").read_text(encoding="utf-8")).values()
    assert [m for p in checks["cf:1.11"]["all_priorities"] for m in p["msgs"]] == []
    assert checks["cf:1.11"]["scored_points"] == checks["cf:1.11"]["possible_points"] > 0


def test_finished_work_is_not_done_again(season, made):
    again = grid.run([season], out=made.folder.parent, workers=1, config=grid.Config(cog=False))
    assert not again.is_new and [r.status for r in again.records] == ["skipped"] * 6
    assert again.periods == tuple(io.read_json(made.files["run"])["periods"])


def test_a_season_grows(season, tmp_path):
    few = [season / n for n, _ in SEASON[:2]]
    grid.run(few, out=tmp_path, workers=1, config=SMALL)
    with pytest.raises(OutputError, match=re.escape("Pass --overwrite")):
        grid.run([season], out=tmp_path, workers=1, config=SMALL)
    grown = grid.run([season], out=tmp_path, workers=1, overwrite=True, config=SMALL)
    assert [r.status for r in grown.records] == ["skipped", "skipped", "done", "done", "done", "done"]
    assert grown.is_new and len(grown.periods) == 2


def test_a_damaged_granule_costs_itself_only_and_is_tried_again(tmp_path):
    out = tmp_path / "out"
    good = results.write(out, results.name_of("2019-11-04", track=1))
    bad = results.write(out, results.name_of("2019-11-05", track=2))
    whole = (bad / "segments.parquet").read_bytes()
    (bad / "segments.parquet").write_bytes(whole[:-2_000])
    first = grid.run([out], out=tmp_path / "g", workers=1, config=SMALL)
    assert [r.status for r in first.records] == ["done", "failed"]
    assert any("1 of 2 granules failed and is NOT in the maps" in m for m in first.messages)
    page = Path(first.files["page"]).read_text(encoding="utf-8")
    assert "failed: segments.parquet: cannot be read as Parquet" in page and "1 of 2" in page
    (bad / "segments.parquet").write_bytes(whole)
    second = grid.run([out], out=tmp_path / "g", workers=1, config=SMALL)  # without --overwrite
    assert [r.status for r in second.records] == ["skipped", "done"] and second.periods[0]["n_tracks"] == 2
    assert good.exists()


def test_a_damaged_first_granule_costs_itself_only(tmp_path):
    """The hemisphere comes from the first granule that can be read."""
    bad = results.write(tmp_path / "out", results.name_of("2019-11-04", track=1), n=600)
    results.write(tmp_path / "out", results.name_of("2019-11-05", track=2), n=600)
    (bad / "segments.parquet").write_bytes((bad / "segments.parquet").read_bytes()[:-2_000])
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=SMALL)
    assert [r.status for r in found.records] == ["failed", "done"] and found.periods[0]["n_tracks"] == 1
    with pytest.raises(ProductError, match=r"segments\.parquet: cannot be read as Parquet"):
        grid.run([bad], out=tmp_path / "alone", workers=1, config=SMALL)


def test_a_result_that_was_made_again_is_summed_again(tmp_path):
    name = results.name_of("2019-11-04", track=1)
    results.write(tmp_path / "a", name, board=0.3)
    results.write(tmp_path / "b", name, board=0.5)
    grid.run([tmp_path / "a"], out=tmp_path / "g", workers=1, config=SMALL)
    with pytest.raises(ProductError, match="of other segments"):
        grid.run([tmp_path / "b"], out=tmp_path / "g", workers=1, config=SMALL)
    changed = grid.run([tmp_path / "b"], out=tmp_path / "g", workers=1, overwrite=True, config=SMALL)
    assert changed.periods[0]["total_freeboard"] == pytest.approx(0.5, abs=1e-6)


def test_sums_that_no_granule_gives_are_one_line(season, made):
    """A negative sum of squares would make a mean vanish in silence."""
    whole = io.read_table(made.folder.parent / "sums" / SEASON[0][0] / "sums.parquet")
    column = whole.column_names.index("noise")
    bad = whole.set_column(column, whole.schema.field(column), pa.array([-5] * whole.num_rows, pa.int64()))
    io.write_table(bad, season.parent / "sums.parquet", spec=GRID_SUMS)
    with pytest.raises(ProductError, match=r"sums\.parquet: noise is negative \(-5\); expected 0 or more"):
        read_sums(season.parent / "sums.parquet")


def test_granules_of_one_orbit_are_one_pass(tmp_path):
    for region in (10, 11):
        results.write(tmp_path / "out", results.name_of("2019-11-04", track=7, region=region))
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=SMALL)
    assert re.match(r"2019-11: 1 cell \(1 flagged\), 1 pass on 1 day, mean", grid.as_text(found))
    assert found.periods[0]["n_tracks"] == 1
    assert found.periods[0]["total_freeboard_uncertainty_track"] > 0.04


def test_granules_that_were_renamed_are_passes_of_their_own_and_the_run_says_so(tmp_path):
    for name in ("monday", "tuesday"):
        results.write(tmp_path / "out", name, n=600, time="2019-11-04T12:00:00")
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=SMALL)
    assert found.periods[0]["n_tracks"] == 2
    (said,) = [m for m in found.messages if "of its own" in m]
    assert "No ground track and cycle in the names of 2 granules (monday ...)" in said
    named = grid.run([tmp_path / "out" / "monday"], out=tmp_path / "n", workers=1, config=SMALL)
    assert not [m for m in named.messages if "of its own" in m]


def test_quality_bits_are_left_out_by_the_rule(tmp_path):
    flag = np.zeros(9_000, np.int16)
    flag[:2_000], flag[2_000:3_000], flag[3_000:3_500] = 1, 64, 256
    results.write(tmp_path / "out", results.name_of("2019-11-04", track=7), changed={"quality_flag": flag})
    counts = {}
    for word in (None, "none", "sea_surface_filled,few_photons"):
        found = grid.run(
            [tmp_path / "out"],
            out=tmp_path / str(word),
            workers=1,
            config=grid.Config.checked(leave_out=word, cell=200, cog=False),
        )
        counts[word] = found.periods[0]["n_left_out"] // 2  # two beams
    assert counts == {None: 2_500, "none": 0, "sea_surface_filled,few_photons": 3_000}


def test_the_other_hemisphere_is_left_out_with_a_word(tmp_path):
    south = results.write(tmp_path, results.name_of("2019-11-04", track=7))
    north = results.write(tmp_path, results.name_of("2019-11-05", track=8), epsg=3413, start=(-300_000.0, -500_000.0))
    both = grid.run([south, north], out=tmp_path / "g", workers=1, config=SMALL)
    assert both.periods[0]["n_tracks"] == 1
    assert any("Left out: 18,000 segments outside the grid or in the other hemisphere" in m for m in both.messages)
    only = grid.run([north], out=tmp_path / "n", workers=1, config=grid.Config(cog=False))
    with xr.open_dataset(only.files["netcdf"], engine="h5netcdf") as data:
        assert data.sizes["y"] == 448 and data.sizes["x"] == 304
        assert data.crs.attrs["straight_vertical_longitude_from_pole"] == -45.0
        row, column = np.argwhere(data.n_segments.values[0] > 0)[0]
        assert data.latitude.values[row, column] > 80
    with pytest.raises(ProductError, match=r"no segment of 1 granule lies on the grid EPSG:3976"):
        grid.run([north], out=tmp_path / "w", workers=1, config=grid.Config(crs="EPSG:3976"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": {"sea_surface": "nasa"}}, "has sea surface nasa, but .* has leads; expected results of one kind"),
        ({"config": {"resolution": "10"}}, "has resolution 10, but .* has 2"),
        ({"config": {"dac": False}}, "has dac off, but .* has on; expected results of one kind"),
        ({"config": {"mss": "/data/mss.tif"}}, "has mss mss.tif, but .* has default"),
        ({"config": {"resolution": "150ph"}}, "segments of 150 photons, whose lengths differ"),
    ],
)
def test_results_that_do_not_go_together_are_refused(tmp_path, options, message):
    results.write(tmp_path / "out", results.name_of("2019-11-04", track=1))
    results.write(tmp_path / "out", results.name_of("2019-11-05", track=2), n=600, **options)
    with pytest.raises(UsageError, match=message):
        grid.run([tmp_path / "out"], out=tmp_path / "g")


def test_formal_errors_are_said_to_be_formal(tmp_path):
    results.write(tmp_path / "out", results.name_of("2019-11-04", track=1), config={"sea_surface": "nasa"})
    found = grid.run([tmp_path / "out"], out=tmp_path / "g", workers=1, config=SMALL)
    assert any("--sea-surface nasa: its uncertainty is formal" in m for m in found.messages)


def test_no_granule_counts_twice(tmp_path):
    name, revised = (results.name_of("2019-11-04", track=1, revision=k) for k in (1, 2))
    results.write(tmp_path / "a", name, n=600)
    results.write(tmp_path / "b", name, n=600)
    results.write(tmp_path / "c", revised, n=600)
    with pytest.raises(UsageError, match=f"{name} is there twice; expected each granule once"):
        grid.run([tmp_path / "a", tmp_path / "b"], out=tmp_path / "g")
    with pytest.raises(UsageError, match=f"{revised} is there twice .also as {name}."):
        grid.run([tmp_path / "a", tmp_path / "c"], out=tmp_path / "g")
    assert grid.run(
        [tmp_path / "a", tmp_path / "a" / name], out=tmp_path / "g", workers=1, config=SMALL
    ).periods  # the same folder


def test_what_is_no_result_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    for name, words in (("empty", "empty: holds no result of polynya freeboard"), ("missing", "missing: no such")):
        with pytest.raises(ProductError, match=words):
            grid.run([tmp_path / name], out=tmp_path / "g")
    folder = results.write(tmp_path / "out", results.name_of("2019-11-04", track=1), n=600)
    io.write_json({"inputs": [{"granule": "x"}]}, folder / "run.json")
    with pytest.raises(ProductError, match="has no settings of polynya freeboard"):
        grid.run([folder], out=tmp_path / "g")
    io.write_json({}, folder / "run.json")
    with pytest.raises(ProductError, match="names no granule"):
        grid.run([folder], out=tmp_path / "g")


@pytest.mark.parametrize(
    ("given", "expected"), [("25km", 25.0), ("12500m", 12.5), ("12.5 km", 12.5), (50, 50.0), ("1e1km", 10.0)]
)
def test_lengths_of_cells(given, expected):
    assert grid.Config.checked(cell=given).cell == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "wide"}, "--cell wide: give a length from 10 to 200 km"),
        ({"cell": "1km"}, "--cell 1km: give a length from 10 to 200 km"),
        ({"crs": "EPSG:4326"}, "--crs EPSG:4326"),
        ({"period": "week"}, "--period week"),
        ({"leave_out": "clouds"}, "clouds is no quality bit; give names of few_photons"),
    ],
)
def test_wrong_options_are_one_line(options, message):
    with pytest.raises(UsageError, match=message):
        grid.Config.checked(**options)


def test_crs_codes_and_defaults():
    assert grid.Config.checked(crs="3413").crs == "EPSG:3413" == grid.Config.checked(crs="epsg:3413").crs
    assert grid.Config().with_crs(is_north=True).crs == "EPSG:3413"
    assert grid.Config(crs="EPSG:3412").with_crs(is_north=True).crs == "EPSG:3412"
    with pytest.raises(UsageError, match="--crs"):
        grid.Config().grid()


def test_periods():
    time = np.array(["2019-10-31T23:59:59.9", "2019-11-01T00:00:00", "2020-02-29T12:00:00"], "datetime64[ns]")
    first, day = settings.periods_of(time, "month")
    assert first.astype("datetime64[D]").astype(str).tolist() == ["2019-10-01", "2019-11-01", "2020-02-01"]
    assert day.astype("datetime64[D]").astype(str).tolist() == ["2019-10-31", "2019-11-01", "2020-02-29"]
    assert settings.periods_of(time, "day")[0].tolist() == day.tolist()
    assert settings.periods_of(time, "all")[0].tolist() == [0, 0, 0]
    begin, end = settings.bounds_of(int(first[2]), period="month", days=(0, 0))
    assert (str(begin), str(end)) == ("2020-02-01", "2020-03-01")
    assert [settings.period_name(int(d), period=p) for d, p in zip(first, ("month", "day", "all"), strict=True)] == [
        "2019-10",
        "2019-11-01",
        "all",
    ]


def test_the_command_says_what_it_wrote(season, tmp_path, monkeypatch, capsys):
    from tests.test_cli import run_main

    words = ("grid", season, "-o", tmp_path / "g", "--period", "all", "--cell", "100km", "--no-cog", "--workers", "1")
    code, out, err = run_main(monkeypatch, capsys, *words)
    assert code == 0 and err == ""
    assert re.match(
        r"all: \d+ cells \(\d+ flagged\), 6 passes on 4 days, mean total freeboard 0\.\d{3} ± 0\.\d{3} m", out
    )
    assert "Simulated, not satellite data: 6 of 6 granules" in out and str(tmp_path / "g" / "maps" / "grid.nc") in out
    code, out, _ = run_main(monkeypatch, capsys, *words, "--json")
    found = json.loads(out)
    assert code == 0 and not found["is_new"] and found["periods"][0]["n_tracks"] == 6 and len(found["granules"]) == 6
    for bad in (tmp_path, tmp_path / "missing"):
        code, _, err = run_main(monkeypatch, capsys, "grid", bad, "-o", tmp_path / "x")
        assert code == 1 and err.startswith("polynya: ") and err.count("\n") == 1 and not (tmp_path / "x").exists()
