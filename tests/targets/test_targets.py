"""What every target promises, and what each gives on samples whose answer is known."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from polynya import calibrate, targets
from polynya.errors import UsageError
from polynya.targets import AnyTarget, Concentration, Heads, ManyOf, OneOf, Quantiles, Value
from polynya.targets.many_of import average_precision
from polynya.targets.protocol import Weighting

torch = pytest.importorskip("torch")

ELEVEN = OneOf(classes=tuple(f"stage_{k}" for k in range(11)), positive="stage_9")
TAGS = ManyOf(labels=("waves", "ice", "rain"))
HEIGHT = Value(name="thickness", units="m", centre=2.0, scale=0.5)
LEVELS = Quantiles(name="area", levels=(0.1, 0.5, 0.9), units="km2", centre=10.0, scale=4.0)
ICE = Concentration()
CHART = Concentration(regions="polygon", loss="squared")
SHARE = Concentration(has_spread=False)
BOTH = Heads(heads={"stage": ELEVEN, "thickness": HEIGHT})
ALL = {"one_of": ELEVEN, "many_of": TAGS, "value": HEIGHT, "quantiles": LEVELS, "heads": BOTH, "concentration": ICE}
ALL |= {"regions": CHART, "share": SHARE}


def samples(target, n: int = 60, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return outputs (n, channels) and encoded labels, every fifth unlabelled."""
    rng = np.random.default_rng(seed)
    if isinstance(target, Heads):
        labels = target.encode({k: samples(h, n, seed)[1] for k, h in target.heads.items()})
    elif isinstance(target, OneOf):
        labels = target.encode(np.where(np.arange(n) % 5 == 0, -1, rng.integers(0, target.channels, n)))
    elif isinstance(target, ManyOf):
        known = rng.random((n, target.channels)) < 0.8
        known[::5] = False
        labels = target.encode(rng.random((n, target.channels)) < 0.4, known)
    elif isinstance(target, Concentration):
        shares = np.where(np.arange(n) % 5 == 0, np.nan, rng.random(n).round(1))
        labels = target.encode(shares, rng.integers(-1, 3, n))
    else:
        labels = target.encode(np.where(np.arange(n) % 5 == 0, np.nan, rng.normal(3.0, 2.0, n)))
    return rng.normal(size=(n, target.channels)), labels


@pytest.mark.parametrize("target", ALL.values(), ids=ALL)
def test_a_target_keeps_its_promises(target):
    outputs, labels = samples(target)
    known = target.known(labels)
    assert labels.dtype == target.dtype and labels.shape == known.shape == (60,)
    assert not known[::5].any() and known.sum() > 30
    assert not target.known(target.nothing((3, 4))).any()
    z = torch.tensor(outputs, dtype=torch.float32, requires_grad=True)
    loss = target.losses(z, labels, Weighting())
    loss.sum().backward()
    unlabelled = torch.from_numpy(~known)
    assert loss.shape == (60,) and torch.isfinite(loss).all() and torch.isfinite(z.grad).all()
    assert (loss[unlabelled] == 0).all() and (z.grad[unlabelled] == 0).all() and (z.grad[~unlabelled] != 0).any()
    found = target.fit(outputs[known], labels[known], method="vector")
    assert len(found.scale) == len(found.offset) == target.channels and 0 < found.n <= known.sum()
    assert TypeAdapter(AnyTarget).validate_python(target.model_dump()) == target
    assert target.scores(outputs[known], labels[known], calibration=found, weights=None)["n"] == known.sum()
    nothing, counts = target.tally(target.nothing((5,))), target.tally(labels)
    assert set(nothing) == set(counts) and not any(nothing.values()) and 0 < max(counts.values()) <= known.sum()
    more = target.fit_more(outputs[known], labels[known], found)
    target.more_scores(outputs[known], labels[known], found, more)


@pytest.mark.parametrize("target", ALL.values(), ids=ALL)
def test_torch_and_numpy_activate_alike(target):
    outputs, labels = samples(target)
    known = target.known(labels)
    found = target.fit(outputs[known], labels[known], method="vector")
    scale, offset = (torch.tensor(v, dtype=torch.float64) for v in (found.scale, found.offset))
    given = target.activate(torch.from_numpy(outputs) * scale + offset).numpy()
    assert given.shape == (60, len(target.planes))
    np.testing.assert_allclose(given, target.values(outputs, found), rtol=1e-9)
    image = torch.from_numpy(outputs.T[None, :, :, None].copy())  # (batch, channels, h, w)
    with_space = target.activate(image * scale[:, None, None] + offset[:, None, None])
    np.testing.assert_allclose(with_space[0, :, :, 0].numpy().T, given, rtol=1e-9)


@pytest.mark.parametrize("target", ALL.values(), ids=ALL)
def test_sums_of_batches_add_up_and_choose_the_better_epoch(target):
    outputs, labels = samples(target)
    known = target.known(labels)
    outputs, labels = outputs[known], labels[known]
    whole = target.sums(outputs, labels)
    parts = target.sums(outputs[:7], labels[:7]) + target.sums(outputs[7:], labels[7:])
    np.testing.assert_allclose(parts, whole)
    row = {**target.summary(whole), "validation_loss": 1.0}
    assert target.merit(row, "loss") > target.merit({**row, "validation_loss": 1.5}, "loss")
    assert target.merit({**row, "validation_loss": math.nan}, "loss") == -math.inf
    for metric in target.STOP_METRICS:
        target.check_metric(metric)
        assert math.isfinite(target.merit(row, metric))
    with pytest.raises(UsageError, match=r"stop.metric colour: no metric of the target"):
        target.check_metric("colour")


# One of several.


def test_eleven_classes_survive_encoding():
    codes = np.arange(11)
    assert np.array_equal(np.log2(ELEVEN.encode(codes)), codes)
    perfect = ELEVEN.scores(np.eye(11) * 20, ELEVEN.encode(codes), calibration=calibrate.identity(11))
    assert perfect["macro_f1"] == 1.0 and np.array_equal(np.array(perfect["confusion"])[:, :11], np.eye(11))
    with pytest.raises(UsageError, match="labels: label 11 is outside the target"):
        ELEVEN.encode(np.array([11]))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"classes": [f"c{k}" for k in range(33)]}, "33 classes; expected 2 to 32"),
        ({"classes": ["a"]}, "1 classes; expected 2 to 32"),
        ({"classes": ["a", "a"]}, "named twice"),
        ({"classes": ["a", "b"], "positive": "c"}, "positive c: no such class"),
    ],
)
def test_classes_that_do_not_fit_are_an_error(settings, text):
    with pytest.raises(ValidationError, match=text):
        OneOf(**settings)


def test_iou_as_stop_metric_is_that_of_the_positive_class():
    row = {"iou": [0.1 * k for k in range(11)]}
    assert ELEVEN.merit(row, "iou") == pytest.approx(0.9)
    with pytest.raises(UsageError, match="is that of the positive class, and none is named"):
        OneOf(classes=("a", "b")).check_metric("iou")


# Many of several.


def test_labels_cost_only_where_they_are_known():
    z = torch.tensor([[0.3, -1.0, 2.0]])
    labels = TAGS.encode(np.array([[True, False, True]]), np.array([[True, True, False]]))
    expected = (math.log1p(math.exp(-0.3)) + math.log1p(math.exp(-1.0))) / 2
    assert TAGS.losses(z, labels, Weighting()).item() == pytest.approx(expected, rel=1e-6)
    heavy = TAGS.losses(z, labels, Weighting(kind="weighted", alpha=(3.0, 1.0, 1.0))).item()
    assert heavy == pytest.approx((3 * math.log1p(math.exp(-0.3)) + math.log1p(math.exp(-1.0))) / 2, rel=1e-6)
    with pytest.raises(UsageError, match="2 labels; expected 3: waves, ice, rain"):
        TAGS.encode(np.ones((4, 2), bool))


def test_a_temperature_per_label_finds_what_the_outputs_were_multiplied_by():
    rng = np.random.default_rng(3)
    logit = rng.normal(size=(40_000, 3)) * 2
    present = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    factors, shift = np.array([0.5, 2.0, 4.0]), np.array([0.0, 0.0, 1.0])
    labels = TAGS.encode(present)
    found = TAGS.fit(logit * factors, labels, method="temperature")
    np.testing.assert_allclose(found.scale, 1 / factors, rtol=0.05)
    found = TAGS.fit(logit * factors + shift, labels, method="vector")
    np.testing.assert_allclose(found.scale, 1 / factors, rtol=0.05)
    np.testing.assert_allclose(found.offset, -shift / factors, atol=0.05)
    scores = TAGS.scores(logit * factors + shift, labels, calibration=found)["labels"]
    assert all(s["calibration_error"] < 0.02 < s["calibration_error_before"] for s in scores.values())


def test_average_precision_by_hand():
    p, y = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert average_precision(p, y) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(np.full(4, 0.5), y) == pytest.approx(0.5)
    assert math.isnan(average_precision(p, np.zeros(4, bool)))


def test_an_epochs_average_precision_is_that_of_the_samples():
    rng = np.random.default_rng(5)
    outputs = rng.normal(size=(3000, 3)) * 2
    labels = TAGS.encode(rng.random(outputs.shape) < 1 / (1 + np.exp(-outputs)))
    exact = TAGS.scores(outputs, labels, calibration=calibrate.identity(3))
    rough = TAGS.summary(TAGS.sums(outputs, labels))
    assert rough["average_precision"] == pytest.approx(exact["average_precision"], abs=0.01)
    assert rough["macro_f1"] == pytest.approx(exact["macro_f1"], abs=1e-9)


# A value and its spread.


def test_the_spread_is_scaled_to_the_errors():
    rng = np.random.default_rng(7)
    n = 50_000
    z, log_spread = rng.normal(size=n), rng.normal(-1.0, 0.3, n)
    truth = HEIGHT.centre + HEIGHT.scale * (z + 2.5 * np.exp(log_spread) * rng.normal(size=n))
    outputs, labels = np.stack([z, log_spread], axis=1), HEIGHT.encode(truth)
    found = HEIGHT.fit(outputs, labels, method="temperature")
    assert math.exp(found.offset[1]) == pytest.approx(2.5, rel=0.02)
    scores = HEIGHT.scores(outputs, labels, calibration=found)
    assert scores["coverage_1sigma"] == pytest.approx(0.683, abs=0.01)
    assert scores["coverage_2sigma"] == pytest.approx(0.954, abs=0.01)
    assert scores["coverage_1sigma_before"] == pytest.approx(math.erf(1 / 2.5 / math.sqrt(2)), abs=0.01)
    summary = HEIGHT.summary(HEIGHT.sums(outputs, labels))
    assert summary["rmse"] == pytest.approx(scores["rmse"]) and summary["bias"] == pytest.approx(scores["bias"])


def test_the_loss_of_a_value_is_a_gaussians():
    z = torch.tensor([[0.4, 0.3]])
    loss = HEIGHT.losses(z, HEIGHT.encode(np.array([3.0])), Weighting()).item()
    density = stats.norm.logpdf(3.0, loc=2.0 + 0.5 * 0.4, scale=0.5 * math.exp(0.3))
    assert loss == pytest.approx(-density - 0.5 * math.log(2 * math.pi) - math.log(0.5), rel=1e-5)
    with pytest.raises(UsageError, match="holds infinite values"):
        HEIGHT.encode(np.array([np.inf]))


# Quantiles.


def test_the_pinball_loss_is_least_at_the_quantiles():
    truth = np.random.default_rng(8).gamma(2.0, 3.0, 20_000)
    labels = LEVELS.encode(truth)
    best = (np.quantile(truth, LEVELS.levels) - LEVELS.centre) / LEVELS.scale

    def cost(outputs: np.ndarray) -> float:
        z = torch.tensor(np.broadcast_to(outputs, (truth.size, 3)).copy(), dtype=torch.float64)
        return LEVELS.losses(z, labels, Weighting()).mean().item()

    for k in range(3):
        for step in (-0.05, 0.05):
            assert cost(best) < cost(best + step * np.eye(3)[k])


def test_levels_are_shifted_to_what_they_state_and_never_cross():
    rng = np.random.default_rng(9)
    truth = rng.gamma(2.0, 3.0, 20_000)
    outputs = np.stack([rng.normal(v, 0.1, truth.size) for v in (-0.5, -1.0, -1.2)], axis=1)
    half = truth.size // 2
    found = LEVELS.fit(outputs[:half], LEVELS.encode(truth[:half]), method="vector")
    scores = LEVELS.scores(outputs[half:], LEVELS.encode(truth[half:]), calibration=found)
    np.testing.assert_allclose(scores["coverage"], LEVELS.levels, atol=0.02)
    assert abs(scores["coverage_before"][2] - 0.9) > 0.1
    raw = LEVELS.values(outputs, calibrate.identity(3))
    assert (np.diff(raw, axis=1) >= 0).all() and LEVELS.planes == ("area_q10", "area_q50", "area_q90")


# Heads.


def test_heads_are_scored_each_for_itself():
    outputs, labels = samples(BOTH)
    codes = labels.copy()
    codes["thickness"][:30] = np.nan
    known = BOTH.known(codes)
    scores = BOTH.scores(outputs[known], codes[known], calibration=calibrate.identity(13), weights=None)
    alone = ELEVEN.scores(
        outputs[known][:, :11], codes[known]["stage"], calibration=calibrate.identity(11), weights=None
    )
    assert scores["heads"]["stage"] == alone and scores["heads"]["thickness"]["n"] == 24
    BOTH.check_metric("thickness.rmse")
    row = BOTH.summary(BOTH.sums(outputs[known], codes[known]))
    assert BOTH.merit(row, "thickness.rmse") == -row["thickness.rmse"]
    with pytest.raises(UsageError, match=r"no metric of the target heads; expected one of loss, stage\.macro_f1"):
        BOTH.check_metric("rmse")


def test_a_heads_weight_multiplies_its_loss():
    outputs, labels = samples(BOTH)
    z = torch.from_numpy(outputs)
    heavy = Heads(heads=BOTH.heads, weights={"thickness": 3.0})
    one, two = (
        ELEVEN.losses(z[:, :11], labels["stage"], Weighting()),
        HEIGHT.losses(z[:, 11:], labels["thickness"].copy(), Weighting()),
    )
    torch.testing.assert_close(heavy.losses(z, labels, Weighting()), one + 3.0 * two)


def test_targets_are_imported_when_they_are_named():
    program = (
        "import sys; from polynya import targets; print(*(m for m in sys.modules if m.startswith('polynya.targets.')));"
        " targets.Value; print('polynya.targets.value' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "polynya.targets.one_of" in first.split() and "polynya.targets.value" not in first.split()
    assert second == "True"
    assert all(isinstance(getattr(targets, name), type) for name in ("Concentration", "Heads", "ManyOf", "Quantiles"))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        targets.Nothing  # noqa: B018
