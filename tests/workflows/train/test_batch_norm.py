"""Statistics of batch norms after the training: those of its inputs with the weights that are kept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polynya.workflows.train import batch_norm  # noqa: E402


class Source:
    """Numbers about 5 with a spread of 2, as images."""

    def plan(self, rng):
        self.given = rng.integers(2**31, size=600)
        return self.given

    def batch(self, items):
        values = [np.random.default_rng(k).normal(5.0, 2.0, (2, 6, 6)) for k in items]
        return SimpleNamespace(inputs=np.array(values, np.float32))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, momentum=0.3), nn.ReLU(), nn.Dropout2d(0.5), nn.BatchNorm2d(3)
    )


def test_statistics_become_those_of_the_training_part():
    model, source = network(), Source()
    model.train()
    model[1].running_mean.fill_(100.0)  # of weights that moved on
    n = batch_norm.recompute(model, source, batch=64, device=torch.device("cpu"), seed=1)
    assert n == batch_norm.SAMPLES and model.training and model[1].momentum == 0.3 and model[4].momentum == 0.1
    inputs = torch.from_numpy(source.batch(source.given[:n]).inputs)
    with torch.no_grad():
        first = model[0](inputs)
        hidden = torch.relu(model.eval()[1](first))
    for norm, seen, tolerance in ((model[1], first, 1e-4), (model[4], hidden, 0.02)):
        mean, variance = seen.mean(dim=(0, 2, 3)), seen.var(dim=(0, 2, 3))
        assert torch.allclose(norm.running_mean, mean, rtol=tolerance, atol=tolerance)
        assert torch.allclose(norm.running_var, variance, rtol=0.01)


def test_weights_stay_and_the_same_seed_gives_the_same_statistics():
    one, two = network(), network()
    weights = [p.clone() for p in one.parameters()]
    for model in (one, two):
        batch_norm.recompute(model, Source(), batch=50, device=torch.device("cpu"), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(weights, one.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), two.buffers(), strict=True))
    batch_norm.recompute(two, Source(), batch=50, device=torch.device("cpu"), seed=4)
    assert not torch.equal(one[1].running_mean, two[1].running_mean)


def test_a_network_without_norms_is_left_alone():
    model = nn.Conv2d(2, 2, 1)
    assert batch_norm.recompute(model, Source(), batch=8, device=torch.device("cpu"), seed=1) == 0
