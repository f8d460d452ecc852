"""Are simulated wave-mode imagettes as hard as real ones, and do they look alike?

    python benchmarks/score_wave_simulator.py [--train 2000] [--validation 1000] [--test 1000] [--workers 2] [--json]

The classical classifier is a forest of 300 trees per tag on the 20 numbers of
``polynya.physics.imagette_features``. One tag is wrong in 5 % of the images of training and validation, as where people
label; scores are on the true tags. Thresholds per tag, at least 0.2, are those with the best F1 on the validation part.
The simulator is as hard as it should be where the macro F1 over visible tags is 0.60 to 0.70. Needs scikit-learn.

Printed too: what is counted of five real quick-looks (coefficient of variation, skewness, share of the variance at 200
to 500 m, standard deviation of means over 350 m over that over 90 m), as 8-bit pictures after the 1-99 % stretch.
Numbers from simulated imagettes are never skill on real data.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from polynya.physics import imagette_features
from polynya.physics.boxcar import block_means
from polynya.physics.stretch import stretch
from polynya.schema.imagettes import SHORT_NAMES
from polynya.simulate.wave_mode.files import with_errors
from polynya.simulate.wave_mode.imagette import draw_imagette
from polynya.simulate.wave_mode.presets import PIXEL_M

FIRST = {"train": 10_000_000, "validation": 20_000_000, "test": 30_000_000}
"""First seed of each part."""
WANTED = {"cv": (0.46, 0.69), "skewness": (0.14, 1.24), "waves": (0.05, 0.61), "ratio": (0.36, 0.90)}
"""Smallest and largest of the real quick-looks."""
LABEL_ERRORS = 0.05


def marks(picture: np.ndarray) -> tuple[float, float, float, float]:
    """Return coefficient of variation, skewness, share at 200 to 500 m, and the ratio of standard deviations."""
    grey = np.round(255.0 * stretch(picture))
    deviation = grey - grey.mean()
    k = np.hypot(np.fft.fftfreq(len(grey), PIXEL_M)[:, None], np.fft.rfftfreq(grey.shape[1], PIXEL_M)[None])
    power = np.abs(np.fft.rfft2(deviation)) ** 2
    power[:, 1:-1] *= 2.0
    share = power[(k >= 1 / 500) & (k <= 1 / 200)].sum() / power.sum()
    ratio = block_means(grey, 7, 7).std() / block_means(grey, 2, 2).std()
    return grey.std() / grey.mean(), (deviation**3).mean() / grey.std() ** 3, share, ratio


def one(seed: int) -> np.ndarray:
    """Return the numbers of one imagette: 20 features, 10 tags, 10 visible tags, 4 marks."""
    drawn = draw_imagette(seed)
    found = imagette_features.features(drawn.roughness, azimuth_pixel_m=PIXEL_M, range_pixel_m=PIXEL_M, mask=drawn.mask)
    seen = marks(drawn.roughness) if drawn.mask.all() else (np.nan,) * 4
    return np.concatenate([found, drawn.tags, drawn.visible, seen])


def rows(part: str, count: int, workers: int) -> dict[str, np.ndarray]:
    """Return the numbers of a part."""
    seeds = range(FIRST[part], FIRST[part] + count)
    with ProcessPoolExecutor(workers) as pool:
        table = np.stack(list(pool.map(one, seeds, chunksize=20)))
    return {"x": table[:, :20], "tags": table[:, 20:30] > 0, "visible": table[:, 30:40], "marks": table[:, 40:]}


def f1(predicted: np.ndarray, truth: np.ndarray, known: np.ndarray) -> float:
    """Return F1 over the known ones."""
    hit = (predicted & truth & known).sum()
    return float(2 * hit / max(((predicted & known).sum() + (truth & known).sum()), 1))


def fit_forest(parts: dict[str, dict[str, np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the forest's probabilities of validation and test, and the thresholds."""
    from sklearn.ensemble import RandomForestClassifier

    given = {p: with_errors(parts[p]["tags"], share=LABEL_ERRORS, seed=FIRST[p]) for p in ("train", "validation")}
    found = {p: np.zeros(parts[p]["tags"].shape) for p in ("validation", "test")}
    thresholds = np.zeros(len(SHORT_NAMES))
    for k in range(len(SHORT_NAMES)):
        use = parts["train"]["visible"][:, k] >= 0
        forest = RandomForestClassifier(300, random_state=0, n_jobs=1)
        forest.fit(np.nan_to_num(parts["train"]["x"][use]), given["train"][use, k])
        for p in found:
            found[p][:, k] = forest.predict_proba(np.nan_to_num(parts[p]["x"]))[:, -1]
        known = parts["validation"]["visible"][:, k] >= 0
        choices = np.linspace(0.2, 0.95, 76)
        scores = [f1(found["validation"][:, k] >= t, given["validation"][:, k], known) for t in choices]
        thresholds[k] = choices[int(np.argmax(scores))]
    return found, thresholds


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under the receiver operating characteristic, by ranks."""
    from scipy.stats import rankdata

    rank, positive = rankdata(score), int(truth.sum())
    area = rank[truth].sum() - positive * (positive + 1) / 2
    return float(area / max(positive * (truth.size - positive), 1))


def main() -> None:
    """Draw, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("train", 2000), ("validation", 1000), ("test", 1000), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", help="write the numbers as NPZ")
    given = parser.parse_args()
    if importlib.util.find_spec("sklearn") is None:
        raise SystemExit("scikit-learn is missing: install it beside polynya, it is no dependency")
    parts = {p: rows(p, getattr(given, p), given.workers) for p in FIRST}
    if given.save:
        np.savez_compressed(given.save, **{f"{p}_{k}": v for p, held in parts.items() for k, v in held.items()})
    found, thresholds = fit_forest(parts)
    test = parts["test"]
    predicted, known = found["test"] >= thresholds, test["visible"] >= 0
    per_tag = [f1(predicted[:, k], test["tags"][:, k], known[:, k]) for k in range(10)]
    of_all = [f1(predicted[:, k], test["tags"][:, k], np.ones(len(known), bool)) for k in range(10)]
    untagged = ~test["tags"].any(axis=1)
    about = {
        "images": {p: len(held["x"]) for p, held in parts.items()},
        "macro_f1_visible": round(float(np.mean(per_tag)), 3),
        "macro_f1_all": round(float(np.mean(of_all)), 3),
        "micro_auroc_visible": round(auroc(found["test"][known], test["tags"][known]), 3),
        "f1": {n: round(v, 3) for n, v in zip(SHORT_NAMES, per_tag, strict=True)},
        "share": {n: round(float(v), 3) for n, v in zip(SHORT_NAMES, test["tags"].mean(axis=0), strict=True)},
        "invisible": {n: int(v) for n, v in zip(SHORT_NAMES, (~known).sum(axis=0), strict=True)},
        "tags_per_image": np.bincount(test["tags"].sum(axis=1), minlength=4).tolist(),
        "tagged_untagged_share": round(float(predicted[untagged].any(axis=1).mean()), 3),
        "marks": {
            n: np.round(np.nanquantile(test["marks"][:, k], (0.05, 0.25, 0.5, 0.75, 0.95)), 3).tolist()
            for k, n in enumerate(WANTED)
        },
        "marks_of_real_quicklooks": WANTED,
    }
    print(json.dumps(about, indent=None if given.json else 1))


if __name__ == "__main__":
    main()
