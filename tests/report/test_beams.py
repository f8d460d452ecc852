"""Numbers of a report against plain numpy on the same tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polynya import schema
from polynya.errors import ProductError
from polynya.report import beams

from . import tables


@pytest.fixture(scope="module")
def segments() -> pa.Table:
    parts = [
        tables.beam_columns(beam=b, strong=b.endswith("r"), distance=tables.with_gaps(20e3, seed=k), seed=k)[0]
        for k, b in enumerate(("gt1l", "gt1r", "gt3r"))
    ]
    return pa.concat_tables([schema.table(schema.SEGMENTS, p) for p in parts]).unify_dictionaries()


def column(table: pa.Table, beam: str, name: str) -> np.ndarray:
    frame = table.filter(pa.compute.equal(table["beam"].cast(pa.string()), beam)).sort_by("x_atc")
    return frame[name].to_numpy(zero_copy_only=False) if isinstance(frame[name], pa.Array) else frame[name].to_numpy()


def test_split_gives_each_beam_its_rows_in_track_order_however_they_lie(segments):
    shuffled = segments.take(pa.array(np.random.default_rng(0).permutation(segments.num_rows)))
    for data in (segments, shuffled, segments.combine_chunks()):
        found = beams.split(data)
        assert [(b.name, b.is_strong) for b in found] == [("gt1l", False), ("gt1r", True), ("gt3r", True)]
        for beam in found:
            np.testing.assert_array_equal(beam.columns["x_atc"], column(segments, beam.name, "x_atc"))
            np.testing.assert_array_equal(
                beam.columns["total_freeboard"], column(segments, beam.name, "total_freeboard")
            )
            np.testing.assert_array_equal(
                beam.columns["time"], column(segments, beam.name, "time").astype("datetime64[ns]").astype(np.int64)
            )


def test_numbers_equal_plain_numpy(segments):
    for beam in beams.split(segments):
        found = beams.numbers(beam)
        kind, free = (
            column(segments, beam.name, "surface_class"),
            column(segments, beam.name, "total_freeboard").astype(float),
        )
        for index, value in enumerate((0, 1, 2, -1)):
            here = kind == value
            assert found.counts[index] == here.sum()
            assert found.freeboard_counts[index] == np.isfinite(free[here]).sum()
            assert found.freeboard_sums[index] == pytest.approx(np.nansum(free[here]), rel=1e-9)
        assert found.with_sea_surface == np.isfinite(column(segments, beam.name, "sea_surface_height")).sum()
        assert found.sigma_sum == pytest.approx(
            np.nansum(column(segments, beam.name, "total_freeboard_uncertainty").astype(float)), rel=1e-6
        )
        assert found.n_photons == column(segments, beam.name, "n_photons").sum()
        flags = column(segments, beam.name, "quality_flag")
        for k, (bit, _) in enumerate(schema.QUALITY_BITS):
            assert found.quality[k] == ((flags & bit) != 0).sum()
        assert found.unflagged == (flags == 0).sum()
        pooled = found.freeboard_histogram.sum(axis=0)
        assert pooled.sum() == np.isfinite(free).sum()
        for share in (0.05, 0.5, 0.95):
            expected = np.quantile(free[np.isfinite(free)], share, method="inverted_cdf")
            assert beams.quantile(pooled, share) == pytest.approx(expected, abs=0.00051)


def test_histograms_count_what_lies_beyond_their_range_in_the_end_bins():
    mm = np.array([-32767, -6000, 0, 14_999, 15_000, 32_767, beams.MISSING], np.int16)
    counts = beams._histogram(mm, np.zeros(7, np.int8))
    assert counts.sum() == 6
    assert counts[0, 0] == 2 and counts[0, -1] == 3 and counts[0, -beams.LOWEST_MM] == 1


def test_millimetres_round_clip_and_mark_missing():
    found = beams.millimetres(np.array([0.0004, 0.0006, -1.2347, 40.0, -40.0, np.nan], np.float32))
    assert found.tolist() == [0, 1, -1235, 32767, -32767, -32768]


def test_rows_without_a_position_are_left_out(segments):
    x = segments["x_atc"].to_numpy().copy()
    x[5] = np.nan
    broken = segments.set_column(segments.column_names.index("x_atc"), "x_atc", pa.array(x))
    assert sum(len(b) for b in beams.split(broken)) == segments.num_rows - 1


def test_nulls_read_as_missing(segments):
    some = segments.slice(0, 3)
    some = some.set_column(
        some.column_names.index("total_freeboard"), "total_freeboard", pa.array([0.5, None, 0.25], pa.float32())
    )
    some = some.set_column(
        some.column_names.index("time"), "time", pa.array([0, None, 2], pa.int64()).cast(schema.UTC_NS)
    )
    beam = beams.split(some)[0]
    np.testing.assert_array_equal(beam.freeboard_mm, [500, beams.MISSING, 250])
    assert beam.columns["time"][1] == np.iinfo(np.int64).min


def test_missing_and_broken_tables_are_one_line(tmp_path, segments):
    with pytest.raises(
        ProductError, match=r"segments\.parquet: no such file; expected a folder that polynya freeboard wrote"
    ):
        beams.read(tmp_path, schema.SEGMENTS, required=True)
    assert beams.read(tmp_path, schema.LEADS) is None
    (tmp_path / "segments.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ProductError, match="cannot be read"):
        beams.read(tmp_path, schema.SEGMENTS, required=True)
    pq.write_table(segments.drop_columns(["height"]), tmp_path / "segments.parquet")
    with pytest.raises(ProductError, match=r"columns \['height'\] are missing"):
        beams.read(tmp_path, schema.SEGMENTS, columns=beams.SEGMENT_COLUMNS, required=True)
