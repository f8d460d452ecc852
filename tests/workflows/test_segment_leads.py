"""polynya segment SCENE --what leads, from a simulated product to labels of echoes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy import ndimage
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import PolynyaError, one_line
from polynya.readers import lead_map, sentinel1_grd
from polynya.simulate.sentinel1.product import Options, simulate_product


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return simulate_product(
        tmp_path_factory.mktemp("s1") / "scene", Options(seed=5, kind="pack", size=(900, 900), has_lead_map=True)
    )


def command(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(result.exception, PolynyaError):
        return result.exception.exit_code, result.stdout, one_line(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def mapped(scene, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("map") / "leads.tif"
    code, text, error = command("segment", scene.safe, "--what", "leads", "-o", out, "--with-value")
    assert code == 0, error
    assert "of the pack ice is lead" in text and "bright in HH" in text and "simulated" in text
    return out


def test_the_map_is_a_lead_map_on_the_polar_grid(mapped, scene):
    with rasterio.open(mapped) as source:
        values, tags = source.read(1), source.tags()
        assert source.crs.to_epsg() == 3413 and source.nodata == 255 and source.res == (80.0, 80.0)
        assert source.descriptions == ("is_lead",)
    assert set(np.unique(values)) == {0, 1, 255}
    assert (tags["flag_values"], tags["flag_meanings"]) == ("0 1", "ice lead")
    product = sentinel1_grd.open_product(scene.safe)
    assert abs(lead_map.header(mapped).time - product.time) <= np.timedelta64(1, "s")
    run = json.loads(mapped.with_suffix(".run.json").read_text())
    assert run["pixels"] == {k: int((values == v).sum()) for k, v in (("ice", 0), ("lead", 1), ("no_data", 255))}
    with rasterio.open(mapped.with_name("leads_value.tif")) as source:
        contrast = source.read(1)
    assert np.nanmean(contrast[values == 1]) < -4.0 < np.nanmean(contrast[values == 0])


def test_most_of_the_true_leads_are_near_what_is_found(mapped, scene):
    """A simulated scene: this shows that the parts fit, and no skill."""
    with rasterio.open(mapped) as source:
        values = source.read(1)
    with rasterio.open(scene.leads) as source:
        truth = source.read(1)
    known = (values != 255) & (truth != 255)
    near = ndimage.binary_dilation(values == 1, np.ones((3, 3)))
    lead, ice = known & (truth == 1), known & (truth == 0)
    assert near[lead].mean() > 0.4
    assert near[lead].mean() > 5.0 * (values == 1)[ice].mean()


def test_the_map_labels_echoes(mapped, tmp_path):
    """A made track through the scene's middle, at the time of the image."""
    from polynya.workflows.label.echoes import table

    from ..labels.lead_tracks import echoes_at

    held = lead_map.read(mapped)
    box = held.header.geobox.boundingbox
    from pyproj import Transformer

    x = np.linspace(box.left + 100, box.right - 100, 400)
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, np.full(400, (box.bottom + box.top) / 2))
    track = table.Track(path=Path("made.nc"), echoes=echoes_at(lat, lon, time=held.header.time), maps=(held.header,))
    made, _ = table.make([track], config=table.Config())
    label, flag = (np.array(made[n].to_pylist()) for n in ("label", "label_flag"))
    assert (flag[:40] == 1).all() and (flag[-40:] == 1).all()  # the circle of 5 km leaves the map
    assert ((label >= 0) == (flag == 0)).all()
    assert io.plain(made["pass_id"][0].as_py()) == "made"


def test_what_does_not_fit_is_one_line(scene, mapped, tmp_path):
    out = tmp_path / "a.tif"
    safe = scene.safe
    assert "is not known" in command("segment", safe, "--what", "ice", "-o", out)[2]
    code, _, line = command("segment", safe, "--what", "leads", "--method", "sun", "-o", out)
    assert code == 2 and "--method" in line
    assert "ends in .tif" in command("segment", safe, "--what", "leads", "-o", tmp_path / "a.png")[2]
    assert command("segment", safe, "--what", "leads", "--pixel-m", 20, "-o", out)[0] == 2
    code, _, line = command("segment", mapped, "--what", "leads", "-o", out)
    assert code == 1 and line.endswith(".")
    assert command("segment", safe, "--what", "leads", "-o", mapped)[0] == 2  # it is there already
    foreign = tmp_path / "mine.tif"
    foreign.write_text("mine")
    assert command("segment", safe, "--what", "leads", "-o", foreign, "--overwrite")[0] == 1
    assert foreign.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.tif"]


def test_the_open_sea_has_no_map(tmp_path):
    sea = simulate_product(tmp_path / "sea", Options(seed=3, kind="water", size=(300, 300)))
    out = tmp_path / "leads.tif"
    code, _, line = command("segment", sea.safe, "--what", "leads", "-o", out)
    assert code == 1 and "no pixel is pack ice" in line and not out.exists()
