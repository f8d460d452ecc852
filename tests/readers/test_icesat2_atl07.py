"""ATL07 reader: a file written in the product's layout, broken ones, and the real granules."""

import h5py
import numpy as np
import pyarrow as pa
import pytest

from polynya.errors import ProductError
from polynya.readers import icesat2_atl07, icesat2_segments
from tests.real_files import real

FEBRUARY_22 = "processed_ATL07-01_20190222003738_08490201_003_02.h5"
FEBRUARY_26 = "processed_ATL07-01_20190226002919_09100201_003_02.h5"
FILL = np.float32(3.4028235e38)


def write(path, *, n=6, without=(), change=None):
    """Write a small ATL07 with one full beam, one with the histogram's bins only and one empty group."""
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as f:
        f.attrs["short_name"] = "ATL07"
        f["ancillary_data/release"] = np.array([b"006" + b" " * 77])
        f["orbit_info/sc_orient"] = np.array([1], np.int8)
        for v in icesat2_atl07.VARIABLES:
            if v.name in without:
                continue
            shape = (n, v.width) if v.width > 1 else (n,)
            data = (
                rng.integers(0, 9, shape).astype(v.dtype) if v.kind == "i" else rng.normal(0, 1, shape).astype(v.dtype)
            )
            if v.name == "delta_time":
                data = 5.0e7 + np.arange(n, dtype=np.float64)
            if change and v.name in change:
                data = change[v.name](data)
            f.create_dataset(
                f"gt1r/{icesat2_atl07.LAYOUT[v.group]}/{v.name}",
                data=data,
                chunks=True,
                compression="gzip",
                shuffle=True,
            )
        f["gt1l/sea_ice_segments/stats/ds_si_hist_bins"] = np.arange(221, dtype=np.int32)
        f.create_group("gt2l")
    return path


def test_columns_types_units_and_metadata(tmp_path):
    table = icesat2_atl07.read(write(tmp_path / "a.h5"), beam="gt1r")
    names = [v.name for v in icesat2_atl07.VARIABLES]
    assert table.column_names == [*names[:1], "time", *names[1:]]
    assert table.num_rows == 6
    for v in icesat2_atl07.VARIABLES:
        field = table.schema.field(v.name)
        assert field.type == v.arrow_type and field.metadata[b"units"].decode() == v.units
    assert table.schema.field("hist_photon_heights").type == pa.list_(pa.int16(), 221)
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert about["granule"] == "a" and about["product"] == "ATL07" and about["release"] == "006"
    assert about["beam_strength"] == "strong" and about["spot"] == "5"
    assert "WGS 84" in about["datum"]


def test_time_is_utc_seconds_since_2018(tmp_path):
    table = icesat2_atl07.read(write(tmp_path / "a.h5"), beam="gt1r")
    assert table.schema.field("time").type == pa.timestamp("ns", tz="UTC")
    expected = (
        np.datetime64("2018-01-01T00:00:00", "ns")
        + np.timedelta64(50_000_000, "s")
        + np.arange(6) * np.timedelta64(1, "s")
    )
    np.testing.assert_array_equal(table["time"].to_numpy(), expected)


def test_fill_becomes_nan_and_integers_stay(tmp_path):
    def with_fill(x):
        x[2] = FILL
        return x

    table = icesat2_atl07.read(write(tmp_path / "a.h5", change={"photon_rate": with_fill}), beam="gt1r")
    assert np.isnan(table["photon_rate"].to_numpy()).tolist() == [False, False, True, False, False, False]
    assert table["height_segment_type"].null_count == 0


@pytest.mark.parametrize("beam", ["gt1l", "gt2l", "gt3r"])
def test_bins_only_empty_and_missing_beams_give_no_rows(tmp_path, beam):
    path = write(tmp_path / "a.h5")
    empty, full = icesat2_atl07.read(path, beam=beam), icesat2_atl07.read(path, beam="gt1r")
    assert empty.num_rows == 0
    assert [f.type for f in empty.schema] == [f.type for f in full.schema] and empty.column_names == full.column_names


def test_beam_of_length_zero(tmp_path):
    assert icesat2_atl07.read(write(tmp_path / "a.h5", n=0), beam="gt1r").num_rows == 0


def test_missing_optional_is_nan_or_null_missing_required_is_named(tmp_path):
    table = icesat2_atl07.read(
        write(tmp_path / "a.h5", without=("fpb_corr", "layer_flag", "hist_photon_heights")), beam="gt1r"
    )
    assert np.isnan(table["fpb_corr"].to_numpy()).all()
    assert table["layer_flag"].null_count == 6 and table["hist_photon_heights"].null_count == 6
    broken = write(tmp_path / "b.h5", without=("height_segment_type",))
    with pytest.raises(
        ProductError,
        match=r"b\.h5: gt1r/sea_ice_segments/heights/height_segment_type is missing; release 006 must have it",
    ):
        icesat2_atl07.read(broken, beam="gt1r")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photon_rate": lambda x: x[:-1]}, "has 5 values and .* 6; expected one length"),
        ({"hist_photon_heights": lambda x: x[:, :200]}, r"shape \(6, 200\); expected \(n, 221\)"),
        ({"photon_rate": lambda x: x[:, None]}, r"shape \(6, 1\); expected \(n,\)"),
        ({"photon_rate": lambda x: x.astype(np.int32)}, "has type int32"),
        ({"height_segment_type": lambda x: x.astype(np.int32) + 1000}, "expected values that fit int8"),
    ],
)
def test_damage_is_one_line_that_names_the_variable(tmp_path, change, message):
    path = write(tmp_path / "a.h5", change=change)
    with pytest.raises(ProductError, match=message) as caught:
        icesat2_atl07.read(path, beam="gt1r")
    assert "\n" not in str(caught.value) and next(iter(change)) in str(caught.value)


def test_another_product_is_refused(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "a") as f:
        f.attrs["short_name"] = "ATL10"
    with pytest.raises(ProductError, match="holds ATL10; expected ATL07"):
        icesat2_atl07.read(path, beam="gt1r")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (FEBRUARY_22, {"gt1l": 75, "gt1r": 33, "gt2l": 27, "gt2r": 0, "gt3l": 368, "gt3r": 304}),
        (FEBRUARY_26, {"gt1l": 209, "gt1r": 11, "gt2l": 367, "gt2r": 92, "gt3l": 943, "gt3r": 641}),
    ],
)
def test_real_granules_beam_by_beam(name, rows):
    for beam, n in rows.items():
        table = icesat2_atl07.read(real(name), beam=beam)
        assert table.num_rows == n
        if not n:
            continue
        with h5py.File(real(name), "r") as f:
            raw = f[f"{beam}/sea_ice_segments"]
            np.testing.assert_array_equal(table["seg_dist_x"].to_numpy(), raw["seg_dist_x"][()])
            np.testing.assert_array_equal(
                table["hist_photon_heights"].combine_chunks().flatten().to_numpy().reshape(n, 221),
                raw["stats/hist_photon_heights"][()],
            )
            rate = raw["stats/photon_rate"][()]
        np.testing.assert_array_equal(np.isnan(table["photon_rate"].to_numpy()), rate > 1e30)
        time = table["time"].to_numpy()
        assert (time.astype("datetime64[D]") == np.datetime64(f"2019-02-{name[25:27]}")).all()


@pytest.mark.real
def test_units_of_real_granule_agree_with_the_table():
    same = {
        "meters": "m",
        "hz": "Hz",
        "degrees": "degree",
        "photons/shot": "1",
        "seconds since 2018-01-01": icesat2_segments.SECONDS,
    }
    table = icesat2_atl07.read(real(FEBRUARY_26), beam="gt3l")
    with h5py.File(real(FEBRUARY_26), "r") as f:
        for v in icesat2_atl07.VARIABLES:
            path = f"gt3l/{icesat2_atl07.LAYOUT[v.group]}/{v.name}"
            if path not in f or v.name in ("ice_conc", "sigma_h", "solar_azimuth", "beam_azimuth"):
                continue
            units = f[path].attrs["units"].decode()
            assert same.get(units, units) == table.schema.field(v.name).metadata[b"units"].decode(), v.name


def test_bins_of_the_height_histogram():
    """ATL07 data dictionary: 221 bins of 2.5 cm."""
    assert (icesat2_atl07.HISTOGRAM_BINS, icesat2_atl07.HISTOGRAM_BIN_M) == (221, 0.025)
