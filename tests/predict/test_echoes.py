"""Prediction of leads: against networks whose answer is known, and what must not depend on what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polynya.errors import ProductError, UsageError
from polynya.families.echoes import Description
from polynya.predict import echoes as predict_echoes
from polynya.predict import runtime
from polynya.readers import altika_sgdr
from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track

from ..onnx_networks import helper, save

HEADS = {
    "kind": "heads",
    "heads": {
        "lead": {"kind": "one_of", "classes": ["no_lead", "lead"], "positive": "lead"},
        "distance": {"kind": "quantiles", "name": "lead_distance", "levels": [0.16, 0.5, 0.84]},
    },
}
FEATURES = ("peakiness", "agc")


def described(**changes) -> dict:
    about = {
        "description_version": 1,
        "name": "test-echoes",
        "kind": "echoes",
        "family": "echoes",
        "model": {"name": "echo_lstm"},
        "predicts": HEADS,
        "features": list(FEATURES),
        "mean": [0.0, 0.0],
        "std": [1.0, 1.0],
        "window": 100,
        "margin": 20,
        "threshold_m": 300.0,
        "belt": 3.0,
    }
    return {**about, **changes}


def network(path, rows, **changes):
    """Write a network without neighbours: plane k is a * peakiness + b * agc + c * (1 where there is an echo) of row k;
    the sum over the window is added to the last, so that it knows the window."""
    weights = {"w": np.array(rows, np.float32)}
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["bad"]),
        helper.make_node("Where", ["bad", "zero", "inputs"], ["x"]),
        helper.make_node("MatMul", ["w", "x"], ["probability"]),
    ]
    weights["zero"] = np.zeros(1, np.float32)
    shape = ["batch", len(FEATURES) + 1, "length"]
    out = ["batch", len(rows), "length"]
    saved = save(path, nodes=nodes, weights=weights, input_shape=shape, output_shape=out, about=described(**changes))
    return predict_echoes.load(saved, runtime="onnxruntime")


CONSTANT = [[0, 0, 0.7], [0, 0, 0.3], [0, 0, np.log1p(2.0)], [0, 0, np.log1p(5.0)], [0, 0, np.log1p(9.0)]]
SHAPED = [[0, 0, 0], [1, 0.1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.fixture(scope="module")
def echoes(tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "track.nc"
    files.write_echoes(draw_track(3, echoes=360), path)
    return altika_sgdr.read(path)


def test_a_constant_network_says_the_same_of_every_echo(echoes, tmp_path):
    found = predict_echoes.predict(network(tmp_path / "n.onnx", CONSTANT), echoes)
    assert found.probability.shape == (360,) and not found.short.any()
    np.testing.assert_allclose(found.probability, 0.3, rtol=1e-6)
    for values, metres in ((found.distance_low, 200.0), (found.distance, 500.0), (found.distance_high, 900.0)):
        np.testing.assert_allclose(values, metres, rtol=1e-5)


def test_each_echo_gets_its_own_answer(echoes, tmp_path):
    """A network that repeats an input: row by row the peakiness of that echo and its gain above the level."""
    found = predict_echoes.predict(network(tmp_path / "n.onnx", SHAPED), echoes)
    w = echoes.waveform.astype(float)
    peaky = np.log1p(128 * w.max(axis=1) / w.sum(axis=1))
    mirrored = np.concatenate([echoes.agc[::-1], echoes.agc, echoes.agc[::-1]])
    level = np.array([sorted(mirrored[360 + i - 200 : 360 + i + 201])[100] for i in range(360)])
    np.testing.assert_allclose(found.probability, peaky + 0.1 * (echoes.agc - level), rtol=1e-4, atol=1e-4)


def test_sequences_do_not_know_each_other(echoes, tmp_path):
    """With a gap after echo 150, each side is what it would be alone; the short one is flagged."""
    net = network(tmp_path / "n.onnx", SHAPED)
    time = echoes.time.copy()
    time[60:] += np.timedelta64(10, "s")
    whole = predict_echoes.predict(net, replace(echoes, time=time))
    for rows, short in ((slice(0, 60), True), (slice(60, 360), False)):
        alone = predict_echoes.predict(net, echoes.take(rows))
        np.testing.assert_array_equal(alone.probability, whole.probability[rows])
        assert (whole.short[rows] == short).all() and (alone.short == short).all()


def test_where_there_is_no_echo_there_is_no_answer(echoes, tmp_path):
    waveform = echoes.waveform.copy()
    waveform[[5, 359]] = 0
    found = predict_echoes.predict(network(tmp_path / "n.onnx", CONSTANT), replace(echoes, waveform=waveform))
    for values in (found.probability, found.distance, found.distance_low, found.distance_high):
        assert np.flatnonzero(np.isnan(values)).tolist() == [5, 359]
    none = predict_echoes.predict(network(tmp_path / "n.onnx", CONSTANT), echoes.take(slice(0, 0)))
    assert none.probability.shape == (0,) and none.short.shape == (0,)


def test_a_network_of_classes_alone_has_no_distance(echoes, tmp_path):
    only = {"kind": "heads", "heads": {"lead": HEADS["heads"]["lead"]}}
    found = predict_echoes.predict(network(tmp_path / "n.onnx", CONSTANT[:2], predicts=only), echoes)
    assert np.isnan(found.distance).all() and np.isfinite(found.probability).all()


def test_other_files_are_rejected(tmp_path):
    with pytest.raises(UsageError, match=r"--network no-such: no such network"):
        predict_echoes.load("no-such")
    with pytest.raises(ProductError, match=r"track-unet.onnx: is a network of tracks; expected one of echoes"):
        predict_echoes.load(runtime.WEIGHTS / "track-unet.onnx", runtime="onnxruntime")


def test_a_network_knows_whether_it_sees_the_power():
    assert not Description.model_validate(described()).is_without_power
    assert Description.model_validate(described(features=["peakiness", "edge_00"])).is_without_power
    assert not Description.model_validate(described(features=["peakiness", "gate_00"])).is_without_power
