"""The vocabulary, and that what is written is what is read: GeoParquet, CF NetCDF, xarray, geopandas."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from polynya import io, schema
from polynya.errors import UsageError

SPECS = list(schema.TABLES.values())
POINTS = [s for s in SPECS if "longitude" in s.names]
ABOUT = {"granule": "ATL03_x", "product": "ATL03", "release": "006", "numbers": {"a": 1}}


def columns(spec: schema.TableSpec, n: int, seed: int = 0) -> dict[str, object]:
    """Draw a table's columns: every type, NaN among the floats, flags from their own values."""
    rng = np.random.default_rng(seed)
    out: dict[str, object] = {}
    for v in spec.variables:
        if v.name == "longitude":
            out[v.name] = rng.uniform(-180, 180, n)
        elif v.name == "latitude":
            out[v.name] = rng.uniform(-90, 90, n)
        elif pa.types.is_dictionary(v.dtype) or pa.types.is_string(v.dtype):
            out[v.name] = [f"{v.name}{i}" for i in rng.integers(0, 3, n)]
        elif pa.types.is_boolean(v.dtype):
            out[v.name] = rng.random(n) < 0.5
        elif pa.types.is_timestamp(v.dtype):
            out[v.name] = np.datetime64("2019-11-04T19:53:11", "ns") + rng.integers(0, 10**15, n).astype(
                "timedelta64[ns]"
            )
        elif v.flags and not v.is_bits:
            out[v.name] = rng.choice([k for k, _ in v.flags], n)
        elif pa.types.is_integer(v.dtype):
            out[v.name] = rng.integers(0, 100, n)
        else:
            values = rng.normal(0, 10, n)
            values[rng.random(n) < 0.2] = np.nan
            out[v.name] = values
    return out


def assert_same(a: pa.Table, b: pa.Table) -> None:
    assert a.column_names == b.column_names
    for name in a.column_names:
        x, y = a[name], b[name]
        if pa.types.is_dictionary(x.type):
            x, y = x.cast(pa.string()), y.cast(pa.string())
        assert a.schema.field(name).type == b.schema.field(name).type, name
        if pa.types.is_floating(x.type):
            np.testing.assert_array_equal(x.to_numpy(), y.to_numpy(), err_msg=name)
        else:
            assert x.to_pylist() == y.to_pylist(), name


# --- the vocabulary itself


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_every_variable_says_what_it_is(spec):
    assert len(set(spec.names)) == len(spec.names)
    for v in spec.variables:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", v.name), v.name
        assert v.long_name, v.name
        is_number = pa.types.is_floating(v.dtype) or (
            pa.types.is_integer(v.dtype) and not pa.types.is_dictionary(v.dtype)
        )
        if is_number and spec.name != "evaluation":
            assert v.units, f"{spec.name}.{v.name} has no unit"
        assert all(re.fullmatch(r"[a-z0-9_]+", m) for _, m in v.flags)
        assert len({k for k, _ in v.flags}) == len(v.flags)
        assert spec[v.name] is v
    with pytest.raises(KeyError):
        spec["nothing"]


def test_one_name_means_one_thing_everywhere():
    """A variable has the same type and unit in every table that has it."""
    seen: dict[str, schema.Variable] = {}
    for spec in SPECS:
        for v in spec.variables:
            if v.name in seen:
                assert (v.dtype, v.units) == (seen[v.name].dtype, seen[v.name].units), v.name
            seen[v.name] = v


def test_segment_columns_the_issue_asks_for():
    wanted = (
        "granule beam is_strong time latitude longitude x_atc n_photons height_mean height_median height_sd height"
        " height_uncertainty photon_rate photon_rate_high background_rate solar_elevation surface_class"
        " probability_thick probability_thin probability_water sea_surface_height sea_surface_uncertainty"
        " sea_surface_source total_freeboard total_freeboard_uncertainty quality_flag"
    )
    assert schema.SEGMENTS.names[: len(wanted.split())] == wanted.split()


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (1, "day", "1 day"),
        (0, "day", "0 days"),
        (1, "pass", "1 pass"),
        (2, "pass", "2 passes"),
        (1200, "cell", "1,200 cells"),
        (1, "echo", "1 echo"),
        (400, "echo", "400 echoes"),
        (2, "labelled echo", "2 labelled echoes"),
    ],
)
def test_a_number_goes_with_its_noun(n, noun, text):
    assert schema.counted(n, noun) == text


def test_classes_and_bits():
    assert dict(schema.SURFACE_CLASSES) == {0: "thick_ice", 1: "thin_ice", 2: "open_water", -1: "unclassified"}
    bits = [b for b, _ in schema.QUALITY_BITS]
    assert bits == [2**i for i in range(len(bits))]
    attributes = schema.SEGMENTS["quality_flag"].attributes()
    assert attributes["flag_masks"] == " ".join(map(str, bits)) and "flag_values" not in attributes
    assert schema.SEGMENTS["surface_class"].attributes()["flag_values"] == "0 1 2 -1"
    assert np.iinfo(schema.SEGMENTS["quality_flag"].dtype.to_pandas_dtype()).max >= sum(bits)


# --- building and checking tables


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_table_has_the_specs_schema(spec, n):
    table = schema.table(spec, columns(spec, n), about=ABOUT)
    assert table.num_rows == n and table.column_names == spec.names
    for v, field in zip(spec.variables, table.schema, strict=True):
        assert field.type == v.dtype
        assert {k.decode(): x.decode() for k, x in (field.metadata or {}).items()} == v.attributes()
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert (
        about["polynya_table"] == spec.name
        and about["granule"] == "ATL03_x"
        and json.loads(about["numbers"]) == {"a": 1}
    )
    assert "WGS 84" in about["datum"]
    assert_same(schema.check(table, spec), table)


def test_constants_are_spread_over_the_rows():
    spec = schema.LEADS
    table = schema.table(spec, {**columns(spec, 4), "granule": "g", "beam": "gt1r", "is_strong": np.ones(4, bool)})
    assert table["granule"].to_pylist() == ["g"] * 4 and table["beam"].to_pylist() == ["gt1r"] * 4


def test_table_refuses_what_does_not_fit():
    spec = schema.LEADS
    good = columns(spec, 3)
    with pytest.raises(UsageError, match=r"table leads: missing columns \['length'\]"):
        schema.table(spec, {k: v for k, v in good.items() if k != "length"})
    with pytest.raises(UsageError, match=r"unknown columns \['weight'\]"):
        schema.table(spec, {**good, "weight": np.zeros(3)})
    with pytest.raises(UsageError, match=r"columns of lengths \[2, 3\]"):
        schema.table(spec, {**good, "length": np.zeros(2)})


def test_check_casts_what_pandas_changed_and_refuses_the_rest():
    spec = schema.LEADS
    table = schema.table(spec, columns(spec, 5), about=ABOUT)
    wide = pa.Table.from_pandas(table.to_pandas(), preserve_index=False)  # metadata dies, dictionaries become text
    wide = wide.append_column("extra", pa.array(range(5))).set_column(
        wide.column_names.index("height"), "height", wide["height"].cast(pa.float64())
    )
    again = schema.check(wide, spec)
    assert_same(again, table)
    assert again.schema.field("height").metadata[b"units"] == b"m"
    with pytest.raises(UsageError, match=r"columns \['height'\] are missing"):
        schema.check(wide.drop_columns(["height"]), spec)
    words = wide.set_column(wide.column_names.index("height"), "height", pa.array(["x"] * 5))
    with pytest.raises(UsageError, match=r"table leads: .*Convert the columns first"):
        schema.check(words, spec)


# --- write, read


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_write_read_identity(tmp_path, spec, n):
    table = schema.table(spec, columns(spec, n), about=ABOUT)
    path = io.write_table(table, tmp_path / "t.parquet", spec=spec, about=ABOUT)
    again = io.read_table(path)
    assert_same(again, table)
    for v in spec.variables:
        assert {
            k.decode(): x.decode()
            for k, x in (again.schema.field(v.name).metadata or {}).items()
            if k != b"PARQUET:field_id"
        } == v.attributes()
    about = {k.decode(): v.decode() for k, v in again.schema.metadata.items()}
    assert about["granule"] == "ATL03_x" and about["polynya_table"] == spec.name
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(2, 60), seed=st.integers(0, 2**31 - 1))
@example(n=0, seed=0)
@example(n=1, seed=1)
def test_any_segments_survive_parquet_and_netcdf(tmp_path_factory, n, seed):
    import xarray as xr

    folder = tmp_path_factory.mktemp("t")
    spec = schema.SEGMENTS
    table = schema.table(spec, columns(spec, n, seed))
    assert_same(io.read_table(io.write_table(table, folder / "t.parquet", spec=spec)), table)
    with xr.open_dataset(io.write_netcdf(table, folder / "t.nc"), engine="h5netcdf") as data:
        for name in ("height", "total_freeboard", "x_atc", "latitude"):
            np.testing.assert_array_equal(data[name].values, table[name].to_numpy())
        np.testing.assert_array_equal(data["surface_class"].values, table["surface_class"].to_numpy())
        np.testing.assert_array_equal(
            data["time"].values.astype("datetime64[ns]"), table["time"].cast(pa.timestamp("ns")).to_numpy()
        )
        assert data["beam"].values.astype(str).tolist() == table["beam"].to_pylist()


def test_several_beams_are_row_groups(tmp_path):
    spec = schema.SEGMENTS
    pieces = [
        schema.table(spec, {**columns(spec, n, n), "beam": b}) for b, n in (("gt1l", 5), ("gt1r", 0), ("gt2l", 7))
    ]
    writer = io.TableWriter(tmp_path / "t.parquet", spec=spec, about=ABOUT)
    for piece in pieces:
        writer.write(piece)
    writer.close()
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [5, 7]
    assert_same(
        io.read_table(tmp_path / "t.parquet"),
        pa.concat_tables([pieces[0], pieces[2]], promote_options="default").unify_dictionaries(),
    )


@pytest.mark.parametrize("spec", POINTS, ids=lambda s: s.name)
def test_geoparquet_is_read_by_others(tmp_path, spec):
    """geopandas knows nothing of polynya: the points, the system and the version must come out of the file."""
    import geopandas as gpd

    table = schema.table(spec, columns(spec, 50))
    path = io.write_table(table, tmp_path / "t.parquet", spec=spec, about=ABOUT)
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0" and geo["primary_column"] == "geometry"
    assert geo["columns"]["geometry"]["encoding"] == "WKB" and geo["columns"]["geometry"]["geometry_types"] == ["Point"]
    frame = gpd.read_parquet(path)
    assert frame.crs.to_epsg() == 4326 or frame.crs.to_authority() == ("OGC", "CRS84")
    np.testing.assert_array_equal(frame.geometry.x, table["longitude"].to_numpy())
    np.testing.assert_array_equal(frame.geometry.y, table["latitude"].to_numpy())
    assert len(frame) == 50 and set(frame.columns) == {*spec.names, "geometry"}


def test_to_geopandas():
    table = schema.table(schema.LEADS, columns(schema.LEADS, 9))
    frame = io.to_geopandas(table)
    assert frame.crs.to_epsg() == 4326
    np.testing.assert_array_equal(frame.geometry.x, table["longitude"].to_numpy())
    np.testing.assert_array_equal(frame["height"].isna(), np.isnan(table["height"].to_numpy()))
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"


def test_to_xarray_is_cf():
    table = schema.table(schema.SEGMENTS, columns(schema.SEGMENTS, 9), about=ABOUT)
    data = io.to_xarray(table)
    assert data.sizes == {"obs": 9} and set(data.coords) == {"time", "latitude", "longitude", "x_atc"}
    assert data.attrs["Conventions"] == "CF-1.11" and data.attrs["title"] == schema.SEGMENTS.title
    assert data.attrs["granule"] == "ATL03_x"
    assert data["height"].attrs["units"] == "m" and data["latitude"].attrs["standard_name"] == "latitude"
    flags = data["surface_class"].attrs
    assert flags["flag_values"].tolist() == [0, 1, 2, -1] and flags["flag_values"].dtype == np.int8
    assert flags["flag_meanings"].split() == ["thick_ice", "thin_ice", "open_water", "unclassified"]
    assert data["quality_flag"].attrs["flag_masks"].dtype == np.int16
    for name in schema.SEGMENTS.names:
        assert name in data.variables


def test_netcdf_carries_units_and_flags(tmp_path):
    import h5py
    import xarray as xr

    table = schema.table(schema.SEGMENTS, columns(schema.SEGMENTS, 9), about=ABOUT)
    path = io.write_netcdf(table, tmp_path / "t.nc")
    with h5py.File(path) as f:
        assert f["height"].compression == "gzip" and f["height"].attrs["units"] in ("m", b"m")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data["total_freeboard"].attrs["units"] == "m" and data["height"].dtype == np.float32
        assert data["is_strong"].values.astype(bool).tolist() == table["is_strong"].to_pylist()
        assert data.attrs["title"] == schema.SEGMENTS.title
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ polynya \d", data.attrs["history"])
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        assert data["time"].attrs["units"].startswith("nanoseconds since 2018-01-01")
        assert data["time"].attrs["units_metadata"] == "leap_seconds: utc"
    assert [p.name for p in tmp_path.iterdir()] == ["t.nc"]


def test_booleans_come_back_from_slices_and_chunks():
    values = np.random.default_rng(0).random(100) < 0.3
    whole = schema.from_numpy(values)
    assert schema.to_numpy(whole).dtype == bool
    for start, stop in ((0, 100), (0, 0), (3, 4), (13, 99)):
        np.testing.assert_array_equal(schema.to_numpy(whole.slice(start, stop - start)), values[start:stop])
    parts = pa.chunked_array([whole.slice(5, 20), whole.slice(0, 0), whole.slice(64, 9)])
    np.testing.assert_array_equal(schema.to_numpy(parts), np.concatenate([values[5:25], values[64:73]]))
    assert schema.to_numpy(pa.chunked_array([], pa.bool_())).size == 0
