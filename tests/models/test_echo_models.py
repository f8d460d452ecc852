"""Networks of echoes: parameters counted by hand, a recurrence worked out in numpy, empty places, symmetries, reach."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polynya.models import echo_cnn, echo_lstm  # noqa: E402
from polynya.physics import echo_inputs  # noqa: E402

ALL, SHAPES = echo_inputs.WITH_POWER, echo_inputs.WITHOUT_POWER


def count(network) -> int:
    return sum(p.numel() for p in network.parameters())


def drawn(batch: int, features: int, length: int, sizes=None, seed: int = 0):
    x = np.random.default_rng(seed).normal(size=(batch, features + 1, length)).astype(np.float32)
    x[:, -1] = 1.0
    for k, n in enumerate(sizes or []):
        x[k, :, n:] = 0.0
    return torch.from_numpy(x)


def test_parameters_of_the_lstm():
    """A linear layer, two LSTMs with two biases a gate, the head; with 42 inputs and 2 outputs as published: 69,570."""
    assert count(echo_lstm.build(echo_lstm.Config(features=tuple(map(str, range(42))), classes=2))) == 69_570
    n = len(ALL)
    expected = (n * 64 + 64) + 2 * (4 * (64 * 64 + 64 * 64 + 2 * 64)) + (2 * 64 * 5 + 5)
    assert count(echo_lstm.build(echo_lstm.Config(features=ALL, classes=5))) == expected


def test_parameters_of_the_cnn():
    numbers = len(ALL) - 32
    gates = (1 * 16 * 5 + 16) + (16 * 16 * 5 + 16)
    enter, head = (numbers + 32) * 48 + 48, 48 * 5 + 5
    expected = gates + enter + 4 * 2 * (48 * 48 * 3 + 48) + head
    assert count(echo_cnn.build(echo_cnn.Config(features=ALL, classes=5))) == expected


def test_the_lstm_follows_its_equations():
    torch.manual_seed(1)
    network = echo_lstm.build(echo_lstm.Config(features=("a", "b", "c"), width=5, units=4, classes=2)).eval()
    x = drawn(2, 3, 6, sizes=(6, 4))
    w = {k: v.detach().numpy().astype(float) for k, v in network.state_dict().items()}

    def states(name: str, steps: np.ndarray) -> np.ndarray:
        h, c, out = np.zeros(4), np.zeros(4), []
        for step in steps:
            gates = w[f"{name}.weight_ih_l0"] @ step + w[f"{name}.weight_hh_l0"] @ h
            i, f, g, o = np.split(gates + w[f"{name}.bias_ih_l0"] + w[f"{name}.bias_hh_l0"], 4)
            i, f, o = (1 / (1 + np.exp(-v)) for v in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = o * np.tanh(c)
            out.append(h)
        return np.array(out)

    with torch.inference_mode():
        found = network(x).numpy()
    for k, n in enumerate((6, 4)):
        steps = np.maximum(x[k, :-1, :n].numpy().T @ w["enter.weight"].T + w["enter.bias"], 0.0)
        both = np.concatenate([states("forwards", steps), states("backwards", steps[::-1])[::-1]], axis=1)
        expected = both @ w["head.weight"].T + w["head.bias"]
        np.testing.assert_allclose(found[k, :, :n].T, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["lstm", "cnn", "cnn of single echoes"])
def test_empty_places_change_nothing(name):
    """A short sequence gets the same answer in a window of any length, whatever its neighbours in the batch."""
    torch.manual_seed(0)
    if name == "lstm":
        network = echo_lstm.build(echo_lstm.Config(features=ALL, classes=5))
    else:
        more = {"dilations": ()} if "single" in name else {}
        network = echo_cnn.build(echo_cnn.Config(features=ALL, classes=5, **more))
    network.eval()
    x = drawn(3, len(ALL), 60, sizes=(60, 33, 1))
    with torch.inference_mode():
        whole = network(x)
        for k, n in enumerate((60, 33, 1)):
            np.testing.assert_allclose(network(x[k : k + 1, :, :n])[0].numpy(), whole[k, :, :n].numpy(), atol=2e-6)
        order = torch.tensor([2, 0, 1])
        np.testing.assert_allclose(network(x[order]).numpy(), whole[order].numpy(), atol=2e-6)


def test_a_turned_sequence_is_answered_turned_by_a_network_with_equal_directions():
    """With the same weights in both directions and a head that adds both, there is no forwards."""
    torch.manual_seed(0)
    network = echo_lstm.build(echo_lstm.Config(features=SHAPES, classes=2)).eval()
    network.backwards.load_state_dict(network.forwards.state_dict())
    with torch.no_grad():
        network.head.weight[:, 64:] = network.head.weight[:, :64]
        x = drawn(1, len(SHAPES), 40)
        np.testing.assert_allclose(network(x.flip(2)).flip(2).numpy(), network(x).numpy(), atol=2e-6)


def test_the_cnn_reaches_as_far_as_its_dilations():
    """Two convolutions of 3 in each of the blocks: 2 (1 + 2 + 4 + 8) = 30 echoes to each side."""
    torch.manual_seed(0)
    network = echo_cnn.build(echo_cnn.Config(features=SHAPES, classes=2)).eval()
    x = drawn(1, len(SHAPES), 101)
    other = x.clone()
    other[0, :-1, 50] += 1.0
    with torch.inference_mode():
        changed = np.flatnonzero((network(x) - network(other)).abs().amax(dim=1)[0].numpy() > 0)
    assert changed[0] >= 20 and changed[-1] <= 80 and changed[-1] - changed[0] > 40
    single = echo_cnn.build(echo_cnn.Config(features=SHAPES, classes=2, dilations=())).eval()
    with torch.inference_mode():
        assert np.flatnonzero((single(x) - single(other)).abs().amax(dim=1)[0].numpy()).tolist() == [50]


def test_settings_that_do_not_fit_are_rejected():
    with pytest.raises(ValueError, match="odd numbers"):
        echo_cnn.Config(features=ALL, kernel=4)
    with pytest.raises(ValueError, match="different numbers of gate_ and edge_"):
        echo_cnn.Config(features=(*echo_inputs.GATES, *echo_inputs.EDGES[:5]))
