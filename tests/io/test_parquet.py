"""Parquet: a bit that flips on a disk is an error when the table is read, in every way that tables are read."""

from __future__ import annotations

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from polynya import io, schema
from polynya.errors import ProductError
from polynya.io import parquet, polygons

SPEC = schema.TableSpec(
    name="made", title="made", variables=tuple(v for v in schema.SEGMENTS.variables if str(v.dtype) == "float")[:3]
)


@pytest.fixture
def table(tmp_path):
    n = 5_000
    rng = np.random.default_rng(0)
    path = tmp_path / "table.parquet"
    columns = {"height": rng.normal(size=n).astype(np.float32), "beam": np.repeat(["gt1l", "gt1r"], n // 2)}
    parquet.write(pa.table(columns), path, compression="lz4")
    return path


def flipped(path, place, bit):
    whole = bytearray(path.read_bytes())
    whole[place] ^= 1 << bit
    other = path.with_name("flipped.parquet")
    other.write_bytes(whole)
    return other


def test_a_table_comes_back(table):
    assert parquet.read(table).num_rows == 5_000
    assert parquet.schema_of(table).names == ["height", "beam"]
    assert parquet.read(table, columns=["beam"]).column_names == ["beam"]
    with parquet.opened(table) as file:
        assert file.metadata.num_rows == 5_000


def test_a_flipped_bit_is_never_another_value(table):
    """Anywhere before the footer; the few bits that nobody reads may flip."""
    whole, end = parquet.read(table), table.stat().st_size - 2_000
    rng, refused = np.random.default_rng(1), 0
    for place, bit in zip(rng.integers(4, end, 100), rng.integers(0, 8, 100), strict=True):
        try:
            found = parquet.read(flipped(table, int(place), int(bit)))
        except (pa.ArrowException, OSError):
            refused += 1
        else:
            assert found.equals(whole)
    assert refused > 90


def test_without_checksums_flipped_bits_would_be_values(table, tmp_path):
    """What the checksums are for: the same bits in a file without."""
    plain = tmp_path / "plain.parquet"
    pq.write_table(pq.read_table(table), plain, compression="lz4")
    place = plain.read_bytes().index(np.asarray(pq.read_table(plain)["height"])[100:101].tobytes())
    assert not parquet.read(flipped(plain, place, 3)).equals(parquet.read(plain))


def test_tables_of_polynya_are_checked_in_one_line(tmp_path):
    variables = SPEC.variables
    columns = {v.name: np.arange(900, dtype=np.float32) for v in variables}
    path = io.write_table(pa.table(columns), tmp_path / "made.parquet", spec=SPEC)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(0).column(0)
        place = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 3
    with pytest.raises(ProductError, match="cannot be read as Parquet"):
        io.read_table(flipped(path, place, 2))


def test_polygons_are_checked(tmp_path):
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:32633")
    path = tmp_path / "made.parquet"
    polygons.write(frame, path)
    assert polygons.read(path).geometry.iloc[0].equals(shapely.box(0, 0, 1, 1))
    place = path.read_bytes().index(b"PAR1", 0) + 4
    with pq.ParquetFile(path) as file:
        found = [file.metadata.row_group(0).column(k) for k in range(file.metadata.num_columns)]
    chunk = max(found, key=lambda c: c.total_compressed_size)
    place = (chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 3
    with pytest.raises(ProductError, match="cannot be read"):
        polygons.read(flipped(path, place, 1))
