"""Train networks of leads along altimeter tracks and score them on other tracks, beside plain rules and forests.

    python benchmarks/score_leads.py --train FILES --test FILES [--json] [--without-agc] [--network FILE] [-o FOLDER]
    [--train-only FILES] [--recipe leads] [--epochs N] [--seed 0] [--true-labels] [--thresholds 100 200 500 700]

FILES are simulated tracks (SGDR files with ``sar_lead_distance_m`` and ``true_lead_distance_m``) or folders of them.
Training sees the distances of the radar map only; scored are the true leads, nearer than 300 m. Without --network the
recipe is trained on --train, whose passes are split into training, validation and calibration; forests learn from the
same training passes, and the threshold from which on a method calls a lead is that of the highest F1 against the radar
map on the rest. Beside the network: maximum power, peakiness, a forest of ten features of each echo, and one of the
features of three echoes to each side.

Scored: average precision (the area under the precision-recall curve; intervals by drawing tracks), precision, recall,
F1, share of other echoes called leads, coverage, calibration error against the radar map, distances within 3 km, and
leads called in bright ice without any where truth files lie beside the tracks. --without-agc leaves out gain control,
power and the tracker's place everywhere. --true-labels trains on the true distances as well, to see what the map's
errors cost; --thresholds trains and scores other distances than 300 m.

Hand-labelled Sentinel-3 echoes (files with ``waveform_cla``): both --train and --test are of this kind, or --train
alone, which is then cross-validated over days. See hand_labelled_echoes.py.

Numbers from simulated tracks are never skill on real data.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hand_labelled_echoes
import lead_files
import lead_scores
import numpy as np
import yaml
from lead_scores import Answer, Truth
from plain_models import fit_forest

from polynya import recipes
from polynya.errors import PolynyaError, UsageError
from polynya.predict import echoes as predict_echoes
from polynya.samples import labelled_echoes, splits
from polynya.workflows import train as workflow

SHARES = (0.75, 0.10, 0.15, 0.0)
TREES, LEAF, TAUGHT = 40, 10, 80_000
UPDATES, MOST_EPOCHS = 1500, 60
"""Steps that a training takes at least, unless that is more epochs: few tracks are seen more often."""
SIDE = 3
"""Echoes to each side that the second forest sees."""
POWER = ("max_power_db", "argmax", "saturated_gates")
SHAPE = (
    "peakiness_zakharova_128",
    "late_tail_to_peak",
    "left_sum",
    "width_at_half",
    "ocog_width",
    "n_peaks",
)
"""Features of the forests; the gain control is the tenth."""
Method = Callable[[lead_files.Track], Answer]


def forest_inputs(track: lead_files.Track, *, side: int, without_agc: bool) -> np.ndarray:
    """Return the features of every echo and its neighbours, (n, features); at the ends of a track the last repeats."""
    names = SHAPE if without_agc else (*SHAPE, *POWER)
    columns = [np.nan_to_num(track.shapes[n], nan=-1.0) for n in names]
    values = np.stack(columns if without_agc else [*columns, track.echoes.agc], axis=1)
    n = np.arange(len(values))
    return np.concatenate([values[np.clip(n + k, 0, len(n) - 1)] for k in range(-side, side + 1)], axis=1)


def forest(tracks: Sequence[lead_files.Track], *, side: int, without_agc: bool, seed: int, t: float) -> Method:
    """Fit a forest on the labels of the radar map, without the ambiguous belt."""
    x = np.concatenate([forest_inputs(k, side=side, without_agc=without_agc) for k in tracks])
    far = np.concatenate([k.mapped for k in tracks])
    used = np.flatnonzero((far < t) | (far >= 3 * t))
    used = np.random.default_rng(seed).permutation(used)[:TAUGHT]
    fitted = fit_forest(x[used], (far[used] < t).astype(float), trees=TREES, least=LEAF, seed=seed)
    return lambda k: Answer(score=fitted(forest_inputs(k, side=side, without_agc=without_agc)), is_probability=True)


def by_network(path: Path) -> Method:
    """Return what a network says of a track."""
    network = predict_echoes.load(path, runtime="onnxruntime")

    def answer(track: lead_files.Track) -> Answer:
        found = predict_echoes.predict(network, track.echoes)
        return Answer(
            score=found.probability,
            distance=found.distance,
            low=found.distance_low,
            high=found.distance_high,
            is_probability=True,
        )

    return answer


def digest(track: lead_files.Track) -> str:
    """Return a hash of the echoes of a track, whatever its file is called."""
    return hashlib.sha256(np.ascontiguousarray(track.echoes.waveform).tobytes()).hexdigest()


def split_of(tracks: Sequence[lead_files.Track], *, seed: int) -> np.ndarray:
    """Return the part of each track, as the training splits them."""
    config = splits.Config(**dict(zip(splits.PARTS, SHARES, strict=True)), seed=seed)
    return splits.split(np.arange(len(tracks)), np.zeros(len(tracks)), config=config).part


def train_network(
    data: Sequence[Path], out: Path, *, recipe: Path | str, train_only: Sequence[Path], epochs: int | None, seed: int
) -> Path:
    """Train a recipe, unless that network is in the folder; return the exported network."""
    split = workflow.split_config(method="granule", shares=SHARES, block_km=10.0, gap_km=1.0, seed=seed)
    result = workflow.run(
        recipe, data=data, train_only=train_only, out=out, split=split, seed=seed, epochs=epochs, resume=True
    )
    return result.outputs["onnx"]


def epochs_for(recipe: Path | str, *, echoes: int) -> int | None:
    """Return the epochs of a training on so many echoes; None for the recipe's own."""
    plan = recipes.load(recipe)
    steps = echoes / int(str(plan.settings.get("window", 100))) / plan.batch
    wanted = min(MOST_EPOCHS, int(np.ceil(UPDATES / max(steps, 1.0))))
    return wanted if wanted > plan.epochs else None


def recipe_with(name: str, out: Path, **settings: object) -> Path:
    """Write a recipe with some settings changed; return the file."""
    plan: dict[str, Any] = recipes.load(name).model_dump(mode="json", exclude_defaults=True)
    plan["settings"] = {**plan.get("settings", {}), **settings}
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{plan['name']}{''.join(f'-{v:g}' for v in settings.values() if isinstance(v, float))}.yaml"
    path.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return path


def with_true_labels(paths: Sequence[Path], out: Path) -> list[Path]:
    """Write label tables with the true distances; return them."""
    found = []
    for path in labelled_echoes.files(paths):
        track = lead_files.track(path)
        target = out / f"{path.stem}.parquet"
        if not target.is_file():
            out.mkdir(parents=True, exist_ok=True)
            label = labelled_echoes.codes(track.true)
            names = [path.stem] * len(label)
            lead_files.write_labels(target, track.echoes, label=label, distance=track.true, pass_id=names)
        found.append(target)
    return found


def score_simulated(a: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train, score, and return values and tables."""
    train, test = ([lead_files.track(p) for p in labelled_echoes.files(paths)] for paths in (a.train, a.test))
    seen = {digest(k) for k in [*train, *map(lead_files.track, labelled_echoes.files(a.train_only or []))]}
    both = [k.path.name for k in test if digest(k) in seen]
    if both:
        raise UsageError(f"{both[0]}: is in --train and in --test; expected other tracks. Take it off one.")
    part = split_of(train, seed=a.seed)
    taught, held = (
        [k for k, p in zip(train, part, strict=True) if (p == splits.TRAIN) == own] for own in (True, False)
    )
    recipe = a.recipe or ("leads-shape" if a.without_agc else "leads")
    more = len(labelled_echoes.files(a.train_only)) if a.train_only else 0
    echoes = round(sum(len(k.echoes) for k in taught) * (1.0 + more / len(taught)))
    epochs = a.epochs or epochs_for(recipe, echoes=echoes)
    options: dict[str, Any] = {"train_only": a.train_only, "epochs": epochs, "seed": a.seed}
    path = a.network or train_network(a.train, out / Path(recipe).stem, recipe=recipe, **options)
    forests = {"without_agc": a.without_agc, "seed": a.seed, "t": lead_scores.T}
    methods: dict[str, Method] = {"network": by_network(path)}
    if not a.without_agc:
        methods["maximum_power"] = lambda k: Answer(score=k.shapes["max_power_db"])
    methods["peakiness"] = lambda k: Answer(score=k.shapes["peakiness_zakharova_128"])
    methods["forest"] = forest(taught, side=0, **forests)
    methods["forest_of_neighbours"] = forest(taught, side=SIDE, **forests)
    if a.true_labels:
        tables = with_true_labels(a.train, out / "true")
        extra = with_true_labels(a.train_only, out / "true_only") if a.train_only else []
        own = {**options, "train_only": extra}
        methods["network_of_true_labels"] = by_network(
            train_network(tables, out / f"{Path(recipe).stem}-true", recipe=recipe, **own)
        )
    values = compare(methods, held, test)
    values |= {"network": Path(path).name, "inputs": "without_agc" if a.without_agc else "all", "tracks": len(test)}
    values["train_tracks"] = len(train)
    for t in a.thresholds:
        named = recipe_with(recipe, out, threshold_m=float(t))
        other = train_network(a.train, out / named.stem, recipe=named, **options)
        one = {"network": by_network(other), "forest_of_neighbours": forest(taught, side=SIDE, **{**forests, "t": t})}
        one |= {n: methods[n] for n in ("maximum_power", "peakiness") if n in methods}
        values.setdefault("thresholds", {})[f"{t:g}"] = compare(one, held, test, t=float(t))["methods"]
    return {"values": values, "tables": tables_of(values)}


def compare(
    methods: dict[str, Method],
    held: Sequence[lead_files.Track],
    test: Sequence[lead_files.Track],
    *,
    t: float = lead_scores.T,
    draws: int = 200,
) -> dict[str, Any]:
    """Score methods on test tracks; thresholds come from the held tracks and the radar map."""
    truths = [Truth(true=k.true, mapped=k.mapped, bright=k.bright) for k in test]
    answers = {name: [method(k) for k in test] for name, method in methods.items()}
    found: dict[str, Any] = {}
    mapped = np.concatenate([k.mapped for k in held]) < t
    for name, method in methods.items():
        score = np.concatenate([method(k).score for k in held])
        has = np.isfinite(score)
        limit = lead_scores.best_threshold(mapped[has], score[has])
        found[name] = lead_scores.scores(answers[name], truths, threshold=limit, t=t)
    share = float((np.concatenate([x.true for x in truths]) < t).mean())
    found["majority"] = {"average_precision": share, "recall": 0.0, "f1": 0.0, "false_leads": 0.0, "coverage": 1.0}
    drawn = lead_scores.bootstrap(answers, truths, draws=draws, t=t)
    for name, values in drawn.items():
        found[name]["average_precision_interval"] = lead_scores.interval(values)
        if name != "network":
            found[name]["network_minus_this"] = found["network"]["average_precision"] - found[name]["average_precision"]
            found[name]["network_minus_this_interval"] = lead_scores.interval(drawn["network"] - values)
    seen = np.concatenate([x.mapped for x in truths]) < t
    map_scores = lead_scores.called(np.concatenate([x.true for x in truths]) < t, seen)
    return {"methods": found, "map": map_scores}


def tables_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the scores as tables of text."""
    columns = ["", "average precision [95 %]", "precision", "recall", "F1", "false leads", "in bright ice", "ECE"]
    columns += ["distance error < 3 km, m: median, mean"]

    def number(r: dict[str, Any], key: str, form: str = ".3f") -> str:
        return f"{r[key]:{form}}" if r.get(key) is not None and np.isfinite(r[key]) else "-"

    rows = []
    for name, r in values["methods"].items():
        ends = r.get("average_precision_interval")
        ap = number(r, "average_precision") + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")
        keys = ("precision", "recall", "f1", "false_leads", "false_leads_in_bright_ice", "calibration_error")
        far = f"{number(r, 'distance_error_median_m', '.0f')}, {number(r, 'distance_error_mean_m', '.0f')}"
        rows.append([name.replace("_", " "), ap, *(number(r, k) for k in keys), far if "distance_n" in r else "-"])
    out: dict[str, Any] = {"main": {"columns": columns, "rows": rows}}
    if "thresholds" in values:
        by_t = {**values["thresholds"], f"{lead_scores.T:g}": values["methods"]}
        names = [n for n in ("network", "forest_of_neighbours", "maximum_power", "peakiness") if n in values["methods"]]
        header = ["lead nearer than, m", "share of echoes", *(n.replace("_", " ") for n in names), "F1 of the network"]
        out["thresholds"] = {
            "columns": header,
            "rows": [
                [
                    t,
                    number(by_t[t]["network"], "lead_share"),
                    *(number(by_t[t][n], "average_precision") for n in names),
                    number(by_t[t]["network"], "f1"),
                ]
                for t in sorted(by_t, key=float)
            ],
        }
    return out


def as_text(tables: dict[str, Any]) -> str:
    """Return tables for people."""
    lines = []
    for table in tables.values():
        rows = [table["columns"], *table["rows"]]
        widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
        lines += ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows] + [""]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--train", type=Path, nargs="+", required=True, metavar="FILE")
    p.add_argument("--test", type=Path, nargs="+", default=[], metavar="FILE")
    p.add_argument("--train-only", type=Path, nargs="+", default=[], metavar="FILE", help="more tracks to train on")
    p.add_argument("--network", type=Path, help="an exported network, instead of training one")
    p.add_argument("--without-agc", action="store_true", help="neither gain control nor tracker")
    p.add_argument("--recipe", help="recipe of the network")
    p.add_argument("--epochs", type=int, help="the recipe's by default, more where there are few tracks")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--true-labels", action="store_true", help="train on the true distances too")
    p.add_argument("--thresholds", type=float, nargs="+", default=[], metavar="M")
    p.add_argument(
        "-o", dest="out", type=Path, metavar="FOLDER", help="keep networks here, and take those that are there"
    )
    p.add_argument("--json", action="store_true")
    return p


def main() -> int:
    """Run it and print."""
    a = parser().parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = a.out or Path(folder)
            first = labelled_echoes.files(a.train)[0]
            if first.suffix == ".nc" and lead_files.is_hand_labelled(first):
                found = hand_labelled_echoes.score(a.train, a.test, seed=a.seed)
            elif not a.test:
                raise UsageError("--test: no tracks; expected some that are not in --train. Give them.")
            else:
                found = score_simulated(a, out)
    except PolynyaError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1) if a.json else as_text(found["tables"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
