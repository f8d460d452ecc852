"""AltiKa echoes in the names of SGDR, PEACHI and SGDR-F, and simulated tracks that lack some of them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr
from scipy.io import netcdf_file

from polynya.errors import ProductError, UsageError
from polynya.readers import altika_sgdr, echo_files
from polynya.schema.echoes import COUNTS, LRM
from tests.readers import echo_made
from tests.real_files import altimetry

KEPT = tuple(k for k in echo_made.SGDR if k not in ("waveform", "time", "longitude"))


def made(tmp_path, naming: str):
    if naming == "SGDR-F":
        return echo_made.altika_groups(tmp_path / "SRL_GPS_2PfP021_0424_20160124_000000_20160124_005000.CNES.nc")
    names = echo_made.SGDR if naming == "SGDR" else echo_made.PEACHI
    path = tmp_path / "SRL_GPS_2PTP021_0424_20160124_000000_20160124_005000.CNES.nc"
    return echo_made.altika_netcdf3(path, names=names)


@pytest.mark.parametrize("naming", ["SGDR", "PEACHI", "SGDR-F"])
def test_every_naming_gives_the_same_record(tmp_path, naming):
    path, expected = made(tmp_path, naming), echo_made.altika_values()
    assert echo_files.reader_of(path) is altika_sgdr
    found = altika_sgdr.read(path)
    assert (len(found), found.gates, found.units, found.mission) == (120, 128, COUNTS, "SARAL")
    np.testing.assert_array_equal(found.waveform, expected["waveform"].reshape(120, 128))
    np.testing.assert_array_equal(found.power(), expected["waveform"].reshape(120, 128))
    for name in KEPT:
        np.testing.assert_allclose(getattr(found, name), expected[name].ravel(), rtol=0, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(found.longitude, expected["longitude"].ravel() - 360.0, atol=1e-8)
    seconds = (found.time - np.datetime64("2000-01-01", "ns")).astype(np.int64) / 1e9
    np.testing.assert_allclose(seconds, expected["time"].ravel(), atol=2e-7)
    assert found.surface_type.tolist() == [0] * 80 + [3] * 40 and set(found.mode) == {LRM}
    assert found.release == ("SGDR-F" if naming == "SGDR-F" else "SGDR-T")
    assert [n.text for n in found.notes if n.code == "pass"] == ["cycle 21, pass 424"] and not found.is_simulated
    assert [n.code for n in found.notes] == ["pass", "saturation"]
    assert found.unknown == () and found.absent == ("product_peakiness",)


def test_what_is_missing_is_nan_and_named(tmp_path):
    path = echo_made.altika_netcdf3(tmp_path / "a.nc", without=("tracker", "range", "significant_wave_height", "agc"))
    found = altika_sgdr.read(path)
    assert {"tracker", "range", "significant_wave_height", "agc"} <= set(found.absent)
    for name in ("tracker", "range", "significant_wave_height", "agc", "stack_std"):
        assert np.isnan(getattr(found, name)).all() and getattr(found, name).shape == (120,)


def test_variables_that_no_document_has_are_named(tmp_path):
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        file["data_40/ka/strange"] = np.arange(120.0).reshape(3, 40)
    found = altika_sgdr.read(path, extra=())
    assert found.unknown == ("data_40/ka/strange",)
    asked = altika_sgdr.read(path, extra=["data_40/ka/strange"])
    np.testing.assert_array_equal(asked.extra["data_40/ka/strange"], np.arange(120.0))
    with pytest.raises(UsageError, match="has no variable nothing"):
        altika_sgdr.read(path, extra=["nothing"])


@pytest.mark.parametrize(
    ("stated", "largest", "expected", "words"),
    [
        (1000, 1000, 1000.0, ""),
        (65535, 1023, 1023.0, "1023 (10 bits) is assumed"),  # the storage's largest count
        (None, 1023, 1023.0, "1023 (10 bits) is assumed"),
        (None, 1024, None, "some are above 1023: no echo is called saturated"),
        (65535, 4000, None, "some are above 1023"),
        (4095, 4000, 4095.0, ""),
    ],
)
def test_saturation_is_what_the_file_states_or_is_said_to_be_assumed(tmp_path, stated, largest, expected, words):
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        node = file["data_40/ka/power_waveform"]
        counts = node[...]
        counts[-1, -1, 50] = largest  # found wherever it is
        node[...] = counts
        if stated is not None:
            node.attrs["valid_max"] = np.uint16(stated)
    for found in (altika_sgdr.read(path), next(altika_sgdr.blocks(path, records=40))):
        assert found.saturation == expected
        notes = [n.text for n in found.notes if n.code == "saturation"]
        assert len(notes) == bool(words) and words in "".join(notes)


def test_simulated_files_have_ten_bits_and_need_no_note():
    found = altika_sgdr.read(altimetry("altika_sim/sim_track_0.nc"))
    assert found.saturation == 1023.0 and [n.code for n in found.notes] == ["simulated"]


def test_blocks_are_the_file_in_pieces(tmp_path):
    path = made(tmp_path, "SGDR")
    whole, parts = altika_sgdr.read(path), list(altika_sgdr.blocks(path, records=50))
    assert [len(p) for p in parts] == [40, 40, 40]
    for name in ("waveform", "time", "latitude", "agc", "surface_type"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))
    with pytest.raises(UsageError, match="expected 1 or more"):
        list(altika_sgdr.blocks(path, records=0))


def changed(path, key: str, change) -> object:
    """The same NetCDF 3 file with one variable changed."""
    with netcdf_file(path, "a") as file:
        variable = file.variables[echo_made.SGDR[key]]
        variable[:] = change(variable[:].copy())
    return path


def test_bad_files_are_one_line(tmp_path):
    path = made(tmp_path, "SGDR")

    def fails(words: str, given) -> None:
        with pytest.raises(ProductError, match=words) as raised:
            altika_sgdr.read(given)
        assert "\n" not in str(raised.value)

    cut = tmp_path / "cut.nc"
    cut.write_bytes(path.read_bytes()[:-5000])
    fails("^cut.nc: cannot be read", cut)
    fails("waveforms_40hz is missing; a file of altika_sgdr must have it",
          echo_made.altika_netcdf3(tmp_path / "b.nc", without=("waveform",)))  # fmt: skip
    fails("lat_40hz is missing", echo_made.altika_netcdf3(tmp_path / "c.nc", without=("latitude",)))
    fails("expected SARAL/AltiKa echoes", echo_made.cryosat(tmp_path / "d.nc"))
    fails(
        "none of its 120 echoes has a sample above zero", changed(made(tmp_path, "SGDR"), "waveform", lambda v: 0 * v)
    )

    def one_missing(v):
        v[1, 2] = np.iinfo("i4").max
        return v

    fails(r"echo 42 has latitude nan.*expected a position", changed(made(tmp_path, "SGDR"), "latitude", one_missing))
    fails("latitude 95", changed(made(tmp_path, "SGDR"), "latitude", lambda v: 0 * v + 95_000_000))
    fails("longitude nan", changed(made(tmp_path, "SGDR"), "longitude", lambda v: 0 * v + 365_000_000))
    fails("time NaT", changed(made(tmp_path, "SGDR"), "time", lambda v: v * np.nan))


def test_a_gap_without_position_and_waveform_stays_a_row(tmp_path):
    path = made(tmp_path, "SGDR")

    def missing(v):
        v[1, 2] = np.iinfo("i4").max
        return v

    def silent(v):
        v[1, 2] = 0
        return v

    changed(changed(path, "latitude", missing), "waveform", silent)
    found = altika_sgdr.read(path)
    assert len(found) == 120 and np.flatnonzero(np.isnan(found.latitude)).tolist() == [42]


@pytest.mark.real
@pytest.mark.parametrize("k", range(3))
def test_simulated_tracks(k):
    """Truth beside the echoes comes by name; the file lacks tracker, range and wave height."""
    path = altimetry(f"altika_sim/sim_track_{k}.nc")
    found = altika_sgdr.read(path, extra=("sar_lead_distance_m", "true_lead_distance_m"))
    with xr.open_dataset(path, engine="h5netcdf") as data:
        np.testing.assert_array_equal(found.waveform, data["waveforms_40hz"].to_numpy().reshape(-1, 128))
        for name in ("agc", "latitude", "altitude"):
            stored = {"agc": "agc_40hz", "latitude": "lat_40hz", "altitude": "alt_40hz"}[name]
            np.testing.assert_array_equal(getattr(found, name), data[stored].to_numpy().ravel())
        np.testing.assert_array_equal(found.time, data["time_40hz"].to_numpy().ravel())
        for name, values in found.extra.items():
            np.testing.assert_array_equal(values, data[name].to_numpy().ravel())
    assert found.is_simulated and len(found) == 800 and found.waveform.max() == found.saturation == 1023
    assert {"tracker", "range", "significant_wave_height"} <= set(found.absent)


@pytest.mark.parametrize(
    ("stored", "expected"), [((0, 1, 2), (0, 3, 1)), ((3, 4, 5), (3, 2, 0)), ((6, 7, -1), (1, -1, -1))]
)
def test_the_classification_of_version_f_has_its_own_numbers(tmp_path, stored, expected):
    """Open ocean, land, continental water, aquatic vegetation, continental ice, floating ice, salted basin: land is 1
    there, and lakes are 1 in surface_type."""
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        file["data_01/surface_classification_flag"][...] = stored
    assert altika_sgdr.read(path).surface_type.tolist() == np.repeat(expected, 40).tolist()
