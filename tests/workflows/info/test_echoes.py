"""``polynya info`` for radar-altimeter echoes and CPOM's tables."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import PolynyaError, ProductError
from polynya.workflows import info
from tests.readers import echo_made
from tests.real_files import altimetry


def test_made_files_and_what_they_lack(tmp_path):
    about, text = info.describe([str(echo_made.cryosat(tmp_path / "CS.nc"))])
    assert (about["kind"], about["product"], about["echoes"], about["gates"]) == ("echoes", "cryosat2_l1b", 6, 1024)
    assert about["modes"] == {"sarin": 6} and about["surface_types"] == {"unknown": 1, "ocean": 2, "land": 3}
    assert about["start"] == "2015-11-05T00:52:44.000Z" and about["units"] == "W" and about["classes"] == {}
    assert "surface_type" not in about["absent"]  # there are none at 20 Hz: those above are of the 1 Hz records
    assert "stack_skewness" in about["absent"] and "CS.nc: CryoSat-2 L1b, C, 6 echoes of 1024 gates" in text


def test_variables_that_are_not_known_are_named(tmp_path):
    path = echo_made.altika_groups(tmp_path / "a.nc")
    with h5py.File(path, "a") as file:
        file["brand_new_40hz"] = np.zeros((3, 40))
    about, text = info.describe([str(path)])
    assert about["unknown_variables"] == ["brand_new_40hz"] and "not known   brand_new_40hz" in text


def test_bad_file_is_one_line_and_exit_1(tmp_path):
    path = echo_made.cryosat(tmp_path / "CS.nc")
    with h5py.File(path, "a") as file:
        file["lat_20_ku"][...] = -(2**31)
    with pytest.raises(ProductError, match=r"CS.nc: echo 0 has latitude nan"):
        info.describe([str(path)])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ProductError, match=r"CS.nc: "):
        info.describe([str(path)])


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc",
            {"mission": "CryoSat-2", "release": "E", "echoes": 2597, "gates": 128, "modes": {"lrm": 2597}},
        ),
        (
            "CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc",
            {
                "product": "cryosat2_l2i",
                "gates": 0,
                "echoes": 2176,
                "classes": {"unknown": 1729, "ocean": 162, "lead": 229, "sea_ice": 56},
            },
        ),
        ("s3a_sr2_lan_enhanced_50records.nc", {"mission": "Sentinel-3A", "echoes": 50, "classes": {"ocean": 50}}),
        ("altika_sim/sim_track_0.nc", {"mission": "SARAL", "echoes": 800, "is_simulated": True}),
        (
            "cs2_sar_20221214T001528.elev",
            {"kind": "cpom_elev", "echoes": 10_550, "classes": {"unknown": 2938, "lead": 2814, "sea_ice": 4798}},
        ),
    ],
)
def test_real_files(name, expected):
    found = CliRunner().invoke(app, ["info", str(altimetry(name)), "--json"])
    assert found.exit_code == 0, found.output
    about = json.loads(found.stdout)
    assert {k: about[k] for k in expected} == expected
    text = CliRunner().invoke(app, ["info", str(altimetry(name))])
    assert text.exit_code == 0 and name.rpartition("/")[2] in text.stdout


def test_the_next_command_is_leads_with_what_it_needs(tmp_path):
    about, text = info.describe([str(echo_made.altika_groups(tmp_path / "my file.nc"))])
    [command] = about["next_commands"]
    assert command.startswith(f"polynya leads '{tmp_path / 'my file.nc'}' -o leads") and command in text
    assert "--concentration GRID" in command  # AltiKa products have none
    about, _ = info.describe([str(echo_made.cryosat(tmp_path / "CS.nc"))])
    assert "--network" not in about["next_commands"][0]


def test_a_folder_has_a_line_for_each_mission(tmp_path):
    folder = tmp_path / "my passes"
    folder.mkdir()
    for k in range(2):
        echo_made.altika_groups(folder / f"a{k}.nc")
    echo_made.cryosat(folder / "CS.nc")
    (folder / "broken.nc").write_bytes((folder / "CS.nc").read_bytes()[:3000])
    (folder / "notes.txt").write_text("mine")
    found = CliRunner().invoke(app, ["info", str(folder)])
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert lines[0] == "my passes: folder of 3 files of altimeter echoes"
    one, two = (n.split("  ")[-1] for n in lines[1:3])
    assert (one, two) == ("1 file, 6 echoes", "2 files, 240 echoes")
    assert lines[1].startswith("  CryoSat-2 L1b") and lines[2].startswith("  SARAL AltiKa SGDR")
    assert "broken.nc" in lines[3] and lines[4].endswith(f"polynya leads '{folder}' -o leads") and len(lines) == 5
    about = json.loads(CliRunner().invoke(app, ["info", str(folder), "--json"]).stdout)
    assert about["kind"] == "echo_folder" and about["not_read"] == ["broken.nc"]
    assert [(k["files"], k["echoes"]) for k in about["products"]] == [(1, 6), (2, 240)]


def test_folders_of_other_things_are_no_echoes(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.nc").write_text("no NetCDF")
    for name in ("empty", "text"):
        with pytest.raises(PolynyaError):
            info.describe([str(tmp_path / name)])


@pytest.mark.real
def test_hand_labels_are_explained():
    about, text = info.describe([str(altimetry("s3a_sral_coastal_echoes_2019.nc"))])
    assert "waveform_cla holds labels given by hand: 1 an echo as of the ocean, 0 a noisy one" in text
    assert "waveform_cla" not in about["unknown_variables"]


@pytest.mark.real
def test_the_next_command_of_real_files():
    about, _ = info.describe([str(altimetry("CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc"))])
    assert "--network FILE.onnx --concentration GRID" in about["next_commands"][0]
    about, _ = info.describe([str(altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc"))])
    assert about["next_commands"][0].endswith("D001.nc -o leads")
