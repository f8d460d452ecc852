"""The split of ice by what covers it: areas by hand, intervals from limits and margins, unknown where nothing tells."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box

from polynya.glaciers import ice_cover
from polynya.scenes.areas import area_km2
from polynya.schema import Estimate

GRID = GeoBox((40, 60), Affine(100.0, 0, 500_000.0, 0, -100.0, 5_200_000.0), "EPSG:32632")


def outlines(**more) -> gpd.GeoDataFrame:
    """Two glaciers: 20 x 20 pixels and 10 x 10."""
    shapes = [box(501_000, 5_197_000, 503_000, 5_199_000), box(504_000, 5_198_000, 505_000, 5_199_000)]
    frame = gpd.GeoDataFrame(geometry=shapes, crs="EPSG:32632")
    frame["area_km2"] = area_km2(frame)
    frame["area_low_km2"], frame["area_high_km2"] = 0.9 * frame["area_km2"], 1.2 * frame["area_km2"]
    return frame.assign(**more)


def image(ratio: np.ndarray) -> np.ndarray:
    """Return bands with a ratio of red and SWIR1."""
    values = np.full((6, *ratio.shape), 0.2)
    values[2], values[4] = 0.1 * ratio, 0.1
    return values


def split(ratio, *, probability=1.0, cloud=None, frame=None, block=1024, written=None):
    values, p = image(ratio), np.broadcast_to(np.asarray(probability, float), ratio.shape)
    hidden = np.zeros(ratio.shape, bool) if cloud is None else cloud
    frame = outlines() if frame is None else frame
    size = float(frame["area_km2"].sum())

    def write(rows, columns, kind):
        written[rows, columns] = kind

    return ice_cover.split(
        frame,
        total=Estimate(value=size, low=0.9 * size, high=1.2 * size, n=2),
        geobox=GRID,
        optical=lambda rows, columns: values[:, rows, columns],
        cloud=lambda rows, columns: hidden[rows, columns],
        probability=lambda rows, columns: p[rows, columns],
        write=None if written is None else write,
        block=block,
    )


@pytest.mark.parametrize("block", [7, 1024])
def test_areas_are_those_of_the_pixels(block):
    ratio = np.full((40, 60), 3.0)
    ratio[25:, :] = 0.9  # the lower quarter of the first glacier (rows 10 to 29): 5 of 20 rows
    kinds = np.zeros((40, 60), np.uint8)
    found = split(ratio, block=block, written=kinds)
    size = found.table["area_km2"].to_numpy()
    assert found.table["debris_km2"].to_numpy() == pytest.approx([0.25 * size[0], 0.0], rel=1e-6)
    assert found.table["clean_km2"].to_numpy() == pytest.approx([0.75 * size[0], size[1]], rel=1e-6)
    assert found.clean.value + found.debris.value == pytest.approx(size.sum()) and found.unknown_km2 == 0
    expected = np.zeros((40, 60), np.uint8)
    expected[10:25, 10:30], expected[25:30, 10:30], expected[10:20, 40:50] = 1, 2, 1
    np.testing.assert_array_equal(kinds, expected)


def test_intervals_come_from_the_limits_and_from_the_margin():
    ratio = np.full((40, 60), 3.0)
    ratio[20:, :] = 0.9
    ratio[18:20, :] = 1.8  # clean at 1.5 and 1.2, not at 2.0
    ratio[20:21, :] = 1.3  # clean at 1.2 only
    probability = np.ones(ratio.shape)
    probability[25:27, :] = 0.5  # in doubt only where debris lies
    row = split(ratio, probability=probability).table.iloc[0]
    a = row["area_km2"]
    assert row["clean_km2"] == pytest.approx(0.5 * a) and row["debris_km2"] == pytest.approx(0.5 * a)
    # the margin is all debris: -0.1 and +0.2 of the area; the limits move 2 rows of 20 down, 1 row up
    assert row["clean_low_km2"] == pytest.approx(0.4 * a) and row["clean_high_km2"] == pytest.approx(0.55 * a)
    assert row["debris_low_km2"] == pytest.approx((0.5 - np.hypot(0.1, 0.05)) * a)
    assert row["debris_high_km2"] == pytest.approx((0.5 + np.hypot(0.2, 0.1)) * a)


def test_cloud_and_missing_bands_are_unknown():
    ratio, cloud = np.full((40, 60), 3.0), np.zeros((40, 60), bool)
    cloud[:, 40:] = True
    found = split(ratio, cloud=cloud)
    first, second = found.table.to_dict("records")
    assert first["clean_km2"] == pytest.approx(first["area_km2"]) and np.isnan(second["clean_km2"])
    assert found.unknown_km2 == pytest.approx(second["area_km2"])
    assert found.clean.high >= found.clean.value + second["area_km2"]
    nothing = split(np.full((40, 60), np.nan))
    assert np.isnan(nothing.clean.value) and nothing.table["debris_km2"].isna().all()


def test_no_reflectance_tells_nothing():
    """Zero or less in both bands, as in fill and black shadow, has no ratio; in one band it has."""
    values = np.zeros((6, 1, 4))
    values[2], values[4] = [[0.0, -0.01, 0.1, 0.0]], [[0.0, -0.02, -0.01, 0.1]]
    assert ice_cover.classes(values).tolist() == [[3, 3, 1, 2]]


def test_an_outline_between_the_centres_of_pixels_is_unknown():
    """No ice of the total is lost: clean, debris-covered and unknown add up to it."""
    frame = outlines()
    frame.loc[1, "geometry"] = box(504_060, 5_198_060, 504_140, 5_198_140)
    frame["area_km2"] = area_km2(frame)
    found = split(np.full((40, 60), 3.0), frame=frame)
    sizes = frame["area_km2"].to_numpy()
    assert np.isnan(found.table["clean_km2"].iloc[1]) and found.unknown_km2 == pytest.approx(sizes[1])
    assert found.clean.value + found.debris.value + found.unknown_km2 == pytest.approx(sizes.sum())
    assert found.debris.high >= sizes[1]


def test_totals_have_the_errors_of_the_limit_and_of_the_margin():
    """One glacier's total is its row; the limits' changes of several add up, since they are the same error."""
    ratio = np.full((40, 60), 3.0)
    ratio[18:20, :] = 1.8  # clean at 1.5 and 1.2, not at 2.0
    ratio[20:, :] = 0.9
    found = split(ratio)
    size = found.table["area_km2"].to_numpy()
    down = 2 / 20 * size[0] + 2 / 10 * size[1]
    clean, debris = 0.5 * size[0] + size[1], 0.5 * size[0]
    share = clean / size.sum()  # nothing is in doubt: by area
    assert found.clean.low == pytest.approx(clean - np.hypot(share * 0.1 * size.sum(), down))
    assert found.clean.high == pytest.approx(clean + share * 0.2 * size.sum())
    assert found.debris.low == pytest.approx(debris - (1 - share) * 0.1 * size.sum())
    assert found.debris.high == pytest.approx(debris + np.hypot((1 - share) * 0.2 * size.sum(), down))


def test_no_interval_of_an_outline_is_none_of_its_parts():
    found = split(np.full((40, 60), 3.0), frame=outlines(area_low_km2=np.nan, area_high_km2=np.nan))
    assert found.table["clean_km2"].notna().all() and found.table[["clean_low_km2", "clean_high_km2"]].isna().all(None)


def test_no_outlines_have_no_cover():
    found = split(np.full((40, 60), 3.0), frame=outlines().iloc[:0])
    assert set(ice_cover.COLUMNS) <= set(found.table.columns) and not len(found.table)


def test_dark_ice_in_shadow_stays_clean():
    """A factor on all bands, as of shadow, changes no class."""
    values = image(np.array([[3.0, 1.0]]))
    np.testing.assert_array_equal(ice_cover.classes(values), ice_cover.classes(0.2 * values))
    assert ice_cover.classes(values).tolist() == [[ice_cover.CLEAN, ice_cover.DEBRIS]]
