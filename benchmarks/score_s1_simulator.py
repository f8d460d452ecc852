"""Are simulated Sentinel-1 scenes as hard as the world? A forest of one pixel, and of its surroundings, against truth.

    python benchmarks/score_s1_simulator.py [--train 1000-1079] [--test 2000-2079] [--size 384] [--ranges standard]
    [--pixels 3000] [--json]

For every seed a window of a scene is drawn at 400 m. A random forest of 30 trees learns the concentration from HH, HV
and the incidence angle of single cells (expected R2 .75 to .85 in the standard ranges), and again with means over 5 and
21 cells and the standard deviation over 9 (about .91). Scenes of training and test are different ones; the interval is
that of 200 draws of the test scenes. Beside it: scenes with bright water, and cells of 15-80 %.

Needs scikit-learn. Numbers from simulated scenes are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from polynya.simulate.sentinel1.scene import Scene, draw_scene

TREES, LEAF = 30, 20
BRIGHT_DB = -16.0
"""First-year ice in HH at 34.5 degrees."""
SLOPE_DB = -0.24


@dataclass(frozen=True)
class Sample:
    """Some cells of one scene."""

    kind: str
    features: np.ndarray
    truth: np.ndarray
    bright: float
    marginal: float
    marginal_5km: float


def work(seed: int, *, size: int, ranges: str, pixels: int) -> Sample:
    """Draw a scene and take cells of it at random."""
    scene = draw_scene(seed, size=(size, size), ranges=ranges)
    planes = features_of(scene)
    rows, columns = np.nonzero(scene.valid)
    rng = np.random.default_rng([seed, 99])
    take = rng.choice(len(rows), min(pixels, len(rows)), replace=False)
    truth = scene.concentration[rows, columns]
    kept = 12 * (size // 12)
    coarse = scene.concentration[:kept, :kept].reshape(kept // 12, 12, kept // 12, 12).mean(axis=(1, 3))
    return Sample(
        kind=str(scene.about["kind"]),
        features=planes[:, rows[take], columns[take]].T.astype(np.float32),
        truth=truth[take],
        bright=bright_share(scene),
        marginal=float(np.mean((truth > 0.15) & (truth < 0.8))),
        marginal_5km=float(np.mean((coarse > 0.15) & (coarse < 0.8))),
    )


def features_of(scene: Scene) -> np.ndarray:
    """Return HH, HV, angle, then the means over 5 and 21 cells and the deviation over 9 of HH and HV."""
    low = np.array([-35.0, -45.0], np.float32)[:, None, None]
    db = np.where(scene.valid, scene.decibels(), low)
    weight = np.maximum(scene.valid.astype(np.float32), 1e-6)

    def mean(plane: np.ndarray, side: int) -> np.ndarray:
        return uniform_filter(plane * weight, side) / np.maximum(uniform_filter(weight, side), 1e-6)

    near = [mean(plane, side) for side in (5, 21) for plane in db]
    spread = [np.sqrt(np.maximum(mean(plane**2, 9) - mean(plane, 9) ** 2, 0.0)) for plane in db]
    return np.stack([*db, scene.incidence, *near, *spread])


def bright_share(scene: Scene) -> float:
    """Return the share of water that is brighter in HH than first-year ice at its angle; 0 where there is none."""
    water = scene.valid & (scene.concentration < 0.05)
    if water.sum() < 200:
        return 0.0
    ice = BRIGHT_DB + SLOPE_DB * (scene.incidence - 34.5)
    smooth = uniform_filter(np.where(water, scene.decibels()[0], 0.0), 5)
    smooth /= np.maximum(uniform_filter(water.astype(np.float32), 5), 1e-6)
    return float(np.mean(smooth[water] > ice[water]))


def r2(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the coefficient of determination."""
    return float(1.0 - np.sum((found - truth) ** 2) / np.sum((truth - truth.mean()) ** 2))


def score(train: list[Sample], test: list[Sample], columns: int) -> dict[str, object]:
    """Fit a forest on the first columns of the features, and score it with an interval over scenes."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, n_jobs=2, random_state=0)
    forest.fit(np.concatenate([s.features[:, :columns] for s in train]), np.concatenate([s.truth for s in train]))
    found = [forest.predict(s.features[:, :columns]) for s in test]
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(200):
        of = rng.integers(len(test), size=len(test))
        draws.append(r2(np.concatenate([test[i].truth for i in of]), np.concatenate([found[i] for i in of])))
    truth = np.concatenate([s.truth for s in test])
    all_found = np.concatenate(found)
    low, high = np.percentile(draws, (2.5, 97.5))
    return {
        "r2": round(r2(truth, all_found), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "rmse": round(float(np.sqrt(np.mean((all_found - truth) ** 2))), 3),
        "scenes": len(test),
        "cells": len(truth),
    }


def seeds_of(text: str) -> range:
    """Return the seeds of FIRST-LAST."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="1000-1079")
    parser.add_argument("--test", default="2000-2079")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--ranges", default="standard")
    parser.add_argument("--pixels", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        import sklearn  # noqa: F401
    except ImportError:
        print("scikit-learn is missing; expected it for the forest. Run pip install scikit-learn.", file=sys.stderr)
        return 1
    keep = {"size": options.size, "ranges": options.ranges, "pixels": options.pixels}
    train, test = ([work(s, **keep) for s in seeds_of(text)] for text in (options.train, options.test))
    both = train + test
    with_water = [s for s in both if s.kind != "pack"]
    result = {
        "ranges": options.ranges,
        "train": options.train,
        "test": options.test,
        "size": options.size,
        "pixel": score(train, test, 3),
        "neighbourhood": score(train, test, train[0].features.shape[1]),
        "scenes_with_bright_water": round(float(np.mean([s.bright > 0.1 for s in both])), 3),
        "of_those_with_water": round(float(np.mean([s.bright > 0.1 for s in with_water])), 3),
        "cells_15_80": round(float(np.mean([s.marginal for s in both])), 4),
        "cells_15_80_of_5_km": round(float(np.mean([s.marginal_5km for s in both])), 4),
        "mean_concentration": round(float(np.mean([s.truth.mean() for s in both])), 3),
        "kinds": {k: sum(s.kind == k for s in both) for k in ("water", "edge", "pack")},
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    for name in ("pixel", "neighbourhood"):
        part = result[name]
        print(f"{name:14} R2 {part['r2']:.3f} [{part['low']:.3f}-{part['high']:.3f}], RMSE {part['rmse']:.3f}")
    for name in list(result)[6:]:
        print(f"{name}: {result[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
