"""``polynya info`` on Sentinel-1 products."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ...readers.sentinel1_safe import EW, LINES, SAMPLES, SLC, Small, real_safe, write_safe, zipped
from ..glaciers.pieces import cli


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    numbers = {c: np.full((LINES, SAMPLES), 300, np.uint16) for c in ("HH", "HV")}
    return write_safe(tmp_path_factory.mktemp("radar") / "S1A_EW_small.SAFE", Small(), numbers)


def test_a_folder_and_its_archive(safe, tmp_path):
    code, said, _ = cli("info", safe, "--json")
    about = json.loads(said)
    assert code == 0 and (about["kind"], about["mode"], about["product"]) == ("radar", "EW", "GRD")
    assert about["channels"] == ["HH", "HV"] and about["is_ipf_checked"] and about["relative_orbit"] == 20
    assert about["images"][0]["shape"] == [LINES, SAMPLES] and about["images"][0]["has_image"]
    assert about["images"][1]["noise"]["subswaths"] == ["EW1", "EW2"] and about["notes"] == []
    small = Small()
    row = small.noise_power("HV")[60] / small.gain("HV", 60.0, np.arange(SAMPLES, dtype=float)) ** 2
    wanted = [10 * np.log10(f(row)) for f in (np.nanmin, np.nanmean, np.nanmax)]
    assert about["images"][1]["noise"]["nesz_db"] == pytest.approx(wanted, abs=0.006)
    latitude, longitude = small.positions(*np.meshgrid([0, LINES - 1], [0, SAMPLES - 1]))
    assert about["extent"][1] <= latitude.min() + 1e-4 and about["extent"][3] >= latitude.max() - 1e-4
    assert about["extent"][0] <= longitude.min() + 1e-4 and about["extent"][2] >= longitude.max() - 1e-4
    code, again, _ = cli("info", zipped(safe, tmp_path / "x.zip"), "--json")
    assert code == 0 and {**json.loads(again), "next_commands": 0} == {**about, "next_commands": 0}
    code, text, _ = cli("info", safe)
    assert code == 0 and "Sentinel-1 EW GRD, S1A, IPF 003.52" in text
    assert f"polynya concentration {safe} -o OUT" in text


def test_several_products_and_a_broken_one(safe, tmp_path):
    code, said, _ = cli("info", safe, safe, "--json")
    assert code == 0 and [a["name"] for a in json.loads(said)] == ["S1A_EW_small"] * 2
    (tmp_path / "S1A_empty.SAFE").mkdir()
    code, said, error = cli("info", safe, tmp_path / "S1A_empty.SAFE", "--json")
    assert code == 3 and len(json.loads(said)) == 1
    assert "holds no annotation" in error and len(error.strip().splitlines()) == 1


def test_bad_products_are_one_line_and_exit_1(safe, tmp_path):
    cut = zipped(safe, tmp_path / "cut.zip")
    cut.write_bytes(cut.read_bytes()[:3000])
    lost = write_safe(tmp_path / "S1A_lost.SAFE", Small(), {})
    for path in (lost / "annotation").glob("*.xml"):
        path.write_text(path.read_text().replace("<latitude>", "<latitude>nan "))
    for path in (cut, lost):
        code, said, error = cli("info", path)
        assert (code, said) == (1, "") and len(error.strip().splitlines()) == 1 and "expected" in error


def test_what_is_missing_is_said(tmp_path):
    lost = write_safe(tmp_path / "S1C_part.SAFE", Small(channels=("HV",), satellite="S1C", ipf="004.00"), {})
    next((lost / "annotation" / "calibration").glob("noise*")).unlink()
    code, text, _ = cli("info", lost)
    assert code == 0 and "no file of noise or calibration" in text and "no image file" in text
    assert "IPF 004.00 is newer than the processors" in text and "one polarisation: HV" in text
    assert "polynya concentration" not in text


@pytest.mark.real
def test_real_annotation():
    code, text, _ = cli("info", real_safe(EW))
    assert code == 0 and "46117, relative 20, descending" in text
    assert "W 75.3484  S 76.8791  E 102.7865  N 81.9724" in text
    code, text, _ = cli("info", real_safe(SLC))
    assert code == 0 and "Sentinel-1 IW SLC, S1A, IPF 002.36" in text and "IW1" in text
    assert "noise of HH IW1 is zero or in other units" in text and "polynya concentration" not in text


def test_products_of_several_kinds_and_a_simulators_folder(safe, tmp_path, small_granule):
    """Each is described by itself; a folder stands for the products in it."""
    made = tmp_path / "simulated"
    (made / "S1A_EW_copy.SAFE").mkdir(parents=True)
    for part in safe.rglob("*"):
        if part.is_file():
            place = made / "S1A_EW_copy.SAFE" / part.relative_to(safe)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(part.read_bytes())
    (made / "truth.tif").write_bytes(b"no product")
    code, said, _ = cli("info", made, "--json")
    assert code == 0 and json.loads(said)["name"] == "S1A_EW_copy"
    code, said, error = cli("info", safe, small_granule, made, "--json")
    assert code == 0, error
    first, granule, last = json.loads(said)
    assert (first["name"], granule["product"], last["name"]) == ("S1A_EW_small", "ATL03", "S1A_EW_copy")


def test_a_folder_without_products_is_one_line(tmp_path):
    (tmp_path / "nothing").mkdir()
    code, said, error = cli("info", tmp_path / "nothing")
    assert (code, said) == (1, "") and len(error.strip().splitlines()) == 1
