"""Score the main job on simulated granules: the tables that docs/freeboard.md and README.md show.

    python benchmarks/score_simulated.py --seeds 201-206 [--length-km 60] [--seasons winter summer]
                                         [--sea-surface leads nasa ...] [--resolution 2] [--classifier rule]
                                         [--brief] [--markdown] [--json] [--keep FOLDER]

Give seeds that nobody has looked at while the constants or the network were chosen: the pages quote such seeds only.
--json prints the table, and the same numbers by name (``values``).

For every season and seed a granule is simulated, worked and compared with the footprint mean of its truth.
Each line pools the granules of one season and beam strength: a bias by its segments, an RMSE by its squares,
scores of classes by the summed confusion. Beside a pooled number, in brackets, stands the worst single granule.

Numbers from simulated granules are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polynya import io
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import evaluate, freeboard

FOOTPRINT = "truth: footprint mean"
CLASSES = ("thick_ice", "thin_ice", "open_water")
MEAN_KM = 10
PREDICTED = (*CLASSES, "unclassified")


@dataclass(frozen=True)
class Granule:
    """One evaluated granule at one beam strength: values and sample counts by (metric, class, reference)."""

    seed: int
    values: dict[tuple[str, str, str], tuple[float, int]]
    mean_parts: dict[str, float]
    """The two parts of the stated error of a mean over ``MEAN_KM``, medians over beams, m."""

    def __getitem__(self, key: tuple[str, str, str]) -> float:
        return self.values.get(key, (np.nan, 0))[0]

    def count(self, key: tuple[str, str, str]) -> int:
        return self.values.get(key, (np.nan, 0))[1]


def granule_of(found: tuple[pa.Table, dict], *, region: str, seed: int) -> Granule:
    """Pick one beam strength out of an evaluation table and the record of its run."""
    table, run = found
    rows = [r for r in table.to_pylist() if r["region"] == region]
    values = {(r["metric"], r["class"], r["reference"]): (r["value"], r["n"]) for r in rows}
    strong = [b for b, about in run["beams"].items() if about["is_strong"] == (region == "strong")]
    means = [m for m in run["means"] if m["length_km"] == MEAN_KM and m["beam"] in strong]
    parts = {p: float(np.median([m[f"uncertainty_{p}"] for m in means])) for p in ("random", "correlated") if means}
    return Granule(seed, values, parts)


def work(seed: int, *, season: str, length_km: float, folder: Path, config: freeboard.Config) -> tuple[pa.Table, dict]:
    """Simulate, run freeboard, evaluate; return the evaluation and the run's record."""
    granule = folder / f"{season}_{seed}.h5"
    if not granule.exists():
        simulate(granule, length_km=length_km, season=season, seed=seed)
    out = folder / f"out_{config.sea_surface}_{config.resolution}_{Path(config.classifier or 'default').stem}"
    (record,) = freeboard.run([granule], out=out, config=config)
    if record.status == "failed":
        raise SystemExit(f"seed {seed}, {season}: {record.message}")
    truth = granule.with_name(granule.stem + "_truth.parquet")
    table = evaluate.run(out / granule.stem, reference=truth, n_resamples=1)
    return table, io.read_json(out / granule.stem / "run.json")


def pooled(granules: list[Granule], metric: str, *, reference: str, of: str = "all", power: int = 1) -> float:
    """Average over granules by their samples; of squares with ``power`` 2."""
    key = (metric, of, reference)
    n = np.array([g.count(key) for g in granules], float)
    v = np.array([g[key] for g in granules], float)
    good = (n > 0) & np.isfinite(v)
    return float((np.sum(n[good] * v[good] ** power) / np.sum(n[good])) ** (1.0 / power)) if good.any() else np.nan


def worst(granules: list[Granule], metric: str, *, reference: str) -> float:
    """Return the value of largest magnitude among granules, with its sign."""
    v = np.array([g[metric, "all", reference] for g in granules], float)
    v = v[np.isfinite(v)]
    return float(v[np.argmax(np.abs(v))]) if v.size else np.nan


def confusion(granules: list[Granule]) -> np.ndarray:
    """Sum the confusion counts, true classes in rows, predicted (and unclassified) in columns."""
    out = np.zeros((3, 4))
    for g in granules:
        for i, true in enumerate(CLASSES):
            for j, found in enumerate(PREDICTED):
                share, n = g.values.get(("confusion", f"{true}>{found}", "truth"), (np.nan, 0))
                out[i, j] += np.nan_to_num(share) * n
    return out


def scores(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return recall and precision of each class, and macro-F1."""
    right = np.diag(matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = right / matrix.sum(axis=1), right / matrix[:, :3].sum(axis=0)
        f1 = 2 * right / (matrix.sum(axis=1) + matrix[:, :3].sum(axis=0))
    return recall, precision, float(np.mean(f1))


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of a season and strength: its row in the table, its cell, its name and value in the result file."""

    title: str
    text: str
    key: str
    value: object


def lines(granules: list[Granule]) -> list[Line]:
    """Return each number of one season and strength."""
    out: list[Line] = []
    for what, reference in (("freeboard", FOOTPRINT), ("height", FOOTPRINT), ("sea_surface", "truth")):
        title = what.replace("_", " ")
        out += [
            _both(granules, f"{title} RMSE, m", f"{what}_rmse", reference=reference, power=2),
            _both(granules, f"{title} bias, m", f"{what}_bias", reference=reference),
            _cover(granules, f"{title} inside ±1σ, %", f"{what}_coverage_1sigma", reference=reference),
            _cover(granules, f"{title} inside ±2σ, %", f"{what}_coverage_2sigma", reference=reference),
        ]
        out.append(_both(granules, f"{title} median σ, m", f"{what}_median_sigma", reference=reference))
    out.append(_cover(granules, "segments with a sea surface, %", "share_with_sea_surface", reference="truth"))
    out += _classes(granules)
    for km in (1, 10, 25):
        name = f"freeboard_mean_{km}km"
        out += [
            _both(granules, f"freeboard mean over {km} km: RMSE, m", f"{name}_rmse", reference=FOOTPRINT, power=2),
            _cover(
                granules, f"freeboard mean over {km} km inside ±1σ, %", f"{name}_coverage_1sigma", reference=FOOTPRINT
            ),
        ]
    for of in ("longer_than_11_m", "specular_lead", "dark_lead", "rough_lead"):
        out.append(_share(granules, f"{of.replace('_', ' ')}: lead recall", "lead_recall", of=of))
    out.append(_share(granules, "lead precision", "lead_precision", of="all"))
    for part in ("random", "correlated"):
        v = [g.mean_parts[part] for g in granules if part in g.mean_parts]
        value = float(np.median(v)) if v else float("nan")
        title = f"mean over {MEAN_KM} km: {part} part of σ, m"
        out.append(Line(title=title, text=f"{value:.4f}", key=f"mean_{part}", value=value))
    return out


def _both(granules: list[Granule], title: str, metric: str, *, reference: str, power: int = 1) -> Line:
    """Return a pooled number and, in brackets, that of the worst granule."""
    value = pooled(granules, metric, reference=reference, power=power)
    far = worst(granules, metric, reference=reference)
    return Line(title=title, text=f"{value:.3f} ({far:.3f})", key=metric, value={"pooled": value, "worst": far})


def _cover(granules: list[Granule], title: str, metric: str, *, reference: str) -> Line:
    """Return a pooled share and, in brackets, the range over granules, in per cent."""
    value, each = pooled(granules, metric, reference=reference), [g[metric, "all", reference] for g in granules]
    return Line(
        title=title,
        text=f"{100 * value:.0f} ({100 * min(each):.0f}-{100 * max(each):.0f})",
        key=metric,
        value={"pooled": value, "range": [min(each), max(each)]},
    )


def _share(granules: list[Granule], title: str, metric: str, *, of: str) -> Line:
    """Return a pooled share of leads with their number."""
    value, n = pooled(granules, metric, reference="truth", of=of), sum(g.count((metric, of, "truth")) for g in granules)
    key = metric if of == "all" else f"{metric}_{of}"
    return Line(title=title, text=f"{value:.2f} (n {n})", key=key, value={"pooled": value, "n": n})


def _classes(granules: list[Granule]) -> list[Line]:
    """Return the scores of surface classes."""
    matrix = confusion(granules)
    recall, precision, macro = scores(matrix)
    lowest = min(scores(confusion([g]))[2] for g in granules)
    trivial = scores(np.column_stack([matrix.sum(axis=1), np.zeros((3, 3))]))[2]
    accuracy = float(np.trace(matrix) / matrix.sum())
    shares = matrix.sum(axis=1) / matrix.sum()
    always = float(shares[0])
    out = [
        Line(title="accuracy", text=f"{accuracy:.3f}", key="accuracy", value=accuracy),
        Line(title="accuracy of 'always thick'", text=f"{always:.3f}", key="accuracy_always_thick", value=always),
        Line(
            title="macro-F1 (lowest)",
            text=f"{macro:.3f} ({lowest:.3f})",
            key="macro_f1",
            value={"pooled": macro, "lowest": lowest},
        ),
        Line(title="macro-F1 of 'always thick'", text=f"{trivial:.3f}", key="macro_f1_always_thick", value=trivial),
    ]
    for k, name in enumerate(CLASSES):
        title = name.replace("_", " ")
        share, found, right = float(shares[k]), float(recall[k]), float(precision[k])
        out += [
            Line(title=f"{title}: share, %", text=f"{100 * share:.1f}", key=f"{name}_share", value=share),
            Line(
                title=f"{title}: recall, precision",
                text=f"{found:.3f}, {right:.3f}",
                key=name,
                value={"recall": found, "precision": right},
            ),
        ]
    return out


def seeds_of(text: str) -> list[int]:
    """Return the seeds that ``201-206`` or ``201,203`` means."""
    out: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def as_text(columns: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """Return rows (name, cells) in columns of fixed width."""
    return "\n".join(f"{name:40s}" + "".join(f"{c:>20s}" for c in cells) for name, cells in [("", columns), *rows])


def as_markdown(columns: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """Return rows (name, cells) as a Markdown table."""
    return "\n".join(
        "| " + " | ".join([name, *cells]) + " |"
        for name, cells in [("", columns), ("---", ["---"] * len(columns)), *rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", required=True, help="as 201-206 or 201,203")
    parser.add_argument("--length-km", type=float, default=60.0)
    parser.add_argument("--seasons", nargs="+", default=["winter", "summer"], choices=["winter", "summer"])
    parser.add_argument("--sea-surface", nargs="+", default=["leads"])
    parser.add_argument("--resolution", default="2")
    parser.add_argument("--classifier", help="rule, a shipped network or an .onnx file; freeboard's default by default")
    parser.add_argument("--brief", action="store_true", help="only freeboard and sea surface")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder for granules and results (used again where they are there); a temporary one by default",
    )
    options = parser.parse_args()
    seeds = seeds_of(options.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = {m: measured(options, method=m, seeds=seeds, folder=folder) for m in options.sea_surface}
    if options.json:
        print(json.dumps(as_result(found, seeds=options.seeds), indent=1))
        return
    for method, columns in found.items():
        print(
            f"\nseeds {options.seeds}, {options.length_km:g} km each, sea surface {method}, resolution"
            f" {options.resolution}: pooled (worst granule, or range)"
        )
        rows = rows_of(columns)
        print(as_markdown(list(columns), rows) if options.markdown else as_text(list(columns), rows))


def measured(options: argparse.Namespace, *, method: str, seeds: list[int], folder: Path) -> dict[str, list[Line]]:
    """Return the numbers of one sea surface, by season and strength."""
    config = freeboard.Config.checked(sea_surface=method, resolution=options.resolution, classifier=options.classifier)
    out: dict[str, list[Line]] = {}
    for season in options.seasons:
        tables = [work(s, season=season, length_km=options.length_km, folder=folder, config=config) for s in seeds]
        for region in ("strong", "weak"):
            of = lines([granule_of(t, region=region, seed=s) for t, s in zip(tables, seeds, strict=True)])
            if options.brief:
                of = [r for r in of if r.title.startswith(("freeboard", "sea surface")) and " km" not in r.title]
            out[f"{season} {region}"] = of
    return out


def rows_of(columns: dict[str, list[Line]]) -> list[tuple[str, list[str]]]:
    """Return the table's rows: title and a cell of each column."""
    return [(row[0].title, [r.text for r in row]) for row in zip(*columns.values(), strict=True)]


def as_result(found: dict[str, dict[str, list[Line]]], *, seeds: str) -> dict[str, object]:
    """Return what a result file holds: the table, and the numbers by name."""
    values = {
        method: {name.replace(" ", "_"): {r.key: r.value for r in of} for name, of in columns.items()}
        for method, columns in found.items()
    }
    several = len(found) > 1
    rows = [
        [*([method] if several else []), title, *cells]
        for method, columns in found.items()
        for title, cells in rows_of(columns)
    ]
    columns = [*(["method", "number"] if several else [""]), *next(iter(found.values()))]
    return {"values": {"seeds": seeds, **values}, "tables": {"main": {"columns": columns, "rows": rows}}}


if __name__ == "__main__":
    main()
