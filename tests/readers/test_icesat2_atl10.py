"""ATL10 reader: both layouts written here, partial beams, control constants, and the real granules."""

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import icesat2_atl10 as atl10
from tests.real_files import real

ROSS = "ATL10_subset_bbox_RossSea.h5"
JANUARY_3 = "processed_ATL10-01_20220103200708_01921401_006_01.h5"


def write(
    path, *, release="006", without=(), rename=None, groups=("segments", "heights", "geophysical", "leads", "sections")
):
    layout = atl10.LAYOUTS[release]
    rng = np.random.default_rng(2)
    sizes = {"leads": 3, "sections": 2}
    with h5py.File(path, "w") as f:
        f.attrs["short_name"] = "ATL10"
        f["ancillary_data/release"] = np.array([release.encode() + b" " * 77])
        f["orbit_info/sc_orient"] = np.array([0], np.int8)
        for v in (*atl10.SEGMENTS, *atl10.LEADS, *atl10.SECTIONS):
            if v.name in without or v.group not in groups:
                continue
            n = sizes.get(v.group, 5)
            data = rng.integers(0, 9, n).astype(v.dtype) if v.kind == "i" else rng.normal(0, 1, n).astype(v.dtype)
            name = (rename or {}).get(v.name, v.name)
            f.create_dataset(f"gt2l/{layout[v.group]}/{name}", data=data)
    return path


@pytest.mark.parametrize("release", ["003", "005", "006", "007"])
def test_three_tables_from_either_layout(tmp_path, release):
    path = write(tmp_path / "a.h5", release=release)
    for read, variables, n in (
        (atl10.read, atl10.SEGMENTS, 5),
        (atl10.read_leads, atl10.LEADS, 3),
        (atl10.read_sections, atl10.SECTIONS, 2),
    ):
        table = read(path, beam="gt2l")
        assert table.num_rows == n
        assert [c for c in table.column_names if c != "time"] == [v.name for v in variables]
        with h5py.File(path, "r") as f:
            for v in variables:
                np.testing.assert_array_equal(
                    table[v.name].to_numpy(), f[f"gt2l/{atl10.LAYOUTS[release][v.group]}/{v.name}"][()]
                )


@pytest.mark.parametrize(
    ("name", "value"), [("latitude", 90.1), ("longitude", 1e10), ("beam_fb_height", 3e4), ("seg_dist_x", -2e5)]
)
def test_values_that_cannot_be(tmp_path, name, value):
    path = write(tmp_path / "a.h5")
    (held,) = [v for v in atl10.SEGMENTS if v.name == name]
    with h5py.File(path, "r+") as f:
        f[f"gt2l/{atl10.LAYOUTS['006'][held.group]}/{name}"][2] = value
    with pytest.raises(ProductError, match=rf"gt2l/.*/{name} holds .*; expected .* download it again"):
        atl10.read(path, beam="gt2l")


def test_leads_without_segments_and_absent_beams(tmp_path):
    path = write(tmp_path / "a.h5", groups=("leads",))
    assert [read(path, beam="gt2l").num_rows for read in (atl10.read, atl10.read_leads, atl10.read_sections)] == [
        0,
        3,
        0,
    ]
    assert [read(path, beam="gt3r").num_rows for read in (atl10.read, atl10.read_leads, atl10.read_sections)] == [
        0,
        0,
        0,
    ]


def test_old_names_and_missing_required(tmp_path):
    table = atl10.read(
        write(tmp_path / "a.h5", release="003", rename={"beam_fb_unc": "beam_fb_sigma", "ice_conc_ssmi": "ice_conc"}),
        beam="gt2l",
    )
    assert np.isfinite(table["beam_fb_unc"].to_numpy()).all() and np.isfinite(table["ice_conc_ssmi"].to_numpy()).all()
    with pytest.raises(
        ProductError, match="gt2l/freeboard_segment/beam_fb_height is missing; release 006 must have it"
    ):
        atl10.read(write(tmp_path / "b.h5", without=("beam_fb_height",)), beam="gt2l")
    with pytest.raises(ProductError, match="gt2l/freeboard_beam_segment/beam_refsurf_height is missing; release 005"):
        atl10.read_sections(write(tmp_path / "c.h5", release="005", without=("beam_refsurf_height",)), beam="gt2l")


def test_control_defaults_and_overrides(tmp_path):
    path = write(tmp_path / "a.h5")
    assert atl10.control(path) == atl10.Control()
    with h5py.File(path, "a") as f:
        f["ancillary_data/freeboard_estimation/ub_refsurf"] = np.array([1.0], np.float32)
        f["ancillary_data/freeboard_estimation/maxgaptime"] = np.array([25], np.int32)
        f["ancillary_data/freeboard_estimation/refsurf_3pt_smoother"] = np.array([0], np.int32)
    found = atl10.control(path)
    assert (found.ub_refsurf, found.maxgaptime, found.refsurf_3pt_smoother, found.lb_refsurf) == (1.0, 25.0, 0, -0.5)
    assert set(found.from_granule) == {"ub_refsurf", "maxgaptime", "refsurf_3pt_smoother"}


@pytest.mark.parametrize(
    "value", [np.array([1.0, 2.0], np.float32), np.array([np.nan], np.float32), np.array([3.4028235e38], np.float32)]
)
def test_a_control_constant_that_is_no_number_is_refused(tmp_path, value):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "a") as f:
        f["ancillary_data/freeboard_estimation/maxgapht"] = value
    with pytest.raises(ProductError, match=r"maxgapht is .* expected one finite number"):
        atl10.control(path)


@pytest.mark.real
def test_control_of_real_granules_differs_between_them():
    ross, greenland = atl10.control(real(ROSS)), atl10.control(real(JANUARY_3))
    assert (ross.lb_refsurf, ross.ub_refsurf) == (-1.0, 1.0)
    assert (greenland.lb_refsurf, greenland.ub_refsurf) == (-0.5, 0.5)
    assert len(ross.from_granule) == 16


@pytest.mark.real
def test_real_granules_beam_by_beam():
    leads = {"gt1l": 28, "gt1r": 6, "gt2l": 61, "gt2r": 26, "gt3l": 32, "gt3r": 7}
    rows = {"gt1l": 0, "gt1r": 0, "gt2l": 76, "gt2r": 206, "gt3l": 3656, "gt3r": 3622}
    sections = {"gt1l": 0, "gt1r": 0, "gt2l": 4, "gt2r": 4, "gt3l": 9, "gt3r": 9}
    path = real(JANUARY_3)
    for beam in leads:
        assert atl10.read(path, beam=beam).num_rows == rows[beam]
        assert atl10.read_leads(path, beam=beam).num_rows == leads[beam]
        table = atl10.read_sections(path, beam=beam)
        assert table.num_rows == sections[beam]
        assert np.isnan(table["beam_refsurf_height"].to_numpy()).all()


@pytest.mark.real
def test_real_values_fill_and_wrap():
    table = atl10.read(real(ROSS), beam="gt2r")
    with h5py.File(real(ROSS), "r") as f:
        raw = f["gt2r/freeboard_segment"]
        np.testing.assert_array_equal(
            table["height_segment_height"].to_numpy(), raw["heights/height_segment_height"][()]
        )
        np.testing.assert_array_equal(table["beam_refsurf_ndx"].to_numpy(), raw["beam_refsurf_ndx"][()])
        assert (raw["beam_fb_height"][()] > 1e38).all()
    assert np.isnan(table["beam_fb_height"].to_numpy()).all()
    assert table["time"][0].as_py().isoformat().startswith("2020-01-01T18:45")
