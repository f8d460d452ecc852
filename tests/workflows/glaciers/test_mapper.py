"""What is given to a network: which sensors, and how much an ensemble trusts its areas."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.scenes import quality as scene_quality
from polynya.scenes import scene as glacier_scene
from polynya.scenes.register import Registration
from polynya.workflows.glaciers import mapper as glacier_mapper
from polynya.workflows.glaciers import notes as glacier_notes

from . import pieces

RADAR = {"co_pol_sar", "cross_pol_sar", "in_sar"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> glacier_scene.Scene:
    """A scene with all six sensors."""
    bands = {"optical": 6, "dem": 2, "co_pol_sar": 2, "cross_pol_sar": 2, "in_sar": 2, "thermal": 1}
    folder = tmp_path_factory.mktemp("mapper") / "scene"
    values = {s: np.full((n, 20, 24), 270.0 if s == "thermal" else 0.3) for s, n in bands.items()}
    pieces.write_scene(folder, pieces.grid(20, 24), **values)
    return glacier_scene.open_scene(folder)


@pytest.fixture(scope="module")
def mapper(tmp_path_factory) -> glacier_mapper.Mapper:
    network = pieces.linear_network(tmp_path_factory.mktemp("mapper") / "six.onnx")
    return glacier_mapper.networks([str(network)], region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))


def flagged(sensor: str, band: str, length_m: float = 700.0, *, is_flagged: bool = True) -> Registration:
    return Registration(
        sensor=sensor,
        band=band,
        reference="dem",
        east_m=length_m,
        north_m=0.0,
        length_m=length_m,
        pixels=length_m / 20.0,
        confidence=0.8,
        score=90.0,
        r_squared=0.4,
        is_confident=True,
        is_uncorrected=False,
        looks="",
        is_flagged=is_flagged,
    )


def used(scene, mapper, *registration: Registration, **options) -> set[str]:
    quality = scene_quality.Quality(scene=scene.name, share_seen=1.0, findings=(), registration=registration)
    return set(glacier_mapper.choose(scene, mapper, quality, **options)[0])


@pytest.mark.parametrize(
    ("sensor", "band"), [("co_pol_sar", "co_pol_ascending"), ("cross_pol_sar", "cross_pol_descending")]
)
def test_a_radar_channel_off_its_place_takes_the_others_and_the_coherence_with_it(scene, mapper, sensor, band):
    """They are made of one pair of images in one geometry: a shift of one is a shift of all."""
    everything = set(scene.sensors)
    assert used(scene, mapper) == everything
    assert used(scene, mapper, flagged(sensor, band)) == everything - RADAR
    assert used(scene, mapper, flagged(sensor, band), keep_flagged=True) == everything
    assert used(scene, mapper, flagged(sensor, band, is_flagged=False)) == everything


def test_other_sensors_off_their_place_go_alone_and_the_grid_stays(scene, mapper):
    everything = set(scene.sensors)
    assert used(scene, mapper, flagged("thermal", "brightness_temperature")) == everything - {"thermal"}
    assert scene.sensors[0] == "optical" and used(scene, mapper, flagged("optical", "swir1")) == everything


def test_an_ensemble_is_as_cautious_as_its_most_cautious_member(tmp_path):
    """Errors of areas: the largest correlation between blocks and the largest spread that a member states, in whatever
    order they are named."""
    networks = [
        str(pieces.linear_network(tmp_path / f"{k}.onnx", areas={"between_blocks": rho, "sd": sd}))
        for k, (rho, sd) in enumerate([(0.1, 1.6), (0.7, 1.2), (0.4, 0.9)])
    ]
    for names in (networks, networks[::-1]):
        found = glacier_mapper.networks(names, region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
        assert found.members == 3 and (found.between_blocks, found.block_sd) == (0.7, 1.6)


@pytest.mark.parametrize("classes", [["other", "glacier"], ["glacier", "other"]])
def test_the_glacier_is_the_class_that_the_network_names_positive(tmp_path, scene, classes):
    """The same graph with its classes named the other way round maps the other probability."""
    predicts = {"kind": "one_of", "classes": classes, "positive": "glacier"}
    path = pieces.linear_network(tmp_path / "named.onnx", classes=classes, predicts=predicts)
    found = glacier_mapper.networks([str(path)], region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
    strip = next(iter(found.strips(scene, ("optical",), np.zeros(0, np.float32), lambda n: None)))
    share = 1.0 / (1.0 + np.exp(-(40.0 * 0.3 - 20.0)))  # of the graph's second class, at reflectance 0.3
    np.testing.assert_allclose(strip.probability, share if classes[1] == "glacier" else 1.0 - share, atol=1e-5)


def test_a_network_without_a_positive_class_is_rejected_in_one_line(tmp_path):
    predicts = {"kind": "one_of", "classes": ["other", "glacier"]}
    path = pieces.linear_network(tmp_path / "open.onnx", predicts=predicts)
    with pytest.raises(UsageError, match=r"open.onnx: it names no positive class; expected glacier") as error:
        glacier_mapper.networks([str(path)], region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
    assert "\n" not in str(error.value)


def test_a_network_whose_positive_class_is_another_is_rejected_in_one_line(tmp_path):
    """Among several, too, and whatever the order of its classes."""
    good = pieces.linear_network(tmp_path / "good.onnx")
    for classes in (["other", "glacier"], ["glacier", "other"]):
        predicts = {"kind": "one_of", "classes": classes, "positive": "other"}
        other = pieces.linear_network(tmp_path / f"{classes[0]}.onnx", classes=classes, predicts=predicts)
        for names in ([other], [good, other]) if classes[0] == "other" else ([other],):
            with pytest.raises(UsageError, match=r"onnx: its positive class is other of .*; expected glacier") as error:
                glacier_mapper.networks([str(n) for n in names], region="auto")
            assert "\n" not in str(error.value)


def test_a_glacier_network_may_name_its_other_class_as_it_likes(tmp_path, scene):
    predicts = {"kind": "one_of", "classes": ["glacier", "rock"], "positive": "glacier"}
    path = pieces.linear_network(tmp_path / "rock.onnx", predicts=predicts)
    found = glacier_mapper.networks([str(path)], region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
    strip = next(iter(found.strips(scene, ("optical",), np.zeros(0, np.float32), lambda n: None)))
    np.testing.assert_allclose(strip.probability, 1.0 / (1.0 + np.exp(40.0 * 0.3 - 20.0)), atol=1e-5)


def test_a_network_that_states_no_errors_of_areas_has_evidence(tmp_path, scene):
    """Alone or in an ensemble, unless the user gives the correlation."""
    silent = str(pieces.linear_network(tmp_path / "silent.onnx"))
    stated = str(pieces.linear_network(tmp_path / "stated.onnx", areas={"between_blocks": 0.3, "sd": 0.8}))

    def notes(*names: str, given: float | None = None) -> list[str]:
        found = glacier_mapper.networks(names, region="auto", passes=glacier_mapper.Passes(runtime="onnxruntime"))
        told = glacier_notes.network_notes(scene, found.sensors, found, between_blocks=given)
        return [n for n in told if "--between-blocks" in n]

    assert notes(silent) == [
        "silent states no errors of areas: the intervals count errors of blocks as independent and are too narrow; pass"
        " --between-blocks"
    ]
    assert len(notes(stated, silent)) == 1
    assert notes(stated) == [] and notes(silent, given=0.4) == []
