"""Score lead or no lead from OLCI spectra of 21 bands: an ensemble of small networks beside plain models.

    python benchmarks/score_spectra.py --train FILE [--test FILE] [--members 5] [--epochs 60] [--json]

FILE is NPZ with ``x`` (n, 21) and ``y`` (n,), 1 for leads. Without --test every fifth spectrum of --train, drawn, is
held out. Networks of two layers see the shape of a spectrum (bands over their mean, steps of their logarithm) and the
logarithm of the mean; their probabilities are averaged. Beside them: brightness alone, a logistic regression on the
bands, a forest on the bands. Accuracy, area under the ROC curve, calibration error (15 bins), seconds to fit.

All spectra come from the same scenes: every number is an interpolation score, none says how leads of another scene are
found. Needs torch.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from plain_models import fit_forest

NOTE = "interpolation score: training and test spectra come from the same scenes"
WIDTH, BATCH, RATE, DECAY, DROPOUT = 192, 256, 0.004, 0.02, 0.1
LOWEST = 1e-3
BINS = 15
Predict = Callable[[np.ndarray], np.ndarray]


def features(x: np.ndarray) -> np.ndarray:
    """Return shape and size of spectra: (n, 21) to (n, 42)."""
    mean, logs = np.maximum(x.mean(axis=1, keepdims=True), LOWEST), np.log(np.maximum(x, LOWEST))
    return np.hstack([x / mean, np.diff(logs, axis=1), np.log(mean)])


def fit_networks(x: np.ndarray, y: np.ndarray, *, members: int, epochs: int, seed: int = 0) -> Predict:
    """Return what gives the probability of a lead: members trained side by side, each in an order of its own."""
    import torch
    from torch.nn import functional as F

    torch.manual_seed(seed)
    given = features(x)
    centre, scale = given.mean(axis=0), given.std(axis=0) + 1e-9
    inputs = torch.tensor((given - centre) / scale, dtype=torch.float32)
    target = torch.tensor(y, dtype=torch.float32)
    sizes = (inputs.shape[1], WIDTH, WIDTH, 1)
    weights = [torch.nn.Parameter(torch.randn(members, a, b) * (2 / a) ** 0.5) for a, b in itertools.pairwise(sizes)]
    biases = [torch.nn.Parameter(torch.zeros(members, 1, b)) for b in sizes[1:]]

    def logits(values: torch.Tensor, *, is_training: bool) -> torch.Tensor:
        for k in range(2):
            values = F.dropout(F.relu(values @ weights[k] + biases[k]), DROPOUT, is_training)
        return (values @ weights[2] + biases[2])[..., 0]

    batch = min(BATCH, len(y))
    steps = len(y) // batch
    optimiser = torch.optim.AdamW([*weights, *biases], lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * steps)
    for _ in range(epochs):
        order = torch.stack([torch.randperm(len(y)) for _ in range(members)])
        for k in range(steps):
            chosen = order[:, k * batch : (k + 1) * batch]
            loss = F.binary_cross_entropy_with_logits(logits(inputs[chosen], is_training=True), target[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    def predict(spectra: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            values = torch.tensor((features(spectra) - centre) / scale, dtype=torch.float32)
            return torch.sigmoid(logits(values.expand(members, *values.shape), is_training=False)).mean(dim=0).numpy()

    return predict


def fit_logistic(x: np.ndarray, y: np.ndarray) -> Predict:
    """Return a logistic regression by Newton's steps, with a small penalty."""
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9

    def design(values: np.ndarray) -> np.ndarray:
        return np.hstack([(values - centre) / scale, np.ones((len(values), 1))])

    given, weights = design(x), np.zeros(x.shape[1] + 1)
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(given @ weights, -30, 30)))
        hessian = given.T @ (given * (p * (1 - p))[:, None]) + np.eye(len(weights))
        weights = weights + np.linalg.solve(hessian, given.T @ (y - p) - weights)
    return lambda values: 1 / (1 + np.exp(-np.clip(design(values) @ weights, -30, 30)))


def scores(p: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return accuracy, area under the ROC curve (ties count half) and calibration error."""
    from scipy.stats import rankdata

    ranks, n = rankdata(p), int(y.sum())
    area = (ranks[y == 1].sum() - n * (n + 1) / 2) / (n * (len(y) - n))
    part = np.minimum((p * BINS).astype(int), BINS - 1)
    error = sum(abs(p[part == k].sum() - y[part == k].sum()) for k in range(BINS)) / len(y)
    return {"accuracy": float(((p > 0.5) == y).mean()), "auc": float(area), "ece": float(error)}


def measure(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], *, members: int, epochs: int):
    """Fit and score every method."""
    x, y = train
    methods = {
        "networks": lambda: fit_networks(x, y, members=members, epochs=epochs),
        "forest": lambda: fit_forest(x, y, trees=100, least=2),
        "logistic": lambda: fit_logistic(x, y),
        "brightness": lambda: (lambda f: lambda v: f(v.mean(axis=1, keepdims=True)))(
            fit_forest(x.mean(axis=1, keepdims=True), y, trees=20, least=50)
        ),
    }
    found = {}
    for name, fit in methods.items():
        begun = time.perf_counter()
        predict = fit()
        seconds = time.perf_counter() - begun
        found[name] = {**scores(predict(test[0]), test[1]), "fit_seconds": round(seconds, 1)}
    found["majority"] = {"accuracy": float(max(test[1].mean(), 1 - test[1].mean()))}
    return found


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = [np.load(p, allow_pickle=False) for p in (given.train, given.test) if p]
    pairs = [(p["x"].astype(float), p["y"].astype(float)) for p in parts]
    if not given.test:
        held = np.random.default_rng(0).permutation(len(pairs[0][1])) % 5 == 0
        pairs = [(pairs[0][0][k], pairs[0][1][k]) for k in (~held, held)]
    found = measure(pairs[0], pairs[1], members=given.members, epochs=given.epochs)
    if given.json:
        print(json.dumps({"note": NOTE, "methods": found}, indent=1))
        return
    print(NOTE)
    for name, row in found.items():
        print(f"{name:<12}", "  ".join(f"{k} {v:.3f}" for k, v in row.items()))


if __name__ == "__main__":
    main()
