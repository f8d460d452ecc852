"""Sets of simulated optical images on disk: layout, georeference, the record, the command, what is not replaced."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import OutputError, UsageError
from polynya.simulate.optical_ice.product import Options, simulate_images
from polynya.simulate.optical_ice.scene import draw_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("optical") / "images"
    return simulate_images(folder, Options(seed=7, count=2, side=96))


def test_files_hold_what_was_drawn(written):
    record = json.loads(written.paths[-1].read_text())
    assert record["simulated"] == "polynya; no measurement" and len(record["images"]) == 2
    for k, row in enumerate(record["images"]):
        drawn = draw_scene(7 + k, size=(96, 96))
        folder = written.paths[-1].parent
        with rasterio.open(folder / row["image"]) as file:
            assert np.array_equal(file.read(), drawn.counts)
            assert file.descriptions == ("red", "green", "blue", "nir") and file.crs.to_epsg() == 3413
            assert file.res[0] == pytest.approx(row["pixel_m"]) and "no measurement" in file.tags()["simulated_by"]
        for name, values in (("truth", drawn.classes), ("labels", drawn.labels)):
            with rasterio.open(folder / row[name]) as file:
                assert np.array_equal(file.read(1), values) and file.nodata == 255
                assert file.tags()["classes"].startswith("0 water, 1 thin_ice, 2 thick_ice")


def test_nothing_else_is_replaced(written, tmp_path):
    folder = written.paths[-1].parent
    with pytest.raises(UsageError, match="exists already"):
        simulate_images(folder, Options(side=64))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError):
        simulate_images(tmp_path, Options(side=64), overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(side=32), "expected 64 to 8192"),
        (Options(count=0), "expected a seed of 0 or more"),
        (Options(kind="pancake"), "--kind pancake: not known"),
    ],
)
def test_options_that_do_not_fit(options, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        simulate_images(tmp_path / "new", options)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path):
    done = CliRunner().invoke(cli.app, ["simulate", "optical-ice", str(tmp_path / "o"), "--size", "64", "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["images"][0]["image"] == "optical_000000.tif"
