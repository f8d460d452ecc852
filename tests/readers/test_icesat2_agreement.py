"""Granules whose values contradict each other, or cannot be: a line, never other numbers."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import icesat2_atl03


@pytest.fixture
def changed(small_granule, tmp_path):
    path = tmp_path / small_granule.name

    def change(function):
        shutil.copy(small_granule, path)
        with h5py.File(path, "r+") as file:
            function(file)
        return path

    return change


def values(name, function):
    def change(file):
        file[f"gt1r/{name}"][...] = function(file[f"gt1r/{name}"][...])

    return change


def put(array, index, value):
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (values("heights/lat_ph", lambda v: v - 0.5), "lat_ph and lon_ph lie up to 0.5 degrees from the reference"),
        (values("heights/lon_ph", lambda v: -v), "lat_ph and lon_ph lie up to .* degrees from the reference"),
        (values("heights/lat_ph", lambda v: v[::-1] * 1.0 + 0.02), "degrees from the reference photons"),
        (values("heights/delta_time", lambda v: v + 3600.0), "delta_time is up to 3.6e.03 s away from the reference"),
        (values("geolocation/delta_time", lambda v: v[::-1]), r"geolocation/delta_time runs .* s backward"),
        (values("heights/dist_ph_along", lambda v: v * 1000), r"dist_ph_along holds .* m; expected -100 to 120"),
        (values("heights/ph_id_pulse", lambda v: put(v, 7, 201)), "ph_id_pulse holds 1 to 201 1; expected 1 to 200"),
        (values("heights/ph_id_pulse", lambda v: put(v, 7, 0)), "ph_id_pulse holds 0 to 200 1; expected 1 to 200"),
        (values("heights/signal_conf_ph", lambda v: put(v, (7, 2), 9)), "signal_conf_ph holds .* to 9"),
        (
            values("heights/h_ph", lambda v: put(v, slice(0, None, 50), np.nan)),
            r"h_ph is NaN in [\d,]+ of [\d,]+ photons",
        ),
        (values("heights/h_ph", lambda v: put(v, 5, 3.4e38)), "h_ph holds .* m; expected -20000 to 20000"),
        (values("heights/lat_ph", lambda v: v * np.nan), r"lat_ph is NaN in [\d,]+ of [\d,]+ photons"),
    ],
)
def test_a_beam_that_contradicts_itself(changed, change, words):
    with pytest.raises(ProductError, match=words) as error:
        icesat2_atl03.read(changed(change), beam="gt1r")
    assert "\n" not in str(error.value) and "gt1r/" in str(error.value)


def test_few_photons_without_a_number_are_left_out_and_counted(changed):
    def change(file):
        for name, row in (("h_ph", 5), ("h_ph", 6), ("lat_ph", 6), ("delta_time", 0), ("dist_ph_along", -1)):
            file[f"gt1r/heights/{name}"][row] = np.nan

    path = changed(change)
    beam = icesat2_atl03.read(path, beam="gt1r")
    (note,) = beam.missing_note()
    assert "4 photons without a height, position or time" in note.text and note.text.startswith("gt1r")
    columns = {n: beam.photons[n].to_numpy() for n in ("h_ph", "lat_ph", "delta_time", "dist_ph_along")}
    assert all(np.isfinite(v).all() for v in columns.values())
    left_out = np.flatnonzero(beam.photons["signal_conf_ph"].to_numpy() == -2)
    np.testing.assert_array_equal(left_out, [0, 5, 6, len(columns["h_ph"]) - 1])
    index = icesat2_atl03.index(path, beam="gt1r")
    for start, stop in ((0, 900), (0, index.stop)):  # blocks overlap: a photon counts once
        icesat2_atl03.photons(index, start=start, stop=stop)
    assert index.missing == beam.missing


def test_orientation_that_the_beams_deny(changed):
    def turn(file):
        file["orbit_info/sc_orient"][...] = 1 - file["orbit_info/sc_orient"][...]

    with pytest.raises(ProductError, match="sc_orient says backward, gt1l@sc_orientation says forward; expected them"):
        icesat2_atl03.open_granule(changed(turn))


def longer(group, rows, *, only=""):
    def change(file):
        for name in list(file[f"gt1r/{group}"]):
            node = file[f"gt1r/{group}/{name}"]
            if only in ("", name) and node.shape:
                shape, kind = (rows, *node.shape[1:]), node.dtype
                del file[f"gt1r/{group}/{name}"]
                file[f"gt1r/{group}"].create_dataset(
                    name, shape, kind, chunks=(min(rows, 100_000), *shape[1:]), compression="gzip"
                )

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (longer("geolocation", 3_000_000), "claims 3,000,000 rows; expected at most 2,400,000"),
        (longer("geolocation", 1_000_000_000), r"claims \d+ values, more than \d+ bytes can hold"),
        (longer("geolocation", 2_000_000, only="delta_time"), r"delta_time has shape \(2000000,\); expected"),
        (longer("bckgrd_atlas", 2_000_000, only="bckgrd_rate"), r"bckgrd_atlas has variables of lengths"),
    ],
)
def test_claims_are_compared_before_anything_is_read(changed, monkeypatch, change, words):
    monkeypatch.setattr(icesat2_atl03, "read_columns", no_reading := reads(icesat2_atl03.read_columns))
    with pytest.raises(ProductError, match=words):
        icesat2_atl03.read(changed(change), beam="gt1r")
    assert max(no_reading.rows, default=0) < 10_000


def reads(function):
    def counted(handle, path, *, columns, **more):
        found = function(handle, path, columns=columns, **more)
        counted.rows += [len(v) for v in found.values()]
        return found

    counted.rows = []
    return counted


@pytest.mark.parametrize("factor", [1e9, 1e-3])
def test_a_dead_time_in_other_units_is_not_used(changed, factor):
    def change(file):
        root = "ancillary_data/calibrations/dead_time/gt1r/dead_time"
        file[root][...] = file[root][...] * factor

    found = icesat2_atl03.read(changed(change), beam="gt1r")
    assert found.first_photon is None and [n.code for n in found.notes].count("cal19_units") == 1
