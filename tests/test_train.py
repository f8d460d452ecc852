"""The training loop: learns, follows its formulas, goes on to the same weights after a kill."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import load_file  # noqa: E402

from polynya import recipes  # noqa: E402
from polynya import train as loop  # noqa: E402
from polynya.errors import PolynyaError, UsageError  # noqa: E402
from polynya.targets import OneOf  # noqa: E402

from .samples.label_tables import write_labels  # noqa: E402

FEATURES = ["height", "photon_rate_high"]
WINDOW = {
    "name": "tiny",
    "model": {"name": "mlp", "length": 3, "hidden": [8], "dropout": 0.2},
    "features": FEATURES,
    "batch": 64,
    "epochs": 8,
    "average": 0.9,
    "samples": {"balance": "both"},
    "loss": {"kind": "focal", "alpha": [0.2, 0.5, 0.4]},
    "optimiser": {"kind": "adamw", "rate": 0.01, "schedule": "onecycle", "clip_norm": 1.0, "weight_decay": 0.01},
}
SEQUENCE = {
    "name": "row",
    "model": {"name": "track_unet", "widths": [6, 8], "strides": [4], "kernel": 3, "dilations": [1], "dropout": 0.0},
    "features": FEATURES,
    "batch": 5,
    "epochs": 4,
    "samples": {"length": 64},
    "optimiser": {"rate": 0.01, "schedule": "cosine", "warmup": 0.2},
}
SHARES = ("--shares", "0.5", "0.2", "0.1", "0.2")


class Points:
    """A source of no tracks at all: the loop must not care."""

    def __init__(self, n: int, seed: int, *, labelled: bool = True):
        rng = np.random.default_rng(seed)
        self.targets = (1 << rng.integers(0, 3, n)).astype(np.uint32)
        self.inputs = (np.eye(3)[np.log2(self.targets).astype(int)] + 0.3 * rng.normal(size=(n, 3))).astype(np.float32)
        if not labelled:
            self.targets[:] = 0

    def plan(self, rng):
        return np.arange(len(self.targets)) if rng is None else rng.permutation(len(self.targets))

    def batch(self, items):
        return type("Batch", (), {"inputs": self.inputs[items], "targets": self.targets[items], "where": items})


def points_recipe(**changes) -> recipes.Recipe:
    return recipes.Recipe.model_validate(
        {
            "name": "p",
            "model": {"name": "none"},
            "features": ["height"],
            "batch": 16,
            "epochs": 5,
            "optimiser": {"rate": 0.05},
            **changes,
        }
    )


TARGET = OneOf(classes=("a", "b", "c"), positive="c")


def fit(model, *, train, validation, recipe, seed=0, on_step=None) -> loop.Trained:
    """Train on points of three classes."""
    training = loop.Training(recipe=recipe, target=TARGET, seed=seed, on_step=on_step)
    return loop.fit(model, train=train, validation=validation, training=training)


def linear() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 3)


def test_it_learns_what_can_be_learnt():
    fitted = fit(linear(), train=Points(300, 1), validation=Points(200, 2), recipe=points_recipe(), seed=0)
    assert [r["epoch"] for r in fitted.history] == [1, 2, 3, 4, 5] and fitted.history[-1]["macro_f1"] > 0.95
    assert fitted.history[-1]["train_loss"] < 0.6 * fitted.history[0]["train_loss"]
    best = max(fitted.history, key=lambda r: r["macro_f1"])
    assert fitted.history[fitted.epoch - 1]["macro_f1"] == best["macro_f1"]


def test_one_step_is_plain_gradient_descent_on_the_mean_over_labels():
    """One batch, Adam's first step: every weight moves by the rate against the sign of its gradient."""
    source = Points(16, 3)
    source.targets[:6] = 0  # unlabelled: not in the mean
    model, other = linear(), linear()
    fit(model, train=source, validation=Points(9, 4), recipe=points_recipe(epochs=1), seed=0)
    z = other(torch.from_numpy(source.inputs[6:]))
    loss = torch.nn.functional.cross_entropy(z, torch.from_numpy(np.log2(source.targets[6:]).astype(np.int64)))
    loss.backward()
    for moved, start in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(moved, start - 0.05 * torch.sign(start.grad), atol=1e-5)


def test_early_stop_waits_for_its_patience_and_keeps_the_best():
    noise = Points(64, 5)
    noise.targets = (1 << np.random.default_rng(9).integers(0, 3, 64)).astype(np.uint32)  # nothing to learn
    fitted = fit(
        linear(),
        train=noise,
        validation=Points(200, 6),
        recipe=points_recipe(epochs=200, stop={"metric": "loss", "patience": 3}),
        seed=0,
    )
    values = [r["validation_loss"] for r in fitted.history]
    assert len(values) < 200 and int(np.argmin(values)) == fitted.epoch - 1 == len(values) - 1 - 3
    last = fit(
        linear(), train=noise, validation=Points(200, 6), recipe=points_recipe(epochs=4, stop={"keep": "last"}), seed=0
    )
    assert last.epoch == 4


def test_the_average_of_weights_follows_its_formula():
    recipe = points_recipe(epochs=1, batch=100, average=0.6, stop={"keep": "last"})
    source, model = Points(300, 1), linear()
    start = {k: v.clone() for k, v in model.state_dict().items()}
    seen = []
    fitted = fit(
        model,
        train=source,
        validation=Points(9, 2),
        recipe=recipe,
        seed=0,
        on_step=lambda *_: seen.append({k: v.clone() for k, v in model.state_dict().items()}),
    )
    expected = start
    for step, weights in enumerate(seen, 1):
        decay = min(0.6, step / (step + 10))
        expected = {k: decay * expected[k] + (1 - decay) * weights[k] for k in expected}
    assert len(seen) == 3 and all(torch.allclose(fitted.weights[k], expected[k], atol=1e-6) for k in expected)


def test_rates_follow_their_schedules():
    def rate(progress: float, **changes) -> float:
        return loop.learning_rate(recipes.Optimiser(rate=0.1, **changes), progress)

    assert rate(0.7) == 0.1 and rate(0.05, warmup=0.1) == pytest.approx(0.05)
    assert [rate(p, schedule="cosine") for p in (0.0, 0.5, 1.0)] == pytest.approx([0.1, 0.05, 0.0])
    assert rate(0.25, schedule="cosine") == pytest.approx(0.05 * (1 + math.cos(math.pi / 4)))
    assert [rate(p, schedule="onecycle") for p in (0.0, 0.3, 1.0)] == pytest.approx([0.004, 0.1, 1e-5])
    assert rate(0.65, schedule="onecycle") == pytest.approx(0.5 * (0.1 + 1e-5))


def test_rates_start_again_where_they_are_told():
    settings = recipes.Optimiser(rate=0.1, schedule="restarts", restarts=(0.2, 0.6))
    for begin, end in ((0.0, 0.2), (0.2, 0.6), (0.6, 1.0)):
        for share in (0.0, 0.25, 0.5, 0.99):
            found = loop.learning_rate(settings, begin + share * (end - begin))
            assert found == pytest.approx(0.05 * (1 + math.cos(math.pi * share)), abs=1e-9)
    assert loop.learning_rate(settings, 1.0) == pytest.approx(0.0) and loop.learning_rate(
        recipes.Optimiser(rate=0.1, schedule="restarts"), 0.5
    ) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="increasing shares between 0 and 1"):
        recipes.Optimiser(restarts=(0.5, 0.2))


class TwoHeads(torch.nn.Module):
    """Logits, and in training auxiliary ones of its own weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.main, self.other = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

    def forward(self, x):
        return (self.main(x), self.other(x)) if self.training else self.main(x)


def test_an_auxiliary_head_counts_as_the_recipe_says():
    """The loss is that of the head plus ``auxiliary`` times the other's; gradients by torch's own cross-entropy."""
    source, model, other = Points(16, 3), TwoHeads(), TwoHeads()
    fitted = fit(
        model, train=source, validation=Points(9, 4), recipe=points_recipe(epochs=1, loss={"auxiliary": 0.4}), seed=0
    )
    x, y = torch.from_numpy(source.inputs), torch.from_numpy(np.log2(source.targets).astype(np.int64))
    one, two = (torch.nn.functional.cross_entropy(z, y) for z in other(x))
    assert fitted.history[0]["train_loss"] == pytest.approx((one + 0.4 * two).item(), rel=1e-5)
    (one + 0.4 * two).backward()
    for moved, start in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(moved, start - 0.05 * torch.sign(start.grad), atol=1e-5)
    untouched = TwoHeads()
    before = untouched.other.weight.clone()
    fit(
        untouched,
        train=source,
        validation=Points(9, 4),
        recipe=points_recipe(epochs=1, loss={"auxiliary": 0.0}),
        seed=0,
    )
    assert torch.equal(untouched.other.weight, before)


def test_the_best_epoch_may_be_that_of_the_positive_classs_overlap():
    fitted = fit(
        linear(),
        train=Points(40, 1),
        validation=Points(200, 2),
        recipe=points_recipe(epochs=6, stop={"metric": "iou"}),
        seed=0,
    )
    overlap = [row["iou"][2] for row in fitted.history]
    assert len(set(overlap)) > 1 and fitted.epoch == int(np.argmax(overlap)) + 1


def test_parts_without_labels_and_a_runaway_loss_are_one_line():
    with pytest.raises(UsageError, match="validation: the part holds no label;"):
        fit(linear(), train=Points(30, 1), validation=Points(30, 2, labelled=False), recipe=points_recipe(), seed=0)
    with pytest.raises(UsageError, match="training part holds no sample"):
        fit(linear(), train=Points(0, 1), validation=Points(30, 2), recipe=points_recipe(), seed=0)
    bad = Points(30, 1)
    bad.inputs[:] = np.inf
    with pytest.raises(PolynyaError, match=r"epoch 1: the loss is nan; expected a finite number"):
        fit(linear(), train=bad, validation=Points(30, 2), recipe=points_recipe(), seed=0)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"--device quantum: no such device"):
        loop.start("quantum")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match=r"--device cuda: found 0 GPUs"):
            loop.start("cuda")


def make(folder: Path, settings: dict, **labels) -> tuple[Path, Path]:
    recipe = folder / f"{settings['name']}.yaml"
    recipe.write_text(yaml.safe_dump(settings))
    return recipe, write_labels(folder / "labels", **labels)


def here(recipe: Path, data: Path, out: Path, *, seed: int = 0, resume: bool = False) -> None:
    """Do what the command does, in this process."""
    from polynya.workflows import train as workflow

    split = workflow.split_config(
        method="granule", shares=tuple(map(float, SHARES[1:])), block_km=10.0, gap_km=1.0, seed=0
    )
    workflow.run(recipe, data=[data], out=out, split=split, seed=seed, resume=resume, device="cpu", threads=1)


def history(out: Path) -> list[dict]:
    return [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in json.loads((out / "history.json").read_text())["history"]
    ]


KILLED = """
import os
import signal
import sys

import torch

from polynya import cli

step, left = torch.optim.AdamW.step, int(sys.argv.pop(1))


def last_step(*args, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*args, **options)


torch.optim.AdamW.step = last_step
cli.main()
"""


def test_killed_and_resumed_it_ends_with_the_same_bits(tmp_path):
    """SIGKILL within the fourth epoch: dropout, balanced drawing, averaging and the rate all go on as if nothing had
    been."""
    recipe, data = make(tmp_path, WINDOW, granules=8, n=300, noise=0.5)
    here(recipe, data, tmp_path / "whole")
    whole = history(tmp_path / "whole")
    steps = math.ceil(whole[0]["samples"] / WINDOW["batch"])
    assert len(whole) == 8 and steps > 4
    out, script = tmp_path / "killed", tmp_path / "killed.py"
    script.write_text(KILLED)
    words = ["train", str(recipe), "--data", str(data), "-o", str(out), *SHARES, "--threads", "1", "--device", "cpu"]
    victim = subprocess.run(
        [sys.executable, str(script), str(3 * steps + 2), *words],
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr[-3000:]
    assert not (out / "run.json").exists() and not (out / "tiny.onnx").exists()
    assert history(out) == whole[:3]
    with pytest.raises(UsageError, match=r"holds a training that was stopped.*--resume continues it"):
        here(recipe, data, out)
    here(recipe, data, out, resume=True)
    one, two = load_file(tmp_path / "whole" / "tiny.safetensors"), load_file(out / "tiny.safetensors")
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert history(out) == whole
    assert not (out / "state.safetensors").exists() and not list(out.glob(".*"))


def test_rows_too_go_on_to_the_same_bits(tmp_path, monkeypatch):
    recipe, data = make(tmp_path, {**SEQUENCE, "model": {**SEQUENCE["model"], "dropout": 0.3}}, granules=8, n=300)
    here(recipe, data, tmp_path / "whole")
    save, count = loop.checkpoint.save_state, []

    def stop_at_the_third(path, state, *, digest):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        save(path, state, digest=digest)

    monkeypatch.setattr(loop.checkpoint, "save_state", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        here(recipe, data, tmp_path / "killed")
    monkeypatch.setattr(loop.checkpoint, "save_state", save)
    with pytest.raises(UsageError, match="state of a training with other data, recipe, seed or split"):
        here(recipe, data, tmp_path / "killed", seed=1, resume=True)
    here(recipe, data, tmp_path / "killed", resume=True)
    whole, again = load_file(tmp_path / "whole" / "row.safetensors"), load_file(tmp_path / "killed" / "row.safetensors")
    assert all(torch.equal(whole[k], again[k]) for k in whole) and history(tmp_path / "whole") == history(
        tmp_path / "killed"
    )


def test_weights_decay_by_the_rate_times_the_decay():
    """AdamW's first step (Loshchilov and Hutter 2019, eq. of algorithm 2): w - rate decay w - rate sign(gradient)."""
    source, model, other = Points(16, 3), linear(), linear()
    recipe = points_recipe(epochs=1, optimiser={"rate": 0.05, "kind": "adamw", "weight_decay": 0.4})
    fit(model, train=source, validation=Points(9, 4), recipe=recipe, seed=0)
    z = other(torch.from_numpy(source.inputs))
    torch.nn.functional.cross_entropy(z, torch.from_numpy(np.log2(source.targets).astype(np.int64))).backward()
    for moved, start in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(moved, (1 - 0.05 * 0.4) * start - 0.05 * torch.sign(start.grad), atol=1e-5)


def test_gradients_are_shortened_to_the_recipes_norm():
    """After one step the gradient is still there: as long as torch's own where no norm is set, 0.01 where that is."""
    source, other = Points(16, 3), linear()
    z = other(torch.from_numpy(source.inputs))
    torch.nn.functional.cross_entropy(z, torch.from_numpy(np.log2(source.targets).astype(np.int64))).backward()
    plain = torch.cat([w.grad.ravel() for w in other.parameters()])
    for norm, expected in ((None, plain), (1e3, plain), (0.01, 0.01 * plain / plain.norm())):
        model = linear()
        recipe = points_recipe(epochs=1, optimiser={"rate": 0.05, "clip_norm": norm})
        fit(model, train=source, validation=Points(9, 4), recipe=recipe, seed=0)
        found = torch.cat([w.grad.ravel() for w in model.parameters()])
        assert plain.norm() > 0.1 and torch.allclose(found, expected, rtol=1e-3, atol=1e-6)
