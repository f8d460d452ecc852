"""Ice cut along an inventory's divides: no area lost, identifiers kept, the rest to the nearest along the ice."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import box

from polynya.errors import UsageError
from polynya.glaciers.divides import divide
from polynya.io.polygons import to_oggm

CRS = "EPSG:32632"
X, Y = 640_000.0, 5_180_000.0


def at(*bounds):
    return box(X + bounds[0], Y + bounds[1], X + bounds[2], Y + bounds[3])


def frame(geometries, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=CRS)


INVENTORY = frame(
    [at(0, 0, 1000, 3000), at(1000, 0, 2000, 3000)],
    rgi_id=["RGI60-11.00001", "RGI60-11.00002"],
    glac_name=["West", None],
    zmin_m=[1.0, 2.0],
)


def areas(found):
    return dict(zip(found["rgi_id"], found.geometry.area, strict=True))


def test_the_divide_stays():
    found = divide(frame([at(100, 200, 1900, 2800)]), INVENTORY)
    assert areas(found) == pytest.approx({"RGI60-11.00001": 900 * 2600, "RGI60-11.00002": 900 * 2600})
    assert list(found["glac_name"]) == ["West", ""] and "zmin_m" not in found
    assert shapely.area(shapely.intersection(*found.geometry)) == 0
    np.testing.assert_allclose(found["area_km2"], found.geometry.area * 1e-6, rtol=1e-3)


def test_ice_beyond_goes_to_the_nearest():
    """A strip above both glaciers: the bisector of its common edges with them is the divide's continuation."""
    found = divide(frame([at(0, 0, 2000, 4000)]), INVENTORY, spacing_m=10.0)
    assert areas(found) == pytest.approx({"RGI60-11.00001": 4e6, "RGI60-11.00002": 4e6}, rel=0.01)
    east = found.geometry[1]
    assert east.bounds[0] == pytest.approx(X + 1000, abs=15)


def test_nearness_does_not_jump_over_rock():
    """An arm that hangs together with the east glacier only, but lies beside the west one, is of the east."""
    arm = shapely.union_all([at(1000, 0, 2000, 3500), at(-500, 3300, 1000, 3500)])
    found = divide(frame([arm, at(0, 0, 900, 3000)]), INVENTORY)
    assert areas(found)["RGI60-11.00001"] == pytest.approx(900 * 3000)
    assert areas(found)["RGI60-11.00002"] == pytest.approx(arm.area)


def test_parts_make_one_row_and_new_ice_has_no_identifier():
    new = [at(10, 10, 500, 500), at(100, 2000, 600, 2900), at(5000, 0, 5600, 600)]
    found = divide(frame(new), INVENTORY)
    assert list(found["rgi_id"]) == ["RGI60-11.00001", ""]
    assert found.geometry[0].geom_type == "MultiPolygon"
    assert found.geometry.area.sum() == pytest.approx(sum(g.area for g in new))


@pytest.mark.parametrize("seed", range(6))
def test_no_area_is_lost_or_counted_twice(seed):
    rng = np.random.default_rng(seed)
    points = shapely.MultiPoint(rng.uniform(0, 4000, (12, 2)) + np.array([X, Y]))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=at(0, 0, 4000, 4000)))
    inventory = frame(
        [c.buffer(5.0) for c in cells[:8]], rgi_id=[f"g{k}" for k in range(8)]
    )  # they overlap, as in inventories
    ice = shapely.get_parts(
        shapely.union_all([at(*(c - 300), *(c + rng.uniform(200, 900))) for c in rng.uniform(0, 4000, (10, 2))])
    )
    found = divide(frame(ice.tolist()), inventory)
    assert found.geometry.is_valid.all()
    assert found.geometry.area.sum() == pytest.approx(shapely.area(ice).sum(), rel=1e-6)
    assert found.geometry.union_all().area == pytest.approx(shapely.area(ice).sum(), rel=1e-6)
    assert found["rgi_id"][found["rgi_id"] != ""].is_unique


def test_other_projections_and_refusals():
    found = divide(frame([at(100, 200, 1900, 2800)]).to_crs("EPSG:4326"), INVENTORY)
    assert found.crs.to_epsg() == 4326
    np.testing.assert_allclose(found["area_km2"], 900 * 2600e-6, rtol=2e-3)
    with pytest.raises(UsageError, match="rgi_id is missing"):
        divide(INVENTORY, INVENTORY.drop(columns="rgi_id"))
    with pytest.raises(UsageError, match="occurs twice"):
        divide(INVENTORY, INVENTORY.assign(rgi_id="a"))


def test_glims_has_its_own_identifiers_and_nameless_glaciers_are_refused():
    glims = INVENTORY.assign(rgi_id=[None, None], glims_id=["G010E46N", "G011E46N"])
    found = divide(frame([at(100, 200, 1900, 2800)]), glims)
    assert list(found["rgi_id"]) == ["", ""] and list(found["glims_id"]) == ["G010E46N", "G011E46N"]
    with pytest.raises(UsageError, match="2 of 2 glaciers have no identifier"):
        divide(frame([at(0, 0, 1, 1)]), glims.assign(glims_id=[None, ""]))


def test_an_inventory_with_no_glacier_here_leaves_ice_new_and_text_empty():
    found = divide(
        frame([at(100, 200, 1900, 2800)]), INVENTORY.assign(o1region="11", o2region="11-01", glims_id="G")[:0]
    )
    assert found[["rgi_id", "glims_id", "glac_name", "o1region", "o2region"]].to_numpy().tolist() == [[""] * 5]
    told = to_oggm(found.assign(cenlon=10.8, cenlat=46.8), o1region="11")
    assert list(told["rgi_id"]) == ["POLYNYA-11-00001"] and list(told["o2region"]) == ["11-00"]
    bare = found.assign(
        cenlon=10.8, cenlat=46.8, o1region=np.nan, o2region=np.nan
    )  # what a file with empty columns may hold
    assert list(to_oggm(bare, o1region="11")["o2region"]) == ["11-00"]
