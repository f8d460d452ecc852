"""Score label transfer on simulated pairs: is the shift right, does it know when it is not, are the labels true.

    python benchmarks/score_labels.py [--seeds 2001-2040] [--length-km 10] [--method published] [--level 2A] [--closed
    8] [--cloudy 4] [--keep FOLDER] [--markdown] [--json]

For every seed a pair is simulated (seasons alternate; sun, haze, cloud, drift and time drawn) and labelled as ``polynya
label`` does. Then the cases without contrast: the first ``--closed`` seeds again without leads, the first ``--cloudy``
under full cloud: there a certain shift is a false one. A label is compared with the truth of its 2 m segment (mean over
the beams' truth cell); a segment that carries no label, because it lies at a transition or under cloud, does not count.

Numbers from simulated pairs are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polynya import io, schema
from polynya.labels import transfer
from polynya.simulate.pair import Options, simulate_pair
from polynya.workflows.label import Config, pair

SEASONS = ("summer", "spring")
WITHIN_M = 20.0


@dataclass(frozen=True)
class Case:
    """One labelled pair: what was found, and the truth."""

    kind: str
    seed: int
    season: str
    sun: float
    cloud: float
    off_m: float
    error_m: float
    confidence: float
    is_sure: bool
    reason: str
    confusion: np.ndarray
    flags: np.ndarray
    n_dark: int
    seconds: float


def work(seed: int, *, kind: str, length_km: float, method: str, level: str, folder: Path) -> Case:
    """Simulate and label one pair."""
    season = SEASONS[seed % len(SEASONS)]
    place = folder / f"{kind}_{season}_{level}_{seed}"
    if not (place / "pair.json").exists():
        simulate_pair(
            place,
            Options(
                length_km=length_km,
                season=season,
                seed=seed,
                beams="strong",
                level=level,
                image="safe",
                ice="closed" if kind == "closed" else "drawn",
                cloud_cover=1.0 if kind == "cloudy" else None,
            ),
        )
    about = json.loads((place / "pair.json").read_text())
    started = time.perf_counter()
    found = pair.from_image(place / about["granule"], place / about["files"]["safe"], config=Config(method=method))
    seconds = time.perf_counter() - started
    shift = found.shift
    off = float(np.hypot(shift.east - about["shift_east_m"], shift.north - about["shift_north_m"]))
    truth = io.read_table(place / about["truth"])
    confusion, n_dark = compare(found.table, truth)
    flags = np.bincount(schema.to_numpy(found.table["label_flag"]), minlength=7)
    return Case(
        kind,
        seed,
        season,
        about["sun_elevation"],
        about["sky"]["cloud_cover"],
        off,
        max(shift.east_error, shift.north_error),
        shift.confidence,
        shift.is_sure,
        shift.reason,
        confusion,
        flags,
        n_dark,
        seconds,
    )


def compare(table, truth) -> tuple[np.ndarray, int]:
    """Return counts of (true class, label) over labelled segments, and how many segments are thin ice or water in
    truth."""
    out, n_dark = np.zeros((3, 3), np.int64), 0
    beams, known = (np.array(t["beam"].cast("string").to_pylist()) for t in (table, truth))
    for name in np.unique(beams):
        a, b = beams == name, known == name
        true = transfer.from_truth(
            schema.to_numpy(table["x_atc"])[a],
            schema.to_numpy(truth["x_atc"])[b],
            truth_class=schema.to_numpy(truth["surface_class"])[b],
            any_ice=False,
        ).label
        given = schema.to_numpy(table["label"])[a]
        both = (true >= 0) & (given >= 0)
        np.add.at(out, (true[both], given[both]), 1)
        n_dark += int((true > 0).sum())
    return out, n_dark


def share(of: np.ndarray) -> str:
    return f"{100 * np.mean(of):.0f} % ({int(np.sum(of))} of {len(of)})" if len(of) else "-"


def summary(cases: list[Case]) -> list[tuple[str, str]]:
    """Return (name, text) of each number."""
    real = [c for c in cases if c.kind == "pair"]
    off, sure = np.array([c.off_m for c in real]), np.array([c.is_sure for c in real])
    empty = [c for c in cases if c.kind != "pair"]
    confusion = sum((c.confusion for c in real), np.zeros((3, 3), np.int64))
    flags = sum((c.flags for c in real), np.zeros(7, np.int64))
    each = [np.trace(c.confusion) / c.confusion.sum() for c in real if c.confusion.sum()]
    out = [
        (f"pairs: shift within {WITHIN_M:.0f} m", share(off <= WITHIN_M)),
        ("pairs: certain", share(sure)),
        (f"certain ones within {WITHIN_M:.0f} m", share(off[sure] <= WITHIN_M)),
        ("median error of the certain ones, m", f"{np.median(off[sure]):.1f}" if sure.any() else "-"),
        ("95 % of the certain ones within, m", f"{np.quantile(off[sure], 0.95):.1f}" if sure.any() else "-"),
        (
            "error over its standard error, median of the certain ones",
            f"{np.median([c.off_m / c.error_m for c in real if c.is_sure]):.1f}" if sure.any() else "-",
        ),
        (
            "no contrast (no leads, or full cloud): reported as uncertain",
            share(np.array([not c.is_sure for c in empty])),
        ),
        ("no contrast: largest confidence", f"{max((c.confidence for c in empty), default=np.nan):.2f}"),
        (
            "label accuracy where labelled, certain pairs",
            (
                f"{np.trace(confusion) / max(confusion.sum(), 1):.4f} (n {confusion.sum():,}; worst pair"
                f" {min(each, default=np.nan):.3f})"
            ),
        ),
    ]
    for k, name in enumerate(("thick ice", "thin ice", "open water")):
        given, true = confusion[:, k].sum(), confusion[k].sum()
        out.append(
            (
                f"labelled {name}: is so in truth; true {name}: labelled so",
                (
                    f"{confusion[k, k] / max(given, 1):.3f} (n {given:,}); {confusion[k, k] / max(true, 1):.3f} (n"
                    f" {true:,})"
                ),
            )
        )
    total = max(flags.sum(), 1)
    out.append(
        (
            "segments labelled, at transitions, cloud, shift uncertain",
            ", ".join(f"{100 * flags[k] / total:.1f} %" for k in (0, 1, 2, 4)),
        )
    )
    out.append(("seconds per pair, median", f"{np.median([c.seconds for c in cases]):.1f}"))
    return out


def as_result(cases: list[Case], *, seeds: str) -> dict[str, object]:
    """Return what a result file holds."""
    real = [c for c in cases if c.kind == "pair"]
    off, sure = np.array([c.off_m for c in real]), np.array([c.is_sure for c in real])
    empty = [c for c in cases if c.kind != "pair"]
    confusion = sum((c.confusion for c in real), np.zeros((3, 3), np.int64))
    flags = sum((c.flags for c in real), np.zeros(7, np.int64)) / max(sum(int(c.flags.sum()) for c in real), 1)
    each = [np.trace(c.confusion) / c.confusion.sum() for c in real if c.confusion.sum()]
    right = np.diag(confusion)
    values = {
        "seeds": seeds,
        "pairs": len(real),
        "within": int(np.sum(off <= WITHIN_M)),
        "certain": int(sure.sum()),
        "certain_within": int(np.sum(off[sure] <= WITHIN_M)),
        "median_error_m": float(np.median(off[sure])),
        "error_95_m": float(np.quantile(off[sure], 0.95)),
        "without_contrast": len(empty),
        "without_contrast_uncertain": sum(not c.is_sure for c in empty),
        "accuracy": float(right.sum() / confusion.sum()),
        "n": int(confusion.sum()),
        "worst_pair": float(min(each)),
        "precision": (right / np.maximum(confusion.sum(axis=0), 1)).tolist(),
        "recall": (right / np.maximum(confusion.sum(axis=1), 1)).tolist(),
        "always_thick": float(confusion[0].sum() / confusion.sum()),
        "flags": flags.tolist(),
    }
    return {"values": values, "tables": {"main": {"columns": ["", "simulated pairs"], "rows": summary(cases)}}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="2001-2040")
    parser.add_argument("--length-km", type=float, default=10.0)
    parser.add_argument("--method", default="published")
    parser.add_argument("--level", default="2A", choices=["1C", "2A"])
    parser.add_argument("--closed", type=int, default=8)
    parser.add_argument("--cloudy", type=int, default=4)
    parser.add_argument(
        "--keep", type=Path, help="folder of the pairs (used again where they are there); a temporary one by default"
    )
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    todo = (
        [("pair", s) for s in seeds]
        + [("closed", s) for s in seeds[: options.closed]]
        + [("cloudy", s) for s in seeds[: options.cloudy]]
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cases = []
        for kind, seed in todo:
            c = work(
                seed, kind=kind, length_km=options.length_km, method=options.method, level=options.level, folder=folder
            )
            cases.append(c)
            accuracy = np.trace(c.confusion) / c.confusion.sum() if c.confusion.sum() else np.nan
            print(
                f"{c.kind:7s} {c.seed} {c.season:7s} sun {c.sun:4.1f} cloud {c.cloud:4.2f} off {c.off_m:7.1f} m  error"
                f" {c.error_m:6.1f}  confidence {c.confidence:.2f} {'sure' if c.is_sure else 'NOT '} accuracy"
                f" {accuracy:.3f} dark {c.n_dark:5d} {c.seconds:4.1f} s {c.reason}",
                file=sys.stderr,
                flush=True,
            )
    if options.json:
        print(json.dumps(as_result(cases, seeds=options.seeds), indent=1))
        return
    print(
        f"\nseeds {options.seeds}, {options.length_km:g} km, strong beams, level {options.level}, method"
        f" {options.method}; simulated"
    )
    for name, text in summary(cases):
        print(f"| {name} | {text} |" if options.markdown else f"{name:62s} {text}")


if __name__ == "__main__":
    main()
