"""Train a network of wave-mode imagettes and score its tags on others, beside a forest of twenty numbers.

    python benchmarks/score_tags.py --train FILES --test FILES [--json] [--network FILE] [-o FOLDER] [--recipe tags]
    [--epochs N] [--seed 0] [--split granule]

FILES are folders as ``polynya simulate wv`` writes them, or of quick-looks with tags.csv (or files in them, or folders
of such folders). Without --network the recipe is trained on --train, whose orbits are split into training, validation
and calibration. The forest (300 trees a tag, on ``polynya.physics.imagette_features``) learns from the same training
part; both take their thresholds, at least 0.2, from the same calibration part. Where truth.csv lies beside tags.csv,
the true tags are scored, and those that cannot be seen are left out ("visible"); ``macro_f1_all`` counts them too.

Scored: macro F1, micro and macro AUROC, exact match, Hamming loss, calibration error of the most probable tag and the
mean over tags, accuracy of the most probable given tag (or of none) at 70 % coverage and the coverage at 95 % accuracy,
and the share of untagged images that get a tag. Intervals by drawing passes.

Numbers from simulated imagettes are never skill on real data.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tag_scores
from plain_models import fit_forest
from tag_scores import Answer, Truth

from polynya import calibrate, recipes
from polynya.errors import PolynyaError, UsageError
from polynya.physics import imagette_features
from polynya.predict import images as predict_images
from polynya.samples import labelled_imagettes, splits
from polynya.schema.imagettes import ABSENT, PRESENT, TAGS, Imagette
from polynya.workflows import train as workflow

SHARES = (0.8, 0.05, 0.15, 0.0)
TREES, LEAF = 300, 1
UPDATES, MOST_EPOCHS = 1500, 60
"""Steps that a training takes at least, unless that is more epochs: few images are seen more often."""
TIMED, THREADS = 200, 2


@dataclass(frozen=True, kw_only=True)
class Part:
    """The imagettes of --train or --test: twenty numbers, given tags, truth, check sums of the pictures."""

    features: np.ndarray
    given: np.ndarray
    truth: Truth
    digests: np.ndarray
    simulated: bool


def read(paths: Sequence[Path]) -> Part:
    """Read a part; pictures are not kept."""
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]] = []
    passes: dict[str, int] = {}
    is_simulated = False
    for folder in labelled_imagettes.folders(paths):
        true = labelled_imagettes.true_tags(folder)
        by_stem = {Path(name).stem: both for name, both in true.items()}
        for one, features in featured(labelled_imagettes.opened(folder)):
            tags, known = one.tags == PRESENT, (one.tags == PRESENT) | (one.tags == ABSENT)
            if one.name in by_stem:
                tags, seen = by_stem[one.name]
                known = seen >= 0
            number = passes.setdefault(one.group, len(passes))
            rows.append((features, one.tags, tags, known, number, zlib.crc32(one.picture.tobytes())))
            is_simulated |= one.is_simulated
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    truth = Truth(tags=columns[2], known=columns[3], passed=columns[4])
    return Part(
        features=np.nan_to_num(columns[0]), given=columns[1], truth=truth, digests=columns[5], simulated=is_simulated
    )


def featured(imagettes: Iterator[Imagette]) -> Iterator[tuple[Imagette, np.ndarray]]:
    """Compute the twenty numbers of imagettes, some beside each other while others are read."""
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(itertools.islice(imagettes, 8 * THREADS)):
            yield from zip(chunk, pool.map(features_of, chunk), strict=True)


def features_of(one: Imagette) -> np.ndarray:
    """Return the twenty numbers of an imagette."""
    pixels = {"azimuth_pixel_m": one.azimuth_pixel_m, "range_pixel_m": one.range_pixel_m}
    return imagette_features.features(one.picture, mask=one.mask, **pixels)


def forest(train: Part, test: Part, part: np.ndarray, *, seed: int) -> Answer:
    """Fit a forest per tag, choose its thresholds, and return what it says of the test."""
    taught, held = np.flatnonzero(part == splits.TRAIN), np.flatnonzero(part == splits.CALIBRATION)
    found = {"held": np.zeros((len(held), len(TAGS))), "test": np.zeros((len(test.given), len(TAGS)))}
    share = 1.0 / np.sqrt(train.features.shape[1])
    for k in range(len(TAGS)):
        rows = taught[train.given[taught, k] >= 0]
        y = (train.given[rows, k] == PRESENT).astype(float)
        if y.any():
            fitted = fit_forest(train.features[rows], y, trees=TREES, least=LEAF, seed=seed + k, share=share)
            found["held"][:, k], found["test"][:, k] = fitted(train.features[held]), fitted(test.features)
    given = train.given[held]
    limits = calibrate.fit_thresholds(found["held"], given == PRESENT, given >= 0, untagged=1.0)
    tags = found["test"] >= np.array(limits.best_f1)
    return Answer(probability=found["test"], given=tags, confidence=tag_scores.confidence_of(found["test"], tags))


def by_network(path: Path, paths: Sequence[Path]) -> tuple[Answer, dict[str, float]]:
    """Return what a network says of the test, how fast it is on pictures in memory, and how many are far from it."""
    network = predict_images.load(path, runtime="onnxruntime", threads=THREADS)
    imagettes = (one for folder in labelled_imagettes.folders(paths) for one in labelled_imagettes.opened(folder))
    found = predict_images.predict(network, imagettes, threads=THREADS)
    if found.labels != TAGS:
        raise UsageError(f"{path.name}: predicts {', '.join(found.labels)}; expected the ten phenomena. Give another.")
    first = labelled_imagettes.folders(paths)[0]
    decoded = [one for one, _ in zip(labelled_imagettes.opened(first), range(TIMED), strict=False)]
    began = time.perf_counter()
    predict_images.predict(network, decoded, threads=THREADS)
    rate = len(decoded) / (time.perf_counter() - began)
    answer = Answer(probability=found.probability, given=found.tags, confidence=found.confidence)
    return answer, {"imagettes_per_second": rate, "far": float(found.is_far.mean())}


def train_network(a: argparse.Namespace, out: Path, *, images: int) -> Path:
    """Train the recipe, unless that network is in the folder; return the exported network."""
    plan = recipes.load(a.recipe)
    steps = max(1.0, SHARES[0] * images / plan.batch)
    wanted = min(MOST_EPOCHS, int(np.ceil(UPDATES / steps)))
    result = workflow.run(
        a.recipe,
        data=a.train,
        out=out / plan.name,
        split=split_config(a),
        seed=a.seed,
        epochs=a.epochs or max(wanted, plan.epochs),
        threads=THREADS,
        resume=True,
        show_progress=not a.json,
    )
    return result.outputs["onnx"]


def split_config(a: argparse.Namespace) -> splits.Config:
    """Return how --train is split."""
    return workflow.split_config(method=a.split, shares=SHARES, block_km=10.0, gap_km=1.0, seed=a.seed)


def score(a: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train, score, and return values."""
    train, test = read(a.train), read(a.test)
    both = np.isin(test.digests, train.digests)
    if both.any():
        raise UsageError(f"--test: {int(both.sum())} imagettes are in --train too; expected others. Take them off one.")
    parts = splits.split(train.truth.passed, np.zeros(len(train.given)), config=split_config(a))
    path = a.network or train_network(a, out, images=len(train.given))
    network, about = by_network(path, a.test)
    answers = {"network": network, "forest": forest(train, test, parts.part, seed=a.seed)}
    found = {name: tag_scores.scores(answer, test.truth, labels=TAGS) for name, answer in answers.items()}
    drawn = tag_scores.bootstrap(answers, test.truth, draws=a.draws)
    for name, own in drawn.items():
        found[name] |= {f"{key}_interval": tag_scores.interval(values) for key, values in own.items()}
    gain = drawn["network"]["macro_f1"] - drawn["forest"]["macro_f1"]
    weights = predict_images.load(path, runtime="onnxruntime").about
    return {
        "methods": found,
        "network_minus_forest": float(found["network"]["macro_f1"]) - float(found["forest"]["macro_f1"]),  # type: ignore[arg-type]
        "network_minus_forest_interval": tag_scores.interval(gain),
        **about,
        "train": len(train.given),
        "test": len(test.given),
        "test_passes": int(np.unique(test.truth.passed).size),
        "simulated": test.simulated,
        "is_leaky": parts.is_leaky,
        "weights_sha256": weights.get("weights_sha256", ""),
        "parameters": weights.get("metrics", {}).get("parameters", 0),
        "epochs": weights.get("metrics", {}).get("epochs", 0),
        "megabytes": Path(path).stat().st_size / 1e6,
    }


def tables_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the scores as tables of text."""
    both = [values["methods"][m] for m in ("network", "forest")]

    def shown(one: dict[str, Any], key: str) -> str:
        ends = one.get(f"{key}_interval")
        return f"{one[key]:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")

    keys = [k for k, v in both[0].items() if isinstance(v, float)]
    rows = [[k.replace("_", " "), *(shown(one, k) for one in both)] for k in keys]
    columns = ("f1", "precision", "recall", "auroc")
    per_tag = [
        [tag.replace("_", " "), *(f"{one[k]:.3f}" for k in columns), f"{both[1]['tags'][tag]['f1']:.3f}"]
        for tag, one in both[0]["tags"].items()
    ]
    return {
        "main": {"columns": ["", "network [95 %]", "forest [95 %]"], "rows": rows},
        "tags": {"columns": ["", "F1", "precision", "recall", "AUROC", "F1 of the forest"], "rows": per_tag},
    }


def as_text(values: dict[str, Any]) -> str:
    """Return tables for people."""
    keys = [k for k, v in values["methods"]["network"].items() if isinstance(v, float)]
    lines = [f"{'':28}{'network':>10}{'forest':>10}"]
    lines += [f"{k:28}" + "".join(f"{values['methods'][m][k]:10.3f}" for m in ("network", "forest")) for k in keys]
    lines += ["", f"{'F1':28}{'network':>10}{'forest':>10}"]
    by_tag = {t: [values["methods"][m]["tags"][t]["f1"] for m in ("network", "forest")] for t in TAGS}
    lines += [f"{tag:28}" + "".join(f"{v:10.3f}" for v in both) for tag, both in by_tag.items()]
    low, high = values["network_minus_forest_interval"]
    lines.append(f"network - forest: {values['network_minus_forest']:.3f} [{low:.3f}, {high:.3f}]")
    if values["simulated"]:
        lines.append("On simulated imagettes: no skill on real data.")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--train", type=Path, nargs="+", required=True, metavar="FILE")
    p.add_argument("--test", type=Path, nargs="+", required=True, metavar="FILE")
    p.add_argument("--network", type=Path, help="an exported network, instead of training one")
    p.add_argument("--recipe", default="tags")
    p.add_argument("--epochs", type=int, help="the recipe's by default, more where there are few images")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--split", choices=("granule", "random"), default="granule", help="random leaks, as published")
    p.add_argument("--draws", type=int, default=200, help="draws of passes for the intervals")
    p.add_argument("-o", dest="out", type=Path, metavar="FOLDER", help="keep the network here, and take one that is")
    p.add_argument("--json", action="store_true")
    return p


def main() -> int:
    """Run it and print."""
    a = parser().parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = score(a, a.out or Path(folder))
    except PolynyaError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"values": found, "tables": tables_of(found)}, indent=1) if a.json else as_text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
