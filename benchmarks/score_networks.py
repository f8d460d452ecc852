"""Train every recipe on simulated data with several seeds and score all on granules that no training saw, beside the
rule.

    python scripts/make_training_data.py data --atl07 FILE ...
    python benchmarks/score_networks.py data -o trained [--seeds 0 1 2] [--recipes mlp lstm-paper lstm-notebook
    track-unet] [--jobs 2] [--json]

Honest protocol: trained, stopped and calibrated on data/train (split by granule), trained also on data/atl07
(track-unet: and data/short, data/surfaces), scored on data/test: other seeds, other settings, half of it pairs. Random
protocol, for the published networks: the split of the paper, 80/20 over all segments of data/train, scored on its own
20 %; it leaks, and is printed to show by how much. Everything here is simulated: no number is skill on real data.
Finished trainings in -o are kept, so a stopped run resumes. Prints a Markdown table and writes scores.json into -o.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from polynya import calibrate, io, metrics, recipes, schema
from polynya.errors import EmptyBeamError
from polynya.predict import tracks as predict_tracks
from polynya.readers import icesat2, icesat2_atl03
from polynya.samples import labelled_tracks
from polynya.workflows.freeboard import beam as freeboard_beam

RECIPES = ("mlp", "lstm-paper", "lstm-notebook", "track-unet")
PUBLISHED = RECIPES[:3]
"""The random split is the published protocol: shown for the published networks."""
NAMES = ("thick", "thin", "water")
ALSO = {"*": ("atl07",), "track-unet": ("atl07", "short", "surfaces")}
"""What is trained on beside data/train: short tracks and rare surfaces matter to a network that sees kilometres; none
is in the test."""


def train(recipe: str, *, seed: int, protocol: str, data: Path, out: Path, threads: int, epochs: int | None) -> Path:
    """Train one network in a process of its own, unless it is there; return its folder."""
    folder = out / f"{recipe}-{protocol}-{seed}"
    if (folder / "run.json").exists():
        return folder
    command = [
        sys.executable,
        "-m",
        "polynya",
        "train",
        recipe,
        "--data",
        str(data / "train"),
        "-o",
        str(folder),
        "--seed",
        str(seed),
        "--threads",
        str(threads),
        "--resume",
        "--json",
    ]
    if epochs is not None:
        command += ["--epochs", str(epochs)]
    if protocol == "random":
        command += ["--split", "random", "--shares", "0.76", "0.02", "0.02", "0.2"]
    else:
        for folder_name in ALSO.get(recipe, ALSO["*"]):
            if (data / folder_name).is_dir():
                command += ["--train-only", str(data / folder_name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(
            f"{recipe} {protocol} seed {seed}:"
            f" {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}"
        )
    print(f"trained {folder.name}", file=sys.stderr, flush=True)
    return folder


def rule_classes(granule: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return cells, classes and probabilities of the rule, beam by beam."""
    opened, out = icesat2_atl03.open_granule(granule), {}
    for beam in icesat2.select_beams(opened, "all"):
        data = icesat2_atl03.index(opened.path, beam=beam.name, granule=opened)
        if data is None:
            continue
        try:
            made = freeboard_beam.beam_tables(data)
        except EmptyBeamError:
            continue
        t = made.segments
        probability = np.stack([schema.to_numpy(t[f"probability_{c}"]) for c in NAMES], axis=1)
        out[beam.name] = {
            "cell": np.floor(schema.to_numpy(t["x_atc"]) / 2.0).astype(np.int64),
            "class": schema.to_numpy(t["surface_class"]),
            "probability": probability,
        }
    return out


class Test:
    """The test tables: features, truth, and what the rule says where it says something."""

    def __init__(self, folder: Path):
        self.tracks = t = labelled_tracks.read([folder], features=tuple(schema.FEATURES.names))
        self.truth = labelled_tracks.classes_of(t.targets)
        self.rule = np.full(len(t), -1, np.int64)
        files = {p.stem: p for p in (folder / "granules").rglob("*.h5")}
        for g, name in enumerate(t.granules):
            for beam, found in rule_classes(files[name]).items():
                mine = np.flatnonzero((t.granule == g) & (t.beam == schema.BEAM_NAMES.index(beam)))
                at = np.clip(np.searchsorted(found["cell"], t.cell[mine]), 0, found["cell"].size - 1)
                same = found["cell"][at] == t.cell[mine]
                self.rule[mine[same]] = found["class"][at[same]]
        self.used = (self.rule >= 0) & (self.truth >= 0)  # cloud is unclassified whatever the classifier

    def network(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and classes of an exported network, shape (n, 3) and (n,)."""
        t, classifier = self.tracks, predict_tracks.load(path)
        out = np.zeros((len(t), 3), np.float32)
        for track in np.unique(t.track):
            rows = np.flatnonzero(t.track == track)
            out[rows] = predict_tracks.classify(
                classifier, {f: t.values[rows, k] for k, f in enumerate(t.features)}, x=t.x[rows], threads=2
            )
        return out, predict_tracks.surface_class(classifier, out).astype(np.int64)

    def score(self, called: np.ndarray, probability: np.ndarray | None = None) -> dict[str, object]:
        """Return macro-F1 and recalls, all and by beam strength; calibration where there are probabilities."""
        out = {}
        for name, mine in (
            ("all", self.used),
            ("strong", self.used & self.tracks.is_strong),
            ("weak", self.used & ~self.tracks.is_strong),
        ):
            c = metrics.confusion(self.truth[mine], called[mine])
            out[name] = {
                "n": int(c.sum()),
                "macro_f1": float(metrics.macro_f1(c)),
                "recall": metrics.recall(c).tolist(),
                "precision": metrics.precision(c).tolist(),
                "confusion": c.tolist(),
            }
            if probability is not None:
                scores = calibrate.scores(probability[mine], self.truth[mine], names=NAMES)
                out[name] |= {
                    "calibration_error": [s.calibration_error for s in scores],
                    "brier_skill": [s.brier_skill for s in scores],
                }
        return out


def commit(data: Path) -> str:
    """Return the simulator's commit that the data were made with, and whether it had been changed."""
    about = io.read_json(data / "simulator.json")
    return f"{about['commit']}{' (changed)' if about['is_changed'] else ''}"


def spread(values: list[float], digits: int = 3) -> str:
    """Return the mean and, of several, the range."""
    text = f"{np.mean(values):.{digits}f}"
    return text if len(values) < 2 else f"{text} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def effort(folder: Path, recipe: str) -> dict[str, float]:
    """Return how long a network was trained: epochs run, asked for and in the recipe, and labelled segments drawn."""
    numbers, asked = (
        io.read_json(folder / "run.json")["numbers"],
        io.read_json(folder / "run.json")["config"]["recipe"]["epochs"],
    )
    drawn = sum(row["samples"] for row in io.read_json(folder / "history.json")["history"])
    return {"epochs": numbers["epochs"], "asked": asked, "recipe": recipes.load(recipe).epochs, "drawn": drawn}


COLUMNS = [
    "classifier",
    "macro-F1",
    "strong",
    "weak",
    "most probable class",
    "recall thick / thin / water",
    "random split",
]


def table_rows(rows: dict[str, dict[str, list]]) -> list[list[str]]:
    """Return the table's cells, a classifier a row."""
    return [
        [
            name,
            *(spread(r[part]) for part in ("all", "strong", "weak")),
            spread(r["argmax"]) if r["argmax"] else "",
            " / ".join(f"{v:.2f}" for v in np.mean(r["recall"], axis=0)),
            spread(r["random"]) if r["random"] else "",
        ]
        for name, r in rows.items()
    ]


def as_result(
    full: dict, rows: dict[str, dict[str, list]], *, shown: list[list[str]], seeds: list[int]
) -> dict[str, object]:
    """Return what a result file holds: macro-F1, recalls, calibration and effort of every classifier; its table."""
    values: dict[str, object] = {
        "simulator": full["simulator"],
        "test_granules": len(full["test_granules"]),
        "n": full["rule"]["all"]["n"],
        "seeds": seeds,
    }
    for name, r in rows.items():
        of: dict[str, object] = {
            part: {"mean": float(np.mean(r[part])), "range": [min(r[part]), max(r[part])]}
            for part in ("all", "strong", "weak", "argmax", "random")
            if r[part]
        }
        of["recall"] = np.mean(r["recall"], axis=0).tolist()
        of["effort"] = full.get(f"{name} {seeds[0]}", {}).get("effort")
        if of["effort"]:
            every = [full[f"{name} {s}"]["all"] for s in seeds]
            of["worst_calibration_error"] = [f([max(e["calibration_error"]) for e in every]) for f in (min, max)]
            of["lowest_brier_skill"] = [f([min(e["brier_skill"]) for e in every]) for f in (min, max)]
        values[name.replace(" ", "_")] = of
    return {"values": values, "tables": {"main": {"columns": COLUMNS, "rows": shown}}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--random-seeds", nargs="*", type=int, default=[0], help="seeds of the random protocol")
    parser.add_argument(
        "--epochs", nargs="*", default=[], metavar="RECIPE=N", help="epochs of a recipe instead of its own"
    )
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--threads", type=int, default=1, help="threads of a training")
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    epochs = {name: int(n) for name, n in (e.split("=") for e in a.epochs)}
    wanted = [(r, s, "honest") for s in a.seeds for r in a.recipes] + [
        (r, s, "random") for s in a.random_seeds for r in a.recipes if r in PUBLISHED
    ]
    with ThreadPoolExecutor(a.jobs) as pool:
        folders = dict(
            zip(
                wanted,
                pool.map(
                    lambda w: train(
                        w[0],
                        seed=w[1],
                        protocol=w[2],
                        data=a.data,
                        out=a.out,
                        threads=a.threads,
                        epochs=epochs.get(w[0]),
                    ),
                    wanted,
                ),
                strict=True,
            )
        )
    if a.train_only:
        return
    test = Test(a.data / "test")
    rows: dict[str, dict[str, list]] = {}
    full: dict[str, object] = {
        "simulator": commit(a.data),
        "test_granules": list(test.tracks.granules),
        "unclassified_share": float(np.mean(test.rule < 0)),
    }

    def add(name: str, scored: dict, argmax: float | None = None) -> None:
        row = rows.setdefault(name, {"all": [], "strong": [], "weak": [], "argmax": [], "recall": [], "random": []})
        for part in ("all", "strong", "weak"):
            row[part].append(scored[part]["macro_f1"])
        row["recall"].append(scored["all"]["recall"])
        if argmax is not None:
            row["argmax"].append(argmax)

    full["majority"] = test.score(np.zeros(len(test.tracks), np.int64))
    add("always thick ice", full["majority"])
    full["rule"] = test.score(test.rule)
    add("rule", full["rule"])
    for recipe in a.recipes:
        for seed in a.seeds:
            probability, called = test.network(folders[recipe, seed, "honest"] / f"{recipes.load(recipe).name}.onnx")
            scored = test.score(called, probability)
            argmax = test.score(np.argmax(probability, axis=1))["all"]["macro_f1"]
            full[f"{recipe} {seed}"] = {
                **scored,
                "most_probable_macro_f1": argmax,
                "effort": effort(folders[recipe, seed, "honest"], recipe),
            }
            add(recipe, scored, argmax)
        for seed in a.random_seeds if recipe in PUBLISHED else ():
            rows[recipe]["random"].append(
                io.read_json(folders[recipe, seed, "random"] / "run.json")["numbers"]["macro_f1"]
            )
    io.write_json({**full, "rows": rows}, a.out / "scores.json")
    n = full["rule"]["all"]["n"]
    efforts = {r: full[f"{r} {a.seeds[0]}"]["effort"] for r in a.recipes}
    cut = {r: f"{r}, {e['asked']} of its {e['recipe']} epochs" for r, e in efforts.items() if e["asked"] != e["recipe"]}
    shown = table_rows({cut.get(name, name): row for name, row in rows.items()})
    if a.json:
        print(json.dumps(as_result(full, rows, shown=shown, seeds=a.seeds), indent=1))
        return
    print(
        f"Simulator {full['simulator']}; {len(test.tracks.granules)} test granules, {n:,} segments that are not cloud;"
        f" training seeds {a.seeds}. Simulated data: no skill on real data.\n"
    )
    for line in (COLUMNS, ["---"] * len(COLUMNS), *shown):
        print("| " + " | ".join(line) + " |")
    print(
        "Random split: scored on its own fifth of the segments, cloud included, so not on the same segments as the"
        " other columns."
    )
    print(
        "Labelled segments drawn in training, millions: "
        + ", ".join(f"{r} {e['drawn'] / 1e6:.1f}" for r, e in efforts.items())
    )
    for recipe in a.recipes:
        worst = [max(full[f"{recipe} {s}"]["all"]["calibration_error"]) for s in a.seeds]
        skill = [min(full[f"{recipe} {s}"]["all"]["brier_skill"]) for s in a.seeds]
        print(f"{recipe}: worst class-wise calibration error {spread(worst)}, least Brier skill {spread(skill)}")


if __name__ == "__main__":
    main()
