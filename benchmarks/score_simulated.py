"""Score the main job on simulated granules: one table of the numbers that docs/freeboard.md quotes.

    python benchmarks/score_simulated.py [--seeds 801-806] [--length-km 60] [--seasons winter summer]
                                         [--sea-surface leads nasa ...] [--resolution 2] [--brief] [--markdown]
                                         [--keep FOLDER]

For every season and seed a granule is simulated, worked and compared with the footprint mean of its truth.
Each line pools the granules of one season and beam strength: a bias by its segments, an RMSE by its squares,
scores of classes by the summed confusion. Beside a pooled number, in brackets, stands the worst single granule.

Numbers from simulated granules are never skill on real data.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import evaluate, freeboard

FOOTPRINT = "truth: footprint mean"
CLASSES = ("thick_ice", "thin_ice", "open_water")
PREDICTED = (*CLASSES, "unclassified")


@dataclass(frozen=True)
class Granule:
    """One evaluated granule at one beam strength: values and sample counts by (metric, class, reference)."""

    seed: int
    values: dict[tuple[str, str, str], tuple[float, int]]

    def __getitem__(self, key: tuple[str, str, str]) -> float:
        return self.values.get(key, (np.nan, 0))[0]

    def count(self, key: tuple[str, str, str]) -> int:
        return self.values.get(key, (np.nan, 0))[1]


def granule_of(table: pa.Table, *, region: str, seed: int) -> Granule:
    """Pick one beam strength out of an evaluation table."""
    rows = [r for r in table.to_pylist() if r["region"] == region]
    return Granule(seed, {(r["metric"], r["class"], r["reference"]): (r["value"], r["n"]) for r in rows})


def work(seed: int, *, season: str, length_km: float, folder: Path, config: freeboard.Config) -> pa.Table:
    """Simulate, run freeboard, evaluate."""
    granule = folder / f"{season}_{seed}.h5"
    if not granule.exists():
        simulate(granule, length_km=length_km, season=season, seed=seed)
    out = folder / f"out_{config.sea_surface}_{config.resolution}_{Path(config.classifier or 'default').stem}"
    (record,) = freeboard.run([granule], out=out, config=config)
    if record.status == "failed":
        raise SystemExit(f"seed {seed}, {season}: {record.message}")
    return evaluate.run(out / granule.stem, reference=granule.with_name(granule.stem + "_truth.parquet"), n_resamples=1)


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


def lines(granules: list[Granule]) -> list[tuple[str, str]]:
    """Return (name, text) of each number of one season and strength."""

    def both(metric: str, *, reference: str, power: int = 1, digits: int = 3) -> str:
        return (
            f"{pooled(granules, metric, reference=reference, power=power):.{digits}f}"
            f" ({worst(granules, metric, reference=reference):.{digits}f})"
        )

    def cover(metric: str, *, reference: str) -> str:
        v = [100 * g[metric, "all", reference] for g in granules]
        return f"{100 * pooled(granules, metric, reference=reference):.0f} ({min(v):.0f}-{max(v):.0f})"

    matrix = confusion(granules)
    recall, precision, macro = scores(matrix)
    lowest = min(scores(confusion([g]))[2] for g in granules)
    shares = matrix.sum(axis=1) / matrix.sum()
    out = [
        ("freeboard RMSE, m", both("freeboard_rmse", reference=FOOTPRINT, power=2)),
        ("freeboard bias, m", both("freeboard_bias", reference=FOOTPRINT)),
        ("freeboard inside ±1σ, %", cover("freeboard_coverage_1sigma", reference=FOOTPRINT)),
        ("freeboard inside ±2σ, %", cover("freeboard_coverage_2sigma", reference=FOOTPRINT)),
        ("freeboard median σ, m", both("freeboard_median_sigma", reference=FOOTPRINT)),
        ("height RMSE, m", both("height_rmse", reference=FOOTPRINT, power=2)),
        ("height bias, m", both("height_bias", reference=FOOTPRINT)),
        ("height inside ±1σ, %", cover("height_coverage_1sigma", reference=FOOTPRINT)),
        ("height inside ±2σ, %", cover("height_coverage_2sigma", reference=FOOTPRINT)),
        ("sea surface RMSE, m", both("sea_surface_rmse", reference="truth", power=2)),
        ("sea surface bias, m", both("sea_surface_bias", reference="truth")),
        ("sea surface inside ±1σ, %", cover("sea_surface_coverage_1sigma", reference="truth")),
        ("sea surface inside ±2σ, %", cover("sea_surface_coverage_2sigma", reference="truth")),
        ("segments with a sea surface, %", cover("share_with_sea_surface", reference="truth")),
        ("macro-F1 (lowest)", f"{macro:.3f} ({lowest:.3f})"),
        ("macro-F1 of 'always thick'", f"{scores(np.column_stack([matrix.sum(axis=1), np.zeros((3, 3))]))[2]:.3f}"),
    ]
    for k, name in enumerate(CLASSES):
        out.append((f"{name.replace('_', ' ')}: share, %", f"{100 * shares[k]:.1f}"))
        out.append((f"{name.replace('_', ' ')}: recall, precision", f"{recall[k]:.3f}, {precision[k]:.3f}"))
    for km in (1, 10, 25):
        out.append(
            (f"freeboard mean over {km} km: RMSE, m", both(f"freeboard_mean_{km}km_rmse", reference=FOOTPRINT, power=2))
        )
        out.append(
            (
                f"freeboard mean over {km} km inside ±1σ, %",
                cover(f"freeboard_mean_{km}km_coverage_1sigma", reference=FOOTPRINT),
            )
        )
    for of in ("longer_than_11_m", "specular_lead", "dark_lead", "rough_lead"):
        value = pooled(granules, "lead_recall", reference="truth", of=of)
        out.append(
            (
                f"{of.replace('_', ' ')}: lead recall",
                f"{value:.2f} (n {sum(g.count(('lead_recall', of, 'truth')) for g in granules)})",
            )
        )
    out.append(
        (
            "lead precision",
            (
                f"{pooled(granules, 'lead_precision', reference='truth'):.2f} (n"
                f" {sum(g.count(('lead_precision', 'all', 'truth')) for g in granules)})"
            ),
        )
    )
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
    parser.add_argument("--seeds", default="801-806")
    parser.add_argument("--length-km", type=float, default=60.0)
    parser.add_argument("--seasons", nargs="+", default=["winter", "summer"], choices=["winter", "summer"])
    parser.add_argument("--sea-surface", nargs="+", default=["leads"])
    parser.add_argument("--resolution", default="2")
    parser.add_argument("--classifier", help="rule, a shipped network or an .onnx file; freeboard's default by default")
    parser.add_argument("--brief", action="store_true", help="only freeboard and sea surface")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, as docs/freeboard.md has it")
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
        for method in options.sea_surface:
            config = freeboard.Config.checked(
                sea_surface=method, resolution=options.resolution, classifier=options.classifier
            )
            columns: dict[str, list[tuple[str, str]]] = {}
            for season in options.seasons:
                tables = [
                    work(s, season=season, length_km=options.length_km, folder=folder, config=config) for s in seeds
                ]
                for region in ("strong", "weak"):
                    columns[f"{season} {region}"] = lines(
                        [granule_of(t, region=region, seed=s) for t, s in zip(tables, seeds, strict=True)]
                    )
            rows = [(r[0][0], [text for _, text in r]) for r in zip(*columns.values(), strict=True)]
            if options.brief:
                rows = [r for r in rows if r[0].startswith(("freeboard", "sea surface")) and " km" not in r[0]]
            print(
                f"\nseeds {options.seeds}, {options.length_km:g} km each, sea surface {method}, resolution"
                f" {options.resolution}: pooled (worst granule, or range)"
            )
            print(as_markdown(list(columns), rows) if options.markdown else as_text(list(columns), rows))


if __name__ == "__main__":
    main()
