"""Hand-labelled Sentinel-3 echoes for benchmarks/score_leads.py: echoes like those of the ocean, or not.

Every echo is classified by itself: neighbours in these files are tens of steps and more apart. Methods are chosen by
cross-validation over days in the training file; a test file of another year is scored once. Beside the ensemble stand
its parts, a band of peakiness tuned on the training days, and the most frequent class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lead_scores
import numpy as np
from lead_files import HAND
from plain_models import fit_forest

from polynya.physics import echo_inputs
from polynya.physics.waveform_features import features
from polynya.readers import echo_files

FOLDS = 5
TREES, LEAF = 300, 3
NETWORKS, EPOCHS, BATCH, RATE, DECAY = 4, 60, 32, 3e-3, 0.05
COLUMNS = (
    "peakiness_zakharova_128",
    "peakiness_cpom",
    "argmax",
    "ocog_width",
    "ocog_position",
    "leading_edge_width",
    "leading_edge_width_30_70",
    "trailing_edge_slope",
    "trailing_edge_width",
    "late_tail_to_peak",
    "left_sum",
    "right_sum",
    "peak_share_3",
    "peak_share_5",
    "tail_from_35",
    "width_at_half",
    "n_peaks",
    "kurtosis",
    "first_maximum",
)
Predict = Callable[["Echoes"], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Echoes:
    """n echoes: shape features, waveforms scaled to 0..1 as networks see them, labels, and the day of each."""

    shapes: np.ndarray
    gates: np.ndarray
    is_ocean: np.ndarray
    day: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    @property
    def pooled(self) -> np.ndarray:
        """Gates of the window and of the aligned window, pooled."""
        edges = echo_inputs.pooled(echo_inputs.aligned(self.gates))
        return np.concatenate([echo_inputs.pooled(self.gates), edges], axis=1)

    def take(self, rows: np.ndarray) -> Echoes:
        """Return some of the echoes."""
        return Echoes(**{k: v[rows] for k, v in vars(self).items()})


def read(paths: Sequence[Path]) -> Echoes:
    """Read files with labels by hand."""
    parts = [echo_files.read(p, extra=(HAND,)) for p in paths]
    shapes = [np.stack([features(e.waveform)[c] for c in COLUMNS], axis=1) for e in parts]
    return Echoes(
        shapes=np.nan_to_num(np.concatenate(shapes), nan=-1.0),
        gates=np.concatenate([echo_inputs.scaled(e.waveform) for e in parts]),
        is_ocean=np.concatenate([e.extra[HAND] for e in parts]) == 1,
        day=np.concatenate([e.time.astype("datetime64[D]") for e in parts]),
    )


def majority(train: Echoes, seed: int) -> Predict:
    """Return the share of the training's echoes for all."""
    share = float(train.is_ocean.mean())
    return lambda e: np.full(len(e), share)


def peakiness_band(train: Echoes, seed: int) -> Predict:
    """Return 1 within the band of peakiness of the highest F1 in training."""
    values = train.shapes[:, 0]
    edges = np.quantile(values, np.linspace(0.0, 1.0, 41))
    bands = [(lo, hi) for i, lo in enumerate(edges) for hi in edges[i + 1 :]]
    best = max(bands, key=lambda b: lead_scores.called(train.is_ocean, (values >= b[0]) & (values <= b[1]))["f1"])
    return lambda e: ((e.shapes[:, 0] >= best[0]) & (e.shapes[:, 0] <= best[1])).astype(float)


def forest(train: Echoes, seed: int) -> Predict:
    """Fit a forest on shape features."""
    fitted = fit_forest(train.shapes, train.is_ocean.astype(float), trees=TREES, least=LEAF, seed=seed)
    return lambda e: fitted(e.shapes)


def forest_of_gates(train: Echoes, seed: int) -> Predict:
    """Fit a forest on shape features and pooled gates."""
    x = np.concatenate([train.shapes, train.pooled], axis=1)
    fitted = fit_forest(x, train.is_ocean.astype(float), trees=TREES, least=LEAF, seed=seed, share=0.2)
    return lambda e: fitted(np.concatenate([e.shapes, e.pooled], axis=1))


def convolutions(train: Echoes, seed: int) -> Predict:
    """Train some small networks of convolutions over the gates of an echo; their mean probability is the answer."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    networks = []
    for k in range(NETWORKS):
        torch.manual_seed(100 * seed + k)
        rng = np.random.default_rng([seed, k])
        layers = [nn.Conv1d(1, 24, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(24, 24, 5, padding=2)]
        layers += [nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(24, 24, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(8)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 1))
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        steps = EPOCHS * -(-len(train) // BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(EPOCHS):
            order = rng.permutation(len(train))
            for b in range(0, len(order), BATCH):
                rows = order[b : b + BATCH]
                x = train.gates[rows]
                moved = np.stack([np.roll(w, rng.integers(-3, 4)) for w in x])
                x = moved + rng.normal(0.0, 0.02, x.shape)
                truth = torch.from_numpy(0.05 + 0.9 * train.is_ocean[rows].astype(np.float32))
                out = net(torch.from_numpy(x.astype(np.float32))[:, None])[:, 0]
                loss = nn.functional.binary_cross_entropy_with_logits(out, truth)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        networks.append(net.eval())

    def predict(e: Echoes) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(e.gates.astype(np.float32))[:, None]
            return np.mean([torch.sigmoid(n(x))[:, 0].numpy() for n in networks], axis=0)

    return predict


METHODS = {
    "majority": majority,
    "peakiness_band": peakiness_band,
    "forest": forest,
    "forest_of_gates": forest_of_gates,
    "convolutions": convolutions,
}
ENSEMBLE = ("forest_of_gates", "convolutions")
"""Mean of their probabilities."""


def with_ensemble(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return probabilities by method, with that of the ensemble."""
    return {**found, "ensemble": np.mean([found[n] for n in ENSEMBLE], axis=0)}


def folds(day: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the fold of every echo; a day is in one fold."""
    names, place = np.unique(day, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[place]


def cross_validated(data: Echoes, *, seed: int) -> dict[str, np.ndarray]:
    """Return probabilities (n,) by method, each echo's by a fit without its days."""
    fold, found = folds(data.day, seed=seed), {n: np.zeros(len(data)) for n in METHODS}
    for k in range(FOLDS):
        train, other = data.take(fold != k), np.flatnonzero(fold == k)
        for name, fit in METHODS.items():
            found[name][other] = fit(train, seed)(data.take(other))
    return with_ensemble(found)


def scored(truth: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return accuracy, precision, recall, F1 and the area under the ROC curve; 0.5 and more is called ocean."""
    is_called = probability >= 0.5
    auc = lead_scores.area_under_curve(truth, probability)
    return {"accuracy": float((is_called == truth).mean()), **lead_scores.called(truth, is_called), "auc": auc}


def score(train: Sequence[Path], test: Sequence[Path], *, seed: int) -> dict[str, Any]:
    """Score by cross-validation over days of the training files, and on test files where there are some."""
    data = read(train)
    values: dict[str, Any] = {"echoes": len(data), "days": int(np.unique(data.day).size)}
    values["share_of_ocean"] = float(data.is_ocean.mean())
    values["cross_validation"] = {n: scored(data.is_ocean, p) for n, p in cross_validated(data, seed=seed).items()}
    if test:
        other = read(test)
        found = {name: fit(data, seed)(other) for name, fit in METHODS.items()}
        values["test_echoes"] = len(other)
        values["test"] = {n: scored(other.is_ocean, p) for n, p in with_ensemble(found).items()}
    return {"values": values, "tables": {k: table(values[k]) for k in ("cross_validation", "test") if k in values}}


def table(values: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return scores as a table of text."""
    keys = ("accuracy", "precision", "recall", "f1", "auc")
    rows = [[n.replace("_", " "), *(f"{r[k]:.3f}" for k in keys)] for n, r in values.items()]
    return {"columns": ["", "accuracy", "precision", "recall", "F1", "AUC"], "rows": rows}
