"""``polynya glaciers``: a scene folder to maps, outlines and a page, whole, georeferenced, bounded in memory, or not at
all."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
from shapely import box
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import OutputError, PolynyaError, UsageError
from polynya.io import polygons
from polynya.report import glacier_map
from polynya.scenes import scene as glacier_scene
from polynya.scenes.areas import area_km2
from polynya.workflows import glaciers

from . import pieces

PAGE = ("index.html", "index.run.json", "runs.parquet")
ALWAYS = {
    "probability.tif",
    "confidence.tif",
    "outlines.gpkg",
    "outlines.parquet",
    "uncertainty_band.gpkg",
    "report.html",
    "run.json",
    "ice_class.tif",
    *(f"{name}.qml" for name in ("probability", "confidence", "outlines", "uncertainty_band", "ice_class")),
}
OGGM = {"outlines_oggm.gpkg", "outlines_oggm.qml"}
BRIGHT = {("optical", 1): 12.0, ("optical", 4): -12.0}
"""Green minus short-wave infrared."""
RADIUS = 700.0


def cli(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(done.exception, PolynyaError):  # what main() does with it
        return done.exception.exit_code, done.stdout, f"{done.stderr}polynya: {done.exception}"
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A simulated scene of High Mountain Asia, 2.9 km wide, all six sensors."""
    from polynya.simulate.glaciers import files
    from polynya.simulate.glaciers.scene import Config, simulate_scene

    folder = tmp_path_factory.mktemp("simulated") / "sim"
    files.write(
        simulate_scene(Config(region="HMA", size=144, pixel_m=20.0, sun_elevation=35.0, cloud_cover=0.0), seed=5),
        folder,
    )
    return folder


@pytest.fixture(scope="module")
def disc(tmp_path_factory) -> Path:
    """A scene with one glacier, a disc of 700 m, its probability a logistic of the distance to the margin with 20 m."""
    geobox = pieces.grid(120, 130)
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=RADIUS)
    dem = np.stack([3000.0 + np.add.outer(np.arange(120), np.zeros(130)), np.full((120, 130), 3.0)])
    return pieces.write_scene(
        tmp_path_factory.mktemp("disc") / "disc",
        geobox,
        optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8)),
        dem=dem,
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return pieces.linear_network(tmp_path_factory.mktemp("networks") / "undo.onnx")


def config(*networks: Path, **more: object) -> glaciers.Config:
    return glaciers.Config.checked(network=tuple(str(n) for n in networks), runtime="onnxruntime", **more)


def test_a_scene_becomes_maps_outlines_and_a_page(simulated, tmp_path):
    net = pieces.linear_network(tmp_path / "bright.onnx", BRIGHT, bias=-2.0)
    code, said, _ = cli(
        "glaciers",
        simulated,
        "-o",
        tmp_path / "out",
        "--network",
        net,
        "--runtime",
        "onnxruntime",
        "--rgi-region",
        "15",
        "--threads",
        "1",
    )
    assert code == 0
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == ALWAYS | OGGM
    assert all(f"wrote {p}" in said for p in out.iterdir())
    with rasterio.open(simulated / "optical.tif") as source:
        optical, crs, transform = source.read(), source.crs, source.transform
    logit = 12.0 * np.nan_to_num(optical[1]) - 12.0 * np.nan_to_num(optical[4]) - 2.0
    expected = 1.0 / (1.0 + np.exp(-logit))
    for name in ("probability", "confidence"):
        with rasterio.open(out / f"{name}.tif") as file:
            assert (file.crs, file.transform, file.shape, file.dtypes) == (
                crs,
                transform,
                optical.shape[1:],
                ("float32",),
            ) and np.isnan(file.nodata)
            assert (
                file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                and file.tags()["scene"] == io.read_json(simulated / "scene.json")["name"]
            )
            found = file.read(1)
        seen = np.isfinite(found)
        assert seen.all()  # the DEM saw every pixel
        np.testing.assert_allclose(
            found[seen], (expected if name == "probability" else np.maximum(expected, 1 - expected))[seen], atol=1e-4
        )
    table, parquet = gpd.read_file(out / "outlines.gpkg"), gpd.read_parquet(out / "outlines.parquet")
    assert (
        set(table.columns) - {"geometry"} <= set(polygons.ATTRIBUTES)
        and len(table) == len(parquet) > 0
        and table.crs == crs
    )
    about = io.read_json(simulated / "scene.json")
    assert (
        (parquet["src_date"] == about["time"]).all()
        and (parquet["area_low_km2"] < parquet["area_km2"]).all()
        and (parquet["area_km2"] < parquet["area_high_km2"]).all()
    )
    assert (
        parquet["area_km2"].to_numpy() == pytest.approx(area_km2(parquet))
        and parquet["area_km2"].is_monotonic_decreasing
        and parquet["area_km2"].min() >= 0.01
    )
    record = io.read_json(out / "run.json")
    assert record["area_km2"] == pytest.approx(parquet["area_km2"].sum()) and record["inputs"][0]["used"] == list(
        glacier_scene.open_scene(simulated).sensors
    )
    assert (
        record["network"][0]["sha256"]
        and record["config"]["threshold"] == 0.5
        and set(record["outputs"].values()) == {p.name for p in out.iterdir()} - {"run.json"}
    )
    page = (out / "report.html").read_text()
    assert glacier_map.SIMULATED in page and page.count("no satellite measured it") == 1
    assert said.count("no satellite measured it") == 1 and record["is_simulated"] is True
    assert parquet["is_simulated"].all() and table["is_simulated"].all()
    for name in ("outlines.gpkg", "outlines_oggm.gpkg", "uncertainty_band.gpkg"):
        assert "simulated" in pyogrio.read_info(out / name)["layer_metadata"]
    with rasterio.open(out / "probability.tif") as file:
        assert "no satellite" in file.tags()["simulated"]
    assert b"simulated" in pq.read_schema(out / "outlines.parquet").metadata
    assert (
        "without sun" in page
        and "default-src 'none'" in page
        and not re.search(r"""(src|href)\s*=\s*["']?(http|//)""", page)
    )


def test_clean_and_debris_covered_ice_are_split(tmp_path):
    """A disc whose east half has the colours of rock: its cover is half debris; divides of a ridge; complexes."""
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=RADIUS)
    optical = pieces.optical_of(np.clip(inside / 20.0, -8, 8))
    optical[4, :, :65] = 0.02  # red is 0.17: clean in the west; 0.25 in the east
    across = np.abs(np.indices((120, 130))[1] - 65.0)
    dem = np.stack([4000.0 - 8.0 * across, np.full((120, 130), 3.0)])
    scene = pieces.write_scene(tmp_path / "split", pieces.grid(120, 130), optical=optical, dem=dem)
    net = pieces.linear_network(tmp_path / "net.onnx")
    result = glaciers.run([scene], out=tmp_path / "out", config=config(net, divides="dem", complexes=True))
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet")
    half = 0.5 * np.pi * RADIUS**2 * 1e-6
    assert len(table) == 2 and table["area_km2"].to_numpy() == pytest.approx([half, half], rel=0.05)
    assert sorted(table["debris_km2"] / table["area_km2"]) == pytest.approx([0.0, 1.0], abs=0.04)
    record = io.read_json(tmp_path / "out/run.json")["cover"]
    assert record["clean"]["area_km2"] == pytest.approx(half, rel=0.03)
    assert record["debris_covered"]["low_km2"] < half < record["debris_covered"]["high_km2"]
    kinds = pieces.values_of(tmp_path / "out/ice_class.tif")
    assert set(np.unique(kinds[:, :65])) == {0, 1} and set(np.unique(kinds[:, 65:])) == {0, 2}
    assert "clean" in glaciers.as_text(result) and "debris-covered" in (tmp_path / "out/report.html").read_text()
    whole = gpd.read_file(tmp_path / "out/complexes.gpkg")
    assert len(whole) == 1 and whole["count"].tolist() == [2]
    assert len(gpd.read_file(tmp_path / "out/intersects.gpkg")) == 1


def test_area_and_interval_of_a_disc(disc, network, tmp_path):
    """The truth is pi r² on the map; UTM's scale here takes off under 0.1 %; the interval of a margin of ± some 20 m
    holds it."""
    result = glaciers.run([disc], out=tmp_path / "out", config=config(network))
    truth = np.pi * RADIUS**2 * 1e-6
    assert result.n_outlines == 1 and result.total.value == pytest.approx(truth, rel=0.01)
    assert result.total.low < truth < result.total.high and 0.02 < (result.total.high - result.total.low) / truth < 0.5
    row = gpd.read_parquet(tmp_path / "out/outlines.parquet").iloc[0]
    assert (row["zmin_m"], row["zmax_m"]) == pytest.approx((3000 + 60 - 35, 3000 + 60 + 34), abs=1.5) and row[
        "slope_deg"
    ] == pytest.approx(3.0)
    assert abs((row["aspect_deg"] + 180.0) % 360.0 - 180.0) < 3.0  # the heights grow to the south
    band = gpd.read_file(tmp_path / "out/uncertainty_band.gpkg")
    width = band.area.sum() / (2 * np.pi * RADIUS)  # confidence is below .95 within logit(.95) x 20 m on both sides
    assert width == pytest.approx(2 * 20.0 * np.log(0.95 / 0.05), rel=0.1)


def test_how_errors_go_together_is_the_networks_own_unless_told(tmp_path):
    """Nine glaciers in nine blocks: independent errors give a total's interval a third as wide, relative to the total,
    as errors that are one."""
    centres = [(1600.0 + 3200.0 * i, 1600.0 + 3200.0 * j) for i in range(3) for j in range(3)]
    inside = pieces.discs((480, 480), pixel_m=20.0, centres=centres, radius_m=900.0)
    scene = pieces.write_scene(
        tmp_path / "nine", pieces.grid(480, 480), optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8))
    )
    networks = {
        rho: pieces.linear_network(tmp_path / f"rho{k}.onnx", areas={"between_blocks": rho, "sd": 1.0})
        for k, rho in enumerate((0.0, 1.0))
    }
    width = {}
    for rho, told in ((0.0, None), (1.0, None), (1.0, 0.0)):
        name = f"{rho}-{told}"
        total = glaciers.run([scene], out=tmp_path / name, config=config(networks[rho], between_blocks=told)).total
        width[name] = total.high - total.low
        assert io.read_json(tmp_path / name / "run.json")["between_blocks"] == (rho if told is None else told)
    assert width["1.0-None"] / width["0.0-None"] == pytest.approx(3.0, rel=0.1) and width["1.0-0.0"] == pytest.approx(
        width["0.0-None"]
    )


def test_missing_sensors_are_named(disc, network, tmp_path):
    result = glaciers.run([disc], out=tmp_path / "out", config=config(network))
    note = next(n for n in result.notes if n.startswith("mapped without"))
    assert (
        note
        == "mapped without co_pol_sar, cross_pol_sar, in_sar, thermal, which undo could use and the scene does not have"
    )
    assert (
        note in (tmp_path / "out/report.html").read_text() and note in io.read_json(tmp_path / "out/run.json")["notes"]
    )


def test_only_the_sensors_asked_for(disc, tmp_path):
    net = pieces.linear_network(tmp_path / "two.onnx", {("optical", 0): 40.0, ("dem", 1): 100.0}, bias=-20.0)
    result = glaciers.run([disc], out=tmp_path / "a", config=config(net, sensors=("optical",)))
    assert result.total.value == pytest.approx(np.pi * RADIUS**2 * 1e-6, rel=0.01)
    assert glaciers.run([disc], out=tmp_path / "b", config=config(net)).total.value > 5.0  # with the slope all is ice


def test_radar_out_of_register_is_left_out_unless_kept(tmp_path):
    scene = tmp_path / "scenes"
    assert (
        cli(
            "simulate",
            "glacier-scene",
            scene,
            "--size",
            256,
            "--pixel-m",
            20,
            "--region",
            "ALP",
            "--seed",
            2,
            "--cloud-cover",
            0,
            "--sar-shift-m",
            700,
            -400,
        )[0]
        == 0
    )
    net = pieces.linear_network(tmp_path / "net.onnx", {**BRIGHT, ("co_pol_sar", 0): 50.0}, bias=-2.0)
    words = ("glaciers", scene / "date1", "--network", net, "--runtime", "onnxruntime", "--json", "-o")
    code, plain, _ = cli(*words, tmp_path / "plain")
    assert code == 0
    told = json.loads(plain)
    assert any(
        re.match(r"co_pol_sar was left out: co_pol_\w+ is misregistered by about \d+ m", n) for n in told["notes"]
    ), told["notes"]
    assert "co_pol_sar" not in io.read_json(tmp_path / "plain/run.json")["inputs"][0]["used"]
    code, kept, _ = cli(*words, tmp_path / "kept", "--use-misregistered")
    assert code == 0 and any("co_pol_sar is used although" in n for n in json.loads(kept)["notes"])
    assert not np.allclose(
        pieces.values_of(tmp_path / "kept/probability.tif"),
        pieces.values_of(tmp_path / "plain/probability.tif"),
        atol=0.01,
    )


def test_divides_and_identifiers_of_an_inventory_are_kept(disc, network, tmp_path):
    x, y = 640_000 + 1300, 5_190_000 - 1200
    west, east = box(x - 900, y - 900, x + 100, y + 900), box(x + 100, y - 900, x + 900, y + 900)
    known = gpd.GeoDataFrame(
        {"rgi_id": ["RGI60-11.00001", "RGI60-11.00002"], "area_km2": [1.0, 1.0], "glac_name": ["West", "East"]},
        geometry=[west, east],
        crs="EPSG:32632",
    )
    known.to_crs("EPSG:4326").to_file(tmp_path / "inventory.gpkg")
    assert (
        cli(
            "glaciers",
            disc,
            "-o",
            tmp_path / "out",
            "--network",
            network,
            "--runtime",
            "onnxruntime",
            "--inventory",
            tmp_path / "inventory.gpkg",
        )[0]
        == 0
    )
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet").set_index("rgi_id")
    assert set(table.index) == set(known["rgi_id"])
    segment = RADIUS**2 * np.arccos(100 / RADIUS) - 100 * np.sqrt(
        RADIUS**2 - 100**2
    )  # of a disc, beyond a chord 100 m off its centre
    assert table.loc["RGI60-11.00002", "area_km2"] == pytest.approx(segment * 1e-6, rel=0.01)
    assert (
        table["area_km2"].sum() == pytest.approx(np.pi * RADIUS**2 * 1e-6, rel=0.01)
        and table.loc["RGI60-11.00001", "glac_name"] == "West"
    )
    assert "West" in (tmp_path / "out/report.html").read_text()


def test_outlines_for_oggm(disc, simulated, network, tmp_path):
    glaciers.run([disc], out=tmp_path / "alps", config=config(network))
    frame = gpd.read_file(tmp_path / "alps/outlines_oggm.gpkg")
    assert set(frame.columns) == {*polygons.OGGM_COLUMNS, "geometry"} and frame.crs.to_epsg() == 4326
    assert (
        (frame["o1region"] == "11").all()
        and frame["rgi_id"].tolist() == ["POLYNYA-11-00001"]
        and frame["src_date"].tolist() == [pieces.TIME[:19]]
    )
    bright = pieces.linear_network(tmp_path / "bright.onnx", BRIGHT, bias=-2.0)
    result = glaciers.run(
        [simulated], out=tmp_path / "asia", config=config(bright)
    )  # three regions of the RGI: nobody knows which
    assert "outlines_oggm.gpkg" not in result.files and any("Pass --rgi-region, two digits" in n for n in result.notes)
    glaciers.run(
        [simulated],
        out=tmp_path / "asia2",
        config=config(bright, rgi_region="15"),
        inventory=simulated / "outlines.gpkg",
    )
    assert set(gpd.read_file(tmp_path / "asia2/outlines_oggm.gpkg")["o1region"]) == {"15"}


def test_nothing_half_written_stays(disc, network, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise PolynyaError("the page cannot be written")

    monkeypatch.setattr(glacier_map, "write", broken)
    with pytest.raises(PolynyaError, match="the page"):
        glaciers.run([disc], out=tmp_path / "out", config=config(network))
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_by_chance(disc, network, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    glaciers.run([disc], out=out, config=config(network))  # an empty folder is as good as none
    before = (out / "run.json").read_bytes()
    with pytest.raises(UsageError, match="exists already; expected a new name"):
        glaciers.run([disc], out=out, config=config(network))
    assert (out / "run.json").read_bytes() == before
    glaciers.run([disc], out=out, config=config(network, threshold=0.9), overwrite=True)
    assert io.read_json(out / "run.json")["config"]["threshold"] == 0.9
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no result of polynya"):
            glaciers.run([disc], out=other, config=config(network), overwrite=overwrite)
    assert (other / "chapter1.tex").read_text() == "years of work"


def test_each_skips_what_is_done_and_goes_on_after_a_bad_scene(disc, network, tmp_path):
    scenes = tmp_path / "scenes"
    for name in ("a", "b"):
        shutil.copytree(disc, scenes / name)
    (scenes / "bad").mkdir()
    (scenes / "bad/optical.tif").write_bytes(b"no picture")
    words = [
        "glaciers",
        *(scenes / n for n in ("a", "bad", "b")),
        "--each",
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
        "--json",
    ]
    code, said, _ = cli(*words)
    assert code == 3 and [r["status"] for r in json.loads(said)] == ["done", "failed", "done"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a", "b", *PAGE} and "optical.tif" in json.loads(said)[1][
        "message"
    ]
    first = (tmp_path / "out/a/run.json").stat().st_mtime_ns
    shutil.rmtree(tmp_path / "out/b")
    code, said, _ = cli(*words)
    assert code == 3 and [r["status"] for r in json.loads(said)] == ["skipped", "failed", "done"]
    assert (tmp_path / "out/a/run.json").stat().st_mtime_ns == first
    code, said, _ = cli(*words, "--threshold", 0.7)
    assert code == 1 and "holds a result of other settings (threshold)" in json.loads(said)[0]["message"]
    code, said, _ = cli(*words, "--threshold", 0.7, "--overwrite")
    assert code == 3 and io.read_json(tmp_path / "out/a/run.json")["config"]["threshold"] == 0.7


def test_scenes_of_one_name_get_folders_of_their_own(disc, network, tmp_path):
    for name in ("one/date1", "two/date1"):
        shutil.copytree(disc, tmp_path / name)
    code, _, _ = cli(
        "glaciers",
        tmp_path / "one/date1",
        tmp_path / "two/date1",
        "--each",
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
    )
    assert code == 0 and {p.name for p in (tmp_path / "out").iterdir()} == {"one_date1", "two_date1", *PAGE}
    code, _, said = cli(
        "glaciers",
        tmp_path / "one/date1",
        tmp_path / "one/date1",
        "--each",
        "-o",
        tmp_path / "out2",
        "--network",
        network,
    )
    assert code == 2 and "is given twice" in said


def test_each_does_not_take_another_scene_of_one_name_for_done(disc, network, tmp_path):
    for name in ("one/date1", "two/date1"):
        shutil.copytree(disc, tmp_path / name)
    told = io.read_json(tmp_path / "two/date1/scene.json")
    (tmp_path / "two/date1/scene.json").write_text(json.dumps({**told, "time": "2023-08-01T10:00:00Z"}))
    words = ["--each", "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime", "--json"]
    assert cli("glaciers", tmp_path / "one/date1", *words)[0] == 0
    assert json.loads(cli("glaciers", tmp_path / "one/date1", *words)[1])[0]["status"] == "skipped"
    code, said, _ = cli("glaciers", tmp_path / "two/date1", *words)
    assert code == 1 and "holds a result of another scene" in json.loads(said)[0]["message"]


def test_one_scene_is_mapped_once(disc, network, tmp_path):
    """The same command again maps nothing; other settings say what is there and replace nothing but on --overwrite."""
    words = ["glaciers", disc, "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime"]
    assert cli(*words)[0] == 0
    before = (tmp_path / "out/run.json").read_bytes()
    code, said, _ = cli(*words)
    assert code == 0 and "done before from the same files and settings" in said
    code, said, _ = cli(*words, "--json")
    assert code == 0 and json.loads(said)["status"] == "skipped" and json.loads(said)["area_km2"] > 1.0
    code, _, error = cli(*words, "--threshold", "0.9")
    assert code != 0 and "--overwrite" in error and (tmp_path / "out/run.json").read_bytes() == before
    assert cli(*words, "--threshold", "0.9", "--overwrite")[0] == 0
    assert io.read_json(tmp_path / "out/run.json")["config"]["threshold"] == 0.9


def test_each_maps_a_scene_anew_whose_pixels_changed(disc, network, tmp_path):
    """The same name, time and size of file: only the pixels tell that the result is not of this scene any more."""
    scene = shutil.copytree(disc, tmp_path / "scenes/a")
    words = ["glaciers", scene, "--each", "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime"]
    code, said, _ = cli(*words, "--json")
    (first,) = json.loads(said)
    assert code == 0 and first["numbers"]["area_km2"] > 1.0
    assert json.loads(cli(*words, "--json")[1])[0]["status"] == "skipped"
    with rasterio.open(scene / "optical.tif", "r+") as file:
        file.write(np.full((file.count, *file.shape), 0.02, np.float32))
    code, said, _ = cli(*words, "--json")
    (record,) = json.loads(said)
    assert code == 1 and record["status"] == "failed" and "holds a result of another scene;" in record["message"]
    assert io.read_json(tmp_path / "out/a/run.json")["area_km2"] == first["numbers"]["area_km2"]
    code, said, _ = cli(*words, "--json", "--overwrite")
    assert code == 0 and json.loads(said)[0]["numbers"]["area_km2"] == 0.0


def test_another_network_inventory_or_file_of_the_scene_is_another_result(disc, network, tmp_path):
    scene = shutil.copytree(disc, tmp_path / "scenes/a")
    words = ["glaciers", scene, "--each", "-o", tmp_path / "out", "--runtime", "onnxruntime", "--json"]
    assert cli(*words, "--network", network)[0] == 0
    other = pieces.linear_network(tmp_path / "other.onnx", {("optical", 0): 40.0}, bias=-18.0)
    moved = shutil.copy(network, tmp_path / "moved.onnx")
    assert json.loads(cli(*words, "--network", moved)[1])[0]["status"] == "skipped"
    assert "of another network;" in json.loads(cli(*words, "--network", other)[1])[0]["message"]
    inventory = tmp_path / "out/a/outlines.gpkg"
    said = json.loads(cli(*words, "--network", network, "--inventory", inventory)[1])
    assert "of another inventory;" in said[0]["message"]
    (scene / "more.txt").write_text("a file more in the folder")
    assert "of another scene;" in json.loads(cli(*words, "--network", network)[1])[0]["message"]


def test_networks_are_averaged_and_their_spread_written(disc, network, tmp_path):
    other = pieces.linear_network(tmp_path / "other.onnx", {("optical", 0): 40.0}, bias=-18.0)  # a logit 2 higher
    glaciers.run([disc], out=tmp_path / "one", config=config(network))
    assert not (tmp_path / "one/spread.tif").exists()
    glaciers.run([disc], out=tmp_path / "two", config=config(network, other))
    p = pieces.values_of(tmp_path / "one/probability.tif").astype(float)
    q = 1.0 / (1.0 + (1.0 / p - 1.0) * np.exp(-2.0))
    np.testing.assert_allclose(pieces.values_of(tmp_path / "two/probability.tif"), (p + q) / 2, atol=1e-4)
    np.testing.assert_allclose(pieces.values_of(tmp_path / "two/spread.tif"), np.abs(p - q) / 2, atol=1e-4)


def test_turns_and_threads_change_nothing_for_a_network_without_direction(simulated, tmp_path):
    net = pieces.linear_network(tmp_path / "mean.onnx", BRIGHT, bias=-2.0, kernel=5)
    found = {}
    for name, turns, threads in (("plain", 1, 1), ("threads", 1, 3), ("turns", 8, 1)):
        glaciers.run([simulated], out=tmp_path / name, config=config(net, turns=turns), threads=threads)
        found[name] = pieces.values_of(tmp_path / name / "probability.tif")
    assert np.array_equal(found["plain"], found["threads"])
    assert (tmp_path / "plain/outlines.parquet").read_bytes() == (tmp_path / "threads/outlines.parquet").read_bytes()
    np.testing.assert_allclose(found["turns"], found["plain"], atol=1e-5)


@pytest.mark.parametrize(
    ("region", "told", "value"), [("auto", "ALP", 3.0), ("HMA", "HMA", -3.0), ("unknown", "unknown", 1.0)]
)
def test_the_region_that_a_network_has_evidence(region, told, value, disc, tmp_path):
    net = pieces.linear_network(tmp_path / "net.onnx", {}, regions={"ALP": 3.0, "HMA": -3.0, "unknown": 1.0})
    glaciers.run([disc], out=tmp_path / "out", config=config(net, region=region))
    assert io.read_json(tmp_path / "out/run.json")["region"] == told
    np.testing.assert_allclose(
        pieces.values_of(tmp_path / "out/probability.tif"), 1.0 / (1.0 + np.exp(-value)), atol=1e-5
    )


BAD = {
    "no scene": (["{tmp}/nothing"], "no such scene"),
    "an empty folder": (["{tmp}/empty"], "holds none of optical.tif"),
    "no network": (["{disc}", "--network", "glavitu-huge"], "--network glavitu-huge: no such network; expected 'rule'"),
    "a network of tracks": (["{disc}", "--network", "track-unet"], "metadata property 'polynya', kind"),
    "rule and network": (["{disc}", "--network", "rule", "--network", "{net}"], "--network rule: cannot be averaged"),
    "the rule turned": (["{disc}", "--network", "rule", "--tta"], "--network rule: makes no predictions to average"),
    "a region that is none": (["{disc}", "--region", "MARS"], "--region MARS: no such region"),
    "a region for a network without": (
        ["{disc}", "--region", "HMA"],
        "--region HMA: network undo has no region encoding",
    ),
    "a sensor that is none": (["{disc}", "--sensor", "sonar"], "--sensor sonar: no such sensor"),
    "a sensor that is not there": (
        ["{disc}", "--sensor", "thermal"],
        "--sensor thermal: cannot be used: the scene has optical, dem",
    ),
    "no dropout": (["{disc}", "--mc-dropout", "5"], "--mc-dropout: network undo.onnx has no dropout"),
    "a threshold of 2": (["{disc}", "--threshold", "2"], "--threshold 2.0"),
    "no inventory": (["{disc}", "--inventory", "{tmp}/no.gpkg"], "no.gpkg: no such file"),
    "no reference": (["{disc}", "--reference", "{tmp}/no.tif"], "no.tif: no such file"),
    "a reference for each": (
        ["{disc}", "--each", "--reference", "{disc}/optical.tif"],
        "--reference: is for one scene",
    ),
    "a region of the RGI that is none": (["{disc}", "--rgi-region", "ALP"], "--rgi-region ALP"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_done_is_said_in_one_line(case, disc, network, tmp_path):
    (tmp_path / "empty").mkdir()
    words, expected = BAD[case]
    words = [w.format(tmp=tmp_path, disc=disc, net=network) for w in words]
    words = words if "--network" in words else [*words, "--network", network]
    code, said, error = cli("glaciers", *words, "-o", tmp_path / "out", "--runtime", "onnxruntime")
    of_files = case in (
        "no scene",
        "an empty folder",
        "a network of tracks",
        "no inventory",
        "no reference",
    )  # others are mistakes on the command line
    assert code == (1 if of_files else 2) and expected in error and len(error.strip().splitlines()) == 1, error
    assert said == "" and not (tmp_path / "out").exists()


def test_a_scene_that_nobody_saw(network, tmp_path):
    nothing = np.full((6, 40, 40), np.nan)
    scene = pieces.write_scene(tmp_path / "night", pieces.grid(40, 40), optical=nothing)
    for net in (network, "rule"):
        code, _, said = cli("glaciers", scene, "-o", tmp_path / "out", "--network", net, "--runtime", "onnxruntime")
        assert code == 1 and "night: no pixel has data in optical" in said
    assert {p.name for p in tmp_path.iterdir()} == {"night"}


def test_a_scene_without_ice(network, tmp_path):
    scene = pieces.write_scene(
        tmp_path / "sahara", pieces.grid(40, 40), optical=pieces.optical_of(np.full((40, 40), -6.0))
    )
    code, said, _ = cli(
        "glaciers", scene, "-o", tmp_path / "out", "--network", network, "--runtime", "onnxruntime", "--json"
    )
    told = json.loads(said)
    assert code == 0 and told["outlines"] == 0 and told["area_km2"] == 0.0 and "no glacier was found" in told["notes"]
    assert (
        len(polygons.read(tmp_path / "out/outlines.gpkg")) == 0
        and "0 outlines" in (tmp_path / "out/report.html").read_text()
    )


def test_ice_below_the_least_area_has_evidence_of(network, tmp_path):
    logit = np.full((60, 300), -8.0)
    logit[20:24, 20:24] = 8.0  # 0.0064 km2
    logit[5:55, 200:290] = 8.0
    scene = pieces.write_scene(tmp_path / "specks", pieces.grid(60, 300), optical=pieces.optical_of(logit))
    result = glaciers.run([scene], out=tmp_path / "out", config=config(network))
    assert result.n_outlines == 1 and result.total.value == pytest.approx(50 * 90 * 400e-6, rel=0.005)


def test_the_rule_has_no_probability_and_no_interval(disc, tmp_path):
    bright = pieces.optical_of(np.zeros((40, 60)))
    bright[1:4, 10:30, 20:50] = 0.8
    scene = pieces.write_scene(tmp_path / "snow", pieces.grid(40, 60), optical=bright)
    code, said, _ = cli("glaciers", scene, "-o", tmp_path / "out", "--network", "rule", "--json")
    told = json.loads(said)
    assert (
        code == 0
        and told["area_km2"] == pytest.approx(20 * 30 * 400e-6, rel=0.01)
        and told["area_low_km2"] is None
        and told["by_colour"] == {}
    )
    assert set(np.unique(pieces.values_of(tmp_path / "out/probability.tif"))) == {0.0, 1.0}
    assert "No intervals" in (tmp_path / "out/report.html").read_text()


def test_the_rule_of_heights_leaves_no_steps_between_strips(tmp_path):
    """Without optical bands the rule is the upper half of the whole scene, not of each strip of 512 rows."""
    height = np.linspace(2000.0, 4000.0, 1100)[:, None] * np.ones((1, 30))
    scene = pieces.write_scene(
        tmp_path / "heights", pieces.grid(1100, 30), dem=np.stack([height, np.full(height.shape, 5.0)])
    )
    glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",)))
    found = pieces.values_of(tmp_path / "out/probability.tif")
    edge = int(np.flatnonzero(found[:, 0] == 1)[0])
    assert abs(edge - 550) <= 16 and (found[edge:] == 1).all() and (found[:edge] == 0).all()


def test_the_rule_leaves_empty_what_the_optical_image_did_not_see(tmp_path):
    """The first strip of 512 rows has heights only: alone it would be mapped by the DEM."""
    optical = np.full((6, 700, 30), 0.1)
    optical[:4, 600:] = 0.8
    optical[:, :540] = np.nan
    scene = pieces.write_scene(
        tmp_path / "half",
        pieces.grid(700, 30),
        optical=optical,
        dem=np.stack([np.full((700, 30), 3000.0), np.full((700, 30), 5.0)]),
    )
    glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",)))
    found = pieces.values_of(tmp_path / "out/probability.tif")
    assert np.isnan(found[:540]).all() and (found[540:600] == 0).all() and (found[600:] == 1).all()


def test_the_rule_says_when_it_has_no_infrared_to_go_by(tmp_path):
    optical = np.full((6, 60, 60), 0.5)
    optical[3:] = np.nan
    scene = pieces.write_scene(
        tmp_path / "rgb",
        pieces.grid(60, 60),
        optical=optical,
        dem=np.stack([np.full((60, 60), 3000.0), np.full((60, 60), 5.0)]),
    )
    notes = glaciers.run([scene], out=tmp_path / "out", config=glaciers.Config(network=("rule",))).notes
    assert any("by the DEM alone" in n and "above 3000 m" in n for n in notes)


def test_an_inventory_of_another_place_is_said_and_the_ice_is_new(disc, network, tmp_path):
    far = gpd.GeoDataFrame(
        {"RGIId": ["RGI60-11.00001"], "O1Region": ["11"], "O2Region": ["1"]},
        geometry=[box(700_000, 5_180_000, 701_000, 5_181_000)],
        crs="EPSG:32632",
    )
    far.to_file(tmp_path / "far.gpkg")
    done = glaciers.run(
        [disc], out=tmp_path / "out", config=config(network, rgi_region="11"), inventory=tmp_path / "far.gpkg"
    )
    assert any("none of its glaciers lies in the scene" in n for n in done.notes)
    assert (
        list(polygons.read(tmp_path / "out/outlines.gpkg")["rgi_id"]) == [""]
        and (tmp_path / "out/outlines_oggm.gpkg").exists()
    )


def test_a_long_scene_is_never_read_whole(network, tmp_path, monkeypatch):
    """1400 x 600 pixels: the network's pass reads every pixel once in strips of a window; afterwards at most blocks of
    1024 are read."""
    shape = (1400, 600)
    inside = pieces.discs(shape, pixel_m=20.0, centres=[(6000.0, 15_000.0)], radius_m=4000.0)
    dem = np.stack([np.full(shape, 3000.0), np.full(shape, 5.0)])
    scene = pieces.write_scene(
        tmp_path / "long",
        pieces.grid(*shape),
        optical=pieces.optical_of(np.clip(inside / 40.0, -8, 8)),
        dem=dem,
        about={"sun_elevation": 40.0, "sun_azimuth": 160.0},
    )
    asked: list[tuple[slice, slice]] = []
    read = glacier_scene.read

    def counted(found, *, window=None):
        rows, columns = (slice(*w) for w in window)
        asked.append((rows, columns))
        return read(found, window=window)

    def watched(*args, **kwargs):
        raise RuntimeError("enough")

    monkeypatch.setattr(
        glaciers.scene_quality,
        "check",
        lambda scene: glaciers.scene_quality.Quality(scene="long", share_seen=0.0, findings=(), registration=()),
    )
    monkeypatch.setattr(glacier_scene, "read", counted)
    monkeypatch.setattr(glaciers.rasters.rasters, "to_cog", watched)
    with pytest.raises(RuntimeError, match="enough"):
        glaciers.run([scene], out=tmp_path / "out", config=config(network))
    times = np.zeros(shape, int)
    for rows, columns in asked:
        times[rows, columns] += 1
        assert rows.stop - rows.start <= 64
    assert (times == 1).all()
    monkeypatch.undo()
    asked.clear()
    monkeypatch.setattr(
        glaciers.scene_quality,
        "check",
        lambda scene: glaciers.scene_quality.Quality(scene="long", share_seen=0.0, findings=(), registration=()),
    )
    monkeypatch.setattr(glacier_scene, "read", counted)
    result = glaciers.run([scene], out=tmp_path / "out", config=config(network))
    assert max((r.stop - r.start) * (c.stop - c.start) for r, c in asked) <= 1026 * 1026
    assert result.total.value == pytest.approx(np.pi * 16.0, rel=0.01)


def test_a_date_that_no_file_says(disc, network, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(disc, bare)
    (bare / "scene.json").write_text(json.dumps({**io.read_json(disc / "scene.json"), "time": None}))
    assert (
        cli(
            "glaciers",
            bare,
            "-o",
            tmp_path / "out",
            "--network",
            network,
            "--runtime",
            "onnxruntime",
            "--date",
            "2001-10-30",
        )[0]
        == 0
    )
    assert (gpd.read_parquet(tmp_path / "out/outlines.parquet")["src_date"] == "2001-10-30T00:00:00Z").all()
    code, _, said = cli("glaciers", bare, "-o", tmp_path / "no", "--network", network, "--date", "30.10.2001")
    assert code == 2 and "expected YYYY-MM-DD" in said


def test_a_network_says_what_it_never_learnt_and_where_it_learnt(disc, tmp_path):
    """The disc's scene lies between 640,000 and 642,600 m east in zone 32."""
    here = {
        "data": {"ground": [["EPSG:32632", 641_000.0, 5_188_000.0, 642_000.0, 5_189_000.0]]},
        "recipe": {"scene": {"always": ["optical"]}},
    }
    there = {"data": {"ground": [["EPSG:32632", 741_000.0, 5_188_000.0, 742_000.0, 5_189_000.0]]}}
    for about, without, expected in (
        (here, False, "was trained on ground of this scene"),
        (here, True, "never trained without one"),
        (there, True, ""),
    ):
        name = f"{len(expected)}{without}"
        net = pieces.linear_network(tmp_path / f"n{name}.onnx", **about)
        result = glaciers.run([disc], out=tmp_path / name, config=config(net, sensors=("dem",) if without else ()))
        assert (
            any(expected in n for n in result.notes)
            if expected
            else not any("trained on" in n or "never trained" in n for n in result.notes)
        )


def test_scores_against_a_reference_are_said_at_once(simulated, network, tmp_path):
    code, said, _ = cli(
        "glaciers",
        simulated,
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
        "-r",
        simulated / "truth.tif",
    )
    table = io.read_table(tmp_path / "out/evaluation.parquet").to_pandas()
    iou = table[(table["stratum"] == "all") & (table["metric"] == "iou") & (table["prediction"] == "given")][
        "value"
    ].iloc[0]
    assert code == 0 and f"IoU against truth.tif: this map {iou:.3f}" in said and "classical" in said


def test_a_dem_of_another_place_is_left_out(disc, network, tmp_path):
    far = pieces.write_tiff(
        tmp_path / "far.tif",
        np.full((50, 50), 2000.0, np.float32),
        pieces.grid(50, 50, left=740_000.0),
        names=("elevation",),
    )
    result = glaciers.run([disc / "optical.tif", f"dem={far}"], out=tmp_path / "out", config=config(network))
    assert "dem was left out: nothing of it lies on the scene" in result.notes and io.read_json(
        tmp_path / "out/run.json"
    )["inputs"][0]["used"] == ["optical"]
