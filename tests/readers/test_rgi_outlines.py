"""Outlines of four inventories under one set of names; broken polygons fixed and counted."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from polynya.errors import ProductError
from polynya.readers import rgi_outlines
from tests.real_files import ROOT

BOW = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])  # crosses itself: two triangles of area 1 each


def rgi6(path, shapes, **more):
    n = len(shapes)
    columns = {
        "RGIId": [f"RGI60-11.0000{i}" for i in range(n)],
        "GLIMSId": ["G010E46N"] * n,
        "BgnDate": ["20030799", "20049999", "-9999999", "20050812"][:n],
        "EndDate": ["20030999", "-9999999", "-9999999", "-9999999"][:n],
        "CenLon": [10.5] * n,
        "CenLat": [46.5] * n,
        "O1Region": ["11"] * n,
        "O2Region": ["1"] * n,
        "Area": [8.036] * n,
        "Zmin": [2430] * n,
        "Zmax": [3674] * n,
        "Zmed": [-999] * n,
        "Slope": [16.2] * n,
        "Aspect": [71] * n,
        "Lmax": [7178] * n,
        "Connect": [0] * n,
        "Surging": [9] * n,
        "TermType": [0] * n,
        "Name": ["Hintereis", None, "", "x"][:n],
        "Linkages": [1] * n,
        **more,
    }
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_file(path)
    return path


def test_rgi_6_gets_the_names_of_7(tmp_path):
    found = rgi_outlines.read(
        rgi6(tmp_path / "r.shp", [box(0, 0, 1, 1), box(2, 0, 3, 1), box(4, 0, 5, 1), box(6, 0, 7, 1)])
    )
    assert tuple(found.columns[: len(rgi_outlines.COLUMNS)]) == rgi_outlines.COLUMNS and "Linkages" in found
    assert found["rgi_id"].tolist() == [f"RGI60-11.0000{i}" for i in range(4)]
    assert found["src_date"].tolist() == ["2003-07", "2004", None, "2005-08-12"] and found["src_date_end"].tolist() == [
        "2003-09",
        None,
        None,
        None,
    ]
    assert (
        found["area_km2"].tolist() == [8.036] * 4
        and found["zmin_m"].tolist() == [2430.0] * 4
        and found["zmed_m"].isna().all()
    )
    assert found["o1region"].tolist() == ["11"] * 4 and found["o2region"].tolist() == ["11-01"] * 4
    assert found["glac_name"].tolist() == ["Hintereis", None, None, "x"]
    assert found.attrs == {"inventory": "RGI 6.0", "source": "r.shp", "fixed": 0, "dropped": 0, "lines": ()}


@pytest.mark.parametrize("ending", ["gpkg", "parquet"])
def test_rgi_7_passes_unchanged(tmp_path, ending):
    frame = gpd.GeoDataFrame(
        {
            "rgi_id": ["RGI2000-v7.0-G-11-00001"],
            "o1region": ["11"],
            "o2region": ["11-01"],
            "src_date": ["2003-08-13T00:00:00"],
            "area_km2": [1.25],
            "zmed_m": [2999.5],
            "is_rgi6": [1],
        },
        geometry=[box(0, 0, 1, 1)],
        crs=4326,
    )
    path = tmp_path / f"r.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_file(path)
    found = rgi_outlines.read(path)
    assert found.attrs["inventory"] == "RGI 7.0"
    assert found.loc[0, ["rgi_id", "o2region", "src_date", "area_km2", "zmed_m", "is_rgi6"]].tolist() == [
        "RGI2000-v7.0-G-11-00001",
        "11-01",
        "2003-08-13T00:00:00",
        1.25,
        2999.5,
        1,
    ]


def test_of_glims_only_glacier_boundaries_stay(tmp_path):
    kinds = ["glac_bound", "intrnl_rock", "debris_cov", "glac_bound"]
    gpd.GeoDataFrame(
        {
            "glac_id": list("abcd"),
            "line_type": kinds,
            "src_date": ["2006-07-24T00:00:00"] * 4,
            "min_elev": [3000.0] * 4,
            "area": [1.0] * 4,
        },
        geometry=[box(i, 0, i + 1, 1) for i in range(4)],
        crs=4326,
    ).to_file(tmp_path / "g.shp")
    found = rgi_outlines.read(tmp_path / "g.shp")
    assert (
        found["glims_id"].tolist() == ["a", "d"]
        and found["zmin_m"].tolist() == [3000.0] * 2
        and found.attrs["inventory"] == "GLIMS"
    )


def test_broken_shapes_are_fixed_and_rows_without_area_dropped(tmp_path):
    frame = gpd.GeoDataFrame(
        {"RGIId": list("abcd")}, geometry=[BOW, box(5, 0, 6, 1), LineString([(0, 0), (1, 1)]), Point(0, 0)], crs=4326
    )
    frame.to_parquet(tmp_path / "r.parquet")
    found = rgi_outlines.read(tmp_path / "r.parquet")
    assert found["rgi_id"].tolist() == ["a", "b"] and (found.attrs["fixed"], found.attrs["dropped"]) == (1, 2)
    assert found.geometry.is_valid.all() and isinstance(found.geometry[0], MultiPolygon)
    assert found.geometry[0].area == pytest.approx(2.0)


def test_bounds_and_another_system(tmp_path):
    path = rgi6(tmp_path / "r.gpkg", [box(10.0, 46.0, 10.1, 46.1), box(12.0, 46.0, 12.1, 46.1)])
    assert rgi_outlines.read(path, bounds=(9.9, 45.9, 10.5, 46.5))["rgi_id"].tolist() == ["RGI60-11.00000"]
    utm = rgi_outlines.read(path, crs="EPSG:32632", bounds=(7.3e5, 5.0e6, 7.5e5, 5.2e6))
    assert utm["rgi_id"].tolist() == ["RGI60-11.00001"] and utm.crs.to_epsg() == 32632


def test_drawing_takes_pixels_whose_centre_is_inside(tmp_path):
    grid = GeoBox((4, 6), from_origin(0, 4, 1, 1), "EPSG:32632")
    shape = Polygon(
        [(0.6, 0), (3.4, 0), (3.4, 2.6), (0.6, 2.6)], holes=[[(1.2, 0.2), (1.8, 0.2), (1.8, 0.8), (1.2, 0.8)]]
    )
    found = rgi_outlines.rasterise(gpd.GeoDataFrame(geometry=[shape], crs=32632), grid)
    expected = np.zeros((4, 6), np.uint8)
    expected[2:, 1:3] = 1  # centres 1.5, 2.5 in x; 0.5, 1.5 in y; 2.5 in y is inside too
    expected[1, 1:3] = 1
    expected[3, 1] = 0  # the hole
    np.testing.assert_array_equal(found, expected)
    assert rgi_outlines.rasterise(gpd.GeoDataFrame(geometry=[], crs=32632), grid).sum() == 0
    moved = gpd.GeoDataFrame(geometry=[shape], crs=32632).to_crs(4326)
    np.testing.assert_array_equal(rgi_outlines.rasterise(moved, grid), expected)


def test_refused_in_one_line(tmp_path):
    gpd.GeoDataFrame({"RGIId": ["a"]}, geometry=[box(0, 0, 1, 1)]).to_file(tmp_path / "no.shp")
    gpd.GeoDataFrame({"RGIId": ["a"]}, geometry=[Point(0, 0)], crs=4326).to_file(tmp_path / "point.gpkg")
    (tmp_path / "text.gpkg").write_text("no")
    for name, says in (
        ("no.shp", "has no coordinate system"),
        ("point.gpkg", "no polygon with an area"),
        ("text.gpkg", "is something else inside; expected GPKG"),
        ("gone.shp", "no such file"),
    ):
        with pytest.raises(ProductError, match=says) as error:
            rgi_outlines.read(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.mark.real
@pytest.mark.parametrize(
    "name, rows, inventory, first, date",
    [
        ("everest_landsat7_2000/15_rgi60_glacier_outlines.gpkg", 48, "RGI 6.0", "RGI60-15.03412", "2000-10-30"),
        ("hintereisferner/Hintereisferner_RGI6.shp", 1, "RGI 6.0", "RGI60-11.00897", "2003-07"),
        ("oggm/oetztal/rgi/rgi_oetztal.shp", 20, "RGI 5.0", "RGI50-11.00648", "2003-07"),
        ("oggm/columbia/01_rgi60_Columbia.shp", 1, "RGI 6.0", "RGI60-01.10689", "2009-09-06"),
        ("hintereisferner/HEF_Flaeche2018.shp", 3, "unknown", None, None),
    ],
)
def test_real_outlines(name, rows, inventory, first, date):
    path = ROOT / "glaciers" / name
    if not path.is_file():
        pytest.skip("the real outlines are not beside this checkout (set POLYNYA_REAL_DATA)")
    found = rgi_outlines.read(path)
    assert (len(found), found.attrs["inventory"], found["rgi_id"][0], found["src_date"][0]) == (
        rows,
        inventory,
        first,
        date,
    )
    assert found.geometry.is_valid.all()
    if "oetztal" in name:
        assert found.attrs["fixed"] == 3  # three of the file's polygons cross themselves


@pytest.mark.parametrize(("rgi6_type", "rgi7_type"), [(0, 0), (1, 1), (2, 2), (3, 0), (4, 0), (5, 3), (9, 9)])
def test_termini_of_rgi_6_get_the_numbers_of_7(tmp_path, rgi6_type, rgi7_type):
    """RGI 6: 3 dry calving, 4 regenerated, 5 shelf; RGI 7: 3 shelf, none of the others."""
    found = rgi_outlines.read(rgi6(tmp_path / "r.shp", [box(0, 0, 1, 1)], TermType=[rgi6_type]))
    assert found["term_type"].tolist() == [rgi7_type]
