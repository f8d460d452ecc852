"""Prediction without torch: windows and tiles against a slow, plain evaluation; what lies beyond a gap never counts."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polynya.errors import ProductError, UsageError
from polynya.physics import tracks
from polynya.predict import runtime as predict_runtime
from polynya.predict import tracks as predict_tracks

from .. import onnx_networks as networks


def track(n: int = 3000, *, seed: int = 0, first: int = 10_000_001) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return segments with holes of every kind: single cells, a few, more than 20 m, kilometres; some features are
    missing."""
    rng = np.random.default_rng(seed)
    step = np.ones(n, np.int64)
    step[rng.random(n) < 0.05] = rng.integers(2, 12)
    step[rng.random(n) < 0.01] = rng.integers(12, 40)
    step[n // 2] = 1500
    cell = first + np.cumsum(step)
    x = 2.0 * cell + rng.uniform(0.1, 1.9, n)
    features = {
        "height": rng.normal(0.3, 0.2, n).astype(np.float32),
        "photon_rate": rng.gamma(6.0, 1.2, n).astype(np.float32),
        "height_sd": rng.uniform(0.05, 0.3, n),
    }
    features["photon_rate"][rng.random(n) < 0.03] = np.nan
    return x, features


def alone(classifier: predict_tracks.Classifier, features: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Evaluate each piece by itself in one row, cell by cell in plain Python, with wide empty margins."""
    out = np.empty((x.size, 3))
    starts = tracks.pieces(x, gap_m=20.0)
    for a, b in itertools.pairwise(starts):
        cell = [int(v // 2.0) for v in x[a:b]]
        origin = (cell[0] // networks.STRIDE - 10) * networks.STRIDE
        length = (cell[-1] // networks.STRIDE + 10) * networks.STRIDE - origin
        line = np.zeros((1, 4, length), np.float32)
        for i, c in enumerate(cell):
            line[0, 3, c - origin] = 1.0
            for k, name in enumerate(networks.FEATURES):
                value = features[name][a + i]
                line[0, k, c - origin] = networks.MEAN[k] if np.isnan(value) else value
        found = classifier.evaluate(line)
        for i, c in enumerate(cell):
            out[a + i] = found[0, :, c - origin]
    return out


@pytest.fixture(scope="module")
def sequence(tmp_path_factory) -> predict_tracks.Classifier:
    return predict_tracks.load(
        networks.sequence_network(tmp_path_factory.mktemp("onnx") / "sequence.onnx"), runtime="onnxruntime"
    )


@pytest.mark.parametrize("tile", [1, 16, 100, 1024, 1_000_000])
def test_tiles_equal_every_piece_by_itself(sequence, tile):
    x, features = track()
    found = predict_tracks.classify(sequence, features, x=x, tile=tile)
    assert found.dtype == np.float32 and found.shape == (x.size, 3)
    expected = alone(sequence, features, x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert expected.std(axis=0).min() > 0.05  # the network does say something


def test_a_halo_that_is_too_short_would_be_seen(tmp_path):
    """Guards the test above: it must fail where tiles see too little."""
    x, features = track()
    for change in ({"halo": 4}, {"halo": 12, "separation": 0}, {"halo": 12, "stride": 1}):
        short = predict_tracks.load(
            networks.sequence_network(tmp_path / "short.onnx", about=networks.describe("sequence", **change)),
            runtime="onnxruntime",
        )
        if change.get("stride") == 1:  # tiles of another phase: pooling sees other blocks
            x = x + 2.0
        assert (
            np.abs(predict_tracks.classify(short, features, x=x, tile=52) - alone(short, features, x)).max() > 1e-3
        ), change
        (tmp_path / "short.onnx").unlink()


def test_threads_change_nothing(sequence):
    x, features = track(seed=1)
    np.testing.assert_array_equal(
        predict_tracks.classify(sequence, features, x=x, tile=64, threads=4),
        predict_tracks.classify(sequence, features, x=x, tile=64),
    )


def test_where_a_track_is_cut_does_not_matter_further_on(sequence):
    x, features = track(seed=2)
    whole = predict_tracks.classify(sequence, features, x=x)
    cut = next(i for i in range(701, x.size) if x[i] - x[i - 1] < 5.0)  # inside a piece
    rest = predict_tracks.classify(sequence, {k: v[cut:] for k, v in features.items()}, x=x[cut:])
    far = x[cut:] > x[cut] + 2.0 * (networks.HALO + 1)
    np.testing.assert_allclose(rest[far], whole[cut:][far], atol=1e-6)
    assert not np.allclose(rest[:3], whole[cut : cut + 3], atol=1e-6)


def test_nothing_comes_across_a_gap(sequence):
    x = 2.0 * np.concatenate([np.arange(40), 40 + 10 + np.arange(40)]) + 1.0  # 22 m between the middles
    rng = np.random.default_rng(3)
    features = {f: rng.normal(m, s, 80) for f, m, s in zip(networks.FEATURES, networks.MEAN, networks.STD, strict=True)}
    before = predict_tracks.classify(sequence, features, x=x)
    other = {k: np.where(np.arange(80) < 40, v, 50.0) for k, v in features.items()}
    after = predict_tracks.classify(sequence, other, x=x)
    np.testing.assert_allclose(after[:40], before[:40], atol=1e-6)
    assert np.abs(after[40:] - before[40:]).max() > 0.1
    near = np.where(np.arange(80) < 40, x, x - 2.0)  # 20 m: the same piece, and now it does
    assert (
        np.abs(
            predict_tracks.classify(sequence, other, x=near)[:40]
            - predict_tracks.classify(sequence, features, x=near)[:40]
        ).max()
        > 1e-3
    )


def test_windows_are_those_of_the_run(tmp_path):
    """Against softmax(W z + b) in numpy, windows gathered one by one."""
    path, matrix, bias = networks.window_network(tmp_path / "window.onnx")
    x, features = track(2500, seed=4)
    found = predict_tracks.classify(predict_tracks.load(path, runtime="onnxruntime"), features, x=x)
    cell = [int(v // 2.0) for v in x]
    table = np.stack(
        [
            (np.where(np.isnan(features[f]), m, features[f]) - m) / s
            for f, m, s in zip(networks.FEATURES, networks.MEAN, networks.STD, strict=True)
        ],
        axis=1,
    )
    expected = []
    for i in range(x.size):
        window = []
        for step in (-2, -1, 0, 1, 2):
            j = i
            for _ in range(abs(step)):  # walk outwards as long as the next cell is there
                k = j + (1 if step > 0 else -1)
                j = k if 0 <= k < x.size and abs(cell[k] - cell[j]) == 1 else j
            window.append(table[j])
        logits = np.concatenate(window) @ matrix.astype(float) + bias
        expected.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_batches_of_windows_join(tmp_path, monkeypatch):
    path, _, _ = networks.window_network(tmp_path / "window.onnx")
    classifier = predict_tracks.load(path, runtime="onnxruntime")
    x, features = track(seed=5)
    whole = predict_tracks.classify(classifier, features, x=x)
    monkeypatch.setattr(predict_tracks, "BATCH", 37)
    np.testing.assert_allclose(predict_tracks.classify(classifier, features, x=x, threads=3), whole, atol=1e-6)


@pytest.mark.parametrize("kind", ["window", "sequence"])
def test_openvino_gives_the_same_numbers(kind, tmp_path):
    pytest.importorskip("openvino", reason="OpenVINO is an extra ([cpu])")
    path = (
        networks.window_network(tmp_path / "n.onnx")[0]
        if kind == "window"
        else networks.sequence_network(tmp_path / "n.onnx")
    )
    x, features = track(seed=6)
    first, second = (
        predict_tracks.load(path, runtime="onnxruntime"),
        predict_tracks.load(path, runtime="openvino", threads=2),
    )
    assert first.runtime.startswith("onnxruntime ") and second.runtime.startswith("openvino ")
    np.testing.assert_allclose(
        predict_tracks.classify(second, features, x=x, threads=2, tile=256),
        predict_tracks.classify(first, features, x=x),
        atol=2e-6,
    )


def test_an_empty_and_a_single_segment(sequence):
    assert predict_tracks.classify(sequence, {f: np.empty(0) for f in networks.FEATURES}, x=np.empty(0)).shape == (0, 3)
    one = predict_tracks.classify(
        sequence,
        {f: np.array([m]) for f, m in zip(networks.FEATURES, networks.MEAN, strict=True)},
        x=np.array([12345.6]),
    )
    assert one.sum() == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=60),
    st.integers(-1000, 1000),
    st.sampled_from([1, 4, 64]),
    st.integers(0, 90),
)
def test_pieces_keep_phase_order_and_distance(steps, first, stride, separation):
    cell = first + np.cumsum(np.array(steps, np.int64))
    starts = tracks.pieces(2.0 * cell + 1.0, gap_m=20.0)
    place = predict_tracks.lay_out(cell, starts, stride=stride, separation=separation)
    assert place[0] >= 0 and np.all((place - cell) % stride == 0)
    piece = np.searchsorted(starts, np.arange(cell.size), side="right")
    same = np.diff(piece) == 0
    np.testing.assert_array_equal(np.diff(place)[same], np.diff(cell)[same])
    assert np.all(np.diff(place)[~same] > separation) and np.all(np.diff(place)[~same] <= separation + stride)


def test_a_network_is_known_by_its_file(tmp_path, monkeypatch):
    path = networks.sequence_network(tmp_path / "mine.onnx")
    classifier = predict_tracks.load(path, runtime="onnxruntime")
    assert classifier.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and classifier.about["std"] == list(
        networks.STD
    )
    monkeypatch.setattr(predict_runtime, "WEIGHTS", tmp_path)
    assert predict_runtime.shipped() == ["mine"] and predict_tracks.load("mine").path == path
    with pytest.raises(
        UsageError,
        match=r"--classifier yours: no such network; expected 'rule', a shipped name \(mine\) or an \.onnx file",
    ):
        predict_tracks.load("yours")
    with pytest.raises(UsageError, match="no such network"):
        predict_tracks.load("../" + tmp_path.name + "/mine")
    with pytest.raises(UsageError, match="runtime 'tpu'"):
        predict_tracks.load("mine", runtime="tpu")


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (None, "metadata property 'polynya' is missing"),
        ("{", "'polynya', JSON: "),
        ({**networks.describe("sequence"), "kind": "scene"}, "'polynya', kind: "),
        (
            networks.describe("sequence", features=["height", "photon_rate", "distance"]),
            r"features \['distance'\] are unknown",
        ),
        (networks.describe("sequence", mean=[0.0, 1.0]), "mean holds 2 numbers for 3 features"),
        (networks.describe("sequence", mean=[0.0, 1.0, float("nan")]), "one finite number each"),
        (
            networks.describe("sequence", classes=["ice", "water"]),
            "classes are ice, water; expected thick_ice, thin_ice, open_water",
        ),
        (
            networks.describe("sequence", decision_weights=[1.0, 0.0, 1.0]),
            "decision_weights are .* expected a positive number for each of 3 classes",
        ),
        (
            networks.describe("sequence", features=["height", "photon_rate"], mean=[0, 0]),
            "a sequence network must have one of \\(batch, 3, length\\)",
        ),
        (networks.describe("window", window_length=4), "window_length is 4; expected an odd number"),
        (networks.describe("window", window_length=7), "a window network must have one of \\(batch, 7, 3\\)"),
    ],
)
def test_files_that_are_no_export_say_so(about, words, tmp_path):
    path = networks.sequence_network(tmp_path / "bad.onnx", about=about)
    with pytest.raises(ProductError, match=words) as error:
        predict_tracks.load(path)
    assert "\n" not in str(error.value) and str(error.value).startswith("bad.onnx: ")


def test_decision_weights_lean_on_classes(tmp_path):
    probability = np.array([[0.6, 0.3, 0.1], [0.5, 0.1, 0.4], [0.2, 0.5, 0.3]], np.float32)
    plain = predict_tracks.load(networks.sequence_network(tmp_path / "plain.onnx"), runtime="onnxruntime")
    assert predict_tracks.surface_class(plain, probability).tolist() == [0, 0, 1]
    about = networks.describe("sequence", decision_weights=[1.0, 2.5, 2.0])
    leaning = predict_tracks.load(
        networks.sequence_network(tmp_path / "leaning.onnx", about=about), runtime="onnxruntime"
    )
    found = predict_tracks.surface_class(leaning, probability)
    assert found.tolist() == [1, 2, 1] and found.dtype == np.int8


def test_a_damaged_file_says_so(tmp_path):
    path = networks.sequence_network(tmp_path / "torn.onnx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ProductError, match=r"torn.onnx: is no ONNX file, or is cut"):
        predict_tracks.load(path)


def test_wrong_features_and_grids_say_so(sequence):
    x, features = track(50)
    with pytest.raises(UsageError, match=r"features \['height_sd'\] are missing"):
        predict_tracks.classify(sequence, {k: v for k, v in features.items() if k != "height_sd"}, x=x)
    with pytest.raises(UsageError, match=r"features \['height'\] are not of shape \(50,\)"):
        predict_tracks.classify(sequence, {**features, "height": np.zeros(3)}, x=x)
    for bad in (x[::-1], np.repeat(x[:25], 2), 0.1 * x):
        with pytest.raises(UsageError, match="more than one in a cell of 2 m"):
            predict_tracks.classify(sequence, features, x=bad)


def test_prediction_needs_no_torch(tmp_path):
    path = networks.sequence_network(tmp_path / "n.onnx")
    code = (
        f"import sys; from polynya.predict import tracks; tracks.load({json.dumps(str(path))}); print([m for m in"
        " ('torch', 'onnx', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


OPENVINO_FIRST_CALLS = """
import sys, threading
from polynya.predict import tracks as predict
import numpy as np

classifier = predict.load(sys.argv[1], runtime="openvino", threads=4)
n = 3000
features = {f: np.ones(n, np.float32) for f in classifier.description.features}
start = threading.Barrier(4)

def run():
    start.wait()
    predict.classify(classifier, features, x=2.0 * np.arange(n) + 1.0)

threads = [threading.Thread(target=run) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("done")
"""


OPENVINO_ALONE = """
import sys
from polynya.predict import tracks as predict
import numpy as np

classifier = predict.load(sys.argv[1], runtime="openvino", threads=1)
features = {f: np.ones(50, np.float32) for f in classifier.description.features}
predict.classify(classifier, features, x=2.0 * np.arange(50) + 1.0)
print(classifier.runtime.split()[0], [m for m in sys.modules if m.startswith("openvino_telemetry.")])
"""


def test_openvino_reports_nothing_over_the_network(tmp_path):
    """Where its reporter is installed, it sends a message at every import; it is kept from being imported."""
    pytest.importorskip("openvino", reason="OpenVINO is an extra ([cpu])")
    path = networks.sequence_network(tmp_path / "n.onnx")
    words = [sys.executable, "-c", OPENVINO_ALONE, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino []"


def test_openvinos_bridge_is_set_up_while_the_others_wait(tmp_path, monkeypatch):
    """The hang is rare: what prevents it is seen to happen, under the lock, before any result."""
    openvino = pytest.importorskip("openvino")
    name = predict_runtime.shipped()[0] if predict_runtime.shipped() else pytest.skip("no network is shipped")
    path = shutil.copy(predict_runtime.locate(name), tmp_path / "anew.onnx")
    seen = []
    monkeypatch.setattr(openvino, "Tensor", lambda values: seen.append(predict_runtime.COMPILING.locked()))
    loaded = predict_tracks.load(path, runtime="openvino", threads=1)
    n = 50
    features = {f: np.ones(n, np.float32) for f in loaded.description.features}
    predict_tracks.classify(loaded, features, x=2.0 * np.arange(n) + 1.0)
    assert seen == [True]


def test_openvino_survives_several_threads_that_come_first_together():
    """Its bridge to numpy is set up by the first call; two first calls at once waited for each other for ever."""
    pytest.importorskip("openvino")
    name = predict_runtime.shipped()[0] if predict_runtime.shipped() else pytest.skip("no network is shipped")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", OPENVINO_FIRST_CALLS, name], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == "done"


def test_without_openvino_onnxruntime_does_the_work(tmp_path, monkeypatch):
    path = networks.sequence_network(tmp_path / "n.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert predict_tracks.load(path).runtime.startswith("onnxruntime ")
    with pytest.raises(UsageError, match=r"runtime openvino: it is not installed"):
        predict_tracks.load(path, runtime="openvino")


def test_an_openvino_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    path = networks.sequence_network(tmp_path / "n.onnx")
    broken = tmp_path / "openvino"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libtbb.so: no such file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    found = predict_tracks.load(path, runtime="openvino")
    x = 2.0 * np.arange(40) + 1.0
    features = {f: np.ones(x.size, np.float32) for f in found.description.features}
    with pytest.raises(UsageError, match=r"cannot be imported .*libtbb.so"):
        predict_tracks.classify(found, features, x=x)
