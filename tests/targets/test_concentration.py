"""Shares of the area: least losses where they should be, regions that say only their mean, spreads that are right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polynya import calibrate
from polynya.errors import ProductError, UsageError
from polynya.targets import Concentration, Heads, OneOf
from polynya.targets.protocol import Weighting

torch = pytest.importorskip("torch")

PIXELS = Concentration()
CHARTS = Concentration(regions="polygon")


def logit(p):
    return np.log(p / (1 - p))


def least(target, labels: np.ndarray, *, steps: int = 400) -> np.ndarray:
    """Return the outputs, one pair for all samples, with the least loss."""
    z = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([z], lr=0.1)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.1 * 0.99**step
        optimiser.zero_grad()
        target.losses(z.expand(labels.size, 2), labels, Weighting()).sum().div(labels.size).backward()
        optimiser.step()
    return 1 / (1 + np.exp(-z.detach().numpy()))


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_least_loss_is_at_the_mean_and_at_the_mean_squared_error(loss):
    labels = np.array([0.0] * 6 + [0.3] * 2 + [1.0] * 2, np.float32)
    share, square = least(Concentration(loss=loss), labels)
    assert share == pytest.approx(labels.mean(), abs=2e-3)
    assert square == pytest.approx(labels.var(), abs=2e-3)


def test_the_spread_takes_nothing_from_the_share():
    outputs = torch.tensor([[0.3, -2.0], [1.0, 4.0]], requires_grad=True)
    labels = np.array([0.9, 0.0], np.float32)
    PIXELS.losses(outputs, labels, Weighting()).sum().backward()
    with_spread = outputs.grad[:, 0].clone()
    alone = torch.tensor([[0.3], [1.0]], requires_grad=True)
    Concentration(has_spread=False).losses(alone, labels, Weighting()).sum().backward()
    assert torch.allclose(with_spread, alone.grad[:, 0]) and (outputs.grad[:, 1] != 0).all()


def test_losses_by_hand():
    p, v, y = 0.2, 0.1, 0.7
    outputs = torch.tensor([[logit(p), logit(v)]])
    labels = np.array([y], np.float32)
    squares = -((y - p) ** 2 * math.log(v) + (1 - (y - p) ** 2) * math.log(1 - v))
    entropy = -(y * math.log(p) + (1 - y) * math.log(1 - p))
    assert PIXELS.losses(outputs, labels, Weighting()).item() == pytest.approx(entropy + squares, rel=1e-6)
    squared = Concentration(loss="squared").losses(outputs, labels, Weighting()).item()
    assert squared == pytest.approx((y - p) ** 2 + squares, rel=1e-6)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_only_the_mean_over_a_region_counts(loss):
    """Ice and water of a polygon that is half of each cost as little as grey all over, and less than the same shares
    with another mean."""
    target = Concentration(regions="polygon", loss=loss, has_spread=False)
    regions = np.array([[4, 4, 4, 4, 9, 9], [-1, -1, 4, 4, 9, 9]])
    shares = np.where(regions == 4, 0.5, np.where(regions == 9, 1.0, 0.25)).astype(np.float32)
    labels = target.encode(shares, regions, key="t")
    leads = np.where(regions == 4, np.indices(regions.shape)[1] % 2, np.where(regions == 9, 1 - 1e-4, 0.25))

    def cost(p):
        z = torch.from_numpy(logit(np.clip(p, 1e-4, 1 - 1e-4)))[..., None].float()
        return target.losses(z, labels, Weighting())

    assert torch.allclose(cost(leads), cost(np.where(regions == 4, 0.5, leads)), atol=1e-3)
    wrong = cost(np.where(regions == 4, 0.2, leads))
    expected = 0.09 if loss == "squared" else -0.5 * math.log(0.2 * 0.8)
    assert torch.allclose(wrong[torch.from_numpy(regions == 4)], torch.tensor(expected), rtol=1e-4)
    same = cost(np.where(regions < 0, 0.9, leads))
    others = torch.from_numpy(regions >= 0)
    assert torch.equal(same[others], cost(leads)[others]) and (same[~others] > cost(leads)[~others]).all()


def test_a_region_of_unknown_share_costs_nothing_and_one_is_not_another_tile_s():
    regions = np.zeros((2, 3), int)
    one, two = (CHARTS.encode(np.full((2, 3), s), regions, key=k) for s, k in ((0.5, "a"), (1.0, "b")))
    assert not set(one["region"].ravel()) & set(two["region"].ravel())
    one["share"][0, 0] = np.nan
    outputs = torch.zeros(2, 2, 3, 2, requires_grad=True)
    loss = CHARTS.losses(outputs, np.stack([one, two]), Weighting())
    loss.sum().backward()
    assert loss[0, 0, 0] == 0 and (outputs.grad[0, 0, 0] == 0).all() and torch.isfinite(outputs.grad).all()
    # a mean of 0.5 is right in the first tile, and wrong by 0.5 in the second
    assert outputs.grad[0, ..., 0].abs().max() < 1e-6 < outputs.grad[1, ..., 0].abs().min()


def test_a_mean_moves_all_pixels_of_its_region_alike():
    labels = CHARTS.encode(np.full(4, 0.8), np.full(4, 3))
    z = torch.zeros(4, 2, requires_grad=True)
    CHARTS.losses(z, labels, Weighting()).sum().backward()
    assert torch.allclose(z.grad[:, 0], z.grad[0, 0].expand(4)) and z.grad[0, 0] < 0


def test_the_spread_is_shifted_to_the_size_of_the_errors():
    rng = np.random.default_rng(2)
    share = rng.uniform(0.2, 0.8, 50_000)
    size = rng.uniform(0.02, 0.1, share.size)
    truth = (share + size * rng.normal(size=share.size)).clip(0, 1)
    outputs = np.stack([logit(share), logit(9 * size**2)], axis=1)  # three times too large
    found = PIXELS.fit(outputs, PIXELS.encode(truth), method="vector")
    value, spread = PIXELS.values(outputs, found).T
    np.testing.assert_allclose(value, share, atol=1e-12)
    assert np.mean(spread**2) == pytest.approx(np.mean((truth - share) ** 2), rel=1e-6)
    assert PIXELS.fit(outputs, PIXELS.encode(truth), method="none").offset == (0.0, 0.0)
    with pytest.raises(ProductError, match="no known share"):
        PIXELS.fit(outputs, PIXELS.nothing((50_000,)), method="vector")


def test_scores_are_those_of_the_textbook():
    rng = np.random.default_rng(3)
    truth = rng.choice([0.0, 0.4, 1.0], 3000, p=[0.5, 0.2, 0.3])
    share = np.clip(truth + rng.normal(0, 0.2, 3000), 0.01, 0.99)
    outputs = np.stack([logit(share), np.full(3000, -3.0)], axis=1)
    found = PIXELS.scores(outputs, PIXELS.encode(truth), calibration=calibrate.identity(2))
    residual = ((truth - share) ** 2).sum()
    assert found["r2"] == pytest.approx(1 - residual / ((truth - truth.mean()) ** 2).sum(), rel=1e-5)
    assert found["rmse"] == pytest.approx(math.sqrt(residual / 3000), rel=1e-5)
    assert found["rmse_marginal"] == pytest.approx(np.sqrt(np.mean((share - truth)[truth == 0.4] ** 2)), rel=1e-4)
    assert PIXELS.summary(PIXELS.sums(outputs, PIXELS.encode(truth)))["r2"] == pytest.approx(found["r2"], rel=1e-5)


def test_shares_in_percent_are_an_error():
    with pytest.raises(UsageError, match="chart/ct: holds 90; expected shares from 0 to 1"):
        PIXELS.encode(np.array([0.5, 90.0, np.nan]), where="chart/ct")


def test_intervals_are_fitted_for_the_share_and_for_a_head_of_it():
    rng = np.random.default_rng(4)
    n = 20_000
    share, size = rng.uniform(0.1, 0.9, n), rng.uniform(0.01, 0.1, n)
    truth = (share + size * rng.normal(size=n)).clip(0, 1)
    outputs = np.stack([logit(share), logit(size**2)], axis=1)
    alone = PIXELS.fit_more(outputs, PIXELS.encode(truth), calibrate.identity(2))["spread"]["concentration"]
    target = Heads(heads={"ice": PIXELS, "stage": OneOf(classes=("a", "b"))})
    labels = target.encode({"ice": PIXELS.encode(truth), "stage": np.zeros(n, np.uint32)})
    both = np.concatenate([outputs, np.zeros((n, 2))], axis=1)
    more = target.fit_more(both, labels, calibrate.identity(4))
    assert more == {"spread": {"ice.concentration": alone}}
    scores = target.more_scores(both, labels, calibrate.identity(4), more)["ice.intervals"]
    assert scores["coverage"] == pytest.approx([0.68, 0.95], abs=0.005)
