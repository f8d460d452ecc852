"""Files of simulated imagettes: what was drawn is what the readers give, and nothing foreign is replaced."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from polynya import cli
from polynya.errors import OutputError, UsageError
from polynya.readers import sentinel1_wv, wv_quicklooks
from polynya.schema.imagettes import SHORT_NAMES
from polynya.simulate.wave_mode import names
from polynya.simulate.wave_mode.imagette import draw_imagette
from polynya.simulate.wave_mode.product import Options, simulate_imagettes


@pytest.fixture(scope="module")
def tiffs(tmp_path_factory):
    out = tmp_path_factory.mktemp("wave") / "set"
    simulate_imagettes(out, Options(seed=1, count=14, label_errors=0.5))
    return out


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_readers_give_what_was_drawn(tiffs):
    found = list(wv_quicklooks.read(tiffs))
    assert len(found) == 14
    for k, imagette in enumerate(found[:4]):
        drawn = draw_imagette([1, k])
        decibels = 10 * np.log10(imagette.picture / drawn.roughness)
        assert np.nanmax(np.abs(decibels)) < 0.0006  # steps of 0.001 dB
        assert np.array_equal(imagette.mask, drawn.mask) and imagette.quantity == "roughness"
        assert (imagette.beam, imagette.incidence_angle) == (drawn.beam, drawn.incidence_angle)
        assert imagette.is_simulated and imagette.satellite == "S1A"


def test_imagettes_of_an_orbit_share_their_group(tiffs):
    groups = [i.group for i in wv_quicklooks.read(tiffs)]
    assert len(set(groups[:12])) == 1 and len(set(groups[12:])) == 1 and groups[0] != groups[12]
    assert all(i.absolute_orbit >= names.FIRST_ORBIT for i in wv_quicklooks.read(tiffs))


def test_tables_of_tags_and_truth(tiffs):
    given, true = rows(tiffs / "tags.csv"), rows(tiffs / "truth.csv")
    wrong = 0
    for k, (tag, truth) in enumerate(zip(given, true, strict=True)):
        drawn = draw_imagette([1, k])
        assert tag["filename"] == truth["filename"] and (tiffs / tag["filename"]).is_file()
        for j, name in enumerate(SHORT_NAMES):
            assert truth[name] == str(int(drawn.tags[j])) and truth[f"{name}_visible"] == str(drawn.visible[j])
            text = truth[f"{name}_contrast"]
            assert (text == "") == np.isnan(drawn.contrast[j]) and (
                not text or abs(float(text) - drawn.contrast[j]) < 1e-3
            )
        wrong += sum(tag[n] != truth[n] for n in SHORT_NAMES)
    assert 2 <= wrong <= 12  # half of the images have one wrong tag


def test_quicklooks_are_stretched(tmp_path):
    simulate_imagettes(tmp_path / "set", Options(seed=2, count=2, form="png"))
    for imagette in wv_quicklooks.read(tmp_path / "set"):
        assert not imagette.has_level and (imagette.picture.min(), imagette.picture.max()) == (0.0, 255.0)
        assert imagette.azimuth_pixel_m == 50.0 and imagette.is_simulated
        assert 0.005 < (imagette.picture == 255.0).mean() < 0.02


def test_a_product_has_its_manifest(tmp_path):
    written = simulate_imagettes(tmp_path / "set", Options(seed=3, count=3, form="safe", spacing_m=25.0))
    product = sentinel1_wv.open_product(written.paths[0])
    assert [i.beam for i in product.imagettes] == ["wv1", "wv2", "wv1"] and product.has_images
    assert product.imagettes[0].is_simulated
    for imagette in product.imagettes:
        read = sentinel1_wv.read_imagette(product, imagette.name)
        assert read.latitude == pytest.approx(imagette.latitude) and read.heading in (-167.0, -13.0)


def test_places_lie_along_one_track():
    """105 km between neighbours along the flight, 180 km to the right for the second beam."""
    from pyproj import Geod

    geod = Geod(ellps="sphere")
    first, second, third = (names.place_of(1, 4, n, b) for n, b in ((1, "wv1"), (2, "wv2"), (3, "wv1")))
    assert third.time - first.time == np.timedelta64(30, "s")
    along = geod.inv(first.longitude, first.latitude, third.longitude, third.latitude)[2]
    assert along == pytest.approx(210_000.0, rel=0.01)
    apart = geod.inv(first.longitude, first.latitude, second.longitude, second.latitude)[2]
    assert apart == pytest.approx(np.hypot(105_000.0, 180_000.0), rel=0.03)


def test_nothing_foreign_is_replaced(tiffs, tmp_path):
    with pytest.raises(UsageError, match="exists already"):
        simulate_imagettes(tiffs, Options(seed=1, count=1))
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError):
        simulate_imagettes(tmp_path, Options(count=1), overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "keep" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "options",
    [{"form": "gif"}, {"count": 0}, {"form": "safe", "count": 61}, {"label_errors": 2.0}, {"spacing_m": 1.0}],
)
def test_wrong_options(tmp_path, options):
    with pytest.raises(UsageError) as error:
        simulate_imagettes(tmp_path / "set", Options(**options))
    assert "\n" not in str(error.value) and not (tmp_path / "set").exists()


def test_the_command(tmp_path):
    out = tmp_path / "set"
    done = CliRunner().invoke(cli.app, ["simulate", "wv", str(out), "--count", "2", "--seed", "4"])
    assert done.exit_code == 0, done.output
    assert str(out / "wave.json") in done.stdout
    assert len(json.loads((out / "wave.json").read_text())["imagettes"]) == 2
    again = CliRunner().invoke(cli.app, ["simulate", "wv", str(out), "--count", "1"])
    assert again.exit_code != 0
    again = CliRunner().invoke(cli.app, ["simulate", "wv", str(out), "--count", "1", "--overwrite"])
    assert again.exit_code == 0 and len(list(out.glob("*.tiff"))) == 1
