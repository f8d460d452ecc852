"""``polynya info`` on scenes and tile sets: what headers tell."""

from __future__ import annotations

import json

import numpy as np

from ...samples.scene_pieces import piece, write_tiles
from ..glaciers import pieces
from ..glaciers.pieces import cli


def test_a_scene_folder_has_evidence_apart_sensor_by_sensor(tmp_path):
    scene = pieces.write_scene(
        tmp_path / "s", pieces.grid(40, 30), optical=np.full((6, 40, 30), 0.3), dem=np.full((2, 40, 30), 3000.0)
    )
    code, said, _ = cli("info", scene, "--json")
    about = json.loads(said)
    assert (
        code == 0
        and about["kind"] == "scene"
        and about["shape"] == [40, 30]
        and about["region"] == "ALP"
        and about["time"] == pieces.TIME
    )
    assert [s["sensor"] for s in about["sensors"]] == ["optical", "dem"] and about["sensors"][0]["bands"] == [
        "blue",
        "green",
        "red",
        "nir",
        "swir1",
        "swir2",
    ]
    assert (
        all(abs(v - 20.0) < 0.1 for v in about["sensors"][0]["pixel_m"])
        and about["extent"][0] < about["extent"][2]
        and about["extent"][1] < about["extent"][3]
    )
    code, text, _ = cli("info", scene / "optical.tif", f"dem={scene / 'dem.tif'}")
    assert code == 0 and "scene of 40 x 30 pixels" in text and "polynya glaciers" in text and "time unknown" in text


def test_a_tile_set_is_counted(tmp_path):
    tiles = write_tiles(
        tmp_path / "t.h5", [piece((20, 30), k, region=("ALP", "HMA")[k % 2], scene=f"s{k // 2}") for k in range(4)]
    )
    code, said, _ = cli("info", tiles, "--json")
    about = json.loads(said)
    assert (
        code == 0
        and (about["kind"], about["tiles"], about["scenes"], about["pixels"]) == ("tiles", 4, 2, 2400)
        and about["regions"] == {"ALP": 2, "HMA": 2}
        and about["simulated"] == 0
    )
    assert "4 tiles of 2 scenes" in cli("info", tiles)[1]


def test_what_is_none_of_them_is_one_line(tmp_path):
    for name in ("gone.tif", "gone.h5", "gone"):
        code, out, said = cli("info", tmp_path / name)
        assert code == 1 and out == "" and said.count("\n") <= 1 and name in said


def test_several_granules_or_tile_sets_are_no_scene(tmp_path):
    """Each is described by itself; one that cannot be read stops no other."""
    tiles = write_tiles(tmp_path / "t 1.h5", [piece((20, 30), k) for k in range(2)])
    code, out, said = cli("info", tiles, tiles)
    assert code == 0 and out.count("t 1.h5: 2 tiles of") == 2 and not said
    bad = tmp_path / "bad.h5"
    bad.write_text("text")
    code, out, said = cli("info", bad, tiles, "--json")
    assert (
        code == 3 and said.count("\n") == 1 and "bad.h5" in said and [a["name"] for a in json.loads(out)] == ["t 1.h5"]
    )
    code, out, _ = cli("info", tiles, "--json")
    assert code == 0 and json.loads(out)["tiles"] == 2
    code, out, said = cli("info", bad, bad)
    assert code == 1 and not out and said.count("\n") == 2
    code, out, said = cli("info", tiles, tmp_path / "scene.tif")
    assert code == 3 and "t 1.h5: 2 tiles of" in out and "scene.tif" in said and said.count("\n") == 1
    assert f"--data '{tiles}' -o OUT --split block" in cli("info", tiles)[1]
