"""Which shipped network maps an image: the one for saturated images without short-wave infrared, else the general."""

from __future__ import annotations

import numpy as np
import pytest
from pyarrow.parquet import read_table

from polynya.errors import UsageError
from polynya.scenes import scene as glacier_scene
from polynya.workflows import glaciers
from polynya.workflows.evaluate import scene as evaluate_scene
from polynya.workflows.glaciers import by_image, key
from polynya.workflows.glaciers import mapper as glacier_mapper

from . import pieces

ROWS, COLUMNS = 20, 24


def opened(folder, *, saturated=0.0, swir=False, bands=4):
    """Return a scene of which a share of the rows is at the largest value of the visible bands."""
    rng = np.random.default_rng(0)
    optical = np.full((6, ROWS, COLUMNS), np.nan)
    optical[: 6 if swir else 4] = rng.uniform(0.1, 0.9, (6 if swir else 4, ROWS, COLUMNS))
    optical[:bands, : round(saturated * ROWS)] = 1.0
    dem = np.stack([np.full((ROWS, COLUMNS), 3000.0), np.full((ROWS, COLUMNS), 9.0)])
    return glacier_scene.open_scene(
        pieces.write_scene(folder / "s", pieces.grid(ROWS, COLUMNS), optical=optical, dem=dem)
    )


@pytest.mark.parametrize(
    ("image", "network"),
    [
        ({"saturated": 0.25}, by_image.SATURATED),
        ({"saturated": 0.0}, by_image.GENERAL),
        ({"saturated": 0.25, "swir": True}, by_image.GENERAL),
        ({"saturated": 0.25, "bands": 1}, by_image.GENERAL),  # one band alone
    ],
)
def test_the_image_chooses_the_network(tmp_path, image, network):
    scene = opened(tmp_path, **image)
    names, why = by_image.chosen(scene, (by_image.AUTO,))
    assert names == (network,)
    assert ("25% of it is saturated" in why) == (network == by_image.SATURATED)


@pytest.mark.parametrize("names", [("rule",), (by_image.GENERAL,), ("a.onnx", "b.onnx")])
def test_a_network_that_is_named_is_taken(tmp_path, names):
    assert by_image.chosen(opened(tmp_path, saturated=0.5), names) == (names, "")


def test_auto_is_the_default_and_goes_with_no_other():
    assert glaciers.Config().network == (by_image.AUTO,)
    with pytest.raises(UsageError, match="--network auto: cannot be averaged"):
        glaciers.Config.checked(network=(by_image.AUTO, by_image.GENERAL))


def test_a_result_depends_on_all_networks_that_may_be_chosen(tmp_path):
    scene = opened(tmp_path, saturated=0.25)
    found = key.result_key([tmp_path / "s"], scene, glaciers.Config()).networks
    assert list(found) == ["network 1", "network 2"] and len(set(found.values())) == 2


def test_the_choice_is_a_note_of_the_result_and_in_its_record(tmp_path):
    opened(tmp_path, saturated=0.25)
    result = glaciers.run([tmp_path / "s"], out=tmp_path / "out", config=glaciers.Config(runtime="onnxruntime"))
    said = [n for n in result.notes if "has no short-wave infrared" in n]
    page, record = ((tmp_path / "out" / n).read_text(encoding="utf-8") for n in ("report.html", "run.json"))
    assert len(said) == 1 and said[0][:60] in page and said[0] in record and by_image.SATURATED in record


@pytest.mark.parametrize(
    ("weights", "threshold"), [(None, 0.5), ((1.0, 1.0), 0.5), ((1.0, 1.5), 0.4), ((3.0, 1.0), 0.75)]
)
def test_the_threshold_is_where_the_weighted_probabilities_are_equal(tmp_path, weights, threshold):
    """weight of other * (1 - p) = weight of glacier * p."""
    more = {} if weights is None else {"decision_weights": weights}
    network = pieces.linear_network(tmp_path / "n.onnx", **more)
    mapper = glacier_mapper.networks([str(network)], region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
    assert mapper.threshold == pytest.approx(threshold)


def test_a_map_follows_the_network_s_threshold_and_the_user_s_goes_before(tmp_path):
    scene = pieces.write_scene(tmp_path / "s", pieces.grid(60, 60), optical=pieces.optical_of(np.full((60, 60), -0.2)))
    network = str(pieces.linear_network(tmp_path / "n.onnx", decision_weights=(1.0, 1.5)))  # p is 0.45
    truth = pieces.write_tiff(tmp_path / "truth.tif", np.ones((60, 60), np.uint8), pieces.grid(60, 60), nodata=None)
    areas, found = {}, {}
    for name, more in (("own", {}), ("given", {"threshold": 0.5})):
        config = glaciers.Config.checked(network=(network,), runtime="onnxruntime", **more)
        areas[name] = glaciers.run([scene], out=tmp_path / name, config=config, reference=truth).total.value
        for table in (
            read_table(tmp_path / name / "evaluation.parquet"),
            evaluate_scene.run(tmp_path / name, reference=truth),
        ):
            rows = [
                r for r in table.to_pylist() if (r["metric"], r["prediction"], r["stratum"]) == ("iou", "given", "all")
            ]
            found.setdefault(name, []).append(rows[0]["value"])
    assert areas["own"] == pytest.approx(60 * 60 * 400e-6, rel=0.01) and areas["given"] == 0.0
    assert found == {"own": [1.0, 1.0], "given": [0.0, 0.0]}  # all is ice: scores follow the map
