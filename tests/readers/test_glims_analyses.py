"""GLIMS: internal rocks are holes, and of several analyses of a glacier one is taken."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import box

from polynya.readers import rgi_outlines
from polynya.workflows import change

CRS = "EPSG:32645"


def row(glacier, kind, shape, *, analysis=1, date="2009-08-15"):
    return {
        "glac_id": glacier,
        "anlys_id": analysis,
        "line_type": kind,
        "src_date": f"{date}T00:00:00",
        "area": 1.0,
        "geometry": shape,
    }


def write(path, rows):
    gpd.GeoDataFrame(rows, crs=CRS).to_file(path)
    return path


def at(x, y, w, h=None):
    return box(x, y, x + w, y + (h or w))


ROCKY = [
    row("A", "glac_bound", at(0, 0, 1000)),
    row("A", "intrnl_rock", at(100, 100, 200)),
    row("A", "intrnl_rock", at(500, 500, 300)),
    row("B", "glac_bound", at(1000, 0, 700)),
    row("A", "debris_cov", at(0, 0, 300)),
]


def test_internal_rocks_are_cut_out(tmp_path):
    found = rgi_outlines.read(write(tmp_path / "g.gpkg", ROCKY))
    assert found["glims_id"].tolist() == ["A", "B"]
    assert found.area.tolist() == [1000**2 - 200**2 - 300**2, 700**2]
    assert found.attrs["lines"] == ("g.gpkg: 2 internal rocks are cut out of its glaciers",)


def test_a_perfect_map_scores_one_and_shows_no_change(tmp_path):
    """With rocks dropped instead of cut, a map without them lost .888 of the ice that was never there."""
    theirs = write(tmp_path / "g.gpkg", ROCKY)
    ours = gpd.GeoDataFrame(
        {"rgi_id": ["", ""], "area_km2": [0.87, 0.49]},
        geometry=[at(0, 0, 1000).difference(at(100, 100, 200).union(at(500, 500, 300))), at(1000, 0, 700)],
        crs=CRS,
    )
    ours.to_file(tmp_path / "ours.gpkg")
    found = change.run(theirs, tmp_path / "ours.gpkg")
    assert abs(found.change.value) < 1e-6 and found.lost_km2 < 1e-6 and found.gained_km2 < 1e-6
    assert any("2 internal rocks" in n for n in found.notes) and "internal rocks" in change.as_text(found)


DATES = ("1999-10-20", "2009-08-15", "2016-01-05")


def several(path, order=(2, 0, 1)):
    """One glacier three times, smaller each time, in two parts and with a rock of its own each time."""
    rows = []
    for k in order:
        old = row("G", "glac_bound", at(0, 0, 1000 - 100 * k), analysis=k, date=DATES[k])
        part = row("G", "glac_bound", at(3000, 0, 100), analysis=k, date=DATES[k])
        rows += [old, row("G", "intrnl_rock", at(50, 50, 50 + 10 * k), analysis=k, date=DATES[k]), part]
    rows.append(row("H", "glac_bound", at(5000, 0, 200), analysis=9))
    return write(path, rows)


@pytest.mark.parametrize(
    ("date", "taken"),
    [("1990-01-01", 0), ("2004-09-01", 0), ("2005-01-01", 1), ("2012-09-01", 1), ("2014-01-01", 2), (None, 2)],
)
def test_of_several_analyses_the_nearest_is_taken(tmp_path, date, taken):
    when = None if date is None else np.datetime64(date, "ns")
    found = rgi_outlines.read(several(tmp_path / "g.gpkg"), date=when)
    assert found["glims_id"].tolist() == ["G", "H"] and found["src_date"].str[:10].iloc[0] == DATES[taken]
    assert found.area.iloc[0] == (1000 - 100 * taken) ** 2 + 100**2 - (50 + 10 * taken) ** 2
    which = "the newest is" if date is None else f"the one nearest to {date} is"
    assert found.attrs["lines"][0] == (
        f"g.gpkg: 1 of its glaciers have several analyses; {which} taken ({DATES[taken]}); --reference-date chooses"
        " another"
    )


def test_without_numbers_of_analyses_their_dates_tell_them_apart(tmp_path):
    frame = gpd.read_file(several(tmp_path / "g.gpkg")).drop(columns="anlys_id")
    frame.to_file(tmp_path / "h.gpkg")
    found = rgi_outlines.read(tmp_path / "h.gpkg", date=np.datetime64("2009-01-01", "ns"))
    assert found.area.iloc[0] == 900**2 + 100**2 - 60**2


def test_a_rock_without_a_glacier_of_its_own_is_cut_out_of_what_it_lies_in(tmp_path):
    rows = [row("A", "glac_bound", at(0, 0, 1000)), row("", "intrnl_rock", at(100, 100, 200), analysis=77)]
    assert rgi_outlines.read(write(tmp_path / "g.gpkg", rows)).area.tolist() == [1000**2 - 200**2]


def test_one_analysis_says_nothing(tmp_path):
    rows = [row("A", "glac_bound", at(0, 0, 1000)), row("A", "glac_bound", at(2000, 0, 100))]
    found = rgi_outlines.read(write(tmp_path / "g.gpkg", rows), date=np.datetime64("2020-01-01", "ns"))
    assert len(found) == 1 and found.attrs["lines"] == () and found.area.iloc[0] == 1000**2 + 100**2
