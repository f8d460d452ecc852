"""polynya label ECHOES --lead-map MAP: simulated tracks, their radar maps, and maps drawn here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from scipy import ndimage
from typer.testing import CliRunner

from polynya import io, schema
from polynya.cli import app
from polynya.errors import PolynyaError, one_line
from polynya.readers import altika_sgdr
from polynya.samples import labelled_echoes
from polynya.schema.echoes import COLUMNS, Echoes
from polynya.schema.lead_labels import LABEL_COLUMNS, LEAD_LABELS
from polynya.simulate.altika.product import Options, simulate_tracks
from polynya.workflows import leads
from polynya.workflows.evaluate import leads as evaluate_leads

from ...labels.lead_tracks import write_map
from ...real_files import altimetry


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> Path:
    """Two tracks of 200 echoes with their maps; read only."""
    folder = tmp_path_factory.mktemp("lab") / "tracks"
    simulate_tracks(folder, Options(seed=11, echoes=200), count=2)
    return folder


@pytest.fixture(scope="module")
def echoes(tracks) -> list[Path]:
    return sorted(tracks.glob("*.nc"))


def radar_map(track: Path) -> Path:
    return track.parent / "truth" / f"{track.name.removesuffix('.nc')}_sar_leads.tif"


def command(*words: object) -> tuple[int, str, str]:
    """Run the command line as a user does; return exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["label", *map(str, words)])
    error = result.stderr
    if isinstance(result.exception, PolynyaError):
        return result.exception.exit_code, result.stdout, error + f"polynya: {one_line(result.exception)}\n"
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, error


def rejected(out: Path, code: int, *words: object) -> str:
    """Run the command; assert the exit code, one line on stderr and nothing written; return the line."""
    before = set(out.parent.iterdir())
    got, _, error = command(*words, "-o", out)
    lines = error.strip().splitlines()
    assert got == code, error
    assert len(lines) == 1 and lines[0].startswith("polynya: ") and lines[0].endswith("."), error
    assert "unexpected" not in error and "polynya failed on it" not in error
    assert set(out.parent.iterdir()) == before
    return lines[0]


def plainly(track: Path) -> tuple[np.ndarray, np.ndarray]:
    """Distances of a track by a distance transform of its map's pixels, and the tolerance: what nadir's place within
    its pixel may change."""
    from pyproj import Proj, Transformer

    read = altika_sgdr.read(track)
    with rasterio.open(radar_map(track)) as source:
        values, grid = source.read(1), source.transform
    x, y = Transformer.from_crs(4326, 3413, always_xy=True).transform(read.longitude, read.latitude)
    row, column = ((grid.f - y) // 80.0).astype(int), ((x - grid.c) // 80.0).astype(int)
    scale = Proj(3413).get_factors(read.longitude, read.latitude).meridional_scale
    return 80.0 * ndimage.distance_transform_edt(values != 1)[row, column] / scale, 57.0 / scale


def test_one_table_of_all_tracks(tracks, echoes, tmp_path):
    out = tmp_path / "labels.parquet"
    code, text, error = command(tracks, "--lead-map", tracks / "truth" / "*_sar_leads.tif", "-o", out)
    assert code == 0, error
    assert "of 400 echoes labelled" in text and "2 files, 2 lead maps" in text and str(out) in text
    table = io.read_table(out)
    assert [n for n in table.column_names] == [*COLUMNS, "waveform", *(v.name for v in LABEL_COLUMNS)]
    assert schema.check(table, LEAD_LABELS).num_rows == 400
    back = Echoes.from_table(table)
    whole = [altika_sgdr.read(p) for p in echoes]
    assert np.array_equal(back.waveform, np.concatenate([e.waveform for e in whole]))
    assert np.array_equal(back.time, np.concatenate([e.time for e in whole]))
    assert back.is_simulated and back.saturation == 1023 and back.mission == "SARAL"
    passes = table["pass_id"].to_pylist()
    expected = ["SARAL_{:03d}_{:04d}".format(*altika_sgdr.pass_of(p.name)) for p in echoes]
    assert passes == [expected[0]] * 200 + [expected[1]] * 200
    run = json.loads((tmp_path / "labels.run.json").read_text())
    assert run["numbers"]["n_echoes"] == 400 and len(run["lead_maps"]) == 2 and run["inputs"][0]["is_simulated"]
    assert sum(run["label_counts"].values()) == sum(run["flag_counts"].values()) == 400


def test_a_reversed_track_has_the_same_labels(echoes, tmp_path):
    """Widths are runs of neighbours, so order counts; NAME and pass stay those of the file."""
    back = tmp_path / echoes[0].name
    shutil.copy(echoes[0], back)
    with h5py.File(back, "a") as file:
        for node in file.values():
            if node.shape[:2] == (5, 40):
                node[...] = node[...].reshape(200, *node.shape[2:])[::-1].reshape(node.shape)
    for k, track in enumerate((echoes[0], back)):
        code, text, error = command(track, "--lead-map", radar_map(echoes[0]), "-o", tmp_path / f"{k}.parquet")
        assert code == 0 and ("not in the order of time" in text) == bool(k), error
    straight, turned = (io.read_table(tmp_path / f"{k}.parquet") for k in (0, 1))
    assert straight.column_names == turned.column_names
    for name in straight.column_names:
        assert str(straight[name].to_pylist()) == str(turned[name].to_pylist()), name


def test_a_threshold_whose_belt_leaves_the_circle_is_rejected(echoes, tmp_path):
    """Three thresholds are ambiguous, and the map is asked for 5 km around nadir only."""
    words = (echoes[0], "--lead-map", radar_map(echoes[0]), "--threshold-m")
    line = rejected(tmp_path / "a.parquet", 2, *words, 1700)
    assert "--threshold-m 1700" in line and "5 km" in line and "expected 1667 m at most" in line
    assert command(*words, 1666, "-o", tmp_path / "b.parquet")[0] == 0


def test_distances_are_those_of_a_distance_transform(echoes, tmp_path):
    for track in echoes:
        out = tmp_path / f"{track.stem}.parquet"
        assert command(track, "--lead-map", radar_map(track), "-o", out)[0] == 0
        found = schema.to_numpy(io.read_table(out)["lead_distance"])
        expected, tolerance = plainly(track)
        assert (np.abs(found - expected) <= tolerance).all()
        assert np.isfinite(found).all() and 0 < (found < 300).sum() < 200


def test_labels_agree_with_the_distances_of_the_simulator(echoes, tmp_path):
    """Half a pixel is what a map of 80 m cannot tell."""
    track = echoes[0]
    out = tmp_path / "labels.parquet"
    assert command(track, "--lead-map", radar_map(track), "-o", out)[0] == 0
    table = io.read_table(out)
    known = altika_sgdr.read(track, extra=("sar_lead_distance_m",)).extra["sar_lead_distance_m"]
    label = schema.to_numpy(table["label"])
    sure = np.abs(known - 300.0) > 90.0
    assert ((label == 1) == (known < 300.0))[sure].all()
    near = known < 8000.0
    assert np.abs(schema.to_numpy(table["lead_distance"]) - known)[near].max() < 90.0


def test_a_folder_has_a_table_for_each_file_and_a_page(tracks, echoes, tmp_path):
    out = tmp_path / "labels"
    words = (tracks, "--lead-map", tracks / "truth" / "*_sar_leads.tif", "-o", out, "--workers", 1)
    code, text, error = command(*words)
    assert code == 0, error
    assert sorted(p.name for p in out.glob("*.parquet")) == sorted(
        [*(f"{p.stem}.parquet" for p in echoes), "runs.parquet"]
    )
    assert (out / "index.html").is_file()
    times = {p: p.stat().st_mtime_ns for p in out.glob("*CNES.parquet")}
    code, text, _ = command(*words, "--json")
    answer = json.loads(text)
    assert code == answer["exit_code"] == 0 and [t["status"] for t in answer["tables"]] == ["skipped"] * 2
    assert {p: p.stat().st_mtime_ns for p in out.glob("*CNES.parquet")} == times


def test_in_a_folder_one_failure_leaves_the_others(tracks, echoes, tmp_path):
    out = tmp_path / "labels"
    code, _, error = command(*echoes, "--lead-map", radar_map(echoes[0]), "-o", out, "--workers", 1)
    assert code == 3 and error.count("\n") == 1 and echoes[1].name in error
    assert (out / f"{echoes[0].stem}.parquet").is_file() and not (out / f"{echoes[1].stem}.parquet").exists()


def test_the_same_again_is_done_and_other_settings_are_said(echoes, tmp_path):
    out = tmp_path / "labels.parquet"
    words = (echoes[0], "--lead-map", radar_map(echoes[0]), "-o", out)
    code, first, _ = command(*words)
    notes = [line for line in first.splitlines() if line.startswith("  - ")]
    assert code == 0 and any("no sea-ice concentration" in n for n in notes)
    again = command(*words)[1]
    assert "done before" in again and [line for line in again.splitlines() if line.startswith("  - ")] == notes
    code, _, error = command(*words, "--threshold-m", 500)
    assert code == 1 and "threshold_m" in error and "--overwrite" in error
    assert command(*words, "--threshold-m", 500, "--overwrite")[0] == 0
    assert io.table_metadata(out)[b"threshold_m"] == b"500.0"


def test_a_given_drift_is_stored_and_named(echoes, tmp_path):
    out = tmp_path / "labels.parquet"
    assert command(echoes[0], "--lead-map", radar_map(echoes[0]), "-o", out, "--drift-xy", 300, -400)[0] == 0
    table = io.read_table(out)
    labelled = schema.to_numpy(table["label"]) >= 0
    assert (schema.to_numpy(table["drift_x"])[labelled] == 300.0).all()
    assert json.loads(io.table_metadata(out)[b"drift_xy_m"]) == [300.0, -400.0]


def test_a_map_without_leads_is_said(echoes, tmp_path):
    with rasterio.open(radar_map(echoes[0])) as source:
        values, grid, tags = source.read(1), source.transform, source.tags()
    blank = np.where(values == 1, 0, values).astype(np.uint8)
    path = write_map(tmp_path / "none.tif", blank, left=grid.c, top=grid.f, time=tags["time"])
    out = tmp_path / "labels.parquet"
    code, text, _ = command(echoes[0], "--lead-map", path, "-o", out)
    assert code == 0 and "none.tif has no lead pixel" in text
    assert (schema.to_numpy(io.read_table(out)["label"]) == 0).all()


@pytest.fixture(scope="module")
def ice_grid(tracks, echoes, tmp_path_factory) -> Path:
    """80 % of ice, 10 % where y is below that of the first track's middle."""
    from pyproj import Transformer

    read = altika_sgdr.read(echoes[0])
    x, y = Transformer.from_crs(4326, 3413, always_xy=True).transform(read.longitude, read.latitude)
    left, top = 1000.0 * np.floor(x.min() / 1000.0) - 5000.0, float(y.max()) + 5000.0
    rows, columns = int((top - y.min()) // 1000) + 10, int((x.max() - left) // 1000) + 10
    values = np.full((rows, columns), 80.0, np.float32)
    values[int((top - np.median(y)) // 1000.0) :] = 10.0
    path = tmp_path_factory.mktemp("ice") / "ice.tif"
    write_map(path, values, left=left, top=top, pixel=1000.0, nodata=-1, units="%")
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "sea_ice_concentration")
    return path


def test_a_grid_of_concentration_takes_labels(echoes, ice_grid, tmp_path):
    out = tmp_path / "labels.parquet"
    words = (echoes[0], "--lead-map", radar_map(echoes[0]), "--concentration", ice_grid)
    code, text, error = command(*words, "-o", out)
    assert code == 0, error
    assert "sea ice concentration below limit" in text and "no sea-ice concentration" not in text
    flag = schema.to_numpy(io.read_table(out)["label_flag"])
    assert 90 <= (flag == 3).sum() <= 110 and set(flag.tolist()) == {0, 3}
    other = tmp_path / "low.parquet"
    assert command(*words, "--min-concentration", 5, "-o", other)[0] == 0
    assert (schema.to_numpy(io.read_table(other)["label_flag"]) == 0).all()


@pytest.mark.parametrize(("days", "says"), [(1, False), (-9, True), (None, False)])
def test_a_concentration_of_another_day_is_said(echoes, ice_grid, tmp_path, days, says):
    grid = tmp_path / "grid.tif"
    shutil.copy(ice_grid, grid)
    when = altika_sgdr.read(echoes[0]).time[0] + np.timedelta64(days or 0, "D")
    with rasterio.open(grid, "r+") as file:
        file.update_tags(time="some day" if days is None else f"{when.astype('datetime64[s]')}Z")
    words = (echoes[0], "--lead-map", radar_map(echoes[0]), "--concentration", grid)
    code, text, error = command(*words, "-o", tmp_path / "labels.parquet")
    assert code == 0, error
    assert ("9 days from the echoes" in text) == says


def test_summer_is_said(echoes, tmp_path):
    path = tmp_path / "summer.nc"
    shutil.copy(echoes[0], path)
    with h5py.File(path, "a") as file:
        seconds = (np.datetime64("2016-07-05") - np.datetime64("2000-01-01")) / np.timedelta64(1, "s")
        file["time_40hz"][...] += seconds - file["time_40hz"][0, 0]
    words = ("--lead-map", radar_map(echoes[0]))
    _, text, error = command(path, *words, "--map-time", "2016-07-05T00:00:00", "-o", tmp_path / "s.parquet")
    assert "200 labelled echoes lie in the melt season" in text, error
    assert "melt season" not in command(echoes[0], *words, "-o", tmp_path / "w.parquet")[1]


def test_bad_input_is_one_line_and_leaves_nothing(echoes, tmp_path):
    track, good = echoes[0], radar_map(echoes[0])
    out = tmp_path / "labels.parquet"
    elsewhere = write_map(
        tmp_path / "elsewhere.tif", np.zeros((300, 300), np.uint8), left=0, top=0, time="2016-01-15T10:00:00Z"
    )
    assert "none of its 200 echoes lies on elsewhere.tif" in rejected(out, 1, track, "--lead-map", elsewhere)
    late = rejected(out, 1, track, "--lead-map", good, "--map-time", "2016-12-01T00:00:00")
    assert "in time" in late and "--max-hours" in late
    no_crs = write_map(tmp_path / "plain.tif", np.zeros((3, 3), np.uint8), left=0, top=0, crs=None)
    assert "no coordinate system" in rejected(out, 1, track, "--lead-map", no_crs)
    assert "no such file" in rejected(out, 1, track, "--lead-map", tmp_path / "nothing.tif")
    assert "no such file" in rejected(out, 1, tmp_path / "nothing.nc", "--lead-map", good)
    assert "expected echoes of AltiKa" in rejected(out, 1, good, "--lead-map", good)
    assert "given more than once" in rejected(out, 2, track, track, "--lead-map", good)
    assert "matches nothing" in rejected(out, 1, track, "--lead-map", tmp_path / "*_leads.tif")
    assert "--map-time yesterday" in rejected(out, 2, track, "--lead-map", good, "--map-time", "yesterday")
    assert "--drift" in rejected(out, 2, track, "--lead-map", good, "--drift", "1", "1", "--drift-xy", "1", "1")
    assert "two finite numbers" in rejected(out, 2, track, "--lead-map", good, "--drift", "nan", "1")
    assert "--threshold-m" in rejected(out, 2, track, "--lead-map", good, "--threshold-m", "1")
    assert "--lead-map: expected" in rejected(out, 2, track, "--lead-map", good, "--image", "scene.tif")
    assert "belongs to echoes" in rejected(out, 2, track, "--drift", "1", "1", "--image", "scene.tif")
    assert "2 granules are given" in rejected(out, 2, track, track, "--image", "scene.tif")


def test_a_foreign_file_or_folder_is_not_replaced(echoes, tmp_path):
    out = tmp_path / "labels.parquet"
    out.write_text("mine")
    words = (echoes[0], "--lead-map", radar_map(echoes[0]))
    rejected(out, 1, *words)
    rejected(out, 1, *words, "--overwrite")
    assert out.read_text() == "mine"
    folder = tmp_path / "other.parquet"
    folder.mkdir()
    assert "is a folder" in rejected(folder, 2, *words)
    text = tmp_path / "text"
    text.write_text("mine")
    assert "does not end in .parquet" in rejected(text, 2, *words)


def test_cut_echoes_leave_nothing(echoes, tmp_path):
    cut = tmp_path / "cut.nc"
    shutil.copy(echoes[0], cut)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)
    rejected(tmp_path / "labels.parquet", 1, cut, "--lead-map", radar_map(echoes[0]))


def test_missions_are_not_mixed_in_one_table(echoes, tmp_path):
    from polynya.errors import UsageError
    from polynya.workflows.label.echoes import table

    one = altika_sgdr.read(echoes[0]).to_table().schema.metadata
    other = {**one, b"mission": b"CryoSat-2"}
    config = table.Config()
    with pytest.raises(UsageError, match=r"b: its mission is CryoSat-2, that of a SARAL.*folder"):
        table._about([one, other], ["a", "b"], config)


def test_a_sentinel_3_folder_names_its_table():
    from polynya.workflows.label import echoes as workflow

    assert workflow._name_of("data/S3A_SR_2.SEN3/enhanced_measurement.nc") == "S3A_SR_2"
    assert workflow._name_of("data/CS_OFFL.nc") == "CS_OFFL"


@pytest.mark.real
def test_real_cryosat_2_echoes_are_the_same_after_the_table(tmp_path):
    """In the south: EPSG:3976. A drawn map of stripes 2,960 m apart on the grid."""
    from pyproj import Proj, Transformer

    from polynya.readers import cryosat2_l1b

    path = altimetry("CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc")
    read = cryosat2_l1b.read(path)
    x, y = Transformer.from_crs(4326, 3976, always_xy=True).transform(read.longitude, read.latitude)
    left, top = 80.0 * np.floor(x.min() / 80.0) - 8000.0, 80.0 * np.ceil(y.max() / 80.0) + 8000.0
    values = np.zeros((int(top - y.min() + 8000.0) // 80, int(x.max() + 8000.0 - left) // 80), np.uint8)
    values[18::37] = 1
    drawn = write_map(
        tmp_path / "leads.tif", values, left=left, top=top, crs="EPSG:3976", time=str(read.time[150])[:19]
    )
    out = tmp_path / "labels.parquet"
    code, _, error = command(path, "--lead-map", drawn, "-o", out)
    assert code == 0, error
    table = io.read_table(out)
    back = Echoes.from_table(table)
    assert np.array_equal(back.power(), read.power()) and back.units == "W"
    centres = top - 80.0 * (np.arange(18, values.shape[0], 37) + 0.5)
    apart = np.abs(y[:, None] - centres).min(axis=1)
    expected = (
        np.hypot(apart, np.abs((x - left) % 80.0 - 40.0))
        / Proj(3976).get_factors(read.longitude, read.latitude).meridional_scale
    )
    found = schema.to_numpy(table["lead_distance"])
    outside = ((top - y) // 80.0).astype(int) % 37 != 18
    assert np.allclose(found[outside], expected[outside], atol=0.01) and (found[~outside] == 0.0).all()


@pytest.mark.real
def test_a_product_without_waveforms_is_rejected(echoes, tmp_path):
    path = altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc")
    assert "has no waveforms" in rejected(tmp_path / "labels.parquet", 1, path, "--lead-map", radar_map(echoes[0]))


def test_the_task_goes_to_other_processes():
    """Frozen, small, and equal after the way to a worker."""
    import pickle

    from polynya.workflows.label import echoes as workflow

    item = workflow.Item(echoes=("a.nc",), maps=("b.tif",), out="c.parquet")
    config = workflow.Config.checked(threshold_m=200.0, drift=(1.0, 2.0), lead_class=("lead",))
    assert pickle.loads(pickle.dumps((item, config))) == (item, config)


def test_a_folder_of_tables_is_data_and_reference(tracks, tmp_path):
    """The page of a run leaves its own table in the folder."""
    code, _, error = command(tracks, "--lead-map", tracks / "truth" / "*_sar_leads.tif", "-o", tmp_path / "labels")
    assert code == 0 and (tmp_path / "labels" / "runs.parquet").is_file(), error
    found = labelled_echoes.read([tmp_path / "labels"], names=("peakiness",), most_steps=2)
    assert len(found) == 400 and len(found.passes) == 2
    records = leads.run(sorted(tracks.glob("*.nc")), out=tmp_path / "leads", config=leads.Config(network="rule"))
    assert [r.status for r in records] == ["done", "done"]
    rows = evaluate_leads.run(tmp_path / "leads", reference=tmp_path / "labels").to_pylist()
    assert [r["value"] for r in rows if r["metric"] == "passes"] == [2.0]
