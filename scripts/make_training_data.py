"""Make the label tables that the shipped network is trained and scored on: simulated granules and pairs, and tracks
drawn from ATL07.

    python scripts/make_training_data.py OUT [--atl07 FILE ...] [--granules 45] [--pairs 16] [--seed 7000]

OUT/train gets label tables of simulated ATL03 granules (winter, spring and summer alternate; the sun elevation is
drawn) and of the granules of simulated pairs; OUT/short those of short granules and of ice without any lead; OUT/test
those of other pairs and granules; OUT/atl07 those of photons drawn from the ATL07 files, several draws each. Labels are
the simulation's truth, and for ATL07 NASA's types (2-5 water, 1 ice of unknown thickness). Everything follows from the
seed; what is there already is kept, so a stopped run resumes. Test granules are kept (the rule is run on them),
training granules are not.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import simulator_commit

from polynya.simulate.icesat2.atl03 import simulate
from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07
from polynya.simulate.pair import Options, simulate_pair
from polynya.workflows import label

SEASONS = ("winter", "summer", "spring")
SUN = {"summer": (8.0, 35.0), "spring": (5.0, 25.0)}
BRIGHTNESS = (0.75, 1.5)
"""Photon rates of further ATL07 draws are scaled within this range: a file holds few leads, and few cases near the
bounds of NASA's tree."""
TEST_SEED = 2_000_000
"""Added to the seed for the test part: no granule of it is ever drawn for training."""


def jobs(a: argparse.Namespace) -> list[dict]:
    """List everything to make, each as plain values: folder, name, kind, seed, season, length, sun."""
    found = []
    for part, first, n_granules, n_pairs in (
        ("train", a.seed, a.granules, a.pairs),
        ("test", a.seed + TEST_SEED, a.test_granules, a.test_pairs),
    ):
        for k in range(n_granules):
            season = SEASONS[k % 3]
            sun = float(np.random.default_rng([first, k]).uniform(*SUN[season])) if season in SUN else None
            found.append(
                {
                    "kind": "atl03",
                    "part": part,
                    "name": f"{part}_{season}_{first + k}",
                    "seed": first + k,
                    "season": season,
                    "length_km": a.length_km,
                    "sun": sun,
                }
            )
        for k in range(n_pairs):
            season = SEASONS[1 + k % 2]
            found.append(
                {
                    "kind": "pair",
                    "part": part,
                    "name": f"{part}_pair_{season}_{first + 500 + k}",
                    "seed": first + 500 + k,
                    "season": season,
                    "length_km": 20.0,
                }
            )
    for k in range(a.short):
        season, rng = SEASONS[k % 3], np.random.default_rng([a.seed, 2, k])
        sun = float(rng.uniform(*SUN[season])) if season in SUN else None
        found.append(
            {
                "kind": "atl03",
                "part": "short",
                "name": f"short_{season}_{a.seed + 2000 + k}",
                "seed": a.seed + 2000 + k,
                "season": season,
                "length_km": float(rng.uniform(1.0, 6.0)),
                "sun": sun,
            }
        )
    for k in range(a.closed):
        season = SEASONS[1 + k % 2]
        found.append(
            {
                "kind": "pair",
                "part": "short",
                "name": f"closed_{season}_{a.seed + 3000 + k}",
                "seed": a.seed + 3000 + k,
                "season": season,
                "length_km": 20.0,
                "ice": "closed",
            }
        )
    for path in a.atl07:
        for word, first, draws, brightness in (
            ("", a.seed, a.draws, None),
            ("bright_", a.seed + 100, a.bright_draws, BRIGHTNESS),
        ):
            found += [
                {
                    "kind": "atl07",
                    "part": "atl07",
                    "name": f"{Path(path).stem}_{word}{k}",
                    "seed": first + k,
                    "path": str(path),
                    "brightness": brightness,
                }
                for k in range(draws)
            ]
    return [{**f, "out": str(a.out)} for f in found]


def make(job: dict) -> str:
    """Simulate one granule and label it; return its name, or what went wrong."""
    folder = Path(job["out"]) / job["part"]
    table = folder / f"{job['name']}.parquet"
    if table.exists():
        return ""
    work = folder / "granules"
    work.mkdir(parents=True, exist_ok=True)
    if job["kind"] == "pair":
        made = simulate_pair(
            work / job["name"],
            Options(
                length_km=job["length_km"],
                season=job["season"],
                seed=job["seed"],
                image="geotiff",
                ice=job.get("ice", "drawn"),
            ),
            overwrite=True,
        )
    elif job["kind"] == "atl07":
        made = simulate_from_atl07(
            job["path"], work / f"{job['name']}.h5", seed=job["seed"], brightness=job["brightness"], overwrite=True
        )
    else:
        made = simulate(
            work / f"{job['name']}.h5",
            length_km=job["length_km"],
            season=job["season"],
            seed=job["seed"],
            sun_elevation=job["sun"],
            overwrite=True,
        )
    pair = label.Pair(granule=str(made.granule), out=str(table), image="", truth=str(made.truth))
    record = label.process(pair, config=label.Config(beams="all"))
    if job["part"] in ("train", "short"):
        made.granule.unlink()
    return f"{job['name']}: {record.status} {record.message} {json.dumps(record.numbers)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--atl07", nargs="*", default=[], help="real ATL07 granules")
    parser.add_argument("--granules", type=int, default=45)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--test-granules", type=int, default=6)
    parser.add_argument("--test-pairs", type=int, default=10)
    parser.add_argument("--draws", type=int, default=8, help="draws of photons from each ATL07")
    parser.add_argument(
        "--bright-draws",
        type=int,
        default=16,
        help="further draws with the photon rates of each beam scaled, types by NASA's tree",
    )
    parser.add_argument(
        "--short", type=int, default=90, help="granules of 1-6 km: subsets, where nothing low need be water"
    )
    parser.add_argument("--closed", type=int, default=6, help="granules of 20 km of ice without a lead")
    parser.add_argument("--length-km", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.TRACKS)
    todo = jobs(a)
    done = 0
    with ProcessPoolExecutor(a.workers) as pool:
        for future in as_completed([pool.submit(make, job) for job in todo]):
            done += 1
            text = future.result()
            if text:
                print(f"{done}/{len(todo)} {text}", file=sys.stderr, flush=True)
    print(a.out)


if __name__ == "__main__":
    main()
