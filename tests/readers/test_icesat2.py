"""What the ICESat-2 readers share: product, release, orientation, strength, text attributes, fill, time, damaged
files."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya.errors import ChecksumError, ProductError, UsageError
from polynya.readers import icesat2
from polynya.schema import BEAM_NAMES
from tests.real_files import real


def write(
    path: Path,
    *,
    orientation: object = None,
    beams=BEAM_NAMES,
    attributes=None,
    product: object = "ATL03",
    release: object = b"006",
) -> Path:
    """Write the skeleton of a granule: what open_granule looks at, and nothing else."""
    with h5py.File(path, "w") as f:
        if product is not None:
            f.attrs["short_name"] = product
        if orientation is not None:
            f["orbit_info/sc_orient"] = np.array(orientation, np.int8)
        if release is not None:
            f["ancillary_data/release"] = release
        for beam in beams:
            group = f.create_group(beam)
            for name, value in (attributes or {}).get(beam, {}).items():
                group.attrs[name] = value
    return path


# ATL03 data dictionary, sc_orient: flying forward the strong beams are on the right, and gt1l is spot 6.
@pytest.mark.parametrize(
    ("orientation", "strong", "spots"),
    [(1, {"gt1r", "gt2r", "gt3r"}, [6, 5, 4, 3, 2, 1]), (0, {"gt1l", "gt2l", "gt3l"}, [1, 2, 3, 4, 5, 6])],
)
@pytest.mark.parametrize("as_array", [False, True])
def test_strength_by_orientation(tmp_path, orientation, strong, spots, as_array):
    granule = icesat2.open_granule(write(tmp_path / "a.h5", orientation=[orientation] if as_array else orientation))
    assert {b for b, x in granule.beams.items() if x.is_strong} == strong
    assert [granule.beams[b].spot for b in BEAM_NAMES] == spots
    assert all((x.spot % 2 == 1) == x.is_strong for x in granule.beams.values())
    assert (granule.orientation, granule.orientation_source) == (orientation, "orbit_info/sc_orient")
    icesat2.reject_transition(granule)


@pytest.mark.parametrize("value", [2, [2], [0, 1]])
def test_transition_is_refused(tmp_path, value):
    granule = icesat2.open_granule(write(tmp_path / "a.h5", orientation=value))
    assert granule.orientation == 2
    with pytest.raises(ProductError, match=r"a\.h5: orbit_info/sc_orient.*transition.*leave this granule out"):
        icesat2.reject_transition(granule)


def test_orientation_that_cannot_be(tmp_path):
    with pytest.raises(
        ProductError, match=r"a\.h5: orbit_info/sc_orient is \[7\]; expected 0 backward, 1 forward or 2 transition"
    ):
        icesat2.open_granule(write(tmp_path / "a.h5", orientation=7))


WORDS = {
    "python text": lambda s: s,
    "fixed bytes": lambda s: np.bytes_(s),
    "padded bytes": lambda s: np.bytes_(s + "  "),
    "array of bytes": lambda s: np.array([s.encode()]),
    "array of fixed bytes in two dimensions": lambda s: np.array([[s.encode()]]),
    "array of variable-length text": lambda s: np.array([s], dtype=h5py.string_dtype()),
    "array of variable-length bytes": lambda s: np.array([s.encode()], dtype=h5py.string_dtype("ascii")),
}


@pytest.mark.parametrize("form", WORDS)
def test_group_attributes_when_orbit_info_is_missing(tmp_path, form):
    say = WORDS[form]
    attributes = {
        "gt1l": {"atlas_beam_type": say("weak"), "atlas_spot_number": say("6"), "sc_orientation": say("Forward")},
        "gt1r": {"atlas_beam_type": say("strong"), "atlas_spot_number": say("5"), "sc_orientation": say("Forward")},
    }
    granule = icesat2.open_granule(write(tmp_path / "a.h5", beams=("gt1l", "gt1r"), attributes=attributes))
    assert granule.orientation == 1 and granule.orientation_source == "gt1l@sc_orientation"
    assert [(b.is_strong, b.spot) for b in granule.beams.values()] == [(False, 6), (True, 5)]
    assert not granule.is_simulated and "no_orbit_info" in [n.code for n in granule.notes]
    assert any(n.code == "beams_missing" and "gt2l, gt2r, gt3l, gt3r" in n.text for n in granule.notes)
    icesat2.reject_transition(granule)


def test_beam_type_alone_and_spot_alone(tmp_path):
    granule = icesat2.open_granule(
        write(
            tmp_path / "a.h5",
            beams=("gt1l", "gt3r"),
            attributes={"gt1l": {"atlas_beam_type": "strong"}, "gt3r": {"atlas_spot_number": "3"}},
        )
    )
    assert granule.orientation is None
    assert (granule.beams["gt1l"].is_strong, granule.beams["gt3r"].is_strong, granule.beams["gt3r"].spot) == (
        True,
        True,
        3,
    )


def test_nothing_says_the_strength(tmp_path):
    with pytest.raises(ProductError, match="nothing says which beams are strong"):
        icesat2.reject_transition(icesat2.open_granule(write(tmp_path / "a.h5")))


def test_transition_by_the_groups_own_attribute(tmp_path):
    granule = icesat2.open_granule(
        write(tmp_path / "a.h5", beams=("gt2l",), attributes={"gt2l": {"sc_orientation": "Transition"}})
    )
    with pytest.raises(ProductError, match="transition"):
        icesat2.reject_transition(granule)


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        (b"006", "a.h5", "006"),
        (np.array([b"005" + b" " * 77]), "a.h5", "005"),
        ("7", "a.h5", "007"),
        (None, "ATL03_20191104195311_05940510_004_01.h5", "004"),
        (b"unknown", "processed_ATL03_20191104195311_05940510_006_01.h5", "006"),
        (None, "a.h5", ""),
    ],
)
def test_release(tmp_path, release, name, expected):
    assert icesat2.open_granule(write(tmp_path / name, orientation=1, release=release)).release == expected


def test_product_from_its_groups_or_its_name(tmp_path):
    path = write(tmp_path / "a.h5", orientation=1, product=None)
    with h5py.File(path, "r+") as f:
        f["gt3r/heights/h_ph"] = np.zeros(1)
    assert icesat2.open_granule(path).product == "ATL03"
    assert (
        icesat2.open_granule(write(tmp_path / "subset_ATL10-01_x.h5", orientation=1, product=None)).product == "ATL10"
    )
    with pytest.raises(
        ProductError, match=r"b\.h5: is HDF5, but not an ICESat-2 product that is known here; expected ATL03"
    ):
        icesat2.open_granule(write(tmp_path / "b.h5", orientation=1, product=None), product="ATL03")
    with pytest.raises(ProductError, match=r"c\.h5: holds ATL06; expected ATL03\. Give"):
        icesat2.open_granule(write(tmp_path / "c.h5", orientation=1, product=np.bytes_("ATL06")), product="ATL03")


def test_no_beam_group(tmp_path):
    with pytest.raises(
        ProductError,
        match=r"a\.h5: has no beam group; found \['ancillary_data', 'orbit_info'\], expected gt1l \.\.\. gt3r",
    ):
        icesat2.open_granule(write(tmp_path / "a.h5", orientation=1, beams=()))


def test_files_that_are_not_granules(tmp_path):
    for content, word in (
        (b"", "empty"),
        (b"<html>no</html>", "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not HDF5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "cannot be read as HDF5"),
    ):
        path = tmp_path / "a.h5"
        path.write_bytes(content)
        with pytest.raises(ProductError, match=rf"a\.h5: .*{word}") as caught:
            icesat2.open_granule(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ProductError, match="no such file"):
        icesat2.open_granule(tmp_path / "b.h5")
    with pytest.raises(ProductError, match="is a folder"):
        icesat2.open_granule(tmp_path)


def test_select_beams(tmp_path):
    granule = icesat2.open_granule(write(tmp_path / "a.h5", orientation=1, beams=("gt1l", "gt1r", "gt3r")))
    names = lambda word: [b.name for b in icesat2.select_beams(granule, word)]  # noqa: E731
    assert names("all") == names("present") == ["gt1l", "gt1r", "gt3r"]
    assert names("strong") == ["gt1r", "gt3r"] and names(" WEAK ") == ["gt1l"]
    assert names("gt3r, gt1l") == ["gt1l", "gt3r"]
    for word, message in (
        ("gt4l", "no such beam gt4l"),
        ("", "no such beam"),
        ("gt2l", r"a\.h5 has no beam gt2l; found gt1l, gt1r, gt3r"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            icesat2.select_beams(granule, word)
        assert caught.value.exit_code == 2
    only_weak = icesat2.open_granule(write(tmp_path / "b.h5", orientation=1, beams=("gt1l",)))
    with pytest.raises(UsageError, match=r"b\.h5 has no strong beam; found gt1l \(weak\)\. Pass --beams all"):
        icesat2.select_beams(only_weak, "strong")


# --- values


def test_fill_to_nan():
    values = np.array([1.0, 3.4028235e38, -3.4028235e38, np.inf, np.nan, 2.0], "f4")
    np.testing.assert_array_equal(np.isnan(icesat2.fill_to_nan(values)), [False, True, True, True, True, False])
    assert values[1] > 1e38  # the caller's array is not changed
    wide = icesat2.fill_to_nan(np.array([1.7976931348623157e308, 0.0]))
    assert np.isnan(wide[0]) and wide[1] == 0.0
    whole = np.array([2**31 - 1, 0], "i4")
    assert icesat2.fill_to_nan(whole) is whole


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", "<f4", "f2"])
def test_native_keeps_the_numbers(dtype):
    values = np.array([1, 2, 3.5] if dtype[-2] == "f" or dtype == "f2" else [1, 2, 3], dtype)
    out = icesat2.native(values)
    assert out.dtype.isnative and out.dtype.itemsize in (4, 8)
    np.testing.assert_array_equal(out, values)


def test_dataset_checks_kind_size_and_presence(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f["x"] = np.arange(3)
        f["text"] = np.array([b"a"])
        f.create_group("group")
        f.create_dataset("huge", (10**13,), "f8", chunks=(10**6,), compression="gzip")
    with h5py.File(path) as f:
        with pytest.raises(ProductError, match=r"a\.h5: y is missing; release 006 must have it"):
            icesat2.dataset(f, path, "y", release="006")
        with pytest.raises(ProductError, match=r"x has type int64; expected numbers"):
            icesat2.dataset(f, path, "x", kind="f")
        with pytest.raises(ProductError, match=r"text has type \|S1; expected integers"):
            icesat2.dataset(f, path, "text", kind="i")
        with pytest.raises(ProductError, match="group is a group"):
            icesat2.dataset(f, path, "group")
        with pytest.raises(ProductError, match=r"huge claims 10000000000000 values, more than \d+ bytes can hold"):
            icesat2.values(f, path, "huge")
        np.testing.assert_array_equal(icesat2.values(f, path, "x", kind="i"), [0, 1, 2])


@pytest.mark.parametrize("shape", [(25_007,), (12_003, 5), (7, 3), (11, 1)])
def test_values_of_any_chunking_equal_h5py(tmp_path, shape):
    path = tmp_path / "a.h5"
    data = np.random.default_rng(0).integers(-9, 9, shape).astype("i2")
    with h5py.File(path, "w") as f:
        f.create_dataset("rows", data=data, chunks=(min(5_000, shape[0]), *shape[1:]), compression="gzip", shuffle=True)
        f.create_dataset("tiles", data=data, chunks=tuple(max(1, (n + 1) // 2) for n in shape), compression="gzip")
        f["plain"] = data
    with h5py.File(path) as f:
        for name in ("rows", "tiles", "plain"):
            np.testing.assert_array_equal(icesat2.values(f, path, name, kind="i"), data)


@pytest.mark.parametrize("mask", [1, 2, 3, 4])
def test_a_filter_mask_that_no_writer_sets_is_damage(tmp_path, mask):
    """libhdf5 would skip the filter and return the packed bytes, and whatever lies behind them, as numbers."""
    path = tmp_path / "a.h5"
    data = np.arange(1000.0)
    packed = zlib.compress(np.ascontiguousarray(data.view("u1").reshape(-1, 8).T).tobytes())
    with h5py.File(path, "w") as f:
        node = f.create_dataset("x", (1000,), "f8", chunks=(1000,), shuffle=True, compression="gzip")
        node.id.write_direct_chunk((0,), packed, filter_mask=mask)
    with h5py.File(path) as f, pytest.raises(ChecksumError, match="x is damaged in the chunk at row 0"):
        icesat2.values(f, path, "x")


def test_a_chunk_that_inflates_to_too_little_is_damage(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        node = f.create_dataset("x", (1000,), "f8", chunks=(1000,), compression="gzip")
        node.id.write_direct_chunk((0,), zlib.compress(np.arange(400.0).tobytes()))
    with h5py.File(path) as f, pytest.raises(ChecksumError, match="inflates to 3200 bytes instead of 8000"):
        icesat2.values(f, path, "x")


# --- time


def test_utc_is_exact_and_nan_is_nat():
    seconds = np.array([0.0, 86400.0, 54_331_920.5, np.nan, 3.4e38, -1.0])
    expected = np.array(
        ["2018-01-01T00:00:00", "2018-01-02T00:00:00", "2019-09-21T20:12:00.5", "NaT", "NaT", "2017-12-31T23:59:59"],
        "datetime64[ns]",
    )
    got = icesat2.utc(seconds)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.dtype("datetime64[ns]")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "group", "product", "release"),
    [
        ("ATL10_subset_bbox_RossSea.h5", "leads", "ATL10", "006"),
        ("processed_ATL10-01_20220104070710_01991401_006_01.h5", "leads", "ATL10", "006"),
    ],
)
def test_utc_lies_within_the_granules_own_range(name, group, product, release):
    """In these subsets leads/ spans the whole granule, so its first and last time meet data_start_utc and
    data_end_utc."""
    granule = icesat2.open_granule(real(name))
    assert (granule.product, granule.release) == (product, release)
    with h5py.File(granule.path) as f:
        times = icesat2.utc(np.concatenate([f[f"{b}/{group}/delta_time"][()] for b in granule.beams]))
        start, end = (
            np.datetime64(f[f"ancillary_data/data_{k}_utc"][()].ravel()[0].decode().rstrip("Z"), "ns")
            for k in ("start", "end")
        )
    assert start - np.timedelta64(1, "s") <= times.min() and times.max() <= end + np.timedelta64(1, "s")
    assert times.max() - times.min() > 0.5 * (end - start)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "orientation"),
    [
        ("ATL10_subset_bbox_RossSea.h5", 1),
        ("processed_ATL10-01_20220103200708_01921401_006_01.h5", 0),
        ("processed_ATL07-01_20190222003738_08490201_003_02.h5", 0),
    ],
)
def test_orientation_and_group_attributes_of_real_granules_agree(name, orientation):
    granule = icesat2.open_granule(real(name))
    assert granule.orientation == orientation
    with h5py.File(granule.path) as f:
        for beam in granule.beams.values():
            assert f[beam.name].attrs["atlas_beam_type"].decode() == icesat2.strength_name(beam)
            assert int(f[beam.name].attrs["atlas_spot_number"]) == beam.spot


def test_published_numbers():
    """ATL03 data dictionary: ``sc_orient`` 0 backward, 1 forward, 2 transition; strong beams lie left when flying
    backward, right when flying forward; spots 1, 3 and 5 are strong, spot 1 is gt1l backward and gt3r forward."""
    assert icesat2.ORIENTATIONS == {0: "backward", 1: "forward", 2: "transition"}
    assert icesat2.STRONG_WHEN == {0: "l", 1: "r"}
    for orientation, first in ((0, "gt1l"), (1, "gt3r")):
        spots = icesat2.SPOTS[orientation]
        assert spots[first] == 1 and sorted(spots.values()) == [1, 2, 3, 4, 5, 6]
        assert {b for b, s in spots.items() if s % 2} == {f"gt{k}{icesat2.STRONG_WHEN[orientation]}" for k in (1, 2, 3)}
    assert icesat2.GPS_EPOCH_SECONDS == 1_198_800_018.0
