"""Score the main job on surfaces on which freeboard goes wrong: ponds, bright patches, refrozen leads, swell.

    python benchmarks/score_surfaces.py [--seeds 1-4] [--surface NAME ...] [--classifier default|rule|FILE]
                                        [--length-km 60] [--markdown] [--json [OUT]] [--folder build/surfaces]

Every variant is a season and the surfaces that replace what it draws (``VARIANTS``; ``--surface list`` names them). A
granule of two beams (gt1l is weak, gt1r strong) is simulated for each seed and worked with the defaults. One line per
variant and strength; each number is the mean over seeds, in brackets stands the worst seed:

    share     segments with freeboard, %
    bias      mean error of the track's freeboard, m: against the footprint mean of the truth
    rmse      root mean square of that bias over seeds, m
    sigma     the product's own standard uncertainty of that mean (run.json, means, length_km "track"), m
    ratio     bias over sigma; the first number is the root mean square over seeds
    inside    segments whose truth lies inside +-1 sigma, %
    median    median sigma of a segment, m
    sea rmse  root mean square error of the sea surface under segments that have one, m
    fails     what is asked of freeboard and does not hold: bias (above 2 sigma in a seed), wide (sigma above 3 rmse),
              few (less than 60 % of freeboards where leads are normal), and of seasons without further surfaces:
              inside (not 60-80 %), median (above 0.05 m in winter and spring, 0.07 m in summer; strong beams)
    bits      quality bits on at least 1 % of the segments in any seed

Granules stay in the folder and are used again: empty it where the simulator changes. Seeds 1-50 are for tuning. Seeds
from 9000 are the test set, which nobody looks at while a threshold or a network is still being chosen.

Numbers from simulated granules are never skill on real data.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from score_simulated import as_markdown, seeds_of

from polynya import schema
from polynya.simulate.icesat2.atl03 import simulate
from polynya.simulate.sea_ice.surfaces import Surfaces, parse
from polynya.workflows import freeboard

BEAMS = "gt1l,gt1r"
TEST_SEED = 9000
VARIANTS = {
    "specular ponds 15 per km, no lead": ("melt", "specular-ponds:15,dark-ponds:0,no-leads,drained-ponds:0"),
    "specular ponds on 3 %, no lead": ("melt", "specular-ponds:1,dark-ponds:0,no-leads,drained-ponds:0"),
    "specular ponds on 3 %, no lead, summer": ("summer", "specular-ponds:1,no-leads,drained-ponds:0"),
    "specular ponds on 10 %": ("melt", "specular-ponds:3.3,dark-ponds:0,drained-ponds:0"),
    "specular ponds on 3 %": ("melt", "specular-ponds:1,dark-ponds:0,drained-ponds:0"),
    "specular ponds on 10 %, summer": ("summer", "specular-ponds:3.3,drained-ponds:0"),
    "dark ponds 10 per km, no lead": ("melt", "specular-ponds:0,dark-ponds:10,no-leads"),
    "melt season's ponds, no lead": ("melt", "no-leads"),
    "bright patches .3 per km, no lead": ("winter", "bright-patches:.3,no-leads"),
    "bright patches .3 per km": ("winter", "bright-patches:.3"),
    "all leads refrozen, .25-.45 m": ("winter", "refrozen-leads:.25:.45"),
    "all leads refrozen, .05-.45 m": ("winter", "refrozen-leads"),
    "leads only dark": ("winter", "dark-leads"),
    "leads only specular": ("winter", "specular-leads"),
    "closed ice": ("winter", "no-leads,bright-patches:0,melt-patches:0"),
    "swell 200 m, .42 m, no decay": ("winter", "swell:.42:200:inf"),
    "swell 200 m, .42 m, no decay, summer": ("summer", "swell:.42:200:inf"),
    "swell 100 m, .3 m, 25 km": ("winter", "swell:.3:100:25"),
    "swell 350 m, .6 m, 50 km": ("winter", "swell:.6:350:50"),
    "MSS bumps .10 m": ("winter", "mss-bumps:.10"),
    "lead scatter .06 m": ("winter", "lead-scatter:.06"),
    "melt": ("melt", ""),
    "winter": ("winter", ""),
    "spring": ("spring", ""),
    "summer": ("summer", ""),
}
"""Season and words of ``--surface`` of each variant."""
COLUMNS = ("share", "bias", "rmse", "sigma", "ratio", "inside", "median", "sea rmse", "fails", "bits")
OTHER_LEADS = ("no-leads", "refrozen-leads", "dark-leads")
MEDIANS = {"winter": 0.05, "spring": 0.05, "summer": 0.07}


@dataclass(frozen=True, kw_only=True)
class Score:
    """One beam of one granule; metres, shares from 0 to 1, NaN where there is no freeboard."""

    variant: str
    seed: int
    is_strong: bool
    share: float
    bias: float
    sigma: float
    inside: float
    median: float
    sea_rmse: float
    bits: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Bias over sigma."""
        return self.bias / self.sigma if self.sigma > 0.0 else float("nan")


def slug(name: str) -> str:
    """Return a variant's name as part of a file's name."""
    return "".join(c if c.isalnum() else "_" for c in name.replace(" %", "pc")).strip("_")


def work(name: str, seed: int, *, config: freeboard.Config, folder: Path, length_km: float) -> list[Score]:
    """Simulate a granule if it is not there, run freeboard, compare both beams with the truth."""
    season, words = VARIANTS[name]
    granule = folder / f"{slug(name)}_{length_km:g}km_{seed}.h5"
    truth_file = granule.with_name(granule.stem + "_truth.parquet")
    if not (granule.exists() and truth_file.exists()):
        surfaces = parse([words]) if words else Surfaces()
        simulate(granule, length_km=length_km, beams=BEAMS, season=season, seed=seed, surfaces=surfaces, overwrite=True)
    out = folder / "out"
    (record,) = freeboard.run([granule], out=out, config=config, overwrite=True)
    if record.status == "failed":
        raise SystemExit(f"{name}, seed {seed}: {record.message}")
    result = out / granule.stem
    segments, truth = pq.read_table(result / "segments.parquet"), pq.read_table(truth_file)
    means = json.loads((result / "run.json").read_text(encoding="utf-8"))["means"]
    shutil.rmtree(result)
    scores = []
    for beam in BEAMS.split(","):
        ours, true = (_columns(table, beam) for table in (segments, truth))
        sigma = [m["uncertainty"] for m in means if m["beam"] == beam and m["length_km"] == "track"]
        scores.append(_score(ours, true, name=name, seed=seed, sigma=float(sigma[0]) if sigma else float("nan")))
    return scores


def _columns(table, beam: str) -> dict[str, np.ndarray]:
    part = table.filter(np.array(table["beam"].to_pylist()) == beam)
    names = [n for n in part.column_names if n not in ("granule", "beam", "time")]
    return {n: part[n].to_numpy(zero_copy_only=False) for n in names}


def _score(ours: dict[str, np.ndarray], true: dict[str, np.ndarray], *, name: str, seed: int, sigma: float) -> Score:
    cell = np.floor(true["x_atc"] / 2.0).astype(np.int64)
    row = np.clip(np.floor(ours["x_atc"] / 2.0).astype(np.int64) - cell[0], 0, cell.size - 1)
    error = ours["total_freeboard"].astype(float) - true["total_freeboard_footprint"][row]
    spread = ours["total_freeboard_uncertainty"]
    has = np.isfinite(error)
    sea = (ours["sea_surface_height"] - true["sea_surface_height"][row])[has].astype(float)
    flags = ours["quality_flag"].astype(np.int64)
    bits = tuple(n for bit, n in schema.QUALITY_BITS if np.mean((flags & bit) != 0) >= 0.01)
    nan = float("nan")
    return Score(
        variant=name,
        seed=seed,
        is_strong=bool(true["is_strong"][0]),
        share=float(has.mean()),
        bias=float(error[has].mean()) if has.any() else nan,
        sigma=sigma if has.any() else nan,
        inside=float(np.mean(np.abs(error[has]) <= spread[has])) if has.any() else nan,
        median=float(np.median(spread[has])) if has.any() else nan,
        sea_rmse=float(np.sqrt(np.mean(sea**2))) if has.any() else nan,
        bits=bits,
    )


def line(scores: list[Score]) -> list[str]:
    """Return the cells of one variant and strength over its seeds."""

    def values(name: str) -> np.ndarray:
        v = np.array([getattr(s, name) for s in scores], float)
        return v[np.isfinite(v)]

    def cell(name: str, digits: int, *, factor: float = 1.0, worst=np.max, mean=np.mean) -> str:
        v = factor * values(name)
        return f"{mean(v):.{digits}f} ({worst(v):.{digits}f})" if v.size else "none"

    def furthest(v: np.ndarray) -> float:
        return v[np.argmax(np.abs(v))]

    def rms(v: np.ndarray) -> float:
        return float(np.sqrt(np.mean(v**2)))

    bits = sorted({b for s in scores for b in s.bits}, key=[n for _, n in schema.QUALITY_BITS].index)
    return [
        cell("share", 0, factor=100.0, worst=np.min),
        cell("bias", 3, worst=furthest),
        f"{rms(values('bias')):.3f}" if values("bias").size else "none",
        cell("sigma", 3, worst=np.min),
        cell("ratio", 1, worst=furthest, mean=rms),
        cell("inside", 0, factor=100.0, worst=np.min),
        cell("median", 3),
        cell("sea_rmse", 3),
        " ".join(fails(scores)) or "none",
        " ".join(bits) or "none",
    ]


def fails(scores: list[Score]) -> list[str]:
    """Return what does not hold for one variant and strength; see the top of this file."""
    season, words = VARIANTS[scores[0].variant]
    finite = [s for s in scores if np.isfinite(s.bias)]
    found = ["bias"] if any(abs(s.ratio) > 2.0 for s in finite) else []
    if finite:
        rmse = np.sqrt(np.mean([s.bias**2 for s in finite]))
        found += ["wide"] if np.mean([s.sigma for s in finite]) > 3.0 * rmse else []
    if not any(word in words for word in OTHER_LEADS) and np.mean([s.share for s in scores]) < 0.6:
        found.append("few")
    if not words and season in MEDIANS:
        inside, median = (
            np.mean([getattr(s, name) for s in finite]) if finite else 0.0 for name in ("inside", "median")
        )
        found += [] if 0.6 <= inside <= 0.8 else ["inside"]
        found += ["median"] if scores[0].is_strong and median > MEDIANS[season] else []
    return found


def as_result(scores: list[Score], *, about: dict[str, object], rows: list[tuple[str, list[str]]]) -> dict[str, object]:
    """Return what a result file holds: the seeds' numbers of each variant and strength, and the table."""
    values: dict[str, object] = dict(about)
    for s in scores:
        of = values.setdefault(slug(s.variant), {}).setdefault("strong" if s.is_strong else "weak", {})
        for key in ("share", "bias", "sigma", "ratio", "inside", "median", "sea_rmse"):
            of.setdefault(key, []).append(getattr(s, key))
    table = {"columns": ["surface", *COLUMNS], "rows": [[name, *cells] for name, cells in rows]}
    return {"values": values, "tables": {"main": table}}


def as_text(rows: list[tuple[str, list[str]]]) -> str:
    """Return the rows in columns of fixed width, the bits at the end of the line."""
    return "\n".join(
        f"{name:46s}" + "".join(f"{c:>17s}" for c in cells[:-1]) + f"  {cells[-1]}"
        for name, cells in [("", list(COLUMNS)), *rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-4")
    parser.add_argument("--surface", nargs="+", default=list(VARIANTS), help="variants, or parts of their names; list")
    parser.add_argument("--classifier", default="default", help="default, rule, a shipped network or an .onnx file")
    parser.add_argument("--length-km", type=float, default=60.0)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        help="print values and table as docs/results has them; with a file name, write every beam of every granule",
    )
    parser.add_argument("--folder", type=Path, default=Path("build/surfaces"))
    options = parser.parse_args()
    if options.surface == ["list"]:
        print("\n".join(f"{name:42s}{season:8s}{words}" for name, (season, words) in VARIANTS.items()))
        return
    exact = [name for name in options.surface if name in VARIANTS]
    parts = [part for part in options.surface if part not in VARIANTS]
    names = [name for name in VARIANTS if name in exact or any(part in name for part in parts)]
    unknown = [part for part in parts if not any(part in name for name in VARIANTS)]
    if unknown:
        sys.exit(f"--surface {', '.join(unknown)}: no such variant; expected some of: {'; '.join(VARIANTS)}.")
    seeds = seeds_of(options.seeds)
    if max(seeds) >= TEST_SEED:
        print(f"WARNING: seeds from {TEST_SEED} are the test set: tune nothing on these numbers.", file=sys.stderr)
    options.folder.mkdir(parents=True, exist_ok=True)
    config = freeboard.Config.checked(classifier=None if options.classifier == "default" else options.classifier)
    scores: list[Score] = []
    rows = []
    is_result = options.json == "-"
    if not is_result:
        print(f"seeds {options.seeds}, {options.length_km:g} km, classifier {options.classifier}: mean (worst seed)")
    for name in names:
        found = []
        for seed in seeds:
            found += work(name, seed, config=config, folder=options.folder, length_km=options.length_km)
            print(".", end="", file=sys.stderr, flush=True)
        scores += found
        rows += [
            (f"{name}, {word}", line([s for s in found if s.is_strong == is_strong]))
            for word, is_strong in (("strong", True), ("weak", False))
        ]
    print(file=sys.stderr)
    about = {"seeds": options.seeds, "length_km": options.length_km, "classifier": options.classifier}
    if is_result:
        print(json.dumps(as_result(scores, about=about, rows=rows), indent=1))
        return
    print(as_markdown(list(COLUMNS), rows) if options.markdown else as_text(rows))
    if options.json:
        text = json.dumps({**about, "beams": [{**asdict(s), "ratio": s.ratio} for s in scores]}, indent=1)
        Path(options.json).write_text(text.replace("NaN", "null"), encoding="utf-8")


if __name__ == "__main__":
    main()
