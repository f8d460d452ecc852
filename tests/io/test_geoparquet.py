"""GeoParquet: readers that know nothing of polynya skip what lies outside a box, and lose nothing that lies inside."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polynya import io, schema
from polynya.io.geoparquet import Bounds, bounding_boxes

SPEC = schema.TableSpec(
    name="points",
    title="points",
    variables=(
        schema.variable("time", schema.UTC_NS, "", "time"),
        schema.variable("latitude", pa.float64(), "degrees_north", "latitude"),
        schema.variable("longitude", pa.float64(), "degrees_east", "longitude"),
        schema.variable("height", pa.float32(), "m", "height"),
    ),
)
N = 200_000


def along_track(n: int = N) -> pa.Table:
    """Return points 2 m apart along a track from 78 to 74 S that crosses the antimeridian."""
    share = np.linspace(0.0, 1.0, n)
    lon = 176.0 + 8.0 * share
    return schema.table(
        SPEC,
        {
            "time": np.datetime64("2020-01-01", "ns") + np.arange(n) * np.timedelta64(284, "us"),
            "latitude": -78.0 + 4.0 * share,
            "longitude": np.where(lon > 180.0, lon - 360.0, lon),
            "height": np.cos(np.arange(n, dtype=np.float32)),
        },
    )


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    return io.write_table(along_track(), tmp_path_factory.mktemp("track") / "track.parquet", spec=SPEC)


def geo(path) -> dict:
    return json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]["geometry"]


def groups_of(path, expression) -> int:
    (fragment,) = ds.dataset(path).get_fragments()
    return len(fragment.subset(expression).row_groups)


def test_row_groups_are_even_and_at_most_65536_rows(track):
    meta = pq.read_metadata(track)
    sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    assert sizes == [50_000] * 4
    assert io.read_table(track).equals(along_track().replace_schema_metadata(io.read_table(track).schema.metadata))


def test_a_box_reads_only_the_row_groups_it_meets(track):
    """geopandas builds its filter from the covering; these are the rows and the row groups it gets."""
    import geopandas as gpd

    lat, lon = (along_track()[c].to_numpy() for c in ("latitude", "longitude"))
    box = (177.0, -77.6, 178.0, -77.1)
    inside = (lon >= box[0]) & (lon <= box[2]) & (lat >= box[1]) & (lat <= box[3])
    assert 10_000 < inside.sum() < 30_000
    frame = gpd.read_parquet(track, bbox=box)
    assert "bbox" not in frame.columns and frame.geometry.x.between(176.999, 178.001).all()
    assert len(frame) - inside.sum() in (0, 1, 2)  # the rounding of single precision, a metre
    from geopandas.io.arrow import _get_parquet_bbox_filter

    meta = json.loads(pq.read_metadata(track).metadata[b"geo"])
    assert groups_of(track, _get_parquet_bbox_filter(meta, box)) == 1
    assert groups_of(track, (pc.field("bbox", "ymin") <= -77.1) & (pc.field("bbox", "ymax") >= -77.6)) == 1
    assert groups_of(track, pc.field("latitude") < -77.5) == 1
    assert groups_of(track, pc.field("height") > 2.0) == 4, "no statistics where they would skip nothing"


def test_the_file_says_where_the_boxes_are(track):
    column = geo(track)
    assert column["covering"] == {"bbox": {k: ["bbox", k] for k in ("xmin", "ymin", "xmax", "ymax")}}
    field = pq.read_schema(track).field("bbox")
    assert [f.name for f in field.type] == ["xmin", "ymin", "xmax", "ymax"]
    assert {str(f.type) for f in field.type} == {"float"}


def test_xmin_is_greater_than_xmax_across_the_antimeridian(track):
    lon = along_track()["longitude"].to_numpy()
    assert geo(track)["bbox"] == [176.0, -78.0, lon[-1], -74.0] and lon[-1] == -176.0


@pytest.mark.parametrize(
    ("longitudes", "west", "east"),
    [
        ([10.0, 20.0], 10.0, 20.0),
        ([-20.0, 20.0], -20.0, 20.0),
        ([-100.0, -20.0], -100.0, -20.0),
        ([-179.0, -170.0], -179.0, -170.0),
        ([170.0, -170.0], 170.0, -170.0),
        ([180.0, -180.0], 180.0, -180.0),
        ([-90.0, 90.0], -90.0, 90.0),
        ([100.0, 179.0, -150.0, np.nan], 100.0, -150.0),
        ([0.0], 0.0, 0.0),
    ],
)
def test_bounds_are_the_narrower_way_round(longitudes, west, east):
    lon = np.array(longitudes)
    bounds = Bounds()
    for piece in np.array_split(lon, 2):
        bounds.add(piece, np.linspace(-80.0, 70.0, lon.size)[: piece.size])
    box = bounds.box()
    assert (box[0], box[2]) == (west, east)
    assert Bounds().box() is None
    nowhere = Bounds()
    nowhere.add(np.full(3, np.nan), np.zeros(3))
    assert nowhere.box() is None


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=30))
def test_no_point_is_outside_its_box_and_no_box_is_wide(points):
    lon, lat = (np.array(v) for v in zip(*points, strict=True))
    boxes = bounding_boxes(lon, lat)
    west, south, east, north = (boxes.field(k).to_numpy().astype(float) for k in range(4))
    assert (west <= lon).all() and (lon <= east).all() and (south <= lat).all() and (lat <= north).all()
    assert (east - west).max() <= 2.0**-16 and (north - south).max() <= 2.0**-17
    bounds = Bounds()
    bounds.add(lon, lat)
    x0, y0, x1, y1 = bounds.box()
    inside = (x0 <= lon) & (lon <= x1) if x0 <= x1 else (lon >= x0) | (lon <= x1)
    assert inside.all() and y0 == lat.min() and y1 == lat.max()


def test_points_without_a_position_do_not_move_the_bounds(tmp_path):
    table = along_track(10)
    lon = table["longitude"].to_numpy().copy()
    lon[3] = np.nan
    table = table.set_column(2, SPEC.variables[2].field(), pa.array(lon))
    path = io.write_table(table, tmp_path / "a.parquet", spec=SPEC)
    assert geo(path)["bbox"] == [176.0, -78.0, -176.0, -74.0]
    np.testing.assert_array_equal(io.read_table(path)["longitude"].to_numpy(), lon)
