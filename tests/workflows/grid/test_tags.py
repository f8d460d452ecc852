"""Maps of tags: against a plain count and a plain formula, what is masked, left out and rejected."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import rasterio
import xarray as xr
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import OutputError, PolynyaError, ProductError, UsageError
from polynya.physics.gridding import occurrence
from polynya.schema.imagettes import TAGS
from polynya.schema.tag_grids import FEW_IMAGETTES, FEW_PASSES, MOSTLY_ASIDE, ONE_DAY, TAG_GRID_VARIABLES
from polynya.workflows.grid import tags

from ..tags import tag_tables


def rows(n, *, which=(), total=10):
    """Return tags of n imagettes of which the first ``total`` have the tags of ``which``."""
    out = np.zeros((n, len(TAGS)), bool)
    out[:total, [TAGS.index(t) for t in which]] = True
    return out


def at(n, latitude=1.0, longitude=1.0, day="2016-01-10"):
    return {
        "latitude": np.full(n, latitude),
        "longitude": np.full(n, longitude),
        "time": np.full(n, np.datetime64(day, "ns")),
    }


def wilson(k, n, z=1.959964):
    """Wilson's interval as his paper has it: the roots of (p - s)² = z² p (1 - p) / n, by bisection."""
    share = k / n

    def root(low, high):
        for _ in range(200):
            middle = 0.5 * (low + high)
            inside = (middle - share) ** 2 <= z * z * middle * (1 - middle) / n
            low, high = (low, middle) if inside == (middle < share) else (middle, high)
        return 0.5 * (low + high)

    lower = 0.0 if k == 0 else root(0.0, share)
    return lower, 1.0 if k == n else root(share, 1.0)


def test_maps_are_a_plain_count(tmp_path):
    parts = [tag_tables.drawn(700, seed=s) for s in (1, 2)]
    for k, part in enumerate(parts):
        tag_tables.write(tmp_path / "r", f"p{k}", **part)
    out = tags.run([tmp_path / "r"], out=tmp_path / "g", config=tags.TagConfig(cog=False))
    data = xr.open_dataset(out.files["netcdf"])
    counted: dict[tuple, dict] = {}
    for part in parts:
        for k in range(700):
            month = str(part["time"][k])[:7]
            south, west = (2 * math.floor(part[n][k] / 2) for n in ("latitude", "longitude"))
            one = counted.setdefault((month, south, west), {"n": 0, "aside": 0, "tags": [0] * 10, "passes": set()})
            if part["tag_quality"][k]:
                one["aside"] += 1
                continue
            one["n"] += 1
            one["passes"].add(part["absolute_orbit"][k])
            for t in range(10):
                one["tags"][t] += int(part["tags"][k, t])
    assert max(one["n"] for one in counted.values()) > 20
    assert int(data.n_imagettes.sum()) == sum(one["n"] for one in counted.values())
    months = [str(t)[:7] for t in data.time.values]
    assert months == ["2016-01", "2016-02"]
    held = {name: data[name].values for name in data.data_vars}
    for (month, south, west), one in counted.items():
        at = (months.index(month), 89 - (south + 90) // 2, (west + 180) // 2)
        assert data.latitude.values[at[1]] == south + 1 and data.longitude.values[at[2]] == west + 1
        assert (held["n_imagettes"][at], held["n_not_assessed"][at]) == (one["n"], one["aside"])
        assert held["n_tracks"][at] == len(one["passes"])
        for t, tag in enumerate(TAGS):
            k, share = one["tags"][t], held[f"occurrence_{tag}"][at]
            ends = [held[f"occurrence_{end}_{tag}"][at] for end in ("low", "high")]
            assert held[f"n_{tag}"][at] == k
            if one["n"] < 10:
                assert np.isnan([share, *ends]).all()
            else:
                assert share == pytest.approx(k / one["n"])
                np.testing.assert_allclose(ends, wilson(k, one["n"]), atol=1e-6)


def test_nine_imagettes_are_masked_and_ten_are_not(tmp_path):
    tag_tables.write(tmp_path / "r", "nine", tags=rows(9, which=("sea_ice",)), **at(9))
    tag_tables.write(tmp_path / "r", "ten", tags=rows(10, which=("sea_ice",), total=4), **at(10, latitude=21.0))
    aside = {"tag_quality": np.r_[np.zeros(10), np.full(11, 2)].astype(int)}
    tag_tables.write(tmp_path / "r", "aside", tags=rows(21, which=("sea_ice",)), **at(21, latitude=41.0), **aside)
    out = tags.run([tmp_path / "r"], out=tmp_path / "g", config=tags.TagConfig(cog=False))
    data = xr.open_dataset(out.files["netcdf"]).isel(time=0).sel(longitude=1)
    nine, ten, mostly = (data.sel(latitude=v) for v in (1, 21, 41))
    assert np.isnan(float(nine.occurrence_sea_ice)) and int(nine.n_sea_ice) == 9
    assert int(nine.sampling_flag) == FEW_IMAGETTES | FEW_PASSES | ONE_DAY
    assert float(ten.occurrence_sea_ice) == pytest.approx(0.4) and int(ten.sampling_flag) == FEW_PASSES | ONE_DAY
    assert float(ten.occurrence_icebergs) == 0.0 and float(ten.occurrence_high_icebergs) == pytest.approx(
        0.2775, abs=1e-4
    )
    assert float(mostly.occurrence_sea_ice) == 1.0 and int(mostly.n_imagettes) == 10
    assert int(mostly.sampling_flag) & MOSTLY_ASIDE
    assert out.periods[0]["n_cells"] == 2 and out.periods[0]["n_cells_masked"] == 1
    assert any("Not assessed" in m and "11 imagettes" in m for m in out.messages)


def test_cells_have_their_south_and_west_sides():
    grid = occurrence.DegreeGrid()
    latitude = np.array([90.0, -90.0, 0.0, 0.0, 2.0, np.nan, 91.0])
    longitude = np.array([-180.0, 180.0, 0.0, 359.0, -2.0, 0.0, 0.0])
    found = grid.cell_of(latitude, longitude)
    assert found.tolist() == [0, 89 * 180, 44 * 180 + 90, 44 * 180 + 89, 43 * 180 + 89, -1, -1]
    assert grid.latitude[44] == 1.0 and grid.longitude[90] == 1.0


def test_files_are_cf_and_cloud_optimised(tmp_path):
    tag_tables.write(tmp_path / "r", "a", tags=rows(12, which=("rain_cells",), total=6), **at(12, 11.0, -179.5))
    out = tags.run([tmp_path / "r"], out=tmp_path / "g")
    data = xr.open_dataset(out.files["netcdf"])
    assert {v.name for v in TAG_GRID_VARIABLES} <= set(data.data_vars) and data.attrs["Conventions"].startswith("CF")
    assert data.latitude.attrs["units"] == "degrees_north" and data.occurrence_sea_ice.attrs["grid_mapping"] == "crs"
    assert float(data.cell_area.sum()) == pytest.approx(5.10066e14, rel=1e-4)  # of WGS 84
    assert "occurrence_low_sea_ice" in data.occurrence_sea_ice.attrs["ancillary_variables"]
    with rasterio.open(tmp_path / "g" / "maps" / "cog" / "2016-01" / "occurrence.tif") as file:
        assert file.descriptions == TAGS and file.crs.to_epsg() == 4326 and file.bounds == (-180, -90, 180, 90)
        [value] = file.sample([(-179.5, 11.0)], indexes=TAGS.index("rain_cells") + 1)
        assert value == pytest.approx(0.5)
    page = (tmp_path / "g" / "maps" / "index.html").read_text()
    assert page.count('<path id="land"') == 1 and "Rain cells" in page and "http" not in page.split("</style>")[1]


def test_precise_tags_are_counted_where_asked_for(tmp_path):
    few = {"precise_tags": [["sea_ice"]] * 3 + [[]] * 9}
    tag_tables.write(tmp_path / "r", "a", tags=rows(12, which=("sea_ice",), total=12), **at(12), **few)
    shares = []
    for precise in (False, True):
        config = tags.TagConfig(cog=False, precise=precise)
        out = tags.run([tmp_path / "r"], out=tmp_path / f"g{precise}", config=config)
        shares.append(float(xr.open_dataset(out.files["netcdf"]).occurrence_sea_ice.max()))
    assert shares == [1.0, 0.25]


def test_the_command_knows_what_it_is_given(tmp_path):
    tag_tables.write(tmp_path / "r", "a", tags=rows(12, which=("sea_ice",)), **at(12), about={"is_simulated": True})
    runner = CliRunner()
    words = ["grid", str(tmp_path / "r"), "-o", str(tmp_path / "g"), "--cell", "5deg", "--json", "--no-cog"]
    result = runner.invoke(app, words)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["periods"][0]["n_sea_ice"] == 10 and "Simulated, not satellite data" in found["messages"][0]
    assert xr.open_dataset(found["files"]["netcdf"]).sizes["latitude"] == 36
    said = runner.invoke(app, [*words[:-2], "--no-cog"]).stdout.splitlines()
    assert said[0] == (
        "2016-01: 12 imagettes of 1 pass; 1 cell with shares, 0 cells of fewer than 10 masked; of all imagettes"
        " together: sea ice 83.3 %"
    )
    again = runner.invoke(app, [*words[:-2], "--json", "--no-cog", "--what", "tags"])
    assert json.loads(again.stdout)["results"][0]["status"] == "skipped"
    for more, pattern in (
        (["--crs", "EPSG:3413"], "--crs EPSG:3413: does not apply to tags"),
        (["--cell", "25km"], "degrees"),
        (["--cell", "7deg"], "whole part of 180"),
        (["--what", "fish"], "--what fish"),
        (["--what", "freeboard"], "holds no result of polynya freeboard"),
    ):
        error = runner.invoke(app, ["grid", str(tmp_path / "r"), "-o", str(tmp_path / "other"), *more]).exception
        assert isinstance(error, PolynyaError) and pattern in str(error), error
    assert not (tmp_path / "other").exists()


def test_shares_of_masked_cells_are_called_those_of_all_imagettes(tmp_path):
    tag_tables.write(tmp_path / "r", "a", tags=rows(2, which=("sea_ice",)), **at(2))
    text = tags.as_text(tags.run([tmp_path / "r"], out=tmp_path / "g", config=tags.TagConfig(cog=False)))
    first, second = text.splitlines()[:2]
    assert "no cell with shares, 1 cell of fewer than 10 masked; of all imagettes together: sea ice" in first
    assert "so all shares are masked" in second


def test_what_cannot_be_a_map_is_one_line(tmp_path):
    one = tag_tables.write(tmp_path / "r", "a", tags=rows(2), **at(2))
    with pytest.raises(ProductError, match="no such folder"):
        tags.run([tmp_path / "nothing"], out=tmp_path / "g")
    tag_tables.write(tmp_path / "nowhere", "b", tags=rows(2))
    with pytest.raises(ProductError, match="no imagette has a place and a time"):
        tags.run([tmp_path / "nowhere"], out=tmp_path / "g1")
    assert not (tmp_path / "g1" / "maps").exists()
    other = tag_tables.write(tmp_path / "o", "c", tags=rows(2), **at(2), about={"network_sha256": "cd"})
    with pytest.raises(UsageError, match="c: has network sha256 cd, but a has ab"):
        tags.run([one, other], out=tmp_path / "g2")
    again = tag_tables.write(tmp_path / "x", "a", tags=rows(2), **at(2))
    with pytest.raises(UsageError, match="a is there twice"):
        tags.run([one, again], out=tmp_path / "g3")
    (tmp_path / "g4" / "maps").mkdir(parents=True)
    (tmp_path / "g4" / "maps" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError):
        tags.run([one], out=tmp_path / "g4")
    assert [p.name for p in (tmp_path / "g4" / "maps").iterdir()] == ["mine.txt"]
