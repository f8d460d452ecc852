"""``polynya info``: against counts made with h5py alone, and on granules with parts missing."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.workflows import info
from tests.real_files import real

ATL03 = "ATL03_20181014002445_02350104_006_02_subset_gt1l.h5"
ATL07 = "processed_ATL07-01_20190222003738_08490201_003_02.h5"
ROSS = "ATL10_subset_bbox_RossSea.h5"
JANUARY_3 = "processed_ATL10-01_20220103200708_01921401_006_01.h5"


@pytest.fixture
def granule(small_granule, tmp_path) -> Path:
    return Path(shutil.copy(small_granule, tmp_path / small_granule.name))


def test_simulated_granule(small_granule):
    found = info.run(small_granule)
    assert (found.product, found.release, found.granule_id, found.orientation) == (
        "ATL03",
        "006",
        small_granule.stem,
        "forward",
    )
    assert found.orientation_source == "orbit_info/sc_orient" and found.is_simulated and found.simulation["seed"] == 3
    assert [(b.name, b.strength, b.spot) for b in found.beams] == [("gt1l", "weak", 6), ("gt1r", "strong", 5)]
    assert set(found.missing) == {"beam gt2l", "beam gt2r", "beam gt3l", "beam gt3r"}
    with h5py.File(small_granule) as f:
        for beam in found.beams:
            confidence = f[f"{beam.name}/heights/signal_conf_ph"][:, 2]
            assert beam.counts["photons"] == confidence.size
            assert beam.counts["photons_of_medium_or_high_confidence"] == np.sum(confidence >= 3)
            assert beam.counts["geosegments"] == f[f"{beam.name}/geolocation/segment_id"].size
            assert beam.shares["mean_sea_surface"] == np.mean(f[f"{beam.name}/geophys_corr/dem_flag"][()] == 3)
            assert beam.shares["sea_ice"] == np.mean(f[f"{beam.name}/geolocation/surf_type"][:, 2] == 1)
            assert beam.missing == ()
        times = np.concatenate([f[f"{b}/geolocation/delta_time"][()] for b in ("gt1l", "gt1r")])
        lat = np.concatenate([f[f"{b}/geolocation/reference_photon_lat"][()] for b in ("gt1l", "gt1r")])
    epoch = np.datetime64("2018-01-01T00:00:00", "us")
    for said, seconds in ((found.start, times.min()), (found.end, times.max())):
        assert abs(
            np.datetime64(said.rstrip("Z"), "us") - epoch - np.timedelta64(round(seconds * 1e6), "us")
        ) <= np.timedelta64(1, "us")
    assert (found.extent[1], found.extent[3]) == (lat.min(), lat.max())
    assert found.next_commands == (
        f"polynya freeboard {small_granule.name} -o OUT",
        f"polynya evaluate OUT/{small_granule.stem} --reference {small_granule.stem}_truth.parquet",
    )


@pytest.mark.real
def test_real_atl03():
    found = info.run(real(ATL03))
    (beam,) = found.beams
    assert (found.product, found.release, found.is_release_checked, found.is_simulated) == ("ATL03", "006", True, False)
    assert (found.orientation, found.orientation_source) == ("forward", "gt1l@sc_orientation")
    assert (beam.name, beam.strength, beam.spot) == ("gt1l", "weak", 6)
    assert beam.counts["photons"] == 2909 and beam.counts["geosegments"] == 40
    assert {"orbit_info", "ancillary_data", "beam gt3r"} <= set(found.missing) and beam.missing == (
        "CAL-19 first-photon bias",
    )
    # The granule's own record of the cut: 2018-10-14T00:26:50.795463 to 00:27:47.682564.
    assert found.start.startswith("2018-10-14T00:26:50.79") and found.end.startswith("2018-10-14T00:27:47.68")
    assert found.next_commands == (f"polynya freeboard {ATL03} -o OUT",)


@pytest.mark.real
def test_real_atl07():
    found = info.run(real(ATL07))
    assert (found.product, found.release, found.orientation) == ("ATL07", "003", "backward")
    assert {b.name: b.counts["segments"] for b in found.beams} == {
        "gt1l": 75,
        "gt1r": 33,
        "gt2l": 27,
        "gt2r": 0,
        "gt3l": 368,
        "gt3r": 304,
    }
    assert [b.strength for b in found.beams] == ["strong", "weak"] * 3
    with h5py.File(real(ATL07)) as f:
        kinds = f["gt3l/sea_ice_segments/heights/height_segment_type"][()]
    counts = found.beams[4].counts
    assert (
        counts["specular_leads"] == np.isin(kinds, (2, 3, 4, 5)).sum() > 0
        and counts["dark_leads"] == np.isin(kinds, (6, 7, 8, 9)).sum()
    )
    assert any("no data in gt2r" in n for n in found.notes)
    assert [c.split()[1] for c in found.next_commands] == ["verify", "simulate"]
    without = next(b for b in found.beams if b.counts["segments"]).missing
    assert any("ice_conc_amsr2" in m for m in without)  # release 003 has none


@pytest.mark.real
def test_real_atl10():
    found = info.run(real(ROSS))
    assert (found.product, found.release, found.orientation) == ("ATL10", "006", "forward")
    assert sum(b.counts["segments"] for b in found.beams) == 6382
    assert all(b.counts["freeboards"] == 0 and b.counts["sections_with_sea_surface"] == 0 for b in found.beams)
    west, south, east, north = found.extent
    assert 166 < west < east < 167 and -74.4 < south < north < -74.0
    found = info.run(real(JANUARY_3))
    assert {b.name: (b.counts["segments"], b.counts["leads"]) for b in found.beams}["gt1l"] == (0, 28)
    assert "freeboard_segment" in found.beams[0].missing and "sections" in found.beams[0].missing


@pytest.mark.real
@pytest.mark.parametrize("name", [ATL03, ATL07, ROSS])
def test_text_and_json_say_the_same(name):
    found = info.run(real(name))
    said = json.loads(json.dumps(info.as_json(found), allow_nan=False))
    text = info.as_text(found)
    assert said["product"] in text and said["orientation"] in text and said["start"] in text
    for beam in said["beams"]:
        line = next(words for words in text.splitlines() if f"{beam['name']} {beam['strength']}" in words)
        for n in beam["counts"].values():
            assert f"{n:,}" in line
    for command in said["next_commands"]:
        assert command in text


@dataclass(frozen=True)
class Points:
    longitude: np.ndarray
    latitude: np.ndarray


@pytest.mark.parametrize(
    ("longitudes", "west", "east"),
    [
        ([10.0, 11.0, 12.0], 10.0, 12.0),
        ([179.0, -179.5, 179.9, -178.0], 179.0, -178.0),
        ([350.0, 2.0], -10.0, 2.0),
        ([-90.0, 0.0, 90.0], -90.0, 90.0),
        ([42.0], 42.0, 42.0),
        ([180.0, -180.0], -180.0, -180.0),
        ([np.nan, 5.0, 6.0], 5.0, 6.0),
    ],
)
def test_extent_is_the_shortest_arc(longitudes, west, east):
    got = info.extent([Points(np.array(longitudes), np.full(len(longitudes), 80.0))])
    assert got == pytest.approx((west, 80.0, east, 80.0))


def test_extent_of_nothing():
    assert info.extent([]) is None
    assert info.extent([Points(np.array([np.nan]), np.array([80.0]))]) is None


def test_antimeridian_is_said(granule):
    with h5py.File(granule, "r+") as f:
        for beam in ("gt1l", "gt1r"):
            node = f[f"{beam}/geolocation/reference_photon_lon"]
            node[...] = (np.linspace(179.5, 180.5, node.size) + 180.0) % 360.0 - 180.0
    found = info.run(granule)
    assert found.extent[0] == pytest.approx(179.5) and found.extent[2] == pytest.approx(-179.5)
    assert "crosses the antimeridian" in info.as_text(found)


def test_missing_parts_are_listed_not_refused(granule):
    with h5py.File(granule, "r+") as f:
        del (
            f["orbit_info"],
            f["ancillary_data"],
            f["gt1r/bckgrd_atlas"],
            f["gt1r/geophys_corr/dem_flag"],
            f["gt1r/heights/quality_ph"],
            f["gt1l/heights"],
        )
    found = info.run(granule)
    strong = found.beams[1]
    assert {"orbit_info", "ancillary_data"} <= set(found.missing)
    assert {"bckgrd_atlas", "geophys_corr/dem_flag", "heights/quality_ph", "CAL-19 first-photon bias"} == set(
        strong.missing
    )
    assert strong.strength == "strong" and found.orientation_source == "gt1l@sc_orientation"
    assert "heights" in found.beams[0].missing and found.beams[0].counts["photons"] == 0
    text = info.as_text(found)
    assert "quality_ph" in text and "bckgrd_atlas" in text


def test_transition_and_unknown_strength_suggest_nothing(granule):
    with h5py.File(granule, "r+") as f:
        f["orbit_info/sc_orient"][...] = 2
    found = info.run(granule)
    assert found.orientation == "transition" and found.next_commands == ()
    with h5py.File(granule, "r+") as f:
        del f["orbit_info"]
        for beam in ("gt1l", "gt1r"):
            for name in list(f[beam].attrs):
                del f[beam].attrs[name]
    found = info.run(granule)
    assert (found.orientation, found.next_commands) == ("unknown", ()) and {b.strength for b in found.beams} == {
        "unknown"
    }


BEAMS = ("gt1l", "gt1r")


def refusal(granule: Path) -> str:
    """Return what info says of a granule that freeboard refuses, after checking that freeboard does."""
    from polynya.workflows import freeboard

    found = info.run(granule)
    assert found.next_commands == ()
    with pytest.raises(ProductError):
        freeboard.process(
            freeboard.Item(path=str(granule), folder=str(granule.parent / "out")),
            config=freeboard.Config(classifier="rule"),
        )
    return " ".join(found.notes)


def test_land_is_said(granule):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            f[f"{beam}/geolocation/surf_type"][...] = np.array([1, 0, 0, 0, 0], "i1")
            f[f"{beam}/heights/signal_conf_ph"][:, 2] = -1
    assert "no sea ice" in refusal(granule)


@pytest.mark.parametrize("cheap", [True, False])
def test_no_command_where_no_photon_has_sea_ice_confidence(granule, monkeypatch, cheap):
    from polynya.workflows.info import next_command

    if not cheap:
        monkeypatch.setattr(info, "CHEAP_PHOTONS", 10)
        monkeypatch.setattr(next_command, "ROWS", 1000)
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            f[f"{beam}/heights/signal_conf_ph"][:, 2] = 2
    assert ("no sea ice" if cheap else "no photon of medium or high sea-ice confidence") in refusal(granule)


def test_no_command_where_every_beam_was_cut_wrongly(granule):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            f[f"{beam}/heights/lat_ph"].resize(100, axis=0)
    assert "would refuse this granule: gt1l/heights/lat_ph has shape (100,)" in refusal(granule)


def test_no_command_in_transition(granule):
    with h5py.File(granule, "r+") as f:
        f["orbit_info/sc_orient"][...] = 2
    assert "would refuse this granule: orbit_info/sc_orient says transition" in refusal(granule)


def test_one_good_beam_is_enough_for_the_command(granule):
    with h5py.File(granule, "r+") as f:
        f["gt1l/heights/lat_ph"].resize(100, axis=0)
    assert info.run(granule).next_commands[0] == f"polynya freeboard {granule.name} -o OUT"


def test_the_command_has_the_options_that_it_needs(granule):
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            f[f"{beam}/geolocation/podppd_flag"][...] = 2
    found = info.run(granule)
    assert found.next_commands[0] == f"polynya freeboard {granule.name} -o OUT --keep-degraded"
    assert any("needs --keep-degraded: gt1l: " in n for n in found.notes)
    assert all(b.shares["degraded"] == 1.0 for b in found.beams)
    with h5py.File(granule, "r+") as f:
        for beam in BEAMS:
            f[f"{beam}/geolocation/podppd_flag"][...] = 0
            del f[f"{beam}/geophys_corr/dem_h"], f[f"{beam}/geophys_corr/geoid"]
    found = info.run(granule)
    assert found.next_commands[0] == f"polynya freeboard {granule.name} -o OUT --mss GRID"
    assert any("needs --mss GRID" in n for n in found.notes) and "degraded" not in found.beams[0].shares


def test_frame_tides_and_doi_are_those_of_the_release(granule):
    old = info.run(granule)
    assert (old.doi, old.tide_model) == ("10.5067/ATLAS/ATL03.006", "GOT4.8") and "ITRF2014" in info.as_text(old)
    with h5py.File(granule, "r+") as f:
        f["ancillary_data/release"][...] = b"007"
    new = info.run(granule)
    assert new.doi == "10.5067/ATLAS/ATL03.007" and "FES2014b" in new.tide_model and "ITRF2020" in info.as_text(new)


@pytest.mark.parametrize("product", ["ATL20", "ATL21"])
def test_gridded_products_are_named(tmp_path, product):
    from polynya.workflows import freeboard, verify

    path = tmp_path / f"{product}-01_20210301005637_10241001_001_01.h5"
    with h5py.File(path, "w") as f:
        f.attrs["short_name"] = product
        f["monthly/mean_fb"] = np.zeros((3, 4))
    config = freeboard.Config(classifier="rule")
    for use in (
        info.run,
        verify.run,
        lambda p: freeboard.process(freeboard.Item(path=str(p), folder=str(tmp_path / "out")), config=config),
    ):
        with pytest.raises(
            ProductError, match=rf"holds {product}, .* on a 25 km grid; .*xarray, or give the ATL"
        ) as caught:
            use(path)
        assert "\n" not in str(caught.value)


def test_no_evaluation_without_the_truth(granule):
    assert info.run(granule).next_commands == (f"polynya freeboard {granule.name} -o OUT",)


@pytest.mark.real
def test_no_verification_without_what_it_needs(tmp_path):
    from polynya.workflows import verify

    path = Path(shutil.copy(real(ATL07), tmp_path / ATL07))
    with h5py.File(path, "r+") as f:
        del f["gt3l/sea_ice_segments/heights/height_segment_type"]
    assert info.run(path).next_commands == ()
    with pytest.raises(ProductError, match="height_segment_type is missing"):
        verify.run(path)


@pytest.mark.real
def test_no_command_for_an_atl10_without_segments(tmp_path):
    path = Path(shutil.copy(real(JANUARY_3), tmp_path / JANUARY_3))
    with h5py.File(path, "r+") as f:
        for beam in [b for b in f if b.startswith("gt")]:
            if "freeboard_segment" in f[beam]:
                del f[f"{beam}/freeboard_segment"]
    assert info.run(path).next_commands == ()


def test_large_beams_are_not_read_for_their_confidences(granule, monkeypatch):
    monkeypatch.setattr(info, "CHEAP_PHOTONS", 10)
    for beam in info.run(granule).beams:
        assert set(beam.counts) == {"photons", "geosegments"}


def test_heights_are_never_read(granule, monkeypatch):
    """Every dataset that is read is small: none of the photons' but their sea-ice confidence."""
    read = []
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda self, key, **more: (read.append(self.name), original(self, key, **more))[1]
    )
    from polynya.readers import icesat2

    whole = icesat2.values
    monkeypatch.setattr(
        icesat2,
        "values",
        lambda handle, path, name, **more: (read.append("/" + name), whole(handle, path, name, **more))[1],
    )
    info.run(granule)
    assert {n for n in read if "/heights/" in n} == {f"/{b}/heights/signal_conf_ph" for b in ("gt1l", "gt1r")}
    assert any("reference_photon_lon" in n for n in read)


def test_other_products_and_damage_are_one_line(tmp_path, granule):
    other = tmp_path / "ATL06_x.h5"
    with h5py.File(other, "w") as f:
        f.attrs["short_name"] = "ATL06"
        f.create_group("gt1l")
        f["orbit_info/sc_orient"] = np.array([1], "i1")
    with pytest.raises(ProductError, match=r"ATL06_x\.h5: holds ATL06; info expected ATL03, ATL07, ATL10"):
        info.run(other)
    with h5py.File(granule) as f:
        place = f["gt1r/geolocation/delta_time"].id.get_chunk_info(0)
    data = bytearray(granule.read_bytes())
    data[place.byte_offset + place.size // 2] ^= 0x55
    granule.write_bytes(data)
    with pytest.raises(ProductError, match=r"gt1r/geolocation/delta_time is damaged") as caught:
        info.run(granule)
    assert "\n" not in str(caught.value)
