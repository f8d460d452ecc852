"""Area change: closed forms for squares and discs, intervals, dates, common ground."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely import Point, box

from polynya.errors import ProductError
from polynya.evaluate import area_change as ac

X, Y = 500_000.0, 5_184_000.0
SCALE = 0.9996**2  # areas of the map are so much of the ground's on the middle meridian


def frame(*boxes, **columns):
    return gpd.GeoDataFrame(
        columns, geometry=[box(X + a, Y + b, X + c, Y + d) for a, b, c, d in boxes], crs="EPSG:32632"
    )


OLD = frame(
    (0, 0, 2000, 1000), (6400, 0, 7400, 1000), rgi_id=["a", "b"], src_date=["2000-07-01", "2000-07-01T10:00:00"]
)
NEW = frame((500, 0, 2100, 1000), (6400, 0, 7200, 1000), rgi_id=["a", "b"], src_date=["2010-07-01", "2010-07-01"])


def test_areas_ground_and_rates():
    found = ac.compare(OLD, NEW)
    assert found.old.value == pytest.approx(3.0 / SCALE, rel=1e-5) and found.change.value == pytest.approx(
        -0.6 / SCALE, rel=1e-4
    )
    assert found.lost_km2 == pytest.approx(0.7 / SCALE, rel=1e-4) and found.gained_km2 == pytest.approx(
        0.1 / SCALE, rel=1e-4
    )
    assert (
        found.years == pytest.approx(10.0, abs=1e-6)
        and found.uncertainty == "none known"
        and np.isnan(found.change.low)
    )
    assert found.glaciers["change_km2"].tolist() == pytest.approx([-0.4 / SCALE, -0.2 / SCALE], rel=1e-4)


def test_intervals_of_the_file_add_up():
    """Glaciers of one block err together, those of others do not; the two dates do not."""
    old = OLD.assign(area_km2=[2.0 / SCALE, 1.0 / SCALE]).assign(
        area_low_km2=lambda f: f["area_km2"] - [0.3, 0.4], area_high_km2=lambda f: f["area_km2"] + [0.6, 0.8]
    )
    new = NEW.assign(area_km2=[1.6 / SCALE, 0.8 / SCALE]).assign(
        area_low_km2=lambda f: f["area_km2"] - [0.12, 0.0], area_high_km2=lambda f: f["area_km2"] + [0.0, 0.0]
    )
    found = ac.compare(old, new)
    assert (found.old.value - found.old.low, found.old.high - found.old.value) == pytest.approx((0.5, 1.0), rel=1e-4)
    assert found.change.value - found.change.low == pytest.approx(np.hypot(0.12, 1.0), rel=1e-4)
    assert found.change.high - found.change.value == pytest.approx(0.5, rel=1e-4)
    assert found.glaciers["low_km2"][0] == pytest.approx(
        found.glaciers["change_km2"][0] - np.hypot(0.12, 0.6), rel=1e-4
    )
    near = old.set_geometry([old.geometry[0], box(X, Y + 1100, X + 1000, Y + 2100)])
    assert ac.compare(near, new).old.high - ac.compare(near, new).old.value == pytest.approx(1.4, rel=1e-4)


def test_the_buffer_of_a_disc():
    disc = gpd.GeoDataFrame(geometry=[Point(X, Y).buffer(1000, quad_segs=200)], crs="EPSG:32632")
    found = ac.compare(disc, disc, position_error_m=10.0)
    above = np.pi * ((1.0196) ** 2 - 1) / SCALE
    assert found.old.high - found.old.value == pytest.approx(above, rel=1e-3) and found.change.value == 0.0
    below = np.pi * (1 - 0.9804**2) / SCALE
    assert (found.change.high, found.change.low) == pytest.approx(
        (np.hypot(above, below), -np.hypot(above, below)), rel=1e-3
    )
    assert found.uncertainty == "outlines moved by 1.96 x 10 m"


def test_only_the_common_ground_and_who_is_missing():
    new = frame((500, 0, 2100, 1000), rgi_id=["a"])
    found = ac.compare(OLD, new)
    assert (found.only_old, found.only_new) == (1, 0) and np.isnan(found.years)
    cut = ac.compare(OLD, new, within=frame((0, -100, 1000, 2000)).geometry)
    assert (
        cut.old.value == pytest.approx(1.0 / SCALE, rel=1e-4)
        and cut.new.value == pytest.approx(0.5 / SCALE, rel=1e-4)
        and cut.only_old == 0
    )
    with pytest.raises(ProductError, match="neither set has ice"):
        ac.compare(OLD, new, within=frame((90_000, 0, 91_000, 10)).geometry)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2003-07-01", 2003.5),
        ("20030799", 2003.5 + 1 / 24),
        ("20039999", 2003.5),
        ("-9999999", np.nan),
        ("", np.nan),
        ("2018-01-01T00:00:00", 2018.0),
    ],
)
def test_dates(text, year):
    assert ac._date(text) == pytest.approx(year, abs=0.01, nan_ok=True)


def test_no_ice_left():
    found = ac.compare(OLD, NEW.iloc[:0])
    assert (
        found.change.value == pytest.approx(-3.0 / SCALE, rel=1e-4)
        and found.lost_km2 == pytest.approx(found.old.value)
        and len(found.glaciers) == 0
    )


def test_a_map_s_total_is_not_stretched_over_a_part_of_it():
    """Twenty glaciers, each ±0.2 km² in a block of its own, one of them inside the ground compared: its total is as
    unsure as itself."""
    many = frame(*((6400.0 * k, 0, 6400.0 * k + 1000, 1000) for k in range(20)), rgi_id=[str(k) for k in range(20)])
    area = float(ac.compare(many, many).old.value) / 20
    many = many.assign(area_km2=area, area_low_km2=area - 0.2, area_high_km2=area + 0.2)
    drawn = ac.Estimate(value=20 * area, low=20 * area - 0.5, high=20 * area + 0.7, n=9)
    whole = ac.compare(many, many, totals=(drawn, None))
    assert (whole.old.low, whole.old.high) == pytest.approx(
        (20 * area - 0.5, 20 * area + 0.7), rel=1e-3
    ) and whole.new.high - whole.new.value == pytest.approx(0.2 * np.sqrt(20), rel=1e-3)
    one = ac.compare(many, many, within=frame((-100, -100, 1100, 1100)).geometry, totals=(drawn, drawn))
    assert one.old.high - one.old.value == pytest.approx(0.2, rel=1e-3) and one.change.high == pytest.approx(
        one.glaciers["high_km2"][0], rel=1e-3
    )
