"""Files of simulated tracks: read back by the reader in watts, the truth, seeds, bad arguments, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray
from pyproj import Geod
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import UsageError
from polynya.physics import lead_rules
from polynya.physics.waveform_features import cropped, features
from polynya.readers import cryosat2_l1b, echo_files
from polynya.readers.leap_seconds import tai_from_utc, utc_from_tai
from polynya.simulate.altika.product import Options, simulate_track
from polynya.simulate.cryosat2 import files, presets
from polynya.simulate.cryosat2.product import CRYOSAT2
from polynya.simulate.cryosat2.track import draw_track

SEED = 1001


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cryosat2")
    simulate_track(out / "t.nc", Options(seed=SEED, echoes=130, cell_m=100.0), instrument=CRYOSAT2)
    return out


@pytest.fixture(scope="module")
def track():
    return draw_track(SEED, echoes=130)


def test_the_reader_gives_watts_and_says_simulated(folder, track):
    found = echo_files.read(folder / "t.nc", extra=("true_lead_distance_m", "sar_lead_distance_m"))
    assert found.product == "cryosat2_l1b" and found.units == "W" and found.is_simulated and found.gates == 256
    assert found.gate_width_m == pytest.approx(presets.GATE_M, abs=1e-4)
    np.testing.assert_array_equal(found.waveform, track.waveform)
    np.testing.assert_allclose(found.power(), track.waveform * track.scale[:, None], rtol=5e-9)
    assert (found.waveform.max(axis=1) == 65535).all() and (found.mode == 2).all() and (found.surface_type == 0).all()
    assert np.abs(found.time - track.time).max() < np.timedelta64(200, "ns")
    for name, values, apart in (
        ("latitude", track.latitude, 1e-7),
        ("longitude", track.longitude, 1e-7),
        ("altitude", track.altitude, 1e-3),
        ("tracker", track.window_delay * 299_792_458.0 / 2.0, 2e-4),
        ("stack_std", track.stack.std, 0.0051),
        ("stack_skewness", track.stack.skewness, 0.0051),
        ("stack_kurtosis", track.stack.kurtosis, 0.0051),
        ("stack_peakiness", np.minimum(track.stack.peakiness, 327.67), 0.0051),
    ):
        np.testing.assert_allclose(getattr(found, name), values, atol=apart, rtol=0)
    np.testing.assert_allclose(found.extra["true_lead_distance_m"], track.true_distance, rtol=1e-6)
    np.testing.assert_allclose(found.extra["sar_lead_distance_m"], track.map_distance, rtol=1e-6)


def test_every_file_says_that_it_is_simulated(folder):
    for name in ("t.nc", "t_truth.nc"):
        with xarray.open_dataset(folder / name, decode_times=False) as data:
            assert "never evidence of skill" in data.attrs["title"] and "no measurement" in data.attrs["simulated"]
    record = json.loads((folder / "t.json").read_text())
    assert "no measurement" in record["simulated"] and set(record["files"]) == {
        "echoes",
        "truth",
        "sar_leads",
        "true_leads",
    }


def test_the_truth_has_times_and_leads(folder, track):
    with xarray.open_dataset(folder / "t_truth.nc", decode_times=False) as data:
        seconds = (track.time - np.datetime64("2000-01-01", "ns")).astype(np.int64) / 1e9
        np.testing.assert_allclose(data["time"].values, seconds, atol=1e-6, rtol=0)
        np.testing.assert_allclose(data["latitude"].values, track.latitude)
        np.testing.assert_array_equal(data["is_lead"].values == 1, track.true_distance < 300.0)
        np.testing.assert_array_equal(data["is_bright_ice"].values == 1, track.is_patch)
        assert len(data["lead"]) == len(track.leads)


def test_tai_is_36_seconds_ahead_and_comes_back():
    utc = np.array(["2015-11-20T01:02:03", "2015-06-30T23:59:59", "2015-07-01T00:00:00"], "datetime64[ns]")
    np.testing.assert_array_equal((tai_from_utc(utc) - utc) / np.timedelta64(1, "s"), [36, 35, 36])
    np.testing.assert_array_equal(utc_from_tai(tai_from_utc(utc)), utc)


def test_names_are_those_of_the_product(track):
    name = files.name_of(track)
    first = str(track.time[0].astype("datetime64[s]")).replace("-", "").replace(":", "")
    assert name.startswith(f"CS_OFFL_SIR_SAR_1B_{first}_") and name.endswith("_D001")


def test_a_seed_gives_one_track_and_another_another(track):
    again, other = draw_track(SEED, echoes=130), draw_track(SEED + 1, echoes=130)
    for name in ("waveform", "scale", "window_delay", "latitude", "true_distance", "map_distance"):
        np.testing.assert_array_equal(getattr(track, name), getattr(again, name))
        assert not np.array_equal(getattr(track, name), getattr(other, name))
    np.testing.assert_array_equal(track.stack.std, again.stack.std)
    assert track.about == again.about
    varied = draw_track(SEED, echoes=40, ranges="varied")
    assert not np.array_equal(varied.waveform, draw_track(SEED, echoes=40).waveform)


def test_steps_on_the_ground(track):
    back = Geod(ellps="WGS84").inv(track.longitude[:-1], track.latitude[:-1], track.longitude[1:], track.latitude[1:])
    np.testing.assert_allclose(back[2], 308.6, rtol=0.006)
    assert np.abs(np.diff(track.time).astype(np.int64) - 45_866_700).max() <= 1


def test_the_window_holds_the_surface(track):
    """Range of the middle less 58 gates, jitter of 3 gates aside, is that of the sea and the floes."""
    height = track.altitude - track.window_delay * 299_792_458.0 / 2.0 + 58 * presets.GATE_M
    assert -25.0 < np.median(height) < 35.0 and np.std(height) == pytest.approx(3.0 * presets.GATE_M, abs=0.35)
    far = track.true_distance > 3000.0
    assert abs(np.median(track.waveform[far].argmax(axis=1)) - presets.NOMINAL_GATE) < 5


def test_the_rule_finds_leads_and_floes():
    """CPOM's thresholds on the 128 gates around the peak; quantiles of the real table with a wide margin."""
    tracks = [draw_track(seed, echoes=400) for seed in range(1000, 1005)]
    waveform = np.concatenate([cropped(t.waveform) for t in tracks])
    std, true = (np.concatenate(v) for v in ([t.stack.std for t in tracks], [t.true_distance for t in tracks]))
    peak = features(waveform).peakiness("cpom")
    answer = lead_rules.cpom(
        peak, stack_std=std, sea_ice_concentration=np.ones(len(std)), rule=lead_rules.CPOM_SAR
    ).classes
    said, floes = answer == 2, answer == 3
    assert (true[said] < 1000.0).mean() > 0.8 and said[true == 0.0].mean() > 0.35
    assert (true[floes] < 300.0).mean() < 0.1 and floes.mean() > 0.25
    # Real: leads 29.7 and 1.8 looks, floes 5.7 and 34.9 looks
    assert 20.0 < np.median(peak.values[said]) < 42.0 and 1.0 < np.median(std[said]) < 4.5
    assert 4.5 < np.median(peak.values[floes]) < 8.0 and 25.0 < np.median(std[floes]) < 42.0
    power = np.concatenate([t.scale * t.waveform.max(axis=1) for t in tracks])
    assert 1e-15 < np.median(power[true > 3000.0]) < 1e-14
    assert 8.0 < 10 * np.log10(np.median(power[said]) / np.median(power[floes])) < 25.0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seed": -1}, "0 or more"),
        ({"echoes": 39}, "40 to 8000"),
        ({"echoes": 8001}, "40"),
        ({"ranges": "x"}, "stress"),
    ],
)
def test_what_cannot_be_drawn(options, word):
    with pytest.raises(UsageError, match=word):
        draw_track(**{"seed": 1, **options})


@pytest.mark.parametrize(("name", "options", "word"), [("t.h5", {}, "ends in .nc"), ("t.nc", {"cell_m": 20.0}, "100")])
def test_what_cannot_be_written_leaves_nothing(tmp_path, name, options, word):
    with pytest.raises(UsageError, match=word):
        simulate_track(tmp_path / name, Options(**options), instrument=CRYOSAT2)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path):
    run = CliRunner().invoke
    many = run(
        cli.app,
        ["simulate", "cryosat2", str(tmp_path / "f"), "--count", "2", "--echoes", "40", "--range", "stress", "--json"],
    )
    assert many.exit_code == 0, many.output
    record = json.loads(many.stdout)
    assert [t["ranges"] for t in record["tracks"]] == ["stress", "stress"]
    name = tmp_path / "f" / record["tracks"][0]["files"]["echoes"]
    assert len(cryosat2_l1b.read(name)) == 40 and cryosat2_l1b.read(name).release == "D"
    wrong = run(cli.app, ["simulate", "cryosat2", str(tmp_path / "u.nc"), "--count", "2"])
    assert isinstance(wrong.exception, UsageError) and "folder" in str(wrong.exception)
    assert "\n" not in str(wrong.exception) and not (tmp_path / "u.nc").exists()
