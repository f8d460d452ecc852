"""Polygon files: what is written is read, units travel along, nothing is left behind, and OGGM's columns."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box

from polynya.errors import NoRegionError, OutputError, ProductError, UsageError
from polynya.io import polygons


def frame(**more) -> gpd.GeoDataFrame:
    hole = box(0, 0, 100, 100).difference(box(20, 20, 40, 40))
    columns = {
        "rgi_id": ["RGI60-11.00897", ""],
        "area_km2": [8.0, 0.5],
        "cenlon": [10.75, 10.9],
        "cenlat": [46.8, 46.9],
        "zmed_m": [3050.5, np.nan],
        "src_date": ["2018-08-01T10:00:00", ""],
    }
    return gpd.GeoDataFrame(
        {**columns, **more},
        geometry=[MultiPolygon([hole, box(200, 0, 300, 50)]), box(500, 0, 600, 100)],
        crs="EPSG:32632",
    )


@pytest.mark.parametrize("name", ["o.gpkg", "o.parquet"])
def test_written_is_read(tmp_path, name):
    polygons.write(frame(), tmp_path / name)
    found = polygons.read(tmp_path / name)
    assert found.crs == "EPSG:32632" and list(found["rgi_id"]) == ["RGI60-11.00897", ""]
    assert shapely.equals(found.geometry.to_numpy(), frame().geometry.to_numpy()).all()
    assert found["zmed_m"][0] == 3050.5 and np.isnan(found["zmed_m"][1])
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]
    polygons.write(frame().iloc[:0], tmp_path / name)
    assert len(polygons.read(tmp_path / name)) == 0


def test_units_travel_with_geoparquet(tmp_path):
    field = pq.read_schema(polygons.write(frame(), tmp_path / "o.parquet")).field("area_km2")
    assert field.metadata[b"units"] == b"km2" and b"ellipsoid" in field.metadata[b"long_name"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = polygons.write(frame(), tmp_path / "o.parquet")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="no coordinate reference system"):
        polygons.write(frame().set_crs(None, allow_override=True), path)
    with pytest.raises(UsageError, match=r"expected \.gpkg or \.parquet"):
        polygons.write(frame(), tmp_path / "o.shp")
    with pytest.raises(OutputError, match="cannot be written"):
        polygons.write(frame(odd=["a", 3j]), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["o.parquet"]


def test_broken_geometry_is_fixed_and_lines_are_rejected(tmp_path):
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])  # two triangles of area 1
    gpd.GeoDataFrame(geometry=[bow, None, box(5, 5, 6, 6)], crs="EPSG:32632").to_file(tmp_path / "b.gpkg")
    found = polygons.read(tmp_path / "b.gpkg")
    assert found.geometry.is_valid.all() and found.geometry.area.tolist() == [2.0, 1.0]
    gpd.GeoDataFrame(geometry=[LineString([(0, 0), (1, 1)]), Point(0, 0)], crs="EPSG:32632").to_file(
        tmp_path / "l.gpkg"
    )
    with pytest.raises(ProductError, match="holds LineString, Point; expected polygons"):
        polygons.read(tmp_path / "l.gpkg")


def test_files_that_are_none(tmp_path):
    (tmp_path / "x.gpkg").write_text("<html>")
    (tmp_path / "x.csv").write_text("a")
    frame().set_crs(None, allow_override=True).to_file(tmp_path / "n.shp")
    for name, words in {
        "none.gpkg": "no such file",
        "x.gpkg": "is something else inside; expected GPKG",
        "x.csv": "ends in .csv",
        "n.shp": "no coordinate reference system",
    }.items():
        with pytest.raises(ProductError, match=words) as error:
            polygons.read(tmp_path / name)
        assert "\n" not in str(error.value) and "expected" in str(error.value)


def test_oggm_gets_what_it_reads():
    """The columns that GlacierDirectory of OGGM 1.6.3 takes from an RGI 7 glacier, with the types it converts them
    to."""
    found = polygons.to_oggm(frame(glac_name=["Hintereisferner", None]))
    assert found.crs == "EPSG:4326" and list(found["rgi_id"]) == ["RGI60-11.00897", "POLYNYA-11-00002"]
    for row in found.itertuples():
        assert (row.o1region, row.o2region, row.utm_zone, row.term_type, row.glims_id) == ("11", "11-00", 32, 9, "")
        assert isinstance(row.glac_name, str) and row.dem_source is None and len(row.rgi_id) > 6
    assert [int(d[:4]) for d in found["src_date"]] == [2018, -999]  # no date: OGGM takes the region's year below 0
    assert list(polygons.to_oggm(frame(o2region=["2", ""]))["o2region"]) == ["11-02", "11-00"]
    assert list(polygons.to_oggm(frame(rgi_id=["RGI2000-v7.0-G-15-00001", "RGI2000-v7.0-G-14-00002"]))["o1region"]) == [
        "15",
        "14",
    ]
    assert list(polygons.to_oggm(frame(rgi_id=["", ""]), o1region="3")["o1region"]) == ["03", "03"]


def test_oggm_refusals():
    with pytest.raises(NoRegionError, match="no region is known"):
        polygons.to_oggm(frame(rgi_id=["", ""]))
    with pytest.raises(UsageError, match="occurs 2 times"):
        polygons.to_oggm(frame(rgi_id=["a", "a"]))
    with pytest.raises(UsageError, match=r"\['cenlon'\] are missing"):
        polygons.to_oggm(frame().drop(columns="cenlon"))


@pytest.mark.parametrize("form", [int, float, str, lambda v: str(float(v))])
def test_oggm_gets_the_terminus_that_the_inventory_states(form):
    """RGI 6 holds it as a whole number, RGI 7 as text, and a column with gaps as a fraction."""
    for number in (0, 1, 2):
        found = polygons.to_oggm(frame(term_type=[form(number), None]))
        assert found["term_type"].tolist() == [number, 9]
    assert polygons.to_oggm(frame(term_type=["lake", float("nan")]))["term_type"].tolist() == [9, 9]
