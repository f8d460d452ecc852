"""Networks for tracks: shapes, parameter counts counted by hand, reach, and steps worked out in numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polynya.models import lstm, mlp, track_unet  # noqa: E402

SIX = tuple("abcdef")
PAPER = {"units": 16, "activation": "elu", "dropout": 0.2, "dense": (32, 96, 32, 16, 112, 48, 64)}
NOTEBOOK = {"units": 48, "activation": "tanh", "dropout": 0.4, "dense": (16, 16), "dense_dropout": 0.4}


def count(network) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameters_of_the_published_networks():
    # MLP: 5 windows of 6 features, 32 units, 3 classes.
    assert count(mlp.build(mlp.Config(features=SIX))) == (30 * 32 + 32) + (32 * 3 + 3)
    # LSTM of the paper: four gates with one bias each, seven dense layers, the head.
    dense = [16, *PAPER["dense"], 3]
    expected = 4 * (6 * 16 + 16 * 16 + 16) + sum(a * b + b for a, b in itertools.pairwise(dense))
    assert count(lstm.build(lstm.Config(features=SIX, **PAPER))) == expected
    # torch's own layer keeps two biases a gate.
    dense = [48, 16, 16, 3]
    expected = 4 * (6 * 48 + 48 * 48 + 2 * 48) + sum(a * b + b for a, b in itertools.pairwise(dense))
    assert count(lstm.build(lstm.Config(features=SIX, **NOTEBOOK))) == expected


@pytest.mark.parametrize("settings", [PAPER, NOTEBOOK], ids=["paper", "notebook"])
def test_lstm_follows_its_equations(settings):
    torch.manual_seed(0)
    network = lstm.build(lstm.Config(features=SIX, **settings)).eval()
    windows = torch.randn(4, 5, 6)
    units, sigmoid = settings["units"], lambda v: 1 / (1 + np.exp(-v))
    squash = np.tanh if settings["activation"] == "tanh" else lambda v: np.where(v > 0, v, np.expm1(v))
    w = {k: v.detach().numpy().astype(np.float64) for k, v in network.state_dict().items()}
    if settings["activation"] == "tanh":
        wx, wh, bias = (
            w["recurrent.lstm.weight_ih_l0"],
            w["recurrent.lstm.weight_hh_l0"],
            w["recurrent.lstm.bias_ih_l0"] + w["recurrent.lstm.bias_hh_l0"],
        )
    else:
        wx, wh, bias = w["recurrent.input.weight"], w["recurrent.state.weight"], w["recurrent.input.bias"]
    h, c = np.zeros((4, units)), np.zeros((4, units))
    for t in range(5):
        i, f, g, o = np.split(windows[:, t].numpy() @ wx.T + h @ wh.T + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * squash(g)
        h = sigmoid(o) * squash(c)
    x = h
    for k in range(len(settings["dense"])):
        x = x @ w[f"dense.{3 * k}.weight"].T + w[f"dense.{3 * k}.bias"]
        x = np.where(x > 0, x, np.expm1(x))
    expected = x @ w["head.weight"].T + w["head.bias"]
    np.testing.assert_allclose(network(windows).detach().numpy(), expected, atol=1e-5)


def unet(**more):
    torch.manual_seed(1)
    config = track_unet.Config(features=SIX, widths=(4, 6, 8), strides=(2, 4), dilations=(1, 2), **more)
    network = track_unet.build(config).eval()
    with torch.no_grad():  # every path open: whatever can travel does
        for p in network.parameters():
            p.copy_(p.abs() + 0.01)
    return config, network


def test_unet_reaches_no_further_than_its_halo_and_uses_most_of_it():
    config, network = unet()
    assert (config.stride, config.halo % config.stride) == (8, 0)
    n = 8 * 60
    track = torch.ones(1, 7, n)
    changed = track.clone()
    changed[:, :6, n // 2] += 1.0
    with torch.no_grad():
        moved = torch.nonzero((network(changed) - network(track)).abs().sum(1)[0])[:, 0] - n // 2
    assert max(-int(moved.min()), int(moved.max())) <= config.halo
    assert max(-int(moved.min()), int(moved.max())) > config.halo - 3 * config.stride


def test_unet_lets_nothing_through_empty_track():
    config, network = unet()
    n = 8 * 60
    track = torch.ones(1, 7, n)
    for first in range(150, 150 + config.stride):  # wherever the gap lies on the coarse cells
        track[:] = 1.0
        track[:, :, first : first + config.separation] = 0.0
        changed = track.clone()
        changed[:, :6, first + config.separation :] *= 5.0
        with torch.no_grad():
            a, b = network(track), network(changed)
        assert torch.equal(a[:, :, :first], b[:, :, :first])
        assert not torch.equal(a[:, :, first + config.separation :], b[:, :, first + config.separation :])
        assert torch.all(a[:, :, first : first + config.separation] == 0)
    config, network = unet()
    track[:] = 1.0
    changed = track.clone()
    changed[:, :6, 200:] *= 5.0
    with torch.no_grad():
        assert not torch.equal(network(track)[:, :, :150], network(changed)[:, :, :150])  # it is the gap that stops it


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one fewer than widths"):
        track_unet.Config(features=SIX, widths=(4, 8), strides=(2, 2))
    with pytest.raises(ValueError, match="odd"):
        track_unet.Config(features=SIX, kernel=4)
    with pytest.raises(ValueError):
        lstm.Config(features=SIX, units=8, unknown=1)
