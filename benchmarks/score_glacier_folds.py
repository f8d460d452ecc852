"""Score a glacier network on halves of real chips, each by the network of its recipe that was not trained on it.

    python benchmarks/score_glacier_folds.py build/glaciers --recipe glacier-saturated --chip everest
    --folds east=build/saturated-west/NAME.safetensors west=build/saturated-east/NAME.safetensors [--json]

Each half is calibrated on the out-of-fold predictions of the other halves, never on itself; so is its threshold (the
best macro-F1 there). Beside it stand calling everything glacier, the classical rule, and what the general network's
model card says of the same half (windows side by side). *dark* are pixels with a red below DARK. Areas: the true area
and the 95 % interval of the labelled ground, with the errors that were fitted on the other halves. --json: values and
tables as docs/results has them.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from polynya import calibrate, checkpoint, export
from polynya.families import FoldPredictions
from polynya.families import scenes as family
from polynya.predict import runtime as predict_runtime
from polynya.predict import scenes as predict_scenes

sys.path.insert(0, str(Path(__file__).resolve().parent))
from score_glaciers import Test

DARK = 0.4
"""Red at digital number 102 of 255: no snow, no clean ice."""
GENERAL = "glavitu-narrow"


class Half(Test):
    """The tiles of one chip of a half."""

    def __init__(self, folder: Path, chip: str):
        super().__init__(folder)
        kept = [k for k, t in enumerate(self.tiles) if t.path.stem == chip]
        self.tiles, self.held = [self.tiles[k] for k in kept], [self.held[k] for k in kept]

    def flat(self, maps: list[np.ndarray]) -> np.ndarray:
        """Return the labelled pixels of maps, in one line."""
        return np.concatenate([m[h["truth"] >= 0] for m, h in zip(maps, self.held, strict=True)])

    @property
    def truth(self) -> np.ndarray:
        return self.flat([h["truth"] for h in self.held]) == 1

    @property
    def is_dark(self) -> np.ndarray:
        return self.flat([h["values"]["optical"][2] for h in self.held]) < DARK


def logits_of(weights: Path, half: Half) -> list[np.ndarray]:
    """Return what a network says of a half before calibration: the logit of glacier of every tile."""
    import torch

    torch.set_num_threads(1)
    network, about = checkpoint.load(weights)
    bare = export.whole(network.eval(), about.model_copy(update={"calibration": None, "temperature": 1.0}))

    def evaluate(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return bare(torch.from_numpy(np.ascontiguousarray(inputs, np.float32))).numpy()

    ready = dataclasses.replace(predict_scenes.load(weights.with_suffix(".onnx"), threads=1), evaluate=evaluate)
    return [np.log(p / (1.0 - p)) for p in (np.clip(q, 1e-6, 1 - 1e-6) for q in half.predict(ready))]


def two(logit: np.ndarray) -> np.ndarray:
    """Return logits of both classes, (n, 2)."""
    return np.stack([-0.5 * logit, 0.5 * logit], axis=1)


def blocks_of(half: Half) -> np.ndarray:
    """Return the number of tile and block of each labelled pixel."""
    from polynya.glaciers.intervals import BLOCK_M
    from polynya.samples.scene_windows import BLOCKS

    every = []
    for k, tile in enumerate(half.tiles):
        sides = [max(round(BLOCK_M / p), 1) for p in tile.pixel]
        rows, columns = np.indices(tile.shape)
        every.append(k * BLOCKS**2 + rows // sides[1] * BLOCKS + columns // sides[0])
    return half.flat(every)


def score(half: Half, logits: list[np.ndarray], fitted: tuple, areas: dict) -> dict[str, object]:
    """Return what the map of a half is worth with a calibration and a threshold from elsewhere."""
    calibration, threshold = fitted
    maps = [calibration.probabilities(two(z.ravel()))[:, 1].reshape(z.shape) for z in logits]
    p, truth, dark = half.flat(maps), half.truth, half.is_dark
    called, base = p >= threshold, truth.mean()
    out: dict[str, object] = {
        "n": int(truth.size),
        "iou": iou(called, truth),
        "iou_at_half": iou(p >= 0.5, truth),
        "threshold": threshold,
        "area_deviation": float(called.mean() / base - 1.0),
        "brier_skill": float(1.0 - ((p - truth) ** 2).mean() / (base * (1.0 - base))),
        "calibration_error": calibrate.error_of(p, truth),
        "dark_recall": float(called[dark & truth].mean()),
        "dark_precision": float(truth[dark & called].mean()) if (dark & called).any() else float("nan"),
    }
    rows = half.intervals(maps, between_blocks=areas["between_blocks"], sd=areas["sd"], threshold=threshold)
    out["tiles"] = len(rows)
    out["inside"] = sum(r["inside"] for r in rows)
    out["half_width"] = float(np.median([(r["high"] - r["low"]) / 2.0 / r["true_km2"] for r in rows]))
    return out


def iou(called: np.ndarray, truth: np.ndarray) -> float:
    return float((called & truth).sum() / max((called | truth).sum(), 1))


def fit(others: list[tuple[Half, list[np.ndarray]]], method: str) -> tuple[tuple, dict]:
    """Return calibration and threshold, and the errors of areas, of other halves."""
    z = np.concatenate([h.flat(v) for h, v in others])
    truth = np.concatenate([h.truth for h, _ in others])
    calibration = calibrate.fit(two(z), (1 << truth.astype(int)).astype(np.uint32), method=method)
    weights = calibrate.fit_decision(calibration.probabilities(two(z)), truth.astype(int))
    predictions = [
        FoldPredictions(
            outputs=two(h.flat(v)),
            targets=(1 << h.truth.astype(int)).astype(np.uint32),
            where=blocks_of(h),
            scenes=tuple(t.scene for t in h.tiles),
        )
        for h, v in others
    ]
    areas = family.area_errors([predictions], calibration=calibration, positive=1)
    return (calibration, weights[0] / sum(weights)), areas or {"between_blocks": 0.0, "sd": 1.0}


def said_of(general: dict, half: str, chip: str) -> dict[str, float]:
    """Return the general network's held-out scores of a half, from its description."""
    rows = general["metrics"].get("kept_back") or general["metrics"].get("cross_fitting") or []
    return next((r for r in rows if r["tiles"] == f"real_{half}" and r["scene"].startswith(chip)), {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="glacier-saturated")
    parser.add_argument("--chip", default="everest")
    parser.add_argument("--folds", nargs="+", required=True, metavar="HALF=NETWORK.safetensors")
    parser.add_argument("--method", default="vector")
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr if a.json else sys.stdout):
        found = scored(a)
    if a.json:
        print(json.dumps(as_result(found), indent=1))


def scored(a: argparse.Namespace) -> dict[str, dict]:
    """Score every half; print a line each."""
    general = json.loads((predict_runtime.WEIGHTS / f"{GENERAL}.json").read_text(encoding="utf-8"))
    folds = dict(text.partition("=")[::2] for text in a.folds)
    halves = {h: Half(a.data / f"real_{h}", a.chip) for h in folds}
    logits = {h: logits_of(Path(network), halves[h]) for h, network in folds.items()}
    found: dict[str, dict] = {}
    for h, half in halves.items():
        fitted, areas = fit([(halves[k], logits[k]) for k in folds if k != h], a.method)
        mine = score(half, logits[h], fitted, areas)
        trivial = half.without_networks(None)
        mine["everything_iou"] = float(half.truth.mean())
        mine["rule_iou"] = iou(half.flat(trivial["classical rule"]) > 0.5, half.truth)
        mine["general"] = {k: v for k, v in said_of(general, h, a.chip).items() if isinstance(v, float)}
        found[h] = mine
        print(h, json.dumps(mine))
    return found


def as_result(found: dict[str, dict]) -> dict[str, object]:
    """Return values and the table as docs/results has them."""
    rows = [
        [
            h,
            f"{r['iou']:.3f}",
            f"{r['general'].get('iou', float('nan')):.3f}",
            f"{r['everything_iou']:.3f}",
            f"{r['rule_iou']:.3f}",
            f"{100 * r['area_deviation']:+.0f} %",
            f"{r['brier_skill']:.2f}",
            f"{r['general'].get('brier_skill', float('nan')):.2f}",
            f"{r['dark_recall']:.2f}",
            f"{r['dark_precision']:.2f}",
            f"{r['inside']} of {r['tiles']}, ±{100 * r['half_width']:.0f} %",
        ]
        for h, r in found.items()
    ]
    columns = [
        "Everest, half",
        "glacier-saturated without it",
        f"{GENERAL} without it",
        "everything glacier",
        "classical rule",
        "area",
        "Brier skill",
        f"Brier skill of {GENERAL}",
        "dark ice found",
        "of dark mapped, ice",
        "true area inside, width",
    ]
    return {"values": found, "tables": {"folds": {"columns": columns, "rows": rows}}}


if __name__ == "__main__":
    main()
