"""Simulated granules: the layout against a real one, the moments against real moments, the truth against the
photons."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from polynya.errors import OutputError, UsageError
from polynya.physics import first_photon_bias
from polynya.readers.icesat2 import open_granule, utc
from polynya.schema import THICK_ICE
from polynya.simulate.icesat2 import atl03 as simulator
from polynya.simulate.icesat2 import ground_track
from polynya.simulate.icesat2.granule import geoid_free2mean, solar_position
from polynya.simulate.sea_ice.surfaces import Surfaces, Swell
from tests.real_files import real

REAL_ATL03 = "ATL03_20181014002445_02350104_006_02_subset_gt1l.h5"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("atl03")
    out = {}
    for season in ("winter", "summer"):
        out[season] = folder / f"{season}.h5"
        simulator.simulate(out[season], length_km=12.0, season=season, seed=5)
    return out


def beam_arrays(handle: h5py.File, beam: str) -> dict[str, np.ndarray]:
    """Read a beam with nothing but h5py and numpy: positions, corrected heights, confidence, shot numbers."""
    heights, located, corr = (handle[f"{beam}/{g}"] for g in ("heights", "geolocation", "geophys_corr"))
    count = located["segment_ph_cnt"][()]
    segment = np.repeat(np.arange(count.size), count)
    surface = (
        corr["dem_h"][()]
        - corr["geoid_free2mean"][()]
        + corr["tide_ocean"][()]
        + corr["tide_equilibrium"][()]
        + corr["dac"][()]
    )
    pulse = heights["pce_mframe_cnt"][()].astype(np.int64) * 200 + heights["ph_id_pulse"][()]
    return {
        "x": located["segment_dist_x"][()][segment] + heights["dist_ph_along"][()],
        "height": heights["h_ph"][()].astype(np.float64) - surface[segment],
        "confidence": heights["signal_conf_ph"][:, 2],
        "quality": heights["quality_ph"][()],
        "pulse": pulse,
    }


def moments(path: Path, beam: str) -> dict[str, np.ndarray]:
    """Return per-2 m photon counts, height spread, photons a shot, and background, as the published features define
    them."""
    with h5py.File(path) as handle:
        data = beam_arrays(handle, beam)
        background = handle[f"{beam}/bckgrd_atlas/bckgrd_rate"][()]
    good = (data["confidence"] >= 3) & (data["quality"] == 0)
    shot = data["pulse"] - data["pulse"].min()
    every, high = np.bincount(shot)[shot], np.bincount(shot, weights=data["confidence"] >= 3)[shot]
    cell = np.floor(data["x"] / 2.0).astype(np.int64)
    cell -= cell.min()
    n = np.bincount(cell[good])
    keep = n >= 3

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell[good], weights=values[good], minlength=n.size)[keep] / n[keep]

    centre = np.zeros(n.size)
    centre[keep] = mean(data["height"])
    spread = np.bincount(cell[good], weights=(data["height"][good] - centre[cell[good]]) ** 2, minlength=n.size)[
        keep
    ] / (n[keep] - 1)
    return {
        "N": n[keep],
        "height_sd": np.sqrt(spread),
        "pcnt_mean": mean(every),
        "pcnth_mean": mean(high),
        "brate_mean": background,
    }


@pytest.mark.real
def test_layout_is_the_real_granules(made):
    wrong = []
    with h5py.File(real(REAL_ATL03)) as theirs, h5py.File(made["winter"]) as ours:

        def compare(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if not isinstance(node, h5py.Dataset):
                return
            if name not in ours:
                wrong.append(f"{name} is missing")
                return
            mine = ours[name]
            pairs = {
                "dtype": (mine.dtype, node.dtype),
                "chunks": (mine.chunks, node.chunks),
                "rows": (mine.shape[1:], node.shape[1:]),
                "fill": (mine.fillvalue, node.fillvalue),
                "filter": (mine.compression_opts, node.compression_opts),
                "units": (mine.attrs["units"], node.attrs["units"]),
            }
            if "flag_values" in node.attrs:
                pairs["flags"] = (list(mine.attrs["flag_values"]), list(node.attrs["flag_values"]))
                pairs["meanings"] = (mine.attrs["flag_meanings"], node.attrs["flag_meanings"])
            wrong.extend(f"{name} {what}: {a} is not {b}" for what, (a, b) in pairs.items() if a != b)
            if not mine.shuffle:
                wrong.append(f"{name} is not shuffled")

        theirs["gt1l"].visititems(lambda n, o: compare(f"gt1l/{n}", o))
        for name, value in theirs["gt1l"].attrs.items():
            if name != "Description" and (ours["gt1l"].attrs[name], ours["gt1l"].attrs.get_id(name).dtype.kind) != (
                value,
                "S",
            ):
                wrong.append(f"gt1l@{name}: {ours['gt1l'].attrs[name]} is not {value}")
    assert not wrong, "\n".join(wrong)


def test_what_a_subset_lacks_is_there(made):
    granule = open_granule(made["winter"], product="ATL03")
    assert (granule.release, granule.orientation, granule.orientation_source) == ("006", 1, "orbit_info/sc_orient")
    assert {b.name for b in granule.beams.values() if b.is_strong} == {"gt1r", "gt2r", "gt3r"}
    assert granule.is_simulated and [n.code for n in granule.notes] == ["simulated"]
    with h5py.File(made["winter"]) as handle:
        assert handle["ancillary_data/atlas_sdp_gps_epoch"][0] == 1198800018.0
        assert handle["ancillary_data/calibrations/dead_time/gt1r/dead_time"].shape == (20,)
        bias = handle["ancillary_data/calibrations/first_photon_bias/gt2l"]
        n_dt, n_s, n_w = bias["ffb_corr"].shape
        assert (
            bias["dead_time"].shape == (n_dt,)
            and bias["strength"].shape == (n_dt, n_s)
            and bias["width"].shape == (n_dt, n_w)
        )
        said = json.loads(handle.attrs["polynya_simulation"])
        assert (
            said["seed"] == 5
            and said["season"] == "winter"
            and "Not a measurement" in handle.attrs["description"].decode()
        )
        start = handle["ancillary_data/data_start_utc"][0].decode().rstrip("Z")
        first = utc(handle["gt1r/heights/delta_time"][:1])[0]
        assert abs(first - np.datetime64(start)) < np.timedelta64(10, "ms")


def test_photon_index_and_pulses_are_consistent(made):
    with h5py.File(made["summer"]) as handle:
        for beam in ("gt1l", "gt2r"):
            located, heights = handle[f"{beam}/geolocation"], handle[f"{beam}/heights"]
            count, begin = located["segment_ph_cnt"][()], located["ph_index_beg"][()]
            assert count.sum() == heights["h_ph"].shape[0]
            assert np.array_equal(begin[count > 0], (np.cumsum(count) - count + 1)[count > 0])
            assert np.all(begin[count == 0] == 0)
            assert np.all(located["reference_photon_index"][()] <= count)
            along = heights["dist_ph_along"][()]
            assert along.min() >= 0.0 and along.max() < 20.006
            pulse = heights["ph_id_pulse"][()]
            assert pulse.min() >= 1 and pulse.max() <= 200
            key = heights["pce_mframe_cnt"][()].astype(np.int64) * 200 + pulse
            assert np.all(np.diff(key) >= 0)
            elapsed = heights["delta_time"][()] - heights["delta_time"][0]
            np.testing.assert_allclose(elapsed, (key - key[0]) * 1e-4, atol=2e-6)
            np.testing.assert_allclose(np.diff(located["segment_dist_x"][()]), 20.0057, atol=1e-3)


def test_tracks_cross_the_date_line_at_seven_kilometres_a_second(made):
    from pyproj import Geod

    for path in made.values():
        with h5py.File(path) as handle:
            lon, lat = (
                handle["gt2r/geolocation/reference_photon_lon"][()],
                handle["gt2r/geolocation/reference_photon_lat"][()],
            )
            x = handle["gt2r/geolocation/segment_dist_x"][()]
            assert np.abs(lon).max() <= 180.0 and np.ptp(lon) > 350.0
            assert np.abs(lat).min() > 60.0
            _, _, distance = Geod(ellps="WGS84").inv(lon[0], lat[0], lon[-1], lat[-1])
            assert distance == pytest.approx(x[-1] - x[0], abs=30.0)


def test_pairs_lie_ninety_metres_and_three_kilometres_apart(made):
    from pyproj import Geod

    with h5py.File(made["winter"]) as handle:
        place = {
            b: [handle[f"{b}/geolocation/reference_photon_{k}"][100] for k in ("lon", "lat")]
            for b in ("gt1l", "gt1r", "gt2r")
        }
    geod = Geod(ellps="WGS84")
    assert geod.inv(*place["gt1l"], *place["gt1r"])[2] == pytest.approx(90.0, abs=10.0)
    assert geod.inv(*place["gt1r"], *place["gt2r"])[2] == pytest.approx(3345.0, abs=30.0)


def test_dem_h_is_the_mean_tide_surface(made):
    with h5py.File(made["winter"]) as handle:
        corr = handle["gt1r/geophys_corr"]
        assert np.all(corr["dem_flag"][()] == 3)
        latitude = handle["gt1r/geolocation/reference_photon_lat"][()]
        expected = 1.3 * (0.099 - 0.296 * np.sin(np.radians(latitude)) ** 2)
        np.testing.assert_allclose(corr["geoid_free2mean"][()], expected, atol=1e-5)
    assert geoid_free2mean(np.array([87.298]))[0] == pytest.approx(
        -0.2552, abs=3e-4
    )  # the real granule stores -0.25524 there


@pytest.mark.parametrize("season", ["winter", "summer"])
def test_photons_lie_on_the_truth_but_for_the_first_photon_bias(made, season):
    """Mean height of photons minus footprint-mean truth is the looked-up bias: the heights' chain of terms holds
    together."""
    truth = pq.read_table(str(made[season]).replace(".h5", "_truth.parquet")).to_pandas()
    for beam in ("gt1r", "gt3l"):
        with h5py.File(made[season]) as handle:
            data = beam_arrays(handle, beam)
            cal = handle[f"ancillary_data/calibrations/first_photon_bias/{beam}"]
            channels = handle[f"ancillary_data/calibrations/dead_time/{beam}/dead_time"][()]
            own = channels[:16] if beam.endswith("r") else channels[16:]
            table = first_photon_bias.at_dead_time(
                cal["dead_time"][()],
                strength=cal["strength"][()],
                width_ns=cal["width"][()],
                correction_ps=cal["ffb_corr"][()],
                beam_dead_time_ns=float(own.mean()) * 1e9,
            )
        of_beam = truth[truth.beam == beam]
        known = of_beam[of_beam.surface_class == THICK_ICE].set_index(
            np.floor(of_beam[of_beam.surface_class == THICK_ICE].x_atc / 2.0).astype(int)
        )
        cell = np.floor(data["x"] / 2.0).astype(int)
        level = known.surface_height_footprint.reindex(cell).to_numpy()
        off = data["height"] - level
        near = np.isfinite(level) & (np.abs(off) < 0.6)
        background = np.mean((np.abs(off) > 3.0) & (np.abs(off) < 9.0)) / 12.0 / np.mean(near)
        assert background < 0.15  # so few inside the window that an even background barely moves its mean
        shots = np.unique(data["pulse"][near]).size
        low, high = np.percentile(off[near], [10, 90])
        bias = first_photon_bias.lookup(table, strength=np.array([near.sum() / shots]), width_m=np.array([high - low]))[
            0
        ]
        assert 0.001 < bias < 0.05
        assert off[near].mean() == pytest.approx(bias, abs=0.006)


def test_truth_has_its_signs(made):
    truth = pq.read_table(str(made["winter"]).replace(".h5", "_truth.parquet")).to_pandas()
    assert truth.groupby("beam", observed=True).size().to_dict() == pytest.approx(
        dict.fromkeys(sorted(truth.beam.unique()), 6000), abs=3
    )
    np.testing.assert_allclose(truth.x_atc, 2.0 * (np.floor(truth.x_atc / 2.0) + 0.5))
    water = truth.surface_class == 2
    assert (
        (truth.total_freeboard[water] == 0.0).all()
        and (truth.lead_type[water] > 0).all()
        and (truth.lead_type[~water] == 0).all()
    )
    ice = truth[~water]
    np.testing.assert_allclose(ice.surface_height - ice.sea_surface_height, ice.total_freeboard, atol=2e-6)
    np.testing.assert_allclose(
        truth.surface_height_footprint - truth.sea_surface_height, truth.total_freeboard_footprint, atol=2e-6
    )
    level = truth.groupby("beam", observed=True).sea_surface_height.mean()
    assert level.max() - level.min() < 0.02  # one sea under all beams


@pytest.mark.real
def test_strong_beams_have_the_real_moments(tmp_path):
    """Means within half a standard deviation of real daylight segments, standard deviations within 35 %."""
    stored = json.loads(real("is2_corrected_feature_stats.json").read_text())
    target = dict(zip(stored["feature_cols"], zip(stored["mean"], stored["std"], strict=True), strict=True))
    parts: dict[str, list[np.ndarray]] = {}
    for seed in range(100, 104):
        path = tmp_path / "moments.h5"
        simulator.simulate(path, length_km=8.0, season="summer", beams="strong", seed=seed, overwrite=True)
        for beam in ("gt1r", "gt2r", "gt3r"):
            for name, values in moments(path, beam).items():
                parts.setdefault(name, []).append(values)
    for name, values in parts.items():
        mean, spread = target[name]
        found = np.concatenate(values)
        assert abs(found.mean() - mean) < 0.5 * spread, (name, found.mean(), mean)
        assert abs(found.std() - spread) < 0.35 * spread, (name, found.std(), spread)


def test_weak_beams_have_a_quarter(made):
    for season, path in made.items():
        with h5py.File(path) as handle:
            for pair in ("gt1", "gt3"):
                high = {side: np.sum(handle[f"{pair}{side}/heights/signal_conf_ph"][:, 2] >= 3) for side in "lr"}
                assert high["l"] / high["r"] == pytest.approx(0.25, abs=0.04), season
                rate = {side: handle[f"{pair}{side}/bckgrd_atlas/bckgrd_rate"][()].mean() for side in "lr"}
                assert rate["l"] / rate["r"] == pytest.approx(0.25, abs=0.02), season


def test_stored_background_is_what_the_photons_show(made):
    with h5py.File(made["summer"]) as handle:
        data = beam_arrays(handle, "gt1r")
        stored = handle["gt1r/bckgrd_atlas/bckgrd_rate"][()].mean()
        top = handle["gt1r/bckgrd_atlas/tlm_height_band1"][()].mean()
    far = np.abs(data["height"]) > 6.0
    shots = data["pulse"].max() - data["pulse"].min() + 1
    counted = far.sum() / shots / ((top - 12.0) * 2.0 / 299792458.0)
    assert counted == pytest.approx(stored, rel=0.03)


def test_same_seed_same_arrays_whichever_beams(made, tmp_path):
    again = tmp_path / "again.h5"
    simulator.simulate(again, length_km=12.0, season="summer", seed=5, beams="gt3l")
    other = tmp_path / "other.h5"
    simulator.simulate(other, length_km=12.0, season="summer", seed=6, beams="gt3l")
    with h5py.File(made["summer"]) as a, h5py.File(again) as b, h5py.File(other) as c:
        assert "gt1r" not in b

        def same(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset):
                np.testing.assert_array_equal(a[f"gt3l/{name}"][()], node[()], err_msg=name)

        b["gt3l"].visititems(same)
        assert c["gt3l/heights/h_ph"].shape != b["gt3l/heights/h_ph"].shape


def test_sun_of_the_nrel_worked_example():
    """Reda and Andreas (2004, NREL/TP-560-34302), appendix: elevation before refraction and azimuth; the formulas are
    good to 0.01 degree (Astronomical Almanac), the parallax is 0.002."""
    seconds = (np.datetime64("2003-10-17T19:30:30") - np.datetime64("2018-01-01")) / np.timedelta64(1, "s")
    elevation, azimuth = solar_position(np.array([seconds]), np.array([39.742476]), np.array([-105.1786]))
    assert elevation[0] == pytest.approx(39.872046, abs=0.01) and azimuth[0] == pytest.approx(194.34024, abs=0.015)


@pytest.mark.real
def test_sun_stands_where_it_should():
    noon = (np.datetime64("2018-06-21T12:02:00") - np.datetime64("2018-01-01")) / np.timedelta64(1, "s")
    elevation, _ = solar_position(np.array([noon]), np.array([23.43]), np.array([0.0]))
    assert elevation[0] == pytest.approx(90.0, abs=0.3)
    with h5py.File(real(REAL_ATL03)) as handle:
        place = handle["gt1l/geolocation"]
        elevation, azimuth = solar_position(
            place["delta_time"][()], place["reference_photon_lat"][()], place["reference_photon_lon"][()]
        )
        np.testing.assert_allclose(elevation, place["solar_elevation"][()], atol=0.2)  # theirs may hold refraction
        np.testing.assert_allclose(azimuth, place["solar_azimuth"][()], atol=0.2)


def test_seasons_are_night_and_day(made):
    with h5py.File(made["winter"]) as night, h5py.File(made["summer"]) as day:
        assert night["gt1r/geolocation/solar_elevation"][()].max() < -5.0
        assert day["gt1r/geolocation/solar_elevation"][()].min() > 15.0
        assert (
            night["gt1r/bckgrd_atlas/bckgrd_rate"][()].mean()
            < 1e5
            < 3e6
            < day["gt1r/bckgrd_atlas/bckgrd_rate"][()].mean()
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"beams": "gt4r"}, "gt4r"),
        ({"season": "autumn"}, "autumn"),
        ({"length_km": 0.1}, "0.1"),
        ({"seed": -1}, "-1"),
        ({"beams": ""}, "expected all"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, words):
    with pytest.raises(UsageError, match=words):
        simulator.simulate(tmp_path / "x.h5", **arguments)
    assert not list(tmp_path.iterdir())


def test_output_must_be_h5_and_not_a_folder(tmp_path):
    with pytest.raises(UsageError, match=r"\.h5"):
        simulator.simulate(tmp_path / "granule.nc", length_km=1.0)
    (tmp_path / "taken.h5").mkdir()
    with pytest.raises(OutputError, match=r"taken\.h5"):
        simulator.simulate(tmp_path / "taken.h5", length_km=1.0)


@pytest.mark.parametrize("name", ["x.h5", "x_truth.parquet"])
def test_a_file_of_the_user_is_never_replaced(tmp_path, name):
    (tmp_path / name).write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=rf"{name}: exists already and is no simulation of polynya"):
            simulator.simulate(tmp_path / "x.h5", length_km=1.0, beams="gt1r", overwrite=overwrite)
    assert (tmp_path / name).read_text() == "precious" and [p.name for p in tmp_path.iterdir()] == [name]


def test_a_granule_that_is_not_simulated_is_never_replaced(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as handle:
        handle.attrs["short_name"] = "ATL03"
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is no simulation of polynya"):
        simulator.simulate(path, length_km=1.0, beams="gt1r", overwrite=True)
    assert path.read_bytes() == before


def test_an_earlier_simulation_is_replaced_when_asked_for(tmp_path):
    path = tmp_path / "x.h5"
    first = simulator.simulate(path, length_km=1.0, beams="gt1r", seed=1)
    before = path.read_bytes(), first.truth.read_bytes()
    with pytest.raises(UsageError, match=r"x\.h5: exists already; expected a new name\. Pass --overwrite"):
        simulator.simulate(path, length_km=1.0, beams="gt1r", seed=2)
    assert (path.read_bytes(), first.truth.read_bytes()) == before
    simulator.simulate(path, length_km=1.0, beams="gt1r", seed=2, overwrite=True)
    assert path.read_bytes() != before[0] and first.truth.read_bytes() != before[1]


def test_a_failing_run_leaves_nothing_and_keeps_the_old(tmp_path, monkeypatch):
    path = tmp_path / "granule.h5"
    simulator.simulate(path, length_km=1.0, beams="gt1r")
    before = path.read_bytes()

    def fail(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(simulator, "granule_head", fail)
    with pytest.raises(OutputError, match="No space left"):
        simulator.simulate(path, length_km=1.0, beams="gt1r", seed=2, overwrite=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["granule.h5", "granule_truth.parquet"]


def test_beams_lie_where_the_mission_says():
    """Pairs 3.3 km apart, 90 m between the beams of a pair (Neumann et al. 2019, doi:10.1016/j.rse.2019.111325)."""
    at = {name: ground_track.across_of(name) for name in ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r")}
    assert all(at[f"gt{k}l"] - at[f"gt{k}r"] == pytest.approx(90.0) for k in (1, 2, 3))
    assert at["gt1l"] - at["gt2l"] == at["gt2l"] - at["gt3l"] == pytest.approx(3300.0, abs=50.0)
    assert at["gt1l"] > at["gt3l"]  # gt1 is on the left of the flight


def test_swell_moves_ice_and_water_and_leaves_the_sea_surface_and_freeboard(tmp_path):
    """Photons follow the lifted surface; truth's freeboard and mean sea surface height are those without swell."""
    asked = {"calm": Swell(height=0.0), "swell": Swell(height=0.5, wavelength=200.0, decay_km=float("inf"))}
    made = {
        name: simulator.simulate(
            tmp_path / f"{name}.h5", length_km=4.0, beams="gt1r", seed=3, surfaces=Surfaces(swell=swell)
        )
        for name, swell in asked.items()
    }
    calm, swell = (pq.read_table(made[name].truth).to_pandas() for name in asked)
    for same in ("total_freeboard", "total_freeboard_footprint", "sea_surface_height", "surface_class"):
        np.testing.assert_array_equal(calm[same], swell[same])
    lift = swell.surface_height - calm.surface_height
    assert 4.0 * lift.std() == pytest.approx(0.5, rel=0.2)
    told = json.loads(pq.read_schema(made["swell"].truth).metadata[b"sea"])
    assert told["swell_height"] == 0.5 and told["swell_decay_km"] == "infinite"
    with h5py.File(made["swell"].granule) as handle:
        data = beam_arrays(handle, "gt1r")
    good = (data["confidence"] == 4) & (data["quality"] == 0)
    cell = np.floor(data["x"][good] / 2.0).astype(int) - int(swell.x_atc[0] // 2.0)
    inside = (cell >= 0) & (cell < len(swell))
    mean = np.bincount(cell[inside], weights=data["height"][good][inside], minlength=len(swell)) / np.maximum(
        np.bincount(cell[inside], minlength=len(swell)), 1
    )
    there = np.bincount(cell[inside], minlength=len(swell)) > 8
    assert np.corrcoef(mean[there] - calm.surface_height_footprint[there], lift[there])[0, 1] > 0.85
    said = json.loads(h5py.File(made["swell"].granule).attrs["polynya_simulation"])
    assert said["surfaces"]["swell"]["decay_km"] == "infinite" and said["sea"]["swell_wavelength"] == 200.0


def test_bumps_belong_to_the_true_sea_surface_and_not_to_the_mss(tmp_path):
    made = [
        simulator.simulate(
            tmp_path / f"{size}.h5", length_km=20.0, beams="gt1r", seed=3, surfaces=Surfaces(mss_bumps=size)
        )
        for size in (0.0, 0.10)
    ]
    flat, bumpy = (pq.read_table(m.truth)["sea_surface_height"].to_numpy() for m in made)
    assert (bumpy - flat).std() == pytest.approx(0.05, rel=0.6)
    levels = []
    for m in made:
        with h5py.File(m.granule) as handle:
            levels.append(handle["gt1r/geophys_corr/dem_h"][()])
    np.testing.assert_array_equal(*levels)


def test_ponds_are_thick_ice_and_no_lead(tmp_path):
    made = simulator.simulate(
        tmp_path / "ponds.h5",
        length_km=6.0,
        beams="gt1r",
        season="melt",
        seed=4,
        surfaces=Surfaces(leads="none", specular_ponds=15.0),
    )
    truth = pq.read_table(made.truth)
    assert set(truth["surface_class"].to_pylist()) == {THICK_ICE} and set(truth["lead_type"].to_pylist()) == {0}
    with h5py.File(made.granule) as handle:
        assert 15.0 <= handle["gt1r/geolocation/solar_elevation"][()].mean() <= 35.5
        assert handle["gt1r/geolocation/reference_photon_lat"][0] >= 75.0


def test_a_beam_is_the_same_whatever_other_beams_are_asked_for_on_every_surface(tmp_path):
    surfaces = Surfaces(specular_ponds=2.0, bright_patches=0.5, swell=Swell(height=0.3), mss_bumps=0.05)
    heights = []
    for beams in ("gt1l", "gt1l,gt1r,gt3r"):
        made = simulator.simulate(
            tmp_path / f"{len(beams)}.h5", length_km=2.0, beams=beams, season="melt", seed=8, surfaces=surfaces
        )
        with h5py.File(made.granule) as handle:
            heights.append(handle["gt1l/heights/h_ph"][()])
    np.testing.assert_array_equal(*heights)
