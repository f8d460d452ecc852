"""Ice charts: fields of any spelling, repaired polygons, areas and grids; a real chart."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon, box

from polynya.errors import ProductError
from polynya.readers import sigrid3_chart
from tests.real_files import sar

POLAR = "EPSG:3413"
BOW = Polygon([(0, 0), (2e4, 2e4), (2e4, 0), (0, 2e4)])  # crosses itself: two triangles of 100 km2


def chart(path, **columns):
    """Write three polygons of 20 x 20 km side by side: five tenths of new ice, fast ice, land."""
    shapes = columns.pop("shapes", [box(2e4 * k, 0, 2e4 * (k + 1), 2e4) for k in range(3)])
    fields = {
        "CT": ["50", "92", None],
        "CA": ["-9", "-9", None],
        "SA": ["81", "95", None],
        "FA": ["03", "08", None],
        "CB": ["-9", "-9", None],
        "POLY_TYPE": ["I", "I", "L"],
    } | columns
    frame = gpd.GeoDataFrame({k: v[: len(shapes)] for k, v in fields.items()}, geometry=shapes, crs=POLAR)
    frame.to_file(path)
    return path


@pytest.mark.parametrize("ending", ["gpkg", "shp", "geojson"])
def test_a_chart_has_codes_classes_and_percent(tmp_path, ending):
    found = sigrid3_chart.read(chart(tmp_path / f"x.{ending}"))
    assert found["CT"].tolist() == [50, 92, -9] and found["FA"].tolist() == [3, 8, -9]
    assert found["SIC"].tolist() == [5, 10, 255] and found["SOD"].tolist() == [1, 5, 255]
    assert found["FLOE"].tolist() == [2, 255, 255] and found["POLY_TYPE"].tolist() == ["I", "I", "L"]
    assert found["sea_ice_concentration"].tolist()[:2] == [50.0, 100.0] and np.isnan(found["sea_ice_concentration"][2])


def test_names_of_fields_in_small_letters_numbers_and_blanks_are_read(tmp_path):
    path = tmp_path / "x.gpkg"
    columns = {"ct": [50.0, 92.0, None], "ca": [None] * 3, "sa": ["81 ", "95", ""], "fa": ["03", "8", "-9"]}
    shapes = [box(2e4 * k, 0, 2e4 * (k + 1), 2e4) for k in range(3)]
    gpd.GeoDataFrame({**columns, "Region": ["a", "b", "c"]}, geometry=shapes, crs=POLAR).to_file(path)
    found = sigrid3_chart.read(path)
    assert found["SIC"].tolist() == [5, 10, 255] and found["SOD"].tolist() == [1, 5, 255]
    assert found["POLY_TYPE"].tolist() == ["I", "I", "N"] and found["Region"].tolist() == ["a", "b", "c"]


def test_areas_by_concentration_are_those_of_the_chart_s_projection(tmp_path):
    found = sigrid3_chart.read(chart(tmp_path / "x.gpkg", shapes=[BOW, box(2e4, 0, 4e4, 2e4), box(4e4, 0, 6e4, 2e4)]))
    assert sigrid3_chart.areas_by_concentration(found) == pytest.approx({50: 200.0, 92: 400.0})


def test_a_grid_has_the_classes_of_the_polygon_under_each_pixel_centre(tmp_path):
    found = sigrid3_chart.read(chart(tmp_path / "x.gpkg"))
    grid = GeoBox((4, 8), Affine(1e4, 0, -1e4, 0, -1e4, 3e4), POLAR)  # one pixel of margin on every side
    drawn = sigrid3_chart.rasterise(found, grid)
    inner = [255, 5, 5, 10, 10, 255, 255, 255]
    assert drawn["SIC"].tolist() == [[255] * 8, inner, inner, [255] * 8]
    assert drawn["polygon"][1].tolist() == [-1, 0, 0, 1, 1, 2, 2, -1]
    assert drawn["SIC"].dtype == np.uint8 and drawn["FLOE"][1, 1] == 2 and drawn["SOD"][2, 3] == 5


def test_edges_are_divided_before_they_are_projected(tmp_path):
    """In degrees an edge along a parallel is a line in the map of degrees, and a curve in the polar map."""
    path = tmp_path / "x.geojson"
    shape = box(-45.0, 70.0, 45.0, 80.0)
    gpd.GeoDataFrame({"CT": ["90"], "CA": ["-9"], "SA": ["93"], "FA": ["05"]}, geometry=[shape], crs=4326).to_file(path)
    found = sigrid3_chart.read(path)
    grid = GeoBox((200, 200), Affine(2e4, 0, -1e6, 0, -2e4, 0.0), POLAR)
    drawn = sigrid3_chart.rasterise(found, grid)["SIC"] == 9
    x, y = np.meshgrid(-1e6 + 2e4 * (np.arange(200) + 0.5), -2e4 * (np.arange(200) + 0.5))
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(POLAR, "EPSG:4326", always_xy=True).transform(x, y)
    inside = (np.abs(lon) < 45.0) & (lat > 70.0) & (lat < 80.0)
    assert np.count_nonzero(drawn != inside) <= 0.002 * inside.sum() and inside.sum() > 1000
    assert np.isnan(found["area_chart_km2"]).all()  # square degrees are no area


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("cis_SGRDRHB_20201102T1800Z_pl_a.shp", "2020-11-02T18:00Z"),
        ("201801241950_SouthEast_RIC.shp", "2018-01-24T19:50Z"),
        ("cis_chart_20201102_west.gpkg", "2020-11-02"),
        ("chart_20209902.gpkg", ""),
        ("chart.shp", ""),
    ],
)
def test_the_time_is_that_of_the_name(name, time):
    assert sigrid3_chart.time_of(name) == time


def test_other_files_are_one_line(tmp_path):
    gpd.GeoDataFrame({"rgi_id": ["a"]}, geometry=[box(0, 0, 1, 1)], crs=POLAR).to_file(tmp_path / "g.gpkg")
    with pytest.raises(ProductError, match=r"g\.gpkg: has the columns rgi_id, geometry; expected CT, CA, SA and FA"):
        sigrid3_chart.read(tmp_path / "g.gpkg")
    with pytest.raises(ProductError, match=r"x\.gpkg: SA is 'new ice' in polygon 0; expected a code of two digits"):
        sigrid3_chart.read(chart(tmp_path / "x.gpkg", SA=["new ice", "95", None]))
    with pytest.raises(ProductError, match=r"gone\.shp: no such file"):
        sigrid3_chart.read(tmp_path / "gone.shp")
    frame = gpd.read_file(chart(tmp_path / "y.gpkg")).set_crs(None, allow_override=True)
    frame.to_file(tmp_path / "z.shp")
    with pytest.raises(ProductError, match=r"z\.shp: has no coordinate system; expected that of the chart"):
        sigrid3_chart.read(tmp_path / "z.shp")
    whole = (tmp_path / "y.gpkg").read_bytes()
    (tmp_path / "cut.gpkg").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ProductError, match=r"cut\.gpkg: "):
        sigrid3_chart.read(tmp_path / "cut.gpkg")


@pytest.mark.real
def test_a_real_chart_has_its_areas_and_classes():
    found = sigrid3_chart.read(sar("cis_chart_20201102_west.gpkg"))
    assert len(found) == 216 and found["POLY_TYPE"].value_counts().to_dict() == {"I": 174, "L": 38, "S": 4}
    areas = sigrid3_chart.areas_by_concentration(found)
    # measured by another program, to a tenth of a km2
    expected = {20: 107.1, 50: 2946.3, 70: 2247.8, 80: 16340.1, 90: 54725.4, 91: 235355.9, 92: 114660.5}
    assert areas.keys() == expected.keys()
    assert all(abs(areas[code] - area) <= 0.1 for code, area in expected.items())
    assert found.attrs["time"] == "2020-11-02"
    ice = found[found["POLY_TYPE"] == "I"]
    assert set(ice["SIC"]) == {2, 5, 7, 8, 9, 10} and (found.loc[found["POLY_TYPE"] != "I", "SIC"] == 255).all()
    assert np.allclose(ice["area_chart_km2"], ice["AREA"] * 1e-6, rtol=1e-6)  # the service's own number
    fast = ice[(ice["CT"] == 92) & (ice["FA"] == 8)]
    assert len(fast) > 50 and set(fast["SIC"]) == {10} and set(fast["FLOE"]) == {255}
