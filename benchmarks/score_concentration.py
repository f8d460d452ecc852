"""Train a network of sea-ice concentration on radar scenes and score it on others, beside plain rules.

    python benchmarks/score_concentration.py --train FILES --test FILES [--json] [-o FOLDER] [--network FILE]
    [--noisy FILES] [--keep-noise] [--recipe concentration] [--epochs N] [--seed 0] [--maps 6]

FILES are tile sets of ``scripts/make_concentration_data.py``, folders of ``polynya simulate s1-ew``, AI4Arctic scenes,
or folders of these; everything is brought to cells of 400 m. Without --network the recipe is trained on --train (its
validation and calibration parts are scenes of its own); with it, that network is scored and --train teaches the rules
only. Beside it: the training mean; Gaussian classes with linear angle dependence (Lohse et al. 2020); a random forest
on HH, HV and the angle; and one with means over 5 and 21 cells and the deviation over 9. Where the training scenes
have AMSR2 (AI4Arctic), an algorithm of the bootstrap type (Comiso 1986) with tie points of these scenes joins them.

Scored: R2, RMSE, MAE, bias of cells and of means over 4.8 km, the marginal ice zone (15-80 % of those means), ice and
water at 15 %, distances between ice edges, how many true values lie within the 68 % and 95 % intervals, errors beside
the stated uncertainty. Intervals are those of 500 draws of test scenes. --noisy FILES are the same test scenes with the
thermal noise left in; --keep-noise leaves it in the products of --test. -o keeps networks and pictures (--maps).

Numbers from simulated scenes are never skill on real ice; charts are drawn by eye, in polygons of tens of kilometres.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import concentration_scenes
import h5py
import numpy as np
from concentration_scenes import SENSORS, UNKNOWN, Radar
from concentration_tables import Tally
from plain_models import fit_constant, fit_forest
from scipy.ndimage import label, uniform_filter

from polynya.errors import PolynyaError, ProductError, UsageError
from polynya.physics import angle_classes, bootstrap_concentration
from polynya.predict import halo
from polynya.predict import scenes as predict_scenes
from polynya.samples import physical_tiles
from polynya.workflows.concentration import rule

TREES, LEAF = 30, 20
TAUGHT = 240_000
"""Cells that the rules are taught by, at most."""
STAGE_NAMES = ("open_water", "new_ice", "young_ice", "thin_first_year_ice", "first_year_ice", "old_ice")
PURE = 0.02
Method = Callable[[Radar], tuple[np.ndarray, "halo.Uncertain | None"]]


def features(scene: Radar) -> np.ndarray:
    """Return HH, HV and angle, then means over 5 and 21 cells and the deviation over 9, float32 (9, h, w)."""
    known = np.isfinite(scene.channels)
    low = np.array([-35.0, -45.0], np.float32)[:, None, None]
    db, weight = np.where(known, scene.channels, low), np.maximum(known.astype(np.float32), 1e-6)

    def mean(planes: np.ndarray, side: int) -> np.ndarray:
        size = (0, side, side)
        return uniform_filter(planes * weight, size) / np.maximum(uniform_filter(weight, size), 1e-6)

    spread = np.sqrt(np.maximum(mean(db**2, 9) - mean(db, 9) ** 2, 0.0))
    return np.concatenate([db, scene.incidence[None], mean(db, 5), mean(db, 21), spread]).astype(np.float32)


def is_scored(scene: Radar) -> np.ndarray:
    """Return which cells have a channel, an angle and a truth."""
    seen = np.isfinite(scene.channels).any(axis=0) & np.isfinite(scene.incidence)
    return seen & np.isfinite(scene.truth)


def teach(train: Sequence[Path], *, seed: int, seen: set[str] | None = None) -> dict[str, Method]:
    """Fit the rules on cells of the training scenes, and note their digests in ``seen``."""
    rng, samples, ties = np.random.default_rng(seed), [], []
    n = sum(1 for _ in concentration_scenes.scenes(train))
    for scene in concentration_scenes.scenes(train):
        at = np.flatnonzero(is_scored(scene))
        if seen is not None:
            seen.add(scene.digest)
        if at.size:
            at = rng.choice(at, min(TAUGHT // n, at.size), replace=False)
            code = np.where(scene.truth.ravel()[at] > 1 - PURE, 4, 0)
            if scene.stage is not None:
                code = scene.stage.ravel()[at].astype(np.int64)
            if scene.microwave is not None:
                ties.append(np.stack([*scene.microwave.reshape(2, -1)[:, at], scene.truth.ravel()[at]]))
            samples.append((features(scene).reshape(9, -1)[:, at].T, scene.truth.ravel()[at], code))
    if not samples:
        raise ProductError("--train: no cell has radar and a concentration; expected some. Give other scenes.")
    x, truth, code = (np.concatenate([s[k] for s in samples]) for k in range(3))
    methods: dict[str, Method] = {}
    mean = fit_constant(x, truth)
    methods["training_mean"] = lambda s: (np.full(s.truth.shape, mean(np.zeros((1, 1)))[0], np.float32), None)
    is_pure = ((truth < PURE) | (truth > 1 - PURE)) & (code != UNKNOWN) & np.isfinite(x).all(axis=1)
    there = [k for k in range(6) if np.sum(is_pure & (code == k)) >= 100]
    if 0 in there and len(there) > 1:
        chosen = is_pure & np.isin(code, there)
        names = tuple(STAGE_NAMES[k] for k in there)
        classes = angle_classes.fit(x[chosen, :2].T, x[chosen, 2], np.searchsorted(there, code[chosen]), names=names)
        methods["gaussian_classes"] = lambda s: (rule.concentration(classes, s.channels, s.incidence), None)
    methods |= _bootstrap(ties)
    for name, columns in (("forest", 3), ("forest_with_surroundings", 9)):
        forest = fit_forest(
            x[:, :columns], truth, trees=TREES, least=LEAF, seed=seed, share=1.0 if columns == 3 else 1 / 3
        )
        methods[name] = lambda s, f=forest, c=columns: (_by(f, features(s)[:c]), None)
    return methods


def _bootstrap(samples: Sequence[np.ndarray]) -> dict[str, Method]:
    """Return the bootstrap type of algorithm by tie points of cells; nothing where ice or water is missing."""
    try:
        ties = bootstrap_concentration.fit(*np.concatenate(samples, axis=1)) if samples else None
    except UsageError as error:
        print(f"AMSR2 left out: {error}", file=sys.stderr)
        return {}
    if ties is None:
        return {}

    def mapped(scene: Radar) -> tuple[np.ndarray, None]:
        if scene.microwave is None:
            return np.full(scene.truth.shape, np.nan, np.float32), None
        return bootstrap_concentration.concentration(ties, *scene.microwave).astype(np.float32), None

    return {"amsr2_bootstrap": mapped}


def _by(forest: Callable[[np.ndarray], np.ndarray], planes: np.ndarray) -> np.ndarray:
    return forest(planes.reshape(len(planes), -1).T).reshape(planes.shape[1:]).astype(np.float32)


def by_network(path: Path) -> Method:
    """Return what a network maps a scene to."""
    network = predict_scenes.load(path)
    d = network.description
    if not set(d.scaling.sensors) <= set(SENSORS):
        raise ProductError(
            f"{path.name}: takes {', '.join(d.scaling.sensors)}; expected some of {', '.join(SENSORS)}. Train another."
        )
    name = next((n for n in d.classes if n.split(".")[-1] in ("concentration", "chart_concentration")), "concentration")

    def mapped(scene: Radar) -> tuple[np.ndarray, halo.Uncertain]:
        planes = dict(zip(SENSORS, (*scene.channels, scene.incidence), strict=True))
        stacked = np.stack([planes[s] for s in d.scaling.sensors])
        needs = [s for s in d.scaling.sensors if s != "incidence"]
        out = halo.whole(network, lambda r, c: stacked[:, r, c], shape=scene.truth.shape, needs=needs)
        found = halo.uncertain(network, out, name=name)
        return found.value, found

    return mapped


def train_network(train: Sequence[Path], out: Path, *, recipe: str, epochs: int | None, seed: int) -> Path:
    """Train the recipe on scenes, unless that network is there; return the exported network.

    ``polynya train`` keeps a finished network of the same scenes and settings, and refuses a folder with another one.
    """
    folder = out / f"{recipe}-{seed}"
    given = [p for p in train if all(kind == "tiles" for _, kind in concentration_scenes.found([p]))]
    others = [p for p in train if p not in given]
    if others:
        given.append(_as_tiles(others, out))
    command = [sys.executable, "-m", "polynya", "train", recipe, "-o", str(folder), "--resume", "--json"]
    command += ["--shares", "0.8", "0.08", "0.12", "0", "--seed", str(seed), "--threads", "2"]
    command += [a for p in given for a in ("--data", str(p))]
    command += [] if epochs is None else ["--epochs", str(epochs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [str(done.returncode)])[-1]
        raise ProductError(f"training: {last}")
    return folder / f"{recipe}.onnx"


def _as_tiles(paths: Sequence[Path], folder: Path) -> Path:
    """Write scenes as a tile set, named after their files; where an analyst drew the truth, each of the areas of one
    concentration is a region, so that only the mean over it is compared."""
    files = sorted(f for p, _ in concentration_scenes.found(paths) for f in ([p] if p.is_file() else p.rglob("*")))
    held = "".join(f"{f.resolve()} {f.stat().st_size} {f.stat().st_mtime_ns}\n" for f in files)
    out = folder / f"tiles-{hashlib.sha256(held.encode()).hexdigest()[:12]}.h5"
    if out.exists():
        return out
    with h5py.File(out.with_suffix(".part"), "w") as file:
        for scene in concentration_scenes.scenes(paths):
            labels = {"concentration": scene.truth[None]}
            if scene.is_chart:
                labels |= {"chart_concentration": scene.truth[None], "polygon": _regions(scene.truth)[None]}
            sensors = dict(zip(SENSORS, (*scene.channels, scene.incidence), strict=True))
            physical_tiles.write(
                file, scene.name, sensors={k: v[None] for k, v in sensors.items()}, labels=labels, scene=scene.name
            )
    out.with_suffix(".part").rename(out)
    return out


def _regions(truth: np.ndarray) -> np.ndarray:
    """Return the number of the area of one concentration that a cell lies in, -1 where nobody knows."""
    tenths, out, number = np.round(10 * np.nan_to_num(truth, nan=-1)), np.full(truth.shape, -1, np.int32), 0
    for value in range(11):
        areas, count = label(tenths == value)
        out = np.where(areas > 0, areas - 1 + number, out)
        number += count
    return out


def run(
    scenes: Iterator[Radar],
    methods: dict[str, Method],
    *,
    maps: Path | None,
    n_maps: int,
    seen: Collection[str] = (),
) -> dict[str, Tally]:
    """Score methods on scenes, one scene in memory at a time; a scene of ``seen`` is an error."""
    tallies = {name: Tally() for name in methods}
    for k, scene in enumerate(scenes):
        if scene.digest in seen:
            raise ProductError(
                f"{scene.name}: is in --train and in --test, under another name; expected other scenes. Take it off"
                " one."
            )
        good, drawn = is_scored(scene), {}
        for name, method in methods.items():
            value, more = method(scene)
            tallies[name].add(scene, value, more, good=good)
            drawn[name] = value
        if maps is not None and k < n_maps:
            from concentration_pictures import draw

            draw(scene, drawn, maps / f"{scene.name}.png")
        print(f"scored {k + 1} {scene.name}", file=sys.stderr, flush=True)
    return tallies


def main() -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--noisy", type=Path, nargs="+", default=[])
    parser.add_argument("--keep-noise", action="store_true")
    parser.add_argument("--network", type=Path)
    parser.add_argument("--recipe", default="concentration")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--maps", type=int, default=6)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            out = a.out or Path(temporary)
            out.mkdir(parents=True, exist_ok=True)
            result = _score(a, out)
    except PolynyaError as error:
        print(f"score_concentration: {error}", file=sys.stderr)
        return 1
    if a.json:
        print(json.dumps(result, indent=1))
    else:
        print("\n".join(as_text(result["values"])))
    return 0


def _score(a: argparse.Namespace, out: Path) -> dict[str, object]:
    common = {str(p.resolve()) for p, _ in concentration_scenes.found(a.train)} & {
        str(p.resolve()) for p, _ in concentration_scenes.found([*a.test, *a.noisy])
    }
    if common:
        raise ProductError(f"{sorted(common)[0]}: is in --train and in --test; expected other scenes. Take it off one.")
    path = a.network or train_network(a.train, out, recipe=a.recipe, epochs=a.epochs, seed=a.seed)
    seen: set[str] = set()
    methods = {"network": by_network(path), **teach(a.train, seed=a.seed, seen=seen)}
    maps = out if a.out else None
    scenes = concentration_scenes.scenes(a.test, keep_noise=a.keep_noise)
    tallies = run(scenes, methods, maps=maps, n_maps=a.maps if a.out else 0, seen=seen)
    values: dict[str, object] = {"network": path.name, "noise": "kept" if a.keep_noise else "removed"}
    values["methods"] = {name: tally.result() for name, tally in tallies.items()}
    if a.noisy:
        noisy = run(concentration_scenes.scenes(a.noisy), methods, maps=None, n_maps=0, seen=seen)
        values["noise_kept"] = {name: tally.result() for name, tally in noisy.items() if name != "training_mean"}
    return {"values": values, "tables": {"main": table(values)}}


def rows_of(values: dict) -> dict[str, dict]:
    """Return the scores by the name of a row."""
    kept = {f"{name}, noise kept": r for name, r in values.get("noise_kept", {}).items()}
    return {**values["methods"], **kept}


def table(values: dict) -> dict[str, list]:
    """Return the scores as a table of text."""
    columns = ["", "R²", "RMSE", "R² of 4.8 km", "RMSE of 4.8 km, 15-80 %", "ice or water at 15 %", "ice edge, km"]
    rows = [
        [
            name.replace("_", " "),
            f"{r['r2']:.3f} [{r['r2_interval'][0]:.3f}, {r['r2_interval'][1]:.3f}]",
            f"{r['rmse']:.3f}",
            f"{r['r2_5_km']:.3f}",
            f"{r['rmse_miz_5_km']:.3f}",
            f"{r['ice_or_water_5_km']:.3f}",
            f"{r['edge_km_median']:.1f}" if np.isfinite(r["edge_km_median"]) else "none",
        ]
        for name, r in rows_of(values).items()
    ]
    return {"columns": columns, "rows": rows}


def as_text(values: dict) -> list[str]:
    """Return the scores for people."""
    made = table(values)
    lines = [
        "".join(f"{c:>26}" if k == 1 else f"{c:26}" if k == 0 else f"{c:>25}" for k, c in enumerate(made["columns"]))
    ]
    for cells, r in zip(made["rows"], rows_of(values).values(), strict=True):
        lines.append(
            "".join(f"{c:>26}" if k == 1 else f"{c:26}" if k == 0 else f"{c:>25}" for k, c in enumerate(cells))
        )
        if "coverage" in r:
            held = ", ".join(f"{100 * v:.1f} % within the {k} % interval" for k, v in r["coverage"].items())
            marginal = ", ".join(f"{100 * v:.1f} %" for v in r["coverage_miz_5_km_cells"].values())
            ratios = ", ".join(f"{b['rms_error'] / b['sigma']:.2f}" for b in r["sigma_bins"])
            lines.append(f"  {held} (in marginal ice {marginal}); error over uncertainty in eight bins: {ratios}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
