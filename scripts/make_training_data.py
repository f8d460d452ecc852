"""Make the label tables that the shipped network is trained and scored on: simulated granules and pairs, and tracks
drawn from ATL07.

    python scripts/make_training_data.py OUT [--atl07 FILE ...] [--granules 48] [--pairs 14] [--seed 7000]

OUT/train gets label tables of simulated ATL03 granules (winter, summer, spring and the melt season alternate; the sun
elevation is drawn) and of the granules of simulated pairs; OUT/short those of short granules; OUT/surfaces those of
surfaces that are rare or that look like water: closed ice with bright patches, ponds with and without leads, refrozen
leads, swell (``SURFACES``); OUT/test those of other pairs and granules; OUT/atl07 those of photons drawn from the ATL07
files, several draws each, most of them varied (``VARIATIONS``). Labels are the simulation's truth, and for ATL07 NASA's
types (2-5 water, 1 ice of unknown thickness). Everything follows from the seed; what is there already is kept, so a
stopped run resumes. Test granules are kept (the rule is run on them), training granules are not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import simulator_commit

from polynya.simulate.icesat2.atl03 import simulate
from polynya.simulate.icesat2.atl07_segments import Variation
from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07
from polynya.simulate.pair import Options, simulate_pair
from polynya.simulate.sea_ice.presets import SEASONS as PRESETS
from polynya.simulate.sea_ice.surfaces import of_options
from polynya.workflows import label

SEASONS = ("winter", "summer", "spring", "melt")
SUNNY = ("summer", "spring", "melt")
SURFACES = (
    (("winter", "spring"), "bright-patches:{:.3f},no-leads", 0.05, 0.8),
    (("melt",), "specular-ponds:{:.2f},no-leads", 0.3, 15.0),
    (("winter", "spring"), "refrozen-leads:0.05:{:.2f}", 0.15, 0.45),
    (("winter", "summer", "spring"), "swell:{:.2f}", 0.1, 0.6),
    (("melt",), "specular-ponds:{:.2f}", 0.3, 10.0),
    (("winter", "summer"), "no-leads,bright-patches:{:.0f},melt-patches:0,specular-ponds:0", 0.0, 0.0),
    (("summer", "spring"), "specular-ponds:{:.2f},no-leads", 0.2, 5.0),
    (("winter", "spring"), "bright-patches:{:.3f}", 0.1, 0.8),
    (("summer",), "specular-ponds:{:.2f}", 0.2, 4.0),
    (("melt",), "dark-ponds:{:.2f},specular-ponds:0,no-leads", 1.0, 12.0),
    (("winter", "summer", "spring"), "dark-leads,lead-scatter:{:.3f}", 0.0, 0.06),
    (("winter", "summer", "melt"), "mss-bumps:{:.3f},lead-scatter:.06", 0.04, 0.12),
    (("winter", "spring"), "refrozen-leads:{:.2f}:0.45", 0.05, 0.30),
)
"""Seasons, the words of ``--surface`` and the range of their number, even in the logarithm where it spans more than a
factor of ten."""
VARIATIONS = (
    Variation(brightness=(0.8, 1.6)),
    Variation(brightness=(0.8, 1.6), level=(-0.4, 0.4), swaps_strengths=True),
    Variation(brightness=(0.9, 1.1), level=(-0.4, 0.4), background=(0.0, 4.0e6)),
    Variation(brightness=(0.6, 2.0), level=(-3.0, 3.0)),
    Variation(level=(-0.4, 0.4), swaps_strengths=True),
    Variation(brightness=(0.8, 1.6), level=(-3.0, 3.0), background=(0.0, 7.0e6), swaps_strengths=True),
)
"""Further draws of an ATL07: a file holds few leads, and few cases near the bounds of NASA's tree."""
TEST_SEED = 2_000_000
"""Added to the seed for the test part: no granule of it is ever drawn for training."""


def jobs(a: argparse.Namespace) -> list[dict]:
    """List everything to make, each as plain values: kind, part (the folder), name, seed, and what the kind needs."""
    found = [
        *_train_and_test(a),
        *_short(a),
        *_surfaces(a),
        *(job for path in a.atl07 for job in _draws(a, path)),
    ]
    return [{**f, "out": str(a.out)} for f in found]


def _train_and_test(a: argparse.Namespace) -> Iterator[dict]:
    for part, first, n_granules, n_pairs in (
        ("train", a.seed, a.granules, a.pairs),
        ("test", a.seed + TEST_SEED, a.test_granules, a.test_pairs),
    ):
        for k in range(n_granules):
            season = SEASONS[k % len(SEASONS)]
            yield _granule(part, season, first + k, np.random.default_rng([first, k]), length_km=a.length_km)
        for k in range(n_pairs):
            season, seed = SUNNY[k % len(SUNNY)], first + 500 + k
            yield {"kind": "pair", "part": part, "name": f"{part}_pair_{season}_{seed}", "seed": seed, "season": season}


def _short(a: argparse.Namespace) -> Iterator[dict]:
    for k in range(a.short):
        rng = np.random.default_rng([a.seed, 2, k])
        yield _granule(
            "short", SEASONS[k % len(SEASONS)], a.seed + 2000 + k, rng, length_km=float(rng.uniform(1.0, 6.0))
        )


def _surfaces(a: argparse.Namespace) -> Iterator[dict]:
    for k in range(a.surfaces):
        rng = np.random.default_rng([a.seed, 3, k])
        seasons, words, low, high = SURFACES[k % len(SURFACES)]
        season = seasons[k // len(SURFACES) % len(seasons)]
        even = low <= 0.0 or high < 10.0 * low
        number = rng.uniform(low, high) if even else np.exp(rng.uniform(np.log(low), np.log(high)))
        job = _granule("surfaces", season, a.seed + 3000 + k, rng, length_km=a.surface_km)
        yield {**job, "surface": words.format(number)}


def _granule(part: str, season: str, seed: int, rng: np.random.Generator, *, length_km: float) -> dict:
    sun = float(rng.uniform(*PRESETS[season].sun)) if season in SUNNY else None
    name = f"{part}_{season}_{seed}"
    return {
        "kind": "atl03",
        "part": part,
        "name": name,
        "seed": seed,
        "season": season,
        "length_km": length_km,
        "sun": sun,
    }


def _draws(a: argparse.Namespace, path: str) -> Iterator[dict]:
    about = {"kind": "atl07", "part": "atl07", "path": str(path)}
    for k in range(a.draws):
        yield {**about, "name": f"{Path(path).stem}_{k}", "seed": a.seed + k, "variation": None}
    for k in range(a.varied_draws):
        name = f"{Path(path).stem}_varied_{k}"
        yield {**about, "name": name, "seed": a.seed + 100 + k, "variation": k % len(VARIATIONS)}


def make(job: dict) -> str:
    """Simulate one granule and label it; return its name, or what went wrong."""
    folder = Path(job["out"]) / job["part"]
    table = folder / f"{job['name']}.parquet"
    if table.exists():
        return ""
    work = folder / "granules"
    work.mkdir(parents=True, exist_ok=True)
    if job["kind"] == "pair":
        options = Options(length_km=20.0, season=job["season"], seed=job["seed"], image="geotiff")
        made = simulate_pair(work / job["name"], options, overwrite=True)
    elif job["kind"] == "atl07":
        variation = None if job["variation"] is None else VARIATIONS[job["variation"]]
        made = simulate_from_atl07(
            job["path"], work / f"{job['name']}.h5", seed=job["seed"], variation=variation, overwrite=True
        )
    else:
        surfaces = of_options([job["surface"]] if "surface" in job else [], ice="drawn")
        made = simulate(
            work / f"{job['name']}.h5",
            length_km=job["length_km"],
            season=job["season"],
            seed=job["seed"],
            sun_elevation=job["sun"],
            surfaces=surfaces,
            overwrite=True,
        )
    pair = label.Pair(granule=str(made.granule), out=str(table), image="", truth=str(made.truth))
    record = label.process(pair, config=label.Config(beams="all"))
    if job["part"] != "test":
        made.granule.unlink()
    return f"{job['name']}: {record.status} {record.message} {json.dumps(record.numbers)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--atl07", nargs="*", default=[], help="real ATL07 granules")
    parser.add_argument("--granules", type=int, default=48)
    parser.add_argument("--pairs", type=int, default=14)
    parser.add_argument("--test-granules", type=int, default=8)
    parser.add_argument("--test-pairs", type=int, default=9)
    parser.add_argument("--draws", type=int, default=6, help="draws of photons from each ATL07")
    parser.add_argument("--varied-draws", type=int, default=30, help="further draws, varied, types by NASA's tree")
    parser.add_argument(
        "--short", type=int, default=96, help="granules of 1-6 km: subsets, where nothing low need be water"
    )
    parser.add_argument("--surfaces", type=int, default=52, help="granules of rare surfaces")
    parser.add_argument("--surface-km", type=float, default=30.0, help="length of these")
    parser.add_argument("--length-km", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=7000)
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.TRACKS)
    todo, started = jobs(a), time.perf_counter()
    done = 0
    with ProcessPoolExecutor(a.workers) as pool:
        for future in as_completed([pool.submit(make, job) for job in todo]):
            done += 1
            text = future.result()
            if text:
                print(f"{done}/{len(todo)} {text}", file=sys.stderr, flush=True)
    print(f"{a.out}: {len(todo)} tables, {(time.perf_counter() - started) / 60.0:.1f} minutes on {a.workers} workers")


if __name__ == "__main__":
    main()
