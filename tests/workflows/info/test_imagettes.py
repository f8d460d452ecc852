"""``polynya info`` for wave-mode products and folders of images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import ProductError
from polynya.io import pictures
from polynya.workflows import info
from polynya.workflows.info import imagettes
from tests.real_files import sar

REAL = "safe/S1B_WV_SLC__1SSV_20210403T083025_20210403T084452_026300_032390_D542.SAFE"
TENGEOP = (
    "s1a-wv1-slc-vv-20160101t051525-20160101t051528-009300-00d6fe-001.tiff F wv1 20160101 -150.25 12.5\n"
    "s1a-wv2-slc-vv-20160102t051540-20160102t051543-009315-00d77e-002.tiff K wv2 20160102 170.0 -60.25\n"
)


@pytest.mark.real
@pytest.mark.parametrize("name", [REAL, f"{REAL}/manifest.safe"])
def test_a_real_manifest(name):
    about, text = info.describe([str(sar(name))])
    assert about["kind"] == "imagettes" and about["imagettes"] == 60 and about["beams"] == {"wv1": 30, "wv2": 30}
    assert (about["start"], about["end"]) == ("2021-04-03T08:30:25Z", "2021-04-03T08:44:52Z")
    west, south, east, north = about["extent"]
    assert -48.1 < west < -47.8 and -15.9 < south < -15.6 and 36.0 < north < 36.3 and east < -30.0
    assert "60 imagettes" in text and "footprints only" in text and "IPF 003.31" in text
    assert about["next_commands"] == []  # there are no pictures to tag


@pytest.mark.real
def test_real_quicklooks():
    about, text = info.describe([str(sar("wv_quicklooks"))])
    assert about["tags"] == {"WS": 1, "MCC": 3, "RC": 1, "AF": 1} and about["labels"]["UN"] == 3
    assert about["beams"] == {"wv1": 3, "wv2": 2} and about["orbits"] == 5 and about["shape"] == [489, 559]
    assert "42 x 37 m, grey" in text


@pytest.mark.real
def test_real_thumbnails():
    about, text = info.describe([str(sar("tengeop_thumbs_95px"))])
    assert about["imagettes"] == 16 and about["shape"] == [95, 95] and "no table of tags" in text


def test_tengeop(tmp_path):
    (tmp_path / "58683.txt").write_text(TENGEOP)
    about, text = info.describe([str(tmp_path)])
    assert about["tags"] == {"POW": 1, "SI": 1} and about["orbits"] == 2
    assert about["extent"] == [170.0, -60.25, -150.25, 12.5]  # across the antimeridian
    assert "POW 1, SI 1" in text


def test_a_damaged_table_is_one_line(tmp_path):
    (tmp_path / "58683.txt").write_text(TENGEOP.replace("170.0", "nan"))
    with pytest.raises(ProductError, match="line 2 has the coordinates nan") as error:
        info.describe([str(tmp_path)])
    assert "\n" not in str(error.value)


def test_folders_that_are_something_else(tmp_path):
    """A folder with rasters of a scene, or with no picture, is none of images."""
    assert not imagettes.is_imagettes([tmp_path])
    pictures.write_png(tmp_path / "quicklook.png", np.zeros((4, 4), np.uint8))
    assert imagettes.is_imagettes([tmp_path]) and not imagettes.is_imagettes([tmp_path, tmp_path])
    (tmp_path / "B4.tif").write_bytes(b"")
    assert not imagettes.is_imagettes([tmp_path])
    assert not imagettes.is_product(f"dem={tmp_path}") and not imagettes.is_product(tmp_path / "S1A_EW_GRDM.SAFE")


def test_several_products_are_described_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "58683.txt").write_text(TENGEOP)
    done = CliRunner().invoke(cli.app, ["info", "--json", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0 and [a["name"] for a in json.loads(done.stdout)] == ["a", "b"]


def test_a_simulated_set_says_so(tmp_path):
    from polynya.simulate.wave_mode.product import Options, simulate_imagettes

    simulate_imagettes(tmp_path / "set", Options(seed=1, count=3))
    about, text = info.describe([str(tmp_path / "set")])
    assert about["imagettes"] == 3 and about["quantity"] == "roughness" and "3 images simulated: no measurement" in text
    assert sum(about["beams"].values()) == 3 and about["orbits"] == 1
    assert about["next_commands"] == [f"polynya tags {tmp_path / 'set'} -o TAGS"] and "next        polynya tags" in text
