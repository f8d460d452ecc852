"""ATL03 reader: against h5py, against a hand-written photon index, against the layout of a real granule."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from polynya.errors import ChecksumError, EmptyBeamError, NoSeaIceError, ProductError
from polynya.readers import icesat2_atl03 as atl03
from polynya.readers import icesat2_first_photon, icesat2_photon_index
from tests.real_files import real

REAL = "ATL03_20181014002445_02350104_006_02_subset_gt1l.h5"
BEAM = "gt1r"

# Written down from the listing of a real release 006 granule, not from our tables: name, type, columns.
REAL_LAYOUT = """
bckgrd_atlas/bckgrd_counts int32
bckgrd_atlas/bckgrd_rate float32
bckgrd_atlas/delta_time float64
bckgrd_atlas/pce_mframe_cnt int64
geolocation/delta_time float64
geolocation/full_sat_fract float32
geolocation/ph_index_beg int64
geolocation/podppd_flag int8
geolocation/reference_photon_lat float64
geolocation/reference_photon_lon float64
geolocation/segment_dist_x float64
geolocation/segment_id int32
geolocation/segment_length float64
geolocation/segment_ph_cnt int32
geolocation/solar_elevation float32
geolocation/surf_type int8 5
geophys_corr/dac float32
geophys_corr/dem_flag int8
geophys_corr/dem_h float32
geophys_corr/geoid float32
geophys_corr/geoid_free2mean float32
geophys_corr/tide_equilibrium float32
geophys_corr/tide_ocean float32
heights/delta_time float64
heights/dist_ph_along float32
heights/h_ph float32
heights/lat_ph float64
heights/lon_ph float64
heights/pce_mframe_cnt uint32
heights/ph_id_pulse uint8
heights/quality_ph int8
heights/signal_conf_ph int8 5
"""
LAYOUT = {
    w[0]: (w[1], int(w[2]) if len(w) > 2 else 1) for w in (line.split() for line in REAL_LAYOUT.strip().splitlines())
}


@pytest.fixture
def granule(small_granule, tmp_path) -> Path:
    return Path(shutil.copy(small_granule, tmp_path / small_granule.name))


def replace(f: h5py.File, name: str, data: np.ndarray) -> None:
    attributes = dict(f[name].attrs) if name in f else {}
    if name in f:
        del f[name]
    chunks = (10_000, *data.shape[1:]) if data.ndim else None
    f.create_dataset(name, data=data, chunks=chunks, maxshape=(None, *data.shape[1:]), compression="gzip", shuffle=True)
    f[name].attrs.update(attributes)


# --- layout


@pytest.mark.real
def test_the_real_granule_has_the_layout_written_here():
    with h5py.File(real(REAL)) as f:
        for name, (dtype, width) in LAYOUT.items():
            node = f[f"gt1l/{name}"]
            assert (str(node.dtype), node.shape[1] if node.ndim == 2 else 1) == (dtype, width), name
            assert node.compression == "gzip" and node.chunks[0] == 10_000


def test_reader_and_simulator_agree_with_the_real_layout(small_granule):
    tables = (*atl03.PHOTONS, *atl03.GEOSEGMENTS, *atl03.BACKGROUND)
    kinds = {"i": "iu", "f": "f"}
    for item in tables:
        dtype, width = LAYOUT[item.path]
        assert np.dtype(dtype).kind in kinds[item.kind], item.path
        assert (item.column is not None) == (width == 5), item.path
    with h5py.File(small_granule) as f:
        for name, (dtype, width) in LAYOUT.items():
            node = f[f"{BEAM}/{name}"]
            assert (str(node.dtype), node.shape[1] if node.ndim == 2 else 1) == (dtype, width), name


@pytest.mark.real
def test_units_of_the_real_granule():
    same = {
        "meters": "m",
        "degrees": "degree",
        "counts": "1",
        "seconds since 2018-01-01": "seconds since 2018-01-01T00:00:00Z",
        "counts / second": "Hz",
    }
    with h5py.File(real(REAL)) as f:
        for item in (*atl03.PHOTONS, *atl03.GEOSEGMENTS, *atl03.BACKGROUND):
            units = f[f"gt1l/{item.path}"].attrs["units"].decode()
            assert same.get(units, units) == item.units, item.path


# --- values


def check_equal_to_h5py(path: Path, beam: str) -> atl03.BeamData:
    data = atl03.read(path, beam=beam)
    with h5py.File(path) as f:
        for fields, table in ((atl03.PHOTONS, data.photons), (atl03.GEOSEGMENTS, data.geosegments)):
            for item in fields:
                raw = f[f"{beam}/{item.path}"][()]
                raw = raw if item.column is None else raw[:, item.column]
                got = table[item.name].to_numpy()
                if raw.dtype.kind == "f":
                    raw = np.where(raw > 1e30, np.nan, raw)
                np.testing.assert_array_equal(got, raw, err_msg=item.path)
                assert table.schema.field(item.name).metadata[b"units"].decode() == item.units
        first = f[f"{beam}/geolocation/ph_index_beg"][()]
        count = f[f"{beam}/geolocation/segment_ph_cnt"][()]
    full = count > 0
    np.testing.assert_array_equal(data.geosegments["first_photon"].to_numpy()[full], first[full] - 1)
    return data


@pytest.mark.parametrize("beam", ["gt1l", "gt1r"])
def test_every_variable_equals_h5py(small_granule, beam):
    data = check_equal_to_h5py(small_granule, beam)
    assert data.beam.is_strong == (beam == "gt1r") and data.beam.spot == {"gt1l": 6, "gt1r": 5}[beam]
    assert data.first_photon is not None


@pytest.mark.real
def test_every_variable_of_the_real_granule_equals_h5py():
    data = check_equal_to_h5py(real(REAL), "gt1l")
    assert (data.photons.num_rows, data.geosegments.num_rows) == (2909, 40)
    assert not data.beam.is_strong and data.beam.spot == 6
    assert data.granule.orientation == 1 and data.granule.orientation_source == "gt1l@sc_orientation"
    assert data.first_photon is None and not data.has_cal19 and "no_cal19" in [n.code for n in data.notes]
    assert data.background.num_rows == 11378  # un-subset: it spans more than the photons
    assert np.all(np.diff(data.background["delta_time"].to_numpy()) >= 0)


@pytest.mark.real
def test_photons_of_the_real_granule_lie_in_their_segments():
    """The index is right only if each photon is within its 20 m segment, at the segment's time and place."""
    data = atl03.read(real(REAL), beam="gt1l")
    first, count = (data.geosegments[n].to_numpy() for n in ("first_photon", "segment_ph_cnt"))
    segment = np.repeat(np.arange(count.size), count)
    assert np.array_equal(
        np.sort(np.concatenate([np.arange(a, a + n) for a, n in zip(first, count, strict=True)])), np.arange(2909)
    )
    along = data.photons["dist_ph_along"].to_numpy()
    assert along.min() > -1.0 and along.max() < 21.5
    time = data.photons["delta_time"].to_numpy() - data.geosegments["delta_time"].to_numpy()[segment]
    assert np.abs(time).max() < 0.004  # 20 m at 7 km/s
    lat = data.photons["lat_ph"].to_numpy() - data.geosegments["reference_photon_lat"].to_numpy()[segment]
    assert np.abs(lat).max() * 111_000 < 25.0


def test_optional_variables_that_are_absent(granule):
    """Releases before 004 have no geoid_free2mean; subsets drop what they like."""
    with h5py.File(granule, "r+") as f:
        del (
            f[f"{BEAM}/geophys_corr/geoid_free2mean"],
            f[f"{BEAM}/geophys_corr/dem_flag"],
            f[f"{BEAM}/geolocation/surf_type"],
        )
        del f[f"{BEAM}/bckgrd_atlas"], f["ancillary_data/calibrations"]
    data = atl03.read(granule, beam=BEAM)
    assert np.isnan(data.geosegments["geoid_free2mean"].to_numpy()).all()
    assert (data.geosegments["dem_flag"].to_numpy() == -1).all() and (
        data.geosegments["surf_type"].to_numpy() == -1
    ).all()
    assert data.background.num_rows == 0 and data.first_photon is None
    words = "; ".join(n.text for n in data.notes)
    assert (
        "without surf_type, dem_flag, geoid_free2mean" in words
        and "without bckgrd_atlas" in words
        and "CAL-19" in words
    )


@pytest.mark.parametrize("name", [f.path for f in (*atl03.PHOTONS, *atl03.GEOSEGMENTS) if f.required])
def test_required_variables_that_are_absent(granule, name):
    with h5py.File(granule, "r+") as f:
        del f[f"{BEAM}/{name}"]
    with pytest.raises(
        ProductError, match=rf"{granule.name}: {BEAM}/{name} is missing; release 006 must have it\. .*[Oo]rder"
    ) as caught:
        atl03.read(granule, beam=BEAM)
    assert "\n" not in str(caught.value)


def test_fill_values_become_nan(granule):
    with h5py.File(granule, "r+") as f:
        for name, fill in (
            ("geophys_corr/tide_ocean", 3.4028235e38),
            ("geophys_corr/dem_h", 3.4028235e38),
            ("geolocation/solar_elevation", 3.4028235e38),
            ("geolocation/segment_length", 1.7976931348623157e308),
        ):
            f[f"{BEAM}/{name}"][3:6] = fill
    data = atl03.read(granule, beam=BEAM)
    for name in ("tide_ocean", "dem_h", "solar_elevation", "segment_length"):
        values = data.geosegments[name].to_numpy()
        assert np.isnan(values[3:6]).all() and np.isfinite(values[6:]).all() and np.isfinite(values[:3]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heights/lat_ph", 91.0),
        ("heights/delta_time", 3.4e38),
        ("geolocation/segment_dist_x", 1e12),
        ("geolocation/reference_photon_lat", -1e5),
    ],
)
def test_values_that_cannot_be(granule, name, value):
    with h5py.File(granule, "r+") as f:
        f[f"{BEAM}/{name}"][7] = value
    with pytest.raises(ProductError, match=rf"{BEAM}/{name} .*expected .*download it again"):
        atl03.read(granule, beam=BEAM)


def test_big_endian_and_contiguous_variables(granule):
    """HDF5 allows both; the archive's chunked little-endian layout is not the only one a subsetter may write."""
    intact = atl03.read(granule, beam=BEAM)
    with h5py.File(granule, "r+") as f:
        for name in ("heights/h_ph", "geolocation/segment_dist_x", "geophys_corr/dem_h"):
            values = f[f"{BEAM}/{name}"][()]
            del f[f"{BEAM}/{name}"]
            f[f"{BEAM}/{name}"] = values.astype(values.dtype.newbyteorder(">"))
    data = atl03.read(granule, beam=BEAM)
    assert data.photons.equals(intact.photons)
    for name in intact.geosegments.column_names:
        np.testing.assert_array_equal(
            data.geosegments[name].to_numpy(), intact.geosegments[name].to_numpy(), err_msg=name
        )


# --- beams


def test_missing_and_empty_beams(granule):
    with pytest.raises(ProductError, match="gt2r is missing; found gt1l, gt1r"):
        atl03.read(granule, beam="gt2r")
    with h5py.File(granule, "r+") as f:
        for item in atl03.PHOTONS:
            node = f[f"{BEAM}/{item.path}"]
            node.resize(0, axis=0)
        del f["gt1l/heights"]
    assert atl03.read(granule, beam=BEAM) is None
    assert atl03.read(granule, beam="gt1l") is None


def test_beam_over_land_names_what_it_holds(granule):
    with h5py.File(granule, "r+") as f:
        confidence = f[f"{BEAM}/heights/signal_conf_ph"][()]
        confidence[:, 2] = -1
        f[f"{BEAM}/heights/signal_conf_ph"][...] = confidence
        f[f"{BEAM}/geolocation/surf_type"][...] = np.array([1, 0, 0, 0, 0], "i1")
    with pytest.raises(NoSeaIceError, match=rf"{BEAM} has no photon .* is -1 throughout, surf_type says no sea ice"):
        atl03.read(granule, beam=BEAM)


def test_length_that_differs(granule):
    with h5py.File(granule, "r+") as f:
        f[f"{BEAM}/heights/lat_ph"].resize(100, axis=0)
    with pytest.raises(ProductError, match=rf"{BEAM}/heights/lat_ph has shape \(100,\); expected \("):
        atl03.read(granule, beam=BEAM)


def test_flipped_bit_in_every_variable_is_seen(granule):
    """One bit in the middle of the first chunk of each variable: an error that names it, never other numbers."""
    intact = granule.read_bytes()
    with h5py.File(granule) as f:
        places = {
            i.path: f[f"{BEAM}/{i.path}"].id.get_chunk_info(0)
            for i in (*atl03.PHOTONS, *atl03.GEOSEGMENTS, *atl03.BACKGROUND)
        }
    for name, info in places.items():
        broken = bytearray(intact)
        at = info.size // 2 if info.size > 64 else info.size - 1  # of one value only: some bits carry no meaning
        broken[info.byte_offset + at] ^= 0x10
        granule.write_bytes(broken)
        with pytest.raises(ChecksumError, match=rf"{BEAM}/{name} is damaged in the chunk at row 0"):
            atl03.read(granule, beam=BEAM)


@pytest.mark.parametrize("name", ["heights/lat_ph", "geolocation/reference_photon_lat"])
def test_a_chunk_that_is_not_there_is_damage_and_not_zeros(granule, name):
    """HDF5 gives the fill value, 0 degrees, for a chunk that a damaged index no longer lists."""
    with h5py.File(granule, "r+") as f:
        shape = f[f"{BEAM}/{name}"].shape
        del f[f"{BEAM}/{name}"]
        f.create_dataset(
            f"{BEAM}/{name}", shape, "f8", chunks=(10_000,), maxshape=(None,), compression="gzip", shuffle=True
        )
    with pytest.raises(ProductError, match=rf"{BEAM}/{name} lacks {shape[0]} of {shape[0]} rows .*download it again"):
        atl03.read(granule, beam=BEAM)


# --- photon index


def index(begin: list[int], count: list[int], n: int) -> tuple[list[int], list[int]]:
    segments = {"ph_index_beg": np.array(begin, np.int64), "segment_ph_cnt": np.array(count, np.int32)}
    first, kept = icesat2_photon_index.photon_index(segments, n, Path("a.h5"), "gt1r")
    return first.tolist(), kept.tolist()


@pytest.mark.parametrize(
    ("begin", "case"),
    [
        ([1, 0, 4, 9], "whole granule: 1-based, 0 for the empty segment"),
        ([1001, 0, 1004, 1009], "subset whose index still counts over the whole granule"),
        ([1, 0, 5, 9], "one entry off by one"),
        ([1001, 0, 1003, 1009], "off by one and not re-based"),
    ],
)
def test_photon_index(begin, case):
    first, count = index(begin, [3, 0, 5, 2], 10)
    assert count == [3, 0, 5, 2], case
    assert [first[i] for i in (0, 2, 3)] == [0, 3, 8], case


def test_photon_index_with_photons_that_no_segment_owns():
    """Counts that do not add up: the index decides, re-based where it points past the end."""
    first, count = index([3, 0, 6], [3, 0, 5], 12)
    assert ([first[0], first[2]], count) == ([2, 5], [3, 0, 5])
    first, count = index([501, 0, 504], [3, 0, 5], 9)
    assert ([first[0], first[2]], count) == ([0, 3], [3, 0, 5])


@pytest.mark.parametrize(
    ("begin", "count", "n"),
    [
        ([1, 4, 9], [3, 5, 2], 7),
        ([1, 4, 40], [3, 5, 2], 10),
        ([1, 1, 1], [5, 5, 5], 12),
        ([0, 0], [0, 0], 5),
        ([1, 4], [-3, 5], 2),
        ([5, 1], [4, 4], 9),
    ],
)
def test_photon_index_that_does_not_fit_is_refused(begin, count, n):
    with pytest.raises(
        ProductError, match=r"a\.h5: gt1r/geolocation/(ph_index_beg|segment_ph_cnt) .*order the granule again"
    ):
        index(begin, count, n)


@pytest.mark.parametrize(
    ("begin", "case"),
    [
        ([1, 0, 4, 9], "whole"),
        ([1001, 0, 1004, 1009], "not re-based"),
        ([1, 0, 5, 9], "another entry is off by one, too"),
        ([0, 0, 0, 0], None),
        ([1, 0, 4, 8], None),
    ],
)
def test_one_photon_too_many_is_clipped_at_the_end(begin, case):
    """The counts add up to 10, heights holds 9. Unless the index says that it is the last one, nothing is cut."""
    segments = {"ph_index_beg": np.array(begin, np.int64), "segment_ph_cnt": np.array([3, 0, 5, 2], np.int32)}
    notes: list = []
    if case is None:
        try:
            _, count = icesat2_photon_index.photon_index(segments, 9, Path("a.h5"), "gt1r", notes)
        except ProductError:
            return
        assert count.tolist() != [3, 0, 5, 1] and not notes
        return
    first, count = icesat2_photon_index.photon_index(segments, 9, Path("a.h5"), "gt1r", notes)
    assert count.tolist() == [3, 0, 5, 1] and [first[i] for i in (0, 2, 3)] == [0, 3, 8], case
    assert [n.code for n in notes] == ["photon_index_clipped"] and notes[0].text.startswith("gt1r: ")


def test_two_photons_too_many_are_damage():
    with pytest.raises(ProductError, match="order the granule again"):
        index([1, 0, 4, 9], [3, 0, 5, 2], 8)


# --- degraded orbit and pointing


def test_degraded_geosegments_are_left_out_or_kept(granule):
    intact = atl03.index(granule, beam=BEAM)
    bad = np.array([3, 4, 5, 40])
    with h5py.File(granule, "r+") as f:
        for at, value in zip(bad, (1, 2, 2, 7), strict=True):
            f[f"{BEAM}/geolocation/podppd_flag"][at] = value
    found = atl03.index(granule, beam=BEAM)
    rest = np.setdiff1d(np.arange(intact.geosegments.num_rows), bad)
    for name in intact.geosegments.column_names:
        np.testing.assert_array_equal(
            found.geosegments[name].to_numpy(), intact.geosegments[name].to_numpy()[rest], err_msg=name
        )
    assert found.n_degraded == 4 and (found.geosegments["podppd_flag"].to_numpy() == 0).all()
    (note,) = (n.text for n in found.notes if n.code == "degraded_left_out")
    assert "4 geosegments (0.1 km) with podppd_flag 1 (1), 2 (2), 7 (1)" in note
    kept = atl03.index(granule, beam=BEAM, keep_degraded=True)
    assert kept.n_degraded == 4 and kept.geosegments.num_rows == intact.geosegments.num_rows
    assert kept.geosegments["podppd_flag"].to_numpy()[bad].tolist() == [1, 2, 2, 7]
    assert [n.code for n in kept.notes] == ["degraded_kept"]


def test_degraded_geosegments_outside_the_box_are_not_counted(granule):
    with h5py.File(granule, "r+") as f:
        lat = f[f"{BEAM}/geolocation/reference_photon_lat"][()]
        f[f"{BEAM}/geolocation/podppd_flag"][...] = np.where(lat > np.median(lat), 2, 0)
    south = (-180.0, -90.0, 180.0, float(np.median(lat)))
    assert atl03.index(granule, beam=BEAM, bbox=south).n_degraded == 0
    with pytest.raises(EmptyBeamError, match="keep-degraded") as caught:
        atl03.index(granule, beam=BEAM, bbox=(-180.0, float(np.median(lat)) + 1e-9, 180.0, 90.0))
    assert caught.value.code == "degraded_pointing" and caught.value.reason.startswith(f"{BEAM}: ")


# --- filters and sun


def test_filters_are_read_only_where_they_are_asked_for(granule):
    with h5py.File(granule) as f:
        weight = f[f"{BEAM}/heights/weight_ph"][()]
    data = atl03.read(granule, beam=BEAM, filters=("weight_ph",))
    np.testing.assert_array_equal(data.photons["weight_ph"].to_numpy(), weight)
    assert "weight_ph" not in atl03.read(granule, beam=BEAM).photons.column_names
    with pytest.raises(ProductError, match=r"signal_class_ph is missing in release 006; .*Leave --signal-class out\."):
        atl03.index(granule, beam=BEAM, filters=("signal_class_ph",))


def test_the_sun_is_computed_where_the_granule_has_none(granule):
    stored = atl03.index(granule, beam=BEAM).geosegments["solar_elevation"].to_numpy()
    with h5py.File(granule, "r+") as f:
        del f[f"{BEAM}/geolocation/solar_elevation"]
    found = atl03.index(granule, beam=BEAM).geosegments["solar_elevation"].to_numpy()
    assert found.shape == stored.shape and np.abs(found - stored).max() < 0.07  # ATL03's own is good to 0.06 degrees


def test_subset_that_is_not_re_based_reads_the_same(granule):
    intact = atl03.read(granule, beam=BEAM)
    with h5py.File(granule, "r+") as f:
        begin = f[f"{BEAM}/geolocation/ph_index_beg"][()]
        f[f"{BEAM}/geolocation/ph_index_beg"][...] = np.where(begin > 0, begin + 123_456, 0)
    data = atl03.read(granule, beam=BEAM)
    assert data.photons.equals(intact.photons)
    assert data.geosegments["first_photon"].equals(intact.geosegments["first_photon"])


# --- boxes


@pytest.mark.parametrize("crossing", [False, True])
def test_bbox_keeps_whole_segments_inside(granule, crossing):
    with h5py.File(granule, "r+") as f:
        n = f[f"{BEAM}/geolocation/segment_id"].shape[0]
        # A track that runs across the antimeridian, or the same away from it.
        lon = np.linspace(179.9, 180.1, n) if crossing else np.linspace(9.9, 10.1, n)
        f[f"{BEAM}/geolocation/reference_photon_lon"][...] = (lon + 180.0) % 360.0 - 180.0
        lat = f[f"{BEAM}/geolocation/reference_photon_lat"][()]
        count = f[f"{BEAM}/geolocation/segment_ph_cnt"][()]
        f[f"{BEAM}/heights/lon_ph"][...] = np.repeat((lon + 180.0) % 360.0 - 180.0, count)
        heights = f[f"{BEAM}/heights/h_ph"][()]
        first = f[f"{BEAM}/geolocation/ph_index_beg"][()] - 1
    middle = 180.0 if crossing else 10.0
    west, east = middle - 0.05, middle + 0.05
    inside = (lon >= west) & (lon <= east) & (count > 0)
    expected = np.concatenate([heights[first[i] : first[i] + count[i]] for i in np.flatnonzero(inside)])
    # W > E crosses; 0-360 degrees and the shifted box mean the same.
    boxes = [(west, -180.0 + 0.05), (west, east), (west - 360.0, east - 360.0)] if crossing else [(west, east)]
    for w, e in boxes:
        data = atl03.read(granule, beam=BEAM, bbox=(w, lat.min() - 1, e, lat.max() + 1))
        assert data.geosegments.num_rows == inside.sum()
        np.testing.assert_array_equal(data.photons["h_ph"].to_numpy(), expected)
        start = data.geosegments["first_photon"].to_numpy()
        np.testing.assert_array_equal(start, np.cumsum(count[inside]) - count[inside])
    north = np.median(lat)
    data = atl03.read(granule, beam=BEAM, bbox=(-180.0, -90.0, 180.0, float(north)))
    assert data.geosegments.num_rows == np.sum((lat <= north) & (count > 0))
    assert atl03.read(granule, beam=BEAM, bbox=(50.0, -90.0, 60.0, 90.0)) is None


# --- first-photon bias table


def test_first_photon_table_axes_either_way(granule):
    straight = atl03.read(granule, beam=BEAM).first_photon
    root = f"ancillary_data/calibrations/first_photon_bias/{BEAM}"
    with h5py.File(granule, "r+") as f:
        for name in ("strength", "width", "ffb_corr"):
            values = f[f"{root}/{name}"][()]
            del f[f"{root}/{name}"]
            f[f"{root}/{name}"] = np.ascontiguousarray(values.transpose())
    turned = atl03.read(granule, beam=BEAM).first_photon
    for name in turned.__dataclass_fields__:
        np.testing.assert_array_equal(
            np.asarray(getattr(turned, name)), np.asarray(getattr(straight, name)), err_msg=name
        )


def test_first_photon_table_at_its_own_dead_time():
    """A table of 3 dead times whose entries say which they are: taken straight and turned, the axes must land right."""
    n, s, w = 3, 4, 5
    strength = np.tile(np.arange(s) + 1.0, (n, 1))
    width = np.tile(np.arange(w) + 10.0, (n, 1))
    bias = 100.0 * np.arange(n)[:, None, None] + 10.0 * np.arange(s)[None, :, None] + np.arange(w)[None, None, :]
    for table in (
        (strength, width, bias),
        (strength.T, width.T, bias.transpose(2, 1, 0)),
        (strength[0], width[0], bias),
    ):
        got = icesat2_first_photon.dead_time_first(n, *table)
        for a, b in zip(got, (strength, width, bias), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="ffb_corr of shape"):
        icesat2_first_photon.dead_time_first(n, strength, width, bias[:, :2])
    with pytest.raises(ValueError, match="does not increase"):
        icesat2_first_photon.dead_time_first(n, strength[:, ::-1], width, bias)


def test_first_photon_table_of_fill_or_of_wrong_shape(granule):
    root = f"ancillary_data/calibrations/first_photon_bias/{BEAM}"
    with h5py.File(granule, "r+") as f:
        f[f"{root}/ffb_corr"][...] = 3.4028235e38
        del f["ancillary_data/calibrations/first_photon_bias/gt1l/width"]
        f["ancillary_data/calibrations/first_photon_bias/gt1l/width"] = np.arange(7.0)
    data = atl03.read(granule, beam=BEAM)
    assert data.first_photon is None and "cal19_fill" in [n.code for n in data.notes]
    with pytest.raises(ProductError, match=r"axes that do not fit each other .*--no-first-photon-bias"):
        atl03.read(granule, beam="gt1l")


def edited_table(granule: Path, change) -> atl03.BeamIndex:
    """Read a beam after changing its CAL-19: change(strength, bias), both with the dead times first."""
    root = f"ancillary_data/calibrations/first_photon_bias/{BEAM}"
    with h5py.File(granule, "r+") as f:
        dead, width = (np.asarray(f[f"{root}/{n}"][()], np.float64) for n in ("dead_time", "width"))
        strength, bias = (np.asarray(f[f"{root}/{n}"][()], np.float64) for n in ("strength", "ffb_corr"))
        strength, _, bias = icesat2_first_photon.dead_time_first(dead.size, strength, width, bias)
        strength, bias = np.array(strength), np.array(bias)
        change(strength, bias)
        for name, values in (
            ("strength", strength),
            ("ffb_corr", bias),
            ("width", np.broadcast_to(width, (dead.size, width.shape[-1])) if width.ndim == 1 else width),
        ):
            del f[f"{root}/{name}"]
            f[f"{root}/{name}"] = np.where(np.isfinite(values), values, 3.4028235e38)
    return atl03.index(granule, beam=BEAM)


@pytest.mark.parametrize("is_axis_missing", [False, True])
def test_first_photon_table_is_held_at_its_last_valid_strength(granule, is_axis_missing):
    from polynya.physics.first_photon_bias import lookup

    whole = atl03.index(granule, beam=BEAM).first_photon
    last = whole.strength.size // 2

    def change(strength, bias):
        bias[:, last + 1 :] = np.nan
        if is_axis_missing:
            strength[:, last + 1 :] = np.nan

    found = edited_table(granule, change)
    strengths, width = np.linspace(0.1, 2.0 * whole.strength[-1], 200), np.full(200, 0.3)
    np.testing.assert_allclose(
        lookup(found.first_photon, strength=strengths, width_m=width),
        lookup(whole, strength=np.minimum(strengths, whole.strength[last]), width_m=width),
        atol=1e-12,
    )
    (note,) = (n.text for n in found.notes if n.code == "cal19_held")
    assert f"{BEAM}: " in note and "held" in note


def test_first_photon_table_with_a_hole_is_not_used(granule):
    def change(strength, bias):
        bias[:, 3, 2] = np.nan

    found = edited_table(granule, change)
    assert found.first_photon is None and "cal19_fill" in [n.code for n in found.notes]


def test_slices_of_other_dead_times_do_not_matter():
    """Of five dead times only the two around the beam's own are used, whatever their order."""
    dead = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    for own, expected in ((2.2, {2.0, 3.0}), (0.5, {1.0, 2.0}), (9.0, {4.0, 5.0}), (4.0, {3.0, 4.0})):
        assert set(dead[icesat2_first_photon._around(dead, own)]) == expected
    assert icesat2_first_photon._around(np.array([3.0]), 2.0).tolist() == [0]


def test_first_photon_table_says_itself_how_far_it_is_valid(granule):
    """Release 007 stores the largest valid strength beside the table."""
    whole = atl03.index(granule, beam=BEAM).first_photon
    limit = float(whole.strength[2]) + 1e-6
    with h5py.File(granule, "r+") as f:
        f[f"ancillary_data/calibrations/first_photon_bias/{BEAM}/max_valid_stren_strong"] = np.array([limit])
    found = atl03.index(granule, beam=BEAM)
    np.testing.assert_allclose(found.first_photon.bias_m[:3], whole.bias_m[:3], atol=1e-15)
    np.testing.assert_allclose(found.first_photon.bias_m[3:], np.broadcast_to(whole.bias_m[2], whole.bias_m[3:].shape))
    assert "cal19_held" in [n.code for n in found.notes]


# --- time


def test_time_agrees_with_the_granules_own_utc(granule):
    """delta_time counts from 2018-01-01 UTC; the granule says the same instant in words and in GPS seconds."""
    from polynya.readers.icesat2 import GPS_EPOCH_SECONDS, utc

    data = atl03.read(granule, beam=BEAM)
    with h5py.File(granule) as f:
        said = f["ancillary_data/data_start_utc"][()].ravel()[0].decode().rstrip("Z")
        epoch = float(np.ravel(f["ancillary_data/atlas_sdp_gps_epoch"][()])[0])
    assert epoch == GPS_EPOCH_SECONDS
    start = utc(data.photons["delta_time"].to_numpy()).min()
    assert abs(start - np.datetime64(said, "ns")) < np.timedelta64(1, "s")
    # GPS seconds count from 1980-01-06 and run 18 s ahead of UTC since 2017.
    gps = (
        np.datetime64("1980-01-06T00:00:00", "ns") + np.timedelta64(round(epoch * 1e9), "ns") - np.timedelta64(18, "s")
    )
    assert gps == np.datetime64("2018-01-01T00:00:00", "ns")


@pytest.mark.real
def test_time_of_the_real_granule_lies_in_its_name_and_its_history():
    from polynya.readers.icesat2 import utc

    time = utc(atl03.read(real(REAL), beam="gt1l").photons["delta_time"].to_numpy())
    # The file's own "Processing Parameters" attribute: temporal constraint 2018-10-14T00:26:50.795463 to
    # 00:27:47.682564.
    assert abs(time.min() - np.datetime64("2018-10-14T00:26:50.795463")) < np.timedelta64(2, "us")
    assert abs(time.max() - np.datetime64("2018-10-14T00:27:47.682564")) < np.timedelta64(1, "s")


def test_tables_are_arrow_with_the_files_types(small_granule):
    data = atl03.read(small_granule, beam=BEAM)
    assert data.photons.schema.field("pce_mframe_cnt").type == pa.uint32()
    assert data.photons.schema.field("lat_ph").type == pa.float64()
    assert data.geosegments.schema.field("ph_index_beg").type == pa.int64()
