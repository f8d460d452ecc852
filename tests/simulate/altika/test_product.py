"""Files of tracks: the reader opens them, maps agree with the distances, and nothing foreign is replaced."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
import xarray
from pyproj import Transformer
from scipy.ndimage import distance_transform_edt
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import OutputError, UsageError
from polynya.readers import altika_sgdr
from polynya.simulate.altika import files
from polynya.simulate.altika.product import Options, simulate_track, simulate_tracks
from polynya.simulate.altika.track import draw_track

SEED = 1001
SGDR = ("waveforms", "agc", "tracker", "range", "alt", "lat", "lon", "time", "swh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("altika")
    simulate_track(folder / "t.nc", Options(seed=SEED))
    return folder


@pytest.fixture(scope="module")
def track():
    return draw_track(SEED)


def test_the_file_has_the_names_and_shapes_of_an_sgdr(folder):
    with xarray.open_dataset(folder / "t.nc", decode_times=False) as data:
        for name in SGDR:
            assert data[f"{name}_40hz"].shape == ((20, 40, 128) if name == "waveforms" else (20, 40))
        assert data["waveforms_40hz"].dtype == np.uint16
        assert data.attrs["simulated"] == "polynya; no measurement" and "never evidence" in data.attrs["title"]
        assert data.attrs["seed"] == SEED


def test_the_reader_gives_what_was_drawn(folder, track):
    found = altika_sgdr.read(folder / "t.nc", extra=("true_lead_distance_m", "sar_lead_distance_m"))
    assert found.is_simulated and len(found) == 800 and found.gates == 128
    np.testing.assert_array_equal(found.waveform, track.waveform)
    for name in ("agc", "tracker", "range", "altitude", "latitude"):
        np.testing.assert_allclose(getattr(found, name), getattr(track, name), rtol=0, atol=1e-6)
    np.testing.assert_allclose((found.longitude - track.longitude + 180.0) % 360.0, 180.0, atol=1e-9)
    np.testing.assert_allclose(found.significant_wave_height, track.significant_wave_height, atol=1e-5)
    assert (np.abs(found.time - track.time) < np.timedelta64(1000, "ns")).all()
    np.testing.assert_allclose(found.extra["true_lead_distance_m"], track.true_distance, atol=0.01)
    np.testing.assert_allclose(found.extra["sar_lead_distance_m"], track.map_distance, atol=0.01)


def test_the_truth_beside_it(folder, track):
    with xarray.open_dataset(folder / "t_truth.nc") as data:
        distance = data["true_lead_distance_m"].values.ravel()
        np.testing.assert_array_equal(data["is_lead"].values.ravel() == 1, distance < 300.0)
        np.testing.assert_allclose(data["lead_width_crossed"].values.ravel(), track.crossed, rtol=1e-6)
        np.testing.assert_array_equal(data["is_bright_ice"].values.ravel() == 1, track.is_patch)
        nearest = data["nearest_lead"].values.ravel().astype(int)
        has = nearest >= 0
        width = data["nearest_lead_width"].values.ravel()
        np.testing.assert_allclose(width[has], data["lead_width"].values[nearest[has]], rtol=1e-6)
        assert np.isnan(width[~has]).all()
        assert (data["lead_width"].values >= 100.0).all() and len(data["lead"]) == len(track.leads)
        # A lead crossed at the angle a is crossed over its width / sin a, unless at its end.
        inside = distance == 0.0
        angle = np.deg2rad(data["nearest_lead_angle"].values.ravel()[inside])
        ratio = data["lead_width_crossed"].values.ravel()[inside] * np.sin(angle) / width[inside]
        assert np.mean(np.abs(ratio - 1.0) < 0.02) > 0.5


@pytest.mark.parametrize(("name", "distance"), [("true", "true_distance"), ("sar", "map_distance")])
def test_maps_agree_with_the_distances(folder, track, name, distance):
    """Distances by EDT on the map, as labels are made, are those of the shapes to a cell and a half."""
    with rasterio.open(folder / f"t_{name}_leads.tif") as file:
        assert file.crs.to_epsg() == 3413 and file.nodata == 255 and file.res == (80.0, 80.0)
        assert "no measurement" in file.tags()["simulated_by"]
        plane, inverse = file.read(1), ~file.transform
    assert set(np.unique(plane)) == {0, 1, 255}
    x, y = Transformer.from_crs(4326, 3413, always_xy=True).transform(track.longitude, track.latitude)
    column, row = (np.floor(v).astype(int) for v in inverse @ (x, y))
    found = distance_transform_edt(plane != 1)[row, column] * 80.0 / track.frame.scale
    exact = getattr(track, distance)
    near = exact < 6000.0
    np.testing.assert_allclose(found[near], exact[near], atol=125.0)
    assert np.abs(np.mean(found[near] - exact[near])) < 60.0
    assert (plane[row, column] != 255).all()


def test_the_map_ends_9_km_from_the_track(folder, track):
    with rasterio.open(folder / "t_sar_leads.tif") as file:
        plane, inverse = file.read(1), ~file.transform
    for across, is_there in ((8900.0, True), (-8900.0, True), (9150.0, False), (-9150.0, False)):
        column, row = (int(v) for v in inverse @ tuple(float(v) for v in track.frame.to_grid(70_000.0, across)))
        assert (plane[row, column] != 255) == is_there


@pytest.mark.parametrize("cell", [40.0, 100.0])
def test_cells_of_another_size(tmp_path, cell):
    simulate_track(tmp_path / "t.nc", Options(seed=2, echoes=40, cell_m=cell))
    with rasterio.open(tmp_path / "t_true_leads.tif") as file:
        assert file.res == (cell, cell) and file.transform.c % cell == 0


def test_a_folder_of_tracks(tmp_path, track):
    written = simulate_tracks(tmp_path / "many", Options(seed=SEED, echoes=80), count=3)
    echoes = sorted((tmp_path / "many").glob("*.nc"))
    assert len(echoes) == 3 and len(list((tmp_path / "many/truth").iterdir())) == 9
    assert all(p.exists() for p in written.paths) and len(written.paths) == 13
    record = json.loads((tmp_path / "many/tracks.json").read_text())
    assert [t["seed"] for t in record["tracks"]] == [SEED, SEED + 1, SEED + 2]
    assert record["tracks"][0]["files"]["echoes"] == f"{files.name_of(draw_track(SEED, echoes=80))}.nc"
    read = altika_sgdr.read(tmp_path / "many" / record["tracks"][1]["files"]["echoes"])
    np.testing.assert_array_equal(read.waveform, draw_track(SEED + 1, echoes=80).waveform)
    assert read.release == "SGDR-T" and any(n.code == "pass" for n in read.notes)
    with pytest.raises(UsageError, match="overwrite"):
        simulate_tracks(tmp_path / "many", Options(seed=SEED, echoes=80))
    simulate_tracks(tmp_path / "many", Options(seed=SEED, echoes=80), overwrite=True)
    assert len(list((tmp_path / "many").glob("*.nc"))) == 1


def test_only_simulations_are_replaced(tmp_path):
    options = Options(seed=1, echoes=40)
    simulate_track(tmp_path / "t.nc", options)
    with pytest.raises(UsageError, match="overwrite"):
        simulate_track(tmp_path / "t.nc", options)
    simulate_track(tmp_path / "t.nc", options, overwrite=True)
    (tmp_path / "u_truth.nc").write_text("mine")
    with pytest.raises(OutputError, match="is no result of polynya"):
        simulate_track(tmp_path / "u.nc", options, overwrite=True)
    assert (tmp_path / "u_truth.nc").read_text() == "mine" and not (tmp_path / "u.nc").exists()


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("t.h5", {}, "ends in .nc"),
        ("t.nc", {"cell_m": 20.0}, "40 to 100"),
        ("t.nc", {"echoes": 50}, "multiple"),
        ("t.nc", {"ranges": "hard"}, "standard"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, name, options, word):
    with pytest.raises(UsageError, match=word):
        simulate_track(tmp_path / name, Options(**options))
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path):
    run = CliRunner().invoke
    one = run(cli.app, ["simulate", "altika", str(tmp_path / "t.nc"), "--echoes", "40", "--seed", "3"])
    assert one.exit_code == 0, one.output
    assert [line.rsplit("/", 1)[-1] for line in one.stdout.split()] == [
        "t.nc",
        "t_truth.nc",
        "t_sar_leads.tif",
        "t_true_leads.tif",
        "t.json",
    ]
    many = run(
        cli.app,
        ["simulate", "altika", str(tmp_path / "f"), "--count", "2", "--echoes", "40", "--range", "stress", "--json"],
    )
    assert many.exit_code == 0 and [t["ranges"] for t in json.loads(many.stdout)["tracks"]] == ["stress", "stress"]
    wrong = run(cli.app, ["simulate", "altika", str(tmp_path / "u.nc"), "--count", "2"])
    assert isinstance(wrong.exception, UsageError) and "folder" in str(wrong.exception)
