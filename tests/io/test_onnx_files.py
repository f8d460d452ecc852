"""ONNX files of others: what is no plain network is rejected before a session is made."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.io import onnx_files
from polynya.predict import runtime
from tests import onnx_networks

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return onnx_networks.window_network(tmp_path_factory.mktemp("onnx") / "a.onnx")[0]


def changed(network, tmp_path, change):
    model = onnx.load(network)
    change(model)
    path = tmp_path / "b.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def loop(model):
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def nested(model):
    model.graph.node.append(helper.make_node("Relu", ["a"], ["b"], inner=helper.make_graph([], "x", [], [])))


def outside(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../other.bin")
    tensor.ClearField("raw_data")


def claims(model):
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20]


def constant(model):
    value = TensorProto(data_type=1, dims=[1 << 34], raw_data=b"1234")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=value))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (loop, "holds a Loop"),
        (nested, "holds a graph inside an operator"),
        (outside, "keeps weights in another file"),
        (claims, r"claims 1,099,511,627,776 weights in \d+ bytes"),
        (constant, r"claims 17,179,869,184 weights in 4 bytes"),
        (lambda m: m.opset_import.add(domain="com.microsoft", version=1), "operators of the domain 'com.microsoft'"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "version 99 of the operators"),
        (lambda m: setattr(m.graph.node[0], "domain", "evil"), "an operator of the domain 'evil'"),
        (lambda m: m.functions.add(name="f", domain="f"), "holds functions of its own"),
        (lambda m: m.ClearField("graph"), "holds no graph"),
    ],
)
def test_what_is_no_plain_network(network, tmp_path, change, words):
    path = changed(network, tmp_path, change)
    with pytest.raises(ProductError, match=rf"^b\.onnx: .*{words}.*; expected a network exported by polynya"):
        runtime.session(path)


def test_damaged_bytes_end_in_a_line_or_a_session(network, tmp_path):
    rng = np.random.default_rng(3)
    data = np.frombuffer(network.read_bytes(), np.uint8)
    for case in range(60):
        some = data[: rng.integers(data.size)].copy() if case % 3 == 0 else data.copy()
        if some.size:
            some[rng.integers(some.size, size=1 + case % 5)] ^= np.uint8(1 << case % 8)
        (tmp_path / "c.onnx").write_bytes(some.tobytes())
        try:
            onnx_files.check(tmp_path / "c.onnx", description="polynya")
        except ProductError as error:
            assert "\n" not in str(error) and "expected" in str(error)


def test_the_description_is_bound_to_its_graph(network, tmp_path):
    def bind(model):
        words = model.metadata_props[0].value
        bound = onnx_files.digest(model.graph.SerializeToString(), words)
        helper.set_model_props(model, {"polynya": words, onnx_files.HASH: bound})

    runtime.session(path := changed(network, tmp_path, bind))

    def swap(model):
        about = json.loads(model.metadata_props[0].value)
        about["features"] = about["features"][::-1]
        model.metadata_props[0].value = json.dumps(about)

    for change in (swap, lambda m: setattr(m.graph, "name", "other")):
        with pytest.raises(ProductError, match="was not written for its weights"):
            runtime.session(changed(path, tmp_path, change))
        runtime.session(path := changed(network, tmp_path, bind))


def test_a_network_that_fills_the_memory_is_tried_in_a_process_of_its_own(network, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "is_tried", True)
    monkeypatch.setattr(onnx_files, "MOST_MEMORY", 256 << 20)
    onnx_files.try_out(network)

    def grow(model):
        first = model.graph.node[0].input[0]
        for k in range(45):
            model.graph.node.insert(k, helper.make_node("Concat", [first] * 2, [f"g{k}"], axis=0))
            first = f"g{k}"
        del model.graph.node[45:]
        model.graph.output[0].name = first

    with pytest.raises(ProductError, match=r"b\.onnx: (ends the process|gives no answer)"):
        onnx_files.try_out(changed(network, tmp_path, grow))


@pytest.mark.parametrize(
    ("answer", "words"),
    [((0.5, 0.5, 0.5), "3 classes add up to 1.5"), ((np.nan, 0, 1), "is not a finite number"), ((2, -1, 0), "least")],
)
def test_answers_that_are_none(network, answer, words):
    path = network
    description = runtime.load(path).description
    evaluate = runtime.checked(lambda batch: np.tile(np.float32(answer), (len(batch), 1)), description, path)
    with pytest.raises(ProductError, match=rf"a\.onnx: an answer of it .*{words}"):
        evaluate(np.zeros((2, 5, 3), np.float32))
