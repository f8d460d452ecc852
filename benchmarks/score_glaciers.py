"""Train glacier networks and strategies on simulated scenes and score all on scenes that no training saw, and on the
held-back halves of real chips.

    python scripts/make_glacier_data.py build/glaciers --real ../shared/data/glaciers
    python benchmarks/score_glaciers.py build/glaciers -o build/glacier-table [--recipes ...] [--seeds 0] [--epochs N]
    [--strategies] [--drop] [--areas] [--json]

Every recipe is trained on DATA/train (split by scene), simulated scenes only, and scored on DATA/test, DATA/real_east
and DATA/real_west: IoU, of clean and of debris-covered ice, calibration error and Brier skill, beside what needs no
network: everything glacier, the classical rule, and a DEM rule fitted on the training labels.
--strategies: global, region encoding (own region, unknown, optimised is left to ``polynya glaciers``), coordinate
encoding, and for the regions named with --regions the regional and the finetuned network. --drop: the first recipe's
first network without each sensor, and with each alone beside optical. Simulated numbers are no skill on real data.
Finished trainings are kept. Prints Markdown and writes scores.json. Without DATA/train (scripts/make_glacier_data.py
--test-only) the DEM rule is left out. --json: values and tables as docs/results has them; the Markdown goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox

from polynya import calibrate, io, metrics, recipes
from polynya.glaciers import intervals as area_intervals
from polynya.glaciers import outlines
from polynya.physics import ice_rules
from polynya.predict import scenes as predict_scenes
from polynya.readers import glacier_tiles
from polynya.samples import scene_scaling
from polynya.scenes import areas
from polynya.sensors.glaciers import TABLE

TOGETHER_M = 1000.0
"""A false alarm counts against clean or debris-covered ice where that is the nearest, within this distance."""


class Test:
    """Tiles of a folder: values, truth, and which of the true ice lies under debris."""

    def __init__(self, folder: Path):
        self.tiles = [t for f in sorted(folder.glob("*.h5")) for t in glacier_tiles.open_tiles(f)]
        if not self.tiles:
            sys.exit(f"{folder}: no tile sets there; expected those of scripts/make_glacier_data.py.")
        self.held = [self._read(t) for t in self.tiles]

    @staticmethod
    def _read(tile) -> dict:
        rows, columns = (slice(0, n) for n in tile.shape)
        bits = tile.target("outlines", rows, columns)
        with h5py.File(tile.path, "r") as file:
            held = file[tile.name].get("debris")  # simulated tiles say which ice lies under debris
            debris = np.zeros(tile.shape, bool) if held is None else held[:, :, 0] > 0
        truth = np.where(bits == 0, -1, (bits == 2).astype(int))
        return {
            "values": {s: tile.values((s,), rows, columns) for s in TABLE.names},
            "truth": truth,
            "debris": debris,
            "rows": rows,
            "columns": columns,
        }

    def predict(
        self, network: predict_scenes.SceneNetwork, *, drop: tuple[str, ...] = (), region: str = "own"
    ) -> list[np.ndarray]:
        """Return the probability of glacier of every tile."""
        out = []
        for tile, held in zip(self.tiles, self.held, strict=True):
            bands = np.concatenate(
                [np.full_like(held["values"][s], np.nan) if s in drop else held["values"][s] for s in network.sensors]
            )
            d = network.description
            place = scene_scaling.location_vector(
                d.location_kind,
                region=tile.region if region == "own" else None,
                latitude=tile.latitude,
                longitude=tile.longitude,
            )
            strips = predict_scenes.strips(
                [network], lambda r, c, bands=bands: bands[:, r, c], shape=tile.shape, location=place, threads=2
            )
            out.append(np.concatenate([s.probability[d.positive] for s in strips]))
        return out

    def score(
        self, probability: list[np.ndarray], *, only: str | None = None, scene: str | None = None
    ) -> dict[str, float]:
        """Return pooled IoU, IoU of clean and debris-covered ice, and what the probabilities are worth."""
        chosen = [
            k
            for k, t in enumerate(self.tiles)
            if (only is None or t.region == only) and (scene is None or t.scene == scene)
        ]
        truth = np.concatenate([self.held[k]["truth"].ravel() for k in chosen])
        p = np.concatenate([probability[k].ravel() for k in chosen])
        near = np.concatenate([self._near(k).ravel() for k in chosen])
        used = (truth >= 0) & np.isfinite(p)
        truth, p, near = truth[used], p[used], near[used]
        called = (p >= 0.5).astype(int)
        c = metrics.confusion(truth, called, n_classes=2)
        two = np.stack([1.0 - p, p], axis=1)
        s = calibrate.scores(two, truth, names=("other", "glacier"))[1]
        out = {
            "n": int(used.sum()),
            "iou": float(metrics.iou(c)[1]),
            "recall": float(metrics.recall(c)[1]),
            "precision": float(metrics.precision(c)[1]),
            "area_deviation": float(called.sum() / max(truth.sum(), 1) - 1.0),
            "calibration_error": s.calibration_error,
            "brier_skill": s.brier_skill,
        }
        for kind, name in ((1, "clean"), (2, "debris")):
            mine = near == kind
            if (truth[mine] == 1).any():
                out[f"iou_{name}"] = float(metrics.iou(metrics.confusion(truth[mine], called[mine], n_classes=2))[1])
        return out

    def _near(self, k: int) -> np.ndarray:
        """Return 1 where clean ice is the nearest true ice within a kilometre, 2 where it is debris-covered, else 0."""
        if "near" not in self.held[k]:
            from scipy.ndimage import distance_transform_edt

            truth, debris = self.held[k]["truth"], self.held[k]["debris"]
            pixel = float(np.mean(self.tiles[k].pixel))
            d = [
                distance_transform_edt(~mask) * pixel if mask.any() else np.full(truth.shape, np.inf)
                for mask in ((truth == 1) & ~debris, (truth == 1) & debris)
            ]
            near = np.where(np.minimum(*d) <= TOGETHER_M, np.where(d[0] <= d[1], 1, 2), 0)
            self.held[k]["near"] = near
        return self.held[k]["near"]

    def intervals(
        self, probability: list[np.ndarray], *, between_blocks: float, sd: float, threshold: float = 0.5
    ) -> list[dict[str, object]]:
        """Draw outlines of every tile, give their sum its interval as ``polynya glaciers`` does (without its median and
        least area), and lay the true area beside (labelled ground only)."""
        out = []
        for tile, held, p in zip(self.tiles, self.held, probability, strict=True):
            with h5py.File(tile.path, "r") as file:
                crs, grid = (
                    str(file[tile.name].attrs["crs"]),
                    Affine(*(float(v) for v in file[tile.name].attrs["transform"][:6])),
                )
            geobox, labelled = GeoBox(tile.shape, grid, crs), held["truth"] >= 0
            seen = np.where(labelled, p, 0.0).astype(np.float32)
            true_km2 = (
                float(
                    (held["truth"] == 1).sum(axis=1)
                    @ areas.row_areas_m2(geobox, slice(0, tile.shape[0]), tile.shape[1] / 2)
                )
                * 1e-6
            )
            drawn = outlines.vectorise((seen >= threshold).astype(np.uint8), geobox=geobox, is_smoothed=False)
            if true_km2 == 0:
                continue
            if not len(drawn):
                out.append(
                    {"tile": tile.name, "true_km2": true_km2, "area_km2": 0.0, "low": 0.0, "high": 0.0, "inside": False}
                )
                continue
            margins = area_intervals.gather(lambda r, c, seen=seen: seen[r, c], outlines=drawn, geobox=geobox)
            total = area_intervals.intervals(
                margins, drawn["area_km2"].to_numpy(), between_blocks=between_blocks, sd=sd
            ).total
            out.append(
                {
                    "tile": tile.name,
                    "true_km2": true_km2,
                    "area_km2": total.value,
                    "low": total.low,
                    "high": total.high,
                    "inside": bool(total.low <= true_km2 <= total.high),
                }
            )
        return out

    def without_networks(self, rule: ice_rules.DemRule | None) -> dict[str, list[np.ndarray]]:
        """Return maps of 0 and 1 that need no network."""
        out = {"everything glacier": [np.ones(t.shape) for t in self.tiles], "classical rule": []}
        for held in self.held:
            found = (
                ice_rules.classical({k: v for k, v in held["values"].items() if np.isfinite(v).any()})
                if np.isfinite(held["values"]["optical"]).any()
                else None
            )
            out["classical rule"].append(
                np.zeros(held["truth"].shape) if found is None else np.where(found.valid & found.mask, 1.0, 0.0)
            )
        if rule is not None:
            out["DEM rule"] = [
                np.nan_to_num(ice_rules.dem_only(h["values"]["dem"], rule=rule).mask.astype(float)) for h in self.held
            ]
        return out


def train(
    recipe: str | Path,
    *,
    name: str,
    seed: int,
    data: list[Path],
    out: Path,
    epochs: int | None,
    threads: int,
    start: Path | None = None,
) -> Path:
    """Train in a process of its own, unless it is there; return the ONNX file."""
    folder = out / f"{name}-{seed}"
    if not (folder / "run.json").exists():
        command = [
            sys.executable,
            "-m",
            "polynya",
            "train",
            str(recipe),
            "-o",
            str(folder),
            "--seed",
            str(seed),
            "--threads",
            str(threads),
            "--resume",
            "--json",
        ]
        for path in data:
            command += ["--data", str(path)]
        if epochs is not None:
            command += ["--epochs", str(epochs)]
        if start is not None:
            command += ["--start-from", str(start)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(
                f"{folder.name}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}"
            )
        print(f"trained {folder.name}", file=sys.stderr, flush=True)
    return folder / io.read_json(folder / "run.json")["outputs"]["onnx"]


def variant(base: str, out: Path, *, name: str, **changes: object) -> Path:
    """Write a recipe that differs from another in some settings; return its file."""
    plan = recipes.load(base).as_dict()
    for key, value in changes.items():
        part, _, inner = key.partition("__")
        if inner:
            plan[part][inner] = value
        else:
            plan[part] = value
    plan["name"], path = name, out / f"{name}.yaml"
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return path


def dem_rule(data: Path) -> ice_rules.DemRule:
    """Fit the DEM rule on the labels of the training scenes, one in sixteen pixels."""
    dem, target = [], []
    for file in sorted((data / "train").glob("*.h5")):
        for tile in glacier_tiles.open_tiles(file):
            rows, columns = (slice(0, n) for n in tile.shape)
            bits = tile.target("outlines", rows, columns)[::4, ::4]
            dem.append(tile.values(("dem",), rows, columns)[:, ::4, ::4].reshape(2, -1)[:, bits.ravel() > 0])
            target.append(bits.ravel()[bits.ravel() > 0] == 2)
    return ice_rules.fit_dem_rule(np.concatenate(dem, axis=1), np.concatenate(target))


def line(name: str, scores: list[dict], keys: tuple[str, ...]) -> str:
    """Return a row: means, and ranges over seeds."""
    cells = []
    for key in keys:
        values = [s[key] for s in scores if key in s and s[key] is not None and np.isfinite(s[key])]
        text = "" if not values else f"{np.mean(values):.3f}"
        cells.append(text if len(values) < 2 else f"{text} ({min(values):.3f}-{max(values):.3f})")
    return f"| {name} | " + " | ".join(cells) + " |"


KEYS = ("iou", "iou_clean", "iou_debris", "precision", "recall", "area_deviation", "calibration_error", "brier_skill")
HEAD = (
    "| {} | IoU | clean | debris | precision | recall | area deviation | calibration error | Brier skill"
    " |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", default=["glavitu-small", "unet-glaciers", "segformer-glaciers"])
    parser.add_argument("--networks", nargs="*", type=Path, default=[], help="trained networks (.onnx) to score beside")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--strategies", action="store_true")
    parser.add_argument("--regions", nargs="*", default=["HMA", "ALP"], help="of the regional and finetuned networks")
    parser.add_argument("--drop", action="store_true", help="score the first network without each sensor")
    parser.add_argument(
        "--areas",
        action="store_true",
        help="also how often the true area of a tile lies in its interval, for every network",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    a = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr if a.json else sys.stdout):
        full = scored(a)
    if a.json:
        print(json.dumps(as_result(full), indent=1))


def scored(a: argparse.Namespace) -> dict[str, object]:
    """Train what is asked for, score it, print the tables; return and write every score by name."""
    options = {"data": [a.data / "train"], "out": a.out, "epochs": a.epochs, "threads": a.threads}
    a.out.mkdir(parents=True, exist_ok=True)
    short = f", {a.epochs} epochs" if a.epochs else ""
    found = {
        Path(r).stem + short: [
            predict_scenes.load(train(r, name=Path(r).stem, seed=s, **options), threads=2) for s in a.seeds
        ]
        for r in a.recipes
    }
    stems = [p.stem for p in a.networks]
    found |= {
        p.stem if stems.count(p.stem) == 1 else f"{p.parent.name}/{p.stem}": [predict_scenes.load(p, threads=2)]
        for p in a.networks
    }
    tests = {"test": Test(a.data / "test")} | {
        half: Test(a.data / half) for half in ("real_east", "real_west") if (a.data / half).is_dir()
    }
    rule = dem_rule(a.data) if (a.data / "train").is_dir() else None
    full: dict[str, object] = {"simulator": io.read_json(a.data / "simulator.json")}
    print_maps(tests, found, rule, full)
    if a.areas:
        print_areas(tests, found, full)
    if a.drop:
        print_without_sensors(tests["test"], next(iter(found.values()))[0], full)
    if a.strategies:
        full["strategies"] = strategies(a, tests["test"], options)
    io.write_json(full, a.out / "scores.json")
    return full


SETS = ("test", "real_east", "real_west")
WITHOUT_NETWORK = ("everything glacier", "classical rule", "DEM rule")


def without_calibration(scores: dict[str, float]) -> dict[str, float]:
    """Return the scores of a map of 0 and 1, which has no probabilities to calibrate."""
    return {k: v for k, v in scores.items() if k not in ("calibration_error", "brier_skill")}


def as_result(full: dict) -> dict[str, object]:
    """Return what a result file holds: scores by set of tiles and map, and the tables."""
    values: dict[str, object] = {"simulator": full["simulator"]["commit"]}
    tables: dict[str, object] = {}
    for part in (*SETS, "sensors", "areas"):
        found = {k.removeprefix(f"{part} "): v for k, v in full.items() if k.startswith(f"{part} ")}
        if part == "areas":
            values[part] = {named(k): interval_counts(v) for k, v in found.items()}
            continue
        if not found:
            continue
        of = {k: v if isinstance(v, list) else [v] for k, v in found.items()}
        values[part] = {named(k): v[0] if len(v) == 1 else v for k, v in of.items()}
        shown = {k: [without_calibration(v)] if k in WITHOUT_NETWORK else of[k] for k, v in found.items()}
        cells = [[c.strip() for c in line(k, v, KEYS).strip("|").split("|")] for k, v in shown.items()]
        columns = [c.strip() for c in HEAD.split("\n")[0].strip("|").split("|")]
        tables[part] = {"columns": ["sensors" if part == "sensors" else "map", *columns[1:]], "rows": cells}
    scenes = {k: v for k, v in full.items() if any(f" {s} " in k for s in SETS[1:]) and not k.startswith("areas")}
    values["scenes"] = {named(k): v for k, v in scenes.items()}
    if "strategies" in full:
        values["strategies"] = {named(k): v for k, v in full["strategies"].items()}
        regions = list(full["strategies"]["global"])
        rows = [
            [name, *(f"{of[r]:.3f}" if r in of else "" for r in regions), mean_iou(of, regions)]
            for name, of in full["strategies"].items()
        ]
        tables["strategies"] = {"columns": ["strategy", *regions, "mean"], "rows": rows}
    return {"values": values, "tables": tables}


def named(text: str) -> str:
    """Return a name that a path on a page may have."""
    return re.sub(r"\W+", "_", text).strip("_")


def interval_counts(rows: list[dict]) -> dict[str, object]:
    """Return how many true areas lie in their interval, and the median width of the intervals as a share of the
    area."""
    widths = [(r["high"] - r["low"]) / r["area_km2"] for r in rows if r["area_km2"] > 0]
    return {"inside": sum(r["inside"] for r in rows), "n": len(rows), "median_width": float(np.median(widths))}


def mean_iou(of: dict[str, float], regions: list[str]) -> str:
    """Return the mean over regions, where all have a value."""
    return f"{np.mean(list(of.values())):.3f}" if len(of) == len(regions) else ""


def print_maps(tests: dict[str, Test], found: dict[str, list], rule: ice_rules.DemRule, full: dict) -> None:
    """Score the maps of rules and networks, print a table per set of tiles, and add the scores to ``full``."""
    for name, test in tests.items():
        what = (
            f", simulated, simulator {full['simulator']['commit']}"
            if name == "test"
            else " of real chips (in no training of a recipe here; the shipped network was trained on them)"
        )
        print(f"\n{name}: {len(test.tiles)} tiles{what}\n")
        print(HEAD.format("map"))
        for label, maps in test.without_networks(rule).items():
            scores = full[f"{name} {label}"] = test.score(maps)
            print(line(label, [without_calibration(scores)], KEYS))
        for label, networks in found.items():
            scores = [test.score(test.predict(n)) for n in networks]
            full[f"{name} {label}"] = scores
            print(line(label, scores, KEYS), flush=True)
        if name != "test":
            print_scenes(name, test, found, full)


def print_scenes(name: str, test: Test, found: dict[str, list], full: dict) -> None:
    """Score the first network of each name scene by scene."""
    everything = [np.ones(t.shape) for t in test.tiles]
    for label, networks in found.items():
        p = test.predict(networks[0])
        for scene in sorted({t.scene for t in test.tiles}):
            scored, trivial = test.score(p, scene=scene), test.score(everything, scene=scene)
            full[f"{label} {name} {scene}"] = scored
            print(
                f"{label}, {scene}: IoU {scored['iou']:.3f}, precision {scored['precision']:.3f}, recall"
                f" {scored['recall']:.3f} (everything glacier {trivial['iou']:.3f}), area deviation"
                f" {100 * scored['area_deviation']:+.0f} %, calibration error {scored['calibration_error']:.3f}"
            )


def print_areas(tests: dict[str, Test], found: dict[str, list], full: dict) -> None:
    """Print how often the true area of a tile lies in its interval."""
    print("\nTrue total area of a tile inside its 95 % interval:\n")
    for name, test in tests.items():
        for label, (network, *_) in found.items():
            p = test.predict(network)
            own = network.description.areas
            for together, sd in sorted({(0.0, 1.0), (own.between_blocks, own.sd)}):
                rows = full[f"areas {name} {label} {together} {sd}"] = test.intervals(p, between_blocks=together, sd=sd)
                width = np.median([(r["high"] - r["low"]) / r["area_km2"] for r in rows if r["area_km2"] > 0])
                print(
                    f"{name}, {label}, between-block correlation {together:g}, within-block size {sd:g}:"
                    f" {sum(r['inside'] for r in rows)} of {len(rows)}, median width {100 * width:.0f} % of the area",
                    flush=True,
                )
                for r in rows if name != "test" else ():
                    print(
                        f"  {r['tile']}: {r['area_km2']:.2f} km2 ({r['low']:.2f} to {r['high']:.2f}), true"
                        f" {r['true_km2']:.2f}"
                    )


def print_without_sensors(test: Test, network: predict_scenes.SceneNetwork, full: dict) -> None:
    """Print the scores of a network without each sensor, and with the optical image and one other."""
    print("\n" + HEAD.format("sensors"))
    cases = {"all": (), **{f"without {s}": (s,) for s in network.sensors}}
    cases |= {
        f"optical + {s}": tuple(o for o in network.sensors if o not in ("optical", s)) for s in network.sensors[1:]
    } | {"optical alone": tuple(network.sensors[1:])}
    for label, drop in cases.items():
        full[f"sensors {label}"] = test.score(test.predict(network, drop=drop))
        print(line(label, [full[f"sensors {label}"]], KEYS), flush=True)


def strategies(a: argparse.Namespace, test: Test, options: dict) -> dict:
    """Train the five strategies with one recipe's settings and print IoU by region."""
    base, out, seed = a.recipes[0], a.out, a.seeds[0]
    networks = {"global": (train(base, name=Path(base).stem, seed=seed, **options), "own")}
    for kind in ("region", "coordinates"):
        path = variant(base, out, name=f"{Path(base).stem}-{kind}", location=kind)
        networks[f"{kind} encoding"] = (train(path, name=path.stem, seed=seed, **options), "own")
    networks["region encoding, region unknown"] = (networks["region encoding"][0], "unknown")
    maps = {
        k: test.predict(predict_scenes.load(path, threads=2), region=region) for k, (path, region) in networks.items()
    }
    regions = sorted({t.region for t in test.tiles})
    table = {k: {r: test.score(m, only=r)["iou"] for r in regions} for k, m in maps.items()}
    for strategy in ("regional", "finetuning"):
        table[strategy] = {}
        for region in a.regions:
            extra = (
                {"optimiser__rate": 0.0002, "epochs": max(2, recipes.load(base).epochs // 3)}
                if strategy == "finetuning"
                else {}
            )
            path = variant(base, out, name=f"{Path(base).stem}-{strategy}-{region}", scene__regions=[region], **extra)
            start = networks["global"][0].with_suffix(".safetensors") if strategy == "finetuning" else None
            own = {**options, "epochs": None if strategy == "finetuning" and a.epochs is None else a.epochs}
            onnx = train(path, name=path.stem, seed=seed, start=start, **own)
            table[strategy][region] = test.score(test.predict(predict_scenes.load(onnx, threads=2)), only=region)["iou"]
    print("\n| strategy | " + " | ".join(regions) + " | mean |\n|" + "---|" * (len(regions) + 2))
    for name, row in table.items():
        cells = " | ".join(f"{row[r]:.3f}" if r in row else "" for r in regions)
        print(f"| {name} | {cells} | {mean_iou(row, regions)} |")
    return table


if __name__ == "__main__":
    main()
