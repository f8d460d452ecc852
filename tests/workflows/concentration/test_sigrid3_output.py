"""A map as an ice chart: codes of the standard, the same tenths when read back, areas kept, no gaps, near perfect when
the map is scored against it."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod
from scipy import ndimage

from polynya.io import grids, polygons
from polynya.readers import sigrid3_chart, sigrid3_codes
from polynya.scenes import ice_chart
from polynya.schema.sea_ice_maps import BITS, CONCENTRATION
from polynya.workflows import concentration
from polynya.workflows.concentration import ice_chart as output
from polynya.workflows.concentration import products
from polynya.workflows.evaluate import concentration as evaluate
from tests.readers import sentinel1_safe as safe
from tests.workflows.concentration.test_concentration import PIXEL_M, product

PX = 1000.0
BOX = GeoBox((160, 200), Affine(PX, 0, -500_000.0, 0, -PX, -1_000_000.0), "EPSG:3413")


def of(values, *, sigma=None, land=None, box=BOX):
    held = ice_chart.Map(
        concentration=values.astype(np.float32),
        uncertainty=np.full(values.shape, 0.1, np.float32) if sigma is None else sigma,
        is_land=np.zeros(values.shape, bool) if land is None else land,
        areas_km2=products.pixel_areas_km2(box),
        geobox=box,
    )
    return ice_chart.polygons(held)


def blocks():
    """Twelve blocks of 40 x 66 km, each of another class, far apart in neighbouring ones."""
    levels = np.array([[0.03, 0.62, 0.21], [0.88, 0.13, 0.999], [0.31, 0.97, 0.42], [0.71, 0.5, 0.8]])
    return np.kron(levels, np.ones((40, 67)))[:, :200]


@pytest.fixture
def belt():
    """A marginal ice zone of 60 km with texture, open water below, pack above, a hole of no data."""
    y = np.mgrid[:160, :200][0]
    texture = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(160, 200)), 3)
    values = np.clip((110.0 - y) / 60.0 + 0.25 * texture / texture.std(), 0.0, 1.0)
    values[20:40, 50:80] = np.nan
    return values


@pytest.mark.parametrize(
    ("mean", "code"),
    [
        (0.0, "01"),
        (0.0999, "01"),
        (0.10, "10"),
        (0.149, "10"),
        (0.151, "20"),
        (0.5, "50"),
        (0.749, "70"),
        (0.949, "90"),
        (0.951, "91"),
        (0.994, "91"),
        (0.996, "92"),
        (1.0, "92"),
    ],
)
def test_codes_are_those_of_the_standard(mean, code):
    assert ice_chart.code_of(mean) == code
    tenths = sigrid3_codes.SIC[int(code)]
    assert abs(10 * mean - tenths) <= (1.0 if tenths == 0 else 0.5)


def test_blocks_come_back_as_they_were(tmp_path):
    values = blocks()
    frame = of(values)
    assert len(frame) == 12 and frame.crs.to_epsg() == 3413
    expected = {ice_chart.code_of(v) for v in np.unique(values)}
    assert set(frame["CT"]) == expected and set(frame["POLY_TYPE"]) == {"I"}
    ice = frame["CT"] != "01"
    assert set(frame.loc[ice, "SA"]) == set(frame.loc[ice, "FA"]) == {"99"}
    assert set(frame.loc[~ice, "SA"]) == {"-9"} and set(frame["CA"]) == {"-9"}
    assert np.sort(frame["mean_concentration"]) == pytest.approx(np.sort(np.unique(values)), abs=1e-6)
    assert frame["uncertainty"].to_numpy() == pytest.approx(0.1) and frame["spread"].max() < 1e-6
    # every middle of a pixel gets the tenths of its block
    chart = sigrid3_chart.read(polygons.write(frame, tmp_path / "ice_chart.gpkg"))
    drawn = sigrid3_chart.rasterise(chart, BOX)
    tenths = np.vectorize(lambda v: sigrid3_codes.SIC[int(ice_chart.code_of(v))])(values)
    assert np.mean(drawn["SIC"] == tenths) > 0.998
    assert set(np.unique(drawn["SOD"])) == {0, 255} == set(np.unique(drawn["FLOE"]))
    assert ((drawn["SOD"] == 0) == (drawn["SIC"] == 0)).all()


def test_the_reader_gives_the_tenths_of_each_polygon(belt, tmp_path):
    frame = of(belt)
    chart = sigrid3_chart.read(polygons.write(frame, tmp_path / "ice_chart.gpkg"))
    assert len(chart) == len(frame) > 5
    mean = chart["mean_concentration"].to_numpy()
    nearest = np.where(mean < 0.1, 0, np.clip(np.rint(10 * mean), 1, 10))
    assert np.array_equal(chart["SIC"].to_numpy(), nearest)


def test_areas_are_those_on_the_ellipsoid_and_nothing_is_lost(belt):
    frame = of(belt)
    areas, known = products.pixel_areas_km2(BOX), np.isfinite(belt)
    assert frame["AREA"].sum() / 1e6 == pytest.approx(areas[known].sum(), rel=2e-3)
    held = (frame["AREA"] * frame["mean_concentration"]).sum() / 1e6
    assert held == pytest.approx((belt * areas)[known].sum(), rel=5e-3)
    geod = Geod(ellps="WGS84")
    fine = frame.geometry.segmentize(500.0).to_crs("EPSG:4326")
    whole = [k for k, g in enumerate(fine) if not g.interiors]  # what pyproj calls perimeter is the outer ring
    assert whole
    for k in whole:
        area, length = geod.geometry_area_perimeter(fine.iloc[k])
        assert frame["AREA"].iloc[k] == pytest.approx(abs(area), rel=1e-5)
        assert frame["PERIMETER"].iloc[k] == pytest.approx(length, rel=1e-4)


def test_polygons_touch_without_gap_and_overlap_and_none_is_a_crumb(belt):
    frame = of(belt)
    shapes = frame.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    union = shapely.coverage_union_all(shapes)
    assert union.area == pytest.approx(shapely.area(shapes).sum(), rel=1e-9)
    assert frame["AREA"].min() > 0.95 * ice_chart.LEAST_KM2 * 1e6
    alone = np.full(belt.shape, np.nan)
    alone[3:6, 3:6] = 0.4
    assert list(of(alone)["CT"]) == ["40"]  # one without a neighbour stays


def test_small_parts_join_the_neighbour_that_they_resemble():
    values = np.ones((160, 200))
    values[:, 100:] = 0.0
    values[50:55, 20:25] = 0.5  # 25 km2 in the pack
    frame = of(values)
    assert sorted(frame["CT"]) == ["01", "92"]
    pack = frame[frame["CT"] == "92"].iloc[0]
    assert pack["mean_concentration"] == pytest.approx(1 - 0.5 * 25 / 16_000, abs=2e-4) and pack["spread"] > 0
    # the smoothed step leaves no bands between, and the border stays where it is
    assert pack.geometry.bounds[2] == pytest.approx(-500_000.0 + 100 * PX, abs=1.5 * PX)


def test_land_of_a_file_is_polygons_of_land(belt):
    land = np.zeros(belt.shape, bool)
    land[20:40, 50:80] = True
    frame = of(belt, land=land)
    [row] = frame[frame["POLY_TYPE"] == "L"].itertuples()
    assert {row.CT, row.SA, row.FA} == {"-9"} and np.isnan(row.mean_concentration)
    drawn = row.AREA / 1e6
    assert drawn == pytest.approx(products.pixel_areas_km2(BOX)[land].sum(), rel=0.03)


def written(folder, values):
    folder.mkdir()
    sigma, bits = np.full(values.shape, 0.1, np.float32), np.where(np.isfinite(values), 0, BITS["no_data"])
    c = values.astype(np.float32)
    tags = {k: str(v) for k, v in CONCENTRATION.attributes().items()}
    file = folder / "sea_ice_concentration.tif"
    grids.write_cog(c, file, geobox=BOX, name=CONCENTRATION.name, tags=tags)
    return output.write(folder, c, uncertainty=sigma, bits=bits.astype(np.uint8), geobox=BOX)


def metric(table, name, stratum="all"):
    rows = [r for r in table.to_pylist() if r["metric"] == name and r["stratum"] == stratum]
    return rows[0]["value"]


def test_a_map_scored_against_its_own_chart_is_near_perfect(tmp_path, belt):
    chart = written(tmp_path / "blocks", blocks())
    found = evaluate.run(tmp_path / "blocks", reference=chart, n_resamples=2)
    assert metric(found, "r2") > 0.99 and metric(found, "rmse") < 3.5 and abs(metric(found, "bias")) < 1.0
    assert metric(found, "accuracy_at_15_percent") == pytest.approx(1.0, abs=0.02)
    chart = written(tmp_path / "belt", belt)
    found = evaluate.run(tmp_path / "belt", reference=chart, n_resamples=2)
    assert metric(found, "r2") > 0.95 and abs(metric(found, "bias")) < 1.0


def test_the_option_writes_the_chart_and_adds_it_to_a_finished_result(tmp_path):
    scene = product(tmp_path / "S1A_EW.SAFE", safe.Small())

    def run(**settings):
        config = concentration.Config.checked(pixel_m=PIXEL_M, **settings)
        [record] = concentration.run([scene], out=tmp_path / "out", config=config)
        return record

    folder = tmp_path / "out/S1A_EW"
    assert run().status == "done" and not (folder / "ice_chart.gpkg").exists()
    assert run(sigrid3=True).status == "done" and run(sigrid3=True).status == "skipped"
    record = run()
    assert record.status == "skipped"  # a chart more is no other result
    frame = gpd.read_file(folder / "ice_chart.gpkg")
    assert frame["AREA"].sum() / 1e6 == pytest.approx(record.numbers["mapped_area_km2"], rel=0.01)
    assert {"CT", "SA", "FA", "POLY_TYPE", "uncertainty"} <= set(frame.columns)
