"""Areas at many dates: the line is that of numpy's and of the textbook, gaps do not matter, shared errors stay."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from polynya.errors import ProductError
from polynya.evaluate.area_series import DateOutlines, compare, fit

YEARS = np.array([2000.0, 2004.5, 2010.0, 2013.0, 2021.0])


def test_the_line_is_that_of_polyfit():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.05, 0.2, 5)
    area = 8.0 - 0.07 * (YEARS - 2000.0) + 0.1 * sigma * rng.standard_normal(5)
    found = fit(YEARS, area, sigma)
    (slope, _), covariance = np.polyfit(YEARS - 2010.0, area, 1, w=1.0 / sigma, cov="unscaled")
    assert found.per_year == pytest.approx(slope, rel=1e-9)
    assert found.chi2 < 1.0 and found.sigma == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_scatter_above_the_intervals_widens_the_error():
    area = np.array([5.0, 5.6, 4.4, 5.5, 4.6])
    found = fit(YEARS, area, np.full(5, 0.01))
    (_, _), covariance = np.polyfit(YEARS - 2010.0, area, 1, cov=True)  # numpy scales by the residuals
    assert found.chi2 > 100 and found.sigma == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_a_common_error_does_not_average_away():
    """With a hundred times the dates the independent part falls to about a ninth, the common part not at all."""
    few, many = np.linspace(2000, 2020, 11), np.linspace(2000, 2020, 1001)
    rates = [fit(t, 10.0 - 0.1 * (t - 2000), np.full(t.size, 0.2), shared=0.5) for t in (few, many)]
    floor = np.sqrt(0.5) * 0.2 / 20.0
    for r in rates:
        assert r.shared_sigma == pytest.approx(floor) and r.sigma > floor and r.area_sigma > np.sqrt(0.5) * 0.2
    alone = [fit(t, 10.0 - 0.1 * (t - 2000), np.full(t.size, 0.2)).sigma for t in (few, many)]
    # evenly spaced over a span, the sum of squares about the mean is span² n (n + 1) / (12 (n - 1))
    fewer = np.sqrt((1001 * 1002 / 1000) / (11 * 12 / 10))
    assert alone[0] / alone[1] == pytest.approx(fewer) and rates[1].sigma == pytest.approx(floor, rel=0.02)


def test_intervals_hold_the_true_rate():
    """1000 series of independent errors: the 95 % interval holds the truth in about 95 of 100."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(1000):
        sigma = rng.uniform(0.1, 0.3, 5)
        r = fit(YEARS, 9.0 - 0.05 * (YEARS - 2000) + sigma * rng.standard_normal(5), sigma)
        inside += abs(r.per_year + 0.05) < 1.96 * r.sigma
    assert 930 < inside <= 1000


def test_gaps_and_too_few_dates():
    area, sigma = 8.0 - 0.1 * (YEARS - 2000), np.full(5, 0.1)
    gap = area.copy()
    gap[2] = np.nan
    keep = [0, 1, 3, 4]
    assert fit(YEARS, gap, sigma) == fit(YEARS[keep], area[keep], sigma[keep])
    assert np.isnan(fit(YEARS[:1], area[:1], sigma[:1]).per_year)
    unknown = fit(YEARS, area, np.full(5, np.nan))
    assert unknown.per_year == pytest.approx(-0.1) and np.isnan(unknown.sigma)


def date(year: int, sides: dict[str, float], *, ground=None) -> DateOutlines:
    """Return squares with their lower left corner at 0 and 5000 m, of sides in m."""
    boxes = [
        shapely.box(500_000 + 5000 * k, 5e6, 500_000 + 5000 * k + side, 5e6 + side)
        for k, side in enumerate(sides.values())
    ]
    area = np.array([g.area for g in boxes]) * 1e-6
    frame = gpd.GeoDataFrame(
        {
            "rgi_id": list(sides),
            "src_date": f"{year}-07-01",
            "area_km2": area,
            "area_low_km2": 0.95 * area,
            "area_high_km2": 1.05 * area,
        },
        geometry=boxes,
        crs="EPSG:32632",
    )
    return DateOutlines(name=str(year), outlines=frame, ground=ground)


def test_a_date_that_did_not_see_a_glacier_is_a_gap():
    seen = gpd.GeoSeries([shapely.box(499_000, 4_999_000, 504_000, 5_004_000)], crs="EPSG:32632")  # the first only
    dates = [
        date(2010, {"A": 2000.0, "B": 1000.0}),
        date(2000, {"A": 2100.0, "B": 1200.0}),
        date(2005, {"A": 2050.0, "B": 600.0}, ground=seen),
        date(2020, {"A": 1900.0, "B": 800.0}),
    ]
    found = compare(dates, shared=0.0)
    b = found.areas[found.areas["rgi_id"] == "B"]
    assert b["year"].astype(int).tolist() == [2000, 2005, 2010, 2020] and b["is_gap"].tolist() == [
        False,
        True,
        False,
        False,
    ]
    rate = found.rates.set_index("rgi_id")
    assert rate.loc["A", "n"] == 4 and rate.loc["B", "n"] == 3 and found.notes
    line = np.polyfit([2000, 2010, 2020], [1.44, 1.0, 0.64], 1, w=1 / np.array([1.44, 1.0, 0.64]))
    assert rate.loc["B", "per_year"] == pytest.approx(line[0], rel=2e-3)  # UTM areas against the ellipsoid
    total = found.areas[found.areas["rgi_id"] == "total"]["area_km2"].to_numpy()
    assert total == pytest.approx([4.41, 4.2025, 4.0, 3.61], rel=2e-3), "on the ground of all dates: the first only"


def test_outlines_without_a_date_are_an_error():
    bare = date(2000, {"A": 100.0})
    bare.outlines["src_date"] = ""
    with pytest.raises(ProductError, match="date is not known"):
        compare([bare, date(2010, {"A": 90.0}), date(2020, {"A": 80.0})])
