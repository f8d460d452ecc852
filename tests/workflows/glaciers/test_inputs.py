"""Inputs of ``polynya glaciers``: sensors, dates and inventories that are missing or of another place; mistakes."""

from __future__ import annotations

import json
import re
import shutil

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from polynya import io
from polynya.io import polygons
from polynya.workflows import glaciers

from . import pieces
from .pieces import BRIGHT, RADIUS, cli, config


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
